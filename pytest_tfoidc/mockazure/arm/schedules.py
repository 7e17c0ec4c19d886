"""Privileged access to resources: requests that make schedules of role assignments, or end them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.types.base import guid, part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Resource, Store

_A = "Microsoft.Authorization"
# What a request of a type makes: a schedule of the first type, and what is in force beside it.
MADE = {
    f"{_A}/roleAssignmentScheduleRequests".lower(): (
        *("roleAssignmentSchedules", "roleAssignmentScheduleInstances", "roleAssignments"),
    ),
    f"{_A}/roleEligibilityScheduleRequests".lower(): (
        *("roleEligibilitySchedules", "roleEligibilityScheduleInstances"),
    ),
}
ENDING = ("adminremove", "selfdeactivate")
SHOWN = ("principalId", "roleDefinitionId", "condition", "conditionVersion")


def check(store: Store, place: Place, asked: Mapping[str, Any]) -> None:
    """Check that what a request asks for can be made or ended.

    Raises:
        ArmError: It is there already, or is not there to be ended.
    """
    there = any(store.get(one.key) for one in _places(place, asked))
    if _ends(asked) and not there:
        message = "The Role assignment does not exist."
        raise ArmError(400, "RoleAssignmentDoesNotExist", message)
    if there and asked.get("requestType") == "AdminAssign":
        raise ArmError(400, "RoleAssignmentExists", "The Role assignment already exists.")


def follow(store: Store, place: Place, request: Resource) -> None:
    """Make what a request asks for, or end it."""
    for one in _places(place, request.properties):
        if _ends(request.properties):
            store.remove(one.key)
            continue
        identity = {"id": one.id, "name": one.name, "type": one.kind}
        store.put(one, {**identity, "properties": _schedule(place, request)})


def _ends(asked: Mapping[str, Any]) -> bool:
    return str(asked.get("requestType") or "").lower() in ENDING


def _places(place: Place, asked: Mapping[str, Any]) -> list[Place]:
    """Return where a principal's role is scheduled: always the same for both and the scope."""
    principal, role = (str(asked.get(name) or "").lower() for name in SHOWN[:2])
    name = guid(place.parent.id, f"{principal} {role.rpartition('/')[2]}")
    scope = place.parent
    return [scope.child_of(_A, kind, name) for kind in MADE[place.type_key]]


def _schedule(place: Place, request: Resource) -> dict[str, Any]:
    asked = request.properties
    when = part(asked, "scheduleInfo")
    word = place.kind.rpartition("/")[2].removesuffix("s")  # such as roleEligibilityScheduleRequest
    return {
        **{name: asked.get(name) for name in SHOWN},
        "createdOn": part(request.document, "systemData").get("createdAt"),
        "endDateTime": part(when, "expiration").get("endDateTime"),
        "memberType": "Direct",
        "principalType": asked.get("principalType") or "ServicePrincipal",
        "scope": place.parent.id,
        "startDateTime": when.get("startDateTime"),
        "status": "Provisioned",
        f"{word}Id": request.id,
    }
