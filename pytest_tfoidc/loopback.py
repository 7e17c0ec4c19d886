"""A small HTTP/1.1 server on 127.0.0.1, for the relay and for the stand-in.

One thread runs an asyncio loop. Handlers run in it, one at a time, so what they share needs no
lock; a handler that has to wait is a coroutine. HTTP itself is h11's.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import inspect
import json
import logging
import socket
import ssl
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from pytest_tfoidc.errors import TfOidcError

if TYPE_CHECKING:
    from typing_extensions import Self

LOOPBACK = "127.0.0.1"
MAX_BODY = 64 * 1024 * 1024  # bytes; Terraform states of large estates reach tens of megabytes
READ_SIZE = 64 * 1024
BACKLOG = 2048
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
STOP_SECONDS = 10.0
STEPS = 10  # of the loop: asyncio leaks a client who is half accepted, or half closed, at its end

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are in lower case; `path` is percent-decoded.

    `connection` stands for the client's connection: requests on the same one have the same.
    """

    method: str
    scheme: str
    host: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connection: object = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> str:
        """The decoded path, without the query."""
        if self.target.startswith("/"):  # which may go on with a second one: not a host then
            return unquote(self.target.partition("?")[0])
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last value."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body of an HTML form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def bearer(self) -> str | None:
        """The token of an `Authorization: Bearer` header; None where there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(frozen=True)
class Response:
    """One HTTP response. Go's clients show the `reason` of a refused CONNECT to their user."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def json(
        cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make a JSON response."""
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, json.dumps(value).encode(), {**kind, **(headers or {})})

    @classmethod
    def text(
        cls,
        value: str,
        *,
        status: int = 200,
        kind: str = "text/plain",
        headers: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> Response:
        """Make a response of text of some media type."""
        kinds = {"Content-Type": f"{kind}; charset=utf-8"}
        return cls(status, value.encode(), {**kinds, **(headers or {})}, reason)


Handler = Callable[[Request], Response | Awaitable[Response]]


class Connection:
    """One client: requests in, responses out, until either side has had enough."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, scheme: str, host: str
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.scheme = scheme
        self.host = host
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_SIZE)

    async def serve(self, answer: Callable[[Request, Connection], Awaitable[bool]]) -> None:
        """Pass every request to `answer`, until it gives False or the client leaves."""
        while True:
            try:
                request = await self._read_request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint, str(error))
                return
            if request is None or not await answer(request, self):
                return
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _next_event(self) -> Any:  # noqa: ANN401 - h11's own union
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._send(self._http.send(go_on))
            if self._http.their_state is h11.SEND_BODY:
                self._acknowledge()
            self._http.receive_data(await self.reader.read(READ_SIZE))

    def _acknowledge(self) -> None:
        """Acknowledge what has come at once; Linux would wait for 40 ms with that.

        A client with Nagle's algorithm sends the body only then. urllib3, and so `requests` and the
        Azure SDK for Python, turns it on for connections through a proxy.
        """
        connected = self.writer.get_extra_info("socket")
        if QUICK_ACK is not None and connected is not None:
            with contextlib.suppress(OSError):  # the client has left: the next read says so
                connected.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)

    async def _read_request(self) -> Request | None:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None  # the client closed the connection
        chunks, size = [], 0
        while isinstance(event := await self._next_event(), h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
            chunks.append(bytes(event.data))
        return self._as_request(head, b"".join(chunks))

    def _as_request(self, head: h11.Request, body: bytes) -> Request:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in head.headers}
        target = head.target.decode("latin-1")
        try:
            parts = urlsplit(target)
            host = self.host or parts.hostname or urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError as error:
            raise h11.RemoteProtocolError(f"bad target: {error}", error_status_hint=400) from error
        return Request(
            method=head.method.decode("latin-1"),
            scheme=self.scheme,
            host=host or "",
            target=target,
            headers=headers,
            body=body,
            connection=self,
        )

    async def _refuse(self, status: int, why: str) -> None:
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self.respond(Response.text(why, status=status, headers={"Connection": "close"}))

    async def respond(self, response: Response, *, method: str = "GET") -> None:
        """Send a response; to HEAD, without its body."""
        headers = [*response.headers.items()]
        if "content-length" not in {name.lower() for name in response.headers}:
            headers.append(("Content-Length", str(len(response.body))))
        reason = (response.reason or http.HTTPStatus(response.status).phrase).encode()
        head = h11.Response(status_code=response.status, headers=headers, reason=reason)
        data = self._http.send(head) or b""
        if method != "HEAD" and response.status not in {204, 304}:
            data += self._http.send(h11.Data(data=response.body)) or b""
        await self._send(data + (self._http.send(h11.EndOfMessage()) or b""))

    async def respond_to_connect(self) -> bool:
        """Accept a CONNECT. False where the client sent more before it had the answer."""
        if self._http.trailing_data[0]:
            await self._refuse(400, "wait for the answer to CONNECT before sending more")
            return False
        await self._send(self._http.send(h11.Response(status_code=200, headers=[])))
        return True

    async def _send(self, data: bytes | None) -> None:
        self.writer.write(data or b"")
        await self.writer.drain()

    async def start_tls(self, context: ssl.SSLContext, host: str) -> Connection:
        """Speak TLS as the server of `host` from here on.

        Raises:
            ssl.SSLError: The client does not speak TLS, or refuses the certificate.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport = await loop.start_tls(
            self.writer.transport, protocol, context, server_side=True, ssl_handshake_timeout=30
        )
        if transport is None:  # the client left during the handshake
            raise ConnectionResetError(host)
        protocol.connection_made(transport)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return Connection(reader, writer, scheme="https", host=host)


async def _take_steps() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


class LoopbackServer:
    """An HTTP server on 127.0.0.1 with a port of the system's choice, in a thread of its own.

    Args:
        handler: Answers requests, in the server's loop.
        name: The thread's name.
    """

    def __init__(self, handler: Handler, *, name: str = "tfoidc-loopback") -> None:
        self._handler = handler
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.AbstractServer | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._transports: weakref.WeakSet[asyncio.WriteTransport] = weakref.WeakSet()
        self.port = 0
        self.defects: list[BaseException] = []

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Bind the port and serve.

        Raises:
            TfOidcError: No port can be had.
        """
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(
                asyncio.start_server(self._accept, LOOPBACK, 0, backlog=BACKLOG)
            )
        except OSError as error:
            self._loop.close()
            raise TfOidcError(
                "No port could be opened on loopback.",
                where=LOOPBACK,
                cause=str(error),
                remedy="Allow this process to listen on 127.0.0.1 (sandbox, firewall, file limit).",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101 - for mypy: start() made it
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def stop(self) -> None:
        """Close every connection and join the thread.

        Raises:
            RuntimeError: The thread is still running after ten seconds.
        """
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError(f"{self._name} did not stop")
        self._loop = self._thread = None

    async def _close(self) -> None:
        await _take_steps()
        if self._server is not None:
            self._server.close()
        clients = tuple(self._clients)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        for transport in tuple(self._transports):
            transport.abort()
        await _take_steps()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._client(reader, writer))
        self._clients.add(task)
        self._transports.add(writer.transport)
        task.add_done_callback(self._clients.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, scheme="http", host="")
        try:
            await connection.serve(self.answer)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("client left: %s", type(error).__name__)
        finally:
            # Its end is not waited for: the writer does not hear of it once TLS has taken over.
            writer.close()

    async def answer(self, request: Request, connection: Connection) -> bool:
        """Answer one request. False ends the connection."""
        await connection.respond(await self.handle(request), method=request.method)
        return True

    async def handle(self, request: Request) -> Response:
        """Call the handler. What it raises is a defect of ours: kept, and answered as a 400.

        Azure's clients retry a 5xx for minutes or hours, so a defect must not look like one.
        """
        try:
            result = self._handler(request)
            return await result if inspect.isawaitable(result) else result
        except Exception as error:  # kept for whoever stops the server
            self.defects.append(error)
            log.exception("defect in the handler of %s %s", request.method, request.host)
            return Response.text(f"defect in pytest-tfoidc: {type(error).__name__}", status=400)
