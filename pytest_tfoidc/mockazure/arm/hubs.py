"""Connections to virtual hubs: the route table that they are associated with by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.types.base import part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.store import Document, Resource, Store

CONNECTIONS = "microsoft.network/expressroutegateways/expressrouteconnections"
ROUTING = "routingConfiguration"


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
