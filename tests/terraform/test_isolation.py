"""Copies of modules: the folder itself, apart from the original, and without its state."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform import isolation
from pytest_tfoidc.terraform.isolation import isolate


def write(file: Path, text: str = "x") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def snapshot(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


def test_a_module_is_copied_and_the_original_is_not_touched(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "a b" / "mödule" / "main.tf").parent
    write(module / "files" / "x.txt")
    before = snapshot(module)
    copy = isolate(module, into).path
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
        "terraform.tfstate.1700000000.backup",
        "errored.tfstate",
        "crash.1.log",
    ],
)
def test_state_stays_behind(tmp_path: Path, into: Path, name: str) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    write(module / name)
    write(module / ".terraform.lock.hcl")
    assert set(snapshot(isolate(module, into).path)) == {".terraform.lock.hcl", "main.tf"}


def test_local_modules_outside_the_folder_are_copied_with_it(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "modules" / "app" / "main.tf").parent
    shared = write(tmp_path / "shared" / "net" / "main.tf", "net").parent
    copy = isolate(module, into, local_modules=[shared]).path
    inner = copy / ".." / ".." / "shared" / "net" / "main.tf"
    assert inner.read_text() == "net"
    write(inner, "changed")
    assert (shared / "main.tf").read_text() == "net"


def test_other_files_of_the_repository_are_found_where_they_were(
    tmp_path: Path, into: Path
) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    write(tmp_path / "repository" / ".git" / "HEAD", "ref: refs/heads/main")
    module = write(tmp_path / "repository" / "live" / "app" / "main.tf").parent
    write(tmp_path / "repository" / "settings.json", "{}")
    write(tmp_path / "repository" / "live" / "common.yaml", "a: b")
    write(tmp_path / "outside.txt")
    copy = isolate(module, into).path
    assert (copy / "../../settings.json").read_text() == "{}"
    assert (copy / "../common.yaml").read_text() == "a: b"
    assert not (copy / "../../../outside.txt").exists()
    assert (copy / "../../.git/HEAD").read_text() == "ref: refs/heads/main"


def test_a_new_file_beside_the_module_does_not_reach_the_users_folder(
    tmp_path: Path, into: Path
) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    write(isolate(module, into).path / ".." / "generated.txt")
    assert {p.name for p in (tmp_path / "top").iterdir()} == {"module"}


def test_state_that_is_not_the_modules_own_is_seen(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    names = ["tests/x.tfstate", "modules/inner/terraform.tfstate", "../network/terraform.tfstate"]
    for name in names:
        write(module / name, name)
    copy = isolate(module, into).path
    assert [(copy / name).read_text() for name in names] == names


def test_more_can_be_left_out(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    state = write(module / "state" / "prod.tfstate")
    copy = isolate(module, into, left_out=[state]).path
    assert set(snapshot(copy)) == {"main.tf"}


def test_links_stay_links_and_nothing_is_written_through_them(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    outside = write(tmp_path / "outside" / "settings.json", "{}")
    beside = write(tmp_path / "top" / "shared" / "a.txt", "a")
    links = {
        "relative": "../shared",
        "absolute": str(beside.parent),
        "dangling.tf": "../nowhere.tf",
        "loop": "loop",
        "itself": ".",
        "out": str(outside),
        "out_relative": "../../outside/settings.json",
        "null": "/dev/null",
    }
    for name, target in links.items():
        (module / name).symlink_to(target)
    copy = isolate(module, into).path
    assert all((copy / name).is_symlink() for name in links)
    unchanged = ("relative", "dangling.tf", "loop", "itself", "null", "out_relative")
    assert {name: str((copy / name).readlink()) for name in unchanged} == {
        name: links[name] for name in unchanged
    }
    for name in ("relative/a.txt", "absolute/a.txt", "out", "out_relative"):
        (copy / name).write_text("changed")
    assert (beside.read_text(), outside.read_text()) == ("a", "{}")


def test_a_link_that_leads_out_to_a_folder_brings_what_that_links_to(
    tmp_path: Path, into: Path
) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    far = write(tmp_path / "far" / "x" / "a.txt", "a").parent
    (far / "b.txt").symlink_to("../y.txt")
    write(tmp_path / "far" / "y.txt", "y")
    (module / "x").symlink_to(far)
    copy = isolate(module, into).path
    assert (copy / "x/a.txt").read_text() == "a"
    assert (copy / "x/b.txt").read_text() == "y"
    (copy / "x/b.txt").write_text("changed")
    (copy / "x/new.txt").write_text("new")
    assert (tmp_path / "far" / "y.txt").read_text() == "y"
    assert not (far / "new.txt").exists()


def test_a_module_that_is_a_link_is_copied_where_it_really_is(tmp_path: Path, into: Path) -> None:
    real = write(tmp_path / "top" / "shared" / "network" / "main.tf").parent
    write(tmp_path / "top" / "shared" / "naming" / "main.tf", "naming")
    link = tmp_path / "top" / "envs" / "dev"
    link.parent.mkdir()
    link.symlink_to(real)
    copy = isolate(link, into)
    assert copy.path.name == "network"
    assert (copy.path / "../naming/main.tf").read_text() == "naming"
    assert copy.of(link) == copy.path


def test_bytes_modes_and_times_are_those_of_the_original(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    script = write(module / "bin" / "run.sh", "x" * 100_000)
    script.chmod(0o555)
    os.utime(script, ns=(5, 7_000_000_123))
    os.utime(module, ns=(5, 9_000_000_000))
    copy = isolate(module, into).path
    status = (copy / "bin/run.sh").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (
        0o755,
        7_000_000_123,
    )
    assert copy.stat().st_mtime_ns == 9_000_000_000
    assert (copy / "bin/run.sh").read_bytes() == script.read_bytes()
    assert (copy / "bin/run.sh").stat().st_ino != script.stat().st_ino


def test_what_is_built_is_there(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    names = ["node_modules/x/index.js", "../dist/app.zip", "../node_modules/y.js", ".venv/x.cfg"]
    for name in names:
        write(module / name, name)
    copy = isolate(module, into).path
    assert [(copy / name).read_text() for name in names] == names


def test_what_is_too_large_is_linked_to_and_told(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MOST_BYTES", 1_000)
    module = write(tmp_path / "top" / "module" / "main.tf", "x" * 5_000).parent
    write(tmp_path / "top" / "data" / "huge.bin", "x" * 2_000)
    write(tmp_path / "top" / "small" / "a.txt", "a")
    copy = isolate(module, into)
    assert not (copy.path / "main.tf").is_symlink(), "sources are copied whatever their size"
    assert copy.linked == (tmp_path / "top" / "data" / "huge.bin",)
    assert (copy.path / "../data/huge.bin").is_symlink()
    assert not (copy.path / "../data").is_symlink(), "new files beside it stay in the copy"
    assert not (copy.path / "../small/a.txt").is_symlink()
    assert copy.seconds > 0


def test_caches_of_tools_are_linked_to_without_a_word(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MOST_BYTES", 1_000)
    top = tmp_path / ".cache" / "top"
    module = write(top / "module" / "main.tf").parent
    write(top / "__pycache__" / "x.pyc", "x" * 2_000)
    write(top / "node_modules" / "x.js", "x" * 2_000)
    copy = isolate(module, into)
    assert (copy.path / "../__pycache__/x.pyc").read_text() == "x" * 2_000
    assert [path.relative_to(top) for path in copy.linked] == [Path("node_modules")]


def test_a_large_repository_is_not_gone_through(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MOST_FILES_BESIDE", 20)
    monkeypatch.setattr(isolation, "MOST_ENTRIES", 10)
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    for number in range(30):
        write(tmp_path / "top" / "flat" / f"{number}.txt")
        write(tmp_path / "top" / "deep" / str(number % 5) / str(number) / "x.txt")
    write(tmp_path / "top" / "node_modules" / "x" / "index.js")
    copy = isolate(module, into)
    assert (copy.path / "../flat").is_symlink()
    assert (copy.path / "../flat/29.txt").read_text() == "x"
    assert (copy.path / "../deep/4/29/x.txt").read_text() == "x"
    made = [path for path in (copy.tree).rglob("*") if not path.is_symlink()]
    assert len(made) < 40


def test_other_copies_beside_the_module_are_not_copied(tmp_path: Path) -> None:
    module = write(tmp_path / "top" / "module" / "main.tf").parent
    write(tmp_path / "top" / "tfoidc-other" / "x")
    into = tmp_path / "top" / "tfoidc-mine"
    into.mkdir()
    copy = isolate(module, into)
    assert {path.name for path in copy.tree.iterdir()} == {"module"}


def test_pipes_and_sockets_are_left_out(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    os.mkfifo(module / "pipe")
    assert set(snapshot(isolate(module, into).path)) == {"main.tf"}
    assert not (isolate(module, into / "again").path / "pipe").exists()


def test_what_cannot_be_copied_is_one_clear_error(tmp_path: Path, into: Path) -> None:
    module = write(tmp_path / "module" / "main.tf").parent
    write(into / "copy")
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
    copy = isolate(top / module, into, local_modules=[top / name for name in others]).path
    for name in (module, *others):
        file = copy / os.path.relpath(name, module) / "main.tf"
        assert file.read_text() == name
        assert file.resolve().is_relative_to(into)
