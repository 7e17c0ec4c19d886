from __future__ import annotations

import uuid

import pytest

from tests.mockazure.storage.blobclient import BLOB, LEASE, OTHER, BlobClient, code

pytestmark = pytest.mark.usefixtures("with_a_blob")

STATES = ("available", "leased", "expired", "breaking", "broken")


def bring(blobs: BlobClient, state: str) -> None:
    """Bring the blob's lease into a state, with the id LEASE."""
    if state == "available":
        return
    blobs.lease(BLOB, "acquire", duration="15", proposed=LEASE)
    if state == "expired":
        blobs.clock.advance(seconds=15)
    if state in {"breaking", "broken"}:
        blobs.lease(BLOB, "break", **({"break_period": "0"} if state == "broken" else {}))
    assert blobs("HEAD", BLOB).headers["x-ms-lease-state"] == state


def table(rows: dict[str, tuple[str, str, str, str, str]]) -> list[tuple[str, str, str]]:
    """Spread a table: request, state, and what the answer is."""
    return [
        (request, state, outcome)
        for request, outcomes in rows.items()
        for state, outcome in zip(STATES, outcomes, strict=True)
    ]


MISMATCH = "409 LeaseIdMismatchWithLeaseOperation"
ABSENT = "409 LeaseNotPresentWithLeaseOperation"
PRESENT = "409 LeaseAlreadyPresent"
BREAKING = "409 LeaseIsBreakingAndCannotBe"
BROKEN = "409 LeaseIsBrokenAndCannotBeRenewed"
MISSING = "412 LeaseIdMissing"
LOST = "412 LeaseNotPresentWithBlobOperation"
WRONG = "412 LeaseIdMismatchWithBlobOperation"

# Microsoft's two tables of Lease Blob, row by row
ACTIONS = {
    "acquire": ("201", PRESENT, "201", PRESENT, "201"),
    "acquire A": ("201", "201", "201", f"{BREAKING}Acquired", "201"),
    "acquire B": ("201", PRESENT, "201", PRESENT, "201"),
    "break 0": (ABSENT, "202", "202", "202", "202"),
    "break 10": (ABSENT, "202", "202", "202", "202"),
    "break": (ABSENT, "202", "202", "202", "202"),
    "change A to B": (ABSENT, "200", ABSENT, f"{BREAKING}Changed", ABSENT),
    "change B to A": (ABSENT, "200", ABSENT, f"{BREAKING}Changed", ABSENT),
    "change B to C": (ABSENT, MISMATCH, ABSENT, MISMATCH, ABSENT),
    "renew A": (MISMATCH, "200", "200", BROKEN, BROKEN),
    "renew B": (MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH),
    "release A": (MISMATCH, "200", "200", "200", "200"),
    "release B": (MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH),
}
USES = {
    "write": ("2xx", MISSING, "2xx", MISSING, "2xx"),
    "write A": (LOST, "2xx", LOST, "2xx", LOST),
    "write B": (LOST, WRONG, LOST, WRONG, LOST),
    "read": ("2xx", "2xx", "2xx", "2xx", "2xx"),
    "read A": (LOST, "2xx", LOST, "2xx", LOST),
    "read B": (LOST, WRONG, LOST, WRONG, LOST),
}
IDS = {"A": LEASE, "B": OTHER, "C": str(uuid.UUID(int=3))}


@pytest.mark.parametrize(("request_", "state", "outcome"), table(ACTIONS))
def test_actions_on_a_lease_end_as_microsofts_table_says(
    blobs: BlobClient, request_: str, state: str, outcome: str
) -> None:
    bring(blobs, state)
    action, *rest = request_.split()
    headers: dict[str, str] = {}
    if action == "acquire":
        headers = {"duration": "-1", **({"proposed": IDS[rest[0]]} if rest else {})}
    elif action == "break" and rest:
        headers = {"break_period": rest[0]}
    elif action == "change":
        headers = {"id": IDS[rest[0]], "proposed": IDS[rest[2]]}
    elif rest:
        headers = {"id": IDS[rest[0]]}
    status, error = code(blobs.lease(BLOB, action, **headers))
    assert f"{status} {error}".strip() == outcome


def write(blobs: BlobClient, kind: str, headers: dict[str, str]) -> tuple[int, str]:
    """Write to the blob in one of the ways that there are."""
    if kind == "put":
        return code(blobs.put(BLOB, b"new", **headers))
    if kind == "delete":
        return code(blobs("DELETE", BLOB, **headers))
    if kind == "block":
        return code(blobs("PUT", f"{BLOB}?comp=block&blockid=YQ==", b"new", **headers))
    if kind == "blocklist":
        return code(blobs("PUT", f"{BLOB}?comp=blocklist", b"<BlockList/>", **headers))
    return code(blobs("PUT", f"{BLOB}?comp={kind}", **headers))


@pytest.mark.parametrize("kind", ["put", "metadata", "properties", "delete", "block", "blocklist"])
@pytest.mark.parametrize(
    ("request_", "state", "outcome"), [row for row in table(USES) if row[0].startswith("write")]
)
def test_writes_end_as_microsofts_table_says(
    blobs: BlobClient, request_: str, state: str, outcome: str, kind: str
) -> None:
    bring(blobs, state)
    lease_id = request_.partition(" ")[2]
    status, error = write(blobs, kind, {"x_ms_lease_id": IDS[lease_id]} if lease_id else {})
    assert (f"{status} {error}" if error else f"{status // 100}xx") == outcome


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("request_", "state", "outcome"), [row for row in table(USES) if row[0].startswith("read")]
)
def test_reads_end_as_microsofts_table_says(
    blobs: BlobClient, request_: str, state: str, outcome: str, method: str
) -> None:
    bring(blobs, state)
    lease_id = request_.partition(" ")[2]
    headers = {"x_ms_lease_id": IDS[lease_id]} if lease_id else {}
    status, error = code(blobs(method, BLOB, **headers))
    assert (f"{status} {error}" if error else f"{status // 100}xx") == outcome


def test_a_lease_does_not_make_a_new_version(blobs: BlobClient) -> None:
    before = blobs("HEAD", BLOB).headers
    blobs.clock.advance(seconds=5)
    answer = blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE)
    assert answer.headers["x-ms-lease-id"] == LEASE
    assert answer.headers["ETag"] == before["ETag"]
    assert answer.headers["Last-Modified"] == before["Last-Modified"]


def test_an_id_is_made_where_none_is_proposed(blobs: BlobClient) -> None:
    answer = blobs.lease(BLOB, "acquire", duration="-1")
    assert str(uuid.UUID(answer.headers["x-ms-lease-id"])) == answer.headers["x-ms-lease-id"]


def test_lease_ids_are_compared_without_case(blobs: BlobClient) -> None:
    lease_id = "abcdefab-2222-3333-4444-555555555555"
    blobs.lease(BLOB, "acquire", duration="-1", proposed=lease_id.upper())
    assert blobs.lease(BLOB, "release", id=lease_id).status == 200


def test_an_infinite_lease_outlives_days(blobs: BlobClient) -> None:
    blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE)
    blobs.clock.advance(days=30)
    blobs.bearer = blobs.issue("https://storage.azure.com")  # that did expire
    assert blobs("HEAD", BLOB).headers["x-ms-lease-duration"] == "infinite"
    assert code(blobs.put(BLOB)) == (412, "LeaseIdMissing")


@pytest.mark.parametrize("seconds", [15, 60])
def test_a_lease_ends_to_the_second(blobs: BlobClient, seconds: int) -> None:
    blobs.lease(BLOB, "acquire", duration=str(seconds), proposed=LEASE)
    blobs.clock.advance(seconds=seconds - 1)
    assert blobs("HEAD", BLOB).headers["x-ms-lease-status"] == "locked"
    blobs.clock.advance(seconds=1)
    headers = blobs("HEAD", BLOB).headers
    assert (headers["x-ms-lease-status"], headers["x-ms-lease-state"]) == ("unlocked", "expired")
    assert "x-ms-lease-duration" not in headers


def test_renewing_starts_the_time_again(blobs: BlobClient) -> None:
    blobs.lease(BLOB, "acquire", duration="15", proposed=LEASE)
    blobs.clock.advance(seconds=14)
    assert blobs.lease(BLOB, "renew", id=LEASE).headers["x-ms-lease-id"] == LEASE
    blobs.clock.advance(seconds=14)
    assert blobs("HEAD", BLOB).headers["x-ms-lease-state"] == "leased"


def test_an_expired_lease_cannot_be_renewed_after_a_write(blobs: BlobClient) -> None:
    bring(blobs, "expired")
    blobs.put(BLOB)
    answer = blobs.lease(BLOB, "renew", id=LEASE)
    assert code(answer) == (409, "LeaseIdMismatchWithLeaseOperation")


def test_a_write_keeps_the_lease(blobs: BlobClient) -> None:
    blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE)
    blobs.put(BLOB, b"new", x_ms_lease_id=LEASE)
    assert blobs("HEAD", BLOB).headers["x-ms-lease-status"] == "locked"


def test_a_changed_lease_has_its_new_id_only(blobs: BlobClient) -> None:
    blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE)
    answer = blobs.lease(BLOB, "change", id=LEASE, proposed=OTHER)
    assert answer.headers["x-ms-lease-id"] == OTHER
    assert blobs.put(BLOB, x_ms_lease_id=OTHER).status == 201
    assert blobs.put(BLOB, x_ms_lease_id=LEASE).status == 412


@pytest.mark.parametrize(
    ("duration", "period", "rest"),
    [
        ("-1", None, "0"),
        ("-1", "60", "60"),
        ("30", None, "20"),
        ("30", "5", "5"),
        ("30", "60", "20"),
        ("30", "0", "0"),
    ],
)
def test_a_break_takes_what_is_left_at_most(
    blobs: BlobClient, duration: str, period: str | None, rest: str
) -> None:
    blobs.lease(BLOB, "acquire", duration=duration, proposed=LEASE)
    blobs.clock.advance(seconds=10)
    answer = blobs.lease(BLOB, "break", **({"break_period": period} if period else {}))
    assert (answer.status, answer.headers["x-ms-lease-time"]) == (202, rest)
    blobs.clock.advance(seconds=int(rest))
    assert blobs("HEAD", BLOB).headers["x-ms-lease-state"] == "broken"


def test_a_deleted_blob_takes_its_lease_along(blobs: BlobClient) -> None:
    blobs.lease(BLOB, "acquire", duration="-1", proposed=LEASE)
    assert blobs("DELETE", BLOB, x_ms_lease_id=LEASE).status == 202
    assert blobs.put(BLOB).status == 201


def test_a_lease_id_for_a_blob_that_is_not_there_is_lost(blobs: BlobClient) -> None:
    answer = blobs.put("/state/other", x_ms_lease_id=LEASE)
    assert code(answer) == (412, "LeaseNotPresentWithBlobOperation")


@pytest.mark.parametrize(
    ("action", "headers", "error"),
    [
        ("acquire", {}, "MissingRequiredHeader"),
        ("acquire", {"duration": "14"}, "InvalidHeaderValue"),
        ("acquire", {"duration": "61"}, "InvalidHeaderValue"),
        ("acquire", {"duration": "0"}, "InvalidHeaderValue"),
        ("acquire", {"duration": "x"}, "InvalidHeaderValue"),
        ("acquire", {"duration": "15", "proposed": "no guid"}, "InvalidHeaderValue"),
        ("break", {"break_period": "61"}, "InvalidHeaderValue"),
        ("break", {"break_period": "-1"}, "InvalidHeaderValue"),
        ("renew", {}, "MissingRequiredHeader"),
        ("release", {"id": "no guid"}, "InvalidHeaderValue"),
        ("change", {"id": LEASE}, "MissingRequiredHeader"),
        ("steal", {"id": LEASE}, "InvalidHeaderValue"),
        ("", {}, "MissingRequiredHeader"),
    ],
)
def test_a_lease_request_that_is_none_is_refused(
    blobs: BlobClient, action: str, headers: dict[str, str], error: str
) -> None:
    assert code(blobs.lease(BLOB, action, **headers)) == (400, error)
    assert blobs.service.leases() == {}


def test_leasing_keeps_its_conditions(blobs: BlobClient) -> None:
    answer = blobs(
        "PUT",
        f"{BLOB}?comp=lease",
        x_ms_lease_action="acquire",
        x_ms_lease_duration="-1",
        if_match='"0x1"',
    )
    assert code(answer) == (412, "ConditionNotMet")


def test_what_is_not_there_cannot_be_leased(blobs: BlobClient) -> None:
    answer = blobs.lease("/state/other", "acquire", duration="-1")
    assert code(answer) == (404, "BlobNotFound")
