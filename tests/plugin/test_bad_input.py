"""Bad input gets one clear message with a remedy, and leaves nothing behind."""

from __future__ import annotations

import re

import pytest

from tests.project_kit import Project, text_of

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR
TYPED = 'variable "count_of" {\n  type = number\n}\n'
NEEDS_AZURERM = """\
terraform {
  required_providers {
    azurerm = {
      source = "hashicorp/azurerm"
    }
  }
}

provider "azurerm" {
  features {}
}
"""
DELAYED = ("--tf-module=module", "--tf-check=delayed_apply")


def assert_refused(result: pytest.RunResult, *lines: str) -> None:
    """See one message on stderr that ends the run, with these lines in it and a remedy."""
    assert result.ret == USAGE_ERROR
    message = "\n".join(line for line in result.errlines if line)
    assert message.startswith("ERROR: tfoidc: ")
    assert message.count("tfoidc: ") == 1
    result.stderr.fnmatch_lines(lines)
    assert re.search("^Remedy: .", message, re.MULTILINE)
    assert_calm(result)


def assert_failed(result: pytest.RunResult, *lines: str) -> None:
    """See one failed item with these lines in it, and a remedy."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([*lines, "Remedy: ?*"])
    assert_calm(result)


def assert_calm(result: pytest.RunResult) -> None:
    text = text_of(result)
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    assert not re.search(r"\.py:\d+", text)


def test_a_module_path_that_does_not_exist(project: Project) -> None:
    result = project.run("--tf-module=nowhere")
    assert_refused(result, "*no such module*", f"Where: --tf-module {project.path}/nowhere")


def test_a_module_path_that_pytest_takes_for_parameters(project: Project) -> None:
    project.module("of [x]")
    result = project.run("--tf-module", "of [x]")
    assert_refused(result, "*no folder with*", "Where: --tf-module of ?x?", "Remedy: Start pytest*")


def test_a_module_path_that_is_a_file(project: Project) -> None:
    project.module()
    assert_refused(project.run("--tf-module=module/main.tf"), "*A module is a folder.*")


def test_a_folder_without_terraform_files(project: Project) -> None:
    (project.path / "docs").mkdir()
    assert_refused(project.run("--tf-module=docs"), "*no .tf file in it*", "Where: *docs")


def test_a_syntax_error_in_the_module_is_told_once(project: Project) -> None:
    project.module(main='resource "terraform_data" "a" {\n  input = \n}\n')
    result = project.run("--tf-module=module")
    assert_refused(result, "*Syntax error: ?* (main.tf:2)", "Where: *module/main.tf:2:*")


def test_a_syntax_error_in_a_local_module_is_told_once(project: Project) -> None:
    project.module("shared", main="locals {\n  a = [1,\n}\n")
    project.module(main='module "shared" {\n  source = "../shared"\n}\n')
    result = project.run("--tf-module=module")
    assert_refused(result, "*Syntax error: ?* (main.tf:*)", "Where: *shared/main.tf:*")


def test_a_required_variable_without_a_value(project: Project) -> None:
    project.module(main=TYPED)
    result = project.run(*DELAYED)
    assert_failed(result, "Cause: *required variable without a value.")
    assert "--tf-var" in text_of(result)
    assert '"count_of"' in text_of(result)


def test_a_variable_of_the_wrong_type(project: Project) -> None:
    project.module(main=TYPED)
    result = project.run(*DELAYED, "--tf-var=count_of=many")
    assert_failed(result, "Cause: a variable's value has the wrong type*")
    assert "a number is required" in text_of(result)


STALE_PLAN = """\
import pytest

import pytest_tfoidc


def test_stale(tf_module):
    tf_module.init()
    plan = tf_module.plan()
    tf_module.apply()
    tf_module.apply(plan)


def test_expired(tf_module, mock_issuer):
    tf_module.init()
    plan = tf_module.plan()
    mock_issuer.fail("entra", effect="expire", times="always")
    with pytest.raises(pytest_tfoidc.TerraformError, match="AADSTS700024") as failed:
        tf_module.apply(plan)
    assert not isinstance(failed.value, pytest_tfoidc.StalePlanError)
    raise failed.value


def test_caught(tf_module):
    tf_module.init()
    plan = tf_module.plan()
    tf_module.apply()
    with pytest.raises(pytest_tfoidc.StalePlanError):
        tf_module.apply(plan)
"""


@pytest.mark.proof
def test_a_stale_plan_is_told_apart_from_an_expired_token(project: Project) -> None:
    project.module(files={"test_plans.py": STALE_PLAN})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(passed=1, failed=2)
    _, stale, expired = re.split(r"_{3,} test_(?:stale|expired).* _{3,}", text_of(result))
    assert "The state has changed since the plan was made. No token has expired" in stale
    assert "Remedy: plan again and apply that plan" in stale
    assert "AADSTS" not in stale
    assert "AADSTS700024" in expired
    assert "The state has changed" not in expired.partition("short test summary")[0]


def test_a_variable_file_that_does_not_exist(project: Project) -> None:
    project.module()
    assert_refused(project.run(*DELAYED, "--tf-var-file=prod.tfvars"), "*no such file*", "Where: *")


def test_no_terraform_at_all(project: Project) -> None:
    project.module()
    project.without_terraform_on_path()
    fault = project.plant("no_embedded_terraform")
    result = project.run_plain("-p", "no:terraform", "--tf-module=module", *fault)
    assert_refused(result, "*There is no Terraform here.")
    result.stderr.fnmatch_lines(["Remedy: *PATH*pip install*pytest-tfoidc?terraform?*"])


@pytest.mark.parametrize("script", ["echo Hello", "exit 3", "echo '{\"version\": 1}'"])
def test_an_executable_that_is_not_terraform(project: Project, script: str) -> None:
    project.module()
    other = project.path / "other"
    other.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    other.chmod(0o700)
    result = project.run("--tf-module=module", executable=other)
    assert_refused(result, "*other is not a Terraform that runs here.", "Cause: ?*")


def test_an_executable_that_does_not_exist(project: Project) -> None:
    project.module()
    result = project.run("--tf-module=module", executable="nothing-of-this-name")
    assert_refused(result, "*nothing-of-this-name is not an executable file.")


def test_a_cli_configuration_that_does_not_exist_is_said_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.module()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere/terraform.rc")
    result = project.run(*DELAYED)
    result.assert_outcomes(passed=1)
    assert text_of(result).count("/nowhere/terraform.rc") == 1


def test_a_registry_out_of_reach(project: Project) -> None:
    project.module(main=NEEDS_AZURERM)
    project.without_registry()
    result = project.run(*DELAYED)
    said = "The registry is out of reach, so hashicorp/azurerm could not be had (main.tf:*)"
    assert_failed(result, said)
    assert "Cause: " not in text_of(result)  # it is the first line
    assert "name a mirror" in text_of(result)


def test_no_temporary_folder_for_the_run(project: Project) -> None:
    project.module()
    result = project.run(*DELAYED, *project.plant("no_temporary_folder"))
    assert_refused(result, "*nowhere to write*", "Where: /nowhere/temp", "Cause: *")
    result.stderr.fnmatch_lines(["Remedy: *TMPDIR*"])


def test_no_temporary_folder_for_a_workspace(project: Project) -> None:
    project.module()
    result = project.run(*DELAYED, *project.plant("temporary_folder_goes"))
    assert_failed(result, "*no temporary folder*", "Where: /nowhere/temp", "Cause: *")


def test_no_port(project: Project) -> None:
    project.module()
    result = project.run(*DELAYED, *project.plant("no_port"))
    assert_refused(result, "*No port could be opened*", "Where: 127.0.0.1", "Cause: *denied*")


@pytest.mark.parametrize("delay", ["soon", ""])
def test_a_delay_that_is_no_duration(project: Project, delay: str) -> None:
    project.module()
    result = project.run("--tf-module=module", f"--tf-delay={delay}")
    assert_refused(result, "*is not a duration.", "Where: --tf-delay", "Remedy: *30m*")


def test_an_unknown_check_and_what_was_probably_meant(project: Project) -> None:
    project.module()
    result = project.run("--tf-module=module", "--tf-check=delayed_aply")
    assert_refused(result, "*'delayed_aply' is not known.", "Where: --tf-check")
    result.stderr.fnmatch_lines(["Remedy: Did you mean delayed_apply?*"])


def test_several_checks_may_stand_in_one_option(project: Project) -> None:
    project.module()
    names = "delayed_apply, cached_token_fails"
    result = project.run("--tf-module=module", f"--tf-check={names}", "--collect-only", "-q")
    found = [line.rpartition("::")[2] for line in result.outlines if "::oidc::" in line]
    assert sorted(found) == sorted(names.split(", "))
    result = project.run("--tf-module=module", "--tf-check=delayed_apply,aply")
    assert_refused(result, "*'aply' is not known.", "Where: --tf-check")


def test_a_user_without_a_home(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.module()
    monkeypatch.delenv("HOME")
    project.run(*DELAYED).assert_outcomes(passed=1)
