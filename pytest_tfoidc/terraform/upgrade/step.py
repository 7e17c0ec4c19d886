"""One upgrade step in a workspace: FROM, the upgrade, and what would change under TO."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.module import ProviderRequirement, RootModule
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.restless import await_later_second
from pytest_tfoidc.terraform.source_files import last_override
from pytest_tfoidc.terraform.toldversions import cache_folder
from pytest_tfoidc.terraform.upgrade.plan_diff import (
    ERROR,
    Change,
    Judgement,
    StateUpgrade,
    change_lines,
    judge,
    planned_changes,
    state_upgrades,
    warnings,
)
from pytest_tfoidc.terraform.upgrade.provider_store import (
    ProviderStore,
    UpgradeError,
    locked_versions,
    needs_download,
)
from pytest_tfoidc.terraform.upgrade.releases import find_release
from pytest_tfoidc.terraform.upgrade.spec import (
    LATEST,
    LOCKED,
    TERRAFORM,
    Allowance,
    Move,
    Step,
    downgrade_error,
)
from pytest_tfoidc.terraform.upgrade.suite import how_to_allow
from pytest_tfoidc.terraform.versions import Version, allows, parse_version
from pytest_tfoidc.terraform.workspace import Workspace

Pick = Callable[[Move], str]  # FROM or TO of a move
LOCK_FILE = ".terraform.lock.hcl"
PINS = "pins"
SNAPSHOT = "before-upgrade.tfstate"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a step: a Terraform, and the version of each provider."""

    executable: Executable
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The plan under TO, judged. `changes`: what is not tolerated, empty if all is well."""

    judgement: Judgement
    state_upgrades: tuple[StateUpgrade, ...]
    plan: Plan | None = field(repr=False)

    @property
    def changes(self) -> list[Change]:
        """The differences that nobody has allowed."""
        return list(self.judgement.changes)

    @property
    def unmatched(self) -> list[Allowance]:
        """The allowances that matched nothing."""
        return list(self.judgement.unmatched)


class UpgradeStep:
    """One step of one module.

    Args:
        workspace: A fresh workspace of the module; it has FROM from `start` on.
        step: What moves.
        where: What to name in messages about the step.
        always: Differences of every plan of this module, under any version.

    Attributes:
        before: The workspace, to use under FROM.
        after: The same workspace, to use after `upgrade`.
        snapshot: The state before the upgrade, once there is one.
    """

    def __init__(
        self,
        workspace: Workspace,
        step: Step,
        *,
        where: str = "--tf-upgrade",
        always: tuple[Allowance, ...] = (),
    ) -> None:
        self.workspace = self.before = self.after = workspace
        self.step = step
        self._always = always
        self.where = f"{where} {step.name}"
        self.snapshot: Path | None = None
        self.old: Side | None = None
        self.new: Side | None = None
        self._given = workspace.setting.executable
        self._new: Side
        self._known_warnings: tuple[Change, ...] = ()
        self._lock = (workspace.path / LOCK_FILE, workspace.module / LOCK_FILE)

    def start(self) -> None:
        """Make sure that both sides can be had, pin FROM and init.

        Raises:
            UpgradeError: The step cannot be made in this module.
            TerraformError: Init failed.
        """
        locked = locked_versions(self._lock[1])
        _require_fresh_lock(self.workspace.configuration, locked, self._lock[1])
        is_known = self._has_remote_modules()
        others = {s: v for s, v in locked.items() if is_known or s in self._used()}
        old = self._resolved(lambda move: move.before, others, locked)
        new = self._resolved(lambda move: move.after, old.versions, locked)
        self._require_upwards(old, new)
        self._new = new
        self.old = self._switch(old)

    def check(self) -> None:
        """Plan under FROM, which must be empty after an apply, and note its warnings.

        What every plan of this module has is tolerated.

        Raises:
            UpgradeError: It is not: the module is not ready for a comparison.
        """
        plan = self.workspace.plan(out="tfplan-before")
        self._known_warnings = warnings(plan.completed.diagnostics)
        changes = self.lasting(plan)
        if changes:
            raise UpgradeError(
                "The plan is not empty before the upgrade, so it says nothing about the upgrade.",
                where=f"{self.workspace.module}, under {self.describe(self.old)}",
                cause=self.workspace.setting.redactor.clean(
                    "\n".join(["it would change:", *change_lines(changes)])
                ),
                remedy="Let the module settle under FROM first, or allow what each plan changes in"
                f" pyproject.toml:\n{how_to_allow(changes)}",
            )

    def lasting(self, plan: Plan) -> tuple[Change, ...]:
        """Return what a plan would change, but for what every plan of this module has."""
        changes = planned_changes(self._shown(plan)) if plan.has_changes else ()
        return judge(changes, self._always).changes

    def upgrade(self) -> None:
        """Keep the state, pin TO and `init -upgrade`.

        Raises:
            TerraformError: Init failed.
        """
        self._keep_state()
        self.new = self._switch(self._new)

    def back(self) -> None:
        """Go back to FROM."""
        assert self.old is not None  # noqa: S101 - for mypy: the step was started
        self._switch(self.old)

    def plan(self) -> Comparison:
        """Plan under TO, and compare. Errors are differences too."""
        workspace = self.workspace
        await_later_second(workspace.configuration, workspace.path)
        try:
            plan = workspace.plan(out="tfplan-after-upgrade")
        except TerraformError as error:
            refused = Change(kind=ERROR, address="plan", text=error.output.strip())
            judgement = judge([refused], self.step.allowances)
            return Comparison(judgement=judgement, state_upgrades=(), plan=None)
        shown = self._shown(plan)
        found = warnings(plan.completed.diagnostics)
        new = [warning for warning in found if warning not in self._known_warnings]
        state = json.loads(self.snapshot.read_text(encoding="utf-8")) if self.snapshot else {}
        allowances = (*self.step.allowances, *self._always)
        judgement = judge([*planned_changes(shown), *new], allowances)
        stale = tuple(one for one in judgement.unmatched if one in self.step.allowances)
        return Comparison(
            judgement=replace(judgement, unmatched=stale),
            state_upgrades=state_upgrades(state, shown),
            plan=plan,
        )

    def describe(self, side: Side | None) -> str:
        """Name what moves, as it is on one side."""
        if side is None:
            return self.step.name
        names = [
            f"Terraform {side.executable.version}"
            if move.subject == TERRAFORM
            else f"{move.subject} {side.versions.get(move.subject, '')}"
            for move in self.step.moves
        ]
        return " and ".join(names)

    def prepare(self, workspace: Workspace) -> None:
        """Apply to another workspace of the module what is in force now."""
        workspace.use(self.workspace.setting.executable)
        workspace.plugin_folder = self.workspace.plugin_folder
        side = self.new or self.old
        assert side is not None  # noqa: S101 - for mypy: the step was started
        _write_pins(workspace, side.versions, override=self.step.override)
        lock = self._lock[0]
        if lock.is_file():
            (workspace.path / LOCK_FILE).write_bytes(lock.read_bytes())

    def _resolved(self, pick: Pick, others: Mapping[str, str], locked: Mapping[str, str]) -> Side:
        """Find out what is in force on one side; what is in `others` does not move."""
        executable = self._executable(pick)
        wanted = {**others, **self._providers(pick, locked)}
        self._require_allowed(wanted)
        versions = self._provided(executable, wanted)
        self._require_allowed(versions)
        return Side(executable=executable, versions=versions)

    def _switch(self, side: Side) -> Side:
        workspace = self.workspace
        workspace.use(side.executable)
        _write_pins(workspace, side.versions, override=self.step.override)
        workspace.init(upgrade=True)
        return side

    def _provided(self, executable: Executable, wanted: Mapping[str, str]) -> dict[str, str]:
        """Fetch the providers into the store; give the version of each."""
        environment = self.workspace.setting.environment
        folder = cache_folder(environment) / "providers"
        store = ProviderStore(folder=folder, executable=executable, environment=environment)
        modules = self._modules()
        sources = sorted({*self._used(), *wanted})
        constraints = {
            source: wanted[source] if source in wanted else _required(modules, source)
            for source in sources
        }
        provided = {source: store.provide(source, text) for source, text in constraints.items()}
        if sources and not self._has_remote_modules():
            self.workspace.plugin_folder = store.mirror
        return provided

    def _modules(self) -> tuple[RootModule, ...]:
        root = self.workspace.configuration
        return (root, *root.called_modules())

    def _used(self) -> set[str]:
        sources = (source for module in self._modules() for source in module.providers)
        return {source for source in sources if needs_download(source)}

    def _has_remote_modules(self) -> bool:
        return any(call.path is None for module in self._modules() for call in module.calls)

    def _executable(self, pick: Pick) -> Executable:
        for move in self.step.moves:
            if move.subject == TERRAFORM:
                return find_release(pick(move), self.workspace.setting.environment)
        return self._given

    def _providers(self, pick: Pick, locked: Mapping[str, str]) -> dict[str, str]:
        """Return what is wanted of each provider that moves."""
        wanted = {}
        for move in self.step.moves:
            if move.subject != TERRAFORM:
                self._require_used(move)
                wanted[move.subject] = self._wanted(move, pick(move), locked)
        return wanted

    def _wanted(self, move: Move, text: str, locked: Mapping[str, str]) -> str:
        if text == LATEST:
            return ""
        if text != LOCKED:
            return text
        if move.subject in locked:
            return locked[move.subject]
        raise UpgradeError(
            f"The lock file holds no version of {move.subject}.",
            where=str(self._lock[1]),
            cause="It is stale." if self._lock[1].exists() else "There is no lock file.",
            remedy="Run `terraform init` in the module, or name a version.",
        )

    def _require_used(self, move: Move) -> None:
        used = self._used()
        if move.subject not in used and not self._has_remote_modules():
            raise UpgradeError(
                f"The module does not use {move.subject}.",
                where=self.where,
                cause=f"It uses: {', '.join(sorted(used)) or 'none that can move'}.",
                remedy="Correct the provider's name, or leave this module out of the step.",
            )

    def _require_allowed(self, wanted: Mapping[str, str]) -> None:
        if self.step.override:
            return
        for requirement in (r for module in self._modules() for r in module.required_providers):
            version = parse_version(wanted.get(requirement.source, ""))
            if version is not None and not allows(requirement.constraint, version):
                raise _excluded(requirement, version, where=self.where)

    def _require_upwards(self, old: Side, new: Side) -> None:
        for move in self.step.moves:
            terraform = move.subject == TERRAFORM
            before, after = (
                side.executable.version if terraform else side.versions.get(move.subject, "")
                for side in (old, new)
            )
            first, second = parse_version(before), parse_version(after)
            if first and second and first > second and not self.step.downgrade:
                moved = Move(subject=move.subject, before=before, after=after)
                raise downgrade_error(moved, where=self.where)

    def _keep_state(self) -> None:
        if not self.workspace.is_deployed:
            return
        path = self.workspace.base / SNAPSHOT
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.workspace.state_text())
        self.snapshot = path

    def _shown(self, plan: Plan) -> dict[str, Any]:
        done = self.workspace.run("show", str(plan.path), json=Flag)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown


def _required(modules: tuple[RootModule, ...], source: str) -> str:
    """Return what the modules together demand of a provider's version."""
    requirements = (r for module in modules for r in module.required_providers)
    return ", ".join(r.constraint for r in requirements if r.source == source and r.constraint)


def _require_fresh_lock(module: RootModule, locked: Mapping[str, str], lock_file: Path) -> None:
    for requirement in module.required_providers:
        version = parse_version(locked.get(requirement.source, ""))
        if version is not None and not allows(requirement.constraint, version):
            raise UpgradeError(
                f"The lock file is stale: it holds {requirement.source} {version}.",
                where=str(lock_file),
                cause=f"{requirement.file}:{requirement.line} wants {requirement.constraint}",
                remedy="Run `terraform init -upgrade` in the module.",
            )


def _excluded(requirement: ProviderRequirement, version: Version, *, where: str) -> UpgradeError:
    return UpgradeError(
        f"The module excludes {requirement.source} {version}.",
        where=f"{requirement.file}:{requirement.line}",
        cause=f'its constraint is "{requirement.constraint}" ({where})',
        remedy="Widen the constraint, or override it for the test with --tf-upgrade-override.",
    )


def _write_pins(workspace: Workspace, versions: Mapping[str, str], *, override: bool) -> None:
    """Pin providers in the copy; where constraints are overridden, in its local modules too."""
    root = workspace.configuration
    _write_override(workspace.path, root, versions, extra=True)
    if override:
        for module in root.called_modules():
            _write_override(workspace.copy.of(module.path), module, versions, extra=False)


def _write_override(
    folder: Path, module: RootModule, versions: Mapping[str, str], *, extra: bool
) -> None:
    names = {requirement.source: requirement.name for requirement in module.required_providers}
    pins = {
        names.get(source, source.rpartition("/")[2]): {"source": source, "version": f"= {version}"}
        for source, version in versions.items()
        if source in names or extra
    }
    if pins:
        override = {"terraform": {"required_providers": pins}}
        last_override(folder, PINS).write_text(json.dumps(override), encoding="utf-8")
