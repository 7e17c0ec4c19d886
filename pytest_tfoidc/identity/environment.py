"""The environment of Terraform: what its clients need to refresh, and nothing that prevents it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.withheld import (
    ISOLATED,
    ISOLATED_PREFIXES,
    OTHER_NAME,
    WITHHELD,
    WITHHELD_PREFIXES,
)

if TYPE_CHECKING:
    from pytest_tfoidc.identity.pipeline import PipelineContext

NO_PROXY_FOR = "127.0.0.1"
GIT_PAIR = re.compile(r"GIT_CONFIG_(?:KEY|VALUE)_(\d+)")
GIT_COUNT = "GIT_CONFIG_COUNT"


class ChildEnvironment(Mapping[str, str]):
    """A child's environment, read-only; its repr shows names, and no value.

    Args:
        variables: All of it.
        added: The names that are ours.
    """

    def __init__(self, variables: Mapping[str, str], *, added: tuple[str, ...] = ()) -> None:
        self._variables = dict(variables)
        self._added = added

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        """Show which variables are ours, and how many others there are."""
        ours = ", ".join(name for name in self._added if name in self._variables)
        others = len(self._variables) - len([n for n in self._added if n in self._variables])
        return f"<environment with {ours} and {others} others>"


@dataclass(frozen=True)
class Withheld:
    """A variable of the outer environment that the child does not get. Never holds the value."""

    name: str
    reason: str


@dataclass(frozen=True)
class ArmEnvironment:
    """A child's environment.

    Args:
        variables: All of it, read-only.
        added: The names that are ours.
        withheld: What the outer environment had and the child has not, or has from us.
    """

    variables: Mapping[str, str] = field(repr=False)
    added: tuple[str, ...]
    withheld: tuple[Withheld, ...]


def arm_environment(  # noqa: PLR0913 - settings, keyword only
    context: PipelineContext,
    *,
    outer: Mapping[str, str],
    request_url: str,
    request_token: str,
    isolated: bool = True,
    tokens: Iterable[str] = (),
) -> ArmEnvironment:
    """Make the environment of a Terraform, its providers and its backend.

    Args:
        context: Who signs in.
        outer: The environment that we were started with.
        request_url: Where ID tokens are asked for: the relay's URL, or the pipeline's own.
        request_token: The bearer for it.
        isolated: Whether the child runs in a workspace of ours. False leaves the user's
            `TF_DATA_DIR`, `TF_CLI_ARGS` and `TF_INPUT` as they are.
        tokens: More that no child gets in any form: the pipeline's own around a stand-in.
    """
    added = {
        **_identity(context),
        **_requests(context, request_url, request_token),
        **_no_proxy(outer),
    }
    own = Redactor()
    own.add(*{context.request_token, context.static_token, *tokens} - {"", request_token})
    kept, withheld = {}, []
    for name, value in outer.items():
        reason = reason_to_withhold(name, isolated=isolated)
        if reason is None and own.knows(value):
            reason = OTHER_NAME
        if reason is None:
            kept[name] = value
        elif value and value != added.get(name):
            withheld.append(Withheld(name, reason))
    return ArmEnvironment(
        variables=MappingProxyType({**_whole_pairs(kept), **added}),
        added=tuple(sorted(added)),
        withheld=tuple(sorted(withheld, key=lambda one: one.name)),
    )


def _whole_pairs(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Git's settings are whole: the pairs numbered, and counted.

    Git refuses to do anything where a key or a value is missing.
    """
    if GIT_COUNT not in variables:
        return dict(variables)
    rest = {n: v for n, v in variables.items() if n != GIT_COUNT and not GIT_PAIR.fullmatch(n)}
    numbers = sorted({int(m[1]) for name in variables if (m := GIT_PAIR.fullmatch(name))})
    pairs = [
        (variables[f"GIT_CONFIG_KEY_{n}"], variables[f"GIT_CONFIG_VALUE_{n}"])
        for n in numbers
        if {f"GIT_CONFIG_KEY_{n}", f"GIT_CONFIG_VALUE_{n}"} <= variables.keys()
    ]
    if not pairs:
        return rest
    for n, (key, value) in enumerate(pairs):
        rest |= {f"GIT_CONFIG_KEY_{n}": key, f"GIT_CONFIG_VALUE_{n}": value}
    return {**rest, GIT_COUNT: str(len(pairs))}


def reason_to_withhold(name: str, *, isolated: bool) -> str | None:
    """Say why a variable is withheld; None where it is not."""
    names = {**WITHHELD, **ISOLATED} if isolated else WITHHELD
    prefixes = {**WITHHELD_PREFIXES, **ISOLATED_PREFIXES} if isolated else WITHHELD_PREFIXES
    found = (reason for prefix, reason in prefixes.items() if name.startswith(prefix))
    return names.get(name) or next(found, None)


def _identity(context: PipelineContext) -> dict[str, str]:
    """Say who signs in, and that it is by ID token and no other way."""
    subscription = {"ARM_SUBSCRIPTION_ID": context.subscription_id or ""}
    return {
        "ARM_USE_OIDC": "true",
        "ARM_USE_CLI": "false",
        "ARM_USE_MSI": "false",
        "ARM_TENANT_ID": context.tenant_id,
        "ARM_CLIENT_ID": context.client_id,
        "ARM_ENVIRONMENT": context.cloud,
        **(subscription if context.subscription_id else {}),
    }


def _requests(context: PipelineContext, url: str, token: str) -> dict[str, str]:
    """Say where ID tokens are asked for.

    With a service connection's id, current clients POST as to Azure DevOps; azapi, azuredevops and
    the Azure SDKs then look at `SYSTEM_OIDCREQUESTURI` alone. Without it, all of them GET as from
    GitHub; a connection's id there would make azurerm POST, so none is set.
    """
    common = {"ARM_OIDC_REQUEST_URL": url, "ARM_OIDC_REQUEST_TOKEN": token}
    connection = context.service_connection_id
    if context.kind != AZURE_DEVOPS or not connection:
        return {
            **common,
            "ACTIONS_ID_TOKEN_REQUEST_URL": url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token,
        }
    return {
        **common,
        "SYSTEM_OIDCREQUESTURI": url,
        "SYSTEM_ACCESSTOKEN": token,
        "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": connection,
        "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": connection,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection,
        "AZURESUBSCRIPTION_CLIENT_ID": context.client_id,
        "AZURESUBSCRIPTION_TENANT_ID": context.tenant_id,
    }


def acting_as(context: PipelineContext, *, client_id: str, connection_id: str) -> dict[str, str]:
    """Return what changes in a child's environment where it acts as somebody else.

    Args:
        context: Who signs in otherwise.
        client_id: The other identity's client id; empty for the context's own.
        connection_id: The other service connection of Azure DevOps; empty for the context's own.
    """
    names = {"ARM_CLIENT_ID": client_id}
    if context.kind == AZURE_DEVOPS:
        names |= {
            "AZURESUBSCRIPTION_CLIENT_ID": client_id,
            "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID": connection_id,
            "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID": connection_id,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection_id,
        }
    return {name: value for name, value in names.items() if value}


def _no_proxy(outer: Mapping[str, str]) -> dict[str, str]:
    """Keep the relay's bearer away from proxies: Go spares loopback by itself, others do not."""
    if not any(outer.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
        return {}
    given = outer.get("no_proxy") or outer.get("NO_PROXY") or ""
    names = [name for name in given.split(",") if name.strip()]
    if NO_PROXY_FOR not in names:
        names.append(NO_PROXY_FOR)
    return {"NO_PROXY": ",".join(names), "no_proxy": ",".join(names)}
