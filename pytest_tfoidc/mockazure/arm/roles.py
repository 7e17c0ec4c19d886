"""Role definitions: Azure's built-in ones, by name and by id.

The ids of the well-known roles are Azure's own. A role that is not in the table gets an id that is
always the same for its name, so that modules which assign it work; its real id differs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.types.base import guid

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document

ROLE_TYPE = "microsoft.authorization/roledefinitions"
ROLES = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Storage Account Contributor": "17d1049b-9a84-46fb-8f53-869881c3d3ab",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Key Vault Administrator": "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    "Key Vault Contributor": "f25e0fa2-a7c8-4377-a976-54943a77a395",
    "Key Vault Reader": "21090545-7ca7-4776-b22c-e363652d74d2",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Certificates Officer": "a4417e6f-fecd-4de8-b567-7b0420556985",
    "Key Vault Certificate User": "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    "Key Vault Crypto Officer": "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
    "Key Vault Crypto Service Encryption User": "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    "Key Vault Crypto User": "12338af0-0e69-4776-bea7-57ae8d297424",
    "App Configuration Data Owner": "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b",
    "App Configuration Data Reader": "516239f1-63e1-4d78-a4de-a74fb236a071",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Private DNS Zone Contributor": "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
    "DNS Zone Contributor": "befefa01-2a29-4197-83a8-272ff33ce314",
    "Virtual Machine Contributor": "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Log Analytics Reader": "73c42c96-874c-492b-b04d-ab87d138a893",
}
BY_NAME = re.compile(r"roleName\s+eq\s+'((?:[^']|'')+)'", re.IGNORECASE)


class Roles:
    """Role definitions by name and by id; those that were made up are remembered."""

    def __init__(self) -> None:
        self._names = {role: name for name, role in ROLES.items()}

    def find(self, place: Place) -> Document | None:
        """Return the role definition of an id; None where no role has it."""
        name = self._names.get(place.name.lower())
        return _definition(place, place.name.lower(), name) if name else None

    def named(self, place: Place, query_filter: str) -> list[Document]:
        """Return the role of a filter on the name; all that are known without one."""
        match = BY_NAME.search(query_filter)
        if match is None:
            return [_definition(place, role, name) for role, name in self._names.items()]
        wanted = match[1].replace("''", "'")
        known = {name.lower(): role for role, name in self._names.items()}
        role = known.get(wanted.lower()) or guid(wanted, "roleDefinition")
        return [_definition(place, role, self._names.setdefault(role, wanted))]


def _definition(place: Place, role: str, name: str) -> Document:
    scope = f"/subscriptions/{place.subscription}" if place.subscription else ""
    kind = "Microsoft.Authorization/roleDefinitions"
    return {
        "id": f"{scope}/providers/{kind}/{role}",
        "name": role,
        "type": kind,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": f"The role {name}.",
            "assignableScopes": ["/"],
            "permissions": [
                {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}
            ],
        },
    }
