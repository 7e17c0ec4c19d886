"""Data planes that keep documents: what is written at a path is read back there.

What modules put into search services, Synapse workspaces, Purview accounts, digital twins, IoT
Central's applications, device updates and batch accounts: indexes, datasets, collections,
organizations, jobs. Nothing of it runs. To add a service, write its line in `PLANES` of `kinds.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.dataplanes.kinds import PLANES, Plane
from pytest_tfoidc.mockazure.requests import ContentError, parse_object
from pytest_tfoidc.mockazure.tokens import AccessTokens, BearerRefused

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]
MAX_BODY = 4 * 1024 * 1024  # bytes
KEYED = re.compile(r"\('([^']*)'\)")  # an entry's name as OData writes it: indexes('NAME')
METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")


class Owners(Protocol):
    """Who knows the resources that have data planes: Resource Manager."""

    def named(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """Return a resource's document by its type and name; None where there is none."""


class RefusedError(Exception):
    """A refusal, as most services of Azure word theirs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """Return it as an answer."""
        return Response.json(
            {"error": {"code": self.code, "message": self.message}}, status=self.status
        )


class DataPlanes:
    """The answers of every such service's host.

    Args:
        access_tokens: Checks callers' bearers.
        owners: Knows the services.
    """

    def __init__(self, *, access_tokens: AccessTokens, owners: Owners) -> None:
        self._tokens = access_tokens
        self._owners = owners
        self._held: dict[str, dict[str, Document]] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        try:
            return self._answer(request)
        except RefusedError as refused:
            return refused.response()

    def _answer(self, request: Request) -> Response:
        host = request.host.lower()
        plane = next(p for domain, p in PLANES.items() if host.endswith(f".{domain}"))
        held = self._held.setdefault(self._holder(request, plane, host), {})
        entry = _entry(request.target)
        verbs: dict[str, Callable[[], Response]] = {
            "GET": lambda: _get(held, entry, plane),
            "PUT": lambda: _put(held, entry, plane, _body(request)),
            "PATCH": lambda: _patch(held, entry, plane, _body(request)),
            "POST": lambda: _post(held, entry, plane, _body(request)),
            "DELETE": lambda: _delete(held, entry, plane),
        }
        verb = verbs.get("GET" if request.method == "HEAD" else request.method)
        if verb is None:
            raise RefusedError(405, "MethodNotAllowed", f"Use one of {', '.join(METHODS)}.")
        return verb()

    def _holder(self, request: Request, plane: Plane, host: str) -> str:
        """Return under what the entries of a service are kept: one that is made anew has none.

        Raises:
            RefusedError: There is no such service, or the bearer does not open it.
        """
        label = host.partition(".")[0]
        owner = self._owners.named(plane.owner, label) if plane.owner else {}
        if owner is None:
            message = f"There is no resource of type {plane.owner} called '{label}'."
            raise RefusedError(404, "ResourceNotFound", message)
        try:
            self._tokens.verify(request, plane.audience, f"https://{host}")
        except BearerRefused as refused:
            message = f"The access token is {refused.reason}."
            raise RefusedError(401, "Unauthorized", message) from refused
        return f"{host} {(owner.get('systemData') or {}).get('createdAt', '')}".strip()

    def snapshot(self) -> dict[str, dict[str, Document]]:
        """Return a copy of everything that is held, for `restore`."""
        return {host: dict(entries) for host, entries in self._held.items()}

    def restore(self, held: Mapping[str, Mapping[str, Document]]) -> None:
        """Put back what `snapshot` returned; it can be put back more than once."""
        self._held = {host: dict(entries) for host, entries in held.items()}


def _entry(target: str) -> str:
    """Return the path of an entry or a list, with names as segments: `indexes/NAME`."""
    path = target.partition("?")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return KEYED.sub(r"/\1", unquote(path)).strip("/")


def _body(request: Request) -> Document:
    if len(request.body) > MAX_BODY:
        raise RefusedError(413, "RequestTooLarge", f"A body has at most {MAX_BODY} bytes.")
    try:
        return parse_object(request.body or b"{}")
    except ContentError as error:
        raise RefusedError(
            400, "InvalidRequestContent", f"The body is no JSON object: {error}"
        ) from error


def _is_list(path: str, plane: Plane) -> bool:
    """Tell whether a path names a list: after the root, lists and names take turns."""
    inside = re.sub(rf"^{plane.root}", "", path, flags=re.IGNORECASE) if plane.root else path
    return len([part for part in inside.split("/") if part]) % 2 == 1


def _get(held: dict[str, Document], path: str, plane: Plane) -> Response:
    found = held.get(path.lower())
    if found is not None:
        return Response.json(found)
    if not _is_list(path, plane):
        raise _missing(path)
    prefix = f"{path.lower()}/"
    inside = [one for key, one in held.items() if key.rpartition("/")[0] + "/" == prefix]
    return Response.json({"value": inside})


def _put(held: dict[str, Document], path: str, plane: Plane, body: Document) -> Response:
    is_new = path.lower() not in held
    document = {plane.name: path.rpartition("/")[2], **body}
    return _written(held, path, plane, document, status=plane.created if is_new else 200)


def _patch(held: dict[str, Document], path: str, plane: Plane, body: Document) -> Response:
    found = held.get(path.lower())
    if found is None:
        raise _missing(path)
    return _written(held, path, plane, {**found, **body}, status=200)


def _post(held: dict[str, Document], path: str, plane: Plane, body: Document) -> Response:
    """Make an entry of a list that the body names; any other POST is an action that is done."""
    found = held.get(path.lower())
    if plane.posts and found is not None:
        return _written(held, path, plane, {**found, **body}, status=200)
    name = body.get(plane.name)
    if not isinstance(name, str) or not name or "/" in name:
        if _is_list(path, plane):
            raise RefusedError(400, "InvalidRequestContent", f"The entry has no '{plane.name}'.")
        return Response.json({})
    below = f"{path}/{name}"
    if below.lower() in held:
        raise RefusedError(409, "ResourceAlreadyExists", f"'{below}' is already there.")
    return _written(held, below, plane, body, status=plane.created)


def _written(
    held: dict[str, Document], path: str, plane: Plane, document: Document, *, status: int
) -> Response:
    held[path.lower()] = json.loads(json.dumps(document))
    return Response(status) if plane.silent else Response.json(document, status=status)


def _delete(held: dict[str, Document], path: str, plane: Plane) -> Response:
    if path.lower() not in held:
        raise _missing(path)
    for key in [k for k in held if f"{k}/".startswith(f"{path.lower()}/")]:
        del held[key]
    return Response(plane.deleted)


def _missing(path: str) -> RefusedError:
    return RefusedError(404, "ResourceNotFound", f"'{path}' is not there.")
