"""The guard that a workspace asks before it writes; on the stand-in it allows everything.

The guard keeps a workspace to the state that is its own, refuses a state that holds what the
workspace did not make, and sees to it that nothing is left where Terraform can remove it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.authvariables import SUBSCRIPTION
from pytest_tfoidc.errors import PlanError, TerraformError, TfOidcError
from pytest_tfoidc.terraform.audit.planfile import read_plan
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.live.scope import (
    OPTION,
    NamedSubscription,
    SubscriptionError,
    planned_in,
    require_allowed,
)
from pytest_tfoidc.terraform.live.scope_of_tests import given_values, named_in_tests
from pytest_tfoidc.terraform.live.state import (
    CLOUD,
    LOCAL,
    REMOTE,
    S3,
    Held,
    LiveStateError,
    LiveStates,
    StatePlace,
    foreign_state,
    held_by,
    imports_error,
    local_block,
    require_no_imports,
    require_no_imports_in,
    workspaces_of,
)
from pytest_tfoidc.terraform.module import read_module
from pytest_tfoidc.terraform.tftest.files import discover

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.plan import Plan
    from pytest_tfoidc.terraform.workspace import Workspace

CACHE = Path(".terraform", "terraform.tfstate")
READING = frozenset(
    {
        "console",
        "fmt",
        "get",
        "graph",
        "metadata",
        "output",
        "plan",
        "providers",
        "show",
        "test",
        "validate",
        "version",
    }
)
READING_STATE = frozenset(
    {"state list", "state show", "state pull", "workspace list", "workspace show"}
)
NEVER_RAW = {
    "init": "Use `init()`: it puts the state where only this test has one.",
    "import": "What exists already belongs to somebody else; deploy what the test needs.",
    "state push": "What this test did not make does not belong into its state.",
}
OTHER_STATES = frozenset({"state", "state-out"})  # options that name the file of a state
TELLS_SINCE = Callable[[StatePlace], str]


class Guard:
    """Lets everything pass: on the stand-in there is nothing to harm."""

    is_live = False
    place: StatePlace | None = None

    def settings(self, backend: str, config: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what init is given beyond the user's backend configuration."""
        del backend, config
        return {}

    def override(self) -> dict[str, Any] | None:
        """Return what replaces the `backend` or `cloud` block in the copy; None for nothing."""
        return None

    def check_state(self) -> None:
        """Make sure that the state is this workspace's to write."""

    def check_plan(self, plan: Plan) -> None:
        """Make sure that a plan changes nothing that this workspace did not make."""

    def check_destroy(self) -> None:
        """Make sure that there is nothing to destroy but what this workspace made."""

    def confirm_destroyed(self) -> None:
        """Make sure that a destroy has left nothing."""

    def check_command(self, command: str, *arguments: str, **options: Any) -> None:  # noqa: ANN401 - whatever Terraform takes
        """Make sure that a command that was given as it is harms nothing, and no other state."""

    def check_test(self, files: Iterable[Path] | None = None) -> None:
        """Make sure that run blocks take over nothing, and touch no subscription but ours."""

    def remove_state(self) -> None:
        """Remove an empty state that is this workspace's, where the backend allows it."""


class LiveGuard(Guard):
    """Keeps a workspace of a live context to what it made.

    Args:
        workspace: What it guards.
        states: Derives places.
        item: The test that the workspace is for.
        store: Reads and removes state objects beside Terraform, where it can.
    """

    is_live = True

    def __init__(
        self, workspace: Workspace, *, states: LiveStates, item: str, store: StateStore
    ) -> None:
        self._workspace = workspace
        self._states = states
        self._store = store
        self._module = str(workspace.module)
        self._name = states.name_of(self._module, item)
        self.place: StatePlace | None = None

    def settings(self, backend: str, config: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what puts the state into its own place.

        Args:
            backend: The backend's type; empty where there is none.
            config: What it is configured with.

        Raises:
            LiveStateError: No place of its own can be derived.
        """
        file = self._workspace.local_state
        if file is not None:  # in the ledger's folder, so that it outlives the copy
            local = local_block(file)
            self.place = StatePlace(backend=LOCAL, config=local, settings=local)
            return {}
        if backend:
            self.place = self._states.place(backend, config, name=self._name)
        else:  # no block: a file in the copy, which is this test's as it is
            self.place = StatePlace(backend=LOCAL)
        if self.place.terraform_workspace:
            self._workspace.assume_selected()
        return self.place.settings

    def override(self) -> dict[str, Any] | None:
        """Return the block of a local, `remote` or `cloud` state with a place of its own."""
        place = self.place
        if self._workspace.local_state is not None:
            return {"terraform": {"backend": {LOCAL: local_block(self._workspace.local_state)}}}
        if place is None or not place.terraform_workspace:
            return None
        workspaces = {
            k: v for k, v in workspaces_of(place.config).items() if k not in {"tags", "prefix"}
        }
        block = {
            **{name: value for name, value in place.config.items() if _is_plain(value)},
            "workspaces": {**workspaces, "name": place.terraform_workspace},
        }
        if place.backend == CLOUD:
            return {"terraform": {"cloud": block}}
        return {"terraform": {"backend": {REMOTE: block}}}

    def check_state(self) -> None:
        """Make sure that Terraform is where it should be, and that nobody's state is there.

        Raises:
            LiveStateError: It is somewhere else, or the state holds what was not made here.
            SubscriptionError: The environment of this workspace names one that is not allowed.
        """
        place = self._required()
        self._check_place(place)
        self._require_allowed_environment()
        if not self._workspace.is_deployed:
            self._require_nothing(self._workspace.state_text())

    def check_plan(self, plan: Plan) -> None:
        """Make sure that a plan begins with nothing, and takes over nothing.

        Raises:
            LiveStateError: It was made for a state that holds what was not made here.
            ForeignResourceError: It imports something.
            SubscriptionError: It would touch a subscription that is not allowed.
        """
        require_no_imports(plan.completed.messages, module=self._module)
        if self._workspace.setting.allowed_subscriptions:
            self._require_allowed(plan)
        if not self._workspace.is_deployed:
            self._require_nothing(self._state_before(plan))

    def check_destroy(self) -> None:
        """Make sure that there is nothing to destroy but what was made here.

        Raises:
            LiveStateError: The state holds something that was not made here. In a module's own
                state somebody may have deployed since.
        """
        record = self._workspace.record
        if not self._workspace.is_deployed:
            self._require_nothing(self._workspace.state_text())
        elif self.place is not None and self.place.is_own and record is not None:
            foreign = record.foreign_in(self._workspace.state_text())
            if foreign:
                raise self._foreign(Held(foreign))

    def confirm_destroyed(self) -> None:
        """Make sure that the state is empty.

        Raises:
            TerraformError: It is not.
        """
        held = held_by(self._workspace.state_text())
        if held.resources:
            raise TerraformError(
                f"After the destroy the state still holds {held}.",
                where=f"{self._module}; {self.place}",
                cause=", ".join(held.resources),
                remedy="Look at the state with `terraform state list`; destroy what is left.",
            )

    def check_command(self, command: str, *arguments: str, **options: Any) -> None:  # noqa: ANN401 - whatever Terraform takes
        """Make sure that a command harms nothing: neither another state, nor what is not ours.

        Raises:
            LiveStateError: It could write a state that is not this workspace's.
            ForeignResourceError: It would import something.
            SubscriptionError: It would touch a subscription that is not allowed, or might.
        """
        words = command.split()
        first, two = words[0] if words else "", " ".join(words[:2])
        is_reading = first in READING or two in READING_STATE
        remedy = NEVER_RAW.get(first, NEVER_RAW.get(two, ""))
        flags = [one for one in (*words[1:], *arguments) if one[:1] == "-"]
        named = {*(one.lstrip("-").partition("=")[0] for one in flags), *options}
        if OTHER_STATES & {name.replace("_", "-") for name in named}:
            remedy = "Leave out the options that name a state: this test has one of its own."
        if first[:1] == "-":  # -chdir
            remedy = "Make a workspace of the other folder: `tf_workspace(path)`."
        if remedy or (self._states.mode != "isolated" and not is_reading):
            raise LiveStateError(
                f"A live test does not run `terraform {command}` as it is.",
                where=self._module,
                cause="it could write a state that is not this test's",
                remedy=remedy
                or "Use the methods of the workspace: `init`, `plan`, `apply`, `destroy`.",
            )
        if first == "apply":
            self._check_raw_apply([one for one in (*words[1:], *arguments) if one[:1] != "-"])
        if first == "test":
            self.check_test()

    def _check_raw_apply(self, plans: Sequence[str]) -> None:
        """Look at the plan that is applied; without one, at what nobody can look at in time."""
        allowed = self._workspace.setting.allowed_subscriptions
        if plans:
            shown = json.loads(self._workspace.run("show", plans[0], json=Flag).stdout)
            require_no_imports_in(shown, module=self._module)
            require_allowed(planned_in(shown), allowed)
            return
        self._require_no_import_blocks()
        if allowed:
            raise SubscriptionError(
                "A live test does not run `terraform apply` without a plan where the subscriptions"
                " are pinned.",
                where=self._module,
                cause=f"{OPTION} allows {', '.join(sorted(allowed))} only, and what it would touch"
                " is known from a plan",
                remedy="Use `apply()`, or `apply(plan)` with a plan of `plan()`.",
            )

    def check_test(self, files: Iterable[Path] | None = None) -> None:
        """Make sure that run blocks take over nothing, and touch no subscription but ours.

        Args:
            files: The test files that are run; None for all of the module.

        Raises:
            ForeignResourceError: The module has `import` blocks.
            SubscriptionError: A provider is configured with a subscription that is not allowed.
        """
        self._require_no_import_blocks()
        workspace = self._workspace
        setting, module = workspace.setting, workspace.configuration
        if not setting.allowed_subscriptions:
            return
        self._require_allowed_environment()
        given = given_values(
            module.path,
            inputs=workspace.inputs,
            environment=workspace.runner.environment,
            test_directory=setting.test_directory,
        )
        found = discover(
            module.path, test_directory=setting.test_directory, opentofu=module.opentofu
        )
        for file in found if files is None else files:
            require_allowed(named_in_tests(file, module, given), setting.allowed_subscriptions)

    def _require_no_import_blocks(self) -> None:
        """Look into the copy: a test may have written files of its own."""
        workspace = self._workspace
        now = read_module(workspace.path, opentofu=workspace.configuration.opentofu)
        originals = workspace.configuration.imports
        places = originals if len(originals) == len(now.imports) else now.imports
        require_no_import_blocks(places, module=self._module)

    def remove_state(self) -> None:
        """Remove the state object, which is empty; what cannot be removed is left, and harmless."""
        place = self.place
        if place is None or place.is_own or self._workspace.is_deployed:
            return
        if place.backend == S3:
            with suppress(TerraformError, OSError):
                self._delete_workspace(place)
        elif place.backend != LOCAL:
            self._store.remove(place)

    def _required(self) -> StatePlace:
        if self.place is None:
            raise LiveStateError("The workspace has no state yet.", remedy="Call `init()` first.")
        return self.place

    def _check_place(self, place: StatePlace) -> None:
        """Look into the backend's cache: is it the place that init was told?"""
        wanted: Mapping[str, Any] = place.settings
        if place.terraform_workspace:
            wanted = {"workspaces": place.terraform_workspace}
        used = _cached_backend(self._workspace.path)
        for name, value in wanted.items():
            is_named = name == "workspaces"
            found = workspaces_of(used).get("name") if is_named else used.get(name)
            if found != value:
                raise LiveStateError(
                    "The state is not where this test's own state should be.",
                    where=f"{self._module}; {place.backend}, {name}",
                    cause=f"init was told {value!r} and has {found!r}: an override file of the"
                    " module may have the last word",
                    remedy="Leave the backend out of the module's override files.",
                )

    def _require_nothing(self, state: str) -> None:
        held = held_by(state)
        if held:
            raise self._foreign(held)

    def _foreign(self, held: Held) -> TfOidcError:
        place = self._required()
        return foreign_state(place, held, module=self._module, since=self._store.since(place))

    def _require_allowed_environment(self) -> None:
        """Look at what Terraform gets: a workspace may have variables of its own."""
        workspace = self._workspace
        environments = (workspace.runner.environment, workspace.inputs.apply_environment)
        given = (environment.get(SUBSCRIPTION[0]) for environment in environments)
        named = [NamedSubscription(i, f"{self._module}, {SUBSCRIPTION[0]}") for i in given if i]
        require_allowed(named, workspace.setting.allowed_subscriptions)

    def _require_allowed(self, plan: Plan) -> None:
        named = planned_in(plan.json)
        require_allowed(named, self._workspace.setting.allowed_subscriptions)

    def _state_before(self, plan: Plan) -> str:
        try:
            return read_plan(plan.path).previous_state
        except PlanError:  # encrypted, or kept by HCP Terraform: then the state is read again
            return self._workspace.state_text()

    def _delete_workspace(self, place: StatePlace) -> None:
        """Let Terraform delete it as a workspace's: the object's name says the same either way."""
        prefix, run, item = place.settings["key"].rsplit("/", 2)
        settings = {**place.settings, "workspace_key_prefix": prefix, "key": item}
        with tempfile.TemporaryDirectory(dir=self._workspace.base) as name:
            folder = Path(name)
            backend: dict[str, Any] = {"terraform": {"backend": {S3: _block(place.config)}}}
            (folder / "main.tf.json").write_text(json.dumps(backend), encoding="utf-8")
            (folder / "main.tf.json").chmod(0o600)
            runner = self._workspace.runner_in(folder)
            runner.environment.pop("TF_WORKSPACE", None)  # init would make it
            pairs = [f"{k}={v}" for k, v in settings.items()]
            done = runner.run("init", input=False, no_color=Flag, backend_config=pairs)
            if done.exit_code == 0:
                runner.run("workspace delete", run, no_color=Flag)


class AdoptedGuard(LiveGuard):
    """Lets a sweep work on the state of a ledger's entry: what it holds was made by that run.

    Args:
        workspace: What it guards.
        place: Where the state is.
        store: Removes state objects beside Terraform, where it can.
    """

    def __init__(self, workspace: Workspace, *, place: StatePlace, store: StateStore) -> None:
        self._workspace = workspace
        self._store = store
        self._module = str(workspace.module)
        self.place = place

    def settings(self, backend: str, config: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what leads to the entry's state."""
        del backend, config
        assert self.place is not None  # noqa: S101 - for mypy: it was given
        return {} if self._workspace.local_state is not None else self.place.settings

    def check_state(self) -> None:
        """Let the state hold what it holds."""

    def check_plan(self, plan: Plan) -> None:
        """Let every plan pass."""

    def check_destroy(self) -> None:
        """Let everything be destroyed that the state holds."""

    def confirm_destroyed(self) -> None:
        """Leave it to the sweep to read what is left."""

    def check_command(self, command: str, *arguments: str, **options: Any) -> None:  # noqa: ANN401 - whatever Terraform takes
        """Let every command pass."""

    def check_test(self, files: Iterable[Path] | None = None) -> None:
        """Let every test pass."""


class StateStore:
    """Reads and removes state objects beside Terraform. This one can do neither."""

    def since(self, place: StatePlace) -> str:  # noqa: ARG002 - others need it
        """Return when a state was last written, for people; empty where that cannot be had."""
        return ""

    def remove(self, place: StatePlace) -> None:
        """Remove a state object that holds nothing; leave it where that cannot be done."""


def require_no_import_blocks(places: tuple[str, ...], *, module: str) -> None:
    """Make sure that a module imports nothing, where no plan of ours is made.

    Args:
        places: Where its `import` blocks are, as `file:line`.
        module: What to name in the error.

    Raises:
        ForeignResourceError: It has `import` blocks.
    """
    if places:
        raise imports_error(f"what the `import` block at {places[0]} names", module=module)


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool))


def _block(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None}


def _cached_backend(folder: Path) -> Mapping[str, Any]:
    """Return the configuration that init has written; empty for the implicit local backend."""
    try:
        cache = json.loads((folder / CACHE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    config = (cache.get("backend") or {}).get("config") or {}
    return config if isinstance(config, Mapping) else {}
