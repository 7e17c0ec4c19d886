"""The tests of modules under pytest-xdist: each runs once, also where a worker crashes."""

from __future__ import annotations

import shutil

from tests.project_kit import Project, text_of

MODULE = 'output "one" {\n  value = 1\n}\n'
CRASHING = """
import os
from pathlib import Path

NOTE = Path(__file__).with_name("note")


def test_a():
    with NOTE.open("a") as file:
        file.write("a")
    os._exit(3)


def test_b():
    with NOTE.open("a") as file:
        file.write("b")
"""


def test_a_test_that_a_worker_has_crashed_in_is_not_run_again(project: Project) -> None:
    module = project.module(main=MODULE, files={"test_it.py": CRASHING})
    result = project.check("none", "-n", "2", "--max-worker-restart=3")
    result.assert_outcomes(passed=1, failed=1)
    assert "crashed while running 'module/test_it.py::test_a'" in text_of(result)
    assert sorted((module / "note").read_text(encoding="utf-8")) == ["a", "b"]
    for folder in project.temp.glob("tfoidc-ca-*"):  # of the worker that could not clean up
        shutil.rmtree(folder)


NOTING = """
terraform {{
  backend "local" {{}}
}}

resource "terraform_data" "this" {{
  provisioner "local-exec" {{
    command = "echo begin >> {note}; {meanwhile}; echo end >> {note}"
  }}
}}
"""
NAMES = ("one", "two", "three")
A_WHILE = "sleep 0.4"
UNTIL_ANOTHER_HAS_BEGUN = "until [ $(grep -c begin {note}) -ge 2 ]; do sleep 0.1; done"


def deployed_by_workers(project: Project, *arguments: str, meanwhile: str) -> list[str]:
    """Deploy three modules with three workers; return what they have noted."""
    note = project.path / "note"
    main = NOTING.format(note=note, meanwhile=meanwhile.format(note=note))
    modules = [f"--tf-module={project.module(name, main=main).name}" for name in NAMES]
    result = project.run("-n3", "--tf-check=delayed_apply", *modules, *arguments)
    result.assert_outcomes(passed=3)
    assert project.left_over() == []
    return note.read_text(encoding="utf-8").split()


def test_no_more_modules_deploy_at_once_than_are_allowed(project: Project) -> None:
    lines = deployed_by_workers(project, "--tf-parallel-modules=1", meanwhile=A_WHILE)
    assert lines == ["begin", "end"] * 3


def test_as_many_modules_deploy_at_once_as_there_are_workers(project: Project) -> None:
    lines = deployed_by_workers(project, meanwhile=UNTIL_ANOTHER_HAS_BEGUN)
    assert lines[:2] == ["begin", "begin"]
