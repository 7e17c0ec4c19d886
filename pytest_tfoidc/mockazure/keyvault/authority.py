"""Whom certificates come from, and who is told of them: issuers and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.keyvault import errors, items

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.keyvault.call import Call

SECRETS = ("pwd",)  # of an issuer's credentials, which are taken and never given back


def get_contacts(call: Call) -> Response:
    """GET who is told of certificates that are about to expire."""
    call.allow("managecontacts", "")
    if not call.content.contacts:
        raise errors.VaultError(404, "ContactsNotFound", "Contacts not found")
    return _contacts(call)


def put_contacts(call: Call) -> Response:
    """PUT who is told."""
    call.allow("managecontacts", "")
    contacts = call.body.get("contacts")
    if not isinstance(contacts, list) or not all(_is_contact(c) for c in contacts):
        raise errors.bad_parameter("Property 'contacts' must be a list of contacts with 'email'.")
    call.content.contacts = tuple(contacts)
    return _contacts(call)


def _is_contact(contact: object) -> bool:
    return isinstance(contact, dict) and isinstance(contact.get("email"), str)


def delete_contacts(call: Call) -> Response:
    """DELETE who is told; they are told once more."""
    shown = get_contacts(call)
    call.content.contacts = ()
    return shown


def _contacts(call: Call) -> Response:
    contacts = list(call.content.contacts)
    return Response.json({"id": call.url("certificates", "contacts"), "contacts": contacts})


def list_issuers(call: Call) -> Response:
    """GET the issuers."""
    call.allow("listissuers", "")
    found = sorted(call.content.issuers.values(), key=lambda i: str(i["name"]).lower())
    return items.page(call, [{"id": _id(call, i), "provider": i["provider"]} for i in found])


def get_issuer(call: Call) -> Response:
    """GET an issuer."""
    call.allow("getissuers", "")
    return _shown(call, _existing(call))


def put_issuer(call: Call) -> Response:
    """PUT an issuer."""
    call.allow("setissuers", "")
    provider = call.text("provider")
    before = call.content.issuers.get(call.name.lower(), {})
    return _keep(call, {**_written(call), "provider": provider}, before)


def change_issuer(call: Call) -> Response:
    """PATCH an issuer."""
    call.allow("setissuers", "")
    before = _existing(call)
    written = {n: v for n, v in _written(call).items() if v}
    return _keep(call, {**before, **written}, before)


def delete_issuer(call: Call) -> Response:
    """DELETE an issuer; it is shown once more."""
    call.allow("deleteissuers", "")
    issuer = _existing(call)
    del call.content.issuers[call.name.lower()]
    return _shown(call, issuer)


def _written(call: Call) -> dict[str, Any]:
    blocks = {n: call.block(n) for n in ("credentials", "org_details", "attributes")}
    provider = call.body.get("provider")
    return {**blocks, **({"provider": provider} if isinstance(provider, str) else {})}


def _keep(call: Call, issuer: Mapping[str, Any], before: Mapping[str, Any]) -> Response:
    enabled = issuer["attributes"].get("enabled", True)
    times = {"created": before.get("created", call.seconds), "updated": call.seconds}
    kept = {**issuer, **times, "name": call.name, "attributes": {"enabled": enabled}}
    call.content.issuers[call.name.lower()] = kept
    return _shown(call, kept)


def _existing(call: Call) -> Mapping[str, Any]:
    issuer = call.content.issuers.get(call.name.lower())
    if issuer is None:
        raise errors.VaultError(404, "CertificateIssuerNotFound", "Issuer not found")
    return issuer


def _id(call: Call, issuer: Mapping[str, Any]) -> str:
    return call.url("certificates", "issuers", str(issuer["name"]))


def _shown(call: Call, issuer: Mapping[str, Any]) -> Response:
    times = {n: issuer[n] for n in ("created", "updated")}
    shown: items.Document = {
        "id": _id(call, issuer),
        "provider": issuer["provider"],
        "credentials": {n: v for n, v in issuer["credentials"].items() if n not in SECRETS},
        "attributes": {**issuer["attributes"], **times},
    }
    if issuer["org_details"]:
        shown["org_details"] = issuer["org_details"]
    return Response.json(shown)
