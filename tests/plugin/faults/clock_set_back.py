"""A fault to plant: the machine's clock is set back while the run goes on, and again."""

from __future__ import annotations

import itertools
import time

STEPS = ((100, 0.0), (200, -7200.0), (300, -86400.0))  # up to which call, and by how many seconds
true_time = time.time  # noqa: TID251 - what is set back
calls = itertools.count()


def set_back() -> float:
    """Return the time, and later an earlier one."""
    number = next(calls)
    return true_time() + next((by for end, by in STEPS if number < end), STEPS[-1][1])


time.time = set_back  # noqa: TID251 - as above
