"""Whose ID tokens Entra takes: federated credentials from everywhere, and every mismatch."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest

from pytest_tfoidc.mockazure import tokens
from pytest_tfoidc.mockazure.directory import (
    CLIENT_ID,
    CONNECTION_ID,
    SUBSCRIPTION_ID,
    TENANT_ID,
    Identities,
    ServiceConnection,
)
from pytest_tfoidc.mockazure.federated import FederatedCredential
from tests.mockazure.azurekit import ARM, Azure

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
OTHER = "0ce4ab1e-0000-4000-8000-000000000001"
GRAPH = "https://graph.microsoft.com"
DEVOPS = "https://dev.azure.com/tfoidc"
DEVOPS_APP = "499b84ac-1321-427f-aa17-267ca6975798"


def trusting(connection: ServiceConnection, **changes: Any) -> FederatedCredential:  # noqa: ANN401 - any field
    usual = FederatedCredential(issuer=connection.issuer, subject=connection.subject)
    return replace(usual, **changes)


def test_the_job_s_own_connection_gets_in(azure: Azure) -> None:
    assert azure.code() == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "https://vstoken.dev.azure.com/another"}, 700211),
        ({"issuer": f"{ServiceConnection().issuer}/"}, 700211),
        ({"subject": "sc://tfoidc/stand-in/another"}, 700213),
        ({"subject": "sc://tfoidc/Stand-In/stand-in"}, 7002138),
        ({"audiences": ("api://another",)}, 700212),
        ({"audiences": ("api://azureadtokenexchange",)}, 7002138),
    ],
)
def test_a_mismatch_has_entra_s_own_code(azure: Azure, changes: dict[str, Any], code: int) -> None:
    azure.mock.directory.trust(trusting(azure.mock.directory.connection, **changes))

    answer = azure.log_in()

    assert answer["error_codes"] == [code]
    assert answer["error_description"].startswith(f"AADSTS{code}: No matching federated identity")


def test_claims_that_only_different_credentials_trust_are_70021(azure: Azure) -> None:
    connection = azure.mock.directory.connection
    azure.mock.directory.trust(
        trusting(connection, subject="sc://tfoidc/stand-in/another"),
        trusting(connection, issuer="https://another"),
    )

    assert azure.code() == 70021


def test_one_good_credential_among_others_is_enough(azure: Azure) -> None:
    connection = azure.mock.directory.connection
    azure.mock.directory.trust(
        trusting(connection, subject="sc://a/b/c"),
        trusting(connection, audiences=("api://x", "api://AzureADTokenExchange")),
    )

    assert azure.code() == 0


def test_an_application_without_credentials_is_70025(azure: Azure) -> None:
    azure.mock.directory.trust()

    assert azure.code() == 70025


def test_an_unknown_application_is_700016_where_identities_are_strict(azure: Azure) -> None:
    azure.mock.directory.named = Identities(strict=True)
    assert azure.code(client=OTHER) == 700016


@pytest.mark.parametrize("form", ["organization", "oldest", "entra"])
def test_every_form_of_issuer_is_minted_for_and_honoured(azure: Azure, form: str) -> None:
    connection = ServiceConnection(id=OTHER, name="other", issued_by=form)
    azure.mock.directory.connections = (connection,)
    before = azure.code(OTHER)
    azure.mock.directory.trust(trusting(connection))
    claims = jwt.decode(
        azure.id_token(OTHER).json()["oidcToken"], options={"verify_signature": False}
    )

    assert before in {700211, 700213}
    assert (claims["iss"], claims["sub"]) == (connection.issuer, connection.subject)
    assert azure.code(OTHER) == 0


def test_an_entra_issued_token_is_signed_by_a_key_that_entra_publishes(azure: Azure) -> None:
    azure.mock.directory.connections = (
        connection := ServiceConnection(id=OTHER, issued_by="entra"),
    )
    token = azure.id_token(OTHER).json()["oidcToken"]
    found = azure.send("GET", f"{connection.issuer}/.well-known/openid-configuration").json()
    keys = azure.send("GET", found["jwks_uri"]).json()["keys"]
    key = next(k for k in keys if k["kid"] == jwt.get_unverified_header(token)["kid"])

    claims = jwt.decode(
        token, jwt.PyJWK(key).key, algorithms=["RS256"], audience="api://AzureADTokenExchange"
    )

    assert claims["iss"] == found["issuer"] == f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"
    assert claims["sub"].startswith("/eid1/c/pub/t/")
    assert claims["sub"].endswith(f"/{OTHER}")


def test_a_renamed_connection_is_700213_until_its_credential_is_mended(azure: Azure) -> None:
    directory = azure.mock.directory
    directory.connection = replace(directory.connection, name="renamed")
    renamed = azure.code()
    directory.trust(trusting(directory.connection))

    assert (renamed, azure.code()) == (700213, 0)


def test_renaming_does_not_harm_a_connection_that_entra_issues_for(azure: Azure) -> None:
    directory = azure.mock.directory
    directory.connection = replace(directory.connection, issued_by="entra")
    directory.trust(trusting(directory.connection))
    directory.connection = replace(directory.connection, name="renamed", project="moved")

    assert azure.code() == 0


def test_a_reverted_connection_gets_no_id_token(azure: Azure) -> None:
    directory = azure.mock.directory
    directory.connection = replace(directory.connection, federated=False)

    answer = azure.id_token()

    assert answer.status_code == 400
    assert "workload identity federation" in answer.json()["value"]


def test_a_connection_that_is_not_listed_gets_no_id_token(azure: Azure) -> None:
    azure.mock.directory.named = Identities(strict=True)
    answer = azure.id_token(OTHER)

    assert answer.status_code == 400
    assert "no explicit reference to service connection" in answer.json()["value"]


def test_a_managed_identity_of_resource_manager_is_let_in(azure: Azure) -> None:
    manager, connection = azure.mock.resource_manager, azure.mock.directory.connection
    client = manager.add(IDENTITY)["properties"]["clientId"]
    without = azure.code(client=client)
    manager.add(
        f"{IDENTITY}/federatedIdentityCredentials/f",
        {
            "properties": {
                "issuer": connection.issuer,
                "subject": connection.subject,
                "audiences": ["api://AzureADTokenExchange"],
            }
        },
    )

    token = azure.log_in(client=client)["access_token"]

    assert without == 70025
    assert jwt.decode(token, options={"verify_signature": False})["appid"] == client


def test_an_application_that_was_made_in_graph_is_let_in(azure: Azure) -> None:
    connection = azure.mock.directory.connection
    graph = azure.bearer(GRAPH)

    def post(path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        return azure.send("POST", f"{GRAPH}/v1.0/{path}", json=body, headers=graph).json()

    made = post("applications", {"displayName": "app"})
    client = made["appId"]
    before = azure.code(client=client)
    post("servicePrincipals", {"appId": client})
    without = azure.code(client=client)
    credential = {"name": "f", "issuer": connection.issuer, "subject": connection.subject}
    audiences = ["api://AzureADTokenExchange"]
    path = f"applications/{made['id']}/federatedIdentityCredentials"
    post(path, {**credential, "audiences": audiences})

    assert (before, without, azure.code(client=client)) == (700016, 70025, 0)


def test_a_connection_that_was_made_in_azure_devops_is_minted_for(azure: Azure) -> None:
    headers = azure.bearer(DEVOPS_APP)
    project = {"id": "stand-in", "name": "stand-in"}
    body: dict[str, Any] = {
        "name": "made",
        "type": "azurerm",
        "authorization": {
            "scheme": "WorkloadIdentityFederation",
            "parameters": {"serviceprincipalid": CLIENT_ID, "tenantid": TENANT_ID},
        },
        "serviceEndpointProjectReferences": [{"projectReference": project, "name": "made"}],
    }
    url = f"{DEVOPS}/_apis/serviceendpoint/endpoints"
    made = azure.send("POST", url, json=body, headers=headers).json()
    parameters = made["authorization"]["parameters"]
    before = azure.code(made["id"])
    azure.mock.directory.trust(
        FederatedCredential(
            issuer=parameters["workloadIdentityFederationIssuer"],
            subject=parameters["workloadIdentityFederationSubject"],
        )
    )
    trusted = azure.code(made["id"])
    renamed = {**made, "name": "renamed"}
    azure.send("PUT", f"{url}/{made['id']}", json=renamed, headers=headers)
    after = azure.code(made["id"])
    secret = {**made, "authorization": {"scheme": "ServicePrincipal", "parameters": parameters}}
    azure.send("PUT", f"{url}/{made['id']}", json=secret, headers=headers)

    assert (before, trusted, after) == (700213, 0, 700213)
    assert azure.id_token(made["id"]).status_code == 400


def test_a_snapshot_holds_who_exists_and_how_long_tokens_live(azure: Azure) -> None:
    mock = azure.mock
    held = mock.snapshot()
    mock.directory.trust()
    mock.directory.connection = ServiceConnection(id=CONNECTION_ID, name="renamed")
    mock.entra.checks_expiry = False
    mock.access_tokens.lifetime *= 2
    mock.issuer.lifetime *= 2
    mock.restore(held)

    assert azure.code() == 0
    assert mock.entra.checks_expiry
    assert mock.directory.connection.name == "stand-in"
    assert (mock.access_tokens.lifetime / mock.issuer.lifetime) == 12


def test_expired_access_tokens_are_forgotten_and_still_called_expired(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 2)
    held = azure.mock.access_tokens
    held.expire_all()
    held.lifetime = timedelta()
    old = azure.bearer()
    for _ in range(3):
        azure.bearer()
    url = f"{ARM}{GROUP}?api-version=2024-01-01"

    answer = azure.send("GET", url, headers=old)

    assert len(held._issued) <= 2
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"
