"""The reading of requests that the services share: paths, queries, JSON bodies and calls."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessToken

MAX_DEPTH = 100


class ContentError(Exception):
    """A body is no JSON object. Each service has an answer of its own to that."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The request content was invalid and could not be deserialized: '{why}'.")


@dataclass(frozen=True, kw_only=True)
class ServiceCall:
    """A request that was let in: its query, whose token it bears, and when it came."""

    request: Request
    query: Mapping[str, str]
    caller: AccessToken
    now: datetime

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def base(self) -> str:
        """Where the client reached us: scheme, host and port."""
        return f"{self.request.scheme}://{self.request.headers.get('host') or self.request.host}"


def split_path(target: str) -> tuple[str, ...]:
    """Split a request's target into decoded segments. Empty ones (`//`) do not count."""
    path = target.partition("?")[0].partition("#")[0]
    if "://" in path[:9]:  # the absolute form, which proxies get
        path = path.partition("://")[2].partition("/")[2]
    return tuple(unquote(s) for s in path.split("/") if s)


def parse_query(target: str) -> dict[str, str]:
    """Return a target's query; names in lower case, since Azure does not tell them."""
    query = target.partition("?")[2].partition("#")[0]
    return {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}


def parse_object(content: bytes) -> dict[str, Any]:
    """Parse a body that has to be a JSON object.

    Raises:
        ContentError: It is something else, or nested deeper than anything of Azure.
    """
    try:
        value = json.loads(content, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        why = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise ContentError(why) from error
    if not isinstance(value, dict):
        raise ContentError("The body must be a JSON object.")
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH and _is_deep(value):
        raise ContentError("too deeply nested")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _is_deep(value: object) -> bool:
    """Tell whether a value is nested too deeply, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
