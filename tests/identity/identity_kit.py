"""The tools of this room's tests: tokens made at run time, a faulty upstream, a clock."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.identity.pipeline import PipelineContext
from pytest_tfoidc.identity.sources import IdToken, parse_id_token

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
CONNECTION = "44444444-4444-4444-4444-444444444444"
ISSUER = "https://vstoken.dev.azure.com/org"
SUBJECT = "sc://org/project/connection"
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


def make_jwt(
    *,
    now: datetime = NOON,
    lifetime: timedelta = timedelta(minutes=5),
    audience: str = DEFAULT_AUDIENCE,
    **claims: Any,  # noqa: ANN401 - a claim is any JSON
) -> str:
    """Make a JWT. A claim that is None is left out."""
    usual = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": audience,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    parts = (json.dumps({"alg": "none"}), json.dumps(kept), "no signature: Entra is not asked")
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


def make_context(kind: str = "azure-devops", **changes: Any) -> PipelineContext:  # noqa: ANN401
    usual: dict[str, Any] = {
        "kind": kind,
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "subscription_id": SUBSCRIPTION,
        "request_token": "the-request-token",
        "service_connection_id": CONNECTION if kind == "azure-devops" else None,
    }
    return PipelineContext(**{**usual, **changes})


class ScriptedSource:
    """A source in memory. `outcomes` are errors to raise, in turn; then it gives tokens."""

    def __init__(self, clock: ManualClock, *, lifetime: timedelta = timedelta(minutes=5)) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.asked: list[str] = []
        self.connections: list[str] = []
        self.failure: Exception | None = None
        self.before: Callable[[str], object] = lambda _: None

    def fetch(self, audience: str, connection: str = "") -> IdToken:
        self.asked.append(audience)
        self.connections.append(connection)
        self.before(audience)
        if self.failure is not None:
            raise self.failure
        now = self.clock.now()
        text = make_jwt(now=now, lifetime=self.lifetime, audience=audience, jti=len(self.asked))
        return parse_id_token(text)


def answer(status: int = 200, body: object = b"", **headers: str) -> bytes:
    """Write an HTTP response as it goes over the wire."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {"Content-Length": str(len(raw)), "Connection": "close"}
    names |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in names.items())]
    return "\r\n".join([*lines, "", ""]).encode() + raw


RESET = b""  # close without an answer
HOLD = b"HOLD "  # before an answer: send it, and keep the connection open


class RawUpstream:
    """A server that sends scripted bytes, one script for each connection; the last repeats."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                data = client.recv(65536)
                self.requests.append(data)
                reply = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                client.sendall(reply.removeprefix(HOLD))
                if reply.startswith(HOLD):
                    self._over.wait(30)

    def __enter__(self) -> RawUpstream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)  # ends accept
        self._thread.join(10)
        self._socket.close()
        assert not self._thread.is_alive()


@contextmanager
def plain_session() -> Iterator[requests.Session]:
    """Return an HTTP client that looks at no environment."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
