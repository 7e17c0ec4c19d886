"""Measure what run blocks as items cost beyond `terraform test -json`, in paired runs.

Run it as a script, `python bench_runs.py [PAIRS] [--cpu]`. A pair is, in turn: pytest with an
empty test, `terraform init` and `terraform test -json` of a file, and pytest with the same file. It
prints the medians and asserts nothing: the figures depend on the machine. With `--cpu` it measures
processor time, which a busy machine changes less.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from pytest_tfoidc.clock import real_seconds  # noqa: E402 - the same
from tests.runs_kit import write_many  # noqa: E402 - found through the line above

COUNTS = (50, 200)
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]


def main() -> None:
    """Measure both sizes, and print the figures."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    pairs = (*numbers, 5)[0]
    extra = {count: measure(count, pairs=pairs) for count in COUNTS}
    few, many = COUNTS
    slope = (extra[many] - extra[few]) / (many - few)
    fixed = extra[few] - few * slope
    sys.stdout.write(f"for each run {slope * 1000:.2f} ms, for the file {fixed:.3f} s\n")


def measure(count: int, *, pairs: int) -> float:
    """Measure files of one size; give what we add, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        module = Path(shutil.copytree(HERE.parent / "modules/runs_many", Path(folder) / "module"))
        write_many(module, count)
        (Path(folder) / "test_empty.py").write_text("def test_empty() -> None:\n    pass\n")
        samples = [sample(Path(folder), module) for _ in range(pairs)]
    empty, plain, ours = (statistics.median(column) for column in zip(*samples, strict=True))
    added = statistics.median(o - p - e for e, p, o in samples)
    sys.stdout.write(
        f"{count} runs: pytest {empty:.3f} s, terraform {plain:.3f} s, ours {ours:.3f} s;"
        f" added {added:.3f} s, allowed {0.5 + 0.002 * count:.3f} s\n"
    )
    return added


def sample(folder: Path, module: Path) -> tuple[float, float, float]:
    """Measure one pair: an empty test, plain Terraform, our items."""
    empty = seconds([*PYTEST, "test_empty.py"], folder)
    init = seconds(["terraform", "init", "-backend=false", "-input=false"], module)
    plain = seconds(["terraform", "test", "-json"], module)
    shutil.rmtree(module / ".terraform", ignore_errors=True)
    ours = seconds([*PYTEST, "--tf-module=module", "--tf-check=none"], folder)
    return empty, init + plain, ours


def seconds(command: list[str], folder: Path) -> float:
    """Run a command to its good end, and give the time that it took."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    started = now()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return now() - started


def now() -> float:
    """Return the time, or the processor time of all children so far; in seconds."""
    if "--cpu" not in sys.argv:
        return real_seconds()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
