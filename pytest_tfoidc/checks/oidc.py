"""The built-in checks that the plugin makes for a module under test.

Each drives real Terraform through one story and raises `CheckFailure` where it ends badly.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from datetime import timedelta

from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.checks.parts import (
    CLEAN_UP_DELAY,
    CheckFailure,
    Subject,
    expire_everything,
    expiring_tokens,
    plan_again,
    require_clean,
    require_empty,
    require_used,
    shown_expiries,
    told_who_keeps_tokens,
)
from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.entrafacts import ENTRA_PREFIX, EXPIRED
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.reporting.summary import Evidence
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.upgrade.spec import Allowance
from pytest_tfoidc.terraform.workspace import Workspace

Check = Callable[[Subject], Evidence]


def delayed_apply(subject: Subject) -> Evidence:
    """Init, plan, delay, apply of the saved plan, empty plan after, destroy."""
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        plan = workspace.plan()
        waited = subject.clock.delay(subject.delay)
        workspace.apply(plan)
        require_empty(subject, plan_again(workspace))
    return Evidence(delay=waited.total_seconds())


def expiry_during_apply(subject: Subject) -> Evidence:
    """Let every access token expire while the apply runs; it refreshes and ends well."""
    subject.require_stand_in("only a movable clock makes tokens expire during an apply")
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        plan = workspace.plan()
        with expiring_tokens(subject) as tokens, told_who_keeps_tokens(subject, tokens):
            workspace.apply(plan)
        require_empty(subject, plan_again(workspace))
    return shown_expiries(tokens.shown)


def destroy_after_expiry(subject: Subject) -> Evidence:
    """Prove that clean-up still works when everything that was issued before has expired."""
    subject.require_stand_in("only a movable clock makes everything expire before the clean-up")
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        workspace.apply()
        expire_everything(subject)
    return Evidence(clean_up=CLEAN_UP_DELAY.total_seconds())


def no_cached_credentials(subject: Subject) -> Evidence:
    """Find no token, secret or request token in the plan, backend cache, state or lock file."""
    workspace = subject.workspace
    used: set[Allowance] = set()
    try:
        with _cleaned_up(workspace):
            workspace.init()
            plan = workspace.plan()
            require_clean(subject, used)
            workspace.apply(plan)
            require_clean(subject, used)
    except TerraformError as error:
        with contextlib.suppress(TerraformError):  # the first error is the one to show
            require_clean(subject, used, cause=error)
        raise
    require_used(subject, used)
    return Evidence(audited=1)


def cached_token_fails(subject: Subject) -> Evidence:
    """Make the delayed apply fail with the ID token cached the old way: the negative control."""
    subject.require_stand_in("the control needs a clock that can be moved")
    session, workspace = subject.session, subject.workspace
    token = session.source.fetch(session.context.audience).value
    session.redactor.add(token)
    with _cleaned_up(workspace):
        workspace.init(backend_config={"oidc_token": token})
        plan = workspace.plan()
        subject.clock.delay(subject.delay)
        _require_refusal(workspace, plan, subject.delay)
    return Evidence(controls=1)


def _naming_what_is_cached(check: Check) -> Check:
    """Let a check that Entra refuses tell of the credential that is cached, where one is."""

    @functools.wraps(check)
    def make(subject: Subject) -> Evidence:
        try:
            return check(subject)
        except TerraformError as error:
            if ENTRA_PREFIX in error.output:
                with contextlib.suppress(TerraformError):  # the first error is the one to show
                    require_clean(subject, set(), cause=error)
            raise

    return make


_FUNCTIONS: tuple[Check, ...] = (
    _naming_what_is_cached(delayed_apply),
    _naming_what_is_cached(expiry_during_apply),
    _naming_what_is_cached(destroy_after_expiry),
    no_cached_credentials,
    cached_token_fails,  # it caches one itself
)
_BY_NAME = {check.__name__: check for check in _FUNCTIONS}
MADE: dict[str, Check] = {name: _BY_NAME[name] for name in CHECKS}


def _require_refusal(workspace: Workspace, plan: Plan, delay: timedelta) -> None:
    try:
        with workspace.runner.expecting_refusal():
            workspace.apply(plan)
    except TerraformError as error:
        workspace.is_deployed = False  # it did not get past its backend
        if EXPIRED in error.output:
            return
        raise CheckFailure(
            f"The control failed, but not with {EXPIRED}, so it proves nothing."
            f"\n\n{error.output.strip()}"
        ) from error
    raise CheckFailure(
        "The control did not fail: the ID token that was cached in the plan was still accepted"
        f" {format_duration(delay)} later, so a passing delayed_apply proves nothing.\n"
        "Cause: the issuer or Entra does not check expiry, or the delay is shorter than an ID"
        " token's life.\n"
        "Remedy: let the stand-in check expiry, and use a longer --tf-delay."
    )


@contextlib.contextmanager
def _cleaned_up(workspace: Workspace) -> Iterator[None]:
    """Destroy what was deployed, as a part of the story: if it ends badly, the workspace does."""
    yield
    if workspace.is_deployed:
        workspace.destroy()
