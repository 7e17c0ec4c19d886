"""The page on many agents: its pipelines are whole, and their scripts share out and merge."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_tfoidc.doctor.repository import examine
from tests.page_kit import blocks
from tests.project_kit import Project

MODULES = ("app", "data", "network")
JOBS = 2
TEST = "def test_it(tf_module):\n    assert tf_module.path.is_dir()\n"


def pipelines() -> tuple[str, str]:
    azure_devops, github = blocks("scale.md", "yaml")
    return azure_devops, github


def jobs_of(text: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a pipeline by their names."""
    found = yaml.safe_load(text)["jobs"]
    return found if isinstance(found, dict) else {job["job"]: job for job in found}


def scripts_of(job: dict[str, Any]) -> list[str]:
    """Return what the steps of a job run."""
    texts = (
        step.get("script") or step.get("run") or step.get("inputs", {}).get("inlineScript")
        for step in job["steps"]
    )
    return [text for text in texts if text]


@pytest.mark.parametrize("text", pipelines(), ids=["azure-devops", "github"])
def test_a_pipeline_has_its_jobs_in_order(text: str, tmp_path: Path) -> None:
    jobs = jobs_of(text)
    assert list(jobs) == ["test", "report"]
    after = jobs["report"]
    assert after.get("dependsOn", after.get("needs")) == "test"
    assert (after.get("condition") or after.get("if")) == "always()"
    assert any("tfoidc sweep" in script for script in scripts_of(jobs["test"]))
    folder = ".github/workflows" if "needs" in after else "."
    file = tmp_path / folder / "azure-pipelines.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    report = examine(tmp_path, environment={})
    assert [one for one in report.findings if one.id.startswith("TFO4")] == []


def script_lines(script: str) -> str:
    """Return a step's script without what an agent has, and this machine has not."""
    lines = script.splitlines()
    return "\n".join(line for line in lines if " az " not in line.replace("(", " "))


@pytest.fixture
def agent(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A machine with `pytest` and `tfoidc` on PATH, which has all of the package already."""
    bin_folder = project.path / "bin"
    bin_folder.mkdir()
    commands = {"pytest": "-m pytest", "tfoidc": "-m pytest_tfoidc.cli"}
    for name, module in commands.items():
        script = bin_folder / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n', encoding="utf-8")
        script.chmod(0o700)
    (bin_folder / "python").write_text("#!/bin/sh\n", encoding="utf-8")  # pip, in the page
    (bin_folder / "python").chmod(0o700)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=os.pathsep)
    for name in MODULES:
        project.module(f"modules/{name}", files={f"test_{name}.py": TEST})
    return project


def run_script(script: str, project: Project, **variables: str) -> str:
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", script],
        cwd=project.path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_module_is_in_one_job_and_the_report_has_them_all(agent: Project) -> None:
    jobs = jobs_of(pipelines()[0])
    test, merge = script_lines(scripts_of(jobs["test"])[0]), scripts_of(jobs["report"])[0]
    cheap = "-v -p no:terraform -p no:cacheprovider --tf-check none"
    shares = []
    for number in range(1, JOBS + 1):
        printed = run_script(
            test,
            agent,
            PYTEST_ADDOPTS=cheap,
            SYSTEM_TOTALJOBSINPHASE=str(JOBS),
            SYSTEM_JOBPOSITIONINPHASE=str(number),
        )
        shares.append(
            {name for name in MODULES if f"PASSED modules/{name}/test_{name}.py::" in printed}
        )
        (agent.path / f"events-{number}").symlink_to(agent.path / "events")
    assert sorted(name for share in shares for name in share) == sorted(MODULES)
    assert all(shares)
    run_script(merge, agent, PIPELINE_WORKSPACE=str(agent.path))
    report = (agent.path / "report.html").read_text(encoding="utf-8")
    assert [name for name in MODULES if f"modules/{name}" not in report] == []


def test_an_agent_without_a_share_runs_nothing(agent: Project) -> None:
    script = script_lines(scripts_of(jobs_of(pipelines()[0])["test"])[0])
    printed = run_script(script, agent, SYSTEM_TOTALJOBSINPHASE="9", SYSTEM_JOBPOSITIONINPHASE="9")
    assert not printed
