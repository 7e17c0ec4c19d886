"""Keeping secrets out of everything that is printed, logged or raised."""

from __future__ import annotations

import re
import threading

REDACTED = "(redacted)"
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")
MIN_SECRET_LENGTH = 6  # a shorter value would take ordinary words out of the text


class Redactor:
    """Replace known secrets, and everything that looks like a JWT, in texts. Thread safe."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._lock = threading.Lock()

    def add(self, *secrets: str) -> None:
        """Remember values that must never be shown."""
        with self._lock:
            self._secrets.update(s for s in secrets if len(s) >= MIN_SECRET_LENGTH)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values, to look for. They are for comparison only."""
        with self._lock:
            return tuple(self._secrets)

    def redact(self, text: str) -> str:
        """Give the text with every known secret and every JWT replaced."""
        with self._lock:
            secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, REDACTED)
        return JWT.sub(REDACTED, text)

    def __repr__(self) -> str:
        """Show how many secrets are known, never which."""
        return f"<Redactor of {len(self._secrets)} secrets>"
