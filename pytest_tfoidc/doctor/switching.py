"""Whether what runs Terraform in a job asks for ID tokens there, or falls back to the Azure CLI.

A client asks for them only where ARM_USE_OIDC is true, or its block says so. What a job holds is
known in its order: variables of its own, those that earlier steps hand on, and who has signed in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_tfoidc.authvariables import (
    CERTIFICATES,
    CLIENT,
    CONNECTION,
    MANAGED_IDENTITY,
    REQUEST_TOKEN,
    REQUEST_URL,
    SECRETS,
    STORAGE_KEYS,
    SUBSCRIPTION,
    TENANT,
    USE_CLI,
    USE_MSI,
    USE_OIDC,
)
from pytest_tfoidc.doctor.containers import examine_containers, outside_of_containers
from pytest_tfoidc.doctor.findings import Finding, finding
from pytest_tfoidc.doctor.scripts import (
    Others,
    runs_terraform,
    sets,
    without_talk,
    without_words,
)
from pytest_tfoidc.doctor.steps import (
    ACTION,
    EXPRESSION,
    GIVEN,
    Around,
    Node,
    PipelineStep,
    environment_of,
    is_runner,
    items,
    mapping,
    read_yaml,
    scalar,
    step_of,
    task_of,
)

# Who sets one of these for Terraform wants to sign in as somebody.
SIGNING_IN = (
    tuple(group[0] for group in (CLIENT, TENANT, REQUEST_URL, REQUEST_TOKEN)) + CONNECTION[:2]
)
OF_ANYBODY = SUBSCRIPTION[0]  # one's own machine may be signed in already
OTHER_WAYS = (*SECRETS, *CERTIFICATES, *STORAGE_KEYS, *MANAGED_IDENTITY, USE_CLI, USE_MSI)
OFF = frozenset({"0", "f", "false"})
LOGIN = re.compile(r"\b(?:az|azd)(?:\.cmd|\.exe)?[ \t]+(?:auth[ \t]+)?login\b")
OURS = re.compile(r"\btfoidc\b|--tf-module\b|\bpytest_tfoidc\b")
IN_WORDS = re.compile(r"(?<!ARM_)\buse_oidc\b[\"']?\s*[=:]\s*[\"']?(?!false)|\bTF_VAR_use_oidc\b")
# A mention of the switch that may set it: not one that reads it, unsets it, or sets it to nothing.
SWITCHES = re.compile(
    rf"(?<![${{\w])(?<!unset )(?<!-e )(?<!--env )(?:\$env:)?{USE_OIDC}\b"
    r"(?![\"']?\s*\]?\s*=?\s*(?:[\"']?(?:false|0|f)\b|[\"']{2}))"
)
READS = re.compile(rf"\$(?:\{{|\(|env:)?{USE_OIDC}\b(?!\s*=)")
# What sets variables that nobody can see here.
UNSEEN = re.compile(
    r"\b(?:eval|dotenv|direnv|sops|doppler|infisical|chamber|teller)\b|\bop run\b"
    r"|\bcat\s+[^\n|;&]{1,300}>>\s*[\"']?\$(?:GITHUB_ENV|\{GITHUB_ENV\}|env:GITHUB_ENV)"
)
SOURCED = re.compile(r"(?:^|[;&|(]|\bthen|\bdo)[ \t]*(?:source|\.)[ \t]+(\S+)", re.MULTILINE)
HANDS_ON = re.compile(r"GITHUB_ENV|task\.setvariable")
# Actions and tasks that set variables or sign in; those of other clouds and of Docker do not.
SETS_UP = re.compile(r"login|auth|env|secret|vault|variab|cred|config|oidc", re.IGNORECASE)
HARMLESS = re.compile(
    r"(?:docker|actions|aws-actions|google-github-actions)/|hashicorp/setup-|opentofu/setup-"
)
STEPS = "steps"
CLI_TASK = "azurecli"
MOST = 20  # templates in templates


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The variables that a step of a job finds, and who has signed in.

    Args:
        environment: The variables.
        is_open: Whether there may be more, which cannot be seen.
        text: What earlier steps have run that hands variables on.
        is_signed_in: Whether the Azure CLI is.
        is_hosted: Whether the machine is the provider's: nobody has signed in on it.
    """

    environment: dict[str, str] = field(default_factory=dict)
    is_open: bool = False
    text: str = ""
    is_signed_in: bool = False
    is_hosted: bool = True

    def beside(self, environment: dict[str, str], *, is_open: bool) -> Scope:
        """Return it with more variables."""
        return replace(
            self,
            environment={**self.environment, **environment},
            is_open=self.is_open or is_open,
        )

    def after(self, step: PipelineStep) -> Scope:
        """Return what the next step of the job finds."""
        sets_up = task_of(step) or ("" if HARMLESS.match(step.action) else step.action)
        return replace(
            self,
            text=f"{self.text}\n{step.text}" if HANDS_ON.search(step.text) else self.text,
            is_open=self.is_open or SETS_UP.search(sets_up) is not None or _is_unseen(step),
            is_signed_in=self.is_signed_in
            or _signs_in(step)
            or step.action.lower().startswith("azure/login@"),
        )


def github_job(
    top: dict[str, Node], fields: dict[str, Node], *, steps: Sequence[PipelineStep], around: Around
) -> Iterator[Finding]:
    """Look at the steps of a job of GitHub that may ask for ID tokens.

    Args:
        top: The workflow.
        fields: The job.
        steps: Its steps, in their order, with those of actions.
        around: The repository.
    """
    runs_on = " ".join([*map(scalar, items(fields.get("runs-on"))), scalar(fields.get("runs-on"))])
    is_own = (
        "self-hosted" in runs_on or EXPRESSION in runs_on or bool(mapping(fields.get("runs-on")))
    )
    scope = Scope(is_hosted=not is_own)
    for node in (top.get("env"), mapping(fields.get("container")).get("env"), fields.get("env")):
        environment, is_open = environment_of(mapping(node))
        is_open = is_open or scalar(node).startswith(EXPRESSION)
        scope = scope.beside(environment, is_open=is_open)
    for step in steps:
        yield from _examined(step, scope, around, is_azure_devops=False)
        scope = scope.after(step)


def azure_devops_jobs(document: Node, *, file: str, around: Around) -> Iterator[Finding]:
    """Look at the steps of a pipeline of Azure DevOps, in the templates that it takes as well.

    A template is looked at where it is taken: there its variables are known.
    """
    top = mapping(document)
    is_start = bool({"trigger", "pr", "schedules", "resources", "pool"} & top.keys())
    if around.is_template(file) or ("parameters" in top and not is_start):
        return
    for step, scope in _Jobs(around.others).below(document, Scope(), file=file):
        if is_runner(step):
            yield from _examined(step, scope, around, is_azure_devops=True)


@dataclass(frozen=True)
class _Jobs:
    """Walks through a pipeline of Azure DevOps."""

    others: Others

    def below(
        self,
        node: Node,
        scope: Scope,
        *,
        file: str,
        in_steps: bool = False,
        depth: int = 0,
    ) -> Iterator[tuple[PipelineStep, Scope]]:
        """Yield the steps below a node, each with what it finds."""
        for one in items(node):
            if in_steps and _is_foreign_template(one, file, self.others):
                scope = replace(scope, is_open=True)
            for step, found in self.below(one, scope, file=file, in_steps=in_steps, depth=depth):
                yield step, found
                scope = found.after(step) if in_steps else scope
        own = step_of(node, self.others, file=file)
        if own is not None:
            yield own, scope
        elif mapping(node) and depth < MOST:
            yield from self._below_mapping(
                mapping(node), scope, file=file, in_steps=in_steps, depth=depth + 1
            )

    def _below_mapping(
        self,
        fields: dict[str, Node],
        scope: Scope,
        *,
        file: str,
        in_steps: bool,
        depth: int,
    ) -> Iterator[tuple[PipelineStep, Scope]]:
        scope = self._with_pool(self._with_variables(fields.get("variables"), scope, file), fields)
        name, template = _template(fields, file, self.others)
        for key, value in template.items():
            if key not in GIVEN:
                inner = key == STEPS
                yield from self.below(value, scope, file=name, in_steps=inner, depth=depth)
        for key, value in fields.items():
            inner = key == STEPS or (in_steps and key.startswith(EXPRESSION))
            around = replace(scope, is_open=True) if key in GIVEN else scope
            for one in mapping(value).values() if key in GIVEN else (value,):
                inner = inner or key in GIVEN
                yield from self.below(one, around, file=file, in_steps=inner, depth=depth)

    @staticmethod
    def _with_pool(scope: Scope, fields: dict[str, Node]) -> Scope:
        pool = fields.get("pool")
        name = scalar(pool) or scalar(mapping(pool).get("name"))
        is_own = bool(name) and name != "Azure Pipelines" and "vmImage" not in mapping(pool)
        return replace(scope, is_hosted=False) if is_own else scope

    def _with_variables(self, node: Node | None, scope: Scope, file: str, depth: int = 0) -> Scope:
        """Return a scope with the variables that a node declares, in each of the ways to do so."""
        if mapping(node):
            environment, is_open = environment_of(mapping(node))
            scope = scope.beside(environment, is_open=is_open)
        for one in map(mapping, items(node)):
            name, template = _template(one, file, self.others)
            if "name" in one:
                scope = scope.beside({scalar(one["name"]): scalar(one.get("value"))}, is_open=False)
            elif template and depth < MOST:
                scope = self._with_variables(template.get("variables"), scope, name, depth + 1)
            else:  # a group, a foreign template, a condition
                inner = [value for key, value in one.items() if key.startswith(EXPRESSION)]
                scope = replace(scope, is_open=scope.is_open or not inner)
                for value in inner:
                    scope = self._with_variables(value, scope, file, depth + 1)
        return scope


def _template(fields: dict[str, Node], file: str, others: Others) -> tuple[str, dict[str, Node]]:
    """Return the template that is taken: its file and content; nothing where it is foreign."""
    named = scalar(fields.get("template")).removesuffix("@self")
    if not named or "@" in named or EXPRESSION in named:
        return "", {}
    beside = posixpath.join(posixpath.dirname(file), named)
    path = posixpath.normpath(named.lstrip("/") if named.startswith("/") else beside)
    return path, read_yaml(path, others)


def _is_foreign_template(node: Node, file: str, others: Others) -> bool:
    fields = mapping(node)
    return "template" in fields and not _template(fields, file, others)[1]


def _examined(
    step: PipelineStep, scope: Scope, around: Around, *, is_azure_devops: bool
) -> Iterator[Finding]:
    """Look at a step: whether its Terraform, here or in a container, asks for ID tokens."""
    if OURS.search(step.commands):
        return
    yield from examine_containers(step, around=around, is_azure_devops=is_azure_devops)
    if task_of(step) == CLI_TASK:
        return  # it signs in to the Azure CLI
    here = scope.beside(step.environment, is_open=step.is_open)
    given = _signing_in(step, here)
    if given and not _is_switched(step, here) and not around.signs_in():
        names = f"{', '.join(given[:-1])} and {given[-1]} are" if given[1:] else f"{given[0]} is"
        what = f"A step runs Terraform without {USE_OIDC}: {names} set, and that is not."
        yield finding("TFO411", where=step.calling, what=what)


def _signing_in(step: PipelineStep, scope: Scope) -> tuple[str, ...]:
    """Return the variables by which Terraform would sign in, where the step runs it."""
    runs = any(runs_terraform(outside_of_containers(part.text)) for part in step.parts)
    if not runs and not (step.runs_terraform and ACTION.fullmatch(step.action)):
        return ()
    text = f"{scope.text}\n{step.text}"
    found = [name for name in SIGNING_IN if scope.environment.get(name) or sets(name, text)]
    is_anybody = scope.is_hosted and (scope.environment.get(OF_ANYBODY) or sets(OF_ANYBODY, text))
    return (*found, *((OF_ANYBODY,) if is_anybody else ()))


def _is_switched(step: PipelineStep, scope: Scope) -> bool:
    """Tell whether ID tokens are switched on, or somebody signs in in another way, or may."""
    text = without_talk(f"{scope.text}\n{step.text}")
    if scope.is_open or scope.is_signed_in or _is_unseen(step) or _signs_in(step):
        return True
    if _is_on(USE_OIDC, scope.environment) or SWITCHES.search(READS.sub("", text)):
        return True
    if IN_WORDS.search(text) or any("use_oidc" in name for name in scope.environment):
        return True
    return any(_is_on(name, scope.environment) or sets(name, text) for name in OTHER_WAYS)


def _is_on(name: str, environment: dict[str, str]) -> bool:
    """Tell whether a variable has a value that is no `false`."""
    value = environment.get(name, "").strip().lower()
    return bool(value) and value not in OFF


def _signs_in(step: PipelineStep) -> bool:
    """Tell whether a step signs in to the Azure CLI."""
    return LOGIN.search(without_words(step.commands)) is not None


def _is_unseen(step: PipelineStep) -> bool:
    """Tell whether a step reads variables from what cannot be looked at."""
    seen = {posixpath.basename(part.file) for part in step.parts if part.file}
    sourced = (posixpath.basename(found[1].strip("\"';)")) for found in SOURCED.finditer(step.text))
    return UNSEEN.search(step.text) is not None or any(name not in seen for name in sourced)
