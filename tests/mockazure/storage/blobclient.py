"""A small client of the blob service, for its tests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.storage.service import BlobService
from pytest_tfoidc.mockazure.tokens import AccessTokens, SigningKey

HOST = "acct.blob.core.windows.net"
VERSION = "2023-11-03"
LEASE = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
KEY = SigningKey()  # making one takes a tenth of a second; it is made at its first use

BLOB = "/state/terraform.tfstate"  # the backend's state


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


class BlobClient:
    """Calls the service as somebody with a good bearer, and keeps what it needs at hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events = EventLog()
        self.tokens = AccessTokens(clock=self.clock, events=self.events)
        self.tokens.key = KEY
        self.service = BlobService(
            clock=self.clock, access_tokens=self.tokens, tenant_id="the-tenant"
        )
        self.bearer = self.issue("https://storage.azure.com")

    def issue(self, audience: str) -> str:
        """Issue a bearer for an audience."""
        return self.tokens.issue(
            audience=audience, client_id="client", object_id="object", tenant_id="tenant"
        ).value

    def bare(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        headers: dict[str, str] | None = None,
        host: str = HOST,
        scheme: str = "https",
    ) -> Response:
        """Send a request with these headers only."""
        return self.service.handle(Request(method, scheme, host, target, headers or {}, body))

    def __call__(self, method: str, target: str, body: bytes = b"", /, **headers: str) -> Response:
        """Send a request. Headers are keywords, with underscores for hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        own = {"authorization": f"Bearer {self.bearer}", "x-ms-version": VERSION}
        return self.bare(method, target, body, headers={**own, **given})

    def put(self, target: str, body: bytes = b"", /, **headers: str) -> Response:
        """Put a block blob."""
        return self("PUT", target, body, x_ms_blob_type="BlockBlob", **headers)

    def lease(self, target: str, action: str, /, **headers: str) -> Response:
        """Do something to a lease; the headers come without `x-ms-lease-`."""
        named = {f"x_ms_lease_{name}": value for name, value in headers.items()}
        if "proposed" in headers:
            named["x_ms_proposed_lease_id"] = named.pop("x_ms_lease_proposed")
        comp = "&comp=lease" if "?" in target else "?comp=lease"
        return self("PUT", target + comp, x_ms_lease_action=action, **named)


def code(response: Response) -> tuple[int, str]:
    """Return the status and the error code, of the header and, where there is one, the body."""
    header = response.headers.get("x-ms-error-code", "")
    if response.body and header:
        match = re.search(rb"<Code>(\w+)</Code><Message>[^<]", response.body)
        assert match is not None
        assert match[1].decode() == header
    return response.status, header


def names(response: Response, tag: str = "Name") -> list[str]:
    """Return the texts of one element of an XML answer."""
    assert response.status == 200
    return re.findall(f"<{tag}(?: [^>]*)?>([^<]*)</{tag}>", response.body.decode())
