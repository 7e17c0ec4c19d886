"""The page on other tools: our half runs, `terraform test`'s too, and ours is the shortest."""

from __future__ import annotations

import pytest

from tests.page_kit import blocks
from tests.project_kit import Project

PAGE = "migration.md"
OTHERS = ("python tftest", "python pytest-terraform", "go", "hcl")
ASSERTIONS = 10


def block(language: str) -> str:
    (text,) = blocks(PAGE, language)
    return text


def length(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def run_page(project: Project, python: str) -> pytest.RunResult:
    files = {"test_shop.py": python, "tests/shop.tftest.hcl": block("hcl")}
    project.module("shop", main=block("terraform"), files=files)
    return project.run("--tf-module", "shop", "--tf-check", "none")


def test_our_half_runs_and_so_do_the_run_blocks(project: Project) -> None:
    python = block("python")
    assert python.count("assert") == ASSERTIONS
    run_page(project, python).assert_outcomes(passed=3)


def test_a_planted_mistake_is_found(project: Project) -> None:
    python = block("python")
    assert python.count("len(state) == 3") == 1
    run_page(project, python.replace("len(state) == 3", "len(state) == 4")).assert_outcomes(
        failed=1, passed=2
    )


@pytest.mark.parametrize("other", OTHERS)
def test_ours_is_not_longer(other: str) -> None:
    assert length(block("python")) <= length(block(other))


@pytest.mark.parametrize("other", ["python tftest", "python pytest-terraform"])
def test_the_other_half_is_python(other: str) -> None:
    compile(block(other), other, "exec")
