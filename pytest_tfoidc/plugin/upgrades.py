"""Upgrade steps as pytest items, the table of what they came to, and the fixture."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_tfoidc.plugin.agents import REPORT_KEY
from pytest_tfoidc.plugin.items import ModuleItem
from pytest_tfoidc.plugin.run import EVIDENCE, RUN, PytestRun
from pytest_tfoidc.utf8 import as_utf8

if TYPE_CHECKING:
    from pytest_tfoidc.reporting.upgradetable import UpgradeRow
    from pytest_tfoidc.terraform.upgrade.spec import Step
    from pytest_tfoidc.terraform.upgrade.step import UpgradeStep

GROUP = "upgrade"
ROW = pytest.StashKey["UpgradeRow"]()


class UpgradeGroup(pytest.Collector):
    """The upgrade steps of a module."""

    def collect(self) -> Iterator[pytest.Item]:
        """Make an item for each step that is for this module."""
        run = self.config.stash[RUN]
        for step in run.settings.upgrades:
            if not step.modules or run.name_of(self.path) in step.modules:
                yield UpgradeItem.from_parent(self, name=step.name, step=step)


class UpgradeItem(ModuleItem):
    """One step of one module."""

    group = GROUP
    marker = "tf_upgrade"

    def __init__(self, *, step: Step, **kwargs: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**kwargs)
        self.step = step

    def runtest(self) -> None:
        """Make the step in a workspace of its own."""
        from pytest_tfoidc.checks.allowances import allowed_for  # noqa: PLC0415 - heavy
        from pytest_tfoidc.checks.upgrade import UpgradeStory  # noqa: PLC0415 - heavy

        run = self._run
        with (
            run.recorded(self, self.path),
            run.workspace(self.path, item=f"{GROUP}-{self.name}") as workspace,
        ):
            story = UpgradeStory(
                session=run.session,
                workspace=workspace,
                inputs=run.inputs(),
                step=self.step,
                name=run.name_of(self.path),
                checks=run.settings.checks,
                delay=timedelta(seconds=run.delay),
                test_directory=run.settings.test_directory,
                allowances=allowed_for(run.settings.allowances, run.name_of(self.path)),
            )
            try:
                story.run()
            finally:
                self.stash[ROW] = story.row
                self.note_properties(workspace.path)
                self.user_properties += [("changes", story.row.changes)]
                self.stash[EVIDENCE] = (run.name_of(self.path), story.evidence)
                if story.notes:
                    self.add_report_section("call", "upgrade", "\n".join(story.notes))


def carry_row(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let a step's row travel with its last report."""
    if report.when == "teardown" and ROW in item.stash:
        setattr(report, REPORT_KEY, item.stash[ROW].as_json())


class UpgradeReport:
    """Gathers the rows of all steps, in workers too, and writes the table at the end.

    Args:
        markdown: Where to write it as Markdown as well; added to the end of the file.
    """

    def __init__(self, *, markdown: Path | None) -> None:
        self._markdown = markdown
        self._rows: list[UpgradeRow] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the row that a report brings along."""
        brought = getattr(report, REPORT_KEY, None)
        if brought is not None:
            from pytest_tfoidc.reporting.upgradetable import row_of  # noqa: PLC0415 - rarely

            self._rows.append(row_of(brought))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the table."""
        if not self._rows:
            return
        from pytest_tfoidc.reporting.upgradetable import (  # noqa: PLC0415 - rarely
            markdown_table,
            notes_of,
            terminal_table,
        )

        terminalreporter.section("upgrades", sep="-")
        for line in [*terminal_table(self._rows), *notes_of(self._rows)]:
            terminalreporter.line(line)
        if self._markdown is not None:
            with self._markdown.open("a", encoding="utf-8") as file:
                file.write(as_utf8(f"### Upgrades\n\n{markdown_table(self._rows)}\n"))


def register(config: pytest.Config) -> None:
    """Take part in the run's reports."""
    report = UpgradeReport(markdown=config.stash[RUN].settings.upgrade_report)
    config.pluginmanager.register(report, "tfoidc-upgrades")


class UpgradeFactory(Protocol):
    """Makes upgrade steps: the fixture `tf_upgrade`."""

    def __call__(
        self, subject: str, before: str, after: str
    ) -> AbstractContextManager[UpgradeStep]:
        """Make a step: of a provider, or of `terraform`; pinned to `before` in the block."""
        ...


def make_factory(run: PytestRun, module: Path, *, item: str) -> UpgradeFactory:
    """Return what the fixture `tf_upgrade` is, for one test."""

    @contextlib.contextmanager
    def start(subject: str, before: str, after: str) -> Iterator[UpgradeStep]:
        from pytest_tfoidc.checks.allowances import allowed_for  # noqa: PLC0415 - heavy
        from pytest_tfoidc.terraform.upgrade.spec import Move, Step  # noqa: PLC0415 - heavy
        from pytest_tfoidc.terraform.upgrade.step import UpgradeStep  # noqa: PLC0415 - heavy

        move = Move(subject=subject.lower(), before=before, after=after)
        settings = run.settings
        step = Step(
            moves=(move,),
            downgrade=settings.upgrade_downgrade,
            override=settings.upgrade_override,
        )
        with run.workspace(module, item=item) as workspace:
            allowed = allowed_for(settings.allowances, run.name_of(module))
            upgrade = UpgradeStep(workspace, step, where="tf_upgrade", always=allowed.changes)
            upgrade.start()
            yield upgrade

    return start
