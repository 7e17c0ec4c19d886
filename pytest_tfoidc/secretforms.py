"""The forms that a secret may take in a text, and the texts without what only breaks lines.

Terraform frames and wraps its messages, pytest begins lines with an `E`, terminals colour, JSON and
shells put backslashes in: none of that is part of a secret. So secrets are looked for in texts, and
written down, in squeezed form: without all that.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MIN_SECRET_LENGTH = 6  # a shorter value would take ordinary words out of the text

BOXES = tuple(box.encode() for box in "│╷╵┃")  # what Terraform frames its messages with
IGNORED = b"\0 \t\n\r\x0b\x0c\\|"
ANSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
MARGIN = b"\nE "  # of pytest's tracebacks
_ANY_ANSI = rb"(?:" + ANSI.pattern + rb")*"
DROPPED = re.compile(
    rb"(?:\n%bE%b |%b|%b|[%b])+"
    % (_ANY_ANSI, _ANY_ANSI, ANSI.pattern, b"|".join(BOXES), re.escape(IGNORED))
)
# Letters or digits alone: it may be an ordinary word or number, inside of others too.
WORD = re.compile(rb"[A-Za-z]{1,15}|[0-9]{1,15}")
FEW = 4  # different characters: a ruler, a mask, a test's placeholder
NAMED_PARTS = re.compile(
    r"(?i)\b(?:account_?key|shared_?access_?key|shared_?access_?signature|password|pwd)=([^;\s&]+)"
)


def squeeze(data: bytes) -> bytes:
    """Return UTF-8 without white space, backslashes, frames, margins and colours."""
    if b"\x1b" in data:
        data = ANSI.sub(b"", data)
    data = data.replace(MARGIN, b"\n")
    if not data.isascii():
        for box in BOXES:
            data = data.replace(box, b"")
    return data.translate(None, IGNORED)


def variants(value: str) -> Iterator[str]:
    """Return a secret and the parts of it that are secrets as well.

    A SAS is one with and without its question mark, and so is its signature; a connection string
    has a key in it, and a URL a password.
    """
    bare = value.strip()
    yield value
    yield bare
    yield bare.lstrip("?")
    for name, part in parse_qsl(bare.lstrip("?")) if "sig=" in bare else ():
        if name == "sig":
            yield part
    for found in NAMED_PARTS.finditer(bare):
        yield found[1]
    if "://" in bare:
        yield from _password(bare)


def _password(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:  # no URL after all
        return
    if password:
        yield password
        yield unquote(password)


def is_weak(squeezed: bytes) -> bool:
    """Tell whether a value may well be a part of ordinary text: it counts as a whole word only."""
    few = len(set(squeezed)) < FEW
    return len(squeezed) < MIN_SECRET_LENGTH or few or bool(WORD.fullmatch(squeezed))


def plain_forms(secret: str) -> Iterator[str]:
    """Return how texts write a secret: as it is, and escaped for JSON, URLs, HTML, HCL, shells."""
    for written in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield written
        for name, code in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):  # Go's JSON
            written = written.replace(name, code)  # noqa: PLW2901 - one after the other
        yield written
    yield repr(secret)[1:-1]
    yield repr(secret.encode("utf-8", "surrogatepass"))[2:-1]
    yield secret.replace("${", "$${").replace("%{", "%%{")
    yield secret.replace("'", "'\"'\"'")
    yield from (html.escape(secret), html.escape(secret, quote=False))
    yield html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # Go's
    raw = secret.encode("utf-8", "surrogatepass")
    for encode in (partial(quote, safe=""), quote, partial(quote_plus, safe="")):
        once = encode(raw)
        yield from (once, re.sub("%..", lambda found: found[0].lower(), once), quote(once, safe=""))


def encoded_forms(secret: bytes) -> Iterator[bytes]:
    """Return a secret's base64, in either alphabet and at any place, and its hexadecimal digits."""
    for before, lost in ((0, 0), (1, 2), (2, 3)):
        letters = (before + len(secret)) * 8 // 6
        encoded = base64.b64encode(bytes(before) + secret)[lost:letters]
        yield from (encoded, encoded.translate(URL_SAFE))
    yield from (secret.hex().encode(), secret.hex().upper().encode())


URL_SAFE = bytes.maketrans(b"+/", b"-_")


def squeezed_forms(secret: str) -> Iterator[bytes]:
    """Return every form of a secret, squeezed."""
    written = dict.fromkeys(plain_forms(secret))
    for form in written:
        yield squeeze(form.encode("utf-8", "surrogatepass"))
    yield from encoded_forms(secret.encode("utf-8", "surrogatepass"))
    for form in {quote(secret.encode("utf-8", "surrogatepass"), safe="")} - {secret}:
        yield from encoded_forms(form.encode())
