"""Certificates' policies: read from a request, and filled up as Key Vault does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_tfoidc.mockazure.keyvault import errors, keymaterial
from pytest_tfoidc.mockazure.keyvault.call import block_of

PFX = "application/x-pkcs12"
PEM = "application/x-pem-file"
SELF, UNKNOWN = "self", "unknown"
EKUS = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]  # servers and clients
KEY_USAGE = ["digitalSignature", "keyEncipherment"]
MONTHS = 12
MOST_MONTHS = 1200
CURVE_SIZES = {"P-256": 256, "P-256K": 256, "P-384": 384, "P-521": 521}
OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,20}")
AFTER_COMMA = re.compile(r"(?<!\\),\s+")


def of_request(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that a client wrote, checked and filled up.

    Raises:
        VaultError: Something in it cannot be used.
    """
    issuer = block_of(written, "issuer")
    if not isinstance(issuer.get("name"), str) or not issuer["name"]:
        raise errors.bad_parameter("Property 'policy.issuer.name' is required.")
    return {
        "key_props": _key(block_of(written, "key_props")),
        "secret_props": _secret(block_of(written, "secret_props")),
        "x509_props": _x509(block_of(written, "x509_props")),
        "lifetime_actions": _actions(written, self_signed=issuer["name"].lower() == SELF),
        "issuer": {"cert_transparency": False, **issuer},
    }


def of_certificate(
    certificate: x509.Certificate, key: keymaterial.PrivateKey, written: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the policy of a certificate that was imported.

    Raises:
        VaultError: What was written cannot be used.
    """
    jwk = keymaterial.public_jwk(key)
    size = key.key_size if isinstance(key, rsa.RSAPrivateKey) else CURVE_SIZES[jwk["crv"]]
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    props = {
        "subject": certificate.subject.rfc4514_string(),
        "validity_months": max(1, round(lifetime.days / 30.4)),
        **block_of(written, "x509_props"),
    }
    issuer = {"name": "Unknown", **block_of(written, "issuer")}
    made = {"kty": jwk["kty"], "key_size": size, **({"crv": jwk["crv"]} if "crv" in jwk else {})}
    return of_request(
        {
            **written,
            "key_props": {**block_of(written, "key_props"), **made},
            "x509_props": props,
            "issuer": issuer,
        }
    )


def _key(written: Mapping[str, Any]) -> dict[str, Any]:
    kty = written.get("kty") or "RSA"
    filled = {"exportable": True, "reuse_key": False, **written, "kty": kty}
    if str(kty).startswith("EC"):
        curve = str(written.get("crv") or "P-256")
        return {**filled, "crv": curve, "key_size": CURVE_SIZES.get(curve, 256)}
    return {**filled, "key_size": written.get("key_size") or 2048}


def _secret(written: Mapping[str, Any]) -> dict[str, Any]:
    kind = written.get("contentType") or PFX
    if kind not in {PFX, PEM}:
        raise errors.bad_parameter(f"Property 'secret_props.contentType' is invalid: {kind}")
    return {"contentType": kind}


def _x509(written: Mapping[str, Any]) -> dict[str, Any]:
    months = written.get("validity_months", MONTHS)
    if isinstance(months, bool) or not isinstance(months, int) or not 1 <= months <= MOST_MONTHS:
        raise errors.bad_parameter("Property 'x509_props.validity_months' is invalid.")
    filled = {
        "subject": "",
        "ekus": list(EKUS),
        "key_usage": list(KEY_USAGE),
        "basic_constraints": {"ca": False},
        **{n: v for n, v in written.items() if v is not None},
        "validity_months": months,
    }
    if not filled["ekus"]:
        filled["ekus"] = list(EKUS)
    subject(filled)
    for oid in texts(filled, "ekus"):
        if not OID.fullmatch(oid):
            raise errors.bad_parameter(f"Property 'x509_props.ekus' has an invalid value: {oid}")
    texts(filled, "key_usage")
    if not filled["subject"] and not filled.get("sans"):
        raise errors.bad_parameter("Either 'x509_props.subject' or 'x509_props.sans' is required.")
    return filled


def subject(props: Mapping[str, Any]) -> x509.Name:
    """Return the subject of a policy.

    Raises:
        VaultError: It is no distinguished name.
    """
    text = props.get("subject") or ""
    try:
        return x509.Name.from_rfc4514_string(AFTER_COMMA.sub(",", text)) if text else x509.Name([])
    except (ValueError, TypeError, AttributeError) as error:
        message = f"The property 'x509_props.subject' is no valid X.500 name: {text}"
        raise errors.bad_parameter(message) from error


def texts(block: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of strings; empty where there is none.

    Raises:
        VaultError: It is something else.
    """
    found = block.get(name) or []
    if not isinstance(found, list) or not all(isinstance(t, str) for t in found):
        raise errors.bad_parameter(f"Property '{name}' must be a list of strings.")
    return found


def _actions(written: Mapping[str, Any], *, self_signed: bool) -> list[Any]:
    found = written.get("lifetime_actions")
    if found is not None and not isinstance(found, list):
        raise errors.bad_parameter("Property 'lifetime_actions' must be a list.")
    kind = "AutoRenew" if self_signed else "EmailContacts"
    usual = {"trigger": {"lifetime_percentage": 80}, "action": {"action_type": kind}}
    return found or [usual]
