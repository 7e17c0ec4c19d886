"""The shortages of a machine: what meets one says all kinds of things, or nothing that is kept."""

from __future__ import annotations

import atexit
import contextlib
import errno
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pytest_tfoidc.errors import TfOidcError

LEAST = 64 * 1024  # bytes; with less, neither a plan nor what Terraform prints can be written
DISK = "Make room on that disk, or set TMPDIR to a folder on another one."
FOLDER = "Make the temporary folder writable and large enough, or set TMPDIR to another one."
FILES = "Raise the limit of open files (ulimit -n 1024)."
PROCESSES = "Let fewer programs run at once, or give the machine more memory and processes."
REMEDIES = {
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.ENOSPC: DISK,
    errno.EDQUOT: DISK,
    errno.EAGAIN: PROCESSES,
    errno.ENOMEM: PROCESSES,
}


def full_disk(folders: Iterable[str | Path]) -> str:
    """Return which of the folders, or the temporary one, is on a full disk; empty for none."""
    for folder in dict.fromkeys(map(str, [tempfile.gettempdir(), *folders])):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:  # it is gone
            continue
        if free < LEAST:
            return f"The disk of {folder} is full: {free // 1024} KB are left."
    return ""


def shortage(error: BaseException) -> TfOidcError | None:
    """Return a failure of ours with what the machine lacks, where that is the reason for it."""
    reason = error if isinstance(error, OSError) else error.__cause__
    remedy = REMEDIES.get(reason.errno or 0) if isinstance(reason, OSError) else None
    if remedy is None or not isinstance(reason, OSError):
        return None
    what, where = f"This machine cannot go on: {reason.strerror}.", str(reason.filename or "")
    if isinstance(error, TfOidcError):
        what, where = error.what, error.where
    return TfOidcError(what, where=where, cause=str(reason), remedy=remedy)


def blames_machine(error: OSError, program: str) -> bool:
    """Tell whether a program could not be started for another reason than itself."""
    return error.errno in REMEDIES or error.filename not in {None, program}


def start_remedy(error: OSError) -> str:
    """Return what is to be done where a program could not be started."""
    return REMEDIES.get(error.errno or 0, FOLDER)


def remove_tree(folder: Path) -> None:
    """Remove a folder: now, or where that needs more open files than are allowed, at the end."""
    with contextlib.suppress(OSError):  # a umask may have made it closed to us
        folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
