"""Copies of repositories: Git answers as in the original, and writes reach the copy alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_tfoidc.terraform import gitcopy
from pytest_tfoidc.terraform.isolation import isolate


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    line = ["git", *who, "-c", "protocol.file.allow=always", *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        line, cwd=folder, check=True, capture_output=True, text=True, env=variables
    )
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    (folder / "infra").mkdir(parents=True)
    (folder / "infra" / "main.tf").write_text("x")
    (folder / "other.txt").write_text("x")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "the first")
    git(folder, "tag", "v1")
    return folder


QUESTIONS = (
    ("rev-parse", "HEAD"),
    ("describe", "--tags", "--dirty"),
    ("diff-index", "--name-only", "HEAD"),
    ("status", "--porcelain"),
    ("branch", "--show-current"),
    ("log", "--format=%s"),
    ("rev-parse", "--show-prefix"),
)


def answers(folder: Path) -> list[str]:
    return [git(folder, *question) for question in QUESTIONS]


def metadata(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.mark.parametrize("objects", ["loose", "packed", "borrowed"])
def test_git_answers_as_in_the_original(
    tmp_path: Path, into: Path, objects: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = repository(tmp_path / "a b" / "shop")
    if objects == "packed":
        git(original, "gc", "-q")
    if objects == "borrowed":
        monkeypatch.setattr(gitcopy, "MOST_OBJECTS", 1)
    copy = isolate(original / "infra", into).path
    assert answers(copy) == answers(original / "infra")
    (original / "other.txt").write_text("changed")
    dirty = isolate(original / "infra", into / "dirty").path
    assert answers(dirty) == answers(original / "infra")
    assert "v1-dirty" in answers(dirty)


def test_writes_reach_the_copy_alone(tmp_path: Path, into: Path) -> None:
    original = repository(tmp_path / "shop")
    before = metadata(original)
    copy = isolate(original / "infra", into).path
    (copy / "main.tf").write_text("changed")
    git(copy, "commit", "-q", "-a", "-m", "the second")
    git(copy, "tag", "v2")
    git(copy, "gc", "-q", "--prune=now")
    assert git(copy, "log", "--format=%s").split("\n") == ["the second", "the first"]
    assert metadata(original) == before


def test_a_worktree_is_asked_and_written_to_alone(tmp_path: Path, into: Path) -> None:
    main = repository(tmp_path / "shop")
    git(main, "worktree", "add", "-q", "-b", "feature", str(tmp_path / "tree"))
    before = metadata(main)
    copy = isolate(tmp_path / "tree" / "infra", into).path
    assert answers(copy) == answers(tmp_path / "tree" / "infra")
    before = metadata(main)
    git(copy, "commit", "-q", "--allow-empty", "-m", "the second")
    assert metadata(main) == before


@pytest.mark.parametrize("module", ["sub/infra", "."])
def test_a_submodule_is_asked_and_written_to_alone(tmp_path: Path, into: Path, module: str) -> None:
    inner = repository(tmp_path / "inner")
    outer = repository(tmp_path / "outer")
    git(outer, "submodule", "add", "-q", str(inner), "sub")
    git(outer, "commit", "-q", "-m", "with a submodule")
    expected = answers(outer / "sub" / "infra")
    before = metadata(outer)
    copy = isolate(outer / module, into).path
    asked = copy if module != "." else copy / "sub" / "infra"
    assert answers(asked) == expected
    git(asked, "commit", "-q", "--allow-empty", "-m", "the second")
    before = {name: one for name, one in before.items() if not name.endswith("index")}
    after = metadata(outer)
    assert {name: after[name] for name in before} == before


def test_what_a_run_adds_to_a_copy_does_not_make_it_dirty(tmp_path: Path, into: Path) -> None:
    original = repository(tmp_path / "shop")
    copy = isolate(original / "infra", into).path
    for name in ("tfplan", "~tfoidc_backend_override.tf.json", ".tfoidc.tfbackend"):
        (copy / name).write_text("x")
    assert not git(copy, "status", "--porcelain")


def test_locks_of_a_git_that_runs_now_stay_behind(tmp_path: Path, into: Path) -> None:
    original = repository(tmp_path / "shop")
    (original / ".git" / "index.lock").write_text("")
    copy = isolate(original / "infra", into).path
    git(copy, "commit", "-q", "--allow-empty", "-m", "the second")


@pytest.mark.parametrize("text", ["gitdir: ../nowhere\n", "no pointer", ""])
def test_a_git_file_that_leads_nowhere_is_copied_as_it_is(
    tmp_path: Path, into: Path, text: str
) -> None:
    module = tmp_path / "shop"
    module.mkdir()
    (module / "main.tf").write_text("x")
    (module / ".git").write_text(text)
    assert (isolate(module, into).path / ".git").read_text() == text


def test_no_git_has_to_be_installed(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = repository(tmp_path / "shop")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    copy = isolate(original / "infra", into).path
    assert (copy / "../.git/HEAD").read_text() == "ref: refs/heads/main\n"
