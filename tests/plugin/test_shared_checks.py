"""The checks of a module share one deployment, and each is about what it is about alone."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jwt
import pytest

from pytest_tfoidc.terraform.placing import CAN_TELL
from tests.project_kit import Project, text_of

CHECKS = {"delayed_apply", "expiry_during_apply", "destroy_after_expiry", "no_cached_credentials"}
CONTROL = "cached_token_fails"
BACKEND = 'terraform {\n  backend "azurerm" {}\n}\n'
RESTLESS = BACKEND + 'resource "terraform_data" "a" {\n  triggers_replace = timestamp()\n}\n'
PROVISIONED = """
resource "terraform_data" "a" {
  provisioner "local-exec" {
    when    = %s
    command = "%s"
  }
}
"""
IMPOSSIBLE = """
locals { ready = false }

resource "terraform_data" "a" {
  lifecycle {
    precondition {
      condition     = local.ready
      error_message = "never"
    }
  }
}
"""
INTERLEAVED = """\
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.name)
"""


def commands(events: Path) -> Counter[str]:
    """Count the Terraform commands that a file of events tells of."""
    told = map(json.loads, events.read_text("utf-8").splitlines())
    started = (one for one in told if one.get("event") == "CommandStarted")
    return Counter(one["command"].split()[0] for one in started)


def failed(result: pytest.RunResult) -> set[str]:
    lines = (line for line in result.outlines if line.startswith("FAILED "))
    return {line.removeprefix("FAILED ").split(" - ")[0].rpartition("::")[2] for line in lines}


def chosen(names: Iterable[str]) -> list[str]:
    return [f"--tf-check={name}" for name in names]


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "-n 2"])
def test_one_deployment_proves_four_checks_and_another_is_the_control(
    project: Project, workers: tuple[str, ...]
) -> None:
    project.module()
    result = project.check("all", "--tf-events=all.jsonl", *workers)
    result.assert_outcomes(passed=5)
    made = commands(project.path / "all.jsonl")
    assert (made["init"], made["apply"], made["destroy"]) == (2, 2, 1)
    result.stdout.fnmatch_lines(
        ["*30m between plan and apply, * expiries during apply, clean-up after 2h", "*cached *"]
    )


def test_checks_have_deployments_of_their_own_where_that_is_asked_for(project: Project) -> None:
    project.module()
    events = project.path / "all.jsonl"
    project.check("all", "--tf-events=all.jsonl", "--tf-separate").assert_outcomes(passed=5)
    assert (commands(events)["apply"], commands(events)["destroy"]) == (5, 4)


def test_only_the_parts_are_made_that_the_chosen_checks_need(project: Project) -> None:
    project.module()
    two = chosen(["destroy_after_expiry", "no_cached_credentials"])
    result = project.run("--tf-module=module", *two, "--tf-events=two.jsonl")
    result.assert_outcomes(passed=2)
    made = commands(project.path / "two.jsonl")
    assert (made["plan"], made["apply"], made["destroy"]) == (1, 1, 1)
    assert "between plan and apply" not in text_of(result)


@pytest.mark.parametrize(
    ("main", "names"),
    [
        pytest.param(RESTLESS, {"delayed_apply", "expiry_during_apply"}, id="restless"),
        pytest.param(BACKEND + PROVISIONED % ("create", "exit 3"), CHECKS, id="apply"),
        pytest.param(
            BACKEND + PROVISIONED % ("destroy", "exit 3"), {"destroy_after_expiry"}, id="destroy"
        ),
        pytest.param(BACKEND + IMPOSSIBLE, CHECKS | {CONTROL}, id="plan"),
    ],
)
def test_a_fault_fails_the_checks_that_are_about_it_and_no_others(
    project: Project, main: str, names: set[str]
) -> None:
    project.module(main=main)
    result = project.check("all")
    assert failed(result) == names
    result.assert_outcomes(passed=5 - len(names), failed=len(names))
    assert project.left_over() == []


def test_a_plan_that_fails_is_not_made_again_for_each_check(project: Project) -> None:
    project.module(main=BACKEND + IMPOSSIBLE)
    project.check("all", "--tf-events=all.jsonl")
    made = commands(project.path / "all.jsonl")
    assert (made["plan"], made["apply"]) == (2, 0)  # one of the control


def test_what_is_cached_fails_the_audit_although_the_rest_of_the_story_is_sound(
    project: Project,
) -> None:
    token = jwt.encode({"sub": "somebody"}, "not-a-real-key" * 3, algorithm="HS256")
    project.module(main=f'{BACKEND}resource "terraform_data" "a" {{ input = "{token}" }}\n')
    result = project.check("all")
    assert failed(result) == {"no_cached_credentials"}
    assert token not in text_of(result)


def test_checks_of_modules_that_take_turns_do_not_see_each_others_deployments(
    project: Project,
) -> None:
    for name in ("one", "two"):
        project.module(name)
    (project.path / "conftest.py").write_text(INTERLEAVED, encoding="utf-8")
    result = project.run("--tf-module=one", "--tf-module=two", "-v")
    result.assert_outcomes(passed=10)
    assert project.left_over() == []


def test_a_run_that_ends_early_leaves_nothing(project: Project) -> None:
    project.module(main=RESTLESS)
    result = project.check("all", "-x")
    result.assert_outcomes(failed=1)
    assert project.left_over() == []


COUNTING = """\
from pytest_tfoidc.terraform import filecopy

copy, copied = filecopy.copy_file, []

def counted(original, target, status):
    copied.append(original)
    copy(original, target, status)

filecopy.copy_file = counted

def pytest_unconfigure():
    print("COPIED", sum(one.endswith("main.tf") for one in copied))
"""


@pytest.mark.skipif(not CAN_TELL, reason="copies are not handed on here")
def test_run_blocks_the_deployment_and_the_control_have_one_copy_after_the_other(
    project: Project,
) -> None:
    files = {"tests/a.tftest.hcl": 'run "one" {}\n', "tests/b.tftest.hcl": 'run "two" {}\n'}
    project.module(files=files)
    (project.path / "conftest.py").write_text(COUNTING, "utf-8")
    result = project.run("--tf-module=module")
    result.assert_outcomes(passed=7)
    assert "COPIED 1" in result.outlines
    assert not project.left_over()


def test_a_check_lasts_as_long_as_its_own_part(project: Project) -> None:
    project.module(main=BACKEND + PROVISIONED % ("create", "sleep 1"))
    result = project.check("all", "--junit-xml=all.xml")
    result.assert_outcomes(passed=5)
    cases = ET.parse(project.path / "all.xml").iter("testcase")  # noqa: S314 - pytest's own
    lasted = {case.attrib["name"]: float(case.attrib["time"]) for case in cases}
    assert lasted["expiry_during_apply"] >= 1
    assert lasted["no_cached_credentials"] < 1
    assert sum(lasted.values()) <= result.duration
