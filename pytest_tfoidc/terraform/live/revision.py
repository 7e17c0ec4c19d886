"""The commit that a folder is at, read from the repository's files: there may be no git."""

from __future__ import annotations

import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
REF, GITDIR = "ref: ", "gitdir: "


def revision_of(folder: Path) -> str:
    """Return the commit that a folder's repository is at; empty where that cannot be told."""
    try:
        for parent in (folder, *folder.parents):
            if (parent / ".git").exists():
                return _head(_git_folder(parent / ".git"))
    except (OSError, ValueError):
        pass  # a repository that cannot be read tells nothing
    return ""


def _git_folder(found: Path) -> Path:
    """Follow the file that a worktree or a submodule has in the folder's place."""
    if found.is_dir():
        return found
    return found.parent / _text(found).removeprefix(GITDIR)


def _head(git: Path) -> str:
    head = _text(git / "HEAD")
    if not head.startswith(REF):
        return _commit(head)
    name = head.removeprefix(REF)
    common = git / _text(git / "commondir") if (git / "commondir").exists() else git
    for folder in (git, common):
        if (folder / name).is_file():
            return _commit(_text(folder / name))
    for line in _text(common / "packed-refs").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return _commit(commit)
    return ""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _commit(text: str) -> str:
    return text if COMMIT.fullmatch(text) else ""
