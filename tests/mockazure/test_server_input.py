"""Bad input over real sockets and TLS: nothing gives a 5xx, a hang or a server that is gone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import resource
import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.auth import _basic_auth_str

from pytest_tfoidc.httpserver import LOOPBACK, Request
from pytest_tfoidc.mockazure.server import MockAzure
from tests.mockazure.azurekit import ARM, Azure, running

HOST = "management.azure.com"
S = "/subscriptions/7e57ab1e-0000-4000-8000-000000000002"
HOSTS = (
    HOST,
    "login.microsoftonline.com",
    "graph.microsoft.com",
    "acct.blob.core.windows.net",
    "dev.azure.com",
    "vstoken.dev.azure.com",
    "x.actions.githubusercontent.com",
    "kv.vault.azure.net",
)
MANY = 1000
PATIENCE = 10.0  # seconds: whatever takes longer hangs


@pytest.fixture(scope="module")
def azure() -> Iterator[Azure]:
    with running() as azure:
        yield azure


@pytest.fixture(autouse=True)
def still_there(azure: Azure) -> Iterator[None]:
    yield
    assert azure.mock.defects == []
    assert azure.arm("GET", f"{S}/resourcegroups").status_code == 200


def plain(azure: Azure) -> socket.socket:
    return socket.create_connection((LOOPBACK, azure.mock.port), timeout=PATIENCE)


def shown(azure: Azure) -> str:
    """Return the header with the proxy's credential."""
    return f"Proxy-Authorization: {_basic_auth_str('tfoidc', azure.mock.credential.password)}"


def connect(azure: Azure, target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{shown(azure)}\r\n\r\n".encode()


def tunnel(azure: Azure, target: str = f"{HOST}:443") -> tuple[socket.socket, bytes]:
    client = plain(azure)
    client.sendall(connect(azure, target))
    return client, client.recv(4096)


def trusting(azure: Azure) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(azure.mock.ca_file))


@contextlib.contextmanager
def secure(azure: Azure, host: str = HOST) -> Iterator[ssl.SSLSocket]:
    client, _ = tunnel(azure, f"{host}:443")
    with trusting(azure).wrap_socket(client, server_hostname=host) as secured:
        yield secured


def received(client: socket.socket) -> bytes:
    """Read until the server closes; a server that hangs is a time-out."""
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while chunk := client.recv(65536):
            data += chunk
    return data


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0


def test_http_1_0_is_answered_and_the_connection_closed(azure: Azure) -> None:
    with secure(azure) as client:
        client.sendall(f"GET {S} HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        assert status_of(received(client)) == 401


def test_a_half_closed_connection_still_gets_its_answer(azure: Azure) -> None:
    with plain(azure) as client:
        client.sendall(f"GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\n{shown(azure)}\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        assert status_of(received(client)) == 403


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_client_that_leaves_in_the_middle_does_no_harm(azure: Azure, sent: bytes) -> None:
    with plain(azure) as client:
        client.sendall(sent)
    with secure(azure) as client:
        client.sendall(sent)
    client, _ = tunnel(azure)
    client.sendall(b"\x16\x03\x01")  # the first bytes of a handshake
    client.close()


def test_plain_http_in_a_tunnel_ends_the_connection(azure: Azure) -> None:
    client, answer = tunnel(azure)
    with client:
        client.sendall(f"GET {S} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert status_of(answer) == 200
        assert not received(client).startswith(b"HTTP/")


def test_a_certificate_is_for_the_host_of_the_tunnel_and_no_other(azure: Azure) -> None:
    client, _ = tunnel(azure)
    with client, pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        trusting(azure).wrap_socket(client, server_hostname="management.azure.example")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("example.com:443", 403),
        (f"{HOST}:80", 403),
        ("[::1]:443", 403),
        ("169.254.169.254:80", 403),
        ("nothing", 403),
        (":", 403),
        ("%00:443", 403),
        ("[:443", 400),
        (f"{'a' * 9000}:443", 403),
        ("registry.terraform.io:99999999", 403),
        ("registry.terraform.io:22", 403),
        ("127.0.0.1/.hashicorp.com:443", 403),
        ("my_account.blob.core.windows.net:443", 403),
    ],
)
def test_connect_to_what_is_not_served_is_refused(azure: Azure, target: str, status: int) -> None:
    client, answer = tunnel(azure, target)
    with client:
        assert status_of(answer) == status


def test_a_thousand_connections_at_once_are_served(azure: Azure) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * MANY:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * MANY), hard))
    clients = []
    try:
        for _ in range(MANY):
            client = plain(azure)
            clients.append(client)
            client.sendall(connect(azure, f"{HOST}:443"))
        assert {status_of(client.recv(4096)) for client in clients} == {200}
        assert azure.arm("GET", f"{S}/resourcegroups").status_code == 200
        context = trusting(azure)
        for client in clients[:: MANY // 20]:
            secured = context.wrap_socket(client, server_hostname=HOST)
            secured.sendall(f"GET {S} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert status_of(secured.recv(4096)) == 401
            secured.close()
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_body_of_20_megabytes_is_too_large_for_resource_manager_only(azure: Azure) -> None:
    body = b" " * (20 * 1024 * 1024)
    answer = azure.send(
        "PUT",
        f"{ARM}{S}/resourcegroups/rg?api-version=2024-01-01",
        data=body,
        headers=azure.bearer(),
    )
    blob = azure.send(
        "PUT",
        "https://acct.blob.core.windows.net/container/b",
        data=body,
        headers={
            **azure.bearer("https://storage.azure.com"),
            "x-ms-version": "2023-11-03",
            "x-ms-blob-type": "BlockBlob",
        },
    )

    assert answer.status_code == 413
    assert blob.status_code == 201


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", f"{S}/resourcegroups/rg?api-version=9999-99-99"),
        ("PUT", f"{S}/resourcegroups/rg"),
        ("BREW", f"{S}/resourcegroups/rg?api-version=2024-01-01"),
        ("PUT", f"{S}/resourcegroups/%00%ff%0d%0a?api-version=2024-01-01"),
        ("PUT", f"{S}/resourcegroups/{'n' * 3000}?api-version=2024-01-01"),
        ("GET", "/" + "providers/" * 500 + "?api-version=2024-01-01"),
        ("GET", "/%?%&%=%"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"location": NaN}', b"\xff\xfe"])
def test_nonsense_is_refused_with_a_4xx(
    azure: Azure, method: str, target: str, body: bytes
) -> None:
    bearer = azure.bearer()["Authorization"]
    head = f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {bearer}\r\n"
    with secure(azure) as client:
        end = f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall((head + end).encode() + body)
        assert 400 <= status_of(received(client)) < 500


LINES = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1",
            b"PUT /x HTTP/1.1",
            b"CONNECT graph.microsoft.com:443 HTTP/1.1",
            b"POST http://[ HTTP/1.1",
            b"GET / HTTP/9.9",
            b"Host: management.azure.com",
            b"Content-Length: 5",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip",
            b"Expect: 100-continue",
            b"Connection: upgrade, close",
            b"Upgrade: h2c",
            b"Authorization: Bearer \xff",
            b": empty",
            b" folded",
            b"",
            b"5\r\nabcde",
            b"zz",
        ]
    )
    | st.binary(max_size=40),
    max_size=12,
)


@settings(max_examples=40)
@given(lines=LINES, in_tls=st.booleans())
def test_no_bytes_give_a_5xx_or_a_hang(azure: Azure, lines: list[bytes], *, in_tls: bool) -> None:
    data = b"\r\n".join(lines)
    if in_tls:
        with secure(azure) as client:
            client.sendall(data)
            with contextlib.suppress(OSError):  # the server may have closed already
                client.unwrap()
            return
    with plain(azure) as client:
        client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        assert status_of(received(client)) not in range(500, 600)


WORDS = st.sampled_from(
    (
        *("", ".", "..", "%2e", "%00", "'", "x", "é", "_apis", "oauth2", "v2.0", "token", "beta"),
        *("applications", "servicePrincipals", "serviceendpoint", "endpoints", "projects"),
        *("common", "discovery", "instance", ".well-known", "openid-configuration", "oidctoken"),
        *("subscriptions", "resourceGroups", "providers", "metadata", "secrets", "idtoken"),
        "7e57ab1e-0000-4000-8000-000000000001",
        "7e57ab1e-0000-4000-8000-000000000002",
    )
) | st.text(max_size=8)
QUERIES = st.sampled_from(
    (
        *("", "api-version=2024-01-01", "api-version=7.1&serviceConnectionId=x", "$filter=a eq"),
        *("comp=list&restype=container", "comp=lease", "$filter=appId eq '", "audience=%ff", "&=&"),
    )
)
FORM = b"grant_type=client_credentials&client_id=7e57ab1e-0000-4000-8000-000000000003&"
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([FORM, FORM + b"client_assertion=a.b.c", b"\xff=%zz&;", b"client_secret=x"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["name", "properties", "authorization", "parameters", "scheme", "id"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150)
@given(
    host=st.sampled_from(HOSTS),
    method=st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    path=st.lists(WORDS, max_size=7).map("/".join),
    query=QUERIES,
    body=BODIES,
    authorization=st.sampled_from(
        ["", "Bearer", "Bearer x", "Basic eA==", "SharedKey a:b", "ours"]
    ),
)
def test_no_request_to_any_service_gives_a_5xx(
    azure: Azure, host: str, method: str, path: str, query: str, body: bytes, authorization: str
) -> None:
    mock = azure.mock
    if authorization == "ours":
        authorization = f"Bearer {token_for(mock, host)}"
    headers = {"authorization": authorization, "content-type": "application/json"}
    request = Request(
        method, "https", host, f"/{path}?{query}", {k: v for k, v in headers.items() if v}, body
    )

    response = asyncio.run(mock.handle(request))

    assert response.status < 500


def token_for(mock: MockAzure, host: str) -> str:
    """Return a bearer that a host takes."""
    audiences = {
        "graph.microsoft.com": "https://graph.microsoft.com",
        "acct.blob.core.windows.net": "https://storage.azure.com",
        "dev.azure.com": "499b84ac-1321-427f-aa17-267ca6975798",
        "kv.vault.azure.net": "https://vault.azure.net",
    }
    issued = mock.access_tokens.issue(
        audience=audiences.get(host, ARM), client_id="c", object_id="o", tenant_id="t"
    )
    return issued.value


def test_a_stop_with_open_connections_leaves_nothing_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    clients = []
    with running() as azure:
        clients.append(plain(azure))
        client, _ = tunnel(azure)
        clients.append(client)
        client, _ = tunnel(azure)
        clients.append(trusting(azure).wrap_socket(client, server_hostname=HOST))
        client, _ = tunnel(azure)
        client.sendall(b"\x16\x03\x01")
        clients.append(client)
        azure.mock.fail("arm", delay="30s")
        clients[2].sendall(f"GET {S} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    gc.collect()  # what was not closed warns now
    for client in clients:
        client.close()

    assert caplog.messages == []


def test_a_host_of_azure_on_another_port_is_refused_for_its_port(azure: Azure) -> None:
    client, answer = tunnel(azure, "management.azure.com:80")
    with client:
        assert status_of(answer) == 403
        assert b"on port 443 only" in answer
