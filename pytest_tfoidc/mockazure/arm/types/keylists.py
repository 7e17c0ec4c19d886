"""Keys and secrets that clients ask for with a POST: what the answers are called, type by type.

A fact sheet, one line an answer: the type, its actions after the last slash, and the names in the
answer. From Azure's public API descriptions (https://github.com/Azure/azure-rest-api-specs). What
was written under such a name is given back; anything else is always the same for an id and a name.
A name with a dot lies in a block.
To add a fact, write its line. Types whose answers have another shape are in the table of types.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_tfoidc.mockazure.arm.types.base import Answers, New, Properties, key

PAIR = "primaryKey secondaryKey"
BOTH = f"{PAIR} primaryConnectionString secondaryConnectionString"
MASTER = "primaryReadonlyMasterKey secondaryReadonlyMasterKey"
TEST = f"{PAIR} primaryTestEndpoint secondaryTestEndpoint"
HOST = "masterKey functionKeys.default"
WORKSPACE = "appInsightsInstrumentationKey userStorageKey userStorageResourceId"
FACTS = {
    "Microsoft.AVS/privateClouds/listAdminCredentials": "nsxtPassword vcenterPassword",
    "Microsoft.ApiManagement/service/authorizationServers/listSecrets": (
        "clientSecret resourceOwnerUsername resourceOwnerPassword"
    ),
    "Microsoft.ApiManagement/service/identityProviders/listSecrets": "clientSecret",
    "Microsoft.ApiManagement/service/namedValues/listValue": "value",
    "Microsoft.ApiManagement/service/openidConnectProviders/listSecrets": "clientSecret",
    "Microsoft.ApiManagement/service/subscriptions/listSecrets": PAIR,
    "Microsoft.ApiManagement/service/workspaces/namedValues/listValue": "value",
    "Microsoft.ApiManagement/service/workspaces/subscriptions/listSecrets": PAIR,
    "Microsoft.AppPlatform/spring/listTestKeys,regenerateTestKey": TEST,
    "Microsoft.Batch/batchAccounts/listKeys,regenerateKeys": "primary secondary",
    "Microsoft.Cache/redisEnterprise/databases/listKeys,regenerateKey": PAIR,
    "Microsoft.CognitiveServices/accounts/regenerateKey": "key1 key2",
    "Microsoft.Communication/communicationServices/listKeys,regenerateKey": BOTH,
    "Microsoft.DataFactory/factories/integrationRuntimes/listAuthKeys,regenerateAuthKey": (
        "authKey1 authKey2"
    ),
    "Microsoft.DataFactory/factories/getGitHubAccessToken": "gitHubAccessToken",
    "Microsoft.Datadog/monitors/getDefaultKey": "key",
    "Microsoft.DocumentDB/databaseAccounts/readonlykeys": MASTER,
    "Microsoft.EventGrid/namespaces/listKeys,regenerateKey": "key1 key2",
    "Microsoft.EventGrid/namespaces/topics/listKeys,regenerateKey": "key1 key2",
    "Microsoft.EventGrid/partnerNamespaces/listKeys,regenerateKey": "key1 key2",
    "Microsoft.FluidRelay/fluidRelayServers/listKeys,getKeys,regenerateKey": "key1 key2",
    "Microsoft.HealthBot/healthBots/regenerateApiJwtSecret": "value",
    "Microsoft.MachineLearningServices/workspaces/listKeys": WORKSPACE,
    "Microsoft.Maps/accounts/listKeys,regenerateKey": PAIR,
    "Microsoft.Maps/accounts/listSas": "accountSasToken",
    "Microsoft.NetApp/netAppAccounts/capacityPools/volumes/buckets/generateCredentials": (
        "accessKey secretKey"
    ),
    "Microsoft.Purview/accounts/listKeys": (
        "atlasKafkaPrimaryEndpoint atlasKafkaSecondaryEndpoint"
    ),
    "Microsoft.RedHatOpenShift/openShiftClusters/listAdminCredentials": "kubeconfig",
    "Microsoft.RedHatOpenShift/openShiftClusters/listCredentials": (
        "kubeadminUsername kubeadminPassword"
    ),
    "Microsoft.SignalRService/signalR/regenerateKey": BOTH,
    "Microsoft.SignalRService/webPubSub/regenerateKey": BOTH,
    "Microsoft.Storage/storageAccounts/localUsers/listKeys,regeneratePassword": (
        "sharedKey sshPassword"
    ),
    "Microsoft.Web/sites/functions/listKeys": "default",
    "Microsoft.Web/sites/functions/listsecrets": "key trigger_url",
    "Microsoft.Web/sites/host/listKeys": HOST,
    "Microsoft.Web/sites/slots/functions/listKeys": "default",
    "Microsoft.Web/sites/slots/functions/listsecrets": "key trigger_url",
    "Microsoft.Web/sites/slots/host/listKeys": HOST,
}


def named(names: str) -> Answers:
    """Make the function for an answer with these names."""

    def answer(new: New) -> Properties:
        found: Properties = {}
        for name in names.split():
            block, _, inner = name.rpartition(".")
            place = found.setdefault(block, {}) if block else found
            place[inner] = new.properties.get(name) or _made(new, name)
        return found

    return answer


def _made(new: New, name: str) -> str:
    if not name.endswith("ConnectionString"):
        return key(new.id, name)
    host = str(new.properties.get("hostName") or f"{new.name}.azure.com")
    secret = key(new.id, name.replace("ConnectionString", "Key"))
    return f"endpoint=https://{host}/;accesskey={secret}"


def _read(facts: Mapping[str, str]) -> dict[str, dict[str, Answers]]:
    """Return the functions by type and action, both in lower case."""
    found: dict[str, dict[str, Answers]] = {}
    for where, names in facts.items():
        kind, _, actions = where.lower().rpartition("/")
        found.setdefault(kind, {}).update(dict.fromkeys(actions.split(","), named(names)))
    return found


KEY_LISTS = _read(FACTS)
