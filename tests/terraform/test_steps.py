"""Terraform's machine-readable lines become events, and nothing else does."""

from __future__ import annotations

import json

import pytest

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import Event, EventLog, StepFinished, StepPlanned, StepStarted
from pytest_tfoidc.terraform.steps import steps_of


def hook(kind: str, action: str = "create", key: str = "hook") -> str:
    resource = {"addr": "terraform_data.a[0]", "resource_type": "terraform_data"}
    return json.dumps({"type": kind, key: {"resource": resource, "action": action}})


def read(*lines: str, only: str = "") -> tuple[Event, ...]:
    log = EventLog()
    reader = steps_of(log, clock=VirtualClock(), number=3, only=only)
    for line in lines:
        reader(line)
    return log.since()


def test_a_resource_is_planned_started_and_finished() -> None:
    planned, started, finished = read(
        hook("planned_change", key="change"), hook("apply_start"), hook("apply_complete")
    )
    assert isinstance(planned, StepPlanned)
    assert isinstance(started, StepStarted)
    assert isinstance(finished, StepFinished)
    assert (planned.address, started.action, finished.is_done) == (
        "terraform_data.a[0]",
        "create",
        True,
    )
    assert {planned.number, started.number, finished.number} == {3}


def test_a_resource_that_failed_is_finished_and_not_done() -> None:
    (finished,) = read(hook("apply_errored"))
    assert isinstance(finished, StepFinished)
    assert not finished.is_done


@pytest.mark.parametrize("action", ["read", "noop", "move"])
def test_what_changes_nothing_is_no_step(action: str) -> None:
    assert read(hook("planned_change", action, "change"), hook("apply_start", action)) == ()


@pytest.mark.parametrize(
    "line",
    [
        'plain text with "apply_start" in it',
        '{"type": "apply_start"',
        '{"type": "apply_start"}',
        '{"type": "apply_start", "hook": []}',
        '{"type": "apply_start", "hook": {"resource": "x"}}',
        '{"type": "test_run", "test_run": 3}',
        '{"@message": "says \\"apply_start\\""}',
        '["apply_start"]',
    ],
)
def test_what_is_no_such_line_is_passed_over(line: str) -> None:
    assert read(line) == ()


def test_the_runs_of_one_file_are_steps() -> None:
    abstract = json.dumps(
        {"type": "test_abstract", "test_abstract": {"a.tftest.hcl": ["x"], "b.tftest.hcl": ["y"]}}
    )
    body = {"run": "x", "progress": "starting"}
    started = json.dumps({"type": "test_run", "test_run": body})
    ended = json.dumps(
        {"type": "test_run", "test_run": {"run": "x", "progress": "complete", "status": "pass"}}
    )
    events = read(abstract, started, ended, only="a.tftest.hcl")
    assert [type(e) for e in events] == [StepPlanned, StepStarted, StepFinished]
