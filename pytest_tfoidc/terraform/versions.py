"""Versions and version constraints, as Terraform reads them.

Source: https://developer.hashicorp.com/terraform/language/expressions/version-constraints
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

_VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_TERM = re.compile(r"(=|!=|>=|<=|>|<|~>)?\s*(\S+)")
PARTS = 3


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version: three numbers, and what makes it a pre-release."""

    numbers: tuple[int, ...]
    prerelease: str = ""

    def __lt__(self, other: Version) -> bool:
        """Compare by number; a pre-release comes before its release."""
        return self._order < other._order

    @property
    def _order(self) -> tuple[object, ...]:
        parts = re.findall(r"\d+|[^\d.]+", self.prerelease)
        identifiers = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts)
        return (self.numbers, not self.prerelease, identifiers)

    def __str__(self) -> str:
        """Write it as it is written."""
        release = ".".join(map(str, self.numbers))
        return f"{release}-{self.prerelease}" if self.prerelease else release


def parse_version(text: str) -> Version | None:
    """Read a version; None where the text is something else, such as a constraint."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        return None
    numbers = [int(number) for number in match[1].split(".")]
    return Version((*numbers, *([0] * (PARTS - len(numbers)))), match[2] or "")


def is_constraint(text: str) -> bool:
    """Tell whether a text can be read as constraints."""
    return all(_term(part) is not None for part in text.split(","))


def allows(constraint: str, version: Version) -> bool:
    """Tell whether constraints allow a version; those that cannot be read allow everything."""
    terms = [_term(part) for part in constraint.split(",") if part.strip()]
    return all(term is None or _is_met(*term, version) for term in terms)


def _term(part: str) -> tuple[str, str, Version] | None:
    match = _TERM.fullmatch(part.strip())
    version = parse_version(match[2]) if match else None
    return None if match is None or version is None else (match[1] or "=", match[2], version)


def _is_met(operator: str, text: str, bound: Version, version: Version) -> bool:
    if operator == "~>":
        given = text.partition("-")[0].count(".") + 1
        kept = max(given - 1, 1)
        return version >= bound and version.numbers[:kept] == bound.numbers[:kept]
    return {
        "=": version == bound,
        "!=": version != bound,
        ">": version > bound,
        ">=": version >= bound,
        "<": version < bound,
        "<=": version <= bound,
    }[operator]
