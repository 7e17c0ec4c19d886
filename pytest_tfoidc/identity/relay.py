"""The relay: one loopback URL that hands out fresh ID tokens for as long as the session lasts.

Terraform gets this URL and a bearer that is worth nothing elsewhere. Both protocols are answered on
it, Azure DevOps' POST and GitHub's GET, so clients from before Azure DevOps refresh as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.events import (
    EventLog,
    IdTokenFetched,
    IdTokenFetchFailed,
    IdTokenServed,
    RequestTokenExpiring,
)
from pytest_tfoidc.httpserver import LoopbackServer, Request, Response
from pytest_tfoidc.identity.secret import Secret
from pytest_tfoidc.identity.variables import LOOPBACK_HOSTS
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS, GITHUB

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.identity.idtoken import IdToken
    from pytest_tfoidc.identity.sources import IdTokenSource

PATH = "/oidctoken"
PROTOCOLS = {"POST": (AZURE_DEVOPS, "oidcToken"), "GET": (GITHUB, "value")}

# A token is handed out for four fifths of its life. A share and not a time: Azure DevOps' tokens
# live for minutes, CircleCI's for an hour, a rehearsal's for seconds. Of five minutes, one remains:
# enough for any client to exchange it, and to sit out an outage of the pipeline.
MARGIN = 1 / 5
# Below this share the old token may die on its way to Entra, so clients wait for the new one.
LAST_RESORT = 1 / 20
PATIENCE_SECONDS = 1.0  # how long one renewal may hold up clients who could have the old token
MAX_FETCHES = 8  # at a time, over all audiences
MAX_AUDIENCES = 64

NOTICE = timedelta(minutes=15)  # how long before its end the request token is spoken of
CONSEQUENCE = (
    "No ID token can be had after that: what still runs ends when the access token that it holds "
    "does, which is after an hour or so."
)

# What clients neither retry nor hide: azurerm shows the body, and the retries have been made here.
NO_TOKEN_STATUS = 424
MOST_ASKED = 64 * 1024  # bytes of a request's body, which nobody reads
RELAY_SHARE = 0.125  # of the file descriptors


@dataclass(frozen=True)
class _Held:
    """A token, and when we got it."""

    token: IdToken
    since: datetime

    def remains(self, now: datetime) -> float:
        """Return the share of its life that remains: 1 when it was issued, 0 when it expires.

        Nothing is known of that where the clock was set back meanwhile.
        """
        life = self.token.lifetime if now >= self.since else timedelta()
        return (self.token.expires_at - now) / life if life > timedelta() else 0.0


@dataclass(frozen=True)
class _Wanted:
    """The request of a client. `connection` is empty for the context's own service connection."""

    audience: str
    connection: str


class _Slot:
    """The token of one audience and connection, and the one request that is under way for it."""

    def __init__(self) -> None:
        self.held: _Held | None = None
        self.flight: asyncio.Task[_Held] | None = None
        self.patient_until = 0.0


class IdTokenRelay:
    """Hand out ID tokens on loopback, over both protocols.

    Args:
        source: Where the tokens come from.
        clock: Tells how old a token is.
        events: Is told of every token that is fetched and served.
        service_connection_id: The one that is served where a client names none. Every other is
            asked for as well: Azure DevOps decides who may. None for pipelines without.
        audience: What is asked for where the client names none.
        request_token_expires_at: When the source can give no more tokens; None if not known.
    """

    def __init__(  # noqa: PLR0913 - keyword only
        self,
        *,
        source: IdTokenSource,
        clock: Clock,
        events: EventLog,
        service_connection_id: str | None,
        audience: str,
        request_token_expires_at: datetime | None = None,
    ) -> None:
        self._ends_at = request_token_expires_at
        self._source = source
        self._clock = clock
        self._events = events
        self._connection = service_connection_id
        self._audience = audience
        self._slots: dict[_Wanted, _Slot] = {}
        self._shares = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fetches: asyncio.Semaphore
        self._server = LoopbackServer(
            self._answer,
            name="tfoidc-relay",
            admit=self._admit,
            share=RELAY_SHARE,
            most_body=MOST_ASKED,
        )
        self.bearer: str = Secret(secrets.token_urlsafe(32))

    @property
    def url(self) -> str:
        """The URL that clients ask. It has a query, because GitHub's clients append `&audience=…`.

        The version stands last: the Azure SDK for Go appends `?api-version=7.1`, and encodes that
        question mark, so that it becomes part of the last value.
        """
        audience = quote(self._audience, safe="")
        return f"{self._server.url}{PATH}?audience={audience}&api-version=7.1"

    @property
    def defects(self) -> list[BaseException]:
        """The errors that our own handler raised: empty, or there is something to mend."""
        return self._server.defects

    def start(self) -> None:
        """Open the port and serve.

        Raises:
            TfOidcError: No port can be had.
        """
        self._fetches = asyncio.Semaphore(MAX_FETCHES)  # a semaphore belongs to one loop
        self._server.start()

    def stop(self) -> None:
        """Close every connection and forget the tokens. What is being fetched is abandoned."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._land(), self._loop).result()
            self._loop = None
        self._server.stop()
        self.drop()

    def __enter__(self) -> IdTokenRelay:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def drop(self) -> None:
        """Forget every token, also those that are on their way. Thread safe."""
        self._slots = {}

    @contextlib.contextmanager
    def not_sharing(self) -> Iterator[None]:
        """Yield every client in the block an ID token of its own; none of them is kept.

        What one client does with its token is then told from what another does.
        """
        self._shares = False
        self.drop()
        try:
            yield
        finally:
            self._shares = True

    async def _land(self) -> None:
        flights = [task for task in asyncio.all_tasks() if task.get_name() == PATH]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _admit(self, request: Request) -> Response | None:
        """Refuse by its head who is no client of this session; browsers and rebound names too."""
        if "origin" in request.headers or not _is_local(request.host):
            return _refusal(403, "The relay is for programs on this machine, by its own address.")
        if request.method not in PROTOCOLS:
            return _refusal(405, "Ask with POST (Azure DevOps) or GET (GitHub).")
        if not hmac.compare_digest((request.bearer or "").encode(), self.bearer.encode()):
            return _refusal(401, "This is not the bearer of this session's relay.")
        return None

    async def _answer(self, request: Request) -> Response:
        path, parameters = _parameters(request.target)
        if path != PATH:
            return _refusal(404, "The relay gives ID tokens at another path.")
        audience = parameters.get("audience") or self._audience
        connection = self._other_connection(parameters.get("serviceConnectionId", ""))
        return await self._serve(request.method, _Wanted(audience, connection))

    def _other_connection(self, named: str) -> str:
        """Return the service connection that a client names, where it is not the context's own."""
        own = self._connection
        return "" if own is None or named.lower() == own.lower() else named.lower()

    async def _serve(self, method: str, wanted: _Wanted) -> Response:
        protocol, name = PROTOCOLS[method]
        if wanted not in self._slots and len(self._slots) >= MAX_AUDIENCES:
            return _refusal(
                403, f"More than {MAX_AUDIENCES} audiences and service connections were asked for."
            )
        self._notice(self._clock.now())
        try:
            held = await self._token(wanted)
        except IdTokenError as error:
            return _refusal(NO_TOKEN_STATUS, str(error))
        now = self._clock.now()
        served = IdTokenServed(
            at=now,
            protocol=protocol,
            audience=wanted.audience,
            age=now - held.since,
            connection=wanted.connection,
        )
        self._events.emit(served)
        return Response.json({name: held.token.value}, headers={"Cache-Control": "no-store"})

    def _notice(self, now: datetime) -> None:
        """Say once that the request token is about to die."""
        ends_at = self._ends_at
        if ends_at is None or now < ends_at - NOTICE:
            return
        self._ends_at = None
        self._events.emit(RequestTokenExpiring(at=now, expires_at=ends_at, consequence=CONSEQUENCE))

    async def _token(self, wanted: _Wanted) -> _Held:
        if not self._shares:
            return await self._fetch(wanted)
        while True:
            slot = self._slots.setdefault(wanted, _Slot())
            held = await self._from(slot, wanted)
            if self._slots.get(wanted) is slot:  # nobody has dropped it meanwhile
                return held

    async def _from(self, slot: _Slot, wanted: _Wanted) -> _Held:
        held = slot.held
        remains = held.remains(self._clock.now()) if held else 0.0
        if held is not None and remains > MARGIN:
            return held
        loop = asyncio.get_running_loop()
        if slot.flight is None or slot.flight.done():
            self._loop = loop
            slot.flight = loop.create_task(self._fly(slot, wanted), name=PATH)
            slot.flight.add_done_callback(_landed)  # nobody may be waiting for a failure
            slot.patient_until = loop.time() + PATIENCE_SECONDS
        flight = slot.flight
        if held is None or remains <= 0:
            return await asyncio.shield(flight)
        patience = max(0.0, slot.patient_until - loop.time()) if remains > LAST_RESORT else None
        await asyncio.wait({flight}, timeout=patience)
        return _landed(flight) or held

    async def _fly(self, slot: _Slot, wanted: _Wanted) -> _Held:
        """Fetch one token, and keep it."""
        slot.held = await self._fetch(wanted)
        return slot.held

    def _from_source(self, wanted: _Wanted) -> IdToken:
        if wanted.connection:
            return self._source.fetch(wanted.audience, wanted.connection)
        return self._source.fetch(wanted.audience)

    async def _fetch(self, wanted: _Wanted) -> _Held:
        """Fetch one token in a thread."""
        try:
            async with self._fetches:
                token = await asyncio.wrap_future(_in_thread(lambda: self._from_source(wanted)))
        except IdTokenError as error:
            now = self._clock.now()
            failed = IdTokenFetchFailed(at=now, audience=wanted.audience, reason=str(error))
            self._events.emit(failed)
            raise
        now = self._clock.now()
        self._events.emit(
            IdTokenFetched(
                at=now,
                audience=wanted.audience,
                expires_at=token.expires_at,
                due_at=token.expires_at - token.lifetime * MARGIN,
            )
        )
        return _Held(token, now)


def _landed(flight: asyncio.Task[_Held]) -> _Held | None:
    """Return what a flight brought; None where it is under way or has failed."""
    if not flight.done() or flight.cancelled() or flight.exception() is not None:
        return None
    return flight.result()


def _in_thread(call: Callable[[], IdToken]) -> Future[IdToken]:
    """Run a call in a thread that nothing waits for: a hanging pipeline must not hang our end."""
    future: Future[IdToken] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the future
            future.set_exception(error)

    threading.Thread(target=run, name="tfoidc-id-token", daemon=True).start()
    return future


def _parameters(target: str) -> tuple[str, dict[str, str]]:
    """Split a request's target leniently; of a repeated parameter, the last value.

    The Azure SDKs append `?api-version=…` although the URL has a query; GitHub's clients append
    `&audience=…` whether it has one or not.
    """
    path, _, query = target.replace("?", "&").partition("&")
    return path, dict(parse_qsl(query, keep_blank_values=True))


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine: a name of the Internet's, which has a dot, may lie."""
    return host in LOOPBACK_HOSTS or not {".", ":"} & set(host)


def _refusal(status: int, message: str) -> Response:
    return Response.json({"message": message}, status=status)
