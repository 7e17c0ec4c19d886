"""ID tokens, and what they say about themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.identity.secret import Secret, jwt_claims, numeric_date


@dataclass(frozen=True)
class IdToken:
    """An ID token and what it says about itself. Moments are aware, UTC, by our own clock."""

    value: str = field(repr=False)
    issuer: str
    subject: str
    audience: str
    issued_at: datetime
    expires_at: datetime

    @property
    def lifetime(self) -> timedelta:
        """How long the issuer meant it to live."""
        return self.expires_at - self.issued_at

    @property
    def who(self) -> str:
        """Its issuer and subject, for messages."""
        return f"issuer {self.issuer}, subject {self.subject}"


def parse_id_token(
    text: str, *, now: datetime | None = None, audience: str | None = None, where: str = ""
) -> IdToken:
    """Read an ID token without verifying its signature: that is Entra's part.

    Args:
        text: The token.
        now: The time (aware, UTC); with it, a token that has expired is refused.
        audience: With it, a token for another audience is refused.
        where: What gave the token, for messages.

    Raises:
        IdTokenError: It is no JWT, lacks a claim, has expired or is for another audience.
    """
    claims = jwt_claims(text.strip())
    if claims is None:
        raise IdTokenError(
            "What should be an ID token is not a JWT.",
            where=where,
            cause=f"its {len(text)} characters are not three parts of base64 with JSON in them; a "
            "masked value (***) or an unexpanded $(…) looks like this",
            remedy="Map the variable, or mend what prints the token.",
        )
    token = _token(text.strip(), claims, now, where)
    if now is not None and token.expires_at <= now:
        raise _expired(token, now, where)
    if audience is not None and audience not in _audiences(claims):
        raise IdTokenError(
            f"The ID token is for {token.audience}, not for {audience}.",
            where=where,
            cause=token.who,
            remedy="Ask for the audience that the federated credential names.",
        )
    return token


def _token(text: str, claims: dict[str, Any], now: datetime | None, where: str) -> IdToken:
    expires_at = numeric_date(claims.get("exp"))
    issued_at = (
        numeric_date(claims.get("iat")) or numeric_date(claims.get("nbf")) or now or expires_at
    )
    missing = [name for name in ("iss", "sub") if not isinstance(claims.get(name), str)]
    if expires_at is None or issued_at is None or missing:
        names = ", ".join(missing + (["exp"] if expires_at is None else []))
        raise IdTokenError(
            f"The ID token has no usable {names}.",
            where=where,
            cause="it is a JWT, but not one that a pipeline's issuer makes",
            remedy="Look at what prints the token: an access token is no ID token.",
        )
    return IdToken(
        value=Secret(text),
        issuer=claims["iss"],
        subject=claims["sub"],
        audience=", ".join(_audiences(claims)),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def _audiences(claims: dict[str, Any]) -> tuple[str, ...]:
    given = claims.get("aud")
    return tuple(str(one) for one in given) if isinstance(given, list) else (str(given or ""),)


def _expired(token: IdToken, now: datetime, where: str) -> IdTokenError:
    return IdTokenError(
        f"The ID token expired at {token.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
        where=where,
        cause=f"that is {format_duration(now - token.expires_at)} ago by this machine's clock; "
        f"{token.who}",
        remedy="Get a new one; if it is new, set this machine's clock.",
    )
