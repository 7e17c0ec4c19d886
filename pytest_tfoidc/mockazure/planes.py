"""The services behind Azure's hosts, each imported and made when somebody first asks for it.

Most runs ask for blobs and nothing else: they need not wait for the rest of Azure. All imports of
services are here, each in the function that makes what it imports.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from pytest_tfoidc.clock import VirtualClock
    from pytest_tfoidc.events import EventLog
    from pytest_tfoidc.httpserver import Request, Response
    from pytest_tfoidc.mockazure.appconfig.auth import AccessKey
    from pytest_tfoidc.mockazure.appconfig.service import ConfigurationStores
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.service import ResourceManager
    from pytest_tfoidc.mockazure.dataplanes.service import DataPlanes
    from pytest_tfoidc.mockazure.devops.service import AzureDevOps
    from pytest_tfoidc.mockazure.directory import Directory
    from pytest_tfoidc.mockazure.graph.service import Graph
    from pytest_tfoidc.mockazure.keyvault.service import KeyVaults
    from pytest_tfoidc.mockazure.storage.accounts import StorageAccounts
    from pytest_tfoidc.mockazure.storage.service import BlobService
    from pytest_tfoidc.mockazure.tokens import AccessTokens

BLOB_HOST = "blob"  # the second part of such a host's name


class Answering(Protocol):
    """A service of the stand-in. `snapshot` returns all that it holds, `restore` puts it back."""

    def handle(self, request: Request) -> Response:
        """Answer a request."""

    def snapshot(self) -> Any:  # noqa: ANN401 - each its own
        """Return all that it holds."""

    def restore(self, snapshot: Any) -> None:  # noqa: ANN401 - each its own
        """Put back what `snapshot` returned."""


S = TypeVar("S", bound=Answering)


class Lazy(Generic[S]):
    """A service that is made by the first who asks for it. Thread safe.

    Args:
        make: Makes it.
        lock: Is held while a service is made; one for all, for making one may make another.
    """

    def __init__(self, make: Callable[[], S], *, lock: threading.RLock) -> None:
        self._make = make
        self._lock = lock
        self._made: S | None = None
        self._pristine: Any = None

    def __call__(self) -> S:
        """Return the service."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    made = self._make()
                    self._pristine = made.snapshot()
                    self._made = made
        return self._made

    @property
    def made(self) -> S | None:
        """The service; None where nobody has asked for it yet, and it holds nothing of anybody."""
        return self._made

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        return self().handle(request)

    def snapshot(self) -> Any:  # noqa: ANN401 - each its own
        """Return all that it holds; None where it has not been made."""
        return None if self._made is None else self._made.snapshot()

    def restore(self, held: Any) -> None:  # noqa: ANN401 - each its own
        """Put back what `snapshot` returned; for None, what the service held when it was made."""
        if held is not None:
            self().restore(held)
        elif self._made is not None:
            self._made.restore(self._pristine)


class Planes:
    """The services that take access tokens, and what they know of each other.

    Args:
        clock: The virtual clock.
        events: Is told of what happens.
        access_tokens: Knows the bearers.
        directory: Who there is.
        identify: Returns issuer and subject of a connection of Azure DevOps.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock,
        events: EventLog,
        access_tokens: AccessTokens,
        directory: Directory,
        identify: Callable[[str, str, str, str], tuple[str, str]],
    ) -> None:
        self._clock = clock
        self._events = events
        self._tokens = access_tokens
        self._directory = directory
        self._identify = identify
        lock = threading.RLock()
        self.blobs = Lazy(self._make_blobs, lock=lock)
        self.storage = Lazy(self._make_storage, lock=lock)
        self.resource_manager = Lazy(self._make_resource_manager, lock=lock)
        self.graph = Lazy(self._make_graph, lock=lock)
        self.devops = Lazy(self._make_devops, lock=lock)
        self.key_vaults = Lazy(self._make_key_vaults, lock=lock)
        self.configurations = Lazy(self._make_configurations, lock=lock)
        self.data_planes = Lazy(self._make_data_planes, lock=lock)
        access_tokens.time_jumps = self._time_jumps

    @property
    def all(self) -> tuple[Lazy[Any], ...]:
        """All services, in the order in which their content is kept."""
        made = (self.blobs, self.resource_manager, self.graph, self.devops)
        return (*made, self.key_vaults, self.configurations, self.storage, self.data_planes)

    def handle_storage(self, request: Request) -> Response:
        """Answer a request to a storage account; blobs need none of its other services."""
        is_blob = BLOB_HOST in request.host.lower().split(".")[1:3]
        return self.blobs.handle(request) if is_blob else self.storage.handle(request)

    def handle_website(self, request: Request) -> Response:
        """Answer a request to the website of a storage account."""
        return self.storage().websites.handle(request)

    def tenant_of_account(self, account: str) -> str:
        """Return the tenant of a storage account; empty for one that nobody made here."""
        manager = self.resource_manager.made
        return "" if manager is None else manager.tenant_of_account(account)

    def made_connections(self) -> Mapping[str, tuple[str, str] | None]:
        """Return issuer and subject of the connections that were made by request, by their ids."""
        devops = self.devops.made
        return {} if devops is None else devops.identities()

    def _time_jumps(self) -> bool:
        manager = self.resource_manager.made
        return manager is not None and not manager.is_instant

    def _groups_of(self, principal: str) -> tuple[str, ...]:
        graph = self.graph.made
        return () if graph is None else graph.groups_of(principal)

    # What makes them

    def _make_blobs(self) -> BlobService:
        from pytest_tfoidc.mockazure.storage.service import BlobService

        return BlobService(
            clock=self._clock,
            access_tokens=self._tokens,
            keys=_account_keys,
            tenant_id=self._directory.tenant_id,
            tenant_of=self.tenant_of_account,
        )

    def _make_storage(self) -> StorageAccounts:
        from pytest_tfoidc.mockazure.storage.accounts import StorageAccounts

        return StorageAccounts(
            clock=self._clock,
            access_tokens=self._tokens,
            blobs=self.blobs(),
            tenant_id=self._directory.tenant_id,
        )

    def _make_resource_manager(self) -> ResourceManager:
        from pytest_tfoidc.mockazure.arm.service import ResourceManager

        manager = ResourceManager(
            clock=self._clock,
            access_tokens=self._tokens,
            subscription_id=self._directory.subscription_id,
            tenant_id=self._directory.tenant_id,
            events=self._events,
            admits=lambda name: self._directory.named.admits("subscription", name),
        )
        manager.groups_of(self._groups_of)
        manager.on_purged(self._forget)
        manager.on_handed_over(self._take)
        manager.on_kept(
            lambda kind, name: self.storage().kept(kind, name),
            lambda kind, name: self.storage().dropped(kind, name),
        )
        manager.deployments.secrets = self._secret_of_parameter
        return manager

    def _make_graph(self) -> Graph:
        from pytest_tfoidc.mockazure.graph.service import Graph

        return Graph(
            clock=self._clock,
            access_tokens=self._tokens,
            tenant_id=self._directory.tenant_id,
            managed=self._managed_identities,
        )

    def _managed_identities(self) -> list[dict[str, str]]:
        manager = self.resource_manager.made
        return manager.managed_identities() if manager is not None else []

    def _make_devops(self) -> AzureDevOps:
        from pytest_tfoidc.mockazure.devops.service import AzureDevOps

        return AzureDevOps(
            clock=self._clock,
            access_tokens=self._tokens,
            tenant_id=self._directory.tenant_id,
            organization=self._directory.connection.organization,
            project=self._directory.connection.project,
            identify=self._identify,
            admits=lambda name: self._directory.named.admits("organization", name),
            secrets_of=lambda vault: self.key_vaults().listed_secrets(vault),
        )

    def _make_key_vaults(self) -> KeyVaults:
        from pytest_tfoidc.mockazure.keyvault.service import KeyVaults

        return KeyVaults(
            clock=self._clock,
            access_tokens=self._tokens,
            tenant_id=self._directory.tenant_id,
            estate=self.resource_manager(),
            groups_of=self._groups_of,
        )

    def _make_configurations(self) -> ConfigurationStores:
        from pytest_tfoidc.mockazure.appconfig.service import ConfigurationStores

        return ConfigurationStores(
            clock=self._clock,
            access_tokens=self._tokens,
            estate=self.resource_manager(),
            keys=_configuration_keys,
        )

    def _make_data_planes(self) -> DataPlanes:
        from pytest_tfoidc.mockazure.dataplanes.service import DataPlanes

        return DataPlanes(access_tokens=self._tokens, owners=self.resource_manager())

    # What they know of each other, as Azure's do

    def _forget(self, kind: str, name: str) -> None:
        """Drop the data of a resource that is purged. `kind`: its type, in lower case."""
        from pytest_tfoidc.mockazure.appconfig.service import STORES
        from pytest_tfoidc.mockazure.arm.service import VAULTS

        if kind == VAULTS and self.key_vaults.made is not None:
            self.key_vaults.made.forget(name)
        elif kind == STORES and self.configurations.made is not None:
            self.configurations.made.forget(name)

    def _take(self, place: Place, written: Mapping[str, Any]) -> dict[str, Any]:
        """Return a vault the secret or the key that was written in Resource Manager.

        Raises:
            ArmError: The vault refuses it.
        """
        from pytest_tfoidc.mockazure.arm.errors import ArmError
        from pytest_tfoidc.mockazure.keyvault.errors import VaultError

        vault = self.resource_manager().vault(place.parent.name)
        host = str((vault or {}).get("properties", {}).get("vaultUri", "")).partition("//")[2]
        try:
            kind = place.kind.rpartition("/")[2].lower()
            return self.key_vaults().take(host.strip("/"), kind, place.name, written)
        except VaultError as error:
            raise ArmError(error.status, error.code, error.message) from error

    def _secret_of_parameter(self, reference: Mapping[str, Any]) -> str:
        """Return the secret that a deployment's parameter refers to.

        Raises:
            ArmError: There is none, or its vault does not let deployments in.
        """
        from pytest_tfoidc.mockazure.arm.errors import ArmError
        from pytest_tfoidc.mockazure.deployments.service import NO_SECRETS

        vault = reference.get("keyVault")
        name = str(vault.get("id", "")).rpartition("/")[2] if isinstance(vault, dict) else ""
        secret, version = (str(reference.get(n, "")) for n in ("secretName", "secretVersion"))
        found = self.resource_manager().vault(name)
        is_open = found is not None and found["properties"].get("enabledForTemplateDeployment")
        value = self.key_vaults().secret(name, secret, version) if is_open else None
        if value is None:
            reason = (
                "is not there" if is_open else "is in no vault with enabledForTemplateDeployment"
            )
            message = f"The secret '{secret}' of the key vault '{name}' {reason}."
            raise ArmError(400, NO_SECRETS, message)
        return value


def _account_keys(account: str) -> tuple[str, ...]:
    """Return the keys of a storage account, as Resource Manager lists them."""
    from pytest_tfoidc.mockazure.arm.types.base import account_keys

    return account_keys(account)


def _configuration_keys(store_id: str) -> tuple[AccessKey, ...]:
    """Return the access keys of a configuration store, as Resource Manager lists them."""
    from pytest_tfoidc.mockazure.appconfig.auth import AccessKey
    from pytest_tfoidc.mockazure.arm.types.apps import configuration_access

    return tuple(
        AccessKey(id=key_id, secret=secret, read_only=name.endswith("Read Only"))
        for name, (key_id, secret) in configuration_access(store_id).items()
    )
