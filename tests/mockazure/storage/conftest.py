"""Fixtures of the tests of this room."""

from __future__ import annotations

import pytest

from tests.mockazure.storage.blobclient import BLOB, BlobClient


@pytest.fixture
def blobs() -> BlobClient:
    """A blob service with an account and a container, which is asked without a socket."""
    return BlobClient()


@pytest.fixture
def with_a_blob(blobs: BlobClient) -> None:
    """Let the container have a blob."""
    blobs.put(BLOB, b"state")
