"""Capabilities that Azure tells of by itself: logs, metrics, and where endpoints lead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import RG, VNET, Arm, S

P = f"{RG}/providers"
CATEGORIES = "providers/Microsoft.Insights/diagnosticSettingsCategories"
STORAGE = "Microsoft.Storage/storageAccounts/one"


def made(arm: Arm, path: str, kind: str = "") -> str:
    body = {"location": "West Europe", "properties": {}, **({"kind": kind} if kind else {})}
    assert arm("PUT", f"{P}/{path}", body).status in {200, 201}
    return f"{P}/{path}"


def listed(arm: Arm, path: str) -> list[Any]:
    answer = arm("GET", path)
    assert answer.status == 200, answer.json
    found: list[Any] = answer.json["value"]
    return found


@pytest.mark.parametrize(
    ("path", "inside", "logs", "metrics"),
    [
        ("Microsoft.KeyVault/vaults/one", "", {"AuditEvent", "AzurePolicyEvaluationDetails"},
         {"AllMetrics"}),
        ("Microsoft.Network/networkSecurityGroups/one", "",
         {"NetworkSecurityGroupEvent", "NetworkSecurityGroupRuleCounter"}, set()),
        (STORAGE, "", set(), {"Transaction", "Capacity"}),
        (STORAGE, "/blobServices/default", {"StorageRead", "StorageWrite", "StorageDelete"},
         {"Transaction", "Capacity"}),
        ("Microsoft.Any/things/one", "", set(), {"AllMetrics"}),
    ],
)  # fmt: skip
def test_a_resource_has_the_logs_and_metrics_of_its_type(
    arm: Arm, path: str, inside: str, logs: set[str], metrics: set[str]
) -> None:
    found = listed(arm, f"{made(arm, path)}{inside}/{CATEGORIES}")
    by_kind = {
        kind: {one["name"] for one in found if one["properties"]["categoryType"] == kind}
        for kind in ("Logs", "Metrics")
    }
    assert by_kind == {"Logs": logs, "Metrics": metrics}


def test_logs_of_an_audit_are_in_its_group(arm: Arm) -> None:
    vault = made(arm, "Microsoft.KeyVault/vaults/one")
    groups = {
        one["name"]: one["properties"].get("categoryGroups")
        for one in listed(arm, f"{vault}/{CATEGORIES}")
    }
    assert groups == {
        "AuditEvent": ["audit", "allLogs"],
        "AzurePolicyEvaluationDetails": ["allLogs"],
        "AllMetrics": None,
    }


@pytest.mark.parametrize(("kind", "has"), [("functionapp,linux", True), ("app,linux", False)])
def test_only_function_apps_have_logs_of_functions(arm: Arm, kind: str, has: bool) -> None:  # noqa: FBT001 - a case
    app = made(arm, "Microsoft.Web/sites/one", kind)
    names = {one["name"] for one in listed(arm, f"{app}/{CATEGORIES}")}
    assert ("FunctionAppLogs" in names) is has
    assert "AppServiceHTTPLogs" in names


def test_a_subscription_has_the_categories_of_its_activity_log(arm: Arm) -> None:
    assert {"Administrative", "Policy"} <= {one["name"] for one in listed(arm, f"{S}/{CATEGORIES}")}


def test_one_category_is_found_by_its_name_and_another_is_not(arm: Arm) -> None:
    vault = made(arm, "Microsoft.KeyVault/vaults/one")
    found = arm("GET", f"{vault}/{CATEGORIES}/auditevent")
    assert (found.status, found.json["name"]) == (200, "AuditEvent")
    assert arm("GET", f"{vault}/{CATEGORIES}/NoSuch").status == 404
    assert arm("PUT", f"{vault}/{CATEGORIES}/AuditEvent", {}).status == 405


def test_what_is_not_there_has_no_categories(arm: Arm) -> None:
    assert arm("GET", f"{VNET}/{CATEGORIES}").status == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Microsoft.KeyVault/vaults/one", {"vault": "privatelink.vaultcore.azure.net"}),
        ("Microsoft.Kusto/clusters/one", {"cluster": "privatelink.westeurope.kusto.windows.net"}),
        ("Microsoft.EventGrid/topics/one", {"topic": "privatelink.eventgrid.azure.net"}),
    ],
)
def test_a_resource_tells_where_private_endpoints_can_lead(
    arm: Arm, path: str, expected: dict[str, str]
) -> None:
    links = f"{made(arm, path)}/privateLinkResources"
    found = {
        one["properties"]["groupId"]: one["properties"]["requiredZoneNames"][0]
        for one in listed(arm, links)
    }
    assert found == expected
    (name,) = expected
    assert arm("GET", f"{links}/{name}").json["properties"]["requiredMembers"] == [name]


def test_web_pubsub_tells_what_it_can_share_links_with(arm: Arm) -> None:
    service = made(arm, "Microsoft.SignalRService/webPubSub/one")
    (link,) = listed(arm, f"{service}/privateLinkResources")
    shared = link["properties"]["shareablePrivateLinkResourceTypes"]
    assert [one["properties"]["groupId"] for one in shared] == ["sites", "vault"]


def test_what_is_not_there_leads_nowhere(arm: Arm) -> None:
    assert arm("GET", f"{P}/Microsoft.KeyVault/vaults/one/privateLinkResources").status == 404
