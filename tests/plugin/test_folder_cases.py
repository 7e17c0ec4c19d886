"""Modules as people have them: the copy is their folder, and their inputs reach every phase."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.project_kit import Project, text_of

ALWAYS = """\
resource "terraform_data" "deploy" {
  triggers_replace = { always_run = timestamp() }
}
"""
EPHEMERAL = """\
terraform {
  backend "azurerm" {}
}
variable "deploy_token" {
  type      = string
  ephemeral = true
  sensitive = true
}
variable "size" { type = string }
resource "terraform_data" "a" { input = var.size }
"""
PROTECTED = """\
terraform {
  backend "azurerm" {}
}
module "inner" { source = "./inner" }
resource "terraform_data" "state_account" {
  input = "stshop"
  lifecycle { prevent_destroy = true }
}
output "id" { value = terraform_data.state_account.id }
"""
INNER = """\
resource "terraform_data" "vault" {
  for_each = toset(["a", "b"])
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [input]
  }
}
"""
MAKES_IT = """\
run "makes_it" {
  assert {
    condition     = output.id != ""
    error_message = "no id"
  }
}
"""


def fingerprint(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return the bytes, links and times of everything in a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted((folder, *folder.rglob("*"))):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


class Watched:
    """A folder of the user's; `run` runs pytest and requires that the folder is the same after."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.folder = folder

    def run(self, *arguments: str | Path, executable: str | Path | None = None) -> pytest.RunResult:
        before = fingerprint(self.folder)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PYTHONDONTWRITEBYTECODE", "1")  # pytest's own, beside test files
            result = self.project.run(*arguments, executable=executable)
        after = fingerprint(self.folder)
        assert after == before
        return result


def watched(project: Project, name: str = "shop") -> Watched:
    folder = project.path / name
    folder.mkdir(exist_ok=True)
    return Watched(project, folder)


def test_the_watch_sees_a_change_of_bytes_links_and_times(tmp_path: Path) -> None:
    file, link = tmp_path / "a", tmp_path / "b"
    file.write_text("one")
    link.symlink_to("a")
    before = fingerprint(tmp_path)
    os.utime(file, ns=(1, 1))
    assert fingerprint(tmp_path) != before
    before = fingerprint(tmp_path)
    link.unlink()
    link.symlink_to("c")
    assert fingerprint(tmp_path) != before


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def test_ephemeral_variables_are_given_again_to_the_apply_of_a_saved_plan(project: Project) -> None:
    shop = watched(project)
    values = 'deploy_token = "not-a-real-one"\nsize = "small"\n'
    write(shop.folder, {"main.tf": EPHEMERAL, "ci.tfvars": values})
    shop.run("--tf-module=shop", "--tf-var-file=shop/ci.tfvars").assert_outcomes(passed=5)


def test_ephemeral_variables_may_come_from_every_kind_of_input(project: Project) -> None:
    shop = watched(project)
    json_file = '{"deploy_token": "not-a-real-one", "size": "small"}'
    write(shop.folder, {"main.tf": EPHEMERAL, "ci.tfvars.json": json_file})
    check = ("--tf-module=shop", "--tf-check=delayed_apply")
    shop.run(*check, "--tf-var-file=shop/ci.tfvars.json").assert_outcomes(passed=1)
    shop.run(*check, "--tf-var=deploy_token=x", "--tf-var=size=s").assert_outcomes(passed=1)


@pytest.mark.proof
def test_prevent_destroy_does_not_hold_up_the_clean_up_and_that_is_said(project: Project) -> None:
    shop = watched(project)
    files = {"main.tf": PROTECTED, "inner/main.tf": INNER, "keep.tftest.hcl": MAKES_IT}
    write(shop.folder, files)
    result = shop.run("--tf-module=shop", "--tf-check=destroy_after_expiry")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["tfoidc: shop: prevent_destroy was lifted in the copy, for the clean-up: *.vault."]
    )
    assert text_of(result).count("prevent_destroy was lifted") == 1


def test_the_users_override_does_not_bring_prevent_destroy_nor_a_backend_back(
    project: Project,
) -> None:
    shop = watched(project)
    override = """\
terraform {
  backend "s3" {}
}
resource "terraform_data" "state_account" {
  lifecycle { prevent_destroy = true }
}
"""
    files = {"main.tf": PROTECTED, "inner/main.tf": INNER, "zz_override.tf": override}
    write(shop.folder, {**files, "é_override.tf": override})
    shop.run("--tf-module=shop", "--tf-check=delayed_apply").assert_outcomes(passed=1)


S3 = """\
terraform {
  backend "s3" {}
}
resource "terraform_data" "a" { input = 1 }
"""


def test_what_is_given_for_a_backend_that_is_replaced_is_left_out(project: Project) -> None:
    shop = watched(project)
    given = 'bucket = "shop-state"\nregion = "eu-west-1"\n'
    write(shop.folder, {"main.tf": S3, "dev.s3.tfbackend": given})
    result = shop.run(
        "--tf-module=shop",
        "--tf-backend-config=shop/dev.s3.tfbackend",
        "--tf-backend-config=key=dev",
    )
    result.assert_outcomes(passed=5)


def test_a_file_of_backend_configuration_counts_like_a_value(project: Project) -> None:
    shop = watched(project)
    main = 'terraform {\n  backend "azurerm" {}\n}\nresource "terraform_data" "a" {}\n'
    test = """\
import json


def test_where_the_state_is(tf_module):
    tf_module.init()
    cache = json.loads((tf_module.path / ".terraform" / "terraform.tfstate").read_text())
    config = cache["backend"]["config"]
    assert (config["container_name"], config["key"]) == ("ours", "dev.tfstate")
    assert config["storage_account_name"] == "stshop"
"""
    values = 'storage_account_name = "stshop"\ncontainer_name = "ours"\nkey = "dev.tfstate"\n'
    write(shop.folder, {"main.tf": main, "dev.tfbackend": values, "test_state.py": test})
    result = shop.run(
        "--tf-module=shop",
        "--tf-check=none",
        "--tf-backend-config=shop/dev.tfbackend",
        "-p",
        "no:cacheprovider",
    )
    result.assert_outcomes(passed=1)


def test_the_log_that_the_user_asked_for_is_where_they_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = watched(project)
    write(shop.folder, {"main.tf": 'resource "terraform_data" "a" { input = 1 }\n'})
    monkeypatch.setenv("TF_LOG", "DEBUG")
    monkeypatch.setenv("TF_LOG_PATH", "tf.log")
    shop.run("--tf-module=shop", "--tf-check=delayed_apply").assert_outcomes(passed=1)
    log = project.path / "tf.log"
    text = log.read_text(encoding="utf-8")
    assert "CLI command args" in text
    assert '"apply"' in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def wanting_nothing(project: Project) -> Watched:
    """Write a module that wants a provider of which there is none."""
    project.without_registry()
    infra = watched(project, "infra")
    wanted = 'required_providers {\n    nothing = { source = "example/nothing" }\n  }'
    write(infra.folder, {"main.tf": f"terraform {{\n  {wanted}\n}}\n"})
    return infra


def test_a_cli_configuration_is_read_from_where_the_user_started(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    infra = wanting_nothing(project)
    mirror = write(project.path / "mirror", {"x": ""})
    config = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    write(project.path, {"ci.tfrc": config})
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "ci.tfrc")
    result = infra.run("--tf-module=infra", "--tf-check=delayed_apply")
    assert "was not found in any of the search locations" in " ".join(text_of(result).split())
    assert str(mirror) in text_of(result)


def test_relative_paths_in_a_cli_configuration_lead_to_where_they_did(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    infra = wanting_nothing(project)
    write(project.path, {"mirror/x": "", "cache/x": ""})
    config = """\
plugin_cache_dir = "./cache"
provider_installation {
  filesystem_mirror {
    path = "mirror"
  }
}
"""
    write(project.path, {"ci.tfrc": config})
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "ci.tfrc")
    result = infra.run("--tf-module=infra", "--tf-check=delayed_apply")
    assert "plugin cache dir" not in text_of(result)
    assert f"- {project.path}/mirror" in text_of(result)
    assert (project.path / "ci.tfrc").read_text(encoding="utf-8") == config
    assert project.left_over() == []


def test_a_variable_of_the_environment_may_name_a_path_from_where_the_user_started(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    infra = watched(project, "infra")
    main = """\
variable "settings" { type = string }
variable "own" { type = string }
resource "terraform_data" "a" { input = "${file(var.settings)}${file(var.own)}" }
"""
    write(infra.folder, {"main.tf": main, "own.json": "{}"})
    write(project.path, {"settings.json": "{}"})
    monkeypatch.setenv("TF_VAR_settings", "./settings.json")
    monkeypatch.setenv("TF_VAR_own", "./own.json")
    infra.run("--tf-module=infra", "--tf-check=delayed_apply").assert_outcomes(passed=1)


def test_a_linked_module_finds_its_neighbours(project: Project) -> None:
    shop = watched(project)
    write(
        shop.folder,
        {
            "shared/network/main.tf": (
                'module "naming" { source = "../naming" }\n'
                'output "name" { value = module.naming.name }\n'
            ),
            "shared/naming/main.tf": 'output "name" { value = "vnet" }\n',
            "envs/dev/main.tf": (
                'module "network" { source = "./network" }\n'
                'resource "terraform_data" "a" { input = module.network.name }\n'
                'output "name" { value = module.network.name }\n'
            ),
            "envs/dev/name.tftest.hcl": (
                'run "name" {\n  assert {\n    condition     = output.name == "vnet"\n'
                '    error_message = "wrong"\n  }\n}\n'
            ),
        },
    )
    (shop.folder / "envs/dev/network").symlink_to("../../shared/network")
    shop.run("--tf-module=shop/envs/dev").assert_outcomes(passed=6)


def test_links_that_lead_in_a_circle_are_not_followed_for_ever(project: Project) -> None:
    shop = watched(project)
    files = {
        "envs/dev/main.tf": 'resource "terraform_data" "a" { input = 1 }\n',
        "envs/dev/test_a.py": "def test_a():\n    pass\n",
        "envs/dev/more/test_b.py": "def test_b():\n    pass\n",
    }
    write(shop.folder, files)
    # Two of them in one folder are 2 to the power of 40 paths, and a third way back doubles that.
    for link, target in {"loop": ".", "again": "../dev", "more/up": "../../dev"}.items():
        (shop.folder / "envs/dev" / link).symlink_to(target)
    (shop.folder / "envs/dev/linked").symlink_to("more")
    result = shop.run("--tf-module=shop/envs/dev", "--tf-check=delayed_apply", "-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*/linked/test_b.py::test_b PASSED*"])


HASHES_ITSELF = """\
resource "terraform_data" "deploy" {
  triggers_replace = [for name in fileset(path.module, "**") : filesha1("${path.module}/${name}")]
}
"""


def test_a_module_that_hashes_its_own_folder_sees_no_plan_in_it(project: Project) -> None:
    shop = watched(project)
    write(shop.folder, {"main.tf": HASHES_ITSELF, "src/app.js": "x"})
    shop.run("--tf-module=shop", "--tf-check=delayed_apply").assert_outcomes(passed=1)


def test_a_fixture_of_state_is_read(project: Project) -> None:
    shop = watched(project)
    state = (
        '{"version":4,"terraform_version":"1.5.0","serial":1,'
        '"lineage":"11111111-2222-3333-4444-555555555555",'
        '"outputs":{"subnet":{"value":"snet-1","type":"string"}},"resources":[]}'
    )
    main = """\
data "terraform_remote_state" "network" {
  backend = "local"
  config  = { path = "${path.module}/tests/fixtures/network.tfstate" }
}
output "subnet" { value = data.terraform_remote_state.network.outputs.subnet }
"""
    run = """\
run "reads_the_fixture" {
  command = plan
  assert {
    condition     = output.subnet == "snet-1"
    error_message = "not the fixture's subnet"
  }
}
"""
    write(
        shop.folder,
        {
            "main.tf": main,
            "tests/fixtures/network.tfstate": state,
            "tests/subnet.tftest.hcl": run,
            "terraform.tfstate": "no state at all",
        },
    )
    shop.run("--tf-module=shop").assert_outcomes(passed=6)


def test_a_folder_of_test_files_alone_can_be_a_module_under_test(project: Project) -> None:
    shop = watched(project)
    run = """\
run "basic" {
  module {
    source = "./examples/basic"
  }
  assert {
    condition     = output.a == 1
    error_message = "x"
  }
}
"""
    write(
        shop.folder,
        {"examples/basic/main.tf": 'output "a" { value = 1 }\n', "tests/basic.tftest.hcl": run},
    )
    # Before Terraform 1.15 `init` takes such a folder for an empty one.
    result = shop.run("--tf-module=shop", "-rs", executable="embedded")
    result.assert_outcomes(passed=1, skipped=5)
    result.stdout.fnmatch_lines(["SKIPPED*only test files: there is nothing to deploy"])


def test_a_folder_of_test_files_alone_is_refused_by_a_terraform_that_cannot_read_it(
    project: Project,
) -> None:
    shop = watched(project)
    files = {
        "a/main.tf": 'output "a" { value = 1 }\n',
        "tests/a.tftest.hcl": 'run "a" {\n  module {\n    source = "./a"\n  }\n}\n',
    }
    write(shop.folder, files)
    old = project.path / "old" / "terraform"
    old.parent.mkdir()
    told = """echo '{"terraform_version": "1.11.4", "platform": "linux_amd64"}'"""
    terraform = " ".join(project.terraform())
    line = f'[ "$1" = version ] && {{ {told}; exit; }}'
    old.write_text(f'#!/bin/sh\n{line}\nexec {terraform} "$@"\n', encoding="utf-8")
    old.chmod(0o700)
    result = shop.run("--tf-module=shop", "--tf-check=none", executable=old)
    result.assert_outcomes(errors=1)
    text = text_of(result)
    assert "There are only test files in the module: Terraform 1.11.4 takes it for" in text
    assert "Remedy: Use Terraform 1.15 or newer (--tf-executable embedded)" in text
    assert "was not initialized" not in text


def as_opentofu(project: Project) -> Path:
    """Make a program named tofu: Terraform, to which .tofu files are shown as .tf files."""
    terraform = " ".join(project.terraform())
    script = project.path / "bin" / "tofu"
    script.parent.mkdir()
    copy = 'for f in *.tofu; do [ -e "$f" ] && ln -sf "$f" "${f%.tofu}.tf"; done'
    script.write_text(f'#!/bin/sh\n{copy}\nexec {terraform} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return script


TOFU = (
    'terraform {\n  required_version = ">= 1.6"\n}\nresource "terraform_data" "a" { input = 1 }\n'
)


def test_a_module_of_tofu_files_runs_with_opentofu(project: Project) -> None:
    shop = watched(project)
    write(shop.folder, {"main.tofu": TOFU})
    result = shop.run("--tf-module=shop", executable=as_opentofu(project))
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["tfoidc: OpenTofu *"])


TWICE = """\
run "same" {
  assert {
    condition     = output.id == "one"
    error_message = "not one"
  }
}
run "same" {
  assert {
    condition     = output.id == "two"
    error_message = "not two"
  }
}
"""


def test_opentofu_makes_runs_of_one_name_and_terraform_refuses_them(project: Project) -> None:
    shop = watched(project)
    write(shop.folder, {"main.tf": 'output "id" { value = "one" }\n', "a.tftest.hcl": TWICE})
    terraform = " ".join(project.terraform())
    script = project.path / "tofu"
    rename = 'awk \'/run "same"/ { if (n++) sub(/same/, "same_2") } { print }\''
    script.write_text(
        f"#!/bin/sh\n[ -f a.tftest.hcl ] && {rename} a.tftest.hcl > x && mv x a.tftest.hcl\n"
        f'[ "$1" = test ] || exec {terraform} "$@"\n{terraform} "$@" > out; code=$?\n'
        "sed s/same_2/same/g out; exit $code\n",
        encoding="utf-8",
    )
    script.chmod(0o700)
    result = shop.run("--tf-module=shop", "--tf-check=none", "-v", executable=script)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*::same PASSED*", "*::same[[]2[]] FAILED*", "*not two*"])
    result = shop.run("--tf-module=shop", "--tf-check=none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the run `same` is already on line 1*"])


def test_a_module_of_tofu_files_does_not_run_with_terraform(project: Project) -> None:
    shop = watched(project)
    write(shop.folder, {"main.tofu": TOFU})
    result = shop.run("--tf-module=shop")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["Cause: it has .tofu files, which only OpenTofu reads"])


def test_foreign_python_tests_below_a_module_do_not_stop_its_checks(project: Project) -> None:
    shop = watched(project)
    write(
        shop.folder,
        {
            "main.tf": 'resource "terraform_data" "a" {}\n',
            "lambda/tests/test_handler.py": "import no_such_package\n",
        },
    )
    result = shop.run("--tf-module=shop", "--tf-check=delayed_apply")
    result.assert_outcomes(passed=1, errors=1)
    assert "no_such_package" in text_of(result)


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    line = ["git", *who, *arguments]
    return subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_repository_can_be_asked_and_nothing_is_written_to_it(project: Project) -> None:
    shop = watched(project)
    main = """\
output "head" { value = file("../.git/HEAD") }
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = <<-EOT
      set -e
      test "$(git describe --tags --dirty)" = v1
      git log --format=%s | grep -q "the first"
      git tag written
      echo changed >> ../other/notes.txt
      echo new > ../other/new.txt
      echo changed >> ../linked.txt
    EOT
  }
}
"""
    write(shop.folder, {"infra/main.tf": main, "other/notes.txt": "mine\n"})
    write(project.path, {"outside.txt": "mine\n"})
    (shop.folder / "linked.txt").symlink_to("../outside.txt")
    git(shop.folder, "init", "-q")
    git(shop.folder, "add", ".")
    git(shop.folder, "commit", "-q", "-m", "the first")
    git(shop.folder, "tag", "v1")
    shop.run("--tf-module=shop/infra", "--tf-check=delayed_apply").assert_outcomes(passed=1)
    assert git(shop.folder, "tag").split() == ["v1"]
    assert (project.path / "outside.txt").read_text() == "mine\n"


def test_a_file_of_backend_configuration_is_named_as_it_was_given(project: Project) -> None:
    shop = watched(project)
    main = 'terraform {\n  backend "azurerm" {}\n}\nresource "terraform_data" "a" {}\n'
    write(shop.folder, {"main.tf": main, "dev.tfbackend": 'key = "x"\nbucket = "y"\n'})
    arguments = ("--tf-check=delayed_apply", "--tf-backend-config=shop/dev.tfbackend")
    result = shop.run("--tf-module=shop", *arguments)
    result.assert_outcomes(failed=1)
    said = 'An argument named "bucket" is not expected here'
    result.stdout.fnmatch_lines([f"{said} (shop/dev.tfbackend:2)"])


def test_a_provider_that_cannot_be_had_is_named_with_where_it_is_required(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = watched(project)
    wanted = 'required_providers {\n    nothing = { source = "example/nothing" }\n  }'
    inner = f"terraform {{\n  {wanted}\n}}\n"
    write(shop.folder, {"main.tf": 'module "a" { source = "./a" }\n', "a/versions.tf": inner})
    mirror = write(project.path / "mirror", {"x": ""})
    config = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
    write(project.path, {"ci.tfrc": config})
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "ci.tfrc")
    result = shop.run("--tf-module=shop", "--tf-check=delayed_apply")
    said = "example/nothing is in no mirror that the CLI configuration names (a/versions.tf:3)"
    result.stdout.fnmatch_lines([said, "Remedy: put it there*"])
