"""The cost of connections to the stand-in: memory of one, and of very many fresh ones.

Run it with Python; it prints its figures and fails where one is beyond its limit. The clients are
another process. Arguments: how many fresh connections (60000).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from requests.auth import _basic_auth_str

from pytest_tfoidc.clock import real_seconds
from tests.mockazure.azurekit import Azure

HOST = "management.azure.com"
KEPT = 400  # connections that stay open, to weigh them
AT_ONCE = 50  # clients
MOST_EACH = 60.0  # KB for one connection that is kept alive; asyncio's own TLS took 290
MOST_GROWN = 100.0  # MB after all fresh connections
PAGE = resource.getpagesize()


async def opened(port: int, context: ssl.SSLContext, password: str) -> asyncio.StreamWriter:
    """Open a connection that is kept alive, ask once, and leave it open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    shown = _basic_auth_str("tfoidc", password)
    head = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nProxy-Authorization: {shown}\r\n"
    writer.write(f"{head}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    await writer.start_tls(context, server_hostname=HOST)
    writer.write(f"GET /subscriptions HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 401"):
        raise RuntimeError(answer)
    return writer


async def clients(port: int, ca_file: str, count: int, *, keep: bool) -> None:
    """Open so many connections; keep them all, or forget them as old azurerm does: unclosed."""
    context = ssl.create_default_context(cafile=ca_file)
    password, kept, limit = os.environ["PASSWORD"], [], asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with limit:
            try:
                writer = await opened(port, context, password)
            except (OSError, asyncio.IncompleteReadError):  # closed as idle: a real client retries
                writer = await opened(port, context, password)
            kept.append(writer)
            if not keep and len(kept) > KEPT:  # what the server has closed by now
                with contextlib.suppress(OSError):
                    kept.pop(0).transport.abort()

    for _ in range(0, count, 1000):
        await asyncio.gather(*(one() for _ in range(min(count, 1000))))
    print("open", flush=True)
    if keep:
        await asyncio.to_thread(sys.stdin.readline)


def memory() -> float:
    """Return this process's resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def start(azure: Azure, count: int, *, keep: bool) -> subprocess.Popen[str]:
    """Start the clients."""
    mode = "keep" if keep else "fresh"
    port, ca_file = str(azure.mock.port), str(azure.mock.ca_file)
    command = [sys.executable, __file__, mode, port, ca_file, str(count)]
    environment = {**os.environ, "PASSWORD": azure.mock.credential.password}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def grown(azure: Azure, count: int, *, keep: bool) -> float:
    """Return by how many MB so many connections let the stand-in grow."""
    before = memory()
    with start(azure, count, keep=keep) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        if child.stdout.readline() != "open\n":
            raise RuntimeError("the clients failed")
        after = memory()
        child.stdin.close()
    return after - before


def main(count: int) -> int:
    """Measure, print, and judge."""
    azure = Azure()
    azure.start()
    try:
        grown(azure, 50, keep=True)  # what is made once
        each = grown(azure, KEPT, keep=True) / KEPT * 1000
        started = real_seconds()
        more = grown(azure, count, keep=False)
        seconds = real_seconds() - started
    finally:
        azure.close()
    print(f"{each:8.1f} KB for each of {KEPT} TLS connections that are kept alive")
    print(f"{more:8.1f} MB more after {count} fresh connections, {count / seconds:.0f} a second")
    return 0 if each < MOST_EACH and more < MOST_GROWN else 1


if __name__ == "__main__":
    if len(sys.argv) > 2:
        mode, port, ca_file, count = sys.argv[1:]
        sys.exit(asyncio.run(clients(int(port), ca_file, int(count), keep=mode == "keep")))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000))
