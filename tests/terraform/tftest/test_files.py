"""Finding and reading test files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import ModuleError, TfOidcError, UsageError
from pytest_tfoidc.terraform.hcl.parser import NOT_LITERAL, HclError
from pytest_tfoidc.terraform.tftest.files import TestFile, discover, read_test_file

FULL = """test {
  parallel = true
}

variables {
  region = "westeurope"
}

provider "azurerm" {
  alias = "hub"
}

mock_provider "azuread" {}

override_data {
  target = data.x.y
}

run "überprüfung_1" {
  command   = plan
  state_key = "other"
  parallel  = false

  variables {
    name = "a-${var.region}"
  }

  module {
    source = "./tests/setup"
  }

  override_resource {
    target = terraform_data.x
  }

  assert {
    condition = (
      output.name == "a" &&
      true
    )
    error_message = "the name is wrong"
  }

  assert {
    condition     = true
    error_message = "it is ${output.name}"
  }

  expect_failures = [
    var.region,
    check.health,
  ]
}

run "second" {}
"""


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def found(module: Path, *, test_directory: str = "tests", opentofu: bool = False) -> list[str]:
    files = discover(module, test_directory=test_directory, opentofu=opentofu)
    return [file.relative_to(module).as_posix() for file in files]


def read(folder: Path, text: str | bytes, name: str = "x.tftest.hcl") -> TestFile:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_test_file(path)


def test_files_of_the_module_and_of_its_test_folder_are_found_in_order(tmp_path: Path) -> None:
    names = ["z.tftest.hcl", "tests/b.tftest.json", "tests/a.tftest.hcl", "m.tftest.hcl"]
    touch(*(tmp_path / name for name in names))
    assert found(tmp_path) == sorted(names)


def test_other_files_folders_and_deeper_files_are_not_found(tmp_path: Path) -> None:
    names = ["main.tf", "x.tftest.txt", ".x.tftest.hcl", "x.tftest.hcl~", "tests/deep/x.tftest.hcl"]
    touch(*(tmp_path / name for name in names), tmp_path / "x.tofutest.hcl")
    (tmp_path / "tests" / "folder.tftest.hcl").mkdir()
    assert found(tmp_path) == []


def test_another_test_folder_takes_the_place_of_the_default(tmp_path: Path) -> None:
    names = ["tests/a.tftest.hcl", "checks/unit/b.tftest.hcl", "c.tftest.hcl"]
    touch(*(tmp_path / name for name in names))
    assert found(tmp_path, test_directory="checks/unit") == names[2:] + names[1:2]
    assert found(tmp_path, test_directory=".") == names[2:]
    assert found(tmp_path, test_directory="nowhere") == names[2:]


@pytest.mark.parametrize("folder", ["../x", "/x", "a/../../x"])
def test_a_test_folder_outside_the_module_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="inside the module"):
        discover(tmp_path, test_directory=folder)


def test_a_file_in_the_place_of_the_test_folder_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path / "tests")
    with pytest.raises(ModuleError, match="cannot be read"):
        discover(tmp_path)


def test_opentofu_has_endings_of_its_own_that_come_first(tmp_path: Path) -> None:
    names = ["a.tftest.hcl", "a.tofutest.hcl", "b.tftest.hcl", "tests/c.tofutest.json"]
    touch(*(tmp_path / name for name in names))
    assert found(tmp_path, opentofu=True) == names[1:]
    assert found(tmp_path) == ["a.tftest.hcl", "b.tftest.hcl"]


def test_a_link_that_leads_nowhere_is_found_and_then_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.tftest.hcl").symlink_to("nowhere")
    (file,) = discover(tmp_path)
    with pytest.raises(ModuleError, match="cannot be read") as caught:
        read_test_file(file)
    assert "link" in caught.value.cause
    assert "nowhere" in caught.value.cause


def test_a_run_block_is_read_whole(tmp_path: Path) -> None:
    run = read(tmp_path, FULL).runs[0]
    assert (run.name, run.line, run.column, run.end_line) == ("überprüfung_1", 19, 1, 53)
    assert (run.command, run.parallel, run.state_key) == ("plan", False, "other")
    assert run.expect_failures == ("var.region", "check.health")
    assert run.module == "./tests/setup"
    assert run.variables["name"].value is NOT_LITERAL
    assert [(one.type, one.target) for one in run.overrides] == [
        ("override_resource", "terraform_data.x")
    ]
    assert run.source[0] == 'run "überprüfung_1" {'
    assert run.source[-1] == "}"


def test_assertions_have_their_texts_and_lines(tmp_path: Path) -> None:
    first, second = read(tmp_path, FULL).runs[0].assertions
    assert (first.error_message, first.line, first.end_line) == ("the name is wrong", 36, 42)
    assert (first.condition_line, first.condition_end_line) == (37, 40)
    assert first.condition.startswith("(\n")
    assert (second.condition, second.error_message) == ("true", '"it is ${output.name}"')


def test_a_run_without_anything_has_terraforms_defaults(tmp_path: Path) -> None:
    run = read(tmp_path, FULL).runs[1]
    assert (run.command, run.expect_failures, run.module, run.state_key) == (
        "apply",
        (),
        None,
        None,
    )
    assert (run.assertions, run.source) == ((), ('run "second" {}',))
    assert run.parallel


def test_what_stands_outside_of_runs_is_read(tmp_path: Path) -> None:
    file = read(tmp_path, FULL)
    assert file.variables["region"].value == "westeurope"
    assert (file.providers, file.mock_providers) == (("azurerm.hub",), ("azuread",))
    assert [one.target for one in file.overrides] == ["data.x.y"]


def test_runs_are_not_parallel_unless_told(tmp_path: Path) -> None:
    assert not read(tmp_path, 'run "a" {}\n').runs[0].parallel


def test_a_json_file_is_read_the_same_way(tmp_path: Path) -> None:
    text = """{"variables": {"x": 1}, "run": {
      "a": {"command": "plan", "expect_failures": ["var.x"],
            "assert": {"condition": "${var.x == 1}", "error_message": "no"}},
      "b": {}}}"""
    file = read(tmp_path, text, "x.tftest.json")
    first, second = file.runs
    assert (first.name, first.command, first.expect_failures) == ("a", "plan", ("var.x",))
    assert (first.assertions[0].condition, first.assertions[0].error_message) == (
        "${var.x == 1}",
        "no",
    )
    assert (second.name, second.line, second.command) == ("b", 4, "apply")


def test_lines_of_a_windows_file_have_no_carriage_returns(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfrun "a" {\r\n  command = plan\r\n}\r\n'
    assert read(tmp_path, text).runs[0].source == ('run "a" {', "  command = plan", "}")


def test_an_empty_file_has_no_runs(tmp_path: Path) -> None:
    assert read(tmp_path, "").runs == ()


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ('run "a" {}\n\nrun "a" {}\n', 3, "already on line 1"),
        ('\nrun "a b" {}\n', 2, "no name for a run"),
        ('run "1a" {}\n', 1, "no name for a run"),
        ('run "-a" {}\n', 1, "no name for a run"),
        ('run "" {}\n', 1, "no name for a run"),
        ("run {}\n", 1, "a run has one name"),
        ('run "a" "b" {}\n', 1, "a run has one name"),
        ('run "a" {\n  command = "plan"\n}\n', 2, "without quotes"),
        ('run "a" {\n  command = destroy\n}\n', 2, "plan or apply"),
        ('run "a" {\n  command = plan\n', 1, "never closed"),
        ('run "a" {\n  command = plan\n}}\n', 3, ""),
    ],
)
def test_what_terraform_would_refuse_is_an_error_on_its_line(
    tmp_path: Path, text: str, line: int, cause: str
) -> None:
    with pytest.raises(HclError) as caught:
        read(tmp_path, text)
    assert caught.value.line == line
    assert cause in caught.value.cause
    assert caught.value.source_line == text.split("\n")[line - 1]


@pytest.mark.parametrize("name", ["a", "_a", "a-b", "é", "名前", "for", "a1"])
def test_terraforms_identifiers_are_names(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f'run "{name}" {{}}\n').runs[0].name == name


def test_a_file_that_is_not_utf8_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(HclError, match="UTF-8") as caught:
        read(tmp_path, b'run "a" {\n  # \xe9\n}\n')
    assert caught.value.line == 2


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="cannot be read"):
        read_test_file(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tftest.hcl"
    touch(path)
    path.chmod(0)
    with pytest.raises(ModuleError, match="cannot be read"):
        read_test_file(path)


def test_a_file_of_five_megabytes_is_read(tmp_path: Path) -> None:
    text = 'run "a" {\n}\n' + "# " + "x" * 5_000_000 + '\nrun "b" {\n}\n'
    assert [run.line for run in read(tmp_path, text).runs] == [1, 4]


RUN = st.sampled_from(
    [
        "command = plan",
        "command = 1",
        "expect_failures = x",
        "expect_failures = [",
        "parallel = x",
        "assert {}",
        "module {}",
        "module {\nsource = 1\n}",
        "variables {}",
        "state_key = [1]",
    ]
)
RUNS = st.builds('run "{}" {{\n{}\n}}\n'.format, st.sampled_from("ab é"), RUN)


@given(st.lists(RUNS | RUN | st.text(max_size=20), max_size=5).map("\n".join))
def test_no_file_raises_anything_but_our_errors(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(TfOidcError):
        assert read(Path(folder), text).path.parent == Path(folder)


MODULES = Path(__file__).parents[2] / "modules"


def test_the_runs_of_the_example_modules_are_found() -> None:
    table = (MODULES / "README.md").read_text(encoding="utf-8")
    modules = sorted(MODULES.glob("runs_*"))
    assert len(modules) >= 14
    for module in modules:
        assert f"`{module.name}`" in table
        for file in discover(module):
            assert f"`{file.name}`" in table
            assert all(f"`{run.name}`" in table for run in read_test_file(file).runs)
