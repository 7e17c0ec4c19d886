"""The content of one organization of Azure DevOps, and a call that works on it."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_tfoidc.mockazure.devops.call import DevOpsError, Document, only, read_body, read_items

if TYPE_CHECKING:
    from pytest_tfoidc.httpserver import Request
    from pytest_tfoidc.mockazure.devops.locations import Found

Entries = dict[str, Document]
NUMBERS = ("numbers", "")  # the latest number that was given to an entry of each kind


@dataclass(frozen=True)
class DevOpsSnapshot:
    """A state to come back to: of the job's own organization, and of the others by their names."""

    projects: Mapping[str, Document]
    endpoints: Mapping[str, Document]
    gone: frozenset[str] = frozenset()
    features: Mapping[tuple[str, str], str] = field(default_factory=dict)
    others: Mapping[str, DevOpsSnapshot] = field(default_factory=dict)
    entries: Mapping[tuple[str, str], Mapping[str, Document]] = field(default_factory=dict)


@dataclass
class Organization:
    """The content of one organization.

    `gone`: ids and names of projects that were deleted. `features`: whether they are enabled, by
    project and feature, where somebody said it. `entries`: everything else, by its kind and by what
    it lies in (a project's id, a repository's, …).
    """

    name: str
    projects: dict[str, Document] = field(default_factory=dict)
    endpoints: dict[str, Document] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    features: dict[tuple[str, str], str] = field(default_factory=dict)
    entries: dict[tuple[str, str], Entries] = field(default_factory=dict)

    def of(self, kind: str, scope: str = "") -> Entries:
        """Return the entries of a kind, by id. They may be filled and emptied."""
        return self.entries.setdefault((kind, scope), {})

    def number(self, kind: str) -> int:
        """Return a number that no entry of a kind has had."""
        latest = self.entries.setdefault(NUMBERS, {}).setdefault(kind, {"latest": 0})
        latest["latest"] += 1
        return int(latest["latest"])

    def forget(self, scope: str) -> None:
        """Delete all that lies in a project, or in another thing with an id of its own."""
        for key in [k for k in self.entries if scope in k[1].split("/")]:
            del self.entries[key]

    def snapshot(self) -> DevOpsSnapshot:
        """Return the state, to be restored later."""
        return DevOpsSnapshot(
            copy.deepcopy(self.projects),
            copy.deepcopy(self.endpoints),
            self.gone,
            dict(self.features),
            entries=copy.deepcopy(self.entries),
        )

    def restore(self, snapshot: DevOpsSnapshot) -> None:
        """Go back to a state."""
        self.projects = copy.deepcopy(dict(snapshot.projects))
        self.endpoints = copy.deepcopy(dict(snapshot.endpoints))
        self.gone = snapshot.gone
        self.features = dict(snapshot.features)
        self.entries = {key: dict(copy.deepcopy(kept)) for key, kept in snapshot.entries.items()}


class Required(dict[str, Any]):
    """The names of a path; whoever asks for one that it leaves out refuses the call."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 - as dict's own
        """Refuse the call.

        Raises:
            DevOpsError: Always.
        """
        raise invalid(f"A value is required in order to perform this action. Parameter: {name}")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that a verb answers. `project`: the one that its path names; empty without one."""

    organization: Organization
    request: Request
    found: Found
    query: Mapping[str, str]
    project: Document
    now: str

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def key(self) -> str:
        """The value of the route's last parameter; empty where it is missing."""
        return self.found.last

    @property
    def base(self) -> str:
        """Where the organization is."""
        return f"https://dev.azure.com/{self.organization.name}"

    @property
    def scope(self) -> str:
        """Where the entries of this path lie: the project, and the ids before the last."""
        project = str(self.project.get("id", ""))
        names = [n for n in self.found.values if n not in {"", "project", "team"}]
        inner = [self.found.values[n].lower() for n in names]
        if self.key and inner:
            inner = inner[:-1]
        return "/".join(part for part in (project, *inner) if part)

    @cached_property
    def body(self) -> Document:
        """The body, an object."""
        return read_body(self.request)

    @cached_property
    def items(self) -> list[Any]:
        """The body, a list, as JSON Patch is."""
        return read_items(self.request)

    def only(self, *methods: str) -> None:
        """Check the method.

        Raises:
            DevOpsError: It is another one.
        """
        only(self.request, *methods)


def guid(purpose: str) -> str:
    """Return an id that is always the same for what it is for."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tfoidc:azure-devops:{purpose}"))


def part(document: object, name: str) -> Document:
    """Return an object in an object; an empty one where there is none."""
    found = document.get(name) if isinstance(document, Mapping) else None
    return found if isinstance(found, dict) else {}


def listing(document: object, name: str) -> list[Any]:
    """Return a list in an object; an empty one where there is none."""
    found = document.get(name) if isinstance(document, Mapping) else None
    return found if isinstance(found, list) else []


def missing(what: object, key: str = "NotFoundException") -> DevOpsError:
    """Return the 404 for what is not there."""
    return DevOpsError(404, key, f"VS800075: '{what}' does not exist, or you may not see it.")


def invalid(message: str) -> DevOpsError:
    """Return a 400."""
    return DevOpsError(400, "ArgumentException", message)
