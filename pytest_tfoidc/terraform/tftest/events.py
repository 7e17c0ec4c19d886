"""The meaning of the lines of `terraform test -json`.

Lines are read leniently: what is not understood is no event, and never an outcome.
https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytest_tfoidc.diagnostics import Diagnostic, read_diagnostic

LEFT_BEHIND = ("test_cleanup", "test_interrupt")


@dataclass(frozen=True, kw_only=True)
class TestEvent:
    """A line that was understood. `file` and `run` are empty where it is about none.

    Attributes:
        kind: Terraform's name for it: `test_run`, `diagnostic` and so on.
        text: What a person would have been shown.
        at: When Terraform says that it was; None where it does not say.
        progress: Of a file or a run: starting, running, teardown or complete.
        status: Of a file or a run that is complete, and of the summary.
        diagnostic: What it complains about.
        left_behind: The addresses of resources that were not destroyed.
        changes: A plan's or a state's size, in words.
        found: Of an abstract: the files that will be run.
        deployed: Of a state: the addresses of what is deployed; None for other kinds.
    """

    __test__ = False  # a name that pytest would collect

    kind: str
    text: str
    at: datetime | None = None
    file: str = ""
    run: str = ""
    progress: str = ""
    status: str = ""
    diagnostic: Diagnostic | None = None
    left_behind: tuple[str, ...] = ()
    changes: str = ""
    found: tuple[str, ...] = ()
    deployed: tuple[str, ...] | None = None


def read_line(line: str, *, redact: Callable[[str], str] = str) -> TestEvent | None:
    """Read one line; None where it is no event.

    Args:
        line: As Terraform printed it.
        redact: Takes secrets out of a text.
    """
    message = _object(line)
    kind = message.get("type")
    if not isinstance(kind, str) or not kind:
        return None
    own = _table(message.get(kind))
    diagnostic = read_diagnostic(_table(message.get("diagnostic")), redact)
    return TestEvent(
        kind=kind,
        text=diagnostic.text if diagnostic else redact(_text(message.get("@message"))),
        at=_read_moment(_text(message.get("@timestamp"))),
        file=_text(message.get("@testfile")) or _text(own.get("path")),
        run=_text(message.get("@testrun")) or _text(own.get("run")),
        progress=_text(own.get("progress")),
        status=_text(own.get("status")),
        diagnostic=diagnostic,
        left_behind=tuple(_instances(own)) if kind in LEFT_BEHIND else (),
        changes=_changes(kind, own),
        found=tuple(own) if kind == "test_abstract" else (),
        deployed=tuple(_addresses(_table(own.get("root_module"))))
        if kind == "test_state"
        else None,
    )


def _object(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        return _table(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _read_moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))  # Z came with Python 3.11
    except ValueError:
        return None


def _instances(cleanup: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses of what a clean-up or a second interrupt has left behind."""
    found = [*_list(cleanup.get("failed_resources")), *_list(cleanup.get("state"))]
    for resources in _table(cleanup.get("states")).values():
        found.extend(_list(resources))
    for resource in map(_table, found):
        deposed = _text(resource.get("deposed_key"))
        suffix = f" (deposed {deposed})" if deposed else ""
        yield (_text(resource.get("instance")) or "a resource") + suffix
    for planned in _list(cleanup.get("planned")):
        yield f"{_text(planned)} (perhaps)"


def _changes(kind: str, own: dict[str, Any]) -> str:
    """Put a plan or a state into a few words."""
    if kind == "test_state":
        resources = len([*_addresses(_table(own.get("root_module")))])
        outputs = len(_table(own.get("outputs")))
        return f"state: {_count(resources, 'resource')}, {_count(outputs, 'output')}"
    if kind != "test_plan":
        return ""
    actions = [
        action
        for change in map(_table, _list(own.get("resource_changes")))
        for action in _list(_table(change.get("change")).get("actions"))
    ]
    counted = (actions.count(name) for name in ("create", "update", "delete"))
    add, change, destroy = counted
    return f"plan: {add} to add, {change} to change, {destroy} to destroy"


def _addresses(module: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses of a state's resources; data sources are none."""
    for resource in map(_table, _list(module.get("resources"))):
        if resource.get("mode") != "data":
            yield _text(resource.get("address")) or "a resource"
    for child in _list(module.get("child_modules")):
        yield from _addresses(_table(child))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
