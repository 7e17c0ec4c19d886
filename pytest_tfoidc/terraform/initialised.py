"""Share what `terraform init` has made between workspaces that need the same.

A workspace that is given what was fetched downloads nothing: init finds the providers that its lock
file names, and the modules, where it puts them itself, and checks them as always. One that is given
the backend's cache as well has all that init would make.
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
BACKEND = Path(".terraform", "terraform.tfstate")
CLI_CONFIG = "TF_CLI_CONFIG_FILE"
SELECTING = (CLI_CONFIG, "TERRAFORM_CONFIG", "TF_PLUGIN_CACHE_DIR")
ARGUMENTS = ("TF_CLI_ARGS", "TF_CLI_ARGS_init", "TF_DATA_DIR")
CONFIGURATION = (*MODULE_PATTERNS, LOCK_FILE)


class Initialised:
    """Keeps what init has fetched until it is closed."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def give(self, key: str, workspace: Path) -> bool:
        """Put what is kept into a workspace that has nothing yet, and return whether it has it."""
        if self._folder is None or _made(workspace):
            return False
        kept = _made(self._folder / key)
        return bool(kept) and _copy(kept, self._folder / key, workspace)

    def keep(self, key: str, workspace: Path, *, with_backend: bool = False) -> None:
        """Keep what init has fetched into a workspace.

        Args:
            key: What it is found by.
            workspace: Its folder.
            with_backend: Keep the backend's cache as well, or nothing where there is none.
        """
        made = _made(workspace)
        if not with_backend:
            made = [part for part in made if part != BACKEND]
        elif BACKEND not in made:
            return
        if not made:
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tfoidc-init-"))
        if not (self._folder / key).exists():
            _copy(made, workspace, self._folder / key)

    def close(self) -> None:
        """Remove it."""
        if self._folder is not None:
            shortages.remove_tree(self._folder)


def key_of(
    folders: Iterable[Path],
    *,
    executable: Iterable[str],
    environment: Mapping[str, str],
    backend: Path | None = None,
) -> str:
    """Return what two configurations have in common that fetch the same.

    Args:
        folders: The root module's copy, then those of the modules that it calls.
        executable: Which Terraform it is.
        environment: That of Terraform.
        backend: The file that the backend is configured with; with it, what they have in common
            for which init makes the same.
    """
    names = SELECTING if backend is None else (*SELECTING, *ARGUMENTS)
    chosen = [f"{name}={environment.get(name)}" for name in names]
    parts = [text.encode("utf-8", "surrogateescape") for text in (*executable, *chosen)]
    parts.append(_content(Path(environment.get(CLI_CONFIG, ""))))
    if backend is not None:
        parts += [b"backend", _content(backend)]
    for folder in folders:
        parts.append(b"module")
        for file in sorted(file for pattern in CONFIGURATION for file in folder.glob(pattern)):
            parts += [os.fsencode(file.name), _content(file)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _made(folder: Path) -> list[Path]:
    return [part for part in (PROVIDERS, MODULES, BACKEND) if (folder / part).exists()]


def _copy(parts: Iterable[Path], source: Path, target: Path) -> bool:
    """Copy what init has made: programs as links to the same file, and all of it or nothing."""
    try:
        for part in parts:
            if part == BACKEND:
                (target / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / part, target / part)
            else:
                how = os.link if part == PROVIDERS else shutil.copy2
                shutil.copytree(source / part, target / part, symlinks=True, copy_function=how)
        if (source / LOCK_FILE).is_file():
            shutil.copyfile(source / LOCK_FILE, target / LOCK_FILE)
    except OSError:  # init makes it again
        (target / BACKEND).unlink(missing_ok=True)
        for part in (PROVIDERS, MODULES):
            shutil.rmtree(target / part, ignore_errors=True)
        return False
    return True
