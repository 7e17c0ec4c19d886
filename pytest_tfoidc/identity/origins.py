"""The origin of the ID tokens of each kind of context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pytest_tfoidc.authvariables import REQUEST_URL
from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.identity.variables import GUID, LOOPBACK_HOSTS, VariableProblem, Variables
from pytest_tfoidc.pipelinekinds import (
    COMMAND,
    FILE,
    GET,
    KINDS,
    ONE_TOKEN,
    POST,
    PipelineKind,
    Requirement,
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The origin of a context's ID tokens."""

    request_url: str = ""
    request_token: str = field(default="", repr=False)
    connection: str | None = None
    static_token: str = field(default="", repr=False)
    token_file: str = ""


def origin_of(variables: Variables, kind: str) -> Origin:
    """Gather what a kind gets its ID tokens from; problems are noted in the variables."""
    record = KINDS[kind]
    return _ORIGINS[record.source](variables, record)


def _found(variables: Variables, needed: Requirement | None) -> str:
    """Return what a kind needs; that it is missing is noted."""
    if needed is None:
        return ""
    remedy = needed.remedy.replace("{audience}", DEFAULT_AUDIENCE)
    return variables.need(needed.names, variable=needed.variable, cause=needed.cause, remedy=remedy)


def _of_endpoint(variables: Variables, kind: PipelineKind) -> Origin:
    url = _found(variables, kind.request_url)
    token = _found(variables, kind.request_token)
    connection = None
    if kind.connection:
        _found(variables, kind.connection)
        what = "the service connection's id, a GUID"
        connection = variables.checked(kind.connection.names, GUID, what=what)
    _check_url(variables, url)
    return Origin(request_url=url, request_token=token, connection=connection)


def _static(variables: Variables, kind: PipelineKind) -> Origin:
    return Origin(static_token=_found(variables, kind.token))


def _file(variables: Variables, kind: PipelineKind) -> Origin:
    return Origin(token_file=_found(variables, kind.token))


def _minted(_variables: Variables, _kind: PipelineKind) -> Origin:
    """Need nothing: a command prints the ID token, and the agent knows how."""
    return Origin()


_ORIGINS: Mapping[str, Callable[[Variables, PipelineKind], Origin]] = {
    POST: _of_endpoint,
    GET: _of_endpoint,
    COMMAND: _minted,
    ONE_TOKEN: _static,
    FILE: _file,
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
        variables.problems.append(VariableProblem(variable, "it is no http(s) URL", remedy))
    elif parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        cause = "it is not https: the request token would cross the network in clear"
        variables.problems.append(VariableProblem(variable, cause, "Use the pipeline's https URL."))
