"""The audit: tokens and secrets in saved plans, backend caches, states and lock files.

A finding names file and field. It never holds the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.entrafacts import EXPIRED
from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.terraform.audit import detector as detection
from pytest_tfoidc.terraform.audit import exposure, finders
from pytest_tfoidc.terraform.audit.detector import Detector
from pytest_tfoidc.terraform.audit.finders import LOCK_NAME, FoundCredential
from pytest_tfoidc.terraform.audit.large_state import LARGE, in_large_state
from pytest_tfoidc.terraform.audit.planfile import SavedPlan, is_plan, read_plan
from pytest_tfoidc.terraform.source_files import MODULE_PATTERNS

PLAN, BACKEND_CACHE, STATE, LOCK_FILE = "plan", "backend cache", "state", "lock file"
SOURCE, VARIABLES_FILE, MODULES = "configuration", "variables file", "module folder"
BACKEND_FILE, DOCUMENT = "backend file", "JSON output"
IS_STATE = re.compile(r'"resources"\s*:|"terraform_version"\s*:|"lineage"\s*:|"outputs"\s*:')
DATA_FOLDER = ".terraform"
MANIFEST = f"{DATA_FOLDER}/modules/modules.json"
GIT_CONFIGS = f"{DATA_FOLDER}/modules/**/.git/config"
VARIABLE_PATTERNS = ("*.tfvars", "*.tfvars.json")
CACHE_NAME = f"{DATA_FOLDER}/terraform.tfstate"
# Read as configuration too: tests, settings of the command, and of what calls it.
CLOSE_PATTERNS = (
    *("*.tftest.hcl", "*.tftest.json", "*.tofutest.hcl", "*.tofutest.json", "*.tfquery.hcl"),
    *(".terraformrc", ".tofurc", "terraform.rc", "*.tfrc", "*.tfrc.json", "terragrunt.hcl"),
)
BACKEND_PATTERNS = ("*.tfbackend", "*backend*.hcl")
DOCUMENT_PATTERNS = ("*plan*.json", "*state*.json")
STATE_PATTERNS = ("*.tfstate", "*.tfstate.*", "terraform.tfstate.d/**/*.tfstate*")


@dataclass(frozen=True, kw_only=True)
class CachedCredential:
    """A token or a secret that was kept where it should not be. Never holds its value.

    Args:
        file: The file, relative to what was audited; or the name that a state was given under.
        place: What the file is: plan, backend cache, state or lock file.
        field: Where in the file, as in "backend azurerm, `oidc_token`".
        kind: One of the kinds in `detector`.
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
    def name(self) -> str:
        """The name for allowances, such as `azurerm_x.y.tags`; no lines of a source."""
        field = self.field.removeprefix("state, ").removeprefix("resource ").replace("`", "")
        field = field.removeprefix("root ").partition(", line ")[0]
        kind, space, rest = field.partition(" ")
        labels = {"output", "variable", "backend", "source"}
        return (
            f"{kind}.{rest}".replace(", ", ".")
            if space and kind in labels
            else field.replace(", ", ".")
        )

    @property
    def message(self) -> str:
        """The message: the fault, its place, when it expires, and what to do; a line each."""
        article = "an" if self.kind in {detection.ID_TOKEN, detection.ACCESS_TOKEN} else "a"
        source = f" (set by {self.set_by})" if self.set_by else ""
        keeps = "keeps" if self.is_kept else "would keep"
        field = self.field.replace("`", "")
        what = f"The {self.place} {keeps} {article} {self.kind}: {field}"
        where = f"Where: {self.file}{source}"
        return "\n".join([what, where, *self._expiry(), f"Remedy: {self.remedy}"])

    def _expiry(self) -> Iterator[str]:
        if self.expires_at is None:
            return
        is_used = self.place in {PLAN, BACKEND_CACHE}
        code = EXPIRED if is_used and self.kind == detection.ID_TOKEN else ""
        if is_used and self.used_at is not None and self.expires_at <= self.used_at:
            age = format_duration(self.used_at - self.expires_at)
            end = f": {code}." if code else "."
            yield f"It expired {age} before the apply would have used it{end}"
        else:
            end = f"; an apply after that fails with {code}." if code else "."
            yield f"It is valid until {self.expires_at:%Y-%m-%d %H:%M:%S} UTC{end}"


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


def plans_in(folder: Path) -> list[Path]:
    """Return the saved plans in a folder."""
    return sorted(file for file in folder.glob("*") if file.is_file() and is_plan(file))


def audit_path(
    path: Path, *, secrets: Sequence[str] = (), used_at: datetime | None = None
) -> tuple[CachedCredential, ...]:
    """Look for credentials in a saved plan, or in a folder and the saved plans in it.

    Raises:
        ModuleError: The folder cannot be read.
        PlanError: The file is not a saved plan.
    """
    if path.is_dir():
        return audit_workspace(path, plans=plans_in(path), secrets=secrets, used_at=used_at)
    audit = _Audit(Detector(secrets), used_at)
    audit.plan(path.name, read_plan(path))
    return tuple(audit.found)


def audit_plan_closely(
    path: Path, *, name: str = "", secrets: Sequence[str] = ()
) -> tuple[CachedCredential, ...]:
    """Look in a plan also for credentials that only their names and places tell.

    Raises:
        PlanError: The file is not a saved plan.
    """
    audit = _Audit(Detector(secrets), None)
    audit.plan_closely(name or path.name, read_plan(path))
    return tuple(audit.found)


def audit_state(
    path: Path, *, name: str = "", secrets: Sequence[str] = ()
) -> tuple[CachedCredential, ...]:
    """Look for credentials in a state, however large.

    Raises:
        ModuleError: The file cannot be read.
    """
    audit = _Audit(Detector(secrets), None)
    audit.state_file(name or path.name, path)
    return tuple(audit.found)


def audit_folder_closely(
    folder: Path, *, secrets: Sequence[str] = ()
) -> tuple[CachedCredential, ...]:
    """Look in a folder also in provider blocks, variables files and the sources of modules.

    Raises:
        ModuleError: A file cannot be read.
        PlanError: A plan cannot be read.
    """
    audit = _Audit(Detector(secrets), None)
    for plan in plans_in(folder):
        audit.plan_closely(plan.name, read_plan(plan))
    sources = module_sources(folder)
    for name, text in _texts(folder, f"{DATA_FOLDER}/*.tfstate*"):
        audit.backend_cache(name, text, sources=sources)
    for file in sorted({file for pattern in STATE_PATTERNS for file in folder.glob(pattern)}):
        audit.state_file(_name(file, folder), file)
    for patterns, look in (
        *audit.looks(),
        (DOCUMENT_PATTERNS, audit.document),
        ((MANIFEST,), audit.manifest),
        ((GIT_CONFIGS,), audit.git_config),
    ):
        for name, text in _texts(folder, *patterns):
            look(name, text)
    return tuple(audit.found)


def is_audited_by_name(path: Path) -> bool:
    """Tell whether a file is part of a configuration, or of what it is given, by its name."""
    return any(_matches(path, patterns) for patterns, _ in _Audit(Detector(()), None).looks())


def audit_file_closely(path: Path, *, secrets: Sequence[str] = ()) -> tuple[CachedCredential, ...]:
    """Look in one file as if its folder were audited.

    Raises:
        ModuleError: The file cannot be read.
    """
    audit = _Audit(Detector(secrets), None)
    for patterns, look in audit.looks():
        if _matches(path, patterns):
            look(path.name, _text(path))
    return tuple(audit.found)


def _matches(path: Path, patterns: Iterable[str]) -> bool:
    return any(path.match(pattern) for pattern in patterns)


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


def module_sources(folder: Path) -> dict[str, str]:
    """Return the texts of a module's files by their names.

    Raises:
        ModuleError: One cannot be read.
    """
    return dict(_texts(folder, *MODULE_PATTERNS))


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

    def looks(self) -> tuple[tuple[Sequence[str], Callable[[str, str], None]], ...]:
        """Return how files are looked at that are known by their names alone."""
        return (
            (MODULE_PATTERNS, self.source),
            ((LOCK_NAME,), self.lock_file),
            (CLOSE_PATTERNS, self.source),
            (BACKEND_PATTERNS, self.backend_file),
            (VARIABLE_PATTERNS, self.variables_file),
        )

    def plan(self, file: str, plan: SavedPlan) -> None:
        self._add(file, PLAN, finders.in_plan(plan, self._detector))

    def backend_cache(self, file: str, text: str, *, sources: Mapping[str, str]) -> None:
        self._add(file, BACKEND_CACHE, finders.in_backend_cache(text, sources, self._detector))

    def backend(self, kind: str, config: Mapping[str, Any], *, sources: Mapping[str, str]) -> None:
        findings = finders.in_backend(f"backend {kind}", kind, config, sources, self._detector)
        self._add(CACHE_NAME, BACKEND_CACHE, findings)

    def plan_closely(self, file: str, plan: SavedPlan) -> None:
        """Look in a plan; by names only for what is not found otherwise."""
        by_name = exposure.in_values(
            "root variable", plan.variables, self._detector, remedy=finders.VARIABLE_REMEDY
        )
        sources = (
            replace(finding, field=f"source {name}, {finding.field}")
            for name, text in plan.sources.items()
            for finding in exposure.in_source(name, text, self._detector)
        )
        states = (
            replace(finding, field=f"state, {finding.field}")
            for find in (exposure.in_outputs, exposure.in_resources)
            for finding in find(plan.prior_state, self._detector)
        )
        known = finders.in_plan(plan, self._detector)
        self._add(file, PLAN, exposure.unique([*known, *by_name, *sources, *states]))

    def state_file(self, file: str, path: Path) -> None:
        """Look in a state, in bounded memory where it is large."""
        try:
            is_large = path.stat().st_size >= LARGE
        except OSError:
            is_large = False  # reading it says why
        if is_large:
            self._add(file, STATE, in_large_state(path, self._detector))
            return
        text = _text(path)
        if not IS_STATE.search(text):
            self.document(file, text)
            return
        known = finders.in_state(text, self._detector)
        shown = exposure.in_outputs(text, self._detector)
        kept = exposure.in_resources(text, self._detector)
        self._add(file, STATE, exposure.unique([*known, *shown, *kept]))

    def document(self, file: str, text: str) -> None:
        """Look in JSON that Terraform has shown."""
        self._add(file, DOCUMENT, exposure.unique(exposure.in_document(text, self._detector)))

    def backend_file(self, file: str, text: str) -> None:
        found = exposure.in_backend_file(file, text, self._detector)
        self._add(file, BACKEND_FILE, exposure.unique(found))

    def source(self, file: str, text: str) -> None:
        known = finders.in_lines("its text", text, self._detector)
        named = exposure.in_source(file, text, self._detector)
        self._add(file, SOURCE, exposure.unique([*named, *known]))

    def variables_file(self, file: str, text: str) -> None:
        self._add(file, VARIABLES_FILE, exposure.in_variables_file(file, text, self._detector))

    def manifest(self, file: str, text: str) -> None:
        self._add(file, MODULES, exposure.in_manifest(text, self._detector))

    def git_config(self, file: str, text: str) -> None:
        remedy = exposure.URL_REMEDY
        self._add(file, MODULES, exposure.in_text("its text", text, self._detector, remedy=remedy))

    def state(self, file: str, text: str) -> None:
        self._add(file, STATE, finders.in_state(text, self._detector))

    def lock_file(self, file: str, text: str) -> None:
        self._add(file, LOCK_FILE, finders.in_lines("its text", text, self._detector))

    def _add(self, file: str, place: str, findings: Iterable[FoundCredential]) -> None:
        once = {(finding.field, finding.detected.key): finding for finding in findings}
        self.found += [self._credential(file, place, finding) for finding in once.values()]

    def _credential(self, file: str, place: str, finding: FoundCredential) -> CachedCredential:
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
