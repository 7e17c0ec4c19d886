"""The settings that every command of ours runs with, whatever the user's are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def terraform_environment(outer: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the environment that every command of ours runs in, and what had to be said about it.

    Terraform neither asks questions nor calls home. A CLI configuration file that is not there
    would print a warning around machine-readable output, so its variable is left out.
    """
    variables = {**outer, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    notes = []
    config = variables.get("TF_CLI_CONFIG_FILE")
    if config and not Path(config).exists():
        del variables["TF_CLI_CONFIG_FILE"]
        notes.append(f"TF_CLI_CONFIG_FILE names {config}, which does not exist; it is ignored.")
    return variables, tuple(notes)
