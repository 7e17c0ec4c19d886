"""Terraform integration tests with ID tokens that refresh, and the proof that they do.

A test of a module, run with `pytest --tf-module PATH`, or by itself where it lies in the module:

    from pytest_tfoidc import OidcClock, Workspace


    def test_an_approval_may_take_its_time(tf_module: Workspace, oidc_clock: OidcClock) -> None:
        tf_module.init()
        plan = tf_module.plan(variables={"env": "prod"})
        assert plan.changes["azurerm_subnet.this"].action == "create"
        oidc_clock.delay("45m")
        tf_module.apply(plan)
        assert tf_module.output("env") == "prod"
        tf_module.assert_no_changes()

Fixtures, and the types that tests annotate them with:

    tf_module, tf_deployed    Workspace
    tf_workspace              WorkspaceFactory: makes workspaces of any folder
    tf_stack                  StackFactory: deploys several folders in order
    tf_upgrade                UpgradeFactory: makes an UpgradeStep, whose plan is a Comparison
    oidc_clock                OidcClock
    oidc_events               RecordedEvents
    oidc_context              PipelineContext
    oidc_credential           RefreshingCredential (AsyncRefreshingCredential wraps it)
    arm_env                   Mapping[str, str]
    mock_issuer               MockAzure

What Terraform says, as objects:

    Plan                      changes, creates, updates, deletes, outputs, resources, checks
    Changes                   ResourceChange by address; Named is any mapping that names the nearest
    OutputChange, Check       of a plan
    State                     Resource by address; outputs
    UNKNOWN                   a value that is known after the apply only; its class is Unknown
    Completed                 a command that ended

Errors have four parts: what happened, where, the cause, the remedy. All are TfOidcError:

    UsageError                an option or a setting; UpgradeError, SubscriptionError,
                              LiveClockError, LiveStateError and ForeignStateError are such
    ContextError, IdTokenError, AuthenticationError
                              the environment, the pipeline, Entra
    ExecutableError, ModuleError, HclError, PlanError
                              Terraform itself, the module, its files, a saved plan
    TerraformError            a command failed: exit_code, output, and each Diagnostic;
                              TerraformTimeoutError and StalePlanError are such
    UnknownNameError          no such address, output or variable; a KeyError as well
    DeadlineError, LedgerError, ForeignResourceError
                              live runs only

`UnexpectedChangesError`, of `assert_no_changes`, is an AssertionError and has the plan.

Events, each a frozen Event with its moment `at`; `oidc_events.of(AccessTokenIssued)`:

    tokens                    IdTokenMinted, IdTokenRefused, IdTokenFetched, IdTokenFetchFailed,
                              IdTokenServed, RequestTokenExpiring, AccessTokenIssued,
                              ExchangeRefused, AccessTokenRefused, TokensExpired
    requests                  RequestAnswered, HostRefused, HostPassedThrough, FaultHit
    commands                  CommandStarted, CommandFinished, StepPlanned, StepStarted,
                              StepFinished
    modules                   ModuleCopied, ProtectionLifted, CheckBlockFailed, CredentialFound,
                              VariableWithheld
    the run                   ClockMoved, ItemStarted, ItemFinished, RunDescribed

Without pytest, the same as context managers and plain objects:

    with OidcSession(SessionOptions()) as session: ...
                              a whole run; EventLog keeps its events, VirtualClock its time,
                              Inputs are what a module is given
    detect, source_for        the PipelineContext of an environment, and its IdTokenSource
    IdTokenRelay, KeptTokenFile
                              ID tokens for other programs
    arm_environment           the ready environment, an ArmEnvironment
    rehearse                  the environment of a pipeline's step, by RehearsalOptions
    examine                   the doctor: a Report with each Finding
    audit_path                looks for credentials: each is a CachedCredential

What is named here is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tfoidc.clock import VirtualClock
    from pytest_tfoidc.diagnostics import Diagnostic
    from pytest_tfoidc.doctor.findings import Finding
    from pytest_tfoidc.doctor.repository import Report, examine
    from pytest_tfoidc.errors import (
        AuthenticationError,
        ContextError,
        ExecutableError,
        IdTokenError,
        ModuleError,
        PlanError,
        StalePlanError,
        TerraformError,
        TerraformTimeoutError,
        TfOidcError,
        UsageError,
    )
    from pytest_tfoidc.events import (
        AccessTokenIssued,
        AccessTokenRefused,
        CheckBlockFailed,
        ClockMoved,
        CommandFinished,
        CommandStarted,
        CredentialFound,
        Event,
        EventLog,
        ExchangeRefused,
        FaultHit,
        HostPassedThrough,
        HostRefused,
        IdTokenFetched,
        IdTokenFetchFailed,
        IdTokenMinted,
        IdTokenRefused,
        IdTokenServed,
        ItemFinished,
        ItemStarted,
        ModuleCopied,
        ProtectionLifted,
        RequestAnswered,
        RequestTokenExpiring,
        RunDescribed,
        StepFinished,
        StepPlanned,
        StepStarted,
        TokensExpired,
        VariableWithheld,
    )
    from pytest_tfoidc.identity.credential import AsyncRefreshingCredential, RefreshingCredential
    from pytest_tfoidc.identity.environment import ArmEnvironment, arm_environment
    from pytest_tfoidc.identity.pipeline import PipelineContext, detect
    from pytest_tfoidc.identity.relay import IdTokenRelay
    from pytest_tfoidc.identity.sources import IdTokenSource, source_for
    from pytest_tfoidc.identity.token_file import KeptTokenFile
    from pytest_tfoidc.mockazure.server import MockAzure
    from pytest_tfoidc.plugin.fixtures import RecordedEvents, StackFactory, WorkspaceFactory
    from pytest_tfoidc.plugin.upgrades import UpgradeFactory
    from pytest_tfoidc.rehearsal import RehearsalOptions, rehearse
    from pytest_tfoidc.session import LiveClockError, OidcClock, OidcSession, SessionOptions
    from pytest_tfoidc.terraform.audit.audit import CachedCredential, audit_path
    from pytest_tfoidc.terraform.backend import Inputs
    from pytest_tfoidc.terraform.hcl.body import HclError
    from pytest_tfoidc.terraform.live.deadlines import DeadlineError
    from pytest_tfoidc.terraform.live.ledger import LedgerError
    from pytest_tfoidc.terraform.live.scope import SubscriptionError
    from pytest_tfoidc.terraform.live.state import (
        ForeignResourceError,
        ForeignStateError,
        LiveStateError,
    )
    from pytest_tfoidc.terraform.plan import (
        Changes,
        Check,
        OutputChange,
        Plan,
        ResourceChange,
        UnexpectedChangesError,
    )
    from pytest_tfoidc.terraform.runner import Completed
    from pytest_tfoidc.terraform.state import State
    from pytest_tfoidc.terraform.upgrade.provider_store import UpgradeError
    from pytest_tfoidc.terraform.upgrade.step import Comparison, UpgradeStep
    from pytest_tfoidc.terraform.values import UNKNOWN, Named, Resource, Unknown, UnknownNameError
    from pytest_tfoidc.terraform.workspace import Workspace

__all__ = [
    "UNKNOWN",
    "AccessTokenIssued",
    "AccessTokenRefused",
    "ArmEnvironment",
    "AsyncRefreshingCredential",
    "AuthenticationError",
    "CachedCredential",
    "Changes",
    "Check",
    "CheckBlockFailed",
    "ClockMoved",
    "CommandFinished",
    "CommandStarted",
    "Comparison",
    "Completed",
    "ContextError",
    "CredentialFound",
    "DeadlineError",
    "Diagnostic",
    "Event",
    "EventLog",
    "ExchangeRefused",
    "ExecutableError",
    "FaultHit",
    "Finding",
    "ForeignResourceError",
    "ForeignStateError",
    "HclError",
    "HostPassedThrough",
    "HostRefused",
    "IdTokenError",
    "IdTokenFetchFailed",
    "IdTokenFetched",
    "IdTokenMinted",
    "IdTokenRefused",
    "IdTokenRelay",
    "IdTokenServed",
    "IdTokenSource",
    "Inputs",
    "ItemFinished",
    "ItemStarted",
    "KeptTokenFile",
    "LedgerError",
    "LiveClockError",
    "LiveStateError",
    "MockAzure",
    "ModuleCopied",
    "ModuleError",
    "Named",
    "OidcClock",
    "OidcSession",
    "OutputChange",
    "PipelineContext",
    "Plan",
    "PlanError",
    "ProtectionLifted",
    "RecordedEvents",
    "RefreshingCredential",
    "RehearsalOptions",
    "Report",
    "RequestAnswered",
    "RequestTokenExpiring",
    "Resource",
    "ResourceChange",
    "RunDescribed",
    "SessionOptions",
    "StackFactory",
    "StalePlanError",
    "State",
    "StepFinished",
    "StepPlanned",
    "StepStarted",
    "SubscriptionError",
    "TerraformError",
    "TerraformTimeoutError",
    "TfOidcError",
    "TokensExpired",
    "UnexpectedChangesError",
    "Unknown",
    "UnknownNameError",
    "UpgradeError",
    "UpgradeFactory",
    "UpgradeStep",
    "UsageError",
    "VariableWithheld",
    "VirtualClock",
    "Workspace",
    "WorkspaceFactory",
    "arm_environment",
    "audit_path",
    "detect",
    "examine",
    "rehearse",
    "source_for",
]

_ROOMS = {
    "clock": ("VirtualClock",),
    "diagnostics": ("Diagnostic",),
    "doctor.findings": ("Finding",),
    "doctor.repository": (
        "Report",
        "examine",
    ),
    "errors": (
        "AuthenticationError",
        "ContextError",
        "ExecutableError",
        "IdTokenError",
        "ModuleError",
        "PlanError",
        "StalePlanError",
        "TerraformError",
        "TerraformTimeoutError",
        "TfOidcError",
        "UsageError",
    ),
    "events": (
        "AccessTokenIssued",
        "AccessTokenRefused",
        "CheckBlockFailed",
        "ClockMoved",
        "CommandFinished",
        "CommandStarted",
        "CredentialFound",
        "Event",
        "EventLog",
        "ExchangeRefused",
        "FaultHit",
        "HostPassedThrough",
        "HostRefused",
        "IdTokenFetchFailed",
        "IdTokenFetched",
        "IdTokenMinted",
        "IdTokenRefused",
        "IdTokenServed",
        "ItemFinished",
        "ItemStarted",
        "ModuleCopied",
        "ProtectionLifted",
        "RequestAnswered",
        "RequestTokenExpiring",
        "RunDescribed",
        "StepFinished",
        "StepPlanned",
        "StepStarted",
        "TokensExpired",
        "VariableWithheld",
    ),
    "identity.credential": (
        "AsyncRefreshingCredential",
        "RefreshingCredential",
    ),
    "identity.environment": (
        "ArmEnvironment",
        "arm_environment",
    ),
    "identity.pipeline": (
        "PipelineContext",
        "detect",
    ),
    "identity.relay": ("IdTokenRelay",),
    "identity.sources": (
        "IdTokenSource",
        "source_for",
    ),
    "identity.token_file": ("KeptTokenFile",),
    "mockazure.server": ("MockAzure",),
    "plugin.fixtures": (
        "RecordedEvents",
        "StackFactory",
        "WorkspaceFactory",
    ),
    "plugin.upgrades": ("UpgradeFactory",),
    "rehearsal": (
        "RehearsalOptions",
        "rehearse",
    ),
    "session": (
        "LiveClockError",
        "OidcClock",
        "OidcSession",
        "SessionOptions",
    ),
    "terraform.audit.audit": (
        "CachedCredential",
        "audit_path",
    ),
    "terraform.backend": ("Inputs",),
    "terraform.hcl.body": ("HclError",),
    "terraform.live.deadlines": ("DeadlineError",),
    "terraform.live.ledger": ("LedgerError",),
    "terraform.live.scope": ("SubscriptionError",),
    "terraform.live.state": (
        "ForeignResourceError",
        "ForeignStateError",
        "LiveStateError",
    ),
    "terraform.plan": (
        "Changes",
        "Check",
        "OutputChange",
        "Plan",
        "ResourceChange",
        "UnexpectedChangesError",
    ),
    "terraform.runner": ("Completed",),
    "terraform.state": ("State",),
    "terraform.upgrade.provider_store": ("UpgradeError",),
    "terraform.upgrade.step": (
        "Comparison",
        "UpgradeStep",
    ),
    "terraform.values": (
        "Named",
        "Resource",
        "UNKNOWN",
        "Unknown",
        "UnknownNameError",
    ),
    "terraform.workspace": ("Workspace",),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Load a public name from its room (PEP 562).

    `dir` tells only what is loaded: freezegun asks for all that it tells, at the first jump.
    """
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=importlib.import_module(__name__))
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
