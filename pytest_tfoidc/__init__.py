"""Terraform integration tests with ID tokens that refresh, and the proof that they do.

The plugin's parts can be used without pytest; what is named here is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tfoidc.clock import VirtualClock
    from pytest_tfoidc.doctor.repository import examine
    from pytest_tfoidc.errors import TfOidcError
    from pytest_tfoidc.events import EventLog
    from pytest_tfoidc.identity.credential import AsyncRefreshingCredential, RefreshingCredential
    from pytest_tfoidc.identity.environment import arm_environment
    from pytest_tfoidc.identity.pipeline import PipelineContext, detect
    from pytest_tfoidc.identity.relay import IdTokenRelay
    from pytest_tfoidc.identity.sources import source_for
    from pytest_tfoidc.identity.token_file import KeptTokenFile
    from pytest_tfoidc.mockazure.server import MockAzure
    from pytest_tfoidc.rehearsal import RehearsalOptions, rehearse
    from pytest_tfoidc.session import OidcClock, OidcSession, SessionOptions
    from pytest_tfoidc.terraform.audit.audit import audit_path
    from pytest_tfoidc.terraform.backend import Inputs
    from pytest_tfoidc.terraform.plan import Plan, ResourceChange, UnexpectedChangesError
    from pytest_tfoidc.terraform.runner import Completed
    from pytest_tfoidc.terraform.state import State
    from pytest_tfoidc.terraform.values import UNKNOWN, UnknownNameError
    from pytest_tfoidc.terraform.workspace import Workspace

__all__ = [
    "UNKNOWN",
    "AsyncRefreshingCredential",
    "Completed",
    "EventLog",
    "IdTokenRelay",
    "Inputs",
    "KeptTokenFile",
    "MockAzure",
    "OidcClock",
    "OidcSession",
    "PipelineContext",
    "Plan",
    "RefreshingCredential",
    "RehearsalOptions",
    "ResourceChange",
    "SessionOptions",
    "State",
    "TfOidcError",
    "UnexpectedChangesError",
    "UnknownNameError",
    "VirtualClock",
    "Workspace",
    "arm_environment",
    "audit_path",
    "detect",
    "examine",
    "rehearse",
    "source_for",
]

_HOMES = {
    "UNKNOWN": "terraform.values",
    "AsyncRefreshingCredential": "identity.credential",
    "Completed": "terraform.runner",
    "EventLog": "events",
    "IdTokenRelay": "identity.relay",
    "Inputs": "terraform.backend",
    "KeptTokenFile": "identity.token_file",
    "MockAzure": "mockazure.server",
    "OidcClock": "session",
    "OidcSession": "session",
    "PipelineContext": "identity.pipeline",
    "Plan": "terraform.plan",
    "ResourceChange": "terraform.plan",
    "State": "terraform.state",
    "UnexpectedChangesError": "terraform.plan",
    "UnknownNameError": "terraform.values",
    "RefreshingCredential": "identity.credential",
    "RehearsalOptions": "rehearsal",
    "SessionOptions": "session",
    "TfOidcError": "errors",
    "VirtualClock": "clock",
    "Workspace": "terraform.workspace",
    "arm_environment": "identity.environment",
    "audit_path": "terraform.audit.audit",
    "detect": "identity.pipeline",
    "examine": "doctor.repository",
    "rehearse": "rehearsal",
    "source_for": "identity.sources",
}


def __dir__() -> list[str]:
    """List what is public, loaded or not."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    """Load a public name from its room (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
