"""The deployed resources as far as Terraform has told, and a note of them beside the workspace.

Whoever says the last words of a run may be another process than the one that has deployed: the
controller of pytest-xdist, or the next run. The note is in the workspace's own folder, so that it
goes where the workspace goes. Addresses and places are all that it says: nothing secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NOTE = "tfoidc-deployed.json"
FOLDERS = "tfoidc-*"  # how workspaces' folders are called
CREATES, DELETES = frozenset({"create", "update", "replace"}), frozenset({"delete"})
START_FIELD = 19  # of what follows the name in /proc/PID/stat: in ticks since the machine's start
PERHAPS = " (perhaps)"  # Terraform has begun with it, and has not told how it ended
PLACE = (  # what tells a state from others, in the configurations of backends; nothing secret
    *("storage_account_name", "container_name", "bucket", "address", "hostname", "organization"),
    *("schema_name", "prefix", "path", "key", "secret_suffix", "workspace_dir"),
)


@dataclass(frozen=True, kw_only=True)
class Remains:
    """The resources that one workspace has deployed.

    Attributes:
        module: The module's folder.
        workspace: The workspace's folder, which Terraform can be run in.
        state: Where the state is, in words.
        resources: The addresses, as far as Terraform has told them.
        process: The process that has deployed it.
        parent: Its parent: with pytest-xdist, the controller.
        started: When these two have started, as far as that can be told: in containers the next run
            may have the same numbers.
    """

    module: str
    workspace: str
    state: str
    resources: tuple[str, ...] = ()
    process: int = field(default_factory=os.getpid)
    parent: int = field(default_factory=os.getppid)
    started: tuple[str, str] = ("", "")

    def is_of(self, process: int) -> bool:
        """Tell whether a process that runs now has deployed it, or a child of that process."""
        known = zip((self.process, self.parent), self.started, strict=False)
        return (process, start_of(process)) in known


class Deployed:
    """Follows what a workspace's commands deploy and destroy.

    Args:
        module: The module's folder.
        workspace: The workspace's folder.
        base: Where the note is kept; None keeps none: nothing real is deployed.
    """

    def __init__(self, *, module: Path, workspace: Path, base: Path | None) -> None:
        self._module, self._workspace, self._base = module, workspace, base
        self._known: dict[str, bool] = {}  # by address: whether it is there for certain
        self._planned: dict[str, bool] = {}
        self._has_begun = False
        self._of_tests: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Note that something is about to be deployed, before it is."""
        with self._lock:
            self._has_begun = True
            self._write()

    def end(self) -> None:
        """Forget what was planned, and not begun with: the command has ended."""
        with self._lock:
            self._planned.clear()
            self._write()

    def read(self, line: str) -> None:
        """Take in a line of `plan -json`, `apply -json` or `destroy -json`."""
        hook = _hook(line)
        if hook is None:
            return
        kind, action, address = hook
        with self._lock:
            if kind == "planned_change":
                if action in CREATES:
                    self._planned[address] = False
                if not self._has_begun:
                    return  # what is planned is noted when it is about to be made
                self._write()
                return
            if kind == "apply_complete" and action in DELETES:
                self._known.pop(address, None)
            elif kind == "apply_complete":
                self._known[address] = True
            elif kind == "apply_start" or address in self._known:
                self._known[address] = False
            self._planned.pop(address, None)
            self._write()

    def note_test(self, file: str, addresses: Iterable[str]) -> None:
        """Note what the run blocks of a file have deployed by now."""
        with self._lock:
            self._of_tests[file] = tuple(addresses)
            self._write()

    def forget(self) -> None:
        """Forget everything: Terraform has confirmed that it was destroyed."""
        with self._lock:
            self._known.clear()
            self._has_begun = False
            self._write()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there, and nothing was begun."""
        return not (self._has_begun or self.resources)

    @property
    def resources(self) -> tuple[str, ...]:
        """The addresses of what is there, as far as it was told."""
        known = {**self._planned, **self._known} if self._has_begun else self._known
        own = (f"{address}{'' if sure else PERHAPS}" for address, sure in known.items())
        tests = (f"{file}: {a}" for file, found in self._of_tests.items() for a in found)
        return (*own, *tests)

    def _write(self) -> None:
        if self._base is None:
            return
        if self.is_empty:
            (self._base / NOTE).unlink(missing_ok=True)
            return
        remains = Remains(
            module=str(self._module),
            workspace=str(self._workspace),
            state=state_place(self._workspace),
            resources=self.resources,
            started=(start_of(os.getpid()), start_of(os.getppid())),
        )
        partial = self._base / f".{NOTE}"
        with contextlib.suppress(OSError):  # a full disk must not end the command that it is about
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(remains), file)
            partial.replace(self._base / NOTE)


def _hook(line: str) -> tuple[str, str, str] | None:
    if not line.startswith("{") or not ('"apply_' in line or '"planned_change"' in line):
        return None
    try:
        message = json.loads(line)
        kind, hook = message["type"], message.get("hook") or message["change"]
        return str(kind), str(hook["action"]), str(hook["resource"]["addr"])
    except (ValueError, KeyError, TypeError):
        return None


def state_place(workspace: Path) -> str:
    """Say where a workspace's state is: the backend, and what stands for an address there."""
    try:
        text = (workspace / ".terraform/terraform.tfstate").read_text(encoding="utf-8")
        backend = json.loads(text)["backend"]
        kind, config = str(backend["type"]), dict(backend["config"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"local: {workspace / 'terraform.tfstate'}"
    values = [str(config[name]) for name in PLACE if config.get(name)]
    return f"{kind}: {'/'.join(values)}" if values else kind


def notes(*processes: int) -> tuple[Remains, ...]:
    """Return what is noted on this machine by one of these processes, or by a child of one."""
    return tuple(
        remains
        for remains in _all_notes(Path(tempfile.gettempdir()))
        if any(remains.is_of(process) for process in processes)
    )


def start_of(process: int) -> str:
    """Return what tells a process from others that had its number; empty where that is not told."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[START_FIELD]


def _all_notes(folder: Path) -> Iterator[Remains]:
    for note in sorted(folder.glob(f"{FOLDERS}/{NOTE}")):
        with contextlib.suppress(
            OSError, ValueError, TypeError, KeyError
        ):  # half written, or not ours
            held: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
            lists = {"resources": tuple(held["resources"]), "started": tuple(held["started"])}
            yield Remains(**{**held, **lists})
