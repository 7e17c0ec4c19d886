"""Modules under test as pytest collects them: their own tests, and the built-in checks."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.plugin import runblocks, upgrades
from pytest_tfoidc.plugin.items import ModuleItem
from pytest_tfoidc.plugin.run import EVIDENCE, RUN

if TYPE_CHECKING:
    from pytest_tfoidc.plugin.shared import SharedDeployment
    from pytest_tfoidc.reporting.summary import Evidence

GROUP = "oidc"
NO_NAME = frozenset({"", "."})  # pytest's ids of what is outside of the root folder, and of that
OF_A_TEST = ("[", "::")  # in an argument of pytest: what follows is no folder
SECONDS = pytest.StashKey[float]()  # to add to a check's duration: another made a part of it


class ModuleDirectory(pytest.Dir):  # type: ignore[misc] # final for type checkers only
    """A module under test: what lies in its folder, then the checks."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Collect the folder as pytest does, and the checks that were asked for."""
        yield from super().collect()
        yield from runblocks.unreadable_files(self, self.path)
        if self.config.stash[RUN].settings.checks:
            yield self._group(CheckGroup, GROUP)
        if self.config.stash[RUN].settings.upgrades:
            yield self._group(upgrades.UpgradeGroup, upgrades.GROUP)

    def _group(self, kind: type[pytest.Collector], name: str) -> pytest.Collector:
        """Make a group; ids in the root folder, or outside of it, begin with the module's name."""
        if self.nodeid not in NO_NAME:
            return kind.from_parent(self, name=name)
        root = self.config.stash[RUN].name_of(self.path)
        return kind.from_parent(self, name=name, nodeid=f"{root}::{name}")


class CheckGroup(pytest.Collector):
    """The checks of a module."""

    def collect(self) -> Iterator[pytest.Item]:
        """Make an item for each check."""
        for name in self.config.stash[RUN].settings.checks:
            yield CheckItem.from_parent(self, name=name)

    @functools.cached_property
    def deployment(self) -> SharedDeployment:
        """The deployment that the checks share."""
        from pytest_tfoidc.plugin.shared import SharedDeployment  # noqa: PLC0415 - heavy

        return SharedDeployment(self.config, item=f"{GROUP}-checks")

    def teardown(self) -> None:
        """End the deployment, if it has not ended well."""
        if "deployment" in vars(self):
            self.deployment.close()


class CheckItem(ModuleItem):
    """One check of one module."""

    group = GROUP

    def runtest(self) -> None:
        """Make the check: its part of what checks share, or in a workspace of its own."""
        assert isinstance(self.parent, CheckGroup)  # noqa: S101 - for mypy
        run = self._run
        with run.recorded(self, self.path):
            shown = self.parent.deployment.prove(self) or self._alone()
            self.stash[EVIDENCE] = (run.name_of(self.path), shown)

    def _alone(self) -> Evidence:
        from pytest_tfoidc.checks.oidc import MADE  # noqa: PLC0415 - heavy
        from pytest_tfoidc.checks.parts import CheckSkipped  # noqa: PLC0415 - heavy
        from pytest_tfoidc.plugin.shared import subject_of  # noqa: PLC0415 - heavy

        with self._run.workspace(self.path, item=f"{GROUP}-{self.name}") as workspace:
            try:
                return MADE[self.name](subject_of(self.config, workspace))
            except CheckSkipped as skipped:
                pytest.skip(str(skipped))
            finally:
                self.note_properties(workspace.path)


def complete_report(item: CheckItem, report: pytest.TestReport) -> None:
    """Let a check last as long as its own part, whichever item it was made in."""
    if report.when == "call":
        report.duration = max(0.0, report.duration + item.stash.get(SECONDS, 0.0))


def is_circle(path: Path, config: pytest.Config) -> bool:
    """Tell whether a link in a module under test leads to a folder that it lies in."""
    if not path.is_symlink() or config.stash[RUN].module_of(path) is None:
        return False
    with contextlib.suppress(OSError, RuntimeError):  # it leads to itself, and pytest sees that
        target = path.resolve()
        return any(target == parent.resolve() for parent in path.parents)
    return False


def directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a module under test as one; leave other folders to pytest."""
    if path in parent.config.stash[RUN].settings.modules:
        return ModuleDirectory.from_parent(parent, path=path)
    return None


class ForeignTests:
    """Lets the checks be made although Python tests below a module cannot be imported.

    Args:
        config: The run's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_foreign: list[bool] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected; the error is told and counts, whatever follows."""
        if report.failed:
            path = self._config.rootpath / report.nodeid.partition("::")[0]
            is_below = self._config.stash[RUN].module_of(path) is not None
            self._is_foreign.append(is_below and path.suffix == ".py")

    @pytest.hookimpl(tryfirst=True)  # before anything is deselected
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tell of ids that are not there, where all could be collected."""
        if not self._is_foreign:
            require_found(self._config, items)

    def pytest_collection_finish(self) -> None:
        """Go on where nothing else was wrong."""
        if self._is_foreign and all(self._is_foreign):
            self._config.option.continue_on_collection_errors = True


def choose_arguments(config: pytest.Config) -> None:
    """Collect the modules' own folders, unless other paths were given.

    pytest cannot select below a folder by node id: the folder is collected instead, and `deselect`
    leaves out what was not selected. A worker of pytest-xdist gets the selection from its options.
    """
    config.option.tf_selected = selected = list(getattr(config.option, "tf_selected", ()))
    run = config.stash[RUN]
    if not run.settings.modules:
        return
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        chosen = [_argument(module, config) for module in run.settings.modules]
        if config.getoption("tf_module") is not None:
            config.args = chosen
        else:  # an ini file adds to what pytest collects
            config.args = [*config.args, *(one for one in chosen if not _is_collected(one, config))]
        return
    here = config.invocation_params.dir
    whole = {Path(os.path.normpath(here / arg)) for arg in config.args if "::" not in arg}
    for position, argument in enumerate(config.args):
        path, _, rest = argument.partition("::")
        folder = Path(os.path.normpath(here / path))
        if path == config.rootpath.name and not folder.exists():  # the root folder, as ids name it
            folder, path = config.rootpath, str(config.rootpath)
        if rest and folder in run.settings.modules:
            config.args[position] = path
            if folder not in whole:
                selected.append((str(folder), f"{run.name_of(folder)}::{rest}"))


def _argument(module: Path, config: pytest.Config) -> str:
    """Return how pytest is told to collect a folder: in an argument, some signs mean a test in it.

    Raises:
        pytest.UsageError: It cannot be told.
    """
    text = str(module)
    if any(sign in text for sign in OF_A_TEST):
        text = os.path.relpath(module, config.invocation_params.dir)
    if any(sign in text for sign in OF_A_TEST):
        error = UsageError(
            "pytest can collect no folder with `[` or `::` in its path.",
            where=f"--tf-module {text}",
            cause="it takes what follows for the name or the parameters of a test",
            remedy="Start pytest in that folder with --tf-module ., or give the folder another"
            " name.",
        )
        raise pytest.UsageError(f"tfoidc: {error}")
    return text


def _is_collected(module: str, config: pytest.Config) -> bool:
    """Tell whether a module's folder lies in what pytest collects anyway."""
    here = config.invocation_params.dir
    roots = [Path(os.path.normpath(here / arg.partition("::")[0])) for arg in config.args]
    return any(Path(module).is_relative_to(root) for root in roots)


def require_found(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make sure that each id below a module's folder that was given is there.

    Raises:
        pytest.UsageError: One is not.
    """
    if hasattr(config, "workerinput"):
        return
    for folder, node_id in config.option.tf_selected:
        if not any(_is_within(item.nodeid, node_id) for item in items):
            import difflib  # noqa: PLC0415 - for a mistake only

            run = config.stash[RUN]
            below = [i.nodeid for i in items if i.path.is_relative_to(folder)]
            near = difflib.get_close_matches(node_id, below, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise pytest.UsageError(
                f"not found: {node_id} (no such test in {run.name_of(Path(folder))}){hint}"
            )


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the items of a module's folder that were not selected by their node id."""
    selected = config.option.tf_selected
    if not selected:
        return
    folders = {Path(folder) for folder, _ in selected}
    here = config.invocation_params.dir
    paths = {Path(os.path.normpath(here / arg.partition("::")[0])) for arg in config.args}
    others = paths - folders
    wanted = tuple(node_id for _, node_id in selected)
    dropped = [
        item
        for item in items
        if not any(item.path.is_relative_to(other) for other in others)
        and not any(_is_within(item.nodeid, node_id) for node_id in wanted)
    ]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


def _is_within(node_id: str, selected: str) -> bool:
    return node_id == selected or node_id.startswith(f"{selected}::")
