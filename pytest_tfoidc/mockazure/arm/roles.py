"""Role definitions: Azure's built-in ones, by name and by id.

The ids of the well-known roles are Azure's own. A role that is not in the table gets an id that is
always the same for its name, so that modules which assign it work; its real id differs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.types.base import guid, is_guid, part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

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
    "Log Analytics Contributor": "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
    "Monitoring Reader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
    "Monitoring Contributor": "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
    "Managed Identity Contributor": "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
    "Storage File Data SMB Share Contributor": "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb",
    "Cosmos DB Account Reader Role": "fbdf93bf-df7d-467e-a4d2-9458aa1360c8",
    "DocumentDB Account Contributor": "5bd9cd88-fe45-4216-938b-f97437e15450",
    "SQL DB Contributor": "9b7fa17d-e63e-47b0-bb0a-15c516ac86ec",
    "Azure Kubernetes Service Cluster User Role": "4abbcc35-e782-43d8-92c5-2d3f1bd2253f",
    "Azure Kubernetes Service Cluster Admin Role": "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "Azure Service Bus Data Owner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "Azure Service Bus Data Receiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "Azure Service Bus Data Sender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "Azure Event Hubs Data Owner": "f526a384-b230-433a-b45c-95f59c4a2dec",
    "Azure Event Hubs Data Receiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "Azure Event Hubs Data Sender": "2b629674-e913-4c01-ae53-ef4638d8f975",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Website Contributor": "de139f84-1756-47ae-9be6-808fbbe84772",
    "Backup Contributor": "5e467623-bb1f-42f4-a55d-6e525e11384b",
    "Desktop Virtualization User": "1d18fff3-a72a-46b5-b4a9-0b38a3cd7e63",
    "Virtual Machine Administrator Login": "1c0163c0-47e6-4577-8991-ea5c82e286e4",
    "Virtual Machine User Login": "fb879df8-f326-4884-b1cf-06f3ad86be52",
}
BY_NAME = re.compile(r"roleName\s+eq\s+'((?:[^']|'')+)'", re.IGNORECASE)


def with_times(_: Store, one: Resource) -> Document:
    """Return a role's document, or an assignment's, that tells who changed it and when."""
    said = part(one.document, "systemData")
    times = {
        "createdOn": said.get("createdAt"),
        "updatedOn": said.get("lastModifiedAt"),
        "createdBy": said.get("createdBy"),
        "updatedBy": said.get("lastModifiedBy"),
    }
    return {**one.document, "properties": {**one.properties, **times}}


class Roles:
    """Role definitions by name and by id; those that were made up are remembered."""

    def __init__(self) -> None:
        self._names = {role: name for name, role in ROLES.items()}

    def find(self, place: Place) -> Document | None:
        """Return the role definition of an id; None where no role has it.

        At the tenant's scope, where only Azure's own roles lie, every GUID is one.
        """
        name = self._names.get(place.name.lower())
        if name is None and place.parent.is_tenant and is_guid(place.name):
            name = f"Built-in role {place.name.lower()}"
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
