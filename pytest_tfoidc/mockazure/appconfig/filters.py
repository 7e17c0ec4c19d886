r"""Filters on keys and labels: `a*`, `a,b`, `*`, and `\0` for no label.

Source: https://learn.microsoft.com/azure/azure-app-configuration/rest-api-key-value#filtering.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_tfoidc.mockazure.appconfig import errors
from pytest_tfoidc.mockazure.appconfig.store import KeyValue

MOST_TERMS = 5
NO_LABEL = "\0"

Holds = Callable[[str | None], bool]


def terms(text: str, name: str) -> list[str]:
    """Split a filter at its commas; a backslash takes a character as it is.

    Raises:
        ConfigError: There are too many terms, or a `*` that is not at the end of one.
    """
    found, current, index = [], "", 0
    while index < len(text):
        if text[index] == "\\" and index + 1 < len(text):
            current += text[index : index + 2]
            index += 2
            continue
        if text[index] == ",":
            found.append(current)
            current = ""
        else:
            current += text[index]
        index += 1
    found.append(current)
    if len(found) > MOST_TERMS:
        raise errors.invalid(name, f"At most {MOST_TERMS} values can be given.")
    return found


def of(text: str | None, name: str) -> Holds:
    """Return the test that a filter stands for; no filter holds for everything.

    Raises:
        ConfigError: The filter cannot be used.
    """
    if text is None or text == "*":
        return lambda _: True
    tests = [_term(term, name) for term in terms(text, name)]
    return lambda value: any(test(value) for test in tests)


def _term(term: str, name: str) -> Holds:
    if term in {NO_LABEL, "\\0", ""}:
        return lambda value: not value
    is_prefix = term.endswith("*") and not term.endswith("\\*")
    body = term[:-1] if is_prefix else term
    plain, index = "", 0
    while index < len(body):
        if body[index] == "*":
            raise errors.invalid(name, "'*' can only stand at the end.")
        if body[index] == "\\" and index + 1 < len(body):
            index += 1
        plain += body[index]
        index += 1
    if is_prefix:
        return lambda value: (value or "").startswith(plain)
    return lambda value: value == plain


def matching(
    items: list[KeyValue], *, key: str | None, label: str | None, tags: list[str]
) -> list[KeyValue]:
    """Return the key-values that filters leave.

    Raises:
        ConfigError: A filter cannot be used.
    """
    of_key, of_label, of_tags = of(key, "key"), of(label, "label"), _tags(tags)
    return [i for i in items if of_key(i.key) and of_label(i.label) and of_tags(i.tags)]


def _tags(written: list[str]) -> Callable[[Mapping[str, Any]], bool]:
    if len(written) > MOST_TERMS:
        raise errors.invalid("tags", f"At most {MOST_TERMS} tags can be given.")
    wanted: dict[str, str] = {}
    for text in written:
        name, found, value = text.partition("=")
        if not found:
            raise errors.invalid("tags", "A tag is written as NAME=VALUE.")
        wanted[name] = value
    return lambda tags: all(
        tags.get(name, NO_LABEL) == (value or tags.get(name, NO_LABEL)) and name in tags
        for name, value in wanted.items()
    )
