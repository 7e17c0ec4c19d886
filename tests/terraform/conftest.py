"""Fixtures of the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def into(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to copy into, outside of what is copied."""
    return tmp_path_factory.mktemp("copy")
