"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from project_kit import Project

pytest_plugins = ("pytester",)


@pytest.fixture
def project(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project in which pytest runs; nothing may be left behind by that."""
    made = Project(pytester, temp=tmp_path, monkeypatch=monkeypatch)
    yield made
    assert made.left_over() == []
