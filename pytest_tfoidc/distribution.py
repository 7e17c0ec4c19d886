"""How pytest-xdist shares out the tests: a test file stays on one worker."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from pytest_tfoidc.runitems import ENDINGS


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist's annotations are not public
    """Shares out tests one by one, and the run blocks of a test file together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file.endswith(ENDINGS) else nodeid


def scheduling(config: pytest.Config, log: Any) -> FileScheduling:  # noqa: ANN401 - xdist's own
    """Make the scheduling that takes the place of `load` and `worksteal`."""
    return FileScheduling(config, log)
