"""How pytest-xdist shares out the tests: a test file stays on one worker."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling, LoadScopeScheduling

from pytest_tfoidc.runitems import ENDINGS


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist is not typed for others
    """Shares out tests one by one, and the run blocks of a test file together."""

    def _split_scope(self, nodeid: str) -> str:
        return _test_file(nodeid) or nodeid


class GroupScheduling(LoadGroupScheduling):  # type: ignore[misc] # as above
    """Shares out groups, and the run blocks of a test file together."""

    def _split_scope(self, nodeid: str) -> str:
        return _test_file(nodeid) or str(super()._split_scope(nodeid))


# Instead of xdist's own ones; `loadfile` and `loadscope` keep a file together by themselves.
SCHEDULING = {"load": FileScheduling, "worksteal": FileScheduling, "loadgroup": GroupScheduling}


def scheduling(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's own
    """Make the scheduling for the user's `--dist`; None where xdist's own will do."""
    chosen = SCHEDULING.get(config.getoption("dist"))
    return chosen(config, log) if chosen else None


def _test_file(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return file if file.endswith(ENDINGS) else ""
