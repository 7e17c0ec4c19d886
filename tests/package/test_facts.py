"""Each fact that several rooms need has one home: no second copy of it comes back."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_tfoidc import authvariables, entrafacts
from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.checks.oidc import MADE
from pytest_tfoidc.refreshfloors import FLOORS, floor_of
from pytest_tfoidc.terraform import logfile
from pytest_tfoidc.terraform.upgrade.spec import TERRAFORM
from pytest_tfoidc.withheld import WITHHELD

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_tfoidc"
SEVERAL = 3  # so many names in one literal are a list of them
Find = Callable[[ast.Module], "Iterator[str]"]


def literals(tree: ast.Module) -> Iterator[str]:
    """Every string of a module but its docstrings, the parts of f-strings included."""
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def holding(*texts: str) -> Find:
    """Find the texts, also inside of longer ones."""
    return lambda tree: (text for text in literals(tree) for one in texts if one in text)


def exactly(*texts: str) -> Find:
    return lambda tree: (text for text in literals(tree) if text in texts)


def floors(tree: ast.Module) -> Iterator[str]:
    """Find the floors of refresh, written as texts or as numbers."""
    yield from holding(*map(floor_of, FLOORS))(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and all(isinstance(n, ast.Constant) for n in node.elts):
            numbers = tuple(n.value for n in node.elts if isinstance(n, ast.Constant))
            if numbers in FLOORS.values():
                yield str(numbers)


def codes(tree: ast.Module) -> Iterator[str]:
    """Find meanings of Entra's codes: a code, with its prefix or alone."""
    yield from (text for text in literals(tree) if entrafacts.CODE.search(text))
    yield from exactly(*entrafacts.MEANINGS)(tree)


def lists_of(names: set[str]) -> Find:
    """Find lists of variables; a dict that gives them values is none."""

    def find(tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                held = [n.value for n in node.elts if isinstance(n, ast.Constant)]
                if len(names.intersection(map(str, held))) >= SEVERAL:
                    yield ", ".join(map(str, held))

    return find


FACTS: dict[str, tuple[Find, set[str]]] = {
    "the floors of refresh": (floors, {"refreshfloors.py"}),
    "what Entra's codes mean": (codes, {"entrafacts.py"}),
    "the audience": (holding(entrafacts.DEFAULT_AUDIENCE), {"entrafacts.py"}),
    "the login hosts": (holding(*entrafacts.EVERY_LOGIN_HOST), {"entrafacts.py"}),
    "the names of the checks": (exactly(*CHECKS), {"checks/names.py"}),
    "what is withheld": (lists_of({*WITHHELD}), {"authvariables.py"}),
    "Terraform's log": (holding(logfile.VARIABLE, *logfile.LEVELS[1:]), {"terraform/logfile.py"}),
}
PLANTED = {
    "the floors of refresh": 'NOTE = "azurerm refreshes from 4.18.0 on"\nOTHER = (1, 11, 2)',
    "what Entra's codes mean": 'OLD = "AADSTS700027"\nMEANINGS = {"700024": "expired"}',
    "the audience": 'A = f"{1}api://AzureADTokenExchange"',
    "the login hosts": 'URL = "https://login.microsoftonline.us/common"',
    "the names of the checks": 'NAMES = ("delayed_apply",)',
    "what is withheld": 'GONE = ["ARM_SAS_TOKEN", "idToken", "ARM_OIDC_TOKEN", "PATH"]',
    "Terraform's log": 'LOG = "TF_LOG_PATH"',
}


@functools.cache
def found_in(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """By fact: the files that hold it, and how they say it. Each file is parsed once."""
    found: dict[str, list[tuple[str, str]]] = {fact: [] for fact in FACTS}
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for fact, (find, _) in FACTS.items():
            found[fact] += [(file.relative_to(folder).as_posix(), text) for text in find(tree)]
    return found


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_has_one_home(fact: str) -> None:
    _, homes = FACTS[fact]
    found = found_in(PACKAGE)[fact]
    assert [one for one in found if one[0] not in homes] == []
    assert {file for file, _ in found} == homes


@pytest.mark.parametrize("fact", FACTS)
def test_a_second_copy_is_found(fact: str, tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(f'"""New."""\n{PLANTED[fact]}\n', encoding="utf-8")
    assert len(found_in(tmp_path)[fact]) == len(PLANTED[fact].splitlines())


def test_every_check_is_made() -> None:
    assert tuple(MADE) == CHECKS


def test_the_page_of_the_protocol_has_the_floors_and_the_variables() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert TERRAFORM in FLOORS
    for floor in map(floor_of, FLOORS):
        assert floor in page
    for name in (*authvariables.REQUEST_TOKEN, *authvariables.REQUEST_URL):
        assert f"`{name}`" in page
