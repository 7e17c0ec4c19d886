"""Who may do what in Azure DevOps: security namespaces, access control lists, security roles."""

from __future__ import annotations

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.devops import subjects
from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, listed
from pytest_tfoidc.mockazure.devops.organization import Call, listing, missing, part
from pytest_tfoidc.mockazure.devops.rights import NAMESPACES, ROLES

LISTS, ROLE_ASSIGNMENTS = "acl", "roleassignments"
TRUE = Response.json(True)


def on_namespaces(call: Call) -> Response:
    """GET the namespaces, or one."""
    call.only("GET")
    found = [
        {
            "namespaceId": key,
            "name": name,
            "displayName": name,
            "separatorValue": "/",
            "elementLength": -1,
            "writePermission": 1,
            "readPermission": 1,
            "dataspaceCategory": "Default",
            "structureValue": 1,
            "extensionType": None,
            "isRemotable": False,
            "useTokenTranslator": False,
            "systemBitMask": 0,
            "actions": [
                {"bit": 1 << i, "name": action, "displayName": action, "namespaceId": key}
                for i, action in enumerate(actions)
            ],
        }
        for key, (name, actions) in NAMESPACES.items()
        if call.key.lower() in {"", key}
    ]
    if call.key and not found:
        raise missing(call.key, "InvalidSecurityNamespaceException")
    return listed(found)


def _namespace(call: Call) -> str:
    key = call.key.lower()
    if key not in NAMESPACES:
        raise missing(call.key, "InvalidSecurityNamespaceException")
    return key


def on_lists(call: Call) -> Response:
    """GET access control lists of a token, of some or of all identities; set or remove them."""
    namespace = _namespace(call)
    known = call.organization.of(LISTS, namespace)
    token = call.query.get("token", "")
    call.only("GET", "POST", "DELETE")
    if call.method == "DELETE":
        for name in call.query.get("tokens", "").split(","):
            known.pop(name, None)
        return TRUE
    if call.method == "POST":
        for given in listing(call.body, "value"):
            known[str(part({"g": given}, "g").get("token"))] = part(given, "acesDictionary")
        return Response(204)
    wanted = [d for d in call.query.get("descriptors", "").split(",") if d]
    found = []
    for name, aces in known.items():
        if token and name != token:
            continue
        entries = {
            k: {
                **ace,
                "extendedInfo": {"effectiveAllow": ace["allow"], "effectiveDeny": ace["deny"]},
            }
            for k, ace in aces.items()
            if not wanted or k in wanted
        }
        if entries or not wanted:
            found.append(
                {
                    "inheritPermissions": True,
                    "token": name,
                    "acesDictionary": entries,
                    "includeExtendedInfo": True,
                }
            )
    if token and not found:
        found = [{"inheritPermissions": True, "token": token, "acesDictionary": {}}]
    return listed(found)


def on_entries(call: Call) -> Response:
    """Set entries of a token's access control list, or remove them."""
    known = call.organization.of(LISTS, _namespace(call))
    call.only("POST", "DELETE")
    if call.method == "DELETE":
        aces = known.get(call.query.get("token", ""), {})
        for name in call.query.get("descriptors", "").split(","):
            aces.pop(_descriptor(call, name), None)
        return TRUE
    token = str(call.body.get("token") or "")
    aces = known.setdefault(token, {})
    merge, written = call.body.get("merge"), []
    for given in listing(call.body, "accessControlEntries"):
        ace = part({"g": given}, "g")
        key = _descriptor(call, str(ace.get("descriptor") or ""))
        bits = {n: int(ace.get(n) or 0) for n in ("allow", "deny")}
        if merge and key in aces:
            old = aces[key]
            allow = (old["allow"] | bits["allow"]) & ~bits["deny"]
            bits = {"allow": allow, "deny": (old["deny"] | bits["deny"]) & ~bits["allow"]}
        aces[key] = {"descriptor": key, **bits}
        written.append(aces[key])
    return listed(written)


def _descriptor(call: Call, text: str) -> str:
    """Return the descriptor by which lists name a subject, whichever names it."""
    found = subjects.find(call.organization, text)
    return str(subjects.identity(call.organization, found)["descriptor"]) if found else text


def on_roles(call: Call) -> Response:
    """GET the roles that a scope has."""
    call.only("GET")
    scope = call.found.values["scopeId"]
    names = ROLES.get(scope.lower(), ROLES[""])
    return listed([_role(scope, name) for name in names])


def _role(scope: str, name: str) -> Document:
    return {
        "displayName": name,
        "name": name,
        "identifier": f"{scope}.{name}",
        "description": name,
        "scope": scope,
        "allowPermissions": 1,
        "denyPermissions": 0,
    }


def on_role_assignments(call: Call) -> Response:
    """Assign roles of a scope for a resource, list them, take them away."""
    values = call.found.values
    scope, resource = values["scopeId"], values["resourceId"].lower()
    known = call.organization.of(ROLE_ASSIGNMENTS, f"{scope.lower()}/{resource}")
    call.only("GET", "PUT", "PATCH", "DELETE")
    if call.method == "GET":
        return listed(list(known.values()))
    if call.method == "PUT" and "userId" not in values:
        asked = [g for g in call.items if isinstance(g, dict)]
        given = [(str(g.get("userId")), str(g.get("roleName"))) for g in asked]
        return listed([_assign(call, known, user, role) for user, role in given])
    if call.method == "PUT":
        return Response.json(_assign(call, known, values["userId"], str(call.body.get("roleName"))))
    gone = [values["userId"]] if "userId" in values else [str(i) for i in call.items]
    for user in gone:
        known.pop(user.lower(), None)
    return Response(204)


def _assign(call: Call, known: dict[str, Document], user: str, role: str) -> Document:
    scope = call.found.values["scopeId"]
    found = subjects.find(call.organization, user)
    if found is None:
        raise missing(user, "IdentityNotFoundException")
    if role not in ROLES.get(scope.lower(), ROLES[""]):
        message = f"VS800076: the role '{role}' is not defined in the scope '{scope}'."
        raise DevOpsError(400, "InvalidRoleException", message)
    shown = subjects.identity(call.organization, found)
    known[user.lower()] = {
        "identity": {"id": shown["id"], "displayName": found["displayName"]},
        "role": _role(scope, role),
        "access": "assigned",
        "accessDisplayName": "Assigned",
    }
    return known[user.lower()]
