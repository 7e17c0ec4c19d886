"""The kill matrix: a run of pytest is ended in every way, in every phase, with every Terraform.

A cell starts pytest in a rehearsal of a pipeline's step, with a provider that is held in the phase
that is meant, ends it, and looks at what is left: in the provider's folder, on the stand-in, among
the processes, and in what was said.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import RawIOBase
from pathlib import Path
from typing import Any
from unittest import mock

from pytest_tfoidc import rehearsal
from pytest_tfoidc.clock import real_seconds, real_sleep
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.plugin.stopping import PERHAPS
from pytest_tfoidc.rehearsal import RehearsalOptions, rehearse
from tests.providers.providermirror import SHELF, lay_out
from tests.signals_kit import default_signals

PHASES = ("init", "plan", "between", "apply", "run", "teardown", "destroy")
HOWS = ("binary", "embedded", "xdist")
ENDINGS = (
    *("int-group", "int-pytest", "int-twice", "term", "hup", "agent", "kill", "worker"),
    *("timeout-signal", "timeout-thread", "x", "stdout"),
)
REACH_SECONDS, END_SECONDS, GONE_SECONDS = 150.0, 90.0, 60.0  # however busy the machine is
AGENT_SECONDS, KILL_SECONDS = 7.5, 2.5  # between its SIGINT, SIGTERM and SIGKILL
TWICE_SECONDS = 0.7
TIMEOUT_SECONDS = 15  # of pytest-timeout's thread: it has to reach the phase before
LOOK_SECONDS = 0.02
HELD = {
    "plan": "plan-a",
    "apply": "create-b",
    "run": "create-b",
    "teardown": "delete-a",
    "destroy": "delete-a",
}
MODULE = """\
terraform {{
  required_providers {{
    shelf = {{
      source = "tfoidc/shelf"
    }}
  }}
}}

resource "shelf_item" "a" {{
  name   = "a"
  folder = "{folder}"
}}

resource "shelf_item" "b" {{
  name   = "b"
  folder = shelf_item.a.folder
}}
"""
FETCHED = 'module "fetched" {{\n  source = "git::file://{folder}/fetched"\n}}\n'
RUN_BLOCK = 'run "makes" {\n}\n'
GIT = """\
#!/bin/sh
touch '{folder}/at-init'
while test -e '{folder}/hold-init'; do sleep 0.05; done
exit 1
"""
OUTER = ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One way to end a run: `ending` in `phase`, with the Terraform or the workers of `how`."""

    ending: str
    phase: str
    how: str

    def __str__(self) -> str:
        """Name it."""
        return f"{self.ending}-{self.phase}-{self.how}"

    @property
    def is_meant(self) -> bool:
        """Whether there is such a thing."""
        if self.ending == "worker":
            return self.how == "xdist"
        return not (self.ending == "x" and self.phase == "between")

    @property
    def is_by_force(self) -> bool:
        """Whether pytest itself can say nothing any more."""
        return self.ending == "kill"


@dataclass(kw_only=True)
class Outcome:
    """The outcome of a cell: what is left, and what was said of it."""

    cell: str
    exit_code: int | None = None
    seconds: float = 0.0
    there: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    bad_states: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    traceback: bool = False
    output: str = ""

    def faults(self) -> list[str]:
        """List what must not be."""
        said = {name.removesuffix(PERHAPS) for name in self.named}
        sure = {name for name in self.named if not name.endswith(PERHAPS)}
        found = {
            "still running": self.processes,
            "not named": sorted(set(self.there) - said),
            "named, but gone": sorted(sure - set(self.there)),
            "state is no JSON": self.bad_states,
            "lock": self.locks,
            "raw traceback": ["yes"] if self.traceback else [],
            "pytest did not end": ["yes"] if self.exit_code is None else [],
        }
        return [f"{what}: {', '.join(items)}" for what, items in found.items() if items]


def cells() -> Iterator[Cell]:
    """Return every cell that there is."""
    for how in HOWS:
        for phase in PHASES:
            for ending in ENDINGS:
                cell = Cell(ending=ending, phase=phase, how=how)
                if cell.is_meant:
                    yield cell


@contextlib.contextmanager
def stand_in(environment: Mapping[str, str]) -> Iterator[tuple[MockAzure, dict[str, str]]]:
    """Rehearse a step of Azure DevOps, and give the stand-in behind it."""
    made: list[MockAzure] = []

    class Seen(MockAzure):
        def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the stand-in's own
            super().__init__(**settings)
            made.append(self)

    options = RehearsalOptions(pipeline="azure-devops", environment=environment)
    with mock.patch.object(rehearsal, "MockAzure", Seen), rehearse(options) as step:
        yield made[0], dict(step)


class Scene:
    """The folder of a cell, with the module in it.

    Args:
        folder: An empty folder.
        cell: The cell.
        base: Another source tree of the plugin, to compare with; None for this one.
    """

    def __init__(self, folder: Path, cell: Cell, *, base: str | None = None) -> None:
        self.folder, self.cell = folder, cell
        self.temp = folder / "temp"
        self.printed = folder / "printed"
        for name in ("cloud", "temp", "bin", "module/tests"):
            (folder / name).mkdir(parents=True)
        self._write()
        mirror = lay_out(folder / "providers", source=SHELF, versions=("1.0.0",))
        outer = {name: value for name, value in os.environ.items() if name not in OUTER}
        outer |= {**mirror, "TMPDIR": str(self.temp)}
        outer["PATH"] = os.pathsep.join([str(folder / "bin"), outer["PATH"]])
        if base is not None:
            outer["PYTHONPATH"] = base
        self.environment = outer

    def _write(self) -> None:
        text = MODULE.format(folder=self.folder)
        if self.cell.phase == "init":
            text += FETCHED.format(folder=self.folder)
        (self.folder / "module/main.tf").write_text(text, encoding="utf-8")
        if self.cell.phase in {"run", "teardown"}:
            (self.folder / "module/tests/a.tftest.hcl").write_text(RUN_BLOCK, encoding="utf-8")
        git = self.folder / "bin/git"
        git.write_text(GIT.format(folder=self.folder), encoding="utf-8")
        git.chmod(0o755)
        if self.held:
            word = "fail" if self.cell.ending == "x" else ""
            (self.folder / f"hold-{self.held}").write_text(word, encoding="utf-8")

    @property
    def held(self) -> str:
        """Where the provider, or git, is held; empty where pytest itself waits."""
        return "init" if self.cell.phase == "init" else HELD.get(self.cell.phase, "")

    def command(self) -> list[str]:
        """Return pytest's command line."""
        plain = ("no:randomly", "no:cacheprovider", "no:terraform", "no:hypothesispytest")
        command = [sys.executable, "-m", "pytest", *(part for p in plain for part in ("-p", p))]
        check = "none" if self.cell.phase in {"run", "teardown"} else "delayed_apply"
        delay = "60s" if self.cell.phase == "between" else "0s"
        command += ["--tf-module=module", f"--tf-check={check}", f"--tf-delay={delay}", "-v"]
        executable = "embedded" if self.cell.how == "embedded" else "terraform"
        command.append(f"--tf-executable={executable}")
        return [*command, *self._options()]

    def _options(self) -> list[str]:
        ending = self.cell.ending
        workers = ["-n2"] if self.cell.how == "xdist" else ["-p", "no:xdist"]
        if ending == "timeout-signal":
            return [*workers, "--timeout=600", "--timeout-method=signal"]
        if ending == "timeout-thread":
            return [*workers, f"--timeout={TIMEOUT_SECONDS}", "--timeout-method=thread"]
        return [*workers, "-p", "no:timeout", *(["-x"] if ending == "x" else [])]

    def is_reached(self) -> bool:
        """Whether the phase is reached."""
        if self.held:
            return (self.folder / f"at-{self.held}").exists()
        try:
            plans = [p for p in self.temp.rglob("tfplan") if p.stat().st_size]
        except FileNotFoundError:  # a folder has gone meanwhile
            return False
        return bool(plans) and not self.terraforms()

    def release(self) -> None:
        """Let go what is held."""
        if self.held:
            (self.folder / f"hold-{self.held}").unlink(missing_ok=True)

    def processes(self) -> dict[int, str]:
        """Return what runs in this scene: by process id, the command line."""
        mark = os.fsencode(f"TMPDIR={self.temp}") + b"\0"
        found = {}
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in environ.read_bytes():
                    line = (environ.parent / "cmdline").read_bytes().replace(b"\0", b" ")
                    if line:  # one that has ended has none
                        found[int(environ.parent.name)] = line.decode(errors="replace").strip()
        return found

    def terraforms(self) -> dict[int, int]:
        """Return the Terraforms that run, and their parents."""
        found = {p for p, line in self.processes().items() if _is_terraform(line)}
        return {process: _parent(process) for process in found}


def _is_terraform(line: str) -> bool:
    return line.split(" ", maxsplit=1)[0].endswith("/terraform") or "embedded.py" in line


def _parent(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[1])


def wait_for(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; return whether it is."""
    end = real_seconds() + seconds
    while not is_so():
        if real_seconds() > end:
            return False
        real_sleep(LOOK_SECONDS)
    return True


def play(folder: Path, cell: Cell, *, base: str | None = None) -> Outcome:
    """Play a cell, and give what is left."""
    scene = Scene(folder, cell, base=base)
    outcome = Outcome(cell=str(cell))
    with stand_in(scene.environment) as (azure, step):
        descriptor, writer = os.pipe()
        reader = os.fdopen(descriptor, "rb", buffering=0)
        to_pipe = cell.ending == "stdout"
        with (
            scene.printed.open("wb") as file,
            default_signals(),
            subprocess.Popen(
                scene.command(),
                cwd=folder,
                env=step,
                stdin=subprocess.DEVNULL,
                stdout=writer if to_pipe else file,
                stderr=file if to_pipe else subprocess.STDOUT,
                start_new_session=True,
            ) as pytest_process,
        ):
            os.close(writer)
            try:
                _act(scene, pytest_process, reader, outcome)
            finally:
                reader.close()
                scene.release()
                wait_for(lambda: not scene.processes(), GONE_SECONDS)
                outcome.processes = [f"{p} {line[:80]}" for p, line in scene.processes().items()]
                _kill_rest(scene, pytest_process)
        _look(scene, azure, outcome)
    return outcome


def _act(
    scene: Scene, process: subprocess.Popen[bytes], reader: RawIOBase, outcome: Outcome
) -> None:
    reached = wait_for(lambda: scene.is_reached() or process.poll() is not None, REACH_SECONDS)
    assert reached, f"{scene.cell}: not reached\n{scene.printed.read_text(errors='replace')}"
    assert process.poll() is None, scene.printed.read_text(errors="replace")
    started = real_seconds()
    _end(scene, process, reader)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    outcome.exit_code = process.returncode
    outcome.seconds = round(real_seconds() - started, 1)


def _end(scene: Scene, process: subprocess.Popen[bytes], reader: RawIOBase) -> None:
    ending = scene.cell.ending
    send = process.send_signal
    if ending == "int-group":
        os.killpg(process.pid, signal.SIGINT)
    elif ending in {"int-pytest", "int-twice", "agent"}:
        send(signal.SIGINT)
    elif ending in {"term", "hup"}:
        send(signal.SIGTERM if ending == "term" else signal.SIGHUP)
    elif ending == "kill":
        send(signal.SIGKILL)
    elif ending in {"worker", "timeout-signal"}:
        os.kill(_owner(scene, process), signal.SIGKILL if ending == "worker" else signal.SIGALRM)
    elif ending == "stdout":
        reader.close()
    if ending == "int-twice":
        real_sleep(TWICE_SECONDS)  # what a person needs for it
        send(signal.SIGINT)
        process.wait(END_SECONDS)
    elif ending == "agent":
        _as_agents_do(process)
    elif ending == "timeout-thread":
        real_sleep(0.1)
    scene.release()


def _as_agents_do(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM and SIGKILL when their time has come; what is held is held until then."""
    for number, seconds in ((signal.SIGTERM, AGENT_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if wait_for(lambda: process.poll() is not None, seconds):
            return
        process.send_signal(number)


def _owner(scene: Scene, process: subprocess.Popen[bytes]) -> int:
    """Return the pytest process that a Terraform belongs to: with pytest-xdist, a worker."""
    if scene.cell.how != "xdist":
        return process.pid
    owners = [parent for parent in scene.terraforms().values() if parent]
    if owners:
        return owners[0]
    return min(p for p in scene.processes() if _parent(p) == process.pid)  # gets the first item


def _kill_rest(scene: Scene, process: subprocess.Popen[bytes]) -> None:
    for left in scene.processes():
        with contextlib.suppress(OSError):
            os.kill(left, signal.SIGKILL)
    process.kill()


def _look(scene: Scene, azure: MockAzure, outcome: Outcome) -> None:
    printed = scene.printed.read_text(encoding="utf-8", errors="replace")
    notes = [p.read_text(encoding="utf-8") for p in scene.temp.glob("*/tfoidc-deployed.json")]
    outcome.there = sorted(path.name for path in (scene.folder / "cloud").iterdir())
    words = printed
    if scene.cell.is_by_force:  # nobody could say it: the notes do
        words = "tfoidc: NOT " + "\n".join(notes)
    outcome.named = _named(words)
    if scene.cell.is_by_force:  # and what goes on without pytest may destroy it: a sweep finds out
        outcome.named = [f"{name.removesuffix(PERHAPS)}{PERHAPS}" for name in outcome.named]
    outcome.traceback = "Traceback (most recent call last)" in printed
    outcome.output = printed[-4000:]
    now = azure.clock.now()
    for account in list(azure.blobs._store.accounts.values()):
        for container in account.containers.values():
            for name, blob in container.blobs.items():
                if blob.lease.locked(now):
                    outcome.locks.append(name)
                if not _is_json(blob.content):
                    outcome.bad_states.append(name)
    for state in scene.temp.rglob("*.tfstate"):
        if not _is_json(state.read_bytes()):
            outcome.bad_states.append(state.name)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content or b"{}")
    except ValueError:
        return False
    return True


def _named(words: str) -> list[str]:
    """Return the items that last words, or the section of what is left over, name."""
    _, found, said = words.partition("NOT ")
    if not found:
        _, found, said = words.partition("left over by terraform test")
    named = []
    for name in ("a", "b"):
        address = f"shelf_item.{name}"
        if f"{address}{PERHAPS}" in said or (
            found and "run 'makes'" in said and address not in said
        ):
            named.append(f"{name}{PERHAPS}")
        elif address in said:
            named.append(name)
    return named


def as_line(outcome: Outcome, faults: list[str]) -> str:
    """Write an outcome for the record."""
    return (
        json.dumps({**asdict(outcome), "faults": faults, "output": outcome.output[-1500:]}) + "\n"
    )
