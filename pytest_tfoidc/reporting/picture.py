"""The timeline as SVG: lanes of bars and ticks, jumps as marked folds, what went wrong in red.

It is a part of the page, or a file of its own for a README or a wiki.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.eventlines import Read
from pytest_tfoidc.reporting.progress import whole_seconds
from pytest_tfoidc.reporting.runstory import RunStory, date_of, stories_of
from pytest_tfoidc.reporting.styles import COLORS, OWN_PICTURE, PICTURE
from pytest_tfoidc.reporting.timeline import Bar, Mark, Timeline, timeline_of

NAMESPACE = "http://www.w3.org/2000/svg"
WIDTH, LEFT, RIGHT = 1000, 130, 14  # in the picture's own units
TOP, ROW, GAP, LEAST = 34, 12, 8, 1.5
MOST_ROWS = 12  # of bars that overlap, in one lane
LABEL = 46  # the room that the label of a jump takes
GRID = 5
MOST_BOLD = 60  # jumps that do not hide what is behind them
BESIDE = 2.5  # a token often dies by a jump, whose line is there already
FOOT = 24  # below the lanes: the times
LINE, MARGIN, MOST_LETTERS = 18, 12, 150  # of what stands above and below a picture of its own
KEY = (
    ("command", "commands"),
    ("id", "ID tokens"),
    ("access", "access tokens"),
    ("bad", "refused, or failed"),
)
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Scale:
    """Places moments."""

    def __init__(self, line: Timeline) -> None:
        self._begin = line.begin
        self.seconds = max(line.end - line.begin, 0.001)

    def __call__(self, at: float) -> float:
        part = min(1.0, max(0.0, (at - self._begin) / self.seconds))
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)


def picture_of(line: Timeline, *, title: str) -> str:
    """Return the picture of a run.

    Args:
        line: What it shows.
        title: Its name, for who cannot see it.
    """
    scale = _Scale(line)
    lanes, bottom = _lanes(line, scale)
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {bottom + FOOT}" role="img" xmlns="{NAMESPACE}">',
            f"<title>{_text(title)}: {_text(_in_words(line))}</title>",
            *_grid(scale, bottom),
            *lanes,
            *_folds(line.jumps, scale, bottom),
            *_lines(line.dead, scale, bottom),
            "</svg>",
        ]
    )


def picture_report(reads: Sequence[Read]) -> str:
    """Return the timelines of one or several files of events as a file of its own."""
    parts: list[str] = []
    top = MARGIN
    for story in stories_of(reads):
        top = _add_story(parts, story, top=top)
    if not parts:
        top = _add_words(parts, "Nothing has happened: the file holds no events.", top=top)
    height = top + MARGIN
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    name = 'role="img" aria-label="Terraform with OIDC: the timeline"'
    return "".join(
        [
            f'<svg xmlns="{NAMESPACE}" {size} {name}>',
            f"<style>{COLORS}{PICTURE}{OWN_PICTURE}</style>",
            f'<rect class="back" width="{WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _add_story(drawn: list[str], story: RunStory, *, top: int) -> int:
    """Draw a run from a height on, and return the height at which it ends."""
    kind = "head good" if story.is_good else "head bad"
    top = _add_words(drawn, f"Terraform with OIDC: {story.verdict}", top=top, kind=kind)
    for text in story.described:
        top = _add_words(drawn, text, top=top)
    top = _add_words(drawn, f"{date_of(story.times[0])} UTC", top=top, kind="soft")
    line = timeline_of(story.told)
    _, bottom = _lanes(line, _Scale(line))
    picture = picture_of(line, title="Timeline")
    place = f'<svg x="0" y="{top}" width="{WIDTH}" height="{bottom + FOOT}"'
    drawn.append(picture.replace("<svg", place, 1))
    return _add_key(drawn, top=top + bottom + FOOT + MARGIN)


def _add_words(drawn: list[str], text: str, *, top: int, kind: str = "") -> int:
    told = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..."
    drawn.append(f'<text class="{kind}" x="{MARGIN}" y="{top + MARGIN}">{_text(told)}</text>')
    return top + LINE


def _add_key(drawn: list[str], *, top: int) -> int:
    """Say what the colours mean, and the lines."""
    x = LEFT
    for kind, name in KEY:
        drawn.append(f'<rect class="{kind}" x="{x}" y="{top + 3}" width="14" height="9" rx="2"/>')
        drawn.append(f'<text x="{x + 20}" y="{top + MARGIN}">{name}</text>')
        x += 120 if kind != "bad" else 140
    for kind, name in (("jump", "the clock jumped"), ("dead", "a cached token is dead")):
        drawn.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{top}" y2="{top + 14}"/>')
        drawn.append(f'<text x="{x + 10}" y="{top + MARGIN}">{name}</text>')
        x += 140
    return top + LINE + MARGIN


def _in_words(line: Timeline) -> str:
    commands = sum(map(len, line.commands.values()))
    return (
        f"{commands} commands, {len(line.id_tokens)} ID tokens, {len(line.access_tokens)} access"
        f" tokens, {len(line.requests)} requests, {len(line.jumps)} jumps of the clock,"
        f" {len(line.bad)} refusals and faults"
    )


def _lanes(line: Timeline, scale: _Scale) -> tuple[list[str], int]:
    drawn: list[str] = []
    top = TOP
    for worker, bars in sorted(line.commands.items()):
        name = f"commands {worker}".strip()
        top = _add_bars(drawn, bars, scale, top=top, name=name, kind="command")
    for name, kind, bars in (
        ("ID tokens", "id", line.id_tokens),
        ("access tokens", "access", line.access_tokens),
    ):
        top = _add_bars(drawn, bars, scale, top=top, name=name, kind=kind)
    for name, kind, marks in (("requests", "tick", line.requests), ("refusals", "bad", line.bad)):
        top = _add_ticks(drawn, marks, scale, top=top, name=name, kind=kind)
    return drawn, top


def _add_bars(  # noqa: PLR0913 - what a lane is made of
    drawn: list[str], bars: Sequence[Bar], scale: _Scale, *, top: int, name: str, kind: str
) -> int:
    placed = list(_rows(bars, scale))
    count = max((row for row, _ in placed), default=0) + 1
    drawn += _lane(name, top=top, height=count * ROW)
    for row, bar in placed:
        left, right = scale(bar.begin), scale(bar.end)
        width = round(max(LEAST, right - left), 1)
        color = "bad" if bar.is_bad else kind
        drawn.append(
            f'<rect class="{color}" x="{left}" y="{top + row * ROW + 1}" width="{width}"'
            f' height="{ROW - 2}" rx="2"><title>{_text(bar.label)}</title></rect>'
        )
    return top + count * ROW + GAP


def _rows(bars: Sequence[Bar], scale: _Scale) -> Iterable[tuple[int, Bar]]:
    """Put bars that overlap below each other."""
    ends: list[float] = []
    for bar in sorted(bars, key=lambda one: one.begin):
        begin = scale(bar.begin)
        row = next((i for i, end in enumerate(ends) if end <= begin), len(ends))
        row = min(row, MOST_ROWS - 1)
        end = max(scale(bar.end), begin + LEAST)
        ends[row : row + 1] = [end]
        yield row, bar


def _add_ticks(  # noqa: PLR0913 - what a lane is made of
    drawn: list[str], marks: Sequence[Mark], scale: _Scale, *, top: int, name: str, kind: str
) -> int:
    drawn += _lane(name, top=top, height=ROW)
    for mark in marks:
        x = scale(mark.at)
        drawn.append(
            f'<line class="{kind}" x1="{x}" x2="{x}" y1="{top + 1}" y2="{top + ROW - 1}">'
            f"<title>{_text(mark.label)}</title></line>"
        )
    return top + ROW + GAP


def _lane(name: str, *, top: int, height: int) -> list[str]:
    width = WIDTH - LEFT - RIGHT
    return [
        f'<rect class="lane" x="{LEFT}" y="{top}" width="{width}" height="{height}"/>',
        f'<text x="{LEFT - 8}" y="{top + ROW - 2}" text-anchor="end">{_text(name)}</text>',
    ]


def _grid(scale: _Scale, bottom: int) -> list[str]:
    drawn = []
    for i in range(GRID + 1):
        x = round(LEFT + i * (WIDTH - LEFT - RIGHT) / GRID, 1)
        anchor = "end" if i == GRID else "middle"
        told = whole_seconds(i * scale.seconds / GRID)
        drawn.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom}"/>')
        drawn.append(
            f'<text class="soft" x="{x}" y="{bottom + 14}" text-anchor="{anchor}">{told}</text>'
        )
    return drawn


def _folds(jumps: Iterable[Mark], scale: _Scale, bottom: int) -> list[str]:
    """Draw jumps, each with its length where there is room for that; many of them thin."""
    drawn, free = [], 0.0
    ordered = sorted(jumps, key=lambda one: one.at)
    kind = "jump" if len(ordered) <= MOST_BOLD else "jump thin"
    for mark in ordered:
        x = scale(mark.at)
        drawn.append(
            f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 10}" y2="{bottom}">'
            f"<title>{_text(mark.label)}</title></line>"
        )
        is_last = x > WIDTH - LABEL
        if x >= free + (LABEL / 2 if is_last else 0):
            anchor = "end" if is_last else "middle"
            drawn.append(
                f'<text x="{x}" y="{TOP - 14}" text-anchor="{anchor}">{_text(mark.short)}</text>'
            )
            free = x + LABEL
    return drawn


def _lines(marks: Iterable[Mark], scale: _Scale, bottom: int) -> list[str]:
    return [
        f'<line class="dead" x1="{scale(mark.at) + BESIDE}" x2="{scale(mark.at) + BESIDE}"'
        f' y1="{TOP - 4}"'
        f' y2="{bottom}"><title>{_text(mark.label)}</title></line>'
        for mark in marks
    ]


def _text(text: str) -> str:
    """Return a text that is one in SVG: XML has no place for some characters."""
    return html.escape(NOT_IN_XML.sub("\ufffd", harmless(text)))
