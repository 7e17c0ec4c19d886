"""Revisions of API Management's APIs: the current one is the API itself.

`apis/NAME;rev=2` is `apis/NAME` while 2 is the current revision; otherwise it stands for itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.resource_ids import Place, parse_segments

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.store import Store

NAMESPACE = "microsoft.apimanagement"
APIS = "microsoft.apimanagement/service/apis"
REVISED = re.compile(r"(?P<name>.+);rev=(?P<revision>\d+)", re.IGNORECASE)


def resolved(call: Call, store: Store) -> Call:
    """Return a call whose place names the API itself where it names its current revision.

    A PUT of a revision of an API that is not there yet makes the API, with that revision.
    """
    place = call.place
    if place.namespace.lower() != NAMESPACE or ";rev=" not in place.key:
        return call
    for index, segment in enumerate(place.segments):
        match = REVISED.fullmatch(segment)
        if match is None or place.segments[index - 1].lower() != "apis":
            continue
        api = parse_segments((*place.segments[:index], match["name"]))
        if not _is_current(api, match["revision"], store, writes=call.method == "PUT"):
            return call
        segments = (*api.segments, *place.segments[index + 1 :])
        return _of_revision(replace(call, place=parse_segments(segments)), match["revision"])
    return call


def _is_current(api: Place, revision: str, store: Store, *, writes: bool) -> bool:
    found = store.get(api.key)
    if found is None:
        return writes
    return str(found.properties.get("apiRevision", "1")) == revision


def _of_revision(call: Call, revision: str) -> Call:
    """Let what is written say its revision."""
    if call.method == "PUT" and call.place.type_key == APIS:
        properties = call.body.setdefault("properties", {})
        if isinstance(properties, dict):
            properties.setdefault("apiRevision", revision)
    return call
