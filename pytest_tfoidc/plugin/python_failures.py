"""Failures of Python tests that use the fixtures, told as those of checks and run blocks are."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from _pytest._code.code import (  # pytest has no public names for them
    ExceptionChainRepr,
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    Traceback,
    TracebackEntry,
)

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.plugin.items import told
from pytest_tfoidc.plugin.representation import MACHINERY, in_words, tell
from pytest_tfoidc.plugin.run import RUN
from pytest_tfoidc.terraform.plan import UnexpectedChangesError

OURS = (TfOidcError, UnexpectedChangesError)


def complete_report(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Show an error of ours by its cause; of the way to it only what the user has written.

    Args:
        item: A Python test.
        call: Holds what was raised.
        report: What pytest made of it.
    """
    excinfo = call.excinfo
    if excinfo is None or not isinstance(excinfo.value, OURS) or not report.failed:
        return
    text = told(excinfo.value, item.config.stash[RUN], item=item.nodeid)
    shown = report.longrepr
    if text is None or not isinstance(shown, (ReprExceptionInfo, ExceptionChainRepr)):
        return
    style = item.config.getoption("tbstyle", "auto")
    report.longrepr = _represent(excinfo, text, path=item.path, style=style)


def _represent(
    excinfo: pytest.ExceptionInfo[BaseException], text: str, *, path: Path, style: str
) -> ReprExceptionInfo:
    """Show the user's own frames, and the text where pytest has the exception's."""
    if not any(map(_is_users, excinfo.traceback)):
        return in_words(text, path)
    shown = excinfo.getrepr(
        style="short" if style == "short" else "long", tbfilter=_users, chain=False
    )
    entry = shown.reprtraceback.reprentries[-1]
    if not isinstance(entry, ReprEntry) or entry.reprfileloc is None:
        return in_words(text, path)
    tell(entry, text)
    headline = text.splitlines()[0]
    at, line = entry.reprfileloc.path, entry.reprfileloc.lineno
    entry.reprfileloc = ReprFileLocation(at, line, excinfo.typename)
    return ReprExceptionInfo(
        reprtraceback=shown.reprtraceback, reprcrash=ReprFileLocation(at, line, headline)
    )


def _users(excinfo: pytest.ExceptionInfo[BaseException]) -> Traceback:
    return excinfo.traceback.filter(_is_users)


def _is_users(entry: TracebackEntry) -> bool:
    """Tell whether the user has written a line of the traceback."""
    path = Path(str(entry.path))
    if path == Path(contextlib.__file__):
        return False
    return not any(path.is_relative_to(folder) for folder in MACHINERY)
