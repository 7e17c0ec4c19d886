"""ID token endpoints over HTTP: Azure DevOps' and GitHub's, and what their refusals mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.identity.http_client import (
    REDIRECTS,
    SERVER_ERRORS,
    TOO_MANY_REQUESTS,
    Answer,
    NoAnswerError,
    Transport,
    skew_of,
)
from pytest_tfoidc.identity.idtoken import IdToken, parse_id_token
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS_MAPPING, GET, GITHUB_PERMISSION, KINDS, POST
from pytest_tfoidc.redaction import Redactor

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.identity.http_client import Wait
    from pytest_tfoidc.identity.pipeline import PipelineContext

API_VERSION = "7.1"
EXCERPT = 300  # characters of a server's own words in an error
SIGN_IN_STATUS = 203
OK = range(200, 300)


class _HttpSource:
    """Ask an HTTP endpoint, with the request token as bearer."""

    def __init__(self, context: PipelineContext, clock: Clock, wait: Wait | None) -> None:
        self._context = context
        self._clock = clock
        self._transport = Transport.of(context, wait=wait)
        self._redactor = Redactor()
        self._redactor.add(context.request_token)
        self._where = f"{context.label}'s ID token endpoint at {_host(context.request_url)}"

    def close(self) -> None:
        """Stop waiting for a better answer."""
        self._transport.close()

    def _ask(self, method: str, url: str, field_name: str, audience: str) -> IdToken:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {self._context.request_token}",
            "Content-Type": "application/json",
            # without it, Azure DevOps answers a bad request token with its sign-in page
            "X-TFS-FedAuthRedirect": "Suppress",
        }
        try:
            answer = self._transport.ask(method, url, headers=headers)
        except NoAnswerError as error:
            raise self._no_answer(error) from error
        return self._read(answer, field_name, audience)

    def _no_answer(self, error: NoAnswerError) -> IdTokenError:
        return IdTokenError(
            f"{self._context.label} gave no ID token: {error.reason}.",
            where=self._where,
            cause="the endpoint could not be reached, or broke off, on every attempt"
            if error.may_pass
            else "asking again would not help",
            remedy="Look at the network, the proxy (HTTPS_PROXY, NO_PROXY) and the CA bundle "
            "(REQUESTS_CA_BUNDLE, SSL_CERT_FILE) of this step.",
        )

    def _read(self, answer: Answer, field_name: str, audience: str) -> IdToken:
        value = _member(answer.body, field_name) if answer.status in OK else None
        if not isinstance(value, str) or not value:
            raise self._refused(answer, field_name)
        skew = skew_of(answer, self._clock.now())
        token = parse_id_token(
            value, now=self._clock.now() + skew, audience=audience, where=self._where
        )
        if not skew:
            return token
        return replace(token, issued_at=token.issued_at - skew, expires_at=token.expires_at - skew)

    def _refused(self, answer: Answer, field_name: str) -> IdTokenError:
        said = self._said(answer)
        refusal = next(r for r in _REFUSALS[KINDS[self._context.kind].source] if r.fits(answer))
        cause = refusal.cause.format(field=field_name)
        died_at = self._context.request_token_expires_at
        if refusal.blames_token and died_at is not None and died_at <= self._clock.now():
            cause = f"the request token expired at {died_at:%Y-%m-%d %H:%M:%S} UTC"
        waited = answer.retry_after() if answer.status == TOO_MANY_REQUESTS else None
        if waited is not None:
            cause = f"{cause}; it asks to wait {waited:.0f} s"
        return IdTokenError(
            f"{self._context.label} gave no ID token: HTTP {answer.status}{said}",
            where=self._where,
            cause=cause,
            remedy=refusal.remedy,
        )

    def _said(self, answer: Answer) -> str:
        """Return the server's own words: short, printable, without secrets or pages of HTML."""
        if answer.is_html:
            return " with a page for people."
        text = " ".join(self._redactor.redact(_message(answer.body)).split())
        printable = "".join(c for c in text if c.isprintable())
        return f": {printable[:EXCERPT]}" if printable else "."


CONNECTION_PARAMETER = "serviceConnectionId"


class AzureDevOpsSource(_HttpSource):
    """Azure DevOps' `oidctoken`: a POST for one service connection."""

    def fetch(self, audience: str, connection: str = "") -> IdToken:
        """Get a token for an audience, for the context's own service connection or another one.

        Raises:
            IdTokenError: There is none to be had.
        """
        wanted = {
            "api-version": API_VERSION,
            CONNECTION_PARAMETER: connection or self._context.service_connection_id or "",
            "audience": audience,
        }
        given = self._context.request_url
        url = with_query(without(given, CONNECTION_PARAMETER) if connection else given, wanted)
        return self._ask("POST", url, "oidcToken", audience)


class GitHubSource(_HttpSource):
    """GitHub's ID token endpoint: a GET, with the audience added to the URL's query."""

    def fetch(self, audience: str, connection: str = "") -> IdToken:  # noqa: ARG002 - Azure DevOps'
        """Get a token for an audience.

        Raises:
            IdTokenError: There is none to be had.
        """
        url = with_query(self._context.request_url, {"audience": audience})
        return self._ask("GET", url, "value", audience)


def with_query(url: str, wanted: dict[str, str]) -> str:
    """Add parameters to a URL where its query has none of that name, as go-azure-sdk does."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    there = {name for name, value in query if value}
    added = [(name, value) for name, value in wanted.items() if value and name not in there]
    return urlunsplit(parts._replace(query=urlencode([*query, *added])))


def without(url: str, name: str) -> str:
    """Leave a parameter out of a URL's query."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _host(url: str) -> str:
    return urlsplit(url).hostname or "an unknown host"


def _member(body: bytes, name: str) -> Any:  # noqa: ANN401 - JSON
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value.get(name) if isinstance(value, dict) else None


def _message(body: bytes) -> str:
    """Return the message in Azure DevOps' and GitHub's error bodies, or the body as it is."""
    for found in (_member(body, "message"), _member(body, "value")):
        if isinstance(found, str):
            return found
        if isinstance(found, dict) and isinstance(found.get("Message"), str):
            return str(found["Message"])
    return body[: 4 * EXCERPT].decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """One way of not giving an ID token: how to know it, why it happens, what to do."""

    fits: Callable[[Answer], bool]
    cause: str
    remedy: str
    blames_token: bool = False


def _is_sign_in(answer: Answer) -> bool:
    return (
        answer.status in REDIRECTS
        or answer.status == SIGN_IN_STATUS
        or (answer.status in OK and answer.is_html)
    )


def _has_status(*statuses: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status in statuses


def _says(pattern: str) -> Callable[[Answer], bool]:
    return lambda answer: re.search(pattern.encode(), answer.body, re.IGNORECASE) is not None


_COMMON_REFUSALS = (
    _Refusal(
        fits=_has_status(TOO_MANY_REQUESTS),
        cause="too many requests were made in this organisation or by this identity",
        remedy="Wait and run again; keep the relay on, which asks once for many clients.",
    ),
    _Refusal(
        fits=lambda answer: answer.status in SERVER_ERRORS,
        cause="the service is in trouble, on every attempt",
        remedy="Look at its status page, and run again.",
    ),
    _Refusal(
        fits=lambda answer: answer.status in OK,
        cause="the answer is a success without `{field}`: the URL is another service's, "
        "or a proxy answered",
        remedy="Set the request URL to the pipeline's own, and look at HTTPS_PROXY.",
    ),
    _Refusal(
        fits=lambda _: True,
        cause="the endpoint refused; asking again would not help",
        remedy="Look at its words above.",
    ),
)
_REFUSALS = {
    POST: (
        _Refusal(
            fits=_says(r"no explicit reference to service connection"),
            cause="a stage gets ID tokens only for service connections that its tasks name",
            remedy="Make the connection an input of a task in this stage (AzureCLI@2, "
            "`azureSubscription`), and check its id.",
        ),
        _Refusal(
            fits=_is_sign_in,
            cause="Azure DevOps wants somebody to sign in: the request token is wrong or expired",
            remedy=AZURE_DEVOPS_MAPPING,
            blames_token=True,
        ),
        _Refusal(
            fits=_has_status(401, 403),
            cause="the request token is wrong, expired, or of another job",
            remedy=AZURE_DEVOPS_MAPPING,
            blames_token=True,
        ),
        _Refusal(
            fits=_has_status(404),
            cause="there is no such plan and job: the URL is of a job that has ended, or of "
            "another organisation",
            remedy="Take SYSTEM_OIDCREQUESTURI from the job that runs now.",
        ),
        _Refusal(
            fits=_has_status(405),
            cause="the URL does not take a POST: it is not Azure DevOps' ID token endpoint",
            remedy="Take SYSTEM_OIDCREQUESTURI from the job that runs now.",
        ),
        *_COMMON_REFUSALS,
    ),
    GET: (
        _Refusal(
            fits=_is_sign_in,
            cause="the endpoint sends us elsewhere: the URL is not GitHub's, or a proxy answered",
            remedy="Leave ACTIONS_ID_TOKEN_REQUEST_URL to GitHub, and look at HTTPS_PROXY.",
        ),
        _Refusal(
            fits=_has_status(401, 403),
            cause="the request token is wrong or expired: it lives as long as the job, about six "
            "hours at most",
            remedy=GITHUB_PERMISSION,
            blames_token=True,
        ),
        _Refusal(
            fits=_has_status(405),
            cause="the URL does not take a GET: it is Azure DevOps', and the service connection's "
            "id is missing",
            remedy="Set ARM_OIDC_AZURE_SERVICE_CONNECTION_ID, or use --tf-context azure-devops.",
        ),
        *_COMMON_REFUSALS,
    ),
}
