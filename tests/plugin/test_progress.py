"""The progress of a run: on a terminal, in a log, with workers, or not at all."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_tfoidc.cli.main import main
from tests.project_kit import Project, text_of

SLOW = """\
terraform {
  backend "local" {}
}

resource "terraform_data" "slow" {
  count = 2

  provisioner "local-exec" {
    command = "sleep 1.4"
  }
}
"""
WATCHED = SLOW.replace(
    "sleep 1.4", "for _ in $(seq 300); do test -e SEEN && break; sleep 0.1; done"
)
REFUSING = """\
terraform {
  backend "local" {}
}
resource "terraform_data" "x" {
  lifecycle {
    precondition {
      condition     = length(path.cwd) == 0
      error_message = "Never true."
    }
  }
}
"""
BEAT = re.compile(r"tfoidc: (?:\[gw\d\] )?module apply \d+s, [012] of 2")
CLEAR = "\x1b[J"
DRAWN = re.compile(r"\n(tfoidc: module a[^\x1b]*)\x1b\[1A")


def on_a_terminal(
    project: Project, *arguments: str, columns: int = 80, term: str = "xterm", lines: int = 24
) -> str:
    """Run pytest on a pseudo-terminal; give all that it wrote there."""
    child, descriptor = start_on_a_terminal(
        project, *arguments, columns=columns, term=term, lines=lines
    )
    return read_to_the_end(child, descriptor)


def start_on_a_terminal(
    project: Project, *arguments: str, columns: int, term: str, lines: int
) -> tuple[int, int]:
    """Start pytest on a pseudo-terminal; give its process, and the terminal's other side."""
    command = ["-m", "pytest", "-p", "no:randomly", "-p", "no:terraform", "-p", "no:cacheprovider"]
    command += ["--tf-module=module", "--tf-check=delayed_apply", *arguments]
    child, descriptor = pty.fork()
    if child == 0:  # pragma: no cover - becomes pytest
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.chdir(project.path)
        os.environ["TERM"] = term
        os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - our own Python
    return child, descriptor


def chunks(descriptor: int) -> Iterator[str]:
    """Read what is written to a terminal, to the end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the other side is closed
            return
        if not chunk:
            return
        yield decoder.decode(chunk)


def read_to_the_end(child: int, descriptor: int, written: str = "") -> str:
    """Read the rest of what pytest writes to a terminal; it must have passed."""
    written += "".join(chunks(descriptor))
    os.close(descriptor)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, written
    return written


def rendered(written: str) -> list[str]:
    """Return what stands on a screen after that was written; it is wide enough for each line."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part == CLEAR:
            rows[row:] = [rows[row][:column]]
        elif part.startswith("\x1b["):
            number = int(part[2:-1] or 1) if part[-1] in "AC" else 0
            row, column = row - number * (part[-1] == "A"), column + number * (part[-1] == "C")
            assert part[-1] in "ACm", part
        else:
            rows[row] = rows[row].ljust(column)[:column] + part + rows[row][column + len(part) :]
            column += len(part)
    return rows


@pytest.mark.parametrize("columns", [80, 40])
def test_a_live_line_appears_moves_and_vanishes(project: Project, columns: int) -> None:
    seen = project.path / "seen"
    project.module(main=WATCHED.replace("SEEN", str(seen)))
    child, descriptor = start_on_a_terminal(project, columns=columns, term="xterm", lines=24)
    written = ""
    for chunk in chunks(descriptor):
        written += chunk
        if len(set(DRAWN.findall(written))) > 1:
            seen.touch()
            break
    written = read_to_the_end(child, descriptor, written)
    drawn = DRAWN.findall(written)
    assert len(set(drawn)) > 1
    assert all(len(line) < columns for line in drawn)
    screen = rendered(written)
    assert any(line.startswith("module .") for line in screen), screen
    assert [line for line in screen if line.startswith("tfoidc: module")] == []


def test_a_terminal_that_vanishes_ends_the_run_and_leaves_nothing(project: Project) -> None:
    project.module(main=SLOW)
    child, descriptor = start_on_a_terminal(
        project, "--junit-xml=junit.xml", columns=80, term="xterm", lines=24
    )
    written = ""
    for chunk in chunks(descriptor):
        written += chunk
        if "tfoidc: module apply" in written:
            break
    os.close(descriptor)
    _, status = os.waitpid(child, 0)
    assert "tfoidc: module apply" in written
    assert os.waitstatus_to_exitcode(status) != 0
    assert project.left_over() == []
    assert (project.path / "junit.xml").read_text(encoding="utf-8").endswith("</testsuites>")


@pytest.mark.parametrize(
    ("term", "arguments"), [("dumb", ()), ("xterm", ("-s",)), ("xterm", ("-n1",))]
)
def test_what_cannot_draw_gets_heartbeats(
    project: Project, term: str, arguments: tuple[str, ...]
) -> None:
    """A dumb terminal and -s; with pytest-xdist on a terminal the live line is the controller's."""
    project.module(main=SLOW)
    written = on_a_terminal(project, "--tf-progress=1s", *arguments, term=term)
    assert ("-n1" in arguments) == (CLEAR in written)
    assert BEAT.search(written)


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_log_has_heartbeats_and_no_control_characters(
    project: Project, workers: tuple[str, ...]
) -> None:
    project.module(main=SLOW)
    result = project.check("delayed_apply", "--tf-progress=1s", *workers)
    result.assert_outcomes(passed=1)
    beats = [line for line in result.outlines if BEAT.match(line)]
    assert beats
    assert all(line.isprintable() for line in result.outlines)
    assert "\x1b" not in text_of(result)


@pytest.mark.parametrize("arguments", [("--tf-progress=0",), ("-q",), ()])
def test_no_heartbeat_where_none_is_wanted_or_due(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.module(main=SLOW)
    result = project.check("delayed_apply", *arguments)
    assert result.ret == 0
    assert "tfoidc: module" not in text_of(result)


def test_the_ini_file_says_how_often_and_azure_pipelines_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.module(main=SLOW)
    (project.path / "pytest.ini").write_text("[pytest]\ntf_progress = 1s\n", encoding="utf-8")
    monkeypatch.setenv("TF_BUILD", "True")
    result = project.check("delayed_apply", "-q", "--tf-context=mock")
    commands = [line for line in result.outlines if "setprogress" in line]
    assert any(
        re.fullmatch(r"##vso\[task\.setprogress value=\d+;\]module apply", line)
        for line in commands
    ), result.outlines


def test_every_event_is_in_the_file_of_one_run_with_workers(project: Project) -> None:
    project.module()
    file = project.path / "out" / "events.jsonl"
    result = project.check("all", "-n2", f"--tf-events={file}")
    result.assert_outcomes(passed=5)
    head, *records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert (head["schema"], head["version"]) == ("tfoidc-events", 1)
    assert {record["run"] for record in records} == {head["run"]}
    assert {record["worker"] for record in records} >= {"gw0", "gw1"}
    kinds = [record["event"] for record in records]
    assert kinds.count("ItemFinished") == 5
    assert kinds.count("CommandStarted") == kinds.count("CommandFinished") >= 9
    assert {"ClockMoved", "AccessTokenIssued", "StepFinished", "RunDescribed"} <= set(kinds)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("option", ["--tf-events", "--tf-report"])
def test_a_path_that_cannot_be_written_is_said_at_the_start(project: Project, option: str) -> None:
    project.module()
    for place in (Path("module"), Path("module/main.tf/file")):
        result = project.check("delayed_apply", f"{option}={place}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert option in text_of(result)
        assert "Traceback" not in text_of(result)


def test_reports_of_a_run_with_workers_are_those_of_its_events(project: Project) -> None:
    """Every form that was written at the end is what the command makes of the events."""
    project.module(main=REFUSING)
    live = [f"report.{form}" for form in ("html", "md", "json", "svg")]
    asked = [f"--tf-report={name}" for name in live]
    result = project.check("delayed_apply", "-n2", "--tf-events=events.jsonl", *asked)
    result.assert_outcomes(failed=1)
    later = [project.path / f"later.{name}" for name in live]
    assert main(["report", f"{project.path}/events.jsonl", *(f"-o{path}" for path in later)]) == 0
    for name, path in zip(live, later, strict=True):
        assert (project.path / name).read_bytes() == path.read_bytes(), name
    (test,) = json.loads(later[2].read_text("utf-8"))["runs"][0]["tests"]
    assert test["words"] == "Never true (main.tf:7)"
    assert "Resource precondition failed" in test["failure"]


def test_a_report_whose_ending_says_no_form_is_refused_at_the_start(project: Project) -> None:
    project.module()
    result = project.check("all", "--tf-report=report.pdf")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "End it in .html (a page), .md (Markdown), .json" in text_of(result)
