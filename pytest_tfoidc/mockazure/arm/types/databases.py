"""Databases and caches that need more than echo."""

from __future__ import annotations

from typing import Any

from pytest_tfoidc.mockazure.arm.types import parameters
from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, key, keys
from pytest_tfoidc.mockazure.arm.types.rules import Rules

COSMOS_KEYS = (
    "primaryMasterKey",
    "secondaryMasterKey",
    "primaryReadonlyMasterKey",
    "secondaryReadonlyMasterKey",
)
COSMOS_LEAST = 400  # request units a second
GIBIBYTE = 1 << 30
FAILOVER = ("id", "locationName", "failoverPriority")  # what Cosmos DB tells of a region's turn


def cosmos(new: New) -> Properties:
    """Return a Cosmos DB account its endpoint, its regions and the defaults of an account."""
    endpoint = f"https://{new.name}.documents.azure.com:443/"
    asked = new.properties.get("locations")
    if not isinstance(asked, list):
        asked = [{"locationName": new.location}]
    regions = [
        {
            "documentEndpoint": endpoint,
            "failoverPriority": place.get("failoverPriority", number),
            "id": f"{new.name}-{str(place.get('locationName', '')).lower().replace(' ', '')}",
            "isZoneRedundant": place.get("isZoneRedundant", False),
            "locationName": place.get("locationName"),
            "provisioningState": "Succeeded",
        }
        for number, place in enumerate(asked)
        if isinstance(place, dict)
    ]
    backup = {"backupIntervalInMinutes": 240, "backupRetentionIntervalInHours": 8}
    return {
        "analyticalStorageConfiguration": {"schemaType": "WellDefined"},
        "backupPolicy": {
            "type": "Periodic",
            "periodicModeProperties": {**backup, "backupStorageRedundancy": "Geo"},
        },
        "capabilities": [],
        "cors": [],
        "documentEndpoint": endpoint,
        "failoverPolicies": [{name: region[name] for name in FAILOVER} for region in regions],
        "ipRules": [],
        "isVirtualNetworkFilterEnabled": False,
        "minimalTlsVersion": "Tls12",
        "publicNetworkAccess": "Enabled",
        "readLocations": regions,
        "virtualNetworkRules": [],
        "writeLocations": regions[:1],
    }


def cosmos_connections(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the connection strings of a Cosmos DB account."""
    host = f"AccountEndpoint=https://{new.name}.documents.azure.com:443/"
    kinds = ("Primary", "Secondary", "Primary Read-Only", "Secondary Read-Only")
    return {
        "connectionStrings": [
            {
                "connectionString": f"{host};AccountKey={key(new.id, name)};",
                "description": f"{kind} SQL Connection String",
                "keyKind": name.removesuffix("MasterKey"),
                "type": "Sql",
            }
            for kind, name in zip(kinds, COSMOS_KEYS, strict=True)
        ]
    }


def cosmos_container(_: New) -> Properties:
    """Return a container the policies that it has without being asked."""
    indexing = {
        "automatic": True,
        "indexingMode": "consistent",
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    }
    conflicts = {"mode": "LastWriterWins", "conflictResolutionPath": "/_ts"}
    return {"resource": {"indexingPolicy": indexing, "conflictResolutionPolicy": conflicts}}


def cosmos_throughput(new: New) -> Properties | None:
    """Return the throughput that a database or container was made with; None without any."""
    options = new.properties.get("options")
    asked = options if isinstance(options, dict) else {}
    throughput, scale = asked.get("throughput"), asked.get("autoscaleSettings")
    if throughput is None and not isinstance(scale, dict):
        return None
    resource: Properties = {"minimumThroughput": "400"}
    if isinstance(scale, dict):
        most = scale.get("maxThroughput", COSMOS_LEAST)
        share = int(most) // 10 if isinstance(most, int) else COSMOS_LEAST
        return {
            "properties": {
                "resource": {**resource, "throughput": share, "autoscaleSettings": scale}
            }
        }
    return {"properties": {"resource": {**resource, "throughput": throughput}}}


def sql_server(new: New) -> Properties:
    """Return a logical SQL server its host."""
    return {
        "fullyQualifiedDomainName": f"{new.name}.database.windows.net",
        "minimalTlsVersion": "1.2",
        "publicNetworkAccess": "Enabled",
        "restrictOutboundNetworkAccess": "Disabled",
        "version": "12.0",
    }


def managed_instance(new: New) -> Properties:
    """Return a managed instance its host and the defaults of one of general purpose."""
    zone = new.guid("dnsZone").replace("-", "")[:12]
    return {
        "collation": "SQL_Latin1_General_CP1_CI_AS",
        "dnsZone": zone,
        "fullyQualifiedDomainName": f"{new.name}.{zone}.database.windows.net",
        "maintenanceConfigurationId": (
            f"/subscriptions/{new.id.split('/')[2]}/providers/Microsoft.Maintenance"
            "/publicMaintenanceConfigurations/SQL_Default"
        ),
        "minimalTlsVersion": "1.2",
        "proxyOverride": "Default",
        "publicDataEndpointEnabled": False,
        "requestedBackupStorageRedundancy": "Geo",
        "currentBackupStorageRedundancy": "Geo",
        "timezoneId": "UTC",
        "zoneRedundant": False,
    }


def sql_database(new: New) -> Properties:
    """Return a SQL database the defaults of one of general purpose."""
    sku = new.body.get("sku")
    tier = sku.get("name", "GP_Gen5_2") if isinstance(sku, dict) else "GP_Gen5_2"
    return {
        "catalogCollation": "SQL_Latin1_General_CP1_CI_AS",
        "collation": "SQL_Latin1_General_CP1_CI_AS",
        "currentBackupStorageRedundancy": "Geo",
        "currentServiceObjectiveName": tier,
        "databaseId": new.guid("databaseId"),
        "isLedgerOn": False,
        "maxSizeBytes": 32 * GIBIBYTE,
        "readScale": "Disabled",
        "requestedBackupStorageRedundancy": "Geo",
        "requestedServiceObjectiveName": tier,
        "zoneRedundant": False,
    }


def long_term_retention(_: New) -> Properties:
    """Return a SQL database's policy of keeping backups for long: none."""
    none = {f"{period}Retention": "PT0S" for period in ("weekly", "monthly", "yearly")}
    return {"properties": {**none, "weekOfYear": 0}}


def _flexible_server(new: New, engine: str) -> Properties:
    """Return what both engines have. No zone: not every region of Azure has any."""
    return {
        "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
        "fullyQualifiedDomainName": f"{new.name}.{engine}.database.azure.com",
        "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
        "maintenanceWindow": NO_WINDOW,
        "network": {"publicNetworkAccess": "Enabled"},
    }


def postgres(new: New) -> Properties:
    """Return a flexible PostgreSQL server its host and defaults."""
    return {
        **_flexible_server(new, "postgres"),
        "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
        "dataEncryption": {"type": "SystemManaged"},
        "replicaCapacity": 5,
        "replicationRole": "Primary",
        "storage": {"autoGrow": "Disabled", "storageSizeGB": 32, "iops": 120, "tier": "P4"},
    }


def with_own_server(properties: Properties, new: New) -> Properties:
    """Return a virtual endpoint whose members begin with the server that it belongs to."""
    own, written = new.scope.rpartition("/")[2], properties.get("members")
    others = [m for m in written if m != own] if isinstance(written, list) else []
    return {**properties, "members": [own, *others]}


def mysql(new: New) -> Properties:
    """Return a flexible MySQL server its host and defaults."""
    return {
        **_flexible_server(new, "mysql"),
        "replicaCapacity": 10,
        "replicationRole": "None",
        "storage": {
            "autoGrow": "Enabled",
            "autoIoScaling": "Enabled",
            "iops": 360,
            "logOnDisk": "Disabled",
            "storageSizeGB": 20,
        },
    }


def redis(new: New) -> Properties:
    """Return a cache its host and ports."""
    return {
        "enableNonSslPort": False,
        "hostName": f"{new.name}.redis.cache.windows.net",
        "linkedServers": [],
        "minimumTlsVersion": "1.2",
        "port": 6379,
        "publicNetworkAccess": "Enabled",
        "redisConfiguration": {
            "maxclients": "256",
            "maxfragmentationmemory-reserved": "30",
            "maxmemory-delta": "30",
            "maxmemory-reserved": "30",
        },
        "redisVersion": "6.0",
        "sslPort": 6380,
    }


NO_WINDOW = {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0}
RETENTION = fixed(properties={"retentionDays": 7, "diffBackupIntervalInHours": 12})
OFF = fixed(properties={"state": "Disabled"})
NO_CONTROL = {
    "grantSqlControlToManagedIdentity": {"desiredState": "Disabled", "actualState": "Disabled"}
}
NOT_ONLY_ENTRA = fixed(properties={"azureADOnlyAuthentication": False})
TUNING = fixed(properties={"actualState": "Auto", "desiredState": "Auto", "options": {}})
SERVICE_KEY = fixed(
    properties={"serverKeyType": "ServiceManaged", "serverKeyName": "ServiceManaged"}
)
BEGUN = Rules(begun=True, deleted=204)  # what PostgreSQL answers for everything
THROUGHPUT = {"throughputSettings/default": cosmos_throughput}
COSMOS_CHILD = Rules(deleted=204, implied=THROUGHPUT)
PARAMETERS = {"configurations/*": parameters.parameter}
MYSQL_PARAMETERS = {"configurations/*": parameters.mysql_parameter}


def exascale(new: New) -> Properties:
    """Return a vault of Exadata its storage, as it was asked for."""
    asked = new.properties.get("highCapacityDatabaseStorageInput")
    size = asked.get("totalSizeInGbs") if isinstance(asked, dict) else None
    storage = {"totalSizeInGbs": size, "availableSizeInGbs": size}
    return {"highCapacityDatabaseStorage": storage} if size is not None else {}


_DATA = "Microsoft.DocumentDB/databaseAccounts"
COSMOS_READS = [
    f"{_DATA}/readMetadata",
    *(f"{_DATA}/sqlDatabases/containers/{what}" for what in ("executeQuery", "readChangeFeed")),
    f"{_DATA}/sqlDatabases/containers/items/read",
]
COSMOS_WRITES = [
    f"{_DATA}/readMetadata",
    f"{_DATA}/sqlDatabases/containers/*",
    f"{_DATA}/sqlDatabases/containers/items/*",
]


def mongo_connections(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return how a MongoDB vCore cluster is reached."""
    text = str(new.properties.get("connectionString") or "")
    return {"connectionStrings": [{"connectionString": text, "description": "default connection"}]}


TYPES: dict[str, Rules] = {
    "Microsoft.DocumentDB/mongoClusters": Rules(
        actions={"listconnectionstrings": mongo_connections}
    ),
    "Oracle.Database/exascaleDbStorageVaults": Rules(adds=exascale),
    "Microsoft.Cache/redis": Rules(
        created=201,
        adds=redis,
        actions=dict.fromkeys(("listkeys", "regeneratekey"), keys("primaryKey", "secondaryKey")),
    ),
    **{
        f"Microsoft.DBfor{name}/servers": Rules(implied=PARAMETERS)
        for name in ("MariaDB", "MySQL", "PostgreSQL")
    },
    **{
        f"Microsoft.DBfor{name}/servers/configurations": Rules(adds=parameters.of_written)
        for name in ("MariaDB", "MySQL", "PostgreSQL")
    },
    "Microsoft.DBforMySQL/flexibleServers": Rules(
        created=201, adds=mysql, implied=MYSQL_PARAMETERS
    ),
    "Microsoft.DBforMySQL/flexibleServers/configurations": Rules(adds=parameters.of_written_mysql),
    "Microsoft.DBforPostgreSQL/flexibleServers": Rules(
        begun=True, deleted=204, adds=postgres, implied=PARAMETERS
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": Rules(
        begun=True, deleted=204, adds=parameters.of_written
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators": Rules(
        adds=lambda new: {"objectId": new.name, "tenantId": new.tenant_id}
    ),
    "Microsoft.DBforPostgreSQL/flexibleServers/virtualEndpoints": Rules(normalized=with_own_server),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": BEGUN,
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": BEGUN,
    "Microsoft.DocumentDB/databaseAccounts": Rules(
        deleted=204,
        adds=cosmos,
        implied={
            f"sqlRoleDefinitions/00000000-0000-0000-0000-00000000000{number}": fixed(
                properties={
                    "assignableScopes": ["/"],
                    "permissions": [{"dataActions": actions}],
                    "roleName": f"Cosmos DB Built-in Data {name}",
                    "type": "BuiltInRole",
                }
            )
            for number, name, actions in (
                (1, "Reader", COSMOS_READS),
                (2, "Contributor", COSMOS_WRITES),
            )
        },
        actions={
            "listkeys": keys(*COSMOS_KEYS),
            "listconnectionstrings": cosmos_connections,
        },
    ),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": Rules(
        deleted=204, adds=cosmos_container, implied=THROUGHPUT
    ),
    "Microsoft.DocumentDB/databaseAccounts/mongodbDatabases": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/mongodbDatabases/collections": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/tables": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/cassandraKeyspaces": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/cassandraKeyspaces/tables": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/gremlinDatabases": COSMOS_CHILD,
    "Microsoft.DocumentDB/databaseAccounts/gremlinDatabases/graphs": COSMOS_CHILD,
    "Microsoft.Synapse/workspaces": Rules(
        implied={
            "managedIdentitySqlControlSettings/default": fixed(properties=NO_CONTROL),
            "azureADOnlyAuthentications/default": NOT_ONLY_ENTRA,
            "securityAlertPolicies/default": OFF,
        }
    ),
    "Microsoft.Synapse/workspaces/sqlPools": Rules(
        implied={"vulnerabilityAssessments/default": fixed(properties={})}
    ),
    "Microsoft.Sql/servers": Rules(
        created=201,
        adds=sql_server,
        implied={
            "connectionPolicies/default": fixed(properties={"connectionType": "Default"}),
            "automaticTuning/current": TUNING,
            "databases/master": fixed(
                kind="v12.0,system",
                sku={"name": "System", "tier": "System", "capacity": 0},
                properties={"status": "Online", "maxSizeBytes": 32 * GIBIBYTE},
            ),
            "securityAlertPolicies/default": OFF,
            "sqlVulnerabilityAssessments/default": OFF,
            "auditingSettings/default": OFF,
            "extendedAuditingSettings/default": OFF,
        },
    ),
    "Microsoft.Sql/managedInstances": Rules(
        created=201,
        adds=managed_instance,
        implied={
            "securityAlertPolicies/default": OFF,
            "azureADOnlyAuthentications/default": NOT_ONLY_ENTRA,
            "encryptionProtector/current": SERVICE_KEY,
        },
    ),
    "Microsoft.Sql/managedInstances/databases": Rules(
        created=201,
        implied={
            "backupLongTermRetentionPolicies/default": long_term_retention,
            "backupShortTermRetentionPolicies/default": fixed(properties={"retentionDays": 7}),
        },
    ),
    "Microsoft.Sql/servers/databases": Rules(
        created=201,
        adds=sql_database,
        implied={
            "backupLongTermRetentionPolicies/default": long_term_retention,
            "backupShortTermRetentionPolicies/default": RETENTION,
            "automaticTuning/current": TUNING,
            "geoBackupPolicies/default": fixed(properties={"state": "Enabled"}),
            "securityAlertPolicies/default": OFF,
            "transparentDataEncryption/current": fixed(properties={"state": "Enabled"}),
        },
    ),
}
