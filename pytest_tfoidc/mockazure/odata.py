"""The part of OData's query options that Resource Manager, Graph and their clients use.

`$filter` (OData 4.01, part 2, section 5.1.1): `eq`, `ne`, `and`, `or`, `not`, `in`, `startswith`,
`endswith`, `contains`, `substringof`, and `any` over lists. `$top` and `$skiptoken` make pages.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]
TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([\w./$@-]+)|([(),:]))")
FUNCTIONS = ("startswith", "endswith", "contains", "substringof")
MAX_FILTER = 8000  # characters
MAX_NESTING = 30
MAX_PAGE = 1000
MAX_DIGITS = 9


class FilterError(ValueError):
    """A query option that is malformed, or beyond the part that is known here."""


def everything(_: Mapping[str, Any]) -> bool:
    """Match everything, as no filter does."""
    return True


def parse_filter(text: str) -> Predicate:
    """Parse a $filter; an empty one matches everything.

    Raises:
        FilterError: It cannot be parsed.
    """
    if len(text) > MAX_FILTER:
        raise FilterError("the filter is too long")
    return _Parser(_tokens(text)).parse() if text.strip() else everything


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"'{text[position:].strip()}' is not understood")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


class _Parser:
    """A parser by recursive descent: `or` binds less than `and`, and that less than `not`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._nesting = 0

    def parse(self) -> Predicate:
        predicate = self._either()
        if self._next < len(self._tokens):
            raise FilterError(f"'{self._tokens[self._next]}' is not understood")
        return predicate

    def _peek(self, ahead: int = 0) -> str:
        index = self._next + ahead
        return self._tokens[index].lower() if index < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        if not self._peek() or (wanted and self._peek() != wanted):
            raise FilterError(f"{wanted or 'more'} is missing")
        self._next += 1
        return self._tokens[self._next - 1]

    def _either(self) -> Predicate:
        terms = [self._both()]
        while self._peek() == "or":
            self._take()
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else lambda item: any(t(item) for t in terms)

    def _both(self) -> Predicate:
        terms = [self._term()]
        while self._peek() == "and":
            self._take()
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else lambda item: all(t(item) for t in terms)

    def _term(self) -> Predicate:
        if self._peek() == "not":
            self._take()
            inner = self._nested(self._term)
            return lambda item: not inner(item)
        if self._peek() == "(":
            self._take()
            inner = self._nested(self._either)
            self._take(")")
            return inner
        if self._peek(1) == "(":
            return self._any() if self._peek().endswith("/any") else self._function()
        return self._comparison()

    def _nested(self, parse: Callable[[], Predicate]) -> Predicate:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise FilterError("the filter is nested too deeply")
        predicate = parse()
        self._nesting -= 1
        return predicate

    def _comparison(self) -> Predicate:
        name, operator = self._take(), self._take().lower()
        if operator == "in":
            wanted = self._list()
            return lambda item: any(_same(lookup(item, name), w) for w in wanted)
        if operator not in {"eq", "ne"}:
            raise FilterError(f"'{operator}' is not understood")
        value = _literal(self._take())
        return lambda item: _same(lookup(item, name), value) == (operator == "eq")

    def _list(self) -> list[object]:
        self._take("(")
        values = [_literal(self._take())]
        while self._peek() == ",":
            self._take()
            values.append(_literal(self._take()))
        self._take(")")
        return values

    def _function(self) -> Predicate:
        function = self._take().lower()
        if function not in FUNCTIONS:
            raise FilterError(f"'{function}' is not understood")
        self._take("(")
        first = self._take()
        self._take(",")
        second = self._take()
        self._take(")")
        if self._peek() == "eq":
            self._take()
            self._take("true")
        name, text = (second, first) if function == "substringof" else (first, second)
        return _matching(function, name, str(_literal(text)).lower())

    def _any(self) -> Predicate:
        name = self._take()[: -len("/any")]
        self._take("(")
        variable = self._take()
        self._take(":")
        inner = self._nested(self._either)
        self._take(")")

        def holds(item: Mapping[str, Any]) -> bool:
            found = lookup(item, name)
            return isinstance(found, list) and any(inner({variable: value}) for value in found)

        return holds


def _matching(function: str, name: str, wanted: str) -> Predicate:
    def holds(item: Mapping[str, Any]) -> bool:
        found = str(lookup(item, name) or "").lower()
        if function == "startswith":
            return found.startswith(wanted)
        return found.endswith(wanted) if function == "endswith" else wanted in found

    return holds


def _literal(text: str) -> object:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)


def lookup(item: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    """Find a property by its name without case, also `a/b`, also in `properties`."""
    value: Any = item
    for part in name.split("/"):
        if not isinstance(value, Mapping):
            return None
        value = _member(value, part)
    if value is None and isinstance(item.get("properties"), dict) and "/" not in name:
        return _member(item["properties"], name)
    return value


def _member(item: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    if name in item:
        return item[name]
    return next((v for k, v in item.items() if k.lower() == name.lower()), None)


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, bool) or found is None or isinstance(wanted, bool) or wanted is None:
        return found is wanted
    return str(found).lower() == str(wanted).lower()


def ordered(items: Sequence[Any], text: str) -> list[Any]:
    """Return items in the order of an $orderby; of equal ones, `desc` has the later ones first."""
    result = list(items)
    for term in reversed([t.split() for t in text.split(",") if t.strip()]):
        descending = term[-1].lower() == "desc"
        result.sort(key=partial(_sortable, name=term[0]))
        result = result[::-1] if descending else result
    return result


def _sortable(item: Mapping[str, Any], *, name: str) -> str:
    return str(lookup(item, name) or "").lower()


def page(
    items: Sequence[Any], query: Mapping[str, str], *, size: int = MAX_PAGE
) -> tuple[Sequence[Any], str]:
    """Return a page of the items and the token of the next one; an empty token after the last.

    Raises:
        FilterError: `$top` or `$skiptoken` is malformed.
    """
    top = query.get("$top", "") or str(size)
    if not (top.isascii() and top.isdigit() and len(top) <= MAX_DIGITS):
        raise FilterError("$top must be a number")
    start = _start(query.get("$skiptoken", ""))
    end = start + max(1, min(int(top), size))
    return items[start:end], _token(end) if end < len(items) else ""


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"start:{start}".encode()).decode()


def _start(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        return max(0, int(text.removeprefix("start:")))
    except (ValueError, binascii.Error) as error:
        raise FilterError("$skiptoken is not one of ours") from error
