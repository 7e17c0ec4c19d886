"""Locks of Terraform states, as Terraform tells of them when it meets one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

LOCKED = re.compile(
    r"Error acquiring the state lock|state blob is already locked|Error locking state"
)
FIELDS = re.compile(
    r"^[│|\s]*(ID|Path|Operation|Who|Version|Created):[ \t]*(.*?)\s*$", re.MULTILINE
)
CREATED = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)")


@dataclass(frozen=True, kw_only=True)
class StateLock:
    """A lock, and what it says of who holds it. What it does not say is empty.

    `created` is aware; None where it is not told.
    """

    id: str = ""
    path: str = ""
    operation: str = ""
    who: str = ""
    created: datetime | None = None

    def __str__(self) -> str:
        """Say who holds it, since when, and for what."""
        who = self.who or "somebody (the lock does not say who)"
        since = f" since {self.created:%Y-%m-%d %H:%M:%S} UTC" if self.created else ""
        operation = self.operation.removeprefix("OperationType").lower()
        return f"{who}{since}" + (f" for {operation}" if operation else "")


def find_lock(text: str) -> StateLock | None:
    """Find the lock that a command was stopped by; None where it was none."""
    if not LOCKED.search(text):
        return None
    found = dict(FIELDS.findall(text))
    moment = CREATED.match(found.get("Created", ""))
    return StateLock(
        id=found.get("ID", ""),
        path=found.get("Path", ""),
        operation=found.get("Operation", ""),
        who=found.get("Who", ""),
        created=(
            datetime.fromisoformat(f"{moment[1]}T{moment[2]}").replace(tzinfo=timezone.utc)
            if moment
            else None
        ),
    )
