"""Certificates: make, import, merge, read; each with the key and the secret of its name.

A self-signed one is issued at once; so is one of an issuer that the vault has. One of the issuer
`Unknown` waits for `merge`.

Source: https://learn.microsoft.com/rest/api/keyvault/certificates/operation-groups.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.keyvault import (
    certmaterial,
    certpolicies,
    errors,
    items,
    keymaterial,
    keys,
)
from pytest_tfoidc.mockazure.keyvault.call import block_of
from pytest_tfoidc.mockazure.keyvault.store import Item, Version

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.keyvault.call import Call

PENDING, COMPLETED, CANCELLED = "inProgress", "completed", "cancelled"


def shown(call: Call, item: Item, version: Version) -> items.Document:
    """Return a certificate, with its policy where it is the current version."""
    document = items.base(call, item, version)
    content = version.content
    document |= {
        "kid": call.url("keys", item.name, version.id),
        "sid": call.url("secrets", item.name, version.id),
    }
    if content.get("cer"):
        document |= {"cer": content["cer"], "x5t": content["x5t"]}
        kind = item.settings["policy"]["secret_props"]["contentType"]
        document["contentType"] = kind
    document["policy"] = _policy(call, item)
    if item.settings.get("operation"):
        document["pending"] = {"id": call.url("certificates", item.name, "pending")}
    return document


def _policy(call: Call, item: Item) -> items.Document:
    attributes = {"enabled": True, "created": item.versions[0].created if item.versions else 0}
    attributes["updated"] = item.settings.get("policy_updated", attributes["created"])
    policy = item.settings["policy"]
    return {
        "id": call.url("certificates", item.name, "policy"),
        **{n: v for n, v in policy.items() if n != "attributes"},
        "attributes": attributes,
    }


def get(call: Call) -> Response:
    """GET a certificate, the current version or the one that is named."""
    call.check("get")
    return Response.json(shown(call, call.existing(), call.existing_version()))


def create(call: Call) -> Response:
    """POST: begin to make a certificate. What can be issued here is issued at once."""
    call.check("create")
    call.check_free()
    policy = certpolicies.of_request(call.block("policy"))
    item = call.find() or Item(kind=call.kind, name=call.name, versions=())
    key = _key_for(item, policy)
    issuer = policy["issuer"]["name"]
    if issuer.lower() not in {certpolicies.SELF, certpolicies.UNKNOWN}:
        issuer = _provider(call, issuer)
    operation = {
        "id": uuid.uuid4().hex,
        "status": PENDING,
        "csr": certmaterial.request(policy, key),
        "issuer": policy["issuer"],
    }
    settings = {**item.settings, "policy": policy, "policy_updated": call.seconds}
    item = dataclasses.replace(item, settings={**settings, "operation": operation})
    if issuer.lower() == certpolicies.UNKNOWN:
        _put_waiting(call, item, key)
    else:
        signed_by = "" if issuer.lower() == certpolicies.SELF else issuer
        made = certmaterial.issued(policy, key, now=call.now, issuer=signed_by)
        settings = {**item.settings, "operation": {**operation, "status": COMPLETED}}
        _put_issued(call, dataclasses.replace(item, settings=settings), made, key)
    return Response.json(_operation(call, operation), status=202)


def _provider(call: Call, name: str) -> str:
    known = call.content.issuers.get(name.lower())
    if known is None:
        message = f"The certificate issuer '{name}' was not found in this key vault."
        raise errors.VaultError(400, "BadParameter", message, inner="CertificateIssuerNotFound")
    return str(known["provider"])


def _key_for(item: Item, policy: Mapping[str, Any]) -> keymaterial.PrivateKey:
    wanted = policy["key_props"]
    if wanted.get("reuse_key") is True and item.versions:
        return keymaterial.from_pem(item.latest.content["pem"])
    kty = str(wanted["kty"])
    return keymaterial.new(kty, size=wanted.get("key_size"), curve=wanted.get("crv"))


def _put_waiting(call: Call, item: Item, key: keymaterial.PrivateKey) -> None:
    """Keep a version that has no certificate yet."""
    content = {"pem": keymaterial.to_pem(key), "subject": _subject(item), "x5t": ""}
    version = items.new_version(call, content)
    version = dataclasses.replace(version, attributes={**version.attributes, "enabled": False})
    call.put(item.with_version(version))


def _subject(item: Item) -> str:
    return str(item.settings["policy"]["x509_props"].get("subject", ""))


def _put_issued(
    call: Call,
    item: Item,
    certificate: x509.Certificate,
    key: keymaterial.PrivateKey,
    *,
    waiting: Version | None = None,
) -> tuple[Item, Version]:
    """Keep a certificate, and the key and the secret that go with it."""
    policy = item.settings["policy"]
    content = {
        "pem": keymaterial.to_pem(key),
        "cer": base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode(),
        "x5t": keymaterial.base64url(certificate.fingerprint(hashes.SHA1())),  # noqa: S303 - the API's
        "subject": certificate.subject.rfc4514_string(),
    }
    version = items.new_version(call, content)
    if waiting is not None:
        version = dataclasses.replace(
            version, id=waiting.id, created=waiting.created, tags=version.tags or waiting.tags
        )
    times = {
        "nbf": int(certificate.not_valid_before_utc.timestamp()),
        "exp": int(certificate.not_valid_after_utc.timestamp()),
    }
    version = dataclasses.replace(version, attributes={**version.attributes, **times})
    item = call.put(item.with_version(version))
    kind = policy["secret_props"]["contentType"]
    secret = {"value": certmaterial.as_secret(certificate, key, policy), "contentType": kind}
    _put_managed(call, "secrets", version, secret)
    made = keys.content_of(key, kty=str(policy["key_props"]["kty"]))
    _put_managed(call, "keys", version, made)
    return item, version


def _put_managed(call: Call, kind: str, like: Version, content: Mapping[str, Any]) -> None:
    of_kind = call.of(kind)
    item = of_kind.find() or Item(kind=kind, name=call.name, versions=())
    call.put(item.with_version(dataclasses.replace(like, content=content, managed=True)))


def _operation(call: Call, operation: Mapping[str, Any]) -> items.Document:
    document: items.Document = {
        "id": call.url("certificates", call.name, "pending"),
        "issuer": operation["issuer"],
        "csr": operation["csr"],
        "cancellation_requested": operation["status"] == CANCELLED,
        "status": operation["status"],
        "request_id": operation["id"],
    }
    if operation["status"] == COMPLETED:
        document["target"] = call.url("certificates", call.name)
    elif operation["status"] == PENDING:
        document["status_details"] = (
            "Pending certificate created. Certificate request is in progress. This may take some "
            "time based on the issuer provider. Please check again later."
        )
    return document


def _pending(call: Call) -> tuple[Item, Mapping[str, Any]]:
    item = call.find()
    operation = item.settings.get("operation") if item else None
    if item is None or not operation:
        message = f"Pending certificate not found: {call.name}"
        raise errors.VaultError(404, "PendingCertificateNotFound", message)
    return item, operation


def get_pending(call: Call) -> Response:
    """GET how far the making of a certificate is."""
    call.check("get")
    return Response.json(_operation(call, _pending(call)[1]))


def change_pending(call: Call) -> Response:
    """PATCH: cancel the making of a certificate."""
    call.check("update")
    item, operation = _pending(call)
    if call.body.get("cancellation_requested") is True and operation["status"] == PENDING:
        operation = {**operation, "status": CANCELLED}
        call.put(dataclasses.replace(item, settings={**item.settings, "operation": operation}))
    return Response.json(_operation(call, operation))


def delete_pending(call: Call) -> Response:
    """DELETE what is known about the making of a certificate."""
    call.check("update")
    item, operation = _pending(call)
    settings = {n: v for n, v in item.settings.items() if n != "operation"}
    if operation["status"] != COMPLETED and not item.latest.content.get("cer"):
        item = dataclasses.replace(item, versions=item.versions[:-1])
    call.put(dataclasses.replace(item, settings=settings))
    if not item.versions:
        del call.content.items[item.key]
    return Response.json(_operation(call, operation))


def merge(call: Call) -> Response:
    """POST: bring the certificate that somebody else issued for the signing request."""
    call.check("create")
    item, operation = _pending(call)
    waiting = item.latest
    chain = call.body.get("x5c")
    try:
        first = chain[0] if isinstance(chain, list) else ""
        certificate = x509.load_der_x509_certificate(base64.b64decode(str(first), validate=True))
    except (IndexError, ValueError, binascii.Error) as error:
        raise errors.bad_parameter("Property 'x5c' has no X.509 certificate.") from error
    key = keymaterial.from_pem(waiting.content["pem"])
    if operation["status"] != PENDING or certificate.public_key() != key.public_key():
        raise errors.bad_parameter("The certificate is not for the pending signing request.")
    settings = {**item.settings, "operation": {**operation, "status": COMPLETED}}
    item = dataclasses.replace(item, settings=settings)
    item, version = _put_issued(call, item, certificate, key, waiting=waiting)
    return Response.json(shown(call, item, version), status=201)


def import_certificate(call: Call) -> Response:
    """POST: take a certificate with its key, as PFX or PEM."""
    call.check("import")
    call.check_free()
    value, password = call.text("value"), call.text("pwd", default="")
    certificate, key, kind = certmaterial.imported(value, password)
    written = call.block("policy")
    if not block_of(written, "secret_props").get("contentType"):
        written = {**written, "secret_props": {"contentType": kind}}
    policy = certpolicies.of_certificate(certificate, key, written)
    item = call.find() or Item(kind=call.kind, name=call.name, versions=())
    settings = {"policy": policy, "policy_updated": call.seconds}
    item = dataclasses.replace(item, settings=settings)
    item, version = _put_issued(call, item, certificate, key)
    return Response.json(shown(call, item, version))


def get_policy(call: Call) -> Response:
    """GET a certificate's policy."""
    call.check("get")
    return Response.json(_policy(call, call.existing()))


def change_policy(call: Call) -> Response:
    """PATCH a certificate's policy, block by block."""
    call.check("update")
    return Response.json(_policy(call, _with_policy(call, call.body)))


def _with_policy(call: Call, written: Mapping[str, Any]) -> Item:
    item = call.existing()
    before = item.settings["policy"]
    merged = {
        name: {**value, **block_of(written, name)} if isinstance(value, dict) else value
        for name, value in before.items()
    }
    if written.get("lifetime_actions") is not None:
        merged["lifetime_actions"] = written["lifetime_actions"]
    settings = {
        **item.settings,
        "policy": certpolicies.of_request(merged),
        "policy_updated": call.seconds,
    }
    return call.put(dataclasses.replace(item, settings=settings))


def change(call: Call) -> Response:
    """PATCH a certificate's attributes, tags and policy."""
    if call.body.get("policy") is not None:
        call.check("update")
        _with_policy(call, call.block("policy"))
    return items.update(call, shown)
