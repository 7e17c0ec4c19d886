"""What one pytest run shares: its settings, and the session, started when it is first needed."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_tfoidc.clock import format_duration
from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.options import DEFAULT_DELAY, Settings, settings_of

if TYPE_CHECKING:
    from pytest_tfoidc.reporting.summary import Evidence
    from pytest_tfoidc.session import OidcClock, OidcSession
    from pytest_tfoidc.terraform.backend import Inputs
    from pytest_tfoidc.terraform.module import RootModule
    from pytest_tfoidc.terraform.workspace import Workspace


class PytestRun:
    """The settings, the session, and what was shown for each module.

    Args:
        settings: What the user asked for.
        root: The folder that modules are named relative to.
        live_run: The name of a live run, in a worker of pytest-xdist: its part of the whole.
    """

    def __init__(self, settings: Settings, *, root: Path, live_run: str = "") -> None:
        self.settings = settings
        self._live_run = live_run
        self.root = root
        self.kept: list[Path] = []
        self.cleanup = contextlib.ExitStack()
        self._session: OidcSession | None = None
        self._live: list[str] = []

    @property
    def session(self) -> OidcSession:
        """The session; started by the first who asks.

        Raises:
            TfOidcError: It cannot be started.
        """
        if self._session is None:
            from pytest_tfoidc.session import OidcSession, SessionOptions  # noqa: PLC0415 - heavy

            settings = self.settings
            session = OidcSession(
                SessionOptions(
                    context=settings.context,
                    executable=settings.executable,
                    relay=settings.relay,
                    timeout=settings.timeout,
                    allowed_hosts=settings.allowed_hosts,
                    id_token_command=settings.id_token_command,
                    audience=settings.audience,
                    live_state=settings.live_state,
                    live_run=self._live_run,
                    allowed_subscriptions=settings.allowed_subscriptions,
                )
            )
            session.start()
            self._session = session
        return self._session

    def require_readable_modules(self) -> None:
        """Read the modules under test, so that a mistake in one is told once and not by each item.

        In a live context what it may touch is looked at as well.

        Raises:
            TfOidcError: A module cannot be read, or may not be deployed from here.
        """
        for module in self._modules.values():
            module.local_modules()
        session = self.session
        session.require_allowed_subscriptions(self._modules.values())
        if session.live_states is not None and (self.settings.checks or self.settings.upgrades):
            self._live = session.describe_live(self._modules, self.inputs())

    @functools.cached_property
    def _modules(self) -> dict[str, RootModule]:
        """The modules under test, as their files describe them, by their names."""
        from pytest_tfoidc.terraform.module import read_module  # noqa: PLC0415 - heavy

        return {self.name_of(module): read_module(module) for module in self.settings.modules}

    def notices(self) -> list[str]:
        """Say what came up while the tests ran: a request token that is about to die."""
        if self._session is None:
            return []
        from pytest_tfoidc.events import RequestTokenExpiring  # noqa: PLC0415 - not in every run

        return [
            f"The request token expires at {e.expires_at:%H:%M:%S} UTC. {e.consequence}"
            for e in self._session.events.of(RequestTokenExpiring)
        ]

    def close(self) -> None:
        """Undo what asked for it in `cleanup`, and close the session, if there is one."""
        try:
            self.cleanup.close()
        finally:
            session, self._session = self._session, None
            if session is not None:
                session.stop()

    def header(self) -> list[str]:
        """Say which Terraform and which context this is, and what was noticed about them."""
        from pytest_tfoidc.events import VariableWithheld  # noqa: PLC0415 - not in every run

        session = self.session
        names = [e.name for e in session.events.of(VariableWithheld) if e.name in os.environ]
        withheld = [f"tfoidc: withheld from Terraform: {', '.join(names)}"] if names else []
        longest = self.longest_delay
        limit = (
            f"No real delay is longer than {format_duration(longest)}."
            if longest is not None
            else ""
        )
        told = (*self._live, *self._findings(), *session.notes, limit)
        notes = [f"tfoidc: {note}" for note in told if note]
        return [f"tfoidc: {session.describe()}", *withheld, *notes]

    def _findings(self) -> list[str]:
        """Say what the doctor finds in a live environment, and what our own does not mend."""
        from pytest_tfoidc.identity.doctor import NEUTRALISED, examine_environment  # noqa: PLC0415 - as above

        session, settings = self.session, self.settings
        if not session.is_live:
            return []
        examined = examine_environment(
            session.options.environment,
            now=session.clock.now(),
            wanted=settings.context,
            id_token_command=settings.id_token_command,
        )
        return [one.summary for one in examined.findings if one.id not in NEUTRALISED]

    @property
    def delay(self) -> float:
        """The delay between plan and apply, in seconds; 0 in a live context that was not told."""
        if self.settings.delay is not None:
            return self.settings.delay.total_seconds()
        return 0.0 if self.session.is_live else DEFAULT_DELAY.total_seconds()

    @property
    def longest_delay(self) -> timedelta | None:
        """How long a real delay may be; None where there is no limit, or nothing really waits.

        In a rehearsal `--tf-delay` is the limit for all: its tokens live for seconds, too.
        """
        if not self.session.is_live:
            return None
        if self.settings.longest_delay is None and self.session.context.stand_in:
            return self.settings.delay
        return self.settings.longest_delay

    def name_of(self, module: Path) -> str:
        """Name a module as item ids do."""
        return os.path.relpath(module, self.root).replace(os.sep, "/")

    def module_of(self, path: Path) -> Path | None:
        """Give the module under test that a path lies in, the innermost one."""
        around = [module for module in self.settings.modules if path.is_relative_to(module)]
        return max(around, key=lambda module: len(module.parts), default=None)

    def inputs(self) -> Inputs:
        """Give the variables and the backend configuration of every workspace."""
        from pytest_tfoidc.terraform.backend import Inputs  # noqa: PLC0415 - heavy

        settings = self.settings
        return Inputs(
            variables=settings.variables,
            variable_files=settings.variable_files,
            backend=dict(settings.backend_config),
            backend_files=settings.backend_files,
        )

    @contextlib.contextmanager
    def workspace(self, module: Path, *, item: str = "") -> Iterator[Workspace]:
        """Yield a workspace that is cleaned up at the end, with the user's inputs.

        Args:
            module: The root module's folder.
            item: The test that it is for; in a live context its state is named after it.
        """
        with self.session.cleaned_workspace(
            module,
            inputs=self.inputs(),
            keep=self.settings.keep,
            item=item,
            on_kept=self.kept.append,
        ) as workspace:
            yield workspace

    @contextlib.contextmanager
    def recorded(self, item: pytest.Item | pytest.Collector, module: Path) -> Iterator[None]:
        """Isolate an item or a file, and keep what its events show."""
        from pytest_tfoidc.reporting.summary import Evidence, evidence_of  # noqa: PLC0415 - heavy

        session, started = self.session, time.perf_counter()
        mark = session.events.mark()
        try:
            with session.isolated():
                yield
        finally:
            real = time.perf_counter() - started
            shown = evidence_of(session.events.since(mark), real=real)
            module_name, before = item.stash.get(EVIDENCE, (self.name_of(module), Evidence()))
            item.stash[EVIDENCE] = (module_name, before + shown)


def tell_worker(config: pytest.Config, workerinput: dict[str, object]) -> None:
    """Tell a worker of pytest-xdist the name of the live run that it is a part of."""
    run = config.stash[RUN]
    if run.settings.modules and run.session.live_states is not None:
        workerinput[LIVE_RUN] = run.session.live_states.run


def clock_of(config: pytest.Config) -> OidcClock:
    """Give the clock as tests use it.

    It tells the terminal of real delays, and skips a test that asks a live context for what only a
    simulation can do.
    """
    from pytest_tfoidc.session import OidcClock  # noqa: PLC0415 - heavy

    def refuse(error: TfOidcError) -> NoReturn:
        pytest.skip(error.what)

    run = config.stash[RUN]
    return OidcClock(
        run.session,
        heartbeat=lambda left: _beat(config, left),
        refuse=refuse,
        longest=run.longest_delay,
    )


def _beat(config: pytest.Config, left: float) -> None:
    """Say past pytest's capture how much of a real delay is left."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return  # a worker of pytest-xdist has no terminal
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        reporter.ensure_newline()
        reporter.write_line(f"tfoidc: waiting, {format_duration(timedelta(seconds=left))} left")


LIVE_RUN = "tfoidc_live_run"  # what the workers of pytest-xdist are told
REPORT_KEY = "tfoidc"  # pytest-xdist carries a report's attributes along
RUN = pytest.StashKey[PytestRun]()
EVIDENCE = pytest.StashKey["tuple[str, Evidence]"]()


def configure(config: pytest.Config) -> None:
    """Read the settings and make the run.

    Raises:
        pytest.UsageError: An option cannot be used as it was given.
    """
    worker = getattr(config, "workerinput", {})
    live_run = f"{worker[LIVE_RUN]}-{worker['workerid']}" if worker.get(LIVE_RUN) else ""
    with usage_errors():
        run = PytestRun(settings_of(config), root=config.rootpath, live_run=live_run)
    config.stash[RUN] = run
    config.pluginmanager.register(EvidenceReport(run), "tfoidc-evidence")


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn our errors into pytest's: one message, exit code 4, no traceback."""
    try:
        yield
    except TfOidcError as error:
        raise pytest.UsageError(f"tfoidc: {error}") from error


def show_stand_in(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let a failed test that uses the stand-in show what there is, and what was asked for."""
    uses_it = "mock_issuer" in getattr(item, "fixturenames", ())
    if uses_it and report.when == "call" and report.failed:
        session = item.config.stash[RUN].session
        if session.mock is not None:
            dump = session.redactor.redact(session.mock.dump())
            report.sections.append(("stand-in for Azure", dump))


class EvidenceReport:
    """Gathers what the items have shown, in workers too, and writes it at the end.

    Args:
        run: The run that it belongs to.
    """

    def __init__(self, run: PytestRun) -> None:
        self._run = run
        self._shown: dict[str, Evidence] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a report brings along."""
        brought = getattr(report, REPORT_KEY, None)
        if brought is not None:
            from pytest_tfoidc.reporting.summary import Evidence  # noqa: PLC0415 - not in every run

            values = dict(brought)
            module = values.pop("module")
            self._shown[module] = self._shown.get(module, Evidence()) + Evidence(**values)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a section for each module, and where the workspaces are that were kept."""
        for module, evidence in self._shown.items():
            from pytest_tfoidc.reporting.summary import summary_lines  # noqa: PLC0415 - as above

            terminalreporter.section(f"OIDC: {module}", sep="-")
            for line in summary_lines(evidence):
                terminalreporter.line(line)
        for path in self._run.kept:
            terminalreporter.line(f"tfoidc: workspace kept: {path}")
        for line in self._run.notices():
            terminalreporter.line(f"tfoidc: {line}")
