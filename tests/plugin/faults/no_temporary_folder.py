"""A fault to plant: there is no temporary folder."""

from __future__ import annotations

import tempfile

import pytest


def pytest_configure() -> None:
    """Lead `tempfile` to a folder that is not there."""
    pytest.MonkeyPatch().setattr(tempfile, "tempdir", "/nowhere/temp")
