"""X.509 certificates: issued, imported, and shown as the secret that goes with them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pytest_tfoidc.mockazure.keyvault import certpolicies, errors, keymaterial
from pytest_tfoidc.mockazure.keyvault.call import block_of

USAGES = {  # Key Vault's names, in cryptography's order
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
UTF8, MAX_UPN = 0x0C, 127  # DER's tag of a text, and the longest that has a length of one byte
DAYS_OF_MONTH = 30.4375
LAST_YEAR = 9999


def issued(
    policy: Mapping[str, Any], key: keymaterial.PrivateKey, *, now: datetime, issuer: str = ""
) -> x509.Certificate:
    """Return a certificate for a policy: signed by itself, or by an issuer made for it.

    Raises:
        VaultError: The policy asks for something that cannot be in a certificate.
    """
    props = policy["x509_props"]
    name = certpolicies.subject(props)
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer[:64])]) if issuer else name
    begins = now.replace(microsecond=0) - timedelta(minutes=10)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(other)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(_ends(now, props["validity_months"]))
    )
    for extension, critical in _extensions(props):
        builder = builder.add_extension(extension, critical=critical)
    signer = ec.generate_private_key(ec.SECP256R1()) if issuer else key
    return builder.sign(signer, hashes.SHA256())


def request(policy: Mapping[str, Any], key: keymaterial.PrivateKey) -> str:
    """Return the signing request for a policy, DER in base64."""
    builder = x509.CertificateSigningRequestBuilder(certpolicies.subject(policy["x509_props"]))
    for extension, critical in _extensions(policy["x509_props"]):
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def _ends(now: datetime, months: int) -> datetime:
    try:
        ends = now + timedelta(days=months * DAYS_OF_MONTH)
    except OverflowError:
        ends = now.replace(year=LAST_YEAR)
    return ends.replace(microsecond=0)


def _extensions(props: Mapping[str, Any]) -> list[tuple[x509.ExtensionType, bool]]:
    wanted = set(certpolicies.texts(props, "key_usage"))
    usages = {ours: name in wanted for name, ours in USAGES.items()}
    if not usages["key_agreement"]:
        usages["encipher_only"] = usages["decipher_only"] = False
    ekus = [ObjectIdentifier(oid) for oid in certpolicies.texts(props, "ekus")]
    is_ca = block_of(props, "basic_constraints").get("ca") is True
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_ca, path_length=None), True),
        (x509.KeyUsage(**usages), True),
        (x509.ExtendedKeyUsage(ekus), False),
    ]
    names = _alternative_names(block_of(props, "sans"))
    return [*found, (x509.SubjectAlternativeName(names), False)] if names else found


def _alternative_names(sans: Mapping[str, Any]) -> list[x509.GeneralName]:
    try:
        names: list[x509.GeneralName] = [
            *map(x509.DNSName, certpolicies.texts(sans, "dns_names")),
            *map(x509.RFC822Name, certpolicies.texts(sans, "emails")),
        ]
        names += map(_upn, certpolicies.texts(sans, "upns"))
    except ValueError as error:
        raise errors.bad_parameter("The property 'x509_props.sans' is invalid.") from error
    return names


def _upn(name: str) -> x509.OtherName:
    text = name.encode()
    if len(text) > MAX_UPN:
        raise ValueError("too long")
    return x509.OtherName(UPN, bytes([UTF8, len(text)]) + text)


def imported(value: str, password: str) -> tuple[x509.Certificate, keymaterial.PrivateKey, str]:
    """Return the certificate, the key and the content type of a PFX (base64) or a PEM.

    Raises:
        VaultError: It is neither, its password is wrong, or it has no private key.
    """
    try:
        if "-----BEGIN" in value:
            return *_from_pem(value), certpolicies.PEM
        content = base64.b64decode("".join(value.split()), validate=True)
        if content.lstrip().startswith(b"-----BEGIN"):
            return *_from_pem(content.decode()), certpolicies.PEM
        return *_from_pfx(content, password), certpolicies.PFX
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm) as error:
        message = "The specified PKCS#12 or PEM X.509 certificate content can not be read."
        raise errors.bad_parameter(
            f"{message} Please check if certificate is in valid format."
        ) from error


def _from_pem(text: str) -> tuple[x509.Certificate, keymaterial.PrivateKey]:
    certificates = x509.load_pem_x509_certificates(text.encode())
    begin = text.find("-----BEGIN", 0)
    while begin >= 0 and "PRIVATE KEY-----" not in text[begin : text.find("\n", begin) + 1]:
        begin = text.find("-----BEGIN", begin + 1)
    if begin < 0:
        raise errors.bad_parameter("The certificate has no private key.")
    end = text.find("-----END", begin)
    return certificates[0], keymaterial.from_pem(text[begin : text.find("\n", end) + 1 or None])


def _from_pfx(content: bytes, password: str) -> tuple[x509.Certificate, keymaterial.PrivateKey]:
    key, certificate, _ = pkcs12.load_key_and_certificates(
        content, password.encode() if password else None
    )
    if certificate is None or not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise errors.bad_parameter("The certificate has no private key.")
    return certificate, key


def as_secret(
    certificate: x509.Certificate, key: keymaterial.PrivateKey, policy: Mapping[str, Any]
) -> str:
    """Return the secret of a certificate: with its key where the policy lets that out."""
    exportable = policy["key_props"].get("exportable") is not False
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    if policy["secret_props"]["contentType"] == certpolicies.PEM:
        return (keymaterial.to_pem(key) if exportable else "") + pem
    if not exportable:
        return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    pfx = pkcs12.serialize_key_and_certificates(
        None, key, certificate, None, serialization.NoEncryption()
    )
    return base64.b64encode(pfx).decode()
