"""Upgrade steps as pytest items, in pytest runs of their own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_tfoidc.doctor.repository import examine
from pytest_tfoidc.errors import ExecutableError, UsageError
from pytest_tfoidc.terraform.upgrade.releases import find_release
from pytest_tfoidc.terraform.upgrade.suite import upgrade_steps
from tests.providers.providermirror import MOCKCLOUD, cli_config, launcher_of, lay_out, pack

EXAMPLE = Path(__file__).parents[2] / "example_module"
EXECUTABLE = os.environ.get("TFOIDC_TEST_EXECUTABLE")
PROVIDER_MIRROR = os.environ.get("TFOIDC_PROVIDER_MIRROR")
MODULE = """
terraform {
  required_providers {
    mockcloud = {
      source = "tfoidc/mockcloud"
    }
  }
}

resource "mockcloud_group" "this" {
  name        = "rg-test"
  location    = "westeurope"
  legacy_mode = true
}

resource "mockcloud_gateway" "this" {
  name     = "gw-test"
  group    = mockcloud_group.this.name
  location = "westeurope"
  sku      = "Basic"
}
"""
GROUP_ONLY = MODULE[: MODULE.index('resource "mockcloud_gateway"')]
PLANTED = """
-/+ replace mockcloud_gateway.this.sku: "legacy-Basic" -> "Basic"
  ~ update  mockcloud_group.this.retention_days: 7 -> 30
  ! warning mockcloud_group.this.legacy_mode: Argument is deprecated
""".strip("\n").splitlines()
ALLOWED = """
[tool.pytest_tfoidc.upgrades.three]
step = "tfoidc/mockcloud:2.0.0..3.0.0"
modules = ["right"]
allow = [
  "mockcloud_group.this.retention_days",
  "replace:mockcloud_gateway.*",
  { match = "warning:mockcloud_group.this.legacy_mode", reason = "goes in 4.0" },
]
reason = "3.0 is what we want"

[tool.pytest_tfoidc.upgrades.too-many]
step = "tfoidc/mockcloud:2.0.0..3.0.0"
modules = ["wrong"]
allow = ["mockcloud_group.this.*", "mockcloud_group.this.tags", "warning:*"]
reason = "tags are sorted"
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in lay_out(tmp_path / "providers").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def make_module(folder: Path, text: str = MODULE) -> Path:
    folder.mkdir()
    (folder / "main.tf").write_text(text, encoding="utf-8")
    return folder


def run(pytester: pytest.Pytester, *modules: str, options: tuple[str, ...]) -> pytest.RunResult:
    named = [f"--tf-module={module}" for module in modules]
    executable = [f"--tf-executable={EXECUTABLE}"] if EXECUTABLE else []
    plain = ("-p", "no:randomly", "-p", "no:cacheprovider", "--tf-context=mock")
    return pytester.runpytest_subprocess(*plain, *executable, *named, *options)


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def properties_in(report: Path) -> dict[str, str]:
    """Return the properties of the only test case of a JUnit report."""
    (case,) = ET.parse(report).iter("testcase")  # noqa: S314 - pytest has written it
    return {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}


@pytest.mark.proof
@pytest.mark.usefixtures("environment")
def test_the_planted_differences_are_named_and_no_others(pytester: pytest.Pytester) -> None:
    before = content(make_module(pytester.path / "module"))
    step = f"--tf-upgrade={MOCKCLOUD}:2.0.0..3.0.0"
    options = ("--tf-check=none", step, "--tf-upgrade-report=upgrades.md", "--junitxml=junit.xml")
    result = run(pytester, "module", options=options)
    result.assert_outcomes(failed=1)
    properties = properties_in(pytester.path / "junit.xml")
    assert properties["oidc_context"] == "Azure DevOps (stand-in)"
    assert properties["changes"] == "2"
    assert [v for name, v in properties.items() if name.endswith(MOCKCLOUD)] == ["3.0.0"]
    result.stdout.fnmatch_lines([f"*module::upgrade::{MOCKCLOUD}[[]2.0.0-3.0.0]*"])
    marks = ("-/+ ", "  ~ ", "  ! ", "  + ", "  - ", "  x ")
    assert [line for line in result.outlines if line.startswith(marks)] == PLANTED
    table = (pytester.path / "upgrades.md").read_text(encoding="utf-8")
    assert f"| module | {MOCKCLOUD}[2.0.0-3.0.0] | 2 | 1 | - | failed |" in table
    assert content(pytester.path / "module") == before


@pytest.mark.usefixtures("environment")
def test_the_right_allowances_pass_and_one_too_many_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_module(pytester.path / "right")
    make_module(pytester.path / "wrong", GROUP_ONLY)
    pytester.makepyprojecttoml(ALLOWED)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(pytester.path / "output"))
    result = run(pytester, "right", "wrong", options=("--tf-check=none", "-v", "-n2"))
    result.assert_outcomes(passed=1, failed=1)
    name = "changesPresent_{}_tfoidc_mockcloud_2_0_0_3_0_0=true"
    assert (pytester.path / "output").read_text("utf-8").splitlines() == [
        "changesPresent=true",
        *(name.format(module) for module in ("right", "wrong")),
    ]
    result.stdout.fnmatch_lines(
        [
            "*The allowance 'mockcloud_group.this.tags' (tags are sorted) matches nothing*",
            "*right *0 (3 tolerated)*passed*",
            "*wrong *failed*",
        ]
    )


RESTLESS = """
resource "terraform_data" "deploy" {
  input = timestamp()
}
"""
EACH_PLAN = """
[tool.pytest_tfoidc.checks]
allow = ["terraform_data.deploy.*"]
reason = "it is deployed each time"
"""


@pytest.mark.usefixtures("environment")
def test_what_each_plan_changes_says_nothing_about_an_upgrade_where_it_is_allowed(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "providers" / "mirror")
    lay_out(tmp_path / "providers", versions=("2.0.0", "2.1.0"))
    make_module(pytester.path / "module", GROUP_ONLY + RESTLESS)
    options = ("--tf-check=delayed_apply", f"--tf-upgrade={MOCKCLOUD}:2.0.0..2.1.0", "-k=upgrade")
    refused = run(pytester, "module", options=options)
    refused.assert_outcomes(failed=1)
    assert "The plan is not empty before the upgrade" in refused.stdout.str()
    (hint,) = (line for line in refused.outlines if 'terraform_data.deploy.input",' in line)
    assert hint.strip() == '{ match = "terraform_data.deploy.input", reason = "…" },'
    pytester.makepyprojecttoml(EACH_PLAN)
    run(pytester, "module", options=options).assert_outcomes(passed=1)


@pytest.mark.usefixtures("environment")
def test_what_each_plan_changes_hides_no_difference_of_an_upgrade(
    pytester: pytest.Pytester,
) -> None:
    make_module(pytester.path / "module", GROUP_ONLY + RESTLESS)
    pytester.makepyprojecttoml(EACH_PLAN)
    step = f"--tf-upgrade={MOCKCLOUD}:2.0.0..3.0.0"
    result = run(pytester, "module", options=("--tf-check=none", step))
    result.assert_outcomes(failed=1)
    untold = result.stdout.str().partition("\nTolerated:")[0].splitlines()
    assert [line for line in untold if line.startswith(("  ~ ", "  ! "))] == PLANTED[1:]


@pytest.mark.usefixtures("environment")
def test_workers_share_a_provider_that_is_unpacked_once(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "providers" / "mirror")
    lay_out(tmp_path / "providers", versions=("2.0.0", "2.1.0"))
    pack(tmp_path / "providers")
    modules = [make_module(pytester.path / name, GROUP_ONLY).name for name in ("one", "two")]
    step = f"--tf-upgrade={MOCKCLOUD}:2.0.0..2.1.0"
    result = run(pytester, *modules, options=("--tf-check=none", step, "-n2"))
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*one *passed*", "*two *passed*"])
    journal = tmp_path / "cache" / "pytest-tfoidc" / "providers" / "unpacked.txt"
    unpacked = journal.read_text(encoding="utf-8").splitlines()
    assert len(unpacked) == len(set(unpacked)) == 2


@pytest.mark.usefixtures("environment")
def test_the_fixture_gives_a_step_to_drive(pytester: pytest.Pytester) -> None:
    module = make_module(pytester.path / "module", GROUP_ONLY)
    (module / "test_step.py").write_text(
        """
def test_step(tf_upgrade):
    with tf_upgrade("tfoidc/mockcloud", "2.0.0", "3.0.0") as step:
        step.before.apply()
        step.check()
        step.upgrade()
        names = {change.name for change in step.plan().changes}
    assert names == {
        "mockcloud_group.this.retention_days",
        "warning:mockcloud_group.this.legacy_mode",
    }
""",
        encoding="utf-8",
    )
    run(pytester, "module", options=("--tf-check=none",)).assert_outcomes(passed=1)


@pytest.mark.usefixtures("environment")
def test_the_users_folder_is_untouched_by_a_run_that_is_killed(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(make_module(pytester.path / "module", GROUP_ONLY))
    launcher = launcher_of(tmp_path / "providers", version="2.0.0")
    os.mkfifo(started := tmp_path / "started")
    text = launcher.read_text(encoding="utf-8").replace("\n", f"\necho $PPID > '{started}'\n", 1)
    launcher.write_text(text, encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tf-context=mock")
    step = f"--tf-upgrade={MOCKCLOUD}:2.0.0..3.0.0"
    with subprocess.Popen(
        [*command, "--tf-module=module", "--tf-check=none", step],
        cwd=pytester.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        terraform = int(started.read_text(encoding="utf-8"))  # blocks until an apply is at it
        child.kill()
    with contextlib.suppress(ProcessLookupError):  # it was interrupted when its parent died
        os.killpg(terraform, signal.SIGKILL)  # it leads a session of its own
    assert content(pytester.path / "module") == before


@pytest.mark.parametrize(
    "step", ["terraform:1.6.6..1.15.5", "terraform:1.10.5..1.12.2", "terraform:1.10.5..terraform"]
)
@pytest.mark.usefixtures("environment")
def test_the_example_survives_an_upgrade_of_terraform(
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "terraforms"))
    try:
        for wanted in step.removeprefix("terraform:").split(".."):
            find_release(wanted, os.environ)
    except ExecutableError as error:
        pytest.skip(f"{error.what} {error.cause}")
    shutil.copytree(EXAMPLE, pytester.path / "example", ignore=shutil.ignore_patterns("azurerm"))
    options = ("--tf-check=delayed_apply", f"--tf-upgrade={step}", "-k", "upgrade")
    result = run(pytester, "example", options=options)
    result.assert_outcomes(passed=1, deselected=result.parseoutcomes()["deselected"])
    row = "*example *0 *0 *1 check, run blocks*passed*"
    gained = "*note: terraform * refreshes ID tokens on Azure DevOps by itself*"
    result.stdout.fnmatch_lines([row, gained])


@pytest.mark.skipif(not PROVIDER_MIRROR, reason="TFOIDC_PROVIDER_MIRROR names no mirror of azurerm")
def test_the_azurerm_example_plans_empty_after_an_upgrade(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(str(PROVIDER_MIRROR)) / "registry.terraform.io" / "hashicorp" / "azurerm"
    if missing := [v for v in ("4.16.0", "5.2.0") if not next(place.rglob(f"*{v}*"), None)]:
        pytest.skip(f"the mirror lacks azurerm {' and '.join(missing)}")
    (tmp_path / "mirror").symlink_to(Path(str(PROVIDER_MIRROR)).absolute())
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(cli_config(tmp_path)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(EXAMPLE / "azurerm", pytester.path / "azurerm")
    step = "--tf-upgrade=hashicorp/azurerm:4.16.0..5.2.0"
    options = ("--tf-check=delayed_apply", step, "--tf-upgrade-override", "-k", "upgrade")
    result = run(pytester, "azurerm", options=options)
    result.stdout.fnmatch_lines(["*azurerm *0 *passed*"])


def test_the_suite_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    text = (EXAMPLE.parent / "docs" / "upgrades.md").read_text(encoding="utf-8")
    toml = text.partition("```toml\n")[2].partition("```")[0]
    (pyproject := tmp_path / "pyproject.toml").write_text(toml, encoding="utf-8")
    steps = upgrade_steps((), pyproject=pyproject, downgrade=False, override=False)
    assert [step.name for step in steps] == [
        "hashicorp/azurerm[4.16.0-5.2.0]",
        "terraform[1.10.5-1.15.5]",
        "terraform[1.6.6-1.15.5]",
    ]
    given = ("hashicorp/azurerm:4.16.0..5.2.0", "a/b:1..2")
    chosen = upgrade_steps(given, pyproject=pyproject, downgrade=False, override=False)
    assert [len(step.allowances) for step in chosen] == [2, 0]


def test_the_doctor_names_kept_steps_that_cross_a_floor(tmp_path: Path) -> None:
    table = "[tool.pytest_tfoidc.upgrades.x]\nstep = {}\n"
    steps = '["hashicorp/azurerm:4.16.0..5.2.0", "hashicorp/azurerm:5.0.0..5.2.0"]'
    (tmp_path / "pyproject.toml").write_text(table.format(steps), encoding="utf-8")
    found = [f for f in examine(tmp_path, environment={}).findings if f.id == "TFO205"]
    assert [f.what.partition(":")[0] for f in found] == ["hashicorp/azurerm[4.16.0-5.2.0]"]
    assert "from 4.18.0 on" in found[0].what


def test_a_step_without_a_module_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, options=("--tf-upgrade=a/b:1..2",))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*There is no module to upgrade*"])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('step = "azurerm"', "no upgrade step"),
        ("steps = []", "cannot be read"),
        ("step = 5", "cannot be read"),
        ('step = "a/b:1..2"\nallow = [1]', "cannot be read"),
        ('step = "a/b:1..2"\nmodules = 1', "cannot be read"),
        ('step = "a/b:1..2"\nallow = ["a.b.c"]', "'a.b.c' has no reason"),
        ('step = "a/b:1..2"\nallow = [{ match = "a", reason = "" }]', "has no reason"),
        ('step = "a/b:1..2"\nallow = [{ match = 1, reason = "x" }]', "has no text to match"),
        ("= 1", "pyproject.toml cannot be read"),
    ],
)
def test_a_suite_that_cannot_be_used_is_refused_with_its_place(
    tmp_path: Path, entry: str, words: str
) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(f"[tool.pytest_tfoidc.upgrades.x]\n{entry}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        upgrade_steps((), pyproject=pyproject, downgrade=False, override=False)
    assert str(pyproject) in caught.value.where


def test_a_suite_that_cannot_be_used_ends_pytest_with_one_message(
    pytester: pytest.Pytester,
) -> None:
    make_module(pytester.path / "module")
    pytester.makepyprojecttoml('[tool.pytest_tfoidc.upgrades.x]\nstep = "azurerm"')
    result = run(pytester, "module", options=())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no upgrade step*"])
