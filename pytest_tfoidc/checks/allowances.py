"""The allowances of the checks, from pyproject.toml: differences after an apply, and no secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.upgrade.spec import Allowance
from pytest_tfoidc.terraform.upgrade.suite import (
    CHECKS_TABLE,
    read_allowances,
    read_table,
    texts_of,
)

KEYS = {"allow", "no_secret", "reason", "modules"}
EXAMPLE = f"""Write, for instance:
  [{CHECKS_TABLE}]
  allow = [{{ match = "replace:terraform_data.deploy", reason = "it runs each time" }}]
  no_secret = [{{ match = "terraform_data.sample.input", reason = "a made-up token" }}]"""


@dataclass(frozen=True, kw_only=True)
class CheckAllowances:
    """The differences that are tolerated, and what is no secret.

    Attributes:
        changes: In the plan after an apply.
        no_secrets: Of what the audit finds.
        modules: The modules that it is for, as item ids name them; none for all.
    """

    changes: tuple[Allowance, ...] = ()
    no_secrets: tuple[Allowance, ...] = ()
    modules: tuple[str, ...] = ()


NOTHING = CheckAllowances()


def check_allowances(pyproject: Path) -> tuple[CheckAllowances, ...]:
    """Return what pyproject.toml allows: in the table itself, and in tables inside of it.

    Raises:
        UsageError: An entry cannot be read, or has no reason.
    """
    table = read_table(pyproject, "checks", example=EXAMPLE)
    named = {key: value for key, value in table.items() if isinstance(value, dict)}
    own = {key: value for key, value in table.items() if key not in named}
    entries = {"": own, **named} if own else named
    return tuple(_entry(pyproject, name, entry) for name, entry in entries.items())


def allowed_for(allowances: tuple[CheckAllowances, ...], module: str) -> CheckAllowances:
    """Return all that is tolerated in one module.

    Args:
        allowances: What `check_allowances` gave.
        module: The module's name, as item ids have it.
    """
    meant = [one for one in allowances if not one.modules or module in one.modules]
    return CheckAllowances(
        changes=tuple(allowance for one in meant for allowance in one.changes),
        no_secrets=tuple(allowance for one in meant for allowance in one.no_secrets),
    )


def _entry(pyproject: Path, name: str, entry: Mapping[str, Any]) -> CheckAllowances:
    where = f"{pyproject} [{CHECKS_TABLE}{'.' if name else ''}{name}]"
    modules = texts_of(entry.get("modules"))
    if not KEYS.issuperset(entry) or not all(isinstance(text, str) for text in modules):
        raise UsageError("What the checks tolerate cannot be read.", where=where, remedy=EXAMPLE)
    return CheckAllowances(
        changes=tuple(_allowances(entry, "allow", where=where)),
        no_secrets=tuple(_allowances(entry, "no_secret", where=where)),
        modules=modules,
    )


def _allowances(entry: Mapping[str, Any], key: str, *, where: str) -> Iterator[Allowance]:
    given = texts_of(entry.get(key))
    if not all(isinstance(one, (str, dict)) for one in given):
        raise UsageError(f"`{key}` cannot be read.", where=where, remedy=EXAMPLE)
    yield from read_allowances({**entry, "allow": list(given)}, where=where)
