"""Which files of a folder Terraform and OpenTofu read."""

from __future__ import annotations

from pathlib import Path

MODULE_SUFFIXES = {".tf": ".tofu", ".tf.json": ".tofu.json"}
TEST_SUFFIXES = {".tftest.hcl": ".tofutest.hcl", ".tftest.json": ".tofutest.json"}


def source_files(folder: Path, *, suffixes: dict[str, str], opentofu: bool) -> list[Path]:
    """Give a folder's files of one kind, sorted by name.

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
