"""The tests of modules under pytest-xdist: each runs once, also where a worker crashes."""

from __future__ import annotations

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
    for file in project.temp.glob("tfoidc-ca-*"):  # of the worker that could not clean up
        file.unlink()
