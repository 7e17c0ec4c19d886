"""The linters are the same before a commit, in CI, and in what contributors read."""

from __future__ import annotations

import configparser
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
NAMES = {"ruff check", "ruff format", "mypy", "basedpyright", "pyrefly", "lint-imports"}


def of_tox(text: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser["testenv:lint"]["commands"].split("\n")[1:]


def of_pre_commit(text: str) -> list[str]:
    return [hook["entry"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]]


def of_page(text: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if " && mypy" in line)
    return line.split(" && ")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_tox_pre_commit_and_the_page_name_the_same_commands() -> None:
    commands = of_tox(read("tox.ini"))
    assert all(any(command.startswith(name) for command in commands) for name in NAMES)
    assert of_pre_commit(read(".pre-commit-config.yaml")) == commands
    assert of_page(read("CONTRIBUTING.md")) == commands


def test_another_command_is_noticed() -> None:
    text = read(".pre-commit-config.yaml").replace("entry: mypy", "entry: mypy --no-strict")
    assert of_pre_commit(text) != of_tox(read("tox.ini"))


def test_the_hooks_are_local_and_coverage_is_outside_the_default_run() -> None:
    repos = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read("tox.ini"))
    assert "coverage" not in parser["tox"]["env_list"]
    assert "coverage report" in parser["testenv:coverage"]["commands"]


def test_every_proof_is_run_with_every_line_of_terraform() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(read("tox.ini"))
    listed = set(parser["proofs"]["files"].replace("\\", "").split())
    mark = "@pytest.mark." + "proof"
    files = (ROOT / "tests").rglob("test_*.py")
    assert listed == {
        str(file.relative_to(ROOT)) for file in files if mark in file.read_text(encoding="utf-8")
    }
