"""A step of each kind of pipeline, with the stand-in behind it.

Source: docs/protocol.md, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_tfoidc.mockazure.directory import Directory
from pytest_tfoidc.mockazure.issuer import Issuer
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS, GITHUB, KINDS, POST

Variables = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class _Job:
    """The values of the placeholders in a record's `step`; an ID token is minted when it is read.

    Args:
        kind: A kind that can be rehearsed.
        directory: Who may sign in, and where.
        issuer: Mints the one token of a pipeline that cannot get another.
        token_file: The file that is kept fresh.
    """

    kind: str
    directory: Directory
    issuer: Issuer
    token_file: str

    def __getitem__(self, name: str) -> str:
        is_posted = KINDS[self.kind].source == POST
        where = self.directory.connection if is_posted else self.directory.workflow
        return {
            "request_url": lambda: where.request_url,
            "request_token": lambda: self.issuer.request_tokens[
                AZURE_DEVOPS if is_posted else GITHUB
            ],
            "connection": lambda: self.directory.connection.id,
            "id_token": lambda: self.issuer.mint(self.kind),
            "token_file": lambda: self.token_file,
        }[name]()


def identity_of(directory: Directory) -> Variables:
    """Return the variables that say who signs in."""
    return {
        "ARM_TENANT_ID": directory.tenant_id,
        "ARM_CLIENT_ID": directory.client_id,
        "ARM_SUBSCRIPTION_ID": directory.subscription_id,
    }


def step_environment(
    kind: str, *, directory: Directory, issuer: Issuer, token_file: str = ""
) -> Variables:
    """Return the variables of a step.

    Args:
        kind: One of `pipelinekinds.REHEARSED`.
        directory: Who may sign in, and where.
        issuer: Mints the one token of a pipeline that cannot get another.
        token_file: The file that is kept fresh, for a kind that has one.
    """
    job = _Job(kind=kind, directory=directory, issuer=issuer, token_file=token_file)
    step = {name: text.format_map(job) for name, text in KINDS[kind].step.items()}
    return {**identity_of(directory), **step}
