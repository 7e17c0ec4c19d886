"""Azure SDK clients in a test reach the stand-in, because the test uses the credential."""

from __future__ import annotations

import os
import re

import pytest

from tests.page_kit import blocks
from tests.project_kit import Project

pytest.importorskip("azure.mgmt.resource", reason="azure-mgmt-resource is not installed")
RUN = ("--tf-module", "module", "--tf-check", "none")
TESTS = """\
import asyncio
import os

import pytest
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient as AsyncClient

from pytest_tfoidc import AsyncRefreshingCredential


@pytest.fixture(scope="session")
def client(oidc_credential, oidc_context):
    made = ResourceManagementClient(oidc_credential, oidc_context.subscription)
    made.resource_groups.create_or_update("rg-all", {"location": "westeurope"})
    yield made
    made.resource_groups.begin_delete("rg-all").wait()
    assert not made.resource_groups.check_existence("rg-all")
    print("torn down")


def test_of_a_fixture(client):
    client.resource_groups.create_or_update("rg-one", {"location": "westeurope"})
    assert client.resource_groups.get("rg-one").location == "westeurope"


def test_what_another_test_made_is_gone(client):
    assert [group.name for group in client.resource_groups.list()] == ["rg-all"]


def test_across_an_expiry(client, oidc_clock):
    list(client.resource_groups.list())
    oidc_clock.advance("2h")
    assert client.resource_groups.check_existence("rg-all")


def test_async(oidc_credential, oidc_context):
    async def names():
        credential = AsyncRefreshingCredential(oidc_credential)
        async with AsyncClient(credential, oidc_context.subscription) as client:
            return [group.name async for group in client.resource_groups.list()]

    assert "rg-all" in asyncio.run(names())


def test_my_own_proxy_wins(oidc_credential, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert os.environ["HTTPS_PROXY"] == "http://127.0.0.1:9"


def test_without_the_credential():
    assert os.environ.get("HTTPS_PROXY") == "http://127.0.0.1:1"
    assert "REQUESTS_CA_BUNDLE" not in os.environ
"""
ALONE = """\
def test_nobody(mock_issuer, oidc_context):
    from azure.core.exceptions import ServiceRequestError
    from azure.mgmt.resource.resources import ResourceManagementClient
    import pytest

    class Credential:
        def get_token(self, *_, **__):
            from azure.core.credentials import AccessToken
            return AccessToken("none", 9999999999)

    client = ResourceManagementClient(Credential(), oidc_context.subscription, retry_total=0)
    with pytest.raises(ServiceRequestError):
        list(client.resource_groups.list())
"""


@pytest.fixture
def outer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose own proxy leads nowhere."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")


def test_clients_reach_the_stand_in_and_other_tests_do_not(project: Project, outer: None) -> None:
    project.module(files={"test_azure.py": TESTS})
    result = project.run(*RUN, "-s")
    result.assert_outcomes(passed=6)
    assert "torn down" in result.stdout.str()


def test_a_client_without_the_credential_stays_where_it_is(project: Project, outer: None) -> None:
    project.module(files={"test_azure.py": ALONE})
    project.run(*RUN).assert_outcomes(passed=1)


def test_the_environment_is_as_before(project: Project) -> None:
    conftest = f"""\
import os


def pytest_unconfigure():
    names = {sorted(name for name in os.environ if "PROXY" in name.upper())!r}
    found = sorted(name for name in os.environ if "PROXY" in name.upper())
    print("as before" if found == names else found)
"""
    project.module(files={"test_azure.py": TESTS.split("def test_without", maxsplit=1)[0]})
    (project.path / "conftest.py").write_text(conftest, encoding="utf-8")
    result = project.run(*RUN, "-s")
    assert re.search(r"^as before$", result.stdout.str(), flags=re.MULTILINE)


def test_the_page_on_fixtures_shows_it(project: Project, outer: None) -> None:
    (example,) = (text for text in blocks("fixtures.md", "python") if "oidc_credential" in text)
    project.module(files={"test_azure.py": example})
    project.run(*RUN).assert_outcomes(passed=1)
