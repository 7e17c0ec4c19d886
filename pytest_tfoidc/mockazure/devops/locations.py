"""Where each resource of Azure DevOps' REST lives, by the ids that the Go client has built in.

A line is: id, area, route. `{*name}` takes the rest of a path; what is in braces at a route's end
may be missing, and so may the team. Clients build every URL from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

_EXTENSIONS = "_apis/extensionmanagement/installedextensions"
_TASKS = "{project}/_apis/distributedtask"
_GIT = "{project}/_apis/git/repositories/{repositoryId}"
_TYPE = "_apis/work/processes/{processId}/workItemTypes/{witRefName}"
_LAYOUT = f"{_TYPE}/layout"
_FEEDS = "{project}/_apis/packaging/feeds/{feedId}"

LOCATIONS = {
    "e81700f7-3be2-46de-8624-2eb35882fcaa": ("Location", "_apis/resourceAreas"),
    "00d9565f-ed9c-4a06-9a50-00e7896ccab4": ("Location", "_apis/connectionData"),
    "603fe2ac-9723-48b9-88ad-09305aa6c6e1": ("core", "_apis/projects/{*projectId}"),
    "4976a71a-4487-49aa-8aab-a1eda469037a": ("core", "_apis/projects/{projectId}/properties"),
    "d30a3dd1-f8ba-442a-b86a-bd0c0c383e59": ("core", "_apis/projects/{projectId}/teams/{teamId}"),
    "7a4d9ee9-3433-4347-b47a-7a80f1cf307e": ("core", "_apis/teams"),
    "93878975-88c5-4e6a-8abb-7ddd77a8a7d8": ("core", "_apis/process/processes/{processId}"),
    "9a1b74b4-2ca8-4a9f-8470-c2f2e6fdc949": ("operations", "_apis/operations/{operationId}"),
    "dd291e43-aa9f-4cee-8465-a93c78e414a4": (
        "FeatureManagement",
        "_apis/FeatureManagement/FeatureStates/{userScope}/{scopeName}/{scopeValue}/{featureId}",
    ),
    "2b4486ad-122b-400c-ae65-17b6672c1f9d": (
        "FeatureManagement",
        "_apis/FeatureManagement/FeatureStatesQuery",
    ),
    "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0": (
        "serviceendpoint",
        "_apis/serviceendpoint/endpoints/{endpointId}",
    ),
    "e85f1c62-adfc-4b74-b618-11a150fb195e": (
        "serviceendpoint",
        "{project}/_apis/serviceendpoint/endpoints/{endpointId}",
    ),
    "cc63bb57-2a5f-4a7a-b79c-c142d308657e": (
        "serviceendpoint",
        "{project}/_apis/serviceendpoint/endpointproxy",
    ),
    "5a7938a4-655e-486c-b562-b78c54a7e87b": ("serviceendpoint", "_apis/serviceendpoint/types"),
    "dbeaf647-6167-421a-bda9-c9327b25e2e6": (
        "build",
        "{project}/_apis/build/definitions/{definitionId}",
    ),
    "ea623316-1967-45eb-89ab-e9e6110cf2d6": (
        "build",
        "{project}/_apis/build/definitions/{definitionId}/resources",
    ),
    "398c85bc-81aa-4822-947c-a194a05f0fef": ("build", "{project}/_apis/build/authorizedresources"),
    "a906531b-d2da-4f55-bda7-f3e676cc50d9": ("build", "{project}/_apis/build/folders/{*path}"),
    "c4aefd19-30ff-405b-80ad-aca021e7242a": ("build", "{project}/_apis/build/generalsettings"),
    "f7ddf76d-ce0c-4d68-94ff-becaec5d9dea": ("Release", "{project}/_apis/release/folders/{*path}"),
    "7859261e-d2e9-4a68-b820-a5d84cc5bb3d": (
        "pipelines",
        "{project}/_apis/pipelines/{pipelineId}/runs/{runId}",
    ),
    "b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2": (
        "pipelinePermissions",
        "{project}/_apis/pipelines/pipelinePermissions/{resourceType}/{resourceId}",
    ),
    "86c8381e-5aee-4cde-8ae4-25c0c7f5eaea": (
        "PipelinesChecks",
        "{project}/_apis/pipelines/checks/configurations/{id}",
    ),
    "dad91cbe-d183-45f8-9c6e-9c1164472121": (
        "policy",
        "{project}/_apis/policy/configurations/{configurationId}",
    ),
    "454b3e51-2e6e-48d4-ad81-978154089351": (
        "Dashboard",
        "{project}/{team}/_apis/dashboard/dashboards/{dashboardId}",
    ),
    "dd3c938f-835b-4971-b99a-db75a47aad43": (
        "distributedtask",
        "_apis/distributedtask/elasticpools/{poolId}",
    ),
    "a8c47e17-4d56-4a56-92bb-de7ea7dc65be": (
        "distributedtask",
        "_apis/distributedtask/pools/{poolId}",
    ),
    "900fa995-c559-4923-aae7-f8424fe4fbea": ("distributedtask", f"{_TASKS}/queues/{{queueId}}"),
    "083c4d89-ab35-45af-aa11-7cf66895c53e": (
        "distributedtask",
        f"{_TASKS}/deploymentgroups/{{deploymentGroupId}}",
    ),
    "8572b1fc-2482-47fa-8f74-7e3ed53ee54b": (
        "distributedtask",
        f"{_TASKS}/environments/{{environmentId}}",
    ),
    "73fba52f-15ab-42b3-a538-ce67a9223a04": (
        "distributedtask",
        f"{_TASKS}/environments/{{environmentId}}/providers/kubernetes/{{resourceId}}",
    ),
    "ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7": (
        "distributedtask",
        "_apis/distributedtask/variablegroups/{groupId}",
    ),
    "f5b09dd5-9d54-45a1-8b5a-1c8287d634cc": (
        "distributedtask",
        f"{_TASKS}/variablegroups/{{groupId}}",
    ),
    "fb0da285-f23e-4b56-8b53-3ef5f9f6de66": (
        "ExtensionManagement",
        f"{_EXTENSIONS}byname/{{publisherName}}/{{extensionName}}/{{version}}",
    ),
    "275424d0-c844-4fe2-bda6-04933a1357d8": (
        "ExtensionManagement",
        _EXTENSIONS,
    ),
    "c65009a7-474a-4ad1-8b42-7d852107ef8c": ("Packaging", _FEEDS),
    "ed52a011-0112-45b5-9f9e-e14efffb3193": ("Packaging", f"{_FEEDS}/retentionpolicies"),
    "be8c1476-86a7-44ed-b19d-aec0e9275cd8": ("Packaging", f"{_FEEDS}/permissions"),
    "29ba2dad-389a-4661-b5d3-de76397ca05b": (
        "Packaging",
        "{project}/_apis/packaging/feedchanges/{feedId}",
    ),
    "0cee643d-beb9-41f8-9368-3ada763a8344": (
        "Packaging",
        "{project}/_apis/packaging/feedrecyclebin/{feedId}",
    ),
    "225f7195-f9c7-4d14-ab28-a83f7ff77e1f": ("git", _GIT),
    "01828ddc-3600-4a41-8633-99b3a73a0eb3": ("git", f"{_GIT}/importRequests/{{importRequestId}}"),
    "ea98d07b-3c87-4971-8ede-a613694ffb55": ("git", f"{_GIT}/pushes/{{pushId}}"),
    "d5b216de-d8d5-4d32-ae76-51df755b16d3": ("git", f"{_GIT}/stats/branches/{{*name}}"),
    "c2570c3b-5b3f-41b8-98bf-5407bfde8d58": ("git", f"{_GIT}/commits/{{commitId}}"),
    "fb93c0db-47ed-4a31-8c20-47552878fb44": ("git", f"{_GIT}/items/{{*path}}"),
    "2d874a60-a811-4f62-9c9f-963a6ea0a55b": ("git", f"{_GIT}/refs/{{*filter}}"),
    "ebbe6af8-0b91-4c13-8cf1-777c14858188": ("Graph", "_apis/graph/groups/{groupDescriptor}"),
    "005e26ec-6b77-4e4f-a986-b3827bf241f5": ("Graph", "_apis/graph/users/{userDescriptor}"),
    "e1dbb0ae-49cb-4532-95a1-86cd89cfcab4": (
        "Graph",
        "_apis/graph/serviceprincipals/{servicePrincipalDescriptor}",
    ),
    "048aee0a-7072-4cde-ab73-7af77b1e0b4e": ("Graph", "_apis/graph/descriptors/{storageKey}"),
    "eb85f8cc-f0f6-4264-a5b1-ffe2e4d4801f": (
        "Graph",
        "_apis/graph/storagekeys/{subjectDescriptor}",
    ),
    "e34b6394-6b30-4435-94a9-409a5eef3e31": (
        "Graph",
        "_apis/graph/memberships/{subjectDescriptor}",
    ),
    "3fd2e6ca-fb30-443a-b579-95b19ed0934c": (
        "Graph",
        "_apis/graph/memberships/{subjectDescriptor}/{containerDescriptor}",
    ),
    "28010c54-d0c0-4c89-a5b0-1c9e188b9fb7": ("IMS", "_apis/identities/{identityId}"),
    "5966283b-4196-4d57-9211-1b68f41ec1c2": ("IMS", "_apis/groups/{groupId}"),
    "8ba35978-138e-41f8-8963-7b1ea2c5f775": (
        "IMS",
        "_apis/identities/{containerId}/members/{memberId}",
    ),
    "2280bffa-58a2-49da-822e-0764a1bb44f7": (
        "MemberEntitlementManagement",
        "_apis/groupentitlements/{groupId}",
    ),
    "387f832c-dbf2-4643-88e9-c1aa94dbb737": (
        "MemberEntitlementManagement",
        "_apis/userentitlements",
    ),
    "8480c6eb-ce60-47e9-88df-eca3c801638b": (
        "MemberEntitlementManagement",
        "_apis/userentitlements/{userId}",
    ),
    "f03dbf50-80f8-41b7-8ca2-65b6a178caba": (
        "MemberEntitlementManagement",
        "_apis/serviceprincipalentitlements",
    ),
    "1d491a66-190b-43ae-86b8-9c2688c55186": (
        "MemberEntitlementManagement",
        "_apis/serviceprincipalentitlements/{servicePrincipalId}",
    ),
    "70f911d6-abac-488c-85b3-a206bf57e165": (
        "notification",
        "_apis/notification/subscriptions/{subscriptionId}",
    ),
    "fc50d02a-849f-41fb-8af1-0a5216103269": ("hooks", "_apis/hooks/subscriptions/{subscriptionId}"),
    "ce7b9f95-fde9-4be8-a86d-83b366f0b87a": (
        "Security",
        "_apis/securitynamespaces/{securityNamespaceId}",
    ),
    "18a2ad18-7571-46ae-bec7-0c7da1495885": (
        "Security",
        "_apis/accesscontrollists/{securityNamespaceId}",
    ),
    "ac08c8ff-4323-4b08-af90-bcd018d380ce": (
        "Security",
        "_apis/accesscontrolentries/{securityNamespaceId}",
    ),
    "f4cc9a86-453c-48d2-b44d-d3bd5c105f4f": (
        "SecurityRoles",
        "_apis/securityroles/scopes/{scopeId}/roledefinitions",
    ),
    "9461c234-c84c-4ed2-b918-2f0f92ad0a35": (
        "SecurityRoles",
        "_apis/securityroles/scopes/{scopeId}/roleassignments/resources/{resourceId}/{userId}",
    ),
    "288d122c-dbd4-451d-aa5f-7dbbba070728": ("wiki", "{project}/_apis/wiki/wikis/{wikiIdentifier}"),
    "25d3fbc7-fe3d-46cb-b5a5-0b6f79caf27b": (
        "wiki",
        "{project}/_apis/wiki/wikis/{wikiIdentifier}/pages",
    ),
    "ceddcf75-1068-452d-8b13-2d4d76e1f970": (
        "wiki",
        "{project}/_apis/wiki/wikis/{wikiIdentifier}/pages/{id}",
    ),
    "07ced576-58ed-49e6-9c1e-5cb53ab8bf2a": (
        "work",
        "{project}/{team}/_apis/work/teamsettings/teamfieldvalues",
    ),
    "62d3d110-0047-428c-ad3c-4fe872c91c74": ("wit", "{project}/_apis/wit/workItems/${type}"),
    "72c7ddf8-2cdc-4f60-90cd-ab71c14a399b": ("wit", "{project}/_apis/wit/workItems/{id}"),
    "b51fd764-e5c2-4b9b-aaf7-3395cf4bdd94": (
        "wit",
        "{project}/_apis/wit/fields/{fieldNameOrRefName}",
    ),
    "a67d190c-c41f-424b-814d-0e906f659301": ("wit", "{project}/_apis/wit/queries/{*query}"),
    "a70579d1-f53a-48ee-a5be-7be8659023b9": ("wit", "{project}/_apis/wit/classificationNodes"),
    "5a172953-1b41-49d3-840a-33f79c3ce89f": (
        "wit",
        "{project}/_apis/wit/classificationNodes/{structureGroup}/{*path}",
    ),
    "02cc6a73-5cfb-427d-8c8e-b49fb086e8af": ("processes", "_apis/work/processes/{processTypeId}"),
    "01e15468-e27c-4e20-a974-bd957dcccebc": ("processes", "_apis/work/processes/lists/{listId}"),
    "e2e9d1a6-432d-4062-8870-bfcb8c324ad7": ("processes", _TYPE),
    "bc0ad8dc-e3f3-46b0-b06c-5bf861793196": ("processes", f"{_TYPE}/fields/{{fieldRefName}}"),
    "76fe3432-d825-479d-a5f6-983bbb78b4f3": ("processes", f"{_TYPE}/rules/{{ruleId}}"),
    "31015d57-2dff-4a46-adb3-2fb4ee3dcec9": ("processes", f"{_TYPE}/states/{{stateId}}"),
    "fa8646eb-43cd-4b71-9564-40106fd63e40": ("processes", _LAYOUT),
    "1cc7b29f-6697-4d9d-b0a1-2650d3e1d584": ("processes", f"{_LAYOUT}/pages/{{pageId}}"),
    "766e44e1-36a8-41d7-9050-c343ff02f7a5": (
        "processes",
        f"{_LAYOUT}/pages/{{pageId}}/sections/{{sectionId}}/groups/{{groupId}}",
    ),
    "1f59b363-a2d0-4b7e-9bc6-eb9f5f3f0e58": (
        "processes",
        f"{_LAYOUT}/groups/{{groupId}}/controls/{{controlId}}",
    ),
    "ff9a3d2c-32b7-4c6c-991c-d5a251fb9098": (
        "processes",
        f"{_LAYOUT}/systemcontrols/{{controlId}}",
    ),
}


@dataclass(frozen=True)
class Found:
    """The route that a path takes: its words without braces, its values, and the last of them."""

    words: str
    values: dict[str, str]

    @property
    def last(self) -> str:
        """The value of the route's last parameter; empty where it is missing."""
        return self.values.get("", "")


def _words(route: str) -> str:
    parts = route.partition("_apis/")[2].split("/")
    return "/".join("*" if p[:1] in "{$" else p.lower() for p in parts)


@dataclass(frozen=True)
class _Route:
    parts: tuple[str, ...]
    words: str
    literals: int

    @classmethod
    def of(cls, route: str) -> _Route:
        parts = tuple(route.split("/"))
        return cls(parts, _words(route), sum(p[:1] not in "{$" for p in parts))


def _by_word() -> dict[str, list[_Route]]:
    """Return the routes by the first word behind `_apis`."""
    found: dict[str, list[_Route]] = {}
    for route in (_Route.of(text) for _, text in LOCATIONS.values()):
        found.setdefault(route.words.partition("/")[0], []).append(route)
    return found


ROUTES = _by_word()


def find(segments: tuple[str, ...]) -> Found | None:
    """Find the route of a path behind the organization; the most specific one."""
    lower = [s.lower() for s in segments]
    if "_apis" not in lower[:3] or lower[-1] == "_apis":
        return None
    best: tuple[int, Found] | None = None
    for route in ROUTES.get(lower[lower.index("_apis") + 1], ()):
        values = _match(route.parts, segments)
        if values is None or (best and route.literals <= best[0]):
            continue
        last = route.parts[-1]
        name = last.strip("{}*$") if last[:1] in "{$" else ""
        best = route.literals, Found(route.words, {**values, "": values.get(name, "")})
    return best[1] if best else None


def _match(parts: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    if not parts:
        return {} if not segments else None
    part, rest = parts[0], parts[1:]
    if part.startswith("{*"):
        return {part[2:-1]: "/".join(segments)} if segments else {}
    if part.startswith("${"):
        taken = segments[:1] and segments[0].startswith("$") and _match(rest, segments[1:])
        return {part[2:-1]: segments[0][1:], **taken} if taken == {} else None
    if not part.startswith("{"):
        fits = bool(segments) and segments[0].lower() == part.lower()
        return _match(rest, segments[1:]) if fits else None
    if segments and segments[0].lower() != "_apis":
        inner = _match(rest, segments[1:])
        if inner is not None:
            return {part[1:-1]: unquote(segments[0]), **inner}
    optional = part in {"{project}", "{team}"} or all(p.startswith("{") for p in rest)
    return _match(rest, segments) if optional else None


def listing() -> list[dict[str, object]]:
    """Return the locations as `OPTIONS _apis` tells them."""
    versions = {
        "resourceVersion": 7,
        "minVersion": "1.0",
        "maxVersion": "7.2",
        "releasedVersion": "7.1",
    }
    return [
        {
            "id": i,
            "area": area,
            "resourceName": [w for w in _words(route).split("/") if w != "*"][-1],
            "routeTemplate": route,
            **versions,
        }
        for i, (area, route) in LOCATIONS.items()
    ]
