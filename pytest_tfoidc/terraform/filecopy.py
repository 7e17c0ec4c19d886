"""Copying one file so that it costs as little as the file system allows."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

CLONE = 0x40049409  # FICLONE of linux/fs.h: both files share their blocks until one is written to
CLONED_BYTES = 65_536  # a clone of less costs more than the copy
CHUNK_BYTES = 1_048_576


def copy_file(original: str, copy: str, status: os.stat_result) -> None:
    """Copy a file's bytes, mode and time.

    Raises:
        OSError: It cannot be read or written.
    """
    source = os.open(original, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        target = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _fill(source, target, status.st_size)
            # ours to write, as a folder is: Terraform updates its lock file
            os.fchmod(target, stat.S_IMODE(status.st_mode) | stat.S_IRUSR | stat.S_IWUSR)
        finally:
            os.close(target)
    finally:
        os.close(source)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _fill(source: int, target: int, size: int) -> None:
    if size >= CLONED_BYTES and _clone(source, target):
        return
    while chunk := os.read(source, CHUNK_BYTES):
        while chunk:
            chunk = chunk[os.write(target, chunk) :]


def copy_times(original: Path, copy: Path) -> None:
    """Set the mode and the time of the original on a copied folder; its owner can still write."""
    with contextlib.suppress(OSError):  # the original was removed meanwhile
        status = original.stat()
        copy.chmod(stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _clone(source: int, target: int) -> bool:
    """Let a file share another one's blocks, where the file system can."""
    if sys.platform != "linux":
        return False
    import fcntl  # noqa: PLC0415 - not on every platform

    try:
        fcntl.ioctl(target, CLONE, source)
    except OSError:
        return False
    return True
