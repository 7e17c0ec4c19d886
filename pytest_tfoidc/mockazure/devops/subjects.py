"""Who there is in an organization: groups, users, service principals, teams, memberships.

A subject's descriptor holds its storage key, so each leads to the other. Every project has its
groups from its beginning, and the organization has its own.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.organization import (
    Call,
    Entries,
    Organization,
    guid,
    invalid,
    missing,
    part,
)

PROJECT_GROUPS = (
    "Build Administrators",
    "Contributors",
    "Endpoint Administrators",
    "Endpoint Creators",
    "Project Administrators",
    "Project Valid Users",
    "Readers",
    "Release Administrators",
)
COLLECTION_GROUPS = (
    "Project Collection Administrators",
    "Project Collection Build Administrators",
    "Project Collection Build Service Accounts",
    "Project Collection Proxy Service Accounts",
    "Project Collection Service Accounts",
    "Project Collection Test Service Accounts",
    "Project Collection Valid Users",
    "Project-Scoped Users",
    "Security Service Group",
)
KINDS = {"groups": "vssgp", "users": "aad", "serviceprincipals": "aadsp"}
SERVICE = "svc"  # how descriptors of Azure DevOps' own identities begin
SUBJECTS, MEMBERS = "subjects", "members"
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def descriptor(prefix: str, key: str) -> str:
    """Return the descriptor of a subject with a storage key."""
    return f"{prefix}.{base64.urlsafe_b64encode(key.encode()).decode().rstrip('=')}"


def storage_key(text: str) -> str:
    """Return the storage key that a descriptor holds; empty for one that is not ours."""
    tail = text.partition(".")[2]
    try:
        found = base64.urlsafe_b64decode(tail + "=" * (-len(tail) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return found if GUID.fullmatch(found) else ""


def all_of(organization: Organization) -> Entries:
    """Return all subjects by their descriptors, those of every project among them."""
    known = organization.of(SUBJECTS)
    for project in organization.projects.values():
        seeded = organization.of("seeded", "").setdefault(str(project["id"]), {})
        if seeded:
            continue
        seeded["done"] = True
        for name in PROJECT_GROUPS:
            _put_group(organization, name, project=project)
        _put_builder(organization, str(project["name"]), str(project["id"]))
        add_team(organization, project, {"name": f"{project['name']} Team"})
    if not organization.of("seeded", "").get("collection"):
        organization.of("seeded", "")["collection"] = {"done": True}
        for name in COLLECTION_GROUPS:
            _put_group(organization, name)
        _put_builder(organization, "Project Collection", guid(organization.name))
        _put_person(organization, "users", {"principalName": "pytest-tfoidc"}, guid("user"))
    return known


def _put_group(
    organization: Organization, name: str, *, project: Document | None = None, key: str = ""
) -> Document:
    scope = str(project["id"]) if project else guid(organization.name)
    key = key or guid(f"{organization.name}:{scope}:{name}")
    document = {
        "subjectKind": "group",
        "description": "",
        "domain": f"vstfs:///Classification/TeamProject/{scope}"
        if project
        else f"vstfs:///Framework/IdentityDomain/{scope}",
        "principalName": f"[{project['name'] if project else organization.name}]\\{name}",
        "mailAddress": None,
        "origin": "vsts",
        "originId": key,
        "displayName": name,
        "descriptor": descriptor("vssgp", key),
    }
    document["url"] = f"https://vssps.dev.azure.com/{organization.name}/_apis/graph/groups/" + str(
        document["descriptor"]
    )
    organization.of(SUBJECTS)[str(document["descriptor"])] = document
    return document


def _put_builder(organization: Organization, whose: str, scope: str) -> None:
    """Let there be the identity that a project's pipelines, or all pipelines, run as."""
    name = f"{whose} Build Service ({organization.name})"
    document = {
        "subjectKind": "user",
        "domain": "Build",
        "principalName": scope,
        "mailAddress": "",
        "origin": "vsts",
        "originId": guid(f"{organization.name}:{scope}:build"),
        "displayName": name,
        "descriptor": descriptor(SERVICE, guid(f"{organization.name}:{scope}:build")),
        "url": "",
    }
    organization.of(SUBJECTS)[str(document["descriptor"])] = document


def _put_person(organization: Organization, kind: str, body: Document, key: str) -> Document:
    origin = str(body.get("originId") or key)
    name = str(body.get("principalName") or body.get("mailAddress") or origin)
    singular = {"users": "user", "serviceprincipals": "servicePrincipal", "groups": "group"}[kind]
    document = {
        "subjectKind": singular,
        "domain": guid(organization.name),
        "principalName": name,
        "mailAddress": name if "@" in name else "",
        "origin": "aad",
        "originId": origin,
        "applicationId": origin if kind == "serviceprincipals" else None,
        "displayName": str(body.get("displayName") or name),
        "metaType": "application" if kind == "serviceprincipals" else "member",
        "descriptor": descriptor("aadgp" if kind == "groups" else KINDS[kind], key),
        "url": "",
    }
    if kind == "groups":
        document["description"] = ""
    organization.of(SUBJECTS)[str(document["descriptor"])] = document
    return document


def person(organization: Organization, kind: str, body: Document) -> Document:
    """Find somebody by name or origin id, or let somebody new be there."""
    wanted = {str(body.get(n)).lower() for n in ("principalName", "originId", "mailAddress")}
    for known in all_of(organization).values():
        names = {str(known.get(n)).lower() for n in ("principalName", "originId")}
        if wanted - {"none", ""} & names and descriptor(KINDS[kind], "")[:3] in str(
            known["descriptor"]
        ):
            return known
    return _put_person(organization, kind, body, str(uuid.uuid4()))


def find(organization: Organization, text: str) -> Document | None:
    """Find a subject by its descriptor, its identity's descriptor, or its storage key."""
    known = all_of(organization)
    if text in known:
        return known[text]
    low = text.lower()
    for subject in known.values():
        key = storage_key(str(subject["descriptor"]))
        if low in {key, _legacy(organization, subject).lower()}:
            return subject
    return None


def _legacy(organization: Organization, subject: Document) -> str:
    """Return the descriptor by which security lists name a subject."""
    key = storage_key(str(subject["descriptor"]))
    if subject["subjectKind"] == "group":
        numbers = "-".join(str(int(p, 16)) for p in key.split("-"))
        return f"Microsoft.TeamFoundation.Identity;S-1-9-1551374245-{numbers}"
    name = subject.get("principalName")
    if str(subject["descriptor"]).startswith(f"{SERVICE}."):
        own = guid(organization.name)
        return f"Microsoft.TeamFoundation.ServiceIdentity;{own}:Build:{name}"
    return f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{guid(organization.name)}\\{name}"


def identity(organization: Organization, subject: Document) -> Document:
    """Return a subject as the identity service shows it."""
    group = subject["subjectKind"] == "group"
    name = subject["principalName"] if group else subject["displayName"]
    shown = {"SchemaClassName": "Group" if group else "User", "Account": subject["displayName"]}
    shown |= {"Mail": subject.get("mailAddress") or "", "Domain": subject["domain"]}
    shown |= {"Description": subject.get("description") or ""}
    return {
        "id": storage_key(str(subject["descriptor"])),
        "descriptor": _legacy(organization, subject),
        "subjectDescriptor": subject["descriptor"],
        "providerDisplayName": name,
        "isActive": True,
        "isContainer": group,
        "members": [],
        "memberOf": [],
        "memberIds": [],
        "properties": {k: {"$type": "System.String", "$value": v} for k, v in shown.items()},
        "resourceVersion": 2,
        "metaTypeId": 255,
    }


def add_team(organization: Organization, project: Document, body: Document) -> Document:
    """Make a team, which is a group of the same id."""
    name = str(body.get("name") or "")
    key = str(uuid.uuid4())
    group = _put_group(organization, name, project=project, key=key)
    group["description"] = body.get("description") or ""
    group["team"] = True
    team = {
        "id": key,
        "name": name,
        "description": body.get("description") or "",
        "url": "",
        "identityUrl": "",
        "projectId": project["id"],
        "projectName": project["name"],
    }
    organization.of("teams", str(project["id"]))[key] = team
    return team


# graph


def on_graph(call: Call) -> Response:
    """Answer for groups, users and service principals of Azure DevOps' Graph."""
    kind = call.found.words.split("/")[1]
    known = all_of(call.organization)
    if call.key:
        return _on_subject(call, known)
    call.only("GET", "POST")
    if call.method == "POST":
        return Response.json(_create(call, kind), status=201)
    singular = {"groups": "group", "users": "user", "serviceprincipals": "servicePrincipal"}[kind]
    scope = storage_key(call.query.get("scopedescriptor", ""))
    found = [
        d
        for d in known.values()
        if d["subjectKind"] == singular and (not scope or str(d["domain"]).endswith(scope))
    ]
    kinds = call.query.get("subjecttypes", "")
    if kinds:
        found = [d for d in found if str(d["descriptor"]).partition(".")[0] in kinds.split(",")]
    return listed(found)


def _create(call: Call, kind: str) -> Document:
    body = call.body
    if kind != "groups" or not body.get("displayName"):
        if (
            not body.get("originId")
            and not body.get("principalName")
            and not body.get("mailAddress")
        ):
            raise invalid("displayName, originId or mailAddress is needed.")
        made = _put_person(call.organization, kind, body, str(uuid.uuid4()))
    else:
        scope = storage_key(call.query.get("scopedescriptor", ""))
        project = call.organization.projects.get(scope)
        name = str(body["displayName"])
        if any(
            str(d["displayName"]).lower() == name.lower()
            and str(d["domain"]).endswith(scope or guid(call.organization.name))
            for d in all_of(call.organization).values()
        ):
            message = f"TF50289: A group with the name {name} exists already."
            raise DevOpsError(409, "GroupCreationException", message)
        made = _put_group(call.organization, name, project=project, key=str(uuid.uuid4()))
        made["description"] = body.get("description") or ""
    for container in filter(None, call.query.get("groupdescriptors", "").split(",")):
        call.organization.of(MEMBERS, container)[str(made["descriptor"])] = {}
    return made


def _on_subject(call: Call, known: Entries) -> Response:
    call.only("GET", "PATCH", "DELETE")
    found = known.get(call.key)
    if found is None:
        raise missing(call.key, "GraphSubjectNotFoundException")
    if call.method == "DELETE":
        remove(call.organization, str(found["descriptor"]))
        return Response(204)
    if call.method == "PATCH":
        for step in call.items:
            name = str(part({"s": step}, "s").get("path", "")).lstrip("/")
            if name in {"displayName", "description"}:
                found[name] = step.get("value")
        if "\\" in str(found["principalName"]):
            owner = str(found["principalName"]).partition("\\")[0]
            found["principalName"] = f"{owner}\\{found['displayName']}"
    return Response.json(found)


def remove(organization: Organization, text: str) -> None:
    """Delete a subject and its memberships."""
    organization.of(SUBJECTS).pop(text, None)
    organization.entries.pop((MEMBERS, text), None)
    for (kind, _), members in organization.entries.items():
        if kind == MEMBERS:
            members.pop(text, None)


def remove_project(organization: Organization, project: str) -> None:
    """Delete what a project brought along: its groups, its teams' and who its pipelines run as."""
    for text, subject in list(organization.of(SUBJECTS).items()):
        if subject["principalName"] == project or str(subject["domain"]).endswith(project):
            remove(organization, text)
    organization.of("seeded", "").pop(project, None)


def on_descriptor(call: Call) -> Response:
    """GET the descriptor of a storage key: of a project, a group, somebody."""
    call.only("GET")
    key = call.key.lower()
    if key in call.organization.projects:
        return Response.json({"value": descriptor("scp", key)})
    found = find(call.organization, key)
    if found is None:
        raise missing(call.key, "StorageKeyNotFoundException")
    return Response.json({"value": found["descriptor"]})


def on_storage_key(call: Call) -> Response:
    """GET the storage key of a descriptor."""
    call.only("GET")
    key = storage_key(call.key)
    if not key:
        raise missing(call.key, "SubjectDescriptorNotFoundException")
    return Response.json({"value": key})


def on_memberships(call: Call) -> Response:
    """List memberships, up or down; or add, check and remove one."""
    organization = call.organization
    subject = call.found.values.get("subjectDescriptor", "")
    container = call.found.values.get("containerDescriptor")
    if container is None:
        call.only("GET")
        if call.query.get("direction", "up").lower() == "down":
            pairs = [(subject, m) for m in organization.of(MEMBERS, subject)]
        else:
            kept = [(k[1], m) for k, m in organization.entries.items() if k[0] == MEMBERS]
            pairs = [(c, subject) for c, members in kept if subject in members]
        return listed([{"containerDescriptor": c, "memberDescriptor": m} for c, m in pairs])
    call.only("GET", "HEAD", "PUT", "DELETE")
    for text in (container, subject):
        if find(organization, text) is None:
            if call.method == "DELETE" and storage_key(text):
                return Response(200)  # it went with one of the two
            raise missing(text, "GraphSubjectNotFoundException")
    members = organization.of(MEMBERS, container)
    if call.method == "PUT":
        members[subject] = {}
    elif subject not in members:
        raise missing(subject, "GraphMembershipNotFoundException")
    elif call.method == "DELETE":
        del members[subject]
        return Response(200)
    return Response.json({"containerDescriptor": container, "memberDescriptor": subject})


# identities


def on_identities(call: Call) -> Response:
    """GET identities by descriptors, ids or names."""
    call.only("GET")
    organization = call.organization
    if call.key:
        found = find(organization, call.key)
        if found is None:
            raise missing(call.key, "IdentityNotFoundException")
        return Response.json(identity(organization, found))
    names = ("descriptors", "subjectdescriptors", "identityids")
    wanted = [w for n in names for w in call.query.get(n, "").split(",") if w]
    if wanted:
        hits = [find(organization, w) for w in wanted]
        return listed([identity(organization, h) for h in hits if h is not None])
    value = call.query.get("filtervalue", "").lower()
    exact = [d for d in all_of(organization).values() if value and value in _names(d)]
    return listed([identity(organization, d) for d in exact])


def _names(subject: Document) -> set[str]:
    names = ("displayName", "principalName", "mailAddress", "originId")
    return {str(subject.get(n)).lower() for n in names if subject.get(n)}


def on_identity_groups(call: Call) -> Response:
    """List the groups of a scope as identities; delete one."""
    organization = call.organization
    if call.key:
        call.only("DELETE")
        found = find(organization, call.key)
        if found is None:
            raise missing(call.key, "IdentityNotFoundException")
        remove(organization, str(found["descriptor"]))
        return Response(204)
    call.only("GET")
    scopes = [s.lower() for s in call.query.get("scopeids", "").split(",") if s]
    found_groups = [
        d
        for d in all_of(organization).values()
        if d["subjectKind"] == "group"
        and (not scopes or any(str(d["domain"]).endswith(s) for s in scopes))
    ]
    return listed([identity(organization, d) for d in found_groups])


def on_identity_members(call: Call) -> Response:
    """List a group's members by their identities' descriptors; add one, remove one."""
    organization = call.organization
    group = find(organization, call.found.values.get("containerId", ""))
    if group is None:
        raise missing(call.found.values.get("containerId"), "IdentityNotFoundException")
    members = organization.of(MEMBERS, str(group["descriptor"]))
    if "memberId" not in call.found.values:
        call.only("GET")
        hits = [find(organization, m) for m in members]
        return listed_values([_legacy(organization, h) for h in hits if h is not None])
    call.only("PUT", "DELETE", "GET")
    member = find(organization, call.found.values["memberId"])
    if member is None:
        raise missing(call.found.values["memberId"], "IdentityNotFoundException")
    key = str(member["descriptor"])
    if call.method == "PUT":
        members[key] = {}
    elif key not in members:
        return Response.json(False)
    elif call.method == "DELETE":
        del members[key]
    return Response.json(True)


def listed_values(values: list[str]) -> Response:
    """Answer with a list of texts."""
    return Response.json({"count": len(values), "value": values})


# teams


def on_teams(call: Call, project: Document) -> Response:
    """Answer for a project's teams."""
    all_of(call.organization)  # every project has one
    known = call.organization.of("teams", str(project["id"]))
    if "teamId" not in call.found.values:
        call.only("GET", "POST")
        if call.method == "GET":
            return listed(list(known.values()))
        name = str(call.body.get("name") or "")
        if not name or any(t["name"].lower() == name.lower() for t in known.values()):
            message = f"TF400813: The team '{name}' exists already, or has no valid name."
            raise DevOpsError(409, "TeamAlreadyExistsException", message)
        return Response.json(add_team(call.organization, project, call.body), status=201)
    call.only("GET", "PATCH", "DELETE")
    wanted = call.found.values["teamId"].lower()
    team = next((t for t in known.values() if wanted in {t["id"], t["name"].lower()}), None)
    if team is None:
        raise missing(wanted, "TeamNotFoundException")
    if call.method == "DELETE":
        remove(call.organization, descriptor("vssgp", team["id"]))
        del known[team["id"]]
        return Response(204)
    if call.method == "PATCH":
        team |= {k: v for k, v in call.body.items() if k in {"name", "description"}}
        group = find(call.organization, team["id"])
        if group is not None:
            group |= {"displayName": team["name"], "description": team["description"]}
    return Response.json({**team, "identity": _team_identity(call, team)})


def on_all_teams(call: Call) -> Response:
    """List the teams of all projects."""
    call.only("GET")
    all_of(call.organization)
    kept = [known for (kind, _), known in call.organization.entries.items() if kind == "teams"]
    return listed([team for known in kept for team in known.values()])


def _team_identity(call: Call, team: Document) -> Document:
    found = find(call.organization, team["id"])
    return identity(call.organization, found) if found else {}


# entitlements


def on_entitlements(call: Call) -> Response:
    """Answer for the licences of users and service principals: who has one is there."""
    words = call.found.words.partition("/")[0]
    kind, name = {
        "userentitlements": ("users", "user"),
        "serviceprincipalentitlements": ("serviceprincipals", "servicePrincipal"),
    }[words]
    known = call.organization.of(words)
    if not call.key:
        call.only("POST", "GET")
        if call.method == "GET":
            return Response.json({"members": list(known.values()), "totalCount": len(known)})
        subject = person(call.organization, kind, part(call.body, name))
        key = storage_key(str(subject["descriptor"]))
        known[key] = {
            **call.body,
            "id": key,
            name: subject,
            "accessLevel": _licence(part(call.body, "accessLevel")),
        }
        return _result(name, known[key])
    found = known.get(call.key.lower())
    if found is None:
        raise missing(call.key, "MemberNotFoundException")
    call.only("GET", "PATCH", "DELETE")
    if call.method == "DELETE":
        del known[call.key.lower()]
        remove(call.organization, str(found[name]["descriptor"]))
        return Response(204)
    if call.method == "PATCH":
        for step in call.items:
            level = part({"s": step}, "s")
            if str(level.get("path")).lower() == "/accesslevel":
                found["accessLevel"] = _licence(part(level, "value"))
        return _result(name, found)
    return Response.json(found)


def _licence(given: Document) -> Document:
    return {
        "licensingSource": given.get("licensingSource") or "account",
        "accountLicenseType": given.get("accountLicenseType") or "express",
        "licenseDisplayName": given.get("accountLicenseType") or "Basic",
        "status": "active",
        "statusMessage": "",
    }


def _result(name: str, entitlement: Document) -> Response:
    result = {"isSuccess": True, "errors": [], "result": entitlement}
    entry = {f"{name}Id": entitlement["id"], "isSuccess": True, "errors": [], "result": entitlement}
    shown = {"isSuccess": True, f"{name}Entitlement": entitlement, "operationResult": result}
    return Response.json({**shown, "operationResults": [entry], "operationResult": entry})


def on_group_entitlements(call: Call) -> Response:
    """Answer for the licences of groups."""
    known = call.organization.of("groupentitlements")
    if not call.key:
        call.only("POST")
        given = part(call.body, "group")
        if given.get("originId"):
            group = _put_person(call.organization, "groups", given, str(uuid.uuid4()))
        else:
            group = _put_group(
                call.organization, str(given.get("displayName") or ""), key=str(uuid.uuid4())
            )
        key = storage_key(str(group["descriptor"]))
        licence = _licence(part(call.body, "licenseRule"))
        known[key] = {**call.body, "id": key, "group": group, "licenseRule": licence}
        result = {"groupId": key, "isSuccess": True, "errors": [], "result": known[key]}
        return Response.json({"id": key, "status": "succeeded", "results": [result]})
    found = known.get(call.key.lower())
    if found is None:
        raise missing(call.key, "GroupNotFoundException")
    call.only("GET", "PATCH", "DELETE")
    if call.method == "DELETE":  # of the rule: the group stays
        del known[call.key.lower()]
    if call.method == "PATCH":
        for step in call.items:
            rule = part({"s": step}, "s")
            if str(rule.get("path")).lower() in {"/licenserule", "/accesslevel"}:
                found["licenseRule"] = _licence(part(rule, "value"))
    if call.method == "GET":
        return Response.json(found)
    result = {"groupId": found["id"], "isSuccess": True, "errors": [], "result": found}
    return Response.json({"id": found["id"], "status": "succeeded", "results": [result]})
