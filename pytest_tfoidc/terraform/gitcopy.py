"""A copy of a Git repository's own folder: it can be asked, and writes reach the copy alone.

Of a large repository the objects are not copied: the copy borrows the original's
(`objects/info/alternates`), which Git reads; writing an object that is there already renews its
time, and nothing else. Git itself is not needed for any of this.
Source: https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pytest_tfoidc.terraform import filecopy

GIT = ".git"
POINTER = "gitdir: "
OBJECTS = "objects"
LARGE = frozenset({"annex", "lfs", "svn"})  # content, not history
MOST_OBJECTS = 1_000  # files
MOST_BYTES = 32_000_000
Mirror = Callable[[Path], "Path | None"]  # where something of the original is in the copy
# The index knows the originals' change times and inodes, which no copy has. And nothing that Git
# starts in the background may outlive the run.
CONFIG = """
[core]
\tcheckStat = minimal
\ttrustctime = false
\tfsmonitor = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
OURS = "\n.terraform\n*tfoidc*\ntfplan*\n"  # what a run adds to a copy


def copy_git(original: Path, copy: Path, *, spare: Path, mirror: Mirror) -> None:
    """Copy a repository's `.git`: a folder, or a file that names one.

    Args:
        original: The original `.git`.
        copy: Where it goes.
        spare: Where a Git folder goes that lies elsewhere, as those of worktrees do.
        mirror: Tells where something of the original is in the copy; None where it is not.

    Raises:
        OSError: Something cannot be read or written.
    """
    if original.is_symlink():
        copy.symlink_to(_copied(original.resolve(), spare / "linked"))
    elif original.is_dir():
        _copied(original, copy)
    elif original.is_file():
        text = original.read_text("utf-8", "surrogateescape")
        copy.write_text(_pointer(text, original, copy, spare=spare, mirror=mirror), "utf-8")


def _pointer(text: str, original: Path, copy: Path, *, spare: Path, mirror: Mirror) -> str:
    """Return what a `.git` file says in the copy."""
    named = text.removeprefix(POINTER).strip()
    folder = (original.parent / named).resolve()
    if not text.startswith(POINTER) or not folder.is_dir():
        return text
    inside = mirror(folder)
    if inside is not None:  # a submodule's, which comes with its parent's
        return f"{POINTER}{inside}\n" if os.path.isabs(named) else text
    place = spare / str(len(list(spare.glob("*")))) if spare.exists() else spare / "0"
    shared = _first_line(folder / "commondir")
    if shared:  # a worktree's
        _copied((folder / shared).resolve(), place, only_worktree=folder.name)
        (place / "worktrees" / folder.name / "gitdir").write_text(f"{copy}\n", "utf-8")
        return f"{POINTER}{place / 'worktrees' / folder.name}\n"
    _copied(folder, place)
    with (place / "config").open("a", encoding="utf-8") as config:
        config.write(f'[core]\n\tworktree = "{copy.parent}"\n')
    return f"{POINTER}{place}\n"


def _first_line(file: Path) -> str:
    return file.read_text("utf-8").strip() if file.is_file() else ""


def _copied(original: Path, copy: Path, *, only_worktree: str = "") -> Path:
    """Copy a Git folder, and those of submodules in it."""
    copy.mkdir(parents=True, exist_ok=True)
    is_git = (original / "HEAD").is_file() and (original / OBJECTS).is_dir()
    with os.scandir(original) as entries:
        for entry in entries:
            target = copy / entry.name
            is_other = original.name == "worktrees" and entry.name != (only_worktree or entry.name)
            if is_other or (is_git and entry.name in LARGE):
                continue
            if is_git and entry.name == OBJECTS:
                _objects(Path(entry.path), target)
            elif entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
            elif entry.is_dir():
                _copied(Path(entry.path), target, only_worktree=only_worktree)
            elif entry.is_file() and not entry.name.endswith(".lock"):
                filecopy.copy_file(entry.path, str(target), entry.stat())
    if is_git:
        _append(copy / "config", CONFIG)
        _append(copy / "info" / "exclude", OURS)
    return copy


def _are_many(objects: Path) -> bool:
    """Tell whether objects are too many or too large to be copied; looks no further than that."""
    files, size = 0, 0
    for folder, _, names in os.walk(objects):
        files += len(names)
        size += sum(Path(folder, name).stat().st_size for name in names[:MOST_OBJECTS])
        if files > MOST_OBJECTS or size > MOST_BYTES:
            return True
    return False


def _objects(original: Path, copy: Path) -> None:
    if _are_many(original):
        _borrow(original, copy)
        return
    _copied(original, copy)
    alternates = copy / "info" / "alternates"
    if alternates.is_file():  # it borrows as well, perhaps from where a relative path leads
        lines = alternates.read_text("utf-8", "surrogateescape").splitlines()
        places = [os.path.normpath(original.resolve() / line) for line in lines if line]
        alternates.unlink()
        alternates.write_text("\n".join([*places, ""]), "utf-8", "surrogateescape")


def _borrow(original: Path, copy: Path) -> None:
    for name in ("info", "pack"):
        (copy / name).mkdir(parents=True, exist_ok=True)
    alternates = copy / "info" / "alternates"
    alternates.write_text(f"{original.resolve()}\n", "utf-8", "surrogateescape")


def _append(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)
