"""Leases of blobs and containers: five states, five actions, on the virtual clock.

Source: https://learn.microsoft.com/rest/api/storageservices/lease-blob, both of its tables.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pytest_tfoidc.mockazure.storage.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease as it was last changed; what it is now follows from the time.

    `seconds` is None for an infinite lease. `ends_at` is when it expires, or when its break
    period is over.
    """

    lease_id: str = ""
    seconds: int | None = None
    ends_at: datetime | None = None
    broken: bool = False

    def state(self, now: datetime) -> str:
        """Return Azure's word: available, leased, expired, breaking or broken."""
        if not self.lease_id:
            return "available"
        over = self.ends_at is not None and self.ends_at <= now
        if self.broken:
            return "broken" if over else "breaking"
        return "expired" if over else "leased"

    def locked(self, now: datetime) -> bool:
        """Tell whether writing needs the lease id."""
        return self.state(now) in {"leased", "breaking"}

    def headers(self, now: datetime) -> dict[str, str]:
        """Return the headers that tell the lease."""
        state = self.state(now)
        status = "locked" if self.locked(now) else "unlocked"
        headers = {"x-ms-lease-status": status, "x-ms-lease-state": state}
        if state == "leased":
            headers["x-ms-lease-duration"] = "infinite" if self.seconds is None else "fixed"
        return headers

    def after_write(self, now: datetime) -> Lease:
        """Return the lease as a write leaves it: one that does not lock any more is forgotten."""
        return self if self.locked(now) else FREE


FREE = Lease()


def _end(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def acquire(lease: Lease, *, proposed: str, seconds: int | None, now: datetime) -> Lease:
    """Lease what is free; with the same id, lease anew for another time."""
    state = lease.state(now)
    if state == "breaking" and proposed == lease.lease_id:
        raise StorageError("LeaseIsBreakingAndCannotBeAcquired")
    if lease.locked(now) and proposed != lease.lease_id:
        raise StorageError("LeaseAlreadyPresent")
    lease_id = proposed or str(uuid.uuid4())
    return Lease(lease_id=lease_id, seconds=seconds, ends_at=_end(now, seconds))


def renew(lease: Lease, *, lease_id: str, now: datetime) -> Lease:
    """Start the lease's time again; an expired one as well, while nobody wrote."""
    if lease_id != lease.lease_id:
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    if lease.broken:
        raise StorageError("LeaseIsBrokenAndCannotBeRenewed")
    return replace(lease, ends_at=_end(now, lease.seconds))


def change(lease: Lease, *, lease_id: str, proposed: str, now: datetime) -> Lease:
    """Return the lease another id. Doing so twice is no error."""
    if not lease.locked(now):
        raise StorageError("LeaseNotPresentWithLeaseOperation")
    if lease.lease_id not in {lease_id, proposed}:
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    if lease.broken:
        raise StorageError("LeaseIsBreakingAndCannotBeChanged")
    return replace(lease, lease_id=proposed)


def release(lease: Lease, *, lease_id: str) -> Lease:
    """End the lease, also one that expired or was broken."""
    if lease_id != lease.lease_id:
        raise StorageError("LeaseIdMismatchWithLeaseOperation")
    return FREE


def break_(lease: Lease, *, period: int | None, now: datetime) -> Lease:
    """End the lease without its id, at once or after a period in seconds.

    Without a period an infinite lease ends at once, any other when its time is over.
    """
    state = lease.state(now)
    if state == "available":
        raise StorageError("LeaseNotPresentWithLeaseOperation")
    if not lease.locked(now):
        return replace(lease, broken=True, ends_at=lease.ends_at or now)
    rest = lease.ends_at or (now if period is None else None)
    wanted = None if period is None else now + timedelta(seconds=period)
    ends_at = min(moment for moment in (rest, wanted) if moment is not None)
    return replace(lease, broken=True, ends_at=ends_at)


def check_read(lease: Lease, *, lease_id: str, now: datetime, kind: str = "Blob") -> None:
    """Refuse a read that names a lease which is not there. `kind`: Blob or Container."""
    if not lease_id:
        return
    if not lease.locked(now):
        raise StorageError(f"LeaseNotPresentWith{kind}Operation")
    if lease_id != lease.lease_id:
        raise StorageError(f"LeaseIdMismatchWith{kind}Operation")


def check_write(lease: Lease, *, lease_id: str, now: datetime, kind: str = "Blob") -> None:
    """Refuse a write without the lease's id, or with another one."""
    if lease.locked(now) and not lease_id:
        raise StorageError("LeaseIdMissing")
    check_read(lease, lease_id=lease_id, now=now, kind=kind)
