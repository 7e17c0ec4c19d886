"""Offers of Azure in a region."""

from __future__ import annotations

import pytest

from tests.mockazure.armclient import RG, Arm, S

P = f"{S}/providers"
IMAGES = (
    f"{P}/Microsoft.Compute/locations/westeurope/publishers/Canonical/artifactTypes/vmImage"
    "/offers/ubuntu/skus/22_04-lts/versions"
)


def test_every_image_has_a_version(arm: Arm) -> None:
    (found,) = arm("GET", IMAGES).json
    assert (found["location"], found["id"]) == ("westeurope", f"{IMAGES}/{found['name']}")
    one = arm("GET", f"{IMAGES}/1.2.3").json
    assert (one["name"], one["properties"]["osDiskImage"]["operatingSystem"]) == ("1.2.3", "Linux")
    assert arm("PUT", f"{IMAGES}/1.2.3", {}).status == 405


@pytest.mark.parametrize("region", ["westeurope", "West%20Europe"])
def test_tags_of_services_have_addresses_of_the_world_and_of_the_region(
    arm: Arm, region: str
) -> None:
    found = arm("GET", f"{P}/Microsoft.Network/locations/{region}/serviceTags").json["values"]
    vaults = {
        one["properties"]["region"]: one["properties"]["addressPrefixes"]
        for one in found
        if one["properties"]["systemService"] == "AzureKeyVault"
    }
    assert set(vaults) == {"", "westeurope"}
    assert len({*map(tuple, vaults.values())}) == 2


def test_clusters_get_the_version_that_is_offered_by_default(arm: Arm) -> None:
    service = f"{P}/Microsoft.ContainerService/locations/westeurope"
    values = arm("GET", f"{service}/kubernetesVersions").json["values"]
    (default,) = [one["version"] for one in values if one["isDefault"]]
    old = arm("GET", f"{service}/orchestrators").json["properties"]["orchestrators"]
    assert {one["orchestratorVersion"].rpartition(".")[0] for one in old} == {
        one["version"] for one in values
    }
    path = f"{RG}/providers/Microsoft.ContainerService/managedClusters/aks"
    arm("PUT", path, {"location": "westeurope", "properties": {}})
    assert arm("GET", path).json["properties"]["kubernetesVersion"] == default


def test_a_region_has_sizes_of_machines(arm: Arm) -> None:
    found = arm("GET", f"{P}/Microsoft.Compute/locations/westeurope/vmSizes").json["value"]
    assert {"Standard_B2s", "Standard_D2s_v5"} <= {one["name"] for one in found}
