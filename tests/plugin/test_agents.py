"""In a pipeline a failure is an issue with file and line, and the run has a summary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project_kit import Project, text_of

FAILING = """\
terraform {
  backend "local" {}
}

resource "terraform_data" "first" {
  lifecycle {
    precondition {
      condition     = length(path.cwd) == 0
      error_message = "Never | <b>true</b>."
    }
  }
}
"""
ISSUES = {
    "GITHUB_ACTIONS": "::error file=module/main.tf,line=8::",
    "TF_BUILD": "##vso[task.logissue type=error;sourcepath=module/main.tf;linenumber=8;]",
}


@pytest.mark.parametrize("variable", sorted(ISSUES))
def test_a_failure_is_one_issue_and_a_row_of_the_summary(
    project: Project, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    folder = project.path / "agent"
    folder.mkdir()
    monkeypatch.setenv(variable, "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    monkeypatch.setenv("AGENT_TEMPDIRECTORY", str(folder))
    project.module(main=FAILING)
    result = project.check("delayed_apply", "--tf-context=mock", "-n1")
    result.assert_outcomes(failed=1)
    assert [line.startswith(ISSUES[variable]) for line in issues(result)] == [True]
    (summary,) = folder.iterdir()
    text = summary.read_text("utf-8")
    assert "1 failed" in text
    assert "| module::oidc::delayed&#95;apply |" in text
    uploaded = f"##vso[task.uploadsummary]{summary}"
    assert (uploaded in result.outlines) == (variable == "TF_BUILD")


INJECTING = """
def test_it(tf_module):
    print("::error::injected\\n##vso[task.complete result=Succeeded;]x")
    print("  ::endgroup::\\n##[endgroup]")
    tf_module.plan()
"""
GROUPS = {
    "GITHUB_ACTIONS": ("::group::", "::endgroup::"),
    "TF_BUILD": ("##[group]", "##[endgroup]"),
}
COMMAND = re.compile(r"^\s*::[A-Za-z]|##vso\[|##\[")  # what one of the agents would obey


@pytest.mark.parametrize("variable", sorted(GROUPS))
def test_what_several_say_is_one_issue_logs_are_folded_and_nothing_is_injected(
    project: Project, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "true")
    project.module(main=FAILING, files={"test_it.py": INJECTING})
    checks = ("--tf-check=destroy_after_expiry", "--tf-context=mock")
    result = project.check("delayed_apply", *checks, "-n4")
    result.assert_outcomes(failed=3)
    first, second = sorted(issues(result), key=lambda line: "and 1 more" in line)
    assert "module/test_it.py::test_it: The workspace was not initialized" in first
    assert "module/test_it.py" in first
    assert re.search(r"\b(?:line=|linenumber=)5\b", first)
    assert "Never | <b>true</b> (main.tf:8)" in second
    begin, end = GROUPS[variable]
    obeyed = [line for line in result.outlines if COMMAND.search(line)]
    opened = [line for line in obeyed if line.startswith(begin)]
    assert "module/test_it.py::test_it: Captured stdout call" in opened[0]
    assert len(opened) == obeyed.count(end) == len(opened)
    ours = ("::error", "::add-mask::", "##vso[task.logissue", "##vso[task.setsecret]", begin)
    assert [line for line in obeyed if line != end and not line.startswith(ours)] == []


def issues(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith(("::error", "##vso[task.logissue"))]


def test_elsewhere_nothing_is_told(project: Project) -> None:
    project.module(main=FAILING)
    result = project.check("delayed_apply")
    result.assert_outcomes(failed=1)
    assert issues(result) == []
    assert "##vso[" not in text_of(result)
    assert not list(Path(project.path).rglob("tfoidc-*.md"))


NAMED = """
import warnings

import pytest


@pytest.mark.parametrize("x", ["##vso[task.complete result=Failed;]x", "::error::x", "a"])
def test_it(x, arm_env):
    warnings.warn("##vso[task.complete]warned")
    assert x == "a", "::error::asserted"
"""
ASSERTING = """run "it" {
  command = plan

  assert {
    condition     = terraform_data.first.input == "x"
    error_message = "##vso[task.complete]said"
  }
}
"""


@pytest.mark.parametrize("variable", sorted(ISSUES))
@pytest.mark.parametrize("options", [("-v",), ("-rA", "--color=yes"), ("-n1", "-v")])
def test_the_names_of_tests_and_files_command_no_agent(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    options: tuple[str, ...],
) -> None:
    """Pytest writes them itself, in many places; the agents read all lines."""
    monkeypatch.setenv(variable, "true")
    project.module(files={"tests/##vso[task.complete]a.tftest.hcl": ASSERTING})
    (project.path / "test_it.py").write_text(NAMED)
    given = ("--tf-context=mock", "--tf-module", "module", "--tf-check=none")
    result = project.run(*given, *options, "module", "test_it.py")
    result.assert_outcomes(passed=1, failed=3, warnings=3)
    ours = ("::error file=", "::add-mask::", "##vso[task.logissue", "##vso[task.setsecret]")
    obeyed = [line for line in result.outlines if COMMAND.search(line)]
    groups = GROUPS[variable]
    assert [line for line in obeyed if not line.startswith((*ours, *groups))] == []
    assert len([line for line in obeyed if line.startswith(("::error", "##vso[task.log"))]) == 2
    assert "# #vso[task.complete" in text_of(result)
