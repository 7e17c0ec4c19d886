"""A whole platform with the real azurerm: the five checks, and an upgrade of the provider.

The provider comes from the filesystem mirror that `TFOIDC_PROVIDER_MIRROR` names; without it, or
where it lacks a version, these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.providers.providermirror import cli_config

PLATFORM = Path(__file__).parents[1] / "modules" / "real_platform"
MIRROR = os.environ.get("TFOIDC_PROVIDER_MIRROR")
EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
ONLY_5 = "azurerm5.tf"  # what azurerm 4 spells otherwise, or makes slowly
CLUSTER = "cluster.tf"
BEFORE_5 = {  # what stands in it -> what azurerm 4 wants there instead
    "rbac_authorization_enabled": "enable_rbac_authorization ",
    """
  node_provisioning_profile {
    mode = "Manual"
  }
""": "",
}
UPGRADE = """
def test_upgrade(tf_upgrade):
    with tf_upgrade("hashicorp/azurerm", "4.16.0", "5.2.0") as step:
        step.before.apply()
        step.check()
        (step.after.path / "cluster5.txt").replace(step.after.path / "cluster.tf")
        step.upgrade()
        found = step.plan().changes
        step.after.destroy()
    assert found == []
"""
CHECKS = 5

pytestmark = pytest.mark.skipif(
    not MIRROR, reason="TFOIDC_PROVIDER_MIRROR names no mirror of azurerm"
)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mirror, as the only source of providers."""
    found = Path(str(MIRROR)).absolute()
    (tmp_path / "mirror").symlink_to(found)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(cli_config(tmp_path)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


def needs(mirror: Path, *versions: str) -> None:
    place = mirror / "registry.terraform.io" / "hashicorp" / "azurerm"
    if missing := [v for v in versions if not next(place.rglob(f"*{v}*"), None)]:
        pytest.skip(f"the mirror lacks azurerm {' and '.join(missing)}")


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    executable = [f"--tf-executable={EXECUTABLE}"] if EXECUTABLE else []
    plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "--tf-context=mock")
    return pytester.runpytest_subprocess(*plain, *executable, "--tf-module=platform", *options)


def test_the_platform_survives_the_five_checks(pytester: pytest.Pytester, mirror: Path) -> None:
    needs(mirror, "5.2.0")
    shutil.copytree(PLATFORM, pytester.path / "platform")
    run(pytester).assert_outcomes(passed=CHECKS)


def test_the_platform_plans_empty_after_an_upgrade(pytester: pytest.Pytester, mirror: Path) -> None:
    needs(mirror, "4.16.0", "5.2.0")
    only = shutil.ignore_patterns(ONLY_5, CLUSTER)
    shutil.copytree(PLATFORM, pytester.path / "platform", ignore=only)
    step = "--tf-upgrade=hashicorp/azurerm:4.16.0..5.2.0"
    result = run(pytester, "--tf-check=delayed_apply", step, "--tf-upgrade-override", "-k=upgrade")
    result.stdout.fnmatch_lines(["*platform *0 *passed*"])


def test_the_vault_and_the_cluster_plan_empty_once_they_are_spelled_anew(
    pytester: pytest.Pytester, mirror: Path
) -> None:
    """Azurerm 5 wants of both what azurerm 4 does not know, so their files change in between."""
    needs(mirror, "4.16.0", "5.2.0")
    module = pytester.path / "platform"
    shutil.copytree(PLATFORM, module, ignore=shutil.ignore_patterns(ONLY_5))
    text = (module / CLUSTER).read_text(encoding="utf-8")
    (module / "cluster5.txt").write_text(text, encoding="utf-8")
    for five, four in BEFORE_5.items():
        assert five in text
        text = text.replace(five, four)
    (module / CLUSTER).write_text(text, encoding="utf-8")
    (module / "test_it.py").write_text(UPGRADE, encoding="utf-8")
    run(pytester, "--tf-check=none").assert_outcomes(passed=1)
