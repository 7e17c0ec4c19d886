"""The user's `K=V` variables: a private file for Terraform, and which of them are secrets."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import RootModule

LITERAL = frozenset({"", "string", "number", "bool", '"string"'})  # types whose values are no HCL
AUTOMATIC = ("terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json")


def quote(value: str) -> str:
    """Write a string as HCL does: template markers are doubled, the rest is JSON's."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, from the moment that it exists."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def as_file(variables: Sequence[str], module: RootModule) -> str:
    """Return `K=V` texts as a file of variables that means what `-var` does.

    Of a variable without a type, or of a simple one, the value is a string; else it is HCL.
    """
    types = {variable.name: variable.type.strip() for variable in module.variables}
    values = dict(text.partition("=")[::2] for text in variables)  # the last one counts
    return "".join(
        f"{name} = {quote(value) if types.get(name, '') in LITERAL else f'({value})'}\n"
        for name, value in values.items()
    )


def require_declared(variables: Sequence[str], module: RootModule) -> None:
    """Make sure that a module has the variables: in a file, Terraform would only warn.

    Raises:
        ModuleError: It has not.
    """
    declared = {variable.name for variable in module.variables}
    for name in (text.partition("=")[0] for text in variables):
        if name not in declared:
            raise ModuleError(
                f"Value for undeclared variable: the module has no variable {name!r}.",
                where=str(module.path),
                cause=f"--tf-var gives {name} a value.",
                remedy=f'Declare it with `variable "{name}" {{}}`, or leave the value out.',
            )


def sensitive_values(
    module: RootModule,
    *,
    variables: Sequence[str],
    files: Iterable[Path],
    environment: Mapping[str, str],
) -> Iterator[object]:
    """Return the values of the variables that a module declares as sensitive or ephemeral."""
    names = {v.name for v in module.variables if v.sensitive or v.ephemeral}
    if not names:
        return
    given = [*(text.partition("=")[::2] for text in variables)]
    given += [(n, environment[f"TF_VAR_{n}"]) for n in names if f"TF_VAR_{n}" in environment]
    for name, value in given:
        if name in names:
            yield value
            with contextlib.suppress(parser.HclError):
                yield parser.parse(f"x = {value}\n", file="-var").attributes["x"].value
    automatic = (file for pattern in AUTOMATIC for file in sorted(module.path.glob(pattern)))
    for file in (*automatic, *files):
        yield from _in_file(file, names)
    yield from _defaults(module, names)


def _in_file(file: Path, names: set[str]) -> Iterator[object]:
    with contextlib.suppress(OSError, parser.HclError):  # Terraform says it better
        for name, attribute in parser.parse_file(file).attributes.items():
            if name in names:
                yield attribute.value


def _defaults(module: RootModule, names: set[str]) -> Iterator[object]:
    for file in {v.file for v in module.variables if v.name in names and v.has_default}:
        with contextlib.suppress(OSError, parser.HclError):
            for block in parser.parse_file(file).of_type("variable"):
                if names & set(block.labels) and "default" in block.body.attributes:
                    yield block.body.attributes["default"].value
