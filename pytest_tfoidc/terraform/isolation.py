"""Copying a module under test, so that nothing is ever written into the user's folder.

The module and the local modules that it uses are copied. The folders between them and the top of
the repository are rebuilt around the copies, with links to everything else in them: so `../shared`
and `file("../../settings.json")` mean what they mean in the original.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pytest_tfoidc.errors import ModuleError

# Never copied: state above all, so that a test can never destroy what the user has deployed.
LEFT_OUT = (
    ".git",
    ".pytest_cache",
    ".terraform",
    ".terraform.tfstate.lock.info",
    ".terragrunt-cache",
    ".tox",
    ".venv",
    "*.tfstate",
    "*.tfstate.*",
    "__pycache__",
    "crash*.log",
    "node_modules",
    "terraform.tfstate.d",
)


def isolate(module: Path, into: Path, *, local_modules: Iterable[Path] = ()) -> Path:
    """Copy a module and its local modules into an empty folder.

    Args:
        module: The root module's folder, absolute.
        into: An empty folder.
        local_modules: Absolute folders of the local modules that it uses, directly or not.

    Returns:
        The folder of the module's copy.

    Raises:
        ModuleError: Something cannot be read or written.
    """
    folders = _outermost([module, *local_modules])
    top = _top(module, folders)
    try:
        for folder in folders:
            _rebuild_parents(folder, folders, top=top, into=into)
        for folder in folders:
            shutil.copytree(
                folder,
                into / folder.relative_to(top),
                ignore=_left_out,
                dirs_exist_ok=True,
            )
    except (OSError, shutil.Error) as error:
        raise ModuleError(
            "The module cannot be copied.",
            where=str(module),
            cause=str(error),
            remedy="Make the files readable, and the temporary folder writable and large enough.",
        ) from error
    return into / module.relative_to(top)


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Leave out folders that lie in another one of the list."""
    kept: list[Path] = []
    for folder in sorted(set(folders), key=lambda f: len(f.parts)):
        if not any(folder.is_relative_to(other) for other in kept):
            kept.append(folder)
    return kept


def _top(module: Path, folders: list[Path]) -> Path:
    """Give the repository's top, or what the module and its local modules have in common."""
    common = Path(os.path.commonpath([folder.parent for folder in folders]))
    for folder in (module, *module.parents):
        if (folder / ".git").exists():
            return folder.parent if folder == module else min(folder, common, key=_depth)
    return common


def _depth(folder: Path) -> int:
    return len(folder.parts)


def _rebuild_parents(folder: Path, copied: list[Path], *, top: Path, into: Path) -> None:
    """Make the folders between the top and a copied folder, with links to what is beside it."""
    for parent in (p for p in reversed(folder.parents) if p.is_relative_to(top)):
        mirror = into / parent.relative_to(top)
        if parent != top and mirror.is_symlink():
            mirror.unlink()
        mirror.mkdir(parents=True, exist_ok=True)
        for entry in parent.iterdir():
            link = mirror / entry.name
            inside = any(c.is_relative_to(entry) for c in copied)
            if not inside and not link.exists() and not _is_left_out(entry.name):
                link.symlink_to(entry)


def _is_left_out(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def _left_out(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if _is_left_out(name) or _leads_nowhere(Path(folder, name))]


def _leads_nowhere(path: Path) -> bool:
    """Tell whether a path is a link to nothing, or back to a folder that it lies in."""
    if not path.is_symlink():
        return False
    return not path.exists() or path.parent.resolve().is_relative_to(path.resolve())
