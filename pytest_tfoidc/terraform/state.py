"""A state as tests read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from pytest_tfoidc.terraform.values import Named, Resource, readable

SIMPLE: Mapping[object, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "bool": (bool,),
}
MANAGED, DATA = "managed", "data"


class State(Mapping[str, Resource]):
    """A state: resources by their addresses, data sources apart.

    `str(state)` is the JSON text. It may hold secrets; the values of the resources and outputs do
    not show them.

    Args:
        text: The state, as `terraform state pull` tells it.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        """Return the JSON text."""
        return self.text

    def __repr__(self) -> str:
        """Write what is in it, without values."""
        resources = ", ".join(self.resources) or "no resources"
        return f"<State: {resources}; outputs: {', '.join(self.outputs) or 'none'}>"

    @cached_property
    def json(self) -> Mapping[str, Any]:
        """The state as Terraform keeps it."""
        found: Mapping[str, Any] = json.loads(self.text) if self.text.strip() else {}
        return found

    @cached_property
    def resources(self) -> Named[Resource]:
        """The resources, of all modules, by address."""
        return self._of(MANAGED)

    @cached_property
    def data(self) -> Named[Resource]:
        """The data sources, of all modules, by address."""
        return self._of(DATA)

    @cached_property
    def outputs(self) -> Named[Any]:
        """The values of the root module's outputs."""
        found = (self.json.get("outputs") or {}).items()
        return Named("output", {k: readable(o.get("value"), sensitive=o.get("sensitive") is True)
                                for k, o in found})  # fmt: skip

    def _of(self, mode: str) -> Named[Resource]:
        blocks = (one for one in self.json.get("resources") or () if one.get("mode") == mode)
        found = {one.address: one for block in blocks for one in _instances(block)}
        return Named("resource" if mode == MANAGED else "data source", found)

    def __getitem__(self, address: str) -> Resource:
        """Return a resource, or a data source by its whole address (`data.…`).

        Raises:
            UnknownNameError: It is not there; the nearest addresses are named.
        """
        return self.data[address] if address in self.data else self.resources[address]

    def __contains__(self, address: object) -> bool:
        """Tell whether a resource, or a data source, is there."""
        return address in self.resources or address in self.data

    def __iter__(self) -> Iterator[str]:
        """Yield the addresses of the resources."""
        return iter(self.resources)

    def __len__(self) -> int:
        """Count the resources."""
        return len(self.resources)


def _instances(block: Mapping[str, Any]) -> Iterator[Resource]:
    module = block.get("module", "")
    parts = [module, DATA if block.get("mode") == DATA else "", block["type"], block["name"]]
    base = ".".join(part for part in parts if part)
    for instance in block.get("instances") or ():
        key = instance.get("index_key")
        index = "" if key is None else f"[{json.dumps(key, ensure_ascii=False)}]"
        deposed = f" (deposed object {instance['deposed']})" if instance.get("deposed") else ""
        marks: dict[Any, Any] = {}
        for path in instance.get("sensitive_attributes") or ():
            _mark(marks, path)
        yield Resource(
            address=f"{base}{index}{deposed}",
            type=block["type"],
            name=block["name"],
            module=module,
            mode=block["mode"],
            provider=block.get("provider", ""),
            values=readable(_attributes(instance), sensitive=marks),
        )


def _attributes(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes as configurations have them.

    One of any type is kept with its type beside it: `{"value": …, "type": …}`.
    """
    found = instance.get("attributes") or {}
    return {name: one["value"] if _is_dynamic(one) else one for name, one in found.items()}


def _is_dynamic(one: object) -> bool:
    if not isinstance(one, dict) or set(one) != {"value", "type"}:
        return False
    kind = one["type"][:1] if isinstance(one["type"], list) else one["type"]
    wanted: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "number": (int, float),
        "bool": (bool,),
    }
    if isinstance(kind, str):
        return kind in wanted and isinstance(one["value"], (*wanted[kind], type(None)))
    return kind in (["object"], ["map"], ["tuple"], ["list"], ["set"])


def _mark(marks: dict[Any, Any], path: list[Mapping[str, Any]]) -> None:
    """Note a sensitive path: steps of `{"type": …, "value": …}`."""
    keys = [_key(step) for step in path]
    for key in keys[:-1]:
        below = marks.setdefault(key, {})
        if below is True:
            return
        marks = below
    if keys:
        marks[keys[-1]] = True


def _key(step: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a name or a number
    value = step.get("value")
    return value.get("value") if isinstance(value, Mapping) else value
