"""Policies that Azure has built in, and sets of them: by name, and by id.

Their names and ids are Azure's own (https://github.com/Azure/azure-policy), those of the categories
that modules assign most. Of the rest only the ids are known to whoever asks: every GUID at the
tenant's scope is a policy, as is every name of a role a role. What a policy says is
left out: all have one rule.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure.arm.types.base import is_guid

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.resource_ids import Place
    from pytest_tfoidc.mockazure.arm.store import Document

NAMESPACE = "Microsoft.Authorization"
KINDS = {
    f"{NAMESPACE}/{name}".lower(): name for name in ("policyDefinitions", "policySetDefinitions")
}

RULE = {"if": {"field": "type", "exists": "true"}, "then": {"effect": "Audit"}}  # of each of them


@cache
def _names() -> dict[str, dict[str, str]]:
    """Return the names by id, by type."""
    text = resources.files(__package__).joinpath("policies.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, str]] = json.loads(text)
    return {kind: {i: name for name, i in ids.items()} for kind, ids in known.items()}


def find(place: Place) -> Document | None:
    """Return the built-in policy of an id at the tenant's scope; None where it can be none."""
    kind = KINDS.get(place.type_key)
    if kind is None or not place.parent.is_tenant or not is_guid(place.name):
        return None
    name = place.name.lower()
    return _document(kind, name, _names()[kind].get(name, f"Built-in policy {name}"))


def listed(place: Place) -> list[Document]:
    """Return the built-in policies that a list has at every scope that policies are made at."""
    kind = KINDS.get(place.type_key, "")
    return [_document(kind, i, name) for i, name in _names().get(kind, {}).items()]


def _document(kind: str, name: str, shown: str) -> Document:
    says = {"mode": "Indexed", "policyRule": RULE} if kind == "policyDefinitions" else {}
    return {
        "id": f"/providers/{NAMESPACE}/{kind}/{name}",
        "name": name,
        "type": f"{NAMESPACE}/{kind}",
        "properties": {
            "description": shown,
            "displayName": shown,
            "metadata": {"version": "1.0.0"},
            "parameters": {},
            "policyType": "BuiltIn",
            **({"policyDefinitions": []} if kind == "policySetDefinitions" else says),
        },
    }
