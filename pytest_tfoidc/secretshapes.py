"""Credentials that are known by their shape: JWTs and JWEs, signatures, keys, authorisation.

Each shape has a few bytes that nothing of that shape is without, its marks. Only where a mark
stands is it looked for, so that ordinary text costs next to nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from pytest_tfoidc.secretforms import encoded_forms

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
ENCODED = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}={0,2}")
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){32,}")
SIGNATURE = re.compile(rb"(?i)\bsig(?:=|%3D|%253D)([A-Za-z0-9%+/=_-]{20,})")
KEY = re.compile(rb"(?i)(?:account|shared_?access)_?key=([A-Za-z0-9+/=%]{20,})")
PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
    rb"(?:(?:[^-]|-(?!----)){1,16000}-----END [A-Z0-9 ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)",
    re.DOTALL,
)
AUTHORIZATION = re.compile(rb"(?i)\b(bearer|basic)[ +]+([A-Za-z0-9._~+/=-]{20,})")
MIXED = re.compile(rb"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")
STANDARD = bytes.maketrans(b"-_", b"+/")


def _jwts(data: bytes) -> Iterator[Span]:
    """Return the JWTs and JWEs, also those that were wrapped; also those that were cut off."""
    for run in RUN.finditer(data):
        parts = list(_parts(data, *run.span()))
        number = 0
        while number < len(parts) - 1:
            header, count = _header(data[slice(*parts[number])])
            if count == 0:
                number += 1
                continue
            last = min(number + count, len(parts) - 1)
            start = parts[number][0] + header
            yield start, _end(data, start, parts[last], is_last=last == len(parts) - 1)
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


def _encoded(data: bytes) -> Iterator[Span]:
    for found in ENCODED.finditer(data):
        run = found[0]
        if any(any(_jwts(_decoded(run[offset:].rstrip(b"=")))) for offset in range(4)):
            yield found.span()


def _hexadecimal(data: bytes) -> Iterator[Span]:
    for found in HEX.finditer(data):
        if any(_jwts(bytes.fromhex(found[0].decode()))):
            yield found.span()


def _group(pattern: re.Pattern[bytes]) -> Callable[[bytes], Iterator[Span]]:
    return lambda data: (found.span(1) for found in pattern.finditer(data))


def _authorization(data: bytes) -> Iterator[Span]:
    """Return what follows `Bearer` and `Basic`, where it is no word of a sentence."""
    for found in AUTHORIZATION.finditer(data):
        is_basic = found[1].lower() == b"basic"
        if (b":" in _decoded(found[2])) if is_basic else MIXED.match(found[2]):
            yield found.span(2)


def _private_keys(data: bytes) -> Iterator[Span]:
    return (found.span() for found in PRIVATE_KEY.finditer(data))


FINDERS = (  # with what stands in everything that they find
    (re.compile(rb"eyJ"), _jwts),
    (re.compile(rb"ZXlK|V5S|leU"), _encoded),
    (re.compile(rb"65794[aA]"), _hexadecimal),
    (re.compile(rb"(?i)sig"), _group(SIGNATURE)),
    (re.compile(rb"(?i)key="), _group(KEY)),
    (re.compile(rb"PRIVATE KEY-----"), _private_keys),
    (re.compile(rb"(?i)bearer|basic"), _authorization),
)
SHORT_MARKS = (b"eyJ", b"sig=", b"SIG=")
HEADS = tuple(
    f"eyJ{rest}".encode() for rest in ("hbGciOi", "0eXAiOi", "raWQiOi", "4NXQiOi", "lbmMiOi")
)
LONG_MARKS = (  # squeezed, and at least 11 bytes long
    b"PRIVATEKEY-----",
    *(b"AccountKey=", b"accountkey=", b"ACCOUNT_KEY=", b"account_key="),
    *(b"dAccessKey=", b"daccesskey=", b"D_ACCESS_KEY=", b"d_access_key="),
    *(b"uthorization", b"UTHORIZATION"),
    *(form for head in HEADS for form in encoded_forms(head)),
)


def shaped(data: bytes) -> Iterator[Span]:
    """Return where something lies that has the shape of a credential; the spans may overlap."""
    for mark, find in FINDERS:
        if mark.search(data):
            yield from find(data)
