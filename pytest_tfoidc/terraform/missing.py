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

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.events import Event, RequestAnswered
from pytest_tfoidc.terraform.hcl import parser

REMEDY = (
    "say what is there beforehand with --tf-existing (a module, or a file of resources);"
    " --tf-existing-draft FILE writes a stub for each of these reads."
)
NOT_FOUND = 404
DATA = re.compile(r"(?:^|\.)data\.([\w-]+)\.([\w-]+)")
NOTHING = re.compile(
    r"not\s+(?:be\s+)?found|\bno\s[^.\n]{0,80}\bfound|does\s*n[o']t\s+exist|could not find"
    r"|unable to find|returned no|\b404\b",
    re.IGNORECASE,
)
# What fails for another reason, whatever its words are.
REFUSED = re.compile(
    r"AADSTS\d|refused by tfoidc|SubscriptionNotFound|InvalidAuthentication|AuthorizationFailed"
    r"|status(?:\s+code)?:?\s+(?!404)\d{3}\b",
    re.IGNORECASE,
)
QUOTED = re.compile(r"[\"'`]([^\"'`\n]{1,200})[\"'`]")
REMOTE_STATE = re.compile(r"data\.terraform_remote_state\.([\w-]+)(?:\[[^\]]*\])?\.outputs")
OUTPUT = re.compile(r"\.outputs(?:\.([\w-]+)|\[\"([^\"]+)\"\])")
EMPTY = "no attributes"
RESOURCE_MANAGER = "management."
GRAPH: dict[
    str, tuple[str, dict[str, Any]]
] = {  # what tells an object's type in a file of resources, by the data source's type
    "azuread_user": ("userPrincipalName", {"displayName": ""}),
    "azuread_group": ("displayName", {"mailNickname": "", "securityEnabled": True}),
    "azuread_service_principal": (
        "displayName",
        {"appId": "", "servicePrincipalType": "Application"},
    ),
    "azuread_application": ("displayName", {"appId": ""}),
}


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One of Terraform's errors. `values`: what it reports of references, a line each."""

    address: str = ""
    text: str = ""
    code: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MissingRead:
    """A read that found nothing. `what`: its name or place; `stub`: for a file of resources."""

    address: str
    what: str
    stub: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say so in a sentence."""
        return f"`{self.address}` reads {self.what}, which does not exist on the stand-in."


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
    """Return the reads that found nothing, each once.

    Args:
        complaints: Terraform's errors.
        events: What happened while it ran; on the stand-in these tell what was asked for.
        files: The module's files, which tell where a remote state is.
    """
    answers = [e for e in events if isinstance(e, RequestAnswered)]
    found: dict[str, MissingRead] = {}
    for complaint in complaints:
        for one in (_remote_state(complaint, files), _data_source(complaint, answers)):
            if one is not None:
                found.setdefault(one.address, one)
    return tuple(found.values())


def _data_source(complaint: Complaint, answers: Sequence[RequestAnswered]) -> MissingRead | None:
    named = DATA.search(complaint.address)
    text = " ".join(complaint.text.split()).lower()
    if named is None or not NOTHING.search(text) or REFUSED.search(text):
        return None
    asked = [
        answer
        for answer in answers
        if answer.status == NOT_FOUND
        and answer.method in {"GET", "HEAD"}
        and _name(answer.path).lower() in text
    ]
    if asked:
        best = max(asked, key=lambda answer: len(_name(answer.path)))
        stub = _stub(named[1], best.host, best.path)
        return MissingRead(address=complaint.address, what=_name(best.path), stub=stub)
    quoted = QUOTED.findall(complaint.text)
    what = quoted[-1] if quoted else "something"
    stub = _stub(named[1], "", what) if quoted else {}
    return MissingRead(address=complaint.address, what=what, stub=stub)


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _stub(kind: str, host: str, path: str) -> dict[str, Any]:
    """Return what a file of resources would say of it, to be filled in."""
    name = _name(path)
    if host.startswith(RESOURCE_MANAGER):
        shown = {"name": name, "location": "westeurope"}
        segments = [s for s in path.split("/") if s]
        if "providers" not in [s.lower() for s in segments]:
            return {"id": path, **shown, "properties": {}}
        start = max(i for i, s in enumerate(segments) if s.lower() == "providers") + 1
        words = [segments[start], *segments[start + 1 :: 2]]
        return {"id": path, "type": "/".join(words), **shown, "properties": {}}
    if ".vault." in host:
        parts = [s for s in path.split("/") if s]
        return {"id": f"https://{host}/" + "/".join(parts[:2]), "value": ""}
    if kind in GRAPH:
        named_by, rest = GRAPH[kind]
        return {**rest, named_by: name}
    return {}


def _remote_state(complaint: Complaint, files: Sequence[Path]) -> MissingRead | None:
    """Find a remote state that is not there: an empty one, as its backend makes it when asked."""
    if not re.search(r"attribute|index|key", complaint.text, re.IGNORECASE):
        return None
    empty = [v for v in complaint.values if EMPTY in v]
    named = next(filter(None, map(REMOTE_STATE.search, empty)), None)
    if named is None:
        return None
    name, output = named[1], OUTPUT.search(complaint.code)
    outputs = [part for part in (output.groups() if output else ()) if part]
    return MissingRead(
        address=f"data.terraform_remote_state.{name}", **_place_of_state(name, files, outputs)
    )


def _place_of_state(name: str, files: Sequence[Path], outputs: Sequence[str]) -> dict[str, Any]:
    config = next(_configs(name, files), {})
    account, container, key = (
        str(config.get(part) or "") for part in ("storage_account_name", "container_name", "key")
    )
    if not (account and container and key):
        return {"what": "a state"}
    values = {one: {"value": "", "type": "string"} for one in outputs}
    state = {"version": 4, "terraform_version": "1.6.0", "serial": 1, "lineage": name}
    return {
        "what": f"the state {container}/{key} of {account}",
        "stub": {
            "url": f"https://{account}.blob.core.windows.net/{container}/{key}",
            "content": {**state, "outputs": values, "resources": []},
        },
    }


def _configs(name: str, files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with contextlib.suppress(OSError, TfOidcError):
            for block in parser.parse_file(file).of_type("data"):
                if block.labels == ("terraform_remote_state", name):
                    yield _literals(block.body)


def _literals(body: parser.Body) -> dict[str, Any]:
    attribute = body.attributes.get("config")
    entries = attribute.expression.entries if attribute else {}
    return {k: e.value for k, e in entries.items() if e.value is not parser.NOT_LITERAL}
