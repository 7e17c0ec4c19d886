"""Which backend a workspace is initialized with, and what it is configured with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tfoidc.terraform.audit.finders import AZURERM
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.live.state import CLOUD
from pytest_tfoidc.terraform.module import RootModule

DEFAULT_WORKSPACE = "default"
# A backend with one of these says how it gets at its account: by a key that it looks up or has.
SAY_HOW = frozenset({"resource_group_name", "access_key", "sas_token"})


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs that the user gives to every command. `variables`: K=V; files are absolute.

    `values`: variables of any type, as Python has them; they win over all others.
    `apply_environment`: variables of `apply`, `destroy` and `test` alone, where they act as another
    identity than `plan`.
    `lends_backend`: on the stand-in a module that has no backend gets one; else its state is a
    file, as in life.
    """

    variables: tuple[str, ...] = field(default=(), repr=False)
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    variable_files: tuple[Path, ...] = ()
    backend: Mapping[str, str] = field(default_factory=dict, repr=False)
    backend_files: tuple[Path, ...] = ()
    apply_environment: Mapping[str, str] = field(default_factory=dict)
    lends_backend: bool = True


NO_INPUTS = Inputs()


@dataclass(frozen=True, kw_only=True)
class BackendChoice:
    """The backend of a module's copy.

    Attributes:
        module: The module, as its files describe it.
        inputs: What the user gives for the backend.
        standin: The azurerm backend that takes the place of another one, or of values that are
            left out; None where the module's own backend is used.
    """

    module: RootModule
    inputs: Inputs
    standin: Mapping[str, str] | None

    @property
    def is_replaced(self) -> bool:
        """Whether the copy gets an azurerm backend that the module does not have."""
        own = self.module.backend
        has_none = own is None and not self.module.has_cloud
        if has_none and not (self.standin is not None and self.inputs.lends_backend):
            return bool(self.inputs.backend or self.inputs.backend_files)
        return self.standin is not None and (own is None or own.type != AZURERM)

    @property
    def used(self) -> Inputs:
        """The configuration for this backend: none where it was given for one of another kind."""
        has_own = self.module.backend is not None or self.module.has_cloud
        return NO_INPUTS if has_own and self.is_replaced else self.inputs

    @property
    def type(self) -> str:
        """The type of the backend that init will use; empty where it will use none."""
        if self.is_replaced:
            return AZURERM
        if self.module.backend is not None:
            return self.module.backend.type
        return CLOUD if self.module.has_cloud else ""

    def options(self) -> dict[str, str]:
        """Return what init is given as configuration."""
        own = self.module.backend
        inputs = self.used
        if self.standin is None or not self.type:
            return dict(inputs.backend)
        known = own.names if own is not None and own.type == AZURERM else frozenset[str]()
        known |= {*inputs.backend, *self._in_files()}
        if SAY_HOW & known:
            known |= {"use_azuread_auth"}
        return {**{k: v for k, v in self.standin.items() if k not in known}, **inputs.backend}

    def given(self) -> dict[str, Any]:
        """Return what the user configures it with: the block, the files, the options."""
        own = self.module.backend or self.module.cloud
        config: dict[str, Any] = (
            dict(own.config) if own is not None and not self.is_replaced else {}
        )
        return {**config, **self._in_files(), **self.used.backend}

    def _in_files(self) -> dict[str, Any]:
        """Return what the files of backend configuration set."""
        found: dict[str, Any] = {}
        for file in self.used.backend_files:
            with contextlib.suppress(OSError, parser.HclError):  # Terraform says it better
                attributes = parser.parse_file(file).attributes.items()
                found.update({name: attribute.value for name, attribute in attributes})
        return found

    def config(self) -> dict[str, Any]:
        """Return all that the backend is configured with, as far as it can be known."""
        return {**self.given(), **self.options()}
