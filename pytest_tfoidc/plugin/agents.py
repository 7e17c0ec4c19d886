"""Words for the agent of a pipeline at the end of a run: failures as issues, and a summary."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.events import ItemFinished
from pytest_tfoidc.pipelinekinds import AZURE_PIPELINES, agent_name

if TYPE_CHECKING:
    from pytest_tfoidc.plugin.run import PytestRun

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
        self._issues: dict[str, None] = {}

    def take(self, event: ItemFinished) -> None:
        """Take in how a test ended."""
        self._finished.append(event)

    def take_failure(self, report: Any, words: str) -> None:  # noqa: ANN401 - pytest's or xdist's
        """Take in a failure, once for each test: a clean-up that fails as well is in the log."""
        from pytest_tfoidc.reporting.pipelines import (  # noqa: PLC0415 - not in every run
            Place,
            issue_command,
            terraform_place,
        )

        if not self._tells_failures:
            return
        place = terraform_place(str(report.longrepr))
        place = Place(file=self._found(report.nodeid, place.file), line=place.line)
        if not place.file:
            file, line, _ = report.location
            place = Place(file=str(file), line=(line or 0) + 1 if line is not None else 0)
        told = self._run.redactor.redact(f"{report.nodeid}: {words}")
        self._issues[issue_command(self._pipeline, words=told, place=place)] = None

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
        """Return the lines for the log, and write the summary."""
        from pytest_tfoidc.reporting.pipelines import markdown_of  # noqa: PLC0415 - not in every run

        lines = list(self._issues)
        if not self._finished:
            return lines
        text = self._run.redactor.redact(markdown_of(self._finished))
        with contextlib.suppress(OSError):  # the summary is an extra
            if self._pipeline == AZURE_PIPELINES:
                lines += _azure_summary(text)
            elif os.environ.get("GITHUB_STEP_SUMMARY"):
                with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
                    file.write(f"{text}\n")
        return lines


def _azure_summary(text: str) -> list[str]:
    """Write the summary where the agent finds it, and removes it when the job ends."""
    folder = os.environ.get("AGENT_TEMPDIRECTORY", "")
    if not folder or not Path(folder).is_dir():
        return []
    file = Path(folder) / f"tfoidc-{secrets.token_hex(4)}.md"
    file.write_text(text, encoding="utf-8")
    return [f"##vso[task.uploadsummary]{file}"]


def agent_of(run: PytestRun, config: pytest.Config) -> Agent | None:
    """Return what tells the agent of the pipeline that this is; None where no module is tested."""
    if not run.settings.modules:
        return None
    pipeline = agent_name(os.environ)
    names = {dist.project_name for _, dist in config.pluginmanager.list_plugin_distinfo()}
    tells = not {name.lower().replace("_", "-") for name in names} & OTHERS
    return Agent(run, pipeline=pipeline, tells_failures=tells) if pipeline else None
