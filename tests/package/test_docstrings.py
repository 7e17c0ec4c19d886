"""Docstrings are plain English: a function's begins with a verb that says what the caller gets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "pytest_tfoidc", ROOT / "tests"]
NEVER = {"What", "Give", "Gives"}
# A function does something; its docstring does not begin as that of a thing or of a property does.
NO_VERBS = {"A", "All", "An", "Every", "How", "It", "No", "The", "This", "When", "Where", "Whether"}
Node = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def is_function(node: Node) -> bool:
    """Tell whether a node is a function that is called, and no property."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not any("property" in ast.unparse(one) for one in node.decorator_list)


def faults(file: Path, *, is_test: bool) -> Iterator[str]:
    """Yield the summary lines that begin as none may."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, Node):
            continue
        summary = (ast.get_docstring(node) or "").partition("\n")[0]
        first = summary.partition(" ")[0].strip(".,:")
        if first in NEVER or (not is_test and is_function(node) and first in NO_VERBS):
            yield f"{file.name}: {summary}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_docstrings_begin_as_they_should(folder: Path) -> None:
    files = [file for file in folder.rglob("*.py") if "modules" not in file.parts]
    assert len(files) > 100
    is_test = folder.name == "tests"  # whose fixtures and tests may say what they are
    assert [fault for file in files for fault in faults(file, is_test=is_test)] == []


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("Return the name.", False),
        ("GET what there is.", False),
        ("Give the name.", True),
        ("What is the name.", True),
        ("The name.", True),
        ("Whether it has a name.", True),
    ],
)
def test_a_docstring_that_begins_otherwise_is_found(
    docstring: str,
    found: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
) -> None:
    file = tmp_path / "new.py"
    file.write_text(f'def name():\n    """{docstring}"""\n', encoding="utf-8")
    assert bool(list(faults(file, is_test=False))) is found


def test_a_property_may_say_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    text = 'class New:\n    @property\n    def name(self):\n        """{}"""\n'
    file.write_text(text.format("The name."), encoding="utf-8")
    assert list(faults(file, is_test=False)) == []
    file.write_text(text.format("What it is called."), encoding="utf-8")
    assert len(list(faults(file, is_test=False))) == 1
