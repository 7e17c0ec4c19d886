"""The verbs that only append blobs and page blobs have.

Source: https://learn.microsoft.com/rest/api/storageservices/operations-on-append-blobs and
.../operations-on-page-blobs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage.blob_verbs import (
    ENCRYPTED,
    PAGE,
    changed,
    kind_headers,
    of_kind,
)
from pytest_tfoidc.mockazure.storage.call import bad_header, stamp_headers
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element
from pytest_tfoidc.mockazure.storage.store import md5

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.storage.call import Call
    from pytest_tfoidc.mockazure.storage.store import Blob

RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})")
MOST_APPENDS = 50_000
XML = {"Content-Type": "application/xml"}


def append_block(call: Call) -> Response:
    """Append Block."""
    blob = call.to_change()
    of_kind(blob, "AppendBlob")
    if blob.sealed:
        raise StorageError("BlobIsSealed")
    content = call.body()
    if not content or blob.appends >= MOST_APPENDS:
        raise StorageError("InvalidBlobOrBlock")
    size = len(blob.content)
    place, most = (_number(call, f"x-ms-blob-condition-{n}") for n in ("appendpos", "maxsize"))
    if place is not None and place != size:
        raise StorageError("AppendPositionConditionNotMet")
    if most is not None and size + len(content) > most:
        raise StorageError("MaxBlobSizeConditionNotMet")
    grown = replace(blob, content=blob.content + content, appends=blob.appends + 1)
    kept = changed(call, grown)
    offset = {"x-ms-blob-append-offset": str(size), "Content-MD5": md5(content)}
    return Response(
        201, b"", {**stamp_headers(kept.stamp), **kind_headers(kept), **offset, **ENCRYPTED}
    )


def _number(call: Call, name: str) -> int | None:
    return call.number(name) if name in call.headers else None


def seal(call: Call) -> Response:
    """Append Blob Seal: nothing can be appended any more."""
    blob = call.to_change()
    of_kind(blob, "AppendBlob")
    kept = changed(call, replace(blob, sealed=True))
    return Response(200, b"", {**stamp_headers(kept.stamp), **kind_headers(kept)})


def put_page(call: Call) -> Response:
    """Put Page: write pages, or clear them."""
    blob = call.to_change()
    of_kind(blob, "PageBlob")
    first, end = _range(call, blob)
    kind = call.required("x-ms-page-write").lower()
    if kind not in {"update", "clear"}:
        raise bad_header("x-ms-page-write", kind)
    content = call.body() if kind == "update" else bytes(end - first)
    if len(content) != end - first:
        raise bad_header("Content-Length", str(len(call.request.body)))
    kept = changed(call, replace(blob, content=blob.content[:first] + content + blob.content[end:]))
    headers = {**stamp_headers(kept.stamp), **kind_headers(kept), **ENCRYPTED}
    return Response(201, b"", {**headers, "Content-MD5": md5(content)})


def _range(call: Call, blob: Blob) -> tuple[int, int]:
    """Return where pages begin and end.

    Raises:
        StorageError: They do not, or lie outside of the blob.
    """
    text = call.headers.get("x-ms-range") or call.headers.get("range", "")
    match = RANGE.fullmatch(text)
    if match is None:
        raise (
            bad_header("Range", text)
            if text
            else StorageError("MissingRequiredHeader", HeaderName="Range")
        )
    first, end = int(match[1]), int(match[2]) + 1
    if first % PAGE or end % PAGE or not first < end <= len(blob.content):
        raise StorageError("InvalidPageRange")
    return first, end


def get_pages(call: Call) -> Response:
    """Get Page Ranges: where something was written that is not zero."""
    blob = call.to_read()
    of_kind(blob, "PageBlob")
    first, end = 0, len(blob.content)
    if call.headers.get("x-ms-range") or call.headers.get("range"):
        first, end = _range(call, blob)
    shown = "".join(
        f"<PageRange>{element('Start', str(a))}{element('End', str(b - 1))}</PageRange>"
        for a, b in _written(blob.content, first, end)
    )
    size = {"x-ms-blob-content-length": str(len(blob.content))}
    headers = {**XML, **stamp_headers(blob.stamp), **size}
    return Response(200, document("PageList", shown), headers)


def _written(content: bytes, first: int, end: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    empty = bytes(PAGE)
    for at in range(first, end, PAGE):
        if content[at : at + PAGE] == empty:
            continue
        if found and found[-1][1] == at:
            found[-1] = found[-1][0], at + PAGE
        else:
            found.append((at, at + PAGE))
    return found
