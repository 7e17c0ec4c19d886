"""The public surface as text: names, methods, parameters with their defaults.

Write what is there now with `python -m tests.package.surface`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest_tfoidc

FILE = Path(__file__).with_name("public_surface.txt")
PLAIN = (type(None), bool, int, float, str)


def surface() -> str:
    """Return a paragraph for each public name."""
    return "\n".join("\n".join(_entry(name)) + "\n" for name in pytest_tfoidc.__all__)


def _entry(name: str) -> Iterator[str]:
    thing = getattr(pytest_tfoidc, name)
    if not inspect.isclass(thing):
        yield f"{name}{_signature(thing) if callable(thing) else ''}"
        return
    bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    if issubclass(thing, Exception) or dataclasses.is_dataclass(thing) or makes_itself(thing):
        yield f"    {_signature(thing)}"
    for member in filter(is_public, dir(thing)):
        if is_ours(thing, member):
            yield f"    .{member}{_described(inspect.getattr_static(thing, member))}"


def is_public(member: str) -> bool:
    """Tell whether users may name it."""
    return not member.startswith("_") or member == "__call__"


def makes_itself(thing: type) -> bool:
    """Tell whether users may make one."""
    return "__init__" in vars(thing) and not getattr(thing, "_is_protocol", False)


def is_ours(thing: type, member: str) -> bool:
    """Tell whether a member is ours to describe."""
    owner = next((base for base in thing.__mro__ if member in vars(base)), type)
    is_field = member in getattr(thing, "__dataclass_fields__", {})  # the constructor names it
    return owner.__module__.startswith("pytest_tfoidc") and not is_field


def _described(value: object) -> str:
    if isinstance(value, (staticmethod, classmethod)):
        return _signature(value.__func__)
    return _signature(value) if inspect.isfunction(value) else ""


def _signature(thing: object) -> str:
    found = inspect.signature(thing)  # type: ignore[arg-type] # it is callable
    parameters = [
        one.replace(annotation=one.empty, default=shown_default(one.default))
        for one in found.parameters.values()
    ]
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


class _Made:
    """A default that is made: a factory's, a mapping."""

    def __repr__(self) -> str:
        return "…"


def shown_default(value: object) -> object:
    """Return a default as it is shown: one that is made is an ellipsis."""
    is_plain = value is inspect.Parameter.empty or isinstance(value, PLAIN) or value == ()
    return value if is_plain else _Made()


if __name__ == "__main__":
    FILE.write_text(surface(), encoding="utf-8")
