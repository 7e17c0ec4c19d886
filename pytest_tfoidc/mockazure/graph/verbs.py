"""The verbs of Microsoft Graph, for objects, references and what is nested in objects."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.graph import collections, facts
from pytest_tfoidc.mockazure.graph.call import (
    GraphCall,
    bad_request,
    bad_segment,
    duplicate,
    not_found,
)
from pytest_tfoidc.mockazure.graph.objects import (
    BIND,
    MICROSOFT_GRAPH,
    REFERENCES,
    SINGLE,
    TYPES,
    Directory,
    DirectoryObject,
    Document,
    bound,
    defaults,
    linked_id,
    merged,
    new_id,
)

FEDERATED = "federatedIdentityCredentials"
REQUIRED = {
    "applications": ("displayName",),
    "servicePrincipals": ("appId",),
    "groups": ("displayName", "mailEnabled", "mailNickname", "securityEnabled"),
    "users": ("displayName", "mailNickname", "passwordProfile", "userPrincipalName"),
    FEDERATED: ("name", "issuer", "audiences"),
}
PASSWORDS = "passwordCredentials"  # of applications and service principals
SECRET = ("passwordProfile",)  # never given back
MICROSOFT_APPS = "-0000-0000-c000-000000000000"  # how the ids of Microsoft's own applications end


def check_required(body: Mapping[str, object], kind: str) -> None:
    """Check that a new object has what it needs.

    Raises:
        GraphError: Something is missing.
    """
    for name in REQUIRED.get(kind, ()):
        check_named(body, name, kind)


def check_named(body: Mapping[str, object], name: str, kind: str) -> None:
    """Check that a new object has a value for a property.

    Raises:
        GraphError: It has none.
    """
    if body.get(name) is None or body.get(name) == "":
        message = (
            f"A value is required for property '{name}' of resource '{TYPES.get(kind, kind)}'."
        )
        raise bad_request(message)


def create(directory: Directory, call: GraphCall, collection: str) -> Response:
    """POST a new object."""
    body = call.body
    check_required(body, collection)
    written = {k: v for k, v in body.items() if not k.endswith(BIND) and k not in SECRET}
    prepare = PREPARE.get(collection)
    if prepare is not None:
        written = prepare(directory, written)
    links = list(bound(body))
    for _, other in links:
        _existing(directory, other)
    identity = {"id": new_id(), "createdDateTime": call.written_now, "deletedDateTime": None}
    told = [_new_password(call, one) for one in _credentials(written)]
    document = {**merged(defaults(collection), written), **identity}
    kept = {PASSWORDS: [{**one, "secretText": None} for one in told]} if told else {}
    made = directory.put(collection, {**document, **kept})
    for relation, other in links:
        directory.refer(made.id, relation, other)
    return call.one({**document, PASSWORDS: told} if told else document, collection, status=201)


def _prepare_application(_: Directory, written: Document) -> Document:
    return {**written, "appId": str(uuid.uuid4())}


def _prepare_principal(directory: Directory, written: Document) -> Document:
    app_id = str(written["appId"])
    if directory.named("servicePrincipals", "appId", app_id):
        raise duplicate(
            "The service principal cannot be created, updated, or restored because the service "
            f"principal name {app_id} is already in use."
        )
    application = directory.named("applications", "appId", app_id)
    published = facts.PUBLISHED.get(app_id.lower())
    known = published or app_id.lower().endswith(MICROSOFT_APPS)
    if application is None and not known:
        raise bad_request(
            f"The appId '{app_id}' of the service principal does not reference a valid "
            "application object."
        )
    shared = application.document if application else {"displayName": published or app_id}
    return {**principal_of(shared, app_id), **written}


def principal_of(application: Mapping[str, object], app_id: str) -> Document:
    """Return what a service principal takes over from its application."""
    name = application.get("displayName") or app_id
    uris = application.get("identifierUris")
    return {
        "appId": app_id,
        "displayName": name,
        "appDisplayName": name,
        "appRoles": application.get("appRoles") or [],
        "signInAudience": application.get("signInAudience") or "AzureADMyOrg",
        "servicePrincipalNames": [app_id, *(uris if isinstance(uris, list) else [])],
    }


def _prepare_user(directory: Directory, written: Document) -> Document:
    name = str(written["userPrincipalName"])
    if directory.named("users", "userPrincipalName", name):
        message = (
            "Another object with the same value for property userPrincipalName already exists."
        )
        raise bad_request(message)
    return written


def _prepare_role(directory: Directory, written: Document) -> Document:
    return collections.activate_role(directory, written)


PREPARE: dict[str, Callable[[Directory, Document], Document]] = {
    "applications": _prepare_application,
    "servicePrincipals": _prepare_principal,
    "users": _prepare_user,
    "directoryRoles": _prepare_role,
}


def _existing(directory: Directory, object_id: str) -> DirectoryObject:
    found = directory.get(object_id)
    if found is None:
        raise not_found(object_id)
    return found


def on_object(directory: Directory, call: GraphCall, found: DirectoryObject) -> Response:
    """GET, PATCH or DELETE an object."""
    call.only("GET", "PATCH", "DELETE")
    if call.method == "GET":
        return call.one(found.document, found.collection)
    if call.method == "DELETE":
        _delete(directory, found)
        return Response(204)
    _change(directory, call, found)
    return Response(204)


def _delete(directory: Directory, found: DirectoryObject) -> None:
    """Delete an object; an application takes its service principal with it."""
    if found.collection == "applications":
        app_id = str(found.document.get("appId"))
        principal = directory.named("servicePrincipals", "appId", app_id)
        if principal is not None:
            directory.remove(principal.id)
    directory.remove(found.id)


def _change(directory: Directory, call: GraphCall, found: DirectoryObject) -> None:
    """PATCH an object; `…@odata.bind` in it adds references."""
    body = call.body
    links = list(bound(body))
    for _, other in links:
        _existing(directory, other)
    hidden = {"id", "appId", *SECRET}
    patch = {k: v for k, v in body.items() if not k.endswith(BIND) and k not in hidden}
    directory.put(found.collection, merged(found.document, patch))
    for relation, other in links:
        directory.refer(found.id, relation, other)


def on_references(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """GET what an object refers to; add to it (`POST …/$ref`) and take away (`DELETE …/$ref`)."""
    relation = {"transitiveMembers": "members", "transitiveMemberOf": "memberOf"}.get(
        rest[0], rest[0]
    )
    if relation in SINGLE:
        return _on_single(directory, call, found, rest)
    if rest[1:] in {(), ("$ref",)} and call.method == "GET":
        documents = [o.typed for o in directory.referred(found.id, relation)]
        return call.many(documents, "directoryObjects")
    if relation not in REFERENCES:
        raise bad_segment(rest[-1])
    if rest[1:] == ("$ref",):
        call.only("POST")
        return _add_reference(directory, call, found, relation)
    if len(rest) == 3 and rest[2] == "$ref":  # noqa: PLR2004 - relation, id, $ref
        call.only("DELETE")
        if not directory.unrefer(found.id, relation, rest[1].lower()):
            raise not_found(rest[1])
        return Response(204)
    raise bad_segment(rest[-1])


def _on_single(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """GET, PUT or DELETE the one object that an object refers to, such as a user's manager."""
    relation, current = rest[0], directory.referred(found.id, rest[0])
    if rest[1:] not in {(), ("$ref",)}:
        raise bad_segment(rest[-1])
    if call.method == "PUT":
        other = _existing(directory, linked_id(call.body.get("@odata.id", "")))
        for before in current:
            directory.unrefer(found.id, relation, before.id)
        directory.refer(found.id, relation, other.id)
        return Response(204)
    call.only("GET", "DELETE")
    if not current and call.method == "DELETE":
        return Response(204)  # it went with whom it referred to
    if not current:
        raise not_found(relation)
    if call.method == "GET":
        return call.one(current[0].typed, "directoryObjects")
    directory.unrefer(found.id, relation, current[0].id)
    return Response(204)


def _add_reference(
    directory: Directory, call: GraphCall, found: DirectoryObject, relation: str
) -> Response:
    other = _existing(directory, linked_id(call.body.get("@odata.id", "")))
    if not directory.refer(found.id, relation, other.id):
        raise bad_request(
            "One or more added object references already exist for the following modified "
            f"properties: '{relation}'."
        )
    return Response(204)


def on_nested(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """Work on what is nested in an object: federated credentials."""
    kind, documents = rest[0], directory.nested(found.id, rest[0])
    if len(rest) == 1:
        call.only("GET", "POST")
        if call.method == "GET":
            return call.many(list(documents.values()), kind)
        document = _new_nested(call, kind, documents)
        documents[document["id"]] = document
        return call.one(document, kind, status=201)
    call.only("GET", "PATCH", "DELETE")
    known = next((d for d in documents.values() if rest[1] in {d["id"], d.get("name")}), None)
    if known is None or len(rest) > 2:  # noqa: PLR2004 - kind, id
        raise not_found(rest[1])
    if call.method == "GET":
        return call.one(known, kind)
    del documents[known["id"]]
    if call.method == "PATCH":
        fixed = {"id": known["id"], "name": known.get("name")}
        documents[known["id"]] = {**merged(known, call.body), **fixed}
    return Response(204)


def _new_nested(call: GraphCall, kind: str, documents: Mapping[str, Document]) -> Document:
    body = call.body
    check_required(body, kind)
    if not body.get("claimsMatchingExpression"):  # else it stands in the subject's place
        check_named(body, "subject", kind)
    for other in documents.values():
        if other.get("name") == body.get("name"):
            raise duplicate(f"FederatedIdentityCredential with name {body['name']} already exists.")
        same = ("issuer", "subject", "claimsMatchingExpression")
        if all(other.get(n) == body.get(n) for n in same):
            message = "FederatedIdentityCredential with the same issuer and subject already exists."
            raise duplicate(message)
    return {"description": None, **body, "id": new_id()}


def add_password(directory: Directory, call: GraphCall, found: DirectoryObject) -> Response:
    """POST addPassword: the secret is told once."""
    wanted = call.body.get("passwordCredential")
    told = _new_password(call, wanted if isinstance(wanted, dict) else {})
    passwords = [*_credentials(found.document), {**told, "secretText": None}]
    directory.put(found.collection, {**found.document, PASSWORDS: passwords})
    return call.one(told, "microsoft.graph.passwordCredential")


def _new_password(call: GraphCall, given: Document) -> Document:
    secret = secrets.token_urlsafe(30)
    return {
        "customKeyIdentifier": None,
        "displayName": given.get("displayName"),
        "endDateTime": given.get("endDateTime") or f"{call.now.year + 2}{call.written_now[4:]}",
        "hint": secret[:3],
        "keyId": new_id(),
        "secretText": secret,
        "startDateTime": given.get("startDateTime") or call.written_now,
    }


def remove_password(directory: Directory, call: GraphCall, found: DirectoryObject) -> Response:
    """POST removePassword."""
    key_id = str(call.body.get("keyId", ""))
    before = _credentials(found.document)
    left = [p for p in before if p.get("keyId") != key_id]
    if len(left) == len(before):
        raise bad_request("No password credential found with keyId.")
    directory.put(found.collection, {**found.document, PASSWORDS: left})
    return Response(204)


def _credentials(document: Mapping[str, object]) -> list[Document]:
    passwords = document.get(PASSWORDS)
    return [p for p in passwords if isinstance(p, dict)] if isinstance(passwords, list) else []


def on_role_assignments(
    directory: Directory, call: GraphCall, found: DirectoryObject, rest: tuple[str, ...]
) -> Response:
    """Work on app role assignments, seen from the resource or from the principal."""
    kept = directory.nested("", "appRoleAssignments")
    side = "resourceId" if rest[0] == "appRoleAssignedTo" else "principalId"
    mine = {i: d for i, d in kept.items() if str(d.get(side)).lower() == found.id}
    if len(rest) == 1:
        call.only("GET", "POST")
        if call.method == "GET":
            return call.many(list(mine.values()), rest[0])
        document = _new_assignment(directory, call)
        kept[document["id"]] = document
        return call.one(document, rest[0], status=201)
    call.only("GET", "DELETE")
    if rest[1] not in mine:
        raise not_found(rest[1])
    if call.method == "GET":
        return call.one(mine[rest[1]], rest[0])
    del kept[rest[1]]
    return Response(204)


def _new_assignment(directory: Directory, call: GraphCall) -> Document:
    principal = _existing(directory, linked_id(call.body.get("principalId", "")))
    resource = _existing(directory, linked_id(call.body.get("resourceId", "")))
    key = {
        "appRoleId": call.body.get("appRoleId"),
        "principalId": principal.id,
        "resourceId": resource.id,
    }
    for other in directory.nested("", "appRoleAssignments").values():
        if all(other.get(name) == value for name, value in key.items()):
            raise bad_request("Permission being assigned already exists on the object")
    return {
        **key,
        "id": new_id(),
        "createdDateTime": call.written_now,
        "deletedDateTime": None,
        "principalDisplayName": principal.document.get("displayName"),
        "principalType": TYPES[principal.collection][:1].upper() + TYPES[principal.collection][1:],
        "resourceDisplayName": resource.document.get("displayName"),
    }


def on_grants(
    directory: Directory, call: GraphCall, found: DirectoryObject, _: tuple[str, ...]
) -> Response:
    """GET the delegated permissions that were granted to a client, or by a user."""
    call.only("GET")
    grants = directory.nested("", "oauth2permissiongrants").values()
    mine = [g for g in grants if found.id in {g.get("clientId"), g.get("principalId")}]
    return call.many(mine, "oauth2PermissionGrants")


def on_empty(_: Directory, call: GraphCall, __: DirectoryObject, rest: tuple[str, ...]) -> Response:
    """GET a list that nothing here fills."""
    call.only("GET")
    return call.many([], rest[0])


def on_logo(_: Directory, call: GraphCall, __: DirectoryObject, _rest: tuple[str, ...]) -> Response:
    """PUT or DELETE a logo; it is not kept."""
    call.only("PUT", "PATCH", "DELETE")
    return Response(204)


def first_party(app_id: str, name: str) -> Document:
    """Return the service principal of one of Microsoft's own applications."""
    return {
        **merged(defaults("servicePrincipals"), principal_of({"displayName": name}, app_id)),
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"tfoidc:{app_id}")),
    }


def microsoft_graph() -> Document:
    """Return the service principal of Microsoft Graph itself, with the roles modules ask for."""
    shared = {"appId": MICROSOFT_GRAPH, "displayName": "Microsoft Graph"}
    return {
        **merged(defaults("servicePrincipals"), principal_of(shared, MICROSOFT_GRAPH)),
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, "tfoidc:microsoft-graph")),
        "appRoles": [
            {"id": i, "value": v, "allowedMemberTypes": ["Application"], "isEnabled": True}
            for v, i in facts.APP_ROLES.items()
        ],
        "oauth2PermissionScopes": [
            {"id": i, "value": v, "type": "User", "isEnabled": True}
            for v, i in facts.SCOPES.items()
        ],
    }
