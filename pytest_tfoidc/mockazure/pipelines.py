"""What a step of each kind of pipeline finds in its environment, with the stand-in behind it.

Source: docs/protocol.md, section 8.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_tfoidc.mockazure.directory import Directory
from pytest_tfoidc.mockazure.issuer import AZURE_DEVOPS, GITHUB, Issuer

Variables = dict[str, str]


def _azure_devops(directory: Directory, issuer: Issuer) -> Variables:
    return {
        "TF_BUILD": "True",
        "SYSTEM_OIDCREQUESTURI": directory.connection.request_url,
        "SYSTEM_ACCESSTOKEN": issuer.request_tokens[AZURE_DEVOPS],
        "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": directory.connection.id,
    }


def _github(directory: Directory, issuer: Issuer) -> Variables:
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": directory.workflow.request_url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": issuer.request_tokens[GITHUB],
    }


def _gitlab(_directory: Directory, issuer: Issuer) -> Variables:
    return {"CI": "true", "GITLAB_CI": "true", "GITLAB_OIDC_TOKEN": issuer.mint("gitlab")}


def _bitbucket(_directory: Directory, issuer: Issuer) -> Variables:
    token = issuer.mint("bitbucket")
    return {"CI": "true", "BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_STEP_OIDC_TOKEN": token}


def _hcp_terraform(_directory: Directory, issuer: Issuer) -> Variables:
    token = issuer.mint("hcp-terraform")
    return {"TFC_RUN_ID": "run-tfoidc", "TFC_WORKLOAD_IDENTITY_TOKEN": token}


PIPELINES: dict[str, Callable[[Directory, Issuer], Variables]] = {
    AZURE_DEVOPS: _azure_devops,
    GITHUB: _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "hcp-terraform": _hcp_terraform,
}


def identity_of(directory: Directory) -> Variables:
    """Return the variables that say who signs in."""
    return {
        "ARM_TENANT_ID": directory.tenant_id,
        "ARM_CLIENT_ID": directory.client_id,
        "ARM_SUBSCRIPTION_ID": directory.subscription_id,
    }


def step_environment(kind: str, *, directory: Directory, issuer: Issuer) -> Variables:
    """Return the variables of a step.

    Args:
        kind: A key of `PIPELINES`.
        directory: Who may sign in, and where.
        issuer: Mints the one token of a pipeline that cannot get another.
    """
    return {**identity_of(directory), **PIPELINES[kind](directory, issuer)}
