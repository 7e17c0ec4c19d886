"""The screen while tests run: a live line on a terminal, a plain heartbeat elsewhere.

It writes to a copy of pytest's own descriptor: pytest's capture is neither stopped nor asked.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.terminal import TerminalReporter

if TYPE_CHECKING:
    from pytest_tfoidc.reporting.progress import Running

LEAST_COLUMNS = 20
MOST_LINES = 8
SHOWN_SECONDS = 0.5  # a command that ends sooner gets no live line
LIVE_PAUSE, PLAIN_PAUSE = 0.25, 1.0
LOCK_SECONDS = 0.2
CLEAR = "\x1b[J"  # from here to the end of the screen


class Screen:
    """Where progress is shown. Thread safe; pytest's own output goes between `quiet`.

    Args:
        reporter: pytest's.
        period: Real seconds between two heartbeats.
        redact: Takes secrets out of a text.
        environment: Says which terminal, and which pipeline this is.
        live: False wants heartbeats on a terminal, too.

    Raises:
        OSError: There is no descriptor to write to.
    """

    def __init__(
        self,
        reporter: Any,  # noqa: ANN401 - pytest's, or another plugin's
        *,
        period: float,
        redact: Callable[[str], str],
        environment: Mapping[str, str],
        live: bool,
    ) -> None:
        self._reporter = reporter
        self._writer = reporter._tw  # noqa: SLF001 - it has no other way in
        self._descriptor = os.dup(self._writer._file.fileno())  # noqa: SLF001 - as above
        self._period = period
        self._redact = redact
        self._environment = environment
        self.is_live = live and is_capable(reporter, self._descriptor, environment)
        self.pause = LIVE_PAUSE if self.is_live else min(PLAIN_PAUSE, period / 4)
        self._drawn = False
        self._beats: dict[tuple[str, int], int] = {}
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep the screen for pytest: nothing of ours is on it."""
        with self._lock:
            self._erase()
            yield

    def show(self, running: tuple[Running, ...]) -> None:
        """Show what runs; nothing while pytest writes itself.

        Raises:
            OSError: The terminal is gone.
        """
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            return
        try:
            if self.is_live:
                self._draw([one for one in running if one.seconds >= SHOWN_SECONDS])
            else:
                self._beat(running)
        finally:
            self._lock.release()

    def _draw(self, running: list[Running]) -> None:
        from pytest_tfoidc.reporting.progress import progress_line  # noqa: PLC0415 - not in every run

        size = os.get_terminal_size(self._descriptor)
        if not running or size.columns < LEAST_COLUMNS:
            self._erase()
            return
        most = max(1, min(MOST_LINES, size.lines - 2))
        lines = [
            self._redact(progress_line(one, width=size.columns - 1)) for one in running[-most:]
        ]
        column = min(self._writer.width_of_current_line, size.columns - 1)
        below = "".join(f"\n{line[: size.columns - 1]}" for line in lines)
        forward = f"\x1b[{column}C" if column else ""
        self._drawn = True
        self._write(f"{CLEAR}{below}\x1b[{len(lines)}A\r{forward}")

    def _erase(self) -> None:
        if self._drawn:
            self._drawn = False
            with contextlib.suppress(OSError):
                self._write(CLEAR)

    def _beat(self, running: tuple[Running, ...]) -> None:
        due = [one for one in running if self._is_due(one)]
        self._beats = {one.key: int(one.seconds // self._period) for one in running}
        if not due:
            return
        from pytest_tfoidc.reporting.progress import progress_line  # noqa: PLC0415 - not in every run

        lines = [self._redact(progress_line(one)) for one in due]
        from pytest_tfoidc.reporting.pipelines import progress_command  # noqa: PLC0415 - not in every run

        command = progress_command(self._environment, running, redact=self._redact)
        self._write(self._fresh_line() + "".join(f"{line}\n" for line in (*lines, *command)))

    def _is_due(self, running: Running) -> bool:
        return int(running.seconds // self._period) > self._beats.get(running.key, 0)

    def _fresh_line(self) -> str:
        """Return what ends pytest's own line, and let pytest know, as `ensure_newline` does."""
        if not self._writer.width_of_current_line:
            return ""
        self._reporter.currentfspath = None
        self._writer._current_line = ""  # noqa: SLF001 - it has no other way in
        return "\n"

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        """Leave nothing of ours on the screen."""
        if self._lock.acquire(timeout=1):
            try:
                self._erase()
            finally:
                self._lock.release()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def is_capable(reporter: object, descriptor: int, environment: Mapping[str, str]) -> bool:
    """Tell whether a live line can be drawn, and nobody else draws there."""
    if os.name == "nt" or type(reporter) is not TerminalReporter:
        return False
    return os.isatty(descriptor) and environment.get("TERM", "") not in {"", "dumb"}


def wants_live(config: pytest.Config) -> bool:
    """Tell whether what tests print would not run into a live line."""
    shows_logs = config.getoption("log_cli_level", None) or config.getini("log_cli")
    return config.getoption("capture", None) != "no" and not shows_logs
