"""An index of secrets, which finds any of thousands in a text at once.

How it is fast: what is left of a text without escapes and common letters, its core, is read as a
row of numbers, and that row is intersected with the numbers of the secrets' cores, all in C. Only
where they meet is anything compared.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from pytest_tfoidc import secretforms
from pytest_tfoidc.secretforms import (
    DROPPED,
    ESCAPES,
    NO_CORE,
    core,
    core_of_part,
    squeeze,
)
from pytest_tfoidc.secretnames import MIN_SECRET_LENGTH
from pytest_tfoidc.secretshapes import LONG_MARKS, Span, shaped, short_marks

BLOCK = 24  # bytes of a long secret that give it away also without the rest
LONG = 2 * BLOCK  # bytes from which on parts of a secret are looked for
LEAST_PART = 20  # bytes
LEAST_CORE = 3  # bytes; a shorter core is everywhere
FEW = 16  # cores, that are looked for one by one
LINES = 2048  # bytes that are counted together
COMMON = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^0-9A-Za-z]+|(.)\1+")  # parts of ordinary text
WIDE = 8  # bytes; a number of so many is rare
NUMBERS = {4: struct.Struct("I"), 8: struct.Struct("Q")}  # by their size in bytes
TOKEN = re.compile(b"|".join([*(escape.pattern for escape in ESCAPES.values()), b"(?s:.)"]))


class _Text:
    """A text, and what is looked at of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def squeezed(self) -> bytes:
        """The text without what only breaks lines."""
        return squeeze(self.data)

    @cached_property
    def core(self) -> bytes:
        """The text without escapes and common letters."""
        return core(self.data)

    @cached_property
    def is_escaped(self) -> bool:
        """Whether there may be an escape in it."""
        return any(mark in self.data for mark in ESCAPES)


@dataclass(frozen=True)
class _Row:
    """How a text is read as numbers: `size` bytes each, from every `step`th byte on.

    What is at least `least` bytes long has one of those numbers in it, wherever it stands.
    """

    is_core: bool
    size: int
    step: int

    @property
    def least(self) -> int:
        """The length of the shortest text that cannot be missed."""
        return self.size + self.step - 1

    def numbers(self, text: bytes) -> Iterator[int]:
        """Return the numbers, one of which is read wherever the text stands."""
        for place in range(self.step):
            chosen = place
            if self.size < WIDE:  # where there is a choice, what is rare
                starts = range(place, len(text) - self.size + 1, self.step)
                parts = ((start, text[start : start + self.size]) for start in starts)
                chosen = next((at for at, part in parts if not COMMON.fullmatch(part)), place)
            yield NUMBERS[self.size].unpack_from(text, chosen)[0]

    def read(self, text: bytes) -> Iterator[Iterable[int]]:
        """Return a text as numbers."""
        for start in range(0, self.size, self.step):
            whole: Any = memoryview(text)[
                start : start + (len(text) - start) // self.size * self.size
            ]
            yield cast("Iterable[int]", whole.cast(NUMBERS[self.size].format))


NARROW, BROAD = _Row(is_core=True, size=4, step=4), _Row(is_core=True, size=8, step=8)
MOST_NARROW = 4096  # numbers of four bytes; more would meet ordinary text too often
OTHER_ROWS = (  # for what is short, and the fastest first
    _Row(is_core=True, size=4, step=2),
    _Row(is_core=False, size=4, step=4),
    _Row(is_core=False, size=4, step=2),
)


@dataclass(frozen=True)
class _Piece:
    """A part of a squeezed form that is looked for: the form, and where in it the part lies."""

    form: bytes
    start: int
    end: int

    @property
    def part(self) -> bytes:
        """The bytes that are looked for."""
        return self.form[self.start : self.end]

    def spans(self, text: _Text) -> Iterator[Span]:
        """Return where the form stands in a squeezed text, or as much of it as does."""
        part, squeezed = self.part, text.squeezed
        position = squeezed.find(part)
        while position >= 0:
            begin, end = self._around(squeezed, position)
            if end - begin >= min(len(self.form), LEAST_PART):
                yield begin, end
            position = squeezed.find(part, max(end - self.start, position + 1))

    def _around(self, text: bytes, position: int) -> Span:
        begin = position - self.start
        if begin >= 0 and text.startswith(self.form, begin):
            return begin, begin + len(self.form)
        left, right = self.start, self.end
        while left > 0 and position > 0 and text[position - 1] == self.form[left - 1]:
            left, position = left - 1, position - 1
        end = position + right - left
        while right < len(self.form) and end < len(text) and text[end] == self.form[right]:
            right, end = right + 1, end + 1
        return position, end


@dataclass(frozen=True)
class _Escaped:
    """A secret that is looked for with any of its characters escaped, in any way."""

    secret: str

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return secretforms.escaped_pattern(self.secret)

    def spans(self, text: _Text) -> Iterator[Span]:
        """Return where the secret stands in a squeezed text, if not only as it is."""
        raw = _bytes(self.secret)
        as_it_is = text.squeezed.count(squeeze(raw))
        if text.is_escaped and max(map(text.core.count, _cores(raw))) > as_it_is:
            yield from (found.span() for found in self._pattern.finditer(text.squeezed))


@dataclass(frozen=True)
class _Word:
    """A secret that may be a part of ordinary text: it counts as a whole word only."""

    secret: str

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Match the word where it is not a part of a longer one."""
        word = self.secret
        first, last = (
            r"\w" if c.isalnum() or c == "_" else re.escape(c) for c in (word[0], word[-1])
        )
        pattern = f"{re.escape(word)}(?!{last})(?<!{first}{re.escape(word)})"
        return re.compile(_bytes(pattern))


@dataclass(frozen=True)
class _Mark:
    """A mark: nothing of some shape of credentials is without it."""

    mark: bytes


_Check = _Piece | _Escaped | _Word | _Mark


@dataclass(eq=False)
class _Entry:
    """A text that is looked for, and what may be there where it is found."""

    text: bytes
    is_core: bool
    checks: dict[_Check, None] = field(default_factory=dict)

    def is_in(self, text: _Text) -> bool:
        """Tell whether it stands in a text."""
        return self.text in (text.core if self.is_core else text.squeezed)


class Index:
    """An index of secrets: what of them is looked for, by the numbers in it.

    It grows while others read it: what is added is found from then on.
    """

    def __init__(self) -> None:
        self.longest = 0
        self._entries: dict[tuple[bytes, bool], _Entry] = {}
        self._numbers: dict[_Row, dict[int, tuple[_Entry, ...]]] = {}
        self._few: list[_Entry] = []
        for mark in LONG_MARKS:
            self._put(mark, core(mark), _Mark(mark))

    def add(self, secret: str) -> None:
        """Look for a secret too, in all its forms."""
        raw = _bytes(secret)
        squeezed = squeeze(raw)
        is_weak = secretforms.is_weak(squeezed)
        if is_weak:
            self._put_written(squeezed, raw, _Word(secret))
        for written in set(secretforms.forms(secret)):
            form = squeeze(written)
            if len(form) >= MIN_SECRET_LENGTH and not (is_weak and _is_like(form, squeezed)):
                self._add_form(form, written)
        if not is_weak and secretforms.is_short(secret):
            self._put_written(squeezed, raw, _Escaped(secret))

    def _add_form(self, form: bytes, written: bytes) -> None:
        self.longest = max(self.longest, len(form))
        if len(form) < LONG:
            self._put_written(form, written, _Piece(form, 0, len(form)))
            return
        for start, end, inner in _blocks(form, written):
            piece = _Piece(form, start, end)
            self._put(piece.part, inner, piece)

    def _put_written(self, squeezed: bytes, written: bytes, check: _Check) -> None:
        """Look for something by its cores."""
        for its_core in _cores(written):
            self._put(squeezed, its_core, check)

    def _put(self, squeezed: bytes, its_core: bytes, check: _Check) -> None:
        known = self._entries.get((its_core, True)) or self._entries.get((squeezed, False))
        if known is None:
            text, row = self._place(squeezed, its_core)
            known = _Entry(text, is_core=text is its_core)
            self._enter(known, row)
        known.checks[check] = None

    def _place(self, squeezed: bytes, its_core: bytes) -> tuple[bytes, _Row | None]:
        """Return by what something is looked for: its core or all of it, as numbers or as such."""
        is_full = len(self._few) >= FEW
        is_broad = len(self._numbers.get(NARROW, ())) >= MOST_NARROW
        rows = (*(BROAD,) * is_broad, NARROW, *OTHER_ROWS * is_full)
        for row in rows:
            text = its_core if row.is_core else squeezed
            if len(text) >= row.least:
                return text, row
        return its_core if len(its_core) >= LEAST_CORE else squeezed, None

    def _enter(self, entry: _Entry, row: _Row | None) -> None:
        self._entries[entry.text, entry.is_core] = entry
        if row is None:
            self._few.append(entry)
            return
        known = self._numbers.setdefault(row, {})
        for number in row.numbers(entry.text):
            known[number] = (*known.get(number, ()), entry)

    def spans(self, data: bytes) -> list[Span]:
        """Return where secrets lie in a piece of text."""
        text = _Text(data)
        checks = self._met(text)
        marks = {check.mark for check in checks if isinstance(check, _Mark)}
        marks.update(short_marks(data, text.core))
        found = list(shaped(data, marks)) if marks else []
        inside = [
            span
            for check in checks
            if isinstance(check, _Piece | _Escaped)
            for span in check.spans(text)
        ]
        found += _places(data, inside)
        for check in checks:
            if isinstance(check, _Word):
                found += [match.span() for match in check.pattern.finditer(data)]
        return _merged(found)

    def knows(self, data: bytes) -> bool:
        """Tell whether a known secret lies in a text, whatever else does."""
        text = _Text(data)
        return any(
            check.pattern.search(data) if isinstance(check, _Word) else any(check.spans(text))
            for check in self._met(text)
            if not isinstance(check, _Mark)
        )

    def _met(self, text: _Text) -> set[_Check]:
        """Return what may stand in a text."""
        entries = {entry for entry in list(self._few) if entry.is_in(text)}
        for row, numbers in list(self._numbers.items()):
            for part in row.read(text.core if row.is_core else text.squeezed):
                for number in numbers.keys() & part:
                    entries.update(entry for entry in numbers[number] if entry.is_in(text))
        return {check for entry in entries for check in list(entry.checks)}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _cores(written: bytes) -> dict[bytes, None]:
    """Return the core of a form, and what it is where the form's own signs are escaped."""
    return {core_of_part(written): None, written.translate(None, NO_CORE): None}


def _is_like(form: bytes, squeezed: bytes) -> bool:
    """Tell whether a form of a weak secret is as weak: it is the secret, or no longer than it."""
    return form == squeezed or secretforms.is_weak(form)


def _blocks(form: bytes, written: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Return the blocks of a long form, and their cores: none begins or ends inside an escape."""
    if not any(mark in written for mark in ESCAPES):
        for start in range(0, len(form) - BLOCK + 1, BLOCK):
            yield start, start + BLOCK, form[start : start + BLOCK].translate(None, NO_CORE)
        return
    start = end = 0
    held: list[bytes] = []
    for token in TOKEN.finditer(written):
        held.append(token[0])
        end += len(squeeze(token[0]))
        if end - start >= BLOCK:
            yield start, end, core_of_part(b"".join(held))
            start, held = end, []


def _places(data: bytes, spans: list[Span]) -> Iterator[Span]:
    """Return the places in a text of what was found in its squeezed form."""
    if not spans:
        return
    lines = _Lines(data)
    for first, after in spans:
        begin, end = lines.place(first), lines.place(after - 1) + 1
        yield _whole_characters(data, begin, end)


class _Lines:
    """The lines of a text, and where they begin in its squeezed form: some are looked at again."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts, self._squeezed_starts = [0], [0]
        self._gaps: dict[int, tuple[list[int], list[int]]] = {}
        while (end := data.find(b"\n", self._starts[-1] + LINES)) >= 0:
            count = len(squeeze(data[self._starts[-1] : end]))
            self._starts.append(end)
            self._squeezed_starts.append(self._squeezed_starts[-1] + count)

    def place(self, squeezed_place: int) -> int:
        """Return where a byte of the squeezed form is in the text."""
        number = bisect_right(self._squeezed_starts, squeezed_place) - 1
        if number not in self._gaps:
            self._gaps[number] = self._read(number)
        squeezed_starts, starts = self._gaps[number]
        i = bisect_right(squeezed_starts, squeezed_place) - 1
        return squeezed_place - squeezed_starts[i] + starts[i]

    def _read(self, number: int) -> tuple[list[int], list[int]]:
        """Return where what is not dropped begins, in the squeezed form and in the text."""
        end, count = self._starts[number], self._squeezed_starts[number]
        after = [*self._starts, len(self._data)][number + 1]
        squeezed_starts, starts = [count], [end]
        for gap in DROPPED.finditer(self._data, end, after):
            count += gap.start() - end
            end = gap.end()
            squeezed_starts.append(count)
            starts.append(end)
        return squeezed_starts, starts


def _whole_characters(data: bytes, begin: int, end: int) -> Span:
    while begin < end and data[begin] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a UTF-8 character
        begin += 1
    while end > begin and end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - the same
        end -= 1
    return begin, end


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged
