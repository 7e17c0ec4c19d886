"""Roles, policies, access packages, schedules and consents: the requests that azuread makes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509

from tests.mockazure.armclient import TENANT
from tests.mockazure.graph.graphclient import HOST, Client
from tests.mockazure.graph.test_service import GROUP, USER, link

ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
ENTITLEMENTS = "/identityGovernance/entitlementManagement"
CATALOGS, PACKAGES = f"{ENTITLEMENTS}/accessPackageCatalogs", f"{ENTITLEMENTS}/accessPackages"
PRIVILEGED = "/identityGovernance/privilegedAccess/group"


def test_a_directory_role_is_activated_once_and_has_members(client: Client) -> None:
    role = client.make("directoryRoles", {"roleTemplateId": ADMINISTRATOR})
    user = client.make("users", USER)

    assert role["displayName"] == "Global Administrator"
    again = client("POST", "/directoryRoles", {"roleTemplateId": ADMINISTRATOR})
    assert again.status == 409
    assert client("POST", "/directoryRoles", {"roleTemplateId": TENANT}).status == 400
    path = f"/directoryRoles/{role['id']}/members"
    assert client("POST", f"{path}/$ref", link(user["id"])).status == 204
    assert client.names(path) == ["Ann"]
    assert client.names(f"/users/{user['id']}/memberOf") == ["Global Administrator"]
    assert client.graph.groups_of(user["id"]) == ()
    text = quote(f"roleTemplateId eq '{ADMINISTRATOR}'")
    assert client.names(f"/directoryRoles?$filter={text}") == ["Global Administrator"]


def test_what_every_tenant_has_is_there_and_stays(client: Client) -> None:
    assert "Global Administrator" in client.names("/directoryRoleTemplates")
    path = f"/roleManagement/directory/roleDefinitions/{ADMINISTRATOR}"

    assert client("GET", path).json["isBuiltIn"] is True
    assert client("DELETE", path).status == 400
    assert client("PATCH", path, {"displayName": "x"}).status == 400


def test_what_a_put_does_not_name_is_gone_and_what_a_patch_does_not_name_stays(
    client: Client,
) -> None:
    path = f"{ENTITLEMENTS}/accessPackageAssignmentPolicies"
    body = {"accessPackageId": "p", "description": "d", "accessReviewSettings": {"isEnabled": True}}
    one = f"{path}/{client.make(path[1:], body)['id']}"
    client("PATCH", one, {"displayName": "n"})
    assert client("GET", one).json["description"] == "d"
    assert client("PUT", one, {"description": "other"}).status == 200
    left = client("GET", one).json
    assert (left["accessPackageId"], left["description"]) == ("p", "other")
    assert not {"accessReviewSettings", "displayName"} & left.keys()


def test_a_role_of_ones_own_is_made_and_assigned_once(client: Client) -> None:
    path = "/roleManagement/directory/roleDefinitions"
    made = client.make(path[1:], {"displayName": "own", "isEnabled": True})
    body = {"roleDefinitionId": made["id"], "principalId": "object", "directoryScopeId": "/"}

    assignment = client.make("roleManagement/directory/roleAssignments", body)

    again = client("POST", "/roleManagement/directory/roleAssignments", body)
    assert again.status == 409
    assert client("PATCH", f"{path}/{made['id']}", {"description": "d"}).status == 204
    assert client("GET", f"{path}/{made['id']}").json["templateId"] == made["id"]
    one = f"/roleManagement/directory/roleAssignments/{assignment['id']}"
    assert client("DELETE", one).status == 204
    assert client("GET", one).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/identity/conditionalAccess/namedLocations",
            {"@odata.type": "#microsoft.graph.ipNamedLocation", "ipRanges": []},
        ),
        ("/identity/conditionalAccess/policies", {"state": "disabled", "conditions": {}}),
        ("/identity/userFlowAttributes", {"dataType": "string"}),
        ("/policies/claimsMappingPolicies", {"definition": ["{}"]}),
        ("/policies/authenticationStrengthPolicies", {"allowedCombinations": ["fido2"]}),
    ],
)
def test_an_entry_reads_back_changes_and_goes(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    made = client.make(path[1:], {"displayName": "one", **body})
    one = f"{path}/{made['id']}"

    found = client("GET", one).json
    assert {n: found[n] for n in body} == body
    assert client("PATCH", one, {"displayName": "two"}).status == 204
    assert "two" in client.names(path)
    assert client("DELETE", one).status == 204
    gone = client("GET", one)
    assert (gone.status, gone.code) == (404, "Request_ResourceNotFound")


def test_a_path_that_leads_nowhere_is_told_so(client: Client) -> None:
    for path in ("/identity/none", "/policies", f"{CATALOGS}/none/accessPackageResources"):
        assert client("GET", path).status in {400, 404}
    made = client.make("identity/conditionalAccess/policies", {"displayName": "x"})
    path = f"/identity/conditionalAccess/policies/{made['id']}/none"
    assert client("POST", path).status == 400


def test_a_strength_changes_what_it_allows(client: Client) -> None:
    path = "/policies/authenticationStrengthPolicies"
    made = client.make(path[1:], {"displayName": "s", "allowedCombinations": ["fido2"]})

    client(
        "POST",
        f"{path}/{made['id']}/updateAllowedCombinations",
        {"allowedCombinations": ["password"]},
    )

    assert client("GET", f"{path}/{made['id']}").json["allowedCombinations"] == ["password"]


def test_an_access_package_holds_roles_of_a_catalogs_resource(client: Client) -> None:
    group = client.make("groups", GROUP)
    catalog = client.make(CATALOGS[1:], {"displayName": "c"})
    package = client.make(PACKAGES[1:], {"displayName": "p", "accessPackageCatalog": catalog})
    request = {
        "catalogId": catalog["id"],
        "requestType": "AdminAdd",
        "accessPackageResource": {"originId": group["id"], "originSystem": "AadGroup"},
    }

    client.make(f"{ENTITLEMENTS[1:]}/accessPackageResourceRequests", request)

    assert client("GET", f"{PACKAGES}/{package['id']}").json["catalogId"] == catalog["id"]
    text = quote(f"originId eq '{group['id']}'")
    path = f"{CATALOGS}/{catalog['id']}/accessPackageResources?$filter={text}"
    (resource,) = client("GET", path).json["value"]
    assert (resource["displayName"], resource["resourceType"]) == ("g", "AadGroup")
    scopes = f"{PACKAGES}/{package['id']}/accessPackageResourceRoleScopes"
    body = {"accessPackageResourceRole": {"displayName": "Member"}}
    body["accessPackageResourceScope"] = {"originId": group["id"]}
    scope = client.make(scopes[1:], body)
    shown = client(
        "GET",
        f"{PACKAGES}/{package['id']}?$expand="
        "accessPackageResourceRoleScopes($expand=accessPackageResourceRole)",
    ).json
    assert [s["id"] for s in shown["accessPackageResourceRoleScopes"]] == [scope["id"]]
    client.make(
        f"{ENTITLEMENTS[1:]}/accessPackageResourceRequests",
        {**request, "requestType": "AdminRemove"},
    )
    assert client("GET", path).json["value"] == []
    client("DELETE", f"{PACKAGES}/{package['id']}")
    assert client("GET", scopes).status == 404


def test_a_schedule_is_made_changed_and_ended_by_requests(client: Client) -> None:
    group, user = client.make("groups", GROUP), client.make("users", USER)
    requests = f"{PRIVILEGED}/assignmentScheduleRequests"
    body = {
        "accessId": "member",
        "principalId": user["id"],
        "groupId": group["id"],
        "action": "adminAssign",
        "scheduleInfo": {"expiration": {"type": "afterDuration", "duration": "P30D"}},
    }

    made = client.make(requests[1:], body)

    key = made["targetScheduleId"]
    assert key.startswith(f"{group['id']}_member_")
    assert made["status"] == "Provisioned"
    path = f"{PRIVILEGED}/assignmentSchedules/{key}"
    assert client("GET", path).json["scheduleInfo"]["startDateTime"]
    assert client("POST", requests, body).code == "RoleAssignmentExists"
    longer = {"expiration": {"type": "noExpiration"}}
    client.make(requests[1:], {**body, "action": "adminUpdate", "scheduleInfo": longer})
    text = quote(f"groupId eq '{group['id']}' and targetScheduleId eq '{key}'")
    query = f"{requests}?$filter={text}&$orderby=createdDateTime%20desc"
    latest = client("GET", query).json["value"][0]
    assert latest["scheduleInfo"]["expiration"] == longer["expiration"]
    client.make(requests[1:], {**body, "action": "adminRemove"})
    assert client("GET", path).status == 404
    assert client("POST", requests, {**body, "principalId": TENANT}).code == "SubjectNotFound"


def test_an_eligibility_for_a_role_has_the_id_of_its_request(client: Client) -> None:
    path = "/roleManagement/directory/roleEligibilitySchedule"
    body = {"roleDefinitionId": ADMINISTRATOR, "principalId": "object", "directoryScopeId": "/"}

    made = client.make(f"{path[1:]}Requests", {**body, "action": "adminAssign"})

    assert client("GET", f"{path}Requests/{made['id']}").status == 200
    assert client("GET", f"{path}s/{made['id']}").json["principalId"] == "object"
    client.make(f"{path[1:]}Requests", {**body, "action": "adminRemove"})
    assert client("GET", f"{path}s/{made['id']}").status == 404


def test_the_policies_of_a_groups_roles_are_there_and_change_rule_by_rule(client: Client) -> None:
    group = client.make("groups", GROUP)
    text = quote(f"scopeId eq '{group['id']}' and scopeType eq 'Group'")
    path = f"/policies/roleManagementPolicyAssignments?$filter={text}"
    found = {a["roleDefinitionId"]: a["policyId"] for a in client("GET", path).json["value"]}
    assert set(found) == {"member", "owner"}
    policy = f"/policies/roleManagementPolicies/{found['member']}"
    rules = client("GET", policy).json["rules"]
    assert all(rule["@odata.type"] and rule["id"] for rule in rules)

    changed = {"id": "Expiration_Admin_Eligibility", "isExpirationRequired": False}
    client("PATCH", policy, {"rules": [changed]})

    after = {rule["id"]: rule for rule in client("GET", policy).json["rules"]}
    assert len(after) == len(rules)
    assert after["Expiration_Admin_Eligibility"]["isExpirationRequired"] is False
    assert after["Expiration_Admin_Eligibility"]["maximumDuration"] == "P365D"


def test_a_consent_is_there_once_and_shown_at_its_client(client: Client) -> None:
    body = {
        "clientId": "object",
        "consentType": "AllPrincipals",
        "resourceId": "resource",
        "scope": "openid",
    }
    made = client.make("oauth2PermissionGrants", body)

    assert client("POST", "/oauth2PermissionGrants", body).status == 409
    one = f"/oauth2PermissionGrants/{made['id']}"
    client("PATCH", one, {"scope": "openid profile"})
    path = "/servicePrincipals/object/oauth2PermissionGrants"
    assert [g["scope"] for g in client("GET", path).json["value"]] == ["openid profile"]
    client("DELETE", one)
    assert client("GET", path).json["value"] == []


def test_an_invitation_makes_a_guest(client: Client) -> None:
    body = {"invitedUserEmailAddress": "bob@example.org", "inviteRedirectUrl": "https://x"}

    made = client.make("invitations", body)

    guest = client("GET", f"/users/{made['invitedUser']['id']}").json
    assert (guest["mail"], guest["userType"]) == ("bob@example.org", "Guest")
    assert guest["userPrincipalName"].startswith("bob_example.org#EXT#@")
    assert client("POST", "/invitations", {}).status == 400


def test_an_application_of_the_gallery_synchronizes(client: Client) -> None:
    text = quote("displayName eq 'Azure Databricks SCIM Provisioning Connector'")
    (template,) = client("GET", f"/applicationTemplates?$filter={text}").json["value"]
    path = f"/applicationTemplates/{template['id']}/instantiate"
    made = client("POST", path, {"displayName": "mine"}).json
    principal = made["servicePrincipal"]
    assert made["application"]["appId"] == principal["appId"]
    base = f"/servicePrincipals/{principal['id']}/synchronization"

    job = client.make(f"{base[1:]}/jobs", {"templateId": "dataBricks"})

    assert job["id"].startswith("dataBricks.")
    one = f"{base}/jobs/{job['id']}"
    assert client("POST", f"{one}/start").status == 204
    assert client("GET", one).json["schedule"]["state"] == "Active"
    client("POST", f"{one}/pause")
    assert client("GET", one).json["schedule"]["state"] == "Paused"
    pair = {"key": "SecretToken", "value": "made-up"}
    assert client("PUT", f"{base}/secrets", {"value": [pair]}).status == 204
    assert client("GET", f"{base}/secrets").json["value"] == [{"key": "SecretToken", "value": "*"}]
    client("PUT", f"{base}/secrets", {"value": [{**pair, "value": ""}]})
    assert client("GET", f"{base}/secrets").json["value"] == []
    client("DELETE", f"/servicePrincipals/{principal['id']}")
    assert client("GET", one).status == 404


def test_a_claims_mapping_policy_is_linked(client: Client) -> None:
    policy = client.make("policies/claimsMappingPolicies", {"displayName": "p"})
    path = "/servicePrincipals/object/claimsMappingPolicies"
    other = {"@odata.id": f"https://{HOST}/v1.0/policies/claimsMappingPolicies/{policy['id']}"}

    assert client("POST", f"{path}/$ref", other).status == 204
    assert client.names(path) == ["p"]
    assert client("DELETE", f"{path}/{policy['id']}/$ref").status == 204
    assert client.names(path) == []
    assert client("POST", f"{path}/$ref", link(TENANT)).status == 404


def test_a_user_has_one_manager(client: Client) -> None:
    ann = client.make("users", USER)
    bob = client.make("users", {**USER, "userPrincipalName": "bob@example.com"})
    path = f"/users/{ann['id']}/manager"

    assert client("GET", path).status == 404
    assert client("PUT", f"{path}/$ref", link(bob["id"])).status == 204
    assert client("GET", path).json["id"] == bob["id"]
    assert client("PUT", f"{path}/$ref", link("object")).status == 204
    assert client("GET", path).json["id"] == "object"
    assert client("DELETE", f"{path}/$ref").status == 204
    assert client("GET", path).status == 404
    assert client("DELETE", f"{path}/$ref").status == 204


def test_a_token_signing_certificate_is_a_certificate(client: Client) -> None:
    path = "/servicePrincipals/object/addTokenSigningCertificate"
    body = {"displayName": "CN=example", "endDateTime": "2030-05-01T01:02:03Z"}

    made = client("POST", path, body).json

    keys = client("GET", "/servicePrincipals/object").json["keyCredentials"]
    assert {k["usage"] for k in keys} == {"Sign", "Verify"}
    assert {k["customKeyIdentifier"] for k in keys} == {made["customKeyIdentifier"]}
    text = f"-----BEGIN CERTIFICATE-----\n{made['key']}\n-----END CERTIFICATE-----\n"
    found = x509.load_pem_x509_certificate(text.encode())
    assert found.subject.rfc4514_string() == "CN=example"
    assert client("POST", path, {"endDateTime": "soon"}).status == 400


def test_a_flexible_federated_credential_has_an_expression_for_its_subject(client: Client) -> None:
    app = client.make("applications", {"displayName": "app"})
    path = f"applications/{app['id']}/federatedIdentityCredentials"
    expression = {"value": "claims['sub'] matches 'x*'", "languageVersion": 1}
    body = {"name": "f", "issuer": "https://i", "audiences": ["a"]}

    assert client("POST", f"/{path}", body, version="beta").status == 400
    made = client("POST", f"/{path}", {**body, "claimsMatchingExpression": expression})

    assert made.status == 201
    assert made.json["claimsMatchingExpression"] == expression


def test_administrative_units_are_there_under_directory_as_well(client: Client) -> None:
    unit = client.make("directory/administrativeUnits", {"displayName": "u"})
    user = client.make("users", USER)
    role = client.make("directoryRoles", {"roleTemplateId": ADMINISTRATOR})
    path = f"/directory/administrativeUnits/{unit['id']}"

    assert client("GET", f"/administrativeUnits/{unit['id']}").json["displayName"] == "u"
    assert client("POST", f"{path}/members/$ref", link(user["id"])).status == 204
    body = {"roleId": role["id"], "roleMemberInfo": {"id": user["id"]}}
    made = client.make(f"{path[1:]}/scopedRoleMembers", body)
    assert made["roleMemberInfo"]["displayName"] == "Ann"
    assert client("GET", f"{path}/scopedRoleMembers/{made['id']}").status == 200


def test_snapshots_bring_entries_back(client: Client) -> None:
    made = client.make("identity/conditionalAccess/policies", {"displayName": "p"})
    kept = client.graph.snapshot()

    client("DELETE", f"/identity/conditionalAccess/policies/{made['id']}")
    client.graph.restore(kept)

    assert client.names("/identity/conditionalAccess/policies") == ["p"]
