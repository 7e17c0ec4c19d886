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


def test_what_is_appended_is_seen_when_it_is_flushed(system: Any) -> None:
    file = system.create_file("f", metadata={"m": "1"})
    file.append_data(b"abc", 0)
    file.append_data(b"def", 3)
    assert file.get_file_properties().size == 0
    with pytest.raises(HttpResponseError) as gap:
        file.append_data(b"x", 7)
    with pytest.raises(HttpResponseError) as short:
        file.flush_data(5)
    codes = {refused.value.error_code for refused in (gap, short)}  # type: ignore[attr-defined] # azure-storage adds it
    assert codes == {"InvalidFlushPosition"}
    file.flush_data(6, content_settings=lake.ContentSettings(content_type="text/plain"))
    file.set_metadata({"m": "2"})
    file.set_http_headers(lake.ContentSettings(content_language="en"))
    found = file.get_file_properties()
    assert (found.size, found.metadata) == (6, {"m": "2"})
    assert found.content_settings.content_language == "en"
    assert file.download_file().readall() == b"abcdef"


def test_paths_come_in_pages(system: Any) -> None:
    for number in range(5):
        system.create_file(f"f{number}")
    pages = list(system.get_paths(max_results=2).by_page())
    assert [[p.name for p in page] for page in pages] == [["f0", "f1"], ["f2", "f3"], ["f4"]]
    with pytest.raises(ResourceNotFoundError):
        list(system.get_paths(path="nowhere"))


@pytest.mark.parametrize(
    ("method", "target", "headers", "status", "code"),
    [
        ("PUT", "new?resource=link", {}, 400, "InvalidQueryParameterValue"),
        ("PUT", "a/f?resource=file", {"If-None-Match": "*"}, 409, "PathAlreadyExists"),
        ("PUT", "a?resource=file", {}, 409, "ResourceTypeMismatch"),
        ("PUT", "a/f/g?resource=file", {}, 409, "ParentIsNotADirectory"),
        ("PUT", "b", {"x-ms-rename-source": "/lake/gone"}, 404,
         "RenameDestinationParentPathNotFound"),
        ("PUT", "a/b", {"x-ms-rename-source": "/lake/a"}, 409, "InvalidRenameSourcePath"),
        ("PUT", "new?resource=file", {"x-ms-properties": "a=€".encode()}, 400,
         "InvalidPropertyValue"),
        ("PUT", "new?resource=file", {"x-ms-acl": "rwx"}, 400, "InvalidAccessControlList"),
        ("PATCH", "a?action=append&position=0", {}, 400, "InvalidFlushPosition"),
        ("PATCH", "a/f?action=append&position=-1", {}, 400, None),
        ("GET", "a/f", {"Range": "bytes=9-"}, 416, "InvalidRange"),
        ("GET", "gone", {}, 404, "PathNotFound"),
        ("DELETE", "a", {}, 409, "DirectoryNotEmpty"),
        ("DELETE", "gone", {}, 404, "PathNotFound"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_in_data_lakes_words(
    here: World, method: str, target: str, headers: dict[str, Any], status: int, code: str | None
) -> None:
    sent = {**here.azure.bearer("https://storage.azure.com"), "x-ms-version": "2023-11-03"}
    for path in ("lake?resource=filesystem", "lake/a/f?resource=file"):
        assert here.azure.send("PUT", f"{URL}/{path}", headers=sent).status_code == 201
    answer = here.azure.send(method, f"{URL}/lake/{target}", headers={**sent, **headers})

    assert answer.status_code == status
    assert code in {answer.headers["x-ms-error-code"], None}


def test_access_below_is_added_to_and_taken_away(system: Any) -> None:
    system.create_file("a/f")
    system.create_file("b")
    root, one = system.get_directory_client("/"), "user:11111111-2222-3333-4444-555555555555"
    result = root.update_access_control_recursive(f"{one}:r--,other::r--")
    assert (result.counters.directories_successful, result.counters.files_successful) == (1, 2)
    file = system.get_file_client("b")
    usual = "user::rwx,group::r-x,other::r--"
    assert file.get_access_control()["acl"] == f"{usual},{one}:r--"
    root.remove_access_control_recursive(one)
    assert file.get_access_control()["acl"] == usual
