"""The table of upgrade steps, for a terminal and as Markdown for a pipeline's summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_tfoidc.redaction import harmless

HEADINGS = ("module", "step", "changes", "warnings", "OIDC", "outcome")
NUMBERS = (2, 3)  # columns


@dataclass(frozen=True, kw_only=True)
class UpgradeRow:
    """The result of one step for one module. `changes` has what is tolerated beside it.

    `notes` are not in the table: they stand below it. `has_changes`: whether the plan under the
    new side is not empty, tolerated or not; None where there is none.
    """

    module: str
    step: str
    changes: str = "-"
    warnings: str = "-"
    oidc: str = "-"
    outcome: str = "failed"
    notes: tuple[str, ...] = ()
    has_changes: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row as it travels from a worker to the one who reports."""
        return asdict(self)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the texts in the order of the headings."""
        return (self.module, self.step, self.changes, self.warnings, self.oidc, self.outcome)


def row_of(brought: Mapping[str, Any]) -> UpgradeRow:
    """Return the row that has travelled."""
    return UpgradeRow(**{**brought, "notes": tuple(brought["notes"])})


def _ordered(rows: Iterable[UpgradeRow]) -> list[tuple[str, ...]]:
    return sorted(row.cells for row in rows)


def notes_of(rows: Iterable[UpgradeRow]) -> list[str]:
    """Return each note once."""
    return list(dict.fromkeys(f"  note: {note}" for row in rows for note in row.notes))


def terminal_table(rows: Iterable[UpgradeRow]) -> list[str]:
    """Write the rows in columns."""
    lines = [HEADINGS, *_ordered(rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return [f"  {_aligned(line, widths)}".rstrip() for line in lines]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))


def markdown_table(rows: Iterable[UpgradeRow]) -> str:
    """Write the rows as a table of GitHub's and Azure DevOps' Markdown."""
    rule = ("---:" if column in NUMBERS else "---" for column in range(len(HEADINGS)))
    lines = [HEADINGS, tuple(rule), *(tuple(map(_escaped, row)) for row in _ordered(rows))]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(cell: str) -> str:
    told = " ".join(harmless(cell).split())
    return told.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
