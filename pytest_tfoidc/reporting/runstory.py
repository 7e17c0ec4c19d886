"""A run as reports tell it: what it was made with, which tests ended how, and what happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from pytest_tfoidc.events import ItemFinished, ItemStarted, RunDescribed
from pytest_tfoidc.reporting.eventlines import Read, Record
from pytest_tfoidc.reporting.summary import evidence_in, labelled
from pytest_tfoidc.reporting.timeline import Happening, happenings


@dataclass(frozen=True, kw_only=True)
class RunStory:
    """One run. `told`: its events in their order, at least one."""

    name: str
    told: tuple[Happening, ...]

    @property
    def finished(self) -> tuple[ItemFinished, ...]:
        """The tests that ended, in their order."""
        return tuple(one.event for one in self.told if isinstance(one.event, ItemFinished))

    @property
    def failed(self) -> tuple[ItemFinished, ...]:
        """Those of them that failed."""
        return tuple(one for one in self.finished if one.outcome == "failed")

    @property
    def unended(self) -> tuple[str, ...]:
        """The tests that began and did not end: the run was killed."""
        started = {one.event.item for one in self.told if isinstance(one.event, ItemStarted)}
        return tuple(sorted(started - {one.item for one in self.finished}))

    @property
    def described(self) -> tuple[str, ...]:
        """Which Terraform and which context it had, a line each."""
        found = (one.event.text for one in self.told if isinstance(one.event, RunDescribed))
        return tuple(dict.fromkeys(found))

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tests had which outcome."""
        return dict(sorted(Counter(one.outcome for one in self.finished).items()))

    @property
    def verdict(self) -> str:
        """The outcomes in words."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.items())
        return counted or "no test ended"

    @property
    def is_good(self) -> bool:
        """Whether all that began ended, and nothing failed."""
        return not self.failed and not self.unended

    @property
    def times(self) -> tuple[float, float]:
        """When it began and ended, in real seconds since 1970."""
        return self.told[0].real, max(one.real for one in self.told)


def stories_of(reads: Sequence[Read]) -> tuple[RunStory, ...]:
    """Return the runs in one or several files of events, the first first."""
    told = happenings(_each_once(reads))
    runs: dict[str, list[Happening]] = {}
    for one in told:
        runs.setdefault(one.run, []).append(one)
    return tuple(RunStory(name=name, told=tuple(run)) for name, run in runs.items())


def _each_once(reads: Sequence[Read]) -> Iterator[Record]:
    """Yield the records of several files; one may be a copy, or a part, of another."""
    seen: set[str] = set()
    for one in reads:
        keyed = [(json.dumps(record, sort_keys=True), record) for record in one.records]
        yield from (record for key, record in keyed if key not in seen)
        seen.update(key for key, _ in keyed)


def shown_by(one: ItemFinished) -> str:
    """Say in one line what a test has shown, or why it has not."""
    if one.words:
        return one.words
    evidence = evidence_in(one)
    told = labelled(evidence) if evidence is not None else {}
    return "; ".join(f"{label} {text}" for label, text in told.items() if label != "time")


def moment(real: float) -> datetime:
    """Return a real time as people have it, in UTC."""
    return datetime.fromtimestamp(real, tz=timezone.utc)


def date_of(real: float) -> str:
    """Write a real time with its day."""
    return f"{moment(real):%Y-%m-%d %H:%M:%S}"
