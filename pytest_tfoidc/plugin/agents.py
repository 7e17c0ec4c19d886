"""Words for a pipeline's agent at the end of a run: issues, a summary, outputs, folded logs."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.pipelinekinds import AZURE_PIPELINES, agent_name
from pytest_tfoidc.utf8 import as_utf8

if TYPE_CHECKING:
    from pytest_tfoidc.events import ItemFinished
    from pytest_tfoidc.plugin.run import PytestRun
    from pytest_tfoidc.reporting.pipelines import Place
    from pytest_tfoidc.reporting.upgradetable import UpgradeRow

LOG_END = "\nThe end of the log:\n"
REPORT_KEY = "tfoidc_upgrade"  # pytest-xdist carries a report's attributes along
# They say the same themselves.
OTHERS = frozenset({"pytest-azurepipelines", "pytest-github-actions-annotate-failures"})


class Agent:
    """Gathers what an agent is told.

    Args:
        run: Knows the modules under test.
        pipeline: As `agent_name` tells it.
        tells_failures: False where another plugin makes issues of failures.
    """

    def __init__(self, run: PytestRun, *, pipeline: str, tells_failures: bool) -> None:
        self._run = run
        self._pipeline = pipeline
        self._tells_failures = tells_failures
        self._finished: list[ItemFinished] = []
        self._failed: set[str] = set()
        self._issues: dict[tuple[str, Place], list[str]] = {}
        self._rows: dict[str, UpgradeRow] = {}

    def take(self, event: ItemFinished) -> None:
        """Take in how a test ended."""
        self._finished.append(event)

    def take_row(self, report: Any) -> None:  # noqa: ANN401 - pytest's or xdist's
        """Take in what an upgrade step came to, which its last report brings along."""
        brought = getattr(report, REPORT_KEY, None)
        if brought is not None:
            from pytest_tfoidc.reporting.upgradetable import row_of  # noqa: PLC0415 - rarely

            self._rows[report.nodeid] = row_of(brought)

    def take_failure(self, report: Any, words: str) -> None:  # noqa: ANN401 - pytest's or xdist's
        """Take in a failure, once for each test: a clean-up that fails as well is in the log."""
        if self._tells_failures and report.nodeid not in self._failed:
            self._failed.add(report.nodeid)
            same = self._issues.setdefault((words, self._place(report)), [])
            same.append(report.nodeid)

    def _place(self, report: Any) -> Place:  # noqa: ANN401 - pytest's or xdist's
        """Return the place that Terraform names; for a Python test, the line that failed."""
        from pytest_tfoidc.reporting.pipelines import Place, terraform_place  # noqa: PLC0415 - not in every run

        named = terraform_place(str(report.longrepr))
        file = self._found(report.nodeid, named.file)
        if file:
            return Place(file=file, line=named.line)
        crash = getattr(report.longrepr, "reprcrash", None)
        crashed = Path.cwd() / str(getattr(crash, "path", ""))  # pytest says it from there
        if crash is not None and crashed.is_file() and crashed.is_relative_to(self._run.root):
            inner = os.path.relpath(crashed, self._run.root).replace(os.sep, "/")
            return Place(file=inner, line=int(crash.lineno))
        file, line, _ = report.location
        if not (self._run.root / str(file)).is_file():
            return Place()
        return Place(file=str(file), line=0 if line is None else line + 1)

    def _found(self, nodeid: str, file: str) -> str:
        """Return the path of a module's file from the root directory; empty if there is none."""
        around = (self._run.root / nodeid.partition("::")[0]).resolve()
        for folder in (around, *around.parents) if file else ():
            if (folder / file).is_file():
                return os.path.relpath(folder / file, self._run.root).replace(os.sep, "/")
            if folder == self._run.root:
                break
        return ""

    def lines(self) -> list[str]:
        """Return the lines for the log, and write the summary and the outputs."""
        lines = self._issue_lines()
        with contextlib.suppress(OSError):  # the summary is an extra
            lines += self._summary_lines()
        lines += self._output_lines()
        self._run.commands.update(lines)
        return lines

    def _issue_lines(self) -> list[str]:
        """Make one issue of what several tests say of the same place."""
        from pytest_tfoidc.reporting.pipelines import issue_command  # noqa: PLC0415 - not in every run

        lines = []
        for (words, place), tests in self._issues.items():
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            told = self._run.redactor.redact(f"{tests[0]}{more}: {words}")
            lines.append(issue_command(self._pipeline, words=told, place=place))
        return lines

    def _summary_lines(self) -> list[str]:
        from pytest_tfoidc.reporting.pipelines import markdown_of  # noqa: PLC0415 - not in every run

        if not self._finished:
            return []
        rows = list(self._rows.values())
        text = self._run.redactor.redact(markdown_of(self._finished, rows))
        if self._pipeline == AZURE_PIPELINES:
            return _azure_summary(text)
        _append(os.environ.get("GITHUB_STEP_SUMMARY"), f"{text}\n")
        return []

    def _output_lines(self) -> list[str]:
        """Set the variables that later steps read; on GitHub in the file for them."""
        from pytest_tfoidc.reporting.pipelines import (  # noqa: PLC0415 - not in every run
            change_outputs,
            output_lines,
        )

        lines = output_lines(self._pipeline, change_outputs(self._rows.values()))
        if self._pipeline == AZURE_PIPELINES or not lines:
            return lines
        try:
            _append(os.environ.get("GITHUB_OUTPUT"), "".join(f"{line}\n" for line in lines))
        except OSError as error:
            return [f"tfoidc: The outputs could not be written to GITHUB_OUTPUT: {error.strerror}"]
        return []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """Fold what is long in the reports, before pytest writes them; others have had theirs."""
        for name in ("failed", "error", "passed"):
            for report in terminalreporter.getreports(name):
                self._fold(report)
        return (yield)

    def _fold(self, report: Any) -> None:  # noqa: ANN401 - pytest's or xdist's
        from pytest_tfoidc.reporting.pipelines import group_lines  # noqa: PLC0415 - not in every run

        def folded(name: str, text: str) -> str:
            begin, end = group_lines(self._pipeline, self._run.redactor.redact(name))
            self._run.commands.update((begin, end))
            return "\n".join((begin, text.rstrip("\n"), end))

        report.sections = [
            (name, folded(f"{report.nodeid}: {name}", text)) for name, text in report.sections
        ]
        from pytest_tfoidc.plugin.representation import reworded, words_of  # noqa: PLC0415 - not in every run

        told, found, log = words_of(report.longrepr).partition(LOG_END)
        if found:
            log = folded(f"{report.nodeid}: the end of the log", log)
            report.longrepr = reworded(report.longrepr, f"{told}\n{log}")


def _append(name: str | None, text: str) -> None:
    if name:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(as_utf8(text))


def _azure_summary(text: str) -> list[str]:
    """Write the summary where the agent finds it, and removes it when the job ends."""
    folder = os.environ.get("AGENT_TEMPDIRECTORY", "")
    if not folder or not Path(folder).is_dir():
        return []
    file = Path(folder) / f"tfoidc-{secrets.token_hex(4)}.md"
    file.write_text(as_utf8(text), encoding="utf-8")
    return [f"##vso[task.uploadsummary]{file}"]


def agent_of(run: PytestRun, config: pytest.Config) -> Agent | None:
    """Return what tells the agent of the pipeline that this is; None where no module is tested."""
    if not run.settings.modules:
        return None
    pipeline = agent_name(os.environ)
    names = {dist.project_name for _, dist in config.pluginmanager.list_plugin_distinfo()}
    tells = not {name.lower().replace("_", "-") for name in names} & OTHERS
    return Agent(run, pipeline=pipeline, tells_failures=tells) if pipeline else None
