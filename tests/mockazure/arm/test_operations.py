"""Operations that take virtual time: no client waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import ClockMoved
from tests.mockazure.armclient import RG, VNET, Answer, Arm

KIND = "Microsoft.Network/virtualNetworkGateways"
GATEWAY = f"{RG}/providers/{KIND}/gw"
ACCOUNT = f"{RG}/providers/Microsoft.Storage/storageAccounts/acct"
BODY = {"location": "westeurope", "properties": {}}


def local(url: str) -> str:
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "management.azure.com")
    return f"{parts.path}?{parts.query}"


def poll(arm: Arm, url: str, *, most: int = 100) -> list[str]:
    """Poll an operation to its end; give the statuses."""
    statuses: list[str] = []
    while len(statuses) < most:
        arm.bearer = arm.new_bearer()
        answer = arm("GET", local(url))
        assert answer.status == 200
        statuses.append(answer.json["status"])
        if statuses[-1] != "InProgress":
            return statuses
    raise AssertionError(f"still {statuses[-1]} after {most} polls")


def state(arm: Arm, path: str = GATEWAY) -> str:
    return str(arm.manager.resources[path.lower()]["properties"]["provisioningState"])


def test_a_slow_creation_succeeds_in_virtual_time(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    started = arm.clock.now()

    answer = arm("PUT", GATEWAY, BODY)

    assert answer.status == 201
    assert answer.json["properties"]["provisioningState"] == "Creating"
    assert state(arm) == "Creating"
    statuses = poll(arm, answer.headers["Azure-AsyncOperation"])
    assert statuses == ["InProgress"] * (len(statuses) - 1) + ["Succeeded"]
    assert timedelta(minutes=45) <= arm.clock.now() - started < timedelta(minutes=47)
    assert arm("GET", GATEWAY).json["properties"]["provisioningState"] == "Succeeded"


def test_a_type_that_takes_no_time_is_done_at_once(arm: Arm) -> None:
    arm.manager.takes("Microsoft.Network/azureFirewalls", "10m")

    answer = arm("PUT", GATEWAY, BODY)

    assert "Azure-AsyncOperation" not in answer.headers
    assert answer.json["properties"]["provisioningState"] == "Succeeded"


def test_every_move_of_the_clock_is_an_event(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    poll(arm, arm("PUT", GATEWAY, BODY).headers["Azure-AsyncOperation"])

    moves = arm.events.of(ClockMoved)

    assert sum((m.by for m in moves), timedelta()) == pytest.approx(
        timedelta(minutes=45), abs=timedelta(minutes=1)
    )
    assert {m.reason for m in moves} == {f"create {KIND}"}


@pytest.mark.parametrize("duration", ["5s", "10m", "2h", "30d"])
def test_polls_are_bounded_however_long_it_takes(arm: Arm, duration: str) -> None:
    arm.manager.takes(KIND, duration)
    operation = arm("PUT", GATEWAY, BODY).headers["Azure-AsyncOperation"]

    assert 5 <= len(poll(arm, operation)) <= 61


def test_operations_that_go_on_together_pass_together(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    started = arm.clock.now()
    urls = [arm("PUT", f"{GATEWAY}{n}", BODY).headers["Azure-AsyncOperation"] for n in range(5)]

    for _ in range(100):
        arm.bearer = arm.new_bearer()
        statuses = [arm("GET", local(url)).json["status"] for url in urls]
        if set(statuses) == {"Succeeded"}:
            break

    assert set(statuses) == {"Succeeded"}
    assert arm.clock.now() - started < timedelta(minutes=50)


def test_tokens_expire_while_an_operation_goes_on(arm: Arm) -> None:
    arm.manager.takes(KIND, "2h")
    operation = arm("PUT", GATEWAY, BODY).headers["Azure-AsyncOperation"]

    answers = [arm("GET", local(operation)).status for _ in range(60)]

    assert answers[0] == 200
    assert answers[-1] == 401


def test_reading_the_resource_is_a_poll_as_well(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    arm("PUT", GATEWAY, BODY)
    states: list[str] = []
    while not states or states[-1] == "Creating":
        arm.bearer = arm.new_bearer()
        states.append(arm("GET", GATEWAY).json["properties"]["provisioningState"])

    assert states[-1] == "Succeeded"
    assert len(states) <= 61


def test_a_jump_of_the_clock_ends_what_is_under_way(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    arm("PUT", GATEWAY, BODY)

    arm.clock.advance(timedelta(minutes=45))

    assert state(arm) == "Succeeded"


def test_a_slow_deletion_is_gone_at_its_end(arm: Arm) -> None:
    arm("PUT", GATEWAY, BODY)
    arm.manager.takes(KIND, "10m", verb="delete")

    answer = arm("DELETE", GATEWAY)

    assert answer.status == 202
    assert state(arm) == "Deleting"
    assert poll(arm, answer.headers["Azure-AsyncOperation"])[-1] == "Succeeded"
    assert arm("GET", GATEWAY).status == 404


def test_a_deletion_polled_by_reads_ends_in_404(arm: Arm) -> None:
    """Azurerm polls the resource itself after a DELETE."""
    arm("PUT", GATEWAY, BODY)
    arm.manager.takes(KIND, "10m", verb="delete")
    arm("DELETE", GATEWAY)

    statuses = [arm("GET", GATEWAY).status for _ in range(30)]

    assert statuses[0] == 200
    assert statuses[-1] == 404


def test_a_group_takes_as_long_to_delete_as_what_is_in_it(arm: Arm) -> None:
    arm("PUT", GATEWAY, BODY)
    arm.manager.takes(KIND, "10m", verb="delete")

    answer = arm("DELETE", RG)

    assert answer.status == 202
    assert "Azure-AsyncOperation" not in answer.headers
    refused = arm("PUT", VNET, BODY)
    assert (refused.status, refused.code) == (409, "ResourceGroupBeingDeleted")
    statuses = [arm("GET", local(answer.headers["Location"])).status for _ in range(30)]
    assert statuses[0] == 202
    assert statuses[-1] == 200
    assert arm("GET", RG).status == 404


def test_a_slow_update_shows_updating(arm: Arm) -> None:
    arm("PUT", GATEWAY, BODY)
    arm.manager.takes(KIND, "10m", verb="update")

    for answer in (arm("PUT", GATEWAY, BODY), patched(arm)):
        assert answer.status == 200
        assert answer.json["properties"]["provisioningState"] == "Updating"
        assert poll(arm, answer.headers["Azure-AsyncOperation"])[-1] == "Succeeded"


def patched(arm: Arm) -> Answer:
    arm.clock.advance(timedelta(minutes=10))
    return arm("PATCH", GATEWAY, {"tags": {"a": "b"}})


def test_what_is_under_way_is_not_written_again(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    arm("PUT", GATEWAY, BODY)

    refused = arm("PUT", GATEWAY, BODY)

    assert (refused.status, refused.code) == (409, "Conflict")


def test_types_that_announce_a_location_give_the_resource_there(arm: Arm) -> None:
    arm.manager.takes("Microsoft.Storage/storageAccounts", "1m")

    answer = arm("PUT", ACCOUNT, BODY)

    assert answer.status == 202
    assert "Azure-AsyncOperation" not in answer.headers
    results = [arm("GET", local(answer.headers["Location"])) for _ in range(12)]
    assert results[0].status == 202
    assert results[-1].status == 200
    assert results[-1].json["id"] == ACCOUNT


def test_an_operation_that_never_was_is_404(arm: Arm) -> None:
    path = f"{RG}/providers/Microsoft.Network/locations/global/operationStatuses/none"

    assert (arm("GET", path).status, arm("GET", path).code) == (404, "OperationNotFound")
    assert arm("DELETE", path).status == 405


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("HashiCorp/go-azure-sdk (…)", {"Retry-After": "0", "x-ms-retry-after-ms": "1"}),
        ("azsdk-go-armresources/v1.2.0", {"Retry-After": "0", "x-ms-retry-after-ms": "1"}),
        ("azsdk-python-mgmt-network/30.0.0 Python/3.12", {"x-ms-retry-after-ms": "1"}),
    ],
)
def test_each_client_is_told_to_poll_at_once_in_its_own_way(
    arm: Arm, agent: str, expected: dict[str, str]
) -> None:
    arm.manager.takes(KIND, "45m")

    headers = arm("PUT", GATEWAY, BODY, headers={"user-agent": agent}).headers

    assert {k: v for k, v in headers.items() if "retry-after" in k.lower()} == expected


def test_snapshots_hold_what_is_under_way(arm: Arm) -> None:
    arm.manager.takes(KIND, "45m")
    operation = arm("PUT", GATEWAY, BODY).headers["Azure-AsyncOperation"]
    snapshot = arm.manager.snapshot()
    poll(arm, operation)
    arm.clock.reset()

    arm.manager.restore(snapshot)

    assert state(arm) == "Creating"
    assert poll(arm, operation)[-1] == "Succeeded"


@pytest.mark.parametrize(("duration", "verb"), [("soon", None), ("1m", "destroy")])
def test_what_is_no_duration_or_verb_is_refused(duration: str, verb: str | None) -> None:
    with pytest.raises(UsageError):
        Arm().manager.takes(KIND, duration, verb=verb)


def test_a_type_can_be_made_instant_again(arm: Arm) -> None:
    arm.manager.takes(KIND, timedelta(minutes=45))
    arm.manager.takes(KIND.upper(), "0s")

    assert "Azure-AsyncOperation" not in arm("PUT", GATEWAY, BODY).headers


def test_moments_are_those_of_the_virtual_clock(arm: Arm) -> None:
    arm.clock.advance(timedelta(days=400))
    arm.bearer = arm.new_bearer()
    arm("PUT", GATEWAY, BODY)

    created = arm("GET", GATEWAY).json["systemData"]["createdAt"]

    assert arm.clock.now() - datetime.fromisoformat(created[:19] + "+00:00") < timedelta(days=1)
