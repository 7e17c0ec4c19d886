"""Events as lines of JSON: what `--tf-events` writes, and what is read again.

The first line is the header: the name and the version of the schema, and the run. Each other line
is one event: `event` its kind, `at` the virtual time, `real` the real one in seconds since 1970,
`run` and `worker` where it happened, and its own fields: times in ISO 8601, durations in seconds.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_tfoidc import events as kinds
from pytest_tfoidc.clock import real_now
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import Event
from pytest_tfoidc.utf8 import as_utf8

SCHEMA = "tfoidc-events"
VERSION = 1
PRIVATE = 0o600
YEARS = 1970, 9000  # in which a moment may be
LATEST = 253402300799  # seconds since 1970: the end of the year 9999
# What JSON has for the types of the events' fields.
JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "tuple": (list, tuple),
    "Mapping": (dict,),
}

Record = Mapping[str, Any]
KINDS: Mapping[str, type[Event]] = {
    name: kind
    for name, kind in vars(kinds).items()
    if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
}


def header(run: str, worker: str = "") -> Record:
    """Return the first line of a file."""
    return {"schema": SCHEMA, "version": VERSION, "run": run, "worker": worker}


def record_of(event: Event, *, run: str, worker: str = "") -> Record:
    """Return an event as it is written; what its class keeps from being shown is left out."""
    shown = {f.name: _plain(getattr(event, f.name)) for f in fields(event) if f.repr}
    real = round(real_now().timestamp(), 3)
    return {"event": type(event).__name__, "real": real, "run": run, "worker": worker, **shown}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a field's
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return as_utf8(value) if isinstance(value, str) else value


def event_of(record: Record) -> Event | None:
    """Return the event that a record was made of; None where it is of a kind unknown here.

    A field that came later than the file has its default.
    """
    kind = KINDS.get(str(record.get("event")))
    if kind is None:
        return None
    try:
        told = [f for f in fields(kind) if f.repr and (f.name in record or not _has_default(f))]
        return kind(**{f.name: _typed(f.type, record[f.name]) for f in told})
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _has_default(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _typed(annotation: Any, value: Any) -> Any:  # noqa: ANN401 - a field's
    """Return a field's value.

    Raises:
        TypeError: It is of another type than the field.
        ValueError: It is none of that type's.
    """
    if annotation in {"datetime", "datetime | None"}:
        return None if value is None and annotation != "datetime" else _instant(value)
    if annotation == "timedelta":
        return timedelta(seconds=_typed("float", value))
    wanted: tuple[type, ...] = JSON_TYPES[str(annotation).partition("[")[0]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise TypeError(annotation)
    if isinstance(value, int | float) and not -LATEST <= value <= LATEST:
        raise ValueError(value)
    return tuple(map(str, list(value))) if list in wanted else value  # type: ignore[call-overload] # it is a list


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or not YEARS[0] <= found.year <= YEARS[1]:
        raise ValueError(text)
    return found


def as_line(record: Record, redact: Callable[[str], str]) -> str:
    """Write a record in one line, redacted value by value: what is hidden breaks no JSON."""
    plain = json.dumps(record, ensure_ascii=False, default=str)
    told = record if redact(plain) == plain else _redacted(record, redact)
    return unobeyed(json.dumps(told, ensure_ascii=True, default=str))


def unobeyed(text: str) -> str:
    """Write JSON so that an agent whose log it gets into obeys nothing in it; it says the same."""
    return text.replace("##", "#\\u0023")


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - of JSON
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(inner, redact) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, redact) for inner in value]
    return value


class EventFile:
    """A file that gets a line for each event as it happens: what kills us loses none of them.

    Args:
        path: Where it is; what is there is replaced. None keeps the lines in memory only.
        keeps: Keep the lines in memory, for a page.

    Raises:
        UsageError: The file cannot be written.
    """

    def __init__(self, path: Path | None, *, option: str = "", keeps: bool = False) -> None:
        self._lines: list[str] | None = [] if keeps else None
        self._lock = threading.Lock()
        self._descriptor = -1 if path is None else _opened(path, option)

    def write(self, line: str) -> None:
        """Write a line. A disk that is full, or a file that is gone, ends no run."""
        with self._lock:
            if self._lines is not None:
                self._lines.append(line)
            if self._descriptor >= 0:
                try:
                    os.write(self._descriptor, f"{line}\n".encode())
                except OSError:
                    os.close(self._descriptor)
                    self._descriptor = -1

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that were kept."""
        with self._lock:
            return tuple(self._lines or ())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


def _opened(path: Path, option: str) -> int:
    require_place(path, option)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    try:
        descriptor = os.open(path, flags, PRIVATE)
        if path.is_file():  # what was there before may be open to others; a device is not ours
            path.chmod(PRIVATE)
    except OSError as error:
        raise _unwritable(path, option, error) from error
    return descriptor


def require_place(path: Path, option: str) -> None:
    """Make sure that a file can be written, and make its folder.

    Raises:
        UsageError: It is a folder, or there is no right to write it.
    """
    if path.is_dir():
        raise UsageError(
            "A folder is in the place of the file.",
            where=f"{option} {path}",
            remedy="Give the name of a file.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, option, error) from error
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, option, PermissionError("no right to write there"))


def _unwritable(path: Path, option: str, error: OSError) -> UsageError:
    return UsageError(
        "The file cannot be written.",
        where=f"{option} {path}",
        cause=error.strerror or str(error),
        remedy="Give a place that can be written.",
    )


@dataclass(frozen=True, kw_only=True)
class Read:
    """Events that were read. `notes`: what could not be, a sentence each."""

    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()


def read_lines(lines: Iterable[str], *, where: str) -> Read:
    """Read lines of events; what a killed run has left of its last line is left out.

    Raises:
        UsageError: They are no events, or of a newer schema.
    """
    records, broken, unread, headers = [], 0, 0, 0
    for line in lines:
        record = parsed(line)
        if record is None:
            broken += bool(line.strip())
        elif record.get("schema") == SCHEMA:
            headers += 1
            _require_version(record, where)
        elif "event" in record and is_sound(record):
            records.append(record)
        else:
            unread += "event" in record
    if not headers:
        raise UsageError(
            "The file holds no events of tfoidc.",
            where=where,
            remedy="Give a file that pytest has written with --tf-events.",
        )
    reasons = ((broken, "cut short"), (unread, "not as such lines are"))
    notes = (
        f"{where}: {count} line{'s were' if count > 1 else ' was'} {why} and left out."
        for count, why in reasons
        if count
    )
    return Read(records=tuple(records), notes=tuple(notes))


def is_sound(record: Record) -> bool:
    """Tell whether a line is an event's: of a kind unknown here, or with all that its kind has."""
    if str(record["event"]) not in KINDS:
        return True
    real, names = record.get("real"), (record.get("run", ""), record.get("worker", ""))
    if isinstance(real, bool) or not isinstance(real, int | float) or not 0 <= real <= LATEST:
        return False
    return all(isinstance(one, str) for one in names) and event_of(record) is not None


def parsed(line: str) -> dict[str, Any] | None:
    """Return the record in a line; None where there is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _require_version(record: Record, where: str) -> None:
    version = record.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise UsageError(
            f"The events are of schema version {version!r}; this tfoidc reads up to {VERSION}.",
            where=where,
            remedy="Update pytest-tfoidc here: pip install --upgrade pytest-tfoidc",
        )


def read_file(path: Path) -> Read:
    """Read a file of events.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            "The file of events cannot be read.",
            where=str(path),
            cause=error.strerror or str(error),
        ) from error
    return read_lines(text.split("\n"), where=str(path))


class Follower:
    """Reads what others append to a file, line by line.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def lines(self) -> Iterator[str]:
        """Return the whole lines that were added since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                text = file.read()
        except OSError:
            return
        whole, newline, _ = text.rpartition(b"\n")
        self._position += len(whole) + len(newline)
        yield from (line for line in whole.decode("utf-8", "replace").split("\n") if line)
