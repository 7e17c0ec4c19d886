"""Run the benchmarks, and print their figures as one table in Markdown, with date and machine.

Run it as `python -m tests.benchmarks [NAME…]`, where NAME is one of bench_NAME.py; without any it
runs those of the plugin's own speed, which takes some fifteen minutes. docs/benchmarks.md keeps
what it printed. What a benchmark compares with, it takes where it is installed.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from pytest_tfoidc.clock import real_now

HERE = Path(__file__).parent
USUAL = ("main_job", "peers", "startup", "runs", "tokens", "server", "connections", "audit")


def machine() -> str:
    """Return what the figures depend on: the processor, how busy it is, the versions.

    Raises:
        SystemExit: There is no Terraform.
    """
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    terraform = shutil.which("terraform")
    if terraform is None:
        raise SystemExit("There is no Terraform on PATH, which the others need.")
    told = subprocess.run([terraform, "version"], capture_output=True, text=True, check=True)
    version = told.stdout.splitlines()[0]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{real_now():%Y-%m-%d}, {os.cpu_count()} processors ({cpu}), load before it {load};"
        f" {platform.system()}, Python {platform.python_version()}, {version}"
    )


def lines_of(name: str) -> list[str]:
    """Return what one benchmark prints.

    Raises:
        SystemExit: It fails.
    """
    done = subprocess.run(
        [sys.executable, str(HERE / f"bench_{name}.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parents[1],
    )
    if done.returncode:
        raise SystemExit(f"bench_{name}.py: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()]


def main() -> None:
    """Print the table, each row as soon as it is there."""
    print(machine(), "| benchmark | figure |\n|---|---|", sep="\n\n", flush=True)
    for name in sys.argv[1:] or USUAL:
        for line in lines_of(name):
            print(f"| {name} | {line.replace('|', '/')} |", flush=True)


if __name__ == "__main__":
    main()
