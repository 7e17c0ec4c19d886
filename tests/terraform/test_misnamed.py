"""An argument of a backend block that no backend has is told as `terraform init` tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.backend import Inputs

BLOCK = """\
terraform {
  required_version = ">= 1.0"
  backend "azurerm" {
    storage_account_name = "acct"
    container_name       = "tfstate"
    ARGUMENT
  }
}
"""


@pytest.fixture(scope="module")
def session() -> Iterator[OidcSession]:
    with OidcSession(SessionOptions(context="mock", environment=dict(os.environ))) as session:
        yield session


def init(session: OidcSession, module: Path, name: str, text: str, inputs: Inputs) -> None:
    module.mkdir()
    (module / name).write_text(text, "utf-8")
    with session.workspace(module, inputs=inputs) as workspace:
        workspace.init()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "main.tf",
            BLOCK.replace("ARGUMENT", 'keyy = "a"'),
            'An argument named "keyy" is not expected here; did you mean "key"? (main.tf:6)',
        ),
        (
            "state.tf",
            'terraform {\n  backend "azurerm" { contaner_name = "a" }\n}\n',
            (
                'An argument named "contaner_name" is not expected here; did you mean'
                ' "container_name"? (state.tf:2)'
            ),
        ),
        (
            "main.tf.json",
            '{"terraform": {\n  "backend": {"azurerm": {"resource_group": "a"}}}}',
            'No argument or block type is named "resource_group" (main.tf.json:2)',
        ),
    ],
)
def test_an_argument_that_no_backend_has_is_told(
    session: OidcSession, tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(TerraformError) as raised:
        init(session, tmp_path / "module", name, text, Inputs())
    assert raised.value.what.startswith(told)


@pytest.mark.parametrize(
    ("argument", "inputs"),
    [
        ('key = "a"', Inputs()),
        ('keyy = "a"', Inputs(backend={"key": "b"})),  # Terraform does not tell it either
    ],
)
def test_what_terraform_takes_is_taken(
    session: OidcSession, tmp_path: Path, argument: str, inputs: Inputs
) -> None:
    init(session, tmp_path / "module", "main.tf", BLOCK.replace("ARGUMENT", argument), inputs)
