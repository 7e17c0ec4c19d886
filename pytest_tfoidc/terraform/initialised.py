"""The providers and modules that `terraform init` has fetched, for workspaces that need the same.

A workspace that is given it downloads nothing: init finds the providers that its lock file names,
and the modules, where it puts them itself, and checks them as always.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_tfoidc import shortages
from pytest_tfoidc.terraform.source_files import MODULE_PATTERNS

LOCK_FILE = ".terraform.lock.hcl"
PROVIDERS = Path(".terraform", "providers")
MODULES = Path(".terraform", "modules")
CLI_CONFIG = "TF_CLI_CONFIG_FILE"
SELECTING = (CLI_CONFIG, "TERRAFORM_CONFIG", "TF_PLUGIN_CACHE_DIR")
CONFIGURATION = (*MODULE_PATTERNS, LOCK_FILE)


class Initialised:
    """Keeps what init has fetched until it is closed."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def give(self, key: str, workspace: Path) -> None:
        """Put what was fetched for a configuration into a workspace that has nothing yet."""
        if self._folder is None or _fetched(workspace):
            return
        if (self._folder / key).is_dir():
            _copy(self._folder / key, workspace)

    def keep(self, key: str, workspace: Path) -> None:
        """Keep what init has fetched into a workspace."""
        if not _fetched(workspace):
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tfoidc-init-"))
        if not (self._folder / key).exists():
            _copy(workspace, self._folder / key)

    def close(self) -> None:
        """Remove it."""
        if self._folder is not None:
            shortages.remove_tree(self._folder)


def key_of(
    folders: Iterable[Path], *, executable: Iterable[str], environment: Mapping[str, str]
) -> str:
    """Return what two configurations have in common that fetch the same.

    Args:
        folders: The root module's copy, then those of the modules that it calls.
        executable: Which Terraform it is.
        environment: That of Terraform.
    """
    chosen = [f"{name}={environment.get(name)}" for name in SELECTING]
    parts = [text.encode("utf-8", "surrogateescape") for text in (*executable, *chosen)]
    parts.append(_content(Path(environment.get(CLI_CONFIG, ""))))
    for folder in folders:
        parts.append(b"module")
        for file in sorted(file for pattern in CONFIGURATION for file in folder.glob(pattern)):
            parts += [os.fsencode(file.name), _content(file)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _fetched(folder: Path) -> list[Path]:
    return [part for part in (PROVIDERS, MODULES) if (folder / part).is_dir()]


def _copy(source: Path, target: Path) -> None:
    """Copy what was fetched: programs as links to the same file, and all of it or nothing."""
    parts = _fetched(source)
    target.mkdir(parents=True, exist_ok=True)
    try:
        for part in parts:
            how = os.link if part == PROVIDERS else shutil.copy2
            shutil.copytree(source / part, target / part, symlinks=True, copy_function=how)
        if (source / LOCK_FILE).is_file():
            shutil.copyfile(source / LOCK_FILE, target / LOCK_FILE)
    except OSError:  # init fetches it again
        for part in parts:
            shutil.rmtree(target / part, ignore_errors=True)
