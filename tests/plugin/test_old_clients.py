"""The use of the relay: backends from before Azure DevOps' refresh (Terraform 1.11.2)."""

from __future__ import annotations

import os

import pytest

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.reporting.diagnosis import FLOOR
from pytest_tfoidc.terraform.executable import find_executable
from tests.project_kit import EXECUTABLE, Project, text_of


@pytest.mark.proof
def test_without_the_relay_old_backends_fail_in_bounded_time_and_say_what_would_do_it(
    project: Project,
) -> None:
    """The negative control of the relay; `test_checks.py` shows that all pass with it."""
    release = find_executable(os.environ.get(EXECUTABLE), os.environ).release
    project.module()
    started = real_seconds()
    result = project.check("delayed_apply", "--tf-no-relay")
    assert real_seconds() - started < 60
    if release >= FLOOR:
        result.assert_outcomes(passed=1)
        return
    result.assert_outcomes(failed=1)
    printed = text_of(result)
    assert "HTTP status 405" in printed
    assert "that came with Terraform 1.11.2" in printed
    assert "Remedy: leave --tf-no-relay out, or use Terraform 1.11.2 or newer." in printed
