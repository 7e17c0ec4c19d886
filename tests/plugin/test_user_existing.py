"""A user's own `tf_existing` that fails is told by the user's lines, and by nobody else's."""

from __future__ import annotations

import pytest

from tests.project_kit import Project

CONFTEST = """\
import pytest


def look_up():
    return {}["rg"]


DECORATOR
def tf_existing(mock_issuer):
    BODY
"""
RUNS = 'run "one" {\n  command = plan\n}\nrun "two" {\n  command = plan\n}\n'
TEST = "def test_it(tf_module):\n    pass\n"


@pytest.mark.parametrize("decorator", ["", '@pytest.fixture(scope="session")'])
@pytest.mark.parametrize(
    ("body", "what", "line"),
    [
        ("look_up()", "KeyError: 'rg'", 5),
        ("yield look_up()", "KeyError: 'rg'", 5),
        ('mock_issuer.faults.add_text("x")', "?*", 10),
    ],
)
def test_it_fails_by_the_users_own_lines(
    project: Project, decorator: str, body: str, what: str, line: int
) -> None:
    module = project.module()
    (module / "tests").mkdir()
    (module / "tests" / "a.tftest.hcl").write_text(RUNS, encoding="utf-8")
    (module / "test_it.py").write_text(TEST, encoding="utf-8")
    text = CONFTEST.replace("DECORATOR\n", f"{decorator}\n" if decorator else "\n")
    (project.path / "conftest.py").write_text(text.replace("BODY", body), encoding="utf-8")
    result = project.run("--tf-module=module", "--tf-check=none")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [f"`tf_existing` failed: {what} (conftest.py:{line})", "Where: conftest.py:10: in *"]
    )
    told = result.stdout.str()
    assert not [one for one in ("/pluggy/", "/_pytest/", "beforehand.py") if one in told]


def test_a_clean_up_that_fails_fails_the_run_and_hides_nothing(project: Project) -> None:
    (project.module() / "test_it.py").write_text(TEST, encoding="utf-8")
    text = 'def tf_existing(mock_issuer):\n    yield\n    raise ValueError("late")\n'
    (project.path / "conftest.py").write_text(text, encoding="utf-8")
    result = project.run("--tf-module=module", "--tf-check=none")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    said = "ERROR: tfoidc: `tf_existing` failed: ValueError: late (conftest.py:3)"
    result.stdout.fnmatch_lines([said, "*1 passed*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
