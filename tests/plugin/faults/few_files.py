"""A fault to plant: from the first plan on, no more files can be opened until the session ends."""

from __future__ import annotations

import contextlib
import os
import resource

import pytest

from pytest_tfoidc.events import CommandFinished, Event
from pytest_tfoidc.plugin.run import RUN

LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)
STACK = contextlib.ExitStack()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Wait for the end of the first plan."""
    STACK.enter_context(session.config.stash[RUN].session.events.subscribed(_notice))


def _notice(event: Event) -> None:
    if isinstance(event, CommandFinished) and event.command == "plan":
        lowest = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, LIMITS[1]))


def pytest_sessionfinish() -> None:
    """Let files be opened again, as they can be where servers have been closed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, LIMITS)
    STACK.close()
