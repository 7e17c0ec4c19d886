"""A fault to plant: the temporary folder goes when the run has begun."""

from __future__ import annotations

import tempfile

import pytest


def pytest_collection_finish() -> None:
    """Lead `tempfile` to a folder that is not there."""
    pytest.MonkeyPatch().setattr(tempfile, "tempdir", "/nowhere/temp")
