"""The kit that the other tests here rely on: leftovers of a run are noticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project_kit import Project


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_a_file_and_a_process_that_were_left_behind_are_noticed(project: Project) -> None:
    file = project.temp / "tfoidc-left"
    file.touch()
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs
        found = project.left_over()
        process.communicate(b"\n")
    file.unlink()
    assert found == ["tfoidc-left", f"process {process.pid}"]
