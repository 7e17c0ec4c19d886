"""Pipelines, their folders, checks, pools and variables; feeds, wikis and extensions."""

from __future__ import annotations

import json
from urllib.parse import quote

from tests.mockazure.devops.devopsclient import Client

PROXY = "project/_apis/serviceendpoint/endpointproxy"


def test_a_definition_gets_a_number_a_revision_and_hides_its_secrets(client: Client) -> None:
    path = "project/_apis/build/definitions"
    body = {
        "name": "build",
        "variables": {"s": {"value": "made-up", "isSecret": True}, "v": {"value": "1"}},
        "triggers": [None, {"triggerType": "schedule"}],
        "queue": {"name": "Azure Pipelines"},
    }
    made = client.make(path, body)

    assert (made["id"], made["revision"], made["path"]) == (1, 1, "\\")
    assert made["variables"] == {"s": {"value": None, "isSecret": True}, "v": {"value": "1"}}
    assert made["triggers"] == [{"triggerType": "schedule"}]
    assert client.send("POST", path, {"name": "BUILD"}).status == 409
    assert client.send("PUT", f"{path}/1", {**body, "name": "b"}).json["revision"] == 2
    assert client.send("DELETE", f"{path}/1").status == 204
    assert client.make(path, {"name": "next"})["id"] == 2


def test_a_definition_is_whole_whatever_made_it(client: Client) -> None:
    made = client.make("project/_apis/build/definitions", {"name": "bare"})

    assert made["repository"]["type"] == "TfsGit"
    assert made["repository"]["name"] == "project"
    assert made["repository"]["url"]
    assert made["repository"]["defaultBranch"] == "refs/heads/main"
    assert made["process"]["yamlFilename"]
    assert made["queue"]["pool"]["name"] == "Azure Pipelines"


def test_folders_are_found_by_path_and_take_what_lies_in_them_along(client: Client) -> None:
    path = "project/_apis/build/folders/"
    for name in ("\\a", "\\a\\b", "\\ab"):
        assert client.send("PUT", path + quote(name, safe=""), {"path": name}).status == 200
    assert client.send("PUT", path + quote("\\a", safe=""), {"path": "\\a"}).status == 409

    assert client.listed(path + quote("\\a", safe=""), "path") == ["\\a", "\\a\\b"]
    moved = {"path": "\\a", "description": "new"}
    client.send("POST", path + quote("\\a", safe=""), moved)
    assert client.send("DELETE", path + quote("\\a", safe="")).status == 204
    assert client.listed(path[:-1], "path") == ["\\", "\\ab"]


def test_settings_of_pipelines_keep_what_is_not_named(client: Client) -> None:
    path = "project/_apis/build/generalsettings"
    before = client.send("GET", path).json

    client.send("PATCH", path, {"enforceJobAuthScope": False})

    after = client.send("GET", path).json
    assert after == {**before, "enforceJobAuthScope": False}


def test_pipelines_are_permitted_one_by_one_or_all(client: Client) -> None:
    path = "project/_apis/pipelines/pipelinePermissions/queue/1"
    assert client.send("GET", path).json["pipelines"] == []

    client.send("PATCH", path, {"pipelines": [{"id": 7, "authorized": True}]})
    client.send("PATCH", path, {"allPipelines": {"authorized": True}})
    shown = client.send("GET", path).json
    assert [p["id"] for p in shown["pipelines"]] == [7]
    assert shown["allPipelines"]["authorized"] is True

    client.send("PATCH", path, {"pipelines": [{"id": 7, "authorized": False}]})
    client.send("PATCH", path, {"allPipelines": {"authorized": False}})
    shown = client.send("GET", path).json
    assert (shown["pipelines"], "allPipelines" in shown) == ([], False)


def test_resources_are_authorized_for_a_project(client: Client) -> None:
    path = "project/_apis/build/authorizedresources"
    body = [{"type": "endpoint", "id": "e1", "authorized": True, "name": "n"}]

    client.send("PATCH", path, body)
    assert client.listed(f"{path}?type=endpoint&id=e1", "id") == ["e1"]

    client.send("PATCH", path, [{**body[0], "authorized": False}])
    assert client.listed(path, "id") == []


def test_a_check_gets_the_name_of_its_kind_and_a_version(client: Client) -> None:
    path = "project/_apis/pipelines/checks/configurations"
    kind = {"id": "8c6f20a7-a545-4486-9777-f762fafe0d4d"}
    resource = {"type": "environment", "id": "3"}
    settings = {"approvers": [{"id": "a"}]}
    made = client.make(path, {"type": kind, "resource": resource, "settings": settings})

    assert (made["type"]["name"], made["version"]) == ("Approval", 1)
    changed = client.send("PATCH", f"{path}/{made['id']}", {"timeout": 60}).json
    assert (changed["timeout"], changed["version"], changed["resource"]) == (60, 2, resource)
    assert client.listed(f"{path}?resourceType=environment&resourceId=3", "id") == [made["id"]]
    assert client.listed(f"{path}?resourceType=environment&resourceId=4", "id") == []


def test_a_policy_is_replaced_as_a_whole(client: Client) -> None:
    path = "project/_apis/policy/configurations"
    kind = {"id": "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"}
    made = client.make(path, {"type": kind, "settings": {"a": 1}, "isEnabled": True})

    changed = client.send("PUT", f"{path}/{made['id']}", {"type": kind, "settings": {"b": 2}})

    assert changed.json["type"]["displayName"] == "Minimum number of reviewers"
    assert (changed.json["settings"], changed.json["revision"]) == ({"b": 2}, 2)
    assert "isEnabled" not in changed.json


def test_a_queue_leads_to_a_pool_and_goes_with_it(client: Client) -> None:
    pool = client.make("_apis/distributedtask/pools", {"name": "own"})
    assert client.send("POST", "_apis/distributedtask/pools", {"name": "OWN"}).status == 409
    path = "project/_apis/distributedtask/queues"

    queue = client.make(path, {"pool": {"id": pool["id"]}})

    assert queue["name"] == "own"
    assert set(client.listed(path)) == {"Default", "Azure Pipelines", "own"}
    assert client.listed(f"{path}?queueName=own") == ["own"]
    assert client.send("POST", path, {"pool": {"id": 999}}).status == 404
    client.send("DELETE", f"_apis/distributedtask/pools/{pool['id']}")
    assert "own" not in client.listed(path)
    client.make(path, {"name": "alone"})
    assert "alone" in client.listed("_apis/distributedtask/pools")


def test_an_elastic_pool_is_a_pool(client: Client) -> None:
    path = "_apis/distributedtask/elasticpools?poolName=scaled"
    made = client.make(path, {"azureId": "/subscriptions/s", "maxCapacity": 5})

    assert made["agentPool"]["name"] == "scaled"
    one = f"_apis/distributedtask/elasticpools/{made['elasticPool']['poolId']}"
    assert client.send("PATCH", one, {"maxCapacity": 7}).json["maxCapacity"] == 7


def test_an_environment_has_resources(client: Client) -> None:
    made = client.make("project/_apis/distributedtask/environments", {"name": "prod"})
    path = f"project/_apis/distributedtask/environments/{made['id']}/providers/kubernetes"

    inner = client.make(path, {"name": "ns", "namespace": "ns"})

    assert inner["environmentReference"] == {"id": made["id"], "name": "prod"}
    assert client.send("GET", f"{path}/{inner['id']}").status == 200
    other = path.replace(f"/{made['id']}/", "/99/")
    assert client.send("POST", other, {"name": "x"}).status == 404


def test_variables_are_listed_by_project_and_secrets_hidden(client: Client) -> None:
    reference = {"projectReference": {"id": client.project()}, "name": "vars"}
    body = {
        "name": "vars",
        "variables": {"a": {"value": "1"}, "s": {"value": "made-up", "isSecret": True}},
        "variableGroupProjectReferences": [reference],
    }
    made = client.make("_apis/distributedtask/variablegroups", body)
    client.send("POST", "_apis/projects", {"name": "other"})

    one = client.send("GET", f"project/_apis/distributedtask/variablegroups/{made['id']}").json
    assert one["variables"]["s"]["value"] is None
    assert one["variables"]["a"]["value"] == "1"
    assert client.listed("project/_apis/distributedtask/variablegroups") == ["vars"]
    assert client.listed("other/_apis/distributedtask/variablegroups") == []


def test_a_variable_group_can_ask_which_secrets_a_vault_has(client: Client) -> None:
    client.secrets = [{"id": "https://v.vault.azure.net/secrets/a", "attributes": {}}]
    details = {"dataSourceName": "AzureKeyVaultSecrets", "parameters": {"KeyVaultName": "v"}}

    answer = client.make(PROXY, {"dataSourceDetails": details})

    assert json.loads(answer["result"][0])["value"] == client.secrets


def test_a_deleted_feed_lies_in_the_bin_and_its_name_is_taken(client: Client) -> None:
    made = client.make("_apis/packaging/feeds", {"name": "f"})
    client.send("DELETE", f"_apis/packaging/feeds/{made['id']}")

    assert client.send("GET", "_apis/packaging/feeds/f").status == 404
    change = client.send("GET", f"_apis/packaging/feedchanges/{made['id']}").json
    assert change["changeType"] == "delete"
    assert client.send("POST", "_apis/packaging/feeds", {"name": "f"}).status == 409
    client.send("PATCH", f"_apis/packaging/feedrecyclebin/{made['id']}", [])
    assert client.send("GET", "_apis/packaging/feeds/f").status == 200
    client.send("DELETE", f"_apis/packaging/feeds/{made['id']}")
    client.send("DELETE", f"_apis/packaging/feedrecyclebin/{made['id']}")
    assert client.make("_apis/packaging/feeds", {"name": "f"})["name"] == "f"


def test_a_feed_has_permissions_and_keeps_packages_for_a_while(client: Client) -> None:
    client.make("_apis/packaging/feeds", {"name": "f"})
    path = "_apis/packaging/feeds/f"
    role = {"identityDescriptor": "d", "role": "reader"}

    client.send("PATCH", f"{path}/permissions", [role])
    assert client.listed(f"{path}/permissions", "role") == ["reader"]
    client.send("PATCH", f"{path}/permissions", [{**role, "role": "none"}])
    assert client.listed(f"{path}/permissions", "role") == []
    assert client.send("GET", f"{path}/retentionpolicies").json is None
    client.send("PUT", f"{path}/retentionpolicies", {"countLimit": 3})
    assert client.send("GET", f"{path}/retentionpolicies").json == {"countLimit": 3}
    client.send("DELETE", f"{path}/retentionpolicies")
    assert client.send("GET", f"{path}/retentionpolicies").json is None


def test_a_wiki_has_pages_whose_versions_count(client: Client) -> None:
    body = {"name": "docs", "projectId": client.project(), "type": "projectWiki"}
    wiki = client.make("_apis/wiki/wikis", body)
    assert "project.wiki" in client.listed("project/_apis/git/repositories")
    path = f"project/_apis/wiki/wikis/{wiki['id']}/pages"
    made = client.send("PUT", f"{path}?path=/start", {"content": "one"})
    version = made.response.headers["etag"]

    page = f"{path}/{made.json['id']}"
    changed = client.send("PATCH", page, {"content": "two"}, headers={"if-match": version})
    assert changed.json["content"] == "two"
    late = client.send("PATCH", page, {"content": "three"}, headers={"if-match": version})
    assert late.status == 412
    assert client.send("GET", f"{path}?path=/start").json["content"] == "two"
    assert client.send("DELETE", page).status == 200
    assert client.send("GET", f"{path}?path=/start").status == 404
    deleted = client.send("DELETE", f"project/_apis/wiki/wikis/{wiki['id']}")
    assert deleted.json["name"] == "docs"  # the client reads it


def test_an_extension_is_installed_disabled_and_uninstalled(client: Client) -> None:
    path = "_apis/extensionmanagement/installedextensionsbyname/pub/ext"
    assert client.send("GET", path).status == 404

    assert client.make(f"{path}/2.0", {})["version"] == "2.0"

    state = {"publisherId": "pub", "extensionId": "ext", "installState": {"flags": "disabled"}}
    client.send("PATCH", "_apis/extensionmanagement/installedextensions", state)
    assert client.send("GET", path).json["installState"]["flags"] == "disabled"
    assert client.send("DELETE", path).status == 204
    assert client.send("GET", path).status == 404


def test_tags_are_properties_of_a_project(client: Client) -> None:
    path = f"_apis/projects/{client.project()}/properties"
    tag = "Microsoft.TeamFoundation.Project.Tag.x"
    client.send("PATCH", path, [{"op": "add", "path": f"/{tag}", "value": "true"}])

    keys = quote("Microsoft.TeamFoundation.Project.Tag.*")
    assert client.listed(f"{path}?keys={keys}") == [tag]
    client.send("PATCH", path, [{"op": "remove", "path": f"/{tag}"}])
    assert client.listed(f"{path}?keys={keys}") == []


def test_a_hook_hides_its_secrets_and_a_team_has_areas(client: Client) -> None:
    inputs = {"url": "https://x", "basicAuthPassword": "made-up"}
    made = client.make("_apis/hooks/subscriptions", {"consumerInputs": inputs})
    assert made["consumerInputs"] == {"url": "https://x", "basicAuthPassword": "********"}

    path = "project/crew/_apis/work/teamsettings/teamfieldvalues"
    assert client.send("GET", path).json["defaultValue"] == "project"
    values = {"defaultValue": "project\\a", "values": [{"value": "project\\a"}]}
    assert client.send("PATCH", path, values).json["defaultValue"] == "project\\a"


def test_a_type_of_service_connections_tells_what_it_is_signed_in_with(client: Client) -> None:
    (found,) = client.send("GET", "_apis/serviceendpoint/types?type=AZDOAPI").json["value"][:1]
    schemes = {s["scheme"]: s["inputDescriptors"] for s in found["authenticationSchemes"]}
    assert {one["id"] for one in schemes["UsernamePassword"]} == {"username", "password"}
    assert "apitoken" in {one["id"] for one in schemes["Token"]}
    assert "releaseUrl" in {one["id"] for one in found["inputDescriptors"]}
