"""How many tokens a second the stand-in issues beside other mock issuers, and what the relay adds.

Run it as a script: `python tests/benchmarks/bench_tokens.py [SECONDS]`. `nanoidp` is measured where
it is installed, oauth2-mock-server where `OAUTH2_MOCK_SERVER` names its `oauth2-mock-server.mjs`.
The clients are another process, over connections that are kept alive: the stand-in's speak TLS
through its proxy, as in a run, the others' plain HTTP. It prints figures and asserts none.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from pytest_tfoidc import OidcSession, SessionOptions
from pytest_tfoidc.clock import real_seconds, real_sleep
from pytest_tfoidc.rehearsal import RehearsalOptions, rehearse

CLIENTS, RELAY_CLIENTS = 20, 50
PAUSE_SECONDS = 0.1  # of each of the relay's clients, between two tokens
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials"


def post(
    url: str, *, body: str = "", headers: Mapping[str, str], **more: object
) -> dict[str, object]:
    """Return what the clients are told about one kind of request."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, **headers, "Content-Length": str(len(body))}
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    request = f"POST {target} HTTP/1.1\r\n{head}\r\n{body}"
    return {"host": parts.hostname, "port": parts.port or 443, "request": request, **more}


def measured(
    what: Mapping[str, object], *, clients: int, seconds: float, pause: float = 0
) -> dict[str, float]:
    """Return what other processes' clients have seen: tokens a second, and times in ms."""
    told = json.dumps({**what, "clients": clients, "seconds": seconds, "pause": pause})
    done = subprocess.run(
        [sys.executable, __file__, "--clients"],
        input=told,
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def _open(what: Mapping[str, object]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    proxy = what.get("proxy")
    if not isinstance(proxy, str):
        return await asyncio.open_connection(str(what["host"]), int(str(what["port"])))
    parts = urlsplit(proxy)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    basic = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    place = f"{what['host']}:{what['port']}"
    head = (
        f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: Basic {basic}\r\n\r\n"
    )
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")
    context = ssl.create_default_context(cafile=str(what["ca"]))
    await writer.start_tls(context, server_hostname=str(what["host"]))
    return reader, writer


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[bytes, bool]:
    """Return the answer, and whether the server closes the connection after it."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise SystemExit(head.decode())
    _, _, length = head.partition(b"content-length: ")
    body = await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
    return body, b"connection: close" in head


async def _client(
    what: Mapping[str, object], end: float, times: list[float], seen: set[bytes]
) -> None:
    reader, writer = await _open(what)
    request, pause = str(what["request"]).encode(), float(str(what["pause"]))
    while real_seconds() < end:
        started = real_seconds()
        body, is_over = await _ask(reader, writer, request)
        times.append(real_seconds() - started)
        seen.add(body)
        if is_over:
            writer.close()
            reader, writer = await _open(what)
        if pause:
            await asyncio.sleep(pause)
    writer.close()


async def _clients(what: Mapping[str, object]) -> None:
    times: list[float] = []
    seen: set[bytes] = set()
    seconds = float(str(what["seconds"]))
    end = real_seconds() + seconds
    await asyncio.gather(
        *(_client(what, end, times, seen) for _ in range(int(str(what["clients"]))))
    )
    cuts = statistics.quantiles(times, n=100)
    figures = {"rate": len(times) / seconds, "different": len(seen) / len(times)}
    print(json.dumps({**figures, "p50": cuts[49] * 1000, "p99": cuts[98] * 1000}))


@contextlib.contextmanager
def stand_in() -> Iterator[dict[str, object]]:
    """Yield the request for an ID token as a pipeline's step makes it."""
    options = RehearsalOptions(pipeline="azure-devops", environment=dict(os.environ))
    with rehearse(options) as step:
        connection = step["ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"]
        url = f"{step['SYSTEM_OIDCREQUESTURI']}?api-version=7.1&serviceConnectionId={connection}"
        headers = {"Authorization": f"Bearer {step['SYSTEM_ACCESSTOKEN']}"}
        yield post(url, headers=headers, proxy=step["HTTPS_PROXY"], ca=step["SSL_CERT_FILE"])


@contextlib.contextmanager
def served(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block has ended."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
    ):
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                real_sleep(0.05)
            yield
        finally:
            process.kill()


def others() -> dict[str, tuple[list[str], int, dict[str, object]]]:
    """Return the other issuers that there are: the command, its port, the request for a token."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/token"
    found: dict[str, tuple[list[str], int, dict[str, object]]] = {}
    if script := os.environ.get("OAUTH2_MOCK_SERVER"):
        command = ["node", script, "-a", "127.0.0.1", "-p", str(port)]
        found["oauth2-mock-server"] = (command, port, post(url, body=GRANT, headers=FORM))
    if program := shutil.which("nanoidp"):
        basic = base64.b64encode(b"demo-client:demo-secret").decode()
        headers = {**FORM, "Authorization": f"Basic {basic}"}
        command = [program, "--host", "127.0.0.1", "--port", str(port)]
        found["nanoidp"] = (command, port, post(url, body=GRANT, headers=headers))
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def show(name: str, figures: Mapping[str, float]) -> None:
    """Print one row."""
    print(
        f"{name:28} {figures['rate']:7.0f} a second, {figures['different']:4.0%} different,"
        f" p50 {figures['p50']:6.2f} ms, p99 {figures['p99']:6.2f} ms",
        flush=True,
    )


def relay(seconds: float) -> None:
    """Print what a held ID token costs through the relay, and asked for directly."""
    few = {"clients": RELAY_CLIENTS, "seconds": seconds, "pause": PAUSE_SECONDS}
    with stand_in() as request:
        show("directly, 50 clients", measured(request, **few))  # type: ignore[arg-type] # figures
    with OidcSession(SessionOptions(context="mock", environment=dict(os.environ))) as session:
        variables = session.environment
        url = variables["ARM_OIDC_REQUEST_URL"]
        headers = {"Authorization": f"Bearer {variables['ARM_OIDC_REQUEST_TOKEN']}"}
        measured(post(url, headers=headers), clients=1, seconds=0.2)  # now it holds a token
        show("the relay, 50 clients", measured(post(url, headers=headers), **few))  # type: ignore[arg-type] # figures
        started = real_seconds()
        session.oidc_clock.advance(timedelta(days=1))
        print(f"{'a simulated day':28} {real_seconds() - started:7.3f} s")


def main() -> None:
    """Print each row."""
    if "--clients" in sys.argv:
        asyncio.run(_clients(json.loads(sys.stdin.read())))
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with stand_in() as request:
        show("the stand-in", measured(request, clients=CLIENTS, seconds=seconds))
    for name, (command, port, request) in others().items():
        with served(command, port):
            show(name, measured(request, clients=CLIENTS, seconds=seconds))
    relay(seconds)


if __name__ == "__main__":
    main()
