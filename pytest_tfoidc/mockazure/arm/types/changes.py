"""Actions that change a resource, so that a client that polls it afterwards sees them done.

A line for each in `CHANGES`: the type, the action, and the function that returns, by the ids of the
resources that change, the properties which each has from then on. What another action shows
(`listDeploymentStatus`) is kept among them as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties, objects, part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.types.rules import Changes

ACTIVE = "activeDeploymentNames"  # of an app of Azure Spring Apps
GLOBAL = "globallyEnabledApms"  # of an Azure Spring Apps service: ids
DEPLOYED = "deployedConfigurations"  # of a network manager, by type and region


def _linked(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a database linked to the others of its replication group."""
    group = part(posted, "geoReplication")
    linked = [{**one, "state": "Linked"} for one in _databases(group)]
    shown = {"geoReplication": {**group, "linkedDatabases": linked or [{"id": new.id}]}}
    return {new.id: shown, **{one["id"]: shown for one in linked}}


def _unlinked(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a replication group without the databases that leave it."""
    ids = posted.get("ids")
    gone = {str(i).lower() for i in (ids if isinstance(ids, list) else [])}
    group = part(new.properties, "geoReplication")
    kept = [one for one in _databases(group) if one["id"].lower() not in gone]
    shown = {"geoReplication": {**group, "linkedDatabases": kept}}
    return {new.id: shown, **{one["id"]: shown for one in kept}}


def _databases(group: Properties) -> list[Properties]:
    return [one for one in objects(group, "linkedDatabases") if isinstance(one.get("id"), str)]


def _swapped(new: New, posted: Mapping[str, Any], now: str) -> Properties:
    """Return which slots of an app were swapped last."""
    target, own = str(posted.get("targetSlot") or ""), "production"
    here = new.name if "/slots/" in new.id.lower() else own
    status = {"timestampUtc": now, "sourceSlotName": target, "destinationSlotName": here}
    return {new.id: {"slotSwapStatus": status}}


def _committed(new: New, posted: Mapping[str, Any], now: str) -> Properties:
    """Return which configurations of a network manager are in force, by type and region."""
    deployed = part(new.properties, DEPLOYED)
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
    found = part(new.properties, DEPLOYED)
    return {"value": [one for name in found if (one := part(found, name)).get("configurationIds")]}


def _enabled(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a service's monitors that are enabled globally, with one more."""
    one = posted.get("resourceId")
    return {new.id: {GLOBAL: [*_monitors(new, without=one), *([one] if one else [])]}}


def _disabled(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a service's monitors that are enabled globally, without one."""
    return {new.id: {GLOBAL: _monitors(new, without=posted.get("resourceId"))}}


def _monitors(new: New, *, without: object) -> list[Any]:
    found = new.properties.get(GLOBAL)
    gone = str(without).lower()
    return [m for m in found if str(m).lower() != gone] if isinstance(found, list) else []


def enabled_monitors(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the monitors that are enabled globally, for `listGloballyEnabledApms`."""
    return {"value": _monitors(new, without=None)}


def _activated(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return which deployments of an app are active from now on, and which no longer."""
    before, names = new.properties.get(ACTIVE), posted.get("activeDeploymentNames")
    now = [n for n in names if isinstance(n, str)] if isinstance(names, list) else []
    old = before if isinstance(before, list) else []
    states = {f"{new.id}/deployments/{name}": {"active": name in now} for name in (*old, *now)}
    return {new.id: {ACTIVE: now}, **states}


def _failed_over(new: New, _posted: Mapping[str, Any], _now: str) -> Properties:
    """Return a flexible server whose standby has taken its place, with the zones of both."""
    standby = part(new.properties, "highAvailability")
    here, there = new.properties.get("availabilityZone"), standby.get("standbyAvailabilityZone")
    if not here or not there:
        return {}
    shown = {**standby, "standbyAvailabilityZone": here}
    return {new.id: {"availabilityZone": there, "highAvailability": shown}}


def _restarted(new: New, posted: Mapping[str, Any], now: str) -> Properties:
    """Return a flexible server that was restarted, on its standby where that was asked for."""
    return _failed_over(new, posted, now) if posted.get("restartWithFailover") is True else {}


def _extended(new: New, posted: Mapping[str, Any], _: str) -> Properties:
    """Return a policy of a container that holds for longer."""
    period = "immutabilityPeriodSinceCreationInDays"
    longer = part(posted, "properties").get(period)
    return {new.id: {period: longer} if isinstance(longer, int) else {}}


def _set(**properties: Any) -> Changes:  # noqa: ANN401 - JSON
    """Make the function for an action that sets properties of its own resource."""
    return lambda new, _posted, _now: {new.id: properties}


EXPORT = {
    "begingetaccess": _set(diskState="ActiveSAS"),
    "endgetaccess": _set(diskState="Unattached"),
}
RUNS = {"start": "Running", "stop": "Stopped"}
_READY = {"start": "Ready", "stop": "Stopped"}
_ONLINE = {"resume": "Online", "pause": "Paused"}
# type -> the property that tells whether it runs, and what that says after each action
SWITCHES: dict[str, tuple[str, Mapping[str, str]]] = {
    "Microsoft.App/containerApps": ("runningStatus", RUNS),
    "Microsoft.Cdn/profiles/endpoints": ("resourceState", RUNS),
    "Microsoft.ContainerService/managedClusters": ("powerState.code", RUNS),
    "Microsoft.DBforMySQL/flexibleServers": ("state", _READY),
    "Microsoft.DBforPostgreSQL/flexibleServers": ("state", _READY),
    "Microsoft.Kusto/clusters": ("state", RUNS),
    "Microsoft.Logic/workflows": ("state", {"enable": "Enabled", "disable": "Disabled"}),
    "Microsoft.Network/applicationGateways": ("operationalState", RUNS),
    "Microsoft.Sql/managedInstances": ("state", _READY),
    "Microsoft.Sql/servers/databases": ("status", _ONLINE),
    "Microsoft.StreamAnalytics/streamingJobs": ("jobState", RUNS),
    "Microsoft.Synapse/workspaces/sqlPools": ("status", _ONLINE),
    "Microsoft.Web/sites": ("state", RUNS),
    "Microsoft.Web/sites/slots": ("state", RUNS),
}


def _switches(kind: str) -> dict[str, Changes]:
    path, actions = SWITCHES.get(kind, ("", {}))
    block, dot, name = path.rpartition(".")
    return {
        action: _set(**({block: {name: says}} if dot else {name: says}))
        for action, says in actions.items()
    }


_ACTED: dict[str, dict[str, Changes]] = {
    "Microsoft.Compute/disks": EXPORT,
    "Microsoft.Compute/snapshots": EXPORT,
    "Microsoft.Cache/redisEnterprise/databases": {
        "forcelinktoreplicationgroup": _linked,
        "forceunlink": _unlinked,
    },
    "Microsoft.AppPlatform/spring": {
        "disableapmglobally": _disabled,
        "enableapmglobally": _enabled,
    },
    "Microsoft.AppPlatform/spring/apps": {"setactivedeployments": _activated},
    "Microsoft.DBforMySQL/flexibleServers": {"failover": _failed_over},
    "Microsoft.DBforPostgreSQL/flexibleServers": {"restart": _restarted},
    "Microsoft.Network/networkManagers": {"commit": _committed},
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": {
        "extend": _extended,
        "lock": _set(state="Locked"),
    },
    "Microsoft.Web/sites": {"slotsswap": _swapped},
    "Microsoft.Web/sites/slots": {"slotsswap": _swapped},
}
CHANGES = {kind: {**_ACTED.get(kind, {}), **_switches(kind)} for kind in (*_ACTED, *SWITCHES)}
