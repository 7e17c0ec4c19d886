"""Views: resources that say something because of others, or because Azure has it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import READER, RG, Arm, S

P = f"{RG}/providers"
SPRING = f"{P}/Microsoft.AppPlatform/spring/s"
VAULT = f"{P}/Microsoft.RecoveryServices/vaults/v"
APP = f"{P}/Microsoft.Web/sites/app"
ACCOUNT = f"{P}/Microsoft.Automation/automationAccounts/a"


def put(arm: Arm, path: str, **properties: Any) -> Any:  # noqa: ANN401 - JSON
    answer = arm("PUT", path, {"location": "westeurope", "properties": properties})
    assert answer.status in {200, 201, 202}, answer.json
    return answer


def shown(arm: Arm, path: str) -> Any:  # noqa: ANN401 - JSON
    found = arm("GET", path)
    assert found.status == 200, found.json
    return found.json["properties"]


def polled(arm: Arm, url: str) -> Any:  # noqa: ANN401 - JSON
    return arm("GET", url.partition(".com")[2])


def test_monitors_are_enabled_globally_until_they_are_disabled(arm: Arm) -> None:
    put(arm, SPRING)
    ids = [f"{SPRING}/apms/{name}" for name in ("one", "two")]

    def enabled() -> Any:  # noqa: ANN401 - JSON
        return arm("POST", f"{SPRING}/listGloballyEnabledApms").json["value"]

    assert enabled() == []
    for one in (*ids, ids[0]):
        assert arm("POST", f"{SPRING}/enableApmGlobally", {"resourceId": one}).status == 202
    assert sorted(enabled()) == ids
    arm("POST", f"{SPRING}/disableApmGlobally", {"resourceId": ids[0].upper()})
    assert enabled() == ids[1:]


def test_one_deployment_of_an_app_is_active_at_a_time(arm: Arm) -> None:
    app = f"{SPRING}/apps/app"
    for path in (SPRING, app, f"{app}/deployments/blue", f"{app}/deployments/green"):
        put(arm, path)
    for name in ("blue", "green"):
        asked = {"activeDeploymentNames": [name]}
        assert arm("POST", f"{app}/setActiveDeployments", asked).status == 202
    states = [shown(arm, f"{app}/deployments/{n}")["active"] for n in ("blue", "green")]
    assert states == [False, True]


@pytest.mark.parametrize("owner", [APP, f"{APP}/slots/blue"])
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"repoUrl": "https://github.com/o/r"}, "GitHub"),
        ({"repoUrl": "https://github.com/o/r", "isManualIntegration": True}, "ExternalGit"),
        ({"repoUrl": "https://example.org/r"}, "ExternalGit"),
        ({"repoUrl": "https://github.com/o/r", "isGitHubAction": True}, "GitHubAction"),
    ],
)
def test_an_apps_settings_tell_where_it_comes_from(
    arm: Arm, owner: str, source: dict[str, Any], kind: str
) -> None:
    put(arm, APP, siteConfig={"alwaysOn": True})
    put(arm, owner, siteConfig={"alwaysOn": True})
    told = [shown(arm, f"{owner}/config/web")["scmType"]]
    put(arm, f"{owner}/sourceControls/web", **source)
    told.append(shown(arm, f"{owner}/config/web")["scmType"])
    arm("DELETE", f"{owner}/sourceControls/web")
    settings = shown(arm, f"{owner}/config/web")
    assert [*told, settings["scmType"]] == ["None", kind, "None"]
    assert settings["alwaysOn"] is True


def test_a_storage_account_is_registered_and_its_shares_can_be_protected(arm: Arm) -> None:
    account = f"{P}/Microsoft.Storage/storageAccounts/acct"
    share = f"{account}/fileServices/default/shares/share"
    for path in (VAULT, account, share):
        put(arm, path)
    container = f"{VAULT}/backupFabrics/Azure/protectionContainers/StorageContainer;storage;rg;acct"
    items = f"{VAULT}/backupProtectableItems"
    assert arm("GET", items).json["value"] == []
    registered = put(arm, container, sourceResourceId=account)
    operation = registered.headers["Location"].partition("?")[0].rpartition("/")
    assert operation[0].endswith("/operationResults")
    status = arm("GET", f"{VAULT}/backupOperations/{operation[2]}")
    assert status.json["status"] == "Succeeded"
    (item,) = arm("GET", f"{items}?$filter=backupManagementType eq 'AzureStorage'").json["value"]
    assert item["properties"]["friendlyName"] == "share"
    assert item["properties"]["parentContainerFriendlyName"] == "acct"
    inquired = arm("POST", f"{container}/inquire")
    assert polled(arm, inquired.headers["Location"]).status == 200
    gone = arm("DELETE", container)
    assert gone.status == 202
    assert "/backupOperationResults/" in gone.headers["Location"]
    assert arm("GET", container).status == 404
    assert arm("GET", items).json["value"] == []


def test_what_is_written_as_an_input_of_site_recovery_is_read_as_details(arm: Arm) -> None:
    put(arm, VAULT)
    policy = f"{VAULT}/replicationPolicies/p"
    asked = {"instanceType": "HyperVReplicaAzure", "recoveryPointHistoryDuration": 2}
    put(arm, policy, providerSpecificInput=asked)
    changed = {"instanceType": "HyperVReplicaAzure", "recoveryPointHistoryDuration": 5}
    found = [shown(arm, policy)]
    arm("PATCH", policy, {"properties": {"replicationProviderSettings": changed}})
    found.append(shown(arm, policy))
    hours = [f["providerSpecificDetails"]["recoveryPointHistoryDurationInHours"] for f in found]
    assert hours == [2, 5]
    assert not {"providerSpecificInput", "replicationProviderSettings"} & {*found[0], *found[1]}


@pytest.mark.parametrize(("kind", "expected"), [("HyperVSite", 1), ("Azure", 0)])
def test_a_site_of_hyper_v_has_its_container(arm: Arm, kind: str, expected: int) -> None:
    fabric = f"{VAULT}/replicationFabrics/site"
    put(arm, VAULT)
    put(arm, fabric, customDetails={"instanceType": kind})
    containers = arm("GET", f"{fabric}/replicationProtectionContainers").json["value"]
    assert len(containers) == expected
    for container in containers:
        mapping = f"{container['id']}/replicationProtectionContainerMappings/m"
        put(arm, mapping, policyId=f"{VAULT}/replicationPolicies/p")
        found = shown(arm, mapping)
        assert found["sourceProtectionContainerFriendlyName"] == container["name"]
        assert (found["sourceFabricFriendlyName"], found["policyFriendlyName"]) == ("site", "p")


def test_an_account_has_the_usual_types_of_connections(arm: Arm) -> None:
    put(arm, ACCOUNT)
    fields = shown(arm, f"{ACCOUNT}/connectionTypes/AzureServicePrincipal")["fieldDefinitions"]
    assert set(fields) == {"ApplicationId", "CertificateThumbprint", "SubscriptionId", "TenantId"}
    assert arm("GET", f"{ACCOUNT}/connectionTypes/Mine").status == 404
    listed = arm("GET", f"{ACCOUNT}/connectionTypes").json["value"]
    assert {"Azure", "AzureServicePrincipal"} <= {one["name"] for one in listed}


def test_the_text_of_a_configuration_is_the_one_that_it_brings(arm: Arm) -> None:
    path = f"{ACCOUNT}/configurations/c"
    put(arm, ACCOUNT)
    put(arm, path, source={"type": "embeddedContent", "value": "configuration c {}"})
    assert arm("GET", f"{path}/content").response.body == b"configuration c {}"
    put(arm, path, source={"type": "uri", "value": "https://example.org/c.ps1"})
    assert arm("GET", f"{path}/content").response.body == b""


def test_a_workspace_has_microsofts_tables_and_none_of_ours(arm: Arm) -> None:
    workspace = f"{P}/Microsoft.OperationalInsights/workspaces/w"
    put(arm, workspace)
    assert shown(arm, f"{workspace}/tables/AppEvents")["schema"]["tableType"] == "Microsoft"
    assert arm("GET", f"{workspace}/tables/Mine_CL").status == 404


@pytest.mark.parametrize(
    ("asked", "pods"),
    [
        (None, True),
        ({"networkPlugin": "kubenet"}, True),
        ({"networkPlugin": "azure"}, False),
        ({"networkPlugin": "azure", "networkPluginMode": "overlay"}, True),
    ],
)
def test_a_cluster_has_networks_that_nobody_asked_for(
    arm: Arm,
    asked: dict[str, str] | None,
    pods: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    path = f"{P}/Microsoft.ContainerService/managedClusters/aks"
    put(arm, path, **({"networkProfile": asked} if asked else {}))
    network = shown(arm, path)["networkProfile"]
    assert (network["serviceCidr"], "podCidr" in network) == ("10.0.0.0/16", pods)


def test_the_settings_of_an_hdinsight_cluster_are_read_together_and_one_by_one(arm: Arm) -> None:
    path = f"{P}/Microsoft.HDInsight/clusters/c"
    gateway = {"restAuthCredential.isEnabled": True, "restAuthCredential.password": "p"}
    put(arm, path, clusterDefinition={"configurations": {"gateway": gateway}})
    found = arm("POST", f"{path}/configurations").json["configurations"]
    told = {"restAuthCredential.isEnabled": "true", "restAuthCredential.password": "p"}
    assert (found["gateway"], found["core-site"]) == (told, {})
    assert arm("GET", f"{path}/configurations/gateway").json == told
    assert arm("GET", f"{path}/configurations/none").status == 404
    assert arm("GET", f"{path}x/configurations/gateway").status == 404
    monitor = f"{path}/extensions/clustermonitoring"
    states = [arm("GET", monitor).json["clusterMonitoringEnabled"]]
    arm("PUT", monitor, {"workspaceId": "w"})
    assert [*states, arm("GET", monitor).json["clusterMonitoringEnabled"]] == [False, True]


def test_api_management_lets_providers_create_with_if_match_any(arm: Arm) -> None:
    service = f"{P}/Microsoft.ApiManagement/service/apim"
    put(arm, service)
    created = arm("PUT", f"{service}/apis/a", {"properties": {}}, headers={"if-match": "*"})
    assert created.status in {200, 201}
    other = f"{P}/Microsoft.Any/things/one"
    assert arm("PUT", other, {"properties": {}}, headers={"if-match": "*"}).status == 412
    assert arm("PUT", f"{service}/apis/a", {}, headers={"if-match": '"old"'}).status == 412


@pytest.mark.parametrize("kind", ["Assignment", "Eligibility"])
def test_a_request_makes_a_schedule_and_another_one_ends_it(arm: Arm, kind: str) -> None:
    base = f"{RG}/providers/Microsoft.Authorization"
    requests = f"{base}/role{kind}ScheduleRequests"
    role = f"{base}/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    asked = {"principalId": "ada", "roleDefinitionId": role, "requestType": "AdminAssign"}

    def scheduled(who: str = "ada") -> Any:  # noqa: ANN401 - JSON
        query = f"$filter=(principalId eq '{who}') and atScope()"
        return arm("GET", f"{base}/role{kind}Schedules?{query}").json["value"]

    assert scheduled() == []
    assert put(arm, f"{requests}/one", **asked).status == 201
    (found,) = scheduled()
    assert found["properties"]["memberType"] == "Direct"
    asked_by = found["properties"][f"role{kind}ScheduleRequestId"]
    assert shown(arm, asked_by)["status"] == "Provisioned"
    assert scheduled("bob") == []
    twice = arm("PUT", f"{requests}/two", {"properties": asked})
    assert (twice.status, twice.code) == (400, "RoleAssignmentExists")
    ending = {"properties": {**asked, "requestType": "AdminRemove"}}
    assert arm("PUT", f"{requests}/three", ending).status == 201
    assert scheduled() == []
    again = arm("PUT", f"{requests}/four", ending)
    assert (again.status, again.code) == (400, "RoleAssignmentDoesNotExist")


def test_sentinel_brings_templates_of_rules_along(arm: Arm) -> None:
    workspace = f"{P}/Microsoft.OperationalInsights/workspaces/w"
    put(arm, workspace)
    templates = f"{workspace}/providers/Microsoft.SecurityInsights/alertRuleTemplates"
    found = arm("GET", templates).json["value"]
    fusion = next(one for one in found if one["kind"] == "Fusion")
    assert fusion["properties"]["displayName"] == "Advanced Multistage Attack Detection"
    assert arm("GET", fusion["id"]).json["name"] == fusion["name"]
    assert arm("GET", f"{templates}/none").status == 404


def test_bots_are_told_the_services_that_they_sign_in_to(arm: Arm) -> None:
    path = f"{RG.partition('/resourceGroups')[0]}/providers/Microsoft.BotService"
    found = arm("POST", f"{path}/listAuthServiceProviders").json["value"]
    assert "github" in {one["properties"]["serviceProviderName"] for one in found}


@pytest.mark.parametrize("kind", ["analyticsItems", "myAnalyticsItems"])
def test_analytics_items_are_a_bare_array_and_named_by_a_query(arm: Arm, kind: str) -> None:
    component = f"{P}/Microsoft.Insights/components/ai"
    items, item = f"{component}/{kind}", f"{component}/{kind}/item"
    assert arm("GET", items).code == "ParentResourceNotFound"
    put(arm, component)
    assert arm("GET", items).json == []
    made = arm("PUT", item, {"Name": "one", "Content": "requests", "Type": "query"}).json
    changed = arm("PUT", f"{item}?overrideItem=true", {"Id": made["Id"], "Content": "traces"}).json
    assert (changed["Id"], changed["Name"], changed["Content"]) == (made["Id"], "one", "traces")
    assert arm("GET", items).json == [changed]
    for query in (f"id={made['Id']}", "name=one"):
        assert arm("GET", f"{item}?{query}").json == changed
    assert arm("GET", item).status == 404
    assert arm("DELETE", f"{item}?id={made['Id']}").status == 200
    assert arm("GET", f"{item}?id={made['Id']}").status == 404
    assert arm("POST", item).status in {404, 405}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, "hub/hubRouteTables/defaultRouteTable"),
        ({}, "hub/hubRouteTables/defaultRouteTable"),
        ({"associatedRouteTable": {"id": "mine"}}, "mine"),
    ],
)
def test_a_connection_to_a_hub_tells_its_route_table(
    arm: Arm, asked: dict[str, Any] | None, expected: str
) -> None:
    gateway = f"{P}/Microsoft.Network/expressRouteGateways/er"
    put(arm, gateway, virtualHub={"id": "hub"})
    put(arm, f"{gateway}/expressRouteConnections/c", routingConfiguration=asked)
    found = shown(arm, f"{gateway}/expressRouteConnections/c")["routingConfiguration"]
    assert found["associatedRouteTable"]["id"] == expected


@pytest.mark.parametrize("owner", [APP, f"{APP}/slots/blue"])
def test_an_apps_network_is_shown_among_its_settings(arm: Arm, owner: str) -> None:
    for path in dict.fromkeys((APP, owner)):
        put(arm, path)
    network = f"{owner}/networkConfig/virtualNetwork"
    assert arm("GET", network).json["id"] == f"{owner}/config/virtualNetwork"
    put(arm, network, subnetResourceId="subnet")
    found = arm("GET", network).json
    assert (found["id"], found["properties"]["subnetResourceId"]) == (
        *(f"{owner}/config/virtualNetwork", "subnet"),
    )
    assert arm("DELETE", network).status == 200
    assert "subnetResourceId" not in shown(arm, network)


@pytest.mark.parametrize(("external", "word"), [(True, ""), (False, "internal."), (None, None)])
def test_a_container_app_has_a_host_in_the_domain_of_its_environment(
    arm: Arm,
    external: bool | None,  # noqa: FBT001 - pytest passes it
    word: str | None,
) -> None:
    environment = f"{P}/Microsoft.App/managedEnvironments/e"
    put(arm, environment)
    domain = shown(arm, environment)["defaultDomain"]
    ingress = {} if external is None else {"ingress": {"external": external, "targetPort": 80}}
    app = f"{P}/Microsoft.App/containerApps/a"
    put(arm, app, managedEnvironmentId=environment, configuration=ingress)
    found = shown(arm, app)
    assert found["latestRevisionName"].startswith("a--")
    host = found["configuration"].get("ingress", {}).get("fqdn")
    assert host == (None if word is None else f"a.{word}{domain}")


def test_a_cosmos_account_has_its_roles_for_data(arm: Arm) -> None:
    account = f"{P}/Microsoft.DocumentDB/databaseAccounts/c"
    put(arm, account)
    roles = f"{account}/sqlRoleDefinitions"
    names = [one["properties"]["roleName"] for one in arm("GET", roles).json["value"]]
    assert names == ["Cosmos DB Built-in Data Reader", "Cosmos DB Built-in Data Contributor"]
    reader = shown(arm, f"{roles}/00000000-0000-0000-0000-000000000001")
    assert reader["type"] == "BuiltInRole"
    assert arm("GET", f"{roles}/00000000-0000-0000-0000-000000000003").status == 404


def test_a_baseline_lies_in_a_rule_that_nobody_makes(arm: Arm) -> None:
    database = f"{P}/Microsoft.Sql/servers/s/databases/d"
    baseline = f"{database}/vulnerabilityAssessments/default/rules/VA2065/baselines/master"
    assert arm("PUT", baseline, {"properties": {}}).code == "ParentResourceNotFound"
    for path in (database.partition("/databases/")[0], database):
        put(arm, path)
    put(arm, baseline, baselineResults=[{"result": ["a"]}])
    assert shown(arm, baseline)["baselineResults"] == [{"result": ["a"]}]


@pytest.mark.parametrize(("kind", "status"), [("A2A", "Disabled"), ("InMage", None), (None, None)])
def test_a_mapping_between_regions_updates_no_agents_by_itself(
    arm: Arm, kind: str | None, status: str | None
) -> None:
    container = f"{VAULT}/replicationFabrics/f/replicationProtectionContainers/c"
    for path in (VAULT, container.partition("/replicationProtectionContainers")[0], container):
        put(arm, path)
    mapping = f"{container}/replicationProtectionContainerMappings/m"
    put(arm, mapping, **({"providerSpecificInput": {"instanceType": kind}} if kind else {}))
    details = shown(arm, mapping).get("providerSpecificDetails", {})
    assert details.get("agentAutoUpdateStatus") == status


def test_a_part_of_a_balancer_is_read_at_its_own_id(arm: Arm) -> None:
    balancer = f"{P}/Microsoft.Network/loadBalancers/lb"
    rule = {"name": "http", "properties": {"frontendPort": 80}}
    put(arm, balancer, loadBalancingRules=[rule, 5, {"name": "bare"}])
    found = arm("GET", f"{balancer}/loadBalancingRules/HTTP").json
    assert found["id"] == f"{balancer}/loadBalancingRules/http"
    assert found["properties"]["frontendPort"] == 80
    for name in ("none", "bare"):
        assert arm("GET", f"{balancer}/loadBalancingRules/{name}").status == 404
    assert arm("GET", f"{balancer}/probes/http").status == 404


def test_a_peering_tells_the_addresses_of_the_other_network(arm: Arm) -> None:
    networks = f"{P}/Microsoft.Network/virtualNetworks"
    for name, prefix in (("a", "10.1.0.0/16"), ("b", "10.2.0.0/16")):
        put(arm, f"{networks}/{name}", addressSpace={"addressPrefixes": [prefix]})
    for name, remote in (("b", {"id": f"{networks}/B"}), ("gone", {"id": "x"}), ("none", None)):
        put(arm, f"{networks}/a/virtualNetworkPeerings/{name}", remoteVirtualNetwork=remote)
    told = {
        one["name"]: one["properties"]["remoteVirtualNetworkAddressSpace"]["addressPrefixes"]
        for one in shown(arm, f"{networks}/a")["virtualNetworkPeerings"]
    }
    assert told == {"b": ["10.2.0.0/16"], "gone": [], "none": []}


def test_sentinel_brings_rules_on_anomalies_along(arm: Arm) -> None:
    workspace = f"{P}/Microsoft.OperationalInsights/workspaces/w"
    put(arm, workspace)
    settings = f"{workspace}/providers/Microsoft.SecurityInsights/securityMLAnalyticsSettings"
    found = {one["properties"]["displayName"]: one for one in arm("GET", settings).json["value"]}
    one = found["Potential data staging"]
    assert (one["kind"], one["properties"]["isDefaultSettings"]) == ("Anomaly", True)
    assert one["properties"]["settingsDefinitionId"] == one["name"]
    changed = {"kind": "Anomaly", "properties": {**one["properties"], "enabled": False}}
    assert arm("PUT", one["id"], changed).status in {200, 201}
    assert shown(arm, one["id"])["enabled"] is False
    assert len(arm("GET", settings).json["value"]) == len(found)


def test_a_managed_hsm_has_its_uri_and_is_kept_until_it_is_purged(arm: Arm) -> None:
    path = f"{P}/Microsoft.KeyVault/managedHSMs/hsm"
    put(arm, path)
    assert shown(arm, path)["hsmUri"] == "https://hsm.managedhsm.azure.net/"
    assert arm("DELETE", path).status in {200, 202, 204}
    scope = RG.partition("/resourceGroups")[0]
    kept = f"{scope}/providers/Microsoft.KeyVault/locations/westeurope/deletedManagedHSMs/hsm"
    assert arm("GET", kept).status == 200
    assert arm("POST", f"{kept}/purge").status == 202
    assert arm("GET", kept).status == 404


def test_a_machines_disk_goes_on_saying_what_it_was_made_of(arm: Arm) -> None:
    path = f"{P}/Microsoft.Compute/virtualMachines/vm"
    disk = {"name": "data", "lun": 0, "createOption": "Copy"}
    put(arm, path, storageProfile={"dataDisks": [{**disk, "sourceResource": {"id": "s"}}, 5]})
    put(arm, path, storageProfile={"dataDisks": [{**disk, "lun": 1}, {"name": "new"}, None]})
    found = shown(arm, path)["storageProfile"]["dataDisks"]
    assert found == [{**disk, "lun": 1, "sourceResource": {"id": "s"}}, {"name": "new"}, None]
    put(arm, path, storageProfile={"dataDisks": []})
    assert shown(arm, path)["storageProfile"]["dataDisks"] == []


@pytest.mark.parametrize(
    ("owner", "inside", "accepted"),
    [
        ("Microsoft.KeyVault/vaults/one", "secrets/password", True),
        ("Microsoft.KeyVault/vaults/one", "keys/signing", True),
        ("Microsoft.ContainerService/managedClusters/one", "namespaces/team", True),
        ("Microsoft.Storage/storageAccounts/one", "fileServices/default/fileshares/f", True),
        ("Microsoft.Storage/storageAccounts/one", "blobServices/default/containers/c", True),
        ("Microsoft.DocumentDB/databaseAccounts/one", "dbs/orders/colls/items", True),
        ("Microsoft.Network/virtualNetworks/one", "subnets/none", False),
        ("Microsoft.KeyVault/vaults/one", "none/password", False),
    ],
)
def test_roles_are_assigned_to_what_a_data_plane_holds(
    arm: Arm,
    owner: str,
    inside: str,
    accepted: bool,  # noqa: FBT001 - a case
) -> None:
    role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    body = {"properties": {"principalId": "p", "roleDefinitionId": role}}
    path = f"{P}/{owner}/{inside}/providers/Microsoft.Authorization/roleAssignments/{READER}"
    assert arm("PUT", path, body).status == 404  # its owner is not there
    put(arm, f"{P}/{owner}")
    assert arm("PUT", path, body).status == (201 if accepted else 404)
    assert arm("GET", path).status == (200 if accepted else 404)
    arm("DELETE", f"{P}/{owner}")
    assert arm("GET", path).status == 404


def test_a_servers_master_database_is_there_and_can_be_watched(arm: Arm) -> None:
    server = f"{P}/Microsoft.Sql/servers/one"
    put(arm, server)
    master = f"{server}/databases/master"
    assert arm("GET", master).json["properties"]["status"] == "Online"
    setting = f"{master}/providers/Microsoft.Insights/diagnosticSettings/audit"
    assert arm("PUT", setting, {"properties": {}}).status == 200
    assert arm("GET", setting).status == 200
    none = setting.replace("/master/", "/none/")
    assert arm("PUT", none, {"properties": {}}).status == 404


def test_a_function_app_lists_the_keys_of_its_host(arm: Arm) -> None:
    app = f"{P}/Microsoft.Web/sites/one"
    put(arm, app)
    keys = arm("POST", f"{app}/host/default/listkeys").json
    assert keys.keys() == {"masterKey", "functionKeys"}
    assert keys["functionKeys"]["default"] not in {"", keys["masterKey"]}
