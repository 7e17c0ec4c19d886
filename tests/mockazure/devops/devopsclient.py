"""A client of the stand-in's Azure DevOps for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.devops.service import AUDIENCE, FEDERATION, AzureDevOps
from pytest_tfoidc.mockazure.tokens import AccessTokens
from tests.mockazure.armclient import KEY, TENANT, Answer

HOST = "dev.azure.com"
PROJECTS = "603fe2ac-9723-48b9-88ad-09305aa6c6e1"


class Client:
    """A client that finds its URLs as the provider does: from the resource locations."""

    def __init__(self) -> None:
        self.events = EventLog()
        clock = VirtualClock()
        tokens = AccessTokens(clock=clock, events=self.events)
        tokens.key = KEY
        self.secrets: list[dict[str, Any]] = []
        self.devops = AzureDevOps(
            clock=clock, access_tokens=tokens, secrets_of=lambda _vault: self.secrets
        )
        token = tokens.issue(
            audience=AUDIENCE, client_id="client", object_id="object", tenant_id=TENANT
        )
        self.headers: Mapping[str, str] = {"authorization": f"Bearer {token.value}"}

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to a path of the organization."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {**self.headers, **(headers or {})}
        return Answer(
            self.devops.handle(Request(method, "https", HOST, f"/org/{path}", named, content))
        )

    def call(
        self, method: str, location: str, body: object = None, *, query: str = "", **route: str
    ) -> Answer:
        """Call what a resource location names."""
        known = {loc["id"]: loc for loc in self.send("OPTIONS", "_apis").json["value"]}
        template = known[location]["routeTemplate"].replace("{*", "{")
        filled = re.sub(r"\{(\w+)\}", lambda m: quote(route.get(m[1], ""), safe=""), template)
        return self.send(method, filled.rstrip("/") + query, body)

    def make(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Create something by a POST."""
        answer = self.send("POST", path, body)
        assert answer.status in {200, 201}, answer.json
        return answer.json

    def listed(self, path: str, name: str = "name") -> list[Any]:
        """List a property of what a path has."""
        return [item[name] for item in self.send("GET", path).json["value"]]

    def project(self) -> str:
        """Return the id of the project that is there from the start."""
        return str(self.call("GET", PROJECTS, projectId="project").json["id"])

    def connection(self, name: str = "connection", app: str = "") -> dict[str, Any]:
        """Return the body that creates a service connection."""
        parameters = {"serviceprincipalid": app, "tenantid": TENANT}
        return {
            "name": name,
            "type": "azurerm",
            "url": "https://management.azure.com/",
            "authorization": {"scheme": FEDERATION, "parameters": parameters},
            "data": {"creationMode": "Manual" if app else "Automatic"},
            "serviceEndpointProjectReferences": [{"projectReference": {"id": self.project()}}],
        }
