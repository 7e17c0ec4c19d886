"""Key Vault's data plane on loopback: there, and empty.

azurerm asks a new vault's own host whether it answers, for two minutes if it does not, and for
certificate contacts. Secrets, keys and certificates are not kept here: they are refused as missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.requests import split_path
from pytest_tfoidc.mockazure.tokens import BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessTokens

AUDIENCES = (
    "https://vault.azure.net",
    "https://vault.usgovcloudapi.net",
    "https://vault.azure.cn",
)
KINDS = {"secrets": "Secret", "keys": "Key", "certificates": "Certificate"}


class KeyVaults:
    """The answers of every vault's host.

    Args:
        access_tokens: Checks callers' bearers.
        tenant_id: The tenant that a 401 sends the client to.
    """

    def __init__(self, *, access_tokens: AccessTokens, tenant_id: str) -> None:
        self._tokens = access_tokens
        self._tenant_id = tenant_id

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        segments = tuple(s.lower() for s in split_path(request.target))
        if not segments:
            return _error(404, "NotFound", "The requested resource was not found.")
        try:
            self._tokens.verify(request, *AUDIENCES)
        except BearerRefused:
            return self._challenge(request)
        if segments[:2] == ("certificates", "contacts"):
            return _error(404, "ContactsNotFound", "Contacts not found")
        if segments[0] not in KINDS:
            return _error(400, "BadParameter", f"The path '{request.target}' is not supported.")
        if len(segments) == 1 and request.method == "GET":
            return Response.json({"value": [], "nextLink": None})
        kind = KINDS[segments[0]]
        name = "/".join(segments[1:])
        message = f"A {kind.lower()} with (name/id) {name} was not found in this key vault."
        return _error(404, f"{kind}NotFound", message)

    def _challenge(self, request: Request) -> Response:
        domain = request.host.partition(".")[2] or "vault.azure.net"
        challenge = (
            f'Bearer authorization="https://login.microsoftonline.com/{self._tenant_id}", '
            f'resource="https://{domain}"'
        )
        message = "AKV10000: Request is missing a Bearer or PoP token."
        return _error(401, "Unauthorized", message, challenge=challenge)


def _error(status: int, code: str, message: str, *, challenge: str = "") -> Response:
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    body = {"error": {"code": code, "message": message}}
    return Response.json(body, status=status, headers=headers)
