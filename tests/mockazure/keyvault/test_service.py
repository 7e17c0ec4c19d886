"""Key Vault's data plane by plain requests: what the SDK's clients do not send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.mockazure import statefile
from tests.mockazure.armclient import TENANT, Arm, S
from tests.mockazure.vaultclient import VAULT, Vaults

PURGE = f"{S}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-many"


def test_a_vault_answers_at_once_without_a_token(vaults: Vaults) -> None:
    assert vaults("GET", "/", audience="").status == 404


def test_there_are_no_certificate_contacts_at_first(vaults: Vaults) -> None:
    answer = vaults("GET", "/certificates/contacts?api-version=7.4")

    assert (answer.status, answer.code) == (404, "ContactsNotFound")


@pytest.mark.parametrize("audience", ["", "https://management.azure.com"])
def test_a_bad_bearer_is_challenged(vaults: Vaults, audience: str) -> None:
    answer = vaults("GET", "/certificates/contacts", audience=audience)

    assert answer.status == 401
    assert (
        f'authorization="https://login.microsoftonline.com/{TENANT}"'
        in (answer.headers["WWW-Authenticate"])
    )
    assert 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "/secrets/one", None, 404, "SecretNotFound"),
        ("GET", "/keys/one/1", None, 404, "KeyNotFound"),
        ("DELETE", "/secrets/one", None, 404, "SecretNotFound"),
        ("POST", "/deletedsecrets/one/recover", None, 404, "SecretNotFound"),
        ("GET", "/certificates/one/pending", None, 404, "PendingCertificateNotFound"),
        ("POST", "/nonsense", None, 400, "BadParameter"),
        ("GET", "/secrets/one?api-version=", None, 400, "BadParameter"),
        ("GET", "/secrets/..%2fkeys", None, 400, "BadParameter"),
        ("PUT", "/secrets/under_score", {"value": "a"}, 400, "BadParameter"),
        ("PUT", "/secrets/one", {}, 400, "BadParameter"),
        ("PUT", "/secrets/one", {"value": 1}, 400, "BadParameter"),
        ("PUT", "/secrets/one", {"value": "a" * 30_000}, 400, "BadParameter"),
        ("PUT", "/secrets/one", {"value": "a", "tags": {"a": 1}}, 400, "BadParameter"),
        ("PUT", "/secrets/one", b"{", 400, "BadParameter"),
        ("POST", "/secrets", {"value": "a"}, 405, "MethodNotAllowed"),
        ("POST", "/secrets/restore", {"value": "!"}, 400, "BadParameter"),
        ("POST", "/keys/one/create", {"kty": "DSA"}, 400, "BadParameter"),
        ("POST", "/keys/one/create", {"kty": "RSA", "key_size": 1024}, 400, "BadParameter"),
        ("POST", "/keys/one/create", {"kty": "EC", "crv": "P-1"}, 400, "BadParameter"),
        ("PUT", "/keys/one", {"key": {"kty": "RSA", "n": "!"}}, 400, "BadParameter"),
        ("POST", "/certificates/one/create", {"policy": {}}, 400, "BadParameter"),
        ("POST", "/certificates/one/import", {"value": "AAAA"}, 400, "BadParameter"),
        ("GET", "/secrets?maxresults=0", None, 400, "BadParameter"),
        ("GET", "/secrets?maxresults=26", None, 400, "BadParameter"),
        ("GET", "/secrets?$skiptoken=x", None, 400, "BadParameter"),
    ],
)
def test_what_cannot_be_done_is_refused_in_key_vaults_words(
    vaults: Vaults, method: str, target: str, body: object, status: int, code: str
) -> None:
    answer = vaults(method, target, body)

    assert (answer.status, answer.code) == (status, code)


def test_a_vaults_purge_is_polled_to_its_end(vaults: Vaults) -> None:
    vaults("PUT", "/secrets/one", {"value": "a"})
    assert vaults.arm("DELETE", VAULT).status == 200
    assert vaults("GET", "/secrets/one").code == "VaultNotFound"
    begun = vaults.arm("POST", f"{PURGE}/purge")
    assert begun.status == 202
    path = begun.headers["Location"].partition("management.azure.com")[2]
    done = vaults.arm("GET", path)
    assert (done.status, done.response.body) == (200, b"")
    assert vaults.arm("GET", PURGE).status == 404
    assert vaults.arm("POST", f"{PURGE}/purge").status == 404


def test_a_protected_vault_is_purged_by_time_alone(vaults: Vaults) -> None:
    properties = {"enablePurgeProtection": True, "softDeleteRetentionInDays": 7}
    vaults.arm.manager.add(VAULT, {"properties": properties})
    vaults.arm("DELETE", VAULT)
    assert vaults.arm("POST", f"{PURGE}/purge").status == 405
    vaults.arm.clock.advance(timedelta(days=6))
    vaults.arm.bearer = vaults.arm.new_bearer()
    assert vaults.arm("GET", PURGE).json["properties"]["purgeProtectionEnabled"] is True
    assert vaults.arm("PUT", VAULT, {"location": "westeurope"}).status == 409
    vaults.arm.clock.advance(timedelta(days=2))
    vaults.arm.bearer = vaults.arm.new_bearer()
    assert vaults.arm("GET", PURGE).status == 404
    assert vaults.arm("PUT", VAULT, {"location": "westeurope"}).status == 201


def policies(arm: Arm) -> dict[str, list[str]]:
    found = arm("GET", VAULT).json["properties"]["accessPolicies"]
    return {p["objectId"]: p["permissions"].get("secrets", []) for p in found}


def test_access_policies_are_added_to_replaced_and_removed(vaults: Vaults) -> None:
    def change(verb: str, *granted: str) -> None:
        policy = {"objectId": "other", "permissions": {"secrets": list(granted)}}
        body = {"properties": {"accessPolicies": [policy]}}
        assert vaults.arm("PUT", f"{VAULT}/accessPolicies/{verb}", body).status == 200

    change("add", "get")
    change("add", "list")
    assert policies(vaults.arm) == {"object": ["all"], "other": ["get", "list"]}
    change("replace", "set")
    assert policies(vaults.arm)["other"] == ["set"]
    change("remove")
    assert policies(vaults.arm) == {"object": ["all"]}


def test_what_a_vault_holds_goes_through_a_state_file(vaults: Vaults) -> None:
    vaults("PUT", "/secrets/one", {"value": "a"})
    vaults("PUT", "/secrets/two", {"value": "b"})
    vaults("DELETE", "/secrets/two")
    kept = statefile.decode(statefile.encode(vaults.service.snapshot()))
    other = Vaults()
    other.service.restore(kept)
    assert other("GET", "/secrets/one").json["value"] == "a"
    assert other("POST", "/deletedsecrets/two/recover").status == 200
    assert vaults("GET", "/secrets/two").status == 404


def test_a_secret_is_in_no_text_that_people_see(vaults: Vaults) -> None:
    vaults("PUT", "/secrets/one", {"value": "hidden-value"})
    assert "hidden-value" not in repr(vaults.service.snapshot())
    assert vaults.service.names() == ("kv-many/one",)


JSON = (
    st.none()
    | st.booleans()
    | st.sampled_from((-1, 0, 2**70, 0.5, "", "a", "ä", "RSA", "EC", "CN=a"))
    | st.lists(st.sampled_from(("a", 1, None, {})), max_size=2)
    | st.just({"name": "Self", "subject": "CN=a", "contentType": 1, "kty": "EC", "enabled": 1})
)
WORDS = st.sampled_from(
    (
        *(
            "secrets",
            "keys",
            "certificates",
            "deletedsecrets",
            "deletedkeys",
            "deletedcertificates",
        ),
        *("one", "create", "import", "policy", "pending", "merge", "versions", "backup", "restore"),
        *("rotate", "rotationpolicy", "sign", "decrypt", "contacts", "issuers", "recover", "rng"),
        *("%2e%2e", "%00", "ä", "x" * 200, ""),
    )
)
PROPERTIES = (
    *("value", "tags", "attributes", "kty", "crv", "key", "key_ops", "policy", "alg", "digest"),
    *("x5c", "pwd", "contacts", "provider", "credentials", "issuer", "x509_props", "key_props"),
    *("lifetimeActions", "lifetime_actions", "secret_props", "count", "sans", "subject", "ekus"),
)
BODIES = st.one_of(
    st.binary(max_size=20),
    st.dictionaries(
        st.sampled_from(PROPERTIES),
        JSON | st.dictionaries(st.sampled_from(PROPERTIES), JSON, max_size=3),
        max_size=4,
    ),
)
KNOWN: list[tuple[str, str, Any]] = [
    ("PUT", "/secrets/one", {"value": "a"}),
    ("POST", "/keys/one/create", {"kty": "EC"}),
]


@settings(max_examples=100)
@given(
    st.sampled_from(("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "X")),
    st.lists(WORDS, max_size=5),
    BODIES,
)
def test_no_request_is_answered_with_a_failure_of_the_service(
    method: str, words: list[str], body: object
) -> None:
    vaults = Vaults()
    for known in KNOWN:
        assert vaults(*known).status == 200
    assert 200 <= vaults(method, "/" + "/".join(words), body).status < 500
