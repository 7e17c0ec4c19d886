"""`tfoidc mock -- CMD`: exit code, streams and signals are the command's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert proxy.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    script = (
        "import signal, sys, threading\n"
        "stop = lambda n, _: sys.exit(n)\n"
        "signal.signal(signal.SIGINT, stop); signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True); threading.Event().wait(60)"
    )
    with subprocess.Popen(
        [*TFOIDC, "mock", "--", sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
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
