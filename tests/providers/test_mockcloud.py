from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.session import OidcSession, SessionOptions
from tests.providers.providermirror import lay_out

MODULE = """
terraform {
  required_providers {
    mockcloud = {
      source  = "tfoidc/mockcloud"
      version = "~> %s"
    }
  }
}

resource "mockcloud_group" "this" {
  name     = "rg-test"
  location = "westeurope"
}
"""


def make_session(folder: Path) -> OidcSession:
    environment = {**os.environ, **lay_out(folder)}
    return OidcSession(SessionOptions(context="mock", environment=environment))


def apply_after_an_hour(session: OidcSession, module: Path, *, token: str = "") -> None:
    session.environment = {**session.environment, "MOCKCLOUD_OIDC_TOKEN": token}
    with session.isolated(), session.workspace(module) as workspace:
        workspace.init()
        plan = workspace.plan()
        session.oidc_clock.delay(timedelta(hours=1))
        workspace.apply(plan)
        workspace.destroy()


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_a_version_that_refreshes_survives_an_hour_between_plan_and_apply(
    tmp_path: Path, version: str
) -> None:
    (module := tmp_path / "module").mkdir()
    (module / "main.tf").write_text(MODULE % version)
    with make_session(tmp_path / "providers") as session:
        apply_after_an_hour(session, module)


def test_the_version_that_knows_a_static_token_only_does_not(tmp_path: Path) -> None:
    (module := tmp_path / "module").mkdir()
    (module / "main.tf").write_text(MODULE % "1.0")
    with make_session(tmp_path / "providers") as session:
        token = session.source.fetch(session.context.audience).value
        with pytest.raises(TerraformError, match="apply") as caught:
            apply_after_an_hour(session, module, token=token)
    assert "AADSTS700024" in caught.value.output
