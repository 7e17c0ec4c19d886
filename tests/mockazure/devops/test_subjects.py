"""Groups, memberships, teams, licences, and who may do what."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.mockazure.devops.devopsclient import Client

GIT = "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87"
ENVIRONMENTS = "distributedtask.environmentreferencerole"


def group_of(client: Client, name: str) -> Any:  # noqa: ANN401 - JSON
    scope = client.send("GET", f"_apis/graph/descriptors/{client.project()}").json["value"]
    found = client.send("GET", f"_apis/graph/groups?scopeDescriptor={quote(scope)}").json["value"]
    return next(g for g in found if g["displayName"] == name)


def test_a_project_has_its_groups_and_the_organization_its_own(client: Client) -> None:
    readers = group_of(client, "Readers")

    assert readers["principalName"] == "[project]\\Readers"
    assert readers["domain"].endswith(client.project())
    names = client.listed("_apis/graph/groups", "displayName")
    assert "Project Collection Administrators" in names


def test_pipelines_run_as_an_identity_that_can_be_found_by_its_name(client: Client) -> None:
    client.project()
    for name in ("project Build Service (org)", "Project Collection Build Service (org)"):
        path = f"_apis/identities?searchFilter=General&filterValue={quote(name)}"
        (found,) = client.send("GET", path).json["value"]
        assert found["subjectDescriptor"].startswith("svc.")
        assert found["descriptor"].startswith("Microsoft.TeamFoundation.ServiceIdentity;")
        again = client.send("GET", f"_apis/identities?descriptors={quote(found['descriptor'])}")
        assert [one["id"] for one in again.json["value"]] == [found["id"]]
    client.send("DELETE", f"_apis/projects/{client.project()}")
    path = "_apis/identities?searchFilter=General&filterValue="
    assert client.send("GET", path + quote("project Build Service (org)")).json["value"] == []


def test_descriptors_and_storage_keys_lead_to_each_other(client: Client) -> None:
    readers = group_of(client, "Readers")

    key = client.send("GET", f"_apis/graph/storagekeys/{readers['descriptor']}").json["value"]

    found = client.send("GET", f"_apis/graph/descriptors/{key}").json["value"]
    assert found == readers["descriptor"]
    assert client.send("GET", "_apis/graph/storagekeys/none").status == 404
    none = "00000000-0000-0000-0000-000000000001"
    assert client.send("GET", f"_apis/graph/descriptors/{none}").status == 404


def test_a_group_is_made_renamed_and_deleted_until_it_is_not_there(client: Client) -> None:
    scope = client.send("GET", f"_apis/graph/descriptors/{client.project()}").json["value"]
    path = f"_apis/graph/groups?scopeDescriptor={scope}"
    made = client.make(path, {"displayName": "ops", "description": "d"})
    one = f"_apis/graph/groups/{made['descriptor']}"

    assert client.send("POST", path, {"displayName": "OPS"}).status == 409
    steps = [{"op": "replace", "path": "/displayName", "value": "crew"}]
    assert client.send("PATCH", one, steps).json["principalName"] == "[project]\\crew"
    assert client.send("DELETE", one).status == 204
    assert client.send("DELETE", one).status == 404


def test_members_are_added_listed_both_ways_and_removed(client: Client) -> None:
    readers, others = group_of(client, "Readers"), group_of(client, "Contributors")
    pair = f"_apis/graph/memberships/{others['descriptor']}/{readers['descriptor']}"

    assert client.send("PUT", pair).status == 200

    down = f"_apis/graph/memberships/{readers['descriptor']}?direction=Down"
    assert client.listed(down, "memberDescriptor") == [others["descriptor"]]
    up = f"_apis/graph/memberships/{others['descriptor']}?direction=Up"
    assert client.listed(up, "containerDescriptor") == [readers["descriptor"]]
    assert client.send("DELETE", pair).status == 200
    assert client.send("GET", pair).status == 404
    assert client.send("PUT", f"{pair}x").status == 404
    client.send("DELETE", f"_apis/graph/groups/{others['descriptor']}")
    assert client.send("DELETE", pair).status == 200
    assert client.send("DELETE", f"{pair.rpartition('/')[0]}/none").status == 404


def test_identities_are_found_by_descriptor_and_by_name(client: Client) -> None:
    readers = group_of(client, "Readers")
    by_subject = f"_apis/identities?subjectDescriptors={readers['descriptor']}"
    found = client.send("GET", by_subject).json["value"][0]

    assert found["descriptor"].startswith("Microsoft.TeamFoundation.Identity;")
    again = client.send("GET", f"_apis/identities?descriptors={quote(found['descriptor'])}")
    assert again.json["value"] == [found]
    named = quote("[project]\\Readers")
    path = f"_apis/identities?searchFilter=General&filterValue={named}"
    assert client.listed(path, "id") == [found["id"]]
    assert client.send("GET", f"_apis/identities/{found['id']}").json == found


def test_a_team_is_a_group_with_members(client: Client) -> None:
    path = f"_apis/projects/{client.project()}/teams"
    assert client.listed(path) == ["project Team"]
    team = client.make(path, {"name": "crew", "description": "d"})
    readers = group_of(client, "Readers")
    key = client.send("GET", f"_apis/graph/storagekeys/{readers['descriptor']}").json["value"]
    member = f"_apis/identities/{team['id']}/members/{key}"

    assert client.send("PUT", member).json is True
    assert client.send("GET", f"_apis/identities/{team['id']}/members").json["count"] == 1
    assert client.send("DELETE", member).json is True
    assert client.send("DELETE", member).json is False
    assert client.send("POST", path, {"name": "CREW"}).status == 409
    assert client.send("DELETE", f"{path}/crew").status == 204
    assert client.send("GET", f"{path}/crew").status == 404
    assert client.send("GET", f"_apis/identities/{team['id']}").status == 404


def test_an_access_control_entry_is_merged_and_removed(client: Client) -> None:
    readers = group_of(client, "Readers")["descriptor"]
    found = client.send("GET", f"_apis/identities?subjectDescriptors={readers}").json["value"][0]
    descriptor, token = found["descriptor"], f"repoV2/{client.project()}"
    path = f"_apis/accesscontrolentries/{GIT}"

    def entry(allow: int, deny: int) -> dict[str, Any]:
        ace = {"descriptor": descriptor, "allow": allow, "deny": deny}
        return {"token": token, "merge": True, "accessControlEntries": [ace]}

    client.make(path, entry(2, 0))
    client.make(path, entry(4, 8))
    client.make(path, entry(0, 2))

    query = f"token={quote(token)}&descriptors={quote(descriptor)}&includeExtendedInfo=true"
    shown = client.send("GET", f"_apis/accesscontrollists/{GIT}?{query}").json["value"][0]
    ace = shown["acesDictionary"][descriptor]
    assert (ace["allow"], ace["deny"]) == (4, 10)
    gone = f"{path}?token={quote(token)}&descriptors={quote(descriptor)}"
    assert client.send("DELETE", gone).json is True
    shown = client.send("GET", f"_apis/accesscontrollists/{GIT}?{query}").json["value"][0]
    assert shown["acesDictionary"] == {}


def test_a_namespace_tells_its_actions_and_an_unknown_one_is_none(client: Client) -> None:
    shown = client.send("GET", f"_apis/securitynamespaces/{GIT}").json["value"][0]
    bits = {a["name"]: a["bit"] for a in shown["actions"]}

    assert (bits["GenericRead"], bits["PullRequestBypassPolicy"]) == (2, 32768)
    server = client.send("GET", "_apis/securitynamespaces/1f4179b3-6bac-4d01-b421-71ea09171400")
    assert server.json["value"][0]["name"] == "Server"
    assert client.send("GET", "_apis/securitynamespaces/none").status == 404
    assert client.send("GET", "_apis/accesscontrollists/none?token=x").status == 404


def test_a_role_is_assigned_and_taken_away(client: Client) -> None:
    readers = group_of(client, "Readers")
    key = client.send("GET", f"_apis/graph/storagekeys/{readers['descriptor']}").json["value"]
    path = f"_apis/securityroles/scopes/{ENVIRONMENTS}/roleassignments/resources/p_1"
    body = [{"roleName": "Administrator", "userId": key}]

    assert client.send("PUT", path, body).status == 200

    shown = client.send("GET", path).json["value"][0]
    assert (shown["identity"]["id"], shown["role"]["name"]) == (key, "Administrator")
    wrong = [{"roleName": "King", "userId": key}]
    assert client.send("PUT", path, wrong).status == 400
    assert client.send("PATCH", path, [key]).status == 204
    assert client.send("GET", path).json["value"] == []


@pytest.mark.parametrize(
    ("path", "name", "who"),
    [
        ("userentitlements", "user", {"principalName": "ann@example.org"}),
        (
            "serviceprincipalentitlements",
            "servicePrincipal",
            {"originId": "11111111-1111-1111-1111-111111111111"},
        ),
    ],
)
def test_whoever_gets_a_licence_is_there(
    client: Client, path: str, name: str, who: dict[str, str]
) -> None:
    body = {name: who, "accessLevel": {"accountLicenseType": "stakeholder"}}
    made = client.make(f"_apis/{path}", body)["operationResult"]["result"]
    one = f"_apis/{path}/{made['id']}"

    assert client.send("GET", one).json["accessLevel"]["accountLicenseType"] == "stakeholder"
    level = {"accountLicenseType": "express", "licensingSource": "account"}
    steps = [{"op": "replace", "path": "/accessLevel", "value": level}]
    client.send("PATCH", one, steps)
    assert client.send("GET", one).json["accessLevel"]["accountLicenseType"] == "express"
    descriptor = made[name]["descriptor"]
    assert client.send("GET", f"_apis/identities?subjectDescriptors={descriptor}").json["count"]
    assert client.send("DELETE", one).status == 204
    assert client.send("GET", one).status == 404


def test_a_groups_licence_goes_and_the_group_stays(client: Client) -> None:
    body = {"group": {"displayName": "crew"}, "licenseRule": {"accountLicenseType": "express"}}
    made = client.make("_apis/groupentitlements", body)["results"][0]["result"]

    assert client.send("DELETE", f"_apis/groupentitlements/{made['id']}").status == 200

    assert client.send("GET", f"_apis/groupentitlements/{made['id']}").status == 404
    assert client.send("GET", f"_apis/graph/groups/{made['group']['descriptor']}").status == 200
