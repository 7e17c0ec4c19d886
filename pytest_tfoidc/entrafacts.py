"""The facts of Entra ID that several rooms need: audience, login hosts, the meanings of its codes.

Sources: docs/protocol.md, sections 3 and 9;
https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_AUDIENCE = "api://AzureADTokenExchange"

PUBLIC, US_GOVERNMENT, CHINA = "public", "usgovernment", "china"
LOGIN_HOSTS = {
    PUBLIC: "login.microsoftonline.com",
    US_GOVERNMENT: "login.microsoftonline.us",
    CHINA: "login.chinacloudapi.cn",
}
OLD_LOGIN_HOST = "login.windows.net"
TOKEN_ISSUER = "sts.windows.net"  # noqa: S105 - a host's name
# Under these names, too, Entra is asked; the cloud's own comes first.
EVERY_LOGIN_HOST = (
    LOGIN_HOSTS[PUBLIC],
    "login.microsoft.com",
    OLD_LOGIN_HOST,
    TOKEN_ISSUER,
    LOGIN_HOSTS[US_GOVERNMENT],
    LOGIN_HOSTS[CHINA],
    "login.partner.microsoftonline.cn",
)

ENTRA_PREFIX = "AADSTS"
CODE = re.compile(rf"{ENTRA_PREFIX}(\d+)")
EXPIRED = f"{ENTRA_PREFIX}700024"  # what became of a cached ID token


@dataclass(frozen=True, eq=False, repr=False)
class Meaning:
    """Why Entra refuses, and the remedy: each a sentence without its capital letter."""

    cause: str
    remedy: str

    @property
    def advice(self) -> str:
        """The remedy, with its capital letter."""
        return self.remedy[:1].upper() + self.remedy[1:]


REFRESH_ONLY = (
    "leave `oidc_token` out of the backend configuration and ARM_OIDC_TOKEN out of the"
    " environment; the refresh variables in the environment are enough."
)
_NO_MATCH = Meaning(
    "no federated credential matches the ID token's issuer, subject and audience exactly.",
    "compare them with the federated credential, letter by letter: a trailing `/`, letter case, a"
    " renamed organization, project or service connection.",
)
_WRONG_CLIENT = Meaning(
    "there is no such application or tenant: wrong client id, tenant id or cloud.",
    "correct ARM_CLIENT_ID, ARM_TENANT_ID or ARM_ENVIRONMENT; on a stand-in with"
    " --tf-strict-identities, list what is meant with --tf-identity.",
)
_SECRET = Meaning(
    "a client secret was used, and it is wrong or has expired.",
    "take the client secret out of the backend configuration and the environment; federation"
    " needs none.",
)
_FORBIDDEN = Meaning(
    "the tenant forbids or limits federation for this application.",
    "ask the tenant's administrator, or federate a user-assigned managed identity.",
)
_ISSUER_OUT_OF_REACH = Meaning("Entra could not reach the ID token's issuer.", "try again.")
# By the number after AADSTS.
MEANINGS: Mapping[str, Meaning] = {
    EXPIRED.removeprefix(ENTRA_PREFIX): Meaning(
        "the ID token had expired before it was exchanged: it was cached in the plan, the backend"
        " configuration or the environment, or a clock is wrong.",
        f"{REFRESH_ONLY} Where nothing is cached, set this machine's clock.",
    ),
    **dict.fromkeys(("70021", "700211", "700212", "700213", "7002138"), _NO_MATCH),
    "700027": Meaning(
        "the ID token was not signed by the issuer that it names.",
        "use the ID token that this pipeline gives, and no other one.",
    ),
    "70025": Meaning(
        "the identity has no federated credential.",
        "add one for this pipeline's issuer, subject and audience.",
    ),
    **dict.fromkeys(("700016", "90002"), _WRONG_CLIENT),
    "50027": Meaning(
        "what was sent as an ID token is not a JWT: a masked value or a literal `$(…)`.",
        "map the variable in the step's `env`.",
    ),
    **dict.fromkeys(("7000215", "7000222"), _SECRET),
    **dict.fromkeys(("700223", "700238", "70052", "900382"), _FORBIDDEN),
    **dict.fromkeys(("90061", "50166"), _ISSUER_OUT_OF_REACH),
}
UNKNOWN = Meaning("Entra refused.", f"look its code up at https://{LOGIN_HOSTS[PUBLIC]}/error.")
PASSING = frozenset({"90061", "50166"})  # what may be another time
