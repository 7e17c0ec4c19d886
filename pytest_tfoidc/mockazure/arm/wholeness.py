"""The wholeness of answers: defaults, lists, and no secret that Azure never gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Document = dict[str, Any]

# Properties whose names are the user's own: nothing in them is Azure's, whatever it is called.
FREE_FORM = frozenset(
    {
        *("appsettings", "connectionstrings", "metadata", "tags", "settings", "parameters"),
        *("variables", "environmentvariables", "configuration", "configurationoverrides"),
        "configurations",
        *("annotations", "labels", "definition", "policyrule", "template", "values"),
    }
)
NEVER_GIVEN_BACK = frozenset({"protectedsettings", "securevalue"})
MARK = "[]"  # of a step in a path that goes into every item of a list


def without_secrets(written: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what was written without what Azure takes and never gives back.

    Such are passwords, and ids that are empty.
    """
    if isinstance(written, list):
        return [without_secrets(item) for item in written]
    if not isinstance(written, dict):
        return written
    return {
        name: value if name.lower() in FREE_FORM else without_secrets(value)
        for name, value in written.items()
        if not _is_secret(name, value) and not _is_no_id(name, value)
    }


def _is_no_id(name: str, value: object) -> bool:
    """Tell whether an id is empty: that says that there is none, and Azure shows none."""
    return value == "" and name.endswith(("Id", "ID"))


def _is_secret(name: str, value: object) -> bool:
    lower = name.lower()
    return lower in NEVER_GIVEN_BACK or (lower.endswith("password") and isinstance(value, str))


def filled(written: Mapping[str, Any], added: Mapping[str, Any]) -> Document:
    """Return what was written with what it lacks; blocks are filled up too.

    An empty text is no value where Azure has one: providers write it for what was left out.
    """
    result = dict(written)
    for name, value in added.items():
        old = result.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            result[name] = filled(old, value)
        elif old is None or (old == "" and isinstance(value, str)):
            result[name] = value
    return result


def with_lists(properties: Mapping[str, Any], paths: Iterable[str]) -> Document:
    """Return properties with the lists that clients expect to be there, empty where they lack.

    Args:
        properties: Of a resource.
        paths: Such as `containers[].properties.ports`.
    """
    result = dict(properties)
    for path in paths:
        result = _with_list(result, path.split("."))
    return result


def _with_list(block: Document, path: list[str]) -> Document:
    step, rest = path[0], path[1:]
    name = step.removesuffix(MARK)
    found = block.get(name)
    if not rest:
        return block if found is not None else {**block, name: []}
    if step.endswith(MARK) and isinstance(found, list):
        items = [_with_list(i, rest) if isinstance(i, dict) else i for i in found]
        return {**block, name: items}
    if isinstance(found, dict):
        return {**block, name: _with_list(found, rest)}
    return block
