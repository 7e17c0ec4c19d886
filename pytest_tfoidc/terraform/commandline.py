"""Terraform's command lines, which python-terraform builds: all that is used of it is here.

It is not asked to run anything: it would take any name for a command, read the state and the cached
backend configuration, and wait for output while the other stream fills up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import python_terraform

from pytest_tfoidc.errors import UsageError

Flag = python_terraform.IsFlagged  # an option without a value
NO_STATE = f"{os.devnull}/none"  # a path at which nothing can be: it would read what is there
BACKEND_CONFIG = "backend_config"


def command_line(
    command: str,
    *arguments: str,
    **options: Any,  # noqa: ANN401 - whatever Terraform takes
) -> list[str]:
    """Return the arguments of a command, without the program before them.

    Args:
        command: The command and its subcommand, separated by a space.
        arguments: Positional arguments.
        options: Terraform's options, `_` for `-`; a list for one that is repeated, `Flag` for one
            without a value, None for one that is left out, a mapping for `backend_config` only.

    Raises:
        UsageError: Another option is a mapping, which would be left behind in a file.
    """
    for name, value in options.items():
        if isinstance(value, Mapping) and name != BACKEND_CONFIG:
            raise UsageError(
                f"The option `{name}` of `terraform {command}` is a mapping.",
                where=f"{name}=",
                remedy=f'Write a list: {name}=["name=value"].',
            )
    built = python_terraform.Terraform(state=NO_STATE)
    line: list[str] = built.generate_cmd_string(command, *arguments, **options)
    return line[1:]
