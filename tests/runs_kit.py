"""The tools of the tests of run blocks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from pytest_tfoidc.clock import real_sleep
from tests.project_kit import EXECUTABLE, MODULES, Project
from tests.signals_kit import default_signals

WORDS = {"failure": "fail", "error": "error", "skipped": "skip"}
RUN = """
run "run_{number}" {{
  variables {{
    number = {number}
  }}

  assert {{
    condition     = output.number == {number}
    error_message = "The number is wrong."
  }}
}}
"""


def copy_module(project: Project, name: str) -> Path:
    """Copy one of `tests/modules` into the project."""
    return Path(shutil.copytree(MODULES / name, project.path / name))


def write_many(module: Path, count: int) -> None:
    """Write the runs of `runs_many`."""
    (module / "tests").mkdir()
    text = "".join(RUN.format(number=number) for number in range(count))
    (module / "tests/many.tftest.hcl").write_text(text, encoding="utf-8")


def run_module(project: Project, name: str, *arguments: str) -> tuple[Path, list[str]]:
    """Copy a module, and give the arguments that run nothing but its run blocks."""
    module = copy_module(project, name)
    return module, [f"--tf-module={name}", "--tf-check=none", *arguments]


class Gate:
    """The pipe that a run of `runs_gate` waits at.

    Args:
        folder: Where the pipe is to be.
    """

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "gate"
        self._pid = folder / "gate.pid"
        self._log = folder / "log"
        self._interrupted = folder / "gate.interrupted"
        for pipe in (self._pipe, self._pid):
            os.mkfifo(pipe)
        self.variables = (f"gate={self._pipe}", f"log={self._log}")

    def terraform(self) -> int:
        """Wait until the run waits; give Terraform's process id."""
        return int(self._pid.read_text("ascii"))

    def open(self) -> None:
        """Let the run end."""
        self._pipe.write_text("\n", encoding="ascii")

    def wait_until_interrupted(self) -> None:
        """Wait until the interrupt has come to the run that waits; the test's limit ends it."""
        while not self._interrupted.exists():
            real_sleep(0.01)

    @property
    def clean_ups(self) -> int:
        """How often what is deployed was destroyed."""
        return self._log.read_text("utf-8").count("destroyed") if self._log.exists() else 0


@contextlib.contextmanager
def started(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start pytest in the project, its output is a pipe; kill what has not ended by itself."""
    chosen = os.environ.get(EXECUTABLE)
    terraform = [f"--tf-executable={chosen}"] if chosen else []
    plugins = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    with (
        default_signals(),
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugins, *terraform, *arguments],
            cwd=project.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def plain_outcomes(project: Project, module: Path) -> dict[str, str]:
    """Return what `terraform test` says of a module: `FILE::RUN` and its outcome."""
    terraform = project.terraform()
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    for command in (["init", "-backend=false", "-input=false"], ["test", "-json"]):
        done = subprocess.run(
            [*terraform, *command],
            cwd=module,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    outcomes = {}
    for line in done.stdout.splitlines():
        run = json.loads(line).get("test_run", {})
        if run.get("progress") == "complete":
            outcomes[f"{module.name}/{run['path']}::{run['run']}"] = run["status"]
    return outcomes


def junit_outcomes(file: Path) -> dict[str, str]:
    """Return what a JUnit report says, in Terraform's words."""
    outcomes = {}
    for case in ET.parse(file).iter("testcase"):  # noqa: S314 - pytest has written it
        found = [WORDS[child.tag] for child in case if child.tag in WORDS]
        outcomes[f"{case.get('classname')}::{case.get('name')}"] = (*found, "pass")[0]
    return outcomes
