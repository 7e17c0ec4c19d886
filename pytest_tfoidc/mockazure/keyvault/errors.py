"""Key Vault's refusals: status, code, inner code and words, as Azure has them.

Source: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_tfoidc.httpserver import Response

KINDS = {"secrets": "Secret", "keys": "Key", "certificates": "Certificate"}


class VaultError(Exception):
    """A refusal. `inner`: the code of `innererror`, which says more than the code does."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        inner: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the refusal as an answer."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner:
            error["innererror"] = {"code": self.inner}
        return Response.json({"error": error}, status=self.status, headers=self.headers)


def bad_parameter(message: str) -> VaultError:
    """Return the 400 for something that cannot be used."""
    return VaultError(400, "BadParameter", message)


def bad_name(name: str) -> VaultError:
    """Return the 400 for the name of an object that Azure refuses."""
    return bad_parameter(f"The request URI contains an invalid name: {name}")


def method_not_allowed(method: str, *allowed: str) -> VaultError:
    """Return the 405."""
    message = f"The HTTP method '{method}' is not allowed on this URI."
    headers = {"Allow": ", ".join(allowed)}
    return VaultError(405, "MethodNotAllowed", message, headers=headers)


def vault_not_found(name: str, *, deleted: bool) -> VaultError:
    """Return the 404 for a vault that is not there. In Azure its host would have no address."""
    state = "is deleted: recover or purge it" if deleted else "is not there"
    message = (
        f"The vault '{name}' {state}. In Azure its host would not resolve. A vault that exists "
        "beforehand is put on the stand-in with --tf-existing or resource_manager.add."
    )
    return VaultError(404, "VaultNotFound", message)


def not_found(kind: str, name: str, *, deleted: bool = False) -> VaultError:
    """Return the 404 for a secret, key or certificate that is not there."""
    what = KINDS[kind]
    if deleted:
        return VaultError(404, f"{what}NotFound", f"Deleted {what} not found: {name}")
    message = f"A {what.lower()} with (name/id) {name} was not found in this key vault."
    return VaultError(404, f"{what}NotFound", message)


def is_deleted(kind: str, name: str) -> VaultError:
    """Return the 409 for the name of something that is deleted and can be recovered."""
    what = KINDS[kind]
    message = (
        f"{what} {name} is currently in a deleted but recoverable state, and its name cannot be "
        f"reused; in this state, the {what.lower()} can only be recovered or purged."
    )
    return VaultError(409, "Conflict", message, inner="ObjectIsDeletedButRecoverable")


def is_disabled(kind: str, operation: str) -> VaultError:
    """Return the 403 for something that is disabled."""
    what = KINDS[kind]
    message = f"Operation {operation} is not allowed on a disabled {what.lower()}."
    return VaultError(403, "Forbidden", message, inner=f"{what}Disabled")


def is_managed(kind: str, operation: str) -> VaultError:
    """Return the 403 for the secret or key that belongs to a certificate."""
    what = KINDS[kind].lower()
    message = (
        f"Operation {operation} is not allowed on this {what}, since it is associated with a "
        "certificate."
    )
    return VaultError(403, "Forbidden", message, inner="ForbiddenByPolicy")


def is_protected(what: str) -> VaultError:
    """Return the 403 for a purge under purge protection."""
    message = (
        f'Operation "purge" is not allowed on this {what}, because purge protection is enabled '
        "for its vault."
    )
    return VaultError(403, "Forbidden", message, inner="ForbiddenByPolicy")
