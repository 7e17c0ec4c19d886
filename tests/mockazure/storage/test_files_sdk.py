"""Microsoft's client of file shares talks to the stand-in through its proxy."""

# ruff: noqa: ANN401 - the package has no types where it is not installed

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

files: Any = pytest.importorskip("azure.storage.fileshare", reason="not installed")

from azure.core.exceptions import (  # noqa: E402 - after the check that it is there
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from tests.mockazure.vaultkit import World  # noqa: E402 - the same

ACCOUNT = "acct"
URL = f"https://{ACCOUNT}.file.core.windows.net"


@pytest.fixture
def service(here: World) -> Iterator[Any]:
    options = {**here.me.options(), "credential": here.azure.mock.blobs.key_for(ACCOUNT)}
    with files.ShareServiceClient(URL, **options) as client:
        yield client


@pytest.fixture
def share(service: Any) -> Any:
    return service.create_share("share", metadata={"a": "1"}, quota=7)


def test_a_share_has_a_quota_metadata_and_policies(service: Any, share: Any) -> None:
    properties = share.get_share_properties()
    assert (properties.quota, properties.metadata) == (7, {"a": "1"})
    share.set_share_quota(9)
    share.set_share_metadata({"b": "2"})
    properties = share.get_share_properties()
    assert (properties.quota, properties.metadata) == (9, {"b": "2"})
    share.set_share_access_policy({"p": files.AccessPolicy(permission="r")})
    assert [i.id for i in share.get_share_access_policy()["signed_identifiers"]] == ["p"]
    assert [s.name for s in service.list_shares(include_metadata=True)] == ["share"]
    with pytest.raises(ResourceExistsError):
        service.create_share("share")
    service.delete_share("share")
    with pytest.raises(ResourceNotFoundError):
        share.get_share_properties()


def test_a_file_goes_up_and_comes_down(share: Any) -> None:
    body = os.urandom(5 * 1024 * 1024)
    directory = share.create_directory("Dir")
    file = directory.upload_file("big.bin", body, metadata={"m": "1"})
    assert file.download_file().readall() == body
    assert file.download_file(offset=10, length=20).readall() == body[10:30]
    properties = share.get_directory_client("dir").get_file_client("BIG.BIN").get_file_properties()
    assert (properties.size, properties.metadata) == (len(body), {"m": "1"})
    file.upload_range(b"xyz", offset=0, length=3)
    assert file.download_file(offset=0, length=4).readall() == b"xyz" + body[3:4]
    file.resize_file(2)
    assert file.download_file().readall() == b"xy"
    file.set_http_headers(files.ContentSettings(content_type="text/x"))
    assert file.get_file_properties().content_settings.content_type == "text/x"
    assert share.get_share_stats() == 2


def test_directories_are_made_listed_and_deleted_from_within(share: Any) -> None:
    outer = share.create_directory("a")
    inner = outer.create_subdirectory("b ä")
    inner.upload_file("f.txt", b"1")
    assert [(e["name"], e["is_directory"]) for e in outer.list_directories_and_files()] == [
        ("b ä", True)
    ]
    assert [(e["name"], e["size"]) for e in inner.list_directories_and_files()] == [("f.txt", 1)]
    with pytest.raises(ResourceExistsError) as full:
        inner.delete_directory()
    assert "DirectoryNotEmpty" in str(full.value)
    with pytest.raises(ResourceExistsError):
        share.create_directory("a")
    with pytest.raises(ResourceNotFoundError) as lost:
        share.create_directory("none/inner")
    assert "ParentNotFound" in str(lost.value)
    inner.delete_file("f.txt")
    inner.delete_directory()
    outer.delete_directory()
    assert list(share.list_directories_and_files()) == []


@pytest.mark.parametrize("name", ["..", "a/..", "a:b", "a*", "x" * 256])
def test_a_path_that_azure_refuses_is_refused(here: World, share: Any, name: str) -> None:
    share.create_directory("a")
    target = f"{URL}/share/{name.replace('..', '%2E%2E')}?restype=directory"
    bearer = here.azure.bearer("https://storage.azure.com")
    headers = {**bearer, "x-ms-version": "2023-11-03", "x-ms-file-request-intent": "backup"}
    refused = here.azure.send("PUT", target, headers=headers)
    assert (refused.status_code, refused.headers["x-ms-error-code"]) == (400, "InvalidResourceName")


def test_a_signature_allows_what_it_says_until_it_expires(here: World, share: Any) -> None:
    root = share.get_file_client("f.txt")
    root.upload_file(b"1")
    sas = files.generate_share_sas(
        ACCOUNT,
        "share",
        here.azure.mock.blobs.key_for(ACCOUNT),
        permission=files.ShareSasPermissions(read=True),
        expiry=here.azure.clock.now() + timedelta(hours=1),
    )
    options = {**here.me.options(), "credential": sas}
    with files.ShareFileClient(URL, "share", "f.txt", **options) as client:
        assert client.download_file().readall() == b"1"
        with pytest.raises(HttpResponseError) as refused:
            client.delete_file()
        assert refused.value.status_code == 403
        here.azure.clock.advance(timedelta(hours=2))
        with pytest.raises(HttpResponseError):
            client.download_file()


def test_what_a_share_holds_goes_through_a_state_file(here: World, share: Any) -> None:
    share.create_directory("a").upload_file("f.txt", b"1")
    from pytest_tfoidc.mockazure import statefile  # noqa: PLC0415 - used here only

    kept = statefile.decode(statefile.encode(here.azure.mock.storage.snapshot()))
    here.azure.mock.storage.files.restore({})
    with pytest.raises(ResourceNotFoundError):
        share.get_share_properties()
    here.azure.mock.storage.restore(kept)
    assert (
        share.get_directory_client("a").get_file_client("f.txt").download_file().readall() == b"1"
    )
