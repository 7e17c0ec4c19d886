"""No input of any route of Azure DevOps gives a 5xx or an exception."""

from __future__ import annotations

from hypothesis import given, settings

from pytest_tfoidc.mockazure import devops
from pytest_tfoidc.mockazure.devops.verbs import VERBS
from tests.mockazure import doors
from tests.mockazure.devops.devopsclient import Client

# With and without what a route leaves to be named; `project` is there from the start.
ROUTES = [
    f"{scope}_apis/{route.replace('*', name)}"
    for scope in ("", "project/")
    for words in VERBS
    for route in (words, words.removesuffix("/*"))
    for name in ("project", "1")
]


@settings(max_examples=150)
@given(doors.calls(ROUTES, doors.words_read(devops)))
def test_no_route_gives_a_server_error(row: list[tuple[str, str, object]]) -> None:
    client = Client()
    for method, path, body in row:
        assert 200 <= client.send(method, path, body).status < 500


def test_what_a_route_needs_and_does_not_name_is_asked_for() -> None:
    answer = Client().send("GET", "_apis/build/generalsettings")
    assert answer.status == 400
    assert "A value is required" in answer.json["message"]
