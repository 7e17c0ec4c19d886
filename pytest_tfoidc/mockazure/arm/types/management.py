"""API Management, management groups, backup policies and workflows: what they need beyond echo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from pytest_tfoidc.mockazure.arm.types.base import Adds, New, Properties, fixed, key
from pytest_tfoidc.mockazure.arm.types.rules import Rules

OFF = {"enabled": False}
TIME_OF_DAY = re.compile(r"\d{2}:\d{2}:\d{2}Z")
DATE = "2024-01-01"  # any: of a daily time only the time counts
TIMES = ("scheduleruntimes", "retentiontimes", "schedulewindowstarttime")


def service(new: New) -> Properties:
    """Return what an API Management service has from its creation."""
    host = f"{new.name.lower()}.azure-api.net"
    proxy = {
        "type": "Proxy",
        "hostName": host,
        "defaultSslBinding": True,
        "negotiateClientCertificate": False,
        "certificateSource": "BuiltIn",
    }
    return {
        "apiVersionConstraint": {},
        "createdAtUtc": "2024-01-01T00:00:00.0000000Z",
        "customProperties": {},
        "developerPortalUrl": f"https://{new.name.lower()}.developer.azure-api.net",
        "disableGateway": False,
        "gatewayRegionalUrl": f"https://{new.name.lower()}-{new.location}-01.regional.azure-api.net",
        "gatewayUrl": f"https://{host}",
        "hostnameConfigurations": [proxy],
        "managementApiUrl": f"https://{new.name.lower()}.management.azure-api.net",
        "notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com",
        "platformVersion": "stv2",
        "portalUrl": f"https://{new.name.lower()}.portal.azure-api.net",
        "publicIPAddresses": ["20.50.0.6"],
        "publicNetworkAccess": "Enabled",
        "scmUrl": f"https://{new.name.lower()}.scm.azure-api.net",
        "virtualNetworkType": "None",
    }


def api(new: New) -> Properties:
    """Return an API its revision, and what it has without being asked."""
    _, _, revision = new.name.lower().partition(";rev=")
    return {
        "apiRevision": revision or "1",
        "authenticationSettings": {"oAuth2": None, "openid": None},
        "isCurrent": not revision,
        "isOnline": True,
        "protocols": ["https"],
        "subscriptionKeyParameterNames": {
            "header": "Ocp-Apim-Subscription-Key",
            "query": "subscription-key",
        },
        "subscriptionRequired": True,
        "type": "http",
    }


def delegation_secrets(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the key that delegation is validated with: the one that was written, or a new one."""
    return {"validationKey": new.properties.get("validationKey") or key(new.id, "validationKey")}


def access_secrets(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the keys of a service's own management API."""
    return {
        "id": new.name,
        "enabled": new.properties.get("enabled") is True,
        "primaryKey": key(new.id, "primaryKey"),
        "secondaryKey": key(new.id, "secondaryKey"),
        "principalId": "integration",
    }


def with_dates(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a backup policy whose times of day have a date, as Azure gives them back."""
    if isinstance(value, list):
        return [with_dates(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {n: _dated(v) if n.lower() in TIMES else with_dates(v) for n, v in value.items()}


def _dated(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_dated(item) for item in value]
    if isinstance(value, str) and TIME_OF_DAY.fullmatch(value):
        return f"{DATE}T{value}"
    return value


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a definition without what was written as null: to Azure it was not written."""
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {n: without_nulls(v) for n, v in value.items() if v is not None}
    return value


def workflow(new: New) -> Properties:
    """Return what a Logic App's workflow has from its creation."""
    region = new.location or "westeurope"
    addresses = [{"address": "20.50.0.7"}]
    place = {"outgoingIpAddresses": addresses, "accessEndpointIpAddresses": addresses}
    return {
        "accessEndpoint": f"https://prod-00.{region}.logic.azure.com:443/workflows/{new.guid('w')}",
        "endpointsConfiguration": {"workflow": place, "connector": place},
        "parameters": {},
        "version": new.guid("version").replace("-", "")[:20],
    }


def data_export(new: New) -> Properties:
    """Return a workspace's data export its id, and what kind of place it exports to."""
    asked = new.properties.get("destination")
    place = str(asked.get("resourceId", "")) if isinstance(asked, dict) else ""
    kind = "EventHub" if "/microsoft.eventhub/" in place.lower() else "StorageAccount"
    return {"dataExportId": new.guid("dataExportId"), "destination": {"type": kind}}


def webhook_uri(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the URI of a webhook that is yet to be made for an automation account."""
    host = f"{new.guid('webhooks')}.webhook.we.azure-automation.net"
    return f"https://{host}/webhooks?token={quote(key(new.id, 'webhook'), safe='')}"


def automation_keys(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the two keys of an automation account."""
    return {
        "keys": [
            {"KeyName": name, "Permissions": "Full", "Value": key(new.id, name)}
            for name in ("Primary", "Secondary")
        ]
    }


def automation_registration(new: New) -> Properties:
    """Return where machines register with an automation account, and with which keys."""
    host = f"{new.guid('agents')}.agentsvc.we.azure-automation.net"
    return {
        "endpoint": f"https://{host}/accounts/{new.guid('agents')}",
        "keys": {name: key(new.scope, name.title()) for name in ("primary", "secondary")},
    }


def connection_type(fields: str) -> Adds:
    """Make the function for a type of connections that every automation account has."""
    definitions = {
        name: {"isEncrypted": False, "isOptional": False, "type": "System.String"}
        for name in fields.split()
    }
    return fixed(properties={"isGlobal": True, "fieldDefinitions": definitions})


def registration(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the token that hosts register with, where somebody asked for one; else nothing."""
    asked = new.properties.get("registrationInfo")
    if not isinstance(asked, dict) or asked.get("registrationTokenOperation") != "Update":
        return {}
    return {"expirationTime": asked.get("expirationTime"), "token": key(new.id, "registration")}


def session_desktop(new: New) -> Properties | None:
    """Return the desktop that an application group for desktops has; None in one for apps."""
    if new.properties.get("applicationGroupType") != "Desktop":
        return None
    return {"properties": {"friendlyName": "SessionDesktop", "objectId": new.guid("objectId")}}


def workflow_trigger(new: New) -> Properties | None:
    """Return a trigger that a workflow's definition has; None for a name that it has not."""
    definition = new.properties.get("definition")
    triggers = definition.get("triggers") if isinstance(definition, dict) else None
    if not isinstance(triggers, dict) or new.name.lower() not in map(str.lower, triggers):
        return None
    return {"properties": {"state": "Enabled"}}


def callback_url(new: New) -> Any:  # noqa: ANN401 - JSON
    """Return the URL that calls a trigger, a workflow or an integration account."""
    base = f"https://prod-00.logic.azure.com:443/{new.guid('callback')}"
    query = {"api-version": "2016-10-01", "sp": "/run", "sv": "1.0", "sig": new.guid("sig")}
    url = f"{base}?{urlencode(query)}"
    return {"value": url, "method": "POST", "basePath": base, "queries": query}


def membership(document: Mapping[str, Any]) -> Properties:
    """Return what a management group shows of a subscription that it has."""
    name = str(document["name"])
    return {
        "id": f"/subscriptions/{name}",
        "type": "/subscriptions",
        "name": name,
        "displayName": name,
    }


def agreement(new: New) -> Properties:
    """Return the terms of an offer in the marketplace, as nobody has accepted them yet."""
    segments = [*new.id.split("/")[::-1], *[""] * 8]
    plan, product, publisher = segments[2], segments[4], segments[6]
    terms = f"https://example.org/{publisher}/{product}/{plan}"
    return {
        "properties": {
            "accepted": False,
            "licenseTextLink": f"{terms}/license",
            "marketplaceTermsLink": f"{terms}/terms",
            "plan": plan,
            "privacyPolicyLink": f"{terms}/privacy",
            "product": product,
            "publisher": publisher,
            "retrieveDatetime": "2024-01-01T00:00:00.0000000Z",
            "signature": new.guid("signature"),
        }
    }


def managed_api(new: New) -> Properties:
    """Return a connector of Logic Apps."""
    shown = {"displayName": new.name, "description": new.name, "tier": "Standard"}
    return {"properties": {"name": new.name, "generalInformation": shown, "capabilities": []}}


def pricing(_: New) -> Properties:
    """Return the plan of Defender for Cloud that a subscription has without being asked."""
    return {"properties": {"pricingTier": "Free", "freeTrialRemainingTime": "PT0S"}}


def security_setting(new: New) -> Properties:
    """Return a setting of Defender for Cloud as it is before anybody turns it on."""
    sync = new.name.lower() == "sentinel"
    kind = "AlertSyncSettings" if sync else "DataExportSettings"
    return {"kind": kind, "properties": {"enabled": False}}


def without_form(given: Any, _: New) -> Any:  # noqa: ANN401 - JSON
    """Return a configuration of nodes without how its source was written: it is not shown."""
    return {name: value for name, value in given.items() if name != "source"}


ALWAYS = {  # what there is of a type under any name, without anything that it lies in
    "Microsoft.MarketplaceOrdering/offerTypes/publishers/offers/plans/agreements": agreement,
    "Microsoft.Security/pricings": pricing,
    "Microsoft.Web/locations/managedApis": managed_api,
    "Microsoft.Web/sourceControls": fixed(properties={}),
    "Microsoft.Security/settings": security_setting,
}
CONNECTION_FIELDS = {
    "Azure": "AutomationCertificateName SubscriptionID",
    "AzureClassicCertificate": "CertificateAssetName SubscriptionId SubscriptionName",
    "AzureServicePrincipal": "ApplicationId CertificateThumbprint SubscriptionId TenantId",
}


def email_template(new: New) -> Properties:
    """Return a template of API Management's mails as nobody has written it yet."""
    texts = dict.fromkeys(("title", "subject", "body"), new.name)
    return {"properties": {**texts, "isDefault": True, "parameters": []}}


_SERVICE = "Microsoft.ApiManagement/service"
TYPES: dict[str, Rules] = {
    _SERVICE: Rules(
        created=201,
        adds=service,
        recoverable="deletedServices",
        retained=2,
        implied={
            "notifications/*": fixed(properties={}),
            "templates/*": email_template,
            "portalsettings/signin": fixed(properties=OFF),
            "portalsettings/signup": fixed(
                properties={**OFF, "termsOfService": {**OFF, "consentRequired": False}}
            ),
            "portalsettings/delegation": fixed(
                properties={"subscriptions": OFF, "userRegistration": OFF}
            ),
            "tenant/access": fixed(properties=OFF),
            "tenant/gitAccess": fixed(properties=OFF),
        },
    ),
    "Microsoft.Automation/automationAccounts/nodeConfigurations": Rules(normalized=without_form),
    f"{_SERVICE}/apis": Rules(created=201, adds=api),
    f"{_SERVICE}/portalsettings": Rules(
        stateless=True, actions={"listsecrets": delegation_secrets}
    ),
    f"{_SERVICE}/templates": Rules(adds=fixed(isDefault=False)),
    f"{_SERVICE}/tenant": Rules(stateless=True, actions={"listsecrets": access_secrets}),
    "Microsoft.Logic/workflows": Rules(
        created=201,
        adds=workflow,
        normalized=lambda given, _: without_nulls(given),
        implied={"triggers/*": workflow_trigger},
        actions={"listcallbackurl": callback_url},
    ),
    "Microsoft.Logic/workflows/triggers": Rules(actions={"listcallbackurl": callback_url}),
    "Microsoft.Logic/integrationAccounts": Rules(
        created=201, actions={"listcallbackurl": callback_url}
    ),
    **{
        f"Microsoft.Logic/integrationAccounts/{kind}": Rules(
            created=201, actions={"listcontentcallbackurl": callback_url}
        )
        for kind in ("agreements", "assemblies", "maps", "partners", "schemas")
    },
    "Microsoft.Automation/automationAccounts": Rules(
        created=201,
        actions={"webhooks/generateuri": webhook_uri, "listkeys": automation_keys},
        implied={
            "agentRegistrationInformation": automation_registration,
            **{
                f"connectionTypes/{name}": connection_type(fields)
                for name, fields in CONNECTION_FIELDS.items()
            },
        },
    ),
    "Microsoft.DesktopVirtualization/hostPools": Rules(
        actions={"retrieveregistrationtoken": registration}
    ),
    "Microsoft.DesktopVirtualization/applicationGroups": Rules(
        implied={"desktops/SessionDesktop": session_desktop}
    ),
    "Microsoft.OperationalInsights/workspaces/dataExports": Rules(adds=data_export),
    "Microsoft.Management/managementGroups": Rules(
        children={"children": "subscriptions"}, child_shown=membership
    ),
    "Microsoft.RecoveryServices/vaults/backupPolicies": Rules(
        normalized=lambda given, _: with_dates(given), stateless=True
    ),
}
