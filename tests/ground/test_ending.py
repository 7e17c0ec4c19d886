"""How much time there is for what, after which signals."""

from __future__ import annotations

import signal

import pytest

from pytest_tfoidc.ending import Ending, LeftRunning

FOREVER = float("inf")
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class Watch:
    """A clock that is set."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("signals", "stop_at", "over_at"),
    [
        ([(0, INT)], FOREVER, FOREVER),  # a person's Ctrl-C: all the time that it needs
        ([(0, TERM)], 7.5, 9.5),
        ([(0, HUP)], 7.5, 9.5),
        ([(0, INT), (7.5, TERM)], 7.5, 9.5),  # agents of pipelines; SIGKILL comes at 10 s
        ([(0, INT), (3, INT)], 3, 5),
        ([(0, INT), (0.1, INT)], FOREVER, FOREVER),  # the same one: to us, and to our group
        ([(0, TERM), (0.1, TERM)], 7.5, 9.5),
        ([(0, INT), (1, INT), (2, INT)], 1, 2),
        ([(0, TERM), (9, INT)], 7.5, 9.5),
    ],
)
def test_time_for_what_is_real(
    signals: list[tuple[float, signal.Signals]], stop_at: float, over_at: float
) -> None:
    clock = Watch()
    ending = Ending(now=clock)
    for at, number in signals:
        clock.seconds = 100 + at
        ending.ask(number)
    assert ending.is_asked
    assert ending.seconds_left == pytest.approx(over_at - signals[-1][0])
    for moment, is_so in ((stop_at, "has_to_stop"), (over_at, "is_over")):
        if moment != FOREVER:
            clock.seconds = 100 + moment - 0.001
            assert not getattr(ending, is_so) or moment == signals[-1][0]
            clock.seconds = 100 + moment + 0.001
        assert getattr(ending, is_so) == (moment != FOREVER)


def test_where_nothing_is_real_the_end_is_quick() -> None:
    clock = Watch()
    ending = Ending(is_real=False, now=clock)
    ending.ask(INT)
    assert ending.has_to_stop
    assert ending.seconds_left == 5


def test_commands_that_run_are_known_and_interrupted() -> None:
    ending, interrupted = Ending(), []
    what = LeftRunning(command="apply", module="m", process=1)
    with ending.running(what, lambda: interrupted.append(1)):
        assert ending.commands == (what,)
        ending.interrupt_all()
    assert ending.is_idle
    ending.interrupt_all()
    assert interrupted == [1]
