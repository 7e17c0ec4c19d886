"""Faults on purpose, as clients see them through TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from pytest_tfoidc.clock import parse_duration, real_seconds
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import FaultHit
from tests.mockazure.azurekit import ARM, Azure

GROUPS = "/subscriptions/7e57ab1e-0000-4000-8000-000000000002/resourcegroups"
BLOB = "https://acct.blob.core.windows.net/c/b"


def test_an_answer_is_given_as_often_as_was_said(azure: Azure) -> None:
    azure.mock.fail("arm", times=2, status=503, retry_after=7)
    statuses = [azure.arm("GET", GROUPS) for _ in range(3)]

    assert [a.status_code for a in statuses] == [503, 503, 200]
    assert statuses[0].headers["Retry-After"] == "7"
    assert statuses[0].json()["error"]["code"] == "ServiceUnavailable"


def test_each_service_words_the_failure_in_its_own_way(azure: Azure) -> None:
    azure.mock.fail("entra", status=500)
    azure.mock.fail("blobs", status=503)

    assert azure.exchange("x")["error"] == "temporarily_unavailable"
    answer = azure.send("GET", BLOB)
    assert answer.headers["x-ms-error-code"] == "ServiceUnavailable"
    assert "<Code>ServiceUnavailable</Code>" in answer.text


@pytest.mark.parametrize("effect", ["refuse", "cut"])
def test_a_connection_may_end_without_a_whole_answer(azure: Azure, effect: str) -> None:
    azure.mock.fail("arm", effect=effect)
    headers = azure.bearer()
    url = f"{ARM}{GROUPS}?api-version=2024-01-01"

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        azure.send("GET", url, headers=headers)
    assert azure.send("GET", url, headers=headers).status_code == 200


def test_a_corrupt_answer_is_no_json(azure: Azure) -> None:
    azure.mock.fail("arm", effect="corrupt")
    answer = azure.arm("GET", GROUPS)

    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_slow_answer_takes_its_real_time(azure: Azure) -> None:
    azure.mock.fail("arm", delay="300ms")
    started = real_seconds()
    answer = azure.arm("GET", GROUPS)

    assert answer.status_code == 200
    assert real_seconds() - started > 0.3


def test_what_a_request_brings_may_have_expired(azure: Azure) -> None:
    token = azure.id_token().json()["oidcToken"]
    azure.mock.fail("arm", effect="expire")
    azure.mock.fail("entra", effect="expire", after=1)

    assert azure.arm("GET", GROUPS).json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert azure.exchange(token)["error_codes"] == [700024]


def test_a_fault_hits_only_what_it_names(azure: Azure) -> None:
    fault = azure.mock.fail(
        "management.azure.com", method="put", path="*/rg-bad", status=409, times="always"
    )
    body = {"location": "westeurope"}
    codes = [
        azure.arm(method, f"{GROUPS}/{name}", body).status_code
        for method, name in (("GET", "rg-bad"), ("PUT", "RG-BAD"), ("PUT", "rg-good"))
    ]

    assert codes == [404, 409, 201]
    assert fault.hits == 1


def test_a_fault_may_let_requests_through_first(azure: Azure) -> None:
    azure.mock.fail("arm", after=2, status=500)

    assert [azure.arm("GET", GROUPS).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_a_fault_may_wait_for_its_virtual_time(azure: Azure) -> None:
    azure.mock.fail("arm", since="10m", until="20m", times=None, status=500)
    codes = []
    for _ in range(3):
        codes.append(azure.arm("GET", GROUPS).status_code)
        azure.clock.advance(parse_duration("12m"))

    assert codes == [200, 500, 200]


def test_faults_are_gone_after_the_test(azure: Azure) -> None:
    held = azure.mock.snapshot()
    azure.mock.fail("arm", status=500, times=None)
    before = azure.arm("GET", GROUPS).status_code
    azure.mock.restore(held)

    assert (before, azure.arm("GET", GROUPS).status_code) == (500, 200)


def test_a_hit_is_an_event_and_is_seen_on_the_request(azure: Azure) -> None:
    azure.mock.fail("arm", status=500)
    mark = azure.events.mark()
    azure.arm("GET", GROUPS)

    assert [e.fault for e in azure.events.of(FaultHit, since=mark)] == ["answer 500: arm, 1 times"]
    assert "FAULT answer 500" in str(azure.mock.requests.to("arm")[-1])


def test_faults_are_read_from_texts_and_files(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("# a bad day\n\nentra, times=2, status=503  # at first\narm, effect=cut\n")
    azure.mock.faults.read(file)
    azure.mock.faults.add_text("*.blob.core.windows.net, delay=10ms, times=always, path=/c/*")

    assert [str(f.fault) for f in azure.mock.faults.all] == [
        "answer 503: entra, 2 times",
        "cut: arm, 1 times",
        "slow by 0.01s: *.blob.core.windows.net /c/*, always",
    ]


@pytest.mark.parametrize(
    ("target", "settings", "words"),
    [
        ("nothing", {"status": 500}, "no service"),
        ("arm", {}, "no effect"),
        ("arm", {"effect": "explode"}, "'explode'"),
        ("arm", {"status": 200}, "status"),
        ("arm", {"status": "many"}, "status"),
        ("arm", {"status": 500, "times": -1}, "times"),
        ("arm", {"delay": "soon"}, "duration"),
        ("arm", {"delay": "2h"}, "delay"),
        ("arm", {"statsu": 500}, "statsu"),
    ],
)
def test_what_cannot_be_a_fault_is_refused(
    azure: Azure, target: str, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        azure.mock.fail(target, **settings)


def test_a_bad_line_of_a_file_is_named(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "faults"
    file.write_text("arm, status=500\narm, broken\n")

    with pytest.raises(UsageError, match="faults:2"):
        azure.mock.faults.read(file)
    with pytest.raises(UsageError, match="cannot be read"):
        azure.mock.faults.read(tmp_path / "missing")


def test_inspection_knows_callers_and_never_tokens(azure: Azure) -> None:
    mark = azure.mock.requests.snapshot()
    azure.arm("PUT", f"{GROUPS}/rg-seen", {"location": "westeurope"})
    bearer = azure.bearer()["Authorization"]
    azure.send("GET", f"{ARM}{GROUPS}?api-version=2024-01-01", headers={"Authorization": bearer})
    (put,) = azure.mock.requests.to("arm", method="PUT", path="*/rg-seen")
    (last,) = azure.mock.requests.to("arm", method="GET")[-1:]
    exchange = azure.mock.requests.to("entra")[-1]

    assert (put.status, put.scheme, put.caller) == (
        201,
        "bearer",
        "7e57ab1e-0000-4000-8000-000000000003",
    )
    assert put.claims["aud"] == ARM
    assert last.token
    assert last.token != put.token
    assert (exchange.scheme, exchange.caller) == ("assertion", "sc://tfoidc/stand-in/stand-in")
    shown = azure.mock.dump() + repr(tuple(azure.mock.requests))
    assert "rg-seen" in shown
    assert bearer.split()[1] not in shown
    assert "eyJ" not in shown
    azure.mock.requests.restore(mark)
    assert azure.mock.requests.to("arm", method="PUT", path="*/rg-seen") == ()
