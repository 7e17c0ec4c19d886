"""A blob's access tier, its encryption scope and its index tags.

Neither changes a blob's ETag. Source: https://learn.microsoft.com/rest/api/storageservices/set-blob-tier
and .../set-blob-tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage.call import bad_header, bad_query, printable
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.storage.call import Call
    from pytest_tfoidc.mockazure.storage.store import Blob

TIER, SCOPE, TAGS = "x-ms-access-tier", "x-ms-encryption-scope", "x-ms-tags"
ARCHIVE = "Archive"
TIERS = {
    tier.lower(): tier
    for tier in ("Hot", "Cool", "Cold", ARCHIVE, *(f"P{n}" for n in (4, 6, *range(10, 81, 10))))
}
MOST_TAGS, LONGEST_NAME, LONGEST_VALUE = 10, 128, 256
XML = {"Content-Type": "application/xml"}


def tier_of(call: Call) -> str:
    """Return the tier that a request names; empty without.

    Raises:
        StorageError: There is no such tier.
    """
    text = call.headers.get(TIER, "")
    if text and text.lower() not in TIERS:
        raise bad_header(TIER, text)
    return TIERS.get(text.lower(), "")


def scope_of(call: Call) -> str:
    """Return the encryption scope that a request names, or its container's; empty without."""
    text = call.headers.get(SCOPE, "")
    return printable(SCOPE, text) if text else call.container.scope


def tags_of(call: Call) -> dict[str, str]:
    """Return the tags in a request's header.

    Raises:
        StorageError: They are too many, or too long.
    """
    return _checked(parse_qsl(call.headers.get(TAGS, ""), keep_blank_values=True))


def _checked(pairs: list[tuple[str, str]]) -> dict[str, str]:
    tags = dict(pairs)
    fits = all(0 < len(n) <= LONGEST_NAME and len(v) <= LONGEST_VALUE for n, v in pairs)
    if len(tags) < len(pairs) or len(tags) > MOST_TAGS or not fits:
        raise StorageError("InvalidTags")
    return tags


def headers_of(blob: Blob) -> dict[str, str]:
    """Return the headers that tell a blob's scope and how many tags it has."""
    scope = {SCOPE: blob.scope} if blob.scope else {}
    return {**scope, **({"x-ms-tag-count": str(len(blob.tags))} if blob.tags else {})}


def tier_headers(blob: Blob) -> dict[str, str]:
    """Return the headers that tell a blob's tier, which is the account's where nobody set one."""
    return {TIER: blob.tier} if blob.tier else {TIER: "Hot", f"{TIER}-inferred": "true"}


def check_not_archived(blob: Blob) -> None:
    """Check that a blob's content can be had.

    Raises:
        StorageError: It lies in the archive.
    """
    if blob.tier == ARCHIVE:
        raise StorageError("BlobArchived")


def _found(call: Call) -> Blob:
    if "snapshot" in call.query:
        raise bad_query("snapshot", call.query["snapshot"])
    return call.to_read()


def set_tier(call: Call) -> Response:
    """Set Blob Tier: what comes out of the archive is there at once."""
    call.required(TIER)
    blob, tier = _found(call), tier_of(call)
    call.container.blobs[call.blob_name] = replace(blob, tier=tier)
    return Response(202 if blob.tier == ARCHIVE and tier != ARCHIVE else 200)


def get_tags(call: Call) -> Response:
    """Get Blob Tags."""
    return Response(200, document("Tags", tags_xml(_found(call).tags)), XML)


def tags_xml(tags: Mapping[str, str]) -> str:
    """Return tags as a document and a listing show them."""
    each = (
        f"<Tag>{element('Key', name)}{element('Value', value)}</Tag>"
        for name, value in sorted(tags.items())
    )
    return f"<TagSet>{''.join(each)}</TagSet>"


def set_tags(call: Call) -> Response:
    """Set Blob Tags: what was there before is gone."""
    root = call.xml()
    if root.tag != "Tags":
        raise StorageError("InvalidXmlDocument")
    pairs = [(t.findtext("Key") or "", t.findtext("Value") or "") for t in root.iter("Tag")]
    blob = replace(_found(call), tags=_checked(pairs))
    call.container.blobs[call.blob_name] = blob
    return Response(204)
