"""Secrets: set, read, change.

Source: https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.keyvault import errors, items

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.keyvault.call import Call
    from pytest_tfoidc.mockazure.keyvault.store import Item, Version

MAX_VALUE = 25_600  # bytes


def shown(call: Call, item: Item, version: Version) -> items.Document:
    """Return a secret with its value."""
    content = version.content
    document = {"value": content["value"], **items.base(call, item, version)}
    if content.get("contentType") is not None:
        document["contentType"] = content["contentType"]
    if version.managed:
        document["kid"] = call.url("keys", item.name, version.id)
    return document


def put(call: Call) -> Response:
    """PUT a secret: a new version."""
    call.check("set")
    call.check_free()
    call.check_unmanaged("set")
    value = call.text("value")
    if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE:
        raise errors.bad_parameter(f"The secret's value has more than {MAX_VALUE} bytes.")
    content = {"value": value}
    if call.body.get("contentType") is not None:
        content["contentType"] = call.text("contentType")
    version = items.new_version(call, content)
    return Response.json(shown(call, items.add_version(call, version), version))


def get(call: Call) -> Response:
    """GET a secret, the current version or the one that is named."""
    call.check("get")
    item, version = call.existing(), call.existing_version()
    if not version.enabled:
        raise errors.is_disabled(call.kind, "get")
    return Response.json(shown(call, item, version))
