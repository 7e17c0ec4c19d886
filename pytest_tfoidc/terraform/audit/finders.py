"""Where credentials are looked for: in the values of plans, backends and states, and in texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from pytest_tfoidc.terraform.audit import detector as detection
from pytest_tfoidc.terraform.audit.detector import Detected, Detector
from pytest_tfoidc.terraform.audit.planfile import SavedPlan

LOCK_NAME = ".terraform.lock.hcl"
BACKEND_CONFIG = "-backend-config"
NEWLINE = "\n"
# Of a value, as a state writes them: `"string"`, `["list", "string"]`.
TYPES = ("string", "number", "bool", "list", "set", "map", "object", "tuple")

AZURERM = "azurerm"
AZURERM_FIELDS = {
    "oidc_token": detection.ID_TOKEN,
    "oidc_request_token": detection.REQUEST_TOKEN,
    "client_secret": detection.CLIENT_SECRET,
    "client_certificate": detection.CLIENT_CERTIFICATE,
    "client_certificate_password": detection.CERTIFICATE_PASSWORD,
    "access_key": detection.STORAGE_ACCESS_KEY,
    "sas_token": detection.SAS_TOKEN,
}
# of s3, gcs, http, remote, cloud, consul, kubernetes, oss, cos and oci
OTHER_FIELDS = dict.fromkeys(
    (
        "access_token",
        "client_key",
        "client_private_key_pem",
        "client_secret",
        "encryption_key",
        "http_auth",
        "password",
        "private_key",
        "private_key_password",
        "secret_key",
        "security_token",
        "sse_customer_key",
        "token",
        "web_identity_token",
    ),
    detection.SECRET,
)
# the address of a pg or http backend; a service account's key, where gcs also takes a path
SECRET_IN_TEXT = re.compile(r'://[^/@:\s]*:[^/@\s]+@|\bpassword=[^\s&]|"private_key"\s*:')

REFRESH = (
    "ARM_OIDC_REQUEST_URL, ARM_OIDC_REQUEST_TOKEN and ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"
    " in the environment are enough."
)
FEDERATION = f"with a federated credential, {REFRESH}"
ENTRA = "with use_azuread_auth = true, OIDC in the environment is enough."
ENVIRONMENT = "give it in the environment variable that the backend reads."
BACKEND_REMEDIES = {
    detection.ID_TOKEN: REFRESH,
    detection.REQUEST_TOKEN: REFRESH,
    detection.CLIENT_SECRET: FEDERATION,
    detection.CLIENT_CERTIFICATE: FEDERATION,
    detection.CERTIFICATE_PASSWORD: FEDERATION,
    detection.STORAGE_ACCESS_KEY: ENTRA,
    detection.SAS_TOKEN: ENTRA,
}
VARIABLE_REMEDY = (
    "declare the variable with `ephemeral = true` (Terraform 1.10), or let the provider read the"
    " value from its environment."
)
STATE_REMEDY = (
    "give it to a write-only argument (Terraform 1.11), or read it in an ephemeral resource where"
    " it is used; then revoke it."
)
OUTPUT_REMEDY = "leave it out of the outputs, and revoke it."
SOURCE_REMEDY = "take it out of the file, and revoke it."


@dataclass(frozen=True)
class FoundCredential:
    """A credential in a field of a file."""

    field: str
    detected: Detected
    remedy: str
    set_by: str = ""


def in_plan(plan: SavedPlan, detector: Detector) -> Iterator[FoundCredential]:
    """Look first where a value comes from; what follows from it is told only if nothing else is."""
    told: set[str] = set()
    for group in (
        _plan_values(plan, detector),
        _plan_sources(plan, detector),
        _plan_parts(plan, detector),
    ):
        findings = [finding for finding in group if finding.detected.key not in told]
        told |= {finding.detected.key for finding in findings}
        yield from findings


def _plan_values(plan: SavedPlan, detector: Detector) -> Iterator[FoundCredential]:
    label = f"backend {plan.backend_type}"
    yield from in_backend(label, plan.backend_type, plan.backend_config, plan.sources, detector)
    label = f"provider of {label}"
    yield from in_backend(label, "", plan.provider_config, plan.sources, detector)
    for name, value in plan.variables.items():
        for path, text in _strings(value):
            for detected in detector.find(text):
                yield FoundCredential(f"root variable `{name}{path}`", detected, VARIABLE_REMEDY)
    for state in (plan.prior_state, plan.previous_state):
        for finding in in_state(state, detector):
            yield replace(finding, field=f"state, {finding.field}")


def _plan_sources(plan: SavedPlan, detector: Detector) -> Iterator[FoundCredential]:
    for name, text in plan.sources.items():
        yield from in_lines(f"source {name}", text, detector)
    yield from in_lines(LOCK_NAME, plan.lock_file, detector)


def _plan_parts(plan: SavedPlan, detector: Detector) -> Iterator[FoundCredential]:
    for part in plan.parts:
        for detected in detector.find(part.raw.decode("utf-8", "replace")):
            yield FoundCredential(part.label, detected, STATE_REMEDY)


def backend_secrets(backend: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values of a backend's configuration that must never be shown."""
    detector = Detector()
    return tuple(
        text
        for path, text in _strings(config)
        if _in_attribute(backend, path.removeprefix("."), text, detector)
    )


def in_backend(
    label: str,
    backend: str,
    config: Mapping[str, Any],
    sources: Mapping[str, str],
    detector: Detector,
) -> Iterator[FoundCredential]:
    """Look in the attributes of a backend's or its provider's configuration.

    Args:
        label: What it is called in a finding's field.
        backend: The backend's type; empty for a provider's configuration.
        config: The values by their attributes.
        sources: The texts of the module's files, to tell where a value comes from.
        detector: What finds credentials in a text.
    """
    for path, text in _strings(config):
        attribute = path.removeprefix(".")
        for detected in _in_attribute(backend, attribute, text, detector):
            hint = BACKEND_REMEDIES.get(detected.kind, ENVIRONMENT)
            yield FoundCredential(
                field=f"{label}, `{attribute}`",
                detected=detected,
                remedy=f"leave `{attribute}` out of the backend configuration; {hint}",
                set_by=_set_by(attribute, text, sources),
            )


def _in_attribute(
    backend: str, attribute: str, text: str, detector: Detector
) -> tuple[Detected, ...]:
    """Tell a credential by the attribute's name; by its value where the name says nothing."""
    found = detector.find(text)
    names = AZURERM_FIELDS if backend == AZURERM else OTHER_FIELDS
    kind = names.get(attribute.rpartition(".")[2])
    if kind is None and not found and SECRET_IN_TEXT.search(text):
        kind = detection.SECRET
    if kind is None or not text:
        return found
    return (replace(found[0], kind=kind) if found else Detected(kind=kind, key=text),)


def _set_by(attribute: str, value: str, sources: Mapping[str, str]) -> str:
    name = re.escape(attribute.rpartition(".")[2])
    written = re.compile(rf'\b{name}"?\s*[=:]\s*"{re.escape(value)}"')
    return next((file for file, text in sources.items() if written.search(text)), BACKEND_CONFIG)


def in_backend_cache(
    text: str, sources: Mapping[str, str], detector: Detector
) -> Iterator[FoundCredential]:
    """Look in what init has written down, and then in the rest of that text."""
    told: set[str] = set()
    for label, backend, config in _cached_backends(_dict(parsed(text))):
        for finding in in_backend(label, backend, config, sources, detector):
            told.add(finding.detected.key)
            yield finding
    yield from _untold(detector.find(text), told)


def _cached_backends(cache: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield label, type and configuration of a backend, or of a state store and its provider."""
    for block in (_dict(cache.get("backend")), _dict(cache.get("state_store"))):
        backend = str(block.get("type", ""))
        yield f"backend {backend}", backend, _dict(block.get("config"))
        provider = _dict(block.get("provider"))
        yield f"provider of backend {backend}", "", _dict(provider.get("config"))


def in_state(text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a state's outputs and resources, and then in the rest of its text."""
    found = detector.find(text)
    if not found:  # spares parsing, which is most of the work
        return
    told: set[str] = set()
    detector = detector.narrowed_to(found)
    for label, value, remedy in _state_parts(_dict(parsed(text))):
        for path, leaf in _strings(value):
            for detected in detector.find(leaf):
                told.add(detected.key)
                yield FoundCredential(_field(label, path), detected, remedy)
    yield from _untold(found, told)


def sensitive_in_state(text: str) -> Iterator[object]:
    """Return the values in a state that it marks as sensitive: outputs, and attributes."""
    if '"sensitive' not in text:
        return
    state = _dict(parsed(text))
    for output in map(_dict, _dict(state.get("outputs")).values()):
        if output.get("sensitive"):
            yield output.get("value")
    for resource in map(_dict, _list(state.get("resources"))):
        for instance in map(_dict, _list(resource.get("instances"))):
            for path in _list(instance.get("sensitive_attributes")):
                yield _at(instance.get("attributes"), path)


def instances_of(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the instances of a state's resources, with what each is called in a finding."""
    for resource in map(_dict, _list(_dict(parsed(text)).get("resources"))):
        for instance in map(_dict, _list(resource.get("instances"))):
            yield f"resource {_address(resource, instance)}", instance


def attributes_of(instance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a resource's instance."""
    return _dict(instance.get("attributes"))


def sensitive_paths(instance: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Return the names that lead to what a state marks as sensitive; an index ends them."""
    for path in _list(instance.get("sensitive_attributes")):
        names = [step.get("value") for step in map(_dict, _list(path))]
        keys = [_dict(name).get("value", name) for name in names]  # an index has its type
        yield tuple(map(str, takewhile(lambda key: isinstance(key, str), keys)))


def _at(value: object, path: object) -> object:
    """Return what a state's path leads to: steps of `{"type": …, "value": …}`."""
    for step in map(_dict, _list(path)):
        key = step.get("value")
        key = _dict(key).get("value", key)  # an index is a value with its type
        try:
            value = value[key]  # type: ignore[index] # what it is not, is no KeyError but a TypeError
        except (KeyError, IndexError, TypeError):
            return None
    return _untyped(value)


def _untyped(value: object) -> object:
    """Return a value of a dynamic attribute without the type that a state writes beside it."""
    written = _dict(value)
    kind = written.get("type")
    name = kind[0] if isinstance(kind, list) and kind else kind
    is_dynamic = written.keys() == {"value", "type"} and name in TYPES
    return written["value"] if is_dynamic else value


def _untold(found: Iterable[Detected], told: set[str]) -> Iterator[FoundCredential]:
    """Yield what lies outside of the fields that we know."""
    for detected in found:
        if detected.key not in told:
            yield FoundCredential("somewhere in the text", detected, SOURCE_REMEDY)


def in_lines(label: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a text of any kind; a finding names the line."""
    for detected in detector.find(text):
        before, is_plain, _ = text.partition(detected.key)
        line = f", line {before.count(NEWLINE) + 1}" if is_plain else ""
        yield FoundCredential(f"{label}{line}", detected, SOURCE_REMEDY)


def _state_parts(state: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield label, value and remedy of every output and every resource instance."""
    for name, output in _dict(state.get("outputs")).items():
        yield f"output `{name}`", output, OUTPUT_REMEDY
    for resource in map(_dict, _list(state.get("resources"))):
        for instance in map(_dict, _list(resource.get("instances"))):
            yield f"resource {_address(resource, instance)}", _flat(instance), STATE_REMEDY


def _address(resource: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    data = "data" if resource.get("mode") == "data" else ""
    parts = (resource.get("module"), data, resource.get("type"), resource.get("name"))
    address = ".".join(str(part) for part in parts if part)
    return address + (f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else "")


def _flat(instance: Mapping[str, Any]) -> Mapping[str, Any]:
    rest = {key: value for key, value in instance.items() if key not in {"attributes", "index_key"}}
    return {**rest, **_dict(instance.get("attributes"))}


def _field(label: str, path: str) -> str:
    return f"{label}, `{path.removeprefix('.')}`" if path else label


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Yield every text in a value with its path, and every key with the path of what it is in.

    States keep values of any type as `{"value": …, "type": …}`; that is not a part of the path.
    """
    stack: list[tuple[str, object]] = [("", value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict) and item.keys() - {"sensitive"} == {"value", "type"}:
            stack.append((path, item["value"]))
        elif isinstance(item, dict):
            yield from ((path, str(key)) for key in item)
            stack += [(f"{path}.{key}", inner) for key, inner in reversed(item.items())]
        elif isinstance(item, list):
            stack += [(f"{path}[{i}]", item[i]) for i in reversed(range(len(item)))]


def parsed(text: str) -> object:
    """Return what JSON says; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
