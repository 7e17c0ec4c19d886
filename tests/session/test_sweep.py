"""`tfoidc sweep`: what a killed run has left is found again and destroyed, by real Terraform."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_tfoidc.clock import real_sleep
from pytest_tfoidc.errors import TerraformError, UsageError
from pytest_tfoidc.sweeping import LEFT, Outcome, SweepOptions, as_json, as_text, exit_code, listing
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.live.deadlines import DeadlineError
from pytest_tfoidc.terraform.live.ledger import Entry, LedgerError, RecordedVariable
from pytest_tfoidc.terraform.live.recording import holder, managed
from pytest_tfoidc.terraform.live.state import held_by
from pytest_tfoidc.terraform.workspace import Workspace
from tests.project_kit import EXECUTABLE, Project, text_of
from tests.signals_kit import default_signals
from tests.sweep_kit import DATA, KEY, MODULE, S3, World, world_of

AT_ONCE = timedelta()
EXECUTABLE_GIVEN = os.environ.get(EXECUTABLE)


@pytest.fixture
def world(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")  # not that of the fixture `project`
    (temp := folder / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setattr("tempfile.tempdir", None)
    with world_of(folder) as made:
        yield made
    left = [path.name for path in temp.iterdir()]  # killed providers leave files of their own
    assert [name for name in left if name.startswith("tfoidc-")] == []


def destroyed(outcomes: list[Outcome]) -> bool:
    """Say whether all was destroyed; what was not is shown."""
    assert [str(one) for one in outcomes if one.status != "destroyed"] == []
    return True


def only(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def test_what_a_test_gave_is_kept_for_the_sweep_but_for_its_secrets(world: World) -> None:
    """Of any type: of an untyped variable, too. A value that is missing makes the destroy fail."""
    secret = "hunter2-hunter2"
    world.write(
        DATA
        + 'variable "pin" {\n  sensitive = true\n}\n'
        + 'variable "zones" {\n}\nvariable "size" {\n  default = 1\n  validation {\n'
        + '    condition = var.size == 3\n    error_message = "size"\n  }\n}\n'
    )
    with world.abandoned(inputs=Inputs(backend=KEY, values={"pin": secret})) as workspace:
        workspace.init()
        workspace.apply(variables={"zones": ["${a}", {"b": None}], "size": 3})
    assert set(world.entry().variables) == {
        RecordedVariable(name="pin", source="the test"),
        RecordedVariable(name="zones", value='["${a}", {"b": null}]', is_json=True),
        RecordedVariable(name="size", value="3", is_json=True),
    }
    texts = [path.read_text() for path in world.ledger.folder.rglob("*") if path.is_file()]
    assert not any(secret in text for text in texts)
    outcome = only(world.sweep())
    assert outcome.status == "left"
    assert "the ledger does not hold `pin` (it came from the test)" in outcome.why
    done = only(world.sweep(inputs=Inputs(variables=(f"pin={secret}",))))
    assert done.status == "destroyed"


@pytest.mark.proof
def test_a_sweep_destroys_what_a_killed_run_has_left(world: World) -> None:
    world.write(MODULE)
    entry = world.deploy()
    assert world.groups == ["rg-test"]
    assert entry.planned == (("mockcloud_group.this", "create"),)
    assert entry.phase == "applied"
    outcomes = world.sweep()
    assert only(outcomes).status == "destroyed"
    assert exit_code(outcomes) == 0
    assert world.is_clean


def test_a_run_that_destroys_leaves_no_entry(world: World) -> None:
    world.write(DATA)
    with world.session() as session, session.workspace(world.module) as workspace:
        workspace.init()
        workspace.plan()
        assert world.entry().phase == "planned"
        workspace.apply()
        assert world.entry().phase == "applied"
        workspace.destroy()
        assert world.ledger.entries() == []


def test_a_plan_that_is_never_applied_leaves_no_entry(world: World) -> None:
    world.write(DATA)
    with world.session() as session, session.workspace(world.module) as workspace:
        workspace.init()
        workspace.plan()
    assert world.ledger.entries() == []


def test_the_entry_is_there_before_anything_is_applied(world: World) -> None:
    check = f'test -n "$(ls {world.root}/.tfoidc/*.json)" && touch {world.root}/seen'
    world.write(
        'terraform {\n  backend "azurerm" {}\n}\n'
        'resource "terraform_data" "x" {\n  provisioner "local-exec" {\n'
        f"    command = {json.dumps(check)}\n  }}\n}}\n"
    )
    world.deploy()
    assert (world.root / "seen").exists()


@pytest.mark.parametrize("fault", ["a file in its place", "a full disk"])
def test_a_ledger_that_cannot_be_written_is_said_before_anything_is_applied(
    world: World, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(DATA)
    with world.session() as session, session.workspace(world.module) as workspace:
        workspace.init()
        if fault == "a full disk":

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            monkeypatch.setattr("os.fsync", full)
        else:
            world.ledger.folder.write_text("")
        with pytest.raises(LedgerError, match="nothing is applied"):
            workspace.apply()
        assert not workspace.is_deployed
        assert managed(str(workspace.state())) == ()


def test_two_sweeps_at_once_are_safe(world: World) -> None:
    world.write(DATA)
    entry = world.deploy()
    other = world.ledger.lock(entry.id)
    assert other.acquire()
    outcome = only(world.sweep(wait=AT_ONCE))
    other.release()
    assert outcome.status == "in use"
    assert "another sweep" in outcome.why
    assert world.entry() == entry
    assert destroyed(world.sweep())


def test_secrets_are_kept_by_reference_and_asked_for(world: World) -> None:
    secret = "hunter2-hunter2"
    world.write(
        DATA
        + 'variable "pin" {\n  sensitive = true\n}\n'
        + 'variable "api_key" {\n}\nvariable "size" {\n}\nvariable "far" {\n}\n'
    )
    given = (f"pin={secret}", f"api_key={secret}", "size=3")
    environment = {**world.environment, "TF_VAR_far": "off"}
    inputs = Inputs(backend=KEY, variables=given)
    with world.abandoned(inputs=inputs, environment=environment) as workspace:
        workspace.init()
        workspace.apply()
    assert set(world.entry().variables) == {
        RecordedVariable(name="far", source="TF_VAR_far"),
        RecordedVariable(name="pin", source="--tf-var"),
        RecordedVariable(name="api_key", source="--tf-var"),
        RecordedVariable(name="size", value="3"),
    }
    texts = [path.read_text() for path in world.ledger.folder.rglob("*") if path.is_file()]
    assert not any(secret in text for text in texts)
    outcome = only(world.sweep())
    assert outcome.status == "left"
    assert "the ledger does not hold `far` (it came from TF_VAR_far)" in outcome.why
    again = Inputs(variables=(f"pin={secret}", f"api_key={secret}"))
    done = only(world.sweep(inputs=again, environment={"TF_VAR_far": "off"}))
    assert done.status == "destroyed"


def test_a_secret_of_the_backend_is_not_kept(world: World) -> None:
    from pytest_tfoidc.redaction import Redactor  # noqa: PLC0415
    from pytest_tfoidc.terraform.live.recording import without_secrets  # noqa: PLC0415

    redactor = Redactor()
    redactor.add("a-known-secret")
    config = {"key": "k", "access_key": "AAAA", "use_oidc": True, "x": "a-known-secret", "n": None}
    kept, withheld = without_secrets("azurerm", config, redactor)
    assert kept == {"key": "k", "use_oidc": "true"}
    assert withheld == ("access_key", "x")
    pg = {"conn_str": "postgres://user:password@host/db", "schema_name": "s"}
    assert without_secrets("pg", pg, redactor) == ({"schema_name": "s"}, ("conn_str",))


KILLED_IN_DESTROY = """
resource "terraform_data" "last" {
  input = "FLAG"
  provisioner "local-exec" {
    when    = destroy
    command = "if test -e ${self.input}; then rm ${self.input}; kill -9 $PPID; sleep 1; fi"
  }
}
"""


def test_a_lock_of_a_terraform_that_was_killed_is_taken_over(world: World) -> None:
    flag = world.root / "flag"
    world.write(MODULE + KILLED_IN_DESTROY.replace("FLAG", str(flag)))
    with world.abandoned() as workspace:
        workspace.init()
        workspace.apply()
        flag.touch()
        with pytest.raises(TerraformError):
            workspace.destroy()
    assert len(world.locks) == 1
    assert destroyed(world.sweep())
    assert world.is_clean


def locked(world: World, **values: object) -> None:
    """Leave a lock on the state, and an entry with other values than the run's."""
    flag = world.root / "flag"
    world.write(DATA + KILLED_IN_DESTROY.replace("FLAG", str(flag)))
    mode = "isolated" if values.pop("own", True) else "own"
    with world.abandoned(live_state=mode) as workspace:
        workspace.init()
        workspace.apply()
        flag.touch()
        with pytest.raises(TerraformError):
            workspace.destroy()
    world.ledger.write(dataclasses.replace(world.entry(), **values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"own": False}, "the state is not the test's alone"),
        ({"holder": {**holder(), "boot": "of another machine"}}, "another machine"),
        ({"holder": {**holder(), "user": "somebody"}}, "the run was somebody@"),
    ],
)
def test_a_lock_that_is_not_provably_ours_is_left_alone(
    world: World, values: dict[str, object], words: str
) -> None:
    locked(world, **values)
    outcome = only(world.sweep(assume_ended="another machine" not in words))
    assert outcome.status == "left"
    assert words in outcome.why
    assert f"{holder()['user']}@{holder()['host']} since 20" in outcome.why
    assert len(world.locks) == 1


def test_somebody_can_say_that_a_run_on_another_machine_has_ended(world: World) -> None:
    locked(world, holder={**holder(), "boot": "of another machine"})
    assert destroyed(world.sweep(assume_ended=True))
    assert world.is_clean


def test_what_a_killed_terraform_made_and_no_state_knows_is_found_by_the_journal(
    world: World,
) -> None:
    """A Terraform that is killed in an apply has not written its state yet."""
    killer = 'resource "terraform_data" "killer" {\n  depends_on = [mockcloud_group.this]\n'
    killer += '  input = "x"\n}\nresource "terraform_data" "end" {\n'
    killer += "  triggers_replace = [terraform_data.killer.id]\n"
    killer += '  provisioner "local-exec" {\n    command = "kill -9 $PPID"\n  }\n}\n'
    world.write(MODULE + killer)
    with world.abandoned() as workspace:
        workspace.init()
        with pytest.raises(TerraformError):
            workspace.apply()
    assert world.groups == ["rg-test"]
    outcome = only(world.sweep())
    assert world.groups == []
    assert world.locks == []
    assert outcome.status == "left"  # what was being made then may be there, or not
    assert outcome.remains == ("terraform_data.end",)
    assert "no state knows them" in outcome.why


def _move(world: World) -> None:
    shutil.move(world.module, world.root / "elsewhere")


def _lose_the_backend(world: World) -> None:
    config = world.entry().state.config
    account = world.mock.blobs._store.account(config["storage_account_name"])
    account.containers.pop(config["container_name"])
    account.deleted.add(config["container_name"])


def _lose_the_rights(world: World) -> None:
    world.mock.fail("entra", status=401, times="always")


def _other_subscription(world: World) -> None:
    entry = world.entry()
    context = {**entry.context, "subscription_id": "another"}
    world.ledger.write(dataclasses.replace(entry, context=context))


def _live(world: World) -> None:
    entry = world.entry()
    context = {k: v for k, v in entry.context.items() if k != "stand_in"}
    world.ledger.write(dataclasses.replace(entry, context=context))


def _lose_the_workspace(world: World) -> None:
    entry = world.entry()
    state = dataclasses.replace(entry.state, workspace="deleted")
    world.ledger.write(dataclasses.replace(entry, state=state))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_move, "the module module is not there any more"),
        (_lose_the_backend, "its backend is gone"),
        (_lose_the_rights, "the identity has no rights any more"),
        (_other_subscription, "it is in subscription another"),
        (_live, "it was made in a pipeline, and this is a rehearsal"),
        (_lose_the_workspace, "the workspace deleted of its state was deleted"),
    ],
)
def test_what_cannot_be_swept_has_a_clear_word_and_nothing_is_lost(
    world: World, change: Callable[[World], None], words: str
) -> None:
    world.write(DATA)
    world.deploy()
    change(world)
    before = world.entry()
    outcomes = world.sweep()
    outcome = only(outcomes)
    assert (outcome.status, exit_code(outcomes)) == ("left", 3)
    assert words in outcome.why
    assert outcome.remedy
    assert world.entry().id == before.id


def test_a_listing_touches_nothing_and_names_what_there_is(world: World) -> None:
    world.write(DATA)
    entry = world.deploy()
    asked = len(world.mock.requests)
    outcomes = listing(SweepOptions(ledger=world.ledger.folder, root=world.root))
    assert only(outcomes).remains == ("terraform_data.one",)
    assert entry.id in as_text(outcomes)
    assert json.loads(as_json(outcomes))["entries"][0]["id"] == entry.id
    assert exit_code(outcomes) == 3
    assert len(world.mock.requests) == asked
    with pytest.raises(UsageError, match="There is no entry nonsense"):
        listing(SweepOptions(ledger=world.ledger.folder, root=world.root, wanted=("nonsense",)))


TESTED = """\
variable "kill" {
  default = false
}

resource "terraform_data" "one" {
  input = "one"
  provisioner "local-exec" {
    when    = destroy
    command = "test -e FLAG"
  }
}

resource "terraform_data" "killer" {
  count = var.kill ? 1 : 0
  provisioner "local-exec" {
    command = "kill -9 $PPID; sleep 1"
  }
}
"""
LATE = """
resource "terraform_data" "late" {
  depends_on = [mockcloud_group.this]
  provisioner "local-exec" {
    when    = destroy
    command = "test -e FLAG"
  }
}
"""
RUNS = 'run "applies" {\n}\n'
KILLED_RUN = RUNS + 'run "killed" {\n  variables {\n    kill = true\n  }\n}\n'


@pytest.mark.parametrize("executable", [None, "embedded"])
@pytest.mark.parametrize(
    "runs", [RUNS, KILLED_RUN], ids=["its teardown failed", "it was killed in its second run"]
)
def test_what_a_run_block_has_left_is_destroyed(
    world: World, executable: str | None, runs: str
) -> None:
    flag = world.root / "flag"
    world.write(TESTED.replace("FLAG", str(flag)), **{"tests/one.tftest.hcl": runs})
    with world.abandoned(executable=executable or EXECUTABLE_GIVEN) as workspace:
        workspace.init(backend=False)
        with pytest.raises(TerraformError):
            workspace.test()
    entry = world.entry()
    assert entry.kind == "test"
    known = listing(SweepOptions(ledger=world.ledger.folder, root=world.root))
    assert "terraform_data.one" in only(known).remains
    assert only(world.sweep()).status == "left"  # the provisioner still fails
    assert world.entry().id == entry.id
    flag.touch()
    assert destroyed(world.sweep())
    names = sorted(path.name for path in world.ledger.folder.iterdir())
    assert names == [".gitignore", "durations"]


def test_a_test_whose_teardown_is_confirmed_leaves_no_entry(world: World) -> None:
    (world.root / "flag").touch()
    main = TESTED.replace("FLAG", str(world.root / "flag"))
    world.write(main, **{"tests/one.tftest.hcl": RUNS})
    with world.session() as session, session.workspace(world.module) as workspace:
        workspace.init(backend=False)
        workspace.test()
    assert world.ledger.entries() == []


def test_a_state_in_a_file_outlives_the_run_that_made_it(world: World) -> None:
    """Outside of a rehearsal, where the module's own backend is used."""
    world.write('resource "terraform_data" "one" {\n  input = "one"\n}\n')
    with world.abandoned(inputs=Inputs(), standin_backend=False) as workspace:
        workspace.init()
        workspace.apply()
        workspace.select_workspace("second")
        workspace.apply()
    assert workspace.local_state is not None
    entries = world.ledger.entries()
    assert [str(one.state) for one in entries if isinstance(one, Entry)] == [
        f"local {workspace.local_state.parent.name}/terraform.tfstate",
        f"local {workspace.local_state.parent.name}/terraform.tfstate (workspace second)",
    ]
    assert destroyed(world.sweep(standin_backend=False))
    names = sorted(path.name for path in world.ledger.folder.iterdir())
    assert names == [".gitignore", "durations"]


def test_what_a_killed_run_has_left_in_s3_is_destroyed(world: World, s3: tuple[str, Any]) -> None:
    url, client = s3
    world.write(S3.replace("ENDPOINT", url))
    with world.abandoned(inputs=Inputs(), standin_backend=False) as workspace:
        workspace.init()
        workspace.apply()
    [key] = objects(client)
    assert key.startswith("prod.tfstate.tfoidc/")
    assert held_by(objects(client)[key])
    assert only(world.sweep(standin_backend=False)).status == "destroyed"
    assert not any(held_by(state) for state in objects(client).values())
    assert world.ledger.entries() == []


def objects(client: Any) -> dict[str, str]:  # noqa: ANN401 - boto3 makes its clients as it runs
    """Return the states that a bucket holds."""
    keys = [one["Key"] for one in client.list_objects_v2(Bucket="states").get("Contents", ())]
    return {
        key: client.get_object(Bucket="states", Key=key)["Body"].read().decode() for key in keys
    }


def test_each_workspace_of_a_module_has_an_entry_of_its_own(world: World) -> None:
    world.write(DATA)
    with world.session() as session, session.cleaned_workspace(world.module) as workspace:
        workspace.init()
        workspace.apply()
        workspace.select_workspace("second")
        workspace.apply()
        assert len(world.ledger.entries()) == 2
    assert world.ledger.entries() == []


def test_an_apply_that_could_not_be_destroyed_in_time_is_not_begun(world: World) -> None:
    world.write(DATA)
    with world.session(deadline=timedelta(hours=1)) as session:
        assert session.recorder is not None
        session.recorder.ledger.folder.mkdir()
        session.recorder.took(world.module, "destroy", 7200)
        with session.workspace(world.module) as workspace:
            workspace.init()
            with pytest.raises(DeadlineError, match="nothing was applied"):
                workspace.apply()
            assert managed(str(workspace.state())) == ()
    assert world.ledger.entries() == []


STEP = """\
"$PYTHON" -m pytest -p no:cacheprovider -p no:randomly -p no:terraform $TERRAFORM \\
  --tf-module module --tf-check none
echo "pytest ended with $?"
"$PYTHON" -m pytest -p no:cacheprovider -p no:randomly -p no:terraform $TERRAFORM \\
  --tf-module module --tf-check none --collect-only
"$PYTHON" -m pytest_tfoidc.cli sweep
echo "sweep ended with $?"
"""
KILLED = """\
import os
import signal

def test_killed(tf_module):
    tf_module.init()
    tf_module.apply()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_last_step_of_a_pipeline_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step of docs/pipelines.md, after a pytest that was killed."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module/main.tf").write_text(DATA)
    (tmp_path / "module/test_killed.py").write_text(KILLED)
    monkeypatch.setenv("PYTHON", sys.executable)
    chosen = os.environ.get(EXECUTABLE)
    monkeypatch.setenv("TERRAFORM", f"--tf-executable={chosen}" if chosen else "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    mock = [sys.executable, "-m", "pytest_tfoidc.cli", "mock", "--pipeline", "azure-devops"]
    done = subprocess.run(
        [*mock, "--", "sh", "-c", STEP],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "pytest ended with 137" in done.stdout
    assert "tfoidc: left by an earlier run: module, applied, from" in done.stdout
    assert "Destroy that with `tfoidc sweep`, or with --tf-sweep." in done.stdout
    assert "Nothing is left.\nsweep ended with 0" in done.stdout
    assert list((tmp_path / ".tfoidc").glob("*.json*")) == []


def test_the_command_finds_the_ledger_of_the_project_that_it_is_started_in(
    world: World, tmp_path: Path
) -> None:
    """Where there is none it says where it has looked: nothing is left is another thing."""
    world.write(DATA)
    world.deploy()
    (below := world.root / "scripts" / "ci").mkdir(parents=True)
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "sweep"]
    environment = {**world.environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    told = {
        folder: subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        for folder in (tmp_path, below)
    }
    assert f"there is no ledger at {tmp_path / '.tfoidc'}; --ledger DIR" in told[tmp_path].stderr
    assert told[below].returncode == 0, told[below].stderr
    assert told[below].stdout.startswith("destroyed: ")
    assert world.is_clean


HELD = """
resource "terraform_data" "held" {
  provisioner "local-exec" {
    when    = destroy
    command = "touch FOLDER/at; while test -e FOLDER/hold; do sleep 0.05; done"
  }
}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_that_is_asked_to_end_tells_what_it_did_not_get_to(
    world: World, number: signal.Signals
) -> None:
    (hold := world.root / "hold").touch()
    world.write(DATA + HELD.replace("FOLDER", str(world.root)))
    world.deploy()
    world.ledger.write(dataclasses.replace(world.entry(), id=f"2{world.entry().id}"))
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "sweep", "--json"]
    environment = {**world.environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    with (
        default_signals(),
        subprocess.Popen(
            command,
            cwd=world.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        while not (world.root / "at").exists() and process.poll() is None:
            real_sleep(0.02)
        process.send_signal(number)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == LEFT, errors
    assert "Traceback" not in errors
    told = json.loads(printed)["entries"]
    assert [one["status"] for one in told] == ["left", "left"]
    assert {one["why"] for one in told} == {f"the sweep was asked to end ({number.name})"}
    assert "terraform_data.held" in told[0]["remains"]
    assert world.locks == []
    hold.unlink()
    assert destroyed(world.sweep())
    assert world.is_clean


DOCS = Path(__file__).parents[2] / "docs/sweep.md"


def test_what_the_docs_show_is_a_last_step_that_runs_whatever_happened() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    azure, github = found[0]["steps"], found[1]["jobs"]["test"]["steps"]
    assert azure[1]["condition"] == "always()"
    assert azure[1]["inputs"]["inlineScript"] == "tfoidc sweep"
    assert azure[1]["env"] == azure[0]["env"]
    assert github[1] == {"run": "tfoidc sweep", "if": "always()"}


def test_every_option_of_the_command_is_in_the_docs() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "pytest_tfoidc.cli", "sweep", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    options = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    assert options
    assert [name for name in options if f"`{name}" not in DOCS.read_text(encoding="utf-8")] == []


def _enter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is run see the environment of the step."""
    for name in set(os.environ) - set(world.environment):
        monkeypatch.delenv(name)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)


def test_a_ledger_that_cannot_be_read_is_said_before_anything_runs(
    world: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(DATA)
    _enter(world, monkeypatch)
    shutil.copytree(world.module, project.path / "module")
    (project.path / ".tfoidc").write_text("somebody's file", encoding="utf-8")
    result = project.run("--tf-module=module", "--tf-check=delayed_apply")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "The ledger cannot be read." in text_of(result)
    assert "Not a directory" in text_of(result)


def test_a_run_sweeps_first_when_it_is_told_to(
    world: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(DATA)
    world.deploy()
    _enter(world, monkeypatch)
    shutil.copytree(world.module, project.path / "module")
    (project.path / "module/test_one.py").write_text("def test_one():\n    pass\n")
    arguments = ("--tf-module=module", "--tf-check=none", f"--tf-ledger={world.ledger.folder}")
    result = project.run(*arguments, "--collect-only")
    assert "left by an earlier run: module, applied" in text_of(result)
    assert f"tfoidc sweep --ledger {world.ledger.folder}" in text_of(result)
    result = project.run(*arguments, "--tf-sweep")
    result.assert_outcomes(passed=1)
    assert world.is_clean


def _protected(world: World) -> None:
    protected = '  location = "westeurope"\n  lifecycle {\n    prevent_destroy = true\n  }\n'
    world.write(MODULE.replace('  location = "westeurope"\n', protected))


def _without_a_variable(world: World) -> None:
    world.write(MODULE + 'variable "old" {\n}\n')


@pytest.mark.parametrize(
    ("before", "inputs", "after", "note"),
    [
        (_protected, Inputs(), lambda _world: None, ""),
        (
            _without_a_variable,
            Inputs(variables=("old=1",)),
            lambda world: world.write(MODULE),
            "the module has no variable `old` any more: what the run gave it is left out",
        ),
    ],
    ids=["a resource that must not be destroyed", "a variable that is no more"],
)
def test_what_the_module_says_now_keeps_nothing_from_being_destroyed(
    world: World,
    before: Callable[[World], None],
    inputs: Inputs,
    after: Callable[[World], None],
    note: str,
) -> None:
    before(world)
    world.deploy(inputs=dataclasses.replace(inputs, backend=KEY))
    after(world)
    outcomes = world.sweep()
    assert destroyed(outcomes)
    assert only(outcomes).notes == tuple(filter(None, [note]))
    assert world.is_clean


def test_a_repository_that_lies_elsewhere_now_is_found_by_its_ledger(world: World) -> None:
    """With its files of variables; from whichever folder the sweep is started."""
    world.write(MODULE)
    file = world.root / "own.tfvars"
    file.write_text('name = "rg-own"\n', encoding="utf-8")
    world.deploy(inputs=Inputs(backend=KEY, variable_files=(file,)))
    assert world.groups == ["rg-own"]
    world.root = world.root.rename(world.root.with_name("on another machine"))
    assert destroyed(world.sweep(root=world.root.parent))
    assert world.is_clean


def test_ids_are_the_same_however_they_are_written(world: World) -> None:
    world.write(DATA)
    world.deploy()
    names = ("ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID")
    upper = {name: world.environment[name].upper() for name in names}
    assert upper != {name: world.environment[name] for name in names}
    assert destroyed(world.sweep(environment=upper))


def test_a_workspace_that_works_in_another_subscription_is_swept_there(world: World) -> None:
    world.write(MODULE)
    other = {"ARM_SUBSCRIPTION_ID": f"{world.environment['ARM_SUBSCRIPTION_ID'][:-1]}1"}
    with world.session() as session:
        inputs = Inputs(backend=KEY)
        workspace = session.workspace(world.module, inputs=inputs, environment=other)
        workspace.init()
        workspace.apply()
        assert workspace.record is not None
        workspace.record.release()  # as the process's end does
    outcome = only(world.sweep())
    assert outcome.status == "left"
    assert outcome.remedy == f"Sweep with ARM_SUBSCRIPTION_ID={other['ARM_SUBSCRIPTION_ID']}."
    assert world.groups == ["rg-test"]
    assert destroyed(world.sweep(environment=other))
    assert world.is_clean
    shutil.rmtree(workspace.base)


def test_a_default_that_stands_in_for_what_a_run_was_given_is_told(world: World) -> None:
    world.write(DATA + 'variable "far" {\n  default = "on"\n}\n')
    with world.abandoned(environment={**world.environment, "TF_VAR_far": "off"}) as workspace:
        workspace.init()
        workspace.apply()
    outcomes = world.sweep()
    assert destroyed(outcomes)
    assert only(outcomes).notes == (
        "`far` came from TF_VAR_far, and is not given here: its default is used",
    )


@pytest.mark.parametrize("by", ["the run", "a sweep"])
def test_the_states_of_workspaces_go_with_what_they_held(world: World, by: str) -> None:
    """Of a workspace that nothing was applied in, too, and of that of TF_WORKSPACE."""
    world.write(DATA)
    if by == "the run":
        with world.session() as session:
            inputs = Inputs(backend=KEY)
            with session.cleaned_workspace(world.module, inputs=inputs) as workspace:
                workspace.init()
                workspace.apply()
                workspace.select_workspace("second")
                assert len(world.states) > 1
    else:
        environment = {**world.environment, "TF_WORKSPACE": "first"}
        with world.abandoned(environment=environment) as workspace:
            workspace.init()
            workspace.apply()
        assert len(world.states) == 1
        assert destroyed(world.sweep(environment={"TF_WORKSPACE": "third"}))
    assert world.states == []
    assert world.is_clean


def test_what_terraform_has_kept_of_a_test_is_found_whatever_workspace_is_selected(
    world: World,
) -> None:
    flag = world.root / "flag"
    files = {"tests/one.tftest.hcl": RUNS}
    world.write(
        MODULE.replace('  backend "azurerm" {}\n', "") + LATE.replace("FLAG", str(flag)), **files
    )
    with world.abandoned(executable="embedded") as workspace:
        workspace.init(backend=False)
        with pytest.raises(TerraformError):
            workspace.test()
    assert world.groups == ["rg-test"]
    flag.touch()
    assert destroyed(world.sweep(environment={"TF_WORKSPACE": "prod"}))
    assert world.is_clean


def _plan(workspace: Workspace) -> None:
    workspace.plan()


def _apply_and_lose(workspace: Workspace) -> None:
    """Apply, and let somebody destroy it by hand before the sweep."""
    workspace.apply()
    workspace.runner.run("destroy", auto_approve=Flag, input=False)


@pytest.mark.parametrize(
    ("before", "status"),
    [(_plan, "destroyed"), (_apply_and_lose, "left")],
    ids=["after a plan", "after an apply"],
)
def test_what_came_into_a_modules_own_state_since_is_left_alone(
    world: World, before: Callable[[Workspace], None], status: str
) -> None:
    """A run with `--tf-live-state own` was killed, and then somebody has deployed there."""
    world.write(DATA)
    with world.abandoned(live_state="own") as workspace:
        workspace.init()
        before(workspace)
    entry = world.entry()
    with (
        world.session() as session,
        session.setup_workspace(world.module, inputs=Inputs(backend=KEY)) as production,
    ):
        production.init()
        production.apply()
        held = production.state_text()
    assert held_by(held).resources == ("terraform_data.one",)
    outcome = only(world.sweep())
    assert outcome.status == status
    told = outcome.why or outcome.notes[0]
    assert "terraform_data.one" in told
    assert json.loads(held)["resources"] == json.loads(world.states[0])["resources"]
    assert [one.id for one in world.ledger.entries()] == ([entry.id] if status == "left" else [])


BASE = """
resource "terraform_data" "base" {
  provisioner "local-exec" {
    when    = destroy
    command = "! test -e FLAG"
  }
}
"""
ON_TOP = """
resource "terraform_data" "top" {
  provisioner "local-exec" {
    when    = destroy
    command = "rm FLAG"
  }
}
"""


def test_what_was_deployed_last_goes_first(world: World) -> None:
    """It may stand on what was deployed before, which cannot go as long as it is there."""
    flag = world.root / "flag"
    for name, text in {"base": BASE, "top": ON_TOP}.items():
        (module := world.root / name).mkdir()
        (module / "main.tf").write_text(text.replace("FLAG", str(flag)), encoding="utf-8")
        with world.session() as session:
            workspace = session.workspace(module, inputs=Inputs(backend=KEY))
            workspace.init()
            workspace.apply()
            assert workspace.record is not None
            workspace.record.release()  # as the process's end does
        shutil.rmtree(workspace.base)
    flag.touch()
    ids = [one.id for one in world.ledger.entries()]
    outcomes = world.sweep()
    assert destroyed(outcomes)
    assert [one.id for one in outcomes] == ids


def test_what_is_there_beforehand_in_a_rehearsal_is_nobodys_to_sweep(world: World) -> None:
    world.write(MODULE)
    with (
        world.session() as session,
        session.setup_workspace(world.module, inputs=Inputs(backend=KEY)) as workspace,
    ):
        workspace.init()
        workspace.apply()
    assert world.groups == ["rg-test"]
    assert world.ledger.entries() == []


def test_what_a_killed_run_has_made_in_a_modules_own_state_is_destroyed(world: World) -> None:
    world.write(MODULE.replace("= var.name", "= each.key", 1).replace(
        '"this" {', '"this" {\n  for_each = toset(["rg-é", "rg-2"])', 1))  # fmt: skip
    with world.abandoned(live_state="own") as workspace:
        workspace.init()
        workspace.apply()
    assert world.groups == ["rg-2", "rg-é"]
    assert destroyed(world.sweep())
    assert world.is_clean
