"""Static websites of storage accounts: what lies in `$web`, for anybody.

Source: https://learn.microsoft.com/azure/storage/blobs/storage-blob-static-website.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage.call import stamp_headers

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.storage.store import Blob, BlobStore

HOST = re.compile(r"([a-z0-9]{3,24})\.z[0-9]+\.web\.[a-z0-9.-]+", re.IGNORECASE)
CONTAINER = "$web"
NOT_FOUND = "The requested content does not exist."


class Websites:
    """The website of every storage account that has one.

    Args:
        store: Holds the blobs.
    """

    def __init__(self, *, store: BlobStore) -> None:
        self._store = store

    def handle(self, request: Request) -> Response:
        """Answer a request. No credential is asked for."""
        match = HOST.fullmatch(request.host)
        settings = self._settings(match[1].lower()) if match else None
        if match is None or settings is None:
            return _missing("WebContentNotFound")
        if request.method not in {"GET", "HEAD"}:
            return Response.text("The method is not allowed.", status=405, headers={"Allow": "GET"})
        path, index = request.path.lstrip("/"), settings.get("IndexDocument", "")
        name = f"{path}{index}" if index and (not path or path.endswith("/")) else path
        return self._page(match[1].lower(), name, settings.get("ErrorDocument404Path", ""))

    def _settings(self, account: str) -> dict[str, str] | None:
        """Return the settings of an account's website; None where it has none."""
        written = self._store.account(account).service_properties.get("blob", {})
        text = written.get("StaticWebsite", "")
        if not text:
            return None
        root = ET.fromstring(text)  # noqa: S314 - the service's own, which has no declarations
        found = {child.tag: (child.text or "").strip() for child in root}
        return found if found.get("Enabled", "").lower() == "true" else None

    def _page(self, account: str, name: str, error: str) -> Response:
        container = self._store.account(account).containers.get(CONTAINER)
        blobs = container.blobs if container else {}
        if name in blobs:
            return _shown(blobs[name], 200)
        if error in blobs:
            return _shown(blobs[error], 404)
        return _missing("WebContentNotFound")


def _shown(blob: Blob, status: int) -> Response:
    return Response(status, blob.content, {**blob.properties, **stamp_headers(blob.stamp)})


def _missing(code: str) -> Response:
    page = f"<!DOCTYPE html><html><body><h1>{NOT_FOUND}</h1></body></html>"
    headers = {"x-ms-error-code": code}
    return Response.text(page, status=404, kind="text/html", headers=headers)
