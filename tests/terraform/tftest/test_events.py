"""Reading the lines of `terraform test -json`."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.terraform.tftest.events import read_line

TYPES = ("test_run", "test_file", "test_abstract", "test_plan", "test_state", "test_cleanup")
KEYS = ("type", "diagnostic", "range", "start", "values", "resources", "change", *TYPES)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TYPES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.text() | VALUES.map(json.dumps))
def test_no_line_is_too_odd_to_be_read(line: str) -> None:
    event = read_line(line)
    assert event is None or event.kind


@given(VALUES, st.sampled_from(TYPES))
def test_no_event_is_too_odd_to_be_read(value: object, kind: str) -> None:
    event = read_line(json.dumps({"type": kind, kind: value, "diagnostic": value}))
    assert event is not None
    assert event.kind == kind


def test_a_plan_is_summed_up() -> None:
    changes = [{"change": {"actions": actions}} for actions in (["create"], ["delete", "create"])]
    line = json.dumps({"type": "test_plan", "test_plan": {"resource_changes": changes}})
    event = read_line(line)
    assert event is not None
    assert event.changes == "plan: 2 to add, 0 to change, 1 to destroy"


def test_a_state_is_summed_up_with_the_modules_in_it() -> None:
    managed, data = {"mode": "managed"}, {"mode": "data"}
    module = {"resources": [managed, data], "child_modules": [{"resources": [managed]}]}
    line = json.dumps(
        {"type": "test_state", "test_state": {"root_module": module, "outputs": {"a": {}}}}
    )
    event = read_line(line)
    assert event is not None
    assert event.changes == "state: 2 resources, 1 output"


def test_what_an_interrupt_leaves_behind_is_read() -> None:
    left = {"state": [{"instance": "a.b", "deposed_key": "01"}], "planned": ["c.d"]}
    event = read_line(json.dumps({"type": "test_interrupt", "test_interrupt": left}))
    assert event is not None
    assert event.left_behind == ("a.b (deposed 01)", "c.d (perhaps)")


def test_secrets_are_taken_out() -> None:
    diagnostic = {
        "summary": "no entry for hunter2",
        "detail": "hunter2",
        "snippet": {
            "code": "x = hunter2",
            "values": [{"traversal": "x", "statement": "is hunter2"}],
        },
    }
    event = read_line(
        json.dumps({"type": "diagnostic", "@message": "hunter2", "diagnostic": diagnostic}),
        redact=lambda text: text.replace("hunter2", "***"),
    )
    assert event is not None
    assert "hunter2" not in repr(event)
    assert event.diagnostic is not None
    assert event.diagnostic.values == ("x is ***",)
