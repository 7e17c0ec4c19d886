"""A live run touches only what it made: production's state, next to live tests by every way."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc import OidcSession, RehearsalOptions, SessionOptions, rehearse
from pytest_tfoidc.mockazure.directory import SUBSCRIPTION_ID
from pytest_tfoidc.plugin.xdist import live_scope
from pytest_tfoidc.session import AzureStates
from pytest_tfoidc.terraform.executable import find_executable
from pytest_tfoidc.terraform.live.scope import SubscriptionError, planned_in, require_allowed
from pytest_tfoidc.terraform.live.state import (
    KEYS,
    ForeignResourceError,
    LiveStateError,
    LiveStates,
    StatePlace,
    held_by,
    require_no_imports,
)
from tests.project_kit import FAULTS
from tests.providers.providermirror import lay_out
from tests.sweep_kit import S3

EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
TFOIDC = (sys.executable, "-m", "pytest_tfoidc.cli")
PLAIN = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:terraform")
BACKEND = """
terraform {
  backend "azurerm" {
    storage_account_name = "production"
    container_name       = "tfstate"
    key                  = "prod.tfstate"
    use_azuread_auth     = true
  }
}

variable "suffix" {
  type    = string
  default = ""
}
"""
PRODUCTION = (
    BACKEND
    + """
resource "terraform_data" "this" {
  input = "rg-production${var.suffix}"
}
"""
)
HTTP = """
terraform {
  backend "http" {
    address = "http://127.0.0.1:9/prod"
  }
}
"""
WITH_PROVIDER = (
    BACKEND
    + """
terraform {
  required_providers {
    mockcloud = {
      source = "tfoidc/mockcloud"
    }
  }
}

resource "mockcloud_group" "this" {
  name           = "rg-production${var.suffix}"
  location       = "westeurope"
  retention_days = 30
}
"""
)
FIXTURE = """
def test_deploy(tf_module):
    with tf_module.deployed():
        assert tf_module.state()
"""
OTHER = f"{SUBSCRIPTION_ID[:-1]}f"
TESTED = ("--tf-var", "suffix=-test")
CHECKS = ("--tf-check=delayed_apply", "--tf-check=no_cached_credentials")
STEP = "tfoidc/mockcloud:2.0.0..3.0.0"


@dataclass
class Pipeline:
    """A pipeline that deploys production, and then runs live tests of the same module."""

    folder: Path
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()
    suffix: str = "true"

    def run(self, *tests: Iterable[str]) -> tuple[str, list[str]]:
        """Return what the tests printed, and production's state before and after each of them."""
        relay = [*TFOIDC, "relay", "--"]
        terraform = shlex.join([*relay, *find_executable(EXECUTABLE, os.environ).argv])
        lines = [
            "set -e",
            "cd module",
            f"{terraform} init -input=false",
            f"{terraform} apply -auto-approve -input=false",
            f"{terraform} state pull > ../state.0",
            "cd ..",
        ]
        for number, test in enumerate(tests, start=1):
            command = [sys.executable, "-m", "pytest", *PLAIN, *self.options(), *test]
            lines += [
                " ".join([*self.prefix, shlex.join(command), "2>&1 || true"]),
                self.suffix,
                f"(cd module && {terraform} state pull > ../state.{number})",
            ]
        (self.folder / "step.sh").write_text("\n".join(lines), encoding="utf-8")
        done = subprocess.run(
            [*TFOIDC, "mock", "--pipeline", "azure-devops", "--", "bash", "step.sh"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        states = [self.folder / f"state.{number}" for number in range(len(tests) + 1)]
        return done.stdout, [state.read_text(encoding="utf-8") for state in states]

    @property
    def main(self) -> Path:
        return self.folder / "module" / "main.tf"

    def options(self) -> list[str]:
        executable = [f"--tf-executable={EXECUTABLE}"] if EXECUTABLE else []
        return ["--tf-module", "module", *executable]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    folder = tmp_path / "work"
    (folder / "module").mkdir(parents=True)
    (folder / "module" / "main.tf").write_text(PRODUCTION, encoding="utf-8")
    (folder / "module" / "test_deploy.py").write_text(FIXTURE, encoding="utf-8")
    mirror = lay_out(tmp_path / "providers")
    kept = {k: v for k, v in os.environ.items() if k not in {"TF_PLUGIN_CACHE_DIR", "TF_WORKSPACE"}}
    paths = os.pathsep.join(filter(None, (str(FAULTS), kept.get("PYTHONPATH"))))
    own = {
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": paths,
    }
    return Pipeline(folder, {**kept, **mirror, **own})


def test_checks_and_fixtures_leave_production_alone(pipeline: Pipeline) -> None:
    printed, states = pipeline.run([*CHECKS, *TESTED, "-n", "2"])
    assert "3 passed" in printed
    assert json.loads(states[0])["resources"]
    assert set(states) == {states[0]}


def test_an_upgrade_step_leaves_production_alone(pipeline: Pipeline) -> None:
    """Resources that have the test's names already are told as somebody else's, and stay."""
    pipeline.main.write_text(WITH_PROVIDER, encoding="utf-8")
    step = (f"--tf-upgrade={STEP}", "--tf-check=none", "-k", "upgrade")
    printed, states = pipeline.run([*step, *TESTED], step)
    assert "1 passed" in printed, printed
    assert "1 failed" in printed
    assert "belongs to somebody else" in printed
    assert set(states) == {states[0]}


def test_the_control_destroys_production_without_a_state_of_its_own(pipeline: Pipeline) -> None:
    fixture = ("--tf-check=none", "-k", "test_deploy")
    printed, states = pipeline.run(["-p", "shared_state", *fixture, *TESTED])
    assert "1 passed" in printed
    assert not json.loads(states[1])["resources"]


def test_a_state_that_holds_anything_is_refused_untouched(pipeline: Pipeline) -> None:
    printed, states = pipeline.run([*CHECKS, "--tf-live-state=own", *TESTED])
    assert "The state of this live test is not empty: it holds 1 resource" in printed
    assert "storage account production, container tfstate, key prod.tfstate" in printed
    assert "3 failed" in printed
    assert set(states) == {states[0]}


@pytest.mark.parametrize("how", ["use_azuread_auth = true", 'resource_group_name = "states"'])
def test_the_state_object_goes_with_what_it_held_and_not_before(how: str, tmp_path: Path) -> None:
    text = PRODUCTION.replace("use_azuread_auth     = true", how)
    assert how in text
    (tmp_path / "main.tf").write_text(text, encoding="utf-8")
    options = RehearsalOptions(pipeline="azure-devops")
    with rehearse(options) as environment:
        given = SessionOptions(environment=environment, executable=EXECUTABLE)
        with OidcSession(given) as session:
            read = session.state_blobs.read
            with session.cleaned_workspace(tmp_path, item="x") as workspace:
                workspace.init()
                workspace.apply()
                place = workspace.guard.place
                assert place is not None
                session.state_blobs.remove({**place.blob, "key": "another"})
                AzureStates(session.state_blobs).remove(place)  # it holds something: it stays
                assert "terraform_data" in (read(place.blob) or "")
                assert "GMT" in session.state_blobs.last_written(place.blob)
            assert read(place.blob) is None


@pytest.mark.parametrize("selected", [(), ("TF_WORKSPACE=blue",)], ids=["default", "selected"])
def test_a_state_in_s3_is_a_tests_own_and_its_object_is_removed(
    pipeline: Pipeline, s3: tuple[str, Any], selected: tuple[str, ...]
) -> None:
    url, client = s3
    pipeline.main.write_text(S3.replace("ENDPOINT", url), encoding="utf-8")
    # A rehearsal has azurerm's backend.
    pipeline.prefix = ("env", "-u", "TFOIDC_REHEARSAL", *selected)
    printed, states = pipeline.run(["--tf-check=delayed_apply", "-k", "oidc"])
    assert "s3: bucket states, region eu-west-1, key prod.tfstate.tfoidc/" in printed
    assert "1 passed" in printed, printed
    assert set(states) == {states[0]}
    assert [one["Key"] for one in client.list_objects_v2(Bucket="states")["Contents"]] == [
        "prod.tfstate"
    ]


def test_run_blocks_touch_the_allowed_subscription_only_and_the_header_says_which(
    pipeline: Pipeline,
) -> None:
    """Where nothing but run blocks is run, too."""
    pipeline.main.write_text(WITH_PROVIDER, encoding="utf-8")
    elsewhere = f'provider "mockcloud" {{\n  subscription_id = "{OTHER}"\n}}\n'
    tests = {"here": 'run "here" {\n}\n', "there": elsewhere + 'run "there" {\n}\n'}
    for name, text in tests.items():
        (pipeline.main.parent / f"{name}.tftest.hcl").write_text(text, encoding="utf-8")
    options = (
        "--tf-check=none",
        "-k",
        "here or there",
        f"--tf-allowed-subscription={SUBSCRIPTION_ID.upper()}",
    )
    printed, states = pipeline.run([*options, *TESTED])
    assert f"is created, and destroyed again, in subscription {SUBSCRIPTION_ID}" in printed
    assert "live: module: each test has a state of its own, azurerm: storage account" in printed
    assert f"The subscription {OTHER} may not be touched by tests." in printed
    assert "1 passed" in printed, printed
    assert "1 error" in printed
    assert set(states) == {states[0]}


def test_a_backend_without_a_key_is_refused_before_anything_runs(pipeline: Pipeline) -> None:
    main = pipeline.main.read_text(encoding="utf-8")
    pipeline.prefix = ("cp", "http.tf", "module/main.tf", ";", "env", "-u", "TFOIDC_REHEARSAL")
    (pipeline.folder / "http.tf").write_text(HTTP, encoding="utf-8")
    (pipeline.folder / "main.tf").write_text(main, encoding="utf-8")
    pipeline.suffix = "cp main.tf module/main.tf"
    printed, states = pipeline.run([])
    assert "cannot have a state of its own in a backend of type http" in printed
    assert "--tf-live-state own" in printed
    assert set(states) == {states[0]}


def test_an_import_block_is_refused() -> None:
    change = {"type": "planned_change", "change": {"resource": {"addr": "a.b"}, "action": "import"}}
    require_no_imports(({"type": "planned_change", "change": {"action": "create"}},), module="m")
    with pytest.raises(ForeignResourceError, match=r"never imports: a\.b"):
        require_no_imports((change,), module="m")
    moved = {**change, "change": {"action": "update", "importing": {"id": "x"}}}
    with pytest.raises(ForeignResourceError):
        require_no_imports((moved,), module="m")


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("m::oidc::delayed_apply", "m"),
        ("m/tests/a.tftest.hcl::first", "m"),
        ("m/inner/test_x.py::test_a", "m/inner"),
        ("more/test_x.py::test_a", "more/test_x.py"),
        ("tests/test_x.py::test_a[m]", "m"),
        ("tests/test_x.py::test_a[1-m/inner]", "m/inner"),
    ],
)
def test_in_a_live_context_a_module_stays_on_one_worker(nodeid: str, scope: str) -> None:
    assert live_scope(nodeid, ("m", "m/inner")) == scope
    assert live_scope(nodeid, (".",)) == "."


def test_what_a_plan_would_touch_beyond_the_allowed_subscription_is_refused() -> None:
    provider = {"expressions": {"subscription_id": {"references": ["var.hub"]}}}
    plan = {
        "variables": {"hub": {"value": "HUB"}},
        "configuration": {"provider_config": {"azurerm.hub": provider}},
        "resource_changes": [
            {
                "address": "r.scope",
                "mode": "managed",
                "change": {"after": {"scope": "/subscriptions/mine/resourceGroups/g", "id": None}},
            }
        ],
    }
    require_allowed(planned_in(plan), ["hub", "mine"])
    require_allowed(planned_in(plan), [])
    for allowed, where in (["mine"], "provider azurerm.hub"), (["hub"], "r.scope, scope"):
        with pytest.raises(SubscriptionError) as raised:
            require_allowed(planned_in(plan), allowed)
        assert raised.value.where == where
    provider["expressions"]["subscription_id"] = {"references": ["local.hub"]}
    with pytest.raises(SubscriptionError, match="cannot be told"):
        require_allowed(planned_in(plan), ["hub", "mine"])


@given(
    backend=st.sampled_from(sorted(KEYS)),
    key=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=60),
    items=st.lists(st.text(max_size=200), min_size=2, max_size=5),
)
def test_no_two_tests_have_one_state_and_none_has_the_modules(
    backend: str, key: str, items: list[str]
) -> None:
    rule = KEYS[backend]
    runs = [LiveStates({"BUILD_BUILDID": "7"}) for _ in range(2)]
    keys = [
        run.place(backend, {rule.attribute: key}, name=run.name_of("m", item)).settings[
            rule.attribute
        ]
        for run in runs
        for item in items
    ]
    assert len(set(keys)) == len(keys)
    assert key not in keys
    assert all(len(one) <= rule.limit for one in keys)


def test_remote_states_get_a_workspace_and_local_ones_a_path() -> None:
    states = LiveStates({})
    block = {"name": "prod"}
    for backend in ("cloud", "remote"):
        for workspaces in (block, [block]):  # as JSON may have it
            config = {"organization": "o", "workspaces": workspaces}
            place = states.place(backend, config, name=states.name_of("m", "i"))
            assert place.terraform_workspace.startswith("prod-tfoidc")
    local = states.place("local", {"path": "/srv/prod.tfstate"}, name="x")
    assert local.settings["path"] == "terraform.tfstate"


@pytest.mark.parametrize(
    ("backend", "config", "word"),
    [
        ("http", {"address": "https://example.invalid"}, "--tf-live-state own"),
        ("azurerm", {}, "--tf-backend-config key="),
        ("azurerm", {"key": "k" * 1010}, "too long"),
    ],
)
def test_where_no_place_can_be_derived_it_says_what_to_write(
    backend: str, config: dict[str, str], word: str
) -> None:
    states = LiveStates({})
    with pytest.raises(LiveStateError) as raised:
        states.place(backend, config, name=states.name_of("m", "i"))
    assert word in str(raised.value)


def test_what_a_state_holds_is_told_with_deposed_objects_and_outputs() -> None:
    data = {"mode": "data", "type": "d", "name": "d", "instances": [{}]}
    gone = {"mode": "managed", "type": "g", "name": "g", "instances": []}
    deposed = {
        "mode": "managed",
        "module": "module.m",
        "type": "t",
        "name": "n",
        "instances": [{"deposed": "x"}],
    }
    assert not held_by("")
    assert not held_by(json.dumps({"resources": [data, gone]}))
    assert held_by(json.dumps({"resources": [data, deposed]})).resources == ("module.m.t.n",)
    assert str(held_by(json.dumps({"outputs": {"a": {}}}))) == "1 output"
    with pytest.raises(LiveStateError, match="cannot be read"):
        held_by("[1]")


def test_a_place_tells_where_it_is_and_no_secret() -> None:
    config = {"storage_account_name": "a", "container_name": "c", "access_key": "s3cr3t"}
    place = StatePlace(backend="azurerm", config=config, settings={"key": "k"})
    assert str(place) == "azurerm: storage account a, container c, key k"
    assert "s3cr3t" not in repr(place)
