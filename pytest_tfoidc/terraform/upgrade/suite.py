"""Which upgrade steps to make: from the command line, the ini file, or pyproject.toml."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.upgrade.plan_diff import MOST_CHANGES, Change
from pytest_tfoidc.terraform.upgrade.spec import Allowance, Step, parse_steps

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTION = "--tf-upgrade"
TABLE = "tool.pytest_tfoidc.upgrades"
FEW_NAMES = 2  # of one address, in the allowances that are offered
MOST_MATCHES = 10  # of which each is offered by itself
KEY = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')
CHECKS_TABLE = "tool.pytest_tfoidc.checks"
TABLES = frozenset({"checks", "upgrades"})
KEYS = {"step", "allow", "reason", "modules", "downgrade", "override"}
EXAMPLE = """Write, for instance:
  [tool.pytest_tfoidc.upgrades.azurerm-5]
  step = "hashicorp/azurerm:4.16.0..5.2.0"
  allow = ["azurerm_x.y.tags"]
  reason = "tags are sorted from 5.0 on\""""


def how_to_allow(changes: Sequence[Change]) -> str:
    """Return what to write so that the plan after an apply may have all of these changes."""
    return "\n".join([f"  [{CHECKS_TABLE}]", *_allowing(changes)])


def _allowing(changes: Sequence[Change]) -> Iterator[str]:
    """Yield the lines that tolerate all of the changes; of many at one address, the address."""
    by_address: dict[str, dict[str, None]] = {}
    for change in changes:
        by_address.setdefault(change.address, {})[change.name] = None
    matches = [
        name
        for address, names in by_address.items()
        for name in (names if len(names) <= FEW_NAMES else (address,))
    ]
    if len(matches) > MOST_MATCHES:
        matches = [*dict.fromkeys(map(_of_all_instances, matches))]
    entries = [f'{{ match = {json.dumps(m, ensure_ascii=False)}, reason = "…" }}' for m in matches]
    if not entries[1:]:
        yield f"  allow = [{entries[0]}]"
        return
    yield "  allow = ["
    yield from (f"    {entry}," for entry in entries[:MOST_CHANGES])
    if entries[MOST_CHANGES:]:
        yield f"    # and {len(entries) - MOST_CHANGES} more"
    yield "  ]"


def _of_all_instances(match: str) -> str:
    """Return a match for every instance of what one instance is matched by."""
    return KEY.sub("[*]", match)


def upgrade_steps(
    given: tuple[str, ...], *, pyproject: Path, downgrade: bool, override: bool
) -> tuple[Step, ...]:
    """Return the steps to make. Where some are given, pyproject.toml only adds to these.

    Args:
        given: The values of `--tf-upgrade`.
        pyproject: Where the suite may be kept.
        downgrade: Downgrades are asked for.
        override: Constraints of the module are to be overridden.

    Raises:
        UsageError: A step or an entry cannot be used.
    """
    kept = tuple(_kept(pyproject, downgrade=downgrade, override=override))
    if not given:
        return kept
    by_name: dict[str, list[Step]] = {}
    for step in kept:
        by_name.setdefault(step.name, []).append(step)
    steps: list[Step] = []
    for text in given:
        for moves in parse_steps(text, where=OPTION, downgrade=downgrade):
            step = Step(moves=moves, downgrade=downgrade, override=override)
            steps += by_name.get(step.name, [step])
    return tuple(dict.fromkeys(steps))


def _kept(pyproject: Path, *, downgrade: bool, override: bool) -> Iterator[Step]:
    for name, entry in read_table(pyproject, "upgrades", example=EXAMPLE).items():
        where = f"{pyproject} [{TABLE}.{name}]"
        if not isinstance(entry, dict) or not _is_readable(entry):
            raise UsageError("An upgrade cannot be read.", where=where, remedy=EXAMPLE)
        asked = {"downgrade": downgrade, "override": override}
        yield from _entry({**entry, **{k: True for k, v in asked.items() if v}}, where=where)


def _is_readable(entry: Mapping[str, Any]) -> bool:
    texts = [*texts_of(entry.get("step")), *texts_of(entry.get("modules"))]
    has_texts = all(isinstance(text, str) for text in texts)
    allowed = texts_of(entry.get("allow"))
    has_allowances = all(isinstance(one, (str, dict)) for one in allowed)
    return bool(entry.get("step")) and has_texts and has_allowances and KEYS.issuperset(entry)


def read_table(pyproject: Path, name: str, *, example: str) -> Mapping[str, Any]:
    """Return a table of [tool.pytest_tfoidc], empty where there is none.

    Raises:
        UsageError: The file cannot be read, it is no table, or there is one that nobody reads.
    """
    if not pyproject.is_file():
        return {}
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "pyproject.toml cannot be read.", where=str(pyproject), cause=str(error)
        ) from error
    own = content.get("tool", {}).get("pytest_tfoidc", {})
    found = own.get(name, {}) if isinstance(own, dict) else own
    if not isinstance(found, dict):
        what = f"[tool.pytest_tfoidc.{name}] is no table."
        raise UsageError(what, where=str(pyproject), remedy=example)
    unknown = sorted(own.keys() - TABLES)
    if unknown:
        raise UsageError(
            f"[tool.pytest_tfoidc.{unknown[0]}] is not known.",
            where=str(pyproject),
            cause=f"nobody reads it: there are {' and '.join(sorted(TABLES))}",
            remedy="Correct it; options such as tf_module stand in [tool.pytest.ini_options].",
        )
    return found


def _entry(entry: Mapping[str, Any], *, where: str) -> Iterator[Step]:
    downgrade = entry.get("downgrade") is True
    for text in texts_of(entry["step"]):
        for moves in parse_steps(text, where=where, downgrade=downgrade):
            yield Step(
                moves=moves,
                allowances=tuple(read_allowances(entry, where=where)),
                modules=tuple(texts_of(entry.get("modules"))),
                downgrade=downgrade,
                override=entry.get("override") is True,
            )


def read_allowances(entry: Mapping[str, Any], *, where: str) -> Iterator[Allowance]:
    """Return what an entry's `allow` tolerates.

    Raises:
        UsageError: One has no pattern or no reason.
    """
    for allowed in texts_of(entry.get("allow")):
        single = {"match": allowed} if isinstance(allowed, str) else allowed
        pattern, reason = single.get("match"), single.get("reason") or entry.get("reason")
        if not isinstance(pattern, str) or not isinstance(reason, str) or not reason.strip():
            lacking = "reason" if isinstance(pattern, str) else "text to match"
            raise UsageError(
                f"The allowance {pattern or allowed!r} has no {lacking}.",
                where=where,
                remedy='Write allow = [{ match = "…", reason = "…" }], or one `reason` for all.',
            )
        yield Allowance(pattern=pattern, reason=reason.strip())


def texts_of(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever stands in the file
    """Return a list's items; anything else is the only item."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
