"""Contents that are texts and no JSON: the script of a runbook, the text of a configuration."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import errors, verbs
from pytest_tfoidc.mockazure.arm.call import MAX_BODY
from pytest_tfoidc.mockazure.arm.estate import Estate, not_found
from pytest_tfoidc.mockazure.arm.types.base import part

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

_ACCOUNT = "microsoft.automation/automationaccounts"
OWNERS = frozenset({f"{_ACCOUNT}/runbooks", f"{_ACCOUNT}/configurations"})
DRAFT, CONTENT = "draft", "content"
EMBEDDED = "embeddedContent"  # how a configuration says that it brings its own text


def is_content(place: Place) -> bool:
    """Tell whether a path names a content: `…/runbooks/NAME/content` or `…/draft/content`."""
    if place.name.lower() != CONTENT or place.parent.type_key not in OWNERS:
        return False
    return not place.pairs or place.type_key.endswith(f"/{DRAFT}")


def answer(estate: Estate, call: Call) -> Response:
    """Answer a call of a content: PUT its draft, GET what was last written."""
    owner = estate.store.get(call.place.parent.key)
    if owner is None:
        raise not_found(call.place.parent)
    kept = call.place.parent.child(DRAFT, CONTENT)
    if call.method == "PUT" and call.place.pairs:
        return _write(estate, call, kept)
    if call.method not in {"GET", "HEAD"}:
        raise errors.method_not_allowed(call.method, "GET")
    found = estate.store.get(kept.key)
    inline = part(owner.properties, "source")
    embedded = inline.get("value") if inline.get("type") == EMBEDDED else ""
    text = str(found.properties.get(CONTENT, "") if found else embedded or "")
    return Response.text(text, kind="text/powershell")


def _write(estate: Estate, call: Call, kept: Place) -> Response:
    body = call.request.body
    if len(body) > MAX_BODY:
        raise errors.too_large(MAX_BODY)
    identity = {"id": kept.id, "name": kept.name, "type": kept.kind}
    properties = {CONTENT: body.decode(errors="replace")}
    estate.store.put(kept, {**identity, "properties": properties})
    operation = estate.operations.start(call.place.parent, "update", timedelta())
    return verbs.begun(call, operation)
