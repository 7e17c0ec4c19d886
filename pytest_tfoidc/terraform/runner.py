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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import python_terraform

from pytest_tfoidc.clock import Clock
from pytest_tfoidc.errors import TerraformTimeoutError
from pytest_tfoidc.events import CommandFinished, CommandStarted, EventLog
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.executable import Executable

Flag = python_terraform.IsFlagged
LineListener = Callable[[str], None]
GRACE_SECONDS = 30.0  # for Terraform to stop by itself after SIGINT
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
        return tuple(m for m in map(_as_message, self.stdout.splitlines()) if m is not None)

    @property
    def diagnostics(self) -> tuple[dict[str, Any], ...]:
        """What Terraform complained about, where it ran with -json."""
        return tuple(m["diagnostic"] for m in self.messages if "diagnostic" in m)

    @property
    def text(self) -> str:
        """Everything that was printed, as a person would have seen it. Not redacted."""
        lines = (_readable(line) for line in self.stdout.splitlines())
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
    ) -> None:
        super().__init__(working_dir=str(directory), terraform_bin_path=executable.argv[-1])
        self.executable = executable
        self.environment = dict(environment)
        self.module = module
        self.redactor = redactor
        self.timeout = timeout
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
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        """Run a command to its end, whatever its exit code.

        Args:
            command: The command and its subcommand, separated by a space.
            arguments: Positional arguments.
            environment: Variables for this call only.
            on_line: Is given every line of stdout as it is printed.
            options: Terraform's options, `_` for `-`; `Flag` for an option without a value.

        Raises:
            TerraformTimeoutError: The command took too long; it was interrupted, then killed.
            KeyboardInterrupt: After Terraform was interrupted once and has ended.
        """
        line = self.generate_cmd_string(command, *arguments, **options)[1:]
        self._events.emit(CommandStarted(at=self._clock.now(), command=command, module=self.module))
        started = time.monotonic()
        with subprocess.Popen(
            [*self.executable.argv, *line],
            cwd=self.working_dir,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches Terraform through us, once
        ) as child:
            out, err = _Drain(child.stdout, on_line), _Drain(child.stderr, None)
            try:
                self._wait(child, command, out, err)
            finally:
                _stop(child)
                out.finish(child)
                err.finish(child)
                seconds = time.monotonic() - started
                self._events.emit(
                    CommandFinished(
                        at=self._clock.now(),
                        command=command,
                        module=self.module,
                        exit_code=child.returncode,
                        seconds=seconds,
                    )
                )
        return Completed(
            command=command,
            exit_code=child.returncode,
            stdout=out.text,
            stderr=err.text,
            seconds=seconds,
        )

    def _wait(self, child: subprocess.Popen[bytes], command: str, out: _Drain, err: _Drain) -> None:
        try:
            child.wait(self.timeout)
        except KeyboardInterrupt:
            _interrupt(child)
            child.wait()  # a second Ctrl-C ends this wait, and the child is killed
            raise
        except subprocess.TimeoutExpired as error:
            _interrupt(child)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
            raise self._too_slow(command, out.text + err.text) from error

    def _too_slow(self, command: str, output: str) -> TerraformTimeoutError:
        return TerraformTimeoutError(
            f"`{self.executable.product.lower()} {command}` took longer than {self.timeout:g}s"
            " and was stopped.",
            where=self.module,
            cause="The time limit for one command was reached (--tf-timeout).",
            remedy="Look at what it was waiting for, or raise --tf-timeout.",
            output=self.redactor.redact(output),
        )


class _Drain:
    """Reads a stream to its end in a thread of its own."""

    def __init__(self, stream: IO[bytes] | None, on_line: LineListener | None) -> None:
        assert stream is not None  # noqa: S101 - for mypy: it is a pipe
        self._stream = stream
        self._on_line = on_line
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, name="tfoidc-drain", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(ValueError):  # the stream was closed under us by finish()
            for raw in self._stream:
                line = raw.decode("utf-8", "replace")
                self._lines.append(line)
                if self._on_line is not None:
                    self._on_line(line.rstrip("\r\n"))

    def finish(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for the stream's end; end whatever of the child's session still holds it open."""
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
    if child.poll() is None:
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
