"""How fast logs are redacted, in processor time, beside how long it takes to split them.

Run it with Python; it prints its figures and fails where a text costs more than its limit: a ratio,
so that it is the same on every machine. The reference counts the different words of the same text.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_tfoidc.redaction import Redactor

MEGABYTES = 16
TRIES = 3
SECRETS = 20
LOG = (
    "2026-01-02T03:04:05.678Z [DEBUG] provider.terraform-provider-azurerm: AzureRM Request: GET"
    " /subscriptions/1234/resourceGroups/rg?api-version=2024-01-01 HTTP/1.1 Host:"
    " management.azure.com User-Agent: HashiCorp Terraform\n"
)
FRAMED = '│ Error: something with │ words\n╷ and more, with \\"quotes\\" \x1b[31mred\x1b[0m\n'
JSON = '{"@level":"info","@message":"thing.x[12]: Creation complete","a":"b \\"c\\""}\n'
LINES = {"log": LOG, "framed": FRAMED, "json": JSON}
MOST = {"log": 3.0, "framed": 2.5, "json": 3.0}  # times what the reference takes


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of the fastest of some calls."""
    taken = []
    for _ in range(TRIES):
        started = time.process_time()
        call()
        taken.append(time.process_time() - started)
    return min(taken)


def redactor() -> Redactor:
    """Return a redactor that knows what a run does."""
    made = Redactor()
    made.add(*(f"{number:02}aB3-{'kQ7_zW' * 9}{number * 7919:x}" for number in range(SECRETS)))
    made.hide("a-sensitive-value-1", "hunter2hunter2")
    return made


def redacted(knows: Redactor, text: bytes) -> int:
    """Redact a text as a log is redacted."""
    return sum(map(len, knows.redact_chunks([text])))


def words(text: bytes) -> int:
    """Count the different words of a text."""
    return len(set(text.split()))


def main() -> int:
    """Measure, print, and judge."""
    knows, worst = redactor(), 0.0
    for name, line in LINES.items():
        text = line.encode() * (MEGABYTES * 1_000_000 // len(line.encode()))
        taken = seconds(partial(redacted, knows, text))
        least = seconds(partial(words, text))
        print(f"{len(text) / 1e6 / taken:6.0f} MB/s {name}; {taken / least:.2f} of the reference")
        worst = max(worst, taken / least / MOST[name])
    return 0 if worst < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
