"""Run blocks as pytest items.

A test file is one `terraform test`: the file's node starts it and waits for its end, and each item
waits for the result of its own run. Results are kept, so any order of the items works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.errors import TfOidcError, UsageError
from pytest_tfoidc.plugin.beforehand import REPORT_KEY as MISSING_KEY
from pytest_tfoidc.plugin.beforehand import missing_of
from pytest_tfoidc.plugin.items import properties_of
from pytest_tfoidc.plugin.options import Jump
from pytest_tfoidc.plugin.run import EVIDENCE, RUN, PytestRun

if TYPE_CHECKING:
    from pytest_tfoidc.diagnostics import Diagnostic
    from pytest_tfoidc.terraform.missing import MissingRead
    from pytest_tfoidc.terraform.tftest.files import RunBlock
    from pytest_tfoidc.terraform.tftest.options import TestOptions
    from pytest_tfoidc.terraform.tftest.run import FileResult, FileRun, RunResult
    from pytest_tfoidc.terraform.workspace import Workspace

ENDINGS = (".tftest.hcl", ".tftest.json", ".tofutest.hcl", ".tofutest.json")
JUMP_MARK = "tf_test_jump"
FOUND = pytest.StashKey[dict[Path, frozenset[Path]]]()
WORKSPACES = pytest.StashKey["dict[Path, InitializedModule]"]()


class RunFailed(AssertionError):  # noqa: N818 - a test's failure, not an error
    """A run failed: an assertion did not hold, or Terraform was killed while it ran."""


class RunErrored(Exception):  # noqa: N818 - named as Terraform names the outcome
    """A run could not be made."""


class FileErrored(Exception):  # noqa: N818 - as above
    """A failure that belongs to no run of a file, such as that of its teardown."""


class RunBlockFile(pytest.File):
    """A test file of a module under test."""

    __test__ = False  # a name that pytest would collect

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**kwargs)
        module = self._run.module_of(self.path)
        assert module is not None  # noqa: S101 - for mypy: collect_file has looked
        self.module = module
        self.file = self.path.relative_to(module).as_posix()
        self.last: RunItem | None = None
        self.execution: FileRun | None = None
        self._names: tuple[str, ...] = ()
        self._recording = contextlib.ExitStack()
        self._jumped = timedelta()
        self._mark = 0

    def missing(self, diagnostic: Diagnostic) -> tuple[MissingRead, ...]:
        """Return the reads of an error that found nothing on the stand-in."""
        from pytest_tfoidc.terraform.missing import Complaint, missing_reads  # noqa: PLC0415 - rarely

        session = self._run.session
        if not session.context.stand_in or not diagnostic.is_error:
            return ()
        complaint = Complaint(
            address=diagnostic.address,
            text=f"{diagnostic.summary}\n{diagnostic.detail}",
            code=diagnostic.code,
            values=diagnostic.values,
        )
        files = self.config.stash[WORKSPACES][self.module].workspace.source_files()
        return missing_reads([complaint], session.events.since(self._mark), files=files)

    def refused(self) -> tuple[str, ...]:
        """Return the hosts that the stand-in has refused since the file began."""
        from pytest_tfoidc.events import hosts_refused  # noqa: PLC0415 - rarely

        return hosts_refused(self._run.session.events.since(self._mark))

    @property
    def _run(self) -> PytestRun:
        return self.config.stash[RUN]

    def collect(self) -> Iterator[RunItem]:
        """Make an item for each run block, without running Terraform."""
        from pytest_tfoidc.terraform.tftest.files import distinct_names, read_test_file  # noqa: PLC0415 - heavy
        from pytest_tfoidc.terraform.tftest.options import require_test_command  # noqa: PLC0415 - heavy

        executable = self._run.executable
        try:
            require_test_command(executable)
            blocks = read_test_file(self.path, opentofu=executable.product == "OpenTofu").runs
        except TfOidcError as error:
            raise self.CollectError(str(error)) from error
        self._names = distinct_names(block.name for block in blocks)
        for position, (name, block) in enumerate(zip(self._names, blocks, strict=True)):
            yield RunItem.from_parent(self, name=name, block=block, position=position)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override] # noqa: ANN401 - pytest's own
        """Show why the file cannot be read; in pytest's summary by the first line."""
        if not isinstance(excinfo.value, self.CollectError):
            return super().repr_failure(excinfo)
        from pytest_tfoidc.plugin.representation import in_words  # noqa: PLC0415 - for failures only

        return in_words(str(excinfo.value), self.path)

    def setup(self) -> None:
        """Start the file's run, if it was not started yet."""
        from pytest_tfoidc.terraform.tftest.run import FileRun  # noqa: PLC0415 - heavy

        if self.execution is not None:
            return
        run = self._run
        self._recording.enter_context(run.recorded(self, self.module))
        self._mark = run.session.events.mark()
        workspace = _initialized(self)
        workspace.guard.check_test([self.path])
        items = [item for item in self.session.items if item.parent is self]
        self._remaining = {item.name for item in items}
        self._jumps = list(_jumps(run.settings.test_jumps, self.file, items))
        self.execution = FileRun(
            workspace=workspace,
            file=self.file,
            runs=self._names,
            options=_options(self.config),
            on_start=self._jump,
        )
        self.execution.start()

    def _jump(self, name: str) -> None:
        for jump in self._jumps:
            if jump.run == name:
                self._run.session.oidc_clock.advance(jump.by, reason=f"{self.file}: {name}")
                self._jumped += jump.by

    def wait(self, item: RunItem) -> RunResult:
        """Wait for the result of an item's run. Ctrl-C stops Terraform, once."""
        assert self.execution is not None  # noqa: S101 - for mypy: set up before its items
        self.last = item
        self._remaining.discard(item.name)
        try:
            return self.execution.wait(item.name)
        except BaseException:
            self.execution.stop()
            raise

    def teardown(self) -> None:
        """Wait for Terraform's own teardown; stop Terraform first where nobody waits for more."""
        with contextlib.ExitStack() as stack, self._recorded():
            known = self.config.stash.get(WORKSPACES, {}).get(self.module)
            if known is not None:
                stack.callback(known.let_go, self)
            execution = self.execution
            if execution is None:
                return
            if self._remaining:
                execution.stop()
            result = execution.finish()
            if result.is_clean:
                self._show_survival()
            elif not self._run.stopping.is_finishing:
                raise FileErrored(result)
            else:  # no item's report can say it any more
                self._run.stopping.troubles.append(_in_a_line(result))

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """Close what records the file's events, and let its last item carry what they show."""
        try:
            with self._recording:
                yield
        finally:
            if self.last is not None and EVIDENCE in self.stash:
                self.last.stash[EVIDENCE] = self.stash[EVIDENCE]

    def _show_survival(self) -> None:
        from pytest_tfoidc.reporting.summary import Evidence  # noqa: PLC0415 - heavy

        shown = Evidence(clean_up=self._jumped.total_seconds())
        self.stash[EVIDENCE] = (self._run.name_of(self.module), shown)


def _in_a_line(result: FileResult) -> str:
    left = f" Left over: {', '.join(result.left_behind)}." if result.left_behind else ""
    told = result.cause.partition("\n")[0] or "its teardown went wrong."
    return f"{result.file}: {told}{left}"


class RunItem(pytest.Item):
    """One run block."""

    fixturenames: tuple[str, ...] = ()  # pytest-terraform asks every item for its fixtures
    parent: RunBlockFile

    def __init__(
        self,
        *,
        block: RunBlock,
        position: int,
        **kwargs: Any,  # noqa: ANN401 - pytest's own
    ) -> None:
        super().__init__(**kwargs)
        self.block = block
        self.position = position
        self.result: RunResult | None = None
        self.add_marker("tf_test")

    def setup(self) -> None:
        """Wait for the run; what could not be made is an error, as a fixture's would be."""
        self.result = self.parent.wait(self)
        self.user_properties += _properties(self)
        if self.result.status == "error":
            raise RunErrored(self.result)

    def runtest(self) -> None:
        """Fail or skip as the run did."""
        result = self.result
        assert result is not None  # noqa: S101 - for mypy: setup has waited for it
        if result.status == "fail":
            raise RunFailed(result)
        if result.status == "skip":
            raise pytest.skip.Exception(self._skip_reason(), _use_item_location=True)

    def _skip_reason(self) -> str:
        execution = self.parent.execution
        before = execution.errored_before(self.name) if execution else ""
        return f"Terraform skipped it: `{before}` errored" if before else "Terraform skipped it"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the run block stands."""
        return self.path, self.block.line - 1, self.name


def kept_resources(config: pytest.Config, items: Iterable[pytest.Item]) -> list[str]:
    """Say which run blocks leave resources behind on purpose, in a live context."""
    run = config.stash[RUN]
    if not run.settings.modules or not run.is_live:
        return []
    return [
        f"tfoidc: live: {item.nodeid} (line {item.block.line}): {item.block.keeps}, so what it"
        " deploys stays"
        for item in items
        if isinstance(item, RunItem) and item.block.keeps
    ]


class InitializedModule:
    """A module's workspace for `terraform test`; initialized once, its failure told each time.

    Args:
        run: Makes and closes workspaces.
        module: Its folder.
        files: The files that need it; after the last one of them it is closed.
    """

    def __init__(self, run: PytestRun, module: Path, files: Iterable[RunBlockFile]) -> None:
        self.workspace = run.session.workspace(module, inputs=run.inputs(), keep=run.settings.keep)
        self.error: TfOidcError | None = None
        self.is_closed = False
        self._waiting = set(files)
        self._run = run

    def init(self, test_directory: str | None) -> None:
        """Initialize it, and keep what becomes of that."""
        try:
            self.workspace.init(backend=False, test_directory=test_directory)
        except TfOidcError as error:
            self.error = error

    def let_go(self, file: RunBlockFile) -> None:
        """Close it after the last file: the next workspace of the module can have its copy."""
        self._waiting.discard(file)
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Close the workspace, once."""
        if not self.is_closed:
            self.is_closed = True
            self._run.close_workspace(self.workspace)


def _initialized(file: RunBlockFile) -> Workspace:
    run, config, module = file.config.stash[RUN], file.config, file.module
    known = config.stash.setdefault(WORKSPACES, {})
    if module not in known or known[module].is_closed:
        parents = (item.parent for item in file.session.items if isinstance(item, RunItem))
        made = InitializedModule(run, module, (one for one in parents if one.module == module))
        known[module] = made
        run.cleanup.callback(made.close)
        if made.workspace.keep:
            run.kept.append(made.workspace.path)
        made.init(_options(config).test_directory)
    error = known[module].error
    if error is not None:
        raise error
    return known[module].workspace


def _options(config: pytest.Config) -> TestOptions:
    from pytest_tfoidc.terraform.tftest.options import TestOptions  # noqa: PLC0415 - heavy

    settings = config.stash[RUN].settings
    return TestOptions(
        directory=settings.test_directory,
        verbose=settings.test_verbose or config.get_verbosity() > 0,
        parallelism=settings.parallelism,
        run_parallelism=settings.run_parallelism,
    )


def _properties(item: RunItem) -> list[tuple[str, object]]:
    """Return what JUnit's test case says about where and with what the run was made."""
    workspace = item.config.stash[WORKSPACES][item.parent.module].workspace
    changes = item.result.changes if item.result else ""
    made_with = properties_of(item.config.stash[RUN], workspace.path)
    return [*made_with, *([("changes", changes)] if changes else [])]


def _jumps(asked: Iterable[Jump], file: str, items: list[pytest.Item]) -> Iterator[Jump]:
    """Yield the jumps of one file: the options', and the marks' of its items."""
    from pytest_tfoidc.clock import parse_duration  # noqa: PLC0415 - not in every run

    yield from (jump for jump in asked if _is_meant(jump, file))
    for item in items:
        for mark in item.iter_markers(JUMP_MARK):
            text = str(mark.args[0]) if mark.args else ""
            yield Jump(file=file, run=item.name, by=parse_duration(text), text=text)


def _is_meant(jump: Jump, file: str) -> bool:
    return not jump.file or f"/{file}".endswith(f"/{jump.file}") or jump.file.endswith(f"/{file}")


def validate(config: pytest.Config) -> None:
    """Say at once what is wrong with the options for test files.

    Raises:
        TfOidcError: An option is not known to the Terraform at hand, or means nothing here.
    """
    run = config.stash[RUN]
    _options(config).require(run.executable)
    found = [(module, file) for module in run.settings.modules for file in _found(config, module)]
    if run.settings.test_jumps and run.is_live:
        raise UsageError(
            f"Nobody can move the clock in a live context ({run.session.context.label}).",
            where="--tf-test-jump",
            remedy="Use --tf-context mock.",
        )
    for jump in run.settings.test_jumps:
        if not any(_is_meant_here(jump, module, file) for module, file in found):
            raise UsageError(
                "No run block is meant by this jump.",
                where=f"--tf-test-jump {jump.text}",
                remedy="Name a run as it is named in a test file of the module, or @teardown.",
            )


def _is_meant_here(jump: Jump, module: Path, file: Path) -> bool:
    from pytest_tfoidc.terraform.tftest.files import read_test_file  # noqa: PLC0415 - heavy
    from pytest_tfoidc.terraform.tftest.options import TEARDOWN  # noqa: PLC0415 - heavy

    if not _is_meant(jump, file.relative_to(module).as_posix()):
        return False
    try:
        names = {block.name for block in read_test_file(file, opentofu=True).runs}
    except TfOidcError:
        return True  # collecting says what is wrong with the file
    return jump.run in {*names, TEARDOWN}


def _found(config: pytest.Config, module: Path) -> frozenset[Path]:
    """Return the test files that Terraform would find in a module."""
    from pytest_tfoidc.terraform.tftest.files import discover  # noqa: PLC0415 - heavy

    run, known = config.stash[RUN], config.stash.setdefault(FOUND, {})
    if module not in known:
        files = discover(
            module,
            test_directory=run.settings.test_directory,
            opentofu=run.executable.product == "OpenTofu",
        )
        known[module] = frozenset(files)
    return known[module]


def collect_file(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a test file of a module under test."""
    if not path.name.endswith(ENDINGS):
        return None
    module = parent.config.stash[RUN].module_of(path)
    if module is None or path not in _found(parent.config, module):
        return None
    return RunBlockFile.from_parent(parent, path=path)


def unreadable_files(parent: pytest.Collector, module: Path) -> Iterator[pytest.Collector]:
    """Collect what Terraform would fail on and pytest does not see: links that lead nowhere."""
    for path in sorted(_found(parent.config, module)):
        if path.is_symlink() and not path.exists():
            yield RunBlockFile.from_parent(parent, path=path)


def carry_missing(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> None:
    """Let the stubs of reads that found nothing travel with a failure's report."""
    if call.excinfo is None:
        return
    error = call.excinfo.value
    if isinstance(item, RunItem) and isinstance(error, (RunFailed, RunErrored)):
        reads = [one for d in error.args[0].diagnostics for one in item.parent.missing(d)]
        stubs = [dict(one.stub) for one in reads if one.stub]
    else:
        stubs = [dict(stub) for stub in missing_of(error)]
    if stubs:
        setattr(report, MISSING_KEY, stubs)


def keep_files_together(items: list[pytest.Item]) -> None:
    """Put the items of each test file beside each other, in the file's order."""
    groups: dict[pytest.Item | RunBlockFile, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(item.parent if isinstance(item, RunItem) else item, []).append(item)
    items[:] = [item for group in groups.values() for item in sorted(group, key=_position)]


def _position(item: pytest.Item) -> int:
    return item.position if isinstance(item, RunItem) else 0
