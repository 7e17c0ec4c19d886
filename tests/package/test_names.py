"""One word for one thing: a class has one meaning, wherever it is read."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pytest_tfoidc"
# A service of the stand-in names its own things as every other one does: its Call, its Store.
SERVICES = "mockazure"
# These words had two meanings. `explain` words an error; nothing else is called so.
ONE_MEANING = {"explain", "moment"}


def definitions(folder: Path) -> dict[str, list[str]]:
    """Public classes outside the stand-in by their names, and functions that must be one."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                if place.parts[0] != SERVICES and not node.name.startswith("_"):
                    found[node.name].append(place.as_posix())
            elif isinstance(node, ast.FunctionDef) and node.name.lstrip("_") in ONE_MEANING:
                found[node.name.lstrip("_")].append(place.as_posix())
    return found


def ambiguous(folder: Path) -> dict[str, list[str]]:
    return {name: places for name, places in definitions(folder).items() if len(places) > 1}


def test_a_name_has_one_meaning() -> None:
    assert ambiguous(PACKAGE) == {}
    assert "Workspace" in definitions(PACKAGE)


def test_a_second_meaning_is_found(tmp_path: Path) -> None:
    for name in ("one.py", "other.py"):
        text = "class Finding:\n    ...\n\n\ndef _moment() -> None: ...\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert ambiguous(tmp_path) == {
        "Finding": ["one.py", "other.py"],
        "moment": ["one.py", "other.py"],
    }
