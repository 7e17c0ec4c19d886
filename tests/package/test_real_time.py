"""Everything that depends on real time is listed, with what happens on a slow machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_tfoidc"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def limits_in(source: str) -> set[str]:
    """Return the names of a module's numbers of seconds."""
    return {
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, (int, float))
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.endswith("_SECONDS")
    }


def listed(name: str, file: Path) -> bool:
    """Tell whether a row of the page names a limit, and its file or its folder."""
    section = PAGE.split("## Real time\n")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if f"`{name}`" in row]
    places = {f"`{file.name}`", f"`{file.parent.name}/`"}
    return any(places & set(re.findall(r"`[^`]+`", row)) or f"/{file.name}`" in row for row in rows)


def test_a_limit_is_found() -> None:
    assert limits_in("A_SECONDS = 5.0\nNAME = 3\nB_SECONDS = range(3)\n") == {"A_SECONDS"}
    assert not listed("NO_SUCH_SECONDS", PACKAGE / "processes.py")


def test_every_limit_of_real_time_is_in_the_table() -> None:
    found = [
        (name, file)
        for file in sorted(PACKAGE.rglob("*.py"))
        for name in limits_in(file.read_text(encoding="utf-8"))
    ]
    assert len(found) > 30
    missing = [
        f"{file.relative_to(PACKAGE)}: {name}" for name, file in found if not listed(name, file)
    ]
    assert missing == []
