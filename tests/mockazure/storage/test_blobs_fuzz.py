from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.storage.service import ROUTES
from tests.mockazure.storage.blobclient import LEASE, VERSION, BlobClient

# what h11 lets into a header, and what its server gives us as text
LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "X"])
COMPS = sorted({comp for _, _, comp in ROUTES} | {"batch", "undelete"})
VALUES = st.one_of(
    LATIN,
    st.sampled_from(
        [
            "BlockBlob",
            "acquire",
            "break",
            "renew",
            "change",
            "release",
            "-1",
            "15",
            LEASE,
            "*",
            '"0x1"',
            "bytes=0-",
            "bytes=99999999999999999-",
            "Fri, 02 Jan 2026 03:04:05 GMT",
            "Fri, 02 Jan 99999 03:04:05 +9999",
            "https://acct.blob.core.windows.net/state/a",
            "include",
            "9" * 5000,
        ]
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "x-ms-blob-type",
            "x-ms-lease-action",
            "x-ms-lease-duration",
            "x-ms-lease-break-period",
            "x-ms-lease-id",
            "x-ms-proposed-lease-id",
            "x-ms-copy-source",
            "x-ms-delete-snapshots",
            "x-ms-meta-a",
            "x-ms-meta-",
            "x-ms-blob-content-type",
            "x-ms-blob-public-access",
            "x-ms-client-request-id",
            "x-ms-range",
            "x-ms-range-get-content-md5",
            "x-ms-access-tier",
            "x-ms-tags",
            "x-ms-encryption-scope",
            "content-md5",
            "content-type",
            "range",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "x-ms-source-if-modified-since",
        ]
    ),
    VALUES,
    max_size=5,
)
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "restype",
            "comp",
            "snapshot",
            "blockid",
            "blocklisttype",
            "prefix",
            "delimiter",
            "marker",
            "maxresults",
            "include",
        ]
    ),
    st.one_of(
        st.text(),
        st.sampled_from([*COMPS, "container", "service", "account", "YQ==", "1", "snapshots"]),
    ),
    max_size=5,
)
PATHS = st.one_of(
    st.sampled_from(["/", "/state", "/state/a", "/state/a/b", "/$root/x", "//", "*"]),
    st.text().map(lambda text: "/state/" + quote(text)),
    LATIN,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"<BlockList><Latest>YQ==</Latest></BlockList>",
            b"<StorageServiceProperties><Cors/></StorageServiceProperties>",
            b"<SignedIdentifiers/>",
            b"<a>" * 2000,
        ]
    ),
)
PARTS = st.lists(
    st.sampled_from(
        [
            *("--x", "--x--", "--y", "", "Content-ID: 0", "Content-Type: application/http"),
            *(
                "DELETE /state/a HTTP/1.1",
                "PUT /state/a?comp=tier HTTP/1.1",
                "x-ms-access-tier: P4",
            ),
            *(
                "POST /?comp=batch HTTP/1.1",
                "DELETE /?comp=batch HTTP/1.1",
                "DELETE http://[ HTTP/1.1",
            ),
        ]
    ),
    max_size=12,
)
FUZZ = settings(max_examples=300, database=None)


def send_as_the_server_does(response: Response) -> None:
    """Write the answer with h11, which refuses headers that HTTP cannot hold."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    phrase = HTTPStatus(response.status).phrase.encode()
    headers = list(response.headers.items())
    connection.send(h11.Response(status_code=response.status, headers=headers, reason=phrase))


def check(response: Response) -> None:
    assert 200 <= response.status < 500
    assert response.status < 400 or response.headers["x-ms-error-code"]
    send_as_the_server_does(response)


CLIENT = BlobClient()  # its content is part of what is tried


def encode(query: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value)}" for name, value in query.items())


@FUZZ
@given(METHODS, PATHS, QUERIES, HEADERS, BODIES)
def test_no_request_of_somebody_who_may_makes_an_error_of_ours(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    own = {"authorization": f"Bearer {CLIENT.bearer}", "x-ms-version": VERSION}
    check(CLIENT.bare(method, f"{path}?{encode(query)}", body, headers={**headers, **own}))


LEVELS = {"s": "/", "c": "/state", "o": "/state/a"}
OPERATIONS = st.sampled_from([(*route, method) for route in ROUTES for method in ROUTES[route]])
ACTIONS = st.sampled_from(["acquire", "break", "renew", "change", "release"])


@FUZZ
@given(OPERATIONS, ACTIONS, QUERIES, HEADERS, BODIES)
def test_no_known_operation_makes_an_error_of_ours(
    operation: tuple[str, str, str, str],
    action: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    level, kind, comp, method = operation
    likely = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-lease-action": action,
        "x-ms-lease-duration": "15",
        "x-ms-proposed-lease-id": LEASE,
    }
    own = {"authorization": f"Bearer {CLIENT.bearer}", "x-ms-version": VERSION}
    named = {"blockid": "YQ==", **query, "restype": kind, "comp": comp}
    target = f"{LEVELS[level]}?{encode({n: v for n, v in named.items() if v})}"
    check(CLIENT.bare(method, target, body, headers={**likely, **headers, **own}))
    CLIENT.clock.advance(seconds=1)
    CLIENT.bearer = CLIENT.issue("https://storage.azure.com")


@FUZZ
@given(
    st.sampled_from(["https", "http"]),
    st.one_of(st.just("acct.blob.core.windows.net"), st.text()),
    st.one_of(PATHS, st.text(), st.sampled_from(["http://[", "http://a/b?c", "", "?", "/?%zz"])),
    st.dictionaries(st.sampled_from(["authorization", "x-ms-version"]), LATIN),
)
def test_no_request_of_anybody_makes_an_error_of_ours(
    scheme: str, host: str, target: str, headers: dict[str, str]
) -> None:
    check(CLIENT.service.handle(Request("GET", scheme, host, target, headers)))


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(["sv", "ss", "srt", "sr", "sp", "se", "st", "spr", "sip", "si", "skoid"]),
        st.one_of(st.text(), st.sampled_from(["b", "c", "sco", "rwd", "2026-01-02"])),
    ),
    st.one_of(st.text(), st.just("YQ==")),
    st.one_of(LATIN, LATIN.map("SharedKey {}".format), LATIN.map("SharedKey acct:{}".format)),
)
def test_no_made_up_credential_opens_anything(
    sas: dict[str, str], signature: str, authorization: str
) -> None:
    signed = CLIENT.bare("GET", f"/state/a?{encode(sas)}&sig={quote(signature)}")
    keyed = CLIENT.bare("GET", "/state/a", headers={"authorization": authorization})
    for response in (signed, keyed):
        check(response)
        assert response.status in {400, 401, 403}


@FUZZ
@given(PARTS, st.sampled_from(["/?comp=batch", "/state?restype=container&comp=batch"]))
def test_no_batch_makes_an_error_of_ours(lines: list[str], target: str) -> None:
    body = "\r\n".join(["--x", *lines, "--x--"]).encode()
    check(CLIENT("POST", target, body, content_type="multipart/mixed; boundary=x"))
