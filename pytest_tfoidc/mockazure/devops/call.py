"""The common parts of calls of Azure DevOps' REST: locations, bodies, lists and errors."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.requests import ContentError, parse_object

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request

Document = dict[str, Any]

MAX_BODY = 4 * 1024 * 1024  # bytes
ENDPOINTS = "_apis/serviceendpoint/endpoints/{endpointId}"
# By the ids that the Go client has built in: area, resource, route.
LOCATIONS = {
    "e81700f7-3be2-46de-8624-2eb35882fcaa": ("Location", "ResourceAreas", "_apis/ResourceAreas"),
    "00d9565f-ed9c-4a06-9a50-00e7896ccab4": ("Location", "ConnectionData", "_apis/ConnectionData"),
    "603fe2ac-9723-48b9-88ad-09305aa6c6e1": ("core", "projects", "_apis/projects/{*projectId}"),
    "93878975-88c5-4e6a-8abb-7ddd77a8a7d8": (
        "process",
        "processes",
        "_apis/process/processes/{processId}",
    ),
    "9a1b74b4-2ca8-4a9f-8470-c2f2e6fdc949": (
        "operations",
        "operations",
        "_apis/operations/{operationId}",
    ),
    "dd291e43-aa9f-4cee-8465-a93c78e414a4": (
        "FeatureManagement",
        "FeatureStates",
        "_apis/FeatureManagement/FeatureStates/{userScope}/{scopeName}/{scopeValue}/{featureId}",
    ),
    "2b4486ad-122b-400c-ae65-17b6672c1f9d": (
        "FeatureManagement",
        "FeatureStatesQuery",
        "_apis/FeatureManagement/FeatureStatesQuery",
    ),
    "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0": ("serviceendpoint", "endpoints", ENDPOINTS),
    "e85f1c62-adfc-4b74-b618-11a150fb195e": (
        "serviceendpoint",
        "endpoints",
        "{project}/" + ENDPOINTS,
    ),
    "cc63bb57-2a5f-4a7a-b79c-c142d308657e": (
        "serviceendpoint",
        "endpointproxy",
        "{project}/_apis/serviceendpoint/endpointproxy",
    ),
}


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


def locations() -> list[Document]:
    """Return the resource locations, from which the provider builds every URL."""
    versions = {
        "resourceVersion": 4,
        "minVersion": "1.0",
        "maxVersion": "7.2",
        "releasedVersion": "7.1",
    }
    return [
        {"id": i, "area": area, "resourceName": name, "routeTemplate": route, **versions}
        for i, (area, name, route) in LOCATIONS.items()
    ]


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
