"""Child processes: groups, signals, output, time limits, and what becomes of them when we die.

A child leads a group of its own, so that Ctrl-C reaches it through us, once. Its output goes to
files that have no name any more: a reader that vanishes does not end a Terraform in the middle of a
write, and a grandchild that keeps them open holds nobody up. Where we die, `lifeline` interrupts
it.

Each platform has its half:

- POSIX: a session of its own, SIGINT, SIGKILL, and a lifeline.
- Windows: a process group, CTRL_BREAK_EVENT, `taskkill /T`. It has no lifeline: a Terraform whose
  pytest was ended by force goes on by itself, and has to be looked for.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from pytest_tfoidc import lifeline
from pytest_tfoidc.clock import real_seconds, real_sleep

WINDOWS = sys.platform == "win32"
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # ask a process to end; not everywhere
PASSED_ON = (*STOPPING, "SIGQUIT", "SIGUSR1", "SIGUSR2")  # to a command that runs instead of us
OF_TERMINALS = ("SIGINT", "SIGQUIT")  # reach the whole foreground group
ORDERLY_SECONDS = 12.0  # for a group that was asked to end: more than agents give
DRAIN_SECONDS = 5.0  # for what a child has started to end after it
SETTLE_SECONDS = 0.5  # for providers that are ending to be gone
POLL_SECONDS = 0.02  # between two looks at what tells nobody that it has ended
SOONEST, LATEST = 0.002, 0.05  # seconds between two looks at a file that may grow
CHUNK = 1 << 16

LineListener = Callable[[str], None]


def signals_of(names: Sequence[str] = STOPPING) -> tuple[signal.Signals, ...]:
    """Return the signals of these names, as far as this platform has them."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def is_main_thread() -> bool:
    """Tell whether signal handlers can be set here."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def handled(
    handler: Callable[[int, FrameType | None], object], names: Sequence[str] = STOPPING
) -> Iterator[None]:
    """Handle what asks us to end while the block runs; put back what was before.

    A signal that our starter had ignored stays ignored, as with `nohup`. Outside the main thread
    nothing is changed: Python sets handlers there only.
    """
    before = {}
    if is_main_thread():
        for number in signals_of(names):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let what asks us to end wait until the block has ended: a child must not be lost track of."""
    came: list[int] = []
    try:
        with handled(lambda number, _frame: came.append(number)):
            yield
    finally:
        for number in came:
            signal.raise_signal(number)


class _Half(Protocol):
    """The parts that differ between the platforms."""

    def options(self) -> dict[str, object]:
        """Return what `Popen` is given, so that the child leads a group of its own."""

    def interrupt(self, process: subprocess.Popen[bytes]) -> None:
        """Ask the group to end."""

    def send(self, process: subprocess.Popen[bytes], number: int) -> None:
        """Pass a signal on to the group."""

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the group."""

    def is_empty(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether nothing of the group is left, the child reaped."""

    def holds(self, process: subprocess.Popen[bytes], files: Sequence[os.stat_result]) -> bool:
        """Tell whether something of the group has one of these files open."""


class PosixHalf:
    """Groups as POSIX has them; the child leads a session, so its id is the group's."""

    def options(self) -> dict[str, object]:
        """Return what makes the child lead a session."""
        return {"start_new_session": True}

    def interrupt(self, process: subprocess.Popen[bytes]) -> None:
        """Send SIGINT to the group."""
        self.send(process, signal.SIGINT)

    def send(self, process: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to the group; what has ended by now needs none."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Send SIGKILL to the group."""
        self.send(process, signal.SIGKILL)

    def is_empty(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether no process of the group is there."""
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # macOS says so of what has ended and was not reaped yet
            return process.returncode is not None
        return False

    def holds(self, process: subprocess.Popen[bytes], files: Sequence[os.stat_result]) -> bool:
        """Look through /proc; where there is none, think so."""
        if not Path("/proc/self/fd").exists():
            return True
        wanted = {(file.st_dev, file.st_ino) for file in files}
        return any(
            wanted & _open_files(entry)
            for entry in Path("/proc").glob("[0-9]*")
            if _group_of(int(entry.name)) == process.pid
        )


def _group_of(process: int) -> int:
    try:
        return os.getpgid(process)
    except OSError:
        return -1


def _open_files(process: Path) -> set[tuple[int, int]]:
    found = set()
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                file = link.stat()
                found.add((file.st_dev, file.st_ino))
    return found


class WindowsHalf:
    """Groups as Windows has them: they can be interrupted, and a tree can be ended."""

    def options(self) -> dict[str, object]:
        """Return what makes the child lead a process group."""
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)}

    def interrupt(self, process: subprocess.Popen[bytes]) -> None:
        """Send CTRL_BREAK: CTRL_C does not reach a group of its own. Go takes it for Ctrl-C."""
        self.send(process, getattr(signal, "CTRL_BREAK_EVENT", 1))

    def send(self, process: subprocess.Popen[bytes], number: int) -> None:
        """Send CTRL_BREAK for whatever asks to end: Windows has no other signal for a group."""
        with contextlib.suppress(OSError):
            process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", number))

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the child and what it has started."""
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=DRAIN_SECONDS,
                check=False,
            )
        with contextlib.suppress(OSError):
            process.kill()

    def is_empty(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether the child has ended: Windows does not tell of the rest of a group."""
        return process.poll() is not None

    def holds(self, process: subprocess.Popen[bytes], files: Sequence[os.stat_result]) -> bool:
        """Say no: Windows does not tell."""
        return bool(files) and process.poll() is None


def half() -> _Half:
    """Return this platform's half."""
    return WindowsHalf() if WINDOWS else PosixHalf()


class Output:
    """The output of a child, in a private file that has no name, followed line by line.

    Args:
        on_line: Is given every line as it comes, without its end, in a thread of its own.
    """

    def __init__(self, on_line: LineListener | None = None) -> None:
        self._on_line = on_line
        self._over = threading.Event()
        self._name: str | None = None
        self._reader = self.writer = -1
        self._rest = self._text = b""
        self._read = 0
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Make the file; nobody else may read it, and where the platform can, it has no name.

        Raises:
            OSError: There is no temporary folder.
        """
        self._reader, self._name = tempfile.mkstemp(prefix="tfoidc-output-")  # 0600
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self.writer = os.open(self._name, flags)
        except OSError:  # a umask that denies us our own files
            self.finish(keep=False)
            raise
        if not WINDOWS:  # which removes no file that is open
            self._unlink()

    def stat(self) -> os.stat_result:
        """Return what tells this file from others."""
        return os.fstat(self._reader)

    def give_up(self) -> None:
        """Close and remove the file: no child gets it."""
        with contextlib.suppress(OSError):
            os.close(self.writer)
        self.finish(keep=False)

    def follow(self) -> None:
        """Begin to read: the child was given the file."""
        os.close(self.writer)
        if self._on_line is not None:
            self._thread = threading.Thread(target=self._follow, name="tfoidc-output", daemon=True)
            self._thread.start()

    def finish(self, *, keep: bool = True) -> None:
        """Read what is left, and give the file up; what comes later is lost.

        Args:
            keep: Keep the text; it may be large.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._reader < 0:
            return
        if keep:
            os.lseek(self._reader, 0, os.SEEK_SET)
            self._text = b"".join(iter(lambda: os.read(self._reader, CHUNK), b""))
        os.close(self._reader)
        self._reader = -1
        self._unlink()

    def _unlink(self) -> None:
        if self._name is not None:
            with contextlib.suppress(OSError):
                Path(self._name).unlink()
            self._name = None

    @property
    def text(self) -> str:
        """The text that was printed."""
        return self._text.decode("utf-8", "replace")

    def _follow(self) -> None:
        pause = SOONEST
        while True:
            is_over = self._over.is_set()  # before reading: what is written until then is read
            if self._pump():
                pause = SOONEST
            elif is_over:
                break
            else:
                self._over.wait(pause)
                pause = min(pause * 2, LATEST)
        if self._rest:
            self._tell(self._rest)

    def _pump(self) -> bool:
        """Read what is there, and tell its lines; whether there was anything."""
        chunk = os.read(self._reader, CHUNK)
        if not chunk:
            return self._starts_again_where_emptied()
        self._read += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._tell(line)
        return True

    def _starts_again_where_emptied(self) -> bool:
        """Begin anew where a script has opened /dev/stdout again, which empties a file."""
        is_emptied = os.fstat(self._reader).st_size < self._read
        if is_emptied:
            os.lseek(self._reader, 0, os.SEEK_SET)
            self._read, self._rest = 0, b""
        return is_emptied

    def _tell(self, line: bytes) -> None:
        assert self._on_line is not None  # noqa: S101 - for mypy: nobody follows without it
        self._on_line(line.decode("utf-8", "replace").rstrip("\r"))


class Child:
    """A process in a group of its own, its output in files; a context manager.

    At the end of the block nothing of it is left: what still runs is killed, unless it was let go.

    Args:
        command: The program and its arguments.
        directory: Where it runs.
        environment: Its whole environment.
        on_line: Is given every line of its standard output as it is printed.
        keep_output: False leaves standard output to `on_line`: it may be large.
        standard_input: What it reads; empty for nothing.
        shared: Descriptors that it inherits: locks that are to end with it, too. POSIX only.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        command: Sequence[str],
        *,
        directory: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        on_line: LineListener | None = None,
        keep_output: bool = True,
        standard_input: str = "",
        shared: Sequence[int] = (),
    ) -> None:
        self._input = standard_input.encode()
        self.command = tuple(command)
        self.out, self.err = Output(on_line), Output()
        self._half = half()
        self._options: dict[str, object] = {
            "cwd": directory,
            "env": None if environment is None else dict(environment),
        }
        if shared and not WINDOWS:
            self._options["pass_fds"] = tuple(shared)
        self._keeps = keep_output
        self._lock = threading.Lock()
        self._is_interrupted = self._is_let_go = False
        self._process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The process id, and the group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None before its end, or where it was let go."""
        return None if self._is_let_go or not self.has_begun else self._process.returncode

    @property
    def is_interrupted(self) -> bool:
        """Whether it was asked to end."""
        return self._is_interrupted

    def __enter__(self) -> Child:
        """Start it, and begin to follow its output.

        Raises:
            OSError: It cannot be started.
        """
        try:
            with deferred():
                self._process = self._started()
                lifeline_of(os.getpid()).began(self.pid)
                self.out.follow()
                self.err.follow()
        except BaseException:  # we were interrupted, or no thread can be started any more
            if self.has_begun:
                self.__exit__()
            raise
        return self

    @property
    def has_begun(self) -> bool:
        """Whether it could be started."""
        return hasattr(self, "_process")

    def _started(self) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as stack, _to_read(self._input) as given:
            for output in (self.out, self.err):
                output.open()
                stack.callback(output.finish, keep=False)
                stack.callback(os.close, output.writer)
            process = _start(
                self.command,
                self._half.options(),
                **self._options,
                stdin=given,
                stdout=self.out.writer,
                stderr=self.err.writer,
            )
            stack.pop_all()
        return process

    def __exit__(self, *_: object) -> None:
        """Let nothing of it be left running, and read the rest of the output."""
        if self._is_let_go:
            self._process.returncode = self._process.returncode or 0  # or Python complains of it
        else:
            self._end()
            lifeline_of(os.getpid()).ended(self.pid)
        self.out.finish(keep=self._keeps)
        self.err.finish()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; return whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def has_ended(self) -> bool:
        """Look whether it has ended."""
        return self._process.poll() is not None

    def interrupt(self) -> bool:
        """Ask its group to end, once: Terraform gives up its state on a second interrupt."""
        with self._lock:
            if self._is_interrupted or self.has_ended():
                return False
            self._is_interrupted = True
            lifeline_of(os.getpid()).interrupted(self.pid)
            self._half.interrupt(self._process)
            return True

    def kill(self) -> None:
        """End its group."""
        self._half.kill(self._process)

    def let_go(self) -> None:
        """Leave it running after us: it was interrupted, and is writing down what it has done."""
        self.interrupt()
        self._is_let_go = not self.has_ended()

    @property
    def is_let_go(self) -> bool:
        """Whether it may run on after us."""
        return self._is_let_go

    def _end(self) -> None:
        """End it, and what of its group has no business any more: not a user's own daemon."""
        if not self.has_ended():
            self.kill()
            self.wait()
        code = self._process.returncode
        if code < 0 and code != -signal.SIGINT:  # it could not end its own children
            self.kill()
        elif not self.wait_for_group(SETTLE_SECONDS) and (
            self._is_interrupted or self._half.holds(self._process, self._files())
        ):
            self.wait_for_group(DRAIN_SECONDS)
            self.kill()

    def _files(self) -> list[os.stat_result]:
        return [output.stat() for output in (self.out, self.err)]

    def wait_for_group(self, seconds: float) -> bool:
        """Wait until nothing of its group is left; return whether it is so."""
        return _wait_until(lambda: self._half.is_empty(self._process), seconds)


@contextlib.contextmanager
def _to_read(given: bytes) -> Iterator[int | IO[bytes]]:
    """Yield what a child reads these bytes from: a file without a name."""
    if not given:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file


def _start(
    command: Sequence[str], group: Mapping[str, object], **options: object
) -> subprocess.Popen[bytes]:
    arguments = {**group, **options}
    return subprocess.Popen(list(command), **arguments)  # type: ignore[call-overload,no-any-return] # what a half says


def _wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    end = real_seconds() + seconds
    while not is_so():
        if real_seconds() >= end:
            return False
        real_sleep(POLL_SECONDS)
    return True


class Foreground:
    """A command that runs instead of us: its streams are ours, signals are passed on to it.

    A context manager: in its block, what asks us to end does not end us. A signal that comes before
    the command keeps it from being started.
    """

    def __init__(self) -> None:
        self._half = half()
        self._came: list[int] = []
        self._passed = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._shares_terminal = _is_foreground()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Foreground:
        """Begin to take signals."""
        self._stack.enter_context(handled(self._take, PASSED_ON))
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was done with signals before."""
        self._stack.close()

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run the command, and return its exit code as a shell does.

        Raises:
            OSError: It cannot be started.
        """
        if self._came:
            return 128 + self._came[0]
        # In a terminal it stays in our group: it may read from the terminal, and Ctrl-C reaches it.
        options = {} if self._shares_terminal else self._half.options()
        process = self._process = _start(command, options, env=dict(environment))
        if not self._shares_terminal:
            lifeline_of(os.getpid()).began(process.pid)
        self._pass_on()
        code = process.wait()
        if self._came and not self._shares_terminal:
            _wait_until(lambda: self._half.is_empty(process), ORDERLY_SECONDS)
        if not self._shares_terminal:
            lifeline_of(os.getpid()).ended(process.pid)
        return code if code >= 0 else 128 - code

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)
        self._pass_on()

    def _pass_on(self) -> None:
        """Send what has come and was not sent yet."""
        while self._process is not None and self._passed < len(self._came):
            number = self._came[self._passed]
            self._passed += 1
            if not self._shares_terminal:
                self._half.send(self._process, number)
            elif number not in signals_of(OF_TERMINALS):
                self._send_to_own_group(number)

    def _send_to_own_group(self, number: int) -> None:
        before = signal.signal(number, signal.SIG_IGN)
        try:
            os.killpg(0, number)
        finally:
            signal.signal(number, before)


def _is_foreground() -> bool:
    """Tell whether a terminal's Ctrl-C reaches our group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except (OSError, AttributeError):  # there is no terminal, or this is Windows
        return False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A short command that has ended. `exit_code`: None where it took too long and was killed."""

    exit_code: int | None
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


def require_startable() -> None:
    """Make what a child needs before it starts, and remove it again.

    Raises:
        OSError: This machine has no more files for us, or no place for them.
    """
    outputs = (Output(), Output())
    try:
        for output in outputs:
            output.open()
        for end in os.pipe():
            os.close(end)
    finally:
        for output in outputs:
            output.give_up()


def run(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    directory: str | Path | None = None,
) -> Finished:
    """Run a short command to its end, or kill it when its time is over, with all it has started.

    Raises:
        OSError: It cannot be started.
    """
    with Child(command, environment=environment, directory=directory) as child:
        has_ended = child.wait(seconds)
    return Finished(
        exit_code=child.exit_code if has_ended else None,
        stdout=child.out.text,
        stderr=child.err.text,
    )


class Lifeline:
    """Has what we have started interrupted where we die; POSIX only. See `lifeline`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = WINDOWS

    def began(self, group: int) -> None:
        """Watch over a group of processes."""
        self._say(b"+", group)

    def interrupted(self, group: int) -> None:
        """Interrupt this group no more."""
        self._say(b"!", group)

    def ended(self, group: int) -> None:
        """Forget a group."""
        self._say(b"-", group)

    def _say(self, what: bytes, group: int) -> None:
        with self._lock, contextlib.suppress(OSError):  # without it everything else still works
            if self._is_closed:
                return
            if self._process is None:
                self._is_closed = True  # if it cannot be started, it is not tried again
                self._process = self._started()
                self._is_closed = False
            assert self._process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
            self._process.stdin.write(b"%s%d\n" % (what, group))

    def _started(self) -> subprocess.Popen[bytes]:
        atexit.register(self.close)
        return _start(
            [sys.executable, "-IS", lifeline.__file__, str(os.getpid())],
            PosixHalf().options(),
            bufsize=0,
            cwd="/",
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """Let it end: what still runs and was not interrupted is interrupted by that."""
        with self._lock:
            self._is_closed = True
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DRAIN_SECONDS)


_LIFELINES: dict[int, Lifeline] = {}
_LIFELINES_LOCK = threading.Lock()


def lifeline_of(process: int) -> Lifeline:
    """Return a process's lifeline: ours is not our forked child's."""
    with _LIFELINES_LOCK:
        if process not in _LIFELINES:
            _LIFELINES.clear()  # of whom we were forked from
            _LIFELINES[process] = Lifeline()
        return _LIFELINES[process]
