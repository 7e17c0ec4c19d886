"""The services that keep what is written at a path: their hosts, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plane:
    """The facts that the services of a kind have in common.

    `audience`: of the access tokens that open it. `owner`: the type, in lower case, of the resource
    that has to be there under the host's first label; empty where hosts are called otherwise.
    `name`: the property that says what an entry is called. `root`: the beginning of paths that
    lead to lists. `silent`: writing an entry answers nothing. `created`: the status of
    what makes an entry. `deleted`: that of a DELETE. `posts`: a POST to an entry changes it.
    """

    audience: str
    owner: str = ""
    name: str = "name"
    root: str = ""
    silent: bool = False
    created: int = 200
    deleted: int = 204
    posts: bool = False


PLANES: Mapping[str, Plane] = {
    "search.windows.net": Plane(
        audience="https://search.azure.com",
        owner="microsoft.search/searchservices",
        created=201,
    ),
    "dev.azuresynapse.net": Plane(
        audience="https://dev.azuresynapse.net", owner="microsoft.synapse/workspaces"
    ),
    "purview.azure.com": Plane(
        audience="https://purview.azure.net",
        owner="microsoft.purview/accounts",
        root=r"(scan|account|catalog|policystore|workflow)(?=/)",
    ),
    "digitaltwins.azure.net": Plane(
        audience="https://digitaltwins.azure.net",
        owner="microsoft.digitaltwins/digitaltwinsinstances",
        name="id",
        root=r"jobs(?=/)",
    ),
    "azureiotcentral.com": Plane(
        audience="https://apps.azureiotcentral.com",
        name="id",
        root=r"(api|dataexport)(?=/)",
    ),
    "api.adu.microsoft.com": Plane(
        audience="https://api.adu.microsoft.com",
        owner="microsoft.deviceupdate/accounts",
        root=r"deviceupdate/[^/]+/(v2/)?(management|updates)",
    ),
    "services.ai.azure.com": Plane(
        audience="https://ai.azure.com",
        owner="microsoft.cognitiveservices/accounts",
        root=r"api/projects/[^/]+(?=/)",
        deleted=200,
        posts=True,
    ),
    "batch.azure.com": Plane(
        audience="https://batch.core.windows.net",
        owner="microsoft.batch/batchaccounts",
        name="id",
        silent=True,
        created=201,
        deleted=202,
    ),
}
HOSTS = tuple(f"*.{domain}" for domain in PLANES)
