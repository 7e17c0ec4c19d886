from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfoidc.events import AccessTokenRefused
from pytest_tfoidc.httpserver import Request
from pytest_tfoidc.mockazure.devops.service import FEDERATION
from tests.mockazure.devops.devopsclient import HOST, PROJECTS, Client

ENDPOINTS = "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0"
ENDPOINTS_OF_PROJECT = "e85f1c62-adfc-4b74-b618-11a150fb195e"
RESOURCE_AREAS = "e81700f7-3be2-46de-8624-2eb35882fcaa"
PROXY = "cc63bb57-2a5f-4a7a-b79c-c142d308657e"


def test_the_provider_can_start(client: Client) -> None:
    answer = client.send("OPTIONS", "_apis")

    assert answer.json["count"] == len(answer.json["value"])
    assert {"id", "area", "resourceName", "routeTemplate", "minVersion", "maxVersion"} < set(
        answer.json["value"][0]
    )
    assert client.call("GET", RESOURCE_AREAS).json == {"count": 0, "value": []}


def test_another_organization_does_not_exist(client: Client) -> None:
    request = Request("OPTIONS", "https", HOST, "/other/_apis", client.headers)

    assert client.devops.handle(request).status == 404


def test_a_project_is_found_by_name_and_id(client: Client) -> None:
    by_name = client.call("GET", PROJECTS, projectId="PROJECT").json

    assert client.call("GET", PROJECTS, projectId=by_name["id"]).json == by_name
    assert client.call("GET", PROJECTS, projectId="none").status == 404


def test_projects_are_made_and_deleted(client: Client) -> None:
    assert client.call("POST", PROJECTS, {"name": "new"}).json["status"] == "queued"
    assert client.call("POST", PROJECTS, {"name": "NEW"}).status == 409
    assert client.call("PATCH", PROJECTS, {"description": "d"}, projectId="new").status == 202
    found = client.call("GET", PROJECTS, projectId="new").json
    assert found["description"] == "d"
    assert client.call("DELETE", PROJECTS, projectId="new").status == 202
    assert client.call("GET", PROJECTS).json["count"] == 1


def test_a_connection_without_data_is_given_back_with_it(client: Client) -> None:
    body = {name: value for name, value in client.connection().items() if name != "data"}
    assert client.call("POST", ENDPOINTS, body).json["data"] == {}


def test_a_connection_is_shared_with_projects_until_it_is_taken_from_all(client: Client) -> None:
    other = "99999999-1111-4111-8111-111111111111"
    made = client.call("POST", ENDPOINTS, client.connection()).json
    path = f"_apis/serviceendpoint/endpoints/{made['id']}"

    def projects() -> list[str]:
        found = client.send("GET", f"project/{path}").json
        return [r["projectReference"]["id"] for r in found["serviceEndpointProjectReferences"]]

    for _ in range(2):
        assert client.send("PATCH", path, [{"projectReference": {"id": other}}]).status == 204
        assert projects() == [client.project(), other]
    client.send("PUT", path, client.connection(name="renamed"))
    assert projects() == [client.project(), other]
    client.send("DELETE", f"{path}?projectIds={client.project()}")
    assert projects() == [other]
    client.send("DELETE", f"{path}?projectIds={client.project()},{other}")
    assert client.send("GET", f"project/{path}").json is None
    assert client.send("PATCH", path, {}).status == 404


def test_features_of_a_project_are_enabled_until_somebody_says_no(client: Client) -> None:
    query = {"featureIds": ["a", "b"], "scopeValues": {"project": "P"}}
    state = "_apis/FeatureManagement/FeatureStates/host/project/P"
    before = client.devops.snapshot()
    assert client.send("PATCH", f"{state}/a", {"state": "disabled"}).status == 200
    found = client.send("POST", "_apis/FeatureManagement/FeatureStatesQuery", query).json
    states = {name: feature["state"] for name, feature in found["featureStates"].items()}
    assert states == {"a": "disabled", "b": "enabled"}
    client.devops.restore(before)
    assert client.send("GET", f"{state}/a").json["state"] == "enabled"
    assert client.send("GET", state).status == 404


def test_a_federated_connection_gets_issuer_and_subject(client: Client) -> None:
    made = client.call("POST", ENDPOINTS, client.connection()).json

    found = client.call(
        "GET", ENDPOINTS_OF_PROJECT, project=client.project(), endpointId=made["id"]
    ).json

    parameters = found["authorization"]["parameters"]
    assert found["isReady"] is True
    assert parameters["workloadIdentityFederationSubject"] == "sc://org/project/connection"
    assert parameters["workloadIdentityFederationIssuer"].startswith(
        "https://vstoken.dev.azure.com/"
    )
    assert parameters["serviceprincipalid"]
    (connection,) = client.devops.connections
    assert (connection.id, connection.subject) == (made["id"], "sc://org/project/connection")


def test_a_connection_keeps_the_application_that_it_was_given(client: Client) -> None:
    made = client.call("POST", ENDPOINTS, client.connection(app="app")).json

    assert made["authorization"]["parameters"]["serviceprincipalid"] == "app"


def test_a_renamed_connection_gets_another_subject_and_keeps_its_application(
    client: Client,
) -> None:
    made = client.call("POST", ENDPOINTS, client.connection()).json

    client.call("PUT", ENDPOINTS, client.connection("renamed"), endpointId=made["id"])

    (connection,) = client.devops.connections
    assert connection.subject == "sc://org/project/renamed"
    found = client.call("GET", ENDPOINTS_OF_PROJECT, project="project", endpointId=made["id"]).json
    before, after = (d["authorization"]["parameters"] for d in (made, found))
    assert before["serviceprincipalid"] == after["serviceprincipalid"]


def test_a_connections_name_is_taken_in_its_projects_only(client: Client) -> None:
    client.call("POST", PROJECTS, {"name": "other"})
    other = client.call("GET", PROJECTS, projectId="other").json["id"]
    body = client.connection()
    elsewhere = {
        **body,
        "serviceEndpointProjectReferences": [{"projectReference": {"id": other}}],
    }

    assert client.call("POST", ENDPOINTS, body).status == 200
    assert client.call("POST", ENDPOINTS, body).status == 409
    assert client.call("POST", ENDPOINTS, elsewhere).status == 200


def test_connections_are_listed_by_name_and_deleted(client: Client) -> None:
    made = client.call("POST", ENDPOINTS, client.connection()).json
    client.call("POST", ENDPOINTS, client.connection("other"))
    route = {"project": "project", "query": "?endpointNames=connection"}
    assert [e["id"] for e in client.call("GET", ENDPOINTS_OF_PROJECT, **route).json["value"]] == [
        made["id"]
    ]
    assert client.call("POST", ENDPOINTS, client.connection()).status == 409

    deleted = client.call(
        "DELETE", ENDPOINTS, endpointId=made["id"], query=f"?projectIds={client.project()}"
    )

    assert deleted.status == 204
    gone = client.call("GET", ENDPOINTS_OF_PROJECT, project="project", endpointId=made["id"])
    assert (gone.status, gone.json) == (200, None)
    assert len(client.devops.connections) == 1


def test_a_secret_is_never_given_back(client: Client) -> None:
    body = client.connection(app="app")
    body["authorization"]["scheme"] = "ServicePrincipal"
    body["authorization"]["parameters"]["serviceprincipalkey"] = "made-up-secret"

    made = client.call("POST", ENDPOINTS, body)

    assert b"made-up-secret" not in made.response.body
    assert client.devops.connections == ()


def test_a_connection_can_be_tested(client: Client) -> None:
    assert client.call("POST", PROXY, {}, project="project").json["statusCode"] == "ok"


def test_a_bad_bearer_gets_the_sign_in_page_or_a_401(client: Client) -> None:
    client.headers = {"authorization": "Bearer nonsense"}
    page = client.send("OPTIONS", "_apis")
    client.headers = {**client.headers, "x-tfs-fedauthredirect": "Suppress"}

    assert page.status == 203
    assert b"Sign In" in page.response.body
    assert client.send("OPTIONS", "_apis").status == 401
    assert [e.reason for e in client.events.of(AccessTokenRefused)] == ["malformed"] * 2


def test_a_personal_access_token_will_do(client: Client) -> None:
    pat = base64.b64encode(b":made-up").decode()
    client.headers = {"authorization": f"Basic {pat}"}

    assert client.send("OPTIONS", "_apis").status == 200


def test_snapshots_bring_everything_back(client: Client) -> None:
    client.call("POST", ENDPOINTS, client.connection())
    before, snapshot = client.devops.connections, client.devops.snapshot()
    client.call("POST", ENDPOINTS, client.connection("other"))

    client.devops.restore(snapshot)

    assert client.devops.connections == before


WORDS = ["_apis", "project", "projects", "serviceendpoint", "endpoints", "operations", "x", ""]
WORDS += ["FeatureManagement", "FeatureStates", "FeatureStatesQuery"]
values = st.none() | st.text(max_size=4) | st.lists(st.dictionaries(st.text(max_size=3), st.none()))
documents = st.dictionaries(
    st.sampled_from(
        ["name", "authorization", "serviceEndpointProjectReferences", "capabilities", "type"]
    ),
    values | st.fixed_dictionaries({"scheme": st.just(FEDERATION), "parameters": values}),
)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
            st.lists(st.sampled_from(WORDS), max_size=5),
            documents | st.binary(max_size=4),
        ),
        max_size=8,
    )
)
def test_no_sequence_of_requests_gives_a_server_error(
    sequence: list[tuple[str, list[str], object]],
) -> None:
    client = Client()
    for method, words, body in sequence:
        assert 200 <= client.send(method, "/".join(words), body).status < 500
    assert client.devops.connections is not None
