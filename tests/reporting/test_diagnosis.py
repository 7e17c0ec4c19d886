"""Error texts have their cause and their remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.reporting.diagnosis import KNOWN, diagnose

OLD = (1, 10, 5)
NEW = (1, 15, 5)


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("AADSTS700024: Client assertion is not", "had expired", "leave `oidc_token` out"),
        ("AADSTS700213: No matching", "no federated credential matches", "letter by letter"),
        ("AADSTS7002138: No matching", "no federated credential matches", "letter case"),
        ("AADSTS70021: No matching", "no federated credential matches", "letter by letter"),
        ("AADSTS70025: The client", "has no federated credential", "add one"),
        ("AADSTS700016: Application with", "wrong client id", "ARM_CLIENT_ID"),
        ("AADSTS50027: JWT token is invalid", "not a JWT", "map the variable"),
        ("AADSTS7000215: Invalid client secret", "client secret", "federation needs none"),
        ('Get "?audience=x": unsupported protocol scheme', "request URL is empty", "set ARM_OIDC"),
        ("githubAssertion: received HTTP status 405", "service connection's id is missing", "set"),
        ("adoPipelineAssertion: received HTTP status 401", "refused", "SYSTEM_ACCESSTOKEN"),
        ("nil JWT assertion received from ADOPipeline", "without a token", "body"),
        ("Please run 'az login' to setup account", "was skipped", "ARM_USE_OIDC"),
        ("Error: Backend configuration changed", "another backend configuration", "-reconfigure"),
        ("Error: No value for required variable", "without a value", "--tf-var"),
    ],
)
def test_known_texts_are_explained(text: str, cause: str, remedy: str) -> None:
    found = diagnose(f"Error: something\n\n{text}\nmore", release=NEW)
    assert found is not None
    assert cause in found.cause
    assert remedy in found.remedy


def test_a_text_that_terraform_has_wrapped_is_known_all_the_same() -> None:
    assert diagnose("│ Error: Backend configuration\n│ changed", release=NEW) is not None


def test_a_405_below_the_floor_names_the_versions_that_would_do_it() -> None:
    found = diagnose("received HTTP status 405", release=OLD)
    assert found is not None
    assert "Terraform 1.10.5" in found.cause
    assert "Terraform 1.11.2" in found.cause
    assert "--tf-no-relay" in found.remedy


def test_unknown_texts_are_not_explained() -> None:
    assert diagnose("Error: Unsupported attribute", release=NEW) is None
    assert diagnose("AADSTS7000240: unknown", release=NEW) is None


def test_every_cause_and_remedy_is_a_sentence() -> None:
    for _, cause, remedy in KNOWN:
        assert cause.endswith(".")
        assert remedy.endswith(".")


@given(st.text(), st.tuples(st.integers(0, 3), st.integers(0, 20), st.integers(0, 20)))
def test_any_text_can_be_looked_at(text: str, release: tuple[int, int, int]) -> None:
    diagnose(text, release=release)


def test_a_constraint_that_no_version_meets_is_no_registry_out_of_reach() -> None:
    text = """
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
hashicorp/azurerm: no available releases match the given constraints ~> 4.0,
< 5.0
"""
    found = diagnose(text)
    assert found is not None
    assert "no version of hashicorp/azurerm" in found.cause
    assert "(~> 4.0, < 5.0)" in found.cause
    assert "registry" not in str(found)


def test_a_module_without_a_provider_block_is_told_so() -> None:
    text = """
Error: Invalid provider configuration

Provider "registry.terraform.io/hashicorp/azurerm" requires explicit
configuration. Add a provider block to the root module and configure the
provider's required arguments as described in the provider documentation.
"""
    found = diagnose(text)
    assert found is not None
    assert "add a provider block, or test an example of the module" in found.remedy
    assert "out of reach" not in str(found)
