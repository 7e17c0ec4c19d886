"""A kind of pipeline is one record, from which everything that knows kinds is made."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfoidc.pipelinekinds import (
    AZURE_DEVOPS,
    ENDPOINTS,
    FILE,
    GITHUB,
    KINDS,
    ONE_TOKEN,
    RECORDS,
    REHEARSED,
    listed,
)
from pytest_tfoidc.plugin.options import CONTEXTS, OPTIONS
from pytest_tfoidc.withheld import WITHHELD

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pytest_tfoidc"
HOME = PACKAGE / "pipelinekinds.py"
END_OF_RECORDS = ")\nKINDS: Mapping"
NEW = """    PipelineKind(
        name="woodpecker",
        label="Woodpecker CI",
        source=ONE_TOKEN,
        origin="`oidc:` in the step",
        renewal="no",
        markers=("CI_WOODPECKER",),
        token=Requirement(
            names=("WOODPECKER_OIDC_TOKEN",), cause=_NOT_ASKED, remedy="Ask for one in the step."
        ),
        withheld=("WOODPECKER_OIDC_TOKEN",),
        federation=("https://woodpecker.example", "repo:tfoidc/stand-in"),
        step={"CI_WOODPECKER": "true", "WOODPECKER_OIDC_TOKEN": "{id_token}"},
    ),
"""
USE = """
from pytest_tfoidc import OidcSession, RehearsalOptions, SessionOptions, rehearse
from pytest_tfoidc.errors import ContextError
from pytest_tfoidc.identity.pipeline import detect

with rehearse(RehearsalOptions(pipeline="woodpecker")) as environment:
    with OidcSession(SessionOptions(environment=environment)) as session:
        print(session.describe())
        session.credential.get_token("https://management.azure.com/.default")
        print("withheld:", "WOODPECKER_OIDC_TOKEN" not in session.environment)
try:
    detect({"CI_WOODPECKER": "1"})
except ContextError as error:
    print(error)
"""


def page() -> str:
    return (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")


def test_the_page_has_the_row_of_each_kind_and_no_other() -> None:
    _, table = page().split("|---|---|---|\n", maxsplit=1)
    rows = table.partition("\n\n")[0].splitlines()
    assert rows == [kind.row for kind in RECORDS]


def test_the_page_and_the_help_name_what_can_be_rehearsed() -> None:
    found = re.search(r"Kinds: ([^.]+)\.", page())
    assert found is not None
    assert tuple(re.split(r",\s+", found[1])) == REHEARSED
    done = subprocess.run(
        [sys.executable, "-m", "pytest_tfoidc.cli", "mock", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert listed(REHEARSED) in " ".join(done.stdout.split()).replace("- ", "-")


def test_the_options_name_each_kind() -> None:
    assert ("auto", "mock", *KINDS) == CONTEXTS
    (context,) = (option for option in OPTIONS if option.name == "context")
    assert ", ".join(CONTEXTS) in context.help


@pytest.mark.parametrize("name", KINDS)
def test_a_record_is_whole(name: str) -> None:
    record = KINDS[name]
    needs_endpoint, needs_token = record.source in ENDPOINTS, record.source in {ONE_TOKEN, FILE}
    assert bool(record.request_url and record.request_token) is needs_endpoint
    assert bool(record.token) is needs_token
    assert {*record.withheld} <= {*WITHHELD}
    if needs_token:
        assert record.token_names[0] in WITHHELD
        assert record.federation
        assert record.token_names[0] in record.step
    if record.step and record.markers:
        assert {*record.markers} & {*record.step}
    assert record.renewal.startswith("yes" if record.is_refreshable else "no")


def others_naming(names: set[str], folder: Path) -> list[str]:
    """Where a module beside the home of the records has the name of a kind as a literal."""
    return [
        f"{file.relative_to(folder)}:{node.lineno}"
        for file in sorted(folder.rglob("*.py"))
        if file.name != HOME.name
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]


NAMES = {*KINDS} - {"command"}  # also an argument of the command line


def test_no_other_module_names_a_kind() -> None:
    assert {AZURE_DEVOPS, GITHUB} < NAMES
    assert others_naming(NAMES, PACKAGE) == []


def test_another_module_that_names_a_kind_is_found(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text('REMEDIES = {"gitlab": "Ask for one."}\n', encoding="utf-8")
    assert others_naming(NAMES, tmp_path) == ["new.py:1"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_one_record_adds_a_kind(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    assert "'woodpecker' cannot be rehearsed" in run(tmp_path, "-c", USE).stderr
    home = tmp_path / PACKAGE.name / HOME.name
    before, end, after = home.read_text(encoding="utf-8").partition(END_OF_RECORDS)
    home.write_text(before + NEW + end + after, encoding="utf-8")
    done = run(tmp_path, "-c", USE)
    assert done.returncode == 0, done.stderr
    assert "rehearsal of Woodpecker CI: its one ID token cannot be refreshed" in done.stdout
    assert "withheld: True" in done.stdout
    assert "This is Woodpecker CI, but no ID token can be asked for" in done.stdout
    assert "Ask for one in the step." in done.stdout
    helped = run(tmp_path, "-m", "pytest_tfoidc.cli", "mock", "--help").stdout
    assert "woodpecker" in helped
