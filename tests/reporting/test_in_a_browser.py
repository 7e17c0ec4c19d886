"""The page and the picture in headless Chromium, by day and by night, in 360 and 1920 pixels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tfoidc.reporting.evidence import write_reports
from tests.reporting.chromium_kit import CHROMIUM, Browser, browser
from tests.reporting.test_page import HOSTILE, failing, lines_of, story

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")
AXE = os.environ.get("TFOIDC_AXE", "")  # axe.min.js of the npm package axe-core
MANY = 10_000
MOST_MILLISECONDS = 2_000
TRIES = 3  # the quickest counts: the machine may be busy for a moment
MOST_BYTES = 5_000_000
LOOKS = [(width, scheme) for width in (360, 1920) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page and the picture of two runs, one of which has failed."""
    folder = tmp_path_factory.mktemp("reports")
    lines = [*lines_of(story(), run="a"), *lines_of(failing(name=HOSTILE), run="b", after=2)]
    assert write_reports(lines, [folder / "page.html", folder / "picture.svg"]) == {}
    return folder


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_it_opens_without_an_error_and_asks_nobody(
    chromium: Browser, reports: Path, name: str, width: int, scheme: str
) -> None:
    opened = chromium.open(reports / name, width=width, scheme=scheme)
    assert opened.errors == []
    assert opened.requests == [(reports / name).as_uri()]
    background = chromium.evaluate(
        "getComputedStyle(document.querySelector('.back') || document.body)"
        "[document.querySelector('.back') ? 'fill' : 'backgroundColor']"
    )
    assert background == ("rgb(13, 17, 23)" if scheme == "dark" else "rgb(255, 255, 255)")
    if name == "page.html":
        chromium.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.evaluate("document.querySelectorAll('section.failure').length") == 1


@pytest.mark.skipif(not AXE, reason="TFOIDC_AXE does not name axe.min.js of axe-core")
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing(chromium: Browser, reports: Path, width: int, scheme: str) -> None:
    chromium.open(reports / "page.html", width=width, scheme=scheme)
    chromium.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    chromium.evaluate(Path(AXE).read_text("utf-8"))
    found = chromium.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.help,"
        " v.nodes.slice(0, 3).map(n => n.html + n.failureSummary)]))"
    )
    assert found == []
    # the control: what it looks for is found where it is
    chromium.evaluate("document.body.appendChild(document.createElement('img'))")
    ids = chromium.evaluate("axe.run().then(r => r.violations.map(v => v.id))")
    assert "image-alt" in ids


def test_ten_thousand_events_are_open_soon(chromium: Browser, tmp_path: Path) -> None:
    seconds, event = story()[6]
    many = story() + [(seconds + i / 1000, event) for i in range(MANY)]
    page = tmp_path / "many.html"
    assert write_reports(lines_of(many), [page]) == {}
    assert page.stat().st_size < MOST_BYTES
    opened = [chromium.open(page, width=1920, scheme="light") for _ in range(TRIES)]
    assert [one.errors for one in opened] == [[]] * TRIES
    assert chromium.evaluate("document.querySelectorAll('tbody tr').length") >= MANY
    assert min(one.load for one in opened) < MOST_MILLISECONDS
