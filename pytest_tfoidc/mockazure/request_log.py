"""The requests that the stand-in has seen, by whom and with which token: claims, never tokens."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jwt

from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.proxy import matches

MOST_KEPT = 20_000  # of the latest requests
TOLD = ("appid", "oid", "tid", "iss", "sub", "aud", "exp")
HASH_LENGTH = 12  # hexadecimal digits: enough to tell tokens apart
NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})
TOKEN_FIELD = "client_assertion"  # noqa: S105 - the name of a form's field


@dataclass(frozen=True, kw_only=True)
class SeenRequest:
    """A request that came in, and the status that went out; 0 where none did.

    `scheme`: bearer, sharedkey, sas, basic, assertion (an ID token that is exchanged) or nothing.
    `token`: a hash of the token, to tell tokens apart. `claims`: what the token says, as far as it
    is no secret. `fault`: what was made to go wrong.
    """

    at: datetime
    host: str
    method: str
    path: str
    status: int
    scheme: str = ""
    token: str = ""
    claims: Mapping[str, Any] = field(default_factory=lambda: NO_CLAIMS)
    fault: str = ""

    @property
    def caller(self) -> str:
        """The application that the token was issued to, or the subject of an ID token."""
        return str(self.claims.get("appid") or self.claims.get("sub") or "")

    def __str__(self) -> str:
        """Write the request as a line."""
        who = " ".join(part for part in (self.scheme, self.token, self.caller) if part)
        line = f"{self.at:%H:%M:%S} {self.status or '---'} {self.method} {self.host}{self.path}"
        return (
            line + (f"  [{who}]" if who else "") + (f"  FAULT {self.fault}" if self.fault else "")
        )


class SeenRequests:
    """The latest requests, oldest first.

    Args:
        services: The hosts of each service, by name.
    """

    def __init__(self, services: Mapping[str, tuple[str, ...]]) -> None:
        self._services = services
        self._kept: deque[SeenRequest] = deque(maxlen=MOST_KEPT)

    def note(self, request: Request, *, at: datetime, status: int, fault: str = "") -> None:
        """Remember a request."""
        scheme, token, claims = _credential(request)
        self._kept.append(
            SeenRequest(
                at=at,
                host=request.host,
                method=request.method,
                path=request.path,
                status=status,
                scheme=scheme,
                token=token,
                claims=claims,
                fault=fault,
            )
        )

    def __iter__(self) -> Iterator[SeenRequest]:
        """Yield all of them; a copy, since the server goes on."""
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        """Count them."""
        return len(self._kept)

    def to(
        self, target: str = "*", *, method: str = "*", path: str = "*", status: int | None = None
    ) -> tuple[SeenRequest, ...]:
        """Return those to a service, a host or a pattern of hosts.

        Args:
            target: Such as `resource-manager`, `management.azure.com` or `*.blob.core.windows.net`.
            method: The method, or a pattern.
            path: A pattern of paths, without case.
            status: The status of the answer; any where it is not given.
        """
        hosts = self._services.get(target, (target,))
        return tuple(
            r
            for r in self
            if matches(r.host, hosts)
            and fnmatchcase(r.method, method)
            and fnmatchcase(r.path.lower(), path.lower())
            and status in {None, r.status}
        )

    def snapshot(self) -> tuple[SeenRequest, ...]:
        """Return all of them, for `restore`."""
        return tuple(self._kept)

    def restore(self, held: tuple[SeenRequest, ...]) -> None:
        """Go back to what had been seen."""
        self._kept = deque(held, maxlen=MOST_KEPT)


def _credential(request: Request) -> tuple[str, str, Mapping[str, Any]]:
    """Return the scheme, the token's hash and its claims."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "bearer", *_told(value.strip())
    if scheme:
        return scheme.lower(), "", NO_CLAIMS
    if "&sig=" in request.target or "?sig=" in request.target:
        return "sas", "", NO_CLAIMS
    if TOKEN_FIELD.encode() in request.body[:4096] and (token := request.form.get(TOKEN_FIELD)):
        return "assertion", *_told(token)
    return "", "", NO_CLAIMS


@lru_cache(maxsize=256)
def _told(token: str) -> tuple[str, Mapping[str, Any]]:
    digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:HASH_LENGTH]
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return digest, NO_CLAIMS
    return digest, MappingProxyType({name: claims[name] for name in TOLD if name in claims})
