"""Entra ID: exchanges ID tokens for access tokens, on the virtual clock.

Source: docs/protocol.md, sections 3 and 9; the texts are Entra's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from pytest_tfoidc.clock import Clock, real_now
from pytest_tfoidc.entrafacts import ENTRA_PREFIX, EVERY_LOGIN_HOST, LOGIN_HOSTS, PUBLIC
from pytest_tfoidc.events import AccessTokenIssued, EventLog, ExchangeRefused
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.directory import Application, Directory
from pytest_tfoidc.mockazure.federated import FederatedCredential
from pytest_tfoidc.mockazure.issuer import Issuer
from pytest_tfoidc.mockazure.tokens import RENEW_ALWAYS, AccessToken, AccessTokens, from_seconds

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Find = Callable[[str, str], Application | None]
# Clients renew an access token when less than this is left: go-azure-sdk; MSAL in every language.
RENEWAL_MARGIN = timedelta(minutes=20)
MSAL_MARGIN = timedelta(minutes=5)
MSAL_HEADER = "x-client-sku"
LONG_EXPIRED = timedelta(hours=-1)
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


# What is compared, in Entra's order: the code of a mismatch, its name, the claim, what is trusted.
TESTS: tuple[tuple[int, str, str, Callable[[FederatedCredential], tuple[str, ...]]], ...] = (
    (700211, "issuer", "iss", lambda c: (c.issuer,)),
    (700213, "subject", "sub", lambda c: (c.subject,)),
    (700212, "audience", "aud", lambda c: c.audiences),
)


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - an answer to a client, not an error of ours
    """Entra says no. `code` has the digits after AADSTS."""

    code: int
    text: str
    status: int = 401
    error: str = "invalid_client"


class Entra:
    """The token endpoint, with MSAL's discovery documents beside it.

    Args:
        directory: The tenants.
        find: Gives an application or a managed identity by its client id and the tenant that it
            signs in to, with all of its federated credentials.
        issuer: Whose signatures are good.
        access_tokens: Signs what is handed out.
        clock: Tells the virtual time.
        events: Is told of every exchange and every refusal.
    """

    def __init__(  # noqa: PLR0913 - keyword only, and each is needed
        self,
        *,
        directory: Directory,
        issuer: Issuer,
        access_tokens: AccessTokens,
        clock: Clock,
        events: EventLog,
        find: Find,
    ) -> None:
        self._directory = directory
        self._find = find
        self._issuer = issuer
        self._access_tokens = access_tokens
        self._clock = clock
        self._events = events
        self.checks_expiry = True
        """False breaks the stand-in: expired ID tokens are exchanged. For negative controls."""

    def snapshot(self) -> bool:
        """Return the setting, for `restore`."""
        return self.checks_expiry

    def restore(self, held: bool) -> None:  # noqa: FBT001 - what `snapshot` gave
        """Put back what `snapshot` gave."""
        self.checks_expiry = held

    def handle(self, request: Request) -> Response:
        """Answer a request for one of the login hosts."""
        path = request.path.lower()
        if path.endswith(("/oauth2/v2.0/token", "/oauth2/token")):
            return self._token(request)
        if path.endswith("/discovery/instance"):
            return self._instances(request)
        if path.endswith("/.well-known/openid-configuration"):
            return self._configuration(request)
        if path.endswith("/keys"):
            keys = (self._access_tokens.key, self._issuer.key)
            return Response.json({"keys": [entry for key in keys for entry in key.jwks()["keys"]]})
        return Response.json({"error": "not_found"}, status=404)

    def _instances(self, request: Request) -> Response:
        tenant = self._directory.tenant_id
        hosts = [h for h in EVERY_LOGIN_HOST if h.endswith(request.host.rsplit(".", 1)[-1])]
        entry = {
            "preferred_network": request.host,
            "preferred_cache": request.host,
            "aliases": sorted({request.host, *hosts}),
        }
        return Response.json(
            {
                "tenant_discovery_endpoint": (
                    f"https://{request.host}/{tenant}/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [entry],
            }
        )

    def _configuration(self, request: Request) -> Response:
        tenant = request.path.strip("/").split("/")[0]
        if tenant.lower() in {"common", "organizations"}:
            tenant = "{tenantid}"
        elif self._directory.tenant(tenant) is None:
            return self._refuse("", _no_tenant(tenant))
        base = f"https://{request.host}/{tenant}"
        return Response.json(
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    def _token(self, request: Request) -> Response:
        form = request.form
        client_id = form.get("client_id", "")
        try:
            token = self._exchange(request, form)
        except Refusal as refusal:
            return self._refuse(client_id, refusal)
        lifetime = self._announced(request)
        body: dict[str, Any] = {"token_type": "Bearer", "access_token": token.value}
        if request.path.lower().endswith("/v2.0/token"):
            return Response.json({**body, "expires_in": lifetime, "ext_expires_in": lifetime})
        on = int(real_now().timestamp()) + lifetime  # which is where clients live
        return Response.json(
            {
                **body,
                "expires_in": str(lifetime),
                "expires_on": str(on),
                "resource": _resource(form),
            }
        )

    def _announced(self, request: Request) -> int:
        """Return the seconds that a client is told a token lives.

        One that has not yet expired azcore (Go) does not renew again within 30 seconds, and one
        that expires after a call has begun to wait for it is shared by all who wait. So where it is
        to renew before every call, it is told that the token expired long ago.
        """
        announced = self._access_tokens.announced
        is_azcore = request.headers.get(MSAL_HEADER) == "MSAL.Go"
        told = LONG_EXPIRED if is_azcore and announced <= RENEW_ALWAYS else announced
        return int(told.total_seconds())

    def _exchange(self, request: Request, form: dict[str, str]) -> AccessToken:
        tenant_id = self._tenant(request)
        application = self._application(request, form, tenant_id)
        claims, credentials = self._claims(form), application.credentials
        self._match(claims, credentials)
        held = self._held(request, form, application, claims)
        if held is not None and held.tenant_id == tenant_id:
            return held
        return self._issued(request, form, application, claims, tenant_id)

    def _held(
        self,
        request: Request,
        form: dict[str, str],
        application: Application,
        claims: dict[str, Any],
    ) -> AccessToken | None:
        """Return the token that this client has, where in life it would not have asked yet.

        Clients ask before every call while operations take virtual time.
        """
        tokens = self._access_tokens
        if not tokens.are_announced_short or self._issuer.expired_early(claims.get("jti", "")):
            return None
        token = tokens.held(
            connection=request.connection,
            assertion=form["client_assertion"],
            client_id=application.client_id,
            audience=_resource(form),
        )
        margin = MSAL_MARGIN if MSAL_HEADER in request.headers else RENEWAL_MARGIN
        return token if token and token.expires_at - self._clock.now() > margin else None

    def _issued(
        self,
        request: Request,
        form: dict[str, str],
        application: Application,
        claims: dict[str, Any],
        tenant_id: str,
    ) -> AccessToken:
        tokens = self._access_tokens
        if not self._comes_first(form, application, claims):
            self._check_dates(claims)
        token = tokens.issue(
            audience=_resource(form),
            client_id=application.client_id,
            object_id=application.object_id,
            tenant_id=tenant_id,
        )
        tokens.hold(token, connection=request.connection, assertion=form["client_assertion"])
        now = self._clock.now()
        self._events.emit(
            AccessTokenIssued(
                at=now,
                client_id=form.get("client_id", ""),
                tenant_id=tenant_id,
                scope=_resource(form),
                expires_at=token.expires_at,
                id_token_age=now - from_seconds(claims["iat"]),
            )
        )
        return token

    def _comes_first(
        self, form: dict[str, str], application: Application, claims: dict[str, Any]
    ) -> bool:
        """Tell whether only the simulation can have let this ID token grow old on its way here."""
        one_call, token_id = self._access_tokens.one_call, claims.get("jti", "")
        if one_call is None or self._issuer.expired_early(token_id):
            return False
        issued_at = from_seconds(claims["iat"])
        client_id, audience = application.client_id, _resource(form)
        return one_call.may_exchange(token_id, client_id, audience, issued_at=issued_at)

    def _tenant(self, request: Request) -> str:
        name = request.path.strip("/").split("/")[0]
        tenant_id = self._directory.tenant(name)
        if tenant_id is None:
            raise _no_tenant(name)
        return tenant_id

    def _application(self, request: Request, form: dict[str, str], tenant_id: str) -> Application:
        tenant, client_id = request.path.strip("/").split("/")[0], form.get("client_id", "")
        if form.get("grant_type") != "client_credentials":
            raise Refusal(
                70003,
                "The app requested an unsupported grant type"
                f" '{form.get('grant_type', '')}'. Make sure the app is configured to use a"
                " supported grant type.",
                status=400,
                error="unsupported_grant_type",
            )
        application = self._find(client_id.lower(), tenant_id)
        if application is None:
            raise Refusal(
                700016,
                f"Application with identifier '{client_id}' was not found in the directory"
                f" '{tenant}'. This can happen if the application has not been installed by the"
                " administrator of the tenant or consented to by any user in the tenant. You may"
                " have sent your authentication request to the wrong tenant.",
                status=400,
                error="unauthorized_client",
            )
        return application

    def _claims(self, form: dict[str, str]) -> dict[str, Any]:
        if "client_secret" in form:
            raise Refusal(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is"
                " the client secret value, not the client secret ID, for a secret added to app"
                f" '{form.get('client_id', '')}'.",
            )
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != JWT_BEARER or not assertion:
            raise Refusal(
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or"
                " 'client_secret'.",
            )
        return _unverified(assertion) | self._verified(assertion)

    def _verified(self, assertion: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                assertion,
                self._issuer.key.public,
                algorithms=["RS256"],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "require": ["iss", "sub", "aud", "iat", "exp"],
                },
            )
        except jwt.InvalidTokenError as error:
            raise Refusal(
                700027,
                "The certificate with identifier used to sign the client assertion is not"
                " registered on application. [Reason - The key was not found.]",
            ) from error

    def _match(self, claims: dict[str, Any], credentials: tuple[FederatedCredential, ...]) -> None:
        if not credentials:
            raise Refusal(
                70025,
                "The client has no configured federated identity credentials.",
            )
        matching = credentials
        for code, name, claim, expected in TESTS:
            presented = claims[claim]
            matching = tuple(c for c in matching if presented in expected(c))
            if matching:
                continue
            if any(presented in expected(c) for c in credentials):
                raise _no_combination(claims)
            trusted = {value.lower() for c in credentials for value in expected(c)}
            raise _mismatch(7002138 if str(presented).lower() in trusted else code, name, presented)

    def _check_dates(self, claims: dict[str, Any]) -> None:
        now = self._clock.now()
        begins, ends = from_seconds(claims.get("nbf", 0)), from_seconds(claims["exp"])
        ends = self._issuer.expired_early(claims.get("jti", "")) or ends
        if self.checks_expiry and not begins <= now < ends:
            raise Refusal(
                700024,
                "Client assertion is not within its valid time range."
                f" Current time: {_instant(now)}, assertion valid from {_instant(begins)},"
                f" expiry time of assertion {_instant(ends)}. Review the documentation at"
                " https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            )

    def _refuse(self, client_id: str, refusal: Refusal) -> Response:
        now = self._clock.now()
        code, text = f"{ENTRA_PREFIX}{refusal.code}", refusal.text
        self._events.emit(ExchangeRefused(at=now, client_id=client_id, code=code, reason=text))
        trace, correlation, stamp = uuid.uuid4(), uuid.uuid4(), f"{now:%Y-%m-%d %H:%M:%S}Z"
        ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        return Response.json(
            {
                "error": refusal.error,
                "error_description": f"{code}: {text} {ids}",
                "error_codes": [refusal.code],
                "timestamp": stamp,
                "trace_id": str(trace),
                "correlation_id": str(correlation),
                "error_uri": f"https://{LOGIN_HOSTS[PUBLIC]}/error?code={refusal.code}",
            },
            status=refusal.status,
        )


def _resource(form: dict[str, str]) -> str:
    """Return the audience that a v2.0 `scope` or a v1 `resource` asks for."""
    scope = form.get("scope", "").split(" ")[0] or form.get("resource", "")
    resource = scope.removesuffix("/.default")
    return "https://graph.microsoft.com" if resource == GRAPH_APP_ID else resource


def _unverified(assertion: str) -> dict[str, Any]:
    try:
        return jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise Refusal(
            50027,
            "JWT token is invalid or malformed.",
            status=400,
            error="invalid_request",
        ) from error


def _no_tenant(name: str) -> Refusal:
    return Refusal(
        90002,
        f"Tenant '{name}' not found. Check to make sure you have the correct tenant ID"
        " and are signing into the correct cloud. Check with your subscription"
        " administrator, this may happen if there are no active subscriptions for the"
        " tenant.",
        status=400,
        error="invalid_request",
    )


def _no_combination(claims: dict[str, Any]) -> Refusal:
    """Return the refusal where every claim is trusted, but by no one credential."""
    return Refusal(
        70021,
        "No matching federated identity record found for presented assertion. Assertion Issuer:"
        f" '{claims['iss']}'. Assertion Subject: '{claims['sub']}'. Assertion Audience:"
        f" '{claims['aud']}'."
        " https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
    )


def _mismatch(code: int, name: str, presented: object) -> Refusal:
    hint = " The case does not match." if code == 7002138 else ""  # noqa: PLR2004 - Entra's own
    return Refusal(
        code,
        f"No matching federated identity record found for presented assertion {name}"
        f" '{presented}'.{hint} Please check your federated identity credential Subject, Audience"
        " and Issuer against the presented assertion."
        " https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
    )


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0Z"
