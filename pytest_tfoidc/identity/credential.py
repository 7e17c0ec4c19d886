"""The refreshing credential: azure-core's protocols for Azure SDK clients in tests.

azure-core is optional. Where it is installed, the tokens are its own types.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_tfoidc.errors import IdTokenError, UsageError
from pytest_tfoidc.events import EventLog, IdTokenFetched, IdTokenFetchFailed
from pytest_tfoidc.identity.accesstokens import AccessTokenCache, HeldToken, TokenKey
from pytest_tfoidc.identity.entra_client import EntraClient
from pytest_tfoidc.identity.http_client import Transport, Wait
from pytest_tfoidc.redaction import REDACTED

if TYPE_CHECKING:
    # typed by azure-core where it is installed, and Any where it is not
    from azure.core.credentials import (  # type: ignore[import-not-found,unused-ignore]
        AccessToken,
        AccessTokenInfo,
        TokenRequestOptions,
    )

    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.identity.idtoken import IdToken
    from pytest_tfoidc.identity.pipeline import PipelineContext
    from pytest_tfoidc.identity.sources import IdTokenSource

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
# what Entra is told by clients that understand claims challenges
CAE_CLAIMS = {"xms_cc": {"values": ["CP1"]}}


class RefreshingCredential:
    """azure-core's `TokenCredential` and `SupportsTokenInfo`, by ID tokens of the pipeline.

    Thread safe; many callers cost one exchange.

    Args:
        context: Who signs in, and where.
        source: Gives the ID tokens.
        clock: Tells when a token has to be renewed.
        events: Is told of every ID token that was fetched.
        authority: The login host's URL, where it is not the cloud's own.
        wait: Waits for so many seconds between two attempts.
        notice: Is told every access token before anyone gets it.
    """

    def __init__(  # noqa: PLR0913 - keyword only, three of them optional
        self,
        *,
        context: PipelineContext,
        source: IdTokenSource,
        clock: Clock,
        events: EventLog | None = None,
        authority: str | None = None,
        wait: Wait | None = None,
        notice: Callable[[str], None] = lambda _token: None,
    ) -> None:
        self._notice = notice
        self._context = context
        self._source = source
        self._clock = clock
        self._events = events or EventLog()
        self._transport = Transport.of(context, wait=wait)
        self._entra = EntraClient(
            authority=(authority or f"https://{context.login_host}").rstrip("/"),
            client_id=context.client_id,
            transport=self._transport,
        )
        self.tokens = AccessTokenCache(renew=self._renew, now=self._now)

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,  # noqa: ANN401 - azure-core's protocol allows more
    ) -> AccessToken:
        """Get an access token; `expires_on` in seconds since 1970.

        Raises:
            ValueError: No scope is given.
            AuthenticationError: Entra refused, or could not be reached.
            IdTokenError: The pipeline gave no ID token.
        """
        return _token(self.tokens.get(self.key(scopes, tenant_id, enable_cae=enable_cae), claims))

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Get an access token with its type and the moment from which it is renewed.

        Raises:
            ValueError: No scope is given.
            AuthenticationError: Entra refused, or could not be reached.
            IdTokenError: The pipeline gave no ID token.
        """
        return _info(self.tokens.get(*self.wanted(scopes, options)))

    def drop(self) -> None:
        """Forget every access token."""
        self.tokens.drop()

    def close(self) -> None:
        """Forget every access token, and give up waiting between attempts."""
        self._transport.close()
        self.drop()

    def __enter__(self) -> RefreshingCredential:
        """Return the credential."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Show who signs in, never a token."""
        return f"<RefreshingCredential of {self._context.label} for {self._context.client_id}>"

    def wanted(
        self, scopes: tuple[str, ...], options: TokenRequestOptions | None
    ) -> tuple[TokenKey, str | None]:
        """Read azure-core's options: what the token is for, and the claims challenge."""
        given: dict[str, Any] = {**(options or {})}
        key = self.key(scopes, given.get("tenant_id"), enable_cae=bool(given.get("enable_cae")))
        return key, given.get("claims")

    def key(self, scopes: tuple[str, ...], tenant: str | None, *, enable_cae: bool) -> TokenKey:
        """Say what a token is for.

        Raises:
            ValueError: No scope is given.
            UsageError: The tenant is none.
        """
        if not scopes:
            raise ValueError("get_token needs at least one scope")
        wanted = tenant or self._context.tenant_id
        if not TENANT.fullmatch(wanted):  # it becomes a part of the login URL
            raise UsageError(
                "This is no tenant.", where="tenant_id", remedy="Give its id (a GUID) or its name."
            )
        return TokenKey(tuple(sorted(set(scopes))), wanted, enable_cae)

    def _renew(self, key: TokenKey, claims: str | None) -> HeldToken:
        wanted = _claims(claims, enable_cae=key.enable_cae)
        id_token = self._id_token()
        asked_at = self._now()
        grant = self._entra.exchange(id_token, scopes=key.scopes, tenant=key.tenant, claims=wanted)
        self._notice(grant.value)
        return HeldToken.of(grant, asked_at=asked_at)

    def _id_token(self) -> IdToken:
        audience = self._context.audience
        try:
            token = self._source.fetch(audience)
        except IdTokenError as error:
            now = self._clock.now()
            failed = IdTokenFetchFailed(at=now, audience=audience, reason=str(error))
            self._events.emit(failed)
            raise
        now = self._clock.now()
        self._events.emit(IdTokenFetched(at=now, audience=audience, expires_at=token.expires_at))
        return token

    def _now(self) -> float:
        return self._clock.now().timestamp()


class AsyncRefreshingCredential:
    """The same for `azure.*.aio` clients: azure-core's `AsyncTokenCredential` and its info twin.

    Exchanges run in threads; what is at hand is given at once.

    Args:
        credential: The credential whose tokens it gives; closing this one closes that one.
    """

    def __init__(self, credential: RefreshingCredential) -> None:
        self._credential = credential

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,  # noqa: ANN401 - azure-core's protocol allows more
    ) -> AccessToken:
        """Get an access token, as `RefreshingCredential.get_token` does."""
        key = self._credential.key(scopes, tenant_id, enable_cae=enable_cae)
        return _token(await self._held(key, claims))

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Get an access token, as `RefreshingCredential.get_token_info` does."""
        return _info(await self._held(*self._credential.wanted(scopes, options)))

    async def _held(self, key: TokenKey, claims: str | None) -> HeldToken:
        tokens = self._credential.tokens
        held = None if claims else tokens.at_hand(key)
        return held if held is not None else await asyncio.to_thread(tokens.get, key, claims)

    async def close(self) -> None:
        """Close the credential."""
        self._credential.close()

    async def __aenter__(self) -> AsyncRefreshingCredential:
        """Return the credential."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def __repr__(self) -> str:
        """Show who signs in, never a token."""
        return f"<Async {self._credential!r}>"


def _claims(challenge: str | None, *, enable_cae: bool) -> str | None:
    """Merge a claims challenge with what announces that we understand one."""
    if not enable_cae:
        return challenge
    try:
        asked = json.loads(challenge or "{}")
        access_token = {**asked.get("access_token", {}), **CAE_CLAIMS}
        return json.dumps({**asked, "access_token": access_token})
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError("The claims are no JSON object.", where="claims") from error


class _Types(NamedTuple):
    """The classes of the tokens: azure-core's, or ours where it is missing."""

    token: Callable[..., AccessToken]
    info: Callable[..., AccessTokenInfo]


class _PlainToken(NamedTuple):
    """The same as azure-core's `AccessToken`."""

    token: str
    expires_on: int


class _PlainInfo:
    """The same as azure-core's `AccessTokenInfo`."""

    def __init__(
        self, token: str, expires_on: int, *, token_type: str, refresh_on: int | None
    ) -> None:
        self.token = token
        self.expires_on = expires_on
        self.token_type = token_type
        self.refresh_on = refresh_on


def _redacted_repr(info: Any) -> str:  # noqa: ANN401 - of either class
    return f"AccessTokenInfo(token={REDACTED}, expires_on={info.expires_on})"


@functools.cache
def _types() -> _Types:
    token: Any = _PlainToken
    info: Any = _PlainInfo
    try:
        # azure-core is optional, also for mypy
        from azure.core import credentials  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional
    except ImportError:
        pass
    else:
        token, info = credentials.AccessToken, credentials.AccessTokenInfo
    # azure-core's repr holds the token
    return _Types(token, type("AccessTokenInfo", (info,), {"__repr__": _redacted_repr}))


def _token(held: HeldToken) -> AccessToken:
    return _types().token(held.grant.value, held.expires_on)


def _info(held: HeldToken) -> AccessTokenInfo:
    return _types().info(
        held.grant.value,
        held.expires_on,
        token_type=held.grant.token_type,
        refresh_on=held.refresh_on,
    )
