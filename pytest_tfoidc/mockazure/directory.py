"""Who exists in the stand-in: tenants, applications, and the pipelines that may act as them.

What a configuration names is there from its first use; `strict` leaves only what was listed.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from pytest_tfoidc.entrafacts import LOGIN_HOSTS, PUBLIC
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.mockazure.federated import FederatedCredential
from pytest_tfoidc.pipelinekinds import RECORDS

TENANT_ID = "7e57ab1e-0000-4000-8000-000000000001"
SUBSCRIPTION_ID = "7e57ab1e-0000-4000-8000-000000000002"
CLIENT_ID = "7e57ab1e-0000-4000-8000-000000000003"
OBJECT_ID = "7e57ab1e-0000-4000-8000-000000000004"
CONNECTION_ID = "7e57ab1e-0000-4000-8000-000000000005"
ORGANIZATION_ID = "7e57ab1e-0000-4000-8000-000000000006"
PROJECT_ID = "7e57ab1e-0000-4000-8000-000000000007"
PLAN_ID = "7e57ab1e-0000-4000-8000-000000000008"
JOB_ID = "7e57ab1e-0000-4000-8000-000000000009"

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+", re.IGNORECASE)
MACRO = re.compile(r"\$[({].*[)}]", re.DOTALL)
HOME_DOMAIN = "pytest-tfoidc.onmicrosoft.com"
NAMED_KINDS = ("subscription", "tenant", "client", "connection", "organization")

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
            "entra": f"https://{LOGIN_HOSTS[PUBLIC]}/{self.tenant_id}/v2.0",
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
        """The value of SYSTEM_OIDCREQUESTURI in a job."""
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
        """The value of ACTIONS_ID_TOKEN_REQUEST_URL in a job: it has a query already."""
        host = "https://run-actions-1-azure-eastus.actions.githubusercontent.com"
        return f"{host}/1//idtoken/{PLAN_ID}/{JOB_ID}?api-version=2.0"


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application and its service principal, or a managed identity.

    `is_usual`: it trusts the usual pipelines and the service connections that are named.
    """

    client_id: str = CLIENT_ID
    object_id: str = OBJECT_ID
    credentials: tuple[FederatedCredential, ...] = ()
    is_usual: bool = False


def _federation(issuer: str, subject: str) -> FederatedCredential:
    ids = {"tenant": TENANT_ID, "plan": PLAN_ID, "project": PROJECT_ID, "job": JOB_ID}
    return FederatedCredential(issuer=issuer.format(**ids), subject=subject.format(**ids))


# Who the jobs of the other pipelines are.
OTHERS = MappingProxyType(
    {kind.name: _federation(*kind.federation) for kind in RECORDS if kind.federation}
)


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The identities that may be named: all, or where it is strict these, in lower case."""

    strict: bool = False
    listed: frozenset[tuple[str, str]] = frozenset()

    def admits(self, kind: str, name: str) -> bool:
        """Tell whether a name of one of `NAMED_KINDS` may be used although nobody made it."""
        return not self.strict or (kind, name.lower()) in self.listed


EVERYTHING = Identities()


@dataclass
class Directory:
    """The tenants as they stand; tests may change them.

    `tenant_id`, `subscription_id` and `client_id` are those of the job's own environment.
    `connection` is the one that the job names; `connections` are more, which it may name as well;
    `named_connections` are those that a configuration has named.
    """

    tenant_id: str = TENANT_ID
    subscription_id: str = SUBSCRIPTION_ID
    client_id: str = CLIENT_ID
    named: Identities = EVERYTHING
    connection: ServiceConnection = field(default_factory=ServiceConnection)
    workflow: Workflow = field(default_factory=Workflow)
    connections: tuple[ServiceConnection, ...] = ()
    others: Mapping[str, FederatedCredential] = field(default_factory=lambda: OTHERS)
    applications: dict[str, Application] = field(default_factory=dict)
    named_connections: dict[str, ServiceConnection] = field(default_factory=dict)
    usual: tuple[FederatedCredential, ...] = ()

    def __post_init__(self) -> None:
        """Let every pipeline act as the one application, unless others were given."""
        if not self.usual:
            trusted = tuple(
                FederatedCredential(issuer=p.issuer, subject=p.subject)
                for p in (self.connection, self.workflow)
            )
            self.usual = (*trusted, *dict.fromkeys(self.others.values()))
        if not self.applications:
            key = self.client_id.lower()
            self.applications[key] = Application(
                client_id=self.client_id, credentials=self.usual, is_usual=True
            )

    def tenant(self, name: str) -> str | None:
        """Return the id of a tenant by its id or one of its domains; None where there is none."""
        key = name.lower()
        if key in {self.tenant_id.lower(), HOME_DOMAIN}:
            return self.tenant_id
        if not self.named.admits("tenant", key):
            return None
        if GUID.fullmatch(key):
            return key
        return tenant_of_domain(key) if DOMAIN.fullmatch(key) else None

    def application(self, client_id: str) -> Application | None:
        """Return an application that was configured, or that a sign-in names; None without."""
        known = self.applications.get(client_id.lower())
        if known is None and GUID.fullmatch(client_id) and self.named.admits("client", client_id):
            known = Application(client_id=client_id, object_id="", is_usual=True)
        if known is None or not known.is_usual:
            return known
        credentials = known.credentials or self.usual
        more = [
            FederatedCredential(issuer=c.issuer, subject=c.subject)
            for c in self.named_connections.values()
        ]
        return replace(known, credentials=(*credentials, *more))

    def name_connection(self, connection_id: str) -> ServiceConnection | None:
        """Return the service connection of an id that a configuration names; None if it may not."""
        key = connection_id.lower()
        if not GUID.fullmatch(key) or not self.named.admits("connection", key):
            return None
        if key not in self.named_connections:
            made = replace(self.connection, id=key, name=f"connection-{key[:8]}", federated=True)
            self.named_connections[key] = made
        return self.named_connections[key]

    def trust(
        self,
        *credentials: FederatedCredential,
        client_id: str | None = None,
        object_id: str | None = None,
    ) -> Application:
        """Let an application have exactly these federated credentials; make it if need be.

        Args:
            credentials: Whose ID tokens it accepts; none leaves it without any.
            client_id: The application's (client) id; the job's own where it is not given.
            object_id: Its service principal's id, for one that is new.
        """
        client_id = client_id or self.client_id
        known = self.applications.get(client_id.lower())
        object_id = object_id or (known.object_id if known else str(uuid.uuid4()))
        made = Application(client_id=client_id, object_id=object_id, credentials=credentials)
        self.applications[client_id.lower()] = made
        return made

    def snapshot(self) -> Directory:
        """Return a copy, for `restore`."""
        return replace(self, applications=dict(self.applications))

    def restore(self, held: Directory) -> None:
        """Put back what `snapshot` gave.

        Connections that were named stay: relays go on to serve the ID tokens that they hold.
        """
        named = self.named_connections
        for part in fields(self):
            setattr(self, part.name, getattr(held, part.name))
        self.applications, self.named_connections = dict(held.applications), named


def home_of(environment: Mapping[str, str], *, named: Identities = EVERYTHING) -> Directory:
    """Return a directory whose own tenant, application and subscription an environment names.

    Args:
        environment: ARM_TENANT_ID, ARM_CLIENT_ID and ARM_SUBSCRIPTION_ID of it are used where they
            are set; a macro that nobody has expanded is not.
        named: What else may be used.

    Raises:
        UsageError: A variable holds something else than an id.
    """
    tenant = _own(environment, "ARM_TENANT_ID")
    if tenant and not GUID.fullmatch(tenant):
        if not DOMAIN.fullmatch(tenant):
            raise _no_guid("ARM_TENANT_ID", "tenant", " or a domain name")
        tenant = tenant_of_domain(tenant)
    ids = {"client": "ARM_CLIENT_ID", "subscription": "ARM_SUBSCRIPTION_ID"}
    given = {kind: _own(environment, variable) for kind, variable in ids.items()}
    for kind, variable in ids.items():
        if given[kind] and not GUID.fullmatch(given[kind]):
            raise _no_guid(variable, kind, "")
    return Directory(
        tenant_id=tenant.lower() or TENANT_ID,
        client_id=given["client"].lower() or CLIENT_ID,
        subscription_id=given["subscription"].lower() or SUBSCRIPTION_ID,
        named=named,
    )


def _own(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    return "" if MACRO.fullmatch(value) else value


def _no_guid(variable: str, kind: str, alternative: str) -> UsageError:
    return UsageError(
        f"{variable} names no {kind}.",
        where=variable,
        cause=f"it is no GUID{alternative}, and the stand-in uses your own {kind}",
        remedy="Correct it, or unset it for the stand-in's own.",
    )


def parse_identities(texts: Iterable[str], *, strict: bool, where: str) -> Identities:
    """Read a list of what may be used, one `KIND=ID` each.

    Args:
        texts: Such as `subscription=00000000-…`; the kinds are those of `NAMED_KINDS`.
        strict: Whether everything else is refused.
        where: The option's name, for errors.

    Raises:
        UsageError: A text is no pair, its kind is unknown, or its id no GUID.
    """
    listed = set()
    for text in texts:
        kind, equals, name = (part.strip().lower() for part in text.partition("="))
        if not equals or kind not in NAMED_KINDS:
            remedy = f"Write KIND=ID, with one of the kinds {', '.join(NAMED_KINDS)}."
            raise UsageError(f"{text!r} is no identity.", where=where, remedy=remedy)
        is_domain = kind == "tenant" and DOMAIN.fullmatch(name)
        if kind != "organization" and not is_domain and not GUID.fullmatch(name):
            raise UsageError(
                f"{name!r} is no {kind}.", where=where, cause=f"the id of a {kind} is a GUID"
            )
        listed.add((kind, name))
    return Identities(strict=strict, listed=frozenset(listed))


def tenant_of_domain(domain: str) -> str:
    """Return the id of the tenant that a domain belongs to: always the same for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, domain.lower()))


def organization_id_of(name: str) -> str:
    """Return the id of an Azure DevOps organization: always the same for a name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://dev.azure.com/{name.lower()}"))


def principal_in(tenant_id: str, client_id: str) -> str:
    """Return the id of an application's service principal in a tenant."""
    return str(uuid.uuid5(uuid.UUID(tenant_id), client_id.lower()))


def _short(guid: str) -> str:
    """Write a GUID as Entra does inside of subjects."""
    return base64.urlsafe_b64encode(uuid.UUID(guid).bytes_le).decode().rstrip("=")
