"""The ledger: durable, private, honest about what is damaged, and fast."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.terraform.live.ledger import (
    APPLYING,
    FOLDER,
    Damaged,
    Entry,
    Ledger,
    LedgerError,
    RecordedState,
    RecordedVariable,
    is_ledger_of,
    ledger_of,
    new_id,
)
from pytest_tfoidc.terraform.live.recording import foreign_in

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
MANY = 10_000
MOST_SECONDS = 5.0  # of a busy machine's; the benchmark measures
OPERATIONS = ("open", "write", "fsync", "replace", "mkdir", "unlink", "rmdir", "close")


def entry(entry_id: str = "20260304T050607Z-00000000", **values: object) -> Entry:
    usual = {
        "id": entry_id,
        "run": "4711",
        "created": NOW,
        "phase": APPLYING,
        "module": "infrastructure",
        "root": "/repository",
        "state": RecordedState(backend="azurerm", config={"key": "prod.tfstate.tfoidc/4711/check"}),
        "variables": (
            RecordedVariable(name="a", value="1"),
            RecordedVariable(name="b", source="TF_VAR_b"),
        ),
        "planned": (("azurerm_resource_group.one", "create"),),
        "context": {"kind": "azure-devops"},
        "remains": ("azurerm_resource_group.one",),
    }
    return Entry(**{**usual, **values})  # type: ignore[arg-type] # as the test means it


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "root" / ".tfoidc")


def damage(ledger: Ledger) -> Damaged:
    (found,) = ledger.entries()
    assert isinstance(found, Damaged)
    assert found.path.exists()  # nothing is lost
    return found


def test_what_is_written_is_read(ledger: Ledger) -> None:
    ledger.write(entry())
    assert ledger.entries() == [entry()]


def test_entries_come_oldest_first(ledger: Ledger) -> None:
    moments = (timedelta(seconds=1), *(timedelta(microseconds=n) for n in (999_999, 16, 9, 0, 10)))
    ids = {moment: new_id(NOW + moment) for moment in moments}
    for entry_id in ids.values():
        ledger.write(entry(entry_id))
    assert [one.id for one in ledger.entries()] == [ids[moment] for moment in sorted(ids)]


def test_nobody_else_can_read_it_and_git_leaves_it_out(ledger: Ledger) -> None:
    ledger.write(entry())
    ledger.note(entry().id, [{"what": "created", "address": "a", "id": "1"}])
    ledger.keep(entry().id, "state", b"{}")
    ledger.hold(entry().id).release()
    assert stat.S_IMODE(ledger.folder.stat().st_mode) == 0o700
    assert (ledger.folder / ".gitignore").read_text() == "*\n"
    files = [path for path in ledger.folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_nothing_of_an_entry_is_left_when_it_is_removed(ledger: Ledger) -> None:
    ledger.write(entry())
    ledger.note(entry().id, [{"what": "created", "address": "a", "id": "1"}])
    ledger.keep(entry().id, "state", b"{}")
    ledger.hold(entry().id).release()
    ledger.remove(entry().id)
    assert [path.name for path in ledger.folder.iterdir()] == [".gitignore"]


def test_no_ledger_is_an_empty_one(ledger: Ledger) -> None:
    assert ledger.entries() == []
    assert not ledger.folder.exists()


def test_an_entry_that_is_cut_in_half_is_told_and_stays(ledger: Ledger) -> None:
    ledger.write(entry())
    path = ledger.folder / f"{entry().id}.json"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut off in the middle" in str(damage(ledger))


def test_an_entry_of_a_newer_version_is_told_and_stays(ledger: Ledger) -> None:
    ledger.write(entry())
    path = ledger.folder / f"{entry().id}.json"
    path.write_text(json.dumps({"format": 2, "something": "else"}))
    assert "format 2, from a newer pytest-tfoidc" in str(damage(ledger))


def test_an_entry_that_cannot_be_read_is_told_and_stays(ledger: Ledger) -> None:
    ledger.write(entry())
    path = ledger.folder / f"{entry().id}.json"
    path.unlink()
    path.mkdir()
    assert "cannot be read" in str(damage(ledger))


JSON = st.recursive(st.none() | st.integers() | st.text(), st.lists)


@given(text=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_lies_there_is_an_entry_or_damaged(
    text: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "1.json").write_bytes(text)
    assert isinstance(Ledger(folder).read("1"), Damaged)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Entry) if f.name != "id"])
@pytest.mark.parametrize("value", [None, 7])
def test_a_field_of_another_type_is_damage(ledger: Ledger, name: str, value: object) -> None:
    ledger.write(entry())
    path = ledger.folder / f"{entry().id}.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), name: value}))
    assert "damaged" in str(damage(ledger))


def test_a_journal_tells_what_is_there_and_what_was_being_made(ledger: Ledger) -> None:
    ledger.write(entry())
    lines = [
        {"what": "creating", "address": "a"},
        {"what": "created", "address": "a", "id": "1"},
        {"what": "created", "address": "b", "id": "2"},
        {"what": "creating", "address": "c"},
        {"what": "gone", "address": "moved", "id": "2"},
    ]
    ledger.note(entry().id, lines)
    with (ledger.folder / f"{entry().id}.jsonl").open("a") as file:
        file.write('{"what": "gone", "addr')  # cut off
    found = [(one.address, one.id, one.is_there) for one in ledger.journal(entry().id)]
    assert found == [("a", "1", True), ("c", "", False)]


def test_a_lock_is_held_by_one_and_shared_by_parts(ledger: Ledger) -> None:
    hold = ledger.hold(entry().id)
    other = ledger.lock(entry().id)
    assert not other.acquire()
    part = hold.share()
    hold.release()
    assert not other.acquire()
    part.release()
    assert other.acquire()
    other.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_ledger_that_cannot_be_written_is_said(
    ledger: Ledger, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.write(entry("1"))

    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(LedgerError) as caught:
        ledger.write(entry("2"))
    assert "nothing is applied" in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert "--tf-ledger DIR" in str(caught.value)
    assert [one.id for one in ledger.entries()] == ["1"]  # no half of it


def test_a_ledger_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger(tmp_path / "file" / "ledger").write(entry())


def test_ten_thousand_entries_are_listed_quickly(ledger: Ledger) -> None:
    ledger.write(entry())
    text = (ledger.folder / f"{entry().id}.json").read_bytes()
    for number in range(1, MANY):
        (ledger.folder / f"20260304T050607Z-{number:08x}.json").write_bytes(text)
    started = time.process_time()
    found = ledger.entries()
    took = time.process_time() - started
    assert len(found) == MANY
    assert all(isinstance(one, Entry) for one in found)
    assert took < MOST_SECONDS


class Crashed(BaseException):
    """The process is no more: nothing that it does has an effect."""


class Crash:
    """Ends the process, as far as the disk is concerned, at one operation."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.operations: list[str] = []

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self._planted(name, getattr(os, name)))

    def _planted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - whatever os takes
            if self.left <= 0:
                raise Crashed
            self.left -= 1
            self.operations.append(name)
            if self.left == 0 and name == "write":  # a part of it
                real(args[0], args[1][: len(args[1]) // 2])
                raise Crashed
            if self.left == 0:
                raise Crashed
            return real(*args, **kwargs)

        return call


class Cloud:
    """Creates what is in no state but the cloud's."""

    def __init__(self) -> None:
        self.there: set[str] = set()


def life(ledger: Ledger, cloud: Cloud) -> Iterator[str]:
    """Everything that a run does to the ledger, and what it does to the cloud in between."""
    ledger.hold(entry().id)
    ledger.keep(entry().id, ".terraform.lock.hcl", b"locked")
    ledger.write(entry())
    ledger.note(entry().id, [{"what": "creating", "address": "a"}])
    cloud.there.add("a")
    ledger.note(entry().id, [{"what": "created", "address": "a", "id": "1"}])
    ledger.write(entry(phase="applied"))
    yield "applied"
    ledger.write(entry(phase="destroying"))
    cloud.there.remove("a")
    ledger.note(entry().id, [{"what": "gone", "address": "a", "id": "1"}])
    ledger.remove(entry().id)
    yield "destroyed"


def lifes_operations(folder: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        crash = Crash(at=10**6)
        crash.plant(patch)
        list(life(Ledger(folder), Cloud()))
        return len(crash.operations)


def test_after_a_crash_at_any_write_there_is_no_resource_without_an_entry(tmp_path: Path) -> None:
    count = lifes_operations(tmp_path / "count")
    assert count > 30  # it looks at something
    seen = set()
    for at in range(1, count + 1):
        ledger, cloud = Ledger(tmp_path / str(at)), Cloud()
        with pytest.MonkeyPatch.context() as patch:
            Crash(at=at).plant(patch)
            with pytest.raises(Crashed):
                list(life(ledger, cloud))
        found = ledger.entries()
        assert not any(isinstance(one, Damaged) for one in found)
        if cloud.there:
            assert [one.id for one in found] == [entry().id]
        seen.add((bool(cloud.there), len(found)))
        if found:  # a sweep that is begun again ends, whatever the crash left
            ledger.remove(entry().id)
        assert ledger.entries() == []
    assert seen == {(False, 0), (False, 1), (True, 1)}


def test_the_crash_test_would_notice_an_entry_that_comes_too_late(tmp_path: Path) -> None:
    """The control: with the entry written after the resource, a crash in between is found."""
    ledger, cloud = Ledger(tmp_path / "late"), Cloud()
    with pytest.MonkeyPatch.context() as patch:
        Crash(at=5).plant(patch)
        cloud.there.add("a")
        with pytest.raises(Crashed):
            ledger.write(entry())
    assert cloud.there
    assert ledger.entries() == []


def test_a_ledger_is_found_from_below_up_to_the_top_of_the_repository(tmp_path: Path) -> None:
    """As pytest finds its root directory; a nearer one comes first."""
    outside, top = tmp_path / FOLDER, tmp_path / "repository"
    (below := top / "infra" / "tests").mkdir(parents=True)
    outside.mkdir()
    assert ledger_of(below) == outside
    (top / ".git").mkdir()
    assert ledger_of(below) == below / FOLDER  # there is none: it would be made here
    (own := top / FOLDER).mkdir()
    assert ledger_of(below) == own
    assert is_ledger_of(below, own)
    assert is_ledger_of(below, top / "infra" / FOLDER)  # it would be nearer, once it is there
    assert not is_ledger_of(below, outside)
    (below / FOLDER).mkdir()
    assert ledger_of(below) == below / FOLDER
    assert not is_ledger_of(below, own)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RecordedState(backend="pg", config={"schema_name": "s"}), "pg s"),
        (
            RecordedState(backend="kubernetes", config={"secret_suffix": "x", "namespace": "n"}),
            "kubernetes n/x",
        ),
        (
            RecordedState(backend="remote", config={"organization": "o"}, own_workspace="w"),
            "remote o/w",
        ),
        (
            RecordedState(backend="s3", config={"bucket": "b", "key": "k"}, workspace="second"),
            "s3 b/k (workspace second)",
        ),
    ],
)
def test_an_entry_says_where_its_state_is_in_every_backend(state: RecordedState, told: str) -> None:
    assert str(state) == told


def _held(**ids: str) -> str:
    """Return a state: by name, the ids of its resources."""
    resources = [
        {"mode": "managed", "type": "t", "name": name, "instances": [{"attributes": {"id": one}}]}
        for name, one in ids.items()
    ]
    return json.dumps({"resources": resources})


@pytest.mark.parametrize(
    ("state", "in_a_sweep", "in_the_run"),
    [
        (_held(a="/A/1", silent="any"), (), ()),
        (_held(moved="/a/1"), (), ()),
        (_held(a="/a/2"), ("t.a",), ()),  # made anew by others, or upgraded by the run itself
        (_held(a="/a/1", b="/b/1"), ("t.b",), ("t.b",)),
        ("", (), ()),
    ],
)
def test_what_was_not_made_here_is_told_by_address_and_id(
    state: str, in_a_sweep: tuple[str, ...], in_the_run: tuple[str, ...]
) -> None:
    made = {"t.a": frozenset({"/a/1"}), "t.silent": frozenset[str]()}
    assert foreign_in(state, made) == in_a_sweep
    assert foreign_in(state, made, has_gone_on=False) == in_the_run
