"""Steps of pipelines as YAML's nodes have them: what they run, with what, and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pytest_tfoidc.doctor.scripts import (
    Others,
    Part,
    plain,
    runs_terraform,
    sets,
    setting_line,
    terraform_line,
    with_called,
)

LOCAL = "./"  # actions and workflows of the same repository
SCRIPTS = ("script", "bash", "pwsh", "powershell", "run")
FOLDERS = ("working-directory", "workingDirectory", "cwd")
GIVEN = ("inputs", "parameters", "env")  # a `script` in them is a value, and no step
EXPRESSION = "${{"
MERGED = "<<"  # what another mapping holds, in YAML
RUNNERS = frozenset({"azurecli", "azurepowershell", "bash", "cmdline", "powershell", "shellscript"})
TASK = re.compile(r"(?:[\w.-]+\.)?([A-Za-z]+?)(?:V\d+)?@(\d+)")
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


class Node(Protocol):
    """A node of PyYAML, which comes without types: its kind, its content, and where it begins."""

    id: str
    value: Any
    start_mark: Any


@dataclass(frozen=True, kw_only=True)
class Around:
    """The repository around a pipeline.

    Args:
        others: Returns what another file holds, by its path; nothing where there is none.
        signs_in: Tells whether a configuration itself says how to sign in.
        is_template: Tells whether a pipeline takes a file as a template.
    """

    others: Others
    signs_in: Callable[[], bool]
    is_template: Callable[[str], bool]


NOTHING = Around(others=lambda _name: "", signs_in=lambda: False, is_template=lambda _name: False)


def read_yaml(name: str, others: Others) -> dict[str, Node]:
    """Read a file of the same repository; one that is no YAML is told where it is looked at."""
    import yaml  # noqa: PLC0415 - heavy

    try:
        return mapping(yaml.compose(others(name), Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return {}


def environment_of(entries: Mapping[str, Node | None]) -> tuple[dict[str, str], bool]:
    """Return variables, those under a condition as well; and whether an expression adds more."""
    found: dict[str, str] = {}
    is_open = False
    for key, value in entries.items():
        if key == MERGED:
            inner, more = environment_of(mapping(value))
            found, is_open = {**inner, **found}, is_open or more or not inner
        elif not key.startswith(EXPRESSION):
            found[key] = scalar(value)
        elif mapping(value):
            inner, more = environment_of(mapping(value))
            found, is_open = {**found, **inner}, is_open or more
        else:
            is_open = True
    return found, is_open


@dataclass(frozen=True, kw_only=True)
class PipelineStep:
    """A step of either kind.

    `parts`: what it may run, its own and what that calls. `told`: what it says beside that.
    `is_open`: its environment holds more, by an expression. `caller`: of a step of an action of the
    same repository, the step that uses it.
    """

    file: str
    line: int
    task: str = ""
    parts: tuple[Part, ...] = ()
    told: str = ""
    environment: dict[str, str]
    is_open: bool = False
    action: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    caller: str = ""

    @property
    def commands(self) -> str:
        """The commands that it may run."""
        return "\n".join(part.text for part in self.parts)

    @property
    def text(self) -> str:
        """Its script and its inputs."""
        return f"{self.commands}\n{self.told}"

    @property
    def runs_terraform(self) -> bool:
        """Whether it signs in."""
        if ACTION.fullmatch(self.action) and not ONLY_LOOKS.search(self.action):
            return True
        return any(runs_terraform(part.text) for part in self.parts)

    @property
    def where(self) -> str:
        """Its file and line, and what uses it."""
        place = f"{self.file}:{self.line}"
        return f"{place}, used by {self.caller}" if self.caller else place

    def place(self, find: Callable[[str], int]) -> str:
        """Return where something stands that the step runs: in what it calls, or in itself.

        Args:
            find: Returns a line of a script, from 1 on; 0 where it is not in there.
        """
        part, line = self._found(find)
        return f"{part.file}:{line}, called by {self.where}" if part and part.file else self.where

    @property
    def calling(self) -> str:
        """Where it is, and where that runs Terraform, if that is in a script that it calls."""
        part, line = self._found(terraform_line)
        return f"{self.where}, which calls {part.file}:{line}" if part and part.file else self.where

    def _found(self, find: Callable[[str], int]) -> tuple[Part | None, int]:
        """Return the first part that something stands in, and its line there."""
        lines = ((part, find(part.text)) for part in self.parts)
        return next(((part, line) for part, line in lines if line), (None, 0))

    def sets(self, name: str) -> bool:
        """Tell whether it gives a variable a value; what is unset or emptied is taken out."""
        return bool(self.environment.get(name)) or sets(name, self.text)

    def setting(self, name: str) -> str:
        """Return where it does."""
        if self.environment.get(name):
            return self.where
        return self.place(lambda text: setting_line(name, text))


def task_of(step: PipelineStep) -> str:
    """Return the name of Azure DevOps' task that a step is, in lower case; empty for others."""
    found = TASK.fullmatch(step.task)
    return found[1].lower() if found else ""


def is_runner(step: PipelineStep) -> bool:
    """Tell whether a step of Azure DevOps runs a script."""
    return (not step.task and not step.action) or task_of(step) in RUNNERS


def step_of(node: Node, others: Others, *, file: str) -> PipelineStep | None:
    """Return the step that a node is; None where it is none."""
    fields = mapping(node)
    task = scalar(fields.get("task"))
    scripts = [scalar(fields[name]) for name in SCRIPTS if name in fields]
    action = scalar(fields.get("uses"))
    if not task and not action and not any(scripts):
        return None
    inputs, given = mapping(fields.get("inputs")), mapping(fields.get("with"))
    folders = (*(fields.get(name) for name in FOLDERS), *(inputs.get(name) for name in FOLDERS))
    folder = next(filter(None, map(scalar, folders)), "")
    run = [*scripts, *map(scalar, inputs.values())]
    run += [scalar(value) for name, value in given.items() if name.lower() in RUN_BY_ACTIONS]
    entries = fields.get("env")
    environment, is_open = environment_of(mapping(entries))
    return PipelineStep(
        file=file,
        line=line_of_node(node),
        task=task,
        parts=with_called(plain("\n".join(run)), folder=folder, others=others),
        told=plain("\n".join(map(scalar, given.values()))),
        environment=environment,
        is_open=is_open or scalar(entries).startswith(EXPRESSION),
        action=action,
        inputs={name: scalar(value) for name, value in inputs.items()},
    )


def walk(document: Node | None) -> Iterator[Node]:
    """Yield every node once; aliases may make a document loop."""
    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += [*mapping(node).values(), *items(node)]


def mapping(node: Node | None) -> dict[str, Node]:
    """Return what a node maps; nothing where it is no mapping."""
    if node is None or node.id != "mapping":
        return {}
    return {scalar(key): value for key, value in node.value}


def items(node: Node | None) -> list[Node]:
    """Return what a node lists; nothing where it is no list."""
    return list(node.value) if node is not None and node.id == "sequence" else []


def scalar(node: Node | None) -> str:
    """Return the text of a node; empty where it is none."""
    return str(node.value) if node is not None and node.id == "scalar" else ""


def line_of_node(node: Node) -> int:
    """Return the line that a node begins in, from 1 on."""
    return int(node.start_mark.line) + 1
