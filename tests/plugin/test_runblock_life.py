"""Runs are told as they end, and Terraform is stopped as it should be."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.project_kit import Project
from tests.runs_kit import Gate, run_module, started

pytestmark = pytest.mark.timeout(60)  # what is not live blocks for ever


def with_gate(project: Project, file: str) -> tuple[Gate, list[str]]:
    gate = Gate(project.path)
    variables = [f"--tf-var={variable}" for variable in gate.variables]
    _, arguments = run_module(project, "runs_gate", *variables)
    return gate, [*arguments, f"runs_gate/tests/{file}", "-v"]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    read = ""
    while text not in read:
        letter = process.stdout.read(1)  # the last line may be without its end
        assert letter, read
        read += letter
    return read


def rest_of(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=30)[0]


@pytest.mark.proof
def test_the_first_item_is_reported_while_the_second_runs(project: Project) -> None:
    gate, arguments = with_gate(project, "gate.tftest.hcl")
    with started(project, *arguments) as process:
        gate.terraform()
        told = read_until(process, "::first PASSED")
        assert "waits PASSED" not in told
        gate.open()
        assert "3 passed" in rest_of(process)
    assert gate.clean_ups == 1


@pytest.mark.proof
def test_killing_terraform_fails_the_running_item_and_errors_the_rest(project: Project) -> None:
    gate, arguments = with_gate(project, "gate.tftest.hcl")
    with started(project, *arguments) as process:
        os.kill(gate.terraform(), signal.SIGKILL)
        told = rest_of(process)
    assert "1 failed, 1 passed, 2 errors" in told  # the last item, and the file's teardown
    assert "Terraform was killed by SIGKILL." in told
    assert "This run was running then." in told
    assert "This run had not started." in told
    assert gate.clean_ups == 0


def test_the_first_failure_stops_terraform_and_lets_it_clean_up(project: Project) -> None:
    gate, arguments = with_gate(project, "failing.tftest.hcl")
    with started(project, *arguments, "-x") as process:
        gate.terraform()
        read_until(process, "::fails FAILED")
        gate.wait_until_interrupted()
        gate.open()  # Terraform lets the run that it is at end first
        told = rest_of(process)
    assert "1 failed in" in told
    assert gate.clean_ups == 1


def test_control_c_lets_terraform_clean_up(project: Project) -> None:
    gate, arguments = with_gate(project, "gate.tftest.hcl")
    with started(project, *arguments) as process:
        gate.terraform()
        read_until(process, "::first PASSED")
        process.send_signal(signal.SIGINT)
        gate.wait_until_interrupted()
        gate.open()
        assert "KeyboardInterrupt" in rest_of(process)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert gate.clean_ups == 1


def test_without_x_the_runs_after_a_failure_go_on(project: Project) -> None:
    gate, arguments = with_gate(project, "failing.tftest.hcl")
    with started(project, *arguments) as process:
        gate.terraform()
        gate.open()
        assert "1 failed, 2 passed" in rest_of(process)


@pytest.mark.parametrize(
    ("filter_", "cause"),
    [
        ("head -n 8", "Terraform ended early, with exit code 0."),
        ('sed \'s/"status":"pass"/"status":"odd"/\'', "gave an outcome that is not known"),
        ("grep -v test_run", "Terraform ended and gave no outcome."),
    ],
)
def test_what_cannot_be_understood_never_passes(project: Project, filter_: str, cause: str) -> None:
    line = f'test "$1" = test && {{ {" ".join(project.terraform())} "$@" | {filter_}; exit 0; }}'
    _, arguments = run_module(project, "runs_passing")
    result = project.run(*arguments, executable=project.wrapper(line))
    outcomes = result.parseoutcomes()
    assert outcomes.get("errors", 0) + outcomes.get("failed", 0) + outcomes.get("passed", 0) >= 3
    assert outcomes["errors"] >= 1
    result.stdout.fnmatch_lines([f"*{cause}*"])
