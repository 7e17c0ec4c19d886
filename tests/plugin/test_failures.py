"""Failures say in their first line, and in pytest's short summary, what is wrong."""

from __future__ import annotations

import shutil
from xml.etree import ElementTree as ET

import pytest

from tests.project_kit import Project, text_of

VALIDATED = """\
terraform {
  backend "azurerm" {}
}

variable "env" {
  type = string
  validation {
    condition     = contains(["dev", "prod"], var.env)
    error_message = "env must be dev or prod"
  }
}

resource "terraform_data" "this" {
  input = var.env
}
"""
FORGETFUL = """\
def test_it(tf_module):
    tf_module.apply()
"""
INDIRECT = """\
def deploy(workspace):
    with workspace.deployed():
        pass


def test_it(tf_module):
    deploy(tf_module)
"""
HEADLINE = "env must be dev or prod (main.tf:7)"


def summary_of(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith(("FAILED ", "ERROR "))]


def test_checks_say_what_is_wrong_first_and_tell_it_once(project: Project) -> None:
    project.module(main=VALIDATED)
    result = project.run(
        "--tf-module=module",
        "--tf-check=delayed_apply",
        "--tf-check=destroy_after_expiry",
        "--tf-var=env=qa",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*module::oidc::delayed_apply*",
            HEADLINE,
            "Cause: *",
            "Remedy: *--tf-var*",
            "Where: *module: `terraform plan` failed with exit code 1.",
            "",
            "Error: Invalid value for variable",
            "  on the values of --tf-var",
            '    env = "qa"',
            "*module::oidc::destroy_after_expiry*",
            HEADLINE,
            "Where: *module: `terraform plan` failed with exit code 1.",
            "As module::oidc::delayed_apply, which tells the rest.",
        ]
    )
    assert text_of(result).count("Error: Invalid value for variable") == 1
    assert [line.partition(" - ")[2] for line in summary_of(result)] == [HEADLINE, HEADLINE]


def test_what_several_workers_have_told_in_full_is_told_by_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")  # pytest cuts no line of its summary there
    project.module(main=VALIDATED)
    result = project.check("all", "--tf-var=env=qa", "-n2", "--junitxml=junit.xml")
    result.assert_outcomes(failed=5)
    junit = ET.parse(project.path / "junit.xml")  # noqa: S314 - pytest has written it
    failures = [str(failure.text) for failure in junit.iter("failure")]
    assert {failure.get("message") for failure in junit.iter("failure")} == {HEADLINE}
    for texts in ([text_of(result)], failures):
        text = "\n".join(texts)
        assert text.count("This was checked by the validation rule") == 1
        assert text.count("which tells the rest.") == 4
    assert [line.partition(" - ")[2] for line in summary_of(result)] == 5 * [HEADLINE]


def test_paths_are_the_users_and_the_order_is_that_of_the_files(project: Project) -> None:
    rule = """\
variable "{0}" {{
  default = 1
  validation {{
    condition     = var.{0} > 2
    error_message = "{0} must be above 2, see ${{abspath(path.module)}}/{0}.md"
  }}
}}
"""
    names = "abcde"
    runs = {"tests/a.tftest.hcl": 'run "it" {}\n'}
    folder = project.module(main="".join(map(rule.format, names)), files=runs)
    result = project.check("delayed_apply", "-vv")
    first = f"a must be above 2, see {folder}/a.md (main.tf:3)"
    words = [line.partition(" - ")[2] for line in summary_of(result)]
    assert words == [first, first]
    assert str(project.temp) not in text_of(result)
    told = [text_of(result).rindex(f'variable "{name}"') for name in names]
    assert told == sorted(told)


def test_a_preface_of_terraform_is_not_what_is_wrong(project: Project) -> None:
    twice = 'resource "terraform_data" "x" {}\n'
    project.module(main=twice, files={"more.tf": twice})
    result = project.check("delayed_apply", "-vv")
    said = 'A terraform_data resource named "x" was already declared at main.tf:1,1-30 (more.tf:1)'
    assert [line.partition(" - ")[2] for line in summary_of(result)] == [said]
    assert "encountered problems" not in text_of(result)


def test_python_tests_of_several_workers_tell_it_once(project: Project) -> None:
    test = "def test_it(tf_module):\n    tf_module.init()\n    tf_module.plan()\n"
    project.module(main=VALIDATED, files={f"test_{name}.py": test for name in "abcd"})
    result = project.run("--tf-module=module", "--tf-check=none", "--tf-var=env=qa", "-n2")
    result.assert_outcomes(failed=4)
    text = text_of(result)
    assert text.count("This was checked by the validation rule") == 1
    assert text.count("E   As module/test_") == text.count("which tells the rest.") == 3
    assert text.count(">       tf_module.plan()") == 4
    assert [line.partition(" - ")[2] for line in summary_of(result)] == 4 * [HEADLINE]


def test_a_test_that_forgets_init_is_told_so_once_and_without_our_source(project: Project) -> None:
    project.module(files={"test_it.py": FORGETFUL})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       tf_module.apply()",
            "E   The workspace was not initialized",
            "E   Cause: the workspace was not initialized: *",
            "E   Remedy: call `init()` *",
            "FAILED module/test_it.py::test_it - The workspace was not initialized",
        ]
    )
    assert "workspace.py" not in text_of(result)
    assert "def apply" not in text_of(result)
    assert len(summary_of(result)) == 1


def test_a_failure_is_one_where_nobody_reports_to_a_terminal_too(project: Project) -> None:
    project.module(files={"test_it.py": FORGETFUL})
    result = project.run("--tf-module=module", "--tf-check=none", "-p", "no:terminal")
    assert "INTERNALERROR" not in text_of(result)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_of_the_way_to_a_failure_a_test_shows_what_its_author_wrote(project: Project) -> None:
    project.module(main=VALIDATED, files={"test_it.py": INDIRECT})
    result = project.run("--tf-module=module", "--tf-check=none", "--tf-var=env=qa")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       deploy(tf_module)",
            ">       with workspace.deployed():",
            f"E   {HEADLINE}",
            f"FAILED module/test_it.py::test_it - {HEADLINE}",
        ]
    )
    assert "contextlib.py" not in text_of(result)
    assert "workspace.py" not in text_of(result)


REFUSED = """
resource "terraform_data" "it" {
  provisioner "local-exec" {
    command = "curl --silent --show-error --fail --output /dev/null https://tfoidc.example/"
  }
}
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_host_that_a_program_was_refused_is_named(project: Project) -> None:
    project.module(main=REFUSED, files={"tests/a.tftest.hcl": 'run "a" {\n}\n'})
    result = project.check("no_cached_credentials")
    result.assert_outcomes(failed=1, errors=1)
    headline = "The run asked for tfoidc.example, which the stand-in does not play (main.tf:3)"
    remedy = "Remedy: *--tf-allow-host tfoidc.example."
    result.stdout.fnmatch_lines([f"E   {headline}", f"E   {remedy}", headline, remedy])


MISTAKEN = """
import pytest

@pytest.fixture
def made(tf_workspace):
    return tf_workspace("nowhere")

def test_factory(tf_workspace):
    tf_workspace("nowhere")

def test_stack(tf_stack):
    tf_stack(["nowhere"])

def test_fixture(made):
    pass

def test_command(tf_module):
    tf_module.run("plann")

def test_type(tf_module):
    tf_module.init()
    tf_module.plan(variables={"names": 5})
"""
NAMES = 'variable "names" {\n  type = list(string)\n  default = []\n}\n'


def test_mistakes_in_a_test_are_told_where_they_were_made_and_once(project: Project) -> None:
    project.module(main=NAMES, files={"test_it.py": MISTAKEN})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(failed=4, errors=1)
    result.stdout.fnmatch_lines(
        [
            ">       return tf_workspace(*",
            "E   There is no such module",
            ">       tf_workspace(*",
            "E   There is no such module",
            ">       tf_stack(*",
            "E   There is no such module",
            ">       tf_module.run(*",
            'E   Terraform has no command named "plann". Did you mean "plan"?',
            ">       tf_module.plan(*",
            "E   var.names: list of string required (main.tf:1)",
            "E     on the variables of the test",
        ]
    )
    assert "During handling" not in text_of(result)
    assert "contextlib" not in text_of(result)


def test_what_would_change_is_told_by_the_first_line_with_what_sets_it(project: Project) -> None:
    test = "def test_it(tf_deployed):\n    tf_deployed.assert_no_changes()\n"
    main = 'resource "terraform_data" "x" {\n  input = timestamp()\n}\n'
    project.module(main=main, files={"test_it.py": test})
    result = project.run("--tf-module=module", "--tf-check=none", "-vv")
    words = "The plan is not empty: terraform_data.x would change."
    assert [line.partition(" - ")[2] for line in summary_of(result)] == [words]
    result.stdout.fnmatch_lines([f"E   {words}", "E   Cause: *timestamp() (main.tf:2), *"])


def test_other_failures_of_a_test_are_shown_as_pytest_shows_them(project: Project) -> None:
    project.module(files={"test_it.py": "def test_it(tf_module):\n    assert 1 == 2\n"})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.stdout.fnmatch_lines(["E       assert 1 == 2", "FAILED *test_it - assert 1 == 2"])


def test_a_module_in_the_root_is_named_after_its_folder_and_its_ids_can_be_pasted(
    project: Project,
) -> None:
    project.module(".")
    name = project.path.name
    checks = ("--tf-module=.", "--tf-check=delayed_apply", "--tf-check=cached_token_fails")
    result = project.run(*checks, "-v", f"{name}::oidc::cached_token_fails")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [f"{name}::oidc::cached_token_fails PASSED*", f"*OIDC: {name} *", "  signed in *"]
    )


def test_ids_of_a_module_outside_of_the_root_name_it(project: Project) -> None:
    project.module()
    (project.path / "tests").mkdir()
    result = project.check("delayed_apply", "--rootdir=tests", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["../module::oidc::delayed_apply"])


def test_checks_that_were_skipped_are_named_with_the_reason(project: Project) -> None:
    tests = project.path / "module/tests"
    tests.mkdir(parents=True)
    (tests / "a.tftest.hcl").write_text('run "nothing" {}\n', encoding="utf-8")
    result = project.check("delayed_apply")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["  skipped      delayed_apply: the module has only test files*"])
