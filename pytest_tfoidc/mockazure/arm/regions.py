"""Azure's regions, and the parts of the world that Traffic Manager tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Name | shown | geography | group | where it is | region it is paired with | 3 where it has zones.
# https://learn.microsoft.com/azure/reliability/regions-list
FACTS = """
westeurope|West Europe|Europe|Europe|Netherlands|northeurope|3
northeurope|North Europe|Europe|Europe|Ireland|westeurope|3
germanywestcentral|Germany West Central|Germany|Europe|Frankfurt||3
francecentral|France Central|France|Europe|Paris||3
swedencentral|Sweden Central|Sweden|Europe|Gävle||3
switzerlandnorth|Switzerland North|Switzerland|Europe|Zurich||3
norwayeast|Norway East|Norway|Europe|Norway||3
polandcentral|Poland Central|Poland|Europe|Warsaw||3
italynorth|Italy North|Italy|Europe|Milan||3
spaincentral|Spain Central|Spain|Europe|Madrid||3
uksouth|UK South|United Kingdom|Europe|London|ukwest|3
ukwest|UK West|United Kingdom|Europe|Cardiff|uksouth|
eastus|East US|United States|US|Virginia|westus|3
eastus2|East US 2|United States|US|Virginia|centralus|3
centralus|Central US|United States|US|Iowa|eastus2|3
northcentralus|North Central US|United States|US|Illinois|southcentralus|
southcentralus|South Central US|United States|US|Texas|northcentralus|3
westcentralus|West Central US|United States|US|Wyoming|westus2|
westus|West US|United States|US|California|eastus|
westus2|West US 2|United States|US|Washington|westcentralus|3
westus3|West US 3|United States|US|Phoenix|eastus|3
canadacentral|Canada Central|Canada|Canada|Toronto|canadaeast|3
canadaeast|Canada East|Canada|Canada|Quebec|canadacentral|
mexicocentral|Mexico Central|Mexico|Mexico|Querétaro State||3
brazilsouth|Brazil South|Brazil|South America|Sao Paulo State|southcentralus|3
southeastasia|Southeast Asia|Asia Pacific|Asia Pacific|Singapore|eastasia|3
eastasia|East Asia|Asia Pacific|Asia Pacific|Hong Kong|southeastasia|3
japaneast|Japan East|Japan|Asia Pacific|Tokyo, Saitama|japanwest|3
japanwest|Japan West|Japan|Asia Pacific|Osaka|japaneast|3
koreacentral|Korea Central|Korea|Asia Pacific|Seoul||3
australiaeast|Australia East|Australia|Asia Pacific|New South Wales|australiasoutheast|3
australiasoutheast|Australia Southeast|Australia|Asia Pacific|Victoria|australiaeast|
newzealandnorth|New Zealand North|New Zealand|Asia Pacific|Auckland||3
centralindia|Central India|India|Asia Pacific|Pune|southindia|3
southindia|South India|India|Asia Pacific|Chennai|centralindia|
southafricanorth|South Africa North|South Africa|Africa|Johannesburg||3
uaenorth|UAE North|UAE|Middle East|Dubai||3
qatarcentral|Qatar Central|Qatar|Middle East|Doha||3
israelcentral|Israel Central|Israel|Middle East|Israel||3
"""
EDGES = {  # edge zones: the region that each belongs to
    "attatlanta1": "eastus2",
    "attdallas1": "southcentralus",
    "attnewyork1": "eastus",
    "losangeles": "westus",
    "perth": "australiaeast",
}


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region of Azure."""

    name: str
    shown: str
    geography: str
    group: str
    place: str
    pair: str
    zones: int


def _regions() -> dict[str, Region]:
    fields = ("name", "shown", "geography", "group", "place", "pair")
    found = {}
    for line in FACTS.strip().splitlines():
        *texts, zones = line.split("|")
        found[texts[0]] = Region(**dict(zip(fields, texts, strict=True)), zones=int(zones or 0))
    return found


REGIONS = _regions()
# Code and name of a part of the world, and those of what lies in it, as Traffic Manager has them.
WORLD = {
    ("GEO-AF", "Africa"): "DZ Algeria|EG Egypt|ET Ethiopia|GH Ghana|KE Kenya|MA Morocco|NG Nigeria"
    "|SN Senegal|TN Tunisia|TZ Tanzania|UG Uganda|ZA South Africa",
    ("GEO-AP", "Australia / Pacific"): "AU Australia|FJ Fiji|NZ New Zealand|PG Papua New Guinea",
    ("GEO-AS", "Asia"): "BD Bangladesh|CN China|HK Hong Kong SAR|ID Indonesia|IN India|JP Japan"
    "|KR Korea|KZ Kazakhstan|LK Sri Lanka|MY Malaysia|NP Nepal|PH Philippines|PK Pakistan"
    "|SG Singapore|TH Thailand|TW Taiwan|VN Vietnam",
    ("GEO-EU", "Europe"): "AT Austria|BE Belgium|BG Bulgaria|CH Switzerland|CY Cyprus"
    "|CZ Czech Republic|DE Germany|DK Denmark|EE Estonia|ES Spain|FI Finland|FR France"
    "|GB United Kingdom|GR Greece|HR Croatia|HU Hungary|IE Ireland|IS Iceland|IT Italy"
    "|LT Lithuania|LU Luxembourg|LV Latvia|MT Malta|NL Netherlands|NO Norway|PL Poland"
    "|PT Portugal|RO Romania|RS Serbia|RU Russia|SE Sweden|SI Slovenia|SK Slovakia|TR Turkey"
    "|UA Ukraine",
    ("GEO-ME", "Middle East"): "AE United Arab Emirates|BH Bahrain|IL Israel|IQ Iraq|IR Iran"
    "|JO Jordan|KW Kuwait|LB Lebanon|OM Oman|QA Qatar|SA Saudi Arabia",
    ("GEO-NA", "North America / Central America / Caribbean"): "CA Canada|CR Costa Rica|CU Cuba"
    "|DO Dominican Republic|GT Guatemala|HN Honduras|JM Jamaica|MX Mexico|NI Nicaragua|PA Panama"
    "|PR Puerto Rico|SV El Salvador|US United States",
    ("GEO-SA", "South America"): "AR Argentina|BO Bolivia|BR Brazil|CL Chile|CO Colombia"
    "|EC Ecuador|PE Peru|PY Paraguay|UY Uruguay|VE Venezuela",
}


def locations(subscription: str, *, edges: bool = False) -> list[dict[str, Any]]:
    """Return the regions as a subscription lists them.

    Args:
        subscription: Its id.
        edges: Whether edge zones are listed, too.
    """
    scope = f"/subscriptions/{subscription}/locations"
    found = [_listed(scope, region) for region in REGIONS.values()]
    return [*found, *(_edge(scope, *one) for one in EDGES.items() if edges)]


def _listed(scope: str, region: Region) -> dict[str, Any]:
    pairs = [{"id": f"{scope}/{region.pair}", "name": region.pair}] if region.pair else []
    numbers = range(1, region.zones + 1)
    zones = [{"logicalZone": f"{n}", "physicalZone": f"{region.name}-az{n}"} for n in numbers]
    return {
        **_named(scope, region.name, region.shown, "Region"),
        **({"availabilityZoneMappings": zones} if zones else {}),
        "metadata": {
            "geography": region.geography,
            "geographyGroup": region.group,
            "pairedRegion": pairs,
            "physicalLocation": region.place,
            "regionCategory": "Recommended" if region.zones else "Other",
            "regionType": "Physical",
        },
    }


def _edge(scope: str, name: str, home: str) -> dict[str, Any]:
    about = {"edgeZoneId": name, "edgeZoneType": "Microsoft", "homeLocation": home}
    kind = {"regionCategory": "Extended", "regionType": "Physical"}
    return {**_named(scope, name, name, "EdgeZone"), "metadata": {**kind, **about}}


def _named(scope: str, name: str, shown: str, kind: str) -> dict[str, Any]:
    about = {"id": f"{scope}/{name}", "name": name, "type": kind}
    return {**about, "displayName": shown, "regionalDisplayName": shown}


def hierarchy() -> dict[str, Any]:
    """Return the world, its parts, and the countries that lie in each."""
    parts = [
        {"code": code, "name": name, "regions": [_country(one) for one in inside.split("|")]}
        for (code, name), inside in WORLD.items()
    ]
    return {"code": "WORLD", "name": "World", "regions": parts}


def _country(text: str) -> dict[str, Any]:
    code, _, name = text.partition(" ")
    return {"code": code, "name": name, "regions": []}
