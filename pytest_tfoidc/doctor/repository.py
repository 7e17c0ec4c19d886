"""The doctor: who a client would sign in as here, and what is missing or wrong, and why.

It looks at the environment, at Terraform's and the locked providers' versions, at backend
configuration and pipeline files. It changes nothing and asks nobody on the network.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pytest_tfoidc.clock import real_now
from pytest_tfoidc.doctor import authorizers
from pytest_tfoidc.doctor.authorizers import Choice, Client, Version, choose
from pytest_tfoidc.doctor.environment import Examined, examine_environment
from pytest_tfoidc.doctor.findings import SEVERITIES, Finding, finding
from pytest_tfoidc.doctor.pipeline_yaml import examine_pipeline
from pytest_tfoidc.doctor.steps import Around
from pytest_tfoidc.errors import ExecutableError, UsageError
from pytest_tfoidc.identity.environment import arm_environment
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS
from pytest_tfoidc.refreshfloors import TERRAFORM, floor_of
from pytest_tfoidc.terraform.executable import Executable, find_executable
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.settings import terraform_environment
from pytest_tfoidc.terraform.upgrade.floors import floor_note
from pytest_tfoidc.terraform.upgrade.suite import upgrade_steps
from pytest_tfoidc.terraform.versions import PARTS, parse_version

EXIT_CODES = {"note": 0, "warning": 1, "error": 3}  # 2: the doctor itself could not work
LEFT_OUT = frozenset({".git", ".terraform", ".tox", ".venv", "__pycache__", "node_modules", "venv"})
LOCK_FILE = ".terraform.lock.hcl"
BACKEND_SUFFIXES = (".tfbackend", ".backend.hcl", "backend.hcl", "backend.conf")
TERRAFORM_SUFFIXES = (".tf", ".tofu", ".tf.json")
MORE_SUFFIXES = (*BACKEND_SUFFIXES, ".hcl", ".tfvars", ".tfvars.json", ".env")
YAML_SUFFIXES = (".yml", ".yaml")
CREDENTIALS = frozenset(
    {
        "oidc_token",
        "oidc_request_token",
        "client_secret",
        "client_certificate_password",
        "access_key",
        "sas_token",
    }
)
PROVIDERS = frozenset({"azurerm", "azuread", "azapi", "azuredevops"})
SWITCHES = {"use_oidc": False, "use_cli": True, "use_msi": True}
# Arguments of a provider or a backend by which it signs in in a way of its own.
WAYS = (
    "use_oidc",
    "use_cli",
    "use_msi",
    "use_aks_workload_identity",
    "client_secret",
    "client_secret_file_path",
    "client_certificate",
    "client_certificate_path",
)
SAYS_HOW = re.compile(
    r"(?:^|[{,])\s*\"?(?:use_\w+|ARM_USE_\w+)\"?\s*[=:]\s*\"?(?!false)", re.MULTILINE
)
TAKEN = re.compile(
    r"\btemplate[ \t]*:[ \t]*[\"']?([^\s\"'@#{}]+?\.ya?ml)(?:@self)?[\"']?(?=\s|$|,|})"
)
REGISTRIES = ("registry.terraform.io/", "registry.opentofu.org/")
LARGEST_FILE = 1024 * 1024  # bytes: no pipeline is larger


@dataclass(frozen=True, kw_only=True)
class Row:
    """One client: its version, and how it would sign in here and under the relay."""

    client: str
    version: str
    here: Choice
    relayed: Choice | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The doctor's findings, and who each client would sign in as."""

    context: str
    clients: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 where nothing is worse than a note, 1 for warnings, 3 for errors."""
        return max((EXIT_CODES[found.severity] for found in self.findings), default=0)


def examine(
    path: Path,
    *,
    environment: Mapping[str, str],
    wanted: str = "auto",
    executable: str | None = None,
    now: datetime | None = None,
) -> Report:
    """Examine an environment and a folder.

    Args:
        path: The repository, or a folder of it.
        environment: The variables of the step.
        wanted: A kind of pipeline, or `auto`.
        executable: The Terraform to look at, as for `--tf-executable`.
        now: The time, aware; None means now.

    Raises:
        UsageError: There is no such folder.
    """
    if not path.is_dir():
        raise UsageError("There is no such folder.", where=str(path), remedy="Give a repository.")
    examined = examine_environment(environment, now=now or real_now(), wanted=wanted)
    terraform, missing = _terraform(executable, environment)
    locked = list(_locked(path))
    findings = [
        *examined.findings,
        *missing,
        *_too_old(terraform, locked, examined),
        *_upgrades(path / "pyproject.toml"),
        *_in_files(path),
    ]
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    return Report(
        context=examined.context.label if examined.context else "none that can be used",
        clients=tuple(_rows(terraform, locked, environment, examined)),
        findings=tuple(
            sorted(dict.fromkeys(findings), key=lambda f: (order[f.severity], f.id, f.where))
        ),
    )


@dataclass(frozen=True)
class _Locked:
    """A provider of a lock file."""

    source: str
    version: str
    where: str

    @property
    def client(self) -> Client | None:
        return authorizers.PROVIDERS.get(self.source)


def _terraform(
    wanted: str | None, environment: Mapping[str, str]
) -> tuple[Executable | None, list[Finding]]:
    try:
        return find_executable(wanted, terraform_environment(environment)[0]), []
    except ExecutableError as error:
        where = error.where or "PATH"
        return None, [finding("TFO203", where=where, cause=error.cause or error.what)]


def _too_old(
    terraform: Executable | None, locked: list[_Locked], examined: Examined
) -> Iterator[Finding]:
    """Find what cannot refresh Azure DevOps' ID tokens; GitHub's protocol is older."""
    if examined.context is not None and examined.context.kind != AZURE_DEVOPS:
        return
    is_terraform = terraform is not None and terraform.product == "Terraform"
    if terraform and is_terraform and _version(terraform.version) < authorizers.BACKEND.floor:
        what = f"Terraform {terraform.version} is older than {floor_of(TERRAFORM)}."
        yield finding("TFO201", where=terraform.argv[-1], what=what)
    for one in locked:
        if one.client is not None and _version(one.version) < one.client.floor:
            what = f"{one.client.name} {one.version} is too old to refresh by itself."
            yield finding("TFO202", where=one.where, what=what)


def _upgrades(pyproject: Path) -> Iterator[Finding]:
    """Find the kept upgrade steps that cross a floor."""
    try:
        steps = upgrade_steps((), pyproject=pyproject, downgrade=True, override=False)
    except UsageError:
        return  # pytest tells
    for move in (move for step in steps for move in step.moves):
        before, after = parse_version(move.before), parse_version(move.after)
        note = floor_note(move.subject, before, after) if before and after else ""
        if note:
            yield finding("TFO205", where=pyproject.name, what=f"{move}: {note}.")


def _rows(
    terraform: Executable | None,
    locked: list[_Locked],
    environment: Mapping[str, str],
    examined: Examined,
) -> Iterator[Row]:
    is_tofu = terraform is not None and terraform.product == "OpenTofu"
    backend = authorizers.TOFU_BACKEND if is_tofu else authorizers.BACKEND
    versions = {one.source: one.version for one in locked}
    clients = [(backend, terraform.version if terraform else "")]
    clients += [
        (client, versions.get(source, "")) for source, client in authorizers.PROVIDERS.items()
    ]
    relayed = _relayed(examined, environment)
    for client, version in clients:
        known = _version(version) if version else None
        yield Row(
            client=client.name,
            version=version,
            here=choose(client, environment, version=known),
            relayed=choose(client, relayed, version=known) if relayed else None,
        )


def _relayed(examined: Examined, environment: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the environment that `tfoidc relay` would make; its URL and bearer are not real."""
    if examined.context is None:
        return None
    return arm_environment(
        examined.context,
        outer=environment,
        request_url="http://127.0.0.1/oidctoken",
        request_token="the-relays-own",  # noqa: S106 - stands for a token
    ).variables


def _version(text: str) -> Version:
    """Read a version's numbers; a pre-release counts as its release."""
    numbers = text.split("-", maxsplit=1)[0].split("+", maxsplit=1)[0].split(".")
    found = tuple(int(number) for number in numbers if number.isdecimal())
    return (*found, 0, 0, 0)[: max(PARTS, len(found))]


def _files(path: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if name not in LEFT_OUT)
        yield from (Path(folder) / name for name in sorted(files))


def _locked(path: Path) -> Iterator[_Locked]:
    for file in _files(path):
        if file.name != LOCK_FILE:
            continue
        try:
            body = parser.parse_file(file)
        except (OSError, parser.HclError):
            continue  # `_file` tells
        for block in body.of_type("provider"):
            source, version = block.labels[0].lower(), block.body.literal("version")
            for registry in REGISTRIES:
                source = source.removeprefix(registry)
            if isinstance(version, str):
                where = f"{file.relative_to(path)}:{block.line}"
                yield _Locked(source, version, where)


def _in_files(root: Path) -> Iterator[Finding]:
    files = [*_files(root)]
    signs_in = functools.cache(lambda: any(map(_signs_in, files)))
    templates = functools.cache(lambda: frozenset(_templates(files, root)))
    around = Around(
        others=lambda name: _other(root, name),
        signs_in=signs_in,
        is_template=lambda name: name in templates(),
    )
    for file in files:
        yield from _file(file, root, around)


def _signs_in(file: Path) -> bool:
    """Tell whether a file of a configuration says how to sign in: then its environment need not."""
    is_module = file.name.endswith(TERRAFORM_SUFFIXES)
    if not is_module and not file.name.endswith(MORE_SUFFIXES):
        return False
    text = _text(file)
    if not is_module:
        return SAYS_HOW.search(text) is not None
    if not any(way in text for way in WAYS):
        return False
    try:
        body = parser.parse_file(file)
    except (OSError, parser.HclError):
        return True  # it cannot be known
    blocks = [
        one for settings in body.of_type("terraform") for one in settings.body.of_type("backend")
    ]
    return any(
        way in one.body.attributes and one.body.literal(way) is not False
        for one in (*blocks, *body.of_type("provider"))
        for way in WAYS
    )


def _templates(files: Iterable[Path], root: Path) -> Iterator[str]:
    """Yield the files that pipelines take as templates."""
    for file in files:
        if file.name.endswith(YAML_SUFFIXES):
            folder = file.parent.relative_to(root).as_posix()
            for named in TAKEN.findall(_text(file)):
                at_top = named.startswith("/")
                yield posixpath.normpath(named.lstrip("/") if at_top else f"{folder}/{named}")


def _file(file: Path, root: Path, around: Around) -> Iterator[Finding]:
    name, shown = file.name, str(file.relative_to(root))
    try:
        if name.endswith(YAML_SUFFIXES):
            yield from _yaml(file, shown, around, root)
        elif name.endswith(BACKEND_SUFFIXES):
            yield from _credentials("TFO301", parser.parse_file(file), shown)
        elif name.endswith(TERRAFORM_SUFFIXES):
            yield from _module_file(parser.parse_file(file), shown)
        elif name == LOCK_FILE:
            parser.parse_file(file)
    except parser.HclError as error:
        yield finding("TFO204", where=f"{shown}:{error.line}", cause=error.cause)
    except OSError as error:
        yield finding("TFO204", where=shown, cause=error.strerror or type(error).__name__)


def _yaml(file: Path, shown: str, around: Around, root: Path) -> Iterator[Finding]:
    if file.stat().st_size > LARGEST_FILE:
        return
    try:
        text = file.read_text(encoding="utf-8")
        top = next((one.parent for one in file.parents if one.name == ".github"), root)
        if top != root:
            around = dataclasses.replace(around, others=lambda name: _other(top, name))
        yield from examine_pipeline(text, file=shown, around=around)
    except UnicodeDecodeError:
        yield finding("TFO410", where=shown, cause="it is not UTF-8 text")
    except ImportError:
        yield finding("TFO490", where="*.yml")  # one place: said once


def _other(root: Path, name: str) -> str:
    """Return what a file of the repository holds; nothing where it cannot be looked at."""
    file = root / name
    return "" if ".." in file.parts else _text(file)


def _text(file: Path) -> str:
    """Return what a file holds; nothing where it is none, too large, or no text."""
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_FILE:
            return ""
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return ""


def _module_file(body: parser.Body, shown: str) -> Iterator[Finding]:
    for settings in body.of_type("terraform"):
        for backend in settings.body.of_type("backend"):
            if backend.labels == ("azurerm",):
                yield from _credentials("TFO302", backend.body, shown)
                yield from _switches(backend.body, shown)
    for provider in body.of_type("provider"):
        if provider.labels and provider.labels[0] in PROVIDERS:
            yield from _credentials("TFO303", provider.body, shown)
            yield from _switches(provider.body, shown)


def _credentials(number: str, body: parser.Body, shown: str) -> Iterator[Finding]:
    for name, attribute in body.attributes.items():
        if name in CREDENTIALS:
            what = f"`{name}` is set in the configuration."
            yield finding(number, where=f"{shown}:{attribute.line}", what=what)


def _switches(body: parser.Body, shown: str) -> Iterator[Finding]:
    for name, wrong in SWITCHES.items():
        if name in body.attributes and body.literal(name) is wrong:
            what = f"`{name} = {str(wrong).lower()}` is in the configuration."
            yield finding("TFO304", where=f"{shown}:{body.attributes[name].line}", what=what)


def render(report: Report) -> str:
    """Write a report for people."""
    lines = [f"Context: {report.context}", "", "Who clients would sign in with, and why:"]
    for row in report.clients:
        name = f"{row.client} {row.version}".strip()
        lines.append(f"  {name:<32} {row.here.authorizer} ({row.here.why})")
        if row.relayed is not None and row.relayed.authorizer != row.here.authorizer:
            lines.append(f"  {'':<32} under the relay: {row.relayed.authorizer}")
    lines += ["", *(f"{told}\n" for told in _grouped(report.findings))]
    lines.append(_totals(report.findings) or "Nothing is off.")
    return "\n".join(lines).rstrip() + "\n"


def _grouped(findings: Iterable[Finding]) -> Iterator[str]:
    """Tell findings that have the same cause and remedy together: both once, each place."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.id, one.cause, one.remedy), []).append(one)
    for (_, cause, remedy), same in groups.items():
        summaries = "\n".join(one.summary for one in same)
        yield f"{summaries}\n  Cause: {cause}\n  Remedy: {remedy}"


def _totals(findings: Iterable[Finding]) -> str:
    counts = Counter(one.severity for one in findings)
    told = ((counts[severity], severity) for severity in SEVERITIES)
    return ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in told if n)


def render_json(report: Report) -> str:
    """Write a report for machines."""
    document = {**dataclasses.asdict(report), "exit_code": report.exit_code}
    return json.dumps(document, indent=2) + "\n"
