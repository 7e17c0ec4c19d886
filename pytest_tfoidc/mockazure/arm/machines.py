"""Disks that a virtual machine brings along: they can be read, and need not be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import objects, part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

MACHINES = "microsoft.compute/virtualmachines"
DISKS = "microsoft.compute/disks"


def disk(store: Store, place: Place) -> Document | None:
    """Return what is written of a disk that a machine of its resource group has; None without."""
    for machine in store.of_type(MACHINES):
        if machine.key.startswith(f"{place.parent.key}/"):
            for one in _disks(machine):
                if str(one.get("name")).lower() == place.name.lower():
                    return _document(machine, one)
    return None


def _disks(machine: Resource) -> Iterator[Document]:
    profile = part(machine.properties, "storageProfile")
    yield part(profile, "osDisk")
    yield from objects(profile, "dataDisks")


def _document(machine: Resource, one: Document) -> Document:
    profile = part(machine.properties, "storageProfile")
    made: dict[str, Any] = {"createOption": one.get("createOption") or "Empty"}
    if one.get("createOption") == "FromImage":
        made["imageReference"] = part(profile, "imageReference")
    properties = {
        "creationData": made,
        "diskState": "Attached",
        "diskSizeGB": one.get("diskSizeGB"),
    }
    kind = part(one, "managedDisk").get("storageAccountType") or "Standard_LRS"
    document = {"location": machine.document.get("location"), "managedBy": machine.id}
    return {
        **document,
        "sku": {"name": kind, "tier": str(kind).partition("_")[0]},
        "properties": {
            **{name: value for name, value in properties.items() if value is not None},
            **({"osType": one["osType"]} if one.get("osType") else {}),
        },
    }
