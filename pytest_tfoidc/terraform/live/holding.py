"""Locks that end with the processes that hold them, children that were given them included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import filelock


class Hold:
    """An exclusive lock on a file, which a child process can share; ends with the last holder.

    Where the platform has no such locks (Windows), it is this process's alone.

    Args:
        path: The file; it is made, and stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._other: filelock.BaseFileLock | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody holds it, and say whether it was taken.

        Raises:
            OSError: The file cannot be opened.
        """
        if sys.platform == "win32":
            return self._acquire_other()
        import fcntl  # noqa: PLC0415 - Windows has none

        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._descriptor = descriptor
        return True

    def _acquire_other(self) -> bool:
        lock = filelock.FileLock(self.path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        self._other = lock
        return True

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that a child has to inherit to share the lock."""
        return () if self._descriptor is None else (self._descriptor,)

    def share(self) -> Hold:
        """Return another part in the lock, to be released by itself."""
        other = Hold(self.path)
        if self._descriptor is not None:
            other._descriptor = os.dup(self._descriptor)
        return other

    def release(self) -> None:
        """Release our part in the lock; a child that shares it keeps it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        other, self._other = self._other, None
        if other is not None:
            other.release()
