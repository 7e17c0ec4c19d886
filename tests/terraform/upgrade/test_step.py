"""Upgrade steps without pytest's items, with real Terraform and the providers written for tests."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc import OidcSession, SessionOptions
from pytest_tfoidc.checks.oidc import MADE
from pytest_tfoidc.checks.parts import Subject
from pytest_tfoidc.checks.upgrade import UpgradeFailure, UpgradeStory
from pytest_tfoidc.errors import TerraformError, UsageError
from pytest_tfoidc.refreshfloors import FLOORS
from pytest_tfoidc.reporting.upgradetable import UpgradeRow, markdown_table, terminal_table
from pytest_tfoidc.terraform.backend import NO_INPUTS
from pytest_tfoidc.terraform.executable import find_executable
from pytest_tfoidc.terraform.source_files import last_override
from pytest_tfoidc.terraform.upgrade.provider_store import UpgradeError, locked_versions
from pytest_tfoidc.terraform.upgrade.spec import TERRAFORM, Step, parse_steps
from pytest_tfoidc.terraform.upgrade.step import PINS, UpgradeStep
from pytest_tfoidc.terraform.workspace import Workspace
from tests.providers.providermirror import HOST, MOCKCLOUD, lay_out

MODULE = """
terraform {
  required_providers {
    mockcloud = {
      source  = "tfoidc/mockcloud"
      version = "%s"
    }
  }
}

resource "mockcloud_group" "this" {
  name     = "rg-test"
  location = "westeurope"
}
"""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[OidcSession]:
    environment = {
        **os.environ,
        **lay_out(tmp_path / "providers"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    wanted = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    release = find_executable(wanted, os.environ).release
    options = SessionOptions(
        context="mock",
        environment=environment,
        executable=wanted,
        relay=release < FLOORS[TERRAFORM],  # below it the backend cannot do without
    )
    with OidcSession(options) as session:
        yield session


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (folder := tmp_path / "module").mkdir()
    (folder / "main.tf").write_text(MODULE % ">= 1.0", encoding="utf-8")
    return folder


def step_of(text: str) -> Step:
    (moves,) = parse_steps(text, where="--tf-upgrade")
    return Step(moves=moves)


def started(
    workspace: Workspace, text: str, *, downgrade: bool = False, override: bool = False
) -> UpgradeStep:
    step = dataclasses.replace(
        step_of(f"{MOCKCLOUD}:{text}"), downgrade=downgrade, override=override
    )
    upgrade = UpgradeStep(workspace, step)
    upgrade.start()
    return upgrade


def delayed_apply(session: OidcSession, upgrade: UpgradeStep) -> None:
    with session.isolated(), session.workspace(upgrade.workspace.module) as workspace:
        upgrade.prepare(workspace)
        subject = Subject(
            session=session,
            workspace=workspace,
            clock=session.oidc_clock,
            delay=timedelta(minutes=30),
        )
        MADE["delayed_apply"](subject)


def test_the_step_to_a_version_that_refreshes_is_clean_and_cures_the_delayed_apply(
    session: OidcSession, module: Path
) -> None:
    token = session.source.fetch(session.context.audience).value
    session.environment = {**session.environment, "MOCKCLOUD_OIDC_TOKEN": token}
    with session.isolated(), session.workspace(module) as workspace:
        upgrade = started(workspace, "1.0.0..2.0.0")
        with pytest.raises(TerraformError) as caught:
            delayed_apply(session, upgrade)
        assert "AADSTS700024" in caught.value.output
        upgrade.before.apply()
        upgrade.check()
        upgrade.upgrade()
        comparison = upgrade.plan()
        assert (comparison.changes, comparison.unmatched) == ([], [])
        assert comparison.state_upgrades == ()
        upgrade.after.destroy()
        delayed_apply(session, upgrade)


def test_what_the_new_version_refuses_the_old_one_destroys(
    session: OidcSession, module: Path
) -> None:
    text = (MODULE % ">= 1.0").replace("location", 'label = "x"\n  location')
    (module / "main.tf").write_text(text, encoding="utf-8")
    with session.isolated(), session.workspace(module) as workspace:
        story = UpgradeStory(
            session=session,
            workspace=workspace,
            inputs=NO_INPUTS,
            step=step_of(f"{MOCKCLOUD}:2.0.0..3.0.0"),
            name="module",
            checks=(),
            delay=timedelta(0),
        )
        with pytest.raises(UpgradeFailure, match="Unsupported argument") as caught:
            story.run()
        assert not workspace.is_deployed
    assert f"{MOCKCLOUD} 2.0.0 can still destroy what it has made" in str(caught.value)
    assert story.row.outcome == "failed"


def test_a_state_that_goes_up_is_pointed_out_and_kept_as_it_was(
    session: OidcSession, module: Path
) -> None:
    with session.isolated(), session.workspace(module) as workspace:
        upgrade = started(workspace, "2.0.0..3.0.0")
        upgrade.before.apply()
        upgrade.check()
        upgrade.upgrade()
        comparison = upgrade.plan()
        assert [change.name for change in comparison.changes] == [
            "mockcloud_group.this.retention_days"
        ]
        assert [u.address for u in comparison.state_upgrades] == ["mockcloud_group.this"]
        assert upgrade.snapshot is not None
        assert '"schema_version": 0' in upgrade.snapshot.read_text(encoding="utf-8")
        assert upgrade.snapshot.stat().st_mode & 0o777 == 0o600
        upgrade.after.destroy()


def test_a_constraint_that_excludes_a_version_is_named_and_overridden_when_asked(
    session: OidcSession, module: Path
) -> None:
    (module / "main.tf").write_text(MODULE % "~> 2.0", encoding="utf-8")
    with session.workspace(module) as workspace, pytest.raises(UpgradeError) as caught:
        started(workspace, "2.0.0..3.0.0")
    assert caught.value.where == f"{module / 'main.tf'}:4"
    assert '"~> 2.0"' in caught.value.cause
    with session.workspace(module) as workspace:
        upgrade = started(workspace, "2.0.0..3.0.0", override=True)
        upgrade.upgrade()
        assert '"= 3.0.0"' in last_override(workspace.path, PINS).read_text(encoding="utf-8")


def test_providers_move_together_and_the_others_stay(
    session: OidcSession, module: Path, tmp_path: Path
) -> None:
    lay_out(tmp_path / "providers", source="acme/mockcloud")
    lay_out(tmp_path / "providers", source="other/mockcloud")
    sources = {"one": "acme/mockcloud", "two": "other/mockcloud", "mockcloud": MOCKCLOUD}
    wanted = {name: {"source": source} for name, source in sources.items()}
    (module / "main.tf").unlink()
    (module / "main.tf.json").write_text(
        json.dumps({"terraform": {"required_providers": wanted}}), encoding="utf-8"
    )
    lock = f'provider "{HOST}/other/mockcloud" {{\n  version = "2.0.0"\n}}\n'
    (module / ".terraform.lock.hcl").write_text(lock, encoding="utf-8")
    step = step_of(f"{MOCKCLOUD}:1.0.0..2.0.0+acme/mockcloud:2.0.0..latest")
    with session.workspace(module) as workspace:
        upgrade = UpgradeStep(workspace, step)
        upgrade.start()
        before = locked_versions(workspace.path / ".terraform.lock.hcl")
        upgrade.upgrade()
        after = locked_versions(workspace.path / ".terraform.lock.hcl")
    assert before == {MOCKCLOUD: "1.0.0", "acme/mockcloud": "2.0.0", "other/mockcloud": "2.0.0"}
    assert after == {MOCKCLOUD: "2.0.0", "acme/mockcloud": "3.0.0", "other/mockcloud": "2.0.0"}


def test_a_provider_that_the_module_does_not_use_is_refused(
    session: OidcSession, module: Path
) -> None:
    with session.workspace(module) as workspace, pytest.raises(UpgradeError) as caught:
        UpgradeStep(workspace, step_of("a/b:1..2")).start()
    assert caught.value.cause == f"It uses: {MOCKCLOUD}."


def test_constraints_that_turn_out_to_go_down_are_refused_unless_asked_for(
    session: OidcSession, module: Path
) -> None:
    with session.workspace(module) as workspace, pytest.raises(UsageError, match="would go down"):
        started(workspace, "latest..~> 1.0")
    with session.workspace(module) as workspace:
        upgrade = started(workspace, "latest..~> 1.0", downgrade=True)
        assert upgrade.old is not None
        assert upgrade.old.versions == {MOCKCLOUD: "3.0.0"}


@pytest.mark.parametrize(("constraint", "words"), [("~> 3.0", "stale"), (">= 1.0", "")])
def test_locked_is_what_the_lock_file_holds_unless_it_is_stale(
    session: OidcSession, module: Path, constraint: str, words: str
) -> None:
    (module / "main.tf").write_text(MODULE % constraint, encoding="utf-8")
    lock = module / ".terraform.lock.hcl"
    text = f'provider "{HOST}/{MOCKCLOUD}" {{\n  version = "2.0.0"\n}}\n'
    lock.write_text(text, encoding="utf-8")
    with session.workspace(module) as workspace:
        if words:
            with pytest.raises(UpgradeError, match=words) as caught:
                started(workspace, "locked..3.0.0")
            assert f"{module / 'main.tf'}:4" in caught.value.cause
        else:
            upgrade = started(workspace, "locked..3.0.0")
            assert upgrade.old is not None
            assert upgrade.old.versions == {MOCKCLOUD: "2.0.0"}
    assert lock.read_text(encoding="utf-8") == text


def test_the_table_reads_well_in_a_terminal_and_as_markdown() -> None:
    rows = [
        UpgradeRow(module="b", step="x/y[1-2]", changes="0", warnings="0", oidc="5 checks"),
        UpgradeRow(module="a|1", step="x/y[1-2]", outcome="passed"),
    ]
    assert terminal_table(rows) == [
        "  module  step      changes  warnings  OIDC      outcome",
        "  a|1     x/y[1-2]  -        -         -         passed",
        "  b       x/y[1-2]  0        0         5 checks  failed",
    ]
    assert markdown_table(rows) == (
        "| module | step | changes | warnings | OIDC | outcome |\n"
        "| --- | --- | ---: | ---: | --- | --- |\n"
        "| a\\|1 | x/y[1-2] | - | - | - | passed |\n"
        "| b | x/y[1-2] | 0 | 0 | 5 checks | failed |\n"
    )
