"""Putting the files of a copy in place, and leaving alone what an earlier copy has put there.

Making a file costs ten times what looking at it does, and one module is copied for each of its
tests. So a copy that nobody uses any more is handed on: what is placed in it is compared with what
is there, and only what differs is made anew. A file is the same if neither the original nor the
copy has changed since it was copied. That is told by size, inode and both times; the time of the
last change (`st_ctime`) cannot be set by anybody. What was not placed again is removed.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from pytest_tfoidc.terraform import filecopy

Stamp = tuple[int, ...]
CAN_TELL = os.name == "posix"  # elsewhere `st_ctime` is when a file was made


@dataclass(frozen=True)
class _Pair:
    """An original and its copy as they were when it was copied."""

    original: Stamp
    copy: Stamp


def _stamp(status: os.stat_result) -> Stamp:
    return (
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )


class Placer:
    """Places what belongs into one folder, which may be renamed between two copies.

    Paths are texts, for there may be thousands.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Pair] = {}
        self._placed: set[str] = set()
        self._root = ""
        self._numbers = 0
        self._is_empty = True

    def begin(self, into: Path) -> None:
        """Begin a copy into a folder: an empty one, or that of the copy before."""
        os.makedirs(into, exist_ok=True)
        self._root = os.path.join(into, "")
        self._placed = set()
        self._numbers = 0

    def number(self) -> int:
        """Return another number each time; the same ones in each copy."""
        self._numbers += 1
        return self._numbers - 1

    def is_placed(self, path: str | Path) -> bool:
        """Tell whether something has been placed there in this copy."""
        return self._name(path) in self._placed

    def folder(self, path: str | Path) -> None:
        """Place a folder, and those that it lies in."""
        name = self._name(path)
        if name in self._placed:
            return
        parent = os.path.dirname(name)
        if parent:
            self.folder(self._root + parent)
        self._placed.add(name)
        if not self._is_empty and _is_folder(path):
            os.chmod(path, stat.S_IRWXU | stat.S_IMODE(os.lstat(path).st_mode))
            return
        self._make_way(path)
        os.mkdir(path)

    def file(self, original: str, copy: str, status: os.stat_result) -> None:
        """Place a copy of a file with its bytes, mode and time.

        Raises:
            OSError: It cannot be read or written.
        """
        name, now = self._name(copy), _stamp(status)
        self._placed.add(name)
        known = self._known.pop(name, None)
        if known is None or known.original != now or _stamp_at(copy) != known.copy:
            self._make_way(copy)
            filecopy.copy_file(original, copy, status)
            known = _Pair(now, _stamp(os.lstat(copy))) if CAN_TELL else None
        if known is not None:
            self._known[name] = known

    def link(self, text: str, path: str | Path) -> None:
        """Place a symbolic link."""
        self._placed.add(self._name(path))
        if not self._is_empty and os.path.islink(path) and os.readlink(path) == text:
            return
        self._make_way(path)
        os.symlink(text, path)

    def text(self, path: Path, text: str) -> None:
        """Place a file with a text of ours, or put one in the place of a copy."""
        self.folder(path.parent)
        self._placed.add(self._name(path))
        if os.path.lexists(path):
            _remove(path)
        path.write_text(text, "utf-8", "surrogateescape")

    def append(self, path: Path, text: str) -> None:
        """Add a text of ours to a file that has been placed, or to an empty one."""
        if not self.is_placed(path):
            self.text(path, text)
            return
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)

    def finish(self) -> None:
        """Remove what was not placed in this copy: it was left by somebody, or is gone outside."""
        if not self._is_empty:
            self._clear(self._root, "")
        self._is_empty = False

    def _clear(self, folder: str, name: str) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                inner = os.path.join(name, entry.name)
                if inner not in self._placed:
                    self._known.pop(inner, None)
                    _remove(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    self._clear(entry.path, inner)

    def _name(self, path: str | Path) -> str:
        return os.fspath(path)[len(self._root) :]

    def _make_way(self, path: str | Path) -> None:
        if not self._is_empty and os.path.lexists(path):
            _remove(path)


def _stamp_at(path: str) -> Stamp | None:
    try:
        return _stamp(os.lstat(path))
    except OSError:
        return None


def _is_folder(path: str | Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _remove(path: str | Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, whatever its mode is.

    Raises:
        OSError: It cannot be removed.
    """
    if not _is_folder(path):
        os.unlink(path)
        return
    os.chmod(path, stat.S_IRWXU)
    for folder, names, _ in os.walk(path):
        for inner in (os.path.join(folder, name) for name in names):
            if _is_folder(inner):
                os.chmod(inner, stat.S_IRWXU)
    shutil.rmtree(path)
