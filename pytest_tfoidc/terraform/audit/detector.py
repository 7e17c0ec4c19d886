"""Credentials in a text: JWTs by their shape, known secrets by their value.

Every search is linear in the text's length: states reach tens of megabytes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import Any
from urllib.parse import quote

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.redaction import REDACTED
from pytest_tfoidc.secretnames import MIN_SECRET_LENGTH

ID_TOKEN = "ID token"  # noqa: S105 - a kind, no password
ACCESS_TOKEN = "access token"  # noqa: S105 - the same
REQUEST_TOKEN = "request token"  # noqa: S105 - the same
CLIENT_SECRET = "client secret"  # noqa: S105 - the same
CLIENT_CERTIFICATE = "client certificate"
CERTIFICATE_PASSWORD = "client certificate password"  # noqa: S105 - the same
STORAGE_ACCESS_KEY = STORAGE_KEY = "storage access key"
PRIVATE_KEY = "private key"
SAS_TOKEN = "SAS token"  # noqa: S105 - the same
SECRET = "secret"  # noqa: S105 - the same
KNOWN_SECRET = "known secret"  # noqa: S105 - the same
JWT = "JWT"

# How a JSON object begins in base64url: {" or { and a space, a line break or a tab (RFC 7515).
HEADER_START = re.compile(r"ey[AJ]|ew[0ko]")
HEADER = re.compile(r"[A-Za-z0-9_-]*")
REST = re.compile(r"\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
MAX_STARTS = 8  # tries in one run of letters: linear also where a run is made of starts
# How {" begins when it is in base64 once more, one for each of the three ways to lie in it.
ENCODED_START = re.compile(r"ZXlK|V5S|leU[o-r]")
ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}")


@dataclass(frozen=True, kw_only=True)
class Detected:
    """A credential, as far as it may be told; `key` is its value, and never shown.

    A JWT's key is its header and payload: the same token is then the same key wherever it lies.
    """

    kind: str
    key: str = field(repr=False)
    expires_at: datetime | None = None
    issuer: str = ""


class Detector:
    """Finds JWTs and known secrets, also inside longer texts and in base64.

    Args:
        secrets: Values that must not be found. Those shorter than 6 characters are left out: they
            would be found in ordinary words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {s for s in secrets if len(s) >= MIN_SECRET_LENGTH and not _is_jwt(s)}
        # the longest first: a secret that is part of another one is not a finding of its own
        self._needles = {s: _needles(s) for s in sorted(known, key=len, reverse=True)}

    def __repr__(self) -> str:
        """Show how many secrets are known, never which."""
        return f"<Detector of {len(self._needles)} secrets>"

    def narrowed_to(self, found: Iterable[Detected]) -> Detector:
        """Return a faster detector, for parts of a text that this one found these in."""
        narrowed = Detector()
        keys = {detected.key for detected in found}
        narrowed._needles = {s: n for s, n in self._needles.items() if s in keys}
        return narrowed

    def find(self, text: str) -> tuple[Detected, ...]:
        """Return every credential in the text, each once."""
        found = {token.key: token for token in (*jwts(text), *_encoded_jwts(text))}
        text = _without(text, found)
        for secret, needles in self._needles.items():
            if any(needle in text for needle in needles):
                found[secret] = Detected(kind=KNOWN_SECRET, key=secret)
                text = _without(text, needles)
        return tuple(found.values())

    def knows(self, data: bytes) -> bool:
        """Tell whether a known secret stands in UTF-8, in any of its forms."""
        return any(
            needle.encode("utf-8", "surrogatepass") in data
            for needles in self._needles.values()
            for needle in needles
        )

    def redact(self, text: str) -> str:
        """Return the text with every credential replaced."""
        for token in jwts(text):
            text = re.sub(rf"{re.escape(token.key)}\.[A-Za-z0-9_-]*", REDACTED, text)
        for needles in self._needles.values():
            text = _without(text, needles)
        return text


def _without(text: str, needles: Iterable[str]) -> str:
    for needle in needles:
        text = text.replace(needle, REDACTED)
    return text


def jwts(text: str) -> Iterator[Detected]:
    """Yield the JWTs in a text: three base64url parts, the first a JSON object with `alg`."""
    position = 0
    while start := HEADER_START.search(text, position):
        position = HEADER.match(text, start.start()).end()  # type: ignore[union-attr] # never None
        rest = REST.match(text, position)
        token = _jwt(text[start.start() : position], rest[1]) if rest else None
        if rest and token:
            position = rest.end()
            yield token


def _jwt(run: str, payload: str) -> Detected | None:
    """Read the JWT whose header ends the run of letters, whatever stands before it."""
    for start in islice(HEADER_START.finditer(run), MAX_STARTS):
        header = run[start.start() :]
        if "alg" in _json_object(header):
            claims = _json_object(payload)
            key = f"{header}.{payload}"
            return Detected(
                kind=_kind(claims), key=key, expires_at=_expiry(claims), issuer=_issuer(claims)
            )
    return None


def _is_jwt(text: str) -> bool:
    return any(text.startswith(token.key) for token in jwts(text))


def _json_object(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_decoded(part))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _decoded(part: str) -> bytes:
    """Decode base64 of either alphabet, without padding; a last odd letter is left out."""
    whole = part[: len(part) - (len(part) % 4 == 1)]
    return base64.b64decode(whole.translate(STANDARD) + "=" * (-len(whole) % 4))


STANDARD = str.maketrans("-_", "+/")


def _kind(claims: Mapping[str, Any]) -> str:
    audiences = claims.get("aud")
    for audience in audiences if isinstance(audiences, list) else [audiences]:
        if str(audience).startswith(DEFAULT_AUDIENCE):
            return ID_TOKEN
    return ACCESS_TOKEN if "tid" in claims and {"appid", "azp"} & claims.keys() else JWT


def _expiry(claims: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(claims["exp"]), tz=timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _issuer(claims: Mapping[str, Any]) -> str:
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else ""


def _encoded_jwts(text: str) -> Iterator[Detected]:
    if not ENCODED_START.search(text):
        return
    for run in ENCODED.finditer(text):
        if ENCODED_START.search(run[0]):
            for offset in range(4):
                yield from jwts(_decoded(run[0][offset:]).decode("latin-1"))


def texts_in_base64(text: str) -> Iterator[str]:
    """Yield what stands in a text in base64, where that is text as well."""
    for run in ENCODED.finditer(text):
        with contextlib.suppress(ValueError):
            yield _decoded(run[0]).decode("utf-8")


def _needles(secret: str) -> tuple[str, ...]:
    """Return the forms in which a secret may stand in a text."""
    written = json.dumps(secret, ensure_ascii=False)[1:-1]
    for character in "&<>":  # Go's encoding/json
        written = written.replace(character, f"\\u{ord(character):04x}")
    forms = (secret, written, quote(secret, safe=""), *_base64_forms(secret.encode()))
    return tuple(dict.fromkeys(forms))


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Yield what is the same in base64 whatever stands before and after the secret."""
    for before, lost in ((0, 0), (1, 2), (2, 3)):
        letters = (before + len(secret)) * 8 // 6
        encoded = base64.b64encode(bytes(before) + secret).decode()[lost:letters]
        yield encoded
        yield encoded.translate(URL_SAFE)


URL_SAFE = str.maketrans("+/", "-_")
