"""The tools of the tests of the ledger and the sweep: a live context that outlives its runs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import EventLog
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.rehearsal import without_context
from pytest_tfoidc.session import REHEARSAL, OidcSession, SessionOptions
from pytest_tfoidc.sweeping import Outcome, SweepOptions, sweep
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.live.ledger import FOLDER, Damaged, Entry, Ledger
from pytest_tfoidc.terraform.workspace import Workspace
from tests.providers.providermirror import lay_out

EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
KEY = {"key": "prod.tfstate"}
MODULE = """\
terraform {
  backend "azurerm" {}
  required_providers {
    mockcloud = {
      source  = "tfoidc/mockcloud"
      version = "2.0.0"
    }
  }
}

variable "name" {
  type    = string
  default = "rg-test"
}

resource "mockcloud_group" "this" {
  name     = var.name
  location = "westeurope"
}
"""
DATA = """\
terraform {
  backend "azurerm" {}
}

resource "terraform_data" "one" {
  input = "one"
}
"""

S3 = """
terraform {
  backend "s3" {
    bucket                      = "states"
    key                         = "prod.tfstate"
    region                      = "eu-west-1"
    access_key                  = "made-up"
    secret_key                  = "made-up"
    use_path_style              = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_requesting_account_id  = true
    skip_region_validation      = true
    endpoints = {
      s3 = "ENDPOINT"
    }
  }
}

resource "terraform_data" "this" {
  input = "one"
}
"""


class _WithoutBackend(OidcSession):
    """A session that uses the module's own backend, as outside of a rehearsal."""

    def workspace(self, module: Path, **options: Any) -> Workspace:  # noqa: ANN401 - as the other
        """Make a workspace without the backend of rehearsals."""
        assert self.recorder is not None  # it is made with the context as it is
        self.context = dataclasses.replace(self.context, stand_in=False)
        try:
            return super().workspace(module, **options)
        finally:
            self.context = dataclasses.replace(self.context, stand_in=True)


@dataclass
class World:
    """A stand-in for Azure behind a pipeline's step, and a repository with a module.

    Args:
        mock: The stand-in.
        root: The repository.
        environment: The step's.
    """

    mock: MockAzure
    root: Path
    environment: Mapping[str, str] = field(repr=False)

    @property
    def module(self) -> Path:
        """The module's folder."""
        return self.root / "module"

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.root / FOLDER)

    def write(self, main: str, **files: str) -> None:
        """Write the module."""
        self.module.mkdir(exist_ok=True)
        for name, text in {"main.tf": main, **files}.items():
            (self.module / name).parent.mkdir(parents=True, exist_ok=True)
            (self.module / name).write_text(text, encoding="utf-8")

    def session(self, **options: object) -> OidcSession:
        """Make a session of a step; each is a run, a job or a machine of its own."""
        is_replaced = options.pop("standin_backend", True)
        usual = {
            "executable": EXECUTABLE,
            "environment": self.environment,
            "root": self.root,
            "keeps_events": True,
        }
        session_class = OidcSession if is_replaced else _WithoutBackend
        return session_class(SessionOptions(**{**usual, **options}))  # type: ignore[arg-type] # the caller's

    @contextlib.contextmanager
    def abandoned(self, *, inputs: Inputs | None = None, **options: object) -> Iterator[Workspace]:
        """Return a workspace of a run that is killed at the end of the block."""
        given = inputs or Inputs(backend=KEY)
        with self.session(**options) as session:
            workspace = session.workspace(self.module, inputs=given)
            try:
                yield workspace
            finally:
                for record in workspace._records.values():
                    record.release()  # as the process's end does
                shutil.rmtree(workspace.base)

    def deploy(self, *, inputs: Inputs | None = None) -> Entry:
        """Apply the module in a run that is killed then."""
        with self.abandoned(inputs=inputs) as workspace:
            workspace.init()
            workspace.apply()
        return self.entry()

    def entry(self) -> Entry:
        """The only entry."""
        (entry,) = self.ledger.entries()
        assert isinstance(entry, Entry)
        return entry

    def sweep(
        self, *, environment: Mapping[str, str] | None = None, **options: object
    ) -> list[Outcome]:
        """Sweep in a run of its own."""
        around = {**self.environment, **(environment or {})}
        given = {"standin_backend": options.pop("standin_backend", True)}
        wanted = SweepOptions(
            **{"ledger": self.ledger.folder, "root": self.root, **options},  # type: ignore[arg-type] # the same
        )
        with self.session(environment=around, **given) as session:
            return sweep(session, wanted, tell=lambda _line: None)

    @property
    def groups(self) -> list[str]:
        """The names of the resource groups that are there."""
        found = self.mock.resource_manager.resources.values()
        return sorted(str(one["name"]) for one in found)

    @property
    def states(self) -> list[str]:
        """The texts of all states that are there."""
        accounts = self.mock.blobs._store.accounts.values()
        containers = [one for account in accounts for one in account.containers.values()]
        return [blob.content.decode() for one in containers for blob in one.blobs.values()]

    @property
    def locks(self) -> list[str]:
        """The blobs that are locked."""
        return list(self.mock.blobs.leases())

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left: no resource, no lock, no entry."""
        return not (self.groups or self.locks or self.ledger.entries())


def is_damaged(one: Entry | Damaged) -> bool:
    """Say whether an entry cannot be used."""
    return isinstance(one, Damaged)


@contextlib.contextmanager
def world_of(folder: Path) -> Iterator[World]:
    """Start a stand-in and write a repository."""
    disturbing = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_WORKSPACE")
    outer = {name: value for name, value in os.environ.items() if name not in disturbing}
    mirror = lay_out(folder / "providers")
    (root := folder / "repository").mkdir()
    with MockAzure(clock=VirtualClock(), events=EventLog(), environment=outer) as mock:
        step = mock.pipeline_environment("azure-devops")
        kind = {REHEARSAL: "azure-devops"}
        yield World(
            mock=mock, root=root, environment={**without_context(outer), **mirror, **step, **kind}
        )
