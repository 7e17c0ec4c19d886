"""Measure reading 1,000 run blocks in 100 files: ours against python-hcl2, where it is installed.

Run it as a script. It prints figures and asserts none: they depend on the machine.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.terraform.tftest import files

FILES = 100
RUNS_PER_FILE = 10
SAMPLE = 20  # files; python-hcl2 takes seconds for all of them
RUN = """
run "create_{number}" {{
  command = apply

  variables {{
    name = "x${{var.prefix}}-{number}"
    tags = {{ owner = "a", count = 1, (var.key) = [1, 2.5, true, null] }}
  }}

  # what the module promises
  assert {{
    condition     = output.name == "x{number}" && length(var.tags) > 0
    error_message = "The name is wrong: ${{output.name}}."
  }}

  expect_failures = [var.name, terraform_data.this]
}}
"""


def write_files(folder: Path) -> list[Path]:
    """Write the test files."""
    text = "".join(RUN.format(number=number) for number in range(RUNS_PER_FILE))
    paths = [folder / f"case_{number}.tftest.hcl" for number in range(FILES)]
    for path in paths:
        path.write_text(text, encoding="utf-8")
    return paths


def seconds(read: Callable[[Path], object], paths: Iterable[Path]) -> float:
    """Return the time that reading the files takes."""
    start = real_seconds()
    for path in paths:
        read(path)
    return real_seconds() - start


def main() -> None:
    """Print the times, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder))
        ours = seconds(files.read_test_file, paths)
        sys.stdout.write(f"ours: {FILES * RUNS_PER_FILE} run blocks in {ours:.3f} s\n")
        if importlib.util.find_spec("hcl2") is None:
            return
        loads = importlib.import_module("hcl2").loads
        sample = seconds(lambda path: loads(path.read_text(encoding="utf-8")), paths[:SAMPLE])
        theirs = sample * FILES / SAMPLE
        sys.stdout.write(f"python-hcl2: {theirs:.1f} s (from {SAMPLE} files)\n")
        sys.stdout.write(f"ratio: {theirs / ours:.0f}\n")


if __name__ == "__main__":
    main()
