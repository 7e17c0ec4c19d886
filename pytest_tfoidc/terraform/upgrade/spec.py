"""Upgrade steps as they are asked for: `NS/NAME:FROM..TO`, and what a suite tolerates."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.versions import is_constraint, parse_version

TERRAFORM = "terraform"
LOCKED, LATEST = "locked", "latest"
HOW = (
    "Write NS/NAME:FROM..TO, as in hashicorp/azurerm:4.16.0..5.2.0, or terraform:FROM..TO. Several"
    " versions are separated by `|`, providers that move together by `+`."
)
_SOURCE = re.compile(r"(?:[\w.-]+(?::\d+)?/)?[\w-]+/[\w-]+|terraform")


@dataclass(frozen=True)
class Allowance:
    """A difference that is tolerated, and why.

    `pattern` is a change's name, `*` standing for anything: `azurerm_x.y.tags` with what is below
    it, `replace:azurerm_z.*`, `output.name`, `warning:azurerm_x.y.attribute`.
    """

    pattern: str
    reason: str

    def covers(self, name: str) -> bool:
        """Tell whether a change of this name is tolerated."""
        # A pattern may hold an index such as x.y["key"], which is no set of characters here.
        pattern = self.pattern.replace("[", "[[]")
        return any(fnmatchcase(name, pattern + below) for below in ("", ".*", "[[]*"))


@dataclass(frozen=True, kw_only=True)
class Move:
    """One thing that moves: a provider's source or `terraform`, FROM and TO as they were given."""

    subject: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return it as an item's id has it."""
        return f"{self.subject}[{self.before}-{self.after}]"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of an upgrade: what moves together, and how it is judged.

    Attributes:
        moves: What moves.
        allowances: What is tolerated.
        modules: The modules that it is for, as item ids name them; none for all.
        downgrade: FROM may be newer than TO.
        override: Constraints of the module that exclude a version are overridden.
    """

    moves: tuple[Move, ...]
    allowances: tuple[Allowance, ...] = ()
    modules: tuple[str, ...] = ()
    downgrade: bool = False
    override: bool = False

    @property
    def name(self) -> str:
        """The step in item ids and tables."""
        return "+".join(map(str, self.moves))


def parse_steps(text: str, *, where: str, downgrade: bool = False) -> tuple[tuple[Move, ...], ...]:
    """Read one value of `--tf-upgrade`: what moves together, for each combination of versions.

    Raises:
        UsageError: It is no step, goes down without being asked to, or moves something twice.
    """
    matrix = [_moves(part.strip(), where=where) for part in text.split("+")]
    subjects = [moves[0].subject for moves in matrix]
    for subject in subjects:
        if subjects.count(subject) > 1:
            raise UsageError(
                f"{subject} is to move twice at once.",
                where=f"{where} {text}",
                remedy="Make two steps of it: give the option twice.",
            )
    if not downgrade:
        for move in itertools.chain.from_iterable(matrix):
            _require_upwards(move, where=where)
    return tuple(itertools.product(*matrix))


def _moves(text: str, *, where: str) -> list[Move]:
    subject, colon, versions = text.partition(":")
    if "/" in versions.partition("..")[0] and subject != TERRAFORM:  # a host with a port
        subject, colon, versions = text.rpartition(":")
    before, dots, after = versions.partition("..")
    if not (colon and dots and _SOURCE.fullmatch(subject)):
        raise UsageError(f"{text!r} is no upgrade step.", where=where, remedy=HOW)
    sides = [[version.strip() for version in side.split("|")] for side in (before, after)]
    for version in itertools.chain(*sides):
        _require_version(subject, version, where=f"{where} {text}")
    return [
        Move(subject=subject.lower(), before=old, after=new)
        for old, new in itertools.product(*sides)
    ]


def _require_version(subject: str, version: str, *, where: str) -> None:
    if subject == TERRAFORM:
        if not version:
            raise UsageError("A version of Terraform is missing.", where=where, remedy=HOW)
    elif version not in (LOCKED, LATEST) and not is_constraint(version):
        raise UsageError(
            f"{version!r} is neither a version nor a constraint.",
            where=where,
            remedy=f"Use a version, a constraint such as `~> 4.0`, `{LOCKED}` or `{LATEST}`.",
        )


def _require_upwards(move: Move, *, where: str) -> None:
    old, new = parse_version(move.before), parse_version(move.after)
    if old is not None and new is not None and old > new:
        raise downgrade_error(move, where=where)


def downgrade_error(move: Move, *, where: str) -> UsageError:
    """Say that FROM is newer than TO."""
    return UsageError(
        f"{move.subject} would go down, from {move.before} to {move.after}.",
        where=where,
        remedy="Exchange the versions, or ask for downgrades with --tf-upgrade-downgrade.",
    )
