"""The types of single services: what they read back, and the statuses that they answer with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import RG, Arm, S

P = f"{RG}/providers"
BODY = {"location": "westeurope", "properties": {}}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Microsoft.Network/applicationGateways", {"operationalState": "Running", "probes": []}),
        ("Microsoft.Network/azureFirewalls", {"ipConfigurations": []}),
        ("Microsoft.Network/bastionHosts", {"scaleUnits": 2}),
        ("Microsoft.Network/connections", {"connectionMode": "Default"}),
        ("Microsoft.Network/firewallPolicies", {"childPolicies": [], "firewalls": []}),
        ("Microsoft.Network/ipGroups", {"firewalls": [], "firewallPolicies": []}),
        ("Microsoft.Network/loadBalancers", {"probes": [], "loadBalancingRules": []}),
        ("Microsoft.Network/privateEndpoints", {"customDnsConfigs": []}),
        ("Microsoft.Network/publicIPPrefixes", {"publicIPAddressVersion": "IPv4"}),
        ("Microsoft.Network/virtualNetworkGateways", {"activeActive": False}),
        ("Microsoft.Cdn/profiles", {"resourceState": "Active"}),
        ("Microsoft.Cache/redis", {"port": 6379, "sslPort": 6380}),
        ("Microsoft.DBforMySQL/flexibleServers", {"state": "Ready", "replicationRole": "None"}),
        ("Microsoft.DBforPostgreSQL/flexibleServers", {"replicationRole": "Primary"}),
        (
            "Microsoft.DocumentDB/databaseAccounts",
            {"documentEndpoint": "https://one.documents.azure.com:443/"},
        ),
        ("Microsoft.Sql/servers", {"fullyQualifiedDomainName": "one.database.windows.net"}),
        ("Microsoft.EventHub/namespaces", {"maximumThroughputUnits": 0}),
        ("Microsoft.EventGrid/topics", {"inputSchema": "EventGridSchema"}),
        ("Microsoft.SignalRService/signalR", {"hostName": "one.service.signalr.net"}),
        ("Microsoft.SignalRService/webPubSub", {"hostName": "one.webpubsub.azure.com"}),
        ("Microsoft.AppConfiguration/configurationStores", {"endpoint": "https://one.azconfig.io"}),
        ("Microsoft.Search/searchServices", {"replicaCount": 1, "status": "running"}),
        ("Microsoft.CognitiveServices/accounts", {"publicNetworkAccess": "Enabled"}),
    ],
)
def test_azure_adds_properties(arm: Arm, kind: str, expected: dict[str, Any]) -> None:
    path = f"{P}/{kind}/one"
    assert arm("PUT", path, BODY).status in {200, 201, 202}

    properties = arm("GET", path).json["properties"]

    assert {name: properties[name] for name in expected} == expected


def test_parts_of_a_resource_have_ids(arm: Arm) -> None:
    path = f"{P}/Microsoft.Network/loadBalancers/lb"
    arm("PUT", path, {**BODY, "properties": {"probes": [{"name": "http"}]}})

    assert arm("GET", path).json["properties"]["probes"][0]["id"] == f"{path}/probes/http"


def test_blocks_are_filled_up_and_what_was_written_stays(arm: Arm) -> None:
    path = f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/one"
    arm("PUT", path, {**BODY, "properties": {"storage": {"storageSizeGB": 64}}})

    storage = arm("GET", path).json["properties"]["storage"]

    assert (storage["storageSizeGB"], storage["autoGrow"]) == (64, "Disabled")


@pytest.mark.parametrize(
    "child",
    [
        "replicationVaultSettings/default",
        "backupConfig/vaultConfig",
        "backupStorageConfig/vaultStorageConfig",
    ],
)
def test_a_recovery_vault_has_its_settings(arm: Arm, child: str) -> None:
    vault = f"{P}/Microsoft.RecoveryServices/vaults/one"
    arm("PUT", vault, BODY)

    assert arm("GET", f"{vault}/{child}").status == 200


def test_a_begun_operation_can_be_polled_at_once(arm: Arm) -> None:
    path = f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/one"
    begun = arm("PUT", path, BODY)
    assert begun.status == 202

    url = begun.headers["Azure-AsyncOperation"].partition(".com")[2]
    assert arm("GET", url).json["status"] == "Succeeded"
    assert arm("GET", path).json["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("kind", "created", "updated", "deleted"),
    [
        ("Microsoft.EventGrid/topics", 201, 201, 204),
        ("Microsoft.Network/networkWatchers", 201, 200, 204),
        ("Microsoft.OperationsManagement/solutions", 201, 201, 200),
        ("Microsoft.Network/virtualNetworks", 201, 200, 200),
    ],
)
def test_types_answer_with_their_statuses(
    arm: Arm, kind: str, created: int, updated: int, deleted: int
) -> None:
    path = f"{P}/{kind}/one"
    found = [arm(verb, path, BODY).status for verb in ("PUT", "PUT")]

    assert [*found, arm("DELETE", path).status] == [created, updated, deleted]


@pytest.mark.parametrize("identity", [{}, {"type": None}, {"type": "None"}])
def test_an_identity_of_no_type_is_not_shown(arm: Arm, identity: object) -> None:
    made = arm("PUT", f"{P}/Microsoft.Web/sites/one", {**BODY, "identity": identity}).json

    assert "identity" not in made


def test_passwords_are_taken_and_never_given_back(arm: Arm) -> None:
    path = f"{P}/Microsoft.Compute/virtualMachines/vm"
    profile = {"adminUsername": "a", "adminPassword": "s3cret"}
    registries = [{"server": "a", "password": "s3cret"}]
    written = {"osProfile": profile, "disablePassword": True, "registries": registries}
    answer = arm("PUT", path, {**BODY, "properties": written})

    assert answer.json["properties"]["osProfile"] == {"adminUsername": "a"}
    assert answer.json["properties"]["registries"] == [{"server": "a"}]
    assert arm("GET", path).json["properties"]["disablePassword"] is True
    assert "s3cret" not in str(arm.manager.resources)


def test_capabilities_that_were_written_empty_are_not_shown(arm: Arm) -> None:
    path = f"{P}/Microsoft.Compute/virtualMachines/vm"
    arm("PUT", path, {**BODY, "properties": {"additionalCapabilities": {}}})
    assert "additionalCapabilities" not in arm("GET", path).json["properties"]

    some = {"additionalCapabilities": {"ultraSSDEnabled": True}}
    arm("PUT", path, {**BODY, "properties": some})
    assert arm("GET", path).json["properties"]["additionalCapabilities"]


@pytest.mark.parametrize("path", ["sites/app", "sites/app/slots/staging"])
def test_an_app_has_the_settings_that_it_was_made_with(arm: Arm, path: str) -> None:
    app = f"{P}/Microsoft.Web/{path}"
    settings = [{"name": "A", "value": "b"}]
    body = {**BODY, "properties": {"siteConfig": {"alwaysOn": True, "appSettings": settings}}}
    arm("PUT", f"{P}/Microsoft.Web/sites/app", BODY)
    host = arm("PUT", app, body).json["properties"]["defaultHostName"]

    assert host in {"app.azurewebsites.net", "app-staging.azurewebsites.net"}
    assert arm("GET", f"{app}/config/web").json["properties"]["alwaysOn"] is True
    assert arm("POST", f"{app}/config/appsettings/list").json["properties"] == {"A": "b"}
    arm("PUT", f"{app}/config/appsettings", {"properties": {"C": "d"}})
    assert arm("POST", f"{app}/config/appsettings/list").json["properties"] == {"C": "d"}


def test_what_an_app_keeps_beside_its_settings(arm: Arm) -> None:
    app = f"{P}/Microsoft.Web/sites/app"
    arm("PUT", app, BODY)

    assert arm("POST", f"{app}/config/backup/list").status == 404
    arm("PUT", f"{app}/config/backup", {"properties": {"enabled": True}})
    assert arm("POST", f"{app}/config/backup/list").json["properties"] == {"enabled": True}
    secret = arm("POST", f"{app}/config/publishingcredentials/list").json["properties"]
    assert secret["publishingUserName"] == "$app"
    assert secret["publishingPassword"]
    assert arm("GET", f"{app}/config/logs").json["properties"]["failedRequestsTracing"]
    for name in ("ftp", "scm"):
        policy = arm("GET", f"{app}/basicPublishingCredentialsPolicies/{name}")
        assert policy.json["properties"]["allow"] is True


@pytest.mark.parametrize(("reserved", "kind"), [(True, "linux"), (False, "app")])
def test_a_plan_says_what_runs_on_it(arm: Arm, *, reserved: bool, kind: str) -> None:
    path = f"{P}/Microsoft.Web/serverFarms/plan"

    assert arm("PUT", path, {**BODY, "properties": {"reserved": reserved}}).json["kind"] == kind
    assert arm("PUT", path, {**BODY, "kind": "elastic"}).json["kind"] == "elastic"


def test_a_deleted_configuration_store_can_be_purged(arm: Arm) -> None:
    path = f"{P}/Microsoft.AppConfiguration/configurationStores/store"
    arm("PUT", path, {**BODY, "properties": {"encryption": {"keyVaultProperties": {}}}})
    assert "encryption" not in arm("GET", path).json["properties"]
    arm("DELETE", path)
    place = f"{S}/providers/Microsoft.AppConfiguration/locations/westeurope"
    deleted = f"{place}/deletedConfigurationStores/store"

    assert arm("GET", deleted).json["properties"]["configurationStoreId"].endswith("/store")
    assert arm("POST", f"{deleted}/purge").status == 202
    assert arm("GET", deleted).status == 404


def test_a_deleted_cluster_leaves_nothing_to_read(arm: Arm) -> None:
    path = f"{P}/Microsoft.ContainerService/managedClusters/aks"
    assert arm("PUT", path, BODY).status == 201

    assert arm("DELETE", path).status == 204


def test_the_regions_of_cosmos_db_have_their_turns(arm: Arm) -> None:
    path = f"{P}/Microsoft.DocumentDB/databaseAccounts/one"
    regions = [{"locationName": "West Europe"}, {"locationName": "eastus", "failoverPriority": 1}]
    policies = arm("PUT", path, {**BODY, "properties": {"locations": regions}}).json["properties"][
        "failoverPolicies"
    ]

    assert [(p["id"], p["failoverPriority"]) for p in policies] == [
        ("one-westeurope", 0),
        ("one-eastus", 1),
    ]


def test_a_connection_has_the_key_that_was_written(arm: Arm) -> None:
    path = f"{P}/Microsoft.Network/connections/one"
    arm("PUT", path, BODY)
    given = arm("GET", f"{path}/sharedkey").json["value"]
    arm("PUT", path, {**BODY, "properties": {"sharedKey": "mine"}})

    assert given != "mine"
    assert arm("GET", f"{path}/sharedkey").json["value"] == "mine"


def test_a_subscription_that_belongs_to_no_client_does_not_say_so(arm: Arm) -> None:
    namespace = f"{P}/Microsoft.ServiceBus/namespaces/bus"
    path = f"{namespace}/topics/t/subscriptions/s"
    for above in (namespace, f"{namespace}/topics/t"):
        arm("PUT", above, BODY)
    arm("PUT", path, {"properties": {"clientAffineProperties": {}}})

    assert "clientAffineProperties" not in arm("GET", path).json["properties"]
    assert arm("GET", path).json["properties"]["maxDeliveryCount"] == 10
