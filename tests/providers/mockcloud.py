"""A real Terraform provider over Azure Resource Manager, in three versions.

Started by the launchers that `providermirror` writes, as `python mockcloud.py VERSION`. It signs in
as azurerm does: an ID token is exchanged with Entra for an access token, which is renewed when less
than twenty minutes of it remain.

- 1.x knows a static ID token only: the argument `oidc_token`, MOCKCLOUD_OIDC_TOKEN (which the
  azurerm backend does not read) or ARM_OIDC_TOKEN.
- 2.x refreshes: unless `oidc_token` is given, every exchange has a new ID token from
  ARM_OIDC_REQUEST_URL, where that is set.
- 3.x changes the default of `retention_days`, renames `label` to `title` and carries the state
  over, deprecates `legacy_mode`, and replaces gateways that an older version has made.

All versions take `tenant_id`, `subscription_id`, `client_id`, `oidc_azure_service_connection_id`
and `auxiliary_tenant_ids` from the provider block, else from the environment, as azurerm does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tf.iface import DataSource, Provider, Resource
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import Bool, List, Number, String

if TYPE_CHECKING:
    import requests

LOGIN = "https://login.microsoftonline.com"
RESOURCE_MANAGER = "https://management.azure.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AUDIENCE = "api://AzureADTokenExchange"
RENEW_BELOW_SECONDS = 20 * 60
TIMEOUT_SECONDS = 60
OK, CREATED, ACCEPTED, NOT_FOUND = 200, 201, 202, 404
VERSION = sys.argv[1] if len(sys.argv) > 1 else "3.0.0"
MAJOR = int(VERSION.split(".")[0])
REFRESHES = MAJOR >= 2
IS_NEW = MAJOR >= 3
RETENTION_DAYS = {1: 7, 2: 7}.get(MAJOR, 30)
OLD_RETENTION_DAYS = 7
CRASHES = "crash"  # a resource of this name ends the provider as a defect in Go would


T = TypeVar("T")


class CloudError(Exception):
    """Azure said no; the message is what it said."""


class Azure:
    """An authenticated client. `config`: the provider's arguments; empty where not given."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._oidc_token = str(config.get("oidc_token") or "")
        self._lock = threading.RLock()
        self._tokens: dict[str, tuple[str, float]] = {}  # by tenant: an access token, and its end

    def _setting(self, name: str, variable: str) -> str:
        return str(self._config.get(name) or os.environ.get(variable, ""))

    @property
    def subscription(self) -> str:
        """The subscription that the provider works in."""
        return self._setting("subscription_id", "ARM_SUBSCRIPTION_ID")

    @property
    def tenant(self) -> str:
        """The tenant that the provider signs in to."""
        return self._setting("tenant_id", "ARM_TENANT_ID")

    @cached_property
    def _http(self) -> requests.Session:
        import requests  # noqa: PLC0415 - reading the schema does without

        session = requests.Session()
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        return session

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:  # noqa: ANN401 - JSON
        """Call Resource Manager; wait for what it has accepted."""
        answer = self._send(method, f"{RESOURCE_MANAGER}{path}", body)
        operation = answer.headers.get("Azure-AsyncOperation")
        while operation and answer.ok:
            status = self._send("GET", operation).json().get("status")
            if status == "Succeeded":
                break
            if status in {"Failed", "Canceled"}:
                raise CloudError(f"The operation ended: {status}.")
        return answer

    def _send(self, method: str, url: str, body: Any = None) -> requests.Response:  # noqa: ANN401 - JSON
        answer = self._http.request(
            method,
            url,
            json=body,
            headers=self._headers(),
            timeout=TIMEOUT_SECONDS,
        )
        if not answer.ok and (answer.status_code != NOT_FOUND or method == "PUT"):
            raise CloudError(f"{method} {url}: HTTP status {answer.status_code}: {answer.text}")
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._token(self.tenant)}"}
        more = [self._token(str(t)) for t in self._config.get("auxiliary_tenant_ids") or ()]
        if more:
            headers["x-ms-authorization-auxiliary"] = ", ".join(f"Bearer {token}" for token in more)
        return headers

    def _token(self, tenant: str) -> str:
        with self._lock:
            token, expires = self._tokens.get(tenant, ("", 0.0))
            if expires - time.monotonic() < RENEW_BELOW_SECONDS:
                token, lifetime = self._exchange(self._id_token(), tenant)
                self._tokens[tenant] = token, time.monotonic() + lifetime
            return token

    def _id_token(self) -> str:
        if self._oidc_token:
            return self._oidc_token
        if REFRESHES and (url := os.environ.get("ARM_OIDC_REQUEST_URL")):
            return self._ask(url)
        token = os.environ.get("MOCKCLOUD_OIDC_TOKEN") or os.environ.get("ARM_OIDC_TOKEN")
        if not token:
            raise CloudError("No ID token was given. Please run 'az login'.")
        return token

    def _ask(self, url: str) -> str:
        wanted = {
            "api-version": "7.1",
            "audience": AUDIENCE,
            "serviceConnectionId": self._setting(
                "oidc_azure_service_connection_id", "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"
            ),
        }
        answer = self._http.post(
            url,
            params={name: value for name, value in wanted.items() if f"{name}=" not in url},
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {os.environ.get('ARM_OIDC_REQUEST_TOKEN', '')}",
                "Content-Type": "application/json",
            },
            timeout=TIMEOUT_SECONDS,
        )
        if not answer.ok:
            status = answer.status_code
            raise CloudError(f"adoPipelineAssertion: received HTTP status {status}: {answer.text}")
        return str(answer.json()["oidcToken"])

    def _exchange(self, id_token: str, tenant: str) -> tuple[str, float]:
        answer = self._http.post(
            f"{LOGIN}/{tenant}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self._setting("client_id", "ARM_CLIENT_ID"),
                "client_assertion": id_token,
                "client_assertion_type": ASSERTION,
                "scope": f"{RESOURCE_MANAGER}/.default",
            },
            timeout=TIMEOUT_SECONDS,
        )
        said = answer.json()
        if not answer.ok:
            raise CloudError(said.get("error_description", f"HTTP status {answer.status_code}"))
        return str(said["access_token"]), float(said["expires_in"])


class AzureResource(Resource):  # type: ignore[misc] # tf has no types
    """A resource that is there, or not, at the path that its state gives."""

    api_version: ClassVar[str]

    def __init__(self, provider: MockCloud) -> None:
        self._azure = provider.azure

    def path(self, state: dict[str, Any]) -> str:
        """Return the resource's id."""
        raise NotImplementedError

    def body(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return what is written to Resource Manager."""
        raise NotImplementedError

    def create(self, ctx: Any, planned: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Write the resource, and give it its id; what exists already is not taken over."""

        def new() -> dict[str, Any]:
            if self._exists(planned):
                raise CloudError(
                    f'A resource with the ID "{self.path(planned)}" already exists - to be managed'
                    " via Terraform this resource needs to be imported into the State."
                )
            return self._write({**planned, "id": self.path(planned)})

        return self._guarded(ctx, new)

    def update(
        self,
        ctx: Any,  # noqa: ANN401 - tf has no types
        current: dict[str, Any],
        planned: dict[str, Any],
    ) -> dict[str, Any] | None:
        """Write it again."""
        return self._guarded(ctx, lambda: self._write(planned)) or current

    def read(self, ctx: Any, current: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Look whether it is still there."""
        return self._guarded(ctx, lambda: current if self._exists(current) else None)

    def delete(self, ctx: Any, current: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Delete it, and wait until it is gone."""

        def gone() -> None:
            self._azure.call("DELETE", self._url(current))
            while self._exists(current):
                pass  # the stand-in's deletions end after a number of polls

        self._guarded(ctx, gone)

    def import_(self, ctx: Any, id: str) -> dict[str, Any] | None:  # noqa: A002, ANN401 - as in tf
        """Take over what is there; nothing where there is nothing."""
        return self._guarded(ctx, lambda: self._found(id))

    def _found(self, path: str) -> dict[str, Any] | None:
        answer = self._azure.call("GET", f"{path}?api-version={self.api_version}")
        return self.imported(path, answer.json()) if answer.ok else None

    def imported(self, path: str, found: dict[str, Any]) -> dict[str, Any]:
        """Return the state of what was found."""
        raise NotImplementedError

    def _url(self, state: dict[str, Any]) -> str:
        return f"{self.path(state)}?api-version={self.api_version}"

    def _exists(self, state: dict[str, Any]) -> bool:
        return self._azure.call("GET", self._url(state)).status_code != NOT_FOUND

    def _write(self, state: dict[str, Any]) -> dict[str, Any]:
        if state["name"] == CRASHES:
            sys.stderr.write("panic: runtime error: invalid memory address\n\ngoroutine 1:\n")
            sys.stderr.flush()
            os._exit(2)
        self._azure.call("PUT", self._url(state), self.body(state))
        return state

    def _guarded(self, ctx: Any, work: Callable[[], T]) -> T | None:  # noqa: ANN401 - tf has no types
        """Turn what Azure or the network says into a diagnostic."""
        try:
            return work()
        except (CloudError, OSError) as error:  # the errors of requests are OSErrors
            ctx.diagnostics.add_error(
                f"{ctx.type_name}: Azure cannot be reached as wanted", str(error)
            )
            return None


class Group(AzureResource):
    """`mockcloud_group`: a resource group."""

    api_version = "2021-04-01"

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "group"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return this version's schema."""
        return Schema(
            version=1 if IS_NEW else 0,
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("location", String(), required=True, requires_replace=True),
                Attribute(
                    "retention_days", Number(), optional=True, computed=True, default=RETENTION_DAYS
                ),
                Attribute("legacy_mode", Bool(), optional=True, deprecated=IS_NEW),
                Attribute(
                    "title" if IS_NEW else "label",
                    String(),
                    optional=True,
                    computed=True,
                    default="",
                ),
            ],
        )

    def validate(self, diags: Any, type_name: str, config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Warn of the deprecated argument, as SDKs do."""
        super().validate(diags, type_name, config)
        if IS_NEW and config.get("legacy_mode") is not None:
            diags.add_warning("Argument is deprecated", "Leave it out.", path=["legacy_mode"])

    def plan(
        self,
        _ctx: Any,  # noqa: ANN401 - tf has no types
        _current: dict[str, Any],
        planned: dict[str, Any],
    ) -> dict[str, Any]:
        """Move what has the old default to the new one."""
        # The configuration is not given here: a configured 7 would be moved as well.
        if IS_NEW and planned["retention_days"] == OLD_RETENTION_DAYS:
            planned["retention_days"] = RETENTION_DAYS
        return planned

    def upgrade(self, _ctx: Any, _version: int, old: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - tf has no types
        """Carry `label` over to `title`."""
        return {**{k: v for k, v in old.items() if k != "label"}, "title": old["label"]}

    def path(self, state: dict[str, Any]) -> str:
        """Return the resource group's id."""
        return f"/subscriptions/{self._azure.subscription}/resourceGroups/{state['name']}"

    def imported(self, path: str, found: dict[str, Any]) -> dict[str, Any]:
        """Return the state of a group."""
        return {
            "id": path,
            "name": found["name"],
            "location": found["location"],
            "retention_days": int(found["tags"]["retention"]),
            "legacy_mode": None,
            "title" if IS_NEW else "label": "",
        }

    def body(self, state: dict[str, Any]) -> dict[str, Any]:
        """Keep what Azure does not know in a tag."""
        return {"location": state["location"], "tags": {"retention": str(state["retention_days"])}}


class Gateway(AzureResource):
    """`mockcloud_gateway`: a virtual network gateway, which takes its time."""

    api_version = "2023-09-01"

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "gateway"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return this version's schema."""
        return Schema(
            version=1 if IS_NEW else 0,
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("group", String(), required=True, requires_replace=True),
                Attribute("location", String(), required=True, requires_replace=True),
                Attribute("sku", String(), required=True, requires_replace=IS_NEW),
            ],
        )

    def upgrade(self, _ctx: Any, _version: int, old: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - tf has no types
        """Mark the SKU of old gateways, so that they are replaced."""
        return {**old, "sku": f"legacy-{old['sku']}"}

    def path(self, state: dict[str, Any]) -> str:
        """Return the gateway's id."""
        groups = f"/subscriptions/{self._azure.subscription}/resourceGroups"
        kind = "providers/Microsoft.Network/virtualNetworkGateways"
        return f"{groups}/{state['group']}/{kind}/{state['name']}"

    def imported(self, path: str, found: dict[str, Any]) -> dict[str, Any]:
        """Return the state of a gateway."""
        return {
            "id": path,
            "name": found["name"],
            "group": path.split("/")[4],
            "location": found["location"],
            "sku": found["properties"]["sku"]["name"],
        }

    def body(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the gateway as Resource Manager wants it."""
        return {"location": state["location"], "properties": {"sku": {"name": state["sku"]}}}


class Network(AzureResource):
    """`mockcloud_network`: a virtual network."""

    api_version = "2023-09-01"

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "network"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("group", String(), required=True, requires_replace=True),
                Attribute("location", String(), required=True, requires_replace=True),
            ],
        )

    def path(self, state: dict[str, Any]) -> str:
        """Return the network's id."""
        groups = f"/subscriptions/{self._azure.subscription}/resourceGroups"
        kind = "providers/Microsoft.Network/virtualNetworks"
        return f"{groups}/{state['group']}/{kind}/{state['name']}"

    def body(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the network as Resource Manager wants it."""
        space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
        return {"location": state["location"], "properties": space}


class Peering(AzureResource):
    """`mockcloud_peering`: a peering of a network with one that may be another tenant's."""

    api_version = "2023-09-01"

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "peering"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("id", String(), computed=True),
                Attribute("name", String(), required=True, requires_replace=True),
                Attribute("network_id", String(), required=True, requires_replace=True),
                Attribute("remote_id", String(), required=True, requires_replace=True),
            ],
        )

    def path(self, state: dict[str, Any]) -> str:
        """Return the peering's id."""
        return f"{state['network_id']}/virtualNetworkPeerings/{state['name']}"

    def body(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the peering as Resource Manager wants it."""
        return {"properties": {"remoteVirtualNetwork": {"id": state["remote_id"]}}}


class ExistingGroup(DataSource):  # type: ignore[misc] # tf has no types
    """`data.mockcloud_group`: a resource group that is there already."""

    def __init__(self, provider: MockCloud) -> None:
        self._azure = provider.azure

    @classmethod
    def get_name(cls) -> str:
        """Return the type's name without the provider's."""
        return "group"

    @classmethod
    def get_schema(cls) -> Schema:
        """Return the schema."""
        return Schema(
            attributes=[
                Attribute("name", String(), required=True),
                Attribute("id", String(), computed=True),
                Attribute("location", String(), computed=True),
                Attribute("tenant", String(), computed=True),
            ],
        )

    def read(self, ctx: Any, config: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ANN401 - tf has no types
        """Read it, as azurerm words it where it is not there."""
        azure = self._azure
        path = f"/subscriptions/{azure.subscription}/resourceGroups/{config['name']}"
        try:
            answer = azure.call("GET", f"{path}?api-version={Group.api_version}")
        except (CloudError, OSError) as error:
            ctx.diagnostics.add_error("Azure cannot be reached as wanted", str(error))
            return None
        if answer.status_code == NOT_FOUND:
            said = f'Subscription: "{azure.subscription}"\nResource Group Name: "{config["name"]}"'
            ctx.diagnostics.add_error(f"Resource Group ({said}) was not found", "")
            return None
        found = answer.json()
        return {
            "name": config["name"],
            "id": found["id"],
            "location": found["location"],
            "tenant": azure.tenant,
        }


class MockCloud(Provider):  # type: ignore[misc] # tf has no types
    """The provider."""

    def __init__(self) -> None:
        self.azure = Azure({})

    def get_model_prefix(self) -> str:
        """Return what the names of all types begin with."""
        return "mockcloud_"

    def full_name(self) -> str:
        """Return the provider's source."""
        return "registry.terraform.io/tfoidc/mockcloud"

    def get_provider_schema(self, _diags: Any) -> Schema:  # noqa: ANN401 - tf has no types
        """Return the provider's own arguments."""
        names = (
            "tenant_id",
            "subscription_id",
            "client_id",
            "oidc_azure_service_connection_id",
        )
        return Schema(
            attributes=[
                Attribute("oidc_token", String(), optional=True, sensitive=True),
                *(Attribute(name, String(), optional=True) for name in names),
                Attribute("auxiliary_tenant_ids", List(String()), optional=True),
            ]
        )

    def validate_config(self, _diags: Any, _config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Accept every configuration."""

    def configure_provider(self, _diags: Any, config: dict[str, Any]) -> None:  # noqa: ANN401 - tf has no types
        """Take the ID token, if one is given, and who signs in where."""
        self.azure = Azure(config)

    def get_data_sources(self) -> list[type]:
        """Return the data sources."""
        return [ExistingGroup]

    def get_resources(self) -> list[type]:
        """Return the resource types."""
        return [Group, Gateway, Network, Peering]


if __name__ == "__main__":
    run_provider(MockCloud(), argv=sys.argv[:1])
