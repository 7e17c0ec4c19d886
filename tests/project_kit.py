"""A project of a user in which pytest runs, as a process of its own."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc.terraform.executable import find_executable
from tests import forking

FAULTS = Path(__file__).parent / "plugin" / "faults"
MODULES = Path(__file__).parent / "modules"
EXECUTABLE = "TFOIDC_TEST_EXECUTABLE"
TIMEOUT_SECONDS = 300.0
SMALL = """\
terraform {
  backend "azurerm" {}
}

resource "terraform_data" "first" {
  input = "one"
}

resource "terraform_data" "second" {
  input = terraform_data.first.output
}
"""
# Of this machine, not of the tests: what would lead Terraform or pytest elsewhere.
DISTURBING = (
    *("GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS"),
    *("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_WORKSPACE"),
)


class Project:
    """A folder with modules in it, a temporary folder of its own, and pytest.

    Args:
        pytester: Runs pytest.
        temp: The temporary folder of everything that runs in the project.
        monkeypatch: Sets the environment.
    """

    def __init__(
        self, pytester: pytest.Pytester, *, temp: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.path = pytester.path
        self.temp = temp
        self._pytester = pytester
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(pytester, "popen", functools.partial(_popen, pytester.popen))
        for name in DISTURBING:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TMPDIR", str(temp))

    def module(
        self, name: str = "module", *, files: Mapping[str, str] | None = None, main: str = SMALL
    ) -> Path:
        """Write a module; `main` is what its main.tf says, `files` are more files by their path."""
        folder = self.path / name
        for path, text in {"main.tf": main, **(files or {})}.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return folder

    def copy(self, module: str, to: str | Path | None = None) -> Path:
        """Copy one of the tests' modules into the project."""
        return Path(
            shutil.copytree(MODULES / module, self.path / (to or module), dirs_exist_ok=True)
        )

    def plant(self, fault: str) -> tuple[str, str]:
        """Return the arguments with which pytest loads a fault: a file of `faults`."""
        self._monkeypatch.setenv("PYTHONPATH", str(FAULTS), prepend=os.pathsep)
        return "-p", fault

    def terraform(self) -> tuple[str, ...]:
        """Return the command line of the Terraform that the tests are run with."""
        return find_executable(os.environ.get(EXECUTABLE), os.environ).argv

    def wrapper(self, line: str) -> Path:
        """Write a Terraform that runs a line of shell first."""
        terraform = shlex.join(self.terraform())
        script = self.path / "terraform-wrapper"
        script.write_text(f'#!/bin/sh\n{line}\nexec {terraform} "$@"\n', encoding="utf-8")
        script.chmod(0o700)
        return script

    def run(
        self,
        *arguments: str | Path,
        executable: str | Path | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> pytest.RunResult:
        """Run pytest, with the Terraform that the tests are run with, or another one."""
        chosen = executable or os.environ.get(EXECUTABLE)
        terraform = [f"--tf-executable={chosen}"] if chosen else []
        # pytest-terraform wants a binary on PATH
        plain = ("-p", "no:randomly", "-p", "no:terraform", *terraform)
        return self.run_plain(*plain, *arguments, timeout=timeout)

    def run_plain(
        self, *arguments: str | Path, timeout: float = TIMEOUT_SECONDS
    ) -> pytest.RunResult:
        """Run pytest with these arguments and no others."""
        without = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")  # which is slow to import
        return self._pytester.runpytest_subprocess(*without, *arguments, timeout=timeout)

    def check(self, name: str, *arguments: str | Path) -> pytest.RunResult:
        """Run one check, or all, of the module `module`."""
        return self.run("--tf-module", "module", f"--tf-check={name}", *arguments)

    def without_terraform_on_path(self) -> None:
        """Leave nothing on PATH."""
        self._monkeypatch.setenv("PATH", str(self.path / "empty"))

    def without_registry(self) -> None:
        """Lead everything that leaves this machine to a port that nobody listens on."""
        for name in ("https_proxy", "HTTPS_PROXY"):
            self._monkeypatch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            self._monkeypatch.delenv(name, raising=False)

    def left_over(self) -> list[str]:
        """Return what the runs left behind: temporary files, and processes."""
        return [*sorted(path.name for path in self.temp.iterdir()), *_processes(self.temp)]


def _popen(
    plain: Callable[..., Any],
    command: Sequence[str],
    **files: Any,  # noqa: ANN401 - pytester's
) -> Any:  # noqa: ANN401 - a process
    """Start pytest as a fork, or a command as pytester does."""
    environment = {**os.environ, "PYTHONPATH": _python_path()}
    forked = forking.popen(
        tuple(command), environment, stdout=files["stdout"], stderr=files["stderr"]
    )
    return plain(command, **files) if forked is None else forked


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))


def _processes(temp: Path) -> list[str]:
    """Return the processes that have the temporary folder in their environment."""
    mark = os.fsencode(f"TMPDIR={temp}") + b"\0"
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            is_ours = mark in environ.read_bytes()
        except OSError:  # another user's, or gone
            continue
        if is_ours:
            found.append(f"process {environ.parent.name}")
    return found


def text_of(result: pytest.RunResult) -> str:
    """Return everything that a run printed."""
    return "\n".join([*result.outlines, *result.errlines])
