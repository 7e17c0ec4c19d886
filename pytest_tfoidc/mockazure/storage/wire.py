"""The common parts of a storage account's services on the wire."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from pytest_tfoidc.mockazure.storage.auth import Resource
from pytest_tfoidc.mockazure.storage.call import METADATA, METADATA_NAME, PRINTABLE, http_date
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element
from pytest_tfoidc.mockazure.storage.service import HOST, VERSION

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.storage.auth import Grant

DEFAULT_VERSION = "2023-11-03"
MAX_CLIENT_ID = 1024
MAX_METADATA = 8 * 1024
MAX_DEPTH = 10  # of XML: writing it recurses
PAGE = 5000
NUMBER = re.compile(r"-?[0-9]{1,12}")
XML = {"Content-Type": "application/xml"}


@dataclass(frozen=True, kw_only=True)
class StorageCall:
    """A request to a service of an account. `path`: decoded, without the slash at its head."""

    request: Request
    account: str
    path: str
    query: Mapping[str, str]
    grant: Grant
    now: datetime
    comp: str = field(default="")

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers."""
        return self.request.headers

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number of the query.

        Raises:
            StorageError: It is none, or out of its bounds.
        """
        text = self.query.get(name, "")
        if not text:
            return default
        if not NUMBER.fullmatch(text):
            raise bad_parameter("InvalidQueryParameterValue", name, text)
        if not least <= int(text) <= most:
            raise bad_parameter("OutOfRangeQueryParameterValue", name, text)
        return int(text)

    def metadata(self) -> dict[str, str]:
        """Return the metadata that the request carries.

        Raises:
            StorageError: Some of it cannot be metadata.
        """
        found = {n[len(METADATA) :]: v for n, v in self.headers.items() if n.startswith(METADATA)}
        for name, value in found.items():
            if not METADATA_NAME.fullmatch(name) or not PRINTABLE.fullmatch(value):
                raise StorageError("InvalidMetadata")
        if sum(len(name) + len(value) for name, value in found.items()) > MAX_METADATA:
            raise StorageError("MetadataTooLarge")
        return found

    def xml(self) -> ET.Element:
        """Return the body's XML.

        Raises:
            StorageError: It is none, has declarations, or is nested too deeply.
        """
        if b"<!" in self.request.body:
            raise StorageError("InvalidXmlDocument")
        try:
            root = ET.fromstring(self.request.body)  # noqa: S314 - no declarations, see above
        except (ET.ParseError, LookupError, ValueError) as error:
            raise StorageError("InvalidXmlDocument") from error
        level = [root]
        for _ in range(MAX_DEPTH):
            level = [child for parent in level for child in parent]
        if level:
            raise StorageError("InvalidXmlDocument")
        return root


def bad_parameter(code: str, name: str, value: str) -> StorageError:
    """Say which parameter of the query is no good."""
    return StorageError(code, QueryParameterName=name, QueryParameterValue=value)


def located(request: Request) -> tuple[Resource, dict[str, str]]:
    """Return what a request is about, and its query, names in lower case.

    Raises:
        StorageError: Its host is no account's.
    """
    match = HOST.fullmatch(request.host)
    if match is None:
        raise StorageError("InvalidUri")
    target = request.target
    if not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    container, _, rest = unquote(path).removeprefix("/").partition("/")
    resource = Resource(
        account=match[1].lower(),
        service=match[2].lower(),
        container=container,
        blob=rest,
        path=path,
        query=query,
    )
    return resource, {n.lower(): v for n, v in parse_qsl(query, keep_blank_values=True)}


def common_headers(request: Request, now: datetime, *, server: str) -> dict[str, str]:
    """Return the headers of every answer."""
    version = request.headers.get("x-ms-version", "")
    headers = {
        "Server": f"Windows-Azure-{server}/1.0 Microsoft-HTTPAPI/2.0",
        "Date": http_date(now),
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-version": version if VERSION.fullmatch(version) else DEFAULT_VERSION,
    }
    client = request.headers.get("x-ms-client-request-id", "")
    if client and PRINTABLE.fullmatch(client) and len(client) <= MAX_CLIENT_ID:
        headers["x-ms-client-request-id"] = client
    return headers


def unquoted(path: str) -> str:
    """Return a path decoded."""
    return unquote(path)


def refused(code: str, status: int, words: str) -> StorageError:
    """Return a refusal that only one service has."""
    return StorageError(code, status=status, words=words)


def metadata_xml(metadata: Mapping[str, str]) -> str:
    """Return metadata as listings show it."""
    inside = "".join(element(name, value) for name, value in metadata.items())
    return f"<Metadata>{inside}</Metadata>" if inside else "<Metadata />"


def listing(call: StorageCall, *, tag: str, found: list[tuple[str, str]], attributes: str) -> bytes:
    """Return a page of a listing.

    Args:
        call: Has the prefix, the marker and the size.
        tag: Of the list, such as `Queues`.
        found: Names, and what is shown of each.
        attributes: Of the document.

    Raises:
        StorageError: The size is none.
    """
    size = call.number("maxresults", PAGE, least=1, most=PAGE)
    prefix, marker = call.query.get("prefix", ""), call.query.get("marker", "")
    left = [(n, x) for n, x in sorted(found) if n.startswith(prefix) and n >= marker]
    page, rest = left[:size], left[size:]
    echo = "".join(
        element(name, call.query[key])
        for name, key in (("Prefix", "prefix"), ("Marker", "marker"), ("MaxResults", "maxresults"))
        if call.query.get(key)
    )
    items = "".join(shown for _, shown in page)
    more = element("NextMarker", rest[0][0] if rest else "")
    body = f"<{tag}>{items}</{tag}>" if items else f"<{tag} />"
    return document("EnumerationResults", f"{echo}{body}{more}", attributes)
