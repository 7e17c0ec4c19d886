"""The prospect of a run on the stand-in, for those who only want to know: nothing is opened.

Collecting tests, and sharing them out over workers, needs Terraform's version and the modules'
files. Keys, servers and clients are needed by whoever runs a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pytest_tfoidc.authvariables import CONNECTION, REQUEST_TOKEN, REQUEST_URL
from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.identity.environment import reason_to_withhold
from pytest_tfoidc.identity.pipeline import detect
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS, KINDS
from pytest_tfoidc.records import dataclass
from pytest_tfoidc.terraform.executable import OPENTOFU, Executable, known_executable
from pytest_tfoidc.terraform.logfile import LEVELS, VARIABLE
from pytest_tfoidc.terraform.module import RootModule, read_module
from pytest_tfoidc.terraform.settings import terraform_environment

ID_TOKEN_LIFETIME, ACCESS_TOKEN_LIFETIME = timedelta(minutes=5), timedelta(minutes=60)
# What a real pipeline around a simulated run would put in the way of the stand-in's variables.
# Tokens and secrets are not among them: `arm_environment` withholds those, and says so.
REPLACED = frozenset({*REQUEST_TOKEN, *REQUEST_URL, *CONNECTION})
LOGGING = frozenset({VARIABLE, *LEVELS})  # a session makes the log's folder


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """A run on the stand-in that has not begun.

    Attributes:
        executable: Its Terraform.
        test_directory: The folder of a module's test files.
        relay: Whether ID tokens come through the relay.
        notes: What has to be said about the environment.
    """

    executable: Executable
    test_directory: str
    relay: bool
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say in a line which Terraform and which context this is, as the session will."""
        where = describe_stand_in(KINDS[AZURE_DEVOPS].label)
        return f"{self.executable} | {where} | relay {'on' if self.relay else 'off'}"

    def read_module(self, path: Path) -> RootModule:
        """Read a module as the session will.

        Raises:
            TfOidcError: It cannot be read.
        """
        is_opentofu = self.executable.product == OPENTOFU
        return read_module(path, opentofu=is_opentofu, test_directory=self.test_directory)


def prospect_of(
    environment: Mapping[str, str],
    *,
    context: str,
    executable: str | None,
    relay: bool,
    test_directory: str,
) -> Prospect | None:
    """Return what a run will be; None where only a session can tell.

    That is a live context, a Terraform that has not told its version, and an environment that
    there is something to say about.

    Raises:
        TfOidcError: There is no Terraform, or no such context.
    """
    if context != "mock" and (context != "auto" or detect(environment) is not None):
        return None
    if any(value and _is_to_be_looked_at(name) for name, value in environment.items()):
        return None
    known = known_executable(executable, environment)
    if known is None:
        return None
    _, notes = terraform_environment(environment)
    return Prospect(executable=known, test_directory=test_directory, relay=relay, notes=notes)


def _is_to_be_looked_at(name: str) -> bool:
    is_withheld = reason_to_withhold(name, isolated=True) is not None
    return name in LOGGING or (is_withheld and name not in REPLACED)


def describe_stand_in(
    label: str,
    *,
    id_token: timedelta = ID_TOKEN_LIFETIME,
    access_token: timedelta = ACCESS_TOKEN_LIFETIME,
) -> str:
    """Say what the stand-in plays, and how long tokens live there."""
    lives = f"ID tokens live {format_duration(id_token)}"
    return f"stand-in for {label}: {lives}, access tokens {format_duration(access_token)}"
