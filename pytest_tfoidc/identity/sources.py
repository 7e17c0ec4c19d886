"""Where ID tokens come from: one source for each kind of pipeline."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_tfoidc import processes
from pytest_tfoidc.errors import IdTokenError
from pytest_tfoidc.identity.endpoints import AzureDevOpsSource, GitHubSource
from pytest_tfoidc.identity.http_client import MAX_BODY
from pytest_tfoidc.identity.idtoken import IdToken, parse_id_token
from pytest_tfoidc.pipelinekinds import COMMAND, FILE, GET, KINDS, ONE_TOKEN, POST
from pytest_tfoidc.redaction import Redactor

if TYPE_CHECKING:
    from pytest_tfoidc.clock import Clock
    from pytest_tfoidc.identity.http_client import Wait
    from pytest_tfoidc.identity.pipeline import PipelineContext

__all__ = ["IdToken", "IdTokenSource", "parse_id_token", "source_for"]

EXCERPT = 300  # characters of a command's own words in an error
READS = 5  # of a token file that is being written
READ_AGAIN_SECONDS = 0.2
COMMAND_SECONDS = 60.0


class IdTokenSource(Protocol):
    """A source of ID tokens. Thread safe."""

    def fetch(self, audience: str, connection: str = "") -> IdToken:
        """Get a token for an audience.

        Args:
            audience: What the token is for.
            connection: The service connection to ask for, where it is not the context's own. Only
                Azure DevOps has any; it decides who may have a token for which.

        Raises:
            IdTokenError: There is none to be had.
        """


def source_for(
    context: PipelineContext, *, clock: Clock, wait: Wait | None = None
) -> IdTokenSource:
    """Make the source of a context.

    Args:
        context: Where we run.
        clock: Tells whether a token has expired.
        wait: Waits for so many seconds between two attempts.
    """
    return _SOURCES[KINDS[context.kind].source](context, clock, wait)


class NotingSource:
    """A source that tells every token to somebody before it is used.

    Args:
        source: Gives the tokens.
        notice: Is told them, to keep them out of what is printed.
    """

    def __init__(self, source: IdTokenSource, *, notice: Callable[[str], None]) -> None:
        self._source = source
        self._notice = notice

    def fetch(self, audience: str, connection: str = "") -> IdToken:
        """Get a token, as the source does.

        Raises:
            IdTokenError: There is none to be had.
        """
        given = (connection,) if connection else ()
        token = self._source.fetch(audience, *given)
        self._notice(token.value)
        return token


class StaticSource:
    """The one token of a job that cannot get another."""

    def __init__(self, context: PipelineContext, clock: Clock, _wait: Wait | None) -> None:
        self._context = context
        self._clock = clock

    def fetch(self, audience: str, connection: str = "") -> IdToken:  # noqa: ARG002 - it is what it is
        """Return the token while it lives.

        Raises:
            IdTokenError: It has died, or it is none.
        """
        where = f"the ID token of this job on {self._context.label}"
        token = parse_id_token(self._context.static_token, where=where)
        if token.expires_at > self._clock.now():
            return token
        raise IdTokenError(
            f"The job's only ID token expired at {token.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
            where=where,
            cause=f"{self._context.label} gives one ID token for a job, and never another; "
            f"{token.who}",
            remedy="Make the job shorter than the token's life, or give --tf-id-token-command a "
            "command that gets new ones.",
        )


class FileSource:
    """A file that somebody keeps fresh: read anew for every token."""

    def __init__(self, context: PipelineContext, clock: Clock, wait: Wait | None) -> None:
        self._path = Path(context.token_file)
        self._clock = clock
        self._wait: Wait = threading.Event().wait if wait is None else wait

    def fetch(self, audience: str, connection: str = "") -> IdToken:  # noqa: ARG002 - it is what it is
        """Read the token.

        Raises:
            IdTokenError: The file cannot be read, holds no token, or an expired one.
        """
        where = f"the file {self._path}"
        for _ in range(READS - 1):
            with contextlib.suppress(IdTokenError):
                return parse_id_token(self._read(where), now=self._clock.now(), where=where)
            self._wait(READ_AGAIN_SECONDS)  # somebody may be writing it at this moment
        return parse_id_token(self._read(where), now=self._clock.now(), where=where)

    def _read(self, where: str) -> str:
        try:
            if not self._path.is_file():
                raise IdTokenError(
                    "There is no ID token file.",
                    where=where,
                    cause="it is a directory" if self._path.is_dir() else "there is no such file",
                    remedy="Look at what should write it, and at the variable that names it.",
                )
            with self._path.open("rb") as file:
                text = file.read(MAX_BODY).decode("utf-8", "replace").strip()
        except OSError as error:
            raise IdTokenError(
                "The ID token file cannot be read.",
                where=where,
                cause=error.strerror or type(error).__name__,
                remedy="Let this user read it.",
            ) from error
        if text:
            return text
        raise IdTokenError(
            "The ID token file is empty.",
            where=where,
            cause="nothing has been written to it, or it was cut off",
            remedy="Look at what should write it.",
        )


class CommandSource:
    """A command that prints an ID token: the user's, or the one of a pipeline's agent."""

    def __init__(self, context: PipelineContext, clock: Clock, _wait: Wait | None) -> None:
        self._command = context.command or KINDS[context.kind].command
        self._kind = context.kind
        self._clock = clock
        self._where = f"the command {Path(self._command[0]).name if self._command else '(none)'}"

    def fetch(self, audience: str, connection: str = "") -> IdToken:  # noqa: ARG002 - Azure DevOps'
        """Run the command; `{audience}` in its arguments is the audience.

        Raises:
            IdTokenError: It cannot be run, fails, takes too long, or prints no token.
        """
        claims = json.dumps({"aud": audience})
        command = [
            part.replace("{audience}", audience).replace("{claims}", claims)
            for part in self._command
        ]
        printed = self._run(command)
        return parse_id_token(printed, now=self._clock.now(), audience=audience, where=self._where)

    def _run(self, command: list[str]) -> str:
        try:
            done = processes.run(command, seconds=COMMAND_SECONDS)
        except (OSError, ValueError, IndexError) as error:
            raise self._failed("could not be started", type(error).__name__) from error
        if done.exit_code is None:
            raise self._failed(
                "took too long", f"it was still running after {COMMAND_SECONDS:.0f} s"
            )
        if done.exit_code != 0:
            said = " ".join(Redactor().redact(done.stderr).split())
            cause = f"exit code {done.exit_code}: {said[-EXCERPT:] or 'it printed no reason'}"
            raise self._failed("failed", cause)
        return done.stdout.strip()

    def _failed(self, what: str, cause: str) -> IdTokenError:
        remedy = "Run it by hand in the same step; it has to print an ID token and nothing else."
        return IdTokenError(
            f"What prints the ID token {what}.", where=self._where, cause=cause, remedy=remedy
        )


_SOURCES: dict[str, Callable[[PipelineContext, Clock, Wait | None], IdTokenSource]] = {
    POST: AzureDevOpsSource,
    GET: GitHubSource,
    COMMAND: CommandSource,
    ONE_TOKEN: StaticSource,
    FILE: FileSource,
}
