"""Repositories, branches and files: the requests that the provider makes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.mockazure.devops.devopsclient import Client

NOTHING = "0" * 40
MAIN = "refs/heads/main"


@pytest.fixture
def repository(client: Client) -> str:
    body = {"name": "app", "project": {"id": client.project()}}
    return str(client.make("_apis/git/repositories", body)["id"])


def push(client: Client, repository: str, old: str, path: str, text: str, kind: str = "add") -> Any:  # noqa: ANN401 - the answer
    change: dict[str, Any] = {"changeType": kind, "item": {"path": path}}
    if kind != "delete":
        change["newContent"] = {"content": text, "contentType": "rawtext"}
    body = {
        "refUpdates": [{"name": MAIN, "oldObjectId": old}],
        "commits": [{"comment": f"{kind} {path}", "changes": [change]}],
    }
    return client.send("POST", f"_apis/git/repositories/{repository}/pushes", body)


def commit(client: Client, repository: str, path: str, text: str, old: str = NOTHING) -> str:
    answer = push(client, repository, old, path, text)
    assert answer.status == 201, answer.json
    return str(answer.json["commits"][0]["commitId"])


def test_a_project_has_a_repository_of_its_name_from_its_beginning(client: Client) -> None:
    assert client.listed("project/_apis/git/repositories") == ["project"]


def test_a_new_repository_is_empty_and_has_its_addresses(client: Client, repository: str) -> None:
    found = client.send("GET", f"project/_apis/git/repositories/{repository}").json

    assert "defaultBranch" not in found
    assert found["remoteUrl"] == "https://dev.azure.com/org/project/_git/app"
    assert found["sshUrl"].endswith("v3/org/project/app")
    assert client.send("GET", "project/_apis/git/repositories/app").json["id"] == repository


def test_a_name_is_taken_once_and_none_is_found_without_one(
    client: Client, repository: str
) -> None:
    body = {"name": "APP", "project": {"id": client.project()}}
    assert client.send("POST", "_apis/git/repositories", body).status == 409
    assert client.send("POST", "_apis/git/repositories", {"name": "x"}).status == 400
    gone = client.send("DELETE", f"project/_apis/git/repositories/{repository}")
    assert gone.status == 204
    assert client.send("GET", f"_apis/git/repositories/{repository}").status == 404


def test_a_push_makes_a_branch_a_commit_and_a_file(client: Client, repository: str) -> None:
    made = commit(client, repository, "/a.txt", "one")
    base = f"_apis/git/repositories/{repository}"

    assert client.send("GET", base).json["defaultBranch"] == MAIN
    assert client.send("GET", f"{base}/refs?filter=heads/main").json["value"][0]["objectId"] == made
    file = client.send("GET", f"{base}/items?path=a.txt&includeContent=true").json
    assert (file["content"], file["commitId"]) == ("one", made)
    branch = client.send("GET", f"{base}/stats/branches?name=main").json
    assert branch["commit"]["commitId"] == made
    found = client.send("GET", f"{base}/commits/{made}").json
    assert found["comment"] == "add /a.txt"
    assert found["committer"]["name"]
    assert "files" not in found


def test_a_stale_push_and_a_file_twice_are_refused(client: Client, repository: str) -> None:
    made = commit(client, repository, "/a.txt", "one")

    stale = push(client, repository, NOTHING, "/b.txt", "x")
    assert stale.status == 409
    # what tells the provider to try again
    assert "has already been updated by another client" in stale.json["message"]
    assert push(client, repository, made, "/a.txt", "x").status == 400
    assert push(client, repository, made, "/b.txt", "x", "edit").status == 400
    assert push(client, repository, made, "/a.txt", "two", "edit").status == 201


def test_files_are_deleted_and_commits_found_by_the_path_that_they_changed(
    client: Client, repository: str
) -> None:
    first = commit(client, repository, "/a.txt", "one")
    second = commit(client, repository, "/b.txt", "two", first)
    push(client, repository, second, "/a.txt", "", "delete")
    base = f"_apis/git/repositories/{repository}"

    assert client.send("GET", f"{base}/items?path=/a.txt").status == 404
    query = "searchCriteria.itemPath=/b.txt"
    assert [c["commitId"] for c in client.send("GET", f"{base}/commits?{query}").json["value"]] == [
        second
    ]


def test_refs_move_by_their_old_value_only(client: Client, repository: str) -> None:
    made = commit(client, repository, "/a.txt", "one")
    path = f"_apis/git/repositories/{repository}/refs"
    new = {"name": "refs/heads/next", "oldObjectId": NOTHING, "newObjectId": made}

    assert client.make(path, [new])["value"][0]["success"] is True
    assert client.make(path, [new])["value"][0]["updateStatus"] == "staleOldObjectId"
    lost = {**new, "name": "refs/heads/lost", "newObjectId": "1" * 40}
    assert client.make(path, [lost])["value"][0]["updateStatus"] == "unresolvableToCommit"
    gone = {**new, "oldObjectId": made, "newObjectId": NOTHING}
    assert client.make(path, [gone])["value"][0]["success"] is True
    names = [r["name"] for r in client.send("GET", f"{path}?filter=heads/").json["value"]]
    assert names == [MAIN]


def test_a_fork_has_what_its_parent_has(client: Client, repository: str) -> None:
    commit(client, repository, "/a.txt", "one")
    body = {
        "name": "fork",
        "project": {"id": client.project()},
        "parentRepository": {"id": repository},
    }

    fork = client.make("_apis/git/repositories", body)

    assert fork["defaultBranch"] == MAIN
    found = client.send("GET", f"_apis/git/repositories/{fork['id']}/items?path=/a.txt")
    assert found.json["content"] == "one"


def test_an_import_has_a_branch(client: Client, repository: str) -> None:
    base = f"project/_apis/git/repositories/{repository}"
    body = {"parameters": {"gitSource": {"url": "https://example.org/x.git"}}}

    client.make(f"{base}/importRequests", body)

    assert client.send("GET", base).json["defaultBranch"] == MAIN


def test_what_comes_as_base64_is_bytes(client: Client, repository: str) -> None:
    text = base64.b64encode(b"\x00\x01").decode()
    change = {
        "changeType": "add",
        "item": {"path": "/b"},
        "newContent": {"content": text, "contentType": "base64encoded"},
    }
    body = {
        "refUpdates": [{"name": MAIN, "oldObjectId": NOTHING}],
        "commits": [{"comment": "c", "changes": [change]}],
    }
    client.make(f"_apis/git/repositories/{repository}/pushes", body)

    found = client.send(
        "GET",
        f"_apis/git/repositories/{repository}/items?path=/b",
        headers={"accept": "application/octet-stream"},
    )

    assert found.response.body == b"\x00\x01"


def test_repositories_go_with_their_project_and_come_back_with_a_snapshot(
    client: Client, repository: str
) -> None:
    commit(client, repository, "/a.txt", "one")
    kept = client.devops.snapshot()

    client.send("DELETE", "_apis/projects/project")
    assert client.send("GET", f"_apis/git/repositories/{repository}").status == 404

    client.devops.restore(kept)
    path = f"_apis/git/repositories/{repository}/items?path=/a.txt"
    assert client.send("GET", path).json["content"] == "one"
