"""The kill matrix. A short selection is run with the other tests.

The whole is run with

TFOIDC_KILL_MATRIX=whole python -m pytest tests/killmatrix -n 2

TFOIDC_KILL_MATRIX_RECORD=FILE adds a line of JSON for each cell to a file, and
TFOIDC_KILL_MATRIX_BASE=FOLDER plays the cells with the plugin in another source tree.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("tf", reason="the provider is written with the package tf")

from tests.killmatrix.cells import Cell, as_line, cells, play

SHORT = {
    *("int-group-apply-binary", "int-twice-destroy-embedded", "agent-apply-binary"),
    *("kill-apply-embedded", "worker-apply-xdist", "timeout-signal-apply-binary"),
    *("stdout-apply-binary", "term-run-binary"),
}
RECORD, BASE = (os.environ.get(f"TFOIDC_KILL_MATRIX_{name}") for name in ("RECORD", "BASE"))
IS_WHOLE = os.environ.get("TFOIDC_KILL_MATRIX") == "whole"
CHOSEN = [cell for cell in cells() if IS_WHOLE or str(cell) in SHORT]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("cell", CHOSEN, ids=str)
def test_nothing_is_left_that_was_not_said(cell: Cell) -> None:
    with tempfile.TemporaryDirectory(
        prefix="km-"
    ) as folder:  # the name of a socket has to be short
        outcome = play(Path(folder).resolve(), cell, base=BASE)
    faults = outcome.faults()
    if RECORD:
        with Path(RECORD).open("a", encoding="utf-8") as file:
            file.write(as_line(outcome, faults))
    assert faults == [], outcome.output


def test_the_whole_matrix_has_its_size() -> None:
    names = [str(cell) for cell in cells()]
    assert len(set(names)) == len(names) >= 100
    assert set(names) >= SHORT
