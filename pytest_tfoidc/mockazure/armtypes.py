"""What types of resources need beyond being stored and given back: one entry each.

A type that reads back what was written needs no entry at all. To add one that does not:

1. Apply a module with it. Where a client complains, or plans a change after the apply, its log
   (`TF_LOG=DEBUG`) or the SDK's documentation shows the property that it misses.
2. Write the entry in `TYPES`, under the type as Azure writes it. `adds` is a function of `New`
   that gives the properties which Azure computes; what was written wins over them. Values must be
   stable: derive them from the id with `guid` and `key`.
3. Where the type answers other statuses than 200, has actions (`POST …/listKeys`), shows children
   in its own properties or is there together with its parent, the other fields of `Rules` say so.
4. Add a line to `tests/mockazure/test_resourcemanager_types.py`.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_tfoidc.mockazure.armids import GROUP_TYPE

Properties = dict[str, Any]
GUIDS = uuid.UUID("7f3c1d52-52f4-4e0e-9d0c-6a1f9a4d7c10")  # makes our GUIDs differ from others'
DNS_LIMIT = 10000
DOMAINS = {  # of the clouds, by the host of Resource Manager
    "management.usgovcloudapi.net": ("core.usgovcloudapi.net", "vault.usgovcloudapi.net"),
    "management.chinacloudapi.cn": ("core.chinacloudapi.cn", "vault.azure.cn"),
}
PUBLIC_DOMAINS = ("core.windows.net", "vault.azure.net")


@dataclass(frozen=True, kw_only=True)
class New:
    """A resource that is being written, for the functions of the table."""

    id: str
    name: str
    scope: str
    body: Mapping[str, Any]
    tenant_id: str
    host: str

    @property
    def location(self) -> str:
        """The region, as Azure normalizes it."""
        return str(self.body.get("location", "")).lower().replace(" ", "")

    @property
    def storage_domain(self) -> str:
        """The domain of the cloud's storage endpoints."""
        return DOMAINS.get(self.host, PUBLIC_DOMAINS)[0]

    @property
    def vault_domain(self) -> str:
        """The domain of the cloud's key vaults."""
        return DOMAINS.get(self.host, PUBLIC_DOMAINS)[1]

    def guid(self, purpose: str) -> str:
        """Give a GUID that is always the same for this id and purpose."""
        return guid(self.id, purpose)


def guid(resource_id: str, purpose: str) -> str:
    """Give a GUID that is always the same for an id (without case) and a purpose."""
    return str(uuid.uuid5(GUIDS, f"{purpose}:{resource_id.lower()}"))


def key(resource_id: str, purpose: str) -> str:
    """Give a base64 key of 64 bytes that is always the same for an id and a purpose."""
    digest = hashlib.sha512(f"tfoidc:{purpose}:{resource_id.lower()}".encode()).digest()
    return base64.b64encode(digest).decode()


def nothing(_: New) -> Properties:
    """Add nothing."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a type needs beyond echo.

    `created`: the status of a PUT that creates; `accepted`: of one that takes its time.
    `located`: a slow PUT announces `Location` instead of `Azure-AsyncOperation`.
    `children`: properties that show child resources, and the children's type below this one.
    `implied`: children that are there with their parent, as `TYPE/NAME`, and their documents.
    `actions`: answers to POSTs, by the action's name in lower case.
    `returned`: DELETE gives the resource back. `listed_below`: lists reach into nested scopes.
    `recoverable`: deleted ones are kept in this list of their location, until they are purged.
    """

    adds: Callable[[New], Properties] = nothing
    created: int = 200
    accepted: int = 201
    located: bool = False
    children: Mapping[str, str] = field(default_factory=dict)
    implied: Mapping[str, Callable[[New], Properties]] = field(default_factory=dict)
    actions: Mapping[str, Callable[[New], Any]] = field(default_factory=dict)
    returned: bool = False
    listed_below: bool = False
    recoverable: str = ""


def _storage_account(new: New) -> Properties:
    hosts = {"web": f"https://{new.name}.z6.web.{new.storage_domain}/"}
    hosts |= {
        service: f"https://{new.name}.{service}.{new.storage_domain}/"
        for service in ("blob", "queue", "table", "file", "dfs")
    }
    return {
        "primaryEndpoints": hosts,
        "primaryLocation": new.location,
        "statusOfPrimary": "available",
    }


def _storage_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    created = "2024-01-01T00:00:00.0000000Z"
    return {
        "keys": [
            {
                "creationTime": created,
                "keyName": name,
                "value": key(new.id, name),
                "permissions": "FULL",
            }
            for name in ("key1", "key2")
        ]
    }


def _blob_service(_: New) -> Properties:
    return {
        "properties": {
            "changeFeed": {"enabled": False},
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False},
            "isVersioningEnabled": False,
            "restorePolicy": {"enabled": False},
        }
    }


def _file_service(_: New) -> Properties:
    share = {"enabled": True, "days": 7}
    return {"properties": {"cors": {"corsRules": []}, "shareDeleteRetentionPolicy": share}}


def _identity(new: New) -> Properties:
    return {
        "tenantId": new.tenant_id,
        "principalId": new.guid("principalId"),
        "clientId": new.guid("clientId"),
    }


def _role_assignment(new: New) -> Properties:
    return {"scope": new.scope or "/", "principalType": "ServicePrincipal", "condition": None}


def _vault(new: New) -> Properties:
    return {"vaultUri": f"https://{new.name}.{new.vault_domain}/", "tenantId": new.tenant_id}


def _dns_zone(new: New) -> Properties:
    tlds = enumerate(("com", "net", "org", "info"), start=1)
    return {
        "nameServers": [f"ns{n}-01.azure-dns.{tld}." for n, tld in tlds],
        "numberOfRecordSets": 2,
        "maxNumberOfRecordSets": DNS_LIMIT,
        "zoneType": str(_of(new.body, "properties").get("zoneType", "Public")),
    }


def _private_zone(_: New) -> Properties:
    return {
        "numberOfRecordSets": 1,
        "maxNumberOfRecordSets": 25000,
        "numberOfVirtualNetworkLinks": 0,
        "maxNumberOfVirtualNetworkLinks": 1000,
    }


def _soa(record: str, *, host: str, email: str, minimum: int) -> Callable[[New], Properties]:
    def adds(new: New) -> Properties:
        soa = {"host": host, "email": email, "serialNumber": 1, "refreshTime": 3600}
        soa |= {"retryTime": 300, "expireTime": 2419200, "minimumTtl": minimum}
        fqdn = f"{new.scope.rpartition('/')[2]}."
        return {"properties": {record: soa, "ttl": 3600, "TTL": 3600, "fqdn": fqdn}}

    return adds


def _workspace(new: New) -> Properties:
    return {"customerId": new.guid("customerId")}


def _shared_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    return {n: key(new.id, n) for n in ("primarySharedKey", "secondarySharedKey")}


def _component(new: New) -> Properties:
    instrumentation = new.guid("InstrumentationKey")
    region = new.location or "westeurope"
    connection = (
        f"InstrumentationKey={instrumentation};"
        f"IngestionEndpoint=https://{region}-5.in.applicationinsights.azure.com/;"
        f"LiveEndpoint=https://{region}.livediagnostics.monitor.azure.com/;"
        f"ApplicationId={new.guid('AppId')}"
    )
    return {
        "AppId": new.guid("AppId"),
        "InstrumentationKey": instrumentation,
        "ConnectionString": connection,
        "TenantId": new.tenant_id,
    }


def _registry(new: New) -> Properties:
    return {"loginServer": f"{new.name.lower()}.azurecr.io"}


def _registry_credentials(new: New) -> Any:  # noqa: ANN401 - JSON
    passwords = [{"name": n, "value": key(new.id, n)} for n in ("password", "password2")]
    return {"username": new.name, "passwords": passwords}


def _bus(new: New) -> Properties:
    host = f"https://{new.name}.servicebus.windows.net:443/"
    return {"serviceBusEndpoint": host, "status": "Active", "metricId": new.guid("metricId")}


def _bus_network(_: New) -> Properties:
    return {
        "properties": {
            "defaultAction": "Allow",
            "publicNetworkAccess": "Enabled",
            "trustedServiceAccessEnabled": False,
            "virtualNetworkRules": [],
            "ipRules": [],
        }
    }


def _bus_root_rule(_: New) -> Properties:
    return {"properties": {"rights": ["Listen", "Manage", "Send"]}}


def _bus_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    namespace = new.id.rpartition("/authorizationRules/")[0].rpartition("/")[2]
    host = f"Endpoint=sb://{namespace}.servicebus.windows.net/"
    answer = {"keyName": new.name}
    for which in ("primary", "secondary"):
        value = key(new.id, which)
        answer[f"{which}Key"] = value
        answer[f"{which}ConnectionString"] = (
            f"{host};SharedAccessKeyName={new.name};SharedAccessKey={value}"
        )
    return answer


def _billing(_: New) -> Properties:
    cap = {
        "Cap": 100,
        "WarningThreshold": 90,
        "StopSendNotificationWhenHitThreshold": False,
        "StopSendNotificationWhenHitCap": False,
        "MaxHistoryCap": 1000,
        "ResetTime": 0,
    }
    return {"DataVolumeCap": cap, "CurrentBillingFeatures": ["Basic"]}


def _of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


NETWORK = Rules(created=201)  # every type of Microsoft.Network, where it has no entry
BUS = Rules(
    adds=_bus,
    implied={
        "networkRuleSets/default": _bus_network,
        "authorizationRules/RootManageSharedAccessKey": _bus_root_rule,
    },
)
BUS_RULE = Rules(actions={"listkeys": _bus_keys, "regeneratekeys": _bus_keys})

TYPES: dict[str, Rules] = {
    GROUP_TYPE: Rules(created=201),
    "Microsoft.Authorization/locks": Rules(created=201, listed_below=True),
    "Microsoft.Authorization/policyAssignments": Rules(
        created=201, returned=True, listed_below=True
    ),
    "Microsoft.Authorization/roleAssignments": Rules(
        created=201, returned=True, listed_below=True, adds=_role_assignment
    ),
    "Microsoft.Authorization/roleDefinitions": Rules(created=201, returned=True),
    "Microsoft.Compute/disks": Rules(accepted=202),
    "Microsoft.ContainerRegistry/registries": Rules(
        adds=_registry, actions={"listcredentials": _registry_credentials}
    ),
    "Microsoft.EventHub/namespaces": BUS,
    "Microsoft.EventHub/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.EventHub/namespaces/eventhubs/authorizationRules": BUS_RULE,
    "Microsoft.Insights/components": Rules(
        adds=_component, implied={"currentbillingfeatures": _billing}
    ),
    "Microsoft.KeyVault/vaults": Rules(created=201, adds=_vault, recoverable="deletedVaults"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Rules(created=201, adds=_identity),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": Rules(
        created=201
    ),
    "Microsoft.Network/dnsZones": Rules(
        created=201,
        adds=_dns_zone,
        implied={
            "SOA/@": _soa(
                "SOARecord",
                host="ns1-01.azure-dns.com.",
                email="azuredns-hostmaster.microsoft.com",
                minimum=300,
            )
        },
    ),
    "Microsoft.Network/loadBalancers": Rules(
        created=201,
        children={
            "backendAddressPools": "backendAddressPools",
            "inboundNatRules": "inboundNatRules",
        },
    ),
    "Microsoft.Network/networkSecurityGroups": Rules(
        created=201, children={"securityRules": "securityRules"}
    ),
    "Microsoft.Network/privateDnsZones": Rules(
        created=201,
        adds=_private_zone,
        implied={
            "SOA/@": _soa(
                "soaRecord",
                host="azureprivatedns.net",
                email="azureprivatedns-host.microsoft.com",
                minimum=10,
            )
        },
    ),
    "Microsoft.Network/routeTables": Rules(created=201, children={"routes": "routes"}),
    "Microsoft.Network/virtualNetworks": Rules(
        created=201,
        children={"subnets": "subnets", "virtualNetworkPeerings": "virtualNetworkPeerings"},
    ),
    "Microsoft.OperationalInsights/workspaces": Rules(
        adds=_workspace, actions={"sharedkeys": _shared_keys, "regeneratesharedkey": _shared_keys}
    ),
    "Microsoft.ServiceBus/namespaces": BUS,
    "Microsoft.ServiceBus/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/queues/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/topics/authorizationRules": BUS_RULE,
    "Microsoft.Storage/storageAccounts": Rules(
        accepted=202,
        located=True,
        adds=_storage_account,
        actions={"listkeys": _storage_keys, "regeneratekey": _storage_keys},
        implied={
            "blobServices/default": _blob_service,
            "fileServices/default": _file_service,
            "queueServices/default": nothing,
            "tableServices/default": nothing,
        },
    ),
    "Microsoft.Web/serverFarms": Rules(accepted=202),
    "Microsoft.Web/sites": Rules(accepted=202),
}
ECHO = Rules()
_BY_KEY = {name.lower(): rules for name, rules in TYPES.items()}


def rules_for(kind: str) -> Rules:
    """Give the rules of a type, in any case; those of plain echo where it has no entry."""
    lower = kind.lower()
    default = NETWORK if lower.startswith("microsoft.network/") else ECHO
    return _BY_KEY.get(lower, default)
