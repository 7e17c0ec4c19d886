"""Tokens that the stand-in signs: RS256 keys, ID tokens and access tokens."""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.entrafacts import TOKEN_ISSUER
from pytest_tfoidc.events import AccessTokenRefused, EventLog, TokensExpired
from pytest_tfoidc.mockazure.onecall import OneCallTokens

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request

KEY_BITS = 2048
MOST_REMEMBERED = 10_000  # access tokens, before the expired ones are forgotten
RENEW_ALWAYS = timedelta(seconds=5)  # so few that every client asks for a new token for each call


def seconds(moment: datetime) -> int:
    """Return a moment as a JWT's NumericDate (seconds since 1970, RFC 7519)."""
    return int(moment.timestamp())


def new_key() -> rsa.RSAPrivateKey:
    """Make a key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


class SigningKey:
    """An RSA key that lives in memory only, and its JWKS entry (RFC 7517). Thread safe.

    Making one takes a tenth of a second: it is made when it is first needed, or by `prepare`.
    """

    def __init__(self) -> None:
        self._made: rsa.RSAPrivateKey | None = None
        self._lock = threading.Lock()

    @property
    def _private(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._made is None:
                self._made = new_key()
            return self._made

    def prepare(self) -> None:
        """Make the key in a thread of its own, so that nobody has to wait for it later."""
        threading.Thread(target=lambda: self._private, name="tfoidc-key", daemon=True).start()

    @cached_property
    def key_id(self) -> str:
        """The key's `kid`: a hash of its modulus."""
        modulus = self._private.public_key().public_numbers().n
        digest = hashlib.sha256(modulus.to_bytes(KEY_BITS // 8, "big")).digest()
        return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")

    @property
    def public(self) -> rsa.RSAPublicKey:
        """The public key."""
        return self._private.public_key()

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims as a JWT with RS256."""
        headers = {"kid": self.key_id, "x5t": self.key_id}
        return jwt.encode(claims, self._private, algorithm="RS256", headers=headers)

    def jwks(self) -> dict[str, Any]:
        """Return the key set document."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.public, as_dict=True)
        entry = {**key, "use": "sig", "alg": "RS256", "kid": self.key_id, "x5t": self.key_id}
        return {"keys": [entry]}


@dataclass(frozen=True)
class AccessToken:
    """An access token that the stand-in has issued."""

    value: str
    audience: str
    client_id: str
    object_id: str
    tenant_id: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Show what the token is for, never the token."""
        return f"<AccessToken for {self.audience} until {self.expires_at:%H:%M:%S}>"


# By client and audience: the ID token that was exchanged, and what for.
Held = dict[tuple[str, str], tuple[str, AccessToken]]


class BearerRefused(Exception):  # noqa: N818 - an answer to a client, not an error of ours
    """A request's bearer is no good. `reason`: missing, malformed, expired, audience."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AccessTokens:
    """Entra's access tokens: issued, and checked for the services of the stand-in.

    Args:
        clock: Tells the virtual time.
        events: Is told of every refusal.
        lifetime: How long an access token lives (Entra: 60 to 90 minutes).
    """

    def __init__(
        self, *, clock: Clock, events: EventLog, lifetime: timedelta = timedelta(minutes=60)
    ) -> None:
        self._clock = clock
        self._events = events
        self.lifetime = lifetime
        self.announced_lifetime: timedelta | None = None
        """What `expires_in` says instead of the lifetime; a short one makes clients renew."""
        self.time_jumps: Callable[[], bool] = bool
        """Whether requests may move the clock. Clients, who live in real time, have to renew then
        as if every token were about to expire; without that they would keep one for too long."""
        self.one_call: OneCallTokens | None = None
        """While this is set, every token expires as soon as its first call has been answered."""
        self.key = SigningKey()
        self._issued: dict[str, AccessToken] = {}
        self._held: WeakKeyDictionary[object, Held] = WeakKeyDictionary()

    @property
    def are_announced_short(self) -> bool:
        """Whether clients are made to renew before every call because requests move the clock."""
        return self.announced_lifetime is None and self.time_jumps()

    @property
    def announced(self) -> timedelta:
        """How long `expires_in` says that a token lives."""
        usual = RENEW_ALWAYS if self.are_announced_short else self.lifetime
        return self.announced_lifetime or usual

    def hold(self, token: AccessToken, *, connection: object, assertion: str) -> None:
        """Remember which connection a token went out on and for what, while that is open."""
        if connection is not None:
            held = self._held.setdefault(connection, {})
            held[token.client_id, token.audience] = assertion, token

    def held(
        self, *, connection: object, assertion: str, client_id: str, audience: str
    ) -> AccessToken | None:
        """Return the token that `hold` remembers, unless it has been made to expire."""
        held = {} if connection is None else self._held.get(connection, {})
        given_for, token = held.get((client_id, audience), ("", None))
        return self._issued.get(token.value) if token and given_for == assertion else None

    def snapshot(self) -> tuple[timedelta, timedelta | None]:
        """Return the settings, for `restore`. What was issued is not among them."""
        return self.lifetime, self.announced_lifetime

    def restore(self, held: tuple[timedelta, timedelta | None]) -> None:
        """Put back what `snapshot` gave."""
        self.lifetime, self.announced_lifetime = held

    def issue(
        self, *, audience: str, client_id: str, object_id: str, tenant_id: str
    ) -> AccessToken:
        """Sign an access token that azurerm and Azurite can parse."""
        expires_at = self._clock.now() + self.lifetime
        claims = {
            "aud": audience,
            "iss": f"https://{TOKEN_ISSUER}/{tenant_id}/",
            **self._dates(),
            "appid": client_id,
            "appidacr": "2",
            "idtyp": "app",
            "oid": object_id,
            "sub": object_id,
            "tid": tenant_id,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        value = self.key.sign(claims)
        token = AccessToken(value, audience, client_id, object_id, tenant_id, expires_at)
        if len(self._issued) >= MOST_REMEMBERED:  # an expired one is known by its signature as well
            self._issued = {v: t for v, t in self._issued.items() if self._may_live(t)}
        self._issued[value] = token
        if self.one_call is not None:
            self.one_call.issued(token)
        return token

    def _dates(self) -> dict[str, int]:
        """Return a token's dates: those that clients are to see, where it serves one call."""
        now, lifetime = self._clock.now(), self.lifetime
        if self.one_call is not None:
            now, lifetime = real_now(), self.announced
        return {"iat": seconds(now), "nbf": seconds(now) - 300, "exp": seconds(now + lifetime)}

    def expire_all(self) -> None:
        """Make every access token that was issued so far an expired one."""
        self._issued.clear()
        if self.one_call is not None:
            self.one_call.forget()
        self._events.emit(TokensExpired(at=self._clock.now(), kind="access"))

    @contextmanager
    def serving_one_call(self, expire: Callable[[], None]) -> Iterator[OneCallTokens]:
        """Let each token that is issued in the block serve one call; `expire` moves the clock.

        What was issued before has expired.
        """
        held = self.snapshot()
        self.expire_all()
        self.one_call = one_call = OneCallTokens(self._clock.now(), expire)
        self.announced_lifetime = RENEW_ALWAYS
        try:
            yield one_call
        finally:
            self.one_call = None
            self.restore(held)

    def answered(self, request: Request, status: int) -> None:
        """Take notice that a request was answered; 0 where it got no answer."""
        if self.one_call is not None:
            self.one_call.answered(request, status)

    def verify(self, request: Request, *audiences: str) -> AccessToken:
        """Check a request's bearer for a service that is one of `audiences` (no trailing slash).

        Raises:
            BearerRefused: With the reason; the service words the 401 in its own way.
        """
        try:
            return self._verify(request, audiences)
        except BearerRefused as refused:
            now = self._clock.now()
            self._events.emit(AccessTokenRefused(at=now, host=request.host, reason=refused.reason))
            raise

    def _verify(self, request: Request, audiences: tuple[str, ...]) -> AccessToken:
        bearer = request.bearer
        if bearer is None:
            raise BearerRefused("missing")
        token = self._issued.get(bearer)
        if token is None:
            raise BearerRefused("expired" if self._is_ours(bearer) else "malformed")
        if token.audience.rstrip("/").lower() not in {name.lower() for name in audiences}:
            raise BearerRefused("audience")
        if not self._is_good(token, request):
            raise BearerRefused("expired")
        return token

    def _is_good(self, token: AccessToken, request: Request) -> bool:
        one_call = self.one_call
        if one_call is not None and one_call.knows(token.value):
            return one_call.admits(token, request)
        return token.expires_at > self._clock.now()

    def _may_live(self, token: AccessToken) -> bool:
        known = self.one_call is not None and self.one_call.knows(token.value)
        return known or token.expires_at > self._clock.now()

    def _is_ours(self, bearer: str) -> bool:
        try:
            jwt.decode(
                bearer,
                self.key.public,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_nbf": False, "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return False
        return True


def from_seconds(value: float) -> datetime:
    """Return a NumericDate as an aware UTC datetime."""
    return datetime.fromtimestamp(value, tz=timezone.utc)
