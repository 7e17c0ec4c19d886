"""Faults on purpose: which requests are hit, and what happens to them.

A fault is written in Python (`mock_issuer.fail("entra", times=2, status=503)`) or as a text, for
the command line and for files: `entra, times=2, status=503`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pytest_tfoidc.clock import Clock, format_duration, parse_duration
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.httpserver import Connection, Request, Response
from pytest_tfoidc.mockazure.proxy import matches

EFFECTS = ("answer", "refuse", "slow", "cut", "corrupt", "expire")
ALWAYS = "always"
STATUSES = range(400, 600)
DEFAULT_STATUS = 503
LONGEST_WAIT = timedelta(hours=1)
GARBAGE = b'{"\x00\xff\xfe truncated'

Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault on purpose, and the requests that it hits.

    `hosts`: patterns. `path` and `method`: patterns, without case. `after`: so many matching
    requests are let through first. `times`: how many are hit; None hits all. `since` and `until`:
    virtual time from the moment at which the fault was set. `effect`: one of `EFFECTS`. `status`
    and `retry_after` (whole seconds): of an answer. `delay`: of a slow one, in real time.
    """

    target: str
    hosts: tuple[str, ...]
    effect: str
    path: str = "*"
    method: str = "*"
    after: int = 0
    times: int | None = 1
    since: timedelta = timedelta()
    until: timedelta | None = None
    status: int = DEFAULT_STATUS
    retry_after: int | None = None
    delay: timedelta = timedelta()

    def is_for(self, request: Request) -> bool:
        """Tell whether a request is of the kind that this hits."""
        return (
            matches(request.host, self.hosts)
            and fnmatchcase(request.method, self.method.upper())
            and fnmatchcase(request.path.lower(), self.path.lower())
        )

    def is_due(self, age: timedelta) -> bool:
        """Tell whether it is the time for it. `age`: virtual time since it was set."""
        return self.since <= age and (self.until is None or age < self.until)

    def __str__(self) -> str:
        """Say what it does, in a line."""
        what = f"answer {self.status}" if self.effect == "answer" else self.effect
        if self.effect == "slow":
            what = f"slow by {format_duration(self.delay)}"
        which = f"{self.method} {self.target} {self.path}".replace("* ", "").removesuffix(" *")
        return f"{what}: {which}, {'always' if self.times is None else f'{self.times} times'}"


class SetFault:
    """A fault that has been set, and how often it has hit."""

    def __init__(self, fault: Fault, *, at: datetime) -> None:
        self.fault = fault
        self._at = at
        self.seen = 0
        """How many requests of its kind have come."""
        self.hits = 0
        """How many of them it has hit."""

    def takes(self, request: Request, *, now: datetime) -> bool:
        """Tell whether it hits this request, and count."""
        fault = self.fault
        if not fault.is_for(request) or not fault.is_due(now - self._at):
            return False
        self.seen += 1
        is_over = fault.times is not None and self.hits >= fault.times
        if self.seen <= fault.after or is_over:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults that are set. The first that matches a request hits it.

    Args:
        clock: Tells the virtual time.
        services: The hosts of each service, by the names that faults may use.
    """

    def __init__(self, *, clock: Clock, services: Mapping[str, tuple[str, ...]]) -> None:
        self._clock = clock
        self._services = services
        self._set: list[SetFault] = []

    def add(self, target: str = "*", **settings: Any) -> SetFault:  # noqa: ANN401 - see `make`
        """Set a fault, and give it back, to be asked how often it has hit.

        Args:
            target: A service (`entra`, `resource-manager`, …), a host, or a pattern of hosts.
            settings: The fields of `Fault`. Durations are texts or timedeltas. The effect is
                `answer` where a status is given, `slow` where a delay is.

        Raises:
            UsageError: One of them cannot be used.
        """
        made = SetFault(self._make(target, settings), at=self._clock.now())
        self._set = [*self._set, made]
        return made

    def add_text(self, text: str) -> SetFault:
        """Set a fault that is written as a text, such as `entra, times=2, status=503`.

        Raises:
            UsageError: It cannot be read.
        """
        target, *parts = (part.strip() for part in text.split(","))
        settings = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals:
                raise UsageError(
                    f"{part!r} is no setting of a fault.",
                    where=text,
                    remedy="Write name=value, as in: entra, times=2, status=503",
                )
            settings[name.strip()] = value.strip()
        return self.add(target, **settings)

    def read(self, path: Path) -> None:
        """Set the faults of a file: one a line; `#` begins a comment.

        Raises:
            UsageError: It cannot be read.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                "The file of faults cannot be read.", where=str(path), cause=str(error)
            ) from error
        for number, line in enumerate(lines, start=1):
            text = line.partition("#")[0].strip()
            if text:
                try:
                    self.add_text(text)
                except UsageError as error:
                    error.where = f"{path}:{number}"
                    raise

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._set = []

    @property
    def all(self) -> tuple[SetFault, ...]:
        """The faults that are set, in their order."""
        return tuple(self._set)

    def pick(self, request: Request) -> Fault | None:
        """Return the fault that hits a request; None where all is well."""
        now = self._clock.now()
        for fault in self._set:
            if fault.takes(request, now=now):
                return fault.fault
        return None

    def snapshot(self) -> tuple[SetFault, ...]:
        """Return what is set, for `restore`."""
        return self.all

    def restore(self, held: tuple[SetFault, ...]) -> None:
        """Go back to what was set."""
        self._set = list(held)

    def _make(self, target: str, settings: Mapping[str, Any]) -> Fault:
        known = dict(settings)
        hosts = self._services.get(target.lower())
        if hosts is None and "." not in target and "*" not in target:
            raise UsageError(
                f"{target!r} is no service of the stand-in.",
                remedy=f"Use a host, or one of {', '.join(self._services)}.",
            )
        given = {name: _read(name, value) for name, value in known.items()}
        usual = "answer" if "status" in given else "slow" if "delay" in given else ""
        effect = given.pop("effect", usual)
        if effect not in EFFECTS:
            raise UsageError(
                f"{effect!r} is no effect of a fault." if effect else "The fault has no effect.",
                where=target,
                remedy=f"Give a status, a delay, or effect={'|'.join(EFFECTS)}.",
            )
        return Fault(target=target, hosts=hosts or (target.lower(),), effect=effect, **given)


def _read(name: str, value: Any) -> Any:  # noqa: ANN401 - texts, numbers, durations
    """Read one setting.

    Raises:
        UsageError: The name is none, or the value is none for it.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "path": str,
        "method": str,
        "effect": str,
        "after": _count,
        "times": lambda v: None if v in {None, ALWAYS} else _count(v),
        "status": _status,
        "retry_after": _count,
        "delay": _wait,
        "since": _duration,
        "until": _duration,
    }
    if name not in readers:
        raise UsageError(
            f"{name!r} is no setting of a fault.", remedy=f"Use one of {', '.join(readers)}."
        )
    try:
        return readers[name](value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{value!r} is no {name} of a fault.", cause=str(error)) from error


def _count(value: Any) -> int:  # noqa: ANN401 - text or number
    count = int(value)
    if count < 0:
        raise ValueError("it is negative")
    return count


def _status(value: Any) -> int:  # noqa: ANN401 - text or number
    status = int(value)
    if status not in STATUSES:
        raise ValueError("it is not one of 400 to 599")
    return status


def _duration(value: str | timedelta) -> timedelta:
    return parse_duration(value) if isinstance(value, str) else value


def _wait(value: str | timedelta) -> timedelta:
    wait = _duration(value)
    if not timedelta() <= wait <= LONGEST_WAIT:
        raise ValueError(f"it is really waited for: {format_duration(LONGEST_WAIT)} at most")
    return wait


async def prepare(fault: Fault, request: Request, *, handle: Handle) -> Response | None:
    """Make the answer that a fault leaves of a request's; None for no answer at all.

    `expire` is not done here: what has expired is refused by the services themselves.
    """
    if fault.effect == "refuse":
        return None
    if fault.effect == "answer":
        return _refusal(fault, request)
    await asyncio.sleep(fault.delay.total_seconds())
    response = await handle(request)
    if fault.effect == "corrupt":
        return Response(response.status, GARBAGE, response.headers)
    return response


async def send(fault: Fault, response: Response, connection: Connection, *, method: str) -> bool:
    """Send an answer, or half of it. False ends the connection."""
    if fault.effect == "cut":
        await _send_half(response, connection)
        return False
    await connection.respond(response, method=method)
    return True


def _refusal(fault: Fault, request: Request) -> Response:
    """Return a failure as the service of the host does."""
    phrase = HTTPStatus(fault.status).phrase if fault.status in _KNOWN else "Failure"
    code, message = phrase.title().replace(" ", ""), f"{phrase} (a fault set in the stand-in)"
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if ".blob." in request.host:
        xml = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
        xml += f"<Message>{message}</Message></Error>"
        headers["x-ms-error-code"] = code
        return Response.text(xml, status=fault.status, kind="application/xml", headers=headers)
    error: Any = {"code": code, "message": message}
    document = {"error": error}
    if fault.target == "entra" or request.host.startswith("login."):
        document = {"error": "temporarily_unavailable", "error_description": message}
    content = json.dumps(document).encode()
    headers["Content-Type"] = "application/json; charset=utf-8"
    return Response(fault.status, content, headers, phrase)


_KNOWN = {int(status) for status in HTTPStatus}


async def _send_half(response: Response, connection: Connection) -> None:
    """Announce a whole answer and send half of it; then the connection ends."""
    body = response.body or GARBAGE
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{k}: {v}" for k, v in response.headers.items() if k.lower() != "content-length"]
    lines += [f"Content-Length: {len(body)}", "", ""]
    connection.writer.write("\r\n".join(lines).encode() + body[: len(body) // 2])
    await connection.writer.drain()
