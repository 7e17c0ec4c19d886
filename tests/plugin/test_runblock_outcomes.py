"""Our items' outcomes are those of plain `terraform test`, run by run."""

from __future__ import annotations

import os

import pytest

from pytest_tfoidc.terraform.executable import find_executable
from tests.project_kit import EXECUTABLE, Project, text_of
from tests.runs_kit import copy_module, junit_outcomes, plain_outcomes, run_module, write_many

# The Terraform that knows what the module uses.
SINCE = {
    "runs_passing": (1, 6),
    "runs_failing_assertion": (1, 6),
    "runs_errored_then_skipped": (1, 6),
    "runs_expect_failures": (1, 6),
    "runs_shared_state": (1, 6),
    "runs_other_module": (1, 6),
    "runs_json": (1, 6),
    "runs_non_ascii": (1, 6),
    "runs_same_names": (1, 6),
    "runs_empty_file": (1, 6),
    "runs_many": (1, 6),
    "runs_mock_provider": (1, 7),
    "runs_override": (1, 7),
    "runs_parallel": (1, 12),
}


@pytest.mark.proof
def test_every_run_has_the_outcome_that_terraform_test_gives_it(project: Project) -> None:
    release = find_executable(os.environ.get(EXECUTABLE), os.environ).release
    names = [name for name, since in SINCE.items() if release >= (*since, 0)]
    modules = [copy_module(project, name) for name in names]
    write_many(project.path / "runs_many", 200)
    options = [f"--tf-module={name}" for name in names]
    result = project.run(*options, "--tf-check=none", "--junitxml=junit.xml", "-q")
    expected: dict[str, str] = {}
    for module in modules:
        expected |= plain_outcomes(project, module)
    assert junit_outcomes(project.path / "junit.xml") == expected, text_of(result)
    assert set(expected.values()) == {"pass", "fail", "error", "skip"}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.proof
def test_what_the_teardown_leaves_behind_is_an_error_of_the_files_last_item(
    project: Project,
) -> None:
    _, arguments = run_module(project, "runs_left_behind", "--junitxml=junit.xml")
    result = project.run(*arguments)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of plans*",
            "E   The teardown left behind: terraform_data.this",
            "E   local-exec provisioner error",
            "*left over by terraform test*",
            "*left.tftest.hcl: terraform_data.this",
        ]
    )
    report = (project.path / "junit.xml").read_text("utf-8")
    assert "The teardown left behind: terraform_data.this" in report
