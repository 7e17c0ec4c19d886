"""Real Azure SDK clients through the stand-in, over TLS, each across a jump of two hours."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc import (
    AsyncRefreshingCredential,
    KeptTokenFile,
    OidcSession,
    SessionOptions,
)
from pytest_tfoidc.events import AccessTokenIssued, IdTokenMinted

identity = pytest.importorskip("azure.identity", reason="azure-identity is not installed")

ARM = "https://management.azure.com/.default"
ACCOUNT = "https://tfoidcstandin.blob.core.windows.net"


@pytest.fixture
def session() -> Iterator[OidcSession]:
    environment = {"PATH": os.environ["PATH"]}
    options = SessionOptions(context="mock", environment=environment)
    with OidcSession(options) as made, made.isolated():
        yield made


def wire(session: OidcSession) -> dict[str, Any]:
    """Say how a client of the Azure SDK reaches the stand-in; it tries once."""
    assert session.mock is not None
    return {
        "proxies": {"https": session.mock.url},
        "connection_verify": str(session.mock.ca_file),
        "retry_total": 0,
    }


def counts(session: OidcSession) -> tuple[int, int]:
    """Count the ID tokens that were minted, and the exchanges."""
    return len(session.events.of(IdTokenMinted)), len(session.events.of(AccessTokenIssued))


def resources(session: OidcSession, credential: Any, room: str = "") -> Any:  # noqa: ANN401 - the SDK's classes
    module = importlib.import_module(f"azure.mgmt.resource.resources{room}")
    subscription = session.context.subscription_id
    return module.ResourceManagementClient(credential, subscription, **wire(session))


def survives(session: OidcSession, use: Callable[[], object]) -> None:
    """Use a client twice, then again two hours later: one ID token and one exchange for each."""
    use()
    use()
    assert counts(session) == (1, 1)
    session.oidc_clock.advance("2h")
    use()
    use()
    assert counts(session) == (2, 2)


def from_pipelines(session: OidcSession, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - the SDK's class
    context, relay = session.context, session.relay
    assert relay is not None
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", relay.url)
    return identity.AzurePipelinesCredential(
        tenant_id=context.tenant_id,
        client_id=context.client_id,
        service_connection_id=context.service_connection_id,
        system_access_token=str(relay.bearer),
        **wire(session),
    )


def test_azure_pipelines_credential_through_the_relay(
    session: OidcSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        from_pipelines(session, monkeypatch) as credential,
        resources(session, credential) as client,
    ):
        survives(session, lambda: list(client.resource_groups.list()))


def test_an_id_token_that_is_not_renewed_does_not_survive(
    session: OidcSession,
) -> None:
    """The negative control: what was fetched once is refused after the jump."""
    token = session.source.fetch(session.context.audience).value
    with identity.ClientAssertionCredential(
        session.context.tenant_id,
        session.context.client_id,
        func=lambda: str(token),
        **wire(session),
    ) as credential:
        credential.get_token(ARM)
        session.oidc_clock.advance("2h")
        with pytest.raises(Exception, match="AADSTS700024"):
            credential.get_token(ARM)


def test_client_assertion_credential_fed_by_our_source(session: OidcSession) -> None:
    context = session.context
    credential = identity.ClientAssertionCredential(
        context.tenant_id,
        context.client_id,
        func=lambda: str(session.source.fetch(context.audience).value),
        **wire(session),
    )
    with credential, resources(session, credential) as client:
        survives(session, lambda: list(client.resource_groups.list()))


def test_workload_identity_credential_on_a_file_that_is_kept_fresh(
    session: OidcSession, tmp_path: Path
) -> None:
    context = session.context
    kept = KeptTokenFile(
        tmp_path / "token", source=session.source, clock=session.clock, audience=context.audience
    )
    with kept:
        credential = identity.WorkloadIdentityCredential(
            tenant_id=context.tenant_id,
            client_id=context.client_id,
            token_file_path=str(kept.path),
            **wire(session),
        )
        with credential, resources(session, credential) as client:
            list(client.resource_groups.list())
            session.oidc_clock.advance("2h")
            kept.renew()
            list(client.resource_groups.list())
    minted, exchanges = counts(session)
    assert exchanges == 2
    assert 2 <= minted <= 3  # the keeper may have seen the jump by itself


def test_our_credential_in_the_resource_client(session: OidcSession) -> None:
    with resources(session, session.credential) as client:
        client.resource_groups.create_or_update("rg-clients", {"location": "westeurope"})
        survives(session, lambda: client.resource_groups.get("rg-clients"))


def test_our_credential_in_the_blob_client(session: OidcSession) -> None:
    blobs = pytest.importorskip("azure.storage.blob")
    with blobs.BlobServiceClient(
        ACCOUNT, credential=session.credential, **wire(session)
    ) as service:
        blob = service.get_blob_client("tfstate", "kept")

        def use() -> None:
            blob.upload_blob(b"content", overwrite=True)
            assert blob.download_blob().readall() == b"content"

        survives(session, use)


def test_our_credential_in_an_async_client(session: OidcSession) -> None:
    pytest.importorskip("aiohttp")

    async def use() -> None:
        async with resources(
            session, AsyncRefreshingCredential(session.credential), ".aio"
        ) as client:
            assert [group async for group in client.resource_groups.list()] == []

    survives(session, lambda: asyncio.run(use()))


def test_an_expired_access_token_is_not_kept_by_our_credential(session: OidcSession) -> None:
    session.credential.get_token(ARM)
    session.oidc_clock.expire_access_tokens()
    with resources(session, session.credential) as client:
        list(client.resource_groups.list())
    assert counts(session) == (2, 2)
