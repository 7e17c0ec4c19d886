"""Azure Boards: areas and iterations, queries and their folders, work items."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.organization import Call, invalid, listing, missing, part

NODES, QUERIES, WORK_ITEMS = "wit/nodes", "wit/queries", "wit/workitems"
ITERATIONS = 3  # that a new project has


# areas and iterations: a tree of each, its root named after the project


def roots(call: Call) -> dict[str, Document]:
    """Return the roots of the trees of a project, by `areas` and `iterations`."""
    project = call.project
    known = call.organization.of(NODES, str(project["id"]))
    for group, kind in (("areas", "area"), ("iterations", "iteration")):
        if group in known:
            continue
        known[group] = _node(call, str(project["name"]), kind)
        if group == "iterations":
            names = [f"Iteration {n + 1}" for n in range(ITERATIONS)]
            known[group]["children"] = [_node(call, name, kind) for name in names]
    return known


def _node(call: Call, name: str, kind: str) -> Document:
    return {
        "id": call.organization.number(NODES),
        "identifier": str(uuid.uuid4()),
        "name": name,
        "structureType": kind,
        "children": [],
    }


def _walk(node: Document, path: str) -> Iterator[tuple[Document, str]]:
    yield node, path
    for child in node["children"]:
        yield from _walk(child, f"{path}\\{child['name']}")


def _shown(call: Call, node: Document, path: str, depth: int) -> Document:
    own = {k: v for k, v in node.items() if k != "children"}
    shown = {**own, "path": path, "hasChildren": bool(node["children"])}
    shown["url"] = f"{call.base}/_apis/wit/classificationNodes/{node['id']}"
    if depth and node["children"]:
        inner = [_shown(call, c, f"{path}\\{c['name']}", depth - 1) for c in node["children"]]
        shown["children"] = inner
    return shown


def _root_path(call: Call, group: str) -> str:
    return f"\\{call.project['name']}\\{group[:-1].capitalize()}"


def _depth(call: Call) -> int:
    text = call.query.get("$depth", "0")
    return min(int(text), 20) if text.isascii() and text.isdigit() else 0


def on_all_nodes(call: Call) -> Response:
    """GET nodes by their ids, or the roots."""
    call.only("GET")
    known = roots(call)
    ids = {i.strip() for i in call.query.get("ids", "").split(",")} - {""}
    found = [
        _shown(call, node, path, _depth(call))
        for group, root in known.items()
        for node, path in _walk(root, _root_path(call, group))
        if (str(node["id"]) in ids if ids else node is root)
    ]
    if ids and not found:
        raise missing(", ".join(sorted(ids)), "ClassificationNodeNotFoundException")
    return listed(found)


def on_node(call: Call) -> Response:
    """Answer for one node of a tree by its path."""
    group = call.found.values["structureGroup"].lower()
    group = group if group.endswith("s") else f"{group}s"
    root = roots(call).get(group)
    if root is None:
        raise missing(group, "ClassificationNodeNotFoundException")
    path = call.found.values.get("path", "").replace("\\", "/").strip("/")
    parent, node = _find(root, [p for p in path.split("/") if p])
    shown_path = "\\".join([_root_path(call, group), *[p for p in path.split("/") if p]])
    call.only("GET", "POST", "PATCH", "DELETE")
    if node is None:
        raise missing(path, "ClassificationNodeNotFoundException")
    if call.method == "POST":
        made = _create_node(call, node)
        return Response.json(_shown(call, made, f"{shown_path}\\{made['name']}", 0), status=201)
    if call.method == "DELETE":
        if parent is None:
            raise invalid("The root node cannot be deleted.")
        parent["children"].remove(node)
        return Response(204)
    if call.method == "PATCH":
        node |= {k: v for k, v in call.body.items() if k in {"name", "attributes"}}
        shown_path = f"{shown_path.rpartition(chr(92))[0]}\\{node['name']}"
    return Response.json(_shown(call, node, shown_path, _depth(call)))


def _find(root: Document, names: list[str]) -> tuple[Document | None, Document | None]:
    parent, node = None, root
    for name in names:
        inner = [c for c in node["children"] if str(c["name"]).lower() == name.lower()]
        if not inner:
            return node, None
        parent, node = node, inner[0]
    return parent, node


def _create_node(call: Call, parent: Document) -> Document:
    name = str(call.body.get("name") or "")
    if not name:
        raise invalid("VS402371: a classification node needs a name.")
    if any(str(c["name"]).lower() == name.lower() for c in parent["children"]):
        message = f"VS402371: Classification node name {name} is already in use."
        raise DevOpsError(409, "ClassificationNodeDuplicateNameException", message)
    made = _node(call, name, str(parent["structureType"]))
    made |= {k: v for k, v in call.body.items() if k == "attributes"}
    parent["children"].append(made)
    return made


# queries: folders and queries, by path or by id


def _query_roots(call: Call) -> dict[str, Document]:
    known = call.organization.of(QUERIES, str(call.project["id"]))
    for name in ("Shared Queries", "My Queries"):
        if all(q["path"] != name for q in known.values()):
            key = str(uuid.uuid4())
            public = name.startswith("Shared")
            known[key] = {"id": key, "name": name, "path": name, "isFolder": True}
            known[key]["isPublic"] = public
    return known


def on_queries(call: Call) -> Response:
    """Answer for queries and folders of them."""
    known = _query_roots(call)
    call.only("GET", "POST", "PATCH", "DELETE")
    if not call.key:
        call.only("GET")
        return listed(
            [_query(known, q, _depth(call)) for q in known.values() if "/" not in q["path"]]
        )
    low = call.key.strip("/").lower()
    found = next((q for q in known.values() if low in {q["id"], q["path"].lower()}), None)
    if found is None:
        message = f"TF401243: Query {call.key} does not exist, or you may not read it."
        raise DevOpsError(404, "QueryItemNotFoundException", message)
    if call.method == "POST":
        return Response.json(_create_query(call, known, found), status=201)
    inner = [k for k, q in known.items() if f"{q['path']}/".startswith(f"{found['path']}/")]
    if call.method == "DELETE":
        for key in inner:
            del known[key]
        return Response(204)
    if call.method == "PATCH":
        found |= {k: v for k, v in call.body.items() if k in {"name", "wiql", "columns"}}
        old = found["path"]
        new = "/".join([*old.split("/")[:-1], str(found["name"])])
        for key in inner:
            known[key]["path"] = new + known[key]["path"][len(old) :]
    return Response.json(_query(known, found, _depth(call)))


def _query(known: dict[str, Document], query: Document, depth: int) -> Document:
    inner = [q for q in known.values() if q["path"].rpartition("/")[0] == query["path"]]
    shown = dict(query)
    if query.get("isFolder"):
        shown["hasChildren"] = bool(inner)
        if depth:
            shown["children"] = [_query(known, q, depth - 1) for q in inner]
    return shown


def _create_query(call: Call, known: dict[str, Document], parent: Document) -> Document:
    name = str(call.body.get("name") or "")
    path = f"{parent['path']}/{name}"
    if not name or not parent.get("isFolder"):
        raise invalid("TF401256: a query needs a name, and a folder to be in.")
    if any(q["path"].lower() == path.lower() for q in known.values()):
        message = f"TF237018: a query with the name '{name}' exists already in this folder."
        raise DevOpsError(409, "QueryItemDuplicateNameException", message)
    key = str(uuid.uuid4())
    shared = {"id": key, "path": path, "isPublic": parent["isPublic"]}
    known[key] = {"isFolder": False, "queryType": "flat", **call.body, **shared}
    if known[key]["isFolder"]:
        known[key].pop("queryType")
    return known[key]


# work items


def on_work_items(call: Call) -> Response:
    """Answer for work items, which JSON Patch makes and changes."""
    known = call.organization.of(WORK_ITEMS)
    if "type" in call.found.values:
        call.only("POST", "PATCH")
        number = call.organization.number(WORK_ITEMS)
        project = str(call.project["name"])
        fields = {
            "System.AreaPath": project,
            "System.IterationPath": project,
            "System.TeamProject": project,
            "System.WorkItemType": call.found.values["type"],
            "System.State": "New",
            "System.CreatedDate": call.now,
        }
        item: Document = {"id": number, "rev": 0, "fields": fields, "relations": []}
        item["url"] = f"{call.base}/_apis/wit/workItems/{number}"
        _patch(call, item)
        known[str(number)] = item
        return Response.json(item)
    if not call.key:
        call.only("GET")
        ids = call.query.get("ids", "").split(",")
        return listed([known[i] for i in ids if i in known])
    found = known.get(call.key)
    if found is None:
        message = f"TF401232: Work item {call.key} does not exist, or you may not read it."
        raise DevOpsError(404, "WorkItemUnauthorizedAccessException", message)
    call.only("GET", "PATCH", "DELETE")
    if call.method == "PATCH":
        _patch(call, found)
    if call.method == "DELETE":
        del known[call.key]
    return Response.json(found)


def _patch(call: Call, item: Document) -> None:
    for given in call.items:
        step = part({"s": given}, "s")
        operation = str(step.get("op")).lower()
        where, _, name = str(step.get("path") or "").strip("/").partition("/")
        empty = step.get("value") is None or step.get("value") == ""
        if where == "fields" and (operation == "remove" or empty):
            item["fields"].pop(name, None)
        elif where == "fields":
            item["fields"][name] = step.get("value")
        elif where == "relations":
            _relate(item, operation, name, step.get("value"))
    item["rev"] += 1
    for folder in ("System.AreaPath", "System.IterationPath"):
        item["fields"][folder] = str(item["fields"].get(folder) or "").strip("\\")


def _relate(item: Document, operation: str, name: str, value: object) -> None:
    relations = listing(item, "relations")
    index = int(name) if name.isascii() and name.isdigit() else len(relations)
    if operation == "remove" and index < len(relations):
        del relations[index]
    elif operation == "add":
        relations.append(value)
    item["relations"] = relations
