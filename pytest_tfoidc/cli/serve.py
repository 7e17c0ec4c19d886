"""The stand-in beyond one command: kept running, with its resources and its CA kept in files."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tfoidc.mockazure import statefile
from pytest_tfoidc.mockazure.statefile import write_private
from pytest_tfoidc.processes import deferred, handled

if TYPE_CHECKING:
    from pytest_tfoidc.mockazure.server import MockAzure

SHELL = "shell"
JSON = "json"


@contextlib.contextmanager
def kept_in(path: Path | None, mock: MockAzure) -> Iterator[None]:
    """Let the stand-in begin with what a file holds, and keep what there is at the end in it.

    Raises:
        UsageError: The file cannot be read or written.
    """
    if path is not None and (held := statefile.load(path)) is not None:
        mock.restore_resources(held)
    try:
        yield
    finally:
        if path is not None:
            with deferred():  # nobody ends us while we write
                statefile.save(path, mock.snapshot_resources())


def changes(environment: Mapping[str, str], outer: Mapping[str, str]) -> dict[str, str | None]:
    """Return what a child's environment changes of the outer one; None removes a variable."""
    names = sorted({*environment, *outer})
    return {n: environment.get(n) for n in names if environment.get(n) != outer.get(n)}


def write_variables(changed: Mapping[str, str | None], *, form: str) -> str:
    """Write variables as lines for a shell, or as a JSON object (null removes a variable)."""
    if form == JSON:
        return json.dumps(changed, indent=2) + "\n"
    lines = (
        f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"
        for name, value in changed.items()
    )
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def variables_file(path: Path | None, text: str) -> Iterator[Path]:
    """Hold the variables in a private file while the block runs: they hold request tokens.

    Raises:
        UsageError: It cannot be written.
    """
    if path is None:
        handle, name = tempfile.mkstemp(prefix="tfoidc-", suffix=".env")
        os.close(handle)
        path = Path(name)
    write_private(path, text)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def wait_for_signal(announce: str) -> None:
    """Say that everything is ready, and wait until somebody wants it to stop."""
    over = threading.Event()
    with handled(lambda *_: over.set()):
        sys.stdout.write(announce)
        sys.stdout.flush()
        over.wait()


def serve(
    environment: Mapping[str, str], *, url: str, env_file: Path | None = None, form: str = SHELL
) -> int:
    """Keep a stand-in running until SIGINT, SIGTERM or SIGHUP; give the exit code.

    Its variables go into a file that nobody else may read. What is printed is how to use that file:
    nothing that is secret.

    Args:
        environment: The environment that leads clients to it.
        url: Where it listens.
        env_file: The file; a temporary one where it is not given. It is removed at the end.
        form: `shell` or `json`.

    Raises:
        UsageError: The file cannot be written.
    """
    text = write_variables(changes(environment, os.environ), form=form)
    with variables_file(env_file, text) as path:
        sys.stderr.write(f"tfoidc: the stand-in runs at {url}; Ctrl-C or SIGTERM stops it\n")
        quoted = shlex.quote(str(path.resolve()))
        wait_for_signal(f". {quoted}\n" if form == SHELL else f"{path.resolve()}\n")
    return 0
