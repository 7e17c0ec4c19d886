"""The command `tfoidc`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from pytest_tfoidc.errors import TfOidcError, UsageError

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_FOUND = 127  # as a shell says it
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand, and give its exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except TfOidcError as error:
        sys.stderr.write(f"tfoidc: {error}\n")
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tfoidc", description="Terraform with OIDC.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    mock = commands.add_parser(
        "mock",
        help="run a command against the stand-in for Azure",
        description="Run a command against the stand-in for Azure, with an environment in which"
        " Terraform and the Azure SDKs find it. Exit code, streams and signals are the command's.",
        usage="tfoidc mock [options] {-- COMMAND [ARGUMENT…] | --serve}",
    )
    mock.add_argument(
        "--no-relay", action="store_true", help="hand the issuer's own URL and token to the command"
    )
    mock.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="let a host through"
    )
    _add_standin_options(mock)
    mock.add_argument("command", nargs="*", metavar="COMMAND")
    mock.set_defaults(run=_mock, refuse=mock.error)
    return parser


def _add_standin_options(mock: argparse.ArgumentParser) -> None:
    add = mock.add_argument
    add("--serve", action="store_true", help="keep running until SIGINT or SIGTERM")
    add("--env-file", type=Path, metavar="FILE", help="where --serve writes its variables")
    add("--format", choices=("shell", "json"), default="shell", help="how it writes them")
    add("--state", type=Path, metavar="FILE", help="keep resources from run to run")
    add("--ca-file", type=Path, metavar="FILE", help="keep the CA from run to run")
    fault = "let requests fail, as in: entra, times=2, status=503"
    add("--fault", action="append", default=[], metavar="FAULT", help=fault)
    add("--faults", type=Path, metavar="FILE", help="the same from a file, one a line")


def _mock(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.serving import kept_in, serve  # noqa: PLC0415 - heavy
    from pytest_tfoidc.session import OidcSession, SessionOptions  # noqa: PLC0415 - heavy

    if bool(parsed.command) == parsed.serve:
        parsed.refuse("there has to be a command or --serve, and not both")
    options = SessionOptions(
        context="mock",
        relay=not parsed.no_relay,
        allowed_hosts=tuple(parsed.allow_host),
        ca_file=parsed.ca_file,
    )
    with OidcSession(options) as session:
        mock = session.mock
        assert mock is not None  # noqa: S101 - for mypy: the context is the stand-in
        for fault in parsed.fault:
            mock.faults.add_text(fault)
        if parsed.faults is not None:
            mock.faults.read(parsed.faults)
        with kept_in(parsed.state, mock):
            if parsed.serve:
                return serve(
                    session.environment, url=mock.url, env_file=parsed.env_file, form=parsed.format
                )
            return run_command(parsed.command, session.environment)


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command as if it had been started instead of us, and give its exit code.

    Raises:
        UsageError: It cannot be started.
    """
    try:
        child = subprocess.Popen(command, env=dict(environment))
    except OSError as error:
        raise UsageError(
            f"{command[0]} cannot be started.",
            cause=error.strerror or str(error),
            remedy="Put the command behind `--`, as in: tfoidc mock -- terraform init",
        ) from error

    def forward(number: int, _frame: FrameType | None) -> None:
        # A terminal's Ctrl-C has reached the whole foreground group already, the child included.
        if number != signal.SIGINT or not _is_foreground():
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _is_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
