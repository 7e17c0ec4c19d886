"""A saved plan as tests read it, from `terraform show -json`, which runs when it is first needed.

Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_tfoidc.terraform.runner import Completed
from pytest_tfoidc.terraform.values import UNKNOWN, Named, Resource, no_such, readable, secrets_of

CREATE, UPDATE, DELETE, REPLACE = "create", "update", "delete", "replace"
READ, NO_OP = "read", "no-op"
SYMBOLS = {CREATE: "+", UPDATE: "~", DELETE: "-", REPLACE: "-/+", READ: "<=", "forget": "."}
MOST_LINES = 20
NOTHING = Completed(command="show", exit_code=0, stdout="", stderr="", seconds=0.0)
Actions = tuple[str, ...]
_REPLACE: tuple[Actions, ...] = (("delete", "create"), ("create", "delete"))


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """The change of one resource in a plan.

    Attributes:
        address: The resource's.
        action: `create`, `update`, `delete`, `replace`, `read`, `forget` or `no-op`.
        before: Its values before; None where it is not there.
        after: Its values after; None where it will not be there. What is known after the apply
            only is `UNKNOWN`, and what is sensitive is not shown.
        replace_paths: The attributes that make it be replaced, as `name` or `block[0].name`.
        type: The resource's type.
        name: Its name.
        module: Its module's address; empty for the root module.
        previous_address: Where it was before it was moved; empty where it was not.
        is_imported: Whether the plan imports it.
    """

    address: str
    action: str
    before: Any = field(repr=False)
    after: Any
    replace_paths: tuple[str, ...] = ()
    type: str = ""
    name: str = ""
    module: str = ""
    previous_address: str = ""
    is_imported: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the resource is destroyed and made again."""
        return self.action == REPLACE


@dataclass(frozen=True, kw_only=True)
class OutputChange:
    """The change of one output in a plan."""

    action: str
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of a `check` block or of a condition. `problems`: the messages of what failed."""

    address: str
    kind: str
    status: str
    problems: tuple[str, ...] = ()


class UnexpectedChangesError(AssertionError):
    """There is something to do where there should be nothing.

    Args:
        plan: The plan.
        lines: What it would change, a line each.
        named: What changes, for the first line.
    """

    def __init__(self, plan: Plan, lines: tuple[str, ...], *, named: str) -> None:
        super().__init__("\n".join([f"The plan is not empty: {named} would change.", *lines]))
        self.plan = plan


class Changes(Named[ResourceChange]):
    """Resources that a plan changes, by their addresses.

    Args:
        changing: What the plan changes.
        unchanged: The addresses that it leaves as they are.
    """

    def __init__(
        self, changing: Mapping[str, ResourceChange], unchanged: frozenset[str] = frozenset()
    ) -> None:
        super().__init__("change of", changing)
        self._unchanged = unchanged

    def __getitem__(self, name: str) -> ResourceChange:
        """Return what happens to one resource.

        Raises:
            UnknownNameError: The plan does not change it; the nearest addresses are named.
        """
        if name in self._unchanged and name not in self._items:
            error = no_such("change of", name, self._items)
            error.cause = "the plan leaves it as it is"
            raise error
        return super().__getitem__(name)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A saved plan. `has_changes`: it would change resources or outputs.

    Everything else is read from `terraform show -json`, once, when it is first asked for.
    """

    path: Path
    has_changes: bool
    completed: Completed = field(repr=False)
    show: Callable[[], Mapping[str, Any]] = field(repr=False, compare=False)

    @cached_property
    def json(self) -> Mapping[str, Any]:
        """The plan as `terraform show -json` tells it. It may hold secrets: do not print it."""
        return self.show()

    @cached_property
    def _all(self) -> Mapping[str, ResourceChange]:
        changes = map(_change, self.json.get("resource_changes") or ())
        return {one.address: one for one in changes}

    @cached_property
    def changes(self) -> Changes:
        """The changes of resources, by address; what stays as it is, is not among them."""
        return self._changes(lambda one: one.action != NO_OP or bool(one.previous_address))

    @property
    def creates(self) -> Changes:
        """The addresses of what is created, or replaced."""
        return self._changes(lambda one: one.action in {CREATE, REPLACE})

    @property
    def updates(self) -> Changes:
        """The addresses of what is updated in place."""
        return self._changes(lambda one: one.action == UPDATE)

    @property
    def deletes(self) -> Changes:
        """The addresses of what is destroyed, or replaced."""
        return self._changes(lambda one: one.action in {DELETE, REPLACE})

    @property
    def replaces(self) -> Changes:
        """The addresses of what is destroyed and made again."""
        return self._changes(lambda one: one.replaces)

    def _changes(self, wanted: Callable[[ResourceChange], bool]) -> Changes:
        chosen = {address: one for address, one in self._all.items() if wanted(one)}
        return Changes(chosen, frozenset(self._all) - frozenset(chosen))

    @cached_property
    def drift(self) -> Changes:
        """The changes outside of Terraform since the last apply."""
        changes = map(_change, self.json.get("resource_drift") or ())
        return Changes({one.address: one for one in changes if one.action != NO_OP})

    @cached_property
    def output_changes(self) -> Named[OutputChange]:
        """The changes of outputs, those that stay as they are included."""
        changes = (self.json.get("output_changes") or {}).items()
        return Named("output", {name: _output(one) for name, one in changes})

    @property
    def outputs(self) -> Named[Any]:
        """The outputs' values after the apply."""
        changes = self.output_changes.items()
        return Named("output", {name: one.after for name, one in changes if one.action != DELETE})

    @cached_property
    def variables(self) -> Named[Any]:
        """The values of the root module's variables."""
        root = (self.json.get("configuration") or {}).get("root_module") or {}
        declared = root.get("variables") or {}
        found = {
            name: readable(
                (one or {}).get("value"),
                sensitive=(declared.get(name) or {}).get("sensitive") is True,
            )
            for name, one in (self.json.get("variables") or {}).items()
        }
        return Named("variable", found)

    @cached_property
    def resources(self) -> Named[Resource]:
        """The resources as they are planned, through all modules, by address."""
        root = (self.json.get("planned_values") or {}).get("root_module") or {}
        found = {one["address"]: self._resource(one, module) for one, module in _walk(root, "")}
        return Named("resource", found)

    def _resource(self, one: Mapping[str, Any], module: str) -> Resource:
        change = self._all.get(one["address"])
        values = readable(one.get("values"), sensitive=one.get("sensitive_values"))
        return Resource(
            address=one["address"],
            type=one["type"],
            name=one["name"],
            module=module,
            mode=one["mode"],
            provider=one.get("provider_name", ""),
            values=values if change is None or change.after is None else change.after,
        )

    @cached_property
    def checks(self) -> Named[Check]:
        """The outcomes of `check` blocks and conditions, by the address that they belong to."""
        found = (_check(one) for one in self.json.get("checks") or ())
        return Named("check", {one.address: one for one in found})

    def __repr__(self) -> str:
        """Write what Terraform said as it made the plan."""
        return "\n".join([f"<{self._summary}", *self._lines]) + ">"

    @property
    def _summary(self) -> str:
        summaries = (m["@message"] for m in self.completed.messages if "changes" in m)
        if not self.has_changes:
            return "Plan: no changes"
        return next(summaries, "Plan: changes to outputs")

    @property
    def _lines(self) -> Iterator[str]:
        told = (m["change"] for m in self.completed.messages if m.get("type") == "planned_change")
        lines = [f"{SYMBOLS.get(c['action'], '?'):>5} {c['resource']['addr']}" for c in told]
        yield from lines[:MOST_LINES]
        if len(lines) > MOST_LINES:
            yield f"      and {len(lines) - MOST_LINES} more"


def sensitive_in_plan(plan: Mapping[str, Any]) -> Iterator[object]:
    """Return what a plan's JSON marks as sensitive: in resources, outputs and variables."""
    shown = Plan(path=Path(), has_changes=True, completed=NOTHING, show=lambda: plan)
    lists = (plan.get(name) or () for name in ("resource_changes", "resource_drift"))
    changes = [_change(one) for found in lists for one in found]
    pairs = [(one.before, one.after) for one in changes]
    pairs += [(one.before, one.after) for one in shown.output_changes.values()]
    for before, after in pairs:
        yield from secrets_of(before)
        yield from secrets_of(after)
    for value in shown.variables.values():
        yield from secrets_of(value)


def _change(one: Mapping[str, Any]) -> ResourceChange:
    change = one["change"]
    deposed = f" (deposed object {one['deposed']})" if one.get("deposed") else ""
    before = readable(change.get("before"), sensitive=change.get("before_sensitive"))
    return ResourceChange(
        address=one["address"] + deposed,
        action=_action(change),
        before=before,
        after=_after(change),
        replace_paths=tuple(map(_path, change.get("replace_paths") or ())),
        type=one.get("type", ""),
        name=one.get("name", ""),
        module=one.get("module_address", ""),
        previous_address=one.get("previous_address", ""),
        is_imported=bool(change.get("importing")),
    )


def _output(change: Mapping[str, Any]) -> OutputChange:
    before = readable(change.get("before"), sensitive=change.get("before_sensitive"))
    return OutputChange(action=_action(change), before=before, after=_after(change))


def _action(change: Mapping[str, Any]) -> str:
    actions = tuple(change["actions"])
    return REPLACE if actions in _REPLACE else "-".join(actions)


def _after(change: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if change.get("after_unknown") is True:
        return UNKNOWN
    return readable(
        change.get("after"),
        unknown=change.get("after_unknown"),
        sensitive=change.get("after_sensitive"),
    )


def _path(steps: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _walk(module: Mapping[str, Any], address: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for resource in module.get("resources") or ():
        yield resource, address
    for child in module.get("child_modules") or ():
        yield from _walk(child, child.get("address", ""))


def _check(one: Mapping[str, Any]) -> Check:
    address = one.get("address") or {}
    problems = (
        problem.get("message", "")
        for instance in one.get("instances") or ()
        for problem in instance.get("problems") or ()
    )
    return Check(
        address=address.get("to_display", ""),
        kind=address.get("kind", ""),
        status=one.get("status", ""),
        problems=tuple(problems),
    )
