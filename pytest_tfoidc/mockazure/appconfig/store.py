"""The content of configuration stores: key-values by key and label, their revisions, snapshots."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

REVISIONS_KEPT = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class KeyValue:
    """One key with one label, as it was written. `label` is None for no label."""

    key: str
    label: str | None
    value: str | None
    content_type: str | None
    tags: Mapping[str, str]
    modified: datetime
    etag: str
    locked: bool = False

    def __repr__(self) -> str:
        """Show which one it is, never its value."""
        return f"<KeyValue {self.key} {self.label or ''}>"

    def document(self) -> dict[str, Any]:
        """Return it as it is shown."""
        return {
            "etag": self.etag,
            "key": self.key,
            "label": self.label,
            "content_type": self.content_type,
            "value": self.value,
            "last_modified": self.modified.isoformat(timespec="seconds"),
            "locked": self.locked,
            "tags": dict(self.tags),
        }

    def changed(self, now: datetime, **changes: Any) -> KeyValue:  # noqa: ANN401 - see the fields
        """Return it with changes, as a new version."""
        return replace(self, **changes, modified=now, etag=new_etag())


@dataclass(frozen=True, kw_only=True)
class ConfigSnapshot:
    """Key-values as they were at a moment. `archived`: when it was; it expires after that."""

    name: str
    filters: tuple[Mapping[str, Any], ...]
    composition: str
    created: datetime
    retention: int
    tags: Mapping[str, str]
    etag: str
    items: tuple[KeyValue, ...]
    archived: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Return it as it is shown."""
        expires = self.archived + timedelta(seconds=self.retention) if self.archived else None
        return {
            "etag": self.etag,
            "name": self.name,
            "status": "archived" if self.archived else "ready",
            "filters": [dict(f) for f in self.filters],
            "composition_type": self.composition,
            "created": self.created.isoformat(timespec="seconds"),
            "expires": expires.isoformat(timespec="seconds") if expires else None,
            "retention_period": self.retention,
            "size": sum(len(str(i.document())) for i in self.items),
            "items_count": len(self.items),
            "tags": dict(self.tags),
        }


@dataclass(kw_only=True)
class Configuration:
    """The content of one store."""

    items: dict[tuple[str, str | None], KeyValue] = field(default_factory=dict)
    revisions: tuple[KeyValue, ...] = ()
    snapshots: dict[str, ConfigSnapshot] = field(default_factory=dict)

    def copy(self) -> Configuration:
        """Return a copy that changes apart."""
        return Configuration(
            items=dict(self.items), revisions=self.revisions, snapshots=dict(self.snapshots)
        )

    def put(self, item: KeyValue) -> KeyValue:
        """Keep a key-value, and its revision."""
        self.items[item.key, item.label] = item
        self.revisions = (*self.revisions, item)
        return item

    def settle(self, now: datetime) -> None:
        """Drop what has been kept for long enough: old revisions, archived snapshots."""
        if self.revisions and self.revisions[0].modified + REVISIONS_KEPT <= now:
            self.revisions = tuple(r for r in self.revisions if r.modified + REVISIONS_KEPT > now)
        for name, snapshot in tuple(self.snapshots.items()):
            archived = snapshot.archived
            if archived and archived + timedelta(seconds=snapshot.retention) <= now:
                del self.snapshots[name]

    def sorted(self) -> list[KeyValue]:
        """Return the key-values in the order of keys and labels."""
        return sorted(self.items.values(), key=lambda i: (i.key, i.label or ""))


def new_etag() -> str:
    """Make an ETag as the service makes them."""
    return (
        base64.urlsafe_b64encode(uuid.uuid4().bytes + uuid.uuid4().bytes[:8]).decode().rstrip("=")
    )
