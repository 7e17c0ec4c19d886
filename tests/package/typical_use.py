"""Typical use: what users write with fixtures and objects, for type checkers. It is not run.

mypy --strict reads it with everything else; basedpyright, which is pyright, and pyrefly in the
linters' run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import assert_type

from pytest_tfoidc import (
    UNKNOWN,
    AccessTokenIssued,
    AsyncRefreshingCredential,
    CachedCredential,
    Changes,
    Check,
    Completed,
    Event,
    EventLog,
    MockAzure,
    Named,
    OidcClock,
    OidcSession,
    PipelineContext,
    Plan,
    RecordedEvents,
    RefreshingCredential,
    RehearsalOptions,
    Report,
    Resource,
    ResourceChange,
    SessionOptions,
    StackFactory,
    StalePlanError,
    State,
    TerraformError,
    TfOidcError,
    UnexpectedChangesError,
    UpgradeFactory,
    Workspace,
    WorkspaceFactory,
    audit_path,
    detect,
    examine,
    rehearse,
)


def test_a_plan(tf_module: Workspace, oidc_clock: OidcClock) -> None:
    tf_module.init()
    plan = tf_module.plan(variables={"env": "prod", "zones": ["a", None], "tags": {"a": 1}})
    assert_type(plan, Plan)
    assert_type(plan.has_changes, bool)
    assert_type(plan.creates, Changes)
    change = plan.changes['azurerm_subnet.this["a"]']
    assert_type(change, ResourceChange)
    assert_type(change.action, str)
    assert_type(change.replaces, bool)
    assert change.after["id"] is UNKNOWN
    assert_type(plan.resources, Named[Resource])
    assert_type(plan.checks["check.health"], Check)
    assert_type(plan.changes.where(lambda one: one.type == "azurerm_subnet"), Named[ResourceChange])
    assert_type(oidc_clock.delay("45m"), timedelta)
    assert_type(tf_module.apply(plan), Completed)
    assert_type(tf_module.plan(refresh_only=True).drift, Changes)
    tf_module.assert_no_changes()


def test_a_state(tf_deployed: Workspace) -> None:
    state = tf_deployed.state()
    assert_type(state, State)
    assert_type(state["azurerm_resource_group.this"].values["location"], Any)
    assert_type(len(state), int)
    assert_type(list(state), list[str])
    assert_type(str(state), str)
    assert tf_deployed.output("id") == tf_deployed.evaluate("local.id")
    assert_type(tf_deployed.audit(), tuple[CachedCredential, ...])


def test_workspaces(
    tf_workspace: WorkspaceFactory, tf_stack: StackFactory, tf_upgrade: UpgradeFactory
) -> None:
    workspace = tf_workspace(
        Path("app"), variables={"env": "dev"}, environment={"TF_LOG": None, "A": "b"}
    )
    assert_type(workspace, Workspace)
    with workspace.deployed(variables={"env": "test"}) as deployed:
        assert_type(deployed, Workspace)
    stack = tf_stack(["network", "app"], variables={"network": {"env": "test"}})
    assert_type(stack["app"], Workspace)
    with tf_upgrade("hashicorp/azurerm", "4.16.0", "5.2.0") as step:
        step.before.apply()
        step.check()
        step.upgrade()
        assert step.plan().changes == []


def test_events(oidc_events: RecordedEvents) -> None:
    assert_type(len(oidc_events), int)
    assert_type(oidc_events[0], Event)
    assert_type(oidc_events[-2:], tuple[Event, ...])
    issued = oidc_events.of(AccessTokenIssued)
    assert_type(issued, tuple[AccessTokenIssued, ...])
    assert_type(issued[0].id_token_age, timedelta)


def test_errors(tf_module: Workspace) -> None:
    plan = tf_module.plan()
    with pytest.raises(StalePlanError) as stale:
        tf_module.apply(plan)
    assert_type(stale.value.exit_code, "int | None")
    with pytest.raises(TerraformError, match="AADSTS700024") as failed:
        tf_module.apply()
    assert_type(failed.value.diagnostics[0].address, str)
    with pytest.raises(UnexpectedChangesError):
        tf_module.assert_no_changes()


def test_azure(
    oidc_credential: RefreshingCredential,
    oidc_context: PipelineContext,
    arm_env: Mapping[str, str],
    mock_issuer: MockAzure,
) -> None:
    assert_type(oidc_context.subscription, str)
    assert_type(oidc_credential.get_token("https://management.azure.com/.default").token, str)
    assert_type(arm_env["ARM_CLIENT_ID"], str)
    mock_issuer.fail("entra", times=2, status=503)
    AsyncRefreshingCredential(oidc_credential)


def without_pytest() -> None:
    with OidcSession(SessionOptions(context="mock", timeout=60.0)) as session:
        assert_type(session.events, EventLog)
        assert_type(session.context, PipelineContext)
    with rehearse(RehearsalOptions(pipeline="azure-devops")) as environment:
        assert_type(environment["SYSTEM_OIDCREQUESTURI"], str)
        assert_type(detect(environment), "PipelineContext | None")
        assert_type(examine(Path(), environment=environment), Report)
    try:
        audit_path(Path("tfplan"))
    except TfOidcError as error:
        assert_type(error.remedy, str)
