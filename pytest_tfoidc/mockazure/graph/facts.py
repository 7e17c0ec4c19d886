"""Facts of Microsoft Graph's collections beyond users, groups and applications.

A line for each collection: its path, in which `*` is the id of what it lies in, and what Graph says
of a new entry by itself. What Graph has of its own accord, in every tenant, comes after that.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

_ENTITLEMENTS = "identitygovernance/entitlementmanagement"
_PRIVILEGED = "identitygovernance/privilegedaccess/group"
_CATALOG: Document = {
    "catalogType": "userManaged",
    "catalogStatus": "published",
    "state": "published",
}
_SYNCHRONIZATION: Document = {
    "schedule": {"expiration": None, "interval": "PT40M", "state": "Disabled"},
    "status": {"code": "NotRun", "countSuccessiveCompleteFailures": 0, "quarantine": None},
}

COLLECTIONS: dict[str, Document] = {
    "applications/*/extensionproperties": {"dataType": "String", "isSyncedFromOnPremises": False},
    "applications/*/synchronization/jobs": _SYNCHRONIZATION,
    "directoryroletemplates": {},
    "applicationtemplates": {},
    "identity/conditionalaccess/authenticationcontextclassreferences": {"isAvailable": False},
    "identity/conditionalaccess/namedlocations": {},
    "identity/conditionalaccess/policies": {"templateId": None},
    "identity/userflowattributes": {"userFlowAttributeType": "custom"},
    f"{_ENTITLEMENTS}/accesspackages": {"isHidden": False, "isRoleScopesVisible": True},
    f"{_ENTITLEMENTS}/accesspackages/*/accesspackageresourcerolescopes": {},
    f"{_ENTITLEMENTS}/accesspackageassignmentpolicies": {},
    f"{_ENTITLEMENTS}/accesspackagecatalogs": _CATALOG,
    f"{_ENTITLEMENTS}/accesspackagecatalogs/*/accesspackageresources": {},
    f"{_ENTITLEMENTS}/accesspackageresourcerequests": {"requestState": "Delivered"},
    f"{_ENTITLEMENTS}/assignmentpolicies": {},
    f"{_ENTITLEMENTS}/catalogs": _CATALOG,
    f"{_ENTITLEMENTS}/connectedorganizations": {"state": "configured"},
    f"{_PRIVILEGED}/assignmentschedules": {},
    f"{_PRIVILEGED}/assignmentscheduleinstances": {},
    f"{_PRIVILEGED}/assignmentschedulerequests": {},
    f"{_PRIVILEGED}/eligibilityschedules": {},
    f"{_PRIVILEGED}/eligibilityscheduleinstances": {},
    f"{_PRIVILEGED}/eligibilityschedulerequests": {},
    "invitations": {"status": "PendingAcceptance", "invitedUserType": "Guest"},
    "oauth2permissiongrants": {"principalId": None},
    "policies/authenticationstrengthpolicies": {
        "policyType": "custom",
        "requirementsSatisfied": "mfa",
        "combinationConfigurations": [],
    },
    "policies/claimsmappingpolicies": {"isOrganizationDefault": False, "deletedDateTime": None},
    "policies/homerealmdiscoverypolicies": {"isOrganizationDefault": False},
    "policies/tokenissuancepolicies": {"isOrganizationDefault": False},
    "policies/tokenlifetimepolicies": {"isOrganizationDefault": False},
    "policies/rolemanagementpolicies": {},
    "policies/rolemanagementpolicyassignments": {},
    "rolemanagement/directory/roleassignments": {"directoryScopeId": "/", "appScopeId": None},
    "rolemanagement/directory/roleassignmentschedules": {},
    "rolemanagement/directory/roleassignmentschedulerequests": {},
    "rolemanagement/directory/roledefinitions": {"isBuiltIn": False, "isEnabled": True},
    "rolemanagement/directory/roleeligibilityschedules": {},
    "rolemanagement/directory/roleeligibilityschedulerequests": {},
    "rolemanagement/entitlementmanagement/roleassignments": {"directoryScopeId": None},
    "rolemanagement/entitlementmanagement/roledefinitions": {"isBuiltIn": True, "isEnabled": True},
    "administrativeunits/*/scopedrolemembers": {},
    "groups/*/approleassignments": {},
    "serviceprincipals/*/delegatedpermissionclassifications": {},
    "serviceprincipals/*/synchronization/jobs": _SYNCHRONIZATION,
}
# Other entries that a client may write whole, and by what the entry that is read names them.
HELD = {
    "accessPackage": "accessPackageId",
    "accessPackageCatalog": "catalogId",
    "catalog": "catalogId",
}
# Properties that are lists of references to entries of a collection.
LINKED = {
    "claimsmappingpolicies": "policies/claimsmappingpolicies",
    "homerealmdiscoverypolicies": "policies/homerealmdiscoverypolicies",
    "tokenissuancepolicies": "policies/tokenissuancepolicies",
    "tokenlifetimepolicies": "policies/tokenlifetimepolicies",
}
# The roles that every tenant has: id, name. https://learn.microsoft.com/entra/identity/
# role-based-access-control/permissions-reference
ROLES = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "f2ef992c-3afb-46b9-b7cf-a126ee74c451": "Global Reader",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    "7be44c8a-adaf-4e2a-84d6-ab2649e08a13": "Privileged Authentication Administrator",
    "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
    "cf1c38e5-3621-4004-a7cb-879624dced7c": "Application Developer",
    "c430b396-e693-46cc-96f3-db01bf8bb62a": "Attack Simulation Administrator",
    "c4e39bd9-1100-46d3-8c65-fb160da0071f": "Authentication Administrator",
    "0526716b-113d-4c15-b2c8-68e3c22b9f80": "Authentication Policy Administrator",
    "e3973bdf-4987-49ae-837a-ba8e231c7286": "Azure DevOps Administrator",
    "7495fdc4-34c4-4d15-a289-98788ce399fd": "Azure Information Protection Administrator",
    "b0f54661-2d74-4c50-afa3-1ec803f12efe": "Billing Administrator",
    "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
    "7698a772-787b-4ac8-901f-60d6b08affd2": "Cloud Device Administrator",
    "17315797-102d-40b4-93e0-432062caca18": "Compliance Administrator",
    "e6d1a23a-da11-4be4-9570-befc86d067a7": "Compliance Data Administrator",
    "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9": "Conditional Access Administrator",
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b": "Directory Readers",
    "9360feb5-f418-4baa-8175-e2a00bac4301": "Directory Writers",
    "44367163-eba1-44c3-98af-f5787879f96a": "Dynamics 365 Administrator",
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
    "be2f45a1-457d-42af-a067-6ec1fa63bc45": "External Identity Provider Administrator",
    "a9ea8996-122f-4c74-9520-8edcd192826c": "Fabric Administrator",
    "fdd7a751-b60b-444a-984c-02652fe8fa1c": "Groups Administrator",
    "95e79109-95c0-4d8e-aee3-d01accf2d47b": "Guest Inviter",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8": "Helpdesk Administrator",
    "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2": "Hybrid Identity Administrator",
    "45d8d3c5-c802-45c6-b32a-1d70b5e1e86e": "Identity Governance Administrator",
    "3a2c62db-5318-420d-8d74-23affee5d9d5": "Intune Administrator",
    "4d6ac14f-3453-41d0-bef9-a3e0c569773a": "License Administrator",
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b": "Message Center Reader",
    "966707d0-3269-4727-9be2-8c3a10f19b9d": "Password Administrator",
    "11648597-926c-4cf3-9c36-bcebb0ba8dcc": "Power Platform Administrator",
    "644ef478-e28f-4e28-b9dc-3fdde9aa0b1f": "Printer Administrator",
    "e8cef6f1-e4bd-4ea8-bc07-4b8d950f4477": "Printer Technician",
    "4a5d8f65-41da-4de4-8968-e035b65339cf": "Reports Reader",
    "194ae4cb-b126-40b2-bd5b-6091b380977d": "Security Administrator",
    "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f": "Security Operator",
    "5d6b6bb7-de71-4623-b4af-96380a352509": "Security Reader",
    "f023fd81-a637-4b56-95fd-791ac0226033": "Service Support Administrator",
    "f28a1f50-f6e7-4571-818b-6a12f2af6b6c": "SharePoint Administrator",
    "69091246-20e8-4a56-aa4d-066075b2a7a8": "Teams Administrator",
    "fe930be7-5e62-47db-91af-98c3a49a38b1": "User Administrator",
}
# Microsoft's own applications, of which a tenant has service principals once it uses Azure, by id.
FIRST_PARTY = {
    "022907d3-0f1b-48f7-badc-1ba6abab6d66": "Azure SQL Database",
    "03b39d0f-4213-4864-a245-b1476ec03169": "Azure Spring Cloud Resource Provider",
    "1412d89f-b8a8-4111-b4fd-e82905cbd85d": "Microsoft.AzureStackHCI Resource Provider",
    "205478c0-bd83-4e1b-a9d6-db63a3e1e1c8": "Microsoft.AzureFrontDoor-Cdn",
    "262044b1-e2ce-469f-a196-69ab7ada62d3": "Backup Management Service",
    "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d": "AzureDatabricks",
    "4962773b-9cdb-44cf-a8bf-237846a00ab7": "Microsoft.EventGrid",
    "60e6cd67-9c8c-4951-9b3c-23c25a2169af": "Compute Resource Provider",
    "6dae42f8-4368-4678-94ff-3960e28e3630": "Azure Kubernetes Service AAD Server",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013": "Windows Azure Service Management API",
    "9cdead84-a844-4324-93f2-b2e6bb768d07": "Azure Virtual Desktop",
    "a232010e-820c-4083-83bb-3ace5fc29d0b": "Azure Cosmos DB",
    "abfa0a7c-a6b6-4736-8310-5855508787cd": "Microsoft Azure App Service",
    "ad0e1c7e-6d38-4ba4-9efd-0bc77ba9f037": "Microsoft.AzureFrontDoor",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093": "Azure Key Vault",
    "ddbf3205-c6bd-46ae-8127-60eb93363864": "Microsoft Azure Batch",
    "e406a681-f3d4-42a8-90b6-c2b029497af1": "Azure Storage",
    "f1dd0a37-89c6-4e07-bcd1-ffd3d43d8875": "Azure Red Hat OpenShift RP",
}
# Those that a tenant gets only where somebody makes their service principals.
PUBLISHED = {
    "2565bd9d-da50-47d4-8b85-4c97f669dc36": "Domain Controller Services",
    "6ba9a5d4-8456-4118-b521-9c5ca10cdf84": "Azure AD Domain Services",
}
# Microsoft Graph's own application permissions, of which modules ask for these most, by their ids.
APP_ROLES = {
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
    "User.ReadWrite.All": "741f803b-c850-494e-b5df-cde7c675a1ca",
    "User.Invite.All": "09850681-111b-4a89-9bed-3f2cae46d706",
    "Group.Create": "bf7b1a76-6e77-406b-b258-bf5c7720e98f",
    "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b",
    "Group.ReadWrite.All": "62a82d76-70ea-41e2-9197-370581804d09",
    "GroupMember.Read.All": "98830695-27a2-44f7-8c18-0c3ebc9698f6",
    "GroupMember.ReadWrite.All": "dbaae8cf-10b5-4b86-a4a1-f871c94c6695",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
    "AdministrativeUnit.ReadWrite.All": "5eb59dd3-1da2-4329-8733-9dabdc435916",
    "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
    "Calendars.Read": "798ee544-9d2d-430c-a058-570e29e34338",
    "Calendars.ReadWrite": "ef54d2bf-783f-4e0f-bca1-3210c0444d99",
    "Device.Read.All": "7438b122-aefc-4978-80ed-43db9fcc7715",
    "Domain.Read.All": "dbb9058a-0e50-45d7-ae91-66909b5d4664",
    "EntitlementManagement.ReadWrite.All": "9acd699f-1e81-4958-b001-93b1d2506e19",
    "Files.Read.All": "01d4889c-1287-42c6-ac1f-5d1e02578ef6",
    "Files.ReadWrite.All": "75359482-378d-4052-8f01-80520e7db3cd",
    "Mail.Read": "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    "Mail.ReadWrite": "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    "Mail.Send": "b633e1c5-b582-4048-a93e-9f11b44c7e96",
    "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
    "Policy.ReadWrite.ConditionalAccess": "01c0a623-fc9b-48e9-b794-0756f8e8f067",
    "Reports.Read.All": "230c1aed-a721-4c5d-9cb4-a90514e508ef",
    "RoleManagement.Read.Directory": "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
    "RoleManagement.ReadWrite.Directory": "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
    "SecurityEvents.Read.All": "bf394140-e372-4bf9-a898-299cfc7564e5",
    "Sites.Read.All": "332a536c-c7ef-4017-ab91-336970924f0d",
    "Sites.ReadWrite.All": "9492366f-7969-46a4-8d15-ed1a20078fff",
}
# The same for delegated permissions.
SCOPES = {
    "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
    "User.ReadWrite": "b4e74841-8e56-480b-be8b-910348b18b4c",
    "User.ReadBasic.All": "b340eb25-3456-403f-be2f-af7a0d370277",
    "User.Read.All": "a154be20-db9c-4678-8ab7-66f6cc099a59",
    "Group.Read.All": "5f8c59db-677d-491f-a6b8-5f174b11ec1d",
    "Directory.Read.All": "06da0dbc-49e2-44d2-8312-53f166ab848a",
    "Directory.AccessAsUser.All": "0e263e50-5827-48a4-b97c-d940288653c7",
    "Calendars.Read": "465a38f9-76ea-45b9-9f34-9e8b0d4b0b42",
    "Files.Read": "10465720-29dd-4523-a11a-6a75c743c9d9",
    "Mail.Read": "570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
    "Mail.Send": "e383f46e-2787-4529-855e-0e479a3ffac0",
    "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
    "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
    "openid": "37f7f235-527c-4136-accd-4a02d197296e",
    "profile": "14dad69e-099b-42c9-810b-d002981feec1",
}
# The roles of access packages' catalogs.
CATALOG_ROLES = {
    "ae79f266-94d4-4dab-b730-feca7e132178": "Catalog owner",
    "44272f93-9762-48e8-af59-1b5351b1d6b3": "Catalog reader",
    "7f480852-ebdc-47d4-87de-0d8498384a83": "Access package manager",
    "e2182095-804a-4656-ae11-64734e9b7ae5": "Access package assignment manager",
}
# Applications of the gallery that documentation names.
TEMPLATES = {
    "9c9818d2-2900-49e8-8ba4-22688be7c675": "Azure Databricks SCIM Provisioning Connector",
    "4601ed45-8ff3-4599-8377-b6649007e876": "Marketo",
    "8b1025e4-1dd2-430b-a150-2ef79cd700f5": "AWS Single-Account Access",
    "8adf8e6e-67b2-4cf2-a259-e3dc5476c621": "Custom application",
}
_EVERYBODY = ["password,microsoftAuthenticatorPush", "fido2"]
STRENGTHS = {
    "00000000-0000-0000-0000-000000000002": ("Multifactor authentication", _EVERYBODY),
    "00000000-0000-0000-0000-000000000003": ("Passwordless MFA", ["fido2"]),
    "00000000-0000-0000-0000-000000000004": ("Phishing-resistant MFA", ["fido2"]),
}


def _role(role_id: str, name: str, *, by: str = "roleTemplateId") -> Document:
    return {"id": role_id, by: role_id, "displayName": name, "description": name}


def _definition(role_id: str, name: str) -> Document:
    document = {**_role(role_id, name, by="templateId"), "isBuiltIn": True, "isEnabled": True}
    return {**document, "rolePermissions": [], "resourceScopes": ["/"], "version": "1"}


def _of_template(template_id: str, name: str) -> Document:
    shared = {"categories": ["other"], "publisher": name, "supportedProvisioningTypes": ["sync"]}
    modes = {"supportedSingleSignOnModes": ["saml", "password"], "homePageUrl": "", "logoUrl": ""}
    return {"id": template_id, "displayName": name, "description": name, **shared, **modes}


# What every tenant has, by collection.
SEEDS: dict[str, list[Document]] = {
    "directoryroletemplates": [_role(i, n) for i, n in ROLES.items()],
    "rolemanagement/directory/roledefinitions": [_definition(i, n) for i, n in ROLES.items()],
    "rolemanagement/entitlementmanagement/roledefinitions": [
        _definition(i, n) for i, n in CATALOG_ROLES.items()
    ],
    "applicationtemplates": [_of_template(i, n) for i, n in TEMPLATES.items()],
    "policies/authenticationstrengthpolicies": [
        {
            "id": i,
            "displayName": n,
            "policyType": "builtIn",
            "requirementsSatisfied": "mfa",
            "allowedCombinations": combinations,
        }
        for i, (n, combinations) in STRENGTHS.items()
    ],
}
