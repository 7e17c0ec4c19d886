"""A fault to plant: live tests use the state that the module's own backend names."""

from __future__ import annotations

import pytest

from pytest_tfoidc.plugin.run import RUN


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let live workspaces be as unguarded as those of the stand-in."""
    run = session.config.stash[RUN].session
    run.__dict__["live_states"] = None
