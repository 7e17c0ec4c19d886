"""The ledger: a durable entry for everything that a live run deploys, until it is destroyed.

An entry is a file of its own, so that a crash damages one at most. It is written before anything is
applied, and goes when Terraform has confirmed the destroy and the state is empty. What lies beside
it, in a folder of the entry's name, is what cannot be had again on another machine. Secrets are
never written: variables that may be secret are kept by reference.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.live.holding import Hold

FOLDER = ".tfoidc"
FORMAT = 1
SUFFIX, LOCK_SUFFIX, JOURNAL_SUFFIX, FILES_SUFFIX = ".json", ".lock", ".jsonl", ".files"
# What tells a state from others, in the configurations of backends.
NAMING = (
    *("organization", "storage_account_name", "container_name", "bucket", "namespace"),
    *("path", "key", "prefix", "secret_suffix", "schema_name"),
)
CHUNK = 1 << 16  # bytes; an entry is smaller

STATE, TEST = "state", "test"  # kinds: what a state knows; what a run block has made
PLANNED, APPLYING, APPLIED, DESTROYING = "planned", "applying", "applied", "destroying"


class LedgerError(TfOidcError):
    """The ledger cannot be written or read. Nothing has been applied."""


@dataclass(frozen=True, kw_only=True)
class RecordedVariable:
    """A variable by name: its value where it is no secret, else where it came from.

    `is_json`: the value is JSON, of any type; else it is what `-var` takes.
    """

    name: str
    value: str | None = None
    source: str = ""
    is_json: bool = False


@dataclass(frozen=True, kw_only=True)
class RecordedState:
    """Where a state is.

    Attributes:
        backend: The backend's type.
        config: Its configuration, as far as it is no secret; a local path is relative to the
            ledger's folder.
        withheld: The names of arguments that are secret.
        workspace: The Terraform workspace.
        own_workspace: The workspace of its own that a `remote` or `cloud` state has.
        is_isolated: Whether the state is the test's alone.
    """

    backend: str
    config: Mapping[str, str] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    workspace: str = "default"
    own_workspace: str = ""
    is_isolated: bool = False

    def __str__(self) -> str:
        """Name it for people."""
        parts = [self.config[name] for name in NAMING if self.config.get(name)]
        where = "/".join(filter(None, [*parts, self.own_workspace]))
        suffix = f" (workspace {self.workspace})" if self.workspace != "default" else ""
        return f"{self.backend} {where}".rstrip() + suffix


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry for what a run has deployed, or is about to.

    Attributes:
        id: Its name in the ledger.
        run: The run that has made it.
        created: When (aware, UTC).
        phase: How far it got.
        module: The module's folder, relative to `root` where it lies in it.
        root: The folder that paths are relative to, as it was then.
        revision: The commit that the module was at; empty where that could not be told.
        state: Where the state is.
        variables: The variables that were given.
        variable_files: Files of variables, relative to `root` where they lie in it.
        backend_files: Files of backend configuration, the same.
        context: Kind, tenant, client and subscription; whether Azure was the stand-in.
        executable: Product, version and path of the Terraform.
        planned: Addresses and actions.
        holder: Host, user and process of the run.
        kind: Whether a state knows it, or it was made by a run block.
        test: The test file that has made it.
        remains: Addresses that a teardown is known to have left.
    """

    id: str
    run: str
    created: datetime
    phase: str
    module: str
    root: str
    state: RecordedState
    revision: str = ""
    variables: tuple[RecordedVariable, ...] = ()
    variable_files: tuple[str, ...] = ()
    backend_files: tuple[str, ...] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    executable: Mapping[str, str] = field(default_factory=dict)
    planned: tuple[tuple[str, str], ...] = ()
    holder: Mapping[str, str] = field(default_factory=dict)
    kind: str = STATE
    test: str = ""
    remains: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Name it for people, in a line."""
        what = f"{self.module} ({self.test})" if self.test else self.module
        where = "in memory" if self.kind == TEST else str(self.state)
        return f"{what}, {self.phase}, from {self.created:%Y-%m-%d %H:%M} UTC, state: {where}"

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written."""
        values = dataclasses.asdict(self)
        return {"format": FORMAT, **values, "created": self.created.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """An entry that cannot be used, and why. Its file stays."""

    id: str
    path: Path
    why: str
    remedy: str

    def __str__(self) -> str:
        """Say what is wrong with it, in a line."""
        return f"{self.path.name}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A resource that a journal tells of. `id` is empty where Terraform has told none."""

    address: str
    id: str
    is_there: bool  # False: it was being created when the journal ends


FIELDS = tuple(one.name for one in dataclasses.fields(Entry) if one.name != "id")
TEXTS = ("run", "created", "phase", "module", "root", "revision", "kind", "test")
TABLES = ("state", "context", "executable", "holder")
LISTS = ("variable_files", "backend_files", "remains")


def ledger_of(start: Path) -> Path:
    """Return the ledger of a folder: the nearest one on the way up to the top of its repository.

    So it is found from wherever in a project a step runs, as pytest finds the root directory. Where
    there is none it is that of the folder itself.
    """
    places = list(_places(start))
    return next((place for place in places if place.is_dir()), places[0])


def is_ledger_of(start: Path, ledger: Path) -> bool:
    """Tell whether a ledger, which need not be there yet, will be that of a folder."""
    nearest = next((one for one in _places(start) if one == ledger or one.is_dir()), None)
    return nearest == ledger


def _places(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield folder / FOLDER
        if (folder / ".git").exists():
            return


def new_id(now: datetime) -> str:
    """Make a name for an entry; names sort by time, those of one second by their microsecond."""
    second = f"{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
    return f"{second}-{now.microsecond:05x}{secrets.token_hex(2)}"


class Ledger:
    """The entries in a folder.

    Args:
        folder: The folder; it is made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, entry: Entry) -> None:
        """Write an entry, or its next version; it is on disk when this returns.

        Raises:
            LedgerError: It cannot be written.
        """
        text = json.dumps(entry.as_json()) + "\n"
        with self._writing(entry.id):
            self._prepare()
            write_durably(self.folder / f"{entry.id}{SUFFIX}", text.encode())

    def keep(self, entry_id: str, name: str, content: bytes) -> Path:
        """Keep a file beside an entry, for its owner's eyes only.

        Raises:
            LedgerError: It cannot be written.
        """
        path = self.files(entry_id) / name
        with self._writing(entry_id):
            self._prepare()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(path, content)
        return path

    def files(self, entry_id: str) -> Path:
        """Return the folder of what is kept beside an entry."""
        return self.folder / f"{entry_id}{FILES_SUFFIX}"

    def note(self, entry_id: str, lines: Iterable[Mapping[str, str]]) -> None:
        """Add lines to an entry's journal; they are on disk when this returns.

        Raises:
            OSError: It cannot be written.
        """
        path = self.folder / f"{entry_id}{JOURNAL_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def journal(self, entry_id: str) -> tuple[Noted, ...]:
        """Return the resources that were created, or were about to be, and not destroyed since."""
        noted: dict[str, Noted] = {}
        for line in self._journal_lines(entry_id):
            address, what = line.get("address", ""), line.get("what", "")
            if what == "gone":
                noted.pop(address, None)
                moved = [one for one in noted.values() if line.get("id") and one.id == line["id"]]
                for one in moved:  # it was created under another address
                    del noted[one.address]
            elif what == "creating":
                noted.setdefault(address, Noted(address=address, id="", is_there=False))
            elif what == "created":
                noted[address] = Noted(address=address, id=line.get("id", ""), is_there=True)
        return tuple(noted.values())

    def made(self, entry_id: str) -> dict[str, frozenset[str]]:
        """Return the ids of all that was ever created, by address; empty where none was told."""
        found: dict[str, frozenset[str]] = {}
        for line in self._journal_lines(entry_id):
            if line.get("what") in {"creating", "created"}:
                address, told = line.get("address", ""), line.get("id", "")
                found[address] = found.get(address, frozenset()) | ({told} - {""})
        return found

    def journals(self) -> frozenset[str]:
        """Return the ids of the entries that have a journal."""
        try:
            with os.scandir(self.folder) as found:
                names = [one.name for one in found if one.name.endswith(JOURNAL_SUFFIX)]
        except OSError:
            return frozenset()
        return frozenset(name.removesuffix(JOURNAL_SUFFIX) for name in names)

    def _journal_lines(self, entry_id: str) -> Iterator[dict[str, str]]:
        try:
            text = (self.folder / f"{entry_id}{JOURNAL_SUFFIX}").read_text("utf-8", "replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            with contextlib.suppress(ValueError):  # the last one may be cut off
                found = json.loads(line)
                if isinstance(found, dict):
                    yield {str(name): str(value) for name, value in found.items()}

    def remove(self, entry_id: str) -> None:
        """Remove an entry, last of all what it is known by, so that a crash leaves it whole.

        Raises:
            LedgerError: It cannot be removed.
        """
        try:
            shutil.rmtree(self.files(entry_id), ignore_errors=True)
            (self.folder / f"{entry_id}{JOURNAL_SUFFIX}").unlink(missing_ok=True)
            (self.folder / f"{entry_id}{SUFFIX}").unlink(missing_ok=True)
            sync_folder(self.folder)
            (self.folder / f"{entry_id}{LOCK_SUFFIX}").unlink(missing_ok=True)
        except OSError as error:
            raise LedgerError(
                "An entry of the ledger cannot be removed.",
                where=str(self.folder / f"{entry_id}{SUFFIX}"),
                cause=error.strerror or str(error),
                remedy="What it tells of is destroyed: delete the file by hand.",
            ) from error

    def entries(self) -> list[Entry | Damaged]:
        """Read every entry, oldest first; those that cannot be used are told with the reason.

        Raises:
            LedgerError: The folder cannot be read.
        """
        names = self._names()
        with without_collector():
            return [self.read(name.removesuffix(SUFFIX)) for name in names]

    def require_readable(self) -> None:
        """Make sure that the folder can be read, if there is one.

        Raises:
            LedgerError: It cannot.
        """
        self._names()

    def read(self, entry_id: str) -> Entry | Damaged:
        """Read one entry."""
        path = f"{self.folder}{os.sep}{entry_id}{SUFFIX}"  # a Path takes its time
        try:
            return _entry(json.loads(_read(path)), entry_id)
        except _NewerFormatError as error:
            why, remedy = str(error), "Sweep with that version, or a newer one."
        except OSError as error:
            why, remedy = f"it cannot be read: {error.strerror}", "Mend the file's permissions."
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            why = "it is damaged: cut off in the middle, or not written by tfoidc"
            remedy = (
                "Its other files tell what they can; see to the resources by hand, then delete it."
            )
        return Damaged(id=entry_id, path=Path(path), why=why, remedy=remedy)

    def exists(self, entry_id: str) -> bool:
        """Say whether there is such an entry."""
        return (self.folder / f"{entry_id}{SUFFIX}").exists()

    def lock(self, entry_id: str) -> Hold:
        """Return the lock that whoever works on an entry holds; it ends with the process.

        A Terraform that outlives its run shares the run's, and so still holds it.
        """
        return Hold(self.folder / f"{entry_id}{LOCK_SUFFIX}")

    def hold(self, entry_id: str) -> Hold:
        """Take a new entry's lock.

        Raises:
            LedgerError: It cannot be written.
        """
        with self._writing(entry_id):
            self._prepare()
            lock = self.lock(entry_id)
            lock.acquire()
            return lock

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.folder) as found:
                return sorted(one.name for one in found if _is_entry(one.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError(
                "The ledger cannot be read.",
                where=str(self.folder),
                cause=error.strerror or str(error),
                remedy="Make it a folder that you may read, or name another one: --ledger DIR, for"
                " pytest --tf-ledger DIR.",
            ) from error

    def _prepare(self) -> None:
        """Make the folder, which git leaves out."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            write_durably(ignore, b"*\n")

    @contextlib.contextmanager
    def _writing(self, entry_id: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LedgerError(
                "The ledger cannot be written, so nothing is applied: what a test leaves behind"
                " could not be found again.",
                where=str(self.folder / f"{entry_id}{SUFFIX}"),
                cause=error.strerror or str(error),
                remedy="Make the folder writable, or name another one: --tf-ledger DIR.",
            ) from error


def _is_entry(name: str) -> bool:
    return name.endswith(SUFFIX) and name[:1].isdigit()


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Do without garbage collection: entries hold no cycles, and it takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parts = [os.read(descriptor, CHUNK)]
        while len(parts[-1]) == CHUNK:
            parts.append(os.read(descriptor, CHUNK))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 so that it is there whole, or as it was before.

    Raises:
        OSError: It cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to disk, where the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _NewerFormatError(Exception):
    """The entry is of a format that this version does not know."""


def _entry(found: dict[str, Any], entry_id: str) -> Entry:
    """Make an entry of what a file says; anything else raises one of the usual errors."""
    written = found["format"]
    if written != FORMAT:
        if isinstance(written, int) and written > FORMAT:
            raise _NewerFormatError(f"it is of format {written}, from a newer pytest-tfoidc")
        raise ValueError(written)
    values = {name: found[name] for name in FIELDS}
    for name in TEXTS:
        _require(isinstance(values[name], str))
    for name in TABLES:
        _require(isinstance(values[name], dict))
    for name in LISTS:
        values[name] = tuple(values[name])
    state = values["state"]
    _require(isinstance(state["config"], dict))
    values["state"] = RecordedState(**{**state, "withheld": tuple(state["withheld"])})
    values["variables"] = tuple([RecordedVariable(**one) for one in values["variables"]])
    values["planned"] = tuple([(address, action) for address, action in values["planned"]])
    values["created"] = _read_moment(values["created"])
    return Entry(id=entry_id, **values)


def _require(holds: bool) -> None:  # noqa: FBT001 - the condition itself
    if not holds:
        raise TypeError


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
