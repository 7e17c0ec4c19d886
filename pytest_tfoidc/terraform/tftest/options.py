"""Options of `terraform test`, and which Terraform knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_tfoidc.errors import ExecutableError, UsageError
from pytest_tfoidc.terraform.executable import Executable

TEARDOWN = "@teardown"  # stands for a file's teardown where a run is named; no run can have it
FLOOR = (1, 6, 0)
OPTION_FLOORS = {"parallelism": (1, 12, 0), "run_parallelism": (1, 13, 0)}


@dataclass(frozen=True, kw_only=True)
class TestOptions:
    """Options of `terraform test`. `verbose`: tell of each run's plan or state."""

    __test__ = False  # a name that pytest would collect

    directory: str = "tests"
    verbose: bool = False
    parallelism: int | None = None
    run_parallelism: int | None = None

    def require(self, executable: Executable) -> None:
        """Make sure that the Terraform at hand knows the options.

        Raises:
            UsageError: It does not know an option that is used.
        """
        if executable.product != "Terraform":
            return
        for name, floor in OPTION_FLOORS.items():
            if getattr(self, name) is not None and executable.release < floor:
                option = name.replace("_", "-")
                raise UsageError(
                    f"Terraform {executable.version} has no `terraform test -{option}`.",
                    where=f"--tf-{option}",
                    cause=f"It came with Terraform {floor[0]}.{floor[1]}.",
                    remedy="Leave the option out, or name a newer Terraform with --tf-executable.",
                )

    def arguments(self) -> dict[str, Any]:
        """Return them as the runner takes them."""
        from pytest_tfoidc.terraform.commandline import Flag  # noqa: PLC0415 - heavy

        return {
            "verbose": Flag if self.verbose else None,
            "parallelism": self.parallelism,
            "run_parallelism": self.run_parallelism,
            "test_directory": self.test_directory,
        }

    @property
    def test_directory(self) -> str | None:
        """The folder as `-test-directory` takes it; None where it is Terraform's own choice."""
        return self.directory if self.directory != "tests" else None


def require_test_command(executable: Executable) -> None:
    """Make sure that the Terraform at hand knows run blocks.

    Raises:
        ExecutableError: It is older than 1.6.
    """
    if executable.release < FLOOR:
        raise ExecutableError(
            f"{executable.product} {executable.version} has no `test` of this kind.",
            where=" ".join(executable.argv),
            cause="Run blocks in *.tftest.hcl files came with Terraform 1.6.",
            remedy="Name a newer Terraform with --tf-executable.",
        )
