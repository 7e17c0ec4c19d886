"""The summary at the end: what was shown for each module, in a few true lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.entrafacts import EXPIRED
from pytest_tfoidc.events import (
    AccessTokenIssued,
    ClockMoved,
    CommandFinished,
    Event,
    ExchangeRefused,
    IdTokenFetched,
    IdTokenMinted,
    IdTokenServed,
    ItemFinished,
    RequestAnswered,
)

LABEL_WIDTH = 12
LONG_BEFORE_SECONDS = 5.0  # longer than clients were told that the token lives; for a remark


@dataclass(frozen=True, kw_only=True)
class ClientExpiries:
    """The expiries that one client was put to at one service.

    `calls`: how often it called. `expiries`: how often a token of its own had expired before a
    call. `aged`: the calls whose token had been left behind by the clock before it was first used.
    `waited`: the longest that a token waited for its first use, in real seconds. `refused`: the
    calls with a token that it had used before.
    """

    client: str
    service: str
    calls: int = 0
    expiries: int = 0
    aged: int = 0
    waited: float = 0.0
    refused: int = 0

    def __add__(self, other: ClientExpiries) -> ClientExpiries:
        """Add what was counted for the same client and service."""
        return ClientExpiries(
            client=self.client,
            service=self.service,
            calls=self.calls + other.calls,
            expiries=self.expiries + other.expiries,
            aged=self.aged + other.aged,
            waited=max(self.waited, other.waited),
            refused=self.refused + other.refused,
        )


TELLING_SECONDS = 60.0  # from here on, the age of an ID token tells something
NUMBERS, MOST = frozenset({"int", "float"}), 10**11  # of seconds or of things, in a file of events
FAILED = 400  # from here on, an HTTP status tells of a failure
SUBSCRIPTION = re.compile(r"/subscriptions/([0-9a-fA-F-]{36})(?:/|$)")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence of what one or more items of a module have shown. Times in seconds.

    `refreshed`: the ID tokens that took the place of one that an item had before.
    `oldest`: the greatest age of an ID token that was exchanged. `delay`, `clean_up`, `audited`,
    `controls`, `clients`: what the checks that passed have survived or seen. `subscriptions` and
    `identities`: the ids of those that were used.
    """

    id_tokens: int = 0
    served: int = 0
    exchanges: int = 0
    refreshed: int = 0
    refused: int = 0
    oldest: float = 0.0
    real: float = 0.0
    terraform: float = 0.0
    simulated: float = 0.0
    delay: float = 0.0
    clean_up: float = 0.0
    audited: int = 0
    controls: int = 0
    clients: tuple[ClientExpiries, ...] = ()
    subscriptions: Sequence[str] = ()
    identities: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Take the clients as they travel, too."""
        clients = (ClientExpiries(**c) if isinstance(c, dict) else c for c in self.clients)
        object.__setattr__(self, "clients", tuple(clients))

    @property
    def is_sound(self) -> bool:
        """Whether it is made of what it should be: it may come from a file."""
        numbers = [getattr(self, f.name) for f in fields(self) if f.type in NUMBERS]
        numbers += [
            getattr(one, f.name) for one in self.clients for f in fields(one) if f.type in NUMBERS
        ]
        texts = [*self.subscriptions, *self.identities]
        texts += [text for one in self.clients for text in (one.client, one.service)]
        return all(map(_is_amount, numbers)) and all(isinstance(text, str) for text in texts)

    @property
    def expiries(self) -> int:
        """How many expiries were forced on all clients together."""
        return sum(one.expiries for one in self.clients)

    def __add__(self, other: Evidence) -> Evidence:
        """Add what was counted; of ages and delays, keep the greatest, and all ids once."""
        greatest, ids = {"oldest", "delay", "clean_up"}, {"subscriptions", "identities"}
        values: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            mine, theirs = getattr(self, name), getattr(other, name)
            if name in ids:
                values[name] = tuple(sorted({*mine, *theirs}))
            else:
                values[name] = max(mine, theirs) if name in greatest else mine + theirs
        values["clients"] = _merged(values["clients"])
        return Evidence(**values)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, as they travel from a worker to the one who reports."""
        return asdict(self)


def _is_amount(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= MOST  # type: ignore[operator] # it is a number


def _merged(clients: tuple[ClientExpiries, ...]) -> tuple[ClientExpiries, ...]:
    merged: dict[tuple[str, str], ClientExpiries] = {}
    for one in clients:
        key = (one.client, one.service)
        merged[key] = merged[key] + one if key in merged else one
    return tuple(merged[key] for key in sorted(merged))


def evidence_of(events: Iterable[Event], *, real: float = 0.0) -> Evidence:
    """Count what an item's events show.

    Args:
        events: The events of one item.
        real: The real seconds that the item took.
    """
    events = tuple(events)
    exchanged = [e for e in events if isinstance(e, AccessTokenIssued)]
    jumped = sum((e.by for e in events if isinstance(e, ClockMoved)), timedelta())
    id_tokens = _count(events, IdTokenMinted) or _count(events, IdTokenFetched)
    return Evidence(
        id_tokens=id_tokens,
        refreshed=max(0, id_tokens - 1),
        served=_count(events, IdTokenServed),
        exchanges=len(exchanged),
        refused=_count(events, ExchangeRefused),
        oldest=max((e.id_token_age.total_seconds() for e in exchanged), default=0.0),
        real=real,
        terraform=sum(e.seconds for e in events if isinstance(e, CommandFinished)),
        simulated=real + jumped.total_seconds(),
        subscriptions=tuple(sorted(_subscriptions(events))),
        identities=tuple(sorted({e.client_id.lower() for e in exchanged})),
    )


def _subscriptions(events: Iterable[Event]) -> set[str]:
    """Return the subscriptions that Resource Manager was asked about with success."""
    answered = (e for e in events if isinstance(e, RequestAnswered) and e.status < FAILED)
    found = (SUBSCRIPTION.match(e.path) for e in answered if e.host.startswith("management."))
    return {match[1].lower() for match in found if match}


def _count(events: tuple[Event, ...], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)


def evidence_in(item: ItemFinished) -> Evidence | None:
    """Return what a test has shown; None where that is nothing, or of another version."""
    if not item.module or not item.evidence:
        return None
    try:
        evidence = Evidence(**item.evidence)
    except TypeError:
        return None
    return evidence if evidence.is_sound else None


def shown_for(finished: Iterable[ItemFinished]) -> dict[str, Evidence]:
    """Return what tests have shown, for each module together."""
    shown: dict[str, Evidence] = {}
    for one in finished:
        evidence = evidence_in(one)
        if evidence is not None:
            shown[one.module] = shown.get(one.module, Evidence()) + evidence
    return shown


def labelled(evidence: Evidence) -> dict[str, str]:
    """Return a module's summary by its labels: what was really shown."""
    lines = {
        "refreshed" if evidence.refreshed else "signed in": _signed_in(evidence),
        "used": _used(evidence),
        "survived": _survived(evidence),
        "expired": "; ".join(map(_expired, evidence.clients)),
        "cached": "no credential in plan, backend cache, state or lock file"
        if evidence.audited
        else "",
        "control": f"the token cached in the plan failed with {EXPIRED}, as it must"
        if evidence.controls
        else "",
        "time": _time(evidence),
    }
    return {label: text for label, text in lines.items() if text}


def summary_lines(evidence: Evidence) -> list[str]:
    """Write a module's summary: a line for each thing that was really shown."""
    return [f"  {label:<{LABEL_WIDTH}} {text}" for label, text in labelled(evidence).items()]


def skipped_lines(skipped: Iterable[str]) -> list[str]:
    """Write a line for each check that could not be made.

    Args:
        skipped: Its name, and the reason.
    """
    return [f"  {'skipped':<{LABEL_WIDTH}} {one}" for one in skipped]


def _signed_in(evidence: Evidence) -> str:
    if not evidence.id_tokens and not evidence.served:
        return ""
    counted = f"{_number(evidence.id_tokens, 'ID token')}, "
    if not evidence.exchanges:
        return counted + f"{_number(evidence.served, 'time')} handed out by the relay"
    exchanged = _number(evidence.exchanges, "exchange")
    if evidence.oldest < TELLING_SECONDS:
        return counted + exchanged
    return f"{counted}{exchanged}; no ID token was older than {_span(evidence.oldest)} by then"


def _used(evidence: Evidence) -> str:
    """Count subscriptions and identities, where there is more than the one of each."""
    subscriptions, identities = len(evidence.subscriptions), len(evidence.identities)
    if max(subscriptions, identities) <= 1:
        return ""
    many = _number(identities, "identity", "identities")
    return f"{_number(subscriptions, 'subscription')}, {many}"


def _survived(evidence: Evidence) -> str:
    parts = []
    if evidence.delay:
        parts.append(f"{_span(evidence.delay)} between plan and apply")
    if evidence.expiries:
        parts.append(f"{_number(evidence.expiries, 'expiry', 'expiries')} during apply")
    if evidence.clean_up:
        parts.append(f"clean-up after {_span(evidence.clean_up)}")
    return ", ".join(parts)


def _expired(one: ClientExpiries) -> str:
    """Say how often a client's tokens have expired, and what that does not show."""
    who = f"{one.client} at {one.service}"
    if not one.expiries:
        return f"never for {who}, which called once" if one.calls == 1 else f"never for {who}"
    renewed = f" (renewed after {_number(one.refused, 'refusal')})" if one.refused else ""
    shown = f"{_number(one.expiries, 'time')} for {who}{renewed}"
    if one.waited < LONG_BEFORE_SECONDS:
        return shown
    return (
        f"{shown}, which asked for a token up to {_span(one.waited)} before using it: that it would"
        " have expired by then is not shown"
    )


def _time(evidence: Evidence) -> str:
    took = f"{_span(evidence.real)}; Terraform itself took {_span(evidence.terraform)}"
    if evidence.simulated - evidence.real < 1:
        return took
    return f"{_span(evidence.simulated)} simulated in {took}"


def _span(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
