"""The pipelines' ID token endpoints: Azure DevOps' POST, GitHub's GET, discovery and JWKS.

Source: the clients' requests and the services' refusals as recorded in docs/protocol.md, section 3.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from pytest_tfoidc.clock import Clock
from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.events import EventLog, IdTokenMinted, IdTokenRefused, TokensExpired
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.directory import Directory
from pytest_tfoidc.mockazure.tokens import SigningKey, seconds
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS, GITHUB

Identity = tuple[str, str]  # the issuer and the subject of an ID token

ISSUER_HOSTS = (
    "dev.azure.com",
    "vstoken.dev.azure.com",
    "app.vstoken.visualstudio.com",
    "*.actions.githubusercontent.com",
)
SIGN_IN_PAGE = "<html><head><title>Azure DevOps Services | Sign In</title></head></html>"


class Issuer:
    """Mints ID tokens for whoever holds the request token of the job.

    Args:
        directory: The service connection and the workflow that the tokens speak for.
        clock: Tells the virtual time.
        events: Is told of every token and every refusal.
        connections: Gives the service connections that were made by request: the id, and who its
            ID tokens are by and for; None where it is not federated.
        lifetime: How long an ID token lives (Azure DevOps announces about five minutes).
    """

    def __init__(
        self,
        *,
        directory: Directory,
        clock: Clock,
        events: EventLog,
        connections: Callable[[], Mapping[str, Identity | None]] = dict,
        lifetime: timedelta = timedelta(minutes=5),
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._events = events
        self._made_connections = connections
        self.lifetime = lifetime
        self.key = SigningKey()
        self.request_tokens = {kind: secrets.token_urlsafe(32) for kind in (AZURE_DEVOPS, GITHUB)}
        self._living: set[str] = set()
        self._expired_early: dict[str, datetime] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request for one of the issuers' hosts."""
        path = request.path.rstrip("/")
        if path.endswith("/.well-known/openid-configuration"):
            return self._discovery(f"https://{request.host}{path.split('/.well-known')[0]}")
        if path.endswith(("/.well-known/jwks", "/discovery/keys")):
            return Response.json(self.key.jwks())
        if request.host == "dev.azure.com" and path.endswith("/oidctoken"):
            return self._azure_devops(request)
        if "/idtoken" in path:
            return self._github(request)
        return Response.json({"message": f"no such page in the stand-in: {path}"}, status=404)

    def _discovery(self, issuer: str) -> Response:
        return Response.json(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/.well-known/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
                "claims_supported": ["sub", "aud", "exp", "iat", "iss", "nbf", "jti"],
            }
        )

    def _azure_devops(self, request: Request) -> Response:
        if not self._knows(request, AZURE_DEVOPS):
            return self._sign_in(request)
        if request.method != "POST":
            message = f"The requested resource does not support http method '{request.method}'."
            body = {"count": 1, "value": {"Message": message}}
            return self._refuse(AZURE_DEVOPS, Response.json(body, status=405), message)
        wanted = request.query.get("serviceConnectionId")
        connection = self._directory.connection
        pipeline = f"p://{connection.organization}/{connection.project}/pipeline"
        try:
            identity = self._identity(wanted) if wanted else (connection.issuer, pipeline)
        except LookupError:
            return self._refuse_connection(
                f"There is no explicit reference to service connection {wanted}"
                " from current stage __default.Job.__default."
            )
        if identity is None:
            return self._refuse_connection(
                f"Service connection {wanted} does not use workload identity federation."
            )
        issuer, subject = identity
        token = self._mint(AZURE_DEVOPS, issuer, subject, _audience(request))
        return Response.json({"oidcToken": token})

    def _identity(self, wanted: str) -> Identity | None:
        """Return whose ID token a connection's is; None where it is not federated.

        Raises:
            LookupError: There is no such connection, and none may be named.
        """
        known = self._connections()
        if wanted.lower() in known:
            return known[wanted.lower()]
        named = self._directory.name_connection(wanted)
        if named is None:
            raise LookupError(wanted)
        return named.issuer, named.subject

    def _connections(self) -> dict[str, Identity | None]:
        directory = self._directory
        ours = {
            c.id.lower(): (c.issuer, c.subject) if c.federated else None
            for c in (*directory.connections, directory.connection)
        }
        return {**{i.lower(): identity for i, identity in self._made_connections().items()}, **ours}

    def _refuse_connection(self, message: str) -> Response:
        body = {"count": len(message), "value": message}
        return self._refuse(AZURE_DEVOPS, Response.json(body, status=400), message)

    def _sign_in(self, request: Request) -> Response:
        if request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress":
            status, headers = 401, {"WWW-Authenticate": "Bearer, Basic"}
        elif request.bearer:
            status, headers = 203, {}
        else:
            status, headers = 302, {"Location": "https://dev.azure.com/_signin"}
        page = Response.text(SIGN_IN_PAGE, status=status, kind="text/html", headers=headers)
        return self._refuse(AZURE_DEVOPS, page, "no valid System.AccessToken")

    def _github(self, request: Request) -> Response:
        if not self._knows(request, GITHUB):
            return self._refuse(GITHUB, Response.json({}, status=401), "no valid request token")
        if request.method != "GET":
            return self._refuse(GITHUB, Response.json({}, status=405), "only GET is supported")
        workflow = self._directory.workflow
        token = self._mint(GITHUB, workflow.issuer, workflow.subject, _audience(request))
        return Response.json({"count": len(token), "value": token})

    def _knows(self, request: Request, kind: str) -> bool:
        return hmac.compare_digest(
            (request.bearer or "").encode(), self.request_tokens[kind].encode()
        )

    def _refuse(self, kind: str, response: Response, reason: str) -> Response:
        now = self._clock.now()
        self._events.emit(
            IdTokenRefused(at=now, protocol=kind, status=response.status, reason=reason)
        )
        return response

    def mint(self, kind: str, *, audience: str = DEFAULT_AUDIENCE) -> str:
        """Sign an ID token of a pipeline whose jobs ask no endpoint for it.

        Args:
            kind: A key of the directory's `others`.
            audience: What the token is for.
        """
        other = self._directory.others[kind]
        return self._mint(kind, other.issuer, other.subject, audience)

    def _mint(self, kind: str, issuer: str, subject: str, audience: str) -> str:
        now = self._clock.now()
        expires_at = now + self.lifetime
        token_id = str(uuid.uuid4())
        claims = {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": seconds(now),
            "nbf": seconds(now),
            "exp": seconds(expires_at),
            "jti": token_id,
        }
        self._living.add(token_id)
        self._events.emit(
            IdTokenMinted(
                at=now, protocol=kind, subject=subject, audience=audience, expires_at=expires_at
            )
        )
        return self.key.sign(claims)

    def snapshot(self) -> timedelta:
        """Return the setting, for `restore`. What was minted is not among it."""
        return self.lifetime

    def restore(self, held: timedelta) -> None:
        """Put back what `snapshot` gave."""
        self.lifetime = held

    def expire_all(self) -> None:
        """Make every ID token that was minted so far an expired one."""
        now = self._clock.now()
        self._expired_early.update(dict.fromkeys(self._living, now))
        self._living.clear()
        self._events.emit(TokensExpired(at=now, kind="id"))

    def expired_early(self, token_id: str) -> datetime | None:
        """Return the moment at which `expire_all` ended a token's life; None if it did not."""
        return self._expired_early.get(token_id)


def _audience(request: Request) -> str:
    return request.query.get("audience") or DEFAULT_AUDIENCE
