"""When what happened, as a picture has it: bars, ticks and marks over real time.

Tokens live by the virtual clock; their bars end at the real moment at which that clock has passed
their end, be it by a jump.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.entrafacts import EXPIRED
from pytest_tfoidc.events import (
    AccessTokenIssued,
    AccessTokenRefused,
    ClockMoved,
    CommandFinished,
    CommandStarted,
    CredentialFound,
    Event,
    ExchangeRefused,
    FaultHit,
    HostRefused,
    IdTokenFetchFailed,
    IdTokenMinted,
    IdTokenRefused,
    ItemFinished,
    ItemStarted,
    RequestAnswered,
    RunDescribed,
    TokensExpired,
    VariableWithheld,
)
from pytest_tfoidc.reporting.eventlines import Record, event_of

REAL = (ItemStarted, ItemFinished, RunDescribed)  # of pytest, which has no virtual clock
BAD = (
    *(AccessTokenRefused, CredentialFound, ExchangeRefused, FaultHit, HostRefused),
    *(IdTokenFetchFailed, IdTokenRefused),
)
BEFORE = (RunDescribed, VariableWithheld)  # pytest collects for a while after these
LEAST_JUMP = 1.0  # seconds between the two clocks that are no jitter


@dataclass(frozen=True, kw_only=True)
class Happening:
    """An event, and when it happened in real seconds since 1970."""

    event: Event
    real: float
    worker: str
    run: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Something that lasted. `label`: in words; `is_bad`: it failed."""

    begin: float
    end: float
    label: str
    is_bad: bool = False


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened at a moment."""

    at: float
    label: str
    short: str = ""


@dataclass(kw_only=True)
class Timeline:
    """The picture of one run, lane by lane; `dead`: a cached token's end."""

    begin: float
    end: float
    commands: dict[str, list[Bar]] = field(default_factory=lambda: defaultdict(list))
    id_tokens: list[Bar] = field(default_factory=list)
    access_tokens: list[Bar] = field(default_factory=list)
    requests: list[Mark] = field(default_factory=list)
    bad: list[Mark] = field(default_factory=list)
    jumps: list[Mark] = field(default_factory=list)
    dead: list[Mark] = field(default_factory=list)


def happenings(records: Iterable[Record]) -> tuple[Happening, ...]:
    """Return the events in records, by run and in their order; what is unknown here is left out."""
    found = []
    for record in records:
        event, real = event_of(record), record.get("real")
        if event is not None and isinstance(real, int | float):
            run, worker = str(record.get("run", "")), str(record.get("worker", ""))
            found.append(Happening(event=event, real=float(real), worker=worker, run=run))
    first: dict[str, float] = {}
    for one in found:
        first[one.run] = min(one.real, first.get(one.run, one.real))
    return tuple(sorted(found, key=lambda one: (first[one.run], one.run, one.real)))


class _Offsets:
    """How far the virtual clock of one process stood before real time, and since when."""

    def __init__(self, told: Sequence[Happening]) -> None:
        self._reals: list[float] = []
        self._offsets: list[float] = []
        self._expired: dict[str, list[float]] = defaultdict(list)
        for one in told:
            if isinstance(one.event, REAL):
                continue
            offset = one.event.at.timestamp() - one.real
            if not self._offsets or abs(offset - self._offsets[-1]) > LEAST_JUMP:
                self._reals.append(one.real)
                self._offsets.append(offset)
            if isinstance(one.event, TokensExpired):
                self._expired[one.event.kind].append(one.real)

    def end_of(self, expires_at: datetime, *, since: float, kind: str) -> float:
        """Return the real time at which a token was dead."""
        killed = min((at for at in self._expired[kind] if at >= since), default=float("inf"))
        return min(killed, self._natural_end(expires_at.timestamp(), since))

    def _natural_end(self, expires: float, since: float) -> float:
        now = bisect_right(self._reals, since) - 1
        offset = self._offsets[now] if now >= 0 else 0.0
        for real, later in zip(self._reals[now + 1 :], self._offsets[now + 1 :], strict=True):
            if expires - offset <= real:
                break
            if expires <= real + later:
                return real
            offset = later
        return expires - offset


def timeline_of(told: Sequence[Happening]) -> Timeline:
    """Return what the picture of a run shows.

    Args:
        told: The events of one run, in their order; at least one.
    """
    begins = (one.real for one in told if not isinstance(one.event, BEFORE))
    end = max(one.real for one in told)
    line = Timeline(begin=min(begins, default=told[0].real), end=end)
    by_worker: dict[str, list[Happening]] = defaultdict(list)
    for one in told:
        by_worker[one.worker].append(one)
    for worker, mine in by_worker.items():
        offsets = _Offsets(mine)
        _add_commands(line, worker, mine)
        for one in mine:
            _add(line, one, offsets)
        _add_dead(line, mine, offsets)
    return line


def _add_commands(line: Timeline, worker: str, told: Iterable[Happening]) -> None:
    open_ones: dict[int, Happening] = {}
    for one in told:
        if isinstance(one.event, CommandStarted):
            open_ones[one.event.number] = one
        elif isinstance(one.event, CommandFinished):
            begun = open_ones.pop(one.event.number, None)
            begin = begun.real if begun is not None else one.real - one.event.seconds
            is_bad = one.event.exit_code not in {0, 2}
            label = f"{one.event.module} {one.event.command}, {one.event.seconds:.1f}s"
            label += f", exit code {one.event.exit_code}" if one.event.exit_code else ""
            line.commands[worker].append(Bar(begin=begin, end=one.real, label=label, is_bad=is_bad))
    for begun in open_ones.values():
        event = begun.event
        assert isinstance(event, CommandStarted)  # noqa: S101 - for mypy: that is what was put in
        label = f"{event.module} {event.command}, which did not end"
        line.commands[worker].append(Bar(begin=begun.real, end=line.end, label=label, is_bad=True))


def _add(line: Timeline, one: Happening, offsets: _Offsets) -> None:
    event = one.event
    if isinstance(event, IdTokenMinted):
        end = offsets.end_of(event.expires_at, since=one.real, kind="id")
        line.id_tokens.append(Bar(begin=one.real, end=min(end, line.end), label=words_of(event)))
    elif isinstance(event, AccessTokenIssued):
        end = offsets.end_of(event.expires_at, since=one.real, kind="access")
        line.access_tokens.append(
            Bar(begin=one.real, end=min(end, line.end), label=words_of(event))
        )
    elif isinstance(event, RequestAnswered):
        line.requests.append(Mark(at=one.real, label=words_of(event)))
    elif isinstance(event, ClockMoved):
        short = f"+{format_duration(event.by)}"
        line.jumps.append(Mark(at=one.real, label=words_of(event), short=short))
    elif isinstance(event, BAD):
        line.bad.append(Mark(at=one.real, label=words_of(event)))


def _add_dead(line: Timeline, told: Iterable[Happening], offsets: _Offsets) -> None:
    """Mark where the first ID token of a process is dead, if that was before its end."""
    first = next((one for one in told if isinstance(one.event, IdTokenMinted)), None)
    if first is None:
        return
    assert isinstance(first.event, IdTokenMinted)  # noqa: S101 - for mypy: that is what was found
    end = offsets.end_of(first.event.expires_at, since=first.real, kind="id")
    if end < line.end:
        label = f"From here on a run with its first ID token cached would have failed: {EXPIRED}"
        line.dead.append(Mark(at=end, label=label))


def words_of(event: Event) -> str:  # noqa: PLR0911 - a sentence for each kind
    """Say in words what happened."""
    if isinstance(event, IdTokenMinted):
        return f"ID token signed for {event.subject}, until {event.expires_at:%H:%M:%S}"
    if isinstance(event, AccessTokenIssued):
        age = format_duration(event.id_token_age)
        return f"ID token, {age} old, exchanged for an access token for {event.scope}"
    if isinstance(event, RequestAnswered):
        return f"{event.method} {event.host}{event.path}: {event.status}"
    if isinstance(event, ClockMoved):
        return f"The clock jumped by {format_duration(event.by)}: {event.reason}"
    if isinstance(event, CommandFinished):
        return f"{event.module}: {event.command} ended with exit code {event.exit_code}"
    if isinstance(event, ItemFinished):
        return f"{event.item} {event.outcome}"
    return _plain_words(event)


def _plain_words(event: Event) -> str:
    """Say it by the names of the kind and of its fields."""
    name = "".join(f" {c.lower()}" if c.isupper() else c for c in type(event).__name__).strip()
    shown = {k: v for k, v in vars(event).items() if k != "at" and _is_told(v)}
    told = ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in shown.items())
    return f"{name[:1].upper()}{name[1:]}" + (f": {told}" if told else "")


def _is_told(value: Any) -> bool:  # noqa: ANN401 - a field's
    return value not in ("", (), {}, None)


def _value(value: Any) -> str:  # noqa: ANN401 - a field's
    if isinstance(value, datetime):
        return f"{value:%H:%M:%S}"
    if hasattr(value, "total_seconds"):
        return format_duration(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
