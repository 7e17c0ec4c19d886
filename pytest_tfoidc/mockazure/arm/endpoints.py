"""Private endpoints at the other end: the connections that their targets have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm import documents
from pytest_tfoidc.mockazure.arm.resource_ids import Place, parse_segments
from pytest_tfoidc.mockazure.arm.types.base import guid, objects, part
from pytest_tfoidc.mockazure.arm.types.network import endpoint_address

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

ENDPOINTS = "microsoft.network/privateendpoints"
INTERFACE = "/providers/microsoft.network/networkinterfaces/"
SHOWN = "privateEndpointConnections"  # of a target: the property and the type below it
STATE = "privateLinkServiceConnectionState"
ASKED = {  # by the endpoint's property: what its connections say before anybody decides
    "privateLinkServiceConnections": "Approved",
    "manualPrivateLinkServiceConnections": "Pending",
}
# Endpoints that a service keeps in a network of its own: where each says its target and its groups.
_LINK = ("privateLinkResourceId", "groupId")
MANAGED = {
    "microsoft.cdn/profiles/origingroups/origins": (
        "sharedPrivateLinkResource.privateLink.id",
        "sharedPrivateLinkResource.groupId",
    ),
    "microsoft.dashboard/grafana/managedprivateendpoints": ("privateLinkResourceId", "groupIds"),
    "microsoft.datafactory/factories/managedvirtualnetworks/managedprivateendpoints": _LINK,
    "microsoft.kusto/clusters/managedprivateendpoints": _LINK,
    "microsoft.search/searchservices/sharedprivatelinkresources": _LINK,
    "microsoft.signalrservice/signalr/sharedprivatelinkresources": _LINK,
    "microsoft.signalrservice/webpubsub/sharedprivatelinkresources": _LINK,
}
KINDS = frozenset({ENDPOINTS, *MANAGED})


def connect(store: Store, endpoint: Resource) -> None:
    """Let the targets of an endpoint have its connections; what was decided on them stays."""
    for place, document in _connections(store, endpoint):
        if store.get(place.key) is None:
            store.put(place, document)


def disconnect(store: Store, endpoint: Resource, *, unless: Resource | None = None) -> None:
    """Take an endpoint's connections from its targets, unless it still has them."""
    kept = {place.key for place, _ in _connections(store, unless)} if unless else set()
    for place, _ in _connections(store, endpoint):
        if place.key not in kept:
            store.remove(place.key)


def interface(endpoint: Resource) -> tuple[Place, Document] | None:
    """Return where an endpoint's network interface lies, and what is written of it."""
    found = objects(endpoint.properties, "networkInterfaces")
    wanted = str(found[0].get("id") or "") if found else ""
    group, _, name = wanted.lower().partition(INTERFACE)
    if group != endpoint.key.partition("/providers/")[0] or not name or "/" in name:
        return None
    shown = {
        "primary": True,
        "privateIPAddress": endpoint_address(endpoint.id, endpoint.properties),
        "privateIPAllocationMethod": "Dynamic",
        "subnet": endpoint.properties.get("subnet"),
    }
    configuration = {"name": "privateEndpointIpConfig", "properties": shown}
    properties = {"ipConfigurations": [configuration], "privateEndpoint": {"id": endpoint.id}}
    place = parse_segments(tuple(wanted.strip("/").split("/")))
    return place, {"location": endpoint.document.get("location"), "properties": properties}


def with_states(store: Store, endpoint: Resource) -> Document:
    """Return an endpoint's document whose connections say what was decided on them."""
    properties = dict(endpoint.properties)
    for name in ASKED:
        if isinstance(properties.get(name), list):
            properties[name] = [_with_state(store, endpoint, one) for one in properties[name]]
    return {**endpoint.document, "properties": properties}


def _with_state(store: Store, endpoint: Resource, connection: object) -> object:
    place = _place(store, endpoint, connection)
    found = store.get(place.key) if place else None
    if found is None or not isinstance(connection, dict):
        return connection
    state = found.properties.get(STATE)
    return {**connection, "properties": {**part(connection, "properties"), STATE: state}}


def _connections(store: Store, endpoint: Resource) -> Iterator[tuple[Place, Document]]:
    for status, connection in _asked(endpoint):
        place = _place(store, endpoint, connection)
        if place is not None:
            yield place, _document(place, endpoint, connection, status)


def _asked(endpoint: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the connections that an endpoint asks for, each with what it says at first."""
    if endpoint.kind in MANAGED:
        target, groups = (_at(endpoint.properties, path) for path in MANAGED[endpoint.kind])
        named = groups if isinstance(groups, list) else [groups] if groups else []
        message = _at(endpoint.properties, "requestMessage")
        asked = {"privateLinkServiceId": target, "groupIds": named, "requestMessage": message}
        yield "Pending", {"properties": asked}
    for name, status in ASKED.items():
        for connection in objects(endpoint.properties, name):
            yield status, connection


def _at(properties: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    *blocks, name = path.split(".")
    for block in blocks:
        properties = part(properties, block)
    return properties.get(name)


def _place(store: Store, endpoint: Resource, connection: object) -> Place | None:
    """Return where a target has a connection; None where the target is not here."""
    wanted = part(connection, "properties").get("privateLinkServiceId")
    target = store.get(wanted.lower()) if isinstance(wanted, str) else None
    if target is None or "/providers/" not in target.key:
        return None
    place = parse_segments(tuple(target.id.strip("/").split("/")))
    return place.child(SHOWN, f"{endpoint.name}.{guid(endpoint.id, target.key)}")


def _document(
    place: Place, endpoint: Resource, connection: Mapping[str, Any], status: str
) -> Document:
    asked = part(connection, "properties")
    properties = {
        "groupIds": asked.get("groupIds") or [],
        "privateEndpoint": {"id": endpoint.id},
        STATE: {
            "status": status,
            "description": str(asked.get("requestMessage") or "Auto-Approved"),
            "actionsRequired": "None",
        },
        "provisioningState": "Succeeded",
    }
    identity = {"id": place.id, "name": place.name, "type": place.kind}
    return documents.with_properties(identity, properties)
