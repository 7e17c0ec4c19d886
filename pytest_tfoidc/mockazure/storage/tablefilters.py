"""`$filter` of the table service: comparisons of properties with typed literals.

Source: https://learn.microsoft.com/rest/api/storageservices/querying-tables-and-entities.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]
TOKEN = re.compile(
    r"\s*(?:(?P<typed>(?:datetime|guid|binary|X)'(?:[^']|'')*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[Ll]?)|(?P<word>[A-Za-z_][\w]*)|(?P<mark>[()]))"
)
COMPARES: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
MAX_LENGTH = 32_768  # characters
MAX_NESTING = 30


class FilterError(ValueError):
    """A filter that cannot be parsed."""


def parse(text: str) -> Predicate:
    """Parse a filter; an empty one matches everything.

    Raises:
        FilterError: It is none.
    """
    if not text.strip():
        return lambda _: True
    if len(text) > MAX_LENGTH:
        raise FilterError("the filter is too long")
    parser = _Parser(text)
    holds = parser.either(0)
    parser.end()
    return holds


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._next = 0
        position = 0
        while text[position:].strip():
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise FilterError(f"'{text[position:].strip()}' is not understood")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        if not token[0]:
            raise FilterError("the filter ends too early")
        self._next += 1
        return token

    def end(self) -> None:
        """Check that everything was read."""
        if self._peek()[0]:
            raise FilterError(f"'{self._peek()[1]}' is not expected")

    def _accept(self, word: str) -> bool:
        if self._peek() in {("word", word), ("mark", word)}:
            self._next += 1
            return True
        return False

    def either(self, depth: int) -> Predicate:
        """Read what `or` joins."""
        parts = [self._both(depth)]
        while self._accept("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda entity: any(p(entity) for p in parts)

    def _both(self, depth: int) -> Predicate:
        parts = [self._one(depth)]
        while self._accept("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda entity: all(p(entity) for p in parts)

    def _one(self, depth: int) -> Predicate:
        if depth > MAX_NESTING:
            raise FilterError("the filter is nested too deeply")
        if self._accept("not"):
            inner = self._one(depth + 1)
            return lambda entity: not inner(entity)
        if self._accept("("):
            inner = self.either(depth + 1)
            if not self._accept(")"):
                raise FilterError("a parenthesis is not closed")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        left = self._operand()
        kind, word = self._peek()
        if kind != "word" or word not in COMPARES:
            return lambda entity: left(entity) is True
        self._take()
        right, compares = self._operand(), COMPARES[word]

        def holds(entity: Mapping[str, Any]) -> bool:
            first, second = left(entity), right(entity)
            if first is None or second is None:
                return word == "ne" and first is not second
            try:
                return bool(compares(first, second))
            except TypeError:
                return word == "ne"

        return holds

    def _operand(self) -> Callable[[Mapping[str, Any]], Any]:
        kind, text = self._take()
        if kind == "word" and text not in {"true", "false"}:
            return lambda entity: entity.get(text)
        value = _literal(kind, text)
        return lambda _: value


def _literal(kind: str, text: str) -> Any:  # noqa: ANN401 - any of the service's types
    if kind == "text":
        return text[1:-1].replace("''", "'")
    if kind == "number":
        plain = text.rstrip("Ll")
        return float(plain) if any(c in plain for c in ".eE") else int(plain)
    if kind == "word":
        return text == "true"
    if kind != "typed":
        raise FilterError(f"'{text}' is not expected")
    prefix, _, body = text.partition("'")
    body = body[:-1]
    if prefix == "datetime":
        return read_moment(body)
    return body.lower() if prefix == "guid" else body


def read_moment(text: str) -> datetime:
    """Return a moment of the service; it has up to seven digits after the point.

    Raises:
        FilterError: It is none.
    """
    whole, _, rest = text.strip().removesuffix("Z").partition(".")
    digits = re.match(r"\d*", rest)
    try:
        found = datetime.fromisoformat(whole)
        fraction = (digits[0] if digits else "")[:6].ljust(6, "0")
        return found.replace(microsecond=int(fraction), tzinfo=timezone.utc)
    except ValueError as error:
        raise FilterError(f"'{text}' is no time") from error
