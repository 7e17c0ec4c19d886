"""Fixtures of the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.mockazure.armclient import Arm
from tests.mockazure.azurekit import Azure, running

if TYPE_CHECKING:
    from tests.mockazure.vaultkit import World


@pytest.fixture
def arm() -> Iterator[Arm]:
    """A Resource Manager with one resource group, which is asked without a socket."""
    made = Arm()
    made.group()
    yield made
    made.clock.reset()


@pytest.fixture(scope="module")
def shared_azure() -> Iterator[Azure]:
    """A stand-in that runs for a module of tests."""
    with running() as azure:
        yield azure


@pytest.fixture
def azure(shared_azure: Azure) -> Iterator[Azure]:
    """The module's stand-in; what a test does to it is put back."""
    with shared_azure.lent() as azure:
        yield azure


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    """The same as an SDK's user sees it: a stand-in, and who its pipeline is."""
    from tests.mockazure.vaultkit import world  # noqa: PLC0415 - with the SDKs, which may be missing

    with world() as made:
        yield made


@pytest.fixture
def here(shared_world: World) -> Iterator[World]:
    """The module's world; what a test does to it is put back."""
    with shared_world.azure.lent():
        yield shared_world
