"""The HTTP server of the relay and the stand-in, over real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from pytest_tfoidc import httpserver
from pytest_tfoidc.httpserver import LoopbackServer, Request, Response


def echo(request: Request) -> Response:
    if request.path == "/defect":
        raise ZeroDivisionError
    return Response.json(
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "host": request.host,
            "bearer": request.bearer,
            "size": len(request.body),
        }
    )


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(echo) as server:
        yield server


def raw(server: LoopbackServer, data: bytes, *, half_close: bool = False) -> bytes:
    with socket.create_connection((httpserver.LOOPBACK, server.port), timeout=10) as client:
        client.sendall(data)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        return received


def test_requests_are_answered_with_what_they_said(server: LoopbackServer) -> None:
    answer = requests.post(
        f"{server.url}/a%20b?x=1&y=", data=b"abc", headers={"Authorization": "Bearer t"}, timeout=10
    )
    assert answer.json() == {
        "method": "POST",
        "path": "/a b",
        "query": {"x": "1", "y": ""},
        "host": "127.0.0.1",
        "bearer": "t",
        "size": 3,
    }


def test_a_connection_serves_many_requests(server: LoopbackServer) -> None:
    client = http.client.HTTPConnection(httpserver.LOOPBACK, server.port, timeout=10)
    for _ in range(3):
        client.request("GET", "/")
        assert client.getresponse().read()
    client.close()


def test_chunked_bodies_are_read(server: LoopbackServer) -> None:
    answer = requests.put(server.url, data=iter([b"ab", b"cde"]), timeout=10)
    assert answer.json()["size"] == 5


def test_head_gets_the_headers_only(server: LoopbackServer) -> None:
    answer = requests.head(server.url, timeout=10)
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.content == b""


def test_clients_that_expect_100_continue_get_it(server: LoopbackServer) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
    with socket.create_connection((httpserver.LOOPBACK, server.port), timeout=10) as client:
        client.sendall(head + b"Connection: close\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100")
        client.sendall(b"abc")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32,
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_nonsense_is_refused_with_a_4xx(server: LoopbackServer, data: bytes) -> None:
    assert raw(server, data, half_close=True).startswith(b"HTTP/1.1 4")


def test_http_1_0_is_answered_and_closed(server: LoopbackServer) -> None:
    assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_a_half_closed_connection_still_gets_its_answer(server: LoopbackServer) -> None:
    data = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert raw(server, data, half_close=True).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_refused(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpserver, "MAX_BODY", 10)
    assert requests.put(server.url, data=b"x" * 11, timeout=10).status_code == 413
    assert requests.put(server.url, data=b"x" * 10, timeout=10).status_code == 200


def test_a_defect_of_the_handler_is_kept_and_is_no_5xx(server: LoopbackServer) -> None:
    assert requests.get(f"{server.url}/defect", timeout=10).status_code == 400
    assert [type(defect) for defect in server.defects] == [ZeroDivisionError]


def test_stopping_closes_connections_and_leaves_no_thread() -> None:
    server = LoopbackServer(echo, name="to-be-stopped")
    server.start()
    client = socket.create_connection((httpserver.LOOPBACK, server.port), timeout=10)
    port = server.port
    server.stop()
    assert client.recv(1) == b""
    client.close()
    assert "to-be-stopped" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((httpserver.LOOPBACK, port), timeout=10)
    server.stop()


def test_the_server_listens_on_loopback_only(server: LoopbackServer) -> None:
    assert server._socket is not None
    assert server._socket.getsockname()[0] == "127.0.0.1"


def test_300_clients_at_once_are_all_answered(server: LoopbackServer) -> None:
    clients = [
        socket.create_connection((httpserver.LOOPBACK, server.port), timeout=10) for _ in range(300)
    ]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert all(client.recv(65536).startswith(b"HTTP/1.1 200") for client in clients)
    for client in clients:
        client.close()
