"""Azure's blob service on the wire: what a request is about, who may do it, what is answered.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.storage import blob_verbs as on_blob
from pytest_tfoidc.mockazure.storage import container_verbs as on_container
from pytest_tfoidc.mockazure.storage import labels, otherblobs
from pytest_tfoidc.mockazure.storage.auth import AccountKeys, Authenticator, KeysOf, Resource
from pytest_tfoidc.mockazure.storage.batches import answer_batch, is_batch
from pytest_tfoidc.mockazure.storage.call import PRINTABLE, Call, bad_header, bad_query, http_date
from pytest_tfoidc.mockazure.storage.errors import StorageError
from pytest_tfoidc.mockazure.storage.store import Account, Blob, BlobStore

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessTokens

BLOB = "blob"
SERVICES_OF_ACCOUNTS = (BLOB, "queue", "table", "file", "dfs")
HOST = re.compile(
    rf"([a-z0-9]{{3,24}})(?:\.[a-z0-9]+)?\.({'|'.join(SERVICES_OF_ACCOUNTS)})\.[a-z0-9.-]+",
    re.IGNORECASE,
)
VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
DEFAULT_VERSION = "2023-11-03"
MAX_CLIENT_ID = 1024
ROOT = "$root"

PROPERTIES_OF_SERVICE = ("s", "service", "properties")

Operation = tuple[Callable[[Call], Response], str]
# (level: s, c or o; restype; comp) -> method -> operation, and the letters of a shared access
# signature of which it needs one
ROUTES: dict[tuple[str, str, str], dict[str, Operation]] = {
    ("s", "", "list"): {"GET": (on_container.list_containers, "l")},
    PROPERTIES_OF_SERVICE: {
        "GET": (on_container.get_service_properties, "r"),
        "PUT": (on_container.set_service_properties, "w"),
    },
    ("s", "account", "properties"): {
        "GET": (on_container.get_account, "r"),
        "HEAD": (on_container.get_account, "r"),
    },
    ("c", "container", ""): {
        "GET": (on_container.get_container, "r"),
        "HEAD": (on_container.get_container, "r"),
        "PUT": (on_container.create_container, "cw"),
        "DELETE": (on_container.delete_container, "d"),
    },
    ("c", "container", "metadata"): {
        "GET": (on_container.get_container, "r"),
        "HEAD": (on_container.get_container, "r"),
        "PUT": (on_container.set_container_metadata, "w"),
    },
    ("c", "container", "acl"): {
        "GET": (on_container.get_acl, "r"),
        "HEAD": (on_container.get_acl, "r"),
        "PUT": (on_container.set_acl, "w"),
    },
    ("c", "container", "lease"): {"PUT": (on_container.lease_container, "wd")},
    ("c", "container", "list"): {"GET": (on_container.list_blobs, "l")},
    ("o", "", ""): {
        "GET": (on_blob.get_blob, "r"),
        "HEAD": (on_blob.get_properties, "r"),
        "PUT": (on_blob.put_blob, "cw"),
        "DELETE": (on_blob.delete_blob, "d"),
    },
    ("o", "", "metadata"): {
        "GET": (on_blob.get_metadata, "r"),
        "HEAD": (on_blob.get_metadata, "r"),
        "PUT": (on_blob.set_metadata, "w"),
    },
    ("o", "", "properties"): {"PUT": (on_blob.set_properties, "w")},
    ("o", "", "lease"): {"PUT": (on_blob.lease_blob, "wd")},
    ("o", "", "tier"): {"PUT": (labels.set_tier, "w")},
    ("o", "", "tags"): {"GET": (labels.get_tags, "t"), "PUT": (labels.set_tags, "t")},
    ("o", "", "snapshot"): {"PUT": (on_blob.snapshot_blob, "cw")},
    ("o", "", "block"): {"PUT": (on_blob.put_block, "cw")},
    ("o", "", "appendblock"): {"PUT": (otherblobs.append_block, "aw")},
    ("o", "", "seal"): {"PUT": (otherblobs.seal, "aw")},
    ("o", "", "page"): {"PUT": (otherblobs.put_page, "w")},
    ("o", "", "pagelist"): {"GET": (otherblobs.get_pages, "r")},
    ("o", "", "blocklist"): {
        "GET": (on_blob.get_block_list, "r"),
        "PUT": (on_blob.put_block_list, "cw"),
    },
}


class BlobService:
    """The blob service of every storage account, under its production host names.

    Of an account's other services there are the properties only, which azurerm 4 reads.
    Accounts and containers need not be made: they are there at their first use. A container
    that was deleted stays away until it is made again.

    Args:
        clock: Tells the virtual time.
        access_tokens: Knows the bearers.
        keys: Gives an account's keys, in base64; random ones where it is left out.
        tenant_id: The tenant that the challenge of a 401 names, where the account's is not known.
        tenant_of: Gives the tenant of an account; empty for one whose tenant is not known.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        access_tokens: AccessTokens,
        keys: KeysOf | None = None,
        tenant_id: str = "common",
        tenant_of: Callable[[str], str] = lambda _account: "",
    ) -> None:
        self._store = BlobStore(clock=clock)
        self._keys = keys or AccountKeys()
        self._authenticator = Authenticator(
            clock=clock,
            access_tokens=access_tokens,
            keys=self._keys,
            tenant_id=tenant_id,
            tenant_of=tenant_of,
        )

    def handle(self, request: Request) -> Response:
        """Answer a request; what is not known is a 4xx, for clients retry a 5xx for hours."""
        common = self._common_headers(request)
        try:
            response = self._answer(request)
        except StorageError as error:
            response = self._refuse(request, error, common["x-ms-request-id"])
        return Response(response.status, response.body, {**response.headers, **common})

    def _common_headers(self, request: Request) -> dict[str, str]:
        version = request.headers.get("x-ms-version", "")
        headers = {
            "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
            "Date": http_date(self._store.now()),
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-version": version if VERSION.fullmatch(version) else DEFAULT_VERSION,
        }
        client = request.headers.get("x-ms-client-request-id", "")
        if client and PRINTABLE.fullmatch(client) and len(client) <= MAX_CLIENT_ID:
            headers["x-ms-client-request-id"] = client
        return headers

    def _refuse(self, request: Request, error: StorageError, request_id: str) -> Response:
        headers = {"x-ms-error-code": error.code, **error.headers}
        if request.method == "HEAD" or error.status == 304:  # noqa: PLR2004 - Not Modified
            return Response(error.status, b"", headers)
        time = f"{self._store.now():%Y-%m-%dT%H:%M:%S.%f}0Z"
        body = error.xml(request_id=request_id, time=time)
        return Response(error.status, body, {**headers, "Content-Type": "application/xml"})

    def _answer(self, request: Request) -> Response:
        version = request.headers.get("x-ms-version", "")
        if version and not VERSION.fullmatch(version):
            raise bad_header("x-ms-version", version)
        resource, level = _locate(request)
        grant = self._authenticator.grant(request, resource)
        if is_batch(request) and level != "o":
            return answer_batch(request, self.handle)
        query = {n.lower(): v for n, v in parse_qsl(resource.query, keep_blank_values=True)}
        run, needed = _operation(request.method, level, query, service=resource.service)
        grant.check(level=level, needed=needed)
        call = Call(
            request=request,
            store=self._store,
            grant=grant,
            account=resource.account,
            service=resource.service,
            container_name=resource.container,
            blob_name=resource.blob,
            query=query,
            now=self._store.now(),
        )
        return run(call)

    @property
    def store(self) -> BlobStore:
        """The store of the blobs: Data Lake works on the same ones."""
        return self._store

    def key_for(self, account: str) -> str:
        """Return an account's first key, in base64."""
        return self._keys(account)[0]

    def keys_for(self, account: str) -> tuple[str, ...]:
        """Return all of an account's keys, in base64."""
        return tuple(self._keys(account))

    def blob(self, account: str, container: str, name: str) -> bytes | None:
        """Return a blob's content; None where there is no such blob."""
        found = self._containers().get((account, container), {}).get(name)
        return found.content if found else None

    def metadata(self, account: str, container: str, name: str) -> dict[str, str] | None:
        """Return a blob's metadata; None where there is no such blob."""
        found = self._containers().get((account, container), {}).get(name)
        return dict(found.metadata) if found else None

    def blobs(self) -> tuple[str, ...]:
        """Return every blob's `account/container/name`, in order."""
        found = self._containers().items()
        return tuple(sorted("/".join((*place, name)) for place, held in found for name in held))

    def leases(self) -> dict[str, str]:
        """Return the lease ids of the blobs that are locked now, by `account/container/name`."""
        now = self._store.now()
        return {
            "/".join((*place, name)): found.lease.lease_id
            for place, held in self._containers().items()
            for name, found in held.items()
            if found.lease.locked(now)
        }

    def _containers(self) -> dict[tuple[str, str], dict[str, Blob]]:
        # a copy: whoever inspects is in another thread than the server
        return {
            (account, name): held.blobs
            for account, kept in self._store.copy().items()
            for name, held in kept.containers.items()
        }

    def snapshot(self) -> dict[str, Account]:
        """Return a copy of all content, for `restore`."""
        return self._store.copy()

    def restore(self, content: dict[str, Account]) -> None:
        """Put back content that `snapshot` gave; it can be put back more than once."""
        self._store.accounts = {name: account.copy() for name, account in content.items()}


def _locate(request: Request) -> tuple[Resource, str]:
    """Find what a request is about, and its level: s(ervice), c(ontainer) or o(bject)."""
    match = HOST.fullmatch(request.host)
    if match is None:
        raise StorageError("InvalidUri")
    path, query = _split(request.target)
    container_name, _, name = unquote(path).removeprefix("/").partition("/")
    parameters = dict(parse_qsl(query))
    kind = parameters.get("restype", "").lower()
    level = "o" if name else "c" if container_name else "s"
    if kind == "account":
        level = "s"
    elif level == "c" and kind != "container":
        level, container_name, name = "o", ROOT, container_name
    resource = Resource(
        account=match[1].lower(),
        service=match[2].lower(),
        container=container_name,
        blob=name,
        path=path,
        query=query,
    )
    return resource, level


def _split(target: str) -> tuple[str, str]:
    """Return a target's path, as it was sent, and its query."""
    if not target.startswith("/"):  # absolute-form, as a proxy gets it
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise StorageError("InvalidUri") from error
        return parts.path or "/", parts.query
    path, _, query = target.partition("?")
    return path, query


def _operation(method: str, level: str, query: dict[str, str], *, service: str) -> Operation:
    kind, comp = query.get("restype", "").lower(), query.get("comp", "").lower()
    route = (level, kind, comp)
    methods = ROUTES.get(route)
    if service != BLOB and route != PROPERTIES_OF_SERVICE:
        raise StorageError(
            "FeatureNotSupported", status=400, words=f"The stand-in for Azure has no {service}s."
        )
    if methods is None:
        reason = "The stand-in for Azure does not know this operation."
        raise bad_query("comp" if comp else "restype", comp or kind, reason)
    if method not in methods:
        raise StorageError("UnsupportedHttpVerb", headers={"Allow": ", ".join(sorted(methods))})
    return methods[method]
