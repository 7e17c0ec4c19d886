"""The common verbs of Azure DevOps' REST: made by POST, read, changed, listed, deleted."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.kinds import KINDS, Kind
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Entries,
    guid,
    invalid,
    listing,
    missing,
    part,
)

Prepare = Callable[[Call, Document], Document]


def scope_of(call: Call, kind: Kind) -> str:
    """Return what the entries of a call lie in."""
    return "" if kind.wide else call.scope


def answer(call: Call, prepare: Prepare = lambda _, document: document) -> Response:
    """Answer for the entries of the call's kind. `prepare` completes what is written."""
    words = call.found.words
    kind = KINDS[words]
    known = call.organization.of(words, scope_of(call, kind))
    if not call.key:
        call.only("GET", "POST")
        if call.method == "GET":
            return listed([d for d in known.values() if _is_wanted(call, d)])
        return Response.json(create(call, kind, known, prepare))
    key = find_key(known, call.key)
    call.only("GET", "PATCH", "PUT", "DELETE")
    if key is None:
        raise missing(call.key)
    if call.method == "GET":
        return Response.json(known[key])
    if call.method == "DELETE":
        gone = known.pop(key)
        call.organization.forget(key)
        return Response.json(gone) if kind.returned else Response(204)
    return Response.json(change(call, kind, known, key, prepare))


def create(call: Call, kind: Kind, known: Entries, prepare: Prepare) -> Document:
    """Make an entry.

    Raises:
        DevOpsError: It has no name, or one that is taken.
    """
    body = filled(call.body)
    name = str(body.get("name") or "")
    if kind.named and not name:
        raise invalid("Value cannot be null. Parameter name: name")
    if kind.named and any(str(d.get("name")).lower() == name.lower() for d in known.values()):
        message = f"VS800107: the name '{name}' is in use already."
        raise DevOpsError(409, "NameAlreadyExistsException", message)
    key = _new_key(call, kind, body)
    if str(key).lower() in {k.lower() for k in known}:
        raise DevOpsError(409, "AlreadyExistsException", f"VS800107: '{key}' exists already.")
    stamp = stamped(call) if kind.stamped else in_project(call)
    document = prepare(call, {**copy.deepcopy(kind.defaults), **body, **stamp})
    if kind.ids in {"guid", "number"}:
        document["id"] = key
    known[str(key)] = document
    return document


def filled(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a client wrote without the gaps of lists, which the service does not keep."""
    if isinstance(value, dict):
        return {k: filled(v) for k, v in value.items()}
    return [filled(v) for v in value if v is not None] if isinstance(value, list) else value


def _new_key(call: Call, kind: Kind, body: Document) -> str | int:
    if kind.ids == "guid":
        return str(uuid.uuid4())
    if kind.ids == "number":
        return call.organization.number(call.found.words)
    key = str(body.get(kind.ids) or "")
    if not key:
        raise invalid(f"Value cannot be null. Parameter name: {kind.ids}")
    return key


def stamped(call: Call) -> Document:
    """Return what the service notes of a new entry: who made it, when, and in which project."""
    person = me()
    stamp: Document = {"createdBy": person, "modifiedBy": person, "createdOn": call.now}
    stamp |= {"modifiedOn": call.now, "createdDate": call.now}
    return {**stamp, **in_project(call)}


def in_project(call: Call) -> Document:
    """Return the project of a new entry, as entries name it."""
    if not call.project:
        return {}
    return {"project": {"id": call.project["id"], "name": call.project["name"]}}


def me() -> Document:
    """Return who calls, as entries name their author."""
    return {"id": guid("user"), "displayName": "pytest-tfoidc", "uniqueName": "pytest-tfoidc"}


def change(call: Call, kind: Kind, known: Entries, key: str, prepare: Prepare) -> Document:
    """Change an entry by a PATCH or PUT."""
    old = known[key]
    fixed: Document = {n: old[n] for n in FIXED if n in old}
    base = {**copy.deepcopy(kind.defaults), **fixed} if kind.whole else old
    document = prepare(call, {**base, **filled(call.body), **fixed})
    for counter in ("revision", "version"):
        if isinstance(old.get(counter), int) and isinstance(kind.defaults.get(counter), int):
            document[counter] = old[counter] + 1
    known[key] = document
    return document


def find_key(known: Entries, wanted: str) -> str | None:
    """Return the key of an entry by its id or its name, without case."""
    low = wanted.lower()
    by_id = next((k for k in known if k.lower() == low), None)
    named = (k for k, d in known.items() if str(d.get("name", "")).lower() == low)
    return by_id if by_id is not None else next(named, None)


FIXED = ("id", "createdBy", "createdOn", "project", "url")
FILTERS = ("name", "queuename", "groupname", "poolname", "environmentname")


def _is_wanted(call: Call, document: Document) -> bool:
    """Tell whether a list has an entry, by the name that the query asks for (`*` at its end)."""
    for name in FILTERS:
        wanted = call.query.get(name, "").lower()
        found = str(document.get("name", "")).lower()
        if wanted.endswith("*") and not found.startswith(wanted[:-1]):
            return False
        if wanted and not wanted.endswith("*") and found != wanted:
            return False
    shared = listing(document, "variableGroupProjectReferences")
    if call.project and shared:
        return any(part(r, "projectReference").get("id") == call.project["id"] for r in shared)
    return True
