"""Who may do what in a vault: by its access policies, or by role assignments.

Source: https://learn.microsoft.com/azure/key-vault/general/rbac-guide and .../assign-access-policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.entrafacts import TOKEN_ISSUER
from pytest_tfoidc.mockazure.keyvault.errors import VaultError

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.tokens import AccessToken

# (caller's object id, resource id, data action) -> whether a role assignment allows it
Permits = Callable[[str, str, str], bool]
GroupsOf = Callable[[str], tuple[str, ...]]

ROOT = "Microsoft.KeyVault/vaults"
BEFOREHAND = "beforehand"  # who puts there what exists beforehand; no client has such an object id
# (kind, permission of an access policy) -> data action of a role, where that has another name
DATA_ACTIONS = {
    ("secrets", "get"): "secrets/getSecret/action",
    ("secrets", "set"): "secrets/setSecret/action",
    ("secrets", "update"): "secrets/update/action",
    ("secrets", "list"): "secrets/readMetadata/action",
    ("keys", "get"): "keys/read",
    ("keys", "list"): "keys/read",
    ("keys", "wrapkey"): "keys/wrap/action",
    ("keys", "unwrapkey"): "keys/unwrap/action",
    ("keys", "getrotationpolicy"): "keyrotationpolicies/read",
    ("keys", "setrotationpolicy"): "keyrotationpolicies/write",
    ("certificates", "get"): "certificates/read",
    ("certificates", "list"): "certificates/read",
    ("certificates", "managecontacts"): "certificatecontacts/write",
    ("certificates", "manageissuers"): "certificatecas/write",
    ("certificates", "setissuers"): "certificatecas/write",
    ("certificates", "getissuers"): "certificatecas/read",
    ("certificates", "listissuers"): "certificatecas/read",
    ("certificates", "deleteissuers"): "certificatecas/delete",
}


@dataclass(frozen=True, kw_only=True)
class Vault:
    """A vault as Resource Manager has it."""

    id: str
    name: str
    location: str
    properties: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Vault:
        """Read it from its document."""
        found = document.get("properties")
        return cls(
            id=str(document["id"]),
            name=str(document["name"]),
            location=str(document.get("location", "")),
            properties=found if isinstance(found, dict) else {},
        )

    @property
    def uses_roles(self) -> bool:
        """Whether role assignments decide, and not access policies."""
        return self.properties.get("enableRbacAuthorization") is True

    @property
    def is_protected(self) -> bool:
        """Whether nothing in it can be purged before its time."""
        return self.properties.get("enablePurgeProtection") is True

    @property
    def retained_days(self) -> int:
        """How long it keeps what was deleted."""
        days = self.properties.get("softDeleteRetentionInDays")
        return days if isinstance(days, int) and 7 <= days <= 90 else 90  # noqa: PLR2004 - Azure's bounds

    @property
    def recovery_level(self) -> str:
        """Azure's word for that."""
        customized = "Customized" if self.retained_days < 90 else ""  # noqa: PLR2004 - the default
        return f"{customized}Recoverable{'' if self.is_protected else '+Purgeable'}"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who asks a vault for something, and how to find out whether they may."""

    vault: Vault
    caller: AccessToken
    permits: Permits
    groups_of: GroupsOf

    def check(self, kind: str, permission: str, name: str) -> None:
        """Check a permission on a kind of objects, or on the one that is named.

        Raises:
            VaultError: Access is denied.
        """
        if self.caller.object_id == BEFOREHAND:
            return
        if self.vault.uses_roles:
            self._check_roles(kind, permission, name)
            return
        principals = {self.caller.object_id, *self.groups_of(self.caller.object_id)}
        if not _policies_allow(self.vault, principals, kind, permission):
            raise self._denied_by_policy(kind, permission)

    def _check_roles(self, kind: str, permission: str, name: str) -> None:
        vault, action = self.vault, data_action(kind, permission)
        resource = f"{vault.id}/{kind}/{name}" if name else vault.id
        if self.permits(self.caller.object_id, resource, action):
            return
        message = (
            "Caller is not authorized to perform action on resource.\r\n"
            "If role assignments, deny assignments or role definitions were changed recently, "
            f"please observe propagation time.\r\nCaller: {self._caller}\r\nAction: '{action}'\r\n"
            f"Resource: '{resource.lower()}'\r\nAssignment: (not found)\r\n"
            "DenyAssignmentId: null\r\nDecisionReason: null \r\n"
            f"Vault: {vault.name};location={vault.location}\r\n"
        )
        raise VaultError(403, "Forbidden", message, inner="ForbiddenByRbac")

    def _denied_by_policy(self, kind: str, permission: str) -> VaultError:
        message = (
            f"The user, group or application '{self._caller}' does not have {kind} {permission} "
            f"permission on key vault '{self.vault.name};location={self.vault.location}'. For help "
            "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
        )
        return VaultError(403, "Forbidden", message, inner="AccessDenied")

    @property
    def _caller(self) -> str:
        caller = self.caller
        issuer = f"https://{TOKEN_ISSUER}/{caller.tenant_id}/"
        return f"appid={caller.client_id};oid={caller.object_id};iss={issuer}"


def data_action(kind: str, permission: str) -> str:
    """Return the data action that a role needs for a permission of an access policy."""
    default = f"{kind}/{permission}" + ("" if permission == "delete" else "/action")
    return f"{ROOT}/{DATA_ACTIONS.get((kind, permission), default)}"


def _policies_allow(vault: Vault, principals: set[str], kind: str, permission: str) -> bool:
    wanted = {"set" if (kind, permission) == ("secrets", "update") else permission, "all"}
    known = {principal.lower() for principal in principals}
    policies = vault.properties.get("accessPolicies")
    for policy in policies if isinstance(policies, list) else ():
        if not isinstance(policy, dict) or str(policy.get("objectId", "")).lower() not in known:
            continue
        permissions = policy.get("permissions")
        granted = permissions.get(kind) if isinstance(permissions, dict) else None
        if isinstance(granted, list) and wanted & {str(g).lower() for g in granted}:
            return True
    return False
