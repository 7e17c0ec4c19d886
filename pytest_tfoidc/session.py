"""One run: the clock, the context, the relay and the environment, put together.

This is the whole of the plugin without pytest. A local run is the pipeline's path with another
issuer at its end: same context, same relay, same environment, same runner.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from pytest_tfoidc.authvariables import REQUEST_TOKEN
from pytest_tfoidc.clock import (
    VirtualClock,
    parse_duration,
    real_seconds,
    real_sleep,
)
from pytest_tfoidc.ending import Ending
from pytest_tfoidc.errors import ContextError, TfOidcError, UsageError
from pytest_tfoidc.events import ClockMoved, Event, EventLog, TokensExpired, VariableWithheld
from pytest_tfoidc.identity.credential import RefreshingCredential
from pytest_tfoidc.identity.environment import ChildEnvironment, arm_environment
from pytest_tfoidc.identity.pipeline import PipelineContext, detect
from pytest_tfoidc.identity.relay import IdTokenRelay
from pytest_tfoidc.identity.sources import IdTokenSource, NotingSource, source_for
from pytest_tfoidc.identity.state_blobs import StateBlobs
from pytest_tfoidc.identity.subscription import subscription_name
from pytest_tfoidc.mockazure.directory import Identities, home_of, parse_identities
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.pipelinekinds import AZURE_DEVOPS
from pytest_tfoidc.prospect import (
    ACCESS_TOKEN_LIFETIME,
    ID_TOKEN_LIFETIME,
    REPLACED,
    describe_stand_in,
)
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.secretnames import secrets_in
from pytest_tfoidc.terraform.backend import NO_INPUTS, BackendChoice, Inputs
from pytest_tfoidc.terraform.cliconfig import with_absolute_paths_inside
from pytest_tfoidc.terraform.copies import MOST_SPARE, Copies
from pytest_tfoidc.terraform.executable import OPENTOFU, Executable, find_executable
from pytest_tfoidc.terraform.initialised import Initialised
from pytest_tfoidc.terraform.live.deadlines import deadline_of
from pytest_tfoidc.terraform.live.guard import StateStore
from pytest_tfoidc.terraform.live.ledger import FOLDER, Ledger
from pytest_tfoidc.terraform.live.recording import Facts, Recorder
from pytest_tfoidc.terraform.live.scope import (
    NamedSubscription,
    no_subscription,
    require_allowed,
    written_in,
)
from pytest_tfoidc.terraform.live.state import (
    AZURERM,
    ISOLATED,
    LiveStateError,
    LiveStates,
    StatePlace,
    held_by,
)
from pytest_tfoidc.terraform.module import RootModule, read_module
from pytest_tfoidc.terraform.paths import prepare_log, with_absolute_paths
from pytest_tfoidc.terraform.settings import terraform_environment
from pytest_tfoidc.terraform.slots import Slots
from pytest_tfoidc.terraform.workspace import Workspace, WorkspaceSetting

STANDIN_BACKEND = MappingProxyType(
    {
        "storage_account_name": "tfoidcstandin",
        "container_name": "tfstate",
        "key": "terraform.tfstate",
        "use_azuread_auth": "true",
    }
)
HEARTBEAT_SECONDS = 30.0
LOCK_TIMEOUT = re.compile(r"(?<!\S)-{1,2}lock-timeout[= ]([\w.]+)")
REHEARSAL = "TFOIDC_REHEARSAL"  # set by `tfoidc mock --pipeline`: Azure is the stand-in there


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How to run.

    Args:
        context: auto, mock or the kind of a pipeline.
        executable: The Terraform to run: a path, a name or `embedded`.
        relay: False hands the pipeline's own URL and token to Terraform.
        timeout: Of one command, in seconds.
        allowed_hosts: What the stand-in's proxy lets through besides the registries.
        id_token_lifetime: On the stand-in.
        access_token_lifetime: On the stand-in.
        id_token_command: The user's own command that prints an ID token.
        audience: What the federated credential expects, where it is not the usual.
        isolated: False leaves the variables that change Terraform's commands to the child.
        needs_pipeline: Refuse to fall back to the stand-in where this is no pipeline.
        strict_identities: Refuse what nobody made and `identities` does not list, as Azure does.
        identities: What may be used on the stand-in, as KIND=ID.
        keeps_events: False for what runs for days: events are told to subscribers only.
        live_state: Where a live test's state is: `isolated`, or `own` for the module's own place.
        live_run: The name of a live run, where somebody has chosen it already.
        allowed_subscriptions: The only ones that a live run may touch; empty for any.
        environment: The outer environment.
        ledger: The folder of the ledger of live contexts; None for `.tfoidc` in `root`.
        root: What the ledger names modules relative to; None for the current folder.
        deadline: How long the whole run may take.
        lock_timeout: How long to wait for a locked state, as Terraform's -lock-timeout.
        test_directory: The folder of a module's test files.
        started: Where the user started: what relative paths in the environment are relative to.
        slots: A folder, and how many processes that share it may deploy or destroy at once.
        variables_now: Tells which TF_VAR_… have changed since then; None for what is gone.
    """

    context: str = "auto"
    executable: str | None = None
    relay: bool = True
    timeout: float | None = None
    allowed_hosts: tuple[str, ...] = ()
    ca_file: Path | None = None
    id_token_lifetime: timedelta = ID_TOKEN_LIFETIME
    access_token_lifetime: timedelta = ACCESS_TOKEN_LIFETIME
    id_token_command: tuple[str, ...] = ()
    audience: str | None = None
    isolated: bool = True
    needs_pipeline: bool = False
    strict_identities: bool = False
    identities: tuple[str, ...] = ()
    keeps_events: bool = True
    live_state: str = ISOLATED
    live_run: str = ""
    allowed_subscriptions: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    ledger: Path | None = None
    root: Path | None = None
    deadline: timedelta | None = None
    lock_timeout: str = ""
    test_directory: str = "tests"
    started: Path = field(default_factory=Path.cwd)
    slots: tuple[Path, int] | None = None
    variables_now: Callable[[], Mapping[str, str | None]] = dict


@dataclass
class Pause:
    """Where something stopped that is to go on: what the stand-in held, and the clock's offset."""

    held: tuple[object, ...] | None = None
    offset: timedelta = timedelta()


class OidcSession:
    """Everything that a run shares; a context manager.

    Args:
        options: How to run.
        redactor: Knows the secrets of more than this session.

    Raises:
        TfOidcError: From `start`: no usable context, no Terraform, no port.
    """

    def __init__(self, options: SessionOptions, *, redactor: Redactor | None = None) -> None:
        self.options = options
        self.clock = VirtualClock()
        self.deadline = deadline_of(options.deadline, options.environment)
        self.events = EventLog(keeps=options.keeps_events)
        self.redactor = redactor if redactor is not None else Redactor()
        self.redactor.know(*secrets_in(options.environment))
        self.mock: MockAzure | None = None
        self.relay: IdTokenRelay | None = None
        self.notes: tuple[str, ...] = ()
        self._cleanup = contextlib.ExitStack()
        self._initialised = Initialised()
        self._copies = Copies(most_spare=MOST_SPARE)
        self._isolations = 0
        self.context: PipelineContext
        self.source: IdTokenSource
        self.credential: RefreshingCredential
        self.environment: Mapping[str, str]

    def start(self) -> None:
        """Find out where we run, and open what that needs."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.clock.reset)
            outer = self._outer_environment(stack)
            self._start_identity(stack)
            self.environment, self.notes = self._child_environment(outer, stack)
            self._cleanup = stack.pop_all()

    def stop(self) -> None:
        """Close everything that `start` opened."""
        self._initialised.close()
        self._copies.close()
        self._cleanup.close()

    def __enter__(self) -> OidcSession:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _outer_environment(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Return the pipeline's environment: the real one, or the one that the stand-in makes."""
        options = self.options
        outer = dict(options.environment)
        found = self._detected(outer)
        if found is not None:
            self.context = dataclasses.replace(found, stand_in=REHEARSAL in outer)
            return outer
        self.mock = MockAzure(
            clock=self.clock,
            events=self.events,
            environment=outer,
            id_token_lifetime=options.id_token_lifetime,
            access_token_lifetime=options.access_token_lifetime,
            allowed_hosts=options.allowed_hosts,
            ca_file=options.ca_file,
            directory=home_of(outer, named=self._identities()),
        )
        stack.enter_context(self.mock)
        kind = AZURE_DEVOPS
        outer = {**_without_pipeline(outer), **self.mock.pipeline_environment(kind)}
        context = detect(outer, wanted=kind)
        assert context is not None  # noqa: S101 - for mypy: it is what the stand-in made
        self.context = dataclasses.replace(context, stand_in=True)
        return outer

    def _identities(self) -> Identities:
        options = self.options
        return parse_identities(
            options.identities, strict=options.strict_identities, where="--tf-identity"
        )

    def _detected(self, outer: Mapping[str, str]) -> PipelineContext | None:
        """Return the pipeline that this is; None for the stand-in."""
        options = self.options
        if options.context == "mock":
            return None
        found = detect(
            outer,
            wanted=options.context,
            id_token_command=options.id_token_command,
            audience=options.audience,
        )
        if found is None and options.needs_pipeline:
            raise ContextError(
                "This is no pipeline: there is nothing to ask for ID tokens.",
                where="the environment",
                cause="no variable of a pipeline that is known here is set",
                remedy="Run in a pipeline's step, name the context with --context or"
                " --id-token-command, or use the stand-in: tfoidc mock -- COMMAND",
            )
        return found

    def _start_identity(self, stack: contextlib.ExitStack) -> None:
        context = self.context
        self.redactor.add(context.request_token, context.static_token)
        self.source = NotingSource(
            source_for(context, clock=self.clock), notice=self.redactor.hide_passing
        )
        self.credential = RefreshingCredential(
            context=context,
            source=self.source,
            clock=self.clock,
            events=self.events,
            notice=self.redactor.hide_passing,
        )
        stack.enter_context(self.credential)
        if not self.options.relay and not context.request_url:
            raise UsageError(
                f"{context.label} has no URL that Terraform could ask for ID tokens.",
                where="--no-relay",
                cause="only Azure DevOps and GitHub Actions have one",
                remedy="Leave the relay on: it gives Terraform such a URL.",
            )
        if self.options.relay:
            self.relay = IdTokenRelay(
                source=self.source,
                clock=self.clock,
                events=self.events,
                service_connection_id=context.service_connection_id,
                audience=context.audience,
                request_token_expires_at=context.request_token_expires_at,
            )
            stack.enter_context(self.relay)
            self.redactor.add(self.relay.bearer)
        stack.enter_context(self.events.subscribed(self._drop_expired))

    def _drop_expired(self, event: Event) -> None:
        if isinstance(event, TokensExpired) and event.kind == "access":
            self.credential.drop()
        elif isinstance(event, TokensExpired) and self.relay is not None:
            self.relay.drop()

    def _child_environment(
        self, outer: Mapping[str, str], stack: contextlib.ExitStack
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        context, relay = self.context, self.relay
        ready = arm_environment(
            context,
            outer=outer,
            request_url=relay.url if relay else context.request_url or "",
            request_token=relay.bearer if relay else context.request_token or "",
            isolated=self.options.isolated,
            tokens=[self.options.environment.get(name, "") for name in REQUEST_TOKEN],
        )
        for withheld in ready.withheld:
            self.events.emit(
                VariableWithheld(at=self.clock.now(), name=withheld.name, reason=withheld.reason)
            )
        if not self.options.isolated:
            return ready.variables, ()
        started = self.options.started
        placed = with_absolute_paths_inside(
            with_absolute_paths(ready.variables, started),
            started,
            remove=lambda file: stack.callback(file.unlink, missing_ok=True),
        )
        variables, notes = terraform_environment(placed)
        prepare_log(variables)
        if context.stand_in:
            variables["GO_AZURE_SDK_SKIP_POLLING_DELAY"] = "true"
        return ChildEnvironment(variables, added=ready.added), notes

    @functools.cached_property
    def ending(self) -> Ending:
        """How this run ends where somebody asks it to: nothing is real on the stand-in."""
        return Ending(is_real=self.is_live)

    @functools.cached_property
    def executable(self) -> Executable:
        """The Terraform to run.

        Raises:
            ExecutableError: There is none.
        """
        return find_executable(self.options.executable, self.environment)

    @functools.cached_property
    def recorder(self) -> Recorder | None:
        """The recorder that keeps the ledger; None on the stand-in, which nothing outlives."""
        if self.live_states is None:
            return None
        root = self.options.root or Path.cwd()
        facts = Facts(
            run=self.live_states.run,
            root=root,
            context=context_facts(self.context),
        )
        return Recorder(Ledger(self.options.ledger or root / FOLDER), facts=facts, clock=self.clock)

    @property
    def is_live(self) -> bool:
        """Whether the ID tokens are a real pipeline's."""
        return self.mock is None

    def describe(self) -> str:
        """Say in a line which Terraform and which context this is."""
        if self.mock is None:
            where = _live(self.context)
        else:
            where = describe_stand_in(
                self.context.label,
                id_token=self.options.id_token_lifetime,
                access_token=self.options.access_token_lifetime,
            )
        relay = "on" if self.relay else "off"
        return f"{self.executable} | {where} | relay {relay}"

    def read_module(self, path: Path) -> RootModule:
        """Read a module as the Terraform or OpenTofu at hand does.

        Raises:
            TfOidcError: It cannot be read.
        """
        return read_module(
            path,
            opentofu=self.executable.product == OPENTOFU,
            test_directory=self.options.test_directory,
        )

    @functools.cached_property
    def live_states(self) -> LiveStates | None:
        """Derives the state of each test of a live run; None on the stand-in."""
        if not self.is_live:
            return None
        options = self.options
        return LiveStates(options.environment, mode=options.live_state, run=options.live_run)

    @functools.cached_property
    def state_blobs(self) -> StateBlobs:
        """Reads and removes the state objects of the azurerm backend."""
        return StateBlobs(self.credential, context=self.context)

    def require_allowed_subscriptions(self, modules: Iterable[RootModule]) -> None:
        """Make sure that a live run touches no subscription but those that are allowed.

        Raises:
            SubscriptionError: The environment or a provider block names another one, or nobody
                names any.
        """
        allowed = self.options.allowed_subscriptions
        if not self.is_live or not allowed:
            return
        own = self.context.subscription_id
        if own:
            require_allowed([NamedSubscription(own, "ARM_SUBSCRIPTION_ID")], allowed)
        by_module = [list(written_in(module)) for module in modules]
        require_allowed([one for named in by_module for one in named], allowed)
        if not own and not (by_module and all(by_module)):
            raise no_subscription(allowed)

    def describe_live(
        self, modules: Mapping[str, RootModule], inputs: Inputs, *, needs_states: bool = True
    ) -> list[str]:
        """Say what a live run is about to do, a sentence each; nothing on the stand-in.

        Args:
            modules: The modules under test by their names.
            inputs: What the user gives for every backend.
            needs_states: Whether each module needs a state: run blocks keep theirs in memory.

        Raises:
            LiveStateError: A module that needs one can have no state of its own.
        """
        if self.live_states is None:
            return []
        context = self.context
        name = subscription_name(self.credential, context) if context.subscription_id else ""
        where = " ".join(filter(None, (context.subscription_id, f"({name})" if name else "")))
        subscription = f"subscription {where}" if where else "the subscription of its providers"
        told = [f"live: what the tests deploy is created, and destroyed again, in {subscription}"]
        for module_name, module in modules.items():
            state = self._described_state(module, inputs, is_needed=needs_states)
            told.append(f"live: {module_name}: {state}")
        return told

    def _described_state(self, module: RootModule, inputs: Inputs, *, is_needed: bool) -> str:
        assert self.live_states is not None  # noqa: S101 - for mypy: it is a live session
        choice = BackendChoice(module=module, inputs=inputs, standin=self._standin_backend)
        try:
            return self.live_states.describe(choice.type, choice.config())
        except LiveStateError as error:
            if is_needed:
                raise
            return error.what

    @property
    def _standin_backend(self) -> Mapping[str, str] | None:
        return STANDIN_BACKEND if self.context.stand_in else None

    def workspace(
        self,
        module: Path,
        *,
        inputs: Inputs = NO_INPUTS,
        keep: bool = False,
        item: str = "",
        environment: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Workspace:
        """Make an isolated copy of a module.

        Args:
            module: The root module's folder.
            inputs: Variables and backend configuration.
            keep: Leave the copy on disk at the end.
            item: The test that it is for; in a live context its state is named after it.
            environment: Variables for Terraform, over those of the session; None takes one away.

        Raises:
            ModuleError: The module cannot be read or copied, or has no such variable.
            UsageError: A variable has a value that Terraform cannot take.
        """
        setting = self._setting(environment)
        return Workspace(module, setting=setting, inputs=inputs, keep=keep, item=item)

    def setup_workspace(
        self, module: Path, *, inputs: Inputs, key: str = STANDIN_BACKEND["key"]
    ) -> Workspace:
        """Make a copy of a module that is set up on the stand-in and stays.

        Nothing guards it, and no ledger tells of it: what is there beforehand is nobody's to sweep.

        Args:
            module: The root module's folder.
            inputs: Variables and backend configuration.
            key: The name of its state, where neither the module nor the inputs name one.

        Raises:
            ModuleError: The module cannot be read or copied.
        """
        assert self.context.stand_in  # noqa: S101 - nothing else may be deployed and left
        setting = dataclasses.replace(
            self._setting(),
            live_states=None,
            allowed_subscriptions=(),
            state_store=StateStore(),
            standin_backend={**STANDIN_BACKEND, "key": key},
            recorder=None,
        )
        return Workspace(module, setting=setting, inputs=inputs)

    def _setting(self, own: Mapping[str, str | None] = MappingProxyType({})) -> WorkspaceSetting:
        """Return what workspaces share, with variables of the environment that are one's own."""
        self.redactor.know(*secrets_in({k: v for k, v in own.items() if v is not None}))
        environment = {**self.environment, **own}
        return WorkspaceSetting(
            executable=self.executable,
            environment={k: v for k, v in environment.items() if v is not None},
            variables_now=lambda: {
                k: v for k, v in self.options.variables_now().items() if k not in own
            },
            events=self.events,
            clock=self.clock,
            redactor=self.redactor,
            timeout=self.options.timeout,
            standin_backend=self._standin_backend,
            recorder=self.recorder,
            deadline=self.deadline,
            initialised=self._initialised,
            copies=self._copies,
            lock_timeout=self.options.lock_timeout or lock_timeout_of(self.options.environment),
            is_put_back=lambda: self.is_put_back,
            live_states=self.live_states,
            allowed_subscriptions=self.options.allowed_subscriptions if self.is_live else (),
            state_store=AzureStates(self.state_blobs) if self.is_live else StateStore(),
            ending=self.ending,
            slots=Slots(*self.options.slots) if self.options.slots else None,
            test_directory=self.options.test_directory,
            started=self.options.started,
        )

    @contextlib.contextmanager
    def cleaned_workspace(  # noqa: PLR0913 - settings, keyword only
        self,
        module: Path,
        *,
        inputs: Inputs = NO_INPUTS,
        keep: bool = False,
        item: str = "",
        environment: Mapping[str, str | None] = MappingProxyType({}),
        on_kept: Callable[[Path], None] = lambda _path: None,
        has_failed: Callable[[], bool] = bool,
    ) -> Iterator[Workspace]:
        """Yield a workspace; at the end destroy what is still deployed, and remove the copy.

        What cannot be destroyed in a live context keeps its workspace: it holds the way to it.
        Where the block fails and the stand-in is put back after it, nothing is destroyed: it would
        take minutes, and hide the first error behind a second.

        Args:
            module: The root module's folder.
            inputs: Variables and backend configuration.
            keep: Leave the copy on disk at the end.
            item: The test that it is for; in a live context its state is named after it.
            environment: Variables for Terraform, over those of the session; None takes one away.
            on_kept: Is told where a copy is that is left on disk.
            has_failed: Tells of a failure that the block does not see: a test's, in a fixture.

        Raises:
            TfOidcError: The module cannot be copied, or the clean-up failed.
        """
        workspace = self.workspace(
            module, inputs=inputs, keep=keep, item=item, environment=environment
        )
        try:
            yield workspace
        except BaseException:
            with contextlib.suppress(TfOidcError):  # the first error is the one to show
                self._clean_up(workspace, on_kept, destroy=not self.is_put_back)
            raise
        self._clean_up(workspace, on_kept, destroy=not (has_failed() and self.is_put_back))

    def _clean_up(
        self, workspace: Workspace, on_kept: Callable[[Path], None], *, destroy: bool
    ) -> None:
        try:
            if destroy and not self.ending.has_to_stop:
                workspace.destroy_everything()
        finally:
            self.close_workspace(workspace, on_kept)

    def close_workspace(self, workspace: Workspace, on_kept: Callable[[Path], None]) -> None:
        """Remove a workspace's copy, unless it holds the only way to what is real."""
        is_needed = workspace.is_deployed or not workspace.inventory.is_empty
        workspace.keep |= is_needed and self.is_live
        if workspace.keep:
            on_kept(workspace.path)
        workspace.close()

    @contextlib.contextmanager
    def isolated(self) -> Iterator[None]:
        """Put the clock and everything that the stand-in holds back at the end of the block."""
        held = self.mock.snapshot() if self.mock is not None else None
        self._isolations += 1
        try:
            yield
        finally:
            self._isolations -= 1
            moved = self.clock.offset
            self.clock.reset()
            if self.mock is not None and held is not None:
                self.mock.restore(held)
            if moved:
                self.drop()  # what is held was issued in a future that is no more

    @contextlib.contextmanager
    def going_on(self, pause: Pause) -> Iterator[None]:
        """Let what was paused in another isolated block go on in this one, and pause it again."""
        mock = self.mock
        if mock is None:  # nothing is put back
            yield
            return
        if pause.held is not None:
            mock.restore(pause.held)
            self.clock.advance(pause.offset - self.clock.offset)
            self.drop()
        try:
            yield
        finally:
            pause.held, pause.offset = mock.snapshot(), self.clock.offset

    @property
    def is_put_back(self) -> bool:
        """Whether everything that is deployed now will be gone without a destroy."""
        return self.mock is not None and self._isolations > 0

    def drop(self) -> None:
        """Forget every token that the relay and the credential hold."""
        self.credential.drop()
        if self.relay is not None:
            self.relay.drop()

    @property
    def oidc_clock(self) -> OidcClock:
        """The clock as tests use it."""
        return OidcClock(self)


class AzureStates(StateStore):
    """The state objects of the azurerm backend.

    Args:
        blobs: Gets at them.
    """

    def __init__(self, blobs: StateBlobs) -> None:
        self._blobs = blobs

    def since(self, place: StatePlace) -> str:
        """Return when a state was last written; empty where that cannot be had."""
        return self._blobs.last_written(place.blob) if place.backend == AZURERM else ""

    def remove(self, place: StatePlace) -> None:
        """Remove a state object that holds nothing; leave it where that cannot be done."""
        if place.backend != AZURERM:
            return
        state = self._blobs.read(place.blob)
        if state is not None and not held_by(state):
            self._blobs.remove(place.blob)


class LiveClockError(UsageError):
    """The clock of a live context was asked for something that only a simulation can do."""


def _refuse(error: LiveClockError) -> NoReturn:
    raise error


def _duration(given: object, method: str) -> timedelta:
    """Return a duration that a test has written.

    Raises:
        UsageError: It is none; a number has no unit.
    """
    if isinstance(given, timedelta):
        return given
    if isinstance(given, str):
        return parse_duration(given)
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    remedy = (
        f'Write {method}("{given:g}s") for seconds, or {method}("{given:g}m") for minutes.'
        if is_number
        else f'Write {method}("45m"), or give a timedelta.'
    )
    raise UsageError(
        f"{given!r} is not a duration{': it has no unit' if is_number else ''}.",
        where=f"oidc_clock.{method}",
        remedy=remedy,
    )


class OidcClock:
    """Moves the clock and makes tokens expire. Durations are texts (`10m`) or timedeltas.

    Args:
        session: The run.
        heartbeat: Is told how much of a real delay is left, in seconds, every half a minute.
        refuse: Raises where a live context cannot do what is asked.
        longest: No real delay is longer; None for no limit.
    """

    def __init__(
        self,
        session: OidcSession,
        *,
        heartbeat: Callable[[float], None] = lambda _left: None,
        refuse: Callable[[LiveClockError], NoReturn] = _refuse,
        longest: timedelta | None = None,
    ) -> None:
        self._session = session
        self._heartbeat = heartbeat
        self._refuse = refuse
        self._longest = longest

    def advance(self, by: str | timedelta, *, reason: str = "advance") -> None:
        """Jump forward.

        Raises:
            LiveClockError: In a live context.
        """
        session = self._session
        self._require_stand_in("move the clock")
        duration = _duration(by, "advance")
        session.clock.advance(duration)
        session.events.emit(ClockMoved(at=session.clock.now(), by=duration, reason=reason))

    def delay(self, duration: str | timedelta) -> timedelta:
        """Let time pass: a jump on the stand-in, real waiting with a heartbeat elsewhere.

        Returns:
            How much has passed: less than asked for where a real delay is capped.
        """
        span = _duration(duration, "delay")
        if self._session.mock is not None:
            self.advance(span, reason="delay")
            return span
        span = span if self._longest is None else min(span, self._longest)
        end = real_seconds() + span.total_seconds()
        while (left := end - real_seconds()) > 0:
            self._heartbeat(left)
            real_sleep(min(left, HEARTBEAT_SECONDS))
        return span

    def expire_id_tokens(self) -> None:
        """Make every ID token that was issued so far an expired one.

        In a live context the relay forgets the one that it holds, and that is all that can be done
        honestly: the next client gets a new one; what clients have in hand lives on.

        Raises:
            LiveClockError: In a live context without a relay.
        """
        session = self._session
        if session.mock is None and session.relay is not None:
            session.relay.drop()
            return
        self._require_stand_in("make ID tokens expire").issuer.expire_all()

    def expire_access_tokens(self) -> None:
        """Make every access token that was issued so far an expired one.

        Raises:
            LiveClockError: In a live context.
        """
        self._require_stand_in("make access tokens expire").access_tokens.expire_all()

    def _require_stand_in(self, what: str) -> MockAzure:
        mock = self._session.mock
        if mock is None:
            self._refuse(
                LiveClockError(
                    f"Nobody can {what} in a live context ({self._session.context.label}).",
                    remedy="Use --tf-context mock, or `delay`, which really waits.",
                )
            )
        return mock


def lock_timeout_of(environment: Mapping[str, str]) -> str:
    """Return the `-lock-timeout` that a user has configured in TF_CLI_ARGS, which we withhold."""
    names = ("TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_CLI_ARGS_apply", "TF_CLI_ARGS_destroy")
    found = (LOCK_TIMEOUT.search(environment.get(name, "")) for name in names)
    return next((match[1] for match in found if match), "")


def context_facts(context: PipelineContext) -> dict[str, str]:
    """Return what tells one context from another; nothing of it is secret."""
    found = {
        "kind": context.kind,
        "tenant_id": context.tenant_id,
        "client_id": context.client_id,
        "subscription_id": context.subscription_id or "",
        "stand_in": "true" if context.stand_in else "",
    }
    return {name: value for name, value in found.items() if value}


def _live(context: PipelineContext) -> str:
    """Say which pipeline this is, and how long it can give ID tokens."""
    where = f"rehearsal of {context.label}" if context.stand_in else f"{context.label}, live"
    if context.refreshable:
        return where
    expires_at = context.static_token_expires_at
    end = f" and dies at {expires_at:%H:%M:%S} UTC" if expires_at else ""
    return f"{where}: its one ID token cannot be refreshed{end}"


def _without_pipeline(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in REPLACED and not name.lower().endswith("_proxy")
    }
