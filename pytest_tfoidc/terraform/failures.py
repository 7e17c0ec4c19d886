"""The error of a command that failed: one clear message, and all that Terraform said."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from pytest_tfoidc import shortages
from pytest_tfoidc.diagnostics import (
    LONGEST,
    PREFACE,
    Diagnostic,
    diagnostics_in,
    in_order,
    read_diagnostic,
    wanted_provider,
    with_place,
)
from pytest_tfoidc.errors import StalePlanError, TerraformError
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.commandvariables import TEXTS_FILE, VALUES_FILE
from pytest_tfoidc.terraform.missing import MissingRead
from pytest_tfoidc.terraform.module import RootModule
from pytest_tfoidc.terraform.runner import Completed, log_end

CRASH = "Stack trace from the "  # how Terraform introduces a crashed provider's
CRASH_LINES = 10
LOG_LINES = 10  # of what Terraform printed beside its diagnostics
# In the place of the files that they are written to.
GIVEN = {TEXTS_FILE: "the values of --tf-var", VALUES_FILE: "the variables of the test"}
STALE = "Saved plan is stale"
CUT_OFF = frozenset({"Request cancelled", "Plugin did not respond"})  # by a crash


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failures:
    """Makes the errors of one workspace.

    Args:
        configuration: The module.
        inputs: What every command is given.
        copy: Where Terraform runs.
        base: The workspace's own folder, around the copy.
        redactor: Takes secrets out of what is told.
    """

    configuration: RootModule
    inputs: Inputs
    copy: Path
    base: Path
    redactor: Redactor

    def failure(
        self,
        done: Completed,
        *,
        product: str,
        missing: tuple[MissingRead, ...] = (),
        refused: tuple[str, ...] = (),
    ) -> TerraformError:
        """Return the error for a command that failed, with what it did not find or reach."""
        redact = self._told
        crash = _crash(done.stderr)
        errors = [
            one
            for one in self._diagnostics(done)
            if one.is_error and not (crash and one.summary in CUT_OFF)
        ]
        output = "\n\n".join([*(one.described for one in errors), *map(redact, crash)])
        how = "was killed" if done.exit_code < 0 else "failed"
        command = f"`{product.lower()} {done.command}` {how} with exit code {done.exit_code}"
        full = shortages.full_disk([self.base])
        is_stale = any(one.summary == STALE for one in errors)
        return (StalePlanError if is_stale else TerraformError)(
            redact(_headline(errors, missing, crash) or _first_words(done) or f"{command}."),
            where=f"{self.configuration.path}: {command}.",
            cause=full or redact("\n".join(map(str, missing))),
            remedy=shortages.DISK if full else missing[0].remedy if missing else "",
            output=output or redact(done.text),
            exit_code=done.exit_code,
            missing=tuple(dict(one.stub) for one in missing if one.stub),
            diagnostics=tuple(errors),
            log=redact("\n".join(log_end(done, LOG_LINES))) if output else "",
            refused=refused,
        )

    def _told(self, text: str) -> str:
        """Return a text of Terraform's as people read it: without secrets, with their own paths."""
        text = self.redactor.clean(text)
        return in_users_places(text, copy=self.copy, module=self.configuration.path)

    def _diagnostics(self, done: Completed) -> tuple[Diagnostic, ...]:
        """Return what Terraform complained about, redacted, its places as in the module."""
        redact = self._told
        read = (read_diagnostic(one, redact) for one in done.diagnostics)
        found = tuple(filter(None, read)) or diagnostics_in(redact(done.text))
        given = {str(self.base / file): what for file, what in GIVEN.items()}
        said = [one for one in found if not PREFACE.search(one.summary)]
        told = (
            dataclasses.replace(one, file=given[one.file], line=0)
            if one.file in given
            else dataclasses.replace(one, file=self._as_given(one.file))
            for one in map(self._required, said or found)
        )
        return in_order(told)

    def _required(self, one: Diagnostic) -> Diagnostic:
        """Let an error about a provider's versions say where that is required."""
        provider = wanted_provider(one)
        if one.file or not provider:
            return one
        configuration = self.configuration
        for module in (configuration, *configuration.called_modules()):
            for wanted in module.required_providers:
                if wanted.source.lower() == provider:
                    file = os.path.relpath(wanted.file, configuration.path)
                    return dataclasses.replace(one, file=file, line=wanted.line)
        return one

    def _as_given(self, file: str) -> str:
        """Return a file of a diagnostic as the user names it."""
        inputs = self.inputs
        for given in (*inputs.backend_files, *inputs.variable_files):
            if file and os.path.realpath(self.copy / file) == os.path.realpath(given):
                below = given.is_relative_to(Path.cwd())
                return str(given.relative_to(Path.cwd()) if below else given)
        return file.removeprefix(f"{self.copy}/")


def in_users_places(text: str, *, copy: Path, module: Path) -> str:
    """Return a text in which the paths of a copy are those of the module itself.

    Args:
        text: What Terraform said.
        copy: Where it ran: the module's own path, below the folder of the copy.
        module: The module.
    """
    around = str(copy).removesuffix(str(module))
    told = text.replace(f"{around}{os.sep}", os.sep) if around != str(copy) else text
    return told.replace(str(copy), str(module))


def _headline(
    errors: Sequence[Diagnostic], missing: Sequence[MissingRead], crash: Sequence[str]
) -> str:
    """Return what is wrong, in one line; empty where Terraform does not say."""
    if missing:
        first = missing[0]
        at = [one for one in errors if one.address == first.address] or [*errors]
        more = f", and {len(missing) - 1} more" if missing[1:] else ""
        text = f"{first.headline}{more}"
        return with_place(text, at[0].place if at else "")
    if crash:
        plugin = crash[0].removeprefix(CRASH).partition(" ")[0]
        return f"{plugin} crashed"
    return errors[0].headline if errors else ""


def _first_words(done: Completed) -> str:
    """Return what Terraform begins with where it gives no diagnostic, and has ended by itself."""
    words = " ".join(done.stderr.strip().partition("\n\n")[0].split())
    return words if done.exit_code > 0 and len(words) <= LONGEST else ""


def _crash(stderr: str) -> tuple[str, ...]:
    """Return the beginning of the trace that a crashed provider left, if one did."""
    _, found, trace = stderr.partition(CRASH)
    return ("\n".join((found + trace).splitlines()[:CRASH_LINES]),) if found else ()
