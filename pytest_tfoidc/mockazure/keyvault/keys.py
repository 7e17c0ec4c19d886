"""Keys: make, import, read, rotate, and use them.

Source: https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.keyvault import errors, items, keymaterial
from pytest_tfoidc.mockazure.keyvault.keymaterial import base64url

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.keyvault.call import Call
    from pytest_tfoidc.mockazure.keyvault.store import Item, Version

OPERATIONS = {
    "RSA": ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"),
    "EC": ("sign", "verify"),
}
KNOWN_OPERATIONS = {*OPERATIONS["RSA"], "import", "export"}
USES = {  # by the last segment of the path
    "encrypt": "encrypt",
    "decrypt": "decrypt",
    "wrapkey": "wrapKey",
    "unwrapkey": "unwrapKey",
    "sign": "sign",
    "verify": "verify",
}
PERIOD = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?", re.IGNORECASE)
MAX_RANDOM = 128  # bytes


def shown(call: Call, item: Item, version: Version) -> items.Document:
    """Return a key with its public part."""
    document = items.base(call, item, version)
    content = version.content
    jwk = {
        **content["jwk"],
        "kid": document.pop("id"),
        "kty": content["kty"],
        "key_ops": list(content["key_ops"]),
    }
    shown = {"key": jwk, **document}
    if content.get("release_policy"):
        shown["release_policy"] = content["release_policy"]
    return shown


def content_of(
    key: keymaterial.PrivateKey, *, kty: str, key_ops: list[str] | None = None
) -> dict[str, Any]:
    """Return what is kept of a key."""
    jwk = keymaterial.public_jwk(key)
    family = jwk.pop("kty")
    return {
        "pem": keymaterial.to_pem(key),
        "jwk": jwk,
        "kty": kty or family,
        "key_ops": key_ops or list(OPERATIONS[family]),
    }


def create(call: Call) -> Response:
    """POST: make a key, or a new version of it."""
    call.check("create")
    call.check_free()
    call.check_unmanaged("create")
    kty = call.text("kty", default="")
    made = keymaterial.new(kty, size=call.body.get("key_size"), curve=call.body.get("crv"))
    return _kept(call, content_of(made, kty=kty, key_ops=_operations(call.body)))


def import_key(call: Call) -> Response:
    """PUT: take a key that was made elsewhere."""
    call.check("import")
    call.check_free()
    call.check_unmanaged("import")
    jwk = call.block("key")
    made = keymaterial.imported(jwk)
    family = keymaterial.public_jwk(made)["kty"]
    kty = f"{family}-HSM" if call.body.get("Hsm") is True else family
    return _kept(call, content_of(made, kty=kty, key_ops=_operations(jwk)))


def _kept(call: Call, content: dict[str, Any]) -> Response:
    if isinstance(call.body.get("release_policy"), dict):
        content["release_policy"] = call.body["release_policy"]
    version = items.new_version(call, content)
    return Response.json(shown(call, items.add_version(call, version), version))


def _operations(document: dict[str, Any]) -> list[str] | None:
    found = document.get("key_ops")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(o, str) for o in found):
        raise errors.bad_parameter("Property 'key_ops' must be a list of strings.")
    unknown = sorted(set(found) - KNOWN_OPERATIONS)
    if unknown:
        raise errors.bad_parameter(f"Property 'key_ops' has an invalid value: {unknown[0]}")
    return found


def get(call: Call) -> Response:
    """GET a key's public part, the current version or the one that is named."""
    call.check("get")
    return Response.json(shown(call, call.existing(), call.existing_version()))


def rotate(call: Call) -> Response:
    """POST: make a new version like the current one."""
    call.check("rotate")
    item = call.existing()
    before = item.latest
    jwk, kty = before.content["jwk"], before.content["kty"]
    old = keymaterial.from_pem(before.content["pem"])
    made = keymaterial.new(kty, size=getattr(old, "key_size", None), curve=jwk.get("crv"))
    content = content_of(made, kty=kty, key_ops=list(before.content["key_ops"]))
    version = items.new_version(call, content, attributes={"enabled": True})
    version = dataclasses.replace(version, tags=before.tags)
    return Response.json(shown(call, items.add_version(call, version), version))


def get_rotation_policy(call: Call) -> Response:
    """GET how a key is rotated."""
    call.check("getrotationpolicy")
    return Response.json(_rotation(call, call.existing()))


def put_rotation_policy(call: Call) -> Response:
    """PUT how a key is rotated."""
    call.check("setrotationpolicy")
    item = call.existing()
    expiry = call.block("attributes").get("expiryTime")
    actions = call.body.get("lifetimeActions", [])
    if expiry is not None and not (isinstance(expiry, str) and PERIOD.fullmatch(expiry)):
        raise errors.bad_parameter("Property 'attributes.expiryTime' is no duration of ISO 8601.")
    if not isinstance(actions, list) or not all(_is_action(a) for a in actions):
        raise errors.bad_parameter("Property 'lifetimeActions' is invalid.")
    before = item.settings.get("rotation") or {"created": call.seconds}
    policy = {
        "expiryTime": expiry,
        "lifetimeActions": actions,
        "created": before["created"],
        "updated": call.seconds,
    }
    settings = {**item.settings, "rotation": policy}
    return Response.json(_rotation(call, call.put(dataclasses.replace(item, settings=settings))))


def _is_action(action: object) -> bool:
    if not isinstance(action, dict) or not isinstance(action.get("trigger"), dict):
        return False
    return isinstance(action.get("action"), dict)


def _rotation(call: Call, item: Item) -> items.Document:
    """Return a key's rotation policy; where none was written, the one that Azure has then."""
    policy = item.settings.get("rotation") or {}
    notify = {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}
    attributes: items.Document = {
        name: policy[name] for name in ("created", "updated") if name in policy
    }
    if policy.get("expiryTime"):
        attributes["expiryTime"] = policy["expiryTime"]
    return {
        "id": call.url("keys", item.name, "rotationpolicy"),
        "lifetimeActions": policy.get("lifetimeActions", [notify]),
        "attributes": attributes,
    }


def random(call: Call) -> Response:
    """POST: return random bytes."""
    count = call.body.get("count")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_RANDOM:
        raise errors.bad_parameter(f"Property 'count' must be from 1 to {MAX_RANDOM}.")
    return Response.json({"value": base64url(secrets.token_bytes(count))})


def use(call: Call, operation: str) -> Response:
    """POST: encrypt, decrypt, wrap, unwrap, sign or verify."""
    call.check(operation)
    item, version = call.existing(), call.existing_version()
    _check_usable(call, version, operation)
    key = keymaterial.from_pem(version.content["pem"])
    algorithm = call.text("alg")
    kid = call.url("keys", item.name, version.id)
    if operation == "verify":
        digest, value = _bytes(call, "digest"), _bytes(call, "value")
        return Response.json({"value": keymaterial.verify(key, algorithm, digest, value)})
    does = {
        "sign": keymaterial.sign,
        "encrypt": keymaterial.encrypt,
        "wrapkey": keymaterial.encrypt,
        "decrypt": keymaterial.decrypt,
        "unwrapkey": keymaterial.decrypt,
    }[operation]
    result = does(key, algorithm, _bytes(call, "value"))
    return Response.json({"kid": kid, "value": base64url(result)})


def _check_usable(call: Call, version: Version, operation: str) -> None:
    """Check that a version may be used now and for this.

    Raises:
        VaultError: It is disabled, out of its time, or meant for something else.
    """
    if not version.enabled:
        raise errors.is_disabled(call.kind, operation)
    begins, ends = version.attributes.get("nbf", 0), version.attributes.get("exp")
    if call.seconds < begins or (ends is not None and call.seconds >= ends):
        state = "a not yet valid" if call.seconds < begins else "an expired"
        inner = "KeyNotYetValid" if call.seconds < begins else "KeyExpired"
        message = f"Operation {operation} is not allowed on {state} key."
        raise errors.VaultError(403, "Forbidden", message, inner=inner)
    if USES[operation] not in version.content["key_ops"]:
        message = f"Operation {USES[operation]} is not permitted on this key."
        raise errors.VaultError(403, "Forbidden", message, inner="KeyOperationForbidden")


def _bytes(call: Call, name: str) -> bytes:
    try:
        return keymaterial.unbase64(call.text(name))
    except ValueError as error:
        raise errors.bad_parameter(f"Property '{name}' is no base64url.") from error
