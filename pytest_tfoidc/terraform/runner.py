"""Running Terraform commands: streams drained live, a time limit, exactly one SIGINT.

Command lines are built by python-terraform; how they are run is ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import python_terraform

from pytest_tfoidc.clock import Clock
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
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.logfile import redacted_log

Flag = python_terraform.IsFlagged
LineListener = Callable[[str], None]
GRACE_SECONDS = 30.0  # for Terraform to stop by itself after SIGINT
MOST_TRIES = 6  # for a host that is refused; of one client, in half a minute
REFUSED_SECONDS = 4.0  # for Terraform to fail by itself after a refusal that nobody will take back
DRAIN_SECONDS = 5.0  # for what a child of Terraform may still hold open


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
        """The machine-readable lines of a command that ran with -json."""
        return tuple(m for m in map(_as_message, self.stdout.split("\n")) if m is not None)

    @property
    def diagnostics(self) -> tuple[dict[str, Any], ...]:
        """What Terraform complained about, where it ran with -json."""
        return tuple(m["diagnostic"] for m in self.messages if "diagnostic" in m)

    @property
    def text(self) -> str:
        """Everything that was printed, as a person would have seen it. Not redacted."""
        lines = (_readable(line) for line in self.stdout.removesuffix("\n").split("\n"))
        return "\n".join([*(line for line in lines if line is not None), self.stderr]).strip()


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
    diagnostic = message.get("diagnostic")
    return str(message["@message"]) if diagnostic is None else describe_diagnostic(diagnostic)


def describe_diagnostic(diagnostic: Mapping[str, Any]) -> str:
    """Write one of Terraform's diagnostics for people: severity, summary, place, detail."""
    severity = str(diagnostic.get("severity", "error")).capitalize()
    lines = [f"{severity}: {diagnostic.get('summary', '')}"]
    place = diagnostic.get("range")
    if place:
        lines.append(f"  on {place['filename']} line {place['start']['line']}")
    snippet = (diagnostic.get("snippet") or {}).get("code")
    if snippet:
        lines.append(f"    {snippet.strip()}")
    if diagnostic.get("detail"):
        lines.append(str(diagnostic["detail"]))
    return "\n".join(lines)


class Runner(python_terraform.Terraform):  # type: ignore[misc] # python-terraform has no types
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
    ) -> None:
        super().__init__(working_dir=str(directory), terraform_bin_path=executable.argv[-1])
        self.executable = executable
        self.environment = dict(environment)
        self.module = module
        self.redactor = redactor
        self.timeout = timeout
        self.refusals_are_final = refusals_are_final
        self._events = events
        self._clock = clock

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - never returns
        """Refuse unknown names: python-terraform would run them as commands."""
        raise AttributeError(name)

    def read_state_file(self, file_path: str | None = None) -> None:
        """Read nothing: python-terraform would load the cached backend configuration."""

    def cmd(self, cmd: str, *args: str, **kwargs: Any) -> tuple[int, str, str]:  # noqa: ANN401
        """Run a command as python-terraform's callers expect: exit code, stdout, stderr."""
        done = self.run(cmd, *args, **kwargs)
        return done.exit_code, done.stdout, done.stderr

    def run(
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        on_line: LineListener | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
        keep_output: bool = True,
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        """Run a command to its end, whatever its exit code.

        Args:
            command: The command and its subcommand, separated by a space.
            arguments: Positional arguments.
            environment: Variables for this call only.
            on_line: Is given every line of stdout as it is printed.
            on_start: Is given what interrupts the command, as soon as it runs.
            keep_output: False leaves stdout to `on_line`: it may be large.
            options: Terraform's options, `_` for `-`; `Flag` for an option without a value.

        Raises:
            TerraformTimeoutError: The command took too long; it was interrupted, then killed.
            TerraformError: It kept trying after a refusal, and was stopped in the same way.
            KeyboardInterrupt: After Terraform was interrupted once and has ended.
        """
        with redacted_log(self.environment, self.redactor, folder=Path.cwd()) as log:
            return self._run(
                command,
                *arguments,
                environment={**(environment or {}), **log},
                on_line=on_line,
                on_start=on_start,
                keep_output=keep_output,
                **options,
            )

    def _run(
        self,
        command: str,
        *arguments: str,
        environment: Mapping[str, str],
        on_line: LineListener | None,
        on_start: Callable[[Callable[[], None]], None] | None,
        keep_output: bool,
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        line = self.generate_cmd_string(command, *arguments, **options)[1:]
        self._events.emit(CommandStarted(at=self._clock.now(), command=command, module=self.module))
        started = time.monotonic()
        with subprocess.Popen(
            [*self.executable.argv, *line],
            cwd=self.working_dir,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches Terraform through us, once
        ) as child:
            out = _Drain(child.stdout, on_line, keep=keep_output)
            err = _Drain(child.stderr, None)
            try:
                with self._watched(child) as watch:
                    out.start()
                    err.start()
                    if on_start is not None:
                        on_start(partial(_interrupt, child))
                    child.wait()
            except BaseException as error:
                _pass_on(error, child)
                raise
            finally:
                _stop(child)
                out.finish(child)
                err.finish(child)
                seconds = time.monotonic() - started
                self._finished(command, child.returncode, seconds)
        done = Completed(
            command=command,
            exit_code=child.returncode,
            stdout=out.text,
            stderr=err.text,
            seconds=seconds,
        )
        if watch.reason is not None:
            raise self._stopped(done, watch.reason)
        return done

    def _finished(self, command: str, exit_code: int, seconds: float) -> None:
        self._events.emit(
            CommandFinished(
                at=self._clock.now(),
                command=command,
                module=self.module,
                exit_code=exit_code,
                seconds=seconds,
            )
        )

    @contextlib.contextmanager
    def _watched(self, child: subprocess.Popen[bytes]) -> Iterator[_Watch]:
        """Watch over a child; what it prints is read only after that, so that nothing is missed."""
        with _Watch(child, self.timeout) as watch, contextlib.ExitStack() as stack:
            if self.refusals_are_final:
                stack.enter_context(self._events.subscribed(watch.notice))
            yield watch

    def _stopped(self, done: Completed, reason: str) -> TerraformError:
        what = f"`{self.executable.product.lower()} {done.command}`"
        output = self.redactor.clean("\n".join([done.text, reason if reason != TOO_SLOW else ""]))
        if reason == TOO_SLOW:
            return TerraformTimeoutError(
                f"{what} took longer than {self.timeout:g}s and was stopped.",
                where=self.module,
                cause="The time limit for one command was reached (--tf-timeout).",
                remedy="Look at what it was waiting for, or raise --tf-timeout.",
                output=output,
                exit_code=done.exit_code,
            )
        return TerraformError(
            f"{what} was stopped: it kept trying although it had been refused.",
            where=self.module,
            output=output,
            exit_code=done.exit_code,
        )


def _pass_on(error: BaseException, child: subprocess.Popen[bytes]) -> None:
    """Pass on what interrupted us, once, and let the child end by itself.

    After Ctrl-C it has all the time that it needs; a second one ends the waiting, and it is killed.
    Anything else is a time limit of pytest-timeout, raised out of its signal.
    """
    _interrupt(child)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(None if isinstance(error, KeyboardInterrupt) else GRACE_SECONDS)


TOO_SLOW = "too slow"


class _Watch:
    """Stops a child that is too slow, or that goes on after it was refused."""

    def __init__(self, child: subprocess.Popen[bytes], timeout: float | None) -> None:
        self._child = child
        self._timers: list[threading.Timer] = []
        self._refused: threading.Timer | None = None
        self._timeout = timeout
        self._hosts: Counter[str] = Counter()
        self.reason: str | None = None

    def __enter__(self) -> _Watch:
        if self._timeout is not None:
            self._start(self._timeout, TOO_SLOW, GRACE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()

    def notice(self, event: Event) -> None:
        """Give the child a few seconds after a refusal; let it go on if it is accepted later."""
        if isinstance(event, AccessTokenIssued) and self._refused is not None:
            self._refused.cancel()
            self._refused = None
        if isinstance(event, HostRefused):
            self._count(event.host)
        refusal = _refusal(event)
        if refusal and self._refused is None:
            self._refused = self._start(REFUSED_SECONDS, refusal, DRAIN_SECONDS)

    def _count(self, host: str) -> None:
        """Stop a child that comes back for a host again and again: azurerm does so for an hour."""
        self._hosts[host] += 1
        if self._hosts[host] == MOST_TRIES:
            reason = f"refused by tfoidc, {MOST_TRIES} times: {host} is not played by the stand-in"
            self._start(0, f"{reason} (--tf-allow-host lets it through)", DRAIN_SECONDS)

    def _start(self, seconds: float, reason: str, grace: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._stop, [reason, grace])
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return timer

    def _stop(self, reason: str, grace: float) -> None:
        if self._child.poll() is None and self.reason is None:
            self.reason = reason
            _interrupt(self._child)
            kill = threading.Timer(grace, _signal_session, [self._child, signal.SIGKILL])
            kill.daemon = True
            self._timers.append(kill)
            kill.start()


def _refusal(event: Event) -> str:
    if isinstance(event, ExchangeRefused):
        return f"{event.code}: {event.reason}"
    if isinstance(event, IdTokenRefused):
        return f"The ID token endpoint answered with HTTP status {event.status}: {event.reason}"
    if isinstance(event, IdTokenFetchFailed):
        return event.reason
    return ""


class _Drain:
    """Reads a stream to its end in a thread of its own.

    It is made before it is started: a Ctrl-C at the start must not leave a reader nobody knows of.
    """

    def __init__(
        self, stream: IO[bytes] | None, on_line: LineListener | None, *, keep: bool = True
    ) -> None:
        assert stream is not None  # noqa: S101 - for mypy: it is a pipe
        self._stream = stream
        self._keep = keep
        self._on_line = on_line
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, name="tfoidc-drain", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # the stream was closed under us by finish()
            for raw in self._stream:
                line = raw.decode("utf-8", "replace")
                if self._keep:
                    self._lines.append(line)
                if self._on_line is not None:
                    self._on_line(line.rstrip("\r\n"))

    def finish(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for the stream's end; end whatever of the child's session still holds it open."""
        if self._thread.ident is None:  # we were interrupted before it began
            return
        self._thread.join(DRAIN_SECONDS)
        if self._thread.is_alive():
            _signal_session(child, signal.SIGKILL)
            self._thread.join(DRAIN_SECONDS)

    @property
    def text(self) -> str:
        """What was read so far."""
        return "".join(self._lines)


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing is left running, providers included."""
    if child.poll() is None or child.returncode < 0:  # it could not end its children itself
        _signal_session(child, signal.SIGKILL)
        child.wait()


def _signal_session(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def terraform_environment(outer: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Give the environment that every command of ours runs in, and what had to be said about it.

    Terraform neither asks questions nor calls home. A CLI configuration file that is not there
    would print a warning around machine-readable output, so its variable is left out.
    """
    variables = {**outer, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    notes = []
    config = variables.get("TF_CLI_CONFIG_FILE")
    if config and not Path(config).exists():
        del variables["TF_CLI_CONFIG_FILE"]
        notes.append(f"TF_CLI_CONFIG_FILE names {config}, which does not exist; it is ignored.")
    return variables, tuple(notes)
