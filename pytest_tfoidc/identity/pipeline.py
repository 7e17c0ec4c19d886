"""Where we run: the pipeline's context, read from an environment mapping and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from pytest_tfoidc.authvariables import CLIENT, CONNECTION, SUBSCRIPTION, TENANT
from pytest_tfoidc.entrafacts import CHINA, DEFAULT_AUDIENCE, LOGIN_HOSTS, PUBLIC, US_GOVERNMENT
from pytest_tfoidc.errors import ContextError
from pytest_tfoidc.identity.origins import origin_of
from pytest_tfoidc.identity.secret import Secret, jwt_claims, numeric_date
from pytest_tfoidc.identity.variables import DOMAIN, GUID, VariableProblem, Variables
from pytest_tfoidc.pipelinekinds import (
    AZURE_DEVOPS,
    COMMAND_KIND,
    ENDPOINTS,
    FILE,
    GITHUB,
    KINDS,
    RECORDS,
)

CLOUDS = {
    "public": PUBLIC,
    "azurecloud": PUBLIC,
    "azurepubliccloud": PUBLIC,
    "usgovernment": US_GOVERNMENT,
    "azureusgovernment": US_GOVERNMENT,
    "azureusgovernmentcloud": US_GOVERNMENT,
    "china": CHINA,
    "azurechina": CHINA,
    "azurechinacloud": CHINA,
}


@dataclass(frozen=True, kw_only=True)
class PipelineContext:
    """Where ID tokens come from, and who they are for.

    Args:
        kind: A key of `pipelinekinds.KINDS`.
        tenant_id: Entra's tenant; a GUID, or one of its domain names.
        client_id: The application or managed identity with the federated credential.
        subscription_id: None where the environment names none.
        request_url: What gives ID tokens, with its query.
        request_token: The bearer for it.
        service_connection_id: Azure DevOps only.
        audience: What the federated credential expects.
        cloud: public, usgovernment or china.
        authority_host: Entra's host, where it is not the cloud's own.
        static_token: The one token of a job that cannot mint another.
        token_file: The file that somebody keeps fresh.
        command: What prints an ID token.
        stand_in: True where Azure is the stand-in.
        proxies: The proxies of our own requests, by scheme, and `no_proxy`.
        ca_file: The CA bundle of our own requests; None means the usual one.
        warnings: What works but looks wrong, a sentence each.
    """

    kind: str
    tenant_id: str
    client_id: str
    subscription_id: str | None = None
    request_url: str = field(default="", repr=False)
    request_token: str = field(default="", repr=False)
    service_connection_id: str | None = None
    audience: str = DEFAULT_AUDIENCE
    cloud: str = PUBLIC
    authority_host: str | None = None
    static_token: str = field(default="", repr=False)
    token_file: str = ""
    command: tuple[str, ...] = field(default=(), repr=False)
    stand_in: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The context's name, for people."""
        return KINDS[self.kind].label

    @property
    def subscription(self) -> str:
        """The subscription's id, for clients that need one.

        Raises:
            ContextError: The environment names none.
        """
        if self.subscription_id is None:
            raise ContextError(
                "The environment names no subscription.",
                where="ARM_SUBSCRIPTION_ID",
                remedy="Set it to the subscription's id.",
            )
        return self.subscription_id

    @property
    def refreshable(self) -> bool:
        """Whether a new ID token can be had when the old one has died."""
        return KINDS[self.kind].is_refreshable

    @property
    def login_host(self) -> str:
        """Entra's host for this cloud."""
        return self.authority_host or LOGIN_HOSTS[self.cloud]

    @property
    def request_token_expires_at(self) -> datetime | None:
        """When the request token dies (aware, UTC); None where it does not tell."""
        return _expiry(self.request_token)

    @property
    def static_token_expires_at(self) -> datetime | None:
        """When the one token of this job dies (aware, UTC); None where there is none."""
        return _expiry(self.static_token)


def _expiry(token: str) -> datetime | None:
    return numeric_date((jwt_claims(token) or {}).get("exp"))


def detect(
    environment: Mapping[str, str],
    *,
    wanted: str = "auto",
    id_token_command: Sequence[str] = (),
    audience: str | None = None,
) -> PipelineContext | None:
    """Find out from an environment where we run.

    Args:
        environment: The variables; nothing else is looked at.
        wanted: A key of `pipelinekinds.KINDS`, or `auto`.
        id_token_command: The user's own command that prints an ID token.
        audience: What the federated credential expects, where it is not the usual.

    Returns:
        The context. None where `wanted` is `auto` and this is no pipeline.

    Raises:
        ContextError: Something is missing or wrong, or there are two contexts at once.
    """
    found = inspect(
        environment, wanted=wanted, id_token_command=id_token_command, audience=audience
    )
    if found.context is not None and found.problems:
        raise _error(found.context.kind, found.problems)
    return found.context


@dataclass(frozen=True)
class Inspected:
    """The context that an environment describes, which cannot be used where there are problems."""

    context: PipelineContext | None
    problems: tuple[VariableProblem, ...] = ()
    literal: tuple[str, ...] = ()


def inspect(
    environment: Mapping[str, str],
    *,
    wanted: str = "auto",
    id_token_command: Sequence[str] = (),
    audience: str | None = None,
) -> Inspected:
    """Find out where we run, as `detect` does, and give the problems instead of raising them.

    Raises:
        ContextError: There are two contexts at once, or none of the name.
    """
    variables = Variables(environment)
    kind = _kind(variables, wanted, id_token_command)
    if kind is None:
        return Inspected(None)
    context = _context(variables, kind, tuple(id_token_command), audience or DEFAULT_AUDIENCE)
    return Inspected(context, tuple(variables.problems), tuple(variables.literal))


def _kind(variables: Variables, wanted: str, id_token_command: Sequence[str]) -> str | None:
    if wanted != "auto":
        if wanted not in KINDS:
            raise ContextError(
                f"There is no context called {wanted!r}.", remedy=f"Use one of {', '.join(KINDS)}."
            )
        return wanted
    if id_token_command:
        return COMMAND_KIND
    found = [kind.name for kind in RECORDS if kind.markers and variables.get(*kind.markers)]
    issuers = [kind for kind in found if KINDS[kind].source in ENDPOINTS]
    if not issuers and variables.get("ARM_OIDC_REQUEST_URL"):
        # Set on purpose: by a relay around us, or to pass the context on to a container.
        return AZURE_DEVOPS if variables.get(*CONNECTION) else GITHUB
    if len(found) > 1:
        raise _two_contexts(found)
    return found[0] if found else _file_kind(variables)


def _file_kind(variables: Variables) -> str | None:
    """Look for a token file last: pipeline agents on AKS have one that is not the pipeline's."""
    files = (kind for kind in RECORDS if kind.source == FILE)
    return next((kind.name for kind in files if variables.get(*kind.token_names)), None)


def _two_contexts(found: Sequence[str]) -> ContextError:
    options = " or ".join(f"--tf-context {kind}" for kind in found)
    return ContextError(
        f"This looks like {' and '.join(KINDS[kind].label for kind in found)} at once.",
        where=", ".join("/".join(KINDS[kind].markers) for kind in found),
        cause="the variables of both are set",
        remedy=f"Say which one: {options}.",
    )


def _context(
    variables: Variables, kind: str, command: tuple[str, ...], audience: str
) -> PipelineContext:
    """Gather what the kind needs; problems are noted, so that all are told at once."""
    origin = origin_of(variables, kind)
    tenant = _tenant(variables, kind)
    client = _client(variables, kind)
    subscription = variables.checked(SUBSCRIPTION, GUID, what="a GUID")
    if subscription is None:
        variables.warnings.append("ARM_SUBSCRIPTION_ID is not set: azurerm 4 and newer need it.")
    return PipelineContext(
        kind=kind,
        tenant_id=tenant,
        client_id=client,
        subscription_id=subscription,
        request_url=origin.request_url,
        request_token=Secret(origin.request_token),
        service_connection_id=origin.connection,
        audience=audience,
        cloud=_cloud(variables),
        authority_host=_authority_host(variables),
        static_token=Secret(origin.static_token),
        token_file=origin.token_file,
        command=_command(variables, command) if kind == COMMAND_KIND else (),
        proxies=_proxies(variables),
        ca_file=variables.get("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"),
        warnings=tuple(variables.warnings),
    )


def _command(variables: Variables, command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or not command[0].strip():
        cause = "the context is a command's, and no command was given"
        remedy = "Give the command that prints an ID token."
        variables.problems.append(VariableProblem("--tf-id-token-command", cause, remedy))
    return command


def _tenant(variables: Variables, kind: str) -> str:
    tenant = variables.need(
        TENANT,
        variable="ARM_TENANT_ID",
        cause="the tenant to sign in to is not known",
        remedy=_identity_remedy(kind, "ARM_TENANT_ID"),
    )
    if not tenant or GUID.fullmatch(tenant):
        return tenant
    variables.checked(TENANT, DOMAIN, what="the tenant's id, a GUID")
    variables.warnings.append(
        "The tenant is given by name: azurerm wants its id (a GUID) in some places."
    )
    return tenant


def _client(variables: Variables, kind: str) -> str:
    client = variables.need(
        CLIENT,
        variable="ARM_CLIENT_ID",
        cause="the identity to sign in as is not known",
        remedy=_identity_remedy(kind, "ARM_CLIENT_ID"),
    )
    variables.checked(CLIENT, GUID, what="the identity's client id, a GUID")
    return client


def _identity_remedy(kind: str, variable: str) -> str:
    return KINDS[kind].identity_remedy.replace("{variable}", variable)


def _cloud(variables: Variables) -> str:
    given = variables.get("ARM_ENVIRONMENT")
    if given and given.lower() not in CLOUDS:
        remedy = "Set it to public, usgovernment or china."
        variables.problems.append(
            VariableProblem("ARM_ENVIRONMENT", "no such cloud is known", remedy)
        )
        return PUBLIC
    # other tools use AZURE_ENVIRONMENT for names of their own, so what is unknown is no error
    other = variables.get("AZURE_ENVIRONMENT") or PUBLIC
    return CLOUDS.get((given or other).lower(), PUBLIC)


def _authority_host(variables: Variables) -> str | None:
    given = variables.get("AZURE_AUTHORITY_HOST")
    if given is None:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme != "https":
        remedy = f"Leave it out, or set it to an https host such as {LOGIN_HOSTS[PUBLIC]}."
        variables.problems.append(
            VariableProblem("AZURE_AUTHORITY_HOST", "it is no https host", remedy)
        )
    return host


def _proxies(variables: Variables) -> dict[str, str]:
    names = {
        "https": "https_proxy",
        "http": "http_proxy",
        "all": "all_proxy",
        "no_proxy": "no_proxy",
    }
    found = {key: variables.get(name, name.upper()) for key, name in names.items()}
    return {key: value for key, value in found.items() if value}


def _error(kind: str, problems: Sequence[VariableProblem]) -> ContextError:
    names = list(dict.fromkeys(problem.variable for problem in problems))
    what = f"This is {KINDS[kind].label}, but no ID token can be asked for: see {', '.join(names)}."
    if len(problems) == 1:
        problem = problems[0]
        return ContextError(
            what, where=problem.variable, cause=problem.cause, remedy=problem.remedy
        )
    causes = "".join(f"\n- {problem.variable}: {problem.cause}" for problem in problems)
    remedies = dict.fromkeys(problem.remedy for problem in problems)
    return ContextError(
        what,
        where="the environment",
        cause=causes,
        remedy="".join(f"\n- {remedy}" for remedy in remedies),
    )
