"""The session: a run without pytest, against the stand-in and with real Terraform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc import OidcSession, SessionOptions
from pytest_tfoidc.checks.parts import plan_again
from pytest_tfoidc.errors import ContextError, TerraformError
from pytest_tfoidc.events import (
    CommandStarted,
    Event,
    IdTokenMinted,
    IdTokenServed,
    VariableWithheld,
)
from pytest_tfoidc.session import LiveClockError

EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
CONNECTION = "11111111-1111-1111-1111-111111111111"
AZURE_DEVOPS = {
    "TF_BUILD": "True",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/o/p/_apis/oidctoken",
    "SYSTEM_ACCESSTOKEN": "the-pipelines-own-token",
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": CONNECTION,
    "ARM_TENANT_ID": CONNECTION,
    "ARM_CLIENT_ID": CONNECTION,
    "ARM_SUBSCRIPTION_ID": CONNECTION,
}


def outer(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}


@pytest.fixture
def session() -> Iterator[OidcSession]:
    options = SessionOptions(
        environment=outer(ARM_OIDC_TOKEN="stale", NO_PROXY="*"), executable=EXECUTABLE
    )
    with OidcSession(options) as session:
        yield session


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(
        """
        variable "name" {
          type    = string
          default = "x"
        }
        resource "terraform_data" "this" {
          input = var.name
        }
        output "name" {
          value = terraform_data.this.output
        }
        """,
        encoding="utf-8",
    )
    return folder


def test_terraform_gets_the_relay_and_not_the_request_token(session: OidcSession) -> None:
    assert session.relay is not None
    assert session.mock is not None
    environment = session.environment
    assert environment["ARM_OIDC_REQUEST_URL"] == session.relay.url
    assert environment["ARM_OIDC_REQUEST_TOKEN"] == session.relay.bearer
    secrets = set(session.mock.issuer.request_tokens.values())
    assert not secrets & set(environment.values())


def test_what_would_switch_refresh_off_is_withheld_and_reported(session: OidcSession) -> None:
    assert "ARM_OIDC_TOKEN" not in session.environment
    assert "ARM_OIDC_TOKEN" in {e.name for e in session.events.of(VariableWithheld)}


def test_the_outer_no_proxy_does_not_lead_around_the_stand_in(session: OidcSession) -> None:
    assert session.environment["NO_PROXY"] == "127.0.0.1,localhost,::1"


@pytest.mark.proof
def test_a_module_is_deployed_and_destroyed_whatever_happens(
    session: OidcSession, module: Path
) -> None:
    mark = session.events.mark()
    workspace = session.workspace(module)
    with pytest.raises(ZeroDivisionError), workspace.deployed():
        assert workspace.output("name") == "x"
        assert workspace.output() == {"name": "x"}
        raise ZeroDivisionError
    assert not workspace.is_deployed
    workspace.close()
    assert not workspace.path.exists()
    commands = [e.command for e in session.events.of(CommandStarted, since=mark)]
    assert commands == ["init", "apply", "destroy"]  # the apply has told the outputs
    assert session.events.of(IdTokenServed, since=mark)


@pytest.mark.proof
def test_what_a_provisioner_writes_beside_the_module_is_not_there_for_the_next(
    session: OidcSession, module: Path
) -> None:
    """Each workspace reads what the user has, although it gets the copy of the one before."""
    shared = module.parent / "shared"
    shared.mkdir()
    (shared / "log").write_text("the user's\n", encoding="utf-8")
    (module / "main.tf").write_text(
        """
        resource "terraform_data" "this" {
          input = file("${path.module}/../shared/log")
          provisioner "local-exec" { command = "echo more >> ../shared/log; touch ../shared/new" }
        }
        output "log" { value = terraform_data.this.output }
        output "new" { value = fileexists("${path.module}/../shared/new") }
        """,
        encoding="utf-8",
    )
    seen, inodes = [], set()
    for _ in range(2):
        with session.workspace(module) as workspace, workspace.deployed():
            seen.append(workspace.output())
            inodes.add((workspace.path / "main.tf").stat().st_ino)
            written = workspace.path / ".." / "shared" / "log"
            assert written.read_text(encoding="utf-8") == "the user's\nmore\n"
    assert seen == [{"log": "the user's\n", "new": False}] * 2
    assert len(inodes) == 1  # it was handed on
    assert (shared / "log").read_text(encoding="utf-8") == "the user's\n"


def test_a_failed_command_is_an_error_with_terraforms_words(
    session: OidcSession, module: Path
) -> None:
    (module / "main.tf").write_text('output "x" { value = var.missing }', encoding="utf-8")
    with session.workspace(module) as workspace, pytest.raises(TerraformError) as failure:
        workspace.init()
        workspace.plan()
    assert "Reference to undeclared input variable" in failure.value.output
    assert failure.value.exit_code == 1
    assert str(module) in str(failure.value)


def test_an_isolated_block_puts_the_clock_and_the_stand_in_back(
    session: OidcSession, module: Path
) -> None:
    assert session.mock is not None
    with session.isolated(), session.workspace(module) as workspace:
        workspace.init()
        workspace.apply()
        session.oidc_clock.advance("1h")
        assert session.mock.blobs.blobs()
    assert session.clock.offset == timedelta()
    assert not session.mock.blobs.blobs()
    with session.isolated(), session.workspace(module) as workspace:
        workspace.init()
        assert workspace.plan().has_changes


def test_what_goes_by_the_time_differs_in_the_plan_after_an_apply(
    session: OidcSession, module: Path
) -> None:
    """On a fast machine, too, where both are made within one second."""
    (module / "time.tf").write_text('output "time" { value = plantimestamp() }\n', encoding="utf-8")
    with session.workspace(module) as workspace:
        workspace.init()
        for _ in range(3):  # a plan that was waited for begins a second, so the next is as early
            workspace.apply()
            assert plan_again(workspace).has_changes


def test_plans_and_backend_files_are_private(session: OidcSession, module: Path) -> None:
    with session.workspace(module) as workspace:
        workspace.init(backend_config={"key": "other ${name}.tfstate"})
        plan = workspace.plan()
        assert plan.path.stat().st_mode & 0o077 == 0
        assert (workspace.path / ".tfoidc.tfbackend").stat().st_mode & 0o077 == 0
        assert workspace.base.stat().st_mode & 0o077 == 0


def test_a_pipeline_is_a_live_context_with_a_relay_of_its_own() -> None:
    with OidcSession(SessionOptions(environment=outer(**AZURE_DEVOPS))) as session:
        assert session.is_live
        assert session.mock is None
        assert "the-pipelines-own-token" not in session.environment.values()
        with pytest.raises(LiveClockError, match="Azure DevOps"):
            session.oidc_clock.advance("1m")


def test_in_a_pipeline_what_is_missing_is_an_error_and_never_the_stand_in() -> None:
    incomplete = {k: v for k, v in AZURE_DEVOPS.items() if k != "SYSTEM_ACCESSTOKEN"}
    session = OidcSession(SessionOptions(environment=outer(**incomplete)))
    with pytest.raises(ContextError, match="SYSTEM_ACCESSTOKEN"):
        session.start()
    assert session.mock is None


def test_the_stand_in_can_be_had_in_a_pipeline_when_it_is_asked_for() -> None:
    options = SessionOptions(context="mock", environment=outer(**AZURE_DEVOPS))
    with OidcSession(options) as session:
        assert not session.is_live
        assert "the-pipelines-own-token" not in session.environment.values()


def test_without_the_relay_the_pipelines_own_url_and_token_are_used() -> None:
    with OidcSession(SessionOptions(relay=False, environment=outer())) as session:
        assert session.mock is not None
        url = session.environment["ARM_OIDC_REQUEST_URL"]
        assert url.startswith("https://dev.azure.com/")
        token = session.environment["ARM_OIDC_REQUEST_TOKEN"]
        assert token == session.mock.issuer.request_tokens["azure-devops"]


@pytest.mark.parametrize("keeps", [True, False])
def test_events_are_told_and_kept_unless_it_runs_for_days(*, keeps: bool) -> None:
    told: list[Event] = []
    with OidcSession(SessionOptions(context="mock", keeps_events=keeps)) as session:
        mark = session.events.mark()
        with session.events.subscribed(told.append):
            session.source.fetch(session.context.audience)
        kept = session.events.since(mark)

    assert IdTokenMinted in map(type, told)
    assert kept == (tuple(told) if keeps else ())
