"""How pytest-xdist shares out the tests: what shares a file or a deployment stays together.

In a live context a module stays on one worker: its items give their resources the same names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling, LoadScopeScheduling

from pytest_tfoidc.checks.names import SHARED
from pytest_tfoidc.plugin.deployment import group_of
from pytest_tfoidc.plugin.modules import GROUP
from pytest_tfoidc.plugin.run import RUN
from pytest_tfoidc.plugin.runblocks import ENDINGS


class CrashedOnce(LoadScopeScheduling):  # type: ignore[misc] # xdist is not typed for others
    """Runs no test again that a worker has crashed in: what it has deployed is still there."""

    def remove_node(self, node: Any) -> str | None:  # noqa: ANN401 - xdist's
        """Hand on what a worker has left, but for the test that it was at; return that one."""
        pending = (
            (unit, nodeid)
            for unit in self.assigned_work.get(node, {}).values()
            for nodeid, is_completed in unit.items()
            if not is_completed
        )
        unit, crashed = next(pending, (None, None))
        if unit is not None:
            unit[crashed] = True
        super().remove_node(node)
        return crashed


class FileScheduling(CrashedOnce):
    """Shares out tests one by one, and together what shares a test file or a deployment."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared(self.config, nodeid) or nodeid


class GroupScheduling(CrashedOnce, LoadGroupScheduling):  # type: ignore[misc] # as above
    """Shares out groups, and together what shares a test file or a deployment."""

    def _split_scope(self, nodeid: str) -> str:
        return _shared(self.config, nodeid) or str(super()._split_scope(nodeid))


class ModuleScheduling(CrashedOnce):
    """Shares out modules under test, each with everything that is about it, and other files."""

    def _split_scope(self, nodeid: str) -> str:
        run = self.config.stash[RUN]
        return live_scope(nodeid, tuple(map(run.name_of, run.settings.modules)))


def live_scope(nodeid: str, modules: Collection[str]) -> str:
    """Return what a test shares a worker with: its module, or else its file.

    Args:
        nodeid: The test's.
        modules: The names of the modules under test, as node ids begin with them.
    """
    file, _, rest = nodeid.partition("::")
    around = [m for m in modules if m in {".", file} or file.startswith(f"{m}/")]
    if not around:  # a test elsewhere, that is made for each module: its parameter names it
        around = [m for m in modules if re.search(rf"[\[:-]{re.escape(m)}[\]-]", rest)]
    return max(around, key=len, default=file)


# Instead of xdist's own ones; `loadfile` and `loadscope` keep a file together by themselves.
SCHEDULING = {"load": FileScheduling, "worksteal": FileScheduling, "loadgroup": GroupScheduling}


def scheduling(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's own
    """Make the scheduling for the user's `--dist`; None where xdist's own will do."""
    run = config.stash[RUN]
    dist = config.getoption("dist")
    if run.is_live and dist != "each":
        return ModuleScheduling(config, log)
    chosen = SCHEDULING.get(dist)
    return chosen(config, log) if chosen else None


def _shared(config: pytest.Config, nodeid: str) -> str:
    """Return what a test shares with others: a test file, a deployment; empty for nothing."""
    return _test_file(nodeid) or _checks(config, nodeid) or group_of(config, nodeid)


def _checks(config: pytest.Config, nodeid: str) -> str:
    """Return the group of checks that share a deployment; empty for what shares none."""
    group, _, name = nodeid.rpartition("::")
    is_check = group.endswith(f"::{GROUP}") and name in SHARED
    return group if is_check and not config.stash[RUN].settings.separate else ""


def _test_file(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return file if file.endswith(ENDINGS) else ""
