from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.redaction import REDACTED
from pytest_tfoidc.terraform.audit.detector import (
    ACCESS_TOKEN,
    ID_TOKEN,
    JWT,
    KNOWN_SECRET,
    Detected,
    Detector,
)
from tests.terraform.audit.planfiles import make_jwt

MEGABYTE = 1024 * 1024
LONG_ENOUGH = 10.0  # seconds; a search that goes back over the text takes minutes
ID_CLAIMS = {
    "aud": "api://AzureADTokenExchange",
    "iss": "https://vstoken.dev.azure.com/org",
    "sub": "sc://org/project/connection",
    "exp": 1_800_000_000,
}


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        (ID_CLAIMS, ID_TOKEN),
        ({"aud": ["other", "api://AzureADTokenExchangeUSGov"]}, ID_TOKEN),
        ({"aud": "https://storage.azure.com", "tid": "t", "appid": "a"}, ACCESS_TOKEN),
        ({"aud": "https://graph.microsoft.com", "tid": "t", "azp": "a"}, ACCESS_TOKEN),
        ({"aud": "someone"}, JWT),
        ({}, JWT),
    ],
)
def test_a_jwt_is_found_by_its_shape_and_named_by_its_claims(
    claims: dict[str, object], kind: str
) -> None:
    (found,) = Detector().find(make_jwt(claims))

    assert found.kind == kind


def test_expiry_and_issuer_are_told() -> None:
    (found,) = Detector().find(make_jwt(ID_CLAIMS))

    assert found.expires_at == datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
    assert found.issuer == "https://vstoken.dev.azure.com/org"


@pytest.mark.parametrize("expiry", ["soon", None, [], 1e300, -1e300, float("nan"), {}])
def test_an_expiry_that_is_none_is_left_out(expiry: object) -> None:
    (found,) = Detector().find(make_jwt({"exp": expiry, "iss": 5}))

    assert (found.expires_at, found.issuer) == (None, "")


@pytest.mark.parametrize(
    "header", ['{"alg":"none"}', '{ "alg": "RS256"}', '{\n  "alg": "RS256"\n}']
)
def test_a_header_may_be_written_with_spaces(header: str) -> None:
    assert len(Detector().find(make_jwt({}, header=header))) == 1


def test_an_encrypted_or_unsigned_token_is_one_as_well() -> None:
    header, payload, _ = make_jwt(ID_CLAIMS).split(".")

    assert len(Detector().find(f"{header}.{payload}.")) == 1
    assert len(Detector().find(f"{header}.opaque.opaque.opaque.opaque")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eyJ",
        "eyJ.eyJ.eyJ",
        "www.example.com",
        "registry.terraform.io/hashicorp/azurerm",
        make_jwt({}).rpartition(".")[0],
        make_jwt({}, header='{"typ":"JWT"}'),
        make_jwt({}, header='["alg"]'),
        make_jwt({}, header='{"alg"'),
        make_jwt({}, header='{"a":' * 5000),
    ],
)
def test_what_is_no_jwt_is_not_found(text: str) -> None:
    assert Detector().find(text) == ()


@given(before=st.text(), after=st.text(alphabet=st.characters(exclude_characters="_-")))
def test_a_jwt_is_found_inside_any_text(before: str, after: str) -> None:
    token = make_jwt(ID_CLAIMS)

    (found,) = Detector().find(f"{before} {token} {after}")

    assert found.key == token.rpartition(".")[0]


def test_a_jwt_is_found_behind_letters_that_could_be_part_of_it() -> None:
    # msgpack writes a text's length, which may be a letter, directly before it
    assert len(Detector().find("eyJunk-aeyJa" + make_jwt(ID_CLAIMS))) == 1


def test_the_same_jwt_is_told_once_and_two_are_told_twice() -> None:
    first, second = make_jwt(ID_CLAIMS), make_jwt({"aud": "other"})

    assert len(Detector().find(f"{first} {first}")) == 1
    assert len(Detector().find(f"{first}{second}")) == 1  # nothing lies between them
    assert len(Detector().find(f"{first} {second}")) == 2


def test_a_known_jwt_is_told_once() -> None:
    token = make_jwt(ID_CLAIMS)

    (found,) = Detector([token, f"Bearer {token}"]).find(f"Authorization: Bearer {token}")

    assert found.kind == ID_TOKEN


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_jwt_is_found_in_base64(before: str, encode: Callable[[bytes], bytes]) -> None:
    token = make_jwt(ID_CLAIMS)
    encoded = encode(f"{before}{token} and more".encode()).decode()

    (found,) = Detector().find(f'user_data = "{encoded}"')

    assert (found.kind, found.key) == (ID_TOKEN, token.rpartition(".")[0])


secrets = st.text(min_size=6, alphabet=st.characters(codec="utf-8"))


@given(secret=secrets, before=st.text(), after=st.text())
def test_a_known_secret_is_found_inside_any_text(secret: str, before: str, after: str) -> None:
    (found,) = Detector([secret]).find(before + secret + after)

    assert (found.kind, found.key) == (KNOWN_SECRET, secret)


@given(secret=secrets, before=st.binary(), after=st.binary())
def test_a_known_secret_is_found_in_base64(secret: str, before: bytes, after: bytes) -> None:
    whole = before + secret.encode() + after

    for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        assert Detector([secret]).find(encoded.decode())


@pytest.mark.parametrize("secret", ['say "so"', "sv=2022&sig=a%2Fb", "a\\b<c>d", "two\nlines"])
def test_a_known_secret_is_found_as_json_and_urls_write_it(secret: str) -> None:
    go = json.dumps(secret).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")

    assert Detector([secret]).find(go)
    assert Detector([secret]).find("https://example.com/?" + quote(secret, safe=""))


def test_a_known_secret_inside_another_is_told_once() -> None:
    found = Detector(["bearer-1", "url?bearer-1"]).find("call url?bearer-1 now")

    assert [detected.key for detected in found] == ["url?bearer-1"]


def test_other_and_short_values_are_not_found() -> None:
    assert Detector(["hunter-22", "short", ""]).find("a short text of hunter-23") == ()


def test_a_narrowed_detector_finds_the_same() -> None:
    detector = Detector(["secret-1", "secret-2"])
    text = "secret-2 " + make_jwt({})
    found = detector.find(text)

    assert detector.narrowed_to(found).find(text) == found
    assert detector.narrowed_to(found).find("secret-1") == ()


def test_redacting_leaves_nothing() -> None:
    token = make_jwt(ID_CLAIMS)

    redacted = Detector(["secret-1"]).redact(f"a {token} b secret-1 c")

    assert redacted == f"a {REDACTED} b {REDACTED} c"


def test_reprs_show_nothing() -> None:
    token = make_jwt(ID_CLAIMS)
    detector = Detector(["secret-1"])

    assert "secret-1" not in repr(detector)
    assert "eyJ" not in repr(detector.find(token))
    assert "secret-1" not in repr(Detected(kind=KNOWN_SECRET, key="secret-1"))


@pytest.mark.parametrize(
    "text",
    [
        '{"attribute": "an ordinary value", "id": "/subscriptions/0/resourceGroups/x"},\n'
        * 250_000,
        "eyJ" * (7 * MEGABYTE),
        "V5S" * (7 * MEGABYTE),
        "a." * (10 * MEGABYTE),
        ("eyJ" * 1000 + ".a.") * 7000,
    ],
    ids=["ordinary", "starts", "encoded-starts", "dots", "many-starts"],
)
def test_twenty_megabytes_are_searched_in_one_pass(text: str) -> None:
    begun = time.process_time()  # of ours alone: others may be busy

    assert Detector(["a secret that is nowhere"]).find(text) == ()

    assert time.process_time() - begun < LONG_ENOUGH
