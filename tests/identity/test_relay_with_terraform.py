from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.identity.environment import arm_environment
from pytest_tfoidc.identity.relay import IdTokenRelay
from tests.identity.identity_kit import ManualClock, ScriptedSource, make_context

TERRAFORM = shutil.which("terraform") or ""
MODULE = """
terraform {
  backend "azurerm" {
    storage_account_name = "account"
    container_name       = "container"
    key                  = "key"
    use_azuread_auth     = true
  }
}
"""


@pytest.mark.skipif(not TERRAFORM, reason="needs terraform on PATH")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("azure-devops", "adoPipelineAssertion: received HTTP status 424"),
        ("github", "githubAssertion: received HTTP status 424"),
    ],
)
def test_the_azurerm_backend_shows_why_there_is_no_token_and_does_not_ask_again(
    tmp_path: Path, kind: str, words: str
) -> None:
    (tmp_path / "main.tf").write_text(MODULE)
    clock, context = ManualClock(), make_context(kind)
    source = ScriptedSource(clock)
    source.failure = IdTokenError("The pipeline is out.", remedy="Have some tea.")
    with IdTokenRelay(
        source=source,
        clock=clock,
        events=EventLog(),
        service_connection_id=context.service_connection_id,
        audience=DEFAULT_AUDIENCE,
    ) as relay:
        outer = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
        environment = arm_environment(
            context, outer=outer, request_url=relay.url, request_token=relay.bearer
        )
        done = subprocess.run(
            [TERRAFORM, "init", "-no-color", "-input=false"],
            cwd=tmp_path,
            env=dict(environment.variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Have some tea" in done.stderr
    assert len(source.asked) == 1
