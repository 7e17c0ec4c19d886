"""App Configuration by plain requests: what the SDK's client does not send."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure import statefile
from pytest_tfoidc.mockazure.appconfig.service import ConfigurationStores
from tests.mockazure.armclient import RG, Answer, Arm

STORE = f"{RG}/providers/Microsoft.AppConfiguration/configurationStores/conf"
OWNER = "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b"
ASSIGNMENT = f"{RG}/providers/Microsoft.Authorization/roleAssignments/{OWNER}"
ROLE = f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"


class Stores:
    """The configuration stores of a Resource Manager that has one."""

    def __init__(self) -> None:
        self.arm = Arm()
        self.service = ConfigurationStores(
            clock=self.arm.clock,
            access_tokens=self.arm.tokens,
            estate=self.arm.manager,
            keys=lambda _: (),
        )
        self.arm.manager.add(STORE)
        properties = {"roleDefinitionId": ROLE, "principalId": "object"}
        self.arm.manager.add(ASSIGNMENT, {"properties": properties})

    def __call__(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        bearer = self.arm.new_bearer("https://conf.azconfig.io")
        named = {"authorization": f"Bearer {bearer}", **headers}
        content = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
        host = "conf.azconfig.io"
        return Answer(self.service.handle(Request(method, "https", host, target, named, content)))


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/kv/a?api-version=1.0", None, 404),
        ("GET", "/kv/a", None, 400),
        ("DELETE", "/kv/a?api-version=1.0", None, 204),
        ("PUT", "/kv/..?api-version=1.0", {"value": "1"}, 400),
        ("PUT", "/kv/a%25b?api-version=1.0", {"value": "1"}, 400),
        ("PUT", "/kv/a?api-version=1.0&label=a*", {"value": "1"}, 400),
        ("PUT", "/kv/a?api-version=1.0", {"value": 1}, 400),
        ("PUT", "/kv/a?api-version=1.0", b"[]", 400),
        ("PUT", "/kv/a?api-version=1.0", {"value": "x" * 20_000}, 413),
        ("PUT", "/locks/a?api-version=1.0", None, 404),
        ("POST", "/kv/a?api-version=1.0", None, 405),
        ("GET", "/kv?api-version=1.0&key=a*b", None, 400),
        ("GET", "/kv?api-version=1.0&key=a,b,c,d,e,f", None, 400),
        ("GET", "/kv?api-version=1.0&After=x", None, 400),
        ("GET", "/kv?api-version=1.0&snapshot=none", None, 404),
        ("PUT", "/snapshots/a?api-version=1.0", {"filters": []}, 400),
        ("PUT", "/snapshots/a?api-version=1.0", {"filters": [{"key": 1}]}, 400),
        ("GET", "/nonsense?api-version=1.0", None, 404),
        ("GET", "/", None, 404),
    ],
)
def test_what_cannot_be_done_is_refused(
    stores: Stores, method: str, target: str, body: object, status: int
) -> None:
    assert stores(method, target, body).status == status


@pytest.mark.parametrize("key", ["a/b", "a b", "ä", "a\\b", "a,b", ":x?y#z&", "a//b"])
def test_a_key_may_have_any_character(stores: Stores, key: str) -> None:
    target = f"/kv/{quote(key, safe='')}?api-version=1.0"
    assert stores("PUT", target, {"value": "1"}).json["key"] == key
    assert stores("GET", target).json["key"] == key
    escaped = key.replace("\\", "\\\\").replace(",", "\\,")
    found = stores("GET", f"/kv?api-version=1.0&key={quote(escaped, safe='')}").json["items"]
    assert [item["key"] for item in found] == [key]


def test_what_a_store_holds_goes_through_a_state_file(stores: Stores) -> None:
    stores("PUT", "/kv/a?api-version=1.0&label=x", {"value": "hidden-value"})
    stores("PUT", "/snapshots/s?api-version=1.0", {"filters": [{"key": "*", "label": "x"}]})
    kept = statefile.decode(statefile.encode(stores.service.snapshot()))
    other = Stores()
    other.service.restore(kept)
    assert other("GET", "/kv/a?api-version=1.0&label=x").json["value"] == "hidden-value"
    assert other("GET", "/snapshots/s?api-version=1.0").json["items_count"] == 1
    assert "hidden-value" not in repr(kept)


WORDS = ("kv", "locks", "keys", "labels", "revisions", "snapshots", "operations", "a", "%00", "ä")
QUERIES = ("", "label=%00", "key=*", "key=%5C", "$select=key", "After=1", "tags=a", "snapshot=a")
VALUES = (
    st.none() | st.booleans() | st.sampled_from(("", "a", 1, 2**70, [], {"a": 1}, [{"key": "a"}]))
)
BODIES = st.binary(max_size=9) | st.dictionaries(
    st.sampled_from(("value", "tags", "content_type", "filters", "status", "retention_period")),
    VALUES,
)
HEADERS = st.dictionaries(
    st.sampled_from(("if-match", "if-none-match", "accept-datetime")),
    st.sampled_from(("*", '"a"', "", "x", "2020-01-01", "Fri, 01 Jan 2100 00:00:00 GMT")),
)


@settings(max_examples=100)
@given(
    st.sampled_from(("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD")),
    st.lists(st.sampled_from(WORDS), max_size=3),
    st.lists(st.sampled_from(QUERIES), max_size=3),
    BODIES,
    HEADERS,
)
def test_no_request_is_answered_with_a_failure_of_the_service(
    method: str, words: list[str], queries: list[str], body: object, headers: dict[str, str]
) -> None:
    stores = Stores()
    assert stores("PUT", "/kv/a?api-version=1.0", {"value": "1"}).status == 200
    target = f"/{'/'.join(words)}?{'&'.join(['api-version=1.0', *queries])}"
    assert 200 <= stores(method, target, body, **headers).status < 500
