"""No input of queues, tables, files, Data Lake and other blobs gives a 5xx or an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.events import EventLog
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.storage.accounts import StorageAccounts
from pytest_tfoidc.mockazure.storage.service import BlobService
from pytest_tfoidc.mockazure.tokens import AccessTokens
from tests.mockazure.storage.blobclient import KEY, ManualClock

SERVICES = ("queue", "table", "file", "dfs", "blob")
SEGMENTS = (
    *("work", "messages", "11111111-2222-3333-4444-555555555555", "Tables", "things()", "$batch"),
    *("Tables('things')", "things(PartitionKey='a',RowKey='b')", "a", "b", "%2E%2E", "%00", "ä"),
    *("x" * 300, "things(", "", "share"),
)
QUERIES = (
    *("comp=list", "comp=acl", "comp=metadata", "comp=properties", "comp=range", "comp=rangelist"),
    *("restype=share", "restype=directory", "resource=file", "resource=filesystem", "comp=page"),
    *("resource=directory", "action=append", "action=flush", "action=setAccessControl"),
    *("position=0", "position=-1", "popreceipt=a", "numofmessages=33", "visibilitytimeout=x"),
    *("peekonly=true", "$filter=a%20eq%20", "$filter=a%20gt%20datetime'x'", "$top=0", "$select=a"),
    *("maxresults=0", "marker=z", "comp=appendblock", "comp=pagelist", "recursive=true"),
)
BODIES = (
    *(b"", b"{", b"[]", b"\xff", b"<a>", b"<!DOCTYPE a><a/>", b'{"TableName": "things"}'),
    *(b'{"PartitionKey": "a", "RowKey": "b", "n@odata.type": "Edm.Int64", "n": "x"}', b"x" * 600),
    *(b'{"PartitionKey": "a", "RowKey": "b", "n": 1}', b'{"TableName": 1}', b'{"a": {}}'),
    *(b"<QueueMessage><MessageText>a</MessageText></QueueMessage>", b"--batch_a\r\nX"),
    b"--changeset_a\n\nPOST https://a/things HTTP/1.1\nX: y\n\n{}\n--changeset_a--",
)
HEADERS = (
    ("x-ms-content-length", "9" * 12),
    ("x-ms-content-length", "600"),
    ("x-ms-range", "bytes=0-511"),
    ("x-ms-range", "bytes=5-1"),
    ("x-ms-write", "update"),
    ("x-ms-page-write", "clear"),
    ("x-ms-blob-type", "PageBlob"),
    ("x-ms-blob-type", "AppendBlob"),
    ("x-ms-blob-content-length", "1024"),
    ("x-ms-blob-content-length", "-5"),
    ("x-ms-share-quota", "x"),
    ("x-ms-meta-a", "b"),
    ("x-ms-properties", "a=!"),
    ("x-ms-rename-source", "/srv/a"),
    ("x-ms-acl", "user::rwx"),
    ("if-match", "*"),
    ("if-none-match", "*"),
    ("accept", "application/json;odata=fullmetadata"),
    ("prefer", "return-no-content"),
    ("authorization", "SharedKeyLite acct:AAAA"),
)
CALLS = st.tuples(
    st.sampled_from(SERVICES),
    st.sampled_from(("GET", "PUT", "POST", "DELETE", "PATCH", "MERGE", "HEAD")),
    st.lists(st.sampled_from(SEGMENTS), max_size=3),
    st.lists(st.sampled_from(QUERIES), max_size=3),
    st.lists(st.sampled_from(HEADERS), max_size=4),
    st.sampled_from(BODIES),
)


@settings(max_examples=200)
@given(st.lists(CALLS, max_size=8))
def test_no_sequence_of_requests_gives_a_server_error(
    sequence: list[tuple[str, str, list[str], list[str], list[tuple[str, str]], bytes]],
) -> None:
    clock = ManualClock()
    tokens = AccessTokens(clock=clock, events=EventLog())
    tokens.key = KEY
    blobs = BlobService(clock=clock, access_tokens=tokens)
    storage = StorageAccounts(clock=clock, access_tokens=tokens, blobs=blobs, tenant_id="t")
    bearer = tokens.issue(
        audience="https://storage.azure.com", client_id="c", object_id="o", tenant_id="t"
    )
    own = {"authorization": f"Bearer {bearer.value}", "x-ms-version": "2023-11-03"}
    for service, method, segments, queries, headers, body in sequence:
        target = f"/{'/'.join(segments)}?{'&'.join(queries)}"
        host = f"acct.{service}.core.windows.net"
        request = Request(method, "https", host, target, {**own, **dict(headers)}, body)
        answer = storage.handle(request)
        assert isinstance(answer, Response)
        assert 200 <= answer.status < 500
        assert "\n" not in "".join(answer.headers.values())
    storage.restore(storage.snapshot())
