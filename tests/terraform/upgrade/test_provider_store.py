from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_tfoidc.terraform.executable import find_executable
from pytest_tfoidc.terraform.upgrade.provider_store import (
    ProviderStore,
    UpgradeError,
    locked_versions,
)
from tests.providers.providermirror import (
    HOST,
    MOCKCLOUD,
    cli_config,
    launcher_of,
    lay_out,
    pack,
    target,
)


def make_store(folder: Path, environment: dict[str, str]) -> ProviderStore:
    outer = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    outer |= {**environment, "CHECKPOINT_DISABLE": "1"}
    executable = find_executable(os.environ.get("TFOIDC_TEST_EXECUTABLE"), outer)
    return ProviderStore(folder=folder, executable=executable, environment=outer)


def laid_out_packed(folder: Path, *, platform: str = "") -> dict[str, str]:
    environment = lay_out(folder, versions=("1.0.0", "2.0.0"))
    pack(folder, platform=platform)
    return environment


def test_a_packed_provider_is_unpacked_once_by_however_many_ask(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", laid_out_packed(tmp_path / "packed"))
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: store.provide(MOCKCLOUD, "2.0.0"), range(4)))
    assert versions == ["2.0.0"] * 4
    journal = (store.folder / "unpacked.txt").read_text(encoding="utf-8").splitlines()
    assert journal == [f"{HOST}/{MOCKCLOUD}/2.0.0/{target()}"]
    (executable,) = (store.mirror / journal[0]).iterdir()
    assert executable.stat().st_mode & 0o777 == 0o555


def test_an_unpacked_mirror_is_linked_to_and_a_constraint_takes_the_newest(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", lay_out(tmp_path / "mirror"))
    assert store.provide(MOCKCLOUD, "~> 2.0") == "2.0.0"
    assert store.provide(MOCKCLOUD, "") == "3.0.0"
    link = store.mirror / HOST / MOCKCLOUD / "3.0.0" / target()
    assert link.resolve() == launcher_of(tmp_path / "mirror", version="3.0.0").parent
    assert not (store.folder / "unpacked.txt").exists()


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", lay_out(tmp_path / "mirror"))
    with pytest.raises(UpgradeError, match="not to be had") as caught:
        store.provide(MOCKCLOUD, "4.0.0")
    assert caught.value.cause == "There are: 1.0.0, 2.0.0, 3.0.0."


def test_a_mirror_without_this_platform_is_named(tmp_path: Path) -> None:
    store = make_store(
        tmp_path / "store", laid_out_packed(tmp_path / "packed", platform="solaris_sparc")
    )
    with pytest.raises(UpgradeError, match=f"not there for {target()}") as caught:
        store.provide(MOCKCLOUD, "2.0.0")
    assert caught.value.where == str(tmp_path / "packed" / "mirror")
    assert "solaris_sparc" in caught.value.cause


def test_what_terraform_says_is_the_cause_where_there_is_no_mirror_of_it(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    store = make_store(tmp_path / "store", {"TF_CLI_CONFIG_FILE": str(cli_config(tmp_path))})
    with pytest.raises(UpgradeError, match="not to be had") as caught:
        store.provide(MOCKCLOUD, "2.0.0")
    assert MOCKCLOUD in caught.value.cause


def test_the_lock_file_says_which_versions_it_holds(tmp_path: Path) -> None:
    lock = tmp_path / ".terraform.lock.hcl"
    assert locked_versions(lock) == {}
    lock.write_text(
        f'provider "{HOST}/{MOCKCLOUD}" {{\n  version = "2.0.0"\n}}\n'
        'provider "example.com/a/b" {\n  version = "1.2.3"\n}\n',
        encoding="utf-8",
    )
    assert locked_versions(lock) == {MOCKCLOUD: "2.0.0", "example.com/a/b": "1.2.3"}
