"""Running Terraform commands: streams drained live, a time limit, exactly one SIGINT."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pytest_tfoidc import processes, shortages
from pytest_tfoidc.clock import Clock, real_seconds
from pytest_tfoidc.diagnostics import before_diagnostics, few, read_diagnostic
from pytest_tfoidc.ending import Ending, LeftRunning
from pytest_tfoidc.errors import TerraformError, TerraformTimeoutError
from pytest_tfoidc.events import (
    AccessTokenIssued,
    CommandFinished,
    CommandStarted,
    Event,
    EventLog,
    ExchangeRefused,
    HostRefused,
    IdTokenFetchFailed,
    IdTokenRefused,
)
from pytest_tfoidc.processes import Child, LineListener
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.commandline import command_line
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.live.deployed import Deployed
from pytest_tfoidc.terraform.logfile import LEVELS, VARIABLE, redacted_log
from pytest_tfoidc.terraform.slots import USING, Slots
from pytest_tfoidc.terraform.steps import steps_of
from pytest_tfoidc.terraform.turning import TURNED, Turning

GRACE_SECONDS = 30.0  # for Terraform to stop by itself after SIGINT, and to write its state
READING_SECONDS = 5.0  # the same, where there is nothing to write
READING = frozenset(
    {"console", "get", "graph", "init", "output", "plan", "providers", "show", "validate"}
)
DEPLOYING = frozenset({"apply", "destroy"})  # `testrun` follows `test`
READING |= {"state list", "state pull", "state show", "version", "workspace list"}
MOST_TRIES = 6  # for a host that is refused; of one client, in half a minute
KILL_SECONDS = 5.0  # for it to stop after that
LOGGING = frozenset({VARIABLE, *LEVELS})
ASK_SECONDS = 60.0  # for what is asked beside a command
LOOK_SECONDS = 0.02  # between two looks at a Terraform and at the time that is left
BY_INTERRUPT = (-signal.SIGINT, 128 + signal.SIGINT)  # how scripts around Terraform end
NUMBERS = itertools.count(1)  # of commands, in this process
REFUSED_SECONDS = 10.0  # for Terraform to fail by itself, or to be accepted, after a refusal
EXPECTED_SECONDS = 2.0  # the same, where the refusal is what is to be shown
EXPECTED_KILL_SECONDS = 1.0  # for it to stop after that


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A command that ended. `stdout` and `stderr` are as printed: never show them unredacted."""

    command: str
    exit_code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    seconds: float

    @cached_property
    def messages(self) -> tuple[dict[str, Any], ...]:
        """The machine-readable lines of a command that ran with -json, without mere progress.

        What a provisioner prints is progress, and may be a million lines.
        """
        lines = (line[0] for line in LINE.finditer(self.stdout) if not is_progress(line[0]))
        return tuple(m for m in map(_as_message, lines) if m is not None)

    @property
    def diagnostics(self) -> tuple[dict[str, Any], ...]:
        """Terraform's diagnostics, where it ran with -json."""
        return tuple(m["diagnostic"] for m in self.messages if "diagnostic" in m)

    @property
    def log(self) -> tuple[str, ...]:
        """The lines that stand beside the diagnostics, as printed. Not redacted."""
        return log_end(self, self.stdout.count("\n") + 1)

    @property
    def text(self) -> str:
        """Everything that was printed, as a person would have seen it. Not redacted."""
        lines = (_readable(line) for line in self.stdout.removesuffix("\n").split("\n"))
        return "\n".join([*(line for line in lines if line is not None), self.stderr]).strip()


def log_end(done: Completed, count: int) -> tuple[str, ...]:
    """Return the last lines that stand beside the diagnostics, as printed. Not redacted."""
    if not done.messages:
        return tuple(before_diagnostics(done.stdout).splitlines()[-count:])
    most = count + len(done.messages)
    told = filter(None, map(_as_message, done.stdout.rsplit("\n", most)[-most:]))
    beside = [m for m in told if "diagnostic" not in m and m.get("type") != "version"]
    return tuple(str(message["@message"]) for message in beside[-count:])


LINE = re.compile(r"[^\n]+")
PROGRESS = ('"type":"provision_progress"', '"type":"apply_progress"')


def is_progress(line: str) -> bool:
    """Tell whether a line of JSON says only that something goes on."""
    return any(kind in line for kind in PROGRESS)


def _as_message(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "@message" in message else None


def _readable(line: str) -> str | None:
    message = _as_message(line)
    if message is None:
        return line
    if message.get("type") == "version":
        return None
    diagnostic = read_diagnostic(message.get("diagnostic") or {})
    return diagnostic.described if diagnostic else str(message["@message"])


def _completed(command: str, child: Child, seconds: float) -> Completed:
    return Completed(
        command=command,
        exit_code=exit_code_of(child),
        stdout=child.out.text,
        stderr=child.err.text,
        seconds=seconds,
    )


class Runner:
    """Terraform in one folder.

    Args:
        executable: What to run.
        directory: Where to run it.
        environment: The child's whole environment.
        events: Is told when a command starts and ends.
        clock: Tells the virtual time, for the events.
        redactor: Takes secrets out of messages.
        module: The module's name, for the events and the messages.
        timeout: The time limit for a command, in real seconds; None for none.
        refusals_are_final: Stop a command that keeps trying although Entra, the pipeline or the
            proxy has refused: on the stand-in nobody will change their mind, and old backends and
            azurerm try for many minutes.
        ending: Says whether somebody has asked this run to end, and what there is time for.
        deployed: Follows what is deployed and destroyed.
        slots: Bound how many workers deploy or destroy at once; None for any number.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        *,
        executable: Executable,
        directory: Path,
        environment: Mapping[str, str],
        events: EventLog,
        clock: Clock,
        redactor: Redactor,
        module: str,
        timeout: float | None = None,
        refusals_are_final: bool = False,
        ending: Ending | None = None,
        deployed: Deployed | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.directory = directory
        self.executable = executable
        self.environment = dict(environment)
        self.module = module
        self.redactor = redactor
        self.timeout = timeout
        self.refusals_are_final = refusals_are_final
        self._expects_refusal = False
        self.learn: Callable[[str, str], None] = lambda _command, _plan: None  # of secrets
        self.shared: tuple[int, ...] = ()  # descriptors of locks that end with the child, too
        self.ending = ending or Ending()
        self.deployed = deployed
        self._slots = slots
        self._events = events
        self._clock = clock

    def run(  # noqa: PLR0913 - settings, keyword only
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        on_line: LineListener | None = None,
        on_start: Callable[[RunningCommand], None] | None = None,
        keep_output: bool = True,
        standard_input: str = "",
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        """Run a command to its end, whatever its exit code.

        Args:
            command: The command and its subcommand, separated by a space.
            arguments: Positional arguments.
            environment: Variables for this call only.
            on_line: Is given every line of stdout as it is printed.
            on_start: Is given what interrupts the command when it is called, as soon as it runs.
            keep_output: False leaves stdout to `on_line`: it may be large.
            standard_input: What it reads.
            options: As `command_line` takes them.

        Raises:
            TerraformTimeoutError: The command took too long; it was interrupted, then killed.
            TerraformError: It kept trying after a refusal, and was stopped in the same way; or the
                run is ending, and there is no time to begin.
            KeyboardInterrupt: After Terraform was interrupted once and has ended, or the time
                for that was over; see `ending`.
        """
        learn = partial(self.learn, command, str(options.get("out", "")))
        with (
            self._turn(command),
            redacted_log(self.environment, self.redactor, folder=Path.cwd(), learn=learn) as log,
        ):
            return self._run(
                command,
                *arguments,
                environment={**(environment or {}), **log},
                on_line=on_line,
                on_start=on_start,
                keep_output=keep_output,
                standard_input=standard_input,
                **options,
            )

    @contextlib.contextmanager
    def _turn(self, command: str) -> Iterator[None]:
        """Wait for a slot, where they are bound, and make sure that there is still time."""
        slots = self._slots if command in USING else None
        with slots.one(self.ending) if slots else contextlib.nullcontext():
            if self.ending.has_to_stop:
                raise self._not_begun(command)
            yield

    def _run(  # noqa: PLR0913 - as above
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str],
        on_line: LineListener | None,
        on_start: Callable[[RunningCommand], None] | None,
        keep_output: bool,
        standard_input: str,
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        line = command_line(command, *arguments, **options)
        number = next(NUMBERS)
        on_line = self._following(command, on_line)
        if "json" in options and command in {*DEPLOYING, "plan", "test"}:
            on_line = both(self._steps(number, str(options.get("filter", ""))), on_line)
        self._started(command, number)
        started = real_seconds()
        child = Child(
            [*self.executable.argv, *line],
            directory=self.directory,
            environment={**self.environment, **environment},
            on_line=on_line,
            keep_output=keep_output,
            standard_input=standard_input,
            shared=self.shared,
        )
        watch = self._watch(child, command)
        is_final, notice = self.refusals_are_final, watch.notice
        heard = self._events.subscribed(notice) if is_final else contextlib.nullcontext()
        try:
            with (
                heard,  # what it is refused may be known before we wait for it
                child,
                self.ending.running(self._left(child, command), child.interrupt),
            ):
                self._attend(child, watch, on_start, command)
        except OSError as error:
            if child.has_begun:
                raise
            raise self._not_started(command, error) from error
        finally:
            seconds = real_seconds() - started
            if self.deployed is not None and command in DEPLOYING and not child.is_let_go:
                self.deployed.end()
            self._finished(command, exit_code_of(child), seconds, number)
        done = _completed(command, child, seconds)
        if watch.reason is not None:
            raise self._stopped(done, watch)
        return done

    def ask(self, *line: str) -> str:
        """Return what a short command prints, without a log and without events.

        It is for what has to be known before another command's log is passed on. Nothing where the
        command fails, or where there is no time.
        """
        if self.ending.has_to_stop:
            return ""
        quiet = {k: v for k, v in self.environment.items() if k not in LOGGING}
        try:
            done = processes.run(
                [*self.executable.argv, *line],
                environment=quiet,
                directory=self.directory,
                seconds=ASK_SECONDS,
            )
        except OSError:
            return ""
        return done.stdout if done.exit_code == 0 else ""

    def _steps(self, number: int, only: str) -> LineListener:
        return steps_of(self._events, clock=self._clock, number=number, only=only)

    def _not_begun(self, command: str) -> TerraformError:
        """Return what is raised where a run ends: no interrupt, so each clean-up gets its turn."""
        return TerraformError(
            f"`{self.executable.product.lower()} {command}` was not begun: there is no time.",
            where=self.module,
            cause=f"The run was asked to end: {', then '.join(self.ending.signals)}.",
        )

    def _not_started(self, command: str, error: OSError) -> TerraformError:
        where = f"{self.module}: {self.executable.argv[0]}"
        return TerraformError(
            f"`{self.executable.product.lower()} {command}` could not be started.",
            where=": ".join(filter(None, (where, str(error.filename or "")))),
            cause=error.strerror or str(error),
            remedy=shortages.start_remedy(error),
        )

    def _following(self, command: str, on_line: LineListener | None) -> LineListener | None:
        """Let what is deployed be followed, as well as what the caller wants to hear."""
        deployed = self.deployed
        if deployed is None or command not in {*DEPLOYING, "plan"}:
            return on_line
        if command in DEPLOYING:
            deployed.begin()
        else:  # what an older plan wanted is no more
            deployed.end()
        return both(deployed.read, on_line)

    def _attend(
        self,
        child: Child,
        watch: _Watch,
        on_start: Callable[[RunningCommand], None] | None,
        command: str,
    ) -> None:
        """Wait for the end of a command, and see to it that it has one."""
        try:
            with watch:
                if on_start is not None:
                    on_start(RunningCommand(child))
                if self.ending.is_asked:
                    self._wait_in_order(child)
                else:
                    child.wait()
        except BaseException as error:
            child.interrupt()
            is_asked = isinstance(error, KeyboardInterrupt)
            self._wait_in_order(child, None if is_asked else watch.grace)
            raise
        finally:
            if self.ending.is_over and self.ending.is_real and not child.has_ended():
                child.let_go()
                self.ending.left_running.append(self._left(child, command))

    def _left(self, child: Child, command: str) -> LeftRunning:
        return LeftRunning(command=command, module=self.module, process=child.pid)

    def _wait_in_order(self, child: Child, seconds: float | None = None) -> None:
        """Wait for a command that ends by itself, for as long as there is time.

        Raises:
            KeyboardInterrupt: There is no time any more, and it had not been interrupted before.
        """
        ending, end = self.ending, real_seconds() + (seconds or float("inf"))
        with ending.waiting():
            while not child.wait(LOOK_SECONDS):
                if ending.has_to_stop:
                    child.interrupt()
                if ending.is_over or real_seconds() > end:
                    return
            if child.exit_code in BY_INTERRUPT:  # a script; Terraform itself says 1
                child.wait_for_group(min(GRACE_SECONDS, ending.seconds_left))

    @contextlib.contextmanager
    def expecting_refusal(self) -> Iterator[None]:
        """Stop commands soon after a refusal: older clients wait for a quarter of a minute."""
        self._expects_refusal = True
        try:
            yield
        finally:
            self._expects_refusal = False

    def _watch(self, child: Child, command: str) -> _Watch:
        writes = command not in READING and self.ending.is_real
        grace = GRACE_SECONDS if writes else READING_SECONDS
        watch = _Watch(child, self.timeout, grace=grace)
        if self._expects_refusal:
            watch.after_refusal = (EXPECTED_SECONDS, EXPECTED_KILL_SECONDS)
        return watch

    def _started(self, command: str, number: int) -> None:
        event = CommandStarted(
            at=self._clock.now(), command=command, module=self.module, number=number
        )
        self._events.emit(event)

    def _finished(self, command: str, exit_code: int, seconds: float, number: int) -> None:
        self._events.emit(
            CommandFinished(
                at=self._clock.now(),
                command=command,
                module=self.module,
                exit_code=exit_code,
                seconds=seconds,
                number=number,
            )
        )

    def _stopped(self, done: Completed, watch: _Watch) -> TerraformError:
        what = f"`{self.executable.product.lower()} {done.command}`"
        reason = "" if watch.reason == TOO_SLOW else str(watch.reason)
        output = self.redactor.clean(f"{done.text}\n{reason}")
        if watch.reason == TOO_SLOW:
            return TerraformTimeoutError(
                f"{what} took longer than {self.timeout:g}s and was stopped: {watch.story}.",
                where=self.module,
                cause=f"The time limit for one command was reached (--tf-timeout){_left_at(done)}.",
                remedy="Look at what it was waiting for, or raise --tf-timeout.",
                output=output,
                exit_code=done.exit_code,
            )
        if reason.startswith(TURNED):
            return TerraformError(
                f"{what} was stopped: it asked the same thing again and again.",
                where=self.module,
                cause=reason,
                remedy="Look at what it waits for there, and at what came before: what a call has"
                " left behind that failed is in no state.",
                output=self.redactor.redact(done.text),
                exit_code=done.exit_code,
            )
        return TerraformError(
            f"{what} was stopped: it kept trying although it had been refused.",
            where=self.module,
            output=output,
            exit_code=done.exit_code,
        )


def _left_at(done: Completed) -> str:
    """Say what a command was at that was stopped."""
    started: dict[str, None] = {}
    for message in done.messages:
        hook = message.get("hook")
        address = (
            str((hook.get("resource") or {}).get("addr", "")) if isinstance(hook, dict) else ""
        )
        if message.get("type") == "apply_start":
            started[address] = None
        elif message.get("type") == "apply_complete":
            started.pop(address, None)
    left = few(tuple(filter(None, started)))
    return f"; it was at {left}" if left else ""


def both(first: LineListener, second: LineListener | None) -> LineListener:
    """Return what hands every line to both."""
    if second is None:
        return first
    listener = second

    def listen(line: str) -> None:
        first(line)
        listener(line)

    return listen


def exit_code_of(child: Child) -> int:
    """Return the exit code; that of an interrupt for what was let go, or never began."""
    return -signal.SIGINT if child.exit_code is None else child.exit_code


class RunningCommand:
    """A command that runs; calling it interrupts the command, once."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def __call__(self) -> None:
        """Interrupt the command."""
        self._child.interrupt()

    @property
    def process(self) -> int:
        """The process id, and the group's."""
        return self._child.pid

    def abandon(self, *, is_real: bool) -> None:
        """Wait no more: let it end in order where it writes down what is real, else kill it."""
        if is_real:
            self._child.let_go()
        else:
            self._child.kill()


TOO_SLOW = "too slow"


class _Watch:
    """Stops a child that is too slow, or that goes on after it was refused."""

    def __init__(self, child: Child, timeout: float | None, *, grace: float) -> None:
        self._child = child
        self.grace = grace
        self._was_killed = False
        self._is_over = False
        self._timers: list[threading.Timer] = []
        self._refused: threading.Timer | None = None
        self._timeout = timeout
        self._hosts: Counter[str] = Counter()
        self._turning = Turning(lambda reason: self._start(0, reason, KILL_SECONDS))
        self.reason: str | None = None
        self.after_refusal = (REFUSED_SECONDS, KILL_SECONDS)

    def __enter__(self) -> _Watch:
        if self._timeout is not None:
            self._start(self._timeout, TOO_SLOW, self.grace)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        for timer in self._timers:
            timer.cancel()

    def notice(self, event: Event) -> None:
        """Allow the child a few seconds after a refusal; let it go on if it is accepted later."""
        if self._is_over:
            return
        if isinstance(event, AccessTokenIssued) and self._refused is not None:
            self._refused.cancel()
            self._refused = None
        if isinstance(event, HostRefused):
            self._count(event.host)
        self._turning.notice(event)
        refusal = _refusal(event)
        if refusal and self._refused is None:
            seconds, grace = self.after_refusal
            self._refused = self._start(seconds, refusal, grace)

    def _count(self, host: str) -> None:
        """Stop a child that comes back for a host again and again: azurerm does so for an hour."""
        self._hosts[host] += 1
        if self._hosts[host] == MOST_TRIES:
            reason = f"refused by tfoidc, {MOST_TRIES} times: {host} is not played by the stand-in"
            self._start(0, f"{reason} (--tf-allow-host lets it through)", KILL_SECONDS)

    def _start(self, seconds: float, reason: str, grace: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._stop, [reason, grace])
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return timer

    def _stop(self, reason: str, grace: float) -> None:
        if self.reason is None and self._child.has_begun and self._child.interrupt():
            self.reason = reason
            kill = threading.Timer(grace, self._kill)
            kill.daemon = True
            self._timers.append(kill)
            kill.start()

    def _kill(self) -> None:
        self._was_killed = True
        self._child.kill()

    @property
    def story(self) -> str:
        """The story of the child after its time was over."""
        if self._was_killed:
            return f"it was interrupted, had not ended {self.grace:g}s later, and was killed"
        return "it was interrupted, and ended by itself"


def _refusal(event: Event) -> str:
    if isinstance(event, ExchangeRefused):
        return f"{event.code}: {event.reason}"
    if isinstance(event, IdTokenRefused):
        return f"The ID token endpoint answered with HTTP status {event.status}: {event.reason}"
    if isinstance(event, IdTokenFetchFailed):
        return event.reason
    return ""
