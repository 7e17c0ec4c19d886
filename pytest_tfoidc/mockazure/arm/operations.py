"""Operations that take their time: the virtual clock's, never a client's.

A real client polls every Retry-After. Here it need not wait: its next poll moves the virtual clock
to where it would have stood. Several operations at once pass together, as they do in life.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_tfoidc.clock import parse_duration
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import ClockMoved, EventLog

if TYPE_CHECKING:
    from pytest_tfoidc.clock import VirtualClock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

VERBS = ("create", "update", "delete")
STATES = {"create": "Creating", "update": "Updating", "delete": "Deleting"}
USUAL_POLLS = 10
MOST_POLLS = 60  # of one operation, however long it takes
LONGEST_STEP = timedelta(seconds=60)  # unless that makes too many polls
LONGEST = timedelta(days=1000)
PYTHON_SDK = "azsdk-python"
MOST_REMEMBERED = 10_000  # finished operations that can still be asked for


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation on the resource with this id (`key`: in lower case)."""

    id: str
    key: str
    kind: str
    verb: str
    started: datetime
    ends: datetime
    step: timedelta
    next_poll: datetime
    output: object = None  # of an action: what its end tells, as JSON

    @property
    def state(self) -> str:
        """The resource's provisioningState while this goes on."""
        return STATES[self.verb]

    def done(self, now: datetime) -> bool:
        """Tell whether it has ended."""
        return now >= self.ends

    def percent(self, now: datetime) -> float:
        """Tell how far it is."""
        whole = (self.ends - self.started) or timedelta(seconds=1)
        return round(min(1.0, (now - self.started) / whole) * 100, 1)


@dataclass(frozen=True)
class OperationsSnapshot:
    """A state to come back to."""

    running: Mapping[str, Operation]
    known: Mapping[str, Operation]
    durations: Mapping[tuple[str, str], timedelta]


class Operations:
    """Durations by type and verb, and what is under way."""

    def __init__(self, *, clock: VirtualClock, events: EventLog) -> None:
        self._clock = clock
        self._events = events
        self._durations: dict[tuple[str, str], timedelta] = {}
        self._running: dict[str, Operation] = {}
        self._known: dict[str, Operation] = {}

    def takes(self, kind: str, duration: str | timedelta, verbs: Iterable[str]) -> None:
        """Let operations on a type take their time.

        Raises:
            UsageError: A verb or the duration is none.
        """
        by = parse_duration(duration) if isinstance(duration, str) else duration
        if by > LONGEST:
            raise UsageError(f"No operation of Azure takes {by}.", remedy="Use at most 1000 days.")
        for verb in verbs:
            if verb not in VERBS:
                raise UsageError(
                    f"{verb!r} is no operation.", remedy=f"Use one of {', '.join(VERBS)}."
                )
            self._durations[kind.lower(), verb] = by

    def duration(self, kind: str, verb: str) -> timedelta:
        """Tell how long an operation on a type takes; zero for one that is done at once."""
        return self._durations.get((kind.lower(), verb), timedelta())

    @property
    def are_instant(self) -> bool:
        """Whether nothing has been made to take its time."""
        return not any(self._durations.values())

    def now(self) -> datetime:
        """Return the virtual time."""
        return self._clock.now()

    def start(
        self, place: Place, verb: str, duration: timedelta, *, output: object = None
    ) -> Operation:
        """Start an operation; one that is already under way there is over with that."""
        now = self._clock.now()
        step = max(duration / MOST_POLLS, min(LONGEST_STEP, duration / USUAL_POLLS))
        operation = Operation(
            id=str(uuid.uuid4()),
            key=place.key,
            kind=place.kind,
            verb=verb,
            started=now,
            ends=now + duration,
            step=step,
            next_poll=now + step,
            output=output,
        )
        self._running[place.key] = self._known[operation.id] = operation
        while len(self._known) > MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        return operation

    def get(self, operation_id: str) -> Operation | None:
        """Return an operation by its id, also a finished one."""
        return self._known.get(operation_id)

    def on(self, key: str) -> Operation | None:
        """Return what is under way on a resource."""
        return self._running.get(key)

    def deleting_around(self, key: str) -> Operation | None:
        """Return the deletion under way of a resource or of something that it lies in."""
        for operation in self._running.values():
            if operation.verb == "delete" and f"{key}/".startswith(f"{operation.key}/"):
                return operation
        return None

    def poll(self, operation: Operation) -> None:
        """Move the virtual clock to when a client would have polled next."""
        now = self._clock.now()
        by = min(operation.next_poll, operation.ends) - now
        if by > timedelta():
            self._clock.advance(by)
            now = self._clock.now()
            reason = f"{operation.verb} {operation.kind}"
            self._events.emit(ClockMoved(at=now, by=by, reason=reason))
        polled = replace(operation, next_poll=now + operation.step)
        self._known[operation.id] = polled
        current = self._running.get(operation.key)
        if current is not None and current.id == operation.id:
            self._running[operation.key] = polled

    def settle(self) -> list[Operation]:
        """Return the operations that have ended since the last call, and forget them."""
        if not self._running:
            return []
        now = self._clock.now()
        ended = [o for o in self._running.values() if o.done(now)]
        for operation in ended:
            del self._running[operation.key]
        return ended

    def snapshot(self) -> OperationsSnapshot:
        """Return the state, to be restored later."""
        return OperationsSnapshot(dict(self._running), dict(self._known), dict(self._durations))

    def restore(self, snapshot: OperationsSnapshot) -> None:
        """Go back to a state."""
        self._running, self._known = dict(snapshot.running), dict(snapshot.known)
        self._durations = dict(snapshot.durations)


def retry_headers(request: Request) -> dict[str, str]:
    """Return the headers that let a client poll again at once.

    go-azure-sdk takes `Retry-After` only, as whole seconds, and waits 10 s without it; azcore (Go)
    looks at the milliseconds first and takes no 0; the Python SDK looks at `Retry-After` first and
    waits 30 s where that is 0. So the Python SDK gets the milliseconds alone.
    """
    soon = {"x-ms-retry-after-ms": "1"}
    if PYTHON_SDK in request.headers.get("user-agent", "").lower():
        return soon
    return {"Retry-After": "0", **soon}
