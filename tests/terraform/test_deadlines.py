"""An apply is not begun when its destroy could not finish any more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.terraform.live.deadlines import (
    Deadline,
    DeadlineError,
    Durations,
    deadline_of,
    require_time,
)

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=timezone.utc)
BEGAN = "2026-03-04T05:00:00Z"


def left(deadline: Deadline | None) -> float:
    assert deadline is not None
    return deadline.left


def test_what_was_asked_for_wins() -> None:
    found = deadline_of(timedelta(minutes=5), {"BUILDKITE_TIMEOUT": "60"})
    assert left(found) == pytest.approx(300, abs=5)


def test_gitlab_tells_when_the_job_ends() -> None:
    environment = {"CI_JOB_STARTED_AT": BEGAN, "CI_JOB_TIMEOUT": "3600"}
    found = deadline_of(None, environment, now=NOW)
    assert left(found) == pytest.approx(54 * 60, abs=5)


def test_buildkite_tells_how_long_its_command_may_take() -> None:
    assert left(deadline_of(None, {"BUILDKITE_TIMEOUT": "60"})) == pytest.approx(3600, abs=5)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"BUILDKITE_TIMEOUT": "false"},
        {"CI_JOB_TIMEOUT": "3600"},
        {"CI_JOB_TIMEOUT": "x", "CI_JOB_STARTED_AT": BEGAN},
        {"TF_BUILD": "True", "BUILD_BUILDID": "1"},
    ],
)
def test_who_tells_nothing_has_no_deadline(environment: dict[str, str]) -> None:
    assert deadline_of(None, environment) is None


def test_what_takes_too_long_is_not_begun(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    durations.note("module", "apply", 100)
    durations.note("module", "destroy", 50)
    enough = Deadline(at=real_seconds() + 200, source="--tf-deadline")
    short = Deadline(at=real_seconds() + 150, source="--tf-deadline")
    require_time(enough, durations, "module", "apply", "destroy")
    require_time(None, durations, "module", "apply", "destroy")
    require_time(short, durations, "other", "apply", "destroy")
    with pytest.raises(DeadlineError) as caught:
        require_time(short, durations, "module", "apply", "destroy")
    assert "so nothing was applied" in str(caught.value)
    assert "apply 2m, destroy 1m" in str(caught.value)
    assert "(--tf-deadline)" in str(caught.value)


def test_after_the_deadline_nothing_is_begun_even_if_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(DeadlineError):
        passed = Deadline(at=real_seconds() - 1, source="--tf-deadline")
        require_time(passed, Durations(tmp_path), "module", "apply")


def test_one_slow_run_is_forgotten_after_a_while(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    durations.note("module", "apply", 100)
    assert durations.of("module", "apply") == 100
    for _ in range(10):
        durations.note("module", "apply", 10)
    assert 10 <= durations.of("module", "apply") < 11


def test_durations_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "durations").write_text('{"module apply": "long"')
    assert Durations(tmp_path).of("module", "apply") == 0
