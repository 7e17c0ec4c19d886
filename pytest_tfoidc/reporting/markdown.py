"""The evidence as Markdown, for a wiki, a pull request, or the summary of a pipeline's run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pytest_tfoidc.events import (
    ClockMoved,
    CommandFinished,
    Event,
    IdTokenFetched,
    IdTokenMinted,
    ItemFinished,
    TokensExpired,
)
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.eventlines import Read
from pytest_tfoidc.reporting.runstory import (
    RunStory,
    date_of,
    moment,
    shown_by,
    stories_of,
)
from pytest_tfoidc.reporting.summary import labelled, shown_for
from pytest_tfoidc.reporting.timeline import BAD, words_of
from pytest_tfoidc.utf8 import as_utf8

MARKING = re.compile(r"[^A-Za-z0-9\s.,;:/+=%()'-]")  # what Markdown or HTML could take for its own
WORTH = (ClockMoved, CommandFinished, IdTokenFetched, IdTokenMinted, TokensExpired, *BAD)
MOST_ROWS = 300
MOST_FAILURES = 20
BACKTICKS = re.compile("`+")


def marked(text: str) -> str:
    """Return a text that Markdown and HTML show as it is, in one line."""
    told = " ".join(harmless(as_utf8(text)).split())
    return MARKING.sub(lambda found: f"&#{ord(found[0])};", told)


def markdown_report(reads: Sequence[Read]) -> str:
    """Return the evidence of one or several files of events."""
    stories = stories_of(reads)
    lines = ["# Terraform with OIDC: the evidence", ""]
    for note in (note for one in reads for note in one.notes):
        lines += [marked(note), ""]
    if not stories:
        lines += ["Nothing has happened: the file holds no events.", ""]
    for number, story in enumerate(stories, start=1):
        lines += [f"## Run {number} of {len(stories)}", ""] if len(stories) > 1 else []
        lines += _story(story)
    return "\n".join(lines)


def _story(story: RunStory) -> list[str]:
    begin, end = map(date_of, story.times)
    lines = [f"**{marked(story.verdict)}**", ""]
    for text in story.described:
        lines += [marked(text), ""]
    lines += [f"{begin} to {end} UTC, in real time", ""]
    if story.unended:
        lines += [f"Did not end: {marked(', '.join(story.unended))}", ""]
    lines += failures_in_markdown(story.failed, level=3)
    lines += modules_in_markdown(story.finished, level=3)
    lines += _tests(story.finished)
    return [*lines, *_moments(story)]


def modules_in_markdown(finished: Iterable[ItemFinished], *, level: int) -> list[str]:
    """Write what was shown for each module, in a table each."""
    lines = []
    for module, evidence in shown_for(finished).items():
        lines += [f"{'#' * level} {marked(module)}", "", "| | |", "|---|---|"]
        told = labelled(evidence)
        lines += [f"| {marked(label)} | {marked(text)} |" for label, text in told.items()]
        lines.append("")
    return lines


def _tests(finished: Sequence[ItemFinished]) -> list[str]:
    rows = [
        f"| {marked(one.outcome)} | {marked(one.item)} | {one.seconds:.1f}s |"
        f" {marked(shown_by(one))} |"
        for one in finished
    ]
    head = ["### Tests", "", "| Outcome | Test | Time | What it shows |", "|---|---|---:|---|"]
    return [*head, *rows, ""] if rows else []


def failures_in_markdown(failed: Sequence[ItemFinished], *, level: int) -> list[str]:
    """Write each failure in full, in a block of code, which nothing in it can end."""
    lines = []
    for one in [one for one in failed if one.failure][:MOST_FAILURES]:
        text = harmless(one.failure)
        longest = max((len(run) for run in BACKTICKS.findall(text)), default=0)
        fence = "`" * max(3, longest + 1)
        lines += [f"{'#' * level} {marked(one.item)} failed", "", f"{fence}text"]
        lines += [*text.split("\n"), fence, ""]
    return lines


def _moments(story: RunStory) -> list[str]:
    """Write the moments that tell the story; each request is on the page only."""
    told = [one for one in story.told if isinstance(one.event, WORTH) or _is_failure(one.event)]
    rows = [
        f"| {moment(one.real):%H:%M:%S} | {one.event.at:%H:%M:%S} | {marked(one.worker)} |"
        f" {marked(words_of(one.event))} |"
        for one in told[:MOST_ROWS]
    ]
    if not rows:
        return []
    more = len(told) - len(rows)
    return [
        *("### Timeline", ""),
        *("| Real time | Virtual time | Worker | What happened |", "|---|---|---|---|"),
        *rows,
        "",
        *([f"{more} more are in the file of events.", ""] if more else []),
    ]


def _is_failure(event: Event) -> bool:
    return isinstance(event, ItemFinished) and event.outcome == "failed"
