"""Commands that a test of a live run gives as they are touch only what the test has made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pytest_tfoidc import OidcSession, SessionOptions
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.commandline import Flag
from pytest_tfoidc.terraform.live.guard import LiveGuard
from pytest_tfoidc.terraform.live.scope import SubscriptionError, require_allowed
from pytest_tfoidc.terraform.live.scope_of_tests import given_values, named_in_tests
from pytest_tfoidc.terraform.live.state import (
    ForeignResourceError,
    ForeignStateError,
    LiveStateError,
)
from pytest_tfoidc.terraform.module import read_module
from pytest_tfoidc.terraform.workspace import Workspace
from tests.sweep_kit import DATA, KEY, MODULE, World, world_of

MINE, OTHER = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"
IMPORTED = """
import {
  to = mockcloud_group.this
  id = "/subscriptions/SUBSCRIPTION/resourceGroups/rg-test"
}
"""
RUN = 'run "deploys" {\n}\n'


@pytest.fixture
def world(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    (temp := folder / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setattr("tempfile.tempdir", None)
    with world_of(folder) as made:
        yield made


@contextlib.contextmanager
def cleaned(world: World, **options: object) -> Iterator[Workspace]:
    """Return a workspace that is initialized, and cleaned up at the end."""
    with (
        world.session(**options) as session,
        session.cleaned_workspace(world.module, inputs=Inputs(backend=KEY)) as workspace,
    ):
        workspace.init()
        yield workspace


def _apply(workspace: Workspace) -> None:
    workspace.run("apply", "-auto-approve")


def _apply_plan(workspace: Workspace) -> None:
    workspace.run("plan", out="own-plan")
    workspace.run("apply", "own-plan")


def _test(workspace: Workspace) -> None:
    workspace.test()


def _run_test(workspace: Workspace) -> None:
    workspace.run("test")


@pytest.mark.parametrize("command", [_apply, _apply_plan, _test, _run_test])
def test_what_exists_already_is_not_taken_over_by_any_command(
    world: World, command: Callable[[Workspace], None]
) -> None:
    world.write(MODULE)
    world.deploy()  # somebody else's, whose entry nobody sweeps
    imported = IMPORTED.replace("SUBSCRIPTION", world.environment["ARM_SUBSCRIPTION_ID"])
    world.write(MODULE + imported, **{"tests/a.tftest.hcl": RUN})
    with pytest.raises(ForeignResourceError, match="never imports"), cleaned(world) as workspace:
        command(workspace)
    assert world.groups == ["rg-test"]


def test_the_control_takes_over_and_destroys_what_nobody_looks_at(world: World) -> None:
    world.write(MODULE)
    world.deploy()
    imported = IMPORTED.replace("SUBSCRIPTION", world.environment["ARM_SUBSCRIPTION_ID"])
    world.write(MODULE + imported)
    with mock.patch.object(LiveGuard, "check_command"), cleaned(world) as workspace:
        _apply(workspace)
    assert world.groups == []


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (("state push", "other.tfstate"), {}),
        (("apply", "-auto-approve", "-state=other.tfstate"), {}),
        (("apply",), {"state_out": "other.tfstate"}),
        (("import", "terraform_data.one", "x"), {}),
        (("-chdir=../production apply", "-auto-approve"), {}),
        (("init",), {}),
    ],
    ids=" ".join,
)
def test_no_command_is_led_to_another_state(
    world: World, line: tuple[str, ...], options: dict[str, Any]
) -> None:
    world.write(DATA)
    with (
        world.session() as session,
        session.workspace(world.module) as workspace,
        pytest.raises(LiveStateError, match="does not run `terraform "),
    ):
        workspace.run(*line, **options)


def test_a_workspace_that_terraform_was_told_to_make_is_cleaned_up_beside_the_first(
    world: World,
) -> None:
    world.write(MODULE.replace("= var.name", '= "rg-${terraform.workspace}"'))
    with cleaned(world) as workspace:
        workspace.apply()
        workspace.run("workspace new", "second", no_color=Flag)
        workspace.apply()
        assert world.groups == ["rg-default", "rg-second"]
        assert len(world.ledger.entries()) == 2
    assert world.is_clean
    assert world.states == []


def test_a_workspace_that_was_selected_stays_so_with_another_terraform(world: World) -> None:
    """As an upgrade step brings it: TF_WORKSPACE does not come back with it."""
    world.write(DATA)
    with cleaned(world, environment={**world.environment, "TF_WORKSPACE": "first"}) as workspace:
        workspace.select_workspace("second")
        workspace.use(workspace.setting.executable)
        assert workspace.run("workspace show").stdout.strip() == "second"
        workspace.apply()
    assert world.is_clean
    assert world.states == []


def test_what_is_deployed_beside_a_test_in_its_modules_own_state_is_not_destroyed(
    world: World,
) -> None:
    world.write(DATA)
    with world.session(live_state="own") as session, session.workspace(world.module) as workspace:
        workspace.init()
        workspace.apply()
        world.write(DATA + DATA.partition("\n\n")[2].replace('"one"', '"two"'))
        with session.setup_workspace(world.module, inputs=Inputs()) as production:
            production.init()
            production.apply()
            before = workspace.state_text()
            with pytest.raises(ForeignStateError, match="it holds 1 resource") as raised:
                workspace.destroy()
            assert "it holds terraform_data.two" in (raised.value.cause or "")
            assert workspace.state_text() == before
            assert workspace.is_deployed
            production.run("state rm", "terraform_data.two")
        workspace.destroy()


def test_an_own_state_of_hcp_has_no_workspace_by_the_environment(world: World) -> None:
    """It has a Terraform workspace of its own, and no other can be selected there."""
    world.write('terraform {\n  cloud {\n    organization = "o"\n  }\n}\n')
    environment = {**world.environment, "TF_WORKSPACE": "prod"}
    options = {"environment": environment, "standin_backend": False}
    with world.session(**options) as session, session.workspace(world.module) as workspace:
        assert workspace.selected == "prod"
        workspace.guard.settings("cloud", workspace.backend.config())
        assert workspace.selected == "default"
        assert "TF_WORKSPACE" not in workspace.runner.environment


def test_a_plan_is_looked_at_before_it_is_applied_where_subscriptions_are_pinned(
    world: World,
) -> None:
    own = world.environment["ARM_SUBSCRIPTION_ID"]
    world.write(MODULE + f'provider "mockcloud" {{\n  subscription_id = "{own[:-1]}1"\n}}\n')
    with cleaned(world, allowed_subscriptions=(own,)) as workspace:
        with pytest.raises(SubscriptionError, match="may not be touched"):
            _apply_plan(workspace)
        with pytest.raises(SubscriptionError, match="without a plan"):
            _apply(workspace)
    assert world.groups == []


def test_a_workspaces_own_variables_name_no_other_subscription_than_the_allowed(
    world: World,
) -> None:
    own = world.environment["ARM_SUBSCRIPTION_ID"]
    world.write(MODULE, **{"tests/a.tftest.hcl": RUN})
    elsewhere = {"ARM_SUBSCRIPTION_ID": f"{own[:-1]}1"}
    with world.session(allowed_subscriptions=(own,)) as session:
        for variables, word in ((elsewhere, "may not be touched"), ({}, "")):
            with session.workspace(
                world.module, inputs=Inputs(backend=KEY), environment=variables
            ) as workspace:
                if not word:
                    workspace.init()
                    workspace.guard.check_test()
                    continue
                with pytest.raises(SubscriptionError, match=word):
                    workspace.init()
                with pytest.raises(SubscriptionError, match=word):
                    workspace.test()


def _tested(folder: Path, text: str, **given: str) -> None:
    (folder / "tests").mkdir(exist_ok=True)
    file = folder / "tests" / "a.tftest.hcl"
    file.write_text(text, encoding="utf-8")
    values = given_values(folder, inputs=Inputs(), environment={**given}, test_directory="tests")
    require_allowed(named_in_tests(file, read_module(folder), values), [MINE])


PROVIDER = 'provider "p" {\n  subscription_id = "ID"\n}\n'
BY_VARIABLE = PROVIDER.replace('"ID"', "var.id")
VARIABLES = 'variables {\n  id = "ID"\n}\n'
DECLARED = 'variable "id" {\n  default = DEFAULT\n}\n'


def given(text: str, value: str) -> str:
    """Return a text with an ID in it."""
    return text.replace("ID", value)


NO_DEFAULT, ANY_DEFAULT = DECLARED.replace("DEFAULT", "null"), DECLARED.replace("DEFAULT", '"ID"')


@pytest.mark.parametrize(
    ("module", "tests", "environment"),
    [
        ("", given(PROVIDER, MINE), {}),
        ("", given(PROVIDER, MINE.upper()), {}),
        ("", BY_VARIABLE + given(VARIABLES, MINE), {}),
        (given(PROVIDER, OTHER), given(PROVIDER, MINE), {}),  # it takes its place
        (given(PROVIDER, OTHER), 'mock_provider "p" {\n}\n', {}),
        (BY_VARIABLE + given(ANY_DEFAULT, MINE), "", {}),
        (BY_VARIABLE + NO_DEFAULT, "", {}),  # the environment's
        (BY_VARIABLE + NO_DEFAULT, "", {"TF_VAR_id": MINE}),
        (BY_VARIABLE, given(VARIABLES, MINE), {"TF_VAR_id": OTHER}),
    ],
)
def test_run_blocks_in_the_allowed_subscription_pass(
    module: str, tests: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text("locals {\n}\n" + module, encoding="utf-8")
    _tested(tmp_path, tests + RUN, **environment)


@pytest.mark.parametrize(
    ("module", "tests", "environment"),
    [
        ("", given(PROVIDER, OTHER), {}),
        ("", BY_VARIABLE + given(VARIABLES, OTHER), {}),
        ("", PROVIDER.replace('"ID"', "run.setup.id"), {}),  # nobody can tell
        (given(PROVIDER, OTHER), "", {}),
        (BY_VARIABLE + given(ANY_DEFAULT, OTHER), "", {}),
        (BY_VARIABLE + NO_DEFAULT, "", {"TF_VAR_id": OTHER}),
        (BY_VARIABLE, given(VARIABLES, OTHER), {"TF_VAR_id": MINE}),
    ],
)
def test_run_blocks_in_another_subscription_are_refused(
    module: str, tests: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text("locals {\n}\n" + module, encoding="utf-8")
    with pytest.raises(SubscriptionError):
        _tested(tmp_path, tests + RUN, **environment)


def test_a_run_blocks_own_variables_and_module_count_for_it_alone(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(BY_VARIABLE, encoding="utf-8")
    (tmp_path / "setup").mkdir()
    (tmp_path / "setup" / "main.tf").write_text(given(PROVIDER, OTHER), encoding="utf-8")
    own = RUN.replace("}", "  " + given(VARIABLES, MINE).replace("\n", "\n  ") + "\n}")
    _tested(tmp_path, own)
    with pytest.raises(SubscriptionError):
        _tested(tmp_path, own + 'run "bare" {\n}\n')
    setup = 'run "setup" {\n  module {\n    source = "./setup"\n  }\n}\n'
    with pytest.raises(SubscriptionError) as raised:
        _tested(tmp_path, own + setup)
    assert raised.value.where == f"{tmp_path / 'setup' / 'main.tf'}:1"


@pytest.mark.parametrize(
    ("main", "word"),
    [("locals {\n}\n", "No subscription is named"), (given(PROVIDER, MINE), "")],
)
def test_without_a_subscription_in_the_environment_the_modules_have_to_name_it(
    world: World, main: str, word: str
) -> None:
    environment = {k: v for k, v in world.environment.items() if k != "ARM_SUBSCRIPTION_ID"}
    world.write(main)
    options = SessionOptions(environment=environment, allowed_subscriptions=(MINE,))
    with OidcSession(options) as session:
        modules = [session.read_module(world.module)]
        if not word:
            session.require_allowed_subscriptions(modules)
            return
        with pytest.raises(TfOidcError, match=word):
            session.require_allowed_subscriptions(modules)
