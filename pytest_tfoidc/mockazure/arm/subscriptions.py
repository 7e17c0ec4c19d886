"""Which subscriptions there are, and what is in each by itself: locations, resource providers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import errors
from pytest_tfoidc.mockazure.arm.listings import listed
from pytest_tfoidc.mockazure.arm.regions import REGIONS, locations
from pytest_tfoidc.mockazure.arm.types.base import guid
from pytest_tfoidc.mockazure.arm.types.table import TYPES

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document

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


LINKED = re.compile(rb"/subscriptions/([0-9a-fA-F-]{36})/")
ENABLED, DISABLED = "Enabled", "Disabled"
ALIASES = "microsoft.subscription/aliases"
FEATURES = "microsoft.features/providers/features"
OF_SUBSCRIPTION = "microsoft.subscription"  # the namespace of what is done with one as a whole


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A subscription. `tenant_id` is empty until somebody has used it."""

    id: str
    name: str
    tenant_id: str = ""
    state: str = ENABLED


class Subscriptions:
    """The subscriptions, and their resource providers.

    A subscription is there from its first use, and belongs to the tenant of whoever used it.

    Args:
        subscription_id: The one of the job's own environment.
        tenant_id: The tenant of that environment.
        admits: Tells whether a subscription that nobody made may be used.
    """

    def __init__(
        self,
        *,
        subscription_id: str,
        tenant_id: str,
        admits: Callable[[str], bool] = lambda _id: False,
    ) -> None:
        self.subscription_id = subscription_id
        self.tenant_id = tenant_id
        self._admits = admits
        self._known: dict[str, Subscription] = {}
        self.add(subscription_id, name="pytest-tfoidc")
        self._changed: frozenset[str] = frozenset()  # providers without, features with registration

    def add(self, subscription_id: str, *, name: str = "", tenant_id: str = "") -> Subscription:
        """Put a subscription there, unless it is there; a name or a tenant is written over."""
        key = subscription_id.lower()
        known = self._known.get(key) or Subscription(id=key, name=f"subscription-{key[:8]}")
        known = replace(known, name=name or known.name, tenant_id=tenant_id or known.tenant_id)
        self._known[key] = known
        return known

    def check(self, call: Call) -> None:
        """Check that a call may use the subscriptions that it names; they are there from then on.

        Raises:
            ArmError: It names one that is not there, none that is a GUID, or another tenant's.
        """
        if call.place.subscription:
            self._check_used(call, self._named(call.place.subscription, call))
        if call.method in {"PUT", "PATCH", "POST"} and not call.is_our_own:
            for found in set(LINKED.findall(call.request.body)):
                self._check_linked(call, self._known.get(found.decode().lower()))

    def _named(self, name: str, call: Call) -> Subscription:
        known = self._known.get(name.lower())
        if known is not None:
            return known
        unknown = errors.unknown_subscription(name)
        if unknown.code == "InvalidSubscriptionId" or not (call.is_our_own or self._admits(name)):
            raise unknown
        return self.add(name)

    def _check_used(self, call: Call, found: Subscription) -> None:
        if call.is_our_own:
            return
        if not found.tenant_id:
            found = self.add(found.id, tenant_id=call.caller.tenant_id)
        if found.tenant_id not in call.tenants:
            raise errors.wrong_tenant(call.caller.tenant_id, found.tenant_id)

    @staticmethod
    def _check_linked(call: Call, linked: Subscription | None) -> None:
        if linked and linked.tenant_id and linked.tenant_id not in call.tenants:
            caller = call.caller
            raise errors.linked_tenant(caller.client_id, caller.tenant_id, linked.id)

    def tenant_of(self, subscription_id: str) -> str:
        """Return the tenant that a subscription belongs to; empty where that is not settled."""
        known = self._known.get(subscription_id.lower())
        return known.tenant_id if known else ""

    def one(self, subscription_id: str) -> Document:
        """Return a subscription as it reads."""
        found = self._known[subscription_id.lower()]
        return {
            "id": f"/subscriptions/{found.id}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": found.id,
            "tenantId": found.tenant_id or self.tenant_id,
            "displayName": found.name,
            "state": found.state,
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def document(self, subscription_id: str) -> Document:
        """Return a subscription as it reads; the own one where none is named."""
        return self.one(subscription_id or self.subscription_id)

    def _of_tenant(self, tenant_id: str) -> list[Document]:
        return [
            self.one(found.id)
            for found in self._known.values()
            if (found.tenant_id or self.tenant_id) == tenant_id
        ]

    def answer(self, call: Call) -> Response | None:
        """Answer GETs of what is there by itself; None where a path is something else."""
        words = tuple(w.lower() for w in call.place.words)
        if words[:1] == ("providers",):
            return self._providers(call, words[1:])
        subscription, tenant = call.place.subscription, call.caller.tenant_id
        lists: dict[tuple[str, ...], Callable[[], list[Document]]] = (
            {
                ("subscriptions",): lambda: self._of_tenant(tenant),
                ("tenants",): lambda: [_tenant(tenant)],
            }
            if not subscription
            else {
                ("locations",): lambda: locations(subscription, edges=_with_edges(call)),
                ("tagnames",): list,
            }
        )
        return listed(call, lists[words]()) if words in lists else None

    def _providers(self, call: Call, names: tuple[str, ...]) -> Response:
        subscription = call.place.subscription
        if names:
            return Response.json(self._provider(subscription, self._known_namespace(names[0])))
        return listed(call, [self._provider(subscription, n) for n in NAMESPACES])

    def _provider(self, subscription: str, namespace: str) -> Document:
        prefix = f"{namespace.lower()}/"
        kinds = [k.partition("/")[2] for k in TYPES if k.lower().startswith(prefix)]
        unregistered = _registration(subscription, namespace) in self._changed
        scope = f"/subscriptions/{subscription}" if subscription else ""
        return {
            "id": f"{scope}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": NOT_REGISTERED if unregistered else REGISTERED,
            "resourceTypes": [
                {
                    "resourceType": kind,
                    "locations": [region.shown for region in REGIONS.values()],
                    "apiVersions": errors.SUPPORTED_VERSIONS.split(","),
                    "capabilities": "None",
                }
                for kind in kinds
            ],
        }

    @staticmethod
    def _known_namespace(namespace: str) -> str:
        known = {n.lower(): n for n in NAMESPACES}.get(namespace.lower())
        if known is None:
            raise errors.bad_namespace(namespace)
        return known

    def register(self, subscription: str, namespace: str, *, registered: bool) -> Response:
        """POST `register` or `unregister` of a resource provider. It is done at once."""
        known = self._known_namespace(namespace)
        change = {_registration(subscription, known)}
        self._changed = self._changed - change if registered else self._changed | change
        return Response.json(self._provider(subscription, known))

    def act(self, call: Call) -> Response | None:
        """POST `rename`, `cancel` or `enable` of a subscription; None for any other action."""
        place = call.place
        if place.parent.type_key == FEATURES and place.name.lower() in {"register", "unregister"}:
            return self._register_feature(place)
        if not place.parent.is_subscription or place.namespace.lower() != OF_SUBSCRIPTION:
            return None
        found, action = self._known[place.subscription.lower()], place.name.lower()
        if action == "rename":
            self.add(found.id, name=str(call.body.get("subscriptionName") or ""))
        elif action in {"cancel", "enable"}:
            state = DISABLED if action == "cancel" else ENABLED
            self._known[found.id] = replace(found, state=state)
        else:
            return None
        return Response.json({"subscriptionId": found.id})

    def _register_feature(self, place: Place) -> Response:
        change = {_registration(place.subscription, place.parent.id)}
        registers = place.name.lower() == "register"
        self._changed = self._changed | change if registers else self._changed - change
        state = None if registers else "Unregistered"
        return Response.json(self.feature(place.parent, state))

    def feature(self, place: Place, state: str | None = None) -> Document:
        """Return a preview feature of a resource provider: it is off until somebody registers."""
        on = _registration(place.subscription, place.id) in self._changed
        provider = place.segments[-3]
        return {
            "id": place.id,
            "name": f"{provider}/{place.name}",
            "type": "Microsoft.Features/providers/features",
            "properties": {"state": state or (REGISTERED if on else NOT_REGISTERED)},
        }

    def with_subscription(self, call: Call) -> Document:
        """Return the body of an alias with the subscription that it stands for; it is there then.

        Raises:
            ArmError: The alias names one that is not there.
        """
        properties = call.body.get("properties")
        properties = dict(properties) if isinstance(properties, dict) else {}
        named = str(properties.get("subscriptionId") or "")
        name = str(properties.get("displayName") or call.place.name)
        if named:
            self._check_used(call, self._named(named, call))
        else:
            named = guid(call.place.id, "subscriptionId")
            self.add(named, name=name, tenant_id=call.caller.tenant_id)
        return {**call.body, "properties": {**properties, "subscriptionId": named}}

    def join_group(self, call: Call) -> None:
        """Check the subscription that is put into a management group.

        Raises:
            ArmError: It is not there, or belongs to another tenant.
        """
        self._check_used(call, self._named(call.place.name, call))

    def names(self) -> Mapping[str, str]:
        """Return the names of the subscriptions by their ids."""
        return {key: found.name for key, found in self._known.items()}

    def snapshot(self) -> tuple[frozenset[str], dict[str, Subscription]]:
        """Return the state, to be restored later."""
        return self._changed, dict(self._known)

    def restore(self, changed: frozenset[str], known: Mapping[str, Subscription]) -> None:
        """Go back to a state."""
        self._changed = changed
        self._known = {**known}
        self.add(self.subscription_id)


def _with_edges(call: Call) -> bool:
    return call.query.get("includeextendedlocations", "").lower() == "true"


def _registration(subscription: str, namespace: str) -> str:
    return f"{subscription}|{namespace}".lower()


def _tenant(tenant_id: str) -> Document:
    return {
        "id": f"/tenants/{tenant_id}",
        "tenantId": tenant_id,
        "tenantCategory": "Home",
        "countryCode": "DE",
        "displayName": "pytest-tfoidc",
        "defaultDomain": "pytest-tfoidc.onmicrosoft.com",
        "domains": ["pytest-tfoidc.onmicrosoft.com"],
    }
