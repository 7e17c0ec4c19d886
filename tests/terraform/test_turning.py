"""A command that turns without getting on is stopped, by counts; one that gets on never is."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from pytest_tfoidc.events import HostRefused, RequestAnswered
from pytest_tfoidc.terraform.turning import MOST_REPETITIONS, TURNED, Turning

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
RESOURCES = "/subscriptions/s/resourceGroups/rg/resources"


def answered(
    target: str = RESOURCES, *, status: int = 200, body: str = "left", sign_in: bool = False
) -> RequestAnswered:
    return RequestAnswered(
        at=NOW,
        host="management.azure.com",
        method="GET",
        path=target.partition("?")[0],
        status=status,
        target=target,
        body=body,
        is_sign_in=sign_in,
    )


def stopped_by(events: list[RequestAnswered]) -> list[str]:
    said: list[str] = []
    turning = Turning(said.append)
    for event in events:
        turning.notice(event)
    return said


def test_the_same_answer_to_the_same_request_for_ever_is_named_once() -> None:
    (said,) = stopped_by([answered(f"{RESOURCES}?$top=10")] * 3 * MOST_REPETITIONS)
    assert said.startswith(f"{TURNED}GET https://management.azure.com{RESOURCES} was asked")
    assert "500 times and answered with HTTP status 200 each time" in said
    assert "$top" not in said  # a query may hold a signature


def test_a_round_of_several_requests_is_noticed_too() -> None:
    sign_ins = [answered("/oauth2/v2.0/token", body=str(n), sign_in=True) for n in range(600)]
    rounds = [[answered(), answered("/other"), sign_in] for sign_in in sign_ins]
    assert len(stopped_by([event for turn in rounds for event in turn])) >= 1


@pytest.mark.parametrize("status", [401, 404, 429])
def test_errors_that_differ_in_their_number_and_time_only_are_the_same(status: int) -> None:
    errors = [answered(status=status, body=str(n)) for n in range(MOST_REPETITIONS)]
    assert len(stopped_by(errors)) == 1


def test_one_time_less_is_no_turning() -> None:
    assert stopped_by([answered()] * (MOST_REPETITIONS - 1)) == []


def test_an_answer_that_changes_gets_on() -> None:
    assert stopped_by([answered(body=str(n // 100)) for n in range(5 * MOST_REPETITIONS)]) == []


def test_a_large_module_that_asks_for_one_thing_again_and_again_gets_on() -> None:
    many = [(answered(), answered(f"/thing/{n}")) for n in range(2 * MOST_REPETITIONS)]
    assert stopped_by([event for pair in many for event in pair]) == []


def test_sign_ins_and_other_events_do_not_count() -> None:
    said: list[str] = []
    turning = Turning(said.append)
    for _ in range(2 * MOST_REPETITIONS):
        turning.notice(answered(sign_in=True))
        turning.notice(HostRefused(at=NOW, host="example.com"))
    assert said == []
