"""File shares of storage accounts: shares, directories and files, over REST.

Source: https://learn.microsoft.com/rest/api/storageservices/file-service-rest-api.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage import wire
from pytest_tfoidc.mockazure.storage.call import http_date, metadata_headers
from pytest_tfoidc.mockazure.storage.errors import StorageError, document, element
from pytest_tfoidc.mockazure.storage.queues import policies_of
from pytest_tfoidc.mockazure.storage.store import md5
from pytest_tfoidc.mockazure.storage.wire import XML, StorageCall, refused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.storage.auth import Authenticator

SHARE_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
FORBIDDEN = re.compile(r'["\\:|<>*?\x00-\x1f\x7f]')
RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")
QUOTA = 5120  # GiB
MOST_QUOTA = 102_400
MAX_FILE = 64 * 1024 * 1024  # bytes; it is held in memory
MAX_NAME = 255
PROPERTIES = {
    "x-ms-content-type": "Content-Type",
    "x-ms-content-encoding": "Content-Encoding",
    "x-ms-content-language": "Content-Language",
    "x-ms-content-disposition": "Content-Disposition",
    "x-ms-cache-control": "Cache-Control",
    "x-ms-content-md5": "Content-MD5",
}
Verb = Callable[["FileCall"], Response]
Routes = dict[tuple[str, str], tuple[Verb, str]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A directory, or a file where it has content."""

    changed: datetime
    etag: str
    created: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    properties: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.content is not None

    def headers(self) -> dict[str, str]:
        """Return the headers that tell the version, the metadata and the times."""
        moment = f"{self.changed:%Y-%m-%dT%H:%M:%S.%f}0Z"
        born = f"{self.created:%Y-%m-%dT%H:%M:%S.%f}0Z"
        kind = "Archive" if self.is_file else "Directory"
        return {
            "ETag": self.etag,
            "Last-Modified": http_date(self.changed),
            "x-ms-file-attributes": self.times.get("x-ms-file-attributes", kind),
            "x-ms-file-change-time": moment,
            "x-ms-file-creation-time": self.times.get("x-ms-file-creation-time", born),
            "x-ms-file-last-write-time": self.times.get("x-ms-file-last-write-time", moment),
            "x-ms-file-id": "13835128424026341376",
            "x-ms-file-parent-id": "0",
            "x-ms-file-permission-key": "0*0",
            "x-ms-server-encrypted": "true",
            **metadata_headers(self.metadata),
        }


@dataclass(kw_only=True)
class Share:
    """A share. `entries`: by path in lower case, with the path as it was written."""

    root: Entry
    quota: int = QUOTA
    tier: str = "TransactionOptimized"
    policies: str = ""
    entries: dict[str, tuple[str, Entry]] = field(default_factory=dict)


Shares = dict[tuple[str, str], Share]  # by account and name


@dataclass(frozen=True, kw_only=True)
class FileCall(StorageCall):
    """A call of the file service. `inner`: the path in the share; empty for its root."""

    share: str
    inner: str


class FileService:
    """The file service of every storage account.

    Args:
        clock: Tells the virtual time.
        authenticator: Finds out what a request may do.
        properties: Answers for the service's own properties.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        authenticator: Authenticator,
        properties: Callable[[Request], Response],
    ) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._properties = properties
        self.shares: Shares = {}

    def handle(self, request: Request) -> Response:
        """Answer a request; what is not known is a 4xx."""
        now = self._clock.now()
        common = wire.common_headers(request, now, server="File")
        try:
            answer = self._answer(request, now)
        except StorageError as error:
            time = f"{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
            body = error.xml(request_id=common["x-ms-request-id"], time=time)
            headers = {"x-ms-error-code": error.code, **XML, **error.headers}
            answer = Response(error.status, b"" if request.method == "HEAD" else body, headers)
        return Response(answer.status, answer.body, {**answer.headers, **common})

    def _answer(self, request: Request, now: datetime) -> Response:
        resource, query = wire.located(request)
        if query.get("restype") == "service":
            return self._properties(request)
        grant = self._authenticator.grant(request, resource)
        call = FileCall(
            request=request,
            account=resource.account,
            path=resource.path,
            query=query,
            grant=grant,
            now=now,
            comp=query.get("comp", "").lower(),
            share=resource.container,
            inner=_clean(resource.blob),
        )
        kind = query.get("restype", "").lower()
        level = "s" if not call.share else "c" if kind == "share" else "o"
        routes = self._routes(level, kind)
        method = "GET" if request.method == "HEAD" else request.method
        if (method, call.comp) not in routes:
            raise StorageError("UnsupportedHttpVerb" if not call.comp else "InvalidUri", status=400)
        run, needed = routes[method, call.comp]
        grant.check(level=level, needed=needed)
        return run(call)

    def _routes(self, level: str, kind: str) -> Routes:
        if level == "s":
            return {("GET", "list"): (self._list_shares, "l")}
        if level == "c":
            return {
                ("PUT", ""): (self._create_share, "cw"),
                ("GET", ""): (self._get_share, "rl"),
                ("DELETE", ""): (self._delete_share, "d"),
                ("GET", "metadata"): (self._get_share, "r"),
                ("PUT", "metadata"): (self._set_share, "w"),
                ("PUT", "properties"): (self._set_share, "w"),
                ("GET", "acl"): (self._get_acl, "r"),
                ("PUT", "acl"): (self._set_acl, "w"),
                ("GET", "stats"): (self._stats, "r"),
            }
        if kind == "directory":
            return {
                ("PUT", ""): (self._create_directory, "cw"),
                ("GET", ""): (self._get_entry, "r"),
                ("DELETE", ""): (self._delete, "d"),
                ("GET", "metadata"): (self._get_entry, "r"),
                ("PUT", "metadata"): (self._set_metadata, "w"),
                ("PUT", "properties"): (self._set_properties, "w"),
                ("GET", "list"): (self._list, "l"),
            }
        return {
            ("PUT", ""): (self._create_file, "cw"),
            ("GET", ""): (self._get_file, "r"),
            ("DELETE", ""): (self._delete, "d"),
            ("GET", "metadata"): (self._get_entry, "r"),
            ("PUT", "metadata"): (self._set_metadata, "w"),
            ("PUT", "properties"): (self._set_properties, "w"),
            ("PUT", "range"): (self._put_range, "w"),
            ("GET", "rangelist"): (self._ranges, "r"),
        }

    def keep(self, account: str, name: str) -> None:
        """Let a share be there that Resource Manager has."""
        now = self._clock.now()
        root = Entry(changed=now, created=now, etag=f'"0x8D{uuid.uuid4().hex[:14].upper()}"')
        self.shares.setdefault((account, name), Share(root=root))

    def drop(self, account: str, name: str) -> None:
        """Let a share be gone that Resource Manager has no more."""
        self.shares.pop((account, name), None)

    def _share(self, call: FileCall) -> Share:
        share = self.shares.get((call.account, call.share))
        if share is None:
            if not SHARE_NAME.fullmatch(call.share):
                raise StorageError("InvalidResourceName")
            raise refused("ShareNotFound", 404, "The specified share does not exist.")
        return share

    def _list_shares(self, call: FileCall) -> Response:
        with_metadata = "metadata" in call.query.get("include", "").lower()
        found = [
            (name, _share_xml(name, share, with_metadata=with_metadata))
            for (account, name), share in self.shares.items()
            if account == call.account
        ]
        place = f" ServiceEndpoint={quoteattr(f'https://{call.request.host}/')}"
        return Response(200, wire.listing(call, tag="Shares", found=found, attributes=place), XML)

    def _create_share(self, call: FileCall) -> Response:
        if not SHARE_NAME.fullmatch(call.share):
            raise StorageError("InvalidResourceName")
        if (call.account, call.share) in self.shares:
            raise refused("ShareAlreadyExists", 409, "The specified share already exists.")
        share = Share(root=_new(call, metadata=call.metadata()), quota=_quota(call, QUOTA))
        share.tier = call.headers.get("x-ms-access-tier", share.tier)
        self.shares[call.account, call.share] = share
        return Response(201, b"", _version(share.root))

    def _get_share(self, call: FileCall) -> Response:
        share = self._share(call)
        headers = {
            **_version(share.root),
            **metadata_headers(share.root.metadata),
            "x-ms-share-quota": str(share.quota),
            "x-ms-access-tier": share.tier,
            "x-ms-enabled-protocols": "SMB",
            "x-ms-lease-state": "available",
            "x-ms-lease-status": "unlocked",
            "x-ms-has-immutability-policy": "false",
        }
        return Response(200, b"", headers)

    def _set_share(self, call: FileCall) -> Response:
        share = self._share(call)
        metadata = call.metadata() if call.comp == "metadata" else share.root.metadata
        share.quota = _quota(call, share.quota)
        share.tier = call.headers.get("x-ms-access-tier", share.tier)
        share.root = replace(_new(call, metadata=metadata), created=share.root.created)
        return Response(200, b"", _version(share.root))

    def _delete_share(self, call: FileCall) -> Response:
        self._share(call)
        del self.shares[call.account, call.share]
        return Response(202)

    def _get_acl(self, call: FileCall) -> Response:
        return Response(200, document("SignedIdentifiers", self._share(call).policies), XML)

    def _set_acl(self, call: FileCall) -> Response:
        share = self._share(call)
        share.policies = policies_of(call)
        return Response(200, b"", _version(share.root))

    def _stats(self, call: FileCall) -> Response:
        held = sum(len(e.content or b"") for _, e in self._share(call).entries.values())
        return Response(200, document("ShareStats", element("ShareUsageBytes", str(held))), XML)

    def _entry(self, call: FileCall, *, is_file: bool | None = None) -> Entry:
        share = self._share(call)
        if not call.inner:
            return share.root
        self._check_parent(share, call.inner)
        found = share.entries.get(call.inner.lower())
        if found is None or (is_file is not None and found[1].is_file is not is_file):
            raise refused("ResourceNotFound", 404, "The specified resource does not exist.")
        return found[1]

    @staticmethod
    def _check_parent(share: Share, path: str) -> None:
        parent = path.rpartition("/")[0].lower()
        if parent and (parent not in share.entries or share.entries[parent][1].is_file):
            raise refused("ParentNotFound", 404, "The specified parent path does not exist.")

    def _keep(self, call: FileCall, entry: Entry) -> Entry:
        share = self._share(call)
        if not call.inner:
            share.root = entry
            return entry
        known = share.entries.get(call.inner.lower())
        share.entries[call.inner.lower()] = (known[0] if known else call.inner, entry)
        return entry

    def _create_directory(self, call: FileCall) -> Response:
        share = self._share(call)
        _check_path(call.inner)
        self._check_parent(share, call.inner)
        if not call.inner or call.inner.lower() in share.entries:
            words = "The specified resource already exists."
            raise refused("ResourceAlreadyExists", 409, words)
        entry = self._keep(call, _new(call, metadata=call.metadata(), times=_times(call)))
        return Response(201, b"", entry.headers())

    def _create_file(self, call: FileCall) -> Response:
        share = self._share(call)
        _check_path(call.inner)
        self._check_parent(share, call.inner)
        known = share.entries.get(call.inner.lower())
        if not call.inner or (known and not known[1].is_file):
            words = "The specified resource type does not match the type of the existing resource."
            raise refused("ResourceTypeMismatch", 409, words)
        if call.headers.get("x-ms-type", "file").lower() != "file":
            raise StorageError("InvalidHeaderValue", HeaderName="x-ms-type")
        entry = _new(call, metadata=call.metadata(), times=_times(call))
        content = bytes(_size(call, 0))
        self._keep(call, replace(entry, content=content, properties=_written(call)))
        return Response(201, b"", entry.headers())

    def _get_entry(self, call: FileCall) -> Response:
        entry = self._entry(call, is_file=call.query.get("restype", "").lower() != "directory")
        return Response(200, b"", entry.headers())

    def _get_file(self, call: FileCall) -> Response:
        entry = self._entry(call, is_file=True)
        content = entry.content or b""
        headers = {
            **entry.headers(),
            **entry.properties,
            "Accept-Ranges": "bytes",
            "x-ms-type": "File",
            "x-ms-lease-state": "available",
            "x-ms-lease-status": "unlocked",
        }
        if call.request.method == "HEAD":
            return Response(200, b"", {**headers, "Content-Length": str(len(content))})
        text = call.headers.get("x-ms-range") or call.headers.get("range", "")
        match = RANGE.fullmatch(text)
        if match is None:
            return Response(200, content, headers)
        first, last = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
        if first > last:
            raise StorageError("InvalidRange", headers={"Content-Range": f"bytes */{len(content)}"})
        part = content[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        if call.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
            headers["Content-MD5"] = md5(part)
        return Response(206, part, headers)

    def _set_metadata(self, call: FileCall) -> Response:
        entry = self._entry(call)
        kept = self._keep(call, _changed(call, entry, metadata=call.metadata()))
        return Response(200, b"", kept.headers())

    def _set_properties(self, call: FileCall) -> Response:
        entry = self._entry(call)
        times = {**entry.times, **_times(call)}
        if not entry.is_file:
            return Response(
                200, b"", self._keep(call, _changed(call, entry, times=times)).headers()
            )
        size = _size(call, len(entry.content or b""))
        content = (entry.content or b"")[:size].ljust(size, b"\0")
        changes = {"content": content, "properties": _written(call), "times": times}
        return Response(200, b"", self._keep(call, _changed(call, entry, **changes)).headers())

    def _put_range(self, call: FileCall) -> Response:
        entry = self._entry(call, is_file=True)
        content = entry.content or b""
        match = RANGE.fullmatch(call.headers.get("x-ms-range") or call.headers.get("range", ""))
        how = call.headers.get("x-ms-write", "").lower()
        if match is None or not match[2] or how not in {"update", "clear"}:
            raise StorageError("InvalidHeaderValue", HeaderName="x-ms-range")
        first, end = int(match[1]), int(match[2]) + 1
        body = call.request.body if how == "update" else bytes(max(0, min(end, MAX_FILE) - first))
        if not first < end <= len(content) or len(body) != end - first:
            raise StorageError("InvalidRange")
        kept = self._keep(
            call, _changed(call, entry, content=content[:first] + body + content[end:])
        )
        return Response(201, b"", {**kept.headers(), "Content-MD5": md5(body)})

    def _ranges(self, call: FileCall) -> Response:
        content = self._entry(call, is_file=True).content or b""
        inside = ""
        if content.strip(b"\0"):
            inside = element("Start", "0") + element("End", str(len(content) - 1))
            inside = f"<Range>{inside}</Range>"
        headers = {**XML, "x-ms-content-length": str(len(content))}
        return Response(200, document("Ranges", inside), headers)

    def _delete(self, call: FileCall) -> Response:
        is_directory = call.query.get("restype", "").lower() == "directory"
        self._entry(call, is_file=not is_directory)
        share, key = self._share(call), call.inner.lower()
        if not key:
            raise StorageError("InvalidUri")
        if any(path.startswith(f"{key}/") for path in share.entries):
            raise refused("DirectoryNotEmpty", 409, "The specified directory is not empty.")
        del share.entries[key]
        return Response(202)

    def _list(self, call: FileCall) -> Response:
        share = self._share(call)
        self._entry(call, is_file=False)
        base = f"{call.inner.lower()}/" if call.inner else ""
        found = []
        for key, (path, entry) in share.entries.items():
            if key.startswith(base) and "/" not in key[len(base) :]:
                name = path[len(base) :]
                found.append((name, _entry_xml(name, entry)))
        place = f" ServiceEndpoint={quoteattr(f'https://{call.request.host}/')}"
        place += f" ShareName={quoteattr(call.share)} DirectoryPath={quoteattr(call.inner)}"
        return Response(200, wire.listing(call, tag="Entries", found=found, attributes=place), XML)

    def snapshot(self) -> Shares:
        """Return a copy of everything, for `restore`."""
        return {k: replace(s, entries=dict(s.entries)) for k, s in self.shares.items()}

    def restore(self, held: Shares) -> None:
        """Put back what `snapshot` returned."""
        self.shares = {k: replace(s, entries=dict(s.entries)) for k, s in held.items()}


def _clean(path: str) -> str:
    """Return a path in a share without what does not count: doubled and last slashes."""
    return "/".join(part for part in path.split("/") if part)


def _check_path(path: str) -> None:
    for part in path.split("/"):
        if part in {".", ".."} or FORBIDDEN.search(part) or len(part) > MAX_NAME:
            raise StorageError("InvalidResourceName")


def _new(
    call: FileCall, *, metadata: Mapping[str, str], times: Mapping[str, str] | None = None
) -> Entry:
    return Entry(
        changed=call.now,
        created=call.now,
        etag=f'"0x8D{uuid.uuid4().hex[:14].upper()}"',
        metadata=metadata,
        times=times or {},
    )


def _changed(call: FileCall, entry: Entry, **changes: object) -> Entry:
    etag = f'"0x8D{uuid.uuid4().hex[:14].upper()}"'
    return replace(entry, changed=call.now, etag=etag, **changes)  # type: ignore[arg-type]  # fields of an entry


def _version(entry: Entry) -> dict[str, str]:
    return {"ETag": entry.etag, "Last-Modified": http_date(entry.changed)}


def _times(call: FileCall) -> dict[str, str]:
    """Return the times and attributes that a client sets; `now` and the like set none."""
    names = ("attributes", "creation-time", "last-write-time")
    found = {f"x-ms-file-{n}": call.headers.get(f"x-ms-file-{n}", "") for n in names}
    return {n: v for n, v in found.items() if v and v.lower() not in {"now", "none", "preserve"}}


def _written(call: FileCall) -> dict[str, str]:
    found = {header: call.headers.get(name, "") for name, header in PROPERTIES.items()}
    return {"Content-Type": "application/octet-stream", **{n: v for n, v in found.items() if v}}


def _header_number(call: FileCall, name: str, default: int, most: int) -> int:
    text = call.headers.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or int(text) > most:  # noqa: PLR2004 - digits
        raise StorageError("InvalidHeaderValue", HeaderName=name, HeaderValue=text)
    return int(text)


def _size(call: FileCall, default: int) -> int:
    return _header_number(call, "x-ms-content-length", default, MAX_FILE)


def _quota(call: FileCall, default: int) -> int:
    return _header_number(call, "x-ms-share-quota", default, MOST_QUOTA)


def _share_xml(name: str, share: Share, *, with_metadata: bool) -> str:
    inside = element("Last-Modified", http_date(share.root.changed))
    inside += element("Etag", share.root.etag) + element("Quota", str(share.quota))
    inside += element("AccessTier", share.tier)
    metadata = wire.metadata_xml(share.root.metadata) if with_metadata else ""
    return f"<Share>{element('Name', name)}<Properties>{inside}</Properties>{metadata}</Share>"


def _entry_xml(name: str, entry: Entry) -> str:
    tag = "File" if entry.is_file else "Directory"
    size = element("Content-Length", str(len(entry.content or b""))) if entry.is_file else ""
    return f"<{tag}>{element('Name', name)}<Properties>{size}</Properties></{tag}>"
