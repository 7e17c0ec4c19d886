"""The real azure-storage-blob package talks to the service over a real server."""

# ruff: noqa: ANN401 - the package has no types where it is not installed

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pytest_tfoidc.httpserver import LoopbackServer
from tests.mockazure.storage.blobclient import LEASE, BlobClient

MISSING = "azure-storage-blob is not installed"
azure: Any = pytest.importorskip("azure.storage.blob", reason=MISSING)
core: Any = pytest.importorskip("azure.core", reason=MISSING)
exceptions: Any = pytest.importorskip("azure.core.exceptions", reason=MISSING)

ACCOUNT_URL = "http://acct.blob.core.windows.net"


@pytest.fixture
def server(blobs: BlobClient) -> Iterator[LoopbackServer]:
    with LoopbackServer(blobs.service.handle) as running:
        yield running
    assert running.defects == []


@pytest.fixture
def options(server: LoopbackServer) -> dict[str, Any]:
    return {"proxies": {"http": server.url}, "retry_total": 0, "use_env_settings": False}


@pytest.fixture
def sdk(blobs: BlobClient, options: dict[str, Any]) -> Iterator[Any]:
    key = blobs.service.key_for("acct")
    with azure.BlobServiceClient(ACCOUNT_URL, credential=key, **options) as client:
        yield client


@pytest.fixture
def container(sdk: Any) -> Any:
    return sdk.create_container("state", metadata={"a": "1"})


def test_a_blob_goes_up_and_comes_down(container: Any) -> None:
    blob = container.get_blob_client("dir/terraform.tfstate ä")
    blob.upload_blob(
        b"{}", metadata={"a_1": "x", "ab": "y"}, content_settings=azure.ContentSettings("text/x")
    )
    assert blob.download_blob().readall() == b"{}"
    properties = blob.get_blob_properties()
    assert properties.metadata == {"a_1": "x", "ab": "y"}
    assert properties.content_settings.content_type == "text/x"
    assert properties.size == 2
    assert properties.server_encrypted


def test_an_empty_blob_comes_down_empty(container: Any) -> None:
    container.upload_blob("empty", b"")
    assert container.download_blob("empty").readall() == b""


def test_a_large_body_goes_up_in_blocks_and_comes_down_in_ranges(
    blobs: BlobClient, options: dict[str, Any]
) -> None:
    body = os.urandom(300_000)
    sizes = {"max_single_put_size": 65536, "max_block_size": 65536}
    sizes |= {"max_single_get_size": 65536, "max_chunk_get_size": 65536}
    key = blobs.service.key_for("acct")
    with azure.BlobClient(ACCOUNT_URL, "state", "big", credential=key, **options, **sizes) as blob:
        blob.upload_blob(body, max_concurrency=2, validate_content=True)
        assert blob.download_blob(max_concurrency=2, validate_content=True).readall() == body
        committed, _ = blob.get_block_list("all")
        assert len(committed) == 5
        assert blob.download_blob(offset=10, length=20).readall() == body[10:30]


def test_uploading_twice_needs_overwrite(container: Any) -> None:
    container.upload_blob("x", b"1")
    with pytest.raises(exceptions.ResourceExistsError):
        container.upload_blob("x", b"2")
    container.upload_blob("x", b"3", overwrite=True)
    assert container.download_blob("x").readall() == b"3"


def test_a_lease_keeps_others_out(blobs: BlobClient, container: Any) -> None:
    blob = container.upload_blob("x", b"1")
    lease = blob.acquire_lease(lease_duration=15, lease_id=LEASE)
    with pytest.raises(exceptions.HttpResponseError) as refused:
        blob.upload_blob(b"2", overwrite=True)
    assert (refused.value.status_code, refused.value.error_code) == (412, "LeaseIdMissing")
    with pytest.raises(exceptions.HttpResponseError) as taken:
        azure.BlobLeaseClient(blob).acquire()
    assert (taken.value.status_code, taken.value.error_code) == (409, "LeaseAlreadyPresent")
    lease.renew()
    blob.upload_blob(b"3", overwrite=True, lease=lease)
    assert blob.get_blob_properties().lease.state == "leased"
    assert lease.break_lease(5) == 5
    blobs.clock.advance(seconds=5)
    blob.delete_blob()
    assert not blob.exists()


def test_listings_go_over_pages(container: Any) -> None:
    names = [*sorted(f"a/{number}" for number in range(12)), "b"]
    for name in names:
        container.upload_blob(name, b"", metadata={"n": name})
    listed = list(container.list_blobs(include=["metadata"], results_per_page=5))
    assert [blob.name for blob in listed] == names
    assert [blob.metadata for blob in listed] == [{"n": name} for name in names]
    assert [entry.name for entry in container.walk_blobs(delimiter="/")] == ["a/", "b"]
    assert len(list(container.list_blob_names(name_starts_with="a/1"))) == 3


def test_containers_are_made_listed_and_deleted(sdk: Any) -> None:
    container = sdk.create_container("state", metadata={"a": "1"})
    with pytest.raises(exceptions.ResourceExistsError):
        sdk.create_container("state")
    listed = list(sdk.list_containers(include_metadata=True))
    assert [(entry.name, entry.metadata) for entry in listed] == [("state", {"a": "1"})]
    assert container.exists()
    container.delete_container()
    assert not container.exists()
    with pytest.raises(exceptions.ResourceNotFoundError):
        container.delete_container()


def test_snapshots_metadata_and_copies(container: Any) -> None:
    blob = container.upload_blob("x", b"1")
    taken = blob.create_snapshot()
    blob.set_blob_metadata({"a": "1"})
    old = container.get_blob_client("x", snapshot=taken["snapshot"])
    assert old.get_blob_properties().metadata == {}
    copy = container.get_blob_client("y")
    assert copy.start_copy_from_url(blob.url)["copy_status"] == "success"
    assert copy.get_blob_properties().metadata == {"a": "1"}
    blob.delete_blob(delete_snapshots="include")
    assert [entry.name for entry in container.list_blobs(include=["snapshots"])] == ["y"]


def test_conditions_are_kept(container: Any) -> None:
    blob = container.upload_blob("x", b"1")
    etag = blob.get_blob_properties().etag
    kept = {"etag": etag, "match_condition": core.MatchConditions.IfNotModified}
    blob.upload_blob(b"2", overwrite=True, **kept)
    with pytest.raises(exceptions.ResourceModifiedError):
        blob.upload_blob(b"3", overwrite=True, **kept)


def test_service_properties_and_the_account(sdk: Any) -> None:
    sdk.set_service_properties(static_website=azure.StaticWebsite(enabled=True, index_document="i"))
    assert sdk.get_service_properties()["static_website"].index_document == "i"
    assert sdk.get_account_information()["account_kind"] == "StorageV2"


def test_signatures_of_the_sdk_are_taken(
    blobs: BlobClient, container: Any, options: dict[str, Any]
) -> None:
    container.upload_blob("a b/x", b"1")
    key, expiry = blobs.service.key_for("acct"), blobs.clock.now() + timedelta(hours=1)
    signatures = [
        azure.generate_blob_sas(
            "acct",
            "state",
            "a b/x",
            account_key=key,
            permission=azure.BlobSasPermissions(read=True),
            expiry=expiry,
        ),
        azure.generate_container_sas(
            "acct",
            "state",
            account_key=key,
            permission=azure.ContainerSasPermissions(read=True),
            expiry=expiry,
        ),
        azure.generate_account_sas("acct", key, "o", "r", expiry),
    ]
    for sas in signatures:
        with azure.BlobClient(ACCOUNT_URL, "state", "a b/x", credential=sas, **options) as blob:
            assert blob.download_blob().readall() == b"1"
            with pytest.raises(exceptions.HttpResponseError) as refused:
                blob.delete_blob()
            assert refused.value.status_code == 403
            blobs.clock.advance(hours=2)
            with pytest.raises(exceptions.ClientAuthenticationError):
                blob.download_blob()
            blobs.clock.advance(hours=-2)


def test_another_accounts_key_is_refused(blobs: BlobClient, options: dict[str, Any]) -> None:
    key = blobs.service.key_for("other")
    with (
        azure.BlobServiceClient(ACCOUNT_URL, credential=key, **options) as client,
        pytest.raises(exceptions.ClientAuthenticationError) as refused,
    ):
        client.create_container("state")
    assert refused.value.error_code == "AuthenticationFailed"


def test_an_append_blob_grows_until_it_is_sealed(container: Any) -> None:
    blob = container.get_blob_client("log")
    blob.create_append_blob(metadata={"a": "1"})
    blob.append_block(b"one,")
    assert blob.append_block(b"two", appendpos_condition=4)["blob_append_offset"] == "4"
    with pytest.raises(exceptions.HttpResponseError) as moved:
        blob.append_block(b"x", appendpos_condition=4)
    assert moved.value.error_code == "AppendPositionConditionNotMet"
    with pytest.raises(exceptions.HttpResponseError):
        blob.append_block(b"x", maxsize_condition=7)
    assert blob.download_blob().readall() == b"one,two"
    properties = blob.get_blob_properties()
    assert (properties.blob_type, properties.append_blob_committed_block_count) == ("AppendBlob", 2)
    blob.seal_append_blob()
    with pytest.raises(exceptions.HttpResponseError) as sealed:
        blob.append_block(b"x")
    assert sealed.value.error_code == "BlobIsSealed"
    assert [entry.blob_type for entry in container.list_blobs()] == ["AppendBlob"]


def test_a_page_blob_is_written_by_pages(container: Any) -> None:
    blob = container.get_blob_client("disk")
    blob.create_page_blob(size=2048, sequence_number=3)
    blob.upload_page(b"a" * 512, offset=512, length=512)
    blob.upload_page(b"b" * 512, offset=1024, length=512)
    assert [(r.start, r.end) for r in blob.list_page_ranges()] == [(512, 1535)]
    blob.clear_page(offset=512, length=512)
    assert blob.download_blob().readall() == bytes(1024) + b"b" * 512 + bytes(512)
    with pytest.raises(exceptions.HttpResponseError) as outside:
        blob.upload_page(b"c" * 512, offset=2048, length=512)
    assert outside.value.error_code == "InvalidPageRange"
    blob.resize_blob(1024)
    properties = blob.get_blob_properties()
    assert (properties.size, properties.page_blob_sequence_number) == (1024, 3)
    with pytest.raises(exceptions.HttpResponseError) as other:
        blob.append_block(b"x")
    assert other.value.error_code == "InvalidBlobType"


def test_large_append_and_page_blobs_go_up_in_parts(container: Any) -> None:
    body = os.urandom(5 * 1024 * 1024)
    for kind in ("AppendBlob", "PageBlob"):
        container.upload_blob(kind, body, blob_type=kind)
        assert container.download_blob(kind).readall() == body


def test_tiers_tags_and_scopes_are_kept(sdk: Any, container: Any) -> None:
    blob = container.upload_blob("b", b"1", tags={"a": "1"}, encryption_scope="own")
    blob.set_standard_blob_tier("Cool")
    found = blob.get_blob_properties()
    assert (found.blob_tier, found.encryption_scope, found.tag_count) == ("Cool", "own", 1)
    blob.set_blob_tags({"b c": "x & y"})
    assert blob.get_blob_tags() == {"b c": "x & y"}
    (listed,) = container.list_blobs(include=["tags"])
    assert (listed.blob_tier, listed.tags) == ("Cool", {"b c": "x & y"})
    with pytest.raises(exceptions.HttpResponseError, match="InvalidTags"):
        blob.set_blob_tags({str(n): "" for n in range(11)})
    with pytest.raises(exceptions.HttpResponseError, match="InvalidHeaderValue"):
        blob.set_standard_blob_tier("Lukewarm")
    scope = azure.ContainerEncryptionScope("own")
    other = sdk.create_container("scoped", container_encryption_scope=scope)
    assert other.upload_blob("b", b"").get_blob_properties().encryption_scope == "own"


def test_an_archived_blob_is_read_once_it_is_back(container: Any) -> None:
    blob = container.upload_blob("b", b"1", standard_blob_tier=azure.StandardBlobTier.ARCHIVE)
    with pytest.raises(exceptions.ResourceExistsError, match="archived"):
        blob.download_blob()
    blob.set_standard_blob_tier("Hot")
    assert blob.download_blob().readall() == b"1"


def test_many_blobs_are_put_into_a_tier_and_deleted_with_one_request(container: Any) -> None:
    names = ["a", "dir/b ä", "c"]
    for name in names:
        container.upload_blob(name, b"")
    container.set_standard_blob_tier_blobs("Cool", *names)
    assert {b.blob_tier for b in container.list_blobs()} == {"Cool"}
    answers = container.delete_blobs("a", "not-there", "c", raise_on_any_failure=False)
    assert [one.status_code for one in answers] == [202, 404, 202]
    assert [b.name for b in container.list_blobs()] == ["dir/b ä"]
