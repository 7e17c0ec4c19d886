"""The whole stand-in for tests: started, with a client that reaches it as any client does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import requests

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.mockazure.directory import CLIENT_ID, CONNECTION_ID
from pytest_tfoidc.mockazure.entra import JWT_BEARER
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS

ARM = "https://management.azure.com"


class Azure:
    """A running stand-in, with its clock and its events, and a client."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.events = EventLog()
        self.mock = MockAzure(clock=self.clock, events=self.events, environment={})
        self.session = requests.Session()

    def start(self) -> None:
        self.mock.start()
        self.session.trust_env = False
        self.session.proxies = {"https": self.mock.url}
        self.session.verify = str(self.mock.ca_file)

    def close(self) -> None:
        self.session.close()
        self.mock.stop()
        self.clock.reset()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Azure]:
        """Lend it to one test: its state and its clock are afterwards as they were."""
        held = self.mock.snapshot()
        try:
            yield self
        finally:
            self.mock.restore(held)
            self.clock.reset()

    def send(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        return self.session.request(method, url, timeout=20, **options)

    def id_token(self, connection: str = CONNECTION_ID, audience: str = "") -> requests.Response:
        """Ask for an ID token as a job of Azure DevOps does."""
        query = {"api-version": "7.1", "serviceConnectionId": connection, "audience": audience}
        bearer = self.mock.issuer.request_tokens[AZURE_DEVOPS]
        return self.send(
            "POST",
            self.mock.directory.connection.request_url,
            params={name: value for name, value in query.items() if value},
            headers={"Authorization": f"Bearer {bearer}"},
        )

    def exchange(
        self, assertion: str, client: str = CLIENT_ID, scope: str = ARM, tenant: str = ""
    ) -> Any:  # noqa: ANN401 - JSON
        """Exchange an ID token at Entra."""
        tenant = tenant or self.mock.directory.tenant_id
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_assertion": assertion,
            "client_assertion_type": JWT_BEARER,
            "scope": f"{scope}/.default",
        }
        url = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
        return self.send("POST", url, data=form).json()

    def log_in(self, connection: str = CONNECTION_ID, client: str = CLIENT_ID) -> Any:  # noqa: ANN401 - JSON
        """Get an ID token for a connection and exchange it: Entra's answer."""
        return self.exchange(self.id_token(connection).json()["oidcToken"], client)

    def code(self, connection: str = CONNECTION_ID, client: str = CLIENT_ID) -> int:
        """Log in, and give the code of Entra's refusal; 0 where it lets in."""
        answer = self.log_in(connection, client)
        return 0 if "access_token" in answer else int(answer["error_codes"][0])

    def bearer(self, scope: str = ARM, tenant: str = "") -> dict[str, str]:
        """Get the header that a service wants."""
        assertion = self.id_token().json()["oidcToken"]
        token = self.exchange(assertion, scope=scope, tenant=tenant)["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def arm(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """Call Resource Manager, with a new token."""
        return self.send(
            method,
            f"{ARM}{path}",
            params={"api-version": "2024-01-01"},
            json=body,
            headers={**self.bearer(), **headers},
        )


@contextlib.contextmanager
def running() -> Iterator[Azure]:
    azure = Azure()
    azure.start()
    try:
        yield azure
    finally:
        azure.close()
