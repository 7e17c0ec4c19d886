"""Azure SDK clients of tests reach the stand-in, as Terraform does.

While a test runs that uses `oidc_credential`, the variables that clients read for proxies and
certificates are those of the stand-in; so they are when its fixtures are torn down. Other tests
keep the environment that they have, and in a live context nothing changes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

import pytest

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.plugin.run import RUN

FIXTURE = "oidc_credential"
IN_USE = pytest.StashKey[bool]()  # the credential has been made: a fixture may hold a client


@contextlib.contextmanager
def led(item: pytest.Item) -> Iterator[None]:
    """Lead clients to the stand-in in the block, if the test has the credential."""
    if not _has_credential(item):
        yield
        return
    item.config.stash[IN_USE] = True
    with _set(_transport(item.config)):
        yield


@contextlib.contextmanager
def led_to_the_end(item: pytest.Item) -> Iterator[None]:
    """Lead clients to the stand-in in the block, if a fixture that ends now may hold one."""
    is_wanted = IN_USE in item.config.stash and not _has_credential(item)  # which is led already
    with _set(_transport(item.config) if is_wanted else {}):
        yield


def _has_credential(item: pytest.Item) -> bool:
    return FIXTURE in getattr(item, "fixturenames", ())


def _transport(config: pytest.Config) -> Mapping[str, str]:
    """Return the stand-in's variables; none in a live context, or where there is no session."""
    try:
        mock = config.stash[RUN].session.mock
    except TfOidcError:
        return {}  # the fixture will say so
    return {} if mock is None else mock.transport_environment()


@contextlib.contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables in the block; afterwards those that still have these values are as before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in variables.items():
            if os.environ.get(name) != value:
                continue  # somebody else's by now
            if before[name] is None:
                del os.environ[name]
            else:
                os.environ[name] = str(before[name])
