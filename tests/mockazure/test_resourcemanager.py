from __future__ import annotations

import json
from datetime import timedelta

import pytest
from armclient import RG, SUBSCRIPTION, TENANT, VNET, Arm, S

from pytest_tfoidc.events import AccessTokenRefused

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
NET = "providers/Microsoft.Network"
LOCK = f"{VNET}/providers/Microsoft.Authorization/locks/keep"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"


@pytest.fixture
def arm() -> Arm:
    made = Arm()
    made.group()
    return made


def test_a_resource_reads_as_it_was_written_with_what_azure_adds(arm: Arm) -> None:
    body = {
        "location": "westeurope",
        "tags": {"a": "b"},
        "sku": {"name": "x"},
        "properties": {"q": [1]},
    }
    path = f"{RG}/providers/Vendor.Thing/things/one"
    assert arm("PUT", path, body).status in {200, 201}

    found = arm("GET", path).json

    assert {k: found[k] for k in ("location", "tags", "sku")} == {
        k: body[k] for k in ("location", "tags", "sku")
    }
    assert found["properties"] == {"q": [1], "provisioningState": "Succeeded"}
    assert (found["id"], found["name"], found["type"]) == (path, "one", "Vendor.Thing/things")
    assert found["etag"]
    assert found["systemData"]["createdBy"] == "client"


def test_ids_have_no_case_and_keep_theirs(arm: Arm) -> None:
    arm.vnet()

    found = arm("GET", VNET.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
    again = arm("PUT", VNET.lower(), {"location": "westeurope"})

    assert found.json["id"] == VNET
    assert again.status == 200
    assert again.json["id"] == VNET
    assert len(arm.manager.resources) == 2


def test_creating_gives_201_and_replacing_200(arm: Arm) -> None:
    assert arm("PUT", VNET, {"location": "westeurope"}).status == 201
    assert arm("PUT", VNET, {"location": "westeurope"}).status == 200


def test_a_replaced_resource_keeps_its_creation_and_gets_another_etag(arm: Arm) -> None:
    arm.vnet()
    first = arm("GET", VNET).json
    arm.clock.advance(timedelta(minutes=10))

    arm("PUT", VNET, {"location": "westeurope"})

    second = arm("GET", VNET).json
    assert second["etag"] != first["etag"]
    assert second["systemData"]["createdAt"] == first["systemData"]["createdAt"]
    assert second["systemData"]["lastModifiedAt"] > first["systemData"]["lastModifiedAt"]
    arm.clock.reset()


def test_patch_merges_properties_and_replaces_tags(arm: Arm) -> None:
    path = f"{RG}/providers/Vendor.Thing/things/one"
    arm("PUT", path, {"tags": {"a": "1"}, "properties": {"x": {"y": 1, "z": 2}, "gone": 1}})

    arm("PATCH", path, {"tags": {"b": "2"}, "properties": {"x": {"y": 3}, "gone": None}})

    found = arm("GET", path).json
    assert found["tags"] == {"b": "2"}
    assert found["properties"] == {"x": {"y": 3, "z": 2}, "provisioningState": "Succeeded"}


def test_head_tells_existence(arm: Arm) -> None:
    assert arm("HEAD", RG).status == 204
    assert arm("HEAD", VNET).status == 404


def test_delete_of_what_is_not_there_gives_204(arm: Arm) -> None:
    arm.vnet()

    assert [arm("DELETE", VNET).status for _ in range(2)] == [200, 204]


def test_deleting_a_group_deletes_what_is_in_it(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", f"{VNET}/subnets/a", {"properties": {}})
    arm("PUT", f"{VNET}/providers/Microsoft.Insights/diagnosticSettings/d", {"properties": {}})
    other = arm.group("other")

    assert arm("DELETE", RG).status == 200

    assert [*arm.manager.resources] == [other.lower()]
    assert arm("GET", VNET).code == "ResourceGroupNotFound"


def test_a_deleted_parent_takes_its_children_but_not_its_neighbours(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", f"{VNET}/subnets/a", {})
    neighbour = arm.vnet(f"{VNET}2")

    arm("DELETE", VNET)

    assert arm("GET", f"{VNET}/subnets/a").status == 404
    assert arm("GET", neighbour).status == 200


def test_children_show_in_their_parent(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", f"{VNET}/subnets/a", {"properties": {"addressPrefix": "10.0.0.0/24"}})

    (shown,) = arm("GET", VNET).json["properties"]["subnets"]

    assert shown == arm("GET", f"{VNET}/subnets/a").json


def test_a_parents_list_of_children_makes_changes_and_deletes_them(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", f"{VNET}/subnets/a", {"properties": {"addressPrefix": "10.0.0.0/24"}})
    listed = [{"name": "b", "properties": {"addressPrefix": "10.0.1.0/24"}}]

    arm("PUT", VNET, {"location": "westeurope", "properties": {"subnets": listed}})

    assert arm("GET", f"{VNET}/subnets/a").status == 404
    assert arm("GET", f"{VNET}/subnets/b").json["properties"]["addressPrefix"] == "10.0.1.0/24"


def test_a_parent_written_without_its_children_keeps_them(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", f"{VNET}/subnets/a", {})

    arm("PUT", VNET, {"location": "westeurope", "properties": {}})

    assert arm("GET", f"{VNET}/subnets/a").status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (VNET, "ResourceNotFound"),
        (f"{S}/resourceGroups/none", "ResourceGroupNotFound"),
        (f"{S}/resourceGroups/none/{NET}/virtualNetworks/v", "ResourceGroupNotFound"),
        (f"{VNET}/subnets/a", "ParentResourceNotFound"),
        (LOCK, "ResourceNotFound"),
        ("/subscriptions/11111111-1111-1111-1111-111111111111", "SubscriptionNotFound"),
        ("/subscriptions/none/resourceGroups/rg", "InvalidSubscriptionId"),
        (f"{RG}/providers/nonsense/things/one", "InvalidResourceNamespace"),
        ("/nonsense", "HttpResourceNotFound"),
        (f"{S}/providers/Vendor.Unknown", "InvalidResourceNamespace"),
    ],
)
def test_what_is_missing_is_named_as_resource_manager_does(arm: Arm, path: str, code: str) -> None:
    answer = arm("GET", path)

    assert answer.status == (400 if code == "InvalidSubscriptionId" else 404)
    assert answer.code == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{VNET}/subnets/a", "ParentResourceNotFound"),
        (LOCK, "ResourceNotFound"),
        (f"{S}/resourceGroups/none/{NET}/virtualNetworks/v", "ResourceGroupNotFound"),
    ],
)
def test_nothing_is_created_in_what_is_missing(arm: Arm, path: str, code: str) -> None:
    assert arm("PUT", path, {"location": "westeurope"}).code == code
    assert len(arm.manager.resources) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"1", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000]
)
def test_a_body_that_is_no_json_object_is_refused(arm: Arm, content: bytes) -> None:
    answer = arm("PUT", VNET, content)

    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


def test_a_body_of_20_mb_is_refused(arm: Arm) -> None:
    content = json.dumps({"properties": {"a": "x" * 20_000_000}}).encode()

    assert arm("PUT", VNET, content).status == 413


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("latest", "InvalidApiVersionParameter"),
        ("2024-13-45", "InvalidApiVersionParameter"),
    ],
)
def test_an_api_version_is_needed(arm: Arm, version: str, code: str) -> None:
    answer = arm("GET", RG, version=version)

    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("version", ["2024-01-01", "2014-04-01-preview", "2022-05-01-preview"])
def test_any_well_formed_api_version_will_do(arm: Arm, version: str) -> None:
    assert arm("GET", RG, version=version).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", S),
        ("DELETE", f"{S}/resourceGroups"),
        ("PUT", f"{VNET}/subnets"),
        ("POST", RG),
        ("TRACE", RG),
        ("PUT", f"{RG}/{NET}/virtualNetworks"),
    ],
)
def test_a_wrong_verb_is_refused(arm: Arm, method: str, path: str) -> None:
    arm.vnet()

    answer = arm(method, path, {"location": "westeurope"})

    assert answer.status == 405
    assert answer.headers["Allow"]


def test_etags_guard_against_lost_updates(arm: Arm) -> None:
    arm.vnet()
    old = arm("GET", VNET).headers["ETag"]
    body = {"location": "westeurope"}
    assert arm("PUT", VNET, body, headers={"if-match": old}).status == 200

    stale = arm("PUT", VNET, body, headers={"if-match": old})

    assert (stale.status, stale.code) == (412, "PreconditionFailed")
    assert arm("DELETE", VNET, headers={"if-match": old}).status == 412
    assert arm("PUT", VNET, body, headers={"if-none-match": "*"}).status == 412
    assert arm("PUT", f"{VNET}2", body, headers={"if-none-match": "*"}).status == 201
    assert arm("PUT", f"{VNET}3", body, headers={"if-match": "*"}).status == 412


def test_nothing_moves_to_another_region(arm: Arm) -> None:
    arm.vnet()

    vnet = arm("PUT", VNET, {"location": "northeurope"})
    group = arm("PUT", RG, {"location": "northeurope"})

    assert (vnet.status, vnet.code) == (409, "InvalidResourceLocation")
    assert (group.status, group.code) == (409, "InvalidResourceGroupLocation")
    assert arm("PUT", VNET, {"location": "West Europe"}).status == 200


def test_a_group_needs_a_location_and_a_good_name(arm: Arm) -> None:
    assert arm("PUT", f"{S}/resourceGroups/x", {}).code == "LocationRequired"
    for name in ("a%20b", "ends.", "x" * 91, "a%3Cb"):
        bad = arm("PUT", f"{S}/resourceGroups/{name}", {"location": "westeurope"})
        assert (bad.status, bad.code) == (400, "InvalidResourceGroup")


def test_a_locked_resource_cannot_be_deleted_nor_its_group(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", LOCK, {"properties": {"level": "CanNotDelete"}})

    for path in (VNET, RG):
        refused = arm("DELETE", path)
        assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert arm("PUT", VNET, {"location": "westeurope"}).status == 200

    assert arm("DELETE", LOCK).status == 200
    assert arm("DELETE", RG).status == 200


def test_a_read_only_lock_refuses_writes_below_it(arm: Arm) -> None:
    arm.vnet()
    arm(
        "PUT",
        f"{RG}/providers/Microsoft.Authorization/locks/ro",
        {"properties": {"level": "ReadOnly"}},
    )

    refused = arm("PUT", f"{VNET}/subnets/a", {})

    assert (refused.status, refused.code) == (409, "ScopeLocked")


def test_the_same_role_is_assigned_once(arm: Arm) -> None:
    scope = f"{RG}/providers/Microsoft.Authorization/roleAssignments"
    role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    body = {"properties": {"principalId": "p", "roleDefinitionId": role}}
    assert arm("PUT", f"{scope}/one", body).status == 201
    assert arm("PUT", f"{scope}/one", body).status == 200

    again = arm("PUT", f"{scope}/two", body)

    assert (again.status, again.code) == (409, "RoleAssignmentExists")


def test_deployments_are_refused_clearly(arm: Arm) -> None:
    path = f"{RG}/providers/Microsoft.Resources/deployments/d"

    for answer in (
        arm("PUT", path, {"properties": {}}),
        arm("POST", f"{path}/validate", {"properties": {}}),
        arm("POST", f"{path}/whatIf", {"properties": {}}),
    ):
        assert (answer.status, answer.code) == (400, "DeploymentsNotSupported")
        assert "template deployments" in answer.json["error"]["message"]
    assert arm("GET", path).status == 404
    assert arm("GET", f"{RG}/providers/Microsoft.Resources/deployments").json == {"value": []}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("missing", "AuthenticationFailed"),
        ("malformed", "InvalidAuthenticationToken"),
        ("expired", "ExpiredAuthenticationToken"),
        ("audience", "InvalidAuthenticationTokenAudience"),
    ],
)
def test_a_bad_bearer_gets_resource_managers_own_401(arm: Arm, reason: str, code: str) -> None:
    headers = {"authorization": f"Bearer {arm.bearer}"}
    if reason == "missing":
        headers = {"authorization": ""}
    if reason == "malformed":
        headers = {"authorization": "Bearer nonsense"}
    if reason == "audience":
        headers = {"authorization": f"Bearer {arm.new_bearer('https://graph.microsoft.com')}"}
    if reason == "expired":
        arm.clock.advance(timedelta(hours=2))
    try:
        answer = arm("GET", RG, headers=headers)
    finally:
        arm.clock.reset()

    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert [e.reason for e in arm.events.of(AccessTokenRefused)] == [reason]
    assert arm.bearer not in answer.response.body.decode()


def test_both_audiences_of_resource_manager_will_do(arm: Arm) -> None:
    arm.bearer = arm.new_bearer("https://management.core.windows.net/")

    assert arm("GET", RG).status == 200


def test_double_slashes_of_sdk_scopes_do_not_matter(arm: Arm) -> None:
    assert arm("GET", f"/{RG}").status == 200


def test_odd_names_survive(arm: Arm) -> None:
    path = f"{RG}/providers/Vendor.Thing/things/%C3%A4%20%40%2A%23%E6%BC%A2"
    arm("PUT", path, {})

    assert arm("GET", path).json["name"] == "ä @*#漢"
    assert arm("PUT", f"{RG}/providers/Vendor.Thing/things/a%2Fb", {}).code == "InvalidResourceName"


def test_the_subscription_has_what_azurerm_reads(arm: Arm) -> None:
    found = arm("GET", S).json

    assert found["subscriptionId"] == SUBSCRIPTION
    assert found["tenantId"] == TENANT
    assert found["state"] == "Enabled"
    assert found["subscriptionPolicies"]["spendingLimit"] == "Off"
    assert arm("GET", "/subscriptions").json["value"] == [found]


def test_tenants_and_locations_are_listed(arm: Arm) -> None:
    assert arm("GET", "/tenants").json["value"][0]["tenantId"] == TENANT
    assert "westeurope" in {loc["name"] for loc in arm("GET", f"{S}/locations").json["value"]}


def test_providers_are_registered_until_they_are_not(arm: Arm) -> None:
    state = [p["registrationState"] for p in arm("GET", f"{S}/providers").json["value"]]
    assert set(state) == {"Registered"}

    assert (
        arm("POST", f"{S}/providers/Microsoft.Web/unregister").json["registrationState"]
        == "NotRegistered"
    )
    assert arm("GET", f"{S}/providers/microsoft.web").json["registrationState"] == "NotRegistered"

    arm("POST", f"{S}/providers/Microsoft.Web/register")
    assert arm("GET", f"{S}/providers/Microsoft.Web").json["registrationState"] == "Registered"


def test_snapshots_bring_everything_back(arm: Arm) -> None:
    arm.vnet()
    before = arm.manager.resources
    snapshot = arm.manager.snapshot()
    arm("PUT", f"{VNET}/subnets/a", {})
    arm("POST", f"{S}/providers/Microsoft.Web/unregister")
    arm("DELETE", VNET)

    arm.manager.restore(snapshot)

    assert arm.manager.resources == before
    assert arm("GET", f"{S}/providers/Microsoft.Web").json["registrationState"] == "Registered"
    assert arm("GET", f"{RG}/{NET}/virtualNetworks").json["value"] == [before[VNET.lower()]]


def test_inspected_resources_are_copies(arm: Arm) -> None:
    arm.manager.resources[RG.lower()]["location"] = "moon"

    assert arm("GET", RG).json["location"] == "westeurope"


def test_an_action_on_what_is_missing_is_refused(arm: Arm) -> None:
    assert arm("POST", f"{VNET}/start").status == 404
    arm.vnet()
    assert arm("POST", f"{VNET}/start").status == 200


def test_settings_that_nobody_wrote_are_listed_empty(arm: Arm) -> None:
    site = f"{RG}/providers/Microsoft.Web/sites/site"
    assert arm("POST", f"{site}/config/appsettings/list").status == 404
    arm("PUT", site, {"location": "westeurope"})
    assert arm("POST", f"{site}/config/appsettings/list").json["properties"] == {}

    arm("PUT", f"{site}/config/appsettings", {"properties": {"A": "1"}})

    assert arm("POST", f"{site}/config/appsettings/list").json["properties"]["A"] == "1"
