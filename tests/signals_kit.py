"""Children that take signals as they would in a terminal, however the tests were started."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def default_signals() -> Iterator[None]:
    """Let children that are started in the block take signals that we ignore.

    A shell without job control starts what stands before `&` with SIGINT and SIGQUIT ignored, and
    `nohup` does so with SIGHUP; children inherit that. What is handled here is the default for a
    child.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in NUMBERS:
            if signal.getsignal(number) is signal.SIG_IGN:
                before[number] = signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
