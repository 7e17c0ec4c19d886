"""Keys and certificates by plain requests: each algorithm, each refusal, what is pending."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.mockazure.vaultclient import Vaults

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
SIGNING = [
    *(({"kty": "RSA"}, algorithm) for algorithm in RSA_ALGORITHMS),
    ({"kty": "EC"}, "ES256"),
    ({"kty": "EC", "crv": "P-384"}, "ES384"),
    ({"kty": "EC-HSM", "crv": "P-521"}, "ES512"),
    ({"kty": "EC", "crv": "P-256K"}, "ES256K"),
]
SUBJECT = {"x509_props": {"subject": "CN=here"}}
SELF = {"issuer": {"name": "Self"}, **SUBJECT}
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def made(vaults: Vaults, key: dict[str, Any], name: str = "one") -> str:
    """Make a key and return its path."""
    answer = vaults("POST", f"/keys/{name}/create", key)
    assert answer.status == 200, answer.json
    return "/keys/" + str(answer.json["key"]["kid"]).partition("/keys/")[2]


@pytest.mark.parametrize(("key", "algorithm"), SIGNING)
def test_what_a_key_has_signed_it_verifies_and_nothing_else(
    vaults: Vaults, key: dict[str, Any], algorithm: str
) -> None:
    path = made(vaults, key)
    digest = hashlib.new(f"sha{algorithm[2:5]}", b"signed").digest()
    signed = vaults("POST", f"{path}/sign", {"alg": algorithm, "value": text(digest)})
    assert signed.status == 200, signed.json
    other = hashlib.new(f"sha{algorithm[2:5]}", b"other").digest()
    for what, expected in ((digest, True), (other, False)):
        body = {"alg": algorithm, "digest": text(what), "value": signed.json["value"]}
        assert vaults("POST", f"{path}/verify", body).json == {"value": expected}


@pytest.mark.parametrize("algorithm", ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"])
@pytest.mark.parametrize(("there", "back"), [("encrypt", "decrypt"), ("wrapkey", "unwrapkey")])
def test_what_a_key_has_encrypted_it_decrypts(
    vaults: Vaults, algorithm: str, there: str, back: str
) -> None:
    path = made(vaults, {"kty": "RSA"})
    gone = vaults("POST", f"{path}/{there}", {"alg": algorithm, "value": text(b"content")})
    came = vaults("POST", f"{path}/{back}", {"alg": algorithm, "value": gone.json["value"]})
    assert came.json["value"] == text(b"content")


@pytest.mark.parametrize(
    ("key", "operation", "body", "words"),
    [
        ({"kty": "RSA"}, "sign", {"alg": "ES256", "value": text(bytes(32))}, "'ES256'"),
        ({"kty": "EC"}, "verify", {"alg": "RS256", "digest": "", "value": ""}, "'RS256'"),
        ({"kty": "RSA"}, "sign", {"alg": "RS256", "value": text(bytes(20))}, "the length"),
        (
            {"kty": "EC", "key_ops": ["encrypt"]},
            "encrypt",
            {"alg": "RSA-OAEP", "value": "AA"},
            "incompatible",
        ),
        ({"kty": "RSA"}, "encrypt", {"alg": "none", "value": "AA"}, "incompatible"),
        ({"kty": "RSA"}, "encrypt", {"alg": "RSA-OAEP", "value": text(bytes(400))}, "too long"),
        ({"kty": "RSA"}, "decrypt", {"alg": "RSA-OAEP", "value": text(bytes(256))}, "decrypted"),
        ({"kty": "RSA"}, "sign", {"alg": "RS256", "value": "€"}, "base64url"),
        ({"kty": "RSA"}, "sign", {"value": "AA"}, "alg"),
    ],
)
def test_what_a_key_cannot_do_is_refused(
    vaults: Vaults, key: dict[str, Any], operation: str, body: dict[str, Any], words: str
) -> None:
    answer = vaults("POST", f"{made(vaults, key)}/{operation}", body)

    assert (answer.status, answer.code) == (400, "BadParameter")
    assert words in answer.json["error"]["message"]


def test_a_key_does_what_it_is_meant_for_and_when(vaults: Vaults) -> None:
    seconds = int(vaults.arm.clock.now().timestamp())
    sign = {"alg": "ES256", "value": text(bytes(32))}
    for what, inner in (
        ({"key_ops": ["verify"]}, "KeyOperationForbidden"),
        ({"attributes": {"nbf": seconds + 3600}}, "KeyNotYetValid"),
        ({"attributes": {"exp": seconds - 3600}}, "KeyExpired"),
        ({"attributes": {"enabled": False}}, "KeyDisabled"),
    ):
        answer = vaults("POST", f"{made(vaults, {'kty': 'EC', **what})}/sign", sign)
        assert (answer.status, answer.code) == (403, "Forbidden")
        assert answer.json["error"]["innererror"]["code"] == inner
    assert vaults("POST", "/keys/one/create", {"kty": "EC", "key_ops": "sign"}).status == 400
    answer = vaults("POST", "/keys/one/create", {"kty": "EC", "key_ops": ["sign", "fly"]})
    assert "fly" in answer.json["error"]["message"]


def jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.private_numbers()
    public = numbers.public_numbers
    return {
        "kty": "EC",
        "crv": "P-256",
        **{n: text(v.to_bytes(32, "big"))
           for n, v in (("x", public.x), ("y", public.y), ("d", numbers.private_value))},
    }  # fmt: skip


def test_an_ec_key_that_was_made_elsewhere_signs_here(vaults: Vaults) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    answer = vaults("PUT", "/keys/mine", {"key": jwk(key), "Hsm": True})
    assert answer.json["key"]["kty"] == "EC-HSM"
    digest = hashlib.sha256(b"signed").digest()
    signed = vaults("POST", "/keys/mine//sign", {"alg": "ES256", "value": text(digest)})
    body = {"alg": "ES256", "digest": text(digest), "value": signed.json["value"]}
    assert vaults("POST", "/keys/mine//verify", body).json == {"value": True}


@pytest.mark.parametrize(
    "change", [{"d": "A" * 5000}, {"crv": "P-1"}, {"kty": "oct"}, {"x": "€"}, {"y": 7}, {"d": None}]
)
def test_a_key_that_is_none_is_not_imported(vaults: Vaults, change: dict[str, Any]) -> None:
    key = {**jwk(ec.generate_private_key(ec.SECP256R1())), **change}
    answer = vaults("PUT", "/keys/mine", {"key": key})

    assert (answer.status, answer.code) == (400, "BadParameter")


def test_how_a_key_rotates(vaults: Vaults) -> None:
    path = made(vaults, {"kty": "EC", "crv": "P-384", "tags": {"t": "1"}})
    policy = vaults("GET", "/keys/one/rotationpolicy").json
    assert policy["lifetimeActions"][0]["action"] == {"type": "Notify"}
    action = {"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}
    body = {"attributes": {"expiryTime": "P60D"}, "lifetimeActions": [action]}
    assert vaults("PUT", "/keys/one/rotationpolicy", body).status == 200
    kept = vaults("GET", "/keys/one/rotationpolicy").json
    assert kept["attributes"]["expiryTime"] == "P60D"
    assert kept["lifetimeActions"] == [action]
    for wrong in ({"attributes": {"expiryTime": "60 days"}}, {"lifetimeActions": ["Rotate"]}):
        assert vaults("PUT", "/keys/one/rotationpolicy", wrong).code == "BadParameter"
    rotated = vaults("POST", "/keys/one/rotate").json
    assert rotated["key"]["crv"] == "P-384"
    assert rotated["tags"] == {"t": "1"}
    assert path not in rotated["key"]["kid"]


@pytest.mark.parametrize("count", [0, 129, True, "7", None])
def test_random_bytes_are_counted(vaults: Vaults, count: object) -> None:
    assert (
        len(base64.urlsafe_b64decode(vaults("POST", "/rng", {"count": 126}).json["value"])) == 126
    )
    assert vaults("POST", "/rng", {"count": count}).code == "BadParameter"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (SUBJECT, "issuer.name"),
        ({**SELF, "issuer": {"name": "nobody"}}, "'nobody' was not found"),
        ({**SELF, "secret_props": {"contentType": "text/plain"}}, "text/plain"),
        ({**SELF, "x509_props": {"subject": "here"}}, "no valid X.500 name"),
        ({**SELF, "x509_props": {}}, "subject"),
        ({**SELF, "x509_props": {"subject": "CN=a", "ekus": ["server"]}}, "server"),
        ({**SELF, "x509_props": {"subject": "CN=a", "ekus": "1.2"}}, "list of strings"),
        ({**SELF, "x509_props": {"subject": "CN=a", "validity_months": 0}}, "validity_months"),
        ({**SELF, "x509_props": {"sans": {"upns": ["a" * 300]}}}, "sans"),
        ({**SELF, "lifetime_actions": {}}, "lifetime_actions"),
        ({**SELF, "key_props": {"kty": "EC", "crv": "P-1"}}, "P-1"),
    ],
)
def test_a_policy_that_cannot_be_met_is_refused(
    vaults: Vaults, policy: dict[str, Any], words: str
) -> None:
    answer = vaults("POST", "/certificates/one/create", {"policy": policy})

    assert (answer.status, answer.code) == (400, "BadParameter")
    assert words in answer.json["error"]["message"]
    assert vaults("GET", "/certificates/one").status == 404


def test_names_and_uses_of_a_policy_are_in_its_certificate(vaults: Vaults) -> None:
    props = {
        "subject": "CN=here, O=Contoso",
        "ekus": [],
        "key_usage": ["keyAgreement", "encipherOnly"],
        "basic_constraints": {"ca": True},
        "sans": {"dns_names": ["a.example"], "emails": ["a@example"], "upns": ["u@example"]},
    }
    key = {"kty": "EC", "crv": "P-256", "exportable": False}
    policy = {"issuer": {"name": "Self"}, "x509_props": props, "key_props": key}
    assert vaults("POST", "/certificates/one/create", {"policy": policy}).status == 202
    shown = vaults("GET", "/certificates/one/").json
    certificate = x509.load_der_x509_certificate(base64.b64decode(shown["cer"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert len(list(names)) == 3
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_agreement, usage.encipher_only, usage.digital_signature) == (
        True,
        True,
        False,
    )
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert shown["policy"]["lifetime_actions"][0]["action"] == {"action_type": "AutoRenew"}
    secret = vaults("GET", "/secrets/one").json  # without its key, which must not come out
    assert base64.b64decode(secret["value"]) == base64.b64decode(shown["cer"])


def test_a_certificate_of_an_issuer_is_not_signed_by_its_own_key(vaults: Vaults) -> None:
    assert vaults("PUT", "/certificates/issuers/ca", {"provider": "DigiCert"}).status == 200
    policy = {"issuer": {"name": "CA"}, **SUBJECT}
    assert vaults("POST", "/certificates/one/create", {"policy": policy}).status == 202
    shown = vaults("GET", "/certificates/one").json
    certificate = x509.load_der_x509_certificate(base64.b64decode(shown["cer"]))
    assert certificate.issuer != certificate.subject
    actions = shown["policy"]["lifetime_actions"]
    assert actions[0]["action"] == {"action_type": "EmailContacts"}


def test_a_pending_certificate_is_cancelled_forgotten_or_merged(vaults: Vaults) -> None:
    policy = {"issuer": {"name": "Unknown"}, "key_props": {"kty": "EC"}, **SUBJECT}
    begun = vaults("POST", "/certificates/one/create", {"policy": policy})
    assert (begun.status, begun.json["status"]) == (202, "inProgress")
    assert vaults("GET", "/certificates/one/pending").json["csr"] == begun.json["csr"]
    for chain in (None, [], ["AAAA"], [other_certificate()]):
        wrong = {"x5c": chain}
        assert vaults("POST", "/certificates/one/pending/merge", wrong).code == "BadParameter"
    cancelled = vaults("PATCH", "/certificates/one/pending", {"cancellation_requested": True}).json
    assert cancelled["cancellation_requested"] is True
    assert "status_details" not in cancelled
    assert vaults("DELETE", "/certificates/one/pending").status == 200
    assert vaults("GET", "/certificates/one/pending").code == "PendingCertificateNotFound"
    assert vaults("GET", "/certificates/one").code == "CertificateNotFound"


def other_certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return base64.b64encode(certificate_for(key).public_bytes(serialization.Encoding.DER)).decode()


def certificate_for(key: Any) -> x509.Certificate:  # noqa: ANN401 - a private key of any kind
    name = x509.Name.from_rfc4514_string("CN=elsewhere")
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 7, NOW, NOW + timedelta(days=90)
    )
    is_edwards = isinstance(key, ed25519.Ed25519PrivateKey)
    return builder.sign(key, None if is_edwards else hashes.SHA256())


def pem(*parts: Any) -> str:  # noqa: ANN401 - keys and certificates
    return "".join(
        (
            one.public_bytes(serialization.Encoding.PEM)
            if isinstance(one, x509.Certificate)
            else one.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ).decode()
        for one in parts
    )


def test_a_certificate_is_imported_in_every_form_that_azure_takes(vaults: Vaults) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = certificate_for(key)
    locked = serialization.BestAvailableEncryption(b"word")
    pfx = base64.b64encode(
        pkcs12.serialize_key_and_certificates(None, key, certificate, None, locked)
    )
    plain = pem(certificate, key)
    forms = {
        "pfx": {"value": pfx.decode(), "pwd": "word"},
        "pem": {"value": plain},
        "pem-in-base64": {"value": base64.b64encode(plain.encode()).decode()},
        "key-first": {"value": pem(key, certificate).rstrip("\n")},
    }
    for name, body in forms.items():
        answer = vaults("POST", f"/certificates/{name}/import", body)
        assert answer.status == 200, answer.json
        policy = answer.json["policy"]
        assert policy["key_props"]["crv"] == "P-384"
        assert policy["x509_props"]["validity_months"] == 3
        assert base64.b64decode(answer.json["cer"]) == certificate.public_bytes(
            serialization.Encoding.DER
        )


def test_a_certificate_that_cannot_be_imported_says_so(vaults: Vaults) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    certificate = certificate_for(key)
    bare = base64.b64encode(
        pkcs12.serialize_key_and_certificates(
            None, None, certificate, None, serialization.NoEncryption()
        )
    ).decode()
    for value, words in (
        (pem(certificate), "no private key"),
        (bare, "no private key"),
        (pem(certificate_for(edwards), edwards), "neither RSA nor EC"),
        (pem(key), "can not be read"),
        ("not base64!", "can not be read"),
        (
            pem(certificate) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "invalid",
        ),
    ):
        answer = vaults("POST", "/certificates/one/import", {"value": value})
        assert (answer.status, answer.code) == (400, "BadParameter")
        assert words in answer.json["error"]["message"]


def test_a_policy_is_changed_block_by_block(vaults: Vaults) -> None:
    vaults("POST", "/certificates/one/create", {"policy": {**SELF, "key_props": {"kty": "EC"}}})
    vaults("PATCH", "/certificates/one/policy", {"key_props": {"reuse_key": True}})
    first = vaults("GET", "/certificates/one").json
    assert first["policy"]["key_props"]["kty"] == "EC"
    change = {"policy": {"x509_props": {"validity_months": 24}}, "tags": {"t": "1"}}
    changed = vaults("PATCH", "/certificates/one", change).json
    assert changed["policy"]["x509_props"]["validity_months"] == 24
    assert changed["policy"]["x509_props"]["subject"] == "CN=here"
    policy = {**SELF, "key_props": {"kty": "EC", "reuse_key": True}}
    vaults("POST", "/certificates/one/create", {"policy": policy})
    second = vaults("GET", "/certificates/one").json
    before, after = (
        x509.load_der_x509_certificate(base64.b64decode(one["cer"])).public_key()
        for one in (first, second)
    )
    assert before == after
