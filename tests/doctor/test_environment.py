"""Planted misconfigurations of environments: each is found, by its id; healthy ones are clean."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.doctor.authorizers import BACKEND, PROVIDERS, TOFU_BACKEND, choose
from pytest_tfoidc.doctor.environment import KNOWN_NAMES, examine_environment, misspelt
from pytest_tfoidc.doctor.findings import CATALOGUE

GUID = "11111111-1111-1111-1111-111111111111"
NOW = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
IDENTITY = {
    "ARM_TENANT_ID": GUID,
    "ARM_CLIENT_ID": GUID,
    "ARM_SUBSCRIPTION_ID": GUID,
    "ARM_USE_OIDC": "true",
}
URL = "https://dev.azure.com/o/p/_apis/oidctoken"
AZURE_DEVOPS = {
    **IDENTITY,
    "TF_BUILD": "True",
    "SYSTEM_OIDCREQUESTURI": URL,
    "SYSTEM_ACCESSTOKEN": "s3cret-job-token",
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": GUID,
}
GITHUB = {
    **IDENTITY,
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.actions.githubusercontent.com/t?a=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret-request-token",
}
BITBUCKET = {**IDENTITY, "BITBUCKET_BUILD_NUMBER": "7"}


def token(lifetime: timedelta = timedelta(hours=1)) -> str:
    claims = {"iss": "i", "sub": "s", "exp": int((NOW + lifetime).timestamp())}
    parts = (json.dumps({"alg": "none"}), json.dumps(claims), "s3cret")
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


def without(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def ids(environment: Mapping[str, str], wanted: str = "auto") -> list[str]:
    found = examine_environment(environment, now=NOW, wanted=wanted).findings
    assert not any("s3cret" in str(one) for one in found)
    assert all(one.cause and one.remedy and one.where for one in found)
    return [one.id for one in found]


HEALTHY = {
    "a laptop": {"HOME": "/home/someone"},
    "azure devops": AZURE_DEVOPS,
    "azurecli": {
        "ARM_USE_OIDC": "true",
        **without(AZURE_DEVOPS, *IDENTITY, "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"),
        "ARM_SUBSCRIPTION_ID": GUID,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": GUID,
        "AZURESUBSCRIPTION_CLIENT_ID": GUID,
        "AZURESUBSCRIPTION_TENANT_ID": GUID,
    },
    "terraformtask 5": {
        **without(AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN"),
        "ARM_OIDC_REQUEST_TOKEN": "s3cret",
    },
    "github": GITHUB,
    "circleci": {**IDENTITY, "CIRCLECI": "true"},
    "sovereign": {**GITHUB, "ARM_ENVIRONMENT": "usgovernment"},
}
PLANTED = {
    "unmapped token": (without(AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN"), "TFO101"),
    "empty token": ({**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": ""}, "TFO101"),
    "literal token": ({**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": "$(System.AccessToken)"}, "TFO102"),
    "literal client": ({**AZURE_DEVOPS, "ARM_CLIENT_ID": "$(clientId)"}, "TFO102"),
    "no permission": (
        without(GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        "TFO103",
    ),
    "no connection": (without(AZURE_DEVOPS, "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"), "TFO104"),
    "connection by name": (
        {**AZURE_DEVOPS, "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": "my-connection"},
        "TFO105",
    ),
    "two pipelines": ({**AZURE_DEVOPS, **GITHUB}, "TFO106"),
    "dead request token": (
        {**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": token(timedelta(minutes=-1))},
        "TFO107",
    ),
    "dying request token": (
        {**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": token(timedelta(minutes=5))},
        "TFO124",
    ),
    "no url": (without(AZURE_DEVOPS, "SYSTEM_OIDCREQUESTURI"), "TFO108"),
    "url in clear": ({**AZURE_DEVOPS, "SYSTEM_OIDCREQUESTURI": "http://dev.azure.com/"}, "TFO108"),
    "no tenant": (without(GITHUB, "ARM_TENANT_ID"), "TFO109"),
    "tenant by name": ({**GITHUB, "ARM_TENANT_ID": "contoso.onmicrosoft.com"}, "TFO125"),
    "no client": (without(GITHUB, "ARM_CLIENT_ID"), "TFO110"),
    "client by name": ({**GITHUB, "ARM_CLIENT_ID": "my-app"}, "TFO110"),
    "no subscription": (without(GITHUB, "ARM_SUBSCRIPTION_ID"), "TFO126"),
    "subscription by name": ({**GITHUB, "ARM_SUBSCRIPTION_ID": "Production"}, "TFO111"),
    "unknown cloud": ({**GITHUB, "ARM_ENVIRONMENT": "mars"}, "TFO112"),
    "no id token": (BITBUCKET, "TFO113"),
    "one id token": ({**BITBUCKET, "BITBUCKET_STEP_OIDC_TOKEN": token()}, "TFO127"),
    "dead id token": (
        {**BITBUCKET, "BITBUCKET_STEP_OIDC_TOKEN": token(timedelta(minutes=-5))},
        "TFO116",
    ),
    "masked id token": ({**BITBUCKET, "BITBUCKET_STEP_OIDC_TOKEN": "***"}, "TFO117"),
    "the seed's typo": ({**AZURE_DEVOPS, "ARM_USE_OUDC": "true"}, "TFO114"),
    "typo of a system variable": ({**AZURE_DEVOPS, "SYSTEM_ACCESTOKEN": "x"}, "TFO114"),
    "oidc off": ({**AZURE_DEVOPS, "ARM_USE_OIDC": "false"}, "TFO115"),
    "oidc not on": (without(AZURE_DEVOPS, "ARM_USE_OIDC"), "TFO129"),
    "oidc not on at GitHub": ({**GITHUB, "ARM_USE_OIDC": " "}, "TFO129"),
    "static token": ({**AZURE_DEVOPS, "ARM_OIDC_TOKEN": token()}, "TFO120"),
    "token file in a job": ({**AZURE_DEVOPS, "ARM_OIDC_TOKEN_FILE_PATH": "t"}, "TFO121"),
    "client secret": ({**AZURE_DEVOPS, "ARM_CLIENT_SECRET": "s3cret"}, "TFO122"),
    "certificate": ({**AZURE_DEVOPS, "ARM_CLIENT_CERTIFICATE_PATH": "c.pfx"}, "TFO122"),
    "azure cli": ({**AZURE_DEVOPS, "ARM_USE_CLI": "true"}, "TFO123"),
    "only arm url": (
        {**without(AZURE_DEVOPS, "SYSTEM_OIDCREQUESTURI"), "ARM_OIDC_REQUEST_URL": URL},
        "TFO128",
    ),
    "one-shot token": ({**AZURE_DEVOPS, "idToken": token()}, "TFO130"),
    "vanished file": ({**IDENTITY, "AZURE_FEDERATED_TOKEN_FILE": "no/such/file"}, "TFO118"),
}


@pytest.mark.parametrize("environment", HEALTHY.values(), ids=HEALTHY)
def test_nothing_is_found_in_a_healthy_environment(environment: dict[str, str]) -> None:
    assert ids(environment) == []


@pytest.mark.parametrize(("environment", "number"), PLANTED.values(), ids=PLANTED)
def test_what_was_planted_is_found(environment: dict[str, str], number: str) -> None:
    found = ids(environment)
    assert number in found
    assert len(found) <= 2


def test_the_one_planted_thing_is_the_one_that_is_found() -> None:
    """Most plants have one finding, so the doctor does not cry wolf."""
    lonely = [ids(environment) for environment, _ in PLANTED.values()]
    assert sum(len(found) == 1 for found in lonely) >= len(PLANTED) - 5


@pytest.mark.parametrize("content", [None, b""], ids=["directory", "empty"])
def test_a_token_file_that_holds_no_token_is_found(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    environment = {**IDENTITY, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    assert ids(environment) == ["TFO118"]
    if content is not None:
        file.write_text(token())
        assert ids(environment) == []


def test_no_name_that_clients_read_is_taken_for_a_typo() -> None:
    assert not any(misspelt(name) for name in KNOWN_NAMES)
    assert misspelt("ARM_USE_OUDC") == "ARM_USE_OIDC"
    assert misspelt("ARM_MY_OWN_THING") is None


@settings(max_examples=100)
@given(
    environment=st.dictionaries(
        st.sampled_from([*KNOWN_NAMES, *AZURE_DEVOPS, *GITHUB, "idToken", "GITLAB_CI"]),
        st.sampled_from(["", "x", GUID, "$(x)", "true", "a.b.c", "https://["])
        | st.text(max_size=9),
    )
)
def test_whatever_is_in_the_environment_the_doctor_has_an_opinion(
    environment: dict[str, str],
) -> None:
    for one in examine_environment(environment, now=NOW).findings:
        assert one.id in CATALOGUE


CURRENT = {
    "azure devops": (AZURE_DEVOPS, "Azure DevOps"),
    "github": ({**GITHUB, "ARM_USE_OIDC": "true"}, "GitHub"),
    "static token": ({**AZURE_DEVOPS, "ARM_OIDC_TOKEN": "x"}, "static ID token"),
    "token file": ({**AZURE_DEVOPS, "ARM_OIDC_TOKEN_FILE_PATH": "x"}, "static ID token"),
    "secret": ({**AZURE_DEVOPS, "ARM_CLIENT_SECRET": "x"}, "client secret"),
    "certificate": ({**AZURE_DEVOPS, "ARM_CLIENT_CERTIFICATE": "x"}, "client certificate"),
    "no connection": (
        without(AZURE_DEVOPS, "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"),
        "GitHub",
    ),
    "managed identity": ({"ARM_USE_MSI": "true"}, "managed identity"),
    "nothing": ({}, "Azure CLI"),
    "nothing, cli off": ({"ARM_USE_CLI": "false"}, "nobody"),
}


@pytest.mark.parametrize(("environment", "authorizer"), CURRENT.values(), ids=CURRENT)
def test_which_way_a_current_backend_signs_in(environment: dict[str, str], authorizer: str) -> None:
    assert choose(BACKEND, environment).authorizer == authorizer


def test_an_old_backend_does_not_know_azure_devops() -> None:
    assert choose(BACKEND, AZURE_DEVOPS, version=(1, 10, 5)).authorizer == "Azure CLI"
    mapped = {**AZURE_DEVOPS, "ARM_OIDC_REQUEST_URL": URL, "ARM_OIDC_REQUEST_TOKEN": "t"}
    assert choose(BACKEND, mapped, version=(1, 10, 5)).authorizer == "GitHub"
    assert choose(BACKEND, mapped, version=(1, 11, 2)).authorizer == "Azure DevOps"


def test_clients_that_read_the_systems_url_alone() -> None:
    mapped = {
        **without(AZURE_DEVOPS, "SYSTEM_OIDCREQUESTURI"),
        "ARM_OIDC_REQUEST_URL": URL,
    }
    clients = {client.name: client for client in (*PROVIDERS.values(), TOFU_BACKEND)}
    found = {name: choose(client, mapped).authorizer for name, client in clients.items()}
    assert found["azurerm"] == found["azuread"] == "Azure DevOps"
    assert found["azapi"] == found["OpenTofu's azurerm backend"] == "GitHub"


def test_azapi_prefers_id_tokens_to_secrets() -> None:
    environment = {**AZURE_DEVOPS, "ARM_CLIENT_SECRET": "x"}
    assert choose(PROVIDERS["azure/azapi"], environment).authorizer == "Azure DevOps"
    assert choose(PROVIDERS["hashicorp/azurerm"], environment).authorizer == "client secret"
