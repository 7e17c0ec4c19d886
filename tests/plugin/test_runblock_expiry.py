"""Tokens that expire between runs and in the teardown (hashicorp/terraform#35361)."""

from __future__ import annotations

import os

import pytest

from tests.project_kit import Project, text_of
from tests.providers.providermirror import lay_out

MAIN = """
terraform {
  required_providers {
    mockcloud = {
      source  = "tfoidc/mockcloud"
      version = "2.0.0"
    }
  }
}

variable "oidc_token" {
  type      = string
  sensitive = true
  default   = null
}

provider "mockcloud" {
  oidc_token = var.oidc_token
}

resource "mockcloud_group" "this" {
  name     = "rg-test"
  location = "westeurope"
}
"""
RUNS = """
run "deploys" {
}

run "looks_again" {
  assert {
    condition     = mockcloud_group.this.location == "westeurope"
    error_message = "It has moved."
  }
}
"""
# The old way: one ID token, fetched when the run starts, for everything that comes after.
CACHED = """
import dataclasses

from pytest_tfoidc.plugin.run import RUN


def pytest_collection_finish(session):
    run = session.config.stash[RUN]
    token = run.session.source.fetch(run.session.context.audience).value
    run.settings = dataclasses.replace(run.settings, variables=(f"oidc_token={token}",))
"""
MARKED = """
import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "looks_again":
            item.add_marker(pytest.mark.tf_test_jump("1h"))
"""
JUMP = "--tf-test-jump=@teardown=1h"


@pytest.fixture
def arguments(project: Project, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    for name, value in lay_out(project.path / "providers").items():
        monkeypatch.setenv(name, value)
    project.module(main=MAIN, files={"tests/group.tftest.hcl": RUNS})
    return ("--tf-module=module", "--tf-check=none", "--junitxml=junit.xml")


@pytest.mark.proof
def test_a_run_passes_the_clock_jumps_and_the_teardown_ends_clean(
    project: Project, arguments: tuple[str, ...]
) -> None:
    result = project.run(*arguments, JUMP)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*survived *clean-up after 1h*", "*time *1h*simulated in*"])
    report = (project.path / "junit.xml").read_text("utf-8")
    assert 'name="provider registry.terraform.io/tfoidc/mockcloud" value="2.0.0"' in report


@pytest.mark.proof
def test_with_the_token_cached_the_old_way_the_same_file_fails_in_its_teardown(
    project: Project, arguments: tuple[str, ...]
) -> None:
    (project.path / "conftest.py").write_text(CACHED)
    result = project.run(*arguments, JUMP)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of looks_again*",
            "E   The teardown left behind: mockcloud_group.this",
            "E   Cause: the ID token had expired before it was exchanged*",
            "E   Remedy: *refresh variables*",
            "E   *AADSTS700024*",
        ]
    )
    assert "survived" not in text_of(result)


def test_without_a_jump_the_cached_token_is_good_enough(
    project: Project, arguments: tuple[str, ...]
) -> None:
    (project.path / "conftest.py").write_text(CACHED)
    project.run(*arguments).assert_outcomes(passed=2)


def test_the_clock_jumps_between_two_runs_by_option_and_by_marker(
    project: Project, arguments: tuple[str, ...]
) -> None:
    option = "--tf-test-jump=group.tftest.hcl::looks_again=1h"
    project.run(*arguments, option).assert_outcomes(passed=2)
    (project.path / "conftest.py").write_text(MARKED + CACHED)
    cached = project.run(*arguments)
    assert cached.parseoutcomes()["passed"] == 1
    assert "AADSTS700024" in text_of(cached)


def test_nobody_moves_the_clock_of_a_pipeline(
    project: Project, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://localhost/token?a=b",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": os.urandom(8).hex(),
        "GITHUB_ACTIONS": "true",
        "ARM_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
        "ARM_TENANT_ID": "00000000-0000-0000-0000-000000000002",
        "ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000003",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    result = project.run(*arguments, JUMP, "--tf-context=github")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Nobody can move the clock in a live context*"])
