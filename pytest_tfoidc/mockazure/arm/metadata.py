"""The metadata document of a cloud, which `ARM_METADATA_HOSTNAME` makes the clients read.

It needs no token. Clients read where everything is and which audiences to ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.entrafacts import CHINA, LOGIN_HOSTS, PUBLIC, US_GOVERNMENT
from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import errors
from pytest_tfoidc.mockazure.arm.call import check_api_version
from pytest_tfoidc.mockazure.requests import parse_query, split_path

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request

PATH = ("metadata", "endpoints")
SINCE_ONE_DOCUMENT = "2022-09-01"  # older versions give a list


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The facts that differ between the clouds."""

    name: str
    login: str
    management: str
    portal: str
    graph: str
    storage: str
    vaults: str
    databases: str
    registries: str

    @property
    def audiences(self) -> tuple[str, str]:
        """The audiences of access tokens for Resource Manager, without a trailing slash."""
        return self.management.rstrip("/"), f"https://management.{self.storage}"


PUBLIC_CLOUD = Cloud(
    name="AzureCloud",
    login=f"https://{LOGIN_HOSTS[PUBLIC]}/",
    management="https://management.azure.com/",
    portal="https://portal.azure.com",
    graph="https://graph.microsoft.com/",
    storage="core.windows.net",
    vaults="vault.azure.net",
    databases="database.windows.net",
    registries="azurecr.io",
)
CLOUDS = {
    "management.usgovcloudapi.net": Cloud(
        name="AzureUSGovernment",
        login=f"https://{LOGIN_HOSTS[US_GOVERNMENT]}",
        management="https://management.usgovcloudapi.net",
        portal="https://portal.azure.us",
        graph="https://graph.microsoft.us/",
        storage="core.usgovcloudapi.net",
        vaults="vault.usgovcloudapi.net",
        databases="database.usgovcloudapi.net",
        registries="azurecr.us",
    ),
    "management.chinacloudapi.cn": Cloud(
        name="AzureChinaCloud",
        login=f"https://{LOGIN_HOSTS[CHINA]}",
        management="https://management.chinacloudapi.cn",
        portal="https://portal.azure.cn",
        graph="https://microsoftgraph.chinacloudapi.cn",
        storage="core.chinacloudapi.cn",
        vaults="vault.azure.cn",
        databases="database.chinacloudapi.cn",
        registries="azurecr.cn",
    ),
}


def cloud_of(host: str) -> Cloud:
    """Return the cloud that a host of Resource Manager belongs to; the public one otherwise."""
    return CLOUDS.get(host, PUBLIC_CLOUD)


def is_metadata(request: Request) -> bool:
    """Tell whether a request asks for the metadata document."""
    return tuple(s.lower() for s in split_path(request.target)) == PATH


def metadata(request: Request) -> Response:
    """Answer with the metadata document.

    Raises:
        ArmError: The method or the api-version is wrong.
    """
    if request.method not in {"GET", "HEAD"}:
        raise errors.method_not_allowed(request.method, "GET")
    query = parse_query(request.target)
    check_api_version(query)
    document = _document(cloud_of(request.host))
    one = query["api-version"] >= SINCE_ONE_DOCUMENT
    return Response.json(document if one else [document])


def _document(cloud: Cloud) -> dict[str, Any]:
    audiences = [f"https://management.{cloud.storage}/", cloud.management]
    return {
        "portal": cloud.portal,
        "authentication": {
            "loginEndpoint": cloud.login,
            "audiences": audiences,
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": cloud.graph,
        "graphAudience": cloud.graph,
        "microsoftGraphResourceId": cloud.graph,
        "name": cloud.name,
        "resourceManager": cloud.management,
        "suffixes": {
            "acrLoginServer": cloud.registries,
            "keyVaultDns": cloud.vaults,
            "sqlServerHostname": cloud.databases,
            "storage": cloud.storage,
        },
    }
