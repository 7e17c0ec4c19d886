"""Privileged access: schedules that requests make and end, and the policies of groups' roles."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.graph.call import GraphError, not_found
from pytest_tfoidc.mockazure.graph.objects import Directory, Document, merged, new_id

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.graph.call import GraphCall

_GROUP = "identitygovernance/privilegedaccess/group"
_ROLE = "rolemanagement/directory"
# What each collection of requests makes: the collection of its schedules.
REQUESTS = {
    f"{_GROUP}/assignmentschedulerequests": f"{_GROUP}/assignmentschedules",
    f"{_GROUP}/eligibilityschedulerequests": f"{_GROUP}/eligibilityschedules",
    f"{_ROLE}/roleassignmentschedulerequests": f"{_ROLE}/roleassignmentschedules",
    f"{_ROLE}/roleeligibilityschedulerequests": f"{_ROLE}/roleeligibilityschedules",
}
SAME = ("principalId", "groupId", "accessId", "roleDefinitionId", "directoryScopeId")
_TYPE = "#microsoft.graph.unifiedRoleManagementPolicy"
GROUP_ROLES = ("member", "owner")
# A policy's rules by their ids, and what Graph has in each by itself.
_EXPIRATION = {"isExpirationRequired": True, "maximumDuration": "P365D"}
_APPROVAL = {
    "isApprovalRequired": False,
    "isApprovalRequiredForExtension": False,
    "isRequestorJustificationRequired": True,
    "approvalMode": "SingleStage",
    "approvalStages": [
        {
            "approvalStageTimeOutInDays": 1,
            "isApproverJustificationRequired": True,
            "escalationTimeInMinutes": 0,
            "primaryApprovers": [],
            "isEscalationEnabled": False,
            "escalationApprovers": [],
        }
    ],
}
RULES: dict[str, tuple[str, Document]] = {
    "Expiration_Admin_Eligibility": ("Expiration", _EXPIRATION),
    "Enablement_Admin_Eligibility": ("Enablement", {"enabledRules": []}),
    "Expiration_Admin_Assignment": ("Expiration", {**_EXPIRATION, "maximumDuration": "P180D"}),
    "Enablement_Admin_Assignment": ("Enablement", {"enabledRules": ["Justification"]}),
    "Expiration_EndUser_Assignment": ("Expiration", {**_EXPIRATION, "maximumDuration": "PT8H"}),
    "Enablement_EndUser_Assignment": (
        "Enablement",
        {"enabledRules": ["MultiFactorAuthentication", "Justification"]},
    ),
    "Approval_EndUser_Assignment": ("Approval", {"setting": _APPROVAL}),
    "AuthenticationContext_EndUser_Assignment": (
        "AuthenticationContext",
        {"isEnabled": False, "claimValue": ""},
    ),
}
_NOTIFIED = ("Admin", "Requestor", "Approver")
_OCCASIONS = ("Admin_Eligibility", "Admin_Assignment", "EndUser_Assignment")


def carry_out(directory: Directory, call: GraphCall, document: Document) -> Document:
    """Carry out a request: make the schedule that it asks for, change it, or end it.

    Raises:
        GraphError: Whom it is for does not exist, or what it ends.
    """
    for name in ("principalId", "groupId"):
        if document.get(name) and directory.get(str(document[name])) is None:
            code = "SubjectNotFound" if name == "principalId" else "ResourceNotFound"
            raise GraphError(404, code, f"The {name} '{document[name]}' was not found.")
    path = _path(call)
    known = directory.nested("", REQUESTS[path])
    same = next((k for k, d in known.items() if _is_same(d, document)), None)
    action = str(document.get("action")).lower()
    if action.endswith("remove"):
        if same is None:
            raise not_found(str(document.get("principalId")))
        del known[same]
        return {**document, "status": "Revoked", "targetScheduleId": same}
    if same is not None and action.endswith("assign"):
        message = "The Role assignment already exists."
        raise GraphError(400, "RoleAssignmentExists", message)
    key = same or _schedule_id(document)
    info = _begun(document.get("scheduleInfo"), call.written_now)
    shown = {n: document[n] for n in SAME if n in document}
    known[key] = {
        **shown,
        "id": key,
        "createdDateTime": call.written_now,
        "scheduleInfo": info,
        "status": "Provisioned",
        "memberType": "direct",
        "createdUsing": document["id"],
    }
    return {
        **document,
        "id": key if path.startswith(_ROLE) else document["id"],
        "scheduleInfo": info,
        "status": "Provisioned",
        "targetScheduleId": key,
    }


def _path(call: GraphCall) -> str:
    return "/".join(s.lower() for s in call.segments)


def _is_same(known: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    return all(str(known.get(n)).lower() == str(document.get(n)).lower() for n in SAME)


def _schedule_id(document: Document) -> str:
    if document.get("groupId"):
        return f"{document['groupId']}_{document.get('accessId')}_{new_id()}"
    return new_id()


def _begun(info: object, now: str) -> Document:
    given = dict(info) if isinstance(info, dict) else {}
    return {**given, "startDateTime": given.get("startDateTime") or now}


def fill_policies(directory: Directory, path: str, known: dict[str, Document]) -> None:
    """Put the policies of every group's roles where they are not yet, or their assignments."""
    for group in directory.all("groups"):
        for role in GROUP_ROLES:
            made = uuid.uuid5(uuid.NAMESPACE_URL, f"tfoidc:policy:{group.id}:{role}")
            key = f"Group_{group.id}_{made}"
            scope = {"scopeId": group.id, "scopeType": "Group"}
            if path == "policies/rolemanagementpolicies":
                known.setdefault(key, _policy(key, scope))
            else:
                one = {**scope, "policyId": key, "roleDefinitionId": role}
                known.setdefault(f"{key}_{role}", {**one, "id": f"{key}_{role}"})


def _policy(key: str, scope: Document) -> Document:
    notifying = {
        f"Notification_{who}_{occasion}": (
            "Notification",
            {
                "notificationType": "Email",
                "recipientType": who,
                "notificationLevel": "All",
                "isDefaultRecipientsEnabled": True,
                "notificationRecipients": [],
            },
        )
        for who in _NOTIFIED
        for occasion in _OCCASIONS
    }
    return {
        **scope,
        "id": key,
        "displayName": "Group",
        "description": "Group",
        "isOrganizationDefault": False,
        "rules": [
            {"@odata.type": f"{_TYPE}{kind}Rule", "id": rule, **copy.deepcopy(content)}
            for rule, (kind, content) in {**RULES, **notifying}.items()
        ],
    }


def patched(document: Document, patch: Document) -> Document:
    """Merge a PATCH of a policy: its rules one by one, by their ids."""
    rules = {str(rule["id"]): rule for rule in document.get("rules", [])}
    given = patch.get("rules")
    for rule in given if isinstance(given, list) else []:
        key = str(rule.get("id")) if isinstance(rule, dict) else ""
        if key in rules:
            rules[key] = merged(rules[key], rule)
    return {**merged(document, patch), "rules": list(rules.values())}
