"""Containers that a step starts: whether Terraform in them gets what buys ID tokens.

`docker run` hands over the variables that are named to it. The containers of jobs, and actions that
are images, get all of them from their agent.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tfoidc.authvariables import (
    CERTIFICATES,
    CLIENT,
    CONNECTION,
    ID_TOKEN,
    ID_TOKEN_FILE,
    MANAGED_IDENTITY,
    REQUEST_TOKEN,
    REQUEST_URL,
    SECRETS,
    SUBSCRIPTION,
    TENANT,
    USE_CLI,
    USE_MSI,
    USE_OIDC,
)
from pytest_tfoidc.doctor.findings import Finding, finding
from pytest_tfoidc.doctor.scripts import WORD, Others, line_of, without_words
from pytest_tfoidc.doctor.steps import Around, PipelineStep

RUN = re.compile(
    r"(?<![\w./-])(?P<tool>(?:docker|podman|nerdctl)(?:\.exe)?)[ \t]+(?P<compose>compose\b)?"
    r"(?P<options>(?:[^\n;|&]{0,300}?[ \t])??)(?:container[ \t]+)?(?:run|exec|up)(?=\s)"
    r"(?P<rest>(?:(?!&&)[^\n;|])*)"
    r"|(?<![\w./-])(?P<old>docker-compose|podman-compose)(?:\.exe)?\b"
    r"(?P<before>[^\n;|&]{0,300}?)[ \t](?:run|exec|up)(?=\s|$)(?P<after>(?:(?!&&)[^\n;|])*)"
)
GIVES, GIVES_FILE = ("-e", "--env"), ("--env-file",)
NAME_AT_START = re.compile(r"^\s*(?:export\s+)?[\"']?([A-Z][A-Z0-9_]+)\b", re.MULTILINE)
# An expression that may hold options.
ANY_OPTIONS = re.compile(
    r"^\$\W*\w*(?:arg|opt|env|flag|param)\w*\W*$|\[[@*]\]|^@\w+$|^\$\(\s*(?:env|printenv|cat)\b",
    re.IGNORECASE,
)
CLIENTS_OWN = frozenset(
    {CLIENT[0], TENANT[0], SUBSCRIPTION[0], USE_OIDC, *CONNECTION[:2]}
)  # whoever hands one of these over wants Terraform to sign in there
# What is set, where all of a prefix is handed over; agents set no ARM_OIDC_REQUEST_….
SET = CLIENTS_OWN | {*REQUEST_URL[1:], *REQUEST_TOKEN[1:]}
OTHER_WAYS = frozenset(
    {*SECRETS, *CERTIFICATES, *MANAGED_IDENTITY, ID_TOKEN, ID_TOKEN_FILE, USE_CLI, USE_MSI}
)
OF_THE_CLI = re.compile(r"\.azure\b|AZURE_CONFIG_DIR")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
ON_GITHUB = (REQUEST_URL[:2], REQUEST_TOKEN[:2])
ON_AZURE_DEVOPS = (
    (REQUEST_URL[0], REQUEST_URL[2]),
    (REQUEST_TOKEN[0], REQUEST_TOKEN[2]),
)


@dataclass(frozen=True)
class _Handed:
    """The variables that a command hands to its container. `is_open`: there may be more."""

    names: frozenset[str]
    is_open: bool = False


def outside_of_containers(script: str) -> str:
    """Return a script without the commands that start something in a container."""
    return RUN.sub("", script)


def examine_containers(
    step: PipelineStep, *, around: Around, is_azure_devops: bool
) -> Iterator[Finding]:
    """Look at what a step starts in containers.

    Args:
        step: The step.
        around: The repository.
        is_azure_devops: Whether it is a step of Azure DevOps; else it is one of GitHub.
    """
    needed = ON_AZURE_DEVOPS if is_azure_devops else ON_GITHUB
    for part in step.parts:
        run = without_words(part.text)
        for command in RUN.finditer(run):
            handed = _handed(command, step, around.others)
            missing = _missing(handed, needed)
            is_switched = USE_OIDC in handed.names or "use_oidc" in command[0]
            if not missing and _is_meant(handed) and not is_switched and not around.signs_in():
                missing = [USE_OIDC]
            if missing and not OF_THE_CLI.search(command[0]):
                line = line_of(run, command.start())
                where = f"{part.file}:{line}, called by {step.where}" if part.file else step.where
                what = f"A container does not get {' and '.join(missing)}."
                yield finding("TFO412", where=where, what=what)


def _missing(handed: _Handed, needed: tuple[tuple[str, ...], ...]) -> list[str]:
    """Return what a container that is meant to sign in lacks for it."""
    if not _is_meant(handed):
        return []
    return [group[-1] for group in needed if not handed.names & {*group}]


def _is_meant(handed: _Handed) -> bool:
    """Tell whether a container is meant to sign in by ID tokens, with what is seen of it."""
    names = handed.names
    return not (handed.is_open or names & OTHER_WAYS) and bool(names & CLIENTS_OWN)


def _handed(command: re.Match[str], step: PipelineStep, others: Others) -> _Handed:
    """Return the names of the variables that a command hands over."""
    given = command["rest"] if command["tool"] else command["after"]
    before = command["options"] if command["tool"] else command["before"]
    words = [found[0].strip("\"'") for found in WORD.finditer(f"{before} {given}")]
    names, is_open = set[str](), any(map(ANY_OPTIONS.search, words))
    for number, word in enumerate(words):
        option, has_value, value = word.partition("=")
        if option in GIVES and not has_value:
            value = words[number + 1] if number + 1 < len(words) else ""
        if option in GIVES or (word.startswith("-e") and word[2:3].isupper()):
            name = (value if option in GIVES else word[2:]).partition("=")[0].strip("\"'")
            names.add(name)
            is_open = is_open or "$" in name or name.endswith("*")
        elif option in GIVES_FILE:
            file = value or next(iter(words[number + 1 :]), "")
            found = _in_file(file.strip("\"'"), step, others)
            names |= found.names
            is_open = is_open or found.is_open
    if command["compose"] or command["old"]:
        names |= _composed(words, others)
    return _Handed(frozenset(names), is_open)


def _in_file(file: str, step: PipelineStep, others: Others) -> _Handed:
    """Return what a file of variables holds: one of the repository, or one that the step writes."""
    content = others(posixpath.normpath(file)) if file and "$" not in file else ""
    written = [line for line in step.commands.splitlines() if f"{file}" in line and ">" in line]
    whole = "\n".join(written)
    if not content and not whole:
        return _Handed(frozenset(), is_open=True)
    found = {*NAME_AT_START.findall(content), *re.findall(r"\b[A-Z][A-Z0-9_]+\b", whole)}
    for prefix in re.findall(r"\b(ARM_|ACTIONS_|SYSTEM_)(?![A-Z])", whole):
        found |= {name for name in SET if name.startswith(prefix)}
    dumps = re.search(r"\b(?:env|printenv|set|export)\b[^|]*>", whole)
    is_open = dumps is not None and "|" not in dumps[0] and "grep" not in whole
    return _Handed(frozenset(found), is_open=is_open)


def _composed(words: list[str], others: Others) -> set[str]:
    """Return what the files of docker compose hand over, whichever service it is."""
    named = [words[n + 1] for n, word in enumerate(words[:-1]) if word in {"-f", "--file"}]
    named += [word.partition("=")[2] for word in words if word.startswith("--file=")]
    texts = (others(posixpath.normpath(name)) for name in named or COMPOSE_FILES)
    return {name for text in texts for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b", text)}
