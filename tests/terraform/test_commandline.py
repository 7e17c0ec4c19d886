"""The use of python-terraform: its command lines, and nothing that it does beside them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import python_terraform

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.commandline import Flag, command_line


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_options_are_written_as_terraform_takes_them() -> None:
    line = command_line("state list", "address", json=Flag, lock=False, lock_timeout="5m", out=None)
    assert line == ["state", "list", "-json", "-lock=false", "-lock-timeout=5m", "address"]
    config = {"key": "a=b", "use_oidc": "true"}
    assert command_line("init", backend_config=config, var=["x=1", "y=ü z"]) == [
        "init",
        "-backend-config=key=a=b",
        "-backend-config=use_oidc=true",
        "-var=x=1",
        "-var=y=ü z",
    ]


def test_nothing_is_read_from_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "terraform.tfstate").write_text("no JSON", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Expecting value"):  # as it would be by itself
        python_terraform.Terraform()
    assert command_line("plan") == ["plan"]


def test_values_are_not_left_in_a_file(temporary: Path) -> None:
    with pytest.raises(UsageError, match="`var` of `terraform plan` is a mapping") as refused:
        command_line("plan", var={"password": "x"})
    assert refused.value.remedy == 'Write a list: var=["name=value"].'
    assert not list(temporary.iterdir())
    python_terraform.Terraform().generate_cmd_string("plan", var={"password": "x"})
    assert list(temporary.iterdir())  # as it would be by itself
