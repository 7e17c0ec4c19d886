"""Resources that exist beforehand, on the pytest floor: the user's own functions, and the drafts.

A function or a fixture `tf_existing(mock_issuer)` in a conftest counts for everything that lies
where the conftest does: Python tests, checks, run blocks and upgrade steps.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.diagnostics import with_place
from pytest_tfoidc.errors import TerraformError, TfOidcError, UsageError
from pytest_tfoidc.plugin.representation import MACHINERY

if TYPE_CHECKING:
    from pytest_tfoidc.session import OidcSession

NAME = "tf_existing"
REPORT_KEY = "tfoidc_missing"  # pytest-xdist carries a report's attributes along
OF_PYTHON = Path(str(contextlib.__file__)).parent
Function = Callable[..., Any]


class UserExisting:
    """Calls the user's functions, once for each set of them, and lets every item start from there.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._made: dict[tuple[Function, ...], Any] = {}
        self._running: list[Iterator[Any]] = []

    def enter(self, item: pytest.Item | pytest.Collector, session: OidcSession) -> None:
        """Put there what the conftests around an item say is there beforehand.

        Raises:
            UsageError: A function wants something that is not to be had.
        """
        if session.mock is None or NAME in getattr(item, "fixturenames", ()):
            return
        functions = tuple(self._around(item.path))
        if not functions:
            return
        if functions not in self._made:
            for function in functions:
                self._call(function, session)
            self._made[functions] = session.mock.snapshot()
        session.mock.restore(self._made[functions])

    def _around(self, path: Path) -> Iterator[Function]:
        """Return the functions of the conftests whose folder a path lies in, the outer first."""
        found = []
        for plugin in self._config.pluginmanager.get_plugins():
            file, function = getattr(plugin, "__file__", None), getattr(plugin, NAME, None)
            if function is None or not file or Path(file).name != "conftest.py":
                continue
            if path.is_relative_to(Path(file).parent):
                found.append((len(Path(file).parts), _plain(function)))
        return (function for _, function in sorted(found, key=lambda pair: pair[0]))

    def _call(self, function: Function, session: OidcSession) -> None:
        known = {
            "mock_issuer": session.mock,
            "arm_env": session.environment,
            "oidc_context": session.context,
            "oidc_credential": session.credential,
            "pytestconfig": self._config,
        }
        wanted = inspect.signature(function).parameters
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise UsageError(
                f"{NAME} wants {', '.join(unknown)}, which is not to be had beforehand.",
                where=inspect.getsourcefile(function) or NAME,
                remedy=f"Take some of {', '.join(known)}.",
            )
        with _told_as_the_users(self._config.invocation_params.dir):
            result = function(**{name: known[name] for name in wanted})
            if inspect.isgenerator(result):
                next(result, None)
                self._running.append(result)

    def close(self) -> None:
        """Let functions that have yielded go on to their ends."""
        while self._running:
            with _told_as_the_users(self._config.invocation_params.dir):
                next(self._running.pop(), None)

    def finish(self, session: pytest.Session) -> None:
        """Let them do so before pytest's summary; where one fails, the run fails."""
        try:
            self.close()
        except TfOidcError as error:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.write_line(f"ERROR: tfoidc: {error}", red=True)


@contextlib.contextmanager
def _told_as_the_users(folder: Path) -> Iterator[None]:
    """Tell what a user's function raises by the lines that the user has written.

    Raises:
        UsageError: It raised something.
    """
    try:
        yield
    except TerraformError:
        raise  # it is told as one
    except Exception as error:
        frames = [*_users_frames(error, folder)]
        at, _, _ = frames[-1].partition(": in ") if frames else (NAME, "", "")
        ours = error if isinstance(error, TfOidcError) else None
        said = ours.what if ours else "".join(traceback.format_exception_only(error)).strip()
        first, _, rest = said.partition("\n")
        raise UsageError(
            with_place(f"`{NAME}` failed: {first}", at),
            where="\n".join(filter(None, [*frames, rest])),
            cause=ours.cause if ours else "",
            remedy=(ours.remedy if ours else "")
            or f"Mend `{NAME}`: everything that it is for fails with it.",
        ) from error


def _users_frames(error: BaseException, folder: Path) -> Iterator[str]:
    """Yield the lines of a traceback that the user has written, the outer first."""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if not any(path.is_relative_to(one) for one in (*MACHINERY, OF_PYTHON)):
            shown = path.relative_to(folder) if path.is_relative_to(folder) else path
            yield f"{shown}:{frame.lineno}: in {frame.name}: {frame.line}"


def _plain(function: Any) -> Function:  # noqa: ANN401 - a function, or a fixture of any pytest
    """Return the function that a fixture was made of."""
    wrapped = getattr(function, "_get_wrapped_function", None)
    if wrapped is not None:
        plain: Function = wrapped()
        return plain
    inner: Function = getattr(getattr(function, "__pytest_wrapped__", None), "obj", function)
    return inner


def missing_of(error: BaseException | None) -> tuple[Mapping[str, Any], ...]:
    """Return the stubs that an error, or what caused it, brings along."""
    while error is not None:
        if isinstance(error, TerraformError) and error.missing:
            return error.missing
        error = error.__cause__ or error.__context__
    return ()


class DraftReport:
    """Gathers the stubs of reads that found nothing, in workers too, and writes them at the end.

    Args:
        file: Where to.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stubs: dict[str, Mapping[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what a report brings along."""
        for stub in getattr(report, REPORT_KEY, ()):
            self._stubs.setdefault(_key(stub), stub)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the file, and say so."""
        if not self._stubs:
            return
        try:
            kept = add_stubs(self._file, list(self._stubs.values()))
        except (OSError, UsageError) as error:
            cause = error.cause if isinstance(error, UsageError) else error.strerror
            terminalreporter.line(f"tfoidc: no stubs were written to {self._file}: {cause}")
            return
        stubs = f"{len(self._stubs)} stub{'' if len(self._stubs) == 1 else 's'}"
        where = f"{self._file} has {stubs} of what was read and is not there"
        before = " beside what was there before" if kept else ""
        terminalreporter.line(
            f"tfoidc: {where}{before}; fill them in, and give it to --tf-existing"
        )


def add_stubs(file: Path, stubs: Sequence[Mapping[str, Any]]) -> int:
    """Write stubs to a file, behind those that it has: the user may have filled them in.

    Returns:
        How many entries were there before.

    Raises:
        UsageError: The file is there and cannot be read, or it cannot be written.
        OSError: Its folder cannot be made.
    """
    from pytest_tfoidc.mockazure.existing import entries_of  # noqa: PLC0415 - for drafts only
    from pytest_tfoidc.mockazure.statefile import write_private  # noqa: PLC0415 - for drafts only

    file.parent.mkdir(parents=True, exist_ok=True)
    before = entries_of(file) if file.is_file() and file.stat().st_size else []
    known = {_key(one) for one in before}
    new = [dict(one) for one in stubs if _key(one) not in known]
    if new or not before:
        write_private(file, _written([*before, *new], file))  # all of it or nothing
    return len(before)


def _key(stub: Mapping[str, Any]) -> str:
    return str(stub.get("id") or stub.get("url") or sorted(stub.items()))


def _written(stubs: Sequence[Mapping[str, Any]], file: Path) -> str:
    if file.suffix.lower() in {".yaml", ".yml"}:
        try:
            import yaml  # noqa: PLC0415 - an extra
        except ImportError:
            pass  # JSON is YAML as well
        else:
            return str(yaml.safe_dump([dict(stub) for stub in stubs], sort_keys=False))
    return json.dumps(stubs, indent=2) + "\n"
