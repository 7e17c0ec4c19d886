"""Resources that exist beforehand, from files as the Azure CLI prints them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure.directory import AZURE_DEVOPS_APP_ID
from pytest_tfoidc.mockazure.existing import put_existing, read_existing
from tests.mockazure.azurekit import ARM, Azure

SUBSCRIPTION, TENANT = (
    "99999999-8888-7777-6666-555555555555",
    "a0000000-0000-4000-8000-000000000001",
)
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-hub"
NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-hub"
# As `az network vnet show` prints it: flat, with nulls, and its subnets flat as well.
FLAT = {
    "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
    "enableDdosProtection": False,
    "etag": 'W/"1"',
    "id": NETWORK,
    "ipAllocations": None,
    "location": "westeurope",
    "name": "vnet-hub",
    "provisioningState": "Succeeded",
    "resourceGroup": "rg-hub",
    "subnets": [
        {
            "addressPrefix": "10.0.1.0/24",
            "etag": 'W/"1"',
            "id": f"{NETWORK}/subnets/apps",
            "name": "apps",
            "networkSecurityGroup": {"id": f"{GROUP}/x", "resourceGroup": "rg-hub"},
            "resourceGroup": "rg-hub",
            "type": "Microsoft.Network/virtualNetworks/subnets",
        }
    ],
    "tags": {"owner": "platform"},
    "type": "Microsoft.Network/virtualNetworks",
}
USER = {
    "displayName": "Ada",
    "id": "e0000000-0000-4000-8000-000000000001",
    "userPrincipalName": "ada@example.org",
}


def write(folder: Path, value: object, name: str = "existing.json") -> Path:
    path = folder / name
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text, encoding="utf-8")
    return path


def put(azure: Azure, folder: Path, value: object, name: str = "existing.json") -> None:
    put_existing(azure.mock, read_existing([write(folder, value, name)]))


def read(azure: Azure, path: str) -> Any:  # noqa: ANN401 - JSON
    return azure.arm("GET", path).json()


def test_a_resource_as_the_cli_prints_it_reads_as_resource_managers(
    azure: Azure, tmp_path: Path
) -> None:
    put(azure, tmp_path, FLAT)
    network = read(azure, NETWORK)
    assert network["properties"]["addressSpace"] == {"addressPrefixes": ["10.0.0.0/16"]}
    assert network["tags"] == {"owner": "platform"}
    assert "ipAllocations" not in network["properties"]
    subnet = read(azure, f"{NETWORK}/subnets/apps")
    assert subnet["properties"]["addressPrefix"] == "10.0.1.0/24"
    assert subnet["properties"]["networkSecurityGroup"] == {"id": f"{GROUP}/x"}
    assert read(azure, GROUP)["name"] == "rg-hub"


def test_yaml_and_lists_and_parents_in_any_order(azure: Azure, tmp_path: Path) -> None:
    text = f"""
- id: {NETWORK}
  location: northeurope
  properties:
    addressSpace: {{addressPrefixes: [10.0.0.0/16]}}
- id: {GROUP}
  location: northeurope
  tags: {{since: 2024-01-31}}
"""
    put(azure, tmp_path, text, "existing.yaml")
    assert read(azure, GROUP)["tags"] == {"since": "2024-01-31"}
    assert read(azure, NETWORK)["location"] == "northeurope"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_file_as_any_shell_writes_it(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = tmp_path / f"existing{suffix}"
    path.write_text(json.dumps([FLAT, USER]), encoding=encoding)
    assert len(read_existing([path])) == 2


def test_who_uses_a_subscription_first_owns_what_was_there(azure: Azure, tmp_path: Path) -> None:
    put(azure, tmp_path, {"id": GROUP, "location": "westeurope"})
    assert azure.mock.resource_manager.tenant_of(SUBSCRIPTION) == ""
    headers = azure.bearer(tenant=TENANT)
    query = {"api-version": "2024-01-01"}
    assert azure.send("GET", f"{ARM}{GROUP}", params=query, headers=headers).status_code == 200
    assert azure.mock.resource_manager.tenant_of(SUBSCRIPTION) == TENANT


def test_a_subscription_as_az_account_shows_it(azure: Azure, tmp_path: Path) -> None:
    account = {"id": SUBSCRIPTION, "tenantId": TENANT, "name": "Hub", "isDefault": True}
    put(azure, tmp_path, account)
    assert azure.mock.resource_manager.tenant_of(SUBSCRIPTION) == TENANT
    answer = azure.arm("GET", f"/subscriptions/{SUBSCRIPTION}")
    assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenTenant"


def test_users_groups_and_service_principals(azure: Azure, tmp_path: Path) -> None:
    group = {"displayName": "admins", "securityEnabled": True, "mailNickname": "admins"}
    principal = {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "appId": SUBSCRIPTION,
        "displayName": "ci",
    }
    put(azure, tmp_path, [USER, group, principal])
    headers = azure.bearer("https://graph.microsoft.com")

    def found(path: str) -> Any:  # noqa: ANN401 - JSON
        url = f"https://graph.microsoft.com/v1.0/{path}"
        return azure.send("GET", url, headers=headers).json()

    assert found("users/ada@example.org")["id"] == USER["id"]
    admins = found("groups?$filter=displayName eq 'admins'")["value"]
    assert [one["displayName"] for one in admins] == ["admins"]
    assert found(f"servicePrincipals(appId='{SUBSCRIPTION}')")["displayName"] == "ci"


def test_blobs_from_text_from_json_and_from_a_file(azure: Azure, tmp_path: Path) -> None:
    (tmp_path / "network.tfstate").write_bytes(b"{}\n")
    host = "https://stshopstate.blob.core.windows.net/tfstate"
    blobs: list[dict[str, Any]] = [
        {"url": f"{host}/a/text", "content": "words"},
        {"url": f"{host}/json", "content": {"version": 4}},
        {"url": f"{host}/network.tfstate", "file": "network.tfstate"},
    ]
    put(azure, tmp_path, blobs)
    headers = {**azure.bearer("https://storage.azure.com"), "x-ms-version": "2023-11-03"}
    contents = [azure.send("GET", blob["url"], headers=headers).content for blob in blobs]
    assert contents == [b"words", b'{"version": 4}', b"{}\n"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "x"}, "it has no id of Azure's"),
        ({"type": "Microsoft.Web/sites", "name": "x"}, "its type is 'Microsoft.Web/sites'"),
        ({"id": f"{GROUP}/providers/Microsoft.Banana/things/x"}, "Microsoft.Banana"),
        ({"id": NETWORK, "type": "Microsoft.Web/sites"}, "its type is Microsoft.Web/sites"),
        ({"id": f"{GROUP}/providers/Microsoft.Web/sites"}, "is no resource's id"),
        ({"id": "/"}, "is no resource's id"),
        ({"@odata.type": "#microsoft.graph.device", "id": "x"}, "#microsoft.graph.device"),
        ({"id": "https://example.org/x/y"}, "example.org is neither"),
        ({"id": "https://kv.vault.azure.net/secrets/x"}, "a secret has a `value`"),
        ({"url": "https://a.blob.core.windows.net/b/c"}, "a blob has its `content`"),
        ([3], "it is no object"),
        ([GROUP], "it is no object"),
    ],
)
def test_an_entry_of_no_known_type_is_named(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(UsageError, match="of no type that is known") as caught:
        read_existing([write(tmp_path, value)])
    assert said in caught.value.cause
    assert caught.value.where == f"{tmp_path / 'existing.json'}, entry 1"


def test_a_resource_that_is_there_twice_is_named_with_both_places(tmp_path: Path) -> None:
    first = write(tmp_path, [{"id": GROUP}, USER])
    second = write(
        tmp_path, [{"id": GROUP.upper().replace("/SUBSCRIPTIONS", "/subscriptions")}], "b.json"
    )
    with pytest.raises(UsageError, match="there twice") as caught:
        read_existing([first, second])
    assert caught.value.where == f"{second}, entry 1"
    assert f"{first}, entry 1" in caught.value.cause


def test_what_the_stand_in_refuses_is_named_with_its_place(azure: Azure, tmp_path: Path) -> None:
    path = write(tmp_path, [{"id": "/subscriptions/production/resourceGroups/rg"}])
    with pytest.raises(UsageError, match="cannot be put onto the stand-in") as caught:
        put_existing(azure.mock, read_existing([path]))
    assert caught.value.where == f"{path}, entry 1"
    assert "'production' is malformed or invalid" in caught.value.cause


def test_a_secrets_value_is_in_no_error(azure: Azure, tmp_path: Path) -> None:
    secret = {"id": "https://kv.unknown.vault.example/secrets/x", "value": "hunter2-hunter2"}
    with pytest.raises(UsageError) as caught:
        put(azure, tmp_path, secret)
    assert "hunter2" not in str(caught.value)


HUB_VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-hub"
VAULT_URL = "https://kv-hub.vault.azure.net"
OBJECTS = [
    {"id": f"{VAULT_URL}/secrets/pw/0123", "value": "hunter2-hunter2", "kid": None},
    {"attributes": {}, "key": {"kid": f"{VAULT_URL}/keys/shown/0123", "kty": "RSA", "n": "x"}},
    {"attributes": {}, "kid": f"{VAULT_URL}/keys/listed", "name": "listed"},
    {"id": f"{VAULT_URL}/certificates/tls/0123", "sid": f"{VAULT_URL}/secrets/tls", "cer": "x"},
]


@pytest.mark.parametrize(
    "settings",
    [{}, {"enableRbacAuthorization": True}, {"accessPolicies": []}],
    ids=["who may is not said", "roles", "policies"],
)
def test_secrets_keys_and_certificates_whoever_may_ask(
    azure: Azure, tmp_path: Path, settings: dict[str, Any]
) -> None:
    vault = {"id": HUB_VAULT, "name": "kv-hub", "properties": settings}
    put(azure, tmp_path, [*OBJECTS, vault])
    bearer = azure.bearer("https://vault.azure.net")
    for path in ("secrets/pw", "keys/shown", "keys/listed", "certificates/tls"):
        url = f"{VAULT_URL}/{path}?api-version=7.4"
        answer = azure.send("GET", url, headers=bearer)
        assert answer.status_code == (403 if settings else 200), answer.text


def test_a_management_group_as_it_is_shown(azure: Azure, tmp_path: Path) -> None:
    path = "/providers/Microsoft.Management/managementGroups/hub"
    put(azure, tmp_path, {"id": path, "name": "hub", "type": path.rpartition("/")[0]})
    assert read(azure, path)["name"] == "hub"


def test_projects_and_repositories_as_they_are_listed(azure: Azure, tmp_path: Path) -> None:
    project, own = (f"f0000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
    top = "https://dev.azure.com/contoso"
    repositories = f"{top}/{project}/_apis/git/repositories"
    listed = [
        {"id": own, "name": "Shop", "url": f"{repositories}/{own}"},  # which each project has
        {
            "name": "infra",
            "url": f"https://contoso.visualstudio.com/{project}/_apis/git/repositories",
        },
        {"id": project, "name": "Shop", "url": f"{top}/_apis/projects/{project}"},
    ]
    put(azure, tmp_path, listed)
    bearer = azure.bearer(AZURE_DEVOPS_APP_ID)
    url = f"{top}/Shop/_apis/git/repositories?api-version=7.1"
    answer = azure.send("GET", url, headers=bearer).json()
    assert {one["name"] for one in answer["value"]} == {"Shop", "infra"}
    assert {one["project"]["id"] for one in answer["value"]} == {project}


@given(text=st.text(max_size=200), suffix=st.sampled_from([".json", ".yaml"]))
@settings(max_examples=60)
def test_any_text_is_read_or_refused_in_our_own_words(
    tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"existing{suffix}"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read_existing([path])
    except UsageError as error:
        assert str(path) in error.where  # noqa: PT017 - either of both is right
