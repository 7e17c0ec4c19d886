"""What calls of Resource Manager and of Microsoft Graph have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessToken


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
