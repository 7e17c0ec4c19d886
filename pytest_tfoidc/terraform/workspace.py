"""An isolated copy of a module, with its own `.terraform`, and the commands to run in it."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock

from pytest_tfoidc import shortages
from pytest_tfoidc.clock import Clock
from pytest_tfoidc.diagnostics import failing_checks, few
from pytest_tfoidc.ending import Ending
from pytest_tfoidc.errors import ModuleError, TerraformError, UsageError
from pytest_tfoidc.events import (
    CheckBlockFailed,
    CredentialFound,
    EventLog,
    ModuleCopied,
    ProtectionLifted,
    hosts_refused,
)
from pytest_tfoidc.processes import LineListener
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.audit.audit import (
    CACHE_NAME,
    CachedCredential,
    audit_backend,
    audit_workspace,
    module_sources,
)
from pytest_tfoidc.terraform.audit.finders import AZURERM, backend_secrets, sensitive_in_state
from pytest_tfoidc.terraform.backend import (
    DEFAULT_WORKSPACE,
    NO_INPUTS,
    BackendChoice,
    Inputs,
)
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.commandvariables import CommandVariables, GivenVariables
from pytest_tfoidc.terraform.copies import Copies
from pytest_tfoidc.terraform.executable import OPENTOFU, Executable
from pytest_tfoidc.terraform.failures import Failures
from pytest_tfoidc.terraform.initialised import Initialised, key_of
from pytest_tfoidc.terraform.isolation import IsolatedCopy, isolate
from pytest_tfoidc.terraform.live.deadlines import Deadline, require_time
from pytest_tfoidc.terraform.live.deployed import Deployed
from pytest_tfoidc.terraform.live.guard import Guard, LiveGuard, StateStore
from pytest_tfoidc.terraform.live.ledger import PLANNED, TEST
from pytest_tfoidc.terraform.live.recording import Record, Recorder
from pytest_tfoidc.terraform.live.state import ISOLATED, LOCAL, LiveStates, local_block
from pytest_tfoidc.terraform.misnamed import misnamed
from pytest_tfoidc.terraform.missing import MissingRead, complaint_of, missing_reads
from pytest_tfoidc.terraform.module import RootModule, read_module, tests_need_init
from pytest_tfoidc.terraform.paths import with_paths_of_variables
from pytest_tfoidc.terraform.plan import Plan, UnexpectedChangesError, sensitive_in_plan
from pytest_tfoidc.terraform.protection import lift_protection
from pytest_tfoidc.terraform.restless import restless_cause
from pytest_tfoidc.terraform.runner import Completed, Runner, both
from pytest_tfoidc.terraform.savedplans import CHANGES, SavedPlans
from pytest_tfoidc.terraform.slots import Slots
from pytest_tfoidc.terraform.source_files import last_override
from pytest_tfoidc.terraform.state import State
from pytest_tfoidc.terraform.upgrade.plan_diff import Change, change_lines, planned_changes
from pytest_tfoidc.terraform.values import no_such
from pytest_tfoidc.terraform.variablesfile import (
    as_json_file,
    quote,
    require_declared,
    sensitive_values,
    write_private,
)

BACKEND_FILE = ".tfoidc.tfbackend"
# Beside the copy: a module that hashes its own folder must not see them.
PLANS = "plans"
STATE = Path("state", "terraform.tfstate")
PLAN_FILE = "tfplan"
STATEFUL = frozenset({"apply", "destroy", "plan", "refresh", "import"})  # read or write a state
APPLY_PLAN_FILE = "tfplan-apply"
HIDDEN = "(sensitive value)"  # how `terraform console` writes it
TEST_FILES_ALONE = (1, 15, 0)  # from which Terraform on init reads a folder that has no others
RECORDED = frozenset({"apply", "import", "test", "destroy"})  # first words: what makes or destroys
LOCKING = frozenset({"plan", "apply", "destroy", "import"})  # commands that lock the state
TIMED = frozenset({"apply", "destroy", "test"})
READING = frozenset({"plan", "show", "state pull", "output", "console"})  # change no output
SELECTING = frozenset({"workspace select", "workspace new"})


@dataclass(frozen=True, kw_only=True)
class WorkspaceSetting:
    """The setting that all workspaces of a run share.

    `standin_backend` is the azurerm backend that a module gets in the place of another one, or of
    values that it leaves out; None in a live context, where the module's own backend is used.
    `live_states` derives each test's own state in a live context, and `recorder` keeps the ledger;
    None on the stand-in. `allowed_subscriptions` are the only ones that a live run may touch;
    empty for any. `lock_timeout`: as Terraform takes it; empty for none.
    `initialised` keeps what init has fetched for the next workspace, and `copies` its files.
    `is_put_back` tells whether the stand-in forgets what is deployed, without a destroy.
    `test_directory` is the folder of a module's test files; `started` is where the user started.
    `slots` bound how many workers deploy at once. `variables_now` tells which TF_VAR_… have
    changed since, None for what is gone.
    """

    executable: Executable
    environment: Mapping[str, str]
    events: EventLog
    clock: Clock
    redactor: Redactor
    timeout: float | None = None
    standin_backend: Mapping[str, str] | None = None
    is_put_back: Callable[[], bool] = bool
    live_states: LiveStates | None = None
    allowed_subscriptions: tuple[str, ...] = ()
    state_store: StateStore = field(default_factory=StateStore)
    recorder: Recorder | None = None
    deadline: Deadline | None = None
    initialised: Initialised = field(default_factory=Initialised)
    copies: Copies = field(default_factory=Copies)
    lock_timeout: str = ""
    ending: Ending = field(default_factory=Ending)
    slots: Slots | None = None
    test_directory: str = "tests"
    started: Path = field(default_factory=Path.cwd)
    variables_now: Callable[[], Mapping[str, str | None]] = dict


class Workspace:
    """An isolated copy of a module.

    Args:
        module: The root module's folder.
        setting: What every workspace of the run shares.
        inputs: Variables and backend configuration.
        keep: Leave the copy on disk at the end.
        item: The test that it is for; in a live context its state is named after it.

    Raises:
        ModuleError: The module cannot be read or copied, or has no such variable.
        UsageError: A variable has a value that Terraform cannot take.
    """

    def __init__(
        self,
        module: Path,
        *,
        setting: WorkspaceSetting,
        inputs: Inputs = NO_INPUTS,
        keep: bool = False,
        item: str = "",
    ) -> None:
        self.module = module
        self.setting = setting
        self.inputs = inputs
        self.keep = keep
        self.configuration = read_module(
            module,
            opentofu=setting.executable.product == OPENTOFU,
            test_directory=setting.test_directory,
        )
        require_declared(inputs.values, self.configuration, given_by="The test")
        as_json_file(inputs.values)
        self.is_deployed = False
        self._selected = setting.environment.get("TF_WORKSPACE") or DEFAULT_WORKSPACE
        self._deployed_in: dict[str, bool] = {}  # the workspaces that are not selected now
        self._made: set[str] = set()  # the workspaces that did not exist before
        self._unprotected: set[str] = set()
        self.plugin_folder: Path | None = None  # a mirror that all providers come from
        self.local_state: Path | None = None  # where a state that is a file outlives the copy
        self._records: dict[str, Record] = {}  # by the workspace that is selected
        self._applied_with: dict[str, GivenVariables] = {}  # by the workspace that is selected
        self._outputs: Mapping[str, Any] = {}  # as the last apply has told them
        self.backend = BackendChoice(
            module=self.configuration, inputs=inputs, standin=setting.standin_backend
        )
        self._given_backend = self.backend.given()
        self._hide_secrets()
        self._place = setting.copies.place_for(module)
        self.base = self._place.base
        try:
            self.copy = self._isolated()
            self.path = self.copy.path
            is_real = setting.ending.is_real
            self.inventory = Deployed(
                module=module, workspace=self.path, base=self.base if is_real else None
            )
            self.runner = self._own_runner()
            self.variables = self._own_variables()
        except BaseException:
            shortages.remove_tree(self.base)
            raise
        self.plans = SavedPlans(module, folder=self.base / PLANS)
        self.guard = self._make_guard(item)
        states, recorder = setting.live_states, setting.recorder
        if recorder and states and states.mode == ISOLATED and self.backend.type in {"", LOCAL}:
            self.local_state = recorder.new_state()
        elif setting.standin_backend is not None and not self.backend.type:
            self.local_state = self.base / STATE

    def _hide_secrets(self) -> None:
        """Keep what the inputs hold of secrets out of all that is printed."""
        inputs, redactor = self.inputs, self.setting.redactor
        redactor.add(*backend_secrets(self._backend_type, self._given_backend))
        redactor.add(*backend_secrets("", inputs.backend))  # of another kind, too
        redactor.hide(
            *sensitive_values(
                self.configuration,
                variables=inputs.variables,
                files=inputs.variable_files,
                environment=self.setting.environment,
                values=inputs.values,
            )
        )

    def _isolated(self) -> IsolatedCopy:
        copy = isolate(
            self.module,
            self.base,
            local_modules=self.configuration.local_modules(),
            left_out=_own_state(self.configuration),
            placer=self._place.placer,
        )
        self.setting.events.emit(
            ModuleCopied(
                at=self.setting.clock.now(),
                module=self.module.name,
                seconds=copy.seconds,
                linked=tuple(map(str, copy.linked)),
            )
        )
        return copy

    def _make_guard(self, item: str) -> Guard:
        states = self.setting.live_states
        if states is None:
            return Guard()
        return LiveGuard(self, states=states, item=item, store=self.setting.state_store)

    def runner_in(self, folder: Path) -> Runner:
        """Return what runs Terraform in a folder, with everything else as in the workspace."""
        setting = self.setting
        return Runner(
            executable=setting.executable,
            directory=folder,
            environment=with_paths_of_variables(
                setting.environment, self.copy, started=setting.started
            ),
            events=setting.events,
            clock=setting.clock,
            redactor=setting.redactor,
            module=self.module.name,
            timeout=setting.timeout,
            refusals_are_final=setting.standin_backend is not None,
            ending=setting.ending,
            deployed=self.inventory,
            slots=setting.slots,
        )

    def _own_runner(self) -> Runner:
        runner = self.runner_in(self.path)
        runner.learn = self._learn
        return runner

    def _own_variables(self) -> CommandVariables:
        return CommandVariables(
            configuration=self.configuration,
            inputs=self.inputs,
            copy=self.path,
            folder=self.base,
            redactor=self.setting.redactor,
            environment=self._environment_now,
        )

    def _environment_now(self) -> dict[str, str]:
        """Return the outer environment as it is now, as Terraform is to see it from the copy."""
        setting = self.setting
        now = {**setting.environment, **setting.variables_now()}
        found = {name: text for name, text in now.items() if text is not None}
        return with_paths_of_variables(found, self.copy, started=setting.started)

    def _learn(self, command: str, plan: str) -> None:
        """Let the redactor know what a plan or a state marks as sensitive: logs may have it."""
        hide = self.setting.redactor.hide
        with contextlib.suppress(ValueError):  # it prints none
            if plan:
                shown = self.runner.ask("show", "-json", "-no-color", plan)
                hide(*sensitive_in_plan(json.loads(shown)))
        if command in STATEFUL:
            hide(*sensitive_in_state(self.runner.ask("state", "pull")))

    def close(self) -> None:
        """Remove the copy, unless it is to be kept or holds the only way to what is deployed.

        In a live context the test's own state is removed as well, where it holds nothing.
        """
        self.guard.remove_state()
        for record in self._records.values():
            record.close()
        if self.local_state is not None and not any(one.entry for one in self._records.values()):
            shutil.rmtree(self.local_state.parent, ignore_errors=True)
        if self.keep:
            return
        if self.setting.ending.is_real:  # nothing of it may be found again
            shortages.remove_tree(self.base)
        else:
            self.setting.copies.give_back(self._place, self.copy)

    def __enter__(self) -> Workspace:
        """Return the workspace."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def use(self, executable: Executable) -> None:
        """Run every command from now on with another Terraform."""
        self.setting = dataclasses.replace(self.setting, executable=executable)
        before, self.runner = self.runner, self._own_runner()
        self.runner.shared = before.shared
        self.runner.environment = before.environment  # without TF_WORKSPACE, where one was selected

    def _require_known_folder(self) -> None:
        """Raise where this Terraform would take the folder for an empty one, and init nothing."""
        executable = self.setting.executable
        is_old = executable.product != OPENTOFU and executable.release < TEST_FILES_ALONE
        directory = self.setting.test_directory
        if not is_old or self.configuration.files:
            return
        if tests_need_init(self.module, test_directory=directory):
            raise ModuleError(
                f"There are only test files in the module: {executable.product}"
                f" {executable.version} takes it for an empty folder.",
                where=str(self.module),
                remedy=(
                    f"Use Terraform {'.'.join(map(str, TEST_FILES_ALONE[:2]))} or newer"
                    " (--tf-executable embedded), or put an empty main.tf there."
                ),
            )

    def init(
        self,
        *,
        backend: bool = True,
        backend_config: Mapping[str, str] | None = None,
        upgrade: bool = False,
        test_directory: str | None = None,
    ) -> Completed:
        """Run `terraform init`.

        Args:
            backend: False leaves the backend out, as for `terraform test`.
            backend_config: More backend configuration; wins over what was given before.
            upgrade: Take the newest versions that are allowed, not those of the lock file.
            test_directory: The folder of test files, where it is not `tests`.

        Raises:
            TerraformError: Init failed.
            LiveStateError: In a live context: there is no state that the test may use.
        """
        self._require_known_folder()
        if backend_config and self.setting.standin_backend is not None:
            self.local_state = None  # it is for a backend, which a module that has none gets now
            inputs = dataclasses.replace(self.inputs, lends_backend=True)
            self.backend = dataclasses.replace(self.backend, inputs=inputs)
        options: dict[str, Any] = {"input": False, "no_color": Flag}
        options["test_directory"] = test_directory
        if upgrade:
            options["upgrade"] = Flag
        if self.plugin_folder is not None:
            options["plugin_dir"] = str(self.plugin_folder)
            options["environment"] = {"TF_PLUGIN_CACHE_DIR": ""}  # it would copy what is linked to
        if backend:
            is_file = self.local_state is not None  # then it is another backend
            files = () if is_file else self.backend.used.backend_files
            if not (files or backend_config or self.inputs.backend):  # then Terraform tells them
                self._require_known_arguments()
            self._write_backend(backend_config or {})
            options["backend_config"] = [*map(str, files), BACKEND_FILE]
        else:
            options["backend"] = False
        is_own = upgrade or self.plugin_folder is not None
        once = contextlib.nullcontext() if is_own else self._fetched_once()
        with once, self._plugin_cache():
            done = self._run("init", **options)
        if backend:
            self.guard.check_state()
        return done

    def _require_known_arguments(self) -> None:
        """Fail where the backend block has an argument that its backend does not have."""
        own, executable = self.configuration.backend, self.setting.executable
        if own is None:
            return
        told = misnamed(own, argv=executable.argv, environment=self.runner.environment)
        if told:
            done = Completed(command="init", exit_code=1, stdout="", stderr=told, seconds=0.0)
            raise self._failure(done, since=self.setting.events.mark())

    def prepare(self) -> None:
        """Run init, or on the stand-in take what it has made for a workspace of the same content.

        Raises:
            TerraformError: Init failed.
            LiveStateError: In a live context: there is no state that the test may use.
        """
        is_own = self.selected != DEFAULT_WORKSPACE or self.plugin_folder is not None
        if self.setting.standin_backend is None or is_own or self.inputs.backend_files:
            self.init()
            return
        self._require_known_folder()
        self._write_backend({})
        key = self._key(backend=self.path / BACKEND_FILE)
        if not self.setting.initialised.give(key, self.path):
            self.init()
            self.setting.initialised.keep(key, self.path, with_backend=True)

    @contextlib.contextmanager
    def _fetched_once(self) -> Iterator[None]:
        """Let init find what it has fetched for another workspace of the same configuration."""
        key = self._key()
        self.setting.initialised.give(key, self.path)
        yield
        self.setting.initialised.keep(key, self.path)

    def _key(self, *, backend: Path | None = None) -> str:
        called = (self.copy.of(module.path) for module in self.configuration.called_modules())
        return key_of(
            (self.path, *called),
            executable=self.setting.executable.argv,
            environment=self.runner.environment,
            backend=backend,
        )

    @property
    def _backend_type(self) -> str:
        return self.backend.type or AZURERM

    @property
    def record(self) -> Record | None:
        """The ledger's record of the selected Terraform workspace; None where there is none."""
        recorder = self.setting.recorder
        if recorder is None:
            return None
        if self._selected not in self._records:
            self._records[self._selected] = recorder.record(self)
        return self._records[self._selected]

    @property
    def selected(self) -> str:
        """The Terraform workspace that is selected."""
        return self._selected

    def _write_backend(self, more: Mapping[str, str]) -> None:
        """Write the configuration where no process list shows it, and an override if needed."""
        config = {**({} if self.local_state is not None else self.backend.options()), **more}
        own = self.guard.settings(self.backend.type, {**self._given_backend, **config})
        override = self.guard.override()
        if self.local_state is not None and override is None:
            place = Path(os.path.relpath(self.local_state, self.path))  # the same in each copy
            override = {"terraform": {"backend": {LOCAL: local_block(place)}}}
        elif self.backend.is_replaced and self.local_state is None:
            override = {"terraform": {"backend": {AZURERM: {}}}}
        if override is not None:
            file = last_override(self.path, "backend")
            file.write_text(json.dumps(override), encoding="utf-8")
        values = {**config, **own}
        lines = "".join(f"{name} = {quote(value)}\n" for name, value in values.items())
        write_private(self.path / BACKEND_FILE, lines)

    @contextlib.contextmanager
    def _plugin_cache(self) -> Iterator[None]:
        """Let one init at a time use a shared plugin cache, which is not safe for more."""
        cache = self.setting.environment.get("TF_PLUGIN_CACHE_DIR")
        if not cache or not Path(cache).is_dir():
            yield
            return
        with filelock.FileLock(Path(cache) / ".tfoidc.lock"):
            yield

    def plan(
        self,
        *,
        variables: Mapping[str, object] | None = None,
        out: str = PLAN_FILE,
        destroy: bool = False,
        refresh_only: bool = False,
    ) -> Plan:
        """Run `terraform plan` and save the plan.

        Args:
            variables: Variables for this plan, of any type; they win over all others.
            out: The name of the plan's file.
            destroy: Plan a destroy.
            refresh_only: Look only for what has changed outside of Terraform (`plan.drift`).

        Raises:
            TerraformError: It failed.
            ModuleError: The module has no such variable.
            UsageError: A variable has a value that Terraform cannot take.
        """
        given = self._give(variables)
        path = self.plans.place(out)
        write_private(path, "")  # Terraform keeps the mode of what is there
        try:
            done = self.run(
                "plan",
                input=False,
                json=Flag,
                detailed_exitcode=Flag,
                out=str(path),
                destroy=Flag if destroy else None,
                refresh_only=Flag if refresh_only else None,
                accept=(0, CHANGES),
                **self.variables.options(),
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self.plans.add(path, done, given, show=self._shown)

    def _shown(self, plan: Path) -> dict[str, Any]:
        """Return a plan as `terraform show -json` tells it."""
        shown: dict[str, Any] = json.loads(self.run("show", str(plan), json=Flag).stdout)
        self.setting.redactor.hide(*sensitive_in_plan(shown))
        return shown

    def changes(self, plan: Plan) -> tuple[Change, ...]:
        """Return what a plan would change, a line for each attribute."""
        return planned_changes(plan.json)

    def assert_no_changes(
        self, *, refresh_only: bool = False, variables: Mapping[str, object] | None = None
    ) -> None:
        """Plan again, and make sure that there is nothing to do.

        Args:
            refresh_only: Look only for what has changed outside of Terraform.
            variables: Variables for this plan; without them it has those of the last apply.

        Raises:
            UnexpectedChangesError: There is something; it is an AssertionError.
            TerraformError: The plan failed.
        """
        __tracebackhide__ = True
        given = self._applied_with.get(self._selected)
        if variables is None and given is not None:
            variables = given.values
        plan = self.plan(out="tfplan-after", refresh_only=refresh_only, variables=variables)
        if plan.has_changes:
            changes, redact = self.changes(plan), self.setting.redactor.clean
            addresses = tuple(dict.fromkeys(change.address for change in changes))
            cause = restless_cause(self.configuration, addresses)
            lines = [*change_lines(changes), *([f"Cause: {cause}"] if cause else [])]
            raise UnexpectedChangesError(
                plan, tuple(map(redact, lines)), named=redact(few(addresses))
            )

    def evaluate(self, expression: str, *, variables: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - whatever the expression is
        """Return the value of an expression of Terraform's language, by `terraform console`.

        Args:
            expression: Such as `local.name` or `cidrsubnet(var.space, 8, 1)`.
            variables: Variables for it; without them it has those of the last apply.

        Raises:
            TerraformError: It cannot be evaluated, or is known after an apply only.
        """
        given = self._applied_with.get(self._selected)
        if variables is None and given is not None:
            self.variables.use(given.values)
        else:
            self._give(variables)
        one_line = " ".join(expression.splitlines())
        told = self._console(f"base64encode(jsonencode({one_line}))")
        is_secret = HIDDEN in told
        if is_secret:
            told = self._console(f"base64encode(jsonencode(nonsensitive({one_line})))")
        lines = (line.strip('"') for line in told.splitlines() if line.startswith('"'))
        try:  # beside it a slow backend says that it takes the lock
            value = json.loads(base64.b64decode(next(lines, ""), validate=True))
        except (binascii.Error, ValueError) as error:
            raise TerraformError(
                f"The expression `{one_line}` has no value.",
                where=str(self.module),
                cause="it is known after an apply only",
                output=self.setting.redactor.clean(told),
            ) from error
        if is_secret:
            self.setting.redactor.hide(value)
        return value

    def _console(self, line: str) -> str:
        options = self.variables.options()
        return self._run("console", standard_input=f"{line}\n", **options).stdout

    def apply(
        self, plan: Plan | None = None, *, variables: Mapping[str, object] | None = None
    ) -> Completed:
        """Run `terraform apply`, of a saved plan or of what there is to do now.

        In a live context the ledger has an entry before that.

        Args:
            plan: A plan of this workspace; it has its variables in it.
            variables: Variables for this apply, of any type; the destroy will have them as well.

        Raises:
            UsageError: Variables are given for a saved plan, or one cannot be used.
            StalePlanError: The state has changed since the plan was made.
            TerraformError: It failed.
            LiveStateError: In a live context: the state holds what was not made here.
            ForeignResourceError: In a live context: the plan imports something.
            LedgerError: The ledger cannot be written; nothing was applied.
            DeadlineError: There is not enough time left to destroy it again; nothing was applied.
        """
        self.require_time("apply", "destroy")
        given = self._given_for(plan, variables)
        if plan is None and self.guard.is_live:  # what is applied is what was looked at
            plan = self.plan(variables=variables, out=APPLY_PLAN_FILE)
        if plan is not None:
            file = self.plans.file_of(plan)
            self.guard.check_plan(plan)
        if self.record is not None:
            self.record.begin(planned=self.plans.changes_of(plan))
        before, self.is_deployed = self.is_deployed, True
        self._applied_with[self._selected] = given
        mark = self.setting.events.mark()
        done = self._apply(file if plan is not None else None)
        if done.exit_code:
            self.is_deployed = before or _has_begun(done)
            if self.record is not None and not self.is_deployed:
                self.record.nothing_applied()
            raise self._failure(done, since=mark)
        self._outputs = _outputs_in(done.messages)
        return done

    def _apply(self, file: Path | None) -> Completed:
        """Apply a plan's file, or what there is to do now, whatever the exit code."""
        environment = self.inputs.apply_environment
        options: dict[str, Any] = {"input": False, "json": Flag, "environment": environment}
        if file is not None:
            return self._execute(
                "apply", str(file), **options, **self.variables.ephemeral_options()
            )
        return self._execute("apply", auto_approve=Flag, **options, **self.variables.options())

    def _give(self, variables: Mapping[str, object] | None) -> GivenVariables:
        """Let the next command have these variables over those of the workspace."""
        return self.variables.give(variables, self.runner.environment)

    def _given_for(
        self, plan: Plan | None, variables: Mapping[str, object] | None
    ) -> GivenVariables:
        """Return what an apply has: its own variables, or those that its plan was made with."""
        if plan is None:
            return self._give(variables)
        if variables is not None:
            raise UsageError(
                "A saved plan has its variables in it, and no others can be given to its apply.",
                where=str(self.module),
                remedy="Give them to the plan: plan(variables=…).",
            )
        given = self.plans.given_to(plan) or self._give(None)
        self.variables.use(given.values)
        return given

    def require_time(self, *commands: str) -> None:
        """Make sure that these commands can end before the run's deadline.

        Raises:
            DeadlineError: They could not.
        """
        recorder, deadline = self.setting.recorder, self.setting.deadline
        if recorder is not None:
            require_time(deadline, recorder.durations, recorder.name_of(self.module), *commands)

    def destroy(self, *, variables: Mapping[str, object] | None = None) -> Completed:
        """Run `terraform destroy`, whatever `prevent_destroy` says.

        Where nothing is left, the ledger's entry goes.

        Args:
            variables: Variables for this destroy; without them it has those of the last apply.

        Raises:
            TerraformError: It failed, or in a live context the state is not empty after it.
            LiveStateError: In a live context: the state holds what was not made here.
        """
        given = self._applied_with.get(self._selected)
        if variables is not None or given is None:
            given = self._give(variables)
        self.variables.use(given.values)
        self.guard.check_destroy()
        self.lift_protection()
        done = self._run(
            "destroy",
            input=False,
            json=Flag,
            auto_approve=Flag,
            environment={**given.environment, **self.inputs.apply_environment},
            **self.variables.options(),
        )
        self.guard.confirm_destroyed()
        self.is_deployed = False
        self._applied_with.pop(self._selected, None)
        if self.record is not None:
            self.record.confirm(self.state_text())
        if not any(self._deployed_in.values()):
            self.inventory.forget()
        return done

    def lift_protection(self) -> None:
        """Let everything in the copy be destroyed, whatever `prevent_destroy` says, and tell it."""
        lifted = lift_protection(self.configuration, self.path, copy_of=self.copy.of)
        new = tuple(address for address in lifted if address not in self._unprotected)
        self._unprotected |= set(new)
        if new:
            event = ProtectionLifted(
                at=self.setting.clock.now(), module=self.module.name, addresses=new
            )
            self.setting.events.emit(event)

    def output(self, name: str | None = None) -> Any:  # noqa: ANN401 - whatever the module gives
        """Return one output's value, or the values of all; sensitive ones too.

        Raises:
            UnknownNameError: There is no output of this name; it is a KeyError.
        """
        values = self._told_outputs(name) or self._asked_outputs()
        if name is None:
            return {key: output["value"] for key, output in values.items()}
        if name not in values:
            raise no_such("output", name, values, where=str(self.module))
        return values[name]["value"]

    def _told_outputs(self, name: str | None) -> Mapping[str, Any]:
        """Return the outputs as the last apply has told them; empty where it has kept some back."""
        wanted = self._outputs.values() if name is None else [self._outputs.get(name, {})]
        return self._outputs if all("value" in one for one in wanted) else {}

    def _asked_outputs(self) -> Mapping[str, Any]:
        values: dict[str, Any] = json.loads(self.run("output", json=Flag, no_color=Flag).stdout)
        self.setting.redactor.hide(*(o["value"] for o in values.values() if o.get("sensitive")))
        return values

    def test(self, *arguments: str) -> Completed:
        """Run `terraform test -json`, with more arguments if there are any.

        Raises:
            TerraformError: A run failed, or none could be made.
        """
        self._give(None)
        self.lift_protection()
        return self.run(
            "test",
            *arguments,
            json=Flag,
            verbose=None if self.setting.recorder is None else Flag,  # tells what was made
            environment=self.inputs.apply_environment,
            **self.variables.test_options(),
        )

    def select_workspace(self, name: str) -> None:
        """Select a Terraform workspace, and make it where it does not exist yet.

        It wins over TF_WORKSPACE, with which Terraform would refuse to select another one.
        """
        self.runner.environment.pop("TF_WORKSPACE", None)
        done = self._run("workspace select", name, no_color=Flag, accept=(0, 1))
        if done.exit_code:
            self._run("workspace new", name, no_color=Flag)
            self._made.add(name)
        self._select(name)

    def _select(self, name: str) -> None:
        """Follow Terraform to another workspace: what is deployed in each is known apart."""
        self._deployed_in[self._selected] = self.is_deployed
        self._selected, self.is_deployed = name, self._deployed_in.pop(name, False)
        if self.guard.is_live:
            self.guard.check_state()

    def assume_selected(self, name: str = DEFAULT_WORKSPACE) -> None:
        """Take it that a Terraform workspace is selected, whatever TF_WORKSPACE says."""
        self.runner.environment.pop("TF_WORKSPACE", None)
        self._selected = name

    def destroy_everything(self) -> None:
        """Destroy what is deployed, in every Terraform workspace that was selected.

        Raises:
            TerraformError: As for `destroy`; what was not reached is still `is_deployed`.
        """
        if self.is_deployed:
            self.destroy()
        for name in [name for name, is_deployed in self._deployed_in.items() if is_deployed]:
            self.select_workspace(name)
            self.destroy()
        if self.guard.is_live:
            known = {self._selected, *self._deployed_in}
            place = self.guard.place
            is_own = place is None or place.is_own  # then others than ours may be there
            self.remove_workspaces(known & self._made if is_own else known)

    def remove_workspaces(self, names: Iterable[str]) -> None:
        """Let Terraform remove the states of workspaces that were selected; all are empty."""
        others = set(names) - {DEFAULT_WORKSPACE}
        if not others:
            return
        self.select_workspace(DEFAULT_WORKSPACE)
        for name in sorted(others):
            self._run("workspace delete", name, no_color=Flag, accept=(0, 1))
            self._deployed_in.pop(name, None)

    def state(self) -> State:
        """Return the state: resources by address, data sources apart; `str` of it is the JSON."""
        return State(self.state_text())

    def state_text(self) -> str:
        """Return the state as it is, JSON. It may hold secrets."""
        state = self.run("state pull").stdout
        self.setting.redactor.hide(*sensitive_in_state(state))
        return state

    def audit(
        self, *, used_at: datetime | None = None, with_state: bool = True
    ) -> tuple[CachedCredential, ...]:
        """Look for tokens and secrets in the plans, the backend cache, the state and the lock.

        Args:
            used_at: When the credentials would be used (aware).
            with_state: False leaves out the state, where it cannot be had.
        """
        secrets = self.setting.redactor.secrets
        found = audit_workspace(
            self.path,
            plans=self.plans.files,
            secrets=secrets,
            used_at=used_at,
            states={"state": self.state_text()} if self.is_deployed and with_state else {},
        )
        if not (self.path / CACHE_NAME).exists():  # init was refused
            found += audit_backend(
                self._backend_type,
                self._given_backend,
                sources=module_sources(self.path),
                secrets=secrets,
                used_at=used_at,
            )
        for credential in found:
            self.setting.events.emit(
                CredentialFound(
                    at=self.setting.clock.now(),
                    file=credential.file,
                    field=credential.field,
                    kind=credential.kind,
                )
            )
        return found

    @contextlib.contextmanager
    def deployed(self, *, variables: Mapping[str, object] | None = None) -> Iterator[Workspace]:
        """Init and apply, with these variables; destroy at the end, whatever happens.

        On the stand-in, workspaces of the same content share one init. Where it has failed, and the
        stand-in is put back after that anyway, nothing is destroyed.
        """
        self.prepare()
        try:
            self.apply(variables=variables)
            yield self
        except BaseException:
            if not self.setting.is_put_back():
                self.destroy()
            raise
        self.destroy()

    def run(
        self,
        command: str,
        *arguments: str,
        accept: tuple[int, ...] = (0,),
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        """Run any command.

        Raises:
            TerraformError: It ended with an exit code that is not in `accept`.
            LiveStateError: In a live context: it could write a state that is not this test's.
        """
        self.guard.check_command(command, *arguments, **options)
        self.is_deployed |= command == "apply"
        done = self._run(command, *arguments, accept=accept, **options)
        if command in SELECTING and done.exit_code == 0:
            name = next(one for one in arguments if not one.startswith("-"))
            self._made |= {name} if command == "workspace new" else set()
            self._select(name)
        return done

    def _run(
        self,
        command: str,
        *arguments: str,
        accept: tuple[int, ...] = (0,),
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        mark = self.setting.events.mark()
        done = self._execute(command, *arguments, **options)
        if done.exit_code not in accept:
            raise self._failure(done, since=mark)
        now = self.setting.clock.now()
        for words in failing_checks(done.diagnostics, self.setting.redactor.redact):
            event = CheckBlockFailed(at=now, module=self.module.name, words=words)
            self.setting.events.emit(event)
        return done

    def _execute(
        self,
        command: str,
        *arguments: str,
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        """Run a command, whatever its exit code; the ledger follows what it makes or destroys."""
        self.variables.follow(self.runner.environment)
        if command not in READING:
            self._outputs = {}
        if command in LOCKING and self.setting.lock_timeout:
            options.setdefault("lock_timeout", self.setting.lock_timeout)
        with self._recorded(command.partition(" ")[0], options.pop("on_line", None)) as on_line:
            done = self.runner.run(command, *arguments, on_line=on_line, **options)
        if self.setting.recorder is not None and command in TIMED:
            self.setting.recorder.took(self.module, command, done.seconds)
        return done

    @contextlib.contextmanager
    def _recorded(self, word: str, on_line: LineListener | None) -> Iterator[LineListener | None]:
        """Let the ledger follow what a command makes or destroys."""
        record = self.record
        if record is not None and word == "plan":
            record.begin(phase=PLANNED)  # from now on there may be a lock
        if record is None or word not in RECORDED:
            yield on_line
            return
        if word == "test":
            with self.test_recorded() as listen:
                yield both(listen, on_line)
            return
        if word == "destroy":
            record.destroying()
        elif record.entry is None:
            record.begin()
        try:
            yield both(record.read, on_line)
        finally:
            if word != "destroy":
                record.applied()

    @contextlib.contextmanager
    def test_recorded(self, file: str = "") -> Iterator[LineListener]:
        """Keep an entry in the ledger of a live context while `terraform test` runs.

        What run blocks make is in no state: the entry lives on what Terraform says in JSON.

        Args:
            file: The test file; empty for all of them.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        recorder = self.setting.recorder
        if recorder is None:
            yield lambda _line: None
            return
        record = recorder.record(self)
        record.begin(kind=TEST, test=file)
        try:
            yield record.read
        finally:
            record.end_test()
            record.close()

    def _missing(self, done: Completed, *, since: int) -> tuple[MissingRead, ...]:
        """Return the reads that found nothing, where Azure is the stand-in."""
        if self.setting.standin_backend is None:
            return ()
        errors = [d for d in done.diagnostics if d.get("severity") == "error"]
        return missing_reads(
            map(complaint_of, errors), self.setting.events.since(since), files=self.source_files()
        )

    def _failure(self, done: Completed, *, since: int) -> TerraformError:
        """Return the error for a command that failed."""
        failures = Failures(
            configuration=self.configuration,
            inputs=self.inputs,
            copy=self.path,
            base=self.base,
            redactor=self.setting.redactor,
        )
        product = self.setting.executable.product
        return failures.failure(
            done,
            product=product,
            missing=self._missing(done, since=since),
            refused=hosts_refused(self.setting.events.since(since)),
        )

    def source_files(self) -> tuple[Path, ...]:
        """Return the files of the module and of the local modules that it calls."""
        called = self.configuration.called_modules()
        return tuple(file for module in (self.configuration, *called) for file in module.files)


def _outputs_in(messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the outputs that an apply has told at its end; sensitive ones without their values."""
    told = [one.get("outputs") for one in messages if one.get("type") == "outputs"]
    return told[-1] if told and isinstance(told[-1], dict) else {}


def _has_begun(done: Completed) -> bool:
    """Tell whether an apply that failed has done anything, or may have: it was killed."""
    return done.exit_code < 0 or any(m.get("type") == "apply_start" for m in done.messages)


def _own_state(module: RootModule) -> Iterator[Path]:
    """Return where a local backend keeps the module's own state, if not where all do."""
    config = module.backend.config if module.backend and module.backend.type == "local" else {}
    path, folder = config.get("path"), config.get("workspace_dir")
    if isinstance(path, str):
        file = module.path.resolve() / path
        yield from (file, file.with_name(f"{file.name}.backup"))
        yield file.with_name(f".{file.name}.lock.info")
    if isinstance(folder, str):
        yield module.path.resolve() / folder
