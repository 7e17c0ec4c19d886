"""A test of a user of ours."""

from __future__ import annotations

from pytest_tfoidc.terraform.workspace import Workspace


def test_there_is_something_to_do(tf_module: Workspace) -> None:
    tf_module.init()
    assert tf_module.plan().has_changes
