"""The part of OData's query options that Resource Manager, Graph and their clients use."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Predicate = Callable[[Mapping[str, Any]], bool]
LITERAL = r"'(?:[^']|'')*'|true|false|null|-?\d+(?:\.\d+)?|[0-9a-fA-F-]{36}"
COMPARISON = re.compile(rf"([\w/.$-]+)\s+(eq|ne)\s+({LITERAL})", re.IGNORECASE)
CALL = re.compile(
    rf"(startswith|substringof|endswith|contains)\(\s*([\w/.$-]+|{LITERAL})\s*,\s*"
    rf"([\w/.$-]+|{LITERAL})\s*\)(?:\s+eq\s+true)?",
    re.IGNORECASE,
)
MEMBER = re.compile(r"([\w/]+)/any\((\w+):(.+)\)", re.IGNORECASE)
WORD = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)
MAX_FILTER = 4000  # characters
MAX_PAGE = 1000


class FilterError(ValueError):
    """A $filter that is malformed, or beyond the part that is known here."""


def everything(_: Mapping[str, Any]) -> bool:
    """Match everything, as no filter does."""
    return True


def parse_filter(text: str) -> Predicate:
    """Parse a $filter: `eq`, `ne`, `startswith` and its like, joined by `and` and `or`.

    Raises:
        FilterError: It cannot be parsed.
    """
    if len(text) > MAX_FILTER:
        raise FilterError("the filter is too long")
    terms = [[_parse_term(t) for t in group] for group in _split(text)]
    return lambda item: any(all(term(item) for term in group) for group in terms)


def _split(text: str) -> list[list[str]]:
    """Split at `or` and `and`, outside of quotes. `or` binds less."""
    groups: list[list[str]] = [[""]]
    parts = re.split(r"('(?:[^']|'')*')", text.strip())
    for index, part in enumerate(parts):
        if index % 2:
            groups[-1][-1] += part
            continue
        pieces = WORD.split(part)
        groups[-1][-1] += pieces[0]
        for word, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            if word.lower() == "or":
                groups.append([piece])
            else:
                groups[-1].append(piece)
    return groups


def _parse_term(text: str) -> Predicate:
    term = text.strip()
    if term.startswith("(") and term.endswith(")"):
        return parse_filter(term[1:-1])
    if match := COMPARISON.fullmatch(term):
        return _comparison(match[1], match[2].lower(), _literal(match[3]))
    if match := MEMBER.fullmatch(term):
        return _member(match[1], match[2], match[3])
    if match := CALL.fullmatch(term):
        return _call(match[1].lower(), match[2], match[3])
    raise FilterError(f"'{term}' is not understood")


def _literal(text: str) -> object:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return {"true": True, "false": False, "null": None}.get(text.lower(), text)


def _comparison(name: str, operator: str, wanted: object) -> Predicate:
    return lambda item: _same(lookup(item, name), wanted) == (operator == "eq")


def _member(name: str, variable: str, condition: str) -> Predicate:
    prefix = re.compile(rf"\b{re.escape(variable)}\b")
    inner = parse_filter(prefix.sub("$it", condition))

    def holds(item: Mapping[str, Any]) -> bool:
        found = lookup(item, name)
        return isinstance(found, list) and any(inner({"$it": value}) for value in found)

    return holds


def _call(function: str, first: str, second: str) -> Predicate:
    name, literal = (second, first) if function == "substringof" else (first, second)
    wanted = str(_literal(literal)).lower()

    def holds(item: Mapping[str, Any]) -> bool:
        found = str(lookup(item, name) or "").lower()
        if function == "startswith":
            return found.startswith(wanted)
        return found.endswith(wanted) if function == "endswith" else wanted in found

    return holds


def lookup(item: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    """Find a property by its name without case, also `a/b`, also in `properties`."""
    value: Any = item
    for part in name.split("/"):
        if not isinstance(value, Mapping):
            return None
        value = _member_of(value, part)
    if value is None and isinstance(item.get("properties"), dict) and "/" not in name:
        return _member_of(item["properties"], name)
    return value


def _member_of(item: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    if name in item:
        return item[name]
    return next((v for k, v in item.items() if k.lower() == name.lower()), None)


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, bool) or found is None or isinstance(wanted, bool) or wanted is None:
        return found is wanted
    return str(found).lower() == str(wanted).lower()


def page(
    items: Sequence[Any], query: Mapping[str, str], *, size: int = MAX_PAGE
) -> tuple[Sequence[Any], str]:
    """Give a page of the items and the token of the next one; an empty token after the last.

    Raises:
        FilterError: `$top` or `$skiptoken` is malformed.
    """
    top = query.get("$top", "") or str(size)
    if not top.isascii() or not top.isdigit() or len(top) > len(str(MAX_PAGE)) + 3:
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
