"""The copies of modules that workspaces have left, for the workspaces that come after them.

A workspace has its copy to itself, and files of its own in it: nothing is shared but the work of
making them. When it is closed its copy is renamed, so that nobody finds it any more where it was,
and the next workspace of the same folder or repository gets it, with all that it differs in from
the user's files put right (see `placing`).
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from pytest_tfoidc import shortages
from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.records import dataclass
from pytest_tfoidc.terraform.isolation import COPIES, IsolatedCopy
from pytest_tfoidc.terraform.placing import CAN_TELL, Placer

MOST_SPARE = 2  # copies of a session that nobody uses: its tests mostly come one by one


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder that a module is copied into. `top`: what lies there already, and was copied."""

    base: Path
    placer: Placer
    top: Path | None = None


class Copies:
    """Hands copies on. Thread safe.

    Args:
        most_spare: How many wait for somebody at most; the others are removed.
    """

    def __init__(self, *, most_spare: int = 0) -> None:
        self._most_spare = most_spare if CAN_TELL else 0
        self._spare: list[Place] = []
        self._lock = threading.Lock()
        self._is_open = True

    def place_for(self, module: Path) -> Place:
        """Return where a module can be copied to: a copy of what it lies in, or an empty folder.

        Raises:
            ModuleError: There is no temporary folder.
        """
        with self._lock:
            real = module.resolve()
            fits = [one for one in self._spare if one.top and real.is_relative_to(one.top)]
            if fits:
                self._spare.remove(fits[-1])
        return _renamed(fits[-1]) if fits else Place(base=temporary_folder(), placer=Placer())

    def give_back(self, place: Place, copy: IsolatedCopy) -> None:
        """Take a copy that nobody uses any more: for the next who needs it, or to be removed."""
        if not self._most_spare or not self._is_open:
            shortages.remove_tree(place.base)
            return
        try:
            spare = _renamed(Place(base=place.base, placer=place.placer, top=copy.top))
        except (ModuleError, OSError):
            shortages.remove_tree(place.base)
            return
        with self._lock:
            self._spare.append(spare)
            too_many = self._spare[: -self._most_spare]
            del self._spare[: -self._most_spare]
        for one in too_many:
            shortages.remove_tree(one.base)

    def close(self) -> None:
        """Remove what was left."""
        with self._lock:
            self._is_open = False
            left, self._spare = self._spare, []
        for one in left:
            shortages.remove_tree(one.base)


def temporary_folder() -> Path:
    """Return a new folder for a copy.

    Raises:
        ModuleError: There is no place for it.
    """
    try:
        return Path(tempfile.mkdtemp(prefix=COPIES)).resolve()
    except OSError as error:
        raise ModuleError(
            "There is no temporary folder to copy the module to.",
            where=tempfile.gettempdir(),
            cause=str(error),
            remedy="Make it writable, or set TMPDIR to a folder that is.",
        ) from error


def _renamed(place: Place) -> Place:
    """Rename a copy, so that nobody comes upon it who knew it under its old name."""
    base = temporary_folder()
    os.replace(place.base, base)  # noqa: PTH105 - of a folder: an empty one may stand there
    return Place(base=base, placer=place.placer, top=place.top)
