"""Machines, clusters and containers that need more than echo."""

from __future__ import annotations

import base64

from pytest_tfoidc.mockazure.arm.types.base import New, Properties, fixed, guid, key, objects, part
from pytest_tfoidc.mockazure.arm.types.rules import Rules


def machine(new: New) -> Properties:
    """Return a virtual machine its id."""
    return {"vmId": new.guid("vmId")}


def scale_set(new: New) -> Properties:
    """Return a scale set its id."""
    return {"uniqueId": new.guid("uniqueId")}


def container_group(new: New) -> Properties:
    """Return the address of a group of containers, and what it runs as."""
    asked = new.properties.get("ipAddress")
    address = {"ip": "20.50.0.5", "ports": []} if isinstance(asked, dict) else None
    label = asked.get("dnsNameLabel") if isinstance(asked, dict) else None
    if address is not None and label:
        address["fqdn"] = f"{label}.{new.location}.azurecontainer.io"
    return {
        "instanceView": {"events": [], "state": "Running"},
        "restartPolicy": "Always",
        "sku": "Standard",
        **({"ipAddress": address} if address else {}),
    }


def container_app(new: New) -> Properties:
    """Return a container app its revision, and the host in its environment's domain."""
    region = new.location or "westeurope"
    environment = new.properties.get("managedEnvironmentId") or new.properties.get("environmentId")
    word = guid(str(environment or ""), "default")[:8]
    revision = f"{new.name}--{new.guid('revision')[:7]}"
    ingress = part(part(new.properties, "configuration"), "ingress")
    inside = "" if ingress.get("external") is True else "internal."
    domain = f"{inside}{word}.{region}.azurecontainerapps.io"
    reached = {
        "configuration": {"ingress": {"fqdn": f"{new.name}.{domain}"}},
        "latestRevisionFqdn": f"{revision}.{domain}",
    }
    return {
        "customDomainVerificationId": new.guid("domain").replace("-", ""),
        "eventStreamEndpoint": f"https://{region}.azurecontainerapps.dev{new.id}/eventstream",
        "latestReadyRevisionName": revision,
        "latestRevisionName": revision,
        "outboundIpAddresses": ["20.50.0.14"],
        **(reached if ingress else {}),
    }


def cluster(new: New) -> Properties:
    """Return what Azure adds to a Kubernetes cluster: hosts, groups, identities, networks."""
    written, region = new.properties, new.location or "westeurope"
    prefix = str(written.get("dnsPrefix") or written.get("fqdnSubdomain") or new.name)
    tail = f"{new.guid('fqdn')[:8]}.hcp.{region}.azmk8s.io"
    segments = [*new.id.split("/"), "", "", "", "", ""]
    group = str(written.get("nodeResourceGroup") or f"MC_{segments[4]}_{new.name}_{region}")
    version = str(written.get("kubernetesVersion") or VERSION)
    kubelet = f"/subscriptions/{segments[2]}/resourceGroups/{group}/providers"
    kubelet += f"/Microsoft.ManagedIdentity/userAssignedIdentities/{new.name}-agentpool"
    issuer = f"https://{region}.oic.prod-aks.azure.com/{new.tenant_id}/{new.guid('issuer')}/"
    on = part(written, "oidcIssuerProfile").get("enabled") is True
    private = part(written, "apiServerAccessProfile").get("enablePrivateCluster") is True
    return {
        "fqdn": f"{prefix}-{tail}",
        "azurePortalFQDN": f"{prefix}-{new.guid('fqdn')[:8]}.portal.hcp.{region}.azmk8s.io",
        **(
            {"privateFQDN": f"{prefix}-{new.guid('fqdn')[:8]}.privatelink.{region}.azmk8s.io"}
            if private
            else {}
        ),
        "nodeResourceGroup": group,
        "kubernetesVersion": version,
        "currentKubernetesVersion": version if version.count(".") > 1 else f"{version}.2",
        "maxAgentPools": 100,
        "powerState": {"code": "Running"},
        "networkProfile": _cluster_network(part(written, "networkProfile")),
        "identityProfile": {
            "kubeletidentity": {
                "resourceId": kubelet,
                "clientId": new.guid("kubeletClientId"),
                "objectId": new.guid("kubeletObjectId"),
            }
        },
        **({"oidcIssuerProfile": {"issuerURL": issuer}} if on else {}),
    }


def _cluster_network(asked: Properties) -> Properties:
    """Return the networks of a cluster; its pods have one where they are not in its subnet."""
    plugin = str(asked.get("networkPlugin") or "kubenet")
    own_pods = plugin == "kubenet" or asked.get("networkPluginMode") == "overlay"
    return {
        "dnsServiceIP": "10.0.0.10",
        "ipFamilies": ["IPv4"],
        "loadBalancerSku": "standard",
        "networkPlugin": plugin,
        "outboundType": "loadBalancer",
        "serviceCidr": "10.0.0.0/16",
        "serviceCidrs": [asked.get("serviceCidr") or "10.0.0.0/16"],
        **({"podCidr": "10.244.0.0/16"} if own_pods else {}),
    }


def kubeconfig(new: New) -> Properties:
    """Return how to reach a cluster; no authority signed the certificates, and no host answers."""
    host = new.properties.get("fqdn") or f"{new.name}.azmk8s.io"
    material = {n: key(new.id, n) for n in ("ca", "certificate", "key")}
    user = f"clusterUser_{new.name}"
    text = (
        "apiVersion: v1\nkind: Config\npreferences: {}\n"
        f"clusters:\n- name: {new.name}\n  cluster:\n"
        f"    certificate-authority-data: {material['ca']}\n    server: https://{host}:443\n"
        f"contexts:\n- name: {new.name}\n  context:\n"
        f"    cluster: {new.name}\n    user: {user}\ncurrent-context: {new.name}\n"
        f"users:\n- name: {user}\n  user:\n"
        f"    client-certificate-data: {material['certificate']}\n"
        f"    client-key-data: {material['key']}\n    token: {new.guid('token')}\n"
    )
    value = base64.b64encode(text.encode()).decode()
    return {"kubeconfigs": [{"name": "clusterUser", "value": value}]}


def disk_access(new: New) -> Properties:
    """Return the address that a disk or a snapshot is read at while it is exported."""
    host = f"https://md-{new.guid('export')[:8]}.z1.blob.storage.azure.net/{new.guid('vhd')}/abcd"
    return {"accessSAS": f"{host}?sv=2018-03-28&sr=b&sig={new.guid('sig')}"}


def cluster_settings(new: New) -> Properties:
    """Return the settings of an HDInsight cluster, as a POST reads them."""
    return {"configurations": cluster_files(new)}


def cluster_files(new: New) -> Properties:
    """Return the settings of an HDInsight cluster by the file that each is in."""
    found = part(part(new.properties, "clusterDefinition"), "configurations")
    texts = {name: {n: _as_text(v) for n, v in part(found, name).items()} for name in found}
    return {"gateway": {}, "core-site": {}, **texts}


def _as_text(value: object) -> str:
    """Return a setting as the files of a cluster have it: all of them are texts."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def app_secrets(new: New) -> Properties:
    """Return the secrets of a container app, a job or a component; what is empty is not shown."""
    configured = objects(part(new.properties, "configuration"), "secrets")
    found = configured or objects(new.properties, "secrets")
    return {"value": [{n: v for n, v in one.items() if v not in ("", None)} for one in found]}


SECRETS = {"listsecrets": app_secrets}
EXPORTS = {"begingetaccess": disk_access}
VERSION = "1.33"  # of Kubernetes, where nobody asks for another
CREDENTIALS = ("User", "Admin", "MonitoringUser")
CONTAINER_LISTS = ("ports", "environmentVariables", "command")
TYPES: dict[str, Rules] = {
    "Microsoft.ContainerInstance/containerGroups": Rules(
        created=201,
        adds=container_group,
        lists=(
            "containers",
            *(f"containers[].properties.{n}" for n in CONTAINER_LISTS),
            "initContainers",
            *(f"initContainers[].properties.{n}" for n in ("environmentVariables", "command")),
        ),
    ),
    "Microsoft.ContainerService/managedClusters": Rules(
        created=201,
        deleted=204,
        adds=cluster,
        actions={f"listcluster{who.lower()}credential": kubeconfig for who in CREDENTIALS},
    ),
    "Microsoft.App/containerApps": Rules(created=201, adds=container_app, actions=SECRETS),
    "Microsoft.App/jobs": Rules(actions=SECRETS),
    "Microsoft.App/managedEnvironments/daprComponents": Rules(actions=SECRETS),
    "Microsoft.HDInsight/clusters": Rules(
        actions={"configurations": cluster_settings},
        plain={"configurations": cluster_files},
        implied={
            "extensions/azureMonitor": fixed(clusterMonitoringEnabled=False),
            "extensions/clustermonitoring": fixed(clusterMonitoringEnabled=False),
        },
    ),
    "Microsoft.HDInsight/clusters/extensions": Rules(beside=fixed(clusterMonitoringEnabled=True)),
    "Microsoft.Compute/disks": Rules(accepted=202, actions=EXPORTS),
    "Microsoft.Compute/snapshots": Rules(actions=EXPORTS),
    "Microsoft.Compute/virtualMachines": Rules(
        created=201,
        adds=machine,
        omitted=("additionalCapabilities",),
        kept={"storageProfile": {"dataDisks": ("sourceResource",)}},
    ),
    "Microsoft.Compute/virtualMachineScaleSets": Rules(
        created=201,
        adds=scale_set,
        omitted=("additionalCapabilities",),
        lists=("virtualMachineProfile.extensionProfile.extensions",),
    ),
}
