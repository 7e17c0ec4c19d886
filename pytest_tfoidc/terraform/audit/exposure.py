"""Credentials by the names and places that they are kept under, where nobody knows their values.

That is in all blocks of a configuration, in variables that a plan keeps, in files of variables and
of backends, in states, and in the addresses that modules come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_tfoidc.terraform.audit import detector as detection
from pytest_tfoidc.terraform.audit import finders
from pytest_tfoidc.terraform.audit.detector import Detected, Detector, texts_in_base64
from pytest_tfoidc.terraform.audit.finders import FoundCredential
from pytest_tfoidc.terraform.audit.shapes import by_shape
from pytest_tfoidc.terraform.hcl import parser

NAMES = re.compile(  # in small letters, with underscores
    r"(?:^|[_.-])(?:password|passwd|passphrase|pwd|secret|token|credentials?|sas|authorization"
    r"|(?:api|app|access|secret|account|storage|private|encryption|shared|client|signing|auth"
    r"|master|function|license|webhook|subscription|instrumentation)_?key(?:_pem|_data)?"
    r"|client_?secret|connection_?string|pat|sas_?token|client_certificate)(?:_value|_?\d)?$"
)
SURE = re.compile(r"passw|pwd|passphrase|key|client_?secret")  # no name of a thing in Kubernetes
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
KEYLESS = re.compile(r"[^=;]+=[^;]*;.*", re.DOTALL)  # a connection string: its shape tells more
# What stands in a credential's place: nothing, a reference, a path, an address, a switch, an id.
PLACEHOLDER = re.compile(
    r"(?is)\s*(?:|\$\{.*\}|<[^>]*>|\(.*\)|x+|\*+|\.+|@Microsoft\.KeyVault\(.*|(?:https?|file)://[^@?]*"
    r"|/subscriptions/.*|[~.]?/[^\s=]*|true|false|null|none|\d{1,5}|change_?me|redacted|sensitive"
    r"|.*\\$\{.*|your[_ -].*|example.*|placeholder|todo|dummy|unset|default)\s*"
)
LEAST = 6  # letters of a value that may be a credential
AUTHORIZED = {  # attributes of providers
    **dict.fromkeys(("auth", "personal_access_token", "secret_access_key"), detection.SECRET),
    **finders.OTHER_FIELDS,
    **finders.AZURERM_FIELDS,
}
PROVIDER_REMEDY = (
    "leave it out of the provider block: with a federated credential OIDC in the environment is"
    " enough; then revoke it."
)
URL_REMEDY = "let Git's credential helper, or a variable of the pipeline, hold it; then revoke it."


def shaped(text: str, detector: Detector) -> Iterator[Detected]:
    """Return the credentials in a text that are known by their value or their shape.

    What is in base64, such as the custom data of a machine, is looked through as well.
    """
    found = detector.find(text)
    yield from found
    texts = () if found else (text, *texts_in_base64(text))
    one = next(filter(None, map(by_shape, texts)), None)
    if one:
        yield one


def named(
    name: str, value: object, detector: Detector, *, is_loose: bool = True
) -> Iterator[Detected]:
    """Return a credential that its name tells, or its value, also inside of JSON.

    Args:
        name: The name of a variable or an attribute.
        value: Its value.
        detector: What finds known credentials.
        is_loose: Whether `secret` and `token` alone are names of credentials, whatever the value.
    """
    if not isinstance(value, str):
        return
    inside = tuple(_in_json(value, detector))
    found = inside or tuple(shaped(value, detector))
    if found:
        yield from found
    elif _is_named(name, value, is_loose=is_loose):
        yield Detected(kind=_kind(name), key=value)


def _is_named(name: str, value: str, *, is_loose: bool) -> bool:
    name = CAMEL.sub("_", name).lower()
    if not NAMES.search(name) or len(value) < LEAST or PLACEHOLDER.fullmatch(value):
        return False
    if name.endswith("string") and KEYLESS.fullmatch(value):
        return False
    return is_loose or bool(SURE.search(name)) or any(letter.isdigit() for letter in value)


def _in_json(text: str, detector: Detector) -> Iterator[Detected]:
    if not text.lstrip().startswith(("{", "[")):
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    for path, leaf in _leaves(value):
        yield from named(_last(path), leaf, detector)


def _last(path: str) -> str:
    return re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])


def _kind(name: str) -> str:
    last = re.split(r"[.\[]", name)[-1]
    return AUTHORIZED.get(last, detection.SECRET)


def in_source(name: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in every block of a configuration file: providers, backends, modules, locals, …."""
    try:
        body = parser.parse(text, file=name)
    except parser.HclError:
        yield from in_text("its text", text, detector, remedy=finders.SOURCE_REMEDY)
        return
    for block in body.blocks:
        yield from _in_block(name, block, detector)
    for path, value in _attributes(parser.Body(attributes=body.attributes)):
        for detected in _authorizing(path, value, detector):
            yield FoundCredential(f"`{path}`", detected, finders.SOURCE_REMEDY, set_by=name)


def _in_block(name: str, block: parser.Block, detector: Detector) -> Iterator[FoundCredential]:
    label = f"{block.type} {' '.join(block.labels)}".strip()
    for path, value in _attributes(block.body):
        is_source = block.type == "module" and path == "source"
        is_default = block.type == "variable" and path.startswith("default")
        if block.type in ("provider", "terraform", "credentials"):
            found, remedy = _authorizing(path, value, detector), PROVIDER_REMEDY
        elif is_source:
            found, remedy = shaped(_text(value), detector), URL_REMEDY
        else:
            its_name = " ".join(block.labels) if path == "default" else _last(path)
            found = named(its_name, value, detector, is_loose=is_default)
            remedy = finders.SOURCE_REMEDY
        for detected in found:
            yield FoundCredential(f"{label}, `{path}`", detected, remedy, set_by=name)


def _authorizing(path: str, value: object, detector: Detector) -> Iterator[Detected]:
    """Return what an attribute of a provider or a backend gives away."""
    last = _last(path)
    found = tuple(named(last, value, detector))
    yield from found
    is_plain = isinstance(value, str) and len(value) >= LEAST and not PLACEHOLDER.fullmatch(value)
    if not found and is_plain and last in AUTHORIZED:
        yield Detected(kind=AUTHORIZED[last], key=str(value))


def _attributes(body: parser.Body, before: str = "") -> Iterator[tuple[str, object]]:
    for name, attribute in body.attributes.items():
        yield from _of_expression(f"{before}{name}", attribute.expression)
    for block in body.blocks:
        yield from _attributes(block.body, f"{before}{block.type}.")


def _of_expression(path: str, expression: parser.Expression) -> Iterator[tuple[str, object]]:
    """Return the literals in an expression, those that a function takes included."""
    if expression.value is not parser.NOT_LITERAL:
        yield from ((f"{path}{inner}", leaf) for inner, leaf in _leaves(expression.value))
    elif expression.entries or expression.items:
        for key, inner in expression.entries.items():
            yield from _of_expression(f"{path}.{key}", inner)
        for number, inner in enumerate(expression.items):
            yield from _of_expression(f"{path}[{number}]", inner)
    else:
        for found in LITERAL.finditer(expression.text):
            key = found["key"]
            yield f"{path}.{key}" if key else f"{path}(…)", found["text"].replace('\\"', '"')


LITERAL = re.compile(
    r'(?:(?P<key>[A-Za-z_][\w-]*)"?\s*[=:]\s*)?"(?P<text>(?:[^"\\\n]|\\.)*)"(?!\s*[=:](?!=))'
)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def in_values(
    label: str, values: Mapping[str, Any], detector: Detector, *, remedy: str
) -> Iterator[FoundCredential]:
    """Look in variables by their names. `label`: such as "root variable"."""
    for name, value in values.items():
        for path, leaf in _leaves(value):
            plain = path.removesuffix(".value")  # of what `show -json` writes
            inner = _last(plain) if "." in plain else name
            for detected in named(inner, leaf, detector):
                yield FoundCredential(f"{label} `{name}{path}`", detected, remedy)


def in_variables_file(name: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a file of variables, HCL or JSON."""
    try:
        values = {n: a.value for n, a in parser.parse(text, file=name).attributes.items()}
    except parser.HclError:
        yield from in_text("its text", text, detector, remedy=finders.VARIABLE_REMEDY)
        return
    yield from in_values("variable", values, detector, remedy=finders.VARIABLE_REMEDY)


def in_backend_file(name: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a file of a backend's settings, as `-backend-config` takes it."""
    remedy = finders.ENVIRONMENT
    for finding in in_source(name, text, detector):
        yield FoundCredential(f"backend, {finding.field}", finding.detected, remedy)


def in_document(text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in JSON of any kind, such as `terraform show -json` writes."""
    document = finders.parsed(text)
    values = document if isinstance(document, dict) else {"": document}
    yield from in_values("value", values, detector, remedy=finders.STATE_REMEDY)


def in_resources(state: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a state's resources by shape; where it marks a value as sensitive, by name too."""
    for label, instance in finders.instances_of(state):
        sensitive = {".".join(path) for path in finders.sensitive_paths(instance)}
        for path, leaf in _leaves(finders.attributes_of(instance)):
            plain = path.removeprefix(".")
            is_sensitive = any(f"{plain}.".startswith(f"{one}.") for one in sensitive)
            name = _last(path).replace("primary_", "").replace("secondary_", "")
            found = tuple(named(name, leaf, detector)) if is_sensitive else ()
            for detected in found or shaped(_text(leaf), detector):
                yield FoundCredential(f"{label}, `{plain}`", detected, finders.STATE_REMEDY)


def in_manifest(text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in the addresses of `.terraform/modules/modules.json`."""
    try:
        modules = json.loads(text).get("Modules") or []
        addresses = [(str(one.get("Key", "")), str(one.get("Source", ""))) for one in modules]
    except (ValueError, AttributeError, TypeError, RecursionError):
        addresses = [("", text)]
    for key, address in addresses:
        for detected in shaped(address, detector):
            yield FoundCredential(f"module {key}, `Source`", detected, URL_REMEDY)


def in_text(label: str, text: str, detector: Detector, *, remedy: str) -> Iterator[FoundCredential]:
    """Look in a text of any kind, line by line, so that a finding names its line."""
    for number, line in enumerate(text.split("\n"), 1):
        for detected in shaped(line, detector):
            yield FoundCredential(f"{label}, line {number}", detected, remedy)


def in_outputs(state: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in the outputs of a state that are not sensitive: everybody sees them."""
    try:
        outputs = json.loads(state).get("outputs") or {}
        shown = {n: o.get("value") for n, o in outputs.items() if not o.get("sensitive")}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return
    yield from in_values("output", shown, detector, remedy=finders.OUTPUT_REMEDY)


def unique(findings: Iterable[FoundCredential]) -> list[FoundCredential]:
    """Return what is found, each credential once, where it comes from first."""
    kept: dict[str, FoundCredential] = {}
    for finding in findings:
        kept.setdefault(finding.detected.key, finding)
    return list(kept.values())
