"""The codes of Resource Manager, storage and Graph that a run may be refused with.

Sources: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors,
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes,
https://learn.microsoft.com/graph/resolve-auth-errors
"""

from __future__ import annotations

import re

_WAIT = "a role that was given just now takes minutes to be seen."
SERVICES: tuple[tuple[str, str, str], ...] = (
    (
        r"\bAuthorizationFailed\b",
        "the identity may not {action}.",
        f"give it a role that allows that, there or above (`az role assignment create`); {_WAIT}",
    ),
    (
        r"\bAuthorizationPermissionMismatch\b",
        "the identity has no role for the data of the storage account.",
        (
            "give it Storage Blob Data Contributor there, which Contributor does not include;"
            f" {_WAIT}"
        ),
    ),
    (
        r"\bAuthorizationFailure\b",
        "the storage account does not let this machine in.",
        "look at the account's firewall and private endpoints, and at the SAS where it is one.",
    ),
    (
        r"\bKeyBasedAuthenticationNotPermitted\b",
        "the storage account takes no keys, and a key is what it was asked with.",
        (
            "set `use_azuread_auth = true` in the backend, or `storage_use_azuread = true` in the"
            " `provider` block of azurerm."
        ),
    ),
    (
        r"\bContainerNotFound\b",
        "the storage account has no such container.",
        "create it, or correct `container_name`.",
    ),
    (
        r"\bAuthorization_RequestDenied\b",
        "the identity may not do that in Microsoft Graph.",
        (
            "grant it the application permission that the resource's page names, with the consent"
            " of an administrator."
        ),
    ),
    (
        r"\bMissingSubscriptionRegistration\b",
        "the subscription is not registered for a resource provider{namespace}.",
        "register it: `az provider register --namespace …`.",
    ),
    (
        r"\bRequestDisallowedByPolicy\b",
        "a policy forbids the resource as it is.",
        "change what the policy is about, or have the test's scope exempted from it.",
    ),
    (
        r"\bScopeLocked\b",
        "a lock forbids to change or to delete it.",
        "take the lock off what the test deploys; a lock of the module's own goes first.",
    ),
    (
        r"\b(?:TooManyRequests|\w*RequestsThrottled)\b|unexpected status 429\b",
        "Azure takes no more requests for now: there were too many at once.",
        "try again later, with fewer modules at once (--tf-parallel-modules, -n).",
    ),
    (
        r"\b(?:QuotaExceeded|SkuNotAvailable|ZonalAllocationFailed|AllocationFailed)\b",
        "Azure has none of this to give: the quota is used up, or the region is out of it.",
        "take another region or size by a variable (--tf-var), or raise the quota.",
    ),
    (
        r"\b(?:StorageAccountAlreadyTaken|VaultAlreadyExists|WebsiteAlreadyExists)\b",
        "the name is taken: names of this kind are unique in all of Azure.",
        "give the test's resources names of their own by a variable: --tf-var suffix=-test.",
    ),
)
ACTION = re.compile(r"perform action '([^']+)'(?: over scope '([^']+)')?")
NAMESPACE = re.compile(r"namespace '([\w.]+)'")


CODED = frozenset(pattern for pattern, _, _ in SERVICES)


def is_in_azures_words(pattern: str, cause: str) -> bool:
    """Tell whether Azure's sentence says more than the cause: it names what it is about."""
    return pattern in CODED and "{action}" not in cause


def filled(cause: str, text: str) -> str:
    """Return a cause with what the text says of it.

    Args:
        cause: As the table has it.
        text: What was printed, unwrapped.
    """
    action, namespace = ACTION.search(text), NAMESPACE.search(text)
    doing = "do this"
    if action is not None:
        doing = f"perform {action[1]}" + (f" on {action[2]}" if action[2] else "")
    told = f" ({namespace[1]})" if namespace else ""
    return cause.replace("{action}", doing).replace("{namespace}", told)
