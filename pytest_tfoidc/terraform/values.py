"""Values as tests read them: what is unknown is said, what is sensitive is not shown."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pytest_tfoidc.errors import TfOidcError

V_co = TypeVar("V_co", covariant=True)
NEAREST = 3
MOST_NAMES = 12
HIDDEN = "(sensitive value)"


class Unknown:
    """A value that is known after the apply only. There is one: `UNKNOWN`."""

    def __repr__(self) -> str:
        """Write it as Terraform does."""
        return "(known after apply)"

    def __bool__(self) -> NoReturn:
        """Refuse to be taken for true or false.

        Raises:
            TypeError: Always.
        """
        raise TypeError("The value is known after the apply only: compare it with `UNKNOWN`.")


UNKNOWN = Unknown()


class SensitiveText(str):
    """A text for programs that is not shown."""

    __slots__ = ()
    is_hidden = True

    def __repr__(self) -> str:
        """Show that there is a value."""
        return HIDDEN


class SensitiveInt(int):
    """A number for programs that is not shown."""

    is_hidden = True

    def __repr__(self) -> str:
        """Show that there is a value."""
        return HIDDEN

    __str__ = __repr__


class SensitiveFloat(float):
    """A number for programs that is not shown."""

    __slots__ = ()
    is_hidden = True

    def __repr__(self) -> str:
        """Show that there is a value."""
        return HIDDEN

    __str__ = __repr__


def readable(value: Any, *, unknown: Any = None, sensitive: Any = None) -> Any:  # noqa: ANN401 - JSON
    """Return a value of Terraform's JSON for tests.

    Args:
        value: The value; what is unknown is missing in it.
        unknown: True where it is unknown, in the value's own shape.
        sensitive: The same for what is sensitive.
    """
    if unknown is True:
        return UNKNOWN
    if isinstance(value, dict) or (value is None and isinstance(unknown, dict) and unknown):
        found = value or {}
        keys = dict.fromkeys([*found, *(unknown if isinstance(unknown, dict) else ())])
        return {
            key: readable(found.get(key), unknown=at(unknown, key), sensitive=at(sensitive, key))
            for key in keys
        }
    if isinstance(value, list):
        length = max(len(value), len(unknown) if isinstance(unknown, list) else 0)
        padded = [*value, *[None] * (length - len(value))]
        return [
            readable(one, unknown=at(unknown, index), sensitive=at(sensitive, index))
            for index, one in enumerate(padded)
        ]
    return _hidden(value) if sensitive is True else value


def _hidden(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return SensitiveText(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return SensitiveInt(value)
    return SensitiveFloat(value) if isinstance(value, float) else value


def at(marks: Any, key: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return what the marks of a value say of a part of it; what holds for the whole, holds."""
    if isinstance(marks, dict):
        return marks.get(key)
    if isinstance(marks, list) and isinstance(key, int):
        return marks[key] if key < len(marks) else None
    return True if marks is True else None


def secrets_of(value: Any) -> Iterator[object]:  # noqa: ANN401 - a readable value
    """Return what is sensitive in a readable value."""
    if isinstance(value, dict):
        for one in value.values():
            yield from secrets_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from secrets_of(one)
    elif isinstance(value, SensitiveText):
        yield str(value)
    elif isinstance(value, (SensitiveInt, SensitiveFloat)):
        yield value


class UnknownNameError(TfOidcError, KeyError):
    """There is nothing of this name or address; the nearest ones are named."""

    __str__ = TfOidcError.__str__  # a KeyError would show its repr


def no_such(what: str, name: object, names: Iterable[str], *, where: str = "") -> UnknownNameError:
    """Return the error for a name that is not there, with what is there."""
    known = list(names)
    near = difflib.get_close_matches(str(name), known, n=NEAREST, cutoff=0.5)
    shown = list(dict.fromkeys([*near, *sorted(known)]))[:MOST_NAMES]
    rest = len(known) - len(shown)
    more = f" and {rest} more" if rest > 0 else ""
    return UnknownNameError(
        f"There is no {what} {str(name)!r}.",
        where=where,
        cause=f"there are {', '.join(shown)}{more}" if known else f"there is no {what} at all",
        remedy=f"Did you mean {near[0]}?" if near else "",
    )


class Named(Mapping[str, V_co]):
    """Things by their names or addresses; for a wrong one the nearest are told.

    Args:
        what: What they are, in one word.
        items: The things.
        where: What is named in the error.
    """

    def __init__(self, what: str, items: Mapping[str, V_co], *, where: str = "") -> None:
        self._what = what
        self._items = dict(items)
        self._where = where

    def __getitem__(self, name: str) -> V_co:
        """Return one.

        Raises:
            UnknownNameError: It is not there; the nearest are named.
        """
        if name not in self._items:
            raise no_such(self._what, name, self._items, where=self._where)
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in their order."""
        return iter(self._items)

    def __len__(self) -> int:
        """Count them."""
        return len(self._items)

    def where(self, wanted: Callable[[V_co], bool]) -> Named[V_co]:
        """Return those that fulfil a condition."""
        chosen = {name: one for name, one in self._items.items() if wanted(one)}
        return Named(self._what, chosen, where=self._where)

    def __repr__(self) -> str:
        """Write what there is, without secrets."""
        return f"{{{', '.join(f'{name!r}: {one!r}' for name, one in self._items.items())}}}"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource or a data source, in a plan or in a state.

    `module` is empty for the root module; `mode` is `managed` or `data`.
    """

    address: str
    type: str
    name: str
    module: str
    mode: str
    provider: str
    values: Mapping[str, Any]
