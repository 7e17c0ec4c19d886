"""The parts that checks are made of: their subject, how tokens expire, and what must hold."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from pytest_tfoidc.checks.allowances import NOTHING, CheckAllowances
from pytest_tfoidc.checks.explaining import explain
from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.diagnostics import few
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.mockazure.onecall import ForcedExpiries, OneCallTokens
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS
from pytest_tfoidc.reporting.summary import ClientExpiries, Evidence
from pytest_tfoidc.session import OidcClock, OidcSession
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.restless import await_later_second, restless_cause
from pytest_tfoidc.terraform.upgrade.plan_diff import Change, change_lines, judge
from pytest_tfoidc.terraform.upgrade.spec import Allowance
from pytest_tfoidc.terraform.upgrade.suite import CHECKS_TABLE, how_to_allow
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
    """The subject of a check. `delay`: between plan and apply; `allowances`: what it tolerates."""

    session: OidcSession
    workspace: Workspace
    clock: OidcClock
    delay: timedelta
    allowances: CheckAllowances = NOTHING

    def require_stand_in(self, why: str) -> None:
        """Skip the check in a live context."""
        if self.session.is_live:
            raise CheckSkipped(f"{why} (context: {self.session.context.label})")


@contextlib.contextmanager
def expiring_tokens(subject: Subject) -> Iterator[OneCallTokens]:
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
def told_who_keeps_tokens(subject: Subject, tokens: OneCallTokens) -> Iterator[None]:
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


def require_expiries(shown: tuple[ForcedExpiries, ...]) -> None:
    """Skip the check where no client came twice: nothing could expire in between."""
    if not any(one.expiries for one in shown):
        called = ", ".join(f"{one.client} called {one.service} once" for one in shown)
        raise CheckSkipped(
            "no access token could be made to expire before the next call: "
            + (called or "nobody called Azure with one")
        )


def shown_expiries(shown: tuple[ForcedExpiries, ...]) -> Evidence:
    """Return who was put to which expiries, where anybody was."""
    require_expiries(shown)
    return Evidence(clients=tuple(ClientExpiries(**asdict(one)) for one in shown))


def expire_everything(subject: Subject) -> None:
    """Let hours pass, and everything expire that was issued before."""
    subject.clock.delay(CLEAN_UP_DELAY)
    subject.clock.expire_id_tokens()
    subject.clock.expire_access_tokens()


def plan_again(workspace: Workspace) -> Plan:
    """Plan after an apply, at another time than it."""
    await_later_second(workspace.configuration, workspace.path)
    return workspace.plan(out="tfplan-after")


def require_empty(subject: Subject, plan: Plan) -> None:
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
    addresses = dict.fromkeys(change.address for change in changes)
    cause = restless_cause(workspace.configuration, tuple(addresses))
    named = few(tuple(addresses))
    return "\n".join(
        [
            f"The plan after the apply is not empty: {named} would change again.",
            *change_lines(changes),
            *([f"Cause: {cause}"] if cause else []),
            HOW_TO_SETTLE,
            how_to_allow(changes),
        ]
    )


def _matches_nothing(allowance: Allowance) -> str:
    return (
        f"The allowance {allowance.pattern!r} ({allowance.reason}) matches nothing: remove it, or"
        " say with `modules` which modules it is for."
    )


def require_clean(
    subject: Subject, used: set[Allowance], *, cause: TerraformError | None = None
) -> None:
    """Require that nothing is found, but for what is no secret; note which allowances that used."""
    allowances = subject.allowances.no_secrets
    left = []
    used_at = subject.session.clock.now() + subject.delay
    for found in subject.workspace.audit(used_at=used_at, with_state=cause is None):
        covering = {allowance for allowance in allowances if allowance.covers(found.name)}
        used |= covering
        if not covering:
            left.append(found)
    if left:
        text = "\n\n".join(credential.message for credential in left)
        names = ", ".join(dict.fromkeys(f'"{credential.name}"' for credential in left))
        hint = (
            f"If it is no secret, say so under [{CHECKS_TABLE}] in pyproject.toml:"
            f" no_secret, {names}."
        )
        said = cause.output.strip() if cause is not None else ""
        parts = [subject.session.redactor.clean(f"{text}\n\n{hint}"), said]
        about = "\n".join(f"{one.file} {one.field}" for one in left)
        raise CheckFailure("\n\n".join(filter(None, parts)), about=about) from cause


def require_used(subject: Subject, used: Collection[Allowance]) -> None:
    """Require that everything that is said to be no secret was found."""
    unused = [one for one in subject.allowances.no_secrets if one not in used]
    if unused:
        raise CheckFailure("\n".join(map(_matches_nothing, unused)))
