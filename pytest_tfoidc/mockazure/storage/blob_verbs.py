"""The verbs of blobs; what only append and page blobs have is in `storage.otherblobs`."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage import labels, leases
from pytest_tfoidc.mockazure.storage.call import (
    Call,
    Conditions,
    bad_header,
    bad_query,
    http_date,
    metadata_headers,
    printable,
    stamp_headers,
)
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element
from pytest_tfoidc.mockazure.storage.leases import FREE, Lease
from pytest_tfoidc.mockazure.storage.store import Blob, Block, check_blob_name, md5

OCTETS = "application/octet-stream"
# the header of a request -> the header of an answer
PROPERTIES = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
    "x-ms-blob-content-md5": "Content-MD5",
}
# Put Blob takes these without the prefix, too
PLAIN_PROPERTIES = ("content-type", "content-encoding", "content-language", "cache-control")
# a shared access signature may replace these headers of an answer
OVERRIDES = {
    "rscc": "Cache-Control",
    "rscd": "Content-Disposition",
    "rsce": "Content-Encoding",
    "rscl": "Content-Language",
    "rsct": "Content-Type",
}
RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
MAX_BLOCK_ID = 64
MAX_BREAK = 60
LEASE_SECONDS = range(15, 61)
MAX_MD5_RANGE = 4 * 1024 * 1024
KINDS = ("BlockBlob", "AppendBlob", "PageBlob")
PAGE = 512  # bytes
MAX_PAGE_BLOB = 64 * 1024 * 1024  # bytes; it is held in memory
LENGTH = "x-ms-blob-content-length"
SEQUENCE = "x-ms-blob-sequence-number"
ENCRYPTED = {"x-ms-request-server-encrypted": "true"}


def put_blob(call: Call) -> Response:
    """Put Blob, or a copy where the request names a source."""
    if "x-ms-copy-source" in call.headers:
        return _copy(call)
    kind = call.required("x-ms-blob-type")
    if kind not in KINDS:
        raise bad_header("x-ms-blob-type", kind)
    if kind != "BlockBlob":
        return _put_empty(call, kind)
    content = call.body()
    properties = _properties(call, plain=True)
    properties.setdefault("Content-MD5", md5(content))
    blob = _write(call, content, properties, call.metadata())
    return _written(blob, 201, {"Content-MD5": md5(content), **ENCRYPTED})


def _put_empty(call: Call, kind: str) -> Response:
    """Put an append blob, or a page blob of some size; what is in them comes later."""
    if call.request.body:
        raise bad_header("Content-Length", str(len(call.request.body)))
    sequence = size = 0
    if kind == "PageBlob":
        size = page_size(call)
        sequence = call.number("x-ms-blob-sequence-number") if SEQUENCE in call.headers else 0
    blob = _write(call, bytes(size), _properties(call, plain=True), call.metadata(), kind=kind)
    blob = replace(blob, sequence=sequence)
    call.container.blobs[call.blob_name] = blob
    return _written(blob, 201, ENCRYPTED)


def page_size(call: Call) -> int:
    """Return the size that a request gives a page blob.

    Raises:
        StorageError: It is missing, no multiple of a page, or more than is kept here.
    """
    size = call.number(LENGTH)
    if size < 0 or size % PAGE or size > MAX_PAGE_BLOB:
        raise bad_header(LENGTH, str(size))
    return size


def of_kind(blob: Blob, kind: str) -> None:
    """Check what kind of blob it is.

    Raises:
        StorageError: It is of another.
    """
    if blob.kind != kind:
        raise StorageError("InvalidBlobType")


def _properties(call: Call, *, plain: bool = False) -> dict[str, str]:
    names = {name.replace("x-ms-blob-", ""): name for name in PROPERTIES}
    found = {}
    for short, name in names.items():
        fallback = call.headers.get(short, "") if plain and short in PLAIN_PROPERTIES else ""
        if value := call.headers.get(name, "") or fallback:
            found[PROPERTIES[name]] = printable(name, value)
    found.setdefault("Content-Type", OCTETS)
    return found


def _write(  # noqa: PLR0913 - what a blob has
    call: Call,
    content: bytes,
    properties: Mapping[str, str],
    metadata: Mapping[str, str],
    *,
    blocks: tuple[Block, ...] = (),
    kind: str = "BlockBlob",
) -> Blob:
    """Put a blob in the place of what is there; the lease stays."""
    check_blob_name(call.blob_name)
    old = call.to_replace()
    if old is not None and not call.grant.allows("w"):
        raise StorageError("UnauthorizedBlobOverwrite")
    stamp = call.store.stamp()
    blob = Blob(
        content=content,
        properties=properties,
        metadata=metadata,
        stamp=stamp,
        created=old.created if old else stamp.modified,
        lease=old.lease.after_write(call.now) if old else FREE,
        blocks=blocks,
        kind=kind,
        tier=labels.tier_of(call),
        scope=labels.scope_of(call),
        tags=labels.tags_of(call),
    )
    call.container.remove(call.blob_name)
    call.container.blobs[call.blob_name] = blob
    return blob


def changed(call: Call, blob: Blob) -> Blob:
    """Keep a blob with other properties or metadata: a new version."""
    lease = blob.lease.after_write(call.now)
    kept = replace(blob, stamp=call.store.stamp(), lease=lease)
    call.container.blobs[call.blob_name] = kept
    return kept


def _written(blob: Blob, status: int, headers: Mapping[str, str]) -> Response:
    return Response(status, b"", {**stamp_headers(blob.stamp), **headers})


def get_blob(call: Call) -> Response:
    """Get Blob, whole or a range of it."""
    blob = call.to_read()
    labels.check_not_archived(blob)
    headers = _describe(call, blob)
    for name, header in OVERRIDES.items():
        if call.grant.service_sas and name in call.query:
            headers[header] = printable(name, call.query[name])
    wanted = call.headers.get("x-ms-range") or call.headers.get("range", "")
    match = RANGE.fullmatch(wanted)
    if match is None:  # the service ignores other forms
        return Response(200, blob.content, headers)
    return _part(call, blob, headers, int(match[1]), int(match[2] or len(blob.content)))


def _part(call: Call, blob: Blob, headers: dict[str, str], first: int, last: int) -> Response:
    size = len(blob.content)
    if first >= size or last < first:
        raise StorageError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
    content = blob.content[first : last + 1]
    if whole := headers.pop("Content-MD5", ""):
        headers["x-ms-blob-content-md5"] = whole
    if call.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
        if len(content) > MAX_MD5_RANGE:
            raise bad_header("x-ms-range-get-content-md5", "true")
        headers["Content-MD5"] = md5(content)
    headers["Content-Range"] = f"bytes {first}-{first + len(content) - 1}/{size}"
    return Response(206, content, headers)


def get_properties(call: Call) -> Response:
    """Get Blob Properties: HEAD."""
    blob = call.to_read()
    length = {"Content-Length": str(len(blob.content))}
    shown = {**_describe(call, blob), **labels.tier_headers(blob), **length}
    return Response(200, b"", shown)


def _describe(call: Call, blob: Blob) -> dict[str, str]:
    # a snapshot has no lease
    lease = {} if "snapshot" in call.query else blob.lease.headers(call.now)
    return {
        **blob.properties,
        **stamp_headers(blob.stamp),
        **metadata_headers(blob.metadata),
        **lease,
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": blob.kind,
        **kind_headers(blob),
        **labels.headers_of(blob),
        "x-ms-creation-time": http_date(blob.created),
        "x-ms-server-encrypted": "true",
    }


def kind_headers(blob: Blob) -> dict[str, str]:
    """Return the headers that only append blobs or page blobs have."""
    if blob.kind == "PageBlob":
        return {SEQUENCE: str(blob.sequence)}
    if blob.kind == "AppendBlob":
        sealed = {"x-ms-blob-sealed": "true"} if blob.sealed else {}
        return {"x-ms-blob-committed-block-count": str(blob.appends), **sealed}
    return {}


def get_metadata(call: Call) -> Response:
    """Get Blob Metadata."""
    blob = call.to_read()
    return Response(200, b"", {**stamp_headers(blob.stamp), **metadata_headers(blob.metadata)})


def set_metadata(call: Call) -> Response:
    """Set Blob Metadata: what was there before is gone."""
    blob = changed(call, replace(call.to_change(), metadata=call.metadata()))
    return _written(blob, 200, ENCRYPTED)


def set_properties(call: Call) -> Response:
    """Set Blob Properties: the HTTP headers that the request does not name are cleared."""
    blob = call.to_change()
    if any(name in call.headers for name in PROPERTIES):
        blob = replace(blob, properties=_properties(call))
    if blob.kind == "PageBlob" and LENGTH in call.headers:
        size = page_size(call)
        blob = replace(blob, content=blob.content[:size].ljust(size, b"\0"))
    return _written(changed(call, blob), 200, kind_headers(blob))


def delete_blob(call: Call) -> Response:
    """Delete Blob, its snapshots, or one snapshot."""
    container, name = call.container, call.blob_name
    if "snapshot" in call.query:
        return _delete_snapshot(call)
    call.to_change()
    which = call.headers.get("x-ms-delete-snapshots", "").lower()
    if which not in {"", "include", "only"}:
        raise bad_header("x-ms-delete-snapshots", which)
    snapshots = container.snapshots_of(name)
    if snapshots and not which:
        raise StorageError("SnapshotsPresent")
    for at in snapshots:
        del container.snapshots[name, at]
    if which != "only":
        container.remove(name)
    return Response(202, b"", {"x-ms-delete-type-permanent": "true"})


def _delete_snapshot(call: Call) -> Response:
    if "x-ms-delete-snapshots" in call.headers:
        raise bad_header("x-ms-delete-snapshots", call.headers["x-ms-delete-snapshots"])
    call.to_read()
    del call.container.snapshots[call.blob_name, call.query["snapshot"]]
    return Response(202, b"", {"x-ms-delete-type-permanent": "true"})


def snapshot_blob(call: Call) -> Response:
    """Snapshot Blob: with its own metadata where the request carries some."""
    call.refuse_snapshot()
    blob = call.to_read()
    metadata = call.metadata()
    if metadata:
        blob = replace(blob, metadata=metadata, stamp=call.store.stamp())
    at = call.store.snapshot_time(call.container, call.blob_name)
    call.container.snapshots[call.blob_name, at] = replace(blob, lease=FREE)
    return _written(blob, 201, {"x-ms-snapshot": at, "x-ms-request-server-encrypted": "false"})


def lease_blob(call: Call) -> Response:
    """Lease Blob. A lease does not make a new version."""
    call.refuse_snapshot()
    blob = call.find()
    if blob is None:
        raise StorageError("BlobNotFound")
    if Conditions.of(call.headers).fails(blob.stamp):
        raise StorageError("ConditionNotMet")
    lease, status, headers = lease_action(call, blob.lease)
    call.container.blobs[call.blob_name] = replace(blob, lease=lease)
    return _written(blob, status, headers)


def lease_action(call: Call, lease: Lease) -> tuple[Lease, int, dict[str, str]]:
    """Do what `x-ms-lease-action` asks. Give the lease, the status and the headers."""
    action, now = call.required("x-ms-lease-action").lower(), call.now
    if action == "acquire":
        lease = _acquire(call, lease)
        return lease, 201, {"x-ms-lease-id": lease.lease_id}
    if action == "break":
        lease = leases.break_(lease, period=_break_period(call), now=now)
        rest = lease.ends_at - now if lease.ends_at and lease.ends_at > now else None
        return lease, 202, {"x-ms-lease-time": str(round(rest.total_seconds()) if rest else 0)}
    lease_id = call.guid("x-ms-lease-id")
    if action == "release":
        return leases.release(lease, lease_id=lease_id), 200, {}
    if action == "renew":
        lease = leases.renew(lease, lease_id=lease_id, now=now)
    elif action == "change":
        proposed = call.guid("x-ms-proposed-lease-id")
        lease = leases.change(lease, lease_id=lease_id, proposed=proposed, now=now)
    else:
        raise bad_header("x-ms-lease-action", action)
    return lease, 200, {"x-ms-lease-id": lease.lease_id}


def _acquire(call: Call, lease: Lease) -> Lease:
    seconds = call.number("x-ms-lease-duration")
    if seconds != -1 and seconds not in LEASE_SECONDS:
        raise bad_header("x-ms-lease-duration", str(seconds))
    given = "x-ms-proposed-lease-id" in call.headers
    proposed = call.guid("x-ms-proposed-lease-id") if given else ""
    return leases.acquire(
        lease, proposed=proposed, seconds=None if seconds == -1 else seconds, now=call.now
    )


def _break_period(call: Call) -> int | None:
    if "x-ms-lease-break-period" not in call.headers:
        return None
    period = call.number("x-ms-lease-break-period")
    if not 0 <= period <= MAX_BREAK:
        raise bad_header("x-ms-lease-break-period", str(period))
    return period


def put_block(call: Call) -> Response:
    """Put Block: it waits for Put Block List."""
    check_blob_name(call.blob_name)
    block_id = _block_id(call.query.get("blockid", ""))
    old = call.find()
    if old is not None:
        leases.check_write(old.lease, lease_id=call.lease_id, now=call.now)
    content = call.body()
    if not content:
        raise bad_header("Content-Length", "0")
    blocks = call.container.uncommitted.setdefault(call.blob_name, {})
    if any(len(other) != len(block_id) for other in blocks):
        raise StorageError("InvalidBlobOrBlock")
    blocks[block_id] = content
    return Response(201, b"", {"Content-MD5": md5(content), **ENCRYPTED})


def _block_id(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not 0 < size <= MAX_BLOCK_ID:
        raise bad_query("blockid", text, "Not a valid base64 string of 1 to 64 bytes.")
    return text


def put_block_list(call: Call) -> Response:
    """Put Block List: make the blob of blocks that were put, and of its own."""
    call.body()
    old = call.find()
    committed = _committed(old) if old else {}
    pending = call.container.uncommitted.get(call.blob_name, {})
    sources = {
        "Committed": committed,
        "Uncommitted": pending,
        "Latest": {**committed, **pending},
    }
    blocks: list[tuple[str, bytes]] = []
    root = call.xml()
    if root.tag != "BlockList":
        raise StorageError("InvalidXmlDocument")
    for entry in root:
        block_id = (entry.text or "").strip()
        if block_id not in sources.get(entry.tag, {}):
            raise StorageError("InvalidBlockList")
        blocks.append((block_id, sources[entry.tag][block_id]))
    content = b"".join(part for _, part in blocks)
    kept = tuple(Block(block_id=block_id, size=len(part)) for block_id, part in blocks)
    blob = _write(call, content, _properties(call), call.metadata(), blocks=kept)
    return _written(blob, 201, ENCRYPTED)


def _committed(blob: Blob) -> dict[str, bytes]:
    found, position = {}, 0
    for block in blob.blocks:
        found[block.block_id] = blob.content[position : position + block.size]
        position += block.size
    return found


def get_block_list(call: Call) -> Response:
    """Get Block List."""
    wanted = call.query.get("blocklisttype", "committed").lower()
    if wanted not in {"committed", "uncommitted", "all"}:
        raise bad_query("blocklisttype", wanted)
    blob = call.find()
    pending = call.container.uncommitted.get(call.blob_name, {})
    if blob is None and not pending:
        raise StorageError("BlobNotFound")
    committed = [(b.block_id, b.size) for b in blob.blocks] if blob else []
    lists = ""
    if wanted != "uncommitted":
        lists += f"<CommittedBlocks>{_blocks_xml(committed)}</CommittedBlocks>"
    if wanted != "committed":
        sizes = [(block_id, len(content)) for block_id, content in pending.items()]
        lists += f"<UncommittedBlocks>{_blocks_xml(sizes)}</UncommittedBlocks>"
    headers = stamp_headers(blob.stamp) if blob else {}
    size = {"x-ms-blob-content-length": str(len(blob.content) if blob else 0)}
    kind = {"Content-Type": "application/xml"}
    return Response(200, document("BlockList", lists), {**headers, **size, **kind})


def _blocks_xml(blocks: list[tuple[str, int]]) -> str:
    return "".join(
        f"<Block>{element('Name', block_id)}{element('Size', str(size))}</Block>"
        for block_id, size in blocks
    )


def _copy(call: Call) -> Response:
    """Copy Blob and Put Blob From URL, inside one account, done at once."""
    source = _source(call)
    labels.check_not_archived(source)
    conditions = Conditions.of(call.headers, "x-ms-source-")
    if conditions.fails(source.stamp):
        raise StorageError("SourceConditionNotMet")
    metadata = call.metadata() or source.metadata
    from_url = "x-ms-blob-type" in call.headers
    given = from_url and any(name in call.headers for name in PROPERTIES)
    properties = _properties(call) if given else source.properties
    blob = _write(call, source.content, properties, metadata, blocks=source.blocks)
    if from_url:
        return _written(blob, 201, {"Content-MD5": md5(blob.content), **ENCRYPTED})
    copied = {"x-ms-copy-id": str(uuid.uuid4()), "x-ms-copy-status": "success"}
    return _written(blob, 202, copied)


def _source(call: Call) -> Blob:
    url = call.headers["x-ms-copy-source"]
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise bad_header("x-ms-copy-source", url) from error
    if host.partition(".")[0] != call.account:
        raise StorageError("CopyAcrossAccountsNotSupported")
    if call.grant.service_sas:  # it covers the destination only
        raise StorageError("CannotVerifyCopySource", status=403)
    call.grant.check(level="o", needed="r")
    container, _, name = unquote(parts.path).lstrip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    source = replace(call, container_name=container, blob_name=name, query=query).find()
    if source is None:
        raise StorageError("CannotVerifyCopySource")
    return source
