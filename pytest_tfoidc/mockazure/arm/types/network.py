"""Networks and what stands in them: the types of Microsoft.Network that need more than echo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, guid, key, objects, part
from pytest_tfoidc.mockazure.arm.types.rules import Rules

GATEWAY_PARTS = (
    "authenticationCertificates",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "backendSettingsCollection",
    "frontendIPConfigurations",
    "frontendPorts",
    "gatewayIPConfigurations",
    "httpListeners",
    "listeners",
    "privateLinkConfigurations",
    "probes",
    "redirectConfigurations",
    "requestRoutingRules",
    "rewriteRuleSets",
    "routingRules",
    "sslCertificates",
    "sslProfiles",
    "trustedClientCertificates",
    "trustedRootCertificates",
    "urlPathMaps",
)


# The hosts of what a private endpoint leads to, by the group of its connection.
LINKED_HOSTS = {
    **{name: f"{{}}.{name}.core.windows.net" for name in ("blob", "dfs", "file", "queue", "table")},
    "account": "{}.cognitiveservices.azure.com",
    "configurationStores": "{}.azconfig.io",
    "mysqlServer": "{}.mysql.database.azure.com",
    "namespace": "{}.servicebus.windows.net",
    "postgresqlServer": "{}.postgres.database.azure.com",
    "redisCache": "{}.redis.cache.windows.net",
    "registry": "{}.azurecr.io",
    "searchService": "{}.search.windows.net",
    "sites": "{}.azurewebsites.net",
    "Sql": "{}.documents.azure.com",
    "sqlServer": "{}.database.windows.net",
    "vault": "{}.vault.azure.net",
    "web": "{}.z6.web.core.windows.net",
}


def private_endpoint(new: New) -> Properties:
    """Return a private endpoint its interface and hosts; what it asked for is approved at once."""
    group = new.id.partition("/providers/")[0]
    own = new.properties.get("customNetworkInterfaceName")
    name = own if isinstance(own, str) and own else f"{new.name}.nic.{new.guid('nic')}"
    return {
        "customDnsConfigs": [
            {"fqdn": host, "ipAddresses": [endpoint_address(new.id, new.properties)]}
            for host in _linked_hosts(new)
        ],
        "networkInterfaces": [
            {"id": f"{group}/providers/Microsoft.Network/networkInterfaces/{name}"}
        ],
        "manualPrivateLinkServiceConnections": [],
        "privateLinkServiceConnections": [],
    }


def endpoint_address(endpoint_id: str, properties: Mapping[str, Any]) -> str:
    """Return the address of a private endpoint: the one that was asked for, or one of 10/8."""
    for asked in objects(properties, "ipConfigurations"):
        address = part(asked, "properties").get("privateIPAddress")
        if isinstance(address, str) and address:
            return address
    return _address(guid(endpoint_id, "privateIPAddress"))


def _linked_hosts(new: New) -> list[str]:
    kinds = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")
    found = []
    for asked in (
        part(one, "properties") for kind in kinds for one in objects(new.properties, kind)
    ):
        groups, target = asked.get("groupIds"), str(asked.get("privateLinkServiceId") or "")
        names = (
            [str(g).removesuffix("_secondary") for g in groups] if isinstance(groups, list) else []
        )
        name = target.rpartition("/")[2].lower()
        found += [LINKED_HOSTS[g].format(name) for g in names if g in LINKED_HOSTS]
    return found


def _address(digits: str) -> str:
    """Return an address of 10.0.0.0/8 that a GUID's digits tell."""
    return ".".join(map(str, (10, *(int(digits[at : at + 2], 16) for at in (0, 2, 4)))))


def bastion(new: New) -> Properties:
    """Return a bastion its host."""
    return {"dnsName": f"bst-{new.guid('dnsName')}.bastion.azure.com", "scaleUnits": 2}


def vpn_gateway(new: New) -> Properties:
    """Return a virtual network gateway what it has without being asked."""
    bgp = {"asn": 65515, "bgpPeeringAddress": "10.0.1.30", "peerWeight": 0}
    return {
        "activeActive": False,
        "enableBgp": False,
        "bgpSettings": bgp,
        "resourceGuid": new.guid("resourceGuid"),
        "vpnGatewayGeneration": "Generation1",
    }


def connection(new: New) -> Properties:
    """Return a gateway's connection what it has without being asked."""
    return {
        "connectionStatus": "Unknown",
        "connectionMode": "Default",
        "connectionProtocol": "IKEv2",
        "egressBytesTransferred": 0,
        "enableBgp": False,
        "ingressBytesTransferred": 0,
        "ipsecPolicies": [],
        "resourceGuid": new.guid("resourceGuid"),
        "routingWeight": 0,
        "trafficSelectorPolicies": [],
        "useLocalAzureIpAddress": False,
        "usePolicyBasedTrafficSelectors": False,
    }


def shared_key(new: New) -> Properties:
    """Return a gateway's connection its key: the one that was written, or one of Azure's."""
    return {"value": new.properties.get("sharedKey") or key(new.id, "sharedkey")}


def frontdoor_endpoint(new: New) -> Properties:
    """Return a Front Door endpoint its host."""
    host = f"{new.name}-{new.guid('hostName')[:8]}.z01.azurefd.net"
    return {"hostName": host, "enabledState": "Enabled"}


def cdn_endpoint(new: New) -> Properties:
    """Return a CDN endpoint its host."""
    return {"hostName": f"{new.name}.azureedge.net"}


def with_addresses(name: str) -> Callable[[Any, New], Any]:
    """Make the function that gives addresses to what has a list of configurations in a subnet.

    An address is always the same for a resource and a configuration; it is one of 10.0.0.0/8, and
    need not lie in the subnet.
    """

    def normalized(properties: Any, new: New) -> Any:  # noqa: ANN401 - JSON
        found = properties.get(name)
        if not isinstance(found, list):
            return properties
        return {**properties, name: [_addressed(item, new) for item in found]}

    return normalized


def _addressed(item: Any, new: New) -> Any:  # noqa: ANN401 - JSON
    own = item.get("properties") if isinstance(item, dict) else None
    if not isinstance(own, dict) or own.get("privateIPAddress"):
        return item
    if not own.get("subnet") and (own.get("publicIPAddress") or own.get("publicIPPrefix")):
        return item  # a frontend to the world only
    address = _address(new.guid(f"privateIPAddress {item.get('name')}"))
    filled = {"privateIPAllocationMethod": "Dynamic", "privateIPAddressVersion": "IPv4", **own}
    return {**item, "properties": {**filled, "privateIPAddress": address}}


def virtual_hub(_: New) -> Properties:
    """Return what a virtual hub has without being asked."""
    return {
        "allowBranchToBranchTraffic": False,
        "hubRoutingPreference": "ExpressRoute",
        "virtualRouterAsn": 65515,
        "virtualRouterIps": ["10.0.32.4", "10.0.32.5"],
        "virtualRouterAutoScaleConfiguration": {"minCapacity": 2},
    }


def public_address(new: New) -> Properties:
    """Return a public IP its address, where it has one before it is used, and its host."""
    written = new.properties
    asked = part(written, "dnsSettings")
    label = asked.get("domainNameLabel")
    shown: Properties = {"resourceGuid": new.guid("resourceGuid"), "ipTags": []}
    if label:
        shown["dnsSettings"] = {"fqdn": f"{label}.{new.location}.cloudapp.azure.com"}
    if str(written.get("publicIPAllocationMethod", "")).lower() == "static":
        digits = new.guid("ipAddress").replace("-", "")
        six = str(written.get("publicIPAddressVersion", "")).lower() == "ipv6"
        shown["ipAddress"] = (
            f"2603:1020:{digits[:4]}:{digits[4:8]}::{digits[8:12]}"
            if six
            else f"20.{'.'.join(str(int(digits[at : at + 2], 16)) for at in (0, 2, 4))}"
        )
    return shown


def record_set(new: New) -> Properties:
    """Return a set of records its full name."""
    zone = new.scope.rpartition("/")[2]
    return {"fqdn": f"{zone}." if new.name == "@" else f"{new.name}.{zone}."}


RECORDS = ("A", "AAAA", "CAA", "CNAME", "DS", "MX", "NAPTR", "NS", "PTR", "SRV", "TLSA", "TXT")
TYPES: dict[str, Rules] = {
    **{
        f"Microsoft.Network/{zone}/{kind}": Rules(created=201, adds=record_set)
        for zone in ("dnsZones", "privateDnsZones")
        for kind in RECORDS
    },
    "Microsoft.Cdn/profiles": Rules(adds=lambda new: {"frontDoorId": new.guid("frontDoorId")}),
    "Microsoft.Cdn/profiles/afdEndpoints": Rules(adds=frontdoor_endpoint),
    "Microsoft.Cdn/profiles/endpoints": Rules(adds=cdn_endpoint),
    "Microsoft.Network/applicationGateways": Rules(created=201, items=GATEWAY_PARTS),
    "Microsoft.Network/azureFirewalls": Rules(
        created=201,
        items=("ipConfigurations",),
        lists=("applicationRuleCollections", "natRuleCollections", "networkRuleCollections"),
        normalized=with_addresses("ipConfigurations"),
    ),
    "Microsoft.Network/bastionHosts": Rules(created=201, items=("ipConfigurations",), adds=bastion),
    "Microsoft.Network/connections": Rules(
        created=201, adds=connection, implied={"sharedkey": shared_key}
    ),
    "Microsoft.Network/firewallPolicies": Rules(
        created=201, adds=fixed(childPolicies=[], firewalls=[], ruleCollectionGroups=[])
    ),
    "Microsoft.Network/ipGroups": Rules(created=201, adds=fixed(firewalls=[], firewallPolicies=[])),
    "Microsoft.Network/loadBalancers": Rules(
        created=201,
        normalized=with_addresses("frontendIPConfigurations"),
        items=(
            "frontendIPConfigurations",
            "inboundNatPools",
            "loadBalancingRules",
            "outboundRules",
            "probes",
        ),
        children={
            "backendAddressPools": "backendAddressPools",
            "inboundNatRules": "inboundNatRules",
        },
    ),
    "Microsoft.Network/virtualHubs": Rules(created=201, adds=virtual_hub),
    "Microsoft.Network/networkInterfaces": Rules(
        created=201, normalized=with_addresses("ipConfigurations"), items=("ipConfigurations",)
    ),
    "Microsoft.Network/networkWatchers": Rules(created=201, deleted=204),
    "Microsoft.Network/networkWatchers/flowLogs": Rules(created=201, deleted=204),
    "Microsoft.Network/privateEndpoints": Rules(
        created=201,
        items=("privateLinkServiceConnections", "manualPrivateLinkServiceConnections"),
        adds=private_endpoint,
    ),
    "Microsoft.Network/publicIPAddresses": Rules(created=201, adds=public_address),
    "Microsoft.Network/publicIPPrefixes": Rules(
        created=201, adds=fixed(ipPrefix="20.50.0.0/28", publicIPAddressVersion="IPv4")
    ),
    "Microsoft.Network/virtualNetworkGateways": Rules(
        created=201, items=("ipConfigurations",), adds=vpn_gateway
    ),
}
