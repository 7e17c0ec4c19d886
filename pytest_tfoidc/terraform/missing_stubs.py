"""Stubs of what was read and is not there: entries for a file of resources, to be filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pytest_tfoidc.events import RequestAnswered

Stub = dict[str, Any]

RESOURCE_MANAGER = "management."
DEVOPS_HOSTS = ("dev.azure.com", ".visualstudio.com")
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
FILTER = re.compile(r"\b(\w+) eq '((?:[^'\n]|''){1,200})'")  # of OData
QUOTED = re.compile(r"([\"'`])((?:(?!\1)[^\n]){1,200})\1")
NAMED = re.compile(r"\bname: ([^\s\"'`,;()]{1,200})")
ACCOUNT = re.compile(r"locating Storage Account \"([^\"]+)\"")
SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+", re.IGNORECASE)
GRAPH: dict[
    str, tuple[str, dict[str, Any]]
] = {  # what tells an object's type in a file of resources, by the data source's type
    "azuread_user": ("userPrincipalName", {"displayName": ""}),
    "azuread_group": ("displayName", {"mailNickname": "", "securityEnabled": True}),
    "azuread_service_principal": (
        "displayName",
        {"appId": "", "servicePrincipalType": "Application"},
    ),
    "azuread_application": ("displayName", {"appId": ""}),
    "azuread_administrative_unit": (
        "displayName",
        {"@odata.type": "#microsoft.graph.administrativeUnit"},
    ),
}
# Where a data source looks through a list, the list's path ends in this; its entry has this, too.
DEVOPS: dict[str, tuple[str, dict[str, Any]]] = {
    "azuredevops_agent_pool": ("/_apis/distributedtask/pools", {}),
    "azuredevops_agent_queue": ("/_apis/distributedtask/queues", {}),
    "azuredevops_environment": ("/environments", {}),
    "azuredevops_git_repository": ("/_apis/git/repositories", {}),
    "azuredevops_team": ("/teams", {}),
    "azuredevops_variable_group": (
        "/_apis/distributedtask/variablegroups",
        {"type": "Vsts", "variables": {}},
    ),
}
# What a data source may find in any resource group of the subscription.
LISTED = {
    "azurerm_dns_zone": "Microsoft.Network/dnsZones",
    "azurerm_private_dns_zone": "Microsoft.Network/privateDnsZones",
}
STORAGE_ACCOUNT = "Microsoft.Storage/storageAccounts"
ANY_GROUP = "existing"  # to be corrected, where it counts


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The object that a data source has looked for."""

    name: str
    stub: Stub = field(default_factory=dict)


def wanted(kind: str, text: str, answers: Sequence[RequestAnswered]) -> Wanted:
    """Return what a data source wanted that got no 404: it has looked through a list.

    Args:
        kind: The data source's type.
        text: What the provider says.
        answers: The requests for it, and others.
    """
    name, by = _told(text)
    if not name:
        return Wanted(name="something")
    account = ACCOUNT.search(text)
    arm_type = STORAGE_ACCOUNT if account else LISTED.get(kind, "")
    if arm_type:
        stub = _in_any_group(arm_type, name, answers)
    elif kind in DEVOPS:
        stub = _of_a_list(kind, name, answers)
    else:
        stub = _of_graph(kind, name, by)
    return Wanted(name=name, stub=stub)


def _told(text: str) -> tuple[str, str]:
    """Return the name that a provider tells, and the property that it stands for."""
    if (filtered := FILTER.search(text)) is not None:
        return filtered[2].replace("''", "'"), filtered[1]
    if quoted := QUOTED.findall(text):
        return quoted[-1][1], ""
    named = NAMED.search(text)
    return (named[1], "") if named else ("", "")


def names_in(answer: RequestAnswered, text: str) -> int:
    """Return how much of a request's path a text names; nothing where not its last name."""
    lower = text.lower()
    parts = [part for part in unquote(answer.path).lower().split("/") if part]
    told = [_is_named(part, lower) for part in parts]
    return sum(told) + (answer.host.lower() in lower) if told and told[-1] else 0


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None


def last_name(path: str) -> str:
    """Return the last name of a path."""
    return unquote(path).rstrip("/").rpartition("/")[2]


def stub_of(kind: str, host: str, asked: str) -> Stub:
    """Return what a file of resources would say of what was asked for and is not there.

    Args:
        kind: The data source's type.
        host: The host that answered 404.
        asked: The path that it was asked for.
    """
    path = unquote(asked)
    parts = [part for part in path.split("/") if part]
    if host.startswith(RESOURCE_MANAGER):
        return _resource(path, parts)
    if ".vault." in host:
        value = {"value": ""} if parts[0] == "secrets" else {}
        return {"id": f"https://{host}/" + "/".join(parts[:2]), **value}
    if ".blob." in host and len(parts) > 1:
        return {"url": f"https://{host}{path}", "content": ""}
    if host.endswith(DEVOPS_HOSTS) and kind in DEVOPS:
        return {"url": f"https://{host}/" + "/".join(parts[:-1]), "name": parts[-1]}
    return _of_graph(kind, parts[-1], "")


def _resource(path: str, parts: Sequence[str]) -> Stub:
    shown = {"name": parts[-1], "location": "westeurope"}
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        return {"id": path, **shown, "properties": {}}
    start = len(lower) - lower[::-1].index("providers")
    words = [parts[start], *parts[start + 1 :: 2]]
    return {"id": path, "type": "/".join(words), **shown, "properties": {}}


def _in_any_group(arm_type: str, name: str, answers: Sequence[RequestAnswered]) -> Stub:
    asked = (a.path for a in reversed(answers) if a.host.startswith(RESOURCE_MANAGER))
    subscription = next(filter(None, map(SUBSCRIPTION.match, asked)), None)
    if subscription is None:
        return {}
    group = f"{subscription[0]}/resourceGroups/{ANY_GROUP}"
    stub = {"id": f"{group}/providers/{arm_type}/{name}", "type": arm_type, "name": name}
    is_global = arm_type != STORAGE_ACCOUNT
    return {**stub, "location": "global" if is_global else "westeurope", "properties": {}}


def _of_a_list(kind: str, name: str, answers: Sequence[RequestAnswered]) -> Stub:
    ending, rest = DEVOPS[kind]
    for one in reversed(answers):
        if one.host.endswith(DEVOPS_HOSTS) and one.path.lower().endswith(ending):
            return {"url": f"https://{one.host}{one.path}", "name": name, **rest}
    return {}


def _of_graph(kind: str, name: str, by: str) -> Stub:
    known = GRAPH.get(kind) or GRAPH.get(kind.removesuffix("s"))
    if known is None:
        return {}
    named_by, rest = known
    by = by or ("id" if GUID.fullmatch(name) else named_by)
    return {named_by: "", **rest, by: name}
