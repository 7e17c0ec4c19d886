"""Resources that exist beforehand on the stand-in, as users name them: set-up modules and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import TerraformError, UsageError
from pytest_tfoidc.mockazure.existing import (
    SUFFIXES,
    is_file_of_resources,
    put_existing,
    read_existing,
)
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS
from pytest_tfoidc.session import REHEARSAL, OidcSession, SessionOptions
from pytest_tfoidc.terraform.backend import NO_INPUTS, BackendChoice, Inputs
from pytest_tfoidc.terraform.module import read_module

OPTION = "--tf-existing"
NO_VALUE = "No value for required variable"
VARIABLES = "var-file"  # what a PATH may be followed by beside its backend's values
BACKEND_FILE = "backend-config"
REHEARSED = "TFOIDC_REHEARSAL_EXISTING"  # what a rehearsal has set up already


@dataclass(frozen=True, kw_only=True)
class SetupModule:
    """A module that is applied first. `given`: what is said of its state's place and variables."""

    path: Path
    given: Inputs = NO_INPUTS

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of its backend: with a key of its own, where nothing names one."""
        choice = BackendChoice(module=read_module(self.path), inputs=self.given, standin={})
        default = {"key": f"{self.path.resolve().name}.tfstate"}
        return {**default, **choice.given(), **self.given.backend}


@dataclass(frozen=True, kw_only=True)
class Beforehand:
    """All of it: files of resources, and modules, which are applied after them."""

    files: tuple[Path, ...] = ()
    modules: tuple[SetupModule, ...] = ()


NOTHING = Beforehand()


def parse_beforehand(texts: Sequence[str], *, base: Path) -> Beforehand:
    """Read the option's values; nothing is applied yet.

    Args:
        texts: Each a file, or a module's folder, which `,NAME=VALUE` may follow for its backend,
            `,backend-config=FILE` for the same, and `,var-file=FILE` for its variables.
        base: The folder that they are relative to.

    Raises:
        UsageError: There is no such path, it is neither, or two share one state.
    """
    files, modules = [], []
    for text in texts:
        whole = base / text
        name, _, rest = (text, "", "") if whole.exists() else text.partition(",")
        path = base / name
        if path.is_dir():
            modules.append(_module(path, rest, text, base))
        elif path.is_file() and is_file_of_resources(path) and not rest:
            files.append(path)
        else:
            raise _neither(text, path)
    _require_own_states(modules)
    return Beforehand(files=tuple(files), modules=tuple(modules))


def _module(path: Path, rest: str, text: str, base: Path) -> SetupModule:
    pairs = [part.partition("=") for part in rest.split(",") if part]
    if any(not name.strip() or not equals for name, equals, _ in pairs):
        remedy = "Write PATH,NAME=VALUE, as in network,key=network.tfstate."
        raise UsageError("A backend's value is no pair.", where=f"{OPTION} {text}", remedy=remedy)
    given = [(name.strip(), value) for name, _, value in pairs]
    inputs = Inputs(
        backend={name: value for name, value in given if name not in {VARIABLES, BACKEND_FILE}},
        backend_files=_files(given, BACKEND_FILE, text, base),
        variable_files=_files(given, VARIABLES, text, base),
    )
    return SetupModule(path=path, given=inputs)


def _files(
    given: Sequence[tuple[str, str]], wanted: str, text: str, base: Path
) -> tuple[Path, ...]:
    files = tuple((base / value).absolute() for name, value in given if name == wanted)
    missing = next((file for file in files if not file.is_file()), None)
    if missing is None:
        return files
    raise UsageError(
        f"There is no such file ({wanted}).",
        where=f"{OPTION} {text}",
        cause=f"{missing} is not there",
        remedy="Correct the path; it is relative to what PATH is relative to.",
    )


def _neither(text: str, path: Path) -> UsageError:
    remedy = f"Name a module's folder, or a file that ends in {', '.join(SUFFIXES)}."
    if not path.exists():
        what = "There is nothing of this name."
        return UsageError(
            what, where=f"{OPTION} {text}", cause=f"{path} is not there", remedy=remedy
        )
    what = "This is neither a module nor a file of resources."
    return UsageError(what, where=f"{OPTION} {text}", remedy=remedy)


def _require_own_states(modules: Sequence[SetupModule]) -> None:
    places: dict[tuple[object, ...], SetupModule] = {}
    for module in modules:
        config = module.config
        names = ("storage_account_name", "container_name", "key")
        place = tuple(str(config.get(name, "")) for name in names)
        if place in places:
            raise UsageError(
                "Two set-up modules have one state.",
                where=f"{OPTION} {places[place].path} and {module.path}",
                cause=f"both keep it under {config['key']}",
                remedy="Give one of them another: PATH,key=NAME.tfstate",
            )
        places[place] = module


def put_files(mock: MockAzure, beforehand: Beforehand) -> None:
    """Put the resources of the files onto a stand-in.

    Raises:
        UsageError: A file cannot be used.
    """
    put_existing(mock, read_existing(beforehand.files))


def apply_modules(session: OidcSession, beforehand: Beforehand) -> None:
    """Apply the set-up modules; they are not destroyed.

    Raises:
        TfOidcError: One cannot be applied. What follows it is not tried.
    """
    for module in beforehand.modules:
        with session.setup_workspace(
            module.path, inputs=module.given, key=module.config["key"]
        ) as workspace:
            try:
                workspace.init()
                workspace.apply()
            except TerraformError as error:
                raise _failed(module, error) from error


def _failed(module: SetupModule, error: TerraformError) -> TerraformError:
    remedy = error.remedy or "Mend the set-up module; nothing else was run."
    if NO_VALUE in error.what:
        remedy = f"Give it values: PATH,{VARIABLES}=FILE, its own terraform.tfvars, or TF_VAR_…."
    return TerraformError(
        f"What exists beforehand cannot be set up: {error.what}",
        where=f"{OPTION} {module.path}",
        cause=error.cause,
        remedy=remedy,
        output=error.output,
        exit_code=error.exit_code,
    )


def set_up(session: OidcSession, beforehand: Beforehand) -> None:
    """Set up everything on a session's own stand-in.

    Raises:
        TfOidcError: Something of it cannot be set up.
    """
    if session.mock is not None:
        put_files(session.mock, beforehand)
        apply_modules(session, beforehand)


def rehearsed(mock: MockAzure, beforehand: Beforehand, *, environment: Mapping[str, str]) -> None:
    """Set up everything on a rehearsal's stand-in, through a step of Azure DevOps.

    Args:
        mock: The stand-in, which runs.
        beforehand: What is there.
        environment: The environment of the rehearsal.

    Raises:
        TfOidcError: Something of it cannot be set up.
    """
    put_files(mock, beforehand)
    if not beforehand.modules:
        return
    step = {**environment, **mock.pipeline_environment(AZURE_DEVOPS), REHEARSAL: AZURE_DEVOPS}
    with OidcSession(SessionOptions(context=AZURE_DEVOPS, environment=step)) as session:
        apply_modules(session, beforehand)


def set_up_rehearsed(session: OidcSession, beforehand: Beforehand) -> None:
    """Set up, from inside of a rehearsal, what its own `--existing` has not set up.

    Raises:
        TfOidcError: A module cannot be applied, or there is a file: those are given to the
            rehearsal itself.
    """
    there = json.loads(session.options.environment.get(REHEARSED, "[]"))
    files = [file for file in beforehand.files if str(file.resolve()) not in there]
    if files:
        raise UsageError(
            "A file of resources cannot be put into a rehearsal from inside of it.",
            where=f"{OPTION} {files[0]}",
            remedy=f"Give it to the rehearsal: tfoidc mock --pipeline … --existing {files[0]} -- …",
        )
    modules = tuple(m for m in beforehand.modules if str(m.path.resolve()) not in there)
    apply_modules(session, Beforehand(modules=modules))


def rehearsed_paths(beforehand: Beforehand) -> str:
    """Return what a rehearsal tells its command: what has been set up already."""
    paths = (*beforehand.files, *(module.path for module in beforehand.modules))
    return json.dumps([str(path.resolve()) for path in paths])
