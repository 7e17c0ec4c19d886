"""IoT hubs and provisioning services: endpoints, and policies with their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, key
from pytest_tfoidc.mockazure.arm.types.rules import Rules

_HUB, _SERVICE = "Microsoft.Devices/IotHubs", "Microsoft.Devices/provisioningServices"
PARTITIONS, MOST_PARTITIONS = 4, 128
HUB_POLICIES = {
    "iothubowner": "RegistryWrite, ServiceConnect, DeviceConnect",
    "service": "ServiceConnect",
    "device": "DeviceConnect",
    "registryRead": "RegistryRead",
    "registryReadWrite": "RegistryWrite",
}
SERVICE_POLICIES = {
    "provisioningserviceowner": "ServiceConfig, DeviceConnect, EnrollmentWrite",
}


def hub(new: New) -> Properties:
    """Return an IoT hub its host, its built-in endpoint and its regions."""
    asked = new.properties.get("eventHubEndpoints")
    events = asked.get("events") if isinstance(asked, dict) else None
    count = events.get("partitionCount") if isinstance(events, dict) else None
    partitions = count if isinstance(count, int) and 0 < count <= MOST_PARTITIONS else PARTITIONS
    unique = new.guid("events").partition("-")[0]
    endpoint = {
        "endpoint": f"sb://iothub-ns-{new.name.lower()}-{unique}.servicebus.windows.net/",
        "path": f"iothub-ehub-{new.name.lower()}-{unique}",
        "partitionCount": partitions,
        "partitionIds": [str(number) for number in range(partitions)],
        "retentionTimeInDays": 1,
    }
    regions = [{"location": new.location, "role": "primary"}]
    return {
        "authorizationPolicies": [],
        "cloudToDevice": {
            "defaultTtlAsIso8601": "PT1H",
            "feedback": {
                "lockDurationAsIso8601": "PT1M",
                "maxDeliveryCount": 10,
                "ttlAsIso8601": "PT1H",
            },
            "maxDeliveryCount": 10,
        },
        "eventHubEndpoints": {"events": endpoint},
        "hostName": f"{new.name}.azure-devices.net",
        "ipFilterRules": [],
        "locations": regions,
    }


def policies(usual: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Make the function for all policies of a hub or a service, with their keys."""

    def answer(new: New) -> Any:  # noqa: ANN401 - JSON
        return {"value": list(_policies(new.id, new.properties, usual).values())}

    return answer


def policy(usual: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Make the function for one policy by its name; None for a name that there is not."""

    def implied(new: New) -> Properties | None:
        found = _policies(new.scope, new.properties, usual).get(new.name.lower())
        return {"properties": found} if found else None

    return implied


def _policies(
    owner: str, properties: Mapping[str, Any], usual: Mapping[str, str]
) -> dict[str, Properties]:
    """Return policies by name in lower case: those that are always there, and the written ones."""
    made = {name.lower(): {"keyName": name, "rights": rights} for name, rights in usual.items()}
    written = properties.get("authorizationPolicies")
    for one in written if isinstance(written, list) else ():
        if isinstance(one, dict) and isinstance(one.get("keyName"), str):
            name = one["keyName"].lower()
            made[name] = {**made.get(name, {}), **{n: v for n, v in one.items() if v}}
    keys = {n: {w: key(owner, f"{n} {w}") for w in ("primaryKey", "secondaryKey")} for n in made}
    return {name: {**keys[name], **found} for name, found in made.items()}


def _shown(new: New) -> Any:  # noqa: ANN401 - JSON
    return new.properties


TYPES: dict[str, Rules] = {
    _HUB: Rules(
        created=201,
        adds=hub,
        implied={
            "IotHubKeys/*": policy(HUB_POLICIES),
            "eventHubEndpoints/events": fixed(properties={}),
        },
        actions={"listkeys": policies(HUB_POLICIES)},
    ),
    f"{_HUB}/IotHubKeys": Rules(stateless=True, actions={"listkeys": _shown}),
    _SERVICE: Rules(
        created=201,
        implied={"keys/*": policy(SERVICE_POLICIES)},
        actions={"listkeys": policies(SERVICE_POLICIES)},
    ),
    f"{_SERVICE}/keys": Rules(stateless=True, actions={"listkeys": _shown}),
}
