"""Frozen events, and the log that they are kept in.

Reports subscribe to events; nothing in the core prints.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened at a moment of the virtual clock (aware, UTC)."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class IdTokenMinted(Event):
    """The stand-in's issuer signed an ID token. `protocol`: azure-devops or github."""

    protocol: str
    subject: str
    audience: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class IdTokenRefused(Event):
    """An ID token endpoint refused a request."""

    protocol: str
    status: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class IdTokenFetched(Event):
    """The relay or the credential asked the pipeline for an ID token and got it.

    `due_at`: from then on whoever asks gets the next one, where that is known.
    """

    audience: str
    expires_at: datetime
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class IdTokenFetchFailed(Event):
    """The relay or the credential asked the pipeline for an ID token and did not get it."""

    audience: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RequestTokenExpiring(Event):
    """The request token is about to die. `consequence`: what dies with it, a sentence."""

    expires_at: datetime
    consequence: str


@dataclass(frozen=True, kw_only=True)
class IdTokenServed(Event):
    """The relay handed an ID token to a client. `age`: since the token was fetched.

    `connection`: the service connection, where it is not the context's own.
    """

    protocol: str
    audience: str
    age: timedelta
    connection: str = ""


@dataclass(frozen=True, kw_only=True)
class AccessTokenIssued(Event):
    """Entra exchanged an ID token. `id_token_age`: since the ID token was issued."""

    client_id: str
    scope: str
    expires_at: datetime
    id_token_age: timedelta
    tenant_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ExchangeRefused(Event):
    """Entra refused an ID token. `code`: AADSTS and digits."""

    client_id: str
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class AccessTokenRefused(Event):
    """A service of the stand-in refused a bearer: missing, malformed, expired or audience."""

    host: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class HostRefused(Event):
    """A client asked the stand-in's proxy for a host that is neither Azure nor a registry."""

    host: str


@dataclass(frozen=True, kw_only=True)
class HostPassedThrough(Event):
    """A client reached a registry through the stand-in's proxy."""

    host: str


@dataclass(frozen=True, kw_only=True)
class RequestAnswered(Event):
    """The stand-in answered a request for one of Azure's hosts.

    `target`: the path with the query, and `body`: a hash of the answer, to tell answers apart.
    `is_sign_in`: it was asked for a token, which is another one each time.
    """

    host: str
    method: str
    path: str
    status: int
    target: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    is_sign_in: bool = False


@dataclass(frozen=True, kw_only=True)
class FaultHit(Event):
    """A request was hit by a fault that was set in the stand-in. `fault`: what it does."""

    host: str
    fault: str


@dataclass(frozen=True, kw_only=True)
class CommandStarted(Event):
    """A Terraform command started. `command`: the subcommand, without arguments.

    `number`: tells commands of one process apart; its other events have the same.
    """

    command: str
    module: str
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class CommandFinished(Event):
    """A Terraform command ended. `seconds`: real time."""

    command: str
    module: str
    exit_code: int
    seconds: float
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class StepPlanned(Event):
    """A command will change a resource, or run a run block. `number`: the command's."""

    number: int
    address: str
    action: str


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """A command began to change a resource, or to run a run block. `number`: the command's."""

    number: int
    address: str
    action: str


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    """A command ended with a resource or a run block. `number`: the command's."""

    number: int
    address: str
    is_done: bool


@dataclass(frozen=True, kw_only=True)
class ModuleCopied(Event):
    """A module was isolated. `seconds`: real time; `linked`: what was too large to be copied."""

    module: str
    seconds: float
    linked: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProtectionLifted(Event):
    """`prevent_destroy` was lifted in a copy, for the clean-up, for resources as TYPE.NAME."""

    module: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CheckBlockFailed(Event):
    """A `check` block of a module failed: to Terraform a warning. `words`: its own, and where."""

    module: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ClockMoved(Event):
    """The virtual clock jumped. `at` is the moment after the jump."""

    by: timedelta
    reason: str


@dataclass(frozen=True, kw_only=True)
class TokensExpired(Event):
    """Everything of one kind that had been issued was made to expire. `kind`: id or access."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class CredentialFound(Event):
    """A token or a secret was found where it should not be. Never holds the value."""

    file: str
    field: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class VariableWithheld(Event):
    """A variable of the outer environment was kept from the child, because of `reason`."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ItemStarted(Event):
    """A test began. `item`: its id."""

    item: str


@dataclass(frozen=True, kw_only=True)
class ItemFinished(Event):
    """A test ended. `words`: the first line of what went wrong. `seconds`: real time.

    `evidence`: what it has shown of `module`, as the summary counts it; empty for other tests.
    `failure`: what pytest tells of a failure, cut where it is long.
    """

    item: str
    outcome: str
    seconds: float
    words: str = ""
    module: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class RunDescribed(Event):
    """A run knows which Terraform and which context it has. `text`: a line for people."""

    text: str


E = TypeVar("E", bound=Event)
Subscriber = Callable[[Event], None]


class EventLog:
    """Every event in its order, and the subscribers who are told at once. Thread safe.

    Args:
        keeps: False only tells the subscribers: what runs for days would fill the memory.
    """

    def __init__(self, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self._events: list[Event] = []
        self._subscribers: list[Subscriber] = []
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Keep the event and tell every subscriber, in the caller's thread."""
        with self._lock:
            if self._keeps:
                self._events.append(event)
            subscribers = tuple(self._subscribers)
        for subscriber in subscribers:
            subscriber(event)

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Tell the subscriber of every event that is emitted inside the block."""
        with self._lock:
            self._subscribers.append(subscriber)
        try:
            yield
        finally:
            with self._lock:
                self._subscribers.remove(subscriber)

    def mark(self) -> int:
        """Return a position: `since(position)` are the events after it."""
        with self._lock:
            return len(self._events)

    def since(self, position: int = 0) -> tuple[Event, ...]:
        """Return the events after a position that `mark` gave."""
        with self._lock:
            return tuple(self._events[position:])

    def of(self, kind: type[E], *, since: int = 0) -> tuple[E, ...]:
        """Return the events of one kind after a position."""
        return tuple(e for e in self.since(since) if isinstance(e, kind))


def hosts_refused(events: Iterable[Event]) -> tuple[str, ...]:
    """Return the hosts that were asked for and refused, each once."""
    return tuple(dict.fromkeys(one.host for one in events if isinstance(one, HostRefused)))
