"""The page and the file of events: the same from both, and nothing in them is obeyed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfoidc.cli.main import main
from pytest_tfoidc.clock import real_now
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import (
    AccessTokenIssued,
    ClockMoved,
    CommandFinished,
    CommandStarted,
    Event,
    ExchangeRefused,
    IdTokenMinted,
    ItemFinished,
    ItemStarted,
    RequestAnswered,
    RunDescribed,
    TokensExpired,
)
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.reporting.eventlines import (
    KINDS,
    EventFile,
    Follower,
    as_line,
    event_of,
    header,
    read_lines,
    record_of,
)
from pytest_tfoidc.reporting.evidence import require_report, write_reports
from pytest_tfoidc.reporting.evidencejson import json_report
from pytest_tfoidc.reporting.markdown import markdown_report
from pytest_tfoidc.reporting.page import page_of
from pytest_tfoidc.reporting.picture import picture_report
from pytest_tfoidc.reporting.timeline import happenings, timeline_of

START = real_now().replace(microsecond=0)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>\"'&##vso[task.complete]\x1b[2J\u202e::error::"
VOID = frozenset({"meta", "wbr"})


def same(text: str) -> str:
    return text


def story(*, name: str = "shop") -> list[tuple[float, Event]]:
    """A run: a token, a jump that kills it, a refusal, and a test that has shown something."""

    def at(seconds: float) -> dict[str, object]:
        return {"at": START + timedelta(seconds=seconds)}

    def made(event: Callable[..., Event], seconds: float, /, **fields: object) -> Event:
        return event(**at(seconds), **fields)

    half_an_hour = timedelta(minutes=30)
    evidence = {"id_tokens": 2, "exchanges": 3, "oldest": 12.0, "delay": 1800.0, "controls": 1}
    return [
        (0, made(RunDescribed, 0, text=f"Terraform 1.15.5 | {name}")),
        (0, made(ItemStarted, 0, item=f"{name}::oidc::delayed_apply")),
        (1, made(CommandStarted, 1, command="apply", module=name, number=1)),
        (
            2,
            made(
                IdTokenMinted,
                2,
                protocol="azure-devops",
                subject=name,
                audience="a",
                expires_at=START + timedelta(minutes=5),
            ),
        ),
        (
            3,
            made(
                AccessTokenIssued,
                3,
                client_id=name,
                scope="s",
                expires_at=START + timedelta(hours=1),
                id_token_age=timedelta(seconds=1),
            ),
        ),
        (4, made(ClockMoved, 1804, by=half_an_hour, reason=name)),
        (5, made(RequestAnswered, 1805, host="h", method="GET", path=f"/{name}", status=200)),
        (6, made(ExchangeRefused, 1806, client_id=name, code="AADSTS700024", reason=name)),
        (7, made(TokensExpired, 1807, kind="access")),
        (
            10,
            made(
                CommandFinished,
                1810,
                command="apply",
                module=name,
                exit_code=0,
                seconds=9.0,
                number=1,
            ),
        ),
        (
            11,
            made(
                ItemFinished,
                11,
                item=f"{name}::oidc::delayed_apply",
                outcome="passed",
                seconds=11.0,
                module=name,
                evidence=evidence,
            ),
        ),
    ]


def lines_of(
    told: list[tuple[float, Event]], *, run: str = "run", worker: str = "", after: float = 0.0
) -> list[str]:
    """Write a story as `--tf-events` does."""
    begin = START.timestamp() + after
    records = [{**record_of(e, run=run, worker=worker), "real": begin + s} for s, e in told]
    return [as_line(r, same) for r in (header(run, worker), *records)]


def page(lines: list[str]) -> str:
    return page_of([read_lines(lines, where="a test")])


class Elements(HTMLParser):
    """The elements and the attributes of a page; every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements_of(text: str) -> list[str]:
    """Return a page's elements, without the places where a long name may be broken."""
    return [tag for tag in Elements(text).tags if tag != "wbr"]


def failing(*, name: str = "shop") -> list[tuple[float, Event]]:
    """Return the same story, whose test has failed with those words."""
    *begin, (seconds, last) = story(name=name)
    assert isinstance(last, ItemFinished)
    words = {"outcome": "failed", "words": name, "failure": f"{name} is wrong\nCause: {name}"}
    return [*begin, (seconds, dataclasses.replace(last, **words))]  # type: ignore[arg-type]


def test_the_page_says_what_was_proven_and_what_happened() -> None:
    made = page(lines_of(story()))
    for text in (
        "1 passed",
        "Terraform 1.15.5",
        "30m between plan and apply",
        "failed with AADSTS700024, as it must",
        "The clock jumped by 30m",
        "GET h/shop: 200",
        "From here on a run with its first ID token cached would have failed",
    ):
        assert text in made


def test_the_page_asks_nobody_for_anything() -> None:
    made = page(lines_of(story()))
    found = Elements(made)
    assert not {"script", "link", "img", "iframe", "object", "style src"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name in {"src", "href"} or name[:2] == "on"]
    assert "url(" not in made
    assert "@import" not in made
    assert "default-src &#x27;none&#x27;" in made or "default-src 'none'" in made


def test_hostile_texts_stay_texts() -> None:
    plain, hostile = page(lines_of(failing())), page(lines_of(failing(name=HOSTILE)))
    assert elements_of(hostile) == elements_of(plain)
    assert "##vso[" not in hostile
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", hostile)


def test_a_token_ends_where_the_jump_has_killed_it() -> None:
    told = happenings(read_lines(lines_of(story()), where="a test").records)
    line = timeline_of(told)
    begin = START.timestamp()
    (id_token,), (access_token,) = line.id_tokens, line.access_tokens
    assert (id_token.begin - begin, id_token.end - begin) == (2, 4)
    assert (access_token.begin - begin, access_token.end - begin) == (3, 7)
    assert [mark.at - begin for mark in line.dead] == [4]
    assert [mark.short for mark in line.jumps] == ["+30m"]


def test_a_killed_run_leaves_a_page_that_says_what_did_not_end() -> None:
    lines = lines_of(story())
    made = page([*lines[:-2], lines[-2][:40]])
    assert "Did not end: shop::oidc::delayed_apply" in made
    assert "shop apply, which did not end" in made
    assert "1 line was cut short and left out" in made


def test_two_runs_in_one_file_are_told_apart() -> None:
    first, second = lines_of(story(), run="a"), lines_of(story(name="other"), run="b", after=2)
    mixed = [line for pair in zip(first, second, strict=True) for line in pair]
    made = page(mixed)
    assert made.index("Run 1 of 2") < made.index("Terraform 1.15.5 | shop")
    assert made.index("Run 2 of 2") < made.index("Terraform 1.15.5 | other")


def test_what_several_files_have_in_common_counts_once() -> None:
    lines = lines_of(story())
    whole, cut = read_lines(lines, where="a test"), read_lines(lines[:4], where="a copy")
    assert markdown_report([cut, whole]) == markdown_report([whole, whole, cut])
    assert markdown_report([whole]) == markdown_report([whole, whole])


def test_a_newer_schema_is_refused_and_a_kind_of_tomorrow_is_not() -> None:
    newer = json.dumps({"schema": "tfoidc-events", "version": 2})
    with pytest.raises(UsageError, match="schema version 2"):
        read_lines([newer], where="a test")
    lines = [*lines_of(story()), '{"event": "OfTomorrow", "real": 1, "at": "x"}', '{"event": 3}']
    assert page(lines) == page(lines_of(story()))


WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "2026-01-01T00:00:00",
    "0001-01-01T00:00:00+00:00",
    [1],
    {},
    {"id_tokens": "x", "real": -1},
    {"clients": [{"client": 1, "service": "s"}], "oldest": float("nan")},
    HOSTILE,
)


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_value_of_another_kind_in_any_field_breaks_no_report(value: object) -> None:
    first, *records = map(json.loads, lines_of(story()))
    spoilt = [{**record, name: value} for record in records for name in record if name != "event"]
    lines = [json.dumps(one) for one in (first, *records, *spoilt)]
    reads = [read_lines(lines, where="a test")]
    for write in (page_of, markdown_report, json_report, picture_report):
        assert "shop" in write(reads)
    if value is True:
        count = len(spoilt) - sum("is_sign_in" in one for one in records)
        assert reads[0].notes == (
            f"a test: {count} lines were not as such lines are and left out.",
        )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": 1}', "[" * 100_000, "\x00", "plain"])
def test_what_holds_no_events_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no events of tfoidc"):
        read_lines([text], where="a test")


def test_ten_thousand_events_make_a_page_soon() -> None:
    (seconds, event) = story()[6]
    many = story() + [(seconds + i / 1000, event) for i in range(10_000)]
    made = page(lines_of(many))
    assert made.count("GET h/shop: 200") > 10_000
    assert "more events are in the file of events only" in made
    assert len(made) < 5_000_000


def test_every_kind_of_event_travels_there_and_back() -> None:
    for _, event in story():
        assert event_of(record_of(event, run="r")) == event
    assert {"CommandStarted", "StepFinished", "VariableWithheld"} <= set(KINDS)


def test_a_secret_never_reaches_the_file_and_the_line_stays_json(tmp_path: Path) -> None:
    secret = 'sup3r-"secret\\value-of-a-pipeline'
    redactor = Redactor()
    redactor.add(secret)
    event = RunDescribed(at=START, text=f"before {secret} after")
    file = EventFile(tmp_path / "events.jsonl")
    file.write(as_line(record_of(event, run="r"), redactor.redact))
    text = (tmp_path / "events.jsonl").read_text("utf-8")
    file.close()
    assert json.loads(text)["text"] == "before (redacted) after"
    assert "sup3r" not in text


def test_a_file_is_private_and_each_line_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("old\n", encoding="utf-8")
    path.chmod(0o644)
    file, follower = EventFile(path), Follower(path)
    assert path.stat().st_mode & 0o777 == 0o600
    file.write("one")
    assert list(follower.lines()) == ["one"]
    with path.open("a", encoding="utf-8") as other:
        other.write("tw")
        other.flush()
        assert list(follower.lines()) == []
        other.write("o\n")
    assert list(follower.lines()) == ["two"]
    file.close()
    file.write("after the end")
    assert list(follower.lines()) == []


FORMS = ("html", "md", "json", "svg")


def reports_of(lines: list[str], folder: Path) -> dict[str, str]:
    """Return every form of the evidence of a story."""
    paths = {form: folder / f"report.{form}" for form in FORMS}
    assert write_reports(lines, paths.values()) == {}
    return {form: path.read_text("utf-8") for form, path in paths.items()}


def test_every_form_says_what_failed_and_what_was_shown(tmp_path: Path) -> None:
    made = reports_of(lines_of(failing()), tmp_path)
    for form in ("html", "md"):
        for text in ("1 failed", "Terraform 1.15.5", "Cause: shop", "30m between plan and apply"):
            assert text in made[form], (form, text)
    (run,) = json.loads(made["json"])["runs"]
    assert run["outcomes"] == {"failed": 1}
    assert run["tests"][0]["failure"] == "shop is wrong\nCause: shop"
    assert run["modules"]["shop"]["shown"]["survived"] == "30m between plan and apply"
    assert run["timeline"]["jumps"][0]["label"] == "The clock jumped by 30m: shop"
    picture = ET.fromstring(made["svg"])  # noqa: S314 - we have written it
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert "Terraform with OIDC: 1 failed" in texts
    assert "+30m" in texts


@given(st.text() | st.just(HOSTILE))
def test_no_form_can_be_made_to_say_something_else(more: str) -> None:
    name = f"x{more}"
    plain, hostile = ([read_lines(lines_of(failing(name=n)), where="x")] for n in ("shop", name))
    picture = ET.fromstring(picture_report(hostile))  # noqa: S314 - we have written it
    assert shape_of(picture) == shape_of(ET.fromstring(picture_report(plain)))  # noqa: S314 - as above
    told = json_report(hostile)
    assert json.loads(told)["runs"][0]["tests"][0]["words"] == name
    made, expected = markdown_report(hostile), outside_of_code(markdown_report(plain))
    assert outside_of_code(made).count("|") == expected.count("|")
    written = "\n".join(lines_of(failing(name=name)))
    for text in (told, made, picture_report(hostile), written):
        assert "##vso[" not in text
        assert not re.search(r"^\s*::error", text, re.MULTILINE)


def shape_of(picture: ET.Element) -> list[str]:
    return [element.tag for element in picture.iter()]


def outside_of_code(markdown: str) -> str:
    """Return Markdown without its fenced blocks, by the rule of CommonMark."""
    kept, fence = [], ""
    for line in markdown.split("\n"):
        opens = re.match(r"(`{3,})text$", line)
        if fence:
            closing = re.fullmatch(r" {0,3}(`+)\s*", line)
            fence = "" if closing and len(closing[1]) >= len(fence) else fence
        elif opens:
            fence = opens[1]
        else:
            kept.append(line)
    assert not fence
    return "\n".join(kept)


def test_an_ending_that_says_no_form_is_refused(tmp_path: Path) -> None:
    for name in ("report", "report.pdf", "report.html.gz"):
        with pytest.raises(UsageError, match=r"End it in \.html"):
            require_report(tmp_path / name, "--tf-report")
    for name in ("a.html", "new/b.MD", "c.json", "d.svg"):
        require_report(tmp_path / name, "--tf-report")


def test_what_was_written_before_a_field_came_is_read_all_the_same() -> None:
    lines = lines_of(story())
    last = json.loads(lines[-1])
    del last["failure"]
    assert page([*lines[:-1], json.dumps(last)]) == page(lines)


def test_the_command_makes_every_report_and_refuses_what_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, lines = tmp_path / "events.jsonl", lines_of(failing())
    events.write_text("\n".join(lines) + "\n", encoding="utf-8")
    live = reports_of(lines, tmp_path)
    outputs = [tmp_path / f"later.{form}" for form in FORMS]
    assert main(["report", str(events), *(f"-o{path}" for path in outputs)]) == 0
    assert [path.read_text("utf-8") for path in outputs] == [live[form] for form in FORMS]
    assert main(["report", str(tmp_path / "none.jsonl"), "-o", str(outputs[0])]) == 2
    assert main(["report", str(events), "-o", str(tmp_path)]) == 2
    assert "A folder is in the place of the file." in capsys.readouterr().err
    assert main(["report", str(events), "-o", str(tmp_path / "report.pdf")]) == 2
    assert "'.pdf' says none" in capsys.readouterr().err
