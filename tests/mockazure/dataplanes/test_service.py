"""Data planes that keep documents: written at a path, read back there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.dataplanes.kinds import HOSTS
from pytest_tfoidc.mockazure.dataplanes.service import DataPlanes
from tests.mockazure.armclient import RG, Answer, Arm
from tests.mockazure.azurekit import Azure

P = f"{RG}/providers"
SEARCH = ("one.search.windows.net", "https://search.azure.com")
TWINS = ("one.api.weu.digitaltwins.azure.net", "https://digitaltwins.azure.net")
CENTRAL = ("one.azureiotcentral.com", "https://apps.azureiotcentral.com")
BATCH = ("one.westeurope.batch.azure.com", "https://batch.core.windows.net")
OWNERS = (
    "Microsoft.Search/searchServices",
    "Microsoft.DigitalTwins/digitalTwinsInstances",
    "Microsoft.Batch/batchAccounts",
    "Microsoft.CognitiveServices/accounts",
    "Microsoft.Purview/accounts",
    "Microsoft.DeviceUpdate/accounts",
    "Microsoft.Synapse/workspaces",
)


@dataclass
class Planes:
    """The data planes of a Resource Manager that has one service of each kind."""

    arm: Arm

    def __post_init__(self) -> None:
        self.service = DataPlanes(access_tokens=self.arm.tokens, owners=self.arm.manager)
        for kind in OWNERS:
            self.arm("PUT", f"{P}/{kind}/one", {"location": "westeurope", "properties": {}})

    def __call__(
        self, plane: tuple[str, str], method: str, target: str, body: object = None
    ) -> Answer:
        host, audience = plane
        headers = {"authorization": f"Bearer {self.arm.new_bearer(audience)}"} if audience else {}
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return Answer(self.service.handle(Request(method, "https", host, target, headers, content)))


@pytest.fixture
def planes(arm: Arm) -> Planes:
    return Planes(arm)


def test_an_agent_is_posted_to_its_list_and_changed_by_a_post_to_itself(planes: Planes) -> None:
    foundry = ("one.services.ai.azure.com", "https://ai.azure.com")
    agents = "/api/projects/p/agents"
    assert planes(foundry, "GET", f"{agents}/a?api-version=v1").status == 404
    assert (
        planes(foundry, "POST", agents, {"name": "a", "definition": {"model": "m"}}).status == 200
    )
    planes(foundry, "POST", f"{agents}/a", {"name": "a", "definition": {"model": "n"}})
    found = planes(foundry, "GET", f"{agents}/a").json
    assert found == {"name": "a", "definition": {"model": "n"}}
    assert planes(foundry, "GET", agents).json == {"value": [found]}
    assert planes(foundry, "DELETE", f"{agents}/a").status == 200
    assert planes(foundry, "GET", f"{agents}/a").status == 404


@pytest.mark.parametrize(
    ("plane", "path", "name"),
    [
        (SEARCH, "/indexes('books')?api-version=2024-07-01", {"name": "books"}),
        (TWINS, "/digitaltwins/room?api-version=2020-10-31", {"id": "room"}),
        (CENTRAL, "/api/organizations/team?api-version=2022-05-31", {"id": "team"}),
        (("one.purview.azure.com", "https://purview.azure.net"), "/scan/datasources/lake",
         {"name": "lake"}),
        (("one.dev.azuresynapse.net", "https://dev.azuresynapse.net"), "/datasets/sales",
         {"name": "sales"}),
        (("one.api.adu.microsoft.com", "https://api.adu.microsoft.com"),
         "/deviceupdate/main/management/groups/first", {"name": "first"}),
    ],
)  # fmt: skip
def test_what_is_written_is_read_back_until_it_is_deleted(
    planes: Planes, plane: tuple[str, str], path: str, name: dict[str, str]
) -> None:
    assert planes(plane, "GET", path).status == 404
    written = planes(plane, "PUT", path, {"properties": {"a": 1}})
    created = 201 if plane is SEARCH else 200  # azurerm takes an organization that is 201 for lost
    assert (written.status, written.json) == (created, {**name, "properties": {"a": 1}})
    assert planes(plane, "GET", path).json == written.json
    assert planes(plane, "PUT", path, {"properties": {"b": 2}}).status == 200
    assert planes(plane, "GET", path).json == {**name, "properties": {"b": 2}}
    assert planes(plane, "PATCH", path, {"c": 3}).json["c"] == 3
    assert planes(plane, "DELETE", path).status == 204
    assert planes(plane, "GET", path).status == 404
    assert planes(plane, "DELETE", path).status == 404


def test_lists_have_their_own_entries_only(planes: Planes) -> None:
    twin = "/digitaltwins/room"
    planes(TWINS, "PUT", twin, {})
    planes(TWINS, "PUT", f"{twin}/relationships/door", {"$targetId": "hall"})
    assert [one["id"] for one in planes(TWINS, "GET", "/digitaltwins").json["value"]] == ["room"]
    inside = planes(TWINS, "GET", f"{twin}/relationships").json["value"]
    assert inside == [{"id": "door", "$targetId": "hall"}]
    assert planes(TWINS, "GET", "/models").json == {"value": []}
    planes(TWINS, "DELETE", twin)
    assert planes(TWINS, "GET", f"{twin}/relationships/door").status == 404


def test_jobs_of_batch_are_made_by_a_post_that_answers_nothing(planes: Planes) -> None:
    made = planes(BATCH, "POST", "/jobs", {"id": "nightly", "priority": 1})
    assert (made.status, made.response.body) == (201, b"")
    assert planes(BATCH, "POST", "/jobs", {"id": "nightly"}).status == 409
    assert planes(BATCH, "POST", "/jobs", {}).status == 400
    assert planes(BATCH, "PATCH", "/jobs/nightly", {"priority": 2}).status == 200
    assert planes(BATCH, "GET", "/jobs/nightly").json == {"id": "nightly", "priority": 2}
    assert planes(BATCH, "DELETE", "/jobs/nightly").status == 202


@pytest.mark.parametrize("audience", ["", "https://management.azure.com"])
def test_a_bearer_for_something_else_is_refused(planes: Planes, audience: str) -> None:
    assert planes((SEARCH[0], audience), "GET", "/indexes").status == 401
    assert planes(SEARCH, "GET", "/indexes").status == 200


def test_a_service_that_is_not_there_has_no_data(planes: Planes) -> None:
    none = ("none.search.windows.net", SEARCH[1])
    assert planes(none, "PUT", "/indexes/a", {}).status == 404


def test_a_service_that_is_made_anew_begins_empty(planes: Planes) -> None:
    planes(SEARCH, "PUT", "/indexes/a", {})
    path = f"{P}/{OWNERS[0]}/one"
    planes.arm("DELETE", path)
    assert planes(SEARCH, "GET", "/indexes/a").status == 404
    planes.arm.clock.advance(timedelta(seconds=1))
    planes.arm.bearer = planes.arm.new_bearer()
    planes.arm("PUT", path, {"location": "westeurope", "properties": {}})
    assert planes(SEARCH, "GET", "/indexes").json == {"value": []}


@pytest.mark.parametrize(("body", "status"), [(b"[]", 400), (b"{", 400), (b" " * 5_000_000, 413)])
def test_a_body_that_is_no_object_is_refused(planes: Planes, body: bytes, status: int) -> None:
    assert planes(SEARCH, "PUT", "/indexes/a", body).status == status


def test_a_snapshot_is_put_back_as_it_was(planes: Planes) -> None:
    planes(SEARCH, "PUT", "/indexes/a", {"fields": []})
    held = planes.service.snapshot()
    planes(SEARCH, "PUT", "/indexes/a", {"fields": [1]})
    planes(SEARCH, "PUT", "/indexes/b", {})
    planes.service.restore(held)
    assert planes(SEARCH, "GET", "/indexes").json["value"] == [{"name": "a", "fields": []}]


@settings(max_examples=80, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "TRACE"]),
    path=st.text(alphabet="/abc('%)\\.?*+[", max_size=20),
    body=st.binary(max_size=20) | st.sampled_from([b'{"name": 5}', b'{"name": "a/b"}', b"{}"]),
)
def test_no_input_breaks_it(method: str, path: str, body: bytes) -> None:
    planes = Planes(Arm())
    planes.arm.group()
    planes.arm("PUT", f"{P}/{OWNERS[0]}/one", {"location": "westeurope", "properties": {}})
    assert planes(SEARCH, method, f"/{path}", body).status < 500


def test_the_stand_in_plays_these_hosts(azure: Azure) -> None:
    for host in HOSTS:
        refused = azure.send("GET", f"https://{host.replace('*', 'one')}/indexes")
        assert "refused by tfoidc" not in refused.text
        assert refused.status_code in {401, 404}
    answer = azure.send("GET", "https://one.search.windows.net/indexes")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
