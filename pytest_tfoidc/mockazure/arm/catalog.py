"""Offers of Azure in a region: images, sizes, versions of Kubernetes, and tags of services.

Of images every publisher, offer and SKU has one version, as every name of a configuration is
taken. The rest are few of Azure's own, and addresses that are always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import guid

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

IMAGE = "1.0.20240101"
KUBERNETES = ("1.31.9", "1.32.5", "1.33.2")
SIZES = {  # cores and memory in GiB
    "Standard_B1s": (1, 1),
    "Standard_B2s": (2, 4),
    "Standard_D2s_v5": (2, 8),
    "Standard_D4s_v5": (4, 16),
    "Standard_D8s_v5": (8, 32),
    "Standard_DS2_v2": (2, 7),
    "Standard_E2s_v5": (2, 16),
    "Standard_F2s_v2": (2, 4),
}
TAGS = (
    *("ActionGroup", "ApiManagement", "AppConfiguration", "AppService", "AzureActiveDirectory"),
    *("AzureBackup", "AzureCloud", "AzureContainerRegistry", "AzureCosmosDB", "AzureDatabricks"),
    *("AzureDevOps", "AzureFrontDoor.Backend", "AzureFrontDoor.Frontend", "AzureKeyVault"),
    *("AzureMonitor", "AzureResourceManager", "AzureTrafficManager", "DataFactory", "EventHub"),
    *("GatewayManager", "LogicApps", "MicrosoftContainerRegistry", "ServiceBus", "Sql", "Storage"),
)
MEBIBYTES = 1024  # of a GiB
Offers = Callable[["Place"], object]


def _images(place: Place) -> object:
    """Return the versions of an image: a bare array, or the one that is named."""
    region = next(after for word, after in pairwise(place.segments) if word.lower() == "locations")
    if not place.pairs:
        return [{"id": f"{place.id}/{IMAGE}", "name": IMAGE, "location": region}]
    system = {"operatingSystem": "Windows" if "windows" in place.key else "Linux"}
    shown = {"hyperVGeneration": "V2", "osDiskImage": system, "dataDiskImages": []}
    return {"id": place.id, "name": place.name, "location": region, "properties": shown}


def _tags(place: Place) -> dict[str, Any]:
    """Return the tags of services: each for the world, and for the region that is asked."""
    region = place.parent.name.lower().replace(" ", "")
    found = [_tag(name, where) for name in TAGS for where in ("", region)]
    about = {"id": place.id, "name": "Public", "type": place.kind}
    return {**about, "changeNumber": "1", "cloud": "Public", "values": found}


def _tag(name: str, region: str) -> dict[str, Any]:
    full = f"{name}.{region}" if region else name
    digits = guid(full, "serviceTag").replace("-", "")
    second, third = (int(digits[at : at + 2], 16) for at in (0, 2))
    return {
        "id": full,
        "name": full,
        "properties": {
            "addressPrefixes": [f"20.{second}.{third}.0/24", f"2603:1030:{digits[:4]}::/48"],
            "changeNumber": "1",
            "region": region,
            "systemService": name,
        },
    }


def _orchestrators(place: Place) -> dict[str, Any]:
    """Return the versions of Kubernetes, as clients of long ago ask for them."""
    found = [
        {"orchestratorType": "Kubernetes", "orchestratorVersion": version, "upgrades": []}
        for version in KUBERNETES
    ]
    about = {"id": place.id, "name": "default", "type": place.kind}
    return {**about, "properties": {"orchestrators": found}}


def _kubernetes(_: Place) -> dict[str, Any]:
    """Return the versions of Kubernetes."""
    return {
        "values": [
            {
                "capabilities": {"supportPlan": ["KubernetesOfficial"]},
                "isDefault": version == KUBERNETES[-1],
                "isPreview": False,
                "patchVersions": {version: {"upgrades": []}},
                "version": version.rpartition(".")[0],
            }
            for version in KUBERNETES
        ]
    }


def _sizes(_: Place) -> dict[str, Any]:
    """Return sizes of virtual machines."""
    return {
        "value": [
            {
                "maxDataDiskCount": cores * 2,
                "memoryInMB": memory * MEBIBYTES,
                "name": name,
                "numberOfCores": cores,
                "osDiskSizeInMB": 1_047_552,
                "resourceDiskSizeInMB": 0,
            }
            for name, (cores, memory) in SIZES.items()
        ]
    }


OFFERS: dict[str, Offers] = {
    "microsoft.compute/locations/publishers/artifacttypes/offers/skus/versions": _images,
    "microsoft.compute/locations/vmsizes": _sizes,
    "microsoft.containerservice/locations/kubernetesversions": _kubernetes,
    "microsoft.containerservice/locations/orchestrators": _orchestrators,
    "microsoft.network/locations/servicetags": _tags,
}


def offers(place: Place) -> Offers | None:
    """Return what answers for a path of what Azure offers; None for any other."""
    found = OFFERS.get(place.type_key)
    return found if found is not None and (not place.pairs or found is _images) else None
