"""Child processes: groups, one interrupt, output in files, grandchildren, and our own death."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_tfoidc import processes
from pytest_tfoidc.clock import real_seconds, real_sleep
from pytest_tfoidc.processes import Child, WindowsHalf, deferred, handled, run
from tests.signals_kit import default_signals

SECONDS = 30
COUNTS = """
import signal, sys, threading
from pathlib import Path
log = Path(sys.argv[1])
def note(*_):
    with log.open("a") as file:
        file.write("interrupted\\n")
signal.signal(signal.SIGINT, note)
print("ready", flush=True)
while not log.with_suffix(".end").exists():
    threading.Event().wait(0.02)
print("x" * 200_000, flush=True)
with log.open("a") as file:
    file.write("ended\\n")
"""
# Starts a grandchild in a session of its own, which keeps our output open, and ends.
ESCAPES = """
import subprocess, sys
wait = "import threading; threading.Event().wait(20)"
print(subprocess.Popen([sys.executable, "-c", wait], start_new_session=True).pid, flush=True)
"""
AS_BEFORE = """
import subprocess, sys, threading
with subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE) as child:
    threading.Thread(target=lambda: [print(line.decode(), flush=True) for line in child.stdout],
        daemon=True).start()
    child.wait()
"""
AS_NOW = """
import sys
from pytest_tfoidc.processes import Child
with Child([sys.executable, "-c", sys.argv[1]]) as child:
    child.wait()
print(child.out.text, flush=True)
"""


def python(script: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


def until(is_so: Callable[[], bool]) -> None:
    end = real_seconds() + SECONDS
    while not is_so():
        assert real_seconds() < end
        real_sleep(0.01)


def end(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def test_a_grandchild_that_keeps_our_output_open_holds_nobody_up() -> None:
    with subprocess.Popen(python(AS_NOW, ESCAPES), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            assert child.wait(10) == 0
            os.kill(grandchild, 0)  # it is there all the time: it left the group, and is a user's
        finally:
            end(grandchild)


def test_with_pipes_and_a_thread_that_reads_it_hangs_beyond_the_childs_end() -> None:
    """The control: `Popen.__exit__` closes a stream whose lock the reading thread holds."""
    with subprocess.Popen(python(AS_BEFORE, ESCAPES), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(3)
        finally:
            end(grandchild)
        assert child.wait(SECONDS) == 0


def test_output_has_no_name_and_nobody_else_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old = os.umask(0)
    try:
        with Child(python("import sys; sys.stdin.read(); print('done')")) as child:
            assert [stat.S_IMODE(s.st_mode) for s in child._files()] == [0o600, 0o600]
            assert list(tmp_path.iterdir()) == []
            child.wait()
    finally:
        os.umask(old)
    assert child.out.text == "done\n"


def test_lines_are_told_while_the_child_runs_and_waiting_costs_next_to_nothing() -> None:
    told: list[tuple[float, str]] = []
    script = "import time; print('one', flush=True); time.sleep(1.5); print('two', end='')"
    before = time.process_time()
    with Child(python(script), on_line=lambda line: told.append((real_seconds(), line))) as child:
        child.wait()
    used = time.process_time() - before
    assert [line for _, line in told] == ["one", "two"]
    assert told[1][0] - told[0][0] > 0.5
    assert used < 0.5  # of one and a half second; it is some milliseconds


def test_what_is_emptied_by_a_script_is_read_again_from_its_beginning(tmp_path: Path) -> None:
    told: list[str] = []
    seen = tmp_path / "seen"

    def listen(line: str) -> None:
        told.append(line)
        seen.touch()

    waits = f"while ! test -e '{seen}'; do sleep 0.05; done"
    script = f"echo a first line that is long; {waits}; echo 2nd > /dev/stdout; echo 3rd"
    with Child(["/bin/sh", "-c", script], on_line=listen) as child:
        child.wait()
    assert told == ["a first line that is long", "2nd", "3rd"]


def test_the_whole_group_is_interrupted_and_only_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ["/bin/sh", "-c", '"$@" & trap "" INT; wait', "sh", *python(COUNTS, log)]
    ready: list[str] = []
    with default_signals(), Child(command, on_line=ready.append) as child:
        until(lambda: bool(ready))
        assert child.interrupt()
        until(log.exists)
        assert [child.interrupt() for _ in range(3)] == [False] * 3
        log.with_suffix(".end").touch()
        assert child.wait(SECONDS)
    assert log.read_text() == "interrupted\nended\n"


def test_a_script_that_dies_of_the_interrupt_is_not_the_end_of_what_it_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ["/bin/sh", "-c", '"$@"; true', "sh", *python(COUNTS, log)]
    ready: list[str] = []
    with default_signals(), Child(command, on_line=ready.append) as child:
        until(lambda: bool(ready))
        child.interrupt()
        until(log.exists)
        log.with_suffix(".end").touch()
        assert child.wait(SECONDS)
        assert child.wait_for_group(SECONDS)
    assert log.read_text() == "interrupted\nended\n"


STARTS = """
import sys, threading
from pytest_tfoidc.processes import Child
started = threading.Event()
def told(_):
    started.wait()
    if sys.argv[3] == "interrupted":
        child.interrupt()
    print("running", flush=True)
with Child([sys.executable, "-c", sys.argv[1], sys.argv[2]], on_line=told) as child:
    started.set()
    child.wait()
"""


@pytest.mark.parametrize("before", ["interrupted", "not"])
def test_what_outlives_us_is_interrupted_exactly_once_and_ends_by_itself(
    tmp_path: Path, before: str
) -> None:
    log = tmp_path / "log"
    command = python(STARTS, COUNTS, log, before)
    with default_signals(), subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"running\n"
        parent.kill()
    until(log.exists)
    real_sleep(0.2)  # for a second one to come, if it did
    log.with_suffix(".end").touch()
    until(lambda: "ended" in log.read_text())
    assert log.read_text() == "interrupted\nended\n"


INTERRUPTED_WHILE_STARTING = """
import os, signal, subprocess, sys
from pytest_tfoidc import processes
real = processes._start
def start(command, group, **options):
    made = real(command, group, **options)
    if "stdin" in options and options["stdin"] == subprocess.DEVNULL:
        os.kill(os.getpid(), signal.SIGINT)
        print(made.pid, flush=True)
    return made
processes._start = start
try:
    with processes.Child([sys.executable, "-c", "import threading; threading.Event().wait(60)"]):
        print("not interrupted", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_child_is_not_lost_track_of_where_we_are_interrupted_while_it_starts() -> None:
    with default_signals():
        done = subprocess.run(
            python(INTERRUPTED_WHILE_STARTING),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    process, word = done.stdout.split()
    assert word == "interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


def test_a_short_command_is_killed_with_all_it_has_started() -> None:
    script = "sleep 60 & echo started; wait"
    started = real_seconds()
    done = run(["/bin/sh", "-c", script], seconds=0.5)
    assert real_seconds() - started < 10
    assert (done.exit_code, done.stdout) == (None, "started\n")
    assert run(["/bin/sh", "-c", "echo no >&2; exit 3"], seconds=SECONDS).exit_code == 3


def test_what_a_user_has_left_running_on_purpose_is_left_alone(tmp_path: Path) -> None:
    script = f"sleep 30 > '{tmp_path}/log' 2>&1 & echo $!"
    done = run(["/bin/sh", "-c", script], seconds=SECONDS)
    os.kill(int(done.stdout), 0)
    end(int(done.stdout))


def test_a_signal_that_was_ignored_stays_ignored_and_handlers_are_put_back() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    own = signal.getsignal(signal.SIGTERM)
    try:
        with handled(lambda number, _frame: came.append(number)):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) == own
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_deferred_signal_comes_after_the_block() -> None:
    came: list[str] = []
    with handled(lambda *_: came.append("handled")):
        with deferred():
            signal.raise_signal(signal.SIGTERM)
            came.append("block")
        assert came == ["block", "handled"]


def test_it_works_outside_the_main_thread_and_without_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(OSError, match="missing"):
        run(["true"], seconds=1)


EVERYTHING = """
import importlib, os, pkgutil, signal, sys
import pytest_tfoidc
def everything():
    for found in pkgutil.walk_packages(pytest_tfoidc.__path__, "pytest_tfoidc."):
        if found.name != "pytest_tfoidc.plugin.xdist" or "xdist" in sys.modules:
            importlib.import_module(found.name)
everything()  # with what of other packages it needs
for name in list(sys.modules):
    if name.partition(".")[0] == "pytest_tfoidc":
        del sys.modules[name]
"""
AS_WINDOWS = """
for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "pthread_sigmask"):
    delattr(signal, name)
for name in ("killpg", "getpgid", "getpgrp", "setsid", "tcgetpgrp", "fork", "getuid", "mkfifo"):
    delattr(os, name)
signal.SIGBREAK, signal.CTRL_BREAK_EVENT = signal.SIGABRT, signal.SIGTERM
sys.platform = "win32"
import pytest_tfoidc
everything()
from pytest_tfoidc import processes
from pytest_tfoidc.cli.main import main
assert processes.WINDOWS and isinstance(processes.half(), processes.WindowsHalf)
names = [number.name for number in processes.signals_of(processes.PASSED_ON)]
assert names == ["SIGINT", "SIGTERM", "SIGABRT"], names
with processes.Foreground():
    pass
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
"""
AS_MACOS = """
sys.platform = "darwin"
import pytest_tfoidc
everything()
from pytest_tfoidc import processes
real = processes.Path
processes.Path = lambda path: real("/nowhere") if str(path).startswith("/proc") else real(path)
assert processes.run([sys.executable, "-c", "print(1)"], seconds=30).stdout == "1\\n"
"""


@pytest.mark.parametrize("platform", [AS_WINDOWS, AS_MACOS], ids=["windows", "macos"])
def test_everything_imports_on_other_platforms(platform: str) -> None:
    done = subprocess.run(
        python(EVERYTHING + platform), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_check_of_other_platforms_can_fail() -> None:
    script = EVERYTHING + AS_WINDOWS.replace("import pytest_tfoidc\n", "signal.SIGHUP\n")
    done = subprocess.run(python(script), capture_output=True, text=True, timeout=60, check=False)
    assert "has no attribute 'SIGHUP'" in done.stderr


class FakeProcess:
    pid, returncode = 4711, None

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send_signal(self, number: int) -> None:
        self.sent.append(number)

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.sent.append(-1)


def test_on_windows_a_group_gets_ctrl_break_and_a_tree_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", 21, raising=False)
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    process, half = FakeProcess(), WindowsHalf()
    half.interrupt(process)  # type: ignore[arg-type] # as much of it as is used
    half.kill(process)  # type: ignore[arg-type] # the same
    assert process.sent == [21, -1]
    assert ran == [["taskkill", "/F", "/T", "/PID", "4711"]]
    assert half.options() == {"creationflags": 0x200}
    assert not half.is_empty(process)  # type: ignore[arg-type] # the same


def test_what_runs_long_is_described_for_both_platforms() -> None:
    assert "no lifeline" in textwrap.dedent(processes.__doc__ or "")
