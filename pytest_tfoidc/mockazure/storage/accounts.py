"""A storage account's services, each under its own host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pytest_tfoidc.mockazure.storage.auth import Authenticator
from pytest_tfoidc.mockazure.storage.datalake import DataLake
from pytest_tfoidc.mockazure.storage.files import FileService
from pytest_tfoidc.mockazure.storage.queues import QueueService
from pytest_tfoidc.mockazure.storage.service import HOST
from pytest_tfoidc.mockazure.storage.tables import TableService
from pytest_tfoidc.mockazure.storage.websites import Websites

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request, Response
    from pytest_tfoidc.mockazure.storage.service import BlobService
    from pytest_tfoidc.mockazure.tokens import AccessTokens


KIND = "microsoft.storage/storageaccounts"


class Holder(Protocol):
    """A holder of containers, shares, queues or tables, by account and name."""

    def keep(self, account: str, name: str) -> None:
        """Let one be there."""

    def drop(self, account: str, name: str) -> None:
        """Let one be gone, with its content."""


class StorageAccounts:
    """Every storage account: what is no blob is here, blobs are where they are.

    Args:
        clock: Tells the virtual time.
        access_tokens: Knows the bearers.
        blobs: The blob service; it has the accounts' keys and the properties of all services.
        tenant_id: The accounts' tenant, named in the challenge of a 401.
    """

    def __init__(
        self, *, clock: Clock, access_tokens: AccessTokens, blobs: BlobService, tenant_id: str
    ) -> None:
        authenticator = Authenticator(
            clock=clock, access_tokens=access_tokens, keys=blobs.keys_for, tenant_id=tenant_id
        )
        self.queues = QueueService(
            clock=clock, authenticator=authenticator, properties=blobs.handle
        )
        self.tables = TableService(
            clock=clock, authenticator=authenticator, properties=blobs.handle
        )
        self.files = FileService(clock=clock, authenticator=authenticator, properties=blobs.handle)
        self.lake = DataLake(clock=clock, authenticator=authenticator, store=blobs.store)
        self.websites = Websites(store=blobs.store)
        self._blobs = blobs
        self._holders: dict[str, Holder] = {
            f"{KIND}/blobservices/containers": blobs.store,
            f"{KIND}/fileservices/shares": self.files,
            f"{KIND}/queueservices/queues": self.queues,
            f"{KIND}/tableservices/tables": self.tables,
        }
        self._services: dict[str, Callable[[Request], Response]] = {
            "queue": self.queues.handle,
            "table": self.tables.handle,
            "file": self.files.handle,
            "dfs": self.lake.handle,
        }

    def handle(self, request: Request) -> Response:
        """Answer a request to any of the services."""
        match = HOST.fullmatch(request.host)
        service = match[2].lower() if match else ""
        return self._services.get(service, self._blobs.handle)(request)

    def kept(self, kind: str, resource_id: str) -> None:
        """Let a container, share, queue or table be there that Resource Manager has.

        Args:
            kind: The type, in lower case; others are no matter of ours.
            resource_id: Its id.
        """
        holder = self._holders.get(kind)
        if holder is not None:
            holder.keep(*_account_and_name(resource_id))

    def dropped(self, kind: str, resource_id: str) -> None:
        """Let one be gone that Resource Manager has no more; arguments as for `kept`."""
        holder = self._holders.get(kind)
        if holder is not None:
            holder.drop(*_account_and_name(resource_id))

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of what the services hold, for `restore`."""
        return {
            "queues": self.queues.snapshot(),
            "tables": self.tables.snapshot(),
            "files": self.files.snapshot(),
            "lake": self.lake.snapshot(),
        }

    def restore(self, held: Mapping[str, Any]) -> None:
        """Put back what `snapshot` returned."""
        self.queues.restore(held["queues"])
        self.tables.restore(held["tables"])
        self.files.restore(held["files"])
        self.lake.restore(held["lake"])


def _account_and_name(resource_id: str) -> tuple[str, str]:
    """Return the names of the account and of what lies in one of its services."""
    segments = resource_id.split("/")
    return segments[-5].lower(), segments[-1]
