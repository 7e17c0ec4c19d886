"""Deadlines: an apply is not begun when its destroy could not finish any more.

How long a command takes is known from what has run before; that is kept beside the ledger.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pytest_tfoidc.clock import format_duration, real_now, real_seconds
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.live.ledger import write_durably

DURATIONS = "durations"  # a file in the ledger's folder
MARGIN = 1.2  # of what a command took before
OPTION = "--tf-deadline"


class DeadlineError(TfOidcError):
    """There is not enough time left. Nothing was applied."""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """When a run has to have ended, in seconds of `real_seconds`, and who says so."""

    at: float
    source: str

    @property
    def left(self) -> float:
        """How many seconds are left."""
        return self.at - real_seconds()


def deadline_of(
    given: timedelta | None, environment: Mapping[str, str], *, now: datetime | None = None
) -> Deadline | None:
    """Return the deadline that was asked for, or the job's own where the pipeline tells it.

    GitLab tells when a job began and how long it may take (CI_JOB_STARTED_AT, CI_JOB_TIMEOUT in
    seconds), Buildkite how long its command may take (BUILDKITE_TIMEOUT in minutes). Azure
    Pipelines, GitHub and the others tell nothing.

    Args:
        given: How long the run may take from now on.
        environment: The pipeline's.
        now: The present, for tests (aware).
    """
    if given is not None:
        return Deadline(at=real_seconds() + given.total_seconds(), source=OPTION)
    with contextlib.suppress(KeyError, ValueError):
        began = datetime.fromisoformat(environment["CI_JOB_STARTED_AT"].replace("Z", "+00:00"))
        end = began + timedelta(seconds=int(environment["CI_JOB_TIMEOUT"]))
        left = (end - (now or real_now())).total_seconds()
        return Deadline(at=real_seconds() + left, source="the job's CI_JOB_TIMEOUT")
    with contextlib.suppress(KeyError, ValueError):
        minutes = int(environment["BUILDKITE_TIMEOUT"])  # `false` where there is none
        return Deadline(at=real_seconds() + 60 * minutes, source="the job's BUILDKITE_TIMEOUT")
    return None


class Durations:
    """How long commands took in a module before.

    Args:
        folder: The ledger's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / DURATIONS

    def of(self, module: str, command: str) -> float:
        """Return how many seconds a command took when it took longest lately; 0 if never."""
        return self._read().get(f"{module} {command}", 0.0)

    def note(self, module: str, command: str, seconds: float) -> None:
        """Remember how long a command took. What was longer before fades away slowly."""
        known = self._read()
        name = f"{module} {command}"
        known[name] = round(max(seconds, (known.get(name, 0.0) + seconds) / 2), 1)
        with contextlib.suppress(OSError):  # the next run knows a little less
            if self._path.parent.is_dir():
                write_durably(self._path, json.dumps(known, indent=1).encode())

    def _read(self) -> dict[str, float]:
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): float(seconds) for name, seconds in found.items()}
        return {}


def require_time(deadline: Deadline | None, durations: Durations, module: str, *names: str) -> None:
    """Make sure that commands can still be run to their end, one after the other.

    Raises:
        DeadlineError: There is not enough time left for that.
    """
    if deadline is None:
        return
    known = {name: durations.of(module, name) * MARGIN for name in names}
    if deadline.left > sum(known.values()):
        return
    took = ", ".join(
        f"{name} {format_duration(timedelta(seconds=round(seconds, 1)))}"
        for name, seconds in known.items()
        if seconds
    )
    left = format_duration(timedelta(seconds=max(0.0, round(deadline.left, 1))))
    raise DeadlineError(
        "There is not enough time left to apply and to destroy again, so nothing was applied.",
        where=module,
        cause=f"{left} are left ({deadline.source})"
        + (f"; to be expected from what ran before: {took}" if took else ""),
        remedy=f"Give the job and {OPTION} more time, or select fewer tests.",
    )
