"""Pipelines as YAML: steps of Azure DevOps and jobs of GitHub Actions that lose their ID tokens.

Source of the table of tasks: Microsoft's "Workload Identity federation - Troubleshooting & FAQ".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_tfoidc.identity.doctor import misspelt
from pytest_tfoidc.identity.findings import Finding, finding

SCRIPTS = ("script", "bash", "pwsh", "powershell", "run")
RUNNERS = frozenset({"azurecli", "azurepowershell", "bash", "cmdline", "powershell", "shellscript"})
# Task and version: what the table says, in short.
UNSUPPORTED = {
    **{("azurefilecopy", version): "its AzCopy cannot use them" for version in range(1, 6)},
    **{("azurecloudpowershelldeployment", version): "not available" for version in (1, 2)},
    ("azurefunctiononkubernetes", 1): "not available",
    ("azuremonitoralerts", 0): "the task is deprecated",
    ("azurenlbmanagement", 1): "the task is deprecated",
    ("dockercompose", 0): "not available",
    ("docker", 0): "not available",
    ("docker", 1): "not available",
    ("javatoolinstaller", 0): "not available",
    ("jenkinsdownloadartifacts", 1): "not available",
    ("kubernetes", 1): "not available",
    ("packerbuild", 0): "Packer cannot use them",
    ("packerbuild", 1): "Packer cannot use them",
    ("servicefabriccompose", 0): "Service Fabric cannot use them",
    ("servicefabricdeploy", 1): "Service Fabric cannot use them",
}
TERRAFORM_TASK_FLOOR = 5
TASK = re.compile(r"(?:[\w.-]+\.)?([A-Za-z]+?)(?:V\d+)?@(\d+)")
RUNS_TERRAFORM = re.compile(
    r"\b(?:terraform|tofu|terragrunt)\s+(?:-chdir=\S+\s+)?"
    r"(?:init|plan|apply|destroy|test|import|refresh|output|state)\b(?!.*-backend=false)"
    r"|--tf-module\b"
)
PASSES_TOKEN = re.compile(
    r"-backend-config[= ]\s*[\"']?"
    r"(?:oidc_token|oidc_request_token|client_secret|access_key|sas_token)\s*="
)
STATIC_TOKEN = re.compile(r"\bARM_OIDC_TOKEN\b")
NAME = re.compile(r"\b(?:ARM_[A-Z_]+|SYSTEM_[A-Z]+)\b")
ACCESS_TOKEN = re.compile(r"\$[({]\s*system\.accesstoken\s*[)}]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A step of either kind. `text`: its script and its inputs."""

    line: int
    task: str
    text: str
    environment: dict[str, str]

    @property
    def runs_terraform(self) -> bool:
        return any(RUNS_TERRAFORM.search(line) for line in self.text.splitlines())


def examine_pipeline(text: str, *, file: str) -> Iterator[Finding]:
    """Look at a YAML file; one that is no pipeline has no findings.

    Args:
        text: The file's content.
        file: Its name, for the findings.

    Raises:
        ImportError: PyYAML is not installed.
    """
    import yaml  # noqa: PLC0415 - an optional dependency

    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        for document in documents:
            yield from _document(document, file)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        yield finding("TFO410", where=where)
    except RecursionError:
        yield finding("TFO410", where=file, cause="it is nested too deeply")


def _document(document: Any, file: str) -> Iterator[Finding]:  # noqa: ANN401 - PyYAML's nodes
    top = _mapping(document)
    jobs = top.get("jobs")
    if jobs is not None and "on" in top and _mapping(jobs):
        yield from _github(top, file)
    elif any(_items(top.get(name)) for name in ("steps", "jobs", "stages")):
        for node in _walk(document):
            yield from _azure_devops(node, file)


def _azure_devops(node: Any, file: str) -> Iterator[Finding]:  # noqa: ANN401 - as above
    step = _step(node)
    if step is None:
        return
    where = f"{file}:{step.line}"
    yield from _any_step(step, where)
    yield from _task(step, where)
    mapped = step.environment.get("SYSTEM_ACCESSTOKEN")
    if mapped is not None and not ACCESS_TOKEN.search(mapped):
        yield finding("TFO409", where=where)
    name = TASK.fullmatch(step.task)
    is_runner = not step.task or (name is not None and name[1].lower() in RUNNERS)
    has_token = any(ACCESS_TOKEN.search(value) for value in step.environment.values())
    if is_runner and step.runs_terraform and not has_token and mapped is None:
        yield finding("TFO401", where=where)


def _task(step: _Step, where: str) -> Iterator[Finding]:
    found = TASK.fullmatch(step.task)
    if found is None:
        return
    name, version = found[1].lower(), int(found[2])
    if name == "terraformtask" and version < TERRAFORM_TASK_FLOOR:
        yield finding("TFO402", where=where, what=f"{step.task} caches the ID token.")
    reason = UNSUPPORTED.get((name, version))
    if reason is not None:
        what = f"{step.task} cannot use workload identity federation."
        yield finding("TFO404", where=where, what=what, cause=reason)


def _github(top: dict[str, Any], file: str) -> Iterator[Finding]:
    for job in _mapping(top["jobs"]).values():
        fields = _mapping(job)
        steps = [step for node in _items(fields.get("steps")) if (step := _step(node))]
        for step in steps:
            yield from _any_step(step, f"{file}:{step.line}")
        permissions = fields.get("permissions", top.get("permissions"))
        if any(step.runs_terraform for step in steps) and not _may_ask(permissions):
            yield finding("TFO407", where=f"{file}:{_line(job)}")


def _may_ask(permissions: Any) -> bool:  # noqa: ANN401 - as above
    if permissions is None:
        return False
    granted = _mapping(permissions)
    if not granted:
        return _scalar(permissions) == "write-all"
    return _scalar(granted.get("id-token")) == "write"


def _any_step(step: _Step, where: str) -> Iterator[Finding]:
    names = "\n".join(step.environment)
    if PASSES_TOKEN.search(step.text):
        yield finding("TFO403", where=where)
    if STATIC_TOKEN.search(step.text) or STATIC_TOKEN.search(names):
        yield finding("TFO405", where=where)
    for name in sorted(set(NAME.findall(f"{step.text}\n{names}"))):
        meant = misspelt(name)
        if meant is not None:
            yield finding("TFO406", where=where, what=f"{name} is misspelt: {meant} is meant.")
    if "ARM_CLIENT_SECRET" in step.environment or re.search(r"\bARM_CLIENT_SECRET=", step.text):
        yield finding("TFO408", where=where)


def _step(node: Any) -> _Step | None:  # noqa: ANN401 - as above
    fields = _mapping(node)
    task = _scalar(fields.get("task"))
    scripts = [_scalar(fields[name]) for name in SCRIPTS if name in fields]
    if not task and not any(scripts):
        return None
    inputs = [_scalar(value) for value in _mapping(fields.get("inputs")).values()]
    environment = {k: _scalar(v) for k, v in _mapping(fields.get("env")).items()}
    return _Step(
        line=_line(node), task=task, text="\n".join([*scripts, *inputs]), environment=environment
    )


def _walk(document: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Give every node once; aliases may make a document loop."""
    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += [*_mapping(node).values(), *_items(node)]


def _mapping(node: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    if getattr(node, "id", "") != "mapping":
        return {}
    return {_scalar(key): value for key, value in node.value}


def _items(node: Any) -> list[Any]:  # noqa: ANN401 - as above
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def _scalar(node: Any) -> str:  # noqa: ANN401 - as above
    return str(node.value) if getattr(node, "id", "") == "scalar" else ""


def _line(node: Any) -> int:  # noqa: ANN401 - as above
    return int(node.start_mark.line) + 1
