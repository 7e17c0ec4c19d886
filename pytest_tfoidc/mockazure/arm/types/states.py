"""States that settle: what a resource says of itself besides its provisioningState.

A fact sheet: type -> property -> what it says while it is being made, and what it says then. From
Azure's public API descriptions (https://github.com/Azure/azure-rest-api-specs). To add one, write
its line; the property is shown over virtual time like provisioningState.
"""

from __future__ import annotations

from collections.abc import Mapping

States = Mapping[str, tuple[str, str]]  # property -> (busy, settled)

STATES: dict[str, States] = {
    "Microsoft.ApiManagement/service": {"targetProvisioningState": ("Activating", "")},
    "Microsoft.App/containerApps": {"runningStatus": ("Progressing", "Running")},
    "Microsoft.Cache/redisEnterprise": {"resourceState": ("Creating", "Running")},
    "Microsoft.Cache/redisEnterprise/databases": {"resourceState": ("Creating", "Running")},
    "Microsoft.Cdn/profiles": {"resourceState": ("Creating", "Active")},
    "Microsoft.Cdn/profiles/afdEndpoints": {"deploymentStatus": ("InProgress", "Succeeded")},
    "Microsoft.Cdn/profiles/endpoints": {"resourceState": ("Creating", "Running")},
    "Microsoft.Cdn/profiles/endpoints/customDomains": {"resourceState": ("Creating", "Active")},
    "Microsoft.DBforMySQL/flexibleServers": {"state": ("Starting", "Ready")},
    "Microsoft.DBforPostgreSQL/flexibleServers": {"state": ("Provisioning", "Ready")},
    "Microsoft.Devices/IotHubs": {"state": ("Activating", "Active")},
    "Microsoft.Devices/provisioningServices": {"state": ("Activating", "Active")},
    "Microsoft.EventHub/clusters": {"status": ("Creating", "Active")},
    "Microsoft.HDInsight/clusters": {"clusterState": ("Accepted", "Running")},
    "Microsoft.Kusto/clusters": {"state": ("Creating", "Running")},
    "Microsoft.Logic/workflows": {"state": ("Enabled", "Enabled")},
    "Microsoft.Network/applicationGateways": {"operationalState": ("Starting", "Running")},
    "Microsoft.Network/expressRouteCircuits": {
        "circuitProvisioningState": ("Enabling", "Enabled"),
        "serviceProviderProvisioningState": ("NotProvisioned", "NotProvisioned"),
    },
    "Microsoft.Network/virtualHubs": {"routingState": ("Provisioning", "Provisioned")},
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": {
        "peeringState": ("Initiated", "Connected"),
        "peeringSyncLevel": ("FullyInSync", "FullyInSync"),
    },
    "Microsoft.Network/virtualWans": {"office365LocalBreakoutCategory": ("None", "None")},
    "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems": {
        "protectionState": ("IRPending", "IRPending"),
    },
    "Microsoft.Sql/managedInstances": {"state": ("Creating", "Ready")},
    "Microsoft.Sql/servers": {"state": ("Creating", "Ready")},
    "Microsoft.Sql/servers/databases": {"status": ("Creating", "Online")},
    "Microsoft.Sql/servers/elasticPools": {"state": ("Creating", "Ready")},
    "Microsoft.StreamAnalytics/streamingJobs": {"jobState": ("Created", "Created")},
    "Microsoft.Web/serverFarms": {"status": ("Creating", "Ready")},
    "Microsoft.Web/sites": {"state": ("Starting", "Running")},
    "Microsoft.Web/sites/slots": {"state": ("Starting", "Running")},
    "Microsoft.Web/staticSites": {"stagingEnvironmentPolicy": ("Enabled", "Enabled")},
}
_BY_KEY = {name.lower(): states for name, states in STATES.items()}


def settled(kind: str) -> dict[str, str]:
    """Return what a type's states say once it is made."""
    return {name: then for name, (_, then) in _BY_KEY.get(kind.lower(), {}).items() if then}


def busy(kind: str) -> dict[str, str]:
    """Return what a type's states say while something is under way on it."""
    return {name: now for name, (now, _) in _BY_KEY.get(kind.lower(), {}).items() if now}
