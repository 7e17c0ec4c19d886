"""Shares that a vault could back up: those of the storage accounts that are registered with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import guid

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Resource, Store

PROTECTABLE = "microsoft.recoveryservices/vaults/backupprotectableitems"
CONTAINERS = "microsoft.recoveryservices/vaults/backupfabrics/protectioncontainers"
SHARES = "microsoft.storage/storageaccounts/fileservices/shares"


def protectable(store: Store, place: Place) -> list[dict[str, Any]]:
    """Return the items that can be protected by a vault, for the list at it."""
    found = []
    for container in store.of_type(CONTAINERS, below=place.parent.key):
        account = str(container.properties.get("sourceResourceId") or "").lower()
        shares = store.of_type(SHARES, below=account) if account else []
        found += [_item(place, container, share) for share in shares]
    return found


def _item(place: Place, container: Resource, share: Resource) -> dict[str, Any]:
    name = f"AzureFileShare;{guid(share.id, 'protectable').replace('-', '')}"
    account = share.id.partition("/storageAccounts/")[2].partition("/")[0]
    return {
        "id": f"{container.id}/protectableItems/{name}",
        "name": name,
        "type": f"{place.parent.kind}/backupFabrics/protectionContainers/protectableItems",
        "properties": {
            "azureFileShareType": "XSMB",
            "backupManagementType": "AzureStorage",
            "friendlyName": share.name,
            "parentContainerFabricId": container.id,
            "parentContainerFriendlyName": account,
            "protectableItemType": "AzureFileShare",
            "protectionState": "NotProtected",
            "workloadType": "AzureFileShare",
        },
    }
