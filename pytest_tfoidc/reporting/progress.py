"""The running commands in a line for people: kept up to date by events, in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.events import (
    ClockMoved,
    CommandFinished,
    CommandStarted,
    Event,
    IdTokenFetched,
    StepFinished,
    StepPlanned,
    StepStarted,
    TokensExpired,
)
from pytest_tfoidc.redaction import harmless

DOING = {
    "create": "creating",
    "delete": "destroying",
    "replace": "replacing",
    "run": "running",
    "update": "changing",
}
ID = "id"  # of the two kinds of tokens
PLANNING = frozenset({"plan"})
SHORT_SECONDS = 1.0  # a step that began just now says nothing yet
ELLIPSIS = "..."


@dataclass
class _Command:
    """A command that runs: what it does, and what it has done."""

    name: str
    module: str
    since: float
    planned: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    busy: dict[str, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command that runs. Times in real seconds.

    Attributes:
        command: The subcommand.
        module: The module's name.
        seconds: How long it has been running.
        done: How many resources or run blocks it has ended with.
        planned: How many there are, as far as it has told; 0 where it has not.
        slowest: What it has been busy with for the longest time; empty where it told of nothing.
        doing: What it does to that: creating, destroying.
        busy: For how long.
        simulated: How far the clock of the stand-in has jumped meanwhile.
        tokens: How many ID tokens were fetched meanwhile.
        due: In how many seconds the next one is due, at the earliest; None where that is unknown.
        key: The process and the number, which tell commands apart.
    """

    command: str
    module: str
    seconds: float
    done: int = 0
    planned: int = 0
    slowest: str = ""
    doing: str = ""
    busy: float = 0.0
    simulated: timedelta = timedelta()
    tokens: int = 0
    due: float | None = None
    key: tuple[str, int] = ("", 0)


class Progress:
    """Follows the commands of one process or of several. Thread safe; it never raises.

    Args:
        now: Tells real seconds.
    """

    def __init__(self, now: Callable[[], float] = real_seconds) -> None:
        self._now = now
        self._commands: dict[tuple[str, int], _Command] = {}
        self._jumped: dict[tuple[str, int], timedelta] = {}
        self._tokens: dict[tuple[str, int], int] = {}
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def notice(self, event: Event, source: str = "") -> None:
        """Take in an event.

        Args:
            event: What happened.
            source: The process that tells it: a worker of pytest-xdist.
        """
        with self._lock:
            if isinstance(event, CommandStarted):
                started = _Command(event.command, event.module, self._now())
                self._commands[source, event.number] = started
            elif isinstance(event, CommandFinished):
                self._forget((source, event.number))
            elif isinstance(event, StepPlanned | StepStarted | StepFinished):
                self._take_step(event, source)
            else:
                self._take_token(event, source)

    def _take_token(self, event: Event, source: str) -> None:
        """Take in what tells of ID tokens, and of the clock that they live by."""
        if isinstance(event, ClockMoved):
            for key in self._of(source):
                self._jumped[key] = self._jumped.get(key, timedelta()) + event.by
            if source in self._due:
                self._due[source] -= event.by.total_seconds()
        elif isinstance(event, IdTokenFetched):
            for key in self._of(source):
                self._tokens[key] = self._tokens.get(key, 0) + 1
            self._due.pop(source, None)
            if event.due_at is not None:
                self._due[source] = self._now() + (event.due_at - event.at).total_seconds()
        elif isinstance(event, TokensExpired) and event.kind == ID and source in self._due:
            self._due[source] = self._now()

    def _of(self, source: str) -> list[tuple[str, int]]:
        return [key for key in self._commands if key[0] == source]

    def _forget(self, key: tuple[str, int]) -> None:
        self._commands.pop(key, None)
        self._jumped.pop(key, None)
        self._tokens.pop(key, None)

    def _take_step(self, event: StepPlanned | StepStarted | StepFinished, source: str) -> None:
        command = self._commands.get((source, event.number))
        if command is None:
            return
        command.planned.add(event.address)
        if isinstance(event, StepStarted):  # what is replaced begins twice
            command.done.discard(event.address)
            command.busy[event.address] = event.action, self._now()
        elif isinstance(event, StepFinished):
            command.busy.pop(event.address, None)
            command.done.add(event.address)

    def forget(self, source: str) -> None:
        """Forget the commands of a process that is gone."""
        with self._lock:
            for key in self._of(source):
                self._forget(key)
            self._due.pop(source, None)

    def running(self) -> tuple[Running, ...]:
        """Return the commands that run now, the oldest first."""
        with self._lock:
            return tuple(self._shown(key, one) for key, one in self._commands.items())

    def _shown(self, key: tuple[str, int], command: _Command) -> Running:
        now = self._now()
        oldest = min(command.busy.items(), key=lambda one: one[1][1], default=None)
        slowest, (action, since) = oldest or ("", ("", now))
        return Running(
            command=command.name,
            module=command.module,
            seconds=now - command.since,
            done=len(command.done),
            planned=len(command.planned),
            slowest=slowest,
            doing=DOING.get(action, action),
            busy=now - since,
            simulated=self._jumped.get(key, timedelta()),
            tokens=self._tokens.get(key, 0),
            due=self._due[key[0]] - now if key[0] in self._due else None,
            key=key,
        )


def progress_line(running: Running, *, width: int | None = None) -> str:
    """Write what a command does in one line, without control characters.

    Args:
        running: The command.
        width: The columns that there are; what matters least is left out, then cut.
    """
    parts = [_head(running), _counted(running), _slowest(running), _simulated(running)]
    parts += [_tokens(running)]
    told = [part for part in parts if part]
    while width is not None and len(told) > 1 and len(", ".join(told)) > width:
        if told[-1] == _slowest(running):  # its address may be long: its end says most
            return _cut(", ".join(told), width)
        told.pop()
    return _cut(", ".join(told), width)


def _head(running: Running) -> str:
    worker = f"[{running.key[0]}] " if running.key[0] else ""
    what = f"{running.module} {running.command} {whole_seconds(running.seconds)}"
    return harmless(f"tfoidc: {worker}{what}").replace("\n", " ")


def _counted(running: Running) -> str:
    if not running.planned:
        return ""
    if running.command in PLANNING:
        return f"{running.planned} to change"
    return f"{running.done} of {running.planned}"


def _slowest(running: Running) -> str:
    if not running.slowest or running.busy < SHORT_SECONDS:
        return ""
    address = harmless(running.slowest).replace("\n", " ")
    return f"{address} {running.doing} for {whole_seconds(running.busy)}"


def _simulated(running: Running) -> str:
    seconds = running.simulated.total_seconds()
    return f"{whole_seconds(seconds)} simulated" if seconds else ""


def _tokens(running: Running) -> str:
    """Count ID tokens, and say when the next is due: it is fetched when a client asks for one."""
    count = running.tokens
    told = f"{count} ID token{'' if count == 1 else 's'}" if count else ""
    if running.due is None:
        return told
    if running.due <= 0:
        return f"{told}, the next is due" if told else "an ID token is due"
    when = f"due in {whole_seconds(running.due)}"
    return f"{told}, the next {when}" if told else f"ID token {when}"


def _cut(text: str, width: int | None) -> str:
    """Cut a text in its middle: how it begins, and since when, says most."""
    if width is None or len(text) <= width:
        return text
    if width <= 2 * len(ELLIPSIS):
        return text[: max(0, width)]
    tail = (width - len(ELLIPSIS)) // 2
    return text[: width - len(ELLIPSIS) - tail] + ELLIPSIS + text[-tail:]


def whole_seconds(seconds: float) -> str:
    """Write a time for people in whole seconds: `45s`, `1m 30s`, `2m`, `1h 5m`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest if not hours else 0, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def shared_percent(running: Iterable[Running]) -> int | None:
    """Return how much of all commands together is done, of a hundred; None where unknown."""
    known = [one for one in running if one.planned]
    planned = sum(one.planned for one in known)
    return None if not planned else min(100, 100 * sum(one.done for one in known) // planned)
