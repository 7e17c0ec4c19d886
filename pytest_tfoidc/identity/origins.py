"""What each kind of context gets its ID tokens from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pytest_tfoidc.authvariables import CONNECTION, REQUEST_TOKEN, REQUEST_URL
from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.identity.kinds import (
    AZURE_DEVOPS_MAPPING,
    GITHUB_PERMISSION,
    STATIC_TOKEN,
    TOKEN_FILE,
)
from pytest_tfoidc.identity.variables import GUID, LOOPBACK_HOSTS, Problem, Variables


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What one kind of context gets its ID tokens from."""

    request_url: str = ""
    request_token: str = field(default="", repr=False)
    connection: str | None = None
    static_token: str = field(default="", repr=False)
    token_file: str = ""


def origin_of(variables: Variables, kind: str) -> Origin:
    """Gather what a kind gets its ID tokens from; problems are noted in the variables."""
    return _ORIGINS[kind](variables, kind)


def _azure_devops(variables: Variables, _kind: str) -> Origin:
    url = variables.need(
        REQUEST_URL,
        variable="SYSTEM_OIDCREQUESTURI",
        cause="the agent sets it in every job; this process does not have it",
        remedy="Pass it on to the container or script; agents older than 3.220 lack it.",
    )
    token = variables.need(
        REQUEST_TOKEN,
        variable="SYSTEM_ACCESSTOKEN",
        cause="Azure DevOps gives the job's token only to steps that ask for it",
        remedy=AZURE_DEVOPS_MAPPING,
    )
    variables.need(
        CONNECTION,
        variable="ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
        cause="no task has named the service connection to this step",
        remedy="Run inside AzureCLI@2 with `azureSubscription`, or set it to the connection's id.",
    )
    connection = variables.checked(CONNECTION, GUID, what="the service connection's id, a GUID")
    _check_url(variables, url)
    return Origin(request_url=url, request_token=token, connection=connection)


def _github(variables: Variables, _kind: str) -> Origin:
    cause = "GitHub gives it only to jobs that may ask for ID tokens"
    url = variables.need(
        REQUEST_URL[:2],
        variable="ACTIONS_ID_TOKEN_REQUEST_URL",
        cause=cause,
        remedy=GITHUB_PERMISSION,
    )
    token = variables.need(
        REQUEST_TOKEN[:2],
        variable="ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        cause=cause,
        remedy=GITHUB_PERMISSION,
    )
    _check_url(variables, url)
    return Origin(request_url=url, request_token=token)


def _static(variables: Variables, kind: str) -> Origin:
    remedy = {
        "gitlab": f"Ask for one in the job: id_tokens: GITLAB_OIDC_TOKEN: aud: {DEFAULT_AUDIENCE}",
        "bitbucket": "Ask for one in the step: oidc: true",
        "hcp-terraform": "Set TFC_WORKLOAD_IDENTITY_AUDIENCE in the workspace.",
    }[kind]
    names = STATIC_TOKEN[kind]
    cause = "the job did not ask for an ID token"
    return Origin(static_token=variables.need(names, variable=names[0], cause=cause, remedy=remedy))


def _file(variables: Variables, kind: str) -> Origin:
    names = TOKEN_FILE[kind]
    remedy = {
        "aks": "Label the pod `azure.workload.identity/use: true` and give it the service account.",
        "token-file": "Set it to the file that holds the ID token.",
    }[kind]
    cause = "it names the file of the ID token, and it is not set"
    return Origin(token_file=variables.need(names, variable=names[0], cause=cause, remedy=remedy))


def _minted(_variables: Variables, _kind: str) -> Origin:
    """Need nothing: a command prints the ID token, and the agent knows how."""
    return Origin()


_ORIGINS: Mapping[str, Callable[[Variables, str], Origin]] = {
    "azure-devops": _azure_devops,
    "github": _github,
    "circleci": _minted,
    "buildkite": _minted,
    "command": _minted,
    "gitlab": _static,
    "bitbucket": _static,
    "hcp-terraform": _static,
    "aks": _file,
    "token-file": _file,
}


def _check_url(variables: Variables, url: str) -> None:
    """Note a URL that no client could use, or that would show the bearer to the network."""
    if not url:
        return
    found = variables.first(REQUEST_URL)
    variable = found[0] if found else REQUEST_URL[0]
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"}:
        remedy = "Leave it to the pipeline, or set the whole URL."
        variables.problems.append(Problem(variable, "it is no http(s) URL", remedy))
    elif parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        cause = "it is not https: the request token would cross the network in clear"
        variables.problems.append(Problem(variable, cause, "Use the pipeline's https URL."))
