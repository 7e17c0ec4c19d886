"""Graph's collections beyond directory objects: policies, roles, access packages, schedules, ….

Which there are, and what Graph says of a new entry by itself, is in `facts`. What follows from an
entry (a request that is carried out, an invitation that makes a guest) is a function in `EFFECTS`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_tfoidc.entrafacts import LOGIN_HOSTS, PUBLIC
from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.graph import facts, schedules
from pytest_tfoidc.mockazure.graph.call import (
    GraphCall,
    bad_request,
    bad_segment,
    duplicate,
    not_found,
)
from pytest_tfoidc.mockazure.graph.objects import (
    Directory,
    DirectoryObject,
    Document,
    bound,
    defaults,
    linked_id,
    merged,
    new_id,
)

PATTERNS = {tuple(path.split("/")): path for path in facts.COLLECTIONS}
BUILT_IN = ("isBuiltIn", True), ("policyType", "builtIn")
# What a resource is, by where it comes from.
ORIGINS = {"AadGroup": "AadGroup", "AadApplication": "Application"}
_ENTITLEMENTS = "identitygovernance/entitlementmanagement"
# Who may be there once only, by what.
UNIQUE = {
    "oauth2permissiongrants": ("clientId", "consentType", "principalId", "resourceId"),
    "rolemanagement/directory/roleassignments": (
        "principalId",
        "roleDefinitionId",
        "directoryScopeId",
    ),
}


@dataclass(frozen=True)
class Place:
    """Where a path leads: into which collection, of which entry, and what follows behind it."""

    path: str
    owner: str
    rest: tuple[str, ...]


def find(segments: tuple[str, ...]) -> Place | None:
    """Find the collection of a path; the longest, as accessPackages/{id}/… has some of its own."""
    lower = tuple(s.lower() for s in segments)
    fitting = [p for p in PATTERNS if len(p) <= len(lower) and _fits(p, lower)]
    if not fitting:
        return None
    pattern = max(fitting, key=len)
    owner = next((lower[i] for i, part in enumerate(pattern) if part == "*"), "")
    return Place(PATTERNS[pattern], owner, segments[len(pattern) :])


def _fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    return all(want in {"*", found} for want, found in zip(pattern, segments, strict=False))


def entries(directory: Directory, path: str, owner: str = "") -> dict[str, Document]:
    """Return the entries of a collection, by id. It may be filled."""
    for seed in facts.SEEDS.get(path, ()):
        directory.nested(owner, path).setdefault(seed["id"], copy.deepcopy(seed))
    return directory.nested(owner, path)


def answer(directory: Directory, call: GraphCall, place: Place) -> Response:
    """Answer for a collection or one of its entries."""
    _check_owner(directory, place)
    name = place.path.rpartition("/")[2]
    known = entries(directory, place.path, place.owner)
    if place.path.startswith("policies/rolemanagement"):
        schedules.fill_policies(directory, place.path, known)
    if place.rest in {(), ("$count",)}:
        call.only("GET", "POST")
        if call.method == "POST":
            return _create(directory, call, place)
        return call.many([_expanded(directory, call, place, d) for d in known.values()], name)
    key = next((k for k in known if k.lower() == place.rest[0].lower()), None)
    if key is None:
        raise not_found(place.rest[0])
    if place.rest[1:]:
        return _act(directory, call, place, known[key])
    call.only("GET", "PATCH", "PUT", "DELETE")
    if call.method == "GET":
        return call.one(_expanded(directory, call, place, known[key]), name)
    if call.method == "DELETE":
        _check_own(known[key])
        directory.forget(key)
        del known[key]
        return Response(204)
    _check_own(known[key])
    known[key] = {**_changed(call, place, known[key]), "id": key}
    return Response(204) if call.method == "PATCH" else call.one(known[key], name)


def _changed(call: GraphCall, place: Place, before: Document) -> Document:
    if call.method == "PUT":
        return _replaced(call, place, before)
    patched = schedules.patched if "rules" in call.body else merged
    return patched(before, _written(call.body))


def _replaced(call: GraphCall, place: Place, before: Document) -> Document:
    """Return an entry as a PUT leaves it: what it does not name is gone, but for its relations."""
    kept = {n: v for n, v in before.items() if n.endswith("Id") or n == "createdDateTime"}
    now = {"modifiedDateTime": call.written_now}
    return {**copy.deepcopy(facts.COLLECTIONS[place.path]), **kept, **now, **_written(call.body)}


def _check_owner(directory: Directory, place: Place) -> None:
    if not place.owner:
        return
    outer = place.path.partition("/*")[0]
    within = outer in facts.COLLECTIONS and place.owner in entries(directory, outer)
    if not within and directory.get(place.owner) is None:
        raise not_found(place.owner)


def _check_own(document: Document) -> None:
    if any(document.get(name) == value for name, value in BUILT_IN):
        raise bad_request("A built-in entry cannot be changed or deleted.")


def _written(body: Document) -> Document:
    """Return what a body writes: others that it links to, or holds, become their ids."""
    links = {f"{relation}Id": other for relation, other in bound(body)}
    held = {
        facts.HELD[name]: value["id"]
        for name, value in body.items()
        if name in facts.HELD and isinstance(value, dict) and value.get("id")
    }
    rest = {k: v for k, v in body.items() if not k.endswith("@odata.bind") and k not in facts.HELD}
    return {**links, **held, **rest}


def _create(directory: Directory, call: GraphCall, place: Place) -> Response:
    name = place.path.rpartition("/")[2]
    known = entries(directory, place.path, place.owner)
    unique = UNIQUE.get(place.path, ())
    written = {**copy.deepcopy(facts.COLLECTIONS[place.path]), **_written(call.body)}
    if unique and any(all(d.get(n) == written.get(n) for n in unique) for d in known.values()):
        raise duplicate("An entry with the same values exists already.")
    document = {
        **written,
        "id": new_id(),
        "createdDateTime": call.written_now,
        "modifiedDateTime": call.written_now,
    }
    effect = EFFECTS.get(place.path)
    if effect is not None:
        document = effect(directory, call, document)
    known[str(document["id"])] = document
    return call.one(document, name, status=201)


def _expanded(directory: Directory, call: GraphCall, place: Place, document: Document) -> Document:
    """Add what `$expand` asks for: collections that lie in an entry, and entries it names by id."""
    wanted = call.query.get("$expand", "")
    if not wanted:
        return document
    found = dict(document)
    for path in facts.COLLECTIONS:
        name = path.rpartition("/")[2]
        if path.startswith(f"{place.path}/*/") and name in wanted.lower():
            exact = wanted[wanted.lower().index(name) :][: len(name)]
            found[exact] = list(entries(directory, path, str(document["id"]).lower()).values())
    for name, key in document.items():
        linked = directory.get(str(key)) if name.endswith("Id") and key else None
        if linked is not None and name.removesuffix("Id").lower() in wanted.lower():
            found[name.removesuffix("Id")] = linked.typed
    if place.path == "policies/rolemanagementpolicyassignments" and "policy" in wanted:
        found["policy"] = entries(directory, "policies/rolemanagementpolicies").get(
            str(document.get("policyId"))
        )
    return found


# What follows from a new entry.


def _request_resource(directory: Directory, call: GraphCall, document: Document) -> Document:
    """Carry out a request to put a resource into a catalog, or to take it out."""
    catalog = str(document.get("catalogId") or "").lower()
    if catalog not in entries(directory, f"{_ENTITLEMENTS}/accesspackagecatalogs"):
        raise not_found(catalog)
    given = document.get("accessPackageResource")
    resource: Document = given if isinstance(given, dict) else {}
    path = f"{_ENTITLEMENTS}/accesspackagecatalogs/*/accesspackageresources"
    known = entries(directory, path, catalog)
    same = next((k for k, d in known.items() if d["originId"] == resource.get("originId")), None)
    if str(document.get("requestType")).lower() == "adminremove":
        if same is None:
            raise not_found(str(resource.get("originId")))
        del known[same]
    elif same is None:
        origin = directory.get(str(resource.get("originId")))
        shown = {"displayName": origin.document.get("displayName")} if origin else {}
        kinds = {"AadGroup": "AadGroup", "AadApplication": "Application"}
        kind = {
            "resourceType": kinds.get(str(resource.get("originSystem")), "SharePoint Online Site")
        }
        entry = {**kind, **shown, **resource, "id": new_id(), "addedOn": call.written_now}
        known[entry["id"]] = entry
    return document


def _scope_resource(_: Directory, __: GraphCall, document: Document) -> Document:
    """Return role and scope of a resource in an access package with ids of their own."""
    parts = ("accessPackageResourceRole", "accessPackageResourceScope")
    inner = {n: {"id": new_id(), **document[n]} for n in parts if isinstance(document.get(n), dict)}
    role, scope = (inner.get(n, {}).get("id", "") for n in parts)
    return {**document, **inner, "id": f"{role}_{scope}"}


def _invite(directory: Directory, call: GraphCall, document: Document) -> Document:
    """Make the guest who is invited."""
    address = str(document.get("invitedUserEmailAddress") or "")
    if "@" not in address:
        raise bad_request("Invalid value specified for property 'invitedUserEmailAddress'.")
    alias = address.replace("@", "_")
    user: Document = {
        **defaults("users"),
        "id": new_id(),
        "displayName": document.get("invitedUserDisplayName") or address.partition("@")[0],
        "mail": address,
        "mailNickname": f"{alias}#EXT#",
        "userPrincipalName": f"{alias}#EXT#@pytest-tfoidc.onmicrosoft.com",
        "userType": document.get("invitedUserType"),
        "externalUserState": document.get("status"),
        "createdDateTime": call.written_now,
    }
    directory.put("users", user)
    redeem = f"https://{LOGIN_HOSTS[PUBLIC]}/redeem?rd={document['id']}"
    return {**document, "inviteRedeemUrl": redeem, "invitedUser": {"id": user["id"]}}


def _scoped_member(directory: Directory, call: GraphCall, document: Document) -> Document:
    """Say who a member of an administrative unit's role is."""
    given = document.get("roleMemberInfo")
    key = str(given.get("id")) if isinstance(given, dict) else ""
    member = directory.get(key)
    if member is None:
        raise not_found(key)
    unit = call.segments[1] if call.segments[0].lower() != "directory" else call.segments[2]
    shown = {"id": member.id, "displayName": member.document.get("displayName")}
    return {**document, "administrativeUnitId": unit.lower(), "roleMemberInfo": shown}


def _define_role(_: Directory, __: GraphCall, document: Document) -> Document:
    return {**document, "templateId": document.get("templateId") or document["id"]}


def _job(_: Directory, __: GraphCall, document: Document) -> Document:
    template = str(document.get("templateId") or "")
    return {**document, "id": f"{template}.{document['id'].replace('-', '')}"}


Effect = Callable[[Directory, GraphCall, Document], Document]
EFFECTS: dict[str, Effect] = {
    f"{_ENTITLEMENTS}/accesspackageresourcerequests": _request_resource,
    f"{_ENTITLEMENTS}/accesspackages/*/accesspackageresourcerolescopes": _scope_resource,
    "administrativeunits/*/scopedrolemembers": _scoped_member,
    "applications/*/synchronization/jobs": _job,
    "invitations": _invite,
    "rolemanagement/directory/roledefinitions": _define_role,
    "serviceprincipals/*/synchronization/jobs": _job,
    **dict.fromkeys(schedules.REQUESTS, schedules.carry_out),
}

# Actions on an entry.


def _act(directory: Directory, call: GraphCall, place: Place, known: Document) -> Response:
    action = place.rest[1].rpartition(".")[2].lower()
    if len(place.rest) == 2 and call.method == "GET":  # noqa: PLR2004 - entry, property
        exact = next((k for k in known if k.lower() == action), None)
        if exact is not None:
            return Response.json({"value": known[exact]})
    act = ACTIONS.get(action)
    if act is None or len(place.rest) > 2:  # noqa: PLR2004 - entry, action
        raise bad_segment(place.rest[-1])
    call.only("POST")
    return act(directory, call, known)


def _scheduled(state: str) -> Callable[[Directory, GraphCall, Document], Response]:
    def act(_: Directory, __: GraphCall, known: Document) -> Response:
        known["schedule"] = {**(known.get("schedule") or {}), "state": state}
        return Response(204)

    return act


def _done(_: Directory, __: GraphCall, ___: Document) -> Response:
    return Response(204)


def _provision(_: Directory, call: GraphCall, __: Document) -> Response:
    return Response.json(
        {"key": "Microsoft.Identity.Health.CPP.Common", "value": call.body and "[]"}
    )


def _combinations(_: Directory, call: GraphCall, known: Document) -> Response:
    """Change what an authentication strength allows."""
    _check_own(known)
    previous = known.get("allowedCombinations")
    known["allowedCombinations"] = call.body.get("allowedCombinations")
    return Response.json(
        {"previousCombinations": previous, "currentCombinations": known["allowedCombinations"]}
    )


def _instantiate(directory: Directory, call: GraphCall, known: Document) -> Response:
    """Make an application and its service principal from the gallery."""
    name = call.body.get("displayName") or known["displayName"]
    shared = {"displayName": name, "applicationTemplateId": known["id"], "appId": new_id()}
    stamp = {"createdDateTime": call.written_now, "deletedDateTime": None}
    made = {}
    for collection in ("applications", "servicePrincipals"):
        document = {**defaults(collection), **shared, **stamp, "id": new_id()}
        made[collection] = directory.put(collection, document).document
    parts = {"application": made["applications"], "servicePrincipal": made["servicePrincipals"]}
    return Response.json(parts, status=201)


Action = Callable[[Directory, GraphCall, Document], Response]
ACTIONS: dict[str, Action] = {
    "start": _scheduled("Active"),
    "restart": _scheduled("Active"),
    "pause": _scheduled("Paused"),
    "provisionondemand": _provision,
    "validatecredentials": _done,
    "cancel": _done,
    "updateallowedcombinations": _combinations,
    "instantiate": _instantiate,
}

# What a directory object has of such collections.


def on_linked(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """Work on references of an object to entries, such as its claims mapping policies."""
    name = rest[0].lower()
    linked = directory.nested(found.id, name)
    known = entries(directory, facts.LINKED[name])
    if call.method == "GET":
        return call.many([known[key] for key in linked if key in known], rest[0])
    if rest[1:] == ("$ref",) and call.method == "POST":
        other = linked_id(call.body.get("@odata.id", ""))
        if other not in known:
            raise not_found(other)
        linked[other] = {"id": other}
        return Response(204)
    call.only("DELETE")
    if len(rest) < 2 or rest[1].lower() not in linked:  # noqa: PLR2004 - name, id
        raise not_found(rest[-1])
    del linked[rest[1].lower()]
    return Response(204)


def on_secrets(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """Work on the secrets of a synchronization: values are written and never given back."""
    if tuple(s.lower() for s in rest) != ("synchronization", "secrets"):
        raise bad_segment(rest[-1])
    call.only("GET", "PUT")
    kept = directory.nested(found.id, "synchronization/secrets")
    if call.method == "GET":
        return call.many(list(kept.values()), "secrets")
    given = call.body.get("value")
    for pair in given if isinstance(given, list) else []:
        key = str(_part(pair, "key"))
        kept.pop(key, None)
        if _part(pair, "value"):
            kept[key] = {"key": key, "value": "*"}
    return Response(204)


def _part(pair: object, name: str) -> Any:  # noqa: ANN401 - JSON
    return pair.get(name) if isinstance(pair, Mapping) else None


def activate_role(directory: Directory, body: Document) -> Document:
    """Return what a role is that is activated from its template.

    Raises:
        GraphError: There is no such template.
    """
    template = str(body.get("roleTemplateId") or "")
    name = facts.ROLES.get(template.lower())
    if name is None:
        raise bad_request(f"The role template '{template}' does not exist.")
    if directory.named("directoryRoles", "roleTemplateId", template):
        raise duplicate("A conflicting object with one or more of the specified values is present.")
    return {"roleTemplateId": template.lower(), "displayName": name, "description": name}
