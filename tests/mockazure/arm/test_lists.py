from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest

from tests.mockazure.armclient import READER, RG, VNET, Arm, S

VNETS = f"{RG}/providers/Microsoft.Network/virtualNetworks"


def names(arm: Arm, path: str) -> list[str]:
    return [item["name"] for item in arm("GET", path).json["value"]]


def filtered(path: str, text: str) -> str:
    return f"{path}?$filter={quote(text)}"


def test_a_collection_holds_what_lies_in_its_scope(arm: Arm) -> None:
    arm.vnet(f"{VNETS}/a")
    arm("PUT", f"{VNETS}/a/subnets/s", {})
    other = arm.group("other")
    arm.vnet(f"{other}/providers/Microsoft.Network/virtualNetworks/b")

    assert names(arm, VNETS) == ["a"]
    assert names(arm, f"{S}/providers/Microsoft.Network/virtualNetworks") == ["a", "b"]
    assert names(arm, f"{VNETS}/a/subnets") == ["s"]
    assert names(arm, f"{RG}/providers/Microsoft.Network/routeTables") == []
    assert names(arm, f"{S}/resourceGroups") == ["rg", "other"]


def test_a_collection_in_what_is_missing_is_404(arm: Arm) -> None:
    assert arm("GET", f"{VNET}/subnets").code == "ParentResourceNotFound"
    assert arm("GET", f"{S}/resourceGroups/none/resources").code == "ResourceGroupNotFound"


def test_pages_follow_each_other_by_next_link(arm: Arm) -> None:
    for n in range(5):
        arm.vnet(f"{VNETS}/v{n}")
    seen, link = [], f"{VNETS}?$top=2"
    pages = 0
    while link:
        answer = arm("GET", link).json
        seen += [item["name"] for item in answer["value"]]
        pages += 1
        parts = urlsplit(answer.get("nextLink", ""))
        link = f"{parts.path}?{parts.query}" if parts.path else ""

    assert seen == [f"v{n}" for n in range(5)]
    assert pages == 3


@pytest.mark.parametrize("query", ["$top=x", "$top=-1", "$top=99999999999999", "$skiptoken=???"])
def test_a_page_that_is_none_is_refused(arm: Arm, query: str) -> None:
    assert arm("GET", f"{VNETS}?{query}").status == 400


def test_resources_lists_what_has_a_location_without_properties(arm: Arm) -> None:
    arm.vnet(f"{VNETS}/a")
    arm("PUT", f"{VNETS}/a/subnets/s", {})
    path = f"{S}/resources?$expand=provisioningState,createdTime"

    (found,) = arm("GET", path).json["value"]

    assert found["name"] == "a"
    assert found["provisioningState"] == "Succeeded"
    assert found["createdTime"]
    assert "changedTime" not in found
    assert "properties" not in found
    assert names(arm, f"{RG}/resources?$expand=provisioningState&$top=10") == ["a"]


def test_resources_of_a_group_are_those_of_the_group(arm: Arm) -> None:
    arm.vnet(f"{VNETS}/a")
    arm.group("other")

    assert names(arm, f"{S}/resourceGroups/other/resources") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resourceType eq 'Microsoft.Network/virtualNetworks'", ["a", "b"]),
        ("resourceType eq 'microsoft.network/virtualnetworks' and name eq 'b'", ["b"]),
        ("name eq 'a' or name eq 'disk'", ["a", "disk"]),
        ("tagName eq 'env' and tagValue eq 'test'", ["a"]),
        ("tagName eq 'env'", ["a", "b"]),
        ("resourceGroup eq 'RG'", ["a", "b", "disk"]),
        ("substringof('is', name)", ["disk"]),
        ("startswith(name, 'd')", ["disk"]),
        ("name ne 'a'", ["b", "disk"]),
        ("location eq 'westeurope'", ["a", "b", "disk"]),
        ("name eq 'it''s'", []),
    ],
)
def test_resources_can_be_filtered(arm: Arm, text: str, expected: list[str]) -> None:
    for name, env in (("a", "test"), ("b", "live")):
        arm("PUT", f"{VNETS}/{name}", {"location": "westeurope", "tags": {"env": env}})
    arm("PUT", f"{RG}/providers/Microsoft.Compute/disks/disk", {"location": "westeurope"})

    assert names(arm, filtered(f"{S}/resources", text)) == expected


@pytest.mark.parametrize("text", ["nonsense", "name eq", "name eq 'a", "(((", "name eq 'a' and"])
def test_a_filter_that_is_none_is_refused(arm: Arm, text: str) -> None:
    answer = arm("GET", filtered(f"{S}/resources", text))

    assert (answer.status, answer.code) == (400, "InvalidFilterInQueryString")


def test_role_definitions_are_found_by_name(arm: Arm) -> None:
    path = f"{RG}/providers/Microsoft.Authorization/roleDefinitions"

    (found,) = arm("GET", filtered(path, "roleName eq 'Reader'")).json["value"]

    assert found["id"] == f"{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    assert arm("GET", found["id"]).json["properties"]["roleName"] == "Reader"


def test_a_role_beyond_the_table_gets_an_id_of_its_own(arm: Arm) -> None:
    path = f"{RG}/providers/Microsoft.Authorization/roleDefinitions"
    text = "roleName eq 'Something Contributor'"
    (found,) = arm("GET", filtered(path, text)).json["value"]

    assert arm("GET", found["id"]).json["properties"]["roleName"] == "Something Contributor"
    assert arm("GET", filtered(path, text)).json["value"] == [found]
    assert arm("GET", f"{path}/11111111-2222-3333-4444-555555555555").status == 404


def test_a_custom_role_is_found_by_its_name(arm: Arm) -> None:
    path = f"{S}/providers/Microsoft.Authorization/roleDefinitions"
    arm("PUT", f"{path}/custom", {"properties": {"roleName": "Mine"}})

    (found,) = arm("GET", filtered(path, "roleName eq 'Mine'")).json["value"]

    assert found["name"] == "custom"


def test_role_assignments_are_listed_below_a_scope_and_by_principal(arm: Arm) -> None:
    kind = "providers/Microsoft.Authorization/roleAssignments"
    for n, scope in enumerate((S, RG)):
        properties = {"principalId": f"p{n}", "roleDefinitionId": f"r{n}"}
        arm("PUT", f"{scope}/{kind}/n{n}", {"properties": properties})

    assert names(arm, f"{S}/{kind}") == ["n0", "n1"]
    assert names(arm, f"{RG}/{kind}") == ["n1"]
    assert names(arm, filtered(f"{S}/{kind}", "principalId eq 'p0'")) == ["n0"]
    assert names(arm, filtered(f"{S}/{kind}", "atScope() and principalId eq 'p1'")) == ["n1"]


def test_names_are_available_until_they_are_taken(arm: Arm) -> None:
    kind = "Microsoft.Storage/storageAccounts"
    path = f"{S}/providers/Microsoft.Storage/checkNameAvailability"
    assert arm("POST", path, {"name": "acct", "type": kind}).json["nameAvailable"] is True

    arm("PUT", f"{RG}/providers/{kind}/acct", {"location": "westeurope"})

    assert arm("POST", path, {"name": "acct", "type": kind}).json["nameAvailable"] is False


def test_names_of_children_are_available_until_they_are_taken(arm: Arm) -> None:
    namespace = f"{RG}/providers/Microsoft.ServiceBus/namespaces/ns"
    path = f"{namespace}/disasterRecoveryConfigs/checkNameAvailability"
    assert arm("POST", path, {"name": "alias"}).status == 404
    for name in ("ns", "other"):
        beside = f"{RG}/providers/Microsoft.ServiceBus/namespaces/{name}"
        arm("PUT", beside, {"location": "westeurope"})
        taken = "alias" if name == "ns" else "free"
        arm("PUT", f"{beside}/disasterRecoveryConfigs/{taken}", {"properties": {}})

    assert arm("POST", path, {"name": "Alias"}).json["nameAvailable"] is False
    assert arm("POST", path, {"name": "free"}).json["nameAvailable"] is True
