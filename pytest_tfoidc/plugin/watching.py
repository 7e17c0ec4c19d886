"""The watch over a run while it runs: progress for people, events for files, workers included.

Workers of pytest-xdist write their events to files in a folder of the controller's, which follows
them: one way for progress and for reports, that needs nothing of pytest-xdist's own channels.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.plugin.agents import agent_of

if TYPE_CHECKING:
    from pytest_tfoidc.events import Event
    from pytest_tfoidc.plugin.run import PytestRun
    from pytest_tfoidc.plugin.screen import Screen
    from pytest_tfoidc.reporting.eventlines import EventFile, Follower
    from pytest_tfoidc.reporting.progress import Progress

SPOOL = "tfoidc_events"  # what the workers of pytest-xdist are told
RUN_ID = "tfoidc_run"
JOIN_SECONDS = 2.0
SPOOL_PAUSE = 0.5
PHASES = ("setup", "call", "teardown")
WORST = ("passed", "skipped", "failed")
LONGEST = 20_000  # characters of a failure


@dataclass(frozen=True, kw_only=True)
class SoFar:
    """The phases of a test so far. `words`: the first line of `failure`."""

    outcome: str = WORST[0]
    seconds: float = 0.0
    words: str = ""
    failure: str = ""

    def after(self, report: Any) -> SoFar:  # noqa: ANN401 - pytest's or xdist's
        """Return what it is after one more phase."""
        failed = report.outcome == "failed"
        return SoFar(
            outcome=max(self.outcome, report.outcome, key=WORST.index),
            seconds=self.seconds + report.duration,
            words=self.words or first_words(report),
            failure=self.failure or (whole_words(report) if failed else ""),
        )


class Watching:
    """Watches one pytest process.

    Args:
        run: The run.
        config: pytest's configuration.

    Raises:
        UsageError: A file cannot be written.
    """

    def __init__(self, run: PytestRun, config: pytest.Config) -> None:
        self._run = run
        self._config = config
        self._input: dict[str, Any] = getattr(config, "workerinput", {})
        self._id = str(self._input.get(RUN_ID) or secrets.token_hex(4))
        self._worker = str(self._input.get("workerid", ""))
        self._sink = self._opened()
        self._agent = None if self._input else agent_of(run, config)
        if self._agent is not None:
            config.pluginmanager.register(self._agent, "tfoidc-agent")
        self._screen: Screen | None = None
        self._spool: Path | None = None
        self._followed: dict[str, Follower] = {}
        self._outcomes: dict[str, SoFar] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._looking = threading.RLock()
        self._is_paused = False
        self.told: list[str] = []

    def _opened(self) -> EventFile | None:
        """Open the files at the start, so that what is wrong with them is said there."""
        settings = self._run.settings
        if self._input:
            path = (
                Path(self._input[SPOOL]) / f"{self._worker}.jsonl" if SPOOL in self._input else None
            )
            if path is None or not path.parent.is_dir():  # another machine's
                return None
            return self._headed(path)
        if settings.reports:
            from pytest_tfoidc.reporting.evidence import require_report  # noqa: PLC0415 - not in every run

            for path in settings.reports:
                require_report(path, "--tf-report")
        if settings.events is None and not settings.reports:
            return None
        return self._headed(settings.events)

    def _headed(self, path: Path | None) -> EventFile:
        from pytest_tfoidc.reporting import eventlines  # noqa: PLC0415 - not in every run

        keeps = not self._input and bool(self._run.settings.reports)
        file = eventlines.EventFile(path, option="--tf-events", keeps=keeps)
        head = eventlines.header(self._id, self._worker)
        file.write(eventlines.as_line(head, self._run.redactor.redact))
        return file

    def notice(self, event: Event) -> None:
        """Take in an event of this process's session."""
        from pytest_tfoidc.events import CommandStarted  # noqa: PLC0415 - not in every run

        self._write(event)
        if self._screen is not None:
            self._progress.notice(event)
            if isinstance(event, CommandStarted):
                self._start(self._screen.pause)

    def _write(self, event: Event, worker: str = "") -> None:
        if self._sink is None:
            return
        from pytest_tfoidc.reporting import eventlines  # noqa: PLC0415 - not in every run

        record = eventlines.record_of(event, run=self._id, worker=worker or self._worker)
        self._sink.write(eventlines.as_line(record, self._run.redactor.redact))

    def describe(self, text: str) -> None:
        """Note which Terraform and which context this run has."""
        from pytest_tfoidc.events import RunDescribed  # noqa: PLC0415 - not in every run

        self._write(RunDescribed(at=real_now(), text=text))

    # The screen

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Find out where progress can be shown."""
        period = self._run.settings.progress
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if self._input or reporter is None or not period or self._config.option.collectonly:
            return
        if self._config.get_verbosity() < 0 and not self._run.settings.wants_progress:
            return
        from pytest_tfoidc.plugin.screen import Screen, wants_live  # noqa: PLC0415 - not in every run

        with contextlib.suppress(OSError, AttributeError, ValueError):
            self._screen = Screen(
                reporter,
                period=period.total_seconds(),
                redact=self._clean,
                environment=os.environ,
                live=wants_live(self._config),
            )

    def _clean(self, text: str) -> str:
        return self._run.redactor.clean(text)

    @functools.cached_property
    def _progress(self) -> Progress:
        from pytest_tfoidc.reporting.progress import Progress  # noqa: PLC0415 - not in every run

        return Progress()

    def _quiet(self) -> contextlib.AbstractContextManager[None]:
        return self._screen.quiet() if self._screen is not None else contextlib.nullcontext()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> Generator[None, object, object]:
        """Let pytest write; note that a test began."""
        if not self._input and self._sink is not None:
            from pytest_tfoidc.events import ItemStarted  # noqa: PLC0415 - not in every run

            self._write(ItemStarted(at=real_now(), item=nodeid))
        with self._quiet():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> Generator[None, object, object]:  # noqa: ANN401 - pytest's or xdist's
        """Let pytest write; note how a test ended."""
        with self._quiet():
            told = yield
        if not self._input:
            self._take_report(report)
        return told

    def pytest_enter_pdb(self) -> None:
        """Leave the screen to the debugger."""
        self._is_paused = True
        with self._quiet():
            pass

    def pytest_leave_pdb(self) -> None:
        """Go on."""
        self._is_paused = False

    def _take_report(self, report: Any) -> None:  # noqa: ANN401 - pytest's or xdist's
        if self._sink is None and self._agent is None:
            return
        if report.outcome not in WORST:  # pytest-rerunfailures' "rerun": it begins anew
            self._outcomes.pop(report.nodeid, None)
            return
        so_far = self._outcomes.get(report.nodeid, SoFar()).after(report)
        self._outcomes[report.nodeid] = so_far
        if self._agent is not None and report.outcome == "failed":
            self._agent.take_failure(report, so_far.words)
        if report.when in PHASES[:-1]:
            return
        del self._outcomes[report.nodeid]
        from pytest_tfoidc.events import ItemFinished  # noqa: PLC0415 - not in every run

        brought = dict(getattr(report, "tfoidc", None) or {})
        event = ItemFinished(
            at=real_now(),
            item=report.nodeid,
            outcome=so_far.outcome,
            seconds=round(so_far.seconds, 3),
            words=so_far.words,
            failure=so_far.failure,
            module=str(brought.pop("module", "")),
            evidence=brought,
        )
        self._write(event, worker=str(getattr(report, "worker_id", "")))
        if self._agent is not None:
            self._agent.take(event)
            self._agent.take_row(report)

    # Workers of pytest-xdist

    def tell_worker(self, workerinput: dict[str, object]) -> None:
        """Tell a worker where its events go."""
        settings = self._run.settings
        is_wanted = bool(settings.modules or settings.wants_progress) and self._screen is not None
        if self._sink is None and not is_wanted:
            return
        if self._spool is None:
            self._spool = Path(tempfile.mkdtemp(prefix="tfoidc-events-"))
        workerinput[SPOOL], workerinput[RUN_ID] = str(self._spool), self._id
        self._start(SPOOL_PAUSE if self._screen is None else min(SPOOL_PAUSE, self._screen.pause))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Take in the last events of a worker, which runs nothing any more."""
        self._look()
        if self._screen is not None:
            self._progress.forget(str(node.gateway.id))

    def _look(self) -> None:
        """Take in what workers have written since."""
        if self._spool is None:
            return
        from pytest_tfoidc.reporting.eventlines import Follower  # noqa: PLC0415 - not in every run

        with self._looking:
            for file in sorted(self._spool.glob("*.jsonl")):
                follower = self._followed.setdefault(file.stem, Follower(file))
                for line in follower.lines():
                    self._take_line(line, file.stem)

    def _take_line(self, line: str, worker: str) -> None:
        from pytest_tfoidc.reporting import eventlines  # noqa: PLC0415 - not in every run

        record = eventlines.parsed(line)
        if record is None or "event" not in record:
            return
        if self._sink is not None:
            self._sink.write(line)
        event = eventlines.event_of(record)
        if self._screen is not None and event is not None:
            self._progress.notice(event, worker)

    # The thread

    def _start(self, pause: float) -> None:
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(
                target=self._tick_on, args=(pause,), name="tfoidc-progress", daemon=True
            )
            self._thread.start()

    def _tick_on(self, pause: float) -> None:
        while not self._stop.wait(pause):
            with contextlib.suppress(OSError):
                self._look()
            self._show()

    def _show(self) -> None:
        screen = self._screen
        if screen is None or self._is_paused:
            return
        try:
            screen.show(self._progress.running())
        except OSError:  # the terminal is gone: the tests go on
            self._screen = None
            screen.close()

    # The end

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Show nothing any more; write the reports before pytest writes its summary."""
        try:
            return (yield)
        finally:
            self._finish()

    def _finish(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
        screen, self._screen = self._screen, None
        if screen is not None:
            screen.close()
        self._look()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()
            self._write_reports(sink)
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)

    def _write_reports(self, sink: EventFile) -> None:
        settings = self._run.settings
        if self._input:
            return
        if settings.events is not None:
            self.told.append(f"events: {settings.events}")
        if not settings.reports:
            return
        from pytest_tfoidc.reporting.evidence import write_reports  # noqa: PLC0415 - not in every run

        failed = write_reports(sink.lines, settings.reports)
        for path in settings.reports:
            error = failed.get(path)
            told = f"report: {path}" if error is None else f"No report was written: {error}"
            self.told.append(told)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the files are."""
        for line in self.told:
            terminalreporter.line(f"tfoidc: {line}")
        for line in self._agent.lines() if self._agent is not None else ():
            terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """End, where pytest came to no end of its own."""
        self._finish()


def whole_words(report: Any) -> str:  # noqa: ANN401 - pytest's or xdist's
    """Return all that a report says of a failure, without its middle where it is long."""
    text = str(report.longrepr).strip("\n").rstrip()
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n… {len(text) - LONGEST} characters are left out here …\n{text[-half:]}"


def first_words(report: Any) -> str:  # noqa: ANN401 - pytest's or xdist's
    """Return the first line of what a report says of a failure, or of a skip."""
    if report.outcome == "passed" or report.longrepr is None:
        return ""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[-1]).partition("\n")[0]
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(getattr(crash, "message", "") or report.longrepr).strip()
    return text.partition("\n")[0]
