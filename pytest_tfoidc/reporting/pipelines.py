"""Logging commands for pipelines' agents, written so that nothing in them can be obeyed.

Sources: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands,
https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_tfoidc.events import ItemFinished
from pytest_tfoidc.pipelinekinds import AZURE_PIPELINES, GITHUB, agent_name
from pytest_tfoidc.redaction import harmless
from pytest_tfoidc.reporting.markdown import marked, modules_in_markdown
from pytest_tfoidc.reporting.progress import Running, shared_percent
from pytest_tfoidc.reporting.upgradetable import UpgradeRow, markdown_table

CHANGES = "changesPresent"
NO_NAME = re.compile(r"[^A-Za-z0-9]+")


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
    if agent_name(environment) != AZURE_PIPELINES or percent is None:
        return []
    what = ", ".join(dict.fromkeys(f"{one.module} {one.command}" for one in running))
    told = azure_message(redact(harmless(what)))
    return [f"##vso[task.setprogress value={percent};]{told}"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file and a line of it, as the agent of a pipeline takes them; `line` 0: unknown."""

    file: str = ""
    line: int = 0


TERRAFORM_PLACE = re.compile(
    r"\bon (?P<file>[^\s:]+\.(?:tf|tofu|hcl)(?:\.json)?) line (?P<line>\d+)"
    r"|\((?P<file2>[^\s():]+\.(?:tf|tofu|hcl)(?:\.json)?):(?P<line2>\d+)\)"
)


def terraform_place(text: str) -> Place:
    """Return the first place in a configuration that a text names, relative to the module."""
    found = TERRAFORM_PLACE.search(text)
    if found is None:
        return Place()
    file, line = found["file"] or found["file2"], found["line"] or found["line2"]
    return Place(file=file, line=int(line))


def issue_command(pipeline: str, *, words: str, place: Place) -> str:
    """Return the line that makes a failure an issue of the run; empty where no agent reads.

    Args:
        pipeline: As `agent_name` tells it.
        words: What went wrong, redacted.
        place: Where.
    """
    told = harmless(words)
    if pipeline == AZURE_PIPELINES:
        where = f"sourcepath={azure_value(harmless(place.file))};" if place.file else ""
        where += f"linenumber={place.line};" if place.file and place.line else ""
        return f"##vso[task.logissue type=error;{where}]{azure_message(told)}"
    if pipeline == GITHUB:
        where = f"file={github_value(harmless(place.file))}" if place.file else ""
        where += f",line={place.line}" if place.file and place.line else ""
        return f"::error{' ' if where else ''}{where}::{github_message(told)}"
    return ""


def group_lines(pipeline: str, name: str) -> tuple[str, str]:
    """Return the lines that fold what stands between them; both empty where no agent reads."""
    told = " ".join(harmless(name).split())
    if pipeline == AZURE_PIPELINES:
        return f"##[group]{told}", "##[endgroup]"
    if pipeline == GITHUB:
        return f"::group::{github_message(told)}", "::endgroup::"
    return "", ""


def output_lines(pipeline: str, outputs: Mapping[str, str]) -> list[str]:
    """Return what sets variables that later steps and jobs can read.

    Args:
        pipeline: As `agent_name` tells it: Azure Pipelines takes them from the log, GitHub from
            the file that `GITHUB_OUTPUT` names.
        outputs: Their values by their names, of letters, digits and underscores.
    """
    if pipeline == AZURE_PIPELINES:
        begin = "##vso[task.setvariable variable="
        return [
            f"{begin}{azure_value(name)};isOutput=true]{azure_message(value)}"
            for name, value in outputs.items()
        ]
    return [f"{name}={value}" for name, value in outputs.items()] if pipeline == GITHUB else []


def change_outputs(rows: Iterable[UpgradeRow]) -> dict[str, str]:
    """Say for each upgrade step, and for all together, whether the plan had changes.

    A step that came to no plan has no variable. All together have none either if there is such a
    step, unless another has changes. The name is that of TerraformTask@5's variable.
    """
    ordered = sorted(rows, key=lambda row: (row.module, row.step))
    known = [row for row in ordered if row.has_changes is not None]
    outputs: dict[str, str] = {}
    if any(row.has_changes for row in known) or (known and len(known) == len(ordered)):
        outputs[CHANGES] = _truth(any(row.has_changes for row in known))
    for row in known:
        name = NO_NAME.sub("_", f"{CHANGES}_{row.module}_{row.step}").strip("_")
        taken = sum(name == other or other.startswith(f"{name}__") for other in outputs)
        outputs[f"{name}__{taken + 1}" if taken else name] = _truth(bool(row.has_changes))
    return outputs


def _truth(value: bool) -> str:  # noqa: FBT001 - it is what is written
    return "true" if value else "false"


def markdown_of(finished: Sequence[ItemFinished], rows: Sequence[UpgradeRow] = ()) -> str:
    """Write the summary of a run in Markdown: what failed, and what was shown for each module.

    Args:
        finished: The tests that ended.
        rows: The upgrade steps.
    """
    counts = Counter(one.outcome for one in finished)
    verdict = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    lines = ["## Terraform with OIDC", "", verdict or "no test ended", ""]
    failed = [one for one in finished if one.outcome == "failed"]
    if failed:
        lines += ["| failed | why |", "|---|---|"]
        lines += [f"| {marked(one.item)} | {marked(one.words)} |" for one in failed]
        lines.append("")
    lines += modules_in_markdown(finished, level=3)
    if rows:
        lines += ["### Upgrades", "", markdown_table(rows)]
    return "\n".join(lines)
