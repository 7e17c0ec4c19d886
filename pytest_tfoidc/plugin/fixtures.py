"""The fixtures. Each wraps something that can be used without pytest.

PYTEST_DONT_REWRITE: it is found as it was installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

import pytest

from pytest_tfoidc.errors import TfOidcError
from pytest_tfoidc.plugin import deployment
from pytest_tfoidc.plugin.deployment import Scope
from pytest_tfoidc.plugin.run import FAILED, RUN, PytestRun, clock_of
from pytest_tfoidc.plugin.upgrades import UpgradeFactory, make_factory

if TYPE_CHECKING:
    from pytest_tfoidc.events import Event
    from pytest_tfoidc.identity.credential import RefreshingCredential
    from pytest_tfoidc.identity.pipeline import PipelineContext
    from pytest_tfoidc.mockazure.server import MockAzure
    from pytest_tfoidc.session import OidcClock, OidcSession
    from pytest_tfoidc.terraform.workspace import Workspace

VARIABLES = "tf_variables"  # the marker
E = TypeVar("E", bound="Event")


class WorkspaceFactory(Protocol):
    """Makes workspaces of any path: the fixture `tf_workspace`."""

    def __call__(
        self,
        path: str | Path,
        *,
        variables: Mapping[str, object] | None = None,
        variable_files: Iterable[str | Path] = (),
        backend_config: Mapping[str, object] | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> Workspace:
        """Make one, with inputs of its own."""
        ...


class StackFactory(Protocol):
    """Deploys several modules in order: the fixture `tf_stack`."""

    def __call__(
        self,
        paths: Iterable[str | Path],
        *,
        variables: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Mapping[str, Workspace]:
        """Deploy them, and return a workspace for each."""
        ...


def _run(request: pytest.FixtureRequest) -> PytestRun:
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def _oidc_session(request: pytest.FixtureRequest) -> OidcSession:
    return _run(request).session


@pytest.fixture(scope="session")
def oidc_context(_oidc_session: OidcSession) -> PipelineContext:
    """Return where ID tokens come from: the pipeline's context, or the stand-in's."""
    return _oidc_session.context


@pytest.fixture(scope="session")
def oidc_credential(_oidc_session: OidcSession) -> RefreshingCredential:
    """Return the refreshing credential for Azure SDKs; `AsyncRefreshingCredential` wraps it.

    On the stand-in the clients of a test that uses it reach the stand-in, and what they change is
    put back after the test.
    """
    return _oidc_session.credential


@pytest.fixture(scope="session")
def arm_env(_oidc_session: OidcSession) -> Mapping[str, str]:
    """Return the ready environment of Terraform, with nothing in it that stops refresh."""
    return _oidc_session.environment


@pytest.fixture(scope="session")
def mock_issuer(_oidc_session: OidcSession) -> MockAzure:
    """Return the stand-in for Azure, to configure and to inspect; skip in a live context."""
    if _oidc_session.mock is None:
        pytest.skip(f"there is no stand-in in a live context ({_oidc_session.context.label})")
    return _oidc_session.mock


@pytest.fixture
def _oidc_isolation(request: pytest.FixtureRequest, _oidc_session: OidcSession) -> Iterator[None]:
    """Undo jumps and forget what was deployed to the stand-in, after the test."""
    module = _module_of(request) or request.path.parent
    with _run(request).recorded(request.node, module):
        yield


@pytest.fixture(autouse=True)
def _mock_issuer_is_put_back(request: pytest.FixtureRequest) -> None:
    """Isolate every test that can change the stand-in by a fixture whose scope is the session."""
    if {"mock_issuer", "oidc_credential"} & set(request.fixturenames):
        request.getfixturevalue("_oidc_isolation")


@pytest.fixture
def oidc_clock(request: pytest.FixtureRequest, _oidc_isolation: None) -> OidcClock:
    """Return the clock: `advance("10m")`, `delay("10m")`, `expire_id_tokens()` and so on.

    It is put back after the test. In a live context `delay` really waits, `expire_id_tokens` makes
    the relay forget what it holds, and a test that asks for more is skipped.
    """
    return clock_of(request.config)


class RecordedEvents:
    """The events of one test, as they come in."""

    def __init__(self, session: OidcSession) -> None:
        self._log = session.events
        self._start = session.events.mark()

    def __iter__(self) -> Iterator[Event]:
        """Yield the events so far, in their order."""
        return iter(self._log.since(self._start))

    def __len__(self) -> int:
        """Count the events so far."""
        return len(self._log.since(self._start))

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...

    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        """Return an event by its number, or some of them."""
        return tuple(self._log.since(self._start))[index]

    def __repr__(self) -> str:
        """Count the events of each kind."""
        kinds = Counter(type(event).__name__ for event in self)
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        return f"<events: {told or 'none'}>"

    def of(self, kind: type[E]) -> tuple[E, ...]:
        """Return the events of one kind so far."""
        return self._log.of(kind, since=self._start)


@pytest.fixture
def oidc_events(_oidc_session: OidcSession, _oidc_isolation: None) -> RecordedEvents:
    """Return the events of this test."""
    return RecordedEvents(_oidc_session)


@pytest.fixture
def tf_workspace(
    request: pytest.FixtureRequest, _oidc_session: OidcSession, _oidc_isolation: None
) -> Iterator[WorkspaceFactory]:
    """Return a factory of workspaces for any path; relative ones start at the test's folder.

    `tf_workspace(path, variables={…}, variable_files=[…], backend_config={…}, environment={…})`:
    these win over the options of the command line. `None` in `environment` takes a variable away.
    """
    run = _run(request)
    with contextlib.ExitStack() as stack:

        def make(
            path: str | Path,
            *,
            variables: Mapping[str, object] | None = None,
            variable_files: Iterable[str | Path] = (),
            backend_config: Mapping[str, object] | None = None,
            environment: Mapping[str, str | None] | None = None,
        ) -> Workspace:
            folder = request.path.parent
            inputs = run.inputs_of_test(
                folder,
                variables=variables or {},
                variable_files=variable_files,
                backend=backend_config or {},
            )
            return stack.enter_context(
                run.workspace(
                    (folder / path).resolve(),
                    item=request.node.nodeid,
                    has_failed=lambda: request.node.stash.get(FAILED, False),
                    inputs=dataclasses.replace(inputs, lends_backend=False),
                    environment=environment or {},
                )
            )

        yield make


@pytest.fixture
def tf_stack(request: pytest.FixtureRequest, tf_workspace: WorkspaceFactory) -> StackFactory:
    """Deploy several modules in order; they are destroyed in the reverse order.

    `stack = tf_stack(["network", "app"], variables={"network": {"env": "test"}})`: a variable of a
    later module that has the name of an earlier one's output gets its value. `stack["app"]` is a
    workspace.
    """
    run = _run(request)

    def make(
        paths: Iterable[str | Path], *, variables: Mapping[str, Mapping[str, object]] | None = None
    ) -> Mapping[str, Workspace]:
        from pytest_tfoidc.terraform.values import Named  # noqa: PLC0415 - not in every run

        names = [str(path) for path in paths]
        given = variables or {}
        deployment.require_known(given, names)
        made: dict[str, Workspace] = {}
        outputs: dict[str, object] = {}
        for name in names:
            module = run.session.read_module((request.path.parent / name).resolve())
            workspace = tf_workspace(
                name,
                variables={**deployment.wanted(outputs, module), **given.get(name, {})},
                backend_config=deployment.own_state(name, module, run),
            )
            workspace.prepare()
            workspace.apply()
            outputs |= workspace.output()
            made[name] = workspace
        return Named("module in the stack", made)

    return make


def _variables_of(request: pytest.FixtureRequest) -> dict[str, object]:
    """Return what the marker `tf_variables` gives; the nearest one has the last word."""
    found: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers(VARIABLES))):
        for one in marker.args:
            if not isinstance(one, Mapping):
                raise TfOidcError(
                    f"The marker `{VARIABLES}` takes names with values.",
                    where=request.node.nodeid,
                    cause=f"{one!r} has no name",
                    remedy=f'Write @pytest.mark.{VARIABLES}(name="value").',
                )
            found.update(one)
        found.update(marker.kwargs)
    return found


@pytest.fixture
def tf_module(request: pytest.FixtureRequest, tf_workspace: WorkspaceFactory) -> Workspace:
    """Yield a workspace of the module under test; what is deployed at the end is destroyed."""
    module = _module_of(request)
    if module is None:
        raise TfOidcError(
            "There is no module for the fixture `tf_module`.",
            where=request.node.nodeid,
            cause="The test does not lie in a module under test, and none was named.",
            remedy="Name one with --tf-module PATH, or use the fixture `tf_workspace`.",
        )
    return tf_workspace(module, variables=_variables_of(request))


@pytest.fixture
def tf_upgrade(
    request: pytest.FixtureRequest, _oidc_session: OidcSession, _oidc_isolation: None
) -> UpgradeFactory:
    """Make upgrade steps of the module under test.

    `with tf_upgrade(NAME, FROM, TO) as step:` pins FROM and runs init. `step.before.apply()`,
    `step.upgrade()` and `step.plan()` follow. What is still deployed at the end is destroyed.
    """
    module = _module_of(request)
    if module is None:
        raise TfOidcError(
            "There is no module for the fixture `tf_upgrade`.",
            where=request.node.nodeid,
            remedy="Name one with --tf-module PATH, and put the test into its folder.",
        )
    return make_factory(_run(request), module, item=request.node.nodeid)


def _deployed_scope(fixture_name: str, config: pytest.Config) -> Scope:
    """Return the scope that `tf_deployed_scope` chooses."""
    del fixture_name
    return deployment.scope_of(config)


@pytest.fixture(scope=_deployed_scope)
def tf_deployed(request: pytest.FixtureRequest, _oidc_session: OidcSession) -> Iterator[Workspace]:
    """Yield a deployed workspace of the module under test; it is destroyed whatever happens.

    Each test has its own, or all of a scope share one that the ini key `tf_deployed_scope` names.
    """
    module: Path | None = getattr(request, "param", None)
    if module is None:
        raise TfOidcError(
            "There is no module for the fixture `tf_deployed`.",
            where=request.node.nodeid,
            cause="The test does not lie in a module under test, and none was named.",
            remedy="Name one with --tf-module PATH.",
        )
    run = _run(request)
    name = request.node.nodeid or run.name_of(module)
    with _oidc_session.isolated():
        inputs = run.inputs_of_test(module, variables=_variables_of(request))
        with run.workspace(module, item=f"{name}-deployed", inputs=inputs) as workspace:
            workspace.prepare()
            workspace.apply()
            yield workspace


def _module_of(request: pytest.FixtureRequest) -> Path | None:
    """Return the module that a test is about: its parameter, or the module that it lies in."""
    params = getattr(getattr(request.node, "callspec", None), "params", {})
    if "tf_module" in params:
        chosen: Path = params["tf_module"]
        return chosen
    return _run(request).module_of(request.path)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test that lies outside the modules under test once for each of them."""
    run = metafunc.config.stash[RUN]
    modules = run.settings.modules
    if not modules:
        return
    if "tf_deployed" in metafunc.fixturenames:
        deployment.parametrize(metafunc)
    if "tf_module" not in metafunc.fixturenames:
        return
    if run.module_of(metafunc.definition.path) is None:
        ids = [run.name_of(module) for module in modules]
        metafunc.parametrize("tf_module", modules, ids=ids, indirect=True)
