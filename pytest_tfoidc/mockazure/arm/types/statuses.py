"""Statuses of types that do not answer as most do: 200 to everything, and 204 to HEAD.

A fact sheet, one line a verb, status and namespace, from Azure's public API descriptions
(https://github.com/Azure/azure-rest-api-specs). PUT 201 holds for every PUT, not only for one that
creates; PUT 202 and POST 202 are operations that clients poll. POST names an action after its type.
To add a fact, write its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pytest_tfoidc.mockazure.arm.types.rules import Rules

ACCEPTED = 202
FACTS = """
DELETE 202 Microsoft.Chaos: experiments
DELETE 204 Microsoft.AAD: domainServices
DELETE 204 Microsoft.Advisor: recommendations/suppressions
DELETE 204 Microsoft.ApiManagement: gateways
DELETE 204 Microsoft.App: connectedEnvironments/certificates connectedEnvironments/daprComponents
    managedEnvironments/privateEndpointConnections
DELETE 204 Microsoft.AppPlatform: spring/apms spring/applicationAccelerators
    spring/applicationAccelerators/customizedAccelerators spring/applicationLiveViews
    spring/buildServices/builds spring/containerRegistries spring/devToolPortals
DELETE 204 Microsoft.Automation: automationAccounts/privateEndpointConnections
DELETE 204 Microsoft.AzureStackHCI: clusters/deploymentSettings clusters/securitySettings
    edgeDevices galleryImages logicalNetworks marketplaceGalleryImages networkInterfaces
    storageContainers virtualHardDisks virtualMachineInstances virtualMachineInstances/guestAgents
DELETE 204 Microsoft.Blueprint: blueprintAssignments
DELETE 204 Microsoft.Cache: redisEnterprise/databases/accessPolicyAssignments
DELETE 204 Microsoft.CodeSigning: codeSigningAccounts codeSigningAccounts/certificateProfiles
DELETE 204 Microsoft.CognitiveServices: accounts/raiBlocklists
    accounts/raiBlocklists/raiBlocklistItems accounts/raiPolicies
DELETE 204 Microsoft.ContainerInstance: ngroups
DELETE 204 Microsoft.ContainerRegistry: registries/cacheRules registries/credentialSets
DELETE 204 Microsoft.ContainerService: deploymentSafeguards managedClusters/agentPools
    managedClusters/trustedAccessRoleBindings
DELETE 204 Microsoft.DBforPostgreSQL: flexibleServers/administrators flexibleServers/backups
    flexibleServers/virtualEndpoints serverGroupsv2/firewallRules serverGroupsv2/roles
DELETE 204 Microsoft.DevCenter: devCenters devCenters/attachedNetworks devCenters/catalogs
    devCenters/devBoxDefinitions devCenters/galleries devCenters/projectPolicies
    networkConnections projects projects/catalogs projects/pools projects/pools/schedules
DELETE 204 Microsoft.DevOpsInfrastructure: pools
DELETE 204 Microsoft.DocumentDB: cassandraClusters cassandraClusters/dataCenters
    databaseAccounts/sqlDatabases/containers/storedProcedures
    databaseAccounts/sqlDatabases/containers/triggers
    databaseAccounts/sqlDatabases/containers/userDefinedFunctions mongoClusters
    mongoClusters/firewallRules mongoClusters/users
DELETE 204 Microsoft.ExtendedLocation: customLocations
DELETE 204 Microsoft.Fabric: capacities
DELETE 204 Microsoft.HealthcareApis: services
DELETE 204 Microsoft.HybridCompute: machines/licenseProfiles
DELETE 204 Microsoft.IoTCentral: iotApps
DELETE 204 Microsoft.LoadTestService: loadTests
DELETE 204 Microsoft.Management: managementGroups
DELETE 204 Microsoft.Monitor: accounts
DELETE 204 Microsoft.NetApp: netAppAccounts netAppAccounts/backupVaults
    netAppAccounts/backupVaults/backups netAppAccounts/capacityPools
    netAppAccounts/capacityPools/volumes netAppAccounts/capacityPools/volumes/buckets
DELETE 204 Microsoft.Network: networkManagers/ipamPools networkManagers/ipamPools/staticCidrs
    networkManagers/verifierWorkspaces networkManagers/verifierWorkspaces/reachabilityAnalysisRuns
    networkWatchers/connectionMonitors networkWatchers/packetCaptures
DELETE 204 Microsoft.RecoveryServices: vaults/registeredIdentities vaults/replicationFabrics
    vaults/replicationFabrics/replicationNetworks/replicationNetworkMappings
    vaults/replicationFabrics/replicationProtectionContainers/replicationProtectedItems
    vaults/replicationFabrics/replicationProtectionContainers/replicationProtectionContainerMappings
    vaults/replicationFabrics/replicationRecoveryServicesProviders vaults/replicationPolicies
    vaults/replicationRecoveryPlans
DELETE 204 Microsoft.RedHatOpenShift: openShiftClusters
DELETE 204 Microsoft.ResourceConnector: appliances
DELETE 204 Microsoft.Resources: deployments
DELETE 204 Microsoft.ScVmm: availabilitySets clouds virtualMachineInstances
    virtualMachineTemplates virtualNetworks vmmServers
DELETE 204 Microsoft.Search: searchServices/sharedPrivateLinkResources
DELETE 204 Microsoft.Security: automations
DELETE 204 Microsoft.ServiceNetworking: trafficControllers trafficControllers/associations
    trafficControllers/frontends trafficControllers/securityPolicies
DELETE 204 Microsoft.StandbyPool: standbyVirtualMachinePools
DELETE 204 Microsoft.Storage: storageAccounts/connectors storageAccounts/dataShares
    storageAccounts/storageTaskAssignments
DELETE 204 Microsoft.StorageCache: amlFilesystems/autoExportJobs amlFilesystems/importJobs
DELETE 204 Microsoft.Web: hostingEnvironments sites/functions sites/functions/keys
    sites/instances/processes sites/processes sites/siteExtensions sites/slots/functions
    sites/slots/functions/keys sites/slots/instances/processes sites/slots/processes
    sites/slots/siteExtensions
DELETE 204 Microsoft.Workloads: sapVirtualInstances sapVirtualInstances/applicationInstances
    sapVirtualInstances/centralInstances sapVirtualInstances/databaseInstances
DELETE 204 Oracle.Database: autonomousDatabases autonomousDatabases/autonomousDatabaseBackups
    cloudExadataInfrastructures cloudVmClusters cloudVmClusters/virtualNetworkAddresses dbSystems
    exadbVmClusters exascaleDbStorageVaults networkAnchors oracleSubscriptions resourceAnchors
DELETE 204 PaloAltoNetworks.Cloudngfw: firewalls/metrics
DELETE 204 Qumulo.Storage: fileSystems
HEAD 200 Microsoft.ApiManagement: service/apiVersionSets service/apis service/apis/diagnostics
    service/apis/operations service/apis/operations/policies service/apis/operations/tags
    service/apis/policies service/apis/releases service/apis/schemas service/apis/tagDescriptions
    service/apis/tags service/authorizationServers service/backends service/caches
    service/certificates service/diagnostics service/gateways service/gateways/apis
    service/gateways/certificateAuthorities service/gateways/hostnameConfigurations service/groups
    service/identityProviders service/loggers service/namedValues service/openidConnectProviders
    service/policies service/policyFragments service/portalsettings service/products
    service/products/policies service/products/tags service/schemas service/subscriptions
    service/tags service/templates service/tenant service/users service/workspaces
    service/workspaces/apiVersionSets service/workspaces/backends service/workspaces/certificates
    service/workspaces/namedValues service/workspaces/policies service/workspaces/policyFragments
HEAD 200 Microsoft.DeviceUpdate: accounts accounts/instances
HEAD 200 Microsoft.DocumentDB: databaseAccountNames
PATCH 201 Microsoft.EventGrid: domains/eventSubscriptions domains/topics/eventSubscriptions
    eventSubscriptions partnerTopics/eventSubscriptions systemTopics/eventSubscriptions
    topics/eventSubscriptions
PATCH 202 Microsoft.Chaos: experiments
PATCH 202 Microsoft.DBforPostgreSQL: flexibleServers/virtualEndpoints
PATCH 202 Microsoft.IoTCentral: iotApps
PATCH 204 Microsoft.ApiManagement: service/portalsettings
POST 202 Microsoft.AVS: privateClouds/rotateNsxtPassword privateClouds/rotateVcenterPassword
POST 202 Microsoft.AppPlatform: spring/apps/setActiveDeployments spring/disableApmGlobally
    spring/enableApmGlobally spring/flushVirtualNetworkDnsSettings spring/start spring/stop
POST 202 Microsoft.Automation: automationAccounts/runbooks/publish
POST 202 Microsoft.AzureStackHCI: clusters/arcSettings/extensions/upgrade
    clusters/uploadCertificate
POST 202 Microsoft.Cache: redisEnterprise/databases/forceLinkToReplicationGroup
    redisEnterprise/databases/upgradeDBRedisVersion
POST 202 Microsoft.Cdn: profiles/migrationAbort
POST 202 Microsoft.Chaos: experiments/cancel experiments/start
POST 202 Microsoft.Communication: emailServices/domains/cancelVerification
    emailServices/domains/initiateVerification
POST 202 Microsoft.Compute: disks/beginGetAccess disks/endGetAccess
    restorePointCollections/restorePoints/diskRestorePoints/beginGetAccess
    restorePointCollections/restorePoints/diskRestorePoints/endGetAccess snapshots/beginGetAccess
    snapshots/endGetAccess virtualMachineScaleSets/approveRollingUpgrade
    virtualMachineScaleSets/virtualMachines/approveRollingUpgrade
POST 202 Microsoft.ContainerInstance: containerGroups/start ngroups/restart ngroups/start
POST 202 Microsoft.ContainerService: managedClusters/abort managedClusters/agentPools/abort
    managedClusters/agentPools/deleteMachines managedClusters/rotateClusterCertificates
    managedClusters/rotateServiceAccountSigningKeys managedClusters/start managedClusters/stop
POST 202 Microsoft.DBforPostgreSQL: flexibleServers/restart flexibleServers/start
    flexibleServers/stop
POST 202 Microsoft.DataBoxEdge: dataBoxEdgeDevices/securitySettings/update
POST 202 Microsoft.DataProtection: backupVaults/backupInstances/rehydrate
    backupVaults/backupInstances/validateForModifyBackup backupVaults/exportBackupJobs
POST 202 Microsoft.DevCenter: devCenters/catalogs/connect devCenters/catalogs/sync
    networkConnections/runHealthChecks projects/catalogs/connect
    projects/catalogs/imageDefinitions/buildImage projects/catalogs/imageDefinitions/builds/cancel
    projects/catalogs/sync projects/pools/runHealthChecks
POST 202 Microsoft.DocumentDB: cassandraClusters/deallocate cassandraClusters/invokeCommand
    cassandraClusters/start databaseAccounts/failoverPriorityChange mongoClusters/promote
POST 202 Microsoft.Insights: components/purge
POST 202 Microsoft.KeyVault: locations/deletedManagedHSMs/purge
POST 202 Microsoft.MachineLearningServices: workspaces/computes/restart workspaces/computes/start
    workspaces/computes/stop
POST 202 Microsoft.NetApp: netAppAccounts/backupVaults/backups/restoreFiles
    netAppAccounts/capacityPools/volumes/buckets/generateAkvCredentials
    netAppAccounts/capacityPools/volumes/buckets/refreshCertificate
    netAppAccounts/capacityPools/volumes/finalizeExternalReplication
    netAppAccounts/capacityPools/volumes/migrateBackups
    netAppAccounts/capacityPools/volumes/performReplicationTransfer
    netAppAccounts/capacityPools/volumes/reestablishReplication
    netAppAccounts/capacityPools/volumes/resetCifsPassword netAppAccounts/changeKeyVault
    netAppAccounts/migrateBackups netAppAccounts/transitiontocmk
POST 202 Microsoft.Network: azureFirewalls/packetCapture bastionHosts/deleteShareableLinksByToken
    connections/resetconnection firewallPolicies/deploy virtualNetworkGateways/abortMigration
    virtualNetworkGateways/commitMigration virtualNetworkGateways/executeMigration
    virtualNetworkGateways/prepareMigration
    vpnGateways/vpnConnections/vpnLinkConnections/resetconnection
POST 202 Microsoft.OperationalInsights: locations/workspaces/failover workspaces/failback
    workspaces/purge
POST 202 Microsoft.RecoveryServices: vaults/backupFabrics/protectionContainers/inquire
    vaults/backupFabrics/refreshContainers vaults/replicationFabrics/migratetoaad
    vaults/replicationFabrics/remove vaults/replicationFabrics/removeInfra
    vaults/replicationFabrics/replicationProtectionContainers/remove
    vaults/replicationFabrics/replicationProtectionContainers/replicationProtectedItems/remove
    vaults/replicationFabrics/replicationProtectionContainers/replicationProtectionContainerMappings/remove
    vaults/replicationFabrics/replicationRecoveryServicesProviders/remove
POST 202 Microsoft.ScVmm: virtualMachineInstances/createCheckpoint
    virtualMachineInstances/deleteCheckpoint virtualMachineInstances/restart
    virtualMachineInstances/restoreCheckpoint virtualMachineInstances/start
    virtualMachineInstances/stop
POST 202 Microsoft.SignalRService: signalR/replicas/restart signalR/restart
    webPubSub/replicas/restart webPubSub/restart
POST 202 Microsoft.SqlVirtualMachine: sqlVirtualMachines/fetchDCAssessment
    sqlVirtualMachines/redeploy sqlVirtualMachines/startAssessment
POST 202 Microsoft.Storage: storageAccounts/networkSecurityPerimeterConfigurations/reconcile
    storageAccounts/storageTaskAssignments/stopAssignment
POST 202 Microsoft.StorageCache: caches/pausePrimingJob caches/resumePrimingJob
    caches/spaceAllocation caches/startPrimingJob caches/stopPrimingJob caches/upgrade
POST 202 Microsoft.Web: hostingEnvironments/reboot hostingEnvironments/upgrade
    staticSites/builds/linkedBackends/validate staticSites/linkedBackends/validate
POST 202 Oracle.Database: oracleSubscriptions/addAzureSubscriptions
POST 202 PaloAltoNetworks.Cloudngfw: globalRulestacks/commit localRulestacks/commit
POST 204 Microsoft.ApiManagement: service/subscriptions/regeneratePrimaryKey
    service/subscriptions/regenerateSecondaryKey service/tenant/regeneratePrimaryKey
    service/tenant/regenerateSecondaryKey
POST 204 Microsoft.Batch: batchAccounts/syncAutoStorageKeys
POST 204 Microsoft.CertificateRegistration: certificateOrders/reissue certificateOrders/renew
    certificateOrders/resendEmail certificateOrders/resendRequestEmails
    certificateOrders/verifyDomainOwnership validateCertificateRegistrationInformation
POST 204 Microsoft.CodeSigning: codeSigningAccounts/certificateProfiles/revokeCertificate
POST 204 Microsoft.CognitiveServices: accounts/raiBlocklists/deleteRaiBlocklistItems
POST 204 Microsoft.Compute: virtualMachineScaleSets/virtualMachines/simulateEviction
    virtualMachines/simulateEviction
POST 204 Microsoft.ContainerInstance: containerGroups/restart containerGroups/stop ngroups/stop
POST 204 Microsoft.Resources: deployments/cancel
POST 204 Microsoft.Web: serverFarms/restartSites serverFarms/workers/reboot
    sites/config/snapshots/recover sites/host/listsyncstatus sites/host/sync
    sites/slots/config/snapshots/recover sites/slots/host/listsyncstatus sites/slots/host/sync
    sites/slots/syncfunctiontriggers sites/syncfunctiontriggers
POST 204 PaloAltoNetworks.Cloudngfw: firewalls/saveLogProfile
    globalRulestacks/postRules/refreshCounters globalRulestacks/preRules/refreshCounters
    globalRulestacks/revert localRulestacks/localRules/refreshCounters localRulestacks/revert
PUT 200 Microsoft.Network: applicationGateways/privateEndpointConnections cloudServiceSlots
    expressRouteCrossConnections firewallPolicies/signatureOverrides
    privateLinkServices/privateEndpointConnections
PUT 201 Microsoft.Authorization: roleAssignmentScheduleRequests roleDefinitions
    roleEligibilityScheduleRequests roleManagementPolicyAssignments
PUT 201 Microsoft.Automation: automationAccounts/connectionTypes automationAccounts/jobSchedules
    automationAccounts/jobs automationAccounts/sourceControls/sourceControlSyncJobs
PUT 201 Microsoft.AzureActiveDirectory: b2cDirectories
PUT 201 Microsoft.Blueprint: blueprintAssignments blueprints blueprints/versions
PUT 201 Microsoft.Compute: restorePointCollections/restorePoints
PUT 201 Microsoft.DeviceUpdate: accounts accounts/instances
PUT 201 Microsoft.EventGrid: domains/topics partnerNamespaces systemTopics/eventSubscriptions
PUT 201 Microsoft.NetApp: netAppAccounts/capacityPools/volumes/snapshots
    netAppAccounts/volumeGroups
PUT 201 Microsoft.Network: networkWatchers/packetCaptures
PUT 201 Microsoft.OperationalInsights: queryPacks
PUT 201 Microsoft.SignalRService: signalR/customDomains webPubSub/customDomains
PUT 201 Microsoft.Web: sites/extensions sites/functions sites/instances/extensions
    sites/slots/extensions sites/slots/functions sites/slots/instances/extensions
PUT 202 Microsoft.DBforPostgreSQL: flexibleServers/administrators flexibleServers/backups
    flexibleServers/virtualEndpoints
"""
LINE = re.compile(r"([A-Z]+) (\d{3}) ([\w.]+): ([\w/\s]+?)(?=\n[A-Z]+ \d|\n*\Z)")


def _read(facts: str) -> dict[str, dict[str, int]]:
    """Return the statuses by type and verb; for POST by type and action. All in lower case."""
    found: dict[str, dict[str, int]] = {}
    for verb, status, namespace, names in LINE.findall(facts):
        for name in names.lower().split():
            kind, what = f"{namespace.lower()}/{name}", verb.lower()
            if verb == "POST":
                kind, _, what = kind.rpartition("/")
            found.setdefault(kind, {})[what] = int(status)
    return found


STATUSES: Mapping[str, Mapping[str, int]] = _read(FACTS)
VERBS = ("put", "patch", "delete", "head")


def with_statuses(kind: str, rules: Rules) -> Rules:
    """Return a type's rules with the statuses that the sheet has for it (type in lower case)."""
    facts = STATUSES.get(kind)
    if facts is None:
        return rules
    put = facts.get("put")
    if put == ACCEPTED:
        rules = replace(rules, begun=True)
    elif put is not None:
        rules = replace(rules, created=put, updated=put)
    return replace(
        rules,
        changed=facts.get("patch", rules.changed),
        deleted=facts.get("delete", rules.deleted),
        found=facts.get("head", rules.found),
        acted={action: status for action, status in facts.items() if action not in VERBS},
    )
