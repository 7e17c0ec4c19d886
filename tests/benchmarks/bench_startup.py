"""Measure what pytest's start costs with the plugin, and what a workspace's copy costs.

Run it as a script: `python tests/benchmarks/bench_startup.py [FOLDER]`. FOLDER is a module in a
repository of many files. CPU seconds of child processes, medians of alternating runs; it prints
figures and asserts none: they depend on the machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.terraform.copies import Copies
from pytest_tfoidc.terraform.isolation import isolate

TIMES = 7
MODULE = 'terraform {\n  backend "azurerm" {}\n}\nresource "terraform_data" "this" {}\n'
PLAIN = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
STARTS = {
    "without the plugin": ("-p", "no:tfoidc", "--collect-only", "empty"),
    "installed, unused": ("--collect-only", "empty"),
    "--collect-only of a module": ("--collect-only", "--tf-module=module"),
    "a run without checks": ("--tf-check=none", "--tf-module=module"),
}


def cpu_of_start(arguments: tuple[str, ...], folder: Path) -> float:
    """Return the CPU seconds of one pytest, and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", *PLAIN, *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        env={name: text for name, text in os.environ.items() if not name.startswith("PYTEST")},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def starts() -> None:
    """Print what each kind of start costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        (folder / "module").mkdir()
        (folder / "module" / "main.tf").write_text(MODULE, encoding="utf-8")
        measured: dict[str, list[float]] = {kind: [] for kind in STARTS}
        for number in range(TIMES + 1):
            for kind, arguments in STARTS.items():
                seconds = cpu_of_start(arguments, folder)
                if number:  # the first fills caches
                    measured[kind].append(seconds)
    base = measured["without the plugin"]
    for kind, each in measured.items():
        beyond = statistics.median(one - plain for one, plain in zip(each, base, strict=True))
        print(f"{kind:28} {statistics.median(each):6.3f} s, beyond pytest {beyond:+.3f} s")


def copying(module: Path) -> None:
    """Print what the first copy of a module costs, and those after it."""
    copies, each = Copies(most_spare=1), []
    for _ in range(TIMES):
        started = real_seconds()
        place = copies.place_for(module)
        copy = isolate(module, place.base, placer=place.placer)
        copies.give_back(place, copy)
        each.append(real_seconds() - started)
    copies.close()
    print(
        f"copies of {module.name}: first {each[0]:.3f} s, then {statistics.median(each[1:]):.3f} s"
    )


if __name__ == "__main__":
    starts()
    copying(Path(sys.argv[1] if len(sys.argv) > 1 else "example_module").resolve())
