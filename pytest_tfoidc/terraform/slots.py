"""How many modules are deployed or destroyed at once, by all workers of a run on one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pytest_tfoidc.clock import real_sleep
from pytest_tfoidc.ending import Ending
from pytest_tfoidc.terraform.live.holding import Hold

LOOK_SECONDS = 0.1
USING = frozenset({"apply", "destroy", "test"})  # commands that take a slot


class Slots:
    """Slots that processes share; a process that dies gives its own back.

    Args:
        folder: Where they are, a file for each; it exists while the run does.
        number: How many there are.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._files = [folder / f"slot-{one}" for one in range(number)]

    @contextlib.contextmanager
    def one(self, ending: Ending) -> Iterator[None]:
        """Have a slot during the block, and wait for it; who is asked to end waits no more."""
        hold = self._taken()
        while hold is None and not ending.is_asked:
            real_sleep(LOOK_SECONDS)
            hold = self._taken()
        try:
            yield
        finally:
            if hold is not None:
                hold.release()

    def _taken(self) -> Hold | None:
        return next((hold for hold in map(Hold, self._files) if hold.acquire()), None)
