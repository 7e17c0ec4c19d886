"""Values of templates: expressions evaluated in a deployment's scope."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.deployments import functions
from pytest_tfoidc.mockazure.deployments.expressions import (
    Access,
    Function,
    Literal,
    Node,
    invalid,
    is_expression,
    parse,
)

Value = Any
MAX_DEPTH = 60
ADDED = 1_000_000  # characters, before a value is too large


class _Later:
    """A value that is known when the deployment runs. Everything that is made of it is as well."""

    def __repr__(self) -> str:
        return "<later>"


LATER = _Later()
SPECIAL = frozenset(
    {
        *("parameters", "variables", "copyindex", "if", "and", "or", "coalesce", "tryget"),
        *("lambda", "lambdavariables", "map", "filter", "sort", "reduce", "toobject"),
    }
)
Reference = Callable[[str, bool], Value]  # name or id, whether the whole resource is wanted
Lists = Callable[[str, str, Value], Value]  # function, id, body


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The names in expressions. `facts`: functions without arguments, such as `resourceGroup`."""

    parameters: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=dict)
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    facts: Mapping[str, Value] = field(default_factory=dict)
    loops: Mapping[str, int] = field(default_factory=dict)
    locals: Mapping[str, Value] = field(default_factory=dict)
    id_of: Callable[[str, Sequence[Value]], str]
    reference: Reference
    lists: Lists
    now: datetime
    in_defaults: bool = False

    def value(self, written: Value, depth: int = 0) -> Value:
        """Return a value of a template with its expressions evaluated.

        Raises:
            ArmError: Something cannot be evaluated.
        """
        if depth > MAX_DEPTH:
            raise invalid("The template is nested too deeply")
        if isinstance(written, str):
            if is_expression(written):
                return self._node(parse(written))
            return written[1:] if written.startswith("[[") else written
        if isinstance(written, list):
            return [self.value(item, depth + 1) for item in written]
        if isinstance(written, dict):
            return self._block(written, depth)
        return written

    def _block(self, written: Mapping[str, Value], depth: int) -> dict[str, Value]:
        block: dict[str, Value] = {}
        for name, value in written.items():
            if name == "copy" and isinstance(value, list):
                for loop in value:
                    block.update(self.copied(loop, input_name="input", depth=depth))
                continue
            key = self.value(name) if is_expression(name) else name
            block[str(key)] = self.value(value, depth + 1)
        return block

    def copied(self, loop: Value, *, input_name: str, depth: int = 0) -> dict[str, Value]:
        """Return the list that a `copy` of properties, variables or outputs makes."""
        if not isinstance(loop, dict) or not isinstance(loop.get("name"), str):
            raise invalid("A 'copy' needs a name")
        name = loop["name"]
        count = count_of(self.value(loop.get("count")))
        items = [
            replace(self, loops={**self.loops, name.lower(): index, "": index}).value(
                loop.get(input_name), depth + 1
            )
            for index in range(count)
        ]
        return {name: items}

    def _node(self, node: Node) -> Value:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Access):
            return self._access(node)
        return self._call(node)

    def _access(self, node: Access) -> Value:
        value, index = self._node(node.value), self._node(node.index)
        if LATER in (value, index):
            return LATER
        if node.safe and value is None:
            return None
        found, result = member(value, index)
        if found or node.safe:
            return result
        raise invalid(
            f"The language expression property '{index}' doesn't exist, available properties are "
            f"'{', '.join(value) if isinstance(value, dict) else ''}'"
        )

    def _call(self, node: Function) -> Value:
        name = node.name.lower()
        special = getattr(self, f"_{name}", None) if name in SPECIAL else None
        if special is not None:
            return special(*node.arguments)
        arguments = [self._node(argument) for argument in node.arguments]
        if name in self.facts and not arguments:
            return self.facts[name]
        if any(argument is LATER for argument in arguments):
            return LATER
        if node.name.lower() in self.functions:
            return self._own(self.functions[node.name.lower()], arguments)
        return self._known(node.name, arguments)

    def _known(self, written: str, arguments: list[Value]) -> Value:
        name = written.lower()
        here: dict[str, Callable[..., Value]] = {
            "reference": self._reference,
            "utcnow": self._utc_now,
            "newguid": self._new_guid,
        }
        does = here.get(name) or functions.PURE.get(name)
        if name.endswith("resourceid"):
            return self.id_of(name, arguments)
        if name.startswith("list"):
            body = arguments[2] if len(arguments) > 2 else None  # noqa: PLR2004 - id, version, body
            return self.lists(written, str(arguments[0]) if arguments else "", body)
        if does is None:
            raise invalid(
                f"The template function '{written}' is not known to pytest-tfoidc's stand-in for "
                "Azure, or is none"
            )
        try:
            return does(*arguments)
        except ArmError:
            raise
        except (
            TypeError,
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            ZeroDivisionError,
            OverflowError,
            RecursionError,
        ) as error:
            why = str(error) or type(error).__name__
            message = f"The template language function '{written}' cannot be evaluated: {why}"
            raise invalid(message) from error

    def _own(self, function: Mapping[str, Any], arguments: list[Value]) -> Value:
        names = [str(p.get("name")) for p in function.get("parameters", []) if isinstance(p, dict)]
        if len(names) != len(arguments):
            raise invalid("A user-defined function has other parameters")
        given = dict(zip((n.lower() for n in names), arguments, strict=True))
        output = function.get("output")
        inner = replace(self, parameters=given, variables={}, facts={})
        return inner.value(output.get("value") if isinstance(output, dict) else None)

    def _parameters(self, name: Node) -> Value:
        key = str(self._node(name))
        if key.lower() not in self.parameters:
            raise invalid(f"The template parameter '{key}' is not found")
        return self.parameters[key.lower()]

    def _variables(self, name: Node) -> Value:
        key = str(self._node(name))
        if key.lower() not in self.variables:
            raise invalid(f"The template variable '{key}' is not found")
        return self.variables[key.lower()]

    def _copyindex(self, *arguments: Node) -> int:
        values = [self._node(a) for a in arguments]
        name = values.pop(0).lower() if values and isinstance(values[0], str) else ""
        if name not in self.loops:
            raise invalid("The template function 'copyIndex' is not expected at this location")
        return self.loops[name] + (values[0] if values and isinstance(values[0], int) else 0)

    def _if(self, *arguments: Node) -> Value:
        condition, yes, no = self._exactly("if", 3, arguments)
        chosen = self._node(condition)
        return LATER if chosen is LATER else self._node(yes if chosen else no)

    @staticmethod
    def _exactly(name: str, count: int, arguments: tuple[Node, ...]) -> tuple[Node, ...]:
        if len(arguments) != count:
            raise invalid(f"The template function '{name}' needs {count} arguments")
        return arguments

    def _and(self, *arguments: Node) -> Value:
        values = [self._node(a) for a in arguments]
        return LATER if LATER in values else all(values)

    def _or(self, *arguments: Node) -> Value:
        values = [self._node(a) for a in arguments]
        return LATER if LATER in values else any(values)

    def _coalesce(self, *arguments: Node) -> Value:
        for argument in arguments:
            value = self._node(argument)
            if value is not None:
                return value
        return None

    def _tryget(self, value: Node, *path: Node) -> Value:
        found = self._node(value)
        for step in path:
            index = self._node(step)
            if LATER in (found, index):
                return LATER
            found = member(found, index)[1]
        return found

    def _lambdavariables(self, name: Node) -> Value:
        key = str(self._node(name))
        if key not in self.locals:
            raise invalid(f"The lambda variable '{key}' is not found")
        return self.locals[key]

    def _lambda(self, *_: Node) -> Value:
        raise invalid("The template function 'lambda' is not expected at this location")

    def _applied(self, of: Node, *values: Value) -> Value:
        if not isinstance(of, Function) or of.name.lower() != "lambda" or not of.arguments:
            raise invalid("A lambda is expected")
        *names, body = of.arguments
        keys = [str(self._node(name)) for name in names]
        bound = dict(zip(keys, values, strict=False))
        return replace(self, locals={**self.locals, **bound})._node(body)  # noqa: SLF001 - its own

    def _list_of(self, node: Node) -> Value:
        values = self._node(node)
        if values is not LATER and not isinstance(values, list):
            raise invalid("A list is expected")
        return values

    def _map(self, values: Node, of: Node) -> Value:
        found = self._list_of(values)
        return LATER if found is LATER else [self._applied(of, v, i) for i, v in enumerate(found)]

    def _filter(self, values: Node, of: Node) -> Value:
        found = self._list_of(values)
        if found is LATER:
            return LATER
        return [v for i, v in enumerate(found) if self._applied(of, v, i)]

    def _reduce(self, values: Node, start: Node, of: Node) -> Value:
        found, result = self._list_of(values), self._node(start)
        if found is LATER:
            return LATER
        for index, value in enumerate(found):
            result = self._applied(of, result, value, index)
        return result

    def _sort(self, values: Node, of: Node) -> Value:
        found = self._list_of(values)
        if found is LATER:
            return LATER
        result: list[Value] = []
        for value in found:
            place = sum(1 for other in result if not self._applied(of, value, other))
            result.insert(place, value)
        return result

    def _toobject(self, values: Node, key: Node, *of: Node) -> Value:
        found = self._list_of(values)
        if found is LATER:
            return LATER
        return {str(self._applied(key, v)): self._applied(of[0], v) if of else v for v in found}

    def _reference(self, name: str, _version: str = "", full: str = "") -> Value:
        return self.reference(name, full.lower() == "full")

    def _utc_now(self, form: str = "yyyyMMddTHHmmssZ") -> str:
        self._only_in_defaults("utcNow")
        return functions.formatted(self.now, form)

    def _new_guid(self) -> str:
        self._only_in_defaults("newGuid")
        return str(uuid.uuid4())

    def _only_in_defaults(self, name: str) -> None:
        if not self.in_defaults:
            raise invalid(
                f"The template function '{name}' is not expected at this location: it can only be "
                "used in the default values of parameters"
            )


def member(value: Value, index: Value) -> tuple[bool, Value]:
    """Return whether a value has a property or an item, and that."""
    if isinstance(value, dict) and isinstance(index, str):
        if index in value:
            return True, value[index]
        for name, found in value.items():
            if name.lower() == index.lower():
                return True, found
        return False, None
    is_number = isinstance(index, int) and not isinstance(index, bool)
    if isinstance(value, list) and is_number and 0 <= index < len(value):
        return True, value[index]
    return False, None


def count_of(value: Value) -> int:
    """Return the count of a loop.

    Raises:
        ArmError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 800:  # noqa: PLR2004 - Azure's most
        raise invalid(f"The copy count '{value}' is not a number from 0 to 800")
    return value
