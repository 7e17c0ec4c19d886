"""A real Terraform provider whose client has one of the habits that clients have with tokens.

Started by the launchers that `providermirror` writes. The provider's argument `habit`:

- `renews` asks for a new access token before each call when less than twenty minutes remain, as
  go-azure-sdk does; `slow` does so too, and takes 200 ms from the token to the call.
- `connects` opens a new connection for each call, and renews.
- `keeps` has one access token for everything; `minute` has one for a minute.
- `keeps_one` renews the token for Resource Manager, and keeps the one for Graph.
- `retries` keeps one, and tries again with it when it is refused.
- `ahead` asks for its tokens when it is configured, and uses each of them once.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tf.iface import Provider, Resource
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import String

if TYPE_CHECKING:
    import requests

LOGIN = "https://login.microsoftonline.com"
RESOURCE_MANAGER = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MARGIN_SECONDS = 20 * 60
MINUTE_SECONDS = 60
ON_ITS_WAY_SECONDS = 0.2
TIMEOUT_SECONDS = 120
MOST_TRIES = 3
AHEAD = 40
UNAUTHORIZED, NOT_FOUND = 401, 404
RENEWS, SLOW, CONNECTS = "renews", "slow", "connects"
KEEPS, MINUTE, KEEPS_ONE, RETRIES, AHEAD_OF_TIME = (
    "keeps",
    "minute",
    "keeps_one",
    "retries",
    "ahead",
)
Kept = tuple[str, float, float]  # the token, when it was had, and when it is said to expire


class CloudError(Exception):
    """Azure said no; the message is what it said."""


class Client:
    """An authenticated client with a habit."""

    def __init__(self, habit: str) -> None:
        self._habit = habit
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._stock = [
            self._ask(RESOURCE_MANAGER)[0] for _ in range(AHEAD * self._is(AHEAD_OF_TIME))
        ]

    def _is(self, *habits: str) -> bool:
        return self._habit in habits

    @cached_property
    def _http(self) -> requests.Session:
        import requests  # noqa: PLC0415 - reading the schema does without

        session = requests.Session()
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        session.headers["User-Agent"] = "python terraform-provider-habits/1.0.0"
        return session

    def call(self, method: str, path: str, body: Any = None, *, service: str) -> int:  # noqa: ANN401 - JSON
        """Call a service; give the status of its answer."""
        token = self._token(service)
        if self._is(SLOW):
            time.sleep(ON_ITS_WAY_SECONDS)
        for _ in range(MOST_TRIES if self._is(RETRIES) else 1):
            answer = self._send(method, service + path, token, body)
            if answer.status_code != UNAUTHORIZED:
                break
        if not answer.ok and answer.status_code != NOT_FOUND:
            raise CloudError(f"{method} {path}: HTTP status {answer.status_code}: {answer.text}")
        return answer.status_code

    def _send(self, method: str, url: str, token: str, body: Any) -> requests.Response:  # noqa: ANN401 - JSON
        headers = {"Authorization": f"Bearer {token}"}
        if self._is(CONNECTS):
            headers["Connection"] = "close"
        return self._http.request(method, url, json=body, headers=headers, timeout=TIMEOUT_SECONDS)

    def _token(self, service: str) -> str:
        with self._lock:
            if self._stock and service == RESOURCE_MANAGER:
                return self._stock.pop()
            if not self._may_keep(service):
                self._kept[service] = self._ask(service)
            return self._kept[service][0]

    def _may_keep(self, service: str) -> bool:
        if service not in self._kept:
            return False
        _, since, expires = self._kept[service]
        if self._is(KEEPS, RETRIES) or (self._is(KEEPS_ONE) and service == GRAPH):
            return True
        if self._is(MINUTE):
            return time.monotonic() - since < MINUTE_SECONDS
        return expires - time.monotonic() > MARGIN_SECONDS

    def _ask(self, service: str) -> Kept:
        """Exchange a new ID token for a new access token."""
        answer = self._http.post(
            f"{LOGIN}/{os.environ['ARM_TENANT_ID']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": os.environ["ARM_CLIENT_ID"],
                "client_assertion": self._id_token(),
                "client_assertion_type": ASSERTION,
                "scope": f"{service}/.default",
            },
            timeout=TIMEOUT_SECONDS,
        )
        said = answer.json()
        if not answer.ok:
            raise CloudError(said.get("error_description", f"HTTP status {answer.status_code}"))
        now = time.monotonic()
        return str(said["access_token"]), now, now + float(said["expires_in"])

    def _id_token(self) -> str:
        bearer = os.environ["ARM_OIDC_REQUEST_TOKEN"]
        connection = os.environ["ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"]
        answer = self._http.post(
            f"{os.environ['ARM_OIDC_REQUEST_URL']}&serviceConnectionId={connection}",
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=TIMEOUT_SECONDS,
        )
        if not answer.ok:
            raise CloudError(f"HTTP status {answer.status_code}: {answer.text}")
        return str(answer.json()["oidcToken"])


class Group(Resource):  # type: ignore[misc] # tf has no types
    """`habits_group`: a resource group, and with the habit `keeps_one` two calls to Graph."""

    def __init__(self, provider: Habits) -> None:
        self._provider = provider

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "group"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
            ]
        )

    def create(self, ctx: Any, planned: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Write the group, and give it its id."""
        made = {**planned, "id": self._path(planned)}
        return made if self._calls(ctx, "PUT", made) is not None else None

    def read(self, ctx: Any, current: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Look whether it is still there."""
        return None if self._calls(ctx, "GET", current) == NOT_FOUND else current

    def update(self, _ctx: Any, _current: Any, planned: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - tf has no types
        """Change nothing: every change replaces the group."""
        return planned

    def delete(self, ctx: Any, current: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Delete it."""
        self._calls(ctx, "DELETE", current)

    def _path(self, state: dict[str, Any]) -> str:
        return f"/subscriptions/{os.environ['ARM_SUBSCRIPTION_ID']}/resourceGroups/{state['name']}"

    def _calls(self, ctx: Any, method: str, state: dict[str, Any]) -> int | None:  # noqa: ANN401 - tf has no types
        """Make the calls; turn what Azure or the network says into a diagnostic."""
        client = self._provider.client
        body = {"location": "westeurope"} if method == "PUT" else None
        path = f"{self._path(state)}?api-version=2021-04-01"
        try:
            if self._provider.habit == KEEPS_ONE:
                client.call("GET", "/v1.0/applications", service=GRAPH)
            return client.call(method, path, body, service=RESOURCE_MANAGER)
        except (CloudError, OSError) as error:  # the errors of requests are OSErrors
            ctx.diagnostics.add_error("Azure cannot be reached as wanted", str(error))
            return None


class Habits(Provider):  # type: ignore[misc] # tf has no types
    """The provider."""

    def __init__(self) -> None:
        self.habit = RENEWS
        self.client: Client

    def get_model_prefix(self) -> str:
        """Return what the names of all types begin with."""
        return "habits_"

    def full_name(self) -> str:
        """Return the provider's source."""
        return "registry.terraform.io/tfoidc/habits"

    def get_provider_schema(self, _diags: Any) -> Schema:  # noqa: ANN401 - tf has no types
        """Return the provider's own argument."""
        return Schema(attributes=[Attribute("habit", String(), optional=True)])

    def validate_config(self, _diags: Any, _config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Accept every configuration."""

    def configure_provider(self, diags: Any, config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Take the habit on."""
        self.habit = config.get("habit") or RENEWS
        try:
            self.client = Client(self.habit)
        except (CloudError, OSError) as error:
            diags.add_error("Azure cannot be reached as wanted", str(error))

    def get_data_sources(self) -> list[type]:
        """Return none."""
        return []

    def get_resources(self) -> list[type]:
        """Return the resource type."""
        return [Group]


if __name__ == "__main__":
    run_provider(Habits(), argv=sys.argv[:1])
