"""Keeping secrets out of everything that is printed, logged or raised.

One registry, the `Redactor`, knows every secret of a run. It finds them in any usual encoding, in
parts, and across line breaks and frames.

How it is fast: what is eight bytes long and stands in a secret is a number in a set; a text is read
as a row of such numbers, and that row is intersected with the set, all in C. Only where they meet
is anything compared.
"""

from __future__ import annotations

import re
import sys
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pytest_tfoidc import secretforms
from pytest_tfoidc.secretforms import DROPPED, MIN_SECRET_LENGTH, squeeze
from pytest_tfoidc.secretshapes import LONG_MARKS, SHORT_MARKS, Span, shaped

__all__ = ["MIN_SECRET_LENGTH", "REDACTED", "Redactor", "harmless"]

REDACTED = "(redacted)"
MOST_PASSING = 64  # tokens that live for minutes: older ones are known by their shape
WINDOW = 256 * 1024  # bytes that are looked at together
OVERLAP = 16 * 1024  # bytes that are looked at again with what follows, for what lies across
MOST_HELD = 1024 * 1024  # bytes of one secret that does not end
BLOCK = 24  # bytes of a long secret that give it away also without the rest
LONG = 2 * BLOCK  # bytes from which on parts of a secret are looked for
LEAST_PART = 20  # bytes
FEW_SHORT = 8  # forms, that are looked for one by one
COMMON = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^0-9A-Za-z]+|(.)\1+")  # parts of ordinary text

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, and moving about
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # titles, links, the clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
    r"|\r(?=\n)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]",
    re.MULTILINE,
)
LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")
# Azure Pipelines and old runners of GitHub look anywhere in a line, new ones at its start.
COMMANDS = re.compile(r"#(?=#(?:vso|teamcity)?\[)|^([ \t│|>]*):(?=:[A-Za-z])", re.MULTILINE)
MARKED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]|##|::")


def harmless(text: str) -> str:
    """Return a text without terminal sequences, and without commands to a pipeline's agent.

    It is what a program printed that we show: nothing in it may be obeyed.
    """
    if not MARKED.search(text):
        return text
    text = LINE_ENDS.sub("\n", CONTROL.sub("", text))
    return COMMANDS.sub(lambda found: f"{found[1] or ''}: " if found[0][-1] == ":" else "# ", text)


@dataclass(frozen=True)
class _Row:
    """How a text is read as a row of numbers: `size` bytes each, from every `stride`th byte on.

    What is at least `least` bytes long has one of those numbers in it, wherever it stands.
    """

    size: int
    stride: int
    code: str

    @property
    def least(self) -> int:
        """The length of the shortest piece that cannot be missed."""
        return self.size + self.stride - 1

    def numbers(self, piece: bytes) -> Iterator[int]:
        """Return the numbers, one of which is read wherever the piece stands."""
        return (int.from_bytes(part, sys.byteorder) for part in self._parts(piece))

    def is_rare(self, piece: bytes) -> bool:
        """Tell whether none of its numbers is likely to stand in ordinary text."""
        return len(piece) >= self.least and not any(map(COMMON.fullmatch, self._parts(piece)))

    def _parts(self, piece: bytes) -> Iterator[bytes]:
        """Return the bytes of the numbers: of those that are read together, a rare one."""
        for place in range(self.stride):
            starts = range(place, len(piece) - self.size + 1, self.stride)
            parts = [piece[start : start + self.size] for start in starts]
            yield next((part for part in parts if not COMMON.fullmatch(part)), parts[0])

    def read(self, text: bytes) -> Iterable[int]:
        """Return a text as numbers."""
        whole: Any = memoryview(text)[: len(text) - len(text) % self.size]
        return cast("Iterable[int]", whole.cast(self.code)[:: self.stride // self.size])


ROWS = (_Row(8, 16, "Q"), _Row(4, 8, "I"), _Row(4, 4, "I"))  # the fastest first
ALWAYS = ROWS[1]  # is read in any case, for the marks


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

    def spans(self, text: bytes) -> Iterator[Span]:
        """Return where the form stands in a text, or as much of it as does."""
        part = self.part
        position = text.find(part)
        while position >= 0:
            begin, end = self._around(text, position)
            if end - begin >= min(len(self.form), LEAST_PART):
                yield begin, end
            position = text.find(part, max(end - self.start, position + 1))

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


MARKS = frozenset(_Piece(mark, 0, len(mark)) for mark in LONG_MARKS)


class _Index:
    """An index of secrets: pieces by the numbers in them, words, and what is too short for that.

    Args:
        secrets: The values.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.longest = 0
        self._pieces: dict[_Row, dict[int, set[_Piece]]] = {row: {} for row in ROWS}
        self._short: set[bytes] = set()
        self._words: set[str] = set()
        for mark in MARKS:
            self._add_piece(mark)
        for secret in secrets:
            self._add(secret)
        if len(self._short) > FEW_SHORT:  # one more row is faster then
            for form in [form for form in self._short if len(form) >= ROWS[-1].least]:
                self._short.remove(form)
                self._add_piece(_Piece(form, 0, len(form)))
        self._numbers = {row: frozenset(found) for row, found in self._pieces.items() if found}
        longest_first = sorted(self._words, key=len, reverse=True)
        self._whole = {
            word.encode("utf-8", "surrogatepass"): _alone(word) for word in longest_first
        }

    def _add(self, secret: str) -> None:
        squeezed = squeeze(_bytes(secret))
        is_weak = secretforms.is_weak(squeezed)
        if is_weak:
            self._words.add(secret)
        for form in set(secretforms.squeezed_forms(secret)):
            if len(form) >= MIN_SECRET_LENGTH and not (is_weak and _is_like(form, squeezed)):
                self._add_form(form)

    def _add_form(self, form: bytes) -> None:
        self.longest = max(self.longest, len(form))
        if len(form) < ROWS[1].least:
            self._short.add(form)
        elif len(form) < LONG:
            self._add_piece(_Piece(form, 0, len(form)))
        else:
            for start in range(0, len(form) - BLOCK + 1, BLOCK):
                self._add_piece(_Piece(form, start, start + BLOCK))

    def _add_piece(self, piece: _Piece) -> None:
        part = piece.part
        rows = (ALWAYS, *ROWS) if ALWAYS.is_rare(part) else ROWS
        row = next(row for row in rows if len(part) >= row.least)
        for number in row.numbers(part):
            self._pieces[row].setdefault(number, set()).add(piece)

    def spans(self, data: bytes) -> list[Span]:
        """Return where secrets lie in a piece of text."""
        squeezed = squeeze(data)
        pieces = self._met(squeezed)
        found: list[Span] = []
        if any(mark in data for mark in SHORT_MARKS) or any(
            mark.part in squeezed for mark in pieces & MARKS
        ):
            found += shaped(data)
        inside = [span for piece in pieces - MARKS for span in piece.spans(squeezed)]
        if inside:
            found += _places(data, inside)
        for word, pattern in self._whole.items():
            if word in data:
                found += [match.span() for match in pattern.finditer(data)]
        return _merged(found)

    def knows(self, data: bytes) -> bool:
        """Tell whether a known secret lies in a text, whatever else does."""
        squeezed = squeeze(data)
        found = (any(piece.spans(squeezed)) for piece in self._met(squeezed) - MARKS)
        return any(found) or any(pattern.search(data) for pattern in self._whole.values())

    def _met(self, text: bytes) -> set[_Piece]:
        """Return the pieces that may stand in a squeezed text."""
        met = {_Piece(form, 0, len(form)) for form in self._short if form in text}
        for row, numbers in self._numbers.items():
            for number in numbers.intersection(row.read(text)):
                met |= self._pieces[row][number]
        return met


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_like(form: bytes, squeezed: bytes) -> bool:
    """Tell whether a form of a weak secret is as weak: it is the secret, or no longer than it."""
    return form == squeezed or secretforms.is_weak(form)


def _alone(word: str) -> re.Pattern[bytes]:
    """Return a pattern for a word that is not a part of a longer one."""
    first, last = (r"\w" if c.isalnum() or c == "_" else re.escape(c) for c in (word[0], word[-1]))
    pattern = f"{re.escape(word)}(?!{last})(?<!{first}{re.escape(word)})"
    return re.compile(_bytes(pattern))


def _places(data: bytes, spans: Iterable[Span]) -> Iterator[Span]:
    """Return the places in a text of what was found in its squeezed form."""
    squeezed_starts, starts, end, count = [0], [0], 0, 0
    for gap in DROPPED.finditer(data):
        count += gap.start() - end
        end = gap.end()
        squeezed_starts.append(count)
        starts.append(end)
    for first, after in spans:
        i = bisect_right(squeezed_starts, first) - 1
        j = bisect_right(squeezed_starts, after - 1) - 1
        begin, last = first - squeezed_starts[i] + starts[i], after - squeezed_starts[j] + starts[j]
        yield _whole_characters(data, begin, last)


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


class Redactor:
    """Replace known secrets, and everything that looks like a credential, in texts. Thread safe.

    Args:
        notice: Is told every secret when it becomes known, before anybody can use it.
    """

    def __init__(self, notice: Callable[[str], None] = lambda _secret: None) -> None:
        self._notice = notice
        self._secrets: dict[str, None] = {}
        self._values: dict[str, None] = {}
        self._passing: deque[str] = deque(maxlen=MOST_PASSING)
        self._index: _Index | None = None
        self._lock = threading.Lock()

    def add(self, *secrets: str | None) -> None:
        """Remember credentials that must never be shown, nor be kept in a plan or a state."""
        self._remember(self._secrets, secrets)

    def hide(self, *values: object) -> None:
        """Remember values that must not be shown, but may be kept where they belong.

        They are sensitive variables and outputs, of any type: what is in them counts.
        """
        self._remember(self._values, [text for value in values for text in _texts(value)])

    def hide_passing(self, token: str) -> None:
        """Remember a token for a while: it lives for minutes, and there will be many."""
        with self._lock:
            if len(token) >= MIN_SECRET_LENGTH and token not in self._passing:
                self._passing.append(str(token))
                self._index = None
        if len(token) >= MIN_SECRET_LENGTH:
            self._notice(str(token))

    def _remember(self, kept: dict[str, None], texts: Iterable[str | None]) -> None:
        long = [str(text) for text in texts if text and len(text.strip()) >= MIN_SECRET_LENGTH]
        with self._lock:
            fresh = [text for text in long if text not in {**self._secrets, **self._values}]
            if any(text not in kept for text in long):
                kept.update(dict.fromkeys(long))
                self._index = None
        for text in fresh:
            self._notice(text)

    def know(self, *values: str) -> None:
        """Remember what others have masked already: the secrets of the environment."""
        with self._lock:
            self._values.update(dict.fromkeys(v for v in values if len(v) >= MIN_SECRET_LENGTH))
            self._index = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials, to look for. They are for comparison only."""
        with self._lock:
            return tuple(self._secrets)

    def _indexed(self) -> _Index:
        with self._lock:
            if self._index is None:
                known = (*self._secrets, *self._values, *self._passing)
                parts = {part for value in known for part in secretforms.variants(value)}
                self._index = _Index(p for p in parts if len(p.strip()) >= MIN_SECRET_LENGTH)
            return self._index

    def knows(self, text: str) -> bool:
        """Tell whether a text has one of the known secrets in it, in any form."""
        return bool(text) and self._indexed().knows(_bytes(text))

    def holds_secret(self, text: str) -> bool:
        """Tell whether there is anything in a text that `redact` would take out."""
        return self.redact(text) is not text

    def redact(self, text: str) -> str:
        """Return the text with every known secret and everything like a credential replaced."""
        data = _bytes(text)
        whole = b"".join(self.redact_chunks([data]))
        return text if whole == data else whole.decode("utf-8", "surrogatepass")

    def clean(self, text: str) -> str:
        """Return what another program printed, fit to be shown: redacted, and harmless."""
        return harmless(self.redact(text))

    def redact_chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Return a stream with the same replaced, also across the chunks' ends.

        Memory is bounded: what is held back is a few kilobytes, or one secret.
        """
        index, held = self._indexed(), b""
        overlap = OVERLAP + 2 * index.longest
        for chunk in chunks:
            for start in range(0, len(chunk), WINDOW):
                held += chunk[start : start + WINDOW]
                if len(held) > 2 * overlap:
                    done, held = _released(held, index, len(held) - overlap)
                    yield done
        yield _replaced(held, index.spans(held))

    def __repr__(self) -> str:
        """Show how many secrets are known, never which."""
        return f"<Redactor of {len(self._secrets) + len(self._values)} secrets>"


def _released(held: bytes, index: _Index, cut: int) -> tuple[bytes, bytes]:
    """Return what can go, redacted, and what has to wait for more."""
    spans = index.spans(held)
    across = next((span for span in spans if span[0] < cut < span[1]), None)
    if across is not None:
        is_open = across[1] == len(held) and len(held) - across[0] < MOST_HELD
        cut = across[0] if is_open else across[1]
    done = [span for span in spans if span[1] <= cut]
    return _replaced(held[:cut], done), held[cut:]


def _replaced(data: bytes, spans: list[Span]) -> bytes:
    if not spans:
        return data
    parts, position = [], 0
    for begin, end in spans:
        colours = b"".join(secretforms.ANSI.findall(data[begin:end]))
        parts += [data[position:begin], REDACTED.encode(), colours]
        position = end
    return b"".join([*parts, data[position:]])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
