"""Which backend a workspace is initialized with, and what it is configured with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tfoidc.terraform import hcl
from pytest_tfoidc.terraform.finders import AZURERM
from pytest_tfoidc.terraform.live_state import CLOUD
from pytest_tfoidc.terraform.module import RootModule

# A backend with one of these says how it gets at its account: by a key that it looks up or has.
SAY_HOW = frozenset({"resource_group_name", "access_key", "sas_token"})


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the user gives to every command. `variables`: K=V; files are absolute."""

    variables: tuple[str, ...] = ()
    variable_files: tuple[Path, ...] = ()
    backend: Mapping[str, str] = field(default_factory=dict)
    backend_files: tuple[Path, ...] = ()


NO_INPUTS = Inputs()


@dataclass(frozen=True, kw_only=True)
class BackendChoice:
    """The backend of a module's copy.

    Attributes:
        module: The module, as its files describe it.
        inputs: What the user gives for the backend.
        standin: The azurerm backend that a module gets where it has none of its own, or leaves
            values out; None where the module's own backend is used.
    """

    module: RootModule
    inputs: Inputs
    standin: Mapping[str, str] | None

    @property
    def is_replaced(self) -> bool:
        """Whether the copy gets an azurerm backend that the module does not have."""
        own = self.module.backend
        if self.standin is not None:
            return own is None or own.type != AZURERM
        has_none = own is None and not self.module.has_cloud
        return has_none and bool(self.inputs.backend or self.inputs.backend_files)

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
        if self.standin is None:
            return dict(self.inputs.backend)
        known = own.names if own is not None and own.type == AZURERM else frozenset[str]()
        if SAY_HOW & {*known, *self.inputs.backend}:
            known |= {"use_azuread_auth"}
        return {**{k: v for k, v in self.standin.items() if k not in known}, **self.inputs.backend}

    def given(self) -> dict[str, Any]:
        """Return what the user configures it with: the block, the files, the options."""
        own = self.module.backend or self.module.cloud
        config: dict[str, Any] = (
            dict(own.config) if own is not None and not self.is_replaced else {}
        )
        for file in self.inputs.backend_files:
            with contextlib.suppress(OSError, hcl.HclError):  # Terraform says it better
                attributes = hcl.parse_file(file).attributes.items()
                config.update({name: attribute.value for name, attribute in attributes})
        return {**config, **self.inputs.backend}

    def config(self) -> dict[str, Any]:
        """Return all that the backend is configured with, as far as it can be known."""
        return {**self.given(), **self.options()}
