"""Finding a Terraform: the one that was asked for, one on PATH, or the embedded one."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_tfoidc import processes, shortages
from pytest_tfoidc.errors import ExecutableError
from pytest_tfoidc.terraform import embedded, logfile
from pytest_tfoidc.terraform.toldversions import keep_version, known_version, program_of

EMBEDDED = "embedded"
TERRAFORM, OPENTOFU = "Terraform", "OpenTofu"
PROBE_SECONDS = 60.0
# A probe neither warns of a configuration nor writes to the log that the user asked for.
NOT_PROBED = frozenset({"TF_CLI_CONFIG_FILE", logfile.VARIABLE, *logfile.LEVELS})
HOW_TO_GET_ONE = (
    "Put `terraform` or `tofu` on PATH, name one with --tf-executable, or install the embedded"
    " one: python -m pip install 'pytest-tfoidc[terraform]'"
)


@dataclass(frozen=True, kw_only=True)
class Executable:
    """A Terraform or OpenTofu that has told its version. `argv`: what runs it."""

    argv: tuple[str, ...]
    product: str
    version: str
    embedded: bool = False

    @property
    def release(self) -> tuple[int, int, int]:
        """The version as numbers, without its pre-release part."""
        numbers = [int(n) for n in re.findall(r"\d+", self.version)[:3]]
        major, minor, patch = (*numbers, 0, 0, 0)[:3]
        return major, minor, patch

    def __str__(self) -> str:
        """Return the product, its version and where it comes from."""
        source = EMBEDDED if self.embedded else self.argv[0]
        return f"{self.product} {self.version} ({source})"


def find_executable(wanted: str | None, environment: Mapping[str, str]) -> Executable:
    """Find the Terraform to run, and its version: it is asked once a machine.

    Args:
        wanted: A path, a name on PATH, or `embedded`; None looks for `terraform`, `tofu` and the
            embedded one, in this order.
        environment: The child's environment.

    Raises:
        ExecutableError: There is none, or it is not Terraform.
    """
    return _probe(*_found(wanted, environment), environment=environment)


def known_executable(wanted: str | None, environment: Mapping[str, str]) -> Executable | None:
    """Return what `find_executable` would, where that needs not be asked for its version.

    Raises:
        ExecutableError: There is none.
    """
    argv, is_embedded = _found(wanted, environment)
    version = known_version(program_of(argv), environment)
    return None if version is None else _executable(argv, version, is_embedded=is_embedded)


def _found(wanted: str | None, environment: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
    """Return what runs Terraform, and whether that is the embedded one."""
    if wanted == EMBEDDED:
        return _embedded(), True
    if wanted:
        found = shutil.which(wanted, path=environment.get("PATH"))
        if found is None:
            raise ExecutableError(
                f"{wanted} is not an executable file.",
                where="--tf-executable",
                remedy=HOW_TO_GET_ONE,
            )
        return (str(Path(found).absolute()),), False
    for name in ("terraform", "tofu"):
        if found := shutil.which(name, path=environment.get("PATH")):
            return (found,), False
    return _embedded(), True


def _embedded() -> tuple[str, ...]:
    path = embedded.library()
    if path is None:
        raise ExecutableError("There is no Terraform here.", where="PATH", remedy=HOW_TO_GET_ONE)
    return _embedded_argv(Path(path))


def _embedded_argv(library: Path) -> tuple[str, ...]:
    return (sys.executable, "-IS", embedded.__file__, str(library))


def embedded_executable(library: Path, environment: Mapping[str, str]) -> Executable:
    """Return the Terraform that a shared library carries.

    Raises:
        ExecutableError: It is no such library.
    """
    return _probe(_embedded_argv(library), is_embedded=True, environment=environment)


def _probe(
    argv: tuple[str, ...],
    is_embedded: bool,  # noqa: FBT001 - as `_found` returns it
    *,
    environment: Mapping[str, str],
) -> Executable:
    program = program_of(argv)
    version = known_version(program, environment)
    if version is None:
        version = _ask(argv, environment)
        keep_version(program, version, environment)
    else:  # what would have come up then is not to come up in a test
        _require_startable(argv)
    return _executable(argv, version, is_embedded=is_embedded)


def _executable(argv: tuple[str, ...], version: str, *, is_embedded: bool) -> Executable:
    product = OPENTOFU if Path(argv[-1]).name.startswith("tofu") else TERRAFORM
    return Executable(argv=argv, product=product, version=version, embedded=is_embedded)


def _ask(argv: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Let a Terraform tell its version.

    Raises:
        ExecutableError: It is none, or does not run here.
    """
    try:
        done = processes.run(
            [*argv, "version", "-json"],
            environment={k: v for k, v in environment.items() if k not in NOT_PROBED},
            seconds=PROBE_SECONDS,
        )
    except OSError as error:
        raise _not_started(argv, error) from error
    if done.exit_code is None:
        cause = f"`version -json` was still running after {PROBE_SECONDS:g} s"
        raise _not_terraform(argv, cause)
    version = _version(done.stdout)
    if done.exit_code != 0 or version is None:
        said = (done.stderr or done.stdout).strip().splitlines()
        answer = repr(said[0]) if said else "nothing"
        raise _not_terraform(argv, f"`version -json` answered {answer}")
    return version


def _require_startable(argv: tuple[str, ...]) -> None:
    try:
        processes.require_startable()
    except OSError as error:
        raise _not_started(argv, error) from error


def _version(printed: str) -> str | None:
    """Read `version -json`; a warning about the CLI configuration may stand around it."""
    try:
        version = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
        return str(version["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return None


def _not_started(argv: tuple[str, ...], error: OSError) -> ExecutableError:
    """Return what is wrong: with the program, or with the machine, which could run none."""
    if not shortages.blames_machine(error, argv[0]):
        return _not_terraform(argv, str(error))
    return ExecutableError(
        "No program can be started on this machine.",
        where=": ".join(filter(None, (argv[0], error.filename))),
        cause=error.strerror or str(error),
        remedy=shortages.start_remedy(error),
    )


def _not_terraform(argv: tuple[str, ...], cause: str) -> ExecutableError:
    return ExecutableError(
        f"{argv[0]} is not a Terraform that runs here.",
        where=" ".join(argv),
        cause=cause,
        remedy=HOW_TO_GET_ONE,
    )
