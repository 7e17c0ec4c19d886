"""How many requests a second the stand-in serves over TLS, and whether that stays flat.

Run it with Python; it prints its figures and fails where one is beyond its limit. The server has
one core for itself, and its 20 clients, in another process, another. Arguments: how many resources
(100000).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import ssl
import subprocess
import sys
from pathlib import Path

from requests.auth import _basic_auth_str

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.mockazure.directory import SUBSCRIPTION_ID
from tests.mockazure.azurekit import Azure

HOST = "management.azure.com"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg"
KIND = f"{GROUP}/providers/Microsoft.Network/virtualNetworks"
CLIENTS = 20
SAMPLE = 3000  # requests
LEAST = 300.0  # requests a second
MOST_SLOWDOWN = 1.5  # from the first resources to the last
MOST_MEMORY = 200.0  # MB for 10,000 resources
BODY = json.dumps({"location": "westeurope", "properties": {"x": "y" * 300}}).encode()


async def client(port: int, ca_file: str, bearer: str, numbers: range) -> None:
    """Write and read resources over one connection that is kept alive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    shown = f"Proxy-Authorization: {os.environ['PROXY_CREDENTIAL']}\r\n"
    writer.write(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n{shown}\r\n".encode())
    passed = await reader.readuntil(b"\r\n\r\n")
    if not passed.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(passed.decode())
    context = ssl.create_default_context(cafile=ca_file)
    await writer.start_tls(context, server_hostname=HOST)
    head = f"Host: {HOST}\r\nAuthorization: {bearer}\r\nContent-Length: "
    for number in numbers:
        method, body = ("GET", b"") if number % 2 else ("PUT", BODY)
        line = f"{method} {KIND}/v{number - number % 2}?api-version=2024-01-01 HTTP/1.1\r\n"
        writer.write(f"{line}{head}{len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not answer.startswith((b"http/1.1 200", b"http/1.1 201")):
            raise RuntimeError(answer.decode())
        await reader.readexactly(int(answer.partition(b"content-length: ")[2].split(b"\r")[0]))
    writer.close()


async def clients(port: int, ca_file: str, bearer: str, first: int) -> None:
    """Run all clients at once."""
    share = SAMPLE // CLIENTS
    starts = range(first, first + SAMPLE, share)
    await asyncio.gather(*(client(port, ca_file, bearer, range(s, s + share)) for s in starts))


def rate(azure: Azure, first: int) -> float:
    """Return the requests a second that the server serves."""
    bearer = azure.bearer()["Authorization"]
    command = [sys.executable, __file__, str(azure.mock.port), str(azure.mock.ca_file), str(first)]
    shown = _basic_auth_str("tfoidc", azure.mock.credential.password)
    environment = {**os.environ, "BEARER": bearer, "PROXY_CREDENTIAL": shown}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return SAMPLE / float(done.stdout)


def as_clients(port: str, ca_file: str, first: str) -> int:
    """Be the clients: print the seconds that they took."""
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})  # another than the server's
    started = real_seconds()
    asyncio.run(clients(int(port), ca_file, os.environ["BEARER"], int(first)))
    print(real_seconds() - started)
    return 0


def main(count: int) -> int:
    """Measure, print, and judge."""
    os.sched_setaffinity(0, {0})  # and so the server's thread, which this one starts
    azure = Azure()
    azure.start()
    azure.mock.resource_manager.add(GROUP)
    try:
        first = rate(azure, 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for number in range(10_000):
            azure.mock.resource_manager.add(f"{KIND}/m{number}", json.loads(BODY))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
        for number in range(10_000, count):
            azure.mock.resource_manager.add(f"{KIND}/m{number}", json.loads(BODY))
        last = rate(azure, count)
    finally:
        azure.close()
    print(f"{first:8.0f} requests/s over {CLIENTS} TLS connections at first")
    print(f"{last:8.0f} requests/s beside {count} resources")
    print(f"{megabytes:8.1f} MB for 10,000 resources")
    flat = first / last < MOST_SLOWDOWN
    return 0 if min(first, last) > LEAST and flat and megabytes < MOST_MEMORY else 1


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(as_clients(*sys.argv[1:]))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
