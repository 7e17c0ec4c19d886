"""The reference pages are what the code says, and leave nothing without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_tfoidc
from tests.package import reference

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| (`.+`) \|(?: `\w+` \|)? (.*) \|$", re.MULTILINE)
REMEDY = "write them with `python -m tests.package.reference`"


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == reference.pages()[name], REMEDY


def test_there_are_no_other_pages() -> None:
    assert {page.name for page in reference.FOLDER.iterdir()} == set(reference.pages())


def test_every_public_name_is_in_one_page() -> None:
    told = [name for page in ("objects", "events", "errors") for name in headings(page)]
    assert sorted(told) == sorted(pytest_tfoidc.__all__)


def test_every_fixture_is_in_its_page() -> None:
    named = re.search(
        r"^Fixtures.*?\n\n(.*?)\n\n", pytest_tfoidc.__doc__ or "", re.DOTALL | re.MULTILINE
    )
    assert named is not None
    manual = re.findall(r"\b(?:tf|oidc|arm|mock)_\w+", named[1])
    assert sorted(manual) == sorted(headings("fixtures"))


@pytest.mark.parametrize("page", ["options", "command"])
def test_every_option_has_help(page: str) -> None:
    rows = ROW.findall(reference.pages()[f"{page}.md"])
    assert len(rows) > 30
    assert [name for name, text in rows if not text.strip()] == []


@pytest.mark.parametrize("page", ["events", "errors", "objects", "fixtures"])
def test_every_name_is_described(page: str) -> None:
    parts = re.split(r"^#{2,3} ", reference.pages()[f"{page}.md"], flags=re.MULTILINE)[1:]
    described = {part: re.sub(r"(?s)^.*?\n|```.*?```", "", part) for part in parts}
    assert [part for part, text in described.items() if len(text.split()) < 2] == []


def test_docstrings_are_shown_as_lists(tmp_path: Path) -> None:
    def greet(name: str, *, times: int = 1) -> str:
        """Return a greeting.

        Args:
            name: Who is
                greeted.
            times: How often.

        Raises:
            ValueError: Never.
        """
        return name * times

    page = "\n".join(reference.prose(greet))
    assert "**Args:**\n\n- `name`: Who is\n  greeted.\n- `times`: How often.\n\n**Raises:**" in page
    reference.write({"page.md": page}, tmp_path.joinpath)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page


def headings(page: str) -> list[str]:
    return HEADING.findall(reference.pages()[f"{page}.md"])
