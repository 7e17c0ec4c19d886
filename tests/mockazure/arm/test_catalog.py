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


@pytest.mark.parametrize(
    ("name", "zones", "pair"),
    [("westeurope", 3, "northeurope"), ("westus", 0, "eastus"), ("italynorth", 3, None)],
)
def test_regions_tell_their_zones_and_the_region_that_they_are_paired_with(
    arm: Arm, name: str, zones: int, pair: str | None
) -> None:
    found = {one["name"]: one for one in arm("GET", f"{S}/locations").json["value"]}
    region = found[name]
    assert len(region.get("availabilityZoneMappings", [])) == zones
    paired = [one["name"] for one in region["metadata"]["pairedRegion"]]
    assert paired == ([pair] if pair else [])
    assert set(paired) <= found.keys()


def test_edge_zones_are_listed_where_they_are_asked_for(arm: Arm) -> None:
    plain = arm("GET", f"{S}/locations").json["value"]
    extended = arm("GET", f"{S}/locations?includeExtendedLocations=true").json["value"]
    edges = [one for one in extended if one["type"] == "EdgeZone"]
    assert len(extended) == len(plain) + len(edges)
    homes = {one["metadata"]["homeLocation"] for one in edges}
    assert "westus" in homes
    assert homes <= {one["name"] for one in plain}


def test_sizes_have_zones_by_region(arm: Arm) -> None:
    skus = f"{P}/Microsoft.Compute/skus"
    everywhere = arm("GET", skus).json["value"]
    here = arm("GET", f"{skus}?$filter=location%20eq%20'westeurope'").json["value"]
    assert 0 < len(here) < len(everywhere)
    assert {tuple(one["locations"]) for one in here} == {("westeurope",)}
    assert here[0]["locationInfo"][0]["zones"] == ["1", "2", "3"]
    capabilities = {one["name"]: one["value"] for one in here[0]["capabilities"]}
    assert capabilities["vCPUs"] == "1"


def test_the_world_has_parts_with_countries(arm: Arm) -> None:
    path = "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default"
    world = arm("GET", path).json["properties"]["geographicHierarchy"]
    countries = {one["code"] for part in world["regions"] for one in part["regions"]}
    assert world["code"] == "WORLD"
    assert {"DE", "US", "JP"} <= countries


@pytest.mark.parametrize("scope", ["SQLDB", "SQLMI"])
def test_databases_can_choose_windows_of_maintenance(arm: Arm, scope: str) -> None:
    path = f"{P}/Microsoft.Maintenance/publicMaintenanceConfigurations"
    found = [
        one["name"]
        for one in arm("GET", path).json["value"]
        if one["location"] == "westeurope" and one["properties"]["maintenanceScope"] == scope
    ]
    short = scope.removeprefix("SQL")
    assert found == [f"SQL_WestEurope_{short}_1", f"SQL_WestEurope_{short}_2"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("autonomousDatabaseCharacterSets", "characterSet"),
        ("giVersions", "version"),
        ("dbSystemShapes", "shapeName"),
    ],
)
def test_oracle_offers_the_same_in_every_region(arm: Arm, kind: str, field: str) -> None:
    path = f"{P}/Oracle.Database/locations"
    here, there = (
        [one["properties"][field] for one in arm("GET", f"{path}/{r}/{kind}").json["value"]]
        for r in ("westeurope", "eastus")
    )
    assert here == there
    assert here
