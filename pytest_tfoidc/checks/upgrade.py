"""The built-in item for an upgrade step: from FROM to TO, the checks under TO, and clean-up."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta

from pytest_tfoidc.checks.allowances import NOTHING, CheckAllowances
from pytest_tfoidc.checks.explaining import explain
from pytest_tfoidc.checks.oidc import MADE
from pytest_tfoidc.checks.parts import CheckFailure, CheckSkipped, Subject
from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.reporting.summary import Evidence
from pytest_tfoidc.reporting.upgradetable import UpgradeRow
from pytest_tfoidc.session import OidcSession
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.executable import OPENTOFU
from pytest_tfoidc.terraform.module import has_test_files
from pytest_tfoidc.terraform.upgrade.floors import floor_note
from pytest_tfoidc.terraform.upgrade.plan_diff import WARNING, Judgement, change_lines
from pytest_tfoidc.terraform.upgrade.spec import TERRAFORM, Step
from pytest_tfoidc.terraform.upgrade.step import Comparison, Side, UpgradeStep
from pytest_tfoidc.terraform.versions import parse_version
from pytest_tfoidc.terraform.workspace import Workspace

TEST_DIRECTORY = "tests"  # Terraform's own default
HOW_TO_ALLOW = (
    "Remedy: change the module so that it plans empty under TO, or tolerate what is meant, with a"
    " reason, under [tool.pytest_tfoidc.upgrades] in pyproject.toml."
)


class UpgradeFailure(CheckFailure):
    """The module does not survive the step. The message lists what would change."""


class UpgradeStory:
    """Makes one step in one module.

    Args:
        session: The run.
        workspace: A fresh workspace of the module.
        inputs: Variables and backend configuration.
        step: What moves.
        name: The module's name, for the table.
        checks: The checks to make under TO.
        delay: The delay between plan and apply of the checks.
        test_directory: The folder of the module's test files.
        allowances: What the checks tolerate.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        *,
        session: OidcSession,
        workspace: Workspace,
        inputs: Inputs,
        step: Step,
        name: str,
        checks: Sequence[str],
        delay: timedelta,
        test_directory: str = TEST_DIRECTORY,
        allowances: CheckAllowances = NOTHING,
    ) -> None:
        self.row = UpgradeRow(module=name, step=step.name)
        self.notes: list[str] = []
        self.evidence = Evidence()
        self._session = session
        self._workspace = workspace
        self._inputs = inputs
        self._checks = checks
        self._delay = delay
        self._test_directory = test_directory
        self._allowances = allowances
        self._upgrade = UpgradeStep(workspace, step, always=allowances.changes)

    def run(self) -> None:
        """Make the step.

        Raises:
            CheckFailure: The module does not survive it.
            TfOidcError: It could not be made at all.
        """
        upgrade, workspace = self._upgrade, self._workspace
        try:
            upgrade.start()
            workspace.apply()
            upgrade.check()
            upgrade.upgrade()
            self._note_floors()
            self._compare()
            self._destroy()
        except BaseException:
            if not self._session.is_put_back:
                with contextlib.suppress(TerraformError):  # the first error is the one to show
                    self._clean_up()
            raise
        self._check_oidc()
        self.row = dataclasses.replace(self.row, outcome="passed")

    def _compare(self) -> None:
        upgrade = self._upgrade
        comparison = upgrade.plan()
        self._count(comparison.judgement)
        if comparison.plan is not None:
            self.row = dataclasses.replace(self.row, has_changes=comparison.plan.has_changes)
        self.notes += map(str, comparison.state_upgrades)
        if not comparison.judgement.is_clean or comparison.plan is None:
            raise UpgradeFailure(self._redacted(self._tell(comparison)))
        self._workspace.apply(comparison.plan)
        after = self._workspace.plan(out="tfplan-settled")
        if upgrade.lasting(after):
            raise UpgradeFailure(
                f"Under {upgrade.describe(upgrade.new)} the plan is not empty after an apply: the"
                " differences that were tolerated come back each time."
            )

    def _count(self, judgement: Judgement) -> None:
        left = judgement.changes
        new = sum(change.kind == WARNING for change in left)
        tolerated = len({change for change, _ in judgement.tolerated})
        changes = f"{len(left) - new}" + (f" ({tolerated} tolerated)" if tolerated else "")
        self.row = dataclasses.replace(self.row, changes=changes, warnings=str(new))

    def _tell(self, comparison: Comparison) -> str:
        upgrade, judgement = self._upgrade, comparison.judgement
        old, new = upgrade.describe(upgrade.old), upgrade.describe(upgrade.new)
        lines = [f"{new} would not leave alone what {old} has made."] if judgement.changes else []
        lines += change_lines(judgement.changes)
        lines += [
            f"The allowance {allowance.pattern!r} ({allowance.reason}) matches nothing: remove it."
            for allowance in judgement.unmatched
        ]
        if judgement.tolerated:
            lines += ["Tolerated:"]
            lines += [f"{change} ({allowance.reason})" for change, allowance in judgement.tolerated]
        lines += [f"Note: {note}." for note in self.notes]
        if comparison.state_upgrades and upgrade.snapshot is not None:
            lines.append(f"The state before it: {upgrade.snapshot} (kept with --tf-keep).")
        lines += [self._reverse()] if comparison.plan is None else []
        return "\n".join([*lines, *([HOW_TO_ALLOW] if judgement.changes else [])])

    def _reverse(self) -> str:
        """Say whether FROM can still destroy what it has made, where TO refuses."""
        old = self._upgrade.describe(self._upgrade.old)
        try:
            self._clean_up()
        except TerraformError as error:
            return f"{old} cannot destroy it any more:\n{error.output.strip()}"
        return f"{old} can still destroy what it has made, and did."

    def _destroy(self) -> None:
        """Destroy under TO."""
        try:
            self._workspace.destroy()
        except TerraformError as error:
            upgrade = self._upgrade
            text = f"{upgrade.describe(upgrade.new)} cannot destroy what was made before it."
            said = explain(error, self._session)
            raise UpgradeFailure(f"{text}\n{self._reverse()}\n\n{said}") from error

    def _clean_up(self) -> None:
        """Destroy what is left, under FROM where TO refuses or has not been reached."""
        workspace, upgrade = self._workspace, self._upgrade
        if not workspace.is_deployed:
            return
        if upgrade.new is not None:
            with contextlib.suppress(TerraformError):
                workspace.destroy()
                return
        if upgrade.snapshot is not None:
            upgrade.back()
        workspace.destroy()

    def _check_oidc(self) -> None:
        made = sum(map(self._check, self._checks))
        skipped = len(self._checks) - made
        runs = self._run_blocks()
        text = f"{made} check{'' if made == 1 else 's'}" + (
            f", {skipped} skipped" if skipped else ""
        )
        self.row = dataclasses.replace(self.row, oidc=text + (", run blocks" if runs else ""))

    def _check(self, name: str) -> bool:
        """Make a check; tell whether it could be made here."""
        with self._session.isolated(), self._fresh(name) as workspace:
            subject = Subject(
                session=self._session,
                workspace=workspace,
                clock=self._session.oidc_clock,
                delay=self._delay,
                allowances=self._allowances,
            )
            try:
                self.evidence += MADE[name](subject)
            except CheckSkipped as reason:
                self.notes.append(f"oidc::{name} was skipped: {reason}")
                return False
            except (CheckFailure, TerraformError) as error:
                raise self._under(f"oidc::{name}", error) from error
        return True

    def _run_blocks(self) -> bool:
        directory = self._test_directory
        opentofu = self._session.executable.product == OPENTOFU
        module = self._workspace.module
        if not has_test_files(module, test_directory=directory, opentofu=opentofu):
            return False
        given = directory if directory != TEST_DIRECTORY else None
        with self._session.isolated(), self._fresh("run-blocks") as workspace:
            workspace.init(backend=False, test_directory=given)
            try:
                workspace.test(*([f"-test-directory={given}"] if given else []))
            except TerraformError as error:
                raise self._under("the module's run blocks", error) from error
        return True

    @contextlib.contextmanager
    def _fresh(self, name: str) -> Iterator[Workspace]:
        with self._session.cleaned_workspace(
            self._workspace.module,
            inputs=self._inputs,
            item=f"{self._upgrade.step.name}-{name}",
            on_kept=lambda path: self.notes.append(f"workspace kept: {path}"),
        ) as workspace:
            self._upgrade.prepare(workspace)
            yield workspace

    def _under(self, what: str, error: CheckFailure | TerraformError) -> UpgradeFailure:
        self.row = dataclasses.replace(self.row, oidc=f"{what} failed")
        text = explain(error, self._session) if isinstance(error, TerraformError) else str(error)
        under = self._upgrade.describe(self._upgrade.new)
        return UpgradeFailure(f"Under {under} {what} failed.\n{text}")

    def _note_floors(self) -> None:
        old, new = self._upgrade.old, self._upgrade.new
        assert old is not None  # noqa: S101 - for mypy: the step was made
        assert new is not None  # noqa: S101 - the same
        for move in self._upgrade.step.moves:
            versions = [parse_version(_version(move.subject, side)) for side in (old, new)]
            if versions[0] is not None and versions[1] is not None:
                note = floor_note(move.subject, versions[0], versions[1])
                notes = (*self.row.notes, *([note] if note else []))
                self.row = dataclasses.replace(self.row, notes=notes)

    def _redacted(self, text: str) -> str:
        return self._session.redactor.clean(text)


def _version(subject: str, side: Side) -> str:
    return side.executable.version if subject == TERRAFORM else side.versions.get(subject, "")
