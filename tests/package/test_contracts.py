"""The import contracts find what breaks them: each violation is planted in a copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter")

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
FLOORS = "Imports run downwards"
PLANTED = {
    "the command imports pytest": ("cli/serve.py", "import pytest", "Only the plugin"),
    "a room imports pytest's inside": (
        "terraform/runner.py",
        "from _pytest import outcomes",
        "Only the plugin",
    ),
    "a module asks python-terraform itself": (
        "terraform/workspace.py",
        "from python_terraform import IsFlagged",
        "What is used of python-terraform",
    ),
    "the ground floor imports a room": (
        "events.py",
        "from pytest_tfoidc.identity import secret",
        FLOORS,
    ),
    "the command imports the plugin": (
        "cli/main.py",
        "from pytest_tfoidc.plugin import options",
        FLOORS,
    ),
    "a module stands on no floor": ("new_thing.py", "", FLOORS),
    "a service imports another": (
        "mockazure/keyvault/service.py",
        "from pytest_tfoidc.mockazure.arm import errors",
        "The services of the stand-in",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and of its contracts."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pytest_tfoidc", tmp_path / "pytest_tfoidc", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken(folder: Path) -> list[str]:
    """Return the contracts that are broken, after checking that all were checked."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo", "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    verdicts = [
        line
        for line in done.stdout.splitlines()
        if line.partition(" (")[0].endswith((" KEPT", " BROKEN"))
    ]
    assert len(verdicts) == 4, done.stdout + done.stderr
    return [line for line in verdicts if " BROKEN" in line]


def test_the_package_keeps_the_contracts(copy: Path) -> None:
    assert broken(copy) == []


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED.values(), ids=PLANTED)
def test_a_planted_violation_is_found(copy: Path, file: str, line: str, contract: str) -> None:
    path = copy / "pytest_tfoidc" / file
    text = path.read_text(encoding="utf-8") if path.exists() else '"""New."""\n'
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    (found,) = broken(copy)
    assert found.startswith(contract)
