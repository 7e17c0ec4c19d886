"""`tfoidc mock -- CMD`: exit code, streams and signals are the command's."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.signals_kit import default_signals

TFOIDC = [sys.executable, "-m", "pytest_tfoidc.cli"]


def tfoidc(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TFOIDC, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def test_streams_and_exit_code_are_the_commands() -> None:
    script = (
        "import sys; print(sys.stdin.read().upper()); print('err', file=sys.stderr); sys.exit(7)"
    )
    done = tfoidc("mock", "--", sys.executable, "-c", script, text="in")
    assert (done.returncode, done.stdout, done.stderr) == (7, "IN\n", "err\n")


def test_the_command_sees_the_stand_ins_environment() -> None:
    script = "import os; print(os.environ['ARM_OIDC_REQUEST_URL'], os.environ['HTTPS_PROXY'])"
    url, proxy = tfoidc("mock", "--", sys.executable, "-c", script).stdout.split()
    assert url.startswith("http://127.0.0.1:")
    assert re.fullmatch(r"http://tfoidc:[\w-]+@127\.0\.0\.1:\d+", proxy)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    script = (
        "import signal, sys, threading\n"
        "stop = lambda n, _: sys.exit(n)\n"
        "signal.signal(signal.SIGINT, stop); signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True); threading.Event().wait(60)"
    )
    with (
        default_signals(),
        subprocess.Popen(
            [*TFOIDC, "mock", "--", sys.executable, "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) == number


def test_a_command_that_was_killed_ends_as_a_shell_says_it() -> None:
    script = "import os; os.kill(os.getpid(), 9)"
    assert tfoidc("mock", "--", sys.executable, "-c", script).returncode == 128 + 9


def test_a_command_that_is_not_there_is_one_clear_message() -> None:
    done = tfoidc("mock", "--", "no-such-command")
    assert done.returncode == 2
    assert "no-such-command cannot be started." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["mock"], ["nonsense"]])
def test_a_wrong_call_says_how_to_call_it(arguments: list[str]) -> None:
    done = tfoidc(*arguments)
    assert done.returncode == 2
    assert "usage: tfoidc" in done.stderr


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([*TFOIDC, "mock", "--", "true"], env=env, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


GUID = "7e57ab1e-0000-4000-8000-000000000001"
GROUP = """
trap 'wait; echo parent >> "$1"; exit 9' TERM
sh -c "trap 'echo child >> $1; exit 0' TERM; echo ready; while :; do sleep 0.05; done" &
wait
"""


@pytest.mark.parametrize("command", ["mock", "relay"])
def test_the_whole_group_of_the_command_gets_a_signal(tmp_path: Path, command: str) -> None:
    log = tmp_path / "log"
    script = GROUP.replace("$1", str(log))
    options = ["--id-token-command=echo", "--context=command"] if command == "relay" else []
    with (
        default_signals(),
        subprocess.Popen(
            [*TFOIDC, command, *options, "--", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ARM_CLIENT_ID": GUID, "ARM_TENANT_ID": GUID},
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 9
    assert sorted(log.read_text().split()) == ["child", "parent"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_state_is_written_after_the_children_have_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The command dies of the signal at once; what it has started ends half a second later."""
    state, ended = tmp_path / "state.json", tmp_path / "ended"
    child = (
        "import signal, threading, pathlib\n"
        "asked = threading.Event()\n"
        "for n in (1, 2, 3, 15): signal.signal(n, lambda *_: asked.set())\n"
        "print('ready', flush=True)\n"
        "asked.wait(30)\n"
        "threading.Event().wait(0.4)\n"
        f"pathlib.Path({str(ended)!r}).touch()\n"
    )
    script = f'{sys.executable} -c "$0" & wait'
    with (
        default_signals(),
        subprocess.Popen(
            [*TFOIDC, "mock", f"--state={state}", "--", "/bin/sh", "-c", script, child],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert state.stat().st_mtime_ns >= ended.stat().st_mtime_ns


def test_a_signal_before_the_command_keeps_it_from_being_started(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    script = (
        "import os, signal, sys\n"
        "from pytest_tfoidc.cli import main as cli, serve as serving\n"
        "real = serving.kept_in\n"
        "def kept_in(*a):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return real(*a)\n"
        "serving.kept_in = kept_in\n"
        f"sys.exit(cli.main(['mock', '--state={state}', '--', 'echo', 'started']))\n"
    )
    with default_signals():
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
    assert state.exists()


@pytest.mark.parametrize("arguments", [("audit", "."), ("doctor",), ("doctor", "--json")])
def test_an_output_that_cannot_be_written_is_told_in_one_message(
    arguments: tuple[str, ...],
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*TFOIDC, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "tfoidc: The output cannot be written.\nWhere: standard output\n"
        "Cause: No space left on device\nRemedy: Make room where it goes, or send it elsewhere.\n"
    )


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*TFOIDC, "audit", "."], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["audit .", "mock -- true", "--version"])
def test_without_standard_streams_the_exit_code_is_the_same(
    tmp_path: Path, closed: str, arguments: str
) -> None:
    line = f"{shlex.join(TFOIDC)} {arguments}"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} {closed}"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
