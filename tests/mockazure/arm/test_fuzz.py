"""No input gives a 5xx, an exception, or an answer that cannot be sent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.httpserver import Request, Response
from pytest_tfoidc.mockazure.arm.types.changes import CHANGES
from pytest_tfoidc.mockazure.arm.types.table import TYPES, rules_for
from pytest_tfoidc.mockazure.odata import FilterError, parse_filter
from tests.mockazure import doors
from tests.mockazure.armclient import RG, SUBSCRIPTION, VNET, Arm, S

METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "get", "X"]
WORDS = [
    "subscriptions", SUBSCRIPTION, "resourceGroups", "rg", "providers", "Microsoft.Network",
    "virtualNetworks", "vnet", "subnets", "default", "resources", "locations", "tenants",
    "Microsoft.Authorization", "locks", "roleDefinitions", "roleAssignments", "register",
    "Microsoft.KeyVault", "vaults", "kv", "deletedVaults", "purge", "westeurope", "SOA", "@",
    "Microsoft.Storage", "storageAccounts", "listKeys", "checkNameAvailability", "list",
    "Microsoft.Insights", "components", "currentbillingfeatures", "operationStatuses",
    "operationResults", "Microsoft.Resources", "deployments", "tags", "", "privateEndpoints",
    "privateEndpointConnections", "analyticsItems", "item", "policyDefinitions",
    "roleEligibilityScheduleRequests", "backupProtectableItems", "backupOperations",
]  # fmt: skip
VERSION = "api-version=2024-01-01"
READ = ("customSubDomainName", "ipRules", "locations", "partitionCount", "publicNetworkAccess")
VALUES: list[object] = [
    *(None, 0, 5, 1.5, True, "x", [], [5], [[]], [{}], {}, {"name": 5}),
    {"linkedDatabases": [{}]},
]
FILTER_WORDS = ["(", ")", "a", "eq", "'b'", "and", "not", "x/any", ":", "in", ","]

printable = st.characters(min_codepoint=33, max_codepoint=126)
short = st.text(max_size=6)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | short,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short, inner, max_size=3),
    max_leaves=8,
)
properties = {
    "subnets": anything | st.lists(st.fixed_dictionaries({"name": short})),
    "level": st.sampled_from(["ReadOnly", "CanNotDelete"]),
    "createMode": st.just("recover"),
    "roleDefinitionId": anything,
    "privateEndpointConnections": anything,
    "privateLinkServiceConnections": anything
    | st.lists(st.fixed_dictionaries({"properties": st.just({"privateLinkServiceId": VNET})})),
    "networkInterfaces": anything | st.lists(st.fixed_dictionaries({"id": short})),
    "ipConfigurations": anything,
    "groupIds": anything,
    "requestType": st.sampled_from(["AdminAssign", "AdminRemove"]) | anything,
    "scheduleInfo": anything,
    "source": anything,
}
identity = st.fixed_dictionaries({"type": anything, "userAssignedIdentities": anything})
known = {
    "location": st.sampled_from(["westeurope", "eastus"]) | anything,
    "properties": anything | st.fixed_dictionaries({}, optional=properties),
    "tags": anything,
    "identity": anything | identity,
    "name": anything,
    "type": anything,
}
documents = st.one_of(anything, st.fixed_dictionaries({}, optional=known))
bodies = st.binary(max_size=40) | documents.map(lambda v: json.dumps(v).encode())
segments = st.lists(st.sampled_from(WORDS) | short.map(lambda t: quote(t, safe="")), max_size=9)
paths = st.sampled_from(["", S, RG, VNET, f"{RG}/providers", f"{S}/providers"]).flatmap(
    lambda base: segments.map(lambda parts: base + "/" + "/".join(parts))
)
queries = st.sampled_from(
    ["", VERSION, f"{VERSION.upper()}&$top=1", f"{VERSION}&$filter=name eq 'a'"]
) | st.text(alphabet=printable, max_size=30).map(lambda t: f"{VERSION}&{t}")
targets = st.builds(lambda path, query: f"{path}?{query}", paths, queries) | st.text(
    alphabet=printable, max_size=60
)
headers = st.dictionaries(
    st.sampled_from(["if-match", "if-none-match", "host", "user-agent"]),
    st.sampled_from(["*", '"x"', "W/", "azsdk-python", "a b", "[::1"]),
)
requests = st.tuples(st.sampled_from(METHODS), targets, bodies, headers)


def check_sendable(response: Response) -> None:
    assert 200 <= response.status < 500
    if response.body:
        json.loads(response.body, parse_constant=refuse)
    h11.Response(status_code=response.status, headers=[*response.headers.items()])


def refuse(name: str) -> None:
    raise AssertionError(f"{name} in an answer")


@settings(max_examples=150)
@given(st.lists(requests, max_size=12), st.booleans())
def test_no_sequence_of_requests_gives_a_server_error(
    sequence: list[tuple[str, str, bytes, dict[str, str]]],
    slow: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    arm = Arm()
    arm.group()
    arm.vnet()
    if slow:
        arm.manager.takes("Microsoft.Network/virtualNetworks", "5m")
        arm.manager.takes("Microsoft.Storage/storageAccounts", "5m")
    for method, target, body, extra in sequence:
        named = {"authorization": f"Bearer {arm.bearer}", **extra}
        request = Request(method, "https", "management.azure.com", target, named, body)
        check_sendable(arm.manager.handle(request))
    assert arm.manager.resources is not None
    arm.clock.reset()


@given(st.text(max_size=60) | st.lists(st.sampled_from(FILTER_WORDS)).map(" ".join))
def test_a_filter_is_parsed_or_refused(text: str) -> None:
    try:
        parse_filter(text)({"a": "b", "properties": {"c": [1]}})
    except FilterError:
        return


def test_a_deeply_nested_filter_is_refused() -> None:
    for text in ("(" * 4000, "(" * 2000 + "a eq 1" + ")" * 2000, "not " * 1900 + "a eq 1"):
        try:
            parse_filter(text)
        except FilterError:
            continue
        raise AssertionError(text[:20])


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_a_property_that_a_type_reads_gives_a_server_error(value: object) -> None:
    arm = Arm()
    arm.group()
    for kind in sorted(TYPES):
        path = below(arm, kind)
        names = {*arm("GET", path).json.get("properties", {}), *rules_for(kind).items, *READ}
        body = {"location": "westeurope", "sku": value, "properties": dict.fromkeys(names, value)}
        check_sendable(arm("PUT", path, body).response)
        check_sendable(arm("GET", path).response)
        for action in rules_for(kind).actions:
            check_sendable(arm("POST", f"{path}/{action}", body).response)


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_what_a_rule_looks_up_gives_a_server_error(value: object) -> None:
    """One name after the other: of several that are wrong, only the first is looked at."""
    arm = Arm()
    arm.group()
    for kind in sorted({*TYPES, *CHANGES}):
        rules = rules_for(kind)
        posts = {**rules.changes, **rules.actions}
        functions: list[Any] = [rules.adds, *posts.values()]
        names = {name for one in functions for name in doors.names_looked_up(one)}
        path = below(arm, kind) if names else ""
        for name in sorted(names):
            body = {"location": "westeurope", "properties": {name: value}}
            check_sendable(arm("PUT", path, body).response)
            for posted in ({name: value}, {}):
                for action in posts:
                    check_sendable(arm("POST", f"{path}/{action}", posted).response)


def below(arm: Arm, kind: str) -> str:
    """Make one resource of a type, and what it lies in; give its path."""
    namespace, *names = kind.split("/")
    path = f"{RG}/providers/{namespace}"
    for name in names:
        path += f"/{name}/one"
        arm("PUT", path, {"location": "westeurope", "properties": {}})
    return path
