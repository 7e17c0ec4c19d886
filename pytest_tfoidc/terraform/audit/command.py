"""`tfoidc audit`: what a path is, and what is found in it, for people and for machines."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.terraform.audit.audit import (
    DATA_FOLDER,
    CachedCredential,
    audit_file_closely,
    audit_folder_closely,
    audit_plan_closely,
    audit_state,
    is_audited_by_name,
)
from pytest_tfoidc.terraform.audit.planfile import is_plan

CLEAN, FOUND = 0, 1  # exit codes
SKIPPED = frozenset({".git", "node_modules", ".venv", "__pycache__"})
MOST_UNPACKED = 4 * 1024**3  # bytes of an archive
MOST_FILES = 100_000
WHAT_IT_TAKES = (
    "Give a saved plan, a state, a folder with a Terraform configuration, a file of one, or a zip"
    " archive."
)


@dataclass(frozen=True)
class Audited:
    """The result of an audit."""

    path: str
    found: tuple[CachedCredential, ...]

    @property
    def exit_code(self) -> int:
        """0 where nothing was found, 1 else."""
        return FOUND if self.found else CLEAN


def audit(path: Path) -> Audited:
    """Look for credentials in a plan, a state, a folder, a file of one, or an archive.

    Raises:
        UsageError: There is no such path, or it is nothing of this kind.
        ModuleError: A file cannot be read.
        PlanError: A plan is damaged.
    """
    if path.is_dir():
        found = _audit_folders(path)
    elif not path.exists():
        raise UsageError("There is nothing to audit.", where=str(path), remedy=WHAT_IT_TAKES)
    elif is_plan(path):
        found = audit_plan_closely(path)
    elif zipfile.is_zipfile(path):
        found = _audit_archive(path)
    elif is_audited_by_name(path):
        found = audit_file_closely(path)
    else:
        _require_state(path)
        found = audit_state(path)
    return Audited(str(path), found)


def _audit_folders(root: Path) -> tuple[CachedCredential, ...]:
    found: list[CachedCredential] = []
    for folder in _folders(root):
        before = folder.relative_to(root)
        found += [
            replace(one, file=(before / one.file).as_posix())
            for one in audit_folder_closely(folder)
        ]
    return tuple(found)


def _folders(root: Path) -> Iterator[Path]:
    """Return the folder and those in it, but for what Terraform fetched, and what is no source."""
    for name, folders, _ in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in {*SKIPPED, DATA_FOLDER})
        yield Path(name)


def _audit_archive(path: Path) -> tuple[CachedCredential, ...]:
    with tempfile.TemporaryDirectory(prefix="tfoidc-audit-") as scratch:
        _unpack(path, Path(scratch))
        return _audit_folders(Path(scratch))


def _unpack(path: Path, folder: Path) -> None:
    """Unpack an archive: files only, inside of the folder, and no more than fits."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(e.file_size for e in entries) > MOST_UNPACKED or len(entries) > MOST_FILES:
                raise UsageError("The archive is too large to be unpacked.", where=str(path))
            for entry in entries:
                if _is_plain(entry):
                    archive.extract(entry, folder)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise UsageError(
            "The archive cannot be read.", where=str(path), cause=str(error), remedy=WHAT_IT_TAKES
        ) from error


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(entry.filename)
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    return not is_link and not name.is_absolute() and ".." not in name.parts


def _require_state(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise UsageError(
            "The file cannot be read.", where=str(path), cause=error.strerror or ""
        ) from error
    if not begin.startswith(b"{"):
        raise UsageError(
            "This is neither a plan nor a state, nor a file of a configuration.",
            where=str(path),
            remedy=WHAT_IT_TAKES,
        )


def render(audited: Sequence[Audited]) -> str:
    """Return what was found as people read it."""
    parts = []
    for one in audited:
        parts += [f"{one.path}: {credential.message}" for credential in one.found]
        if not one.found:
            parts.append(f"{one.path}: no credential was found.")
    return harmless("\n\n".join(parts)) + "\n"


def render_json(audited: Sequence[Audited]) -> str:
    """Return what was found as JSON: a list of paths, each with its findings."""
    return (
        json.dumps(
            [{"path": a.path, "findings": list(map(_json, a.found))} for a in audited], indent=2
        )
        + "\n"
    )


def _json(credential: CachedCredential) -> dict[str, object]:
    values = dataclasses.asdict(credential)
    expires_at = credential.expires_at
    values["expires_at"] = expires_at.isoformat() if expires_at else None
    del values["used_at"], values["is_kept"]
    return {**values, "message": credential.message}
