"""Which way of signing in each client would pick: a function of its environment and its version.

Source: go-azure-sdk and the providers, as docs/protocol.md, section 2, has them; azapi has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_tfoidc.authvariables import (
    CERTIFICATES,
    CONNECTION,
    ID_TOKEN,
    ID_TOKEN_FILE,
    REQUEST_TOKEN,
    REQUEST_URL,
    SECRETS,
    USE_CLI,
    USE_MSI,
    USE_OIDC,
)
from pytest_tfoidc.refreshfloors import (
    AZAPI,
    AZUREAD,
    AZUREDEVOPS,
    AZURERM,
    FLOORS,
    OPENTOFU,
    TERRAFORM,
)

Version = tuple[int, ...]

*CONNECTIONS, TASK_CONNECTION = CONNECTION
STATIC = (ID_TOKEN,)
FILES = (ID_TOKEN_FILE,)
AZURE_DEVOPS = "Azure DevOps"
GITHUB = "GitHub"
NOBODY = "nobody"
REFRESHING = frozenset({AZURE_DEVOPS, GITHUB})


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client of Azure. `floor`: the first version that refreshes Azure DevOps' ID tokens."""

    name: str
    floor: Version
    oidc_first: bool = False
    only_system_url: bool = False
    takes_task_connection: bool = False


BACKEND = Client(name="azurerm backend", floor=FLOORS[TERRAFORM])
TOFU_BACKEND = Client(
    name="OpenTofu's azurerm backend", floor=FLOORS[OPENTOFU], only_system_url=True
)
PROVIDERS = {
    AZURERM: Client(name="azurerm", floor=FLOORS[AZURERM]),
    AZUREAD: Client(name="azuread", floor=FLOORS[AZUREAD]),
    AZAPI: Client(
        name="azapi",
        floor=FLOORS[AZAPI],
        oidc_first=True,
        only_system_url=True,
        takes_task_connection=True,
    ),
    AZUREDEVOPS: Client(
        name="azuredevops",
        floor=FLOORS[AZUREDEVOPS],
        only_system_url=True,
        takes_task_connection=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The way a client would sign in. `why`: the variables that decide, never their values."""

    client: str
    authorizer: str
    why: str

    @property
    def refreshes(self) -> bool:
        """Whether it gets new ID tokens by itself."""
        return self.authorizer in REFRESHING


def choose(
    client: Client, environment: Mapping[str, str], *, version: Version | None = None
) -> Choice:
    """Say how a client would sign in.

    Args:
        client: The client.
        environment: Its variables.
        version: Its version; None stands for a current one.
    """
    ways = [_certificate, _secret, _static]
    if client.oidc_first:
        ways = [_static, _secret, _certificate]
    is_current = version is None or version >= client.floor
    names = _Names.of(client, is_current=is_current)
    requests: list[_Way] = [lambda env: _azure_devops(env, names)] if is_current else []
    requests.append(lambda env: _github(env, names))
    order = [ways[0], *requests, *ways[1:]] if client.oidc_first else [*ways, *requests]
    for way in (*order, _managed_identity, _cli):
        found = way(environment)
        if found is not None:
            return Choice(client=client.name, authorizer=found[0], why=found[1])
    return Choice(client=client.name, authorizer=NOBODY, why=_missing(environment, names))


_Way = Callable[[Mapping[str, str]], "tuple[str, str] | None"]


@dataclass(frozen=True, kw_only=True)
class _Names:
    """Which variables a client of some version reads."""

    urls: tuple[str, ...]
    ado_urls: tuple[str, ...]
    tokens: tuple[str, ...]
    connections: tuple[str, ...]

    @classmethod
    def of(cls, client: Client, *, is_current: bool) -> _Names:
        more = (TASK_CONNECTION,) if client.takes_task_connection else ()
        return cls(
            urls=REQUEST_URL if is_current and not client.only_system_url else REQUEST_URL[:2],
            ado_urls=REQUEST_URL[2:] if client.only_system_url else REQUEST_URL,
            tokens=REQUEST_TOKEN if is_current else REQUEST_TOKEN[:2],
            connections=(*CONNECTIONS, *more),
        )


def _set(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if environment.get(name)), None)


def _is_on(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = environment.get(name, "").lower()
    return value in {"1", "t", "true"} if value else default


def _certificate(environment: Mapping[str, str]) -> tuple[str, str] | None:
    name = _set(environment, CERTIFICATES)
    return ("client certificate", f"{name} is set") if name else None


def _secret(environment: Mapping[str, str]) -> tuple[str, str] | None:
    name = _set(environment, SECRETS)
    return ("client secret", f"{name} is set") if name else None


def _static(environment: Mapping[str, str]) -> tuple[str, str] | None:
    name = _set(environment, (*STATIC, *FILES))
    if name is None or not _is_on(environment, USE_OIDC):
        return None
    return ("static ID token", f"{name} is set, and wins over refresh")


def _azure_devops(environment: Mapping[str, str], names: _Names) -> tuple[str, str] | None:
    needed = (names.ado_urls, names.tokens, names.connections)
    found = [_set(environment, group) for group in needed]
    if not _is_on(environment, USE_OIDC) or not all(found):
        return None
    return (AZURE_DEVOPS, ", ".join(name for name in found if name))


def _github(environment: Mapping[str, str], names: _Names) -> tuple[str, str] | None:
    found = [_set(environment, group) for group in (names.urls, names.tokens)]
    if not _is_on(environment, USE_OIDC) or not all(found):
        return None
    return (GITHUB, ", ".join(name for name in found if name))


def _managed_identity(environment: Mapping[str, str]) -> tuple[str, str] | None:
    is_on = _is_on(environment, USE_MSI)
    return ("managed identity", "ARM_USE_MSI is true") if is_on else None


def _cli(environment: Mapping[str, str]) -> tuple[str, str] | None:
    if not _is_on(environment, USE_CLI, default=True):
        return None
    return ("Azure CLI", "nothing before it could be used; it asks for `az login`")


def _missing(environment: Mapping[str, str], names: _Names) -> str:
    if not _is_on(environment, USE_OIDC):
        return "ARM_USE_OIDC is not true"
    groups = (names.ado_urls, names.tokens)
    missing = [group[0] for group in groups if not _set(environment, group)]
    return f"{' and '.join(missing) or 'the service connection id'} is not set"
