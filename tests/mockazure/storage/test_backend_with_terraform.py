"""Real Terraform's azurerm backend against the stand-in, by each way to its account."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.errors import ExecutableError
from pytest_tfoidc.session import OidcSession, SessionOptions
from pytest_tfoidc.terraform.backend import Inputs
from pytest_tfoidc.terraform.executable import find_executable

ACCOUNT = "statekeeper"
MODULE = """
terraform {
  backend "azurerm" {
    container_name = "tfstate"
    key            = "module.tfstate"
  }
}
output "kept" { value = "so it is" }
"""
BY_KEY = {"storage_account_name": ACCOUNT, "resource_group_name": "rg-state"}
OUTER = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}


def executable() -> str | None:
    """Return the Terraform to test with; the embedded one where the environment asks for that."""
    return os.environ.get("TFOIDC_TEST_EXECUTABLE")


def missing() -> bool:
    try:
        find_executable(executable(), OUTER)
    except ExecutableError:
        return True
    return False


pytestmark = pytest.mark.skipif(missing(), reason="needs Terraform, on PATH or embedded")


@pytest.fixture(scope="module")
def shared() -> Iterator[OidcSession]:
    options = SessionOptions(context="mock", executable=executable(), environment=OUTER)
    with OidcSession(options) as session:
        yield session


@pytest.fixture
def session(shared: OidcSession) -> Iterator[OidcSession]:
    with shared.isolated():
        yield shared


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "main.tf").write_text(MODULE)
    return folder


def schemes_after_apply(
    session: OidcSession, module: Path, backend: Mapping[str, str], host: str = ""
) -> set[str]:
    """Apply with a backend, see that the state is in the account; give how the blobs were asked."""
    assert session.mock is not None
    started = len(session.mock.requests)
    inputs = Inputs(backend=dict(backend))
    with session.workspace(module, inputs=inputs) as workspace:
        workspace.init()
        workspace.apply()
        assert workspace.output("kept") == "so it is"
    assert session.mock.blobs.blobs() == (f"{ACCOUNT}/tfstate/module.tfstate",)
    blob_host = f"{ACCOUNT}.blob.{host or 'core.windows.net'}"
    asked = list(session.mock.requests)[started:]
    return {r.scheme for r in asked if r.host == blob_host}


@pytest.mark.proof
def test_an_account_is_found_by_name_and_its_key_is_looked_up(
    session: OidcSession, module: Path
) -> None:
    assert schemes_after_apply(session, module, BY_KEY) == {"sharedkey"}
    assert session.mock is not None
    listed = session.mock.requests.to("arm", method="POST", path="*/listkeys", status=200)
    assert listed


def test_a_lookup_of_the_blob_endpoint_finds_the_account(
    session: OidcSession, module: Path
) -> None:
    backend = {**BY_KEY, "use_azuread_auth": "true"}
    if session.executable.release >= (1, 11):  # it came then
        backend["lookup_blob_endpoint"] = "true"

    assert schemes_after_apply(session, module, backend) == {"bearer"}


def test_a_key_that_is_given_opens_the_account(session: OidcSession, module: Path) -> None:
    assert session.mock is not None
    key = session.mock.blobs.key_for(ACCOUNT)
    backend = {"storage_account_name": ACCOUNT, "access_key": key}

    assert schemes_after_apply(session, module, backend) == {"sharedkey"}


def test_a_shared_access_signature_opens_the_account(session: OidcSession, module: Path) -> None:
    assert session.mock is not None
    token = signature(session.mock.blobs.key_for(ACCOUNT))
    backend = {"storage_account_name": ACCOUNT, "sas_token": token}

    assert schemes_after_apply(session, module, backend) == {"sas"}


def test_a_key_of_another_account_is_refused(session: OidcSession, module: Path) -> None:
    """The negative control: signatures are really verified."""
    assert session.mock is not None
    key = session.mock.blobs.key_for("another")
    backend = {"storage_account_name": ACCOUNT, "access_key": key}

    with pytest.raises(Exception, match=r"AuthenticationFailed|403"):
        schemes_after_apply(session, module, backend)


def test_sovereign_clouds_have_hosts_and_audiences_of_their_own(
    session: OidcSession, module: Path
) -> None:
    backend = {**BY_KEY, "environment": "usgovernment"}

    schemes = schemes_after_apply(session, module, backend, host="core.usgovcloudapi.net")

    assert schemes == {"sharedkey"}
    assert session.mock is not None
    assert session.mock.requests.to("management.usgovcloudapi.net", status=200)
    assert not session.mock.requests.to("management.azure.com")


def test_a_metadata_host_says_where_everything_is(session: OidcSession, module: Path) -> None:
    backend = {**BY_KEY, "metadata_host": "management.usgovcloudapi.net"}

    schemes = schemes_after_apply(session, module, backend, host="core.usgovcloudapi.net")

    assert schemes == {"sharedkey"}
    assert session.mock is not None
    assert session.mock.requests.to("*", path="/metadata/endpoints", status=200)


def signature(key: str) -> str:
    """Sign an account SAS for blobs."""
    expiry = f"{real_now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    values = {"sp": "rwdlac", "ss": "b", "srt": "sco", "se": expiry, "spr": "https"}
    lines = [ACCOUNT, "rwdlac", "b", "sco", "", expiry, "", "https", "2019-02-02", ""]
    secret = base64.b64decode(key)
    digest = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    query = {**values, "sv": "2019-02-02", "sig": base64.b64encode(digest).decode()}
    return urlencode(query)
