"""The running commands are told from events, in one line that fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.events import (
    ClockMoved,
    CommandFinished,
    CommandStarted,
    IdTokenFetched,
    StepFinished,
    StepPlanned,
    StepStarted,
    TokensExpired,
)
from pytest_tfoidc.reporting.progress import Progress, Running, progress_line, whole_seconds

AT = real_now()
SHOP = Running(
    command="apply",
    module="shop",
    seconds=90.4,
    done=12,
    planned=40,
    slowest="azurerm_kubernetes_cluster.main",
    doing="creating",
    busy=70.0,
)


class Watch:
    """A clock of seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def begin(progress: Progress, *, number: int = 1, source: str = "") -> None:
    started = CommandStarted(at=AT, command="apply", module="shop", number=number)
    progress.notice(started, source)


def test_the_line_says_module_phase_count_and_the_slowest() -> None:
    assert progress_line(SHOP) == (
        "tfoidc: shop apply 1m 30s, 12 of 40, azurerm_kubernetes_cluster.main creating for 1m 10s"
    )


def test_the_slowest_is_what_began_first_and_has_not_ended() -> None:
    watch = Watch()
    progress = Progress(watch)
    begin(progress)
    for address in ("a.first", "a.second"):
        progress.notice(StepPlanned(at=AT, number=1, address=address, action="create"))
        progress.notice(StepStarted(at=AT, number=1, address=address, action="create"))
        watch.seconds += 10
    (running,) = progress.running()
    assert (running.slowest, running.busy, running.done) == ("a.first", 20.0, 0)
    progress.notice(StepFinished(at=AT, number=1, address="a.first", is_done=True))
    (running,) = progress.running()
    assert (running.slowest, running.busy) == ("a.second", 10.0)
    assert (running.done, running.planned) == (1, 2)


def test_what_is_replaced_is_done_when_it_is_made_again() -> None:
    progress = Progress(Watch())
    begin(progress)
    progress.notice(StepPlanned(at=AT, number=1, address="a.b", action="replace"))
    counts = []
    for action in ("delete", "create"):
        progress.notice(StepStarted(at=AT, number=1, address="a.b", action=action))
        counts.append(progress.running()[0].done)
        progress.notice(StepFinished(at=AT, number=1, address="a.b", is_done=True))
    assert counts == [0, 0]
    assert (progress.running()[0].done, progress.running()[0].planned) == (1, 1)


def test_a_command_is_gone_when_it_ends_and_workers_are_told_apart() -> None:
    progress = Progress(Watch())
    begin(progress, source="gw0")
    begin(progress, source="gw1")
    ended = CommandFinished(at=AT, command="apply", module="shop", exit_code=0, seconds=1, number=1)
    progress.notice(ended, "gw0")
    assert [one.key for one in progress.running()] == [("gw1", 1)]
    assert progress_line(progress.running()[0]) == "tfoidc: [gw1] shop apply 0s"
    progress.forget("gw1")
    assert progress.running() == ()


def test_steps_of_a_command_that_is_unknown_are_left_out() -> None:
    progress = Progress(Watch())
    progress.notice(StepStarted(at=AT, number=7, address="a.b", action="create"))
    assert progress.running() == ()


def test_a_jump_while_a_command_runs_is_told_as_simulated_time() -> None:
    progress = Progress(Watch())
    begin(progress)
    progress.notice(ClockMoved(at=AT, by=timedelta(hours=2), reason="a test"))
    assert progress_line(progress.running()[0]) == "tfoidc: shop apply 0s, 2h simulated"


@pytest.mark.parametrize("width", [20, 40, 60, 79, 200])
def test_the_line_is_never_wider_than_the_terminal(width: int) -> None:
    for running in (SHOP, replace(SHOP, tokens=3, simulated=timedelta(hours=1))):
        line = progress_line(running, width=width)
        assert len(line) <= width
        assert line.startswith("tfoidc:")
    assert progress_line(SHOP, width=200) == progress_line(SHOP)


def test_in_forty_columns_the_time_of_the_slowest_is_still_there() -> None:
    assert progress_line(SHOP, width=40).endswith("creating for 1m 10s"[-18:])


@pytest.mark.parametrize("text", ["\x1b[2Ja", "a\nb", "a\r##vso[task.complete]b", "\u202ea"])
def test_nothing_in_a_name_can_be_obeyed(text: str) -> None:
    line = progress_line(replace(SHOP, module=text, slowest=text))
    assert line.isprintable()
    assert "##vso[" not in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0s"), (59.9, "59s"), (60, "1m"), (90, "1m 30s"), (3600, "1h"), (3905, "1h 5m")],
)
def test_times_are_told_in_whole_seconds(seconds: float, text: str) -> None:
    assert whole_seconds(seconds) == text


def fetched(*, lives: timedelta, due: timedelta | None) -> IdTokenFetched:
    due_at = None if due is None else AT + due
    return IdTokenFetched(at=AT, audience="a", expires_at=AT + lives, due_at=due_at)


def test_the_line_counts_id_tokens_and_says_when_the_next_is_due() -> None:
    watch = Watch()
    progress = Progress(watch)
    begin(progress)
    five, four = timedelta(minutes=5), timedelta(minutes=4)
    progress.notice(fetched(lives=five, due=four))
    watch.seconds = 30.0
    (running,) = progress.running()
    assert progress_line(running).endswith("shop apply 30s, 1 ID token, the next due in 3m 30s")
    progress.notice(ClockMoved(at=AT, by=timedelta(minutes=3), reason="a test"))
    assert progress_line(progress.running()[0]).endswith("the next due in 30s")
    progress.notice(ClockMoved(at=AT, by=timedelta(minutes=3), reason="a test"))
    assert progress_line(progress.running()[0]).endswith("1 ID token, the next is due")
    progress.notice(fetched(lives=five, due=four))
    assert progress_line(progress.running()[0]).endswith("2 ID tokens, the next due in 4m")
    progress.notice(TokensExpired(at=AT, kind="access"))
    assert progress_line(progress.running()[0]).endswith("the next due in 4m")
    progress.notice(TokensExpired(at=AT, kind="id"))
    assert progress_line(progress.running()[0]).endswith("2 ID tokens, the next is due")


def test_a_token_that_nobody_renews_is_only_counted_and_a_worker_has_its_own() -> None:
    progress = Progress(Watch())
    for number, source in enumerate(("gw0", "gw1")):
        begin(progress, number=number, source=source)
    progress.notice(fetched(lives=timedelta(hours=1), due=None), "gw0")
    progress.notice(fetched(lives=timedelta(hours=1), due=timedelta(minutes=48)), "gw1")
    first, second = map(progress_line, progress.running())
    assert first.endswith(", 1 ID token")
    assert second.endswith("1 ID token, the next due in 48m")
