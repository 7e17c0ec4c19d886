"""Copying a module under test, so that nothing is ever written into the user's folder.

The copy has the shape of the original: the module, the local modules that it uses, and what lies
beside them up to the top of the repository. Links stay links, the Git repository can be asked, and
only what Terraform itself has made in the module's root is left out. What is too large to be copied
again and again is linked to, to be read.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform import filecopy
from pytest_tfoidc.terraform.gitcopy import GIT, copy_git
from pytest_tfoidc.terraform.placing import Placer

# What Terraform makes in a module's root: state above all, so that a test can never destroy what
# the user has deployed.
LEFT_OUT = (
    ".terraform",
    ".terraform.tfstate.lock.info",
    "crash.*.log",
    "crash.log",
    "errored.tfstate",
    "terraform.tfstate",
    "terraform.tfstate.*backup",
    "terraform.tfstate.d",
)
# What tools keep for themselves; nobody wants to be told that it is linked to.
CACHES = frozenset(
    {
        ".cache",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "__pycache__",
    }
)
# Large, and hardly ever written to by a module: copied as a whole if that is cheap, and last.
HEAVY = CACHES | {
    ".nox",
    ".terraform",
    ".terragrunt-cache",
    ".tox",
    ".venv",
    "node_modules",
    "venv",
}
SOURCES = (".tf", ".tofu", ".hcl", ".tfvars", ".tf.json", ".tofu.json", ".tfvars.json")
MOST_FILES = 4_000  # of the modules
MOST_FILES_BESIDE = 2_000  # of what lies beside them
MOST_BYTES = 64_000_000  # of either
MOST_ENTRIES = 500  # of a folder that is gone through although it is too large to be copied
# Where links lead to that are not copied: what is there belongs to the machine.
SYSTEM = [
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/nix",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
]
COPY = "copy"
COPIES = "tfoidc-"  # what the temporary folders of copies are named


@dataclass(frozen=True, kw_only=True)
class IsolatedCopy:
    """A copy of a module and of what it may refer to.

    Attributes:
        path: The folder of the module's copy.
        top: The original folder that everything was taken from.
        tree: Its copy.
        linked: What was too large and is linked to.
        seconds: How long it took.
    """

    path: Path
    top: Path
    tree: Path
    linked: tuple[Path, ...] = ()
    seconds: float = 0.0

    def of(self, original: Path) -> Path:
        """Return where something of the original is in the copy; itself where it is not there."""
        real = original.resolve()
        return self.tree / real.relative_to(self.top) if real.is_relative_to(self.top) else original


def isolate(
    module: Path,
    into: Path,
    *,
    local_modules: Iterable[Path] = (),
    left_out: Iterable[Path] = (),
    placer: Placer | None = None,
) -> IsolatedCopy:
    """Copy a module, its local modules and what lies beside them into a folder.

    Args:
        module: The root module's folder, absolute.
        into: A folder: an empty one, or that of a copy that the same placer has made.
        local_modules: Absolute folders of the local modules that it uses, directly or not.
        left_out: More files and folders of the module that are not to be copied.
        placer: Knows what it has placed there before; None where there is nothing.

    Raises:
        ModuleError: Something cannot be read or written.
    """
    started = real_seconds()
    try:
        copier = _copier(module.resolve(), into, [path.resolve() for path in local_modules])
        copier.left_out |= {Path(os.path.abspath(path)) for path in left_out}
        copier.placer = placer or Placer()
        copier.copy()
    except OSError as error:
        raise ModuleError(
            "The module cannot be copied.",
            where=str(module),
            cause=str(error),
            remedy="Make the files readable, and the temporary folder writable and large enough.",
        ) from error
    return IsolatedCopy(
        path=copier.mirror(copier.module),
        top=copier.top,
        tree=copier.mirror(copier.top),
        linked=tuple(copier.linked),
        seconds=real_seconds() - started,
    )


def _copier(module: Path, into: Path, local_modules: list[Path]) -> _Copier:
    folders = [module, *local_modules]
    found = (_repository(folder) for folder in folders)
    zones = {repository for repository in found if repository is not None}
    common = Path(os.path.commonpath([folder.parent for folder in folders]))
    own = _repository(module)
    if own is None:
        top = common
    elif all(folder.is_relative_to(own) for folder in folders):
        top = own
    else:
        top = Path(os.path.commonpath([own, common]))
    if own is None and not _is_common_ground(top):
        zones.add(top)
    return _Copier(module=module, folders=folders, top=top, into=into, zones=zones)


def _repository(folder: Path) -> Path | None:
    """Return the top of the Git repository that a folder lies in."""
    return next((f for f in (folder, *folder.parents) if os.path.lexists(f / GIT)), None)


def _is_common_ground(folder: Path) -> bool:
    """Tell whether a folder holds things that have nothing to do with each other."""
    shared = {Path("/"), Path.home(), Path(tempfile.gettempdir())}
    return any(folder == one or one.is_relative_to(folder) for one in shared)


def _depth(folder: Path) -> int:
    return len(folder.parts)


@dataclass
class _Budget:
    """The budget of what may still be copied."""

    files: int
    size: int

    def take(self, files: int, size: int) -> bool:
        """Take a part of it, if there is as much."""
        if files > self.files or size > self.size:
            return False
        self.files -= files
        self.size -= size
        return True

    def fits(self, folder: Path) -> bool:
        """Tell whether all that a folder holds could be copied; looks no further than that."""
        size = 0
        for files, entry in enumerate(_below(folder), start=1):
            if entry.is_file(follow_symlinks=False):
                size += entry.stat(follow_symlinks=False).st_size
            if files > self.files or size > self.size:
                return False
        return True


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [os.fspath(folder)]
    while waiting:
        for entry in _entries(waiting.pop()):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, sorted; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        return []


@dataclass
class _Copier:
    """Makes one copy.

    Attributes:
        module: The root module's folder.
        folders: It, and the local modules.
        top: The folder that everything lies in.
        into: The folder of the copy, in which everything has the path that it has outside, so that
            relative links need no change wherever they lead.
        zones: Where what lies beside the modules is copied; elsewhere it is linked to.
        left_out: What is not to be copied.
        placer: Puts everything in place.
        linked: What was too large, or too much; caches are not worth a word.
    """

    module: Path
    folders: list[Path]
    top: Path
    into: Path
    zones: set[Path]
    left_out: set[Path] = field(default_factory=set)
    placer: Placer = field(default_factory=Placer)
    linked: list[Path] = field(default_factory=list)
    _opened: set[Path] = field(default_factory=set)  # made, and perhaps not filled yet
    _filled: set[Path] = field(default_factory=set)
    _later: list[tuple[Path, Path]] = field(default_factory=list)
    _outside: list[Path] = field(default_factory=list)
    _budget: _Budget = field(default_factory=lambda: _Budget(MOST_FILES, MOST_BYTES))

    def mirror(self, original: Path) -> Path:
        """Return where an original goes."""
        return self.into / COPY / original.relative_to(original.anchor)

    def copy(self) -> None:
        """Copy the modules first, then what lies beside them, from the inside out."""
        self.placer.begin(self.into)
        for folder in self.folders:
            self._open(folder)
        for folder in self.folders:
            self._fill(folder)
        self._budget = _Budget(MOST_FILES_BESIDE, MOST_BYTES)
        for folder in self.folders:
            for parent in folder.parents:
                if parent.is_relative_to(self.top):
                    self._fill(parent)
        while self._later or self._outside:
            while self._outside:
                self._copy_outside(self._outside.pop(0))
            while self._later:
                self._whole_or_link(*self._later.pop(0))
        self.placer.finish()
        for folder in sorted(self._opened, key=_depth, reverse=True):
            filecopy.copy_times(folder, self.mirror(folder))

    def _open(self, folder: Path) -> None:
        """Make a folder, and those that it lies in."""
        for parent in (*reversed(folder.parents), folder):
            if parent.is_relative_to(self.top):
                self.placer.folder(self.mirror(parent))
                self._opened.add(parent)

    def _fill(self, folder: Path) -> None:
        """Copy what a folder holds; paths are kept as texts here, for there may be thousands."""
        if folder in self._filled:
            return
        self._filled.add(folder)
        copy = self.mirror(folder)
        is_linked = not self._is_in_a_zone(folder)
        for entry in _entries(folder):
            if self._is_left_out(folder, entry):
                continue
            target = os.path.join(copy, entry.name)
            if not self.placer.is_placed(target):
                self._place(entry, target, is_linked=is_linked)
            elif (inner := Path(entry.path)) in self._opened:
                self._fill(inner)

    def _is_left_out(self, folder: Path, entry: os.DirEntry[str]) -> bool:
        if folder == self.module and any(fnmatchcase(entry.name, name) for name in LEFT_OUT):
            return True
        if folder == self.into.parent and entry.name.startswith((COPIES, self.into.name)):
            return True
        return bool(self.left_out) and Path(entry.path) in self.left_out

    def _place(self, entry: os.DirEntry[str], copy: str, *, is_linked: bool = False) -> None:
        if entry.name == GIT:
            spare, mirror = self.into / "git", self._mirror_if_inside
            copy_git(Path(entry.path), Path(copy), spare=spare, mirror=mirror, placer=self.placer)
        elif entry.is_symlink():
            self.placer.link(self._leads_to(Path(entry.path)), copy)
        elif is_linked:
            self.placer.link(entry.path, copy)
        elif entry.is_dir(follow_symlinks=False):
            self._place_folder(Path(entry.path), Path(copy))
        elif entry.is_file(follow_symlinks=False):  # sockets and pipes mean nothing elsewhere
            self._place_file(entry.path, copy, entry.stat(follow_symlinks=False))

    def _is_in_a_zone(self, folder: Path) -> bool:
        if not folder.is_relative_to(self.top):
            return True
        return any(folder.is_relative_to(zone) for zone in (*self.zones, *self.folders))

    def _place_file(self, original: str, copy: str, status: os.stat_result) -> None:
        if not self._budget.take(1, status.st_size) and not original.endswith(SOURCES):
            self._link(original, copy)
            return
        try:
            self.placer.file(original, copy, status)
        except PermissionError:  # Terraform says it, if it ever opens the file
            self.placer.link(original, copy)

    def _place_folder(self, original: Path, copy: Path) -> None:
        if original.name in HEAVY:
            self._later.append((original, copy))
        elif self._is_gone_through(original):
            self.placer.folder(copy)
            self._budget.take(1, 0)
            self._opened.add(original)
            self._fill(original)
        else:
            self._link(str(original), str(copy))

    def _is_gone_through(self, folder: Path) -> bool:
        if self._budget.fits(folder):
            return True
        return self._budget.files > 0 and len(_entries(folder)) <= MOST_ENTRIES

    def _whole_or_link(self, original: Path, copy: Path) -> None:
        if self.placer.is_placed(copy):
            return
        if not self._budget.fits(original):
            self._link(str(original), str(copy))
            return
        self.placer.folder(copy)
        self._opened.add(original)
        for entry in _entries(original):
            if entry.is_dir(follow_symlinks=False):
                self._whole_or_link(Path(entry.path), copy / entry.name)
            else:
                self._place(entry, os.path.join(copy, entry.name))

    def _link(self, original: str, copy: str) -> None:
        self.placer.link(original, copy)
        self._budget.take(1, 0)
        if CACHES.isdisjoint(os.path.relpath(original, self.top).split(os.sep)):
            self.linked.append(Path(original))

    def _leads_to(self, link: Path) -> str:
        """Return what a link's copy says: the same, unless it would lead to another place."""
        text = os.readlink(link)
        lexical = Path(os.path.normpath(link.parent / text))
        if lexical.is_relative_to(self.top):
            return str(self.mirror(lexical)) if os.path.isabs(text) else text
        real = Path(os.path.realpath(link))
        if real.is_relative_to(self.top):
            return str(self.mirror(real))
        if not self._is_copied_outside(real):
            return text if os.path.isabs(text) or not os.path.lexists(lexical) else str(lexical)
        self._outside.append(real)
        return str(self.mirror(real)) if os.path.isabs(text) or lexical != real else text

    def _is_copied_outside(self, real: Path) -> bool:
        is_system = any(real.is_relative_to(place) for place in SYSTEM)
        return not is_system and (real.is_file() or real.is_dir()) and not _is_common_ground(real)

    def _copy_outside(self, original: Path) -> None:
        """Copy what a link leads to that lies elsewhere, so that nothing is written through it."""
        copy = self.mirror(original)
        if self.placer.is_placed(copy):
            return
        self.placer.folder(copy.parent)
        status = original.stat()
        if stat.S_ISDIR(status.st_mode):
            self._place_folder(original, copy)
        else:
            self._place_file(str(original), str(copy), status)

    def _mirror_if_inside(self, path: Path) -> Path | None:
        return self.mirror(path) if path.is_relative_to(self.top) else None
