"""Private endpoints: what their targets show of them, and who decides."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_tfoidc.mockazure.arm.endpoints import MANAGED
from tests.mockazure.armclient import RG, Arm

P = f"{RG}/providers"
VAULT = f"{P}/Microsoft.KeyVault/vaults/kv"
ENDPOINT = f"{P}/Microsoft.Network/privateEndpoints/pe"


def endpoint(arm: Arm, target: object, *, kind: str = "privateLinkServiceConnections") -> None:
    asked = {"privateLinkServiceId": target, "groupIds": ["vault"]}
    properties = {kind: [{"name": "one", "properties": asked}]}
    answer = arm("PUT", ENDPOINT, {"location": "westeurope", "properties": properties})
    assert answer.status in {200, 201}


def connections(arm: Arm, target: str = VAULT) -> Any:  # noqa: ANN401 - JSON
    return arm("GET", target).json["properties"].get("privateEndpointConnections", [])


@pytest.fixture
def vault(arm: Arm) -> str:
    arm("PUT", VAULT, {"location": "westeurope", "properties": {}})
    return VAULT


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("privateLinkServiceConnections", "Approved"),
        ("manualPrivateLinkServiceConnections", "Pending"),
    ],
)
def test_a_target_shows_the_endpoints_that_lead_to_it(
    arm: Arm, vault: str, kind: str, status: str
) -> None:
    assert connections(arm) == []
    endpoint(arm, vault.upper(), kind=kind)
    (found,) = connections(arm)
    assert found["properties"]["privateEndpoint"]["id"] == ENDPOINT
    assert found["properties"]["privateLinkServiceConnectionState"]["status"] == status
    assert arm("GET", found["id"]).json["name"] == found["name"]
    listed = arm("GET", f"{vault}/privateEndpointConnections").json["value"]
    assert [one["id"] for one in listed] == [found["id"]]


def test_an_approval_is_seen_at_both_ends_and_outlives_a_change_of_the_endpoint(
    arm: Arm, vault: str
) -> None:
    kind = "manualPrivateLinkServiceConnections"
    endpoint(arm, vault, kind=kind)
    (found,) = connections(arm)
    state = {"status": "Approved", "description": "by us"}
    changed = {"properties": {**found["properties"], "privateLinkServiceConnectionState": state}}
    assert arm("PUT", found["id"], changed).status == 200
    endpoint(arm, vault, kind=kind)
    (asked,) = arm("GET", ENDPOINT).json["properties"][kind]
    assert asked["properties"]["privateLinkServiceConnectionState"] == state
    assert connections(arm)[0]["properties"]["privateLinkServiceConnectionState"] == state


def test_a_connection_goes_with_its_endpoint_and_with_its_target(arm: Arm, vault: str) -> None:
    other = f"{P}/Microsoft.Storage/storageAccounts/acct"
    arm("PUT", other, {"location": "westeurope", "properties": {}})
    endpoint(arm, vault)
    endpoint(arm, other)
    assert (len(connections(arm)), len(connections(arm, other))) == (0, 1)
    arm("DELETE", ENDPOINT)
    assert connections(arm, other) == []
    endpoint(arm, vault)
    arm("DELETE", vault)
    arm("PUT", vault, {"location": "westeurope", "properties": {"createMode": "recover"}})
    assert connections(arm) == []


def test_what_a_client_writes_back_of_its_connections_is_not_kept(arm: Arm, vault: str) -> None:
    endpoint(arm, vault)
    written = arm("GET", vault).json
    arm("DELETE", ENDPOINT)
    assert arm("PUT", vault, written).status == 200
    assert connections(arm) == []


@pytest.mark.parametrize("target", [None, 5, [], "", "x", RG, f"{VAULT}/secrets", "/a" * 70])
def test_a_target_that_is_none_is_no_connection(arm: Arm, target: object) -> None:
    endpoint(arm, target)
    assert arm("GET", ENDPOINT).status == 200
    assert connections(arm, RG) == []


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ({}, "pe.nic.", "10."),
        ({"customNetworkInterfaceName": "mine"}, "mine", "10."),
        (
            {"ipConfigurations": [{"name": "a", "properties": {"privateIPAddress": "10.9.9.9"}}]},
            "pe.nic.",
            "10.9.9.9",
        ),
    ],
)
def test_an_endpoint_has_an_interface_and_hosts_while_it_is_there(
    arm: Arm, vault: str, written: dict[str, Any], name: str, address: str
) -> None:
    asked = {"privateLinkServiceId": vault, "groupIds": ["vault", "none"]}
    linked = [{"name": "one", "properties": asked}]
    properties = {"subnet": {"id": "s"}, "privateLinkServiceConnections": linked, **written}
    arm("PUT", ENDPOINT, {"location": "westeurope", "properties": properties})
    shown = arm("GET", ENDPOINT).json["properties"]
    (interface,) = shown["networkInterfaces"]
    found = arm("GET", interface["id"]).json
    (configuration,) = found["properties"]["ipConfigurations"]
    told = configuration["properties"]["privateIPAddress"]
    assert (found["name"][: len(name)], told[: len(address)]) == (name, address)
    assert shown["customDnsConfigs"] == [{"fqdn": "kv.vault.azure.net", "ipAddresses": [told]}]
    arm("DELETE", ENDPOINT)
    assert arm("GET", interface["id"]).status == 404


@pytest.mark.parametrize("kind", MANAGED)
def test_an_endpoint_of_a_service_waits_at_its_target_until_somebody_approves(
    arm: Arm, vault: str, kind: str
) -> None:
    space, *types = kind.split("/")
    here = f"{P}/{space}"
    for one in types[:-1]:
        here = f"{here}/{one}/x"
        arm("PUT", here, {"location": "westeurope", "properties": {}})
    here = f"{here}/{types[-1]}/x"
    properties: dict[str, Any] = {}
    for path, value in zip(MANAGED[kind], (vault, "vault"), strict=True):
        *blocks, name = path.split(".")
        inner = properties
        for block in blocks:
            inner = inner.setdefault(block, {})
        inner[name] = value
    assert arm("PUT", here, {"properties": properties}).status < 300
    (found,) = connections(arm)
    assert found["properties"]["groupIds"] == ["vault"]
    assert found["properties"]["privateLinkServiceConnectionState"]["status"] == "Pending"
    approved = {"privateLinkServiceConnectionState": {"status": "Approved"}}
    assert arm("PUT", found["id"], {"properties": approved}).status == 200
    arm("DELETE", here)
    assert connections(arm) == []
