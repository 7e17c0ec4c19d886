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


def container_group(new: New) -> Properties:
    """Return the address of a group of containers, and what it runs as."""
    asked = new.properties.get("ipAddress")
    address = {"ip": "20.50.0.5", "ports": []} if isinstance(asked, dict) else None
    label = asked.get("dnsNameLabel") if isinstance(asked, dict) else None
    if address is not None and label:
        address["fqdn"] = f"{label}.{new.location}.azurecontainer.io"
    return {
        "instanceView": {"events": [], "state": "Running"},
        "restartPolicy": "Always",
        "sku": "Standard",
        **({"ipAddress": address} if address else {}),
    }


CONTAINER_LISTS = ("ports", "environmentVariables", "command")
TYPES: dict[str, Rules] = {
    "Microsoft.ContainerInstance/containerGroups": Rules(
        created=201,
        adds=container_group,
        lists=(
            "containers",
            *(f"containers[].properties.{n}" for n in CONTAINER_LISTS),
            "initContainers",
            *(f"initContainers[].properties.{n}" for n in ("environmentVariables", "command")),
        ),
    ),
    "Microsoft.ContainerService/managedClusters": Rules(created=201, deleted=204),
    "Microsoft.Compute/virtualMachines": Rules(
        created=201, adds=machine, omitted=("additionalCapabilities",)
    ),
    "Microsoft.Compute/virtualMachineScaleSets": Rules(
        created=201, adds=scale_set, omitted=("additionalCapabilities",)
    ),
}
