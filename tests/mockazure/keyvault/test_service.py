from __future__ import annotations

import pytest

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.keyvault.service import KeyVaults
from pytest_tfoidc.mockazure.tokens import AccessTokens
from tests.mockazure.armclient import KEY, TENANT, Answer

HOST = "kv-many.vault.azure.net"


def call(method: str, target: str, *, audience: str = "https://vault.azure.net") -> Answer:
    tokens = AccessTokens(clock=VirtualClock(), events=EventLog())
    tokens.key = KEY
    headers = {}
    if audience:
        token = tokens.issue(
            audience=audience, client_id="client", object_id="object", tenant_id=TENANT
        )
        headers = {"authorization": f"Bearer {token.value}"}
    vaults = KeyVaults(access_tokens=tokens, tenant_id=TENANT)
    return Answer(vaults.handle(Request(method, "https", HOST, target, headers)))


def test_a_vault_answers_at_once_without_a_token() -> None:
    assert call("GET", "/", audience="").status == 404


def test_there_are_no_certificate_contacts() -> None:
    answer = call("GET", "/certificates/contacts?api-version=7.4")

    assert (answer.status, answer.code) == (404, "ContactsNotFound")


@pytest.mark.parametrize("audience", ["", "https://management.azure.com"])
def test_a_bad_bearer_is_challenged(audience: str) -> None:
    answer = call("GET", "/certificates/contacts", audience=audience)

    assert answer.status == 401
    assert (
        f'authorization="https://login.microsoftonline.com/{TENANT}"'
        in (answer.headers["WWW-Authenticate"])
    )
    assert 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/secrets/one", 404, "SecretNotFound"),
        ("PUT", "/secrets/one", 404, "SecretNotFound"),
        ("GET", "/keys/one/1", 404, "KeyNotFound"),
        ("POST", "/nonsense", 400, "BadParameter"),
    ],
)
def test_nothing_is_kept_in_a_vault(method: str, target: str, status: int, code: str) -> None:
    answer = call(method, target)

    assert (answer.status, answer.code) == (status, code)


def test_lists_are_empty() -> None:
    assert call("GET", "/secrets").json["value"] == []
