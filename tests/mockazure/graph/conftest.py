"""Fixtures of the tests of this service."""

from __future__ import annotations

import pytest

from tests.mockazure.graph.graphclient import Client


@pytest.fixture
def client() -> Client:
    return Client()
