"""A storage account's services, each under its own host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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
