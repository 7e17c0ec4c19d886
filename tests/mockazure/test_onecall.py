"""How access tokens expire while an apply runs: by what clients do, never by how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from pytest_tfoidc.mockazure.onecall import ForcedExpiries, OneCallTokens, client_of
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS
from tests.mockazure.azurekit import ARM, Azure

GRAPH = "https://graph.microsoft.com"
GROUP = "/resourcegroups/rg-test"
JUMP = timedelta(minutes=2)
AZURERM = (
    "HashiCorp Terraform/1.15.5 (+https://www.terraform.io) terraform-provider-azurerm/5.2.0"
    " pid-222c6c49"
)


@pytest.fixture
def tokens(azure: Azure) -> Iterator[OneCallTokens]:
    """Let each token serve one call."""
    with azure.mock.access_tokens.serving_one_call(lambda: azure.clock.advance(JUMP)) as tokens:
        yield tokens


def call(
    azure: Azure, bearer: dict[str, str], path: str = GROUP, method: str = "GET", **headers: str
) -> int:
    subscription = f"/subscriptions/{azure.mock.directory.subscription_id}"
    url = f"{ARM}{subscription}{path}?api-version=2021-04-01"
    body = {"location": "westeurope"} if method == "PUT" else None
    return azure.send(method, url, json=body, headers={**bearer, **headers}).status_code


def test_a_client_that_asks_for_each_call_is_never_refused(
    azure: Azure, tokens: OneCallTokens
) -> None:
    assert [call(azure, azure.bearer(), method="PUT") for _ in range(4)] == [201, 200, 200, 200]
    (shown,) = tokens.shown
    assert (shown.calls, shown.expiries, shown.aged, shown.refused) == (4, 3, 0, 0)
    assert shown.service == "management.azure.com"


def test_a_token_that_is_kept_is_refused_always(azure: Azure, tokens: OneCallTokens) -> None:
    kept = azure.bearer()
    assert call(azure, kept, method="PUT") == 201
    assert [call(azure, kept), call(azure, kept, method="PUT"), call(azure, kept)] == [401] * 3
    assert call(azure, azure.bearer()) == 200
    assert tokens.shown[0].refused == 3


def test_a_token_is_good_however_often_the_clock_jumped_while_its_call_was_on_its_way(
    azure: Azure, tokens: OneCallTokens
) -> None:
    waiting = [azure.bearer() for _ in range(10)]  # ten at a time, and each of them is slow
    for _ in range(30):
        assert call(azure, azure.bearer(), method="PUT") < 300
    assert azure.clock.offset >= timedelta(minutes=60)
    assert [call(azure, bearer) for bearer in waiting] == [200] * 10
    assert [call(azure, bearer) for bearer in waiting] == [401] * 10
    assert tokens.shown[0].aged == 10


def test_an_id_token_is_good_for_its_first_exchange_and_dies_with_the_jumps_after_it(
    azure: Azure, tokens: OneCallTokens
) -> None:
    assertion = str(azure.id_token().json()["oidcToken"])
    for _ in range(5):
        call(azure, azure.bearer())
    assert "access_token" in azure.exchange(assertion)
    assert "access_token" in azure.exchange(assertion, scope=GRAPH)
    assert "AADSTS700024" in azure.exchange(assertion)["error_description"]
    assert "AADSTS700024" in azure.exchange(assertion, scope=GRAPH)["error_description"]


def test_what_was_issued_before_has_expired(azure: Azure) -> None:
    before, assertion = azure.bearer(), str(azure.id_token().json()["oidcToken"])
    azure.clock.advance(azure.mock.issuer.lifetime)
    with azure.mock.access_tokens.serving_one_call(lambda: azure.clock.advance(JUMP)):
        assert call(azure, before) == 401
        assert "AADSTS700024" in azure.exchange(assertion)["error_description"]


def test_a_call_that_failed_may_be_repeated_with_its_token(
    azure: Azure, tokens: OneCallTokens
) -> None:
    azure.mock.fail("arm", times=1, status=503, after=1)
    bearer = azure.bearer()
    assert call(azure, bearer) == 404  # no such group, which a client may ask for again
    assert call(azure, bearer) == 503
    assert call(azure, bearer, path="/resourcegroups/other") == 401
    assert call(azure, bearer) == 404


def test_a_call_whose_answer_was_cut_off_may_be_repeated(
    azure: Azure, tokens: OneCallTokens
) -> None:
    azure.mock.fail("arm", effect="cut", times=1)
    bearer = azure.bearer()
    with pytest.raises(requests.RequestException):
        call(azure, bearer, method="PUT")
    assert call(azure, bearer, method="PUT") == 200
    assert call(azure, bearer, method="PUT") == 401


def test_who_keeps_the_token_of_one_service_is_told_from_who_renews(
    azure: Azure, tokens: OneCallTokens
) -> None:
    kept = azure.bearer(GRAPH)
    for _ in range(2):
        azure.send("GET", f"{GRAPH}/v1.0/applications", headers=kept)
        call(azure, azure.bearer(), **{"User-Agent": AZURERM})
    by_client = {(one.client, one.service): one for one in tokens.shown}
    azurerm = by_client["azurerm 5.2.0", "management.azure.com"]
    (graph,) = [one for one in tokens.shown if one.service == "graph.microsoft.com"]
    assert (azurerm.expiries, azurerm.refused) == (1, 0)
    assert (graph.expiries, graph.refused) == (1, 1)


def test_a_client_that_calls_once_has_seen_no_expiry(azure: Azure, tokens: OneCallTokens) -> None:
    call(azure, azure.bearer(), **{"User-Agent": AZURERM})
    (shown,) = tokens.shown
    assert shown == ForcedExpiries(
        client="azurerm 5.2.0",
        service="management.azure.com",
        calls=1,
        expiries=0,
        aged=0,
        waited=shown.waited,
        refused=0,
    )


def test_a_new_connection_makes_no_difference(azure: Azure, tokens: OneCallTokens) -> None:
    kept = azure.bearer()
    assert call(azure, kept, Connection="close") == 404
    assert call(azure, kept, path="/resourcegroups/other", Connection="close") == 401
    assert call(azure, azure.bearer(), Connection="close") == 404


def test_tokens_that_are_made_to_expire_do(azure: Azure, tokens: OneCallTokens) -> None:
    bearer = azure.bearer()
    azure.mock.access_tokens.expire_all()
    assert call(azure, bearer) == 401


def test_afterwards_tokens_live_as_before(azure: Azure) -> None:
    with azure.mock.access_tokens.serving_one_call(lambda: azure.clock.advance(JUMP)):
        assert azure.log_in()["expires_in"] == RENEW_ALWAYS.total_seconds()
    assert azure.log_in()["expires_in"] == 3600
    kept = azure.bearer()
    assert [call(azure, kept) for _ in range(3)] == [404] * 3


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (AZURERM, "azurerm 5.2.0"),
        ("azsdk-go-azapi/v2 terraform-provider-azapi/v2.12.0", "azapi 2.12.0"),
        ("HashiCorp Terraform/1.11.4 (+https://www.terraform.io)", "Terraform 1.11.4"),
        ("OpenTofu/1.9.0 (+https://opentofu.org)", "OpenTofu 1.9.0"),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("", "a client without a name"),
    ],
)
def test_clients_are_named_for_people(user_agent: str, name: str) -> None:
    assert client_of(user_agent) == name
