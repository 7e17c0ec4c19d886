"""The deployed resources as far as Terraform has told, and the note of them."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest

from pytest_tfoidc.terraform.live.deployed import NOTE, Deployed, notes, state_place


def line(kind: str, address: str, action: str = "create") -> str:
    what = {"resource": {"addr": address}, "action": action}
    return json.dumps({"type": kind, "change" if kind == "planned_change" else "hook": what})


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "tfoidc-a"
    (folder / "module").mkdir(parents=True)
    return folder


@pytest.fixture
def made(base: Path) -> Deployed:
    return Deployed(module=Path("/m"), workspace=base / "module", base=base)


def test_what_is_planned_is_noted_before_it_is_made(made: Deployed, base: Path) -> None:
    for text in (line("planned_change", "a"), line("planned_change", "old", "delete"), "no json"):
        made.read(text)
    assert notes(os.getpid()) == ()
    made.begin()
    (noted,) = notes(os.getpid())
    assert noted.resources == ("a (perhaps)",)
    assert noted.workspace == str(base / "module")
    assert stat.S_IMODE((base / NOTE).stat().st_mode) == 0o600


def test_what_terraform_tells_is_what_is_there(made: Deployed) -> None:
    made.begin()
    for kind, address, action in (
        ("apply_start", "a", "create"),
        ("apply_complete", "a", "create"),
        ("apply_start", "b", "create"),
        ("apply_start", "c", "create"),
        ("apply_errored", "c", "create"),
        ("apply_complete", "d", "create"),
        ("apply_start", "d", "delete"),
        ("apply_complete", "d", "delete"),
    ):
        made.read(line(kind, address, action))
    made.end()
    assert notes(os.getpid())[0].resources == ("a", "b (perhaps)", "c (perhaps)")


def test_a_confirmed_destroy_leaves_no_note(made: Deployed, base: Path) -> None:
    made.begin()
    made.read(line("apply_complete", "a"))
    assert (base / NOTE).exists()
    made.forget()
    assert made.is_empty
    assert not (base / NOTE).exists()


def test_what_run_blocks_have_deployed_is_noted_until_it_is_gone(made: Deployed) -> None:
    made.note_test("tests/a.tftest.hcl", ["x"])
    assert notes(os.getpid())[0].resources == ("tests/a.tftest.hcl: x",)
    made.note_test("tests/a.tftest.hcl", [])
    assert notes(os.getpid()) == ()


def test_only_our_own_notes_and_whole_ones_are_read(made: Deployed, base: Path) -> None:
    made.begin()
    for number, text in enumerate(("", "{", "[]", '{"module": 1}')):
        other = base.parent / f"tfoidc-{number}"
        other.mkdir()
        (other / NOTE).write_text(text)
    assert len(notes(os.getpid())) == len(notes(os.getppid())) == 1
    assert notes(1) == ()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nothing tells when it started")
@pytest.mark.parametrize("started", [["1", "1"], []])
def test_a_note_of_an_earlier_process_that_had_our_number_is_not_ours(
    made: Deployed, base: Path, started: list[str]
) -> None:
    """In containers each run may be process 1."""
    made.begin()
    held = json.loads((base / NOTE).read_text(encoding="utf-8"))
    (base / NOTE).write_text(json.dumps({**held, "started": started}), encoding="utf-8")
    assert notes(os.getpid(), os.getppid()) == ()
    (base / NOTE).write_text(json.dumps(held), encoding="utf-8")
    assert len(notes(os.getpid(), os.getppid())) == 1


def test_nothing_is_noted_where_nothing_is_real(base: Path) -> None:
    quiet = Deployed(module=Path("/m"), workspace=base, base=None)
    quiet.begin()
    quiet.read(line("apply_complete", "a"))
    assert quiet.resources == ("a",)
    assert list(base.iterdir()) == [base / "module"]


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (
            {
                "type": "azurerm",
                "config": {
                    "access_key": "a-secret",
                    "container_name": "c",
                    "key": "k.tfstate",
                    "storage_account_name": "account",
                },
            },
            "azurerm: account/c/k.tfstate",
        ),
        ({"type": "s3", "config": {"bucket": "b", "key": "k", "secret_key": "s"}}, "s3: b/k"),
        ({"type": "inmem", "config": {}}, "inmem"),
    ],
)
def test_the_place_of_a_state_is_said_without_secrets(
    tmp_path: Path, backend: dict[str, object], words: str
) -> None:
    (tmp_path / ".terraform").mkdir()
    file = tmp_path / ".terraform/terraform.tfstate"
    file.write_text(json.dumps({"backend": backend}))
    assert state_place(tmp_path) == words
    file.write_text("{")
    assert state_place(tmp_path) == f"local: {tmp_path / 'terraform.tfstate'}"
