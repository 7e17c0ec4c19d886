"""The commit of a folder, read as git has written it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_tfoidc.terraform.live.revision import revision_of


def git(folder: Path, *arguments: str) -> str:
    identity = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "core.hooksPath=/dev/null",
    )
    done = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - whichever there is
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (folder := tmp_path / "repository" / "module").mkdir(parents=True)
    (folder / "main.tf").write_text("")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-qm", "one")
    return folder.parent


def test_a_branch_a_packed_one_and_a_detached_head(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert revision_of(repository / "module") == head
    git(repository, "pack-refs", "--all")
    assert revision_of(repository / "module") == head
    git(repository, "checkout", "-q", "--detach")
    assert revision_of(repository / "module") == head


def test_a_worktree(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    assert revision_of(tmp_path / "tree" / "module") == git(repository, "rev-parse", "HEAD")


def test_what_is_no_repository_has_none(tmp_path: Path) -> None:
    assert revision_of(tmp_path) == ""
    (tmp_path / ".git").write_text("nonsense")
    assert revision_of(tmp_path) == ""


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert revision_of(tmp_path) == ""
