"""The cost of the plugin for every project that has it installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import pytest_tfoidc
from pytest_tfoidc.secretnames import secrets_in
from pytest_tfoidc.terraform.executable import find_executable
from pytest_tfoidc.terraform.settings import terraform_environment
from pytest_tfoidc.terraform.toldversions import is_terraform_itself
from tests.project_kit import SMALL

ID = "1111-1111-1111-111111111111"
HEAVY = (
    "asyncio",
    "azure",
    "cryptography",
    "freezegun",
    "h11",
    "hcl2",
    "jwt",
    "msgpack",
    "python_terraform",
    "requests",
    "tree_sitter",
    "trustme",
)


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """Return the names of those variables that hold secrets."""
    return (name for name, text in environment.items() if list(secrets_in({name: text})))


def loaded_by(statement: str) -> set[str]:
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    plain = loaded_by("import pytest")
    assert not (loaded_by("import pytest_tfoidc.plugin.hooks") - plain) & set(HEAVY)


def test_the_check_for_heavy_imports_can_fail() -> None:
    assert {"requests", "freezegun"} <= loaded_by("import requests, freezegun")


JUMP = """
import pytest_tfoidc
from datetime import timedelta
from pytest_tfoidc.clock import VirtualClock
clock = VirtualClock()
clock.advance(timedelta(hours=1))
clock.reset()
"""


def test_a_jump_of_the_clock_loads_nothing_of_ours() -> None:
    # freezegun looks at all that every module says it has
    before = loaded_by("import pytest_tfoidc.clock")
    new = {name for name in loaded_by(JUMP) - before if name.startswith("pytest_tfoidc")}
    assert not new
    shown = "pytest_tfoidc.__dir__ = lambda: [*vars(pytest_tfoidc), *pytest_tfoidc.__all__]"
    assert loaded_by(JUMP.replace("clock = ", f"{shown}\nclock = ", 1)) > {"pytest_tfoidc.session"}


def test_a_run_without_modules_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_was_loaded():
            heavy = {"requests", "freezegun", "cryptography", "tree_sitter"}
            ours = {"pytest_tfoidc.events", "pytest_tfoidc.redaction", "pytest_tfoidc.secretforms"}
            assert not (heavy | ours) & set(sys.modules)
            assert "pytest_tfoidc.plugin.hooks" in sys.modules
    """)
    result = pytester.runpytest_subprocess(
        "-p", "no:randomly", "-p", "no:terraform", "-p", "no:xdist"
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("tfoidc:*")


def test_pytest_compiles_none_of_our_modules_anew(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A new interpreter, as a user's: pytest would rewrite what asserts in every module of a plugin.
    monkeypatch.setenv("TFOIDC_TEST_FORK", "0")
    pytester.makeconftest("""
        import sys

        def pytest_unconfigure():
            hook = next(h for h in sys.meta_path if type(h).__name__ == "AssertionRewritingHook")
            for name, module in [*sys.modules.items()]:
                if isinstance(getattr(module, "__loader__", None), type(hook)):
                    print("REWRITTEN", name)
    """)
    result = pytester.runpytest_subprocess("-W", "error", *WITHOUT)
    rewritten = {line.split()[1] for line in result.outlines if line.startswith("REWRITTEN ")}
    ours = {name for name in rewritten if name.startswith("pytest_tfoidc")}
    assert ours <= {"pytest_tfoidc", "pytest_tfoidc.plugin"}  # they tell how the others are found
    assert "conftest" in rewritten


@pytest.mark.parametrize("is_ours", [False, True])
def test_what_others_print_stays_as_it_is_until_something_is_ours(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *, is_ours: bool
) -> None:
    for name in list(secrets_of(os.environ)):
        monkeypatch.delenv(name)
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    fixture = "arm_env" if is_ours else ""
    pytester.makepyfile(f"""
        def test_it({fixture}):
            assert not "##vso[task.debug]{token}"
    """)
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:terraform")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert (token in text) == (not is_ours)
    assert ("##vso[" in text) == (not is_ours)


# What only those need who run a test.
OF_SESSIONS = {"asyncio", "cryptography", "freezegun", "h11", "jwt", "msgpack", "requests", "ssl"}
OF_SERVICES = {
    f"pytest_tfoidc.mockazure.{service}"
    for service in (
        *("arm.service", "arm.types.table", "graph.service", "devops.service", "keyvault.service"),
        *("appconfig.service", "deployments.service", "storage.accounts", "storage.datalake"),
    )
}
TELLS_WHAT_IS_LOADED = """
import sys

def pytest_unconfigure():
    print("LOADED", *sorted(sys.modules))
"""
WITHOUT = ("-p", "no:randomly", "-p", "no:terraform", "-p", "no:xdist", "-p", "no:hypothesispytest")


def loaded_in_a_run(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    pytester.makeconftest(TELLS_WHAT_IS_LOADED)
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", *WITHOUT, "--tf-module=module", *arguments
    )
    assert result.ret == 0, result.stdout.str()
    (line,) = (line for line in result.outlines if line.startswith("LOADED "))
    return set(line.split())


@pytest.fixture
def module(pytester: pytest.Pytester) -> Path:
    """A module with a backend, a run block and a resource that needs no provider."""
    folder = pytester.path / "module"
    (folder / "tests").mkdir(parents=True)
    (folder / "main.tf").write_text(SMALL, encoding="utf-8")
    (folder / "tests" / "a.tftest.hcl").write_text('run "one" {}\n', encoding="utf-8")
    return folder


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that nothing has to be said about."""
    for name in [*os.environ]:
        if name.startswith(("ARM_", "AZURE_", "TF_", "SYSTEM_", "ACTIONS_", "GITHUB_")):
            monkeypatch.delenv(name)


@pytest.mark.usefixtures("module", "plain_environment")
def test_collecting_starts_no_session(pytester: pytest.Pytester) -> None:
    known = find_executable(None, terraform_environment(os.environ)[0])
    if not is_terraform_itself(os.path.realpath(known.argv[-1])):
        pytest.skip("this Terraform is asked for its version each time")
    loaded = loaded_in_a_run(pytester, "--collect-only", "-q")
    assert not loaded & {*OF_SESSIONS, *OF_SERVICES, "pytest_tfoidc.session"}
    assert "pytest_tfoidc.terraform.module" in loaded


@pytest.mark.usefixtures("module", "plain_environment")
def test_a_controller_of_workers_starts_no_session(pytester: pytest.Pytester) -> None:
    known = find_executable(None, terraform_environment(os.environ)[0])
    if not is_terraform_itself(os.path.realpath(known.argv[-1])):
        pytest.skip("this Terraform is asked for its version each time")
    pytester.makeconftest(TELLS_WHAT_IS_LOADED)
    result = pytester.runpytest_subprocess(
        *("-p", "no:randomly", "-p", "no:terraform", "-p", "no:hypothesispytest"),
        *("-p", "no:cacheprovider", "-n1", "--tf-module=module", "--tf-check=none"),
    )
    result.assert_outcomes(passed=1)
    (line,) = (line for line in result.outlines if line.startswith("LOADED "))
    assert not set(line.split()) & {*OF_SERVICES, "h11", "jwt", "pytest_tfoidc.session"}


@pytest.mark.usefixtures("module", "plain_environment")
def test_collecting_finds_and_says_what_a_run_does(pytester: pytest.Pytester) -> None:
    find_executable(None, terraform_environment(os.environ)[0])  # its version is known now
    plain = (*WITHOUT, "--tf-module=module", "--collect-only", "-q", "-v")
    quick = pytester.runpytest_subprocess(*plain)
    whole = pytester.runpytest_subprocess(*plain, "--tf-identity", f"client={'1' * 8}-{ID}")
    assert [*quick.outlines][:-1] == [*whole.outlines][:-1]
    quick.stdout.fnmatch_lines(["tfoidc: Terraform * | stand-in for Azure DevOps: * | relay on"])
    quick.stdout.fnmatch_lines(["*<RunItem one>"])


@pytest.mark.usefixtures("module")
def test_collecting_where_something_has_to_be_said_says_it(
    pytester: pytest.Pytester, plain_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_executable(None, terraform_environment(os.environ)[0])
    monkeypatch.setenv("ARM_OIDC_TOKEN", "stale")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere")
    result = pytester.runpytest_subprocess(*WITHOUT, "--tf-module=module", "--collect-only")
    result.stdout.fnmatch_lines(["tfoidc: note: withheld from Terraform: ARM_OIDC_TOKEN"])
    result.stdout.fnmatch_lines(["tfoidc: TF_CLI_CONFIG_FILE names /nowhere*"])


@pytest.mark.usefixtures("module", "plain_environment")
def test_a_run_loads_the_services_that_it_asks(pytester: pytest.Pytester) -> None:
    loaded = loaded_in_a_run(pytester, "--tf-check=no_cached_credentials")
    assert not loaded & OF_SERVICES
    assert {"pytest_tfoidc.mockazure.storage.service", "requests", "jwt"} <= loaded


def test_the_services_are_there_when_they_are_asked() -> None:
    made = "from pytest_tfoidc.mockazure.server import MockAzure as M; from pytest_tfoidc.clock"
    made += " import VirtualClock as C; from pytest_tfoidc.events import EventLog as E"
    made += "\nmock = M(clock=C(), events=E(), environment={})"
    assert not loaded_by(made) & OF_SERVICES
    asked = "mock.storage, mock.resource_manager, mock.graph, mock.devops, mock.key_vaults"
    assert loaded_by(f"{made}\n{asked}, mock.configurations") >= OF_SERVICES


def test_the_public_names_can_be_had_and_others_not() -> None:
    for name in pytest_tfoidc.__all__:
        assert getattr(pytest_tfoidc, name).__module__.startswith("pytest_tfoidc.")
    with pytest.raises(AttributeError):
        _ = pytest_tfoidc.Nonsense
