"""Reads that found nothing: told from the words of several providers, and from no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.events import RequestAnswered
from pytest_tfoidc.terraform.missing import Complaint, MissingRead, complaint_of, missing_reads

SUBSCRIPTION = "/subscriptions/99999999-8888-7777-6666-555555555555"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-hub"
NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-hub"
ARM, VAULT, GRAPH = "management.azure.com", "kv-hub.vault.azure.net", "graph.microsoft.com"
BLOBS, DEVOPS = "sthub.blob.core.windows.net", "dev.azure.com"
ADA = "11111111-0000-4000-8000-000000000002"
STATE = """
data "terraform_remote_state" "network" {
  backend = "azurerm"
  config = {
    storage_account_name = "stshopstate"
    container_name       = "tfstate"
    key                  = "network.tfstate"
  }
}
"""


def answered(host: str, path: str, status: int = 404) -> RequestAnswered:
    now = real_now()
    return RequestAnswered(at=now, host=host, method="GET", path=path, status=status)


def found(address: str, text: str, *events: RequestAnswered) -> tuple[MissingRead, ...]:
    return missing_reads([Complaint(address=address, text=text)], events, files=())


def test_several_are_told_in_one_order_whatever_terraforms_is() -> None:
    complaints = [
        Complaint(address=f"data.azurerm_resource_group.{name}", text=f'"{name}" was not found')
        for name in ("spoke", "hub")
    ]
    events = [answered(ARM, f"{SUBSCRIPTION}/resourceGroups/{name}") for name in ("spoke", "hub")]
    for said in (complaints, complaints[::-1]):
        assert [read.what for read in missing_reads(said, events, files=())] == ["hub", "spoke"]


@pytest.mark.parametrize(
    ("address", "text", "event", "what", "stub"),
    [
        (
            "data.azurerm_resource_group.hub",
            'Resource Group (Subscription: "9"\nResource Group Name: "rg-hub") was not found',
            answered(ARM, GROUP),
            "rg-hub",
            {"id": GROUP, "name": "rg-hub", "location": "westeurope", "properties": {}},
        ),
        (
            'module.spoke["one"].data.azurerm_virtual_network.hub[0]',
            'Virtual Network (... Name: "vnet-hub") was not\nfound',
            answered(ARM, NETWORK),
            "vnet-hub",
            {
                "id": NETWORK,
                "type": "Microsoft.Network/virtualNetworks",
                "name": "vnet-hub",
                "location": "westeurope",
                "properties": {},
            },
        ),
        (
            "data.azapi_resource.hub",
            f"Failed to retrieve resource\nGET https://{ARM}{NETWORK}\nRESPONSE 404: 404 Not Found",
            answered(ARM, NETWORK),
            "vnet-hub",
            None,
        ),
        (
            "data.azurerm_key_vault_secret.password",
            f'KeyVault Secret "password" (KeyVault URI "https://{VAULT}/") does not exist',
            answered(VAULT, "/secrets/password/"),
            "password",
            {"id": f"https://{VAULT}/secrets/password", "value": ""},
        ),
        (
            "data.azuread_group.admins",
            "No group found matching filter: displayName eq 'admins'",
            answered(GRAPH, "/v1.0/groups", 200),
            "admins",
            {"displayName": "admins", "mailNickname": "", "securityEnabled": True},
        ),
        (
            "data.azuread_application.shop",
            f"Application not found\nno applications found matching filter: \"appId eq '{ADA}'\"",
            answered(GRAPH, "/v1.0/applications", 200),
            ADA,
            {"displayName": "", "appId": ADA},
        ),
        (
            "data.azuread_user.ada",
            f'User not found with object ID: "{ADA}"',
            answered(GRAPH, f"/v1.0/users/{ADA}"),
            ADA,
            {"userPrincipalName": "", "displayName": "", "id": ADA},
        ),
        (
            "data.azuread_users.all",
            'User with UPN "ada@example.org" was not found',
            answered(GRAPH, "/v1.0/users/ada%40example.org"),
            "ada@example.org",
            {"userPrincipalName": "ada@example.org", "displayName": ""},
        ),
        (
            "data.azurerm_key_vault_certificate.tls",
            f'a Certificate named "tls" was not found in Key Vault at URI "https://{VAULT}/"',
            answered(VAULT, "/certificates/tls/"),
            "tls",
            {"id": f"https://{VAULT}/certificates/tls"},
        ),
        (
            "data.azurerm_storage_blob.page",
            'the Blob "web/page.html" was not found in Container "site"',
            answered(BLOBS, "/site/web/page.html"),
            "page.html",
            {"url": f"https://{BLOBS}/site/web/page.html", "content": ""},
        ),
        (
            "data.azurerm_storage_blob.page",
            'locating Storage Account "sthub"',
            answered(ARM, f"{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts", 200),
            "sthub",
            {
                "id": f"{SUBSCRIPTION}/resourceGroups/existing/providers/"
                "Microsoft.Storage/storageAccounts/sthub",
                "type": "Microsoft.Storage/storageAccounts",
                "name": "sthub",
                "location": "westeurope",
                "properties": {},
            },
        ),
        (
            "data.azurerm_private_dns_zone.blobs",
            'No Private DNS Zones found with name: "privatelink.blob.core.windows.net"',
            answered(ARM, f"{SUBSCRIPTION}/resources", 200),
            "privatelink.blob.core.windows.net",
            {
                "id": f"{SUBSCRIPTION}/resourceGroups/existing/providers/"
                "Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net",
                "type": "Microsoft.Network/privateDnsZones",
                "name": "privatelink.blob.core.windows.net",
                "location": "global",
                "properties": {},
            },
        ),
        (
            "data.azuredevops_agent_pool.own",
            "Unable to find agent pool with name: own-pool",
            answered(DEVOPS, "/contoso/_apis/distributedtask/pools", 200),
            "own-pool",
            {"url": f"https://{DEVOPS}/contoso/_apis/distributedtask/pools", "name": "own-pool"},
        ),
        (
            "data.azuredevops_team.shop",
            "Get Team (Team Name: Shop). Error: VS800075: 'Shop' does not exist",
            answered(DEVOPS, "/contoso/_apis/projects/p/teams/Shop"),
            "Shop",
            {"url": f"https://{DEVOPS}/contoso/_apis/projects/p/teams", "name": "Shop"},
        ),
    ],
)
def test_a_read_that_found_nothing_is_told(
    address: str, text: str, event: RequestAnswered, what: str, stub: dict[str, Any] | None
) -> None:
    (read,) = found(address, text, event, answered(ARM, f"{SUBSCRIPTION}/resourceGroups/other"))
    assert str(read) == f"`{address}` reads {what}, which does not exist on the stand-in."
    assert stub is None or dict(read.stub) == stub


@pytest.mark.parametrize(
    ("name", "told"),
    [("vnet", "vnet"), ("hub", "hub"), ("rg-hub", "rg-hub"), ("", "rg-hub")],
)
def test_of_a_group_and_what_lies_in_it_the_one_that_was_read_is_told(name: str, told: str) -> None:
    inner = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/{name or 'hub'}"
    text = 'Resource Group (Name: "rg-hub") was not found'
    if name:
        text = f'Network (Resource Group Name: "rg-hub"\nNetwork Name: "{name}") was not found'
    (read,) = found("data.azurerm_any.one", text, answered(ARM, GROUP), answered(ARM, inner))
    assert read.what == told
    assert read.stub["id"] == (inner if name else GROUP)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("azurerm_resource_group.hub", "rg-hub was not found"),
        ("", "rg-hub was not found"),
        ("data.azurerm_resource_group.hub", "the name is too long"),
        ("data.azurerm_resource_group.hub", "AADSTS700213: No matching record found for 'rg-hub'"),
        ("data.azurerm_resource_group.hub", "SubscriptionNotFound: 'rg-hub' could not be found."),
        ("data.azurerm_resource_group.hub", "unexpected status 403: not found"),
        ("data.http.page", "refused by tfoidc: rg-hub was not found"),
    ],
)
def test_what_fails_for_another_reason_is_not(address: str, text: str) -> None:
    assert found(address, text, answered(ARM, GROUP)) == ()


def diagnostic(statement: str) -> dict[str, Any]:
    return {
        "severity": "error",
        "summary": "Unsupported attribute",
        "detail": 'This object does not have an attribute named "subnet_id".',
        "snippet": {
            "code": "  input = data.terraform_remote_state.network.outputs.subnet_id",
            "values": [
                {
                    "traversal": "data.terraform_remote_state.network.outputs",
                    "statement": statement,
                }
            ],
        },
    }


def test_a_remote_state_that_is_not_there_is_named_and_drafted(tmp_path: Path) -> None:
    file = tmp_path / "main.tf"
    file.write_text(STATE, encoding="utf-8")
    complaint = complaint_of(diagnostic("is object with no attributes"))
    (read,) = missing_reads([complaint], (), files=[file])
    assert str(read) == (
        "`data.terraform_remote_state.network` reads the state tfstate/network.tfstate of"
        " stshopstate, which does not exist on the stand-in."
    )
    assert read.stub["url"] == "https://stshopstate.blob.core.windows.net/tfstate/network.tfstate"
    assert read.stub["content"]["outputs"] == {"subnet_id": {"value": "", "type": "string"}}


def test_a_state_that_is_there_and_lacks_an_output_is_not_missing() -> None:
    complaint = complaint_of(diagnostic('is object with 1 attribute "other"'))
    assert missing_reads([complaint], (), files=()) == ()


def answers_of(*keys: str) -> list[RequestAnswered]:
    return [answered("stshopstate.blob.core.windows.net", f"/tfstate/{key}") for key in keys]


def attribute_error(code: str, value: str) -> Complaint:
    text = 'Unsupported attribute\nThis object does not have an attribute named "subnet_id".'
    return Complaint(text=text, code=code, values=(value,))


@pytest.mark.parametrize(
    ("block", "code", "value", "key"),
    [
        pytest.param(
            STATE,
            "input = local.net.subnet_id",
            "local.net is object with no attributes",
            "network.tfstate",
            id="handed on by a local",
        ),
        pytest.param(
            STATE.replace('"network.tfstate"', '"${var.env}/network.tfstate"'),
            "subnet = data.terraform_remote_state.network.outputs.subnet_id",
            "data.terraform_remote_state.network.outputs is object with no attributes",
            "dev/network.tfstate",
            id="a key with a variable in it",
        ),
        pytest.param(
            STATE.replace('"network.tfstate"', "local.key"),
            "input = data.terraform_remote_state.network.outputs.subnet_id",
            "data.terraform_remote_state.network.outputs is object with no attributes",
            "any/key",
            id="a key by an expression",
        ),
        pytest.param(
            STATE.replace("  config", "  workspace = terraform.workspace\n  config"),
            "input = [for s in data.terraform_remote_state.network : s.outputs.subnet_id]",
            's.outputs is object with 1 attribute "cidr"',
            "network.tfstateenv%3Aprod",
            id="defaults, and a workspace",
        ),
    ],
)
def test_a_remote_state_is_told_by_the_request_for_it(
    tmp_path: Path, block: str, code: str, value: str, key: str
) -> None:
    (tmp_path / "main.tf").write_text(block, encoding="utf-8")
    own = answers_of("tfoidc.tfstate")[:0] if "local.key" in block else answers_of("own.tfstate")
    complaints = [attribute_error(code, value)]
    (read,) = missing_reads(complaints, [*own, *answers_of(key)], files=[tmp_path / "main.tf"])
    shown = key.replace("%3A", ":")
    assert read.what == f"the state tfstate/{shown} of stshopstate"
    assert read.address == "data.terraform_remote_state.network"
    assert read.stub["content"]["outputs"] == {"subnet_id": {"value": "", "type": "string"}}


def test_a_state_of_another_workspace_is_none_of_a_block_that_names_its_own(
    tmp_path: Path,
) -> None:
    each = STATE.replace('"network.tfstate"', '"${each.key}.tfstate"')
    prod = STATE.replace("  config", '  workspace = "prod"\n  config').replace(
        '" "network"', '" "prod"'
    )
    (tmp_path / "main.tf").write_text(each + prod, encoding="utf-8")
    complaint = attribute_error("s.outputs.subnet_id", "s.outputs is object with no attributes")
    events = answers_of("hub.tfstate", "network.tfstateenv%3Aprod")
    reads = missing_reads([complaint], events, files=[tmp_path / "main.tf"])
    assert [(read.address.rpartition(".")[2], read.what.split()[2]) for read in reads] == [
        ("network", "tfstate/hub.tfstate"),
        ("prod", "tfstate/network.tfstateenv:prod"),
    ]


def test_each_absent_state_of_several_is_named(tmp_path: Path) -> None:
    block = STATE.replace('"network.tfstate"', '"${each.key}.tfstate"')
    (tmp_path / "main.tf").write_text(block, encoding="utf-8")
    complaint = attribute_error("s.outputs.subnet_id", "s.outputs is object with no attributes")
    events = answers_of("hub.tfstate", "spoke.tfstate", "hub.tfstate")
    reads = missing_reads([complaint], events, files=[tmp_path / "main.tf"])
    assert [read.what.split()[2] for read in reads] == [
        "tfstate/hub.tfstate",
        "tfstate/spoke.tfstate",
    ]


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("input = var.settings.subnet_id", 'var.settings is object with 1 attribute "x"'),
        ("input = local.net.subnet_id", 'local.net is object with 1 attribute "x"'),
    ],
)
def test_another_object_without_the_attribute_is_no_remote_state(
    tmp_path: Path, code: str, value: str
) -> None:
    (tmp_path / "main.tf").write_text(STATE, encoding="utf-8")
    events = answers_of("network.tfstate")
    assert missing_reads([attribute_error(code, value)], events, files=[tmp_path / "main.tf"]) == ()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            'backend = "local"\n  config = { path = "../network/terraform.tfstate" }',
            "the state ../network/terraform.tfstate does not exist",
        ),
        (
            'backend = "local"\n  config = { path = "${path.module}/x" }',
            "a state in a file does not exist",
        ),
        ('backend = "s3"', "the state of its s3 backend does not exist"),
    ],
)
def test_a_state_that_is_not_on_the_stand_in_is_not_looked_for_there(
    tmp_path: Path, config: str, said: str
) -> None:
    block = f'data "terraform_remote_state" "network" {{\n  {config}\n}}\n'
    (tmp_path / "main.tf").write_text(block, encoding="utf-8")
    text = "Unable to find remote state\nNo stored state was found for the given workspace in the"
    complaint = Complaint(address="module.a.data.terraform_remote_state.network", text=text)
    (read,) = missing_reads([complaint], (), files=[tmp_path / "main.tf"])
    assert read.headline == said
    assert "--tf-existing" not in read.remedy
