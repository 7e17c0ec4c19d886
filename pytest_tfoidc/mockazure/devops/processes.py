"""Processes of Azure Boards: inherited ones, types of work items, layouts, states and rules."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterator

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops import entries
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Organization,
    guid,
    invalid,
    listing,
    missing,
    part,
)

PROCESSES = {
    "adcc42ab-9882-485e-a3ed-7678f01f66bc": "Agile",
    "6b724908-ef14-45cf-84f8-768b5384da45": "Scrum",
    "27450541-8e31-4150-9947-dc59f998fc01": "CMMI",
    "b8a3a935-7e91-48b8-a94c-606d37c3e9f2": "Basic",
}
KIND, TYPES, LAYOUTS = "work/processes", "work/types", "work/layouts"
TYPES_OF = {
    "Agile": ("Bug", "Epic", "Feature", "Issue", "Task", "User Story", "Test Case"),
    "Scrum": ("Bug", "Epic", "Feature", "Impediment", "Task", "Product Backlog Item", "Test Case"),
    "CMMI": ("Bug", "Epic", "Feature", "Issue", "Task", "Requirement", "Risk", "Test Case"),
    "Basic": ("Epic", "Issue", "Task"),
}
STATES = (
    ("New", "Proposed"),
    ("Active", "InProgress"),
    ("Resolved", "Resolved"),
    ("Closed", "Completed"),
)
COLORS = {"Proposed": "b2b2b2", "InProgress": "007acc", "Resolved": "ff9d00", "Completed": "339933"}
SYSTEM_CONTROLS = {
    "System.AreaPath": "Area",
    "System.IterationPath": "Iteration",
    "System.State": "State",
    "System.Reason": "Reason",
    "System.AssignedTo": "Assigned To",
    "System.Title": "Title",
}
# What a type's first page shows in each of its sections: a group, and its controls.
DETAILS = {
    "Section1": ("Description", ("System.Description",)),
    "Section2": ("Planning", ("Microsoft.VSTS.Common.Priority",)),
    "Section3": ("Related Work", ("System.RelatedLinks",)),
}
SECTIONS = 4


def of(organization: Organization) -> dict[str, Document]:
    """Return the processes by id: the ones that everybody has, and those that were derived."""
    known = organization.of(KIND)
    for key, name in PROCESSES.items():
        if key not in known:
            known[key] = {
                "typeId": key,
                "name": name,
                "referenceName": name,
                "description": f"{name} process template",
                "parentProcessTypeId": "00000000-0000-0000-0000-000000000000",
                "isEnabled": True,
                "isDefault": name == "Agile",
                "customizationType": "system",
                "projects": [],
            }
    return known


def on_core(call: Call) -> Response:
    """GET processes as the projects' service shows them."""
    call.only("GET")
    found = [
        {
            "id": k,
            "name": p["name"],
            "description": p["description"],
            "isDefault": p["isDefault"],
            "type": p["customizationType"],
        }
        for k, p in of(call.organization).items()
    ]
    if not call.key:
        return listed(found)
    one = next((p for p in found if p["id"] == call.key.lower()), None)
    if one is None:
        raise DevOpsError(404, "ProcessNotFoundException", f"VS402362: no process {call.key}")
    return Response.json(one)


def on_processes(call: Call) -> Response:
    """Answer for processes."""
    known = of(call.organization)
    if not call.key:
        call.only("GET", "POST")
        if call.method == "GET":
            return listed([_with_projects(call, p) for p in known.values()])
        return Response.json(_derive(call, known), status=201)
    found = _process(call, call.key)
    call.only("GET", "PATCH", "DELETE")
    if call.method == "GET":
        return Response.json(_with_projects(call, found))
    _check_inherited(found)
    if call.method == "DELETE":
        del known[found["typeId"]]
        call.organization.forget(found["typeId"])
        return Response(204)
    found |= {k: v for k, v in call.body.items() if v is not None}
    if found.get("isDefault"):
        for other in known.values():
            other["isDefault"] = other is found
    return Response.json(found)


def _with_projects(call: Call, process: Document) -> Document:
    if "projects" not in call.query.get("$expand", "").lower():
        return {k: v for k, v in process.items() if k != "projects"}
    inside = [
        {"id": p["id"], "name": p["name"], "description": p["description"], "url": ""}
        for p in call.organization.projects.values()
        if part(part(p, "capabilities"), "processTemplate").get("templateTypeId")
        == process["typeId"]
    ]
    return {**process, "projects": inside}


def _process(call: Call, key: str) -> Document:
    found = of(call.organization).get(key.lower())
    if found is None:
        message = f"VS402362: The process with id {key} does not exist."
        raise DevOpsError(404, "ProcessNotFoundByTypeIdException", message)
    return found


def _check_inherited(process: Document) -> None:
    if process["customizationType"] == "system":
        message = f"VS402322: The process {process['name']} cannot be changed: derive one from it."
        raise DevOpsError(400, "ProcessNotInheritedException", message)


def _derive(call: Call, known: dict[str, Document]) -> Document:
    name = str(call.body.get("name") or "")
    parent = _process(call, str(call.body.get("parentProcessTypeId") or ""))
    if not name or any(p["name"].lower() == name.lower() for p in known.values()):
        message = f"VS402373: the process name '{name}' is in use already, or not valid."
        raise DevOpsError(409, "ProcessNameConflictException", message)
    key = str(uuid.uuid4())
    known[key] = {
        "typeId": key,
        "name": name,
        "referenceName": call.body.get("referenceName") or f"Inherited.{key.replace('-', '')}",
        "description": call.body.get("description") or "",
        "parentProcessTypeId": parent["typeId"],
        "isEnabled": True,
        "isDefault": False,
        "customizationType": "inherited",
        "projects": [],
    }
    return known[key]


# types of work items


def _types(call: Call) -> dict[str, Document]:
    process = _process(call, call.found.values["processId"])
    known = call.organization.of(TYPES, str(process["typeId"]))
    base = process
    while base["customizationType"] != "system":
        base = _process(call, base["parentProcessTypeId"])
    for name in TYPES_OF[base["name"]]:
        reference = f"Microsoft.VSTS.WorkItemTypes.{name.replace(' ', '')}"
        derived = any(t.get("inherits") == reference for t in known.values())
        if reference not in known and not derived:
            known[reference] = _type(name, reference, {"customization": "system"})
    return known


def _type(name: str, reference: str, more: Document) -> Document:
    return {
        "name": name,
        "referenceName": reference,
        "description": "",
        "color": "b2b2b2",
        "icon": "icon_clipboard",
        "isDisabled": False,
        "inherits": None,
        "customization": "custom",
        **{k: v for k, v in more.items() if v is not None},
    }


def on_types(call: Call) -> Response:
    """Answer for the types of work items of a process."""
    known = _types(call)
    process = _process(call, call.found.values["processId"])
    if not call.key:
        call.only("GET", "POST")
        if call.method == "GET":
            return listed([_expanded(call, t) for t in known.values()])
        _check_inherited(process)
        return Response.json(_expanded(call, _create_type(call, process, known)), status=201)
    found = _found_type(call)
    call.only("GET", "PATCH", "DELETE")
    if call.method == "DELETE":
        del known[found["referenceName"]]
        call.organization.forget(found["referenceName"].lower())
        return Response(204)
    if call.method == "PATCH":
        found |= {k: v for k, v in call.body.items() if v is not None}
    return Response.json(_expanded(call, found))


def _create_type(call: Call, process: Document, known: dict[str, Document]) -> Document:
    name = str(call.body.get("name") or "")
    parent = call.body.get("inheritsFrom")
    if not name:
        raise invalid("VS403106: a type of work items needs a name.")
    if parent:
        before = known.get(str(parent))
        if before is None:
            raise missing(parent, "WorkItemTypeNotFoundException")
        del known[before["referenceName"]]  # the inherited one stands in its place
        more = {**call.body, "inherits": parent, "customization": "inherited"}
        name = before["name"]
    else:
        more = dict(call.body)
    short = re.sub(r"\W", "", process["name"])
    reference = f"{short}.{re.sub(r'[^A-Za-z0-9]', '', name)}"
    if any(t["name"].lower() == name.lower() for t in known.values()):
        message = f"VS403072: a type with the name '{name}' exists already in this process."
        raise DevOpsError(409, "WorkItemTypeNameConflictException", message)
    given = {k: v for k, v in more.items() if k not in {"name", "inheritsFrom"}}
    known[reference] = _type(name, reference, given)
    return known[reference]


def _found_type(call: Call) -> Document:
    reference = call.found.values["witRefName"].lower()
    found = next((t for k, t in _types(call).items() if k.lower() == reference), None)
    if found is None:
        message = f"VS402805: Cannot find work item type '{call.found.values['witRefName']}'."
        raise DevOpsError(404, "WorkItemTypeNotFoundException", message)
    return found


def _expanded(call: Call, found: Document) -> Document:
    wanted = call.query.get("$expand", "").lower()
    shown = dict(found)
    scope = _scope(call, found)
    if "layout" in wanted:
        shown["layout"] = _layout(call.organization, scope)
    if "states" in wanted:
        shown["states"] = list(_states(call, scope).values())
    if "behaviors" in wanted:
        shown["behaviors"] = []
    return shown


def _scope(call: Call, found: Document) -> str:
    return f"{call.found.values['processId'].lower()}/{found['referenceName'].lower()}"


# layouts: pages of sections of groups of controls


def _layout(organization: Organization, scope: str) -> Document:
    known = organization.of(LAYOUTS, scope)
    if not known:
        known["layout"] = {"pages": [_page("Details", scope)], "systemControls": []}
        known["layout"]["extensions"] = []
    return known["layout"]


def _page(label: str, scope: str) -> Document:
    sections = []
    for index in range(1, SECTIONS + 1):
        groups = []
        if f"Section{index}" in DETAILS:
            name, controls = DETAILS[f"Section{index}"]
            inner = [_control({"id": c, "label": c.rpartition(".")[2]}, own=True) for c in controls]
            key = f"{scope}.{name}".replace("/", ".").replace(" ", "")
            groups.append({"id": key, "label": name, "controls": inner, **_visible(own=True)})
        sections.append({"id": f"Section{index}", "groups": groups, "overridden": False})
    key = f"{scope}.{label}".replace("/", ".")
    more = {"pageType": "custom", "locked": False, "isContribution": False, "order": 1}
    return {"id": key, "label": label, "sections": sections, **more, **_visible(own=True)}


def _visible(*, own: bool) -> Document:
    return {"inherited": own, "overridden": False, "visible": True, "isContribution": False}


def _control(given: Document, *, own: bool) -> Document:
    usual = {"controlType": "FieldControl", "readOnly": False, "height": None, "watermark": None}
    written = {k: v for k, v in given.items() if v is not None}
    return {**usual, "metadata": None, "order": None, **_visible(own=own), **written}


def _groups(layout: Document) -> Iterator[tuple[Document, Document, Document]]:
    for page in layout["pages"]:
        for section in page["sections"]:
            for group in section["groups"]:
                yield page, section, group


def on_layout(call: Call) -> Response:
    """Answer for the parts of a layout."""
    found = _found_type(call)
    layout = _layout(call.organization, _scope(call, found))
    what = [w for w in call.found.words.split("/") if w != "*"][-1]
    if what == "layout":
        call.only("GET")
        return Response.json(layout)
    return {"pages": _on_page, "groups": _on_group, "controls": _on_control}.get(what, _on_system)(
        call, layout
    )


def _placed(items: list[Document], made: Document) -> None:
    """Put a new part where its `order` says, else at the end."""
    order = made.get("order")
    index = order if isinstance(order, int) and 0 <= order <= len(items) else len(items)
    items.insert(index, made)


def _on_page(call: Call, layout: Document) -> Response:
    call.only("POST", "PATCH", "DELETE")
    if call.method == "POST":
        made = {
            "pageType": "custom",
            "locked": False,
            **_visible(own=False),
            **{k: v for k, v in call.body.items() if v is not None},
            "id": str(uuid.uuid4()),
            "sections": [
                {"id": f"Section{n}", "groups": [], "overridden": False}
                for n in range(1, SECTIONS + 1)
            ],
        }
        _placed(layout["pages"], made)
        return Response.json(made, status=201)
    wanted = call.key or call.body.get("id")
    page = next((p for p in layout["pages"] if p["id"] == wanted), None)
    if page is None:
        raise missing(wanted, "FormLayoutPageDoesNotExistException")
    if call.method == "DELETE":
        _removed(layout["pages"], page)
        return Response(204)
    _changed(page, call.body)
    return Response.json(page)


def _removed(items: list[Document], item: Document) -> None:
    """Delete a part of a layout; an inherited one goes back to what it was."""
    if not item.get("inherited"):
        items.remove(item)
        return
    original = item.pop("original", {})
    item |= {**original, "overridden": False}


def _changed(item: Document, body: Document) -> None:
    kept = {"id", "sections", "controls", "original", "inherited"}
    written = {k: v for k, v in body.items() if k not in kept and v is not None}
    if item.get("inherited"):
        before = {k: copy.deepcopy(item.get(k)) for k in written}
        item["original"] = {**before, **item.get("original", {})}
        written["overridden"] = True
    item |= written


def _on_group(call: Call, layout: Document) -> Response:
    values = call.found.values
    call.only("POST", "PUT", "PATCH", "DELETE")
    found = next((g for g in _groups(layout) if g[2]["id"] == values.get("groupId")), None)
    if call.method == "POST":
        section = _section(layout, values)
        given = {k: v for k, v in call.body.items() if v is not None}
        controls = [_control(c, own=False) for c in listing(given, "controls")]
        made = {**_visible(own=False), **given, "id": str(uuid.uuid4()), "controls": controls}
        _placed(section["groups"], made)
        return Response.json(made, status=201)
    if found is None:
        raise missing(values.get("groupId"), "FormLayoutGroupDoesNotExistException")
    _, old, group = found
    if call.method == "DELETE":
        _removed(old["groups"], group)
        return Response(204)
    _changed(group, call.body)
    if call.method == "PUT":
        old["groups"].remove(group)
        _placed(_section(layout, values)["groups"], group)
    return Response.json(group)


def _section(layout: Document, values: dict[str, str]) -> Document:
    for page in layout["pages"]:
        for section in page["sections"]:
            if (page["id"], section["id"]) == (values.get("pageId"), values.get("sectionId")):
                return section  # type: ignore[no-any-return]  # JSON
    raise missing(values.get("sectionId"), "FormLayoutSectionDoesNotExistException")


def _on_control(call: Call, layout: Document) -> Response:
    values = call.found.values
    call.only("POST", "PUT", "PATCH", "DELETE")
    group = next((g for _, _, g in _groups(layout) if g["id"] == values["groupId"]), None)
    if group is None:
        raise missing(values["groupId"], "FormLayoutGroupDoesNotExistException")
    if call.method == "POST":
        made = _control({**call.body, "id": call.body.get("id") or str(uuid.uuid4())}, own=False)
        _placed(group["controls"], made)
        return Response.json(made, status=201)
    low = values["controlId"].lower()
    for _, _, owner in _groups(layout):
        for control in owner["controls"]:
            if str(control["id"]).lower() != low:
                continue
            if call.method == "DELETE":
                _removed(owner["controls"], control)
                return Response(204)
            _changed(control, call.body)
            if call.method == "PUT":
                owner["controls"].remove(control)
                _placed(group["controls"], control)
            return Response.json(control)
    raise missing(values["controlId"], "FormLayoutControlDoesNotExistException")


def _on_system(call: Call, layout: Document) -> Response:
    """Answer for the controls above a form, which can be relabelled and hidden."""
    call.only("GET", "PATCH", "DELETE")
    changed = layout["systemControls"]
    if not call.key:
        return listed(changed)
    known = next((c for c in changed if c["id"].lower() == call.key.lower()), None)
    if call.method == "PATCH":
        name = next((n for n in SYSTEM_CONTROLS if n.lower() == call.key.lower()), None)
        if name is None:
            raise missing(call.key, "FormLayoutControlDoesNotExistException")
        if known is None:
            known = _control({"id": name, "label": SYSTEM_CONTROLS[name]}, own=True)
            changed.append(known)
        _changed(known, call.body)
        return Response.json(known)
    if known is None:
        raise missing(call.key, "FormLayoutControlDoesNotExistException")
    if call.method == "DELETE":
        changed.remove(known)
        return listed(changed)
    return Response.json(known)


# states, fields, rules


def _states(call: Call, scope: str) -> dict[str, Document]:
    known = call.organization.of("work/processes/*/workitemtypes/*/states/*", scope)
    seeded = call.organization.of("work/seeded").setdefault(scope, {})
    if not seeded:
        seeded["done"] = True
        for order, (name, category) in enumerate(STATES, 1):
            key = guid(f"{scope}:{name}")
            more = {"customizationType": "inherited", "hidden": False, "order": order, "url": ""}
            color = {"stateCategory": category, "color": COLORS[category]}
            known[key] = {"id": key, "name": name, **color, **more}
    return known


def on_states(call: Call) -> Response:
    """Answer for the states of a type; an inherited one is hidden, not deleted."""
    found = _found_type(call)
    known = _states(call, call.scope)
    if found["customization"] == "custom":
        for state in known.values():
            state["customizationType"] = "custom"
    one = known.get(call.key.lower())
    if one is not None and call.method == "PUT":
        one["hidden"] = bool(call.body.get("hidden"))
        return Response.json(one)
    if one is not None and call.method == "DELETE" and one["customizationType"] != "custom":
        one["hidden"] = False
        return Response(204)
    return entries.answer(call)


def on_fields(call: Call) -> Response:
    """Answer for the fields of a type, which come from those of the organization."""
    _found_type(call)
    return entries.answer(call, _of_organization)


def _of_organization(call: Call, document: Document) -> Document:
    reference = str(document.get("referenceName") or "")
    known = call.organization.of("wit/fields/*")
    shared = next((f for k, f in known.items() if k.lower() == reference.lower()), {})
    names = ("name", "type", "description")
    return {**{n: shared[n] for n in names if n in shared}, **document}


def on_rules(call: Call) -> Response:
    """Answer for the rules of a type."""
    _found_type(call)
    return entries.answer(call)
