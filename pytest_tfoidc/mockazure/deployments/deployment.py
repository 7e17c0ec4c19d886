"""One deployment: a template evaluated in a scope, and its resources put through the usual door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pytest_tfoidc.entrafacts import LOGIN_HOSTS, PUBLIC
from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.deployments import inputs, templates
from pytest_tfoidc.mockazure.deployments.evaluation import LATER, Scope
from pytest_tfoidc.mockazure.deployments.expressions import invalid
from pytest_tfoidc.mockazure.deployments.inputs import block_of
from pytest_tfoidc.mockazure.deployments.templates import DEPLOYMENTS, Declared

Value = Any
# (method, id or id with an action, api-version, body) -> the answer's JSON
Door = Callable[[str, str, str, Any], Any]
USUAL_VERSION = "2022-09-01"
NESTED = 5  # levels of deployments in deployments
VERSION_OF_GROUPS = "2021-04-01"


@dataclass(frozen=True, kw_only=True)
class World:
    """The surroundings of a deployment. `now`: the virtual time."""

    door: Door
    find: Callable[[str], Mapping[str, Any] | None]
    secrets: inputs.Secrets
    tenant_id: str
    subscription: Mapping[str, Any]
    now: datetime


@dataclass
class Outcome:
    """The outcome of a deployment."""

    parameters: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    resources: list[Declared] = field(default_factory=list)


class NotYetError(Exception):
    """A reference to a resource of the same template that is not there yet."""


class Deployment:
    """A template with its parameters, in a scope.

    Args:
        world: Where it is made.
        name: The deployment's name.
        place: The id of its scope; empty for the tenant.
        location: The region that it was given.
        properties: What was written: `template`, `parameters`, `mode`.
        depth: How many deployments this one lies in.
        outer: The scope of the template that a nested one shares, where it does.
        parent: The deployment that a nested one lies in.
    """

    def __init__(  # noqa: PLR0913 - keyword only
        self,
        *,
        world: World,
        name: str,
        place: str,
        location: str = "",
        properties: Mapping[str, Any],
        depth: int = 0,
        outer: Scope | None = None,
        parent: Deployment | None = None,
    ) -> None:
        self._parent = parent
        if depth > NESTED:
            raise invalid("Deployments are nested too deeply")
        self.name = name
        self.place = place
        self._world = world
        self._location = location
        self._depth = depth
        self._template = self._read_template(properties)
        self._declared: list[Declared] = []
        self._made: set[str] = set()
        self._runs = False
        scope = self._scope(block_of(properties, "parameters"), outer)
        self._values = scope

    def _read_template(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        template = properties.get("template")
        if isinstance(template, dict):
            return template
        link = block_of(properties, "templateLink")
        if isinstance(link.get("id"), str):
            version = self._world.find(link["id"])
            found = block_of(version or {}, "properties").get("mainTemplate")
            if isinstance(found, dict):
                return found
            message = f"The template spec version '{link['id']}' could not be found."
            raise ArmError(404, "TemplateSpecVersionNotFound", message)
        if link.get("uri"):
            raise invalid(
                "Templates behind a link are not fetched by pytest-tfoidc's stand-in for Azure. "
                "Give the template itself"
            )
        message = "Either 'template' or 'templateLink' is needed."
        raise ArmError(400, "InvalidRequestContent", message)

    def _scope(self, given: Mapping[str, Any], outer: Scope | None) -> Scope:
        scope = Scope(
            functions=inputs.own_functions(self._template),
            facts=self._facts(),
            id_of=self._id_of,
            reference=self._reference,
            lists=self._lists,
            now=self._world.now,
        )
        if outer is not None:
            return replace(outer, loops={}, reference=self._reference)
        scope = inputs.with_parameters(scope, self._template, given, secrets=self._world.secrets)
        return inputs.with_variables(scope, self._template)

    def _facts(self) -> dict[str, Value]:
        world, place = self._world, self.place.lower()
        deployment = {
            "name": self.name,
            "location": self._location,
            "properties": {"template": self._template, "mode": "Incremental"},
        }
        facts: dict[str, Value] = {
            "deployment": deployment,
            "environment": {
                "name": "AzureCloud",
                "resourceManager": "https://management.azure.com/",
                "authentication": {"loginEndpoint": f"https://{LOGIN_HOSTS[PUBLIC]}/"},
                "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
            },
            "tenant": {"tenantId": world.tenant_id, "countryCode": "US"},
        }
        if place.startswith("/subscriptions/"):
            facts["subscription"] = dict(world.subscription)
        if "/resourcegroups/" in place:
            group = world.find(self.place)
            if group is not None:
                facts["resourcegroup"] = dict(group)
        if "/managementgroups/" in place:
            facts["managementgroup"] = {"id": self.place, "name": self.place.rpartition("/")[2]}
        return facts

    def _id_of(self, function: str, arguments: Sequence[Value]) -> str:
        words = [str(a) for a in arguments]
        if function == "extensionresourceid":
            base, words = words[0], words[1:]
        else:
            before = words[: _type_at(words)]
            words = words[_type_at(words) :]
            base = self._base_of(function, before)
        if not words:
            raise invalid(f"The template function '{function}' needs a resource type")
        return templates.id_of(words[0], "/".join(words[1:]), base=base)

    def _base_of(self, function: str, before: list[str]) -> str:
        if function == "tenantresourceid":
            return ""
        if function == "managementgroupresourceid":
            group = before[0] if before else self.place.rpartition("/")[2]
            return f"/providers/Microsoft.Management/managementGroups/{group}"
        own = str(self._world.subscription.get("subscriptionId", ""))
        if function == "subscriptionresourceid":
            return f"/subscriptions/{before[0] if before else own}"
        if len(before) == 2:  # noqa: PLR2004 - subscription, group
            return f"/subscriptions/{before[0]}/resourceGroups/{before[1]}"
        if before:
            return f"/subscriptions/{own}/resourceGroups/{before[0]}"
        return self.place

    def _reference(self, name: str, full: bool) -> Value:  # noqa: FBT001 - called by position
        declared = next((d for d in self._declared if d.is_called(name)), None)
        if not self._runs:
            return LATER
        if declared is None and self._parent is not None:
            return self._parent._reference(name, full)  # noqa: SLF001 - one of its own
        if declared is not None and not declared.existing and declared.key not in self._made:
            raise NotYetError(declared.name)
        found = self._world.find(declared.id if declared else name)
        if found is None:
            message = f"The resource '{name}' is not defined in the template, and is not there."
            raise ArmError(404, "ResourceNotFound", message)
        return dict(found) if full else found.get("properties") or {}

    def _lists(self, function: str, name: str, body: Value) -> Value:
        declared = next((d for d in self._declared if d.is_called(name)), None)
        if not self._runs:
            return LATER
        if declared is not None and not declared.existing and declared.key not in self._made:
            raise NotYetError(declared.name)
        target = declared.id if declared else name
        return self._world.door("POST", f"{target}/{function}", USUAL_VERSION, body or {})

    def validated(self) -> Outcome:
        """Return what would be made, after everything that is known before was evaluated.

        Raises:
            ArmError: The template cannot be used.
        """
        self._declared = templates.declared(self._template, self._values, place=self.place)
        for one in self._declared:
            if not one.existing:
                one.body()
                self._check_dependencies(one)
        outcome = Outcome(parameters=inputs.shown(self._template, self._values))
        outcome.resources = [d for d in self._declared if not d.existing]
        outcome.ids = [d.id for d in outcome.resources]
        return outcome

    def _check_dependencies(self, one: Declared) -> None:
        for name in one.depends_on():
            if "/subscriptions/" in f"/{name}" or any(d.is_called(name) for d in self._declared):
                continue
            symbols = self._template.get("resources")
            entries = symbols if isinstance(symbols, dict) else {}
            if name in {symbol.lower() for symbol in entries} or self._is_left_out(name):
                continue
            raise invalid(
                f"The resource '{name}' is not defined in the template. Please see "
                "https://aka.ms/arm-syntax for usage details"
            )

    def _is_left_out(self, name: str) -> bool:
        """Tell whether a name belongs to a resource that a condition or an empty loop left out."""
        written = self._template.get("resources")
        found = written if isinstance(written, list) else []
        tail = name.rpartition("/")[2]
        return any(
            isinstance(r, dict) and ("condition" in r or "copy" in r) and tail for r in found
        )

    def run(self) -> Outcome:
        """Put the resources in place, each after what it depends on, and evaluate the outputs.

        Raises:
            ArmError: Something is refused, or they depend on each other in a circle.
        """
        outcome = self.validated()
        self._runs = True
        waiting = list(outcome.resources)
        outcome.ids = []
        while waiting:
            put = [one for one in waiting if self._put(one, outcome)]
            if not put:
                names = ", ".join(f"'{one.name}'" for one in waiting)
                raise invalid(f"Circular dependency detected on resources: {names}")
            waiting = [one for one in waiting if one not in put]
        outcome.outputs = self._outputs()
        return outcome

    def _put(self, one: Declared, outcome: Outcome) -> bool:
        """Put a resource unless what it depends on is not there yet."""
        names = one.depends_on()
        needed = [d for d in self._declared if any(d.is_called(n) for n in names) and d is not one]
        if any(not d.existing and d.key not in self._made for d in needed):
            return False
        try:
            body = one.body()
        except NotYetError:
            return False
        if one.kind.lower() == DEPLOYMENTS:
            self._nested(one, body, outcome)
        else:
            version = one.api_version or USUAL_VERSION
            self._world.door("PUT", one.id, version, body)
            outcome.ids.append(one.id)
        self._made.add(one.key)
        return True

    def _nested(self, one: Declared, body: dict[str, Any], outcome: Outcome) -> None:
        """Put a nested deployment. Its template is evaluated in its own scope, or in this one."""
        written = block_of(one.written, "properties")
        options = block_of(written, "expressionEvaluationOptions")
        is_inner = str(one.scope.value(options.get("scope", "outer"))).lower() == "inner"
        properties = {**block_of(body, "properties")}
        if isinstance(written.get("template"), dict):
            properties["template"] = written["template"]
        nested = Deployment(
            world=self._world,
            name=one.name,
            place=one.id.rpartition("/providers/")[0],
            location=str(body.get("location", "")),
            properties=properties,
            depth=self._depth + 1,
            outer=None if is_inner else one.scope,
            parent=self,
        )
        done = nested.run()
        outcome.ids += done.ids
        self._world.door("KEEP", one.id, USUAL_VERSION, (properties, done, body.get("location")))

    def _outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        for name, written in block_of(self._template, "outputs").items():
            own = written if isinstance(written, dict) else {}
            if self._values.value(own.get("condition", True)) is False:
                continue
            kind = str(own.get("type", "String"))
            typed: dict[str, Any] = {"type": kind[:1].upper() + kind[1:]}
            if isinstance(own.get("copy"), dict):
                loop = {"name": name, **own["copy"]}
                typed["value"] = self._values.copied(loop, input_name="input")[name]
            elif kind.lower() not in inputs.SECURE:
                typed["value"] = self._values.value(own.get("value"))
            outputs[name] = typed
        return outputs


def _type_at(words: list[str]) -> int:
    """Return where the resource type stands among the arguments of `resourceId`."""
    return next((i for i, word in enumerate(words) if "/" in word and "." in word), len(words))
