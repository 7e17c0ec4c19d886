"""Plans, states and expressions as tests read them, from real Terraform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tfoidc.errors import TerraformError, UsageError
from pytest_tfoidc.events import CommandStarted
from pytest_tfoidc.identity import secret
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.plan import UnexpectedChangesError
from pytest_tfoidc.terraform.state import State
from pytest_tfoidc.terraform.values import UNKNOWN, UnknownNameError, readable, secrets_of
from pytest_tfoidc.terraform.workspace import Workspace

SECRET = "hunter2-of-the-test"
MAIN = """\
variable "size" {
  default = 1
}

variable "password" {
  default   = "hunter2-of-the-test"
  sensitive = true
}

resource "terraform_data" "kept" {
  input = "as it is"
}

resource "terraform_data" "sized" {
  input = { size = var.size, password = var.password }
}

resource "terraform_data" "bound" {
  input            = "bound"
  triggers_replace = [var.size]
}

resource "terraform_data" "each" {
  for_each = var.size > 1 ? toset(["a b"]) : toset(["old"])
  input    = each.key
}

module "inner" {
  source = "./inner"
  size   = var.size
}

data "terraform_remote_state" "none" {
  count   = 0
  backend = "local"
}

output "id" {
  value = terraform_data.each[var.size > 1 ? "a b" : "old"].id
}

output "password" {
  value     = var.password
  sensitive = true
}

locals {
  doubled = [for n in [1, 2] : n * var.size]
}

check "size" {
  assert {
    condition     = var.size < 2
    error_message = "It is too large."
  }
}
"""
INNER = """\
variable "size" {}

resource "terraform_data" "this" {
  input = { size = var.size }
}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that is deployed with size 1; tests leave it so."""
    folder = tmp_path_factory.mktemp("plan") / "module"
    (folder / "inner").mkdir(parents=True)
    (folder / "main.tf").write_text(MAIN, "utf-8")
    (folder / "inner" / "main.tf").write_text(INNER, "utf-8")
    options = SessionOptions(context="mock")
    with OidcSession(options) as session, session.isolated(), session.workspace(folder) as made:
        made.init()
        made.apply()
        yield made


@pytest.mark.proof
def test_a_plan_tells_what_happens_to_each_resource(workspace: Workspace) -> None:
    plan = workspace.plan(variables={"size": 2})
    mark = workspace.setting.events.mark()
    assert {a: c.action for a, c in plan.changes.items()} == {
        "module.inner.terraform_data.this": "update",
        "terraform_data.bound": "replace",
        'terraform_data.each["a b"]': "create",
        'terraform_data.each["old"]': "delete",
        "terraform_data.sized": "update",
    }
    bound, sized = plan.changes["terraform_data.bound"], plan.changes["terraform_data.sized"]
    assert bound.replaces
    assert bound.replace_paths == ("triggers_replace",)
    assert not sized.replaces
    assert (sized.before["input"]["size"], sized.after["input"]["size"]) == (1, 2)
    assert sized.after["output"] is UNKNOWN
    assert plan.changes['terraform_data.each["old"]'].after is None
    assert set(plan.creates) == {"terraform_data.bound", 'terraform_data.each["a b"]'}
    assert set(plan.deletes) == {"terraform_data.bound", 'terraform_data.each["old"]'}
    assert set(plan.replaces) == {"terraform_data.bound"}
    assert plan.outputs["id"] is UNKNOWN
    assert plan.variables["size"] == 2
    inner = plan.resources["module.inner.terraform_data.this"]
    assert (inner.module, inner.type, inner.values["input"]) == (
        "module.inner",
        "terraform_data",
        {"size": 2},
    )
    assert plan.checks["check.size"].problems == ("It is too large.",)
    events = workspace.setting.events.of(CommandStarted, since=mark)
    assert [event.command for event in events] == ["show"]  # once, for all of that


@pytest.mark.proof
def test_a_plan_reads_like_terraforms_summary(workspace: Workspace) -> None:
    plan = workspace.plan(variables={"size": 2})
    mark = workspace.setting.events.mark()
    first, *lines = repr(plan).removesuffix(">").splitlines()
    assert first == "<Plan: 2 to add, 2 to change, 2 to destroy."
    assert "  -/+ terraform_data.bound" in lines
    assert repr(workspace.plan()) == "<Plan: no changes>"
    events = workspace.setting.events.of(CommandStarted, since=mark)
    assert [event.command for event in events] == ["plan"]


@pytest.mark.proof
def test_what_is_sensitive_is_there_and_not_shown(workspace: Workspace) -> None:
    plan, state = workspace.plan(variables={"size": 2}), workspace.state()
    after = plan.changes["terraform_data.sized"].after
    values = {"input": state["terraform_data.sized"].values["input"]}
    for one in (plan.variables, plan.outputs, after, values, state.outputs, plan.changes):
        assert SECRET not in repr(one)
        assert "(sensitive value)" in repr(one)
    assert after["input"]["password"] == SECRET
    assert values["input"]["password"] == SECRET
    assert state.outputs["password"] == SECRET
    assert workspace.setting.redactor.redact(SECRET) != SECRET
    told = secret.compared_without_secrets("==", after, {})
    assert told is not None
    assert SECRET not in str(told)


@pytest.mark.proof
def test_an_unknown_address_names_the_nearest(workspace: Workspace) -> None:
    plan, state = workspace.plan(variables={"size": 2}), workspace.state()
    with pytest.raises(KeyError, match=r"Did you mean terraform_data\.sized\?"):
        plan.changes["terraform_data.size"]
    with pytest.raises(UnknownNameError, match="the plan leaves it as it is"):
        plan.changes["terraform_data.kept"]
    with pytest.raises(KeyError, match=r"Did you mean terraform_data\.bound\?"):
        state["terraform_data.bond"]
    with pytest.raises(
        KeyError, match=r"There is no output 'idd'(.|\n)*are id, password\n.*Did you mean id\?"
    ):
        workspace.output("idd")
    with pytest.raises(KeyError, match="there are id, password"):
        workspace.output("zzzzzz")


@pytest.mark.proof
def test_outputs_that_an_apply_has_told_are_not_asked_for_again(workspace: Workspace) -> None:
    events, mark = workspace.setting.events, workspace.setting.events.mark()
    workspace.apply()
    told, asked = workspace.output("id"), workspace.output()
    assert told == asked["id"]
    assert asked["password"] == SECRET  # an apply keeps it back
    workspace.run("apply", "-auto-approve", "-var=size=2")
    after = workspace.output("id")
    workspace.apply()
    assert after not in {"", told}
    assert workspace.output("id") != after
    commands = [event.command for event in events.of(CommandStarted, since=mark)]
    assert commands == ["apply", "output", "apply", "output", "apply"]


@pytest.mark.proof
def test_an_older_plan_stays_what_it_was(workspace: Workspace) -> None:
    older = workspace.plan(variables={"size": 2})
    assert not workspace.plan().changes
    assert len(older.changes) == 5


@pytest.mark.proof
def test_a_state_tells_what_there_is(workspace: Workspace) -> None:
    state = workspace.state()
    assert set(state) == {
        "module.inner.terraform_data.this",
        "terraform_data.bound",
        'terraform_data.each["old"]',
        "terraform_data.kept",
        "terraform_data.sized",
    }
    assert state["terraform_data.kept"].values["input"] == "as it is"
    assert state.outputs["id"] == state['terraform_data.each["old"]'].values["id"]
    assert not state.data
    assert json.loads(str(state))["version"] == 4
    assert "module.inner.terraform_data.this" in repr(state)


@pytest.mark.proof
def test_idempotence_and_drift_in_one_call(workspace: Workspace) -> None:
    workspace.assert_no_changes()
    workspace.assert_no_changes(refresh_only=True)
    with pytest.raises(
        UnexpectedChangesError, match=r"update\s+terraform_data\.sized\.input"
    ) as no:
        workspace.assert_no_changes(variables={"size": 2})
    assert no.value.plan.changes
    assert SECRET not in str(no.value)
    assert re.match(
        r"The plan is not empty: terraform_data\.bound, .+ and 3 more would", str(no.value)
    )


@pytest.mark.proof
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("local.doubled", [1, 2]),
        ('"${var.size} \\"ü\\" ${1 + 1}"', '1 "ü" 2'),
        ("{\n a = null }", {"a": None}),
        ("terraform_data.kept.output", "as it is"),
        ("var.password", SECRET),
    ],
)
def test_an_expression_has_a_value(workspace: Workspace, expression: str, value: object) -> None:
    assert workspace.evaluate(expression) == value
    assert SECRET not in str(value) or workspace.setting.redactor.redact(SECRET) != SECRET


@pytest.mark.proof
def test_an_expression_that_is_none_is_told(workspace: Workspace) -> None:
    with pytest.raises(TerraformError, match=r"name \"missing\" has not been declared"):
        workspace.evaluate("local.missing")


@pytest.mark.proof
def test_a_plan_of_another_workspace_and_variables_for_a_plan_are_refused(
    workspace: Workspace, tmp_path: Path
) -> None:
    plan = workspace.plan()
    with pytest.raises(UsageError, match="has its variables in it"):
        workspace.apply(plan, variables={"size": 2})
    (tmp_path / "main.tf").write_text("", "utf-8")
    other = Workspace(tmp_path, setting=workspace.setting)
    with other, pytest.raises(UsageError, match="of another workspace"):
        other.apply(plan)


def test_an_empty_state_is_false() -> None:
    assert not State("")
    assert State("").outputs == {}


def test_marks_follow_the_value_into_lists_and_what_is_unknown_in_them() -> None:
    value = readable(
        {"a": [1, "s", None], "c": 0.5},
        unknown={"a": [False, False, True], "b": True},
        sensitive={"a": [False, True], "c": True},
    )
    assert value == {"a": [1, "s", UNKNOWN], "c": 0.5, "b": UNKNOWN}
    assert "'s'" not in repr(value)
    assert "0.5" not in repr(value)
    assert list(secrets_of(value)) == ["s", 0.5]
    with pytest.raises(TypeError, match="UNKNOWN"):
        bool(value["b"])
