"""The last words of a run that does not end as it should."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from pytest_tfoidc.ending import Ending, LeftRunning
from pytest_tfoidc.plugin.stopping import last_words
from pytest_tfoidc.terraform.live.deployed import Remains
from tests.project_kit import Project
from tests.runs_kit import Gate, run_module, started

GONE = 2**22 + 1  # no process has this id
INTERRUPTED = """
import os, signal

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))  # where Python takes it

def pytest_sessionstart(session):
    session.config.add_cleanup(interrupt)

def pytest_unconfigure():
    interrupt()
"""


def remains(process: int) -> Remains:
    return Remains(
        module="/srv/m", workspace="/t/m", state="azurerm: a/c/k", resources=("x", "y (perhaps)"),
        process=process,
    )  # fmt: skip


def test_the_last_words_name_what_remains_where_and_how_to_remove_it() -> None:
    ending = Ending()
    ending.ask(2)
    ending.ask(15)
    words = last_words(ending, (remains(os.getpid()),), ["a trouble\nwith more to it"])
    assert words == [
        "tfoidc: NOT everything was destroyed (SIGINT, then SIGTERM):",
        "  /srv/m: x, y (perhaps)",
        "    state: azurerm: a/c/k",
        "    workspace kept: /t/m",
        "  a trouble",
        "  Remove it with: tfoidc sweep",
    ]


def test_what_a_dead_worker_or_a_running_terraform_has_is_there_perhaps() -> None:
    ending = Ending()
    assert "  /srv/m: x (perhaps), y (perhaps)" in last_words(ending, (remains(GONE),))
    left = LeftRunning(command="apply", module="m", process=17)
    ending.left_running.append(left)
    words = "\n".join(last_words(ending, (remains(os.getpid()),)))
    assert "x (perhaps), y (perhaps)" in words
    assert "`terraform apply` of m (process 17) was interrupted and is still at it" in words


def test_nothing_is_said_where_nothing_remains_or_nothing_is_real() -> None:
    assert last_words(Ending(), ()) == []
    assert last_words(Ending(is_real=False), (remains(1),)) == []
    assert last_words(Ending(is_real=False), (), ["a trouble"]) == ["tfoidc: a trouble"]


@pytest.mark.timeout(120)
def test_the_time_limit_ends_run_blocks_that_hang_and_says_how(project: Project) -> None:
    gate = Gate(project.path)
    variables = [f"--tf-var={variable}" for variable in gate.variables]
    _, arguments = run_module(project, "runs_gate", *variables)
    with started(project, *arguments, "runs_gate/tests/gate.tftest.hcl", "--tf-timeout=6s") as run:
        told = run.communicate(timeout=100)[0]
    assert "took longer than 6s and was stopped" in told
    assert "it was interrupted, had not ended 5s later, and was killed" in told
    took = re.search(r"Terraform itself took ([0-9.]+)s", told)
    assert took is None or float(took[1]) < 25  # 34 s in earlier versions, for a limit of 4 s


def test_workspaces_that_workers_have_kept_are_told_by_the_controller(project: Project) -> None:
    project.module()
    result = project.check("delayed_apply", "--tf-keep", "-n2")
    result.assert_outcomes(passed=1)
    kept = [
        Path(line.rpartition(": ")[2])
        for line in result.outlines
        if line.startswith("tfoidc: workspace kept: ")
    ]
    (base,) = project.temp.glob("tfoidc-*")
    (folder,) = kept
    assert folder.is_relative_to(base)
    assert (folder / "main.tf").is_file()
    shutil.rmtree(base)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_signal_after_the_last_report_costs_no_traceback(
    project: Project, *, is_ours: bool
) -> None:
    test = f"def test_it({'arm_env' if is_ours else ''}): pass\n"  # else nobody takes signals
    project.module(".", files={"conftest.py": INTERRUPTED, "test_it.py": test})
    result = project.run("test_it.py")
    result.assert_outcomes(passed=1)
    assert ("Traceback" in result.stderr.str()) == (not is_ours), result.stderr.str()
    assert (result.ret == 0) == is_ours
    assert project.left_over() == []
