from __future__ import annotations

from typing import Any

import pytest

from pytest_tfoidc.terraform.upgrade.plan_diff import (
    Change,
    judge,
    planned_changes,
    state_upgrades,
    warnings,
)
from pytest_tfoidc.terraform.upgrade.spec import Allowance


def resource(*actions: str, address: str = "x.y", **change: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"address": address, "change": {"actions": list(actions), **change}}


def lines(plan: dict[str, Any]) -> list[str]:
    return [f"{c.name}: {c.before} -> {c.after}" for c in planned_changes(plan)]


def test_changes_are_listed_by_attribute_with_what_was_and_what_will_be() -> None:
    change = resource(
        "update",
        before={
            "a": 1,
            "same": "s",
            "tags": {"k": "v"},
            "list": [1, {"n": 2}],
            "gone": True,
        },
        after={"a": 2, "same": "s", "tags": {"k": "w", "new": "n"}, "list": [1, {"n": 3}]},
        after_unknown={"computed": True},
    )
    assert lines({"resource_changes": [change]}) == [
        "x.y.a: 1 -> 2",
        'x.y.tags.k: "v" -> "w"',
        'x.y.tags.new:  -> "n"',
        "x.y.list[1].n: 2 -> 3",
        "x.y.gone: true -> ",
        "x.y.computed:  -> (known after apply)",
    ]


def test_what_becomes_unknown_as_a_whole_is_one_change() -> None:
    """As azurerm's tags with timestamp() in one of them: a map of a provider's own."""
    change = resource(
        "update",
        before={
            "tags": {"env": "dev", "at": "2030"},
            "list": ["a"],
            "none": [],
            "secret": {"k": 1},
        },
        after={"none": ["b"]},
        before_sensitive={"secret": {"k": True}},
        after_unknown={"tags": True, "list": True, "secret": True},
    )
    assert lines({"resource_changes": [change]}) == [
        'x.y.tags: {"at": "2030", "env": "dev"} -> (known after apply)',
        'x.y.list: ["a"] -> (known after apply)',
        'x.y.none[0]:  -> "b"',
        "x.y.secret: (sensitive) -> (known after apply)",
    ]


def test_a_value_that_was_sensitive_is_not_shown_when_it_is_no_longer() -> None:
    change = resource(
        "update",
        before={"a": {"k": "old-secret"}, "b": "same"},
        after={"a": {"k": "old-secret", "n": 1}, "b": "same"},
        before_sensitive={"a": True, "b": True},
        after_sensitive={},
    )
    assert lines({"resource_changes": [change]}) == [
        "x.y.a: (sensitive) -> (sensitive)",
        "x.y.b: (sensitive) -> (sensitive)",
    ]


def test_a_replacement_that_one_key_of_an_unknown_map_forces_names_the_map() -> None:
    change = resource(
        "delete",
        "create",
        before={"triggers": {"a": "1"}, "id": "x"},
        after={},
        after_unknown={"triggers": True, "id": True},
        replace_paths=[["triggers", "a"]],
    )
    (found,) = planned_changes({"resource_changes": [change]})
    assert (found.name, found.attribute) == ("replace:x.y", "triggers")


def test_sensitive_values_are_compared_and_not_shown() -> None:
    change = resource(
        "update",
        before={"secret": "old-secret", "nested": {"k": "old-secret"}},
        after={"secret": "new-secret", "nested": {"k": "new-secret"}},
        before_sensitive={"secret": True, "nested": True},
        after_sensitive={"secret": True, "nested": True},
    )
    found = planned_changes({"resource_changes": [change]})
    assert [c.attribute for c in found] == ["secret", "nested"]
    assert "old-secret" not in repr(found)
    assert "new-secret" not in repr(found)


def test_a_replacement_names_what_forces_it() -> None:
    change = resource(
        "delete",
        "create",
        before={"sku": "a", "id": "1"},
        after={"sku": "b"},
        after_unknown={"id": True},
        replace_paths=[["sku"]],
    )
    found = planned_changes({"resource_changes": [change]})
    assert [(c.kind, c.name, c.attribute) for c in found] == [("replace", "replace:x.y", "sku")]
    assert str(found[0]) == '-/+ replace x.y.sku: "a" -> "b"'


@pytest.mark.parametrize("action", ["create", "delete"])
def test_what_comes_and_goes_is_named(action: str) -> None:
    assert [c.name for c in planned_changes({"resource_changes": [resource(action)]})] == [
        f"{action}:x.y"
    ]


def test_reads_and_what_stays_are_no_changes() -> None:
    plan = {
        "resource_changes": [resource("no-op"), resource("read")],
        "output_changes": {"o": {"actions": ["no-op"], "before": 1, "after": 1}},
    }
    assert planned_changes(plan) == ()


def test_outputs_that_change_are_listed() -> None:
    plan = {"output_changes": {"o": {"actions": ["update"], "before": {"k": 1}, "after": {"k": 2}}}}
    assert lines(plan) == ["output.o.k: 1 -> 2"]


def test_warnings_have_an_address_and_an_argument() -> None:
    diagnostics: list[dict[str, Any]] = [
        {
            "severity": "warning",
            "summary": "Deprecated",
            "address": "x.y",
            "snippet": {"code": "  old_name = true", "context": 'resource "x" "y"'},
        },
        {"severity": "error", "summary": "no warning"},
    ]
    assert [c.name for c in warnings(diagnostics)] == ["warning:x.y.old_name"]


def test_what_is_tolerated_is_taken_away_and_what_matches_nothing_is_named() -> None:
    tolerated = Change(kind="update", address="x.y", attribute="a")
    left = Change(kind="update", address="x.y", attribute="b")
    matching, idle = Allowance("x.y.a", "because"), Allowance("x.z.a", "once")
    judgement = judge([tolerated, left], [matching, idle])
    assert judgement.changes == (left,)
    assert judgement.unmatched == (idle,)
    assert not judgement.is_clean
    assert judge([tolerated], [matching]).is_clean
    assert not judge([], [idle]).is_clean


def test_errors_are_never_tolerated() -> None:
    error = Change(kind="error", address="plan")
    assert judge([error], [Allowance("*", "whatever")]).changes == (error,)


def test_states_that_go_up_are_found_in_modules_and_with_keys() -> None:
    state = {
        "resources": [
            {
                "module": "module.m",
                "mode": "managed",
                "type": "x",
                "name": "y",
                "instances": [
                    {"index_key": "a", "schema_version": 1},
                    {"index_key": "b", "schema_version": 2},
                ],
            }
        ]
    }
    resources = [{"address": f'module.m.x.y["{key}"]', "schema_version": 2} for key in "ab"]
    root = {"child_modules": [{"resources": resources}]}
    found = state_upgrades(state, {"prior_state": {"values": {"root_module": root}}})
    assert [(one.address, one.before, one.after) for one in found] == [('module.m.x.y["a"]', 1, 2)]
