"""Credentials that are known by their shape: JWTs and JWEs, signatures, keys, authorisation.

Each shape has a few bytes that nothing of that shape is without, its marks. Only where a mark
stands is it looked for, so that ordinary text costs next to nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from pytest_tfoidc.secretforms import core, encoded_forms

Span = tuple[int, int]

# A line's end, and the frame or margin of the next.
WRAP = rb"(?:\\?\0?\r?\n(?:[ \t|]|\xe2\x94\x82|E )*)"
RUN = re.compile(rb"(?:[A-Za-z0-9_.-]+|%b(?=[A-Za-z0-9_.-]))+" % WRAP)
WRAPS = re.compile(WRAP)
ALONE = re.compile(rb"[ \t\"'|,]*(?:\r?\n|$)")  # nothing else stands in a token's last line
START = b"eyJ"  # {" in base64url
SIGNED, ENCRYPTED = 2, 4  # parts after the header of a JWT, and of a JWE
MOST_STARTS = 8  # tries in one part: linear, too, where a part is made of starts
HEADER_NAMES = re.compile(rb'"(?:alg|enc|typ|kid|x5t|cty|zip)"')
ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{64,}={0,2}")
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
MOST_BEFORE = 16 * 1024  # bytes of a run before what gives it away
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){32,}")
SIGNATURE = re.compile(rb"(?i)(?<![A-Za-z_])sig(?:=|%(?:25)*3D)([A-Za-z0-9%+/=_-]{20,})")
VALUE = re.compile(rb"[A-Za-z0-9+/=%]{20,}")
PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
    rb"(?:(?:[^-]|-(?!----)){1,16000}-----END [A-Z0-9 ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)",
    re.DOTALL,
)
AUTHORIZATION = re.compile(
    rb"([Bb](?<!\w[Bb])(?:earer|EARER|asic|ASIC))[ +]+([A-Za-z0-9._~+/=-]{20,})"
)
AROUND = 256  # bytes on either side of the word, in which a scheme and its token stand
MIXED = re.compile(rb"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")
STANDARD = bytes.maketrans(b"-_", b"+/")


def _at(data: bytes, marks: Iterable[bytes]) -> Iterator[int]:
    """Return where any of some marks stands."""
    for mark in marks:
        place = data.find(mark)
        while place >= 0:
            yield place
            place = data.find(mark, place + len(mark))


def _jwts(data: bytes, _marks: Iterable[bytes] = ()) -> Iterator[Span]:
    """Return the JWTs and JWEs, also those that were wrapped; also those that were cut off."""
    place = data.find(START)
    while place >= 0:
        run = RUN.match(data, place)
        end = run.end() if run else place + len(START)
        yield from _tokens(data, place, end)
        place = data.find(START, end)


def _tokens(data: bytes, start: int, end: int) -> Iterator[Span]:
    """Return the tokens in a run of what they are made of."""
    parts, number = list(_parts(data, start, end)), 0
    while number < len(parts) - 1:
        header, count = _header(data[slice(*parts[number])])
        if count == 0:
            number += 1
            continue
        last = min(number + count, len(parts) - 1)
        begin = parts[number][0] + header
        yield begin, _end(data, begin, parts[last], is_last=last == len(parts) - 1)
        number = last + 1


def _parts(data: bytes, start: int, end: int) -> Iterator[Span]:
    """Return what stands between dots; a JWE may have an empty part."""
    while (dot := data.find(b".", start, end)) >= 0:
        yield start, dot
        start = dot + 1
    yield start, end


def _header(part: bytes) -> tuple[int, int]:
    """Return where in a part a header begins, and how many parts follow it; 0 for no header."""
    place = len(part)
    for _ in range(MOST_STARTS):
        place = part.rfind(START, 0, place + len(START) - 1)
        if place < 0:
            break
        header = _decoded(WRAPS.sub(b"", part[place:]))
        if HEADER_NAMES.search(header):
            return place, ENCRYPTED if b'"enc"' in header else SIGNED
    return 0, 0


def _end(data: bytes, start: int, last: Span, *, is_last: bool) -> int:
    """Return where a token ends: one that was wrapped may go on in lines of its own."""
    wrap = WRAPS.search(data, *last)
    if wrap is None or not is_last:
        return last[1]
    if b"\n" not in data[start : last[0]]:
        return wrap.start()
    if ALONE.match(data, last[1]):
        return last[1]
    return max(found.start() for found in WRAPS.finditer(data, *last))


def _decoded(part: bytes) -> bytes:
    whole = re.sub(rb"[^A-Za-z0-9+/_-]", b"", part)
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    return base64.b64decode(whole.translate(STANDARD) + b"=" * (-len(whole) % 4))


def _encoded(data: bytes, marks: Iterable[bytes]) -> Iterator[Span]:
    end = 0
    for place in sorted(_at(data, marks)):
        before = data[max(end, place - MOST_BEFORE) : place]
        run = ENCODED.match(data, len(before.rstrip(LETTERS)) + place - len(before))
        if place < end or run is None:
            continue
        end = run.end()
        if any(any(_jwts(_decoded(run[0][offset:].rstrip(b"=")))) for offset in range(4)):
            yield run.span()


def _hexadecimal(data: bytes, marks: Iterable[bytes]) -> Iterator[Span]:
    end = 0
    for place in sorted(_at(data, marks)):
        before = data[max(end, place - MOST_BEFORE) : place]
        start = len(before.rstrip(b"0123456789abcdefABCDEF")) + place - len(before)
        run = HEX.match(data, start + (place - start) % 2)
        if place < end or run is None:
            continue
        end = run.end()
        if any(_jwts(bytes.fromhex(run[0].decode()))):
            yield run.span()


def _signatures(data: bytes, marks: Iterable[bytes]) -> Iterator[Span]:
    found = (SIGNATURE.match(data, place) for place in _at(data, marks))
    return (one.span(1) for one in found if one)


def _keys(data: bytes, marks: Iterable[bytes]) -> Iterator[Span]:
    found = (VALUE.match(data, place + len(mark)) for mark in marks for place in _at(data, [mark]))
    return (one.span() for one in found if one)


def _authorization(data: bytes, marks: Iterable[bytes]) -> Iterator[Span]:
    """Return what follows `Bearer` and `Basic`, where it is no word of a sentence."""
    end = 0
    for place in sorted(_at(data, marks)):
        for found in AUTHORIZATION.finditer(data, max(end, place - AROUND), place + AROUND):
            whole = AUTHORIZATION.match(data, found.start()) or found
            end = whole.end()
            is_basic = whole[1].lower() == b"basic"
            if (b":" in _decoded(whole[2])) if is_basic else MIXED.match(whole[2]):
                yield whole.span(2)


def _private_keys(data: bytes, _marks: Iterable[bytes]) -> Iterator[Span]:
    return (found.span() for found in PRIVATE_KEY.finditer(data))


HEADS = tuple(
    f"eyJ{rest}".encode() for rest in ("hbGciOi", "0eXAiOi", "raWQiOi", "4NXQiOi", "lbmMiOi")
)
HEAD_FORMS = dict.fromkeys(form for head in HEADS for form in encoded_forms(head))
HEXADECIMAL = tuple(form for form in HEAD_FORMS if form.startswith(b"65794"))
SIGNATURES = (b"sig=", b"SIG=", b"sig%", b"SIG%")
FINDERS: tuple[
    tuple[Callable[[bytes, Iterable[bytes]], Iterator[Span]], tuple[bytes, ...]], ...
] = (
    (_jwts, (START,)),
    (_signatures, SIGNATURES),
    (_encoded, tuple(form for form in HEAD_FORMS if form not in HEXADECIMAL)),
    (_hexadecimal, HEXADECIMAL),
    (
        _keys,
        (
            *(b"AccountKey=", b"accountkey=", b"ACCOUNT_KEY=", b"account_key="),
            *(b"SharedAccessKey=", b"sharedaccesskey="),
            *(b"SHARED_ACCESS_KEY=", b"shared_access_key="),
        ),
    ),
    (_private_keys, (b"PRIVATEKEY-----",)),
    (_authorization, (b"uthorization", b"UTHORIZATION")),
)
SHORT_MARKS = {mark: core(mark) for mark in (START, *SIGNATURES)}
LONG_MARKS = tuple(  # squeezed, and long enough for a row of numbers
    mark for _, marks in FINDERS for mark in marks if mark not in SHORT_MARKS
)


def short_marks(data: bytes, its_core: bytes) -> Iterator[bytes]:
    """Return which of the short marks stand in a text."""
    for mark, hint in SHORT_MARKS.items():
        if hint in its_core and mark in data:
            yield mark


def shaped(data: bytes, marks: Collection[bytes]) -> Iterator[Span]:
    """Return where something lies that has the shape of a credential; the spans may overlap.

    Args:
        data: The text.
        marks: Which of the marks may stand in it.
    """
    for find, its_marks in FINDERS:
        here = [mark for mark in its_marks if mark in marks]
        if here:
            yield from find(data, here)
