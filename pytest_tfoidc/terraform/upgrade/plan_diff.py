"""The changes of a plan: by address and attribute, before and after.

Source: https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_tfoidc.terraform.upgrade.spec import Allowance

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
ABSENT = "(absent)"
UPDATE, REPLACE, OUTPUT, WARNING, ERROR = "update", "replace", "output", "warning", "error"
SYMBOLS = {UPDATE: "~", REPLACE: "-/+", OUTPUT: "~", WARNING: "!", ERROR: "x"}
SYMBOLS |= {"create": "+", "delete": "-", "forget": "."}
LONGEST = 200  # characters of a value in a diff
_ARGUMENT = re.compile(r"\s*([\w-]+)\s*=")
_ACTIONS = {
    ("update",): UPDATE,
    ("create",): "create",
    ("delete",): "delete",
    ("forget",): "forget",
    ("delete", "create"): REPLACE,
    ("create", "delete"): REPLACE,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference. `before` and `after` are JSON texts, empty where there is nothing to say."""

    kind: str
    address: str
    attribute: str = ""
    before: str = ""
    after: str = ""
    text: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The name that allowances are compared with."""
        if self.kind == REPLACE:
            return f"replace:{self.address}"
        path = ".".join(part for part in (self.address, self.attribute) if part)
        return path if self.kind in (UPDATE, OUTPUT) else f"{self.kind}:{path}"

    def __str__(self) -> str:
        """Write it as a line of a diff."""
        path = ".".join(part for part in (self.address, self.attribute) if part)
        line = f"{SYMBOLS[self.kind]:>3} {self.kind:<8}{path}"
        if self.before or self.after:
            line += f": {self.before or ABSENT} -> {self.after or ABSENT}"
        return f"{line}: {self.text}" if self.text else line


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Changes, and what of them a suite tolerates."""

    changes: tuple[Change, ...]
    tolerated: tuple[tuple[Change, Allowance], ...]
    unmatched: tuple[Allowance, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left, of the changes nor of the allowances."""
        return not self.changes and not self.unmatched


def judge(changes: Iterable[Change], allowances: Sequence[Allowance]) -> Judgement:
    """Take away what is tolerated; an error never is."""
    left, tolerated = [], []
    for change in changes:
        covering = [a for a in allowances if change.kind != ERROR and a.covers(change.name)]
        tolerated += [(change, allowance) for allowance in covering]
        if not covering:
            left.append(change)
    used = {allowance for _, allowance in tolerated}
    return Judgement(
        changes=tuple(left),
        tolerated=tuple(tolerated),
        unmatched=tuple(a for a in allowances if a not in used),
    )


def planned_changes(plan: Mapping[str, Any]) -> tuple[Change, ...]:
    """Read the JSON of `terraform show -json PLAN`."""
    resources = (change for r in plan.get("resource_changes", ()) for change in _of_resource(r))
    outputs = (
        change
        for name, output in plan.get("output_changes", {}).items()
        if tuple(output["actions"]) != ("no-op",)
        for change in _attributes(OUTPUT, f"output.{name}", output)
    )
    return (*resources, *outputs)


def _of_resource(resource: Mapping[str, Any]) -> Iterator[Change]:
    change, address = resource["change"], resource["address"]
    kind = _ACTIONS.get(tuple(change["actions"]))
    if kind is None:  # no-op and read
        return
    if kind == REPLACE:
        yield from _replaced(address, change)
    elif kind == UPDATE:
        yield from _attributes(UPDATE, address, change)
    else:
        yield Change(kind=kind, address=address)


def _replaced(address: str, change: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the attributes that force the replacement."""
    paths = [_path(steps) for steps in change.get("replace_paths", ())]
    differing = list(_attributes(REPLACE, address, change))
    forcing = [one for one in differing if any(_is_below(one.attribute, path) for path in paths)]
    yield from forcing or [Change(kind=REPLACE, address=address)]


def _is_below(attribute: str, path: str) -> bool:
    return attribute == path or attribute.startswith((f"{path}.", f"{path}["))


def _path(steps: Iterable[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _attributes(kind: str, address: str, change: Mapping[str, Any]) -> Iterator[Change]:
    before = _leaves(change.get("before"), change.get("before_sensitive"), unknown=None)
    after = _leaves(
        change.get("after"), change.get("after_sensitive"), unknown=change.get("after_unknown")
    )
    differing = [
        path for path in dict.fromkeys([*before, *after]) if before.get(path) != after.get(path)
    ]
    for path in differing:
        yield Change(
            kind=kind,
            address=address,
            attribute=path,
            before=_shown(before.get(path)),
            after=_shown(after.get(path)),
        )


def _shown(leaf: tuple[str, str] | None) -> str:
    return "" if leaf is None else leaf[1]


Leaves = dict[str, tuple[str, str]]


def _leaves(value: Any, sensitive: Any, *, unknown: Any) -> Leaves:  # noqa: ANN401 - JSON
    """Return every value by its path: what to compare, and what to show."""
    found: Leaves = {}
    _collect(found, "", value, sensitive, unknown)
    return found


def _collect(found: Leaves, path: str, value: Any, sensitive: Any, unknown: Any) -> None:  # noqa: ANN401 - JSON
    if unknown is True:
        found[path] = (UNKNOWN, UNKNOWN)
    elif sensitive is True:
        found[path] = (json.dumps(value, sort_keys=True), SENSITIVE)
    elif isinstance(value, dict) or isinstance(unknown, dict):
        for key in dict.fromkeys([*(value or {}), *_keys(unknown)]):
            below = f"{path}.{key}" if path else str(key)
            _collect(found, below, _at(value, key), _at(sensitive, key), _at(unknown, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            _collect(found, f"{path}[{index}]", item, _at(sensitive, index), _at(unknown, index))
    elif value is not None:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        found[path] = (text, shown)


def _keys(unknown: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    return tuple(unknown) if isinstance(unknown, dict) else ()


def _at(value: Any, key: str | int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return value.get(str(key))
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return value if value is True else None


def warnings(diagnostics: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Return the warnings among diagnostics, each with its address and argument if it has them."""
    found = (_warning(d) for d in diagnostics if d.get("severity") == "warning")
    return tuple(dict.fromkeys(found))


def _warning(diagnostic: Mapping[str, Any]) -> Change:
    snippet = diagnostic.get("snippet") or {}
    match = _ARGUMENT.match(snippet.get("code") or "")
    context = str(snippet.get("context") or "")
    address = str(diagnostic.get("address") or _block(context))
    return Change(
        kind=WARNING,
        address=address or str(diagnostic.get("summary", "")),
        attribute=match[1] if match and address else "",
        text=str(diagnostic.get("summary", "")) if address else str(diagnostic.get("detail", "")),
    )


def _block(context: str) -> str:
    """Turn a snippet's context, such as `resource "a" "b"`, into an address."""
    words = [word.strip('"') for word in context.split()]
    return ".".join(words[1:] if words[:1] == ["resource"] else words)


@dataclass(frozen=True, kw_only=True)
class StateUpgrade:
    """A resource whose state the new provider writes in a way that the old one cannot read."""

    address: str
    before: int
    after: int

    def __str__(self) -> str:
        """Say what it means."""
        return (
            f"{self.address}: its state goes from schema version {self.before} to {self.after};"
            " the old provider cannot read it afterwards"
        )


def state_upgrades(state: Mapping[str, Any], plan: Mapping[str, Any]) -> tuple[StateUpgrade, ...]:
    """Compare a state, as it is stored, with the prior state of a plan, which is upgraded."""
    before = dict(_stored_versions(state))
    root = plan.get("prior_state", {}).get("values", {}).get("root_module", {})
    return tuple(
        StateUpgrade(address=address, before=before[address], after=version)
        for address, version in _planned_versions(root)
        if before.get(address, version) < version
    )


def _stored_versions(state: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for resource in state.get("resources", ()):
        parts = [resource.get("module", ""), "data" if resource.get("mode") == "data" else ""]
        base = ".".join(part for part in [*parts, resource["type"], resource["name"]] if part)
        for instance in resource.get("instances", ()):
            key = instance.get("index_key")
            index = "" if key is None else f"[{json.dumps(key, ensure_ascii=False)}]"
            yield f"{base}{index}", instance.get("schema_version", 0)


def _planned_versions(module: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for resource in module.get("resources", ()):
        yield resource["address"], resource.get("schema_version", 0)
    for child in module.get("child_modules", ()):
        yield from _planned_versions(child)
