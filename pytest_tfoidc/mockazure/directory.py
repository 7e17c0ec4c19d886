"""Who exists in the stand-in: a tenant, an application and the pipelines that may act as it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_AUDIENCE = "api://AzureADTokenExchange"

TENANT_ID = "7e57ab1e-0000-4000-8000-000000000001"
SUBSCRIPTION_ID = "7e57ab1e-0000-4000-8000-000000000002"
CLIENT_ID = "7e57ab1e-0000-4000-8000-000000000003"
OBJECT_ID = "7e57ab1e-0000-4000-8000-000000000004"
CONNECTION_ID = "7e57ab1e-0000-4000-8000-000000000005"
ORGANIZATION_ID = "7e57ab1e-0000-4000-8000-000000000006"
PROJECT_ID = "7e57ab1e-0000-4000-8000-000000000007"
PLAN_ID = "7e57ab1e-0000-4000-8000-000000000008"
JOB_ID = "7e57ab1e-0000-4000-8000-000000000009"

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True, kw_only=True)
class ServiceConnection:
    """An Azure DevOps service connection with workload identity federation."""

    id: str = CONNECTION_ID
    name: str = "stand-in"
    organization: str = "tfoidc"
    organization_id: str = ORGANIZATION_ID
    project: str = "stand-in"
    project_id: str = PROJECT_ID

    @property
    def issuer(self) -> str:
        """The `iss` of its ID tokens."""
        return f"https://vstoken.dev.azure.com/{self.organization_id}"

    @property
    def subject(self) -> str:
        """The `sub` of its ID tokens."""
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
class FederatedCredential:
    """Whose ID tokens an application accepts."""

    issuer: str
    subject: str
    audience: str = DEFAULT_AUDIENCE


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
    """The tenant as it stands; tests may change it."""

    tenant_id: str = TENANT_ID
    subscription_id: str = SUBSCRIPTION_ID
    connection: ServiceConnection = field(default_factory=ServiceConnection)
    workflow: Workflow = field(default_factory=Workflow)
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
