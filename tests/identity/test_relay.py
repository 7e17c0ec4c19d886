from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import jwt
import pytest
import requests

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.events import (
    EventLog,
    IdTokenFetched,
    IdTokenFetchFailed,
    IdTokenServed,
    RequestTokenExpiring,
)
from pytest_tfoidc.identity import relay as relay_module
from pytest_tfoidc.identity.relay import IdTokenRelay
from pytest_tfoidc.identity.sources import source_for
from tests.identity.identity_kit import (
    CLIENT,
    CONNECTION,
    TENANT,
    ManualClock,
    RawUpstream,
    ScriptedSource,
    answer,
    make_context,
    make_jwt,
    plain_session,
)

OUTAGE = IdTokenError("Azure DevOps gave no ID token: HTTP 503.", remedy="Run again.")


@pytest.fixture
def relay(source: ScriptedSource, clock: ManualClock, events: EventLog) -> Iterator[IdTokenRelay]:
    with IdTokenRelay(
        source=source,
        clock=clock,
        events=events,
        service_connection_id=CONNECTION,
        audience=DEFAULT_AUDIENCE,
    ) as running:
        yield running
    assert running.defects == []


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with plain_session() as session:
        yield session


def ask(
    http: requests.Session,
    relay: IdTokenRelay,
    *,
    method: str = "POST",
    more: str = "",
    bearer: str | None = None,
) -> requests.Response:
    headers = {"Authorization": f"Bearer {relay.bearer if bearer is None else bearer}"}
    return http.request(method, relay.url + more, headers=headers, timeout=30)


def token_of(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    value = response.json()
    return str(value.get("oidcToken") or value["value"])


def test_both_protocols_are_answered_on_one_url_with_one_token(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, events: EventLog
) -> None:
    azure_devops, github = ask(http, relay), ask(http, relay, method="GET")
    assert set(azure_devops.json()) == {"oidcToken"}
    assert set(github.json()) == {"value"}
    assert token_of(azure_devops) == token_of(github)
    assert source.asked == [DEFAULT_AUDIENCE]
    assert [e.protocol for e in events.of(IdTokenServed)] == ["azure-devops", "github"]
    assert len(events.of(IdTokenFetched)) == 1


@pytest.mark.parametrize(
    "more",
    [
        "",
        f"&serviceConnectionId={CONNECTION}",  # go-azure-sdk
        f"?api-version=7.1&serviceConnectionId={CONNECTION.upper()}",  # the Azure SDKs
        f"%3Fapi-version%3D7.1&serviceConnectionId={CONNECTION}",  # the one for Go
        "&audience=api://AzureADTokenExchange",  # GitHub's toolkit
    ],
)
def test_clients_may_add_to_the_url_as_they_do(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, more: str
) -> None:
    assert token_of(ask(http, relay, more=more))
    assert source.asked == [DEFAULT_AUDIENCE]


def test_an_audience_may_be_appended_to_a_url_without_a_query(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    url = relay.url.partition("?")[0] + "&audience=other"
    headers = {"Authorization": f"Bearer {relay.bearer}"}
    token_of(http.get(url, headers=headers, timeout=30))
    assert source.asked == ["other"]


def test_each_audience_has_its_own_token(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    first = token_of(ask(http, relay, method="GET", more="&audience=one"))
    second = token_of(ask(http, relay, method="GET", more="&audience=two"))
    assert first != second
    assert source.asked == ["one", "two"]


@pytest.mark.parametrize("bearer", ["", "wrong", "é", "Bearer x"])
def test_without_its_bearer_the_relay_gives_nothing(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, bearer: str
) -> None:
    headers = {"Authorization": f"Bearer {bearer}".encode()}
    response = http.post(relay.url, headers=headers, timeout=30)
    assert response.status_code == 401
    assert response.json()["message"]
    assert http.get(relay.url, timeout=30).status_code == 401
    assert source.asked == []


def test_every_connection_has_tokens_of_its_own(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    def token(connection: str) -> str:
        return token_of(ask(http, relay, more=f"&serviceConnectionId={connection}"))

    own, other, again = token(CONNECTION.upper()), token("another"), token("ANOTHER")

    assert own == token_of(ask(http, relay))
    assert other == again != own
    assert source.connections == ["", "another"]


def test_what_the_pipeline_says_of_another_connection_is_passed_on(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    source.failure = IdTokenError("There is no explicit reference to service connection another.")
    response = ask(http, relay, more="&serviceConnectionId=another")
    assert response.status_code == 424
    assert "no explicit reference to service connection another" in response.json()["message"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_refused(
    http: requests.Session, relay: IdTokenRelay, method: str
) -> None:
    assert ask(http, relay, method=method).status_code == 405


def test_other_paths_are_refused(http: requests.Session, relay: IdTokenRelay) -> None:
    url = relay.url.replace("/oidctoken", "/other")
    headers = {"Authorization": f"Bearer {relay.bearer}"}
    assert http.get(url, headers=headers, timeout=30).status_code == 404


def test_a_token_is_handed_out_for_most_of_its_life_and_then_renewed(
    http: requests.Session,
    relay: IdTokenRelay,
    source: ScriptedSource,
    clock: ManualClock,
    events: EventLog,
) -> None:
    first = token_of(ask(http, relay))
    clock.advance(timedelta(minutes=3, seconds=59))
    assert token_of(ask(http, relay)) == first
    clock.advance(timedelta(seconds=2))
    assert token_of(ask(http, relay)) != first
    assert len(source.asked) == 2
    ages = [event.age for event in events.of(IdTokenServed)]
    assert ages == [timedelta(), timedelta(minutes=3, seconds=59), timedelta()]


def test_tokens_of_seconds_are_held_as_well(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, clock: ManualClock
) -> None:
    source.lifetime = timedelta(seconds=10)
    first = token_of(ask(http, relay))
    clock.advance(timedelta(seconds=7))
    assert token_of(ask(http, relay)) == first
    clock.advance(timedelta(seconds=2))
    assert token_of(ask(http, relay)) != first


def test_a_token_of_which_nobody_knows_the_age_is_renewed(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, clock: ManualClock
) -> None:
    first = token_of(ask(http, relay))
    clock.advance(-timedelta(hours=2))  # this machine's clock is set back
    second = token_of(ask(http, relay))
    assert second != first
    assert token_of(ask(http, relay)) == second
    assert len(source.asked) == 2


def test_an_outage_shorter_than_the_margin_goes_unnoticed(
    http: requests.Session,
    relay: IdTokenRelay,
    source: ScriptedSource,
    clock: ManualClock,
    events: EventLog,
) -> None:
    first = token_of(ask(http, relay))
    source.failure = OUTAGE
    clock.advance(timedelta(minutes=4, seconds=1))
    assert token_of(ask(http, relay)) == first
    clock.advance(timedelta(seconds=58))
    assert token_of(ask(http, relay)) == first
    assert len(events.of(IdTokenFetchFailed)) == 2
    source.failure = None
    assert token_of(ask(http, relay)) != first


def test_a_longer_outage_is_told_to_the_client_in_a_way_that_it_does_not_retry(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource, clock: ManualClock
) -> None:
    token_of(ask(http, relay))
    source.failure = OUTAGE
    clock.advance(timedelta(minutes=6))
    response = ask(http, relay)
    assert response.status_code == 424
    assert "HTTP 503" in response.json()["message"]
    assert "Run again" in response.json()["message"]


def test_a_slow_renewal_does_not_hold_up_clients_who_can_have_the_old_token(
    http: requests.Session,
    relay: IdTokenRelay,
    source: ScriptedSource,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "PATIENCE_SECONDS", 0.05)
    first = token_of(ask(http, relay))
    release = threading.Event()
    source.before = lambda _: release.wait(30)
    clock.advance(timedelta(minutes=4, seconds=1))
    try:
        assert [token_of(ask(http, relay)) for _ in range(3)] == [first] * 3
        assert len(source.asked) == 2
    finally:
        release.set()


def test_a_slow_audience_does_not_block_another(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(audience: str) -> None:
        if audience == "slow":
            entered.set()
            release.wait(30)

    source.before = hang
    with ThreadPoolExecutor(1) as pool, plain_session() as other:
        slow = pool.submit(ask, other, relay, method="GET", more="&audience=slow")
        assert entered.wait(30)
        assert token_of(ask(http, relay, method="GET", more="&audience=quick"))
        assert not slow.done()
        release.set()
        assert token_of(slow.result(30))


def test_audiences_are_bounded(
    http: requests.Session, relay: IdTokenRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "MAX_AUDIENCES", 2)
    statuses = [ask(http, relay, more=f"&audience={n}").status_code for n in range(3)]
    assert statuses == [200, 200, 403]


def test_what_is_dropped_is_not_served_again(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    first = token_of(ask(http, relay))
    relay.drop()
    assert token_of(ask(http, relay)) != first
    assert len(source.asked) == 2


def test_a_token_that_was_on_its_way_when_all_were_dropped_is_not_served(
    http: requests.Session, relay: IdTokenRelay, source: ScriptedSource
) -> None:
    source.before = lambda _: relay.drop() if len(source.asked) == 1 else None
    served = jwt.decode(token_of(ask(http, relay)), options={"verify_signature": False})
    assert served["jti"] == 2


async def _ask_bare(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply


def _ask_many(relay: IdTokenRelay, count: int) -> list[bytes]:
    target = relay.url.partition(":")[2].partition("/oidctoken")[2]
    port = int(relay.url.split(":")[2].partition("/")[0])
    head = (
        f"POST /oidctoken{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Length: 0\r\nAuthorization: Bearer {relay.bearer}\r\n\r\n"
    ).encode()

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*(_ask_bare(port, head) for _ in range(count)))

    return asyncio.run(all_at_once())


def test_five_hundred_clients_at_once_cost_one_request_upstream(clock: ManualClock) -> None:
    body = {"oidcToken": make_jwt(now=clock.now())}
    with RawUpstream(answer(body=body)) as upstream:
        context = make_context(request_url=f"{upstream.url}/oidctoken")
        with IdTokenRelay(
            source=source_for(context, clock=clock),
            clock=clock,
            events=EventLog(),
            service_connection_id=CONNECTION,
            audience=DEFAULT_AUDIENCE,
        ) as relay:
            replies = _ask_many(relay, 500)
    assert len(replies) == 500
    assert all(b" 200 " in reply.partition(b"\r\n")[0] for reply in replies)
    assert len({reply.partition(b"\r\n\r\n")[2] for reply in replies}) == 1
    assert len(upstream.requests) == 1


def test_clients_that_wait_for_the_same_failure_cost_one_request(
    relay: IdTokenRelay, source: ScriptedSource
) -> None:
    release = threading.Event()
    source.before = lambda _: release.wait(30)
    source.failure = OUTAGE
    timer = threading.Timer(0.5, release.set)
    timer.start()
    replies = _ask_many(relay, 50)
    timer.join()
    assert all(b" 424 " in reply.partition(b"\r\n")[0] for reply in replies)
    assert len(source.asked) == 1


def test_stopping_does_not_wait_for_a_pipeline_that_hangs(
    clock: ManualClock, source: ScriptedSource
) -> None:
    release, entered = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        entered.set()
        release.wait(30)

    source.before = hang
    relay = IdTokenRelay(
        source=source,
        clock=clock,
        events=EventLog(),
        service_connection_id=None,
        audience=DEFAULT_AUDIENCE,
    )
    relay.start()
    with ThreadPoolExecutor(1) as pool, plain_session() as session:
        waiting = pool.submit(ask, session, relay)
        assert entered.wait(30)
        relay.stop()
        assert isinstance(waiting.exception(30), requests.ConnectionError)
    release.set()


def test_a_relay_can_be_started_again(
    http: requests.Session, clock: ManualClock, source: ScriptedSource
) -> None:
    relay = IdTokenRelay(
        source=source,
        clock=clock,
        events=EventLog(),
        service_connection_id=None,
        audience=DEFAULT_AUDIENCE,
    )
    for count in (1, 2):
        with relay:
            assert token_of(ask(http, relay))
        assert len(source.asked) == count


def test_no_bearer_is_in_a_repr(relay: IdTokenRelay) -> None:
    assert str(relay.bearer) not in repr(vars(relay))
    assert len(relay.bearer) >= 32


def test_the_real_azure_pipelines_credential_gets_its_token_here(
    relay: IdTokenRelay, monkeypatch: pytest.MonkeyPatch, source: ScriptedSource
) -> None:
    identity = pytest.importorskip("azure.identity")
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", relay.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    credential = identity.AzurePipelinesCredential(
        tenant_id=TENANT,
        client_id=CLIENT,
        service_connection_id=CONNECTION,
        system_access_token=str(relay.bearer),
    )
    with credential:
        assert credential._get_oidc_token().count(".") == 2
    assert source.asked == [DEFAULT_AUDIENCE]


def test_a_request_token_that_is_about_to_die_is_told_once(
    http: requests.Session, source: ScriptedSource, clock: ManualClock, events: EventLog
) -> None:
    ends_at = clock.now() + timedelta(hours=1)
    with IdTokenRelay(
        source=source,
        clock=clock,
        events=events,
        service_connection_id=None,
        audience=DEFAULT_AUDIENCE,
        request_token_expires_at=ends_at,
    ) as relay:
        token_of(ask(http, relay))
        assert events.of(RequestTokenExpiring) == ()
        clock.advance(timedelta(minutes=46))
        source.failure = OUTAGE
        for _ in range(2):
            assert ask(http, relay).status_code == 424
    (told,) = events.of(RequestTokenExpiring)
    assert told.expires_at == ends_at
    assert told.consequence
