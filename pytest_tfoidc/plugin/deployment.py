"""Deploy once, assert many times: the scope of `tf_deployed`, and who shares a deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import pytest

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.plugin.run import RUN, PytestRun

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.module import RootModule

Scope = Literal["session", "package", "module", "class", "function"]
FIXTURE = "tf_deployed"
KEY = "tf_deployed_scope"
MARK = "tf_deployed:"  # in the ids of tests, where pytest-xdist reads who shares a deployment


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


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Let a test have its module's deployment, or one of each module under test."""
    run = metafunc.config.stash[RUN]
    own = run.module_of(metafunc.definition.path)
    modules: tuple[Path, ...] = run.settings.modules if own is None else (own,)
    metafunc.parametrize(
        FIXTURE,
        modules,
        ids=[f"{MARK}{run.name_of(module)}" for module in modules],
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
    given = run.inputs()
    has_one = module.backend or module.has_cloud or given.backend or given.backend_files
    if not run.session.context.stand_in or "key" in known or not has_one:
        return {}
    return {"key": f"{Path(name).name}.tfstate"}


def group_of(config: pytest.Config, nodeid: str) -> str:
    """Return who a test shares its deployment with, by its id; empty where it has its own."""
    scope = scope_of(config)
    before, marked, after = nodeid.partition(MARK)
    if scope == "function" or not marked:
        return ""
    run = config.stash[RUN]
    names = [name for name in map(run.name_of, run.settings.modules) if after.startswith(name)]
    module = max(names, key=len, default=after)
    function = before.rpartition("[")[0]
    place = ""  # a package may be as large as the session
    if scope == "module":
        place = nodeid.partition("::")[0]
    elif scope == "class":
        outer = function.rpartition("::")[0]
        place = outer if "::" in outer else function
    return f"{MARK}{module}:{place}"
