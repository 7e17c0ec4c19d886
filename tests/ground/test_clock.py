"""The virtual clock: one time for everything in the process, real time for waiting."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.clock import (
    VirtualClock,
    format_duration,
    parse_duration,
    real_now,
    real_seconds,
)
from pytest_tfoidc.errors import UsageError

HOUR = dt.timedelta(hours=1)


def near(moment: dt.datetime, other: dt.datetime) -> bool:
    return abs(moment - other) < dt.timedelta(seconds=30)


def test_a_jump_moves_the_clock_and_every_library_together(clock: VirtualClock) -> None:
    before = time.time()
    clock.advance(HOUR)
    seen = dt.datetime.now(tz=dt.timezone.utc)
    assert near(seen, clock.now())
    assert 3570 < time.time() - before < 3630


def test_time_goes_on_after_a_jump(clock: VirtualClock) -> None:
    clock.advance(HOUR)
    first, library_first = clock.now(), time.time()
    while clock.now() == first or time.time() == library_first:
        pass
    assert clock.now() > first


def test_jumps_add_up(clock: VirtualClock) -> None:
    before = time.time()
    clock.advance(HOUR)
    clock.advance(HOUR)
    assert near(clock.now(), dt.datetime.fromtimestamp(before, tz=dt.timezone.utc) + 2 * HOUR)
    assert 7170 < time.time() - before < 7230


def test_reset_brings_real_time_back(clock: VirtualClock) -> None:
    before = time.time()
    clock.advance(HOUR)
    clock.reset()
    assert time.time() - before < 60
    assert clock.offset == dt.timedelta()


def test_threads_and_pools_see_the_same_time(clock: VirtualClock) -> None:
    clock.advance(HOUR)
    seen: list[float] = []
    thread = threading.Thread(target=lambda: seen.append(time.time()))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(max_workers=1) as pool:
        seen.append(pool.submit(time.time).result())
    assert all(abs(moment - clock.now().timestamp()) < 30 for moment in seen)


def test_a_jump_does_not_end_a_subprocess_timeout_early(clock: VirtualClock) -> None:
    jump = threading.Timer(0.2, clock.advance, [HOUR])
    jump.start()
    done = subprocess.run(
        [sys.executable, "-c", "import time; time.sleep(0.4)"], timeout=30, check=False
    )
    jump.join()
    assert done.returncode == 0
    assert clock.offset == HOUR


def test_a_moved_clock_does_not_stop_subprocess_timeouts(clock: VirtualClock) -> None:
    clock.advance(HOUR)
    waits_for_ever = [sys.executable, "-c", "import threading; threading.Event().wait(60)"]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(waits_for_ever, timeout=0.3, check=False)


def test_a_jump_does_not_end_waiting_for_a_lock_early(clock: VirtualClock) -> None:
    ready = threading.Event()
    condition = threading.Condition()
    threading.Timer(0.1, clock.advance, [HOUR]).start()
    threading.Timer(0.3, ready.set).start()
    threading.Timer(0.35, lambda: _notify(condition)).start()
    with condition:
        assert condition.wait_for(ready.is_set, timeout=20)


def test_a_jump_does_not_end_waiting_for_futures_early(clock: VirtualClock) -> None:
    clock.advance(HOUR)
    done = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = [pool.submit(threading.Event().wait, seconds) for seconds in (0, 0.4)]
        for future in as_completed(futures, timeout=20):
            clock.advance(HOUR)
            done.append(future)
    assert done == futures


def _notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()


JUMPING = """
    from datetime import timedelta

    import pytest

    from pytest_tfoidc.clock import VirtualClock

    HOUR = timedelta(hours=1)

    @pytest.fixture
    def clock():
        clock = VirtualClock()
        clock.advance(HOUR)
        yield clock
        clock.advance(HOUR)
        clock.reset()

    @pytest.fixture(scope="module", autouse=True)
    def jumping_all_the_time():
        clock = VirtualClock()
        clock.advance(HOUR)
        yield
        clock.advance(HOUR)

    def test_jump(clock):
        clock.advance(HOUR)

    def test_jumps(clock):
        for _ in range(10):
            clock.advance(HOUR)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_pytest_junit_and_xdist_measure_real_time(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(JUMPING)
    result = pytester.runpytest_subprocess(
        "--durations=0", "-vv", "-p", "no:randomly", "--junitxml=report.xml", *workers
    )
    result.assert_outcomes(passed=2)
    printed = [
        float(found)
        for found in re.findall(
            r"^([\d.]+)s (?:call|setup|teardown)", str(result.stdout), re.MULTILINE
        )
    ]
    report = ET.parse(pytester.path / "report.xml").getroot()  # noqa: S314 - pytest has written it
    written = [
        float(element.get("time", "0")) for element in report.iter() if "time" in element.attrib
    ]
    assert len(printed) >= 6
    assert len(written) == 3
    assert max(printed + written) < 600
    started = dt.datetime.fromisoformat(report[0].attrib["timestamp"])
    assert abs(started.timestamp() - time.time()) < 600
    (whole,) = re.findall(r"2 passed in ([\d.]+)s", str(result.stdout))
    assert float(whole) < 600


def test_real_seconds_are_real_while_the_clock_jumps(clock: VirtualClock) -> None:
    before, real = time.perf_counter(), real_seconds()
    for _ in range(3):
        clock.advance(HOUR)
        real_seconds()
    assert time.perf_counter() - before > 3 * 3600  # what a jump makes of the usual counters
    assert 0 < real_seconds() - real < 60
    assert real_now() < clock.now() - 2 * HOUR


def test_real_seconds_are_real_where_the_process_is_frozen_already() -> None:
    program = """
import freezegun
with freezegun.freeze_time("2001-01-01") as frozen:
    from pytest_tfoidc.clock import real_now, real_seconds
    before = real_seconds()
    frozen.tick(3600)
    assert real_seconds() - before < 60
    assert real_now().year > 2001
assert real_seconds() - before < 60
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_clock_is_never_moved_back(clock: VirtualClock) -> None:
    with pytest.raises(UsageError, match="cannot be moved back"):
        clock.advance(-HOUR)


def test_a_jump_past_the_end_of_time_is_refused(clock: VirtualClock) -> None:
    with pytest.raises(UsageError, match="cannot be moved by"):
        clock.advance(dt.timedelta(days=365 * 9000))
    assert clock.offset == dt.timedelta()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("250ms", 0.25)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "10 m", "5x", "1h-3m", "٣m x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    try:
        assert parse_duration(text) >= dt.timedelta()
    except UsageError as error:
        assert error.remedy  # noqa: PT017 - what is raised is half of the property


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (dt.timedelta(minutes=5), "5m"),
        (dt.timedelta(hours=2, minutes=34, seconds=9), "2h 34m"),
        (dt.timedelta(seconds=14.23), "14.2s"),
        (dt.timedelta(minutes=60), "1h"),
        (dt.timedelta(seconds=90), "1m 30s"),
        (dt.timedelta(), "0s"),
    ],
)
def test_durations_are_written_for_people(duration: dt.timedelta, text: str) -> None:
    assert format_duration(duration) == text
