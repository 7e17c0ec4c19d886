"""Where a path of Resource Manager leads: a resource, a collection, an action, or a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

PROVIDERS = "providers"
SCOPE_WORDS = ("subscriptions", "resourceGroups")  # at the beginning of ids
SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"
GROUP_TYPE = "Microsoft.Resources/resourceGroups"
MAX_SEGMENTS = 64  # deeper than any id of Azure, and it bounds the work
NAMESPACE = re.compile(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+")
# These lie in ids as parents but are no resources that anyone creates.
PLACES = {
    *("backupfabrics", "hybridconnectionnamespaces", "locations", "protectioncontainers"),
    *("replicationnetworks", "services"),
}
MARKETPLACE = "microsoft.marketplaceordering"
OFFERED = {"offertypes", "publishers", "agreements", "offers", "plans"}
ASSESSED = "/vulnerabilityassessments/rules"  # rules of an assessment, which Azure makes
DELETED_BY_GROUP = "/locations/resourcegroups"  # groups as they stand in lists of deleted ones


@dataclass(frozen=True)
class Place:
    """The place that a path names. Segments are percent-decoded, in the case in which they came.

    Only the words at the beginning, `subscriptions` and `resourceGroups`, are as Azure has them.

    `kind` is the resource type with the namespace, as it came; `pairs` says whether each type has
    its name: then it is a resource, else a collection, a singleton or an action. `words` are the
    segments after a scope that name no type: `locations`, `resources`.
    """

    segments: tuple[str, ...]
    kind: str = ""
    pairs: bool = True
    parent_length: int = 0
    words: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """The id, in the case in which it came."""
        return "/" + "/".join(self.segments) if self.segments else ""

    @cached_property
    def key(self) -> str:
        """The id for comparisons: ids have no case."""
        return self.id.lower()

    @property
    def type_key(self) -> str:
        """The type for comparisons."""
        return self.kind.lower()

    @property
    def namespace(self) -> str:
        """The resource provider's namespace, as it came."""
        return self.kind.partition("/")[0]

    @property
    def name(self) -> str:
        """The last segment: the resource's name, or the collection's or action's."""
        return self.segments[-1] if self.segments else ""

    @cached_property
    def parent(self) -> Place:
        """The place it lies in: the parent resource, the group, the subscription or the tenant."""
        return parse_segments(self.segments[: self.parent_length])

    @property
    def subscription(self) -> str:
        """The subscription's id; empty at the tenant."""
        return self._after(0, "subscriptions")

    @property
    def group(self) -> str:
        """The resource group's name; empty outside of groups."""
        return self._after(2, "resourcegroups") if self.subscription else ""

    def _after(self, index: int, word: str) -> str:
        found = len(self.segments) > index + 1 and self.segments[index].lower() == word
        return self.segments[index + 1] if found else ""

    @property
    def names(self) -> str:
        """The names in the id's last provider part, as errors show them: `vnet1/subnets/snet`."""
        start = max((i for i, s in enumerate(self.segments) if s.lower() == PROVIDERS), default=-1)
        return "/".join(self.segments[start + 3 :])

    @property
    def is_tenant(self) -> bool:
        """Whether this is the tenant: the root of everything."""
        return not self.segments

    @property
    def is_subscription(self) -> bool:
        """Whether this is a subscription itself."""
        return self.kind == SUBSCRIPTION_TYPE

    @property
    def is_group(self) -> bool:
        """Whether this is a resource group itself."""
        return self.kind == GROUP_TYPE

    @property
    def is_implied(self) -> bool:
        """Whether this is a parent that is always there: a location, or a service's `default`."""
        kind = self.kind.rpartition("/")[2].lower()
        by_group = self.type_key.endswith((DELETED_BY_GROUP, ASSESSED))
        if self.namespace.lower() == MARKETPLACE and kind in OFFERED:
            return True
        return kind in PLACES or by_group or self.name.lower() == "default"

    def child(self, kind: str, name: str) -> Place:
        """Return the place of a child resource."""
        return Place(
            (*self.segments, kind, name),
            kind=f"{self.kind}/{kind}",
            parent_length=len(self.segments),
        )

    def child_of(self, namespace: str, kind: str, name: str) -> Place:
        """Return the place of a resource whose scope this is."""
        return parse_segments((*self.segments, PROVIDERS, namespace, kind, name))


def parse_segments(segments: tuple[str, ...]) -> Place:
    """Find out what a path names.

    Raises:
        ValueError: The path is too deep for an id.
    """
    if len(segments) > MAX_SEGMENTS:
        raise ValueError("too many segments")
    segments = _with_azures_words(segments)
    place, index = _scope(segments)
    while index < len(segments):
        if segments[index].lower() != PROVIDERS or len(segments) < index + 3:
            return Place(segments, words=segments[index:], parent_length=index)
        place, index = _provider_part(segments, index)
    return place


def _with_azures_words(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Return segments whose first words are written as Azure writes them, however they came."""
    if not segments or segments[0].lower() != SCOPE_WORDS[0]:
        return segments
    words = tuple(
        word if found.lower() == word.lower() else found
        for found, word in zip(segments[:3:2], SCOPE_WORDS, strict=False)
    )
    return (*words[:1], *segments[1:2], *words[1:], *segments[3:])


def _scope(segments: tuple[str, ...]) -> tuple[Place, int]:
    lower = [s.lower() for s in segments[:4:2]]
    has = [len(segments) > 1 and lower[0] == "subscriptions"]
    has.append(has[0] and len(segments) > 3 and lower[1] == "resourcegroups")  # noqa: PLR2004 - two pairs
    if has[1]:
        return Place(segments[:4], kind=GROUP_TYPE, parent_length=2), 4
    if has[0]:
        return Place(segments[:2], kind=SUBSCRIPTION_TYPE), 2
    return Place(()), 0


def _provider_part(segments: tuple[str, ...], start: int) -> tuple[Place, int]:
    """Read `providers/NAMESPACE/TYPE/NAME[/TYPE/NAME…]`, up to the next `providers`."""
    end = index = start + 2
    kinds = [segments[start + 1]]
    parent = start
    while index < len(segments):
        if len(kinds) > 1 and segments[index].lower() == PROVIDERS:
            break
        parent = start if len(kinds) == 1 else index
        kinds.append(segments[index])
        end = min(index + 2, len(segments))
        index += 2
    return (
        Place(segments[:end], kind="/".join(kinds), pairs=index == end, parent_length=parent),
        end,
    )
