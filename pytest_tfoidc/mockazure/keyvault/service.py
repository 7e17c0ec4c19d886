"""Key Vault's data plane on loopback: every vault that Resource Manager has, under its own host.

Source: https://learn.microsoft.com/rest/api/keyvault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from pytest_tfoidc.entrafacts import LOGIN_HOSTS, PUBLIC
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.keyvault import (
    access,
    authority,
    certificates,
    errors,
    items,
    keys,
    secrets,
)
from pytest_tfoidc.mockazure.keyvault.call import Call
from pytest_tfoidc.mockazure.keyvault.errors import VaultError
from pytest_tfoidc.mockazure.keyvault.store import Content, VaultStore
from pytest_tfoidc.mockazure.requests import parse_query, split_path
from pytest_tfoidc.mockazure.tokens import AccessToken, BearerRefused

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.mockazure.tokens import AccessTokens

AUDIENCES = (
    "https://vault.azure.net",
    "https://vault.usgovcloudapi.net",
    "https://vault.azure.cn",
)
NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
DELETED = "deleted"
SHOWS: dict[str, items.Shows] = {
    "secrets": secrets.shown,
    "keys": keys.shown,
    "certificates": certificates.shown,
}
Verb = Callable[[Call], Response]

# The last segment after a name -> method -> verb, by kind. A version is no word of these.
WORDS: dict[str, dict[str, dict[str, Verb]]] = {
    "secrets": {},
    "keys": {
        "create": {"POST": keys.create},
        "rotate": {"POST": keys.rotate},
        "rotationpolicy": {"GET": keys.get_rotation_policy, "PUT": keys.put_rotation_policy},
    },
    "certificates": {
        "create": {"POST": certificates.create},
        "import": {"POST": certificates.import_certificate},
        "policy": {"GET": certificates.get_policy, "PATCH": certificates.change_policy},
        "pending": {
            "GET": certificates.get_pending,
            "PATCH": certificates.change_pending,
            "DELETE": certificates.delete_pending,
        },
    },
}
ITEMS: dict[str, dict[str, Verb]] = {
    "secrets": {"GET": secrets.get, "PUT": secrets.put},
    "keys": {"GET": keys.get, "PUT": keys.import_key},
    "certificates": {"GET": certificates.get, "PATCH": certificates.change},
}
ISSUER: dict[str, Verb] = {
    "GET": authority.get_issuer,
    "PUT": authority.put_issuer,
    "PATCH": authority.change_issuer,
    "DELETE": authority.delete_issuer,
}
CONTACTS: dict[str, Verb] = {
    "GET": authority.get_contacts,
    "PUT": authority.put_contacts,
    "DELETE": authority.delete_contacts,
}


class Estate(Protocol):
    """Resource Manager's knowledge of vaults, and of who may do what."""

    def vault(self, name: str) -> Mapping[str, Any] | None:
        """Return a vault's document; None where there is none."""

    def is_deleted_vault(self, name: str) -> bool:
        """Tell whether a vault is deleted and can be recovered."""

    def permits(self, object_id: str, resource_id: str, data_action: str) -> bool:
        """Tell whether a role assignment lets somebody do something."""


class KeyVaults:
    """The answers of every vault's host.

    Args:
        clock: Tells the virtual time.
        access_tokens: Checks callers' bearers.
        tenant_id: The tenant that a 401 sends the client to.
        estate: Knows the vaults and the role assignments.
        groups_of: Tells the groups that somebody is in, for access policies of groups.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        access_tokens: AccessTokens,
        tenant_id: str,
        estate: Estate,
        groups_of: access.GroupsOf = lambda _: (),
    ) -> None:
        self._clock = clock
        self._tokens = access_tokens
        self._tenant_id = tenant_id
        self._estate = estate
        self._groups_of = groups_of
        self._store = VaultStore()

    def handle(self, request: Request) -> Response:
        """Answer a request. Errors are Key Vault's own, never a 5xx."""
        try:
            return self._answer(request)
        except VaultError as error:
            return error.response()

    def _answer(self, request: Request) -> Response:
        segments = split_path(request.target)
        if not segments:  # azurerm asks here whether a new vault's host answers
            raise VaultError(404, "NotFound", "The requested resource was not found.")
        caller = self._authenticate(request)
        query = parse_query(request.target)
        if not query.get("api-version"):
            raise errors.bad_parameter("api-version must be specified")
        vault = self._vault(request.host)
        now = self._clock.now()
        place = _Place.of(segments)
        call = Call(
            request=request,
            query=query,
            caller=caller,
            now=now,
            vault=vault,
            content=self._store.content(vault.name, now),
            kind=place.kind,
            name=place.name,
            version=place.version,
            allow=partial(self._guard(vault, caller).check, place.kind),
        )
        return place.verb(request.method)(call)

    def _vault(self, host: str) -> access.Vault:
        name = host.partition(".")[0]
        found = self._estate.vault(name)
        if found is None:
            raise errors.vault_not_found(name, deleted=self._estate.is_deleted_vault(name))
        return access.Vault.of(found)

    def _guard(self, vault: access.Vault, caller: AccessToken) -> access.Guard:
        return access.Guard(
            vault=vault,
            caller=caller,
            permits=self._estate.permits,
            groups_of=self._groups_of,
        )

    def _authenticate(self, request: Request) -> AccessToken:
        try:
            return self._tokens.verify(request, *AUDIENCES)
        except BearerRefused as refused:
            raise self._challenge(request, refused.reason) from refused

    def _challenge(self, request: Request, reason: str) -> VaultError:
        domain = request.host.partition(".")[2] or "vault.azure.net"
        challenge = (
            f'Bearer authorization="https://{LOGIN_HOSTS[PUBLIC]}/{self._tenant_id}", '
            f'resource="https://{domain}"'
        )
        message = "AKV10000: Request is missing a Bearer or PoP token."
        if reason != "missing":
            message = f"AKV10032: The token in the request is refused: {reason}."
        headers = {"WWW-Authenticate": challenge}
        return VaultError(401, "Unauthorized", message, headers=headers)

    def take(self, host: str, kind: str, name: str, written: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a secret or a key that was written in Resource Manager; return what is shown there.

        Args:
            host: The vault's host.
            kind: `secrets` or `keys`.
            name: The object's.
            written: The properties that were written.

        Raises:
            VaultError: Key Vault refuses them.
        """
        renamed = {"key_size": written.get("keySize"), "crv": written.get("curveName")}
        call = self._call_of_manager(host, kind, name, {**renamed, **written})
        before = call.find()
        if kind == "secrets":
            secrets.put(call)
        elif before is None:  # a key that is there is not made anew
            keys.create(call)
        singular = kind.removesuffix("s")
        versioned = call.url(kind, name, call.existing().latest.id)
        shown = {n: v for n, v in written.items() if n != "value"}
        uris = {f"{singular}Uri": call.url(kind, name), f"{singular}UriWithVersion": versioned}
        return {**shown, **uris}

    def _call_of_manager(
        self, host: str, kind: str, name: str, properties: Mapping[str, Any]
    ) -> Call:
        """Return the call that a client of the vault would have made, which may do everything."""
        now = self._clock.now()
        return Call(
            request=Request("PUT", "https", host, "/", {}, json.dumps(properties).encode()),
            query={},
            caller=AccessToken("", "", "", "", self._tenant_id, now),
            now=now,
            vault=self._vault(host),
            content=self._store.content(host.partition(".")[0], now),
            kind=kind,
            name=_name(name),
            allow=lambda _permission, _name: None,
        )

    def secret(self, vault: str, name: str, version: str = "") -> str | None:
        """Return a secret's value, for a deployment that refers to it; None where there is none."""
        content = self._store.content(vault, self._clock.now())
        item = content.items.get(("secrets", name.lower()))
        found = item.version(version) if item else None
        return str(found.content["value"]) if found and found.enabled else None

    def listed_secrets(self, vault: str) -> list[dict[str, Any]]:
        """Return the secrets of a vault as a list shows them, without their values."""
        content = self._store.content(vault, self._clock.now())
        return [
            {
                "id": f"https://{vault}.vault.azure.net/secrets/{item.name}",
                "contentType": item.latest.content.get("contentType"),
                "attributes": {"enabled": item.latest.enabled},
            }
            for item in content.of_kind("secrets")
        ]

    def forget(self, name: str) -> None:
        """Drop all that a vault holds: it was purged."""
        self._store.forget(name)

    def names(self, kind: str = "secrets") -> tuple[str, ...]:
        """Return `vault/name` of every object of a kind that there is now. Never a value."""
        held = self._store.snapshot()
        return tuple(f"{v}/{i.name}" for v, content in held.items() for i in content.of_kind(kind))

    def snapshot(self) -> dict[str, Content]:
        """Return a copy of everything that vaults hold, for `restore`."""
        return self._store.snapshot()

    def restore(self, held: Mapping[str, Content]) -> None:
        """Put back what `snapshot` returned."""
        self._store.restore(held)


class _Place:
    """Where a path leads: the kind, the name, the version, and the verbs there."""

    def __init__(
        self, kind: str, verbs: Mapping[str, Verb], *, name: str = "", version: str = ""
    ) -> None:
        self.kind = kind
        self.name = name
        self.version = version
        self._verbs = verbs

    def verb(self, method: str) -> Verb:
        """Return what a method does here.

        Raises:
            VaultError: There is no such method here.
        """
        verb = self._verbs.get("GET" if method == "HEAD" else method)
        if verb is None:
            raise errors.method_not_allowed(method, *sorted(self._verbs))
        return verb

    @classmethod
    def of(cls, segments: tuple[str, ...]) -> _Place:
        """Read a path.

        Raises:
            VaultError: It leads nowhere, or has an invalid name.
        """
        kind, rest = segments[0].lower(), segments[1:]
        if kind == "rng" and not rest:
            return cls("keys", {"POST": keys.random})
        if kind.removeprefix(DELETED) not in SHOWS:
            raise errors.bad_parameter(f"The path '/{'/'.join(segments)}' is not supported.")
        if kind.startswith(DELETED):
            return _deleted_place(kind.removeprefix(DELETED), rest)
        if kind == "certificates" and rest and rest[0].lower() in {"contacts", "issuers"}:
            return _authority_place(rest)
        return _item_place(kind, rest)


def _deleted_place(kind: str, rest: tuple[str, ...]) -> _Place:
    if not rest:
        return _Place(kind, {"GET": items.list_deleted})
    name, shows = _name(rest[0]), SHOWS[kind]
    if len(rest) == 1:
        verbs: dict[str, Verb] = {"GET": partial(items.get_deleted, shows=shows)}
        return _Place(kind, {**verbs, "DELETE": items.purge}, name=name)
    if tuple(r.lower() for r in rest[1:]) == ("recover",):
        return _Place(kind, {"POST": partial(items.recover, shows=shows)}, name=name)
    raise _nowhere(rest)


def _authority_place(rest: tuple[str, ...]) -> _Place:
    what = rest[0].lower()
    if what == "contacts" and len(rest) == 1:
        return _Place("certificates", CONTACTS)
    if what == "issuers" and len(rest) == 1:
        return _Place("certificates", {"GET": authority.list_issuers})
    if what == "issuers" and len(rest) == 2:  # noqa: PLR2004 - issuers/NAME
        return _Place("certificates", ISSUER, name=_name(rest[1]))
    raise _nowhere(rest)


def _item_place(kind: str, rest: tuple[str, ...]) -> _Place:
    shows = SHOWS[kind]
    if not rest:
        return _Place(kind, {"GET": items.listed})
    words = tuple(r.lower() for r in rest[1:])
    if rest[0].lower() == "restore" and not words:
        verbs: dict[str, Verb] = {**ITEMS[kind], "POST": partial(items.restore, shows=shows)}
        return _Place(kind, verbs, name="restore")
    name = _name(rest[0])
    if not words:
        return _Place(
            kind, {**_changes(kind), "DELETE": partial(items.delete, shows=shows)}, name=name
        )
    if len(words) == 1:
        return _below(kind, name, words[0])
    if words == ("pending", "merge") and kind == "certificates":
        return _Place(kind, {"POST": certificates.merge}, name=name)
    if kind == "keys" and len(words) == 2 and words[1] in keys.USES:  # noqa: PLR2004 - VERSION/USE
        use = partial(keys.use, operation=words[1])
        return _Place(kind, {"POST": use}, name=name, version=words[0])
    raise _nowhere(rest)


def _below(kind: str, name: str, word: str) -> _Place:
    """Return the place of a word or of a version below a name."""
    if word == "versions":
        return _Place(kind, {"GET": items.versions}, name=name)
    if word == "backup":
        return _Place(kind, {"POST": items.backup}, name=name)
    if word in WORDS[kind]:
        return _Place(kind, WORDS[kind][word], name=name)
    if kind == "keys" and word in keys.USES:
        return _Place(kind, {"POST": partial(keys.use, operation=word)}, name=name)
    verbs = {m: v for m, v in _changes(kind).items() if m != "PUT"}
    return _Place(kind, verbs, name=name, version=word)


def _changes(kind: str) -> dict[str, Verb]:
    permission = "set" if kind == "secrets" else "update"
    update = partial(items.update, shows=SHOWS[kind], permission=permission)
    return {"PATCH": update, **ITEMS[kind]}


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise errors.bad_name(text)
    return text


def _nowhere(rest: tuple[str, ...]) -> VaultError:
    return VaultError(404, "NotFound", f"The path '{'/'.join(rest)}' leads nowhere.")
