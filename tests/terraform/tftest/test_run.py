"""One test file, run by real Terraform, without pytest around it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tfoidc.errors import ExecutableError, UsageError
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.executable import Executable
from pytest_tfoidc.terraform.tftest.options import TEARDOWN, TestOptions, require_test_command
from pytest_tfoidc.terraform.tftest.run import (
    FileRun,
)
from tests.project_kit import EXECUTABLE, MODULES
from tests.runs_kit import Gate

RUNS = ("first", "waits", "last")
FILE = "tests/gate.tftest.hcl"
DESTROYS_SLOWLY = """\
resource "terraform_data" "kept" {
  provisioner "local-exec" {
    when    = destroy
    command = "trap ': > %(gate)s.interrupted' INT; echo $PPID > %(gate)s.pid; read line < %(gate)s"
  }
}
"""
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def session() -> Iterator[OidcSession]:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    options = SessionOptions(
        context="mock", environment=environment, executable=os.environ.get(EXECUTABLE)
    )
    with OidcSession(options) as made:
        yield made


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def file_run(session: OidcSession, gate: Gate, tmp_path: Path) -> Iterator[FileRun]:
    module = Path(shutil.copytree(MODULES / "runs_gate", tmp_path / "runs_gate"))
    inputs = Inputs(variables=gate.variables)
    with session.workspace(module, inputs=inputs) as workspace:
        workspace.init(backend=False)
        yield FileRun(workspace=workspace, file=FILE, runs=RUNS, options=TestOptions())


def wait_for(run: FileRun, words: str) -> None:
    with run._condition:
        run._condition.wait_for(lambda: any(words in line for line in run._log))


def test_results_come_one_by_one_and_the_file_last(file_run: FileRun, gate: Gate) -> None:
    file_run.start()
    gate.terraform()
    assert file_run.wait("first").status == "pass"
    gate.open()
    assert [file_run.wait(name).status for name in ("waits", "last")] == ["pass", "pass"]
    result = file_run.finish()
    assert result.is_clean
    assert result.exit_code == 0
    assert file_run.wait("waits").seconds > 0


def test_stopping_interrupts_terraform_once_however_often_it_is_asked_for(
    file_run: FileRun, gate: Gate
) -> None:
    file_run.start()
    gate.terraform()
    file_run.stop()
    file_run.stop()
    wait_for(file_run, "Interrupt")
    gate.open()
    result = file_run.finish()
    assert file_run.wait("waits").status == "pass"
    assert file_run.wait("last").status == "skip"
    assert gate.clean_ups == 1
    assert not any("Two interrupts" in line for line in result.log)


def test_stopping_leaves_a_teardown_alone(session: OidcSession, gate: Gate, tmp_path: Path) -> None:
    module = tmp_path / "destroys_slowly"
    (module / "tests").mkdir(parents=True)
    (module / "tests/only.tftest.hcl").write_text('run "only" {}', encoding="utf-8")
    (module / "main.tf").write_text(DESTROYS_SLOWLY % {"gate": tmp_path / "gate"}, encoding="utf-8")
    with session.workspace(module) as workspace:
        workspace.init(backend=False)
        file = "tests/only.tftest.hcl"
        run = FileRun(workspace=workspace, file=file, runs=("only",), options=TestOptions())
        run.start()
        gate.terraform()
        wait_for(run, "tearing down")
        run.stop()
        gate.open()
        assert run.finish().is_clean
    assert not (tmp_path / "gate.interrupted").exists()


def test_abandoning_ends_terraform_without_a_clean_up(file_run: FileRun, gate: Gate) -> None:
    file_run.start()
    gate.terraform()
    file_run.stop()
    wait_for(file_run, "Interrupt")
    file_run.abandon()
    result = file_run.finish()
    assert result.exit_code != 0
    assert not result.is_clean
    assert file_run.wait("last").status != "pass"
    assert gate.clean_ups == 0


def test_a_file_that_terraform_does_not_know_does_not_pass(session: OidcSession) -> None:
    with session.workspace(MODULES / "runs_passing") as workspace:
        workspace.init(backend=False)
        run = FileRun(
            workspace=workspace, file="tests/no.tftest.hcl", runs=("a",), options=TestOptions()
        )
        run.start()
        assert run.wait("a").status == "error"
        assert "no.tftest.hcl" in run.finish().cause


def test_starts_of_runs_and_the_teardown_are_announced(session: OidcSession) -> None:
    started: list[str] = []
    with session.workspace(MODULES / "runs_shared_state") as workspace:
        workspace.init(backend=False)
        names = ("first", "keeps_what_is_unchanged", "replaces_what_has_changed")
        run = FileRun(
            workspace=workspace,
            file="tests/shared.tftest.hcl",
            runs=names,
            options=TestOptions(),
            on_start=started.append,
        )
        run.start()
        assert run.finish().is_clean
    assert started == [*names, TEARDOWN]


def test_an_announcement_that_fails_blocks_nobody_and_is_told(session: OidcSession) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError(name)

    with session.workspace(MODULES / "runs_passing") as workspace:
        workspace.init(backend=False)
        run = FileRun(
            workspace=workspace,
            file="tests/passing.tftest.hcl",
            runs=("plans",),
            options=TestOptions(),
            on_start=fail,
        )
        run.start()
        assert "ZeroDivisionError" in run.finish().cause


def make(version: str) -> Executable:
    return Executable(argv=("terraform",), product="Terraform", version=version)


def test_terraform_before_1_6_has_no_test_of_this_kind() -> None:
    with pytest.raises(ExecutableError, match=r"1\.5\.7 has no `test` of this kind"):
        require_test_command(make("1.5.7"))
    require_test_command(make("1.6.0"))


@pytest.mark.parametrize(
    ("options", "since", "before"),
    [
        (TestOptions(parallelism=2), "1.12.0", "1.11.4"),
        (TestOptions(run_parallelism=2), "1.13.0", "1.12.2"),
    ],
)
def test_options_that_terraform_does_not_know_are_refused(
    options: TestOptions, since: str, before: str
) -> None:
    with pytest.raises(UsageError, match="parallelism"):
        options.require(make(before))
    options.require(make(since))
    TestOptions().require(make(before))
