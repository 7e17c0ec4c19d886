"""Properties that Azure has where nobody wrote them: defaults and read-only properties.

A fact sheet: type -> path -> value, from Azure's public API descriptions
(https://github.com/Azure/azure-rest-api-specs). A path leads through blocks (`a.b`) and through
every item of a list (`a[].b`), and fills what lacks there; a block on its way that is not there is
not made. A path that begins with `/` leads from the resource itself, others from its properties.
In texts, `{name}`, `{id}`, `{scope}`, `{path}` (the scope without its slash), `{group}`,
`{subscription}`, `{tenant}`, `{location}`, `{guid}` and `{tier}` (which the name of its SKU tells)
are the resource's. So are `{service}` (the name of what it lies in), `{upper}` (its name),
`{label}` (of its DNS settings), `{email}` (of the user whom it names), `{account}` (the id of a
storage account beside it), and what is always the same for its id: `{hex}`, `{word}` (8 letters or
digits), `{number}` and `{octets}`. To add a fact, write its line. What only Azure can say is in
`computed`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import New, part
from pytest_tfoidc.mockazure.arm.types.computed import COMPUTED

MARK = "[]"
_ML = "Microsoft.MachineLearningServices/workspaces"
_OFF, _ON = {"status": "disabled"}, {"status": "enabled"}
_SYSTEM = {"type": "SystemAssigned", "principalId": "{guid}", "tenantId": "{tenant}"}
GIBIBYTE = 1 << 30

REGIONS = {"westeurope": "weu", "northeurope": "neu", "eastus": "eus", "westus": "wus"}
TIERS = {"F": "Free", "B": "Basic", "S": "Standard", "P": "Premium", "E": "Enterprise"}

DEFAULTS: dict[str, dict[str, Any]] = {
    "Microsoft.AutoManage/configurationProfileAssignments": {"targetId": "{scope}"},
    "Microsoft.Automation/automationAccounts/jobSchedules": {"jobScheduleId": "{name}"},
    "Microsoft.Batch/batchAccounts": {
        "accountEndpoint": "{name}.{location}.batch.azure.com",
        "encryption": {"keySource": "Microsoft.Batch"},
        "poolAllocationMode": "BatchService",
        "publicNetworkAccess": "Enabled",
    },
    "Microsoft.Batch/batchAccounts/pools": {
        "allocationState": "Steady",
        "deploymentConfiguration.virtualMachineConfiguration.nodePlacementConfiguration.policy": (
            "Regional"
        ),
        "deploymentConfiguration.virtualMachineConfiguration.windowsConfiguration"
        ".enableAutomaticUpdates": True,
    },
    "Microsoft.CognitiveServices/accounts": {
        "networkAcls.virtualNetworkRules[].ignoreMissingVnetServiceEndpoint": False
    },
    "Microsoft.Compute/disks": {
        "/sku": {"name": "Standard_LRS", "tier": "Standard"},
        "diskState": "Unattached",
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "uniqueId": "{guid}",
    },
    "Microsoft.Compute/restorePointCollections": {"source.location": "{location}"},
    "Microsoft.ContainerRegistry/registries": {
        "/sku.tier": "{tier}",
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "dataEndpointEnabled": False,
        "networkRuleBypassOptions": "AzureServices",
        "networkRuleSet.ipRules": [],
        "networkRuleSet.ipRules[].action": "Allow",
        "policies.exportPolicy": _ON,
        "policies.quarantinePolicy": _OFF,
        "policies.trustPolicy": {**_OFF, "type": "Notary"},
        "publicNetworkAccess": "Enabled",
        "zoneRedundancy": "Disabled",
    },
    "Microsoft.ContainerRegistry/registries/connectedRegistries": {
        "logging.auditLogStatus": "Disabled",
        "logging.logLevel": "Information",
    },
    "Microsoft.ContainerRegistry/registries/replications": {"zoneRedundancy": "Disabled"},
    "Microsoft.ContainerRegistry/registries/tasks": {
        "status": "Enabled",
        "trigger.baseImageTrigger.status": "Enabled",
        "trigger.sourceTriggers[].status": "Enabled",
        "trigger.timerTriggers[].status": "Enabled",
    },
    "Microsoft.Compute/virtualMachineScaleSets": {"orchestrationMode": "Uniform"},
    "Microsoft.ContainerService/managedClusters": {
        "nodeProvisioningProfile": {"defaultNodePools": "Auto", "mode": "Manual"},
    },
    "Microsoft.ContainerService/managedClusters/agentPools": {
        "count": 1,
        "mode": "User",
        "osType": "Linux",
        "type": "VirtualMachineScaleSets",
    },
    "Microsoft.DBforPostgreSQL/serverGroupsv2": {
        "administratorLogin": "citus",
        "serverNames": [
            {
                "name": "{name}-c",
                "fullyQualifiedDomainName": "c-{name}.{guid}.postgres.cosmos.azure.com",
            }
        ],
    },
    "Microsoft.Devices/provisioningServices": {
        "allocationPolicy": "Hashed",
        "deviceProvisioningHostName": "global.azure-devices-provisioning.net",
        "idScope": "0ne{guid}",
        "serviceOperationsHostName": "{name}.azure-devices-provisioning.net",
    },
    "Microsoft.DocumentDB/cassandraClusters/dataCenters": {"diskCapacity": 4},
    "Microsoft.DocumentDB/databaseAccounts": {
        "virtualNetworkRules[].ignoreMissingVNetServiceEndpoint": False
    },
    **{
        f"Microsoft.EventGrid/{owner}eventSubscriptions": {
            "filter.subjectBeginsWith": "",
            "filter.subjectEndsWith": "",
        }
        for owner in (
            "",
            "domains/",
            "domains/topics/",
            "partnerTopics/",
            "systemTopics/",
            "topics/",
        )
    },
    "Dynatrace.Observability/monitors": {
        "marketplaceSubscriptionStatus": "Active",
        "monitoringStatus": "Enabled",
    },
    "Microsoft.IoTCentral/iotApps": {"applicationId": "{guid}", "state": "created"},
    f"{_ML}": {"publicNetworkAccess": "Enabled", "workspaceId": "{guid}"},
    f"{_ML}/computes": {
        "properties.remoteLoginPortPublicAccess": "NotSpecified",
        "properties.sshSettings.sshPublicAccess": "Disabled",
    },
    f"{_ML}/datastores": {"isDefault": False},
    "Microsoft.Network/applicationGateways": {
        "sslProfiles[].properties.clientAuthConfiguration.verifyClientRevocation": "None"
    },
    "Microsoft.Network/loadBalancers": {
        "inboundNatPools[].properties.idleTimeoutInMinutes": 4,
    },
    "Microsoft.Network/natGateways": {
        "/sku": {"name": "Standard"},
        "idleTimeoutInMinutes": 4,
    },
    "Microsoft.Network/networkWatchers/packetCaptures": {
        "bytesToCapturePerPacket": 0,
        "timeLimitInSeconds": 18000,
        "totalBytesPerSession": GIBIBYTE,
    },
    "Microsoft.Network/publicIPAddresses": {
        "/sku": {"name": "Basic", "tier": "Regional"},
        "/sku.tier": "Regional",
        "idleTimeoutInMinutes": 4,
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic",
    },
    "Microsoft.Network/routeTables": {"disableBgpRoutePropagation": False},
    "Microsoft.Network/virtualNetworkGateways": {"disableIPSecReplayProtection": False},
    "Microsoft.Network/virtualNetworks/subnets": {
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    },
    "Microsoft.OperationalInsights/workspaces": {
        "retentionInDays": 30,
        "sku": {"name": "pergb2018"},
        "workspaceCapping": {"dailyQuotaGb": -1.0, "dataIngestionStatus": "RespectQuota"},
    },
    **{
        f"Oracle.Database/{kind}": {"lifecycleState": "Available"}
        for kind in (
            *("autonomousDatabases", "cloudExadataInfrastructures", "cloudVmClusters"),
            *("dbSystems", "exadbVmClusters", "exascaleDbStorageVaults"),
        )
    },
    "Microsoft.RecoveryServices/vaults/backupPolicies": {
        "settings.isCompression": False,
        "settings.timeZone": "UTC",
    },
    "Microsoft.ServiceFabric/clusters": {
        "clusterEndpoint": "https://{location}.servicefabric.azure.com/runtime/clusters/{guid}",
        "clusterId": "{guid}",
        "clusterState": "WaitingForNodes",
        "nodeTypes[].durabilityLevel": "Bronze",
    },
    "Microsoft.SignalRService/signalR/sharedPrivateLinkResources": {"status": "Pending"},
    "Microsoft.SignalRService/webPubSub": {"/sku.capacity": 1},
    "Microsoft.SignalRService/webPubSub/hubs": {"anonymousConnectPolicy": "deny"},
    "Microsoft.SignalRService/webPubSub/sharedPrivateLinkResources": {"status": "Pending"},
    "Microsoft.Sql/servers/elasticPools": {
        "/sku": {"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 2},
        "licenseType": "LicenseIncluded",
        "maxSizeBytes": 32 * GIBIBYTE,
        "perDatabaseSettings": {"minCapacity": 0, "maxCapacity": 2},
        "zoneRedundant": False,
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": {
        "state": "Unlocked"
    },
    "Microsoft.Storage/storageAccounts": {
        "/kind": "StorageV2",
        "/sku": {"name": "Standard_LRS", "tier": "Standard"},
        "/sku.tier": "{tier}",
        "networkAcls": {
            "bypass": "AzureServices",
            "defaultAction": "Allow",
            "ipRules": [],
            "virtualNetworkRules": [],
        },
        "supportsHttpsTrafficOnly": True,
    },
    "Microsoft.Web/serverFarms": {"reserved": False},
    "Microsoft.Web/sites/config": {"backupSchedule.startTime": "2026-01-01T00:00:00"},
    "Microsoft.Web/sites/slots/config": {"backupSchedule.startTime": "2026-01-01T00:00:00"},
    "Microsoft.Sql/managedInstances/vulnerabilityAssessments": {
        "recurringScans.emailSubscriptionAdmins": True,
        "recurringScans.isEnabled": False,
    },
    "Microsoft.StreamAnalytics/streamingJobs": {
        "jobStorageAccount.authenticationMode": "ConnectionString"
    },
    "Microsoft.ApiManagement/service/notifications/recipientEmails": {"email": "{name}"},
    "Microsoft.ApiManagement/service/notifications/recipientUsers": {
        "userId": "/users/{name}",
    },
    "Microsoft.Sql/servers/jobAgents/jobs": {
        "schedule": {
            "enabled": False,
            "endTime": "9999-12-31T11:59:59Z",
            "startTime": "0001-01-01T00:00:00Z",
            "type": "Once",
        },
        "version": 0,
    },
    "Microsoft.KubernetesConfiguration/extensions": {
        "aksAssignedIdentity": _SYSTEM,
        "currentVersion": "1.0.0",
    },
    "PaloAltoNetworks.Cloudngfw/localRulestacks/localRules": {"protocol": "application-default"},
    "Microsoft.AppPlatform/spring": {
        "/sku.tier": "{tier}",
        "vnetAddons.logStreamPublicEndpoint": False,
    },
    "Microsoft.AVS/privateClouds": {
        "endpoints": {
            "hcxCloudManager": "https://10.0.0.9/",
            "nsxtManager": "https://10.0.0.3/",
            "vcsa": "https://10.0.0.2/",
        },
        "circuit": {
            "expressRouteID": "{id}/expressRouteCircuits/circuit",
            "expressRoutePrivatePeeringID": "{id}/expressRouteCircuits/circuit/peerings/private",
            "primarySubnet": "10.0.0.0/30",
            "secondarySubnet": "10.0.0.4/30",
        },
        "managementCluster.clusterId": 1,
        "managementCluster.hosts": [],
        "managementNetwork": "10.0.0.0/26",
        "nsxtCertificateThumbprint": "{guid}",
        "provisioningNetwork": "10.0.0.64/26",
        "vcenterCertificateThumbprint": "{guid}",
        "vmotionNetwork": "10.0.0.128/25",
    },
    "Microsoft.CostManagement/scheduledActions": {"scope": "{path}"},
    "Microsoft.Databricks/workspaces": {"storageAccountIdentity": _SYSTEM},
    "Microsoft.DataBoxEdge/dataBoxEdgeDevices": {"/tags": {}},
    "Microsoft.DataProtection/backupVaults/backupInstances": {
        "currentProtectionState": "ProtectionConfigured",
        "protectionStatus": {"status": "ProtectionConfigured"},
    },
    "Microsoft.Insights/components/proactiveDetectionConfigs": {
        "/enabled": True,
        "/customEmails": [],
        "/ruleDefinitions": {
            "Name": "{name}",
            "IsEnabledByDefault": True,
            "IsHidden": False,
            "SupportsEmailNotifications": True,
        },
        "/sendEmailsToSubscriptionOwners": True,
    },
}


def _merged(*sheets: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for sheet in sheets:
        for name, facts in sheet.items():
            found.setdefault(name.lower(), {}).update(facts)
    return found


_BY_KEY = _merged(DEFAULTS, COMPUTED)


def with_defaults(kind: str, document: dict[str, Any], new: New) -> dict[str, Any]:
    """Return a resource with what Azure says of it by itself.

    Args:
        kind: Its type, in any case.
        document: The resource, with its properties.
        new: The same, for texts that name it.
    """
    facts = _BY_KEY.get(kind.lower(), {})
    names = _names(new) if facts else {}
    for path, value in facts.items():
        inside = path.removeprefix("/")
        steps = inside.split(".") if inside != path else ["properties", *path.split(".")]
        document = _filled(document, steps, _told(value, names))
    return document


def _filled(block: dict[str, Any], steps: list[str], value: object) -> dict[str, Any]:
    step, rest = steps[0], steps[1:]
    name = step.removesuffix(MARK)
    found = block.get(name)
    if not rest:
        there = found is not None and (found != "" or not isinstance(value, str))
        return block if there else {**block, name: value}
    if step.endswith(MARK) and isinstance(found, list):
        items = [_filled(i, rest, value) if isinstance(i, dict) else i for i in found]
        return {**block, name: items}
    if isinstance(found, dict):
        return {**block, name: _filled(found, rest, value)}
    return block


def _told(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Return a value whose texts name the resource."""
    if isinstance(value, dict):
        return {name: _told(inner, names) for name, inner in value.items()}
    if isinstance(value, list):
        return [_told(item, names) for item in value]
    if isinstance(value, str) and "{" in value:
        return value.format_map(names)
    return copy.copy(value)


def _names(new: New) -> Mapping[str, str]:
    segments = [*new.id.split("/"), "", "", "", "", ""]
    digits = new.guid("default").replace("-", "")
    accounts = f"{new.scope}/providers/Microsoft.Storage/storageAccounts"
    return {
        "account": f"{accounts}/{(re.sub('[^a-z0-9]', '', new.name.lower()) + digits)[:24]}",
        "hex": digits,
        "label": str(part(new.properties, "dnsConfig").get("relativeName") or new.name),
        "number": str(int(digits[:13], 16))[:16].zfill(16),
        "octets": "-".join(digits[at : at + 2] for at in (0, 2, 4)).upper(),
        "region": REGIONS.get(new.location, "weu"),
        "service": new.scope.rpartition("/")[2],
        "upper": new.name.upper(),
        "email": str(part(new.properties, "userInfo").get("emailAddress") or ""),
        "word": digits[:8],
        "name": new.name,
        "id": new.id,
        "scope": new.scope,
        "path": new.scope.strip("/"),
        "group": segments[4],
        "subscription": segments[2],
        "location": new.location or "westeurope",
        "guid": new.guid("default"),
        "tenant": new.tenant_id,
        "tier": TIERS.get(_sku(new)[:1].upper(), "Standard"),
    }


def _sku(new: New) -> str:
    sku = new.body.get("sku")
    return str(sku.get("name") or "") if isinstance(sku, Mapping) else ""
