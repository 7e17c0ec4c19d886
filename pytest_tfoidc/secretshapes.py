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

WRAP = rb"(?:\\?\0?\r?\n[ \t|E]*(?:\xe2\x94\x82)?[ \t]*)"  # a line's end, and a frame or margin
LETTER = rb"[A-Za-z0-9_-]"
JWT = re.compile(
    rb"eyJ(?:" + LETTER + rb"|" + WRAP + rb"(?=" + LETTER + rb"))+"
    rb"(?:\.(?:" + LETTER + rb"|" + WRAP + rb"(?=[A-Za-z0-9_-]+\.))*){1,4}"
)
TAIL = re.compile(WRAP + LETTER + rb"+(?=[ \t\"'|]*(?:\r?\n|$))")  # a signature's next line
HEADER_NAMES = re.compile(rb'"(?:alg|enc|typ|kid|x5t|cty|zip)"')
ENCODED = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}={0,2}")
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){32,}")
SIGNATURE = re.compile(rb"(?i)\bsig(?:=|%3D|%253D)([A-Za-z0-9%+/=_-]{20,})")
KEY = re.compile(rb"(?i)(?:account|shared_?access)_?key=([A-Za-z0-9+/=%]{20,})")
PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
    rb"(?:.{1,16000}?-----END [A-Z0-9 ]*PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)",
    re.DOTALL,
)
AUTHORIZATION = re.compile(rb"(?i)\b(bearer|basic)[ +]+([A-Za-z0-9._~+/=-]{20,})")
MIXED = re.compile(rb"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])")
STANDARD = bytes.maketrans(b"-_", b"+/")


def _jwts(data: bytes) -> Iterator[Span]:
    for found in JWT.finditer(data):
        start, end = found.span()
        if _is_header(re.sub(rb"[^A-Za-z0-9_-]", b"", found[0].split(b".")[0])):
            yield start, _signature_end(data, start, end)


def _signature_end(data: bytes, start: int, end: int) -> int:
    """Return where a JWT ends: one that was wrapped may go on in lines of its own."""
    if b"\n" not in data[start:end]:
        return end
    while tail := TAIL.match(data, end):
        end = tail.end()
    return end


def _is_header(part: bytes) -> bool:
    return bool(HEADER_NAMES.search(_decoded(part)))


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
