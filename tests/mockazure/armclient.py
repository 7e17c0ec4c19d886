"""A client of the stand-in's Resource Manager for tests: requests in, statuses and JSON out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.arm.service import ResourceManager
from pytest_tfoidc.mockazure.tokens import AccessTokens, SigningKey

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
TENANT = "663e8688-7e4c-44eb-b173-96bc0257b5a2"
HOST = "management.azure.com"
S = f"/subscriptions/{SUBSCRIPTION}"
RG = f"{S}/resourceGroups/rg"
VNET = f"{RG}/providers/Microsoft.Network/virtualNetworks/vnet"
NET = "providers/Microsoft.Network"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"  # the role's id
VERSION = "2024-01-01"
KEY = SigningKey()  # one for all: making an RSA key takes its time


@dataclass(frozen=True)
class Answer:
    """A response, with its JSON."""

    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.response.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


@dataclass
class Arm:
    """A Resource Manager with a caller."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    events: EventLog = field(default_factory=EventLog)

    def __post_init__(self) -> None:
        self.tokens = AccessTokens(
            clock=self.clock, events=self.events, lifetime=timedelta(hours=1)
        )
        self.tokens.key = KEY
        self.manager = ResourceManager(
            clock=self.clock,
            access_tokens=self.tokens,
            subscription_id=SUBSCRIPTION,
            tenant_id=TENANT,
            events=self.events,
        )
        self.bearer = self.new_bearer()

    def new_bearer(self, audience: str = "https://management.azure.com") -> str:
        """Get an access token for an audience."""
        token = self.tokens.issue(
            audience=audience, client_id="client", object_id="object", tenant_id=TENANT
        )
        return token.value

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str = VERSION,
        host: str = HOST,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; a body that is no bytes is sent as JSON."""
        sign = "&" if "?" in path else "?"
        target = (
            path if "api-version=" in path or not version else f"{path}{sign}api-version={version}"
        )
        content = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        named = {"authorization": f"Bearer {self.bearer}", "host": host, **(headers or {})}
        return Answer(self.manager.handle(Request(method, "https", host, target, named, content)))

    def group(self, name: str = "rg") -> str:
        """Make a resource group."""
        path = f"{S}/resourceGroups/{name}"
        assert self("PUT", path, {"location": "westeurope"}).status == 201
        return path

    def vnet(self, path: str = VNET) -> str:
        """Make a virtual network in the group."""
        properties = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
        assert self("PUT", path, {"location": "westeurope", "properties": properties}).status == 201
        return path
