"""A pytest run that somebody asks to end: signals, workers of pytest-xdist, and the last words."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfoidc.clock import real_seconds, real_sleep

if TYPE_CHECKING:
    from pytest_tfoidc.ending import Ending
    from pytest_tfoidc.terraform.live.deployed import Remains

LOOK_SECONDS = 0.05
WORKER_SECONDS = 0.5  # for a worker to end, after the time that it had for its Terraform
WORDS_SECONDS = 0.2  # before there is no time any more
PERHAPS = " (perhaps)"
SWEEP = "tfoidc sweep"
KEPT, TROUBLES = "tfoidc_kept", "tfoidc_troubles"  # what a worker tells its controller


class Stopped(KeyboardInterrupt):
    """A signal asks the run to end, as Ctrl-C does."""


class Stopping:
    """Ends a pytest run in order when a signal asks for it.

    Args:
        config: The run's configuration.
        remains: Lists what is still deployed.
        sweep: Returns the command that destroys it.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        remains: Callable[[], tuple[Remains, ...]],
        sweep: Callable[[], str] = lambda: SWEEP,
    ) -> None:
        self._config = config
        self._sweep = sweep
        self._remains = remains
        self._ending: Ending | None = None
        self._words: threading.Timer | None = None
        self._lock = threading.Lock()
        self._handlers = contextlib.ExitStack()
        config.add_cleanup(self._handlers.close)
        self.has_spoken = False
        self.is_interrupted = False
        self.is_finishing = False
        self.is_over = False
        self.troubles: list[str] = []
        self.kept: list[str] = []

    def take_signals(self, ending: Ending) -> None:
        """Take signals from now on, until pytest has undone all that it and others have set up."""
        from pytest_tfoidc.processes import handled  # noqa: PLC0415 - not in every run

        self._ending = ending
        self._handlers.enter_context(handled(self._take))

    def close(self) -> None:
        """Say nothing more, and raise nothing: nobody would catch it."""
        self.is_over = True
        if self._words is not None:
            self._words.cancel()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal; raise where nobody waits who looks for it."""
        ending = self._ending
        assert ending is not None  # noqa: S101 - for mypy: nothing is handled before
        if not ending.ask(number):
            return
        for process in self._worker_processes():
            with contextlib.suppress(OSError):
                os.kill(process, number)
        if self.is_over:
            return
        self._speak_in_time(ending)
        if ending.is_waiting or (self.is_interrupted and not self.is_finishing):
            return
        name = signal.Signals(number).name
        if self.is_finishing:
            raise pytest.exit.Exception(f"{name} while the run was ending")
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Raise nothing while pytest tells where it was interrupted: nobody would catch it."""
        self.is_interrupted = True

    def _speak_in_time(self, ending: Ending) -> None:
        """Say the last words before somebody kills us, wherever we hang."""
        if self._words is not None:
            self._words.cancel()
            self._words = None
        left = ending.seconds_left - WORDS_SECONDS
        if ending.is_real and left < threading.TIMEOUT_MAX:
            self._words = threading.Timer(max(0.0, left), self.speak_at_once)
            self._words.daemon = True
            self._words.start()

    def words(self) -> list[str]:
        """Return the last words, and take them for said; none where there is nothing to say."""
        with self._lock:
            if self.has_spoken or hasattr(self._config, "workerinput"):
                return []
            if self._ending is None and not self.is_controller:
                return []
            from pytest_tfoidc.ending import Ending  # noqa: PLC0415 - not in every run

            words = last_words(
                self._ending or Ending(), self._remains(), self.troubles, sweep=self._sweep()
            )
            self.has_spoken = bool(words)
            return words

    @property
    def is_controller(self) -> bool:
        """Whether workers of pytest-xdist do what there is to do."""
        return self._config.pluginmanager.hasplugin("dsession")

    def speak_at_once(self) -> None:
        """Say the last words on standard error, past pytest's capture, if they were not said."""
        words = self.words()
        if not words:
            return
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is not None:
            with contextlib.suppress(Exception):  # it is another thread's
                capture.suspend_global_capture(in_=True)
        with contextlib.suppress(OSError):
            os.write(2, ("\n" + "\n".join(words) + "\n").encode("utf-8", "replace"))

    def finish(self, session: pytest.Session) -> None:
        """Tear down what is set up, so that a failure of ours costs no summary; end the workers."""
        self.is_finishing = True
        if self._ending is None:
            return
        self._wait_for_workers(self._ending)
        try:
            session._setupstate.teardown_exact(None)  # noqa: SLF001 - as pytest's own, which comes next
        except BaseException as error:
            if not self._is_ours(error):
                raise
            self.troubles += _lines(error)

    def _is_ours(self, error: BaseException) -> bool:
        from pytest_tfoidc.errors import TfOidcError  # noqa: PLC0415 - not in every run

        inner = getattr(error, "exceptions", (error,))
        ours = (TfOidcError, KeyboardInterrupt, pytest.exit.Exception)
        return all(isinstance(one, ours) for one in inner)

    # pytest-xdist has no public names for its workers' processes.

    def _nodes(self) -> list[Any]:
        session = self._config.pluginmanager.getplugin("dsession")
        return list(getattr(session, "_active_nodes", ()))

    def _worker_processes(self) -> list[int]:
        return [process for node in self._nodes() if (process := _process_of(node)) is not None]

    def _wait_for_workers(self, ending: Ending) -> None:
        """Wait for workers that end in order; pytest-xdist would kill them after ten seconds."""
        if not ending.is_real and not ending.is_asked:
            return
        nodes = self._nodes()
        over: float | None = None
        with ending.waiting():
            while any(self._is_busy(node, ending) for node in nodes):
                if ending.is_over and over is None:
                    over = real_seconds() + WORKER_SECONDS
                if over is not None and real_seconds() > over:
                    break
                real_sleep(LOOK_SECONDS)
        for node in nodes:
            self.hear(node)

    def hear(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        """Take in what a worker tells at its end, once."""
        told = getattr(node, "workeroutput", None) or {}
        self.kept += [path for path in told.get(KEPT, ()) if path not in self.kept]
        self.troubles += [text for text in told.get(TROUBLES, ()) if text not in self.troubles]

    def tell_controller(self, kept: Iterable[Path]) -> None:
        """Let a worker's controller know what was kept, and what went wrong."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[KEPT] = [str(path) for path in kept]
            output[TROUBLES] = self.troubles

    def _is_busy(self, node: Any, ending: Ending) -> bool:  # noqa: ANN401 - xdist's
        process = _process_of(node)
        popen = _popen_of(node)
        if process is None or getattr(node, "_down", True) or popen.poll() is not None:
            return False
        return ending.is_asked or any(one.process == process for one in self._remains())


def _popen_of(node: Any) -> Any:  # noqa: ANN401 - xdist's
    return getattr(getattr(node.gateway, "_io", None), "popen", None)


def _process_of(node: Any) -> int | None:  # noqa: ANN401 - xdist's
    popen = _popen_of(node)
    return None if popen is None else int(popen.pid)


def _lines(error: BaseException) -> list[str]:
    inner = getattr(error, "exceptions", (error,))
    return [str(one) for one in inner if str(one) and not isinstance(one, KeyboardInterrupt)]


def last_words(
    ending: Ending,
    remains: tuple[Remains, ...],
    troubles: list[str] | tuple[str, ...] = (),
    *,
    sweep: str = SWEEP,
) -> list[str]:
    """Return what is to be said at the end of a run that leaves something; nothing if it does not.

    Args:
        ending: How the run ended.
        remains: What is still deployed.
        troubles: What went wrong with the clean-up.
        sweep: The command that destroys it.
    """
    commands = ending.commands
    if not ending.is_real or not (remains or commands):
        return [f"tfoidc: {line}" for text in troubles for line in text.splitlines()[:1]]
    why = f" ({', then '.join(ending.signals)})" if ending.is_asked else ""
    lines = [f"tfoidc: NOT everything was destroyed{why}:"]
    for one in remains:
        is_busy = any(left.module == Path(one.module).name for left in commands)
        lines += _words_for(one, is_sure=not is_busy and one.process == os.getpid())
    lines += [
        f"  `terraform {left.command}` of {left.module} (process {left.process}) was interrupted"
        " and is still at it: wait for its end before anything else."
        for left in commands
    ]
    for text in troubles:
        lines += [f"  {line}" for line in text.splitlines()[:1]]
    lines.append(f"  Remove it with: {sweep}")
    return lines


def _words_for(one: Remains, *, is_sure: bool) -> list[str]:
    """Say what a module has deployed; what another process was at is there perhaps."""
    names = (n if is_sure or n.endswith(PERHAPS) else n + PERHAPS for n in one.resources)
    found = ", ".join(names) or "nothing that Terraform has told of"
    return [
        f"  {one.module}: {found}",
        f"    state: {one.state}",
        f"    workspace kept: {one.workspace}",
    ]


def end_by_thread(item: pytest.Item, settings: Any, stopping: Stopping, ending: Ending) -> None:  # noqa: ANN401 - pytest-timeout's
    """End the process as pytest-timeout's thread does, but in order: Terraform first."""
    import pytest_timeout  # type: ignore[import-untyped] # noqa: PLC0415 - it has called us

    ending.ask(signal.SIGTERM)
    ending.interrupt_all()
    while not ending.is_over and not (ending.is_idle and not stopping._remains()):  # noqa: SLF001 - its own room
        real_sleep(LOOK_SECONDS)
    stopping.speak_at_once()
    pytest_timeout.timeout_timer(item, settings)


def set_timer(item: pytest.Item, settings: Any, stopping: Stopping) -> bool | None:  # noqa: ANN401 - pytest-timeout's
    """Set pytest-timeout's timer where it ends the process by a thread; None leaves it to it."""
    ending = stopping._ending  # noqa: SLF001 - its own room
    if ending is None or not ending.is_real or settings.method != "thread":
        return None
    timer = threading.Timer(settings.timeout, end_by_thread, (item, settings, stopping, ending))
    timer.name = f"{__name__} {item.nodeid}"

    def cancel() -> None:
        timer.cancel()
        timer.join()

    item.cancel_timeout = cancel  # type: ignore[attr-defined] # where pytest-timeout looks for it
    timer.start()
    return True
