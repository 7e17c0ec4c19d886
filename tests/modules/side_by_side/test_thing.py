"""A test of a user of pytest-terraform."""

from __future__ import annotations

from pytest_terraform import terraform
from pytest_terraform.tf import TerraformState


@terraform("thing")
def test_thing(thing: TerraformState) -> None:
    assert thing.outputs["said"]["value"] == "one"
