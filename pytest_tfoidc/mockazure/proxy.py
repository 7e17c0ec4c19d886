"""Which hosts the stand-in's proxy answers itself, passes through, or refuses."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hmac
import re
import secrets
import ssl
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_tfoidc.mockazure.certificates import public_certificates

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.httpserver import LOOPBACK, TlsStream

REGISTRY_HOSTS = (
    "registry.terraform.io",
    "registry.opentofu.org",
    "*.hashicorp.com",
    "*.opentofu.org",
    "github.com",
    "api.github.com",
    "codeload.github.com",
    "ghcr.io",
    "pkg-containers.githubusercontent.com",
    "objects.githubusercontent.com",
    "raw.githubusercontent.com",
    "release-assets.githubusercontent.com",
)
CONNECT_SECONDS = 10.0
CHUNK = 64 * 1024
HTTPS_PORT = 443
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


HTTPS_PORT = 443
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
MOST_LETTERS = 253  # of a host's name


def is_host_name(host: str) -> bool:
    """Tell whether a text could be a host's name, or an IPv4 address; underscores are let pass."""
    labels = host.lower().split(".")
    return len(host) <= MOST_LETTERS and all(map(LABEL.fullmatch, labels))


@functools.lru_cache(maxsize=4096)
def matches(host: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a host is one of the patterns, label by label.

    A `*` at the beginning stands for one label or more, in other places for a part of one.
    """
    labels = host.lower().split(".")
    return is_host_name(host) and any(_fits(labels, pattern.split(".")) for pattern in patterns)


def _fits(labels: list[str], wanted: list[str]) -> bool:
    if wanted[0] == "*" and len(labels) > len(wanted):
        labels = labels[len(labels) - len(wanted) :]
    pairs = zip(labels, wanted, strict=False)
    return len(labels) == len(wanted) and all(fnmatchcase(label, want) for label, want in pairs)


def may_pass(host: str, port: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a tunnel to a host is let through: at port 443, or at one that is named."""
    if port == str(HTTPS_PORT) and matches(host, patterns):
        return True
    return any(matches(host, (p[: -len(port) - 1],)) for p in patterns if p.endswith(f":{port}"))


class ProxyCredential:
    """The credential of one run's clients for its proxy: a user and a password in its URL."""

    USER = "tfoidc"

    def __init__(self) -> None:
        self.password: str = secrets.token_urlsafe(24)
        self._expected = base64.b64encode(f"{self.USER}:{self.password}".encode()).decode()

    def is_shown_by(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request has the credential."""
        scheme, _, shown = headers.get("proxy-authorization", "").partition(" ")
        is_right = hmac.compare_digest(shown.strip().encode(), self._expected.encode())
        return scheme.lower() == "basic" and is_right

    def url(self, port: int) -> str:
        """Return the proxy's URL, with the credential in it."""
        return f"http://{self.USER}:{self.password}@{LOOPBACK}:{port}"


def upstream_proxy(host: str, environment: Mapping[str, str]) -> str | None:
    """Return the outer environment's proxy for an https host, if it has one for it."""
    named = {k.lower(): v for k, v in environment.items() if k.lower().endswith("_proxy") and v}
    proxy = named.get("https_proxy") or named.get("all_proxy")
    if proxy is None:
        return None
    import requests.utils  # noqa: PLC0415 - heavy; few runs go out through a proxy

    bypass = requests.utils.should_bypass_proxies(
        f"https://{host}/", no_proxy=named.get("no_proxy", "")
    )
    return None if bypass else proxy


async def open_tunnel(
    host: str, port: int, environment: Mapping[str, str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a host, through the outer environment's proxy where it has one.

    Raises:
        OSError: The host or the proxy cannot be reached, or the proxy refuses.
        TimeoutError: Nobody answered within ten seconds.
    """
    proxy = upstream_proxy(host, environment)
    connecting = _through(proxy, host, port) if proxy else asyncio.open_connection(host, port)
    try:
        return await asyncio.wait_for(connecting, CONNECT_SECONDS)
    except asyncio.TimeoutError as error:  # not yet the built-in one in Python 3.10
        raise TimeoutError(f"no answer within {CONNECT_SECONDS:.0f}s") from error


async def _through(
    proxy: str, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=secure or None
    )
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    if parts.username:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        writer.close()
        raise ConnectionError("the outer proxy gave no answer") from error
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        writer.close()
        raise ConnectionError(f"the outer proxy answered {status!r}")
    return reader, writer


async def splice(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways, untouched, until both sides have closed."""
    try:
        await asyncio.gather(
            _carry(client[0], upstream[1]), _carry(upstream[0], client[1]), return_exceptions=True
        )
    finally:
        upstream[1].close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    finally:
        with contextlib.suppress(OSError, RuntimeError):
            if target.can_write_eof():
                target.write_eof()


async def forward(
    request: Request, client: asyncio.StreamWriter | TlsStream, *, environment: Mapping[str, str]
) -> None:
    """Send a request of a host that is played here to the real one, and carry its answer back.

    The client's connection is of no more use after that.

    Args:
        request: It goes as it came, its credential included.
        client: Gets the answer's bytes.
        environment: The outer environment: its proxy and its certificates count.

    Raises:
        OSError: The host cannot be reached, or its certificate is not trusted.
    """
    tunnel = await open_tunnel(request.host, HTTPS_PORT, environment)
    context = ssl.create_default_context(cadata=_as_text(public_certificates(environment)))
    reader, writer = await _secured(tunnel[1], context, request.host)
    try:
        writer.write(_as_sent(request))
        await writer.drain()
        while data := await reader.read(CHUNK):
            client.write(data)
            await client.drain()
    finally:
        writer.close()


async def _secured(
    plain: asyncio.StreamWriter, context: ssl.SSLContext, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        transport = await loop.start_tls(
            plain.transport,
            protocol,
            context,
            server_hostname=host,
            ssl_handshake_timeout=CONNECT_SECONDS,
        )
    except BaseException:
        plain.close()
        raise
    if transport is None:
        raise ConnectionResetError(host)
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _as_sent(request: Request) -> bytes:
    """Write a request for one answer: without what is between the client and us."""
    kept = {n: v for n, v in request.headers.items() if n not in HOP_BY_HOP}
    kept = {"host": request.host, **kept, "connection": "close"}
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        kept["content-length"] = str(len(request.body))
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{n}: {v}" for n, v in kept.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


def _as_text(certificates: bytes) -> str | None:
    return certificates.decode("ascii", "ignore") or None


def is_git_read(request: Request) -> bool:
    """Tell whether git or an archive of a repository is read, as modules are fetched; no push."""
    path = request.path.lower()
    if "/_git/" in path:
        service = request.query.get("service", "git-upload-pack")
        is_refs = path.endswith("/info/refs") and service == "git-upload-pack"
        return is_refs or path.endswith(("/git-upload-pack", "/info/lfs/objects/batch"))
    return request.method == "GET" and "/_apis/git/" in path and path.endswith("/items")
