"""Hosts, addresses and ids that Azure computes, which modules pass on to other resources.

A fact sheet as `defaults` is, with its paths and its names in texts, for what nobody can write:
from Azure's public API descriptions (https://github.com/Azure/azure-rest-api-specs). It is what a
provider exports of a resource: where it lacks, a module gets an empty text instead of a host. To
add a fact, write its line.
"""

from __future__ import annotations

from typing import Any

_INSIGHTS = "Microsoft.Insights"
_MONITORED = "{scope}/providers/Microsoft.Insights"
_SPRING = "Microsoft.AppPlatform/spring"
_PURVIEW = "https://{name}.purview.azure.com"

COMPUTED: dict[str, dict[str, Any]] = {
    "Microsoft.AVS/privateClouds/authorizations": {
        "expressRouteAuthorizationId": "{id}",
        "expressRouteAuthorizationKey": "{guid}",
    },
    "Microsoft.AnalysisServices/servers": {
        "serverFullName": "asazure://{location}.asazure.windows.net/{name}",
        "state": "Succeeded",
    },
    "Microsoft.App/managedEnvironments": {
        "customDomainConfiguration": {"customDomainVerificationId": "{hex}"},
        "customDomainConfiguration.customDomainVerificationId": "{hex}",
        "defaultDomain": "{word}.{location}.azurecontainerapps.io",
        "eventStreamEndpoint": "https://{location}.azurecontainerapps.dev{id}/eventstream",
        "staticIp": "20.50.0.8",
    },
    "Microsoft.App/managedEnvironments/certificates": {
        "expirationDate": "2034-01-01T00:00:00Z",
        "issueDate": "2024-01-01T00:00:00Z",
        "issuer": "CN={name}",
        "subjectName": "CN={name}",
        "thumbprint": "{hex}",
        "valid": True,
    },
    _SPRING: {"networkProfile": {"outboundIPs": {"publicIPs": ["20.50.0.9"]}}},
    f"{_SPRING}/apiPortals": {"url": "{service}-apiportal-{word}.svc.azuremicroservices.io"},
    f"{_SPRING}/apps": {
        "fqdn": "{service}.azuremicroservices.io",
        "url": "https://{service}-{name}.azuremicroservices.io",
    },
    f"{_SPRING}/gateways": {"url": "{service}-gateway-{word}.svc.azuremicroservices.io"},
    "Microsoft.Automation/automationAccounts": {
        "automationHybridServiceUrl": (
            "https://{guid}.jrds.we.azure-automation.net/automationAccounts/{guid}"
        ),
        "state": "Ok",
    },
    "Microsoft.Automation/automationAccounts/configurations": {"state": "Published"},
    "Microsoft.Cache/redisEnterprise": {"hostName": "{name}.{location}.redis.azure.net"},
    "Microsoft.Cache/redis/linkedServers": {
        "geoReplicatedPrimaryHostName": "{service}.geo.redis.cache.windows.net"
    },
    "Microsoft.Cdn/profiles/customDomains": {
        "domainValidationState": "Pending",
        "validationProperties": {
            "expirationDate": "2034-01-01T00:00:00.0000000+00:00",
            "validationToken": "_{word}{word}",
        },
    },
    "Microsoft.CodeSigning/codeSigningAccounts": {
        "accountUri": "https://{location}.codesigning.azure.net/"
    },
    "Microsoft.Communication/communicationServices": {
        "hostName": "{name}.unitedstates.communication.azure.com",
        "immutableResourceId": "{guid}",
    },
    "Microsoft.Communication/emailServices/domains": {
        "fromSenderDomain": "{name}",
        "mailFromSenderDomain": "{name}",
    },
    "Microsoft.Compute/galleries": {
        "identifier": {"uniqueName": "{subscription}-{upper}"},
    },
    "Microsoft.ConfidentialLedger/ledgers": {
        "identityServiceUri": (
            "https://identity.confidential-ledger.core.azure.com/ledgerIdentity/{name}"
        ),
        "ledgerName": "{name}",
        "ledgerUri": "https://{name}.confidential-ledger.azure.com",
    },
    "Microsoft.Dashboard/grafana": {
        "endpoint": "https://{name}-{word}.weu.grafana.azure.com",
        "grafanaVersion": "11.2.5",
        "outboundIPs": [],
    },
    "Microsoft.Databricks/workspaces": {
        "workspaceId": "{number}",
        "workspaceUrl": "adb-{number}.7.azuredatabricks.net",
    },
    "Microsoft.DevCenter/devCenters": {
        "devCenterUri": "https://{tenant}-{name}.{location}.devcenter.azure.com/"
    },
    "Microsoft.DevCenter/projects": {
        "devCenterUri": "https://{tenant}-{name}.{location}.devcenter.azure.com/"
    },
    "Microsoft.DevTestLab/labs": {
        "artifactsStorageAccount": "{account}",
        "defaultPremiumStorageAccount": "{account}",
        "defaultStorageAccount": "{account}",
        "premiumDataDiskStorageAccount": "{account}",
        "uniqueIdentifier": "{guid}",
        "vaultName": "{scope}/providers/Microsoft.KeyVault/vaults/{name}{number}",
    },
    "Microsoft.DeviceUpdate/accounts": {"hostName": "{name}.api.adu.microsoft.com"},
    "Microsoft.DigitalTwins/digitalTwinsInstances": {
        "hostName": "{name}.api.{region}.digitaltwins.azure.net"
    },
    "Microsoft.DocumentDB/mongoClusters": {
        "connectionString": (
            "mongodb+srv://<user>:<password>@{name}.global.mongocluster.cosmos.azure.com/?tls=true"
        ),
    },
    "Microsoft.Elastic/monitors": {
        "elasticProperties": {
            "elasticCloudDeployment": {
                "azureSubscriptionId": "{subscription}",
                "deploymentId": "{hex}",
                "elasticsearchRegion": "azure-{location}",
                "elasticsearchServiceUrl": "https://{name}.es.{location}.azure.elastic-cloud.com",
                "kibanaServiceUrl": "https://{name}.kb.{location}.azure.elastic-cloud.com",
                "kibanaSsoUrl": "https://{name}.kb.{location}.azure.elastic-cloud.com/sso",
            },
            "elasticCloudUser": {
                "emailAddress": "{email}",
                "elasticCloudSsoDefaultUrl": "https://cloud.elastic.co/sso/{hex}",
                "id": "{number}",
            },
        },
    },
    "Microsoft.FluidRelay/fluidRelayServers": {"frsTenantId": "{guid}"},
    "Microsoft.HDInsight/clusters": {
        "connectivityEndpoints": [
            {
                "name": "SSH",
                "location": "{name}-ssh.azurehdinsight.net",
                "port": 22,
                "protocol": "TCP",
            },
            {
                "name": "HTTPS",
                "location": "{name}.azurehdinsight.net",
                "port": 443,
                "protocol": "TCP",
            },
        ]
    },
    "Microsoft.HealthBot/healthBots": {
        "botManagementPortalLink": "https://portal.azurehealthbot.com/account/{name}-{word}"
    },
    f"{_INSIGHTS}/dataCollectionEndpoints": {
        "configurationAccess": {
            "endpoint": "https://{name}-{word}.{location}-1.handler.control.monitor.azure.com"
        },
        "immutableId": "dce-{hex}",
        "logsIngestion": {
            "endpoint": "https://{name}-{word}.{location}-1.ingest.monitor.azure.com"
        },
        "metricsIngestion": {
            "endpoint": "https://{name}-{word}.{location}-1.metrics.ingest.monitor.azure.com"
        },
    },
    f"{_INSIGHTS}/dataCollectionRules": {"immutableId": "dcr-{hex}"},
    "Microsoft.Kusto/clusters": {
        "dataIngestionUri": "https://ingest-{name}.{location}.kusto.windows.net",
        "uri": "https://{name}.{location}.kusto.windows.net",
    },
    "Microsoft.LoadTestService/loadTests": {
        "dataPlaneURI": "{guid}.{location}.cnt-prod.loadtesting.azure.com"
    },
    "Microsoft.MachineLearningServices/workspaces": {
        "discoveryUrl": "https://{location}.api.azureml.ms/discovery",
        "mlFlowTrackingUri": "azureml://{location}.api.azureml.ms/mlflow/v1.0{id}",
    },
    "Microsoft.Maps/accounts": {"uniqueId": "{guid}"},
    "Microsoft.Monitor/accounts": {
        "accountId": "{guid}",
        "defaultIngestionSettings": {
            "dataCollectionEndpointResourceId": f"{_MONITORED}/dataCollectionEndpoints/{{name}}",
            "dataCollectionRuleResourceId": f"{_MONITORED}/dataCollectionRules/{{name}}",
        },
        "metrics": {
            "internalId": "mac_{guid}",
            "prometheusQueryEndpoint": "https://{name}-{word}.{location}.prometheus.monitor.azure.com",
        },
    },
    "Microsoft.NetApp/netAppAccounts/capacityPools/volumes": {
        "fileSystemId": "{guid}",
        "mountTargets": [
            {"fileSystemId": "{guid}", "ipAddress": "10.0.2.4", "mountTargetId": "{guid}"}
        ],
    },
    "Microsoft.Network/azureFirewalls": {
        "hubIPAddresses.privateIPAddress": "10.0.64.4",
        "hubIPAddresses.publicIPs.addresses": [{"address": "20.50.0.10"}],
    },
    "Microsoft.Network/expressRouteCircuits": {"serviceKey": "{guid}"},
    "Microsoft.Network/expressRoutePorts": {
        "etherType": "0x8100",
        "mtu": "1500",
        "resourceGuid": "{guid}",
    },
    "Microsoft.Network/natGateways": {"resourceGuid": "{guid}"},
    "Microsoft.Network/networkInterfaces": {
        "dnsSettings": {
            "appliedDnsServers": [],
            "dnsServers": [],
            "internalDomainNameSuffix": "{word}.ax.internal.cloudapp.net",
        },
        "dnsSettings.internalDomainNameSuffix": "{word}.ax.internal.cloudapp.net",
        "macAddress": "00-0D-3A-{octets}",
    },
    "Microsoft.Network/privateLinkServices": {
        "alias": "{name}.{guid}.{location}.azure.privatelinkservice"
    },
    "Microsoft.Network/trafficmanagerprofiles": {
        "dnsConfig.fqdn": "{label}.trafficmanager.net",
    },
    "Microsoft.Network/virtualNetworks": {"resourceGuid": "{guid}"},
    "Microsoft.Network/vpnGateways": {
        "ipConfigurations": [
            {
                "id": "Instance0",
                "privateIpAddress": "10.0.64.12",
                "publicIpAddress": "20.50.0.12",
            },
            {
                "id": "Instance1",
                "privateIpAddress": "10.0.64.13",
                "publicIpAddress": "20.50.0.13",
            },
        ]
    },
    "Microsoft.OperationalInsights/clusters": {"clusterId": "{guid}"},
    "Microsoft.Purview/accounts": {
        "endpoints": {
            "catalog": f"{_PURVIEW}/catalog",
            "guardian": f"{_PURVIEW}/guardian",
            "scan": f"{_PURVIEW}/scan",
        },
    },
    "Microsoft.Search/searchServices": {"endpoint": "https://{name}.search.windows.net"},
    "Microsoft.Search/searchServices/sharedPrivateLinkResources": {"status": "Pending"},
    "Microsoft.ServiceNetworking/trafficControllers": {
        "configurationEndpoints": ["{word}.{word}.alb.azure.com"]
    },
    "Microsoft.Sql/locations/instanceFailoverGroups": {"replicationRole": "Primary"},
    "Microsoft.Sql/servers/failoverGroups": {
        "partnerServers[].location": "West Europe",
        "partnerServers[].replicationRole": "Secondary",
        "replicationRole": "Primary",
        "replicationState": "CATCH_UP",
    },
    "Microsoft.StreamAnalytics/streamingJobs": {
        "createdDate": "2024-01-01T00:00:00Z",
        "jobId": "{guid}",
    },
    "Microsoft.Web/staticSites": {"defaultHostname": "{word}.6.azurestaticapps.net"},
    "Nginx.NginxPlus/nginxDeployments": {
        "dataplaneApiEndpoint": "https://{name}-{word}.{location}.nginxaas.net/",
        "ipAddress": "20.50.0.11",
        "nginxVersion": "1.27.2 (nginx-plus-r33)",
    },
}
