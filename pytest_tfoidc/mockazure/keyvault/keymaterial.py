"""Private keys: made, imported from a JWK, shown as one, and used.

Source: https://learn.microsoft.com/azure/key-vault/keys/about-keys-details and RFC 7517, 7518.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from pytest_tfoidc.mockazure.keyvault import errors

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "P-256K": ec.SECP256K1,
}
CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
CURVE_NAMES["secp256k1"] = "P-256K"
RSA_SIZES = (2048, 3072, 4096)
RSA_NUMBERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
MAX_NUMBER = 4096  # base64 characters of a number; far more than any key has
HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
SIGNATURES = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "P-256K": ("ES256K",),
}


def new(kty: str, *, size: object = None, curve: object = None) -> PrivateKey:
    """Return a new key.

    Raises:
        VaultError: There is no such type, size or curve.
    """
    family = kty.removesuffix("-HSM")
    if family == "RSA":
        wanted = 2048 if size is None else size
        if wanted not in RSA_SIZES:
            raise errors.bad_parameter(f"Property 'key_size' has an invalid value: {wanted}")
        assert isinstance(wanted, int)  # noqa: S101 - for mypy: RSA_SIZES are
        return rsa.generate_private_key(public_exponent=65537, key_size=wanted)
    if family == "EC":
        name = str(curve or "P-256")
        if name not in CURVES:
            raise errors.bad_parameter(f"Property 'crv' has an invalid value: {name}")
        return ec.generate_private_key(CURVES[name]())
    raise errors.bad_parameter(f"Property 'kty' has an invalid value: {kty or '(none)'}")


def imported(jwk: Mapping[str, Any]) -> PrivateKey:
    """Return the key of a JWK with its private numbers.

    Raises:
        VaultError: It is none.
    """
    try:
        family = str(jwk.get("kty", "")).removesuffix("-HSM")
        return {"RSA": _imported_rsa, "EC": _imported_ec}[family](jwk)
    except (KeyError, ValueError, TypeError, binascii.Error) as error:
        raise errors.bad_parameter("Property 'key' is no valid private key (JWK).") from error


def _imported_rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    n, e, d, p, q, dp, dq, qi = (_number(jwk[name]) for name in RSA_NUMBERS)
    public = rsa.RSAPublicNumbers(e, n)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()


def _imported_ec(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = CURVES[jwk["crv"]]()
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _number(text: str) -> int:
    if len(text) > MAX_NUMBER:
        raise ValueError("too long")
    return int.from_bytes(unbase64(text), "big")


def unbase64(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ValueError: It is none.
    """
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def base64url(content: bytes) -> str:
    """Encode base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def to_pem(key: PrivateKey) -> str:
    """Return a key as PEM (PKCS 8)."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def from_pem(pem: str) -> PrivateKey:
    """Return the key of a PEM.

    Raises:
        VaultError: It is none that a vault takes.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise errors.bad_parameter("The private key is invalid.") from error
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise errors.bad_parameter("The private key is neither RSA nor EC.")
    return key


def public_jwk(key: PrivateKey) -> dict[str, str]:
    """Return the public numbers of a key as a JWK has them."""
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _text(rsa_numbers.n), "e": _text(rsa_numbers.e)}
    size = (key.curve.key_size + 7) // 8
    numbers = key.public_key().public_numbers()
    name = CURVE_NAMES[key.curve.name]
    return {"kty": "EC", "crv": name, "x": _text(numbers.x, size), "y": _text(numbers.y, size)}


def _text(number: int, size: int = 0) -> str:
    return base64url(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def _family(key: PrivateKey) -> str:
    return "RSA" if isinstance(key, rsa.RSAPrivateKey) else CURVE_NAMES[key.curve.name]


def _unsupported(algorithm: str) -> errors.VaultError:
    return errors.bad_parameter(f"Key and signing algorithm are incompatible: '{algorithm}'.")


def _hash(algorithm: str, digest: bytes) -> hashes.HashAlgorithm:
    made = HASHES[algorithm.removesuffix("K")[-3:]]()
    if len(digest) != made.digest_size:
        raise errors.bad_parameter(f"The digest has not the length that {algorithm} needs.")
    return made


def _rsa_padding(algorithm: str, made: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.startswith("PS"):
        return padding.PSS(padding.MGF1(made), made.digest_size)
    return padding.PKCS1v15()


def sign(key: PrivateKey, algorithm: str, digest: bytes) -> bytes:
    """Sign a digest.

    Raises:
        VaultError: The algorithm is none of this key's, or the digest has another length.
    """
    if algorithm not in SIGNATURES[_family(key)]:
        raise _unsupported(algorithm)
    made = _hash(algorithm, digest)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, _rsa_padding(algorithm, made), utils.Prehashed(made))
    size = (key.curve.key_size + 7) // 8
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(made))))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def verify(key: PrivateKey, algorithm: str, digest: bytes, signature: bytes) -> bool:
    """Tell whether a signature is the key's own.

    Raises:
        VaultError: The algorithm is none of this key's, or the digest has another length.
    """
    if algorithm not in SIGNATURES[_family(key)]:
        raise _unsupported(algorithm)
    made = _hash(algorithm, digest)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            how = _rsa_padding(algorithm, made)
            key.public_key().verify(signature, digest, how, utils.Prehashed(made))
            return True
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        encoded = utils.encode_dss_signature(r, s)
        key.public_key().verify(encoded, digest, ec.ECDSA(utils.Prehashed(made)))
    except InvalidSignature:
        return False
    return True


def encrypt(key: PrivateKey, algorithm: str, content: bytes) -> bytes:
    """Encrypt, or wrap a key.

    Raises:
        VaultError: The algorithm is none of this key's, or the content is too long.
    """
    how = _encryption(key, algorithm)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - `_encryption` has checked it
    try:
        return key.public_key().encrypt(content, how)
    except ValueError as error:
        raise errors.bad_parameter("The content is too long for the key.") from error


def decrypt(key: PrivateKey, algorithm: str, content: bytes) -> bytes:
    """Decrypt, or unwrap a key.

    Raises:
        VaultError: The algorithm is none of this key's, or the content was not encrypted with it.
    """
    how = _encryption(key, algorithm)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - `_encryption` has checked it
    try:
        return key.decrypt(content, how)
    except ValueError as error:
        raise errors.bad_parameter("The content cannot be decrypted with this key.") from error


def _encryption(key: PrivateKey, algorithm: str) -> padding.AsymmetricPadding:
    known: dict[str, Callable[[], hashes.HashAlgorithm]] = {
        "RSA-OAEP": hashes.SHA1,
        "RSA-OAEP-256": hashes.SHA256,
    }
    if not isinstance(key, rsa.RSAPrivateKey) or algorithm not in {*known, "RSA1_5"}:
        raise errors.bad_parameter(f"Key and encryption algorithm are incompatible: '{algorithm}'.")
    if algorithm == "RSA1_5":
        return padding.PKCS1v15()
    made = known[algorithm]()
    return padding.OAEP(padding.MGF1(made), made, None)
