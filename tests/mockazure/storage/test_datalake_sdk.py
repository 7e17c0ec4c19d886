"""Microsoft's client of Data Lake talks to the stand-in through its proxy."""

# ruff: noqa: ANN401 - the package has no types where it is not installed

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

lake: Any = pytest.importorskip("azure.storage.filedatalake", reason="not installed")

from azure.core.exceptions import (  # noqa: E402 - after the check that it is there
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.mockazure.vaultkit import World  # noqa: E402 - the same

ACCOUNT = "acct"
URL = f"https://{ACCOUNT}.dfs.core.windows.net"


@pytest.fixture(params=["bearer", "key"])
def service(here: World, request: pytest.FixtureRequest) -> Iterator[Any]:
    options = here.me.options()
    if request.param == "key":
        options["credential"] = here.azure.mock.blobs.key_for(ACCOUNT)
    with lake.DataLakeServiceClient(URL, **options) as client:
        yield client


@pytest.fixture
def system(service: Any) -> Any:
    return service.create_file_system("lake")


def test_a_file_is_written_read_listed_and_deleted(system: Any) -> None:
    body = os.urandom(300_000)
    file = system.get_file_client("raw/2024/a.bin")
    file.upload_data(body, overwrite=True, chunk_size=100_000)
    assert file.download_file().readall() == body
    assert file.download_file(offset=10, length=5).readall() == body[10:15]
    paths = {p.name: p.is_directory for p in system.get_paths()}
    assert paths == {"raw": True, "raw/2024": True, "raw/2024/a.bin": False}
    assert [p.name for p in system.get_paths(recursive=False)] == ["raw"]
    assert [p.name for p in system.get_paths(path="raw/2024")] == ["raw/2024/a.bin"]
    assert file.get_file_properties().size == len(body)
    file.delete_file()
    with pytest.raises(ResourceNotFoundError):
        file.get_file_properties()


def test_a_directory_is_made_renamed_and_deleted_with_all_in_it(system: Any) -> None:
    directory = system.create_directory("a/b", metadata={"m": "1"})
    assert directory.get_directory_properties().metadata["m"] == "1"
    directory.create_file("f").append_data(b"x", 0, flush=True)
    moved = directory.rename_directory("lake/c")
    assert moved.get_file_client("f").download_file().readall() == b"x"
    assert not system.get_directory_client("a/b").exists()
    with pytest.raises(HttpResponseError) as full:
        system.get_file_client("c/f/g").create_file()
    assert full.value.status_code == 409
    moved.delete_directory()
    assert {p.name for p in system.get_paths()} == {"a"}


def test_access_control_is_kept(system: Any) -> None:
    directory = system.create_directory("a")
    system.get_file_client("a/f").create_file()
    acl = "user::rwx,group::r-x,other::---,user:11111111-2222-3333-4444-555555555555:r-x"
    directory.set_access_control(acl=acl, owner="me")
    found = directory.get_access_control()
    assert (found["acl"], found["owner"], found["group"]) == (acl, "me", "$superuser")
    result = directory.set_access_control_recursive(acl)
    assert (result.counters.directories_successful, result.counters.files_successful) == (1, 1)
    assert system.get_file_client("a/f").get_access_control()["acl"] == acl
    with pytest.raises(HttpResponseError) as refused:
        directory.set_access_control(acl="nonsense")
    assert refused.value.status_code == 400


def test_file_systems_are_containers(service: Any, system: Any, here: World) -> None:
    with pytest.raises(ResourceExistsError):
        service.create_file_system("lake")
    system.set_file_system_metadata({"a": "1"})
    assert system.get_file_system_properties().metadata == {"a": "1"}
    system.get_file_client("f").upload_data(b"1", overwrite=True)
    assert here.azure.mock.blobs.blob(ACCOUNT, "lake", "f") == b"1"
    assert [s.name for s in service.list_file_systems()] == ["lake"]
    service.delete_file_system("lake")
    with pytest.raises(ResourceNotFoundError):
        list(system.get_paths())


@pytest.mark.parametrize("path", ["%2E%2E", "a/%2E%2E/b", "x" * 1025])
def test_a_path_that_leads_outside_is_refused(here: World, path: str) -> None:
    bearer = here.azure.bearer("https://storage.azure.com")
    headers = {**bearer, "x-ms-version": "2023-11-03"}
    here.azure.send("PUT", f"{URL}/lake?resource=filesystem", headers=headers)
    refused = here.azure.send("PUT", f"{URL}/lake/{path}?resource=file", headers=headers)
    assert (refused.status_code, refused.headers["x-ms-error-code"]) == (400, "InvalidResourceName")
