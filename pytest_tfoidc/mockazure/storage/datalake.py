"""Data Lake Storage Gen2: file systems and paths over the blobs of an account.

A file system is a container; a directory is a blob that says so in its metadata, as Azure shows it.
What a path has beside (owner, group, permissions, access control list) is kept here.

Source: https://learn.microsoft.com/rest/api/storageservices/data-lake-storage-gen2.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.storage import wire
from pytest_tfoidc.mockazure.storage.call import http_date
from pytest_tfoidc.mockazure.storage.errors import StorageError
from pytest_tfoidc.mockazure.storage.store import Blob, BlobStore, Container, check_container_name
from pytest_tfoidc.mockazure.storage.wire import StorageCall, refused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.mockazure.storage.auth import Authenticator

FOLDER = "hdi_isfolder"
RANGE = re.compile(r"bytes=([0-9]{1,15})-([0-9]{0,15})")
MAX_FILE = 64 * 1024 * 1024  # bytes; it is held in memory
MAX_PATH = 1024
PAGE = 5000
USUAL = {
    "x-ms-owner": "$superuser",
    "x-ms-group": "$superuser",
    "x-ms-permissions": "rwxr-x---",
    "x-ms-acl": "user::rwx,group::r-x,other::---",
}
ENTRY = re.compile(r"(?:default:)?(?:user|group|other|mask):[^:,]*:[r-][w-][x-]")
PROPERTIES = {
    "x-ms-content-type": "Content-Type",
    "x-ms-content-encoding": "Content-Encoding",
    "x-ms-content-language": "Content-Language",
    "x-ms-content-disposition": "Content-Disposition",
    "x-ms-cache-control": "Cache-Control",
    "x-ms-content-md5": "Content-MD5",
}
Access = dict[tuple[str, str, str], dict[str, str]]  # by account, file system and path
Verb = Callable[["PathCall"], Response]


@dataclass(frozen=True, kw_only=True)
class PathCall(StorageCall):
    """A call about a file system, or about a path in it."""

    system: str
    inner: str

    @property
    def key(self) -> tuple[str, str, str]:
        """The key under which access control is kept."""
        return self.account, self.system, self.inner

    @property
    def action(self) -> str:
        """The action that a PATCH or a HEAD asks for, in lower case."""
        return self.query.get("action", "").lower()

    def properties(self) -> dict[str, str]:
        """Return the user's properties: `name=BASE64` in a list.

        Raises:
            StorageError: They are malformed.
        """
        found: dict[str, str] = {}
        for pair in self.headers.get("x-ms-properties", "").split(","):
            name, _, value = pair.strip().partition("=")
            if not name:
                continue
            try:
                found[name] = base64.b64decode(value, validate=True).decode("latin-1")
            except (binascii.Error, ValueError) as error:
                raise refused("InvalidPropertyValue", 400, "A property is no base64.") from error
        return found


class DataLake:
    """The Data Lake service of every storage account.

    Args:
        clock: Tells the virtual time.
        authenticator: Finds out what a request may do.
        store: Holds the blobs.
    """

    def __init__(self, *, clock: Clock, authenticator: Authenticator, store: BlobStore) -> None:
        self._clock = clock
        self._authenticator = authenticator
        self._store = store
        self.access: Access = {}
        self._pending: dict[tuple[str, str, str], bytes] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request; what is not known is a 4xx."""
        now = self._clock.now()
        common = wire.common_headers(request, now, server="HDFS")
        try:
            answer = self._answer(request, now)
        except StorageError as error:
            body = json.dumps({"error": {"code": error.code, "message": error.words}}).encode()
            kind = {"Content-Type": "application/json;charset=utf-8"}
            headers = {"x-ms-error-code": error.code, **kind, **error.headers}
            answer = Response(error.status, b"" if request.method == "HEAD" else body, headers)
        return Response(answer.status, answer.body, {**answer.headers, **common})

    def _answer(self, request: Request, now: datetime) -> Response:
        resource, query = wire.located(request)
        grant = self._authenticator.grant(request, resource)
        call = PathCall(
            request=request,
            account=resource.account,
            path=resource.path,
            query=query,
            grant=grant,
            now=now,
            system=resource.container,
            inner="/".join(part for part in resource.blob.split("/") if part),
        )
        run, level, needed = self._route(call)
        grant.check(level=level, needed=needed)
        return run(call)

    def _route(self, call: PathCall) -> tuple[Verb, str, str]:
        method = call.request.method
        if not call.system:
            routes: dict[str, tuple[Verb, str, str]] = {"GET": (self._list_systems, "s", "l")}
        elif not call.inner and call.query.get("resource", "").lower() == "filesystem":
            routes = {
                "PUT": (self._create_system, "c", "cw"),
                "HEAD": (self._get_system, "c", "rl"),
                "PATCH": (self._set_system, "c", "w"),
                "DELETE": (self._delete_system, "c", "d"),
                "GET": (self._list, "c", "l"),
            }
        else:
            patches: dict[str, Verb] = {
                "append": self._append,
                "flush": self._flush,
                "setproperties": self._set_properties,
                "setaccesscontrol": self._set_access,
                "setaccesscontrolrecursive": self._set_access_below,
            }
            routes = {
                "PUT": (self._create, "o", "cw"),
                "HEAD": (self._get_status, "o", "re"),
                "GET": (self._read, "o", "r"),
                "DELETE": (self._delete, "o", "d"),
            }
            if method == "PATCH" and call.action in patches:
                routes["PATCH"] = (patches[call.action], "o", "wpoma")
        if method not in routes:
            raise StorageError("UnsupportedHttpVerb")
        return routes[method]

    def _list_systems(self, call: PathCall) -> Response:
        account, prefix = self._store.account(call.account), call.query.get("prefix", "")
        found = [
            {"name": n, "lastModified": http_date(c.stamp.modified), "etag": c.stamp.etag}
            for n, c in sorted(account.containers.items())
            if n.startswith(prefix)
        ]
        return Response.json({"filesystems": found})

    def _system(self, call: PathCall) -> Container:
        check_container_name(call.system)
        container = self._store.account(call.account).containers.get(call.system)
        if container is None:
            raise refused("FilesystemNotFound", 404, "The specified filesystem does not exist.")
        return container

    def _create_system(self, call: PathCall) -> Response:
        check_container_name(call.system)
        account = self._store.account(call.account)
        if call.system in account.containers:
            words = "The specified filesystem already exists."
            raise refused("FilesystemAlreadyExists", 409, words)
        container = Container(stamp=self._store.stamp(), metadata=call.properties())
        account.containers[call.system] = container
        account.deleted.discard(call.system)
        return Response(201, b"", {**_version(container), "x-ms-namespace-enabled": "true"})

    def _get_system(self, call: PathCall) -> Response:
        container = self._system(call)
        headers = {
            **_version(container),
            "x-ms-namespace-enabled": "true",
            "x-ms-properties": _encoded(container.metadata),
        }
        return Response(200, b"", headers)

    def _set_system(self, call: PathCall) -> Response:
        container = self._system(call)
        container.metadata, container.stamp = call.properties(), self._store.stamp()
        return Response(200, b"", _version(container))

    def _delete_system(self, call: PathCall) -> Response:
        self._system(call)
        account = self._store.account(call.account)
        del account.containers[call.system]
        account.deleted.add(call.system)
        place = (call.account, call.system)
        self.access = {k: v for k, v in self.access.items() if k[:2] != place}
        return Response(202)

    def _list(self, call: PathCall) -> Response:
        container = self._system(call)
        inside = "/".join(p for p in call.query.get("directory", "").split("/") if p)
        if inside and inside not in container.blobs:
            raise _missing()
        base = f"{inside}/" if inside else ""
        deep = call.query.get("recursive", "").lower() == "true"
        names = [
            name
            for name in sorted(container.blobs)
            if name.startswith(base) and (deep or "/" not in name[len(base) :])
        ]
        size = call.number("maxresults", PAGE, least=1, most=PAGE)
        after = call.query.get("continuation", "")
        left = [n for n in names if n > after]
        page = left[:size]
        shown = [self._shown(call, name, container.blobs[name]) for name in page]
        more = {"x-ms-continuation": page[-1]} if len(left) > size else {}
        return Response.json({"paths": shown}, headers=more)

    def _shown(self, call: PathCall, name: str, blob: Blob) -> dict[str, Any]:
        access = self._access_of((call.account, call.system, name))
        return {
            "name": name,
            "contentLength": str(len(blob.content)),
            "lastModified": http_date(blob.stamp.modified),
            "etag": blob.stamp.etag.strip('"'),
            "owner": access["x-ms-owner"],
            "group": access["x-ms-group"],
            "permissions": access["x-ms-permissions"],
            **({"isDirectory": "true"} if _is_folder(blob) else {}),
        }

    def _access_of(self, key: tuple[str, str, str]) -> dict[str, str]:
        return {**USUAL, **self.access.get(key, {})}

    def _path(self, call: PathCall) -> Blob:
        container = self._system(call)
        if not call.inner:
            return self._folder(container.stamp.modified)
        blob = container.blobs.get(call.inner)
        if blob is None:
            raise _missing()
        return blob

    def _folder(self, now: datetime) -> Blob:
        stamp = self._store.stamp()
        return Blob(content=b"", properties={}, metadata={FOLDER: "true"}, stamp=stamp, created=now)

    def _create(self, call: PathCall) -> Response:
        container = self._system(call)
        _check_path(call.inner)
        if call.headers.get("x-ms-rename-source"):
            return self._rename(call, container)
        kind = call.query.get("resource", "").lower()
        if kind not in {"file", "directory"}:
            raise wire.bad_parameter("InvalidQueryParameterValue", "resource", kind)
        before = container.blobs.get(call.inner)
        if before is not None and call.headers.get("if-none-match") == "*":
            raise refused("PathAlreadyExists", 409, "The specified path already exists.")
        if before is not None and _is_folder(before) != (kind == "directory"):
            words = "The resource type of the path is another one."
            raise refused("ResourceTypeMismatch", 409, words)
        self._make_parents(call, container)
        if before is None or kind == "file":
            blob = self._folder(call.now)
            metadata = {**call.properties(), **({FOLDER: "true"} if kind == "directory" else {})}
            container.blobs[call.inner] = replace(
                blob, metadata=metadata, properties=_written(call)
            )
        self._keep_access(call, call.key)
        return Response(201, b"", _of_blob(container.blobs[call.inner]))

    def _make_parents(self, call: PathCall, container: Container) -> None:
        parts = call.inner.split("/")[:-1]
        for end in range(1, len(parts) + 1):
            name = "/".join(parts[:end])
            parent = container.blobs.setdefault(name, self._folder(call.now))
            if not _is_folder(parent):
                raise refused("ParentIsNotADirectory", 409, "A part of the path is a file.")

    def _rename(self, call: PathCall, container: Container) -> Response:
        source = call.headers["x-ms-rename-source"].partition("?")[0].strip("/")
        system, _, old = wire.unquoted(source).partition("/")
        origin = self._store.account(call.account).containers.get(system)
        moved = _below(origin, old) if origin and old else []
        if origin is None or not moved:
            raise refused("RenameDestinationParentPathNotFound", 404, "The source does not exist.")
        if f"{call.inner}/".startswith(f"{old}/") and system == call.system:
            raise refused("InvalidRenameSourcePath", 409, "The source holds the destination.")
        self._make_parents(call, container)
        for name in moved:
            target = call.inner + name[len(old) :]
            container.blobs[target] = origin.blobs.pop(name)
            held = self.access.pop((call.account, system, name), None)
            if held is not None:
                self.access[call.account, call.system, target] = held
        return Response(201, b"", _of_blob(container.blobs[call.inner]))

    def _append(self, call: PathCall) -> Response:
        blob = self._path(call)
        held = self._pending.get(call.key, b"")
        position = call.number("position", -1, least=0, most=MAX_FILE)
        if _is_folder(blob) or position != len(blob.content) + len(held):
            raise refused("InvalidFlushPosition", 400, "The position does not match the data.")
        if position + len(call.request.body) > MAX_FILE:
            raise StorageError("RequestBodyTooLarge")
        self._pending[call.key] = held + call.request.body
        if call.query.get("flush", "").lower() == "true":
            return self._flushed(call, blob, status=202)
        return Response(202, b"", {"x-ms-request-server-encrypted": "true"})

    def _flush(self, call: PathCall) -> Response:
        blob = self._path(call)
        held = self._pending.get(call.key, b"")
        position = call.number("position", -1, least=0, most=MAX_FILE)
        if position != len(blob.content) + len(held):
            raise refused("InvalidFlushPosition", 400, "The position does not match the data.")
        return self._flushed(call, blob, status=200)

    def _flushed(self, call: PathCall, blob: Blob, *, status: int) -> Response:
        content = blob.content + self._pending.pop(call.key, b"")
        properties = {**blob.properties, **_written(call, default=False)}
        kept = replace(blob, content=content, properties=properties, stamp=self._store.stamp())
        self._system(call).blobs[call.inner] = kept
        return Response(status, b"", {**_of_blob(kept), "Content-Length": "0"})

    def _set_properties(self, call: PathCall) -> Response:
        blob = self._path(call)
        folder = {FOLDER: "true"} if _is_folder(blob) else {}
        kept = replace(
            blob,
            metadata={**call.properties(), **folder},
            properties={**blob.properties, **_written(call, default=False)},
            stamp=self._store.stamp(),
        )
        self._system(call).blobs[call.inner] = kept
        return Response(200, b"", _of_blob(kept))

    def _keep_access(self, call: PathCall, key: tuple[str, str, str]) -> None:
        written = {n: call.headers[n] for n in USUAL if call.headers.get(n)}
        acl = written.get("x-ms-acl")
        if acl is not None and not all(ENTRY.fullmatch(e.strip()) for e in acl.split(",")):
            raise refused("InvalidAccessControlList", 400, "The access control list is invalid.")
        if written:
            self.access[key] = {**self.access.get(key, {}), **written}

    def _change_access(self, call: PathCall, key: tuple[str, str, str]) -> None:
        """Set the entries of one of many paths, add them, or take them away."""
        before, written = self._access_of(key)["x-ms-acl"], call.headers.get("x-ms-acl", "")
        mode = call.query.get("mode", "set").lower()
        if mode != "remove":
            self._keep_access(call, key)
        if mode != "set":
            acl = _changed_acl(before, written, remove=mode == "remove")
            self.access[key] = {**self.access.get(key, {}), "x-ms-acl": acl}

    def _set_access(self, call: PathCall) -> Response:
        blob = self._path(call)
        self._keep_access(call, call.key)
        return Response(200, b"", _of_blob(blob))

    def _set_access_below(self, call: PathCall) -> Response:
        self._path(call)
        container = self._system(call)
        names = _below(container, call.inner) if call.inner else sorted(container.blobs)
        counts = {"directoriesSuccessful": 0, "filesSuccessful": 0}
        for name in names:
            self._change_access(call, (call.account, call.system, name))
            is_folder = _is_folder(container.blobs[name])
            counts["directoriesSuccessful" if is_folder else "filesSuccessful"] += 1
        return Response.json({**counts, "failureCount": 0, "failedEntries": []})

    def _get_status(self, call: PathCall) -> Response:
        blob = self._path(call)
        own = {n: v for n, v in blob.metadata.items() if n != FOLDER}
        headers = {
            **blob.properties,
            **_of_blob(blob),
            **self._access_of(call.key),
            "Content-Length": str(len(blob.content)),
            "x-ms-resource-type": "directory" if _is_folder(blob) else "file",
            "x-ms-properties": _encoded(own),
        }
        return Response(200, b"", headers)

    def _read(self, call: PathCall) -> Response:
        blob = self._path(call)
        headers = {**blob.properties, **_of_blob(blob), "Accept-Ranges": "bytes"}
        text = call.headers.get("x-ms-range") or call.headers.get("range", "")
        match = RANGE.fullmatch(text)
        if match is None:
            return Response(200, blob.content, headers)
        size = len(blob.content)
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if first > last:
            raise StorageError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        return Response(206, blob.content[first : last + 1], headers)

    def _delete(self, call: PathCall) -> Response:
        self._path(call)
        container = self._system(call)
        names = _below(container, call.inner)
        if len(names) > 1 and call.query.get("recursive", "").lower() != "true":
            raise refused("DirectoryNotEmpty", 409, "The directory is not empty.")
        for name in names:
            container.remove(name)
            self.access.pop((call.account, call.system, name), None)
        return Response(200)

    def snapshot(self) -> Access:
        """Return a copy of what is kept here, for `restore`; the blobs are in their store."""
        return {key: dict(held) for key, held in self.access.items()}

    def restore(self, held: Access) -> None:
        """Put back what `snapshot` returned."""
        self.access = {key: dict(entry) for key, entry in held.items()}
        self._pending.clear()


def _changed_acl(before: str, written: str, *, remove: bool) -> str:
    held = dict(entry.rpartition(":")[::2] for entry in before.split(","))
    for entry in filter(None, (one.strip() for one in written.split(","))):
        who, _, rights = entry.rpartition(":")
        if remove:
            held.pop(entry, None)
        else:
            held[who] = rights
    return ",".join(f"{who}:{rights}" for who, rights in held.items())


def _missing() -> StorageError:
    return refused("PathNotFound", 404, "The specified path does not exist.")


def _is_folder(blob: Blob) -> bool:
    return blob.metadata.get(FOLDER, "").lower() == "true"


def _below(container: Container, path: str) -> list[str]:
    """Return the names of a path and of everything in it."""
    return [n for n in sorted(container.blobs) if f"{n}/".startswith(f"{path}/")]


def _check_path(path: str) -> None:
    if not path or len(path) > MAX_PATH or any(p in {".", ".."} for p in path.split("/")):
        raise refused("InvalidResourceName", 400, "The specified path is invalid.")


def _encoded(properties: Mapping[str, str]) -> str:
    return ",".join(
        f"{name}={base64.b64encode(value.encode('latin-1', 'replace')).decode()}"
        for name, value in properties.items()
    )


def _written(call: PathCall, *, default: bool = True) -> dict[str, str]:
    found = {header: call.headers.get(name, "") for name, header in PROPERTIES.items()}
    usual = {"Content-Type": "application/octet-stream"} if default else {}
    return {**usual, **{n: v for n, v in found.items() if v}}


def _version(container: Container) -> dict[str, str]:
    stamp = container.stamp
    return {"ETag": stamp.etag, "Last-Modified": http_date(stamp.modified)}


def _of_blob(blob: Blob) -> dict[str, str]:
    return {"ETag": blob.stamp.etag, "Last-Modified": http_date(blob.stamp.modified)}
