from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.entrafacts import MEANINGS, PASSING
from pytest_tfoidc.errors import AuthenticationError, IdTokenError, UsageError
from pytest_tfoidc.events import EventLog, IdTokenFetched, IdTokenFetchFailed
from pytest_tfoidc.httpserver import LoopbackServer, Request, Response
from pytest_tfoidc.identity.accesstokens import AccessTokenCache, HeldToken, TokenKey
from pytest_tfoidc.identity.credential import AsyncRefreshingCredential, RefreshingCredential
from pytest_tfoidc.identity.entra_client import Grant
from tests.identity.identity_kit import (
    CLIENT,
    ISSUER,
    SUBJECT,
    TENANT,
    ManualClock,
    ScriptedSource,
    make_context,
)

pytest_plugins = ("pytester",)

ARM = "https://management.azure.com/.default"
STORAGE = "https://storage.azure.com/.default"
LIFE = 3600


class TinyEntra:
    """A token endpoint that gives `s3cret-1`, `s3cret-2` and so on, or what it is told to."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[Response] = []
        self.more: dict[str, object] = {"expires_in": LIFE}
        self.before: Callable[[], object] = lambda: None
        self.server = LoopbackServer(self._answer, name="tiny-entra")

    async def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        number = len(self.requests)
        await asyncio.to_thread(self.before)
        if self.replies:
            return self.replies.pop(0)
        return Response.json(
            {"token_type": "Bearer", "access_token": f"s3cret-{number}", **self.more}
        )


def refusal(code: str, status: int = 401, description: str = "not within its range") -> Response:
    text = f"AADSTS{code}: {description}\r\nTrace ID: 0 Timestamp: 2030-01-01 12:00:00Z"
    return Response.json({"error": "x", "error_description": text}, status=status)


@pytest.fixture
def entra() -> Iterator[TinyEntra]:
    tiny = TinyEntra()
    with tiny.server:
        yield tiny
    assert tiny.server.defects == []


@pytest.fixture
def credential(
    source: ScriptedSource, clock: ManualClock, entra: TinyEntra, events: EventLog
) -> Iterator[RefreshingCredential]:
    with RefreshingCredential(
        context=make_context(),
        source=source,
        clock=clock,
        events=events,
        authority=entra.server.url,
        wait=lambda _: None,
    ) as made:
        yield made


def value(token: Any) -> str:  # noqa: ANN401 - azure-core's or ours
    return str(token.token)


def test_an_id_token_is_exchanged_as_entra_wants_it(
    credential: RefreshingCredential, entra: TinyEntra, clock: ManualClock, events: EventLog
) -> None:
    token = credential.get_token(ARM)
    assert (value(token), token.expires_on) == ("s3cret-1", clock.now().timestamp() + LIFE)
    request = entra.requests[0]
    assert (request.method, request.path) == ("POST", f"/{TENANT}/oauth2/v2.0/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = request.form
    assert form.pop("client_assertion").count(".") == 2
    assert form == {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": ARM,
    }
    assert len(events.of(IdTokenFetched)) == 1


def test_the_info_has_the_tokens_type_and_its_renewal(
    credential: RefreshingCredential, entra: TinyEntra, clock: ManualClock
) -> None:
    entra.more = {"expires_in": "3600", "refresh_in": 1800}
    info = credential.get_token_info(ARM)
    now = clock.now().timestamp()
    assert (info.token_type, info.expires_on, info.refresh_on) == ("Bearer", now + LIFE, now + 1800)


def test_a_token_is_kept_by_scope_and_tenant(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    one = value(credential.get_token(ARM))
    assert value(credential.get_token(ARM)) == one
    assert value(credential.get_token_info(ARM)) == one
    assert value(credential.get_token(STORAGE)) != one
    assert value(credential.get_token(ARM, tenant_id="other.example")) != one
    assert value(credential.get_token_info(ARM, options={"tenant_id": "other.example"})) != one
    assert [r.path.split("/")[1] for r in entra.requests] == [TENANT, TENANT, "other.example"]


def test_the_order_of_scopes_does_not_matter(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    assert credential.get_token("a", "b") == credential.get_token("b", "a", "b")
    assert entra.requests[0].form["scope"] == "a b"


@pytest.mark.parametrize(
    ("more", "renewed_after"),
    [
        ({"expires_in": LIFE}, 3300),
        ({"expires_in": LIFE, "refresh_in": 600}, 600),
        ({"expires_in": 86400}, 43200),
    ],
)
def test_a_token_is_renewed_when_the_azure_sdks_renew_theirs(
    credential: RefreshingCredential,
    entra: TinyEntra,
    clock: ManualClock,
    more: dict[str, object],
    renewed_after: int,
) -> None:
    entra.more = more
    credential.get_token(ARM)
    clock.advance(timedelta(seconds=renewed_after - 1))
    assert value(credential.get_token(ARM)) == "s3cret-1"
    clock.advance(timedelta(seconds=1))
    assert value(credential.get_token(ARM)) == "s3cret-2"


def test_a_token_is_renewed_where_the_clock_is_set_back(
    credential: RefreshingCredential, entra: TinyEntra, clock: ManualClock
) -> None:
    credential.get_token(ARM)
    clock.advance(-timedelta(hours=2))
    assert value(credential.get_token(ARM)) == "s3cret-2"
    assert value(credential.get_token(ARM)) == "s3cret-2"
    assert len(entra.requests) == 2


def test_an_outage_at_entra_goes_unnoticed_while_the_token_lives(
    credential: RefreshingCredential, entra: TinyEntra, clock: ManualClock
) -> None:
    credential.get_token(ARM)
    clock.advance(timedelta(seconds=LIFE - 200))
    entra.replies = [refusal("700016")] * 9
    assert value(credential.get_token(ARM)) == "s3cret-1"
    assert value(credential.get_token(ARM)) == "s3cret-1"
    assert len(entra.requests) == 2  # not again within thirty seconds
    clock.advance(timedelta(seconds=31))
    credential.get_token(ARM)
    assert len(entra.requests) == 3
    clock.advance(timedelta(seconds=200))
    with pytest.raises(AuthenticationError):
        credential.get_token(ARM)


def test_many_callers_cost_one_exchange(
    credential: RefreshingCredential, entra: TinyEntra, source: ScriptedSource
) -> None:
    waiting = threading.Barrier(20)

    def ask() -> str:
        waiting.wait(30)
        return value(credential.get_token(ARM))

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask) for _ in range(20)]
        assert {one.result(30) for one in asked} == {"s3cret-1"}
    assert (len(entra.requests), len(source.asked)) == (1, 1)


def test_many_callers_share_one_failure(
    credential: RefreshingCredential, source: ScriptedSource
) -> None:
    release = threading.Event()
    source.failure = IdTokenError("none")
    source.before = lambda _: release.wait(30)
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(credential.get_token, ARM) for _ in range(10)]
        threading.Timer(0.3, release.set).start()
        assert all(isinstance(one.exception(30), IdTokenError) for one in asked)
    assert len(source.asked) == 1


def test_while_one_renews_the_others_have_the_old_token(
    credential: RefreshingCredential, entra: TinyEntra, clock: ManualClock
) -> None:
    credential.get_token(ARM)
    clock.advance(timedelta(seconds=LIFE - 100))
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(30)

    entra.before = hang
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(credential.get_token, ARM)
        assert entered.wait(30)
        assert value(credential.get_token(ARM)) == "s3cret-1"
        release.set()
        assert value(renewing.result(30)) == "s3cret-2"


def test_what_is_dropped_is_not_given_again(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    credential.get_token(ARM)
    credential.drop()
    entra.before = lambda: credential.drop() if len(entra.requests) == 2 else None
    assert value(credential.get_token(ARM)) == "s3cret-3"


def test_a_claims_challenge_is_passed_on_and_replaces_the_token(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    credential.get_token(ARM)
    challenge = '{"access_token": {"nbf": {"essential": true, "value": "1"}}}'
    assert value(credential.get_token(ARM, claims=challenge)) == "s3cret-2"
    assert value(credential.get_token(ARM)) == "s3cret-2"
    assert entra.requests[1].form["claims"] == challenge


def test_continuous_access_evaluation_is_announced_and_kept_apart(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    assert value(credential.get_token(ARM)) == "s3cret-1"
    assert value(credential.get_token(ARM, enable_cae=True)) == "s3cret-2"
    credential.get_token_info(
        ARM, options={"enable_cae": True, "claims": '{"access_token": {"nbf": 1}}'}
    )
    announced = {"access_token": {"xms_cc": {"values": ["CP1"]}}}
    assert json.loads(entra.requests[1].form["claims"]) == announced
    merged = {"access_token": {"nbf": 1, "xms_cc": {"values": ["CP1"]}}}
    assert json.loads(entra.requests[2].form["claims"]) == merged


@pytest.mark.parametrize("claims", ["{", "[]", '{"access_token": 1}'])
def test_claims_that_are_none_are_refused(credential: RefreshingCredential, claims: str) -> None:
    with pytest.raises(UsageError):
        credential.get_token(ARM, claims=claims, enable_cae=True)


def test_a_scope_is_needed(credential: RefreshingCredential) -> None:
    with pytest.raises(ValueError, match="at least one scope"):
        credential.get_token()


@pytest.mark.parametrize("tenant", ["../x", "a/b", "a?b", "a b"])
def test_a_tenant_cannot_bend_the_login_url(credential: RefreshingCredential, tenant: str) -> None:
    with pytest.raises(UsageError):
        credential.get_token(ARM, tenant_id=tenant)


@pytest.mark.parametrize("code", sorted(set(MEANINGS) - PASSING))
def test_each_known_refusal_has_its_cause_and_remedy(
    credential: RefreshingCredential, entra: TinyEntra, code: str
) -> None:
    entra.replies = [refusal(code)]
    with pytest.raises(AuthenticationError) as caught:
        credential.get_token(ARM)
    error = caught.value
    meaning = MEANINGS[code]
    assert f"AADSTS{code}." in error.what
    assert meaning.cause in error.cause
    assert error.remedy == meaning.advice
    assert TENANT in error.where
    assert CLIENT in error.where
    assert all(shown in error.cause for shown in (ISSUER, SUBJECT, "api://AzureADTokenExchange"))
    assert len(entra.requests) == 1


def test_an_issuer_that_entra_could_not_reach_is_tried_again(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    entra.replies = [refusal("90061", 400), Response(503), refusal("50166", 400)]
    assert value(credential.get_token(ARM)) == "s3cret-4"


@pytest.mark.parametrize(
    "reply",
    [
        Response(200, b"{}"),
        Response(200, b"<html>"),
        Response(200, b"[" * 100_000),
        Response(200, b'{"access_token": "s3cret", "expires_in": "soon"}'),
        Response(302, b"", {"Location": "https://example.org"}),
        Response(400, b'"text"'),
    ],
)
def test_an_answer_that_is_none_is_told(
    credential: RefreshingCredential, entra: TinyEntra, reply: Response
) -> None:
    entra.replies = [reply]
    with pytest.raises(AuthenticationError, match=f"HTTP {reply.status}") as caught:
        credential.get_token(ARM)
    assert "s3cret" not in str(caught.value)


def test_an_id_token_that_entra_echoes_is_not_shown(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    def echo() -> None:
        assertion = entra.requests[-1].form["client_assertion"]
        entra.replies = [refusal("50027", description=f"bad assertion {assertion}")]

    entra.before = echo
    with pytest.raises(AuthenticationError, match="bad assertion") as caught:
        credential.get_token(ARM)
    assert entra.requests[0].form["client_assertion"] not in str(caught.value)


def test_no_id_token_is_an_error_and_an_event(
    credential: RefreshingCredential, source: ScriptedSource, events: EventLog
) -> None:
    source.failure = IdTokenError("none")
    with pytest.raises(IdTokenError):
        credential.get_token(ARM)
    assert len(events.of(IdTokenFetchFailed)) == 1


def test_nobody_at_the_login_host_is_told(source: ScriptedSource, clock: ManualClock) -> None:
    with LoopbackServer(lambda _: Response()) as gone:
        authority = gone.url
    credential = RefreshingCredential(
        context=make_context(),
        source=source,
        clock=clock,
        authority=authority,
        wait=lambda _: None,
    )
    with pytest.raises(AuthenticationError, match="ConnectionRefusedError"):
        credential.get_token(ARM)


def test_the_authority_is_the_clouds(source: ScriptedSource, clock: ManualClock) -> None:
    context = make_context(cloud="china", ca_file="missing.pem")
    credential = RefreshingCredential(context=context, source=source, clock=clock)
    with pytest.raises(AuthenticationError) as caught:
        credential.get_token(ARM)
    assert caught.value.where == "https://login.chinacloudapi.cn"


def test_no_token_is_in_a_repr(credential: RefreshingCredential) -> None:
    token, info = credential.get_token(ARM), credential.get_token_info(ARM)
    shown = [repr(token), repr(info), str(info), repr(credential), repr([token, info])]
    shown += [repr(AsyncRefreshingCredential(credential)), repr(vars(info)), repr(tuple(token))]
    assert not any("s3cret" in text for text in shown)
    assert f"Bearer {token.token}" == "Bearer s3cret-1"  # and yet it works


def test_no_token_is_in_a_failures_locals_and_assertions(
    pytester: pytest.Pytester, credential: RefreshingCredential
) -> None:
    token = credential.get_token(ARM)
    pytester.makepyfile(
        """
        import functools

        def test_it(token, info):
            value = token.token
            also = [value]
            assert info is None
        """
    )

    class Give:
        @pytest.fixture
        def token(self) -> object:
            return token

        @pytest.fixture
        def info(self) -> object:
            return credential.get_token_info(ARM)

    quiet = ("-p", "no:randomly", "-p", "no:terraform")  # the latter leaves files open
    result = pytester.inline_run("--showlocals", "-vv", *quiet, plugins=[Give()])
    assert result.countoutcomes() == [0, 0, 1]
    report = result.getfailures()[0]
    assert "(redacted)" in str(report.longrepr)
    assert "s3cret" not in str(report.longrepr)


def test_the_async_twin_gives_the_same_tokens(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    async def ask() -> list[str]:
        async with AsyncRefreshingCredential(credential) as twin:
            many = await asyncio.gather(*(twin.get_token(ARM) for _ in range(50)))
            info = await twin.get_token_info(ARM, options={"claims": "{}"})
            return [*{value(one) for one in many}, value(info)]

    assert asyncio.run(ask()) == ["s3cret-1", "s3cret-2"]
    assert len(entra.requests) == 2


def test_a_dead_token_is_never_at_hand() -> None:
    now = 0.0
    cache = AccessTokenCache(
        renew=lambda _key, _claims: HeldToken.of(Grant("x", "Bearer", 60, None), asked_at=now),
        now=lambda: now,
    )
    key = TokenKey((ARM,), TENANT, enable_cae=False)
    cache.get(key)
    assert cache.at_hand(key) is not None
    now = 61.0
    assert cache.at_hand(key) is None


# --- real clients ---------------------------------------------------------------------------------


def test_it_is_what_azure_core_asks_for(credential: RefreshingCredential) -> None:
    sync = pytest.importorskip("azure.core.credentials")
    aio = pytest.importorskip("azure.core.credentials_async")
    twin = AsyncRefreshingCredential(credential)
    assert isinstance(credential, sync.TokenCredential)
    assert isinstance(credential, sync.SupportsTokenInfo)
    assert isinstance(twin, aio.AsyncTokenCredential)
    assert isinstance(twin, aio.AsyncSupportsTokenInfo)
    assert isinstance(credential.get_token(ARM), sync.AccessToken)
    assert isinstance(credential.get_token_info(ARM), sync.AccessTokenInfo)


def test_users_of_the_sdks_catch_our_refusals_as_theirs(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    exceptions = pytest.importorskip("azure.core.exceptions")
    entra.replies = [refusal("700016")]
    with pytest.raises(exceptions.ClientAuthenticationError) as caught:
        credential.get_token(ARM)
    assert "Remedy: Correct ARM_CLIENT_ID" in str(caught.value)


def test_an_sdk_client_works_on_after_a_jump_of_two_hours(
    source: ScriptedSource, entra: TinyEntra
) -> None:
    core = pytest.importorskip("azure.core")
    policies = pytest.importorskip("azure.core.pipeline.policies")
    rest = pytest.importorskip("azure.core.rest")
    clock = VirtualClock()
    seen: list[str | None] = []
    credential = RefreshingCredential(
        context=make_context(), source=source, clock=clock, authority=entra.server.url
    )
    policy = policies.BearerTokenCredentialPolicy(credential, ARM, enforce_https=False)

    def remember(request: Request) -> Response:
        seen.append(request.bearer)
        return Response.json({})

    with (
        LoopbackServer(remember) as azure,
        core.PipelineClient(azure.url, policies=[policy]) as client,
    ):
        try:
            for jump in (timedelta(), timedelta(hours=2)):
                clock.advance(jump)
                request = rest.HttpRequest("GET", azure.url)
                client.send_request(request, enforce_https=False).raise_for_status()
        finally:
            clock.reset()
    assert seen == ["s3cret-1", "s3cret-2"]


def test_an_aio_client_works_with_the_async_twin(
    credential: RefreshingCredential, entra: TinyEntra
) -> None:
    core = pytest.importorskip("azure.core")
    pytest.importorskip("aiohttp")
    policies = pytest.importorskip("azure.core.pipeline.policies")
    rest = pytest.importorskip("azure.core.rest")

    async def call(url: str) -> int:
        policy = policies.AsyncBearerTokenCredentialPolicy(
            AsyncRefreshingCredential(credential), ARM
        )
        async with core.AsyncPipelineClient(url, policies=[policy]) as client:
            request = rest.HttpRequest("GET", url)
            response = await client.send_request(request, enforce_https=False)
            return int(response.status_code)

    with LoopbackServer(lambda request: Response(200 if request.bearer else 401)) as azure:
        assert asyncio.run(call(azure.url)) == 200
    assert len(entra.requests) == 1


def test_without_azure_core_it_works_as_well() -> None:
    script = """
import sys
sys.modules["azure.core"] = None
from pytest_tfoidc.errors import AuthenticationError
from pytest_tfoidc.identity import credential, entra_client as entra
from pytest_tfoidc.identity.accesstokens import HeldToken
from pytest_tfoidc.identity.secret import Secret
held = HeldToken.of(entra.Grant(Secret("s3cret"), "Bearer", 60, None), asked_at=0)
token, info = credential._token(held), credential._info(held)
assert (token.token, token.expires_on) == ("s3cret", 60)
assert (info.token, info.expires_on, info.token_type) == ("s3cret", 60, "Bearer")
assert info.refresh_on is None
assert "s3cret" not in repr(token) + repr(info)
assert entra.error_type() is AuthenticationError
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
