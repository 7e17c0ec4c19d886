"""The five checks pass for a sound module, and each fails for its own planted fault."""

from __future__ import annotations

import secrets
from pathlib import Path
from xml.etree import ElementTree as ET

import jwt
import pytest

from pytest_tfoidc.checks.names import CHECKS
from pytest_tfoidc.clock import real_now
from tests.project_kit import Project, text_of

RENEWING = ("delayed_apply", "expiry_during_apply", "destroy_after_expiry")
# Terraform starts with an ID token that somebody put into its environment long ago.
STALE = (
    'test -f "{folder}/token" && ARM_OIDC_TOKEN="$(cat "{folder}/token")" && export ARM_OIDC_TOKEN'
)


def failures(result: pytest.RunResult) -> set[str]:
    return {
        line.removeprefix("FAILED ").split(" - ")[0].rpartition("::")[2]
        for line in result.outlines
        if line.startswith("FAILED ")
    }


def id_token() -> str:
    claims = {
        "iss": "https://vstoken.dev.azure.com/7e57",
        "sub": "sc://organization/project/connection",
        "aud": "api://AzureADTokenExchange",
        "exp": int(real_now().timestamp()) + 60,
    }
    return jwt.encode(claims, secrets.token_bytes(32), algorithm="HS256")


def properties_in(report: Path) -> dict[str, dict[str, str]]:
    """Return the properties of each test case of a JUnit report, by its name."""
    root = ET.parse(report)  # noqa: S314 - pytest has written it
    return {
        case.attrib["name"]: {
            one.attrib["name"]: one.attrib["value"] for one in case.iter("property")
        }
        for case in root.iter("testcase")
    }


@pytest.mark.proof
def test_every_check_passes_for_a_sound_module(project: Project) -> None:
    project.module()
    result = project.check("all", "-v", "--junitxml=junit.xml")
    result.assert_outcomes(passed=5)
    properties = properties_in(project.path / "junit.xml")
    for name in CHECKS:
        assert properties[name]["oidc_context"] == "Azure DevOps (stand-in)"
        assert "terraform_version" in properties[name] or "opentofu_version" in properties[name]
    assert properties["delayed_apply"]["survived"] == "30m between plan and apply"
    assert "control" in properties["cached_token_fails"]
    assert "control" not in properties["delayed_apply"]
    result.stdout.fnmatch_lines([f"module::oidc::{name} PASSED*" for name in CHECKS])
    result.stdout.fnmatch_lines(["tfoidc: Terraform *stand-in for Azure DevOps: *relay on"])


@pytest.mark.proof
def test_the_control_fails_where_expiry_is_not_checked(project: Project) -> None:
    project.module()
    result = project.check("cached_token_fails", *project.plant("entra_ignores_expiry"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "The control did not fail: *still accepted 30m later*",
            "Cause: *does not check expiry*",
            "Remedy: *",
        ]
    )


def test_the_control_fails_where_the_delay_is_shorter_than_a_token_lives(project: Project) -> None:
    project.module()
    result = project.check("cached_token_fails", "--tf-delay=1m")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The control did not fail: *", "Cause: *", "Remedy: *--tf-delay*"])


def test_a_stale_id_token_in_the_environment_fails_what_renews(project: Project) -> None:
    project.module()
    wrapper = project.wrapper(STALE.format(folder=project.path))
    fault = project.plant("token_in_a_file")
    result = project.run("--tf-module=module", *fault, executable=wrapper)
    assert_stale(result)
    assert (project.path / "token").read_text("utf-8") not in text_of(result)


def test_a_relay_that_hands_out_expired_tokens_fails_what_renews(project: Project) -> None:
    project.module()
    result = project.check("all", *project.plant("relay_keeps_tokens"))
    # during the apply whose tokens expire, the relay keeps none: what it kept is used after that
    assert_stale(result, expiry_during_apply="plan")


def assert_stale(result: pytest.RunResult, **last: str) -> None:
    names = RENEWING
    assert failures(result) == set(names)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = text_of(result)
    assert 1 <= text.count("Cause: the ID token had expired before it was exchanged") <= len(names)
    assert 1 <= text.count("Remedy: leave `oidc_token` out of") <= len(names)
    last = {"destroy_after_expiry": "destroy", **last}
    # what failed first, not the clean-up that failed after it
    where = [f"Where: *`terraform {last.get(n, 'apply')}` failed with exit code 1." for n in names]
    told = [f"FAILED *{name} - AADSTS700024: the ID token*" for name in names]
    for line in (*where, *told):
        result.stdout.fnmatch_lines([line])
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["oidc_token", "oidc_request_token", "client_secret"])
def test_a_credential_in_the_backend_configuration_is_named_and_never_shown(
    project: Project, name: str
) -> None:
    project.module()
    value = id_token() if name == "oidc_token" else secrets.token_urlsafe(24)
    result = project.check("no_cached_credentials", "--tf-backend-config", f"{name}={value}")
    result.assert_outcomes(failed=1)
    assert_named(result, name, "-backend-config")
    assert value not in text_of(result)


def test_credentials_in_the_backend_block_and_in_a_file_are_named_and_never_shown(
    project: Project,
) -> None:
    in_block, in_file = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    block = f'terraform {{\n  backend "azurerm" {{\n    client_secret = "{in_block}"\n  }}\n}}\n'
    project.module(main=block, files={"prod.tfbackend": f'access_key = "{in_file}"\n'})
    result = project.check("no_cached_credentials", "--tf-backend-config=module/prod.tfbackend")
    assert_named(result, "client_secret", "main.tf")
    assert_named(result, "access_key", "-backend-config")
    assert in_block not in text_of(result)
    assert in_file not in text_of(result)


def test_credentials_that_the_backend_accepts_are_found_wherever_they_are_kept(
    project: Project,
) -> None:
    project.module()
    result = project.check("no_cached_credentials", *project.plant("credentials_in_the_backend"))
    result.assert_outcomes(failed=1)
    text = text_of(result)
    for name in ("oidc_token", "oidc_request_token"):
        assert_named(result, name, "-backend-config")
        assert f"token: backend azurerm, {name}\nWhere: tfplan" in text
    values = (project.path / "values").read_text("utf-8").splitlines()
    assert len(values) == 2
    assert not [value for value in values if value in text]


def assert_named(result: pytest.RunResult, name: str, source: str) -> None:
    where = f"Where: .terraform/terraform.tfstate (set by {source})"
    remedy = f"Remedy: leave `{name}` out of the backend configuration; *"
    said = f"The backend cache *keep*: backend azurerm, {name}"
    result.stdout.fnmatch_lines([said, where, remedy])
    assert "Traceback" not in text_of(result)
