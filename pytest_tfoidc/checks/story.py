"""One deployment of a module that several checks prove their parts with.

What a check proves stays what it is where it is made alone (`checks.oidc`): the saved plan is
applied after the delay and while access tokens expire, its file and the state are looked through,
and everything has expired before the clean-up. What a deployment that ends badly leaves open is
made alone, so that a failure is about one check and nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import TypeAlias

from pytest_tfoidc.checks.names import SHARED
from pytest_tfoidc.checks.oidc import (
    cached_token_fails,
    delayed_apply,
    destroy_after_expiry,
    expiry_during_apply,
    no_cached_credentials,
)
from pytest_tfoidc.checks.parts import (
    CLEAN_UP_DELAY,
    CheckFailure,
    CheckSkipped,
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
from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.entrafacts import ENTRA_PREFIX
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.mockazure.onecall import ForcedExpiries
from pytest_tfoidc.reporting.summary import Evidence
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.upgrade.spec import Allowance

DELAYED = delayed_apply.__name__
EXPIRY = expiry_during_apply.__name__
CLEAN_UP = destroy_after_expiry.__name__
AUDIT = no_cached_credentials.__name__
CONTROL = cached_token_fails.__name__
LIVE = (DELAYED, AUDIT)  # what a live context can share

Verdict: TypeAlias = "Evidence | CheckFailure | CheckSkipped | TerraformError"


class SharedStory:
    """Deploys a module once, and tells what each check has come to as soon as that is known.

    Args:
        subject: What to work on.
        checks: The checks to make, of `SHARED`; only their parts are made.
    """

    def __init__(self, subject: Subject, checks: Collection[str]) -> None:
        self._subject = subject
        self._checks = frozenset(checks)
        self._verdicts: dict[str, Verdict] = {}
        self._seconds: dict[str, float] = {}
        self._used: set[Allowance] = set()
        self._story = self._tell()
        self.failure: TerraformError | CheckFailure | None = None

    def verdict(self, check: str) -> Verdict | None:
        """Go on until a check is decided; None where it has to be made alone."""
        while check not in self._verdicts and self._goes_on():
            pass
        return self._verdicts.get(check)

    def _goes_on(self) -> bool:
        try:
            check, verdict = next(self._story)
        except StopIteration:
            return False
        except (TerraformError, CheckFailure) as failure:
            self.failure = failure
            return False
        self._verdicts[check] = verdict
        return True

    def seconds(self, check: str) -> float:
        """Return how long a check's own part has taken, in real seconds."""
        return self._seconds.get(check, 0.0)

    @contextlib.contextmanager
    def _part_of(self, *checks: str) -> Iterator[None]:
        """Count the time of a part for the first of these checks that is made."""
        started = real_seconds()
        try:
            yield
        finally:
            made = [check for check in (*checks, *SHARED) if check in self._checks]
            self._seconds[made[0]] = self.seconds(made[0]) + real_seconds() - started

    def _tell(self) -> Iterator[tuple[str, Verdict]]:
        """Tell the story: yield a check's verdict as soon as nothing can change it."""
        subject, workspace = self._subject, self._subject.workspace
        try:
            with self._part_of(DELAYED):
                workspace.init()
                plan = workspace.plan()
        except TerraformError as error:  # all of them begin like this
            yield from ((check, self._refused(check, error)) for check in self._checks)
            return
        yield from self._audited()
        waited = 0.0
        if DELAYED in self._checks:
            with self._part_of(DELAYED):
                waited = subject.clock.delay(subject.delay).total_seconds()
        expiries = self._applied(plan)
        yield from self._audited(is_last=True)
        settled = self._settled()
        if CLEAN_UP not in self._checks:
            self._destroy()
        if DELAYED in self._checks:
            yield DELAYED, settled or Evidence(delay=waited)
        if EXPIRY in self._checks:
            yield EXPIRY, settled or _expiry_verdict(expiries)
        if CLEAN_UP in self._checks:
            with self._part_of(CLEAN_UP):
                expire_everything(subject)
            self._destroy()
            yield CLEAN_UP, Evidence(clean_up=CLEAN_UP_DELAY.total_seconds())

    def _applied(self, plan: Plan) -> tuple[ForcedExpiries, ...]:
        """Apply the plan; while tokens expire, where that is to be shown."""
        subject = self._subject
        with self._part_of(EXPIRY, CLEAN_UP):
            if EXPIRY not in self._checks:
                subject.workspace.apply(plan)
                return ()
            with expiring_tokens(subject) as tokens, told_who_keeps_tokens(subject, tokens):
                subject.workspace.apply(plan)
            return tokens.shown

    def _settled(self) -> CheckFailure | None:
        """Plan again, where a check wants to know whether anything would change."""
        if not self._checks & {DELAYED, EXPIRY}:
            return None
        with self._part_of(DELAYED, EXPIRY):
            plan = plan_again(self._subject.workspace)
            try:
                require_empty(self._subject, plan)
            except CheckFailure as failure:
                return failure
        return None

    def _audited(self, *, is_last: bool = False) -> Iterator[tuple[str, Verdict]]:
        """Look for credentials, where that is asked for and none was found before."""
        if AUDIT not in self._checks or AUDIT in self._verdicts:
            return
        try:
            with self._part_of(AUDIT):
                require_clean(self._subject, self._used)
                if is_last:
                    require_used(self._subject, self._used)
        except CheckFailure as failure:
            yield AUDIT, failure
            return
        if is_last:
            yield AUDIT, Evidence(audited=1)

    def _destroy(self) -> None:
        with self._part_of(CLEAN_UP):
            if self._subject.workspace.is_deployed:
                self._subject.workspace.destroy()

    def _refused(self, check: str, error: TerraformError) -> Verdict:
        """Return what a check comes to whose init or plan fails."""
        if check == AUDIT or ENTRA_PREFIX in error.output:
            try:
                require_clean(self._subject, set(), cause=error)
            except CheckFailure as failure:
                return failure
            except TerraformError:
                pass  # the first error is the one to show
        return error


def _expiry_verdict(shown: tuple[ForcedExpiries, ...]) -> Verdict:
    try:
        return shown_expiries(shown)
    except CheckSkipped as skipped:
        return skipped
