"""Azure Artifacts' feeds, wikis, extensions, hooks, dashboards and settings of teams."""

from __future__ import annotations

import uuid

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops import entries, git
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.kinds import ENDPOINT_TYPES
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Entries,
    guid,
    invalid,
    listing,
    missing,
    part,
)

FEEDS, BIN = "packaging/feeds/*", "packaging/feedrecyclebin"


# feeds


def _feeds(call: Call) -> Entries:
    return call.organization.of(FEEDS, str(call.project.get("id", "")))


def on_feeds(call: Call) -> Response:
    """Answer for feeds; what is deleted lies in the recycle bin."""
    if call.method == "DELETE" and call.key:
        key = entries.find_key(_feeds(call), call.key)
        if key is not None:
            gone = _feeds(call)[key]
            call.organization.of(BIN, str(call.project.get("id", "")))[key] = gone
            del _feeds(call)[key]
            return Response(204)
    return entries.answer(call, _feed)


def _feed(call: Call, document: Document) -> Document:
    binned = call.organization.of(BIN, str(call.project.get("id", ""))).values()
    name = str(document.get("name"))
    if call.method == "POST" and any(f["name"].lower() == name.lower() for f in binned):
        message = f"A feed named '{name}' is in the recycle bin: restore it or delete it for good."
        raise DevOpsError(409, "FeedNameReservedException", message)
    return {**document, "fullyQualifiedName": name, "fullyQualifiedId": name, "isReadOnly": False}


def on_bin(call: Call) -> Response:
    """Delete a feed for good, or restore it."""
    known = call.organization.of(BIN, str(call.project.get("id", "")))
    call.only("GET", "DELETE", "PATCH")
    if call.method == "GET":
        return listed(list(known.values()))
    key = entries.find_key(known, call.key)
    if key is None:
        raise missing(call.key, "FeedIdNotFoundException")
    feed = known.pop(key)
    if call.method == "PATCH":
        _feeds(call)[key] = feed
    return Response(204)


def on_changes(call: Call) -> Response:
    """GET what became of a feed."""
    call.only("GET")
    known, binned = _feeds(call), call.organization.of(BIN, str(call.project.get("id", "")))
    for kept, kind in ((known, "addOrUpdate"), (binned, "delete")):
        key = entries.find_key(kept, call.key)
        if key is not None:
            return Response.json(
                {"feed": kept[key], "changeType": kind, "feedContinuationToken": 1}
            )
    raise missing(call.key, "FeedIdNotFoundException")


def on_feed_parts(call: Call) -> Response:
    """Answer for a feed's permissions and for how long it keeps packages."""
    key = entries.find_key(_feeds(call), call.found.values["feedId"])
    if key is None:
        raise missing(call.found.values["feedId"], "FeedIdNotFoundException")
    what = call.found.words.rpartition("/")[2]
    known = call.organization.of(what, key)
    if what == "retentionpolicies":
        call.only("GET", "PUT", "DELETE")
        if call.method == "PUT":
            known["policy"] = call.body
        if call.method == "DELETE":
            known.pop("policy", None)
            return Response(204)
        return Response.json(known.get("policy"))
    call.only("GET", "PATCH")
    if call.method == "PATCH":
        for given in call.items:
            one = part({"g": given}, "g")
            name = str(one.get("identityDescriptor"))
            known.pop(name, None)
            if str(one.get("role")).lower() != "none":
                known[name] = one
    return listed(list(known.values()))


# wikis


def on_wikis(call: Call) -> Response:
    """Answer for wikis: those of a project have a repository of their own."""
    if not call.project and call.key:
        for (kind, scope), known in call.organization.entries.items():
            if kind == "wiki/wikis/*" and entries.find_key(known, call.key):
                project = call.organization.projects[scope]
                return on_wikis(_in_project(call, project))
    if not call.project and call.method == "POST":
        project_id = str(call.body.get("projectId") or "").lower()
        if project_id not in call.organization.projects:
            raise missing(project_id, "ProjectDoesNotExistException")
        return on_wikis(_in_project(call, call.organization.projects[project_id]))
    return entries.answer(call, _wiki)


def _in_project(call: Call, project: Document) -> Call:
    return Call(
        organization=call.organization,
        request=call.request,
        found=call.found,
        query=call.query,
        project=project,
        now=call.now,
    )


def _wiki(call: Call, document: Document) -> Document:
    document = {"mappedPath": "/", "projectId": call.project["id"], **document}
    code = str(document.get("type")).lower() == "codewiki"
    if not document.get("repositoryId"):
        if code:
            raise invalid("A code wiki needs a repository.")
        git.of_project(call.organization, call.project)
        name = f"{call.project['name']}.wiki"
        document["repositoryId"] = git.add(call.organization, call.project, {"name": name})["id"]
    version = document.pop("version", None)
    document.setdefault("versions", [version if code and version else {"version": "wikiMaster"}])
    url = f"{call.base}/{call.project['name']}/_wiki/wikis/{document['name']}"
    return {**document, "url": url, "remoteUrl": url}


def _pages(call: Call) -> Entries:
    wanted = call.found.values["wikiIdentifier"]
    for (kind, _), known in list(call.organization.entries.items()):
        if kind == "wiki/wikis/*" and (key := entries.find_key(known, wanted)):
            pages = call.organization.of("wiki/pages", key)
            pages.setdefault("1", {"id": 1, "path": "/", "content": "", "version": "1"})
            return pages
    raise missing(wanted, "WikiNotFoundException")


def on_pages(call: Call) -> Response:
    """Answer for pages of a wiki, by path or by number; each version has an ETag."""
    pages = _pages(call)
    path = "/" + call.query.get("path", "").strip("/")
    number = call.found.values.get("id")
    found = next(
        (
            p
            for p in pages.values()
            if number in {None, str(p["id"])} and (number or p["path"] == path)
        ),
        None,
    )
    call.only("GET", "PUT", "PATCH", "DELETE")
    if call.method == "PUT" and found is None:
        made = call.organization.number("wiki/pages") + 1
        found = pages[str(made)] = {"id": made, "path": path, "version": "0"}
    if found is None:
        raise missing(number or path, "WikiPageNotFoundException")
    if call.method == "DELETE":
        del pages[str(found["id"])]
        return _page(call, found)
    if call.method in {"PUT", "PATCH"}:
        given = call.request.headers.get("if-match", "").strip('"')
        if given and given != found["version"]:
            message = (
                f"The wiki page '{found['path']}' has already been updated by another client, so "
                "you cannot update it. Please try again."
            )
            raise DevOpsError(412, "WikiPageHasConflictsException", message)
        found |= {"content": call.body.get("content"), "version": uuid.uuid4().hex}
    return _page(call, found)


def _page(call: Call, page: Document) -> Response:
    shown = {k: v for k, v in page.items() if k != "version"}
    if call.method == "GET" and call.query.get("includecontent", "true").lower() == "false":
        shown.pop("content", None)
    answer = Response.json({**shown, "gitItemPath": f"{page['path']}.md", "subPages": []})
    return Response(answer.status, answer.body, {**answer.headers, "etag": f'"{page["version"]}"'})


# extensions, hooks, teams


def on_extensions(call: Call) -> Response:
    """Install, read, disable and uninstall extensions by publisher and name."""
    known = call.organization.of("extensions")
    values = call.found.values
    call.only("GET", "POST", "PATCH", "DELETE")
    if call.method == "PATCH":
        names = [str(call.body.get(n) or "") for n in ("publisherId", "extensionId")]
    elif "extensionName" in values:
        names = [values["publisherName"], values["extensionName"]]
    else:
        return listed(list(known.values()))
    key = "/".join(names).lower()
    if call.method == "POST":
        version = values.get("version") or "1.0.0"
        shown = {"extensionId": names[1], "extensionName": names[1], "version": version}
        more = {"publisherId": names[0], "publisherName": names[0], "flags": None}
        state = {"flags": "none", "lastUpdated": call.now}
        scopes: list[str] = []
        known[key] = {**shown, **more, "installState": state, "scopes": scopes}
    if key not in known:
        raise missing(f"extension {'.'.join(names)}", "InstalledExtensionNotFoundException")
    if call.method == "DELETE":
        del known[key]
        return Response(204)
    if call.method == "PATCH":
        known[key] |= {k: v for k, v in call.body.items() if v is not None}
    return Response.json(known[key])


def on_hooks(call: Call) -> Response:
    """Answer for subscriptions of service hooks; secrets are shown as stars."""
    return entries.answer(call, _hook)


def _hook(_: Call, document: Document) -> Document:
    inputs = part(document, "consumerInputs")
    hidden = ("accountkey", "basicauthpassword", "connectionstring")
    shown = {k: "********" if k.lower() in hidden and v else v for k, v in inputs.items()}
    return {**document, "consumerInputs": shown}


def on_dashboards(call: Call) -> Response:
    """Answer for dashboards of a project or of a team."""
    if not call.key and call.method == "GET":
        known = call.organization.of(call.found.words, call.scope)
        return Response.json({"count": len(known), "value": list(known.values())})
    return entries.answer(call, _dashboard)


def _dashboard(call: Call, document: Document) -> Document:
    team = call.found.values.get("team")
    more = {"dashboardScope": "project_Team", "groupId": team} if team else {}
    return {**document, **more, "ownerId": team or call.project["id"], "eTag": "1"}


def on_team_fields(call: Call) -> Response:
    """Answer for the areas of a team."""
    call.only("GET", "PATCH")
    scope = f"{call.project['id']}/{call.found.values.get('team', '')}".lower()
    usual = {"value": call.project["name"], "includeChildren": False}
    known = call.organization.of("teamfieldvalues", scope)
    kept = known.setdefault("values", {"defaultValue": call.project["name"], "values": [usual]})
    if call.method == "PATCH":
        kept |= {k: v for k, v in call.body.items() if v is not None}
    return Response.json({**kept, "field": {"referenceName": "System.AreaPath", "url": ""}})


def on_properties(call: Call, project: Document) -> Response:
    """Answer for a project's properties, among them its tags."""
    call.only("GET", "PATCH")
    known = call.organization.of("projects/properties", str(project["id"]))
    if call.method == "PATCH":
        for given in call.items:
            step = part({"s": given}, "s")
            name = str(step.get("path") or "").lstrip("/")
            known.pop(name, None)
            if str(step.get("op")).lower() != "remove":
                known[name] = {"name": name, "value": step.get("value")}
        return Response(204)
    wanted = [k.lower() for k in call.query.get("keys", "").split(",") if k]
    return listed([d for d in known.values() if not wanted or _named(str(d["name"]), wanted)])


def _named(name: str, wanted: list[str]) -> bool:
    low = name.lower()
    return any(low.startswith(w[:-1]) if w.endswith("*") else low == w for w in wanted)


# What service connections of any type may be signed in with, and what else may be said of them.
SCHEMES = {
    "Token": "apitoken accessToken AccessToken apiToken username",
    "UsernamePassword": "username password",
    "None": "",
    "OAuth": "AccessToken ConfigurationId",
    "PersonalAccessToken": "accessToken",
    "InstallationToken": "IdToken IdSignature",
    "Certificate": "certificate certificatepassword servercertthumbprint servercertcommonname",
    "Kubernetes": "kubeconfig clusterContext azureEnvironment azureTenantId serviceAccountName",
    "JWT": "issuer audience scope privatekey",
    "ServicePrincipal": (
        "tenantid serviceprincipalid serviceprincipalkey servicePrincipalCertificate"
        " authenticationType scope"
    ),
    "WorkloadIdentityFederation": "tenantid serviceprincipalid scope",
}
DATA = (
    "AcceptUntrustedCerts Host Port PrivateKey RepositoryId acceptUntrustedCerts"
    " accessExternalGitServer apiurl appObjectId authorizationType azureSubscriptionId"
    " azureSubscriptionName azureSpnPermissions azureSpnRoleAssignmentId"
    " certificateAuthorityFile clusterAdmin clusterId creationMode dependencyAccessControlURL"
    " dependencyTenant dependencyWebAppURL environment ignoreSslErrors isDraft"
    " managementGroupId managementGroupName mlWorkspaceLocation mlWorkspaceName namespace"
    " project projectId pipelinesSourceProvider registrytype releaseUrl resourceGroupName"
    " scopeLevel serviceBusQueueName spnObjectId subscriptionId subscriptionName teams username"
)


def _inputs(names: str) -> list[Document]:
    return [
        {"id": name, "name": name, "validation": {"isRequired": False}} for name in names.split()
    ]


def on_endpoint_types(call: Call) -> Response:
    """GET the types of service connections."""
    call.only("GET")
    schemes = [
        {"scheme": scheme, "displayName": scheme, "inputDescriptors": _inputs(fields)}
        for scheme, fields in SCHEMES.items()
    ]
    found = [
        {
            "name": name,
            "displayName": shown,
            "description": shown,
            "authenticationSchemes": schemes,
            "inputDescriptors": _inputs(DATA),
            "id": guid(name),
        }
        for name, shown in ENDPOINT_TYPES.items()
        if call.query.get("type", "").lower() in {"", name.lower()}
    ]
    return listed(found)


def on_notifications(call: Call) -> Response:
    """Answer for subscriptions to notifications."""
    return entries.answer(call, lambda _, document: {**document, "flags": "none"})


def lists(call: Call) -> Response:
    """Answer for pick lists of fields."""
    return entries.answer(call, _list)


def _list(_: Call, document: Document) -> Document:
    kind = str(document.get("type") or "string")
    return {**document, "type": kind, "items": listing(document, "items")}
