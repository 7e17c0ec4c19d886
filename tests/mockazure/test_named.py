"""Who is named is there: subscriptions, tenants, clients, connections, organizations."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import requests

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure import statefile
from pytest_tfoidc.mockazure.directory import (
    CLIENT_ID,
    CONNECTION_ID,
    SUBSCRIPTION_ID,
    TENANT_ID,
    Directory,
    Identities,
    home_of,
    parse_identities,
    tenant_of_domain,
)
from tests.mockazure.azurekit import ARM, Azure

HUB, SPOKE = "11111111-aaaa-4bbb-8ccc-000000000001", "22222222-aaaa-4bbb-8ccc-000000000002"
CONTOSO, FABRIKAM = "33333333-aaaa-4bbb-8ccc-000000000003", "44444444-aaaa-4bbb-8ccc-000000000004"
OTHER_CLIENT, OTHER_CONNECTION = (
    "55555555-aaaa-4bbb-8ccc-000000000005",
    "66666666-aaaa-4bbb-8ccc-000000000006",
)
GRAPH = "https://graph.microsoft.com"
DEVOPS_APP = "499b84ac-1321-427f-aa17-267ca6975798"


def group(subscription: str, name: str = "rg") -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


def arm(
    azure: Azure, method: str, path: str, body: object = None, *, tenant: str = "", aux: str = ""
) -> requests.Response:
    headers = azure.bearer(tenant=tenant)
    if aux:
        headers["x-ms-authorization-auxiliary"] = azure.bearer(tenant=aux)["Authorization"]
    query = {"api-version": "2024-01-01"}
    return azure.send(method, f"{ARM}{path}", params=query, json=body, headers=headers)


def made(azure: Azure, subscription: str, *, tenant: str = "", name: str = "rg") -> Any:  # noqa: ANN401 - JSON
    body = {"location": "westeurope"}
    answer = arm(azure, "PUT", group(subscription, name), body, tenant=tenant)
    assert answer.status_code == 201, answer.text
    return answer.json()


def error(answer: requests.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_a_subscription_is_there_from_its_first_use_and_ids_name_it(azure: Azure) -> None:
    assert made(azure, SPOKE)["id"] == group(SPOKE)
    shown = arm(azure, "GET", f"/subscriptions/{SPOKE}").json()
    assert (shown["subscriptionId"], shown["tenantId"]) == (SPOKE, TENANT_ID)
    path = f"/subscriptions/{SPOKE}/providers/Microsoft.Network"
    assert arm(azure, "GET", path).json()["id"] == path
    regions = arm(azure, "GET", f"/subscriptions/{SPOKE}/locations").json()["value"]
    assert regions[0]["id"].startswith(f"/subscriptions/{SPOKE}/")


def test_each_subscription_lists_its_own_groups_resources_and_role_assignments(
    azure: Azure,
) -> None:
    assignment = "providers/Microsoft.Authorization/roleAssignments"
    role = f"/subscriptions/{HUB}/providers/Microsoft.Authorization/roleDefinitions/x"
    for subscription, name in ((HUB, "rg-hub"), (SPOKE, "rg-spoke")):
        made(azure, subscription, name=name)
        network = f"{group(subscription, name)}/providers/Microsoft.Network/virtualNetworks/v"
        arm(azure, "PUT", network, {"location": "westeurope"})
        body = {"properties": {"roleDefinitionId": role, "principalId": subscription}}
        arm(azure, "PUT", f"/subscriptions/{subscription}/{assignment}/{HUB}", body)

    for subscription, name in ((HUB, "rg-hub"), (SPOKE, "rg-spoke")):
        scope = f"/subscriptions/{subscription}"
        groups = arm(azure, "GET", f"{scope}/resourcegroups").json()["value"]
        resources = arm(azure, "GET", f"{scope}/resources").json()["value"]
        assignments = arm(azure, "GET", f"{scope}/{assignment}").json()["value"]
        assert [g["name"] for g in groups] == [name]
        assert [r["id"].split("/")[4] for r in resources] == [name]
        assert [a["properties"]["principalId"] for a in assignments] == [subscription]


def test_a_registration_belongs_to_its_subscription(azure: Azure) -> None:
    path = "providers/Microsoft.Network"
    arm(azure, "POST", f"/subscriptions/{HUB}/{path}/unregister")

    states = [
        arm(azure, "GET", f"/subscriptions/{s}/{path}").json()["registrationState"]
        for s in (HUB, SPOKE)
    ]
    assert states == ["NotRegistered", "Registered"]


def test_tokens_name_their_tenant_and_its_own_service_principal(azure: Azure) -> None:
    def claims(tenant: str) -> dict[str, Any]:
        token = azure.bearer(tenant=tenant)["Authorization"].removeprefix("Bearer ")
        return dict(jwt.decode(token, options={"verify_signature": False}))

    home, contoso = claims(""), claims(CONTOSO)
    domain = claims("contoso.onmicrosoft.com")

    assert (home["tid"], contoso["tid"]) == (TENANT_ID, CONTOSO)
    assert contoso["iss"] == f"https://sts.windows.net/{CONTOSO}/"
    assert home["oid"] != contoso["oid"]
    assert domain["tid"] == tenant_of_domain("contoso.onmicrosoft.com")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_token_of_another_tenant_is_refused_as_by_azure(azure: Azure, method: str) -> None:
    made(azure, HUB, tenant=CONTOSO)

    answer = arm(azure, method, group(HUB), {"location": "westeurope"}, tenant=FABRIKAM)

    assert (answer.status_code, error(answer)) == (401, "InvalidAuthenticationTokenTenant")
    assert f"https://sts.windows.net/{FABRIKAM}/" in answer.json()["error"]["message"]
    assert f"https://login.windows.net/{CONTOSO}" in answer.headers["WWW-Authenticate"]
    assert arm(azure, "GET", group(HUB), tenant=CONTOSO).status_code == 200


def test_auxiliary_tokens_open_the_other_tenant(azure: Azure) -> None:
    hub = made(azure, HUB, tenant=CONTOSO)
    made(azure, SPOKE, tenant=FABRIKAM)
    network = f"{group(SPOKE)}/providers/Microsoft.Network/virtualNetworks/v"
    arm(azure, "PUT", network, {"location": "westeurope"}, tenant=FABRIKAM)
    remote = f"{hub['id']}/providers/Microsoft.Network/virtualNetworks/v"
    peering, body = (
        f"{network}/virtualNetworkPeerings/p",
        {"properties": {"remoteVirtualNetwork": {"id": remote}}},
    )

    without = arm(azure, "PUT", peering, body, tenant=FABRIKAM)
    other = arm(azure, "PUT", peering, body, tenant=FABRIKAM, aux=TENANT_ID)
    with_it = arm(azure, "PUT", peering, body, tenant=FABRIKAM, aux=CONTOSO)

    assert (without.status_code, error(without)) == (403, "LinkedAuthorizationFailed")
    assert error(other) == "LinkedAuthorizationFailed"
    assert with_it.status_code == 201
    assert arm(azure, "GET", group(HUB), tenant=FABRIKAM, aux=CONTOSO).status_code == 200


def test_each_tenant_has_its_own_directory(azure: Azure) -> None:
    def users(tenant: str) -> set[str]:
        headers = azure.bearer(GRAPH, tenant=tenant)
        found = azure.send("GET", f"{GRAPH}/v1.0/groups", headers=headers).json()["value"]
        return {one["displayName"] for one in found}

    for tenant in (CONTOSO, FABRIKAM):
        body = {"displayName": tenant, "mailNickname": "g", "securityEnabled": True}
        headers = azure.bearer(GRAPH, tenant=tenant)
        azure.send(
            "POST",
            f"{GRAPH}/v1.0/groups",
            json={**body, "mailEnabled": False},
            headers=headers,
        )

    assert (users(CONTOSO), users(FABRIKAM), users("")) == ({CONTOSO}, {FABRIKAM}, set())


def test_the_blobs_of_an_account_are_its_tenants_own(azure: Azure) -> None:
    made(azure, HUB, tenant=CONTOSO)
    account = f"{group(HUB)}/providers/Microsoft.Storage/storageAccounts/hubstate"
    arm(azure, "PUT", account, {"location": "westeurope", "kind": "StorageV2"}, tenant=CONTOSO)

    def container(tenant: str) -> requests.Response:
        headers = azure.bearer("https://storage.azure.com", tenant=tenant)
        url = "https://hubstate.blob.core.windows.net/tfstate?restype=container"
        return azure.send("PUT", url, headers={**headers, "x-ms-version": "2023-11-03"})

    refused = container(FABRIKAM)
    assert (refused.status_code, container(CONTOSO).status_code) == (401, 201)
    assert f"/{CONTOSO}/oauth2/authorize" in refused.headers["WWW-Authenticate"]


def test_subscriptions_are_listed_renamed_and_moved_into_management_groups(azure: Azure) -> None:
    made(azure, HUB, tenant=CONTOSO)
    made(azure, SPOKE)
    listed = {s["subscriptionId"] for s in arm(azure, "GET", "/subscriptions").json()["value"]}
    scope = f"/subscriptions/{SPOKE}/providers/Microsoft.Subscription"
    arm(azure, "POST", f"{scope}/rename", {"subscriptionName": "Spoke"})
    groups = "/providers/Microsoft.Management/managementGroups"
    for name in ("platform", "landing-zones"):
        arm(azure, "PUT", f"{groups}/{name}", {"properties": {"displayName": name}})
        arm(azure, "PUT", f"{groups}/{name}/subscriptions/{SPOKE}", {})

    def members(name: str) -> list[str]:
        shown = arm(azure, "GET", f"{groups}/{name}").json()["properties"]["children"]
        return [child["name"] for child in shown]

    assert listed == {SUBSCRIPTION_ID, SPOKE}
    assert arm(azure, "GET", f"/subscriptions/{SPOKE}").json()["displayName"] == "Spoke"
    assert (members("platform"), members("landing-zones")) == ([], [SPOKE])
    root = arm(azure, "GET", f"{groups}/{TENANT_ID}").json()
    assert root["properties"]["displayName"] == "Tenant Root Group"


def test_an_alias_makes_a_subscription(azure: Azure) -> None:
    path = "/providers/Microsoft.Subscription/aliases/lab"
    alias = arm(azure, "PUT", path, {"properties": {"displayName": "Lab"}}).json()
    subscription = alias["properties"]["subscriptionId"]

    assert arm(azure, "GET", f"/subscriptions/{subscription}").json()["displayName"] == "Lab"


def test_a_client_and_a_connection_that_are_named_may_be_used(azure: Azure) -> None:
    assert azure.code(OTHER_CONNECTION, OTHER_CLIENT) == 0
    assert azure.code(OTHER_CONNECTION) == 0
    assert azure.code(client=OTHER_CLIENT) == 0


def test_who_trusts_nobody_here_is_refused_whatever_is_named(azure: Azure) -> None:
    azure.mock.directory.trust(client_id=OTHER_CLIENT)
    assert azure.code(OTHER_CONNECTION, OTHER_CLIENT) == 70025
    forged = azure.mock.access_tokens.key.sign(
        jwt.decode(azure.id_token().json()["oidcToken"], options={"verify_signature": False})
    )
    assert azure.exchange(forged, tenant=CONTOSO)["error_codes"] == [700027]
    answer = azure.send("GET", f"{ARM}/subscriptions/{HUB}", params={"api-version": "2024-01-01"})
    assert answer.status_code == 401
    assert azure.mock.resource_manager.tenant_of(HUB) == ""


def test_an_organization_and_a_project_that_are_named_are_there(azure: Azure) -> None:
    headers = azure.bearer(DEVOPS_APP)
    base = "https://dev.azure.com"

    def get(path: str) -> requests.Response:
        return azure.send("GET", f"{base}/{path}", headers=headers)

    platform = get("contoso/_apis/projects/platform").json()
    assert platform["name"] == "platform"
    assert [p["name"] for p in get("contoso/_apis/projects").json()["value"]] == ["platform"]
    assert [p["name"] for p in get("tfoidc/_apis/projects").json()["value"]] == ["stand-in"]
    for old in ("contoso.visualstudio.com", "Contoso.VisualStudio.com/DefaultCollection"):
        listed = azure.send("GET", f"https://{old}/_apis/projects", headers=headers).json()
        assert [p["name"] for p in listed["value"]] == ["platform"]
    with pytest.raises(requests.exceptions.ProxyError, match="--tf-allow-host"):
        azure.send("GET", "https://marketplace.visualstudio.com/_apis/projects")
    azure.send("DELETE", f"{base}/contoso/_apis/projects/{platform['id']}", headers=headers)
    assert get(f"contoso/_apis/projects/{platform['id']}").status_code == 404
    unknown = azure.send("GET", f"{base}/fabrikam/_apis/projects")
    assert "Sign In" in unknown.text


def test_strict_identities_leave_what_was_listed(azure: Azure) -> None:
    listed = [f"subscription={HUB}", f"tenant={CONTOSO}", f"client={OTHER_CLIENT}"]
    listed += [f"connection={OTHER_CONNECTION}", "organization=contoso"]
    azure.mock.directory.named = parse_identities(listed, strict=True, where="--tf-identity")

    made(azure, HUB, tenant=CONTOSO)
    made(azure, SUBSCRIPTION_ID)
    assert azure.code(OTHER_CONNECTION, OTHER_CLIENT) == 0
    assert error(arm(azure, "GET", group(SPOKE))) == "SubscriptionNotFound"
    assert azure.exchange("x", tenant=FABRIKAM)["error_codes"] == [90002]
    assert azure.code(client=HUB) == 700016
    assert azure.id_token(HUB).status_code == 400
    headers = azure.bearer(DEVOPS_APP)
    for name, status in (("contoso", 200), ("fabrikam", 404)):
        url = f"https://dev.azure.com/{name}/_apis/projects"
        assert azure.send("GET", url, headers=headers).status_code == status


def test_a_subscription_that_is_no_guid_is_refused(azure: Azure) -> None:
    answer = arm(azure, "PUT", group("hub"), {"location": "westeurope"})
    assert (answer.status_code, error(answer)) == (400, "InvalidSubscriptionId")
    with pytest.raises(UsageError, match="'hub' is no subscription"):
        azure.mock.resource_manager.add_subscription("hub")


def test_what_was_named_is_put_back_and_kept_in_files(azure: Azure) -> None:
    held = azure.mock.snapshot_resources()
    made(azure, HUB, tenant=CONTOSO)
    azure.bearer(GRAPH, tenant=CONTOSO)
    kept = statefile.decode(statefile.encode(azure.mock.snapshot_resources()))
    azure.mock.restore_resources(held)
    assert azure.mock.resource_manager.tenant_of(HUB) == ""
    azure.mock.restore_resources(kept)
    assert azure.mock.resource_manager.tenant_of(HUB) == CONTOSO


def test_the_users_own_ids_are_used_where_they_are_set() -> None:
    own = {"ARM_TENANT_ID": CONTOSO, "ARM_CLIENT_ID": OTHER_CLIENT, "ARM_SUBSCRIPTION_ID": HUB}
    home = home_of(own)
    assert (home.tenant_id, home.client_id, home.subscription_id) == (CONTOSO, OTHER_CLIENT, HUB)
    assert home.application(OTHER_CLIENT) is not None
    unset = home_of({"ARM_TENANT_ID": "$(tenant)", "ARM_SUBSCRIPTION_ID": ""})
    assert (unset.tenant_id, unset.client_id) == (TENANT_ID, CLIENT_ID)


@pytest.mark.parametrize("name", ["ARM_TENANT_ID", "ARM_CLIENT_ID", "ARM_SUBSCRIPTION_ID"])
def test_an_id_of_the_users_that_is_none_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} names no "):
        home_of({name: "production"})


@pytest.mark.parametrize("text", ["hub", "subscription=hub", "account=x", "client="])
def test_an_identity_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no "):
        parse_identities([text], strict=True, where="--tf-identity")


def test_a_named_connection_is_trusted_by_usual_applications_only() -> None:
    directory = Directory()
    connection = directory.name_connection(OTHER_CONNECTION)
    assert connection is not None
    usual = directory.application(OTHER_CLIENT)
    directory.trust(client_id=CONNECTION_ID)
    exact = directory.application(CONNECTION_ID)
    assert usual is not None
    assert exact is not None
    assert connection.subject in {c.subject for c in usual.credentials}
    assert exact.credentials == ()
    assert Directory(named=Identities(strict=True)).name_connection(OTHER_CONNECTION) is None
