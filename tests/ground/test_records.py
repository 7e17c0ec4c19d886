"""Dataclasses that are made with their first object are what `dataclasses` makes."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_tfoidc import events, records


def _classes(dataclass: Callable[..., Any]) -> tuple[Any, Any]:
    """Return two classes, one of them derived, made with a decorator."""

    @dataclass(frozen=True, kw_only=True)
    class Base:
        """A base."""

        name: str
        hidden: str = dataclasses.field(repr=False, default="")
        parts: list[str] = dataclasses.field(default_factory=list)

    @dataclass(frozen=True, kw_only=True)
    class Derived(Base):
        """Derived."""

        size: int = 3

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError(self.size)

    return Base, Derived


SIGNATURE = (
    "(*, name: 'str', hidden: 'str' = '', parts: 'list[str]' = <factory>, size: 'int' = 3) -> None"
)
BOTH = pytest.mark.parametrize("dataclass", [records.dataclass, dataclasses.dataclass])


@BOTH
def test_objects_behave(dataclass: Callable[..., Any]) -> None:
    base, derived = _classes(dataclass)
    one = derived(name="x", hidden="h")
    assert repr(one).endswith("Derived(name='x', parts=[], size=3)")
    assert one == derived(name="x", hidden="h")
    assert one != derived(name="y", hidden="h")
    assert one != base(name="x", hidden="h")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.size = 4
    with pytest.raises(TypeError, match="positional argument"):
        derived("x")
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'name'"):
        base()
    with pytest.raises(ValueError, match="-1"):
        derived(name="x", size=-1)
    assert dataclasses.replace(one, size=5).size == 5
    assert dataclasses.asdict(one) == {"name": "x", "hidden": "h", "parts": [], "size": 3}


def _hash(cls: Callable[..., object]) -> bool:
    return hash(cls(name="x", parts=())) == hash(cls(name="x", parts=()))


@BOTH
@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (
            lambda cls: [f.name for f in dataclasses.fields(cls)],
            ["name", "hidden", "parts", "size"],
        ),
        (lambda cls: [f.repr for f in dataclasses.fields(cls)], [True, False, True, True]),
        (dataclasses.is_dataclass, True),
        (
            lambda cls: str(inspect.signature(cls)),
            SIGNATURE,
        ),
        (lambda cls: cls.__match_args__, ()),
        (lambda cls: cls.size, 3),
        (lambda cls: cls.__dataclass_params__.frozen, True),
        (_hash, True),
    ],
)
def test_a_class_tells_the_same_before_its_first_object(
    dataclass: Callable[..., Any], ask: Callable[[Any], object], answer: object
) -> None:
    _, derived = _classes(dataclass)
    assert ask(derived) == answer
    assert ask(derived) == answer  # and afterwards


@BOTH
@pytest.mark.parametrize("again", [records.dataclass, dataclasses.dataclass])
def test_others_may_derive(dataclass: Callable[..., Any], again: Callable[..., Any]) -> None:
    _, derived = _classes(dataclass)

    @again(frozen=True)
    class Further(derived):  # type: ignore[misc,valid-type] # made above
        """Further."""

        more: int

    class Plain(derived):  # type: ignore[misc,valid-type] # as above
        """No dataclass itself."""

    further = Further(1, name="x")
    assert (further.more, further.size) == (1, 3)
    assert Plain(name="y") == Plain(name="y")
    with pytest.raises(TypeError, match="cannot inherit non-frozen"):
        _ = inspect.signature(again(type("Loose", (derived,), {"__annotations__": {}})))


def test_nothing_is_compiled_before_the_first_object(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[type] = []
    real: Any = dataclasses.dataclass

    def dataclass(**settings: bool) -> Callable[[type], type]:
        def made(cls: type) -> type:
            compiled.append(cls)
            return real(**settings)(cls)  # type: ignore[no-any-return] # a class

        return made

    monkeypatch.setattr(dataclasses, "dataclass", dataclass)
    base, derived = _classes(records.dataclass)
    assert compiled == []
    derived(name="x")
    assert compiled == [base, derived]
    derived(name="y")
    assert compiled == [base, derived]


def test_many_threads_may_make_the_first_object() -> None:
    for _ in range(20):
        _, derived = _classes(records.dataclass)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda n, cls=derived: cls(name=str(n)), range(16)))
        assert [one.name for one in made] == [str(n) for n in range(16)]


def test_what_was_pickled_elsewhere_is_whole_here() -> None:
    script = (
        "import pickle, sys, datetime; from pytest_tfoidc.events import Event;"
        "sys.stdout.buffer.write(pickle.dumps(Event(at=datetime.datetime(2026, 1, 1))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )
    reader = (
        "import pickle, sys, datetime; one = pickle.load(sys.stdin.buffer);"
        "from pytest_tfoidc.events import Event;"
        "assert 'datetime.datetime(2026' in repr(one);"
        "assert one == Event(at=datetime.datetime(2026, 1, 1))"
    )
    subprocess.run([sys.executable, "-c", reader], input=done.stdout, check=True, timeout=60)
    assert pickle.loads(done.stdout) == events.Event(at=pickle.loads(done.stdout).at)  # noqa: S301 - ours


@pytest.mark.parametrize(
    "settings", [{"order": True}, {"slots": True}, {"init": False}, {"unsafe_hash": True}]
)
def test_unusual_settings_are_those_of_dataclasses(settings: dict[str, bool]) -> None:
    decorate: Any = records.dataclass
    made = decorate(**settings)(type("One", (), {"__annotations__": {"size": "int"}, "size": 1}))
    assert isinstance(vars(made)["__dataclass_fields__"], dict)  # at once
    assert made().size == 1
