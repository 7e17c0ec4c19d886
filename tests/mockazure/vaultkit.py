"""A stand-in with a key vault, and Microsoft's own clients that reach it as they reach Azure."""

# ruff: noqa: ANN401 - the packages' own types differ from version to version

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken

from pytest_tfoidc.mockazure.directory import CLIENT_ID
from tests.mockazure.azurekit import Azure, running

EVERYTHING = {"secrets": ["all"], "keys": ["all"], "certificates": ["all"]}


@dataclass(frozen=True)
class Someone:
    """Somebody who has a token of Entra for whatever is asked."""

    azure: Azure
    object_id: str

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return a new token, which lives as long as Entra's do on the virtual clock."""
        audience = scopes[0].removesuffix("/.default")
        tokens = self.azure.mock.access_tokens
        tenant = self.azure.mock.directory.tenant_id
        issued = tokens.issue(
            audience=audience, client_id=CLIENT_ID, object_id=self.object_id, tenant_id=tenant
        )
        return AccessToken(issued.value, int(issued.expires_at.timestamp()))

    def options(self) -> dict[str, Any]:
        """Return what a client needs to get here."""
        return {
            "credential": self,
            "proxies": {"https": self.azure.mock.url},
            "connection_verify": str(self.azure.mock.ca_file),
            "use_env_settings": False,
            "retry_total": 0,
        }


@dataclass(frozen=True)
class World:
    """A stand-in, and the identity of its pipeline."""

    azure: Azure

    @property
    def me(self) -> Someone:
        """The pipeline's own identity."""
        applications = self.azure.mock.directory.applications
        return Someone(self.azure, applications[CLIENT_ID].object_id)

    @property
    def group(self) -> str:
        """The id of a resource group."""
        subscription = self.azure.mock.directory.subscription_id
        return f"/subscriptions/{subscription}/resourceGroups/rg"

    def vault_id(self, name: str) -> str:
        """Return a vault's resource id."""
        return f"{self.group}/providers/Microsoft.KeyVault/vaults/{name}"

    def vault(self, name: str = "kv", **properties: Any) -> str:
        """Put a vault there; return its URI."""
        policy = {"objectId": self.me.object_id, "permissions": EVERYTHING}
        body = {"properties": {"accessPolicies": [policy], **properties}}
        made = self.azure.mock.resource_manager.add(self.vault_id(name), body)
        return str(made["properties"]["vaultUri"])


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Run a stand-in."""
    with running() as azure:
        yield World(azure)
