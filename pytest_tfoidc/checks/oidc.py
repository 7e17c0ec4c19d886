"""The built-in checks that the plugin makes for a module under test.

Each drives real Terraform through one story and raises `CheckFailure` where it ends badly.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from pytest_tfoidc.checks.allowances import NOTHING, TABLE, CheckAllowances
from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.diagnostics import with_place
from pytest_tfoidc.entrafacts import ENTRA_PREFIX, EXPIRED
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.mockazure.onecall import ForcedExpiries, OneCallTokens
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS
from pytest_tfoidc.reporting.diagnosis import Diagnosis, diagnose
from pytest_tfoidc.reporting.summary import ClientExpiries, Evidence
from pytest_tfoidc.session import OidcClock, OidcSession
from pytest_tfoidc.terraform.live.recording import holder
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.restless import restless_call
from pytest_tfoidc.terraform.upgrade.plan_diff import Change, judge
from pytest_tfoidc.terraform.upgrade.spec import Allowance
from pytest_tfoidc.terraform.workspace import Workspace

CLEAN_UP_DELAY = timedelta(hours=2)
JUMP = 0.4  # of an ID token's life, after each answer to a call with an access token

HOW_TO_SETTLE = (
    "Remedy: let it change only where something has changed (a hash of that, time_rotating,"
    " ignore_changes); or, where it is meant, tolerate it in pyproject.toml:"
)


class CheckFailure(AssertionError):  # noqa: N818 - a test's failure, not an error
    """A check failed. The message says what happened and what to do.

    Args:
        message: The message.
        about: What the failures of other checks have in common with it; empty for the message.
    """

    def __init__(self, message: str, *, about: str = "") -> None:
        super().__init__(message)
        self.about = about


class CheckSkipped(Exception):  # noqa: N818 - an outcome, not an error
    """A check cannot be made honestly here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a check works on. `delay`: between plan and apply; `allowances`: what it tolerates."""

    session: OidcSession
    workspace: Workspace
    clock: OidcClock
    delay: timedelta
    allowances: CheckAllowances = NOTHING

    def require_stand_in(self, why: str) -> None:
        """Skip the check in a live context."""
        if self.session.is_live:
            raise CheckSkipped(f"{why} (context: {self.session.context.label})")


Check = Callable[[Subject], Evidence]


def delayed_apply(subject: Subject) -> Evidence:
    """Init, plan, delay, apply of the saved plan, empty plan after, destroy."""
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        plan = workspace.plan()
        waited = subject.clock.delay(subject.delay)
        workspace.apply(plan)
        _require_empty(subject, workspace.plan(out="tfplan-after"))
    return Evidence(delay=waited.total_seconds())


def expiry_during_apply(subject: Subject) -> Evidence:
    """Every access token expires while the apply runs; it refreshes and ends well."""
    subject.require_stand_in("only a movable clock makes tokens expire during an apply")
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        plan = workspace.plan()
        with _expiring_tokens(subject) as tokens, _told_who_keeps_tokens(subject, tokens):
            workspace.apply(plan)
        _require_empty(subject, workspace.plan(out="tfplan-after"))
    _require_expiries(tokens.shown)
    return Evidence(clients=tuple(ClientExpiries(**asdict(one)) for one in tokens.shown))


def destroy_after_expiry(subject: Subject) -> Evidence:
    """Clean-up still works when everything that was issued before has expired."""
    subject.require_stand_in("only a movable clock makes everything expire before the clean-up")
    workspace = subject.workspace
    with _cleaned_up(workspace):
        workspace.init()
        workspace.apply()
        subject.clock.delay(CLEAN_UP_DELAY)
        subject.clock.expire_id_tokens()
        subject.clock.expire_access_tokens()
    return Evidence(clean_up=CLEAN_UP_DELAY.total_seconds())


def no_cached_credentials(subject: Subject) -> Evidence:
    """No token, secret or request token in the plan, the backend cache, the state or the lock."""
    workspace = subject.workspace
    used: set[Allowance] = set()
    try:
        with _cleaned_up(workspace):
            workspace.init()
            plan = workspace.plan()
            _require_clean(subject, used)
            workspace.apply(plan)
            _require_clean(subject, used)
    except TerraformError as error:
        with contextlib.suppress(TerraformError):  # the first error is the one to show
            _require_clean(subject, used, cause=error)
        raise
    unused = [one for one in subject.allowances.no_secrets if one not in used]
    if unused:
        raise CheckFailure("\n".join(map(_matches_nothing, unused)))
    return Evidence(audited=1)


def cached_token_fails(subject: Subject) -> Evidence:
    """The negative control: with the ID token cached the old way, the delayed apply must fail."""
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
                    _require_clean(subject, set(), cause=error)
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


@contextlib.contextmanager
def _expiring_tokens(subject: Subject) -> Iterator[OneCallTokens]:
    """Let every access token expire as soon as the call is answered that it was asked for."""
    session = subject.session
    mock = session.mock
    assert mock is not None  # noqa: S101 - for mypy: the check was skipped otherwise
    length = mock.issuer.lifetime * JUMP
    # what was issued before the apply is of no use in it
    subject.clock.advance(mock.issuer.lifetime, reason="expiry before the apply")

    def jump() -> None:  # in the stand-in's loop: one call at a time
        subject.clock.advance(length, reason="expiry during apply")

    with contextlib.ExitStack() as stack:
        if session.relay is not None:
            stack.enter_context(session.relay.not_sharing())
        yield stack.enter_context(mock.access_tokens.serving_one_call(jump))


@contextlib.contextmanager
def _told_who_keeps_tokens(subject: Subject, tokens: OneCallTokens) -> Iterator[None]:
    """Say who came back with an expired access token, where the apply has failed of it."""
    try:
        yield
    except TerraformError as error:
        kept = [one for one in tokens.shown if one.refused]
        if not kept:
            raise
        lines = [
            f"{one.client} came to {one.service} with an access token that had expired after its"
            f" last call: {one.refused} of {one.calls} calls."
            for one in kept
        ]
        lines += [
            (
                "Cause: it keeps access tokens for longer than it is told that they live"
                f" ({format_duration(RENEW_ALWAYS)} during this check)."
            ),
            (
                "Remedy: use a version that renews them. In life, its calls are refused as soon as"
                " an apply takes longer than an access token lives, which is about an hour."
            ),
        ]
        raise CheckFailure("\n".join([*lines, "", explain(error, subject.session)])) from error


def _require_expiries(shown: tuple[ForcedExpiries, ...]) -> None:
    if not any(one.expiries for one in shown):
        called = ", ".join(f"{one.client} called {one.service} once" for one in shown)
        raise CheckSkipped(
            "no access token could be made to expire before the next call: "
            + (called or "nobody called Azure with one")
        )


def _require_empty(subject: Subject, plan: Plan) -> None:
    """Require that nothing changes after an apply, but for what is tolerated."""
    workspace = subject.workspace
    changes = workspace.changes(plan) if plan.has_changes else ()
    judgement = judge(changes, subject.allowances.changes)
    if judgement.is_clean:
        return
    lines = [f"{_matches_nothing(allowance)}" for allowance in judgement.unmatched]
    if judgement.changes:
        lines = [_not_empty(workspace, judgement.changes), *lines]
    raise CheckFailure(subject.session.redactor.clean("\n".join(lines)))


def _not_empty(workspace: Workspace, changes: Sequence[Change]) -> str:
    names = list(dict.fromkeys(change.name for change in changes))
    addresses = dict.fromkeys(change.address for change in changes)
    calls = {address: restless_call(workspace.configuration, address) for address in addresses}
    causes = [f"{address} is set by {call}" for address, call in calls.items() if call]
    match = json.dumps(names[0], ensure_ascii=False)
    return "\n".join(
        [
            f"The plan after the apply is not empty: {', '.join(addresses)} would change again.",
            *map(str, changes),
            *([f"Cause: {'; '.join(causes)}, another value each time."] if causes else []),
            HOW_TO_SETTLE,
            f"  [{TABLE}]",
            f'  allow = [{{ match = {match}, reason = "…" }}]',
        ]
    )


def _matches_nothing(allowance: Allowance) -> str:
    return (
        f"The allowance {allowance.pattern!r} ({allowance.reason}) matches nothing: remove it, or"
        " say with `modules` which modules it is for."
    )


def _require_clean(
    subject: Subject, used: set[Allowance], *, cause: TerraformError | None = None
) -> None:
    """Require that nothing is found, but for what is no secret; note which allowances that used."""
    allowances = subject.allowances.no_secrets
    left = []
    for found in subject.workspace.audit(used_at=subject.session.clock.now() + subject.delay):
        covering = {allowance for allowance in allowances if allowance.covers(found.name)}
        used |= covering
        if not covering:
            left.append(found)
    if left:
        text = "\n\n".join(credential.message for credential in left)
        names = ", ".join(dict.fromkeys(f'"{credential.name}"' for credential in left))
        hint = f"If it is no secret, say so under [{TABLE}] in pyproject.toml: no_secret, {names}."
        said = cause.output.strip() if cause is not None else ""
        parts = [subject.session.redactor.clean(f"{text}\n\n{hint}"), said]
        about = "\n".join(f"{one.file} {one.field}" for one in left)
        raise CheckFailure("\n\n".join(filter(None, parts)), about=about) from cause


def explain(error: TerraformError, session: OidcSession) -> str:
    """Write a failed command for people: what, why, the remedy and where; then Terraform's words.

    The first line stands for all of them, in pytest's summary as well.
    """
    told = explanation(error, session)
    parts = ["\n".join(part for part in told if part), error.output.strip()]
    if error.log.strip():
        parts.append(f"The end of the log:\n{error.log.strip()}")
    return "\n\n".join(part for part in parts if part)


def explanation(error: TerraformError, session: OidcSession) -> tuple[str, str, str]:
    """Return what is wrong in one line; why, with the remedy; and where."""
    where = f"Where: {error.where}" if error.where else ""
    if error.cause or error.remedy:
        labelled = (("Cause", error.cause), ("Remedy", error.remedy))
        why = "\n".join(f"{label}: {text}" for label, text in labelled if text)
        return error.what, why, where
    place, found = _diagnosed(error, session.executable.release)
    if found is None or found.is_plain:
        return error.what, str(found or ""), where
    if not error.diagnostics:
        where = f"{where}: {error.what}".removeprefix(": ")
    return with_place(found.headline, place), str(found), where


def _diagnosed(
    error: TerraformError, release: tuple[int, int, int]
) -> tuple[str, Diagnosis | None]:
    """Return the first of Terraform's errors that is known: its place, and what it means."""
    us = holder()
    whose = f"{us['user']}@{us['host']}"
    for one in error.diagnostics:
        found = diagnose(one.text, release=release, holder=whose)
        if found is not None:
            return one.place, found
    return "", diagnose(error.output, release=release, holder=whose)
