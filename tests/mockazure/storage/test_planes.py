"""A part of an account that Resource Manager has is there in its service, and gone with it."""

from __future__ import annotations

import pytest

from pytest_tfoidc.mockazure.directory import SUBSCRIPTION_ID
from tests.mockazure.azurekit import Azure

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/acct"
BODY = {"location": "westeurope", "properties": {}}
STORAGE = "https://storage.azure.com"
HEADERS = {
    "x-ms-version": "2024-11-04",
    "x-ms-file-request-intent": "backup",
    "accept": "application/json;odata=nometadata",
}
PLACES = [
    ("blobServices/default/containers/one", "blob", "/one?restype=container"),
    ("fileServices/default/shares/one", "file", "/one?restype=share"),
    ("queueServices/default/queues/one", "queue", "/one?comp=metadata"),
    ("tableServices/default/tables/One", "table", "/One()"),
]


def read(azure: Azure, service: str, path: str) -> int:
    url = f"https://acct.{service}.core.windows.net{path}"
    return azure.send("GET", url, headers={**azure.bearer(STORAGE), **HEADERS}).status_code


@pytest.fixture(autouse=True)
def _account(azure: Azure) -> None:
    azure.arm("PUT", GROUP, {"location": "westeurope"})
    assert azure.arm("PUT", ACCOUNT, BODY).status_code in {200, 201, 202}


@pytest.mark.parametrize(("child", "service", "path"), PLACES)
def test_a_child_that_resource_manager_has_is_there_in_its_service(
    azure: Azure, child: str, service: str, path: str
) -> None:
    assert read(azure, service, path) == 404
    azure.arm("PUT", f"{ACCOUNT}/{child}", {"properties": {}})
    assert read(azure, service, path) == 200
    azure.arm("PUT", f"{ACCOUNT}/{child}", {"properties": {}})
    assert read(azure, service, path) == 200
    azure.arm("DELETE", f"{ACCOUNT}/{child}")
    assert read(azure, service, path) == 404


@pytest.mark.parametrize(("child", "service", "path"), PLACES)
def test_what_lies_in_a_group_goes_with_it(
    azure: Azure, child: str, service: str, path: str
) -> None:
    azure.arm("PUT", f"{ACCOUNT}/{child}", {"properties": {}})
    assert read(azure, service, path) == 200
    azure.arm("DELETE", GROUP)
    assert read(azure, service, path) == 404
