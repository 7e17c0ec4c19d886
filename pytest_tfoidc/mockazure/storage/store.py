"""The store of the blob service: accounts, containers, block blobs and their snapshots.

Blobs are values: a change puts another one in their place, so a copy of everything is cheap.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.storage.errors import StorageError
from pytest_tfoidc.mockazure.storage.leases import FREE, Lease

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock

CONTAINER_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}|\$root|\$web|\$logs")
MAX_CONTAINER_NAME = 63
MAX_BLOB_NAME = 1024
TICKS_PER_SECOND = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """Which version of a blob or container this is, and since when."""

    etag: str
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class Block:
    """A committed block: its id, in base64, and its size in bytes."""

    block_id: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob, or a snapshot of one. `properties` are its HTTP headers.

    `kind`: BlockBlob, AppendBlob or PageBlob. `appends`: how many blocks were appended.
    `sealed`: nothing more can be. `sequence`: a page blob's number. `tier`: which somebody set.
    `scope`: what it is encrypted with.
    """

    content: bytes
    properties: Mapping[str, str]
    metadata: Mapping[str, str]
    stamp: Stamp
    created: datetime
    lease: Lease = FREE
    blocks: tuple[Block, ...] = ()
    kind: str = "BlockBlob"
    appends: int = 0
    sealed: bool = False
    sequence: int = 0
    tier: str = ""
    scope: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Container:
    """A container, with blobs by name and snapshots by name and time.

    `scope`: what its blobs are encrypted with, where they name nothing else.
    """

    stamp: Stamp
    metadata: Mapping[str, str] = field(default_factory=dict)
    lease: Lease = FREE
    public_access: str = ""
    policies: str = ""
    scope: str = ""
    blobs: dict[str, Blob] = field(default_factory=dict)
    snapshots: dict[tuple[str, str], Blob] = field(default_factory=dict)
    uncommitted: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def copy(self) -> Container:
        """Return a copy that shares nothing that can change."""
        return replace(
            self,
            blobs=dict(self.blobs),
            snapshots=dict(self.snapshots),
            uncommitted={name: dict(blocks) for name, blocks in list(self.uncommitted.items())},
        )

    def snapshots_of(self, name: str) -> list[str]:
        """Return the times of a blob's snapshots, the oldest first."""
        return sorted(at for blob, at in self.snapshots if blob == name)

    def remove(self, name: str) -> None:
        """Forget a blob and its uncommitted blocks."""
        self.blobs.pop(name, None)
        self.uncommitted.pop(name, None)


@dataclass(kw_only=True)
class Account:
    """A storage account's blob service. `deleted` are containers that were there before.

    `service_properties`: by service, as XML by its tag.
    """

    containers: dict[str, Container] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    service_properties: dict[str, dict[str, str]] = field(default_factory=dict)

    def copy(self) -> Account:
        """Return a copy that shares nothing that can change."""
        return Account(
            containers={name: c.copy() for name, c in list(self.containers.items())},
            deleted=set(self.deleted),
            service_properties={s: dict(p) for s, p in list(self.service_properties.items())},
        )


class BlobStore:
    """Every account. Accounts and containers are there as soon as somebody uses them.

    Args:
        clock: Tells the virtual time.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._ticks = 0
        self.accounts: dict[str, Account] = {}

    def now(self) -> datetime:
        """Return the virtual time."""
        return self._clock.now()

    def stamp(self) -> Stamp:
        """Return the stamp of a change that is made now; no two have the same ETag."""
        now = self.now()
        self._ticks = max(self._ticks + 1, int(now.timestamp() * TICKS_PER_SECOND))
        return Stamp(etag=f'"0x8D{self._ticks:014X}"', modified=now)

    def account(self, name: str) -> Account:
        """Return an account."""
        return self.accounts.setdefault(name, Account())

    def container(self, account: str, name: str) -> Container:
        """Return a container that a blob operation uses; make it unless it was deleted.

        Raises:
            StorageError: The name is no container's, or somebody deleted the container.
        """
        check_container_name(name)
        holder = self.account(account)
        if name in holder.deleted:
            raise StorageError("ContainerNotFound")
        if name not in holder.containers:
            holder.containers[name] = Container(stamp=self.stamp())
        return holder.containers[name]

    def keep(self, account: str, name: str) -> None:
        """Let a container be there that Resource Manager has."""
        holder = self.account(account)
        holder.deleted.discard(name)
        holder.containers.setdefault(name, Container(stamp=self.stamp()))

    def drop(self, account: str, name: str) -> None:
        """Let a container be gone that Resource Manager has no more."""
        holder = self.account(account)
        if holder.containers.pop(name, None) is not None:
            holder.deleted.add(name)

    def snapshot_time(self, container: Container, name: str) -> str:
        """Return the time that names a new snapshot: seven digits after the point, never twice."""
        moment = self.now()
        while (name, snapshot_name(moment)) in container.snapshots:
            moment += timedelta(microseconds=1)
        return snapshot_name(moment)

    def copy(self) -> dict[str, Account]:
        """Return a copy of everything."""
        return {name: account.copy() for name, account in list(self.accounts.items())}


def snapshot_name(moment: datetime) -> str:
    """Write a moment as the service names snapshots."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"


def check_container_name(name: str) -> None:
    """Refuse what cannot be a container's name.

    Raises:
        StorageError: It cannot.
    """
    if not CONTAINER_NAME.fullmatch(name) or len(name) > MAX_CONTAINER_NAME:
        raise StorageError("InvalidResourceName")


def check_blob_name(name: str) -> None:
    """Refuse what cannot be a blob's name.

    Raises:
        StorageError: It is too long.
    """
    if len(name) > MAX_BLOB_NAME:
        raise StorageError("OutOfRangeInput")


def md5(content: bytes) -> str:
    """Return the Content-MD5 of some bytes (RFC 1864)."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
