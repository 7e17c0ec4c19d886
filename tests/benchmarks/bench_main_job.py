"""How much the plugin adds to Terraform: `pytest --tf-module` beside its commands by themselves.

Run it as a script: `python tests/benchmarks/bench_main_job.py [MODULE] [ROUNDS] [COMMAND…]`. Both
sides run the same Terraform on the same module against a stand-in; the figure is their ratio in one
run. Pytest is compared with the commands that it runs itself and with those that it runs where no
check shares a deployment (`--tf-separate`), or with the commands that are named: `init plan apply
destroy` for one deployment by hand.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from pathlib import Path

from pytest_tfoidc import OidcSession, SessionOptions
from pytest_tfoidc.clock import real_seconds

MODULE = Path(__file__).parents[2] / "example_module"
# What each command of ours runs, without our own processing of its output.
LINES = {
    "plan": ["plan", "-input=false", "-json", "-out=tfplan"],
    "apply": ["apply", "-input=false", "-json", "-auto-approve"],
    "destroy": ["destroy", "-input=false", "-json", "-auto-approve"],
    "output": ["output", "-json"],
    "state pull": ["state", "pull"],
    "test": ["test", "-json"],
}


def commands_of(module: Path, *options: str) -> list[str]:
    """Return the commands that `pytest --tf-module` runs, from its raw events."""
    probe = (
        "import sys, pytest\n"
        "from pytest_tfoidc.events import CommandStarted, EventLog\n"
        "emit = EventLog.emit\n"
        "def spy(self, event):\n"
        "    if isinstance(event, CommandStarted): print('COMMAND', event.command, flush=True)\n"
        "    emit(self, event)\n"
        "EventLog.emit = spy\n"
        "arguments = ['-qsW', 'ignore', '-p', 'no:randomly', '--tf-module']\n"
        f"sys.exit(pytest.main([*arguments, {str(module)!r}, *{options!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=module.parent
    )
    lines = done.stdout.splitlines()
    return [line.split("COMMAND ")[1] for line in lines if "COMMAND " in line]


def by_themselves(module: Path, commands: list[str]) -> float:
    """Run the commands one after the other, as the items do; give their seconds."""
    total, planned = 0.0, False
    with OidcSession(SessionOptions(context="mock")) as session, contextlib.ExitStack() as stack:
        for command in commands:
            if command == "init":  # of the next item: everything is new to it
                stack.close()
                stack.enter_context(session.isolated())
                workspace = stack.enter_context(session.workspace(module))
                total += workspace.init().seconds  # it knows the backend's configuration
                continue
            saved = ["apply", "-input=false", "-json", "tfplan"]
            line = saved if command == "apply" and planned else LINES[command]
            planned = command == "plan"
            started = real_seconds()
            subprocess.run(
                [*session.executable.argv, *line],
                cwd=workspace.path,
                env=dict(session.environment),
                capture_output=True,
                check=False,
            )
            total += real_seconds() - started
    return total


def whole_run(module: Path) -> float:
    """Run pytest as a user does; give its seconds, from its start to its end."""
    started = real_seconds()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "--tf-module", str(module)],
        capture_output=True,
        check=True,
        cwd=module.parent,
    )
    return real_seconds() - started


def main() -> None:
    """Print the figures of each round, and the median ratios."""
    ratios: dict[str, list[float]] = {}
    module = Path(sys.argv[1]) if len(sys.argv) > 1 else MODULE
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    sides = {"by hand": sys.argv[3:]}
    if not sys.argv[3:]:
        own, separate = commands_of(module), commands_of(module, "--tf-separate")
        sides = {"its own": own, "separate": separate}
    for name, commands in sides.items():
        print(f"{name}: {len(commands)} commands: {' '.join(commands)}")
    for number in range(rounds):
        whole = whole_run(module)
        for name, commands in sides.items():
            terraform = by_themselves(module, commands)
            ratios.setdefault(name, []).append(whole / terraform)
            print(f"{number + 1}: {name} {terraform:.2f}s, pytest {whole:.2f}s")
    for name, each in ratios.items():
        print(f"{name}: median ratio {statistics.median(each):.2f}")


if __name__ == "__main__":
    main()
