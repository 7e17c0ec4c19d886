"""The content of vaults: versions of secrets, keys, certificates, deleted ones, contacts, issuers.

Everything is replaced, never changed in place: a copy of the dictionaries is a copy of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

Key = tuple[str, str]  # kind, name in lower case


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of an object. Times are seconds since 1970. `content` is the kind's own."""

    id: str
    created: int
    updated: int
    content: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] | None = None
    managed: bool = False

    def __repr__(self) -> str:
        """Show which version it is, never what it holds."""
        return f"<Version {self.id}>"

    @property
    def enabled(self) -> bool:
        """Whether it can be used."""
        return self.attributes.get("enabled") is not False


@dataclass(frozen=True, kw_only=True)
class Item:
    """A secret, key or certificate. `settings`: a policy, or a certificate's pending operation."""

    kind: str
    name: str
    versions: tuple[Version, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def latest(self) -> Version:
        """The current version."""
        return self.versions[-1]

    @property
    def key(self) -> Key:
        """The kind and the name for comparisons: names have no case."""
        return self.kind, self.name.lower()

    def version(self, version_id: str) -> Version | None:
        """Return a version, the current one for an empty id; None where there is none."""
        if not version_id:
            return self.versions[-1] if self.versions else None
        return next((v for v in self.versions if v.id == version_id.lower()), None)

    def with_version(self, version: Version) -> Item:
        """Return it with a version added, or put in the place of the one with this id."""
        if any(v.id == version.id for v in self.versions):
            versions = tuple(version if v.id == version.id else v for v in self.versions)
        else:
            versions = (*self.versions, version)
        return replace(self, versions=versions)


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """Something deleted that can be recovered until it is purged."""

    item: Item
    at: datetime
    purged_at: datetime


@dataclass(kw_only=True)
class Content:
    """The content of one vault."""

    items: dict[Key, Item] = field(default_factory=dict)
    deleted: dict[Key, Deleted] = field(default_factory=dict)
    contacts: tuple[Mapping[str, Any], ...] = ()
    issuers: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def copy(self) -> Content:
        """Return a copy that changes apart."""
        return Content(
            items=dict(self.items),
            deleted=dict(self.deleted),
            contacts=self.contacts,
            issuers=dict(self.issuers),
        )

    def settle(self, now: datetime) -> None:
        """Purge what has been deleted for as long as the vault retains it."""
        for key in [k for k, d in self.deleted.items() if d.purged_at <= now]:
            del self.deleted[key]

    def of_kind(self, kind: str) -> list[Item]:
        """Return the objects of a kind that have a version, by name."""
        found = [i for k, i in self.items.items() if k[0] == kind and i.versions]
        return sorted(found, key=lambda item: item.name.lower())

    def deleted_of_kind(self, kind: str) -> list[Deleted]:
        """Return the deleted objects of a kind, by name."""
        found = [d for k, d in self.deleted.items() if k[0] == kind]
        return sorted(found, key=lambda deleted: deleted.item.name.lower())


class VaultStore:
    """The contents of vaults, by the vault's name in lower case."""

    def __init__(self) -> None:
        self._vaults: dict[str, Content] = {}

    def content(self, name: str, now: datetime) -> Content:
        """Return what a vault holds at a moment."""
        content = self._vaults.setdefault(name.lower(), Content())
        content.settle(now)
        return content

    def forget(self, name: str) -> None:
        """Drop all that a vault holds: it was purged."""
        self._vaults.pop(name.lower(), None)

    def snapshot(self) -> dict[str, Content]:
        """Return a copy of everything, for `restore`."""
        return {name: content.copy() for name, content in self._vaults.items()}

    def restore(self, held: Mapping[str, Content]) -> None:
        """Put back what `snapshot` returned; it can be put back more than once."""
        self._vaults = {name: content.copy() for name, content in held.items()}
