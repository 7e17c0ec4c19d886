"""The hosts that organizations of Azure DevOps have of their own, as all had once.

`https://contoso.visualstudio.com/shop` is `https://dev.azure.com/contoso/shop`.
Source: https://learn.microsoft.com/azure/devops/release-notes/2018/sep-10-azure-devops-launch
"""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_tfoidc.httpserver import Request

DEVOPS_HOST = "dev.azure.com"
OLD_HOST = re.compile(r"([a-z0-9][a-z0-9-]*)(?:\.vssps)?\.visualstudio\.com", re.IGNORECASE)
MICROSOFTS = frozenset({"aex", "app", "code", "docs", "download", "go", "marketplace", "my", "www"})
COLLECTION = re.compile(r"^/DefaultCollection(?=/|\?|$)", re.IGNORECASE)  # the one that there is


def organization_of(host: str) -> str:
    """Return the organization that a host belongs to; empty where it is no such host."""
    found = OLD_HOST.fullmatch(host)
    return found[1] if found and found[1].lower() not in MICROSOFTS else ""


def as_devops(request: Request) -> Request:
    """Return a request as it would be to dev.azure.com; itself where its host is no such host."""
    organization = organization_of(request.host)
    if not organization:
        return request
    target = COLLECTION.sub("", request.target) or "/"
    return replace(request, host=DEVOPS_HOST, target=f"/{organization}{target}")
