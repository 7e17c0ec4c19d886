"""Where words leave a pytest run: reports, the terminal, logs, warnings. All are redacted here."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Container, Generator
from typing import Any

import pytest

from pytest_tfoidc.plugin.run import PytestRun

Redact = Callable[[str], str]
PARTS = "_pytest._code."  # pytest's descriptions of a failure are objects of its own
BETWEEN = "\0\n"  # lines that may end with a line break themselves


class Outlet:
    """A text stream that redacts what is written to it, and is the stream in all else.

    Args:
        stream: Where it goes.
        redact: Takes secrets out of a text.
    """

    def __init__(self, stream: Any, redact: Redact) -> None:  # noqa: ANN401 - any text stream
        self._stream = stream
        self._redact = redact

    def write(self, text: str) -> int:
        """Write a text without what is secret in it."""
        self._stream.write(self._redact(text) if isinstance(text, str) else text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write lines."""
        self.write("".join(lines))

    def __iter__(self) -> Any:  # noqa: ANN401 - as the stream does
        """Iterate as the stream does."""
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the stream's own
        """Be the stream in all else."""
        return getattr(self._stream, name)


class Terminal(Outlet):
    """The terminal's stream: in it, only our own lines may be commands to a pipeline's agent.

    Args:
        stream: Where it goes.
        redact: Takes secrets out of a text.
        is_open: Tells whether nothing is ours yet: then it is the stream in all.
        commands: The lines that are ours; there will be more.
    """

    def __init__(
        self,
        stream: Any,  # noqa: ANN401 - any text stream
        redact: Redact,
        *,
        is_open: Callable[[], bool],
        commands: Container[str],
    ) -> None:
        super().__init__(stream, redact)
        self._is_open = is_open
        self._commands = commands
        self._begun = ""  # what stands before in the line: a letter is enough

    def write(self, text: str) -> int:
        """Write a text in which nothing is secret, and no command that is not ours."""
        if isinstance(text, str) and text and not self._is_open():
            self._stream.write(self._defused(self._redact(text)))
        else:
            self._stream.write(text)
        return len(text)

    def _defused(self, text: str) -> str:
        lines = f"{self._begun}{text}".split("\n")
        begun, self._begun = len(self._begun), "x" if lines[-1] else ""
        told = (line if line in self._commands else _inert(line) for line in lines)
        return "\n".join(told)[begun:]


def shown(redact: Redact, value: Any) -> Any:  # noqa: ANN401 - what pytest's reports are made of
    """Return a part of a report without secrets; pytest's own objects are changed in place."""
    if isinstance(value, str):
        return _inert(redact(value))
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return str(shown(redact, BETWEEN.join(value))).split(BETWEEN)
    if isinstance(value, list | tuple):
        parts = [shown(redact, part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: shown(redact, part) for key, part in value.items()}
    if type(value).__module__.startswith(PARTS):
        for name, part in vars(value).items():
            setattr(value, name, shown(redact, part))
    return value


def _inert(text: str) -> str:
    """Return a text in which nothing is a command to a pipeline's agent."""
    from pytest_tfoidc.redaction import COMMANDS  # noqa: PLC0415 - heavy

    return COMMANDS.sub(lambda found: f"{found[0]} ", text)


def redact_report(report: Any, redact: Redact) -> None:  # noqa: ANN401 - of a test or a collection
    """Take secrets out of a report, in place."""
    report.longrepr = shown(redact, report.longrepr)
    report.sections = shown(redact, report.sections)
    if hasattr(report, "user_properties"):
        report.user_properties = shown(redact, report.user_properties)


class Outlets:
    """Redacts whatever leaves a run: the outermost of its plugins.

    Args:
        run: Knows the secrets.
        config: Knows where words go.
    """

    def __init__(self, run: PytestRun, config: pytest.Config) -> None:
        self._run = run
        self._config = config
        self._streams: dict[str, Any] = {}

    def redact(self, text: str) -> str:
        """Take secrets out of a text, once there are any."""
        return text if self.is_open() else self._run.redactor.redact(text)

    def is_open(self) -> bool:
        """Tell whether everything goes out as it is: the run is not ours, and has no secrets."""
        return not self._run.is_hiding

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Stand between pytest and its outputs."""
        plugin = self._config.pluginmanager.getplugin
        writer = getattr(plugin("terminalreporter"), "_tw", None)
        if writer is not None and hasattr(writer, "_file"):
            writer._file = Terminal(  # noqa: SLF001 - it has no other way in
                writer._file,  # noqa: SLF001 - the same
                self.redact,
                is_open=self.is_open,
                commands=self._run.commands,
            )
        handler = getattr(plugin("logging-plugin"), "log_file_handler", None)
        if handler is not None:
            _redact_handler(handler, self.redact)
        if self._config.getoption("capture", None) == "no":
            self._stand_between()
        _redact_tee(plugin("capturemanager"), self.redact)

    def _stand_between(self) -> None:
        for name in ("stdout", "stderr"):
            self._streams[name] = getattr(sys, name)
            setattr(sys, name, Outlet(self._streams[name], self.redact))

    def pytest_unconfigure(self) -> None:
        """Put the streams back."""
        for name, stream in self._streams.items():
            setattr(sys, name, stream)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Redact a test's report before anyone else has it."""
        report = yield
        if not self.is_open():
            redact_report(report, self.redact)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Redact a collection's report, too."""
        report = yield
        if not self.is_open():
            redact_report(report, self.redact)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Redact a warning before it is counted and shown."""
        said = str(warning_message.message)
        redacted = self.redact(said)
        if redacted is not said:
            warning_message.message = UserWarning(redacted)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: object) -> None:
        """Redact what pytest says about an error of its own, or of ours."""
        if not self.is_open():
            shown(self.redact, excrepr)


def _redact_handler(handler: logging.Handler, redact: Redact) -> None:
    form = handler.format
    handler.format = lambda record: redact(form(record))  # type: ignore[method-assign] # one handler


def _redact_tee(manager: Any, redact: Redact) -> None:  # noqa: ANN401 - pytest's, private
    """Redact what `--capture=tee-sys` passes on while it captures it."""
    capturing = getattr(manager, "_global_capturing", None)
    for one in (getattr(capturing, "out", None), getattr(capturing, "err", None)):
        copy = getattr(one, "tmpfile", None)
        if copy is not None and hasattr(copy, "_other"):
            copy._other = Outlet(copy._other, redact)  # noqa: SLF001 - it has no other way in
