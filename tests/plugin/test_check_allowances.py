"""The allowances of the checks: with a reason each, and none for what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfoidc.checks.allowances import check_allowances
from pytest_tfoidc.errors import UsageError
from tests.project_kit import Project, text_of

ALWAYS = """\
resource "terraform_data" "deploy" {
  triggers_replace = { always_run = timestamp() }
}
"""
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
SAMPLE = f'resource "terraform_data" "sample" {{ input = "{TOKEN}" }}\n'


def allowing(project: Project, text: str) -> None:
    table = f"[tool.pytest_tfoidc.checks]\n{text}\n"
    (project.path / "pyproject.toml").write_text(table, encoding="utf-8")


def test_what_always_changes_is_named_with_its_cause_and_with_how_to_go_on(
    project: Project,
) -> None:
    project.module(main=ALWAYS)
    result = project.check("delayed_apply")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "The plan after the apply is not empty: terraform_data.deploy would change again.",
            "*-/+*terraform_data.deploy*triggers_replace*",
            "Cause: terraform_data.deploy is set by timestamp() (main.tf:2), another value*",
            "Remedy: *",
            "*[[]tool.pytest_tfoidc.checks[]]",
            '  allow = [[]{ match = "replace:terraform_data.deploy", reason = "…" }[]]',
        ]
    )


def test_a_value_that_comes_from_a_local_is_found_and_a_settled_one_is_not(
    project: Project,
) -> None:
    main = """\
locals { now = uuid() }
resource "terraform_data" "deploy" {
  count            = 60
  triggers_replace = local.now
}
resource "terraform_data" "calm" { input = "timestamp" }
"""
    project.module(main=main)
    result = project.check("delayed_apply")
    named = "terraform_data.deploy[[]0], terraform_data.deploy[[]1], terraform_data.deploy[[]2]"
    result.stdout.fnmatch_lines(
        [
            f"The plan after the apply is not empty: {named} and 57 more would change again.",
            "  … and * more changes",
            f"Cause: {named} and 57 more are set by uuid() (main.tf:1), *",
            '  allow = [[]{ match = "replace:terraform_data.deploy[[][*]]", reason = "…" }[]]',
        ]
    )
    assert "terraform_data.calm" not in "\n".join(
        line for line in result.outlines if line.startswith(("Cause", "The plan"))
    )


SEVERAL = """\
resource "terraform_data" "version" { input = uuid() }
resource "terraform_data" "app" {
  lifecycle { replace_triggered_by = [terraform_data.version] }
}
module "deploy" {
  for_each = toset(["a", "b"])
  source   = "./deploy"
}
output "build" { value = "b-${plantimestamp()}" }
"""


def test_what_is_offered_as_an_allowance_covers_all_of_it(project: Project) -> None:
    deploy = 'resource "terraform_data" "run" { triggers_replace = [timestamp()] }\n'
    project.module(main=SEVERAL, files={"deploy/main.tf": deploy})
    result = project.check("delayed_apply")
    result.assert_outcomes(failed=1)
    lines = result.outlines
    cause = next(line for line in lines if line.startswith("Cause: "))
    assert "terraform_data.app follows terraform_data.version" in cause
    assert "are set by timestamp() (deploy/main.tf:1)" in cause
    start = lines.index("  [tool.pytest_tfoidc.checks]")
    table = "\n".join(line.strip() for line in lines[start : lines.index("  ]", start) + 1])
    (project.path / "pyproject.toml").write_text(f"{table}\n", encoding="utf-8")
    project.check("delayed_apply").assert_outcomes(passed=1)


def test_a_difference_that_is_allowed_with_a_reason_passes(project: Project) -> None:
    project.module(main=ALWAYS)
    match = 'match = "replace:terraform_data.deploy"'
    allowing(project, f'allow = [{{ {match}, reason = "deploys each time" }}]')
    project.check("delayed_apply").assert_outcomes(passed=1)


def test_an_allowance_does_not_cover_another_resource(project: Project) -> None:
    project.module(main=ALWAYS + ALWAYS.replace("deploy", "other"))
    allowing(project, 'allow = ["replace:terraform_data.deploy"]\nreason = "deploys each time"')
    result = project.check("delayed_apply")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not empty: terraform_data.other would change again."])


@pytest.mark.parametrize("check", ["delayed_apply", "no_cached_credentials"])
def test_an_allowance_that_matches_nothing_fails(project: Project, check: str) -> None:
    project.module()
    allowing(project, 'allow = ["x.y"]\nno_secret = ["x.y"]\nreason = "it was so once"')
    result = project.check(check)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The allowance 'x.y' (it was so once) matches nothing: remove*"])


def test_an_allowance_for_other_modules_is_none_here(project: Project) -> None:
    project.module()
    allowing(project, 'allow = ["x.y"]\nreason = "it was so once"\nmodules = ["other"]')
    (project.path / "other").mkdir()  # it is there, and not tested in this run
    project.check("delayed_apply").assert_outcomes(passed=1)


def test_a_finding_that_is_said_to_be_no_secret_passes_and_is_named_otherwise(
    project: Project,
) -> None:
    project.module(main=SAMPLE)
    result = project.check("no_cached_credentials")
    result.assert_outcomes(failed=1)
    assert TOKEN not in text_of(result)
    result.stdout.fnmatch_lines(["If it is no secret, say so under*no_secret*"])
    allowing(
        project,
        'no_secret = ["terraform_data.sample", "source.main.tf"]\nreason = "made up for a test"',
    )
    result = project.check("no_cached_credentials")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('allow = ["x.y"]', "The allowance 'x.y' has no reason."),
        ('no_secret = [{ match = "x.y" }]', "The allowance 'x.y' has no reason."),
        ('alow = ["x.y"]', "What the checks tolerate cannot be read."),
        ("allow = [3]", "`allow` cannot be read."),
    ],
)
def test_a_table_that_cannot_be_read_is_said_at_start(
    project: Project, text: str, message: str
) -> None:
    project.module()
    allowing(project, text)
    result = project.check("delayed_apply")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*{message}", "Where: *pyproject.toml*tool.pytest_tfoidc.checks*"]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.pytest_tfoidc.check]\nallow = []", r"\[tool\.pytest_tfoidc\.check\] is not known"),
        ('[tool.pytest_tfoidc]\ntf_module = "x"', r"stand in \[tool\.pytest\.ini_options\]"),
        ("[tool]\npytest_tfoidc = 3", r"\[tool\.pytest_tfoidc\.checks\] is no table"),
        ("[tool.pytest_tfoidc.checks]\nallow = [{ match = 3 }]", "has no text to match"),
    ],
)
def test_what_nobody_would_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        check_allowances(file)


def test_allowances_may_stand_in_tables_of_their_own(project: Project) -> None:
    project.module(main=ALWAYS)
    text = '[tool.pytest_tfoidc.checks.deploy]\nallow = "replace:terraform_data.deploy"\n'
    (project.path / "pyproject.toml").write_text(text + 'reason = "each time"\n', encoding="utf-8")
    project.check("delayed_apply").assert_outcomes(passed=1)


def test_an_allowance_for_a_module_that_is_not_there_is_refused(project: Project) -> None:
    project.module(main=ALWAYS)
    allowing(project, 'allow = ["x.y"]\nreason = "it was so once"\nmodules = ["modul"]')
    result = project.run("--tf-module=module", "--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: tfoidc: There is no module 'modul'.",
            "Where: *pyproject.toml, `modules`",
            "Cause: it is no folder, and this run tests module",
            "Remedy: Did you mean module?",
        ]
    )
