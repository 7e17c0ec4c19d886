"""What is there before anyone creates anything: tenants, subscriptions, locations, providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfoidc.loopback import Response
from pytest_tfoidc.mockazure import armerrors
from pytest_tfoidc.mockazure.armlists import listed
from pytest_tfoidc.mockazure.armtypes import TYPES

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.armcall import Call
    from pytest_tfoidc.mockazure.armstore import Document

REGIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "francecentral": "France Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "eastus": "East US",
    "eastus2": "East US 2",
    "centralus": "Central US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "canadacentral": "Canada Central",
    "brazilsouth": "Brazil South",
    "southeastasia": "Southeast Asia",
    "japaneast": "Japan East",
    "australiaeast": "Australia East",
    "centralindia": "Central India",
}
# Namespaces that azurerm registers or asks for, beside those of the table of types.
_SERVICES = (
    "ApiManagement",
    "App",
    "AppConfiguration",
    "Authorization",
    "Automation",
    "AVS",
    "Batch",
    "BotService",
    "Cache",
    "Cdn",
    "CognitiveServices",
    "Compute",
    "ContainerInstance",
    "ContainerRegistry",
    "ContainerService",
    "CostManagement",
    "CustomProviders",
    "Dashboard",
    "Databricks",
    "DataFactory",
    "DataLakeAnalytics",
    "DataLakeStore",
    "DataMigration",
    "DataProtection",
    "DBforMariaDB",
    "DBforMySQL",
    "DBforPostgreSQL",
    "DesktopVirtualization",
    "Devices",
    "DevTestLab",
    "DocumentDB",
    "EventGrid",
    "EventHub",
    "GuestConfiguration",
    "HDInsight",
    "HealthcareApis",
    "Insights",
    "KeyVault",
    "Kusto",
    "Logic",
    "MachineLearningServices",
    "Maintenance",
    "ManagedIdentity",
    "ManagedServices",
    "Management",
    "Maps",
    "MarketplaceOrdering",
    "MixedReality",
    "Network",
    "NotificationHubs",
    "OperationalInsights",
    "OperationsManagement",
    "PolicyInsights",
    "PowerBIDedicated",
    "Purview",
    "RecoveryServices",
    "Relay",
    "Resources",
    "Search",
    "Security",
    "SecurityInsights",
    "ServiceBus",
    "ServiceFabric",
    "SignalRService",
    "Sql",
    "Storage",
    "StorageSync",
    "StreamAnalytics",
    "Subscription",
    "Synapse",
    "Web",
)
NAMESPACES = tuple(f"Microsoft.{service}" for service in _SERVICES)
REGISTERED, NOT_REGISTERED = "Registered", "NotRegistered"


class Subscriptions:
    """One tenant with one subscription, and its resource providers."""

    def __init__(self, *, subscription_id: str, tenant_id: str) -> None:
        self.subscription_id = subscription_id
        self.tenant_id = tenant_id
        self._unregistered: frozenset[str] = frozenset()

    def check(self, call: Call) -> None:
        """Check that a call is for this subscription, where it names one.

        Raises:
            ArmError: It names another one, or none that is a GUID.
        """
        named = call.place.subscription
        if not named or named.lower() == self.subscription_id.lower():
            return
        raise armerrors.unknown_subscription(named)

    def subscription(self) -> Document:
        """Give the subscription."""
        return {
            "id": f"/subscriptions/{self.subscription_id}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": self.subscription_id,
            "tenantId": self.tenant_id,
            "displayName": "pytest-tfoidc",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def answer(self, call: Call) -> Response | None:
        """Answer GETs of what is there by itself; None where a path is something else."""
        words = tuple(w.lower() for w in call.place.words)
        if words[:1] == ("providers",):
            return self._providers(call, words[1:])
        at_tenant = not call.place.subscription
        lists: dict[tuple[str, ...], list[Document]] = (
            {("subscriptions",): [self.subscription()], ("tenants",): [self._tenant()]}
            if at_tenant
            else {("locations",): self._locations(), ("tagnames",): []}
        )
        return listed(call, lists[words]) if words in lists else None

    def _providers(self, call: Call, names: tuple[str, ...]) -> Response:
        if names:
            return Response.json(self._provider(self._known(names[0])))
        return listed(call, [self._provider(n) for n in NAMESPACES])

    def _tenant(self) -> Document:
        return {
            "id": f"/tenants/{self.tenant_id}",
            "tenantId": self.tenant_id,
            "tenantCategory": "Home",
            "countryCode": "DE",
            "displayName": "pytest-tfoidc",
            "defaultDomain": "pytest-tfoidc.onmicrosoft.com",
            "domains": ["pytest-tfoidc.onmicrosoft.com"],
        }

    def _locations(self) -> list[Document]:
        scope = f"/subscriptions/{self.subscription_id}/locations"
        return [
            {
                "id": f"{scope}/{name}",
                "name": name,
                "type": "Region",
                "displayName": shown,
                "regionalDisplayName": shown,
                "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
            }
            for name, shown in REGIONS.items()
        ]

    def _provider(self, namespace: str) -> Document:
        prefix = f"{namespace.lower()}/"
        kinds = [k.partition("/")[2] for k in TYPES if k.lower().startswith(prefix)]
        unregistered = namespace.lower() in self._unregistered
        return {
            "id": f"/subscriptions/{self.subscription_id}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": NOT_REGISTERED if unregistered else REGISTERED,
            "resourceTypes": [
                {
                    "resourceType": kind,
                    "locations": list(REGIONS.values()),
                    "apiVersions": armerrors.SUPPORTED_VERSIONS.split(","),
                    "capabilities": "None",
                }
                for kind in kinds
            ],
        }

    def _known(self, namespace: str) -> str:
        known = {n.lower(): n for n in NAMESPACES}.get(namespace.lower())
        if known is None:
            raise armerrors.bad_namespace(namespace)
        return known

    def register(self, namespace: str, *, registered: bool) -> Response:
        """POST `register` or `unregister` of a resource provider. It is done at once."""
        known = self._known(namespace)
        change = {known.lower()}
        self._unregistered = (
            self._unregistered - change if registered else self._unregistered | change
        )
        return Response.json(self._provider(known))

    def snapshot(self) -> frozenset[str]:
        """Give the state, to be restored later."""
        return self._unregistered

    def restore(self, snapshot: frozenset[str]) -> None:
        """Go back to a state."""
        self._unregistered = snapshot
