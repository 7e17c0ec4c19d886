"""The pipelines' own masks: their logs hide what they have been told, wherever it comes from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from pytest_tfoidc import pipelinekinds
from pytest_tfoidc.pipelinekinds import agent_name
from pytest_tfoidc.secretnames import MIN_SECRET_LENGTH

# Microsoft: "Logging commands", `task.setsecret`; GitHub: "Workflow commands", `add-mask`.
AZURE_PIPELINES, GITHUB = "##vso[task.setsecret]", "::add-mask::"
COMMANDS = {pipelinekinds.AZURE_PIPELINES: AZURE_PIPELINES, pipelinekinds.GITHUB: GITHUB}
ESCAPES = {AZURE_PIPELINES: "%AZP25", GITHUB: "%25"}


def mask_command(environment: Mapping[str, str]) -> str | None:
    """Return what masks a value in the log of the pipeline that this is; None where it is none."""
    return COMMANDS.get(agent_name(environment))


def masking_lines(secret: str, command: str) -> list[str]:
    """Return the lines that mask a secret: a log is masked line by line."""
    lines = [line.strip() for line in secret.splitlines()]
    escape = ESCAPES[command]
    return [command + line.replace("%", escape) for line in lines if len(line) >= MIN_SECRET_LENGTH]


class Masks:
    """Tells a pipeline's agent about secrets, once each, past everything that captures.

    Args:
        command: As `mask_command` gives it.
        descriptor: The file descriptor that the agent reads; a copy of it is kept.
    """

    def __init__(self, command: str, descriptor: int) -> None:
        self._command = command
        self._descriptor = os.dup(descriptor)
        self._told: set[str] = set()

    def tell(self, secret: str) -> None:
        """Mask a secret from now on."""
        if secret not in self._told:
            self._told.add(secret)
            lines = masking_lines(secret, self._command)
            if lines:
                os.write(self._descriptor, "\n".join(["", *lines, ""]).encode())

    def close(self) -> None:
        """Close the copy of the descriptor."""
        os.close(self._descriptor)


def masks_of(environment: Mapping[str, str], descriptor: int) -> Masks | None:
    """Return the masks of the pipeline that this is; None where it is none."""
    command = mask_command(environment)
    return Masks(command, descriptor) if command else None


def told_to(masks: Masks | None) -> Callable[[str], None]:
    """Return what is called with every new secret."""
    return masks.tell if masks is not None else lambda _secret: None
