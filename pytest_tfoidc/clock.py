"""The virtual clock: real time plus what it was moved by.

Python libraries in this process follow through freezegun, ticking. Child processes always see real
time; what makes them notice a jump is that their tokens are refused.
"""

from __future__ import annotations

import re
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from pytest_tfoidc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_DATETIME = datetime
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
PART = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
DURATION = re.compile(rf"(?:{PART})+")

# Modules that measure real waiting. They keep the real clock while it is moved, or a jump would
# end their time-outs early, and pytest would report simulated hours as a test's duration.
REAL_TIME_MODULES = (
    "_pytest.timing",
    "concurrent.futures._base",
    "execnet",
    "filelock",
    "multiprocessing",
    "pytest_tfoidc.ending",
    "pytest_tfoidc.identity.http_client",
    "pytest_tfoidc.terraform.live.deadlines",
    "pytest_tfoidc.processes",
    "pytest_tfoidc.terraform.runner",
    "pytest_timeout",
    "queue",
    "selectors",
    "subprocess",
    "threading",
    "urllib3.util.timeout",
    "xdist",
)
# Of these, only functions that call nobody else's code: freezegun gives real time to everything
# that runs up to five calls below a listed module, and user code runs below `threading`.
CALL_USER_CODE = {"execnet", "multiprocessing", "threading", "xdist"}
REAL_TIME_CALLERS = tuple(m for m in REAL_TIME_MODULES if m not in CALL_USER_CODE)


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `90s`, `30m`, `1h30m` or `2d`.

    Raises:
        UsageError: The text is no duration.
    """
    if not DURATION.fullmatch(text.strip()):
        raise UsageError(
            f"{text!r} is not a duration.",
            remedy="Write a number and a unit: 90s, 30m, 1h30m, 2d.",
        )
    try:
        return timedelta(seconds=sum(float(n) * UNITS[u] for n, u in re.findall(PART, text)))
    except OverflowError as error:
        raise UsageError(f"{text!r} is too long.", remedy="Use less than 100 years.") from error


def format_duration(duration: timedelta) -> str:
    """Write a duration for people: `5m`, `2h 34m`, `14.2s`."""
    seconds = duration.total_seconds()
    if seconds < UNITS["m"]:
        return f"{seconds:.3g}s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds if not hours else 0, "s"))
    return " ".join(f"{n}{unit}" for n, unit in parts if n)


class Clock(Protocol):
    """A clock, which tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """Return the time."""


class VirtualClock:
    """A clock that can be moved forward, and that takes this process's libraries with it.

    `now` never depends on freezegun, so servers and threads see the same time as everyone else.
    Thread safe.
    """

    def __init__(self) -> None:
        self._offset = timedelta()
        self._freezer: Any = None
        self._ticker: Any = None
        self._lock = threading.RLock()

    def now(self) -> datetime:
        """Return the virtual time: aware, UTC."""
        return real_now() + self._offset

    @property
    def offset(self) -> timedelta:
        """How far the clock stands before real time."""
        return self._offset

    def advance(self, by: timedelta) -> None:
        """Jump forward.

        Raises:
            UsageError: The jump goes backwards, or past the year 9999.
        """
        if by < timedelta():
            raise UsageError(f"The clock cannot be moved back ({by}).")
        with self._lock:
            try:
                _ = self.now() + by
            except OverflowError as error:
                raise UsageError(f"The clock cannot be moved by {by}.") from error
            self._offset += by
            self._follow(by)

    def _follow(self, by: timedelta) -> None:
        if self._freezer is None:
            self._freezer = _freezer(self.now())
            self._ticker = self._freezer.start()
            _narrow_real_time_callers()
        else:
            self._ticker.tick(by)

    def reset(self) -> None:
        """Go back to real time, and take the libraries back as well."""
        with self._lock:
            self._offset = timedelta()
            freezer, self._freezer, self._ticker = self._freezer, None, None
            if freezer is not None:
                freezer.stop()


def _real(name: str) -> Callable[[], float]:
    """Return a function of `time` as it was before anything froze the process.

    It is kept where freezegun does not look: it replaces what `time` and other modules hold.
    """
    function: Callable[[], float] = getattr(time, name)
    if function.__module__ == "freezegun.api":
        from freezegun import api  # noqa: PLC0415 - it is loaded, or it could not have frozen

        function = getattr(api, f"real_{name}")
    return lambda: function()  # noqa: PLW0108 - freezegun would find the function itself


_monotonic = _real("monotonic")
_time = _real("time")


def real_seconds() -> float:
    """Return real seconds since some moment, whatever the clock is moved by."""
    return _monotonic()


def real_now() -> datetime:
    """Return the real time: aware, UTC."""
    return REAL_DATETIME.fromtimestamp(_time(), tz=timezone.utc)


def real_sleep(seconds: float) -> None:
    """Sleep for real seconds: what ends a wait that only other programs can end."""
    time.sleep(seconds)  # noqa: TID251 - the one place


def _freezer(at: datetime) -> Any:  # noqa: ANN401 - freezegun's class is private
    import freezegun  # noqa: PLC0415 - loaded by the first jump only

    return freezegun.freeze_time(
        at.replace(tzinfo=None), tick=True, ignore=list(REAL_TIME_MODULES), real_asyncio=True
    )


def _narrow_real_time_callers() -> None:
    from freezegun import api  # noqa: PLC0415 - loaded by the first jump only

    api.ignore_lists[-1] = REAL_TIME_CALLERS
