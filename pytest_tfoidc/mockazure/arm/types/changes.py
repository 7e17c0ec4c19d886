"""Actions that change a resource, so that a client that polls it afterwards sees them done.

A line for each in `CHANGES`: the type, the action, and the function that returns, by the ids of the
resources that change, the properties which each has from then on. What another action shows
(`listDeploymentStatus`) is kept among them as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.types.rules import Changes

DEPLOYED = "deployedConfigurations"  # of a network manager, by type and region


def _linked(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a database linked to the others of its replication group."""
    given = posted.get("geoReplication")
    group = dict(given) if isinstance(given, dict) else {}
    databases = group.get("linkedDatabases")
    linked = [
        {**d, "state": "Linked"}
        for d in (databases if isinstance(databases, list) else [])
        if isinstance(d, dict)
    ]
    shown = {"geoReplication": {**group, "linkedDatabases": linked or [{"id": new.id}]}}
    return {new.id: shown, **{str(d.get("id")): shown for d in linked}}


def _unlinked(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a replication group without the databases that leave it."""
    ids = posted.get("ids")
    gone = {str(i).lower() for i in (ids if isinstance(ids, list) else [])}
    group = new.properties.get("geoReplication")
    kept = dict(group) if isinstance(group, dict) else {}
    linked = [d for d in kept.get("linkedDatabases") or [] if str(d["id"]).lower() not in gone]
    shown = {"geoReplication": {**kept, "linkedDatabases": linked}}
    return {new.id: shown, **{str(d["id"]): shown for d in linked}}


def _swapped(new: New, posted: Mapping[str, Any], now: str) -> Properties:
    """Return which slots of an app were swapped last."""
    target, own = str(posted.get("targetSlot") or ""), "production"
    here = new.name if "/slots/" in new.id.lower() else own
    status = {"timestampUtc": now, "sourceSlotName": target, "destinationSlotName": here}
    return {new.id: {"slotSwapStatus": status}}


def _committed(new: New, posted: Mapping[str, Any], now: str) -> Properties:
    """Return which configurations of a network manager are in force, by type and region."""
    kept = new.properties.get(DEPLOYED)
    deployed = dict(kept) if isinstance(kept, dict) else {}
    kind, regions = str(posted.get("commitType") or ""), posted.get("targetLocations")
    for region in regions if isinstance(regions, list) else []:
        deployed[f"{kind}/{region}".lower()] = {
            "commitTime": now,
            "region": region,
            "deploymentStatus": "Deployed",
            "configurationIds": posted.get("configurationIds") or [],
            "deploymentType": kind,
            "errorMessage": "",
        }
    return {new.id: {DEPLOYED: deployed}}


def deployments(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return what a network manager has in force, for `listDeploymentStatus`."""
    kept = new.properties.get(DEPLOYED)
    found = list(kept.values()) if isinstance(kept, dict) else []
    return {"value": [d for d in found if d["configurationIds"]]}


CHANGES: dict[str, dict[str, Changes]] = {
    "Microsoft.Cache/redisEnterprise/databases": {
        "forcelinktoreplicationgroup": _linked,
        "forceunlink": _unlinked,
    },
    "Microsoft.Network/networkManagers": {"commit": _committed},
    "Microsoft.Web/sites": {"slotsswap": _swapped},
    "Microsoft.Web/sites/slots": {"slotsswap": _swapped},
}
