"""How long it takes to list a ledger of 10,000 entries.

Run it with Python; it prints its figures and fails where one is beyond its limit.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from pytest_tfoidc.clock import real_now, real_seconds
from pytest_tfoidc.sweeping import SweepOptions, listing
from pytest_tfoidc.terraform.live.ledger import (
    APPLIED,
    Entry,
    Ledger,
    RecordedState,
    RecordedVariable,
)

ENTRIES = 10_000
MOST_SECONDS = 1.0
ROUNDS = 3


def fill(folder: Path) -> None:
    """Write a ledger of entries of the usual size."""
    entry = Entry(
        id="0",
        run="4711-5ea18e59",
        created=real_now(),
        phase=APPLIED,
        module="infrastructure",
        root="/repository",
        state=RecordedState(
            backend="azurerm", config={"key": "prod.tfstate.tfoidc/4711-5ea18e59/check"}
        ),
        variables=tuple(RecordedVariable(name=f"variable_{n}", value="value") for n in range(5)),
        planned=tuple((f"azurerm_resource_group.group_{n}", "create") for n in range(10)),
    )
    ledger = Ledger(folder)
    ledger.write(entry)
    text = (folder / "0.json").read_bytes()
    for number in range(1, ENTRIES):
        (folder / f"{number:08}.json").write_bytes(text)


def main() -> int:
    """Measure, print, judge."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ledger"
        fill(folder)
        took = []
        for _ in range(ROUNDS):
            started, used = real_seconds(), time.process_time()
            found = listing(SweepOptions(ledger=folder, root=folder))
            took.append((real_seconds() - started, time.process_time() - used))
            assert len(found) == ENTRIES
    elapsed, cpu = min(took, key=lambda pair: pair[1])
    print(f"{ENTRIES} entries are listed in {elapsed:.2f}s ({cpu:.2f}s of CPU)")
    return int(cpu > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
