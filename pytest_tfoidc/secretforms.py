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
import sys
from collections.abc import Iterator
from functools import lru_cache, partial
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pytest_tfoidc.secretnames import MIN_SECRET_LENGTH

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


# What a core is without: what escapes hide, and letters that logs are full of and keys are not.
FREQUENT = b"eroamp"
OUTSIDE = bytes(code for code in range(256) if not chr(code).isascii() or not chr(code).isalnum())
NO_CORE = OUTSIDE + FREQUENT + b"E"  # the margin's
_GAP = rb"(?:\nE |\n(?!E )|[\0 \t\r\v\f|]|%b)*" % b"|".join(BOXES)  # the margin's E is no digit
_HEX = rb"[0-9a-fA-F]"


def _gapped(*parts: bytes) -> bytes:
    """Return a pattern for what may be wrapped between any two of its parts."""
    return _GAP.join(parts)


def _word(word: bytes) -> bytes:
    return _gapped(*(word[i : i + 1] for i in range(len(word))))


NAMED = {  # of HTML
    b"&": b"amp",
    b"<": b"lt",
    b">": b"gt",
    b'"': b"quot",
    b"'": b"apos",
    b"+": b"plus",
    b"=": b"equals",
    b"/": b"sol",
    b"#": b"num",
}
_NAMED = b"|".join(map(_word, NAMED.values()))
_NUMBERED = rb"#%b(?:[xX]%b((?:%b%b){1,6})|((?:[0-9]%b){1,7}))" % (_GAP, _GAP, _HEX, _GAP, _GAP)
ESCAPES = {  # by the byte that each begins with; the groups are the character's code
    b"%": re.compile(_gapped(rb"%", rb"(?:%b)*(%b)" % (_word(b"25") + _GAP, _gapped(_HEX, _HEX)))),
    b"&": re.compile(
        _gapped(rb"&", rb"(?:%b)*(?:%b|%b)" % (_word(b"amp;") + _GAP, _NUMBERED, _NAMED), rb";")
    ),
    b"\\": re.compile(
        rb"\\(?:%b\\)*%b" % (_GAP, _gapped(b"", b"u", rb"(%b)" % _gapped(*[_HEX] * 4)))
    ),
}
SELDOM = 64  # escapes; more are replaced by the pattern alone


def core(data: bytes) -> bytes:
    """Return what is left of a text without anything that is escaped, and without common letters.

    It is the same however a secret is escaped: for URLs, JSON or HTML, once or twice; and it is
    much shorter than a log.
    """
    if b"\x1b" in data:
        data = ANSI.sub(b"", data)
    for mark, escape in ESCAPES.items():
        if mark in data:
            data = _unescaped(data, mark, escape)
    return data.translate(None, NO_CORE)


def core_of_part(data: bytes) -> bytes:
    """Return the core of what stands inside of a text: what follows may end an escape."""
    return core(OPEN_ESCAPE.sub(b"", data))


OPEN_ESCAPE = re.compile(rb"(?:%[0-9a-fA-F]?|&(?:amp;)*#?[xX]?[0-9a-zA-Z]*|\\u?[0-9a-fA-F]{0,3})\Z")


def _unescaped(data: bytes, mark: bytes, escape: re.Pattern[bytes]) -> bytes:
    parts, end, place = [], 0, data.find(mark)
    for _ in range(SELDOM):
        if place < 0:
            break
        found = escape.match(data, place)
        if found:
            parts += [data[end:place], _unescaped_character(found)]
            end = found.end()
        place = data.find(mark, max(end, place + 1))
    rest = data[end:]
    return b"".join([*parts, rest if place < 0 else escape.sub(_unescaped_character, rest)])


def _unescaped_character(escape: re.Match[bytes]) -> bytes:
    """Return the letter or digit that is escaped; nothing for anything else."""
    decimal = escape[2] if escape.re.groups > 1 else None
    return _letter(decimal or escape[1] or b"0", 10 if decimal else 16)


@lru_cache(maxsize=1024)
def _letter(digits: bytes, base: int) -> bytes:
    letter = chr(min(int(squeeze(digits), base), sys.maxunicode))
    return letter.encode() if letter.isascii() and letter.isalnum() else b""


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


def rarer_forms(secret: str) -> Iterator[bytes]:
    """Return the forms that nobody writes a long secret in: looking for them takes its time.

    They are base64 in a URL, of base64, and of UTF-16 as PowerShell's commands are; hexadecimal
    digits with something between; and bytes as Go's `%v` shows them: `[83 117 112]`.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (quote(form, safe="").encode() for form in encoded_forms(raw))
    yield from encoded_forms(base64.b64encode(raw))
    yield from encoded_forms(secret.encode("utf-16-le", "surrogatepass"))
    yield from (raw.hex(":").encode(), raw.hex(":").upper().encode())
    yield b"".join(b"\\x%02x" % code for code in raw)
    yield b" ".join(b"%d" % code for code in raw)


URL_SAFE = bytes.maketrans(b"+/", b"-_")


def forms(secret: str) -> Iterator[bytes]:
    """Return every form of a secret, as texts have it."""
    raw = secret.encode("utf-8", "surrogatepass")
    for form in dict.fromkeys(plain_forms(secret)):
        yield form.encode("utf-8", "surrogatepass")
    yield from encoded_forms(raw)
    if is_short(secret):
        yield from rarer_forms(secret)
    for quoted in {quote(raw, safe="")} - {secret}:
        yield from encoded_forms(quoted.encode())


def is_short(secret: str) -> bool:
    """Tell whether a secret may be written in more ways than `plain_forms` knows; no token is."""
    return len(secret) <= MOST_SHORT


MOST_SHORT = 512  # characters


def escaped_pattern(secret: str) -> re.Pattern[bytes]:
    """Return a pattern for a secret in a squeezed text, each character as it is or escaped."""
    return re.compile(b"".join(map(_as_escaped, secret.encode("utf-8", "surrogatepass"))))


def _as_escaped(code: int) -> bytes:
    raw = bytes((code,))
    digits = b"(?i:%02x)" % code
    ways = [b"%(?:25)*" + digits, b"u00" + digits]
    ways += [b"&(?:amp;)*#(?:0*%d|[xX]0*%b);" % (code, digits)]
    if raw in NAMED:
        ways.append(b"&(?:amp;)*%b;" % NAMED[raw])
    if raw in IGNORED:
        return b"(?:%b)?" % b"|".join(ways)
    return b"(?:%b|%b)" % (re.escape(raw), b"|".join(ways))
