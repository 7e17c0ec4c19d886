"""The versions that Terraforms have told, kept on this machine from one run to the next.

Asking takes a tenth of a second, and the answer of one program is always the same. It is kept for
a program that is Terraform itself, as Go's build information in it says: shims and wrappers, which
run another one in each folder, are asked each time, whether they are scripts (tfenv, asdf) or
binaries (tenv, mise).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# How an executable file or a library begins: ELF, PE, and the kinds of Mach-O.
BINARY = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)
# The main package of a Go program: https://pkg.go.dev/runtime/debug#BuildInfo
MAIN_PACKAGES = (
    b"path\tgithub.com/hashicorp/terraform\n",
    b"path\tgithub.com/opentofu/opentofu/cmd/tofu\n",
)
VERSION = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
FOLDER = "versions"
MOST_BYTES = 10_000  # of what is kept of one program
WRITABLE_BY_OTHERS = 0o022


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what is fetched once per machine (XDG Base Directory Specification).

    Raises:
        RuntimeError: Nobody has a home here.
    """
    given = environment.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"  # noqa: PTH117 - "" too
    return base / "pytest-tfoidc"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program as it is now. `stamp`: all that tells it from another one, or from its update."""

    path: str
    stamp: tuple[str | int, ...]

    def is_still_there(self) -> bool:
        """Tell whether nobody has replaced it since."""
        return _stamp(self.path) == self.stamp[:-1]


def program_of(argv: tuple[str, ...]) -> Program | None:
    """Return the program that a command line runs; None where its file cannot be examined."""
    path = os.path.realpath(argv[-1])
    try:
        return Program(path=path, stamp=(*_stamp(path), "\0".join(argv[:-1])))
    except OSError:
        return None


def _stamp(path: str) -> tuple[str | int, ...]:
    at = os.stat(path)  # noqa: PTH116 - a text already
    return (path, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_dev, at.st_ino)


def known_version(program: Program | None, environment: Mapping[str, str]) -> str | None:
    """Return the version that a program has told before; None where it has to be asked."""
    if program is None:
        return None
    try:
        kept = json.loads(_read_private(_file_of(program, environment)))
        version = kept["version"] if kept["stamp"] == list(program.stamp) else ""
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) and VERSION.fullmatch(version) else None


def keep_version(program: Program | None, version: str, environment: Mapping[str, str]) -> None:
    """Keep what a program has told, where it is Terraform itself and there is a place for it."""
    if program is None or not VERSION.fullmatch(version):
        return
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        if is_terraform_itself(program.path) and program.is_still_there():
            kept = {"version": version, "stamp": program.stamp}
            _write_private(_file_of(program, environment), json.dumps(kept))


def is_terraform_itself(path: str) -> bool:
    """Tell whether a file is a Terraform or an OpenTofu, and no wrapper around one.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a text already
        if not file.read(4).startswith(BINARY):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return any(whole.find(package) >= 0 for package in MAIN_PACKAGES)


def _file_of(program: Program, environment: Mapping[str, str]) -> Path:
    name = "\0".join((program.path, str(program.stamp[-1])))
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return cache_folder(environment) / FOLDER / f"{digest}.json"


def _read_private(file: Path) -> str:
    """Read a file that nobody else can have written."""
    with file.open("rb") as opened:
        if not _is_ours(os.fstat(opened.fileno())):
            raise PermissionError
        return opened.read(MOST_BYTES).decode("utf-8")


def _write_private(file: Path, text: str) -> None:
    """Write a file as a whole, beside others who may do the same."""
    nearest = next(folder for folder in file.parents if folder.exists())
    if not _is_owned(nearest.stat()):  # another user's home: root would leave it its own folders
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix="partial-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        os.replace(partial, file)  # noqa: PTH105 - a text already
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise


def _is_ours(status: os.stat_result) -> bool:
    return _is_owned(status) and not stat.S_IMODE(status.st_mode) & WRITABLE_BY_OTHERS


def _is_owned(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
