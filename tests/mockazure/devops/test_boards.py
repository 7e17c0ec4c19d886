"""Boards: areas, queries, work items, and processes with their layouts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.devops.devopsclient import Client

AGILE = "adcc42ab-9882-485e-a3ed-7678f01f66bc"
AREAS = "project/_apis/wit/classificationNodes/areas"
QUERIES = "project/_apis/wit/queries"


@pytest.fixture
def process(client: Client) -> str:
    body = {"name": "own", "parentProcessTypeId": AGILE}
    return str(client.make("_apis/work/processes", body)["typeId"])


def test_areas_are_a_tree(client: Client) -> None:
    parent = client.make(AREAS, {"name": "a"})
    inner = client.make(f"{AREAS}/a", {"name": "b"})

    assert parent["path"] == "\\project\\Area\\a"
    assert client.send("POST", AREAS, {"name": "A"}).status == 409
    found = client.send("GET", f"project/_apis/wit/classificationNodes?ids={inner['id']}").json
    assert found["value"][0]["path"] == "\\project\\Area\\a\\b"
    tree = client.send("GET", f"{AREAS}?$depth=2").json
    assert tree["children"][0]["children"][0]["name"] == "b"
    renamed = client.send("PATCH", f"{AREAS}/a", {"name": "c"}).json
    assert renamed["path"] == "\\project\\Area\\c"
    assert client.send("DELETE", f"{AREAS}/c").status == 204
    assert client.send("GET", f"{AREAS}/c/b").status == 404
    assert client.send("DELETE", AREAS).status == 400


def test_a_project_has_iterations_from_its_beginning(client: Client) -> None:
    path = "project/_apis/wit/classificationNodes/iterations?$depth=1"
    names = [n["name"] for n in client.send("GET", path).json["children"]]
    assert names == ["Iteration 1", "Iteration 2", "Iteration 3"]


def test_queries_lie_in_folders(client: Client) -> None:
    folder = client.make(f"{QUERIES}/Shared%20Queries", {"name": "team", "isFolder": True})
    made = client.make(f"{QUERIES}/{folder['id']}", {"name": "q", "wiql": "SELECT"})

    assert (made["path"], made["isPublic"]) == ("Shared Queries/team/q", True)
    assert client.send("POST", f"{QUERIES}/{folder['id']}", {"name": "Q"}).status == 409
    assert client.send("POST", f"{QUERIES}/{made['id']}", {"name": "x"}).status == 400
    client.send("PATCH", f"{QUERIES}/{folder['id']}", {"name": "crew"})
    found = client.send("GET", f"{QUERIES}/{made['id']}").json
    assert found["path"] == "Shared Queries/crew/q"
    assert client.send("DELETE", f"{QUERIES}/{folder['id']}").status == 204
    assert client.send("GET", f"{QUERIES}/{made['id']}").status == 404


def step(operation: str, path: str, value: object = None) -> dict[str, Any]:
    return {"op": operation, "path": path, "value": value}


def test_work_items_are_patched(client: Client) -> None:
    relation = {"rel": "System.LinkTypes.Hierarchy-Reverse", "url": "u"}
    steps = [
        step("add", "/fields/System.Title", "t"),
        step("add", "/fields/System.Tags", ""),
        step("add", "/relations/-", relation),
    ]
    made = client.make("project/_apis/wit/workItems/$Task", steps)

    assert made["fields"]["System.WorkItemType"] == "Task"
    assert made["fields"]["System.Title"] == "t"
    assert "System.Tags" not in made["fields"]
    assert made["relations"] == [relation]
    path = f"project/_apis/wit/workItems/{made['id']}"
    changed = client.send("PATCH", path, [step("remove", "/relations/0")]).json
    assert (changed["relations"], changed["rev"]) == ([], 2)
    assert client.send("DELETE", path).status == 200
    assert client.send("GET", path).status == 404


def test_a_process_is_derived_changed_and_deleted(client: Client, process: str) -> None:
    path = f"_apis/work/processes/{process}"

    assert client.send("POST", "_apis/work/processes", {"name": "OWN"}).status == 404
    body = {"name": "OWN", "parentProcessTypeId": AGILE}
    assert client.send("POST", "_apis/work/processes", body).status == 409
    assert client.send("PATCH", path, {"isDefault": True}).json["isDefault"] is True
    assert client.send("GET", f"_apis/work/processes/{AGILE}").json["isDefault"] is False
    assert client.send("PATCH", f"_apis/work/processes/{AGILE}", {"name": "x"}).status == 400
    assert process in client.listed("_apis/process/processes", "id")
    assert client.send("DELETE", path).status == 204
    assert client.send("GET", path).status == 404


def test_an_inherited_type_stands_in_its_parents_place(client: Client, process: str) -> None:
    path = f"_apis/work/processes/{process}/workItemTypes"
    parent = "Microsoft.VSTS.WorkItemTypes.Bug"

    made = client.make(path, {"name": "Bug", "inheritsFrom": parent})

    assert (made["referenceName"], made["customization"]) == ("own.Bug", "inherited")
    assert parent not in client.listed(path, "referenceName")
    assert client.send("DELETE", f"{path}/own.Bug").status == 204
    assert parent in client.listed(path, "referenceName")


def test_a_layout_has_pages_groups_and_controls(client: Client, process: str) -> None:
    types = f"_apis/work/processes/{process}/workItemTypes"
    made = client.make(f"{types}?$expand=layout", {"name": "thing"})
    details = made["layout"]["pages"][0]
    assert details["inherited"] is True
    path = f"{types}/own.thing/layout"

    page = client.make(f"{path}/pages", {"label": "more"})
    group = client.make(
        f"{path}/pages/{page['id']}/sections/Section1/groups", {"label": "g", "visible": True}
    )
    control = client.make(f"{path}/groups/{group['id']}/controls", {"id": "System.Title"})
    assert control["controlType"] == "FieldControl"
    moved = f"{path}/pages/{details['id']}/sections/Section2/groups/{group['id']}"
    assert client.send("PUT", moved, {"order": 0}).status == 200
    shown = client.send("GET", path).json
    section = shown["pages"][0]["sections"][1]
    assert section["groups"][0]["controls"][0]["id"] == "System.Title"
    assert shown["pages"][1]["sections"][0]["groups"] == []
    one = f"{path}/groups/{group['id']}/controls/System.Title"
    assert client.send("DELETE", one).status == 204
    assert client.send("DELETE", one).status == 404


def test_an_inherited_part_is_changed_and_goes_back(client: Client, process: str) -> None:
    types = f"_apis/work/processes/{process}/workItemTypes"
    client.make(types, {"name": "thing"})
    path = f"{types}/own.thing/layout"
    details = client.send("GET", path).json["pages"][0]

    client.send("PATCH", f"{path}/pages", {"id": details["id"], "label": "other"})
    assert client.send("GET", path).json["pages"][0]["label"] == "other"

    client.send("DELETE", f"{path}/pages/{details['id']}")
    assert client.send("GET", path).json["pages"][0] == {**details, "overridden": False}


def test_states_are_made_and_inherited_ones_hidden(client: Client, process: str) -> None:
    types = f"_apis/work/processes/{process}/workItemTypes"
    client.make(types, {"name": "Bug", "inheritsFrom": "Microsoft.VSTS.WorkItemTypes.Bug"})
    path = f"{types}/own.Bug/states"
    first = client.send("GET", path).json["value"][0]

    assert client.send("PUT", f"{path}/{first['id']}", {"hidden": True}).json["hidden"] is True
    assert client.send("DELETE", f"{path}/{first['id']}").status == 204
    assert client.send("GET", f"{path}/{first['id']}").json["hidden"] is False
    own = client.make(path, {"name": "Waiting", "stateCategory": "Proposed"})
    assert client.send("DELETE", f"{path}/{own['id']}").status == 204
    assert client.send("GET", f"{path}/{own['id']}").status == 404


def test_system_controls_are_there_once_changed(client: Client, process: str) -> None:
    types = f"_apis/work/processes/{process}/workItemTypes"
    client.make(types, {"name": "thing"})
    path = f"{types}/own.thing/layout/systemcontrols"

    assert client.listed(path, "id") == []
    client.send("PATCH", f"{path}/System.AreaPath", {"visible": False})
    assert client.listed(path, "visible") == [False]
    client.send("DELETE", f"{path}/System.AreaPath")
    assert client.listed(path, "id") == []
    assert client.send("PATCH", f"{path}/None.Such", {}).status == 404


def test_fields_lists_and_rules(client: Client, process: str) -> None:
    field = {"name": "Size", "referenceName": "Custom.Size", "type": "string"}
    client.make("_apis/wit/fields", field)
    assert client.send("POST", "_apis/wit/fields", field).status == 409
    listed = client.make("_apis/work/processes/lists", {"name": "l", "items": ["a"]})
    one = f"_apis/work/processes/lists/{listed['id']}"
    assert client.send("PUT", one, {"name": "l", "items": ["a", "b"]}).json["items"] == ["a", "b"]
    types = f"_apis/work/processes/{process}/workItemTypes"
    client.make(types, {"name": "thing"})

    inner = client.make(f"{types}/own.thing/fields", {"referenceName": "Custom.Size"})
    assert (inner["name"], inner["type"]) == ("Size", "string")
    rule = client.make(f"{types}/own.thing/rules", {"name": "r", "conditions": []})
    path = f"{types}/own.thing/rules/{rule['id']}"
    assert client.send("PUT", path, {"name": "s"}).json["name"] == "s"
    assert client.send("DELETE", path).status == 204
    assert client.send("GET", f"{types}/none/rules").status == 404
