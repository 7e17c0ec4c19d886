"""Capabilities of resources: their logs and metrics, and where private endpoints lead.

Two fact sheets. To add a type, write its line. A type without one has metrics and no logs, and
no part that a private endpoint could lead to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm.estate import not_found
from pytest_tfoidc.mockazure.arm.listings import listed

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.estate import Estate
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document

CATEGORIES = "microsoft.insights/diagnosticsettingscategories"
LINKS = "privatelinkresources"
OF_FUNCTIONS = "FunctionAppLogs"  # of an app that is a function app
ALL, NO = "AllMetrics", "-"  # what is measured: all together, and nothing

# Type: logs, | what is measured where that is not AllMetrics. An audit's logs end with `*`.
# https://learn.microsoft.com/azure/azure-monitor/reference/logs-index
LOGGED = """
Microsoft.ApiManagement/service: GatewayLogs WebSocketConnectionLogs DeveloperPortalAuditLogs*
Microsoft.App/managedEnvironments: ContainerAppConsoleLogs ContainerAppSystemLogs
    AppEnvSpringAppConsoleLogs AppEnvSessionConsoleLogs
Microsoft.AppConfiguration/configurationStores: HttpRequest Audit*
Microsoft.Automation/automationAccounts: JobLogs JobStreams DscNodeStatus AuditEvent*
Microsoft.Batch/batchAccounts: ServiceLog ServiceLogs AuditLog*
Microsoft.Cache/redis: ConnectedClientList MSEntraAuthenticationAuditLog*
Microsoft.Cdn/profiles: FrontDoorAccessLog FrontDoorHealthProbeLog
    FrontDoorWebApplicationFirewallLog
Microsoft.CognitiveServices/accounts: Audit* RequestResponse AzureOpenAIRequestUsage Trace
Microsoft.ContainerRegistry/registries: ContainerRegistryRepositoryEvents
    ContainerRegistryLoginEvents*
Microsoft.ContainerService/managedClusters: kube-apiserver kube-audit* kube-audit-admin*
    kube-controller-manager kube-scheduler cluster-autoscaler cloud-controller-manager guard
    csi-azuredisk-controller csi-azurefile-controller csi-snapshot-controller
Microsoft.DBforMySQL/flexibleServers: MySqlSlowLogs MySqlAuditLogs*
Microsoft.DBforPostgreSQL/flexibleServers: PostgreSQLLogs* PostgreSQLFlexSessions
    PostgreSQLFlexQueryStoreRuntime PostgreSQLFlexQueryStoreWaitStats PostgreSQLFlexTableStats
    PostgreSQLFlexDatabaseXacts
Microsoft.Databricks/workspaces: accounts clusters dbfs jobs notebook secrets sqlPermissions ssh
    workspace unityCatalog | -
Microsoft.DataFactory/factories: ActivityRuns PipelineRuns TriggerRuns
Microsoft.Devices/IotHubs: Connections DeviceTelemetry C2DCommands DeviceIdentityOperations
    FileUploadOperations Routes D2CTwinOperations C2DTwinOperations TwinQueries JobsOperations
    DirectMethods DistributedTracing Configurations DeviceStreams
Microsoft.DocumentDB/databaseAccounts: DataPlaneRequests* MongoRequests* QueryRuntimeStatistics
    PartitionKeyStatistics PartitionKeyRUConsumption ControlPlaneRequests* CassandraRequests*
    GremlinRequests* TableApiRequests* | Requests SLI
Microsoft.EventGrid/domains: DeliveryFailures PublishFailures DataPlaneRequests*
Microsoft.EventGrid/systemTopics: DeliveryFailures
Microsoft.EventGrid/topics: DeliveryFailures PublishFailures DataPlaneRequests*
Microsoft.EventHub/namespaces: ArchiveLogs OperationalLogs AutoScaleLogs KafkaCoordinatorLogs
    KafkaUserErrorLogs EventHubVNetConnectionEvent CustomerManagedKeyUserLogs RuntimeAuditLogs*
    ApplicationMetricsLogs DiagnosticErrorLogs
Microsoft.Insights/autoscaleSettings: AutoscaleEvaluations AutoscaleScaleActions
Microsoft.Insights/components: AppAvailabilityResults AppBrowserTimings AppEvents AppMetrics
    AppDependencies AppExceptions AppPageViews AppPerformanceCounters AppRequests AppSystemEvents
    AppTraces
Microsoft.KeyVault/managedHSMs: AuditEvent*
Microsoft.KeyVault/vaults: AuditEvent* AzurePolicyEvaluationDetails
Microsoft.Kusto/clusters: SucceededIngestion FailedIngestion IngestionBatching Command Query
    TableUsageStatistics TableDetails Journal* DataOperation
Microsoft.Logic/workflows: WorkflowRuntime
Microsoft.MachineLearningServices/workspaces: AmlComputeClusterEvent AmlComputeClusterNodeEvent
    AmlComputeJobEvent AmlComputeCpuGpuUtilization AmlRunStatusChangedEvent ModelsChangeEvent
    ModelsReadEvent ComputeInstanceEvent EnvironmentChangeEvent EnvironmentReadEvent
Microsoft.Network/applicationGateways: ApplicationGatewayAccessLog
    ApplicationGatewayPerformanceLog ApplicationGatewayFirewallLog
Microsoft.Network/azureFirewalls: AzureFirewallApplicationRule AzureFirewallNetworkRule
    AzureFirewallDnsProxy AZFWNetworkRule AZFWApplicationRule AZFWNatRule AZFWThreatIntel
    AZFWIdpsSignature AZFWDnsQuery AZFWFqdnResolveFailure AZFWFatFlow AZFWFlowTrace
    AZFWApplicationRuleAggregation AZFWNetworkRuleAggregation AZFWNatRuleAggregation
Microsoft.Network/bastionHosts: BastionAuditLogs*
Microsoft.Network/expressRouteCircuits: PeeringRouteLog
Microsoft.Network/loadBalancers: LoadBalancerHealthEvent
Microsoft.Network/networkSecurityGroups: NetworkSecurityGroupEvent NetworkSecurityGroupRuleCounter
    | -
Microsoft.Network/publicIPAddresses: DDoSProtectionNotifications DDoSMitigationFlowLogs
    DDoSMitigationReports
Microsoft.Network/trafficManagerProfiles: ProbeHealthStatusEvents
Microsoft.Network/virtualNetworkGateways: GatewayDiagnosticLog TunnelDiagnosticLog
    RouteDiagnosticLog IKEDiagnosticLog P2SDiagnosticLog
Microsoft.Network/virtualNetworks: VMProtectionAlerts
Microsoft.Network/vpnGateways: GatewayDiagnosticLog TunnelDiagnosticLog RouteDiagnosticLog
    IKEDiagnosticLog
Microsoft.OperationalInsights/workspaces: Audit* SummaryLogs
Microsoft.RecoveryServices/vaults: AzureBackupReport CoreAzureBackup AddonAzureBackupJobs
    AddonAzureBackupAlerts AddonAzureBackupPolicy AddonAzureBackupStorage
    AddonAzureBackupProtectedInstance AzureSiteRecoveryJobs AzureSiteRecoveryEvents
    AzureSiteRecoveryReplicatedItems AzureSiteRecoveryReplicationStats
    AzureSiteRecoveryRecoveryPoints AzureSiteRecoveryReplicationDataUploadRate
    AzureSiteRecoveryProtectedDiskDataChurn | Health
Microsoft.Resources/subscriptions: Administrative* Security ServiceHealth Alert Recommendation
    Policy Autoscale ResourceHealth | -
Microsoft.Search/searchServices: OperationLogs*
Microsoft.ServiceBus/namespaces: OperationalLogs VNetAndIPFilteringLogs RuntimeAuditLogs*
    ApplicationMetricsLogs DataDRLogs DiagnosticErrorLogs
Microsoft.SignalRService/signalR: AllLogs
Microsoft.SignalRService/webPubSub: ConnectivityLogs MessagingLogs HttpRequestLogs*
Microsoft.Sql/managedInstances: ResourceUsageStats DevOpsOperationsAudit* SQLSecurityAuditEvents*
    | -
Microsoft.Sql/servers/databases: SQLInsights AutomaticTuning QueryStoreRuntimeStatistics
    QueryStoreWaitStatistics Errors DatabaseWaitStatistics Timeouts Blocks Deadlocks
    DevOpsOperationsAudit* SQLSecurityAuditEvents* | Basic InstanceAndAppAdvanced
    WorkloadManagement
Microsoft.Storage/storageAccounts: | Transaction Capacity
Microsoft.Storage/storageAccounts/blobServices: StorageRead* StorageWrite* StorageDelete*
    | Transaction Capacity
Microsoft.Storage/storageAccounts/fileServices: StorageRead* StorageWrite* StorageDelete*
    | Transaction Capacity
Microsoft.Storage/storageAccounts/queueServices: StorageRead* StorageWrite* StorageDelete*
    | Transaction Capacity
Microsoft.Storage/storageAccounts/tableServices: StorageRead* StorageWrite* StorageDelete*
    | Transaction Capacity
Microsoft.StreamAnalytics/streamingJobs: Execution Authoring
Microsoft.Synapse/workspaces: SynapseRbacOperations* GatewayApiRequests BuiltinSqlReqsEnded
    IntegrationPipelineRuns IntegrationActivityRuns IntegrationTriggerRuns SQLSecurityAuditEvents*
Microsoft.Web/hostingEnvironments: AppServiceEnvironmentPlatformLogs
Microsoft.Web/sites: AppServiceHTTPLogs AppServiceConsoleLogs AppServiceAppLogs
    AppServiceAuditLogs* AppServiceIPSecAuditLogs* AppServicePlatformLogs FunctionAppLogs
    AppServiceAuthenticationLogs
Microsoft.Web/sites/slots: AppServiceHTTPLogs AppServiceConsoleLogs AppServiceAppLogs
    AppServiceAuditLogs* AppServiceIPSecAuditLogs* AppServicePlatformLogs FunctionAppLogs
    AppServiceAuthenticationLogs
"""

# Type: GROUP=zone of each part that a private endpoint can lead to; `{location}` is the region's.
# https://learn.microsoft.com/azure/private-link/private-endpoint-dns
LINKED = """
Microsoft.ApiManagement/service: Gateway=azure-api.net
Microsoft.App/managedEnvironments: managedEnvironments={location}.azurecontainerapps.io
Microsoft.AppConfiguration/configurationStores: configurationStores=azconfig.io
Microsoft.Automation/automationAccounts: Webhook=azure-automation.net
    DSCAndHybridWorker=azure-automation.net
Microsoft.Batch/batchAccounts: batchAccount=batch.azure.com nodeManagement=batch.azure.com
Microsoft.BotService/botServices: Bot=directline.botframework.com Token=token.botframework.com
Microsoft.Cache/redis: redisCache=redis.cache.windows.net
Microsoft.Cache/redisEnterprise: redisEnterprise=redis.azure.net
Microsoft.CognitiveServices/accounts: account=cognitiveservices.azure.com
Microsoft.Compute/diskAccesses: disks=blob.core.windows.net
Microsoft.ContainerRegistry/registries: registry=azurecr.io
Microsoft.ContainerService/managedClusters: management={location}.azmk8s.io
Microsoft.DBforMySQL/flexibleServers: mysqlServer=mysql.database.azure.com
Microsoft.DBforPostgreSQL/flexibleServers: postgresqlServer=postgres.database.azure.com
Microsoft.Databricks/workspaces: databricks_ui_api=azuredatabricks.net
    browser_authentication=azuredatabricks.net
Microsoft.DataFactory/factories: dataFactory=datafactory.azure.net portal=adf.azure.com
Microsoft.Devices/IotHubs: iotHub=azure-devices.net
Microsoft.Devices/provisioningServices: iotDps=azure-devices-provisioning.net
Microsoft.DigitalTwins/digitalTwinsInstances: API=digitaltwins.azure.net
Microsoft.DocumentDB/databaseAccounts: Sql=documents.azure.com MongoDB=mongo.cosmos.azure.com
    Cassandra=cassandra.cosmos.azure.com Gremlin=gremlin.cosmos.azure.com
    Table=table.cosmos.azure.com
Microsoft.EventGrid/domains: domain=eventgrid.azure.net
Microsoft.EventGrid/topics: topic=eventgrid.azure.net
Microsoft.EventHub/namespaces: namespace=servicebus.windows.net
Microsoft.HDInsight/clusters: gateway=azurehdinsight.net
Microsoft.HybridCompute/privateLinkScopes: hybridcompute=his.arc.azure.com
Microsoft.Insights/privateLinkScopes: azuremonitor=monitor.azure.com
Microsoft.KeyVault/managedHSMs: managedhsm=managedhsm.azure.net
Microsoft.KeyVault/vaults: vault=vaultcore.azure.net
Microsoft.Kusto/clusters: cluster={location}.kusto.windows.net
Microsoft.MachineLearningServices/workspaces: amlworkspace=api.azureml.ms
Microsoft.Migrate/migrateProjects: Default=prod.migration.windowsazure.com
Microsoft.Purview/accounts: account=purview.azure.com portal=purviewstudio.azure.com
Microsoft.RecoveryServices/vaults: AzureBackup={location}.backup.windowsazure.com
    AzureSiteRecovery=siterecovery.windowsazure.com
Microsoft.Relay/namespaces: namespace=servicebus.windows.net
Microsoft.Search/searchServices: searchService=search.windows.net
Microsoft.ServiceBus/namespaces: namespace=servicebus.windows.net
Microsoft.SignalRService/signalR: signalr=service.signalr.net
Microsoft.SignalRService/webPubSub: webpubsub=webpubsub.azure.com
Microsoft.Sql/managedInstances: managedInstance=database.windows.net
Microsoft.Sql/servers: sqlServer=database.windows.net
Microsoft.Storage/storageAccounts: blob=blob.core.windows.net blob_secondary=blob.core.windows.net
    table=table.core.windows.net table_secondary=table.core.windows.net
    queue=queue.core.windows.net queue_secondary=queue.core.windows.net
    file=file.core.windows.net web=web.core.windows.net web_secondary=web.core.windows.net
    dfs=dfs.core.windows.net dfs_secondary=dfs.core.windows.net
Microsoft.StorageSync/storageSyncServices: Afs={location}.afs.azure.net
Microsoft.Synapse/workspaces: Sql=sql.azuresynapse.net SqlOnDemand=sql.azuresynapse.net
    Dev=dev.azuresynapse.net
Microsoft.Web/sites: sites=azurewebsites.net
Microsoft.Web/staticSites: staticSites=azurestaticapps.net
"""
# Parts of services for which these can make private endpoints of their own to what users run.
SHAREABLE = {
    "microsoft.signalrservice/signalr": ("sites", "vault"),
    "microsoft.signalrservice/webpubsub": ("sites", "vault"),
}


def _sheet(text: str) -> dict[str, str]:
    """Return the lines of a fact sheet by type."""
    entries = re.sub(r"\n +", " ", text.strip()).split("\n")
    return {kind.lower(): facts for kind, _, facts in (entry.partition(":") for entry in entries)}


_LOGGED, _LINKED = _sheet(LOGGED), _sheet(LINKED)


def is_capability(place: Place) -> bool:
    """Tell whether a path names what a resource can do, or one part of that."""
    kind = place.type_key
    return kind == CATEGORIES or (
        kind.endswith(f"/{LINKS}") and kind.removesuffix(f"/{LINKS}") in _LINKED
    )


def answer(estate: Estate, call: Call) -> Response:
    """Answer a GET of what a resource can do: all of it, or one part by its name."""
    estate.check_parent(call, write=False)
    place = call.place
    found = _categories(estate, call) if place.type_key == CATEGORIES else _links(estate, call)
    if not place.pairs:
        return listed(call, found)
    for one in found:
        if one["name"].lower() == place.name.lower():
            return Response.json(one)
    raise not_found(place)


def _categories(estate: Estate, call: Call) -> list[Document]:
    place = call.place
    logs, _, measured = _LOGGED.get(place.parent.type_key, "").partition("|")
    found = [
        _category(place, name.removesuffix("*"), "Logs", audit=name.endswith("*"))
        for name in logs.split()
        if name != OF_FUNCTIONS or _is_function(estate, call)
    ]
    metrics = [name for name in (measured.split() or [ALL]) if name != NO]
    return [*found, *(_category(place, name, "Metrics", audit=False) for name in metrics)]


def _is_function(estate: Estate, call: Call) -> bool:
    found = estate.find(call, call.place.parent) or {}
    return "functionapp" in str(found.get("kind", "")).lower()


def _category(place: Place, name: str, kind: str, *, audit: bool) -> Document:
    named = [*(["audit"] if audit else []), "allLogs"]
    groups = {"categoryGroups": named} if kind == "Logs" else {}
    return {
        "id": f"{place.parent.id}/providers/microsoft.insights/diagnosticSettingsCategories/{name}",
        "name": name,
        "type": "microsoft.insights/diagnosticSettingsCategories",
        "properties": {"categoryType": kind, **groups},
    }


def _links(estate: Estate, call: Call) -> list[Document]:
    owner = call.place.parent
    document = estate.find(call, owner) or {}
    location = str(document.get("location", "")).lower().replace(" ", "")
    parts = (part.partition("=") for part in _LINKED[owner.type_key].split())
    return [_link(owner, group, zone.format(location=location)) for group, _, zone in parts]


def _link(owner: Place, group: str, zone: str) -> Document:
    shareable: dict[str, Any] = {
        "shareablePrivateLinkResourceTypes": [
            {"name": name, "properties": {"groupId": name, "description": name, "type": name}}
            for name in SHAREABLE.get(owner.type_key, ())
        ]
    }
    return {
        "id": f"{owner.id}/privateLinkResources/{group}",
        "name": group,
        "type": f"{owner.kind}/privateLinkResources",
        "properties": {
            "groupId": group,
            "requiredMembers": [group],
            "requiredZoneNames": [f"privatelink.{zone}"],
            **(shareable if owner.type_key in SHAREABLE else {}),
        },
    }
