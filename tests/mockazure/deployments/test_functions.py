"""The functions of templates: the examples of their documentation, and what each refuses.

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions.
"""

# ruff: noqa: ANN401 - templates are JSON

from __future__ import annotations

from typing import Any

import pytest

from tests.mockazure.armclient import Arm
from tests.mockazure.deployments.test_service import deploy, evaluated, template

V = "lambdaVariables"
ABC = "createArray('a', 'b', 'c')"
AGES = "createArray(createObject('n', 'x', 'age', 9), createObject('n', 'y', 'age', 4))"
OWN = [
    {
        "namespace": "contoso",
        "members": {
            "uniqueName": {
                "parameters": [{"name": "prefix", "type": "string"}],
                "output": {
                    "type": "string",
                    "value": "[toLower(concat(parameters('prefix'), '-X'))]",
                },
            }
        },
    }
]
DOCUMENTED = {
    "array('a')": ["a"],
    f"array({ABC})": ["a", "b", "c"],
    "contains(createObject('One', 1), 'one')": True,
    "contains('OneTwoThree', 'e')": True,
    "contains(createArray('one', 'two'), 'three')": False,
    "empty('')": True,
    "empty(null())": True,
    "first('One Two Three')": "O",
    "last('One Two Three')": "e",
    "first(createArray())": None,
    "last(createArray())": None,
    "last('')": "",
    "indexOf('abcdef', 'CD')": 2,
    "indexOf('abcdef', 'z')": -1,
    f"indexOf({ABC}, 'b')": 1,
    f"indexOf({ABC}, 'z')": -1,
    "lastIndexOf('abcdef', 'AB')": 0,
    f"intersection({ABC}, createArray('c', 'a'))": ["a", "c"],
    "intersection(createObject('one', 'a', 'two', 'b'), createObject('one', 'a', 'two', 'z'))": {
        "one": "a"
    },
    "union(createObject('a', createObject('b', 1)), createObject('a', createObject('c', 2)))": {
        "a": {"b": 1, "c": 2}
    },
    "shallowMerge(createArray(createObject('a', createObject('b', 1)), createObject('a', 2)))": {
        "a": 2
    },
    "max(createArray(0, 3, 2, 5, 4))": 5,
    "max(0, 3, 2)": 3,
    "min(createArray(3, 2))": 2,
    "min(3, 2, 5)": 2,
    "skip('one two three', 4)": "two three",
    f"skip({ABC}, 2)": ["c"],
    "take('one two three', 2)": "on",
    f"take({ABC}, -1)": [],
    "flatten(createArray(createArray('a'), createArray('b', 'c'), 'd'))": ["a", "b", "c", "d"],
    "items(createObject('b', 1, 'A', 2))": [{"key": "A", "value": 2}, {"key": "b", "value": 1}],
    "objectKeys(createObject('b', 1, 'A', 2))": ["A", "b"],
    "int('4')": 4,
    "add(5, 3)": 8,
    "sub(7, 3)": 4,
    "mul(5, 3)": 15,
    "div(8, 3)": 2,
    "div(-8, 3)": -2,
    "mod(7, 3)": 1,
    "less(1, 2)": True,
    "lessOrEquals(2, 2)": True,
    "greater('b', 'a')": True,
    "greaterOrEquals(1, 2)": False,
    "bool('TRUE')": True,
    "bool('0')": False,
    "bool(1)": True,
    "base64ToJson(base64('{\"one\": \"a\"}'))": {"one": "a"},
    "dataUri('Hello')": "data:text/plain;charset=utf8;base64,SGVsbG8=",
    "dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')": "Hello, World!",
    "endsWith('abcdef', 'F')": True,
    "startsWith('abcdef', 'AB')": True,
    "format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)": (
        "Hello, User. Formatted number: 8,175,133"
    ),
    "format('{0:X4} {1:000} {2}', 255, 7, true())": "00FF 007 True",
    "replace('123-123-1234', '-', '')": "1231231234",
    "split('one,two', ',')": ["one", "two"],
    f"join({ABC}, '-')": "a-b-c",
    "string(createObject('a', createArray(1)))": '{"a":[1]}',
    "trim('  one  ')": "one",
    "uri('http://contoso.org/firstpath/', 'script.sh')": "http://contoso.org/firstpath/script.sh",
    "uriComponentToString('http%3A%2F%2Fcontoso.com')": "http://contoso.com",
    "dateTimeFromEpoch(1683040573)": "2023-05-02T15:16:13Z",
    "dateTimeToEpoch('2023-05-02T15:16:13Z')": 1683040573,
    "dateTimeToEpoch('20230502T151613Z')": 1683040573,
    "dateTimeAdd('20200407T145314Z', '-P9D', 'yyyy-MM-dd')": "2020-03-29",
    "dateTimeAdd('2020-04-07 14:53:14Z', 'PT1H', 'u')": "2020-04-07 15:53:14Z",
    "dateTimeAdd('2020-04-07 14:53:14Z', 'P1W', 'd')": "4/14/2020",
    "parseCidr('10.144.0.0/20')": {
        "network": "10.144.0.0", "netmask": "255.255.240.0", "broadcast": "10.144.15.255",
        "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20,
    },
    f"reduce(createArray(1, 2, 3), 0, lambda('s', 'n', add({V}('s'), {V}('n'))))": 6,
    f"sort({AGES}, lambda('a', 'b', less({V}('a').age, {V}('b').age)))[0].n": "y",
    f"toObject({AGES}, lambda('e', {V}('e').n), lambda('e', {V}('e').age))": {
        "x": 9, "y": 4,
    },
    "toObject(createArray('a'), lambda('e', lambdaVariables('e')))": {"a": "a"},
    f"map(createArray('a', 'b'), lambda('v', 'i', concat({V}('v'), {V}('i'))))": [
        "a0", "b1",
    ],
    "tryGet(createObject('a', createArray(createObject('b', 7))), 'A', 0, 'b')": 7,
    "createObject('a', null()).a": None,
    "or(false(), equals(1, 1))": True,
    "contoso.uniqueName('NAME')": "name-x",
}  # fmt: skip
REFUSED = {
    "range(0, -1)": "a range has 0 to 10000 numbers",
    "range(0, 10001)": "a range has 0 to 10000 numbers",
    "int('four')": "'int'",
    "bool('perhaps')": "'bool'",
    "substring('abc', 2, 5)": "must refer to a location in the string",
    "padLeft('a', -1)": "the width is invalid",
    "cidrSubnet('10.0.0.0/16', 8, 0)": "/8 does not fit in 10.0.0.0/16",
    "cidrSubnet('10.0.0.0/24', 25, 2)": "has no subnet 2 of /25",
    "cidrHost('10.0.0.0/30', 9)": "has no address 9",
    "dateTimeAdd('2024-01-01T00:00:00Z', '1 day')": "'1 day' is no duration of ISO 8601",
    "dateTimeToEpoch('yesterday')": "'dateTimeToEpoch'",
    "format('{1}', 'a')": "'format'",
    "format('{0:Q}', 1)": "the format 'Q' is not known",
    "createObject('a')": "'createObject'",
    "base64ToString('*')": "'base64ToString'",
    "json('{')": "'json'",
    "first(1)": "'first'",
    "if(true())": "'if' needs 3 arguments",
    "lambda('a', 1)": "'lambda' is not expected at this location",
    "lambdaVariables('a')": "lambda variable 'a' is not found",
    "map('a', lambda('x', 1))": "A list is expected",
    "sort(createArray(2, 1), 'a')": "A lambda is expected",
    "copyIndex()": "'copyIndex' is not expected at this location",
    "newGuid()": "'newGuid' is not expected at this location",
    "createObject('a', 1).b": "property 'b' doesn't exist, available properties are 'a'",
    "createArray(1)[1]": "property '1' doesn't exist",
    "contoso.uniqueName()": "user-defined function has other parameters",
    "tryget2('a')": "'tryget2' is not known",
}


def refusal(arm: Arm, expression: str, **parts: Any) -> str:
    outputs = {"x": {"type": "object", "value": expression}}
    answer = deploy(arm, template(outputs=outputs, functions=OWN, **parts))
    assert (answer.status, answer.code) == (400, "InvalidTemplate"), answer.json
    return str(answer.json["error"]["message"])


@pytest.mark.parametrize("expression", DOCUMENTED)
def test_a_documented_example_gives_its_documented_value(arm: Arm, expression: str) -> None:
    assert evaluated(arm, f"[{expression}]", functions=OWN) == DOCUMENTED[expression]


@pytest.mark.parametrize("expression", REFUSED)
def test_what_a_function_cannot_do_is_refused_with_its_name_or_cause(
    arm: Arm, expression: str
) -> None:
    assert REFUSED[expression] in refusal(arm, f"[{expression}]")


def test_defaults_of_parameters_may_ask_for_the_time_and_a_new_guid(arm: Arm) -> None:
    parameters = {
        "now": {"type": "string", "defaultValue": "[utcNow()]"},
        "day": {"type": "string", "defaultValue": "[utcNow('yyyy-MM-dd')]"},
        "end": {"type": "string", "defaultValue": "[dateTimeAdd(utcNow('u'), 'PT1H', 'u')]"},
        "id": {"type": "string", "defaultValue": "[newGuid()]"},
    }
    values = (
        "createArray(parameters('now'), parameters('day'), parameters('end'), parameters('id'))"
    )
    now, day, end, guid = evaluated(arm, f"[{values}]", parameters=parameters)
    assert now[:8] == day.replace("-", "")
    assert now[8] + now[15] == "TZ"
    assert end[-1] == "Z"
    assert end > f"{now[:4]}-{now[4:6]}-{now[6:8]} {now[9:11]}:{now[11:13]}:{now[13:15]}Z"
    assert guid.count("-") == 4
    assert guid != evaluated(arm, "[parameters('id')]", parameters=parameters)


def test_too_deep_a_value_and_a_loop_without_a_name_are_refused(arm: Arm) -> None:
    deep: Any = "x"
    for _ in range(70):
        deep = [deep]
    assert "nested too deeply" in refusal(arm, deep)
    assert "needs a name" in refusal(arm, {"copy": [{"count": 1, "input": 1}]})  # type: ignore[arg-type]  # JSON


def test_what_is_known_later_makes_all_that_is_made_of_it_later(arm: Arm) -> None:
    """A resource's answer is known when the deployment runs; validation passes without it."""
    identity = "Microsoft.ManagedIdentity/userAssignedIdentities"
    later = f"reference(resourceId('{identity}', 'id')).principalId"
    parts = [
        f"[if(equals({later}, ''), 'none', {later})]",
        f"[and(true(), not(empty({later})))]",
        f"[or(empty({later}), false())]",
        f"[map(array({later}), lambda('v', lambdaVariables('v')))]",
        f"[filter(array({later}), lambda('v', true()))]",
        f"[sort(array({later}), lambda('a', 'b', true()))]",
        f"[reduce(array({later}), 'x', lambda('a', 'b', lambdaVariables('b')))]",
        f"[toObject(array({later}), lambda('v', 'k'))]",
        f"[tryGet(reference(resourceId('{identity}', 'id')), 'principalId')]",
    ]
    written = template(
        {"type": identity, "apiVersion": "2023-01-31", "name": "id", "location": "westeurope"},
        outputs={str(n): {"type": "object", "value": part} for n, part in enumerate(parts)},
    )
    assert deploy(arm, written, action="/validate", method="POST").status == 200
    answer = deploy(arm, written)
    assert answer.status == 201, answer.json
    outputs = answer.json["properties"]["outputs"]
    got = [outputs[str(n)]["value"] for n in range(len(parts))]
    principal = got[0]
    assert len(principal) == 36
    assert got[1:] == [
        *(True, False, [principal], [principal], [principal]),
        *(principal, {"k": principal}, principal),
    ]
