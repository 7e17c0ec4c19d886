"""Azure Resource Manager on loopback: a faithful store of resources of any type.

What a type needs beyond that is one entry in `types.table`.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jwt

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.arm import (
    access,
    analytics,
    capabilities,
    catalog,
    contents,
    errors,
    listings,
    revisions,
    verbs,
)
from pytest_tfoidc.mockazure.arm.call import Call, check_api_version
from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.estate import Estate
from pytest_tfoidc.mockazure.arm.metadata import cloud_of, is_metadata, metadata
from pytest_tfoidc.mockazure.arm.operations import VERBS, Operations, OperationsSnapshot
from pytest_tfoidc.mockazure.arm.resource_ids import NAMESPACE, parse_segments
from pytest_tfoidc.mockazure.arm.store import Resource, Store, StoreSnapshot
from pytest_tfoidc.mockazure.arm.subscriptions import ALIASES, FEATURES, Subscription, Subscriptions
from pytest_tfoidc.mockazure.arm.types.table import rules_for
from pytest_tfoidc.mockazure.deployments.service import KIND as DEPLOYMENTS
from pytest_tfoidc.mockazure.deployments.service import Deployments
from pytest_tfoidc.mockazure.federated import FederatedCredential
from pytest_tfoidc.mockazure.requests import parse_query, split_path
from pytest_tfoidc.mockazure.tokens import AccessToken, AccessTokens, BearerRefused, from_seconds

if TYPE_CHECKING:
    from pytest_tfoidc.clock import VirtualClock
    from pytest_tfoidc.events import EventLog
    from pytest_tfoidc.mockazure.arm.resource_ids import Place

HOST = "management.azure.com"
API_VERSION = "2024-01-01"
LOCATION = "westeurope"
SELF = "pytest-tfoidc"
CLIENTS = uuid.UUID("2a0f1c5e-8f5b-4b39-9b0e-0f6f7a1a6c11")  # makes ids of system's identities
IDENTITIES = "microsoft.managedidentity/userassignedidentities"
FEDERATED = f"{IDENTITIES}/federatedidentitycredentials"
ACCOUNTS = "microsoft.storage/storageaccounts"
VAULTS = "microsoft.keyvault/vaults"
ACCOUNT_SEGMENTS = 8  # of /subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME
AUXILIARY = re.compile(r"Bearer\s+([^\s,;]+)", re.IGNORECASE)
MEMBERSHIP = "microsoft.management/managementgroups/subscriptions"
# The last types of paths that are polled: those of an operation, and those of what it gives.
OPERATIONS = ("operationstatuses", "backupoperations")
RESULTS = ("operationresults", "backupoperationresults")

Verb = Callable[[Estate, Call], "Response"]
ITEM_VERBS: dict[str, Verb] = {
    "GET": verbs.read,
    "HEAD": verbs.exists,
    "PUT": verbs.write,
    "PATCH": verbs.change,
    "DELETE": verbs.delete,
}


@dataclass(frozen=True)
class Snapshot:
    """Everything that Resource Manager holds at a moment."""

    store: StoreSnapshot
    operations: OperationsSnapshot
    unregistered: frozenset[str]
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)


class ResourceManager:
    """Resource Manager's answers. Thread safe.

    Args:
        clock: The virtual clock; operations that take their time move it.
        access_tokens: Checks callers' bearers.
        subscription_id: The subscription of the job's own environment.
        tenant_id: The tenant of that environment.
        events: Is told of moves of the clock and of refused tokens.
        admits: Tells whether a subscription that nobody made may be used.
    """

    def __init__(  # noqa: PLR0913 - settings, keyword only
        self,
        *,
        clock: VirtualClock,
        access_tokens: AccessTokens,
        subscription_id: str,
        tenant_id: str,
        events: EventLog,
        admits: Callable[[str], bool] = lambda _id: False,
    ) -> None:
        self._clock = clock
        self._tokens = access_tokens
        self._tenant_id = tenant_id
        self._operations = Operations(clock=clock, events=events)
        self._store = Store()
        self._estate = Estate(store=self._store, operations=self._operations, tenant_id=tenant_id)
        self._subscriptions = Subscriptions(
            subscription_id=subscription_id, tenant_id=tenant_id, admits=admits
        )
        self._groups_of: Callable[[str], tuple[str, ...]] = lambda _: ()
        self.deployments = Deployments(
            estate=self._estate, enter=self._enter, subscription=self._subscriptions.document
        )
        self._lock = threading.RLock()

    def handle(self, request: Request) -> Response:
        """Answer a request. Errors are Resource Manager's own, never a 5xx."""
        with self._lock:
            try:
                return self._answer(request)
            except ArmError as error:
                return error.response()

    def _answer(self, request: Request) -> Response:
        if is_metadata(request):
            return metadata(request)
        return self._called(request, self._authenticate(request))

    def _called(self, request: Request, caller: AccessToken) -> Response:
        query = parse_query(request.target)
        check_api_version(query)
        try:
            place = parse_segments(split_path(request.target))
        except ValueError as error:
            raise errors.url_not_found(request.target) from error
        self._estate.settle()
        now = self._clock.now()
        call = Call(
            request=request,
            place=place,
            query=query,
            caller=caller,
            now=now,
            auxiliary=self._auxiliary(request),
        )
        self._subscriptions.check(call)
        call = replace(call, owner=self._subscriptions.tenant_of(place.subscription))
        if place.names and _is_terraform_itself(request):
            self._have_account(place, host=request.host)
        return self._route(revisions.resolved(call, self._store))

    def _auxiliary(self, request: Request) -> frozenset[str]:
        """Return the tenants of the further tokens that a request brings."""
        tenants = set()
        for text in AUXILIARY.findall(request.headers.get("x-ms-authorization-auxiliary", "")):
            headers = {"authorization": f"Bearer {text}"}
            with contextlib.suppress(BearerRefused):
                audiences = cloud_of(request.host).audiences
                token = self._tokens.verify(replace(request, headers=headers), *audiences)
                tenants.add(token.tenant_id)
        return frozenset(tenants)

    def _have_account(self, place: Place, *, host: str) -> None:
        """Let the storage account that a backend asks for be there, unless its name is taken.

        A backend's account exists before Terraform first runs. Providers make theirs: to them an
        account that nobody made is missing.
        """
        account = parse_segments(place.segments[:ACCOUNT_SEGMENTS])
        if account.type_key != ACCOUNTS or not account.group:
            return
        if all(a.name.lower() != account.name.lower() for a in self._store.of_type(ACCOUNTS)):
            with contextlib.suppress(UsageError):  # the answer to the request says what is wrong
                self.add(
                    account.id, {"kind": "StorageV2", "sku": {"name": "Standard_LRS"}}, host=host
                )

    def _authenticate(self, request: Request) -> AccessToken:
        try:
            return self._tokens.verify(request, *cloud_of(request.host).audiences)
        except BearerRefused as refused:
            expired_at = _expiry(request.bearer) if refused.reason == "expired" else None
            raise errors.unauthorized(
                refused.reason, expired_at=expired_at, now=self._clock.now()
            ) from refused

    def _route(self, call: Call) -> Response:
        place = call.place
        if place.is_tenant or place.words:
            return self._words(call)
        if place.is_subscription:
            one = self._subscriptions.one(place.subscription)
            return self._only_get(call, lambda: verbs.given(one))
        if not NAMESPACE.fullmatch(place.namespace):
            raise errors.bad_namespace(place.namespace)
        if place.type_key.rpartition("/")[2] in (*OPERATIONS, *RESULTS) and place.pairs:
            return self._only_get(call, lambda: self._operation(call))
        special = self._special(call)
        if special is not None:
            return special
        return self._item(call) if place.pairs else self._collection(call)

    def _special(self, call: Call) -> Response | None:
        """Answer for what is no resource: offers, contents, analytics; None for any other."""
        offered = catalog.offers(call.place)
        if offered is not None:
            return self._only_get(call, lambda: Response.json(catalog.answer(call, offered)))
        if capabilities.is_capability(call.place):
            return self._only_get(call, lambda: capabilities.answer(self._estate, call))
        if contents.is_content(call.place):
            return contents.answer(self._estate, call)
        if analytics.is_analytics(call.place):
            return analytics.answer(self._estate, call)
        return listings.plain(self._estate, call)

    @staticmethod
    def _only_get(call: Call, answer: Callable[[], Response]) -> Response:
        if call.method not in {"GET", "HEAD"}:
            raise errors.method_not_allowed(call.method, "GET")
        return answer()

    def _words(self, call: Call) -> Response:
        words = tuple(w.lower() for w in call.place.words)
        scope = call.place.parent
        known: dict[tuple[str, ...], Verb] = {("resources",): listings.resources}
        if scope.is_subscription:
            known["resourcegroups",] = listings.groups
        verb = known.get(words) if not scope.is_tenant else None
        if verb is not None:
            return self._only_get(call, lambda: verb(self._estate, call))
        found = self._subscriptions.answer(call)
        if found is None:
            raise errors.url_not_found(call.request.target)
        return self._only_get(call, lambda: found)

    def _operation(self, call: Call) -> Response:
        if call.place.type_key.rpartition("/")[2] in RESULTS:
            return verbs.operation_result(self._estate, call)
        return verbs.operation_status(self._estate, call)

    def _enter(self, call: Call, method: str, target: str, version: str, body: Any) -> Response:  # noqa: ANN401 - JSON
        """Let a deployment's request in, as if its client had sent it."""
        path = f"{quote(target)}?api-version={version}"
        content = json.dumps(body).encode()
        host = {"host": call.request.headers.get("host", call.request.host)}
        request = Request(method, "https", call.request.host, path, host, content)
        return self._called(request, call.caller)

    def _item(self, call: Call) -> Response:
        if call.place.type_key == DEPLOYMENTS and call.method == "PUT":
            return self.deployments.write(call)
        if call.place.type_key == f"{DEPLOYMENTS}/operations":
            return self._only_get(call, lambda: self.deployments.operations(call))
        if call.place.type_key == FEATURES and call.method == "GET":
            return Response.json(self._subscriptions.feature(call.place))
        if call.method == "POST" and call.place.name.lower() == listings.NAME_CHECK:
            return listings.name_among_children(self._estate, call)
        if call.method == "POST" and self._acts_on_collection(call.place):
            return listings.act_on_collection(self._estate, call)
        verb = ITEM_VERBS.get(call.method)
        if verb is None:
            raise errors.method_not_allowed(call.method, *ITEM_VERBS)
        if call.method == "PUT" and call.place.type_key == ALIASES:
            body = json.dumps(self._subscriptions.with_subscription(call)).encode()
            call = replace(call, request=replace(call.request, body=body))
        if call.place.type_key == MEMBERSHIP:
            self._join_group(call)
        return verb(self._estate, call)

    def _join_group(self, call: Call) -> None:
        """Let a subscription be in one management group only."""
        if call.method != "PUT":
            return
        self._subscriptions.join_group(call)
        for other in self._store.of_type(MEMBERSHIP):
            if other.name.lower() == call.place.name.lower() and other.key != call.place.key:
                self._estate.remove(other.key)

    def _collection(self, call: Call) -> Response:
        """Answer for a collection, an action, or a resource without a name of its own."""
        if call.place.type_key == f"{DEPLOYMENTS}/operations":
            return self._only_get(call, lambda: self.deployments.operations(call))
        if call.method == "POST":
            return self._act(call)
        if self._is_singleton(call.place):
            return self._item(call)
        if call.method not in {"GET", "HEAD"}:
            raise errors.method_not_allowed(call.method, "GET")
        return listings.collection(self._estate, call)

    @staticmethod
    def _acts_on_collection(place: Place) -> bool:
        """Tell whether a path ends in an action on all children: `webHooks/generateUri`."""
        action = "/".join(place.segments[-2:]).lower()
        return action in rules_for(place.parent.kind).actions

    def _is_singleton(self, place: Place) -> bool:
        """Tell whether a path without a last name is a resource by the table of types."""
        implied = rules_for(place.parent.kind).implied
        return place.name.lower() in {name.lower() for name in implied}

    def _act(self, call: Call) -> Response:
        place = call.place
        action = place.name.lower()
        if place.parent.is_subscription and action in {"register", "unregister"}:
            registered = action == "register"
            subscription = place.subscription
            return self._subscriptions.register(
                subscription, place.namespace, registered=registered
            )
        if place.parent.type_key == DEPLOYMENTS:
            return self.deployments.act(call)
        return self._subscriptions.act(call) or listings.act(self._estate, call)

    def takes(
        self, resource_type: str, duration: str | timedelta, *, verb: str | None = None
    ) -> None:
        """Let operations on a type take their time, on the virtual clock only.

        Args:
            resource_type: Such as `Microsoft.Network/virtualNetworkGateways`, in any case.
            duration: Such as `45m`; zero makes the type instant again.
            verb: `create`, `update` or `delete`; all three where it is not given.

        Raises:
            UsageError: The duration or the verb is none.
        """
        with self._lock:
            self._operations.takes(resource_type, duration, (verb,) if verb else VERBS)

    @property
    def is_instant(self) -> bool:
        """Whether no operation takes its time, so that no request moves the clock."""
        return self._operations.are_instant

    def add(
        self, resource_id: str, body: Mapping[str, Any] | None = None, *, host: str = HOST
    ) -> dict[str, Any]:
        """Put a resource there that no client created, and what it lies in; give how it reads.

        Such as the storage account of a backend, which is there before any module is applied.

        Args:
            resource_id: A full resource id.
            body: What a client would have written; a location is added where there is none.
            host: Resource Manager's host, which tells the cloud.

        Raises:
            UsageError: The id is none, or the resource is refused.
        """
        with self._lock:
            around, parent = [], parse_segments(split_path(resource_id)).parent
            while not parent.is_tenant:
                around.append(parent)
                parent = parent.parent
            for one in reversed(around):
                is_there = self._store.get(one.key) is not None
                if not (is_there or one.is_subscription or one.is_implied):
                    self._added(one.id, {}, host)
            return self._added(resource_id, body or {}, host)

    def _added(self, resource_id: str, body: Mapping[str, Any], host: str) -> dict[str, Any]:
        content = json.dumps({"location": LOCATION, **body}).encode()
        target = f"{quote(resource_id)}?api-version={API_VERSION}"
        subscription = parse_segments(split_path(resource_id)).subscription
        tenant = self._subscriptions.tenant_of(subscription) or self._tenant_id
        caller = AccessToken("", "", SELF, SELF, tenant, self._clock.now())
        request = Request("PUT", "https", host, target, {}, content)
        try:
            response = self._called(request, caller)
        except ArmError as error:
            raise UsageError(
                f"{resource_id} cannot be added to the stand-in.", cause=error.message
            ) from error
        added: dict[str, Any] = json.loads(response.body or b"{}")
        return added

    def add_subscription(
        self, subscription_id: str, *, name: str = "", tenant_id: str = ""
    ) -> None:
        """Put a subscription there that nobody has used yet.

        Args:
            subscription_id: Its id, a GUID.
            name: What it is called.
            tenant_id: The tenant that it belongs to; whoever uses it first where it is empty.

        Raises:
            UsageError: The id is no GUID.
        """
        unknown = errors.unknown_subscription(subscription_id)
        if unknown.code == "InvalidSubscriptionId":
            raise UsageError(
                f"{subscription_id!r} is no subscription.",
                cause="a subscription's id is a GUID",
                remedy="Write it as in 00000000-0000-0000-0000-000000000000.",
            )
        with self._lock:
            self._subscriptions.add(subscription_id, name=name, tenant_id=tenant_id)

    def tenant_of(self, subscription_id: str) -> str:
        """Return the tenant that a subscription belongs to; empty where that is not settled."""
        with self._lock:
            return self._subscriptions.tenant_of(subscription_id)

    def tenant_of_account(self, name: str) -> str:
        """Return the tenant of a storage account; empty for one that nobody made here."""
        with self._lock:
            for account in self._store.of_type(ACCOUNTS):
                if account.name.lower() == name.lower():
                    return self._subscriptions.tenant_of(account.id.split("/")[2])
            return ""

    @property
    def resources(self) -> Mapping[str, dict[str, Any]]:
        """Every resource as it reads now, by id in lower case. They are copies."""
        with self._lock:
            self._estate.settle()
            shown = {r.key: copy.deepcopy(self._estate.shown(r)) for r in self._store}
        return MappingProxyType(shown)

    def on_purged(self, callback: Callable[[str, str], None]) -> None:
        """Tell somebody the type (in lower case) and the name of what is purged."""
        self._estate.on_purged = callback

    def on_kept(
        self, stored: Callable[[str, str], None], removed: Callable[[str, str], None]
    ) -> None:
        """Tell somebody the type (in lower case) and the id of what is stored and removed."""
        self._estate.on_stored, self._estate.on_removed = stored, removed

    def on_handed_over(
        self, callback: Callable[[Place, Mapping[str, Any]], dict[str, Any]]
    ) -> None:
        """Let somebody take what is written here and belongs into a data plane."""
        self._estate.on_handed_over = callback

    def groups_of(self, groups_of: Callable[[str], tuple[str, ...]]) -> None:
        """Take from somebody which groups a principal is in, for the role assignments of these."""
        self._groups_of = groups_of

    def vault(self, name: str) -> dict[str, Any] | None:
        """Return a key vault's document by its name; None where there is none."""
        return self.named(VAULTS, name)

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return the document of a resource whose name nobody else in the world can have.

        Args:
            kind: The type, in lower case.
            name: The name, in any case.
        """
        with self._lock:
            self._estate.settle()
            found = (r for r in self._store.of_type(kind) if r.name.lower() == name.lower())
            resource = next(found, None)
            return self._estate.shown(resource) if resource else None

    def is_deleted_vault(self, name: str) -> bool:
        """Tell whether a key vault is deleted and can be recovered."""
        with self._lock:
            return self._estate.deleted(VAULTS, name) is not None

    def permits(self, object_id: str, resource_id: str, data_action: str) -> bool:
        """Tell whether a role assignment lets somebody, or a group of theirs, do something."""
        with self._lock:
            return access.permits(
                self._store,
                principals=(object_id, *self._groups_of(object_id)),
                resource_id=resource_id,
                action=data_action,
            )

    def managed_identities(self) -> list[dict[str, str]]:
        """Return who managed identities are: id, client, name, tenant, and the resource's own id.

        Those of users (a resource of their own), and those that a resource has itself.
        """
        with self._lock:
            found = []
            for resource in self._store:
                mine = resource.kind == IDENTITIES
                own_block = resource.document.get("identity")
                about = resource.properties if mine else own_block or {}
                principal = about.get("principalId") if isinstance(about, dict) else None
                if principal:
                    own = {"id": str(principal), "tenantId": str(about.get("tenantId") or "")}
                    client = str(about.get("clientId") or uuid.uuid5(CLIENTS, str(principal)))
                    names = {"appId": client, "displayName": str(resource.document["name"])}
                    found.append({**own, **names, "resourceId": str(resource.document["id"])})
            return found

    def federated_credentials(self, client_id: str) -> tuple[FederatedCredential, ...]:
        """Return the federated credentials of a user-assigned identity, for Entra to honour."""
        with self._lock:
            identity = self._identity(client_id)
            kept = self._store.children(identity.key, FEDERATED) if identity else ()
            return tuple(FederatedCredential.parse(c.name, c.properties) for c in kept)

    def principal_id(self, client_id: str) -> str | None:
        """Return the object id of a user-assigned identity; None where there is none."""
        with self._lock:
            identity = self._identity(client_id)
            return str(identity.properties.get("principalId")) if identity else None

    def _identity(self, client_id: str) -> Resource | None:
        for identity in self._store.of_type(IDENTITIES):
            if str(identity.properties.get("clientId")).lower() == client_id.lower():
                return identity
        return None

    def snapshot(self) -> Snapshot:
        """Return everything that there is, to be restored later."""
        with self._lock:
            return Snapshot(
                self._store.snapshot(),
                self._operations.snapshot(),
                *self._subscriptions.snapshot(),
            )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to what there was."""
        with self._lock:
            self._store.restore(snapshot.store)
            self._operations.restore(snapshot.operations)
            self._subscriptions.restore(snapshot.unregistered, snapshot.subscriptions)


def _is_terraform_itself(request: Request) -> bool:
    """Tell whether Terraform's or OpenTofu's own backend asks, and not a provider."""
    agent = request.headers.get("user-agent", "").lower()
    return ("terraform/" in agent or "opentofu/" in agent) and "terraform-provider" not in agent


def _expiry(bearer: str | None) -> datetime | None:
    """Read when a token expired, which the 401 tells. Only for a token whose signature is ours."""
    try:
        claims = jwt.decode(bearer or "", options={"verify_signature": False})
        return from_seconds(claims["exp"])
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
        return None
