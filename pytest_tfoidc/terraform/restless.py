"""Why a plan is not empty after an apply: functions that return something else each time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.module import RootModule

RESTLESS = re.compile(r"\b(timestamp|plantimestamp|uuid|bcrypt)\(")
_STEP = re.compile(r'[^.\["]+|\["[^"]*"\]|\[\d+\]')
_REFERENCE = re.compile(r"\blocal\.([\w-]+)")
RESOURCE_PARTS = 2


def restless_call(module: RootModule, address: str) -> str:
    """Return the call that makes a resource change each time, and its place; empty if none is seen.

    Args:
        module: The module under test.
        address: The resource's address.
    """
    try:
        return next(_calls((module, *module.called_modules()), _type_and_name(address)), "")
    except TfOidcError:  # Terraform has said it
        return ""


def _type_and_name(address: str) -> tuple[str, ...]:
    steps = [step for step in _STEP.findall(address) if not step.startswith("[")]
    return tuple(steps[-RESOURCE_PARTS:])


def _calls(modules: Iterable[RootModule], resource: tuple[str, ...]) -> Iterator[str]:
    for module in modules:
        bodies = [(file, _body(file)) for file in module.files]
        local = {
            name: (file, attribute)
            for file, body in bodies
            for block in body.of_type("locals")
            for name, attribute in block.body.attributes.items()
        }
        for file, body in bodies:
            for block in body.of_type("resource"):
                if block.labels == resource:
                    for attribute in _attributes(block.body):
                        yield from _in(file, attribute)
                        for name in _REFERENCE.findall(attribute.text):
                            if name in local:
                                yield from _in(*local[name])


def _body(file: Path) -> parser.Body:
    try:
        return parser.parse_file(file)
    except OSError:
        return parser.Body()


def _attributes(body: parser.Body) -> Iterator[parser.Attribute]:
    yield from body.attributes.values()
    for block in body.blocks:
        yield from _attributes(block.body)


def _in(file: Path, attribute: parser.Attribute) -> Iterator[str]:
    for call in RESTLESS.finditer(attribute.text):
        line = attribute.expression.line + attribute.text.count("\n", 0, call.start())
        yield f"{call[1]}() ({file.name}:{line})"
