"""The public surface is complete, told in the manual, and changes by intention only."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import pydoc
import re

import pytest

import pytest_tfoidc
from pytest_tfoidc.plugin import fixtures
from tests.package.surface import FILE, surface

NEVER = "pytest_tfoidc.mockazure"  # whose errors are answers of Azure
ALONE = (".xdist", ".__main__", ".embedded")  # they need others, or run at once
# What a workspace is made of, and what only the plugin itself calls.
INNER = {"Change", "Executable", "Runner", "Side"}


def public() -> dict[str, object]:
    return {name: getattr(pytest_tfoidc, name) for name in pytest_tfoidc.__all__}


@functools.cache
def classes() -> dict[str, type]:
    """Return every class of the package by its name, but for the stand-in's."""
    found = {}
    for module in pkgutil.walk_packages(pytest_tfoidc.__path__, "pytest_tfoidc."):
        if module.name.startswith(NEVER) or module.name.endswith(ALONE):
            continue
        loaded = importlib.import_module(module.name)
        kinds = (one for one in vars(loaded).values() if inspect.isclass(one))
        found.update({one.__name__: one for one in kinds if one.__module__ == module.name})
    return found


@pytest.mark.parametrize("kind", [pytest_tfoidc.TfOidcError, pytest_tfoidc.Event])
def test_every_error_and_every_event_is_public(kind: type) -> None:
    kinds = {name for name, one in classes().items() if issubclass(one, kind)}
    assert len(kinds) > 15
    assert {name for name in kinds if not name.startswith("_")} <= set(public())


def annotated(function: object) -> set[str]:
    """Return the names of our classes in the annotations of a function."""
    told = inspect.getfullargspec(function).annotations.values()
    words = {word for text in told for word in re.findall(r"[A-Z]\w+", str(text))}
    return {word for word in words if word in classes()}


def test_the_types_of_all_fixtures_are_public() -> None:
    found: set[str] = set()
    for name, fixture in vars(fixtures).items():
        if name.startswith(("tf_", "oidc_", "arm_", "mock_")):
            found |= annotated(inspect.unwrap(getattr(fixture, "__wrapped__", fixture)))
    assert "Workspace" in found
    assert found - INNER <= set(public())


@pytest.mark.parametrize(
    "kind", ["Workspace", "Plan", "State", "OidcClock", "RecordedEvents", "UpgradeStep"]
)
def test_what_their_methods_take_and_return_is_public(kind: str) -> None:
    thing = public()[kind]
    methods = [one for name, one in vars(thing).items() if not name.startswith("_")]
    found = {name for one in methods if inspect.isfunction(one) for name in annotated(one)}
    assert found - INNER <= set(public())


def test_every_public_name_can_be_had() -> None:
    assert len(set(pytest_tfoidc.__all__)) == len(pytest_tfoidc.__all__)
    assert all(thing is not None for thing in public().values())
    with pytest.raises(AttributeError, match="module 'pytest_tfoidc' has no attribute 'Plann'"):
        _ = pytest_tfoidc.Plann


def untold(manual: str) -> list[str]:
    """Return the public names that a manual does not name."""
    return [name for name in public() if not re.search(rf"\b{name}\b", manual)]


def test_the_manual_names_every_public_name_and_every_fixture() -> None:
    manual = pytest_tfoidc.__doc__ or ""
    assert untold(manual) == []
    assert untold(manual.replace("StalePlanError", "")) == ["StalePlanError"]
    made = [n for n in vars(fixtures) if n.startswith(("tf_", "oidc_", "arm_", "mock_"))]
    assert [name for name in made if name not in manual] == []


def test_help_begins_with_the_manual() -> None:
    told = pydoc.plain(pydoc.render_doc(pytest_tfoidc))
    first = [line.strip() for line in told.splitlines() if line.strip()]
    wanted = [line.strip() for line in (pytest_tfoidc.__doc__ or "").splitlines() if line.strip()]
    assert set(wanted[1:]) <= set(first[: len(wanted) + 10])


def test_the_example_of_the_manual_is_python() -> None:
    manual = pytest_tfoidc.__doc__ or ""
    example = manual[manual.index("    from pytest_tfoidc") : manual.index("Fixtures, and")]
    compile(inspect.cleandoc(example), "manual", "exec")


def test_names_and_signatures_are_as_they_were() -> None:
    """Where a change is meant: `python -m tests.package.surface`, and a line in the changelog."""
    assert surface().splitlines() == FILE.read_text(encoding="utf-8").splitlines()
