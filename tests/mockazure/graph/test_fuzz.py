"""No input of Microsoft Graph gives a 5xx or an exception."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.mockazure import graph
from pytest_tfoidc.mockazure.graph import facts
from tests.mockazure import doors
from tests.mockazure.graph.graphclient import Client

SEGMENTS = [
    "applications", "servicePrincipals", "groups", "users", "owners", "members", "$ref", "object",
    "federatedIdentityCredentials", "appRoleAssignedTo", "addPassword", "removePassword",
    "directoryObjects", "getByIds", "directory", "deletedItems", "restore", "memberOf",
    "applications(appId='client')", "servicePrincipals(appId='client')", "me", "(", "",
]  # fmt: skip
values = st.none() | st.booleans() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
bodies: st.SearchStrategy[object] = st.dictionaries(
    st.sampled_from(
        ["displayName", "appId", "name", "issuer", "subject", "audiences", "principalId", "keyId",
         "owners@odata.bind", "@odata.id", "mailEnabled", "mailNickname", "securityEnabled", "ids",
         "userPrincipalName", "passwordProfile", "passwordCredential", "resourceId", "web"]
    ),
    values | st.just({}) | st.just("object"),
)  # fmt: skip
calls = st.tuples(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"]),
    st.lists(st.sampled_from(SEGMENTS) | st.text(max_size=4).map(quote), max_size=5),
    st.sampled_from(
        ["", "?$filter=a eq 'b'", "?$top=1", "?$select=id", "?$search=x", "?$filter=("]
    ),
    bodies | st.binary(max_size=5),
)


@settings(max_examples=100)
@given(st.lists(calls, max_size=10))
def test_no_sequence_of_requests_gives_a_server_error(
    sequence: list[tuple[str, list[str], str, object]],
) -> None:
    client = Client()
    for method, segments, query, body in sequence:
        answer = client(method, "/" + "/".join(segments) + query, body)
        assert 200 <= answer.status < 500
        if answer.response.body:
            assert isinstance(answer.json, dict)


PLACES = [f"/{path.replace('*', 'x')}{rest}" for path in facts.COLLECTIONS for rest in ("", "/x")]


@settings(max_examples=150)
@given(doors.calls(PLACES, doors.words_read(graph)))
def test_no_collection_gives_a_server_error(row: list[tuple[str, str, object]]) -> None:
    client = Client()
    for method, path, body in row:
        assert 200 <= client(method, path, body).status < 500
