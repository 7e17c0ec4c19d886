"""The fact sheets: statuses, keys and parts of types that differ from what most types do."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from pytest_tfoidc.mockazure.arm.types.changes import SWITCHES
from pytest_tfoidc.mockazure.arm.types.keylists import KEY_LISTS
from pytest_tfoidc.mockazure.arm.types.statuses import STATUSES
from tests.mockazure.armclient import RG, Arm

P = f"{RG}/providers"
BODY: dict[str, Any] = {"location": "westeurope", "properties": {}}


def put(arm: Arm, path: str, **properties: Any) -> Any:  # noqa: ANN401 - JSON
    arm("PUT", path, {"location": "westeurope", "properties": properties})
    found = arm("GET", path)
    assert found.status == 200, found.json
    return found.json["properties"]


@pytest.mark.parametrize(
    ("path", "first", "second", "changed", "deleted"),
    [
        ("Microsoft.Any/things/one", 200, 200, 200, 200),
        ("Microsoft.EventGrid/partnerNamespaces/one", 201, 201, 200, 200),
        ("Microsoft.EventGrid/eventSubscriptions/one", 201, 201, 201, 200),
        ("Microsoft.NetApp/netAppAccounts/one", 200, 200, 200, 204),
        ("Microsoft.Chaos/experiments/one", 200, 200, 202, 202),
        ("Microsoft.Network/networkManagers/one", 201, 200, 200, 200),
    ],
)
def test_a_type_answers_with_its_own_statuses(
    arm: Arm, path: str, first: int, second: int, changed: int, deleted: int
) -> None:
    here = f"{P}/{path}"
    asked = [("PUT", BODY), ("PUT", BODY), ("PATCH", {"tags": {"a": "b"}}), ("DELETE", None)]
    assert [arm(method, here, body).status for method, body in asked] == [
        *(first, second, changed, deleted)
    ]
    assert arm("GET", here).status == 404


def test_a_put_that_is_accepted_is_followed_to_its_end(arm: Arm) -> None:
    server = f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/pg"
    put(arm, server)
    answer = arm("PUT", f"{server}/virtualEndpoints/one", BODY)
    assert answer.status == 202
    poll = answer.headers["Azure-AsyncOperation"].partition(".com")[2]
    assert arm("GET", poll).json["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("path", "action", "status"),
    [
        ("Microsoft.ContainerInstance/containerGroups/one", "stop", 204),
        ("Microsoft.Any/things/one", "stop", 200),
    ],
)
def test_an_action_answers_with_its_own_status(
    arm: Arm, path: str, action: str, status: int
) -> None:
    put(arm, f"{P}/{path}")
    assert arm("POST", f"{P}/{path}/{action}").status == status


def test_an_action_that_is_accepted_is_followed_to_its_end(arm: Arm) -> None:
    path = f"{P}/Microsoft.ContainerService/managedClusters/aks"
    put(arm, path)
    answer = arm("POST", f"{path}/stop")
    assert answer.status == 202
    assert arm("GET", answer.headers["Location"].partition(".com")[2]).status == 200


def test_a_head_of_api_management_is_200_and_a_membership_204(arm: Arm) -> None:
    service = f"{P}/Microsoft.ApiManagement/service/apim"
    put(arm, service)
    put(arm, f"{service}/apis/a")
    put(arm, f"{service}/products/p")
    assert arm("PUT", f"{service}/products/p/apis/a").status in {200, 201}
    found = arm("HEAD", f"{service}/apis/a")
    assert (found.status, bool(found.headers["ETag"])) == (200, True)
    assert arm("HEAD", f"{service}/products/p/apis/a").status == 204
    assert arm("HEAD", f"{service}/apis/none").status == 404


@pytest.mark.parametrize(
    ("path", "action", "names"),
    [
        ("Microsoft.Maps/accounts/one", "listKeys", {"primaryKey", "secondaryKey"}),
        ("Microsoft.Batch/batchAccounts/one", "listkeys", {"primary", "secondary"}),
        ("Microsoft.EventGrid/partnerNamespaces/one", "listKeys", {"key1", "key2"}),
        ("Microsoft.Cache/redisEnterprise/one/databases/a", "listKeys",
         {"primaryKey", "secondaryKey"}),
    ],
)  # fmt: skip
def test_keys_have_their_names_and_stay(arm: Arm, path: str, action: str, names: set[str]) -> None:
    parts = path.split("/")
    for end in range(3, len(parts) + 1, 2):
        put(arm, f"{P}/{'/'.join(parts[:end])}")
    first, again = (arm("POST", f"{P}/{path}/{action}").json for _ in range(2))
    assert first == again
    assert set(first) == names
    assert len(set(first.values())) == len(names)


def test_a_secret_that_was_written_is_the_one_that_is_listed(arm: Arm) -> None:
    service = f"{P}/Microsoft.ApiManagement/service/apim"
    put(arm, service)
    put(arm, f"{service}/namedValues/v", value="mine", secret=True)
    assert arm("POST", f"{service}/namedValues/v/listValue").json == {"value": "mine"}


@pytest.mark.parametrize(
    ("path", "written", "at", "expected"),
    [
        ("Microsoft.Compute/disks/d", {}, ("publicNetworkAccess",), "Enabled"),
        ("Microsoft.Compute/disks/d", {"publicNetworkAccess": "Disabled"},
         ("publicNetworkAccess",), "Disabled"),
        ("Microsoft.Compute/disks/d", {"publicNetworkAccess": ""},
         ("publicNetworkAccess",), "Enabled"),
        ("Microsoft.Compute/virtualMachineScaleSets/s", {}, ("orchestrationMode",), "Uniform"),
        ("Microsoft.Compute/virtualMachineScaleSets/s", {"orchestrationMode": "Flexible"},
         ("orchestrationMode",), "Flexible"),
        ("Microsoft.Batch/batchAccounts/b", {}, ("poolAllocationMode",), "BatchService"),
        ("Microsoft.ContainerService/managedClusters/c", {}, ("nodeProvisioningProfile", "mode"),
         "Manual"),
        ("Microsoft.Network/publicIPAddresses/p", {}, ("publicIPAddressVersion",), "IPv4"),
        ("Microsoft.Storage/storageAccounts/s", {}, ("networkAcls", "defaultAction"), "Allow"),
        ("Microsoft.Storage/storageAccounts/s", {"networkAcls": {"defaultAction": "Deny"}},
         ("networkAcls", "defaultAction"), "Deny"),
        ("Oracle.Database/cloudVmClusters/c", {}, ("lifecycleState",), "Available"),
        ("Microsoft.OperationalInsights/workspaces/w", {}, ("workspaceCapping", "dailyQuotaGb"),
         -1.0),
        ("Microsoft.Batch/batchAccounts/b", {}, ("accountEndpoint",),
         "b.westeurope.batch.azure.com"),
        ("Microsoft.Network/loadBalancers/l",
         {"inboundNatPools": [{"name": "p", "properties": {}}]},
         ("inboundNatPools", 0, "properties", "idleTimeoutInMinutes"), 4),
        ("Microsoft.MachineLearningServices/workspaces/w", {}, ("publicNetworkAccess",), "Enabled"),
        ("Microsoft.DBforPostgreSQL/serverGroupsv2/g", {}, ("serverNames", 0, "name"), "g-c"),
        ("Microsoft.Search/searchServices/s", {}, ("endpoint",), "https://s.search.windows.net"),
        ("Microsoft.Elastic/monitors/m", {"userInfo": {"emailAddress": "ada@example.org"}},
         ("elasticProperties", "elasticCloudUser", "emailAddress"), "ada@example.org"),
        ("Microsoft.Kusto/clusters/k", {}, ("uri",), "https://k.westeurope.kusto.windows.net"),
        ("Microsoft.Network/trafficmanagerprofiles/t", {"dnsConfig": {"relativeName": "mine"}},
         ("dnsConfig", "fqdn"), "mine.trafficmanager.net"),
        ("Microsoft.Network/publicIPAddresses/p", {"dnsSettings": {"domainNameLabel": "mine"}},
         ("dnsSettings", "fqdn"), "mine.westeurope.cloudapp.azure.com"),
    ],
)  # fmt: skip
def test_azure_fills_what_nobody_wrote(
    arm: Arm, path: str, written: dict[str, Any], at: tuple[str | int, ...], expected: object
) -> None:
    found = put(arm, f"{P}/{path}", **written)
    for step in at:
        found = found[step]
    assert found == expected


def test_a_storage_account_has_the_tier_that_the_name_of_its_sku_tells(arm: Arm) -> None:
    path = f"{P}/Microsoft.Storage/storageAccounts/s"
    for name, tier in (("Premium_LRS", "Premium"), ("Standard_ZRS", "Standard")):
        arm("PUT", path, {**BODY, "sku": {"name": name}})
        assert arm("GET", path).json["sku"] == {"name": name, "tier": tier}


@pytest.mark.parametrize(
    ("owner", "path", "named"),
    [
        ("Microsoft.ContainerService/managedClusters/c", "agentPools/p",
         {"osType": "Linux", "type": "VirtualMachineScaleSets", "count": 1}),
        ("Microsoft.Sql/servers/s", "elasticPools/p", {"maxSizeBytes": 32 << 30}),
    ],
)  # fmt: skip
def test_what_was_written_bare_reads_as_azure_fills_it(
    arm: Arm, owner: str, path: str, named: dict[str, Any]
) -> None:
    put(arm, f"{P}/{owner}")
    found = put(arm, f"{P}/{owner}/{path}")
    assert {name: found[name] for name in named} == named


def test_a_block_that_is_not_there_is_not_made_to_be_filled(arm: Arm) -> None:
    assert "networkAcls" not in put(arm, f"{P}/Microsoft.CognitiveServices/accounts/a")


def test_a_fact_of_the_resource_itself_stands_beside_its_properties(arm: Arm) -> None:
    path = f"{P}/Microsoft.SignalRService/webPubSub/p"
    arm("PUT", path, {**BODY, "sku": {"name": "Free_F1"}})
    assert arm("GET", path).json["sku"] == {"name": "Free_F1", "capacity": 1}


def test_an_iot_hub_has_an_endpoint_and_policies_with_keys(arm: Arm) -> None:
    hub = f"{P}/Microsoft.Devices/IotHubs/h"
    own = {"keyName": "mine", "rights": "ServiceConnect", "primaryKey": "k"}
    found = put(
        arm, hub, authorizationPolicies=[own], eventHubEndpoints={"events": {"partitionCount": 2}}
    )
    assert found["eventHubEndpoints"]["events"]["partitionIds"] == ["0", "1"]
    assert found["eventHubEndpoints"]["events"]["endpoint"].startswith("sb://")
    assert "minTlsVersion" not in found  # azurerm 4 would replace the hub
    policies = {p["keyName"]: p for p in arm("POST", f"{hub}/listkeys").json["value"]}
    assert {"iothubowner", "mine"} <= policies.keys()
    assert policies["mine"]["primaryKey"] == "k"
    assert policies["mine"]["secondaryKey"]
    assert arm("POST", f"{hub}/IotHubKeys/mine/listkeys").json["primaryKey"] == "k"
    assert arm("POST", f"{hub}/IotHubKeys/none/listkeys").status == 404
    group = f"{hub}/eventHubEndpoints/events/ConsumerGroups/g"
    assert arm("PUT", group, {"properties": {"name": "g"}}).status in {200, 201}


@pytest.mark.parametrize(
    ("provider", "kind"),
    [("EventHub/namespaces/n", "EventHub"), ("Storage/storageAccounts/s", "StorageAccount")],
)
def test_a_data_export_says_where_it_exports_to(arm: Arm, provider: str, kind: str) -> None:
    workspace = f"{P}/Microsoft.OperationalInsights/workspaces/w"
    put(arm, workspace)
    destination = {"resourceId": f"{P}/Microsoft.{provider}"}
    found = put(arm, f"{workspace}/dataExports/e", destination=destination)
    assert found["destination"] == {**destination, "type": kind}


def test_a_registrys_webhook_tells_whom_it_calls(arm: Arm) -> None:
    registry = f"{P}/Microsoft.ContainerRegistry/registries/r"
    put(arm, registry)
    put(arm, f"{registry}/webhooks/w", serviceUri="https://example.org", actions=["push"])
    told = arm("POST", f"{registry}/webhooks/w/getCallbackConfig").json
    assert told == {"serviceUri": "https://example.org"}


def test_an_action_that_lists_lists_nothing_where_nothing_is_known(arm: Arm) -> None:
    put(arm, f"{P}/Microsoft.Any/things/one")
    listed = arm("POST", f"{P}/Microsoft.Any/things/one/listOfParts").json
    assert (listed["value"], listed["properties"]) == ([], {})
    assert arm("POST", f"{P}/Microsoft.Any/things/one/restart").json == {}


def test_named_parts_of_a_network_have_ids(arm: Arm) -> None:
    path = f"{P}/Microsoft.Network/vpnSites/s"
    links = [
        {"name": "a", "properties": {"ipAddress": "10.1.0.0"}},
        {"name": "b", "properties": {}},
    ]
    found = put(arm, path, vpnSiteLinks=links, addressSpace={"addressPrefixes": ["10.0.0.0/8"]})
    assert [link["id"] for link in found["vpnSiteLinks"]] == [
        f"{path}/vpnSiteLinks/{name}" for name in "ab"
    ]
    other = put(arm, f"{P}/Microsoft.Any/things/one", links=links)
    assert other["links"] == links


def test_every_line_of_the_sheets_is_read() -> None:
    statuses = [s for facts in STATUSES.values() for s in facts.values()]
    assert set(statuses) <= {200, 201, 202, 204}
    assert len(statuses) > 250
    assert all(kind == kind.lower() and "." in kind for kind in (*STATUSES, *KEY_LISTS))
    assert not any(" " in kind for kind in (*STATUSES, *KEY_LISTS))


def test_a_runbooks_script_is_a_text_that_is_written_and_read(arm: Arm) -> None:
    account = f"{P}/Microsoft.Automation/automationAccounts/a"
    runbook = f"{account}/runbooks/r"
    put(arm, account)
    assert arm("PUT", f"{runbook}/draft/content", b"Get-Date").status == 404
    put(arm, runbook, runbookType="PowerShell")
    assert arm("GET", f"{runbook}/content").response.body == b""
    written = arm("PUT", f"{runbook}/draft/content", b"Get-Date # {")
    assert written.status == 202
    assert arm("GET", written.headers["Location"].partition(".com")[2]).status == 200
    assert arm("POST", f"{runbook}/publish").status == 202
    for path in ("content", "draft/content"):
        found = arm("GET", f"{runbook}/{path}").response
        assert (found.body, found.headers["Content-Type"][:15]) == (
            b"Get-Date # {",
            "text/powershell",
        )
    assert arm("DELETE", f"{runbook}/content").status == 405


def test_a_workflows_triggers_can_be_called(arm: Arm) -> None:
    workflow = f"{P}/Microsoft.Logic/workflows/w"
    put(arm, workflow, definition={"triggers": {"hook": {"type": "Request"}}})
    first, again = (arm("POST", f"{workflow}/triggers/hook/listCallbackUrl").json for _ in "ab")
    assert first == again
    assert first["value"].startswith("https://")
    assert arm("POST", f"{workflow}/triggers/other/listCallbackUrl").status == 404


def test_an_action_on_all_children_of_a_type_is_no_resource(arm: Arm) -> None:
    account = f"{P}/Microsoft.Automation/automationAccounts/a"
    assert arm("POST", f"{account}/webHooks/generateUri").status == 404
    put(arm, account)
    assert arm("POST", f"{account}/webHooks/generateUri").json.startswith("https://")
    assert arm("POST", f"{account}/webHooks/other").status == 405


def test_a_firewall_has_its_lists_of_rules(arm: Arm) -> None:
    found = put(arm, f"{P}/Microsoft.Network/azureFirewalls/f")
    kinds = ("application", "nat", "network")
    assert [found[f"{kind}RuleCollections"] for kind in kinds] == [[], [], []]


def test_terms_of_the_marketplace_are_there_and_not_accepted(arm: Arm) -> None:
    path = (
        f"{RG.partition('/resourceGroups')[0]}/providers/Microsoft.MarketplaceOrdering"
        "/offerTypes/virtualmachine/publishers/pub/offers/off/plans/pl/agreements/current"
    )
    terms = arm("GET", path).json["properties"]
    assert (terms["publisher"], terms["product"], terms["plan"]) == ("pub", "off", "pl")
    assert terms["accepted"] is False
    arm("PUT", path, {"properties": {**terms, "accepted": True}})
    assert arm("GET", path).json["properties"]["accepted"] is True


@pytest.mark.parametrize(("kind", "status"), [("Desktop", 200), ("RemoteApp", 404)])
def test_a_group_for_desktops_has_one(arm: Arm, kind: str, status: int) -> None:
    path = f"{P}/Microsoft.DesktopVirtualization/applicationGroups/g"
    put(arm, path, applicationGroupType=kind)
    desktop = f"{path}/desktops/sessionDesktop"
    assert arm("GET", desktop).status == status
    patched = arm("PATCH", desktop, {"properties": {"friendlyName": "mine"}})
    assert patched.status == status
    if status == 200:
        assert arm("GET", desktop).json["properties"]["friendlyName"] == "mine"


def test_the_current_revision_of_an_api_is_the_api(arm: Arm) -> None:
    service = f"{P}/Microsoft.ApiManagement/service/apim"
    api = f"{service}/apis/a"
    put(arm, service)
    assert arm("GET", f"{api};rev=2").status == 404
    assert put(arm, f"{api};rev=2", displayName="A")["apiRevision"] == "2"
    assert arm("GET", api).json["properties"]["isCurrent"] is True
    put(arm, f"{api}/operations/o")
    assert arm("GET", f"{api};rev=2/operations/o").status == 200
    other = put(arm, f"{api};rev=3", sourceApiId=api)
    assert (other["apiRevision"], other["isCurrent"]) == ("3", False)
    assert arm("GET", api).json["properties"]["apiRevision"] == "2"
    assert arm("DELETE", f"{api};rev=2").status in {200, 204}
    assert arm("GET", api).status == 404


def test_a_parameter_of_mysql_says_yes_and_no_as_a_text(arm: Arm) -> None:
    server = f"{P}/Microsoft.DBforMySQL/flexibleServers/s"
    put(arm, server)
    path = f"{server}/configurations/interactive_timeout"
    assert arm("GET", path).json["properties"]["isReadOnly"] == "False"
    assert put(arm, path, value="600")["isDynamicConfig"] == "True"


def test_a_virtual_endpoint_leads_to_its_own_server_first(arm: Arm) -> None:
    server = f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/s"
    put(arm, server)
    found = put(arm, f"{server}/virtualEndpoints/e", members=["replica"])
    assert found["members"] == ["s", "replica"]
    assert put(arm, f"{server}/virtualEndpoints/e", **found)["members"] == ["s", "replica"]


def test_what_has_only_a_name_needs_no_body(arm: Arm) -> None:
    domain = f"{P}/Microsoft.EventGrid/domains/d"
    put(arm, domain)
    assert arm("PUT", f"{domain}/topics/t").status == 201
    assert arm("GET", f"{domain}/topics/t").status == 200
    assert arm("PUT", f"{P}/Microsoft.EventGrid/domains/e").status == 400


def test_a_key_that_is_posted_gets_its_name_from_azure(arm: Arm) -> None:
    component = f"{P}/Microsoft.Insights/components/c"
    body = {"name": "mine", "linkedReadProperties": ["a"], "linkedWriteProperties": []}
    assert arm("POST", f"{component}/ApiKeys", body).status == 404
    put(arm, component)
    made = arm("POST", f"{component}/ApiKeys", body).json
    assert made["apiKey"]
    read = arm("GET", made["id"]).json
    assert (read["name"], read["linkedReadProperties"], "apiKey" in read) == ("mine", ["a"], False)
    assert [k["name"] for k in arm("GET", f"{component}/apiKeys").json["value"]] == ["mine"]
    assert arm("DELETE", made["id"]).status == 200
    assert arm("GET", made["id"]).status == 404


@pytest.mark.parametrize(
    ("path", "kind", "properties"),
    [
        ("pricings/VirtualMachines", None, {"pricingTier": "Free"}),
        ("settings/MCAS", "DataExportSettings", {"enabled": False}),
        ("settings/Sentinel", "AlertSyncSettings", {"enabled": False}),
    ],
)
def test_defender_for_cloud_has_its_settings_from_the_start(
    arm: Arm, path: str, kind: str | None, properties: dict[str, Any]
) -> None:
    where = f"{RG.partition('/resourceGroups')[0]}/providers/Microsoft.Security/{path}"
    found = arm("GET", where).json
    assert found.get("kind") == kind
    assert properties.items() <= found["properties"].items()


def test_what_a_vault_backs_up_needs_no_container_that_somebody_made(arm: Arm) -> None:
    vault = f"{P}/Microsoft.RecoveryServices/vaults/v"
    item = f"{vault}/backupFabrics/Azure/protectionContainers/c;vm/protectedItems/vm;one"
    assert arm("PUT", item, BODY).status == 404
    put(arm, vault)
    assert arm("PUT", item, BODY).status in {200, 201, 202}
    assert arm("DELETE", vault).status in {200, 202, 204}
    assert arm("GET", item).status == 404


def test_a_host_pool_has_a_token_once_somebody_asks_for_one(arm: Arm) -> None:
    pool = f"{P}/Microsoft.DesktopVirtualization/hostPools/h"
    put(arm, pool)
    assert arm("POST", f"{pool}/retrieveRegistrationToken").json == {}
    asked = {"expirationTime": "2030-01-01T00:00:00Z", "registrationTokenOperation": "Update"}
    arm("PATCH", pool, {"properties": {"registrationInfo": asked}})
    told = arm("POST", f"{pool}/retrieveRegistrationToken").json
    assert told["expirationTime"] == asked["expirationTime"]
    assert told["token"]
    gone = {**asked, "registrationTokenOperation": "Delete"}
    arm("PATCH", pool, {"properties": {"registrationInfo": gone}})
    assert arm("POST", f"{pool}/retrieveRegistrationToken").json == {}


@pytest.mark.parametrize(("reserved", "kind"), [(True, "app,linux"), (False, "app")])
def test_a_slot_has_a_kind_and_no_source_control(arm: Arm, reserved: bool, kind: str) -> None:  # noqa: FBT001 - of a table
    slot = f"{P}/Microsoft.Web/sites/s/slots/one"
    put(arm, f"{P}/Microsoft.Web/sites/s")
    put(arm, slot, reserved=reserved)
    assert arm("GET", slot).json["kind"] == kind
    assert arm("GET", f"{slot}/config/web").json["properties"]["scmType"] == "None"
    source = {"properties": {"repoUrl": "https://example.org/r.git"}}
    assert arm("PATCH", f"{slot}/sourceControls/web", source).status == 200


@pytest.mark.parametrize(
    ("method", "version", "expected"),
    [
        ("Static", "IPv4", "20."),
        ("static", "IPv6", "2603:1020:"),
        ("Dynamic", "IPv4", None),
        (None, None, None),
    ],
)
def test_a_public_address_is_there_before_it_is_used_where_it_is_static(
    arm: Arm, method: str | None, version: str | None, expected: str | None
) -> None:
    path = f"{P}/Microsoft.Network/publicIPAddresses/ip"
    written = {"publicIPAllocationMethod": method, "publicIPAddressVersion": version}
    found, again = (put(arm, path, **written).get("ipAddress") for _ in range(2))
    assert found == again
    assert ip_address(found) is not None if expected else found is None
    assert expected is None or found.startswith(expected)


@pytest.mark.parametrize("zone", ["dnsZones", "privateDnsZones"])
@pytest.mark.parametrize(("name", "expected"), [("www", "www.a.org."), ("@", "a.org.")])
def test_records_tell_their_full_names(arm: Arm, zone: str, name: str, expected: str) -> None:
    put(arm, f"{P}/Microsoft.Network/{zone}/a.org")
    found = put(arm, f"{P}/Microsoft.Network/{zone}/a.org/A/{name}", TTL=5)
    assert (found["fqdn"], found["TTL"]) == (expected, 5)


def test_a_frontend_in_a_subnet_has_an_address_and_one_to_the_world_has_none(arm: Arm) -> None:
    parts = [
        {"name": "in", "properties": {"subnet": {"id": "s"}}},
        {"name": "out", "properties": {"publicIPAddress": {"id": "p"}}},
    ]
    path = f"{P}/Microsoft.Network/loadBalancers/lb"
    found = put(arm, path, frontendIPConfigurations=parts)["frontendIPConfigurations"]
    assert [one["properties"].get("privateIPAddress", "")[:3] for one in found] == ["10.", ""]


def test_what_is_there_with_its_parent_is_in_the_list_once(arm: Arm) -> None:
    bus = f"{P}/Microsoft.ServiceBus/namespaces/bus"
    put(arm, bus)
    rules = f"{bus}/authorizationRules"

    def names() -> list[str]:
        return [one["name"] for one in arm("GET", rules).json["value"]]

    assert names() == ["RootManageSharedAccessKey"]
    put(arm, f"{rules}/mine", rights=["Listen"])
    put(arm, f"{rules}/RootManageSharedAccessKey", rights=["Manage"])
    assert sorted(names()) == ["RootManageSharedAccessKey", "mine"]


def test_a_list_at_a_vault_reaches_what_lies_deeper_in_it(arm: Arm) -> None:
    vault = f"{P}/Microsoft.RecoveryServices/vaults/v"
    fabric = f"{vault}/replicationFabrics/f"
    for path in (vault, fabric, f"{fabric}/replicationProtectionContainers/c"):
        put(arm, path)
    found = arm("GET", f"{vault}/replicationProtectionContainers").json["value"]
    assert [one["name"] for one in found] == ["c"]


def test_an_action_that_takes_its_time_tells_what_it_made_where_it_is_polled(arm: Arm) -> None:
    disk = f"{P}/Microsoft.Compute/disks/d"
    put(arm, disk)
    answer = arm("POST", f"{disk}/beginGetAccess", {"access": "Read", "durationInSeconds": 300})
    assert answer.status == 202
    polled, result = (
        arm("GET", answer.headers[name].partition(".com")[2]).json
        for name in ("Azure-AsyncOperation", "Location")
    )
    assert polled["properties"]["output"] == result
    assert result["accessSAS"].startswith("https://")
    assert arm("GET", disk).json["properties"]["diskState"] == "ActiveSAS"
    arm("POST", f"{disk}/endGetAccess")
    assert arm("GET", disk).json["properties"]["diskState"] == "Unattached"


@pytest.mark.parametrize(
    ("owner", "setting", "expected"),
    [
        ("Microsoft.DBforMariaDB/servers/s", "configurations/wait_timeout",
         {"source": "system-default"}),
        ("Microsoft.DBforPostgreSQL/servers/s", "configurations/backslash_quote",
         {"source": "system-default"}),
        ("Microsoft.Sql/servers/s", "automaticTuning/current", {"desiredState": "Auto"}),
        ("Microsoft.Synapse/workspaces/w", "azureADOnlyAuthentications/default",
         {"azureADOnlyAuthentication": False}),
        ("Microsoft.Synapse/workspaces/w", "securityAlertPolicies/Default", {"state": "Disabled"}),
        ("Microsoft.ApiManagement/service/a", "templates/InviteUserNotificationMessage",
         {"isDefault": True}),
        ("Microsoft.ContainerRegistry/registries/r", "scopeMaps/_repositories_pull",
         {"actions": ["repositories/*/content/read"]}),
        ("Microsoft.AppPlatform/spring/s", "configServers/default",
         {"provisioningState": "Succeeded"}),
        ("Microsoft.AppPlatform/spring/s", "monitoringSettings/default", {"traceEnabled": False}),
        ("Microsoft.Storage/storageAccounts/s",
         "providers/Microsoft.Security/defenderForStorageSettings/current", {"isEnabled": False}),
    ],
)  # fmt: skip
def test_settings_are_there_with_what_they_are_of(
    arm: Arm, owner: str, setting: str, expected: dict[str, Any]
) -> None:
    assert arm("GET", f"{P}/{owner}/{setting}").status == 404
    put(arm, f"{P}/{owner}")
    found = arm("GET", f"{P}/{owner}/{setting}").json["properties"]
    assert {name: found[name] for name in expected} == expected
    changed = arm("PATCH", f"{P}/{owner}/{setting}", {"properties": {"mine": 1}})
    assert (changed.status, changed.json["properties"]["mine"]) == (200, 1)
    assert arm("GET", f"{P}/{owner}/{setting}").json["properties"]["mine"] == 1


def test_a_template_that_was_written_is_no_default_any_more(arm: Arm) -> None:
    service = f"{P}/Microsoft.ApiManagement/service/a"
    put(arm, service)
    template = f"{service}/templates/NewComment"
    assert put(arm, template, subject="mine")["isDefault"] is False
    arm("DELETE", template)
    assert arm("GET", template).json["properties"]["isDefault"] is True


def test_a_container_has_a_policy_that_is_deleted_until_somebody_writes_one(arm: Arm) -> None:
    account = f"{P}/Microsoft.Storage/storageAccounts/held"
    policy = f"{account}/blobServices/default/containers/c/immutabilityPolicies/default"
    put(arm, account)
    put(arm, f"{account}/blobServices/default/containers/c")
    assert arm("GET", policy).json["properties"]["state"] == "Deleted"
    assert put(arm, policy, immutabilityPeriodSinceCreationInDays=4)["state"] == "Unlocked"
    arm("POST", f"{policy}/lock")
    longer = {"properties": {"immutabilityPeriodSinceCreationInDays": 9}}
    arm("POST", f"{policy}/extend", longer)
    now = arm("GET", policy).json["properties"]
    assert now.items() >= {"state": "Locked", **longer["properties"]}.items()
    arm("DELETE", policy)
    assert arm("GET", policy).json["properties"]["state"] == "Deleted"


@pytest.mark.parametrize("kind", SWITCHES)
def test_what_is_stopped_says_so_until_it_is_started(arm: Arm, kind: str) -> None:
    space, *types = kind.split("/")
    path, actions = SWITCHES[kind]
    here = f"{P}/{space}"
    for one in types:
        here = f"{here}/{one}/x"
        put(arm, here)
    for action, says in reversed(list(actions.items())):
        assert arm("POST", f"{here}/{action}").status < 300
        found = arm("GET", here).json["properties"]
        for name in path.split("."):
            found = found[name]
        assert found == says


@pytest.mark.parametrize(
    ("path", "properties"),
    [
        (
            "containerApps/a",
            {"configuration": {"secrets": [{"name": "s", "value": "v", "keyVaultUrl": ""}]}},
        ),
        ("jobs/j", {"configuration": {"secrets": [{"name": "s", "value": "v"}]}}),
        ("managedEnvironments/e/daprComponents/d", {"secrets": [{"name": "s", "value": "v"}]}),
    ],
)
def test_secrets_of_container_apps_are_listed(
    arm: Arm, path: str, properties: dict[str, Any]
) -> None:
    put(arm, f"{P}/Microsoft.App/managedEnvironments/e")
    put(arm, f"{P}/Microsoft.App/{path}", **properties)
    listed = arm("POST", f"{P}/Microsoft.App/{path}/listSecrets").json
    assert listed == {"value": [{"name": "s", "value": "v"}]}


def test_an_apps_backup_begins_at_some_time(arm: Arm) -> None:
    put(arm, f"{P}/Microsoft.Web/sites/w")
    backup = f"{P}/Microsoft.Web/sites/w/config/backup"
    arm("PUT", backup, {"properties": {"backupSchedule": {"frequencyInterval": 1}}})
    told = arm("POST", f"{backup}/list").json["properties"]
    assert told["backupSchedule"]["startTime"] == "2026-01-01T00:00:00"


def test_what_is_there_with_its_parent_can_be_deleted_and_is_still_there(arm: Arm) -> None:
    site = f"{P}/Microsoft.Web/sites/w"
    put(arm, site)
    answers = [arm("DELETE", f"{site}/networkConfig/{n}").status for n in ("virtualNetwork", "x")]
    assert answers == [200, 204]


def test_an_apps_first_kind_of_sign_in_says_so_once_it_is_written(arm: Arm) -> None:
    put(arm, f"{P}/Microsoft.Web/sites/w")
    settings = f"{P}/Microsoft.Web/sites/w/config/authsettings"
    assert "configVersion" not in arm("POST", f"{settings}/list").json["properties"]
    arm("PUT", settings, {"properties": {"enabled": True, "gitHubClientId": ""}})
    told = arm("POST", f"{settings}/list").json["properties"]
    assert told == {"configVersion": "v1", "enabled": True}


def test_what_azure_computed_is_computed_anew_where_a_client_brings_it_along(arm: Arm) -> None:
    server = f"{P}/Microsoft.Sql/servers/s"
    put(arm, server)
    database = f"{server}/databases/d"
    first = {"name": "GP_S_Gen5_2", "tier": "GeneralPurpose", "capacity": 2}
    arm("PUT", database, {"location": "westeurope", "sku": first, "properties": {}})
    arm("PATCH", database, {"sku": {"name": "ElasticPool"}})
    found = arm("GET", database).json
    assert found["sku"] == {"name": "ElasticPool"}
    assert found["properties"]["currentServiceObjectiveName"] == "ElasticPool"
    arm("PUT", database, {**found, "sku": first})
    found = arm("GET", database).json
    assert found["properties"]["currentServiceObjectiveName"] == "GP_S_Gen5_2"
    arm("PATCH", database, {"sku": {"name": "GP_S_Gen5_2", "capacity": 4}})
    assert arm("GET", database).json["sku"] == {**first, "capacity": 4}


@pytest.mark.parametrize(
    ("kind", "action", "body", "zones"),
    [
        ("DBforMySQL", "failover", {}, ("2", "1")),
        ("DBforPostgreSQL", "restart", {"restartWithFailover": True}, ("2", "1")),
        ("DBforPostgreSQL", "restart", {}, ("1", "2")),
    ],
)
def test_a_servers_standby_takes_its_place(
    arm: Arm, kind: str, action: str, body: dict[str, Any], zones: tuple[str, str]
) -> None:
    server = f"{P}/Microsoft.{kind}/flexibleServers/s"
    ready = {"mode": "ZoneRedundant", "standbyAvailabilityZone": "2"}
    put(arm, server, availabilityZone="1", highAvailability=ready)
    assert arm("POST", f"{server}/{action}", body).status < 300
    now = arm("GET", server).json["properties"]
    assert (now["availabilityZone"], now["highAvailability"]["standbyAvailabilityZone"]) == zones


def test_a_role_tells_when_it_was_made_and_changed(arm: Arm) -> None:
    name = "11111111-2222-4333-8444-555555555555"
    role = f"{RG}/providers/Microsoft.Authorization/roleDefinitions/{name}"
    first = arm("PUT", role, {"properties": {"roleName": "own"}}).json["properties"]
    second = arm("PUT", role, {"properties": {"roleName": "mine"}}).json["properties"]
    assert first["createdOn"] == first["updatedOn"] == second["createdOn"] < second["updatedOn"]
    assert arm("GET", role).json["properties"] == second


def test_a_streaming_jobs_query_is_a_part_of_it_that_can_be_changed(arm: Arm) -> None:
    job = f"{P}/Microsoft.StreamAnalytics/streamingJobs/j"
    query = {"name": "main", "properties": {"query": "a", "streamingUnits": 3}}
    put(arm, job, transformation=query)
    main = f"{job}/transformations/main"
    assert arm("GET", main).json["properties"]["query"] == "a"
    assert arm("PATCH", main, {"properties": {"query": "b"}}).status == 200
    now = arm("GET", job).json["properties"]["transformation"]["properties"]
    assert now == {"query": "b", "streamingUnits": 3}
    assert arm("GET", f"{job}/transformations/other").status == 404


def test_a_machines_disks_are_there_for_as_long_as_it_is(arm: Arm) -> None:
    machine = f"{P}/Microsoft.Compute/virtualMachines/m"
    image = {"offer": "debian-12"}
    system = {"name": "os", "createOption": "FromImage", "osType": "Linux", "diskSizeGB": 30}
    profile = {"imageReference": image, "osDisk": system, "dataDisks": [{"name": "data"}]}
    put(arm, machine, storageProfile=profile)
    disks = f"{P}/Microsoft.Compute/disks"
    found = arm("GET", f"{disks}/OS").json
    assert (found["managedBy"], found["properties"]["diskSizeGB"]) == (machine, 30)
    assert found["properties"]["creationData"]["imageReference"] == image
    assert arm("GET", f"{disks}/data").json["sku"]["name"] == "Standard_LRS"
    assert arm("GET", f"{disks}/other").status == 404
    shown = arm("GET", machine).json["properties"]["storageProfile"]
    assert shown["osDisk"]["managedDisk"]["id"] == f"{disks}/os"
    assert shown["dataDisks"][0]["managedDisk"]["id"] == f"{disks}/data"
    arm("DELETE", machine)
    assert arm("GET", f"{disks}/os").status == 404


def test_a_machines_disk_that_nobody_named_has_a_name_and_can_be_read(arm: Arm) -> None:
    machine = f"{P}/Microsoft.Compute/virtualMachines/m"
    put(arm, machine, storageProfile={"osDisk": {"createOption": "FromImage"}})
    system = arm("GET", machine).json["properties"]["storageProfile"]["osDisk"]
    assert arm("GET", system["managedDisk"]["id"]).json["name"] == system["name"]
    put(arm, machine, storageProfile={"osDisk": {"vhd": {"uri": "https://x"}}})
    unmanaged = arm("GET", machine).json["properties"]["storageProfile"]["osDisk"]
    assert unmanaged == {"vhd": {"uri": "https://x"}}


def test_a_schedule_of_a_runbook_tells_its_id_and_is_found_by_the_runbook(arm: Arm) -> None:
    account = f"{P}/Microsoft.Automation/automationAccounts/a"
    put(arm, account)
    for name in ("one", "two"):
        put(arm, f"{account}/jobSchedules/{name}", runbook={"name": f"book-{name}"})
    wanted = "?$filter=properties/runbook/name%20eq%20%27book-two%27"
    found = arm("GET", f"{account}/jobSchedules{wanted}").json["value"]
    assert [one["properties"]["jobScheduleId"] for one in found] == ["two"]


def test_a_slot_runs_on_the_plan_of_its_app(arm: Arm) -> None:
    site = f"{P}/Microsoft.Web/sites/w"
    put(arm, site, serverFarmId="plan")
    assert put(arm, f"{site}/slots/s")["serverFarmId"] == "plan"
    assert put(arm, f"{site}/slots/s", serverFarmId="own")["serverFarmId"] == "own"
