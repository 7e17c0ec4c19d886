"""Networks that are connected: what a connection to a hub and a peering say of the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.types.base import part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

CONNECTIONS = "microsoft.network/expressroutegateways/expressrouteconnections"
ROUTING = "routingConfiguration"
PEERINGS = "microsoft.network/virtualnetworks/virtualnetworkpeerings"


def with_remote(store: Store, peering: Resource) -> Document:
    """Return a peering's document with the addresses of the network at its other side."""
    wanted = part(peering.properties, "remoteVirtualNetwork").get("id")
    remote = store.get(wanted.lower()) if isinstance(wanted, str) else None
    space = {"addressPrefixes": [], **part(remote.properties if remote else {}, "addressSpace")}
    addresses = {"remoteAddressSpace": space, "remoteVirtualNetworkAddressSpace": space}
    return {**peering.document, "properties": {**peering.properties, **addresses}}


def with_routing(store: Store, connection: Resource) -> Document:
    """Return a connection's document with the routing that its gateway's hub gives it."""
    gateway = store.get(connection.parent)
    hub = part(gateway.properties if gateway else {}, "virtualHub").get("id")
    table = {"id": f"{hub}/hubRouteTables/defaultRouteTable"}
    usual = {
        "associatedRouteTable": table,
        "propagatedRouteTables": {"labels": ["default"], "ids": [table]},
        "vnetRoutes": {"staticRoutes": []},
    }
    asked = {n: v for n, v in part(connection.properties, ROUTING).items() if v}
    properties = {**connection.properties, ROUTING: {**usual, **asked}}
    return {**connection.document, "properties": properties} if hub else connection.document
