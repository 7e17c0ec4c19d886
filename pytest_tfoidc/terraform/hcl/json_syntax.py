"""The JSON syntax (`.tf.json`, `.tftest.json`), read into the same objects as the native one.

JSON does not say which of its objects are blocks: Terraform knows that from its schemas, and for
the blocks that are of interest here so does this module. Everything else becomes arguments.
https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_tfoidc.terraform.hcl.body import (
    NOT_LITERAL,
    TEMPLATE,
    TEMPLATE_ESCAPE,
    Attribute,
    Block,
    Body,
    Expression,
    Problem,
    Source,
    Value,
    all_literal,
    all_literal_entries,
    collected,
    number,
)

_TOKEN = re.compile(r'[{}\[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}\[\]:,"]+')
_CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class _Schema:
    """How many labels a block has, and which blocks its body may hold."""

    labels: int = 0
    blocks: Mapping[str, _Schema] = field(default_factory=dict)


_PLAIN = _Schema()
_NAMED = _Schema(1)
_TYPED = _Schema(2)
_OVERRIDES = {"override_resource": _PLAIN, "override_data": _PLAIN, "override_module": _PLAIN}
_FILE = _Schema(
    0,
    {
        "terraform": _Schema(0, {"backend": _NAMED, "cloud": _PLAIN, "required_providers": _PLAIN}),
        "variable": _Schema(1, {"validation": _PLAIN}),
        "output": _NAMED,
        "resource": _TYPED,
        "data": _TYPED,
        "ephemeral": _TYPED,
        "module": _NAMED,
        "provider": _NAMED,
        "locals": _PLAIN,
        "run": _Schema(
            1,
            {
                "variables": _PLAIN,
                "module": _PLAIN,
                "assert": _PLAIN,
                "plan_options": _PLAIN,
                **_OVERRIDES,
            },
        ),
        "test": _PLAIN,
        "variables": _PLAIN,
        "mock_provider": _Schema(1, {"mock_resource": _NAMED, "mock_data": _NAMED, **_OVERRIDES}),
        **_OVERRIDES,
    },
)


@dataclass(frozen=True)
class _Json:
    """A JSON value and where it is: characters of the text."""

    start: int
    stop: int
    value: Value
    items: tuple[_Json, ...] = ()
    members: tuple[tuple[_Json, _Json], ...] = ()
    is_object: bool = False


def read(source: Source) -> Body:
    """Read a file.

    Raises:
        Problem: It is not JSON, or not an object or a list of objects.
    """
    text = source.data.decode()
    _check(text)
    return _Reader(text).file()


def _check(text: str) -> None:
    """Let Python's own parser judge the syntax, which gives the better messages."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise Problem(len(text[: error.pos].encode()), f"not JSON: {error.msg}") from error


class _Reader:
    """Reads text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._tokens = _TOKEN.finditer(text)

    def file(self) -> Body:
        """Read the whole text as a file's body."""
        return self._body(self._objects(self._value(next(self._tokens))), _FILE)

    def _value(self, token: re.Match[str]) -> _Json:
        if token[0] == "{":
            return self._object(token)
        if token[0] == "[":
            return self._list(token)
        if token[0].lstrip("-") in {"NaN", "Infinity"}:  # Python takes them for JSON
            raise Problem(len(self._text[: token.start()].encode()), f"not JSON: {token[0]}")
        return _Json(token.start(), token.end(), _plain(token[0]))

    def _object(self, token: re.Match[str]) -> _Json:
        members = []
        following = next(self._tokens)
        while following[0] != "}":
            key = following if following[0] != "," else next(self._tokens)
            next(self._tokens)  # the colon
            members.append((self._value(key), self._value(next(self._tokens))))
            following = next(self._tokens)
        value = all_literal_entries([(_key(key), member.value) for key, member in members])
        return _Json(token.start(), following.end(), value, members=tuple(members), is_object=True)

    def _list(self, token: re.Match[str]) -> _Json:
        items = []
        following = next(self._tokens)
        while following[0] != "]":
            items.append(self._value(following if following[0] != "," else next(self._tokens)))
            following = next(self._tokens)
        value = all_literal([item.value for item in items])
        return _Json(token.start(), following.end(), value, items=tuple(items))

    def _body(self, objects: tuple[_Json, ...], schema: _Schema) -> Body:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for key, value in (member for one in objects for member in one.members):
            name = self._content(key)
            if name in schema.blocks:
                blocks.extend(self._blocks(name, (), key, value, schema.blocks[name]))
            elif name in attributes:
                raise self._problem(key, f"`{name}` was set before")
            elif name != "//":
                attributes[name] = Attribute(name, *self._position(key), self._expression(value))
        return collected(attributes.values(), blocks)

    def _blocks(
        self, kind: str, labels: tuple[str, ...], key: _Json, value: _Json, schema: _Schema
    ) -> Iterator[Block]:
        if len(labels) < schema.labels:
            for label, inner in (m for one in self._objects(value) for m in one.members):
                named = (*labels, self._content(label))
                yield from self._blocks(kind, named, label, inner, schema)
            return
        for one in self._objects(value):
            line, column = self._position(key)
            end_line = self._line(one.stop)
            yield Block(kind, labels, self._body((one,), schema), line, column, end_line)

    def _objects(self, value: _Json) -> tuple[_Json, ...]:
        """Return the objects that a place for blocks holds: one, or a list of them."""
        objects = (value,) if value.is_object else value.items
        if any(not one.is_object for one in objects) or self._text[value.start] not in "{[":
            raise self._problem(value, "an object must stand here")
        return objects

    def _expression(self, value: _Json) -> Expression:
        entries = {self._content(key): self._expression(inner) for key, inner in value.members}
        line, column = self._position(value)
        return Expression(
            text=self._content(value),
            value=value.value,
            line=line,
            column=column,
            end_line=self._line(value.stop),
            items=tuple(self._expression(item) for item in value.items),
            entries=MappingProxyType(entries),
        )

    def _content(self, value: _Json) -> str:
        raw = self._text[value.start : value.stop]
        return _string(raw) if raw.startswith('"') else raw

    def _position(self, value: _Json) -> tuple[int, int]:
        line = self._line(value.start)
        return line, value.start - self._starts[line - 1] + 1

    def _line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def _problem(self, value: _Json, cause: str) -> Problem:
        return Problem(len(self._text[: value.start].encode()), cause)


def _plain(token: str) -> Value:
    if token.startswith('"'):
        text = _string(token)
        return NOT_LITERAL if TEMPLATE.search(text) else TEMPLATE_ESCAPE.sub(r"\1{", text)
    return _CONSTANTS[token] if token in _CONSTANTS else number(token)


def _key(key: _Json) -> str | None:
    return None if key.value is NOT_LITERAL else str(key.value)


def _string(token: str) -> str:
    """Return a string's content; half a surrogate pair becomes the replacement character."""
    text = str(json.loads(token))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
