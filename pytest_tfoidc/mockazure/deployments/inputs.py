"""Parameters, variables and functions of a template, checked as Azure checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.deployments.evaluation import LATER, Scope
from pytest_tfoidc.mockazure.deployments.expressions import invalid

Value = Any
Secrets = Callable[[Mapping[str, Any]], str]  # a reference to a vault's secret -> its value
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "securestring": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
    "secureobject": dict,
}
SECURE = ("securestring", "secureobject")


def block_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a block of a template; empty where there is none.

    Raises:
        ArmError: It is something else.
    """
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise invalid(f"The template's '{name}' must be an object")
    return found


def with_parameters(
    scope: Scope, template: Mapping[str, Any], given: Mapping[str, Any], *, secrets: Secrets
) -> Scope:
    """Return a scope that has a template's parameters: given ones, or their defaults.

    Raises:
        ArmError: One is missing, unknown, or of another type than it should be.
    """
    declared = block_of(template, "parameters")
    known = {name.lower() for name in declared}
    unknown = [name for name in given if name.lower() not in known]
    if unknown:
        raise invalid(
            f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; "
            "they are not present in the original template and can therefore not be provided at "
            "deployment time"
        )
    lower = {name.lower(): value for name, value in given.items()}
    values: dict[str, Value] = {}
    for name, declaration in declared.items():
        own = declaration if isinstance(declaration, dict) else {}
        current = replace(scope, parameters=values)
        values[name.lower()] = _parameter(current, name, own, lower, secrets=secrets)
    return replace(scope, parameters=values)


def _parameter(
    scope: Scope,
    name: str,
    declaration: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    secrets: Secrets,
) -> Value:
    if name.lower() in given:
        value = _given(name, given[name.lower()], secrets)
    elif "defaultValue" in declaration:
        value = replace(scope, in_defaults=True).value(declaration["defaultValue"])
    elif declaration.get("nullable") is True:
        return None
    else:
        message = f"The value for the template parameter '{name}' is not provided"
        raise invalid(f"{message}. Please see https://aka.ms/arm-deploy/#parameter-file for usage")
    if value is not LATER and not (value is None and declaration.get("nullable") is True):
        _check_type(name, declaration, value)
        _check_bounds(name, declaration, value)
    return value


def _given(name: str, written: Value, secrets: Secrets) -> Value:
    if not isinstance(written, dict):
        raise invalid(f"The parameter '{name}' must be an object with a 'value' or a 'reference'")
    reference = written.get("reference")
    if isinstance(reference, dict):
        return secrets(reference)
    return written.get("value")


def _check_type(name: str, declaration: Mapping[str, Any], value: Value) -> None:
    kind = str(declaration.get("type", "")).lower()
    if "$ref" in declaration or not kind:
        return
    expected = TYPES.get(kind)
    if expected is None:
        raise invalid(f"The type '{declaration.get('type')}' of parameter '{name}' is not known")
    is_bool = isinstance(value, bool)
    if not isinstance(value, expected) or (is_bool and kind == "int"):
        raise ArmError(
            400,
            "InvalidTemplate",
            f"Deployment template validation failed: 'Template parameter JToken type is not valid. "
            f"Expected '{declaration.get('type')}' for the parameter '{name}'.'.",
        )


def _check_bounds(name: str, declaration: Mapping[str, Any], value: Value) -> None:
    allowed = declaration.get("allowedValues")
    if isinstance(allowed, list) and not _is_allowed(value, allowed):
        choices = ", ".join(map(str, allowed))
        raise invalid(
            f"The provided value '{value}' for the template parameter '{name}' is not valid. The "
            f"value is not part of the allowed value(s): '{choices}'"
        )
    size = value if isinstance(value, int) else len(value) if hasattr(value, "__len__") else 0
    least, most = (declaration.get(n) for n in _bounds(value))
    if (isinstance(least, int) and size < least) or (isinstance(most, int) and size > most):
        raise invalid(f"The provided value for the template parameter '{name}' is out of bounds")


def _is_allowed(value: Value, allowed: list[Value]) -> bool:
    if isinstance(value, list):
        return all(item in allowed for item in value) or value in allowed
    lower = {a.lower() for a in allowed if isinstance(a, str)}
    return value.lower() in lower if isinstance(value, str) else value in allowed


def _bounds(value: Value) -> tuple[str, str]:
    return ("minValue", "maxValue") if isinstance(value, int) else ("minLength", "maxLength")


def with_variables(scope: Scope, template: Mapping[str, Any]) -> Scope:
    """Return a scope that has a template's variables; they may name each other.

    Raises:
        ArmError: They name each other in a circle, or one cannot be evaluated.
    """
    written = block_of(template, "variables")
    variables = _Variables(scope, {n: v for n, v in written.items() if n != "copy"})
    values = variables.evaluated
    loops = written.get("copy")
    for loop in loops if isinstance(loops, list) else ():
        made = replace(scope, variables=values).copied(loop, input_name="input")
        values = {**values, **{n.lower(): v for n, v in made.items()}}
        variables.known |= values
    return replace(scope, variables=values)


class _Variables(dict[str, Value]):
    """Variables, each evaluated when it is first asked for."""

    def __init__(self, scope: Scope, written: Mapping[str, Value]) -> None:
        super().__init__()
        self._scope = replace(scope, variables=self)
        self._written = {name.lower(): value for name, value in written.items()}
        self._open: set[str] = set()
        self.known: dict[str, Value] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._written or name in self.known

    def __getitem__(self, name: str) -> Value:
        if name not in self.known:
            if name in self._open:
                raise invalid(f"The template variable '{name}' refers to itself")
            self._open.add(name)
            self.known[name] = self._scope.value(self._written[name])
        return self.known[name]

    @property
    def evaluated(self) -> dict[str, Value]:
        """All of them; those that need a loop's list are left for later."""
        for name in self._written:
            self[name]
        return dict(self.known)


def own_functions(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the functions that a template defines, as `namespace.name` in lower case.

    Raises:
        ArmError: They are malformed.
    """
    found: dict[str, Mapping[str, Any]] = {}
    spaces = template.get("functions")
    for space in spaces if isinstance(spaces, list) else ():
        if not isinstance(space, dict):
            raise invalid("A namespace of functions must be an object")
        for name, function in block_of(space, "members").items():
            if isinstance(function, dict):
                found[f"{space.get('namespace', '')}.{name}".lower()] = function
    return found


def shown(template: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """Return the parameters as a deployment shows them: secure ones without their values."""
    result: dict[str, Any] = {}
    for name, declaration in block_of(template, "parameters").items():
        kind = str(declaration.get("type", "String")) if isinstance(declaration, dict) else "String"
        typed: dict[str, Any] = {"type": kind[:1].upper() + kind[1:]}
        if kind.lower() not in SECURE:
            value = scope.parameters.get(name.lower())
            typed["value"] = None if value is LATER else value
        result[name] = typed
    return result
