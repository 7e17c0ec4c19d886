"""Recording what a live run deploys, before it does, in the ledger."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.authvariables import SUBSCRIPTION, TENANT
from pytest_tfoidc.clock import Clock
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.audit.audit import CACHE_NAME
from pytest_tfoidc.terraform.audit.detector import Detector
from pytest_tfoidc.terraform.audit.finders import LOCK_NAME, backend_secrets
from pytest_tfoidc.terraform.live.deadlines import Durations
from pytest_tfoidc.terraform.live.holding import Hold
from pytest_tfoidc.terraform.live.ledger import (
    APPLIED,
    APPLYING,
    DESTROYING,
    PLANNED,
    STATE,
    Entry,
    Ledger,
    LedgerError,
    RecordedState,
    RecordedVariable,
    new_id,
)
from pytest_tfoidc.terraform.live.revision import revision_of
from pytest_tfoidc.terraform.live.state import LOCAL
from pytest_tfoidc.terraform.tftest.events import LEFT_BEHIND, read_line
from pytest_tfoidc.terraform.variablesfile import as_json_file

if TYPE_CHECKING:
    from pytest_tfoidc.terraform.workspace import Workspace

Planned = tuple[tuple[str, str], ...]
SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase)?|secret|token|credential|(?:api|access|account|private|storage)_?key",
    re.IGNORECASE,
)
PINS = "tfoidc_pins_override.tf.json"  # what an upgrade step writes
KEPT = (LOCK_NAME, PINS)
STATE_SUFFIX = ".state"
LOCAL_STATE = "terraform.tfstate"
ENVIRONMENT, OPTION, TEST_ITSELF = "TF_VAR_", "--tf-var", "the test"
CREATE, DELETE = "create", "delete"
BOOT = Path("/proc/sys/kernel/random/boot_id")  # tells machines of one name apart
# Where Terraform keeps what a test's teardown could not destroy: 1.13 and later; OpenTofu.
TEST_STATES = (".terraform/test/*.tfstate", "errored_test.tfstate")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of all entries of a run. `root`: what modules are named relative to."""

    run: str
    root: Path
    context: Mapping[str, str]


class Recorder:
    """Makes the records of a run.

    Args:
        ledger: Where they are written.
        facts: What they have in common.
        clock: Names them.
    """

    def __init__(self, ledger: Ledger, *, facts: Facts, clock: Clock) -> None:
        self._clock = clock
        self.ledger = ledger
        self.facts = facts
        self.durations = Durations(ledger.folder)
        self.made: list[str] = []

    def record(self, workspace: Workspace) -> Record:
        """Return the record of a workspace; nothing is written yet."""
        return Record(self, workspace)

    def new_state(self) -> Path:
        """Return the path of a new state that is a file, which outlives the copy of the module."""
        name = f"{new_id(self._clock.now())}{STATE_SUFFIX}"
        return self.ledger.folder.absolute() / name / LOCAL_STATE

    def name_of(self, module: Path) -> str:
        """Name a module as entries do."""
        return _relative(module, self.facts.root)

    def took(self, module: Path, command: str, seconds: float) -> None:
        """Remember how long a command took, for deadlines."""
        self.durations.note(self.name_of(module), command, seconds)

    @property
    def left(self) -> list[str]:
        """The entries of this run that are still there."""
        return [entry_id for entry_id in self.made if self.ledger.exists(entry_id)]


class Record:
    """The ledger's record of one workspace."""

    def __init__(self, recorder: Recorder, workspace: Workspace) -> None:
        self._recorder = recorder
        self._ledger = recorder.ledger
        self._workspace = workspace
        self._id = new_id(workspace.setting.clock.now())
        self._entry: Entry | None = None
        self._hold: Hold | None = None
        self._told: dict[str, Mapping[str, str]] = {}
        self._deleting: dict[str, str] = {}
        self._is_adopted = False
        self._is_summed_up = False
        self._left_behind: list[str] = []

    def foreign_in(self, state: str) -> tuple[str, ...]:
        """Return the addresses in a state of what was not made here.

        Raises:
            ValueError: It is no state.
        """
        return foreign_in(state, self._ledger.made(self._id), has_gone_on=False)

    @property
    def entry(self) -> Entry | None:
        """The entry, as long as there is one."""
        return self._entry

    def begin(
        self, *, planned: Planned = (), kind: str = STATE, test: str = "", phase: str = APPLYING
    ) -> None:
        """Write the entry, or its next version, before something is applied or a state is locked.

        Raises:
            LedgerError: It cannot be written: nothing may be applied then.
        """
        known = self._entry
        if phase == PLANNED and known is not None:
            return
        entry = self._describe(known, planned=planned, kind=kind, test=test, phase=phase)
        if known is None:
            self._hold = self._ledger.hold(entry.id)
            self._share(self._hold)
            self._recorder.made.append(entry.id)
            self._entry = entry  # whoever cleans up after a crash in the next lines finds it
        self._keep_files(entry)
        self._write(entry)

    def _write(self, entry: Entry) -> None:
        self._ledger.write(entry)
        self._entry = entry

    def adopt(self, entry: Entry, hold: Hold) -> None:
        """Go on with an entry of an earlier run: put back what was kept, and share its lock."""
        self._entry, self._hold, self._is_adopted = entry, hold, True
        self._share(hold)
        for name in KEPT:
            with contextlib.suppress(FileNotFoundError):
                kept = (self._ledger.files(entry.id) / name).read_bytes()
                (self._workspace.path / name).write_bytes(kept)

    def _describe(
        self, known: Entry | None, *, planned: Planned, kind: str, test: str, phase: str
    ) -> Entry:
        workspace, facts = self._workspace, self._recorder.facts
        inputs, now = workspace.inputs, workspace.setting.clock.now()
        executable = workspace.setting.executable
        return Entry(
            id=self._id,
            run=facts.run,
            created=known.created if known else now,
            phase=phase,
            module=_relative(workspace.module, facts.root),
            root=str(facts.root),
            revision=revision_of(workspace.module),
            state=self._place() if kind == STATE else RecordedState(backend="memory"),
            variables=tuple(self._variables()),
            variable_files=tuple(_relative(f, facts.root) for f in inputs.variable_files),
            backend_files=tuple(_relative(f, facts.root) for f in inputs.backend_files),
            context={**facts.context, **dict(self._own_context())},
            executable={
                "product": executable.product,
                "version": executable.version,
                "path": "embedded" if executable.embedded else executable.argv[0],
            },
            planned=planned or (known.planned if known else ()),
            holder=holder(),
            kind=kind,
            test=test,
        )

    def _own_context(self) -> Iterator[tuple[str, str]]:
        """Yield where this workspace works, which may have variables of its own."""
        environment = self._workspace.runner.environment
        for name, variable in (("tenant_id", TENANT[0]), ("subscription_id", SUBSCRIPTION[0])):
            if environment.get(variable):
                yield name, environment[variable]

    def _keep_files(self, entry: Entry) -> None:
        for name in KEPT:
            with contextlib.suppress(FileNotFoundError):  # a module without providers has none
                self._ledger.keep(entry.id, name, (self._workspace.path / name).read_bytes())

    def _place(self) -> RecordedState:
        """Say where the state is, as Terraform has understood its configuration."""
        workspace = self._workspace
        if workspace.local_state is not None:
            path = workspace.local_state.relative_to(self._ledger.folder.absolute())
            config: dict[str, Any] = {"path": path.as_posix()}
            return RecordedState(
                backend=LOCAL, config=config, workspace=workspace.selected, is_isolated=True
            )
        backend, config = _cached_backend(workspace.path / CACHE_NAME)
        kept, withheld = without_secrets(backend, config, workspace.setting.redactor)
        place = workspace.guard.place
        return RecordedState(
            backend=backend,
            config=kept,
            withheld=withheld,
            workspace=workspace.selected,
            own_workspace=place.terraform_workspace if place else "",
            is_isolated=place is not None and not place.is_own,
        )

    def _variables(self) -> Iterator[RecordedVariable]:
        workspace = self._workspace
        declared = {one.name: one for one in workspace.configuration.variables}
        given = dict(text.split("=", 1) for text in workspace.inputs.variables)
        values = workspace.variables.values
        for name in declared:
            if name not in {*given, *values} and ENVIRONMENT + name in workspace.runner.environment:
                yield RecordedVariable(name=name, source=ENVIRONMENT + name)
        texts = {name: json.loads(as_json_file({name: one}))[name] for name, one in values.items()}
        for name, value in {**given, **texts}.items():
            known = declared.get(name)
            is_json = name in texts
            text = json.dumps(value, ensure_ascii=False) if is_json else value
            is_secret = known is not None and (known.sensitive or known.ephemeral)
            if is_secret or may_be_secret(name, text, workspace.setting.redactor):
                yield RecordedVariable(name=name, source=TEST_ITSELF if is_json else OPTION)
            else:
                yield RecordedVariable(name=name, value=text, is_json=is_json)

    def read(self, line: str) -> None:
        """Take in what Terraform says of resources while it applies or destroys.

        Nothing may escape: Terraform blocks when nobody reads. A full disk loses a line.
        """
        message = _message(line)
        with contextlib.suppress(OSError):
            if message.get("type") == "planned_change":
                self._plan(message)
            self._note([line for line in self._noted(message) if self._is_news(line)])
        if message.get("type") == "test_summary":
            self._is_summed_up = True
        elif message.get("type") in LEFT_BEHIND and (event := read_line(line)) is not None:
            self._left_behind += event.left_behind

    def _plan(self, message: Mapping[str, Any]) -> None:
        change = planned_change(message)
        if self._entry is not None and change is not None and change not in self._entry.planned:
            planned = (*self._entry.planned, change)
            self._entry = dataclasses.replace(self._entry, planned=planned)

    def _note(self, lines: list[Mapping[str, str]]) -> None:
        if self._entry is not None and lines:
            self._ledger.note(self._entry.id, lines)

    def _is_news(self, line: Mapping[str, str]) -> bool:
        """Say whether it is told for the first time; run blocks tell it again and again."""
        is_known = self._told.get(line["address"]) == line
        self._told[line["address"]] = line
        return not is_known

    def _noted(self, message: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
        redact = self._workspace.setting.redactor.redact
        hook = message.get("hook") or {}
        kind, action = message.get("type"), hook.get("action")
        address = (hook.get("resource") or {}).get("addr", "")
        if kind == "apply_start" and action == CREATE:
            yield {"what": "creating", "address": address}
        elif kind == "apply_complete" and action == CREATE:
            yield {"what": "created", "address": address, "id": _id(hook.get("id_value"), redact)}
        elif kind == "apply_start" and action == DELETE:
            self._deleting[address] = _id(hook.get("id_value"), redact)
        elif kind == "apply_complete" and action == DELETE:
            yield {"what": "gone", "address": address, "id": self._deleting.pop(address, "")}
        elif kind == "apply_errored" and action == CREATE:
            yield {"what": "gone", "address": address}  # it is in the state, or was not made
        elif kind == "test_state":
            for resource in _resources((message.get("test_state") or {}).get("root_module") or {}):
                id_value = (resource.get("values") or {}).get("id")
                found = {"address": str(resource.get("address")), "id": _id(id_value, redact)}
                yield {"what": "created", **found}

    def applied(self) -> None:
        """Note that the apply has ended, well or badly."""
        self._change(phase=APPLIED)

    def nothing_applied(self) -> None:
        """Note that an apply has failed before it began: there is nothing to destroy."""
        self._change(phase=PLANNED)

    def destroying(self) -> None:
        """Note that the destroy begins."""
        self._change(phase=DESTROYING)

    def _change(self, **values: Any) -> None:  # noqa: ANN401 - an entry's fields
        if self._entry is not None:
            with contextlib.suppress(Exception):  # it is there, and still true enough
                self._write(dataclasses.replace(self._entry, **values))

    def confirm(self, state: str) -> bool:
        """Remove the entry if the state is empty, and nothing is known that no state knows.

        Returns:
            Whether it is removed.

        Raises:
            LedgerError: It cannot be removed.
            ValueError: The state cannot be read.
        """
        if self._entry is None:
            return True
        orphans = (one.address for one in self._ledger.journal(self._entry.id))
        remains = managed(state) or tuple(orphans)
        if remains:
            self._change(remains=remains)
            return False
        self._remove()
        return True

    def _remove(self) -> None:
        if self._entry is not None:
            self._ledger.remove(self._entry.id)
        self._entry = None
        self.release()

    def gone(self, address: str) -> None:
        """Note that a resource is not there any more.

        Raises:
            OSError: It cannot be written.
        """
        self._note([{"what": "gone", "address": address}])

    def end_test(self) -> None:
        """Remove the entry of a test whose teardown Terraform has confirmed; else say what is left.

        What Terraform has kept of the state of what is left is kept beside the entry.
        """
        if self._entry is None:
            return
        if self._is_summed_up and not self._left_behind:
            self._remove()
            return
        for number, path in enumerate(_test_states(self._workspace.path)):
            with contextlib.suppress(LedgerError, OSError):  # what is told by name remains
                self._ledger.keep(self._entry.id, f"test-{number}.tfstate", path.read_bytes())
        self._change(phase=APPLIED, remains=tuple(dict.fromkeys(self._left_behind)))

    def close(self) -> None:
        """Remove an entry whose plan was never applied; let others work on one that is left."""
        if self._entry and self._entry.phase == PLANNED and not self._is_adopted:
            with contextlib.suppress(LedgerError):  # a sweep finds an empty state, and removes it
                self._remove()
        self.release()

    def release(self) -> None:
        """Let others work on the entry."""
        hold, self._hold = self._hold, None
        if hold is not None:
            runner, mine = self._workspace.runner, hold.descriptors
            runner.shared = tuple(one for one in runner.shared if one not in mine)
            hold.release()

    def _share(self, hold: Hold) -> None:
        """Let Terraform hold the entry as long as it lives, whatever becomes of us."""
        runner = self._workspace.runner
        runner.shared = (*runner.shared, *hold.descriptors)


def _id(value: object, redact: Callable[[str], str]) -> str:
    """Return a resource's id, unless it is a secret."""
    text = value if isinstance(value, str) else ""
    return text if redact(text) == text else ""


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in module.get("resources") or ():
        if resource.get("mode") == "managed":
            yield resource
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _test_states(folder: Path) -> Iterator[Path]:
    for pattern in TEST_STATES:
        for path in sorted(folder.glob(pattern)):
            with contextlib.suppress(OSError, ValueError):
                if managed(path.read_text(encoding="utf-8")):
                    yield path


def _message(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def planned_change(message: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the address and the action of a planned change, as Terraform's JSON tells it."""
    change = message.get("change") or {}
    address = (change.get("resource") or {}).get("addr")
    action = change.get("action")
    return (str(address), str(action)) if address and action else None


def managed(state: str) -> tuple[str, ...]:
    """Return the addresses of the resources in a state; none where there is no state.

    Raises:
        ValueError: It is no state.
    """
    return tuple(address for address, _ in managed_ids(state))


def managed_ids(state: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the addresses of the resources in a state, and what Terraform may tell as their ids.

    Raises:
        ValueError: It is no state.
    """
    found = json.loads(state) if state.strip() else {}
    for resource in found.get("resources") or ():
        if resource.get("mode") == "managed":
            for instance in resource.get("instances") or ():
                values = instance.get("attributes") or {}
                ids = (values.get(name) for name in ("id", "name"))
                yield _address(resource, instance), frozenset(i for i in ids if isinstance(i, str))


def foreign_in(
    state: str, made: Mapping[str, frozenset[str]], *, has_gone_on: bool = True
) -> tuple[str, ...]:
    """Return the addresses in a state of what was not made by who has this journal.

    What was moved to another address is known by its id, whatever its case.

    Args:
        state: As `state pull` prints it.
        made: By address: the ids that were told; none where it was made and no id was told.
        has_gone_on: Others may have destroyed what was made, and made it anew, with another id. In
            the run itself a new id comes from a provider's upgrade.

    Raises:
        ValueError: It is no state.
    """
    all_ids = {one.casefold() for ids in made.values() for one in ids}
    return tuple(
        address
        for address, ids in managed_ids(state)
        if all_ids.isdisjoint(one.casefold() for one in ids)
        and (address not in made or (has_gone_on and made[address]))
    )


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    module = f"{resource['module']}." if resource.get("module") else ""
    index = json.dumps(instance.get("index_key"), ensure_ascii=False)  # as Terraform tells it
    key = f"[{index}]" if "index_key" in instance else ""
    return f"{module}{resource.get('type')}.{resource.get('name')}{key}"


def may_be_secret(name: str, value: str, redactor: Redactor) -> bool:
    """Say whether a value may be a secret: by its name, its form, or because it is known."""
    looks_so = SECRET_NAME.search(name) is not None or any(Detector().find(value))
    return looks_so or redactor.redact(value) != value


def without_secrets(
    backend: str, config: Mapping[str, Any], redactor: Redactor
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return a backend's configuration without what may be secret, and the names of that."""
    kept, withheld = {}, []
    for name, value in config.items():
        if not isinstance(value, (str, bool, int, float)) or value == "":
            continue  # not given, or nested: it stands in the module's own block
        text = value if isinstance(value, str) else json.dumps(value)
        if backend_secrets(backend, {name: text}) or redactor.redact(text) != text:
            withheld.append(name)
        else:
            kept[name] = text
    return kept, tuple(withheld)


def _cached_backend(cache: Path) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(cache.read_text(encoding="utf-8")).get("backend") or {}
    except (OSError, ValueError):
        found = {}
    return str(found.get("type") or "local"), dict(found.get("config") or {})


def _relative(path: Path, root: Path) -> str:
    """Name a path relative to the root where it lies in it."""
    relative = os.path.relpath(path, root)
    return str(path) if relative.startswith("..") else Path(relative).as_posix()


def holder() -> dict[str, str]:
    """Say who works here, as Terraform does in the locks of states."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
    found = {"user": user, "host": socket.gethostname(), "process": str(os.getpid())}
    with contextlib.suppress(OSError):
        found["boot"] = BOOT.read_text(encoding="ascii").strip()
    return found
