"""Everything that there is: the store, what is under way in it, and how it is read and filled."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm import (
    documents,
    endpoints,
    errors,
    hubs,
    machines,
    policies,
    slots,
)
from pytest_tfoidc.mockazure.arm.access import ASSIGNMENTS
from pytest_tfoidc.mockazure.arm.resource_ids import Place, parse_segments
from pytest_tfoidc.mockazure.arm.roles import ROLE_TYPE, Roles, with_times
from pytest_tfoidc.mockazure.arm.types import states
from pytest_tfoidc.mockazure.arm.types.base import guid
from pytest_tfoidc.mockazure.arm.types.table import ALWAYS, RECOVERABLE, rules_for
from pytest_tfoidc.mockazure.requests import split_path

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.operations import Operations
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

NETWORK = "microsoft.network/"
VIEWS = {  # what says more of itself than was written, because of other resources
    endpoints.ENDPOINTS: endpoints.with_states,
    hubs.CONNECTIONS: hubs.with_routing,
    hubs.PEERINGS: hubs.with_remote,
    machines.MACHINES: machines.with_disks,
    slots.SLOTS: slots.with_plan,
    ROLE_TYPE: with_times,
    ASSIGNMENTS: with_times,
}
MANAGEMENT_GROUPS = "microsoft.management/managementgroups"
# Ids of what data planes hold, and in each that of the resource that it belongs to.
HELD_ELSEWHERE = re.compile(
    r"""(.*/(?:
        Microsoft\.KeyVault/(?:vaults|managedHSMs)/[^/]+(?=/(?:secrets|keys|certificates)/)
      | Microsoft\.Storage/storageAccounts/[^/]+
        (?=/(?:blobServices/default/containers|fileServices/default/(?:file)?shares
          |queueServices/default/queues|tableServices/default/tables)/)
      | Microsoft\.ContainerService/managedClusters/[^/]+(?=/namespaces/)
      | Microsoft\.DocumentDB/databaseAccounts/[^/]+(?=/dbs/)
    ))/.+""",
    re.IGNORECASE | re.VERBOSE,
)


class Estate:
    """A store, the operations on it, and the rules that hold between its resources."""

    def __init__(self, *, store: Store, operations: Operations, tenant_id: str) -> None:
        self.store = store
        self.operations = operations
        self.tenant_id = tenant_id
        self.roles = Roles()
        self.on_handed_over: Callable[[Place, Mapping[str, Any]], Document] = (
            lambda _place, properties: dict(properties)
        )
        """Takes what belongs into a data plane, such as a vault's secret; returns what is shown."""
        self.on_purged: Callable[[str, str], None] = lambda _kind, _name: None
        """Is told the type and the name of what is gone for good, so that its data goes as well."""
        self.on_stored: Callable[[str, str], None] = lambda _kind, _id: None
        self.on_removed: Callable[[str, str], None] = lambda _kind, _id: None
        """Are told the type (in lower case) and the id of what is there from now, or is not."""

    def handed_over(self, place: Place, body: Document) -> Document:
        """Return what is written to its data plane; return the body that is kept instead."""
        shown = self.on_handed_over(place, documents.properties_of(body))
        return {**body, "properties": shown}

    def find(self, call: Call, place: Place) -> Document | None:
        """Return what a resource reads like: stored, or there with its parent; None without."""
        resource = self.store.get(place.key)
        if resource is not None:
            return self.shown(resource)
        if place.type_key == ROLE_TYPE:
            return self._own_role(place) or self.roles.find(place)
        if place.type_key in policies.KINDS:
            return policies.find(place)
        if place.type_key == machines.DISKS:
            disk = machines.disk(self.store, place)
            return documents.compose(place, disk, before=None, call=call) if disk else None
        if _is_root(call, place):
            return {**_root(place), "properties": self._root_properties(place)}
        return self._implied(call, place)

    def _own_role(self, place: Place) -> Document | None:
        """Return a role that somebody made, which the tenant's scope knows by its id as well."""
        if not place.parent.is_tenant:
            return None
        made = (r for r in self.store.of_type(ROLE_TYPE) if r.name.lower() == place.name.lower())
        return next((r.document for r in made), None)

    def _root_properties(self, place: Place) -> Document:
        details: Document = {"parent": {}}
        shown = {"displayName": "Tenant Root Group", "tenantId": place.name, "details": details}
        return {**shown, "children": self._group_children(place.key)}

    def _part(self, parent: Resource, place: Place) -> Document | None:
        """Return a named part of a network's resource, which has an id below that one."""
        if not parent.kind.startswith(NETWORK) or not place.pairs:
            return None
        for name, parts in parent.properties.items():
            if name.lower() == place.type_key.rpartition("/")[2] and isinstance(parts, list):
                return next((one for one in parts if _is_named(one, place.name)), None)
        return None

    def implied_members(self, call: Call) -> list[Document]:
        """Return what a list has that nobody wrote: what is there with its parent, by its name."""
        parent, tail = call.place.parent, call.place.segments[call.place.parent_length :]
        kind = "/".join(tail).lower()
        if parent.kind == "" or self.store.get(parent.key) is None:
            return []
        places = [
            parse_segments((*call.place.segments, name))
            for which, _, name in (n.rpartition("/") for n in rules_for(parent.kind).implied)
            if which.lower() == kind and name not in {"", "*"}
        ]
        there = (self._implied(call, p) for p in places if self.store.get(p.key) is None)
        return [document for document in there if document is not None]

    def _implied(self, call: Call, place: Place) -> Document | None:
        always = ALWAYS.get(place.type_key)
        if always is not None:
            new = documents.as_new({}, place, call)
            return documents.compose(place, always(new), before=None, call=call)
        parent = self.store.get(place.parent.key)
        if parent is None:
            return None
        tail = "/".join(place.segments[place.parent_length :]).lower()
        implied = {n.lower(): makes for n, makes in rules_for(parent.kind).implied.items()}
        kind, slash, _ = tail.partition("/")
        makes = implied.get(tail) or (implied.get(f"{kind}/*") if slash else None)
        if makes is None:
            return self._part(parent, place)
        new = documents.as_new({}, place, call)
        body = makes(dataclasses.replace(new, body=self.shown(parent)))
        return documents.compose(place, body, before=None, call=call) if body is not None else None

    def shown(self, resource: Resource) -> Document:
        """Return a document with what changes without being written: children, progress."""
        view = VIEWS.get(resource.kind)
        document = view(self.store, resource) if view is not None else resource.document
        children = rules_for(resource.kind).children
        if children:
            shown = {name: self._documents(resource, kind) for name, kind in children.items()}
            document = documents.with_properties(document, shown)
        connected = self.store.children(resource.key, f"{resource.kind}/{endpoints.SHOWN.lower()}")
        if connected:
            shown = {endpoints.SHOWN: [self.shown(one) for one in connected]}
            document = documents.with_properties(document, shown)
        if resource.kind == MANAGEMENT_GROUPS:
            below = {"children": self._group_children(resource.key)}
            document = documents.with_properties(document, below)
        operation = self.operations.on(resource.key)
        if operation is not None:
            state = {**states.busy(resource.kind), "provisioningState": operation.state}
            document = documents.with_properties(document, state)
        return document

    def _group_children(self, key: str) -> list[Document]:
        """Return what lies in a management group: its subscriptions, and groups below it."""
        found: list[Document] = [
            {
                "id": f"/subscriptions/{member.name}",
                "type": "/subscriptions",
                "name": member.name,
                "displayName": member.name,
            }
            for member in self.store.children(key, f"{MANAGEMENT_GROUPS}/subscriptions")
        ]
        for group in self.store.of_type(MANAGEMENT_GROUPS):
            if _parent_group(group).lower() == key:
                shown = group.properties.get("displayName") or group.name
                kind = "Microsoft.Management/managementGroups"
                found.append(
                    {"id": group.id, "type": kind, "name": group.name, "displayName": shown}
                )
        return found

    def _documents(self, resource: Resource, kind: str) -> list[Document]:
        children = self.store.children(resource.key, f"{resource.kind}/{kind.lower()}")
        shown = [self.shown(child) for child in children]
        short = rules_for(resource.kind).child_shown
        return [short(document) for document in shown] if short else shown

    def put(self, place: Place, body: Document, call: Call) -> Resource:
        """Store what a client wrote; children that it lists become resources of their own."""
        before = self.store.get(place.key)
        document = documents.compose(place, body, before=before, call=call)
        children = rules_for(place.kind).children
        properties = document.get("properties")
        lists: dict[str, Any] = {}
        if isinstance(properties, dict):
            lists = {n: properties.pop(n) for n in children if n in properties}
            properties.pop(endpoints.SHOWN, None)  # it shows what other resources make
        named = {name: named_items(items) for name, items in lists.items()}
        resource = self.store.put(place, document)
        if resource.kind in endpoints.KINDS:
            self._connect(before, resource, call)
        self.on_stored(resource.kind, resource.id)
        for name, items in named.items():
            self._put_children(place, children[name], items, call)
        return resource

    def _connect(self, before: Resource | None, endpoint: Resource, call: Call) -> None:
        """Let an endpoint have its interface, and its targets its connections."""
        if before is not None:
            endpoints.disconnect(self.store, before, unless=endpoint)
        endpoints.connect(self.store, endpoint)
        interface = endpoints.interface(endpoint)
        if interface is not None:
            self.put(*interface, call)

    def _disconnect(self, endpoint: Resource) -> None:
        endpoints.disconnect(self.store, endpoint)
        interface = endpoints.interface(endpoint)
        if interface is not None:
            self.store.remove(interface[0].key)

    def _put_children(
        self, parent: Place, kind: str, items: dict[str, Document], call: Call
    ) -> None:
        """Make the children what the parent's list says, as a PUT of the parent does."""
        kept = {parent.child(kind, name).key for name in items}
        for child in self.store.children(parent.key, f"{parent.type_key}/{kind.lower()}"):
            if child.key not in kept:
                self.remove(child.key)
        for name, item in items.items():
            self.put(parent.child(kind, name), item, call)

    def remove(self, key: str) -> None:
        """Remove a resource and all in it; what can be recovered goes to its deleted ones."""
        for resource in self.store.remove(key):
            self.on_removed(resource.kind, resource.id)
            if resource.kind in endpoints.KINDS:
                self._disconnect(resource)
            recoverable = rules_for(resource.kind).recoverable
            if recoverable:
                self.store.put(*_recoverable(resource, now=self.operations.now()))

    def purge(self, deleted: Resource) -> None:
        """Remove what is kept of a deleted resource.

        Raises:
            ArmError: It is protected against that.
        """
        if deleted.properties.get("purgeProtectionEnabled") is True:
            what = deleted.kind.rpartition("/")[2].removesuffix("s")
            message = f"Operation '{what[:1].upper()}{what[1:]}Purge' is not allowed."
            raise errors.ArmError(405, "MethodNotAllowed", message)
        self._gone(deleted)

    def _gone(self, deleted: Resource) -> None:
        self.store.remove(deleted.key)
        self.on_purged(RECOVERABLE[deleted.kind], deleted.name)

    def deleted(self, kind: str, name: str) -> Resource | None:
        """Find what is kept of a deleted resource of a type (in lower case)."""
        lists = (list_ for list_, of_type in RECOVERABLE.items() if of_type == kind)
        kept = (resource for list_ in lists for resource in self.store.of_type(list_))
        return next((r for r in kept if r.name.lower() == name.lower()), None)

    def settle(self) -> None:
        """Bring operations whose time has passed to their end."""
        for operation in self.operations.settle():
            if operation.verb == "delete":
                self.remove(operation.key)
        for kind in RECOVERABLE:
            for deleted in self.store.of_type(kind):
                ends = deleted.properties["scheduledPurgeDate"]
                if ends <= documents.written_moment(self.operations.now()):
                    self._gone(deleted)

    def check_parent(self, call: Call, *, write: bool) -> None:
        """Check that what a place lies in is there.

        Raises:
            ArmError: It is not; worded by what is missing.
        """
        place = call.place
        group = parse_segments(place.segments[:4])
        if group.is_group and place.key != group.key and self.store.get(group.key) is None:
            raise errors.group_not_found(place.group)
        parent = place.parent
        while parent.is_implied:
            parent = parent.parent
        if self._is_there(call, parent):
            return
        if place.type_key.startswith(f"{parent.type_key}/"):
            raise errors.parent_not_found(place.kind, parent.id, write=write)
        raise not_found(parent)

    def _is_there(self, call: Call, parent: Place) -> bool:
        if parent.is_tenant or parent.is_subscription or parent.is_group or parent.words:
            return True
        if _is_root(call, parent):
            return True
        return self.find(call, parent) is not None or self._is_held_elsewhere(call, parent)

    def _is_held_elsewhere(self, call: Call, scope: Place) -> bool:
        """Tell whether a scope is what a data plane holds, of a resource that is there.

        Roles are assigned to it, and locks laid on it, but Resource Manager does not know it.
        """
        owner = HELD_ELSEWHERE.fullmatch(scope.id)
        if owner is None or not call.place.id[len(scope.id) :].lower().startswith("/providers/"):
            return False
        return self._is_there(call, parse_segments(split_path(owner[1])))

    def check_locks(self, place: Place, *, verb: str, levels: tuple[str, ...]) -> None:
        """Check that no management lock stands in the way. `verb`: delete or write.

        Raises:
            ArmError: One does.
        """
        lock = self.store.lock_on(place.key, levels=levels, within=verb == "delete")
        if lock is not None:
            raise errors.scope_locked(place.id, lock.id, verb=verb)


def _is_named(item: object, name: str) -> bool:
    found = item.get("name") if isinstance(item, dict) and "properties" in item else None
    return isinstance(found, str) and found.lower() == name.lower()


def _is_root(call: Call, place: Place) -> bool:
    """Tell whether a place is the root management group, which is always there."""
    name = place.name.lower()
    return place.type_key == MANAGEMENT_GROUPS and name == call.caller.tenant_id.lower()


def _root(place: Place) -> Document:
    return {"id": place.id, "type": place.kind, "name": place.name}


def _parent_group(group: Resource) -> str:
    details = group.properties.get("details")
    parent = details.get("parent") if isinstance(details, dict) else None
    return str(parent.get("id") or "") if isinstance(parent, dict) else ""


def named_items(items: object) -> dict[str, Document]:
    """Return a parent's list of children by name.

    Raises:
        ArmError: One has no name.
    """
    named: dict[str, Document] = {}
    for item in items if isinstance(items, list) else ():
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            message = "The name of a child resource is missing or invalid."
            raise errors.ArmError(400, "InvalidRequestFormat", message)
        named[name] = item
    return named


def not_found(place: Place) -> errors.ArmError:
    """Return the 404 for a place."""
    if place.is_group:
        return errors.group_not_found(place.name)
    return errors.resource_not_found(place.kind, place.names, place.group)


def _recoverable(resource: Resource, *, now: datetime) -> tuple[Place, Document]:
    """Return the place and the document of a deleted resource that can be recovered."""
    old, rules = resource.document, rules_for(resource.kind)
    kind = rules.recoverable
    days = resource.properties.get("softDeleteRetentionInDays")
    retained = timedelta(days=days if isinstance(days, int) and 1 <= days <= 90 else rules.retained)  # noqa: PLR2004 - Azure's bounds
    segments = tuple(s for s in resource.id.split("/") if s)
    here = parse_segments(segments)
    location = str(old.get("location", "global")).lower().replace(" ", "")
    place = parse_segments(
        (*segments[:2], "providers", here.namespace, "locations", location, kind, here.name)
    )
    what = kind.removeprefix("deleted").removesuffix("s")  # such as Vault
    properties = {
        f"{what[:1].lower()}{what[1:]}Id": resource.id,
        "location": location,
        "tags": old.get("tags"),
        "deletionDate": documents.written_moment(now),
        "scheduledPurgeDate": documents.written_moment(now + retained),
        "purgeProtectionEnabled": resource.properties.get(rules.protected),
        "deletionId": guid(resource.id, "deletionId"),
    }
    identity = {"id": place.id, "name": place.name, "type": place.kind}
    return place, {**identity, "properties": properties}
