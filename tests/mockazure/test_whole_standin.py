"""Whole clients against the whole stand-in: recorded azurerm, the Azure SDK, providers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pytest_tfoidc.checks.explaining import explain
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.events import AccessTokenIssued, ExchangeRefused, IdTokenMinted
from pytest_tfoidc.identity.credential import RefreshingCredential
from pytest_tfoidc.mockazure.directory import CLIENT_ID, SUBSCRIPTION_ID, TENANT_ID
from pytest_tfoidc.mockazure.entra import JWT_BEARER
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.commandline import Flag
from tests.mockazure.arm.test_replay import replay, rows
from tests.mockazure.armclient import SUBSCRIPTION, TENANT, Arm
from tests.mockazure.azurekit import ARM, Azure, running
from tests.providers.providermirror import lay_out

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg"
GATEWAYS = "Microsoft.Network/virtualNetworkGateways"
MODULE = """
terraform {{
  required_providers {{
    mockcloud = {{
      source  = "tfoidc/mockcloud"
      version = "~> {version}"
    }}
  }}
}}

resource "mockcloud_group" "this" {{
  name     = "rg-long"
  location = "westeurope"
}}

resource "mockcloud_gateway" "first" {{
  name     = "first"
  group    = mockcloud_group.this.name
  location = "westeurope"
  sku      = "Basic"
}}
"""
TESTS = 'run "for_45_minutes" {}\n'


def test_the_recorded_requests_of_azurerm_get_the_same_through_tls() -> None:
    recorded = rows()
    expected = [answer.status for answer in replay(Arm(), recorded)]
    text = json.dumps(recorded).replace(SUBSCRIPTION, SUBSCRIPTION_ID).replace(TENANT, TENANT_ID)
    with running() as azure:
        headers = azure.bearer()
        statuses = [sent(azure, row, headers) for row in json.loads(text)]

    assert statuses == expected
    assert max(statuses) < 500


def sent(azure: Azure, row: dict[str, Any], headers: dict[str, str]) -> int:
    url = f"https://management.azure.com{row['path']}?{row['query']}"
    body = {"json": row["body"]} if "body" in row else {}
    return azure.send(row["method"], url, headers=headers, **body).status_code


@pytest.fixture
def session() -> Iterator[OidcSession]:
    options = SessionOptions(context="mock", access_token_lifetime=timedelta(minutes=6))
    with OidcSession(options) as session, session.isolated():
        yield session


def sdk_options(session: OidcSession) -> dict[str, Any]:
    """Return what leads a client of the Azure SDK for Python to the stand-in."""
    assert session.mock is not None
    credential = RefreshingCredential(
        context=session.context, source=session.source, clock=session.clock
    )
    return {
        "credential": credential,
        "proxies": {"https": session.mock.url},
        "connection_verify": str(session.mock.ca_file),
        "retry_total": 0,
    }


def test_an_sdk_client_renews_its_own_token_while_an_operation_goes_on(
    session: OidcSession,
) -> None:
    resources = pytest.importorskip("azure.mgmt.resource.resources")
    assert session.mock is not None
    session.mock.resource_manager.takes(GATEWAYS, "20m")
    client = resources.ResourceManagementClient(
        subscription_id=SUBSCRIPTION_ID, **sdk_options(session)
    )
    client.resource_groups.create_or_update("rg", {"location": "westeurope"})
    gateway = f"{GROUP}/providers/{GATEWAYS}/gw"
    body = {"location": "westeurope", "properties": {}}

    made = client.resources.begin_create_or_update_by_id(
        resource_id=gateway, api_version="2024-01-01", parameters=body
    ).result()
    client.close()

    assert made.id == gateway
    assert session.clock.offset > timedelta(minutes=19)
    assert len(session.events.of(AccessTokenIssued)) > 3
    assert session.mock.requests.to("arm", status=401) == ()


def test_an_sdk_client_for_blobs_uses_the_same_login(session: OidcSession) -> None:
    blob = pytest.importorskip("azure.storage.blob")
    url = "https://sdkaccount.blob.core.windows.net"
    with blob.BlobServiceClient(url, **sdk_options(session)) as service:
        client = service.get_blob_client("data", "key")
        client.upload_blob(b"kept")
        session.oidc_clock.advance("2h")

        assert client.download_blob().readall() == b"kept"
    assert session.mock is not None
    assert session.mock.blobs.blob("sdkaccount", "data", "key") == b"kept"


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcSession]:
    environment = {**os.environ, **lay_out(tmp_path_factory.mktemp("providers"))}
    executable = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    options = SessionOptions(context="mock", executable=executable, environment=environment)
    with OidcSession(options) as session:
        yield session


@pytest.fixture
def static(providers: OidcSession) -> Iterator[OidcSession]:
    """Return the session with an ID token in the environment, for providers that take no other."""
    usual = providers.environment
    token = providers.source.fetch(providers.context.audience).value
    providers.environment = {**usual, "MOCKCLOUD_OIDC_TOKEN": token}
    with providers.isolated():
        yield providers
    providers.environment = usual


def module_for(folder: Path, version: str) -> Path:
    (folder / "main.tf").write_text(MODULE.format(version=version))
    (folder / "long.tftest.hcl").write_text(TESTS)
    return folder


def test_a_provider_that_refreshes_survives_operations_of_45_minutes(
    providers: OidcSession, tmp_path: Path
) -> None:
    assert providers.mock is not None
    mark = providers.events.mark()
    with (
        providers.isolated(),
        providers.workspace(module_for(tmp_path, "2.0")) as workspace,
    ):
        providers.mock.resource_manager.takes(GATEWAYS, "45m", verb="create")
        workspace.init()
        plan = workspace.plan()
        providers.oidc_clock.delay("30m")
        workspace.apply(plan)
        applied = providers.clock.offset
        assert not workspace.plan(out="after").has_changes
        workspace.destroy()
        workspace.test()

        assert applied > timedelta(minutes=74)
        assert providers.clock.offset > timedelta(minutes=118)
        assert providers.mock.resource_manager.resources == {}
    assert providers.events.of(ExchangeRefused, since=mark) == ()


def test_a_provider_with_a_static_token_fails_where_its_access_token_ends(
    static: OidcSession, tmp_path: Path
) -> None:
    assert static.mock is not None
    mark = static.events.mark()
    with static.workspace(module_for(tmp_path, "1.0")) as workspace:
        static.mock.resource_manager.takes(GATEWAYS, "45m")
        workspace.init()
        plan = workspace.plan()
        with pytest.raises(TerraformError, match="apply") as caught:
            workspace.apply(plan)
        assert "AADSTS700024" in caught.value.output
        assert "mockcloud_gateway" in caught.value.output
        names = [d["name"] for d in static.mock.resource_manager.resources.values()]
        assert names == ["rg-long", "first"]
        workspace.is_deployed = False

    (refused,) = static.events.of(ExchangeRefused, since=mark)
    issued = [
        event
        for event in static.events.of(AccessTokenIssued, since=mark)
        if event.scope == ARM and event.at < refused.at
    ]
    assert timedelta(minutes=40) <= refused.at - issued[-1].at < timedelta(minutes=41)


def test_a_provider_with_a_static_token_survives_what_is_shorter(
    static: OidcSession, tmp_path: Path
) -> None:
    assert static.mock is not None
    with static.workspace(module_for(tmp_path, "1.0")) as workspace:
        static.mock.resource_manager.takes(GATEWAYS, "30m")
        workspace.init()
        workspace.apply(workspace.plan())
        applied = static.clock.offset
        with pytest.raises(TerraformError, match="destroy") as caught:
            workspace.destroy()  # a new process, which has to log in
        workspace.is_deployed = False

    assert applied > timedelta(minutes=29)
    assert static.clock.offset - applied < timedelta(minutes=1)
    assert "AADSTS700024" in caught.value.output


def test_a_crashed_provider_is_told_by_its_trace_and_not_by_what_it_took_along(
    providers: OidcSession, tmp_path: Path
) -> None:
    text = MODULE.format(version="2.0")
    crashing = text.replace('"first"', '"crash"').replace("mockcloud_group.this.name", '"rg-long"')
    (tmp_path / "main.tf").write_text(crashing)
    with providers.isolated(), providers.workspace(tmp_path) as workspace:
        workspace.init()
        with pytest.raises(TerraformError, match="apply") as caught:
            workspace.apply()
        with pytest.raises(TerraformError, match="apply") as plain:
            workspace.run("apply", input=False, auto_approve=Flag, no_color=Flag)
        workspace.is_deployed = False
        explained = explain(caught.value, providers)

    assert explained.startswith("The provider mockcloud crashed")
    assert "panic: runtime error: invalid memory address" in caught.value.output
    assert "Plugin did not respond" not in caught.value.output
    assert "mockcloud_gateway.crash: Creating" in plain.value.log  # without JSON, all of it
    assert "panic: runtime error" in plain.value.output


def ask_for_every_call(environment: dict[str, str], session: OidcSession) -> None:
    """Apply ten resource groups as go-azure-sdk does without a cache: an ID token for each call."""
    assert session.mock is not None
    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(session.mock.ca_file)
        proxies = {"https": session.mock.url}
        for number in range(10):
            for method in ("GET", "PUT", "GET", "GET", "DELETE", "GET"):
                bearer = f"Bearer {environment['ARM_OIDC_REQUEST_TOKEN']}"
                connection = environment["ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"]
                asked = http.post(
                    environment["ARM_OIDC_REQUEST_URL"],
                    params={"serviceConnectionId": connection},
                    headers={"Authorization": bearer},
                    proxies=proxies if environment["ARM_OIDC_REQUEST_URL"][:5] == "https" else {},
                    timeout=20,
                )
                form = {
                    "grant_type": "client_credentials",
                    "client_id": CLIENT_ID,
                    "client_assertion": asked.json()["oidcToken"],
                    "client_assertion_type": JWT_BEARER,
                    "scope": "https://management.azure.com/.default",
                }
                login = f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token"
                token = http.post(login, data=form, proxies=proxies, timeout=20).json()
                answer = http.request(
                    method,
                    f"https://management.azure.com{GROUP}{number}?api-version=2024-01-01",
                    json={"location": "westeurope"},
                    headers={"Authorization": f"Bearer {token['access_token']}"},
                    proxies=proxies,
                    timeout=20,
                )
                assert answer.status_code < 405


@pytest.mark.parametrize(("relay", "most"), [(True, 2), (False, 60)])
def test_ten_resource_groups_cost_the_pipeline_two_id_tokens_at_most(
    *, relay: bool, most: int
) -> None:
    with OidcSession(SessionOptions(context="mock", relay=relay)) as session:
        ask_for_every_call(dict(session.environment), session)
        asked = len(session.events.of(IdTokenMinted))

    assert 1 <= asked <= most
    assert relay or asked == 60  # the control: without the relay, every call costs one
