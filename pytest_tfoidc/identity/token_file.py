"""A file with a fresh ID token, for clients that read one: `WorkloadIdentityCredential`, AKS."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.events import EventLog, IdTokenFetched, IdTokenFetchFailed

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.identity.idtoken import IdToken
    from pytest_tfoidc.identity.sources import IdTokenSource

MARGIN = 1 / 2  # readers keep what they have read for minutes, so the file is renewed early
LOOK_SECONDS = 0.5  # how often the clock is looked at, in real time: it may have jumped
STOP_SECONDS = 90.0  # longer than the longest request for a token


class KeptTokenFile:
    """Keep an ID token in a file that only this user can read, and renew it in time.

    Args:
        path: The file; it is replaced whole, and removed at the end.
        source: Where the tokens come from.
        clock: Tells when a token has to be renewed.
        audience: What the tokens are for.
        events: Is told of every token that was fetched.
    """

    def __init__(
        self,
        path: Path,
        *,
        source: IdTokenSource,
        clock: Clock,
        audience: str,
        events: EventLog | None = None,
    ) -> None:
        self.path = path
        self._source = source
        self._clock = clock
        self._audience = audience
        self._events = events or EventLog()
        self._token: IdToken | None = None
        self._since = clock.now()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="tfoidc-token-file", daemon=True)

    def renew(self) -> None:
        """Write a new token now: after the clock has jumped, before anyone reads.

        Raises:
            IdTokenError: There is none to be had.
        """
        with self._lock:
            now = self._clock.now()
            try:
                token = self._source.fetch(self._audience)
            except IdTokenError as error:
                failed = IdTokenFetchFailed(at=now, audience=self._audience, reason=str(error))
                self._events.emit(failed)
                raise
            self._write(token)
            self._token, self._since = token, now
            self._events.emit(
                IdTokenFetched(at=now, audience=self._audience, expires_at=token.expires_at)
            )

    def _write(self, token: IdToken) -> None:
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token.value)
        fresh.replace(self.path)  # readers see the old token or the new one, never a part

    def _keep(self) -> None:
        wait = LOOK_SECONDS
        while not self._over.wait(wait):
            wait = LOOK_SECONDS
            if self._is_due():
                try:
                    self.renew()
                except IdTokenError:
                    wait = 10 * LOOK_SECONDS  # it is an event; the old token may still be good

    def _is_due(self) -> bool:
        token, now = self._token, self._clock.now()
        if token is None or now < self._since:  # the clock was set back: nobody knows its age
            return True
        return token.expires_at - now < MARGIN * token.lifetime

    def __enter__(self) -> KeptTokenFile:
        """Write the first token, and begin to keep it."""
        self.renew()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and remove the file."""
        self._over.set()
        self._thread.join(STOP_SECONDS)
        self.path.unlink(missing_ok=True)
