"""The evidence as JSON, for programs: what the page says, with its numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_tfoidc.events import ItemFinished
from pytest_tfoidc.reporting.eventlines import Read, unobeyed
from pytest_tfoidc.reporting.runstory import RunStory, moment, stories_of
from pytest_tfoidc.reporting.summary import Evidence, evidence_in, labelled, shown_for
from pytest_tfoidc.reporting.timeline import Bar, Mark, timeline_of

SCHEMA, VERSION = "tfoidc-evidence", 1


def json_report(reads: Sequence[Read]) -> str:
    """Return the evidence of one or several files of events."""
    told = {
        "schema": SCHEMA,
        "version": VERSION,
        "notes": [note for one in reads for note in one.notes],
        "runs": [_run(story) for story in stories_of(reads)],
    }
    return unobeyed(json.dumps(told, ensure_ascii=True, indent=1)) + "\n"


def _run(story: RunStory) -> dict[str, Any]:
    begin, end = story.times
    modules = shown_for(story.finished)
    return {
        "run": story.name,
        "described": list(story.described),
        "begin": _time(begin),
        "end": _time(end),
        "outcomes": story.outcomes,
        "unended": list(story.unended),
        "modules": {name: _evidence(evidence) for name, evidence in modules.items()},
        "tests": [_test(one) for one in story.finished],
        "timeline": _timeline(story),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {"shown": labelled(evidence), **evidence.as_json()}


def _test(one: ItemFinished) -> dict[str, Any]:
    evidence = evidence_in(one)
    return {
        "test": one.item,
        "outcome": one.outcome,
        "seconds": one.seconds,
        "module": one.module,
        "words": one.words,
        "failure": one.failure,
        "evidence": _evidence(evidence) if evidence is not None else None,
    }


def _timeline(story: RunStory) -> dict[str, Any]:
    """Return what the picture shows: bars and marks, by lane."""
    line = timeline_of(story.told)
    return {
        "commands": {worker: _bars(bars) for worker, bars in sorted(line.commands.items())},
        "id_tokens": _bars(line.id_tokens),
        "access_tokens": _bars(line.access_tokens),
        "requests": _marks(line.requests),
        "refusals": _marks(line.bad),
        "jumps": _marks(line.jumps),
        "cached_token_dead": _marks(line.dead),
    }


def _bars(bars: Iterable[Bar]) -> list[dict[str, Any]]:
    return [
        {**dataclasses.asdict(bar), "begin": _time(bar.begin), "end": _time(bar.end)}
        for bar in bars
    ]


def _marks(marks: Iterable[Mark]) -> list[dict[str, Any]]:
    return [{"at": _time(mark.at), "label": mark.label} for mark in marks]


def _time(real: float) -> str:
    return moment(real).isoformat(timespec="milliseconds")
