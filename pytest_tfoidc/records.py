"""Dataclasses that cost nothing until the first of them is made.

`dataclasses.dataclass` compiles the methods of a class while its module is imported: a millisecond
each, for two hundred classes of which most runs use a few. This one lets `dataclasses` do that when
the first object of a class is made, or when somebody asks for its fields. It is used as the other,
and what it makes is the same; for type checkers it is the other.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

ASKED_FOR = ("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__signature__")
LATER = {"frozen", "kw_only", "eq", "repr"}  # the settings that are for methods alone
_waiting: dict[type, Callable[[], None]] = {}
_lock = threading.RLock()

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **settings: bool) -> Any:  # noqa: ANN401 - see above
        """Make a dataclass; its methods come with its first object.

        Args:
            cls: The class.
            settings: Those of `dataclasses.dataclass`.
        """
        if cls is None:
            return lambda decorated: dataclass(decorated, **settings)
        if "__init__" in vars(cls) or not settings.keys() <= LATER:
            return dataclasses.dataclass(**settings)(cls)
        _let_wait(cls, settings)
        return cls


def _let_wait(cls: Any, settings: dict[str, bool]) -> None:  # noqa: ANN401 - a class that changes
    def first(self: Any, /, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - of any class
        _finish(type(self))
        cls.__init__(self, *arguments, **named)

    def unpickled(self: object, state: dict[str, Any]) -> None:
        _finish(type(self))
        vars(self).update(state)

    cls.__init__, cls.__setstate__ = first, unpickled
    for name in ASKED_FOR:
        setattr(cls, name, _Awaited(name))
    _waiting[cls] = lambda: _make(cls, settings)


def _finish(cls: type) -> None:
    """Make the methods of a class, and of those that it is derived from, where they wait."""
    with _lock:
        for one in reversed(cls.__mro__):
            if one in _waiting:
                _waiting[one]()


def _make(cls: type, settings: dict[str, bool]) -> None:
    del _waiting[cls]
    for name in (*ASKED_FOR, "__init__", "__setstate__"):
        delattr(cls, name)
    dataclasses.dataclass(**settings)(cls)


class _Awaited:
    """Stands for what `dataclasses` knows of a class, and lets it be known when somebody asks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _instance: object, owner: type) -> Any:  # noqa: ANN401 - whatever it is
        _finish(owner)
        try:
            return getattr(owner, self._name)
        except AttributeError:
            return None  # there is no signature but what `inspect` finds
