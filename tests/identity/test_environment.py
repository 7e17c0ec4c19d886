from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.identity.environment import (
    ArmEnvironment,
    arm_environment,
)
from pytest_tfoidc.identity.pipeline import PipelineContext, detect
from pytest_tfoidc.withheld import ISOLATED, WITHHELD
from tests.identity.identity_kit import CLIENT, CONNECTION, SUBSCRIPTION, TENANT, make_context

URL = "http://127.0.0.1:5/oidctoken?api-version=7.1"
BEARER = "the-relays-bearer"


def made(
    outer: dict[str, str] | None = None, context: PipelineContext | None = None
) -> ArmEnvironment:
    return arm_environment(
        context or make_context(), outer=outer or {}, request_url=URL, request_token=BEARER
    )


def withheld(environment: ArmEnvironment) -> set[str]:
    return {one.name for one in environment.withheld}


def test_azure_devops_clients_find_everything_that_they_need() -> None:
    variables = made({"PATH": "/bin"}).variables
    assert variables == {
        "PATH": "/bin",
        "ARM_USE_OIDC": "true",
        "ARM_USE_CLI": "false",
        "ARM_USE_MSI": "false",
        "ARM_ENVIRONMENT": "public",
        "ARM_TENANT_ID": TENANT,
        "ARM_CLIENT_ID": CLIENT,
        "ARM_SUBSCRIPTION_ID": SUBSCRIPTION,
        "ARM_OIDC_REQUEST_URL": URL,
        "ARM_OIDC_REQUEST_TOKEN": BEARER,
        "SYSTEM_OIDCREQUESTURI": URL,
        "SYSTEM_ACCESSTOKEN": BEARER,
        "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": CONNECTION,
        "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": CONNECTION,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": CONNECTION,
        "AZURESUBSCRIPTION_CLIENT_ID": CLIENT,
        "AZURESUBSCRIPTION_TENANT_ID": TENANT,
    }


@pytest.mark.parametrize("kind", ["github", "circleci", "gitlab", "aks", "command"])
def test_elsewhere_no_connection_makes_azurerm_post(kind: str) -> None:
    outer = {"ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": CONNECTION, "SYSTEM_OIDCREQUESTURI": "x"}
    variables = made(outer, make_context(kind)).variables
    assert CONNECTION not in variables.values()
    assert "SYSTEM_OIDCREQUESTURI" not in variables
    assert variables["ARM_OIDC_REQUEST_URL"] == variables["ACTIONS_ID_TOKEN_REQUEST_URL"] == URL
    assert variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == BEARER


@pytest.mark.parametrize("name", sorted({*WITHHELD, *ISOLATED, "TF_CLI_ARGS_plan"}))
def test_what_prevents_refresh_is_withheld_and_reported_without_its_value(name: str) -> None:
    environment = made({name: "s3cret-value"})
    assert environment.variables.get(name) != "s3cret-value"
    assert withheld(environment) == {name}
    assert "s3cret" not in repr(environment)
    assert all(one.reason for one in environment.withheld)


def test_the_rest_of_the_environment_is_kept() -> None:
    outer = {"PATH": "/bin", "TF_VAR_name": "x", "TF_LOG": "INFO", "ARM_PARTNER_ID": "p"}
    environment = made(outer)
    assert {name: environment.variables[name] for name in outer} == outer
    assert environment.withheld == ()


def test_an_empty_variable_is_not_worth_a_report() -> None:
    assert made({"ARM_CLIENT_SECRET": ""}).withheld == ()


def test_a_switch_that_is_already_right_is_not_reported() -> None:
    assert made({"ARM_USE_OIDC": "true", "ARM_USE_CLI": "false"}).withheld == ()
    assert withheld(made({"ARM_USE_CLI": "true"})) == {"ARM_USE_CLI"}


def test_the_pipelines_own_token_is_withheld_under_any_name() -> None:
    context = make_context(request_token="s3cret-token")
    outer = {"MY_TOKEN": "s3cret-token", "HEADER": "Bearer s3cret-token", "OTHER": "x"}
    environment = made(outer, context)
    assert not any("s3cret" in value for value in environment.variables.values())
    assert withheld(environment) == {"MY_TOKEN", "HEADER"}


def test_without_a_relay_the_pipelines_own_token_is_passed_on() -> None:
    context = make_context(request_token="own", request_url="https://dev.azure.com/x")
    outer = {"SYSTEM_ACCESSTOKEN": "own", "SYSTEM_OIDCREQUESTURI": context.request_url}
    environment = arm_environment(
        context, outer=outer, request_url=context.request_url, request_token="own"
    )
    assert environment.variables["ARM_OIDC_REQUEST_TOKEN"] == "own"
    assert environment.withheld == ()


def test_a_command_of_the_users_keeps_its_terraform_settings() -> None:
    outer = {"TF_DATA_DIR": ".tf", "TF_CLI_ARGS_plan": "-lock=false"}
    environment = arm_environment(
        make_context(), outer=outer, request_url=URL, request_token=BEARER, isolated=False
    )
    assert environment.variables["TF_DATA_DIR"] == ".tf"
    assert environment.variables["TF_CLI_ARGS_plan"] == "-lock=false"
    assert environment.withheld == ()


def test_the_relays_bearer_never_goes_to_a_proxy() -> None:
    variables = made({"HTTP_PROXY": "http://p:1", "NO_PROXY": "a.example"}).variables
    assert variables["NO_PROXY"] == variables["no_proxy"] == "a.example,127.0.0.1"
    assert "NO_PROXY" not in made({}).variables


def test_no_subscription_stays_no_subscription() -> None:
    assert "ARM_SUBSCRIPTION_ID" not in made(context=make_context(subscription_id=None)).variables


def test_a_sovereign_cloud_is_passed_on() -> None:
    assert made(context=make_context(cloud="china")).variables["ARM_ENVIRONMENT"] == "china"


@pytest.mark.parametrize("kind", ["azure-devops", "github"])
def test_a_child_that_looks_for_its_context_finds_the_relay(kind: str) -> None:
    inner = detect(made(context=make_context(kind)).variables)
    assert inner is not None
    assert (inner.kind, inner.request_url, str(inner.request_token)) == (kind, URL, BEARER)


def test_the_variables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        made().variables["X"] = "y"  # type: ignore[index] # that it cannot is the point


@given(st.dictionaries(st.sampled_from([*WITHHELD, "PATH", "X"]), st.text(min_size=1)))
def test_nothing_of_the_outer_environment_is_lost_silently(outer: dict[str, str]) -> None:
    environment = made(outer)
    for name, value in outer.items():
        assert environment.variables.get(name) == value or name in withheld(environment)
