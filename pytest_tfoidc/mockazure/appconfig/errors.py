"""App Configuration's refusals, as problem documents (RFC 7807).

Source: https://learn.microsoft.com/azure/azure-app-configuration/rest-api.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pytest_tfoidc.httpserver import Response

TYPES = "https://azconfig.io/errors"


class ConfigError(Exception):
    """A refusal.

    `kind`: the end of the problem's type. `name`: the parameter it is about. `reason`: what stands
    in the status line, which is all that Microsoft's Python client shows.
    """

    def __init__(  # noqa: PLR0913 - a problem document's own members
        self,
        status: int,
        kind: str,
        title: str,
        *,
        name: str = "",
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(title)
        self.reason = reason
        self.status = status
        self.kind = kind
        self.title = title
        self.name = name
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the refusal as an answer."""
        problem: dict[str, object] = {
            "type": f"{TYPES}/{self.kind}",
            "title": self.title,
            "status": self.status,
        }
        problem |= {"name": self.name} if self.name else {}
        problem |= {"detail": self.detail} if self.detail else {}
        kind = {"Content-Type": "application/problem+json; charset=utf-8"}
        headers = {**kind, **self.headers}
        return Response(self.status, json.dumps(problem).encode(), headers, self.reason)


def invalid(name: str, detail: str = "") -> ConfigError:
    """Return the 400 for a parameter that cannot be used."""
    title = f"Invalid request parameter '{name}'"
    return ConfigError(400, "invalid-argument", title, name=name, detail=detail)


def not_found() -> ConfigError:
    """Return the 404. Key-values that are not there are answered without a body in Azure too."""
    return ConfigError(404, "not-found", "The resource was not found.")


def precondition_failed() -> ConfigError:
    """Return the 412 for If-Match or If-None-Match that does not hold."""
    return ConfigError(412, "precondition-failed", "The precondition failed.")


def locked(key: str) -> ConfigError:
    """Return the 409 for a key-value that is locked."""
    title = f"Modifing key '{key}' is not allowed"
    detail = "The key is read-only. To allow modification unlock it first."
    return ConfigError(409, "key-locked", title, name=key, detail=detail)


def exists(name: str) -> ConfigError:
    """Return the 409 for a snapshot whose name is taken."""
    detail = "The snapshot already exists."
    return ConfigError(
        409, "already-exists", "The resource already exists.", name=name, detail=detail
    )


def method_not_allowed(*allowed: str) -> ConfigError:
    """Return the 405."""
    headers = {"Allow": ", ".join(allowed)}
    return ConfigError(405, "method-not-allowed", "Method not allowed.", headers=headers)


def forbidden(action: str) -> ConfigError:
    """Return the 403 for a caller whom no role lets do it."""
    detail = (
        f"The caller has no role with the data action '{action}' on this store. 'App Configuration "
        "Data Owner' has it."
    )
    return ConfigError(403, "forbidden", "Access is forbidden.", detail=detail)


def unauthorized(detail: str) -> ConfigError:
    """Return the 401."""
    challenge = f'HMAC-SHA256, Bearer error="invalid_token", error_description="{detail}"'
    headers = {"WWW-Authenticate": challenge}
    return ConfigError(401, "unauthorized", "Unauthorized", detail=detail, headers=headers)


def store_not_found(name: str) -> ConfigError:
    """Return the 404 for a store that is not there. In Azure its host would have no address."""
    detail = (
        f"The configuration store '{name}' is not there. In Azure its host would not resolve. A "
        "store that exists beforehand is put on the stand-in with --tf-existing or "
        "resource_manager.add."
    )
    reason = f"Not Found: no store {name} on the stand-in (--tf-existing puts one there)"
    title = "The store was not found."
    return ConfigError(404, "store-not-found", title, name=name, detail=detail, reason=reason)
