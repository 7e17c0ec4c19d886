"""Backup and Site Recovery: what vaults for recovery services need beyond echo."""

from __future__ import annotations

from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, part
from pytest_tfoidc.mockazure.arm.types.rules import Rules

# What is written under the one name is read under the other.
DETAILS = "providerSpecificDetails"
INPUTS = ("providerSpecificInput", "replicationProviderSettings")
RENAMED = {"recoveryPointHistoryDuration": "recoveryPointHistoryDurationInHours"}


def with_details(given: Any, _: New) -> Any:  # noqa: ANN401 - JSON
    """Return what was written about a provider as it is read: under other names."""
    found = part(given, DETAILS)
    for name in INPUTS:
        found |= part(given, name)
    shown = {RENAMED.get(name, name): value for name, value in found.items()}
    kept = {name: value for name, value in given.items() if name not in INPUTS}
    return {**kept, DETAILS: shown} if shown else kept


def network_mapping(new: New) -> Properties:
    """Return which networks of which fabrics a mapping of Site Recovery maps."""
    details = new.properties.get("fabricSpecificDetails")
    primary = details.get("primaryNetworkId") if isinstance(details, dict) else None
    vault, _, rest = new.id.partition("/replicationFabrics/")
    fabric, target = rest.partition("/")[0], str(new.properties.get("recoveryFabricName") or "")
    return {
        "primaryNetworkId": primary,
        "primaryFabricFriendlyName": fabric,
        "recoveryFabricArmId": f"{vault}/replicationFabrics/{target}",
        "recoveryFabricFriendlyName": target,
        "state": "Paired",
    }


def container_mapping(new: New) -> Properties:
    """Return what a mapping of two containers leads from and to."""
    target = str(new.properties.get("targetProtectionContainerId") or "")
    asked = {**part(new.properties, DETAILS), **part(new.properties, INPUTS[0])}
    untold = {DETAILS: {"agentAutoUpdateStatus": "Disabled"}}
    fabrics = [place.partition("/replicationFabrics/")[2] for place in (new.scope, target)]
    return {
        "health": "Normal",
        "policyFriendlyName": str(new.properties.get("policyId") or "").rpartition("/")[2],
        "sourceFabricFriendlyName": fabrics[0].partition("/")[0],
        "sourceProtectionContainerFriendlyName": new.scope.rpartition("/")[2],
        "state": "Paired",
        "targetFabricFriendlyName": fabrics[1].partition("/")[0],
        "targetProtectionContainerFriendlyName": target.rpartition("/")[2],
        **(untold if asked.get("instanceType") == "A2A" else {}),
    }


def own_container(new: New) -> Properties | None:
    """Return the container that a site of Hyper-V has by itself; None for other fabrics."""
    if part(new.properties, "customDetails").get("instanceType") != "HyperVSite":
        return None
    fabric = new.scope.rpartition("/")[2]
    return {"properties": {"fabricFriendlyName": fabric, "friendlyName": fabric, "role": ""}}


def named(new: New) -> Properties:
    """Return the name that is shown."""
    return {"friendlyName": new.name}


_VAULT = "Microsoft.RecoveryServices/vaults"
_FABRICS = f"{_VAULT}/replicationFabrics"
_CONTAINERS = f"{_FABRICS}/replicationProtectionContainers"
TYPES: dict[str, Rules] = {
    _VAULT: Rules(
        created=201,
        deleted=204,
        implied={
            "replicationVaultSettings/default": fixed(properties={}),
            "backupConfig/vaultConfig": fixed(
                properties={"enhancedSecurityState": "Enabled", "softDeleteFeatureState": "Enabled"}
            ),
            "backupStorageConfig/vaultStorageConfig": fixed(
                properties={
                    "crossRegionRestoreFlag": False,
                    "storageModelType": "GeoRedundant",
                    "storageType": "GeoRedundant",
                    "storageTypeState": "Unlocked",
                }
            ),
        },
    ),
    f"{_VAULT}/backupFabrics/protectionContainers": Rules(
        begun=True, located=True, dismissed="backupOperationResults"
    ),
    f"{_VAULT}/replicationPolicies": Rules(adds=named, normalized=with_details),
    _FABRICS: Rules(adds=named, implied={"replicationProtectionContainers/cloud": own_container}),
    f"{_CONTAINERS}/replicationProtectionContainerMappings": Rules(
        adds=container_mapping, normalized=with_details
    ),
    f"{_FABRICS}/replicationNetworks/replicationNetworkMappings": Rules(adds=network_mapping),
}
