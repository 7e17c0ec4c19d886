"""The stand-in for Azure: one proxy on loopback, behind which Azure's hosts answer.

Modules, backends and clients keep their production host names: they reach them through
`HTTPS_PROXY`, and trust the stand-in's CA through `SSL_CERT_FILE`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.entrafacts import EVERY_LOGIN_HOST
from pytest_tfoidc.errors import TfOidcError, UsageError
from pytest_tfoidc.events import (
    EventLog,
    FaultHit,
    HostPassedThrough,
    HostRefused,
    RequestAnswered,
)
from pytest_tfoidc.httpserver import Connection, LoopbackServer, Request, Response
from pytest_tfoidc.mockazure.certificates import CertificateAuthority
from pytest_tfoidc.mockazure.dataplanes.kinds import HOSTS as DATA_HOSTS
from pytest_tfoidc.mockazure.directory import (
    OBJECT_ID,
    Application,
    Directory,
    organization_id_of,
    principal_in,
)
from pytest_tfoidc.mockazure.entra import Entra
from pytest_tfoidc.mockazure.faults import Fault, Faults, SetFault, prepare, send
from pytest_tfoidc.mockazure.issuer import ISSUER_HOSTS, Issuer
from pytest_tfoidc.mockazure.keyvault.access import BEFOREHAND
from pytest_tfoidc.mockazure.organizationhosts import DEVOPS_HOST, as_devops, organization_of
from pytest_tfoidc.mockazure.pipelines import step_environment
from pytest_tfoidc.mockazure.planes import Planes
from pytest_tfoidc.mockazure.proxy import (
    HTTPS_PORT,
    REGISTRY_HOSTS,
    ProxyCredential,
    forward,
    is_git_read,
    is_host_name,
    matches,
    may_pass,
    open_tunnel,
    splice,
)
from pytest_tfoidc.mockazure.request_log import HASH_LENGTH, SeenRequests
from pytest_tfoidc.mockazure.tokens import AccessTokens
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS
from pytest_tfoidc.shortages import remove_tree

INSUFFICIENT_STORAGE = 507  # RFC 4918, 11.5
if TYPE_CHECKING:
    from jwt.types import Options

    from pytest_tfoidc.mockazure.appconfig.service import ConfigurationStores
    from pytest_tfoidc.mockazure.arm.service import ResourceManager
    from pytest_tfoidc.mockazure.devops.service import AzureDevOps
    from pytest_tfoidc.mockazure.graph.service import Graph
    from pytest_tfoidc.mockazure.keyvault.service import KeyVaults
    from pytest_tfoidc.mockazure.storage.accounts import StorageAccounts
    from pytest_tfoidc.mockazure.storage.service import BlobService

Service = Callable[[Request], Response]

STORAGE_HOSTS = tuple(
    f"*.{service}.core.{cloud}"
    for service in ("blob", "queue", "table", "file", "dfs")
    for cloud in ("windows.net", "usgovcloudapi.net", "chinacloudapi.cn")
)
WEBSITE_HOSTS = tuple(
    f"*.web.core.{cloud}" for cloud in ("windows.net", "usgovcloudapi.net", "chinacloudapi.cn")
)
RESOURCE_MANAGER_HOSTS = (
    "management.azure.com",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
)
GRAPH_HOSTS = (
    "graph.microsoft.com",
    "graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)
KEY_VAULT_HOSTS = ("*.vault.azure.net", "*.vault.usgovcloudapi.net", "*.vault.azure.cn")
CONFIGURATION_HOSTS = ("*.azconfig.io", "*.azconfig.azure.us", "*.azconfig.azure.cn")
SERVICES = {  # as faults and inspection name them
    "entra": EVERY_LOGIN_HOST,
    "issuer": ISSUER_HOSTS,
    "blobs": STORAGE_HOSTS,
    "resource-manager": RESOURCE_MANAGER_HOSTS,
    "arm": RESOURCE_MANAGER_HOSTS,
    "graph": GRAPH_HOSTS,
    "key-vaults": KEY_VAULT_HOSTS,
    "app-configuration": CONFIGURATION_HOSTS,
    "data-planes": DATA_HOSTS,
}
DEVOPS_AUDIENCE = "499b84ac-1321-427f-aa17-267ca6975798"
AUDIENCES = {  # of the services that hold data
    STORAGE_HOSTS: "https://storage.azure.com",
    KEY_VAULT_HOSTS: "https://vault.azure.net",
    (DEVOPS_HOST,): DEVOPS_AUDIENCE,
}
WHILE_PUTTING = {"x-ms-version": "2023-11-03", "accept": "application/json"}
CONFLICT = 409
FAILED = 400  # from here on, an HTTP status tells of a failure
EXCERPT = 300  # characters of a service's own words
SIGNATURE_ONLY: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
}
NO_CERTIFICATES = "none"  # an empty folder: all of them are in the bundle, and read once
NO_ANSWER = 0  # instead of a status
SHOWN = 15  # requests, resources and blobs in a dump


class MockAzure(LoopbackServer):
    """Azure on loopback.

    Args:
        clock: The virtual clock, which everything here tells the time by.
        events: Is told of everything that happens.
        environment: The outer environment: its proxy and its certificates are used for registries.
        id_token_lifetime: How long ID tokens live.
        access_token_lifetime: How long access tokens live.
        allowed_hosts: Hosts that are passed through besides the registries; `*` is allowed. Of a
            host that is played here, what is not played goes to the real one, and what comes with
            somebody else's token.
        ca_file: Keeps the CA for the next run, for people who put it into a trust store; a new one
            is made where there is none yet.
        directory: Who there is; the stand-in's own tenant and application where it is not given.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        *,
        clock: VirtualClock,
        events: EventLog,
        environment: Mapping[str, str],
        id_token_lifetime: timedelta = timedelta(minutes=5),
        access_token_lifetime: timedelta = timedelta(minutes=60),
        allowed_hosts: tuple[str, ...] = (),
        ca_file: Path | None = None,
        directory: Directory | None = None,
    ) -> None:
        super().__init__(self._answer_plain, name="tfoidc-mock-azure", admit=self._admit_client)
        self.credential = ProxyCredential()
        self.clock = clock
        self.events = events
        self.directory = directory or Directory()
        self.certificates = CertificateAuthority(ca_file)
        self._environment = dict(environment)
        self._allowed = allowed_hosts
        self._passed_through = (*REGISTRY_HOSTS, *allowed_hosts)
        self._ca_file: Path | None = None
        self.access_tokens = AccessTokens(
            clock=clock, events=events, lifetime=access_token_lifetime
        )
        self._planes = Planes(
            clock=clock,
            events=events,
            access_tokens=self.access_tokens,
            directory=self.directory,
            identify=self._identify_connection,
        )
        self._make_sign_in(id_token_lifetime)
        self.services: dict[tuple[str, ...], Service] = {
            EVERY_LOGIN_HOST: self.entra.handle,
            ISSUER_HOSTS: self._answer_pipeline,
            STORAGE_HOSTS: self._planes.handle_storage,
            WEBSITE_HOSTS: self._planes.handle_website,
            RESOURCE_MANAGER_HOSTS: self._planes.resource_manager.handle,
            GRAPH_HOSTS: self._planes.graph.handle,
            KEY_VAULT_HOSTS: self._planes.key_vaults.handle,
            CONFIGURATION_HOSTS: self._planes.configurations.handle,
            DATA_HOSTS: self._planes.data_planes.handle,
        }
        self.faults = Faults(clock=clock, services=SERVICES)
        self.requests = SeenRequests(SERVICES)

    def _make_sign_in(self, lifetime: timedelta) -> None:
        """Make who gives ID tokens, and who takes them for access tokens."""
        self.issuer = Issuer(
            directory=self.directory,
            clock=self.clock,
            events=self.events,
            connections=self._planes.made_connections,
            lifetime=lifetime,
        )
        self.entra = Entra(
            directory=self.directory,
            issuer=self.issuer,
            access_tokens=self.access_tokens,
            clock=self.clock,
            events=self.events,
            find=self._find_application,
        )

    @property
    def blobs(self) -> BlobService:
        """The blobs of its storage accounts."""
        return self._planes.blobs()

    @property
    def storage(self) -> StorageAccounts:
        """The other services of storage accounts."""
        return self._planes.storage()

    @property
    def resource_manager(self) -> ResourceManager:
        """Resource Manager."""
        return self._planes.resource_manager()

    @property
    def graph(self) -> Graph:
        """Microsoft Graph."""
        return self._planes.graph()

    @property
    def devops(self) -> AzureDevOps:
        """Azure DevOps' REST."""
        return self._planes.devops()

    @property
    def key_vaults(self) -> KeyVaults:
        """The key vaults."""
        return self._planes.key_vaults()

    @property
    def configurations(self) -> ConfigurationStores:
        """The configuration stores."""
        return self._planes.configurations()

    def start(self) -> None:
        """Serve, and write the bundle that clients trust into a private folder.

        Raises:
            TfOidcError: No port, or no temporary folder.
        """
        try:
            folder = Path(tempfile.mkdtemp(prefix="tfoidc-ca-"))
            folder.chmod(stat.S_IRWXU)  # whatever the umask
        except OSError as error:
            raise TfOidcError(
                "The stand-in has nowhere to write its certificate.",
                where=tempfile.gettempdir(),
                cause=str(error),
                remedy="Make the temporary folder writable, or set TMPDIR to one that is.",
            ) from error
        try:
            (folder / NO_CERTIFICATES).mkdir()
            (folder / NO_CERTIFICATES).chmod(stat.S_IRWXU)
            handle, name = tempfile.mkstemp(suffix=".pem", dir=folder)  # mode 0600
            with os.fdopen(handle, "wb") as file:
                file.write(self.certificates.bundle(self._environment))
        except OSError as error:
            remove_tree(folder)
            raise TfOidcError(
                "The stand-in's certificate cannot be written.",
                where=str(folder),
                cause=error.strerror or str(error),
                remedy="Make room on that disk, or set TMPDIR to a folder on another one.",
            ) from error
        self._ca_file = Path(name)
        self.issuer.key.prepare()
        self.access_tokens.key.prepare()
        try:
            super().start()
        except TfOidcError:
            remove_tree(folder)
            raise

    def stop(self) -> None:
        """Close everything, remove the bundle, and say so if one of our handlers had a defect."""
        super().stop()
        if self._ca_file is not None:
            remove_tree(self._ca_file.parent)
        if self.defects:
            raise RuntimeError("the stand-in has a defect") from self.defects[0]

    def snapshot(self) -> tuple[Any, ...]:
        """Return all that the services hold, for `restore`."""
        return tuple(service.snapshot() for service in self._holders())

    def restore(self, held: tuple[Any, ...]) -> None:
        """Put back what `snapshot` gave."""
        for service, part in zip(self._holders(), held, strict=True):
            service.restore(part)

    def snapshot_resources(self) -> tuple[Any, ...]:
        """Return what clients have made: blobs, resources, directory objects, connections."""
        return tuple(service.snapshot() for service in self._services())

    def restore_resources(self, held: tuple[Any, ...]) -> None:
        """Put back what `snapshot_resources` gave."""
        for service, part in zip(self._services(), held, strict=True):
            service.restore(part)

    def _services(self) -> tuple[Any, ...]:
        return self._planes.all

    def _holders(self) -> tuple[Any, ...]:
        settings = (self.directory, self.issuer, self.entra, self.access_tokens, self.faults)
        return (*self._services(), *settings, self.requests)

    def _find_application(self, client_id: str, tenant_id: str) -> Application | None:
        """Find whom Entra knows: configured, made in Graph or in Resource Manager, or named."""
        graph, manager = self._planes.graph.made, self._planes.resource_manager.made
        made = graph is not None and graph.application(client_id) is not None
        identity = manager.principal_id(client_id) if manager else None
        configured = self.directory.applications.get(client_id)
        has_principal = graph is not None and graph.has_principal(client_id)
        if configured is None and made and not identity and not has_principal:
            return None  # an application alone cannot sign in
        own = Application(client_id=client_id, object_id=identity or "")
        is_made = configured is None and (made or identity)
        known = own if is_made else self.directory.application(client_id)
        if known is None:
            return None
        credentials = (
            *known.credentials,
            *(graph.federated_credentials(client_id) if graph else ()),
            *(manager.federated_credentials(client_id) if manager else ()),
        )
        return replace(
            known, credentials=credentials, object_id=self._principal(known, made, tenant_id)
        )

    def _principal(self, known: Application, made: bool, tenant_id: str) -> str:  # noqa: FBT001 - of one call
        """Return the object id that an application has in a tenant: each has its own."""
        principal = self.graph.principal_id(known.client_id, tenant_id) if made else None
        is_home = tenant_id == self.directory.tenant_id
        own = known.object_id if is_home else ""
        return own or principal or principal_in(tenant_id, known.client_id)

    def _identify_connection(
        self, connection_id: str, name: str, project: str, organization: str
    ) -> tuple[str, str]:
        """Return the issuer and subject of a connection that a request makes, as the job's own."""
        ours = self.directory.connection
        is_home = organization.lower() == ours.organization.lower()
        organization_id = ours.organization_id if is_home else organization_id_of(organization)
        made = replace(
            ours,
            id=connection_id,
            name=name,
            project=project,
            organization=organization,
            organization_id=organization_id,
        )
        return made.issuer, made.subject

    def put_there(
        self, url: str, content: bytes, headers: Mapping[str, str], *, method: str = "PUT"
    ) -> None:
        """Put a blob, a secret or a resource of Azure DevOps there that no client made.

        A POST may find it there already: each project has a repository of its name.

        Raises:
            UsageError: The service refuses it, or there is none for this host.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        service = self._service(host)
        audience = next((a for hosts, a in AUDIENCES.items() if matches(host, hosts)), "")
        audience = DEVOPS_AUDIENCE if organization_of(host) else audience
        if service is None or not audience:
            raise UsageError(f"The stand-in does not play {host}.")
        token = self.access_tokens.issue(
            audience=audience,
            client_id=self.directory.client_id,
            object_id=BEFOREHAND if ".vault." in host else OBJECT_ID,
            tenant_id=self._planes.tenant_of_account(host.partition(".")[0])
            or self.directory.tenant_id,
        )
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        own = {"authorization": f"Bearer {token.value}", "host": host, **WHILE_PUTTING}
        length = {"content-length": str(len(content))}
        request = Request(method, "https", host, target, {**own, **length, **headers}, content)
        response = service(request)
        is_there = method == "POST" and response.status == CONFLICT
        if response.status >= FAILED and not is_there:
            said = response.body.decode("utf-8", "replace")[:EXCERPT]
            raise UsageError(f"The service answers {response.status}.", cause=said)

    def fail(self, target: str = "*", **settings: Any) -> SetFault:  # noqa: ANN401 - see Faults.add
        """Let requests fail: `fail("entra", times=2, status=503)`. See `Faults.add`.

        Raises:
            UsageError: A setting cannot be used.
        """
        return self.faults.add(target, **settings)

    def dump(self) -> str:
        """Say what there is and what was asked for last, for people. Holds no secret."""
        manager, seen = self._planes.resource_manager.made, tuple(self.requests)
        resources = manager.resources if manager else {}
        blobs = self._planes.blobs.made
        parts = {
            f"requests (the last of {len(seen)})": [str(r) for r in seen[-SHOWN:]],
            f"resources ({len(resources)})": [d["id"] for d in resources.values()][:SHOWN],
            "blobs": list(blobs.blobs())[:SHOWN] if blobs else [],
            "locked blobs": list(blobs.leases()) if blobs else [],
            "faults": [f"{f.fault}, {f.hits} so far" for f in self.faults.all],
        }
        return "\n".join(
            "\n".join([f"{title}:", *(f"  {line}" for line in lines)])
            for title, lines in parts.items()
            if lines
        )

    @property
    def url(self) -> str:
        """The proxy's URL, with the credential of this run: without it, it answers nobody."""
        return self.credential.url(self.port)

    @property
    def address(self) -> str:
        """Where it listens, without the credential."""
        return super().url

    @property
    def ca_file(self) -> Path:
        """The bundle: the stand-in's CA and the ordinary public ones, PEM."""
        if self._ca_file is None:
            raise RuntimeError("the stand-in has not been started")
        return self._ca_file

    def transport_environment(self) -> dict[str, str]:
        """Return the variables that lead any client here, and none around it."""
        bundle = (
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "NODE_EXTRA_CA_CERTS",
        )
        proxies = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
        around = "127.0.0.1,localhost,::1"
        return {
            **{name: str(self.ca_file) for name in bundle},
            "SSL_CERT_DIR": str(self.ca_file.parent / NO_CERTIFICATES),
            **dict.fromkeys(proxies, self.url),
            **dict.fromkeys(map(str.lower, proxies), self.url),
            "NO_PROXY": around,
            "no_proxy": around,
        }

    def pipeline_environment(
        self, kind: str = AZURE_DEVOPS, *, token_file: str = ""
    ) -> dict[str, str]:
        """Return the variables that a step of such a pipeline has.

        Args:
            kind: One of `pipelinekinds.REHEARSED`.
            token_file: The file that is kept fresh, for a kind that has one.
        """
        step = step_environment(
            kind, directory=self.directory, issuer=self.issuer, token_file=token_file
        )
        return {**self.transport_environment(), **step}

    def _service(self, host: str) -> Service | None:
        if "_" in host:  # no host of Azure's has one, and no certificate may name one
            return None
        if organization_of(host):
            return self._answer_organization
        for patterns, service in self.services.items():
            if matches(host, patterns):
                return service
        return None

    def takes_access_tokens(self, host: str) -> bool:
        """Tell whether a host is a service that checks access tokens."""
        planes = (*STORAGE_HOSTS, *KEY_VAULT_HOSTS, *CONFIGURATION_HOSTS, *DATA_HOSTS)
        return matches(host, (*planes, *RESOURCE_MANAGER_HOSTS, *GRAPH_HOSTS))

    async def answer(self, request: Request, connection: Connection) -> bool:
        """Answer a request of a client, or open the tunnel that it asks for."""
        if request.method == "CONNECT":
            await self._connect(request, connection)
            return False
        return await super().answer(request, connection)

    def _admit_client(self, request: Request) -> Response | None:
        """Let only clients of this run in; inside of a tunnel, only those who mean its host."""
        if request.scheme == "https":
            named = request.headers.get("host", request.host).rpartition(":")
            host = named[0] if named[2].isdecimal() else named[2]
            is_meant = (host or named[2]).lower() == request.host
            return None if is_meant else Response.text("This is another host.", status=421)
        if self.credential.is_shown_by(request.headers):
            return None
        return Response.text(
            "tfoidc: this is the proxy of a test run, for that run's own clients alone",
            status=407,
            headers={"Proxy-Authenticate": 'Basic realm="tfoidc"'},
        )

    async def _connect(self, request: Request, connection: Connection) -> None:
        host, _, port = request.target.rpartition(":")
        host = host.strip("[]").lower()
        if self._service(host) is not None and port == str(HTTPS_PORT):
            try:
                context = self.certificates.context_for(host)
            except OSError as error:  # a certificate needs a file on some machines
                reason = f"tfoidc: there is no certificate for {host}: {error.strerror}"
                await connection.respond(Response.text(reason, status=INSUFFICIENT_STORAGE))
                return
            if await connection.respond_to_connect():
                tls = await connection.start_tls(context, host)
                try:
                    await tls.serve(self._answer_tls)
                finally:
                    tls.writer.close()
        elif port.isdecimal() and may_pass(host, port, self._passed_through):
            await self._pass_through(host, int(port), connection)
        else:
            await connection.respond(self._refuse(host or request.target, port=port))

    async def _answer_tls(self, request: Request, connection: Connection) -> bool:
        fault = self.faults.pick(request)
        if fault is None and self._is_for_the_real_one(request):
            await self._forward(request, connection)
            return False
        if fault is None:
            response = await self.handle(request)
            self._note(request, response.status, body=response.body)
            await connection.respond(response, method=request.method)
            return True
        if fault.effect == "expire":
            self._expire_for(request.host)
        broken = await prepare(fault, request, handle=self.handle)
        whole = broken is not None and fault.effect != "cut"
        status, body = (broken.status, broken.body) if broken and whole else (NO_ANSWER, b"")
        self._note(request, status, body=body, fault=fault)
        if broken is None:
            connection.writer.transport.abort()
            return False
        return await send(fault, broken, connection, method=request.method)

    def _is_played(self, request: Request) -> bool:
        """Tell whether a request of one of our hosts is answered here."""
        request = as_devops(request)
        if request.host != DEVOPS_HOST or request.path.rstrip("/").endswith("/oidctoken"):
            return True
        return ".well-known" in request.path or self.devops.plays(request)

    def _is_for_the_real_one(self, request: Request) -> bool:
        """Tell whether a request goes out: never with a token of ours."""
        is_played, is_allowed = self._is_played(request), matches(request.host, self._allowed)
        if not is_allowed and (is_played or not is_git_read(request)):
            return False
        presented = request.bearer or _assertion(request)
        if presented and self._has_signed(presented):
            return False
        return bool(presented) or not is_played

    def _has_signed(self, token: str) -> bool:
        for key in (self.access_tokens.key, self.issuer.key):
            with contextlib.suppress(jwt.InvalidTokenError):
                jwt.decode(token, key.public, algorithms=["RS256"], options=SIGNATURE_ONLY)
                return True
        return False

    async def _forward(self, request: Request, connection: Connection) -> None:
        self.events.emit(HostPassedThrough(at=self.clock.now(), host=request.host))
        try:
            await forward(request, connection.writer, environment=self._environment)
        except OSError as error:
            message = f"tfoidc could not reach the real {request.host}: {error}"
            await connection.respond(Response.text(message, status=424, reason=_as_reason(message)))

    def _note(
        self, request: Request, status: int, *, body: bytes, fault: Fault | None = None
    ) -> None:
        now = self.clock.now()
        self.requests.note(request, at=now, status=status, fault=str(fault or ""))
        if fault is not None:
            self.events.emit(FaultHit(at=now, host=request.host, fault=str(fault)))
        self.access_tokens.answered(request, status)
        if status == NO_ANSWER:
            return
        self.events.emit(
            RequestAnswered(
                at=now,
                host=request.host,
                method=request.method,
                path=request.path,
                status=status,
                target=request.target,
                body=hashlib.sha256(body).hexdigest()[:HASH_LENGTH],
                is_sign_in=matches(request.host, (*EVERY_LOGIN_HOST, *ISSUER_HOSTS)),
            )
        )

    def _expire_for(self, host: str) -> None:
        """Make what a request to a host presents an expired token."""
        if matches(host, EVERY_LOGIN_HOST):
            self.issuer.expire_all()
        else:
            self.access_tokens.expire_all()

    def _answer_pipeline(self, request: Request) -> Response:
        """Answer as a pipeline service: ID tokens, or the rest of Azure DevOps."""
        path = request.path.rstrip("/")
        is_rest = request.host == DEVOPS_HOST and not path.endswith("/oidctoken")
        if is_rest and not self._is_played(request):
            return self._not_played(request)
        return self.devops.handle(request) if is_rest else self.issuer.handle(request)

    def _answer_organization(self, request: Request) -> Response:
        """Answer what an organization's own host is asked, as dev.azure.com answers it."""
        inner = as_devops(request)
        return self.devops.handle(inner) if self._is_played(inner) else self._not_played(request)

    def _not_played(self, request: Request) -> Response:
        """Refuse what only the real host has; say which."""
        self.events.emit(HostRefused(at=self.clock.now(), host=request.host))
        message = (
            f"refused by tfoidc: the stand-in does not play https://{request.host}{request.path}"
            f" (--tf-allow-host {request.host} lets it through to the real one, with a credential"
            " of yours)"
        )
        if "_apis" not in request.path.split("/"):
            return Response.text(message, status=403, reason=_as_reason(message))
        kind = "HttpControllerNotFoundException"
        return Response.json({"message": message, "typeKey": kind}, status=404)

    def _answer_plain(self, request: Request) -> Response:
        service = self._service(request.host) if request.scheme == "https" else None
        return service(request) if service else self._refuse(request.host)

    def _refuse(self, host: str, *, port: str = "") -> Response:
        self.events.emit(HostRefused(at=self.clock.now(), host=host))
        message = (
            f"refused by tfoidc: {host} is neither one of Azure's hosts nor a registry"
            " (--tf-allow-host lets it through)"
        )
        if port not in {"", str(HTTPS_PORT)} and self._service(host) is not None:
            message = f"refused by tfoidc: {host} is asked on port {HTTPS_PORT} only"
        if "_" in host or not (is_host_name(host) or ":" in host):
            message = "refused by tfoidc: there is no such host: its name is no host's name"
        return Response.text(message, status=403, reason=_as_reason(message))

    async def _pass_through(self, host: str, port: int, connection: Connection) -> None:
        try:
            upstream = await open_tunnel(host, port, self._environment)
        except OSError as error:
            message = f"tfoidc could not reach {host}: {error}"
            await connection.respond(Response.text(message, status=502, reason=_as_reason(message)))
            return
        self.events.emit(HostPassedThrough(at=self.clock.now(), host=host))
        if await connection.respond_to_connect():
            await splice(connection.streams, upstream)


def _assertion(request: Request) -> str:
    """Return the ID token, or the secret, that a sign-in at Entra presents."""
    if not matches(request.host, EVERY_LOGIN_HOST) or request.method != "POST":
        return ""
    form = request.form
    return form.get("client_assertion") or form.get("client_secret") or ""


def _as_reason(message: str) -> str:
    return message.encode("ascii", "replace").decode().replace("\r", " ").replace("\n", " ")
