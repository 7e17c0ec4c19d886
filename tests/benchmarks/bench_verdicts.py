"""Make the checks of a module many times, and count the verdicts: they must all be the same.

    python tests/benchmarks/bench_verdicts.py --habit slow --times 50 --busy 4
    python tests/benchmarks/bench_verdicts.py --habit keeps --times 50 --check expiry_during_apply
    python tests/benchmarks/bench_verdicts.py --module tests/modules/real_azurerm_5 --times 10
    python tests/benchmarks/bench_verdicts.py --module tests/modules/real_azurerm_5 --together

A habit is one of the provider `habits` (see tests/providers/habits.py), with ten resources. Another
module finds its providers as Terraform's configuration says, or in TFOIDC_PROVIDER_MIRROR.
`--together` makes the checks with one deployment, and the control, as pytest does.
`--busy` starts so many processes beside it that do nothing but keep a processor busy.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "providers"))

from pytest_tfoidc.checks.names import CHECKS, SHARED
from pytest_tfoidc.checks.oidc import MADE
from pytest_tfoidc.checks.parts import CheckFailure, CheckSkipped, Subject
from pytest_tfoidc.checks.story import SharedStory
from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.reporting.summary import Evidence
from pytest_tfoidc.session import OidcSession, SessionOptions
from tests.providers.providermirror import HABITS, cli_config, lay_out

MODULE = """
terraform {
  backend "azurerm" {}
  required_providers {
    habits = {
      source = "tfoidc/habits"
    }
  }
}

provider "habits" {
  habit = "%s"
}

resource "habits_group" "this" {
  count = %d
  name  = "rg-${count.index}"
}
"""
DELAY = timedelta(minutes=30)
NOTHING_ELSE = "while True: pass"


def main() -> None:
    """Count the verdicts."""
    asked = options_of_this()
    counted: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, busy(asked.busy):
        module, environment = prepare(asked, Path(folder))
        options = SessionOptions(
            context="mock", executable=asked.executable, environment=environment
        )
        with OidcSession(options) as session:
            if asked.parallelism:  # which a session withholds from Terraform
                arguments = {"TF_CLI_ARGS_apply": f"-parallelism={asked.parallelism}"}
                session.environment = {**session.environment, **arguments}
            for number in range(asked.times):
                started = real_seconds()
                for name, said in verdicts(asked, session, module):
                    counted[f"{name}: {said.splitlines()[0]}"] += 1
                    took, started = real_seconds() - started, real_seconds()
                    print(f"{number + 1} {name} {took:.1f}s {said}", flush=True)
    for line, count in sorted(counted.items()):
        print(f"{count:4} {line}")


def options_of_this() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--habit", default="slow")
    parser.add_argument("--count", type=int, default=10, help="resources with the habit")
    parser.add_argument("--module", type=Path, help="instead of a habit")
    parser.add_argument("--check", action="append", choices=list(CHECKS))
    parser.add_argument("--together", action="store_true", help="with one deployment")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--parallelism", type=int)
    parser.add_argument("--executable")
    return parser.parse_args()


def prepare(asked: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, str]]:
    """Return the module, and the environment in which Terraform finds its providers."""
    environment = dict(os.environ)
    if asked.module:
        if mirror := os.environ.get("TFOIDC_PROVIDER_MIRROR"):
            (folder / "mirror").symlink_to(mirror)
            environment["TF_CLI_CONFIG_FILE"] = str(cli_config(folder))
        return asked.module.resolve(), environment
    environment |= lay_out(folder / "providers", source=HABITS, versions=("1.0.0",))
    (module := folder / "module").mkdir()
    (module / "main.tf").write_text(MODULE % (asked.habit, asked.count), encoding="utf-8")
    return module, environment


def verdicts(
    asked: argparse.Namespace, session: OidcSession, module: Path
) -> Iterator[tuple[str, str]]:
    """Make the checks; yield the verdict of each, and the reason where it did not pass."""
    chosen = asked.check or list(CHECKS)
    together = [name for name in chosen if name in SHARED] if asked.together else []
    if together:
        with subject_of(session, module) as subject:
            story = SharedStory(subject, together)
            for name in together:
                yield name, worded(story.verdict(name) or story.failure)
    for name in chosen:
        if name not in together:
            with subject_of(session, module) as subject:
                yield name, worded(alone(subject, name))


@contextlib.contextmanager
def subject_of(session: OidcSession, module: Path) -> Iterator[Subject]:
    """Provide what a check works on, in a workspace of its own."""
    with session.isolated(), session.workspace(module) as workspace:
        yield Subject(session=session, workspace=workspace, clock=session.oidc_clock, delay=DELAY)


def alone(subject: Subject, name: str) -> Evidence | Exception:
    """Make a check on a deployment of its own."""
    try:
        return MADE[name](subject)
    except (CheckSkipped, CheckFailure, TfOidcError) as reason:
        return reason


def worded(verdict: Evidence | Exception | None) -> str:
    """Return a verdict in a word, and what it rests on."""
    if isinstance(verdict, Evidence):
        clients = "".join(f"\n  {c.client} at {c.service}: {c.expiries}" for c in verdict.clients)
        return f"passed{clients}"
    if isinstance(verdict, CheckSkipped):
        return f"skipped\n  {verdict}"
    return f"failed\n  {str(verdict).splitlines()[0]}"


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep processors busy during the block."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", NOTHING_ELSE]))
            stack.callback(process.kill)
        yield


if __name__ == "__main__":
    main()
