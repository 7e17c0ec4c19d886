"""The common parts of calls of Azure DevOps' REST: locations, bodies, lists and errors."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.requests import ContentError, parse_object

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request

Document = dict[str, Any]

MAX_BODY = 4 * 1024 * 1024  # bytes


class DevOpsError(Exception):
    """An answer to a client that is an error, in Azure DevOps' words."""

    def __init__(self, status: int, key: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.key = key
        self.message = message

    def response(self) -> Response:
        """Return the response that a client gets."""
        body = {
            "$id": "1",
            "innerException": None,
            "message": self.message,
            "typeName": f"Microsoft.TeamFoundation.{self.key}",
            "typeKey": self.key,
            "errorCode": 0,
            "eventId": 3000,
        }
        return Response.json(body, status=self.status)


def listed(items: list[Document]) -> Response:
    """Answer with a list."""
    return Response.json({"count": len(items), "value": items})


def queued() -> Response:
    """Answer that an operation was queued. It is done already."""
    return Response.json({"id": str(uuid.uuid4()), "status": "queued", "url": ""}, status=202)


def only(request: Request, *methods: str) -> None:
    """Check the method.

    Raises:
        DevOpsError: It is another one.
    """
    if request.method not in methods:
        message = f"The requested resource does not support http method '{request.method}'."
        raise DevOpsError(405, "VssRequestContentTypeNotSupportedException", message)


def nowhere(request: Request) -> DevOpsError:
    """Return the 404 for a path that leads nowhere."""
    message = f"The controller for path '{request.target}' was not found."
    return DevOpsError(404, "HttpControllerNotFoundException", message)


def read_body(request: Request) -> Document:
    """Read a body.

    Raises:
        DevOpsError: It is too large, or no JSON object.
    """
    if len(request.body) > MAX_BODY:
        raise DevOpsError(413, "RequestTooLargeException", "The request is too large.")
    try:
        return parse_object(request.body)
    except ContentError as error:
        raise DevOpsError(400, "VssPropertyValidationException", str(error)) from error


def read_items(request: Request) -> list[Any]:
    """Read a body that is a list, as JSON Patch is.

    Raises:
        DevOpsError: It is too large, or no JSON list.
    """
    if len(request.body) > MAX_BODY:
        raise DevOpsError(413, "RequestTooLargeException", "The request is too large.")
    try:
        found = json.loads(request.body or b"[]")
    except (ValueError, RecursionError) as error:
        raise DevOpsError(400, "VssPropertyValidationException", str(error)) from error
    if not isinstance(found, list):
        raise DevOpsError(400, "VssPropertyValidationException", "A list is expected.")
    return found
