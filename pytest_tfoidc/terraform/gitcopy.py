"""A copy of a Git repository's own folder: it can be asked, and writes reach the copy alone.

Of a large repository the objects are not copied: the copy borrows the original's
(`objects/info/alternates`), which Git reads; writing an object that is there already renews its
time, and nothing else. Git itself is not needed for any of this.
Source: https://git-scm.com/docs/gitrepository-layout
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_tfoidc.terraform.placing import Placer

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


def copy_git(original: Path, copy: Path, *, spare: Path, mirror: Mirror, placer: Placer) -> None:
    """Copy a repository's `.git`: a folder, or a file that names one.

    Args:
        original: The original `.git`.
        copy: Where it goes.
        spare: Where a Git folder goes that lies elsewhere, as those of worktrees do.
        mirror: Tells where something of the original is in the copy; None where it is not.
        placer: Puts everything in place.

    Raises:
        OSError: Something cannot be read or written.
    """
    if original.is_symlink():
        linked = spare / "linked"
        _Copier(placer).copy(original.resolve(), linked)
        placer.link(str(linked), copy)
    elif original.is_dir():
        _Copier(placer).copy(original, copy)
    elif original.is_file():
        placer.text(copy, _pointer(original, copy, spare=spare, mirror=mirror, placer=placer))


def _pointer(original: Path, copy: Path, *, spare: Path, mirror: Mirror, placer: Placer) -> str:
    """Return what a `.git` file says in the copy."""
    text = original.read_text("utf-8", "surrogateescape")
    named = text.removeprefix(POINTER).strip()
    folder = (original.parent / named).resolve()
    if not text.startswith(POINTER) or not folder.is_dir():
        return text
    inside = mirror(folder)
    if inside is not None:  # a submodule's, which comes with its parent's
        return f"{POINTER}{inside}\n" if os.path.isabs(named) else text
    place = spare / str(placer.number())
    shared = _first_line(folder / "commondir")
    if shared:  # a worktree's
        _Copier(placer, only_worktree=folder.name).copy((folder / shared).resolve(), place)
        placer.text(place / "worktrees" / folder.name / "gitdir", f"{copy}\n")
        return f"{POINTER}{place / 'worktrees' / folder.name}\n"
    _Copier(placer).copy(folder, place)
    placer.append(place / "config", f'[core]\n\tworktree = "{copy.parent}"\n')
    return f"{POINTER}{place}\n"


def _first_line(file: Path) -> str:
    return file.read_text("utf-8").strip() if file.is_file() else ""


def _are_many(objects: Path) -> bool:
    """Tell whether objects are too many or too large to be copied; looks no further than that."""
    files, size = 0, 0
    for folder, _, names in os.walk(objects):
        files += len(names)
        size += sum(Path(folder, name).stat().st_size for name in names[:MOST_OBJECTS])
        if files > MOST_OBJECTS or size > MOST_BYTES:
            return True
    return False


@dataclass(frozen=True)
class _Copier:
    """Copies Git folders, and those of submodules in them."""

    placer: Placer
    only_worktree: str = ""

    def copy(self, original: Path, copy: Path) -> None:
        """Copy a folder of Git's."""
        self.placer.folder(copy)
        is_git = (original / "HEAD").is_file() and (original / OBJECTS).is_dir()
        with os.scandir(original) as entries:
            for entry in entries:
                if not self._is_left_out(original, entry.name, is_git=is_git):
                    self._place(entry, copy / entry.name, is_git=is_git)
        if is_git:
            self.placer.append(copy / "config", CONFIG)
            self.placer.append(copy / "info" / "exclude", OURS)

    def _is_left_out(self, folder: Path, name: str, *, is_git: bool) -> bool:
        is_other = folder.name == "worktrees" and name != (self.only_worktree or name)
        return is_other or (is_git and name in LARGE)

    def _place(self, entry: os.DirEntry[str], copy: Path, *, is_git: bool) -> None:
        if is_git and entry.name == OBJECTS:
            self._objects(Path(entry.path), copy)
        elif entry.is_symlink():
            self.placer.link(os.readlink(entry.path), copy)
        elif entry.is_dir():
            self.copy(Path(entry.path), copy)
        elif entry.is_file() and not entry.name.endswith(".lock"):
            self.placer.file(entry.path, str(copy), entry.stat())

    def _objects(self, original: Path, copy: Path) -> None:
        if _are_many(original):
            self._borrow(original, copy)
            return
        self.copy(original, copy)
        alternates = copy / "info" / "alternates"
        if alternates.is_file():  # it borrows as well, perhaps from where a relative path leads
            lines = alternates.read_text("utf-8", "surrogateescape").splitlines()
            places = [os.path.normpath(original.resolve() / line) for line in lines if line]
            self.placer.text(alternates, "\n".join([*places, ""]))

    def _borrow(self, original: Path, copy: Path) -> None:
        self.placer.folder(copy / "pack")
        self.placer.text(copy / "info" / "alternates", f"{original.resolve()}\n")
