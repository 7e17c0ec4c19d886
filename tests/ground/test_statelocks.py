"""A state that is locked: who holds it, since when, and whether that run is ours."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.reporting.diagnosis import diagnose
from pytest_tfoidc.session import lock_timeout_of
from pytest_tfoidc.statelocks import find_lock

TEXT = """\
Error: Error acquiring the state lock
Error message: state blob is already locked
Lock Info:
  ID:        8e3f0a53-1234-4bd6-8a5b-3d2a0e7bd39b
  Path:      tfstate/prod.tfstate
  Operation: OperationTypeApply
  Who:       root@box
  Version:   1.11.4
  Created:   2026-11-25 23:00:00.5 +0000 UTC
  Info:

Terraform acquires a state lock to protect the state from being written
"""
BOXED = "\n".join(f"│ {line}" for line in TEXT.splitlines())


@pytest.mark.parametrize("text", [TEXT, BOXED])
def test_a_lock_is_read_from_what_terraform_prints(text: str) -> None:
    lock = find_lock(text)
    assert lock is not None
    assert lock.id == "8e3f0a53-1234-4bd6-8a5b-3d2a0e7bd39b"
    assert lock.path == "tfstate/prod.tfstate"
    assert lock.who == "root@box"
    assert lock.created == datetime(2026, 11, 25, 23, 0, tzinfo=timezone.utc)
    assert str(lock) == "root@box since 2026-11-25 23:00:00 UTC for apply"


@pytest.mark.parametrize("holder", ["root@box", "root@other"])
def test_a_diagnosis_says_whose_it_may_be(holder: str) -> None:
    found = diagnose(TEXT, holder=holder)
    assert found is not None
    assert "locked by root@box since 2026-11-25 23:00:00 UTC" in found.cause
    is_ours = holder == "root@box"
    assert ("this user on this machine" in found.cause) is is_ours
    assert ("tfoidc sweep" in found.remedy) is is_ours
    assert "terraform force-unlock 8e3f0a53" in found.remedy


def test_a_lock_that_says_nothing_is_told_as_such() -> None:
    found = diagnose("Error: Error acquiring the state lock\n\nstate blob is already locked")
    assert found is not None
    assert "somebody (the lock does not say who)" in found.cause


def test_another_error_is_no_lock() -> None:
    assert find_lock("Error: something\n  ID: 3\n  Who: me") is None


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    find_lock(f"Error acquiring the state lock\n{text}")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TF_CLI_ARGS": "-no-color -lock-timeout=90s"}, "90s"),
        ({"TF_CLI_ARGS_apply": "--lock-timeout 5m"}, "5m"),
        ({"TF_CLI_ARGS_plan": "-var=x=-lock-timeout=1s"}, ""),
        ({}, ""),
    ],
)
def test_the_timeout_that_a_user_has_configured_is_used(
    environment: dict[str, str], expected: str
) -> None:
    assert lock_timeout_of(environment) == expected
