"""Facts of the resources of Azure DevOps' REST that are made, read, changed and deleted alike.

A line for each: its route's words behind `_apis` (`*` is an id), how its ids are made, and what the
service says of a new one by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How entries of a kind behave.

    `ids`: `guid`, `number`, or the name of the property that is the key. `wide`: they belong to the
    organization although a project may stand before them. `named`: two may not have one name.
    `whole`: a PUT replaces, as it comes with everything. `stamped`: who made it, and when, is told.
    `returned`: a DELETE gives it back.
    """

    ids: str = "guid"
    wide: bool = False
    named: bool = False
    whole: bool = False
    stamped: bool = False
    returned: bool = False
    defaults: Document = field(default_factory=dict)


_PROCESS = "work/processes/*"
_TYPE = f"{_PROCESS}/workitemtypes/*"
KINDS: dict[str, Kind] = {
    "build/definitions/*": Kind(
        ids="number",
        named=True,
        defaults={
            "path": "\\",
            "type": "build",
            "quality": "definition",
            "queueStatus": "enabled",
            "revision": 1,
            "jobAuthorizationScope": "projectCollection",
            "jobTimeoutInMinutes": 60,
            "jobCancelTimeoutInMinutes": 5,
            "badgeEnabled": False,
            "properties": {},
            "tags": [],
        },
    ),
    "dashboard/dashboards/*": Kind(
        named=True, defaults={"dashboardScope": "project", "position": 1, "widgets": []}
    ),
    "distributedtask/deploymentgroups/*": Kind(
        ids="number", named=True, defaults={"machineCount": 0, "machines": []}
    ),
    "distributedtask/environments/*": Kind(
        stamped=True, ids="number", named=True, defaults={"resources": []}
    ),
    "distributedtask/environments/*/providers/kubernetes/*": Kind(ids="number", named=True),
    "distributedtask/queues/*": Kind(ids="number"),
    "distributedtask/variablegroups/*": Kind(
        stamped=True, ids="number", wide=True, defaults={"type": "Vsts", "isShared": False}
    ),
    "groupentitlements/*": Kind(wide=True, returned=True),
    "hooks/subscriptions/*": Kind(
        wide=True, defaults={"status": "enabled", "probationRetries": 0, "resourceVersion": None}
    ),
    "notification/subscriptions/*": Kind(ids="number", wide=True, defaults={"status": "enabled"}),
    "packaging/feeds/*": Kind(
        named=True,
        defaults={
            "upstreamEnabled": False,
            "upstreamSources": [],
            "hideDeletedPackageVersions": True,
        },
    ),
    "pipelines/checks/configurations/*": Kind(
        stamped=True, ids="number", defaults={"timeout": 43200, "version": 1}
    ),
    "policy/configurations/*": Kind(
        stamped=True, ids="number", whole=True, defaults={"revision": 1, "isDeleted": False}
    ),
    "wiki/wikis/*": Kind(named=True, returned=True, defaults={"type": "projectWiki"}),
    "wit/fields/*": Kind(
        ids="referenceName",
        wide=True,
        defaults={
            "usage": "workItem",
            "readOnly": False,
            "canSortBy": True,
            "isQueryable": True,
            "isIdentity": False,
            "isPicklist": False,
            "isPicklistSuggested": False,
            "isDeleted": False,
            "supportedOperations": [],
        },
    ),
    "work/processes/lists/*": Kind(named=True, defaults={"isSuggested": False, "items": []}),
    f"{_TYPE}/fields/*": Kind(
        ids="referenceName", defaults={"customization": "custom", "readOnly": False}
    ),
    f"{_TYPE}/rules/*": Kind(defaults={"customizationType": "custom", "isDisabled": False}),
    f"{_TYPE}/states/*": Kind(
        named=True, defaults={"customizationType": "custom", "hidden": False, "order": 1}
    ),
    f"{_TYPE}/layout/pages/*": Kind(
        defaults={
            "inherited": False,
            "visible": True,
            "locked": False,
            "pageType": "custom",
            "isContribution": False,
        }
    ),
}
# Types of service connections, as far as modules look them up: each with its display name.
_TYPES = """
azurerm Azure Resource Manager
generic Generic
bitbucket Bitbucket Cloud
aws AWS
github GitHub
dockerregistry Docker Registry
kubernetes Kubernetes
externalnpmregistry npm
externalnugetfeed NuGet
sonarqube SonarQube Server
ssh SSH
argocd Argo CD
artifactoryService Artifactory
AzureServiceBus Azure Service Bus
AZDOAPI Azure DevOps
azdoapi Azure DevOps API
blackducksca Black Duck SCA
CheckmarxASTService Checkmarx One
Checkmarx-Endpoint Checkmarx SAST
SCA-Endpoint Checkmarx SCA
lcsserviceendpoint Dynamics Lifecycle Services
externaltfs Azure Repos/Team Foundation Server
GoogleCloudServiceEndpoint GCP for Terraform
git Other Git
githubenterprise GitHub Enterprise Server
gitlab GitLab
incomingwebhook Incoming WebHook
Jenkins Jenkins
jfrogArtifactoryService JFrog Artifactory V2
jfrogDistributionService JFrog Distribution V2
jfrogPlatformService JFrog Platform V2
jfrogXrayService JFrog Xray V2
externalmavenrepository Maven
NexusIqServiceConnection Nexus IQ
OctopusEndpoint Octopus Deploy
openshift OpenShift
servicefabric Service Fabric
SnykAuth Snyk Authentication
sonarcloud SonarQube Cloud
externalpypifeed Python package download
TFSMarketplacePublishing Visual Studio Marketplace
"""
ENDPOINT_TYPES = dict(line.split(" ", 1) for line in _TYPES.strip().splitlines())
