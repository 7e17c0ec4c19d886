from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.terraform.versions import Version, allows, is_constraint, parse_version

versions = st.builds(
    Version,
    st.tuples(*[st.integers(0, 30)] * 3),
    st.sampled_from(["", "alpha1", "beta2", "rc1"]),
)


def version(text: str) -> Version:
    found = parse_version(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("~> 4.16", ["4.16.0", "4.99.1"], ["4.15.9", "5.0.0"]),
        ("~> 4.16.0", ["4.16.0", "4.16.7"], ["4.17.0"]),
        ("~> 4", ["4.0.0", "4.9.0"], ["5.0.0"]),
        (">= 4.0, < 5.0, != 4.2.0", ["4.0.0", "4.9.9"], ["4.2.0", "5.0.0", "3.9.0"]),
        ("4.16.0", ["4.16.0"], ["4.16.1"]),
        ("> 1.0.0-rc1", ["1.0.0"], ["1.0.0-beta9"]),
        ("", ["1.0.0"], []),
    ],
)
def test_a_constraint_allows_what_terraform_allows(
    constraint: str, allowed: list[str], refused: list[str]
) -> None:
    assert all(allows(constraint, version(text)) for text in allowed)
    assert not any(allows(constraint, version(text)) for text in refused)


@pytest.mark.parametrize("text", ["x", "1.x", "~> ", "1.2.3.4", ">= 1.0,", "locked"])
def test_what_is_no_constraint_is_told_apart(text: str) -> None:
    assert not is_constraint(text)
    assert parse_version(text) is None


@given(versions)
def test_a_version_is_read_back_as_it_was_written(one: Version) -> None:
    assert parse_version(str(one)) == one


@given(versions, versions)
def test_versions_are_ordered_as_constraints_compare_them(one: Version, other: Version) -> None:
    assert allows(f"< {other}", one) is (one < other)
    assert (one < other) + (other < one) + (one == other) == 1
