"""How a command that has failed is told to people."""

from __future__ import annotations

from pytest_tfoidc.diagnostics import with_place
from pytest_tfoidc.errors import TerraformError, labelled
from pytest_tfoidc.reporting.diagnosis import Diagnosis, diagnose
from pytest_tfoidc.session import OidcSession
from pytest_tfoidc.terraform.failures import CRASH
from pytest_tfoidc.terraform.live.recording import holder


def explain(error: TerraformError, session: OidcSession) -> str:
    """Write a failed command for people: what, why, the remedy and where; then Terraform's words.

    The first line stands for all of them, in pytest's summary as well.
    """
    told = explanation(error, session)
    parts = ["\n".join(part for part in told if part), error.output.strip()]
    if error.log.strip():
        parts.append(f"The end of the log:\n{error.log.strip()}")
    return "\n\n".join(part for part in parts if part)


def explanation(error: TerraformError, session: OidcSession) -> tuple[str, str, str]:
    """Return what is wrong in one line; why, with the remedy; and where."""
    where = f"Where: {error.where}" if error.where else ""
    if error.cause or error.remedy:
        return error.what, "\n".join(labelled(Cause=error.cause, Remedy=error.remedy)), where
    told, place, found = _diagnosed(error, session.executable.release)
    if found is None or found.is_plain:
        return told, str(found or ""), where
    if not error.diagnostics:
        where = f"{where}: {error.what}".removeprefix(": ")
    return with_place(found.headline, place), found.below_headline, where


def _diagnosed(
    error: TerraformError, release: tuple[int, int, int]
) -> tuple[str, str, Diagnosis | None]:
    """Return the first of Terraform's errors that is known: its words, place and meaning."""
    us = holder()
    whose = f"{us['user']}@{us['host']}"
    for one in () if CRASH in error.output else error.diagnostics:
        found = diagnose(one.text, release=release, holder=whose, refused=error.refused)
        if found is not None:
            return one.headline, one.place, found
    return (
        error.what,
        "",
        diagnose(error.output, release=release, holder=whose, refused=error.refused),
    )
