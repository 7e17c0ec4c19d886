"""Apps, their settings, search, AI and what watches over them: types that need more than echo."""

from __future__ import annotations

from typing import Any

from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.types.base import (
    Adds,
    New,
    Properties,
    fixed,
    guid,
    key,
    keys,
    objects,
    part,
)
from pytest_tfoidc.mockazure.arm.types.changes import enabled_monitors
from pytest_tfoidc.mockazure.arm.types.rules import Rules


def configuration_store(new: New) -> Properties:
    """Return an App Configuration store its endpoint."""
    return {
        "creationDate": "2024-01-01T00:00:00+00:00",
        "disableLocalAuth": False,
        "enablePurgeProtection": False,
        "endpoint": f"https://{new.name}.azconfig.io",
        "publicNetworkAccess": None,
        "softDeleteRetentionInDays": 7,
    }


def configuration_access(store_id: str) -> dict[str, tuple[str, str]]:
    """Return the ids and secrets of a configuration store's four keys, by the keys' names."""
    names = ("Primary", "Secondary", "Primary Read Only", "Secondary Read Only")
    return {name: (guid(store_id, name)[:4], key(store_id, name)) for name in names}


def configuration_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the four keys of an App Configuration store."""
    return {
        "value": [
            {
                "id": key_id,
                "name": name,
                "readOnly": name.endswith("Read Only"),
                "value": secret,
                "connectionString": (
                    f"Endpoint=https://{new.name}.azconfig.io;Id={key_id};Secret={secret}"
                ),
            }
            for name, (key_id, secret) in configuration_access(new.id).items()
        ]
    }


def search_service(_: New) -> Properties:
    """Return a search service what it has without being asked."""
    return {
        "hostingMode": "default",
        "partitionCount": 1,
        "publicNetworkAccess": "enabled",
        "replicaCount": 1,
        "status": "running",
        "statusDetails": "",
    }


def search_query_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the one key for queries that a search service has from its creation."""
    return {"value": [{"name": None, "key": key(new.id, "query")}]}


def cognitive(new: New) -> Properties:
    """Return an AI services account its endpoint."""
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
    """Return the two keys of an AI services account."""
    return {name: key(new.id, name)[:32] for name in ("key1", "key2")}


OFF = {"enabled": False}
SOURCES = "sourceControls"  # of an app: the type, and the property that its settings are told by


def plan(new: New) -> Properties:
    """Return an App Service plan its kind, which says what runs on it."""
    return {"kind": "linux" if new.properties.get("reserved") else "app"}


def site(new: New) -> Properties:
    """Return an app or a slot its names, and what it has without being asked."""
    app, _, slot = new.id.partition("/sites/")[2].partition("/slots/")
    host = f"{app}-{slot}" if slot else app
    hosts = [f"{host}.azurewebsites.net", f"{host}.scm.azurewebsites.net"]
    return {
        "availabilityState": "Normal",
        "customDomainVerificationId": new.guid("customDomainVerificationId").replace("-", ""),
        "defaultHostName": hosts[0],
        "enabled": True,
        "enabledHostNames": hosts,
        "hostNames": hosts[:1],
        "outboundIpAddresses": "20.0.0.1",
        "possibleOutboundIpAddresses": "20.0.0.1,20.0.0.2",
        "repositorySiteName": app,
    }


def site_kind(new: New) -> Properties:
    """Return an app or a slot its kind, where it was written without: what it runs on."""
    return {"kind": "app,linux" if new.properties.get("reserved") else "app"}


def site_settings(new: New) -> Properties:
    """Return an app's `config/web`: what its `siteConfig` says."""
    asked = part(new.properties, "siteConfig")
    found = {"properties": {"scmType": "None", **asked}}
    for source in objects(new.properties, SOURCES):
        found["properties"]["scmType"] = _source_kind(part(source, "properties"))
    return found


def _source_kind(source: Properties) -> str:
    """Return how an app's settings call where it comes from."""
    if source.get("isGitHubAction") is True:
        return "GitHubAction"
    own = source.get("isManualIntegration") is not True
    return "GitHub" if own and "github.com" in str(source.get("repoUrl")) else "ExternalGit"


def app_settings(new: New) -> Properties:
    """Return the settings that an app was created with; those that are written later win."""
    asked = site_settings(new)["properties"].get("appSettings")
    pairs = [pair for pair in asked if isinstance(pair, dict)] if isinstance(asked, list) else []
    return {"properties": {str(pair.get("name")): pair.get("value") for pair in pairs}}


def site_answer(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return what an app's settings are; they are read with a POST, for they may be secret."""
    if new.name.lower() == "backup" and not new.properties:
        raise ArmError(404, "NotFound", f"No backup is configured: {new.id}")
    if new.name.lower() == "authsettings" and new.properties:  # of version 1, or written there
        said = {name: value for name, value in new.properties.items() if value not in ("", None)}
        return {**new.body, "properties": {"configVersion": "v1", **said}}
    if new.name.lower() != "publishingcredentials":
        return new.body
    user = f"${new.scope.rpartition('/')[2]}"
    secret = {"publishingUserName": user, "publishingPassword": key(new.id, "publishing")}
    return {**new.body, "properties": secret}


def sign_in_services(_: New) -> Any:  # noqa: ANN401 - JSON
    """Return the services that a bot can sign people in to."""
    return {
        "value": [
            {
                "properties": {
                    "id": guid(name, "serviceProvider"),
                    "serviceProviderName": name,
                    "displayName": name,
                    "iconUrl": "",
                    "parameters": [],
                }
            }
            for name in SIGN_IN.split()
        ]
    }


def static_site_secrets(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the token that a static site is deployed with."""
    return {"properties": {"apiKey": key(new.id, "apiKey")}}


SIGN_IN = (
    "Aad Aadv2 bitly box docusign dropbox facebook fitbit flickr github google instagram intuit "
    "linkedin lithium live mailchimp marketo netsuite oauth2 oauth2Generic onedrive outlook "
    "pinterest salesforce slack spotify stripe todoist trello uber wunderlist yahoo zendesk"
)


def rule_template(name: str, kind: str) -> Adds:
    """Make the function for a template of alert rules that Microsoft Sentinel brings along."""
    shown = {"displayName": name, "description": name, "status": "Available", "severity": "High"}
    return fixed(kind=kind, properties={**shown, "tactics": [], "requiredDataConnectors": []})


RULE_TEMPLATES = {
    f"providers/Microsoft.SecurityInsights/alertRuleTemplates/{guid}": rule_template(name, kind)
    for guid, name, kind in (
        (
            "f71aba3d-28fb-450b-b192-4e76a83015c8",
            "Advanced Multistage Attack Detection",
            "Fusion",
        ),
        (
            "737a2ce1-70a3-4968-9e90-3e6aca836abf",
            "(Preview) Anomalous RDP Login Detections",
            "MLBehaviorAnalytics",
        ),
        (
            "fa118b98-de46-4e94-87f9-8e6d5060b60b",
            "(Preview) Anomalous SSH Login Detection",
            "MLBehaviorAnalytics",
        ),
        (
            "0dd422ee-e6af-4204-b219-f59ac172e4c6",
            "(Preview) Microsoft Defender Threat Intelligence Analytics",
            "ThreatIntelligence",
        ),
        (
            "90586451-7ba8-4c1e-9904-7d1b7c3cc4d6",
            "Create incidents based on Azure Security Center alerts",
            "MicrosoftSecurityIncidentCreation",
        ),
    )
}


def anomaly(name: str, rule: str) -> Adds:
    """Make the function for a rule on anomalies that Microsoft Sentinel brings along."""
    score = {
        "description": "Generate an anomaly when score is greater than the chosen value",
        "maximum": "1",
        "minimum": "0",
        "name": "Anomaly score threshold",
        "value": "0.5",
    }
    properties = {
        "anomalySettingsVersion": 0,
        "anomalyVersion": "1.0.0",
        "customizableObservations": {"thresholdObservations": [score]},
        "description": name,
        "displayName": name,
        "enabled": True,
        "frequency": "PT1H",
        "isDefaultSettings": True,
        "requiredDataConnectors": [],
        "settingsDefinitionId": rule,
        "settingsStatus": "Production",
        "tactics": [],
        "techniques": [],
    }
    return fixed(kind="Anomaly", properties=properties)


ANOMALIES = {
    f"providers/Microsoft.SecurityInsights/securityMLAnalyticsSettings/{guid(name, 'rule')}": (
        anomaly(name, guid(name, "rule"))
    )
    for name in (
        "Anomalous Code Execution",
        "Potential data staging",
        "UEBA Anomalous Authentication",
        "UEBA Anomalous Sign In",
    )
}

SCOPE_MAPS = {  # what every registry lets tokens do, under the names that Azure gives it
    f"scopeMaps/_repositories_{name}": fixed(
        properties={
            "actions": [f"repositories/*/{action}" for action in actions],
            "description": f"Can perform {name.replace('_', ' ')} operations on all repositories",
            "type": "SystemDefined",
        }
    )
    for name, actions in (
        ("pull", ("content/read",)),
        ("pull_metadata_read", ("content/read", "metadata/read")),
        ("push", ("content/read", "content/write")),
        (
            "push_metadata_write",
            ("metadata/read", "metadata/write", "content/read", "content/write"),
        ),
        (
            "admin",
            ("metadata/read", "metadata/write", "content/read", "content/write", "content/delete"),
        ),
    )
}

SITE = Rules(
    accepted=202,
    adds=site,
    beside=site_kind,
    children={SOURCES: SOURCES},
    implied={
        "config/web": site_settings,
        "config/appsettings": app_settings,
        "config/authsettingsV2": fixed(properties={}),
        "config/logs": fixed(
            properties={
                "applicationLogs": {"fileSystem": {"level": "Off"}},
                "httpLogs": {"fileSystem": {"enabled": False}, "azureBlobStorage": OFF},
                "failedRequestsTracing": OFF,
                "detailedErrorMessages": OFF,
            }
        ),
        "config/slotConfigNames": fixed(properties={}),
        "sourceControls/web": fixed(properties={}),
        "networkConfig/virtualNetwork": fixed(properties={}),
        "basicPublishingCredentialsPolicies/ftp": fixed(properties={"allow": True}),
        "basicPublishingCredentialsPolicies/scm": fixed(properties={"allow": True}),
    },
)
SITE_CONFIG = Rules(stateless=True, free_form=True, actions={"list": site_answer})

TYPES: dict[str, Rules] = {
    "Microsoft.AppConfiguration/configurationStores": Rules(
        created=201,
        adds=configuration_store,
        omitted=("encryption",),
        actions={"listkeys": configuration_keys},
        recoverable="deletedConfigurationStores",
        retained=7,
    ),
    "Microsoft.CognitiveServices/accounts": Rules(
        created=201, adds=cognitive, actions={"listkeys": cognitive_keys}
    ),
    "Microsoft.AppPlatform/spring": Rules(
        actions={"listgloballyenabledapms": enabled_monitors},
        implied={
            "configServers/default": fixed(properties={"configServer": {}}),
            "monitoringSettings/default": fixed(properties={"traceEnabled": False}),
        },
    ),
    "Microsoft.Web/staticSites": Rules(actions={"listsecrets": static_site_secrets}),
    "Microsoft.Web/serverFarms": Rules(accepted=202, beside=plan),
    "Microsoft.Web/sites": SITE,
    "Microsoft.Web/sites/config": SITE_CONFIG,
    "Microsoft.Web/sites/networkConfig": Rules(shown_as="config"),
    "Microsoft.Web/sites/slots": SITE,
    "Microsoft.Web/sites/slots/networkConfig": Rules(shown_as="config"),
    "Microsoft.Web/sites/slots/config": SITE_CONFIG,
    "Microsoft.OperationsManagement/solutions": Rules(created=201, updated=201),
    "Microsoft.Search/searchServices": Rules(
        created=201,
        adds=search_service,
        actions={
            "listadminkeys": keys("primaryKey", "secondaryKey"),
            "listquerykeys": search_query_keys,
        },
    ),
}
