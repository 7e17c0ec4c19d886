"""Offers of Azure in a region: images, sizes, versions of Kubernetes, tags of services, and more.

Of images every publisher, offer and SKU has one version, as every name of a configuration is
taken. The rest are few of Azure's own, and addresses that are always the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.regions import REGIONS, hierarchy
from pytest_tfoidc.mockazure.arm.types.base import guid

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
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
OF_REGION = re.compile(r"location\s+eq\s+'([^']*)'", re.IGNORECASE)  # the filter on SKUs
WINDOWS = {  # of maintenance that SQL databases can choose: when, and how often
    "1": ("22:00", "week Monday, Tuesday, Wednesday, Thursday"),
    "2": ("22:00", "week Friday, Saturday, Sunday"),
}
ORACLE = {  # what Oracle offers in every region
    "autonomousDatabaseCharacterSets": {"characterSet": ("AL32UTF8", "WE8ISO8859P1")},
    "autonomousDatabaseNationalCharacterSets": {"characterSet": ("AL16UTF16", "UTF8")},
    "autonomousDbVersions": {"version": ("19c", "23ai")},
    "dbSystemDbVersions": {"version": ("19.27.0.0", "23.9.0.25.07")},
    "giVersions": {"version": ("19.0.0.0", "23.0.0.0")},
    "dbSystemShapes": {"shapeName": ("Exadata.X9M", "Exadata.X11M")},
}
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


def _skus(place: Place) -> dict[str, Any]:
    """Return the sizes of virtual machines of every region, with its zones."""
    del place
    return {"value": [_sku(size, region) for region in REGIONS for size in SIZES]}


def _sku(size: str, region: str) -> dict[str, Any]:
    cores, memory = SIZES[size]
    tier, _, short = size.partition("_")
    facts = {
        "vCPUs": cores,
        "vCPUsAvailable": cores,
        "MemoryGB": memory,
        "MaxDataDiskCount": cores * 2,
        "PremiumIO": "s" in short,
        "EncryptionAtHostSupported": True,
        "AcceleratedNetworkingEnabled": cores > 1,
        "HyperVGenerations": "V1,V2",
        "CpuArchitectureType": "x64",
    }
    zones = [f"{number}" for number in range(1, REGIONS[region].zones + 1)]
    return {
        "resourceType": "virtualMachines",
        "name": size,
        "tier": tier,
        "size": short,
        "family": f"standard{short}Family",
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
        "capabilities": [{"name": name, "value": f"{value}"} for name, value in facts.items()],
        "restrictions": [],
    }


def _geography(place: Place) -> dict[str, Any]:
    """Return the parts of the world."""
    about = {"id": place.id, "name": place.name, "type": place.kind}
    return {**about, "properties": {"geographicHierarchy": hierarchy()}}


def _maintenance(place: Place) -> dict[str, Any]:
    """Return the windows of maintenance that SQL databases and managed instances can choose."""
    return {
        "value": [
            _window(place, region.shown, scope, number)
            for region in REGIONS.values()
            for scope in ("DB", "MI")
            for number in WINDOWS
        ]
    }


def _window(place: Place, region: str, scope: str, number: str) -> dict[str, Any]:
    start, every = WINDOWS[number]
    name = f"SQL_{region.replace(' ', '')}_{scope}_{number}"
    return {
        "id": f"{place.id}/{name}",
        "name": name,
        "type": place.kind,
        "location": region.replace(" ", "").lower(),
        "properties": {
            "extensionProperties": {"description": f"{start} to 06:00, {every}"},
            "maintenanceScope": f"SQL{scope}",
            "maintenanceWindow": {
                "startDateTime": f"2020-01-01 {start}",
                "duration": "08:00",
                "recurEvery": every,
                "timeZone": "UTC",
            },
            "visibility": "Public",
        },
    }


def _oracle(place: Place) -> dict[str, Any]:
    """Return what Oracle offers."""
    kind = place.type_key.rpartition("/")[2]
    facts = next(facts for name, facts in ORACLE.items() if name.lower() == kind)
    ((field, values),) = facts.items()
    more = {"availableCoreCount": 126, "minimumCoreCount": 0} if field == "shapeName" else {}
    return {
        "value": [
            {
                "id": f"{place.id}/{value}",
                "name": value,
                "type": place.kind,
                "properties": {field: value, **more},
            }
            for value in values
        ]
    }


OFFERS: dict[str, Offers] = {
    "microsoft.compute/locations/publishers/artifacttypes/offers/skus/versions": _images,
    "microsoft.compute/locations/vmsizes": _sizes,
    "microsoft.containerservice/locations/kubernetesversions": _kubernetes,
    "microsoft.containerservice/locations/orchestrators": _orchestrators,
    "microsoft.compute/skus": _skus,
    "microsoft.maintenance/publicmaintenanceconfigurations": _maintenance,
    "microsoft.network/locations/servicetags": _tags,
    "microsoft.network/trafficmanagergeographichierarchies": _geography,
    **{f"oracle.database/locations/{kind.lower()}": _oracle for kind in ORACLE},
}


ONE = (_images, _geography)  # those that are asked for by a name


def offers(place: Place) -> Offers | None:
    """Return what answers for a path of what Azure offers; None for any other."""
    found = OFFERS.get(place.type_key)
    return found if found is not None and (not place.pairs or found in ONE) else None


def answer(call: Call, offered: Offers) -> object:
    """Return what is offered; only that of a region where a filter says so."""
    found = offered(call.place)
    wanted = OF_REGION.search(call.query.get("$filter", ""))
    if wanted is None or not isinstance(found, dict):
        return found
    region = wanted[1].lower().replace(" ", "")
    return {**found, "value": [o for o in found["value"] if region in o.get("locations", [region])]}
