from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc import authvariables
from pytest_tfoidc.errors import ContextError
from pytest_tfoidc.identity.pipeline import PipelineContext, detect
from pytest_tfoidc.pipelinekinds import KINDS, MARKERS, RECORDS
from tests.identity.identity_kit import (
    CLIENT,
    CONNECTION,
    NOON,
    SUBSCRIPTION,
    TENANT,
    make_context,
    make_jwt,
)

IDENTITY = {"ARM_TENANT_ID": TENANT, "ARM_CLIENT_ID": CLIENT, "ARM_SUBSCRIPTION_ID": SUBSCRIPTION}
AZURE_DEVOPS = {
    **IDENTITY,
    "TF_BUILD": "True",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/org/p/_apis/oidctoken",
    "SYSTEM_ACCESSTOKEN": "the-job-token",
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": CONNECTION,
}
GITHUB = {
    **IDENTITY,
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.githubusercontent.com/x?api=2",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-request-token",
}


def found(environment: dict[str, str], **arguments: str) -> PipelineContext:
    context = detect(environment, **arguments)
    assert context is not None
    return context


def refused(environment: dict[str, str], **arguments: str) -> ContextError:
    with pytest.raises(ContextError) as caught:
        detect(environment, **arguments)
    return caught.value


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def test_a_laptop_is_no_pipeline() -> None:
    assert detect({"HOME": "/home/someone", **IDENTITY}) is None


def test_an_azure_devops_step_with_mapped_variables_is_found() -> None:
    context = found(AZURE_DEVOPS)
    assert (context.kind, context.label) == ("azure-devops", "Azure DevOps")
    assert context.request_url == AZURE_DEVOPS["SYSTEM_OIDCREQUESTURI"]
    assert str(context.request_token) == "the-job-token"
    assert context.service_connection_id == CONNECTION
    assert (context.tenant_id, context.client_id) == (TENANT, CLIENT)
    assert context.audience == "api://AzureADTokenExchange"
    assert context.refreshable
    assert context.warnings == ()


def test_the_variables_of_azurecli_are_enough() -> None:
    context = found(
        {
            "TF_BUILD": "True",
            "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/x",
            "SYSTEM_ACCESSTOKEN": "t",
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": CONNECTION,
            "AZURESUBSCRIPTION_CLIENT_ID": CLIENT,
            "AZURESUBSCRIPTION_TENANT_ID": TENANT,
        }
    )
    assert (context.tenant_id, context.client_id) == (TENANT, CLIENT)
    assert context.service_connection_id == CONNECTION
    assert context.subscription_id is None
    assert "ARM_SUBSCRIPTION_ID" in context.warnings[0]


def test_what_addspntoenvironment_exports_is_used() -> None:
    bare = without(AZURE_DEVOPS, "ARM_TENANT_ID", "ARM_CLIENT_ID")
    context = found({**bare, "servicePrincipalId": CLIENT, "tenantId": TENANT})
    assert (context.tenant_id, context.client_id) == (TENANT, CLIENT)


def test_terraformtask5_needs_only_its_own_variables() -> None:
    task = {**without(AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN"), "ARM_OIDC_REQUEST_TOKEN": "t5"}
    assert str(found(task).request_token) == "t5"


def test_arm_variables_win_over_the_tasks() -> None:
    other = "99999999-9999-9999-9999-999999999999"
    context = found(
        {
            **AZURE_DEVOPS,
            "AZURESUBSCRIPTION_CLIENT_ID": other,
            "AZURESUBSCRIPTION_TENANT_ID": other,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": other,
            "ARM_OIDC_REQUEST_TOKEN": "arm",
            "ARM_OIDC_REQUEST_URL": "https://example.org/arm",
        }
    )
    assert context.client_id == CLIENT
    assert context.tenant_id == TENANT
    assert context.service_connection_id == CONNECTION
    assert (str(context.request_token), context.request_url) == ("arm", "https://example.org/arm")


def test_the_pipelines_own_connection_variable_wins_as_in_azurerm() -> None:
    other = "99999999-9999-9999-9999-999999999999"
    environment = {**AZURE_DEVOPS, "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": other}
    assert found(environment).service_connection_id == other


def test_github_is_found() -> None:
    context = found(GITHUB)
    assert (context.kind, context.label) == ("github", "GitHub Actions")
    assert context.service_connection_id is None
    assert str(context.request_token) == "the-request-token"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"CIRCLECI": "true"}, "circleci"),
        ({"BUILDKITE": "true"}, "buildkite"),
        ({"GITLAB_CI": "true", "GITLAB_OIDC_TOKEN": "t"}, "gitlab"),
        ({"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_STEP_OIDC_TOKEN": "t"}, "bitbucket"),
        ({"TFC_RUN_ID": "run-1", "TFC_WORKLOAD_IDENTITY_TOKEN": "t"}, "hcp-terraform"),
        ({"AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/t"}, "aks"),
        ({"ARM_OIDC_TOKEN_FILE_PATH": "token.txt"}, "token-file"),
        ({"ARM_OIDC_REQUEST_URL": "https://x.example", "ARM_OIDC_REQUEST_TOKEN": "t"}, "github"),
    ],
)
def test_every_other_pipeline_is_found(environment: dict[str, str], kind: str) -> None:
    assert found({**IDENTITY, **environment}).kind == kind


def test_a_relay_around_us_is_recognised_by_its_connection() -> None:
    environment = {
        **IDENTITY,
        "ARM_OIDC_REQUEST_URL": "http://127.0.0.1:5/oidctoken?api-version=7.1",
        "ARM_OIDC_REQUEST_TOKEN": "t",
        "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": CONNECTION,
    }
    assert found(environment).kind == "azure-devops"


@pytest.mark.parametrize("kind", [kind.name for kind in RECORDS if not kind.is_refreshable])
def test_one_token_for_a_whole_job_is_said_to_be_not_refreshable(kind: str) -> None:
    assert not make_context(kind).refreshable


def test_a_command_of_the_users_is_a_context() -> None:
    context = detect(IDENTITY, id_token_command=["my-tool", "token"])
    assert context is not None
    assert (context.kind, context.command) == ("command", ("my-tool", "token"))


def test_an_unmapped_access_token_is_named_with_its_yaml() -> None:
    error = refused(without(AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN"))
    assert error.where == "SYSTEM_ACCESSTOKEN"
    assert "SYSTEM_ACCESSTOKEN: $(System.AccessToken)" in error.remedy


def test_an_empty_access_token_is_an_unmapped_one() -> None:
    assert refused({**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": " "}).where == "SYSTEM_ACCESSTOKEN"


def test_a_literal_macro_is_missing_for_a_reason_of_its_own() -> None:
    error = refused({**AZURE_DEVOPS, "SYSTEM_ACCESSTOKEN": "$(System.AccessTokn)"})
    assert error.where == "SYSTEM_ACCESSTOKEN"
    assert "literal" in error.cause


def test_a_literal_macro_beside_a_good_variable_is_a_warning() -> None:
    context = found({**AZURE_DEVOPS, "ARM_OIDC_REQUEST_TOKEN": "$(System.AccessToken)"})
    assert str(context.request_token) == "the-job-token"
    assert "ARM_OIDC_REQUEST_TOKEN" in context.warnings[0]


def test_github_without_permission_is_named_with_its_yaml() -> None:
    names = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    error = refused(without(GITHUB, *names))
    assert "id-token: write" in error.remedy
    assert all(name in str(error) for name in names)


def test_a_missing_connection_is_named() -> None:
    error = refused(without(AZURE_DEVOPS, "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"))
    assert error.where == "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"
    assert "AzureCLI@2" in error.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARM_OIDC_AZURE_SERVICE_CONNECTION_ID", "my-service-connection"),
        ("ARM_CLIENT_ID", "my-app"),
        ("ARM_SUBSCRIPTION_ID", "Pay-As-You-Go"),
        ("ARM_TENANT_ID", "not a tenant"),
        ("ARM_ENVIRONMENT", "mars"),
        ("AZURE_AUTHORITY_HOST", "http://login.example.org"),
        ("SYSTEM_OIDCREQUESTURI", "dev.azure.com/x"),
        ("SYSTEM_OIDCREQUESTURI", "https://[broken"),
        ("SYSTEM_OIDCREQUESTURI", "http://dev.azure.com/in-clear"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_by_name(name: str, value: str) -> None:
    error = refused({**AZURE_DEVOPS, name: value})
    assert error.where == name
    assert error.remedy


def test_everything_that_is_missing_is_told_at_once() -> None:
    error = refused({"TF_BUILD": "True"})
    for name in ("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN", "ARM_TENANT_ID", "ARM_CLIENT_ID"):
        assert name in str(error)


def test_a_tenant_by_name_is_passed_on_with_a_warning() -> None:
    context = found({**AZURE_DEVOPS, "ARM_TENANT_ID": "contoso.onmicrosoft.com"})
    assert context.tenant_id == "contoso.onmicrosoft.com"
    assert any("tenant" in warning for warning in context.warnings)


def test_two_contexts_at_once_need_a_word_from_the_user() -> None:
    error = refused({**AZURE_DEVOPS, **GITHUB})
    assert "--tf-context azure-devops" in error.remedy
    assert "--tf-context github" in error.remedy
    assert found({**GITHUB, **AZURE_DEVOPS}, wanted="github").kind == "github"


def test_an_unknown_context_is_refused() -> None:
    assert "azure-devops" in refused({}, wanted="jenkins").remedy


@pytest.mark.parametrize(
    ("variables", "cloud", "host"),
    [
        ({}, "public", "login.microsoftonline.com"),
        ({"ARM_ENVIRONMENT": "usgovernment"}, "usgovernment", "login.microsoftonline.us"),
        ({"AZURE_ENVIRONMENT": "AzureChinaCloud"}, "china", "login.chinacloudapi.cn"),
        ({"AZURE_ENVIRONMENT": "staging"}, "public", "login.microsoftonline.com"),
        ({"AZURE_AUTHORITY_HOST": "https://login.example.org/"}, "public", "login.example.org"),
    ],
)
def test_clouds_and_their_login_hosts(variables: dict[str, str], cloud: str, host: str) -> None:
    context = found({**AZURE_DEVOPS, **variables})
    assert (context.cloud, context.login_host) == (cloud, host)


def test_another_audience_can_be_wanted() -> None:
    assert found(AZURE_DEVOPS, audience="api://Other").audience == "api://Other"


def test_the_transport_is_taken_from_the_given_environment() -> None:
    context = found(
        {**AZURE_DEVOPS, "HTTPS_PROXY": "http://p:1", "NO_PROXY": "x", "SSL_CERT_FILE": "ca.pem"}
    )
    assert context.proxies == {"https": "http://p:1", "no_proxy": "x"}
    assert context.ca_file == "ca.pem"


def test_no_secret_is_in_a_contexts_repr() -> None:
    context = make_context(request_token="s3cret-token", static_token="s3cret-static")
    assert "s3cret" not in repr(context)
    assert CLIENT in repr(context)


def test_no_secret_is_in_an_error() -> None:
    environment = {**AZURE_DEVOPS, "ARM_CLIENT_ID": "s3cret-in-the-wrong-place"}
    assert "s3cret" not in str(refused(environment))


def test_the_request_token_tells_when_it_dies() -> None:
    token = make_jwt(exp=int(NOON.timestamp()))
    assert make_context(request_token=token).request_token_expires_at == NOON
    assert make_context(request_token="opaque").request_token_expires_at is None


NAMES = sorted(
    MARKERS
    | {
        *authvariables.REQUEST_TOKEN,
        *authvariables.REQUEST_URL,
        *authvariables.CONNECTION,
        *authvariables.TENANT,
    }
    | {
        *authvariables.CLIENT,
        *authvariables.SUBSCRIPTION,
        "ARM_ENVIRONMENT",
        "AZURE_AUTHORITY_HOST",
    }
    | {name for kind in RECORDS for name in kind.token_names}
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", " ", "True", TENANT, "$(x)", "https://[", "https://a/b?c", "a.b.c"]),
)


@settings(max_examples=300)
@given(
    environment=st.dictionaries(st.sampled_from(NAMES), VALUES),
    wanted=st.one_of(st.sampled_from(["auto", *KINDS]), st.text(max_size=5)),
    command=st.lists(st.text(max_size=5), max_size=2),
)
def test_whatever_the_environment_is_a_context_or_one_clear_error(
    environment: dict[str, str], wanted: str, command: list[str]
) -> None:
    try:
        context = detect(environment, wanted=wanted, id_token_command=command)
    except ContextError as error:
        context, remedy = None, error.remedy
        assert remedy
    assert context is None or (context.tenant_id and context.client_id)
    _ = context and context.request_token_expires_at
