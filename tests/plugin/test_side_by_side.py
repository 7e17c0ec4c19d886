"""The plugin next to pytest-terraform, pytest-xdist, pytest-timeout and pytest-randomly."""

from __future__ import annotations

import os
from xml.etree import ElementTree as ET

import pytest

from pytest_tfoidc.checks.names import CHECKS
from tests.project_kit import EXECUTABLE, Project, text_of

MODULE = "--tf-module=module"
THEIRS = ("--tf-binary", "--tf-replay", "--tf-debug", "--tf-mod-dir", "--tf-plugin-dir")
OURS = ("--tf-module", "--tf-context", "--tf-executable", "--tf-var", "--tf-var-file", "--tf-delay")
OF_OTHERS = ("--numprocesses", "--timeout", "--randomly-seed")


@pytest.fixture
def both(project: Project) -> Project:
    project.copy("side_by_side", ".")
    return project


def executable() -> list[str]:
    chosen = os.environ.get(EXECUTABLE)
    return [f"--tf-executable={chosen}"] if chosen else []


def test_all_of_their_and_our_tests_run_in_one_distributed_shuffled_run(both: Project) -> None:
    chosen = ["module::oidc::delayed_apply", "module::oidc::cached_token_fails"]
    tests = ["test_thing.py", "module/test_module.py", *chosen]
    theirs = [f"--tf-binary={both.wrapper('true')}", "--tf-mod-dir=terraform", "--tf-debug"]
    others = ["-n2", "--timeout=300", "-p", "randomly", "--randomly-seed=7", "--junit-xml=it.xml"]
    result = both.run_plain(*executable(), MODULE, *theirs, *others, *tests)
    result.assert_outcomes(passed=4)
    cases = ET.parse(both.path / "it.xml").iter("testcase")  # noqa: S314 - ours
    assert {(case.get("classname"), case.get("name")) for case in cases} == {
        ("module.oidc", "delayed_apply"),
        ("module.oidc", "cached_token_fails"),
        ("module.test_module", "test_there_is_something_to_do"),
        ("test_thing", "test_thing"),
    }
    result.stdout.fnmatch_lines(["*OIDC: module*", "*survived*30m between plan and apply*"])
    assert text_of(result).count("OIDC: module") == 1


def test_what_pytest_terraform_has_recorded_is_replayed(both: Project) -> None:
    arguments = [*executable(), MODULE, "--tf-check=delayed_apply"]
    result = both.run_plain(
        *arguments, "--tf-replay", "--tf-plugin-dir=cache", "test_thing.py", "module"
    )
    result.assert_outcomes(passed=3)


def test_help_shows_the_options_of_all(both: Project) -> None:
    shown = text_of(both.run_plain("--help")).split()
    assert {*THEIRS, *OURS, *OF_OTHERS} <= {word.partition("=")[0].rstrip(",") for word in shown}


COLLECTED = [f"module::oidc::{name}" for name in CHECKS]
OWN = "module/test_module.py::test_there_is_something_to_do"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [OWN, *COLLECTED]),
        ([COLLECTED[0], COLLECTED[4]], [COLLECTED[0], COLLECTED[4]]),
        ([COLLECTED[0], "module"], [OWN, *COLLECTED]),
        ([OWN, "module::oidc::delayed_apply"], [OWN, "module::oidc::delayed_apply"]),
        (["-k", "expiry"], [name for name in COLLECTED if "expiry" in name]),
    ],
)
def test_items_are_selected_as_pytest_users_expect(
    both: Project, arguments: list[str], expected: list[str]
) -> None:
    result = both.run(MODULE, "--collect-only", "-q", *arguments)
    assert sorted(line for line in result.outlines if "::" in line) == sorted(expected)
    assert result.ret == pytest.ExitCode.OK


def test_x_stops_at_the_first_failure(project: Project) -> None:
    project.module(main='variable "count_of" {\n  type = number\n}\n')
    result = project.run(MODULE, "-x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


def test_pytest_timeout_ends_a_check_and_the_terraform_that_hangs_in_it(project: Project) -> None:
    project.module()
    wrapper = project.wrapper('test "$1" = apply && exec sleep 80')
    result = project.run(MODULE, "--tf-check=delayed_apply", "--timeout=3", executable=wrapper)
    result.assert_outcomes(failed=1)
    assert "Timeout" in text_of(result)
