"""Fixtures of the tests of this room."""

from __future__ import annotations

import pytest

from tests.identity.identity_kit import ManualClock, ScriptedSource


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until it is moved."""
    return ManualClock()


@pytest.fixture
def source(clock: ManualClock) -> ScriptedSource:
    """A source of ID tokens that answers as it is told."""
    return ScriptedSource(clock)
