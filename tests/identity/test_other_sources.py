from __future__ import annotations

import json
import os
import stat
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_tfoidc.entrafacts import DEFAULT_AUDIENCE
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.identity import sources
from pytest_tfoidc.identity.http_client import MAX_BODY
from pytest_tfoidc.identity.sources import IdToken, IdTokenSource, source_for
from pytest_tfoidc.pipelinekinds import ONE_TOKEN, RECORDS
from tests.identity.identity_kit import ISSUER, NOON, SUBJECT, ManualClock, make_context, make_jwt


def fetched(source: IdTokenSource) -> IdToken:
    return source.fetch(DEFAULT_AUDIENCE)


def failed(source: IdTokenSource) -> IdTokenError:
    with pytest.raises(IdTokenError) as caught:
        source.fetch(DEFAULT_AUDIENCE)
    assert caught.value.where
    assert caught.value.cause
    assert caught.value.remedy
    return caught.value


# --- one token for a whole job --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind.name for kind in RECORDS if kind.source == ONE_TOKEN])
def test_a_static_token_is_given_until_it_dies_and_then_explained(kind: str) -> None:
    clock = ManualClock()
    context = make_context(kind, static_token=make_jwt(audience="https://gitlab.com"))
    source = source_for(context, clock=clock)
    assert fetched(source).subject == SUBJECT
    assert context.static_token_expires_at == NOON + timedelta(minutes=5)
    clock.advance(timedelta(minutes=5))
    error = failed(source)
    assert "expired at 2030-01-01 12:05:00 UTC" in error.what
    assert "never another" in error.cause
    assert ISSUER in error.cause
    assert str(context.static_token) not in str(error)


def test_a_static_token_that_is_none_is_refused() -> None:
    source = source_for(make_context("gitlab", static_token="masked"), clock=ManualClock())
    assert "not a JWT" in failed(source).what


# --- a file that somebody keeps fresh -------------------------------------------------------------


class Writer:
    """Does something to the file each time that the source waits."""

    def __init__(self, *acts: object) -> None:
        self.acts = list(acts)
        self.waits = 0

    def __call__(self, _seconds: float) -> None:
        self.waits += 1
        if self.acts:
            act = self.acts.pop(0)
            assert callable(act)
            act()


def file_source(path: Path, wait: Writer, clock: ManualClock | None = None) -> IdTokenSource:
    context = make_context("aks", token_file=str(path))
    return source_for(context, clock=clock or ManualClock(), wait=wait)


def test_a_token_file_is_read_anew_for_every_token(tmp_path: Path) -> None:
    path, clock, wait = tmp_path / "token", ManualClock(), Writer()
    source = file_source(path, wait, clock)
    path.write_text(make_jwt(jti="1") + "\n")
    first = fetched(source)
    clock.advance(timedelta(hours=1))
    path.write_text(make_jwt(now=clock.now(), jti="2"))
    assert fetched(source).value != first.value
    assert wait.waits == 0


def test_a_token_file_behind_links_is_followed_as_kubernetes_rotates_it(tmp_path: Path) -> None:
    (tmp_path / "data-1").mkdir()
    (tmp_path / "data-1" / "token").write_text(make_jwt())
    (tmp_path / "data").symlink_to("data-1")
    (tmp_path / "token").symlink_to("data/token")
    assert fetched(file_source(tmp_path / "token", Writer())).subject == SUBJECT


@pytest.mark.parametrize("start", ["", "half a tok", "eyJ.half"])
def test_a_file_that_is_being_written_is_read_again(tmp_path: Path, start: str) -> None:
    path = tmp_path / "token"
    path.write_text(start)
    wait = Writer(lambda: None, lambda: path.write_text(make_jwt()))
    assert fetched(file_source(path, wait)).subject == SUBJECT
    assert wait.waits == 2


def test_a_file_that_vanishes_for_a_moment_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    wait = Writer(lambda: path.write_text(make_jwt()))
    assert fetched(file_source(path, wait)).subject == SUBJECT


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    error = failed(file_source(tmp_path / "none", Writer()))
    assert str(tmp_path / "none") in error.where
    assert error.cause == "there is no such file"


def test_a_directory_is_no_token_file(tmp_path: Path) -> None:
    assert failed(file_source(tmp_path, Writer())).cause == "it is a directory"


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    assert "is empty" in failed(file_source(tmp_path / "token", Writer())).what


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0)
    assert "Permission" in failed(file_source(tmp_path / "token", Writer())).cause


def test_a_file_that_nobody_renews_is_told_with_its_date(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(make_jwt(now=NOON - timedelta(hours=1)))
    wait = Writer()
    assert "expired at 2030-01-01 11:05:00" in failed(file_source(tmp_path / "token", wait)).what
    assert wait.waits == sources.READS - 1


def test_a_huge_or_binary_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe" * MAX_BODY)
    assert "not a JWT" in failed(file_source(tmp_path / "token", Writer())).what


# --- a command that prints one --------------------------------------------------------------------


def script(tmp_path: Path, body: str, name: str = "mint") -> str:
    """Make a program of Python."""
    path = tmp_path / name
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def command_source(*command: str) -> IdTokenSource:
    return source_for(make_context("command", command=command), clock=ManualClock())


def test_a_commands_output_is_the_token(tmp_path: Path) -> None:
    program = script(tmp_path, f"print({make_jwt()!r})")
    assert fetched(command_source(program)).subject == SUBJECT


def test_a_command_is_told_the_audience(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    program = script(
        tmp_path, f"open({str(seen)!r}, 'w').write(sys.argv[1]); print({make_jwt()!r})"
    )
    fetched(command_source(program, "--aud={audience}"))
    assert seen.read_text() == f"--aud={DEFAULT_AUDIENCE}"


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    [
        ("circleci", "circleci", ["run", "oidc", "get", "--claims", '{"aud": "AUD"}']),
        ("buildkite", "buildkite-agent", ["oidc", "request-token", "--audience", "AUD"]),
    ],
)
def test_the_agents_commands_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, arguments: list[str]
) -> None:
    seen = tmp_path / "seen"
    body = f"import json; json.dump(sys.argv[1:], open({str(seen)!r}, 'w')); print({make_jwt()!r})"
    script(tmp_path, body, name)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fetched(source_for(make_context(kind), clock=ManualClock()))
    wanted = [argument.replace("AUD", DEFAULT_AUDIENCE) for argument in arguments]
    assert json.loads(seen.read_text()) == wanted


def test_a_command_that_fails_is_told_with_its_words_and_without_its_secrets(
    tmp_path: Path,
) -> None:
    leaked = make_jwt()
    program = script(tmp_path, f"print('no permission', {leaked!r}, file=sys.stderr); sys.exit(3)")
    error = failed(command_source(program, "--secret=s3cret"))
    assert "exit code 3: no permission (redacted)" in error.cause
    assert error.where == "the command mint"
    assert "s3cret" not in str(error)
    assert leaked not in str(error)


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "FileNotFoundError" in failed(command_source(str(tmp_path / "none"))).cause


def test_a_command_that_prints_something_else_is_told(tmp_path: Path) -> None:
    assert "not a JWT" in failed(command_source(script(tmp_path, "print('hello')"))).what


def test_a_command_that_prints_another_audience_is_told(tmp_path: Path) -> None:
    program = script(tmp_path, f"print({make_jwt(audience='other')!r})")
    assert "other" in failed(command_source(program)).what


def is_over(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "zombie" in status.read_text()


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "COMMAND_SECONDS", 1.0)
    seen = tmp_path / "pid"
    error = failed(command_source("sh", "-c", f"sleep 1000 & echo $! > '{seen}'; wait"))
    assert "still running" in error.cause
    pid, patience = seen.read_text().strip(), threading.Event()
    assert any(is_over(pid) or patience.wait(0.05) for _ in range(200))
