"""The stand-in over real sockets and TLS: routing, refusals, issuers and Entra."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from requests.auth import _basic_auth_str

from pytest_tfoidc.clock import VirtualClock
from pytest_tfoidc.events import (
    AccessTokenIssued,
    EventLog,
    ExchangeRefused,
    HostPassedThrough,
    HostRefused,
    IdTokenMinted,
    IdTokenRefused,
)
from pytest_tfoidc.httpserver import LOOPBACK, Connection, LoopbackServer, Request, Response
from pytest_tfoidc.mockazure.directory import CLIENT_ID, CONNECTION_ID, TENANT_ID, Identities
from pytest_tfoidc.mockazure.server import MockAzure

TOKEN_URL = f"https://login.microsoftonline.com/{TENANT_ID}/oauth2/v2.0/token"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def mock(clock: VirtualClock, events: EventLog) -> Iterator[MockAzure]:
    with MockAzure(clock=clock, events=events, environment={}) as mock:
        yield mock


@pytest.fixture
def client(mock: MockAzure) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": mock.url, "http": mock.url}
        session.verify = str(mock.ca_file)
        yield session


def azure_devops(mock: MockAzure, client: requests.Session, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
    url = mock.directory.connection.request_url
    bearer = options.pop("bearer", mock.issuer.request_tokens["azure-devops"])
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    method = options.pop("method", "POST")
    query = {"api-version": "7.1", "serviceConnectionId": CONNECTION_ID, **options.pop("query", {})}
    return client.request(
        method,
        url,
        params=query,
        headers={**headers, **options.pop("headers", {})},
        allow_redirects=False,
        timeout=10,
    )


def id_token(mock: MockAzure, client: requests.Session) -> str:
    token: str = azure_devops(mock, client).json()["oidcToken"]
    return token


def exchange(client: requests.Session, assertion: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_assertion": assertion,
        "client_assertion_type": JWT_BEARER,
        "scope": "https://management.azure.com/.default",
    }
    return client.post(TOKEN_URL, data={**form, **changes}, timeout=10)


def code_of(answer: requests.Response) -> int:
    code: int = answer.json()["error_codes"][0]
    return code


def test_azure_devops_mints_for_its_service_connection(
    mock: MockAzure, client: requests.Session, events: EventLog
) -> None:
    answer = azure_devops(mock, client)
    assert answer.status_code == 200
    claims = jwt.decode(answer.json()["oidcToken"], options={"verify_signature": False})
    assert claims["sub"] == "sc://tfoidc/stand-in/stand-in"
    assert claims["aud"] == "api://AzureADTokenExchange"
    assert claims["exp"] - claims["iat"] == 300
    assert len(events.of(IdTokenMinted)) == 1


def test_id_tokens_verify_against_the_published_keys(
    mock: MockAzure, client: requests.Session
) -> None:
    token = id_token(mock, client)
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    discovery = client.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
    assert discovery["issuer"] == issuer
    keys = jwt.PyJWKSet.from_dict(client.get(discovery["jwks_uri"], timeout=10).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["RS256"], audience="api://AzureADTokenExchange")


def test_azure_devops_answers_get_with_405(mock: MockAzure, client: requests.Session) -> None:
    answer = azure_devops(mock, client, method="GET")
    assert answer.status_code == 405
    assert answer.json() == {
        "count": 1,
        "value": {"Message": "The requested resource does not support http method 'GET'."},
    }


@pytest.mark.parametrize(
    ("bearer", "headers", "status"),
    [
        ("", {}, 302),
        ("wrong", {}, 203),
        ("wrong", {"X-TFS-FedAuthRedirect": "Suppress"}, 401),
    ],
)
def test_azure_devops_sends_strangers_to_sign_in(
    mock: MockAzure,
    client: requests.Session,
    events: EventLog,
    bearer: str,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = azure_devops(mock, client, bearer=bearer, headers=headers)
    assert answer.status_code == status
    assert "Sign In" in answer.text
    assert [e.status for e in events.of(IdTokenRefused)] == [status]


def test_azure_devops_refuses_a_connection_of_another_stage(
    mock: MockAzure, client: requests.Session
) -> None:
    mock.directory.named = Identities(strict=True)
    answer = azure_devops(mock, client, query={"serviceConnectionId": TENANT_ID})
    assert answer.status_code == 400
    assert f"no explicit reference to service connection {TENANT_ID}" in answer.json()["value"]


def test_a_token_without_a_connection_does_not_match_the_federated_credential(
    mock: MockAzure, client: requests.Session
) -> None:
    url = mock.directory.connection.request_url
    bearer = {"Authorization": f"Bearer {mock.issuer.request_tokens['azure-devops']}"}
    token = client.post(url, headers=bearer, timeout=10).json()["oidcToken"]
    assert code_of(exchange(client, token)) == 700213


def test_github_mints_for_get_with_an_audience(mock: MockAzure, client: requests.Session) -> None:
    url = f"{mock.directory.workflow.request_url}&audience=api://AzureADTokenExchange"
    bearer = {"Authorization": f"Bearer {mock.issuer.request_tokens['github']}"}
    token = client.get(url, headers=bearer, timeout=10).json()["value"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"] == "repo:tfoidc/stand-in:ref:refs/heads/main"
    assert exchange(client, token).status_code == 200


@pytest.mark.parametrize(("method", "status"), [("GET", 401), ("POST", 401)])
def test_github_refuses_azure_devops_request_token(
    mock: MockAzure, client: requests.Session, method: str, status: int
) -> None:
    bearer = {"Authorization": f"Bearer {mock.issuer.request_tokens['azure-devops']}"}
    url = mock.directory.workflow.request_url
    assert client.request(method, url, headers=bearer, timeout=10).status_code == status


def test_entra_exchanges_an_id_token_for_one_that_azurerm_can_parse(
    mock: MockAzure, client: requests.Session, events: EventLog
) -> None:
    answer = exchange(client, id_token(mock, client)).json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://management.azure.com"
    assert claims["tid"] == TENANT_ID
    assert claims["appid"] == CLIENT_ID
    assert claims["oid"]
    (issued,) = events.of(AccessTokenIssued)
    assert issued.id_token_age < timedelta(seconds=30)


def test_an_id_token_dies_with_its_lifetime_on_the_virtual_clock(
    mock: MockAzure, client: requests.Session, clock: VirtualClock, events: EventLog
) -> None:
    token = id_token(mock, client)
    clock.advance(timedelta(minutes=4))
    assert exchange(client, token).status_code == 200
    clock.advance(timedelta(minutes=2))
    answer = exchange(client, token)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    description = answer.json()["error_description"]
    assert description.startswith(
        "AADSTS700024: Client assertion is not within its valid time range. Current time: "
    )
    assert "Trace ID: " in description
    assert [e.code for e in events.of(ExchangeRefused)] == ["AADSTS700024"]


def test_id_tokens_can_be_made_to_expire_at_once(mock: MockAzure, client: requests.Session) -> None:
    old = id_token(mock, client)
    mock.issuer.expire_all()
    assert code_of(exchange(client, old)) == 700024
    assert exchange(client, id_token(mock, client)).status_code == 200


def test_without_the_check_of_expiry_an_expired_token_is_exchanged(
    mock: MockAzure, client: requests.Session, clock: VirtualClock
) -> None:
    token = id_token(mock, client)
    clock.advance(timedelta(hours=1))
    mock.entra.checks_expiry = False
    assert exchange(client, token).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": TENANT_ID}, 700016),
        ({"grant_type": "password"}, 70003),
        ({"client_assertion": "$(idToken)"}, 50027),
        ({"client_assertion": ""}, 7000218),
        ({"client_secret": "s3cret"}, 7000215),
    ],
)
def test_entra_words_refusals_as_entra_does(
    mock: MockAzure, client: requests.Session, changes: dict[str, str], code: int
) -> None:
    mock.directory.named = Identities(strict=True)
    answer = exchange(client, id_token(mock, client), **changes)
    assert code_of(answer) == code
    assert answer.json()["error_description"].startswith(f"AADSTS{code}: ")


def test_entra_refuses_a_token_that_somebody_else_signed(
    mock: MockAzure, client: requests.Session
) -> None:
    claims = jwt.decode(id_token(mock, client), options={"verify_signature": False})
    forged = mock.access_tokens.key.sign(claims)
    assert code_of(exchange(client, forged)) == 700027


def test_entra_knows_no_tenant_that_is_not_listed(
    mock: MockAzure, client: requests.Session
) -> None:
    mock.directory.named = Identities(strict=True)
    url = TOKEN_URL.replace(TENANT_ID, "contoso.example")
    assert code_of(client.post(url, data={}, timeout=10)) == 90002


def test_msal_finds_its_discovery_documents(client: requests.Session) -> None:
    host = "https://login.microsoftonline.com"
    instance = client.get(f"{host}/common/discovery/instance?api-version=1.1", timeout=10).json()
    assert "login.microsoftonline.com" in instance["metadata"][0]["aliases"]
    configuration = client.get(instance["tenant_discovery_endpoint"], timeout=10).json()
    assert configuration["issuer"] == f"{host}/{TENANT_ID}/v2.0"
    assert configuration["token_endpoint"] == TOKEN_URL


def test_an_access_token_of_one_service_is_no_good_at_another(
    mock: MockAzure, client: requests.Session
) -> None:
    token = exchange(client, id_token(mock, client)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03"}
    blob = client.get(
        "https://state.blob.core.windows.net/c?restype=container&comp=list",
        headers=bearer,
        timeout=10,
    )
    assert blob.status_code == 401
    groups = f"https://management.azure.com/subscriptions/{mock.directory.subscription_id}"
    url = f"{groups}/resourceGroups?api-version=2023-07-01"
    assert client.get(url, headers=bearer, timeout=10).status_code == 200
    mock.access_tokens.expire_all()
    assert client.get(url, headers=bearer, timeout=10).status_code == 401


def test_hosts_that_are_not_azure_are_refused_at_once_with_a_reason(
    mock: MockAzure, client: requests.Session, events: EventLog
) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match=r"403 refused by tfoidc: example.com"):
        client.get("https://example.com/", timeout=10)
    assert [event.host for event in events.of(HostRefused)] == ["example.com"]


def test_plain_http_is_refused_also_to_the_metadata_service_of_virtual_machines(
    client: requests.Session, events: EventLog
) -> None:
    answer = client.get("http://169.254.169.254/metadata/identity/oauth2/token", timeout=10)
    assert answer.status_code == 403
    assert [event.host for event in events.of(HostRefused)] == ["169.254.169.254"]


@pytest.fixture
def registry() -> Iterator[LoopbackServer]:
    with LoopbackServer(lambda _: Response.text("a registry")) as server:
        yield server


def connect(mock: MockAzure, target: str) -> socket.socket:
    client = socket.create_connection((LOOPBACK, mock.port), timeout=10)
    shown = _basic_auth_str("tfoidc", mock.credential.password)
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: {shown}\r\n\r\n"
    client.sendall(head.encode())
    return client


def test_allowed_hosts_pass_through_untouched(
    clock: VirtualClock, events: EventLog, registry: LoopbackServer
) -> None:
    with (
        MockAzure(
            clock=clock,
            events=events,
            environment={},
            allowed_hosts=(f"{LOOPBACK}:{registry.port}",),
        ) as mock,
        connect(mock, f"{LOOPBACK}:{registry.port}") as client,
    ):
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET / HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := client.recv(1000):
            received += chunk
        assert received.endswith(b"a registry")
    assert [event.host for event in events.of(HostPassedThrough)] == [LOOPBACK]


def test_registries_are_reached_through_the_outer_proxy(
    clock: VirtualClock, events: EventLog
) -> None:
    seen: list[str] = []

    class Proxy(LoopbackServer):
        async def answer(self, request: Request, connection: Connection) -> bool:
            seen.append(f"{request.method} {request.target}")
            seen.append(request.headers.get("proxy-authorization", ""))
            await connection.respond(Response.text("no", status=403))
            return False

    with Proxy(lambda _: Response()) as proxy:
        outer = {"HTTPS_PROXY": f"http://user:pass@{LOOPBACK}:{proxy.port}"}
        with (
            MockAzure(clock=clock, events=events, environment=outer) as mock,
            connect(mock, "registry.terraform.io:443") as client,
        ):
            assert client.recv(1000).startswith(b"HTTP/1.1 502 tfoidc could not reach registry")
    assert seen == ["CONNECT registry.terraform.io:443", "Basic dXNlcjpwYXNz"]


def test_nothing_leads_a_child_around_the_stand_in(mock: MockAzure) -> None:
    variables = mock.transport_environment()
    assert {variables[name] for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")} == {mock.url}
    assert variables["NO_PROXY"] == variables["no_proxy"] == "127.0.0.1,localhost,::1"


def test_the_bundle_is_private_holds_public_certificates_too_and_goes_away(
    clock: VirtualClock, events: EventLog
) -> None:
    with MockAzure(clock=clock, events=events, environment={}) as mock:
        bundle = mock.ca_file
        assert bundle.stat().st_mode & 0o077 == 0
        assert bundle.read_text().count("BEGIN CERTIFICATE") > 10
        assert "PRIVATE KEY" not in bundle.read_text()
        folder = Path(mock.transport_environment()["SSL_CERT_DIR"])
        assert list(folder.iterdir()) == []  # Go's programs would read what is in it as well
    assert not bundle.exists()
    assert not folder.exists()


def test_a_client_that_does_not_trust_the_ca_gets_nowhere(mock: MockAzure) -> None:
    with connect(mock, "management.azure.com:443") as client:
        client.recv(1000)
        context = ssl.create_default_context(cafile=None)
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(client, server_hostname="management.azure.com")


def test_what_the_services_hold_can_be_put_back(mock: MockAzure, client: requests.Session) -> None:
    held = mock.snapshot()
    scope = "https://storage.azure.com/.default"
    token = exchange(client, id_token(mock, client), scope=scope).json()["access_token"]
    headers = {
        "Authorization": f"Bearer {token}",
        "x-ms-version": "2023-11-03",
        "x-ms-blob-type": "BlockBlob",
    }
    url = "https://state.blob.core.windows.net/tfstate/key"
    assert client.put(url, data=b"{}", headers=headers, timeout=10).status_code == 201
    assert mock.blobs.blob("state", "tfstate", "key") == b"{}"
    mock.restore(held)
    assert mock.blobs.blob("state", "tfstate", "key") is None
