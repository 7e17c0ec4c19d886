"""Who may use a configuration store: bearers with a role, or requests signed with an access key.

Source: https://learn.microsoft.com/azure/azure-app-configuration/rest-api-authentication-index.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_tfoidc.mockazure.appconfig import errors
from pytest_tfoidc.mockazure.tokens import BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessTokens

SCHEME = "hmac-sha256"
ROOT = "Microsoft.AppConfiguration/configurationStores"
AUDIENCES = (
    "https://azconfig.io",
    "https://appconfig.azure.com",
    "https://appconfig.azure.us",
    "https://appconfig.azure.cn",
)
MUST_BE_SIGNED = {"host", "x-ms-content-sha256"}


class Estate(Protocol):
    """Resource Manager's knowledge of stores, and of who may do what."""

    def named(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Return a resource's document by its type and its name; None where there is none."""

    def permits(self, object_id: str, resource_id: str, data_action: str) -> bool:
        """Tell whether a role assignment lets somebody do something."""


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """One of a store's access keys."""

    id: str
    secret: str
    read_only: bool

    def __repr__(self) -> str:
        """Show which key it is, never its secret."""
        return f"<AccessKey {self.id}>"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who asks, and what for. `object_id` is empty where an access key has signed."""

    store_id: str
    estate: Estate
    object_id: str = ""
    read_only: bool = False

    def check(self, action: str) -> None:
        """Check a data action, such as `keyValues/read`.

        Raises:
            ConfigError: It is forbidden.
        """
        full = f"{ROOT}/{action}"
        if not self.object_id:
            if self.read_only and not action.endswith("/read"):
                raise errors.forbidden(full)
        elif not self.estate.permits(self.object_id, self.store_id, full):
            raise errors.forbidden(full)


def authenticate(
    request: Request,
    store: Mapping[str, Any],
    *,
    keys: tuple[AccessKey, ...],
    tokens: AccessTokens,
    estate: Estate,
) -> Guard:
    """Find out who asks.

    Args:
        request: The request.
        store: The store's document in Resource Manager.
        keys: The store's access keys.
        tokens: Knows the bearers.
        estate: Knows the role assignments.

    Raises:
        ConfigError: There is no credential, or it is no good.
    """
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    store_id = str(store["id"])
    if scheme.lower() == SCHEME:
        if (store.get("properties") or {}).get("disableLocalAuth") is True:
            raise errors.unauthorized("Access keys are disabled on this store.")
        key = _signer(request, credential, keys)
        return Guard(store_id=store_id, estate=estate, read_only=key.read_only)
    try:
        caller = tokens.verify(request, *AUDIENCES, f"https://{request.host.lower()}")
    except BearerRefused as refused:
        detail = f"The access token is {refused.reason}."
        raise errors.unauthorized(detail) from refused
    return Guard(store_id=store_id, estate=estate, object_id=caller.object_id)


def _signer(request: Request, credential: str, keys: tuple[AccessKey, ...]) -> AccessKey:
    parts = dict(part.partition("=")[::2] for part in credential.replace("&", ",").split(","))
    given = {name.strip().lower(): value for name, value in parts.items()}
    key = next((k for k in keys if k.id == given.get("credential")), None)
    if key is None:
        raise errors.unauthorized("Invalid Credential")
    names = [name.strip().lower() for name in given.get("signedheaders", "").split(";")]
    if not set(names) >= MUST_BE_SIGNED:
        raise errors.unauthorized("host and x-ms-content-sha256 must be signed")
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if request.headers.get("x-ms-content-sha256", "") != digest:
        raise errors.unauthorized("x-ms-content-sha256 does not match the body")
    if not hmac.compare_digest(
        _signature(request, names, key), _decoded(given.get("signature", ""))
    ):
        raise errors.unauthorized("Invalid Signature")
    return key


def _signature(request: Request, names: list[str], key: AccessKey) -> bytes:
    # The request's own date is not looked at: clients live in real time.
    target = request.target
    if not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]
    headers = {"host": request.host, **request.headers}
    values = ";".join(headers.get(name, "") for name in names)
    text = f"{request.method}\n{target}\n{values}"
    return hmac.digest(base64.b64decode(key.secret), text.encode(), hashlib.sha256)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""
