"""The audit: tokens and secrets in saved plans, backend caches, states and lock files.

A finding names file and field. It never holds the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform import detection
from pytest_tfoidc.terraform.detection import Detected, Detector
from pytest_tfoidc.terraform.plan import SavedPlan, is_plan, read_plan

PLAN, BACKEND_CACHE, STATE, LOCK_FILE = "plan", "backend cache", "state", "lock file"
DATA_FOLDER = ".terraform"
CACHE_NAME = f"{DATA_FOLDER}/terraform.tfstate"
LOCK_NAME = ".terraform.lock.hcl"
BACKEND_CONFIG = "-backend-config"
SOURCE_PATTERNS = ("*.tf", "*.tf.json", "*.tofu", "*.tofu.json")
NEWLINE = "\n"
STATE_PATTERNS = ("*.tfstate", "*.tfstate.*", "terraform.tfstate.d/**/*.tfstate*")

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


@dataclass(frozen=True, kw_only=True)
class CachedCredential:
    """A token or a secret that was kept where it should not be. Never holds its value.

    Args:
        file: The file, relative to what was audited; or the name that a state was given under.
        place: What the file is: plan, backend cache, state or lock file.
        field: Where in the file, as in "backend azurerm, `oidc_token`".
        kind: One of the kinds in `detection`.
        remedy: What the user does next.
        set_by: What put it into the backend's configuration: `-backend-config` or a source file.
        expires_at: When a JWT expires (`exp`; aware, UTC).
        issuer: Who issued a JWT (`iss`).
        used_at: When it would have been used (aware), where that is known.
        is_kept: False where Terraform did not get as far as writing the file.
    """

    file: str
    place: str
    field: str
    kind: str
    remedy: str
    set_by: str = ""
    expires_at: datetime | None = None
    issuer: str = ""
    used_at: datetime | None = None
    is_kept: bool = True

    def __str__(self) -> str:
        """Say where what lies, in one line."""
        return f"{self.file}, {self.field}: {self.kind}"

    @property
    def message(self) -> str:
        """What happened, when it expires, and what to do; a line each."""
        article = "an" if self.kind in {detection.ID_TOKEN, detection.ACCESS_TOKEN} else "a"
        source = f" (set by {self.set_by})" if self.set_by else ""
        keeps = "keeps" if self.is_kept else "would keep"
        what = f"The {self.place} {keeps} {article} {self.kind}: {self.file}, {self.field}{source}."
        return "\n".join([what, *self._expiry(), f"Remedy: {self.remedy}"])

    def _expiry(self) -> Iterator[str]:
        if self.expires_at is None:
            return
        is_used = self.place in {PLAN, BACKEND_CACHE}
        code = "AADSTS700024" if is_used and self.kind == detection.ID_TOKEN else ""
        if is_used and self.used_at is not None and self.expires_at <= self.used_at:
            age = format_duration(self.used_at - self.expires_at)
            end = f": {code}." if code else "."
            yield f"It expired {age} before the apply would have used it{end}"
        else:
            end = f"; an apply after that fails with {code}." if code else "."
            yield f"It is valid until {self.expires_at:%Y-%m-%d %H:%M:%S} UTC{end}"


@dataclass(frozen=True)
class _Finding:
    """A credential in a field of a file."""

    field: str
    detected: Detected
    remedy: str
    set_by: str = ""


def audit_workspace(
    path: Path,
    *,
    plans: Sequence[Path] = (),
    secrets: Sequence[str] = (),
    states: Mapping[str, str | bytes] | None = None,
    used_at: datetime | None = None,
) -> tuple[CachedCredential, ...]:
    """Look for credentials in a module's folder after init, plan or apply.

    That is in the plans, the backend cache, local states, the lock file, and in states that were
    fetched from elsewhere.

    Args:
        path: The module's folder.
        plans: The saved plans, absolute or relative to `path`.
        secrets: Values that must not be found, whole or in part of a text, plain or in base64.
        states: Remote states, by the name that they are reported under.
        used_at: When the credentials would be used (aware).

    Raises:
        ModuleError: The folder or a file in it cannot be read.
        PlanError: A plan cannot be read.
    """
    if not path.is_dir():
        raise ModuleError("There is no such folder to audit.", where=str(path))
    audit = _Audit(Detector(secrets), used_at)
    for plan in plans:
        audit.plan(_name(path / plan, path), read_plan(path / plan))
    sources = module_sources(path)
    for name, text in _texts(path, f"{DATA_FOLDER}/*.tfstate*"):
        audit.backend_cache(name, text, sources=sources)
    for name, text in _texts(path, *STATE_PATTERNS):
        audit.state(name, text)
    for name, text in _texts(path, LOCK_NAME):
        audit.lock_file(name, text)
    for name, state in (states or {}).items():
        audit.state(name, state if isinstance(state, str) else state.decode("utf-8-sig", "replace"))
    return tuple(audit.found)


def audit_path(
    path: Path, *, secrets: Sequence[str] = (), used_at: datetime | None = None
) -> tuple[CachedCredential, ...]:
    """Look for credentials in a saved plan, or in a folder and the saved plans in it.

    Raises:
        ModuleError: The folder cannot be read.
        PlanError: The file is not a saved plan.
    """
    if path.is_dir():
        plans = sorted(file for file in path.glob("*") if file.is_file() and is_plan(file))
        return audit_workspace(path, plans=plans, secrets=secrets, used_at=used_at)
    audit = _Audit(Detector(secrets), used_at)
    audit.plan(path.name, read_plan(path))
    return tuple(audit.found)


def audit_backend(
    backend: str,
    config: Mapping[str, Any],
    *,
    sources: Mapping[str, str],
    secrets: Sequence[str] = (),
    used_at: datetime | None = None,
) -> tuple[CachedCredential, ...]:
    """Look for credentials in a backend's configuration that init has not written down yet.

    It does so when the backend answers, and the plan then takes them over from there.

    Args:
        backend: The backend's type.
        config: The values by their attributes.
        sources: The texts of the module's files, to tell where a value comes from.
        secrets: Values that must not be found.
        used_at: When the credentials would be used (aware).
    """
    audit = _Audit(Detector(secrets), used_at)
    audit.backend(backend, config, sources=sources)
    return tuple(replace(credential, is_kept=False) for credential in audit.found)


def backend_secrets(backend: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the values of a backend's configuration that must never be shown."""
    detector = Detector()
    return tuple(
        text
        for path, text in _strings(config)
        if _in_attribute(backend, path.removeprefix("."), text, detector)
    )


def module_sources(folder: Path) -> dict[str, str]:
    """Give the texts of a module's files by their names.

    Raises:
        ModuleError: One cannot be read.
    """
    return dict(_texts(folder, *SOURCE_PATTERNS))


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def _texts(folder: Path, *patterns: str) -> Iterator[tuple[str, str]]:
    files = {file for pattern in patterns for file in folder.glob(pattern)}
    for file in sorted(files):
        if file.is_file():
            yield _name(file, folder), _text(file)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig", "replace")
    except OSError as error:
        raise ModuleError(
            "A file cannot be audited.",
            where=str(file),
            cause=error.strerror or "",
            remedy="Run the audit as the user who ran Terraform.",
        ) from error


class _Audit:
    """Collects what is found in one file after the other."""

    def __init__(self, detector: Detector, used_at: datetime | None) -> None:
        self._detector = detector
        self._used_at = used_at
        self.found: list[CachedCredential] = []

    def plan(self, file: str, plan: SavedPlan) -> None:
        self._add(file, PLAN, _in_plan(plan, self._detector))

    def backend_cache(self, file: str, text: str, *, sources: Mapping[str, str]) -> None:
        self._add(file, BACKEND_CACHE, _in_backend_cache(text, sources, self._detector))

    def backend(self, kind: str, config: Mapping[str, Any], *, sources: Mapping[str, str]) -> None:
        findings = _in_backend(f"backend {kind}", kind, config, sources, self._detector)
        self._add(CACHE_NAME, BACKEND_CACHE, findings)

    def state(self, file: str, text: str) -> None:
        self._add(file, STATE, _in_state(text, self._detector))

    def lock_file(self, file: str, text: str) -> None:
        self._add(file, LOCK_FILE, _in_lines("its text", text, self._detector))

    def _add(self, file: str, place: str, findings: Iterable[_Finding]) -> None:
        once = {(finding.field, finding.detected.key): finding for finding in findings}
        self.found += [self._credential(file, place, finding) for finding in once.values()]

    def _credential(self, file: str, place: str, finding: _Finding) -> CachedCredential:
        hide = self._detector.redact  # a resource's key or a folder may be named after a secret
        return CachedCredential(
            file=hide(file),
            place=place,
            field=hide(finding.field),
            kind=finding.detected.kind,
            remedy=hide(finding.remedy),
            set_by=hide(finding.set_by),
            expires_at=finding.detected.expires_at,
            issuer=hide(finding.detected.issuer),
            used_at=self._used_at,
        )


def _in_plan(plan: SavedPlan, detector: Detector) -> Iterator[_Finding]:
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


def _plan_values(plan: SavedPlan, detector: Detector) -> Iterator[_Finding]:
    label = f"backend {plan.backend_type}"
    yield from _in_backend(label, plan.backend_type, plan.backend_config, plan.sources, detector)
    label = f"provider of {label}"
    yield from _in_backend(label, "", plan.provider_config, plan.sources, detector)
    for name, value in plan.variables.items():
        for path, text in _strings(value):
            for detected in detector.find(text):
                yield _Finding(f"root variable `{name}{path}`", detected, VARIABLE_REMEDY)
    for state in (plan.prior_state, plan.previous_state):
        for finding in _in_state(state, detector):
            yield replace(finding, field=f"state, {finding.field}")


def _plan_sources(plan: SavedPlan, detector: Detector) -> Iterator[_Finding]:
    for name, text in plan.sources.items():
        yield from _in_lines(f"source {name}", text, detector)
    yield from _in_lines(LOCK_NAME, plan.lock_file, detector)


def _plan_parts(plan: SavedPlan, detector: Detector) -> Iterator[_Finding]:
    for part in plan.parts:
        for detected in detector.find(part.raw.decode("utf-8", "replace")):
            yield _Finding(part.label, detected, STATE_REMEDY)


def _in_backend(
    label: str,
    backend: str,
    config: Mapping[str, Any],
    sources: Mapping[str, str],
    detector: Detector,
) -> Iterator[_Finding]:
    for path, text in _strings(config):
        attribute = path.removeprefix(".")
        for detected in _in_attribute(backend, attribute, text, detector):
            hint = BACKEND_REMEDIES.get(detected.kind, ENVIRONMENT)
            yield _Finding(
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


def _in_backend_cache(
    text: str, sources: Mapping[str, str], detector: Detector
) -> Iterator[_Finding]:
    told: set[str] = set()
    for label, backend, config in _cached_backends(_dict(_parsed(text))):
        for finding in _in_backend(label, backend, config, sources, detector):
            told.add(finding.detected.key)
            yield finding
    yield from _untold(detector.find(text), told)


def _cached_backends(cache: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give label, type and configuration of a backend, or of a state store and its provider."""
    for block in (_dict(cache.get("backend")), _dict(cache.get("state_store"))):
        backend = str(block.get("type", ""))
        yield f"backend {backend}", backend, _dict(block.get("config"))
        provider = _dict(block.get("provider"))
        yield f"provider of backend {backend}", "", _dict(provider.get("config"))


def _in_state(text: str, detector: Detector) -> Iterator[_Finding]:
    found = detector.find(text)
    if not found:  # spares parsing, which is most of the work
        return
    told: set[str] = set()
    detector = detector.narrowed_to(found)
    for label, value, remedy in _state_parts(_dict(_parsed(text))):
        for path, leaf in _strings(value):
            for detected in detector.find(leaf):
                told.add(detected.key)
                yield _Finding(_field(label, path), detected, remedy)
    yield from _untold(found, told)


def _untold(found: Iterable[Detected], told: set[str]) -> Iterator[_Finding]:
    """Give what lies outside of the fields that we know."""
    for detected in found:
        if detected.key not in told:
            yield _Finding("somewhere in the text", detected, SOURCE_REMEDY)


def _in_lines(label: str, text: str, detector: Detector) -> Iterator[_Finding]:
    for detected in detector.find(text):
        before, is_plain, _ = text.partition(detected.key)
        line = f", line {before.count(NEWLINE) + 1}" if is_plain else ""
        yield _Finding(f"{label}{line}", detected, SOURCE_REMEDY)


def _state_parts(state: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Give label, value and remedy of every output and every resource instance."""
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
    """Give every text in a value with its path, and every key with the path of what it is in.

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


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
