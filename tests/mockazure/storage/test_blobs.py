from __future__ import annotations

import base64
import json

import pytest

from pytest_tfoidc.mockazure.storage.store import md5
from tests.mockazure.storage.blobclient import (
    BLOB,
    HOST,
    LEASE,
    OTHER,
    VERSION,
    BlobClient,
    code,
    names,
)

WORKSPACE = "/state/terraform.tfstateenv:dev"


def test_the_backends_first_init_gets_the_statuses_that_azure_gives(blobs: BlobClient) -> None:
    info = base64.b64encode(json.dumps({"ID": LEASE, "Operation": "init"}).encode()).decode()
    lock = {"x_ms_lease_id": LEASE}
    listing = "/state?comp=list&prefix=terraform.tfstateenv%3A&restype=container"
    conversation = [
        (blobs("GET", listing), 200),
        (blobs("GET", BLOB), 404),
        (blobs("HEAD", BLOB), 404),
        (blobs.put(BLOB), 201),
        (blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE), 201),
        (blobs("HEAD", BLOB), 200),
        (blobs("PUT", f"{BLOB}?comp=metadata", x_ms_meta_terraformlockid=info, **lock), 200),
        (blobs("GET", BLOB), 200),
        (locked := blobs("HEAD", BLOB), 200),
        (blobs.put(BLOB, b"{}", x_ms_meta_terraformlockid=info, **lock), 201),
        (written := blobs("HEAD", BLOB), 200),
        (blobs("PUT", f"{BLOB}?comp=metadata", **lock), 200),
        (blobs.lease(BLOB, "release", id=LEASE), 200),
        (after := blobs("GET", BLOB), 200),
    ]
    assert [answer.status for answer, _ in conversation] == [status for _, status in conversation]
    assert locked.headers["x-ms-lease-status"] == "locked"
    assert written.headers["x-ms-meta-terraformlockid"] == info
    assert after.headers["x-ms-lease-status"] == "unlocked"
    assert "x-ms-meta-terraformlockid" not in after.headers
    assert after.body == b"{}"


def test_a_blob_that_is_not_there_is_a_404_with_azures_error(blobs: BlobClient) -> None:
    answer = blobs("GET", BLOB)
    assert code(answer) == (404, "BlobNotFound")
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.body.startswith(b'<?xml version="1.0" encoding="utf-8"?><Error><Code>')


def test_head_tells_the_error_in_the_header_only(blobs: BlobClient) -> None:
    answer = blobs("HEAD", BLOB)
    assert code(answer) == (404, "BlobNotFound")
    assert answer.body == b""


def test_every_answer_has_the_services_own_headers(blobs: BlobClient) -> None:
    for answer in (blobs("GET", BLOB, x_ms_client_request_id="mine"), blobs.put(BLOB)):
        assert answer.headers["x-ms-version"] == VERSION
        assert answer.headers["Date"] == "Fri, 02 Jan 2026 03:04:05 GMT"
        assert answer.headers["x-ms-request-id"]
    assert (
        blobs("GET", BLOB, x_ms_client_request_id="mine").headers["x-ms-client-request-id"]
        == "mine"
    )


@pytest.mark.parametrize("client", ["m\xefne", " mine", "a\tb", "m" * 1025])
def test_a_client_request_id_that_no_header_can_hold_is_not_given_back(
    blobs: BlobClient, client: str
) -> None:
    answer = blobs("GET", BLOB, x_ms_client_request_id=client)
    assert "x-ms-client-request-id" not in answer.headers


def test_a_blob_is_given_back_with_its_properties(blobs: BlobClient) -> None:
    blobs.put(
        BLOB,
        b"state",
        x_ms_blob_content_type="application/json",
        x_ms_blob_cache_control="no-store",
        x_ms_meta_owner="me",
    )
    answer = blobs("GET", BLOB)
    assert answer.status == 200
    assert answer.body == b"state"
    expected = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Content-MD5": md5(b"state"),
        "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": "Fri, 02 Jan 2026 03:04:05 GMT",
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-meta-owner": "me",
        "x-ms-server-encrypted": "true",
    }
    assert expected.items() <= dict(answer.headers).items()


def test_putting_a_blob_replaces_metadata_and_properties(blobs: BlobClient) -> None:
    first = blobs.put(BLOB, b"1", x_ms_meta_owner="me", x_ms_blob_content_type="text/plain")
    blobs.clock.advance(seconds=10)
    second = blobs.put(BLOB, b"2")
    answer = blobs("GET", BLOB)
    assert "x-ms-meta-owner" not in answer.headers
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["x-ms-creation-time"] == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert answer.headers["Last-Modified"] == "Fri, 02 Jan 2026 03:04:15 GMT"
    assert first.headers["ETag"] != second.headers["ETag"] == answer.headers["ETag"]


def test_setting_metadata_replaces_it_and_leaves_the_content(blobs: BlobClient) -> None:
    put = blobs.put(BLOB, b"state", x_ms_meta_a="1")
    changed = blobs("PUT", f"{BLOB}?comp=metadata", x_ms_meta_b="2")
    answer = blobs("GET", f"{BLOB}?comp=metadata")
    assert changed.status == answer.status == 200
    assert answer.headers["x-ms-meta-b"] == "2"
    assert "x-ms-meta-a" not in answer.headers
    assert answer.headers["ETag"] != put.headers["ETag"]
    assert blobs.service.blob("acct", "state", "terraform.tfstate") == b"state"
    assert blobs.service.metadata("acct", "state", "terraform.tfstate") == {"b": "2"}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("x-ms-meta-", "v", "EmptyMetadataKey"),
        ("x-ms-meta-a-b", "v", "InvalidMetadata"),
        ("x-ms-meta-1a", "v", "InvalidMetadata"),
        ("x-ms-meta-a", "\xe9", "InvalidMetadata"),
        ("x-ms-meta-a", "v" * 9000, "MetadataTooLarge"),
    ],
)
def test_metadata_that_azure_does_not_take_is_refused(
    blobs: BlobClient, name: str, value: str, error: str
) -> None:
    assert code(blobs.put(BLOB, **{name: value})) == (400, error)
    assert blobs("GET", BLOB).status == 404


def test_properties_are_set_together(blobs: BlobClient) -> None:
    blobs.put(BLOB, x_ms_blob_content_type="text/plain", x_ms_blob_cache_control="no-store")
    blobs("PUT", f"{BLOB}?comp=properties", x_ms_blob_content_language="de")
    answer = blobs("HEAD", BLOB)
    assert answer.headers["Content-Language"] == "de"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Cache-Control" not in answer.headers


def test_a_property_that_no_header_can_hold_is_refused(blobs: BlobClient) -> None:
    answer = blobs.put(BLOB, x_ms_blob_content_type="text/pl\xe4in")
    assert code(answer) == (400, "InvalidHeaderValue")


def test_a_blob_without_its_type_is_refused(blobs: BlobClient) -> None:
    assert code(blobs("PUT", BLOB)) == (400, "MissingRequiredHeader")
    assert code(blobs("PUT", BLOB, x_ms_blob_type="Blob")) == (400, "InvalidHeaderValue")


def test_a_body_is_checked_against_its_md5(blobs: BlobClient) -> None:
    assert blobs.put(BLOB, b"a", content_md5=md5(b"a")).status == 201
    assert code(blobs.put(BLOB, b"a", content_md5=md5(b"b"))) == (400, "Md5Mismatch")
    assert code(blobs.put(BLOB, b"a", content_md5="?")) == (400, "InvalidMd5")


@pytest.mark.parametrize(
    ("wanted", "content", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_of_a_blob_is_a_206(
    blobs: BlobClient, wanted: str, content: bytes, told: str
) -> None:
    blobs.put(BLOB, b"0123456789")
    for answer in (blobs("GET", BLOB, range=wanted), blobs("GET", BLOB, x_ms_range=wanted)):
        assert (answer.status, answer.body) == (206, content)
        assert answer.headers["Content-Range"] == told
        assert answer.headers["x-ms-blob-content-md5"] == md5(b"0123456789")
        assert "Content-MD5" not in answer.headers


def test_a_ranges_own_md5_is_told_on_demand(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"0123456789")
    answer = blobs("GET", BLOB, x_ms_range="bytes=0-3", x_ms_range_get_content_md5="true")
    assert answer.headers["Content-MD5"] == md5(b"0123")


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=3-2"])
def test_a_range_outside_the_blob_is_a_416(blobs: BlobClient, wanted: str) -> None:
    blobs.put(BLOB, b"0123456789")
    answer = blobs("GET", BLOB, range=wanted)
    assert code(answer) == (416, "InvalidRange")
    assert answer.headers["Content-Range"] == "bytes */10"


def test_a_range_of_another_form_is_not_looked_at(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"0123456789")
    assert blobs("GET", BLOB, range="bytes=-5").status == 200


EARLIER, SAME, LATER = (f"Fri, 02 Jan 2026 03:04:{second:02} GMT" for second in (4, 5, 6))


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("if-match", "{etag}", 200),
        ("if-match", "*", 200),
        ("if-match", '"0x1", {etag}', 200),
        ("if-match", '"0x1"', 412),
        ("if-none-match", "{etag}", 304),
        ("if-none-match", '"0x1"', 200),
        ("if-none-match", "*", 400),
        ("if-modified-since", EARLIER, 200),
        ("if-modified-since", SAME, 304),
        ("if-unmodified-since", EARLIER, 412),
        ("if-unmodified-since", SAME, 200),
        ("if-modified-since", "yesterday", 400),
    ],
)
def test_a_read_keeps_its_conditions(
    blobs: BlobClient, header: str, value: str, status: int
) -> None:
    etag = blobs.put(BLOB, b"state").headers["ETag"]
    for method in ("GET", "HEAD"):
        answer = blobs(method, BLOB, **{header: value.replace("{etag}", etag)})
        assert answer.status == status
        if status in {304, 412}:
            assert answer.headers["x-ms-error-code"] == "ConditionNotMet"
        assert status != 304 or answer.body == b""


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("if-match", "{etag}", (201, "")),
        ("if-match", '"0x1"', (412, "ConditionNotMet")),
        ("if-none-match", "*", (409, "BlobAlreadyExists")),
        ("if-none-match", "{etag}", (412, "ConditionNotMet")),
        ("if-none-match", '"0x1"', (201, "")),
        ("if-modified-since", LATER, (412, "ConditionNotMet")),
        ("if-unmodified-since", EARLIER, (412, "ConditionNotMet")),
        ("if-match", '"0x1","0x2"', (400, "MultipleConditionHeadersNotSupported")),
    ],
)
def test_a_write_keeps_its_conditions(
    blobs: BlobClient, header: str, value: str, expected: tuple[int, str]
) -> None:
    etag = blobs.put(BLOB, b"1").headers["ETag"]
    answer = blobs.put(BLOB, b"2", **{header: value.replace("{etag}", etag)})
    assert code(answer) == expected
    written = blobs.service.blob("acct", "state", "terraform.tfstate") == b"2"
    assert written is (expected[0] == 201)


def test_changes_of_what_is_there_answer_if_none_match_with_412(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    answer = blobs("PUT", f"{BLOB}?comp=metadata", if_none_match="*")
    assert code(answer) == (412, "ConditionNotMet")


def test_conditions_on_what_is_not_there(blobs: BlobClient) -> None:
    assert code(blobs("GET", BLOB, if_match='"0x1"')) == (412, "ConditionNotMet")
    assert code(blobs.put(BLOB, if_match="*")) == (412, "ConditionNotMet")
    assert blobs.put(BLOB, if_none_match="*").status == 201


def test_a_deleted_blob_is_gone(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    assert blobs("DELETE", BLOB).status == 202
    assert code(blobs("GET", BLOB)) == (404, "BlobNotFound")
    assert code(blobs("DELETE", BLOB)) == (404, "BlobNotFound")


def test_a_snapshot_keeps_what_was_there(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"old", x_ms_meta_a="1")
    taken = blobs("PUT", f"{BLOB}?comp=snapshot")
    blobs.put(BLOB, b"new")
    assert taken.status == 201
    answer = blobs("GET", f"{BLOB}?snapshot={taken.headers['x-ms-snapshot']}")
    assert answer.body == b"old"
    assert answer.headers["x-ms-meta-a"] == "1"
    assert "x-ms-lease-status" not in answer.headers
    assert blobs("GET", BLOB).body == b"new"


def test_snapshots_of_one_moment_have_names_of_their_own(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    taken = [blobs("PUT", f"{BLOB}?comp=snapshot").headers["x-ms-snapshot"] for _ in range(3)]
    assert len(set(taken)) == 3
    assert taken[0] == "2026-01-02T03:04:05.0000000Z"


def test_a_snapshot_cannot_be_changed(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    at = blobs("PUT", f"{BLOB}?comp=snapshot").headers["x-ms-snapshot"]
    for answer in (
        blobs.put(f"{BLOB}?snapshot={at}"),
        blobs("PUT", f"{BLOB}?comp=metadata&snapshot={at}"),
        blobs.lease(f"{BLOB}?snapshot={at}", "acquire", duration="-1"),
    ):
        assert code(answer) == (400, "InvalidQueryParameterValue")


def test_a_blob_with_snapshots_is_deleted_on_demand_only(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    blobs("PUT", f"{BLOB}?comp=snapshot")
    at = blobs("PUT", f"{BLOB}?comp=snapshot").headers["x-ms-snapshot"]
    assert code(blobs("DELETE", BLOB)) == (409, "SnapshotsPresent")
    assert blobs("DELETE", f"{BLOB}?snapshot={at}").status == 202
    assert code(blobs("GET", f"{BLOB}?snapshot={at}")) == (404, "BlobNotFound")
    assert blobs("DELETE", BLOB, x_ms_delete_snapshots="only").status == 202
    assert blobs("DELETE", BLOB, x_ms_delete_snapshots="include").status == 202
    assert blobs.service.blobs() == ()
    assert code(blobs("DELETE", BLOB, x_ms_delete_snapshots="x")) == (404, "BlobNotFound")


def test_blocks_become_a_blob_when_they_are_listed(blobs: BlobClient) -> None:
    for block_id, content in (("YQ==", b"one "), ("Yg==", b"two")):
        assert blobs("PUT", f"{BLOB}?comp=block&blockid={block_id}", content).status == 201
    assert blobs("GET", BLOB).status == 404
    body = b"<BlockList><Latest>YQ==</Latest><Uncommitted>Yg==</Uncommitted></BlockList>"
    answer = blobs(
        "PUT", f"{BLOB}?comp=blocklist", body, x_ms_meta_a="1", x_ms_blob_content_type="text/x"
    )
    assert answer.status == 201
    read = blobs("GET", BLOB)
    assert read.body == b"one two"
    assert read.headers["Content-Type"] == "text/x"
    assert read.headers["x-ms-meta-a"] == "1"


def test_committed_blocks_can_be_used_again(blobs: BlobClient) -> None:
    for block_id, content in (("YQ==", b"one"), ("Yg==", b"two")):
        blobs("PUT", f"{BLOB}?comp=block&blockid={block_id}", content)
    target = f"{BLOB}?comp=blocklist"
    blobs("PUT", target, b"<BlockList><Latest>YQ==</Latest><Latest>Yg==</Latest></BlockList>")
    blobs("PUT", target, b"<BlockList><Committed>Yg==</Committed></BlockList>")
    assert blobs("GET", BLOB).body == b"two"
    blobs("PUT", f"{BLOB}?comp=block&blockid=Yw==", b"three")
    listed = blobs("GET", f"{target}&blocklisttype=all")
    assert names(listed) == ["Yg==", "Yw=="]
    assert names(listed, "Size") == ["3", "5"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<BlockList><Latest>Yg==</Latest></BlockList>", "InvalidBlockList"),
        (b"<BlockList><Other>YQ==</Other></BlockList>", "InvalidBlockList"),
        (b"<BlockList>", "InvalidXmlDocument"),
        (b"<Other/>", "InvalidXmlDocument"),
        (b"", "InvalidXmlDocument"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><BlockList/>', "InvalidXmlDocument"),
        (b'<?xml version="1.0" encoding="none"?><BlockList/>', "InvalidXmlDocument"),
        (b"<a>" * 500 + b"</a>" * 500, "InvalidXmlDocument"),
    ],
)
def test_a_block_list_that_is_none_is_refused(blobs: BlobClient, body: bytes, error: str) -> None:
    blobs("PUT", f"{BLOB}?comp=block&blockid=YQ==", b"one")
    assert code(blobs("PUT", f"{BLOB}?comp=blocklist", body)) == (400, error)


def test_block_ids_are_base64_of_one_length(blobs: BlobClient) -> None:
    blobs("PUT", f"{BLOB}?comp=block&blockid=YQ==", b"one")
    assert code(blobs("PUT", f"{BLOB}?comp=block&blockid=YWFhYQ==", b"two")) == (
        400,
        "InvalidBlobOrBlock",
    )
    for bad in ("", "?", "a" * 100):
        answer = blobs("PUT", f"{BLOB}?comp=block&blockid={bad}", b"two")
        assert code(answer) == (400, "InvalidQueryParameterValue")


def test_a_copy_has_content_and_metadata_of_its_source(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"state", x_ms_meta_a="1")
    source = f"https://{HOST}{BLOB}"
    answer = blobs("PUT", "/backup/copy", x_ms_copy_source=source)
    assert answer.status == 202
    assert answer.headers["x-ms-copy-status"] == "success"
    read = blobs("GET", "/backup/copy")
    assert (read.body, read.headers["x-ms-meta-a"]) == (b"state", "1")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"https://{HOST}/state/other", (404, "CannotVerifyCopySource")),
        (
            "https://elsewhere.blob.core.windows.net/state/x",
            (400, "CopyAcrossAccountsNotSupported"),
        ),
        ("https://[", (400, "InvalidHeaderValue")),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    blobs: BlobClient, source: str, expected: tuple[int, str]
) -> None:
    assert code(blobs("PUT", BLOB, x_ms_copy_source=source)) == expected


def test_a_copy_keeps_the_conditions_of_its_source(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    answer = blobs(
        "PUT", "/state/b", x_ms_copy_source=f"https://{HOST}{BLOB}", x_ms_source_if_match='"0x1"'
    )
    assert code(answer) == (412, "SourceConditionNotMet")


def test_workspaces_are_found_by_their_prefix(blobs: BlobClient) -> None:
    for target in (BLOB, WORKSPACE, "/state/terraform.tfstateenv%3Aprod", "/other/x"):
        blobs.put(target)
    answer = blobs("GET", "/state?comp=list&prefix=terraform.tfstateenv%3A&restype=container")
    assert names(answer) == ["terraform.tfstateenv:dev", "terraform.tfstateenv:prod"]
    assert names(answer, "Prefix") == ["terraform.tfstateenv:"]


def test_a_listing_tells_properties_and_metadata(blobs: BlobClient) -> None:
    etag = blobs.put(BLOB, b"state", x_ms_meta_a="<1>").headers["ETag"]
    blobs.lease(BLOB, "acquire", duration="60", proposed=LEASE)
    text = blobs("GET", "/state?restype=container&comp=list&include=metadata").body.decode()
    for part in (
        f"<Etag>{etag.strip(chr(34))}</Etag>",
        "<Content-Length>5</Content-Length>",
        "<LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState>",
        "<LeaseDuration>fixed</LeaseDuration>",
        "<Metadata><a>&lt;1&gt;</a></Metadata>",
        f'ServiceEndpoint="https://{HOST}/" ContainerName="state"',
    ):
        assert part in text
    assert "<Metadata>" not in blobs("GET", "/state?restype=container&comp=list").body.decode()


def test_a_listing_comes_in_pages(blobs: BlobClient) -> None:
    expected = [f"blob{number}" for number in range(7)]
    for name in reversed(expected):
        blobs.put(f"/state/{name}")
    found, marker = [], ""
    for _ in range(3):
        target = f"/state?restype=container&comp=list&maxresults=3&marker={marker}"
        answer = blobs("GET", target)
        found += names(answer)
        marker = (names(answer, "NextMarker") or [""])[0]
    assert (found, marker) == (expected, "")


@pytest.mark.parametrize("extra", ["maxresults=x", "maxresults=0", "marker=x", "maxresults=-1"])
def test_a_listing_with_impossible_pages_is_refused(blobs: BlobClient, extra: str) -> None:
    assert blobs("GET", f"/state?restype=container&comp=list&{extra}").status == 400


def test_a_delimiter_makes_folders(blobs: BlobClient) -> None:
    for name in ("a", "b/1", "b/2", "c/1/2"):
        blobs.put(f"/state/{name}")
    answer = blobs("GET", "/state?restype=container&comp=list&delimiter=%2F")
    assert names(answer) == ["a", "b/", "c/"]
    assert answer.body.count(b"<BlobPrefix>") == 2
    below = blobs("GET", "/state?restype=container&comp=list&delimiter=/&prefix=c/")
    assert names(below) == ["c/1/"]


def test_snapshots_are_listed_on_demand(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    blobs("PUT", f"{BLOB}?comp=snapshot")
    assert len(names(blobs("GET", "/state?restype=container&comp=list"))) == 1
    answer = blobs("GET", "/state?restype=container&comp=list&include=snapshots")
    assert len(names(answer)) == 2
    assert names(answer, "Snapshot") == ["2026-01-02T03:04:05.0000000Z"]


def test_a_name_that_xml_cannot_hold_is_encoded(blobs: BlobClient) -> None:
    blobs.put("/state/a%01b%3C")
    answer = blobs("GET", "/state?restype=container&comp=list")
    assert b'<Name Encoded="true">a%01b%3C</Name>' in answer.body


def test_blob_names_are_decoded_whichever_way_they_are_written(blobs: BlobClient) -> None:
    blobs.put("/state/a/b%20c%2Fd+%C3%A9", b"1")
    assert blobs.service.blobs() == ("acct/state/a/b c/d+é",)
    assert blobs("GET", "/state/a%2Fb%20c/d%2B%C3%A9").body == b"1"


def test_a_containers_life(blobs: BlobClient) -> None:
    target = "/state?restype=container"
    assert code(blobs("GET", target)) == (404, "ContainerNotFound")
    assert blobs("PUT", target, x_ms_meta_a="1").status == 201
    assert code(blobs("PUT", target)) == (409, "ContainerAlreadyExists")
    for method in ("GET", "HEAD"):
        answer = blobs(method, target)
        assert (answer.status, answer.headers["x-ms-meta-a"]) == (200, "1")
    assert blobs("PUT", f"{target}&comp=metadata", x_ms_meta_b="2").status == 200
    assert blobs("GET", target).headers["x-ms-meta-b"] == "2"
    assert blobs("DELETE", target).status == 202
    assert code(blobs("DELETE", target)) == (404, "ContainerNotFound")


def test_a_container_is_there_at_its_first_use(blobs: BlobClient) -> None:
    assert blobs.put(BLOB).status == 201
    assert code(blobs("PUT", "/state?restype=container")) == (409, "ContainerAlreadyExists")


def test_a_deleted_container_stays_away_until_it_is_made_again(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    blobs("DELETE", "/state?restype=container")
    assert code(blobs("GET", BLOB)) == (404, "ContainerNotFound")
    assert code(blobs.put(BLOB)) == (404, "ContainerNotFound")
    blobs("PUT", "/state?restype=container")
    assert code(blobs("GET", BLOB)) == (404, "BlobNotFound")


def test_a_containers_lease_guards_its_deletion(blobs: BlobClient) -> None:
    target = "/state?restype=container"
    blobs("PUT", target)
    assert blobs.lease(target, "acquire", duration="-1", proposed=LEASE).status == 201
    assert code(blobs("DELETE", target)) == (412, "LeaseIdMissing")
    wrong = blobs("DELETE", target, x_ms_lease_id=OTHER)
    assert code(wrong) == (412, "LeaseIdMismatchWithContainerOperation")
    assert blobs("GET", target).headers["x-ms-lease-duration"] == "infinite"
    assert blobs.put(BLOB).status == 201
    assert blobs("DELETE", target, x_ms_lease_id=LEASE).status == 202


def test_containers_are_listed(blobs: BlobClient) -> None:
    for name in ("tfstate", "backup", "tflogs"):
        blobs("PUT", f"/{name}?restype=container", x_ms_meta_a="1")
    assert names(blobs("GET", "/?comp=list")) == ["backup", "tflogs", "tfstate"]
    answer = blobs("GET", "/?comp=list&prefix=tf&maxresults=1&include=metadata")
    assert names(answer) == ["tflogs"]
    assert b"<Metadata><a>1</a></Metadata>" in answer.body
    following = names(answer, "NextMarker")[0]
    assert names(blobs("GET", f"/?comp=list&prefix=tf&marker={following}")) == ["tfstate"]


def test_a_containers_access_policy_is_kept(blobs: BlobClient) -> None:
    target = "/state?restype=container&comp=acl"
    blobs("PUT", "/state?restype=container")
    policy = (
        b"<SignedIdentifiers><SignedIdentifier><Id>a</Id></SignedIdentifier></SignedIdentifiers>"
    )
    assert blobs("PUT", target, policy, x_ms_blob_public_access="blob").status == 200
    answer = blobs("GET", target)
    assert answer.body.endswith(policy)
    assert answer.headers["x-ms-blob-public-access"] == "blob"
    assert code(blobs("PUT", target, b"?")) == (400, "InvalidXmlDocument")


def test_service_properties_are_kept_one_by_one(blobs: BlobClient) -> None:
    target = "/?restype=service&comp=properties"
    change = b"<StaticWebsite><Enabled>true</Enabled></StaticWebsite>"
    body = b"<StorageServiceProperties>" + change + b"</StorageServiceProperties>"
    assert blobs("PUT", target, body).status == 202
    answer = blobs("GET", target)
    assert change in answer.body
    assert b"<Logging><Version>1.0</Version>" in answer.body
    unknown = b"<StorageServiceProperties><X/></StorageServiceProperties>"
    assert code(blobs("PUT", target, unknown)) == (400, "InvalidXmlDocument")


@pytest.mark.parametrize("service", ["queue", "table", "file", "dfs"])
def test_other_services_have_their_properties_only(blobs: BlobClient, service: str) -> None:
    headers = {"authorization": f"Bearer {blobs.bearer}", "x-ms-version": VERSION}
    host = HOST.replace(".blob.", f".{service}.")
    target = "/?restype=service&comp=properties"
    change = b"<Cors><CorsRule /></Cors>"
    body = b"<StorageServiceProperties>" + change + b"</StorageServiceProperties>"

    assert blobs.bare("PUT", target, body, headers=headers, host=host).status == 202
    answer = blobs.bare("GET", target, headers=headers, host=host)
    assert change in answer.body
    assert b"StaticWebsite" not in answer.body
    assert change not in blobs("GET", target).body
    refused = blobs.bare("GET", "/things?comp=list", headers=headers, host=host)
    assert code(refused) == (400, "FeatureNotSupported")
    assert f"has no {service}s" in refused.body.decode()


def test_the_account_tells_its_kind(blobs: BlobClient) -> None:
    for target in ("/", "/state", BLOB):
        answer = blobs("HEAD", f"{target}?restype=account&comp=properties")
        assert answer.headers["x-ms-account-kind"] == "StorageV2"


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", BLOB, (405, "UnsupportedHttpVerb")),
        ("OPTIONS", "/?comp=list", (405, "UnsupportedHttpVerb")),
        ("GET", "/", (400, "InvalidQueryParameterValue")),
        ("PUT", f"{BLOB}?comp=undelete", (400, "InvalidQueryParameterValue")),
        ("GET", "/Bad_Name/x", (400, "InvalidResourceName")),
        ("GET", "/a--b/x", (400, "InvalidResourceName")),
        ("PUT", f"/{'a' * 64}?restype=container", (400, "InvalidResourceName")),
        ("GET", "//x", (400, "InvalidResourceName")),
        ("GET", "http://[", (400, "InvalidUri")),
    ],
)
def test_what_is_not_known_is_a_4xx_that_says_so(
    blobs: BlobClient, method: str, target: str, expected: tuple[int, str]
) -> None:
    assert code(blobs(method, target)) == expected


def test_a_name_that_is_too_long_is_refused(blobs: BlobClient) -> None:
    assert code(blobs.put(f"/state/{'a' * 1025}")) == (400, "OutOfRangeInput")
    assert blobs.put(f"/state/{'a' * 1024}").status == 201


def test_a_blob_may_lie_in_the_root_container(blobs: BlobClient) -> None:
    blobs.put("/terraform.tfstate", b"1")
    assert blobs.service.blob("acct", "$root", "terraform.tfstate") == b"1"


@pytest.mark.parametrize(
    "host",
    [
        "acct.blob.core.usgovcloudapi.net",
        "ACCT.blob.core.chinacloudapi.cn",
        "acct.z12.blob.storage.azure.net",
    ],
)
def test_other_clouds_have_the_same_service(blobs: BlobClient, host: str) -> None:
    headers = {
        "authorization": f"Bearer {blobs.bearer}",
        "x-ms-version": VERSION,
        "x-ms-blob-type": "BlockBlob",
    }
    assert blobs.bare("PUT", BLOB, headers=headers, host=host).status == 201
    assert blobs.service.blobs() == ("acct/state/terraform.tfstate",)


@pytest.mark.parametrize("host", ["blob.core.windows.net", "a.b.c", "", "ac_ct.blob.core.x"])
def test_a_host_that_is_no_accounts_is_refused(blobs: BlobClient, host: str) -> None:
    assert code(blobs.bare("GET", BLOB, host=host)) == (400, "InvalidUri")


def test_a_version_that_is_no_date_is_refused(blobs: BlobClient) -> None:
    answer = blobs("GET", BLOB, x_ms_version="latest")
    assert code(answer) == (400, "InvalidHeaderValue")
    assert answer.headers["x-ms-version"] == VERSION


def test_accounts_are_apart(blobs: BlobClient) -> None:
    blobs.put(BLOB)
    headers = {"authorization": f"Bearer {blobs.bearer}", "x-ms-version": VERSION}
    answer = blobs.bare("GET", BLOB, headers=headers, host="other.blob.core.windows.net")
    assert answer.status == 404


def test_the_content_can_be_looked_at(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"1")
    blobs.put(WORKSPACE, b"2")
    blobs.lease(WORKSPACE, "acquire", duration="15", proposed=LEASE)
    where = "acct/state/terraform.tfstate"
    assert blobs.service.blobs() == (where, f"{where}env:dev")
    assert blobs.service.blob("acct", "state", "terraform.tfstate") == b"1"
    assert blobs.service.blob("acct", "state", "none") is None
    assert blobs.service.metadata("acct", "other", "none") is None
    assert blobs.service.leases() == {f"{where}env:dev": LEASE}
    blobs.clock.advance(seconds=16)
    assert blobs.service.leases() == {}


def test_content_can_be_put_back_more_than_once(blobs: BlobClient) -> None:
    blobs.put(BLOB, b"1", x_ms_meta_a="1")
    blobs("PUT", f"{BLOB}?comp=block&blockid=YQ==", b"one")
    before = blobs.service.snapshot()
    for _ in range(2):
        blobs.put(BLOB, b"2")
        blobs.lease(BLOB, "acquire", duration="-1")
        blobs.put("/fresh/x")
        blobs("DELETE", "/fresh?restype=container")
        blobs.service.restore(before)
        assert blobs.service.blobs() == ("acct/state/terraform.tfstate",)
        assert blobs.service.metadata("acct", "state", "terraform.tfstate") == {"a": "1"}
        assert blobs.service.leases() == {}
        assert names(blobs("GET", f"{BLOB}?comp=blocklist&blocklisttype=all")) == ["YQ=="]
        assert blobs("GET", "/fresh/x").headers["x-ms-error-code"] == "BlobNotFound"


def test_reading_what_was_never_written_leaves_no_blob(blobs: BlobClient) -> None:
    blobs("GET", BLOB)
    assert blobs.service.blobs() == ()
