"""A fault to plant: no port can be opened."""

from __future__ import annotations

import asyncio
import errno
from typing import NoReturn

import pytest


async def refuse(*_: object, **__: object) -> NoReturn:
    """Do as a sandbox does."""
    raise OSError(errno.EACCES, "Permission denied")


def pytest_configure() -> None:
    """Close the loopback."""
    pytest.MonkeyPatch().setattr(asyncio, "start_server", refuse)
