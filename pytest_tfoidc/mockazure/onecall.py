"""Access tokens that serve one call each: how tokens expire while an apply runs.

What decides is what clients do, in its order, and never how long it took: a token is good for the
call that it first comes with, however often the clock has jumped while that call was on its way,
and has expired as soon as that call is answered. Who asks for a token before each call, as all are
told to, is never refused; who comes back with one is refused, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_tfoidc.clock import real_seconds

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessToken

PROVIDER = re.compile(r"terraform-provider-([\w-]+)(?:/v?([\w.]+))?", re.IGNORECASE)
TERRAFORM = re.compile(r"(Terraform|OpenTofu)/v?([\w.]+)")
NAMELESS = "a client without a name"
UNAUTHORIZED = 401
LEAST_FAILURE = 400


@dataclass(frozen=True, kw_only=True)
class ForcedExpiries:
    """The expiries that were forced on one client at one service.

    `calls`: how often it came; `refused`: how often with a token that it had used before.
    `expiries`: how often a token of its own had expired when it came. `aged`: the calls whose token
    the clock had left behind before it was first used. `waited`: the longest time between a token's
    issue and its first use, in real seconds.
    """

    client: str
    service: str
    calls: int
    expiries: int
    aged: int
    waited: float
    refused: int


@dataclass
class _Tally:
    """The counters of one client at one service."""

    calls: int = 0
    expiries: int = 0
    aged: int = 0
    waited: float = 0.0
    refused: int = 0
    ended: int = 0


@dataclass
class _Use:
    """The call that a token was first used for."""

    request: Request
    tally: _Tally
    answered: bool = False
    failed: bool = False

    def goes_on_in(self, request: Request) -> bool:
        """Tell whether a request belongs to it: the same one, or a repetition after a failure.

        Clients repeat a call that has failed with the token that they have got for it.
        """
        same = (self.request.method, self.request.host, self.request.target)
        again = same == (request.method, request.host, request.target)
        return request is self.request or (self.failed and again)


@dataclass(frozen=True)
class _Fresh:
    """A token that nobody has used yet: when it was issued, and after how many expiries."""

    since: float
    expiries: int


@dataclass
class OneCallTokens:
    """Tells which token may still be used, and counts what that has forced on whom.

    Everything happens in the stand-in's loop, one call at a time.

    Args:
        since: When this began, in virtual time.
        expire: Moves the clock; called after each answer to a call with a token.
    """

    since: datetime
    expire: Callable[[], None]
    _fresh: dict[str, _Fresh] = field(default_factory=dict)
    _uses: dict[str, _Use] = field(default_factory=dict)
    _exchanged: set[tuple[str, str, str]] = field(default_factory=set)
    _tallies: dict[tuple[str, str], _Tally] = field(default_factory=dict)
    _expiries: int = 0

    def issued(self, token: AccessToken) -> None:
        """Take notice of a new token."""
        self._fresh[token.value] = _Fresh(real_seconds(), self._expiries)

    def knows(self, value: str) -> bool:
        """Tell whether a token was issued since this began, and has not been made to expire."""
        return value in self._fresh or value in self._uses

    def forget(self) -> None:
        """Make every token that was issued so far an expired one."""
        self._fresh.clear()
        self._uses.clear()

    def may_exchange(
        self, token_id: str, client_id: str, audience: str, *, issued_at: datetime
    ) -> bool:
        """Tell whether an ID token comes for the first time: by this client, for this service.

        One from before this began has grown old elsewhere.
        """
        if issued_at < self.since.replace(microsecond=0):  # tokens tell whole seconds
            return False
        exchange = (token_id, client_id, audience)
        is_first = exchange not in self._exchanged
        self._exchanged.add(exchange)
        return is_first

    def admits(self, token: AccessToken, request: Request) -> bool:
        """Tell whether a request may use a token that was issued since this began."""
        use = self._uses.get(token.value)
        if use is not None and use.request is request:
            return True
        tally = self._tally(token, request)
        if use is None:
            self._uses[token.value] = _Use(request, tally)
            self._count_first(tally, self._fresh.pop(token.value))
            return True
        if use.goes_on_in(request):
            self._uses[token.value] = _Use(request, tally)
            return True
        self._count(tally)
        tally.refused += 1
        return False

    def _tally(self, token: AccessToken, request: Request) -> _Tally:
        client = client_of(request.headers.get("user-agent", ""))
        service = token.audience.removeprefix("https://").rstrip("/")
        return self._tallies.setdefault((client, service), _Tally())

    def _count(self, tally: _Tally) -> None:
        tally.calls += 1
        tally.expiries += tally.ended > 0

    def _count_first(self, tally: _Tally, fresh: _Fresh) -> None:
        self._count(tally)
        tally.aged += self._expiries > fresh.expiries
        tally.waited = max(tally.waited, real_seconds() - fresh.since)

    def answered(self, request: Request, status: int) -> None:
        """Let the token of a call expire that has been answered; 0 for a call without an answer."""
        use = self._uses.get(request.bearer or "")
        if use is None or use.answered or use.request is not request:
            return
        use.answered = True
        use.failed = status != UNAUTHORIZED and not 0 < status < LEAST_FAILURE
        use.tally.ended += 1
        self._expiries += 1
        self.expire()

    @property
    def shown(self) -> tuple[ForcedExpiries, ...]:
        """The expiries that were forced, by client and service."""
        return tuple(
            ForcedExpiries(
                client=client,
                service=service,
                calls=tally.calls,
                expiries=tally.expiries,
                aged=tally.aged,
                waited=tally.waited,
                refused=tally.refused,
            )
            for (client, service), tally in sorted(self._tallies.items())
        )


def client_of(user_agent: str) -> str:
    """Return a client's name for people: `azurerm 5.2.0`, `Terraform 1.11.4`, or its own."""
    for pattern in (PROVIDER, TERRAFORM):
        if found := pattern.search(user_agent):
            return " ".join(part for part in found.groups() if part)
    return user_agent.partition(" ")[0] or NAMELESS
