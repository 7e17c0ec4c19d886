"""README and CI say the same, and what README shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.doctor.repository import examine
from pytest_tfoidc.plugin import fixtures, options
from tests.project_kit import Project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0].lower() for one in requirements}


def table(heading: str) -> set[str]:
    """Return the first cells' code words of the table under a heading."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`\s]+)[^`]*`", cell)}


def test_the_two_commands_are_in_readme_and_ci_runs_the_second() -> None:
    main_job, tests = (block.strip() for block in blocks("console")[:2])
    assert main_job == (
        "python -m pip install '.[terraform]' && python -m pytest --tf-module example_module"
    )
    assert tests == "python -m pip install tox && python -m tox"
    assert f"({tests})" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_option_is_in_readme_and_no_other() -> None:
    assert table("Options") == {f"--tf-{option.name}" for option in options.OPTIONS}


def test_every_check_is_in_readme_and_no_other() -> None:
    assert table("The checks") == {f"oidc::{name}" for name in CHECKS}


def test_every_fixture_is_in_readme_and_no_other() -> None:
    made = {name for name in vars(fixtures) if name.startswith(("oidc_", "tf_", "arm_", "mock_"))}
    assert table("In your own tests") == made


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS)])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    local = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in local if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_first_command_needs_no_package_of_the_tests() -> None:
    """It is run at the top of the checkout, where pytest loads the tests' conftest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    named = [one for name in ("proof", "test") for one in groups[name] if isinstance(one, str)]
    wanted, own = names_of(named), names_of(project["project"]["dependencies"])
    known = metadata.packages_distributions().items()
    absent = [module for module, names in known if {*map(str.lower, names)} & (wanted - own)]
    assert {"hypothesis", "xdist"} <= {*absent}
    script = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport tests.conftest"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


def test_the_first_command_shows_what_readme_says(project: Project) -> None:
    """The second half of it, on what is installed: README's lines, but for their figures."""
    command = blocks("console")[0].split("&&")[1]
    arguments = shlex.split(command)[3:]
    shutil.copytree(ROOT / "example_module", project.path / "example_module")
    result = project.run(*arguments)
    assert result.ret == 0
    shown = [_without_figures(line) for line in blocks("text")[1].splitlines()]
    printed = {_without_figures(line) for line in result.outlines}
    assert [line for line in shown if line not in printed] == []


def _without_figures(line: str) -> str:
    line = line.partition("; no ID token was older than")[0]  # said where one was a minute old
    line = re.sub(r"\d+(\.\d+)?(h|m|s)( \d+(m|s))?\b", "TIME", line)
    line = re.sub(r"\[ *\d+%\]", "[%]", line)
    return re.sub(r"-{3,}", "-", re.sub(r" +", " ", re.sub(r"\d+", "N", line))).strip()


def test_readmes_python_runs(project: Project) -> None:
    project.module("module", files={"test_readme_example.py": "\n".join(blocks("python"))})
    result = project.run("--tf-module", "module", "--tf-check", "none")
    result.assert_outcomes(passed=len(blocks("python")))


def test_tfoidc_mock_runs_a_command_against_the_stand_in(project: Project) -> None:
    folder = project.module()
    command = shlex.split(blocks("console")[2])
    assert command[:3] == ["tfoidc", "mock", "--"]
    backend = (
        "storage_account_name=state",
        "container_name=tfstate",
        "key=k",
        "use_azuread_auth=true",
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest_tfoidc.cli", *command[1:3]),
            *(*project.terraform(), *command[4:]),
            *(f"-backend-config={value}" for value in backend),
        ],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Terraform has been successfully initialized" in done.stdout


def test_the_command_of_every_user_is_understood(project: Project) -> None:
    """Each is collected: its options are known, and its steps are items."""
    project.module("infra", files={"tests/one.tftest.hcl": 'run "first" {\n  command = plan\n}\n'})
    commands = [line for text in (*blocks("sh"), *blocks("yaml")) for line in pytest_commands(text)]
    assert len(commands) == 4
    upgrades = 0
    for command in sorted(set(commands)):
        result = project.run(*shlex.split(command)[1:], "--collect-only", "-q")
        ids = result.outlines
        assert result.ret == 0
        assert {"infra::oidc::delayed_apply", "infra/tests/one.tftest.hcl::first"} <= set(ids)
        upgrades += "infra::upgrade::hashicorp/azurerm[4.16.0-5.2.0]" in ids
    assert upgrades == 1


def pytest_commands(text: str) -> list[str]:
    """Return the lines of a script or a pipeline that run pytest."""
    return re.findall(r"^(?:\s*- run: |\s*)(pytest .*)$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("number", [0, 1])
def test_the_doctor_finds_nothing_in_the_pipelines(tmp_path: Path, number: int) -> None:
    azure_devops, github = blocks("yaml")
    text = (azure_devops, github)[number]
    assert problems(text, tmp_path, is_github=number == 1) == []


def test_the_doctor_finds_a_mistake_planted_in_a_pipeline(tmp_path: Path) -> None:
    azure_devops, github = blocks("yaml")
    assert "TFO407" in problems(
        github.replace("id-token: write", "id-token: none"), tmp_path / "g", is_github=True
    )
    without, _, _ = azure_devops.partition("    env:\n")
    assert "TFO401" in problems(without, tmp_path / "a", is_github=False)


def problems(text: str, folder: Path, *, is_github: bool) -> list[str]:
    """Return what the doctor finds in a pipeline file."""
    name = ".github/workflows/ci.yml" if is_github else "azure-pipelines.yml"
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    report = examine(folder, environment={})
    return [one.id for one in report.findings if one.id.startswith("TFO4")]
