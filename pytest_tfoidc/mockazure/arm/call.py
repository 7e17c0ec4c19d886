"""One call of Resource Manager, read: place, query, body, caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm import errors
from pytest_tfoidc.mockazure.requests import ContentError, ServiceCall, parse_object

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

MAX_BODY = 4 * 1024 * 1024  # bytes: Resource Manager's own limit
_SERVICE = "microsoft.apimanagement/service"
# What has nothing but its name, such as that one thing belongs to another, is PUT without a body.
WITHOUT_BODY = frozenset(
    {
        "microsoft.management/managementgroups/subscriptions",
        *(f"{_SERVICE}/{k}/tags" for k in ("apis", "apis/operations", "products")),
        *(f"{_SERVICE}/products/{k}" for k in ("apis", "groups")),
        *(f"{_SERVICE}/{k}" for k in ("gateways/apis", "groups/users")),
        *(f"{_SERVICE}/notifications/recipient{k}" for k in ("emails", "users")),
        "microsoft.appplatform/spring/serviceregistries",
        "microsoft.cdn/profiles/rulesets",
        "microsoft.containerregistry/registries/packages/archives/versions",
        *(f"microsoft.dbfor{k}/flexibleservers/backups" for k in ("mysql", "postgresql")),
        "microsoft.eventgrid/domains/topics",
        "microsoft.security/servervulnerabilityassessments",
        *(f"microsoft.sql/servers/{k}" for k in ("dnsaliases", "outboundfirewallrules")),
        "microsoft.sql/servers/jobagents/jobs/executions",
        *(f"microsoft.web/sites/{k}siteextensions" for k in ("", "slots/")),
        *(f"microsoft.web/sites/{k}extensions" for k in ("", "slots/")),
    }
)
API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-[A-Za-z0-9.-]+)?")


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
        if not self.request.body and self.place.type_key in WITHOUT_BODY:
            return {}
        if len(self.request.body) > MAX_BODY:
            raise errors.too_large(MAX_BODY)
        try:
            return parse_object(self.request.body)
        except ContentError as error:
            raise errors.bad_content(str(error)) from error

    def header(self, name: str) -> str:
        """Return a header's value; empty where there is none."""
        return self.request.headers.get(name, "").strip()


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
