"""The steps of a command: events made of Terraform's machine-readable lines.

Source: https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from pytest_tfoidc.clock import Clock
from pytest_tfoidc.events import Event, EventLog, StepFinished, StepPlanned, StepStarted

CHANGES = frozenset({"create", "delete", "replace", "update"})
TOLD = (  # what is looked for before a line is parsed
    *('"planned_change"', '"apply_start"', '"apply_complete"', '"apply_errored"'),
    *('"test_abstract"', '"test_run"'),
)
RUN = "run"


def steps_of(
    events: EventLog, *, clock: Clock, number: int, only: str = ""
) -> Callable[[str], None]:
    """Return what reads a command's lines and emits its steps.

    Args:
        events: Is told.
        clock: Tells the virtual time.
        number: The command's.
        only: The test file, where one is run; what others have is not planned.
    """

    def read(line: str) -> None:
        if line.startswith("{") and any(word in line for word in TOLD):
            for event in _events(_message(line), clock=clock, number=number, only=only):
                events.emit(event)

    return read


def _message(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _events(message: dict[str, Any], *, clock: Clock, number: int, only: str) -> Iterator[Event]:
    kind = str(message.get("type", ""))
    body = message.get({"planned_change": "change"}.get(kind, "hook"))
    if kind.startswith("test_"):
        yield from _test_events(kind, message.get(kind), clock=clock, number=number, only=only)
        return
    address = _address(body)
    if not address:
        return
    action = str(body.get("action", "")) if isinstance(body, dict) else ""
    if kind == "planned_change" and action in CHANGES:
        yield StepPlanned(at=clock.now(), number=number, address=address, action=action)
    elif kind == "apply_start" and action in CHANGES:
        yield StepStarted(at=clock.now(), number=number, address=address, action=action)
    elif kind in {"apply_complete", "apply_errored"} and action in CHANGES:
        is_done = kind == "apply_complete"
        yield StepFinished(at=clock.now(), number=number, address=address, is_done=is_done)


def _address(body: Any) -> str:  # noqa: ANN401 - another program's JSON
    resource = body.get("resource") if isinstance(body, dict) else None
    return str(resource.get("addr", "")) if isinstance(resource, dict) else ""


def _test_events(
    kind: str,
    body: Any,  # noqa: ANN401 - another program's JSON
    *,
    clock: Clock,
    number: int,
    only: str,
) -> Iterator[Event]:
    if not isinstance(body, dict):
        return
    if kind == "test_abstract":
        for file, runs in body.items():
            if only in {"", file} and isinstance(runs, list):
                for run in runs:
                    yield StepPlanned(at=clock.now(), number=number, address=str(run), action=RUN)
        return
    run, progress = str(body.get("run", "")), body.get("progress")
    if kind != "test_run" or not run:
        return
    if progress == "starting":
        yield StepStarted(at=clock.now(), number=number, address=run, action=RUN)
    elif progress in {None, "", "complete"}:  # Terraform before 1.11 tells of the end only
        is_done = body.get("status") == "pass"
        yield StepFinished(at=clock.now(), number=number, address=run, is_done=is_done)
