"""Entra's token endpoint: an ID token in, an access token out, and what its refusals mean."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.entrafacts import CODE, ENTRA_PREFIX, MEANINGS, PASSING, UNKNOWN
from pytest_tfoidc.errors import AuthenticationError
from pytest_tfoidc.identity.http_client import Answer, NoAnswerError, Transport
from pytest_tfoidc.identity.secret import Secret
from pytest_tfoidc.redaction import Redactor

if TYPE_CHECKING:
    from pytest_tfoidc.identity.idtoken import IdToken

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCERPT = 300  # characters of Entra's own words in an error
OK = 200


@dataclass(frozen=True)
class Grant:
    """An access token, and for how many seconds it is good."""

    value: str = field(repr=False)
    token_type: str
    expires_in: int
    refresh_in: int | None


class EntraClient:
    """Exchange ID tokens at one authority.

    Args:
        authority: The login host's URL, without a trailing slash.
        client_id: Who signs in.
        transport: Sends the requests.
    """

    def __init__(self, *, authority: str, client_id: str, transport: Transport) -> None:
        self._authority = authority
        self._client_id = client_id
        self._transport = transport

    def exchange(
        self, id_token: IdToken, *, scopes: tuple[str, ...], tenant: str, claims: str | None
    ) -> Grant:
        """Exchange an ID token.

        Raises:
            AuthenticationError: Entra refused, or could not be reached.
        """
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_assertion": str(id_token.value),
            "client_assertion_type": ASSERTION_TYPE,
            "scope": " ".join(scopes),
            **({"claims": claims} if claims else {}),
        }
        url = f"{self._authority}/{tenant}/oauth2/v2.0/token"
        headers = {"Accept": "application/json"}
        try:
            answer = self._transport.ask("POST", url, headers=headers, form=form, may_pass=_passes)
        except NoAnswerError as error:
            raise self._unreachable(error) from error
        grant = _grant(_document(answer)) if answer.status == OK else None
        if grant is None:
            raise self._refused(answer, id_token, tenant)
        return grant

    def _unreachable(self, error: NoAnswerError) -> AuthenticationError:
        return error_type()(
            f"Entra ID gave no access token: {error.reason}.",
            where=self._authority,
            cause="the login host could not be reached, or broke off, on every attempt",
            remedy="Look at the network, the proxy (HTTPS_PROXY) and the CA bundle "
            "(REQUESTS_CA_BUNDLE, SSL_CERT_FILE) of this step.",
        )

    def _refused(self, answer: Answer, id_token: IdToken, tenant: str) -> AuthenticationError:
        document = _document(answer)
        redactor = Redactor()
        redactor.add(str(id_token.value))
        said = redactor.redact(str(document.get("error_description") or ""))
        code = _code(document)
        meaning = MEANINGS.get(code, UNKNOWN)
        name = f"{ENTRA_PREFIX}{code}" if code else f"HTTP {answer.status}"
        words = "".join(c for c in " ".join(said.split()) if c.isprintable())[:EXCERPT]
        return error_type()(
            f"Entra ID gave no access token: {name}.{f' {words}' if words else ''}",
            where=f"{self._authority}, tenant {tenant}, client {self._client_id}",
            cause=f"{meaning.cause} The ID token: {id_token.who}, audience {id_token.audience}",
            remedy=meaning.advice,
        )


def _document(answer: Answer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _code(document: dict[str, Any]) -> str:
    """Return the digits of an error's code; empty where there is none."""
    found = CODE.search(str(document.get("error_description") or ""))
    return found[1] if found else ""


def _passes(answer: Answer) -> bool:
    return answer.may_pass or (answer.status != OK and _code(_document(answer)) in PASSING)


def _grant(document: dict[str, Any]) -> Grant | None:
    token, life = document.get("access_token"), _seconds(document.get("expires_in"))
    if not isinstance(token, str) or not token or life is None:
        return None
    kind = str(document.get("token_type") or "Bearer")
    return Grant(Secret(token), kind, life, _seconds(document.get("refresh_in")))


def _seconds(value: object) -> int | None:
    """Read a number of seconds: Entra's older endpoints write it as text."""
    try:
        return max(0, int(float(str(value))))
    except (ValueError, OverflowError):
        return None


@functools.cache
def error_type() -> type[AuthenticationError]:
    """Return the error's class: with azure-core installed, one that its users catch as well."""
    try:
        # azure-core is optional, also for mypy
        from azure.core.exceptions import ClientAuthenticationError  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional
    except ImportError:
        return AuthenticationError
    bases = (AuthenticationError, ClientAuthenticationError)
    return type("AuthenticationError", bases, {"__module__": AuthenticationError.__module__})
