"""The directory of Microsoft Graph: objects, references between them, nested collections."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

# The collections of directory objects, and Graph's name for their type.
TYPES = {
    "applications": "application",
    "servicePrincipals": "servicePrincipal",
    "groups": "group",
    "users": "user",
    "administrativeUnits": "administrativeUnit",
    "directoryRoles": "directoryRole",
}
# References, and how the other side calls them.
REFERENCES = {"owners": "ownedObjects", "members": "memberOf", "manager": "directReports"}
SINGLE = ("manager",)  # of which an object has one
# Collections of documents inside an object.
NESTED = ("federatedIdentityCredentials", "appRoleAssignedTo", "appRoleAssignments")
MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"
NAMED_BY = {"applications": "appId", "servicePrincipals": "appId", "users": "userPrincipalName"}
BIND = "@odata.bind"
# What Graph adds to a new object.
DEFAULTS: dict[str, Document] = {
    "applications": {
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": [],
        "identifierUris": [],
        "info": {},
        "isFallbackPublicClient": None,
        "keyCredentials": [],
        "passwordCredentials": [],
        "publicClient": {"redirectUris": []},
        "publisherDomain": "pytest-tfoidc.onmicrosoft.com",
        "requiredResourceAccess": [],
        "signInAudience": "AzureADMyOrg",
        "spa": {"redirectUris": []},
        "tags": [],
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {
                "enableAccessTokenIssuance": False,
                "enableIdTokenIssuance": False,
            },
        },
    },
    "servicePrincipals": {
        "accountEnabled": True,
        "alternativeNames": [],
        "appRoleAssignmentRequired": False,
        "appRoles": [],
        "homepage": None,
        "keyCredentials": [],
        "notificationEmailAddresses": [],
        "oauth2PermissionScopes": [],
        "passwordCredentials": [],
        "replyUrls": [],
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
        "tags": [],
    },
    "groups": {
        "description": None,
        "groupTypes": [],
        "mail": None,
        "isAssignableToRole": None,
        "onPremisesSyncEnabled": None,
        "proxyAddresses": [],
        "visibility": None,
    },
    "users": {
        "accountEnabled": True,
        "businessPhones": [],
        "givenName": None,
        "mail": None,
        "surname": None,
        "userType": "Member",
    },
}


def defaults(collection: str) -> Document:
    """Return what Graph adds to a new object of a collection."""
    return copy.deepcopy(DEFAULTS.get(collection, {}))


@dataclass(frozen=True)
class DirectoryObject:
    """One object. Its document is replaced when it changes, never changed in place."""

    id: str
    collection: str
    document: Document

    @property
    def typed(self) -> Document:
        """The document with its type, as references show it."""
        return {"@odata.type": f"#microsoft.graph.{TYPES[self.collection]}", **self.document}


@dataclass(frozen=True)
class DirectorySnapshot:
    """A state to come back to. `others`: those of the other tenants, by their ids."""

    objects: Mapping[str, DirectoryObject]
    deleted: Mapping[str, DirectoryObject]
    references: Mapping[tuple[str, str], tuple[str, ...]]
    nested: Mapping[tuple[str, str], Mapping[str, Document]]
    others: Mapping[str, DirectorySnapshot] = field(default_factory=dict)


class Directory:
    """Objects by id, in the order of creation."""

    def __init__(self) -> None:
        self._objects: dict[str, DirectoryObject] = {}
        self._deleted: dict[str, DirectoryObject] = {}
        self._references: dict[tuple[str, str], tuple[str, ...]] = {}
        self._nested: dict[tuple[str, str], dict[str, Document]] = {}

    def all(self, collection: str = "") -> list[DirectoryObject]:
        """Return the objects of a collection, or all."""
        return [o for o in self._objects.values() if collection in {"", o.collection}]

    def get(self, object_id: str, collection: str = "") -> DirectoryObject | None:
        """Return an object by its id, or by what else names it in its collection (a user's UPN)."""
        found = self._objects.get(object_id.lower())
        if found is None and collection == "users":
            found = self.named(collection, "userPrincipalName", object_id)
        return found if found and collection in {"", found.collection} else None

    def named(self, collection: str, name: str, value: str) -> DirectoryObject | None:
        """Return the object whose property has a value, without case."""
        wanted = value.lower()
        return next(
            (o for o in self.all(collection) if str(o.document.get(name, "")).lower() == wanted),
            None,
        )

    def put(self, collection: str, document: Document) -> DirectoryObject:
        """Store an object, new or in the place of the one with its id."""
        made = DirectoryObject(str(document["id"]).lower(), collection, document)
        self._objects[made.id] = made
        return made

    def remove(self, object_id: str) -> None:
        """Delete an object, what is nested in it, and all references to it."""
        removed = self._objects.pop(object_id, None)
        if removed is None:
            return
        self._deleted[object_id] = removed
        self.forget(object_id)
        for owner, relation in tuple(self._references):
            if owner == object_id:
                del self._references[owner, relation]
            else:
                self.unrefer(owner, relation, object_id)

    def forget(self, object_id: str) -> None:
        """Delete what is nested in an object, or in an entry of a collection."""
        for key in tuple(self._nested):
            if key[0] == object_id.lower():
                del self._nested[key]

    def refer(self, object_id: str, relation: str, other: str) -> bool:
        """Add a reference. False where there is one already."""
        known = self._references.get((object_id, relation), ())
        if other in known:
            return False
        self._references[object_id, relation] = (*known, other)
        return True

    def unrefer(self, object_id: str, relation: str, other: str) -> bool:
        """Remove a reference. False where there is none."""
        known = self._references.get((object_id, relation), ())
        if other not in known:
            return False
        self._references[object_id, relation] = tuple(k for k in known if k != other)
        return True

    def referred(self, object_id: str, relation: str) -> list[DirectoryObject]:
        """Return what an object refers to, or (`memberOf`, `ownedObjects`) what refers to it."""
        inverse = {back: name for name, back in REFERENCES.items()}.get(relation)
        if inverse is None:
            return [self._objects[i] for i in self._references.get((object_id, relation), ())]
        return [
            self._objects[owner]
            for (owner, name), others in self._references.items()
            if name == inverse and object_id in others
        ]

    def nested(self, object_id: str, collection: str) -> dict[str, Document]:
        """Return the documents that are nested in an object, by id. It may be filled."""
        return self._nested.setdefault((object_id, collection), {})

    def deleted(self) -> dict[str, DirectoryObject]:
        """Return the deleted objects by id. It may be emptied."""
        return self._deleted

    def restore_deleted(self, object_id: str) -> DirectoryObject | None:
        """Bring a deleted object back."""
        found = self._deleted.pop(object_id, None)
        if found is not None:
            self._objects[object_id] = found
        return found

    def snapshot(self) -> DirectorySnapshot:
        """Return the state, to be restored later."""
        nested = {key: dict(documents) for key, documents in self._nested.items()}
        return DirectorySnapshot(
            dict(self._objects), dict(self._deleted), dict(self._references), nested
        )

    def restore(self, snapshot: DirectorySnapshot) -> None:
        """Go back to a state."""
        self._objects, self._deleted = dict(snapshot.objects), dict(snapshot.deleted)
        self._references = dict(snapshot.references)
        self._nested = {key: dict(documents) for key, documents in snapshot.nested.items()}


def new_id() -> str:
    """Make an object id."""
    return str(uuid.uuid4())


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """Merge a PATCH: complex properties property by property, all others as a whole."""
    result = dict(document)
    for name, value in patch.items():
        old = result.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            result[name] = merged(old, value)
        else:
            result[name] = value
    return result


def bound(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the references that a body makes (`owners@odata.bind`): relation and object id."""
    for name, links in body.items():
        if name.endswith(BIND):
            for link in links if isinstance(links, list) else [links]:
                yield name.removesuffix(BIND), linked_id(link)


def linked_id(link: object) -> str:
    """Read the object id off a link such as `https://…/v1.0/directoryObjects/{id}`."""
    tail = str(link).rstrip("/").rpartition("/")[2]
    if tail.endswith("')") and "('" in tail:
        tail = tail.rpartition("('")[2].removesuffix("')")
    return tail.lower()
