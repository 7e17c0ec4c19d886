from __future__ import annotations

import gzip
import os
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.httpserver import LoopbackServer, Request, Response
from pytest_tfoidc.identity import http_client
from pytest_tfoidc.identity.endpoints import with_query
from pytest_tfoidc.identity.http_client import Transport
from pytest_tfoidc.identity.sources import IdToken, parse_id_token, source_for
from tests.identity.identity_kit import (
    CONNECTION,
    HOLD,
    ISSUER,
    NOON,
    RESET,
    SUBJECT,
    ManualClock,
    RawUpstream,
    answer,
    make_context,
    make_jwt,
)

GOOD = answer(body={"oidcToken": make_jwt()})
SIGN_IN = b"<!DOCTYPE html><html><title>Azure DevOps Services | Sign In</title></html>"
TOO_MANY = {
    "message": "TF400733: The request has been canceled: Request was blocked due to exceeding "
    "usage of resource 'Concurrency' in namespace 'User'."
}
NO_REFERENCE = {
    "count": 151,
    "value": f"There is no explicit reference to service connection {CONNECTION} from current "
    "stage Apply.Job.__default.",
}


class Pauses(list[float]):
    """Waits that take no time."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def fetch(upstream: RawUpstream, pauses: Pauses | None = None, **changes: str) -> IdToken:
    kind = changes.pop("kind", "azure-devops")
    url = f"{upstream.url}/oidctoken" + ("?api-version=2" if kind == "github" else "")
    context = make_context(kind, **{"request_url": url, **changes})
    waits = Pauses() if pauses is None else pauses
    return source_for(context, clock=ManualClock(), wait=waits).fetch(DEFAULT_AUDIENCE)


def failed(*answers: bytes, pauses: Pauses | None = None, **changes: str) -> IdTokenError:
    with RawUpstream(*answers) as upstream, pytest.raises(IdTokenError) as caught:
        fetch(upstream, pauses, **changes)
    error = caught.value
    assert "the-request-token" not in str(error)
    assert error.where
    assert error.cause
    assert error.remedy
    return error


def test_azure_devops_is_asked_as_its_clients_ask() -> None:
    with RawUpstream(GOOD) as upstream:
        token = fetch(upstream)
    head, _, body = upstream.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == (
        f"POST /oidctoken?api-version=7.1&serviceConnectionId={CONNECTION}"
        "&audience=api%3A%2F%2FAzureADTokenExchange HTTP/1.1"
    )
    assert "Authorization: Bearer the-request-token" in lines
    assert "X-TFS-FedAuthRedirect: Suppress" in lines
    assert "Accept: application/json" in lines
    assert "Content-Type: application/json" in lines
    assert body == b""
    assert (token.issuer, token.subject, token.audience) == (ISSUER, SUBJECT, DEFAULT_AUDIENCE)
    assert token.expires_at - token.issued_at == timedelta(minutes=5)


def test_github_is_asked_as_its_clients_ask() -> None:
    with RawUpstream(answer(body={"count": 1, "value": make_jwt()})) as upstream:
        fetch(upstream, kind="github")
    line = upstream.requests[0].partition(b"\r\n")[0].decode()
    assert line == "GET /oidctoken?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/p", "https://h/p?a=1"),
        ("https://h/p?b=2", "https://h/p?b=2&a=1"),
        ("https://h/p?a=9", "https://h/p?a=9"),
        ("https://h/p?a=", "https://h/p?a=&a=1"),
    ],
)
def test_a_parameter_is_added_only_where_the_url_has_none(url: str, expected: str) -> None:
    assert with_query(url, {"a": "1", "empty": ""}) == expected


@pytest.mark.parametrize(
    "passing",
    [
        RESET,
        answer(500, b"oops"),
        answer(503, SIGN_IN, Content_Type="text/html"),
        answer(429, TOO_MANY),
        GOOD[:-20],
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\nshort",
        b"this is no HTTP\r\n\r\n",
    ],
    ids=["reset", "500", "503", "429", "truncated", "broken-chunks", "no-http"],
)
def test_what_may_pass_is_asked_again(passing: bytes) -> None:
    pauses = Pauses()
    with RawUpstream(passing, passing, GOOD) as upstream:
        assert fetch(upstream, pauses).subject == SUBJECT
    assert len(upstream.requests) == 3
    assert 0.25 <= pauses[0] <= 0.5
    assert 0.5 <= pauses[1] <= 1.0


@pytest.mark.parametrize(
    "final",
    [
        answer(302, Location="https://login.example.org/"),
        answer(400, b"bad"),
        answer(401),
        answer(404),
        answer(405),
        answer(200, b"{}"),
    ],
    ids=["302", "400", "401", "404", "405", "no-token"],
)
def test_a_refusal_is_not_asked_again(final: bytes) -> None:
    pauses = Pauses()
    with RawUpstream(final, GOOD) as upstream, pytest.raises(IdTokenError):
        fetch(upstream, pauses)
    assert (len(upstream.requests), pauses) == (1, [])


def test_retry_after_is_honoured() -> None:
    pauses = Pauses()
    with RawUpstream(answer(429, TOO_MANY, Retry_After="7"), GOOD) as upstream:
        fetch(upstream, pauses)
    assert pauses == [7.0]


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(NOON + timedelta(seconds=9), usegmt=True)
    dates = {"Date": format_datetime(NOON, usegmt=True), "Retry_After": later}
    pauses = Pauses()
    with RawUpstream(answer(503, **dates), GOOD) as upstream:
        fetch(upstream, pauses)
    assert pauses == [9.0]


def test_a_wait_beyond_the_total_time_is_told_and_not_waited() -> None:
    pauses = Pauses()
    error = failed(answer(429, TOO_MANY, Retry_After="300"), pauses=pauses)
    assert pauses == []
    assert "TF400733" in str(error)
    assert "300 s" in error.cause


def test_an_outage_ends_with_the_total_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "LONGEST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(http_client, "FIRST_WAIT_SECONDS", 0.02)
    with RawUpstream(answer(503)) as upstream:
        outcome = Transport(total_seconds=0.2).ask("GET", upstream.url, headers={})
    assert outcome.status == 503
    assert len(upstream.requests) > 2


def test_closing_ends_the_waiting() -> None:
    with RawUpstream(answer(503, Retry_After="30")) as upstream:
        asked = Transport()
        asked.close()
        assert asked.ask("GET", upstream.url, headers={}).status == 503


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(302, Location="https://spsprodweu.vssps.visualstudio.com/_signin"), "sign in"),
        (answer(203, SIGN_IN, Content_Type="text/html; charset=utf-8"), "sign in"),
        (answer(200, SIGN_IN), "sign in"),
        (answer(401), "wrong, expired"),
        (answer(404, {"message": "Not found"}), "no such plan and job"),
        (
            answer(405, {"count": 1, "value": {"Message": "does not support GET"}}),
            "not take a POST",
        ),
        (answer(400, NO_REFERENCE), "only for service connections that its tasks name"),
        (answer(200, {"value": "x"}), "without `oidcToken`"),
        (answer(200, b"[]"), "without `oidcToken`"),
        (answer(200, b"[" * 100_000), "without `oidcToken`"),
        (answer(418, b"teapot"), "refused"),
    ],
)
def test_each_refusal_of_azure_devops_has_its_cause(reply: bytes, words: str) -> None:
    error = failed(reply)
    assert words in error.cause
    assert "127.0.0.1" in error.where
    assert "html" not in str(error).lower()


def test_the_server_s_own_words_are_shown() -> None:
    assert "from current stage Apply.Job.__default" in str(failed(answer(400, NO_REFERENCE)))
    spoken = answer(405, {"count": 1, "value": {"Message": "does not support http method 'POST'"}})
    assert "does not support http method" in str(failed(spoken))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(401, b"unauthorized"), "six hours"),
        (answer(405), "Azure DevOps'"),
        (answer(302, Location="/login"), "sends us elsewhere"),
        (answer(200, {"oidcToken": "x"}), "without `value`"),
    ],
)
def test_each_refusal_of_github_has_its_cause(reply: bytes, words: str) -> None:
    assert words in failed(reply, kind="github").cause


def test_an_expired_request_token_is_blamed_by_its_date() -> None:
    dead = make_jwt(exp=int((NOON - timedelta(hours=1)).timestamp()))
    with RawUpstream(answer(401)) as upstream, pytest.raises(IdTokenError) as caught:
        fetch(upstream, request_token=dead)
    assert "the request token expired at 2030-01-01 11:00:00 UTC" in caught.value.cause
    assert dead not in str(caught.value)


def test_secrets_that_a_server_echoes_are_not_shown() -> None:
    leaked = make_jwt()
    error = failed(answer(400, {"message": f"bad: the-request-token, {leaked}\r\n##vso[x]\x1b"}))
    assert leaked not in str(error)
    assert "\x1b" not in str(error)


def test_a_body_without_end_is_not_read_to_its_end() -> None:
    pauses = Pauses()
    error = failed(answer(200, b" " * (http_client.MAX_BODY + 1)), pauses=pauses)
    assert "larger than" in str(error)
    assert pauses == []


def test_a_small_body_that_unpacks_to_a_large_one_is_not_read_to_its_end() -> None:
    bomb = gzip.compress(b" " * (8 * http_client.MAX_BODY))
    assert "larger than" in str(failed(answer(200, bomb, Content_Encoding="gzip")))


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"])
def test_an_answer_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(http_client, "READ_SECONDS", 0.05)
    assert "gave no ID token" in failed(HOLD + start).what


def test_nobody_listening_is_told_without_the_urls_query() -> None:
    with RawUpstream(GOOD) as upstream:
        url = f"{upstream.url}/x?secret=s3cret"
    context = make_context(request_url=url)
    pauses = Pauses()
    with pytest.raises(IdTokenError) as caught:
        source_for(context, clock=ManualClock(), wait=pauses).fetch(DEFAULT_AUDIENCE)
    assert "the connection failed (ConnectionRefusedError)" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert sum(pauses) > http_client.TOTAL_SECONDS - http_client.LONGEST_WAIT_SECONDS
    assert sum(pauses) <= http_client.TOTAL_SECONDS


def test_a_ca_bundle_that_is_not_there_is_told_at_once() -> None:
    pauses = Pauses()
    with RawUpstream(GOOD) as upstream:
        context = make_context(
            request_url=upstream.url.replace("http:", "https:"), ca_file="missing.pem"
        )
        with pytest.raises(IdTokenError) as caught:
            source_for(context, clock=ManualClock(), wait=pauses).fetch(DEFAULT_AUDIENCE)
    assert "CA bundle cannot be read" in str(caught.value)
    assert pauses == []


def test_nothing_is_taken_from_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with RawUpstream(GOOD) as upstream:
        assert fetch(upstream).subject == SUBJECT
    assert os.environ["HTTP_PROXY"]


def test_the_contexts_proxy_is_used_except_for_what_needs_none() -> None:
    proxies = {"http": "http://p:1", "no_proxy": "internal.example, .corp.example,*.x.example"}
    assert http_client._proxies_for("http://dev.azure.com/", proxies) == {"http": "http://p:1"}
    for host in ("127.0.0.1", "internal.example", "a.corp.example", "corp.example", "a.x.example"):
        assert http_client._proxies_for(f"http://{host}:8/x", proxies) == {}
    assert http_client._proxies_for("http://notinternal.example/", proxies)
    assert not http_client._proxies_for("http://any/", {**proxies, "no_proxy": "*"})


def test_a_token_for_another_audience_is_refused() -> None:
    error = failed(answer(body={"oidcToken": make_jwt(audience="sts.amazonaws.com")}))
    assert "sts.amazonaws.com" in error.what
    assert SUBJECT in error.cause


def test_an_expired_token_is_refused_with_issuer_and_subject() -> None:
    stale = make_jwt(now=NOON - timedelta(minutes=10))
    error = failed(answer(body={"oidcToken": stale}))
    assert "expired at 2030-01-01 11:55:00 UTC" in error.what
    assert ISSUER in error.cause
    assert SUBJECT in error.cause
    assert "clock" in error.remedy
    assert stale not in str(error)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_an_agent_whose_clock_is_wrong_counts_the_tokens_life_rightly(minutes: int) -> None:
    there = NOON + timedelta(minutes=minutes)
    body = {"oidcToken": make_jwt(now=there)}
    with RawUpstream(answer(body=body, Date=format_datetime(there, usegmt=True))) as upstream:
        token = fetch(upstream)
    assert token.expires_at == NOON + timedelta(minutes=5)


@pytest.mark.parametrize(
    "text",
    ["", "***", "$(x)", "a.b.c", "a.b", "eyJ.eyJ.", "..", "é.é.é", "W10.W10.x", "bnVsbA.bnVsbA."],
)
def test_what_is_no_jwt_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(IdTokenError, match="not a JWT") as caught:
        parse_id_token(text)
    assert "AADSTS" not in str(caught.value)


@pytest.mark.parametrize("claim", ["iss", "sub", "exp"])
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_jwt_without_its_claims_is_refused(claim: str, value: object) -> None:
    claims: dict[str, Any] = {claim: value}
    with pytest.raises(IdTokenError, match=f"no usable {claim}"):
        parse_id_token(make_jwt(**claims))


def test_dates_beyond_all_calendars_are_refused() -> None:
    with pytest.raises(IdTokenError, match="exp"):
        parse_id_token(make_jwt(exp=10**30))


def test_a_token_may_have_several_audiences_and_no_issue_date() -> None:
    text = make_jwt(aud=["one", "two"], iat=None)
    token = parse_id_token(text, now=NOON, audience="two")
    assert token.audience == "one, two"
    assert token.issued_at == NOON


def test_a_token_is_never_in_a_repr() -> None:
    token = parse_id_token(make_jwt())
    assert token.value not in repr(token)
    assert repr(token.value) == "(redacted)"
    assert SUBJECT in repr(token)


@given(st.one_of(st.text(), st.from_regex(r"\A[A-Za-z0-9_-]{0,20}(\.[A-Za-z0-9_-]{0,20}){2}\Z")))
def test_any_text_is_a_token_or_one_clear_error(text: str) -> None:
    with pytest.raises(IdTokenError):
        parse_id_token(text, now=NOON)


def test_a_jump_of_the_clock_during_a_request_does_not_end_it() -> None:
    clock = VirtualClock()
    statuses = [503, 200]

    def jump(_: Request) -> Response:
        clock.advance(timedelta(hours=2))
        return Response(statuses.pop(0))

    with LoopbackServer(jump) as upstream:
        try:
            outcome = Transport(wait=Pauses()).ask("POST", upstream.url, headers={})
        finally:
            clock.reset()
    assert outcome.status == 200
