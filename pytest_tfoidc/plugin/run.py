"""One pytest run: its settings, and the session, which is started when it is first needed."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_tfoidc.clock import format_duration, real_seconds
from pytest_tfoidc.diagnostics import few
from pytest_tfoidc.errors import TfOidcError, UsageError
from pytest_tfoidc.masking import masks_of, told_to
from pytest_tfoidc.plugin.beforehand import DraftReport, UserExisting
from pytest_tfoidc.plugin.options import DEFAULT_DELAY, Settings, settings_of
from pytest_tfoidc.plugin.stopping import SWEEP, Stopping
from pytest_tfoidc.plugin.watching import Watching
from pytest_tfoidc.secretnames import secrets_in

if TYPE_CHECKING:
    from pytest_tfoidc.events import Event
    from pytest_tfoidc.prospect import Prospect
    from pytest_tfoidc.redaction import Redactor
    from pytest_tfoidc.reporting.summary import Evidence
    from pytest_tfoidc.session import OidcClock, OidcSession, SessionOptions
    from pytest_tfoidc.terraform.backend import Inputs
    from pytest_tfoidc.terraform.executable import Executable
    from pytest_tfoidc.terraform.live.deployed import Remains
    from pytest_tfoidc.terraform.live.ledger import Entry
    from pytest_tfoidc.terraform.module import RootModule
    from pytest_tfoidc.terraform.workspace import Workspace

SECRETS = "pytest_tfoidc.identity.secret"  # where they are made, by whoever has imported it
MOST_REPEATED = 3  # lines of a failure that another item has told already
MOST_LEFTOVERS = 5  # of earlier runs, in the header


class PytestRun:
    """The settings, the session, and what was shown for each module.

    Args:
        settings: What the user asked for.
        root: The folder that modules are named relative to.
        config: pytest's configuration.
        live_run: The name of a live run, in a worker of pytest-xdist: its part of the whole.
        masks_to: The file descriptor that a pipeline's agent reads.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        root: Path,
        config: pytest.Config,
        live_run: str = "",
        masks_to: int = 1,
    ) -> None:
        self.settings = settings
        self._live_run = live_run
        self._slots_folder: str | None = None
        self.root = root
        self.kept: list[Path] = []
        self._masks = masks_of(os.environ, masks_to)
        self._redactor: Redactor | None = None
        self.commands: set[str] = set()  # lines of ours that a pipeline's agent obeys
        if settings.modules or any(secrets_in(os.environ)):
            _ = self.redactor
        self.cleanup = contextlib.ExitStack()
        self.stopping = Stopping(config, remains=self.remains, sweep=lambda: self.sweep_command)
        self._variables = _terraform_variables()
        self._session: OidcSession | None = None
        self._config = config
        self.user_existing: UserExisting | None = None
        self.watching: Watching | None = None
        self._live: list[str] = []
        self._heard: list[Event] = []  # by pytest-xdist's workers
        self._told: dict[str, str] = {}  # who told it first, by what it was
        self._repeatable: dict[
            str, tuple[str, str]
        ] = {}  # what it was, and in short, by who tells it

    @property
    def redactor(self) -> Redactor:
        """Knows what must not be shown; made by the first who has something to hide."""
        if self._redactor is None:
            from pytest_tfoidc.redaction import Redactor  # noqa: PLC0415 - heavy

            self._redactor = Redactor(told_to(self._masks))
            self._redactor.know(*secrets_in(os.environ))
        return self._redactor

    @property
    def is_hiding(self) -> bool:
        """Whether there is anything to hide: what leaves a run that is not ours stays as it is."""
        return self._redactor is not None or SECRETS in sys.modules

    @property
    def session(self) -> OidcSession:
        """The session; started by the first who asks.

        Raises:
            TfOidcError: It cannot be started.
        """
        if self._session is None:
            from pytest_tfoidc.session import OidcSession  # noqa: PLC0415 - heavy

            session = OidcSession(self._session_options(), redactor=self.redactor)
            if self.watching is not None:
                self.cleanup.enter_context(session.events.subscribed(self.watching.notice))
            session.start()
            self._session = session
            self.stopping.take_signals(session.ending)
            try:
                self._set_up(session)
            except BaseException:
                self._session = None
                session.stop()
                raise
        return self._session

    @functools.cached_property
    def _prospect(self) -> Prospect | None:
        """Tell what the session would be, where no test is run here: it is not started then.

        Raises:
            TfOidcError: There is no Terraform.
        """
        settings = self.settings
        needs_session = settings.existing or settings.identities or settings.sweep
        if self._session is not None or needs_session or not _runs_no_test(self._config):
            return None
        from pytest_tfoidc.prospect import prospect_of  # noqa: PLC0415 - heavy

        return prospect_of(
            os.environ,
            context=settings.context,
            executable=settings.executable,
            relay=settings.relay,
            test_directory=settings.test_directory,
        )

    @property
    def executable(self) -> Executable:
        """The Terraform to run.

        Raises:
            TfOidcError: There is none, or the session cannot be started.
        """
        prospect = self._prospect
        return self.session.executable if prospect is None else prospect.executable

    @property
    def is_live(self) -> bool:
        """Whether the ID tokens are a real pipeline's.

        Raises:
            TfOidcError: The session cannot be started.
        """
        return self._prospect is None and self.session.is_live

    def _session_options(self) -> SessionOptions:
        from pytest_tfoidc import session  # noqa: PLC0415 - heavy

        settings = self.settings
        return session.SessionOptions(
            context=settings.context,
            executable=settings.executable,
            relay=settings.relay,
            timeout=settings.timeout,
            allowed_hosts=settings.allowed_hosts,
            id_token_command=settings.id_token_command,
            audience=settings.audience,
            ledger=settings.ledger,
            root=self.root,
            deadline=settings.deadline,
            lock_timeout=settings.lock_timeout,
            strict_identities=settings.strict_identities,
            identities=settings.identities,
            live_state=settings.live_state,
            live_run=self._live_run,
            slots=self._slots(),
            allowed_subscriptions=settings.allowed_subscriptions,
            test_directory=settings.test_directory,
            variables_now=self._variables_now,
        )

    def _slots(self) -> tuple[Path, int] | None:
        """Return the slots that the workers of pytest-xdist on this machine share, if any."""
        folder = Path(getattr(self._config, "workerinput", {}).get(SLOTS, ""))
        number = self.settings.parallel_modules
        return (folder, number) if number and folder.name and folder.is_dir() else None

    def tell_slots(self, workerinput: dict[str, object]) -> None:
        """Tell a worker of pytest-xdist where the slots are."""
        if self.settings.parallel_modules and self._slots_folder is None:
            self._slots_folder = tempfile.mkdtemp(prefix="tfoidc-slots-")
            self.cleanup.callback(shutil.rmtree, self._slots_folder, ignore_errors=True)
        if self._slots_folder is not None:
            workerinput[SLOTS] = self._slots_folder

    def _variables_now(self) -> dict[str, str | None]:
        """Say which TF_VAR_… a test has set, changed or removed."""
        before, now = self._variables, _terraform_variables()
        names = {*before, *now}
        return {name: now.get(name) for name in names if before.get(name) != now.get(name)}

    def remains(self) -> tuple[Remains, ...]:
        """List what this run and its workers have deployed, and not destroyed yet."""
        from pytest_tfoidc.terraform.live.deployed import notes  # noqa: PLC0415 - not in every run

        is_live = self._session is not None and self._session.is_live
        return notes(os.getpid()) if is_live or self.stopping.is_controller else ()

    def told_once(self, text: str, *, item: str, about: str = "") -> str:
        """Return a failure's text; its first line alone where another item has told the rest.

        Args:
            text: The failure, in full.
            item: The id of the item that failed.
            about: What two failures have in common that are the same; empty for the text.
        """
        lines = text.splitlines()
        key = hashlib.sha256((lines[0] + (about or text)).encode("utf-8", "replace")).hexdigest()
        first = self._told.setdefault(key, item)
        if len(lines) <= MOST_REPEATED:
            return text
        where = [line for line in lines if line.startswith("Where: ")][:1]
        self._repeatable[item] = (key, "\n".join([lines[0], *where]))
        return text if first == item else as_told(self._repeatable[item][1], first)

    def carry_told(self, report: pytest.TestReport) -> None:
        """Let a failure that others may have told travel with what is told of it then."""
        key, short = self._repeatable.get(report.nodeid, ("", ""))
        if key and report.failed:
            setattr(report, TOLD_KEY, (key, self.redactor.redact(short)))

    def _set_up(self, session: OidcSession) -> None:
        """Put there what the settings say is there beforehand; a live context has its own."""
        settings = self.settings
        if not settings.existing or not session.context.stand_in:
            return
        from pytest_tfoidc.existing import (  # noqa: PLC0415 - heavy
            parse_beforehand,
            set_up,
            set_up_rehearsed,
        )

        beforehand = parse_beforehand(settings.existing, base=settings.existing_base)
        if session.mock is not None:
            set_up(session, beforehand)
        else:
            set_up_rehearsed(session, beforehand)

    def require_readable_modules(self) -> None:
        """Read the modules under test, so that a mistake in one is told once and not by each item.

        Raises:
            TfOidcError: A module cannot be read.
        """
        for module in self._modules.values():
            module.local_modules()
        self._require_known_names()

    def _require_known_names(self) -> None:
        """Refuse entries of pyproject.toml for a module that is neither tested nor there at all."""
        from pytest_tfoidc.terraform.values import no_such  # noqa: PLC0415 - heavy

        pyproject, settings = self._config.rootpath / "pyproject.toml", self.settings
        named = [one.modules for one in settings.allowances]
        for names in (*named, *(one.modules for one in settings.upgrades)):
            for name in names:
                if name not in self._modules and not (self.root / name).is_dir():
                    unknown = no_such("module", name, self._modules)
                    raise UsageError(
                        unknown.what,
                        where=f"{pyproject}, `modules`",
                        cause=f"it is no folder, and this run tests {few(tuple(self._modules))}",
                        remedy=unknown.remedy or "Name a module as the ids of its items do.",
                    )

    def look_ahead(self) -> None:
        """Find out what a live run will touch; that may have to be asked for.

        Raises:
            TfOidcError: A module may not be deployed from here, or the ledger cannot be read.
        """
        if self._prospect is not None:
            return
        session = self.session
        session.require_allowed_subscriptions(self._modules.values())
        if session.recorder is not None:
            session.recorder.ledger.require_readable()
            needs_states = bool(self.settings.checks or self.settings.upgrades)
            modules, inputs = self._modules, self.inputs()
            self._live = session.describe_live(modules, inputs, needs_states=needs_states)
            if self.sweep_command != SWEEP:
                self._live.append(f"live: if anything is left, `{self.sweep_command}` destroys it")

    @functools.cached_property
    def _modules(self) -> dict[str, RootModule]:
        """The modules under test, as their files describe them, by their names."""
        reader = self._prospect or self.session
        return {self.name_of(m): reader.read_module(m) for m in self.settings.modules}

    def notices(self) -> list[str]:
        """Say what came up while the tests ran: what dies soon, and what a copy is without."""
        if self._session is None and not self._heard:
            return []
        from pytest_tfoidc.reporting.notices import notices  # noqa: PLC0415 - not in every run

        own = () if self._session is None else self._session.events.since()
        return notices([*own, *self._heard])

    def tell_controller(self, output: dict[str, object]) -> None:
        """Let a worker's controller know what the notices are made of.

        Args:
            output: A worker's output, as pytest-xdist has it.
        """
        from pytest_tfoidc.reporting import eventlines, notices  # noqa: PLC0415 - as above

        events = () if self._session is None else self._session.events.since()
        noticed = [event for event in events if isinstance(event, notices.NOTICED)]
        output[NOTICED] = [eventlines.record_of(event, run="") for event in noticed]

    def hear(self, output: Mapping[str, Any]) -> None:
        """Take in what a worker has told at its end."""
        from pytest_tfoidc.reporting.eventlines import event_of  # noqa: PLC0415 - as above

        events = (event_of(record) for record in output.get(NOTICED, ()))
        self._heard += [event for event in events if event is not None]

    def close(self) -> None:
        """Undo what asked for it in `cleanup`, and close the session, if there is one."""
        try:
            self.stopping.close()
            if self.user_existing is not None:
                self.user_existing.close()
            self.cleanup.close()
        finally:
            session, self._session = self._session, None
            if session is not None:
                session.stop()
            masks, self._masks = self._masks, None
            if masks is not None:
                masks.close()

    def describe(self) -> None:
        """Let the files of events say which Terraform and which context this is."""
        if self.watching is not None:
            self.watching.describe((self._prospect or self.session).describe())

    def header(self) -> list[str]:
        """Say which Terraform and which context this is, and what was noticed about them."""
        if self._prospect is not None:
            told = (self._prospect.describe(), *self._prospect.notes)
            return [f"tfoidc: {line}" for line in told]
        from pytest_tfoidc.events import VariableWithheld  # noqa: PLC0415 - not in every run

        session = self.session
        names = [e.name for e in session.events.of(VariableWithheld) if e.name in os.environ]
        withheld = [f"tfoidc: note: withheld from Terraform: {', '.join(names)}"] if names else []
        longest = self.longest_delay
        limit = (
            f"No real delay is longer than {format_duration(longest)}."
            if longest is not None
            else ""
        )
        beforehand = (
            "--tf-existing counts on the stand-in only: in a live context Azure has what it has."
            if self.settings.existing and not session.context.stand_in
            else ""
        )
        told = (
            *self._live,
            *self._findings(),
            *session.notes,
            limit,
            beforehand,
            *self._leftovers(),
        )
        notes = [f"tfoidc: {note}" for note in told if note]
        return [f"tfoidc: {session.describe()}", *withheld, *notes]

    def _findings(self) -> list[str]:
        """Say what the doctor finds in a live environment, and what our own does not mend."""
        session, settings = self.session, self.settings
        if not session.is_live:
            return []
        from pytest_tfoidc.doctor.environment import NEUTRALISED, examine_environment  # noqa: PLC0415 - as above

        examined = examine_environment(
            session.options.environment,
            now=session.clock.now(),
            wanted=settings.context,
            id_token_command=settings.id_token_command,
        )
        return [one.summary for one in examined.findings if one.id not in NEUTRALISED]

    def sweep(self, tell: Callable[[str], None]) -> None:
        """Destroy what earlier runs have left, where that was asked for (--tf-sweep).

        Raises:
            TfOidcError: The ledger cannot be read.
        """
        if not self.settings.sweep or not self.session.is_live:
            return
        from pytest_tfoidc.sweeping import SweepOptions, sweep  # noqa: PLC0415 - not in every run

        options = SweepOptions(ledger=self.ledger, root=self.root, inputs=self.inputs())
        try:
            outcomes = sweep(self.session, options, tell=tell)
        except KeyboardInterrupt:
            tell(f"the sweep was not ended: `{self.sweep_command}` goes on from there")
            raise
        for outcome in outcomes:
            if outcome.status != "destroyed":
                tell(str(outcome))

    @property
    def ledger(self) -> Path:
        """The folder of the ledger."""
        from pytest_tfoidc.terraform.live.ledger import FOLDER  # noqa: PLC0415 - not in every run

        return self.settings.ledger or self.root / FOLDER

    def _leftovers(self) -> list[str]:
        """Say what earlier runs have left of the modules under test, and how it is removed."""
        if not self.session.is_live:
            return []
        from pytest_tfoidc.terraform.live.ledger import Damaged, Ledger  # noqa: PLC0415 - as above

        modules = {self.name_of(module) for module in self.settings.modules}
        found = Ledger(self.ledger).entries()
        left = [one for one in found if isinstance(one, Damaged) or one.module in modules]
        free = [one for one in left if self._is_left(one.id)]
        if not free:
            return []
        shown = [f"left by an earlier run: {one}" for one in free[:MOST_LEFTOVERS]]
        rest = len(free) - len(shown)
        more = [f"and {rest} more"] if rest else []
        return [*shown, *more, f"Destroy that with `{self.sweep_command}`, or with --tf-sweep."]

    def _is_left(self, entry_id: str) -> bool:
        """Say whether nobody is at work on an entry."""
        from pytest_tfoidc.terraform.live.ledger import Ledger  # noqa: PLC0415 - as above

        hold = Ledger(self.ledger).lock(entry_id)
        try:
            return hold.acquire()
        except OSError:
            return True
        finally:
            hold.release()

    @property
    def sweep_command(self) -> str:
        """The command that destroys what is left, as it is typed where pytest was started."""
        from pytest_tfoidc.terraform.live.ledger import is_ledger_of  # noqa: PLC0415 - not in every run

        here = self._config.invocation_params.dir
        if is_ledger_of(here, self.ledger):
            return SWEEP
        inside = self.ledger.is_relative_to(here)
        shown = self.ledger.relative_to(here) if inside else self.ledger
        return f"{SWEEP} --ledger {shlex.quote(str(shown))}"

    def left(self) -> list[str]:
        """Say what this run leaves, where its state is, and how it is removed."""
        if self._session is None or not self._session.is_live:
            return []
        from pytest_tfoidc.terraform.live.ledger import Entry, Ledger, LedgerError  # noqa: PLC0415 - not in every run

        recorder = self._session.recorder
        try:
            found = Ledger(self.ledger).entries()
        except LedgerError as error:  # somebody has changed it meanwhile
            return [f"what is left cannot be told: {line}" for line in str(error).splitlines()[:3]]
        entries = [
            one
            for one in found
            if isinstance(one, Entry) and recorder is not None and one.run == recorder.facts.run
        ]
        if not entries:
            return []
        return [
            *(_left(one) for one in entries),
            f"Remove it: {self.sweep_command}",
        ]

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
        name = os.path.relpath(module, self.root).replace(os.sep, "/")
        return module.name or name if name == "." else name

    def module_of(self, path: Path) -> Path | None:
        """Return the module under test that a path lies in, the innermost one."""
        around = [module for module in self.settings.modules if path.is_relative_to(module)]
        return max(around, key=lambda module: len(module.parts), default=None)

    def inputs(self) -> Inputs:
        """Return the variables and the backend configuration of every workspace."""
        from pytest_tfoidc.terraform.backend import Inputs  # noqa: PLC0415 - heavy

        settings = self.settings
        return Inputs(
            variables=settings.variables,
            variable_files=settings.variable_files,
            backend=dict(settings.backend_config),
            backend_files=settings.backend_files,
            apply_environment=self._apply_environment(),
        )

    def inputs_of_test(
        self,
        folder: Path,
        *,
        variables: Mapping[str, object],
        variable_files: Iterable[str | Path] = (),
        backend: Mapping[str, object] = MappingProxyType({}),
    ) -> Inputs:
        """Return the inputs of every workspace, and over them those of one test.

        Args:
            folder: What the paths of the files are relative to.
            variables: Values of any type.
            variable_files: Files of variables.
            backend: Backend configuration.

        Raises:
            UsageError: There is no such file.
        """
        from pytest_tfoidc.terraform.variablesfile import set_in  # noqa: PLC0415 - heavy

        files = tuple((folder / file).resolve() for file in variable_files)
        for file in files:
            if not file.is_file():
                raise UsageError(
                    "There is no such file of variables.",
                    where=str(file),
                    remedy="Correct the path; it is relative to the folder of the test.",
                )
        given = self.inputs()
        nearer = set_in(files)  # a test's own files win over the command line's variables
        own = {name: _as_config(value) for name, value in backend.items()}
        return dataclasses.replace(
            given,
            variables=tuple(v for v in given.variables if v.partition("=")[0] not in nearer),
            values={**given.values, **variables},
            variable_files=(*given.variable_files, *files),
            backend={**given.backend, **own},
        )

    def _apply_environment(self) -> dict[str, str]:
        from pytest_tfoidc.identity.environment import acting_as  # noqa: PLC0415 - heavy

        other = dict(self.settings.apply_as)
        return acting_as(
            self.session.context,
            client_id=other.get("client", ""),
            connection_id=other.get("connection", ""),
        )

    @contextlib.contextmanager
    def workspace(
        self,
        module: Path,
        *,
        item: str = "",
        has_failed: Callable[[], bool] = bool,
        inputs: Inputs | None = None,
        environment: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Iterator[Workspace]:
        """Yield a workspace that is cleaned up at the end, with the user's inputs.

        Args:
            module: The root module's folder.
            item: The test that it is for; in a live context its state is named after it.
            has_failed: Tells of a failure that the block does not see.
            inputs: What it is given; None for what the options say.
            environment: Variables for Terraform, over those of the session; None takes one away.
        """
        with self.session.cleaned_workspace(
            module,
            inputs=self.inputs() if inputs is None else inputs,
            keep=self.settings.keep,
            item=item,
            environment=environment,
            on_kept=self._note_kept,
            has_failed=has_failed,
        ) as workspace:
            yield workspace

    def close_workspace(self, workspace: Workspace) -> None:
        """Remove a workspace's copy, unless it holds the only way to what is real."""
        self.session.close_workspace(workspace, self._note_kept)

    def _note_kept(self, path: Path) -> None:
        if path not in self.kept:
            self.kept.append(path)

    @contextlib.contextmanager
    def recorded(self, item: pytest.Item | pytest.Collector, module: Path) -> Iterator[None]:
        """Isolate an item or a file, and keep what its events show."""
        from pytest_tfoidc.reporting.summary import Evidence, evidence_of  # noqa: PLC0415 - heavy

        session, started = self.session, real_seconds()
        mark = session.events.mark()
        try:
            with session.isolated():
                if self.user_existing is not None:
                    self.user_existing.enter(item, session)
                mark = session.events.mark()
                yield
        finally:
            real = real_seconds() - started
            shown = evidence_of(session.events.since(mark), real=real)
            module_name, before = item.stash.get(EVIDENCE, (self.name_of(module), Evidence()))
            item.stash[EVIDENCE] = (module_name, before + shown)


def _as_config(value: object) -> str:
    """Return a value of backend configuration as `-backend-config` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _left(entry: Entry) -> str:
    told = f"left: {entry.id}  {entry}"
    return f"{told}: {', '.join(entry.remains)}" if entry.remains else told


def _terraform_variables() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.startswith("TF_VAR_")}


def _runs_no_test(config: pytest.Config) -> bool:
    """Tell whether no test is run in this process: it collects, or pytest-xdist's workers do it."""
    option = config.option
    has_workers = getattr(option, "dist", "no") != "no" and not hasattr(config, "workerinput")
    return bool(option.collectonly or has_workers)


def tell_worker(config: pytest.Config, workerinput: dict[str, object]) -> None:
    """Tell a worker of pytest-xdist the name of the live run that it is a part of."""
    run = config.stash[RUN]
    run.tell_slots(workerinput)
    if run.watching is not None:
        run.watching.tell_worker(workerinput)
    if run.settings.modules and run.is_live and run.session.live_states is not None:
        workerinput[LIVE_RUN] = run.session.live_states.run


def clock_of(config: pytest.Config) -> OidcClock:
    """Return the clock as tests use it.

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


def teller(config: pytest.Config) -> Callable[[str], None]:
    """Return what writes a line of ours to the terminal, past pytest's capture."""
    reporter = config.pluginmanager.getplugin("terminalreporter")

    def tell(line: str) -> None:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"tfoidc: {line}")

    return tell


LIVE_RUN, SLOTS = "tfoidc_live_run", "tfoidc_slots"  # what the workers of pytest-xdist are told
NOTICED = "tfoidc_noticed"  # what they tell at their end
TOLD_KEY = "tfoidc_told"  # as the next
REPORT_KEY = "tfoidc"  # pytest-xdist carries a report's attributes along
RUN = pytest.StashKey[PytestRun]()
FAILED = pytest.StashKey[bool]()
EVIDENCE = pytest.StashKey["tuple[str, Evidence]"]()


def configure(config: pytest.Config) -> None:
    """Read the settings and make the run.

    Raises:
        pytest.UsageError: An option cannot be used as it was given.
    """
    worker = getattr(config, "workerinput", {})
    live_run = f"{worker[LIVE_RUN]}-{worker['workerid']}" if worker.get(LIVE_RUN) else ""
    with usage_errors():
        run = PytestRun(
            settings_of(config),
            root=config.rootpath,
            config=config,
            live_run=live_run,
            masks_to=2 if hasattr(config, "workerinput") else 1,
        )
    config.stash[RUN] = run
    config.pluginmanager.register(run.stopping, "tfoidc-stopping")
    run.user_existing = UserExisting(config)
    with usage_errors():
        run.watching = Watching(run, config)
    config.pluginmanager.register(run.watching, "tfoidc-watching")
    if run.settings.existing_draft is not None:
        config.pluginmanager.register(DraftReport(run.settings.existing_draft), "tfoidc-drafts")
    config.pluginmanager.register(EvidenceReport(run), "tfoidc-evidence")
    config.pluginmanager.register(ToldOnce(), "tfoidc-told-once")


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn our errors into pytest's: one message, exit code 4, no traceback."""
    try:
        yield
    except TfOidcError as error:
        raise pytest.UsageError(f"tfoidc: {error}") from error


def as_told(short: str, first: str) -> str:
    """Return what is told of a failure that another item has told in full."""
    return f"{short}\nAs {first}, which tells the rest."


class ToldOnce:
    """Lets what several workers of pytest-xdist have told in full be told by the first alone."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Refer to the first who told the same, before anyone writes it."""
        key, short = getattr(report, TOLD_KEY, ("", ""))
        if not key:
            return
        first = self._told.setdefault(key, report.nodeid)
        if first != report.nodeid:
            from pytest_tfoidc.plugin.representation import reworded  # noqa: PLC0415 - for failures only

            report.longrepr = reworded(report.longrepr, as_told(short, first))


def note_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let fixtures know, when they end, that their test has failed."""
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)


def show_stand_in(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let a failed test that uses the stand-in show what there is, and what was asked for."""
    uses_it = "mock_issuer" in getattr(item, "fixturenames", ())
    if uses_it and report.when == "call" and report.failed:
        session = item.config.stash[RUN].session
        if session.mock is not None:
            dump = session.redactor.clean(session.mock.dump())
            report.sections.append(("stand-in for Azure", dump))


class EvidenceReport:
    """Gathers what the items have shown, in workers too, and writes it at the end.

    Args:
        run: The run that it belongs to.
    """

    def __init__(self, run: PytestRun) -> None:
        self._run = run
        self._shown: dict[str, Evidence] = {}
        self._skipped: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a report brings along, and which checks could not be made."""
        self._note_skipped(report)
        brought = getattr(report, REPORT_KEY, None)
        if brought is not None:
            from pytest_tfoidc.reporting.summary import Evidence  # noqa: PLC0415 - not in every run

            values = dict(brought)
            module = values.pop("module")
            self._shown[module] = self._shown.get(module, Evidence()) + Evidence(**values)

    def _note_skipped(self, report: pytest.TestReport) -> None:
        """Note a check that was skipped, with the reason."""
        module, found, name = report.nodeid.rpartition("::oidc::")
        if found and report.skipped and isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            self._skipped.setdefault(module, []).append(f"{name}: {reason}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write a section for each module, and where the workspaces are that were kept."""
        for module, evidence in self._shown.items():
            from pytest_tfoidc.reporting.summary import (  # noqa: PLC0415 - as above
                skipped_lines,
                summary_lines,
            )

            terminalreporter.section(f"OIDC: {module}", sep="-")
            for line in [*summary_lines(evidence), *skipped_lines(self._skipped.get(module, ()))]:
                terminalreporter.line(line)
        for path in dict.fromkeys([*map(str, self._run.kept), *self._run.stopping.kept]):
            terminalreporter.line(f"tfoidc: workspace kept: {path}")
        words = self._run.stopping.words()
        for line in (*self._run.notices(), *(self._run.left() if not words else ())):
            terminalreporter.line(f"tfoidc: {line}")
        for line in words:
            terminalreporter.line(line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Take in what a worker of pytest-xdist has kept, and what came up there."""
        self._run.stopping.hear(node)
        self._run.hear(getattr(node, "workeroutput", None) or {})
