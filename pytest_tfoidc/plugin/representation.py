"""Failures as pytest's own objects have them: their words, and the one line of the summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import _pytest
import pluggy
from _pytest._code.code import (  # pytest has no public names for them
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)

import pytest_tfoidc

WRONG = "E   "
# What stands between a test and Terraform, and is nobody's business who reads of a failure.
MACHINERY = tuple(Path(str(one.__file__)).parent for one in (pytest_tfoidc, _pytest, pluggy))
BARE: Final = "value"  # pytest's name for an entry that is written as it is


def in_words(text: str, path: Path) -> ReprExceptionInfo:
    """Return a failure that is shown as a text, and in the summary by its first line alone.

    A plain text would be in the summary as a whole where pytest takes itself to be in a pipeline.

    Args:
        text: What is told.
        path: What has failed: a module, a file.
    """
    entry = ReprEntry(
        lines=text.splitlines(), reprfuncargs=None, reprlocals=None, reprfileloc=None, style=BARE
    )
    return ReprExceptionInfo(
        reprtraceback=ReprTraceback([entry], extraline=None, style=BARE),
        reprcrash=ReprFileLocation(str(path), 1, text.partition("\n")[0]),
    )


def words_of(shown: object) -> str:
    """Return the text of a failure that `in_words` has made; empty for others."""
    entry = _last(shown)
    return "\n".join(entry.lines) if entry is not None and entry.style == BARE else ""


def reworded(shown: object, text: str) -> Any:  # noqa: ANN401 - as pytest has it in a report
    """Return how a failure is shown with another text in the place of its own."""
    entry = _last(shown)
    if entry is not None:
        tell(entry, text)
    return shown


def tell(entry: ReprEntry, text: str) -> None:
    """Put a text where pytest has the exception's."""
    if entry.style == BARE:
        entry.lines = text.splitlines()
        return
    kept = [line for line in entry.lines if not line.startswith("E ")]
    entry.lines = [*kept, *((WRONG + line).rstrip() for line in text.splitlines())]


def _last(shown: object) -> ReprEntry | None:
    if not isinstance(shown, ReprExceptionInfo):
        return None
    entry = shown.reprtraceback.reprentries[-1]
    return entry if isinstance(entry, ReprEntry) else None
