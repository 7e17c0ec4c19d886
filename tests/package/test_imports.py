"""The cost of the plugin for every project that has it installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import pytest_tfoidc

HEAVY = (
    "asyncio",
    "azure",
    "cryptography",
    "freezegun",
    "h11",
    "hcl2",
    "jwt",
    "msgpack",
    "python_terraform",
    "requests",
    "tree_sitter",
    "trustme",
)


def loaded_by(statement: str) -> set[str]:
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    plain = loaded_by("import pytest")
    assert not (loaded_by("import pytest_tfoidc.plugin.hooks") - plain) & set(HEAVY)


def test_the_check_for_heavy_imports_can_fail() -> None:
    assert {"requests", "freezegun"} <= loaded_by("import pytest_tfoidc.session, freezegun")


def test_a_run_without_modules_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_nothing_was_loaded():
            assert not {"requests", "freezegun", "cryptography", "tree_sitter"} & set(sys.modules)
            assert "pytest_tfoidc.plugin.hooks" in sys.modules
    """)
    result = pytester.runpytest_subprocess(
        "-p", "no:randomly", "-p", "no:terraform", "-p", "no:xdist"
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("tfoidc:*")


def test_the_public_names_can_be_had_and_others_not() -> None:
    for name in pytest_tfoidc.__all__:
        assert getattr(pytest_tfoidc, name).__module__.startswith("pytest_tfoidc.")
    with pytest.raises(AttributeError):
        _ = pytest_tfoidc.Nonsense
