"""Certificates that Graph makes by itself: those with which a service principal signs tokens."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.graph.call import bad_request
from pytest_tfoidc.mockazure.graph.objects import Directory, DirectoryObject, Document, new_id

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Response
    from pytest_tfoidc.mockazure.graph.call import GraphCall

LIFE = timedelta(days=3 * 365)


def add_signing_certificate(
    directory: Directory, call: GraphCall, found: DirectoryObject
) -> Response:
    """POST addTokenSigningCertificate: two keys of one certificate, to sign and to verify with."""
    name = str(call.body.get("displayName") or "CN=Microsoft Azure Federated SSO Certificate")
    end = _time(call.body.get("endDateTime")) or call.now + LIFE
    der = _self_signed(name.removeprefix("CN="), call.now, end)
    thumbprint = hashlib.sha1(der, usedforsecurity=False)
    shared = {
        "customKeyIdentifier": base64.b64encode(thumbprint.digest()).decode(),
        "displayName": name,
        "startDateTime": call.written_now,
        "endDateTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }
    key = base64.b64encode(der).decode()
    verify = {**shared, "keyId": new_id(), "type": "AsymmetricX509Cert", "usage": "Verify"}
    sign = {**shared, "keyId": new_id(), "type": "X509CertAndPassword", "usage": "Sign"}
    keys = [*_keys(found), {**verify, "key": key}, {**sign, "key": None}]
    directory.put(found.collection, {**found.document, "keyCredentials": keys})
    made = {**sign, "key": key, "thumbprint": thumbprint.hexdigest().upper()}
    return call.one(made, "microsoft.graph.selfSignedCertificate")


def _time(text: object) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise bad_request(f"Invalid value '{text}' of property 'endDateTime'.") from error


def _self_signed(name: str, start: datetime, end: datetime) -> bytes:
    from cryptography import x509  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "tfoidc")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(max(end, start))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _keys(found: DirectoryObject) -> list[Document]:
    keys = found.document.get("keyCredentials")
    return [k for k in keys if isinstance(k, dict)] if isinstance(keys, list) else []
