"""What all tests share. The only conftest: mypy takes two of them for one module."""

from __future__ import annotations

import functools
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_tfoidc.mockazure.tokens import KEY_BITS, SigningKey

pytest_plugins = ("pytester",)


@functools.cache
def _key(_number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


@pytest.fixture(autouse=True)
def keys_that_were_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every stand-in keys from a small stock: making one takes a tenth of a second."""
    numbers = itertools.cycle(range(4))
    ready = functools.cached_property(lambda _self: _key(next(numbers)))
    ready.__set_name__(SigningKey, "_private")
    monkeypatch.setattr(SigningKey, "_private", ready)
