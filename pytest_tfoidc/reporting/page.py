"""The page of a run: what was proven and by what, for people who were not there.

One file, that asks nobody for anything: no script, no font, no picture from elsewhere. Every text
in it is escaped, whoever wrote it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from pytest_tfoidc.entrafacts import EXPIRED
from pytest_tfoidc.events import Event, ItemFinished, RunDescribed, StepPlanned
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.eventlines import Read
from pytest_tfoidc.reporting.picture import picture_of
from pytest_tfoidc.reporting.runstory import (
    RunStory,
    date_of,
    moment,
    shown_by,
    stories_of,
)
from pytest_tfoidc.reporting.styles import COLORS, PAGE, PICTURE
from pytest_tfoidc.reporting.summary import labelled, shown_for
from pytest_tfoidc.reporting.timeline import BAD, Happening, timeline_of, words_of

MOST_ROWS = 10_000
UNTOLD = (StepPlanned, RunDescribed)  # in the table: it is in the heading, or follows anyway
CAPTION = (
    "Blue: commands. Green: ID tokens, and violet: access tokens, from their issue to their end."
    " Dashed: a jump of the clock. Dotted red: from here on a run with its first ID token cached"
    f" would have failed with {EXPIRED}. Red: refused, or failed."
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
BREAKABLE = re.compile(r"(::|[/_])(?=\w)")  # where a long name may go on in the next line


def page_of(reads: Sequence[Read]) -> str:
    """Return the page of one or several files of events.

    Args:
        reads: What was read of each file.
    """
    stories = stories_of(reads)
    parts = [f"<p class=bad>{_text(note)}</p>" for one in reads for note in one.notes]
    if not stories:
        parts.append("<p>Nothing has happened: the file holds no events.</p>")
    for number, story in enumerate(stories, start=1):
        parts += _run(story, number=number, of=len(stories))
    return _document(parts)


def _document(parts: Iterable[str]) -> str:
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>OIDC evidence</title>",
            f"<style>{COLORS}{PAGE}{PICTURE}</style>\n</head>\n<body>\n<main>",
            "<h1>Terraform with OIDC: the evidence</h1>",
            *parts,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _run(story: RunStory, *, number: int, of: int) -> list[str]:
    name = f" of run {number}" if of > 1 else ""
    heading = [f"<h2>Run {number} of {of}</h2>"] if of > 1 else []
    return [
        *heading,
        *_about(story),
        *_failures(story.failed),
        *_modules(story.finished),
        *_items(story.finished, name=f"Tests{name}"),
        "<h2>Timeline</h2>",
        f'<div class="wide" role="region" aria-label="Timeline{name}" tabindex="0">',
        picture_of(timeline_of(story.told), title=f"Timeline{name}"),
        "</div>",
        f'<p class="soft">{CAPTION}</p>',
        *_events(story.told, name=f"Events{name}"),
    ]


def _about(story: RunStory) -> list[str]:
    begin, end = map(date_of, story.times)
    kind = "good" if story.is_good else "bad"
    lines = [f'<p class="{kind}"><strong>{_text(story.verdict)}</strong></p>']
    lines += [f"<p>{_text(text)}</p>" for text in story.described]
    lines.append(f'<p class="soft">{begin} to {end} UTC, in real time</p>')
    if story.unended:
        lines.append(f'<p class="bad">Did not end: {_text(", ".join(story.unended))}</p>')
    return lines


def _modules(finished: Iterable[ItemFinished]) -> list[str]:
    """Say for each module what was shown, as the summary in the terminal does."""
    shown = shown_for(finished)
    if not shown:
        return []
    parts = ['<h2>What was shown</h2>\n<div class="modules">']
    for module, evidence in shown.items():
        rows = "".join(
            f"<dt>{_text(label)}</dt><dd>{_text(text)}</dd>"
            for label, text in labelled(evidence).items()
        )
        parts.append(f'<section class="module"><h3>{_text(module)}</h3><dl>{rows}</dl></section>')
    return [*parts, "</div>"]


def _items(finished: Sequence[ItemFinished], *, name: str) -> list[str]:
    if not finished:
        return []
    rows = []
    for one in finished:
        kind = {"passed": "good", "failed": "bad"}.get(one.outcome, "skip")
        rows.append(
            f'<tr><td class="{kind}">{_text(one.outcome)}</td>'
            f'<td class="what">{_breakable(one.item)}</td>'
            f'<td class="took">{one.seconds:.1f}s</td>'
            f'<td class="what">{_text(shown_by(one))}</td></tr>'
        )
    return ["<h2>Tests</h2>", *_table(name, ("Outcome", "Test", "Time", "What it shows"), rows)]


def _failures(failed: Sequence[ItemFinished]) -> list[str]:
    """Tell each failure as pytest did: the cause, the remedy, and Terraform's own words."""
    told = [
        f'<section class="failure"><h3>{_breakable(one.item)}</h3>'
        f'<p class="bad"><strong>{_text(one.words)}</strong></p>'
        f"{_below_words(one)}</section>"
        for one in failed
        if one.failure
    ]
    return ["<h2>Failures</h2>", *told] if told else []


def _below_words(one: ItemFinished) -> str:
    """Return a failure without the line that stands above it; a Python test's own come first."""
    first, _, rest = one.failure.partition("\n")
    told = harmless(rest if first == one.words else one.failure)
    return f"<pre>{html.escape(told)}</pre>" if told else ""


def _events(told: Sequence[Happening], *, name: str) -> list[str]:
    shown = [one for one in told if not isinstance(one.event, UNTOLD)]
    rows = [_event_row(one) for one in shown[:MOST_ROWS]]
    more = len(shown) - len(rows)
    left = [f"<p>{more} more events are in the file of events only.</p>"] if more else []
    head = ("Real time", "Virtual time", "Worker", "What happened")
    return [
        f"<details><summary>The same in words: {len(shown)} events</summary>",
        *_table(name, head, rows),
        *left,
        "</details>",
    ]


def _event_row(one: Happening) -> str:
    kind = ' class="bad"' if isinstance(one.event, BAD) or _has_failed(one.event) else ""
    return (
        f"<tr{kind}><td>{moment(one.real):%H:%M:%S}</td><td>{one.event.at:%H:%M:%S}</td>"
        f'<td>{_text(one.worker)}</td><td class="what">{_text(words_of(one.event))}</td></tr>'
    )


def _has_failed(event: Event) -> bool:
    return isinstance(event, ItemFinished) and event.outcome == "failed"


def _table(name: str, head: Sequence[str], rows: Sequence[str]) -> list[str]:
    cells = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    return [
        f'<div class="wide" role="region" aria-label="{name}" tabindex="0">',
        f"<table><thead><tr>{cells}</tr></thead><tbody>",
        *rows,
        "</tbody></table></div>",
    ]


def _text(text: str) -> str:
    return html.escape(harmless(str(text)).strip())


def _breakable(text: str) -> str:
    return BREAKABLE.sub(r"\1<wbr>", _text(text))
