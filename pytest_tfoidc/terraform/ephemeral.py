"""Variables whose values no plan keeps: they are given again where a saved plan is applied.

Everything else that the plan was made with is in the plan, and Terraform refuses other values.
Source: https://developer.hashicorp.com/terraform/language/block/variable#ephemeral
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.hcl import parser

FILE = ".tfoidc-{}.tfvars"


def ephemeral_variables(variables: Iterable[str], names: frozenset[str]) -> tuple[str, ...]:
    """Return those of `K=V` that are ephemeral."""
    return tuple(text for text in variables if text.partition("=")[0].strip() in names)


def ephemeral_files(files: Sequence[Path], names: frozenset[str], *, into: Path) -> list[str]:
    """Write what is ephemeral in files of variables, for their owner alone, and return the files.

    Args:
        files: The files of variables.
        names: The ephemeral variables.
        into: The folder to write to.
    """
    written = []
    for number, file in enumerate(files):
        with contextlib.suppress(OSError, TfOidcError, ValueError):  # the plan has read it
            is_json = file.name.endswith(".json")
            text = _in_json(file, names) if is_json else _in_native(file, names)
            path = into / (FILE.format(number) + (".json" if is_json else ""))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as target:
                target.write(text)
            written.append(path.name)
    return written


def _in_json(file: Path, names: frozenset[str]) -> str:
    values = json.loads(file.read_text(encoding="utf-8-sig"))
    return json.dumps({name: value for name, value in values.items() if name in names})


def _in_native(file: Path, names: frozenset[str]) -> str:
    found = parser.parse_file(file).attributes
    return "".join(f"{name} = {found[name].text}\n" for name in found if name in names)
