"""Who may use the blob service: bearers of Entra ID, account keys, shared access signatures.

Sources: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key,
.../create-service-sas, .../create-account-sas and .../authorize-with-azure-active-directory.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pytest_tfoidc.entrafacts import CHINA, LOGIN_HOSTS, PUBLIC, US_GOVERNMENT
from pytest_tfoidc.mockazure.storage.errors import SEE_CHALLENGE, StorageError
from pytest_tfoidc.mockazure.tokens import BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessTokens

KEY_BYTES = 64
STORAGE_AUDIENCE = "https://storage.azure.com"
BEARER_SINCE = "2017-11-09"
CLOUDS = {"chinacloudapi.cn": CHINA, "usgovcloudapi.net": US_GOVERNMENT}
BEARER_DETAILS = {
    "malformed": "Signature validation failed.",
    "expired": "Lifetime validation failed. The token is expired.",
    "audience": "Audience validation failed. Audience did not match.",
    "tenant": "Issuer validation failed. Issuer did not match.",
}
SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
SAS_TIMES = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")

LETTERS = {"blob": "b", "dfs": "b", "queue": "q", "table": "t", "file": "f"}  # of `ss`

KeysOf = Callable[[str], Sequence[str]]


class AccountKeys:
    """Two random keys for every storage account that is asked for; they live in memory only."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, str]] = {}

    def __call__(self, account: str) -> tuple[str, str]:
        """Return an account's keys, in base64."""
        if account not in self._keys:
            self._keys[account] = (_new_key(), _new_key())
        return self._keys[account]

    def __repr__(self) -> str:
        """Show the accounts, never their keys."""
        return f"<AccountKeys of {', '.join(sorted(self._keys)) or 'no account'}>"


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


@dataclass(frozen=True, kw_only=True)
class Resource:
    """The resource of a request. `path` is as it was sent; `container` and `blob` are decoded."""

    account: str
    service: str
    container: str
    blob: str
    path: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The rights of a request. `permissions` is None for everything, else the letters of `sp`."""

    permissions: str | None = None
    levels: str = "sco"
    service_sas: bool = False

    def check(self, *, level: str, needed: str) -> None:
        """Refuse an operation. `level`: s, c or o; `needed`: letters of which one must be there.

        Raises:
            StorageError: The signature does not cover the level, or gives none of the letters.
        """
        if level not in self.levels or (self.service_sas and level == "c" and needed != "l"):
            raise StorageError("AuthorizationResourceTypeMismatch")
        if not self.allows(needed):
            raise StorageError("AuthorizationPermissionMismatch")

    def allows(self, letters: str) -> bool:
        """Tell whether one of the letters is granted."""
        return self.permissions is None or any(letter in self.permissions for letter in letters)


EVERYTHING = Grant()


class Authenticator:
    """Find out what a request may do.

    Args:
        clock: Tells the virtual time.
        access_tokens: Knows the bearers.
        keys: Gives an account's keys, in base64.
        tenant_id: The tenant that the challenge of a 401 names, where the account's is not known.
        tenant_of: Gives the tenant of an account; empty for one whose tenant is not known.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        access_tokens: AccessTokens,
        keys: KeysOf,
        tenant_id: str,
        tenant_of: Callable[[str], str] = lambda _account: "",
    ) -> None:
        self._tenant_of = tenant_of
        self._clock = clock
        self._access_tokens = access_tokens
        self._keys = keys
        self._tenant_id = tenant_id

    def grant(self, request: Request, resource: Resource) -> Grant:
        """Return what the request's credential allows.

        Raises:
            StorageError: There is no credential, or it is no good.
        """
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        query = dict(parse_qsl(resource.query, keep_blank_values=True))
        if scheme.lower() in {"sharedkey", "sharedkeylite"}:
            return self._shared_key(request, resource, credential.strip())
        if scheme and scheme.lower() != "bearer":
            raise StorageError("InvalidAuthenticationInfo")
        if not scheme and "sig" in query:
            return self._signature(request, resource, query)
        return self._bearer(request, resource)

    def _bearer(self, request: Request, resource: Resource) -> Grant:
        tenant_id = self._tenant_of(resource.account)
        try:
            token = self._access_tokens.verify(
                request, STORAGE_AUDIENCE, f"https://{request.host.lower()}"
            )
        except BearerRefused as refused:
            raise self._challenge(request, refused.reason, tenant_id) from refused
        if tenant_id and token.tenant_id != tenant_id:
            raise self._challenge(request, "tenant", tenant_id)
        # the table service wants no version; some of its clients send none
        is_table = ".table." in request.host.lower()
        if request.headers.get("x-ms-version", "") < BEARER_SINCE and not is_table:
            detail = "Authentication scheme Bearer is not supported in this version."
            raise StorageError("AuthenticationFailed", AuthenticationErrorDetail=detail)
        return EVERYTHING

    def _challenge(self, request: Request, reason: str, tenant_id: str) -> StorageError:
        cloud = request.host.rpartition(".core.")[2]
        login = LOGIN_HOSTS[CLOUDS.get(cloud, PUBLIC)]
        uri = f"https://{login}/{tenant_id or self._tenant_id}/oauth2/authorize"
        headers = {
            "WWW-Authenticate": f"Bearer authorization_uri={uri} resource_id={STORAGE_AUDIENCE}"
        }
        if reason == "missing":
            return StorageError("NoAuthenticationInformation", headers=headers)
        return StorageError(
            "InvalidAuthenticationInfo",
            status=401,
            words=SEE_CHALLENGE,
            headers=headers,
            AuthenticationErrorDetail=BEARER_DETAILS[reason],
        )

    def _shared_key(self, request: Request, resource: Resource, credential: str) -> Grant:
        # The request's own date is not looked at: child processes live in real time, and the
        # virtual clock may be hours before it.
        account, _, signature = credential.rpartition(":")
        lite = request.headers["authorization"].lower().startswith("sharedkeylite")
        signs = table_string_to_sign if resource.service == "table" else string_to_sign
        if lite:
            signs = lite_string_to_sign
        text = signs(request, resource)
        if account != resource.account or not self._signed(account, text, signature):
            raise _failed(
                "The MAC signature found in the HTTP request is not the same as any computed "
                "signature."
            )
        return EVERYTHING

    def _signed(self, account: str, text: str, signature: str) -> bool:
        given = signature.encode()
        return any(
            hmac.compare_digest(sign(key, text).encode(), given) for key in self._keys(account)
        )

    def _signature(self, request: Request, resource: Resource, query: Mapping[str, str]) -> Grant:
        text, grant = _sas(resource, query)
        # a "+" that nobody escaped arrives as a space
        if not self._signed(resource.account, text, query["sig"].replace(" ", "+")):
            raise _failed("Signature did not match.")
        self._check_times(query)
        if query.get("spr") == "https" and request.scheme != "https":
            raise StorageError("AuthorizationProtocolMismatch")
        if "ss" in query and LETTERS.get(resource.service, "b") not in query["ss"]:
            raise StorageError("AuthorizationServiceMismatch")
        return grant

    def _check_times(self, query: Mapping[str, str]) -> None:
        now = self._clock.now()
        start, expiry = (_sas_time(query.get(name, "")) for name in ("st", "se"))
        if expiry is None or ("st" in query and start is None):
            raise _failed("se and st must be times of ISO 8601.")
        if expiry <= now or (start is not None and start > now):
            frame = f"Expiry [{_http(expiry)}] - Current [{_http(now)}]"
            frame = f"Start [{_http(start)}] - {frame}" if start is not None else frame
            raise _failed(f"Signature not valid in the specified time frame: {frame}")


def _failed(detail: str) -> StorageError:
    return StorageError("AuthenticationFailed", AuthenticationErrorDetail=detail)


def _http(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def sign(key: str, text: str) -> str:
    """Sign a text with a key in base64: HMAC-SHA256, in base64."""
    digest = hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def string_to_sign(request: Request, resource: Resource) -> str:
    """Return the text that a `SharedKey` authorization signs (version 2015-02-21 and later)."""
    headers = dict(request.headers)
    if headers.get("content-length") == "0":
        headers["content-length"] = ""
    if "x-ms-date" in headers:
        headers["date"] = ""
    ours = sorted((name for name in headers if name.startswith("x-ms-")), key=_header_order)
    lines = [request.method, *(headers.get(name, "") for name in SIGNED_HEADERS)]
    lines += [f"{name}:{headers[name].strip()}" for name in ours]
    lines += [f"/{resource.account}{resource.path}", *_canonical_query(resource.query)]
    return "\n".join(lines)


def table_string_to_sign(request: Request, resource: Resource) -> str:
    """Return the text that a `SharedKey` authorization of the table service signs."""
    headers = request.headers
    date = headers.get("x-ms-date") or headers.get("date", "")
    lines = [request.method, *(headers.get(n, "") for n in ("content-md5", "content-type")), date]
    return "\n".join([*lines, _lite_resource(resource)])


def lite_string_to_sign(request: Request, resource: Resource) -> str:
    """Return the text that a `SharedKeyLite` authorization signs."""
    headers = dict(request.headers)
    if resource.service == "table":
        return f"{headers.get('x-ms-date') or headers.get('date', '')}\n{_lite_resource(resource)}"
    ours = sorted(name for name in headers if name.startswith("x-ms-"))
    date = "" if "x-ms-date" in headers else headers.get("date", "")
    lines = [request.method, *(headers.get(n, "") for n in ("content-md5", "content-type")), date]
    lines += [f"{name}:{headers[name].strip()}" for name in ours]
    return "\n".join([*lines, _lite_resource(resource)])


def _lite_resource(resource: Resource) -> str:
    comp = dict(parse_qsl(resource.query, keep_blank_values=True)).get("comp")
    tail = f"?comp={comp}" if comp is not None else ""
    return f"/{resource.account}{resource.path}{tail}"


def _header_order(name: str) -> tuple[str, str]:
    """Order header names as the service does: hyphens do not count, underscores come first."""
    return name.replace("-", "").replace("_", " "), name


def _canonical_query(query: str) -> list[str]:
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name.lower(), []).append(value)
    return [f"{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]


def _sas(resource: Resource, query: Mapping[str, str]) -> tuple[str, Grant]:
    """Return the text that a shared access signature signs, and what it allows."""
    if "skoid" in query or "si" in query:
        raise _failed("User delegation keys and stored access policies are not supported here.")
    if "ss" in query and "srt" in query:
        grant = Grant(permissions=query.get("sp", ""), levels=query["srt"])
        return _account_sas(resource, query), grant
    if resource.service in OWN_SIGNATURES:
        return OWN_SIGNATURES[resource.service](resource, query)
    kind = query.get("sr", "")
    if kind not in {"b", "bs", "c"}:
        raise _failed("sr is mandatory, and one of b, bs and c.")
    levels = "co" if kind == "c" else "o"
    grant = Grant(permissions=query.get("sp", ""), levels=levels, service_sas=True)
    return _service_sas(resource, query, kind), grant


def _account_sas(resource: Resource, query: Mapping[str, str]) -> str:
    names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"]
    if query.get("sv", "") >= "2020-12-06":
        names.append("ses")
    return "\n".join([resource.account, *(query.get(name, "") for name in names), ""])


def _service_sas(resource: Resource, query: Mapping[str, str], kind: str) -> str:
    version = query.get("sv", "")
    path = f"/blob/{resource.account}/{resource.container}"
    values = [query.get("sp", ""), query.get("st", ""), query.get("se", "")]
    values += [path if kind == "c" else f"{path}/{resource.blob}", ""]
    values += [query.get("sip", ""), query.get("spr", ""), version]
    if version >= "2018-11-09":
        values += [kind, query.get("snapshot", "") if kind == "bs" else ""]
    if version >= "2020-12-06":
        values.append(query.get("ses", ""))
    return "\n".join(
        [*values, *(query.get(n, "") for n in ("rscc", "rscd", "rsce", "rscl", "rsct"))]
    )


def _queue_sas(resource: Resource, query: Mapping[str, str]) -> tuple[str, Grant]:
    names = ("sp", "st", "se")
    values = [query.get(n, "") for n in names]
    values += [f"/queue/{resource.account}/{resource.container}", query.get("si", "")]
    values += [query.get(n, "") for n in ("sip", "spr", "sv")]
    return "\n".join(values), Grant(permissions=query.get("sp", ""), levels="o")


def _table_sas(resource: Resource, query: Mapping[str, str]) -> tuple[str, Grant]:
    table = query.get("tn", "").lower()
    if resource.container.partition("(")[0].lower() != table:
        raise _failed("The table is not the one that was signed.")
    values = [query.get(n, "") for n in ("sp", "st", "se")]
    values += [f"/table/{resource.account}/{table}", query.get("si", "")]
    values += [query.get(n, "") for n in ("sip", "spr", "sv", "spk", "srk", "epk", "erk")]
    return "\n".join(values), Grant(permissions=query.get("sp", ""), levels="o")


def _file_sas(resource: Resource, query: Mapping[str, str]) -> tuple[str, Grant]:
    kind = query.get("sr", "")
    if kind not in {"f", "s"}:
        raise _failed("sr is mandatory, and one of f and s.")
    path = f"/file/{resource.account}/{resource.container}"
    values = [query.get(n, "") for n in ("sp", "st", "se")]
    values += [path if kind == "s" else f"{path}/{resource.blob}", query.get("si", "")]
    values += [query.get(n, "") for n in ("sip", "spr", "sv")]
    values += [query.get(n, "") for n in ("rscc", "rscd", "rsce", "rscl", "rsct")]
    levels = "co" if kind == "s" else "o"
    return "\n".join(values), Grant(permissions=query.get("sp", ""), levels=levels)


OWN_SIGNATURES = {"queue": _queue_sas, "table": _table_sas, "file": _file_sas}


def _sas_time(text: str) -> datetime | None:
    whole = text.partition(".")[0] + "Z" if "." in text else text
    for form in SAS_TIMES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(whole, form).replace(tzinfo=timezone.utc)
    return None
