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
import os
import re
import resource
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from pytest_tfoidc.errors import TfOidcError

if TYPE_CHECKING:
    from typing_extensions import Self

LOOPBACK = "127.0.0.1"
MAX_BODY = 64 * 1024 * 1024  # bytes; Terraform states of large estates reach tens of megabytes
READ_SIZE = 64 * 1024
TLS_SIZE = 16 * 1024  # bytes: the largest record
BACKLOG = 2048
MOST_CONNECTIONS = 1024
LEAST_CONNECTIONS = 8
SPARED = 16  # file descriptors
HEAD_SECONDS = 15.0  # for a handshake, or for a request's head once it has begun
IDLE_SECONDS = 15.0  # between two requests: clients open a new connection without being told
BODY_SECONDS = 30.0  # without a byte of the body
LINGER_SECONDS = 2.0  # for a client that is refused while it is still sending
LINGER_READS = 64
WATCH_SECONDS = 0.5
LATE = 3
RETRY_SECONDS = 0.2
MOST_DEFECTS = 100
MALFORMED = re.compile(rb"(?<!\r)\n|\r(?=[^\n])|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# bare line ends, folded lines, control characters
QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
STOP_SECONDS = 10.0
STEPS = 10  # of the loop: asyncio leaks a client who is half accepted, or half closed, at its end

log = logging.getLogger(__name__)
T = TypeVar("T")


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


Admit = Callable[[Request], "Response | None"]


class Vigil:
    """How long a client may take for what it does now, and whether it does anything.

    Args:
        writer: The client's connection.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.since = 0.0
        self.until: float | None = None
        self.is_idle = False
        self.expect(HEAD_SECONDS)

    def expect(self, seconds: float, *, idle: bool = False) -> None:
        """Close the connection unless something comes within so many seconds."""
        self.since = asyncio.get_running_loop().time()
        self.until = self.since + seconds
        self.is_idle = idle

    def rest(self) -> None:
        """Let it take as long as it takes: it is our turn."""
        self.until, self.is_idle = None, False

    @property
    def can_be_closed(self) -> bool:
        """Whether the client would lose nothing that it has asked for."""
        return self.until is not None

    def end(self) -> None:
        """Close the connection; what the client does not take is lost."""
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()


class TlsStream:
    """TLS over a connection, as its server.

    asyncio's own holds 256 KB for each connection. This holds what is under way, and no more.

    Args:
        reader: What the client sends.
        writer: What is sent to the client.
        context: Has the certificate.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def shake_hands(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: The client does not speak TLS, or refuses the certificate.
        """
        await self._drive(self._tls.do_handshake)

    async def read(self, size: int) -> bytes:
        """Read what has come; nothing where the client has closed."""
        try:
            return await self._drive(partial(self._tls.read, min(size, TLS_SIZE)))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def _drive(self, call: Callable[[], T]) -> T:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:  # noqa: PERF203 - that is how it says so
                self._send()
                await self._writer.drain()
                data = await self._reader.read(TLS_SIZE)
                self._receive(data)
            except ssl.SSLError:
                self._send()  # the alert that says why
                raise
            else:
                self._send()
                return result

    def _receive(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _send(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())

    @property
    def transport(self) -> asyncio.WriteTransport:
        """The socket's transport."""
        return self._writer.transport

    def write(self, data: bytes) -> None:
        """Write without waiting."""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]
            self._send()

    async def drain(self) -> None:
        """Wait until the client has taken most of it."""
        await self._writer.drain()

    def close(self) -> None:
        """Say good-bye, and close when everything is written."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._send()
        self._writer.close()


class Connection:
    """One client: requests in, responses out, until either side has had enough.

    Args:
        reader: What the client sends.
        writer: What is sent to the client.
        vigil: Watches over the time that it takes.
        scheme: http or https.
        host: Whom the client takes us for; empty where its requests say so.
        admit: Refuses a request by its head, before its body is read.
        most_body: The largest body, in bytes; None for what a state may need.
    """

    def __init__(  # noqa: PLR0913 - keyword only
        self,
        reader: asyncio.StreamReader | TlsStream,
        writer: asyncio.StreamWriter | TlsStream,
        *,
        vigil: Vigil,
        scheme: str = "http",
        host: str = "",
        admit: Admit = lambda _request: None,
        most_body: int | None = None,
    ) -> None:
        self._most_body = most_body
        self.reader = reader
        self.writer = writer
        self.scheme = scheme
        self.host = host
        self._vigil = vigil
        self._admit = admit
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_SIZE)

    async def serve(self, answer: Callable[[Request, Connection], Awaitable[bool]]) -> None:
        """Pass every request to `answer`, until it gives False or the client leaves."""
        while True:
            try:
                request = await self._read_request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error.error_status_hint)
                return
            if request is None or not await answer(request, self):
                return
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()
            self._vigil.expect(IDLE_SECONDS, idle=True)

    async def _next_event(self) -> Any:  # noqa: ANN401 - h11's own union
        while True:
            self._check_head()
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._send(self._http.send(go_on))
            is_body = self._http.their_state is h11.SEND_BODY
            if is_body:
                self._acknowledge()
                self._vigil.expect(BODY_SECONDS)
            data = await self.reader.read(READ_SIZE)
            if self._vigil.is_idle:
                self._vigil.expect(HEAD_SECONDS)
            self._http.receive_data(data)

    def _check_head(self) -> None:
        """Refuse what servers read differently: lines that end or begin as no client's do."""
        if self._http.their_state is not h11.IDLE:
            return
        head, end, _ = self._http.trailing_data[0].partition(b"\r\n\r\n")
        if MALFORMED.search(head + end[:2]):
            raise h11.RemoteProtocolError("malformed lines", error_status_hint=400)

    def _acknowledge(self) -> None:
        """Acknowledge what has come at once; Linux would wait for 40 ms with that.

        A client with Nagle's algorithm sends the body only then. urllib3, and so `requests` and the
        Azure SDK for Python, turns it on for connections through a proxy.
        """
        connected = self.writer.transport.get_extra_info("socket")
        if QUICK_ACK is not None and connected is not None:
            with contextlib.suppress(OSError):  # the client has left: the next read says so
                connected.setsockopt(socket.IPPROTO_TCP, QUICK_ACK, 1)

    async def _read_request(self) -> Request | None:
        head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None  # the client closed the connection
        request = self._as_request(head)
        refusal = self._admit(request)
        if refusal is not None:
            self._vigil.rest()
            headers = {**refusal.headers, "Connection": "close"}
            await self.respond(replace(refusal, headers=headers), method=request.method)
            await self._linger()
            return None
        chunks, size = [], 0
        while isinstance(event := await self._next_event(), h11.Data):
            size += len(event.data)
            if size > (self._most_body or MAX_BODY):
                raise h11.RemoteProtocolError("body too large", error_status_hint=413)
            chunks.append(bytes(event.data))
        self._vigil.rest()
        return replace(request, body=b"".join(chunks))

    async def _linger(self) -> None:
        """Let the client read why before its connection ends, though it is still sending."""
        self._vigil.expect(LINGER_SECONDS)
        for _ in range(LINGER_READS):
            if self._http.their_state is h11.DONE or not await self.reader.read(READ_SIZE):
                return

    def _as_request(self, head: h11.Request) -> Request:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in head.headers}
        if {"content-length", "transfer-encoding"} <= headers.keys():
            raise h11.RemoteProtocolError("two lengths", error_status_hint=400)
        if int(headers.get("content-length", 0)) > (self._most_body or MAX_BODY):
            raise h11.RemoteProtocolError("body too large", error_status_hint=413)
        target = head.target.decode("latin-1")
        try:
            parts = urlsplit(target)
            named = urlsplit(f"//{headers.get('host', '')}").hostname
        except ValueError as error:
            raise h11.RemoteProtocolError("bad target", error_status_hint=400) from error
        return Request(
            method=head.method.decode("latin-1"),
            scheme=self.scheme,
            host=self.host or parts.hostname or named or "",
            target=target,
            headers=headers,
            connection=self,
        )

    async def _refuse(self, status: int) -> None:
        """Refuse what is no request, in words that hold nothing of it."""
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._vigil.rest()
            why = http.HTTPStatus(status).phrase
            await self.respond(Response.text(why, status=status, headers={"Connection": "close"}))
            await self._linger()

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
            await self._refuse(400)
            return False
        await self._send(self._http.send(h11.Response(status_code=200, headers=[])))
        return True

    async def _send(self, data: bytes | None) -> None:
        self.writer.write(data or b"")
        await self.writer.drain()

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The client's own streams, for what is passed on as it is."""
        assert isinstance(self.reader, asyncio.StreamReader)  # noqa: S101 - no TLS inside TLS
        assert isinstance(self.writer, asyncio.StreamWriter)  # noqa: S101 - the same
        return self.reader, self.writer

    async def start_tls(self, context: ssl.SSLContext, host: str) -> Connection:
        """Speak TLS as the server of `host` from here on.

        Raises:
            ssl.SSLError: The client does not speak TLS, or refuses the certificate.
        """
        self._vigil.expect(HEAD_SECONDS)
        stream = TlsStream(*self.streams, context)
        await stream.shake_hands()
        self._vigil.expect(HEAD_SECONDS)
        return Connection(
            stream, stream, vigil=self._vigil, scheme="https", host=host, admit=self._admit
        )


def most_connections(share: float) -> int:
    """Return how many clients may be connected: so many that the process can still open files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS if limit == resource.RLIM_INFINITY else int(limit * share) - SPARED
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, wanted))


async def _listening() -> socket.socket:
    """Return a socket that listens; asyncio binds it, and we accept."""
    server = await asyncio.start_server(
        lambda _reader, _writer: None, LOOPBACK, 0, start_serving=False
    )
    listening = socket.socket(fileno=os.dup(server.sockets[0].fileno()))
    server.close()
    listening.listen(BACKLOG)
    return listening


async def _take_steps() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


class LoopbackServer:
    """An HTTP server on 127.0.0.1 with a port of the system's choice, in a thread of its own.

    Args:
        handler: Answers requests, in the server's loop.
        name: The thread's name.
        admit: Refuses a request by its head; None lets it through.
        share: The part of the process's file descriptors that connections may take.
        most_body: The largest body, in bytes.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        name: str = "tfoidc-loopback",
        admit: Admit = lambda _request: None,
        share: float = 0.5,
        most_body: int | None = None,
    ) -> None:
        self._most_body = most_body
        self._handler = handler
        self._admit = admit
        self._share = share
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._clients: dict[asyncio.Task[None], Vigil] = {}
        self._room: asyncio.Event
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
            self._socket = self._loop.run_until_complete(_listening())
        except OSError as error:
            self._loop.close()
            raise TfOidcError(
                "No port could be opened on loopback.",
                where=LOOPBACK,
                cause=str(error),
                remedy="Allow this process to listen on 127.0.0.1 (sandbox, firewall, file limit).",
            ) from error
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._loop is not None  # noqa: S101 - for mypy: start() made it
        asyncio.set_event_loop(self._loop)
        self._room = asyncio.Event()
        keep = self._loop.create_task
        self._keepers = [keep(self._accept_clients()), keep(self._watch_clients())]
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
        tasks = (*self._keepers, *self._clients)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        await _take_steps()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    async def _accept_clients(self) -> None:
        """Accept one client after the other, as long as there is room.

        asyncio's own server accepts whatever comes, and writes a traceback for each that finds no
        file descriptor, thousands a second.
        """
        assert self._socket is not None  # noqa: S101 - for mypy: start() made it
        loop, is_told = asyncio.get_running_loop(), False
        while True:
            await self._make_room()
            try:
                client, _ = await loop.sock_accept(self._socket)
                await self._welcome(client)
            except OSError as error:
                if not is_told:
                    log.warning("%s accepts nobody now: %s", self._name, error)
                is_told = True
                self._close_longest()
                await asyncio.sleep(RETRY_SECONDS)

    async def _make_room(self) -> None:
        while len(self._clients) >= most_connections(self._share):
            self._room.clear()
            self._close_longest()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._room.wait(), RETRY_SECONDS)

    def _close_longest(self) -> None:
        """Close the connection that has done nothing for the longest time; idle ones first."""
        patient = [vigil for vigil in self._clients.values() if vigil.can_be_closed]
        if patient:
            min(patient, key=lambda vigil: (not vigil.is_idle, vigil.since)).end()

    async def _welcome(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, client)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        vigil = Vigil(writer)
        task = loop.create_task(self._client(reader, writer, vigil))
        self._clients[task] = vigil
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        del self._clients[task]
        self._room.set()

    async def _watch_clients(self) -> None:
        """Close the connections of those who take too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            before, now = now, loop.time()
            if now - before > LATE * WATCH_SECONDS:
                continue  # it is we who were late: what they have sent is not read yet
            for vigil in tuple(self._clients.values()):
                if vigil.until is not None and vigil.until < now:
                    vigil.end()

    async def _client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, vigil: Vigil
    ) -> None:
        connection = Connection(
            reader, writer, vigil=vigil, admit=self._admit, most_body=self._most_body
        )
        try:
            await connection.serve(self.answer)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("client left: %s", type(error).__name__)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
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
            if len(self.defects) < MOST_DEFECTS:
                self.defects.append(error)
            log.exception("defect in the handler of %s %s", request.method, request.host)
            return Response.text(f"defect in pytest-tfoidc: {type(error).__name__}", status=400)
