"""Running commands: streams, time limits, signals. A small script stands for Terraform."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc import processes
from pytest_tfoidc.clock import VirtualClock, real_seconds
from pytest_tfoidc.errors import TerraformError, TerraformTimeoutError
from pytest_tfoidc.events import (
    AccessTokenIssued,
    CommandFinished,
    CommandStarted,
    EventLog,
    ExchangeRefused,
    HostRefused,
    RequestAnswered,
)
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform import runner as runner_module
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.runner import Completed, Runner, log_end
from pytest_tfoidc.terraform.settings import terraform_environment
from pytest_tfoidc.terraform.turning import MOST_REPETITIONS
from tests.signals_kit import default_signals

MakeRunner = Callable[..., Runner]
WAITS = "import threading; threading.Event().wait(60)"
STOPS_CLEANLY = f"""
import signal, sys
def stop(*_):
    print("stopped once", flush=True)
    sys.exit(3)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
{WAITS}
"""
# Its first line may come before anybody looks at what it asks for.
SAYS_MORE = STOPS_CLEANLY.replace(
    WAITS, "import time\nfor _ in range(600):\n    time.sleep(0.1)\n    print('more', flush=True)"
)
STUBBORN = f"""
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
{WAITS}
"""


@pytest.fixture
def make(tmp_path: Path, events: EventLog) -> MakeRunner:
    def make(
        script: str,
        *,
        timeout: float | None = None,
        refusals_are_final: bool = False,
        environment: dict[str, str] | None = None,
    ) -> Runner:
        program = tmp_path / "program.py"
        program.write_text(script, encoding="utf-8")
        return Runner(
            executable=Executable(
                argv=(sys.executable, str(program)), product="Terraform", version="1.0.0"
            ),
            directory=tmp_path,
            environment=environment or {},
            events=events,
            clock=VirtualClock(),
            redactor=Redactor(),
            module="module",
            timeout=timeout,
            refusals_are_final=refusals_are_final,
        )

    return make


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] == "Z"


def test_a_folder_that_is_gone_is_named(make: MakeRunner, tmp_path: Path) -> None:
    runner = make("")
    runner.directory = tmp_path / "gone"
    with pytest.raises(TerraformError, match="could not be started") as failure:
        runner.run("plan")
    assert str(runner.directory) in (failure.value.where or "")


def test_options_become_terraforms_arguments(make: MakeRunner) -> None:
    done = make("import sys; print(sys.argv[1:])").run(
        "state list", "address", json=Flag, var=["a=b c", "d=ü"], out="plan", lock=False, x=None
    )
    assert done.stdout.strip() == repr(
        ["state", "list", "-json", "-var=a=b c", "-var=d=ü", "-out=plan", "-lock=false", "address"]
    )


def test_the_child_gets_its_environment_and_nothing_else(make: MakeRunner) -> None:
    script = "import os; print(sorted(k for k in os.environ if k not in ('LC_CTYPE',)))"
    runner = make(script, environment={"A": "1"})
    assert runner.run("x", environment={"B": "2"}).stdout.strip() == "['A', 'B']"


def test_lines_arrive_while_the_command_runs(make: MakeRunner) -> None:
    seen: list[tuple[str, bool]] = []
    done = threading.Event()
    script = "import sys; print('one', flush=True); sys.stdin.read(); print('two')"
    make(script).run("x", on_line=lambda line: seen.append((line, done.is_set())))
    done.set()
    assert seen == [("one", False), ("two", False)]


def test_both_streams_are_drained_however_much_comes(make: MakeRunner) -> None:
    script = "import sys\nfor s in (sys.stderr, sys.stdout): s.write('x' * 3_000_000)"
    done = make(script).run("x")
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_output_that_is_not_utf_8_is_shown_all_the_same(make: MakeRunner) -> None:
    done = make("import sys; sys.stdout.buffer.write(b'\\xff ok')").run("x")
    assert done.stdout == "\ufffd ok"


def test_what_a_command_that_is_too_slow_was_at_is_named(make: MakeRunner) -> None:
    said = [
        {"@message": "m", "type": kind, "hook": {"resource": {"addr": address}}}
        for kind, address in (
            ("apply_start", "a.done"),
            ("apply_start", "a.slow"),
            ("apply_complete", "a.done"),
            ("apply_errored", "a.slow"),
        )
    ]
    lines = "\n".join(map(json.dumps, said))
    script = f"print({lines!r}, flush=True)\n{STOPS_CLEANLY}"
    with pytest.raises(TerraformTimeoutError) as failure:
        make(script, timeout=1).run("apply")
    assert failure.value.cause.endswith("(--tf-timeout); it was at a.slow.")


def test_a_command_that_is_too_slow_is_interrupted_once(make: MakeRunner) -> None:
    with pytest.raises(TerraformTimeoutError) as failure:
        make(STOPS_CLEANLY, timeout=1).run("apply")
    assert "took longer than 1s" in str(failure.value)
    assert failure.value.output.count("stopped once") == 1
    assert failure.value.exit_code == 3


def test_a_command_that_ignores_the_interrupt_is_killed(
    make: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "GRACE_SECONDS", 0.2)
    with pytest.raises(TerraformTimeoutError) as failure:
        make(STUBBORN, timeout=1).run("apply")
    assert failure.value.exit_code == -signal.SIGKILL


def test_a_command_that_goes_on_after_a_refusal_is_stopped(
    make: MakeRunner, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REFUSED_SECONDS", 0.2)
    now = VirtualClock().now()
    refusal = ExchangeRefused(at=now, client_id="c", code="AADSTS700024", reason="too late")
    with pytest.raises(TerraformError, match="AADSTS700024: too late"):
        make(STOPS_CLEANLY, refusals_are_final=True).run(
            "apply", on_line=lambda _line: events.emit(refusal)
        )


@pytest.mark.timeout(30)
def test_a_refusal_that_comes_before_anybody_waits_is_heard(
    make: MakeRunner, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REFUSED_SECONDS", 0.2)
    refusal = ExchangeRefused(
        at=VirtualClock().now(), client_id="c", code="AADSTS700024", reason="too late"
    )
    came, attend = threading.Event(), Runner._attend

    def refuse(_line: str) -> None:
        events.emit(refusal)
        came.set()

    monkeypatch.setattr(Runner, "_attend", lambda *given: (came.wait(), attend(*given)))
    with pytest.raises(TerraformError, match="AADSTS700024: too late"):
        make(STOPS_CLEANLY, refusals_are_final=True).run("apply", on_line=refuse)


@pytest.mark.timeout(30)
def test_where_a_refusal_is_expected_nobody_waits_long_for_the_end(
    make: MakeRunner, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REFUSED_SECONDS", 1000)
    monkeypatch.setattr(runner_module, "EXPECTED_SECONDS", 0.2)
    monkeypatch.setattr(runner_module, "EXPECTED_KILL_SECONDS", 0.2)
    now = VirtualClock().now()
    refusal = ExchangeRefused(at=now, client_id="c", code="AADSTS700024", reason="too late")
    runner = make(STUBBORN, refusals_are_final=True)
    with pytest.raises(TerraformError, match="too late") as failure, runner.expecting_refusal():
        runner.run("apply", on_line=lambda _line: events.emit(refusal))
    assert failure.value.exit_code == -signal.SIGKILL


def test_a_command_that_is_accepted_after_a_refusal_goes_on(
    make: MakeRunner, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REFUSED_SECONDS", 0.3)
    now = VirtualClock().now()

    def refuse_and_accept(_line: str) -> None:
        events.emit(ExchangeRefused(at=now, client_id="c", code="AADSTS700024", reason="x"))
        events.emit(
            AccessTokenIssued(
                at=now, client_id="c", scope="s", expires_at=now, id_token_age=timedelta()
            )
        )

    script = "import threading; print('ready', flush=True); threading.Event().wait(0.6)"
    done = make(script, refusals_are_final=True).run("apply", on_line=refuse_and_accept)
    assert done.exit_code == 0


def test_a_command_that_comes_back_for_a_refused_host_is_stopped(
    make: MakeRunner, events: EventLog
) -> None:
    def refuse(_line: str) -> None:
        for _ in range(runner_module.MOST_TRIES):
            events.emit(HostRefused(at=VirtualClock().now(), host="queue.example.com"))

    with pytest.raises(TerraformError, match="refused by tfoidc, 6 times: queue") as failure:
        make(SAYS_MORE, refusals_are_final=True).run("apply", on_line=refuse)
    assert "stopped once" in failure.value.output


def test_a_command_that_goes_round_is_stopped_and_what_it_asked_is_named(
    make: MakeRunner, events: EventLog
) -> None:
    def turn(_line: str) -> None:
        for _ in range(MOST_REPETITIONS):
            answered = RequestAnswered(
                at=VirtualClock().now(),
                host="management.azure.com",
                method="GET",
                path="/left/behind",
                status=200,
            )
            events.emit(answered)

    with pytest.raises(TerraformError, match="asked the same thing again and again") as failure:
        make(SAYS_MORE, refusals_are_final=True).run("destroy", on_line=turn)
    assert "GET https://management.azure.com/left/behind was asked 500 times" in str(failure.value)
    assert "stopped once" in failure.value.output


def test_a_few_refused_hosts_stop_nothing(make: MakeRunner, events: EventLog) -> None:
    def refuse(_line: str) -> None:
        for number in range(2 * runner_module.MOST_TRIES):
            host = f"{number % 3}.example.com"
            events.emit(HostRefused(at=VirtualClock().now(), host=host))

    script = "import threading; print('ready', flush=True); threading.Event().wait(0.3)"
    assert make(script, refusals_are_final=True).run("apply", on_line=refuse).exit_code == 0


def test_ctrl_c_reaches_the_child_once_and_waits_for_it(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(STOPS_CLEANLY, encoding="utf-8")
    parent = tmp_path / "parent.py"
    parent.write_text(
        f"""
import os
import sys
from pathlib import Path
from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.runner import Runner

executable = Executable(argv=(sys.executable, {str(child)!r}), product="T", version="1.0.0")
runner = Runner(executable=executable, directory=Path({str(tmp_path)!r}), environment={{}},
    events=EventLog(), clock=VirtualClock(), redactor=Redactor(), module="m")
try:
    runner.run("apply", on_line=lambda line: os.write(1, line.encode() + b"\\n"),
        on_start=lambda _: os.write(1, b"started\\n"))
except KeyboardInterrupt:
    print("interrupted", flush=True)
""",
        encoding="utf-8",
    )
    command = [sys.executable, str(parent)]
    with (
        default_signals(),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process,
    ):
        assert process.stdout is not None
        first = {process.stdout.readline(), process.stdout.readline()}
        assert first == {"ready\n", "started\n"}
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole foreground group
        out, _ = process.communicate(timeout=30)
    assert out.splitlines() == ["stopped once", "interrupted"]


def test_what_a_command_leaves_behind_does_not_hold_it_up(
    make: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "DRAIN_SECONDS", 0.2)
    script = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {WAITS!r}]).pid)"
    )
    started = real_seconds()
    done = make(script).run("apply")
    assert real_seconds() - started < 30
    while not gone(int(done.stdout)):  # the system takes its time to bury it
        assert real_seconds() - started < 30


def test_events_tell_when_a_command_started_and_ended(make: MakeRunner, events: EventLog) -> None:
    make("import sys; sys.exit(5)").run("plan")
    (started,), (finished,) = events.of(CommandStarted), events.of(CommandFinished)
    assert (started.command, started.module) == ("plan", "module")
    assert (finished.exit_code, finished.seconds > 0) == (5, True)


def test_terraform_neither_asks_nor_calls_home_and_a_missing_configuration_is_said(
    tmp_path: Path,
) -> None:
    missing = str(tmp_path / "terraformrc")
    variables, notes = terraform_environment({"A": "1", "TF_CLI_CONFIG_FILE": missing})
    assert variables == {
        "A": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    assert notes == (f"TF_CLI_CONFIG_FILE names {missing}, which does not exist; it is ignored.",)
    Path(missing).touch()
    assert terraform_environment({"TF_CLI_CONFIG_FILE": missing})[1] == ()


def told(kind: str, message: str, **more: object) -> str:
    head = {"@level": "info", "@message": message, "type": kind, **more}
    return json.dumps(head, separators=(",", ":"))


def test_what_a_provisioner_prints_is_kept_as_text_only() -> None:
    """A million lines of it, read as JSON, would take gigabytes."""
    printed = [told("provision_progress", f"line {n}") for n in range(20_000)]
    said = told("provision_progress", 'says "type":"apply_start"')
    error = told("diagnostic", "Error: x", diagnostic={"severity": "error", "summary": "x"})
    lines = [told("version", "Terraform"), told("apply_start", "begun"), *printed, said, error]
    done = Completed(
        command="apply", exit_code=1, stdout="\n".join([*lines, ""]), stderr="", seconds=1.0
    )
    assert [m["type"] for m in done.messages] == ["version", "apply_start", "diagnostic"]
    assert log_end(done, 3) == ("line 19998", "line 19999", 'says "type":"apply_start"')
    assert done.log[:2] == ("begun", "line 0")
    assert "line 12345" in done.text
