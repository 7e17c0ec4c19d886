"""Failures of Python tests that use the fixtures, told as those of checks and run blocks are."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import _pytest
import pluggy
import pytest
from _pytest._code.code import (  # pytest has no public names for them
    ExceptionChainRepr,
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    Traceback,
    TracebackEntry,
)

import pytest_tfoidc
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.plugin.items import told
from pytest_tfoidc.plugin.run import RUN

# What stands between a test and Terraform, and is nobody's business who reads of a failure.
MACHINERY = tuple(Path(str(one.__file__)).parent for one in (pytest_tfoidc, _pytest, pluggy))
WRONG = "E   "


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
    if excinfo is None or not isinstance(excinfo.value, TfOidcError) or not report.failed:
        return
    text = told(excinfo.value, item.config.stash[RUN], item=item.nodeid)
    shown = report.longrepr
    if text is None or not isinstance(shown, (ReprExceptionInfo, ExceptionChainRepr)):
        return
    report.longrepr = _represent(excinfo, text, style=item.config.getoption("tbstyle", "auto"))


def _represent(
    excinfo: pytest.ExceptionInfo[BaseException], text: str, *, style: str
) -> ReprExceptionInfo | str:
    """Show the user's own frames, and the text where pytest has the exception's."""
    if not any(map(_is_users, excinfo.traceback)):
        return text
    shown = excinfo.getrepr(
        style="short" if style == "short" else "long", tbfilter=_users, chain=False
    )
    entry = shown.reprtraceback.reprentries[-1]
    if not isinstance(entry, ReprEntry) or entry.reprfileloc is None:
        return text
    _tell(entry, text)
    headline = text.splitlines()[0]
    path, line = entry.reprfileloc.path, entry.reprfileloc.lineno
    entry.reprfileloc = ReprFileLocation(path, line, excinfo.typename)
    return ReprExceptionInfo(
        reprtraceback=shown.reprtraceback, reprcrash=ReprFileLocation(path, line, headline)
    )


def _tell(entry: ReprEntry, text: str) -> None:
    """Put a text where pytest has the exception's."""
    kept = [line for line in entry.lines if not line.startswith("E ")]
    entry.lines = [*kept, *((WRONG + line).rstrip() for line in text.splitlines())]


def reworded(shown: object, text: str) -> Any:  # noqa: ANN401 - as pytest has it in a report
    """Return how a failure is shown with another text, which another item tells in full."""
    if isinstance(shown, str):
        return text
    if isinstance(shown, ReprExceptionInfo):
        entry = shown.reprtraceback.reprentries[-1]
        if isinstance(entry, ReprEntry):
            _tell(entry, text)
    return shown


def _users(excinfo: pytest.ExceptionInfo[BaseException]) -> Traceback:
    return excinfo.traceback.filter(_is_users)


def _is_users(entry: TracebackEntry) -> bool:
    """Tell whether the user has written a line of the traceback."""
    path = Path(str(entry.path))
    if path == Path(contextlib.__file__):
        return False
    return not any(path.is_relative_to(folder) for folder in MACHINERY)
