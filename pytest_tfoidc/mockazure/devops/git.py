"""Git repositories of Azure DevOps over REST: pushes, refs, branches, commits and files.

A commit keeps every file of its tree, which is what is asked for. Over git itself, repositories are
Azure DevOps' own (docs/stand-in.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.entries import find_key
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Entries,
    Organization,
    guid,
    invalid,
    listing,
    missing,
    part,
)

REPOSITORIES, REFS, COMMITS = "git/repositories", "git/refs", "git/commits"
NOTHING = "0" * 40
MAIN = "refs/heads/main"
AUTHOR = {"name": "pytest-tfoidc", "email": "pytest-tfoidc@example.org"}


def of_project(organization: Organization, project: Document) -> Entries:
    """Return the repositories of a project. Each has one of its own name from its beginning."""
    known = organization.of(REPOSITORIES, str(project["id"]))
    seeded = organization.of("git/seeded").setdefault(str(project["id"]), {})
    if not seeded:
        seeded["done"] = True
        add(organization, project, {"name": project["name"]})
    return known


def add(organization: Organization, project: Document, body: Document) -> Document:
    """Make a repository; a fork has what its parent has.

    Raises:
        DevOpsError: It has no name, or one that is taken.
    """
    name = str(body.get("name") or "")
    known = organization.of(REPOSITORIES, str(project["id"]))
    if not name or any(str(r["name"]).lower() == name.lower() for r in known.values()):
        message = f"TF400948: A Git repository with the name {name} already exists."
        raise DevOpsError(409, "GitRepositoryNameAlreadyExistsException", message)
    key = str(uuid.uuid4())
    shown = {n: project[n] for n in ("id", "name", "state", "visibility") if n in project}
    known[key] = {"id": key, "name": name, "project": shown, "size": 0, "isDisabled": False}
    _name(organization, known[key])
    parent = str(part(body, "parentRepository").get("id") or "")
    if parent:
        known[key] |= {"isFork": True, "parentRepository": part(body, "parentRepository")}
        for kind in (REFS, COMMITS):
            organization.of(kind, key).update(organization.of(kind, parent))
        _settle_branch(organization, known[key])
    return known[key]


def _name(organization: Organization, repository: Document) -> None:
    project, name = part(repository, "project").get("name"), repository["name"]
    base = f"https://dev.azure.com/{organization.name}/{project}"
    ssh = f"git@ssh.dev.azure.com:v3/{organization.name}/{project}/{name}"
    repository["url"] = f"{base}/_apis/git/repositories/{repository['id']}"
    repository |= {"remoteUrl": f"{base}/_git/{name}", "webUrl": f"{base}/_git/{name}"}
    repository["sshUrl"] = ssh


def find(call: Call, text: str) -> Document:
    """Find a repository by its id or name.

    Raises:
        DevOpsError: There is none.
    """
    organization = call.organization
    projects = [call.project] if call.project else list(organization.projects.values())
    for project in projects:
        known = of_project(organization, project)
        key = find_key(known, text)
        if key is not None:
            return known[key]
    message = f"TF401019: The Git repository with name or identifier {text} does not exist."
    raise DevOpsError(404, "GitRepositoryNotFoundException", message)


def on_repositories(call: Call) -> Response:
    """Answer for repositories."""
    organization = call.organization
    if not call.key:
        call.only("GET", "POST")
        if call.method == "GET":
            projects = [call.project] if call.project else list(organization.projects.values())
            return listed([r for p in projects for r in of_project(organization, p).values()])
        named = str(part(call.body, "project").get("id") or "").lower()
        project = call.project or organization.projects.get(named)
        if not project:
            raise invalid("A project is needed to make a repository.")
        of_project(organization, project)
        return Response.json(add(organization, project, call.body), status=201)
    call.only("GET", "PATCH", "DELETE")
    found = find(call, call.key)
    if call.method == "GET":
        return Response.json(found)
    project_id = str(part(found, "project")["id"])
    if call.method == "DELETE":
        del organization.of(REPOSITORIES, project_id)[found["id"]]
        organization.forget(str(found["id"]))
        return Response(204)
    written = {"name", "defaultBranch", "isDisabled"}
    found |= {k: v for k, v in call.body.items() if k in written and v is not None}
    _name(organization, found)
    return Response.json(found)


def on_parts(call: Call) -> Response:
    """Answer for what lies in a repository."""
    repository = find(call, call.found.values["repositoryId"])
    what = call.found.words.split("/")[3]
    return PARTS[what](call, repository)


def _refs(call: Call, repository: Document) -> Response:
    """List refs, or point them to other commits."""
    refs = call.organization.of(REFS, str(repository["id"]))
    call.only("GET", "POST", "PATCH")
    if call.method == "GET":
        wanted = call.query.get("filter") or call.found.values.get("filter", "")
        text = call.query.get("filtercontains", "").lower()
        found = [
            {"name": name, "objectId": ref["objectId"], "creator": AUTHOR, "url": ""}
            for name, ref in refs.items()
            if name.startswith(f"refs/{wanted}") and text in name.lower()
        ]
        return listed(found)
    updates = [u for u in call.items if isinstance(u, dict)]
    return listed([_move(call.organization, repository, update) for update in updates])


def _move(organization: Organization, repository: Document, update: Document) -> Document:
    """Point a ref to a commit; to none deletes it."""
    refs = organization.of(REFS, str(repository["id"]))
    commits = organization.of(COMMITS, str(repository["id"]))
    name, new = str(update.get("name") or ""), str(update.get("newObjectId") or NOTHING)
    old = str(update.get("oldObjectId") or NOTHING)
    shown = {"name": name, "oldObjectId": old, "newObjectId": new, "repositoryId": repository["id"]}
    current = refs.get(name, {}).get("objectId", NOTHING)
    status = "succeeded"
    if new not in {*commits, NOTHING}:
        status = "unresolvableToCommit"
    elif current != old:
        status = "staleOldObjectId"
    elif new == NOTHING:
        refs.pop(name, None)
    else:
        refs[name] = {"objectId": new}
    _settle_branch(organization, repository)
    return {**shown, "success": status == "succeeded", "updateStatus": status}


def _settle_branch(organization: Organization, repository: Document) -> None:
    """Let the first branch be the default one, and none where none is left."""
    branches = [n for n in organization.of(REFS, str(repository["id"])) if "/heads/" in n]
    if repository.get("defaultBranch") not in branches:
        repository.pop("defaultBranch", None)
        if branches:
            repository["defaultBranch"] = MAIN if MAIN in branches else branches[0]


def _push(call: Call, repository: Document) -> Response:
    """POST commits and move a ref to the last of them."""
    call.only("POST")
    updates = [u for u in listing(call.body, "refUpdates") if isinstance(u, dict)]
    commits = [c for c in listing(call.body, "commits") if isinstance(c, dict)]
    if len(updates) != 1 or not commits:
        raise invalid("One ref update and at least one commit are needed.")
    name, old = str(updates[0].get("name") or ""), str(updates[0].get("oldObjectId") or NOTHING)
    refs = call.organization.of(REFS, str(repository["id"]))
    if refs.get(name, {}).get("objectId", NOTHING) != old:
        message = (
            f"TF401028: The reference '{name}' has already been updated by another client, so you "
            "cannot update it. Please try again."
        )
        raise DevOpsError(409, "GitReferenceStaleException", message)
    parent = old
    for commit in commits:
        parent = _commit(call, repository, commit, parent)
    refs[name] = {"objectId": parent}
    _settle_branch(call.organization, repository)
    made = {
        "commits": [{"commitId": parent}],
        "refUpdates": [{"name": name, "newObjectId": parent}],
    }
    number = call.organization.number("git/pushes")
    return Response.json({**made, "pushId": number, "repository": repository}, status=201)


def _commit(call: Call, repository: Document, given: Document, parent: str) -> str:
    commits = call.organization.of(COMMITS, str(repository["id"]))
    before = commits.get(parent, {}).get("files", {})
    files = dict(before)
    for change in listing(given, "changes"):
        _change(files, change if isinstance(change, dict) else {})
    changed = [p for p in {*files, *before} if files.get(p) != before.get(p)]
    seed = f"{parent}{call.now}{len(commits)}{sorted(files.items())}"
    key = hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()
    stamp = {"date": call.now}
    commits[key] = {
        "commitId": key,
        "comment": given.get("comment") or "",
        "author": {**AUTHOR, **_told(part(given, "author")), **stamp},
        "committer": {
            **AUTHOR,
            **_told(part(given, "committer") or part(given, "author")),
            **stamp,
        },
        "parents": [] if parent == NOTHING else [parent],
        "files": files,
        "changed": changed,
    }
    return key


def _told(person: Document) -> Document:
    return {k: v for k, v in person.items() if v}


def _change(files: dict[str, str], change: Document) -> None:
    """Add, edit, rename or delete one file; texts are kept as base64."""
    path = "/" + str(part(change, "item").get("path") or "").lstrip("/")
    kind = str(change.get("changeType") or "").lower()
    if "add" in kind and path in files:
        raise invalid(f"TF402434: the path '{path}' exists already in this commit.")
    if kind in {"edit", "delete"} and path not in files:
        raise invalid(f"TF401035: the object '{path}' does not exist.")
    if kind == "delete":
        del files[path]
        return
    source = str(change.get("sourceServerItem") or "")
    content = part(change, "newContent")
    text = str(content.get("content") or "")
    if "rename" in kind and source in files:
        kept = files.pop(source)
        files[path] = files.get(path, kept)
        if not content:
            return
    encoded = str(content.get("contentType")).lower() == "base64encoded"
    files[path] = text if encoded else base64.b64encode(text.encode()).decode()


def _tree(call: Call, repository: Document) -> Document:
    """Return the commit that a query names by branch, tag or id; else the default branch's."""
    names = ("versiondescriptor.version", "searchcriteria.itemversion.version", "version")
    version = next((call.query[n] for n in names if call.query.get(n)), "")
    kinds = ("versiondescriptor.versiontype", "searchcriteria.itemversion.versiontype")
    kind = next((call.query[n] for n in kinds if call.query.get(n)), "branch").lower()
    commits = call.organization.of(COMMITS, str(repository["id"]))
    if kind == "commit":
        key = version
    else:
        folder = "tags" if kind == "tag" else "heads"
        default = str(repository.get("defaultBranch") or MAIN)
        ref = f"refs/{folder}/{version.removeprefix('refs/heads/')}" if version else default
        key = call.organization.of(REFS, str(repository["id"])).get(ref, {}).get("objectId", "")
    if key not in commits:
        message = (
            f"TF401175: The version descriptor <{version or 'default'}> could not be resolved."
        )
        raise DevOpsError(404, "GitUnresolvableToCommitException", message)
    return commits[key]


def _items(call: Call, repository: Document) -> Response:
    """GET a file, or list the tree."""
    call.only("GET")
    commit = _tree(call, repository)
    wanted = call.query.get("path") or call.query.get("scopepath") or call.found.values.get("path")
    files = part(commit, "files")
    if not wanted or wanted == "/":
        return listed([_item(commit, path) for path in files])
    path = "/" + wanted.strip("/")
    if path not in files:
        message = f"TF401174: The item '{path}' could not be found in the repository."
        raise DevOpsError(404, "GitItemNotFoundException", message)
    content = _decoded(files[path])
    if "json" not in call.request.headers.get("accept", "json"):
        return Response(200, content, {"content-type": "application/octet-stream"})
    item = _item(commit, path)
    item["content"] = content.decode("utf-8", "replace")
    return Response.json(item)


def _item(commit: Document, path: str) -> Document:
    digest = hashlib.sha1(commit["files"][path].encode(), usedforsecurity=False).hexdigest()
    return {
        "objectId": digest,
        "gitObjectType": "blob",
        "commitId": commit["commitId"],
        "path": path,
        "url": "",
    }


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text.encode()


def _shown(commit: Document) -> Document:
    changes = {"changeCounts": {"Edit": len(commit["changed"])}, "url": "", "remoteUrl": ""}
    return {**{k: v for k, v in commit.items() if k not in {"files", "changed"}}, **changes}


def _commits(call: Call, repository: Document) -> Response:
    """GET a commit, or list those that changed a path."""
    call.only("GET")
    known = call.organization.of(COMMITS, str(repository["id"]))
    if call.key:
        if call.key not in known:
            raise missing(call.key, "GitCommitDoesNotExistException")
        return Response.json(_shown(known[call.key]))
    path = call.query.get("searchcriteria.itempath", "")
    found, current = [], str(_tree(call, repository)["commitId"])
    while current in known:
        commit = known[current]
        if not path or "/" + path.strip("/") in commit["changed"]:
            found.append(_shown(commit))
        current = next(iter(commit["parents"]), "")
    top = call.query.get("searchcriteria.$top") or call.query.get("$top") or "100"
    return listed(found[: int(top) if top.isascii() and top.isdigit() else 100])


def _branches(call: Call, repository: Document) -> Response:
    """GET a branch by its name, or all."""
    call.only("GET")
    refs = call.organization.of(REFS, str(repository["id"]))
    known = call.organization.of(COMMITS, str(repository["id"]))
    branches = {
        name.removeprefix("refs/heads/"): {
            "name": name.removeprefix("refs/heads/"),
            "commit": _shown(known[ref["objectId"]]),
            "aheadCount": 0,
            "behindCount": 0,
            "isBaseVersion": name == repository.get("defaultBranch"),
        }
        for name, ref in refs.items()
        if name.startswith("refs/heads/")
    }
    wanted = call.query.get("name") or call.key
    if not wanted:
        return listed(list(branches.values()))
    if wanted not in branches:
        message = f"TF401175: the branch '{wanted}' does not exist in this repository."
        raise DevOpsError(404, "GitUnresolvableToCommitException", message)
    return Response.json(branches[wanted])


def _import(call: Call, repository: Document) -> Response:
    """Import from elsewhere. Nothing is fetched: what comes is one commit that says from where."""
    call.only("POST", "GET")
    if call.method == "GET":
        return Response.json({"importRequestId": 1, "status": "completed"})
    source = str(part(part(call.body, "parameters"), "gitSource").get("url") or "")
    change = {"changeType": "add", "item": {"path": "/README.md"}}
    text = {"content": f"Imported from {source}", "contentType": "rawtext"}
    commit = {"comment": "Import", "changes": [{**change, "newContent": text}]}
    made = _commit(call, repository, commit, NOTHING)
    call.organization.of(REFS, str(repository["id"]))[MAIN] = {"objectId": made}
    _settle_branch(call.organization, repository)
    request = {"importRequestId": 1, "status": "completed", "repository": repository}
    return Response.json(
        {**request, "parameters": call.body.get("parameters"), "url": guid(source)}
    )


PARTS = {
    "commits": _commits,
    "importrequests": _import,
    "items": _items,
    "pushes": _push,
    "refs": _refs,
    "stats": _branches,
}
