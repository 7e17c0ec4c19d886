"""Policies that Azure has built in, and sets of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import RG, Arm, S

A = "/providers/Microsoft.Authorization"
LOCATIONS = "e56962a6-4747-49cd-b67b-bf8b01975c4c"  # Azure's own id
BENCHMARK = "1f3afdf9-d0c9-4c3d-847f-89da613e70a8"
GROUP = "/providers/Microsoft.Management/managementGroups/mg"


def names(arm: Arm, path: str) -> dict[str, str]:
    found: list[Any] = []
    url = path
    while url:
        page = arm("GET", url).json
        found += page["value"]
        url = page.get("nextLink", "").partition(".com")[2]
    return {one["properties"]["displayName"]: one["id"] for one in found}


@pytest.mark.parametrize(
    ("kind", "name", "guid"),
    [
        ("policyDefinitions", "Allowed locations", LOCATIONS),
        ("policySetDefinitions", "Microsoft cloud security benchmark", BENCHMARK),
    ],
)
@pytest.mark.parametrize("scope", ["", S, GROUP])
def test_a_built_in_policy_is_found_by_name_at_every_scope(
    arm: Arm, scope: str, kind: str, name: str, guid: str
) -> None:
    arm("PUT", GROUP, {"properties": {}})
    assert names(arm, f"{scope}{A}/{kind}")[name] == f"{A}/{kind}/{guid}"
    found = arm("GET", f"{A}/{kind}/{guid}").json
    assert found["properties"]["displayName"] == name
    assert found["properties"]["policyType"] == "BuiltIn"
    assert found["properties"].get("policyRule", {"then": 1}).keys() >= {"then"}


def test_policies_of_ones_own_stand_beside_them(arm: Arm) -> None:
    path = f"{S}{A}/policyDefinitions/mine"
    assert arm("GET", path).status == 404
    arm("PUT", path, {"properties": {"displayName": "Mine", "policyRule": {}}})
    found = names(arm, f"{S}{A}/policyDefinitions")
    assert found["Mine"] == path
    assert len(found) > 100


@pytest.mark.parametrize("kind", ["policyDefinitions", "policySetDefinitions"])
def test_every_guid_is_a_policy_at_the_tenants_scope_and_nowhere_else(arm: Arm, kind: str) -> None:
    guid = "11111111-2222-3333-4444-555555555555"
    assert arm("GET", f"{A}/{kind}/{guid}").json["name"] == guid
    assert arm("GET", f"{A}/{kind}/{guid.replace('-', '')}").status == 404
    assert arm("GET", f"{A}/{kind}/mine").status == 404
    assert arm("GET", f"{S}{A}/{kind}/{guid}").status == 404


def test_an_assignment_of_a_built_in_policy_is_not_in_its_list(arm: Arm) -> None:
    path = f"{RG}{A}/policyAssignments/one"
    body = {"properties": {"policyDefinitionId": f"{A}/policyDefinitions/{LOCATIONS}"}}
    assert arm("PUT", path, body).status == 201
    assert list(arm("GET", f"{RG}{A}/policyAssignments").json["value"][0]) != []


def test_every_guid_is_a_role_at_the_tenants_scope_and_those_of_ones_own_are_known(
    arm: Arm,
) -> None:
    guid, mine = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
    assert arm("GET", f"{A}/roleDefinitions/{guid}").json["properties"]["type"] == "BuiltInRole"
    assert arm("GET", f"{S}{A}/roleDefinitions/{guid}").status == 404
    arm("PUT", f"{S}{A}/roleDefinitions/{mine}", {"properties": {"roleName": "Mine"}})
    assert arm("GET", f"{A}/roleDefinitions/{mine}").json["properties"]["roleName"] == "Mine"
