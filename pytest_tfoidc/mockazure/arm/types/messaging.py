"""Service Bus, Event Hubs, Event Grid and SignalR: what they need beyond echo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_tfoidc.mockazure.arm.types import base as adds
from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, key, keys, part
from pytest_tfoidc.mockazure.arm.types.rules import Rules

NEVER = "P10675199DT2H48M5.4775807S"  # the longest time span of .NET


def hubs(new: New) -> Properties:
    """Return an Event Hubs namespace what it has without being asked."""
    return {
        **adds.bus(new),
        "disableLocalAuth": False,
        "isAutoInflateEnabled": False,
        "kafkaEnabled": True,
        "maximumThroughputUnits": 0,
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Enabled",
        "zoneRedundant": True,
    }


def hub(new: New) -> Properties:
    """Return an event hub its partitions."""
    count = new.properties.get("partitionCount")
    partitions = count if isinstance(count, int) and 0 < count <= MOST_PARTITIONS else 4
    return {
        "messageRetentionInDays": 7,
        "partitionCount": partitions,
        "partitionIds": [str(number) for number in range(partitions)],
        "status": "Active",
    }


def eventgrid_topic(new: New) -> Properties:
    """Return an Event Grid topic its endpoint."""
    region = new.location or "westeurope"
    return {
        "disableLocalAuth": False,
        "endpoint": f"https://{new.name}.{region}-1.eventgrid.azure.net/api/events",
        "inputSchema": "EventGridSchema",
        "metricResourceId": new.guid("metricResourceId"),
        "publicNetworkAccess": "Enabled",
    }


def signalr(domain: str) -> adds.Adds:
    """Make the function for SignalR or Web PubSub, whose hosts lie in a domain."""

    def properties(new: New) -> Properties:
        return {
            "disableAadAuth": False,
            "disableLocalAuth": False,
            "externalIP": "20.50.0.4",
            "hostName": f"{new.name}.{domain}",
            "hostNamePrefix": new.name,
            "publicNetworkAccess": "Enabled",
            "publicPort": 443,
            "serverPort": 443,
            "version": "1.0",
        }

    return properties


def signalr_keys(domain: str) -> adds.Answers:
    """Make the function for the keys of SignalR or Web PubSub."""

    def answer(new: New) -> Any:  # noqa: ANN401 - JSON
        keys = {f"{which}Key": key(new.id, which) for which in ("primary", "secondary")}
        host = f"Endpoint=https://{new.name}.{domain}"
        strings = {
            name.replace("Key", "ConnectionString"): f"{host};AccessKey={value};Version=1.0;"
            for name, value in keys.items()
        }
        return {**keys, **strings}

    return answer


MOST_PARTITIONS = 2048
QUEUE = fixed(
    autoDeleteOnIdle=NEVER,
    deadLetteringOnMessageExpiration=False,
    defaultMessageTimeToLive=NEVER,
    duplicateDetectionHistoryTimeWindow="PT10M",
    enableBatchedOperations=True,
    enableExpress=False,
    enablePartitioning=False,
    lockDuration="PT1M",
    maxDeliveryCount=10,
    maxMessageSizeInKilobytes=256,
    maxSizeInMegabytes=1024,
    requiresDuplicateDetection=False,
    requiresSession=False,
    sizeInBytes=0,
    status="Active",
)
TOPIC = fixed(
    autoDeleteOnIdle=NEVER,
    defaultMessageTimeToLive=NEVER,
    duplicateDetectionHistoryTimeWindow="PT10M",
    enableBatchedOperations=True,
    enableExpress=False,
    enablePartitioning=False,
    maxMessageSizeInKilobytes=256,
    maxSizeInMegabytes=1024,
    requiresDuplicateDetection=False,
    sizeInBytes=0,
    status="Active",
    supportOrdering=True,
)
SUBSCRIPTION = fixed(
    autoDeleteOnIdle=NEVER,
    deadLetteringOnFilterEvaluationExceptions=True,
    deadLetteringOnMessageExpiration=False,
    defaultMessageTimeToLive=NEVER,
    enableBatchedOperations=True,
    isClientAffine=False,
    lockDuration="PT1M",
    maxDeliveryCount=10,
    requiresSession=False,
    status="Active",
)


def transformation(new: New) -> Properties | None:
    """Return the query of a streaming job, which is a part of it; None under another name."""
    found = part(new.properties, "transformation")
    same = str(found.get("name")).lower() == new.name.lower()
    return {"properties": part(found, "properties")} if same else None


def with_transformation(
    properties: Mapping[str, Any], name: str, written: Mapping[str, Any]
) -> Properties:
    """Return a streaming job's properties after its query was written."""
    found = part(properties, "transformation")
    inside = {**part(found, "properties"), **written}
    now = {"name": found.get("name") or name, "properties": inside}
    return {**properties, "transformation": now}


EVERYTHING = {
    "filterType": "SqlFilter",
    "sqlFilter": {"sqlExpression": "1=1", "compatibilityLevel": 20},
}
ROOT_RULE = {"authorizationRules/RootManageSharedAccessKey": adds.bus_root_rule}
HUB_RULES = {
    "authorizationRules/DefaultFullSharedAccessSignature": adds.bus_root_rule,
    "authorizationRules/DefaultListenSharedAccessSignature": fixed(
        properties={"rights": ["Listen"]}
    ),
}
BUS = Rules(adds=adds.bus, implied={"networkRuleSets/default": adds.bus_network, **ROOT_RULE})
BUS_RULE = Rules(actions={"listkeys": adds.bus_keys, "regeneratekeys": adds.bus_keys})
EVENTGRID_ACTIONS = dict.fromkeys(("listkeys", "regeneratekey"), keys("key1", "key2"))
SIGNALR, PUBSUB = "service.signalr.net", "webpubsub.azure.com"

TYPES: dict[str, Rules] = {
    "Microsoft.EventGrid/domains": Rules(
        created=201, updated=201, adds=eventgrid_topic, actions=EVENTGRID_ACTIONS
    ),
    "Microsoft.EventGrid/eventSubscriptions": Rules(created=201, updated=201),
    "Microsoft.EventGrid/systemTopics": Rules(
        created=201, adds=lambda new: {"metricResourceId": new.guid("metricResourceId")}
    ),
    "Microsoft.EventGrid/topics": Rules(
        created=201, updated=201, deleted=204, adds=eventgrid_topic, actions=EVENTGRID_ACTIONS
    ),
    "Microsoft.EventHub/namespaces": Rules(adds=hubs, implied=BUS.implied),
    "Microsoft.EventHub/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.EventHub/namespaces/eventhubs": Rules(
        adds=hub, implied={"consumergroups/$Default": fixed(properties={})}
    ),
    "Microsoft.EventHub/namespaces/eventhubs/authorizationRules": BUS_RULE,
    "Microsoft.EventHub/namespaces/disasterRecoveryConfigs/authorizationRules": BUS_RULE,
    "Microsoft.NotificationHubs/namespaces": Rules(created=201, adds=adds.bus, implied=ROOT_RULE),
    "Microsoft.NotificationHubs/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.NotificationHubs/namespaces/notificationHubs": Rules(created=201, implied=HUB_RULES),
    "Microsoft.NotificationHubs/namespaces/notificationHubs/authorizationRules": BUS_RULE,
    "Microsoft.Relay/namespaces": Rules(created=201, adds=adds.bus, implied=BUS.implied),
    "Microsoft.Relay/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.Relay/namespaces/hybridConnections/authorizationRules": BUS_RULE,
    "Microsoft.Relay/namespaces/wcfRelays/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces": BUS,
    "Microsoft.ServiceBus/namespaces/disasterRecoveryConfigs/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/queues": Rules(adds=QUEUE),
    "Microsoft.ServiceBus/namespaces/queues/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/topics": Rules(adds=TOPIC),
    "Microsoft.ServiceBus/namespaces/topics/authorizationRules": BUS_RULE,
    "Microsoft.ServiceBus/namespaces/topics/subscriptions": Rules(
        adds=SUBSCRIPTION,
        omitted=("clientAffineProperties",),
        implied={"rules/$Default": fixed(properties=EVERYTHING)},
    ),
    "Microsoft.StreamAnalytics/streamingJobs": Rules(implied={"transformations/*": transformation}),
    "Microsoft.StreamAnalytics/streamingJobs/transformations": Rules(merges=with_transformation),
    "Microsoft.SignalRService/signalR": Rules(
        created=201, adds=signalr(SIGNALR), actions={"listkeys": signalr_keys(SIGNALR)}
    ),
    "Microsoft.SignalRService/webPubSub": Rules(
        created=201, adds=signalr(PUBSUB), actions={"listkeys": signalr_keys(PUBSUB)}
    ),
}
