"""Answers are whole: nothing that was written is lost, and what clients expect is there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import RG, Arm

P = f"{RG}/providers"
SITE = f"{P}/Microsoft.Web/sites/app"
COSMOS = f"{P}/Microsoft.DocumentDB/databaseAccounts/db"
SERVER = f"{P}/Microsoft.DBforPostgreSQL/flexibleServers/pg"
BODY: dict[str, Any] = {"location": "westeurope", "properties": {}}


def put(arm: Arm, path: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    arm("PUT", path, {"location": "westeurope", "properties": properties})
    found = arm("GET", path)
    assert found.status == 200, found.json
    return dict(found.json["properties"])


def test_settings_keep_whatever_names_their_users_chose(arm: Arm) -> None:
    put(arm, SITE, siteConfig={"appSettings": [{"name": "DB_PASSWORD", "value": "a"}]})
    given = {"DB_PASSWORD": "a", "password": "b", "protectedSettings": "c"}
    for kind in ("appsettings", "connectionstrings", "metadata"):
        arm("PUT", f"{SITE}/config/{kind}", {"properties": given})
        assert arm("POST", f"{SITE}/config/{kind}/list").json["properties"] == given


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"adminPassword": "x", "a": 1}, {"a": 1}),
        ({"groupResourceId": "", "a": "", "b": {"partId": "c"}}, {"a": "", "b": {"partId": "c"}}),
        ({"tags": {"ownerId": ""}}, {"tags": {"ownerId": ""}}),
        ({"osProfile": {"adminPassword": "x", "b": 1}}, {"osProfile": {"b": 1}}),
        ({"list": [{"secureValue": "x", "name": "n"}]}, {"list": [{"name": "n"}]}),
        ({"protectedSettings": {"a": "x"}, "settings": {"password": "y"}},
         {"settings": {"password": "y"}}),
        ({"definition": {"parameters": {"password": "y"}}},
         {"definition": {"parameters": {"password": "y"}}}),
    ],
)  # fmt: skip
def test_passwords_are_not_given_back_and_what_is_the_users_own_is(
    arm: Arm, written: dict[str, Any], kept: dict[str, Any]
) -> None:
    found = put(arm, f"{P}/Microsoft.Any/things/one", **written)
    assert found == {**kept, "provisioningState": "Succeeded"}


def test_an_empty_text_does_not_beat_azures_default(arm: Arm) -> None:
    server = f"{P}/Microsoft.Sql/servers/s"
    put(arm, server)
    assert put(arm, f"{server}/databases/d", collation="")["collation"].startswith("SQL_")
    assert put(arm, f"{server}/databases/e", collation="Latin1")["collation"] == "Latin1"


@pytest.mark.parametrize(
    ("path", "name", "busy", "settled"),
    [
        ("Microsoft.Cache/redisEnterprise/r", "resourceState", "Creating", "Running"),
        ("Microsoft.Network/virtualHubs/h", "routingState", "Provisioning", "Provisioned"),
        ("Microsoft.Kusto/clusters/k", "state", "Creating", "Running"),
        ("Microsoft.Sql/servers/s", "state", "Creating", "Ready"),
    ],
)
def test_states_settle_over_virtual_time(
    arm: Arm, path: str, name: str, busy: str, settled: str
) -> None:
    kind = path.rpartition("/")[0]
    arm.manager.takes(kind, "20m")
    arm("PUT", f"{P}/{path}", BODY)
    shown = arm.manager.resources[f"{P}/{path}".lower()]["properties"]
    assert (shown[name], shown["provisioningState"]) == (busy, "Creating")
    for _ in range(40):
        arm.bearer = arm.new_bearer()
        shown = arm("GET", f"{P}/{path}").json["properties"]
        if shown["provisioningState"] == "Succeeded":
            break
    assert shown[name] == settled


def test_a_scale_set_has_a_list_of_extensions_where_it_says_anything_of_them(arm: Arm) -> None:
    path = f"{P}/Microsoft.Compute/virtualMachineScaleSets/s"
    profile = {"extensionProfile": {"extensionsTimeBudget": "PT1H30M"}}
    found = put(arm, path, virtualMachineProfile=profile)["virtualMachineProfile"]
    assert found["extensionProfile"] == {**profile["extensionProfile"], "extensions": []}
    assert put(arm, path, virtualMachineProfile={})["virtualMachineProfile"] == {}


def test_lists_that_clients_expect_are_there(arm: Arm) -> None:
    containers = [{"name": "a", "properties": {"image": "i"}}, {"name": "b", "properties": {}}]
    path = f"{P}/Microsoft.ContainerInstance/containerGroups/g"
    found = put(arm, path, containers=containers)
    assert [c["properties"]["ports"] for c in found["containers"]] == [[], []]
    assert found["containers"][0]["properties"]["image"] == "i"
    assert found["initContainers"] == []


@pytest.mark.parametrize(
    ("options", "throughput"),
    [
        ({"throughput": 700}, 700),
        ({"autoscaleSettings": {"maxThroughput": 4000}}, 400),
    ],
)
def test_throughput_that_is_an_option_is_a_setting(
    arm: Arm, options: dict[str, Any], throughput: int
) -> None:
    put(arm, COSMOS)
    path = f"{COSMOS}/sqlDatabases/d"
    put(arm, path, resource={"id": "d"}, options=options)
    setting = f"{path}/throughputSettings/default"
    found = arm("GET", setting).json["properties"]["resource"]
    assert found["throughput"] == throughput
    assert found.get("autoscaleSettings") == options.get("autoscaleSettings")
    changed = {"properties": {"resource": {"throughput": 900}}}
    arm("PUT", setting, changed)
    assert arm("GET", setting).json["properties"]["resource"]["throughput"] == 900
    put(arm, f"{COSMOS}/sqlDatabases/none", resource={"id": "none"})
    assert arm("GET", f"{COSMOS}/sqlDatabases/none/throughputSettings/default").status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_parameters_of_a_server_are_there_with_it(arm: Arm, method: str) -> None:
    path = f"{SERVER}/configurations/log_checkpoints"
    assert arm("GET", path).status == 404
    put(arm, SERVER)
    before = arm("GET", path).json["properties"]
    assert (before["value"], before["source"]) == ("on", "system-default")
    written = {"properties": {"value": "off", "source": "user-override"}}
    assert arm(method, path, written).status in {200, 201, 202}
    after = arm("GET", path).json["properties"]
    assert (after["value"], after["defaultValue"]) == ("off", "on")
    assert arm("GET", f"{SERVER}/databases/none").status == 404


def test_a_membership_needs_no_body_and_other_resources_do(arm: Arm) -> None:
    group = "/providers/Microsoft.Management/managementGroups/mg"
    assert arm("PUT", group, {"properties": {}}).status in {200, 201, 202}
    subscription = RG.split("/")[2]
    assert arm("PUT", f"{group}/subscriptions/{subscription}").status in {200, 201}
    (child,) = arm("GET", f"{group}?$expand=children").json["properties"]["children"]
    assert (child["id"], child["type"]) == (f"/subscriptions/{subscription}", "/subscriptions")
    assert arm("DELETE", f"{group}/subscriptions/{subscription}").status in {200, 204}
    assert arm("GET", group).json["properties"]["children"] == []
    assert arm("PUT", f"{P}/Microsoft.Any/things/one").status == 400


APIM = f"{P}/Microsoft.ApiManagement/service/api"


def test_settings_of_a_portal_are_there_with_their_service(arm: Arm) -> None:
    assert arm("GET", f"{APIM}/portalsettings/signin").status == 404
    assert put(arm, APIM)["customProperties"] == {}
    assert arm("GET", f"{APIM}/portalsettings/signin").json["properties"] == {"enabled": False}
    arm("PUT", f"{APIM}/portalsettings/signin", {"properties": {"enabled": True}})
    assert arm("GET", f"{APIM}/portalsettings/signin").json["properties"] == {"enabled": True}
    for path in ("portalsettings/delegation", "tenant/access"):
        first, again = (arm("POST", f"{APIM}/{path}/listSecrets").json for _ in range(2))
        assert first == again
        assert any(name.endswith("Key") for name in first)


@pytest.mark.parametrize(
    "written",
    [
        {"schedulePolicy": {"scheduleRunTimes": ["23:00:00Z"]}},
        {"schedulePolicy": {"dailySchedule": {"scheduleRunTimes": ["23:00:00Z"]}}},
        {"retentionPolicy": {"dailySchedule": {"retentionTimes": ["23:00:00Z"]}}},
        {"schedulePolicy": {"hourlySchedule": {"scheduleWindowStartTime": "23:00:00Z"}}},
    ],
)
def test_a_time_of_day_comes_back_with_a_date(arm: Arm, written: dict[str, Any]) -> None:
    vault = f"{P}/Microsoft.RecoveryServices/vaults/v"
    put(arm, vault)
    found = put(arm, f"{vault}/backupPolicies/p", **written)
    assert "T23:00:00Z" in str(found)
    dated = put(arm, f"{vault}/backupPolicies/q", **found)
    assert dated == found


def test_what_was_written_as_null_was_not_written(arm: Arm) -> None:
    definition: dict[str, Any] = {"contentVersion": "1.0.0.0", "parameters": None, "actions": {}}
    found = put(arm, f"{P}/Microsoft.Logic/workflows/w", definition=definition, parameters=None)
    assert found["definition"] == {"contentVersion": "1.0.0.0", "actions": {}}
    assert found["parameters"] == {}
    assert found["accessEndpoint"].startswith("https://")


def test_an_interface_has_an_address_that_stays(arm: Arm) -> None:
    path = f"{P}/Microsoft.Network/networkInterfaces/nic"
    configurations = [
        {"name": "a", "properties": {}},
        {"name": "b", "properties": {"privateIPAddress": "10.9.9.9"}},
    ]
    addresses = [
        [c["properties"]["privateIPAddress"] for c in found["ipConfigurations"]]
        for found in (put(arm, path, ipConfigurations=configurations) for _ in range(2))
    ]
    assert addresses[0] == addresses[1]
    assert addresses[0][0].startswith("10.")
    assert addresses[0][1] == "10.9.9.9"
