"""Microsoft Graph on loopback, as far as azuread's common resources and azurerm's start need it.

Applications, service principals, groups, users and administrative units; owners and members;
federated credentials, passwords and app role assignments; `v1.0` and `beta` alike.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.federated import FederatedCredential
from pytest_tfoidc.mockazure.graph import certificates, collections, facts, verbs
from pytest_tfoidc.mockazure.graph.call import GraphCall, GraphError, bad_segment, not_found
from pytest_tfoidc.mockazure.graph.objects import (
    REFERENCES,
    TYPES,
    Directory,
    DirectoryObject,
    DirectorySnapshot,
    Document,
    defaults,
    merged,
    new_id,
)
from pytest_tfoidc.mockazure.requests import parse_query, split_path
from pytest_tfoidc.mockazure.tokens import AccessToken, AccessTokens, BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request

AUDIENCES = (
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "00000003-0000-0000-c000-000000000000",
)
VERSIONS = ("v1.0", "beta")
ADOPTED = "managedIdentities"  # whose service principals come and go with their resources
COLLECTIONS = {name.lower(): name for name in TYPES}
KEYED = re.compile(r"(\w+)\((\w+)='([^']*)'\)")
TOKEN_WORDS = {
    "missing": "Access token is empty.",
    "expired": "Lifetime validation failed, the token is expired.",
    "audience": "Access token validation failure. Invalid audience.",
}
# Lists that an object has and that nothing here fills.
EMPTY = ("createdobjects", "licensedetails", "registereddevices", "owneddevices")
DOMAIN = "pytest-tfoidc.onmicrosoft.com"

OnObject = Callable[[Directory, GraphCall, DirectoryObject], Response]
OnPart = Callable[[Directory, GraphCall, DirectoryObject, tuple[str, ...]], Response]
ACTIONS: dict[str, OnObject] = {
    "addpassword": verbs.add_password,
    "removepassword": verbs.remove_password,
    "addtokensigningcertificate": certificates.add_signing_certificate,
}
PARTS: dict[str, OnPart] = {
    "approleassignedto": verbs.on_role_assignments,
    "approleassignments": verbs.on_role_assignments,
    "logo": verbs.on_logo,
    "oauth2permissiongrants": verbs.on_grants,
    "synchronization": collections.on_secrets,
    **dict.fromkeys(facts.LINKED, collections.on_linked),
    **dict.fromkeys(EMPTY, verbs.on_empty),
}
RELATIONS = {*REFERENCES, *REFERENCES.values(), "transitiveMembers", "transitiveMemberOf"}


class Graph:
    """Graph's answers; each tenant has a directory of its own. Thread safe.

    Args:
        clock: Tells the virtual time.
        access_tokens: Checks callers' bearers.
        tenant_id: The tenant of what is added without a caller.
        managed: Lists the managed identities that there are, which have service principals.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        access_tokens: AccessTokens,
        tenant_id: str,
        managed: Callable[[], list[dict[str, str]]] = list,
    ) -> None:
        self._managed = managed
        self._clock = clock
        self._tokens = access_tokens
        self._tenant_id = tenant_id
        self._directories = {tenant_id: _new_directory()}
        self._directory = self._directories[tenant_id]  # of the tenant that is being served
        self._lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        """Answer a request. Errors are Graph's own, never a 5xx."""
        managed = self._managed()  # before the lock: it takes one of its own
        with self._lock:
            try:
                self._adopt(managed)
                response = self._answer(request)
            except GraphError as error:
                response = error.response(self._clock.now())
            finally:
                self._directory = self._directories[self._tenant_id]
        return response

    def _answer(self, request: Request) -> Response:
        caller = self._authenticate(request)
        self._directory = self._directories.setdefault(caller.tenant_id, _new_directory())
        self._introduce(caller)
        version, *segments = split_path(request.target) or ("",)
        if version not in VERSIONS:
            raise GraphError(400, "BadRequest", f"Invalid version: {version}")
        call = GraphCall(
            request=request,
            version=version,
            segments=tuple(segments),
            query=parse_query(request.target),
            caller=caller,
            now=self._clock.now(),
        )
        return self._route(call)

    def _authenticate(self, request: Request) -> AccessToken:
        try:
            return self._tokens.verify(request, *AUDIENCES)
        except BearerRefused as refused:
            message = TOKEN_WORDS.get(refused.reason, "CompactToken parsing failed.")
            raise GraphError(401, "InvalidAuthenticationToken", message) from refused

    def _adopt(self, managed: list[dict[str, str]]) -> None:
        """Let every managed identity have its service principal, for as long as it is there."""
        known = {m["id"].lower() for m in managed}
        for directory in self._directories.values():
            adopted = directory.nested("", ADOPTED)
            for gone in adopted.keys() - known:
                directory.remove(gone)
                del adopted[gone]
        for identity in managed:
            tenant = identity["tenantId"] or self._tenant_id
            directory = self._directories.setdefault(tenant, _new_directory())
            if directory.get(identity["id"]) is None:
                shared = {"displayName": identity["displayName"]}
                made = verbs.principal_of(shared, identity["appId"])
                names = ["isExplicit=True", identity["resourceId"]]
                own = {"servicePrincipalType": "ManagedIdentity", "alternativeNames": names}
                document = {**merged(defaults("servicePrincipals"), made), **own}
                directory.put("servicePrincipals", {**document, "id": identity["id"]})
                directory.nested("", ADOPTED)[identity["id"].lower()] = {}

    def _introduce(self, caller: AccessToken) -> None:
        """Let whoever calls be in the directory: every caller has a service principal."""
        if self._directory.get(caller.object_id, "servicePrincipals"):
            return
        application = self._directory.named("applications", "appId", caller.client_id)
        shared = application.document if application else {"displayName": "pytest-tfoidc"}
        principal = verbs.principal_of(shared, caller.client_id)
        document = {**merged(defaults("servicePrincipals"), principal), "id": caller.object_id}
        self._directory.put("servicePrincipals", document)

    def _route(self, call: GraphCall) -> Response:
        if not call.segments:
            raise bad_segment("")
        if call.segments[0].lower() == "directory" and len(call.segments) > 1:
            inner = call.segments[1:]  # directory/administrativeUnits is administrativeUnits
            if inner[0].lower() in COLLECTIONS:
                return self._route(replace(call, segments=inner))
        place = collections.find(call.segments)
        if place is not None:
            return collections.answer(self._directory, call, place)
        first = call.segments[0]
        keyed = KEYED.fullmatch(first)
        collection = COLLECTIONS.get((keyed[1] if keyed else first).lower())
        if collection is None:
            return self._special(call, first.lower())
        if keyed:
            found = self._directory.named(collection, keyed[2], keyed[3])
            return self._in_object(call, found, keyed[3], call.segments[1:])
        if len(call.segments) == 1:
            return self._collection(call, collection)
        key = call.segments[1]
        return self._in_object(call, self._directory.get(key, collection), key, call.segments[2:])

    def _collection(self, call: GraphCall, collection: str) -> Response:
        call.only("GET", "POST")
        if call.method == "POST":
            return verbs.create(self._directory, call, collection)
        return call.many([o.document for o in self._directory.all(collection)], collection)

    def _in_object(
        self, call: GraphCall, found: DirectoryObject | None, key: str, rest: tuple[str, ...]
    ) -> Response:
        if found is None:
            raise not_found(key)
        if not rest:
            return verbs.on_object(self._directory, call, found)
        what = rest[0].rpartition(".")[2]  # actions may come as microsoft.graph.addPassword
        if what.lower() in ACTIONS:
            call.only("POST")
            return ACTIONS[what.lower()](self._directory, call, found)
        part = _part_of(found, what.lower(), rest)
        if part is not None:
            return part(self._directory, call, found, rest)
        if rest[0] not in RELATIONS:
            raise bad_segment(rest[0])
        return verbs.on_references(self._directory, call, found, rest)

    def _special(self, call: GraphCall, first: str) -> Response:
        """Answer for what is no collection of directory objects."""
        rest = call.segments[1:]
        if first == "directoryobjects" and rest:
            return self._any_object(call, rest)
        if first == "directory" and rest[:1] and rest[0].lower() == "deleteditems":
            return self._deleted(call, rest[1:])
        known: dict[str, list[Document]] = {
            "organization": [{"id": call.caller.tenant_id, "displayName": "pytest-tfoidc"}],
            "domains": [{"id": DOMAIN, "isDefault": True, "isInitial": True, "isVerified": True}],
        }
        if first == "me":
            message = "/me request is only valid with delegated authentication flow."
            raise GraphError(400, "BadRequest", message)
        if first not in known or rest:
            raise bad_segment(call.segments[-1])
        call.only("GET")
        return call.many(known[first], call.segments[0])

    def _any_object(self, call: GraphCall, rest: tuple[str, ...]) -> Response:
        if rest[0].lower() == "getbyids":
            call.only("POST")
            ids = call.body.get("ids")
            wanted = [str(i) for i in ids] if isinstance(ids, list) else []
            found = [o for o in map(self._directory.get, wanted) if o is not None]
            return call.many([o.typed for o in found], "directoryObjects")
        one = self._directory.get(rest[0])
        if one is None or len(rest) > 1:
            raise not_found(rest[0])
        if call.method == "GET":
            return call.one(one.typed, "directoryObjects")
        call.only("DELETE")
        return verbs.on_object(self._directory, call, one)

    def _deleted(self, call: GraphCall, rest: tuple[str, ...]) -> Response:
        deleted = self._directory.deleted()
        key = rest[0].lower() if rest else ""
        if key.startswith("microsoft.graph."):
            call.only("GET")
            wanted = [
                o for o in deleted.values() if key.endswith(f".{TYPES[o.collection].lower()}")
            ]
            return call.many([o.document for o in wanted], "directoryObjects")
        if key not in deleted:
            raise not_found(key)
        if rest[1:] == ("restore",):
            call.only("POST")
            restored = self._directory.restore_deleted(key)
            return call.one(restored.typed if restored else {}, "directoryObjects")
        call.only("GET", "DELETE")
        if call.method == "GET":
            return call.one(deleted[key].typed, "directoryObjects")
        del deleted[key]
        return Response(204)

    # for the rest of the stand-in

    def application(self, app_id: str) -> Document | None:
        """Return an application by its client id; None where there is none."""
        with self._lock:
            found = self._application(app_id)
            return dict(found[1].document) if found else None

    def _application(self, app_id: str) -> tuple[Directory, DirectoryObject] | None:
        """Find an application in whichever tenant it was made."""
        for directory in self._directories.values():
            found = directory.named("applications", "appId", app_id)
            if found is not None:
                return directory, found
        return None

    def principal_id(self, app_id: str, tenant_id: str = "") -> str | None:
        """Return the object id of an application's service principal in a tenant."""
        with self._lock:
            directory = self._directories.get(tenant_id or self._tenant_id)
            found = directory and directory.named("servicePrincipals", "appId", app_id)
            return found.id if found else None

    def has_principal(self, app_id: str) -> bool:
        """Tell whether an application has a service principal in any tenant."""
        with self._lock:
            directories = self._directories.values()
            return any(d.named("servicePrincipals", "appId", app_id) for d in directories)

    def groups_of(self, object_id: str) -> tuple[str, ...]:
        """Return the ids of the groups that somebody is a member of, also through other groups."""
        found: dict[str, None] = {}
        waiting = [object_id.lower()]
        with self._lock:
            while waiting:
                member = waiting.pop()
                groups = (
                    group
                    for directory in self._directories.values()
                    for group in directory.referred(member, "memberOf")
                    if group.collection == "groups"
                )
                new = [group.id for group in groups if group.id not in found]
                found |= dict.fromkeys(new)
                waiting += new
        return tuple(found)

    def federated_credentials(self, app_id: str) -> tuple[FederatedCredential, ...]:
        """Return the federated credentials of an application, for Entra to honour."""
        with self._lock:
            found = self._application(app_id)
            nested = found[0].nested(found[1].id, verbs.FEDERATED) if found else {}
            return tuple(
                FederatedCredential.parse(str(d.get("name", "")), d) for d in nested.values()
            )

    def add(self, collection: str, document: Document) -> Document:
        """Put an object there that nobody created, such as a user; give it with its id."""
        with self._lock:
            full = {**merged(defaults(collection), document)}
            if collection == "servicePrincipals":
                self._make_way(str(full.get("appId") or ""))
            full.setdefault("id", new_id())
            return dict(self._directory.put(collection, full).document)

    def _make_way(self, app_id: str) -> None:
        """Let somebody say how one of Microsoft's own principals is: theirs takes its place."""
        found = self._directory.named("servicePrincipals", "appId", app_id)
        if found is not None and app_id.lower() in facts.FIRST_PARTY:
            self._directory.remove(found.id)

    def add_entry(self, path: str, owner: str, document: Document) -> None:
        """Put an entry of a collection there that nobody created, such as a named location."""
        with self._lock:
            usual = facts.COLLECTIONS[path]
            entry = {**merged(usual, document), "id": str(document["id"])}
            collections.entries(self._directory, path, owner)[entry["id"]] = entry

    @property
    def objects(self) -> dict[str, Document]:
        """Every object of every tenant as it is now, by id. They are copies."""
        with self._lock:
            return {o.id: o.typed for d in self._directories.values() for o in d.all()}

    def snapshot(self) -> DirectorySnapshot:
        """Return everything that there is, to be restored later."""
        with self._lock:
            others = {
                tenant: directory.snapshot()
                for tenant, directory in self._directories.items()
                if tenant != self._tenant_id
            }
            return replace(self._directory.snapshot(), others=others)

    def restore(self, snapshot: DirectorySnapshot) -> None:
        """Go back to what there was."""
        with self._lock:
            self._directory.restore(snapshot)
            self._directories = {self._tenant_id: self._directory}
            for tenant, held in snapshot.others.items():
                self._directories[tenant] = Directory()
                self._directories[tenant].restore(held)


def _part_of(found: DirectoryObject, what: str, rest: tuple[str, ...]) -> OnPart | None:
    """Return who answers for a part of an object; None where it is a reference, or nothing."""
    if rest[0] == verbs.FEDERATED and found.collection == "applications":
        return verbs.on_nested
    return PARTS.get(what)


def _new_directory() -> Directory:
    directory = Directory()
    directory.put("servicePrincipals", verbs.microsoft_graph())
    for app_id, name in facts.FIRST_PARTY.items():
        directory.put("servicePrincipals", verbs.first_party(app_id, name))
    return directory
