"""Credentials by the names and places that they are kept under, where nobody knows their values.

That is in provider blocks, in variables that a plan keeps, in files of variables, and in the
addresses that modules come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_tfoidc.terraform.audit import detector as detection
from pytest_tfoidc.terraform.audit import finders
from pytest_tfoidc.terraform.audit.detector import Detected, Detector
from pytest_tfoidc.terraform.audit.finders import FoundCredential
from pytest_tfoidc.terraform.hcl import parser

NAMES = re.compile(
    r"(?i)(?:^|[_.-])(?:password|passwd|passphrase|pwd|secret|token|credentials?|sas"
    r"|(?:api|access|secret|account|storage|private|encryption|shared|client)_?key(?:_pem)?"
    r"|client_?secret|connection_?string|pat|sas_?token|client_certificate)(?:_value|_?\d)?$"
)
SHAPES = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"), detection.PRIVATE_KEY),
    (re.compile(r"[?&;]sig=[A-Za-z0-9%+/]{20,}"), detection.SAS_TOKEN),
    (re.compile(r"(?i)(?:Account|SharedAccess)Key=[A-Za-z0-9+/=%]{20,}"), detection.STORAGE_KEY),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40,}"), detection.SECRET),
    (re.compile(r"\bglpat-[A-Za-z0-9_-]{20}|\bAKIA[A-Z0-9]{16}\b"), detection.SECRET),
    (re.compile(r"[?&](?:access_token|private_token|token|password)=[^&\s]{8,}"), detection.SECRET),
    (re.compile(r"(?i)\bpassword=[^\s;&$<{]{6,}"), detection.SECRET),
    (re.compile(r"://[^/@:\s]*:[^/@\s$<{]+@"), detection.SECRET),
    (re.compile(r"(?:git::)?https?://[A-Za-z0-9_-]{20,}@"), detection.SECRET),
    (
        re.compile(r"(?i)\bauthorization: *(?:basic|bearer) +[A-Za-z0-9._~+/=-]{16,}"),
        detection.SECRET,
    ),
)
# What stands in a credential's place: nothing, a reference, a path, an address, a switch, an id.
PLACEHOLDER = re.compile(
    r"(?is)\s*(?:|\$\{.*\}|<[^>]*>|\(.*\)|x+|\*+|\.+|@Microsoft\.KeyVault\(.*|(?:https?|file)://[^@?]*"
    r"|/subscriptions/.*|[~.]?/[^\s=]*|true|false|null|none|\d{1,5}|change_?me|redacted|sensitive"
    r"|your[_ -].*|example.*|placeholder|todo|dummy|unset|default)\s*"
)
LEAST = 6  # letters of a value that may be a credential
AUTHORIZED = {  # attributes of providers
    **finders.OTHER_FIELDS,
    **finders.AZURERM_FIELDS,
}
PROVIDER_REMEDY = (
    "leave it out of the provider block: with a federated credential OIDC in the environment is"
    " enough; then revoke it."
)
URL_REMEDY = "let Git's credential helper, or a variable of the pipeline, hold it; then revoke it."


def shaped(text: str, detector: Detector) -> Iterator[Detected]:
    """Return the credentials in a text that are known by their value or their shape."""
    found = detector.find(text)
    yield from found
    if not found:
        for shape, kind in SHAPES:
            if match := shape.search(text):
                yield Detected(kind=kind, key=match[0])
                return


def named(name: str, value: object, detector: Detector) -> Iterator[Detected]:
    """Return a credential that its name tells, or its value."""
    if not isinstance(value, str):
        return
    found = tuple(shaped(value, detector))
    if found:
        yield from found
    elif NAMES.search(name) and len(value) >= LEAST and not PLACEHOLDER.fullmatch(value):
        yield Detected(kind=_kind(name), key=value)


def _kind(name: str) -> str:
    last = re.split(r"[.\[]", name)[-1]
    return AUTHORIZED.get(last, detection.SECRET)


def in_source(name: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in the provider blocks, module addresses and defaults of a configuration file."""
    try:
        body = parser.parse(text, file=name)
    except parser.HclError:
        return
    for block in body.blocks:
        label = f"{block.type} {' '.join(block.labels)}".strip()
        if block.type == "provider":
            for path, value in _attributes(block.body):
                for detected in _of_provider(path, value, detector):
                    yield FoundCredential(
                        f"{label}, `{path}`", detected, PROVIDER_REMEDY, set_by=name
                    )
        elif block.type == "module":
            for detected in shaped(_text(block.body.literal("source")), detector):
                yield FoundCredential(f"{label}, `source`", detected, URL_REMEDY, set_by=name)
        elif block.type == "variable":
            for detected in named(" ".join(block.labels), block.body.literal("default"), detector):
                field = f"{label}, `default`"
                yield FoundCredential(field, detected, finders.SOURCE_REMEDY, set_by=name)


def _of_provider(path: str, value: object, detector: Detector) -> Iterator[Detected]:
    last = path.rpartition(".")[2]
    found = tuple(named(last, value, detector))
    yield from found
    is_plain = isinstance(value, str) and len(value) >= LEAST and not PLACEHOLDER.fullmatch(value)
    if not found and is_plain and last in AUTHORIZED:
        yield Detected(kind=AUTHORIZED[last], key=str(value))


def _attributes(body: parser.Body, before: str = "") -> Iterator[tuple[str, object]]:
    for name, attribute in body.attributes.items():
        for path, value in _leaves(attribute.value):
            yield f"{before}{name}{path}", value
    for block in body.blocks:
        yield from _attributes(block.body, f"{before}{block.type}.")


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
            inner = path.rpartition(".")[2] if "." in path else name
            for detected in named(re.sub(r"\[\d+\]$", "", inner), leaf, detector):
                yield FoundCredential(f"{label} `{name}{path}`", detected, remedy)


def in_variables_file(name: str, text: str, detector: Detector) -> Iterator[FoundCredential]:
    """Look in a file of variables, HCL or JSON."""
    try:
        values = {n: a.value for n, a in parser.parse(text, file=name).attributes.items()}
    except parser.HclError:
        yield from finders.in_lines("its text", text, detector)
        return
    yield from in_values("variable", values, detector, remedy=finders.VARIABLE_REMEDY)


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
