from __future__ import annotations

from datetime import timedelta

import pytest

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure.federated import FederatedCredential
from tests.mockazure.armclient import NET, READER, RG, SUBSCRIPTION, TENANT, VNET, Arm, S

IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"


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


def test_patch_lets_go_of_references_and_metadata_and_of_nothing_else(arm: Arm) -> None:
    path = f"{RG}/providers/Vendor.Thing/things/one"
    kept = {"size": "small", "mediaLink": "https://x"}
    written = {"host": {"id": RG}, "metadata": {"a": "1"}, "profile": kept}
    written["storage"] = {"accountId": RG, "mode": "keys"}
    arm("PUT", path, {"properties": written})

    empty = {"host": {}, "metadata": {}, "profile": {"mediaLink": ""}, "storage": {"accountId": ""}}
    arm("PATCH", path, {"properties": empty})

    found = arm("GET", path).json["properties"]
    assert found == {"metadata": {}, "profile": kept, "provisioningState": "Succeeded"}


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


def test_settings_that_nobody_wrote_are_listed_empty(arm: Arm) -> None:
    site = f"{RG}/providers/Microsoft.Web/sites/site"
    assert arm("POST", f"{site}/config/appsettings/list").status == 404
    arm("PUT", site, {"location": "westeurope"})
    assert arm("POST", f"{site}/config/appsettings/list").json["properties"] == {}

    arm("PUT", f"{site}/config/appsettings", {"properties": {"A": "1"}})

    assert arm("POST", f"{site}/config/appsettings/list").json["properties"]["A"] == "1"


def test_resources_can_be_put_there_beforehand(arm: Arm) -> None:
    path = f"{S}/resourceGroups/state/providers/Microsoft.Storage/storageAccounts/tfstate"

    made = arm.manager.add(path)

    assert made == arm("GET", path).json
    assert made["properties"]["primaryEndpoints"]["blob"].startswith("https://tfstate.blob.")
    assert arm("GET", f"{S}/resourceGroups/state").json["location"] == "westeurope"
    with pytest.raises(UsageError):
        arm.manager.add("/subscriptions/production/resourceGroups/state")


def test_what_a_resource_lies_in_is_put_there_with_it_and_kept_where_it_is_there(arm: Arm) -> None:
    arm.manager.add(f"{VNET}/subnets/a", {"properties": {"addressPrefix": "10.0.0.0/24"}})
    arm.manager.add(VNET, {"tags": {"a": "b"}})
    arm.manager.add(f"{VNET}/subnets/b")

    assert arm("GET", VNET).json["tags"] == {"a": "b"}
    assert arm("GET", f"{VNET}/subnets/b").json["properties"]["privateLinkServiceNetworkPolicies"]


def test_federated_credentials_of_identities_are_kept_for_entra(arm: Arm) -> None:
    client_id = arm("PUT", IDENTITY, {"location": "westeurope"}).json["properties"]["clientId"]
    properties = {"issuer": "https://i", "subject": "s", "audiences": ["a"]}
    arm("PUT", f"{IDENTITY}/federatedIdentityCredentials/f", {"properties": properties})

    expected = FederatedCredential(name="f", issuer="https://i", subject="s", audiences=("a",))
    assert arm.manager.federated_credentials(client_id) == (expected,)
    assert arm.manager.federated_credentials("other") == ()


@pytest.mark.parametrize(
    ("host", "name", "storage"),
    [
        ("management.azure.com", "AzureCloud", "core.windows.net"),
        ("management.usgovcloudapi.net", "AzureUSGovernment", "core.usgovcloudapi.net"),
        ("management.chinacloudapi.cn", "AzureChinaCloud", "core.chinacloudapi.cn"),
    ],
)
def test_the_clouds_metadata_needs_no_token(arm: Arm, host: str, name: str, storage: str) -> None:
    nobody = {"authorization": ""}
    found = arm("GET", "/metadata/endpoints", version="2022-09-01", host=host, headers=nobody).json
    (listed,) = arm("GET", "/metadata/endpoints", version="2020-06-01", host=host).json

    assert found == listed
    assert (found["name"], found["suffixes"]["storage"]) == (name, storage)
    assert found["authentication"]["loginEndpoint"].startswith("https://login.")


@pytest.mark.parametrize("written", ["resourcegroups", "RESOURCEGROUPS", "resourceGroups"])
def test_ids_have_azures_words_however_a_client_writes_them(arm: Arm, written: str) -> None:
    path = f"{S}/{written}/Mine"  # azurerm 4 writes groups in lower case
    made = arm("PUT", path, {"location": "westeurope"})
    assert made.json["id"] == f"{S}/resourceGroups/Mine"
    role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    assignment = f"{path}/providers/Microsoft.Authorization/roleAssignments/{READER}"
    body = {"properties": {"principalId": "p", "roleDefinitionId": role}}
    found = arm("PUT", assignment, body).json
    assert found["properties"]["scope"] == made.json["id"]  # else each plan replaces it
    assert found["id"].startswith(f"{S}/resourceGroups/Mine/")
    other = "/providers/Microsoft.Any/resourcegroups/one"
    assert arm("PUT", other, {"properties": {}}).json["id"] == other
