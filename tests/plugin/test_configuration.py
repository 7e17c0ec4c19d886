"""Configuration that does not surprise: what is collected, selected and said."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from pytest_tfoidc.checks.names import CHECKS
from tests.project_kit import Project

OWN = "def test_own(): pass\n"
CHECK_IDS = [f"infra::oidc::{name}" for name in CHECKS]


def collected(result: pytest.RunResult) -> list[str]:
    assert result.ret == 0
    return sorted(line for line in result.outlines if "::" in line)


@pytest.fixture
def suite(project: Project) -> Project:
    """A suite with a module `infra` that an ini file names, and a test elsewhere."""
    (project.path / "pytest.ini").write_text("[pytest]\ntf_module = infra\n", "utf-8")
    runs = 'run "works" {\n  command = plan\n}\n'
    project.module("infra", files={"infra_test.py": OWN, "tests/a.tftest.hcl": runs})
    project.module("tests", main="", files={"test_other.py": OWN})
    (project.path / "tests" / "main.tf").unlink()
    return project


def test_a_module_in_an_ini_file_hides_nothing(suite: Project) -> None:
    everything = collected(suite.run("--collect-only", "-q"))
    assert "tests/test_other.py::test_own" in everything
    assert set(CHECK_IDS) <= set(everything)
    assert len(everything) == len(set(everything)) == 8


def test_a_module_beside_testpaths_is_added(suite: Project) -> None:
    with (suite.path / "pytest.ini").open("a", encoding="utf-8") as file:
        file.write("testpaths = tests\n")
    everything = collected(suite.run("--collect-only", "-q"))
    assert {"tests/test_other.py::test_own", *CHECK_IDS} <= set(everything)


def test_a_module_of_the_command_line_is_all_that_is_collected(suite: Project) -> None:
    everything = collected(suite.run("--collect-only", "-q", "--tf-module=infra"))
    assert set(CHECK_IDS) <= set(everything)
    assert "tests/test_other.py::test_own" not in everything


def test_a_keyword_means_the_checks_or_the_others(suite: Project) -> None:
    assert collected(suite.run("--collect-only", "-q", "-k", "oidc")) == sorted(CHECK_IDS)
    others = collected(suite.run("--collect-only", "-q", "-k", "not oidc"))
    assert others == [
        "infra/infra_test.py::test_own",
        "infra/tests/a.tftest.hcl::works",
        "tests/test_other.py::test_own",
    ]


@pytest.mark.parametrize("extra", [(), ("-k", "delayed_apply")])
def test_an_id_that_is_not_there_is_not_found(suite: Project, extra: tuple[str, ...]) -> None:
    result = suite.run("infra::oidc::delayed_aply", *extra)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*not found: infra::oidc::delayed_aply *Did you mean infra::oidc::delayed_apply[?]"]
    )


def test_an_id_that_is_there_and_deselected_is_found(suite: Project) -> None:
    result = suite.run("infra::oidc::delayed_apply", "-k", "not oidc")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    "words",
    [
        ["--tf-test-jump=@teardown=1h"],
        ["--tf-test-jump=::@teardown=1h"],
        ["--tf-test-jump", "::@teardown=1h"],
    ],
)
def test_a_jump_of_the_teardown_is_no_file(suite: Project, words: list[str]) -> None:
    assert collected(suite.run("--collect-only", "-q", *words))


def test_what_has_no_unit_is_told_what_to_write_and_events_can_be_counted(
    project: Project,
) -> None:
    tests = """\
import pytest

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import ClockMoved


@pytest.mark.parametrize("wrong", [45, 0.5])
def test_number(oidc_clock, wrong):
    for method in ("advance", "delay"):
        told = rf'Write {method}."{wrong}s".* or {method}."{wrong}m"'
        with pytest.raises(UsageError, match=told):
            getattr(oidc_clock, method)(wrong)


@pytest.mark.parametrize("wrong", [None, True, []])
def test_other(oidc_clock, wrong):
    with pytest.raises(UsageError, match="is not a duration"):
        oidc_clock.advance(wrong)


def test_events(oidc_clock, oidc_events):
    assert len(oidc_events) == 0
    oidc_clock.advance("1m")
    oidc_clock.advance("2m")
    assert len(oidc_events) == 2
    assert oidc_events[1].by.total_seconds() == 120
    assert oidc_events[:1] == oidc_events.of(ClockMoved)[:1]
    assert repr(oidc_events) == "<events: 2 ClockMoved>"
"""
    (project.path / "test_it.py").write_text(tests, "utf-8")
    project.run().assert_outcomes(passed=6)


def test_the_command_tells_its_version() -> None:
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["tfoidc", metadata.version("pytest-tfoidc")]
