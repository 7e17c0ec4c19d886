"""A fault to plant: the relay never renews the ID token that it has, and hands it out expired."""

from __future__ import annotations

import pytest

from pytest_tfoidc.identity import relay


def pytest_configure() -> None:
    """Break the relay."""
    patch = pytest.MonkeyPatch()
    patch.setattr(relay._Held, "remains", lambda _held, _now: 1.0)
    patch.setattr(relay.IdTokenRelay, "drop", lambda _relay: None)
