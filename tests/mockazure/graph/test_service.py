from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from pytest_tfoidc.mockazure.federated import FederatedCredential
from tests.mockazure.armclient import TENANT
from tests.mockazure.graph.graphclient import HOST, Client

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
SUBJECT = "sc://org/project/connection"
FIC = {"name": "f", "issuer": "https://issuer", "subject": SUBJECT, "audiences": ["a"]}
USER = {
    "displayName": "Ann",
    "mailNickname": "ann",
    "userPrincipalName": "ann@example.com",
    "passwordProfile": {"password": "made-up"},
}
GROUP = {
    "displayName": "g",
    "mailEnabled": False,
    "mailNickname": "g",
    "securityEnabled": True,
}


@pytest.fixture
def app(client: Client) -> Any:  # noqa: ANN401 - JSON
    return client.make("applications", {"displayName": "app"})


def link(object_id: str) -> dict[str, str]:
    return {"@odata.id": f"https://{HOST}/v1.0/directoryObjects/{object_id}"}


def test_an_application_is_made_read_changed_and_deleted(client: Client) -> None:
    made = client.make("applications", {"displayName": "TERRAFORM_UPDATE_x"})
    path = f"/applications/{made['id']}"
    assert made["appId"] != made["id"]
    assert made["signInAudience"] == "AzureADMyOrg"

    assert client("PATCH", path, {"displayName": "app"}).status == 204
    assert client("GET", path, version="beta").json["displayName"] == "app"

    assert client("DELETE", path).status == 204
    gone = client("GET", path)
    assert (gone.status, gone.code) == (404, "Request_ResourceNotFound")
    assert gone.json["error"]["innerError"]["request-id"]


def test_a_patch_keeps_what_it_does_not_name(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    path = f"/applications/{app['id']}"

    client(
        "PATCH", path, {"web": {"redirectUris": ["https://x/"]}, "id": "other", "appId": "other"}
    )

    found = client("GET", path).json
    assert found["web"]["redirectUris"] == ["https://x/"]
    assert found["web"]["implicitGrantSettings"]["enableIdTokenIssuance"] is False
    assert (found["id"], found["appId"]) == (app["id"], app["appId"])


def test_objects_can_be_named_by_their_keys(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    assert client("GET", f"/applications(appId='{app['appId']}')").json["id"] == app["id"]
    assert client("GET", "/applications(appId='none')").status == 404
    client.make("users", USER)
    assert client("GET", "/users/ann@example.com").json["displayName"] == "Ann"


def test_a_service_principal_takes_after_its_application(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    made = client.make("servicePrincipals", {"appId": app["appId"], "tags": ["t"]})

    assert made["displayName"] == "app"
    assert made["servicePrincipalType"] == "Application"
    assert made["servicePrincipalNames"] == [app["appId"]]
    assert made["tags"] == ["t"]
    text = quote(f"appId eq '{app['appId']}'")
    found = client("GET", f"/servicePrincipals?$filter={text}").json["value"]
    assert [f["id"] for f in found] == [made["id"]]
    assert client.graph.principal_id(app["appId"]) == made["id"]


def test_an_application_has_one_service_principal(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    client.make("servicePrincipals", {"appId": app["appId"]})

    again = client("POST", "/servicePrincipals", {"appId": app["appId"]})
    unknown = client("POST", "/servicePrincipals", {"appId": TENANT})

    assert (again.status, again.code) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert (unknown.status, unknown.code) == (400, "Request_BadRequest")


def test_a_deleted_application_takes_its_service_principal_along(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    principal = client.make("servicePrincipals", {"appId": app["appId"]})

    client("DELETE", f"/applications/{app['id']}")

    assert client("GET", f"/servicePrincipals/{principal['id']}").status == 404


def test_a_managed_identity_is_there_for_as_long_as_its_resource(client: Client) -> None:
    key = "11111111-2222-3333-4444-555555555555"
    resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/things/vm"
    identity = {"id": key, "appId": TENANT, "displayName": "vm", "tenantId": TENANT}
    client.managed = [{**identity, "resourceId": resource}]
    group = client.make("groups", GROUP)

    assert client("POST", f"/groups/{group['id']}/members/$ref", link(key)).status == 204
    found = client("GET", f"/servicePrincipals/{key}").json
    assert (found["servicePrincipalType"], found["displayName"]) == ("ManagedIdentity", "vm")
    assert found["alternativeNames"][1] == resource
    assert client.graph.groups_of(key) == (group["id"],)

    client.managed = []
    assert client("GET", f"/servicePrincipals/{key}").status == 404
    assert client.names(f"/groups/{group['id']}/members") == []


def test_whoever_calls_is_in_the_directory(client: Client) -> None:
    text = quote("appId eq 'client'")

    (found,) = client("GET", f"/servicePrincipals?$filter={text}").json["value"]

    assert found["id"] == "object"
    assert (
        client("GET", "/directoryObjects/object").json["@odata.type"].endswith("servicePrincipal")
    )


def test_microsoft_graph_itself_is_there(client: Client) -> None:
    found = client("GET", f"/servicePrincipals(appId='{GRAPH_APP}')").json

    assert "User.Read.All" in {role["value"] for role in found["appRoles"]}


def test_owners_come_with_the_creation_and_by_reference(client: Client) -> None:
    user = client.make("users", USER)
    owners = [link("object")["@odata.id"]]
    group = client.make("groups", {**GROUP, "owners@odata.bind": owners})
    path = f"/groups/{group['id']}/owners"
    assert [o["id"] for o in client("GET", path).json["value"]] == ["object"]

    assert client("POST", f"{path}/$ref", link(user["id"])).status == 204
    assert client("POST", f"{path}/$ref", link(user["id"])).status == 400
    assert client("DELETE", f"{path}/object/$ref").status == 204
    assert client("DELETE", f"{path}/object/$ref").status == 404

    (left,) = client("GET", path).json["value"]
    assert (left["id"], left["@odata.type"]) == (user["id"], "#microsoft.graph.user")
    assert "owners@odata.bind" not in group


def test_members_are_seen_from_both_sides_until_they_are_deleted(client: Client) -> None:
    user = client.make("users", USER)
    group = client.make("groups", GROUP)
    client("POST", f"/groups/{group['id']}/members/$ref", link(user["id"]))
    assert client.names(f"/users/{user['id']}/memberOf") == ["g"]
    assert client.names(f"/groups/{group['id']}/members") == ["Ann"]

    client("DELETE", f"/users/{user['id']}")

    assert client.names(f"/groups/{group['id']}/members") == []


def test_a_reference_to_what_is_missing_is_refused(client: Client) -> None:
    group = client.make("groups", GROUP)

    answer = client("POST", f"/groups/{group['id']}/members/$ref", link("none"))

    assert (answer.status, answer.code) == (404, "Request_ResourceNotFound")
    bad = client("POST", "/groups", {**GROUP, "owners@odata.bind": [link("none")["@odata.id"]]})
    assert bad.status == 404
    assert client.names("/groups") == ["g"]


def test_federated_credentials_are_kept_for_entra(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    path = f"/applications/{app['id']}/federatedIdentityCredentials"
    made = client("POST", path, FIC)
    assert made.status == 201
    expected = FederatedCredential(
        name="f", issuer="https://issuer", subject=SUBJECT, audiences=("a",)
    )
    assert client.graph.federated_credentials(app["appId"]) == (expected,)

    again = client("POST", path, FIC)
    assert (again.status, again.code) == (409, "Request_MultipleObjectsWithSameKeyValue")
    one = f"{path}/{made.json['id']}"
    assert client("PATCH", one, {"subject": "other", "name": "ignored"}).status == 204
    assert client("GET", f"{path}/f").json["subject"] == "other"
    assert client("DELETE", one).status == 204

    assert client("GET", one).status == 404
    assert client.graph.federated_credentials(app["appId"]) == ()
    assert client.graph.federated_credentials("unknown") == ()


@pytest.mark.parametrize("missing", ["name", "issuer", "subject", "audiences"])
def test_a_federated_credential_needs_all_its_parts(
    client: Client,
    app: Any,  # noqa: ANN401 - JSON
    missing: str,
) -> None:
    body = {k: v for k, v in FIC.items() if k != missing}

    answer = client("POST", f"/applications/{app['id']}/federatedIdentityCredentials", body)

    assert (answer.status, answer.code) == (400, "Request_BadRequest")


def test_a_password_is_told_once(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    path = f"/applications/{app['id']}"
    made = client("POST", f"{path}/addPassword", {"passwordCredential": {"displayName": "p"}}).json
    assert made["secretText"]

    (kept,) = client("GET", path).json["passwordCredentials"]

    assert kept["keyId"] == made["keyId"]
    assert kept["secretText"] is None
    assert client("POST", f"{path}/removePassword", {"keyId": kept["keyId"]}).status == 204
    assert client("POST", f"{path}/removePassword", {"keyId": kept["keyId"]}).status == 400
    assert client("GET", path).json["passwordCredentials"] == []


def test_a_password_of_a_new_application_is_told_once_as_well(client: Client) -> None:
    body = {"displayName": "app", "passwordCredentials": [{"displayName": "first"}]}
    made = client.make("applications", body)
    (told,) = made["passwordCredentials"]
    (kept,) = client("GET", f"/applications/{made['id']}").json["passwordCredentials"]
    assert (kept["keyId"], kept["displayName"]) == (told["keyId"], "first")
    assert told["secretText"]
    assert kept["secretText"] is None


def test_app_roles_are_assigned_and_seen_from_both_sides(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    principal = client.make("servicePrincipals", {"appId": app["appId"]})
    graph = client("GET", f"/servicePrincipals(appId='{GRAPH_APP}')").json
    body = {
        "principalId": principal["id"],
        "resourceId": graph["id"],
        "appRoleId": graph["appRoles"][0]["id"],
    }
    path = f"/servicePrincipals/{graph['id']}/appRoleAssignedTo"
    made = client("POST", path, body)
    assert made.status == 201
    assert made.json["principalType"] == "ServicePrincipal"
    assert client("POST", path, body).status == 400

    seen = client("GET", f"/servicePrincipals/{principal['id']}/appRoleAssignments").json["value"]

    assert [s["id"] for s in seen] == [made.json["id"]]
    assert client("DELETE", f"{path}/{made.json['id']}").status == 204
    assert client("GET", path).json["value"] == []


def test_deleted_objects_can_be_restored_or_purged(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    client("DELETE", f"/applications/{app['id']}")
    bin_path = f"/directory/deletedItems/{app['id']}"
    assert client.names("/directory/deletedItems/microsoft.graph.application") == ["app"]

    assert client("POST", f"{bin_path}/restore").status == 200
    assert client("GET", f"/applications/{app['id']}").status == 200
    client("DELETE", f"/applications/{app['id']}")
    assert client("DELETE", bin_path).status == 204
    assert client("GET", bin_path).status == 404


def test_lists_can_be_filtered_selected_counted_and_paged(client: Client) -> None:
    for n in range(5):
        client.make("groups", {**GROUP, "displayName": f"g{n}"})
    text = quote("startswith(displayName, 'g') and securityEnabled eq true")

    first = client("GET", f"/groups?$filter={text}&$select=displayName&$top=3&$count=true").json
    parts = urlsplit(first["@odata.nextLink"])
    second = client("GET", f"{parts.path.removeprefix('/v1.0')}?{parts.query}").json

    assert first["@odata.count"] == 5
    assert first["value"] == [{"displayName": f"g{n}"} for n in range(3)]
    assert [v["displayName"] for v in second["value"]] == ["g3", "g4"]
    assert "@odata.nextLink" not in second


def test_lists_inside_objects_can_be_filtered_and_names_searched(client: Client) -> None:
    client.make("applications", {"displayName": "one", "identifierUris": ["api://one"]})
    client.make("applications", {"displayName": "two"})
    text = quote("identifierUris/any(uri:uri eq 'api://one')")

    assert client.names(f"/applications?$filter={text}") == ["one"]
    assert client.names(f"/applications?$search={quote(chr(34) + 'displayName:TW' + chr(34))}") == [
        "two"
    ]


def test_a_secret_of_a_user_is_never_given_back(client: Client) -> None:
    made = client.make("users", USER)

    assert "passwordProfile" not in made
    client("PATCH", f"/users/{made['id']}", {"passwordProfile": {"password": "other"}})
    assert "passwordProfile" not in client("GET", f"/users/{made['id']}").json
    assert client("POST", "/users", USER).status == 400


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("missing", "empty"),
        ("malformed", "CompactToken"),
        ("expired", "expired"),
        ("audience", "Invalid audience"),
    ],
)
def test_a_bad_bearer_gets_graphs_own_401(client: Client, reason: str, words: str) -> None:
    values = {
        "missing": "",
        "malformed": "Bearer nonsense",
        "expired": f"Bearer {client.bearer}",
        "audience": f"Bearer {client.new_bearer('https://management.azure.com')}",
    }
    if reason == "expired":
        client.clock.advance(timedelta(hours=2))
    try:
        answer = client("GET", "/groups", headers={"authorization": values[reason]})
    finally:
        client.clock.reset()

    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nonsense", None, 400),
        ("GET", "/me", None, 400),
        ("PUT", "/groups", {}, 405),
        ("POST", "/groups", b"{", 400),
        ("POST", "/groups", {}, 400),
        ("GET", "/groups?$filter=nonsense", None, 400),
        ("GET", "/groups?$top=x", None, 400),
        ("GET", "/groups/none", None, 404),
        ("GET", "/groups/none/members", None, 404),
        ("POST", "/organization", {}, 405),
        ("GET", "/users/object", None, 404),
    ],
)
def test_bad_requests_are_refused(
    client: Client, method: str, path: str, body: object, status: int
) -> None:
    assert client(method, path, body).status == status


def test_an_unknown_version_is_refused(client: Client) -> None:
    assert client("GET", "/groups", version="v2.0").status == 400


def test_snapshots_bring_everything_back(client: Client, app: Any) -> None:  # noqa: ANN401 - JSON
    client("POST", f"/applications/{app['id']}/federatedIdentityCredentials", FIC)
    before = client.graph.objects
    snapshot = client.graph.snapshot()
    client("DELETE", f"/applications/{app['id']}")
    client.make("groups", GROUP)

    client.graph.restore(snapshot)

    assert client.graph.objects == before
    assert len(client.graph.federated_credentials(app["appId"])) == 1


def test_objects_can_be_put_there_beforehand(client: Client) -> None:
    made = client.graph.add("users", {"displayName": "Bob", "userPrincipalName": "bob@x"})

    assert client("GET", "/users/bob@x").json["id"] == made["id"]
