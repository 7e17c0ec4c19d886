"""Failed assertions about secrets show that there is one, and never which."""

from __future__ import annotations

import pytest

from tests.project_kit import text_of

FAILING = """
from collections import namedtuple

from pytest_tfoidc.identity.secret import Secret

AccessToken = namedtuple("AccessToken", "token expires_on")

def token():
    return Secret("".join(["hid", "den-", "value"]))

def test_equal():
    assert token() == "x"

def test_other_way():
    assert "x" == token()

def test_in():
    assert "nothing" in token()

def test_not_in():
    assert "i" not in token()

def test_inside():
    assert AccessToken(token(), 1) == AccessToken(Secret("y"), 1)

def test_mapping():
    held = {"a": token()}
    assert held == {"a": "x"}

def test_starts():
    mine = token()
    assert mine.startswith("x")
"""


@pytest.mark.parametrize("verbosity", ["-q", "-vv"])
def test_the_value_is_never_shown(pytester: pytest.Pytester, verbosity: str) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_subprocess(
        "-p", "no:randomly", "-p", "no:terraform", "--showlocals", verbosity
    )
    result.assert_outcomes(failed=7)
    assert "hidden-value" not in text_of(result)
    result.stdout.fnmatch_lines(["*assert (redacted) == 'x'*"])


def test_other_texts_are_compared_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it():\n    assert 'some text' == 'other text'\n")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:terraform", "-vv")
    result.stdout.fnmatch_lines(["*- other text*"])
