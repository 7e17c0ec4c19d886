"""The variables of an environment and the user's own command, read and checked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_tfoidc.errors import UsageError

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+")
MACRO = re.compile(r"\$[({].*[)}]", re.DOTALL)
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class VariableProblem:
    """One thing that is missing or wrong: the variable, why, and what to do."""

    variable: str
    cause: str
    remedy: str


class Variables:
    """An environment: empty is unset; an unexpanded `$(…)` is unset too, and remembered."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.literal: list[str] = []
        self.problems: list[VariableProblem] = []
        self.warnings: list[str] = []

    def first(self, names: Sequence[str]) -> tuple[str, str] | None:
        """Return the first variable that has a value, and the value."""
        for name in names:
            value = self._environment.get(name, "").strip()
            if value and not MACRO.fullmatch(value):
                return name, value
            if value and name not in self.literal:
                self.literal.append(name)
                self.warnings.append(f"{name} holds an unexpanded macro; it is taken as unset.")
        return None

    def get(self, *names: str) -> str | None:
        """Return the first value; None where there is none."""
        found = self.first(names)
        return found[1] if found else None

    def need(self, names: Sequence[str], *, variable: str, cause: str, remedy: str) -> str:
        """Return the first value, or note that it is missing."""
        value = self.get(*names)
        if value is None:
            literal = [name for name in names if name in self.literal]
            if literal:
                variable = literal[0]
                cause = "it holds the literal text of a macro: nothing of that name was expanded"
            self.problems.append(VariableProblem(variable, cause, remedy))
        return value or ""

    def checked(self, names: Sequence[str], pattern: re.Pattern[str], *, what: str) -> str | None:
        """Return the first value if it has the form it should have, or note that it has not."""
        found = self.first(names)
        if found and not pattern.fullmatch(found[1]):
            cause = f"it is not {what}: it has {len(found[1])} characters of another form"
            self.problems.append(VariableProblem(found[0], cause, f"Set it to {what}."))
        return found[1] if found else None


def split_command(text: str, *, option: str) -> tuple[str, ...]:
    """Split the user's command as a shell would.

    Args:
        text: The command; empty where there is none.
        option: What it was given with, for the message.

    Raises:
        UsageError: A quotation mark is not closed.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            "The command cannot be split into words.",
            where=option,
            cause=str(error),
            remedy="Close every quotation mark.",
        ) from error
