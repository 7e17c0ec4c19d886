"""Each workspace has a state of its own."""

from __future__ import annotations

import os

from pytest_tfoidc.terraform.workspace import Workspace


def test_workspaces_are_apart(tf_module: Workspace) -> None:
    tf_module.init()
    if "TF_WORKSPACE" in os.environ:
        assert tf_module.run("workspace show").stdout.strip() == os.environ["TF_WORKSPACE"]
    for name in ("blue", "green"):
        tf_module.select_workspace(name)
        tf_module.apply()
        assert tf_module.output("workspace") == name
    tf_module.destroy()
    tf_module.select_workspace("blue")
    assert tf_module.output("workspace") == "blue"
    tf_module.destroy()
