"""How much faster two workers make a matrix of 8 modules and 3 steps, and how often they unpack.

Run it with `python tests/benchmarks/bench_upgrades.py [STEPS [PAIRS]]`; a pair takes five minutes.
It prints figures and asserts none: they depend on the machine, and on what else it does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROVIDERS = Path(__file__).parents[1] / "providers"
sys.path.insert(0, str(PROVIDERS.parents[1]))

from pytest_tfoidc.clock import real_seconds  # noqa: E402 - the same
from tests.providers.providermirror import MOCKCLOUD, lay_out, pack  # noqa: E402 - found through the line above

MODULES = 8
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
VERSIONS = ("2.0.0", "2.1.0", "2.2.0", "2.3.0")[: STEPS + 1]
STEP = f"--tf-upgrade={MOCKCLOUD}:2.0.0..{'|'.join(VERSIONS[1:])}"
MODULE = """
terraform {
  required_providers {
    mockcloud = {
      source = "tfoidc/mockcloud"
    }
  }
}

resource "mockcloud_group" "this" {
  name     = "rg-test"
  location = "westeurope"
}
"""
TROUBLE = ("text file busy", "exec format error", "checksum")


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, **lay_out(folder / "providers", versions=VERSIONS)}
        pack(folder / "providers")
        for number in range(MODULES):
            (module := folder / f"module{number}").mkdir()
            (module / "main.tf").write_text(MODULE, encoding="utf-8")
        ratios = [pair(folder, number, environment) for number in range(PAIRS)]
    write(f"median: {statistics.median(ratios):.2f} times faster")


def pair(folder: Path, number: int, environment: dict[str, str]) -> float:
    """Run the matrix on one worker and on two, in turns; give how much faster two are."""
    kinds = (0, 2) if number % 2 == 0 else (2, 0)
    seconds = {
        workers: measure(folder, workers=workers, environment=environment) for workers in kinds
    }
    write(f"{seconds[0] / seconds[2]:.2f} times faster")
    return seconds[0] / seconds[2]


def measure(folder: Path, *, workers: int, environment: dict[str, str]) -> float:
    """Run the matrix with an empty cache, and give the seconds that it took."""
    cache = Path(tempfile.mkdtemp(prefix="cache", dir=folder))
    modules = [f"--tf-module=module{number}" for number in range(MODULES)]
    plain = ("-q", "-p", "no:cacheprovider", "--tf-context=mock", "--tf-check=none", f"-n{workers}")
    started = real_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *modules, STEP],
        cwd=folder,
        env={**environment, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = real_seconds() - started
    journal = cache / "pytest-tfoidc" / "providers" / "unpacked.txt"
    unpacked = len(journal.read_text(encoding="utf-8").splitlines())
    trouble = [words for words in TROUBLE if words in done.stdout.lower()]
    write(
        f"{workers or 1} worker(s): {seconds:.1f} s; {unpacked} packages unpacked for"
        f" {len(VERSIONS)} versions; trouble: {trouble or 'none'}"
    )
    write(done.stdout.splitlines()[-1])
    return seconds


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
