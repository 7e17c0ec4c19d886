"""Destroying what the ledger holds: from another process, job or machine, with fresh tokens.

Each entry is worked on by one sweep at a time, and not while the run that made it lives: its lock
is held by that run, and by a Terraform that outlives it. Nothing is touched that has no entry.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from pytest_tfoidc.clock import real_seconds, real_sleep
from pytest_tfoidc.ending import Ending
from pytest_tfoidc.errors import TerraformError, TfOidcError, UsageError
from pytest_tfoidc.processes import handled
from pytest_tfoidc.reporting.diagnosis import diagnose
from pytest_tfoidc.session import OidcSession, context_facts
from pytest_tfoidc.statelocks import StateLock, find_lock
from pytest_tfoidc.terraform.backend import DEFAULT_WORKSPACE, Inputs
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.executable import EMBEDDED, find_executable
from pytest_tfoidc.terraform.live.guard import AdoptedGuard
from pytest_tfoidc.terraform.live.holding import Hold
from pytest_tfoidc.terraform.live.ledger import (
    PLANNED,
    TEST,
    Damaged,
    Entry,
    Ledger,
    Noted,
    RecordedState,
    RecordedVariable,
    without_collector,
)
from pytest_tfoidc.terraform.live.recording import (
    LOCAL_STATE,
    OPTION,
    STATE_SUFFIX,
    foreign_in,
    holder,
    managed,
)
from pytest_tfoidc.terraform.live.revision import revision_of
from pytest_tfoidc.terraform.live.state import LOCAL, StatePlace
from pytest_tfoidc.terraform.module import Variable
from pytest_tfoidc.terraform.workspace import Workspace

Status = Literal["destroyed", "left", "listed", "in use"]
OK, LEFT = 0, 3  # exit codes
POLL_SECONDS = 0.2
MOST_NAMED = 3  # resources in a sentence
CLOCK_SKEW = timedelta(minutes=5)  # between two machines
IS_GONE = re.compile(r"Cannot import non-existent remote object")
BACKEND_IS_GONE = re.compile(
    r"ContainerNotFound|container does not exist|ContainerBeingDeleted|NoSuchBucket|no such host"
    r"|Storage Account .* was not found|ResourceGroupNotFound|bucket doesn't exist",
    re.IGNORECASE,
)
NO_RIGHTS = re.compile(
    r"AADSTS\d+|AuthorizationFailed|AuthorizationPermissionMismatch|AuthorizationFailure"
    r"|AccessDenied|does not have authorization|\b403\b|\b401\b"
)
NO_WORKSPACE = re.compile(r"[Ww]orkspace \"[^\"]*\" doesn't exist")
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """The settings of a sweep.

    Attributes:
        ledger: The ledger's folder.
        root: What modules are named relative to here.
        wanted: The entries, by their ids; none for all.
        inputs: Variables and backend configuration that the ledger does not hold: secrets.
        executable: The Terraform to use in place of the recorded one.
        wait: How long to wait for entries that are in use.
        assume_ended: Take it that the runs of entries from other machines have ended.
    """

    ledger: Path
    root: Path
    wanted: tuple[str, ...] = ()
    inputs: Inputs = dataclasses.field(default_factory=Inputs)
    executable: str | None = None
    wait: timedelta = timedelta(seconds=30)
    assume_ended: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a sweep for one entry. `why` and `remedy` are empty where nothing is left.

    `remains`: the addresses of what is left, as far as they are known.
    """

    id: str
    what: str
    status: Status
    why: str = ""
    remedy: str = ""
    remains: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it for people, with what is left a line each."""
        lines = [f"{self.status}: {self.id}  {self.what}"]
        lines += [f"  {address}" for address in self.remains]
        lines += [f"  Note: {note}" for note in self.notes]
        lines += [f"  Cause: {self.why}"] if self.why else []
        lines += [f"  Remedy: {self.remedy}"] if self.remedy else []
        return "\n".join(lines)


class LeftError(Exception):
    """An entry cannot be destroyed; the message says why, `remedy` what to do."""

    def __init__(self, why: str, *, remedy: str = "", remains: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.remains = tuple(remains)


def entries_of(options: SweepOptions) -> list[Entry | Damaged]:
    """Return the entries that are to be swept.

    Raises:
        UsageError: There is no such entry.
        LedgerError: The ledger cannot be read.
    """
    found = Ledger(options.ledger).entries()
    unknown = set(options.wanted) - {one.id for one in found}
    if unknown:
        raise UsageError(
            f"There is no entry {', '.join(sorted(unknown))}.",
            where=str(options.ledger),
            remedy="List them: tfoidc sweep --dry-run",
        )
    return [one for one in found if not options.wanted or one.id in options.wanted]


def listing(options: SweepOptions) -> list[Outcome]:
    """List the entries; nothing is asked for or touched.

    Raises:
        TfOidcError: As for `entries_of`.
    """
    ledger = Ledger(options.ledger)
    journals = ledger.journals()
    with without_collector():
        return [_listed(one, ledger, journals) for one in entries_of(options)]


def _listed(one: Entry | Damaged, ledger: Ledger, journals: frozenset[str]) -> Outcome:
    if isinstance(one, Damaged):
        return _damaged(one)
    known = _known_resources(one, ledger if one.id in journals else None)
    return Outcome(id=one.id, what=str(one), status="listed", remains=known)


def _known_resources(entry: Entry, ledger: Ledger | None) -> tuple[str, ...]:
    noted = [one.address for one in ledger.journal(entry.id)] if ledger is not None else []
    planned = [address for address, action in entry.planned if action in {"create", "replace"}]
    return tuple(dict.fromkeys(noted or entry.remains or planned))


def _damaged(one: Damaged) -> Outcome:
    return Outcome(id=one.id, what=str(one.path), status="left", why=one.why, remedy=one.remedy)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 0 where nothing is left, else 3."""
    return OK if all(one.status == "destroyed" for one in outcomes) else LEFT


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return outcomes for machines."""
    left = exit_code(outcomes) != OK
    found = {"left": left, "entries": [dataclasses.asdict(one) for one in outcomes]}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def as_text(outcomes: Sequence[Outcome]) -> str:
    """Return outcomes for people: each, and how many could not be destroyed."""
    if not outcomes:
        return "Nothing is left.\n"
    left = sum(one.status != "destroyed" for one in outcomes)
    listed = all(one.status == "listed" for one in outcomes)
    end = (
        "Nothing is left."
        if not left
        else f"{left} left."
        if listed
        else (f"{left} of {len(outcomes)} could not be destroyed.")
    )
    return "\n".join([*map(str, outcomes), end, ""])


def sweep(session: OidcSession, options: SweepOptions, *, tell: Tell) -> list[Outcome]:
    """Destroy what the entries tell of, one after another: what came last goes first.

    Args:
        session: A live session, of the same context.
        options: What to sweep.
        tell: Is told of progress, a line at a time.

    Raises:
        TfOidcError: As for `entries_of`. What goes wrong with an entry is told in its outcome.
    """
    return [*_swept(session, options, tell, entries_of(options)[::-1])][::-1]


def _swept(
    session: OidcSession, options: SweepOptions, tell: Tell, entries: Iterable[Entry | Damaged]
) -> Iterator[Outcome]:
    sweeper = _Sweeper(session, options, tell)
    return map(sweeper.outcome, entries)


def sweep_in_order(session: OidcSession, options: SweepOptions, *, tell: Tell) -> list[Outcome]:
    """Do the same, and end in order where a signal asks for it: what is left is told all the same.

    Terraform is interrupted once, and has time to write its state; what it does not do in time it
    does after us, and holds the entry until then.

    Raises:
        TfOidcError: As for `entries_of`.
    """
    outcomes: list[Outcome] = []
    entries = entries_of(options)[::-1]
    with contextlib.suppress(KeyboardInterrupt), handled(_asking(session.ending)):
        outcomes.extend(_swept(session, options, tell, entries))
    ending = session.ending
    notes = [
        f"`terraform {left.command}` (process {left.process}) was interrupted, and is still at it"
        for left in ending.left_running
    ]
    for one in entries[len(outcomes) :]:
        outcomes.append(_not_swept(one, Ledger(options.ledger), ending.signals, notes))
        notes = []  # they are about the first of these
    return outcomes[::-1]


def _asking(ending: Ending) -> Callable[[int, FrameType | None], None]:
    """Return what takes signals: it raises where nobody waits who looks for them."""

    def take(number: int, _frame: FrameType | None) -> None:
        if ending.ask(number) and not ending.is_waiting:
            raise KeyboardInterrupt

    return take


def _not_swept(
    one: Entry | Damaged, ledger: Ledger, signals: Sequence[str], notes: Sequence[str]
) -> Outcome:
    if isinstance(one, Damaged):
        return _damaged(one)
    if not ledger.exists(one.id):
        return Outcome(id=one.id, what=str(one), status="destroyed")
    return Outcome(
        id=one.id,
        what=str(one),
        status="left",
        why=f"the sweep was asked to end ({', then '.join(signals)})",
        remedy="Sweep again.",
        remains=_known_resources(one, ledger),
        notes=tuple(notes),
    )


class _Sweeper:
    """Works on one entry after another."""

    def __init__(self, session: OidcSession, options: SweepOptions, tell: Tell) -> None:
        self._session = session
        self._options = options
        self._ledger = Ledger(options.ledger)
        self._tell = tell
        self._until = real_seconds() + options.wait.total_seconds()
        self._notes: list[str] = []

    def outcome(self, one: Entry | Damaged) -> Outcome:
        if isinstance(one, Damaged):
            return _damaged(one)
        self._notes = []
        self._tell(f"{one.id}: {one}")
        hold = self._ledger.lock(one.id)
        try:
            if not self._acquire(hold, one):
                return self._in_use(one)
            status, error = self._status(one, hold)
        finally:
            hold.release()
        self._tell(f"{one.id}: {status}")
        return Outcome(
            id=one.id,
            what=str(one),
            status=status,
            why=str(error or ""),
            remedy=error.remedy if error else "",
            remains=error.remains if error else (),
            notes=tuple(self._notes),
        )

    def _acquire(self, hold: Hold, entry: Entry) -> bool:
        """Wait for the entry: a Terraform that has outlived its run ends in order."""
        is_told = False
        while self._ledger.exists(entry.id) and not hold.acquire():
            if real_seconds() > self._until:
                return False
            if not is_told:
                self._tell(f"{entry.id}: in use, waiting")
                is_told = True
            real_sleep(POLL_SECONDS)
        return True

    def _in_use(self, entry: Entry) -> Outcome:
        who = entry.holder
        process = f"process {who.get('process')} on {who.get('host')}"
        return Outcome(
            id=entry.id,
            what=str(entry),
            status="in use",
            why=f"its run, or another sweep, is still at work on it ({process}, since"
            f" {entry.created:%Y-%m-%d %H:%M:%S} UTC)",
            remedy="Sweep again when that has ended.",
        )

    def _status(self, entry: Entry, hold: Hold) -> tuple[Status, LeftError | None]:
        again = self._ledger.read(entry.id)
        if not self._ledger.exists(entry.id):
            self._notes.append("another sweep was faster")
            return "destroyed", None
        if isinstance(again, Damaged):
            return "left", LeftError(again.why, remedy=again.remedy)
        try:
            self._destroy(again, hold)
        except LeftError as left:
            return "left", left
        except TerraformError as error:
            return "left", self._explained(error, again)
        except TfOidcError as error:
            return "left", LeftError(error.what, remedy=error.remedy)
        return "destroyed", None

    def _destroy(self, entry: Entry, hold: Hold) -> None:
        self._require_same_context(entry)
        module = self._module(entry)
        self._note_revision(entry, module)
        inputs = self._inputs(entry, module)
        for state in self._states(entry):
            with self._session.workspace(module, inputs=inputs) as workspace:
                self._prepare(workspace, entry, state)
                assert workspace.record is not None  # noqa: S101 - for mypy: it is a live session
                workspace.record.adopt(entry, hold.share())
                self._destroy_in(workspace, entry)
        left = self._orphans(entry)
        if left:
            raise _unknown_to_states(left)
        self._remove(entry)

    def _prepare(self, workspace: Workspace, entry: Entry, state: Path | None) -> None:
        """Lead a fresh workspace to the entry's state."""
        self._use_recorded(workspace, entry)
        workspace.assume_selected(
            DEFAULT_WORKSPACE if entry.kind == TEST else entry.state.workspace
        )
        config = {**entry.state.config, **workspace.inputs.backend}
        place = StatePlace(
            backend=entry.state.backend,
            config={**workspace.backend.given(), **config},
            settings=entry.state.config,
            terraform_workspace=entry.state.own_workspace,
            is_own=not entry.state.is_isolated,
        )
        store = workspace.setting.state_store
        workspace.guard = AdoptedGuard(workspace, place=place, store=store)
        workspace.local_state = state

    def _remove(self, entry: Entry) -> None:
        """Remove the entry, and the file of its state if nobody else's is in it."""
        if self._ledger.exists(entry.id):
            self._ledger.remove(entry.id)
        file = self._state_file(entry)
        others = [one for one in self._ledger.entries() if isinstance(one, Entry)]
        if file is not None and file not in {self._state_file(one) for one in others}:
            shutil.rmtree(file.parent, ignore_errors=True)

    def _state_file(self, entry: Entry) -> Path | None:
        """Return the file of a state that is kept in the ledger's folder; None for others."""
        path = Path(entry.state.config.get("path", ""))
        is_kept = entry.state.backend == LOCAL and path.parent.suffix == STATE_SUFFIX
        return self._ledger.folder / path if is_kept and not path.is_absolute() else None

    def _destroy_in(self, workspace: Workspace, entry: Entry) -> None:
        workspace.init()
        if entry.state.workspace != DEFAULT_WORKSPACE and entry.kind != TEST:
            _select(workspace, entry.state)
        if (
            not entry.state.is_isolated
            and entry.kind != TEST
            and not self._is_ours(workspace, entry)
        ):
            return
        self._adopt_resources(workspace, entry)
        workspace.lift_protection()
        options = workspace.variables.options()
        destroy = functools.partial(
            workspace.run, "destroy", input=False, json=Flag, auto_approve=Flag, **options
        )
        self._unlocking(workspace, entry, destroy)
        remains = _managed(workspace)
        if remains:
            raise LeftError("Terraform has destroyed only a part of it", remains=remains)
        if entry.state.is_isolated and entry.kind != TEST:
            with contextlib.suppress(TfOidcError):  # it is empty, and harms nobody
                workspace.remove_workspaces([entry.state.workspace])

    def _is_ours(self, workspace: Workspace, entry: Entry) -> bool:
        """Tell whether a module's own state holds what this run has made, and nothing else.

        Others may have deployed there since. Where nothing was applied, there is nothing of ours.

        Raises:
            LeftError: It holds something else.
        """
        made = self._ledger.made(entry.id)
        foreign = foreign_in(workspace.state_text(), made)
        if not foreign:
            return True
        what = f"{entry.state} holds what that run did not make: {', '.join(foreign[:MOST_NAMED])}"
        if made or entry.phase != PLANNED:
            raise LeftError(
                what,
                remedy="Destroy what is the run's by hand, if anything is; then delete the entry's"
                " file.",
                remains=tuple(one.address for one in self._ledger.journal(entry.id)),
            )
        self._notes.append(f"nothing was applied; {what}, which stays")
        return False

    def _states(self, entry: Entry) -> Iterator[Path | None]:
        """Yield the files of states to destroy from; None stands for the module's backend."""
        files = self._ledger.files(entry.id)
        if entry.kind != TEST:
            yield self._state_file(entry)
            return
        kept = sorted(files.glob("test-*.tfstate"))
        if not kept:
            files.mkdir(mode=0o700, exist_ok=True)
        yield from kept or [files / LOCAL_STATE]

    def _adopt_resources(self, workspace: Workspace, entry: Entry) -> None:
        """Bring into the state what this very run has created and no state knows."""
        known = _managed(workspace)
        for noted in self._orphans(entry):
            if noted.address not in known and noted.is_there and noted.id:
                self._tell(f"{entry.id}: {noted.address} is in no state; importing {noted.id}")
                self._unlocking(workspace, entry, functools.partial(_import, workspace, noted))

    def _orphans(self, entry: Entry) -> tuple[Noted, ...]:
        """Return what was created, or was being created, and is not known to be gone.

        Where Terraform has kept the state of a test itself, that knows it all.
        """
        if entry.kind == TEST and any(self._ledger.files(entry.id).glob("test-*.tfstate")):
            return ()
        return self._ledger.journal(entry.id)

    def _unlocking(self, workspace: Workspace, entry: Entry, action: Callable[[], Any]) -> None:
        """Run a command; take over a state lock that is provably this entry's, and run it again."""
        try:
            action()
        except TerraformError as error:
            lock = find_lock(error.output)
            if lock is None:
                raise
            doubt = self._doubt(lock, entry)
            if doubt:
                raise LeftError(
                    f"the state is locked by {lock}, and {doubt}",
                    remedy="Wait for it, or make sure that it has ended: then sweep again with"
                    f" --assume-ended, or run: terraform force-unlock {lock.id or 'ID'}",
                ) from error
            self._tell(f"{entry.id}: taking over the lock of {lock}")
            workspace.run("force-unlock", lock.id, force=Flag, no_color=Flag)
            action()

    def _doubt(self, lock: StateLock, entry: Entry) -> str:
        """Say why a lock is not provably this entry's; empty where it is."""
        mine, here = entry.holder, holder()
        if not lock.id:
            return "nothing tells which lock that is"
        if lock.who != f"{mine.get('user')}@{mine.get('host')}":
            return f"the run was {mine.get('user')}@{mine.get('host')}"
        if lock.created is None or lock.created < entry.created - CLOCK_SKEW:
            return "it is older than the run"
        is_here = all(mine.get(name) == here.get(name) for name in ("host", "boot"))
        if not entry.state.is_isolated:
            return "the state is not the test's alone"
        if not is_here and not self._options.assume_ended:
            return "whether a run on another machine has ended cannot be told here"
        return ""

    def _require_same_context(self, entry: Entry) -> None:
        here = context_facts(self._session.context)
        if entry.context.get("stand_in", "") != here.get("stand_in", ""):
            words = {"": "a pipeline", "true": "a rehearsal"}
            was, now = (words[one.get("stand_in", "")] for one in (entry.context, here))
            raise LeftError(
                f"it was made in {was}, and this is {now}",
                remedy="Sweep where it was made. What a rehearsal made went with its stand-in:"
                f" delete {self._ledger.folder / entry.id}.json",
            )
        for name in ("tenant_id", "subscription_id"):
            if entry.context.get(name, "").lower() != here.get(name, "").lower():
                label = name.removesuffix("_id")
                raise LeftError(
                    f"it is in {label} {entry.context.get(name) or '(none)'}, and this environment"
                    f" names {here.get(name) or 'none'}",
                    remedy=f"Sweep with ARM_{name.upper()}={entry.context.get(name)}.",
                )

    def _module(self, entry: Entry) -> Path:
        """Find the module's folder on this machine."""
        for root in self._roots(entry):
            folder = (root / entry.module).resolve()
            if folder.is_dir() and (any(folder.glob("*.tf*")) or any(folder.glob("*.tofu*"))):
                return folder
        at = f" (it was at commit {entry.revision[:12]})" if entry.revision else ""
        raise LeftError(
            f"the module {entry.module} is not there any more{at}",
            remedy="Check that commit out, or name the folder that the module lies in: --root DIR.",
        )

    def _roots(self, entry: Entry) -> tuple[Path, ...]:
        """Return the folders that an entry's paths may be relative to on this machine."""
        return (self._options.root, self._ledger.folder.resolve().parent, Path(entry.root))

    def _note_revision(self, entry: Entry, module: Path) -> None:
        now = revision_of(module)
        if entry.revision and now and now != entry.revision:
            self._notes.append(
                f"the module was at commit {entry.revision[:12]}, and is at {now[:12]} now"
            )

    def _inputs(self, entry: Entry, module: Path) -> Inputs:
        """Put what the ledger holds and what is given here together."""
        given = self._options.inputs
        recorded = self._variables(entry, module)
        kept = [one for one in recorded if one.value is not None]
        return Inputs(
            variables=(*(f"{v.name}={v.value}" for v in kept if not v.is_json), *given.variables),
            values={v.name: json.loads(v.value or "") for v in kept if v.is_json},
            variable_files=(*self._files(entry, entry.variable_files), *given.variable_files),
            backend=given.backend,
            backend_files=(*self._files(entry, entry.backend_files), *given.backend_files),
        )

    def _variables(self, entry: Entry, module: Path) -> tuple[RecordedVariable, ...]:
        """Return the recorded variables that the module still has and nobody gives here."""
        declared = {one.name: one for one in self._session.read_module(module).variables}
        names = {text.partition("=")[0] for text in self._options.inputs.variables}
        recorded = [one for one in entry.variables if one.name not in names]
        self._require_given(
            [v for v in recorded if v.value is None and v.name in declared], declared
        )
        self._notes += [
            f"the module has no variable `{v.name}` any more: what the run gave it is left out"
            for v in recorded
            if v.name not in declared
        ]
        return tuple(one for one in recorded if one.name in declared)

    def _require_given(
        self, wanted: Sequence[RecordedVariable], declared: Mapping[str, Variable]
    ) -> None:
        """Make sure that what the ledger does not hold is given here, or has a default."""
        if self._options.inputs.variable_files:
            return  # Terraform says what they leave out
        absent = [v for v in wanted if f"TF_VAR_{v.name}" not in self._session.environment]
        missing = [one for one in absent if not declared[one.name].has_default]
        if missing:
            raise LeftError(
                "the ledger does not hold "
                + ", ".join(f"`{one.name}` (it came from {one.source})" for one in missing),
                remedy=f"Give it again: {OPTION} {missing[0].name}=…, or TF_VAR_{missing[0].name}.",
            )
        self._notes += [
            f"`{one.name}` came from {one.source}, and is not given here: its default is used"
            for one in absent
        ]

    def _files(self, entry: Entry, names: Sequence[str]) -> Iterator[Path]:
        for name in names:
            candidates = [root / name for root in self._roots(entry)]
            found = next((path for path in candidates if path.is_file()), None)
            if found is None:
                raise LeftError(
                    f"the file {name}, which the run was given, is not here",
                    remedy="Put it back, or name the folder that it lies in: --root DIR.",
                )
            yield found.resolve()

    def _use_recorded(self, workspace: Workspace, entry: Entry) -> None:
        """Use the Terraform that has made it, where it is here."""
        path = entry.executable.get("path", "")
        if self._options.executable is None and (path == EMBEDDED or Path(path).is_file()):
            with contextlib.suppress(TfOidcError):
                workspace.use(find_executable(path, self._session.environment))
        used = workspace.setting.executable
        made = entry.executable.get("version", "")
        if used.version != made:
            self._notes.append(f"it was made with {entry.executable.get('product')} {made}, and"
                               f" {used.product} {used.version} is what is here")  # fmt: skip

    def _explained(self, error: TerraformError, entry: Entry) -> LeftError:
        """Put into a word why Terraform could not do it."""
        text = error.output
        known = diagnose(text, release=self._session.executable.release)
        first = next((line for line in text.splitlines() if line.strip()), "")
        why, remedy = f"{error.what} {first}", known.remedy if known else ""
        if BACKEND_IS_GONE.search(text):
            why = f"its backend is gone: {entry.state}: {first}"
            remedy = "Look for its resources by hand; then delete the entry's file."
        elif NO_RIGHTS.search(text):
            why = f"the identity has no rights any more: {first}"
            remedy = remedy or "Give them back, and sweep again."
        elif known:
            why = f"{known.cause} ({error.what})"
        remains = (one.address for one in self._ledger.journal(entry.id))
        return LeftError(self._session.redactor.redact(why), remedy=remedy, remains=[*remains])


def _select(workspace: Workspace, place: RecordedState) -> None:
    """Select the workspace; never make it: it would be empty."""
    try:
        workspace.run("workspace select", place.workspace, no_color=Flag)
    except TerraformError as error:
        if not NO_WORKSPACE.search(error.output):
            raise
        raise LeftError(
            f"the workspace {place.workspace} of its state was deleted: {place}",
            remedy="If it was empty, delete the entry's file; else look for its resources by hand.",
        ) from error


def _managed(workspace: Workspace) -> tuple[str, ...]:
    try:
        return managed(workspace.state_text())
    except ValueError as error:
        raise LeftError("its state cannot be read: it is no JSON") from error


def _import(workspace: Workspace, noted: Noted) -> None:
    options: Mapping[str, Any] = workspace.variables.options()
    try:
        workspace.run("import", noted.address, noted.id, input=False, no_color=Flag, **options)
    except TerraformError as error:
        if not IS_GONE.search(error.output) or workspace.record is None:
            raise
        workspace.record.gone(noted.address)


def _unknown_to_states(left: Sequence[Noted]) -> LeftError:
    why = "the run was killed while these were being made, and no state knows them"
    if all(one.is_there for one in left):
        why = (
            "the run has created these, and Terraform has dropped them from their state without"
            " destroying them: with other variables or providers than the run's, perhaps"
        )
    return LeftError(
        why,
        remedy="Look for them by hand; then delete the entry's file.",
        remains=[f"{one.address} {one.id}".strip() for one in left],
    )
