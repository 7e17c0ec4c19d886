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
MOST_CHANGES = 50  # that are told, a line each
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


def change_lines(changes: Sequence[Change]) -> list[str]:
    """Write changes as lines of a diff; of very many the first, and how many there are."""
    rest = len(changes) - MOST_CHANGES
    more = [f"  … and {rest} more changes"] if rest > 0 else []
    return [*map(str, changes[:MOST_CHANGES]), *more]


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
    forcing = [one for one in differing if any(_touches(one.attribute, path) for path in paths)]
    yield from forcing or [Change(kind=REPLACE, address=address)]


def _touches(attribute: str, path: str) -> bool:
    """Tell whether one of two paths leads to the other, or they are the same."""
    longer, shorter = sorted((attribute, path), key=len, reverse=True)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))


def _path(steps: Iterable[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _attributes(kind: str, address: str, change: Mapping[str, Any]) -> Iterator[Change]:
    old = _Side(change.get("before"), sensitive=change.get("before_sensitive"))
    new = _Side(
        change.get("after"),
        sensitive=change.get("after_sensitive"),
        unknown=change.get("after_unknown"),
    )
    for path, before, after in _differing("", old, new):
        yield Change(kind=kind, address=address, attribute=path, before=before, after=after)


@dataclass(frozen=True)
class _Side:
    """A value before or after, with what is sensitive and what is unknown of it."""

    value: Any
    sensitive: Any = field(kw_only=True)
    unknown: Any = field(default=None, kw_only=True)

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to tell of its parts."""
        return self.unknown is True or self.sensitive is True

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict) or isinstance(self.unknown, dict)

    @property
    def keys(self) -> tuple[str | int, ...]:
        """Its attributes, or its positions."""
        parts = [self.value, self.unknown]
        if self.is_object:
            return tuple(key for part in parts if isinstance(part, dict) for key in part)
        return tuple(range(max(len(part) if isinstance(part, list) else 0 for part in parts)))

    def at(self, key: str | int) -> _Side:
        """Return a part."""
        return _Side(
            _at(self.value, key),
            sensitive=_at(self.sensitive, key),
            unknown=_at(self.unknown, key),
        )

    @property
    def compared(self) -> tuple[str, bool]:
        """Its JSON, empty without one, and whether it is shown: these set it apart from others."""
        if self.unknown is True:
            return UNKNOWN, False
        if self.value is None:
            return "", False
        text = json.dumps(self.value, ensure_ascii=False, sort_keys=True)
        return text, self.sensitive is True

    def shown(self, *, hide: bool) -> str:
        """Write it for people."""
        text, _ = self.compared
        if text in ("", UNKNOWN):
            return text
        if hide or _is_marked(self.sensitive):
            return SENSITIVE
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _is_marked(sensitive: Any) -> bool:  # noqa: ANN401 - JSON
    """Tell whether anything of a value is sensitive."""
    if isinstance(sensitive, dict):
        return any(map(_is_marked, sensitive.values()))
    return any(map(_is_marked, sensitive)) if isinstance(sensitive, list) else sensitive is True


def _differing(path: str, old: _Side, new: _Side) -> Iterator[tuple[str, str, str]]:
    """Yield the paths at which two values differ, with both."""
    parts = dict.fromkeys([*old.keys, *new.keys])
    is_alike = old.is_object == new.is_object or None in (old.value, new.value)
    if not parts or old.is_whole or new.is_whole or not is_alike:
        if old.compared != new.compared:
            hide = True in (old.sensitive, new.sensitive)
            yield path, old.shown(hide=hide), new.shown(hide=hide)
        return
    for key in parts:
        name = f"[{key}]" if isinstance(key, int) else f".{key}" if path else key
        yield from _differing(f"{path}{name}", old.at(key), new.at(key))


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
