"""Access tokens that are at hand: kept by scope and tenant, renewed once for many callers.

They are renewed when azure-identity and MSAL would renew theirs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tfoidc.errors import TfOidcError

if TYPE_CHECKING:
    from pytest_tfoidc.identity.entra_client import Grant

RENEW_BEFORE = 300  # seconds before the end
RETRY_DELAY = 30  # seconds between two attempts while the old token is good
HALF_LIFE_FROM = 7200  # a token that lives this long is renewed at half its life

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenKey:
    """The use of an access token: tokens of equal keys are the same one."""

    scopes: tuple[str, ...]
    tenant: str
    enable_cae: bool


@dataclass(frozen=True)
class HeldToken:
    """An access token. Moments in seconds since 1970."""

    grant: Grant
    expires_on: int
    refresh_on: int | None
    asked_at: float

    @classmethod
    def of(cls, grant: Grant, *, asked_at: float) -> HeldToken:
        """Say when a grant ends and when it is renewed, counted from when it was asked for."""
        refresh_in = grant.refresh_in
        if refresh_in is None and grant.expires_in >= HALF_LIFE_FROM:
            refresh_in = grant.expires_in // 2
        refresh_on = None if refresh_in is None else int(asked_at + refresh_in)
        return cls(grant, int(asked_at + grant.expires_in), refresh_on, asked_at)

    def is_dead(self, now: float) -> bool:
        """Tell whether it has expired, or may have: the clock was set back."""
        return now >= self.expires_on or now < self.asked_at

    def is_due(self, now: float) -> bool:
        """Tell whether it should be renewed, although it is good."""
        recommended = self.refresh_on is not None and now >= self.refresh_on
        return recommended or self.expires_on - now <= RENEW_BEFORE or self.is_dead(now)


class _Entry:
    """The token of one key, and the one renewal that is under way for it."""

    def __init__(self) -> None:
        self.held: HeldToken | None = None
        self.flight: Future[HeldToken] | None = None
        self.tried_at = float("-inf")
        self.lock = threading.Lock()


class AccessTokenCache:
    """Keep access tokens. Thread safe.

    Args:
        renew: Gets a token for a key, and for a claims challenge where there is one.
        now: Tells the time in seconds since 1970.
    """

    def __init__(
        self, *, renew: Callable[[TokenKey, str | None], HeldToken], now: Callable[[], float]
    ) -> None:
        self._renew = renew
        self._now = now
        self._entries: dict[TokenKey, _Entry] = {}
        self._lock = threading.Lock()

    def drop(self) -> None:
        """Forget every token, also those that are on their way."""
        with self._lock:
            self._entries = {}

    def at_hand(self, key: TokenKey) -> HeldToken | None:
        """Return the token that can be had without asking anyone."""
        entry = self._entries.get(key)
        return self._good(entry) if entry else None

    def get(self, key: TokenKey, claims: str | None = None) -> HeldToken:
        """Return a good token. A claims challenge says that the one at hand is not.

        Raises:
            TfOidcError: None can be had.
        """
        while True:
            with self._lock:
                entry = self._entries.setdefault(key, _Entry())
            held = self._ask(entry, key, claims) if claims else self._from(entry, key)
            if self._entries.get(key) is entry:  # nobody has dropped it meanwhile
                return held

    def _good(self, entry: _Entry) -> HeldToken | None:
        held, now = entry.held, self._now()
        if held is None or held.is_dead(now):
            return None
        return held if not held.is_due(now) or now - entry.tried_at < RETRY_DELAY else None

    def _from(self, entry: _Entry, key: TokenKey) -> HeldToken:
        good, old = self._good(entry), entry.held
        if good is not None:
            return good
        if old is None or old.is_dead(self._now()):
            return self._share(entry, key)
        if entry.flight is not None:
            return old  # somebody else is renewing it, and it is good
        try:
            return self._share(entry, key)
        except TfOidcError as error:
            log.warning("The access token was not renewed, and is still good: %s", error.what)
            return old

    def _share(self, entry: _Entry, key: TokenKey) -> HeldToken:
        """Renew, or wait for whoever is renewing."""
        with entry.lock:
            good, flight = self._good(entry), entry.flight
            if good is None and flight is None:
                mine = entry.flight = Future[HeldToken]()
        if good is not None:
            return good
        return flight.result() if flight is not None else self._fly(entry, key, mine)

    def _fly(self, entry: _Entry, key: TokenKey, mine: Future[HeldToken]) -> HeldToken:
        try:
            held = self._ask(entry, key, None)
        except BaseException as error:
            self._land(entry)
            mine.set_exception(error)
            raise
        self._land(entry)
        mine.set_result(held)
        return held

    @staticmethod
    def _land(entry: _Entry) -> None:
        with entry.lock:
            entry.flight = None

    def _ask(self, entry: _Entry, key: TokenKey, claims: str | None) -> HeldToken:
        entry.tried_at = self._now()
        entry.held = self._renew(key, claims)
        return entry.held
