"""The page and the file of events: the same from both, and nothing in them is obeyed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

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
from pytest_tfoidc.reporting.page import page_of
from pytest_tfoidc.reporting.timeline import happenings, timeline_of

START = real_now().replace(microsecond=0)
HOSTILE = "<script>alert(1)</script>\"'&##vso[task.complete]\x1b[2J\u202e::error::"
VOID = frozenset({"meta"})


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
    plain, hostile = Elements(page(lines_of(story()))), page(lines_of(story(name=HOSTILE)))
    assert Elements(hostile).tags == plain.tags
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


def test_a_newer_schema_is_refused_and_a_kind_of_tomorrow_is_not() -> None:
    newer = json.dumps({"schema": "tfoidc-events", "version": 2})
    with pytest.raises(UsageError, match="schema version 2"):
        read_lines([newer], where="a test")
    lines = [*lines_of(story()), '{"event": "OfTomorrow", "real": 1, "at": "x"}', '{"event": 3}']
    assert page(lines) == page(lines_of(story()))


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


def test_the_command_makes_the_same_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, output = tmp_path / "events.jsonl", tmp_path / "page.html"
    lines = lines_of(story())
    events.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["report", str(events), "-o", str(output)]) == 0
    assert output.read_text("utf-8") == page(lines)
    assert main(["report", str(tmp_path / "none.jsonl"), "-o", str(output)]) == 2
    assert main(["report", str(events), "-o", str(tmp_path)]) == 2
    assert "A folder is in the place of the file." in capsys.readouterr().err
