from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.terraform.upgrade.floors import floor_note
from pytest_tfoidc.terraform.upgrade.spec import Allowance, Step, parse_steps
from pytest_tfoidc.terraform.versions import Version

WHERE = "--tf-upgrade"


def names(text: str, *, downgrade: bool = False) -> list[str]:
    steps = parse_steps(text, where=WHERE, downgrade=downgrade)
    return [Step(moves=moves).name for moves in steps]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hashicorp/azurerm:4.16.0..5.2.0", ["hashicorp/azurerm[4.16.0-5.2.0]"]),
        ("a/b:1|2..3|4", ["a/b[1-3]", "a/b[1-4]", "a/b[2-3]", "a/b[2-4]"]),
        ("a/b:1..2+c/d:locked..latest", ["a/b[1-2]+c/d[locked-latest]"]),
        ("terraform:1.6.6..1.15.5", ["terraform[1.6.6-1.15.5]"]),
        ("terraform:bin/old..embedded", ["terraform[bin/old-embedded]"]),
        ("example.com:8443/a/b:~> 1.0..>= 2.0, < 3", ["example.com:8443/a/b[~> 1.0->= 2.0, < 3]"]),
    ],
)
def test_a_step_is_named_by_what_moves(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("azurerm:1..2", "no upgrade step"),
        ("a/b:1.0", "no upgrade step"),
        ("a/b", "no upgrade step"),
        ("a/b:1.0..new", "neither a version nor a constraint"),
        ("a/b:..2.0", "neither a version nor a constraint"),
        ("terraform:..1.15.5", "missing"),
        ("a/b:2.0..1.0", "would go down"),
        ("a/b:1..2+A/B:2..3", "no upgrade step|twice"),
        ("a/b:1..2+a/b:2..3", "twice at once"),
    ],
)
def test_what_is_no_step_is_refused_with_a_remedy(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        names(text)
    assert WHERE in caught.value.where
    assert caught.value.remedy


def test_a_downgrade_is_made_when_it_is_asked_for() -> None:
    assert names("a/b:2.0..1.0", downgrade=True) == ["a/b[2.0-1.0]"]


@given(st.text(max_size=60))
def test_any_text_is_steps_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert names(text)


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("x.y.tags", "x.y.tags", True),
        ("x.y.tags", "x.y.tags.owner", True),
        ("x.y.rules", "x.y.rules[0].name", True),
        ("x.y.tags", "x.y.tags2", False),
        ("x.y.tags", "replace:x.y", False),
        ("x.*", "replace:x.y", False),
        ("replace:x.*", "replace:x.y", True),
        ('x.y["a"].tags', 'x.y["a"].tags', True),
        ('x.y["a"].tags', 'x.y["b"].tags', False),
        ("*", "warning:x.y", True),
    ],
)
def test_an_allowance_is_narrow(pattern: str, name: str, covered: bool) -> None:  # noqa: FBT001 - a table
    assert Allowance(pattern, "because").covers(name) is covered


def test_a_step_that_crosses_a_floor_says_what_it_gains_or_loses() -> None:
    old, new = Version((4, 16, 0)), Version((5, 2, 0))
    assert "refreshes ID tokens" in floor_note("hashicorp/azurerm", old, new)
    assert "no longer refreshes" in floor_note("hashicorp/azurerm", new, old)
    assert not floor_note("hashicorp/azurerm", new, Version((5, 3, 0)))
    assert not floor_note("hashicorp/random", old, new)
