"""A CLI configuration whose relative paths mean what they mean where the user started."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pytest_tfoidc.terraform.cliconfig import VARIABLES, with_absolute_paths_inside


def changed(tmp_path: Path, text: str, variable: str = VARIABLES[0]) -> str:
    """Return what Terraform reads in a configuration's place."""
    file = tmp_path / "own.tfrc"
    file.write_text(text, encoding="utf-8")
    removed: list[Path] = []
    try:
        started = Path("/srv/infra")
        found = with_absolute_paths_inside({variable: str(file)}, started, remove=removed.append)
        read = Path(found[variable])
        if removed:
            assert removed == [read]
            assert stat.S_IMODE(read.stat().st_mode) == 0o600
        else:
            assert read == file
        return read.read_text(encoding="utf-8")
    finally:
        for copy in removed:
            copy.unlink()


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('plugin_cache_dir = "./cache"', 'plugin_cache_dir = "/srv/infra/cache"'),
        ('plugin_cache_dir="cache"', 'plugin_cache_dir="/srv/infra/cache"'),
        ('filesystem_mirror {\n path = "../m"\n}', 'filesystem_mirror {\n path = "/srv/m"\n}'),
        (
            'dev_overrides {\n  "hashicorp/azurerm" = "bin"\n}',
            'dev_overrides {\n  "hashicorp/azurerm" = "/srv/infra/bin"\n}',
        ),
        ('{"plugin_cache_dir": "a b"}', '{"plugin_cache_dir": "/srv/infra/a b"}'),
        ('{"path": "m\\u00e9"}', '{"path": "/srv/infra/mé"}'),
    ],
)
def test_a_relative_path_becomes_an_absolute_one(
    tmp_path: Path, variable: str, text: str, meant: str
) -> None:
    assert changed(tmp_path, text, variable) == meant


@pytest.mark.parametrize(
    "text",
    [
        'plugin_cache_dir = "/var/cache"',
        'plugin_cache_dir = "$HOME/cache"',
        'plugin_cache_dir = ""',
        'credentials "app.terraform.io" {\n  token = "./x"\n}',
        'network_mirror {\n  url = "https://example.org/m/"\n}',
        'include = ["example.org/*/*"]',
        'path = "\\q"',
    ],
)
def test_everything_else_stays_and_the_file_is_the_users_own(tmp_path: Path, text: str) -> None:
    assert changed(tmp_path, text) == text


def test_a_file_that_cannot_be_read_is_left_to_terraform(tmp_path: Path) -> None:
    given = {"TF_CLI_CONFIG_FILE": str(tmp_path / "missing"), "OTHER": "x"}
    assert with_absolute_paths_inside(given, tmp_path, remove=Path.unlink) == given
