"""Verdicts do not depend on how fast anything is: honest clients pass, keepers are found, always.

Each is made once here; `tests/benchmarks/bench_verdicts.py` makes them as often as one likes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc.checks.oidc import expiry_during_apply
from pytest_tfoidc.checks.parts import CheckFailure, CheckSkipped, Subject, require_expiries
from pytest_tfoidc.events import CommandStarted
from pytest_tfoidc.mockazure.onecall import ForcedExpiries
from pytest_tfoidc.reporting.summary import ClientExpiries, Evidence
from pytest_tfoidc.session import OidcSession, SessionOptions
from tests.providers.providermirror import HABITS, lay_out

pytest.importorskip("tf", reason="providers for tests are written with the package tf")

AT_ONCE = 10  # Terraform's default
MODULE = """
terraform {
  backend "azurerm" {}
  required_providers {
    habits = {
      source = "tfoidc/habits"
    }
  }
}

provider "habits" {
  habit = "%s"
}

resource "habits_group" "this" {
  count = %d
  name  = "rg-${count.index}"
}
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcSession]:
    mirror = lay_out(tmp_path_factory.mktemp("providers"), source=HABITS, versions=("1.0.0",))
    executable = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    options = SessionOptions(
        context="mock", executable=executable, environment={**os.environ, **mirror}
    )
    with OidcSession(options) as session:
        yield session


def check(session: OidcSession, folder: Path, habit: str, *, count: int = AT_ONCE) -> Evidence:
    """Let every access token expire while clients of a habit apply."""
    (module := folder / "module").mkdir()
    (module / "main.tf").write_text(MODULE % (habit, count), encoding="utf-8")
    with session.isolated(), session.cleaned_workspace(module) as workspace:
        subject = Subject(
            session=session,
            workspace=workspace,
            clock=session.oidc_clock,
            delay=timedelta(minutes=30),
        )
        return expiry_during_apply(subject)


def habits_of(shown: Evidence, service: str = "management.azure.com") -> ClientExpiries:
    """Return what was forced on the provider."""
    (found,) = [
        one for one in shown.clients if (one.client, one.service) == ("habits 1.0.0", service)
    ]
    return found


@pytest.mark.parametrize("habit", ["slow", "renews", "connects"])
def test_who_asks_for_a_token_before_each_call_passes(
    session: OidcSession, tmp_path: Path, habit: str
) -> None:
    shown = habits_of(check(session, tmp_path, habit))
    assert (shown.calls, shown.expiries, shown.refused) == (AT_ONCE, AT_ONCE - 1, 0)


@pytest.mark.parametrize("habit", ["keeps", "minute", "retries"])
def test_who_keeps_an_access_token_is_found_and_named(
    session: OidcSession, tmp_path: Path, habit: str
) -> None:
    mark = session.events.mark()
    with pytest.raises(CheckFailure) as failure:
        check(session, tmp_path, habit)
    said, tries = str(failure.value), 3 if habit == "retries" else 1
    came, refused = 1 + (AT_ONCE - 1) * tries, (AT_ONCE - 1) * tries
    assert said.startswith(
        "habits 1.0.0 came to management.azure.com with an access token that had expired after its"
        f" last call: {refused} of {came} calls."
    )
    assert "Remedy: " in said
    assert "ExpiredAuthenticationToken" in said
    commands = [e.command for e in session.events.of(CommandStarted, since=mark)]
    assert commands == ["init", "plan", "apply"]  # nothing is destroyed for tidiness


def test_who_keeps_the_token_of_one_service_is_found(session: OidcSession, tmp_path: Path) -> None:
    with pytest.raises(CheckFailure) as failure:
        check(session, tmp_path, "keeps_one")
    assert str(failure.value).startswith("habits 1.0.0 came to graph.microsoft.com")
    assert "came to management.azure.com" not in str(failure.value)


def test_tokens_that_were_asked_for_ahead_are_good_for_one_call_each(
    session: OidcSession, tmp_path: Path
) -> None:
    shown = habits_of(check(session, tmp_path, "ahead"))
    assert (shown.refused, shown.expiries) == (0, AT_ONCE - 1)
    assert shown.aged >= AT_ONCE - 1


def test_who_calls_once_has_been_put_to_nothing(session: OidcSession, tmp_path: Path) -> None:
    shown = habits_of(check(session, tmp_path, "keeps", count=1))
    assert (shown.calls, shown.expiries) == (1, 0)


@pytest.mark.parametrize(
    ("calls", "reason"),
    [(0, "nobody called Azure with one"), (1, "azurerm 5.2.0 called management.azure.com once")],
)
def test_where_nobody_came_back_the_check_is_skipped_and_says_why(calls: int, reason: str) -> None:
    shown = ForcedExpiries(
        client="azurerm 5.2.0",
        service="management.azure.com",
        calls=1,
        expiries=0,
        aged=0,
        waited=0.0,
        refused=0,
    )
    with pytest.raises(CheckSkipped, match=reason):
        require_expiries((shown,) * calls)
    require_expiries((replace(shown, calls=2, expiries=1),))
