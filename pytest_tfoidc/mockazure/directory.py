"""Who exists in the stand-in: a tenant, an application and the pipelines that may act as it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from pytest_tfoidc.mockazure.federated import FederatedCredential

TENANT_ID = "7e57ab1e-0000-4000-8000-000000000001"
SUBSCRIPTION_ID = "7e57ab1e-0000-4000-8000-000000000002"
CLIENT_ID = "7e57ab1e-0000-4000-8000-000000000003"
OBJECT_ID = "7e57ab1e-0000-4000-8000-000000000004"
CONNECTION_ID = "7e57ab1e-0000-4000-8000-000000000005"
ORGANIZATION_ID = "7e57ab1e-0000-4000-8000-000000000006"
PROJECT_ID = "7e57ab1e-0000-4000-8000-000000000007"
PLAN_ID = "7e57ab1e-0000-4000-8000-000000000008"
JOB_ID = "7e57ab1e-0000-4000-8000-000000000009"

OLDEST_ISSUER = "https://app.vstoken.visualstudio.com"
AZURE_DEVOPS_APP_ID = "499b84ac-1321-427f-aa17-267ca6975798"
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class ServiceConnection:
    """An Azure DevOps service connection.

    `issued_by`: who its ID tokens are by: `organization` (Azure DevOps', per organization),
    `entra` (newer connections) or `oldest`. `federated` is False for one that was made with a
    secret, or was put back to that: nobody gets ID tokens for it.
    """

    id: str = CONNECTION_ID
    name: str = "stand-in"
    organization: str = "tfoidc"
    organization_id: str = ORGANIZATION_ID
    project: str = "stand-in"
    project_id: str = PROJECT_ID
    tenant_id: str = TENANT_ID
    issued_by: str = "organization"
    federated: bool = True

    @property
    def issuer(self) -> str:
        """The `iss` of its ID tokens."""
        return {
            "organization": f"https://vstoken.dev.azure.com/{self.organization_id}",
            "entra": f"https://login.microsoftonline.com/{self.tenant_id}/v2.0",
            "oldest": OLDEST_ISSUER,
        }[self.issued_by]

    @property
    def subject(self) -> str:
        """The `sub` of its ID tokens: Entra's form names ids, and so survives renaming."""
        if self.issued_by == "entra":
            tenant, app = _short(self.tenant_id), _short(AZURE_DEVOPS_APP_ID)
            prefix = f"/eid1/c/pub/t/{tenant}/a/{app}"
            return f"{prefix}/sc/{self.organization_id}/{self.id}"
        return f"sc://{self.organization}/{self.project}/{self.name}"

    @property
    def request_url(self) -> str:
        """What a job has in SYSTEM_OIDCREQUESTURI."""
        return (
            f"https://dev.azure.com/{self.organization}/{self.project_id}/_apis/distributedtask"
            f"/hubs/build/plans/{PLAN_ID}/jobs/{JOB_ID}/oidctoken"
        )


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A GitHub Actions job with `permissions: id-token: write`."""

    repository: str = "tfoidc/stand-in"
    ref: str = "refs/heads/main"
    issuer: str = GITHUB_ISSUER

    @property
    def subject(self) -> str:
        """The `sub` of its ID tokens."""
        return f"repo:{self.repository}:ref:{self.ref}"

    @property
    def request_url(self) -> str:
        """What a job has in ACTIONS_ID_TOKEN_REQUEST_URL: it has a query already."""
        host = "https://run-actions-1-azure-eastus.actions.githubusercontent.com"
        return f"{host}/1//idtoken/{PLAN_ID}/{JOB_ID}?api-version=2.0"


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application and its service principal, or a managed identity."""

    client_id: str = CLIENT_ID
    object_id: str = OBJECT_ID
    credentials: tuple[FederatedCredential, ...] = ()


# Who the jobs of the other pipelines are.
OTHERS = MappingProxyType(
    {
        "gitlab": FederatedCredential(
            issuer="https://gitlab.com",
            subject="project_path:tfoidc/stand-in:ref_type:branch:ref:main",
        ),
        "bitbucket": FederatedCredential(
            issuer="https://api.bitbucket.org/2.0/workspaces/tfoidc/pipelines-config/identity/oidc",
            subject=f"{{{PROJECT_ID}}}:{{{JOB_ID}}}",
        ),
        "hcp-terraform": FederatedCredential(
            issuer="https://app.terraform.io",
            subject="organization:tfoidc:project:stand-in:workspace:stand-in:run_phase:apply",
        ),
        "aks": FederatedCredential(
            issuer=f"https://westeurope.oic.prod-aks.azure.com/{TENANT_ID}/{PLAN_ID}/",
            subject="system:serviceaccount:tfoidc:stand-in",
        ),
    }
)


@dataclass
class Directory:
    """The tenant as it stands; tests may change it.

    `connection` is the one that the job names; `connections` are more, which it may name as well.
    """

    tenant_id: str = TENANT_ID
    subscription_id: str = SUBSCRIPTION_ID
    connection: ServiceConnection = field(default_factory=ServiceConnection)
    workflow: Workflow = field(default_factory=Workflow)
    connections: tuple[ServiceConnection, ...] = ()
    others: Mapping[str, FederatedCredential] = field(default_factory=lambda: OTHERS)
    applications: dict[str, Application] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let every pipeline act as the one application, unless others were given."""
        if not self.applications:
            trusted = tuple(
                FederatedCredential(issuer=p.issuer, subject=p.subject)
                for p in (self.connection, self.workflow)
            )
            credentials = (*trusted, *self.others.values())
            self.applications[CLIENT_ID] = Application(credentials=credentials)

    def trust(
        self,
        *credentials: FederatedCredential,
        client_id: str = CLIENT_ID,
        object_id: str | None = None,
    ) -> Application:
        """Let an application have exactly these federated credentials; make it if need be.

        Args:
            credentials: Whose ID tokens it accepts; none leaves it without any.
            client_id: The application's (client) id.
            object_id: Its service principal's id, for one that is new.
        """
        known = self.applications.get(client_id.lower())
        object_id = object_id or (known.object_id if known else str(uuid.uuid4()))
        made = Application(client_id=client_id, object_id=object_id, credentials=credentials)
        self.applications[client_id.lower()] = made
        return made

    def snapshot(self) -> Directory:
        """Give a copy, for `restore`."""
        return replace(self, applications=dict(self.applications))

    def restore(self, held: Directory) -> None:
        """Put back what `snapshot` gave."""
        for part in fields(self):
            setattr(self, part.name, getattr(held, part.name))
        self.applications = dict(held.applications)


def _short(guid: str) -> str:
    """Write a GUID as Entra does inside of subjects."""
    return base64.urlsafe_b64encode(uuid.UUID(guid).bytes_le).decode().rstrip("=")
