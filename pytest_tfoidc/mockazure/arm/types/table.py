"""The types of resources that need more than being stored and given back: one entry each.

A type that reads back what was written needs no entry at all. To add one that does not:

1. Apply a module with it. Where a client complains, or plans a change after the apply, its log
   (`TF_LOG=DEBUG`) or the SDK's documentation shows the property that it misses.
2. Write the entry in `TYPES`, under the type as Azure writes it. `adds` is a function in
   `base` that returns the properties which Azure computes; what was written wins over them.
   Values must be stable: derive them from the id with `guid` and `key`.
   A state that settles (`resourceState`) is a line in `arm/types/states.py` instead; a list that a
   client expects is a path in `Rules.lists`.
3. Where the type answers other statuses than 200, has actions (`POST …/listKeys`), shows children
   in its own properties or is there together with its parent, the other fields of `Rules` say so.
4. Add a line to `tests/mockazure/arm/test_types.py`.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_tfoidc.mockazure.arm.resource_ids import GROUP_TYPE, SUBSCRIPTION_TYPE
from pytest_tfoidc.mockazure.arm.types import (
    apps,
    compute,
    databases,
    devices,
    management,
    messaging,
    network,
    recovery,
    vaults,
)
from pytest_tfoidc.mockazure.arm.types import base as adds
from pytest_tfoidc.mockazure.arm.types.base import nothing
from pytest_tfoidc.mockazure.arm.types.changes import CHANGES, deployments
from pytest_tfoidc.mockazure.arm.types.keylists import KEY_LISTS
from pytest_tfoidc.mockazure.arm.types.rules import Rules
from pytest_tfoidc.mockazure.arm.types.statuses import STATUSES, with_statuses

_SECURITY = "providers/Microsoft.Security"
_DISABLED = adds.fixed(properties={"isEnabled": False})
NETWORK = Rules(created=201)  # every type of Microsoft.Network, where it has no entry
TYPES: dict[str, Rules] = {
    GROUP_TYPE: Rules(created=201),
    "Microsoft.Authorization/locks": Rules(created=201, listed_below=True),
    "Microsoft.Authorization/policyAssignments": Rules(
        created=201, updated=201, returned=True, listed_below=True
    ),
    "Microsoft.Authorization/roleAssignments": Rules(
        created=201, returned=True, listed_below=True, adds=adds.role_assignment
    ),
    **{
        f"Microsoft.Authorization/role{kind}ScheduleRequests": Rules(
            created=201, stateless=True, adds=adds.schedule_request
        )
        for kind in ("Assignment", "Eligibility")
    },
    "Microsoft.Authorization/roleDefinitions": Rules(created=201, returned=True),
    "Microsoft.ContainerRegistry/registries": Rules(
        adds=adds.registry,
        actions={
            "listcredentials": adds.registry_credentials,
            "regeneratecredential": adds.registry_credentials,
            "schedulerun": adds.registry_run,
        },
        implied={"runs/*": adds.registry_run_there, **apps.SCOPE_MAPS},
    ),
    "Microsoft.ContainerRegistry/registries/webhooks": Rules(
        actions={"getcallbackconfig": adds.webhook_target}
    ),
    "Microsoft.Insights/components": Rules(
        adds=adds.component,
        implied={
            "currentbillingfeatures": adds.billing,
            "proactiveDetectionConfigs/*": adds.fixed(),
        },
    ),
    "Microsoft.Insights/components/apiKeys": Rules(posted=adds.insights_key),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Rules(created=201, adds=adds.identity),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": Rules(
        created=201
    ),
    "Microsoft.Network/dnsZones": Rules(
        created=201,
        adds=adds.dns_zone,
        implied={
            "SOA/@": adds.soa(
                "SOARecord",
                host="ns1-01.azure-dns.com.",
                email="azuredns-hostmaster.microsoft.com",
                minimum={"minimumTTL": 300},
            )
        },
    ),
    "Microsoft.Network/networkSecurityGroups": Rules(
        created=201, children={"securityRules": "securityRules"}
    ),
    "Microsoft.Network/privateDnsZones": Rules(
        created=201,
        adds=adds.private_zone,
        implied={
            "SOA/@": adds.soa(
                "soaRecord",
                host="azureprivatedns.net",
                email="azureprivatedns-host.microsoft.com",
                minimum={"minimumTtl": 10},
            )
        },
    ),
    "Microsoft.Network/routeTables": Rules(created=201, children={"routes": "routes"}),
    "Microsoft.Network/virtualNetworks": Rules(
        created=201,
        children={"subnets": "subnets", "virtualNetworkPeerings": "virtualNetworkPeerings"},
    ),
    "Microsoft.Network/networkManagers": Rules(
        created=201, actions={"listdeploymentstatus": deployments}
    ),
    "Microsoft.OperationalInsights/workspaces": Rules(
        adds=adds.workspace,
        implied={"tables/*": adds.microsoft_table, **apps.RULE_TEMPLATES, **apps.ANOMALIES},
        actions=dict.fromkeys(
            ("sharedkeys", "regeneratesharedkey"),
            adds.keys("primarySharedKey", "secondarySharedKey"),
        ),
    ),
    SUBSCRIPTION_TYPE: Rules(actions={"listauthserviceproviders": apps.sign_in_services}),
    "Microsoft.Storage/storageAccounts": Rules(
        accepted=202,
        located=True,
        adds=adds.storage_account,
        actions={"listkeys": adds.storage_keys, "regeneratekey": adds.storage_keys},
        implied={
            "blobServices/default": adds.blob_service,
            "fileServices/default": adds.file_service,
            "queueServices/default": nothing,
            "tableServices/default": nothing,
            f"{_SECURITY}/advancedThreatProtectionSettings/current": _DISABLED,
            f"{_SECURITY}/defenderForStorageSettings/current": _DISABLED,
        },
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": Rules(
        implied={
            "immutabilityPolicies/default": adds.fixed(
                properties={"immutabilityPeriodSinceCreationInDays": 0, "state": "Deleted"}
            )
        }
    ),
    "Microsoft.Storage/storageAccounts/queueServices/queues": Rules(deleted=204),
    "Microsoft.Storage/storageAccounts/tableServices/tables": Rules(deleted=204),
    **apps.TYPES,
    **compute.TYPES,
    **databases.TYPES,
    **devices.TYPES,
    **messaging.TYPES,
    **network.TYPES,
    **management.TYPES,
    **recovery.TYPES,
    **vaults.TYPES,
}
RECOVERABLE = {  # what is kept of a deleted resource -> the resource's type, both in lower case
    f"{name.partition('/')[0]}/locations/{rules.recoverable}".lower(): name.lower()
    for name, rules in TYPES.items()
    if rules.recoverable
}
ALWAYS = {name.lower(): makes for name, makes in management.ALWAYS.items()}
ECHO = Rules()
_CHANGES = {name.lower(): changes for name, changes in CHANGES.items()}


def _default(kind: str) -> Rules:
    return NETWORK if kind.startswith("microsoft.network/") else ECHO


def _whole() -> dict[str, Rules]:
    """Return the rules of the table, and those of the fact sheets, by type in lower case."""
    entries = {name.lower(): rules for name, rules in TYPES.items()}
    kinds = {kind: _default(kind) for kind in (*STATUSES, *KEY_LISTS, *_CHANGES)} | entries
    return {kind: _with_facts(kind, rules) for kind, rules in kinds.items()}


def _with_facts(kind: str, rules: Rules) -> Rules:
    actions = {**KEY_LISTS.get(kind, {}), **rules.actions}
    changes = {**_CHANGES.get(kind, {}), **rules.changes}
    return with_statuses(kind, replace(rules, actions=actions, changes=changes))


_BY_KEY = _whole()


def rules_for(kind: str) -> Rules:
    """Return the rules of a type, in any case; those of plain echo where it has no entry."""
    lower = kind.lower()
    return _BY_KEY.get(lower) or _default(lower)
