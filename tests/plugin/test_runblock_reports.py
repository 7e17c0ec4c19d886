"""Run blocks as people see them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.project_kit import Project, text_of
from tests.runs_kit import run_module


def test_a_failed_assertion_is_shown_with_its_source_and_the_values(project: Project) -> None:
    _, arguments = run_module(project, "runs_failing_assertion")
    result = project.run(*arguments)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ fails _*",
            '    run "fails" {',
            "      assert {",
            '        condition     = startswith(output.name, "rg-")',
            '>       condition     = output.name == "rg-lab"',
            "E   Expected rg-lab, got rg-prod.",
            'E     output.name is "rg-prod"',
            "runs_failing_assertion/tests/failing.tftest.hcl:19: Expected rg-lab, got rg-prod.",
            "FAILED runs_failing_assertion/tests/failing.tftest.hcl::fails*",
        ]
    )
    assert "Traceback" not in text_of(result)


def test_an_errored_run_shows_where_in_the_module_and_what_it_makes_terraform_skip(
    project: Project,
) -> None:
    _, arguments = run_module(project, "runs_errored_then_skipped", "-rs")
    result = project.run(*arguments)
    result.assert_outcomes(passed=1, skipped=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of errs*",
            "> *condition     = var.size < 10",
            "E   The size must be below 10 (main.tf:11)",
            "E   Resource precondition failed",
            "E     var.size is 10",
            "runs_errored_then_skipped/main.tf:11: The size must be below 10 (main.tf:11)",
            "SKIPPED * Terraform skipped it: `errs` errored",
        ]
    )


def test_the_assertion_of_a_json_file_is_shown(project: Project) -> None:
    _, arguments = run_module(project, "runs_json")
    result = project.run(*arguments)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ['>*"condition": "${terraform_data.this.input*', "E   It is not production."]
    )


def test_plans_and_states_are_summed_up_with_v_and_the_log_is_shown_with_vv(
    project: Project,
) -> None:
    _, arguments = run_module(project, "runs_failing_assertion")
    result = project.run(*arguments, "-vv")
    result.stdout.fnmatch_lines(
        [
            "*::passes_first PASSED (state: 1 resource, 1 output)*",
            "*::passes_after_the_failure PASSED (plan: 0 to add, 1 to change, 0 to destroy)*",
            "*terraform test*",
            '*"passes_first"... pass',
        ]
    )
    quiet = project.run(*arguments)
    assert "1 resource" not in text_of(quiet)
    assert '"passes_first"... pass' not in text_of(quiet)


def test_junit_names_the_file_and_the_versions(project: Project) -> None:
    _, arguments = run_module(project, "runs_failing_assertion", "--junitxml=junit.xml")
    project.run(*arguments)
    root = ET.parse(project.path / "junit.xml")  # noqa: S314 - pytest has written it
    failed = next(case for case in root.iter("testcase") if case.get("name") == "fails")
    properties = {p.get("name"): p.get("value") for p in failed.iter("property")}
    assert failed.get("classname") == "runs_failing_assertion/tests/failing.tftest.hcl"
    assert properties["oidc_context"] == "Azure DevOps (stand-in)"
    assert str(properties["terraform_version"]).startswith("1.")
    assert "Expected rg-lab, got rg-prod." in "".join(failed.itertext())
