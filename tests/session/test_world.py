"""A world like the user's: who is named, and what exists beforehand, with real Terraform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project_kit import MODULES, Project, text_of

pytest.importorskip("tf", reason="the provider needs Python 3.11")

from tests.providers.providermirror import MOCKCLOUD, cli_config, lay_out

CONNECTION = "d0000000-0000-4000-8000-000000000001"
APPLY = (
    "--tf-apply-as=client=b0000000-0000-4000-8000-000000000002",
    "--tf-apply-as=connection=d0000000-0000-4000-8000-000000000002",
)
EXISTING = ("--tf-existing=shared.json", "--tf-existing=hub_and_spoke_network")
LONG = 1200  # seconds: four provider processes for each of Terraform's twenty commands
CHECKS = 5
RUNS = 2
SMALL_READ = """
terraform {
  required_providers {
    mockcloud = { source = "tfoidc/mockcloud" }
  }
}
provider "mockcloud" {
  subscription_id = "99999999-8888-7777-6666-555555555555"
}
data "mockcloud_group" "hub" {
  name = "rg-hub"
}
output "where" {
  value = data.mockcloud_group.hub.location
}
"""


@pytest.fixture
def hub(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project with the hub-and-spoke modules and the provider that they want."""
    mirror = tmp_path_factory.mktemp("providers")
    for name, value in lay_out(mirror, versions=("2.0.0", "3.0.0")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(mirror / "cache"))
    project.copy("hub_and_spoke")
    project.copy("hub_and_spoke_network")
    shared = (MODULES / "hub_and_spoke_shared.json").read_text(encoding="utf-8")
    (project.path / "shared.json").write_text(shared, encoding="utf-8")
    return project


def test_a_hub_and_spoke_passes_every_check_and_run_block(hub: Project) -> None:
    result = hub.run("--tf-module=hub_and_spoke", *EXISTING, *APPLY, timeout=LONG)
    result.assert_outcomes(passed=CHECKS + RUNS)
    assert "used         3 subscriptions, 2 identities" in text_of(result)


@pytest.mark.slow
def test_a_hub_and_spoke_survives_an_upgrade(hub: Project) -> None:
    step = f"--tf-upgrade={MOCKCLOUD}:2.0.0..3.0.0"
    arguments = (*EXISTING, *APPLY, step, "--tf-check=delayed_apply", "-k", "upgrade")
    result = hub.run("--tf-module=hub_and_spoke", *arguments, timeout=LONG)
    result.assert_outcomes(passed=1, deselected=RUNS + 1)


@pytest.mark.slow
def test_a_hub_and_spoke_is_rehearsed(hub: Project) -> None:
    rehearsal = ["--pipeline=azure-devops", "--id-token-lifetime=60s"]
    existing = [text.replace("--tf-existing", "--existing") for text in EXISTING]
    pytest_ = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "mock", *rehearsal, *existing, "--"]
    chosen = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    terraform = [f"--tf-executable={chosen}"] if chosen else []
    step = ["--tf-module=hub_and_spoke", *EXISTING, *APPLY, *terraform]
    done = subprocess.run(
        [*command, *pytest_, *step],
        cwd=hub.path,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{RUNS + 2} passed, 3 skipped" in done.stdout  # what needs a movable clock is skipped


def test_without_what_exists_the_failure_says_so_and_a_draft_is_written(hub: Project) -> None:
    arguments = ("--tf-check=delayed_apply", "--tf-existing-draft=draft.json")
    result = hub.run("--tf-module=hub_and_spoke", *arguments)
    text = text_of(result)
    reads = "`data.mockcloud_group.shared` reads rg-shared, which does not exist on the stand-in."
    assert reads in text
    assert text.index(reads) < text.index("`terraform plan` failed")
    result.stdout.re_match_lines(
        [r"rg-(hub|shared) does not exist .*, and 1 more \(main.tf:\d+\)$"]
    )
    assert "`data.mockcloud_group.hub` reads rg-hub" in text
    draft = json.loads((hub.path / "draft.json").read_text(encoding="utf-8"))
    names = {entry["id"].rpartition("/")[2] for entry in draft}
    assert names == {"rg-shared", "rg-hub"}
    again = hub.run("--tf-module=hub_and_spoke", "--tf-existing=draft.json", arguments[0])
    missing = (
        "`data.terraform_remote_state.network` reads the state tfstate/network.tfstate of"
        " stnetworkstate, which does not exist on the stand-in."
    )
    assert missing in text_of(again)


def test_run_blocks_say_what_is_missing_in_their_first_line(hub: Project) -> None:
    hub.module("small", main=SMALL_READ, files={"tests/a.tftest.hcl": 'run "reads" {}\n'})
    result = hub.run("--tf-module=small", "--tf-check=none")
    result.assert_outcomes(errors=1)
    line = "E   rg-hub does not exist on the stand-in (main.tf:10)"
    assert "`data.mockcloud_group.hub` reads rg-hub, which does not exist" in text_of(result)
    first = next(text for text in result.outlines if text.startswith("E "))
    assert first == line


CONFTEST = """
import pytest

HUB = "/subscriptions/99999999-8888-7777-6666-555555555555/resourceGroups/rg-hub"
{decorator}
def tf_existing(mock_issuer):
    mock_issuer.resource_manager.add(HUB, {{"location": "northeurope"}})
"""


def test_a_function_of_a_conftest_counts_for_checks_and_run_blocks(hub: Project) -> None:
    files = {
        "tests/a.tftest.hcl": 'run "reads" {}\n',
        "conftest.py": CONFTEST.format(decorator=""),
        "test_own.py": "def test_own(tf_module):\n    with tf_module.deployed():\n"
        "        assert tf_module.output('where') == 'northeurope'\n",
    }
    hub.module("small", main=SMALL_READ, files=files)
    hub.module("beside", main=SMALL_READ)
    result = hub.run(
        "--tf-module=small", "--tf-module=beside", "--tf-check=no_cached_credentials", "-v"
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["beside::oidc::no_cached_credentials FAILED*"])


def test_the_function_of_a_conftest_may_be_a_fixture(hub: Project) -> None:
    fixture = CONFTEST.format(decorator="@pytest.fixture(scope='session')")
    hub.module("small", main=SMALL_READ, files={"conftest.py": fixture})
    hub.run("--tf-module=small", "--tf-check=no_cached_credentials").assert_outcomes(passed=1)


def test_a_set_up_module_that_fails_is_told_once_and_nothing_is_run(hub: Project) -> None:
    hub.module("setup", main='output "x" {\n  value = file("missing.txt")\n}\n')
    result = hub.run("--tf-module=hub_and_spoke", "--tf-existing=setup")
    text = text_of(result)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert text.count("What exists beforehand cannot be set up") == 1
    assert "missing.txt" in text
    assert "collected" not in text
    assert "Traceback" not in text


TAKES_A_ZONE = """
variable "zone" { type = string }
output "zone" { value = var.zone }
"""
READS_IT = """
terraform {
  backend "azurerm" {}
}
data "terraform_remote_state" "network" {
  backend = "azurerm"
  config = {
    storage_account_name = "tfoidcstandin"
    container_name       = "tfstate"
    key                  = "setup.tfstate"
    use_azuread_auth     = true
  }
}
resource "terraform_data" "zone" { input = data.terraform_remote_state.network.outputs.zone }
"""


def test_a_set_up_module_is_given_its_variables(project: Project) -> None:
    files = {"../setup/main.tf": TAKES_A_ZONE, "../prod.tfvars": 'zone = "example.org"\n'}
    project.module(main=READS_IT, files=files)
    refused = project.check("none", "--tf-existing=setup")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert "Give it values: PATH,var-file=FILE" in text_of(refused)
    missing = project.check("none", "--tf-existing=setup,var-file=test.tfvars")
    assert f"{project.path / 'test.tfvars'} is not there" in text_of(missing)
    given = project.check("delayed_apply", "--tf-existing=setup,var-file=prod.tfvars")
    given.assert_outcomes(passed=1)


def test_a_set_up_modules_backend_is_configured_by_a_file(project: Project) -> None:
    main = 'terraform {\n  backend "azurerm" {}\n}\noutput "zone" { value = "z" }\n'
    given = 'container_name = "hub"\nkey = "network.tfstate"\n'
    files = {"../setup/main.tf": main, "../hub.tfbackend": given}
    reads = READS_IT.replace('"tfstate"', '"hub"').replace("setup.tfstate", "network.tfstate")
    project.module(main=reads, files=files)
    missing = project.check("none", "--tf-existing=setup,backend-config=none.tfbackend")
    assert f"{project.path / 'none.tfbackend'} is not there" in text_of(missing)
    given_one = project.check("delayed_apply", "--tf-existing=setup,backend-config=hub.tfbackend")
    given_one.assert_outcomes(passed=1)


def test_set_up_modules_whose_backend_is_replaced_have_a_state_each(project: Project) -> None:
    cloud = 'terraform {\n  cloud {\n    organization = "contoso"\n  }\n}\n'
    files = {
        f"../{name}/main.tf": f'{cloud}output "zone" {{ value = "{name}" }}\n' for name in "ab"
    }
    reads = READS_IT.replace("setup.tfstate", "a.tfstate")
    project.module(main=reads, files=files)
    result = project.check("delayed_apply", "--tf-existing=a", "--tf-existing=b")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.json", '[{"id": ', "bad.json"),
        ("bad.yaml", "a: [", "bad.yaml"),
        (
            "kind.json",
            '{"type": "Microsoft.Banana/things", "name": "x"}',
            "Microsoft.Banana/things",
        ),
        ("plain.txt", "x", "neither a module nor a file"),
        ("missing.json", None, "is not there"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_usage_error(
    project: Project, name: str, content: str | None, said: str
) -> None:
    project.module()
    if content is not None:
        (project.path / name).write_text(content, encoding="utf-8")
    result = project.run("--tf-module=module", f"--tf-existing={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in text_of(result)
    assert "Traceback" not in text_of(result)


STRICT = """
terraform {
  required_providers {
    mockcloud = { source = "tfoidc/mockcloud" }
  }
}
provider "mockcloud" {
  subscription_id = "99999999-8888-7777-6666-555555555555"
}
resource "mockcloud_group" "this" {
  name           = "rg-shop"
  location       = "westeurope"
  retention_days = 30
}
"""


def test_strict_identities_fail_what_is_not_listed(hub: Project) -> None:
    hub.module("strict", main=STRICT)
    arguments = ("--tf-module=strict", "--tf-check=delayed_apply", "--tf-strict-identities")
    refused = hub.run(*arguments)
    refused.assert_outcomes(failed=1)
    assert "SubscriptionNotFound" in text_of(refused)
    assert "--tf-identity" in text_of(refused)
    listed = "--tf-identity=subscription=99999999-8888-7777-6666-555555555555"
    hub.run(*arguments, listed).assert_outcomes(passed=1)


def test_the_users_own_ids_are_used(hub: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {
        "ARM_TENANT_ID": "a0000000-0000-4000-8000-000000000009",
        "ARM_CLIENT_ID": "b0000000-0000-4000-8000-000000000009",
        "ARM_SUBSCRIPTION_ID": "c0000000-0000-4000-8000-000000000009",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    test = (
        "def test_own(arm_env, oidc_context):\n"
        f"    assert {{n: arm_env[n] for n in {sorted(own)}}} == {own}\n"
        f"    assert oidc_context.client_id == {own['ARM_CLIENT_ID']!r}\n"
    )
    hub.module("own", main="", files={"test_own.py": test})
    hub.run("own").assert_outcomes(passed=1)
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "production")
    wrong = hub.run("own")
    assert "ARM_SUBSCRIPTION_ID names no subscription" in text_of(wrong)


CLI_BACKEND = """
terraform {
  backend "azurerm" {
    resource_group_name  = "rg-tfstate"
    storage_account_name = "stshopstate"
    container_name       = "tfstate"
    key                  = "app.tfstate"
    use_cli              = true
    use_azuread_auth     = %s
    client_id            = "b0000000-0000-4000-8000-000000000007"
    subscription_id      = "99999999-8888-7777-6666-555555555555"
    tenant_id            = "%s"
  }
}
resource "terraform_data" "a" { input = 1 }
"""


@pytest.mark.parametrize("tenant", ["aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "contoso.example"])
@pytest.mark.parametrize("azuread", ["true", "false"])
def test_a_backend_block_may_name_who_signs_in_where(
    project: Project, tenant: str, azuread: str
) -> None:
    project.module(main=CLI_BACKEND % (azuread, tenant))
    project.check("delayed_apply").assert_outcomes(passed=1)


def test_a_command_of_the_stand_ins_has_what_exists(hub: Project) -> None:
    script = "import os,subprocess,sys;print(os.environ['ARM_SUBSCRIPTION_ID'])"
    command = [sys.executable, "-m", "pytest_tfoidc.cli", "mock", "--state", "state.json"]
    existing = [text.replace("--tf-existing", "--existing") for text in EXISTING]
    done = subprocess.run(
        [*command, *existing, "--", sys.executable, "-c", script],
        cwd=hub.path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    state = (hub.path / "state.json").read_text(encoding="utf-8")
    assert "vnet-hub" in state
    assert "rg-shared" in state


REMOTE_STATE = """
terraform {
  backend "azurerm" {
    storage_account_name = "stshopstate"
    container_name       = "tfstate"
    key                  = "app.tfstate"
  }
}
data "terraform_remote_state" "network" {
  backend = "azurerm"
  config = {
    storage_account_name = "stshopstate"
    container_name       = "tfstate"
    key                  = "network.tfstate"
    use_azuread_auth     = true
  }
}
resource "terraform_data" "a" {
  input = data.terraform_remote_state.network.outputs.subnet_id
}
"""


def test_a_neighbours_state_is_named_where_it_is_missing_and_may_be_put_there(
    project: Project,
) -> None:
    project.module(main=REMOTE_STATE)
    without = project.check("delayed_apply", "--tf-existing-draft=draft.yaml")
    missing = (
        "the state tfstate/network.tfstate of stshopstate does not exist on the stand-in"
        " (main.tf:19)"
    )
    shown = without.outlines
    assert shown[shown.index(next(x for x in shown if "delayed_apply ___" in x)) + 1] == missing
    project.check("delayed_apply", "--tf-existing=draft.yaml").assert_outcomes(passed=1)
    project.module("network", main='output "subnet_id" {\n  value = "snet"\n}\n')
    neighbour = "--tf-existing=network,storage_account_name=stshopstate"
    project.check("delayed_apply", neighbour).assert_outcomes(passed=1)


PROVIDER_MIRROR = os.environ.get("TFOIDC_PROVIDER_MIRROR")
AZURERM = """
terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
  backend "azurerm" {}
}
provider "azurerm" {
  features {}
  subscription_id                 = "99999999-8888-7777-6666-555555555555"
  resource_provider_registrations = "none"
}
data "azurerm_resource_group" "hub" {
  name = "rg-hub"
}
resource "azurerm_resource_group" "this" {
  name     = "rg-shop"
  location = data.azurerm_resource_group.hub.location
}
"""
HUB_GROUP = {
    "id": "/subscriptions/99999999-8888-7777-6666-555555555555/resourceGroups/rg-hub",
    "location": "westeurope",
    "name": "rg-hub",
    "properties": {"provisioningState": "Succeeded"},
}


@pytest.mark.skipif(not PROVIDER_MIRROR, reason="TFOIDC_PROVIDER_MIRROR names no mirror of azurerm")
def test_azurerm_reads_what_exists_in_the_subscription_that_it_names(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("providers")
    (folder / "mirror").symlink_to(Path(str(PROVIDER_MIRROR)).absolute())
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(cli_config(folder)))
    project.module(main=AZURERM)
    without = project.check("delayed_apply", "--tf-existing-draft=draft.json")
    line = "`data.azurerm_resource_group.hub` reads rg-hub, which does not exist on the stand-in."
    assert line in text_of(without)
    draft = json.loads((project.path / "draft.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in draft] == [HUB_GROUP["id"]]
    (project.path / "hub.json").write_text(json.dumps(HUB_GROUP), encoding="utf-8")
    project.check("delayed_apply", "--tf-existing=hub.json").assert_outcomes(passed=1)
