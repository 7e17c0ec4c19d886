"""Terraform's own log, `TF_LOG_PATH`: private from its first byte, and redacted.

Terraform writes what providers say and hear, tokens included. So each command writes to a file of
its own that nobody else may read, and what is in it goes to the user's file without its secrets.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_tfoidc.errors import ModuleError
from pytest_tfoidc.redaction import Redactor

VARIABLE = "TF_LOG_PATH"
LEVELS = ("TF_LOG", "TF_LOG_CORE", "TF_LOG_PROVIDER")
CHUNK = 256 * 1024


@contextlib.contextmanager
def redacted_log(
    environment: Mapping[str, str],
    redactor: Redactor,
    *,
    folder: Path,
    learn: Callable[[], None] = lambda: None,
) -> Iterator[dict[str, str]]:
    """Return the variables that lead a command's log to a private file, and pass it on at the end.

    Args:
        environment: The command's environment; without a log file in it, nothing is done.
        redactor: Takes secrets out.
        folder: Where a relative path starts.
        learn: Is called before anything is passed on: it tells the redactor what is new.

    Raises:
        ModuleError: The user's file cannot be written.
    """
    wanted = environment.get(VARIABLE)
    if not wanted or not any(environment.get(level) for level in LEVELS):
        yield {}
        return
    target = folder / wanted
    os.close(_open(target))
    handle, name = tempfile.mkstemp(prefix="tfoidc-log-", suffix=".txt")
    os.close(handle)
    private = Path(name)
    try:
        yield {VARIABLE: name}
    finally:
        learn()
        _pass_on(private, target, redactor)
        private.unlink(missing_ok=True)


def _open(target: Path) -> int:
    try:
        return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise ModuleError(
            "Terraform's log cannot be written.",
            where=str(target),
            cause=error.strerror or str(error),
            remedy=f"Let {VARIABLE} name a file that can be written, or unset it.",
        ) from error


def _pass_on(private: Path, target: Path, redactor: Redactor) -> None:
    with private.open("rb") as source, os.fdopen(_open(target), "ab") as log:
        for part in redactor.redact_chunks(iter(lambda: source.read(CHUNK), b"")):
            log.write(part)
