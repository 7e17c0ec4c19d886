"""Deployments in Resource Manager: create, validate, what-if, operations, export, delete.

Source: https://learn.microsoft.com/rest/api/resources/deployments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.httpserver import Response
from pytest_tfoidc.mockazure.arm import documents, errors, verbs
from pytest_tfoidc.mockazure.arm.errors import ArmError
from pytest_tfoidc.mockazure.arm.listings import listed
from pytest_tfoidc.mockazure.arm.resource_ids import Place, parse_segments
from pytest_tfoidc.mockazure.arm.types.base import guid
from pytest_tfoidc.mockazure.deployments.deployment import Deployment, Outcome, World
from pytest_tfoidc.mockazure.deployments.inputs import Secrets
from pytest_tfoidc.mockazure.requests import split_path

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.arm.call import Call
    from pytest_tfoidc.mockazure.arm.estate import Estate

KIND = "microsoft.resources/deployments"
TEMPLATES = "templates"  # below a deployment: what it was made of, for exportTemplate
MODES = ("Incremental", "Complete")
NO_SECRETS = "KeyVaultParameterReferenceSecretRetrieveFailed"

Enters = Callable[["Call", str, str, str, Any], Response]  # call, method, id, version, body


def no_secrets(_: Mapping[str, Any]) -> str:
    """Refuse a reference to a vault's secret: nobody has said where vaults are.

    Raises:
        ArmError: Always.
    """
    raise ArmError(400, NO_SECRETS, "The secret of the KeyVault parameter was not found.")


@dataclass
class Deployments:
    """The deployments of Resource Manager.

    Args:
        estate: Holds the resources, and the deployments among them.
        enter: Sends a request of a deployment through Resource Manager's own door.
        subscription: Returns the document of a subscription, by its id; of the own one by none.
        secrets: Reads a secret that a parameter refers to.
    """

    estate: Estate
    enter: Enters
    subscription: Callable[[str], Mapping[str, Any]]
    secrets: Secrets = field(default=no_secrets)

    def write(self, call: Call) -> Response:
        """PUT a deployment: make what its template says."""
        self.estate.check_parent(call, write=True)
        before = self.estate.store.get(call.place.key)
        properties = self._properties(call.body)
        location = str(call.body.get("location", ""))
        try:
            made = self._deployment(call, call.place, properties, location)
            outcome = made.run()
            if str(properties.get("mode", "")).lower() == "complete":
                self._complete(call, outcome)
        except ArmError as error:
            self._keep(call, call.place, properties, error=error)
            raise _failed(error) from error
        document = self._keep(call, call.place, properties, outcome, location=location)
        return verbs.given(document, status=200 if before else 201)

    @staticmethod
    def _properties(body: Mapping[str, Any]) -> dict[str, Any]:
        properties = body.get("properties")
        if not isinstance(properties, dict):
            raise ArmError(400, "InvalidRequestContent", "The deployment has no 'properties'.")
        mode = properties.get("mode", MODES[0])
        if str(mode).lower() not in {m.lower() for m in MODES}:
            raise ArmError(400, "InvalidDeployment", f"The deployment mode '{mode}' is invalid.")
        return properties

    def _deployment(
        self, call: Call, place: Place, properties: Mapping[str, Any], location: str
    ) -> Deployment:
        world = World(
            door=lambda method, target, version, body: self._through(
                call, method, target, version, body
            ),
            find=lambda resource_id: self._find(call, resource_id),
            secrets=self.secrets,
            tenant_id=call.caller.tenant_id,
            subscription=self.subscription(place.subscription),
            now=call.now,
        )
        return Deployment(
            world=world,
            name=place.name,
            place=place.parent.id,
            location=location,
            properties=properties,
        )

    def _find(self, call: Call, resource_id: str) -> Mapping[str, Any] | None:
        try:
            place = parse_segments(split_path(resource_id))
        except ValueError:
            return None
        return self.estate.find(call, place)

    def _through(self, call: Call, method: str, target: str, version: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        if method == "KEEP":
            properties, outcome, location = body
            place = parse_segments(split_path(target))
            return self._keep(call, place, properties, outcome, location=str(location or ""))
        response = self.enter(call, method, target, version, body)
        operation = self.estate.operations.on(target.lower())
        while operation is not None and not operation.done(self.estate.operations.now()):
            self.estate.operations.poll(operation)
            self.estate.settle()
            operation = self.estate.operations.on(target.lower())
        return json.loads(response.body) if response.body else {}

    def _complete(self, call: Call, outcome: Outcome) -> None:
        """Delete what is in the group and not in the template."""
        kept = {resource_id.lower() for resource_id in outcome.ids}
        scope = call.place.parent
        for resource in list(self.estate.store.tree(scope.key)):
            around = any(f"{resource.key}/".startswith(f"{k}/") for k in kept)
            within = any(f"{k}/".startswith(f"{resource.key}/") for k in kept)
            if resource.key != scope.key and resource.is_tracked and not around and not within:
                self.estate.remove(resource.key)

    def _keep(  # noqa: PLR0913 - keyword only
        self,
        call: Call,
        place: Place,
        properties: Mapping[str, Any],
        outcome: Outcome | None = None,
        *,
        location: str = "",
        error: ArmError | None = None,
    ) -> dict[str, Any]:
        """Store a deployment as it reads, and its template beside it."""
        shown = _shown(call, place, properties, outcome)
        if error is not None:
            shown |= {
                "provisioningState": "Failed",
                "error": {"code": error.code, "message": error.message},
            }
        tags = call.body.get("tags") if place.key == call.place.key else None
        document = {
            "id": place.id,
            "name": place.name,
            "type": "Microsoft.Resources/deployments",
            **({"location": location} if location else {}),
            **({"tags": tags} if tags else {}),
            "properties": shown,
        }
        self.estate.store.put(place, document)
        kept = place.child(TEMPLATES, "default")
        content: dict[str, Any] = {"id": kept.id, "name": "default", "type": kept.kind}
        content["properties"] = properties.get("template") or {}
        self.estate.store.put(kept, content)
        return document

    def act(self, call: Call) -> Response:
        """POST `validate`, `whatIf`, `exportTemplate` or `cancel`."""
        place = call.place.parent
        action = call.place.name.lower()
        if action == "exporttemplate":
            kept = self.estate.store.get(place.child(TEMPLATES, "default").key)
            if kept is None:
                raise not_found(place)
            return Response.json({"template": kept.properties})
        if action == "cancel":
            raise errors.conflict(
                f"The deployment '{place.name}' cannot be cancelled: it has ended.",
                code="DeploymentCannotBeCancelled",
            )
        if action not in {"validate", "whatif"}:
            raise errors.method_not_allowed("POST", "GET")
        self.estate.check_parent(replace(call, place=place), write=True)
        properties = self._properties(call.body)
        location = str(call.body.get("location", ""))
        outcome = self._deployment(call, place, properties, location).validated()
        if action == "whatif":
            return Response.json(self._what_if(call, outcome))
        return Response.json(self._valid(call, place, properties, outcome))

    def _valid(
        self, call: Call, place: Place, properties: Mapping[str, Any], outcome: Outcome
    ) -> dict[str, Any]:
        return {
            "id": place.id,
            "name": place.name,
            "type": "Microsoft.Resources/deployments",
            "properties": {
                "mode": str(properties.get("mode", MODES[0])).capitalize(),
                "parameters": outcome.parameters,
                "providers": _providers(outcome.ids),
                "provisioningState": "Succeeded",
                "timestamp": documents.written_moment(call.now),
                "validatedResources": [{"id": resource_id} for resource_id in outcome.ids],
                "dependencies": [],
            },
        }

    def _what_if(self, call: Call, outcome: Outcome) -> dict[str, Any]:
        changes = []
        for one in outcome.resources:
            before = self._find(call, one.id)
            kind = "Create" if before is None else "Deploy"
            changes.append({"resourceId": one.id, "changeType": kind, "before": before})
        return {"status": "Succeeded", "properties": {"changes": changes}}

    def operations(self, call: Call) -> Response:
        """GET what a deployment did, resource by resource."""
        place = call.place.parent
        deployment = self.estate.store.get(place.key)
        if deployment is None:
            raise not_found(place)
        made = deployment.properties.get("outputResources") or []
        found = [_operation(deployment.id, item["id"], deployment.properties) for item in made]
        if call.place.pairs:
            wanted = [o for o in found if o["operationId"] == call.place.name.upper()]
            if not wanted:
                raise not_found(call.place)
            return Response.json(wanted[0])
        return listed(call, found)


def not_found(place: Place) -> ArmError:
    """Return the 404 for a deployment that is not there."""
    message = f"Deployment '{place.name}' could not be found."
    return ArmError(404, "DeploymentNotFound", message)


def _shown(
    call: Call, place: Place, properties: Mapping[str, Any], outcome: Outcome | None
) -> dict[str, Any]:
    """Return the properties of a deployment that has succeeded, as they are read."""
    template = properties.get("template") or {}
    hashed = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    ids = outcome.ids if outcome else []
    return {
        "templateHash": str(int(hashed[:16], 16)),
        "parameters": outcome.parameters if outcome else {},
        "mode": str(properties.get("mode", MODES[0])).capitalize(),
        "provisioningState": "Succeeded",
        "timestamp": documents.written_moment(call.now),
        "duration": "PT1S",
        "correlationId": guid(place.id, "correlationId"),
        "providers": _providers(ids),
        "dependencies": [],
        "outputs": outcome.outputs if outcome else None,
        "outputResources": [{"id": resource_id} for resource_id in ids],
        **{n: properties[n] for n in ("debugSetting", "templateLink") if n in properties},
    }


def _failed(error: ArmError) -> ArmError:
    """Return the failure of a deployment; a template that cannot be used is told as it is."""
    if error.code.startswith(("Invalid", "KeyVaultParameter", "TemplateSpec")):
        return error
    message = (
        "At least one resource deployment operation failed. Please list deployment operations for "
        f"details. {error.code}: {error.message}"
    )
    return ArmError(error.status if error.status < 500 else 400, "DeploymentFailed", message)  # noqa: PLR2004 - a failure of ours is none


def _operation(
    deployment_id: str, resource_id: str, properties: Mapping[str, Any]
) -> dict[str, Any]:
    operation_id = guid(f"{deployment_id}/{resource_id}", "operation").replace("-", "")[:16].upper()
    place = parse_segments(split_path(resource_id))
    return {
        "id": f"{deployment_id}/operations/{operation_id}",
        "operationId": operation_id,
        "properties": {
            "provisioningOperation": "Create",
            "provisioningState": properties.get("provisioningState"),
            "timestamp": properties.get("timestamp"),
            "duration": "PT1S",
            "statusCode": "OK",
            "targetResource": {
                "id": resource_id,
                "resourceType": place.kind,
                "resourceName": place.names,
            },
        },
    }


def _providers(ids: list[str]) -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, None]] = {}
    for resource_id in ids:
        namespace, _, kind = parse_segments(split_path(resource_id)).kind.partition("/")
        kinds.setdefault(namespace, {})[kind] = None
    return [
        {"namespace": n, "resourceTypes": [{"resourceType": k, "locations": [None]} for k in found]}
        for n, found in kinds.items()
    ]
