"""A client of the stand-in's Microsoft Graph for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.graph.service import Graph
from pytest_tfoidc.mockazure.tokens import AccessTokens
from tests.mockazure.armclient import KEY, TENANT, Answer

HOST = "graph.microsoft.com"


def encoded(body: object) -> bytes:
    """Encode a body as JSON; none is empty."""
    return b"" if body is None else json.dumps(body).encode()


class Client:
    """A client of the stand-in's Graph."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.events = EventLog()
        tokens = AccessTokens(clock=self.clock, events=self.events)
        tokens.key = KEY
        self.managed: list[dict[str, str]] = []
        self.graph = Graph(
            clock=self.clock,
            access_tokens=tokens,
            tenant_id=TENANT,
            managed=lambda: self.managed,
        )
        self.tokens = tokens
        self.bearer = self.new_bearer()

    def new_bearer(self, audience: str = "https://graph.microsoft.com") -> str:
        """Get an access token for an audience."""
        issued = self.tokens.issue(
            audience=audience, client_id="client", object_id="object", tenant_id=TENANT
        )
        return issued.value

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        version: str = "v1.0",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else encoded(body)
        named = {"authorization": f"Bearer {self.bearer}", "host": HOST, **(headers or {})}
        request = Request(method, "https", HOST, f"/{version}{path}", named, content)
        return Answer(self.graph.handle(request))

    def make(self, collection: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Create an object."""
        answer = self("POST", f"/{collection}", body)
        assert answer.status == 201, answer.json
        return answer.json

    def names(self, path: str) -> list[str]:
        """List display names."""
        return [item["displayName"] for item in self("GET", path).json["value"]]
