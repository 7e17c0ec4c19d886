"""Key vaults in files of resources: secrets, keys and certificates, and who may ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_tfoidc.errors import UsageError

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.server import MockAzure

Document = dict[str, Any]

VAULT = "microsoft.keyvault/vaults"
VERSION = "api-version=7.4"
KINDS = ("secrets", "keys", "certificates")
SETTINGS = ("contentType", "tags", "attributes")  # of a secret, which are written as they read
WHO_MAY = frozenset({"accessPolicies", "enableRbacAuthorization"})


@dataclass(frozen=True, kw_only=True)
class VaultRequest:
    """The request that makes what an entry of a vault is."""

    url: str
    method: str
    body: Document


def id_of(entry: Mapping[str, Any]) -> str:
    """Return the id of a key, as the Azure CLI shows and lists it; empty where there is none."""
    shown = entry.get("key")
    return str((shown.get("kid") if isinstance(shown, dict) else "") or entry.get("kid") or "")


def request_for(entry: Document, host: str, kind: str, name: str) -> VaultRequest:
    """Return what makes a secret, or a key or certificate: with a key of the stand-in's own.

    Raises:
        UsageError: A secret has no value.
    """
    url = f"https://{host}/{kind}/{quote(name)}"
    if kind == "secrets":
        if "value" not in entry:
            raise UsageError("a secret has a `value`")
        body = {k: entry[k] for k in ("value", *SETTINGS) if k in entry}
        return VaultRequest(url=f"{url}?{VERSION}", method="PUT", body=body)
    tags = {"tags": entry["tags"]} if isinstance(entry.get("tags"), dict) else {}
    made = _key(entry) if kind == "keys" else {"policy": _policy(name)}
    return VaultRequest(url=f"{url}/create?{VERSION}", method="POST", body={**made, **tags})


def _key(entry: Document) -> Document:
    shown = entry.get("key")
    told = shown if isinstance(shown, dict) else {}
    curve = told.get("crv")
    return {"kty": told.get("kty") or "RSA", **({"crv": curve} if curve else {})}


def _policy(name: str) -> Document:
    """Return the policy of a certificate that is signed by itself, so it is there at once."""
    return {
        "issuer": {"name": "Self"},
        "key_props": {"exportable": True, "kty": "RSA", "key_size": 2048, "reuse_key": False},
        "secret_props": {"contentType": "application/x-pkcs12"},
        "x509_props": {"subject": f"CN={name}", "validity_months": 12},
    }


def letting_in(mock: MockAzure, body: Document) -> Document:
    """Return a vault that says who may ask it: the pipeline, where its entry says nothing of it."""
    properties = body.get("properties") or {}
    if WHO_MAY & properties.keys():
        return body
    own = mock.directory.application(mock.directory.client_id)
    policy = {
        "tenantId": mock.directory.tenant_id,
        "objectId": own.object_id if own is not None else "",
        "permissions": {kind: ["all"] for kind in KINDS},
    }
    return {**body, "properties": {**properties, "accessPolicies": [policy]}}
