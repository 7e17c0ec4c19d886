"""A host as it is out there: TLS on loopback, and the proxy through which the world is reached."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

READ = 64 * 1024


@dataclass
class World:
    """The world behind the proxy. `seen`: the requests that reached the host."""

    environment: Mapping[str, str]
    seen: list[str] = field(default_factory=list)


@contextlib.contextmanager
def world(folder: Path, *, host: str, root: Path) -> Iterator[World]:
    """A proxy behind which a host serves the git repositories of a folder, and one page."""
    ca = trustme.CA()
    bundle = folder / "world.pem"
    ca.cert_pem.write_to_path(str(bundle))
    made = World({})
    with _served(ca, host, root, made) as port, _proxied({f"{host}:443": port}) as proxy:
        made.environment = {
            "PATH": os.environ["PATH"],
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy}",
            "SSL_CERT_FILE": str(bundle),
        }
        yield made


@contextlib.contextmanager
def _served(ca: trustme.CA, host: str, root: Path, made: World) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.seen.append(f"{self.command} {self.path} {self.headers.get('Authorization', '')}")
            if "/_git/" in self.path:
                self._git()
            else:
                self._send(b"HTTP/1.1 200 OK", [], b"the real one")

        do_POST = do_GET  # noqa: N815 - http.server's own names

        def _git(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": f"/{path.partition('/_git/')[2]}",
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"],  # noqa: S607 - whichever git there is
                input=self.rfile.read(length),
                env=environment,
                capture_output=True,
                check=True,
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            self._send(b"HTTP/1.1 200 OK", head.split(b"\r\n"), body)

        def _send(self, status: bytes, headers: list[bytes], body: bytes) -> None:
            lines = [status, *headers, b"Content-Length: %d" % len(body), b"", b""]
            self.wfile.write(b"\r\n".join(lines) + body)
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _running(server):
        yield server.server_address[1]


@contextlib.contextmanager
def _proxied(ports: Mapping[str, int]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if self.path not in ports:
                self.send_error(502)
                return
            with socket.create_connection(("127.0.0.1", ports[self.path])) as upstream:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_carry, args=(upstream, self.connection))
                back.start()
                _carry(self.connection, upstream)
                back.join()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _running(server):
        yield server.server_address[1]


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(READ):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _running(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
