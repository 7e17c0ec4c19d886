"""Real providers, unmodified, against the stand-in: apply, empty plan, delay, change, destroy.

They come from the filesystem mirror that `TFOIDC_PROVIDER_MIRROR` names, laid out as Terraform's
`providers mirror` does it; without it, or where it lacks a provider, its test is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc.events import ExchangeRefused
from pytest_tfoidc.session import OidcSession, SessionOptions

MODULES = Path(__file__).parents[1] / "modules"
EXAMPLE = Path(__file__).parents[2] / "example_module"
MIRROR = "TFOIDC_PROVIDER_MIRROR"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[OidcSession]:
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(
        "provider_installation {\n"
        f'  filesystem_mirror {{\n    path = "{os.environ[MIRROR]}"\n  }}\n}}\n'
    )
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(configuration)}
    executable = os.environ.get("TFOIDC_TEST_EXECUTABLE")
    options = SessionOptions(context="mock", executable=executable, environment=environment)
    with OidcSession(options) as session:
        yield session


def has(provider: str) -> bool:
    mirror = os.environ.get(MIRROR)
    return bool(mirror) and (Path(str(mirror)) / "registry.terraform.io" / provider).is_dir()


def has_version(provider: str, major: int) -> bool:
    """Tell whether the mirror has a provider of a major version or a newer one."""
    folder = Path(str(os.environ.get(MIRROR))) / "registry.terraform.io" / provider
    return has(provider) and any(
        int(found.name.partition(".")[0]) >= major
        for found in folder.glob("[0-9]*.*")
        if found.is_dir()
    )


def needs(provider: str, module: Path, *more: str, major: int = 0) -> object:
    """Make a case of a provider that may be there, in a major version or a newer one."""
    reason = f"{MIRROR} names no mirror with {provider} {major or ''}".rstrip()
    mark = pytest.mark.skipif(not has_version(provider, major), reason=reason)
    return pytest.param(module, *more, marks=mark, id=module.name)


@pytest.mark.parametrize(
    ("module", "change"),
    [
        needs("hashicorp/azurerm", EXAMPLE / "azurerm", "workload=other"),
        needs("hashicorp/azurerm", MODULES / "real_azurerm", "owner=second"),
        needs("hashicorp/azurerm", MODULES / "real_azurerm_5", "owner=second", major=5),
        needs("azure/azapi", MODULES / "real_azapi", "owner=second"),
        needs("hashicorp/azuread", MODULES / "real_azuread", "owner=second"),
        needs("microsoft/azuredevops", MODULES / "real_azuredevops", "owner=second"),
    ],
)
def test_a_module_is_applied_changed_and_destroyed_across_delays(
    session: OidcSession, module: Path, change: str
) -> None:
    with session.isolated(), session.workspace(module) as workspace:
        workspace.init()
        plan = workspace.plan()
        session.oidc_clock.delay("30m")
        workspace.apply(plan)
        assert not workspace.plan(out="after").has_changes
        session.oidc_clock.delay("2h")
        name, _, value = change.partition("=")
        changed = workspace.plan(out="changed", variables={name: value})
        assert changed.has_changes
        workspace.apply(changed)
        session.oidc_clock.delay("2h")
        workspace.destroy()

    assert session.events.of(ExchangeRefused) == ()


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        needs("hashicorp/azurerm", EXAMPLE / "azurerm", "Microsoft.Network/virtualNetworks"),
        needs("azure/azapi", MODULES / "real_azapi", "Microsoft.Resources/resourceGroups"),
    ],
)
def test_operations_of_two_hours_are_survived_in_seconds(
    session: OidcSession, module: Path, slow: str
) -> None:
    assert session.mock is not None
    with session.isolated(), session.workspace(module) as workspace:
        session.mock.resource_manager.takes(slow, "2h")
        workspace.init()
        workspace.apply(workspace.plan())
        applied = session.clock.offset
        workspace.destroy()

        assert timedelta(minutes=119) < applied < timedelta(minutes=125)
        assert session.clock.offset - applied > timedelta(minutes=119)
    assert session.events.of(ExchangeRefused) == ()
