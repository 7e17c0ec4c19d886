from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pytest_tfoidc.events import AccessTokenRefused
from tests.mockazure.armclient import NET, READER, RG, VNET, Arm, S

LOCK = f"{VNET}/providers/Microsoft.Authorization/locks/keep"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (VNET, "ResourceNotFound"),
        (f"{S}/resourceGroups/none", "ResourceGroupNotFound"),
        (f"{S}/resourceGroups/none/{NET}/virtualNetworks/v", "ResourceGroupNotFound"),
        (f"{VNET}/subnets/a", "ParentResourceNotFound"),
        (LOCK, "ResourceNotFound"),
        ("/subscriptions/11111111-1111-1111-1111-111111111111", "SubscriptionNotFound"),
        ("/subscriptions/none/resourceGroups/rg", "InvalidSubscriptionId"),
        (f"{RG}/providers/nonsense/things/one", "InvalidResourceNamespace"),
        ("/nonsense", "HttpResourceNotFound"),
        (f"{S}/providers/Vendor.Unknown", "InvalidResourceNamespace"),
    ],
)
def test_what_is_missing_is_named_as_resource_manager_does(arm: Arm, path: str, code: str) -> None:
    answer = arm("GET", path)

    assert answer.status == (400 if code == "InvalidSubscriptionId" else 404)
    assert answer.code == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{VNET}/subnets/a", "ParentResourceNotFound"),
        (LOCK, "ResourceNotFound"),
        (f"{S}/resourceGroups/none/{NET}/virtualNetworks/v", "ResourceGroupNotFound"),
    ],
)
def test_nothing_is_created_in_what_is_missing(arm: Arm, path: str, code: str) -> None:
    assert arm("PUT", path, {"location": "westeurope"}).code == code
    assert len(arm.manager.resources) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"1", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000]
)
def test_a_body_that_is_no_json_object_is_refused(arm: Arm, content: bytes) -> None:
    answer = arm("PUT", VNET, content)

    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


def test_a_body_of_20_mb_is_refused(arm: Arm) -> None:
    content = json.dumps({"properties": {"a": "x" * 20_000_000}}).encode()

    assert arm("PUT", VNET, content).status == 413


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("latest", "InvalidApiVersionParameter"),
        ("2024-13-45", "InvalidApiVersionParameter"),
    ],
)
def test_an_api_version_is_needed(arm: Arm, version: str, code: str) -> None:
    answer = arm("GET", RG, version=version)

    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("version", ["2024-01-01", "2014-04-01-preview", "2022-05-01-preview"])
def test_any_well_formed_api_version_will_do(arm: Arm, version: str) -> None:
    assert arm("GET", RG, version=version).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", S),
        ("DELETE", f"{S}/resourceGroups"),
        ("PUT", f"{VNET}/subnets"),
        ("POST", RG),
        ("TRACE", RG),
        ("PUT", f"{RG}/{NET}/virtualNetworks"),
    ],
)
def test_a_wrong_verb_is_refused(arm: Arm, method: str, path: str) -> None:
    arm.vnet()

    answer = arm(method, path, {"location": "westeurope"})

    assert answer.status == 405
    assert answer.headers["Allow"]


def test_etags_guard_against_lost_updates(arm: Arm) -> None:
    arm.vnet()
    old = arm("GET", VNET).headers["ETag"]
    body = {"location": "westeurope"}
    assert arm("PUT", VNET, body, headers={"if-match": old}).status == 200

    stale = arm("PUT", VNET, body, headers={"if-match": old})

    assert (stale.status, stale.code) == (412, "PreconditionFailed")
    assert arm("DELETE", VNET, headers={"if-match": old}).status == 412
    assert arm("PUT", VNET, body, headers={"if-none-match": "*"}).status == 412
    assert arm("PUT", f"{VNET}2", body, headers={"if-none-match": "*"}).status == 201
    assert arm("PUT", f"{VNET}3", body, headers={"if-match": "*"}).status == 412


def test_nothing_moves_to_another_region(arm: Arm) -> None:
    arm.vnet()

    vnet = arm("PUT", VNET, {"location": "northeurope"})
    group = arm("PUT", RG, {"location": "northeurope"})

    assert (vnet.status, vnet.code) == (409, "InvalidResourceLocation")
    assert (group.status, group.code) == (409, "InvalidResourceGroupLocation")
    assert arm("PUT", VNET, {"location": "West Europe"}).status == 200


def test_a_group_needs_a_location_and_a_good_name(arm: Arm) -> None:
    assert arm("PUT", f"{S}/resourceGroups/x", {}).code == "LocationRequired"
    for name in ("a%20b", "ends.", "x" * 91, "a%3Cb"):
        bad = arm("PUT", f"{S}/resourceGroups/{name}", {"location": "westeurope"})
        assert (bad.status, bad.code) == (400, "InvalidResourceGroup")


def test_a_locked_resource_cannot_be_deleted_nor_its_group(arm: Arm) -> None:
    arm.vnet()
    arm("PUT", LOCK, {"properties": {"level": "CanNotDelete"}})

    for path in (VNET, RG):
        refused = arm("DELETE", path)
        assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert arm("PUT", VNET, {"location": "westeurope"}).status == 200

    assert arm("DELETE", LOCK).status == 200
    assert arm("DELETE", RG).status == 200


def test_a_read_only_lock_refuses_writes_below_it(arm: Arm) -> None:
    arm.vnet()
    arm(
        "PUT",
        f"{RG}/providers/Microsoft.Authorization/locks/ro",
        {"properties": {"level": "ReadOnly"}},
    )

    refused = arm("PUT", f"{VNET}/subnets/a", {})

    assert (refused.status, refused.code) == (409, "ScopeLocked")


def test_the_same_role_is_assigned_once(arm: Arm) -> None:
    scope = f"{RG}/providers/Microsoft.Authorization/roleAssignments"
    role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    body = {"properties": {"principalId": "p", "roleDefinitionId": role}}
    assert arm("PUT", f"{scope}/one", body).status == 201
    assert arm("PUT", f"{scope}/one", body).status == 200

    again = arm("PUT", f"{scope}/two", body)

    assert (again.status, again.code) == (409, "RoleAssignmentExists")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("missing", "AuthenticationFailed"),
        ("malformed", "InvalidAuthenticationToken"),
        ("expired", "ExpiredAuthenticationToken"),
        ("audience", "InvalidAuthenticationTokenAudience"),
    ],
)
def test_a_bad_bearer_gets_resource_managers_own_401(arm: Arm, reason: str, code: str) -> None:
    headers = {"authorization": f"Bearer {arm.bearer}"}
    if reason == "missing":
        headers = {"authorization": ""}
    if reason == "malformed":
        headers = {"authorization": "Bearer nonsense"}
    if reason == "audience":
        headers = {"authorization": f"Bearer {arm.new_bearer('https://graph.microsoft.com')}"}
    if reason == "expired":
        arm.clock.advance(timedelta(hours=2))
    try:
        answer = arm("GET", RG, headers=headers)
    finally:
        arm.clock.reset()

    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert [e.reason for e in arm.events.of(AccessTokenRefused)] == [reason]
    assert arm.bearer not in answer.response.body.decode()


def test_an_action_on_what_is_missing_is_refused(arm: Arm) -> None:
    assert arm("POST", f"{VNET}/start").status == 404
    arm.vnet()
    assert arm("POST", f"{VNET}/start").status == 200
