"""Requests to every door of a service, with bodies in the words that the service reads."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

from hypothesis import strategies as st

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


def words_read(package: ModuleType) -> list[str]:
    """Return the names in a service's code, those that it looks up in a body among them."""
    found: set[str] = set()
    for file in sorted(Path(package.__path__[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return sorted(word for word in found if word.isidentifier())


def names_looked_up(function: Callable[..., object]) -> set[str]:
    """Return the names that a function looks up, by itself and by helpers of its module."""
    found: set[str] = set()
    waiting, seen = [function], set[object]()
    while waiting:
        code = waiting.pop()
        seen.add(code)
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(code)).strip().rstrip(","))
        except (SyntaxError, TypeError):  # a lambda among other things; no function
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            inner = vars(inspect.getmodule(code)).get(getattr(node, "id", ""))
            if inspect.isfunction(inner) and inner not in seen:
                waiting.append(inner)
    return {word for word in found if word.isidentifier()}


def bodies(words: Sequence[str]) -> st.SearchStrategy[object]:
    """Return bodies of any shape, made of these words."""
    leaves = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "{}", "2026-01-01T00:00:00Z"])
    names = st.sampled_from(list(words))
    return st.recursive(
        leaves | names,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=8),
        max_leaves=30,
    )


def calls(
    paths: Iterable[str], words: Sequence[str]
) -> st.SearchStrategy[list[tuple[str, str, object]]]:
    """Return rows of calls: the method, the path and the body of each."""
    call = st.tuples(st.sampled_from(METHODS), st.sampled_from(sorted(paths)), bodies(words))
    return st.lists(call, min_size=1, max_size=12)
