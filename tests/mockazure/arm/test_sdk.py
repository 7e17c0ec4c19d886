"""Real Azure SDK for Python clients against the stand-in, over a real socket.

They create, poll, update, list, page and delete; their pollers finish without waiting: a poller of
theirs waits 30 s where it is not told better, and these operations take 45 virtual minutes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_tfoidc.clock import real_seconds
from pytest_tfoidc.httpserver import LoopbackServer
from tests.mockazure.armclient import READER, SUBSCRIPTION, TENANT, Arm, S

pytest.importorskip("azure.mgmt.core", reason="the Azure SDK for Python is not installed")

LOCATION = {"location": "westeurope"}
QUICK = 10.0  # seconds: less than one of the SDK's own waits


class Sdk:
    """Makes clients that talk to a stand-in over plain HTTP on loopback."""

    def __init__(self, arm: Arm, url: str) -> None:
        self.arm = arm
        self._url = url

    def client(self, module: str, name: str, *, subscription: bool = True) -> Any:  # noqa: ANN401 - many classes
        pytest.importorskip(f"azure.mgmt.{module}")
        made = getattr(importlib.import_module(f"azure.mgmt.{module}"), name)
        where = {"subscription_id": SUBSCRIPTION} if subscription else {}
        return made(
            credential=object(),  # never asked: the policy below brings the token
            base_url=self._url,
            authentication_policy=self._policy(),
            retry_total=0,
            **where,
        )

    def _policy(self) -> object:
        """Return a policy that brings a new token each time; the SDK's own refuse plain HTTP."""
        policies = importlib.import_module("azure.core.pipeline.policies")
        arm = self.arm

        class Bearer(policies.SansIOHTTPPolicy):  # type: ignore[misc, name-defined]  # loaded late
            def on_request(self, request: Any) -> None:  # noqa: ANN401 - the SDK's signature
                request.http_request.headers["Authorization"] = f"Bearer {arm.new_bearer()}"

        return Bearer()

    def resources(self) -> Any:  # noqa: ANN401 - the client
        return self.client("resource.resources", "ResourceManagementClient")


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    arm = Arm()
    arm.group()
    server = LoopbackServer(arm.manager.handle)
    with server:
        yield Sdk(arm, server.url)
    arm.clock.reset()
    assert server.defects == []


@pytest.fixture
def quick() -> Iterator[None]:
    started = real_seconds()
    yield
    assert real_seconds() - started < QUICK


@pytest.mark.usefixtures("quick")
def test_resource_groups(sdk: Sdk) -> None:
    groups = sdk.resources().resource_groups
    sdk.arm.manager.takes("Microsoft.Resources/resourceGroups", "10m", verb="delete")
    assert groups.check_existence("new") is False

    assert groups.create_or_update("new", LOCATION).properties.provisioning_state == "Succeeded"
    assert groups.update("new", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [g.name for g in groups.list()] == ["rg", "new"]
    assert groups.check_existence("new") is True

    groups.begin_delete("new").result()

    assert groups.check_existence("new") is False


@pytest.mark.usefixtures("quick")
def test_resources_by_id_and_their_pages(sdk: Sdk) -> None:
    resources = sdk.resources().resources
    path = f"{S}/resourceGroups/rg/providers/Vendor.Thing/things"
    first = {"resource_id": f"{path}/t0", "api_version": "2024-01-01"}
    sdk.arm.manager.takes("Vendor.Thing/things", "45m")
    for n in range(3):
        poller = resources.begin_create_or_update_by_id(
            resource_id=f"{path}/t{n}",
            api_version="2024-01-01",
            parameters={**LOCATION, "properties": {"n": n}},
        )
        assert poller.result().properties["n"] == n

    pages = [[r.name for r in page] for page in resources.list(top=2).by_page()]

    assert pages == [["t0", "t1"], ["t2"]]
    assert resources.check_existence_by_id(**first) is True
    resources.begin_delete_by_id(**first).result()
    assert resources.check_existence_by_id(**first) is False


@pytest.mark.usefixtures("quick")
def test_networks(sdk: Sdk) -> None:
    client = sdk.client("network", "NetworkManagementClient")
    networks = client.virtual_networks
    sdk.arm.manager.takes("Microsoft.Network/virtualNetworks", "45m")
    body = {**LOCATION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}

    made = networks.begin_create_or_update("rg", "vnet", body).result()
    subnet = client.subnets.begin_create_or_update(
        "rg", "vnet", "a", {"properties": {"addressPrefix": "10.0.0.0/24"}}
    ).result()

    assert made.provisioning_state == "Succeeded"
    assert [s.id for s in networks.get("rg", "vnet").subnets] == [subnet.id]
    assert networks.update_tags("rg", "vnet", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [n.name for n in networks.list("rg")] == ["vnet"]
    assert [n.name for n in networks.list_all()] == ["vnet"]
    networks.begin_delete("rg", "vnet").result()
    assert list(networks.list_all()) == []


@pytest.mark.usefixtures("quick")
def test_storage_accounts(sdk: Sdk) -> None:
    client = sdk.client("storage", "StorageManagementClient")
    accounts = client.storage_accounts
    sdk.arm.manager.takes("Microsoft.Storage/storageAccounts", "5m", verb="create")
    body = {**LOCATION, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
    name = {"name": "acct", "type": "Microsoft.Storage/storageAccounts"}
    assert accounts.check_name_availability(name).name_available is True

    made = accounts.begin_create("rg", "acct", body).result()

    assert made.primary_endpoints.blob == "https://acct.blob.core.windows.net/"
    assert len(accounts.list_keys("rg", "acct").as_dict()["keys"]) == 2
    assert client.blob_containers.create("rg", "acct", "data", {"properties": {}}).name == "data"
    assert [c.name for c in client.blob_containers.list("rg", "acct")] == ["data"]
    assert accounts.update("rg", "acct", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [a.name for a in accounts.list()] == ["acct"]
    accounts.delete("rg", "acct")
    assert list(accounts.list_by_resource_group("rg")) == []


@pytest.mark.usefixtures("quick")
def test_role_assignments(sdk: Sdk) -> None:
    client = sdk.client("authorization", "AuthorizationManagementClient")
    scope = f"{S}/resourceGroups/rg"
    (role,) = client.role_definitions.list(scope, filter="roleName eq 'Reader'")
    assert role.name == READER
    properties = {"roleDefinitionId": role.id, "principalId": "p", "principalType": "User"}

    made = client.role_assignments.create(scope, "one", {"properties": properties})

    assert (made.scope, made.principal_type, made.role_definition_id) == (scope, "User", role.id)
    assert [a.name for a in client.role_assignments.list_for_scope(scope)] == ["one"]
    assert client.role_assignments.get_by_id(made.id).name == "one"
    assert client.role_assignments.delete(scope, "one").name == "one"
    assert list(client.role_assignments.list_for_subscription()) == []


@pytest.mark.usefixtures("quick")
def test_managed_identities(sdk: Sdk) -> None:
    client = sdk.client("msi", "ManagedServiceIdentityClient")
    identities = client.user_assigned_identities
    federation = {"issuer": "https://issuer", "subject": "s", "audiences": ["a"]}

    made = identities.create_or_update("rg", "me", LOCATION)
    federated = client.federated_identity_credentials.create_or_update(
        "rg",
        "me",
        "fic",
        {"properties": federation},
    )

    assert made.tenant_id == TENANT
    assert made.client_id != made.principal_id
    assert federated.subject == "s"
    assert (
        identities.update("rg", "me", {**LOCATION, "tags": {"a": "b"}}).client_id == made.client_id
    )
    assert [i.name for i in identities.list_by_resource_group("rg")] == ["me"]
    assert [c.name for c in client.federated_identity_credentials.list("rg", "me")] == ["fic"]
    identities.delete("rg", "me")
    assert list(identities.list_by_subscription()) == []


@pytest.mark.usefixtures("quick")
def test_key_vaults(sdk: Sdk) -> None:
    vaults = sdk.client("keyvault", "KeyVaultManagementClient").vaults
    sdk.arm.manager.takes("Microsoft.KeyVault/vaults", "2m", verb="create")
    properties = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}}
    body = {**LOCATION, "properties": {**properties, "accessPolicies": []}}

    made = vaults.begin_create_or_update("rg", "kv", body).result()

    assert made.properties.vault_uri == "https://kv.vault.azure.net/"
    assert [v.name for v in vaults.list_by_resource_group("rg")] == ["kv"]
    vaults.delete("rg", "kv")
    assert vaults.get_deleted("kv", "westeurope").properties.vault_id == made.id
    assert [v.name for v in vaults.list_deleted()] == ["kv"]
    vaults.begin_purge_deleted("kv", "westeurope").result()
    assert list(vaults.list_deleted()) == []


@pytest.mark.usefixtures("quick")
def test_subscriptions(sdk: Sdk) -> None:
    client = sdk.client("subscription", "SubscriptionClient", subscription=False)

    assert [s.subscription_id for s in client.subscriptions.list()] == [SUBSCRIPTION]
    assert client.subscriptions.get(SUBSCRIPTION).state == "Enabled"
    assert [t.tenant_id for t in client.tenants.list()] == [TENANT]
    assert "westeurope" in {r.name for r in client.subscriptions.list_locations(SUBSCRIPTION)}


@pytest.mark.usefixtures("quick")
def test_an_error_is_one_of_the_sdks(sdk: Sdk) -> None:
    exceptions = importlib.import_module("azure.core.exceptions")
    networks = sdk.client("network", "NetworkManagementClient").virtual_networks

    with pytest.raises(exceptions.ResourceNotFoundError) as raised:
        networks.get("rg", "none")

    assert raised.value.error.code == "ResourceNotFound"


def test_the_sdk_waits_where_it_is_told_nothing() -> None:
    """The negative control: without our header its poller would wait for 30 s."""
    polling = importlib.import_module("azure.mgmt.core.polling.arm_polling")
    utils = importlib.import_module("azure.core.pipeline.policies._utils")

    class Told:
        def __init__(self, headers: dict[str, str]) -> None:
            self.http_response = type("R", (), {"headers": headers})()

    assert polling.ARMPolling()._timeout == 30
    assert not utils.get_retry_after(Told({"Retry-After": "0"}))
    assert utils.get_retry_after(Told({"x-ms-retry-after-ms": "1"})) == pytest.approx(0.001)
