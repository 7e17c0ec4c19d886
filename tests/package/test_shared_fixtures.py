"""A fixture that two modules of tests need stands once, in the conftest of their room."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]


def origins(tree: ast.Module) -> dict[str, str]:
    """Return where a module's names come from: two rooms may call different things `Client`."""
    return {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }


def body(fixture: ast.FunctionDef, known: dict[str, str]) -> str:
    """A fixture as it is written, without its docstring, its names told by their origins."""
    copy = ast.parse(ast.unparse(fixture)).body[0]
    assert isinstance(copy, ast.FunctionDef)
    if ast.get_docstring(copy):
        copy.body = copy.body[1:]
    for node in ast.walk(copy):
        if isinstance(node, ast.Name):
            node.id = known.get(node.id, node.id)
    return ast.unparse(copy)


def copies(folder: Path) -> list[tuple[str, ...]]:
    """Return the places of each fixture that is written more than once."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef):
                continue
            if any("fixture" in ast.unparse(one) for one in node.decorator_list):
                place = f"{file.relative_to(folder).as_posix()}: {node.name}"
                found[body(node, origins(tree))].append(place)
    return [tuple(places) for places in found.values() if len(places) > 1]


def test_no_fixture_is_written_twice() -> None:
    assert copies(TESTS) == []


def test_a_fixture_that_is_written_twice_is_found(tmp_path: Path) -> None:
    text = (
        "from {} import Client\n\n\n@pytest.fixture\ndef client() -> Client:\n    return Client()\n"
    )
    for name, module in (("test_a.py", "one"), ("test_b.py", "one"), ("test_c.py", "other")):
        (tmp_path / name).write_text(text.format(module), encoding="utf-8")
    assert copies(tmp_path) == [("test_a.py: client", "test_b.py: client")]
