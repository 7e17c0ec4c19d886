"""Modules of every shape work as they are, and stay as they are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.project_kit import Project

MARK = "belongs-to-a-user"
BIG = 64 * 1024 * 1024  # bytes
KEPT = "tfoidc: workspace kept: "
SMALL = 1024 * 1024
TYPED = (
    'text=spaces, "quotes", ${braces} and ümläute',
    "number=4.5",
    "flag=true",
    'list=["a", "b c"]',
    "set=[2, 1]",
    'map={key = "value = more"}',
    'tuple=["one", 2, false]',
    'object={name = "x", tags = {a = "b"}}',
    'anything=[1, "two", {three = [3]}]',
    "nothing=null",
    "password=s3cret = with=equals",
)


def snapshot(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Return the checksum, the time and the mode of everything in a folder."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): _state_of(path) for path in paths}


def _state_of(path: Path) -> tuple[str, int, int]:
    facts = path.lstat()
    if path.is_symlink():
        content = os.fsencode(path.readlink())
    else:
        content = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(content).hexdigest(), facts.st_mtime_ns, facts.st_mode


def state_of_a_user() -> str:
    resource = {"mode": "managed", "type": "terraform_data", "name": "precious"}
    instance = {"schema_version": 0, "attributes": {"id": MARK, "input": None, "output": None}}
    provider = 'provider["terraform.io/builtin/terraform"]'
    state = {"version": 4, "terraform_version": "1.6.0", "serial": 7, "lineage": MARK}
    resources = [{**resource, "provider": provider, "instances": [instance]}]
    return json.dumps({**state, "outputs": {}, "resources": resources})


def plant_states(module: Path) -> None:
    """Lay states into a module's folder, everywhere that Terraform keeps its own."""
    for name in (
        "terraform.tfstate",
        "terraform.tfstate.backup",
        *(["state/of-a-user.tfstate"] if module.name == "local" else ()),  # its backend's path
        "terraform.tfstate.d/blue/terraform.tfstate",
        ".terraform/terraform.tfstate",
    ):
        file = module / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(state_of_a_user(), encoding="utf-8")


def make_repository(project: Project) -> Path:
    """Make a repository under a difficult path; give the module in it."""
    top = project.path / "user" / "Ordner mit ümläuten & 'quotes'" / "repo"
    project.copy("shape_nested", top)
    (top / ".git").mkdir()
    with (top / "big.bin").open("wb") as file:
        file.truncate(BIG)
    module = top / "stack"
    (module / "linked.txt").symlink_to("../shared/text.txt")
    (module / "linked").symlink_to("../settings")
    (module / "dangling").symlink_to("nowhere")
    return module


def test_modules_of_every_shape_pass_and_are_left_as_they_were(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    modules = [
        project.copy("shape_no_backend", "user/plain"),
        project.copy("shape_local_backend", "user/local"),
        make_repository(project),
    ]
    for module in modules:
        plant_states(module)
    before = snapshot(project.path / "user")
    chosen = [f"--tf-module={module}" for module in modules]
    result = project.run(*chosen, "--tf-check=delayed_apply", "--tf-keep")
    result.assert_outcomes(passed=len(modules))
    assert snapshot(project.path / "user") == before
    assert_kept_copies_hold_no_state_of_the_users(project, result, count=len(modules))


def assert_kept_copies_hold_no_state_of_the_users(
    project: Project, result: pytest.RunResult, *, count: int
) -> None:
    """The modules' own copies: what a neighbour has, a module may read."""
    kept = sorted(project.temp.glob("tfoidc-*"))
    assert len(kept) == count
    files = [
        Path(folder, name)
        for line in result.outlines
        if line.startswith(KEPT)
        for folder, _, names in os.walk(line.removeprefix(KEPT))
        for name in names
        if not Path(folder, name).is_symlink()
    ]
    assert files
    assert sum(file.stat().st_size for file in files) < SMALL
    assert not [file for file in files if MARK.encode() in file.read_bytes()]
    for top in kept:
        shutil.rmtree(top)


def test_variables_of_every_type_arrive_and_sensitive_outputs_can_be_read(
    project: Project,
) -> None:
    project.copy("shape_typed")
    variables = [f"--tf-var={text}" for text in TYPED]
    result = project.run("--tf-module=shape_typed", "--tf-check=none", *variables)
    result.assert_outcomes(passed=1)


def test_variables_come_from_files_as_well(project: Project) -> None:
    module = project.copy("shape_typed")
    lines = [" = ".join(text.split("=", 1)) for text in TYPED[1:-1]]
    text = 'text = "spaces, \\"quotes\\", $${braces} and ümläute"\n' + "\n".join(lines)
    (project.path / "all.tfvars").write_text(text, encoding="utf-8")
    password = json.dumps({"password": "s3cret = with=equals", "flag": True})
    (module / "more.auto.tfvars.json").write_text(password, encoding="utf-8")
    result = project.run("--tf-module=shape_typed", "--tf-check=none", "--tf-var-file=all.tfvars")
    result.assert_outcomes(passed=1)


def test_the_workspace_is_what_the_environment_or_the_test_says(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.copy("shape_workspaces")
    monkeypatch.setenv("TF_WORKSPACE", "prod")
    result = project.run("--tf-module=shape_workspaces", "--tf-check=delayed_apply")
    result.assert_outcomes(passed=2)
