"""Failures of run blocks, shown as pytest shows those of Python tests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from _pytest._code.code import (  # pytest has no public names for them
    ReprEntry,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)

from pytest_tfoidc.diagnostics import Diagnostic, in_order, with_place
from pytest_tfoidc.errors import TerraformError, TfOidcError
from pytest_tfoidc.plugin.representation import WRONG
from pytest_tfoidc.plugin.run import RUN
from pytest_tfoidc.plugin.runblocks import FileErrored, RunErrored, RunFailed, RunItem
from pytest_tfoidc.terraform.tftest.run import FileResult, RunResult

ASSERTION = "Test assertion failed"
SOURCE, MARKED = "    ", ">   "


def represent(item: RunItem, error: BaseException) -> ReprExceptionInfo | None:
    """Show a failure of a run block; None for what is not Terraform's."""
    if isinstance(error, (RunFailed, RunErrored)):
        return _Failure(item).of_run(error.args[0])
    if isinstance(error, FileErrored):
        return _Failure(item).of_file(error.args[0])
    if isinstance(error, TfOidcError):
        return _Failure(item).of_error(error)
    return None


class _Failure:
    """Writes one failure.

    Args:
        item: The item that fails.
    """

    def __init__(self, item: RunItem) -> None:
        self._item = item
        self._session = item.config.stash[RUN].session

    def of_run(self, result: RunResult) -> ReprExceptionInfo:
        """Show the run block, what was wrong in it, and Terraform's other words under it."""
        entries = [self._entry(d) for d in in_order(result.diagnostics) if d.is_error]
        if result.cause or not entries:
            cause = result.cause or "Terraform gave no reason."
            entries.append(self._entry_of_text(cause, source=self._header()))
        return self._put_together(entries, result.diagnostics)

    def of_file(self, result: FileResult) -> ReprExceptionInfo:
        """Show what went wrong beside the runs, and what was left behind."""
        entries = []
        if result.left_behind:
            left = "\n  ".join(result.left_behind)
            what = f"The teardown left behind: {left}\nRemedy: destroy it by hand."
            entries.append(self._entry_of_text(what))
        entries += [self._entry(d) for d in in_order(result.diagnostics) if d.is_error]
        if result.cause:
            entries.append(self._entry_of_text(result.cause))
        return self._put_together(entries, result.diagnostics)

    def of_error(self, error: TfOidcError) -> ReprExceptionInfo:
        """Show what kept the file from being run."""
        from pytest_tfoidc.checks.explaining import explain  # noqa: PLC0415 - heavy

        text = str(error)
        if isinstance(error, TerraformError):
            text = explain(error, self._session)
        return self._put_together([self._entry_of_text(text)], ())

    def _put_together(
        self, entries: list[ReprEntry], diagnostics: Iterable[Diagnostic]
    ) -> ReprExceptionInfo:
        entries = [*map(self._once, entries)]
        traceback = ReprTraceback(entries, extraline=None, style="long")
        shown = ReprExceptionInfo(reprtraceback=traceback, reprcrash=entries[0].reprfileloc)
        warnings = [d.text for d in diagnostics if not d.is_error]
        if warnings:
            shown.addsection("Terraform's warnings", "\n\n".join(warnings))
        return shown

    def _once(self, entry: ReprEntry) -> ReprEntry:
        """Return an entry; its first line alone where another item has told the rest."""
        lines = [line[len(WRONG) :] for line in entry.lines if line.startswith(WRONG[0])]
        wrong = "\n".join(lines)
        told = self._item.config.stash[RUN].told_once(wrong, item=self._item.nodeid)
        if told == wrong or entry.reprfileloc is None:
            return entry
        source = [line for line in entry.lines if not line.startswith(WRONG[0])]
        return _entry(source=source, wrong=told.splitlines(), place=entry.reprfileloc)

    def _entry(self, diagnostic: Diagnostic) -> ReprEntry:
        message, before = self._first_words(diagnostic)
        said = [diagnostic.summary, diagnostic.detail]
        if diagnostic.summary == ASSERTION:
            said = [diagnostic.detail or message]
        elif before == [message] and "\n\n" not in diagnostic.detail.strip():
            said = [diagnostic.summary]  # the first line has the detail
        where = [f"with {diagnostic.address}"] if diagnostic.address else []
        words = "\n".join(text for text in (*said, *where) if text)
        wrong = [*words.splitlines(), *(f"  {value}" for value in diagnostic.values)]
        path, line = self._place(diagnostic)
        return _entry(
            source=[*self._source(diagnostic)],
            wrong=[*before, *wrong],
            place=ReprFileLocation(path, line, message),
        )

    def _first_words(self, diagnostic: Diagnostic) -> tuple[str, list[str]]:
        """Return what is wrong in one line, and the lines that stand before Terraform's words."""
        before = self._diagnosis(diagnostic)
        if before:
            return before[0], before
        if diagnostic.summary == ASSERTION and diagnostic.detail:
            return diagnostic.detail.splitlines()[0], []
        message = diagnostic.headline
        return message, [] if message.startswith(diagnostic.summary) else [message]

    def _entry_of_text(self, text: str, *, source: Iterable[str] = ()) -> ReprEntry:
        lines = text.splitlines()
        place = ReprFileLocation(self._shown(self._item.path), self._item.block.line, lines[0])
        return _entry(source=[*source], wrong=lines, place=place)

    def _header(self) -> Iterator[str]:
        yield MARKED + self._item.block.source[0]

    def _place(self, diagnostic: Diagnostic) -> tuple[str, int]:
        """Return a path and a line that editors can follow; the run block's where there is none."""
        if not diagnostic.file:
            return self._shown(self._item.path), self._item.block.line
        return self._shown(self._item.parent.module / diagnostic.file), diagnostic.line

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._item.config.invocation_params.dir)

    def _source(self, diagnostic: Diagnostic) -> Iterator[str]:
        """Yield the run block down to what is wrong; of another file what Terraform quotes."""
        block = self._item.block
        is_here = diagnostic.file == self._item.parent.file
        if not is_here or not block.line <= diagnostic.line <= block.end_line:
            yield from (MARKED + line for line in diagnostic.code.splitlines())
            return
        first, last = diagnostic.line, diagnostic.line
        for assertion in block.assertions:
            if assertion.condition_line <= diagnostic.line <= assertion.condition_end_line:
                first, last = assertion.condition_line, assertion.condition_end_line
        for number, line in enumerate(block.source[: last - block.line + 1], start=block.line):
            yield (MARKED if number >= first else SOURCE) + line

    def _diagnosis(self, diagnostic: Diagnostic) -> list[str]:
        """Return what is wrong in one line, why, and the remedy; nothing where it is not known."""
        from pytest_tfoidc.reporting.diagnosis import diagnose  # noqa: PLC0415 - for failures only

        place, missing = diagnostic.place, self._item.parent.missing(diagnostic)
        if missing:
            redact = self._session.redactor.redact
            headline = with_place(missing[0].headline, place)
            causes = (f"Cause: {one}" for one in missing)
            return [*map(redact, (headline, *causes)), f"Remedy: {missing[0].remedy}"]
        found = diagnose(
            diagnostic.text,
            release=self._session.executable.release,
            refused=self._item.parent.refused(),
        )
        if found is None:
            return []
        headline = diagnostic.headline if found.is_plain else with_place(found.headline, place)
        return [headline, *found.below_headline.splitlines()]


def _entry(*, source: list[str], wrong: list[str], place: ReprFileLocation) -> ReprEntry:
    return ReprEntry(
        lines=[*source, *((WRONG + line).rstrip() for line in wrong)],
        reprfuncargs=None,
        reprlocals=None,
        reprfileloc=place,
        style="long",
    )
