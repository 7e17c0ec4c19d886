"""The errors that users see: what happened, where, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_tfoidc.diagnostics import Diagnostic


class TfOidcError(Exception):
    """An error with one clear message.

    Args:
        what: What happened, as a sentence.
        where: The file, variable, host or command that it happened at.
        cause: Why it happened.
        remedy: What the user does next.
    """

    def __init__(self, what: str, *, where: str = "", cause: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message, a line for each part that is known."""
        cause = "" if self.cause and self.cause in self.what else self.cause
        return "\n".join([self.what, *labelled(Where=self.where, Cause=cause, Remedy=self.remedy)])


def labelled(**parts: str) -> list[str]:
    """Return a line for each part of a message that is known."""
    return [f"{label}: {text.strip()}" for label, text in parts.items() if text.strip()]


class UsageError(TfOidcError):
    """An option, a path or a setting that cannot be used as it was given."""


class ContextError(TfOidcError):
    """The environment does not hold what is needed to ask for ID tokens."""


class IdTokenError(TfOidcError):
    """The pipeline did not give an ID token."""


class AuthenticationError(TfOidcError):
    """Entra did not exchange the ID token for an access token."""


class ExecutableError(TfOidcError):
    """No usable Terraform."""


class ModuleError(TfOidcError):
    """The module under test cannot be read or copied."""


class PlanError(TfOidcError):
    """A file that should be a saved plan cannot be read as one."""


class TerraformError(TfOidcError):
    """A Terraform command failed.

    Args:
        what: What happened, as a sentence.
        where: The command and the module.
        cause: Why it happened, where that is known.
        remedy: What the user does next.
        output: What Terraform printed, redacted.
        exit_code: Terraform's exit code; None when it did not exit by itself.
        missing: Stubs of what was read and is not there on the stand-in.
        diagnostics: Terraform's errors, redacted.
        log: The end of what Terraform printed beside its diagnostics, redacted.
        refused: The hosts that the stand-in refused while it ran.
    """

    def __init__(  # noqa: PLR0913 - the parts of a message, keyword only
        self,
        what: str,
        *,
        where: str = "",
        cause: str = "",
        remedy: str = "",
        output: str = "",
        exit_code: int | None = None,
        missing: tuple[Mapping[str, Any], ...] = (),
        diagnostics: tuple[Diagnostic, ...] = (),
        log: str = "",
        refused: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, where=where, cause=cause, remedy=remedy)
        self.missing = missing
        self.refused = refused
        self.output = output
        self.exit_code = exit_code
        self.diagnostics = diagnostics
        self.log = log

    def __str__(self) -> str:
        """Return the message first, and Terraform's own words under it."""
        message = super().__str__()
        return f"{message}\n\n{self.output.strip()}" if self.output.strip() else message


class StalePlanError(TerraformError):
    """A saved plan was not applied, for the state has changed since; no token has expired."""


class TerraformTimeoutError(TerraformError):
    """A Terraform command took longer than it was allowed to."""
