"""The stand-in as a test sees it, and as a failed one shows it."""

from __future__ import annotations

from tests.project_kit import Project, text_of

GROUP = "/subscriptions/7e57ab1e-0000-4000-8000-000000000002/resourceGroups/rg-seen"
TESTS = f"""\
import pytest


@pytest.fixture
def group(mock_issuer):
    mock_issuer.fail("entra", times=2, status=503)
    mock_issuer.resource_manager.takes("Microsoft.Network/virtualNetworks", "45m")
    mock_issuer.resource_manager.add("{GROUP}")


def test_a_failure(mock_issuer, group):
    assert False


def test_a_success(mock_issuer):
    assert mock_issuer.faults.all == ()
    assert mock_issuer.resource_manager.resources == {{}}
    assert mock_issuer.resource_manager.is_instant
    mock_issuer.resource_manager.add("{GROUP}-passed")


def test_another_failure():
    assert False
"""


def test_a_failed_test_shows_the_stand_in_and_the_next_finds_it_as_it_was(
    project: Project,
) -> None:
    (project.path / "test_it.py").write_text(TESTS)

    result = project.run("test_it.py")
    text = text_of(result)

    result.assert_outcomes(failed=2, passed=1)
    assert text.count("stand-in for Azure -") == 1
    assert f"resources (1):\n  {GROUP}\n" in text
    assert "answer 503: entra, 2 times, 0 so far" in text
    assert "rg-seen-passed" not in text
