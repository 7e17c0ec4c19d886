"""The plans that a workspace has made, and where each of them is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.commandvariables import GivenVariables
from pytest_tfoidc.terraform.live.recording import planned_change
from pytest_tfoidc.terraform.plan import Plan
from pytest_tfoidc.terraform.runner import Completed
from pytest_tfoidc.terraform.variablesfile import write_private

CHANGES = 2  # the exit code of `plan -detailed-exitcode` that stands for changes


class SavedPlans:
    """Keeps the plans of one workspace.

    Args:
        module: The module, as the user knows it.
        folder: Where Terraform writes them; what a later one of their name replaces is kept there.

    Attributes:
        files: The plans' files, in order; a name may come twice.
    """

    def __init__(self, module: Path, *, folder: Path) -> None:
        self._module = module
        self._folder = folder
        self.files: list[Path] = []
        self._kept: dict[int, tuple[Plan, Path]] = {}  # by the plan's identity
        self._latest: dict[str, Plan] = {}  # by the plan's path, like those below
        self._changes: dict[str, tuple[tuple[str, str], ...]] = {}
        self._given: dict[str, GivenVariables] = {}

    def place(self, name: str) -> Path:
        """Return where a plan of this name is to be written."""
        self._folder.mkdir(exist_ok=True)
        return self._folder / name

    def add(
        self,
        path: Path,
        done: Completed,
        given: GivenVariables,
        *,
        show: Callable[[Path], dict[str, Any]],
    ) -> Plan:
        """Note what a plan was made with and what it wants, and return it."""
        self.files.append(path)
        self._given[str(path)] = given
        changes = map(planned_change, done.messages)
        self._changes[str(path)] = tuple(change for change in changes if change is not None)
        kept = self._keep(path)
        plan = Plan(
            path=path,
            has_changes=done.exit_code == CHANGES,
            completed=done,
            show=lambda: show(kept),
        )
        self._kept[id(plan)] = (plan, kept)
        self._latest[str(path)] = plan
        return plan

    def _keep(self, path: Path) -> Path:
        """Keep a plan where no later one of the same name overwrites it, and return where."""
        kept = self._folder / f".kept-{len(self._kept)}"
        try:
            os.link(path, kept)
        except OSError:  # a file system without links
            write_private(kept, "")
            shutil.copyfile(path, kept)
        return kept

    def file_of(self, plan: Plan) -> Path:
        """Return the file of a plan of this workspace, although a later one may have its name.

        Raises:
            UsageError: It is a plan of another workspace.
        """
        if plan.path.parent != self._folder:
            raise UsageError(
                "The plan is one of another workspace.",
                where=str(self._module),
                cause=f"it was made in {plan.path.parent}",
                remedy="Apply it with the workspace that has made it.",
            )
        known, kept = self._kept.get(id(plan), (plan, plan.path))
        is_latest = self._latest.get(str(plan.path), plan) is plan
        return plan.path if is_latest or known is not plan else kept

    def given_to(self, plan: Plan) -> GivenVariables | None:
        """Return what a plan was made with; None where it was not made here."""
        return self._given.get(str(plan.path))

    def changes_of(self, plan: Plan | None) -> tuple[tuple[str, str], ...]:
        """Return the addresses that a plan changes, and how, as it has told them."""
        return self._changes.get(str(plan.path), ()) if plan else ()
