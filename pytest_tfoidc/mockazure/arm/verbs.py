"""The verbs on one resource: read, write, change, delete; and its operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import documents, errors, schedules
from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.estate import Estate, not_found
from pytest_tfoidc.mockazure.arm.operations import Operation, retry_headers
from pytest_tfoidc.mockazure.arm.store import LOCKS, Document, Resource
from pytest_tfoidc.mockazure.arm.types.table import rules_for

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

GROUP_NAME = re.compile(r"[-\w.()]{0,89}[-\w()]")  # it does not end with a dot
FORBIDDEN = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
MAX_NAME = 260
ACCEPTED = 202
TOLERANT = "microsoft.apimanagement"
ASSIGNMENT = "microsoft.authorization/roleassignments"
READ_ONLY = ("readonly",)
UNDELETABLE = ("cannotdelete", "readonly")


def given(
    document: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a document as a response, with its ETag."""
    etag = {"ETag": str(document["etag"])} if "etag" in document else {}
    return Response.json(document, status=status, headers={**etag, **(headers or {})})


def read(estate: Estate, call: Call) -> Response:
    """GET a resource. Where it is being worked on, this is a poll."""
    operation = estate.operations.on(call.place.key)
    if operation is not None:
        estate.operations.poll(operation)
        estate.settle()
    return given(_existing(estate, call))


def exists(estate: Estate, call: Call) -> Response:
    """HEAD a resource: 204, for some types 200, or 404."""
    etag = _existing(estate, call).get("etag")
    headers = {"ETag": str(etag)} if etag else {}
    return Response(rules_for(call.place.kind).found, headers=headers)


def _existing(estate: Estate, call: Call) -> Document:
    document = estate.find(call, call.place)
    if document is None:
        estate.check_parent(call, write=False)
        raise not_found(call.place)
    return document


def write(estate: Estate, call: Call) -> Response:
    """PUT a resource."""
    place, body = call.place, call.body
    before = estate.store.get(place.key)
    _check_write(estate, call, before)
    _check_location(place, body, before)
    if place.type_key == ASSIGNMENT:
        _check_assignment(estate, place, body)
    rules = rules_for(place.kind)
    if rules.merges is not None:
        return _merge(estate, call)
    if rules.handed_over:
        body = estate.handed_over(place, body)
    if rules.recoverable and before is None:
        body = _check_deleted(estate, place, body)
    verb = "update" if before else "create"
    if place.type_key in schedules.MADE:
        schedules.check(estate.store, place, documents.properties_of(body))
    resource = estate.put(place, body, call)
    if place.type_key in schedules.MADE:
        schedules.follow(estate.store, place, resource)
    duration = estate.operations.duration(place.kind, verb)
    if duration or rules.begun:
        return _begun(estate, call, resource, estate.operations.start(place, verb, duration))
    return given(estate.shown(resource), status=rules.updated if before else rules.created)


def _merge(estate: Estate, call: Call) -> Response:
    """Write what only changes its parent, such as a vault's access policies."""
    place, body = call.place, call.body
    parent, merges = estate.store.get(place.parent.key), rules_for(place.kind).merges
    if parent is None or merges is None:
        raise errors.parent_not_found(place.kind, place.parent.id, write=True)
    written = documents.properties_of(body)
    properties = merges(parent.properties, place.name.lower(), written)
    document = documents.with_properties(parent.document, properties)
    estate.store.put(place.parent, document)
    shown = {"id": place.id, "name": place.name, "type": place.kind}
    return Response.json(
        {**shown, "properties": {n: properties.get(n, v) for n, v in written.items()}}
    )


def change(estate: Estate, call: Call) -> Response:
    """PATCH a resource."""
    before = _existing(estate, call)
    _check_write(estate, call, estate.store.get(call.place.key))
    if rules_for(call.place.kind).merges is not None:
        return _merge(estate, call)
    resource = estate.put(call.place, documents.patched(before, call.body), call)
    duration = estate.operations.duration(call.place.kind, "update")
    rules = rules_for(call.place.kind)
    begun = rules.begun or rules.changed == ACCEPTED
    if not duration and not begun:
        return given(estate.shown(resource), status=rules.changed)
    operation = estate.operations.start(call.place, "update", duration)
    status = ACCEPTED if begun else rules.changed
    return given(estate.shown(resource), status=status, headers=_announced(call, operation))


def _begun(estate: Estate, call: Call, resource: Resource, operation: Operation) -> Response:
    rules = rules_for(call.place.kind)
    if rules.located:
        return Response(202, headers=_located(call, operation))
    status = rules.accepted if operation.verb == "create" else rules.updated
    status = 202 if rules.begun else status
    return given(estate.shown(resource), status=status, headers=_announced(call, operation))


def delete(estate: Estate, call: Call) -> Response:
    """DELETE a resource, and everything in it."""
    place = call.place
    resource = estate.store.get(place.key)
    if resource is None:
        return _delete_nothing(estate, call)
    _check_conditions(call, resource)
    if place.type_key != LOCKS:
        estate.check_locks(place, verb="delete", levels=UNDELETABLE)
    operation = estate.operations.on(place.key)
    if operation is None or operation.verb != "delete":
        duration = _delete_duration(estate, resource)
        if not duration:
            return _removed(estate, call, resource)
        operation = estate.operations.start(place, "delete", duration)
    announced = {} if place.is_group else _announced(call, operation)
    return Response(202, headers={**announced, **_located(call, operation)})


def _removed(estate: Estate, call: Call, resource: Resource) -> Response:
    estate.remove(resource.key)
    rules = rules_for(call.place.kind)
    if rules.dismissed:
        operation = estate.operations.start(call.place, "delete", timedelta())
        return Response(202, headers=_located(call, operation, what=rules.dismissed))
    return given(resource.document) if rules.returned else Response(rules.deleted)


def _delete_nothing(estate: Estate, call: Call) -> Response:
    if call.place.is_group:
        raise not_found(call.place)
    estate.check_parent(call, write=True)
    there = estate.find(call, call.place) is not None  # with its parent, whatever is deleted
    return Response(rules_for(call.place.kind).deleted if there else 204)


def _delete_duration(estate: Estate, resource: Resource) -> timedelta:
    """Tell how long a deletion takes: as long as that of the slowest thing inside."""
    if estate.operations.are_instant:
        return timedelta()
    kinds = {r.kind for r in estate.store.tree(resource.key)}
    return max(estate.operations.duration(kind, "delete") for kind in kinds)


def begun(call: Call, operation: Operation) -> Response:
    """Answer an action that clients follow to its end: 202, with what they poll.

    Where its end tells something, both ways to poll lead there.
    """
    announced = _announced(call, operation) if operation.output is not None else {}
    return Response(202, headers={**announced, **_located(call, operation)})


def operation_status(estate: Estate, call: Call) -> Response:
    """GET what `Azure-AsyncOperation` names. This is a poll."""
    operation = _polled(estate, call)
    now = estate.operations.now()
    status: Document = {
        "id": call.place.id,
        "name": operation.id,
        "status": "Succeeded" if operation.done(now) else "InProgress",
        "startTime": documents.written_moment(operation.started),
        "percentComplete": operation.percent(now),
    }
    if operation.done(now):
        ended = {**status, "endTime": documents.written_moment(operation.ends)}
        if operation.output is not None:
            ended["properties"] = {"output": operation.output}
        return Response.json(ended)
    return Response.json(status, headers=retry_headers(call.request))


def operation_result(estate: Estate, call: Call) -> Response:
    """GET what `Location` names: 202 until there is a result. This is a poll."""
    operation = _polled(estate, call)
    if not operation.done(estate.operations.now()):
        return Response(202, headers=_located(call, operation))
    if operation.output is not None:
        return Response.json(operation.output)
    resource = estate.store.get(operation.key)
    if operation.verb == "delete" or resource is None:
        return Response(200)  # empty: go-azure-sdk reads 204 as an answer that it cannot parse
    return given(estate.shown(resource))


def _polled(estate: Estate, call: Call) -> Operation:
    operation = estate.operations.get(call.place.name)
    if operation is None:
        message = f"The operation '{call.place.name}' could not be found."
        raise ArmError(404, "OperationNotFound", message)
    estate.operations.poll(operation)
    estate.settle()
    return operation


def _announced(call: Call, operation: Operation) -> dict[str, str]:
    url = _operation_url(call, operation, "operationStatuses")
    return {"Azure-AsyncOperation": url, **retry_headers(call.request)}


def _located(call: Call, operation: Operation, *, what: str = "operationResults") -> dict[str, str]:
    url = _operation_url(call, operation, what)
    return {"Location": url, **retry_headers(call.request)}


def _operation_url(call: Call, operation: Operation, what: str) -> str:
    subscription = call.place.subscription
    scope = f"/subscriptions/{subscription}" if subscription else ""
    namespace = operation.kind.partition("/")[0]
    path = f"{scope}/providers/{namespace}/locations/global/{what}/{operation.id}"
    return f"{call.base}{path}?api-version={call.api_version}"


def _check_write(estate: Estate, call: Call, before: Resource | None) -> None:
    place = call.place
    _check_name(place)
    estate.check_parent(call, write=True)
    _check_conditions(call, before)
    deleting = estate.operations.deleting_around(place.key)
    if deleting is not None:
        raise _being_deleted(deleting)
    if estate.operations.on(place.key) is not None:
        raise errors.conflict(f"Another operation is in progress on '{place.id}'.")
    if place.type_key != LOCKS:
        estate.check_locks(place, verb="write", levels=READ_ONLY)


def _being_deleted(operation: Operation) -> ArmError:
    name = operation.key.rpartition("/")[2]
    if operation.kind.lower() == "microsoft.resources/resourcegroups":
        message = (
            f"The resource group '{name}' is in deprovisioning state and cannot perform this "
            "operation."
        )
        return errors.conflict(message, code="ResourceGroupBeingDeleted")
    return errors.conflict(f"The resource '{name}' is being deleted.")


def _check_name(place: Place) -> None:
    name = place.name
    if place.is_group and not GROUP_NAME.fullmatch(name):
        message = (
            f"The provided resource group name '{name}' is invalid: a name has 1 to 90 letters, "
            "digits, '-', '.', '(', ')' or '_', and does not end with a dot."
        )
        raise ArmError(400, "InvalidResourceGroup", message)
    if len(name) > MAX_NAME or FORBIDDEN.search(name):
        raise ArmError(400, "InvalidResourceName", f"The resource name '{name}' is invalid.")


def _check_conditions(call: Call, before: Resource | None) -> None:
    """Check If-Match and If-None-Match (RFC 9110)."""
    etag = before.document.get("etag") if before else None
    wanted, unwanted = call.header("if-match"), call.header("if-none-match")
    if wanted == "*" and call.place.namespace.lower() == TOLERANT:
        wanted = ""  # providers create with it
    if wanted and (etag is None or not _matches(wanted, etag)):
        raise errors.precondition_failed()
    if unwanted and etag is not None and _matches(unwanted, etag):
        raise errors.precondition_failed()


def _matches(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return "*" in tags or etag.removeprefix("W/").strip('"') in tags


def _check_location(place: Place, body: Document, before: Resource | None) -> None:
    wanted = _region(body)
    if place.is_group and not wanted:
        message = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", message)
    there = _region(before.document) if before else ""
    if not wanted or not there or wanted == there:
        return
    if place.is_group:
        message = (
            f"Invalid resource group location '{wanted}'. The Resource group already exists in "
            f"location '{there}'."
        )
        raise errors.conflict(message, code="InvalidResourceGroupLocation")
    message = (
        f"The resource '{place.name}' already exists in location '{there}' in resource group "
        f"'{place.group}'. A resource with the same name cannot be created in location '{wanted}'. "
        "Please select a new resource name."
    )
    raise errors.conflict(message, code="InvalidResourceLocation")


def _region(document: Mapping[str, Any]) -> str:
    location = document.get("location")
    return location.lower().replace(" ", "") if isinstance(location, str) else ""


def _check_assignment(estate: Estate, place: Place, body: Document) -> None:
    wanted = _assigned(body)
    for other in estate.store.children(place.parent.key, ASSIGNMENT):
        if other.key != place.key and _assigned(other.document) == wanted:
            message = "The role assignment already exists."
            raise errors.conflict(message, code="RoleAssignmentExists")


def _assigned(document: Mapping[str, Any]) -> tuple[str, str]:
    properties = document.get("properties")
    values = properties if isinstance(properties, dict) else {}
    role = str(values.get("roleDefinitionId", "")).lower().rpartition("/")[2]
    return role, str(values.get("principalId", "")).lower()


def _check_deleted(estate: Estate, place: Place, body: Document) -> Document:
    """Recover a deleted resource where the body asks for it; refuse its name otherwise."""
    deleted = estate.deleted(place.type_key, place.name)
    if deleted is None:
        return body
    if str(documents.properties_of(body).get("createMode", "")).lower() != "recover":
        what = place.type_key.rpartition("/")[2].removesuffix("s")
        message = (
            f"A {what} with the same name '{place.name}' already exists in deleted state. You need "
            f"to either recover or purge existing {what}. Follow this link "
            "https://go.microsoft.com/fwlink/?linkid=2149745 for more information on "
            "soft delete."
        )
        raise errors.conflict(message, code="ConflictError")
    estate.store.remove(deleted.key)
    return body
