"""Reading a root module."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import ModuleError, TfOidcError, UsageError
from pytest_tfoidc.terraform.hcl.parser import HclError
from pytest_tfoidc.terraform.module import RootModule, read_module

FULL = """
terraform {
  required_version = ">= 1.6"
  required_providers {
    azurerm = {
      source                = "registry.terraform.io/Hashicorp/azurerm"
      version               = ">= 4.0, < 6.0"
      configuration_aliases = [azurerm.hub]
    }
    azapi  = { source = "azure/azapi" }
    random = "~> 3.0"
  }
  backend "azurerm" {
    container_name = "state"
    key            = "${terraform.workspace}.tfstate"
    use_oidc       = true
  }
}

variable "region" {
  type    = string
  default = "westeurope"
}
variable "password" {
  type      = object({ a = string })
  sensitive = true
  ephemeral = true
}
output "id" {
  value = 1
}
"""


def module(folder: Path, **files: str) -> RootModule:
    """Write the files, `main` as main.tf, and read them."""
    for name, text in files.items():
        (folder / f"{name}.tf").write_text(text, encoding="utf-8")
    return read_module(folder)


def test_a_backend_is_read_with_its_plain_arguments(tmp_path: Path) -> None:
    backend = module(tmp_path, main=FULL).backend
    assert backend is not None
    assert backend.type == "azurerm"
    assert backend.config == {"container_name": "state", "use_oidc": True}
    assert backend.names == {"container_name", "key", "use_oidc"}
    assert (backend.file, backend.line) == (tmp_path / "main.tf", 13)


def test_the_values_of_a_backend_are_not_in_its_repr(tmp_path: Path) -> None:
    read = module(tmp_path, main='terraform {\n backend "x" {\n access_key = "hush"\n }\n}\n')
    assert "access_key" in repr(read)
    assert "hush" not in repr(read)


def test_versions_and_providers_are_read(tmp_path: Path) -> None:
    read = module(tmp_path, main=FULL)
    assert read.required_version == ">= 1.6"
    required = [(one.name, one.source, one.constraint) for one in read.required_providers]
    assert required == [
        ("azurerm", "hashicorp/azurerm", ">= 4.0, < 6.0"),
        ("azapi", "azure/azapi", ""),
        ("random", "hashicorp/random", "~> 3.0"),
    ]
    assert read.required_providers[1].line == 10


def test_variables_and_outputs_are_read(tmp_path: Path) -> None:
    read = module(tmp_path, main=FULL)
    region, password = read.variables
    assert (region.name, region.type, region.has_default, region.line) == (
        "region",
        "string",
        True,
        20,
    )
    assert (password.sensitive, password.ephemeral, password.has_default) == (True, True, False)
    assert password.type == "object({ a = string })"
    assert read.outputs == ("id",)


def test_a_module_without_a_terraform_block_has_none_of_it(tmp_path: Path) -> None:
    read = module(tmp_path, main="")
    assert read.backend is None
    assert not read.has_cloud
    assert read.required_version == ""
    assert read.providers == frozenset()
    assert not read.needs_providers


def test_a_cloud_block_is_seen(tmp_path: Path) -> None:
    read = module(tmp_path, main="terraform {\n  cloud {}\n}\n")
    assert (read.has_cloud, read.backend) == (True, None)


def test_an_override_file_replaces_the_backend(tmp_path: Path) -> None:
    read = module(
        tmp_path,
        z_main=FULL,
        a_override='terraform {\n  backend "local" {\n    path = "x"\n  }\n}\n',
    )
    assert read.backend is not None
    assert read.backend.type == "local"
    assert read.backend.names == {"path"}
    assert [file.name for file in read.files] == ["z_main.tf", "a_override.tf"]


def test_override_files_add_to_variables_and_replace_constraints(tmp_path: Path) -> None:
    override = (
        'terraform {\n  required_version = ">= 1.9"\n}\nvariable "password" {\n  default = {}\n}\n'
    )
    read = module(tmp_path, main=FULL, override=override)
    assert read.required_version == ">= 1.9"
    assert all(variable.has_default for variable in read.variables)
    assert read.variables[1].sensitive


def test_a_file_that_only_mentions_override_is_none(tmp_path: Path) -> None:
    read = module(tmp_path, main=FULL, override_x='terraform {\n  backend "local" {}\n}\n')
    assert read.backend is not None
    assert read.backend.type == "azurerm"


@pytest.mark.parametrize(
    ("text", "providers"),
    [
        ('resource "azurerm_x" "y" {\n}\n', {"hashicorp/azurerm"}),
        ('data "tls_x" "y" {\n}\n', {"hashicorp/tls"}),
        ('ephemeral "random_x" "y" {\n}\n', {"hashicorp/random"}),
        ('provider "azuread" {\n}\n', {"hashicorp/azuread"}),
        ('resource "x_y" "z" {\n  provider = google-beta.eu\n}\n', {"hashicorp/google-beta"}),
        ('check "c" {\n  data "http" "x" {\n  }\n}\n', {"hashicorp/http"}),
        ('resource "terraform_data" "y" {\n}\n', {"terraform.io/builtin/terraform"}),
        ('data "terraform_remote_state" "y" {\n}\n', {"terraform.io/builtin/terraform"}),
        (
            'terraform {\n required_providers {\n a = { source = "b/c" }\n }\n}\ndata "a_x" "y" {}',
            {"b/c"},
        ),
    ],
)
def test_blocks_imply_their_providers(tmp_path: Path, text: str, providers: set[str]) -> None:
    read = module(tmp_path, main=text)
    assert read.providers == providers
    assert read.needs_providers == (providers != {"terraform.io/builtin/terraform"})


def test_json_files_are_read_too(tmp_path: Path) -> None:
    text = (
        '{"terraform": {"backend": {"azurerm": {"key": "k"}},'
        ' "required_providers": {"a": {"source": "b/c", "version": "1"}}},'
        ' "resource": {"terraform_data": {"x": {"input": 1}}},'
        ' "module": {"m": {"source": "./m"}}}'
    )
    (tmp_path / "main.tf.json").write_text(text, encoding="utf-8")
    read = read_module(tmp_path)
    assert read.backend is not None
    assert read.backend.config == {"key": "k"}
    assert read.providers == {"b/c", "terraform.io/builtin/terraform"}
    assert read.calls[0].path == tmp_path / "m"


def test_local_modules_are_followed_and_cycles_end(tmp_path: Path) -> None:
    root, shared, inner = tmp_path / "a ü", tmp_path / "shared", tmp_path / "shared" / "inner"
    for folder in (root, inner):
        folder.mkdir(parents=True)
    module(inner, main='resource "azurerm_x" "y" {\n}\nmodule "up" {\n  source = "../"\n}\n')
    module(shared, main='module "in" {\n  source = "./inner"\n}\n')
    read = module(
        root,
        main='module "s" {\n  source = "../shared"\n}\n'
        'module "r" {\n  source = "Azure/naming/azurerm"\n}\n',
    )
    assert [(call.name, call.path) for call in read.calls] == [("s", shared), ("r", None)]
    assert read.local_modules() == (shared, inner)
    assert read.providers == frozenset()
    assert read.needs_providers


def test_a_missing_called_module_is_reported_where_it_is_called(tmp_path: Path) -> None:
    read = module(tmp_path, main='\n\nmodule "net" {\n  source = "../nowhere"\n}\n')
    with pytest.raises(ModuleError, match="net") as caught:
        read.local_modules()
    assert caught.value.where == f"{tmp_path / 'main.tf'}:3"
    assert "../nowhere" in caught.value.cause


def test_a_called_folder_without_files_is_reported_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    read = module(tmp_path, main='module "net" {\n  source = "./empty"\n}\n')
    with pytest.raises(ModuleError, match="no Terraform files") as caught:
        read.local_modules()
    assert caught.value.where.endswith("main.tf:1")


def test_a_syntax_error_in_a_called_module_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.tf").write_text("a = = 1\n")
    read = module(tmp_path, main='module "m" {\n  source = "./m"\n}\n')
    with pytest.raises(HclError) as caught:
        read.local_modules()
    assert caught.value.file == str(tmp_path / "m" / "x.tf")


def test_a_source_that_can_be_no_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="cannot be a path") as caught:
        module(tmp_path, main='module "m" {\n  source = "./\\u0000"\n}\n')
    assert caught.value.where.endswith("main.tf:1")


def test_opentofu_prefers_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('output "terraform" {\n}\n')
    (tmp_path / "main.tofu").write_text('output "tofu" {\n}\n')
    (tmp_path / "more.tofu").write_text('output "more" {\n}\n')
    assert read_module(tmp_path).outputs == ("terraform",)
    assert read_module(tmp_path, opentofu=True).outputs == ("tofu", "more")


def test_hidden_files_copies_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".hidden.tf", "main.tf~", "#main.tf#"):
        (tmp_path / name).write_text("not HCL at all")
    (tmp_path / "folder.tf").mkdir()
    assert [file.name for file in module(tmp_path, main="").files] == ["main.tf"]


def test_no_such_module_says_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such module") as caught:
        read_module(tmp_path / "nowhere")
    assert caught.value.where == str(tmp_path / "nowhere")
    assert caught.value.remedy


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "main.tf"
    file.write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        read_module(file)


def test_a_folder_without_terraform_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("")
    with pytest.raises(UsageError, match="no Terraform files"):
        read_module(tmp_path)


def test_a_folder_with_only_opentofu_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "main.tofu").write_text("")
    with pytest.raises(UsageError, match="only OpenTofu reads"):
        read_module(tmp_path)


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "main.tf").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModuleError, match="cannot be read") as caught:
        read_module(tmp_path)
    assert caught.value.where == str(tmp_path / "main.tf")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o100)
    with pytest.raises(ModuleError, match="cannot be read"):
        read_module(tmp_path)
    tmp_path.chmod(0o700)


BLOCKS = st.sampled_from(
    ["terraform", "backend", "cloud", "required_providers", "module", "variable", "output", "check"]
)
LABELS = st.sampled_from(["", ' "a"', ' "a" "b"', ' "" ""'])
BODIES = st.sampled_from(
    ["", "source = 1", 'source = "./x"', "a = {source = []}", "version = x", "default = 1"]
)
MODULES = st.recursive(
    st.builds("{} {{\n{}\n}}\n".format, st.builds("{}{}".format, BLOCKS, LABELS), BODIES),
    lambda inner: st.builds("{}{} {{\n{}}}\n".format, BLOCKS, LABELS, inner),
    max_leaves=4,
)


@given(st.lists(MODULES, max_size=4).map("".join))
def test_no_module_raises_anything_but_our_errors(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(TfOidcError):
        assert module(Path(folder), main=text).local_modules() is not None
