"""Key vaults as Resource Manager has them: their URI, access policies, deleted vaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import New, Properties
from pytest_tfoidc.mockazure.arm.types.rules import Rules

RETAINED_DAYS = 90
POLICY_VERBS = ("add", "replace", "remove")
PERMISSIONS = ("keys", "secrets", "certificates", "storage")


def vault(new: New) -> Properties:
    """Return a key vault's URI and the settings of one that was made without any."""
    return {
        "vaultUri": f"https://{new.name}.{new.cloud.vaults}/",
        "tenantId": new.tenant_id,
        "accessPolicies": [],
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": RETAINED_DAYS,
        "enabledForDeployment": False,
        "publicNetworkAccess": "Enabled",
    }


def security_module(new: New) -> Properties:
    """Return a managed HSM's URI, and how long it is kept once it is deleted."""
    return {
        "enableSoftDelete": True,
        "hsmUri": f"https://{new.name}.managedhsm.azure.net/",
        "publicNetworkAccess": "Enabled",
        "softDeleteRetentionInDays": RETAINED_DAYS,
        "tenantId": new.tenant_id,
    }


def with_policies(
    properties: Mapping[str, Any], name: str, written: Mapping[str, Any]
) -> Properties:
    """Return a vault's properties after a PUT of access policies.

    Args:
        properties: The vault's.
        name: `add`, `replace` or `remove`.
        written: The properties that were PUT.
    """
    before, given = _policies(properties), _policies(written)
    kept = {_owner(policy): policy for policy in before}
    for policy in given:
        owner = _owner(policy)
        if name == "remove":
            kept.pop(owner, None)
        elif name == "add" and owner in kept:
            kept[owner] = _united(kept[owner], policy)
        else:
            kept[owner] = policy
    return {**properties, "accessPolicies": list(kept.values())}


def _policies(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = properties.get("accessPolicies")
    return [p for p in found if isinstance(p, dict)] if isinstance(found, list) else []


def _owner(policy: Mapping[str, Any]) -> tuple[str, str]:
    return str(policy.get("objectId", "")).lower(), str(policy.get("applicationId", "")).lower()


def _united(before: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with the permissions of both."""
    old, new = (p.get("permissions") or {} for p in (before, policy))
    both = {
        kind: list(dict.fromkeys([*(old.get(kind) or []), *(new.get(kind) or [])]))
        for kind in PERMISSIONS
        if old.get(kind) or new.get(kind)
    }
    return {**before, **policy, "permissions": both}


TYPES: dict[str, Rules] = {
    "Microsoft.KeyVault/vaults": Rules(created=201, adds=vault, recoverable="deletedVaults"),
    "Microsoft.KeyVault/managedHSMs": Rules(
        accepted=202, adds=security_module, recoverable="deletedManagedHSMs"
    ),
    "Microsoft.KeyVault/vaults/keys": Rules(handed_over=True, stateless=True),
    "Microsoft.KeyVault/vaults/secrets": Rules(created=201, handed_over=True, stateless=True),
    "Microsoft.KeyVault/vaults/accessPolicies": Rules(merges=with_policies),
}
