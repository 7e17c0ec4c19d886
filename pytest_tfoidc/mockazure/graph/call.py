"""One call of Microsoft Graph, and Graph's way to answer it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure import odata
from pytest_tfoidc.mockazure.requests import ContentError, ServiceCall, parse_object

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.graph.objects import Document

PAGE = 100
MAX_BODY = 4 * 1024 * 1024  # bytes
SEARCH = re.compile(r'"(\w+):([^"]*)"')


class GraphError(Exception):
    """An answer to a client that is an error, in Graph's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, now: datetime) -> Response:
        """Return the response that a client gets."""
        request_id = str(uuid.uuid4())
        inner = {
            "date": f"{now:%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": request_id,
        }
        body = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return Response.json(body, status=self.status)


def not_found(object_id: str) -> GraphError:
    """Return the 404 for an object that is not there."""
    message = (
        f"Resource '{object_id}' does not exist or one of its queried reference-property objects "
        "are not present."
    )
    return GraphError(404, "Request_ResourceNotFound", message)


def bad_request(message: str) -> GraphError:
    """Return a 400."""
    return GraphError(400, "Request_BadRequest", message)


def bad_segment(segment: str) -> GraphError:
    """Return the 400 for a path that leads nowhere."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def duplicate(message: str) -> GraphError:
    """Return the 409 for a name that is taken."""
    return GraphError(409, "Request_MultipleObjectsWithSameKeyValue", message)


def method_not_allowed(method: str) -> GraphError:
    """Return the 405."""
    message = f"Specified HTTP method '{method}' is not allowed for the request target."
    return GraphError(405, "Request_BadRequest", message)


@dataclass(frozen=True, kw_only=True)
class GraphCall(ServiceCall):
    """A request with everything that a verb needs. `segments`: after the version."""

    version: str
    segments: tuple[str, ...]

    @property
    def base(self) -> str:
        """Where the client reached us, with the version."""
        return f"{super().base}/{self.version}"

    @property
    def written_now(self) -> str:
        """The time, as Graph writes it."""
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body.

        Raises:
            GraphError: It is too large, or no JSON object.
        """
        if len(self.request.body) > MAX_BODY:
            raise GraphError(413, "RequestEntityTooLarge", "The request is too large.")
        try:
            return parse_object(self.request.body)
        except ContentError as error:
            message = f"Unable to read JSON request payload. {error}"
            raise GraphError(400, "BadRequest", message) from error

    def only(self, *methods: str) -> None:
        """Check the method.

        Raises:
            GraphError: It is another one.
        """
        if self.method not in methods:
            raise method_not_allowed(self.method)

    def one(self, document: Document, what: str, *, status: int = 200) -> Response:
        """Answer with one object."""
        context = {"@odata.context": f"{self.base}/$metadata#{what}/$entity"}
        return Response.json({**context, **self._selected(document)}, status=status)

    def many(self, documents: Sequence[Document], what: str) -> Response:
        """Answer with a list: filtered, searched, selected, in pages."""
        try:
            holds = odata.parse_filter(self.query.get("$filter", ""))
            found = [d for d in documents if holds(d) and self._is_searched(d)]
            found = odata.ordered(found, self.query.get("$orderby", ""))
            items, token = odata.page(found, self.query, size=PAGE)
        except odata.FilterError as error:
            raise bad_request(f"Invalid filter clause: {error}.") from error
        answer: Document = {"@odata.context": f"{self.base}/$metadata#{what}"}
        if self.query.get("$count", "").lower() == "true":
            answer["@odata.count"] = len(found)
        if token:
            path = "/".join(quote(s, safe="$()='") for s in self.segments)
            query = urlencode({**self.query, "$skiptoken": token})
            answer["@odata.nextLink"] = f"{self.base}/{path}?{query}"
        return Response.json({**answer, "value": [self._selected(d) for d in items]})

    def _is_searched(self, document: Document) -> bool:
        terms = SEARCH.findall(self.query.get("$search", ""))
        return all(t.lower() in str(odata.lookup(document, name)).lower() for name, t in terms)

    def _selected(self, document: Document) -> Document:
        wanted = {name.strip().lower() for name in self.query.get("$select", "").split(",")} - {""}
        if not wanted:
            return document
        return {k: v for k, v in document.items() if k.lower() in wanted or k.startswith("@")}
