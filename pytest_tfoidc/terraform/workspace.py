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
from pytest_tfoidc.terraform import hcl
from pytest_tfoidc.terraform.audit import (
    CACHE_NAME,
    CachedCredential,
    audit_backend,
    audit_workspace,
    module_sources,
)
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.finders import AZURERM, backend_secrets, sensitive_in_state
from pytest_tfoidc.terraform.isolation import isolate
from pytest_tfoidc.terraform.module import RootModule, read_module
from pytest_tfoidc.terraform.runner import Completed, Flag, Runner, describe_diagnostic
from pytest_tfoidc.terraform.variablesfile import (
    as_file,
    quote,
    require_declared,
    sensitive_values,
    write_private,
)

OVERRIDE_FILE = "tfoidc_override.tf.json"
BACKEND_FILE = ".tfoidc.tfbackend"
PLAN_FILE = "tfplan"
VARIABLES_FILE = "given.tfvars"
CRASH = "Stack trace from the "  # how Terraform introduces a crashed provider's
CRASH_LINES = 10
CUT_OFF = frozenset({"Request cancelled", "Plugin did not respond"})  # by a crash
CHANGES = 2  # the exit code of `plan -detailed-exitcode` that stands for changes


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the user gives to every command. `variables`: K=V; files are absolute."""

    variables: tuple[str, ...] = field(default=(), repr=False)
    variable_files: tuple[Path, ...] = ()
    backend: Mapping[str, str] = field(default_factory=dict, repr=False)
    backend_files: tuple[Path, ...] = ()


NO_INPUTS = Inputs()
# A backend with one of these says how it gets at its account: by a key that it looks up or has.
SAY_HOW = frozenset({"resource_group_name", "access_key", "sas_token"})


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
    """

    executable: Executable
    environment: Mapping[str, str]
    events: EventLog
    clock: Clock
    redactor: Redactor
    timeout: float | None = None
    standin_backend: Mapping[str, str] | None = None


class Workspace:
    """An isolated copy of a module.

    Args:
        module: The root module's folder.
        setting: What every workspace of the run shares.
        inputs: Variables and backend configuration.
        keep: Leave the copy on disk at the end.

    Raises:
        ModuleError: The module cannot be read or copied.
    """

    def __init__(
        self, module: Path, *, setting: Setting, inputs: Inputs = NO_INPUTS, keep: bool = False
    ) -> None:
        self.module = module
        self.setting = setting
        self.inputs = inputs
        self.keep = keep
        self.configuration = read_module(module)
        self.is_deployed = False
        self.plans: list[Path] = []
        self.plugin_folder: Path | None = None  # a mirror that all providers come from
        self._given_backend = self._read_backend()
        setting.redactor.add(*backend_secrets(self._backend_type, self._given_backend))
        setting.redactor.hide(
            *sensitive_values(
                self.configuration,
                variables=inputs.variables,
                files=inputs.variable_files,
                environment=setting.environment,
            )
        )
        self.base = _temporary_folder()
        try:
            self.path = _copy(self.configuration, self.base)
            _make_writable(self.base)
            self.runner = self._runner()
        except BaseException:
            shutil.rmtree(self.base, ignore_errors=True)
            raise

    def _runner(self) -> Runner:
        setting = self.setting
        return Runner(
            executable=setting.executable,
            directory=self.path,
            environment=setting.environment,
            events=setting.events,
            clock=setting.clock,
            redactor=setting.redactor,
            module=self.module.name,
            timeout=setting.timeout,
            refusals_are_final=setting.standin_backend is not None,
        )

    def close(self) -> None:
        """Remove the copy, unless it is to be kept or holds the only way to what is deployed."""
        (self.base / VARIABLES_FILE).unlink(missing_ok=True)
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
        self.runner = self._runner()

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
        """
        options: dict[str, Any] = {"input": False, "no_color": Flag}
        options["test_directory"] = test_directory
        if upgrade:
            options["upgrade"] = Flag
        if self.plugin_folder is not None:
            options["plugin_dir"] = str(self.plugin_folder)
            options["environment"] = {"TF_PLUGIN_CACHE_DIR": ""}  # it would copy what is linked to
        if backend:
            self._write_backend({**self._backend_config(), **(backend_config or {})})
            options["backend_config"] = [*map(str, self.inputs.backend_files), BACKEND_FILE]
        else:
            options["backend"] = False
        with self._plugin_cache():
            return self.run("init", **options)

    def _backend_config(self) -> dict[str, str]:
        own = self.configuration.backend
        given = self.setting.standin_backend
        if given is None:
            return dict(self.inputs.backend)
        known = own.names if own is not None and own.type == "azurerm" else frozenset[str]()
        if SAY_HOW & {*known, *self.inputs.backend}:
            known |= {"use_azuread_auth"}
        return {**{k: v for k, v in given.items() if k not in known}, **self.inputs.backend}

    @property
    def _backend_type(self) -> str:
        own = self.configuration.backend
        return AZURERM if own is None or self._needs_backend() else own.type

    def _read_backend(self) -> dict[str, Any]:
        """Give what the user configures the backend with: the block, the files, the options."""
        own = self.configuration.backend
        is_used = own is not None and not self._needs_backend()
        config: dict[str, Any] = dict(own.config) if own is not None and is_used else {}
        for file in self.inputs.backend_files:
            with contextlib.suppress(OSError, hcl.HclError):  # Terraform says it better
                attributes = hcl.parse_file(file).attributes.items()
                config.update({name: attribute.value for name, attribute in attributes})
        return {**config, **self.inputs.backend}

    def _needs_backend(self) -> bool:
        own = self.configuration.backend
        if self.setting.standin_backend is not None:
            return own is None or own.type != "azurerm"
        has_none = own is None and not self.configuration.has_cloud
        return has_none and bool(self.inputs.backend or self.inputs.backend_files)

    def _write_backend(self, config: Mapping[str, str]) -> None:
        """Write the configuration where no process list shows it, and an override if needed."""
        if self._needs_backend():
            override: dict[str, Any] = {"terraform": {"backend": {"azurerm": {}}}}
            (self.path / OVERRIDE_FILE).write_text(json.dumps(override), encoding="utf-8")
        lines = "".join(f"{name} = {quote(value)}\n" for name, value in config.items())
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

    def plan(self, *, out: str = PLAN_FILE, destroy: bool = False) -> Plan:
        """Run `terraform plan` and save the plan."""
        path = self.path / out
        write_private(path, "")  # Terraform keeps the mode of what is there
        try:
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
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.plans.append(path)
        return Plan(path=path, has_changes=done.exit_code == CHANGES, completed=done)

    def apply(self, plan: Plan | None = None) -> Completed:
        """Run `terraform apply`, of a saved plan or of what there is to do now."""
        self.is_deployed = True
        if plan is not None:
            return self.run("apply", str(plan.path), input=False, json=Flag)
        return self.run(
            "apply", input=False, json=Flag, auto_approve=Flag, **self.variable_options()
        )

    def destroy(self) -> Completed:
        """Run `terraform destroy`."""
        done = self.run(
            "destroy", input=False, json=Flag, auto_approve=Flag, **self.variable_options()
        )
        self.is_deployed = False
        return done

    def output(self, name: str | None = None) -> Any:  # noqa: ANN401 - whatever the module gives
        """Give one output's value, or the values of all; sensitive ones too.

        Raises:
            KeyError: There is no output of this name.
        """
        values = json.loads(self.run("output", json=Flag, no_color=Flag).stdout)
        self.setting.redactor.hide(*(o["value"] for o in values.values() if o.get("sensitive")))
        if name is None:
            return {key: output["value"] for key, output in values.items()}
        return values[name]["value"]

    def test(self, *arguments: str) -> Completed:
        """Run `terraform test -json`, with more arguments if there are any.

        Raises:
            TerraformError: A run failed, or none could be made.
        """
        return self.run("test", *arguments, json=Flag, **self.test_options())

    def select_workspace(self, name: str) -> None:
        """Select a Terraform workspace, and make it where it does not exist yet.

        It wins over TF_WORKSPACE, with which Terraform would refuse to select another one.
        """
        self.runner.environment.pop("TF_WORKSPACE", None)
        done = self.run("workspace select", name, no_color=Flag, accept=(0, 1))
        if done.exit_code:
            self.run("workspace new", name, no_color=Flag)

    def state(self) -> str:
        """Give the state as it is, JSON. It may hold secrets."""
        state = self.run("state pull").stdout
        self.setting.redactor.hide(*sensitive_in_state(state))
        return state

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
        """
        done = self.runner.run(command, *arguments, **options)
        if done.exit_code not in accept:
            raise self._failure(done)
        return done

    def _failure(self, done: Completed) -> TerraformError:
        redact = self.setting.redactor.clean
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
        """Return the variables as the runner takes them: by file, never as arguments.

        Raises:
            ModuleError: The module has no such variable.
        """
        require_declared(self.inputs.variables, self.configuration)
        return self.test_options()

    def test_options(self) -> dict[str, Any]:
        """Return the same for `terraform test`, whose files may use variables of their own."""
        files = [str(file) for file in self.inputs.variable_files]
        if self.inputs.variables:
            given = self.base / VARIABLES_FILE
            write_private(given, as_file(self.inputs.variables, self.configuration))
            files.append(str(given))
        return {"var_file": files}


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


def _make_writable(base: Path) -> None:
    """Let the copy of a read-only folder be written to, and removed."""
    for name, folders, files in os.walk(base):
        for path in (*(Path(name, f) for f in folders), *(Path(name, f) for f in files)):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o700 if path.is_dir() else 0o600))


def _crash(stderr: str) -> tuple[str, ...]:
    """Give the beginning of the trace that a crashed provider left, if one did."""
    _, found, trace = stderr.partition(CRASH)
    return ("\n".join((found + trace).splitlines()[:CRASH_LINES]),) if found else ()
