"""How a run ends that somebody asks to end: in order, once, and in the time that is left.

Pipelines' agents send SIGINT, SIGTERM 7.5 s later, and SIGKILL 2.5 s after that; others begin with
SIGTERM. A person presses Ctrl-C, and has time, until they press it again.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_tfoidc.clock import real_seconds

SAME_SECONDS = 0.5  # a signal again within them is the same one, sent to us and to our group
BEGIN_SECONDS = 7.5  # after SIGTERM or SIGHUP: until then a destroy may run
WRITE_SECONDS = 2.0  # after that, for Terraform to write its state; half a second is for last words
QUICK_SECONDS = 5.0  # for everything, where nothing real exists


@dataclass(frozen=True, kw_only=True)
class LeftRunning:
    """A Terraform that ends in order after us. `process`: its id, and its group's."""

    command: str
    module: str
    process: int


class Ending:
    """Who has asked this run to end, and what there is still time for.

    Args:
        is_real: Something real may be deployed: it is worth waiting for.
        now: Tells the time, in seconds.
    """

    def __init__(self, *, is_real: bool = True, now: Callable[[], float] = real_seconds) -> None:
        self.is_real = is_real
        self.left_running: list[LeftRunning] = []
        self._now = now
        self._asked: list[tuple[float, int]] = []
        self._stop_at = self._over_at = math.inf
        self._waiting = 0
        self._running: list[tuple[LeftRunning, Callable[[], object]]] = []
        self._lock = threading.RLock()  # a signal handler comes at any time

    def ask(self, number: int) -> bool:
        """Note that a signal asks us to end; return whether it says anything new."""
        with self._lock:
            now = self._now()
            is_same = any(n == number and now - at < SAME_SECONDS for at, n in self._asked)
            if not is_same:
                self._asked.append((now, number))
                self._plan(now, number)
            return not is_same

    def _plan(self, now: float, number: int) -> None:
        times = len(self._asked)
        if times > 1 or not self.is_real:
            self._stop_at = min(self._stop_at, now)
            patience = {1: QUICK_SECONDS, 2: WRITE_SECONDS}.get(times, 0.0)
            self._over_at = min(self._over_at, now + patience)
        elif number != signal.SIGINT:
            self._stop_at = now + BEGIN_SECONDS
            self._over_at = self._stop_at + WRITE_SECONDS

    @property
    def is_asked(self) -> bool:
        """Whether somebody has asked."""
        return bool(self._asked)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that have asked, in their order."""
        return tuple(signal.Signals(number).name for _, number in self._asked)

    @property
    def has_to_stop(self) -> bool:
        """Whether nothing may begin any more, and what runs has to be interrupted."""
        return self._now() >= self._stop_at

    @property
    def is_over(self) -> bool:
        """Whether there is no time for anything but the last words."""
        return self._now() >= self._over_at

    @property
    def seconds_left(self) -> float:
        """Return how long there is until it is over; infinite where nobody is in a hurry."""
        return max(0.0, self._over_at - self._now())

    @contextlib.contextmanager
    def running(self, what: LeftRunning, interrupt: Callable[[], object]) -> Iterator[None]:
        """Know of a command while it runs; `interrupt` stops it."""
        entry = (what, interrupt)
        self._running.append(entry)
        try:
            yield
        finally:
            self._running.remove(entry)

    @property
    def commands(self) -> tuple[LeftRunning, ...]:
        """The commands that run now, and those that were left running."""
        now = (what for what, _ in tuple(self._running))
        return tuple(dict.fromkeys([*now, *self.left_running]))

    def interrupt_all(self) -> None:
        """Stop every command that runs, in whatever thread."""
        for _, interrupt in tuple(self._running):
            interrupt()

    @property
    def is_idle(self) -> bool:
        """Whether no command runs."""
        return not self._running

    @property
    def is_waiting(self) -> bool:
        """Whether somebody looks at this while waiting: no exception has to end the waiting."""
        return self._waiting > 0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait in the block by looking at this often."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
