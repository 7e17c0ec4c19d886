from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.events import EventLog, IdTokenFetched, IdTokenFetchFailed
from pytest_tfoidc.identity import token_file
from pytest_tfoidc.identity.idtoken import parse_id_token
from pytest_tfoidc.identity.token_file import KeptTokenFile
from tests.identity.identity_kit import CLIENT, TENANT, ManualClock, ScriptedSource


@pytest.fixture
def kept(
    tmp_path: Path,
    source: ScriptedSource,
    clock: ManualClock,
    events: EventLog,
    monkeypatch: pytest.MonkeyPatch,
) -> KeptTokenFile:
    monkeypatch.setattr(token_file, "LOOK_SECONDS", 0.01)
    return KeptTokenFile(
        tmp_path / "token", source=source, clock=clock, audience=DEFAULT_AUDIENCE, events=events
    )


def eventually(condition: Callable[[], bool]) -> bool:
    patience = threading.Event()
    return any(condition() or patience.wait(0.02) for _ in range(500))


def test_the_file_holds_a_token_that_only_this_user_can_read(kept: KeptTokenFile) -> None:
    with kept:
        assert parse_id_token(kept.path.read_text()).audience == DEFAULT_AUDIENCE
        assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert list(kept.path.parent.iterdir()) == []


def test_the_token_is_renewed_after_half_its_life(
    kept: KeptTokenFile, clock: ManualClock, events: EventLog
) -> None:
    with kept:
        clock.advance(timedelta(minutes=2))
        assert len(events.of(IdTokenFetched)) == 1
        clock.advance(timedelta(minutes=1))
        assert eventually(lambda: len(events.of(IdTokenFetched)) == 2)
        assert parse_id_token(kept.path.read_text(), now=clock.now())


def test_the_token_is_renewed_where_the_clock_is_set_back(
    kept: KeptTokenFile, clock: ManualClock, events: EventLog
) -> None:
    with kept:
        clock.advance(-timedelta(hours=2))
        assert eventually(lambda: len(events.of(IdTokenFetched)) == 2)


def test_after_a_jump_the_token_can_be_renewed_at_once(
    kept: KeptTokenFile, clock: ManualClock
) -> None:
    with kept:
        clock.advance(timedelta(hours=2))
        kept.renew()
        assert parse_id_token(kept.path.read_text(), now=clock.now())


def test_an_outage_is_told_and_outlived(
    kept: KeptTokenFile, clock: ManualClock, source: ScriptedSource, events: EventLog
) -> None:
    with kept:
        source.failure = IdTokenError("none")
        clock.advance(timedelta(minutes=3))
        assert eventually(lambda: bool(events.of(IdTokenFetchFailed)))
        source.failure = None
        assert eventually(lambda: len(events.of(IdTokenFetched)) == 2)


def test_without_a_first_token_nothing_is_started(
    kept: KeptTokenFile, source: ScriptedSource
) -> None:
    source.failure = IdTokenError("none")
    with pytest.raises(IdTokenError), kept:
        pass
    assert not kept.path.exists()


def test_the_real_workload_identity_credential_reads_it(
    kept: KeptTokenFile, clock: ManualClock
) -> None:
    identity = pytest.importorskip("azure.identity")
    with kept:
        credential = identity.WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=CLIENT, token_file_path=str(kept.path)
        )
        with credential:
            assert parse_id_token(credential._get_service_account_token(), now=clock.now())
