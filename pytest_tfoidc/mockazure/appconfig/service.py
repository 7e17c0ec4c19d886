"""App Configuration on loopback: every store that Resource Manager has, under its own host.

Source: https://learn.microsoft.com/azure/azure-app-configuration/rest-api.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.appconfig import auth, errors, verbs
from pytest_tfoidc.mockazure.appconfig.errors import ConfigError
from pytest_tfoidc.mockazure.appconfig.store import Configuration
from pytest_tfoidc.mockazure.appconfig.verbs import Call, Verb

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.tokens import AccessTokens

STORES = "microsoft.appconfiguration/configurationstores"
KeysOf = Callable[[str], tuple[auth.AccessKey, ...]]

# The first segment -> method -> verb; for what has a name, and for lists.
NAMED: dict[str, dict[str, Verb]] = {
    "kv": {"GET": verbs.get, "PUT": verbs.put, "DELETE": verbs.delete},
    "locks": {"PUT": verbs.lock, "DELETE": verbs.unlock},
    "snapshots": {
        "GET": verbs.get_snapshot,
        "PUT": verbs.put_snapshot,
        "PATCH": verbs.change_snapshot,
    },
}
LISTS: dict[str, dict[str, Verb]] = {
    "kv": {"GET": verbs.listed},
    "keys": {"GET": verbs.keys},
    "labels": {"GET": verbs.labels},
    "revisions": {"GET": verbs.revisions},
    "snapshots": {"GET": verbs.list_snapshots},
    "operations": {"GET": verbs.operation},
}


class ConfigurationStores:
    """The answers of every store's host.

    Args:
        clock: Tells the virtual time.
        access_tokens: Checks callers' bearers.
        estate: Knows the stores and the role assignments.
        keys: Returns a store's access keys by its resource id.
    """

    def __init__(
        self, *, clock: Clock, access_tokens: AccessTokens, estate: auth.Estate, keys: KeysOf
    ) -> None:
        self._clock = clock
        self._tokens = access_tokens
        self._estate = estate
        self._keys = keys
        self._stores: dict[str, Configuration] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request. Errors are the service's own, never a 5xx."""
        common = {"x-ms-request-id": str(uuid.uuid4()), "Sync-Token": "pytest-tfoidc=MQ==;sn=1"}
        try:
            answer = self._answer(request)
        except ConfigError as error:
            answer = error.response()
        headers = {**answer.headers, **common}
        return Response(answer.status, answer.body, headers, answer.reason)

    def _answer(self, request: Request) -> Response:
        name = request.host.partition(".")[0].lower()
        store = self._estate.named(STORES, name)
        if store is None:
            raise errors.store_not_found(name)
        guard = auth.authenticate(
            request,
            store,
            keys=self._keys(str(store["id"])),
            tokens=self._tokens,
            estate=self._estate,
        )
        path, query = _split(request.target)
        verb, named = _route(request.method, path)
        if "api-version" not in query:
            raise errors.invalid("api-version", "The api-version is required.")
        now = self._clock.now()
        content = self._stores.setdefault(name, Configuration())
        content.settle(now)
        call = Call(request=request, query=query, name=named, content=content, guard=guard, now=now)
        return verb(call)

    def forget(self, name: str) -> None:
        """Drop all that a store holds: it was purged."""
        self._stores.pop(name.lower(), None)

    def snapshot(self) -> dict[str, Configuration]:
        """Return a copy of everything that stores hold, for `restore`."""
        return {name: content.copy() for name, content in self._stores.items()}

    def restore(self, held: Mapping[str, Configuration]) -> None:
        """Put back what `snapshot` returned; it can be put back more than once."""
        self._stores = {name: content.copy() for name, content in held.items()}


def _split(target: str) -> tuple[str, dict[str, list[str]]]:
    """Return a target's path, as it was sent, and its query with names in lower case."""
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    found: dict[str, list[str]] = {}
    for name, values in parse_qs(query, keep_blank_values=True).items():
        found.setdefault(name.lower(), []).extend(values)
    return path, found


def _route(method: str, path: str) -> tuple[Verb, str]:
    """Return what to do, and the key or the snapshot that is named. Keys may have slashes."""
    first, _, rest = path.removeprefix("/").partition("/")
    methods = (NAMED if rest else LISTS).get(first.lower())
    if methods is None:
        raise errors.not_found()
    verb = methods.get("GET" if method == "HEAD" else method)
    if verb is None:
        raise errors.method_not_allowed(*sorted(methods))
    return verb, unquote(rest)
