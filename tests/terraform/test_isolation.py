"""Copies of modules: complete, apart from the original, and without its state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform.isolation import isolate


def write(file: Path, text: str = "x") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def snapshot(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


@pytest.fixture
def into(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("copy")


def test_a_module_is_copied_and_the_original_is_not_touched(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "a b" / "mödule" / "main.tf").parent
    write(module / "files" / "x.txt")
    before = snapshot(module)
    copy = isolate(module, into)
    assert snapshot(copy) == before
    write(copy / "main.tf", "changed")
    write(copy / "new.tf")
    assert snapshot(module) == before


@pytest.mark.parametrize(
    "name",
    [
        "terraform.tfstate",
        "terraform.tfstate.backup",
        ".terraform/terraform.tfstate",
        "terraform.tfstate.d/x/terraform.tfstate",
        ".terraform.tfstate.lock.info",
        "modules/inner/terraform.tfstate",
        "crash.1.log",
    ],
)
def test_state_stays_behind(tmp_path: Path, into: Path, name: str) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    write(module / name)
    write(module / ".terraform.lock.hcl")
    assert set(snapshot(isolate(module, into))) == {".terraform.lock.hcl", "main.tf"}


def test_local_modules_outside_the_folder_are_copied_with_it(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "modules" / "app" / "main.tf").parent
    shared = write(tmp_path / "shared" / "net" / "main.tf", "net").parent
    copy = isolate(module, into, local_modules=[shared])
    inner = copy / ".." / ".." / "shared" / "net" / "main.tf"
    assert inner.read_text() == "net"
    write(inner, "changed")
    assert (shared / "main.tf").read_text() == "net"


def test_other_files_of_the_repository_are_found_where_they_were(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    module = write(tmp_path / "repository" / "live" / "app" / "main.tf").parent
    write(tmp_path / "repository" / "settings.json", "{}")
    write(tmp_path / "repository" / "live" / "common.yaml", "a: b")
    write(tmp_path / "outside.txt")
    copy = isolate(module, into)
    assert (copy / "../../settings.json").read_text() == "{}"
    assert (copy / "../common.yaml").read_text() == "a: b"
    assert not (copy / "../../../outside.txt").exists()
    assert not (copy / "../../.git").exists()


def test_a_new_file_beside_the_module_does_not_reach_the_users_folder(
    tmp_path: Path, into: Path
) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    write(isolate(module, into) / ".." / "generated.txt")
    assert {p.name for p in (tmp_path / "top").iterdir()} == {"module"}


def test_links_inside_the_module_are_followed_and_dangling_ones_left_out(
    tmp_path: Path, into: Path
) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    write(tmp_path / "common.tf", "common")
    (module / "common.tf").symlink_to("../common.tf")
    (module / "dangling.tf").symlink_to("../nowhere.tf")
    copy = isolate(module, into)
    assert (copy / "common.tf").read_text() == "common"
    assert not (copy / "dangling.tf").exists()
    write(copy / "common.tf", "changed")
    assert (tmp_path / "common.tf").read_text() == "common"


def test_a_link_back_to_its_own_folder_is_left_out(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    (module / "loop").symlink_to(".")
    assert [p.name for p in isolate(module, into).iterdir()] == ["main.tf"]


def test_what_cannot_be_copied_is_one_clear_error(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    os.mkfifo(module / "pipe")
    with pytest.raises(ModuleError, match="cannot be copied") as failure:
        isolate(module, into)
    assert str(module) in str(failure.value)


NAMES = st.sampled_from(["a", "b", "c d", "é"])
FOLDERS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@given(module=FOLDERS, others=st.lists(FOLDERS, max_size=3))
def test_relative_paths_between_modules_hold_in_the_copy(
    tmp_path_factory: pytest.TempPathFactory, module: str, others: list[str]
) -> None:
    top, into = tmp_path_factory.mktemp("top"), tmp_path_factory.mktemp("copy")
    for name in (module, *others):
        write(top / name / "main.tf", name)
    copy = isolate(top / module, into, local_modules=[top / name for name in others])
    for name in (module, *others):
        file = copy / os.path.relpath(name, module) / "main.tf"
        assert file.read_text() == name
        assert file.resolve().is_relative_to(into)
