"""The values that types read back beyond what was written: one line for each entry."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pytest_tfoidc.mockazure.arm.types.table import TYPES
from tests.mockazure.armclient import RG, TENANT, Arm, S

GUID_LENGTH = 36
P = f"{RG}/providers"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
SOA = {"email", "expireTime", "host", "refreshTime", "retryTime", "serialNumber"}
VAULT = f"{P}/Microsoft.KeyVault/vaults/kv"
DELETED = f"{S}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv"
BODY = {"location": "westeurope", "properties": {}}


def made(arm: Arm, kind: str, name: str = "one", body: object = None) -> Any:  # noqa: ANN401 - JSON
    path = f"{P}/{kind}/{name}"
    assert arm("PUT", path, body or BODY).status in {200, 201}
    return arm("GET", path).json


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Microsoft.ContainerRegistry/registries", {"loginServer": "one.azurecr.io"}),
        ("Microsoft.KeyVault/vaults", {"vaultUri": "https://one.vault.azure.net/"}),
        ("Microsoft.Network/dnsZones", {"maxNumberOfRecordSets": 10000, "numberOfRecordSets": 2}),
        ("Microsoft.Network/privateDnsZones", {"numberOfRecordSets": 1}),
        ("Microsoft.Storage/storageAccounts", {"primaryLocation": "westeurope"}),
        ("Microsoft.Storage/storageAccounts", {"statusOfPrimary": "available"}),
        ("Microsoft.Network/virtualNetworks", {"subnets": [], "virtualNetworkPeerings": []}),
        ("Microsoft.Network/networkSecurityGroups", {"securityRules": []}),
        ("Microsoft.Network/routeTables", {"routes": []}),
        ("Microsoft.Network/loadBalancers", {"backendAddressPools": [], "inboundNatRules": []}),
        ("Microsoft.ServiceBus/namespaces", {"status": "Active"}),
        ("Microsoft.EventHub/namespaces", {"status": "Active"}),
        ("Microsoft.Authorization/roleAssignments", {"scope": RG}),
    ],
)
def test_azure_adds_properties(arm: Arm, kind: str, expected: dict[str, Any]) -> None:
    properties = made(arm, kind)["properties"]

    assert {name: properties[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            ["principalId", "clientId", "tenantId"],
        ),
        ("Microsoft.OperationalInsights/workspaces", ["customerId"]),
        ("Microsoft.Insights/components", ["AppId", "InstrumentationKey"]),
    ],
)
def test_azure_adds_guids_that_stay(arm: Arm, kind: str, names: list[str]) -> None:
    first = made(arm, kind)["properties"]
    second = made(arm, kind)["properties"]

    assert {len(first[n]) for n in names} == {GUID_LENGTH}
    assert len({first[n] for n in names}) == len(names)
    assert first == second


def test_what_was_written_wins_over_what_azure_adds(arm: Arm) -> None:
    body = {"properties": {"principalType": "User", "principalId": "p"}}

    assert (
        made(arm, "Microsoft.Authorization/roleAssignments", body=body)["properties"][
            "principalType"
        ]
        == "User"
    )


def test_an_application_insights_component_has_a_connection_string(arm: Arm) -> None:
    properties = made(arm, "Microsoft.Insights/components")["properties"]

    assert properties["ConnectionString"].startswith(
        f"InstrumentationKey={properties['InstrumentationKey']};IngestionEndpoint=https://westeurope"
    )


def test_a_component_has_billing_features_without_a_name(arm: Arm) -> None:
    made(arm, "Microsoft.Insights/components")
    path = f"{P}/Microsoft.Insights/components/one/currentbillingfeatures"
    assert arm("GET", path).json["DataVolumeCap"]["Cap"] == 100

    arm("PUT", path, {"DataVolumeCap": {"Cap": 7}})

    assert arm("GET", path).json["DataVolumeCap"] == {"Cap": 7}


def test_a_storage_account_has_endpoints_services_and_keys(arm: Arm) -> None:
    path = f"{P}/Microsoft.Storage/storageAccounts/acct"
    endpoints = made(arm, "Microsoft.Storage/storageAccounts", "acct")["properties"][
        "primaryEndpoints"
    ]
    assert endpoints["blob"] == "https://acct.blob.core.windows.net/"
    assert set(endpoints) == {"blob", "queue", "table", "file", "dfs", "web"}

    for service in ("blob", "file", "queue", "table"):
        assert arm("GET", f"{path}/{service}Services/default").status == 200
    keys = arm("POST", f"{path}/listKeys?$expand=kerb").json["keys"]

    assert [k["keyName"] for k in keys] == ["key1", "key2"]
    assert {k["permissions"] for k in keys} == {"FULL"}
    assert {len(base64.b64decode(k["value"])) for k in keys} == {64}
    assert keys == arm("POST", f"{path}/listKeys").json["keys"]


def test_sovereign_clouds_have_their_own_domains(arm: Arm) -> None:
    path, host = f"{P}/Microsoft.Storage/storageAccounts/acct", "management.usgovcloudapi.net"
    for_public_cloud = arm("PUT", path, BODY, host=host)
    arm.bearer = arm.new_bearer(f"https://{host}")

    found = arm("PUT", path, BODY, host=host).json

    endpoints = found["properties"]["primaryEndpoints"]
    assert endpoints["blob"] == "https://acct.blob.core.usgovcloudapi.net/"
    assert for_public_cloud.code == "InvalidAuthenticationTokenAudience"


def test_a_container_lies_in_a_service_that_nobody_made(arm: Arm) -> None:
    made(arm, "Microsoft.Storage/storageAccounts", "acct")
    path = f"{P}/Microsoft.Storage/storageAccounts/acct/blobServices/default/containers/c"

    assert arm("PUT", path, {"properties": {}}).status in {200, 201}
    assert arm("PUT", path.replace("acct", "none"), {}).code == "ParentResourceNotFound"


@pytest.mark.parametrize(
    ("kind", "record", "minimum"),
    [("privateDnsZones", "soaRecord", "minimumTtl"), ("dnsZones", "SOARecord", "minimumTTL")],
)
def test_a_zone_has_its_soa_record(arm: Arm, kind: str, record: str, minimum: str) -> None:
    made(arm, f"Microsoft.Network/{kind}", "example.com")

    properties = arm("GET", f"{P}/Microsoft.Network/{kind}/example.com/SOA/@").json["properties"]

    assert set(properties[record]) == SOA | {minimum}
    assert properties["fqdn"] == "example.com."


def test_a_workspace_and_a_bus_have_keys(arm: Arm) -> None:
    made(arm, "Microsoft.OperationalInsights/workspaces", "law")
    made(arm, "Microsoft.ServiceBus/namespaces", "bus")
    law = arm("POST", f"{P}/Microsoft.OperationalInsights/workspaces/law/sharedKeys").json
    bus = f"{P}/Microsoft.ServiceBus/namespaces/bus"
    rule = arm("POST", f"{bus}/authorizationRules/RootManageSharedAccessKey/listKeys").json

    assert law["primarySharedKey"] != law["secondarySharedKey"]
    assert rule["primaryConnectionString"].startswith("Endpoint=sb://bus.servicebus.windows.net/;")
    assert (
        arm("GET", f"{bus}/networkRuleSets/default").json["properties"]["defaultAction"] == "Allow"
    )


def test_a_registry_has_credentials(arm: Arm) -> None:
    made(arm, "Microsoft.ContainerRegistry/registries", "acr")

    found = arm("POST", f"{P}/Microsoft.ContainerRegistry/registries/acr/listCredentials").json

    assert found["username"] == "acr"
    assert len(found["passwords"]) == 2


def test_a_deleted_vault_can_be_seen_and_purged(arm: Arm) -> None:
    made(arm, "Microsoft.KeyVault/vaults", "kv")
    assert arm("GET", DELETED).status == 404

    arm("DELETE", VAULT)

    assert arm("GET", DELETED).json["properties"]["vaultId"] == VAULT
    listed = arm("GET", f"{S}/providers/Microsoft.KeyVault/deletedVaults").json["value"]
    assert [v["name"] for v in listed] == ["kv"]
    assert arm("POST", f"{DELETED}/purge").status in {200, 202}
    assert arm("GET", DELETED).status == 404
    assert arm("POST", f"{DELETED}/purge").status == 404


def test_a_deleted_vaults_name_is_taken_until_it_is_recovered(arm: Arm) -> None:
    made(arm, "Microsoft.KeyVault/vaults", "kv")
    arm("DELETE", VAULT)

    refused = arm("PUT", VAULT, BODY)
    assert (refused.status, refused.code) == (409, "ConflictError")

    recover = {"location": "westeurope", "properties": {"createMode": "recover"}}
    assert arm("PUT", VAULT, recover).status == 201
    assert arm("GET", DELETED).status == 404


def test_identities_of_resources_have_their_ids(arm: Arm) -> None:
    mine = made(arm, IDENTITIES, "me")
    identity = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {mine["id"]: {}}}
    body = {"location": "westeurope", "identity": identity}

    found = made(arm, "Microsoft.Web/sites", "site", body)["identity"]

    assert found["tenantId"] == TENANT
    assert len(found["principalId"]) == GUID_LENGTH
    ids = {k: mine["properties"][k] for k in ("principalId", "clientId")}
    assert found["userAssignedIdentities"] == {mine["id"]: ids}


def test_a_cluster_has_what_modules_read_from_it(arm: Arm) -> None:
    written = {"dnsPrefix": "aks", "oidcIssuerProfile": {"enabled": True}}
    body = {"location": "westeurope", "properties": written}
    found = made(arm, "Microsoft.ContainerService/managedClusters", "aks", body)["properties"]

    assert found["fqdn"].startswith("aks-")
    assert found["nodeResourceGroup"] == f"MC_{RG.rpartition('/')[2]}_aks_westeurope"
    assert found["oidcIssuerProfile"]["issuerURL"].startswith("https://westeurope.oic.")
    assert len(found["identityProfile"]["kubeletidentity"]["objectId"]) == GUID_LENGTH
    assert found["currentKubernetesVersion"]
    path = f"{P}/Microsoft.ContainerService/managedClusters/aks/listClusterUserCredential"
    (entry,) = arm("POST", path).json["kubeconfigs"]
    config = base64.b64decode(entry["value"]).decode()
    assert f"server: https://{found['fqdn']}:443" in config
    assert "client-certificate-data: " in config


def test_a_cluster_without_an_issuer_has_none(arm: Arm) -> None:
    found = made(arm, "Microsoft.ContainerService/managedClusters", "aks")["properties"]

    assert "oidcIssuerProfile" not in found
    assert "privateFQDN" not in found


def test_a_registrys_task_runs_and_its_run_is_there(arm: Arm) -> None:
    registry = made(arm, "Microsoft.ContainerRegistry/registries")["id"]

    run = arm("POST", f"{registry}/scheduleRun", {"type": "TaskRunRequest"}).json

    assert run["properties"]["status"] == "Succeeded"
    assert arm("GET", f"{registry}/runs/{run['name']}").json["properties"] == run["properties"]
    assert arm("GET", f"{registry}/runs/other").status == 404


def test_an_action_that_changes_a_resource_is_seen_in_it(arm: Arm) -> None:
    manager = made(arm, "Microsoft.Network/networkManagers", "nm")["id"]
    commit = {"commitType": "Connectivity", "targetLocations": ["eastus"]}
    arm("POST", f"{manager}/commit", {**commit, "configurationIds": ["c"]})
    (status,) = arm("POST", f"{manager}/listDeploymentStatus", {}).json["value"]
    assert (status["deploymentStatus"], status["region"]) == ("Deployed", "eastus")
    arm("POST", f"{manager}/commit", {**commit, "configurationIds": []})
    assert arm("POST", f"{manager}/listDeploymentStatus", {}).json["value"] == []

    site = made(arm, "Microsoft.Web/sites", "site")["id"]
    arm("POST", f"{site}/slotsswap", {"targetSlot": "blue"})
    assert arm("GET", site).json["properties"]["slotSwapStatus"]["sourceSlotName"] == "blue"


def test_a_database_is_linked_to_its_group_and_leaves_it(arm: Arm) -> None:
    made(arm, "Microsoft.Cache/redisEnterprise", "r")
    made(arm, "Microsoft.Cache/redisEnterprise", "s")
    database = made(arm, "Microsoft.Cache/redisEnterprise/r/databases", "default")["id"]
    other = made(arm, "Microsoft.Cache/redisEnterprise/s/databases", "default")["id"]
    group = {"groupNickname": "g", "linkedDatabases": [{"id": database}, {"id": other}]}

    arm("POST", f"{database}/forceLinkToReplicationGroup", {"geoReplication": group})

    def linked(of: str) -> list[tuple[str, str]]:
        found = arm("GET", of).json["properties"]["geoReplication"]["linkedDatabases"]
        return [(d["id"], d["state"]) for d in found]

    both = [(database, "Linked"), (other, "Linked")]
    assert (linked(database), linked(other)) == (both, both)
    arm("POST", f"{database}/forceUnlink", {"ids": [other]})
    assert linked(database) == [(database, "Linked")]


def test_managed_identities_are_told_to_the_directory(arm: Arm) -> None:
    mine = made(arm, IDENTITIES, "me")
    body = {"location": "westeurope", "identity": {"type": "SystemAssigned"}}
    site = made(arm, "Microsoft.Web/sites", "site", body)
    made(arm, "Microsoft.Web/sites", "none")

    found = {i["displayName"]: i for i in arm.manager.managed_identities()}

    assert set(found) == {"me", "site"}
    assert found["me"]["id"] == mine["properties"]["principalId"]
    assert found["me"]["appId"] == mine["properties"]["clientId"]
    assert found["site"]["id"] == site["identity"]["principalId"]
    assert found["site"]["resourceId"] == site["id"]


def test_what_was_asked_for_is_there(arm: Arm) -> None:
    asked = {"highCapacityDatabaseStorageInput": {"totalSizeInGbs": 300}}
    body = {"location": "westeurope", "properties": asked}
    found = made(arm, "Oracle.Database/exascaleDbStorageVaults", "v", body)["properties"]
    assert found["highCapacityDatabaseStorage"]["totalSizeInGbs"] == 300

    found = made(arm, "Microsoft.Databricks/workspaces", "w")["properties"]
    assert found["storageAccountIdentity"]["tenantId"] == TENANT


def test_what_has_only_a_name_needs_no_body_and_no_parent_of_its_own(arm: Arm) -> None:
    machine = made(arm, "Microsoft.Compute/virtualMachines", "vm")["id"]
    path = f"{machine}/providers/Microsoft.Security/serverVulnerabilityAssessments/default"
    assert arm("PUT", path).status in {200, 201}

    made(arm, "Microsoft.Cdn/profiles", "door")
    rules = f"{P}/Microsoft.Cdn/profiles/door/ruleSets/rules"
    assert arm("PUT", rules).status in {200, 201}
    assert arm("GET", rules).json["name"] == "rules"
    assert arm("PUT", f"{rules}/rules/one").status == 400  # this has more than a name

    made(arm, "Microsoft.Web/sites", "site")
    kind = "Microsoft.Web/sites/site/hybridConnectionNamespaces/relay/relays"
    assert made(arm, kind, "hybrid")["name"] == "hybrid"

    made(arm, "Microsoft.ApiManagement/service", "api")
    kind = "Microsoft.ApiManagement/service/api/notifications/X/recipientEmails"
    assert arm("PUT", f"{P}/{kind}/a@example.org").status in {200, 201}
    kind = "Microsoft.ApiManagement/service/other/notifications/X/recipientEmails"
    assert arm("PUT", f"{P}/{kind}/a@example.org").status == 404


def test_a_mapping_of_networks_names_its_fabrics(arm: Arm) -> None:
    vault = made(arm, "Microsoft.RecoveryServices/vaults", "v")["id"]
    kind = "Microsoft.RecoveryServices/vaults/v/replicationFabrics"
    made(arm, kind, "one")
    written = {"recoveryFabricName": "two", "fabricSpecificDetails": {"primaryNetworkId": "n"}}
    path = f"{kind}/one/replicationNetworks/net/replicationNetworkMappings"

    found = made(arm, path, "m", {"properties": written})["properties"]

    assert found["recoveryFabricArmId"] == f"{vault}/replicationFabrics/two"  # else azurerm crashes
    assert found["primaryNetworkId"] == "n"


def test_a_connector_of_logic_apps_is_there(arm: Arm) -> None:
    path = f"{S}/providers/Microsoft.Web/locations/westeurope/managedApis/servicebus"

    assert arm("GET", path).json["properties"]["name"] == "servicebus"


def test_a_feature_is_off_until_somebody_registers_it(arm: Arm) -> None:
    feature = f"{S}/providers/Microsoft.Features/providers/Microsoft.Compute/features/X"

    assert arm("GET", feature).json["properties"]["state"] == "NotRegistered"
    assert arm("GET", feature).json["name"] == "Microsoft.Compute/X"
    assert arm("POST", f"{feature}/register").json["properties"]["state"] == "Registered"
    assert arm("GET", feature).json["properties"]["state"] == "Registered"
    assert arm("POST", f"{feature}/unregister").status == 200
    assert arm("GET", feature).json["properties"]["state"] == "NotRegistered"


def test_a_skus_name_tells_its_tier(arm: Arm) -> None:
    body = {**BODY, "sku": {"name": "E0"}}

    found = made(arm, "Microsoft.AppPlatform/Spring", "one", body)

    assert found["sku"] == {"name": "E0", "tier": "Enterprise"}
    # azapi writes no tier, and azurerm reads it
    found = made(arm, "Microsoft.ContainerRegistry/registries", "r", {"sku": {"name": "Premium"}})
    assert found["sku"]["tier"] == "Premium"


def test_how_a_node_configuration_was_written_is_not_shown(arm: Arm) -> None:
    made(arm, "Microsoft.Automation/automationAccounts", "a")
    written = {"configuration": {"name": "c"}, "source": {"type": "embeddedContent", "value": "v"}}
    kind = "Microsoft.Automation/automationAccounts/a/nodeConfigurations"
    found = made(arm, kind, "c.localhost", {"properties": written})

    assert "source" not in found["properties"]
    assert found["properties"]["configuration"] == {"name": "c"}


def test_deleting_an_assignment_gives_it_back(arm: Arm) -> None:
    found = made(arm, "Microsoft.Authorization/policyAssignments")

    assert arm("DELETE", found["id"]).json == found


def test_every_entry_of_the_table_can_be_created_and_deleted(arm: Arm) -> None:
    for kind in TYPES:
        if kind.count("/") == 1 and not kind.startswith("Microsoft.Resources/"):
            path = f"{P}/{kind}/entry"
            assert arm("PUT", path, BODY).status in {200, 201, 202}, kind
            assert arm("DELETE", path).status in {200, 202, 204}, kind
