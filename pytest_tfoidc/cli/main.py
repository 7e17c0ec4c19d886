"""The command `tfoidc`."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tfoidc.clock import parse_duration
from pytest_tfoidc.errors import TfOidcError, UsageError
from pytest_tfoidc.events import (
    Event,
    EventLog,
    ExchangeRefused,
    IdTokenFetchFailed,
    IdTokenRefused,
    RequestTokenExpiring,
)
from pytest_tfoidc.identity.variables import split_command
from pytest_tfoidc.masking import masks_of, told_to
from pytest_tfoidc.pipelinekinds import REHEARSED, listed
from pytest_tfoidc.processes import Foreground
from pytest_tfoidc.redaction import Redactor, harmless

if TYPE_CHECKING:
    from pytest_tfoidc.session import SessionOptions
    from pytest_tfoidc.sweeping import SweepOptions

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name

USAGE = 2
INTERRUPTED = 130  # as shells tell it
PIPE_BROKEN = 128 + 13  # as shells say it of a command that SIGPIPE ended
UNWRITABLE = frozenset({errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF, errno.EFBIG})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand, and give its exit code."""
    _open_closed_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        return _unwritten(error)
    except KeyboardInterrupt:
        sys.stderr.write("tfoidc: interrupted\n")
        return INTERRUPTED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        parsed = _parser().parse_args(arguments)
        return int(parsed.run(parsed))
    except TfOidcError as error:
        sys.stderr.write(f"tfoidc: {harmless(Redactor().redact(str(error)))}\n")
        return USAGE


def _open_closed_streams() -> None:
    """Open what we were started without: what is said there is said to nobody."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, nowhere)


def _unwritten(error: OSError) -> int:
    """Say that nobody got what was to be said; who has gone away, as `head` does, knows."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush
    if error.errno == errno.EPIPE:
        return PIPE_BROKEN
    lost = TfOidcError(
        "The output cannot be written.",
        where="standard output",
        cause=error.strerror or str(error),
        remedy="Make room where it goes, or send it elsewhere.",
    )
    with contextlib.suppress(OSError):
        sys.stderr.write(f"tfoidc: {lost}\n")
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tfoidc", description="Terraform with OIDC.")
    version = f"tfoidc {metadata.version('pytest-tfoidc')}"
    parser.add_argument("--version", action="version", version=version)
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
        "--pipeline",
        metavar="KIND",
        help="rehearse: give the command the environment of such a pipeline's step, and no relay:"
        f" {listed(REHEARSED)}",
    )
    for token, default in (("ID", "5m"), ("access", "60m")):
        mock.add_argument(
            f"--{token.lower()}-token-lifetime",
            metavar="TIME",
            default=default,
            type=parse_duration,
            help=f"how long the stand-in's {token} tokens live (default {default})",
        )
    mock.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="let a host through"
    )
    _add_standin_options(mock)
    mock.add_argument("command", nargs="*", metavar="COMMAND", help="what to run, after `--`")
    mock.set_defaults(run=_mock, refuse=mock.error)
    _add_relay(commands)
    _add_doctor(commands)
    _add_sweep(commands)
    _add_audit(commands)
    _add_report(commands)
    return parser


def _add_standin_options(mock: argparse.ArgumentParser) -> None:
    add = mock.add_argument
    add("--serve", action="store_true", help="keep running until SIGINT or SIGTERM")
    add("--env-file", type=Path, metavar="FILE", help="where --serve writes its variables")
    add("--format", choices=("shell", "json"), default="shell", help="how it writes them")
    add("--state", type=Path, metavar="FILE", help="keep resources from run to run")
    add("--ca-file", type=Path, metavar="FILE", help="keep the CA from run to run")
    fault = "let requests fail, as in: entra, times=2, status=503"
    existing = "what is there beforehand, as pytest's --tf-existing"
    add("--existing", action="append", default=[], metavar="PATH", help=existing)
    add("--strict-identities", action="store_true", help="as pytest's --tf-strict-identities")
    identity = "what may be used with --strict-identities"
    add("--identity", action="append", default=[], metavar="KIND=ID", help=identity)
    add("--fault", action="append", default=[], metavar="FAULT", help=fault)
    add("--faults", type=Path, metavar="FILE", help="the same from a file, one a line")


def _add_relay(commands: Commands) -> None:
    relay = commands.add_parser(
        "relay",
        help="run a command of a pipeline's step with ID tokens that refresh",
        description="Run a command of a pipeline's step with an environment in which Terraform and"
        " the Azure SDKs refresh. Exit code, streams and signals are the command's.",
        usage="tfoidc relay [options] -- COMMAND [ARGUMENT…]",
    )
    relay.add_argument(
        "--context", default="auto", metavar="KIND", help="where ID tokens come from"
    )
    relay.add_argument(
        "--id-token-command", default="", metavar="COMMAND", help="what prints an ID token"
    )
    relay.add_argument("--audience", help="what the federated credential expects")
    relay.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after `--`")
    relay.set_defaults(run=_relay)


def _add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="say who a client would sign in as, and what is missing",
        description="Say which pipeline this is, who each client would sign in as, and what is"
        " missing or wrong in the environment and in a repository. Exit code: 0 nothing worse than"
        " notes, 1 warnings, 3 errors.",
    )
    doctor.add_argument("--json", action="store_true", help="for machines")
    doctor.add_argument("--context", default="auto", metavar="KIND", help="as for pytest")
    doctor.add_argument("--tf-executable", metavar="PATH", help="as for pytest")
    doctor.add_argument("path", nargs="?", default=".", metavar="PATH", help="the repository")
    doctor.set_defaults(run=_doctor)


def _add_sweep(commands: Commands) -> None:
    sweep = commands.add_parser(
        "sweep",
        help="destroy what live runs have left",
        description="Destroy what the ledger of live runs holds, with fresh tokens: what was"
        " deployed, and never confirmed to be destroyed. Exit code: 0 nothing is left, 3 something"
        " is left (or listed, with --dry-run), 2 it could not be started.",
    )
    add = sweep.add_argument
    add(
        "--ledger",
        type=Path,
        metavar="DIR",
        help="default: .tfoidc here, or in a folder that this one lies in",
    )
    add(
        "--root",
        type=Path,
        metavar="DIR",
        help="what modules are relative to (default: the folder of such a ledger, or this one)",
    )
    add("--dry-run", action="store_true", help="list what there is, and touch nothing")
    add("--json", action="store_true", help="for machines")
    add(
        "--assume-ended",
        action="store_true",
        help="take over the lock of a run on another machine: it has ended",
    )
    add(
        "--wait",
        default="30s",
        type=parse_duration,
        metavar="TIME",
        help="how long to wait for what is in use (default 30s)",
    )
    add("--context", default="auto", metavar="KIND", help="as for pytest")
    add("--id-token-command", default="", metavar="COMMAND", help="as for pytest")
    add("--audience", help="as for pytest")
    add("--tf-executable", metavar="PATH", help="default: what the run was made with")
    for name, metavar in (("var", "K=V"), ("var-file", "FILE"), ("backend-config", "K=V|FILE")):
        add(f"--tf-{name}", action="append", default=[], metavar=metavar, help="as for pytest")
    add("entry", nargs="*", metavar="ENTRY", help="an entry's id; default: all")
    sweep.set_defaults(run=_sweep)


def _sweep(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc import sweeping  # noqa: PLC0415 - heavy
    from pytest_tfoidc.session import OidcSession, SessionOptions  # noqa: PLC0415 - heavy

    options = _sweep_options(parsed)
    if not options.ledger.is_dir():
        _progress(f"there is no ledger at {options.ledger}; --ledger DIR names another one")
    if parsed.dry_run or not sweeping.entries_of(options):
        outcomes = sweeping.listing(options)
    else:
        session_options = SessionOptions(
            context=parsed.context,
            executable=parsed.tf_executable,
            id_token_command=split_command(parsed.id_token_command, option="--id-token-command"),
            audience=parsed.audience,
            needs_pipeline=True,
            ledger=options.ledger,
            root=options.root,
        )
        with OidcSession(session_options) as session, session.events.subscribed(_tell):
            outcomes = sweeping.sweep_in_order(session, options, tell=_progress)
    write = sweeping.as_json if parsed.json else sweeping.as_text
    sys.stdout.write(write(outcomes))
    return sweeping.exit_code(outcomes)


def _sweep_options(parsed: argparse.Namespace) -> SweepOptions:
    from pytest_tfoidc.sweeping import SweepOptions  # noqa: PLC0415 - heavy
    from pytest_tfoidc.terraform.backend import Inputs  # noqa: PLC0415 - heavy
    from pytest_tfoidc.terraform.live.ledger import ledger_of  # noqa: PLC0415 - heavy

    here = Path.cwd()
    ledger = here / parsed.ledger if parsed.ledger else ledger_of(here)
    root = here if parsed.ledger else ledger.parent
    backend = [text.partition("=") for text in parsed.tf_backend_config]
    return SweepOptions(
        ledger=ledger,
        root=here / parsed.root if parsed.root else root,
        wanted=tuple(parsed.entry),
        executable=parsed.tf_executable,
        wait=parsed.wait,
        assume_ended=parsed.assume_ended,
        inputs=Inputs(
            variables=tuple(parsed.tf_var),
            variable_files=tuple(Path(name).absolute() for name in parsed.tf_var_file),
            backend={name: value for name, equals, value in backend if equals},
            backend_files=tuple(Path(name).absolute() for name, equals, _ in backend if not equals),
        ),
    )


def _progress(line: str) -> None:
    sys.stderr.write(f"tfoidc: {line}\n")
    sys.stderr.flush()


def _add_audit(commands: Commands) -> None:
    audit = commands.add_parser(
        "audit",
        help="look for credentials in plans, states, folders and archives",
        description="Look for credentials in saved plans, states, folders with a Terraform"
        " configuration, single files of one, and zip archives. Nothing is run or asked, and no"
        " value is shown. Exit code: 0 nothing was found, 1 something was, 2 it could not be looked"
        " for.",
    )
    audit.add_argument("--json", action="store_true", help="for machines")
    audit.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="what to look in")
    audit.set_defaults(run=_audit)


def _audit(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.terraform.audit.command import audit, render, render_json  # noqa: PLC0415 - heavy

    audited = [audit(path) for path in parsed.paths]
    sys.stdout.write(render_json(audited) if parsed.json else render(audited))
    return max(one.exit_code for one in audited)


def _add_report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="make the reports of a run from its events",
        description="Make what pytest's --tf-report makes from files that --tf-events has written:"
        " also later, on another machine, and after a run that was killed.",
    )
    add = report.add_argument
    add(
        *("-o", "--output"),
        type=Path,
        required=True,
        action="append",
        metavar="FILE",
        help="a report, in the form that its ending says: .html, .md, .json or .svg (repeatable)",
    )
    add("files", nargs="+", type=Path, metavar="FILE.jsonl", help="events, of one run or several")
    report.set_defaults(run=_report)


def _report(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.reporting.eventlines import read_file  # noqa: PLC0415 - not for each command
    from pytest_tfoidc.reporting.evidence import require_report, write_report  # noqa: PLC0415 - as above

    for path in parsed.output:
        require_report(path, "--output")
    reads = [read_file(path) for path in parsed.files]
    for path in parsed.output:
        write_report(reads, path)
    return 0


def _mock(parsed: argparse.Namespace) -> int:
    if bool(parsed.command) == parsed.serve:
        parsed.refuse("there has to be a command or --serve, and not both")
    if parsed.pipeline is not None:
        if parsed.serve or parsed.state or parsed.ca_file or parsed.fault or parsed.faults:
            parsed.refuse("--pipeline runs a command in a stand-in without state and faults")
        return _rehearse(parsed)
    from pytest_tfoidc.cli.serve import kept_in, serve  # noqa: PLC0415 - heavy
    from pytest_tfoidc.existing import parse_beforehand, set_up  # noqa: PLC0415 - heavy
    from pytest_tfoidc.session import OidcSession  # noqa: PLC0415 - heavy

    beforehand = parse_beforehand(parsed.existing, base=Path(), option="--existing")
    # Signals are taken first: --state is written on the way of every exit.
    taking = contextlib.nullcontext() if parsed.serve else Foreground()
    with taking as foreground, OidcSession(_mock_options(parsed)) as session:
        mock = session.mock
        assert mock is not None  # noqa: S101 - for mypy: the context is the stand-in
        for fault in parsed.fault:
            mock.faults.add_text(fault)
        if parsed.faults is not None:
            mock.faults.read(parsed.faults)
        with kept_in(parsed.state, mock):
            set_up(session, beforehand)
            if parsed.serve:
                return serve(
                    session.environment,
                    url=mock.address,
                    env_file=parsed.env_file,
                    form=parsed.format,
                )
            return run_command(parsed.command, session.environment, foreground)


def _mock_options(parsed: argparse.Namespace) -> SessionOptions:
    from pytest_tfoidc import session  # noqa: PLC0415 - heavy

    return session.SessionOptions(
        context="mock",
        relay=not parsed.no_relay,
        allowed_hosts=tuple(parsed.allow_host),
        ca_file=parsed.ca_file,
        id_token_lifetime=parsed.id_token_lifetime,
        access_token_lifetime=parsed.access_token_lifetime,
        strict_identities=parsed.strict_identities,
        identities=tuple(parsed.identity),
        keeps_events=False,
    )


def _rehearse(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.existing import parse_beforehand  # noqa: PLC0415 - heavy
    from pytest_tfoidc.rehearsal import RehearsalOptions, rehearse  # noqa: PLC0415 - heavy

    options = RehearsalOptions(
        pipeline=parsed.pipeline,
        allowed_hosts=tuple(parsed.allow_host),
        id_token_lifetime=parsed.id_token_lifetime,
        access_token_lifetime=parsed.access_token_lifetime,
        existing=parse_beforehand(parsed.existing, base=Path(), option="--existing"),
        strict_identities=parsed.strict_identities,
        identities=tuple(parsed.identity),
    )
    events = EventLog(keeps=False)
    with (
        Foreground() as foreground,
        rehearse(options, events=events) as environment,
        events.subscribed(_tell),
    ):
        return run_command(parsed.command, environment, foreground)


def _relay(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.session import OidcSession, SessionOptions  # noqa: PLC0415 - heavy

    options = SessionOptions(
        context=parsed.context,
        id_token_command=split_command(parsed.id_token_command, option="--id-token-command"),
        audience=parsed.audience,
        isolated=False,
        needs_pipeline=True,
        keeps_events=False,
    )
    masks = masks_of(os.environ, sys.stderr.fileno())  # stdout is the command's own
    with (
        Foreground() as foreground,
        OidcSession(options, redactor=Redactor(told_to(masks))) as session,
        session.events.subscribed(_tell),
    ):
        for warning in session.context.warnings:
            sys.stderr.write(f"tfoidc: {warning}\n")
        return run_command(parsed.command, session.environment, foreground)


def _tell(event: Event) -> None:
    """Say beside the command's own words why its tokens do not come."""
    said = ""
    if isinstance(event, IdTokenFetchFailed):
        said = event.reason
    elif isinstance(event, IdTokenRefused):
        said = f"No ID token: HTTP {event.status}: {event.reason}"
    elif isinstance(event, ExchangeRefused):
        said = f"No access token: {event.code}: {event.reason}"
    elif isinstance(event, RequestTokenExpiring):
        when = f"{event.expires_at:%H:%M:%S} UTC"
        said = f"The request token expires at {when}. {event.consequence}"
    if said:
        sys.stderr.write(f"tfoidc: {harmless(Redactor().redact(said))}\n")


def _doctor(parsed: argparse.Namespace) -> int:
    from pytest_tfoidc.doctor.repository import examine, render, render_json  # noqa: PLC0415 - heavy

    report = examine(
        Path(parsed.path),
        environment=dict(os.environ),
        wanted=parsed.context,
        executable=parsed.tf_executable,
    )
    sys.stdout.write(render_json(report) if parsed.json else render(report))
    return report.exit_code


def run_command(
    command: Sequence[str], environment: Mapping[str, str], foreground: Foreground | None = None
) -> int:
    """Run a command as if it had been started instead of us, and return its exit code.

    Args:
        command: The program and its arguments.
        environment: Its whole environment.
        foreground: What takes signals already, before the command and after it.

    Raises:
        UsageError: It cannot be started.
    """
    with contextlib.ExitStack() as stack:
        taking = foreground or stack.enter_context(Foreground())
        try:
            return taking.run(command, environment)
        except OSError as error:
            raise UsageError(
                f"{command[0]} cannot be started.",
                cause=error.strerror or str(error),
                remedy="Put the command behind `--`, as in: tfoidc mock -- terraform init",
            ) from error


if __name__ == "__main__":
    sys.exit(main())
