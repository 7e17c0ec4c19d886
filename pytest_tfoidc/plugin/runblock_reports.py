"""Run blocks in pytest's reports: their own time, their failure, what was left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_tfoidc.plugin.runblocks import FileErrored, RunItem

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.tftest.run import FileResult

FILE_KEY, CHANGES_KEY, LEFT_KEY = "tf_test_file", "tf_test_changes", "tf_test_left"
LOG_VERBOSITY = 2


def complete_report(
    item: RunItem, call: pytest.CallInfo[None], report: pytest.TestReport
) -> pytest.TestReport:
    """Let a report say what Terraform said: the run's own time, and the failure."""
    from pytest_tfoidc.plugin import runblock_failures  # noqa: PLC0415 - not in every run

    setattr(report, FILE_KEY, item.nodeid.partition("::")[0])
    result = item.result
    if result is not None and call.when == "setup":  # it was the run that setup has waited for
        report.duration = max(0.0, report.duration - result.seconds)
    if result is not None and call.when == "call":
        report.duration = result.seconds
        setattr(report, CHANGES_KEY, result.changes)
    if call.excinfo is None or not report.failed:
        return report
    shown = runblock_failures.represent(item, call.excinfo.value)
    if shown is not None:
        report.longrepr = shown
    if isinstance(call.excinfo.value, FileErrored):
        left: FileResult = call.excinfo.value.args[0]
        setattr(report, LEFT_KEY, [f"{left.file}: {address}" for address in left.left_behind])
    execution = item.parent.execution
    if execution is not None and item.config.get_verbosity() >= LOG_VERBOSITY:
        report.sections.append(("terraform test", "\n".join(execution.log)))
    return report


class RunReport:
    """Brings what run blocks have shown into pytest's own reports.

    Args:
        config: The run's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name JUnit's class as the file, and note what was left behind."""
        from _pytest.junitxml import xml_key  # noqa: PLC0415 - pytest has no public name for it

        file = getattr(report, FILE_KEY, None)
        xml = self._config.stash.get(xml_key, None)
        if file is not None and xml is not None:
            xml.node_reporter(report).add_attribute("classname", file)
        self._left += getattr(report, LEFT_KEY, ())

    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str] | None:
        """Show the plan or the state of a run beside its outcome, with -v."""
        changes = getattr(report, CHANGES_KEY, "")
        if report.when != "call" or not report.passed or not changes or not config.get_verbosity():
            return None
        return "passed", ".", f"PASSED ({changes})"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what is left over."""
        if self._left:
            terminalreporter.section("left over by terraform test", sep="-", red=True)
            for address in self._left:
                terminalreporter.line(f"  {address}")
