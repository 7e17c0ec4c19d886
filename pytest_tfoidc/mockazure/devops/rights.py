"""Facts of Azure DevOps' security: each namespace's actions in the order of their bits.

https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference
"""

from __future__ import annotations

NAMESPACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "58450c49-b02d-465a-ab12-59ae512d6531": (
        "Analytics",
        ("Read", "Administer", "Stage", "ExecuteUnrestrictedQuery", "ReadEuii"),
    ),
    "d34d3680-dfe5-4cc6-a949-7d9c68f73cba": (
        "AnalyticsViews",
        ("Read", "Edit", "Delete", "Execute", "ManagePermissions"),
    ),
    "c788c23e-1b46-4162-8f5e-d7585343b5de": (
        "ReleaseManagement2",
        (
            "ViewReleaseDefinition",
            "EditReleaseDefinition",
            "DeleteReleaseDefinition",
            "ManageReleaseApprovers",
            "ManageReleases",
            "ViewReleases",
            "CreateReleases",
            "EditReleaseEnvironment",
            "DeleteReleaseEnvironment",
            "AdministerReleasePermissions",
            "DeleteReleases",
            "ManageDeployments",
            "ManageReleaseSettings",
            "ManageTaskHubExtension",
        ),
    ),
    "a6cc6381-a1ca-4b36-b3c1-4e65211e82b6": (
        "AuditLog",
        ("Read", "Write", "Manage_Streams", "Delete_Streams"),
    ),
    "5a27515b-ccd7-42c9-84f1-54c998f03866": (
        "Identity",
        (
            "Read",
            "Write",
            "Delete",
            "ManageMembership",
            "CreateScope",
            "RestoreScope",
            "ForceDelete",
        ),
    ),
    "101eae8c-1709-47f9-b228-0e476c35b3ba": (
        "DistributedTask",
        ("View", "Manage", "Listen", "AdministerPermissions", "Use", "Create"),
    ),
    "2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87": (
        "Git Repositories",
        (
            "Administer",
            "GenericRead",
            "GenericContribute",
            "ForcePush",
            "CreateBranch",
            "CreateTag",
            "ManageNote",
            "PolicyExempt",
            "CreateRepository",
            "DeleteRepository",
            "RenameRepository",
            "EditPolicies",
            "RemoveOthersLocks",
            "ManagePermissions",
            "PullRequestContribute",
            "PullRequestBypassPolicy",
            "ViewAdvSecAlerts",
            "DismissAdvSecAlerts",
            "ManageAdvSecScanning",
        ),
    ),
    "49b48001-ca20-4adc-8111-5b60c903a50c": (
        "ServiceEndpoints",
        ("Use", "Administer", "Create", "ViewAuthorization", "ViewEndpoint"),
    ),
    "cb594ebe-87dd-4fc9-ac2c-6a10a4c92046": (
        "ServiceHooks",
        ("ViewSubscriptions", "EditSubscriptions", "DeleteSubscriptions", "PublishEvents"),
    ),
    "3e65f728-f8bc-4ecd-8764-7e378b19bfa7": (
        "Collection",
        (
            "GENERIC_READ",
            "GENERIC_WRITE",
            "CREATE_PROJECTS",
            "TRIGGER_EVENT",
            "MANAGE_TEMPLATE",
            "DIAGNOSTIC_TRACE",
            "SYNCHRONIZE_READ",
            "Reserved7",
            "Reserved8",
            "MANAGE_TEST_CONTROLLERS",
            "DELETE_FIELD",
            "MANAGE_ENTERPRISE_POLICIES",
        ),
    ),
    "bed337f8-e5f3-4fb9-80da-81e17d06e7a8": ("Plan", ("View", "Edit", "Delete", "Manage")),
    "2dab47f9-bd70-49ed-9bd5-8eb051e59c02": (
        "Process",
        ("Edit", "Delete", "Create", "AdministerProcessPermissions", "ReadProcessPermissions"),
    ),
    "b7e84409-6553-448a-bbb2-af228e07cbeb": (
        "Library",
        ("View", "Administer", "Create", "ViewSecrets", "Use", "Owner"),
    ),
    "83d4c2e6-e57d-4d6e-892b-b87222b7ad20": (
        "Environment",
        ("View", "Manage", "ManageHistory", "Administer", "Use", "Create"),
    ),
    "52d39943-cb85-4d7f-8fa8-c6baac873819": (
        "Project",
        (
            "GENERIC_READ",
            "GENERIC_WRITE",
            "DELETE",
            "PUBLISH_TEST_RESULTS",
            "ADMINISTER_BUILD",
            "START_BUILD",
            "EDIT_BUILD_STATUS",
            "UPDATE_BUILD",
            "DELETE_TEST_RESULTS",
            "VIEW_TEST_RESULTS",
            "Reserved10",
            "MANAGE_TEST_ENVIRONMENTS",
            "MANAGE_TEST_CONFIGURATIONS",
            "WORK_ITEM_DELETE",
            "WORK_ITEM_MOVE",
            "WORK_ITEM_PERMANENTLY_DELETE",
            "RENAME",
            "MANAGE_PROPERTIES",
            "MANAGE_SYSTEM_PROPERTIES",
            "BYPASS_PROPERTY_CACHE",
            "BYPASS_RULES",
            "SUPPRESS_NOTIFICATIONS",
            "UPDATE_VISIBILITY",
            "CHANGE_PROCESS",
            "AGILETOOLS_BACKLOG",
            "AGILETOOLS_PLANS",
        ),
    ),
    "58b176e7-3411-457a-89d0-c6d0ccb3c52b": (
        "EventSubscription",
        ("GENERIC_READ", "GENERIC_WRITE", "UNSUBSCRIBE", "CREATE_SOAP_SUBSCRIPTION"),
    ),
    "83e28ad4-2d72-4ceb-97b0-c7726d5502c3": (
        "CSS",
        (
            "GENERIC_READ",
            "GENERIC_WRITE",
            "CREATE_CHILDREN",
            "DELETE",
            "WORK_ITEM_READ",
            "WORK_ITEM_WRITE",
            "MANAGE_TEST_PLANS",
            "MANAGE_TEST_SUITES",
            "WORK_ITEM_SAVE_COMMENT",
        ),
    ),
    "bb50f182-8e5e-40b8-bc21-e8752a1e7ae2": (
        "Tagging",
        ("Enumerate", "Create", "Update", "Delete"),
    ),
    "f6a4de49-dbe2-4704-86dc-f8ec1a294436": ("MetaTask", ("Administer", "Edit", "Delete")),
    "bf7bfa03-b2b7-47db-8113-fa2e002cc5b1": (
        "Iteration",
        ("GENERIC_READ", "GENERIC_WRITE", "CREATE_CHILDREN", "DELETE"),
    ),
    "71356614-aad7-4757-8f2c-0fb3bff6f680": (
        "WorkItemQueryFolders",
        (
            "Read",
            "Contribute",
            "Delete",
            "ManagePermissions",
            "FullControl",
            "RecordQueryExecutionInfo",
        ),
    ),
    "302acaca-b667-436d-a946-87133492041c": (
        "BuildAdministration",
        (
            "ViewBuildResources",
            "ManageBuildResources",
            "UseBuildResources",
            "AdministerBuildResourcePermissions",
            "ManagePipelinePolicies",
        ),
    ),
    "66312704-deb5-43f9-b51c-ab4ff5e351c3": (
        "VersionControlPrivileges",
        (
            "CreateWorkspace",
            "AdminWorkspaces",
            "AdminShelvesets",
            "AdminConnections",
            "AdminConfiguration",
        ),
    ),
    "33344d9c-fc72-4d6f-aba5-fa317101a7e9": (
        "Build",
        (
            "ViewBuilds",
            "EditBuildQuality",
            "RetainIndefinitely",
            "DeleteBuilds",
            "ManageBuildQualities",
            "DestroyBuilds",
            "UpdateBuildInformation",
            "QueueBuilds",
            "ManageBuildQueue",
            "StopBuilds",
            "ViewBuildDefinition",
            "EditBuildDefinition",
            "DeleteBuildDefinition",
            "OverrideBuildCheckInValidation",
            "AdministerBuildPermissions",
            "CreateBuildDefinition",
            "EditPipelineQueueConfigurationPermission",
        ),
    ),
    "8adf73b7-389a-4276-b638-fe1653f7efc7": (
        "DashboardsPrivileges",
        ("Read", "Create", "Edit", "Delete", "ManagePermissions", "MaterializeDashboards"),
    ),
}

_OTHERS = """
7c7d32f7-0e86-4cd6-892e-b35dbba870bd ReleaseManagement: ViewTaskEditor ViewCDWorkflowEditor
 ExportReleaseDefinition ViewLegacyUI DeploymentSummaryAcrossProjects
 ViewExternalArtifactCommitsAndWorkItems
445d2788-c5fb-4132-bbef-09c4045ad93f WorkItemTrackingAdministration: ManagePermissions
 DestroyAttachments
3c15a8b7-af1a-45c2-aa97-2cb97078332e VersionControlItems2: Read PendChange Checkin Label Lock
 ReviseOther UnlockOther UndoOther LabelOther AdminProjectRights CheckinOther Merge ManageBranch
a39371cf-0841-4c16-bbd3-276e341bc052 VersionControlItems: Read PendChange Checkin Label Lock
 ReviseOther UnlockOther UndoOther LabelOther AdminProjectRights CheckinOther Merge ManageBranch
2bf24a2b-70ba-43d3-ad97-3d9e1f75622f EventSubscriber: GENERIC_READ GENERIC_WRITE
5a6cd233-6615-414d-9393-48dbb252bd23 WorkItemTrackingProvision: Administer ManageLinkTypes
cb4d56d2-e84b-457e-8845-81320a133fbb Proxy: Read Manage
11238e09-49f2-40c7-94d0-8f0307204ce4 AccountAdminSecurity: Read Create Modify
9e4894c3-ff9a-4eac-8a85-ce11cafdc6f1 TeamLabSecurity: Read Create Write Edit Delete Start Stop
 ManageSnapshots ManageLocation
fc5b7b85-5d6b-41eb-8534-e128cb10eb67 ProjectAnalysisLanguageMetrics: Read Write
fa557b48-b5bf-458a-bb2b-1b680426fe8b Favorites: Read Write
4ae0db5d-8437-4ee8-a18b-1f6fb38bd34c Registry: Read Write
c2ee56c9-e8fa-4cdd-9d48-2c44f697a58e Graph: ReadByPublicIdentifier ReadByPersonalIdentifier
dc02bf3d-cd48-46c3-8a41-345094ecc94b ViewActivityPaneSecurity: Read
2a887f97-db68-4b7c-9ae3-5cebd7add999 Job: Read Queue Update
73e71c45-d483-40d5-bdba-62fd076f7f87 WorkItemTracking: Read CrossProjectRead
 TrackWorkItemActivity ReadRules ReadHistoricalWorkItemResources
4a9e8381-289a-4dfd-8460-69028eaa93b3 StrongBox: Read Write
1f4179b3-6bac-4d01-b421-71ea09171400 Server: GenericRead GenericWrite Impersonate TriggerEvent
e06e1c24-e93d-4e4a-908a-7d951187b483 TestManagement: Read Write
6ec4592e-048c-434e-8e6c-8671753a8418 SettingEntries: Read Write
2725d2bc-7520-4af4-b0e3-8d876494731f Location: Read Write
251e12d9-bea3-43a8-bfdb-901b98c0125e Boards: View Create ChangeMetadata MoveCard Delete Manage
83abde3a-4593-424e-b45f-9898af99034d UtilizationPermissions: QueryUsageSummary
c0e7a722-1cad-4ae6-b340-a8467501e7ce WorkItemsHub: View
0582eb05-c896-449a-b933-aa3d99e121d6 WebPlatform: FullAccess
93bafc04-9075-403a-9367-b7164eac6b5c Workspaces: Read Use Checkin Administer
093cbb02-722b-4ad6-9f88-bc452043fa63 CrossProjectWidgetView: Read
35e35e8e-686d-4b01-aff6-c369d6e36ce0 WorkItemTrackingConfiguration: Read
0d140cae-8ac1-4f48-b6d1-c93ce0301a12 Discussion Threads: Administer GenericRead
 GenericContribute Moderate
5ab15bc8-4ea1-d0f3-8344-cab8fe976877 BoardsExternalIntegration: Read Write
7ffa7cf4-317c-4fea-8f1d-cfda50cfa956 DataProvider: Read Write
81c27cc8-7a9f-48ee-b63f-df1e1d0412dd Social: Read Write
9a82c708-bfbe-4f31-984c-e860c2196781 Security: Read Write
a60e0d84-c2f8-48e4-9c0c-f32da48d5fd1 IdentityPicker: ReadBasic ReadRestricted
84cc1aa4-15bc-423d-90d9-f97c450fc729 ServicingOrchestration: Read Queue
"""
for _line in _OTHERS.strip().replace("\n ", " ").splitlines():
    _id, _, _rest = _line.partition(" ")
    _name, _, _actions = _rest.partition(": ")
    NAMESPACES[_id] = (_name, tuple(_actions.split()))
# The roles of a scope; those without a line have the first ones.
ROLES = {
    "": ("Administrator", "User", "Reader", "Creator"),
    "distributedtask.environmentreferencerole": ("Administrator", "User", "Reader"),
    "distributedtask.agentpoolrole": ("Administrator", "Service", "Reader"),
    "distributedtask.agentqueuerole": ("Administrator", "User", "Reader", "Creator"),
    "distributedtask.library": ("Administrator", "Creator", "Reader", "User"),
    "distributedtask.variablegroup": ("Administrator", "User", "Reader"),
    "distributedtask.securefile": ("Administrator", "User", "Reader"),
    "distributedtask.serviceendpointrole": ("Administrator", "User", "Reader", "Creator"),
}
