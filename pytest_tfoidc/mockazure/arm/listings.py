"""Collections, the listing of all resources, and actions (POST)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure import odata
from pytest_tfoidc.mockazure.arm import backups, documents, policies, verbs
from pytest_tfoidc.mockazure.arm.documents import written_moment
from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.estate import Estate, not_found
from pytest_tfoidc.mockazure.arm.resource_ids import GROUP_TYPE, parse_segments
from pytest_tfoidc.mockazure.arm.roles import ROLE_TYPE
from pytest_tfoidc.mockazure.arm.types.table import RECOVERABLE, rules_for
from pytest_tfoidc.mockazure.requests import split_path

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document, Resource
    from pytest_tfoidc.mockazure.arm.types.base import New

OK, ACCEPTED = 200, 202
Posted = Callable[["New"], tuple[str, dict[str, Any], dict[str, Any]]]
# Lists that lie at another path than what they list.
_RECOVERY = "microsoft.recoveryservices/vaults"
_CONTAINERS = f"{_RECOVERY}/replicationfabrics/replicationprotectioncontainers"
LISTED_AT = {
    "microsoft.keyvault/deletedvaults": "microsoft.keyvault/locations/deletedvaults",
    f"{_RECOVERY}/backupprotecteditems": (
        f"{_RECOVERY}/backupfabrics/protectioncontainers/protecteditems"
    ),
    f"{_RECOVERY}/backupprotectioncontainers": f"{_RECOVERY}/backupfabrics/protectioncontainers",
    f"{_RECOVERY}/replicationnetworks": f"{_RECOVERY}/replicationfabrics/replicationnetworks",
    f"{_RECOVERY}/replicationnetworkmappings": (
        f"{_RECOVERY}/replicationfabrics/replicationnetworks/replicationnetworkmappings"
    ),
    f"{_RECOVERY}/replicationprotecteditems": f"{_CONTAINERS}/replicationprotecteditems",
    f"{_RECOVERY}/replicationprotectioncontainermappings": (
        f"{_CONTAINERS}/replicationprotectioncontainermappings"
    ),
    f"{_RECOVERY}/replicationprotectioncontainers": _CONTAINERS,
    f"{_RECOVERY}/replicationrecoveryservicesproviders": (
        f"{_RECOVERY}/replicationfabrics/replicationrecoveryservicesproviders"
    ),
}
TAG = re.compile(
    r"tagName\s+eq\s+'([^']*)'(?:\s+and\s+tagValue\s+eq\s+'([^']*)')?\s*(?:and\s+)?", re.IGNORECASE
)
# Parts of filters on roles that say from where it is asked: what lies at the scope is told anyway.
SCOPE_FILTER = re.compile(
    r"\s*(atScope|assignedTo|asTarget|asRequestor)\(('[^']*')?\)\s*(?:and\s+)?", re.IGNORECASE
)
LOOSE_AND = re.compile(r"\s*\band\s*$", re.IGNORECASE)  # what is left where such a part comes last
AUTHORIZATION = "microsoft.authorization"
NAME_CHECK = "checknameavailability"


def collection(estate: Estate, call: Call) -> Response:
    """GET the resources of a type that lie in a place."""
    estate.check_parent(call, write=False)
    if call.place.type_key == ROLE_TYPE:
        return listed(call, _roles(estate, call))
    if call.place.type_key == backups.PROTECTABLE:
        return listed(call, backups.protectable(estate.store, call.place))
    found = [estate.shown(resource) for resource in _members(estate, call.place)]
    there = [*estate.implied_members(call), *policies.listed(call.place)]
    return listed(call, _filtered([*there, *found], call))


def _roles(estate: Estate, call: Call) -> list[Document]:
    wanted = call.query.get("$filter", "")
    own = [estate.shown(r) for r in estate.store.of_type(ROLE_TYPE)]
    matching = [d for d in own if _role_name(d) in wanted] if wanted else own
    return matching or [*own[: 0 if wanted else None], *estate.roles.named(call.place, wanted)]


def _role_name(document: Document) -> str:
    return f"'{documents.properties_of(document).get('roleName', '')}'"


def _members(estate: Estate, place: Place) -> Sequence[Resource]:
    kind = LISTED_AT.get(place.type_key, place.type_key)
    scope = place.parent
    below = scope.is_tenant or scope.is_subscription or rules_for(kind).listed_below
    if below or kind != place.type_key:
        return estate.store.of_type(kind, below=scope.key)
    return estate.store.children(scope.key, kind)


def _filtered(found: list[Document], call: Call) -> list[Document]:
    text = call.query.get("$filter", "")
    if call.place.namespace.lower() == AUTHORIZATION and SCOPE_FILTER.search(text):
        text = LOOSE_AND.sub("", SCOPE_FILTER.sub("", text))
    holds = _predicate(text)
    return [document for document in found if holds(document)]


def _predicate(text: str) -> odata.Predicate:
    """Parse a $filter; `tagName eq 'a' and tagValue eq 'b'` is one condition."""
    tag = TAG.search(text)
    rest = TAG.sub("", text).strip()
    try:
        holds = odata.parse_filter(rest) if rest else odata.everything
    except odata.FilterError as error:
        message = f"Invalid $filter '{text}' specified in the query string: {error}."
        raise ArmError(400, "InvalidFilterInQueryString", message) from error
    if tag is None:
        return holds
    return lambda item: _has_tag(item, tag[1], tag[2]) and holds(item)


def _has_tag(item: Mapping[str, Any], name: str, value: str | None) -> bool:
    tags = item.get("tags")
    found = tags if isinstance(tags, dict) else {}
    return name in found and (value is None or found[name] == value)


def listed(
    call: Call, found: Sequence[Any], *, shown: Callable[[Any], Any] | None = None
) -> Response:
    """Return a page of a list, with the link to the next one."""
    try:
        items, token = odata.page(found, call.query)
    except odata.FilterError as error:
        raise ArmError(400, "InvalidTopOrSkipToken", f"{error}.") from error
    answer: Document = {"value": [shown(item) for item in items] if shown else list(items)}
    if token:
        query = urlencode({**call.query, "$skiptoken": token})
        path = "/".join(quote(s, safe="") for s in call.place.segments)
        answer["nextLink"] = f"{call.base}/{path}?{query}"
    return Response.json(answer)


def groups(estate: Estate, call: Call) -> Response:
    """GET the resource groups of a subscription."""
    holds = _predicate(call.query.get("$filter", ""))
    found = [estate.shown(r) for r in _groups(estate, call)]
    return listed(call, [document for document in found if holds(document)])


def _groups(estate: Estate, call: Call) -> Sequence[Resource]:
    return estate.store.of_type(GROUP_TYPE.lower(), below=call.place.parent.key)


def resources(estate: Estate, call: Call) -> Response:
    """GET the tracked resources of a subscription, or of a group with all that lies in it."""
    scope = call.place.parent
    if scope.is_group and estate.store.get(scope.key) is None:
        raise not_found(scope)
    tree = estate.store.tree(scope.key) if scope.is_group else estate.store
    within = (r for r in tree if r.key.startswith(f"{scope.key}/"))
    tracked = sorted((r for r in within if r.is_tracked), key=lambda r: r.number)
    text = call.query.get("$filter", "")
    if text.strip():
        holds = _predicate(text)
        tracked = [r for r in tracked if holds(_terms(r))]
    expand = call.query.get("$expand", "")
    return listed(call, tracked, shown=lambda r: documents.summary(r, expand))


def _terms(resource: Resource) -> Document:
    """Return what the filter of `resources` can name."""
    document = resource.document
    group = (resource.id.split("/")[4:5] or [""])[0]
    return {**document, "resourceType": document["type"], "resourceGroup": group}


def act(estate: Estate, call: Call) -> Response:
    """POST an action on a resource."""
    place = call.place
    action = place.name.lower()
    if action == NAME_CHECK:
        name, kind = (str(call.body.get(n, "")).lower() for n in ("name", "type"))
        return _available(name, estate.store.of_type(kind))
    posted = rules_for(place.kind).posted
    if posted is not None:
        return _post(estate, call, posted)
    document = estate.find(call, place.parent) or _unwritten(estate, call)
    if action == "purge" and place.parent.type_key in RECOVERABLE:
        return _purge(estate, call)
    _change(estate, call, document)
    rules = rules_for(place.parent.kind)
    does = rules.actions.get(action)
    if does is None:
        return _acted(estate, call, document)
    answer = does(documents.as_new(document, place.parent, call))
    if rules.acted.get(action) != ACCEPTED:
        return Response.json(answer)
    operation = estate.operations.start(place.parent, "update", timedelta(), output=answer)
    return verbs.begun(call, operation)


def plain(estate: Estate, call: Call) -> Response | None:
    """Read an entry that has no id of its own; None where a path is something else."""
    place = call.place
    makes = rules_for(place.parent.kind).plain.get(place.type_key.rpartition("/")[2])
    if makes is None or not place.pairs or call.method != "GET":
        return None
    owner = estate.find(call, place.parent)
    if owner is None:
        raise not_found(place.parent)
    entries = {n.lower(): one for n, one in makes(documents.as_new(owner, place, call)).items()}
    if place.name.lower() not in entries:
        raise not_found(place)
    return Response.json(entries[place.name.lower()])


def _change(estate: Estate, call: Call, document: Document) -> None:
    """Write what an action changes, in its resource and in others, where it changes anything."""
    place = call.place.parent
    changes = rules_for(place.kind).changes.get(call.place.name.lower())
    if changes is None or estate.store.get(place.key) is None:
        return
    new = documents.as_new(document, place, call)
    written = changes(new, call.body if call.request.body else {}, written_moment(call.now))
    for resource_id, properties in written.items():
        changed = parse_segments(split_path(resource_id))
        known = estate.store.get(changed.key)
        if known is not None:
            estate.store.put(changed, documents.with_properties(known.document, properties))


def _post(estate: Estate, call: Call, posted: Posted) -> Response:
    """POST what gets its name from Azure, such as an API key of Application Insights."""
    owner = estate.store.get(call.place.parent.key)
    if owner is None:
        raise not_found(call.place.parent)
    name, stored, shown = posted(documents.as_new(call.body, call.place, call))
    place = call.place.parent.child(call.place.name, name)
    document = {**stored, "id": place.id}
    estate.store.put(place, {**document, "name": stored.get("name", name), "type": place.kind})
    return Response.json({**document, **shown})


def act_on_collection(estate: Estate, call: Call) -> Response:
    """POST an action on all children of a type, such as `webHooks/generateUri`."""
    owner = call.place.parent
    document = estate.find(call, owner)
    if document is None:
        raise not_found(owner)
    action = "/".join(call.place.segments[-2:]).lower()
    does = rules_for(owner.kind).actions[action]
    return Response.json(does(documents.as_new(document, owner, call)))


def _acted(estate: Estate, call: Call, document: Document) -> Response:
    """Answer an action that the table does not know: with its status, and a list with nothing."""
    place, action = call.place, call.place.name.lower()
    status = rules_for(place.parent.kind).acted.get(action, OK)
    if status == ACCEPTED:
        operation = estate.operations.start(place.parent, "update", timedelta())
        return verbs.begun(call, operation)
    if status != OK:
        return Response(status)
    if action == "list":
        return Response.json(document)
    return Response.json(_none_of(place.parent) if action.startswith("list") else {})


def _none_of(place: Place) -> Document:
    """Return a list of nothing, both as a list and as the settings of a resource."""
    about = {"id": place.id, "name": place.name, "type": place.kind}
    return {**about, "properties": {}, "value": []}


def _purge(estate: Estate, call: Call) -> Response:
    """Purge at once, and let clients poll: where it was, there is nothing to be asked any more."""
    place = call.place.parent
    deleted = estate.store.get(place.key)
    if deleted is None:
        raise not_found(place)
    estate.purge(deleted)
    return verbs.begun(call, estate.operations.start(place, "delete", timedelta()))


def _unwritten(estate: Estate, call: Call) -> Document:
    """Return what an action acts on where nobody wrote that: a scope, or settings to list.

    Raises:
        ArmError: It is a resource, and missing.
    """
    parent = call.place.parent
    settings = call.place.name.lower() == "list" and parent.kind.count("/") > 1
    if not parent.is_tenant:
        estate.check_parent(replace(call, place=parent), write=False)
    if parent.is_tenant or parent.is_subscription or parent.is_implied or settings:
        return {"id": parent.id, "name": parent.name, "type": parent.kind, "properties": {}}
    raise not_found(parent)


def name_among_children(estate: Estate, call: Call) -> Response:
    """POST the question whether a name is free among the children of one type."""
    owner = call.place.parent
    if estate.find(call, owner) is None:
        raise not_found(owner)
    children = estate.store.of_type(call.place.type_key, below=owner.key)
    return _available(str(call.body.get("name", "")).lower(), children)


def _available(name: str, known: Sequence[Resource]) -> Response:
    taken = any(resource.name.lower() == name for resource in known)
    if not taken:
        return Response.json({"nameAvailable": True})
    message = f"The name '{name}' is already taken."
    return Response.json({"nameAvailable": False, "reason": "AlreadyExists", "message": message})
