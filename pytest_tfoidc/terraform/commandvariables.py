"""The variables that a workspace's commands have: the run's, the test's, and TF_VAR_…."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.ephemeral import ephemeral_files, ephemeral_variables
from pytest_tfoidc.terraform.module import RootModule
from pytest_tfoidc.terraform.paths import VARIABLE
from pytest_tfoidc.terraform.variablesfile import (
    as_file,
    as_json_file,
    require_declared,
    sensitive_values,
    write_private,
)

TEXTS_FILE = "given.tfvars"
VALUES_FILE = "given.tfvars.json"


@dataclass(frozen=True, kw_only=True)
class GivenVariables:
    """The variables of a plan or an apply: values of Python, and the TF_VAR_… at that time."""

    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(kw_only=True)
class CommandVariables:
    """Tells Terraform's commands their variables, by file or environment and never as arguments.

    Args:
        configuration: The module.
        inputs: What every command of the workspace is given.
        copy: Where Terraform runs.
        folder: Where files with values are written.
        redactor: Learns what is sensitive.
        environment: Returns the outer environment as it is now, as Terraform is to see it.
        values: The values of Python that the next command has, or the last one had.
    """

    configuration: RootModule
    inputs: Inputs
    copy: Path
    folder: Path
    redactor: Redactor
    environment: Callable[[], Mapping[str, str]]
    values: Mapping[str, object] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what every command is given."""
        self.values = self.inputs.values

    def give(
        self, variables: Mapping[str, object] | None, environment: dict[str, str]
    ) -> GivenVariables:
        """Let the next command have these variables over those of the workspace.

        Args:
            variables: Values of any type.
            environment: Terraform's, whose TF_VAR_… become what they are outside now.

        Raises:
            ModuleError: The module has no such variable.
            UsageError: A variable has a value that Terraform cannot take.
        """
        require_declared(variables or (), self.configuration, given_by="The test")
        self.use({**self.inputs.values, **(variables or {})})
        self.follow(environment)
        return GivenVariables(values=self.values, environment=_variables_of(environment))

    def use(self, values: Mapping[str, object]) -> None:
        """Let the next command have these values, and no others.

        Raises:
            UsageError: Terraform cannot take one of them.
        """
        as_json_file(values)  # what cannot be used is told before anything is written
        self.values = values
        secret = self.configuration.secret_variables
        self.redactor.hide(*(values[name] for name in secret if name in values))

    def follow(self, environment: dict[str, str]) -> None:
        """Let TF_VAR_… count as they are now: a test may have set some since the start."""
        found = _variables_of(self.environment())
        before = _variables_of(environment)
        if before == found:
            return
        for name in before:
            del environment[name]
        environment.update(found)
        self.redactor.hide(
            *sensitive_values(self.configuration, variables=(), files=(), environment=found)
        )

    def options(self) -> dict[str, Any]:
        """Return the variables as the runner takes them.

        Raises:
            ModuleError: The module has no such variable.
        """
        names = (text.partition("=")[0] for text in self.inputs.variables)
        require_declared(names, self.configuration)
        return self.test_options()

    def test_options(self) -> dict[str, Any]:
        """Return the same for `terraform test`, whose files may use variables of their own."""
        files = [str(file) for file in self.inputs.variable_files]
        return self._written(files, self.inputs.variables, self.values)

    def ephemeral_options(self) -> dict[str, Any]:
        """Return the variables that no plan keeps: its apply needs them again."""
        names = frozenset(one.name for one in self.configuration.variables if one.ephemeral)
        if not names:
            return {}
        files = ephemeral_files(self.inputs.variable_files, names, into=self.copy)
        texts = ephemeral_variables(self.inputs.variables, names)
        values = {name: value for name, value in self.values.items() if name in names}
        return self._written(files, texts, values)

    def _written(
        self, files: list[str], texts: tuple[str, ...], values: Mapping[str, object]
    ) -> dict[str, Any]:
        if texts:
            write_private(self.folder / TEXTS_FILE, as_file(texts, self.configuration))
            files.append(str(self.folder / TEXTS_FILE))
        if values:
            write_private(self.folder / VALUES_FILE, as_json_file(values))
            files.append(str(self.folder / VALUES_FILE))
        return {"var_file": files}


def _variables_of(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name.startswith(VARIABLE)}
