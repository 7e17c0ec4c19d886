"""Running one test file with `terraform test -json`, and its results as they come in.

The runs of a file share their state and their order, so a file is one command. It is run in a
thread; whoever waits for a run gets its result as soon as Terraform has told it, and gets one
whatever becomes of Terraform.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.diagnostics import Diagnostic
from pytest_tfoidc.ending import LeftRunning
from pytest_tfoidc.errors import TerraformError, TfOidcError
from pytest_tfoidc.processes import LineListener
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.failures import in_users_places
from pytest_tfoidc.terraform.runner import (
    GRACE_SECONDS,
    LOOK_SECONDS,
    Completed,
    RunningCommand,
)
from pytest_tfoidc.terraform.tftest.events import TestEvent, read_line
from pytest_tfoidc.terraform.tftest.files import numbered
from pytest_tfoidc.terraform.tftest.options import TEARDOWN, TestOptions
from pytest_tfoidc.terraform.workspace import Workspace

Status = Literal["pass", "fail", "error", "skip"]
STATUSES: dict[str, Status] = {s: s for s in get_args(Status)}
ABANDON_SECONDS = 10.0  # for a Terraform that was killed to be gone
NOTED = frozenset({"test_run", "test_state", "test_plan"})  # may change what is deployed
# What Terraform tells of a run after it has told that the run is complete.
ATTACHED = frozenset({"diagnostic", "test_plan", "test_state"})


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The result of one run. `seconds`: as Terraform tells them; `changes`: in words.

    `cause` says why Terraform gave no outcome; it is empty where Terraform gave one.
    """

    file: str
    run: str
    status: Status
    seconds: float = 0.0
    diagnostics: tuple[Diagnostic, ...] = ()
    changes: str = ""
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """The result of a file, its teardown included.

    Attributes:
        file: The file, relative to the module.
        exit_code: Terraform's; None when it did not exit by itself.
        cause: Why it ended early, or badly for no reason that it told; empty otherwise.
        diagnostics: What belongs to no run: the file's own, and the teardown's.
        left_behind: Addresses of what was not destroyed: what Terraform could not destroy, or what
            had been deployed when it was killed.
        log: What a person would have seen.
    """

    file: str
    exit_code: int | None
    cause: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    left_behind: tuple[str, ...] = ()
    log: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_clean(self) -> bool:
        """Whether nothing but the runs' own outcomes is to be told."""
        errors = any(diagnostic.is_error for diagnostic in self.diagnostics)
        return not (errors or self.cause or self.left_behind)


@dataclass
class _Run:
    """The state of a run so far."""

    started: datetime | None = None
    is_started: bool = False
    ended: datetime | None = None
    status: str = ""
    is_settled: bool = False
    is_plan: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    changes: str = ""

    @property
    def is_told(self) -> bool:
        """Whether Terraform has told why, where it has to."""
        is_bad = self.status in {"fail", "error"}
        return bool(self.status) and (not is_bad or any(d.is_error for d in self.diagnostics))

    @property
    def seconds(self) -> float:
        if self.started is None or self.ended is None:
            return 0.0
        return max(0.0, (self.ended - self.started).total_seconds())


class FileRun:
    """One `terraform test` of one file, in a workspace that is initialized.

    Args:
        workspace: Where to run it.
        file: The file, relative to the module, with `/`.
        runs: The names of its runs.
        options: Terraform's options.
        on_start: Is told the name of each run as it starts, and `@teardown`; in the thread that
            reads Terraform's output.
    """

    def __init__(
        self,
        *,
        workspace: Workspace,
        file: str,
        runs: Sequence[str],
        options: TestOptions,
        on_start: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.file = file
        self._workspace = workspace
        self._options = options
        self._on_start = on_start
        self._runs = {name: _Run() for name in runs}
        self._seen: Counter[str] = Counter()
        self._condition = threading.Condition()
        self._result: FileResult | None = None
        self._running: RunningCommand | None = None
        self._deployed: dict[str, tuple[str, ...]] = {}  # by the run whose state it is
        self._is_stopped = False
        self._in_teardown = self._is_torn_down = False
        self._is_summed_up = False
        self._is_found = False
        self._diagnostics: list[Diagnostic] = []
        self._left_behind: list[str] = []
        self._log: list[str] = []
        self._defect = ""
        self._thread = threading.Thread(target=self._execute, name="tfoidc-test", daemon=True)

    def start(self) -> None:
        """Start Terraform."""
        self._thread.start()

    def wait(self, run: str) -> RunResult:
        """Wait for a run's result."""
        self._wait_for(lambda: self._runs[run].is_settled or self._result is not None)
        with self._condition:
            return self._outcome(run)

    def finish(self) -> FileResult:
        """Wait for the file's end, its teardown included.

        Whatever interrupts the waiting stops Terraform, once, and lets its teardown run for as long
        as there is time.
        """
        try:
            self._wait_for(lambda: self._result is not None)
        except BaseException as error:
            self.stop()
            is_asked = isinstance(error, KeyboardInterrupt)
            self._wait_for(lambda: self._result is not None, None if is_asked else GRACE_SECONDS)
            raise
        finally:
            if self._result is None:
                self.abandon()
        assert self._result is not None  # noqa: S101 - for mypy: it was waited for
        return self._result

    def _wait_for(self, is_so: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait until something is so, or there is no time any more; see `ending`."""
        ending = self._workspace.runner.ending
        if not ending.is_asked and seconds is None:
            with self._condition:
                self._condition.wait_for(is_so)
            return
        end = real_seconds() + (seconds or float("inf"))
        with ending.waiting(), self._condition:
            while not self._condition.wait_for(is_so, LOOK_SECONDS):
                if ending.has_to_stop:
                    self.stop()
                if ending.is_over or real_seconds() > end:
                    return

    def stop(self) -> None:
        """Interrupt Terraform, once: the current run ends, the others skip, teardown runs.

        A teardown that runs already is left alone: its scripts would get the interrupt as well, and
        what they were to destroy would stay.
        """
        with self._condition:
            if self._is_stopped or self._in_teardown or self._result is not None:
                return
            self._is_stopped = True
            if self._running is not None:
                self._running()

    def abandon(self) -> None:
        """Wait no more. What is real ends in order after us; else Terraform is killed."""
        self.stop()
        ending = self._workspace.runner.ending
        with self._condition:
            running = self._running if self._result is None else None
        if running is not None:
            running.abandon(is_real=ending.is_real)
        if not ending.is_real:
            self._thread.join(ABANDON_SECONDS)
        if running is not None and self._result is None:
            left = LeftRunning(
                command="test", module=self._workspace.module.name, process=running.process
            )
            if left not in ending.left_running:
                ending.left_running.append(left)
        self._end(exit_code=None, cause="Terraform was interrupted, and nobody waited for its end.")

    def errored_before(self, run: str) -> str:
        """Name the run before this one for which Terraform skipped it; empty if there is none."""
        with self._condition:
            for name, known in self._runs.items():
                if name == run:
                    break
                if known.status == "error":
                    return name
        return ""

    @property
    def log(self) -> tuple[str, ...]:
        """The log as a person would have seen it so far."""
        with self._condition:
            return tuple(self._log)

    @property
    def remaining(self) -> tuple[str, ...]:
        """Addresses of what is deployed as far as Terraform has told, without its teardown."""
        with self._condition:
            return self._remaining()

    def _remaining(self) -> tuple[str, ...]:
        """List what was deployed by the last states, and the run that has told of none.

        A run's state holds what the runs before it have deployed, unless it is another module's.
        """
        latest: list[tuple[str, ...]] = []
        for state in self._deployed.values():
            latest = [known for known in latest if not set(known) & set(state)] + [state]
        found = [address for state in latest for address in state]
        found += [
            f"what run {name!r} has deployed"
            for name, run in self._runs.items()
            if run.is_started and name not in self._deployed and not run.is_plan
        ]
        return tuple(dict.fromkeys(found))

    def _execute(self) -> None:
        exit_code, cause = None, ""
        try:
            done = self._run_terraform()
            exit_code, cause = done.exit_code, self._ending(done)
        except TfOidcError as error:
            cause = str(error)
            exit_code = error.exit_code if isinstance(error, TerraformError) else None
        except Exception as error:  # noqa: BLE001 - whoever waits must get an answer
            cause = f"`terraform test` could not be run: {error!r}"
        self._end(exit_code=exit_code, cause=cause)

    def _end(self, *, exit_code: int | None, cause: str) -> None:
        """Say what became of the file, unless it was said already."""
        with self._condition:
            if self._result is not None:
                return
            left = [*self._left_behind, *(() if self._is_torn_down else self._remaining())]
            self._result = FileResult(
                file=self.file,
                exit_code=exit_code,
                cause=cause,
                diagnostics=tuple(self._diagnostics),
                left_behind=tuple(dict.fromkeys(left)),
                log=tuple(self._log),
            )
            self._condition.notify_all()
            self._workspace.inventory.note_test(self.file, self._result.left_behind)

    def _run_terraform(self) -> Completed:
        workspace = self._workspace
        workspace.require_time(f"test {self.file}")
        workspace.lift_protection()  # Terraform destroys at the end of a file
        with workspace.test_recorded(self.file) as record:
            done = workspace.runner.run(
                "test",
                json=Flag,
                no_color=Flag,
                filter=self.file,
                on_line=lambda line: self._read(line, record),
                on_start=self._started,
                keep_output=False,
                environment=workspace.inputs.apply_environment,
                **self._arguments(),
                **workspace.variables.test_options(),
            )
        if workspace.setting.recorder is not None:
            name = f"test {self.file}"
            workspace.setting.recorder.took(workspace.module, name, done.seconds)
        return done

    def _arguments(self) -> dict[str, Any]:
        """Return the options; in a live context Terraform is to tell of all that it has made."""
        is_recorded = self._workspace.setting.recorder is not None
        options = dataclasses.replace(self._options, verbose=self._options.verbose or is_recorded)
        return options.arguments()

    def _started(self, running: RunningCommand) -> None:
        with self._condition:
            self._running = running
            if self._is_stopped:
                running()

    def _told(self, text: str) -> str:
        """Return a text without secrets, and with the paths of the module itself."""
        workspace = self._workspace
        text = workspace.setting.redactor.clean(text)
        return in_users_places(text, copy=workspace.path, module=workspace.configuration.path)

    def _read(self, line: str, record: LineListener) -> None:
        """Take a line in. Nothing may escape: Terraform blocks when nobody reads."""
        redact = self._told
        try:
            record(line)
            event = read_line(line, redact=redact)
            self._log.append(redact(line) if event is None else event.text)
            if event is not None:
                event = replace(event, run=self._distinct(event))
                self._announce(event)
                with self._condition:
                    self._take(event)
                    if event.kind in NOTED and not self._is_torn_down:
                        self._workspace.inventory.note_test(self.file, self._remaining())
                    self._condition.notify_all()
        except Exception as error:  # noqa: BLE001 - as the docstring says; it is told at the end
            self._defect = self._defect or f"A line of Terraform's could not be used: {error!r}"

    def _distinct(self, event: TestEvent) -> str:
        """Return which run is meant where OpenTofu makes several of one name, one after another."""
        if event.kind == "test_run" and event.progress in {"", "starting"}:
            self._seen[event.run] += 1
        return numbered(event.run, self._seen[event.run])

    def _announce(self, event: TestEvent) -> None:
        if event.kind == "test_run" and event.progress == "starting":
            self._on_start(event.run)
        if event.kind == "test_file" and event.progress == "teardown":
            self._on_start(TEARDOWN)

    def _take(self, event: TestEvent) -> None:
        if event.kind not in ATTACHED:
            self._settle(all_of_them=event.kind in {"test_file", "test_summary"})
        run = self._runs.get(event.run)
        if event.kind == "test_abstract":
            self._is_found = self.file in event.found
        elif event.kind == "test_summary":
            self._is_summed_up = True
        elif event.kind == "test_file" and event.progress == "teardown":
            self._in_teardown = True
        elif event.kind == "test_file" and event.progress == "complete":
            self._is_torn_down = True
        elif event.kind == "test_run" and run is not None:
            _note_progress(run, event)
        self._left_behind.extend(event.left_behind)
        self._note_deployed(event, run)
        if event.changes and run is not None and self._options.verbose:
            run.changes = event.changes
        if event.diagnostic is not None:
            is_of_run = run is not None and not self._in_teardown
            (run.diagnostics if run and is_of_run else self._diagnostics).append(event.diagnostic)

    def _note_deployed(self, event: TestEvent, run: _Run | None) -> None:
        if run is not None and event.deployed is not None:
            self._deployed[event.run] = event.deployed
        if run is not None and event.kind == "test_plan":
            run.is_plan = True

    def _settle(self, *, all_of_them: bool) -> None:
        """Hand over the runs whose end is told: something else is being told now."""
        for run in self._runs.values():
            run.is_settled |= bool(run.status) and (all_of_them or run.is_told)

    def _ending(self, done: Completed) -> str:
        """Say what was wrong with Terraform's end; empty where its outcomes say all."""
        name = self._workspace.setting.executable.product
        if done.exit_code < 0:
            return f"{name} was killed by {_signal_name(-done.exit_code)}."
        if self._defect or any(diagnostic.is_error for diagnostic in self._diagnostics):
            return self._defect
        said = self._told(done.stderr.strip())
        if not self._is_summed_up:
            return f"{name} ended early, with exit code {done.exit_code}.\n{said}".strip()
        if not self._is_found:
            return f"{name} found no test file of this name (-filter={self.file})."
        is_explained = self._left_behind or any(r.status != "pass" for r in self._runs.values())
        if done.exit_code and not is_explained:
            return f"All runs passed, but {name} ended with exit code {done.exit_code}.\n{said}"
        return ""

    def _outcome(self, name: str) -> RunResult:
        run = self._runs[name]
        status, cause = self._status(run)
        return RunResult(
            file=self.file,
            run=name,
            status=status,
            seconds=run.seconds,
            diagnostics=tuple(run.diagnostics),
            changes=run.changes,
            cause=cause,
        )

    def _status(self, run: _Run) -> tuple[Status, str]:
        """Return a run's status. Without an outcome, it failed if it ran, else it is an error."""
        if run.status in STATUSES:
            return STATUSES[run.status], ""
        if run.status:
            return "error", f"Terraform gave an outcome that is not known: {run.status!r}."
        ended = self._result.cause if self._result else ""
        ended = ended or "Terraform ended and gave no outcome."
        if run.is_started:
            return "fail", f"{ended}\nThis run was running then."
        return "error", f"{ended}\nThis run had not started."


def _note_progress(run: _Run, event: TestEvent) -> None:
    if event.progress == "starting":
        run.is_started, run.started = True, event.at
    elif event.progress == "complete" or (not event.progress and event.status):
        run.ended, run.status = event.at, event.status or "unknown"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
