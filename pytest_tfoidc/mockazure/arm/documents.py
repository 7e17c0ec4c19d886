"""Resources as they are read: what was written, and what Resource Manager adds to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm import wholeness
from pytest_tfoidc.mockazure.arm.types import states
from pytest_tfoidc.mockazure.arm.types.base import New, guid, objects, part
from pytest_tfoidc.mockazure.arm.types.defaults import with_defaults
from pytest_tfoidc.mockazure.arm.types.table import rules_for

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document, Resource

OURS = ("id", "name", "type", "etag", "systemData")
SUMMARY = ("id", "name", "type", "location", "kind", "managedBy", "sku", "tags", "identity")
NETWORK = "microsoft.network"
REPLACED_BY_PATCH = ("tags", "metadata")


def written_moment(at: datetime) -> str:
    """Write a moment as Resource Manager does (RFC 3339, seven digits)."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


def compose(
    place: Place, body: Mapping[str, Any], *, before: Resource | None, call: Call
) -> Document:
    """Return the document to store for what a client wrote."""
    document: Document = {
        "id": before.id if before else _shown_id(place),
        "name": before.name if before else place.name,
        "type": before.document["type"] if before else place.kind,
        "etag": f'W/"{uuid.uuid4()}"',
        **{name: value for name, value in body.items() if name not in OURS},
        "systemData": _system_data(before, call),
    }
    new = as_new(document, place, call)
    document = {**rules_for(place.kind).beside(new), **document}
    if place.pairs:
        written = body.get("properties")
        if before is not None and isinstance(written, dict):
            written = _without_stale(written, as_new(before.document, place, call), new, place)
        document["properties"] = _properties(written, new, place)
        if before is not None:
            document = _with_kept(document, before, place)
        document = with_defaults(place.kind, document, new)
    identity = body.get("identity")
    if isinstance(identity, dict) and str(identity.get("type") or "None").lower() != "none":
        document["identity"] = _identity(identity, new)
    elif isinstance(identity, dict):
        del document["identity"]  # it asks for none, and none is shown
    return document


def _shown_id(place: Place) -> str:
    """Return the id that is shown, which for few types has another word than the path."""
    word = rules_for(place.kind).shown_as
    return place.parent.child(word, place.name).id if word else place.id


def as_new(document: Mapping[str, Any], place: Place, call: Call) -> New:
    """Return a resource to the functions of the table of types."""
    return New(
        id=document.get("id", place.id),
        name=document.get("name", place.name),
        scope=place.parent.id,
        body=document,
        tenant_id=call.tenant_id,
        host=call.request.host,
    )


def _properties(written: object, new: New, place: Place) -> object:
    if written is not None and not isinstance(written, dict):
        return written
    rules = rules_for(place.kind)
    given = (written or {}) if rules.free_form else wholeness.without_secrets(written or {})
    if rules.normalized is not None:
        given = rules.normalized(given, new)
    added = {**states.settled(place.kind), **rules.adds(new)}
    properties = wholeness.with_lists(wholeness.filled(given, added), rules.lists)
    properties = {n: v for n, v in properties.items() if n not in rules.omitted or not _empty(v)}
    for name in (*rules.items, *_lists_of_parts(properties, place)):
        parts = properties.get(name) or []
        if isinstance(parts, list):
            properties[name] = [_part(part, name, new) for part in parts]
    return properties if rules.stateless else {**properties, "provisioningState": "Succeeded"}


def _without_stale(written: Document, old: New, new: New, place: Place) -> Document:
    """Return what is written without what Azure computed before, and computes otherwise now.

    Clients that read, change and write bring it along.
    """
    adds = rules_for(place.kind).adds
    before, now = adds(old), adds(new)
    stale = {n for n, v in before.items() if written.get(n) == v and now.get(n) != v}
    plain = {n for n in stale if not isinstance(before[n], dict | list)}
    return {name: value for name, value in written.items() if name not in plain}


def _with_kept(document: Document, before: Resource, place: Place) -> Document:
    """Return a document whose items say of their making what they said when they were made."""
    properties = document["properties"]
    for block, lists in rules_for(place.kind).kept.items():
        written, old = part(properties, block), part(before.properties, block)
        for name, kept in lists.items():
            if isinstance(written.get(name), list):
                said = {str(item.get("name")): item for item in objects(old, name)}
                written[name] = [_item_with(item, said, kept) for item in written[name]]
                properties = {**properties, block: written}
    return {**document, "properties": properties}


def _item_with(item: object, said: Mapping[str, Document], kept: tuple[str, ...]) -> object:
    if not isinstance(item, dict):
        return item
    old = said.get(str(item.get("name")), {})
    return {**{name: old[name] for name in kept if name in old}, **item}


def _empty(value: object) -> bool:
    """Tell whether nothing is said in a block, at any depth."""
    return value is None or (isinstance(value, dict) and all(map(_empty, value.values())))


def _lists_of_parts(properties: Document, place: Place) -> list[str]:
    """Find the lists of a network's parts: what has a name and properties has an id as well."""
    if place.namespace.lower() != NETWORK:
        return []
    lists = {name: value for name, value in properties.items() if isinstance(value, list)}
    return [name for name, items in lists.items() if items and all(map(_is_part, items))]


def _is_part(item: object) -> bool:
    return isinstance(item, dict) and {"name", "properties"} <= item.keys()


def _part(item: object, kind: str, new: New) -> object:
    """Return a named part of a resource its id."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return item
    return {**item, "id": f"{new.id}/{kind}/{item['name']}"}


def _system_data(before: Resource | None, call: Call) -> Document:
    who, kind, at = call.caller.client_id, "Application", written_moment(call.now)
    changed = {"lastModifiedBy": who, "lastModifiedByType": kind, "lastModifiedAt": at}
    if before and isinstance(before.document.get("systemData"), dict):
        return {**before.document["systemData"], **changed}
    return {"createdBy": who, "createdByType": kind, "createdAt": at, **changed}


def _identity(written: Mapping[str, Any], new: New) -> Document:
    """Return a managed identity block its ids: the system's, and those of the user's identities."""
    identity = dict(written)
    if "systemassigned" in str(identity.get("type", "")).lower():
        identity["principalId"] = new.guid("principalId")
        identity["tenantId"] = new.tenant_id
    users = identity.get("userAssignedIdentities")
    if isinstance(users, dict):
        identity["userAssignedIdentities"] = {
            i: {"principalId": guid(i, "principalId"), "clientId": guid(i, "clientId")}
            for i in users
        }
    return identity


def patched(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """Merge a PATCH into a document (RFC 7396).

    Tags and metadata are replaced as a whole, and so is the SKU by one of another name; an empty
    block, or an empty id in one, lets go of what a block refers to.
    """
    merged = dict(document)
    for name, value in patch.items():
        old = merged.get(name)
        if value is None or _lets_go(old, value):
            merged.pop(name, None)
        elif value == "" and name.endswith("Link"):
            continue  # what it was made of: clients leave that empty when they change the rest
        elif isinstance(value, dict) and isinstance(old, dict) and _is_merged(name, old, value):
            merged[name] = patched(old, value)
        else:
            merged[name] = value
    return merged


def _lets_go(old: object, value: object) -> bool:
    """Tell whether a block in a PATCH lets go of what the block refers to."""
    if not isinstance(old, dict) or not isinstance(value, dict):
        return False
    if not value:
        return old.keys() == {"id"}
    return len(value) == 1 and all(n.endswith("Id") and v == "" for n, v in value.items())


def _is_merged(name: str, old: Document, value: Document) -> bool:
    is_other = name == "sku" and value.get("name") not in (None, old.get("name"))
    return not is_other and name not in REPLACED_BY_PATCH


def properties_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document's properties; empty where there are none."""
    found = document.get("properties")
    return found if isinstance(found, dict) else {}


def with_properties(document: Mapping[str, Any], properties: Mapping[str, Any]) -> Document:
    """Return a document with some properties set."""
    return {**document, "properties": {**properties_of(document), **properties}}


def summary(resource: Resource, expand: str) -> Document:
    """Return what `resources` lists: no properties; `$expand` adds times and provisioningState."""
    listed = {n: resource.document[n] for n in SUMMARY if n in resource.document}
    system = resource.document.get("systemData", {})
    extras = {
        "createdTime": system.get("createdAt"),
        "changedTime": system.get("lastModifiedAt"),
        "provisioningState": resource.properties.get("provisioningState", "Succeeded"),
    }
    wanted = {part.strip().lower() for part in expand.split(",")}
    return listed | {name: value for name, value in extras.items() if name.lower() in wanted}
