"""Deploy once, assert many times: the scope of `tf_deployed`, and who shares a deployment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, cast, get_args

import pytest

from pytest_tfoidc.errors import TfOidcError, UsageError
from pytest_tfoidc.plugin.run import RUN, PytestRun

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.module import RootModule

Scope = Literal["session", "package", "module", "class", "function"]
FIXTURE = "tf_deployed"
KEY = "tf_deployed_scope"
SHARED = "@tf_deployed:"  # what the id of an item has at its end, in a worker of pytest-xdist
COLLECTORS: dict[str, type[pytest.Collector]] = {
    "class": pytest.Class,
    "module": pytest.Module,
    "package": pytest.Package,
}
SUFFIXED = frozenset({"load", "worksteal"})  # xdist's distributions that take items one by one


def add_option(parser: pytest.Parser) -> None:
    """Declare the ini key."""
    scopes = ", ".join(get_args(Scope))
    parser.addini(KEY, f"how long a deployment of `{FIXTURE}` lives: {scopes}", default="function")


def scope_of(config: pytest.Config) -> Scope:
    """Return how long a deployment lives.

    Raises:
        pytest.UsageError: There is no such scope.
    """
    given = str(config.getini(KEY)).strip()
    if given not in get_args(Scope):
        error = UsageError(
            f"{given!r} is no scope.",
            where=KEY,
            remedy=f"Use one of: {', '.join(get_args(Scope))}.",
        )
        raise pytest.UsageError(f"tfoidc: {error}")
    return cast("Scope", given)


@contextlib.contextmanager
def told(fail: Callable[[TfOidcError], NoReturn]) -> Iterator[None]:
    """Let an error of ours be a failure with one message."""
    try:
        yield
    except TfOidcError as error:
        fail(error)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Let a test have its module's deployment, or one of each module under test."""
    run = metafunc.config.stash[RUN]
    own = run.module_of(metafunc.definition.path)
    modules: tuple[Path, ...] = run.settings.modules if own is None else (own,)
    metafunc.parametrize(
        FIXTURE,
        modules,
        ids=[run.name_of(module) for module in modules],
        indirect=True,
        scope=scope_of(metafunc.config),
    )


def require_known(given: Mapping[str, object], names: Sequence[str]) -> None:
    """Make sure that variables are given to modules of the stack only.

    Raises:
        UsageError: They are given to another one.
    """
    unknown = [name for name in given if name not in names]
    if unknown:
        raise UsageError(
            f"The stack has no module {unknown[0]!r} to give variables to.",
            where="tf_stack",
            remedy=f"Use the names of its modules: {', '.join(names)}.",
        )


def wanted(outputs: Mapping[str, object], module: RootModule) -> dict[str, object]:
    """Return those outputs of earlier modules that a module has variables for."""
    declared = {one.name for one in module.variables}
    return {name: value for name, value in outputs.items() if name in declared}


def own_state(name: str, module: RootModule, run: PytestRun) -> dict[str, str]:
    """Return what keeps the states of a stack's modules apart on the stand-in."""
    known = module.backend.names if module.backend is not None else frozenset[str]()
    if not run.session.context.stand_in or "key" in known:
        return {}
    return {"key": f"{Path(name).name}.tfstate"}


def keep_together(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the items that share a deployment stay on one worker of pytest-xdist.

    As xdist does for its groups, the group's name is put behind the items' ids.
    """
    dist = config.getoption("dist", "no")
    if not hasattr(config, "workerinput") or scope_of(config) == "function":
        return
    for item in items:
        if isinstance(item, pytest.Function) and FIXTURE in item.fixturenames:
            if dist == "loadgroup":
                item.add_marker(pytest.mark.xdist_group(_group(config, item)))
            elif dist in SUFFIXED:
                item._nodeid = f"{item.nodeid}{SHARED}{_group(config, item)}"  # type: ignore[attr-defined] # noqa: SLF001 - as xdist does


def group_in(nodeid: str) -> str:
    """Return the group that an id ends with; empty where it has none."""
    before, shared, group = nodeid.rpartition(SHARED)
    return group if shared and before else ""


def _group(config: pytest.Config, item: pytest.Function) -> str:
    """Name what shares a deployment: the module under test, and where the scope ends."""
    scope = scope_of(config)
    module = config.stash[RUN].name_of(_module_of(item)) if _has(item) else ""
    around: pytest.Item | pytest.Collector | None
    around = item.getparent(COLLECTORS[scope]) if scope in COLLECTORS else None
    if scope == "class" and around is None:  # a function outside of a class has its own
        around = item
    return f"{module}:{around.nodeid if around is not None else ''}".replace("::", "/")


def _module_of(item: pytest.Function) -> Path:
    return cast("Path", item.callspec.params[FIXTURE])


def _has(item: pytest.Function) -> bool:
    return FIXTURE in getattr(getattr(item, "callspec", None), "params", {})
