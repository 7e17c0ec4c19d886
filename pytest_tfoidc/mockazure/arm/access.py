"""Who may do what with data, by role assignments: what data planes ask Resource Manager.

Only data actions are checked. Whoever has a token may manage resources: what the identity of a
pipeline was given beforehand is not known here.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.arm.resource_ids import parse_segments
from pytest_tfoidc.mockazure.arm.roles import ROLE_TYPE, ROLES

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.store import Resource, Store

ASSIGNMENTS = "microsoft.authorization/roleassignments"
VAULTS = "Microsoft.KeyVault/vaults"
METADATA = f"{VAULTS}/secrets/readMetadata/action"
CRYPTO = tuple(
    f"{VAULTS}/keys/{name}"
    for name in (
        *("read", "update/action", "backup/action", "encrypt/action", "decrypt/action"),
        *("wrap/action", "unwrap/action", "sign/action", "verify/action"),
    )
)
ENCRYPTION = tuple(f"{VAULTS}/keys/{name}" for name in ("read", "wrap/action", "unwrap/action"))
CONFIGURATION = "Microsoft.AppConfiguration/configurationStores"
# Data actions of the built-in roles that have some; `*` stands for anything.
DATA_ACTIONS: dict[str, tuple[str, ...]] = {
    "Key Vault Administrator": (f"{VAULTS}/*",),
    "Key Vault Reader": (f"{VAULTS}/*/read", METADATA),
    "Key Vault Secrets Officer": (f"{VAULTS}/secrets/*",),
    "Key Vault Secrets User": (f"{VAULTS}/secrets/getSecret/action", METADATA),
    "Key Vault Certificates Officer": (
        f"{VAULTS}/certificatecas/*",
        f"{VAULTS}/certificates/*",
        f"{VAULTS}/certificatecontacts/write",
    ),
    "Key Vault Certificate User": (
        f"{VAULTS}/certificates/read",
        f"{VAULTS}/secrets/getSecret/action",
        METADATA,
        f"{VAULTS}/keys/read",
    ),
    "Key Vault Crypto Officer": (f"{VAULTS}/keys/*", f"{VAULTS}/keyrotationpolicies/*"),
    "Key Vault Crypto User": CRYPTO,
    "Key Vault Crypto Service Encryption User": ENCRYPTION,
    "App Configuration Data Owner": (
        f"{CONFIGURATION}/*/read",
        f"{CONFIGURATION}/*/write",
        f"{CONFIGURATION}/*/delete",
        f"{CONFIGURATION}/*/action",
    ),
    "App Configuration Data Reader": (f"{CONFIGURATION}/*/read",),
}
_BUILT_IN = {ROLES[name]: actions for name, actions in DATA_ACTIONS.items()}


def permits(store: Store, *, principals: Iterable[str], resource_id: str, action: str) -> bool:
    """Tell whether role assignments let one of the principals do something with a resource.

    Args:
        store: Has the assignments and the definitions of custom roles.
        principals: Object ids of the caller, and of the groups that it is in.
        resource_id: What it is about.
        action: A data action.
    """
    known = {principal.lower() for principal in principals}
    place = f"{resource_id.lower()}/"
    return any(
        _allows(store, assignment, action)
        for assignment in store.of_type(ASSIGNMENTS)
        if str(assignment.properties.get("principalId", "")).lower() in known
        and place.startswith(_scope(assignment))
    )


def _scope(assignment: Resource) -> str:
    """Return what an assignment holds for, with a slash at its end."""
    return "/" if _is_management_group(assignment) else f"{assignment.parent}/"


def _is_management_group(assignment: Resource) -> bool:
    """Tell whether an assignment stands above subscriptions; all of them are below it here."""
    return "/managementgroups/" in assignment.parent


def _allows(store: Store, assignment: Resource, action: str) -> bool:
    role_id = str(assignment.properties.get("roleDefinitionId", ""))
    role = parse_segments(tuple(s for s in role_id.split("/") if s)[-8:])
    name = role.name.lower()
    if name in _BUILT_IN:
        return _matches(_BUILT_IN[name], action)
    for definition in store.of_type(ROLE_TYPE):
        if definition.name.lower() == name:
            return any(_permission_allows(p, action) for p in _permissions(definition.properties))
    return False


def _permissions(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = properties.get("permissions")
    return [p for p in found if isinstance(p, dict)] if isinstance(found, list) else []


def _permission_allows(permission: Mapping[str, Any], action: str) -> bool:
    allowed, denied = (permission.get(n) or [] for n in ("dataActions", "notDataActions"))
    return _matches(allowed, action) and not _matches(denied, action)


def _matches(patterns: object, action: str) -> bool:
    if not isinstance(patterns, (list, tuple)):
        return False
    return any(
        fnmatch.fnmatchcase(action.lower(), str(p).lower().replace("[", "[[]")) for p in patterns
    )
