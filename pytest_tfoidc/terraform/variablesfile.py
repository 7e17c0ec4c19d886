"""The user's `K=V` variables: a private file for Terraform, and which of them are secrets."""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pytest_tfoidc.errors import ModuleError, UsageError
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


def as_json_file(values: Mapping[str, object]) -> str:
    """Return values of Python as a `.tfvars.json` file, in which a text is a text.

    Raises:
        UsageError: A value is none that Terraform could take.
    """
    plain = {name: _plain(value, name) for name, value in values.items()}
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: object, path: str) -> object:
    """Return a value as JSON has it."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _unusable(path, f"its key {key!r} is no str")
        return {str(key): _plain(one, f"{path}.{key}") for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, f"{path}[{index}]") for index, one in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        plain = [_plain(one, path) for one in value]
        return sorted(plain, key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _unusable(path, "it is no finite number")
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise _unusable(path, f"it is of type {type(value).__name__}")


def _unusable(path: str, cause: str) -> UsageError:
    return UsageError(
        "A variable has a value that Terraform cannot take.",
        where=path,
        cause=cause,
        remedy="Use str, int, float, bool, None, and lists, sets and mappings of these.",
    )


def require_declared(
    names: Iterable[str], module: RootModule, *, given_by: str = "--tf-var"
) -> None:
    """Make sure that a module has the variables: in a file, Terraform would only warn.

    Args:
        names: The names.
        module: The module.
        given_by: What gives them a value.

    Raises:
        ModuleError: It has not.
    """
    declared = [variable.name for variable in module.variables]
    for name in names:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ModuleError(
                f"Value for undeclared variable: the module has no variable {name!r}.",
                where=str(module.path),
                cause=f"{given_by} gives {name} a value.",
                remedy=f'{hint}Declare it with `variable "{name}" {{}}`, or leave the value out.',
            )


def sensitive_values(
    module: RootModule,
    *,
    variables: Sequence[str],
    files: Iterable[Path],
    environment: Mapping[str, str],
    values: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[object]:
    """Return the values of the variables that a module declares as sensitive or ephemeral."""
    names = {v.name for v in module.variables if v.sensitive or v.ephemeral}
    if not names:
        return
    yield from (value for name, value in values.items() if name in names)
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


def set_in(files: Iterable[Path]) -> frozenset[str]:
    """Return the names of the variables that files give a value."""
    found: set[str] = set()
    for file in files:
        with contextlib.suppress(OSError, parser.HclError):  # Terraform says it better
            found.update(parser.parse_file(file).attributes)
    return frozenset(found)


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
