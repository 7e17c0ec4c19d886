"""Pipelines as YAML: steps of Azure DevOps and jobs of GitHub Actions that lose their ID tokens.

Source of the table of tasks: Microsoft's "Workload Identity federation - Troubleshooting & FAQ".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from pytest_tfoidc.doctor.environment import misspelt
from pytest_tfoidc.doctor.findings import Finding, finding
from pytest_tfoidc.doctor.scripts import Others, line_of
from pytest_tfoidc.doctor.steps import (
    EXPRESSION,
    GIVEN,
    LOCAL,
    NOTHING,
    TASK,
    Around,
    Node,
    PipelineStep,
    environment_of,
    is_runner,
    items,
    line_of_node,
    mapping,
    read_yaml,
    scalar,
    step_of,
    walk,
)
from pytest_tfoidc.doctor.switching import azure_devops_jobs, github_job

CALLED = "workflow_call"
MOST_STEPS = 1000  # of a job; actions may use themselves
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
OTHER_PROVIDERS = frozenset({"aws", "gcp", "oci"})  # as TerraformTask names them
PASSES_TOKEN = re.compile(
    r"-backend-config[= ]\s*[\"']?"
    r"(?:oidc_token|oidc_request_token|client_secret|access_key|sas_token)\s*="
)
# All that Azure Pipelines takes at the top of a file; a file with more belongs to something else.
AZURE_TOP = frozenset(
    {
        "appendCommitMessageToRunName",
        "cancelTimeoutInMinutes",
        "clean",
        "condition",
        "container",
        "continueOnError",
        "demands",
        "dependsOn",
        "displayName",
        "environment",
        "extends",
        "jobs",
        "lockBehavior",
        "name",
        "parameters",
        "phases",
        "pool",
        "pr",
        "queue",
        "resources",
        "schedules",
        "server",
        "services",
        "stages",
        "steps",
        "strategy",
        "target",
        "templateContext",
        "timeoutInMinutes",
        "trigger",
        "uses",
        "variables",
        "workspace",
    }
)
# What steps have elsewhere (Google Cloud Build, Buildkite, Woodpecker, …) and never here.
FOREIGN_STEP = frozenset(
    {"args", "command", "commands", "entrypoint", "image", "label", "plugins", "run", "waitFor"}
)
AZURE = re.compile(r"\bARM_[A-Z]|\bAZURE_[A-Z]|\bazure/|azurerm|azapi", re.IGNORECASE)
OTHER_CLOUD = re.compile(
    r"\bAWS_[A-Z]|\baws-actions/|\bGOOGLE_[A-Z]|\bgoogle-github-actions/|\bCLOUDSDK_"
    r"|\bDIGITALOCEAN_|\bCLOUDFLARE_|\bHCLOUD_|\bOCI_[A-Z]|\bLINODE_|\bSCW_|\bALICLOUD_"
)
TEMPLATE = re.compile(r"(?<!\$)\{\{|\{%|%\{")  # Helm's, Jinja's, Terraform's
OF_A_PIPELINE = re.compile(r"^ *(?:- )?(?:steps|jobs|stages|extends|trigger|on) *:", re.MULTILINE)
STEP_NAME = re.compile(r"\w*|.*\$[({].*")
NAME = re.compile(r"\b(?:ARM_[A-Z_]+|SYSTEM_[A-Z]+)\b")
ACCESS_TOKEN = re.compile(r"\$[({]\s*system\.accesstoken\s*[)}]", re.IGNORECASE)


def examine_pipeline(text: str, *, file: str, around: Around = NOTHING) -> Iterator[Finding]:
    """Look at a YAML file; one that is no pipeline has no findings.

    Args:
        text: The file's content.
        file: Its name in the repository, for the findings.
        around: The repository, in which jobs call scripts, actions, workflows and templates.

    Raises:
        ImportError: PyYAML is not installed.
    """
    import yaml  # noqa: PLC0415 - an optional dependency

    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        for document in documents:
            yield from _document(document, file, around)
    except yaml.YAMLError as error:
        if TEMPLATE.search(text) or not OF_A_PIPELINE.search(text):
            return  # a template becomes YAML later; and what is no pipeline is not our business
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        yield finding("TFO410", where=where)
    except RecursionError:
        yield finding("TFO410", where=file, cause="it is nested too deeply")


def _document(document: Node, file: str, around: Around) -> Iterator[Finding]:
    top, others = mapping(document), around.others
    jobs = top.get("jobs")
    if jobs is not None and "on" in top and mapping(jobs):
        yield from _github(top, file, around)
    elif _composite(top, others, file=file):
        for step in _composite(top, others, file=file):
            yield from _any_step(step)
    elif _is_azure_devops(top):
        nodes = [*walk(document)]
        given = {id(mapping(node).get(name)) for node in nodes for name in GIVEN}
        for node in nodes:
            yield from _shared(mapping(node).get("variables"), file)
            if id(node) not in given:
                yield from _azure_devops(node, file, others)
        yield from azure_devops_jobs(document, file=file, around=around)


def _is_azure_devops(top: dict[str, Node]) -> bool:
    """Tell whether a file is a pipeline of Azure DevOps or a template of one."""
    if any(key not in AZURE_TOP and not key.startswith(EXPRESSION) for key in top):
        return False
    for step in map(mapping, items(top.get("steps"))):
        if FOREIGN_STEP & step.keys() or not STEP_NAME.fullmatch(scalar(step.get("name"))):
            return False
    return _extends(top) or any(items(top.get(name)) for name in ("steps", "jobs", "stages"))


def _extends(top: dict[str, Node]) -> bool:
    """Tell whether a pipeline extends a template; what it hands over may hold stages and steps."""
    return "template" in mapping(top.get("extends"))


def _azure_devops(node: Node, file: str, others: Others) -> Iterator[Finding]:
    step = step_of(node, others, file=file)
    if step is None:
        return
    yield from _any_step(step)
    yield from _task(step)
    mapped = step.environment.get("SYSTEM_ACCESSTOKEN")
    if mapped is not None and not ACCESS_TOKEN.search(mapped):
        yield finding("TFO409", where=step.where)
    has_token = any(ACCESS_TOKEN.search(value) for value in step.environment.values())
    has_token = has_token or step.is_open
    if is_runner(step) and step.runs_terraform and not has_token and mapped is None:
        yield finding("TFO401", where=step.calling)


def _task(step: PipelineStep) -> Iterator[Finding]:
    found = TASK.fullmatch(step.task)
    if found is None:
        return
    name, version = found[1].lower(), int(found[2])
    asks = step.inputs.get("command") != "validate"
    asks = asks and step.inputs.get("provider", "azurerm") not in OTHER_PROVIDERS
    if name == "terraformtask" and version < TERRAFORM_TASK_FLOOR and asks:
        yield finding("TFO402", where=step.where, what=f"{step.task} caches the ID token.")
    reason = UNSUPPORTED.get((name, version))
    if reason is not None:
        what = f"{step.task} cannot use workload identity federation."
        yield finding("TFO404", where=step.where, what=what, cause=reason)


def _github(top: dict[str, Node], file: str, around: Around) -> Iterator[Finding]:
    triggers, others = _triggers(top.get("on")), around.others
    yield from _shared(top.get("env"), file)
    for job in mapping(top["jobs"]).values():
        fields = mapping(job)
        yield from _shared(fields.get("env"), file)
        for step in _steps(fields, others, file=file):
            yield from _any_step(step)
        permissions = fields.get("permissions", top.get("permissions"))
        if _may_ask(permissions) or (permissions is None and triggers == {CALLED}):
            # What is called, and says nothing, may what its caller may.
            yield from github_job(
                top, fields, steps=_all_steps(fields, others, file), around=around
            )
            continue
        where, called = f"{file}:{line_of_node(job)}", scalar(fields.get("uses"))
        if called.startswith(LOCAL):
            if _needs_tokens(called, others, frozenset()):
                what = f"A job calls {called}, which runs Terraform, without the permission."
                yield finding("TFO407", where=where, what=what)
        elif _runs_terraform(fields, others) and _is_ours(job, top):
            yield finding("TFO407", where=where)


def _triggers(on: Node | None) -> set[str]:
    return {scalar(on), *map(scalar, items(on)), *mapping(on)} - {""}


def _steps(fields: dict[str, Node], others: Others, *, file: str) -> list[PipelineStep]:
    nodes = items(fields.get("steps"))
    return [step for node in nodes if (step := step_of(node, others, file=file))]


def _all_steps(fields: dict[str, Node], others: Others, file: str) -> list[PipelineStep]:
    """Return a job's steps in their order, those of the repository's own actions among them."""
    waiting = [(step, frozenset[str]()) for step in _steps(fields, others, file=file)]
    found: list[PipelineStep] = []
    for _ in range(MOST_STEPS):
        if not waiting:
            break
        step, within = waiting.pop(0)
        own = step.action.startswith(LOCAL) and step.action not in within
        inner = _action(step.action, others) if own else []
        waiting[:0] = [(_used(one, step), within | {step.action}) for one in inner]
        if not inner:
            found.append(step)
    return found


def _used(step: PipelineStep, by: PipelineStep) -> PipelineStep:
    """Return a step of an action as a step that uses the action runs it."""
    return dataclasses.replace(
        step,
        caller=by.where,
        environment={**by.environment, **step.environment},
        is_open=by.is_open or step.is_open,
    )


def _shared(node: Node | None, file: str) -> Iterator[Finding]:
    """Look at variables that several steps have: a workflow's, a stage's or a job's."""
    listed = map(mapping, items(node))
    entries: Mapping[str, Node | None] = {
        scalar(one.get("name")): one.get("value") for one in listed
    } or mapping(node)
    environment, _ = environment_of(entries)
    if node is not None and environment:
        yield from _any_step(
            PipelineStep(file=file, line=line_of_node(node), environment=environment)
        )


def _is_ours(job: Node, top: dict[str, Node]) -> bool:
    return not _is_for_another_cloud("\n".join([*_texts(top.get("env")), *_texts(job)]))


def _composite(top: dict[str, Node], others: Others, *, file: str) -> list[PipelineStep]:
    """Return the steps of an action that is made of steps; none where it is no such action."""
    runs = mapping(top.get("runs"))
    return _steps(runs, others, file=file) if scalar(runs.get("using")) == "composite" else []


def _needs_tokens(called: str, others: Others, seen: frozenset[str]) -> bool:
    """Tell whether a workflow that is called runs Terraform with what its caller may."""
    if called in seen:
        return False
    top = read_yaml(called.removeprefix(LOCAL), others)
    for job in mapping(top.get("jobs")).values():
        fields = mapping(job)
        own = fields.get("permissions", top.get("permissions"))
        if own is not None and not _may_ask(own):
            continue  # it is told in that file
        inner = scalar(fields.get("uses"))
        if inner.startswith(LOCAL):
            if _needs_tokens(inner, others, seen | {called}):
                return True
        elif _runs_terraform(fields, others) and _is_ours(job, top):
            return True
    return False


def _runs_terraform(fields: dict[str, Node], others: Others) -> bool:
    """Tell whether a job runs Terraform, itself or in an action of the same repository."""
    return any(step.runs_terraform for step in _all_steps(fields, others, ""))


def _action(name: str, others: Others) -> list[PipelineStep]:
    folder = name.removeprefix(LOCAL).rstrip("/")
    files = (f"{folder}/action.{ending}" for ending in ("yml", "yaml"))
    found = (_composite(read_yaml(file, others), others, file=file) for file in files)
    return next(filter(None, found), [])


def _is_for_another_cloud(text: str) -> bool:
    return bool(OTHER_CLOUD.search(text)) and not AZURE.search(text)


def _texts(node: Node | None) -> Iterator[str]:
    """Yield every key and every value in a node."""
    if node is not None:
        for inner in walk(node):
            yield scalar(inner)
            yield from mapping(inner)


def _may_ask(permissions: Node | None) -> bool:
    if permissions is None:
        return False
    granted = mapping(permissions)
    if not granted:
        return scalar(permissions) == "write-all"
    return scalar(granted.get("id-token")) == "write"


def _any_step(step: PipelineStep) -> Iterator[Finding]:
    if PASSES_TOKEN.search(step.text):
        yield finding("TFO403", where=step.place(lambda text: _line_of(PASSES_TOKEN, text)))
    if step.sets("ARM_OIDC_TOKEN"):
        yield finding("TFO405", where=step.setting("ARM_OIDC_TOKEN"))
    names = "\n".join(step.environment)
    for name in sorted(set(NAME.findall(f"{step.text}\n{names}"))):
        meant = misspelt(name)
        if meant is not None:
            what = f"{name} is misspelt: {meant} is meant."
            yield finding("TFO406", where=_named(name, step), what=what)
    if step.sets("ARM_CLIENT_SECRET"):
        yield finding("TFO408", where=step.setting("ARM_CLIENT_SECRET"))


def _named(name: str, step: PipelineStep) -> str:
    if name in step.environment:
        return step.where
    return step.place(lambda text: _line_of(re.compile(rf"\b{name}\b"), text))


def _line_of(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return line_of(text, found.start()) if found else 0
