"""Azure DevOps' REST on loopback, as far as the azuredevops provider needs it.

It starts (resource locations), finds and makes projects, and creates, reads, changes, shares, tests
and deletes service connections; those with workload identity federation get issuer and subject.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops import locations, subjects
from pytest_tfoidc.mockazure.devops.call import (
    DevOpsError,
    Document,
    listed,
    nowhere,
    only,
    queued,
    read_body,
    read_items,
)
from pytest_tfoidc.mockazure.devops.locations import find as find_route
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    DevOpsSnapshot,
    Organization,
    Required,
    guid,
    part,
)
from pytest_tfoidc.mockazure.devops.verbs import VERBS
from pytest_tfoidc.mockazure.requests import parse_query, split_path
from pytest_tfoidc.mockazure.tokens import BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.devops.locations import Found
    from pytest_tfoidc.mockazure.tokens import AccessTokens

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
AGILE = "adcc42ab-9882-485e-a3ed-7678f01f66bc"
AUDIENCE = "499b84ac-1321-427f-aa17-267ca6975798"  # Azure DevOps' application in every tenant
APIS = "_apis"
CHANGEABLE = {"name", "description", "visibility"}  # of a project
FEATURE_PARTS = 4  # host/project/PROJECT/FEATURE
REFERENCES = "serviceEndpointProjectReferences"
FEDERATION = "WorkloadIdentityFederation"
SIGN_IN = "<html><head><title>Azure DevOps Services | Sign In</title></head></html>"


@dataclass(frozen=True)
class Connection:
    """A service connection: who an ID token that is asked for with its id is for."""

    id: str
    name: str
    project: str
    issuer: str
    subject: str


class AzureDevOps:
    """Azure DevOps' answers. Thread safe.

    An organization or a project that a configuration names is there from its first use.

    Args:
        clock: Tells the virtual time.
        access_tokens: Checks callers' bearers; a personal access token (Basic) is taken as it is.
        tenant_id: The tenant that organizations belong to.
        organization: The name of the job's own organization.
        project: The name of a project that is there from the start.
        issuer: The issuer of the ID tokens of service connections that are created here.
        identify: Gives issuer and subject of such a connection by its id, name, project and
            organization, where they are not this issuer and `sc://…`.
        admits: Tells whether an organization that nobody made may be used.
        secrets_of: Lists the secrets of a key vault, without their values.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        *,
        access_tokens: AccessTokens,
        clock: Clock,
        tenant_id: str = "",
        organization: str = "org",
        project: str = "project",
        issuer: str = "",
        identify: Callable[[str, str, str, str], tuple[str, str]] | None = None,
        admits: Callable[[str], bool] = lambda _name: False,
        secrets_of: Callable[[str], list[Document]] = lambda _vault: [],
    ) -> None:
        self._admits = admits
        self._clock = clock
        self._secrets_of = secrets_of
        self._tenant_id = tenant_id
        self._identify = identify or self._usual_identity
        self._tokens = access_tokens
        self.organization = organization
        self._issuer = issuer or f"https://vstoken.dev.azure.com/{guid(organization)}"
        self._lock = threading.RLock()
        self._organizations = {organization.lower(): Organization(organization)}
        self._here = self._organizations[organization.lower()]  # which is being served
        self._add_project({"name": project})

    def handle(self, request: Request) -> Response:
        """Answer a request. Errors are Azure DevOps' own, never a 5xx."""
        with self._lock:
            try:
                return self._answer(request)
            except DevOpsError as error:
                return error.response()
            finally:
                self._here = self._organizations[self.organization.lower()]

    @property
    def _projects(self) -> dict[str, Document]:
        return self._here.projects

    @property
    def _endpoints(self) -> dict[str, Document]:
        return self._here.endpoints

    def _answer(self, request: Request) -> Response:
        if not self._is_known(request):
            suppressed = request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress"
            status = 401 if suppressed else 203
            return Response.text(SIGN_IN, status=status, kind="text/html")
        organization, *segments = split_path(request.target) or ("",)
        key = organization.lower()
        if key not in self._organizations:
            if not organization or not self._admits(organization):
                message = f"TF400813: The organization '{organization}' does not exist."
                raise DevOpsError(404, "OrganizationNotFoundException", message)
            self._organizations[key] = Organization(organization)
        self._here = self._organizations[key]
        return self._route(request, tuple(segments))

    def _is_known(self, request: Request) -> bool:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return bool(value.strip())
        try:
            self._tokens.verify(request, AUDIENCE)
        except BearerRefused:
            return False
        return True

    def plays(self, request: Request) -> bool:
        """Tell whether a path of dev.azure.com is answered here; the real one has many more."""
        segments = split_path(request.target)[1:]
        found = find_route(segments)
        if found is not None and found.words in VERBS:
            return True
        words = _words_of(segments)
        if words is None:
            return False
        return words == () or any(words[: len(known)] == known for known in self._routes())

    def _routes(self) -> dict[tuple[str, ...], Callable[..., Response]]:
        return {
            # which service lives where: an empty list says that all of them live here
            ("resourceareas",): lambda *_: listed([]),
            ("connectiondata",): self._connection_data,
            ("projects",): self._project,
            ("operations",): self._operation,
            ("organization", "collections", "me"): self._organization_data,
            ("featuremanagement", "featurestates"): self._feature,
            ("featuremanagement", "featurestatesquery"): self._features,
            ("serviceendpoint", "endpoints"): self._endpoint,
            ("serviceendpoint", "endpointproxy"): self._proxy,
        }

    def _route(self, request: Request, segments: tuple[str, ...]) -> Response:
        words = _words_of(segments)
        if words == () and request.method == "OPTIONS":
            return listed(locations.listing())
        found = find_route(segments)
        if found is not None and found.words in VERBS:
            return VERBS[found.words](self._call(request, found))
        if words is None:
            raise nowhere(request)
        project = "" if segments[0].lower() == APIS else segments[0]
        names = segments[len(segments) - len(words) :]
        for words_of, answer in self._routes().items():
            if words[: len(words_of)] == words_of:
                return answer(request, project, names[len(words_of) :])
        raise nowhere(request)

    def _call(self, request: Request, found: Found) -> Call:
        project = found.values.get("project", "")
        if found.words.startswith("projects/"):
            project = found.values.get("projectId", "")
        return Call(
            organization=self._here,
            request=request,
            found=replace(found, values=Required(found.values)),
            query=parse_query(request.target),
            project=Required(self._find_project(project) if project else {}),
            now=f"{self._clock.now():%Y-%m-%dT%H:%M:%S.000Z}",
        )

    def _connection_data(self, *_: object) -> Response:
        user = {"id": guid("user"), "providerDisplayName": "pytest-tfoidc", "isActive": True}
        return Response.json(
            {
                "authenticatedUser": user,
                "authorizedUser": user,
                "instanceId": guid(self._here.name),
                "deploymentType": "hosted",
            }
        )

    def _organization_data(self, request: Request, *_: object) -> Response:
        """Tell what an organization says of itself."""
        only(request, "GET")
        return Response.json(
            {
                "id": guid(f"organization:{self._here.name}"),
                "name": self._here.name,
                "status": "enabled",
                "owner": guid("user"),
                "tenantId": self._tenant_id,
                "preferredRegion": "WEU",
            }
        )

    @staticmethod
    def _operation(request: Request, _: str, rest: tuple[str, ...]) -> Response:
        """Answer that an operation has succeeded: each has by the time that it can be asked for."""
        only(request, "GET")
        if not rest:
            raise nowhere(request)
        return Response.json({"id": rest[0], "status": "succeeded"})

    def _feature(self, request: Request, _: str, rest: tuple[str, ...]) -> Response:
        """Answer for one feature of a project: `host/project/PROJECT/FEATURE`."""
        only(request, "GET", "PATCH")
        if len(rest) != FEATURE_PARTS:
            raise nowhere(request)
        project, feature = rest[2].lower(), rest[3]
        if request.method == "PATCH":
            self._here.features[project, feature] = str(read_body(request).get("state"))
        return Response.json(self._feature_state(project, feature))

    def _features(self, request: Request, _: str, __: tuple[str, ...]) -> Response:
        """Answer which of the features that are asked for a project has enabled."""
        only(request, "POST")
        body = read_body(request)
        project = str(part(body, "scopeValues").get("project", "")).lower()
        wanted = body.get("featureIds")
        names = [str(name) for name in wanted] if isinstance(wanted, list) else []
        states = {name: self._feature_state(project, name) for name in names}
        return Response.json({**body, "featureStates": states})

    def _feature_state(self, project: str, feature: str) -> Document:
        state = self._here.features.get((project, feature), "enabled")
        scope = {"settingScope": "project", "userScoped": False}
        return {"featureId": feature, "state": state, "scope": scope}

    # projects

    def _project(self, request: Request, _: str, rest: tuple[str, ...]) -> Response:
        if not rest:
            only(request, "GET", "POST")
            if request.method == "GET":
                return listed(list(self._projects.values()))
            self._add_project(read_body(request))
            return queued()
        project = self._find_project(rest[0])
        only(request, "GET", "PATCH", "DELETE")
        if request.method == "GET":
            return Response.json(project)
        if request.method == "PATCH":
            changed = {k: v for k, v in read_body(request).items() if k in CHANGEABLE}
            self._projects[project["id"]] = {**project, **changed}
        else:
            del self._projects[project["id"]]
            self._here.forget(project["id"])
            subjects.remove_project(self._here, str(project["id"]))
            self._here.gone |= {project["id"], str(project["name"]).lower()}
        return queued()

    def _add_project(self, body: Document) -> None:
        name = str(body.get("name") or "")
        if not name or any(p["name"].lower() == name.lower() for p in self._projects.values()):
            message = f"TF200019: The project '{name}' already exists, or has no valid name."
            raise DevOpsError(409, "ProjectAlreadyExistsException", message)
        template = {"templateName": "Agile", "templateTypeId": AGILE}
        capabilities = {
            "versioncontrol": {"sourceControlType": "Git", "gitEnabled": "True"},
            "processTemplate": template,
        }
        given = body.get("capabilities")
        written = given if isinstance(given, dict) else {}
        home = self._here.name.lower() == self.organization.lower()
        owner = "" if home else f"{self._here.name.lower()}/"
        project_id = str(body.get("id") or guid(f"project:{owner}{name}"))
        self._here.gone -= {project_id, name.lower()}
        self._projects[project_id] = {
            "id": project_id,
            "name": name,
            "description": body.get("description") or "",
            "state": "wellFormed",
            "revision": 1,
            "visibility": body.get("visibility") or "private",
            "capabilities": {**capabilities, **written},
        }

    def _find_project(self, name: str) -> Document:
        wanted = name.lower()
        for project in self._projects.values():
            if wanted in {project["id"], str(project["name"]).lower()}:
                return project
        if wanted not in self._here.gone and self._admits(self._here.name):
            is_id = GUID.fullmatch(wanted) is not None
            named = {"id": wanted, "name": f"project-{wanted[:8]}"} if is_id else {"name": name}
            self._add_project(named)
            return self._find_project(name)
        message = f"TF200016: The following project does not exist: {name}. Verify its name."
        raise DevOpsError(404, "ProjectDoesNotExistWithNameException", message)

    # service connections

    def _endpoint(self, request: Request, project: str, rest: tuple[str, ...]) -> Response:
        if project:
            self._find_project(project)
        if not rest:
            only(request, "GET", "POST")
            if request.method == "GET":
                return listed(self._listed_endpoints(request))
            return Response.json(self._create_endpoint(read_body(request)))
        known = self._endpoints.get(rest[0].lower())
        only(request, "GET", "PUT", "PATCH", "DELETE")
        if request.method == "GET":
            return Response.json(known)  # null where there is none, as the service says it
        if known is None:
            message = f"Service connection with id {rest[0]} was not found."
            raise DevOpsError(404, "ServiceEndpointNotFoundException", message)
        if request.method == "DELETE":
            self._leave(known, parse_query(request.target).get("projectids", ""))
            return Response(204)
        if request.method == "PATCH":
            self._share(known, read_items(request))
            return Response(204)
        return Response.json(self._store_endpoint(known["id"], read_body(request), known))

    def _share(self, endpoint: Document, references: list[Any]) -> None:
        """Let more projects have a service connection."""
        given = [r for r in references if isinstance(r, dict)]
        kept = _references(endpoint, without=_projects_of({REFERENCES: given}))
        self._endpoints[endpoint["id"]] = {**endpoint, REFERENCES: [*kept, *given]}

    def _leave(self, endpoint: Document, projects: str) -> None:
        """Take a service connection from projects; it is gone once no project has it."""
        left = _references(endpoint, without={p.lower() for p in projects.split(",")})
        if projects and left:
            self._endpoints[endpoint["id"]] = {**endpoint, REFERENCES: left}
        else:
            del self._endpoints[endpoint["id"]]

    def _listed_endpoints(self, request: Request) -> list[Document]:
        query = parse_query(request.target)
        names = {n.lower() for n in query.get("endpointnames", "").split(",")} - {""}
        ids = {i.lower() for i in query.get("endpointids", "").split(",")} - {""}
        kind = query.get("type", "").lower()
        return [
            e
            for e in self._endpoints.values()
            if (not names or str(e.get("name")).lower() in names)
            and (not ids or e["id"] in ids)
            and kind in {"", str(e.get("type")).lower()}
        ]

    def _create_endpoint(self, body: Document) -> Document:
        name = str(body.get("name") or "")
        mine = _projects_of(body)
        taken = [e for e in self._endpoints.values() if e.get("name") == name]
        if not name or any(_projects_of(e) & mine or not mine for e in taken):
            message = f"Service connection with name {name} already exists, or has no valid name."
            raise DevOpsError(409, "DuplicateServiceConnectionException", message)
        return self._store_endpoint(str(uuid.uuid4()), body, {})

    def _store_endpoint(self, endpoint_id: str, body: Document, before: Document) -> Document:
        document = {
            **body,
            "data": part(body, "data"),
            "id": endpoint_id,
            "isReady": True,
            "owner": body.get("owner") or "library",
            "operationStatus": {"state": "Ready", "statusMessage": ""},
            "createdBy": {"id": guid("user"), "displayName": "pytest-tfoidc"},
        }
        authorization = body.get("authorization")
        if isinstance(authorization, dict):
            document["authorization"] = self._authorized(endpoint_id, document, before)
        others = _references(before, without=_projects_of(body))
        document[REFERENCES] = [*_references(body), *others]
        document["isShared"] = len(document[REFERENCES]) > 1
        self._endpoints[endpoint_id] = document
        return document

    def _authorized(self, endpoint_id: str, document: Document, before: Document) -> Document:
        """Return an authorization what the service adds, and take out what it never gives back."""
        authorization = document["authorization"]
        given = authorization.get("parameters")
        parameters = dict(given) if isinstance(given, dict) else {}
        parameters.pop("serviceprincipalkey", None)
        if authorization.get("scheme") != FEDERATION:
            return {**authorization, "parameters": parameters}
        old = part(part(before, "authorization"), "parameters")
        if not parameters.get("serviceprincipalid"):
            made = old.get("serviceprincipalid") or guid(f"app:{endpoint_id}")
            parameters["serviceprincipalid"] = made
        issuer, subject = self._identify(
            endpoint_id, str(document.get("name")), self._project_of(document), self._here.name
        )
        parameters["workloadIdentityFederationIssuer"] = issuer
        parameters["workloadIdentityFederationSubject"] = subject
        return {**authorization, "parameters": parameters}

    def _usual_identity(
        self, _: str, name: str, project: str, organization: str
    ) -> tuple[str, str]:
        return self._issuer, f"sc://{organization}/{project}/{name}"

    def _project_of(self, document: Document) -> str:
        references = document.get(REFERENCES)
        first = references[0] if isinstance(references, list) and references else {}
        reference = part(first if isinstance(first, dict) else {}, "projectReference")
        key = str(reference.get("id", "")).lower()
        projects = (o.projects for o in self._organizations.values() if key in o.projects)
        known = next(projects, {}).get(key, {})
        return str(known.get("name") or reference.get("name") or reference.get("id") or "")

    def _proxy(self, request: Request, project: str, rest: tuple[str, ...]) -> Response:
        """Test a connection: it works. Or ask something by it: which secrets a key vault has."""
        self._find_project(project)
        only(request, "POST")
        if rest:
            raise nowhere(request)
        details = part(read_body(request), "dataSourceDetails")
        result: list[str] = []
        if str(details.get("dataSourceName")).startswith("AzureKeyVaultSecrets"):
            vault = str(part(details, "parameters").get("KeyVaultName") or "")
            result = [json.dumps({"value": self._secrets_of(vault), "nextLink": None})]
        return Response.json({"statusCode": "ok", "errorMessage": "", "result": result})

    # for the rest of the stand-in

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The service connections with workload identity federation, for issuer and Entra."""
        with self._lock:
            return tuple(
                Connection(
                    id=e["id"],
                    name=str(e.get("name")),
                    project=self._project_of(e),
                    issuer=parameters["workloadIdentityFederationIssuer"],
                    subject=parameters["workloadIdentityFederationSubject"],
                )
                for e in self._all_endpoints().values()
                if (authorization := part(e, "authorization")).get("scheme") == FEDERATION
                and "workloadIdentityFederationIssuer"
                in (parameters := part(authorization, "parameters"))
            )

    def identities(self) -> dict[str, tuple[str, str] | None]:
        """Return who the ID tokens of each service connection are by and for, by its id.

        None is for a connection without workload identity federation, or put back to a secret.
        """
        with self._lock:
            federated = {c.id: (c.issuer, c.subject) for c in self.connections}
            return {key: federated.get(key) for key in self._all_endpoints()}

    def _all_endpoints(self) -> dict[str, Document]:
        return {k: e for o in self._organizations.values() for k, e in o.endpoints.items()}

    def snapshot(self) -> DevOpsSnapshot:
        """Return everything that there is, to be restored later."""
        with self._lock:
            home, *others = self._organizations.values()
            return replace(home.snapshot(), others={o.name: o.snapshot() for o in others})

    def restore(self, snapshot: DevOpsSnapshot) -> None:
        """Go back to what there was."""
        with self._lock:
            self._here.restore(snapshot)
            self._organizations = {self.organization.lower(): self._here}
            for name, held in snapshot.others.items():
                self._organizations[name.lower()] = made = Organization(name)
                made.restore(held)


def _projects_of(endpoint: Mapping[str, Any]) -> set[str]:
    """Return the projects that have a service connection; its name is taken in each."""
    return {_project_of(reference) for reference in _references(endpoint)}


def _project_of(reference: Document) -> str:
    return str(part(reference, "projectReference").get("id")).lower()


def _references(
    endpoint: Mapping[str, Any], *, without: Collection[str] = frozenset()
) -> list[Document]:
    """Return what says which projects have a service connection, but for those of some."""
    found = endpoint.get(REFERENCES)
    given = [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []
    return [reference for reference in given if _project_of(reference) not in without]


def _words_of(segments: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what follows `_apis` in a path behind the organization; None for other paths."""
    lower = tuple(s.lower() for s in segments)
    if lower[:1] == (APIS,):
        return lower[1:]
    return lower[2:] if lower[1:2] == (APIS,) else None
