"""Reads that found nothing on the stand-in: which data source read what, and a stub for it.

A run on the stand-in begins with an empty Azure. What a data source reads has to be said to be
there; Terraform's own words for that, and a provider's, do not tell that this is why it fails.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.events import Event, RequestAnswered
from pytest_tfoidc.terraform.backend import DEFAULT_WORKSPACE
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.missing_stubs import last_name, names_in, stub_of, wanted

REMEDY = (
    "say what is there beforehand with --tf-existing (a module, or a file of resources);"
    " --tf-existing-draft FILE writes a stub for each of these reads."
)
NOT_FOUND = 404
DATA = re.compile(r"(?:^|\.)data\.([\w-]+)\.([\w-]+)")
NOTHING = re.compile(
    r"not\s+(?:be\s+)?found|\bno\s[^.\n]{0,80}\bfound|does\s*n[o']t\s+exist|could not find"
    r"|unable to find|returned no|\b404\b|locating storage account \"[^\"]+\"$",
    re.IGNORECASE,
)
# What fails for another reason, whatever its words are.
REFUSED = re.compile(
    r"AADSTS\d|refused by tfoidc|SubscriptionNotFound|InvalidAuthentication|AuthorizationFailed"
    r"|status(?:\s+code)?:?\s+(?!404)\d{3}\b",
    re.IGNORECASE,
)
REMOTE = "terraform_remote_state"
REMOTE_STATE = re.compile(rf"data\.{REMOTE}\.([\w-]+)(?:\[[^\]]*\])?\.outputs")
OUTPUTS = re.compile(r"\boutputs\b")
OUTPUT = re.compile(r"\.outputs(?:\.([\w-]+)|\[\"([^\"]+)\"\])|attribute named \"([\w-]+)\"")
NO_STATE = "No stored state was found"
INTERPOLATED = re.compile(r"(\$\{[^}]*\})")
OF_A_WORKSPACE = r"(?:env:.+)?"  # what the azurerm backend adds to a key
EMPTY = "no attributes"


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One of Terraform's errors. `values`: what it reports of references, a line each."""

    address: str = ""
    text: str = ""
    code: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MissingRead:
    """A read that found nothing.

    `what`: its name or place; `stub`: for a file of resources; `remedy`: what to do about it;
    `where`: where it does not exist, in words.
    """

    address: str
    what: str
    stub: Mapping[str, Any] = field(default_factory=dict)
    where: str = " on the stand-in"
    remedy: str = REMEDY

    @property
    def headline(self) -> str:
        """Say in a few words what is not there."""
        return f"{self.what} does not exist{self.where}"

    def __str__(self) -> str:
        """Say so in a sentence."""
        return f"`{self.address}` reads {self.what}, which does not exist{self.where}."


def complaint_of(diagnostic: Mapping[str, Any]) -> Complaint:
    """Read one of Terraform's diagnostics as its JSON has it."""
    snippet = diagnostic.get("snippet") or {}
    values = snippet.get("values") or ()
    return Complaint(
        address=str(diagnostic.get("address") or ""),
        text=f"{diagnostic.get('summary', '')}\n{diagnostic.get('detail', '')}",
        code=str(snippet.get("code") or ""),
        values=tuple(f"{v.get('traversal', '')} {v.get('statement', '')}" for v in values),
    )


def missing_reads(
    complaints: Iterable[Complaint], events: Iterable[Event], *, files: Sequence[Path]
) -> tuple[MissingRead, ...]:
    """Return the reads that found nothing, each once, by their addresses.

    Terraform says them in any order, and the same failure is to read the same each time.

    Args:
        complaints: Terraform's errors.
        events: What happened while it ran; on the stand-in these tell what was asked for.
        files: The module's files, which tell where a remote state is.
    """
    answers = [e for e in events if isinstance(e, RequestAnswered)]
    found: dict[tuple[str, str], MissingRead] = {}
    for complaint in complaints:
        reads = [*_remote_states(complaint, files, answers), _data_source(complaint, answers)]
        for one in filter(None, reads):
            found.setdefault((one.address, one.what), one)
    return tuple(found[key] for key in sorted(found))


def _data_source(complaint: Complaint, answers: Sequence[RequestAnswered]) -> MissingRead | None:
    named = DATA.search(complaint.address)
    text = " ".join(complaint.text.split()).lower()
    if named is None or named[1] == REMOTE or not NOTHING.search(text) or REFUSED.search(text):
        return None
    asked = [
        answer
        for answer in answers
        if answer.status == NOT_FOUND
        and answer.method in {"GET", "HEAD"}
        and names_in(answer, text)
    ]
    if asked:  # of a group and a network in it, the network
        best = max(asked, key=lambda answer: names_in(answer, text))
        stub = stub_of(named[1], best.host, best.path)
        return MissingRead(address=complaint.address, what=last_name(best.path), stub=stub)
    found = wanted(named[1], complaint.text, answers)
    return MissingRead(address=complaint.address, what=found.name, stub=found.stub)


@dataclass(frozen=True, kw_only=True)
class _State:
    """A `terraform_remote_state` of the configuration. `config`: its literal values and texts.

    `workspace`: the pattern of what its Terraform workspace adds to the key.
    """

    name: str
    backend: str
    config: Mapping[str, str]
    workspace: str = ""

    @property
    def address(self) -> str:
        return f"data.{REMOTE}.{self.name}"

    def may_be(self, place: tuple[str, str, str]) -> bool:
        """Tell whether a blob, by account, container and key, may be this state."""
        names = ("storage_account_name", "container_name", "key")
        for name, value in zip(names, place, strict=True):
            ending = self.workspace if name == "key" else ""
            if not re.fullmatch(_pattern(self.config.get(name, "")) + ending, value):
                return False
        return True


def _pattern(text: str) -> str:
    """Return a pattern of a value: anything where it is no literal, or has an interpolation."""
    parts = INTERPOLATED.split(text)
    return "".join(".+" if part.startswith("${") else re.escape(part) for part in parts) or ".+"


def _remote_states(
    complaint: Complaint, files: Sequence[Path], answers: Sequence[RequestAnswered]
) -> list[MissingRead]:
    """Find remote states that are not there: empty ones, as their backend makes them when asked.

    An error names the empty object, or a local value or a variable that hands it on.
    """
    if NO_STATE in complaint.text:
        return _not_stored(complaint, files)
    if not re.search(r"attribute|index|key", complaint.text, re.IGNORECASE):
        return []
    named = next(filter(None, map(REMOTE_STATE.search, complaint.values)), None)
    is_empty = any(EMPTY in value for value in complaint.values)
    states = [one for one in _states(files) if named is None or one.name == named[1]]
    absent = _absent_blobs(answers)
    output = OUTPUT.search(complaint.code) or OUTPUT.search(complaint.text)
    outputs = [part for part in (output.groups() if output else ()) if part]
    found = [
        _absent(state.address, place, outputs)
        for state in states
        for place in absent
        if state.backend == "azurerm" and state.config.get("key") and state.may_be(place)
    ]
    handed_on = any(map(OUTPUTS.search, (complaint.code, *complaint.values)))
    if found and (is_empty or handed_on):
        return found
    if named is None or not is_empty:
        return []
    return [_empty(f"data.{REMOTE}.{named[1]}", next(iter(states), None), outputs)]


def _not_stored(complaint: Complaint, files: Sequence[Path]) -> list[MissingRead]:
    """Return a state of another backend than the stand-in's, which says itself that it has none."""
    named = DATA.search(complaint.address)
    state = next((one for one in _states(files) if named and one.name == named[2]), None)
    if named is None or named[1] != REMOTE:
        return []
    backend = state.backend if state else ""
    path = state.config.get("path", "") if state else ""
    if backend == "local":
        what = f"the state {path}" if path and "${" not in path else "a state in a file"
        remedy = (
            "apply the module that makes this file first, or keep a fixture of it in the"
            " repository; its path is relative to where Terraform runs, the module."
        )
    else:
        what = f"the state of its {backend} backend" if backend else "a state"
        remedy = "apply the module that makes it first; the stand-in plays Azure alone."
    return [MissingRead(address=complaint.address, what=what, where="", remedy=remedy)]


def _absent_blobs(answers: Sequence[RequestAnswered]) -> list[tuple[str, str, str]]:
    """Return the blobs that were read and are not there: account, container and key, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for one in answers:
        account, blob, _ = one.host.partition(".blob.")
        container, _, key = unquote(one.path).strip("/").partition("/")
        if blob and key and one.status == NOT_FOUND and one.method in {"GET", "HEAD"}:
            found[account, container, key] = None
    return [*found]


def _empty(address: str, state: _State | None, outputs: Sequence[str]) -> MissingRead:
    """Return an empty state of which no request tells: its place is what its block says."""
    config = state.config if state else {}
    names = ("storage_account_name", "container_name", "key")
    account, container, key = (config.get(name, "") for name in names)
    if not (account and container and key) or "${" in account + container + key:
        return MissingRead(address=address, what="a state")
    return _absent(address, (account, container, key), outputs)


def _absent(address: str, place: tuple[str, str, str], outputs: Sequence[str]) -> MissingRead:
    account, container, key = place
    values = {one: {"value": "", "type": "string"} for one in outputs}
    state = {"version": 4, "terraform_version": "1.6.0", "serial": 1, "lineage": address}
    return MissingRead(
        address=address,
        what=f"the state {container}/{key} of {account}",
        stub={
            "url": f"https://{account}.blob.core.windows.net/{container}/{key}",
            "content": {**state, "outputs": values, "resources": []},
        },
    )


def _states(files: Sequence[Path]) -> Iterator[_State]:
    for file in files:
        with contextlib.suppress(OSError, TfOidcError):
            for block in parser.parse_file(file).of_type("data"):
                if block.labels[:1] == (REMOTE,) and len(block.labels) > 1:
                    backend = block.body.literal("backend")
                    config = _texts(block.body)
                    yield _State(
                        name=block.labels[1],
                        backend=str(backend),
                        config=config,
                        workspace=_workspace(block.body),
                    )


def _workspace(body: parser.Body) -> str:
    """Return the pattern of what the backend adds to a key for the workspace that a block names."""
    if "workspace" not in body.attributes:
        return ""
    name = body.literal("workspace")
    if not isinstance(name, str):
        return OF_A_WORKSPACE
    return "" if name == DEFAULT_WORKSPACE else f"env:{re.escape(name)}"


def _texts(body: parser.Body) -> dict[str, str]:
    """Return the values of a `config`: of a text that is no literal, as it is written."""
    attribute = body.attributes.get("config")
    entries = attribute.expression.entries if attribute else {}
    found = {}
    for name, entry in entries.items():
        written = entry.text.strip()
        if entry.value is not parser.NOT_LITERAL:
            found[name] = str(entry.value)
        elif written.startswith('"'):
            found[name] = written.strip('"')
        else:
            found[name] = f"${{{written}}}"
    return found
