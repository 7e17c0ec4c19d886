"""A copy that is handed on is, whatever was done to it, what a new copy would be."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_tfoidc.terraform.copies import Copies, CopyFolder
from pytest_tfoidc.terraform.isolation import IsolatedCopy, isolate
from pytest_tfoidc.terraform.placing import CAN_TELL
from tests.terraform.test_gitcopy import git

pytestmark = pytest.mark.skipif(not CAN_TELL, reason="copies are not handed on here")


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Copies whose temporary folder is the test's own."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    return Copies(most_spare=2)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module in a repository, with files and links beside it."""
    return make_repository(tmp_path / "repository") / "live" / "app"


def make_repository(top: Path) -> Path:
    texts = {
        "live/app/main.tf": "module",
        "live/app/files/one.txt": "one",
        "live/shared/log": "first\n",
        "live/shared/deep/er/data.json": "{}",
        "README.md": "read me",
        "tool.sh": "#!/bin/sh\n",
    }
    for name, text in texts.items():
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (top / "tool.sh").chmod(0o755)
    (top / "live" / "secret").write_text("hidden", encoding="utf-8")
    (top / "live" / "secret").chmod(0o640)
    (top / "live" / "link").symlink_to("shared/log")
    (top / "live" / "far").symlink_to(top / "live" / "shared")
    os.utime(top / "README.md", ns=(10**18, 10**18))
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "README.md")
    git(top, "commit", "-q", "-m", "the first")
    return top


def copied(copies: Copies, module: Path) -> tuple[CopyFolder, IsolatedCopy]:
    place = copies.place_for(module)
    return place, isolate(module, place.base, placer=place.placer)


def tree(folder: Path, *, base: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be seen of a folder; absolute links as they lead in the copy."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()).replace(str(base), "BASE"))
        elif path.is_dir():
            found[name] = ("folder", stat.S_IMODE(status.st_mode))
        elif not path.is_file():
            found[name] = ("neither",)
        else:
            text = path.read_bytes().replace(os.fsencode(base), b"BASE")
            is_ours = ".git" in name or "/git/" in f"/{name}"
            found[name] = (text, stat.S_IMODE(status.st_mode), is_ours or status.st_mtime_ns)
    return found


def times_of_folders(folder: Path) -> dict[str, int]:
    folders = (path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folders
        if ".git" not in path.parts
    }


def assert_like_a_new_one(copies: Copies, module: Path, tmp_path: Path) -> IsolatedCopy:
    place, again = copied(copies, module)
    new = tmp_path / "new"
    isolate(module, new)
    assert tree(place.base, base=place.base) == tree(new, base=new)
    top = again.top.relative_to("/")
    assert times_of_folders(place.base / "copy" / top) == times_of_folders(new / "copy" / top)
    return again


def _appends(live: Path) -> None:
    with (live / "shared" / "log").open("a", encoding="utf-8") as file:
        file.write("second\n")


def _writes_as_much_and_hides_it(live: Path) -> None:
    log = live / "shared" / "log"
    at = log.stat()
    with log.open("r+", encoding="utf-8") as file:
        file.write("FIRST\n")
    os.utime(log, ns=(at.st_atime_ns, at.st_mtime_ns))


def _replaces(live: Path) -> None:
    (live / "new").write_text("first\n", encoding="utf-8")
    shutil.copystat(live / "shared" / "log", live / "new")
    (live / "new").replace(live / "shared" / "log")


def _removes(live: Path) -> None:
    shutil.rmtree(live / "shared" / "deep")
    (live / "link").unlink()
    (live / "secret").unlink()


def _adds(live: Path) -> None:
    (live / "shared" / "more" / "and").mkdir(parents=True)
    (live / "shared" / "more" / "and" / "more").write_text("x", encoding="utf-8")
    (live / "app" / ".terraform").mkdir()
    (live / "app" / "terraform.tfstate").write_text("{}", encoding="utf-8")
    (live / "dangling").symlink_to("nowhere")
    os.mkfifo(live / "pipe")


def _changes_modes(live: Path) -> None:
    (live / "secret").chmod(0o777)
    (live / "shared" / "deep" / "er").chmod(0)
    (live / "shared" / "deep").chmod(0)


def _swaps_kinds(live: Path) -> None:
    (live / "secret").unlink()
    (live / "secret").mkdir()
    (live / "secret" / "inner").write_text("x", encoding="utf-8")
    shutil.rmtree(live / "shared" / "deep")
    (live / "shared" / "deep").write_text("a file", encoding="utf-8")
    (live / "link").unlink()
    (live / "link").write_text("no link", encoding="utf-8")


def _links_hard(live: Path) -> None:
    (live / "other").hardlink_to(live / "shared" / "log")
    with (live / "other").open("a", encoding="utf-8") as file:
        file.write("through another name")


def _commits(live: Path) -> None:
    git(live, "add", "-A", ".")
    git(live, "commit", "-q", "-m", "the second")
    git(live, "config", "user.name", "somebody")


DEEDS = (
    _appends,
    _writes_as_much_and_hides_it,
    _replaces,
    _removes,
    _adds,
    _changes_modes,
    _swaps_kinds,
    _links_hard,
    _commits,
)


@pytest.mark.parametrize("deed", [*DEEDS, lambda _live: None])
def test_what_a_provisioner_does_is_not_there_for_the_next(
    copies: Copies, module: Path, tmp_path: Path, deed: Callable[[Path], None]
) -> None:
    users = tree(module.parent.parent, base=module.parent.parent)
    place, first = copied(copies, module)
    deed(first.path.parent)
    copies.give_back(place, first)
    assert_like_a_new_one(copies, module, tmp_path)
    assert tree(module.parent.parent, base=module.parent.parent) == users


@pytest.mark.parametrize(
    "deed", [*DEEDS[:5], _swaps_kinds, lambda live: (live / "secret").chmod(0o600)]
)
def test_what_the_user_changes_meanwhile_is_there_for_the_next(
    copies: Copies, module: Path, tmp_path: Path, deed: Callable[[Path], None]
) -> None:
    copies.give_back(*copied(copies, module))
    before = tree(module.parent, base=module)
    deed(module.parent)
    assert deed is _replaces or tree(module.parent, base=module) != before
    assert_like_a_new_one(copies, module, tmp_path)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(rounds=st.lists(st.tuples(st.sampled_from(DEEDS[:8]), st.sampled_from(DEEDS[:4]))))
def test_any_row_of_deeds_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    rounds: list[tuple[Callable[[Path], None], Callable[[Path], None]]],
) -> None:
    folder = tmp_path_factory.mktemp("row")
    module = make_repository(folder / "repository") / "live" / "app"
    copies = Copies(most_spare=1)
    try:
        for of_provisioner, of_user in rounds[:3]:
            place, copy = copied(copies, module)
            with contextlib.suppress(FileNotFoundError):  # the user has removed it
                of_provisioner(copy.path.parent)
            copies.give_back(place, copy)
            shutil.rmtree(module.parent.parent)
            make_repository(folder / "repository")
            of_user(module.parent)
            place, copy = copied(copies, module)
            new = isolate(module, folder / "new")
            assert tree(copy.tree, base=place.base) == tree(new.tree, base=folder / "new")
            shutil.rmtree(folder / "new")
            copies.give_back(place, copy)
    finally:
        copies.close()


def test_a_folder_that_became_a_link_to_the_users_is_not_written_through(
    copies: Copies, module: Path, tmp_path: Path
) -> None:
    users = tree(module.parent.parent, base=module.parent.parent)
    outside = tmp_path / "outside"
    shutil.copytree(module.parent / "shared", outside)
    kept = tree(outside, base=outside)
    place, first = copied(copies, module)
    shutil.rmtree(first.path.parent / "shared")
    (first.path.parent / "shared").symlink_to(outside)
    shutil.rmtree(first.path)
    first.path.symlink_to(module)
    copies.give_back(place, first)
    assert_like_a_new_one(copies, module, tmp_path)
    assert tree(outside, base=outside) == kept
    assert tree(module.parent.parent, base=module.parent.parent) == users


def test_what_is_the_same_is_not_made_again(copies: Copies, module: Path) -> None:
    place, first = copied(copies, module)
    files = [path for path in first.tree.rglob("*") if path.is_file() and ".git" not in path.parts]
    inodes = {path.relative_to(first.tree): path.stat().st_ino for path in files}
    _appends(first.path.parent)
    copies.give_back(place, first)
    _, second = copied(copies, module)
    kept = {name for name, inode in inodes.items() if (second.tree / name).stat().st_ino == inode}
    changed = {Path("live/shared/log"), Path("live/link"), Path("live/far/log")}
    assert set(inodes) - kept <= changed
    assert len(kept) >= 6


def test_nobody_finds_a_copy_where_it_was(copies: Copies, module: Path) -> None:
    place, first = copied(copies, module)
    copies.give_back(place, first)
    assert not first.path.exists()
    _, second = copied(copies, module)
    assert second.path != first.path
    assert not first.path.exists()


def test_two_at_once_have_each_their_own(copies: Copies, module: Path) -> None:
    copies.give_back(*copied(copies, module))
    (_, one), (_, other) = copied(copies, module), copied(copies, module)
    _appends(one.path.parent)
    assert (other.path.parent / "shared" / "log").read_text() == "first\n"


def test_another_module_of_the_same_repository_takes_it_over(
    copies: Copies, module: Path, tmp_path: Path
) -> None:
    other = module.parent / "other"
    other.mkdir()
    (other / "main.tf").write_text("other", encoding="utf-8")
    (other / "terraform.tfstate").write_text("state", encoding="utf-8")
    (module / "terraform.tfstate").write_text("state", encoding="utf-8")
    copies.give_back(*copied(copies, module))
    second = assert_like_a_new_one(copies, other, tmp_path)
    assert not (second.path / "terraform.tfstate").exists()
    assert (second.path.parent / "app" / "terraform.tfstate").exists()


def test_no_more_are_kept_than_are_wanted(copies: Copies, module: Path, tmp_path: Path) -> None:
    made = [copied(copies, module) for _ in range(4)]
    for place, copy in made:
        copies.give_back(place, copy)
    assert len(list((tmp_path / "temp").iterdir())) == 2
    copies.close()
    assert list((tmp_path / "temp").iterdir()) == []
    place, copy = copied(copies, module)
    copies.give_back(place, copy)
    assert list((tmp_path / "temp").iterdir()) == []


def test_where_nobody_comes_after_nothing_is_kept(module: Path, tmp_path: Path) -> None:
    place, copy = copied(Copies(), module)
    Copies().give_back(place, copy)
    assert not place.base.exists()
