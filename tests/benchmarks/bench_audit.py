"""How long the audit of a large state takes, and how much memory, beside `jq`, where it is there.

Run it as a script: `python tests/benchmarks/bench_audit.py [MEGABYTES [PAIRS]]` (200, 5). `jq`
reads the state and prints it anew, which is the least that it can do. It fails where the audit
needs more memory than its limit.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

from pytest_tfoidc.clock import real_seconds

MOST_MEMORY = 300.0  # MB


def resource(number: int, random: Random) -> dict[str, object]:
    """Return an app with settings, as a state has it: none of them is a secret."""
    settings = {f"SETTING_{n}": " ".join(random.choices("abcdefghij", k=20)) for n in range(15)}
    tags = {"env": "prod", "owner": f"team-{number % 17}"}
    attributes = {"name": f"app-{number}", "tags": tags, "app_settings": settings}
    return {
        "mode": "managed",
        "type": "azurerm_linux_web_app",
        "name": f"app{number}",
        "provider": 'provider["registry.terraform.io/hashicorp/azurerm"]',
        "instances": [{"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}],
    }


def write_state(file: Path, megabytes: int) -> None:
    """Write a large state piece by piece: a child's memory begins with what its parent has."""
    random = Random(1)  # noqa: S311 - no secret
    with file.open("w", encoding="utf-8") as text:
        text.write('{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "large",')
        text.write(' "outputs": {}, "resources": [\n')
        number = 0
        while text.tell() < megabytes * 1_000_000:
            text.write(",\n" * bool(number) + json.dumps(resource(number, random), indent=2))
            number += 1
        text.write("\n]}\n")


def cost(*command: str) -> tuple[float, float]:
    """Run a command to its good end, and return its seconds and its memory in MB.

    Raises:
        SystemExit: It fails.
    """
    started = real_seconds()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return real_seconds() - started, used.ru_maxrss / 1024


def main() -> None:
    """Print the figures."""
    numbers = [int(argument) for argument in sys.argv[1:]]
    megabytes, pairs = (*numbers, *(200, 5)[len(numbers) :])
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "large.tfstate"
        write_state(state, megabytes)
        size = state.stat().st_size / 1e6
        ours, theirs = [], []
        for _ in range(pairs):
            ours.append(cost(sys.executable, "-m", "pytest_tfoidc.cli", "audit", str(state)))
            if shutil.which("jq"):
                theirs.append(cost("jq", ".", str(state)))
    seconds, memory = (statistics.median(column) for column in zip(*ours, strict=True))
    print(f"audit of a state of {size:.0f} MB: {seconds:.2f} s, {memory:.0f} MB of memory")
    if theirs:
        their_seconds, their_memory = (
            statistics.median(column) for column in zip(*theirs, strict=True)
        )
        ratio = statistics.median(jq[0] / our[0] for jq, our in zip(theirs, ours, strict=True))
        print(
            f"jq of the same: {their_seconds:.2f} s, {their_memory:.0f} MB;"
            f" the audit is {ratio:.2f} times as fast"
        )
    if memory > MOST_MEMORY:
        raise SystemExit(f"The audit needs more than {MOST_MEMORY:.0f} MB.")


if __name__ == "__main__":
    main()
