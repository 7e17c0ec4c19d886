"""Fixtures of all tests; those of one room are in its own conftest."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.mockazure import tokens
from tests import forking
from tests.project_kit import Project

pytest_plugins = ("pytester",)

with contextlib.suppress(ModuleNotFoundError):  # `pytest --tf-module` loads this without it
    from hypothesis import HealthCheck, settings

    # No property is about time: what an example takes on a machine says nothing about the code.
    too_slow = [HealthCheck.too_slow]
    settings.register_profile("any machine", deadline=None, suppress_health_check=too_slow)
    settings.load_profile("any machine")

_new_key = tokens.new_key  # the real one


@functools.cache
def _key(_number: int) -> rsa.RSAPrivateKey:
    return _new_key()


@pytest.fixture(autouse=True)
def keys_that_were_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every stand-in have keys from a small stock: making one takes a tenth of a second."""
    numbers = itertools.cycle(range(4))
    monkeypatch.setattr(tokens, "new_key", lambda: _key(next(numbers)))


@pytest.fixture(autouse=True)
def cache_of_the_tests(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep what is found out once a machine out of the home, which is another one in each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache-of-the-tests"))


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """A virtual clock; afterwards time is as it was."""
    made = VirtualClock()
    yield made
    made.reset()


@pytest.fixture
def events() -> EventLog:
    """A log of events, which is empty."""
    return EventLog()


def pytest_unconfigure() -> None:
    """Leave no process behind."""
    forking.close()


@pytest.fixture
def project(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project in which pytest runs; nothing may be left behind by that."""
    made = Project(pytester, temp=tmp_path, monkeypatch=monkeypatch)
    yield made
    assert made.left_over() == []
