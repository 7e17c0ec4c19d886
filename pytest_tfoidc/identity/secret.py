"""Text that must not be seen: a `str` whose repr is not its value."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pytest_tfoidc.redaction import REDACTED

JWT_PARTS = 3


class Secret(str):
    """A string for programs, `(redacted)` for tracebacks, assertions and `--showlocals`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show that there is a secret."""
        return REDACTED


def holds_secret(value: object) -> bool:
    """Tell whether a value is a secret, or a tuple, list, set or mapping with one in it.

    Other kinds of secrets say `is_hidden`.
    """
    if isinstance(value, Mapping):
        return any(holds_secret(one) for one in value.values())
    if isinstance(value, tuple | list | set | frozenset):
        return any(holds_secret(one) for one in value)
    return isinstance(value, Secret) or getattr(value, "is_hidden", False) is True


def compared_without_secrets(operator: str, left: object, right: object) -> list[str] | None:
    """Write a failed comparison for people; None where there is no secret in it.

    Whoever compares texts in detail would show them both, whatever their repr.
    """
    if not holds_secret(left) and not holds_secret(right):
        return None
    return [f"{left!r} {operator} {right!r}", "There is a secret in it, so no details are shown."]


def jwt_claims(text: str) -> dict[str, Any] | None:
    """Read a JWT's claims without verifying its signature; None where the text is no JWT."""
    parts = text.split(".")
    if len(parts) != JWT_PARTS:
        return None
    try:
        header, claims = (_json_part(part) for part in parts[:2])
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    return claims


def _json_part(part: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_"))


def numeric_date(value: object) -> datetime | None:
    """Return a NumericDate (seconds since 1970, RFC 7519) as aware UTC; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, tz=timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None
