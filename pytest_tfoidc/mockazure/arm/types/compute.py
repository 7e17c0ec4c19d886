"""Machines, clusters and containers that need more than echo."""

from __future__ import annotations

from pytest_tfoidc.mockazure.arm.types.base import New, Properties
from pytest_tfoidc.mockazure.arm.types.rules import Rules


def machine(new: New) -> Properties:
    """Return a virtual machine its id."""
    return {"vmId": new.guid("vmId")}


def scale_set(new: New) -> Properties:
    """Return a scale set its id."""
    return {"uniqueId": new.guid("uniqueId")}


TYPES: dict[str, Rules] = {
    "Microsoft.ContainerService/managedClusters": Rules(created=201, deleted=204),
    "Microsoft.Compute/virtualMachines": Rules(
        created=201, adds=machine, omitted=("additionalCapabilities",)
    ),
    "Microsoft.Compute/virtualMachineScaleSets": Rules(
        created=201, adds=scale_set, omitted=("additionalCapabilities",)
    ),
}
