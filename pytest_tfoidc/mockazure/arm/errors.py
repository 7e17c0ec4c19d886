"""Resource Manager's refusals, in Resource Manager's words.

Codes and texts are those of https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting
and of the service itself. Clients decide by status and code; people read the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_tfoidc.entrafacts import OLD_LOGIN_HOST, TOKEN_ISSUER
from pytest_tfoidc.httpserver import Response

if TYPE_CHECKING:
    from datetime import datetime

RESOURCE_FIX = "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
SUPPORTED_VERSIONS = "2025-04-01,2024-11-01,2024-03-01,2023-07-01,2022-12-01,2022-09-01,2021-04-01"
AUTHORITY = f"https://{OLD_LOGIN_HOST}/"
AMERICAN = "%m/%d/%Y %I:%M:%S %p"
TOKEN_CODES = {
    "missing": "AuthenticationFailed",
    "expired": "ExpiredAuthenticationToken",
    "audience": "InvalidAuthenticationTokenAudience",
}
ALLOWED_AUDIENCES = (
    "https://management.core.windows.net/,https://management.core.windows.net,"
    "https://management.azure.com/,https://management.azure.com"
)


class ArmError(Exception):
    """An answer to a client that is an error: status, code and message."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the response that a client gets."""
        body = {"error": {"code": self.code, "message": self.message}}
        return Response.json(body, status=self.status, headers=self.headers)


def unauthorized(reason: str, *, expired_at: datetime | None, now: datetime) -> ArmError:
    """Return the 401 for a bearer that is missing, malformed, expired or for another audience."""
    expiry = f"{expired_at:{AMERICAN}}" if expired_at else "unknown"
    words = {
        "missing": "Authentication failed. The 'Authorization' header is missing.",
        "expired": (
            f"The access token expiry UTC time '{expiry}' is earlier than current UTC time "
            f"'{now:{AMERICAN}}'."
        ),
        "audience": (
            "The access token has been obtained for wrong audience or resource. It should exactly "
            f"match with one of the allowed audiences '{ALLOWED_AUDIENCES}'."
        ),
    }
    message = words.get(reason, "The access token is invalid.")
    code = TOKEN_CODES.get(reason, "InvalidAuthenticationToken")
    challenge = (
        f'Bearer authorization_uri="{AUTHORITY}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def resource_not_found(kind: str, names: str, group: str) -> ArmError:
    """Return the 404 for a resource that is not there."""
    where = f" under resource group '{group}'" if group else ""
    message = f"The Resource '{kind}/{names}'{where} was not found. {RESOURCE_FIX}"
    return ArmError(404, "ResourceNotFound", message)


def group_not_found(name: str) -> ArmError:
    """Return the 404 for a resource group that is not there."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def parent_not_found(kind: str, parent: str, *, write: bool) -> ArmError:
    """Return the 404 for a resource whose parent is not there."""
    message = (
        f"Failed to perform '{'write' if write else 'read'}' on resource(s) of type '{kind}', "
        f"because the parent resource '{parent}' could not be found."
    )
    return ArmError(404, "ParentResourceNotFound", message)


def unknown_subscription(name: str) -> ArmError:
    """Return the 404 for a subscription that is not there, or the 400 for one that is no GUID."""
    try:
        uuid.UUID(name)
    except ValueError:
        message = f"The provided subscription identifier '{name}' is malformed or invalid."
        return ArmError(400, "InvalidSubscriptionId", message)
    message = f"The subscription '{name}' could not be found."
    return ArmError(404, "SubscriptionNotFound", message)


def wrong_tenant(caller: str, tenant_id: str) -> ArmError:
    """Return the 401 for a token of another tenant than the subscription's."""
    authority = f"{AUTHORITY}{tenant_id}"
    message = (
        f"The access token is from the wrong issuer 'https://{TOKEN_ISSUER}/{caller}/'. It must "
        f"match the tenant 'https://{TOKEN_ISSUER}/{tenant_id}/' associated with this "
        f"subscription. Please use the authority (URL) '{authority}' to get the token. Note, if "
        "the subscription is transferred to another tenant there is no impact to the services, but "
        "information about new tenant could take time to propagate (up to an hour). If you just "
        "transferred your subscription and see this error message, please try back later."
    )
    challenge = (
        f'Bearer authorization_uri="{authority}", error="invalid_token", '
        f'error_description="{message}"'
    )
    headers = {"WWW-Authenticate": challenge}
    return ArmError(401, "InvalidAuthenticationTokenTenant", message, headers=headers)


def linked_tenant(client_id: str, caller: str, subscription_id: str) -> ArmError:
    """Return the 403 for a body that names a resource in another tenant's subscription."""
    message = (
        f"The client '{client_id}' has permission to perform the action on the scope, however the "
        f"current tenant '{caller}' is not authorized to access linked subscription "
        f"'{subscription_id}'."
    )
    return ArmError(403, "LinkedAuthorizationFailed", message)


def bad_namespace(name: str) -> ArmError:
    """Return the 404 for a resource provider that there is not."""
    message = f"The resource namespace '{name}' is invalid."
    return ArmError(404, "InvalidResourceNamespace", message)


def missing_api_version() -> ArmError:
    """Return the 400 for a request without an api-version."""
    message = "The api-version query parameter (?api-version=) is required for all requests."
    return ArmError(400, "MissingApiVersionParameter", message)


def bad_api_version(value: str) -> ArmError:
    """Return the 400 for an api-version that is none."""
    message = (
        f"The api-version '{value}' is invalid. The supported versions are '{SUPPORTED_VERSIONS}'."
    )
    return ArmError(400, "InvalidApiVersionParameter", message)


def url_not_found(url: str) -> ArmError:
    """Return the 404 for a path that leads nowhere."""
    return ArmError(404, "HttpResourceNotFound", f"The request url '{url}' is invalid.")


def method_not_allowed(method: str, *allowed: str) -> ArmError:
    """Return the 405."""
    message = f"The requested resource does not support http method '{method}'."
    return ArmError(405, "MethodNotAllowed", message, headers={"Allow": ", ".join(allowed)})


def bad_content(message: str) -> ArmError:
    """Return the 400 for a body that is not a JSON object."""
    return ArmError(400, "InvalidRequestContent", message)


def too_large(limit: int) -> ArmError:
    """Return the 413. `limit`: bytes."""
    message = f"The request content size exceeds the maximum size of {limit // 1024 // 1024} MB."
    return ArmError(413, "RequestContentTooLarge", message)


def precondition_failed() -> ArmError:
    """Return the 412 for an If-Match or If-None-Match that does not hold."""
    message = "The condition specified using HTTP conditional header(s) is not met."
    return ArmError(412, "PreconditionFailed", message)


def conflict(message: str, *, code: str = "Conflict") -> ArmError:
    """Return a 409."""
    return ArmError(409, code, message)


def scope_locked(scope: str, lock: str, *, verb: str) -> ArmError:
    """Return the 409 for a scope with a management lock. `verb`: delete or write."""
    message = (
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are "
        f"locked: '{lock}'. Please remove the lock and try again."
    )
    return ArmError(409, "ScopeLocked", message)
