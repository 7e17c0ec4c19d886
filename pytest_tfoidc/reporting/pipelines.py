"""What pipelines' agents are told: logging commands, written so that nothing in them can be obeyed.

Sources: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands,
https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.progress import Running, shared_percent

AZURE_PIPELINES, GITHUB = "azure-pipelines", "github"


def pipeline_of(environment: Mapping[str, str]) -> str:
    """Return which pipeline's agent reads the log; empty where none does."""
    if environment.get("TF_BUILD", "").lower() == "true":
        return AZURE_PIPELINES
    return GITHUB if environment.get("GITHUB_ACTIONS", "").lower() == "true" else ""


def azure_value(text: str) -> str:
    """Escape a text for Azure Pipelines, as a property's value or as a message."""
    for plain, escaped in (
        ("%", "%AZP25"),
        ("\r", "%0D"),
        ("\n", "%0A"),
        (";", "%3B"),
        ("]", "%5D"),
    ):
        text = text.replace(plain, escaped)
    return text


def azure_message(text: str) -> str:
    """Escape a message for Azure Pipelines."""
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def github_message(text: str) -> str:
    """Escape a message for GitHub."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def github_value(text: str) -> str:
    """Escape a property's value for GitHub."""
    return github_message(text).replace(":", "%3A").replace(",", "%2C")


def progress_command(
    environment: Mapping[str, str], running: Sequence[Running], *, redact: Callable[[str], str]
) -> list[str]:
    """Return the line that shows the progress of a task; none where no agent would read it."""
    percent = shared_percent(running)
    if pipeline_of(environment) != AZURE_PIPELINES or percent is None:
        return []
    what = ", ".join(dict.fromkeys(f"{one.module} {one.command}" for one in running))
    told = azure_message(redact(harmless(what)))
    return [f"##vso[task.setprogress value={percent};]{told}"]
