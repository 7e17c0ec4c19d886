"""What a Python test of a module looks like: `tf_module` is a copy of the module in this folder."""

from __future__ import annotations

from pytest_tfoidc import OidcClock, Workspace


def test_an_approval_may_take_longer_than_an_id_token_lives(
    tf_module: Workspace, oidc_clock: OidcClock
) -> None:
    tf_module.init()
    plan = tf_module.plan()
    oidc_clock.delay("45m")
    tf_module.apply(plan)

    assert tf_module.output("resource_group")["name"].startswith("rg-")
    assert not tf_module.plan().has_changes
