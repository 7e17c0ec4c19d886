"""Pipelines as YAML: steps of Azure DevOps and jobs of GitHub Actions that lose their ID tokens.

Source of the table of tasks: Microsoft's "Workload Identity federation - Troubleshooting & FAQ".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_tfoidc.doctor.environment import misspelt
from pytest_tfoidc.doctor.findings import Finding, finding
from pytest_tfoidc.doctor.scripts import Others, plain, runs_terraform, sets, with_called

LOCAL = "./"  # actions and workflows of the same repository
CALLED = "workflow_call"
SCRIPTS = ("script", "bash", "pwsh", "powershell", "run")
GIVEN = ("inputs", "parameters", "env")  # a `script` in them is a value, and no step
FOLDERS = ("working-directory", "workingDirectory", "cwd")
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
OTHER_PROVIDERS = frozenset({"aws", "gcp", "oci"})  # as TerraformTask names them
TASK = re.compile(r"(?:[\w.-]+\.)?([A-Za-z]+?)(?:V\d+)?@(\d+)")
PASSES_TOKEN = re.compile(
    r"-backend-config[= ]\s*[\"']?"
    r"(?:oidc_token|oidc_request_token|client_secret|access_key|sas_token)\s*="
)
# An action that runs Terraform, whoever has made it; not one that installs or looks at it.
ACTION = re.compile(r"[\w.-]+/[\w./-]*(?:terraform|tofu|terragrunt)[\w./-]*@.*", re.IGNORECASE)
ONLY_LOOKS = re.compile(
    r"setup|install|docs|fmt|format|validate|lint|version|min-max|secur|scan|cost|comment|cache"
    r"|summar|report|parse|publish|release|changelog|storage|badge",
    re.IGNORECASE,
)
# What an action may be given that is a script, and not a text for people.
RUN_BY_ACTIONS = frozenset(
    {"args", "cmd", "command", "commands", "entrypoint", "inlinescript", "run", "script"}
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
EXPRESSION = "${{"
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


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A step of either kind.

    `text`: its script and its inputs. `commands`: of that, what it may run. `is_open`: its
    environment holds more, by an expression.
    """

    line: int
    task: str = ""
    text: str = ""
    commands: str = ""
    environment: dict[str, str]
    is_open: bool = False
    action: str = ""
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def runs_terraform(self) -> bool:
        if ACTION.fullmatch(self.action) and not ONLY_LOOKS.search(self.action):
            return True
        return runs_terraform(self.commands)


def examine_pipeline(
    text: str, *, file: str, others: Others = lambda _name: ""
) -> Iterator[Finding]:
    """Look at a YAML file; one that is no pipeline has no findings.

    Args:
        text: The file's content.
        file: Its name, for the findings.
        others: Returns what another file of the repository holds, by its path in it; nothing where
            there is none. GitHub's jobs call actions and workflows that are there.

    Raises:
        ImportError: PyYAML is not installed.
    """
    import yaml  # noqa: PLC0415 - an optional dependency

    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        for document in documents:
            yield from _document(document, file, others)
    except yaml.YAMLError as error:
        if TEMPLATE.search(text) or not OF_A_PIPELINE.search(text):
            return  # a template becomes YAML later; and what is no pipeline is not our business
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        yield finding("TFO410", where=where)
    except RecursionError:
        yield finding("TFO410", where=file, cause="it is nested too deeply")


def _document(document: Any, file: str, others: Others) -> Iterator[Finding]:  # noqa: ANN401 - PyYAML's nodes
    top = _mapping(document)
    jobs = top.get("jobs")
    if jobs is not None and "on" in top and _mapping(jobs):
        yield from _github(top, file, others)
    elif _composite(top, others):
        for step in _composite(top, others):
            yield from _any_step(step, f"{file}:{step.line}")
    elif _is_azure_devops(top):
        nodes = [*_walk(document)]
        given = {id(_mapping(node).get(name)) for node in nodes for name in GIVEN}
        for node in nodes:
            yield from _shared(_mapping(node).get("variables"), file)
            if id(node) not in given:
                yield from _azure_devops(node, file, others)


def _is_azure_devops(top: dict[str, Any]) -> bool:
    """Tell whether a file is a pipeline of Azure DevOps or a template of one."""
    if any(key not in AZURE_TOP and not key.startswith(EXPRESSION) for key in top):
        return False
    for step in map(_mapping, _items(top.get("steps"))):
        if FOREIGN_STEP & step.keys() or not STEP_NAME.fullmatch(_scalar(step.get("name"))):
            return False
    return _extends(top) or any(_items(top.get(name)) for name in ("steps", "jobs", "stages"))


def _extends(top: dict[str, Any]) -> bool:
    """Tell whether a pipeline extends a template; what it hands over may hold stages and steps."""
    return "template" in _mapping(top.get("extends"))


def _azure_devops(node: Any, file: str, others: Others) -> Iterator[Finding]:  # noqa: ANN401 - as above
    step = _step(node, others)
    if step is None:
        return
    where = f"{file}:{step.line}"
    yield from _any_step(step, where)
    yield from _task(step, where)
    mapped = step.environment.get("SYSTEM_ACCESSTOKEN")
    if mapped is not None and not ACCESS_TOKEN.search(mapped):
        yield finding("TFO409", where=where)
    name = TASK.fullmatch(step.task)
    is_runner = (not step.task and not step.action) or (
        name is not None and name[1].lower() in RUNNERS
    )
    has_token = any(ACCESS_TOKEN.search(value) for value in step.environment.values())
    has_token = has_token or step.is_open
    if is_runner and step.runs_terraform and not has_token and mapped is None:
        yield finding("TFO401", where=where)


def _task(step: _Step, where: str) -> Iterator[Finding]:
    found = TASK.fullmatch(step.task)
    if found is None:
        return
    name, version = found[1].lower(), int(found[2])
    asks = step.inputs.get("command") != "validate"
    asks = asks and step.inputs.get("provider", "azurerm") not in OTHER_PROVIDERS
    if name == "terraformtask" and version < TERRAFORM_TASK_FLOOR and asks:
        yield finding("TFO402", where=where, what=f"{step.task} caches the ID token.")
    reason = UNSUPPORTED.get((name, version))
    if reason is not None:
        what = f"{step.task} cannot use workload identity federation."
        yield finding("TFO404", where=where, what=what, cause=reason)


def _github(top: dict[str, Any], file: str, others: Others) -> Iterator[Finding]:
    triggers = _triggers(top.get("on"))
    yield from _shared(top.get("env"), file)
    for job in _mapping(top["jobs"]).values():
        fields = _mapping(job)
        yield from _shared(fields.get("env"), file)
        for step in _steps(fields, others):
            yield from _any_step(step, f"{file}:{step.line}")
        permissions = fields.get("permissions", top.get("permissions"))
        if _may_ask(permissions) or (permissions is None and triggers == {CALLED}):
            continue  # what is called, and says nothing, may what its caller may
        where, called = f"{file}:{_line(job)}", _scalar(fields.get("uses"))
        if called.startswith(LOCAL):
            if _needs_tokens(called, others, frozenset()):
                what = f"A job calls {called}, which runs Terraform, without the permission."
                yield finding("TFO407", where=where, what=what)
        elif _runs_terraform(fields, others) and _is_ours(job, top):
            yield finding("TFO407", where=where)


def _triggers(on: Any) -> set[str]:  # noqa: ANN401 - as above
    return {_scalar(on), *map(_scalar, _items(on)), *_mapping(on)} - {""}


def _steps(fields: dict[str, Any], others: Others) -> list[_Step]:
    return [step for node in _items(fields.get("steps")) if (step := _step(node, others))]


def _shared(node: Any, file: str) -> Iterator[Finding]:  # noqa: ANN401 - as above
    """Look at variables that several steps have: a workflow's, a stage's or a job's."""
    listed = map(_mapping, _items(node))
    entries = {_scalar(one.get("name")): one.get("value") for one in listed} or _mapping(node)
    environment, _ = _environment(entries)
    if environment:
        line = _line(node)
        yield from _any_step(_Step(line=line, environment=environment), f"{file}:{line}")


def _environment(entries: dict[str, Any]) -> tuple[dict[str, str], bool]:
    """Return variables, those under a condition as well; and whether an expression adds more."""
    found: dict[str, str] = {}
    is_open = False
    for key, value in entries.items():
        if not key.startswith(EXPRESSION):
            found[key] = _scalar(value)
        elif _mapping(value):
            inner, more = _environment(_mapping(value))
            found, is_open = {**found, **inner}, is_open or more
        else:
            is_open = True
    return found, is_open


def _is_ours(job: Any, top: dict[str, Any]) -> bool:  # noqa: ANN401 - as above
    return not _is_for_another_cloud("\n".join([*_texts(top.get("env")), *_texts(job)]))


def _composite(top: dict[str, Any], others: Others) -> list[_Step]:
    """Return the steps of an action that is made of steps; none where it is no such action."""
    runs = _mapping(top.get("runs"))
    return _steps(runs, others) if _scalar(runs.get("using")) == "composite" else []


def _needs_tokens(called: str, others: Others, seen: frozenset[str]) -> bool:
    """Tell whether a workflow that is called runs Terraform with what its caller may."""
    if called in seen:
        return False
    top = _read(called, others)
    for job in _mapping(top.get("jobs")).values():
        fields = _mapping(job)
        own = fields.get("permissions", top.get("permissions"))
        if own is not None and not _may_ask(own):
            continue  # it is told in that file
        inner = _scalar(fields.get("uses"))
        if inner.startswith(LOCAL):
            if _needs_tokens(inner, others, seen | {called}):
                return True
        elif _runs_terraform(fields, others) and _is_ours(job, top):
            return True
    return False


def _runs_terraform(fields: dict[str, Any], others: Others) -> bool:
    """Tell whether a job runs Terraform, itself or in an action of the same repository."""
    waiting, seen = _steps(fields, others), set[str]()
    while waiting:
        step = waiting.pop()
        if step.action.startswith(LOCAL):
            if step.action not in seen:
                seen.add(step.action)
                waiting += _action(step.action, others)
        elif step.runs_terraform:
            return True
    return False


def _action(name: str, others: Others) -> list[_Step]:
    tops = (_read(f"{name.rstrip('/')}/action.{ending}", others) for ending in ("yml", "yaml"))
    return next(filter(None, (_composite(top, others) for top in tops)), [])


def _read(name: str, others: Others) -> dict[str, Any]:
    """Read a file of the same repository; one that is no YAML is told where it is looked at."""
    import yaml  # noqa: PLC0415 - as above

    try:
        return _mapping(yaml.compose(others(name.removeprefix(LOCAL)), Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return {}


def _is_for_another_cloud(text: str) -> bool:
    return bool(OTHER_CLOUD.search(text)) and not AZURE.search(text)


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield every key and every value in a node."""
    if node is not None:
        for inner in _walk(node):
            yield _scalar(inner)
            yield from _mapping(inner)


def _sets(name: str, step: _Step) -> bool:
    """Tell whether a step gives a variable a value; what is unset or emptied is taken out."""
    return bool(step.environment.get(name)) or sets(name, step.text)


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
    if _sets("ARM_OIDC_TOKEN", step):
        yield finding("TFO405", where=where)
    for name in sorted(set(NAME.findall(f"{step.text}\n{names}"))):
        meant = misspelt(name)
        if meant is not None:
            yield finding("TFO406", where=where, what=f"{name} is misspelt: {meant} is meant.")
    if _sets("ARM_CLIENT_SECRET", step):
        yield finding("TFO408", where=where)


def _step(node: Any, others: Others) -> _Step | None:  # noqa: ANN401 - as above
    fields = _mapping(node)
    task = _scalar(fields.get("task"))
    scripts = [_scalar(fields[name]) for name in SCRIPTS if name in fields]
    action = _scalar(fields.get("uses"))
    if not task and not action and not any(scripts):
        return None
    inputs, given = _mapping(fields.get("inputs")), _mapping(fields.get("with"))
    folders = (*(fields.get(name) for name in FOLDERS), *(inputs.get(name) for name in FOLDERS))
    folder = next(filter(None, map(_scalar, folders)), "")
    run = [*scripts, *map(_scalar, inputs.values())]
    run += [_scalar(value) for name, value in given.items() if name.lower() in RUN_BY_ACTIONS]
    commands = with_called(plain("\n".join(run)), folder=folder, others=others)
    told = map(_scalar, given.values())
    entries = fields.get("env")
    environment, is_open = _environment(_mapping(entries))
    return _Step(
        line=_line(node),
        task=task,
        text="\n".join([commands, plain("\n".join(told))]),
        commands=commands,
        environment=environment,
        is_open=is_open or _scalar(entries).startswith(EXPRESSION),
        action=action,
        inputs={name: _scalar(value) for name, value in inputs.items()},
    )


def _walk(document: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield every node once; aliases may make a document loop."""
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
