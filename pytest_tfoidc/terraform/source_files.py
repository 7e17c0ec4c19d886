"""Which files of a folder Terraform and OpenTofu read."""

from __future__ import annotations

import os
from pathlib import Path

MODULE_SUFFIXES = {".tf": ".tofu", ".tf.json": ".tofu.json"}
MODULE_PATTERNS = tuple(f"*{suffix}" for suffix in (*MODULE_SUFFIXES, *MODULE_SUFFIXES.values()))
LAST = "~tfoidc_"  # Terraform reads files in the order of their names' bytes
TEST_SUFFIXES = {".tftest.hcl": ".tofutest.hcl", ".tftest.json": ".tofutest.json"}


def source_files(folder: Path, *, suffixes: dict[str, str], opentofu: bool) -> list[Path]:
    """Return a folder's files of one kind, sorted by name.

    Hidden files and an editor's copies are left out. OpenTofu has an ending of its own for each of
    Terraform's, and leaves out a file beside which one with its own ending lies.

    Args:
        folder: The folder; its subfolders are not looked at.
        suffixes: OpenTofu's ending for each of Terraform's.
        opentofu: Whether OpenTofu will read them.

    Raises:
        OSError: The folder cannot be read.
    """
    names = {entry.name for entry in folder.iterdir() if _is_file(entry)}
    wanted = [*suffixes, *suffixes.values()] if opentofu else [*suffixes]
    kept = [name for name in names if name.endswith(tuple(wanted))]
    if opentofu:
        kept = [name for name in kept if not _is_shadowed(name, names, suffixes)]
    return [folder / name for name in sorted(kept)]


def is_override(file: Path) -> bool:
    """Tell whether Terraform merges a file of a module into the others."""
    suffixes = (*MODULE_SUFFIXES, *MODULE_SUFFIXES.values())
    suffix = max((suffix for suffix in suffixes if file.name.endswith(suffix)), key=len)
    stem = file.name.removesuffix(suffix)
    return stem == "override" or stem.endswith("_override")


def last_override(folder: Path, subject: str) -> Path:
    """Return where to write an override file that has the last word among those of a module.

    Args:
        folder: The module's folder; what has been written there by this function is passed by.
        subject: What it overrides: a part of its name, in which the later letter has the last word.
    """
    name = f"{LAST}{subject}_override.tf.json"
    found = source_files(folder, suffixes=MODULE_SUFFIXES, opentofu=True)
    others = [f.name for f in found if is_override(f) and LAST not in f.name]
    latest = max(others, key=os.fsencode, default="")
    return folder / (latest + name if os.fsencode(latest) > os.fsencode(name) else name)


def _is_file(entry: Path) -> bool:
    """Tell whether Terraform opens an entry; it opens a link that leads nowhere, and fails."""
    name = entry.name
    is_emacs_copy = name.startswith("#") and name.endswith("#")
    is_ignored = name.startswith(".") or name.endswith("~") or is_emacs_copy
    return not is_ignored and (entry.is_symlink() or not entry.is_dir())


def _is_shadowed(name: str, names: set[str], suffixes: dict[str, str]) -> bool:
    return any(
        name.endswith(suffix) and name.removesuffix(suffix) + preferred in names
        for suffix, preferred in suffixes.items()
    )
