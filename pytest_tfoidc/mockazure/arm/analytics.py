"""Analytics items of Application Insights: no resources, but entries that a query names.

Their list is a bare array; one is at `…/item?id=ID`. Both kinds are alike: those that
are shared, and a user's own.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import errors
from pytest_tfoidc.mockazure.arm.documents import written_moment

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.estate import Estate
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Resource

KINDS = frozenset(
    f"microsoft.insights/components/{kind}" for kind in ("analyticsitems", "myanalyticsitems")
)
ITEM = "item"


def is_analytics(place: Place) -> bool:
    """Tell whether a path names analytics items: their list, or the door to one."""
    return place.type_key in KINDS and (not place.pairs or place.name.lower() == ITEM)


def answer(estate: Estate, call: Call) -> Response:
    """Answer a call of analytics items."""
    estate.check_parent(call, write=call.method == "PUT")
    if call.method == "GET" and not call.place.pairs:
        return Response.json([one.properties for one in _all(estate, call)])
    if call.method == "PUT" and call.place.pairs:
        return Response.json(_written(estate, call))
    if call.method not in {"GET", "DELETE"} or not call.place.pairs:
        raise errors.method_not_allowed(call.method, "GET", "PUT", "DELETE")
    found = _named(estate, call, call.query.get("id", ""), call.query.get("name", ""))
    if found is None:
        raise errors.resource_not_found(call.place.kind, call.place.names, call.place.group)
    if call.method == "DELETE":
        estate.store.remove(found.key)
        return Response(200)
    return Response.json(found.properties)


def _all(estate: Estate, call: Call) -> list[Resource]:
    return estate.store.children(call.place.parent.key, call.place.type_key)


def _named(estate: Estate, call: Call, item_id: str, name: str) -> Resource | None:
    """Return the item that a query names, by its id or by its name."""
    for wanted, field in ((item_id, "Id"), (name, "Name")):
        for one in _all(estate, call):
            if wanted and one.properties.get(field) == wanted:
                return one
    return None


def _written(estate: Estate, call: Call) -> dict[str, Any]:
    """Return the item that a PUT makes or changes: the one of its id, or a new one."""
    before = _named(estate, call, str(call.body.get("Id") or ""), "")
    now = written_moment(call.now)
    item = {
        "Version": "1.0",
        "TimeCreated": now,
        **(before.properties if before else {}),
        **call.body,
        "Id": before.properties["Id"] if before else str(uuid.uuid4()),
        "TimeModified": now,
    }
    kind = call.place.segments[call.place.parent_length]
    place = call.place.parent.child(kind, item["Id"])
    identity = {"id": place.id, "name": place.name, "type": place.kind}
    estate.store.put(place, {**identity, "properties": item})
    return item
