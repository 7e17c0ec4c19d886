"""The store of Resource Manager: resources by id, with the indexes that keep every call flat.

A stored resource is never changed in place, only replaced: a snapshot is a copy of dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

Document = dict[str, Any]
LOCKS = "microsoft.authorization/locks"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `document` is what a read gives; `parent` and `key` are in lower case."""

    key: str
    parent: str
    kind: str
    document: Document
    number: int

    @property
    def id(self) -> str:
        """The id, in the case in which it was stored."""
        return str(self.document["id"])

    @property
    def name(self) -> str:
        """The name, in the case in which it was stored."""
        return str(self.document["name"])

    @property
    def properties(self) -> Document:
        """The properties; empty where there are none."""
        found = self.document.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def is_tracked(self) -> bool:
        """Whether `resources` lists it: tracked resources have a location; groups do not count."""
        return "location" in self.document and self.kind != "microsoft.resources/resourcegroups"


@dataclass(frozen=True)
class StoreSnapshot:
    """A state to come back to."""

    resources: Mapping[str, Resource]
    number: int


class Store:
    """Resources by id (in lower case), and by parent and type in the order of creation."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}
        self._children: dict[str, dict[str, dict[str, None]]] = {}  # parent, type, ids
        self._of_type: dict[str, dict[str, None]] = {}
        self._between: dict[str, dict[str, None]] = {}  # parents that nobody stored, by theirs
        self._number = 0

    def __len__(self) -> int:
        """Count the resources."""
        return len(self._resources)

    def __iter__(self) -> Iterator[Resource]:
        """Yield every resource, in the order of creation."""
        return iter(tuple(self._resources.values()))

    def get(self, key: str) -> Resource | None:
        """Return a resource by its id in lower case."""
        return self._resources.get(key)

    def put(self, place: Place, document: Document) -> Resource:
        """Store a resource, new or in the place of the one with this id."""
        before = self._resources.get(place.key)
        if before is None:
            self._number += 1
        number = self._number if before is None else before.number
        resource = Resource(place.key, place.parent.key, place.type_key, document, number)
        self._index(resource)
        return resource

    def _index(self, resource: Resource) -> None:
        self._resources[resource.key] = resource
        siblings = self._children.setdefault(resource.parent, {})
        siblings.setdefault(resource.kind, {})[resource.key] = None
        self._link(resource.parent)
        self._of_type.setdefault(resource.kind, {})[resource.key] = None

    def _link(self, parent: str) -> None:
        """Let a tree reach what lies in a parent that is always there: a service's `default`."""
        while parent and parent not in self._resources:
            above = parent.rpartition("/")[0].rpartition("/")[0]
            self._between.setdefault(above, {})[parent] = None
            parent = above

    def remove(self, key: str) -> list[Resource]:
        """Remove a resource and everything in it; give what was removed."""
        removed = list(self.tree(key))
        for resource in removed:
            del self._resources[resource.key]
            self._of_type[resource.kind].pop(resource.key)
            self._between.pop(resource.key, None)
            self._forget_child(resource)
        return removed

    def _forget_child(self, resource: Resource) -> None:
        siblings = self._children.get(resource.parent, {})
        same_kind = siblings.get(resource.kind, {})
        same_kind.pop(resource.key, None)
        if not same_kind:
            siblings.pop(resource.kind, None)

    def tree(self, key: str) -> Iterator[Resource]:
        """Yield a resource and everything in it, parents first."""
        waiting = [key]
        while waiting:
            current = waiting.pop()
            if current in self._resources:
                yield self._resources[current]
            for keys in self._children.get(current, {}).values():
                waiting.extend(keys)
            waiting.extend(self._between.get(current, ()))

    def children(self, key: str, kind: str) -> list[Resource]:
        """Return the resources of a type (in lower case) that lie directly in a place."""
        return [self._resources[k] for k in self._children.get(key, {}).get(kind, ())]

    def of_type(self, kind: str, *, below: str = "") -> list[Resource]:
        """Return the resources of a type (in lower case) at any depth below an id."""
        keys = self._of_type.get(kind, ())
        return [self._resources[k] for k in keys if not below or k.startswith(f"{below}/")]

    def lock_on(self, key: str, *, levels: tuple[str, ...], within: bool) -> Resource | None:
        """Find a management lock that a place inherits, or (`within`) that lies inside of it."""
        for lock in self.of_type(LOCKS):
            level = str(lock.properties.get("level", "")).lower()
            inherited = f"{key}/".startswith(f"{lock.parent}/")
            inside = within and f"{lock.parent}/".startswith(f"{key}/")
            if level in levels and (inherited or inside):
                return lock
        return None

    def snapshot(self) -> StoreSnapshot:
        """Return the state, to be restored later."""
        return StoreSnapshot(dict(self._resources), self._number)

    def restore(self, snapshot: StoreSnapshot) -> None:
        """Go back to a state."""
        self._resources, self._children, self._of_type, self._between = {}, {}, {}, {}
        self._number = snapshot.number
        for resource in snapshot.resources.values():
            self._index(resource)
