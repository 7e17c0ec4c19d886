"""The values that count as secrets in an environment, by names and length; every run loads this."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MIN_SECRET_LENGTH = 6  # a shorter value would take ordinary words out of the text
SECRET_NAME = re.compile(
    r"(?i)token|secret|passw|credential|private_?key|access_?key|account_?key|api_?key|storage_key"
    r"|service_?principal_?key|sas(?:_|$)|connection_?string"
)
NOT_SECRET_NAME = re.compile(r"(?i)_(?:NAME|ID|UR[IL]|FILE|PATH|DIR|TYPE|LIFETIME|ENDPOINT)$")
NO_SECRET = re.compile(  # a switch, a number, an id, a path, an address without a password
    r"(?i)|true|false|yes|no|none|\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[~.]?/[^\s=]*|https?://[^@\s]*"
)


def secrets_in(environment: Mapping[str, str]) -> Iterator[str]:
    """Return the values of an environment that are secrets, by their variables' names."""
    for name, value in environment.items():
        if NOT_SECRET_NAME.search(name):
            continue
        if SECRET_NAME.search(name) and not NO_SECRET.fullmatch(value.strip()):
            yield value
