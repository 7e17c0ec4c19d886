"""Drafts of what exists beforehand: what the user has filled in stays."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_tfoidc.mockazure.existing import entries_of
from pytest_tfoidc.plugin.beforehand import REPORT_KEY, DraftReport

HUB = {"id": "/subscriptions/s/resourceGroups/rg-hub", "location": "northeurope"}
STUB = {**HUB, "location": "westeurope"}
MORE = {"userPrincipalName": "ada@example.org", "displayName": ""}


class Terminal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def drafted(file: Path, *stubs: dict[str, Any]) -> str:
    """Return what is said at the end of a run that has read these in vain."""
    report, terminal = DraftReport(file), Terminal()
    report.pytest_runtest_logreport(cast("Any", SimpleNamespace(**{REPORT_KEY: stubs})))
    report.pytest_terminal_summary(cast("Any", terminal))
    return "\n".join(terminal.lines)


@pytest.mark.parametrize("name", ["draft.json", "draft.yaml"])
def test_what_was_filled_in_stays_and_new_stubs_stand_behind_it(tmp_path: Path, name: str) -> None:
    file = tmp_path / "new" / name
    assert "has 1 stub of what was read" in drafted(file, HUB)
    assert "beside what was there before" in drafted(file, STUB, MORE)
    assert entries_of(file) == [HUB, MORE]


def test_a_file_that_cannot_be_read_is_left_alone_and_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_text("[{", encoding="utf-8")
    assert f"no stubs were written to {file}: " in drafted(file, HUB)
    assert file.read_text(encoding="utf-8") == "[{"


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    written = json.dumps([HUB])
    file.write_text(written, encoding="utf-8")
    drafted(file, STUB)
    assert file.read_text(encoding="utf-8") == written
