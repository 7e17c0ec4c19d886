"""One call of Resource Manager, read: place, query, body, caller."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pytest_tfoidc.mockazure.arm import errors
from pytest_tfoidc.mockazure.requests import ServiceCall

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

MAX_BODY = 4 * 1024 * 1024  # bytes: Resource Manager's own limit
MAX_DEPTH = 100
_SERVICE = "microsoft.apimanagement/service"
# What says only that one thing belongs to another is PUT without a body.
MEMBERSHIPS = frozenset(
    {
        "microsoft.management/managementgroups/subscriptions",
        *(f"{_SERVICE}/{k}/tags" for k in ("apis", "apis/operations", "products")),
        *(f"{_SERVICE}/products/{k}" for k in ("apis", "groups")),
        *(f"{_SERVICE}/{k}" for k in ("gateways/apis", "groups/users")),
        *(f"{_SERVICE}/notifications/recipient{k}" for k in ("emails", "users")),
    }
)
API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-[A-Za-z0-9.-]+)?")


def parse_query(target: str) -> dict[str, str]:
    """Return a target's query; names in lower case, since Resource Manager does not tell them."""
    query = target.partition("?")[2].partition("#")[0]
    return {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}


@dataclass(frozen=True, kw_only=True)
class Call(ServiceCall):
    """A request with everything that a verb needs.

    `auxiliary`: the tenants of further tokens that came with it (`x-ms-authorization-auxiliary`).
    `owner`: the tenant of the subscription that is called.
    """

    place: Place
    auxiliary: frozenset[str] = frozenset()
    owner: str = ""

    @property
    def tenant_id(self) -> str:
        """The tenant that what is called belongs to."""
        return self.owner or self.caller.tenant_id

    @property
    def tenants(self) -> frozenset[str]:
        """The tenants whose resources may be used."""
        return self.auxiliary | {self.caller.tenant_id}

    @property
    def is_our_own(self) -> bool:
        """Whether the stand-in itself makes the call, to put something there."""
        return not self.caller.value

    @property
    def api_version(self) -> str:
        """The api-version, which has been checked."""
        return self.query["api-version"]

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body.

        Raises:
            ArmError: It is too large, or no JSON object.
        """
        if not self.request.body and self.place.type_key in MEMBERSHIPS:
            return {}
        if len(self.request.body) > MAX_BODY:
            raise errors.too_large(MAX_BODY)
        return parse_object(self.request.body)

    def header(self, name: str) -> str:
        """Return a header's value; empty where there is none."""
        return self.request.headers.get(name, "").strip()


def parse_object(content: bytes) -> dict[str, Any]:
    """Parse a body that has to be a JSON object.

    Raises:
        ArmError: It is something else, or nested deeper than anything of Azure.
    """
    try:
        value = json.loads(content, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        why = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise errors.bad_content(why) from error
    if not isinstance(value, dict):
        raise errors.bad_content("The body must be a JSON object.")
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH and _is_deep(value):
        raise errors.bad_content("too deeply nested")
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


def check_api_version(query: Mapping[str, str]) -> None:
    """Check that there is an api-version, and that it is a date.

    Raises:
        ArmError: There is none, or it is malformed. Which dates a type knows is not checked.
    """
    value = query.get("api-version", "")
    if not value:
        raise errors.missing_api_version()
    match = API_VERSION.fullmatch(value)
    if not match or not _is_date(match[1]):
        raise errors.bad_api_version(value)


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - a date, not a moment
    except ValueError:
        return False
    return True
