"""The page on fixtures: its examples run, and a planted mistake is found."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.project_kit import Project

PAGE = (Path(__file__).parents[2] / "docs" / "fixtures.md").read_text(encoding="utf-8")
HAS_AZURE = importlib.util.find_spec("azure") is not None  # not where the proofs alone run


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def run_page(project: Project, python: str) -> pytest.RunResult:
    (terraform,) = blocks("terraform")
    project.module(main=terraform, files={"test_page.py": python})
    return project.run("--tf-module", "module", "--tf-check", "none")


def test_every_example_runs(project: Project) -> None:
    texts = [text for text in blocks("python") if HAS_AZURE or "azure.mgmt" not in text]
    python = "\n".join(texts)
    count = len(re.findall(r"^def test_", python, flags=re.MULTILINE))
    assert count == 8 + HAS_AZURE
    run_page(project, python).assert_outcomes(passed=count)


def test_a_planted_mistake_is_found(project: Project) -> None:
    python = "\n".join(blocks("python")[:1])
    assert python.count("== 3") == 1
    result = run_page(project, python.replace("== 3", "== 4"))
    result.assert_outcomes(failed=1, passed=2)
