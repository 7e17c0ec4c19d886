"""The recorded requests of azurerm 5.2.0 (29 resources of 28 types), against a fresh stand-in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mockazure.armclient import Arm

TRANSCRIPT = Path(__file__).parent / "data" / "azurerm-5.2.0-29-resources.jsonl"
PURGE = "/deletedVaults/kv-many/purge"  # answered by 404 when this was recorded; Azure finds it

Row = dict[str, Any]


def rows() -> list[Row]:
    return [json.loads(line) for line in TRANSCRIPT.read_text().splitlines()]


def replay(arm: Arm, recorded: list[Row]) -> list[Any]:
    return [arm(r["method"], f"{r['path']}?{r['query']}", r.get("body")) for r in recorded]


@pytest.fixture(scope="module")
def played() -> list[tuple[Row, Any]]:
    recorded = rows()
    return list(zip(recorded, replay(Arm(), recorded), strict=True))


def test_no_request_of_azurerm_gets_a_server_error(played: list[tuple[Row, Any]]) -> None:
    assert len(played) > 300
    assert [row for row, answer in played if answer.status >= 500] == []


def test_every_status_is_as_recorded_but_for_creations(played: list[tuple[Row, Any]]) -> None:
    different = {
        (row["method"], row["path"].rpartition("/providers/")[2], row["status"], answer.status)
        for row, answer in played
        if row["status"] != answer.status and row["method"] != "PUT"
    }

    assert {d for d in different if not d[1].endswith(PURGE)} == set()


def test_creations_are_200_or_201_and_updates_200(played: list[tuple[Row, Any]]) -> None:
    seen: set[str] = set()
    for row, answer in played:
        if row["method"] == "PUT":
            allowed = {200} if row["path"] in seen else {200, 201}
            assert answer.status in allowed, row["path"]
            seen.add(row["path"])


def test_creating_a_policy_assignment_gives_201(played: list[tuple[Row, Any]]) -> None:
    statuses = [
        answer.status
        for row, answer in played
        if row["method"] == "PUT" and "policyAssignments" in row["path"]
    ]

    assert statuses == [201]


def test_reads_hold_what_was_written(played: list[tuple[Row, Any]]) -> None:
    written: dict[str, Any] = {}
    compared = 0
    for row, answer in played:
        if row["method"] == "PUT":
            written[row["path"]] = row["body"]
        elif row["method"] == "GET" and answer.status == 200 and row["path"] in written:
            assert lacking(written[row["path"]], answer.json) == []
            compared += 1

    assert compared > 100


def lacking(wanted: Any, found: Any, where: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Name what of a written document a read does not give back."""
    if isinstance(wanted, dict):
        inner = [
            (k, v, found.get(k) if isinstance(found, dict) else None) for k, v in wanted.items()
        ]
        # these lists are filled from the child resources, which come later
        ours = {"subnets", "securityRules", "routes", "id", "type"}
        return [x for k, v, f in inner if k not in ours for x in lacking(v, f, f"{where}/{k}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))  # items get ids, and addresses
        return [x for n, (w, f) in pairs for x in lacking(w, f, f"{where}/{n}")]
    return [] if wanted == found else [f"{where}: {wanted!r} became {found!r}"]


def test_what_was_deleted_is_gone_until_it_is_written_again(
    played: list[tuple[Row, Any]],
) -> None:
    there: dict[str, bool] = {}
    for row, answer in played:
        path = row["path"]
        if row["method"] in {"PUT", "DELETE"}:
            there[path] = row["method"] == "PUT"
        elif row["method"] == "GET" and path in there:
            assert answer.status == (200 if there[path] else 404), path


def test_a_read_before_the_creation_says_resource_not_found(
    played: list[tuple[Row, Any]],
) -> None:
    codes = {answer.code for row, answer in played if answer.status == 404}

    assert codes == {"ResourceNotFound", "ResourceGroupNotFound"}


def test_nothing_is_left_but_what_the_run_did_not_delete() -> None:
    arm = Arm()
    replay(arm, rows())

    assert [key.rpartition("/")[2] for key in arm.manager.resources] == ["rg-many"]


def test_a_stand_in_that_forgets_is_noticed() -> None:
    """The negative control: the comparison of reads with writes can fail."""
    assert lacking({"properties": {"a": 1}}, {"properties": {}}) == ["/properties/a: 1 became None"]
