"""Fixtures of the tests of vaults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mockazure.vaultclient import Vaults


@pytest.fixture
def vaults() -> Iterator[Vaults]:
    """Return the client of a vault that may be asked everything."""
    made = Vaults()
    yield made
    made.arm.clock.reset()
