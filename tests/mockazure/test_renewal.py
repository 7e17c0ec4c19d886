"""When clients renew while operations take virtual time: as late as they would in life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pytest_tfoidc.clock import parse_duration
from pytest_tfoidc.events import AccessTokenIssued
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS
from tests.mockazure.azurekit import Azure

EXPIRED = "AADSTS700024"
GRAPH = "https://graph.microsoft.com"
MSAL = {"x-client-SKU": "MSAL.Python"}


@pytest.fixture
def azure(shared_azure: Azure) -> Iterator[Azure]:
    """Return the stand-in while something takes its time, and a client with a new connection."""
    with shared_azure.lent() as azure:
        azure.mock.resource_manager.takes("Vendor.Thing/things", "45m")
        yield azure
    shared_azure.session.headers.pop("x-client-SKU", None)
    shared_azure.session.close()  # which a session survives; its connections do not


def passed(azure: Azure, duration: str, assertion: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
    """Let time pass, and exchange an ID token then."""
    azure.clock.advance(parse_duration(duration))
    return azure.exchange(assertion, **options)


@pytest.fixture
def assertion(azure: Azure) -> str:
    """Return an ID token that has been exchanged, and that a client has got nothing but."""
    token = str(azure.id_token().json()["oidcToken"])
    assert azure.exchange(token)["expires_in"] == RENEW_ALWAYS.total_seconds()
    return token


def test_a_client_has_its_access_token_until_it_would_renew_it(
    azure: Azure, assertion: str
) -> None:
    first = azure.exchange(assertion)["access_token"]
    mark = azure.events.mark()

    assert passed(azure, "39m", assertion)["access_token"] == first
    assert azure.events.of(AccessTokenIssued, since=mark) == ()
    assert EXPIRED in passed(azure, "2m", assertion)["error_description"]


def test_msal_holds_on_for_longer(azure: Azure, assertion: str) -> None:
    azure.session.headers.update(MSAL)

    assert "access_token" in passed(azure, "54m", assertion)
    assert EXPIRED in passed(azure, "2m", assertion)["error_description"]


@pytest.mark.parametrize(("sku", "announced"), [("MSAL.Go", -3600), ("MSAL.Python", 5), ("", 5)])
def test_azcore_renews_what_has_expired_only(azure: Azure, sku: str, announced: int) -> None:
    azure.session.headers["x-client-SKU"] = sku

    assert azure.log_in()["expires_in"] == announced
    azure.mock.resource_manager.takes("Vendor.Thing/things", "0s")
    assert azure.log_in()["expires_in"] == 3600


def test_a_new_client_has_nothing_to_hold_on_to(azure: Azure, assertion: str) -> None:
    azure.session.close()

    assert EXPIRED in passed(azure, "10m", assertion)["error_description"]


@pytest.mark.parametrize("options", [{"scope": GRAPH}, {"client": "another"}])
def test_a_token_is_held_for_one_service_and_client(
    azure: Azure, assertion: str, options: dict[str, str]
) -> None:
    assert "access_token" not in passed(azure, "10m", assertion, **options)


def test_what_was_made_to_expire_is_not_held(azure: Azure, assertion: str) -> None:
    azure.mock.access_tokens.expire_all()

    assert EXPIRED in passed(azure, "10m", assertion)["error_description"]


def test_an_id_token_that_was_made_to_expire_is_refused(azure: Azure, assertion: str) -> None:
    azure.mock.issuer.expire_all()

    assert EXPIRED in azure.exchange(assertion)["error_description"]


def test_another_id_token_is_exchanged_for_another_access_token(
    azure: Azure, assertion: str
) -> None:
    first = azure.exchange(assertion)["access_token"]
    azure.clock.advance(timedelta(minutes=6))
    second = str(azure.id_token().json()["oidcToken"])

    assert azure.exchange(second)["access_token"] != first
    assert EXPIRED in azure.exchange(assertion)["error_description"]


@pytest.mark.parametrize("announced", [None, timedelta(seconds=5)])
def test_nothing_is_held_while_time_stands_still(
    azure: Azure, assertion: str, announced: timedelta | None
) -> None:
    azure.mock.resource_manager.takes("Vendor.Thing/things", "0s")
    azure.mock.access_tokens.announced_lifetime = announced

    assert EXPIRED in passed(azure, "10m", assertion)["error_description"]
