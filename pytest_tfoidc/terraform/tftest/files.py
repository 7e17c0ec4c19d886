"""The test files of a module and their run blocks, read without running Terraform.

What makes Terraform refuse a test file at once is an error here too: syntax, the names of runs,
the command. What only an evaluation can tell is left to Terraform.
https://developer.hashicorp.com/terraform/language/tests
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Literal

from pytest_tfoidc.diagnostics import with_place
from pytest_tfoidc.errors import ModuleError, UsageError
from pytest_tfoidc.terraform.hcl import parser
from pytest_tfoidc.terraform.source_files import TEST_SUFFIXES, source_files

_OVERRIDES = ("override_resource", "override_data", "override_module")

Command = Literal["plan", "apply"]


@dataclass(frozen=True)
class Assertion:
    """An `assert` block.

    Attributes:
        condition: The condition's source text.
        error_message: The message's text; its source text where it is a template.
        line: The block's first line, from 1.
        end_line: The block's last line.
        condition_line: The condition's first line.
        condition_end_line: The condition's last line.
    """

    condition: str
    error_message: str
    line: int
    end_line: int
    condition_line: int
    condition_end_line: int


@dataclass(frozen=True)
class Override:
    """An `override_resource`, `override_data` or `override_module` block."""

    type: str
    target: str
    line: int


@dataclass(frozen=True)
class RunBlock:
    """A `run` block.

    Attributes:
        name: The run's name.
        line: The first line, from 1.
        column: The first character's column, from 1.
        end_line: The last line.
        command: What it runs.
        expect_failures: The addresses of what is expected to fail.
        module: The source of the module that it runs in place of the one under test, if any.
        variables: The expressions of its variables.
        assertions: Its assertions, in their order.
        overrides: Its overrides, in their order.
        parallel: Whether it may run beside others (Terraform 1.12).
        state_key: The name of the state that it works on, if given (Terraform 1.11).
        source: Its source lines, from `line` to `end_line`.
        keeps: Why what it deploys is there after the test; empty where it is not.
    """

    name: str
    line: int
    column: int
    end_line: int
    command: Command
    expect_failures: tuple[str, ...]
    module: str | None
    variables: Mapping[str, parser.Expression]
    assertions: tuple[Assertion, ...]
    overrides: tuple[Override, ...]
    parallel: bool
    state_key: str | None
    source: tuple[str, ...]
    keeps: str = ""


@dataclass(frozen=True)
class TestFile:
    """A test file.

    Attributes:
        path: Where it is.
        runs: Its runs, in their order.
        variables: The expressions of the variables for all runs.
        providers: The providers that it configures, as `name` or `name.alias`.
        mock_providers: The providers that it mocks, the same way.
        overrides: The overrides for all runs.
    """

    __test__ = False  # a name that pytest would collect

    path: Path
    runs: tuple[RunBlock, ...]
    variables: Mapping[str, parser.Expression]
    providers: tuple[str, ...]
    mock_providers: tuple[str, ...]
    overrides: tuple[Override, ...]


def discover(
    module: Path, *, test_directory: str = "tests", opentofu: bool = False
) -> tuple[Path, ...]:
    """Find the test files of a module, in the order in which Terraform runs them.

    They lie in the module's folder and in its test folder, not deeper. OpenTofu has endings of its
    own as well, and leaves out `x.tftest.hcl` beside `x.tofutest.hcl`.

    Args:
        module: The module's folder.
        test_directory: The test folder, relative to it; as with Terraform it need not exist.
        opentofu: Whether OpenTofu will run them.

    Raises:
        ModuleError: One of the folders cannot be read.
        UsageError: The test folder is not inside the module.
    """
    relative = PurePath(test_directory)
    if relative.is_absolute() or ".." in relative.parts:
        raise UsageError(
            "The test directory must lie inside the module",
            where=test_directory,
            remedy="Give a path relative to the module's folder.",
        )
    folders = dict.fromkeys((module, module / relative))
    found = [file for folder in folders for file in _files(folder, opentofu=opentofu)]
    return tuple(sorted(found, key=lambda file: file.relative_to(module).as_posix()))


def read_test_file(path: Path, *, opentofu: bool = False) -> TestFile:
    """Read a test file.

    Args:
        path: The file.
        opentofu: Whether OpenTofu will run it: it takes several runs of one name.

    Raises:
        ModuleError: The file cannot be read.
        HclError: Terraform would refuse it; with file, line and column.
    """
    data = _content(path)
    body = parser.parse(data, file=path)
    lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    reader = _Reader(path, lines, body, opentofu=opentofu)
    return TestFile(
        path=path,
        runs=tuple(reader.runs(body)),
        variables=_variables(body),
        providers=_providers(body, "provider"),
        mock_providers=_providers(body, "mock_provider"),
        overrides=_overrides(body),
    )


def _files(folder: Path, *, opentofu: bool) -> list[Path]:
    try:
        if not folder.exists():
            return []
        return source_files(folder, suffixes=TEST_SUFFIXES, opentofu=opentofu)
    except OSError as error:
        raise ModuleError(
            "The folder of test files cannot be read",
            where=str(folder),
            cause=str(error.strerror),
        ) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        is_dangling = path.is_symlink() and not path.exists()
        raise ModuleError(
            "The test file cannot be read",
            where=str(path),
            cause=f"it is a link to a file that is not there ({path.readlink()})"
            if is_dangling
            else str(error.strerror),
            remedy="Mend or remove it; Terraform fails on it as well.",
        ) from error


class _Reader:
    """Reads the run blocks of one file."""

    def __init__(
        self, path: Path, lines: list[str], body: parser.Body, *, opentofu: bool = False
    ) -> None:
        self._path = path
        self._lines = lines
        self._parallel = _is_set(body, "parallel")
        self._skips_cleanup = _is_set(body, "skip_cleanup")
        self._opentofu = opentofu

    def runs(self, body: parser.Body) -> Iterator[RunBlock]:
        """Yield the runs; the name of each is checked as Terraform does."""
        seen: dict[str, int] = {}
        for block in body.of_type("run"):
            if len(block.labels) != 1:
                raise self._error(block, 'a run has one name: run "name" { … }')
            name = block.labels[0]
            if not is_name(name):
                raise self._error(
                    block,
                    f"`{name}` is no name for a run: it must start with a letter or an underscore"
                    " and hold only letters, digits, underscores and dashes",
                )
            if name in seen and not self._opentofu:
                raise self._error(block, f"the run `{name}` is already on line {seen[name]}")
            seen[name] = block.line
            yield self._run(block)

    def _run(self, block: parser.Block) -> RunBlock:
        body = block.body
        module = next(iter(body.of_type("module")), None)
        parallel = body.literal("parallel")
        failures = body.attributes.get("expect_failures")
        return RunBlock(
            name=block.labels[0],
            line=block.line,
            column=block.column,
            end_line=block.end_line,
            command=self._command(body),
            expect_failures=tuple(i.text for i in failures.expression.items) if failures else (),
            module=_string(module.body.literal("source")) if module else None,
            variables=_variables(body),
            assertions=tuple(_assertion(one) for one in body.of_type("assert")),
            overrides=_overrides(body),
            parallel=self._parallel if parallel is None else parallel is True,
            state_key=_string(body.literal("state_key")),
            source=tuple(self._lines[block.line - 1 : block.end_line]),
            keeps=self._keeps(body),
        )

    def _keeps(self, body: parser.Body) -> str:
        if next(body.of_type("backend"), None) is not None:
            return "it keeps its state in a backend of its own"
        skips = body.literal("skip_cleanup")
        is_skipped = self._skips_cleanup if skips is None else skips is True
        return "it skips its clean-up" if is_skipped else ""

    def _command(self, body: parser.Body) -> Command:
        attribute = body.attributes.get("command")
        if attribute is None or attribute.text == "apply":
            return "apply"
        if attribute.text == "plan":
            return "plan"
        raise self._error(attribute, "a run's command is plan or apply, without quotes")

    def _error(self, place: parser.Block | parser.Attribute, cause: str) -> parser.HclError:
        return parser.HclError(
            with_place(
                f"Terraform would refuse this test file: {cause}", f"{self._path.name}:{place.line}"
            ),
            file=str(self._path),
            line=place.line,
            column=place.column,
            cause=cause,
            source_line=self._lines[place.line - 1],
        )


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names by which runs can be told apart: the second `a` of a file is `a[2]`."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(numbered(name, seen[name]))
    return tuple(found)


def numbered(name: str, number: int) -> str:
    """Return the distinct name of a file's run, which is the so-manieth of its name."""
    return name if number <= 1 else f"{name}[{number}]"


def is_name(text: str) -> bool:
    """Tell whether a text is an identifier of Terraform's language."""
    return text[:1] != "-" and text.replace("-", "_").isidentifier()


def _is_set(body: parser.Body, name: str) -> bool:
    """Return whether the file's `test` block switches something on for all of its runs."""
    return any(block.body.literal(name) is True for block in body.of_type("test"))


def _assertion(block: parser.Block) -> Assertion:
    condition = block.body.attributes.get("condition")
    message = block.body.attributes.get("error_message")
    literal = _string(message.value) if message else ""
    return Assertion(
        condition=condition.text if condition else "",
        error_message=block.body.text("error_message") if literal is None else literal,
        line=block.line,
        end_line=block.end_line,
        condition_line=condition.line if condition else block.line,
        condition_end_line=condition.expression.end_line if condition else block.line,
    )


def _overrides(body: parser.Body) -> tuple[Override, ...]:
    blocks = body.of_type(*_OVERRIDES)
    return tuple(Override(block.type, block.body.text("target"), block.line) for block in blocks)


def _variables(body: parser.Body) -> Mapping[str, parser.Expression]:
    blocks = body.of_type("variables")
    attributes = (attribute for block in blocks for attribute in block.body.attributes.values())
    return MappingProxyType({attribute.name: attribute.expression for attribute in attributes})


def _providers(body: parser.Body, kind: str) -> tuple[str, ...]:
    return tuple(_provider(block) for block in body.of_type(kind))


def _provider(block: parser.Block) -> str:
    return ".".join([*block.labels, *filter(None, [_string(block.body.literal("alias"))])])


def _string(value: parser.Value) -> str | None:
    """Return a literal string; None for everything else."""
    return value if isinstance(value, str) else None
