"""Init fetches the same once: workspaces of one configuration share what it has fetched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_tfoidc.errors import TerraformError
from pytest_tfoidc.events import CommandFinished
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.initialised import PROVIDERS, key_of
from tests.providers.providermirror import MOCKCLOUD, lay_out, pack

pytest.importorskip("tf", reason="providers for tests are written with the package tf")

MAIN = """
terraform {
  required_providers {
    mockcloud = {
      source  = "%s"
      version = "%s"
    }
  }
}
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OidcSession]:
    variables = lay_out(tmp_path, versions=("1.0.0",))
    pack(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, **variables}
    with OidcSession(SessionOptions(context="mock", environment=environment)) as session:
        yield session


def spoil(folder: Path) -> None:
    """Let the mirror list its packages, and give none of them."""
    for package in (folder / "mirror").rglob("*.zip"):
        package.write_bytes(b"")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(MAIN % (MOCKCLOUD, "1.0.0"), "utf-8")
    return folder


def test_a_second_workspace_downloads_nothing(
    session: OidcSession, module: Path, tmp_path: Path
) -> None:
    with session.workspace(module) as first:
        first.init()
        [program] = (first.path / PROVIDERS).rglob("terraform-provider-*")
        spoil(tmp_path)
        with session.workspace(module) as second:
            second.init()
            [linked] = (second.path / PROVIDERS).rglob("terraform-provider-*")
            assert linked.samefile(program)
    with session.workspace(module) as third:  # when the one is gone that has fetched it
        third.init()


@pytest.mark.parametrize("change", ["version", "lock", "override"])
def test_what_would_fetch_something_else_fetches_it(
    session: OidcSession, module: Path, tmp_path: Path, change: str
) -> None:
    with session.workspace(module) as first:
        first.init()
        lock = (first.path / ".terraform.lock.hcl").read_text("utf-8")
    spoil(tmp_path)
    if change == "version":
        (module / "main.tf").write_text(MAIN % (MOCKCLOUD, ">= 1.0.0"), "utf-8")
    elif change == "lock":
        (module / ".terraform.lock.hcl").write_text(lock, "utf-8")
    with session.workspace(module) as second:
        if change == "override":
            (second.path / "x_override.tf").write_text("locals {}\n", "utf-8")
        with pytest.raises(TerraformError):
            second.init()


def test_an_upgrade_asks_again(session: OidcSession, module: Path, tmp_path: Path) -> None:
    with session.workspace(module) as first:
        first.init()
    spoil(tmp_path)
    with session.workspace(module) as second, pytest.raises(TerraformError):
        second.init(upgrade=True)


def test_nothing_is_left_at_the_end(session: OidcSession, module: Path, tmp_path: Path) -> None:
    with session.workspace(module) as workspace:
        workspace.init()
    assert list(tmp_path.glob("tfoidc-init-*"))
    session.stop()
    assert not list(tmp_path.glob("tfoidc-*"))


def commands(session: OidcSession) -> list[str]:
    """Return the commands that were run, in order."""
    return [one.command for one in session.events.since(0) if isinstance(one, CommandFinished)]


@pytest.fixture
def calling(module: Path) -> Path:
    """Make the module one that calls another, with a backend of its own and a resource."""
    (module / "inner").mkdir()
    (module / "inner" / "main.tf").write_text('output "it" { value = "there" }\n', "utf-8")
    with (module / "main.tf").open("a", encoding="utf-8") as file:
        file.write('terraform {\n  backend "azurerm" {\n    key = "own.tfstate"\n  }\n}\n')
        file.write('module "inner" {\n  source = "./inner"\n}\n')
        file.write('resource "terraform_data" "it" {\n  input = module.inner.it\n}\n')
        file.write('output "it" {\n  value = terraform_data.it.output\n}\n')
    return module


def test_deployments_of_the_same_content_share_one_init(
    session: OidcSession, calling: Path
) -> None:
    for _ in range(2):
        with session.isolated(), session.workspace(calling) as workspace, workspace.deployed():
            assert workspace.output("it") == "there"
            assert list(workspace.state().resources) == ["terraform_data.it"]
    each = ["apply", "state pull", "destroy"]
    assert commands(session) == ["init", *each, *each]


@pytest.mark.parametrize(
    "change", ["root", "inner", "copy", "key", "arguments", "workspace", "live"]
)
def test_what_init_would_make_anew_is_initialised(
    session: OidcSession, calling: Path, change: str
) -> None:
    with session.workspace(calling) as first:
        first.prepare()
    if change in {"root", "inner"}:
        folder = calling if change == "root" else calling / "inner"
        (folder / "more.tf").write_text("locals {}\n", "utf-8")
    inputs = Inputs(backend={"key": "other.tfstate"} if change == "key" else {})
    environment = {
        "arguments": {"TF_CLI_ARGS_init": "-get=true"},
        "workspace": {"TF_WORKSPACE": "other"},
    }.get(change, {})
    with session.workspace(calling, inputs=inputs, environment=environment) as second:
        if change == "copy":
            (second.path / "x_override.tf").write_text("locals {}\n", "utf-8")
        if change == "live":
            second.setting = replace(second.setting, standin_backend=None)
        second.prepare()
    assert commands(session) == ["init", "init"]


def test_an_init_that_is_asked_for_is_run(session: OidcSession, calling: Path) -> None:
    for _ in range(2):
        with session.workspace(calling) as workspace:
            workspace.prepare()
            workspace.init()
    assert commands(session) == ["init", "init", "init"]


def test_a_configuration_of_the_command_line_counts(tmp_path: Path) -> None:
    file = tmp_path / "terraform.rc"
    environment = {"TF_CLI_CONFIG_FILE": str(file)}
    keys = set()
    for text in ("", "a", "b"):
        file.write_text(text, "utf-8")
        keys.add(key_of([tmp_path], executable=["terraform"], environment=environment))
    assert len(keys) == 3
