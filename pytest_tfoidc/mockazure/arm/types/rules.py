"""The shape of an entry of the table of types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_tfoidc.mockazure.arm.types.base import Adds, Answers, New, Properties, nothing

# (the parent's properties, the name in the path, the properties that are written)
Implied = Callable[[New], "Properties | None"]
# (the resource, what was posted, the time) -> properties, by the ids of what has them from then on
Changes = Callable[[New, Mapping[str, Any], str], Properties]
Merges = Callable[[Mapping[str, Any], str, Mapping[str, Any]], Properties]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of a type that needs more than an echo.

    `adds`: properties; `beside`: what stands beside them, such as `kind`.
    `created`: the status of a PUT that creates; `accepted`: of one that takes its time;
    `updated`: of one that changes; `deleted`: of a DELETE; `changed`: of a PATCH; `found`: of a
    HEAD; `acted`: of POSTs of the actions that do not answer 200. See `types.statuses`.
    `begun`: PUT and PATCH answer 202 with an operation to poll, however short that is.
    `dismissed`: DELETE answers 202, however short it is; its address says this word of its result.
    `located`: a slow PUT announces `Location` instead of `Azure-AsyncOperation`.
    `stateless`: it has no provisioningState.
    `shown_as`: the word that its id has where its path has the last word of its type.
    `omitted`: properties that are not shown where they were written empty.
    `items`: properties that are lists of named parts, which have ids below this one.
    `kept`: by block and list in it, what an item (by its name) goes on saying where a later PUT
    leaves it out, such as what a disk was made of.
    `lists`: paths of lists that are there, also where nothing was written in them.
    `free_form`: the names of its properties are the user's own, so none of them is a secret.
    `children`: properties that show child resources, and the children's type below this one.
    `child_shown`: what is shown of such a child, where that is not all of it.
    `implied`: children that are there with their parent, as `TYPE/NAME` or `TYPE/*`, and their
    documents; None where there is none after all.
    `actions`: answers to POSTs, by the action's name in lower case.
    `plain`: lists below it whose entries are read one by one, each without an id or a name: the
    word of the list in lower case, and the entries by name.
    `changes`: properties that a POST of an action writes, by the action's name in lower case, into
    its resource and into others. See `types.changes`.
    `returned`: DELETE gives the resource back. `listed_below`: lists reach into nested scopes.
    `recoverable`: deleted ones are kept in this list of their location, until they are purged;
    `retained`: for so many days where `softDeleteRetentionInDays` says nothing else; `protected`:
    the property that forbids to purge them earlier.
    `normalized`: makes of the properties that were written what Azure makes of them.
    `handed_over`: what is written goes to a data plane, which says what is shown of it.
    `posted`: a POST to the list of this type makes one: its name, what is stored of it, and what
    only the answer to the POST shows.
    `merges`: a PUT of this type changes its parent's properties, and leaves nothing behind.
    """

    adds: Adds = nothing
    beside: Adds = nothing
    created: int = 200
    accepted: int = 201
    updated: int = 200
    deleted: int = 200
    changed: int = 200
    found: int = 204
    acted: Mapping[str, int] = field(default_factory=dict)
    begun: bool = False
    dismissed: str = ""
    located: bool = False
    stateless: bool = False
    shown_as: str = ""
    omitted: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    kept: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    free_form: bool = False
    children: Mapping[str, str] = field(default_factory=dict)
    child_shown: Callable[[Mapping[str, Any]], Properties] | None = None
    implied: Mapping[str, Implied] = field(default_factory=dict)
    actions: Mapping[str, Answers] = field(default_factory=dict)
    plain: Mapping[str, Answers] = field(default_factory=dict)
    changes: Mapping[str, Changes] = field(default_factory=dict)
    returned: bool = False
    listed_below: bool = False
    recoverable: str = ""
    retained: int = 90
    protected: str = "enablePurgeProtection"
    normalized: Callable[[Any, New], Any] | None = None
    handed_over: bool = False
    merges: Merges | None = None
    posted: Callable[[New], tuple[str, Properties, Properties]] | None = None
