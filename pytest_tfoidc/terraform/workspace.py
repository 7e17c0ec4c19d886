"""An isolated copy of a module, with its own `.terraform`, and the commands to run in it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock

from pytest_tfoidc.clock import Clock
from pytest_tfoidc.errors import ModuleError, TerraformError
from pytest_tfoidc.events import CredentialFound, EventLog
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.audit import (
    CACHE_NAME,
    CachedCredential,
    audit_backend,
    audit_workspace,
    module_sources,
)
from pytest_tfoidc.terraform.backend import NO_INPUTS, BackendChoice, Inputs
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.finders import AZURERM, backend_secrets
from pytest_tfoidc.terraform.isolation import isolate
from pytest_tfoidc.terraform.live_guard import Guard, LiveGuard, StateStore
from pytest_tfoidc.terraform.live_state import LiveStates
from pytest_tfoidc.terraform.module import RootModule, read_module
from pytest_tfoidc.terraform.runner import Completed, Flag, Runner, describe_diagnostic

OVERRIDE_FILE = "tfoidc_override.tf.json"
BACKEND_FILE = ".tfoidc.tfbackend"
PLAN_FILE = "tfplan"
APPLY_PLAN_FILE = "tfplan-apply"
DEFAULT_WORKSPACE = "default"
CRASH = "Stack trace from the "  # how Terraform introduces a crashed provider's
CRASH_LINES = 10
CUT_OFF = frozenset({"Request cancelled", "Plugin did not respond"})  # by a crash
CHANGES = 2  # the exit code of `plan -detailed-exitcode` that stands for changes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A saved plan. `has_changes`: it would change resources or outputs."""

    path: Path
    has_changes: bool
    completed: Completed = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every workspace of a run shares.

    `standin_backend` is the azurerm backend that a module gets where it has none of its own, or
    leaves values out; None in a live context, where the module's own backend is used.
    `live_states` derives each test's own state in a live context; None on the stand-in.
    `allowed_subscriptions` are the only ones that a live run may touch; empty for any.
    """

    executable: Executable
    environment: Mapping[str, str]
    events: EventLog
    clock: Clock
    redactor: Redactor
    timeout: float | None = None
    standin_backend: Mapping[str, str] | None = None
    live_states: LiveStates | None = None
    allowed_subscriptions: tuple[str, ...] = ()
    state_store: StateStore = field(default_factory=StateStore)


class Workspace:
    """An isolated copy of a module.

    Args:
        module: The root module's folder.
        setting: What every workspace of the run shares.
        inputs: Variables and backend configuration.
        keep: Leave the copy on disk at the end.
        item: The test that it is for; in a live context its state is named after it.

    Raises:
        ModuleError: The module cannot be read or copied.
    """

    def __init__(
        self,
        module: Path,
        *,
        setting: Setting,
        inputs: Inputs = NO_INPUTS,
        keep: bool = False,
        item: str = "",
    ) -> None:
        self.module = module
        self.setting = setting
        self.inputs = inputs
        self.keep = keep
        self.configuration = read_module(module)
        self.is_deployed = False
        self._selected = setting.environment.get("TF_WORKSPACE") or DEFAULT_WORKSPACE
        self._deployed_in: dict[str, bool] = {}  # the workspaces that are not selected now
        self.plans: list[Path] = []
        self.plugin_folder: Path | None = None  # a mirror that all providers come from
        self.backend = BackendChoice(
            module=self.configuration, inputs=inputs, standin=setting.standin_backend
        )
        self._given_backend = self.backend.given()
        setting.redactor.add(*backend_secrets(self._backend_type, self._given_backend))
        self.base = _temporary_folder()
        try:
            self.path = _copy(self.configuration, self.base)
            self.runner = self.runner_in(self.path)
        except BaseException:
            shutil.rmtree(self.base, ignore_errors=True)
            raise
        self.guard = self._make_guard(item)

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
            environment=setting.environment,
            events=setting.events,
            clock=setting.clock,
            redactor=setting.redactor,
            module=self.module.name,
            timeout=setting.timeout,
            refusals_are_final=setting.standin_backend is not None,
        )

    def close(self) -> None:
        """Remove the copy, unless it is to be kept or holds the only way to what is deployed.

        In a live context the test's own state is removed as well, where it holds nothing.
        """
        self.guard.remove_state()
        if not self.keep:
            shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self) -> Workspace:
        """Give the workspace."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def use(self, executable: Executable) -> None:
        """Run every command from now on with another Terraform."""
        self.setting = dataclasses.replace(self.setting, executable=executable)
        self.runner = self.runner_in(self.path)

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
        options: dict[str, Any] = {"input": False, "no_color": Flag}
        options["test_directory"] = test_directory
        if upgrade:
            options["upgrade"] = Flag
        if self.plugin_folder is not None:
            options["plugin_dir"] = str(self.plugin_folder)
            options["environment"] = {"TF_PLUGIN_CACHE_DIR": ""}  # it would copy what is linked to
        if backend:
            self._write_backend({**self.backend.options(), **(backend_config or {})})
            options["backend_config"] = [*map(str, self.inputs.backend_files), BACKEND_FILE]
        else:
            options["backend"] = False
        with self._plugin_cache():
            done = self._run("init", **options)
        if backend:
            self.guard.check_state()
        return done

    @property
    def _backend_type(self) -> str:
        return self.backend.type or AZURERM

    def _write_backend(self, config: Mapping[str, str]) -> None:
        """Write the configuration where no process list shows it, and an override if needed."""
        own = self.guard.settings(self.backend.type, {**self._given_backend, **config})
        override = self.guard.override()
        if self.backend.is_replaced:
            override = {"terraform": {"backend": {AZURERM: {}}}}
        if override is not None:
            (self.path / OVERRIDE_FILE).write_text(json.dumps(override), encoding="utf-8")
        values = {**config, **own}
        lines = "".join(f"{name} = {_quote(value)}\n" for name, value in values.items())
        descriptor = os.open(self.path / BACKEND_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)

    @contextlib.contextmanager
    def _plugin_cache(self) -> Iterator[None]:
        """Let one init at a time use a shared plugin cache, which is not safe for more."""
        cache = self.setting.environment.get("TF_PLUGIN_CACHE_DIR")
        if not cache or not Path(cache).is_dir():
            yield
            return
        with filelock.FileLock(Path(cache) / ".tfoidc.lock"):
            yield

    def plan(self, *, out: str = PLAN_FILE, destroy: bool = False) -> Plan:
        """Run `terraform plan` and save the plan."""
        path = self.path / out
        done = self.run(
            "plan",
            input=False,
            json=Flag,
            detailed_exitcode=Flag,
            out=out,
            destroy=Flag if destroy else None,
            accept=(0, CHANGES),
            **self.variable_options(),
        )
        path.chmod(0o600)
        self.plans.append(path)
        return Plan(path=path, has_changes=done.exit_code == CHANGES, completed=done)

    def apply(self, plan: Plan | None = None) -> Completed:
        """Run `terraform apply`, of a saved plan or of what there is to do now.

        Raises:
            TerraformError: It failed.
            LiveStateError: In a live context: the state holds what was not made here.
            ForeignResourceError: In a live context: the plan imports something.
        """
        if plan is None and self.guard.is_live:  # what is applied is what was looked at
            plan = self.plan(out=APPLY_PLAN_FILE)
        if plan is not None:
            self.guard.check_plan(plan)
        before, self.is_deployed = self.is_deployed, True
        options: dict[str, Any] = {"input": False, "json": Flag}
        if plan is not None:
            done = self.runner.run("apply", str(plan.path), **options)
        else:
            done = self.runner.run("apply", auto_approve=Flag, **options, **self.variable_options())
        if done.exit_code:
            self.is_deployed = before or _has_begun(done)
            raise self._failure(done)
        return done

    def destroy(self) -> Completed:
        """Run `terraform destroy`.

        Raises:
            TerraformError: It failed, or in a live context the state is not empty after it.
            LiveStateError: In a live context: the state holds what was not made here.
        """
        self.guard.check_destroy()
        done = self._run(
            "destroy", input=False, json=Flag, auto_approve=Flag, **self.variable_options()
        )
        self.guard.confirm_destroyed()
        self.is_deployed = False
        return done

    def output(self, name: str | None = None) -> Any:  # noqa: ANN401 - whatever the module gives
        """Give one output's value, or the values of all; sensitive ones too.

        Raises:
            KeyError: There is no output of this name.
        """
        values = json.loads(self.run("output", json=Flag, no_color=Flag).stdout)
        if name is None:
            return {key: output["value"] for key, output in values.items()}
        return values[name]["value"]

    def test(self, *arguments: str) -> Completed:
        """Run `terraform test -json`, with more arguments if there are any.

        Raises:
            TerraformError: A run failed, or none could be made.
        """
        return self.run("test", *arguments, json=Flag, **self.variable_options())

    def select_workspace(self, name: str) -> None:
        """Select a Terraform workspace, and make it where it does not exist yet.

        It wins over TF_WORKSPACE, with which Terraform would refuse to select another one.
        """
        self.runner.environment.pop("TF_WORKSPACE", None)
        done = self._run("workspace select", name, no_color=Flag, accept=(0, 1))
        if done.exit_code:
            self._run("workspace new", name, no_color=Flag)
        self._deployed_in[self._selected] = self.is_deployed
        self._selected, self.is_deployed = name, self._deployed_in.pop(name, False)
        if self.guard.is_live:
            self.guard.check_state()

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
        if self.guard.is_live and self._selected != DEFAULT_WORKSPACE:
            self._remove_workspaces()

    def _remove_workspaces(self) -> None:
        """Let Terraform remove the states of the workspaces that were selected; all are empty."""
        names = {self._selected, *self._deployed_in} - {DEFAULT_WORKSPACE}
        self.select_workspace(DEFAULT_WORKSPACE)
        for name in sorted(names):
            self._run("workspace delete", name, no_color=Flag, accept=(0, 1))
            self._deployed_in.pop(name, None)

    def state(self) -> str:
        """Give the state as it is, JSON. It may hold secrets."""
        return self.run("state pull").stdout

    def audit(self, *, used_at: datetime | None = None) -> tuple[CachedCredential, ...]:
        """Look for tokens and secrets in the plans, the backend cache, the state and the lock.

        Args:
            used_at: When the credentials would be used (aware).
        """
        secrets = self.setting.redactor.secrets
        found = audit_workspace(
            self.path,
            plans=self.plans,
            secrets=secrets,
            used_at=used_at,
            states={"state": self.state()} if self.is_deployed else {},
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
    def deployed(self) -> Iterator[Workspace]:
        """Init and apply; destroy at the end, whatever happens."""
        self.init()
        try:
            self.apply()
            yield self
        finally:
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
        self.guard.check_command(command)
        self.is_deployed |= command == "apply"
        return self._run(command, *arguments, accept=accept, **options)

    def _run(
        self,
        command: str,
        *arguments: str,
        accept: tuple[int, ...] = (0,),
        **options: Any,  # noqa: ANN401 - whatever Terraform takes
    ) -> Completed:
        done = self.runner.run(command, *arguments, **options)
        if done.exit_code not in accept:
            raise self._failure(done)
        return done

    def _failure(self, done: Completed) -> TerraformError:
        redact = self.setting.redactor.redact
        errors = [d for d in done.diagnostics if d.get("severity") == "error"]
        crash = _crash(done.stderr)
        told = [d for d in errors if not crash or d.get("summary") not in CUT_OFF]
        parts = [*map(describe_diagnostic, told), *crash]
        output = "\n\n".join(parts) if errors else done.text
        product = self.setting.executable.product.lower()
        how = "was killed" if done.exit_code < 0 else "failed"
        return TerraformError(
            f"`{product} {done.command}` {how} with exit code {done.exit_code}.",
            where=str(self.module),
            output=redact(output),
            exit_code=done.exit_code,
        )

    def variable_options(self) -> dict[str, Any]:
        """Give the variables as the runner takes them."""
        files = [str(file) for file in self.inputs.variable_files]
        return {"var_file": files, "var": list(self.inputs.variables)}


def _has_begun(done: Completed) -> bool:
    """Tell whether an apply that failed has done anything, or may have: it was killed."""
    return done.exit_code < 0 or any(m.get("type") == "apply_start" for m in done.messages)


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="tfoidc-")).resolve()
    except OSError as error:
        raise ModuleError(
            "There is no temporary folder to copy the module to.",
            where=tempfile.gettempdir(),
            cause=str(error),
            remedy="Make it writable, or set TMPDIR to a folder that is.",
        ) from error


def _copy(module: RootModule, base: Path) -> Path:
    return isolate(module.path, base, local_modules=module.local_modules())


def _crash(stderr: str) -> tuple[str, ...]:
    """Give the beginning of the trace that a crashed provider left, if one did."""
    _, found, trace = stderr.partition(CRASH)
    return ("\n".join((found + trace).splitlines()[:CRASH_LINES]),) if found else ()


def _quote(value: str) -> str:
    """Write a string as HCL does: template markers are doubled, the rest is JSON's."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
