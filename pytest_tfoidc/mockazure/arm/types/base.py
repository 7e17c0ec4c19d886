"""The values that Azure computes for resources: the functions that the table of types names.

Each takes the resource that is being written (`New`). Those for `Rules.adds` give properties, those
for `Rules.implied` a whole document, those for `Rules.actions` an answer.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_tfoidc.mockazure.arm.metadata import Cloud, cloud_of

Properties = dict[str, Any]
Adds = Callable[["New"], Properties]
Answers = Callable[["New"], Any]
GUIDS = uuid.UUID("7f3c1d52-52f4-4e0e-9d0c-6a1f9a4d7c10")  # makes our GUIDs differ from others'
DNS_LIMIT = 10000


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
    def properties(self) -> Mapping[str, Any]:
        """The properties that were written; empty where there are none."""
        return part(self.body, "properties")

    @property
    def cloud(self) -> Cloud:
        """The cloud that the client talks to."""
        return cloud_of(self.host)

    def guid(self, purpose: str) -> str:
        """Return a GUID that is always the same for this id and purpose."""
        return guid(self.id, purpose)


def guid(resource_id: str, purpose: str) -> str:
    """Return a GUID that is always the same for an id (without case) and a purpose."""
    return str(uuid.uuid5(GUIDS, f"{purpose}:{resource_id.lower()}"))


def is_guid(text: str) -> bool:
    """Tell whether a text is a GUID, as Azure writes them."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def key(resource_id: str, purpose: str) -> str:
    """Return a base64 key of 64 bytes that is always the same for an id and a purpose."""
    digest = hashlib.sha512(f"tfoidc:{purpose}:{resource_id.lower()}".encode()).digest()
    return base64.b64encode(digest).decode()


def keys(*names: str) -> Answers:
    """Make the function for the keys of a resource, by their names in the answer."""
    return lambda new: {name: key(new.id, name) for name in names}


def nothing(_: New) -> Properties:
    """Add nothing."""
    return {}


def fixed(**properties: Any) -> Adds:  # noqa: ANN401 - JSON
    """Make the function for what is the same for every resource of a type."""
    return lambda _: copy.deepcopy(properties)


def storage_account(new: New) -> Properties:
    """Return a storage account its endpoints and region."""
    hosts = {"web": f"https://{new.name}.z6.web.{new.cloud.storage}/"}
    hosts |= {
        service: f"https://{new.name}.{service}.{new.cloud.storage}/"
        for service in ("blob", "queue", "table", "file", "dfs")
    }
    return {
        "primaryEndpoints": hosts,
        "primaryLocation": new.location,
        "statusOfPrimary": "available",
    }


def account_keys(account: str) -> tuple[str, str]:
    """Return a storage account's keys. Its name makes them: no two accounts of Azure share one."""
    return key(f"storage account {account}", "key1"), key(f"storage account {account}", "key2")


def storage_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the two keys of a storage account."""
    created = "2024-01-01T00:00:00.0000000Z"
    return {
        "keys": [
            {
                "creationTime": created,
                "keyName": f"key{number}",
                "value": value,
                "permissions": "FULL",
            }
            for number, value in enumerate(account_keys(new.name), start=1)
        ]
    }


def blob_service(_: New) -> Properties:
    """Return the blob service that an account has from its creation."""
    return {
        "properties": {
            "changeFeed": {"enabled": False},
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False},
            "isVersioningEnabled": False,
            "restorePolicy": {"enabled": False},
        }
    }


def file_service(_: New) -> Properties:
    """Return the file service that an account has from its creation."""
    share = {"enabled": True, "days": 7}
    return {"properties": {"cors": {"corsRules": []}, "shareDeleteRetentionPolicy": share}}


def identity(new: New) -> Properties:
    """Return a managed identity its ids."""
    return {
        "tenantId": new.tenant_id,
        "principalId": new.guid("principalId"),
        "clientId": new.guid("clientId"),
    }


def role_assignment(new: New) -> Properties:
    """Return a role assignment what is not always written."""
    return {"scope": new.scope or "/", "principalType": "ServicePrincipal", "condition": None}


def schedule_request(new: New) -> Properties:
    """Return what a request for a role says once it is granted."""
    return {"principalType": "ServicePrincipal", "scope": new.scope or "/", "status": "Provisioned"}


def dns_zone(new: New) -> Properties:
    """Return a public zone its name servers and limits."""
    tlds = enumerate(("com", "net", "org", "info"), start=1)
    return {
        "nameServers": [f"ns{n}-01.azure-dns.{tld}." for n, tld in tlds],
        "numberOfRecordSets": 2,
        "maxNumberOfRecordSets": DNS_LIMIT,
        "zoneType": str(part(new.body, "properties").get("zoneType", "Public")),
    }


def private_zone(_: New) -> Properties:
    """Return a private zone its limits."""
    return {
        "numberOfRecordSets": 1,
        "maxNumberOfRecordSets": 25000,
        "numberOfVirtualNetworkLinks": 0,
        "maxNumberOfVirtualNetworkLinks": 1000,
    }


def soa(record: str, *, host: str, email: str, minimum: dict[str, int]) -> Adds:
    """Make the function for a zone's SOA record; `minimum` is spelt by the API."""

    def adds(new: New) -> Properties:
        soa = {"host": host, "email": email, "serialNumber": 1, "refreshTime": 3600, **minimum}
        soa |= {"retryTime": 300, "expireTime": 2419200}
        fqdn = f"{new.scope.rpartition('/')[2]}."
        return {"properties": {record: soa, "ttl": 3600, "TTL": 3600, "fqdn": fqdn}}

    return adds


def workspace(new: New) -> Properties:
    """Return a Log Analytics workspace its id."""
    return {"customerId": new.guid("customerId")}


def microsoft_table(new: New) -> Properties | None:
    """Return a table that every workspace has; None for those that somebody makes."""
    if new.name.upper().endswith(OWN_TABLES):
        return None
    schema = {"name": new.name, "tableType": "Microsoft", "columns": [], "standardColumns": []}
    return {
        "properties": {
            "plan": "Analytics",
            "retentionInDays": 30,
            "schema": schema,
            "totalRetentionInDays": 30,
        }
    }


OWN_TABLES = ("_CL", "_SRCH", "_RST")


def component(new: New) -> Properties:
    """Return an Application Insights component its ids and connection string."""
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


def insights_key(new: New) -> tuple[str, Properties, Properties]:
    """Return an API key of Application Insights: its name, what is kept, what is told once."""
    body = {name: new.body.get(name) for name in ("name", *_LINKED)}
    name = guid(f"{new.id}/{body['name']}", "apiKey")
    return name, body, {"apiKey": key(f"{new.id}/{name}", "apiKey")[:40]}


_LINKED = ("linkedReadProperties", "linkedWriteProperties")


def registry(new: New) -> Properties:
    """Return a container registry its host."""
    return {
        "loginServer": f"{new.name.lower()}.{new.cloud.registries}",
        "policies": {"azureADAuthenticationAsArmPolicy": {"status": "enabled"}},
        "roleAssignmentMode": "LegacyRegistryPermissions",
    }


def registry_credentials(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return a container registry's admin user."""
    passwords = [{"name": n, "value": key(new.id, n)} for n in ("password", "password2")]
    return {"username": new.name, "passwords": passwords}


def part(document: object, name: str) -> Properties:
    """Return an object in an object; an empty one where a client has written something else."""
    found = document.get(name) if isinstance(document, Mapping) else None
    return dict(found) if isinstance(found, dict) else {}


def objects(document: object, name: str) -> list[Properties]:
    """Return the objects of a list in an object; none where a client has written something else."""
    found = document.get(name) if isinstance(document, Mapping) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def registry_run(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return a run of a container registry's task: it is done at once, and nothing is built."""
    number = _run(new.id)
    shown = {"id": f"{new.id}/runs/{number}", "name": number, "properties": _succeeded(number)}
    return {**shown, "type": "Microsoft.ContainerRegistry/registries/runs"}


def registry_run_there(new: New) -> Properties | None:
    """Return the run that was scheduled, as it is read afterwards; None for any other."""
    number = _run(new.scope)
    return {"properties": _succeeded(number)} if new.name == number else None


def _run(registry_id: str) -> str:
    return f"ca{int(guid(registry_id, 'run')[:4], 16)}"


def _succeeded(number: str) -> Properties:
    done = {"status": "Succeeded", "provisioningState": "Succeeded"}
    return {"runId": number, "runType": "QuickRun", **done}


def webhook_target(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return whom a container registry's webhook calls."""
    wanted = ("serviceUri", "customHeaders")
    return {name: new.properties[name] for name in wanted if name in new.properties}


def bus(new: New) -> Properties:
    """Return a Service Bus or Event Hubs namespace its endpoint."""
    host = f"https://{new.name}.servicebus.windows.net:443/"
    return {"serviceBusEndpoint": host, "status": "Active", "metricId": new.guid("metricId")}


def bus_network(_: New) -> Properties:
    """Return the network rules that a namespace has from its creation."""
    return {
        "properties": {
            "defaultAction": "Allow",
            "publicNetworkAccess": "Enabled",
            "trustedServiceAccessEnabled": False,
            "virtualNetworkRules": [],
            "ipRules": [],
        }
    }


def bus_root_rule(_: New) -> Properties:
    """Return the authorization rule that a namespace has from its creation."""
    return {"properties": {"rights": ["Listen", "Manage", "Send"]}}


def bus_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the keys of an authorization rule."""
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


def billing(_: New) -> Properties:
    """Return the billing features of an Application Insights component."""
    cap = {
        "Cap": 100,
        "WarningThreshold": 90,
        "StopSendNotificationWhenHitThreshold": False,
        "StopSendNotificationWhenHitCap": False,
        "MaxHistoryCap": 1000,
        "ResetTime": 0,
    }
    return {"DataVolumeCap": cap, "CurrentBillingFeatures": ["Basic"]}
