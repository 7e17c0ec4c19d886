"""Notices that come up while the tests run are told at the end."""

from __future__ import annotations

import pytest

from tests.project_kit import Project

LIFTED = (
    "tfoidc: module: prevent_destroy was lifted in the copy, for the clean-up: terraform_data.x."
)
EXPIRING = """
from pytest_tfoidc.events import RequestTokenExpiring

def test_it(_oidc_session):
    now = _oidc_session.clock.now()
    event = RequestTokenExpiring(at=now, expires_at=now, consequence="Nothing after that.")
    _oidc_session.events.emit(event)
"""


def test_a_request_token_that_is_about_to_die_is_told_with_what_dies_with_it(
    project: Project,
) -> None:
    project.module(files={"test_it.py": EXPIRING})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.stdout.fnmatch_lines(
        ["tfoidc: The request token expires at ??:??:?? UTC. Nothing after that."]
    )


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_notice_is_told_once_however_many_workers_there_are(
    project: Project, workers: tuple[str, ...]
) -> None:
    protected = 'resource "terraform_data" "x" {\n  lifecycle {\n    prevent_destroy = true\n  }\n}'
    project.module(main=protected)
    result = project.check("delayed_apply", "--tf-check=cached_token_fails", *workers)
    result.assert_outcomes(passed=2)
    assert result.outlines.count(LIFTED) == 1


def test_nothing_is_told_where_nothing_came_up(project: Project) -> None:
    project.module(files={"test_it.py": "def test_it(_oidc_session): pass\n"})
    result = project.run("--tf-module=module", "--tf-check=none")
    result.stdout.no_fnmatch_line("*request token*")


UNHEALTHY = """\
resource "terraform_data" "a" { input = "x" }
check "health" {
  assert {
    condition     = terraform_data.a.output == "y"
    error_message = "The service does not answer."
  }
}
"""


def test_a_check_block_that_fails_is_told_once_and_fails_nothing(project: Project) -> None:
    project.module(main=UNHEALTHY)
    result = project.check("delayed_apply")
    result.assert_outcomes(passed=1)
    told = "tfoidc: module: a `check` block failed, which fails no command:"
    assert result.stdout.str().count(told) == 1
    result.stdout.fnmatch_lines([f"{told} The service does not answer (main.tf:4)."])
