"""Apps, their settings, search, AI and what watches over them: types that need more than echo."""

from __future__ import annotations

from typing import Any

from pytest_tfoidc.mockazure.armadditions import New, Properties, fixed, key
from pytest_tfoidc.mockazure.armrules import Rules


def configuration_store(new: New) -> Properties:
    """Give an App Configuration store its endpoint."""
    return {
        "creationDate": "2024-01-01T00:00:00+00:00",
        "disableLocalAuth": False,
        "enablePurgeProtection": False,
        "endpoint": f"https://{new.name}.azconfig.io",
        "publicNetworkAccess": None,
        "softDeleteRetentionInDays": 7,
    }


def configuration_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Give the four keys of an App Configuration store."""
    names = ("Primary", "Secondary", "Primary Read Only", "Secondary Read Only")
    return {
        "value": [
            {
                "id": new.guid(name)[:4],
                "name": name,
                "readOnly": name.endswith("Read Only"),
                "value": key(new.id, name),
                "connectionString": (
                    f"Endpoint=https://{new.name}.azconfig.io;"
                    f"Id={new.guid(name)[:4]};Secret={key(new.id, name)}"
                ),
            }
            for name in names
        ]
    }


def search_service(_: New) -> Properties:
    """Give a search service what it has without being asked."""
    return {
        "hostingMode": "default",
        "partitionCount": 1,
        "publicNetworkAccess": "enabled",
        "replicaCount": 1,
        "status": "running",
        "statusDetails": "",
    }


def search_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Give the two keys of a search service's administrators."""
    return {name: key(new.id, name) for name in ("primaryKey", "secondaryKey")}


def search_query_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Give the one key for queries that a search service has from its creation."""
    return {"value": [{"name": None, "key": key(new.id, "query")}]}


def cognitive(new: New) -> Properties:
    """Give an AI services account its endpoint."""
    properties = new.properties
    own = properties.get("customSubDomainName")
    host = own or new.location or "westeurope"
    domain = "openai" if own and new.body.get("kind") == "OpenAI" else "cognitiveservices"
    suffix = "api.cognitive.microsoft.com" if not own else f"{domain}.azure.com"
    return {
        "endpoint": f"https://{host}.{suffix}/",
        "internalId": new.guid("internalId").replace("-", ""),
        "publicNetworkAccess": "Enabled",
    }


def cognitive_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Give the two keys of an AI services account."""
    return {name: key(new.id, name)[:32] for name in ("key1", "key2")}


TYPES: dict[str, Rules] = {
    "Microsoft.AppConfiguration/configurationStores": Rules(
        created=201, adds=configuration_store, actions={"listkeys": configuration_keys}
    ),
    "Microsoft.CognitiveServices/accounts": Rules(
        created=201, adds=cognitive, actions={"listkeys": cognitive_keys}
    ),
    "Microsoft.OperationsManagement/solutions": Rules(created=201, updated=201),
    "Microsoft.RecoveryServices/vaults": Rules(
        created=201,
        deleted=204,
        implied={
            "replicationVaultSettings/default": fixed(properties={}),
            "backupConfig/vaultConfig": fixed(
                properties={"enhancedSecurityState": "Enabled", "softDeleteFeatureState": "Enabled"}
            ),
            "backupStorageConfig/vaultStorageConfig": fixed(
                properties={
                    "crossRegionRestoreFlag": False,
                    "storageModelType": "GeoRedundant",
                    "storageType": "GeoRedundant",
                    "storageTypeState": "Unlocked",
                }
            ),
        },
    ),
    "Microsoft.Search/searchServices": Rules(
        created=201,
        adds=search_service,
        actions={"listadminkeys": search_keys, "listquerykeys": search_query_keys},
    ),
}
