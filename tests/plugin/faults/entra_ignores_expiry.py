"""A fault to plant: Entra exchanges ID tokens that have expired."""

from __future__ import annotations

import pytest

from pytest_tfoidc.plugin.run import RUN


def pytest_sessionstart(session: pytest.Session) -> None:
    """Break the stand-in."""
    mock = session.config.stash[RUN].session.mock
    assert mock is not None
    mock.entra.checks_expiry = False
