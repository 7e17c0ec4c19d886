from __future__ import annotations

import base64
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from pytest_tfoidc.events import AccessTokenRefused
from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.storage.auth import (
    AccountKeys,
    Resource,
    sign,
    string_to_sign,
)
from pytest_tfoidc.mockazure.storage.service import BlobService
from tests.mockazure.storage.blobclient import BLOB, HOST, VERSION, BlobClient, code

pytestmark = pytest.mark.usefixtures("with_a_blob")

LISTING = "/state?restype=container&comp=list"


def bearer(blobs: BlobClient, token: str, host: str = HOST) -> tuple[int, str, str, bytes]:
    headers = {"authorization": f"Bearer {token}", "x-ms-version": VERSION}
    answer = blobs.bare("GET", BLOB, headers=headers, host=host)
    return *code(answer), answer.headers.get("WWW-Authenticate", ""), answer.body


CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/the-tenant/oauth2/authorize "
    "resource_id=https://storage.azure.com"
)


@pytest.mark.parametrize(
    "audience",
    ["https://storage.azure.com", "https://storage.azure.com/", f"https://{HOST}"],
)
def test_a_bearer_for_storage_is_taken(blobs: BlobClient, audience: str) -> None:
    assert bearer(blobs, blobs.issue(audience))[0] == 200


@pytest.mark.parametrize(
    "audience", ["https://management.azure.com", "https://other.blob.core.windows.net"]
)
def test_a_bearer_for_somebody_else_is_a_401(blobs: BlobClient, audience: str) -> None:
    status, error, challenge, body = bearer(blobs, blobs.issue(audience))
    assert (status, error, challenge) == (401, "InvalidAuthenticationInfo", CHALLENGE)
    assert b"Audience validation failed. Audience did not match." in body


def test_an_expired_bearer_is_a_401(blobs: BlobClient) -> None:
    blobs.clock.advance(minutes=59)
    assert bearer(blobs, blobs.bearer)[0] == 200
    blobs.clock.advance(minutes=1)
    status, error, challenge, body = bearer(blobs, blobs.bearer)
    assert (status, error, challenge) == (401, "InvalidAuthenticationInfo", CHALLENGE)
    assert b"The token is expired." in body
    assert blobs.bearer.encode() not in body


def test_a_bearer_that_nobody_issued_is_a_401(blobs: BlobClient) -> None:
    status, error, _, body = bearer(blobs, "made-up")
    assert (status, error) == (401, "InvalidAuthenticationInfo")
    assert b"made-up" not in body


def test_no_credential_is_a_401_with_a_challenge(blobs: BlobClient) -> None:
    answer = blobs.bare("GET", BLOB, headers={"x-ms-version": VERSION})
    assert code(answer) == (401, "NoAuthenticationInformation")
    assert answer.headers["WWW-Authenticate"] == CHALLENGE
    refused = blobs.events.of(AccessTokenRefused)
    assert [(event.host, event.reason) for event in refused] == [(HOST, "missing")]


@pytest.mark.parametrize(
    ("host", "login"),
    [
        ("acct.blob.core.usgovcloudapi.net", "login.microsoftonline.us"),
        ("acct.blob.core.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ],
)
def test_the_challenge_names_the_clouds_own_login(blobs: BlobClient, host: str, login: str) -> None:
    assert f"https://{login}/the-tenant/" in bearer(blobs, "made-up", host)[2]


def test_a_bearer_needs_a_version_that_knows_bearers(blobs: BlobClient) -> None:
    for headers in ({}, {"x-ms-version": "2016-05-31"}):
        own = {"authorization": f"Bearer {blobs.bearer}", **headers}
        answer = blobs.bare("GET", BLOB, headers=own)
        assert code(answer) == (403, "AuthenticationFailed")
        assert b"Bearer is not supported in this version" in answer.body


def test_another_scheme_is_refused(blobs: BlobClient) -> None:
    for scheme in ("Basic abc", "Bearer"):
        answer = blobs.bare("GET", BLOB, headers={"authorization": scheme})
        assert answer.status in {400, 401}


def lite(key: str, date: str) -> str:
    text = f"GET\n\n\n\nx-ms-date:{date}\nx-ms-version:2023-11-03\n/acct{BLOB}"
    return f"SharedKeyLite acct:{sign(key, text)}"


def test_a_lite_signature_opens_where_it_is_right(blobs: BlobClient) -> None:
    date = "Fri, 02 Jan 2026 03:04:05 GMT"
    own = {"x-ms-date": date, "x-ms-version": "2023-11-03"}
    for key, status in ((blobs.service.key_for("acct"), 200), (blobs.service.key_for("b"), 403)):
        headers = {**own, "authorization": lite(key, date)}
        assert blobs.bare("GET", BLOB, headers=headers).status == status


def shared_key(
    blobs: BlobClient,
    method: str = "GET",
    target: str = BLOB,
    key: str | None = None,
    account: str = "acct",
    **headers: str,
) -> dict[str, str]:
    """Return a request's headers with a `SharedKey` authorization."""
    own = {"x-ms-date": "Fri, 02 Jan 2026 03:04:05 GMT", "x-ms-version": VERSION}
    own |= {name.replace("_", "-"): value for name, value in headers.items()}
    path, _, query = target.partition("?")
    resource = Resource(
        account="acct", service="blob", container="", blob="", path=path, query=query
    )
    text = string_to_sign(Request(method, "https", HOST, target, own), resource)
    signature = sign(key or blobs.service.key_for("acct"), text)
    return {**own, "authorization": f"SharedKey {account}:{signature}"}


def test_the_string_to_sign_is_microsofts() -> None:
    """Their example: Get Container Metadata, then Put Blob with a body."""
    headers = {
        "x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT",
        "x-ms-version": "2015-02-21",
        "content-length": "0",
    }
    target = "/mycontainer?restype=container&comp=metadata&timeout=20"
    path, _, query = target.partition("?")
    resource = Resource(
        account="myaccount", service="blob", container="", blob="", path=path, query=query
    )
    assert string_to_sign(Request("GET", "https", HOST, target, headers), resource) == (
        "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
        "x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\n"
        "timeout:20"
    )


def test_the_string_to_sign_orders_and_joins_as_the_service_does() -> None:
    headers = {
        "content-length": "11",
        "content-type": "text/plain",
        "date": "not signed beside x-ms-date",
        "range": "bytes=0-1",
        "x-ms-date": "d",
        "x-ms-meta-ab": "1 ",
        "x-ms-meta-a_b": "2",
    }
    resource = Resource(
        account="acct",
        service="blob",
        container="",
        blob="",
        path="/c/b%20c",
        query="B=2&a=z,x&a=y&c=%2B",
    )
    assert string_to_sign(Request("PUT", "https", HOST, "/", headers), resource) == (
        "PUT\n\n\n11\n\ntext/plain\n\n\n\n\n\nbytes=0-1\nx-ms-date:d\nx-ms-meta-a_b:2\n"
        "x-ms-meta-ab:1\n/acct/c/b%20c\na:y,z,x\nb:2\nc:+"
    )


def test_an_account_key_opens_everything(blobs: BlobClient) -> None:
    for key in blobs.service.keys_for("acct"):
        assert blobs.bare("GET", BLOB, headers=shared_key(blobs, key=key)).status == 200
        headers = shared_key(blobs, target=LISTING, key=key)
        assert blobs.bare("GET", LISTING, headers=headers).status == 200


def test_a_signature_is_for_one_request_only(blobs: BlobClient) -> None:
    good = shared_key(blobs)
    assert blobs.bare("GET", BLOB, headers=good).status == 200
    changed = [
        ("DELETE", BLOB, good),
        ("GET", f"{BLOB}?comp=metadata", good),
        ("GET", f"{BLOB}2", good),
        ("GET", BLOB, {**good, "x-ms-date": "Fri, 02 Jan 2026 03:04:06 GMT"}),
        ("GET", BLOB, {**good, "x-ms-lease-id": "1"}),
        ("GET", BLOB, {**good, "if-match": "*"}),
    ]
    for method, target, headers in changed:
        answer = blobs.bare(method, target, headers=headers)
        assert code(answer) == (403, "AuthenticationFailed")
        assert good["authorization"].encode() not in answer.body


@pytest.mark.parametrize("key", [base64.b64encode(b"other").decode(), ""])
def test_another_key_is_refused(blobs: BlobClient, key: str) -> None:
    headers = shared_key(blobs, key=key or blobs.service.key_for("other"))
    assert code(blobs.bare("GET", BLOB, headers=headers)) == (403, "AuthenticationFailed")


def test_another_accounts_name_is_refused(blobs: BlobClient) -> None:
    headers = shared_key(blobs, account="other")
    assert code(blobs.bare("GET", BLOB, headers=headers)) == (403, "AuthenticationFailed")


def test_a_key_does_not_mind_a_clock_that_jumped(blobs: BlobClient) -> None:
    blobs.clock.advance(hours=2)
    assert blobs.bare("GET", BLOB, headers=shared_key(blobs)).status == 200


def test_keys_are_random_stable_and_hidden() -> None:
    keys, others = AccountKeys(), AccountKeys()
    assert keys("acct") == keys("acct")
    assert len({*keys("acct"), *keys("more"), *others("acct")}) == 6
    assert len(base64.b64decode(keys("acct")[0])) == 64
    assert repr(keys) == "<AccountKeys of acct, more>"


def test_the_keys_may_be_somebody_elses(blobs: BlobClient) -> None:
    key = base64.b64encode(b"key").decode()
    service = BlobService(
        clock=blobs.clock, access_tokens=blobs.tokens, keys={"acct": [key]}.__getitem__
    )
    assert service.key_for("acct") == key
    answer = service.handle(Request("GET", "https", HOST, BLOB, shared_key(blobs, key=key)))
    assert answer.status == 404


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def service_sas(
    blobs: BlobClient,
    permissions: str,
    *,
    kind: str = "b",
    version: str = "2023-11-03",
    path: str = BLOB,
    protocol: str = "",
    start: datetime | None = None,
    extra: str = "",
) -> str:
    """Return the query of a service SAS that lives for an hour, written from Microsoft's page."""
    end = stamp(blobs.clock.now() + timedelta(hours=1))
    begin = stamp(start) if start else ""
    resource = f"/blob/acct{path}"
    lines = [permissions, begin, end, resource, "", "", protocol, version]
    lines += [kind, ""] if version >= "2018-11-09" else []
    lines += [""] if version >= "2020-12-06" else []
    lines += ["", "", "", "", extra]
    query = f"sv={version}&sr={kind}&sp={permissions}&se={end.replace(':', '%3A')}"
    query += f"&spr={protocol}" if protocol else ""
    query += f"&st={begin}" if begin else ""
    query += f"&rsct={extra}" if extra else ""
    signature = sign(blobs.service.key_for("acct"), "\n".join(lines))
    return f"{query}&sig={signature.replace('+', '%2B').replace('/', '%2F')}"


def account_sas(
    blobs: BlobClient, permissions: str, *, levels: str = "sco", services: str = "b"
) -> str:
    """Return the query of an account SAS that lives for an hour."""
    end = stamp(blobs.clock.now() + timedelta(hours=1))
    lines = ["acct", permissions, services, levels, "", end, "", "", VERSION, "", ""]
    signature = sign(blobs.service.key_for("acct"), "\n".join(lines)).replace("+", "%2B")
    return f"sv={VERSION}&ss={services}&srt={levels}&sp={permissions}&se={end}&sig={signature}"


@pytest.mark.parametrize("version", ["2015-04-05", "2018-11-09", "2020-12-06", "2024-11-04"])
def test_a_blobs_signature_opens_that_blob(blobs: BlobClient, version: str) -> None:
    blobs.put("/state/other")
    sas = service_sas(blobs, "r", version=version)
    assert blobs.bare("GET", f"{BLOB}?{sas}").body == b"state"
    assert code(blobs.bare("GET", f"/state/other?{sas}")) == (403, "AuthenticationFailed")


def test_a_containers_signature_opens_its_blobs_and_its_list(blobs: BlobClient) -> None:
    sas = service_sas(blobs, "rl", kind="c", path="/state")
    assert blobs.bare("GET", f"{BLOB}?{sas}").status == 200
    assert blobs.bare("GET", f"{LISTING}&{sas}").status == 200
    answer = blobs.bare("GET", f"/state?restype=container&{sas}")
    assert code(answer) == (403, "AuthorizationResourceTypeMismatch")
    assert blobs.bare("GET", f"/other/x?{sas}").status == 403


@pytest.mark.parametrize(
    ("method", "target", "needed"),
    [
        ("GET", BLOB, "r"),
        ("HEAD", BLOB, "r"),
        ("PUT", BLOB, "w"),
        ("PUT", f"{BLOB}?comp=metadata", "w"),
        ("PUT", f"{BLOB}?comp=snapshot", "c"),
        ("GET", LISTING, "l"),
        ("DELETE", BLOB, "d"),
    ],
)
def test_a_signature_gives_its_permissions_only(
    blobs: BlobClient, method: str, target: str, needed: str
) -> None:
    join = "&" if "?" in target else "?"
    headers = {"x-ms-blob-type": "BlockBlob"}
    others = "rwdlc".replace(needed, "").replace("w" if needed == "c" else "", "")
    few = service_sas(blobs, others, kind="c", path="/state")
    enough = service_sas(blobs, needed, kind="c", path="/state")
    refused = blobs.bare(method, target + join + few, headers=headers)
    assert refused.status == 403
    assert refused.headers["x-ms-error-code"] in {
        "AuthorizationPermissionMismatch",
        "UnauthorizedBlobOverwrite",
    }
    assert blobs.bare(method, target + join + enough, headers=headers).status < 300


def test_the_permission_to_create_does_not_overwrite(blobs: BlobClient) -> None:
    sas = service_sas(blobs, "c", kind="c", path="/state")
    headers = {"x-ms-blob-type": "BlockBlob"}
    assert blobs.bare("PUT", f"/state/fresh?{sas}", headers=headers).status == 201
    answer = blobs.bare("PUT", f"/state/fresh?{sas}", headers=headers)
    assert code(answer) == (403, "UnauthorizedBlobOverwrite")


def test_a_signature_ends_and_starts_on_the_virtual_clock(blobs: BlobClient) -> None:
    start = blobs.clock.now() + timedelta(minutes=1)
    sas = service_sas(blobs, "r", start=start)
    early = blobs.bare("GET", f"{BLOB}?{sas}")
    blobs.clock.advance(minutes=1)
    assert blobs.bare("GET", f"{BLOB}?{sas}").status == 200
    blobs.clock.advance(minutes=59)
    late = blobs.bare("GET", f"{BLOB}?{sas}")
    for answer in (early, late):
        assert code(answer) == (403, "AuthenticationFailed")
        assert b"Signature not valid in the specified time frame" in answer.body


def test_a_signature_that_was_touched_is_refused(blobs: BlobClient) -> None:
    sas = service_sas(blobs, "r")
    for touched in (
        sas.replace("sp=r", "sp=rw"),
        sas.replace("se=2026", "se=2027"),
        sas.replace("sv=2023-11-03", "sv=2024-11-04"),
        sas + "A",
        sas.replace("sr=b", "sr=x"),
        sas + "&si=policy",
        sas + "&rsct=text/html",
    ):
        answer = blobs.bare("GET", f"{BLOB}?{touched}")
        assert code(answer) == (403, "AuthenticationFailed")


def test_a_signature_may_be_for_https_only(blobs: BlobClient) -> None:
    sas = service_sas(blobs, "r", protocol="https")
    assert blobs.bare("GET", f"{BLOB}?{sas}").status == 200
    answer = blobs.bare("GET", f"{BLOB}?{sas}", scheme="http")
    assert code(answer) == (403, "AuthorizationProtocolMismatch")


def test_a_signature_may_name_the_answers_content_type(blobs: BlobClient) -> None:
    sas = service_sas(blobs, "r", extra="text/x")
    assert blobs.bare("GET", f"{BLOB}?{sas}").headers["Content-Type"] == "text/x"


def test_a_content_type_that_no_header_can_hold_is_refused(blobs: BlobClient) -> None:
    for bad in ("a\nb", " a", "\xe9"):
        sas = service_sas(blobs, "r", extra=bad)
        answer = blobs.bare("GET", f"{BLOB}?{sas.replace(bad, quote(bad))}")
        assert code(answer) == (400, "InvalidHeaderValue")


def test_an_account_signature_is_for_services_levels_and_permissions(blobs: BlobClient) -> None:
    def ask(target: str, sas: str) -> tuple[int, str]:
        return code(blobs.bare("GET", target + ("&" if "?" in target else "?") + sas))

    assert ask(BLOB, account_sas(blobs, "r")) == (200, "")
    assert ask(LISTING, account_sas(blobs, "l")) == (200, "")
    assert ask("/?comp=list", account_sas(blobs, "l")) == (200, "")
    permission = (403, "AuthorizationPermissionMismatch")
    assert ask(BLOB, account_sas(blobs, "w")) == permission
    level = (403, "AuthorizationResourceTypeMismatch")
    assert ask(BLOB, account_sas(blobs, "r", levels="sc")) == level
    assert ask("/?comp=list", account_sas(blobs, "l", levels="co")) == level
    service = (403, "AuthorizationServiceMismatch")
    assert ask(BLOB, account_sas(blobs, "r", services="qt")) == service


def test_a_copy_needs_reading_rights_too(blobs: BlobClient) -> None:
    headers = {"x-ms-copy-source": f"https://{HOST}{BLOB}"}
    target = "/state/copy?"
    assert blobs.bare("PUT", target + account_sas(blobs, "w"), headers=headers).status == 403
    assert blobs.bare("PUT", target + account_sas(blobs, "rw"), headers=headers).status == 202
    sas = service_sas(blobs, "rw", kind="c", path="/state")
    answer = blobs.bare("PUT", target + sas, headers=headers)
    assert code(answer) == (403, "CannotVerifyCopySource")
