"""The tutorial is followed as it is written, on a machine that reaches nobody."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.page_kit import DOCS, Block, blocks_of, without_figures
from tests.project_kit import Project

PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8")
FIRST = PAGE.index("## 1. ")  # before it: what the reader has seen, and the installation
COMMANDS, ANSWERS, FILES = 8, 8, 6


@pytest.fixture
def reader(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's empty folder, with `terraform`, `tfoidc` and `python` on PATH, offline."""
    bin_folder = project.path / "bin"
    bin_folder.mkdir()
    tools = {
        "terraform": project.terraform(),
        "tfoidc": (sys.executable, "-m", "pytest_tfoidc.cli"),
        "python": (sys.executable,),
    }
    for name, command in tools.items():
        script = bin_folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        script.chmod(0o700)
    project.without_registry()
    monkeypatch.setenv("PATH", str(bin_folder), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:terraform -p no:randomly -p no:cacheprovider")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TF_CLI_ARGS", "-no-color")
    folder = project.path / "shop"
    folder.mkdir()
    return folder


def follow(blocks: list[Block], folder: Path) -> list[str]:
    """Write the files, run the commands; return the lines that an answer lacks."""
    printed, lacking = "", []
    for block in blocks:
        if block.commands:
            printed = "".join(_run(command, folder) for command in block.commands)
        elif block.language == "text":
            seen = {without_figures(line) for line in printed.splitlines()}
            wanted = block.text.splitlines()
            lacking += [line for line in wanted if not _is_said(without_figures(line), seen)]
        elif block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    return lacking


def _is_said(line: str, seen: set[str]) -> bool:
    return line in seen or (line.startswith("AADSTS") and any(line in one for one in seen))


def _run(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial's pipeline uses curl")
def test_the_tutorial_shows_what_it_says(reader: Path) -> None:
    blocks = blocks_of(PAGE[FIRST:])
    assert sum(len(block.commands) for block in blocks) == COMMANDS
    assert sum(block.language == "text" for block in blocks) == ANSWERS
    assert sum(bool(block.file) for block in blocks) == FILES
    assert follow(blocks, reader) == []


def test_an_answer_that_is_not_given_is_found(reader: Path) -> None:
    block = Block(language="console", text="$ printf 'one\\ntwo 3\\n'\n")
    answer = Block(language="text", text="one\ntwo 4\nthree\n")
    assert follow([block, answer], reader) == ["three"]
