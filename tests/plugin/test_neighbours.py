"""A hostile neighbour on the same machine: what it asks for, and what it holds open."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.auth import _basic_auth_str

from pytest_tfoidc import httpserver
from pytest_tfoidc.clock import VirtualClock, real_seconds, real_sleep
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import LOOPBACK, LoopbackServer, Request, Response
from pytest_tfoidc.mockazure.proxy import matches, may_pass
from pytest_tfoidc.mockazure.server import MockAzure

PATIENCE = 20.0
PAGE = resource.getpagesize()


def echo(_request: Request) -> Response:
    return Response.text("ok")


def memory() -> float:
    """Return this process's resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def asked(port: int, data: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as client:
        client.sendall(data)
        return client.recv(65536)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limits be short."""
    for name in ("HEAD_SECONDS", "IDLE_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(httpserver, name, 0.3)
    monkeypatch.setattr(httpserver, "WATCH_SECONDS", 0.05)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockAzure]:
    with MockAzure(clock=VirtualClock(), events=EventLog(), environment={}) as mock:
        yield mock


HALF_OPEN = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "idle": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", HALF_OPEN)
@pytest.mark.usefixtures("hasty")
def test_a_client_that_does_nothing_is_sent_away(kind: str) -> None:
    with (
        LoopbackServer(echo) as server,
        socket.create_connection((LOOPBACK, server.port), timeout=PATIENCE) as client,
    ):
        client.sendall(HALF_OPEN[kind])
        while client.recv(65536):
            pass  # an answer, and then the end


@pytest.mark.parametrize("kind", HALF_OPEN)
@pytest.mark.usefixtures("hasty")
def test_a_thousand_such_clients_leave_nothing_behind(kind: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4000), hard))
    try:
        with LoopbackServer(echo) as server, contextlib.ExitStack() as stack:
            before, open_before = memory(), files()
            clients = [
                stack.enter_context(socket.create_connection((LOOPBACK, server.port), PATIENCE))
                for _ in range(1000)
            ]
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(HALF_OPEN[kind])
            end = real_seconds() + PATIENCE
            while server._clients and real_seconds() < end:
                real_sleep(0.05)
            assert not server._clients
            assert memory() - before < 60
            assert files() - open_before <= 1000 + 2  # those of the clients, which are ours
            assert asked(server.port, HALF_OPEN["idle"]).startswith(b"HTTP/1.1 200")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_at_the_limit_of_open_files_we_can_still_open_some(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = files() + 100
    with LoopbackServer(echo) as server, contextlib.ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            for _ in range(45):  # the clients' own are of this process too
                stack.enter_context(socket.create_connection((LOOPBACK, server.port), PATIENCE))
            assert Path("/proc/self/stat").read_text()
            assert asked(server.port, HALF_OPEN["idle"]).startswith(b"HTTP/1.1 200")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(caplog.messages) <= 1


def test_a_body_is_not_read_from_whom_is_refused() -> None:
    def nobody(_request: Request) -> Response:
        return Response.text("no", status=401)

    with (
        LoopbackServer(echo, admit=nobody) as server,
        socket.create_connection((LOOPBACK, server.port), timeout=PATIENCE) as client,
    ):
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401")


MALFORMED = {
    "two lengths": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": b"X: a\r\n b\r\n\r\n",
    "bare line feed": b"X: a\n\r\n",
    "bare line feeds": b"X: a\n\n",
    "bare return": b"X: a\rY: b\r\n\r\n",
    "two hosts": b"Host: y\r\n\r\n",
    "control character": b"Authorization: Bearer planted\x01token\r\n\r\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_servers_read_differently_is_refused_and_not_repeated(kind: str) -> None:
    with LoopbackServer(echo) as server:
        answer = asked(server.port, b"GET / HTTP/1.1\r\nHost: x\r\n" + MALFORMED[kind])
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"planted" not in answer


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("", 407),
        ("Proxy-Authorization: Basic dGZvaWRjOndyb25n\r\n", 407),
        ("Proxy-Authorization: Bearer x\r\n", 407),
        ("right", 200),
    ],
)
def test_the_proxy_answers_only_whom_has_its_credential(
    mock: MockAzure, shown: str, status: int
) -> None:
    right = f"Proxy-Authorization: {_basic_auth_str('tfoidc', mock.credential.password)}\r\n"
    shown = right if shown == "right" else shown
    head = f"CONNECT management.azure.com:443 HTTP/1.1\r\nHost: x\r\n{shown}\r\n"
    assert asked(mock.port, head.encode()).split(b" ")[1] == str(status).encode()


@pytest.mark.parametrize(
    "target",
    ["github.com:22", "registry.terraform.io:80", "x/.hashicorp.com:443", "a_b.azure.com:443"],
)
def test_no_other_port_and_no_other_name_passes(mock: MockAzure, target: str) -> None:
    shown = _basic_auth_str("tfoidc", mock.credential.password)
    head = f"CONNECT {target} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: {shown}\r\n\r\n"
    assert asked(mock.port, head.encode()).split(b" ")[1] == b"403"
    assert mock.defects == []


@pytest.mark.parametrize(
    ("host", "pattern", "fits"),
    [
        ("releases.hashicorp.com", "*.hashicorp.com", True),
        ("a.b.hashicorp.com", "*.hashicorp.com", True),
        ("hashicorp.com", "*.hashicorp.com", False),
        (".hashicorp.com", "*.hashicorp.com", False),
        ("127.0.0.1/.hashicorp.com", "*.hashicorp.com", False),
        ("evilhashicorp.com", "*.hashicorp.com", False),
        ("a.hashicorp.com.evil.example", "*.hashicorp.com", False),
        ("GitHub.com", "github.com", True),
        ("anything.example", "*", True),
        ("", "*", False),
        ("a..b", "*", False),
    ],
)
def test_hosts_are_matched_by_their_labels(host: str, pattern: str, *, fits: bool) -> None:
    assert matches(host, (pattern,)) is fits


def test_another_port_passes_where_it_is_named() -> None:
    assert may_pass("registry.internal", "8443", ("registry.internal:8443",))
    assert not may_pass("registry.internal", "8443", ("registry.internal",))


def test_many_fresh_connections_leave_the_server_small() -> None:
    with LoopbackServer(echo) as server:
        before, held = memory(), []
        for _ in range(1500):
            client = socket.create_connection((LOOPBACK, server.port), timeout=PATIENCE)
            client.sendall(HALF_OPEN["idle"])
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            held.append(client)
            if len(held) > 200:
                held.pop(0).close()
        for client in held:
            client.close()
        assert memory() - before < 40
    assert not [t for t in threading.enumerate() if t.name == "tfoidc-loopback"]
