"""Azure Pipelines: definitions, settings, checks, pools, queues, environments and variables."""

from __future__ import annotations

import contextlib
import uuid

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops import entries, git
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Organization,
    guid,
    invalid,
    listing,
    missing,
    part,
)

POOLS, FOLDERS, PERMISSIONS = "pools", "folders", "pipelinepermissions"
HOSTED = ("Default", "Azure Pipelines")
SETTINGS = {
    "enforceReferencedRepoScopedToken": True,
    "disableClassicPipelineCreation": False,
    "disableClassicBuildPipelineCreation": False,
    "disableClassicReleasePipelineCreation": False,
    "enforceJobAuthScope": True,
    "enforceJobAuthScopeForReleases": True,
    "enforceSettableVar": True,
    "publishPipelineMetadata": False,
    "statusBadgesArePrivate": True,
    "buildsEnabledForForks": True,
    "disableImpliedYAMLCiTrigger": False,
}


# definitions


def on_definitions(call: Call) -> Response:
    """Answer for pipelines' definitions; secrets are never given back."""
    return entries.answer(call, _definition)


def _definition(call: Call, document: Document) -> Document:
    variables = part(document, "variables")
    for variable in variables.values():
        if isinstance(variable, dict) and variable.get("isSecret"):
            variable["value"] = None
    name = str(part(part(document, "queue"), "pool").get("name") or "Azure Pipelines")
    queue = {"id": 1, "name": name, "pool": {"id": 1, "name": name}, **part(document, "queue")}
    project = part(document, "project") or call.project
    more = {
        "queue": queue,
        "authoredBy": entries.me(),
        "uri": f"vstfs:///Build/Definition/{guid('d')}",
    }
    usual = {"process": {"type": 2, "yamlFilename": "azure-pipelines.yml"}, "variables": {}}
    return {
        **usual,
        **document,
        **more,
        "repository": _repository(call, part(document, "repository")),
        "project": {"id": project["id"], "name": project["name"]},
    }


def _repository(call: Call, given: Document) -> Document:
    """Return the repository of a definition as a whole; without one, the project's own."""
    wanted = str(given.get("id") or call.project["name"])
    usual: Document = {"type": "TfsGit", "defaultBranch": git.MAIN, "properties": {}, "clean": None}
    usual |= {"id": wanted, "name": wanted, "url": "", "checkoutSubmodules": False}
    if str(given.get("type") or "TfsGit").lower() == "tfsgit":
        with contextlib.suppress(DevOpsError):
            found = git.find(call, wanted)
            usual |= {"id": found["id"], "name": found["name"], "url": found["url"]}
    return {**usual, **{k: v for k, v in given.items() if v is not None}}


# folders


def on_folders(call: Call) -> Response:
    """Answer for folders of pipelines, by their paths."""
    area = call.found.words.partition("/")[0]
    known = call.organization.of(f"{area}/{FOLDERS}", str(call.project["id"]))
    known.setdefault("\\", {"path": "\\", "description": "", "createdOn": call.now})
    path = _path(call.query.get("path") or call.found.values.get("path", ""))
    call.only("GET", "PUT", "POST", "PATCH", "DELETE")
    if call.method == "GET":
        inner = "" if path == "\\" else path
        found = [f for p, f in known.items() if p == path or p.startswith(f"{inner}\\")]
        return listed(found)
    if call.method == "DELETE":
        if path not in known:
            raise missing(path, "FolderNotFoundException")
        for name in [p for p in known if p == path or p.startswith(f"{path}\\")]:
            del known[name]
        return Response(204)
    new = _path(str(call.body.get("path") or path))
    if call.method == "PUT" and new in known:
        raise DevOpsError(409, "FolderExistsException", f"A folder with the path {new} exists.")
    old = known.pop(path, {}) if call.method != "PUT" and path != "\\" else {}
    made = {"createdOn": call.now, "createdBy": entries.me(), **old, **call.body, "path": new}
    known[new] = {**made, "project": {"id": call.project["id"], "name": call.project["name"]}}
    return Response.json(known[new])


def _path(text: str) -> str:
    return "\\" + text.replace("/", "\\").strip("\\")


# settings and permissions


def on_settings(call: Call) -> Response:
    """Answer for a project's settings of pipelines."""
    call.only("GET", "PATCH")
    known = call.organization.of("build/settings").setdefault(
        str(call.project["id"]), dict(SETTINGS)
    )
    if call.method == "PATCH":
        known |= {k: v for k, v in call.body.items() if v is not None}
    return Response.json(known)


def on_permissions(call: Call) -> Response:
    """Answer which pipelines may use a resource."""
    call.only("GET", "PATCH")
    kind, key = call.found.values["resourceType"], call.found.values["resourceId"]
    scope = str(call.project["id"])
    known = call.organization.of(PERMISSIONS, scope).setdefault(f"{kind}/{key}".lower(), {})
    known |= {"resource": {"type": kind, "id": key}}
    known.setdefault("pipelines", [])
    if call.method == "PATCH":
        _permit(call, known)
    return Response.json(known)


def _permit(call: Call, known: Document) -> None:
    everyone = part(call.body, "allPipelines")
    stamp = {"authorizedBy": entries.me(), "authorizedOn": call.now}
    if everyone:
        known.pop("allPipelines", None)
        if everyone.get("authorized"):
            known["allPipelines"] = {**everyone, **stamp}
    for given in listing(call.body, "pipelines"):
        one = part({"g": given}, "g")
        rest = [p for p in known["pipelines"] if p["id"] != one.get("id")]
        known["pipelines"] = [*rest, {**one, **stamp}] if one.get("authorized") else rest


def on_authorized(call: Call) -> Response:
    """Answer which resources all pipelines of a project may use, or one definition."""
    call.only("GET", "PATCH")
    scope = "/".join([str(call.project["id"]), call.found.values.get("definitionId", "")])
    known = call.organization.of("build/authorized", scope)
    if call.method == "PATCH":
        for given in call.items:
            one = part({"g": given}, "g")
            known[f"{one.get('type')}/{one.get('id')}".lower()] = one
    wanted = {n: call.query.get(n, "").lower() for n in ("type", "id")}
    is_definition = "definitionId" in call.found.values  # which tells what it may not use as well
    found = [
        d
        for d in known.values()
        if (d.get("authorized") or is_definition)
        and all(str(d.get(n)).lower() == w for n, w in wanted.items() if w)
    ]
    return listed(found)


def on_runs(call: Call) -> Response:
    """Answer for a run of a pipeline: it is done at once, and nothing has run."""
    call.only("POST", "GET")
    number = call.organization.number("runs")
    run = {"id": number, "name": str(number), "state": "completed", "result": "succeeded"}
    return Response.json({**run, "createdDate": call.now, "finishedDate": call.now})


# checks and policies


def on_checks(call: Call) -> Response:
    """Answer for checks: approvals, branch control, business hours, …."""
    if not call.key and call.method == "GET":
        known = call.organization.of(call.found.words, call.scope)
        kind, key = call.query.get("resourcetype", ""), call.query.get("resourceid", "")
        return listed(
            [
                c
                for c in known.values()
                if kind in {"", part(c, "resource").get("type")}
                and key in {"", str(part(c, "resource").get("id"))}
            ]
        )
    return entries.answer(call, _check)


# The names of the checks, by the ids that clients send.
CHECKS = {
    "8c6f20a7-a545-4486-9777-f762fafe0d4d": "Approval",
    "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7": "Task Check",
    "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3": "ExtendsCheck",
    "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563": "ExclusiveLock",
}


def _check(_: Call, document: Document) -> Document:
    kind = part(document, "type")
    name = CHECKS.get(str(kind.get("id")).lower(), kind.get("name"))
    settings = part(document, "settings")
    for approver in listing(settings, "approvers"):
        approver.setdefault("displayName", "")
    return {**document, "type": {**kind, "name": kind.get("name") or name}}


# The names of the kinds of policies, by their ids.
POLICIES = {
    "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd": "Minimum number of reviewers",
    "0609b952-1397-4640-95ec-e00a01b2c241": "Build",
    "c6a1889d-b943-4856-b76f-9e46bb6b0df2": "Comment requirements",
    "40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e": "Work item linking",
    "fd2167ab-b0be-447a-8ec8-39368250530e": "Required reviewers",
    "cbdc66da-9728-4af8-aada-9a5a32e4a226": "Status",
    "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab": "Require a merge strategy",
}


def on_policies(call: Call) -> Response:
    """Answer for policies of branches and repositories."""
    return entries.answer(call, _policy)


def _policy(call: Call, document: Document) -> Document:
    kind = part(document, "type")
    name = POLICIES.get(str(kind.get("id")).lower(), "Policy")
    return {**document, "type": {**kind, "displayName": name}, "url": f"{call.base}/_apis/policy"}


# pools and queues


def pools(organization: Organization) -> dict[str, Document]:
    """Return the pools by their numbers; some are there from the beginning."""
    known = organization.of(POOLS)
    if not organization.of("pools/seeded"):
        organization.of("pools/seeded")["done"] = {"done": True}
        for name in HOSTED:
            add_pool(organization, {"name": name, "isHosted": name == "Azure Pipelines"})
    return known


def add_pool(organization: Organization, body: Document) -> Document:
    """Make a pool.

    Raises:
        DevOpsError: It has no name, or one that is taken.
    """
    name = str(body.get("name") or "")
    known = organization.of(POOLS)
    if not name:
        raise invalid("Value cannot be null. Parameter name: pool.Name")
    if any(p["name"].lower() == name.lower() for p in known.values()):
        message = f"Agent pool {name} already exists."
        raise DevOpsError(409, "TaskAgentPoolExistsException", message)
    number = organization.number(POOLS)
    known[str(number)] = {
        "poolType": "automation",
        "autoProvision": False,
        "autoUpdate": True,
        "autoSize": True,
        "isHosted": False,
        "isLegacy": False,
        "size": 0,
        "owner": entries.me(),
        **body,
        "id": number,
        "scope": guid(organization.name),
    }
    return known[str(number)]


def on_pools(call: Call) -> Response:
    """Answer for agent pools."""
    known = pools(call.organization)
    if not call.key:
        call.only("GET", "POST")
        if call.method == "POST":
            return Response.json(add_pool(call.organization, call.body))
        name = call.query.get("poolname", "").lower()
        return listed([p for p in known.values() if name in {"", p["name"].lower()}])
    found = known.get(call.key)
    if found is None:
        raise missing(f"Agent pool {call.key}", "TaskAgentPoolNotFoundException")
    call.only("GET", "PATCH", "DELETE")
    if call.method == "DELETE":
        del known[call.key]
        for key in [q for q in call.organization.entries if q[0] == "distributedtask/queues/*"]:
            queues = call.organization.entries[key]
            for queue in [q for q, d in queues.items() if str(part(d, "pool")["id"]) == call.key]:
                del queues[queue]
        return Response(204)
    if call.method == "PATCH":
        found |= {k: v for k, v in call.body.items() if k != "id" and v is not None}
    return Response.json(found)


def on_elastic(call: Call) -> Response:
    """Answer for pools of scale sets: a pool, and how it grows."""
    known = call.organization.of("elasticpools")
    pools(call.organization)
    if not call.key:
        call.only("GET", "POST")
        if call.method == "GET":
            return listed(list(known.values()))
        settings = {k: v for k, v in call.body.items() if k != "name"}
        name = call.query.get("poolname") or str(call.body.get("name") or "")
        given = {"name": name, "autoProvision": call.query.get("authorizeallpipelines") == "true"}
        given["autoProvision"] = call.query.get("autoprovisionprojectpools", "").lower() == "true"
        pool = add_pool(call.organization, {**given, "isHosted": False})
        elastic = {**settings, "poolId": pool["id"], "state": "online", "offlineSince": None}
        known[str(pool["id"])] = elastic
        queue = {"id": pool["id"], "name": pool["name"], "pool": pool}
        return Response.json({"agentPool": pool, "agentQueue": queue, "elasticPool": elastic})
    found = known.get(call.key)
    if found is None:
        raise missing(f"Elastic pool {call.key}", "ElasticPoolDoesNotExistException")
    call.only("GET", "PATCH")
    if call.method == "PATCH":
        found |= {k: v for k, v in call.body.items() if v is not None}
    return Response.json(found)


def on_queues(call: Call) -> Response:
    """Answer for the queues of a project: one for each pool that it uses."""
    known = call.organization.of(call.found.words, str(call.project["id"]))
    taken = {str(part(q, "pool").get("id")) for q in known.values()}
    for pool in pools(call.organization).values():
        if str(pool["id"]) not in taken and (pool["autoProvision"] or pool["name"] in HOSTED):
            number = call.organization.number(call.found.words)
            known[str(number)] = {"id": number, "name": pool["name"], "pool": _short(pool)}
    return entries.answer(call, _queue)


def _short(pool: Document) -> Document:
    return {n: pool.get(n) for n in ("id", "name", "isHosted", "poolType", "size", "scope")}


def _queue(call: Call, document: Document) -> Document:
    number, name = part(document, "pool").get("id"), str(document.get("name") or "")
    known = pools(call.organization)
    by_name = next((p for p in known.values() if p["name"].lower() == name.lower()), None)
    pool = known.get(str(number)) if number else by_name
    if pool is None and not number and name:
        pool = add_pool(call.organization, {"name": name})  # a queue without one gets its own
    if pool is None:
        raise missing(f"Agent pool {number or name}", "TaskAgentPoolNotFoundException")
    named = {"name": document.get("name") or pool["name"], "pool": _short(pool)}
    return {**document, **named, "projectId": call.project["id"]}


# environments, deployment groups, variables


def on_deployment_groups(call: Call) -> Response:
    """Answer for deployment groups: each has a pool of its own."""
    return entries.answer(call, _with_pool)


def _with_pool(call: Call, document: Document) -> Document:
    if part(document, "pool"):
        return document
    number = str(document.get("poolId") or "")
    name = f"{call.project['name']}-{document['name']}-{uuid.uuid4().hex[:6]}"
    pool = pools(call.organization).get(number) or add_pool(
        call.organization, {"name": name, "poolType": "deployment"}
    )
    return {**document, "pool": _short(pool)}


def on_kubernetes(call: Call) -> Response:
    """Answer for the namespaces of clusters in an environment."""
    number = call.found.values["environmentId"]
    where = call.organization.of("distributedtask/environments/*", str(call.project["id"]))
    if number not in where:
        raise missing(f"Environment {number}", "EnvironmentNotFoundException")
    return entries.answer(call, _in_environment)


def _in_environment(call: Call, document: Document) -> Document:
    number = int(call.found.values["environmentId"])
    where = call.organization.of("distributedtask/environments/*", str(call.project["id"]))
    reference = {"id": number, "name": where[str(number)]["name"]}
    return {**document, "environmentReference": reference, "type": "kubernetes"}


def on_variables(call: Call) -> Response:
    """Answer for variable groups; secrets are never given back."""
    return entries.answer(call, _variables)


def _variables(call: Call, document: Document) -> Document:
    for variable in part(document, "variables").values():
        if isinstance(variable, dict) and variable.get("isSecret"):
            variable["value"] = None
    for reference in listing(document, "variableGroupProjectReferences"):
        owner = part(reference, "projectReference")
        known = call.organization.projects.get(str(owner.get("id")).lower())
        if known:
            owner["name"] = known["name"]
    return document
