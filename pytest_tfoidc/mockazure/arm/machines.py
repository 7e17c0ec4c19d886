"""Disks that a virtual machine brings along: they can be read, and need not be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import guid, objects, part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

MACHINES = "microsoft.compute/virtualmachines"
DISKS = "microsoft.compute/disks"


def with_disks(_: Store, machine: Resource) -> Document:
    """Return a machine's document whose disks have names and ids, also those that nobody named."""
    profile = part(machine.properties, "storageProfile")
    shown = {**profile, "osDisk": _with_id(machine, part(profile, "osDisk"))}
    if isinstance(profile.get("dataDisks"), list):
        shown["dataDisks"] = [_with_id(machine, one) for one in objects(profile, "dataDisks")]
    if not shown["osDisk"]:
        return machine.document
    return {**machine.document, "properties": {**machine.properties, "storageProfile": shown}}


def _with_id(machine: Resource, one: Document) -> Document:
    if not one or one.get("vhd"):  # which is no managed disk
        return one
    name, group = _name(machine, one), machine.id.partition("/providers/")[0]
    usual = {"id": f"{group}/providers/Microsoft.Compute/disks/{name}"}
    return {**one, "name": name, "managedDisk": {**usual, **part(one, "managedDisk")}}


def _name(machine: Resource, one: Document) -> str:
    number = f"_{one['lun']}" if "lun" in one else ""
    which = f"DataDisk{number}" if "lun" in one else "OsDisk_1"
    return str(one.get("name") or f"{machine.name}_{which}_{guid(machine.id, which)[:8]}")


def disk(store: Store, place: Place) -> Document | None:
    """Return what is written of a disk that a machine of its resource group has; None without."""
    for machine in store.of_type(MACHINES):
        if machine.key.startswith(f"{place.parent.key}/"):
            for one in _disks(machine):
                if _name(machine, one).lower() == place.name.lower():
                    return _document(machine, one)
    return None


def _disks(machine: Resource) -> Iterator[Document]:
    profile = part(machine.properties, "storageProfile")
    found = [part(profile, "osDisk"), *objects(profile, "dataDisks")]
    yield from (one for one in found if one and not one.get("vhd"))


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
