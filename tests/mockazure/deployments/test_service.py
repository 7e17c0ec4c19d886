"""Template deployments: what templates really use, at every scope, and what is refused."""

# ruff: noqa: ANN401 - templates are JSON

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mockazure.armclient import RG, Answer, Arm, S

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
KIND = "providers/Microsoft.Resources/deployments"
VNET = "Microsoft.Network/virtualNetworks"


def template(*resources: Any, **parts: Any) -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": list(resources),
        **parts,
    }


def deploy(
    arm: Arm,
    written: dict[str, Any],
    *,
    scope: str = RG,
    action: str = "",
    method: str = "PUT",
    name: str = "d",
    **properties: Any,
) -> Answer:
    body = {"properties": {"mode": "Incremental", "template": written, **properties}}
    if scope != RG:
        body["location"] = "westeurope"  # type: ignore[assignment]  # JSON
    return arm(method, f"{scope}/{KIND}/{name}{action}", body)


def evaluated(arm: Arm, expression: str, **parts: Any) -> Any:
    output = {"x": {"type": "object", "value": expression}}
    answer = deploy(arm, template(outputs=output, **parts))
    assert answer.status in {200, 201}, answer.json
    return answer.json["properties"]["outputs"]["x"]["value"]


def network(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": VNET,
        "apiVersion": "2023-09-01",
        "name": name,
        "location": "[resourceGroup().location]",
        "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
        **more,
    }


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[concat('a', 1, true())]", "a1True"),
        ("[concat(createArray(1), createArray(2))]", [1, 2]),
        ("[format('{0}-{1:D3}{{}}', 'a', 7)]", "a-007{}"),
        ("[toUpper(substring('abcdef', 1, 2))]", "BC"),
        ("[if(equals('a', 'a'), 'yes', div(1, 0))]", "yes"),
        ("[and(true(), or(false(), not(false())))]", True),
        ("[length(union(createArray(1, 2), createArray(2, 3)))]", 3),
        ("[union(createObject('a', 1), createObject('b', 2)).b]", 2),
        ("[split('a,b;c', createArray(',', ';'))[2]]", "c"),
        ("[json('{\"a\": [1]}').a[0]]", 1),
        ("[coalesce(null(), 'x')]", "x"),
        ("[contains('abc', 'b')]", True),
        ("[empty(createObject())]", True),
        ("[base64ToString(base64('ä'))]", "ä"),
        ("[padLeft(5, 3, '0')]", "005"),
        ("[guid('a', 'b')]", "0a5a18a3-b5c2-5c60-9f63-9b0e1a4f6c4d"),
        ("[range(2, 3)]", [2, 3, 4]),
        ("[map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))]", [0, 2, 4]),
        ("[filter(createArray(1, 2, 3), lambda('i', greater(lambdaVariables('i'), 1)))]", [2, 3]),
        ("[cidrSubnet('10.0.0.0/16', 24, 2)]", "10.0.2.0/24"),
        ("[cidrHost('10.0.1.0/24', 3)]", "10.0.1.4"),
        ("[tryGet(createObject('a', 1), 'b')]", None),
        ("[dateTimeAdd('2024-01-01T00:00:00Z', 'P1DT1H')]", "2024-01-02T01:00:00Z"),
        ("[uriComponent('a b/c')]", "a%20b%2Fc"),
        ("[resourceGroup().name]", "rg"),
        ("[subscription().subscriptionId]", S.rpartition("/")[2]),
        ("[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v', 's')]",
         f"{RG}/providers/{VNET}/v/subnets/s"),
        ("[resourceId('other', 'Microsoft.Network/virtualNetworks', 'v')]",
         f"{S}/resourceGroups/other/providers/{VNET}/v"),
        ("[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')]",
         f"{S}/providers/Microsoft.Authorization/roleDefinitions/r"),
        ("[environment().suffixes.storage]", "core.windows.net"),
        ("[[literal]", "[literal]"),
        ("it's", "it's"),
        ("[concat('it''s')]", "it's"),
    ],
)  # fmt: skip
def test_expressions_are_evaluated(arm: Arm, expression: str, value: object) -> None:
    found = evaluated(arm, expression)
    if expression.startswith("[guid"):
        assert found == evaluated(arm, expression)
        assert len(found) == 36
    else:
        assert found == value


def test_a_unique_string_is_the_same_for_the_same_arguments(arm: Arm) -> None:
    first, other = (evaluated(arm, f"[uniqueString('{text}')]") for text in ("a", "b"))
    assert first == evaluated(arm, "[uniqueString('a')]") != other
    assert first.isalnum()
    assert len(first) == 13


def test_parameters_variables_and_loops(arm: Arm) -> None:
    written = template(
        network(
            "[concat(parameters('prefix'), '-', copyIndex(1))]",
            copy={"name": "nets", "count": "[length(variables('tags'))]"},
            tags={"t": "[variables('tags')[copyIndex()]]"},
        ),
        parameters={
            "prefix": {"type": "string", "maxLength": 5},
            "more": {"type": "array", "defaultValue": ["b"]},
        },
        variables={
            "tags": "[concat(createArray(variables('first')), parameters('more'))]",
            "first": "a",
            "copy": [{"name": "squares", "count": 3, "input": "[mul(copyIndex('squares'), 2)]"}],
        },
        outputs={
            "squares": {"type": "array", "value": "[variables('squares')]"},
            "names": {
                "type": "array",
                "copy": {"count": 2, "input": "[concat('n', copyIndex())]"},
            },
        },
    )
    answer = deploy(arm, written, parameters={"prefix": {"value": "net"}})
    assert answer.status == 201, answer.json
    properties = answer.json["properties"]
    assert properties["outputs"]["squares"]["value"] == [0, 2, 4]
    assert properties["outputs"]["names"]["value"] == ["n0", "n1"]
    assert properties["parameters"]["prefix"] == {"type": "String", "value": "net"}
    for number, tag in ((1, "a"), (2, "b")):
        assert arm("GET", f"{RG}/providers/{VNET}/net-{number}").json["tags"] == {"t": tag}


def test_resources_wait_for_what_they_depend_on_and_refer_to(arm: Arm) -> None:
    identity = "Microsoft.ManagedIdentity/userAssignedIdentities"
    written = template(
        network(
            "second",
            tags={"principal": f"[reference(resourceId('{identity}', 'id')).principalId]"},
            dependsOn=["[resourceId('Microsoft.Network/virtualNetworks', 'first')]"],
        ),
        network("first", resources=[{
            "type": "subnets", "apiVersion": "2023-09-01", "name": "snet",
            "properties": {"addressPrefix": "10.0.1.0/24"},
            "dependsOn": ["first"],
        }]),
        {"type": identity, "apiVersion": "2023-01-31", "name": "id", "location": "westeurope"},
        {"type": "Microsoft.Authorization/locks", "apiVersion": "2020-05-01", "name": "lock",
         "scope": "[format('Microsoft.Network/virtualNetworks/{0}', 'first')]",
         "condition": "[parameters('locked')]", "properties": {"level": "CanNotDelete"}},
        parameters={"locked": {"type": "bool", "defaultValue": False}},
        outputs={"p": {"type": "string", "value": "[reference('id').principalId]"}},
    )  # fmt: skip
    answer = deploy(arm, written)
    assert answer.status == 201, answer.json
    principal = answer.json["properties"]["outputs"]["p"]["value"]
    second = arm("GET", f"{RG}/providers/{VNET}/second").json
    assert second["tags"]["principal"] == principal
    (subnet,) = arm("GET", f"{RG}/providers/{VNET}/first").json["properties"]["subnets"]
    assert subnet["name"] == "snet"
    made = [item["id"] for item in answer.json["properties"]["outputResources"]]
    assert len(made) == 4
    assert made.index(f"{RG}/providers/{VNET}/first") < made.index(f"{RG}/providers/{VNET}/second")
    lock = f"{RG}/providers/{VNET}/first/providers/Microsoft.Authorization/locks/lock"
    assert arm("GET", lock).status == 404
    assert deploy(arm, written, parameters={"locked": {"value": True}}).status == 200
    assert arm("GET", lock).json["properties"]["level"] == "CanNotDelete"


def test_what_bicep_compiles_to_is_understood(arm: Arm) -> None:
    written = {
        "$schema": SCHEMA,
        "languageVersion": "2.0",
        "contentVersion": "1.0.0.0",
        "resources": {
            "store": {
                "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01",
                "name": "acct", "location": "[resourceGroup().location]", "kind": "StorageV2",
                "sku": {"name": "Standard_LRS"},
            },
            "old": {"existing": True, "type": VNET, "apiVersion": "2023-09-01", "name": "vnet"},
        },
        "outputs": {
            "blob": {"type": "string", "value": "[reference('store').primaryEndpoints.blob]"},
            "key": {"type": "string",
                    "value": "[listKeys('store', '2023-01-01').keys[0].keyName]"},
            "old": {"type": "string", "value": "[reference('old', '2023-09-01', 'full').location]"},
        },
    }  # fmt: skip
    arm.vnet()
    answer = deploy(arm, written)
    assert answer.status == 201, answer.json
    outputs = {n: o["value"] for n, o in answer.json["properties"]["outputs"].items()}
    assert outputs == {
        "blob": "https://acct.blob.core.windows.net/",
        "key": "key1",
        "old": "westeurope",
    }


@pytest.mark.parametrize("scope", ["inner", "outer"])
def test_nested_deployments_see_their_own_scope_or_the_outer_one(arm: Arm, scope: str) -> None:
    inner = template(
        network("[parameters('name')]", location="westeurope"),
        outputs={"id": {"type": "string", "value": "[parameters('name')]"}},
    )
    given: dict[str, Any] = {}
    if scope == "inner":
        inner["parameters"] = {"name": {"type": "string"}}
        given = {"parameters": {"name": {"value": "[concat(parameters('name'), '-inner')]"}}}
    nested = {
        "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "nested",
        "resourceGroup": "other", "dependsOn": ["other"],
        "properties": {
            "mode": "Incremental", "template": inner,
            "expressionEvaluationOptions": {"scope": scope}, **given,
        },
    }  # fmt: skip
    group = {
        "type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "other",
        "location": "westeurope",
    }  # fmt: skip
    written = template(
        nested,
        group,
        parameters={"name": {"type": "string"}},
        outputs={"n": {"type": "string", "value": "[reference('nested').outputs.id.value]"}},
    )
    answer = deploy(arm, written, scope=S, parameters={"name": {"value": "net"}})
    assert answer.status == 201, answer.json
    name = "net-inner" if scope == "inner" else "net"
    assert answer.json["properties"]["outputs"]["n"]["value"] == name
    assert arm("GET", f"{S}/resourceGroups/other/providers/{VNET}/{name}").status == 200
    assert arm("GET", f"{S}/resourceGroups/other/{KIND}/nested").status == 200


def test_deployments_at_management_group_and_tenant(arm: Arm) -> None:
    group = "/providers/Microsoft.Management/managementGroups/mg"
    made = template(
        {"type": "Microsoft.Management/managementGroups", "apiVersion": "2021-04-01",
         "name": "mg", "properties": {"displayName": "mg"}},
    )  # fmt: skip
    assert deploy(arm, made, scope="").status == 201
    policy = template(
        {"type": "Microsoft.Authorization/policyDefinitions", "apiVersion": "2021-06-01",
         "name": "p", "properties": {"policyRule": {}, "displayName": "[managementGroup().name]"}},
    )  # fmt: skip
    assert deploy(arm, policy, scope=group).status == 201
    found = arm("GET", f"{group}/providers/Microsoft.Authorization/policyDefinitions/p").json
    assert found["properties"]["displayName"] == "mg"


def test_a_deployment_is_validated_foretold_exported_listed_and_deleted(arm: Arm) -> None:
    written = template(network("one"))
    valid = deploy(arm, written, action="/validate", method="POST")
    assert valid.status == 200
    assert valid.json["properties"]["provisioningState"] == "Succeeded"
    foretold = deploy(arm, written, action="/whatIf", method="POST").json["properties"]["changes"]
    assert [c["changeType"] for c in foretold] == ["Create"]
    assert arm("GET", f"{RG}/providers/{VNET}/one").status == 404
    deploy(arm, written)
    assert arm("POST", f"{RG}/{KIND}/d/exportTemplate").json["template"] == written
    (operation,) = arm("GET", f"{RG}/{KIND}/d/operations").json["value"]
    assert operation["properties"]["targetResource"]["resourceName"] == "one"
    assert arm("GET", f"{RG}/{KIND}/d/operations/{operation['operationId']}").status == 200
    assert [d["name"] for d in arm("GET", f"{RG}/{KIND}").json["value"]] == ["d"]
    assert arm("DELETE", f"{RG}/{KIND}/d").status in {200, 202, 204}
    assert arm("GET", f"{RG}/{KIND}/d").status == 404
    assert arm("GET", f"{RG}/providers/{VNET}/one").status == 200


def test_complete_mode_deletes_what_is_not_in_the_template(arm: Arm) -> None:
    arm.vnet()
    assert deploy(arm, template(network("one")), mode="Complete").status == 201
    assert arm("GET", f"{RG}/providers/{VNET}/vnet").status == 404
    assert arm("GET", f"{RG}/providers/{VNET}/one").status == 200


def test_a_slow_resource_of_a_deployment_takes_virtual_time(arm: Arm) -> None:
    arm.manager.takes(VNET, "40m")
    before = arm.clock.now()
    written = template(network("a"), network("b", dependsOn=["a"]))
    assert deploy(arm, written).status == 201
    assert 79 < (arm.clock.now() - before).total_seconds() / 60 < 81


SECURE = {"p": {"type": "securestring"}}


def test_a_secure_parameter_is_in_no_answer(arm: Arm) -> None:
    written = template(
        network("one", tags={"a": "[length(parameters('p'))]"}),
        parameters=SECURE,
        outputs={"p": {"type": "securestring", "value": "[parameters('p')]"}},
    )
    answer = deploy(arm, written, parameters={"p": {"value": "hidden-value"}})
    assert answer.status == 201
    assert "hidden-value" not in json.dumps(answer.json)
    assert "hidden-value" not in json.dumps(arm("GET", f"{RG}/{KIND}/d").json)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (template(network("[nonsense('a')]")), "function 'nonsense' is not known"),
        (template(network("a"), network("A")), "defined multiple times"),
        (template(network("a", dependsOn=["nobody"])), "'nobody' is not defined in the template"),
        (template(network("a", dependsOn=["b"]), network("b", dependsOn=["a"])), "Circular"),
        (template(network("[concat('a']")), "Unable to parse"),
        (template(network("[parameters('x')]")), "parameter 'x' is not found"),
        (template(network("[variables('x')]")), "variable 'x' is not found"),
        (template(variables={"a": "[variables('b')]", "b": "[variables('a')]"}), "refers to"),
        (template(parameters={"p": {"type": "string"}}), "'p' is not provided"),
        (template(network("a/b")), "incorrect segment lengths"),
        (template(outputs={"x": {"type": "int", "value": "[div(1, 0)]"}}), "'div'"),
        (template(outputs={"x": {"type": "int", "value": "[utcNow()]"}}), "'utcNow'"),
        (template("nonsense"), "must be an object"),
        (template(resources=7), "must be a list"),
        (template(network("a", copy={"name": "l", "count": 900})), "copy count"),
        (template({"type": VNET, "name": "a/b/c"}), "incorrect segment lengths"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_its_cause(
    arm: Arm, written: dict[str, Any], words: str
) -> None:
    answer = deploy(arm, written)

    assert (answer.status, answer.code) == (400, "InvalidTemplate")
    assert words in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"p": {"value": 7}}, "type is not valid"),
        ({"p": {"value": "x"}}, "not part of the allowed value(s): 'a, b'"),
        ({"p": {"value": "a"}, "q": {"value": 1}}, "'q' in the parameters file are not valid"),
        ({"p": "a"}, "must be an object"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(
    arm: Arm, parameters: dict[str, Any], words: str
) -> None:
    written = template(parameters={"p": {"type": "string", "allowedValues": ["a", "b"]}})
    answer = deploy(arm, written, parameters=parameters)

    assert (answer.status, answer.code) == (400, "InvalidTemplate")
    assert words in answer.json["error"]["message"]


def test_a_refused_resource_fails_its_deployment_and_both_are_told(arm: Arm) -> None:
    answer = deploy(arm, template(network("a", location="")))
    assert answer.status == 201
    subnet = {"type": f"{VNET}/subnets", "apiVersion": "2023-09-01", "name": "none/s"}
    failed = deploy(arm, template(subnet))
    assert (failed.status, failed.code) == (404, "DeploymentFailed")
    assert "ParentResourceNotFound" in failed.json["error"]["message"]
    kept = arm("GET", f"{RG}/{KIND}/d").json["properties"]
    assert (kept["provisioningState"], kept["error"]["code"]) == (
        "Failed",
        "ParentResourceNotFound",
    )


TEXTS = st.sampled_from(
    ("a", "[parameters('p')]", "[copyIndex()]", "[reference('a')]", "[concat(", "[[x", "[a.b()]",
     "[map(1, 2)]", "[lambda('x', 1)]", "[if(1)]", "[resourceId()]", "[listKeys()]", "[first(7)]",
     "[json('[')]", "[range(0, -1)]", VNET, "a/b", "[format('{9}')]", "[base64ToString('!')]",
     "[dateTimeAdd('x', 'y')]", "[items(1)]", "[toObject(createArray(1), 1)]", "[sort(1, 1)]")
)  # fmt: skip
VALUES = st.none() | st.booleans() | st.integers(-5, 900) | TEXTS | st.lists(TEXTS, max_size=2)
BLOCKS = st.dictionaries(
    st.sampled_from(("type", "name", "scope", "count", "value", "defaultValue", "copy", "input",
                     "dependsOn", "condition", "properties", "template", "resources", "existing")),
    VALUES | st.dictionaries(st.sampled_from(("name", "count", "input", "template")), VALUES),
    max_size=5,
)  # fmt: skip
TEMPLATES = st.fixed_dictionaries(
    {},
    optional={
        "resources": st.lists(BLOCKS, max_size=3) | st.dictionaries(TEXTS, BLOCKS) | VALUES,
        "parameters": st.dictionaries(st.just("p"), BLOCKS) | VALUES,
        "variables": BLOCKS | VALUES,
        "functions": st.lists(BLOCKS, max_size=1) | VALUES,
        "outputs": st.dictionaries(TEXTS, BLOCKS) | VALUES,
    },
)


@settings(max_examples=150)
@given(TEMPLATES | VALUES, st.dictionaries(st.just("p"), BLOCKS) | VALUES)
def test_no_template_is_answered_with_a_failure_of_the_service(
    written: object, parameters: object
) -> None:
    arm = Arm()
    arm.group()
    body = {"properties": {"template": written, "parameters": parameters}}
    for action, method in (("", "PUT"), ("/validate", "POST"), ("/whatIf", "POST")):
        assert 200 <= arm(method, f"{RG}/{KIND}/d{action}", body).status < 500


@pytest.mark.parametrize("action", ["validate", "whatIf"])
def test_a_group_that_is_missing_is_what_a_validation_says(arm: Arm, action: str) -> None:
    template = {
        "resources": [],
        "outputs": {"a": {"type": "string", "value": "[resourceGroup().id]"}},
    }
    body = {"properties": {"mode": "Incremental", "template": template}}
    group = RG.rpartition("/")[0] + "/none"
    answer = arm("POST", f"{group}/providers/Microsoft.Resources/deployments/d/{action}", body)
    assert (answer.status, answer.code) == (404, "ResourceGroupNotFound")
