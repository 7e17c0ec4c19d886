"""Microsoft's clients of queues and tables talk to the stand-in through its proxy."""

# ruff: noqa: ANN401 - the packages have no types where they are not installed

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

queues: Any = pytest.importorskip("azure.storage.queue", reason="not installed")
tables: Any = pytest.importorskip("azure.data.tables", reason="not installed")

from azure.core import MatchConditions  # noqa: E402 - after the check that it is there
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential  # noqa: E402 - same
from azure.core.exceptions import (  # noqa: E402 - the same
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.mockazure.vaultkit import World  # noqa: E402 - the same

ACCOUNT = "acct"
KINDS = ("bearer", "key", "sas")


def key(here: World) -> str:
    return here.azure.mock.blobs.key_for(ACCOUNT)


def queue_service(here: World, kind: str = "key") -> Any:
    sas = queues.generate_account_sas(
        ACCOUNT,
        key(here),
        queues.ResourceTypes(service=True, container=True, object=True),
        queues.AccountSasPermissions.from_string("rwdlacup"),
        here.azure.clock.now() + timedelta(hours=1),
    )
    credential = {"bearer": here.me, "key": key(here), "sas": sas}[kind]
    options = {**here.me.options(), "credential": credential}
    return queues.QueueServiceClient(f"https://{ACCOUNT}.queue.core.windows.net", **options)


def table_service(here: World, kind: str = "key") -> Any:
    named = AzureNamedKeyCredential(ACCOUNT, key(here))
    sas = tables.generate_account_sas(
        named,
        tables.ResourceTypes(service=True, container=True, object=True),
        tables.AccountSasPermissions.from_string("rwdlacu"),
        here.azure.clock.now() + timedelta(hours=1),
    )
    credential = {"bearer": here.me, "key": named, "sas": AzureSasCredential(sas)}[kind]
    options = {**here.me.options(), "credential": credential}
    return tables.TableServiceClient(f"https://{ACCOUNT}.table.core.windows.net", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_goes_through_a_queue(here: World, kind: str) -> None:
    with queue_service(here, kind) as service:
        queue = service.create_queue("work", metadata={"a": "1"})
        queue.send_message("<one> & \u00e4")
        queue.send_message("two")
        assert [m.content for m in queue.peek_messages(5)] == ["<one> & \u00e4", "two"]
        first = queue.receive_message(visibility_timeout=60)
        assert (first.content, first.dequeue_count) == ("<one> & \u00e4", 1)
        assert queue.receive_message().content == "two"
        assert queue.receive_message() is None
        queue.delete_message(first)
        assert queue.get_queue_properties().approximate_message_count == 1
        assert queue.get_queue_properties().metadata == {"a": "1"}
        assert [q.name for q in service.list_queues(include_metadata=True)] == ["work"]
        service.delete_queue("work")
        with pytest.raises(ResourceNotFoundError):
            queue.send_message("x")


def test_a_message_comes_back_and_goes_with_virtual_time(here: World) -> None:
    with queue_service(here) as service:
        queue = service.create_queue("work")
        queue.send_message("short", time_to_live=3600)
        queue.send_message("late", visibility_timeout=60, time_to_live=-1)
        assert [m.content for m in queue.receive_messages(visibility_timeout=30)] == ["short"]
        here.azure.clock.advance(timedelta(minutes=2))
        again = list(queue.receive_messages(visibility_timeout=30))
        assert [(m.content, m.dequeue_count) for m in again] == [("short", 2), ("late", 1)]
        here.azure.clock.advance(timedelta(hours=2))
        assert [m.content for m in queue.receive_messages()] == ["late"]
        stale = again[1]
        with pytest.raises(HttpResponseError) as refused:
            queue.delete_message(stale)
        assert "PopReceiptMismatch" in str(refused.value)


def test_a_message_is_updated_and_a_queue_cleared(here: World) -> None:
    with queue_service(here) as service:
        queue = service.create_queue("work")
        sent = queue.send_message("one")
        queue.update_message(sent, content="changed", visibility_timeout=0)
        assert queue.peek_messages()[0].content == "changed"
        policy = queues.AccessPolicy(
            permission="r", expiry=datetime(2100, 1, 1, tzinfo=timezone.utc)
        )
        queue.set_queue_access_policy({"p": policy})
        assert list(queue.get_queue_access_policy()) == ["p"]
        queue.clear_messages()
        assert queue.receive_message() is None
        with pytest.raises(ResourceExistsError):
            service.create_queue("work", metadata={"other": "1"})


@pytest.mark.parametrize("name", ["A", "ab", "under_score", "a--b", "x" * 64])
def test_a_queues_name_that_azure_refuses_is_refused(here: World, name: str) -> None:
    with queue_service(here) as service, pytest.raises(HttpResponseError) as refused:
        service.create_queue(name)
    assert refused.value.status_code == 400


def test_a_signature_of_a_queue_allows_what_it_says_until_it_expires(here: World) -> None:
    with queue_service(here) as service:
        service.create_queue("work").send_message("one")
        service.create_queue("other")
    sas = queues.generate_queue_sas(
        ACCOUNT,
        "work",
        key(here),
        permission=queues.QueueSasPermissions(read=True),
        expiry=here.azure.clock.now() + timedelta(hours=1),
    )
    options = {**here.me.options(), "credential": sas}
    url = f"https://{ACCOUNT}.queue.core.windows.net"
    with queues.QueueClient(url, "work", **options) as queue:
        assert queue.peek_messages()[0].content == "one"
        with pytest.raises(HttpResponseError) as refused:
            queue.send_message("x")
        assert refused.value.status_code == 403
        here.azure.clock.advance(timedelta(hours=2))
        with pytest.raises(HttpResponseError) as expired:
            queue.peek_messages()
        assert expired.value.status_code == 403
    with queues.QueueClient(url, "other", **options) as queue, pytest.raises(HttpResponseError):
        queue.peek_messages()


ENTITY = {
    "PartitionKey": "p 1",
    "RowKey": "it's",
    "text": "\u00e4",
    "number": 7,
    "large": tables.EntityProperty(2**40, tables.EdmType.INT64),
    "float": 1.5,
    "flag": True,
    "when": datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    "id": uuid.UUID("11111111-2222-3333-4444-555555555555"),
    "bytes": b"\x00\xff",
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_entity_keeps_its_types(here: World, kind: str) -> None:
    with table_service(here, kind) as service:
        table = service.create_table("people")
        table.create_entity(ENTITY)
        found = table.get_entity("p 1", "it's")
        assert {n: found[n] for n in ("text", "number", "float", "flag", "id", "bytes")} == {
            n: ENTITY[n] for n in ("text", "number", "float", "flag", "id", "bytes")
        }
        assert found["large"].value == 2**40
        assert found["when"] == ENTITY["when"]
        with pytest.raises(ResourceExistsError):
            table.create_entity(ENTITY)
        assert [t.name for t in service.list_tables()] == ["people"]
        assert [t.name for t in service.query_tables("TableName eq 'none'")] == []
        service.delete_table("people")
        with pytest.raises(ResourceNotFoundError):
            table.get_entity("p 1", "it's")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("PartitionKey eq 'a'", ["0", "1", "2", "3"]),
        ("n ge 2 and n lt 4", ["2", "3"]),
        ("n eq 1 or RowKey gt '2'", ["1", "3"]),
        ("not (n eq 0) and even eq true", ["2"]),
        ("big gt 2L", ["3"]),
        ("at ge datetime'2024-01-03T00:00:00Z'", ["2", "3"]),
        ("id eq guid'00000000-0000-0000-0000-000000000001'", ["1"]),
        ("missing eq 'x'", []),
    ],
)
def test_entities_are_found_by_filters(here: World, text: str, rows: list[str]) -> None:
    with table_service(here) as service:
        table = service.create_table("things")
        for number in range(4):
            table.create_entity(
                {
                    "PartitionKey": "a",
                    "RowKey": str(number),
                    "n": number,
                    "even": number % 2 == 0,
                    "big": tables.EntityProperty(number, tables.EdmType.INT64),
                    "at": datetime(2024, 1, 1 + number, tzinfo=timezone.utc),
                    "id": uuid.UUID(int=number),
                }
            )
        assert [e["RowKey"] for e in table.query_entities(text)] == rows


def test_entities_are_merged_replaced_and_deleted_under_conditions(here: World) -> None:
    with table_service(here) as service:
        table = service.create_table("things")
        keys = {"PartitionKey": "a", "RowKey": "1"}
        table.upsert_entity({**keys, "x": 1, "y": 2})
        table.update_entity({**keys, "x": 3}, mode=tables.UpdateMode.MERGE)
        found = table.get_entity("a", "1")
        assert (found["x"], found["y"]) == (3, 2)
        table.update_entity({**keys, "x": 4}, mode=tables.UpdateMode.REPLACE)
        assert "y" not in table.get_entity("a", "1")
        condition = {"etag": found.metadata["etag"]}
        condition |= {"match_condition": MatchConditions.IfNotModified}
        with pytest.raises(ResourceModifiedError):
            table.update_entity({**keys, "x": 5}, **condition)
        with pytest.raises(ResourceNotFoundError):
            table.update_entity({"PartitionKey": "a", "RowKey": "none", "x": 1})
        table.delete_entity("a", "1")
        assert list(table.list_entities()) == []


def test_a_transaction_is_done_as_a_whole_or_not_at_all(here: World) -> None:
    with table_service(here) as service:
        table = service.create_table("things")
        rows = [{"PartitionKey": "a", "RowKey": str(n), "n": n} for n in range(3)]
        table.submit_transaction([("create", row) for row in rows])
        changes = [("upsert", {**rows[0], "n": 9}), ("create", rows[1])]
        with pytest.raises(tables.TableTransactionError) as refused:
            table.submit_transaction(changes)
        assert refused.value.error_code == "EntityAlreadyExists"
        assert [e["n"] for e in table.list_entities()] == [0, 1, 2]


def test_entities_are_listed_over_pages_and_selected(here: World) -> None:
    with table_service(here) as service:
        table = service.create_table("things")
        for number in range(5):
            table.create_entity({"PartitionKey": "a", "RowKey": str(number), "n": number, "m": 1})
        pages = table.list_entities(results_per_page=2, select=["n"]).by_page()
        found = [[dict(e) for e in page] for page in pages]
        assert found == [[{"n": 0}, {"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}]]


@pytest.mark.parametrize(
    "entity",
    [{"PartitionKey": "a"}, {"RowKey": "a"}, {"PartitionKey": "a/b", "RowKey": "c"}],
)
def test_an_entity_without_keys_or_with_bad_ones_is_refused(
    here: World, entity: dict[str, str]
) -> None:
    with table_service(here) as service:
        table = service.create_table("things")
        with pytest.raises((HttpResponseError, ValueError)) as refused:
            table.create_entity(entity)
    assert getattr(refused.value, "status_code", 400) == 400


def test_a_signature_of_a_table_is_for_that_table(here: World) -> None:
    named = AzureNamedKeyCredential(ACCOUNT, key(here))
    with table_service(here) as service:
        service.create_table("things").create_entity({"PartitionKey": "a", "RowKey": "1"})
        service.create_table("other")
    expiry = here.azure.clock.now() + timedelta(hours=1)
    permission = tables.TableSasPermissions(read=True)
    sas = tables.generate_table_sas(named, "things", permission=permission, expiry=expiry)
    options = {**here.me.options(), "credential": AzureSasCredential(sas)}
    url = f"https://{ACCOUNT}.table.core.windows.net"
    with tables.TableClient(url, "things", **options) as table:
        assert len(list(table.list_entities())) == 1
        with pytest.raises(HttpResponseError) as refused:
            table.delete_entity("a", "1")
        assert refused.value.status_code == 403
    with tables.TableClient(url, "other", **options) as table, pytest.raises(HttpResponseError):
        list(table.list_entities())
