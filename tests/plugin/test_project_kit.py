"""The kit that the other tests here rely on: leftovers of a run are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forking
from tests.project_kit import Project

WHO_AM_I = """
import os, sys

def test_it(request):
    umask = os.umask(0)
    os.umask(umask)
    lines = [os.getcwd(), oct(umask), os.environ["MARK"], sys.path[0], *sys.argv[1:]]
    print("told:", *lines, os.getppid(), sep="|")
"""


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


@pytest.mark.skipif(sys.platform != "linux", reason="pytest is not forked here")
@pytest.mark.parametrize("is_forked", [True, False])
def test_a_fork_is_what_a_new_interpreter_is(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, is_forked: bool
) -> None:
    (project.path / "test_it.py").write_text(WHO_AM_I, encoding="utf-8")
    monkeypatch.setenv("MARK", "of this test")
    monkeypatch.setenv(forking.DISABLED, str(int(is_forked)))
    before = os.umask(0o027)
    try:
        result = project.run("test_it.py", "-s")
    finally:
        os.umask(before)
    result.assert_outcomes(passed=1)
    told = next(line for line in result.outlines if "told:" in line).partition("told:|")[2]
    *lines, parent = told.split("|")
    assert lines[:4] == [str(project.path), "0o27", "of this test", str(project.path)]
    assert lines[-2:] == ["test_it.py", "-s"]
    assert (int(parent) == os.getpid()) != is_forked
    assert "warning" not in result.stdout.str()


@pytest.mark.parametrize("name", ["PYTHONUTF8", "LC_ALL", "COVERAGE_PROCESS_START"])
def test_where_an_interpreter_would_start_otherwise_it_is_started(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (project.path / "test_it.py").write_text(WHO_AM_I, encoding="utf-8")
    monkeypatch.setenv("MARK", "x")
    monkeypatch.setenv(name, {"PYTHONUTF8": "1", "LC_ALL": "C"}.get(name, ""))
    told = project.run("test_it.py", "-s").stdout.str()
    assert f"|{os.getpid()}\n" in told


def test_a_run_that_takes_too_long_is_ended(project: Project) -> None:
    (project.path / "test_it.py").write_text(
        "import threading\ndef test_it(): threading.Event().wait(100)\n", encoding="utf-8"
    )
    with pytest.raises(pytest.Pytester.TimeoutExpired):
        project.run("test_it.py", timeout=2)
    (project.path / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    project.run("test_it.py").assert_outcomes(passed=1)
