"""One run: the clock, the context, the relay and the environment, put together.

This is the whole of the plugin without pytest. A local run is the pipeline's path with another
issuer at its end: same context, same relay, same environment, same runner.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from pytest_tfoidc.clock import VirtualClock, format_duration, parse_duration
from pytest_tfoidc.errors import UsageError
from pytest_tfoidc.events import ClockMoved, Event, EventLog, TokensExpired, VariableWithheld
from pytest_tfoidc.identity.environment import arm_environment
from pytest_tfoidc.identity.pipeline import PipelineContext, detect
from pytest_tfoidc.identity.relay import IdTokenRelay
from pytest_tfoidc.identity.sources import IdTokenSource, source_for
from pytest_tfoidc.mockazure.server import MockAzure
from pytest_tfoidc.redaction import Redactor
from pytest_tfoidc.terraform.executable import Executable, find_executable
from pytest_tfoidc.terraform.runner import terraform_environment
from pytest_tfoidc.terraform.workspace import NO_INPUTS, Inputs, Setting, Workspace

STANDIN_BACKEND = MappingProxyType(
    {
        "storage_account_name": "tfoidcstandin",
        "container_name": "tfstate",
        "key": "terraform.tfstate",
        "use_azuread_auth": "true",
    }
)
HEARTBEAT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How to run. `context`: auto, mock or the kind of a pipeline; `timeout` in seconds."""

    context: str = "auto"
    executable: str | None = None
    relay: bool = True
    timeout: float | None = None
    allowed_hosts: tuple[str, ...] = ()
    ca_file: Path | None = None
    id_token_lifetime: timedelta = timedelta(minutes=5)
    access_token_lifetime: timedelta = timedelta(minutes=60)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)


class OidcSession:
    """Everything that a run shares; a context manager.

    Args:
        options: How to run.

    Raises:
        TfOidcError: From `start`: no usable context, no Terraform, no port.
    """

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self.clock = VirtualClock()
        self.events = EventLog()
        self.redactor = Redactor()
        self.mock: MockAzure | None = None
        self.relay: IdTokenRelay | None = None
        self.notes: tuple[str, ...] = ()
        self._cleanup = contextlib.ExitStack()
        self.context: PipelineContext
        self.source: IdTokenSource
        self.environment: Mapping[str, str]

    def start(self) -> None:
        """Find out where we run, and open what that needs."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.clock.reset)
            outer = self._outer_environment(stack)
            self._start_identity(stack)
            self.environment, self.notes = self._child_environment(outer)
            self._cleanup = stack.pop_all()

    def stop(self) -> None:
        """Close everything that `start` opened."""
        self._cleanup.close()

    def __enter__(self) -> OidcSession:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _outer_environment(self, stack: contextlib.ExitStack) -> dict[str, str]:
        """Give the pipeline's environment: the real one, or the one that the stand-in makes."""
        options = self.options
        outer = dict(options.environment)
        wanted = options.context
        found = None if wanted == "mock" else detect(outer, wanted=wanted)
        if found is not None:
            self.context = found
            return outer
        self.mock = MockAzure(
            clock=self.clock,
            events=self.events,
            environment=outer,
            id_token_lifetime=options.id_token_lifetime,
            access_token_lifetime=options.access_token_lifetime,
            allowed_hosts=options.allowed_hosts,
            ca_file=options.ca_file,
        )
        stack.enter_context(self.mock)
        kind = "azure-devops"
        outer = {**_without_pipeline(outer), **self.mock.pipeline_environment(kind)}
        context = detect(outer, wanted=kind)
        assert context is not None  # noqa: S101 - for mypy: it is what the stand-in made
        self.context = dataclasses.replace(context, stand_in=True)
        return outer

    def _start_identity(self, stack: contextlib.ExitStack) -> None:
        context = self.context
        self.redactor.add(context.request_token or "")
        self.source = source_for(context, clock=self.clock)
        if self.options.relay:
            self.relay = IdTokenRelay(
                source=self.source,
                clock=self.clock,
                events=self.events,
                service_connection_id=context.service_connection_id,
                audience=context.audience,
            )
            stack.enter_context(self.relay)
            self.redactor.add(self.relay.bearer)
            stack.enter_context(self.events.subscribed(self._drop_expired))

    def _drop_expired(self, event: Event) -> None:
        if isinstance(event, TokensExpired) and event.kind == "id" and self.relay is not None:
            self.relay.drop()

    def _child_environment(
        self, outer: Mapping[str, str]
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        context, relay = self.context, self.relay
        ready = arm_environment(
            context,
            outer=outer,
            request_url=relay.url if relay else context.request_url or "",
            request_token=relay.bearer if relay else context.request_token or "",
        )
        for withheld in ready.withheld:
            self.events.emit(
                VariableWithheld(at=self.clock.now(), name=withheld.name, reason=withheld.reason)
            )
        variables, notes = terraform_environment(ready.variables)
        if self.mock is not None:
            variables["GO_AZURE_SDK_SKIP_POLLING_DELAY"] = "true"
        return MappingProxyType(variables), notes

    @functools.cached_property
    def executable(self) -> Executable:
        """The Terraform to run.

        Raises:
            ExecutableError: There is none.
        """
        return find_executable(self.options.executable, self.environment)

    @property
    def is_live(self) -> bool:
        """Whether the ID tokens are a real pipeline's."""
        return self.mock is None

    def describe(self) -> str:
        """Say in a line which Terraform and which context this is."""
        if self.mock is None:
            where = self.context.label
        else:
            lifetimes = (self.options.id_token_lifetime, self.options.access_token_lifetime)
            id_token, access_token = map(format_duration, lifetimes)
            where = (
                f"stand-in for {self.context.label}: ID tokens live {id_token},"
                f" access tokens {access_token}"
            )
        relay = "on" if self.relay else "off"
        return f"{self.executable} | {where} | relay {relay}"

    def workspace(
        self, module: Path, *, inputs: Inputs = NO_INPUTS, keep: bool = False
    ) -> Workspace:
        """Make an isolated copy of a module.

        Raises:
            ModuleError: The module cannot be read or copied.
        """
        setting = Setting(
            executable=self.executable,
            environment=self.environment,
            events=self.events,
            clock=self.clock,
            redactor=self.redactor,
            timeout=self.options.timeout,
            standin_backend=STANDIN_BACKEND if self.mock is not None else None,
        )
        return Workspace(module, setting=setting, inputs=inputs, keep=keep)

    @contextlib.contextmanager
    def isolated(self) -> Iterator[None]:
        """Put the clock and everything that the stand-in holds back at the end of the block."""
        held = self.mock.snapshot() if self.mock is not None else None
        try:
            yield
        finally:
            moved = self.clock.offset
            self.clock.reset()
            if self.mock is not None and held is not None:
                self.mock.restore(held)
            if moved and self.relay is not None:
                self.relay.drop()  # what it holds was minted in a future that is no more

    @property
    def oidc_clock(self) -> OidcClock:
        """The clock as tests use it."""
        return OidcClock(self)


class LiveClockError(UsageError):
    """The clock of a live context was asked for something that only a simulation can do."""


class OidcClock:
    """Moves the clock and makes tokens expire. Durations are texts (`10m`) or timedeltas.

    Args:
        session: The run.
        heartbeat: Is told how much of a real delay is left, in seconds, every half a minute.
    """

    def __init__(
        self, session: OidcSession, *, heartbeat: Callable[[float], None] = lambda _left: None
    ) -> None:
        self._session = session
        self._heartbeat = heartbeat

    def advance(self, by: str | timedelta, *, reason: str = "advance") -> None:
        """Jump forward.

        Raises:
            LiveClockError: In a live context.
        """
        session = self._session
        self._require_stand_in("move the clock")
        duration = parse_duration(by) if isinstance(by, str) else by
        session.clock.advance(duration)
        session.events.emit(ClockMoved(at=session.clock.now(), by=duration, reason=reason))

    def delay(self, duration: str | timedelta) -> None:
        """Let time pass: a jump on the stand-in, real waiting with a heartbeat elsewhere."""
        span = parse_duration(duration) if isinstance(duration, str) else duration
        if self._session.mock is not None:
            self.advance(span, reason="delay")
            return
        end = time.monotonic() + span.total_seconds()
        while (left := end - time.monotonic()) > 0:
            self._heartbeat(left)
            time.sleep(min(left, HEARTBEAT_SECONDS))

    def expire_id_tokens(self) -> None:
        """Make every ID token that was issued so far an expired one."""
        self._require_stand_in("make ID tokens expire").issuer.expire_all()

    def expire_access_tokens(self) -> None:
        """Make every access token that was issued so far an expired one."""
        self._require_stand_in("make access tokens expire").access_tokens.expire_all()

    def _require_stand_in(self, what: str) -> MockAzure:
        if self._session.mock is None:
            raise LiveClockError(
                f"Nobody can {what} in a live context ({self._session.context.label}).",
                remedy="Use --tf-context mock, or `delay`, which really waits.",
            )
        return self._session.mock


# What a real pipeline around a simulated run would put in the way of the stand-in's variables.
# Tokens and secrets are not among them: `arm_environment` withholds those, and says so.
REPLACED = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
    "ARM_OIDC_REQUEST_TOKEN",
    "ARM_OIDC_REQUEST_URL",
)


def _without_pipeline(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in REPLACED and not name.lower().endswith("_proxy")
    }
